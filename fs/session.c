// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session: what is agreed with the kernel, and the mount from its first request to its
 * last.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct phyrfs *fs = userdata;

	phyrfs_loop_init(conn);

	/* Passthrough and a cache of dirty pages exclude each other. */
	fuse_unset_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
	fs->passthrough = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
	/* A stacked filesystem may be below this mount, or one above, but not both. */
	conn->max_backing_stack_depth = fs->root.mount->stacked
						? FUSE_BACKING_STACKED_OVER
						: FUSE_BACKING_STACKED_UNDER;

	/* A file handle of this mount would be of no use once the cache is dropped. */
	fuse_set_feature_flag(conn, FUSE_CAP_NO_EXPORT_SUPPORT);

	/* One look-up that is slow does not hold up all others in the directory. */
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);

	/* It would ask again at once for attributes that it may not believe. */
	if (fs->opts.timeout_s == 0)
		fuse_unset_feature_flag(conn, FUSE_CAP_READDIRPLUS);

	/* The kernel refuses to truncate a running program, if it may look first. */
	fuse_unset_feature_flag(conn, FUSE_CAP_ATOMIC_O_TRUNC);

	/*
	 * Set-id bits are cleared by the source filesystem (cred.c). Version 2 also
	 * spares a GETXATTR before each write.
	 */
	fuse_unset_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV);
	fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);

	/*
	 * The kernel knows all groups of a caller. With an ACL it says whether the
	 * set-group-ID bit may stay; from the mode of a new file it takes the bit by
	 * itself since Linux 6.0, and 6.1 has this version of the protocol.
	 */
	fs->sgid_checked = fuse_set_feature_flag(conn, FUSE_CAP_SETXATTR_EXT) &&
			   conn->proto_minor >= 37;

	/* With ACLs, the source decides between umask and default ACL. */
	if (fuse_set_feature_flag(conn, FUSE_CAP_DONT_MASK))
		fuse_set_feature_flag(conn, FUSE_CAP_POSIX_ACL);
}

void phyrfs_ops(struct fuse_lowlevel_ops *ops)
{
	*ops = (struct fuse_lowlevel_ops){ .init = op_init };
	phyrfs_meta_ops(ops);
	phyrfs_xattr_ops(ops);
	phyrfs_name_ops(ops);
	phyrfs_dir_ops(ops);
	phyrfs_file_ops(ops);
	phyrfs_ioctl_ops(ops);
	phyrfs_count_ops(ops);
}

/* Signals are the main thread's. */
static int ready_start(struct phyrfs *fs, pthread_t *ret_thread)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(ret_thread, NULL, phyrfs_ready_thread, fs);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* Has the kernel ended the session, and not a signal? */
static bool session_over(struct phyrfs *fs)
{
	struct pollfd session = { .fd = fuse_session_fd(fs->se) };

	return poll(&session, 1, 0) > 0 && session.revents & POLLERR;
}

/*
 * A signal that comes before the start is complete may leave the starting thread in a
 * call on a mount that nobody serves any more; then the process just ends, and nothing
 * that the thread may touch is freed. So it does if the source holds up threads of the
 * loop. Should it do so for good, not even the end of the process closes the session, and
 * whoever waits for an answer would wait on.
 */
static int session_run(struct phyrfs *fs)
{
	pthread_t thread;
	bool over;
	int err;

	phyrfs_cred_settle(fs->root.fd);
	err = ready_start(fs, &thread);
	phyrfs_cred_start(false);
	if (err) {
		phyrfs_message("cannot start a thread: %s", strerror(-err));
		return err;
	}
	err = phyrfs_loop(fs);
	if (err)
		phyrfs_message("cannot serve %s: %s", fs->opts.mountpoint,
			       strerror(-err));
	over = session_over(fs);
	if (!fs->ready_done && !over) {
		phyrfs_message("%s: ended before it was ready", fs->opts.mountpoint);
		_exit(EXIT_FAILURE);
	}
	pthread_join(thread, NULL);
	phyr_close(fs->dev);
	err = err ? err : fs->ready_error;
	if (!err && !over)
		phyrfs_server_ends();
	if (fs->stuck) {
		/* Closed, but not free: a reply that still comes goes nowhere. */
		dup2(fs->root.fd, fuse_session_fd(fs->se));
		_exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	return err;
}

int phyrfs_session_open(struct phyrfs *fs, struct fuse_args *args)
{
	struct fuse_lowlevel_ops ops;
	int err;

	err = phyrfs_attach_args(fs, args);
	if (err)
		return err;
	phyrfs_ops(&ops);
	/* libfuse says what is wrong. */
	fs->se = fuse_session_new(args, &ops, sizeof(ops), fs);
	if (!fs->se)
		return -EINVAL;
	err = phyrfs_attach(fs);
	if (err)
		fuse_session_destroy(fs->se);
	return err;
}

int phyrfs_session_serve(struct phyrfs *fs)
{
	int err;

	err = phyrfs_fds_init(fs);
	if (err)
		return err;
	if (fuse_set_signal_handlers(fs->se)) {
		phyrfs_message("cannot handle signals");
		return -EIO;
	}
	if (fs->opts.sandbox && !fs->opts.check)
		err = phyrfs_jail_prepare(fs);
	if (!err)
		err = session_run(fs);
	fuse_remove_signal_handlers(fs->se);
	return err;
}

void phyrfs_session_close(struct phyrfs *fs)
{
	fuse_session_destroy(fs->se);
}
