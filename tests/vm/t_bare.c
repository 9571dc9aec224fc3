// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A FUSE daemon that passes one file through and does nothing else, for tests/bench/fs:
 * what its mount costs, the kernel costs.
 *
 *	t_bare FILE MOUNTPOINT	FILE is MOUNTPOINT/data until that is unmounted
 */
#define FUSE_USE_VERSION 317

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "t.h"

#define DATA_INO 2

struct bare {
	int fd;
	int backing_id;
};

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH); /* without, open fails */
	conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
}

static void ino_stat(fuse_req_t req, fuse_ino_t ino, struct stat *ret_st)
{
	struct bare *bare = fuse_req_userdata(req);

	*ret_st = (struct stat){ .st_mode = S_IFDIR | 0755, .st_nlink = 1 };
	if (ino == DATA_INO)
		fstat(bare->fd, ret_st);
	ret_st->st_ino = ino;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	ino_stat(req, ino, &st);
	fuse_reply_attr(req, &st, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = DATA_INO,
					  .attr_timeout = 1,
					  .entry_timeout = 1 };

	(void)parent;
	if (strcmp(name, "data")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	ino_stat(req, DATA_INO, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct bare *bare = fuse_req_userdata(req);

	(void)ino;
	if (!bare->backing_id)
		bare->backing_id = fuse_passthrough_open(req, bare->fd);
	if (bare->backing_id <= 0) {
		fuse_reply_err(req, EIO);
		return;
	}
	fi->backing_id = bare->backing_id;
	fuse_reply_open(req, fi);
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = {
		.init = op_init,
		.lookup = op_lookup,
		.getattr = op_getattr,
		.open = op_open,
	};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se;
	struct bare bare = { 0 };

	if (argc != 3)
		t_usage("FILE MOUNTPOINT");
	bare.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (bare.fd < 0)
		t_die("%s", argv[1]);
	se = fuse_session_new(&args, &ops, sizeof(ops), &bare);
	if (!se || fuse_session_mount(se, argv[2]) || fuse_daemonize(0))
		return 2;
	fuse_session_loop(se);
	fuse_session_unmount(se);
	fuse_session_destroy(se);
	return 0;
}
