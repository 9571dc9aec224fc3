// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts: which FUSE filesystems are in scope. A file that FUSE passes through to its
 * backing filesystem remembers the path by which the user opened it; that path's
 * superblock is what is registered. With a filesystem stacked on the FUSE one it is that
 * filesystem's, and nothing of the file tells of the one between. But the file is open by
 * the mount by which the daemon has opened it, which is the daemon's alone.
 */
#include <linux/backing-dev.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "dio/dio.h"

static DEFINE_SPINLOCK(mounts_lock);
static LIST_HEAD(mounts);		/* changed under mounts_lock, read by RCU */

static void mount_destroy(struct kshim_mount *mount)
{
	bdi_put(mount->bdi);
	kshim_stats_free(&mount->stats);
	free_percpu(mount->dios);
	kfree(mount);
}

static void mount_free(struct work_struct *work)
{
	struct kshim_mount *mount = container_of(work, struct kshim_mount, free);

	while (!kshim_visits_over(mount->dios))
		msleep(20);
	/* who was counted out last is done with it then */
	synchronize_rcu();
	kshim_stats_fold(&kshim_stats_rest, &mount->stats);
	mount_destroy(mount);
}

/*
 * The superblock may be long unmounted, and its memory and its device number another
 * one's, while the daemon still holds the registration. That keeps the backing device,
 * which each FUSE superblock makes for itself, so that none can have the same.
 */
static bool mount_is(const struct kshim_mount *mount, const struct super_block *sb)
{
	return mount->bdi == sb->s_bdi;
}

struct kshim_mount *kshim_mount_find(const struct file *file)
{
	const struct super_block *sb;
	struct kshim_mount *mount;

	if (!(file->f_mode & FMODE_BACKING))
		return NULL;
	sb = backing_file_user_path(file)->mnt->mnt_sb;
	rcu_read_lock_sched();
	list_for_each_entry_rcu(mount, &mounts, list)
		if (mount_is(mount, sb) || mount->source == file->f_path.mnt) {
			this_cpu_inc(mount->dios->came);
			goto out;
		}
	mount = NULL;
out:
	rcu_read_unlock_sched();
	return mount;
}

static int mount_publish(struct kshim_mount *mount, const struct super_block *sb)
{
	struct kshim_mount *other;
	int ret = 0;

	spin_lock(&mounts_lock);
	list_for_each_entry(other, &mounts, list)
		if (mount_is(other, sb))
			ret = -EEXIST;
	if (!ret)
		list_add_tail_rcu(&mount->list, &mounts);
	spin_unlock(&mounts_lock);
	return ret;
}

static bool mount_arg_valid(const struct phyr_mount *arg)
{
	return !(arg->flags & ~PHYR_MOUNT_SOURCE) && arg->policy <= PHYR_POLICY_OFF &&
	       (arg->flags & PHYR_MOUNT_SOURCE || !arg->source_fd) &&
	       !memchr_inv(arg->reserved, 0, sizeof(arg->reserved));
}

int kshim_mount_add(const struct phyr_mount *arg, struct kshim_mount **ret_mount)
{
	bool has_source = arg->flags & PHYR_MOUNT_SOURCE;
	struct file *source __free(fput) = has_source ? fget_raw(arg->source_fd) : NULL;
	struct file *file __free(fput) = fget_raw(arg->fd);
	const struct super_block *sb;
	struct kshim_mount *mount;
	int ret;

	if (!mount_arg_valid(arg))
		return -EINVAL;
	if (!file || (has_source && !source))
		return -EBADF;
	sb = file->f_path.mnt->mnt_sb;
	if (sb->s_magic != FUSE_SUPER_MAGIC)
		return -EINVAL;

	mount = kzalloc(sizeof(*mount), GFP_KERNEL);
	if (!mount)
		return -ENOMEM;
	mount->bdi = bdi_get(sb->s_bdi);
	mount->source = source ? mntget(source->f_path.mnt) : NULL;
	mount->dev = sb->s_dev;
	mount->policy = arg->policy;
	INIT_WORK(&mount->free, mount_free);
	mount->dios = alloc_percpu(struct kshim_visits);
	ret = kshim_stats_init(&mount->stats);
	if (!mount->dios)
		ret = -ENOMEM;
	if (!ret)
		ret = mount_publish(mount, sb);
	if (ret) {
		mntput(mount->source);
		mount_destroy(mount);
		return ret;
	}
	*ret_mount = mount;
	return 0;
}

void kshim_mount_remove(struct kshim_mount *mount)
{
	if (!mount)
		return;
	spin_lock(&mounts_lock);
	list_del_rcu(&mount->list);
	spin_unlock(&mounts_lock);
	/* who has found it is counted then */
	synchronize_rcu();
	/* what the daemon was the last to use is free when it has gone */
	mntput(mount->source);
	queue_work(kshim_wq, &mount->free);
}

unsigned int kshim_mount_count(void)
{
	struct kshim_mount *mount;
	unsigned int nr = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(mount, &mounts, list)
		nr++;
	rcu_read_unlock();
	return nr;
}

int kshim_mount_sum(u32 nr, struct kshim_counters *sum, u32 *ret_policy, dev_t *ret_dev)
{
	struct kshim_mount *mount;
	int ret = nr ? -ENOENT : 0;
	u32 n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(mount, &mounts, list) {
		if (nr && ++n != nr)
			continue;
		kshim_stats_sum(&mount->stats, sum);
		if (!nr)
			continue;
		*ret_policy = mount->policy;
		*ret_dev = mount->dev;
		ret = 0;
		break;
	}
	rcu_read_unlock();
	return ret;
}
