// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments: what is appended comes out of the cursor again, byte for byte, in as few
 * segments as possible.
 */
#include "unit.h"
#include "seg.h"

#define T_MAX 16

static struct kshim_seg store[T_MAX];

static struct kshim_segs empty_of(unsigned int max)
{
	return (struct kshim_segs){ .seg = store, .max = max };
}

static void check_seg(const struct kshim_segs *segs, unsigned int i, u64 addr, u64 len)
{
	ck_assert_uint_lt(i, segs->nr);
	ck_assert_uint_eq(segs->seg[i].addr, addr);
	ck_assert_uint_eq(segs->seg[i].len, len);
}

/* red: coalesce without comparing the addresses, or never */
START_TEST(test_append_coalesces)
{
	struct kshim_segs segs = empty_of(T_MAX);

	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 0x1000), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x2000, 0x10), 0);
	check_seg(&segs, 0, 0x1000, 0x1010);
	ck_assert_uint_eq(segs.nr, 1);

	/* one byte further, one byte back, and the range before */
	ck_assert_int_eq(kshim_segs_append(&segs, 0x2011, 0x10), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x2020, 0x10), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x2010, 0x10), 0);
	ck_assert_uint_eq(segs.nr, 4);
	check_seg(&segs, 1, 0x2011, 0x10);
	check_seg(&segs, 2, 0x2020, 0x10);
	check_seg(&segs, 3, 0x2010, 0x10);
}
END_TEST

/* red: drop the test for a segment that ends at 2^64 */
START_TEST(test_append_does_not_wrap)
{
	struct kshim_segs segs = empty_of(T_MAX);

	ck_assert_int_eq(kshim_segs_append(&segs, -0x2000ull, 0x1000), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, -0x1000ull, 0x1000), 0);
	check_seg(&segs, 0, -0x2000ull, 0x2000);
	ck_assert_uint_eq(segs.nr, 1);
	ck_assert_int_eq(kshim_segs_append(&segs, 0, 0x1000), 0);
	ck_assert_uint_eq(segs.nr, 2);
	check_seg(&segs, 1, 0, 0x1000);
}
END_TEST

/* red: an off by one in the test for room, or growing only when there is room */
START_TEST(test_append_full)
{
	struct kshim_segs segs = empty_of(2);

	store[2] = (struct kshim_seg){ 1, 2 };
	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 0x1000), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x9000, 0x1000), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 0x1000), -ENOSPC);
	ck_assert_uint_eq(segs.nr, 2);
	ck_assert_int_eq(kshim_segs_append(&segs, 0xa000, 0x1000), 0);
	check_seg(&segs, 1, 0x9000, 0x2000);
	ck_assert_uint_eq(store[2].addr, 1);

	segs = empty_of(0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 0x1000), -ENOSPC);
	ck_assert_uint_eq(segs.nr, 0);
}
END_TEST

/* red: add empty segments */
START_TEST(test_append_nothing)
{
	struct kshim_segs segs = empty_of(1);

	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 0), 0);
	ck_assert_uint_eq(segs.nr, 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x1000, 1), 0);
	ck_assert_int_eq(kshim_segs_append(&segs, 0x5000, 0), 0);
	ck_assert_uint_eq(segs.nr, 1);
}
END_TEST

/* red: stand on the end of a segment instead of on the start of the next */
START_TEST(test_iter_every_place)
{
	struct kshim_segs segs = empty_of(T_MAX);
	static const u64 len[] = { 1, 4, 512, 3 };
	struct kshim_seg_iter it, from_start;
	u64 at = 0, total = 0, off;
	unsigned int i;

	for (i = 0; i < T_LEN(len); i++) {
		kshim_segs_append(&segs, 0x10000ull * (i + 1), len[i]);
		total += len[i];
	}
	kshim_seg_iter_init(&it, &segs);
	for (i = 0; i < T_LEN(len); i++) {
		for (off = 0; off < len[i]; off++, at++) {
			kshim_seg_iter_init(&from_start, &segs);
			kshim_seg_iter_advance(&from_start, at);
			ck_assert_ptr_eq(it.seg, from_start.seg);
			ck_assert_uint_eq(it.nr, from_start.nr);
			ck_assert_uint_eq(it.off, from_start.off);
			ck_assert_uint_eq(kshim_seg_iter_addr(&it),
					  0x10000ull * (i + 1) + off);
			ck_assert_uint_eq(kshim_seg_iter_contig(&it), len[i] - off);
			ck_assert_uint_eq(kshim_seg_iter_left(&it), total - at);
			kshim_seg_iter_advance(&it, 1);
		}
	}
	ck_assert_uint_eq(it.nr, 0);
	ck_assert_uint_eq(kshim_seg_iter_contig(&it), 0);
	ck_assert_uint_eq(kshim_seg_iter_left(&it), 0);
}
END_TEST

/* red: an iterator that looks at its segment before it has looked at their number */
START_TEST(test_iter_of_nothing)
{
	struct kshim_segs segs = { 0 };
	struct kshim_seg_iter it;

	kshim_seg_iter_init(&it, &segs);
	ck_assert_uint_eq(kshim_seg_iter_contig(&it), 0);
	ck_assert_uint_eq(kshim_seg_iter_left(&it), 0);
}
END_TEST

/*
 * Random pieces, often continuing the one before, against an array of bytes.
 * red: any of the above
 */
START_TEST(test_random)
{
	enum { PIECES = 12, PIECE = 9 };
	static u64 byte[PIECES * PIECE];
	u64 seed = 0x5e65, addr = 0, len, at, step;
	struct kshim_seg_iter it;
	struct kshim_segs segs;
	unsigned int nr, round, i, joints;

	for (round = 0; round < 20000; round++) {
		segs = empty_of(T_MAX);
		for (i = 0, nr = 0; i < PIECES; i++) {
			if (t_random_below(&seed, 3) == 0)
				addr = t_random(&seed) >> 1;
			len = t_random_below(&seed, PIECE + 1);
			if (kshim_segs_append(&segs, addr, len))
				ck_abort_msg("round %u: no room", round);
			for (; len; len--)
				byte[nr++] = addr++;
		}
		for (i = 1, joints = nr > 0; i < nr; i++)
			joints += byte[i] != byte[i - 1] + 1;
		if (segs.nr != joints)
			ck_abort_msg("round %u: %u segments, not %u", round, segs.nr,
				     joints);

		kshim_seg_iter_init(&it, &segs);
		for (at = 0; at < nr; at += step) {
			if (kshim_seg_iter_addr(&it) != byte[at] ||
			    kshim_seg_iter_left(&it) != nr - at)
				ck_abort_msg("round %u: wrong at %u", round,
					     (unsigned int)at);
			step = 1 + t_random_below(&seed, nr - at);
			kshim_seg_iter_advance(&it, step);
		}
		if (it.nr)
			ck_abort_msg("round %u: not at the end", round);
	}
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("seg");
	TCase *tc = tcase_create("seg");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_append_coalesces);
	tcase_add_test(tc, test_append_does_not_wrap);
	tcase_add_test(tc, test_append_full);
	tcase_add_test(tc, test_append_nothing);
	tcase_add_test(tc, test_iter_every_place);
	tcase_add_test(tc, test_iter_of_nothing);
	tcase_add_test(tc, test_random);
	suite_add_tcase(suite, tc);
	return suite;
}
