// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PRPs, read back as a controller reads them: from prp1, prp2 and the memory that
 * they point to, and nothing else.
 */
#include "unit.h"
#include "prp.h"

#define PAGE	4096u
#define POISON	0xdeaddeaddeaddeadull
#define T_PAGES 8
#define T_SEGS	2048

static struct kshim_seg store[T_SEGS];
static struct kshim_prp_page pages[T_PAGES];
static unsigned int room[T_PAGES]; /* entries of memory behind each page */

static void pages_new(unsigned int entries)
{
	unsigned int i;

	for (i = 0; i < T_PAGES; i++) {
		pages[i].entries = malloc(entries * sizeof(__le64));
		ck_assert_ptr_nonnull(pages[i].entries);
		/* not in order, and some above 4 GiB */
		pages[i].dma = ((i * 5ull + 3) % T_PAGES << 32) + (i + 1) * PAGE;
		room[i] = entries;
	}
}

static void pages_free(void)
{
	unsigned int i;

	for (i = 0; i < T_PAGES; i++)
		free(pages[i].entries);
}

static int page_at(u64 dma)
{
	unsigned int i;

	for (i = 0; i < T_PAGES; i++)
		if (pages[i].dma == dma)
			return i;
	return -1;
}

static u64 load_le64(const __le64 *entry)
{
	const u8 *byte = (const u8 *)entry;
	u64 value = 0;
	int i;

	for (i = 7; i >= 0; i--)
		value = value << 8 | byte[i];
	return value;
}

/* One PRP's worth of data, which must be what the buffer has there. */
static const char *data(u64 addr, u64 *bytes, struct kshim_seg_iter *want)
{
	u64 n = kshim_min_u64(*bytes, PAGE - addr % PAGE);

	if (kshim_seg_iter_contig(want) < n)
		return "a PRP crosses a segment's end";
	if (kshim_seg_iter_addr(want) != addr)
		return "a PRP has the wrong address";
	kshim_seg_iter_advance(want, n);
	*bytes -= n;
	return NULL;
}

/* The list at @dma, which has to use the @nr pages in order. */
static const char *walk_list(u64 dma, u64 bytes, struct kshim_seg_iter *want,
			     unsigned int nr)
{
	const char *wrong;
	unsigned int used, i;
	u64 entry;

	for (used = 0; used < nr; used++) {
		if (page_at(dma) != (int)used)
			return "the list goes astray";
		for (i = 0; i < PAGE / 8 && bytes; i++) {
			entry = load_le64(&pages[used].entries[i]);
			if (i == PAGE / 8 - 1 && bytes > PAGE) {
				dma = entry;
				continue;
			}
			if (entry % PAGE)
				return "an entry is inside a page";
			wrong = data(entry, &bytes, want);
			if (wrong)
				return wrong;
		}
		for (; i < room[used]; i++)
			if (pages[used].entries[i] != POISON)
				return "something behind the last entry";
	}
	return bytes ? "the list ends too early" : NULL;
}

static const char *walk(u64 prp1, u64 prp2, u64 bytes, struct kshim_seg_iter *want,
			unsigned int nr)
{
	const char *wrong;

	if (prp1 % 4)
		return "prp1 is inside a dword";
	wrong = data(prp1, &bytes, want);
	if (wrong)
		return wrong;
	if (bytes > PAGE)
		return nr ? walk_list(prp2, bytes, want, nr) : "a list without pages";
	if (nr)
		return "pages without a list";
	if (bytes)
		return prp2 % PAGE ? "prp2 is inside a page" : data(prp2, &bytes, want);
	return prp2 ? "prp2 is not used and not 0" : NULL;
}

/* Build, walk, and compare where both have got to. */
static void check(struct kshim_seg_iter *it, u64 bytes)
{
	unsigned int nr = kshim_prp_list_pages(kshim_seg_iter_addr(it), bytes);
	struct kshim_seg_iter before = *it, want = *it;
	u64 prp1 = POISON, prp2 = POISON;
	const char *wrong;
	unsigned int i, j;

	if (nr > T_PAGES)
		ck_abort_msg("%u list pages", nr);
	for (i = 0; i < nr; i++)
		for (j = 0; j < room[i]; j++)
			pages[i].entries[j] = POISON;
	kshim_prp_build(it, bytes, nr ? pages : NULL, &prp1, &prp2);
	wrong = walk(prp1, prp2, bytes, &want, nr);
	if (!wrong && (it->seg != want.seg || it->nr != want.nr || it->off != want.off))
		wrong = "the cursor is at the wrong place";
	if (wrong)
		ck_abort_msg("%s: from %llx, %llu bytes", wrong,
			     (unsigned long long)kshim_seg_iter_addr(&before),
			     (unsigned long long)bytes);
}

static struct kshim_seg_iter one_segment(u64 addr, u64 len)
{
	store[0] = (struct kshim_seg){ addr, len };
	return (struct kshim_seg_iter){ .seg = store, .nr = 1 };
}

/*
 * Every offset, and lengths around the ends of pages and of lists.
 * red: an off by one wherever a page or a list page ends; a chain entry that is
 * data; prp2 as a list when a page would do
 */
START_TEST(test_every_offset)
{
	static const u32 ends[] = { 0, 1, 2, 3, 4, 5, 8, 511, 512, 513, 514, 1022, 1023,
				    1024, 1025, 1533, 1534, 1535, 1536 };
	struct kshim_seg_iter it;
	u64 off, bytes, more;
	size_t i;
	int d;

	pages_new(KSHIM_PRP_ENTRIES);
	for (off = 0; off < PAGE; off += 4)
	for (i = 0; i < T_LEN(ends); i++)
	for (d = -512; d <= 512; d += 512) {
		if (!ends[i] && d <= 0)
			continue;
		bytes = ends[i] * PAGE + d;
		more = off % 3 * 512;
		it = one_segment(0x1234567000ull + off, bytes + more);
		check(&it, bytes);
		if (kshim_seg_iter_left(&it) != more)
			ck_abort_msg("cursor");
	}
	pages_free();
}
END_TEST

/* The same with lengths that end exactly with the first page. */
START_TEST(test_every_first_page)
{
	struct kshim_seg_iter it;
	u64 off, nr;

	pages_new(KSHIM_PRP_ENTRIES);
	for (off = 0; off < PAGE; off += 4)
	for (nr = 0; nr < 4; nr++) {
		it = one_segment(off, 1 << 20);
		check(&it, nr * PAGE + PAGE - off);
	}
	pages_free();
}
END_TEST

/* red: divide by 512 instead of 511; forget that the last page needs no chain */
START_TEST(test_list_pages)
{
	static const struct {
		u64 entries; /* behind prp1 */
		unsigned int pages;
	} list[] = {
		{ 0, 0 }, { 1, 0 }, { 2, 1 }, { 511, 1 }, { 512, 1 }, { 513, 2 },
		{ 1022, 2 }, { 1023, 2 }, { 1024, 3 }, { 1534, 3 }, { 1535, 4 },
		{ 511 * 1000 + 1, 1000 }, { 511 * 1000 + 2, 1001 },
	};
	u64 bytes;
	size_t i;

	for (i = 0; i < T_LEN(list); i++) {
		bytes = list[i].entries * PAGE;
		ck_assert_uint_eq(kshim_prp_list_pages(0, bytes + PAGE), list[i].pages);
		ck_assert_uint_eq(kshim_prp_list_pages(PAGE - 512, bytes + 512),
				  list[i].pages);
		/* the last entry is for one block only */
		if (bytes)
			bytes -= PAGE - 512;
		ck_assert_uint_eq(kshim_prp_list_pages(PAGE - 512, bytes + 512),
				  list[i].pages);
	}
	ck_assert_uint_eq(kshim_prp_list_pages(8, 512), 0);
	ck_assert_uint_eq(kshim_prp_list_pages(8, 2 * PAGE), 1);
	ck_assert_uint_eq(kshim_prp_list_pages(-4096ull, PAGE), 0);
}
END_TEST

/* red (with AddressSanitizer): store more entries than the transfer has */
START_TEST(test_short_list)
{
	struct kshim_seg_iter it;
	unsigned int nr;

	for (nr = 2; nr <= KSHIM_PRP_ENTRIES; nr++) {
		pages_new(nr);
		it = one_segment(0x1000000000ull, 1ull << 40);
		check(&it, (u64)(nr + 1) * PAGE);
		pages_free();
	}
}
END_TEST

/* red: take the addresses of a run from the first segment on */
START_TEST(test_single_pages)
{
	static const unsigned int lens[] = { 1, 2, 3, 512, 513, 514, 515, 1023, 1024,
					     1025, 1026, 1534, 1535, 1536 };
	struct kshim_seg_iter it;
	unsigned int i, j;

	pages_new(KSHIM_PRP_ENTRIES);
	for (j = 0; j < T_SEGS; j++)
		store[j] = (struct kshim_seg){ 0x7000000000ull - j * 3ull * PAGE, PAGE };
	for (i = 0; i < T_LEN(lens); i++) {
		it = (struct kshim_seg_iter){ .seg = store, .nr = T_SEGS };
		ck_assert_uint_eq(kshim_prp_fit(&it, (u64)lens[i] * PAGE, 512),
				  (u64)lens[i] * PAGE);
		check(&it, (u64)lens[i] * PAGE);
		/* from inside the first page on */
		it = (struct kshim_seg_iter){ .seg = store, .nr = T_SEGS, .off = 1536 };
		check(&it, (u64)lens[i] * PAGE);
	}
	pages_free();
}
END_TEST

static u64 fit(u64 max, u32 block, unsigned int nr)
{
	struct kshim_seg_iter it = { .seg = store, .nr = nr };

	return kshim_prp_fit(&it, max, block);
}

/* red: leave out any one of the conditions of kshim_prp_fit() */
START_TEST(test_fit)
{
	const u64 all = 1ull << 30;

	/* the end of the buffer, the limit, and whole blocks of both */
	store[0] = (struct kshim_seg){ 0x10200, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 1), 0x2000);
	ck_assert_uint_eq(fit(0x1fff, 512, 1), 0x1e00);
	ck_assert_uint_eq(fit(0x1fff, 4096, 1), 0x1000);
	ck_assert_uint_eq(fit(511, 512, 1), 0);
	ck_assert_uint_eq(fit(0, 512, 1), 0);
	ck_assert_uint_eq(fit(all, 16384, 1), 0);

	/* nothing */
	ck_assert_uint_eq(kshim_prp_fit(&(struct kshim_seg_iter){ 0 }, all, 512), 0);

	/* the start: any dword */
	store[0] = (struct kshim_seg){ 0x10004, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 1), 0x2000);
	store[0] = (struct kshim_seg){ 0x10002, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 1), 0);

	/* a piece that ends inside a page, though the next one starts at a page */
	store[0] = (struct kshim_seg){ 0x10000, 0x1200 };
	store[1] = (struct kshim_seg){ 0x20000, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 2), 0x1200);
	ck_assert_uint_eq(fit(all, 4096, 2), 0x1000);
	store[0].len = 0x100;
	ck_assert_uint_eq(fit(all, 512, 2), 0);

	/* one that ends with a page, where the next one starts inside */
	store[0] = (struct kshim_seg){ 0x10e00, 0x1200 };
	store[1] = (struct kshim_seg){ 0x20200, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 2), 0x1200);

	/* both at a page; the last may end anywhere */
	store[1] = (struct kshim_seg){ 0x20000, 0x2200 };
	ck_assert_uint_eq(fit(all, 512, 2), 0x3400);
	ck_assert_uint_eq(fit(all, 4096, 2), 0x3000);
	ck_assert_uint_eq(fit(0x1200, 512, 2), 0x1200);
	ck_assert_uint_eq(fit(0x1400, 512, 2), 0x1400);
	store[2] = (struct kshim_seg){ 0x40000, 0x1000 };
	ck_assert_uint_eq(fit(all, 512, 3), 0x3400);

	/* lengths whose sum wraps */
	store[0] = (struct kshim_seg){ 0x1000, 1ull << 63 };
	store[1] = (struct kshim_seg){ 0x1000, 1ull << 63 };
	store[2] = (struct kshim_seg){ 0x1000, 0x1000 };
	ck_assert_uint_eq(fit(all, 512, 3), all);
	ck_assert_uint_eq(fit(UINT64_MAX, 512, 3), UINT64_MAX & ~511ull);

	/* the end of the address space is the end of a page */
	store[0] = (struct kshim_seg){ -0x2000ull, 0x2000 };
	store[1] = (struct kshim_seg){ 0, 0x2000 };
	ck_assert_uint_eq(fit(all, 512, 2), 0x4000);
}
END_TEST

/* May the first @bytes from @at in the buffer be one command? */
static bool fits(unsigned int nr, u64 at, u64 bytes)
{
	u64 start = 0, addr;
	unsigned int i;

	for (i = 0; i < nr; start += store[i].len, i++) {
		addr = store[i].addr;
		if (at >= start && at < start + store[i].len && (addr + at - start) % 4)
			return false;
		if (start <= at || start >= at + bytes)
			continue;
		if (addr % PAGE || (store[i - 1].addr + store[i - 1].len) % PAGE)
			return false;
	}
	return true;
}

static void random_buffer(u64 *seed, unsigned int nr)
{
	struct kshim_seg *seg;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		seg = &store[i];
		seg->addr = (t_random(seed) >> 12 | 1) * PAGE;
		seg->len = (1 + t_random_below(seed, 4)) * PAGE;
		switch (t_random_below(seed, 8)) {
		case 0: /* ends anywhere */
			seg->len = 1 + t_random_below(seed, 3 * PAGE);
			break;
		case 1: /* starts at a block inside a page */
			seg->addr += 512 * t_random_below(seed, 8);
			break;
		case 2: /* starts anywhere, ends with a page */
			seg->len -= seg->len > PAGE ? 4 * t_random_below(seed, 1024) : 0;
			seg->addr += -seg->len % PAGE;
			break;
		case 3: /* long enough for a list */
			seg->len = PAGE * t_random_below(seed, 520) + PAGE;
			break;
		}
		if (seg->addr + seg->len - 1 < seg->addr)
			seg->addr = 0x1000;
	}
}

/* Whole buffers cut into commands, against the definition. red: any of the above */
START_TEST(test_random)
{
	static const u32 blocks[] = { 512, 4096, 16384 };
	unsigned int round, nr, i, commands = 0, refused = 0;
	u64 seed = 0x9e1, at, total, max, bytes, longer;
	struct kshim_seg_iter it;
	u32 block;

	pages_new(KSHIM_PRP_ENTRIES);
	for (round = 0; round < 20000; round++) {
		nr = 1 + t_random_below(&seed, 8);
		random_buffer(&seed, nr);
		for (i = 0, total = 0; i < nr; i++)
			total += store[i].len;
		block = blocks[t_random_below(&seed, T_LEN(blocks))];
		it = (struct kshim_seg_iter){ .seg = store, .nr = nr };
		for (at = 0; at < total; at += bytes) {
			max = t_random_below(&seed, 2) ? 1 << 21 :
							 t_random_below(&seed, 1 << 16);
			bytes = kshim_prp_fit(&it, max, block);
			if (bytes % block || bytes > max || bytes > total - at ||
			    (bytes && !fits(nr, at, bytes)))
				ck_abort_msg("round %u: %llu is too much", round,
					     (unsigned long long)bytes);
			longer = bytes + block;
			if (longer <= max && longer <= total - at && fits(nr, at, longer))
				ck_abort_msg("round %u: %llu is too little", round,
					     (unsigned long long)bytes);
			if (!bytes) {
				refused++;
				bytes = 1 + t_random_below(&seed, total - at);
				kshim_seg_iter_advance(&it, bytes);
				continue;
			}
			commands++;
			check(&it, bytes);
		}
	}
	/* the generator must not starve either side */
	ck_assert_uint_gt(commands, 10000);
	ck_assert_uint_gt(refused, 10000);
	pages_free();
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("prp");
	TCase *tc = tcase_create("prp");

	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, test_every_offset);
	tcase_add_test(tc, test_every_first_page);
	tcase_add_test(tc, test_list_pages);
	tcase_add_test(tc, test_short_list);
	tcase_add_test(tc, test_single_pages);
	tcase_add_test(tc, test_fit);
	tcase_add_test(tc, test_random);
	suite_add_tcase(suite, tc);
	return suite;
}
