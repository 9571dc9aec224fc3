/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between libphyr and the daemon phyrfs: an ioctl on any open directory of a phyrfs
 * mount. Both have to be of one version, which is the first field of what the daemon
 * answers. Not installed; programs use phyr_requests().
 */
#ifndef PHYRFS_ABI_H
#define PHYRFS_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

#define PHYRFS_ABI_VERSION 1
#define PHYRFS_OPS_MAX	   40
#define PHYRFS_OP_NAME	   16
#define PHYRFS_BUCKETS	   24

struct phyrfs_op_stats {
	char name[PHYRFS_OP_NAME];
	uint64_t calls;
	uint64_t ns;			  /* of all calls */
	uint64_t latency[PHYRFS_BUCKETS]; /* calls below 1024 ns << index; last: all
					     others */
};

struct phyrfs_stats {
	uint32_t version;
	uint32_t nr_ops;
	uint64_t nr_inodes;    /* that the kernel knows now */
	uint64_t nr_fds;       /* of them, have an fd now */
	uint64_t found;	       /* lookups of inodes that were known */
	uint64_t made;	       /* and of others */
	uint64_t opens_passed; /* whose data the kernel reads and writes */
	uint64_t opens_daemon; /* whose data goes through the daemon */
	struct phyrfs_op_stats ops[PHYRFS_OPS_MAX];
};

/*
 * The number names this size whatever struct phyrfs_stats has become: so a daemon and a
 * library of different versions understand each other well enough to say so.
 */
#define PHYRFS_STATS_BYTES 16000
#define PHYRFS_IOC_STATS   _IOC(_IOC_READ, 0xB7, 64, PHYRFS_STATS_BYTES)

#endif /* PHYRFS_ABI_H */
