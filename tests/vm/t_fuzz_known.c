// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel would know: node ids and file handles that the daemon has given, until
 * they are given back. Requests have no others.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "t_fuzz.h"

uint64_t t_fuzz_state;
struct t_known t_known;

static void *grow(void *array, size_t *size, size_t nr, size_t each)
{
	if (nr < *size)
		return array;
	*size = *size ? *size * 2 : 64;
	array = realloc(array, *size * each);
	if (!array)
		t_die("memory");
	return array;
}

void t_known_init(void)
{
	t_known.nodes = grow(NULL, &t_known.nodes_size, 0, sizeof(*t_known.nodes));
	t_known.nodes[t_known.nr_nodes++] =
		(struct t_known_node){ FUSE_ROOT_ID, 1, 0, S_IFDIR };
}

static struct t_known_node *node_find(uint64_t id)
{
	for (size_t i = 0; i < t_known.nr_nodes; i++)
		if (t_known.nodes[i].id == id)
			return &t_known.nodes[i];
	t_die("node id %#" PRIx64 " is not known", id);
}

void t_known_learn(const struct fuse_entry_out *entry)
{
	if (!entry->nodeid) /* there is none, and that may be believed */
		return;
	for (size_t i = 0; i < t_known.nr_nodes; i++) {
		if (t_known.nodes[i].id != entry->nodeid)
			continue;
		t_known.nodes[i].nr_lookups++;
		return;
	}
	t_known.nodes = grow(t_known.nodes, &t_known.nodes_size, t_known.nr_nodes,
			     sizeof(*t_known.nodes));
	t_known.nodes[t_known.nr_nodes++] = (struct t_known_node){
		.id = entry->nodeid,
		.nr_lookups = 1,
		.type = entry->attr.mode & S_IFMT,
	};
}

void t_known_forget(uint64_t id, uint64_t nr)
{
	struct t_known_node *node = node_find(id);

	if (node->id == FUSE_ROOT_ID)
		return;
	node->nr_lookups -= t_min(nr, node->nr_lookups);
	if (!node->nr_lookups)
		*node = t_known.nodes[--t_known.nr_nodes];
}

const struct t_known_node *t_known_node(mode_t type)
{
	const struct t_known_node *node = &t_known.nodes[0];

	/* Some nodes are of the wrong type, and the more the less there are of it. */
	for (int i = 0; i < 8; i++) {
		node = &t_known.nodes[t_fuzz_below(t_known.nr_nodes)];
		if (!type || node->type == type || t_fuzz_one_in(64))
			return node;
	}
	return type == S_IFDIR ? &t_known.nodes[0] : node;
}

void t_known_open(uint64_t id, uint64_t fh, bool dir)
{
	t_known.handles = grow(t_known.handles, &t_known.handles_size, t_known.nr_handles,
			       sizeof(*t_known.handles));
	t_known.handles[t_known.nr_handles++] = (struct t_known_handle){ fh, id, dir };
	node_find(id)->nr_handles++;
}

void t_known_release(uint64_t fh, bool dir)
{
	for (size_t i = 0; i < t_known.nr_handles; i++) {
		if (t_known.handles[i].fh != fh || t_known.handles[i].dir != dir)
			continue;
		node_find(t_known.handles[i].id)->nr_handles--;
		t_known.handles[i] = t_known.handles[--t_known.nr_handles];
		return;
	}
}

const struct t_known_handle *t_known_handle(bool dir)
{
	const struct t_known_handle *handle;

	do
		handle = &t_known.handles[t_fuzz_below(t_known.nr_handles)];
	while (handle->dir != dir);
	return handle;
}
