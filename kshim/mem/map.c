// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps: what is known of a region's pages. A map never changes. What is learned makes a new
 * one, which has all chunks of the old one that it does not touch: so learning a window
 * costs what the window has, and not what is known already.
 */
#include <linux/slab.h>

#include "mem/mem.h"

/* A chunk is a page of memory at most: what a window touches is copied. */
#define CHUNK_EXTENTS_MAX \
	((PAGE_SIZE - sizeof(struct kshim_chunk)) / sizeof(struct kshim_extent))

static struct kshim_chunk *chunk_new(const struct kshim_extent *extent, unsigned int nr)
{
	struct kshim_chunk *chunk;

	chunk = kvmalloc(struct_size(chunk, extent, nr), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	chunk->nr = nr;
	memcpy(chunk->extent, extent, flex_array_size(chunk, extent, nr));
	return chunk;
}

/* Make @nr of its chunks, from @at on, of extents: of about one size, that none stays small. */
static bool map_cut(struct kshim_map *map, unsigned int at, unsigned int nr,
		    const struct kshim_extent *extent, unsigned int nr_extents)
{
	unsigned int i, begin, end;
	struct kshim_chunk *chunk;

	for (i = 0; i < nr; i++) {
		begin = (u64)nr_extents * i / nr;
		end = (u64)nr_extents * (i + 1) / nr;
		chunk = chunk_new(extent + begin, end - begin);
		if (!chunk)
			return false;
		map->part[at + i].chunk = chunk;
		map->part[at + i].page = chunk->extent[0].page;
	}
	return true;
}

/* The old map with these extents in place of its chunks [at, end). */
static struct kshim_map *map_new(const struct kshim_map *old, unsigned int at,
				 unsigned int end, const struct kshim_extent *extent,
				 unsigned int nr)
{
	unsigned int nr_cut = DIV_ROUND_UP(nr, CHUNK_EXTENTS_MAX);
	unsigned int nr_after = old ? old->nr - end : 0;
	struct kshim_map *map;

	map = kvzalloc(struct_size(map, part, at + nr_cut + nr_after), GFP_KERNEL_ACCOUNT);
	if (!map)
		return NULL;
	map->nr = at + nr_cut + nr_after;
	map->nr_extents = nr;
	if (old) {
		memcpy(map->part, old->part, at * sizeof(*map->part));
		memcpy(map->part + at + nr_cut, old->part + end,
		       nr_after * sizeof(*map->part));
		map->nr_extents += old->nr_extents;
	}
	if (!map_cut(map, at, nr_cut, extent, nr)) {
		kshim_map_free(map, old);
		return NULL;
	}
	while (end > at)
		map->nr_extents -= old->part[--end].chunk->nr;
	return map;
}

struct kshim_map *kshim_map_learn(const struct kshim_map *old,
				  const struct kshim_extent *extent, unsigned int nr)
{
	unsigned int at = 0, end = 0, nr_was = 0, i;
	const struct kshim_chunk *chunk;
	struct kshim_extent *was, *now;
	struct kshim_map *map;

	/* the chunks that may overlap or touch what is new, or one to go on with */
	if (old) {
		at = end = kshim_map_part(old, extent[0].page);
		do
			nr_was += old->part[end++].chunk->nr;
		while (end < old->nr &&
		       old->part[end].page <= kshim_extent_end(&extent[nr - 1]));
	}
	was = kvmalloc_array(2 * (nr_was + nr), sizeof(*was), GFP_KERNEL);
	if (!was)
		return NULL;
	now = was + nr_was;
	nr_was = 0;
	for (i = at; i < end; i++) {
		chunk = old->part[i].chunk;
		memcpy(was + nr_was, chunk->extent,
		       flex_array_size(chunk, extent, chunk->nr));
		nr_was += chunk->nr;
	}
	map = map_new(old, at, end, now, kshim_extents_merge(was, nr_was, extent, nr, now));
	kvfree(was);
	return map;
}

void kshim_map_free(struct kshim_map *map, const struct kshim_map *other)
{
	unsigned int begin = 0, end, nr;

	if (!map)
		return;
	end = map->nr;
	if (other) {
		/* what is theirs alone lies between what both begin and end with */
		nr = min(map->nr, other->nr);
		while (begin < nr && map->part[begin].chunk == other->part[begin].chunk)
			begin++;
		while (nr > begin && map->part[end - 1].chunk ==
				     other->part[other->nr - map->nr + end - 1].chunk)
			nr--, end--;
	}
	for (; begin < end; begin++)
		kvfree_rcu(map->part[begin].chunk, rcu);
	kvfree_rcu(map, rcu);
}
