// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spans of addresses, at the ends of their type above all.
 */
#include "unit.h"
#include "span.h"

static const u64 edge[] = { 0, 1, 2, 0xfff, 0x1000, 0x1001, 0x1fff, 0x2000,
			    (1ull << 32) - 1, 1ull << 32, (1ull << 63) - 1, 1ull << 63,
			    (1ull << 63) + 1, -0x2000ull, -0x1001ull, -0x1000ull,
			    -0xfffull, -2ull, -1ull };

#define ALL(i) for (i = 0; i < T_LEN(edge); i++)

/* red: compare addr + n with start + len */
START_TEST(test_holds)
{
	u64 start, len, addr, n;
	size_t i, j, k, l;
	bool want;

	ALL(i) ALL(j) ALL(k) ALL(l) {
		start = edge[i];
		len = edge[j];
		addr = edge[k];
		n = edge[l];
		want = n && addr >= start && (t_u128)addr + n <= (t_u128)start + len;
		if (kshim_span_holds(start, len, addr, n) != want)
			ck_abort_msg("%llx + %llx in %llx + %llx",
				     (unsigned long long)addr, (unsigned long long)n,
				     (unsigned long long)start, (unsigned long long)len);
	}
}
END_TEST

/* red: refuse a span that ends at the last address, or take one that passes it */
START_TEST(test_valid)
{
	size_t i, j;
	bool want;

	ALL(i) ALL(j) {
		want = edge[j] && (t_u128)edge[i] + edge[j] <= (t_u128)1 << 64;
		if (kshim_span_valid(edge[i], edge[j]) != want)
			ck_abort_msg("%llx + %llx", (unsigned long long)edge[i],
				     (unsigned long long)edge[j]);
	}
}
END_TEST

/* red: compare with start + len, which is 0 at the end; take neighbours for overlapping */
START_TEST(test_overlaps)
{
	size_t i, j, k, l;
	t_u128 a_end, b_end;
	bool want;

	ALL(i) ALL(j) ALL(k) ALL(l) {
		if (!kshim_span_valid(edge[i], edge[j]) ||
		    !kshim_span_valid(edge[k], edge[l]))
			continue;
		a_end = (t_u128)edge[i] + edge[j];
		b_end = (t_u128)edge[k] + edge[l];
		want = edge[i] < b_end && edge[k] < a_end;
		if (kshim_span_overlaps(edge[i], edge[j], edge[k], edge[l]) != want)
			ck_abort_msg("%llx + %llx and %llx + %llx",
				     (unsigned long long)edge[i], (unsigned long long)edge[j],
				     (unsigned long long)edge[k], (unsigned long long)edge[l]);
	}
}
END_TEST

/*
 * The offset is a number modulo 2^64, so half of them move a span down.
 * red: refuse a sum that wraps, though the span does not; forget the mask
 */
START_TEST(test_shift)
{
	u64 to, got;
	size_t i, j, k, l;
	bool want;

	ALL(i) ALL(j) ALL(k) ALL(l) {
		if (!kshim_span_valid(edge[i], edge[j]))
			continue;
		to = edge[i] + edge[k];
		want = (t_u128)to + edge[j] - 1 <= edge[l];
		got = 0x5a5a;
		if ((kshim_span_shift(edge[i], edge[j], edge[k], edge[l], &got) == 0) !=
		    want)
			ck_abort_msg("%llx + %llx by %llx below %llx",
				     (unsigned long long)edge[i], (unsigned long long)edge[j],
				     (unsigned long long)edge[k], (unsigned long long)edge[l]);
		ck_assert_uint_eq(got, want ? to : 0x5a5a);
	}
}
END_TEST

/* red: lose the sign of a bus that is below the CPU's addresses */
START_TEST(test_bus)
{
	u64 got = 0;

	ck_assert_int_eq(kshim_span_shift(0x4000000000, 0x1000, 0x80000000 - 0x4000000000,
					  -1ull, &got), 0);
	ck_assert_uint_eq(got, 0x80000000);
	ck_assert_int_eq(kshim_span_shift(0x80000000, 0x1000, 0x4000000000 - 0x80000000,
					  -1ull, &got), 0);
	ck_assert_uint_eq(got, 0x4000000000);
	/* a device of 32 bits reaches the first and not the second */
	ck_assert_int_eq(kshim_span_shift(0x4000000000, 0x1000, 0x80000000 - 0x4000000000,
					  0xffffffff, &got), 0);
	ck_assert_int_eq(kshim_span_shift(0x80000000, 0x1000, 0x4000000000 - 0x80000000,
					  0xffffffff, &got), -ERANGE);
	/* the last page below 4 GiB, and one byte more */
	ck_assert_int_eq(kshim_span_shift(0xfffff000, 0x1000, 0, 0xffffffff, &got), 0);
	ck_assert_int_eq(kshim_span_shift(0xfffff000, 0x1001, 0, 0xffffffff, &got),
			 -ERANGE);
}
END_TEST

#define SPANS	64

/* Against a look at every one of them. */
static void check_find(const struct kshim_span *span, u32 nr, u64 addr, u64 n)
{
	const struct kshim_span *want = NULL;
	u32 i;

	for (i = 0; i < nr; i++)
		if (kshim_span_holds(span[i].start, span[i].len, addr, n))
			want = &span[i];
	if (kshim_spans_find(span, nr, addr, n) != want)
		ck_abort_msg("%llx + %llx of %u", (unsigned long long)addr,
			     (unsigned long long)n, nr);
}

/* red: search below lo - 1 or with <=; stop at the start of a range */
START_TEST(test_find)
{
	struct kshim_span span[SPANS];
	u64 state = 1, at, addr;
	u32 nr, i, round;
	int side;

	for (round = 0; round < 200; round++) {
		nr = round % (SPANS + 1);
		at = t_random_below(&state, 3);
		for (i = 0; i < nr; i++) {
			span[i].start = at;
			span[i].len = 1 + t_random_below(&state, 1ull << (i % 40));
			at += span[i].len + t_random_below(&state, 3);
		}
		/* the last one up to the last address */
		if (nr && round % 2)
			span[nr - 1].len = -span[nr - 1].start;
		for (i = 0; i < nr; i++)
			for (side = -2; side <= 2; side++) {
				addr = span[i].start + (u64)side;
				check_find(span, nr, addr, 1);
				check_find(span, nr, addr, span[i].len);
				check_find(span, nr, addr + span[i].len, 1);
				check_find(span, nr, addr, -1ull);
			}
		check_find(span, nr, 0, 1);
		check_find(span, nr, -1ull, 1);
		check_find(span, nr, 0, 0);
	}
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("span");
	TCase *tc = tcase_create("span");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_holds);
	tcase_add_test(tc, test_valid);
	tcase_add_test(tc, test_overlaps);
	tcase_add_test(tc, test_shift);
	tcase_add_test(tc, test_bus);
	tcase_add_test(tc, test_find);
	suite_add_tcase(suite, tc);
	return suite;
}
