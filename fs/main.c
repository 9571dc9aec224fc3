// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyrfs: start and end. What the filesystem does is in the operations.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Whatever is opened while one of these is closed gets its number, and with it all that
 * is written there. -errno if there is no /dev/null.
 */
static int std_fds_open(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static void raise_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(resource, &limit);
}

/*
 * An fd for each open file, and for as many inodes (fd.c). The size of files is limited
 * by the clients' limits, which the kernel knows; one that stays here is an error to
 * them, and no signal that ends the daemon.
 */
static void raise_limits(void)
{
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_FSIZE);
	signal(SIGXFSZ, SIG_IGN);
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
	return 0;
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

static int phyrfs_run(struct phyrfs *fs, struct fuse_args *args)
{
	int err;

	err = phyrfs_options_parse(&fs->opts, args);
	if (err)
		return err;
	if (fs->opts.show_help) {
		phyrfs_options_help(stdout);
		return 0;
	}
	if (fs->opts.show_version) {
		printf("phyrfs %s, libfuse %s\n", PHYR_VERSION, fuse_pkgversion());
		return 0;
	}
	if (fs->opts.remount)
		return phyrfs_remount(&fs->opts);
	raise_limits();
	err = phyrfs_cred_init();
	if (!err && !fs->opts.foreground)
		err = background(fs);
	if (!err)
		err = phyrfs_source_open(fs);
	if (err)
		return err;
	err = phyrfs_fds_init(fs);
	if (!err)
		err = phyrfs_session(fs, args);
	phyrfs_source_close(fs);
	return err;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	static struct phyrfs fs = { .ready_fd = -1 };
	int err;

	err = std_fds_open();
	if (err)
		phyrfs_message("/dev/null: %s", strerror(-err));
	else
		err = phyrfs_run(&fs, &args);
	fuse_opt_free_args(&args);
	phyrfs_options_free(&fs.opts);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
