// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One inode: what it has from the start, and what is given back at its end. Who finds it,
 * and until when, is left to the table; what becomes of its fd meanwhile, to fd.c.
 */
#include "phyrfs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void phyrfs_inode_init(struct phyrfs_inode *inode, const struct stat *st, int fd)
{
	*inode = (struct phyrfs_inode){ 0 };
	inode->dev = st->st_dev;
	inode->ino = st->st_ino;
	inode->type = st->st_mode & S_IFMT;
	inode->fd = fd;
	inode->nr_lookups = 1;
	inode->used = true;
	pthread_mutex_init(&inode->lock, NULL);
}

int phyrfs_inode_new(struct phyrfs_mount *mount, const struct stat *st, int fd,
		     struct phyrfs_inode **ret_inode)
{
	struct phyrfs_inode *inode;

	inode = malloc(sizeof(*inode));
	if (!inode)
		return -ENOMEM;
	phyrfs_inode_init(inode, st, fd);
	inode->mount = mount;
	*ret_inode = inode;
	return 0;
}

void phyrfs_inode_free(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	pthread_mutex_destroy(&inode->lock);
	phyrfs_mount_put(fs, inode->mount);
	if (inode->fd >= 0)
		close(inode->fd);
	free(inode->handle);
	free(inode);
}
