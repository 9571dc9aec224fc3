// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of phyrs for devices whose drivers bring their own commands. The memory is
 * the vector's and the device its driver's; this keeps only what has to be unmapped.
 *
 * Pages go into one stretch of an IOMMU's address space where there is one and they
 * fit it without gaps, and are mapped one by one otherwise; device memory by its route.
 */
#include <linux/dma-mapping.h>
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core/span.h"
#include "disk/disk.h"

/* Of device memory: no CPU cache holds any, and others may map the same. */
#define RESOURCE_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/* What the DMA API gave and wants back. */
struct dma_piece {
	dma_addr_t addr;
	size_t len;
	bool resource;		/* of dma_map_resource() */
};

struct phyr_dma_state {
	struct dma_iova_state iova;
	size_t iova_len;	/* of the address space; 0: there is none */
	size_t iova_used;	/* from its start, without gaps */
	size_t iova_synced;
	unsigned long granule;	/* of the IOMMU */
	size_t max;		/* bytes of pages that may be mapped at once */
	unsigned int nr_pieces;
	unsigned int room;	/* elements of piece and of the mapping's seg */
	struct dma_piece *piece;
};

/* To go back to. */
struct dma_mark {
	unsigned int nr, nr_pieces;
	size_t last_len, iova_used;
};

/* The route of the run that is being linked. */
struct dma_link {
	struct phyr_dma *dma;
	const struct phyr_provider *provider;
	struct kshim_route route;
};

static bool dma_hold_is_pages(const struct phyr_hold *hold)
{
	return hold->kind == PHYR_HOLD_PAGES || hold->kind == PHYR_HOLD_PINNED;
}

/* ------------------------------------------------------------------- room */

static void *dma_room_grow(void *old, unsigned int nr, unsigned int room, size_t bytes)
{
	void *new = kvmalloc_array(room, bytes, GFP_KERNEL);

	if (new && nr)
		memcpy(new, old, nr * bytes);
	return new;
}

/* For @more ranges beyond those in use. */
static int dma_reserve(struct phyr_dma *dma, size_t more)
{
	struct phyr_dma_state *state = dma->state;
	struct phyr_dma_seg *seg;
	struct dma_piece *piece;
	size_t room = max(dma->nr, state->nr_pieces) + more;

	if (room <= state->room)
		return 0;
	if (room > INT_MAX)
		return -ENOMEM;
	seg = dma_room_grow(dma->seg, dma->nr, room, sizeof(*seg));
	piece = dma_room_grow(state->piece, state->nr_pieces, room, sizeof(*piece));
	if (!seg || !piece) {
		kvfree(seg);
		kvfree(piece);
		return -ENOMEM;
	}
	kvfree(dma->seg);
	kvfree(state->piece);
	dma->seg = seg;
	state->piece = piece;
	state->room = room;
	return 0;
}

/* The next range of one phyr: as much of @left as one call of the DMA API maps. */
static size_t dma_next(const struct phyr_dma_state *state, const struct phyr_iter *it,
		       size_t left)
{
	size_t len = min(left, phyr_iter_contig(it));

	/* cut where a page ends, or nothing continues it in an IOMMU's address space */
	if (dma_hold_is_pages(phyr_iter_hold(it)))
		len = min(len, state->max - offset_in_page(phyr_iter_addr(it)));
	return len;
}

static size_t dma_count(const struct phyr_dma_state *state, struct phyr_iter it,
			size_t bytes)
{
	size_t nr = 0, n;

	for (; bytes; bytes -= n, nr++) {
		n = dma_next(state, &it, bytes);
		phyr_iter_advance(&it, n);
	}
	return nr;
}

/* There is room. Neighbours join, but not across the end of the addresses. */
static void dma_seg_append(struct phyr_dma *dma, dma_addr_t addr, size_t len)
{
	struct phyr_dma_seg *last = dma->nr ? &dma->seg[dma->nr - 1] : NULL;

	if (last && last->addr + last->len == addr && addr)
		last->len += len;
	else
		dma->seg[dma->nr++] = (struct phyr_dma_seg){ .addr = addr, .len = len };
}

static void dma_piece_append(struct phyr_dma_state *state, dma_addr_t addr, size_t len,
			 bool resource)
{
	state->piece[state->nr_pieces++] = (struct dma_piece){
		.addr = addr, .len = len, .resource = resource,
	};
}

/* ---------------------------------------------------------------- mapping */

/*
 * Do these pages continue what is linked in the address space? Only whole granules
 * lie next to each other there; the first range may begin inside of one, the last may
 * end so, and then nothing continues it.
 */
static bool dma_fits_iova(const struct phyr_dma_state *state, phys_addr_t phys, size_t len)
{
	unsigned long mask = state->granule - 1;

	if (len > state->iova_len - state->iova_used)
		return false;
	if (state->iova_used && phys & mask)
		return false;
	return !((phys ^ (kshim_iova_addr(&state->iova) + state->iova_used)) & mask);
}

static int dma_link_iova(struct phyr_dma *dma, phys_addr_t phys, size_t len)
{
	struct phyr_dma_state *state = dma->state;
	int ret;

	ret = dma_iova_link(dma->dev, &state->iova, phys, state->iova_used, len,
			    dma->dir, 0);
	if (ret)
		return ret == -ENOMEM ? -ENOMEM : -EIO;
	dma_seg_append(dma, kshim_iova_addr(&state->iova) + state->iova_used, len);
	state->iova_used += len;
	return 0;
}

static int dma_link_pages(struct phyr_dma *dma, phys_addr_t phys, size_t len)
{
	struct phyr_dma_state *state = dma->state;
	struct page *page = pfn_to_page(PHYS_PFN(phys));
	dma_addr_t addr;

	/* a device's memory in spite of its struct pages */
	if (is_pci_p2pdma_page(page))
		return -EREMOTEIO;
	if (dma_fits_iova(state, phys, len))
		return dma_link_iova(dma, phys, len);
	addr = dma_map_page(dma->dev, page, offset_in_page(phys), len, dma->dir);
	if (dma_mapping_error(dma->dev, addr))
		return -EIO;
	dma_piece_append(state, addr, len, false);
	dma_seg_append(dma, addr, len);
	return 0;
}

static int dma_link_device(struct dma_link *link, const struct phyr_hold *hold,
		       phys_addr_t phys, size_t len)
{
	struct phyr_dma *dma = link->dma;
	dma_addr_t addr;
	u64 bus;

	/* whether it still is there when the device gets to it phyr_vec_enter() tells */
	if (READ_ONCE(hold->gate->closed))
		return -ESTALE;
	if (!dev_is_pci(dma->dev))
		return -EREMOTEIO;
	if (link->provider != hold->provider) {
		link->provider = hold->provider;
		link->route = kshim_provider_route(hold->provider, to_pci_dev(dma->dev));
	}
	switch (link->route.form) {
	case KSHIM_ADDR_BUS:
		if (kshim_span_shift(phys, len, link->route.bus_offset,
				     dma_get_mask(dma->dev), &bus))
			return -EREMOTEIO;
		dma_seg_append(dma, bus, len);
		return 0;
	case KSHIM_ADDR_MAPPED:
		addr = dma_map_resource(dma->dev, phys, len, dma->dir, RESOURCE_ATTRS);
		if (dma_mapping_error(dma->dev, addr))
			return -EIO;
		dma_piece_append(dma->state, addr, len, true);
		dma_seg_append(dma, addr, len);
		return 0;
	default:
		return link->route.reason == PHYR_NO_MEMORY ? -ENOMEM : -EREMOTEIO;
	}
}

static struct dma_mark dma_mark(const struct phyr_dma *dma)
{
	return (struct dma_mark){
		.nr = dma->nr,
		.nr_pieces = dma->state->nr_pieces,
		.last_len = dma->nr ? dma->seg[dma->nr - 1].len : 0,
		.iova_used = dma->state->iova_used,
	};
}

static void dma_piece_unmap(const struct phyr_dma *dma, const struct dma_piece *piece)
{
	if (piece->resource)
		dma_unmap_resource(dma->dev, piece->addr, piece->len, dma->dir,
				   RESOURCE_ATTRS);
	else
		dma_unmap_page(dma->dev, piece->addr, piece->len, dma->dir);
}

static void dma_rewind(struct phyr_dma *dma, const struct dma_mark *mark)
{
	struct phyr_dma_state *state = dma->state;

	while (state->nr_pieces > mark->nr_pieces)
		dma_piece_unmap(dma, &state->piece[--state->nr_pieces]);
	if (state->iova_used > mark->iova_used)
		dma_iova_unlink(dma->dev, &state->iova, mark->iova_used,
				state->iova_used - mark->iova_used, dma->dir, 0);
	state->iova_used = mark->iova_used;
	state->iova_synced = min(state->iova_synced, mark->iova_used);
	dma->nr = mark->nr;
	if (dma->nr)
		dma->seg[dma->nr - 1].len = mark->last_len;
}

int phyr_dma_link(struct phyr_dma *dma, struct phyr_iter *it, size_t bytes)
{
	struct dma_link link = { .dma = dma };
	const struct phyr_hold *hold;
	struct phyr_iter at = *it;
	struct dma_mark mark;
	size_t n;
	int ret;

	if (!dma->state || !bytes || bytes > it->left)
		return -EINVAL;
	ret = dma_reserve(dma, dma_count(dma->state, at, bytes));
	if (ret)
		return ret;
	mark = dma_mark(dma);
	for (; bytes; bytes -= n) {
		n = dma_next(dma->state, &at, bytes);
		hold = phyr_iter_hold(&at);
		ret = dma_hold_is_pages(hold) ?
			dma_link_pages(dma, phyr_iter_addr(&at), n) :
			dma_link_device(&link, hold, phyr_iter_addr(&at), n);
		if (ret) {
			dma_rewind(dma, &mark);
			return ret;
		}
		phyr_iter_advance(&at, n);
	}
	*it = at;
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_dma_link);

int phyr_dma_sync(struct phyr_dma *dma)
{
	struct phyr_dma_state *state = dma->state;
	size_t from;

	if (!state)
		return -EINVAL;
	from = state->iova_synced;
	if (state->iova_used == from)
		return 0;
	if (dma_iova_sync(dma->dev, &state->iova, from, state->iova_used - from))
		return -EIO;
	state->iova_synced = state->iova_used;
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_dma_sync);

void phyr_dma_unlink(struct phyr_dma *dma)
{
	static const struct dma_mark nothing;

	if (dma->state)
		dma_rewind(dma, &nothing);
}
EXPORT_SYMBOL_GPL(phyr_dma_unlink);

/* --------------------------------------------------------- address space */

/* All the pages from the cursor on, and where they begin. */
static size_t dma_iter_pages(struct phyr_iter it, phys_addr_t *ret_first)
{
	size_t bytes = 0, n;

	while ((n = phyr_iter_contig(&it))) {
		if (dma_hold_is_pages(phyr_iter_hold(&it))) {
			if (!bytes)
				*ret_first = phyr_iter_addr(&it);
			bytes += n;
		}
		phyr_iter_advance(&it, n);
	}
	return bytes;
}

int phyr_dma_alloc(struct phyr_dma *dma, struct device *dev, const struct phyr_iter *it,
		   enum dma_data_direction dir)
{
	struct phyr_dma_state *state;
	phys_addr_t first = 0;
	size_t bytes;

	*dma = (struct phyr_dma){ .dev = dev, .dir = dir };
	if (!it->left || !valid_dma_direction(dir) || !dev->dma_mask)
		return -EINVAL;
	state = kzalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	state->granule = dma_get_merge_boundary(dev) + 1;
	state->max = max(round_down(dma_max_mapping_size(dev), PAGE_SIZE), PAGE_SIZE);
	bytes = dma_iter_pages(*it, &first);
	if (bytes && dma_iova_try_alloc(dev, &state->iova, first, bytes))
		state->iova_len = bytes;
	dma->state = state;
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_dma_alloc);

void phyr_dma_free(struct phyr_dma *dma)
{
	struct phyr_dma_state *state = dma->state;

	if (!state)
		return;
	WARN_ON_ONCE(state->nr_pieces || state->iova_used);
	if (state->iova_len)
		dma_iova_free(dma->dev, &state->iova);
	kvfree(state->piece);
	kfree(state);
	kvfree(dma->seg);
	dma->seg = NULL;
	dma->nr = 0;
	dma->state = NULL;
}
EXPORT_SYMBOL_GPL(phyr_dma_free);

int phyr_dma_map(struct phyr_dma *dma, struct device *dev, const struct phyr_vec *vec,
		 enum dma_data_direction dir)
{
	struct phyr_iter it;
	int ret;

	phyr_iter_init(&it, vec);
	ret = phyr_dma_alloc(dma, dev, &it, dir);
	if (ret)
		return ret;
	ret = phyr_dma_link(dma, &it, it.left);
	if (!ret)
		ret = phyr_dma_sync(dma);
	if (ret)
		phyr_dma_unmap(dma);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_dma_map);

void phyr_dma_unmap(struct phyr_dma *dma)
{
	phyr_dma_unlink(dma);
	phyr_dma_free(dma);
}
EXPORT_SYMBOL_GPL(phyr_dma_unmap);

/* ----------------------------------------------------------------- access */

/* The first @nr runs. */
static void dma_holds_exit(const struct phyr_vec *vec, unsigned int nr)
{
	while (nr--)
		if (vec->hold[nr].gate)
			kshim_gate_exit(vec->hold[nr].gate);
}

bool phyr_vec_enter(const struct phyr_vec *vec)
{
	unsigned int i;

	for (i = 0; i < vec->nr_holds; i++)
		if (vec->hold[i].gate && !kshim_gate_enter(vec->hold[i].gate)) {
			dma_holds_exit(vec, i);
			return false;
		}
	return true;
}
EXPORT_SYMBOL_GPL(phyr_vec_enter);

void phyr_vec_exit(const struct phyr_vec *vec)
{
	dma_holds_exit(vec, vec->nr_holds);
}
EXPORT_SYMBOL_GPL(phyr_vec_exit);
