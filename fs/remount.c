// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * "mount -o remount": changes the flags of a phyrfs mount that is there, whose daemon is
 * another process and not asked. What that process decides cannot be changed.
 *
 * The options that mount(8) gives are those of fstab, or else of /proc/self/mountinfo,
 * and then the user's. mount.fuse3(8) adds "dev" and "suid" to them, so these words alone
 * do not say that the user wants to have less than the source has.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define ATTRS_ATIME (MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME)

struct mounted {
	struct libmnt_table *table;
	struct libmnt_fs *fs; /* in @table */
	uint64_t attrs;	      /* that it has now */
};

static bool mounted_has(const struct mounted *mounted, const char *option)
{
	return !mnt_fs_get_option(mounted->fs, option, NULL, NULL);
}

static int mounted_find(const char *path, struct mounted *ret_mounted)
{
	struct mounted mounted;

	mounted.table = mnt_new_table_from_file("/proc/self/mountinfo");
	if (!mounted.table)
		return -EIO;
	mounted.fs = mnt_table_find_target(mounted.table, path, MNT_ITER_BACKWARD);
	if (!mounted.fs || strcmp(mnt_fs_get_fstype(mounted.fs), "fuse.phyrfs")) {
		mnt_unref_table(mounted.table);
		return -EINVAL;
	}
	mounted.attrs = phyrfs_attach_attrs_named(mnt_fs_get_vfs_options(mounted.fs));
	*ret_mounted = mounted;
	return 0;
}

/* The first option that asks for what the mount does not have; NULL if there is none. */
static const char *remount_impossible(const struct phyrfs_options *opts,
				      const struct mounted *mounted)
{
	uint64_t atime;

	if (opts->policy_name)
		return "policy";
	if (opts->cache_name)
		return "cache";
	if (opts->sandbox_name)
		return "sandbox";
	if (opts->submounts)
		return "submounts";
	if ((opts->allow_other || opts->allow_root) &&
	    !mounted_has(mounted, "allow_other"))
		return "allow_other";
	if (opts->sync && !mounted_has(mounted, "sync"))
		return "sync";
	/* That of the superblock, which FUSE keeps: by libfuse and fusermount3 only. */
	if (!(opts->flags & MOUNT_ATTR_RDONLY) &&
	    !mnt_optstr_get_option(mnt_fs_get_fs_options(mounted->fs), "ro", NULL, NULL))
		return "ro";
	/* The daemon has the source open in its own way. */
	atime = (mounted->attrs & ~opts->mount_attrs_clear) | opts->mount_attrs;
	if ((atime ^ mounted->attrs) & MOUNT_ATTR_NODIRATIME)
		return "nodiratime";
	if ((atime ^ mounted->attrs) & MOUNT_ATTR__ATIME)
		return "atime, relatime, strictatime or noatime";
	return NULL;
}

#define ATTRS_KEPT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/*
 * As a new mount would have them: those of the source, and what the options say. But
 * nosuid and nodev stay: -o submounts may have added them, and mount.fuse3(8) asks for
 * the contrary each time.
 */
static uint64_t remount_attrs(const struct phyrfs_options *opts,
			      const struct mounted *mounted)
{
	uint64_t attrs = mounted->attrs & ~(uint64_t)MOUNT_ATTR_RDONLY;
	struct statvfs st;

	if (opts->source[0] == '/' && !statvfs(opts->source, &st))
		attrs = phyrfs_attach_attrs(&st);
	if (mounted->attrs & ~attrs & ~opts->flags & ATTRS_KEPT)
		phyrfs_message("nosuid and nodev stay on %s; 'mount -o "
			       "remount,bind,suid,dev' takes them off",
			       opts->mountpoint);
	attrs |= mounted->attrs & ATTRS_KEPT;
	return (attrs | opts->flags) & ~(uint64_t)ATTRS_ATIME;
}

static int remount_set(const struct phyrfs_options *opts, const struct mounted *mounted)
{
	struct mount_attr attr = { .attr_set = remount_attrs(opts, mounted) };

	attr.attr_clr = mounted->attrs & ~attr.attr_set & ~(uint64_t)ATTRS_ATIME;
	if (mount_setattr(AT_FDCWD, opts->mountpoint, 0, &attr, sizeof(attr)))
		return -errno;
	return 0;
}

int phyrfs_remount(const struct phyrfs_options *opts)
{
	struct mounted mounted;
	const char *option;
	int err;

	err = mounted_find(opts->mountpoint, &mounted);
	if (err) {
		phyrfs_message("cannot remount %s: no phyrfs is mounted there",
			       opts->mountpoint);
		return err;
	}
	option = remount_impossible(opts, &mounted);
	if (option) {
		phyrfs_message(
			"a remount cannot change %s; unmount %s and mount it again, "
			"or 'mount -o remount,bind' for flags such as ro alone",
			option, opts->mountpoint);
		err = -EINVAL;
	} else {
		err = remount_set(opts, &mounted);
		if (err)
			phyrfs_message("cannot remount %s: %s%s", opts->mountpoint,
				       strerror(-err),
				       err == -EBUSY ? "; files are open for writing"
						     : "");
	}
	mnt_unref_table(mounted.table);
	return err;
}
