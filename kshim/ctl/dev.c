// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/phyr: the ioctls of include/uapi/linux/phyr.h. An open file of it owns the
 * mounts that it registered.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ctl/ctl.h"

static_assert(sizeof(struct phyr_query) == 64);
static_assert(sizeof(struct phyr_mount) == 32);
static_assert(sizeof(struct phyr_route) == 24);
static_assert(sizeof(struct phyr_stats) == 1136);
static_assert(sizeof(struct phyr_disk_limit) == 16);

#define DEV_MOUNTS_MAX	16

struct dev_file {
	struct mutex lock;
	unsigned int nr;		/* under lock */
	struct kshim_mount *mount[DEV_MOUNTS_MAX];
};

static int dev_open(struct inode *inode, struct file *file)
{
	struct dev_file *df = kzalloc(sizeof(*df), GFP_KERNEL);

	if (!df)
		return -ENOMEM;
	mutex_init(&df->lock);
	file->private_data = df;
	return nonseekable_open(inode, file);
}

static int dev_release(struct inode *inode, struct file *file)
{
	struct dev_file *df = file->private_data;

	while (df->nr)
		kshim_mount_remove(df->mount[--df->nr]);
	kfree(df);
	return 0;
}

static long dev_query(void __user *arg)
{
	struct phyr_query query = {
		.abi_version = PHYR_ABI_VERSION,
		.nr_reasons = PHYR_NR_REASONS,
		.hooked = kshim_hooked(),
		.nr_mounts = kshim_mount_count(),
	};

	return copy_to_user(arg, &query, sizeof(query)) ? -EFAULT : 0;
}

static long dev_mount_add(struct dev_file *df, void __user *arg)
{
	struct phyr_mount mount;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&mount, arg, sizeof(mount)))
		return -EFAULT;
	mutex_lock(&df->lock);
	ret = -ENOSPC;
	if (df->nr < DEV_MOUNTS_MAX)
		ret = kshim_mount_add(&mount, &df->mount[df->nr]);
	if (!ret)
		df->nr++;
	mutex_unlock(&df->lock);
	return ret;
}

static long dev_stats(void __user *arg)
{
	struct phyr_stats *stats __free(kfree) = kmalloc(sizeof(*stats), GFP_KERNEL);
	unsigned int i;
	int ret;

	if (!stats)
		return -ENOMEM;
	if (copy_from_user(stats, arg, sizeof(*stats)))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(stats->reserved); i++)
		if (stats->reserved[i])
			return -EINVAL;
	ret = kshim_query_stats(stats);
	if (!ret && copy_to_user(arg, stats, sizeof(*stats)))
		ret = -EFAULT;
	return ret;
}

static long dev_route(void __user *arg)
{
	struct phyr_route route;
	int ret;

	if (copy_from_user(&route, arg, sizeof(route)))
		return -EFAULT;
	ret = kshim_query_route(&route);
	if (!ret && copy_to_user(arg, &route, sizeof(route)))
		ret = -EFAULT;
	return ret;
}

static long dev_disk_limit(const void __user *arg)
{
	struct phyr_disk_limit limit;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&limit, arg, sizeof(limit)))
		return -EFAULT;
	return kshim_disk_limit(&limit);
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case PHYR_IOC_QUERY:
		return dev_query((void __user *)arg);
	case PHYR_IOC_MOUNT_ADD:
		return dev_mount_add(file->private_data, (void __user *)arg);
	case PHYR_IOC_STATS:
		return dev_stats((void __user *)arg);
	case PHYR_IOC_ROUTE:
		return dev_route((void __user *)arg);
	case PHYR_IOC_DISK_LIMIT:
		return dev_disk_limit((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = dev_release,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr",
	.fops = &dev_fops,
	.mode = 0640,
};

int kshim_dev_init(void)
{
	return misc_register(&dev);
}

void kshim_dev_exit(void)
{
	misc_deregister(&dev);
}
