// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trusted host bridges, as an administrator may write them.
 */
#include "unit.h"
#include "trust.h"

/* red: forget the last one, take device and vendor for each other */
START_TEST(test_good)
{
	static const struct {
		const char *text;
		u32 nr;
		u16 vendor, device; /* of the last */
	} good[] = {
		{ "", 0, 0, 0 },
		{ "\n", 0, 0, 0 },
		{ " \t\r\n", 0, 0, 0 },
		{ "8086:29c0", 1, 0x8086, 0x29c0 },
		{ "8086:29c0\n", 1, 0x8086, 0x29c0 },
		{ "  8086:29c0  ", 1, 0x8086, 0x29c0 },
		{ "8086:29c0,1022:14b5", 2, 0x1022, 0x14b5 },
		{ "8086:29c0,8086:29c0", 2, 0x8086, 0x29c0 },
		{ "0001:0000,fffe:ffff", 2, 0xfffe, 0xffff },
		{ "abcd:EF01\n", 1, 0xabcd, 0xef01 },
	};
	struct kshim_trust trust;
	size_t i;

	for (i = 0; i < T_LEN(good); i++) {
		memset(&trust, 0xa5, sizeof(trust));
		ck_assert_int_eq(kshim_trust_parse(good[i].text, &trust), 0);
		ck_assert_uint_eq(trust.nr, good[i].nr);
		if (!trust.nr)
			continue;
		ck_assert_uint_eq(trust.bridge[trust.nr - 1].vendor, good[i].vendor);
		ck_assert_uint_eq(trust.bridge[trust.nr - 1].device, good[i].device);
	}
}
END_TEST

/* red: take what strtoul() takes; take vendor 0, which is every unknown bridge's */
START_TEST(test_bad)
{
	static const char *const bad[] = {
		"8086", "8086:", ":29c0", "8086:29c", "8086:29c01", "08086:29c0",
		"0x8086:0x29c0", "8086 :29c0", "8086: 29c0", "8086.29c0", "8086:29cg",
		"8086:29c0,", ",8086:29c0", "8086:29c0,,1022:14b5", ",", "8086:29c0 1022:14b5",
		"8086:29c0, 1022:14b5", "8086:29c0;1022:14b5", "8086:29c0,1022:",
		"8086:29c0,\n", "-086:29c0", "+086:29c0", "0000:29c0", "ffff:ffff",
		"FFFF:0000", "8086:*", "*", "8086:29c0\n8086:29c0", "y", "\xff\xff:0000",
	};
	struct kshim_trust trust, before;
	size_t i;

	ck_assert_int_eq(kshim_trust_parse("1022:14b5", &before), 0);
	for (i = 0; i < T_LEN(bad); i++) {
		trust = before;
		if (kshim_trust_parse(bad[i], &trust) != -EINVAL)
			ck_abort_msg("'%s' is taken", bad[i]);
		ck_assert_mem_eq(&trust, &before, sizeof(trust));
	}
}
END_TEST

/* red: write one bridge behind the last */
START_TEST(test_many)
{
	char text[10 * (KSHIM_TRUST_MAX + 1) + 1];
	struct kshim_trust trust, before;
	unsigned int i, len;

	memset(&before, 0xa5, sizeof(before));
	for (i = 0, len = 0; i < KSHIM_TRUST_MAX; i++)
		len += (unsigned int)sprintf(text + len, "%s%04x:%04x", i ? "," : "", i + 1, i);
	ck_assert_int_eq(kshim_trust_parse(text, &trust), 0);
	ck_assert_uint_eq(trust.nr, KSHIM_TRUST_MAX);
	for (i = 0; i < KSHIM_TRUST_MAX; i++)
		ck_assert(kshim_trust_has(&trust, (u16)(i + 1), (u16)i));
	sprintf(text + len, ",%04x:%04x", i + 1, i);
	trust = before;
	ck_assert_int_eq(kshim_trust_parse(text, &trust), -E2BIG);
	ck_assert_mem_eq(&trust, &before, sizeof(trust));
}
END_TEST

/* red: compare one half; look behind the last */
START_TEST(test_has)
{
	struct kshim_trust trust;

	memset(&trust, 0, sizeof(trust));
	ck_assert(!kshim_trust_has(&trust, 0, 0));
	ck_assert_int_eq(kshim_trust_parse("8086:29c0,1022:14b5", &trust), 0);
	ck_assert(kshim_trust_has(&trust, 0x8086, 0x29c0));
	ck_assert(kshim_trust_has(&trust, 0x1022, 0x14b5));
	ck_assert(!kshim_trust_has(&trust, 0x8086, 0x14b5));
	ck_assert(!kshim_trust_has(&trust, 0x1022, 0x29c0));
	ck_assert(!kshim_trust_has(&trust, 0x29c0, 0x8086));
	ck_assert(!kshim_trust_has(&trust, 0, 0));
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("trust");
	TCase *tc = tcase_create("trust");

	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_bad);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_has);
	suite_add_tcase(suite, tc);
	return suite;
}
