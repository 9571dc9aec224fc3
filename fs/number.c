// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inode numbers that the mount shows. It has one st_dev for all files, the source may
 * have several: of mounts below it, or of the subvolumes of btrfs. So that two files
 * never have the same number, its upper 16 bits stand for the device and for what they
 * were on it. Those of the root's device stay what they are.
 */
#include "phyrfs.h"

#include <errno.h>

#define HIGH_SHIFT 48
#define NR_HIGH	   (1u << 16)

/*
 * What upper 16 bits that are shown stand for. A hash table, searched from home_of(): for
 * the root's device that is the answer. Entries stay for ever. 1 MiB, of which only what
 * is used becomes memory.
 */
static struct high {
	dev_t dev;
	uint16_t high; /* on that device */
	bool taken;
} highs[NR_HIGH];

static pthread_mutex_t highs_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * Other devices begin where the root's numbers hardly come; and not in the upper half, as
 * there are programs that take a number for signed.
 */
static unsigned int home_of(const struct phyrfs *fs, dev_t dev, uint16_t high)
{
	uint64_t key = (dev << 16 ^ high) * 0x9e3779b97f4a7c15ull;

	return dev == fs->root.dev ? high
				   : NR_HIGH / 4 + (key >> HIGH_SHIFT) % (NR_HIGH / 4);
}

/* The place of @dev and @high, or NR_HIGH when all are taken. */
static unsigned int high_find(const struct phyrfs *fs, dev_t dev, uint16_t high)
{
	unsigned int home = home_of(fs, dev, high);

	for (unsigned int i = 0; i < NR_HIGH; i++) {
		unsigned int place = (home + i) % NR_HIGH;
		struct high *entry = &highs[place];

		/* 0 is kept for the root's device */
		if (!entry->taken && place)
			*entry = (struct high){ dev, high, true };
		if (entry->taken && entry->dev == dev && entry->high == high)
			return place;
	}
	return NR_HIGH;
}

int phyrfs_number(const struct phyrfs *fs, dev_t dev, ino_t ino, uint64_t *ret_number)
{
	uint64_t high = ino >> HIGH_SHIFT;
	static atomic_bool said;

	if (high || dev != fs->root.dev) {
		pthread_mutex_lock(&highs_lock);
		high = high_find(fs, dev, high);
		pthread_mutex_unlock(&highs_lock);
		if (high == NR_HIGH) {
			if (!atomic_exchange(&said, true))
				phyrfs_message(
					"%s has files on too many devices for one mount; "
					"some cannot be used",
					fs->opts.source);
			return -EOVERFLOW;
		}
	}
	*ret_number = high << HIGH_SHIFT | (ino & ((UINT64_C(1) << HIGH_SHIFT) - 1));
	return 0;
}
