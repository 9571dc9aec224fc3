// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inode table: which files of the source tree the kernel knows, one O_PATH fd and
 * one reference count for each. What is done with an inode is left to the operations.
 *
 * One mutex covers the whole table. Finding an inode and taking a reference is one
 * step under it, as is dropping the last reference and unhashing, so a FORGET cannot
 * free what a LOOKUP has just found.
 */
#include "phyrfs.h"

#include <phyrfs_abi.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_BUCKETS_MIN 1024

/* What tells files apart. A bind mount may be read-only where the other is not. */
struct inode_key {
	uint64_t mount_id;
	dev_t dev;
	ino_t ino;
};

static struct inode_key inode_key_of(const struct phyrfs_inode *inode)
{
	return (struct inode_key){ inode->mount->id, inode->dev, inode->ino };
}

static size_t inode_bucket(const struct phyrfs *fs, const struct inode_key *key)
{
	/* The golden ratio in 64 bits spreads neighbouring numbers. */
	uint64_t hash =
		(key->ino ^ key->dev << 32 ^ key->mount_id << 48) * 0x9e3779b97f4a7c15ull;

	return hash >> 32 & (fs->nr_buckets - 1);
}

static struct phyrfs_inode **table_find(struct phyrfs *fs, const struct inode_key *key)
{
	struct phyrfs_inode **link = &fs->buckets[inode_bucket(fs, key)];

	while (*link && ((*link)->ino != key->ino || (*link)->dev != key->dev ||
			 (*link)->mount->id != key->mount_id))
		link = &(*link)->next;
	return link;
}

/* A table that cannot grow still works, only slower. */
static void table_grow(struct phyrfs *fs)
{
	struct phyrfs_inode **old = fs->buckets, **new;
	size_t nr_old = fs->nr_buckets;

	new = calloc(nr_old * 2, sizeof(*new));
	if (!new)
		return;
	fs->buckets = new;
	fs->nr_buckets = nr_old * 2;
	for (size_t i = 0; i < nr_old; i++) {
		while (old[i]) {
			struct phyrfs_inode *inode = old[i];
			struct inode_key key = inode_key_of(inode);
			struct phyrfs_inode **head;

			old[i] = inode->next;
			head = &fs->buckets[inode_bucket(fs, &key)];
			inode->next = *head;
			*head = inode;
		}
	}
	free(old);
}

/*
 * The root is not hashed: the kernel must never be given it as somebody's child, and a
 * bind mount below the source may well show it once more.
 */
int phyrfs_table_init(struct phyrfs *fs)
{
	uint64_t mount_id;
	struct stat st;
	int err;

	err = phyrfs_source_stat(fs, fs->root.fd, "", &st, &mount_id);
	if (err)
		return err;
	fs->buckets = calloc(NR_BUCKETS_MIN, sizeof(*fs->buckets));
	if (!fs->buckets)
		return -ENOMEM;
	fs->nr_buckets = NR_BUCKETS_MIN;
	pthread_mutex_init(&fs->table_lock, NULL);
	phyrfs_inode_init(&fs->root, &st, fs->root.fd);
	err = phyrfs_mounts_init(fs, mount_id, phyrfs_handles_fd(fs, fs->root.fd));
	if (err)
		free(fs->buckets);
	return err;
}

void phyrfs_table_free(struct phyrfs *fs)
{
	for (size_t i = 0; i < fs->nr_buckets; i++) {
		while (fs->buckets[i]) {
			struct phyrfs_inode *inode = fs->buckets[i];

			fs->buckets[i] = inode->next;
			phyrfs_inode_free(fs, inode);
		}
	}
	phyrfs_nodes_free(fs);
	free(fs->buckets);
	fs->buckets = NULL;
	fs->nr_buckets = 0;
	phyrfs_mounts_exit(fs);
}

void phyrfs_table_count(struct phyrfs *fs, struct phyrfs_stats *stats)
{
	pthread_mutex_lock(&fs->table_lock);
	stats->nr_inodes = fs->nr_inodes;
	stats->nr_fds = fs->nr_fds + fs->nr_fds_pinned;
	stats->found = fs->nr_found;
	stats->made = fs->last_generation;
	pthread_mutex_unlock(&fs->table_lock);
	stats->opens_passed = fs->nr_opens_passed;
	stats->opens_daemon = fs->nr_opens_daemon;
}

int phyrfs_name_check(const char *name)
{
	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return 0;
}

/*
 * The inode that is in the table for the key of @new, if that is the same file, or else
 * @new itself, which is there from here on. One that has no fd may have lost its number
 * to another file: the kernel will forget it. Under table_lock.
 */
static int table_replace(struct phyrfs *fs, struct phyrfs_inode **link,
			 struct phyrfs_inode *new, struct phyrfs_inode **ret_inode)
{
	int err;

	if (*link && phyrfs_fd_merge(fs, *link, new)) {
		*ret_inode = *link;
		(*link)->nr_lookups++;
		fs->nr_found++;
		return 0;
	}
	err = phyrfs_node_new(fs, new);
	if (err)
		return err;
	if (*link)
		*link = (*link)->next;
	else
		fs->nr_inodes++;
	new->generation = ++fs->last_generation;
	new->next = *link;
	*link = new;
	phyrfs_fds_add(fs, new);
	*ret_inode = new;
	return 0;
}

/* Returns @new, or the inode that was there already, with one more reference. */
static int table_add(struct phyrfs *fs, struct phyrfs_inode *new,
		     struct phyrfs_inode **ret_inode)
{
	struct inode_key key = inode_key_of(new);
	struct phyrfs_inode **link;
	int err;

	pthread_mutex_lock(&fs->table_lock);
	link = table_find(fs, &key);
	if (*link && (*link)->fd < 0) {
		/* The source is not to be asked under the lock. */
		pthread_mutex_unlock(&fs->table_lock);
		phyrfs_fd_handle(new);
		pthread_mutex_lock(&fs->table_lock);
		link = table_find(fs, &key);
	}
	err = table_replace(fs, link, new, ret_inode);
	if (!err) {
		if (fs->nr_inodes > fs->nr_buckets)
			table_grow(fs);
		phyrfs_fds_trim(fs);
	}
	pthread_mutex_unlock(&fs->table_lock);
	return err;
}

/* The kernel gets a reference to @inode, which has the attributes @st to show. */
static void entry_set(const struct phyrfs *fs, const struct phyrfs_inode *inode,
		      const struct stat *st, struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){
		.ino = inode->node,
		.generation = inode->generation,
		.attr = *st,
		.attr_timeout = fs->opts.timeout_s,
		.entry_timeout = fs->opts.timeout_s,
	};
}

/* A new inode, which is not in the table, for @fd, which it owns. */
static int table_inode_new(struct phyrfs *fs, int fd, const struct stat *st,
			   uint64_t mount_id, struct phyrfs_inode **ret_inode)
{
	struct phyrfs_mount *mount;
	int err;

	mount = phyrfs_mount_get(fs, mount_id);
	if (!mount) {
		err = phyrfs_mount_add(fs, fd, mount_id, phyrfs_handles_fd(fs, fd),
				       &mount);
		if (err)
			return err;
	}
	err = phyrfs_inode_new(mount, st, fd, ret_inode);
	if (err)
		phyrfs_mount_put(fs, mount);
	return err;
}

int phyrfs_inode_adopt(struct phyrfs *fs, int path_fd, struct fuse_entry_param *ret_entry)
{
	struct phyrfs_inode *new, *inode;
	uint64_t mount_id, number;
	struct stat st;
	int err;

	err = phyrfs_source_stat(fs, path_fd, "", &st, &mount_id);
	if (!err)
		err = phyrfs_number(fs, st.st_dev, st.st_ino, &number);
	if (!err)
		err = table_inode_new(fs, path_fd, &st, mount_id, &new);
	if (err) {
		close(path_fd);
		return err;
	}
	err = table_add(fs, new, &inode);
	if (err || inode != new)
		phyrfs_inode_free(fs, new);
	if (err)
		return err;
	st.st_ino = number;
	entry_set(fs, inode, &st, ret_entry);
	return 0;
}

bool phyrfs_inode_known(struct phyrfs *fs, const struct phyrfs_inode *dir, ino_t ino)
{
	struct inode_key key = { dir->mount->id, dir->dev, ino };
	bool known;

	pthread_mutex_lock(&fs->table_lock);
	known = *table_find(fs, &key);
	pthread_mutex_unlock(&fs->table_lock);
	return known;
}

/*
 * Returns, with one more reference, the inode that has the number in @key, if that is
 * sure to be the file that had it when the caller asked. It is, if the table had the
 * inode before (@last: its last generation then), and the file still exists, as it does
 * while it is open: then nothing else had its number meanwhile. Otherwise NULL.
 */
static struct phyrfs_inode *table_get(struct phyrfs *fs, const struct inode_key *key,
				      uint64_t last)
{
	struct phyrfs_inode *inode;

	pthread_mutex_lock(&fs->table_lock);
	inode = *table_find(fs, key);
	if (inode && inode->generation <= last && inode->fd >= 0) {
		inode->used = true;
		inode->nr_lookups++;
		fs->nr_found++;
	} else {
		inode = NULL;
	}
	pthread_mutex_unlock(&fs->table_lock);
	return inode;
}

/* 1: it is found; 0: it has to be opened. */
static int lookup_known(struct phyrfs *fs, int dir_fd, const char *name,
			struct fuse_entry_param *ret_entry)
{
	uint64_t last = fs->last_generation, mount_id, number;
	struct phyrfs_inode *inode;
	struct inode_key key;
	struct stat st;
	int err;

	err = phyrfs_source_stat(fs, dir_fd, name, &st, &mount_id);
	if (!err)
		err = phyrfs_number(fs, st.st_dev, st.st_ino, &number);
	if (err)
		return err;
	key = (struct inode_key){ mount_id, st.st_dev, st.st_ino };
	inode = table_get(fs, &key, last);
	if (!inode)
		return 0;
	st.st_ino = number;
	entry_set(fs, inode, &st, ret_entry);
	return 1;
}

static int lookup_open(struct phyrfs *fs, int dir_fd, const char *name,
		       struct fuse_entry_param *ret_entry)
{
	int fd;

	fd = phyrfs_openat(fs, dir_fd, name, O_PATH | O_NOFOLLOW, 0);
	return fd < 0 ? fd : phyrfs_inode_adopt(fs, fd, ret_entry);
}

int phyrfs_inode_lookup(struct phyrfs *fs, struct phyrfs_inode *parent, const char *name,
			bool known, struct fuse_entry_param *ret_entry)
{
	int dir_fd, ret;

	ret = phyrfs_name_check(name);
	if (ret)
		return ret;
	dir_fd = phyrfs_fd_get(fs, parent);
	if (dir_fd < 0)
		return dir_fd;
	ret = known && !fs->no_xdev ? lookup_known(fs, dir_fd, name, ret_entry) : 0;
	if (!ret)
		ret = lookup_open(fs, dir_fd, name, ret_entry);
	phyrfs_fd_put(parent);
	return ret < 0 ? ret : 0;
}

/* It is not there any more if its number has become another file's. */
static void table_remove(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	struct inode_key key = inode_key_of(inode);
	struct phyrfs_inode **link = &fs->buckets[inode_bucket(fs, &key)];

	while (*link && *link != inode)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = inode->next;
	fs->nr_inodes--;
}

void phyrfs_inode_forget(struct phyrfs *fs, struct phyrfs_inode *inode, uint64_t nr)
{
	bool last = false;

	if (inode == &fs->root)
		return;
	pthread_mutex_lock(&fs->table_lock);
	inode->nr_lookups -= nr < inode->nr_lookups ? nr : inode->nr_lookups;
	if (!inode->nr_lookups) {
		table_remove(fs, inode);
		phyrfs_fds_remove(fs, inode);
		phyrfs_node_free(fs, inode);
		last = !phyrfs_fd_closing(inode);
	}
	pthread_mutex_unlock(&fs->table_lock);
	if (last)
		phyrfs_inode_free(fs, inode);
}

void phyrfs_inode_unlinked(struct phyrfs *fs, const struct phyrfs_inode *dir,
			   const struct stat *st)
{
	struct inode_key key = { dir->mount->id, st->st_dev, st->st_ino };
	struct phyrfs_inode *inode;

	pthread_mutex_lock(&fs->table_lock);
	inode = *table_find(fs, &key);
	if (inode)
		phyrfs_fd_close_nameless(fs, inode);
	pthread_mutex_unlock(&fs->table_lock);
}

int phyrfs_inode_open(struct phyrfs *fs, struct phyrfs_inode *inode, int flags,
		      int *ret_fd)
{
	char name[PHYRFS_PROC_LEN];
	int fd, path_fd;

	/* Opening a device or a FIFO has effects, and the kernel never asks for it. */
	if (inode->type != S_IFREG)
		return -ENXIO;
	path_fd = phyrfs_fd_get(fs, inode);
	if (path_fd < 0)
		return path_fd;
	phyrfs_fd_proc(path_fd, name);
	/* The kernel repeats the flags of a file that was made without a name. */
	flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_TMPFILE);
	fd = phyrfs_openat(fs, AT_FDCWD, name, flags | O_NOCTTY, 0);
	phyrfs_fd_put(inode);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}
