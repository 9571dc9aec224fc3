/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What core/ needs of its surroundings, in the kernel and in user space: the
 * fixed-width types, errno values, byte order and one remainder. Nothing else in
 * core/ may include a header of either world.
 */
#ifndef _KSHIM_CORE_PORT_H
#define _KSHIM_CORE_PORT_H

#include <linux/types.h>

#ifdef __KERNEL__

#include <linux/errno.h>
#include <linux/math64.h>
#include <asm/byteorder.h>

#define kshim_cpu_to_le64(x) cpu_to_le64(x)

static inline u32 kshim_rem_u32(u64 x, u32 by)
{
	u32 rem;

	div_u64_rem(x, by, &rem);
	return rem;
}

#else

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define kshim_cpu_to_le64(x) ((__le64)htole64(x))

static inline u32 kshim_rem_u32(u64 x, u32 by)
{
	return x % by;
}

#endif /* __KERNEL__ */

static inline u64 kshim_min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

#endif /* _KSHIM_CORE_PORT_H */
