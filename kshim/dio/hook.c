// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_dio.ko: leads iomap_dio_rw() to phyr.ko for files that FUSE passes through.
 *
 * All direct I/O of the machine passes here, so what it costs counts. A direct
 * ftrace call enters a trampoline in place of the function's entry hook:
 *
 *	ext4, xfs --call--> iomap_dio_rw --call--> trampoline --ret--> iomap_dio_rw
 *	                                               |
 *	                       a passed-through file   '--ret--> kshim_hook_dio_rw
 *
 * It clobbers nothing but %rax, and on the stack it leaves either its own return
 * address, into the function, or in that place the replacement, which then returns to
 * the function's caller. A livepatch of the same function is what the first case
 * returns to. Passed-through files, such as all of overlayfs, go past it.
 *
 * kernel.ftrace_enabled=0 would take the hook away unseen. A direct call cannot forbid
 * that on all kernels; phyr.ko's own callbacks do, see watch.c.
 *
 * Removal: unregister_ftrace_direct() ends new calls and waits for tasks that are in
 * the trampoline, which does not sleep. The replacement is in phyr.ko, which counts
 * who is inside.
 */
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <asm/asm-offsets.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>

#include "dio/hook.h"

bool hook_wants(const struct kiocb *iocb);

/* Called by the trampolines, whose registers are a function's arguments. */
__attribute__((no_caller_saved_registers)) __used notrace bool
hook_wants(const struct kiocb *iocb)
{
	return iocb->ki_filp->f_mode & FMODE_BACKING;
}

/* Aligned because bit 0 of a direct address is ftrace's: it stands for a jump (7.3). */
#define HOOK_TRAMPOLINE(name, replacement)                                             \
	void name(void);                                                               \
	asm("	.pushsection .text, \"ax\", @progbits\n"                                 \
	    "	.balign 16\n"                                                            \
	    "	.type " #name ", @function\n" #name ":\n" ASM_ENDBR CALL_DEPTH_ACCOUNT \
	    "	call hook_wants\n"                                                       \
	    "	testb %al, %al\n"                                                        \
	    "	jz 1f\n"                                                                 \
	    "	movq $" #replacement ", (%rsp)\n"                                      \
	    "1:\n" ASM_RET "	.size " #name ", . - " #name "\n"                       \
	    "	.popsection\n")

HOOK_TRAMPOLINE(hook_dio_rw, kshim_hook_dio_rw);

/* Sharing a function with a livepatch needs nothing, see above. */
static int hook_share(KSHIM_OPS_FUNC_ARGS)
{
	return 0;
}

struct hook {
	struct ftrace_ops ops;
	void *function;
	void (*trampoline)(void);
};

#ifdef KSHIM_HAVE_READ_SIMPLE
HOOK_TRAMPOLINE(hook_read_simple, kshim_hook_read_simple);
#endif

static struct hook hooks[] = {
	{ { .ops_func = hook_share }, iomap_dio_rw, hook_dio_rw },
#ifdef KSHIM_HAVE_READ_SIMPLE
	{ { .ops_func = hook_share }, __iomap_dio_read_simple, hook_read_simple },
#endif
};

static int hook_add(struct hook *hook)
{
	int ret;

	ret = ftrace_set_filter_ip(&hook->ops, (unsigned long)hook->function, 0, 0);
	if (ret)
		return ret;
	ret = register_ftrace_direct(&hook->ops, (unsigned long)hook->trampoline);
	if (ret)
		ftrace_free_filter(&hook->ops);
	return ret;
}

static void hook_remove(struct hook *hook)
{
	kshim_ftrace_ended(unregister_ftrace_direct(&hook->ops,
					(unsigned long)hook->trampoline, true));
}

static int __init phyr_dio_init(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		ret = hook_add(&hooks[i]);
		if (ret)
			goto remove;
	}
	kshim_hook_set(true);
	return 0;

remove:
	pr_err("phyr_dio: cannot hook %ps: %pe; is another tracer attached to it?\n",
	       hooks[i].function, ERR_PTR(ret));
	while (i)
		hook_remove(&hooks[--i]);
	return ret;
}

static void __exit phyr_dio_exit(void)
{
	unsigned int i;

	kshim_hook_set(false);
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		hook_remove(&hooks[i]);
}

module_init(phyr_dio_init);
module_exit(phyr_dio_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION(KSHIM_VERSION);
MODULE_DESCRIPTION("Leads the direct I/O of phyrfs mounts to phyr");
