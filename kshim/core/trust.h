/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host bridges that the administrator says forward peer-to-peer traffic:
 *
 *	8086:29c0,1022:14b5
 */
#ifndef _KSHIM_CORE_TRUST_H
#define _KSHIM_CORE_TRUST_H

#include "port.h"

#define KSHIM_TRUST_MAX	16

struct kshim_trust {
	u32 nr;
	struct {
		u16 vendor;
		u16 device;
	} bridge[KSHIM_TRUST_MAX];
};

/*
 * Four and four hexadecimal digits for each bridge, commas between them; blanks and
 * line ends only around all of it. Nothing at all trusts nobody. -EINVAL for anything
 * else and for vendors 0000 and ffff, which are no device's; -E2BIG for too many. On
 * error @ret_trust is untouched.
 */
int kshim_trust_parse(const char *text, struct kshim_trust *ret_trust);

bool kshim_trust_has(const struct kshim_trust *trust, u16 vendor, u16 device);

#endif /* _KSHIM_CORE_TRUST_H */
