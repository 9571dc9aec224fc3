// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The last part of the start, which needs a mount that answers and so runs in a thread
 * beside the session: what can be direct here (direct.c), then the restrictions of the
 * daemon, and the word to those who wait.
 */
#include "phyrfs.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

static int mount_check(struct phyrfs *fs)
{
	struct statfs st;
	int err;

	/* Waits for the kernel to have the session's first answer. */
	if (fstatfs(fs->mount_fd, &st)) {
		err = -errno;
		phyrfs_message("%s does not answer: %s", fs->opts.mountpoint,
			       strerror(-err));
		return err;
	}
	return phyrfs_direct_check(fs);
}

static int ready_restrict(struct phyrfs *fs)
{
	int err;

	if (!fs->opts.sandbox)
		return 0;
	err = phyrfs_jail_enter(fs);
	if (!err)
		err = phyrfs_cred_start(false);
	if (err)
		return err;
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

	phyrfs_cred_start(true); /* as the thread that has started this one */
	err = mount_check(fs);
	/* Or nobody can unmount it; but that of --check ends with it. */
	if (!fs->opts.check)
		close(fs->mount_fd);
	if (!err && !fs->opts.check)
		err = ready_restrict(fs);
	if (err && !fs->opts.check)
		phyrfs_message("%s is not mounted", fs->opts.mountpoint);
	fs->ready_error = err;
	fs->ready_done = true;
	if (err || fs->opts.check)
		kill(getpid(), SIGTERM);
	else
		phyrfs_server_ready(fs);
	return NULL;
}
