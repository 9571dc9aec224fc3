// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyrfs: options, start and end. What the filesystem does is in the operations.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

void phyrfs_message(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "phyrfs: %s\n", line);
}

/* -------------------------------------------------------------------- options */

static const char help_text[] =
	"usage: phyrfs SOURCE MOUNTPOINT [-o OPTION,...]\n"
	"\n"
	"Mounts the directory SOURCE a second time, at MOUNTPOINT, so that direct I/O\n"
	"below it may use device memory (needs the kernel module phyr).\n"
	"\n"
	"  -o policy=direct   device memory: direct, or the error of plain Linux (default)\n"
	"  -o policy=off      as if phyr were not there\n"
	"  -o require         fail instead of working without passthrough or module\n"
	"  -o allow_other     let other users than the one who mounts use the mount\n"
	"  -o OPTION          any option of mount(8) and libfuse, such as ro or noatime\n"
	"  -f                 stay in the foreground\n"
	"  -d                 log each request; implies -f\n"
	"  -h, --help         show this\n"
	"  -V, --version      show the version\n";

#define OPT(text, member, value)                                     \
	{                                                            \
		text, offsetof(struct phyrfs_options, member), value \
	}

static const struct fuse_opt option_table[] = {
	OPT("policy=%s", policy_name, 0),
	OPT("require", require, 1),
	OPT("-f", foreground, 1),
	OPT("-d", debug, 1),
	OPT("debug", debug, 1),
	OPT("-h", show_help, 1),
	OPT("--help", show_help, 1),
	OPT("-V", show_version, 1),
	OPT("--version", show_version, 1),
	FUSE_OPT_END,
};

static int option_other(void *data, const char *arg, int key, struct fuse_args *args)
{
	struct phyrfs_options *opts = data;
	char **path = opts->source ? &opts->mountpoint : &opts->source;

	if (key != FUSE_OPT_KEY_NONOPT)
		return 1; /* libfuse's own */
	if (*path) {
		phyrfs_message("unexpected '%s'; see phyrfs --help", arg);
		return -1;
	}
	/* The daemon leaves its working directory. */
	*path = realpath(arg, NULL);
	if (!*path) {
		phyrfs_message("%s: %s", arg, strerror(errno));
		return -1;
	}
	return 0;
}

static int options_finish(struct phyrfs_options *opts)
{
	struct stat st;

	if (opts->show_help || opts->show_version)
		return 0;
	if (!opts->mountpoint) {
		phyrfs_message("expected SOURCE and MOUNTPOINT; see phyrfs --help");
		return -EINVAL;
	}
	if (!stat(opts->mountpoint, &st) && !S_ISDIR(st.st_mode)) {
		phyrfs_message("%s: %s", opts->mountpoint, strerror(ENOTDIR));
		return -ENOTDIR;
	}
	if (opts->policy_name && phyr_policy_parse(opts->policy_name, &opts->policy)) {
		phyrfs_message("policy=%s: expected direct or off", opts->policy_name);
		return -EINVAL;
	}
	return 0;
}

/* Leaves in @args what libfuse is to know. */
static int options_parse(struct phyrfs_options *opts, struct fuse_args *args)
{
	char *mount_opts = NULL, *fsname = NULL;
	int err = -ENOMEM;

	if (fuse_opt_parse(args, opts, option_table, option_other))
		return -EINVAL;
	err = options_finish(opts);
	if (err || !opts->source)
		return err;

	err = -ENOMEM;
	if (asprintf(&fsname, "fsname=%s", opts->source) < 0)
		return err;
	/* The kernel shall check permissions: the daemon may do everything. */
	if (!fuse_opt_add_opt(&mount_opts, "default_permissions,subtype=phyrfs") &&
	    !fuse_opt_add_opt_escaped(&mount_opts, fsname) &&
	    !fuse_opt_add_arg(args, "-o") && !fuse_opt_add_arg(args, mount_opts) &&
	    (!opts->debug || !fuse_opt_add_arg(args, "-d")))
		err = 0;
	opts->foreground |= opts->debug;
	free(mount_opts);
	free(fsname);
	return err;
}

static void options_free(struct phyrfs_options *opts)
{
	free(opts->source);
	free(opts->mountpoint);
	free(opts->policy_name);
}

/* -------------------------------------------------------------------- session */

/* Only one of both is possible: a stacked filesystem below this mount, or above. */
static unsigned int backing_depth(struct phyrfs *fs)
{
	struct statfs st;

	if (!fstatfs(fs->root.fd, &st) &&
	    (st.f_type == OVERLAYFS_SUPER_MAGIC || st.f_type == FUSE_SUPER_MAGIC))
		return FUSE_BACKING_STACKED_OVER;
	return FUSE_BACKING_STACKED_UNDER;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct phyrfs *fs = userdata;

	/* Passthrough and a cache of dirty pages exclude each other. */
	fuse_unset_feature_flag(conn, FUSE_CAP_WRITEBACK_CACHE);
	fs->passthrough = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);
	conn->max_backing_stack_depth = backing_depth(fs);

	/*
	 * Set-id bits are cleared by the source filesystem (cred.c). Version 2 also
	 * spares a GETXATTR before each write.
	 */
	fuse_unset_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV);
	fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);

	/* With ACLs, the source decides between umask and default ACL. */
	if (fuse_set_feature_flag(conn, FUSE_CAP_DONT_MASK))
		fuse_set_feature_flag(conn, FUSE_CAP_POSIX_ACL);
}

/* Each known inode costs one fd. */
static void raise_fd_limit(void)
{
	struct rlimit limit;
	rlim_t wanted = 1 << 20;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (limit.rlim_max < wanted) {
		struct rlimit more = { wanted, wanted };

		if (!setrlimit(RLIMIT_NOFILE, &more))
			return;
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int source_open(struct phyrfs *fs)
{
	int err, fd;

	fs->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->proc_fd < 0) {
		err = -errno;
		phyrfs_message("/proc/self/fd: %s; /proc has to be mounted",
			       strerror(errno));
		return err;
	}
	fd = open(fs->opts.source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		phyrfs_message("%s: %s", fs->opts.source, strerror(errno));
		goto close_proc;
	}
	err = phyrfs_table_init(fs, fd);
	if (err)
		goto close_fd;
	return 0;

close_fd:
	close(fd);
close_proc:
	close(fs->proc_fd);
	return err;
}

static void source_close(struct phyrfs *fs)
{
	phyrfs_table_free(fs);
	close(fs->root.fd);
	close(fs->proc_fd);
}

/*
 * Go into the background: the parent waits until the child says that the mount is
 * ready, and fails when the child ends without saying so. Returns in the child only.
 */
static int background(struct phyrfs *fs)
{
	int pipe_fds[2];
	char ready;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &ready, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(pipe_fds[0]);
	fs->ready_fd = pipe_fds[1];
	setsid();
	return chdir("/") ? -errno : 0;
}

void phyrfs_detach(struct phyrfs *fs)
{
	int null_fd;

	if (fs->ready_fd < 0)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
		close(null_fd);
	}
	if (write(fs->ready_fd, "", 1) == 1)
		close(fs->ready_fd);
	fs->ready_fd = -1;
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

static int session_loop(struct phyrfs *fs)
{
	struct fuse_loop_config *config;
	int err;

	config = fuse_loop_cfg_create();
	if (!config)
		return -ENOMEM;
	err = fuse_session_loop_mt(fs->se, config);
	fuse_loop_cfg_destroy(config);
	return err < 0 ? err : 0; /* a signal's number is a proper end */
}

/*
 * From mount to unmount. A session that ends before the start is complete may leave
 * the starting thread in a call on a dead mount; then the process just ends, and
 * nothing that the thread may touch is freed.
 */
static int session_run(struct phyrfs *fs)
{
	pthread_t thread;
	int err;

	if (fuse_session_mount(fs->se, fs->opts.mountpoint))
		return -EIO;
	err = ready_start(fs, &thread);
	if (!err)
		err = session_loop(fs);
	else
		fs->ready_done = true;
	fuse_session_unmount(fs->se);
	if (!fs->ready_done)
		_exit(EXIT_FAILURE);
	pthread_join(thread, NULL);
	phyr_close(fs->dev);
	return err ? err : fs->ready_error;
}

static int session_start(struct phyrfs *fs, struct fuse_args *args)
{
	static struct fuse_lowlevel_ops ops = { .init = op_init };
	int err;

	phyrfs_meta_ops(&ops);
	phyrfs_name_ops(&ops);
	phyrfs_dir_ops(&ops);
	phyrfs_file_ops(&ops);
	fs->se = fuse_session_new(args, &ops, sizeof(ops), fs);
	if (!fs->se)
		return -EINVAL;
	err = -EIO;
	if (!fuse_set_signal_handlers(fs->se)) {
		err = session_run(fs);
		fuse_remove_signal_handlers(fs->se);
	}
	fuse_session_destroy(fs->se);
	return err;
}

static int phyrfs_run(struct phyrfs *fs, struct fuse_args *args)
{
	int err;

	err = options_parse(&fs->opts, args);
	if (err)
		return err;
	if (fs->opts.show_help) {
		fputs(help_text, stdout);
		return 0;
	}
	if (fs->opts.show_version) {
		printf("phyrfs %s, libfuse %s\n", PHYR_VERSION, fuse_pkgversion());
		return 0;
	}
	raise_fd_limit();
	err = phyrfs_cred_init();
	if (!err && !fs->opts.foreground)
		err = background(fs);
	if (!err)
		err = source_open(fs);
	if (err)
		return err;
	err = session_start(fs, args);
	source_close(fs);
	return err;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	static struct phyrfs fs = { .ready_fd = -1 };
	int err;

	err = phyrfs_run(&fs, &args);
	fuse_opt_free_args(&args);
	options_free(&fs.opts);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
