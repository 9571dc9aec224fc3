/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical region pages: how an NVMe command names its buffer (NVM Express base
 * specification 2.0, section 4.1.1). The controller's page is 4096 bytes, as the
 * stock driver sets it up.
 *
 *	prp1 -> [..xxxx]	may start inside a page, at a multiple of four
 *	prp2 -> [xxxx]		the second page, when two are enough; otherwise
 *	prp2 -> list page	512 entries of one page each; when more follow, the
 *	         | ... |	last entry is the address of the next list page
 *	         | next -+----> list page
 *
 * Every entry but the first starts at a page. Any context; no locks.
 */
#ifndef _KSHIM_CORE_PRP_H
#define _KSHIM_CORE_PRP_H

#include "port.h"
#include "seg.h"

#define KSHIM_PRP_SHIFT		12
#define KSHIM_PRP_BYTES		4096u	/* of a page, data or list */
#define KSHIM_PRP_ENTRIES	512u	/* of a list page */

/*
 * Memory for one list page: 4096 bytes, aligned to 4096 in the device's view. A list
 * that is only one page long may be shorter memory, as long as all its entries fit.
 */
struct kshim_prp_page {
	__le64 *entries;
	u64 dma;
};

/*
 * The most bytes from the cursor on that one command can carry: a multiple of
 * @block_bytes (a power of two, at least 512), at most @max_bytes. 0 when not even
 * one block fits, because a piece of the buffer starts or ends where no PRP can.
 */
u64 kshim_prp_fit(const struct kshim_seg_iter *it, u64 max_bytes, u32 block_bytes);

/*
 * How many list pages a command of @bytes (below 16 TiB) from @first_addr needs: 0
 * when prp1 and prp2 suffice.
 */
unsigned int kshim_prp_list_pages(u64 first_addr, u64 bytes);

/*
 * Describe @bytes from the cursor, and move it past them. @bytes is not 0 and is
 * what kshim_prp_fit() gave, or less and a multiple of the block; @pages has
 * kshim_prp_list_pages() elements and may be NULL for 0. *prp1 and *prp2 are in CPU
 * byte order, the entries little endian; *prp2 is 0 when unused.
 */
void kshim_prp_build(struct kshim_seg_iter *it, u64 bytes,
		     const struct kshim_prp_page *pages, u64 *ret_prp1, u64 *ret_prp2);

#endif /* _KSHIM_CORE_PRP_H */
