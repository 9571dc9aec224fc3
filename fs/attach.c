// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mount as the kernel makes it. root's is made step by step: first one that is
 * nowhere in the tree, with all flags set before anybody sees it, which then goes to its
 * place. For --check it stays nowhere, and goes with its fd. Only flags of the mount are
 * used, none of the superblock, which FUSE never changes again: so a remount (remount.c)
 * can change them.
 *
 * Without privileges libfuse lets fusermount3 mount, which adds nosuid and nodev.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const struct {
	unsigned long st; /* of statvfs(3) */
	uint64_t attr;	  /* of mount_setattr(2) */
	const char *word; /* of mount(8) */
} flags[] = {
	{ ST_RDONLY, MOUNT_ATTR_RDONLY, "ro" },
	{ ST_NOSUID, MOUNT_ATTR_NOSUID, "nosuid" },
	{ ST_NODEV, MOUNT_ATTR_NODEV, "nodev" },
	{ ST_NOEXEC, MOUNT_ATTR_NOEXEC, "noexec" },
	{ ST_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow" },
	{ ST_NOATIME, MOUNT_ATTR_NOATIME, "noatime" },
	{ ST_NODIRATIME, MOUNT_ATTR_NODIRATIME, "nodiratime" },
};

uint64_t phyrfs_attach_attrs(const struct statvfs *st)
{
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (st->f_flag & flags[i].st)
			attrs |= flags[i].attr;
	if (!(st->f_flag & (ST_NOATIME | ST_RELATIME)))
		attrs |= MOUNT_ATTR_STRICTATIME;
	return attrs;
}

uint64_t phyrfs_attach_attrs_named(const char *words)
{
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!mnt_optstr_get_option(words, flags[i].word, NULL, NULL))
			attrs |= flags[i].attr;
	if (!(attrs & MOUNT_ATTR_NOATIME) &&
	    mnt_optstr_get_option(words, "relatime", NULL, NULL))
		attrs |= MOUNT_ATTR_STRICTATIME;
	return attrs;
}

/*
 * The flags of the source and those of the options. Times of access are what the source
 * was opened with: an ordinary user cannot have them otherwise than they are (source.c).
 * One mount has the same flags everywhere, and those below the source, now or later, may
 * be there for files that nobody trusts.
 */
static int mount_attrs(const struct phyrfs *fs, uint64_t *ret_attrs)
{
	const struct phyrfs_options *opts = &fs->opts;
	uint64_t attrs;
	struct statvfs st;

	if (fstatvfs(fs->root.fd, &st))
		return -errno;
	attrs = phyrfs_attach_attrs(&st);
	if (((attrs & ~opts->mount_attrs_clear) | opts->mount_attrs) != attrs)
		return -EPERM;
	if (opts->submounts)
		attrs |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	*ret_attrs = attrs | opts->flags;
	return 0;
}

static int config_number(int fs_fd, const char *name, const char *format,
			 unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), format, value);
	return fsconfig(fs_fd, FSCONFIG_SET_STRING, name, text, 0);
}

static int config_flag(int fs_fd, const char *name, bool wanted)
{
	return wanted ? fsconfig(fs_fd, FSCONFIG_SET_FLAG, name, NULL, 0) : 0;
}

/* What every FUSE filesystem has to have, by fuse(4), and what the options say. */
static int mount_configure(const struct phyrfs_options *opts, int fs_fd, int fuse_fd)
{
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "source", opts->fsname, 0) ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "subtype", "phyrfs", 0) ||
	    config_number(fs_fd, "fd", "%u", fuse_fd) ||
	    config_number(fs_fd, "rootmode", "%o", S_IFDIR) ||
	    config_number(fs_fd, "user_id", "%u", getuid()) ||
	    config_number(fs_fd, "group_id", "%u", getgid()) ||
	    config_flag(fs_fd, "default_permissions", true) ||
	    config_flag(fs_fd, "allow_other", opts->allow_other || opts->allow_root) ||
	    config_flag(fs_fd, "sync", opts->sync) ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	return 0;
}

/* A mount that is nowhere yet. */
static int mount_make(struct phyrfs *fs, int fuse_fd)
{
	int err, fs_fd, fd;
	uint64_t attrs;

	err = mount_attrs(fs, &attrs);
	if (err)
		return err;
	fs_fd = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		return -errno;
	err = mount_configure(&fs->opts, fs_fd, fuse_fd);
	if (err)
		goto close_fs;
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attrs);
	if (fd < 0)
		err = -errno;
	else
		fs->mount_fd = fd;

close_fs:
	close(fs_fd);
	return err;
}

static int attach_by_root(struct phyrfs *fs, int fuse_fd)
{
	char name[32];
	int err;

	err = mount_make(fs, fuse_fd);
	if (err)
		return err;
	/* For libfuse that is a mount which is there already. The fd is the session's
	 * then. */
	snprintf(name, sizeof(name), "/dev/fd/%d", fuse_fd);
	if (fuse_session_mount(fs->se, name))
		err = -EIO;
	else if (!fs->opts.check &&
		 move_mount(fs->mount_fd, "", AT_FDCWD, fs->opts.mountpoint,
			    MOVE_MOUNT_F_EMPTY_PATH))
		err = -errno;
	if (err)
		close(fs->mount_fd);
	return err;
}

/* It says what is wrong. */
static int attach_by_libfuse(struct phyrfs *fs)
{
	int err;

	if (fuse_session_mount(fs->se, fs->opts.mountpoint))
		return -EIO;
	fs->mount_fd = open(fs->opts.mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->mount_fd >= 0)
		return 0;
	err = -errno;
	phyrfs_message("%s: %s", fs->opts.mountpoint, strerror(-err));
	fuse_session_unmount(fs->se);
	return err;
}

int phyrfs_attach(struct phyrfs *fs)
{
	const struct phyrfs_options *opts = &fs->opts;
	int err, fuse_fd;

	if (!opts->check && (geteuid() || opts->by_libfuse))
		return attach_by_libfuse(fs);
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse_fd < 0) {
		err = -errno;
		phyrfs_message("/dev/fuse: %s; %s", strerror(-err),
			       err == -EACCES ? "start phyrfs as root"
					      : "is the kernel module fuse loaded?");
		return err;
	}
	err = attach_by_root(fs, fuse_fd);
	if (!err)
		return 0;
	if (fuse_session_fd(fs->se) != fuse_fd)
		close(fuse_fd);
	if (err == -EPERM && !opts->check)
		return attach_by_libfuse(fs);
	if (opts->check)
		phyrfs_message("--check cannot mount: %s%s", strerror(-err),
			       err == -EPERM ? "; start it as root" : "");
	else
		phyrfs_message("cannot mount at %s: %s", opts->mountpoint,
			       strerror(-err));
	return err;
}

/* The flags as words, and undone what libfuse sets by itself. */
static int words_add_flags(char **words, uint64_t attrs)
{
	bool root = !geteuid();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (attrs & flags[i].attr && fuse_opt_add_opt(words, flags[i].word))
			return -ENOMEM;
	if ((root && !(attrs & MOUNT_ATTR_NOSUID) && fuse_opt_add_opt(words, "suid")) ||
	    (root && !(attrs & MOUNT_ATTR_NODEV) && fuse_opt_add_opt(words, "dev")))
		return -ENOMEM;
	return 0;
}

static int words_add_options(char **words, const struct phyrfs_options *opts)
{
	const struct {
		bool wanted;
		const char *word;
	} options[] = {
		{ opts->allow_other, "allow_other" },
		{ opts->allow_root, "allow_root" },
		{ opts->auto_unmount, "auto_unmount" },
		{ opts->sync, "sync" },
		/* The kernel shall check permissions: the daemon may do everything. */
		{ true, "default_permissions" },
		{ true, "subtype=phyrfs" },
	};
	char *fsname;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].wanted && fuse_opt_add_opt(words, options[i].word))
			return -ENOMEM;
	if (asprintf(&fsname, "fsname=%s", opts->fsname) < 0)
		return -ENOMEM;
	if (fuse_opt_add_opt_escaped(words, fsname))
		err = -ENOMEM;
	free(fsname);
	return err;
}

int phyrfs_attach_args(const struct phyrfs *fs, struct fuse_args *args)
{
	char *words = NULL;
	uint64_t attrs;
	int err;

	err = mount_attrs(fs, &attrs);
	if (!err)
		err = words_add_flags(&words, attrs);
	if (!err)
		err = words_add_options(&words, &fs->opts);
	if (!err && (fuse_opt_add_arg(args, "-o") || fuse_opt_add_arg(args, words) ||
		     (fs->opts.debug && fuse_opt_add_arg(args, "-d"))))
		err = -ENOMEM;
	free(words);
	if (err == -EPERM)
		phyrfs_message("only root can change when times of access in %s change; "
			       "leave out noatime, relatime and the like",
			       fs->opts.source);
	else if (err)
		phyrfs_message("%s: %s", fs->opts.source, strerror(-err));
	return err;
}
