// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical region pages: see prp.h.
 */
#include "prp.h"

#define PRP_MASK (KSHIM_PRP_BYTES - 1)

u64 kshim_prp_fit(const struct kshim_seg_iter *it, u64 max_bytes, u32 block_bytes)
{
	const struct kshim_seg *seg = it->seg;
	unsigned int nr = it->nr;
	u64 piece = kshim_seg_iter_contig(it);
	u64 fit = 0;

	if (!nr || (kshim_seg_iter_addr(it) & 3))
		return 0;
	for (;;) {
		/* not fit + piece: the sum of a caller's lengths may wrap */
		if (piece >= max_bytes - fit) {
			fit = max_bytes;
			break;
		}
		fit += piece;
		if (!--nr || ((seg->addr + seg->len) & PRP_MASK))
			break;
		seg++;
		if (seg->addr & PRP_MASK)
			break;
		piece = seg->len;
	}
	return fit & ~((u64)block_bytes - 1);
}

/* Entries behind the first one. */
static u32 prp_entries(u64 first_addr, u64 bytes)
{
	u64 first = KSHIM_PRP_BYTES - (first_addr & PRP_MASK);

	return bytes <= first ? 0 : (bytes - first + PRP_MASK) >> KSHIM_PRP_SHIFT;
}

unsigned int kshim_prp_list_pages(u64 first_addr, u64 bytes)
{
	u32 nr = prp_entries(first_addr, bytes);

	/* all pages but the last spend one entry on the chain */
	return nr <= 1 ? 0 : (nr - 2) / (KSHIM_PRP_ENTRIES - 1) + 1;
}

/* Unrolled, because this loop is most of what a long transfer costs the CPU. */
static __le64 *prp_run(__le64 *e, u64 addr, u32 nr)
{
	for (; nr >= 4; nr -= 4, e += 4, addr += 4 * KSHIM_PRP_BYTES) {
		e[0] = kshim_cpu_to_le64(addr);
		e[1] = kshim_cpu_to_le64(addr + KSHIM_PRP_BYTES);
		e[2] = kshim_cpu_to_le64(addr + 2 * KSHIM_PRP_BYTES);
		e[3] = kshim_cpu_to_le64(addr + 3 * KSHIM_PRP_BYTES);
	}
	for (; nr; nr--, addr += KSHIM_PRP_BYTES)
		*e++ = kshim_cpu_to_le64(addr);
	return e;
}

/* @nr entries from @e on, which cover @bytes or, when @bytes is more, @nr pages. */
static __le64 *prp_fill(__le64 *e, u32 nr, struct kshim_seg_iter *it, u64 *bytes)
{
	u64 piece, run;

	while (nr) {
		piece = kshim_min_u64(kshim_seg_iter_contig(it), *bytes);
		piece = kshim_min_u64(piece, (u64)nr << KSHIM_PRP_SHIFT);
		run = (piece + PRP_MASK) >> KSHIM_PRP_SHIFT;
		e = prp_run(e, kshim_seg_iter_addr(it), run);
		kshim_seg_iter_advance(it, piece);
		*bytes -= piece;
		nr -= run;
	}
	return e;
}

void kshim_prp_build(struct kshim_seg_iter *it, u64 bytes,
		     const struct kshim_prp_page *pages, u64 *ret_prp1, u64 *ret_prp2)
{
	u64 addr = kshim_seg_iter_addr(it);
	u64 first = kshim_min_u64(bytes, KSHIM_PRP_BYTES - (addr & PRP_MASK));
	u32 nr = prp_entries(addr, bytes);
	u32 here;
	__le64 *e;

	*ret_prp1 = addr;
	*ret_prp2 = 0;
	kshim_seg_iter_advance(it, first);
	bytes -= first;

	if (nr == 1) {
		*ret_prp2 = kshim_seg_iter_addr(it);
		kshim_seg_iter_advance(it, bytes);
	} else if (nr) {
		*ret_prp2 = pages->dma;
		e = pages->entries;
		for (;;) {
			here = nr > KSHIM_PRP_ENTRIES ? KSHIM_PRP_ENTRIES - 1 : nr;
			e = prp_fill(e, here, it, &bytes);
			nr -= here;
			if (!nr)
				break;
			pages++;
			*e = kshim_cpu_to_le64(pages->dma);
			e = pages->entries;
		}
	}
}
