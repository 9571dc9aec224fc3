// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sector arithmetic, compared with the same in 128 bits, where nothing wraps.
 */
#include "unit.h"
#include "split.h"

#define UNTOUCHED 0x5a5a5a5aull

/* What is interesting in 64 bits: both ends, the sign, one sector more or less. */
static const u64 edge[] = {
	0, 1, 2, 7, 8, 9, 511, 512, 513, 1023, 1024, 4095, 4096, 4097,
	65535, 65536, 65537,
	(1ull << 32) - 1, 1ull << 32, (1ull << 32) + 1,
	(1ull << 55) - 1, 1ull << 55, (1ull << 55) + 1,
	(1ull << 63) - 1, 1ull << 63, (1ull << 63) + 1,
	-4096ull, -1024ull, -513ull, -512ull, -511ull, -9ull, -8ull, -2ull, -1ull,
};

/* red: an off by one at the boundary, or the wrong branch for powers of two */
START_TEST(test_split_every_small)
{
	u64 sector, bytes, want;
	u32 chunk, max;

	for (chunk = 0; chunk <= 24; chunk++)
	for (sector = 0; sector < 80; sector++)
	for (max = 512; max <= 8 * 512; max += 512)
	for (bytes = 512; bytes <= 30 * 512; bytes += 512) {
		want = 512;
		while (want < bytes && want < max &&
		       (!chunk || (sector + want / 512) % chunk))
			want += 512;
		if (kshim_split_bytes(sector, bytes, max, chunk) != want)
			ck_abort_msg("sector %u bytes %u max %u chunk %u",
				     (unsigned int)sector, (unsigned int)bytes, max,
				     chunk);
	}
}
END_TEST

/* red: compute the distance to the boundary in 32 bits */
START_TEST(test_split_ends)
{
	static const u32 chunks[] = { 0, 1, 2, 3, 7, 8, 1u << 23, (1u << 23) + 1,
				      1u << 31, (1u << 31) + 1, -2u, -1u };
	u64 sector, bytes, max, want;
	size_t i, j, k, c;

	for (i = 0; i < T_LEN(edge); i++)
	for (j = 0; j < T_LEN(edge); j++)
	for (k = 0; k < T_LEN(edge); k++)
	for (c = 0; c < T_LEN(chunks); c++) {
		sector = edge[i];
		bytes = edge[j];
		max = edge[k];
		want = bytes < max ? bytes : max;
		if (chunks[c]) {
			t_u128 room = (t_u128)(chunks[c] - sector % chunks[c]) * 512;

			if (room < want)
				want = room;
		}
		if (kshim_split_bytes(sector, bytes, max, chunks[c]) != want)
			ck_abort_msg("sector %llx bytes %llx max %llx chunk %x",
				     (unsigned long long)sector,
				     (unsigned long long)bytes, (unsigned long long)max,
				     chunks[c]);
	}
}
END_TEST

static void check_range(u64 start, u64 nr, u64 sector, u64 bytes)
{
	t_u128 end = (t_u128)sector * 512 + bytes;
	bool inside = bytes % 512 == 0 && end <= (t_u128)nr * 512 &&
		      (t_u128)start + nr <= UINT64_MAX;
	u64 abs = UNTOUCHED;
	int err = kshim_sector_range(start, nr, sector, bytes, &abs);

	if (err != (inside ? 0 : -EIO) || abs != (inside ? start + sector : UNTOUCHED))
		ck_abort_msg("start %llx nr %llx sector %llx bytes %llx: %d, sector %llx",
			     (unsigned long long)start, (unsigned long long)nr,
			     (unsigned long long)sector, (unsigned long long)bytes, err,
			     (unsigned long long)abs);
}

/* red: compare sector + nr with nr_sects; forget start_sect; accept odd bytes */
START_TEST(test_range)
{
	size_t i, j, k, l;

	for (i = 0; i < T_LEN(edge); i++)
	for (j = 0; j < T_LEN(edge); j++)
	for (k = 0; k < T_LEN(edge); k++)
	for (l = 0; l < T_LEN(edge); l++)
		check_range(edge[i], edge[j], edge[k], edge[l]);
}
END_TEST

/* The same around a partition's ends, where each sector counts. */
START_TEST(test_range_every_small)
{
	static const u64 start[] = { 0, 1, 2048, UINT64_MAX - 12 };
	u64 nr, sector, bytes;
	size_t i;

	for (i = 0; i < T_LEN(start); i++)
	for (nr = 0; nr < 16; nr++)
	for (sector = 0; sector < 20; sector++)
	for (bytes = 0; bytes < 20 * 512; bytes += 128)
		check_range(start[i], nr, sector, bytes);
}
END_TEST

static void check_lba(u64 sector, u64 bytes, unsigned int shift)
{
	t_u128 block = (t_u128)1 << shift;
	bool fits = shift >= 9 && shift <= 31 && (t_u128)sector * 512 % block == 0 &&
		    bytes % block == 0 && bytes / block >= 1 && bytes / block <= 65536;
	u64 slba = UNTOUCHED;
	u32 nlb = UNTOUCHED;
	int err = kshim_sector_to_lba(sector, bytes, shift, &slba, &nlb);
	u64 want_slba = fits ? (u64)((t_u128)sector * 512 / block) : UNTOUCHED;
	u32 want_nlb = fits ? (u32)(bytes / block) : UNTOUCHED;

	if (err != (fits ? 0 : -EINVAL) || slba != want_slba || nlb != want_nlb)
		ck_abort_msg("sector %llx bytes %llx shift %u: %d, %llx + %x",
			     (unsigned long long)sector, (unsigned long long)bytes, shift,
			     err, (unsigned long long)slba, nlb);
}

/* red: allow nlb 65537 or 0; check only one of the two ends */
START_TEST(test_lba)
{
	unsigned int shift;
	size_t i, j;

	for (shift = 0; shift < 70; shift++)
	for (i = 0; i < T_LEN(edge); i++)
	for (j = 0; j < T_LEN(edge); j++)
		check_lba(edge[i], edge[j], shift);
}
END_TEST

/* red: count blocks in 32 bits; test their number before it is shifted */
START_TEST(test_lba_longest)
{
	unsigned int shift;
	u64 bytes;

	for (shift = 9; shift <= 31; shift++) {
		bytes = 65536ull << shift;
		check_lba(0, bytes, shift);
		check_lba(0, bytes + (1ull << shift), shift);
		check_lba(0, bytes - (1ull << shift), shift);
		/* more by what 32 bits lose */
		check_lba(0, (1ull << shift) + (1ull << shift << 32), shift);
		check_lba(1ull << (shift - 9), 1ull << shift, shift);
		check_lba((1ull << (shift - 9)) - 1, 1ull << shift, shift);
		check_lba((1ull << (shift - 9)) + 1, 1ull << shift, shift);
		check_lba(0, (1ull << shift) + 512, shift);
	}
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("split");
	TCase *tc = tcase_create("split");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_split_every_small);
	tcase_add_test(tc, test_split_ends);
	tcase_add_test(tc, test_range);
	tcase_add_test(tc, test_range_every_small);
	tcase_add_test(tc, test_lba);
	tcase_add_test(tc, test_lba_longest);
	suite_add_tcase(suite, tc);
	return suite;
}
