// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vectors of phyrs and the holds that keep them. What the ranges mean is for others.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "mem/mem.h"

/* Twice the room for @nr elements of a list that begins in memory of the vector's. */
static void *vec_grow(void *old, const void *first, unsigned int *max, size_t bytes)
{
	void *new;

	if (*max > INT_MAX / 2)
		return NULL;
	new = kvmalloc_array(*max * 2, bytes, GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	memcpy(new, old, *max * bytes);
	if (old != first)
		kvfree(old);
	*max *= 2;
	return new;
}

static int vec_reserve(struct phyr_vec *vec, bool hold)
{
	void *new;

	if (vec->nr == vec->max) {
		new = vec_grow(vec->phyr, vec->first, &vec->max, sizeof(*vec->phyr));
		if (!new)
			return -ENOMEM;
		vec->phyr = new;
	}
	if (hold && vec->nr_holds == vec->max_holds) {
		new = vec_grow(vec->hold, vec->first_hold, &vec->max_holds,
			       sizeof(*vec->hold));
		if (!new)
			return -ENOMEM;
		vec->hold = new;
	}
	return 0;
}

int kshim_vec_add(struct phyr_vec *vec, struct phyr_hold hold, phys_addr_t addr,
		  size_t len)
{
	struct phyr_hold *last = vec->nr_holds ? &vec->hold[vec->nr_holds - 1] : NULL;
	struct phyr *tail = vec->nr ? &vec->phyr[vec->nr - 1] : NULL;
	bool same = last && last->gate == hold.gate && last->kind == hold.kind &&
		    last->provider == hold.provider;
	size_t bytes;

	if (!len || addr + (len - 1) < addr || check_add_overflow(vec->bytes, len, &bytes))
		return -EINVAL;
	/* Not round the end of the address space; and pages that were pinned twice, once
	 * for each half, have to be unpinned twice. */
	if (same && tail->addr + tail->len == addr && addr &&
	    (hold.kind != PHYR_HOLD_PINNED || !offset_in_page(addr))) {
		tail->len += len;
		vec->bytes = bytes;
		return 0;
	}
	if (unlikely(vec->nr == vec->max || (!same && vec->nr_holds == vec->max_holds)) &&
	    vec_reserve(vec, !same))
		return -ENOMEM;
	vec->phyr[vec->nr++] = (struct phyr){ .addr = addr, .len = len };
	vec->bytes = bytes;
	if (same) {
		vec->hold[vec->nr_holds - 1].nr++;
		return 0;
	}
	if (hold.kind == PHYR_HOLD_REGION)
		kshim_region_ref(kshim_hold_region(&hold));
	hold.nr = 1;
	vec->hold[vec->nr_holds++] = hold;
	return 0;
}

static bool vec_range_has_pages(phys_addr_t addr, size_t len)
{
	unsigned long pfn = PHYS_PFN(addr), last = PHYS_PFN(addr + (len - 1));

	/* memory comes and goes in subsections, so one page of each is enough */
	for (; pfn <= last; pfn = round_down(pfn, PAGES_PER_SUBSECTION) + PAGES_PER_SUBSECTION)
		if (!pfn_valid(pfn))
			return false;
	return pfn_valid(last);
}

int phyr_vec_append(struct phyr_vec *vec, phys_addr_t addr, size_t len)
{
	struct phyr_hold hold = { .kind = PHYR_HOLD_PAGES };

	if (!len || addr + (len - 1) < addr || !vec_range_has_pages(addr, len))
		return -EINVAL;
	return kshim_vec_add(vec, hold, addr, len);
}
EXPORT_SYMBOL_GPL(phyr_vec_append);

int phyr_vec_append_provider(struct phyr_vec *vec, struct phyr_provider *provider,
			     u64 offset, size_t len)
{
	struct phyr_hold hold = {
		.kind = PHYR_HOLD_PROVIDER, .gate = &provider->gate, .provider = provider,
	};

	if (!len || offset >= provider->len || len > provider->len - offset)
		return -EINVAL;
	return kshim_vec_add(vec, hold, provider->start + offset, len);
}
EXPORT_SYMBOL_GPL(phyr_vec_append_provider);

struct kshim_vec_mark kshim_vec_mark(const struct phyr_vec *vec)
{
	return (struct kshim_vec_mark){
		.nr = vec->nr,
		.nr_holds = vec->nr_holds,
		.hold_nr = vec->nr_holds ? vec->hold[vec->nr_holds - 1].nr : 0,
		.bytes = vec->bytes,
		.last_len = vec->nr ? vec->phyr[vec->nr - 1].len : 0,
	};
}

static void vec_unpin(const struct phyr *phyr, bool dirty)
{
	unsigned long pages = PFN_UP(offset_in_page(phyr->addr) + phyr->len);

	unpin_user_page_range_dirty_lock(pfn_to_page(PHYS_PFN(phyr->addr)), pages, dirty);
}

/* Let go of the ranges from @phyr on and the holds from @hold on, whose first has
 * @kept ranges before them. */
static void vec_release(struct phyr_vec *vec, unsigned int phyr, unsigned int hold,
			unsigned int kept, bool dirty)
{
	unsigned int i;

	for (; hold < vec->nr_holds; hold++, kept = 0) {
		const struct phyr_hold *h = &vec->hold[hold];

		if (h->kind == PHYR_HOLD_REGION && !kept)
			kshim_region_put(kshim_hold_region(h));
		for (i = kept; i < h->nr; i++, phyr++)
			if (h->kind == PHYR_HOLD_PINNED)
				vec_unpin(&vec->phyr[phyr], dirty);
	}
}

void kshim_vec_rewind(struct phyr_vec *vec, const struct kshim_vec_mark *mark)
{
	struct phyr *tail = mark->nr ? &vec->phyr[mark->nr - 1] : NULL;
	struct phyr cut;

	if (!mark->nr) {
		vec_release(vec, 0, 0, 0, false);
	} else {
		vec_release(vec, mark->nr, mark->nr_holds - 1, mark->hold_nr, false);
		if (tail->len > mark->last_len &&
		    vec->hold[mark->nr_holds - 1].kind == PHYR_HOLD_PINNED) {
			cut = *tail;
			cut.addr += mark->last_len;
			cut.len -= mark->last_len;
			vec_unpin(&cut, false);
		}
		tail->len = mark->last_len;
		vec->hold[mark->nr_holds - 1].nr = mark->hold_nr;
	}
	vec->nr = mark->nr;
	vec->nr_holds = mark->nr_holds;
	vec->bytes = mark->bytes;
}

void put_user_phyrs(struct phyr_vec *vec, bool dirty)
{
	if (likely(vec->nr_holds == 1 && vec->hold->kind == PHYR_HOLD_REGION))
		kshim_region_put(kshim_hold_region(vec->hold));
	else
		vec_release(vec, 0, 0, 0, dirty);
	if (vec->phyr != vec->first)
		kvfree(vec->phyr);
	if (vec->hold != vec->first_hold)
		kvfree(vec->hold);
	phyr_vec_init(vec);
}
EXPORT_SYMBOL_GPL(put_user_phyrs);
