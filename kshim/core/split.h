/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sectors (512 bytes, of a partition or of the whole disk), logical blocks, and
 * where a transfer has to be cut. Nothing wraps: these checks stand between a file's
 * extent and the rest of the disk.
 */
#ifndef _KSHIM_CORE_SPLIT_H
#define _KSHIM_CORE_SPLIT_H

#include "port.h"

#define KSHIM_SECTOR_SHIFT	9
#define KSHIM_MAX_NLB		65536u	/* NVM command set 1.0: 16 bits, 0's based */

/*
 * How much of @bytes from @sector on may be one command: up to @max_bytes, and not
 * across a multiple of @chunk_sectors when that is not 0. @sector counts from the
 * start of the disk, not of the partition. The cut is not rounded to blocks:
 * kshim_prp_fit() does that.
 */
static inline u64 kshim_split_bytes(u64 sector, u64 bytes, u64 max_bytes,
				    u32 chunk_sectors)
{
	u32 into;

	bytes = kshim_min_u64(bytes, max_bytes);
	if (!chunk_sectors)
		return bytes;
	if (chunk_sectors & (chunk_sectors - 1))
		into = kshim_rem_u32(sector, chunk_sectors);
	else
		into = sector & (chunk_sectors - 1);
	return kshim_min_u64(bytes, (u64)(chunk_sectors - into) << KSHIM_SECTOR_SHIFT);
}

/*
 * From a sector of a partition (@start_sect, @nr_sects; a whole disk starts at 0) to
 * the sector of the disk. 0, or -EIO when a byte lies outside of the partition,
 * @bytes is no multiple of 512, or the partition itself passes the end of 64 bits.
 */
static inline int kshim_sector_range(u64 start_sect, u64 nr_sects, u64 sector, u64 bytes,
				     u64 *ret_abs_sector)
{
	u64 nr = bytes >> KSHIM_SECTOR_SHIFT;

	if (bytes & ((1u << KSHIM_SECTOR_SHIFT) - 1))
		return -EIO;
	if (nr > nr_sects || sector > nr_sects - nr)
		return -EIO;
	if (start_sect + nr_sects < start_sect)
		return -EIO;
	*ret_abs_sector = start_sect + sector;
	return 0;
}

/*
 * From a sector of the disk to its logical block (1 << @lba_shift bytes) and the
 * number of blocks, 1 to 65536: the command's field is *ret_nlb - 1. -EINVAL when
 * either end is inside a block or the number does not fit.
 */
static inline int kshim_sector_to_lba(u64 abs_sector, u64 bytes, u8 lba_shift,
				      u64 *ret_slba, u32 *ret_nlb)
{
	u64 nlb;

	if (lba_shift < KSHIM_SECTOR_SHIFT || lba_shift > 31)
		return -EINVAL;
	/* of a sector only the low bits count, which the shift keeps */
	if ((abs_sector << KSHIM_SECTOR_SHIFT | bytes) & ((1ull << lba_shift) - 1))
		return -EINVAL;
	nlb = bytes >> lba_shift;
	if (nlb == 0 || nlb > KSHIM_MAX_NLB)
		return -EINVAL;
	*ret_slba = abs_sector >> (lba_shift - KSHIM_SECTOR_SHIFT);
	*ret_nlb = nlb;
	return 0;
}

#endif /* _KSHIM_CORE_SPLIT_H */
