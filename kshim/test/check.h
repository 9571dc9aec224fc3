/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the phyr_check modules share: how a check fails, and the device whose memory is
 * used. Included once by each. Loading runs the checks and succeeds though some fail: a
 * module that cannot be loaded is freed at once, but its files and mappings are put only
 * when the system call that loads it returns.
 */
#ifndef _PHYR_CHECK_H
#define _PHYR_CHECK_H

#include <linux/module.h>

static char *memory = "";
module_param(memory, charp, 0444);
MODULE_PARM_DESC(memory, "PCI device, as 0000:01:00.0, whose BAR is the memory");
static int bar = 2;
module_param(bar, int, 0444);

static unsigned int failed;
module_param(failed, uint, 0444);
MODULE_PARM_DESC(failed, "read: how many checks failed");

/* Say what is not so, count it, and go on. */
#define CHECK(cond) do {							\
	if (!(cond)) {								\
		pr_err(KBUILD_MODNAME ": line %d: %s\n", __LINE__, #cond);	\
		failed++;							\
	}									\
} while (0)

#endif /* _PHYR_CHECK_H */
