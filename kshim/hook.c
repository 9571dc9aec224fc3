// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_dio.ko: the livepatch that leads iomap_dio_rw() to phyr.ko. To take it out,
 * write 0 to /sys/kernel/livepatch/phyr_dio/enabled, wait until that directory is
 * gone, and remove the module.
 */
#include <linux/livepatch.h>
#include <linux/module.h>

#include "hook.h"

static void hook_in_force(struct klp_object *obj)
{
	kshim_hook_set(true);
}

static void hook_ending(struct klp_object *obj)
{
	kshim_hook_set(false);
}

#ifdef KSHIM_HAVE_READ_SIMPLE
/*
 * 7.3's short way for reads of up to one block pins pages, and its body cannot be
 * called from here: send every such read the general way, which passes phyr.
 */
static ssize_t hook_read_simple(struct kiocb *iocb, struct iov_iter *iter,
				struct iomap_iter *iomi)
{
	inode_dio_end(iomi->inode);
	return -ENOTBLK;
}
#endif

static struct klp_func funcs[] = {
	{ .old_name = "iomap_dio_rw", .new_func = kshim_hook_dio_rw },
#ifdef KSHIM_HAVE_READ_SIMPLE
	{ .old_name = "__iomap_dio_read_simple", .new_func = hook_read_simple },
#endif
	{ }
};

static struct klp_object objs[] = {
	{
		.funcs = funcs,
		.callbacks = {
			.post_patch = hook_in_force,
			.pre_unpatch = hook_ending,
		},
	},
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init phyr_dio_init(void)
{
	return klp_enable_patch(&patch);
}

/* The kernel lets it go only when no task runs the patched function any more. */
static void __exit phyr_dio_exit(void)
{
}

module_init(phyr_dio_init);
module_exit(phyr_dio_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Livepatch: direct I/O of filesystems reaches phyr");
