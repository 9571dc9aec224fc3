// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Node ids: numbers by which the kernel names inodes, and which it shows to any user
 * (name_to_handle_at(2) with AT_HANDLE_FID, marks of inotify in /proc). So they are no
 * addresses, but indices into arrays of addresses that never move: each is twice as long
 * as the one before. To go from a number to its inode takes no lock.
 */
#include "phyrfs.h"

#include <errno.h>
#include <stdlib.h>

/* 0 and 1 (FUSE_ROOT_ID) are no inodes of the table. */
#define NODE_FIRST 2
#define LEVEL_BITS 10 /* of the first array's length */

/* A free slot holds twice the index of the next free one, plus 1: no address is odd. */
typedef atomic_uintptr_t node_slot;

static unsigned int node_level(uint64_t node)
{
	return 63 - __builtin_clzll(node + (1 << LEVEL_BITS)) - LEVEL_BITS;
}

static node_slot *node_slot_of(const struct phyrfs *fs, uint64_t node)
{
	unsigned int level = node_level(node);
	node_slot *slots = fs->nodes[level];

	return slots + node + (1 << LEVEL_BITS) - (UINT64_C(1) << (LEVEL_BITS + level));
}

struct phyrfs_inode *phyrfs_node_inode(const struct phyrfs *fs, uint64_t node)
{
	return (struct phyrfs_inode *)*node_slot_of(fs, node);
}

/* One that was never used. */
static int node_extend(struct phyrfs *fs, uint64_t *ret_node)
{
	uint64_t node = fs->nr_nodes + NODE_FIRST;
	unsigned int level = node_level(node);

	if (node > UINT32_MAX)
		return -ENOMEM;
	if (!fs->nodes[level]) {
		fs->nodes[level] =
			calloc(UINT64_C(1) << (LEVEL_BITS + level), sizeof(node_slot));
		if (!fs->nodes[level])
			return -ENOMEM;
	}
	fs->nr_nodes++;
	*ret_node = node;
	return 0;
}

int phyrfs_node_new(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	uint64_t node = fs->node_free;
	int err;

	if (node) {
		fs->node_free = *node_slot_of(fs, node) >> 1;
	} else {
		err = node_extend(fs, &node);
		if (err)
			return err;
	}
	*node_slot_of(fs, node) = (uintptr_t)inode;
	inode->node = node;
	return 0;
}

void phyrfs_node_free(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	*node_slot_of(fs, inode->node) = (uintptr_t)fs->node_free << 1 | 1;
	fs->node_free = inode->node;
}

void phyrfs_nodes_free(struct phyrfs *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(fs->nodes); i++)
		free(fs->nodes[i]);
}
