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

/* In one process: the mount is nowhere, and goes with it. */
static int check_run(struct phyrfs *fs, struct fuse_args *args)
{
	int err;

	err = phyrfs_session_open(fs, args);
	if (err)
		return err;
	err = phyrfs_session_serve(fs);
	phyrfs_session_close(fs);
	return err;
}

/* With the source open. */
static int source_show(struct phyrfs *fs, struct fuse_args *args)
{
	int err;

	err = phyrfs_table_init(fs);
	if (err) {
		phyrfs_message("%s: %s", fs->opts.source, strerror(-err));
		return err;
	}
	err = fs->opts.check ? check_run(fs, args) : phyrfs_keeper(fs, args);
	phyrfs_table_free(fs);
	return err;
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
	if (err)
		phyrfs_message("cannot change capabilities: %s", strerror(-err));
	if (!err && !fs->opts.foreground)
		err = phyrfs_background(fs);
	if (!err)
		err = phyrfs_source_open(fs);
	if (err)
		return err;
	err = source_show(fs, args);
	phyrfs_source_close(fs);
	return err;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	static struct phyrfs fs = { .starter_fd = -1, .source_fd = -1 };
	int err;

	phyrfs_message_init();
	err = std_fds_open();
	if (err)
		phyrfs_message("/dev/null: %s", strerror(-err));
	else
		err = phyrfs_run(&fs, &args);
	fuse_opt_free_args(&args);
	phyrfs_options_free(&fs.opts);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
