/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit tests share: each NAME.c describes one noun of kshim/core as a Check
 * suite, and main.c runs it. Loops over many values compare by themselves and call
 * ck_abort_msg(), because each ck_assert() costs a write.
 */
#ifndef T_UNIT_H
#define T_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"

#define T_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* For arithmetic that cannot wrap. */
__extension__ typedef unsigned __int128 t_u128;

Suite *t_suite(void);

/* xorshift64*: the same values in every run. */
static inline u64 t_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* 0 to @below - 1 */
static inline u64 t_random_below(u64 *state, u64 below)
{
	return (t_random(state) >> 11) % below;
}

#endif /* T_UNIT_H */
