/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of a small directory tree: what a filesystem has to answer, and to keep.
 *
 * Functions return 0 or -errno as the system call of that name does, and on success do in
 * the model what it does on the disk. One model belongs to one thread.
 */
#ifndef T_MODEL_H
#define T_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define T_NR_NAMES  8 /* in a directory: n0 to n7 */
#define T_NR_NODES  64
#define T_NR_XATTRS 2
#define T_FILE_MAX  (64UL << 10) /* bytes */
#define T_XATTR_MAX 200
#define T_PATH_MAX  1024
#define T_UMASK	    022

struct t_xattr {
	bool set;
	size_t length;
	unsigned char fill; /* the value is nothing but this */
};

/* A file of any type. It is there as long as it has links or is open. */
struct t_node {
	mode_t mode;
	unsigned int nr_links; /* a directory's are what stat(2) says */
	unsigned int nr_opens;
	bool linkable; /* even without links: it never had a name */
	ino_t ino;     /* 0: never asked */
	struct timespec mtime;
	bool mtime_known; /* it was set, and nothing has changed since */
	struct t_xattr xattrs[T_NR_XATTRS];

	size_t size;	     /* a regular file's */
	unsigned char *data; /* T_FILE_MAX bytes, 0 from size on */
	char target[32];     /* a symbolic link's */

	struct t_node *parent; /* the directory's own, as the rest */
	struct t_node *names[T_NR_NAMES];
};

struct t_model {
	struct t_node *nodes[T_NR_NODES]; /* the first is the root */
	unsigned int nr_nodes;
	unsigned int nr_dirs;
};

/* A name, which somebody may have or not. */
struct t_place {
	struct t_node *dir;
	unsigned int nr;
};

void t_model_init(struct t_model *model);
void t_model_free(struct t_model *model);

static inline struct t_node *t_model_at(struct t_place at)
{
	return at.dir->names[at.nr];
}

/* "" of the root, "/n1/n0" of another directory; and of a name in it. */
void t_model_dir_path(const struct t_node *dir, char path[T_PATH_MAX]);
void t_model_path(struct t_place at, char path[T_PATH_MAX]);

/* With O_CREAT it may be a new one. The caller counts opens. */
int t_model_open(struct t_model *model, struct t_place at, int flags, mode_t mode,
		 struct t_node **ret_node);
int t_model_mkdir(struct t_model *model, struct t_place at, mode_t mode);
int t_model_symlink(struct t_model *model, struct t_place at, const char *target);
int t_model_link(struct t_node *node, struct t_place to);
int t_model_unlink(struct t_model *model, struct t_place at);
int t_model_rmdir(struct t_model *model, struct t_place at);
int t_model_rename(struct t_model *model, struct t_place from, struct t_place to,
		   unsigned int flags);

/* A regular file that has no name. */
struct t_node *t_model_tmpfile(struct t_model *model, mode_t mode);

/* After the last link or open: free it. */
void t_model_put(struct t_model *model, struct t_node *node);

void t_node_write(struct t_node *node, size_t pos, const void *data, size_t length);
void t_node_resize(struct t_node *node, size_t size);
void t_node_fallocate(struct t_node *node, int mode, size_t pos, size_t length);

#endif /* T_MODEL_H */
