/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of t_fuzz, grouped by the file that defines them.
 */
#ifndef T_FUZZ_H
#define T_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/fuse.h>

#include "t.h"

#define T_REQUEST_MAX ((1 << 20) + 4096) /* of the kernel: max_write and a page */

/* All chance comes from here, so the seed repeats a run. */
extern uint64_t t_fuzz_state;

static inline uint64_t t_fuzz_below(uint64_t limit)
{
	return t_random(&t_fuzz_state) % limit;
}

static inline bool t_fuzz_one_in(unsigned int n)
{
	return !t_fuzz_below(n);
}

/* ---------------------------------------------------------------- t_fuzz_known.c */

/* A reference that the daemon has given: to be used until it is given back. */
struct t_known_node {
	uint64_t id;
	uint64_t nr_lookups;
	unsigned int nr_handles; /* the kernel forgets no inode that is open */
	mode_t type;
};

struct t_known_handle {
	uint64_t fh;
	uint64_t id; /* of the node */
	bool dir;
};

/* The first node is the root. The first handles, a file and the root, stay open. */
#define T_KNOWN_OPEN 2

extern struct t_known {
	struct t_known_node *nodes;
	struct t_known_handle *handles;
	size_t nr_nodes, nodes_size;
	size_t nr_handles, handles_size;
} t_known;

void t_known_init(void);
void t_known_learn(const struct fuse_entry_out *entry);
void t_known_forget(uint64_t id, uint64_t nr);

/* Mostly of @type, if not 0. */
const struct t_known_node *t_known_node(mode_t type);

void t_known_open(uint64_t id, uint64_t fh, bool dir);
void t_known_release(uint64_t fh, bool dir);
const struct t_known_handle *t_known_handle(bool dir);

/* -------------------------------------------------------------- t_fuzz_request.c */

/* The request at hand. It keeps behind it what former ones have left there. */
extern union t_request {
	struct fuse_in_header head;
	char bytes[T_REQUEST_MAX + 1]; /* the last is 0 */
} t_request;
extern size_t t_request_size;
extern bool t_request_setxattr_ext; /* was agreed on */

void t_request_begin(uint32_t opcode, uint64_t nodeid);

/* Room for @size bytes more of the argument, cleared. */
void *t_request_add(size_t size);
void t_request_add_text(const char *text);
void t_request_end(void);

/* A random one. */
void t_request_make(void);

static inline const void *t_request_arg(void)
{
	return t_request.bytes + sizeof(t_request.head);
}

#endif /* T_FUZZ_H */
