// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last part of the start, which needs a mount that answers and so runs in a thread
 * beside the session: is passthrough possible here, is the module there, and in what
 * state. What is missing is said once; the mount then works without it, unless
 * "-o require" asks for everything.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/*
 * A regular file to try passthrough with. An unnamed file in the source is best, since
 * the answer depends on its filesystem; memory tells at least about privileges.
 */
static int probe_file(struct phyrfs *fs)
{
	int fd;

	fd = openat(fs->root.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? memfd_create("phyrfs-probe", MFD_CLOEXEC) : fd;
}

static const char *passthrough_missing(int err)
{
	switch (err) {
	case -EPERM:
		return "the kernel allows it only with CAP_SYS_ADMIN; start phyrfs as root";
	case -ELOOP:
		return "the source is on a stacked filesystem; use the one below it";
	case -ENOTTY:
		return "the kernel has no FUSE passthrough; it needs Linux 6.9 or newer "
		       "with CONFIG_FUSE_PASSTHROUGH";
	default:
		return strerror(-err);
	}
}

static int passthrough_probe(struct phyrfs *fs)
{
	int err, fd, id;

	if (!fs->passthrough)
		return -ENOTTY;
	fd = probe_file(fs);
	if (fd < 0)
		return -errno;
	err = phyrfs_backing_open(fs, fd, &id);
	if (!err)
		phyrfs_backing_close(fs, id);
	close(fd);
	return err;
}

static int passthrough_check(struct phyrfs *fs)
{
	int err;

	err = passthrough_probe(fs);
	if (!err)
		return 0;
	fs->passthrough = false;
	phyrfs_message("data goes through the daemon, never direct: %s",
		       passthrough_missing(err));
	return err;
}

/*
 * Only speed depends on it, and only with an IOMMU; a source on anything but a plain
 * NVMe disk has nothing to learn, and is not direct anyway.
 */
static void disk_learn(struct phyrfs *fs)
{
	struct stat st;

	if (!fstat(fs->root.fd, &st))
		phyr_disk_learn(fs->dev, st.st_dev);
}

static int hook_check(struct phyrfs *fs)
{
	struct phyr_info info;
	int err;

	err = phyr_query(fs->dev, &info);
	if (err)
		return err;
	if (!info.hooked) {
		phyrfs_message("nothing will be direct: module phyr_dio is not loaded; "
			       "load it with 'modprobe phyr_dio'");
		return -ENOPKG;
	}
	return 0;
}

static int module_check(struct phyrfs *fs)
{
	bool wanted = fs->opts.policy != PHYR_MOUNT_OFF;
	int err;

	err = phyr_open(&fs->dev);
	if (err && !wanted)
		return 0;
	if (err) {
		phyrfs_message("works as an ordinary passthrough filesystem: %s",
			       phyr_open_text(err));
		return err;
	}
	err = phyr_mount_add(fs->dev, fs->mount_fd, fs->opts.policy);
	if (err) {
		phyrfs_message(
			"works as an ordinary passthrough filesystem: cannot bring "
			"%s into phyr's scope: %s",
			fs->opts.mountpoint, strerror(-err));
		return err;
	}
	if (!wanted)
		return 0;
	disk_learn(fs);
	return hook_check(fs);
}

static int mount_check(struct phyrfs *fs)
{
	struct statfs st;
	int err, module_err;

	/* Waits for the kernel to have the session's first answer. */
	if (fstatfs(fs->mount_fd, &st)) {
		err = -errno;
		phyrfs_message("%s does not answer: %s", fs->opts.mountpoint,
			       strerror(-err));
		return err;
	}
	err = passthrough_check(fs);
	module_err = module_check(fs);
	if (!fs->opts.require)
		return 0;
	return err ? err : module_err;
}

static int ready_finish(struct phyrfs *fs)
{
	int err;

	/* The last that needs a socket. Does nothing if nobody waits. */
	sd_notify(0, "READY=1");
	if (!fs->opts.sandbox)
		return 0;
	err = phyrfs_sandbox_enter();
	if (err)
		phyrfs_message("cannot restrict system calls: %s; -o sandbox=off does "
			       "without",
			       strerror(-err));
	return err;
}

void *phyrfs_ready_thread(void *arg)
{
	struct phyrfs *fs = arg;
	int err;

	err = mount_check(fs);
	/* Or nobody can unmount it; but that of --check ends with it. */
	if (!fs->opts.check)
		close(fs->mount_fd);
	if (!err && !fs->opts.check)
		err = ready_finish(fs);
	if (fs->opts.check && !err)
		phyrfs_message(
			"data of %s passes through the kernel, and is direct where "
			"'phyr list' shows a route",
			fs->opts.source);
	else if (err && !fs->opts.check)
		phyrfs_message("%s is not mounted", fs->opts.mountpoint);
	fs->ready_error = err;
	fs->ready_done = true;
	if (err || fs->opts.check)
		kill(getpid(), SIGTERM);
	else
		phyrfs_detach(fs);
	return NULL;
}
