// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extents, beside an array that says of each page what is known of it.
 */
#include "unit.h"
#include "extent.h"

#define NR_PAGES 48
#define NR_MAX	 (3 * NR_PAGES)

/* 0: unknown */
struct page {
	u64 pfn;
	bool writable;
};

static u32 make(u64 *state, struct kshim_extent *extent)
{
	u64 page = t_random_below(state, 8), length;
	u32 nr = 0;

	while (page < NR_PAGES) {
		length = 1 + t_random_below(state, 6);
		if (length > NR_PAGES - page)
			length = NR_PAGES - page;
		extent[nr++] = (struct kshim_extent){
			.page = page,
			.nr = length,
			/* often what continues the one before */
			.pfn = 1000 * (1 + t_random_below(state, 2)) + page,
			.readable = 1,
			.writable = t_random_below(state, 2),
		};
		page += length + t_random_below(state, 2) * t_random_below(state, 12);
	}
	return nr;
}

static void fill(struct page *pages, const struct kshim_extent *extent, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		for (u64 n = 0; n < extent[i].nr; n++)
			pages[extent[i].page + n] = (struct page){
				.pfn = extent[i].pfn + n,
				.writable = extent[i].writable,
			};
}

static void check(const struct page *pages, const struct kshim_extent *extent, u32 nr)
{
	const struct kshim_extent *found;
	struct page got;

	for (u32 i = 1; i < nr; i++)
		if (kshim_extent_end(&extent[i - 1]) > extent[i].page)
			ck_abort_msg("%u is not in order", i);
	for (u64 page = 0; page < NR_PAGES; page++) {
		found = kshim_extents_find(extent, nr, page);
		got = (struct page){ 0 };
		if (found) {
			got.pfn = found->pfn + page - found->page;
			got.writable = found->writable;
		}
		if (got.pfn != pages[page].pfn || got.writable != pages[page].writable)
			ck_abort_msg("page %u: %llu, wanted %llu", (unsigned int)page,
				     (unsigned long long)got.pfn,
				     (unsigned long long)pages[page].pfn);
	}
}

/* red: take the old one where both have a page; forget what an old one has behind a new one */
START_TEST(test_merge)
{
	struct kshim_extent old[NR_MAX], new[NR_MAX], merged[NR_MAX];
	u32 nr_old, nr_new, nr;
	u64 state = 1;

	for (int i = 0; i < 100000; i++) {
		struct page pages[NR_PAGES] = { 0 };

		nr_old = i % 16 ? make(&state, old) : 0;
		nr_new = make(&state, new);
		fill(pages, old, nr_old);
		fill(pages, new, nr_new);
		nr = kshim_extents_merge(old, nr_old, new, nr_new, merged);
		if (nr > nr_old + 2 * nr_new)
			ck_abort_msg("%u of %u and %u", nr, nr_old, nr_new);
		check(pages, merged, nr);
	}
}
END_TEST

/* red: join across a hole, or what differs in its pages, its permissions, its provider */
START_TEST(test_join)
{
	static const struct kshim_extent first = { .page = 8, .nr = 4, .pfn = 100 };
	static const struct {
		struct kshim_extent extent;
		u32 nr;
	} try[] = {
		{ { .page = 12, .nr = 1, .pfn = 104 }, 1 },
		{ { .page = 7, .nr = 1, .pfn = 99 }, 1 },
		{ { .page = 13, .nr = 1, .pfn = 105 }, 2 },
		{ { .page = 12, .nr = 1, .pfn = 105 }, 2 },
		{ { .page = 12, .nr = 1, .pfn = 104, .slot = 1 }, 2 },
		{ { .page = 12, .nr = 1, .pfn = 104, .readable = 1 }, 2 },
		{ { .page = 12, .nr = 1, .pfn = 104, .writable = 1 }, 2 },
		{ { .page = 12, .nr = 1, .pfn = 104, .keyed = 1 }, 2 },
		/* more pages than an extent can say */
		{ { .page = 12, .nr = KSHIM_EXTENT_NR_MAX - 4, .pfn = 104 }, 1 },
		{ { .page = 12, .nr = KSHIM_EXTENT_NR_MAX - 3, .pfn = 104 }, 2 },
	};
	struct kshim_extent merged[3];

	for (size_t i = 0; i < T_LEN(try); i++)
		if (kshim_extents_merge(&first, 1, &try[i].extent, 1, merged) != try[i].nr)
			ck_abort_msg("%zu", i);
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("extent");
	TCase *tests = tcase_create("extent");

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_merge);
	tcase_add_test(tests, test_join);
	return suite;
}
