// SPDX-License-Identifier: GPL-2.0-only
/* 7.2: follow_pfnmap_start() says how large the leaf is. */
#include <linux/mm.h>

unsigned long probe(struct follow_pfnmap_args *args);
unsigned long probe(struct follow_pfnmap_args *args)
{
	return args->addr_mask;
}
