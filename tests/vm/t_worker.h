/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of t_random: its model, its chance, and how it compares what a call gave
 * with what the model gives. The operations are grouped by the file that defines them.
 */
#ifndef T_WORKER_H
#define T_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "t.h"
#include "t_model.h"

#define T_NR_FDS 12

struct t_open_file {
	int fd, flags;
	struct t_node *node;
};

struct t_worker {
	unsigned int nr;
	uint64_t seed, state;
	uint64_t nr_calls;
	pthread_t thread;
	const char *shared; /* the directory where all meet */
	char root[T_PATH_MAX];
	struct t_model model;
	struct t_open_file files[T_NR_FDS];
	unsigned int nr_files;
	unsigned char *buf;	   /* T_FILE_MAX bytes, page aligned */
	char what[3 * T_PATH_MAX]; /* the call at hand */
};

/* The result of a system call, or -errno. */
int64_t t_sys(int64_t ret);

/* What is going to be called, for t_fail(). */
void t_say(struct t_worker *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Ends the program. Results are in the kernel's style. */
_Noreturn void t_fail(struct t_worker *w, const char *what, int64_t want, int64_t got);
void t_expect(struct t_worker *w, const char *what, int64_t want, int64_t got);
void t_expect_bytes(struct t_worker *w, const void *want, const void *got, size_t length);

static inline uint64_t t_below(struct t_worker *w, uint64_t limit)
{
	return t_random(&w->state) % limit;
}

static inline bool t_one_in(struct t_worker *w, unsigned int n)
{
	return !t_below(w, n);
}

struct t_place t_any_place(struct t_worker *w);

/* With its path. */
struct t_place t_any_path(struct t_worker *w, char path[T_PATH_MAX]);

/* The directory of a place. */
void t_dir_path(struct t_worker *w, struct t_place at, char path[T_PATH_MAX]);

/* Should nothing new be made? */
static inline bool t_worker_full(const struct t_worker *w)
{
	return w->model.nr_nodes >= T_NR_NODES - 4;
}

struct t_op {
	void (*call)(struct t_worker *w);
	unsigned int weight;
};

/* ---------------------------------------------------------------- t_random_file.c */

extern const struct t_op t_file_ops[]; /* up to one without a call; as all of these */

/* Close all files. */
void t_files_close(struct t_worker *w);

/* ---------------------------------------------------------------- t_random_name.c */

extern const struct t_op t_name_ops[];

/* ---------------------------------------------------------------- t_random_attr.c */

extern const struct t_op t_attr_ops[];

struct stat;
void t_stat_check(struct t_worker *w, struct t_node *node, const struct stat *st);
void t_xattrs_check(struct t_worker *w, struct t_node *node, const char *path);

/* ---------------------------------------------------------------- t_random_tree.c */

extern const struct t_op t_tree_ops[];

/* Compare all that the worker has made. */
void t_tree_check(struct t_worker *w);

/* -------------------------------------------------------------- t_random_shared.c */

extern const struct t_op t_shared_ops[];

#endif /* T_WORKER_H */
