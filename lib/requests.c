// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the daemon of a phyrfs mount counts. The answer is the daemon's, which anybody may
 * have mounted: it is checked before anything is made of it.
 */
#include "lib_private.h"

#include <phyrfs_abi.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

_Static_assert(PHYR_REQUESTS_MAX == PHYRFS_OPS_MAX, "differs from the daemon's");
_Static_assert(PHYR_LATENCIES == PHYRFS_BUCKETS, "differs from the daemon's");
_Static_assert(sizeof(((struct phyr_request *)0)->name) == PHYRFS_OP_NAME,
	       "differs from the daemon's");
_Static_assert(sizeof(struct phyrfs_stats) <= PHYRFS_STATS_BYTES,
	       "the answer has no room");

static int stats_copy(const struct phyrfs_stats *stats, struct phyr_requests *ret)
{
	if (stats->version != PHYRFS_ABI_VERSION || stats->nr_ops > PHYRFS_OPS_MAX)
		return -EPROTO;
	*ret = (struct phyr_requests){
		.nr_inodes = stats->nr_inodes,
		.nr_fds = stats->nr_fds,
		.found = stats->found,
		.made = stats->made,
		.opens_passed = stats->opens_passed,
		.opens_daemon = stats->opens_daemon,
		.nr = stats->nr_ops,
	};
	for (unsigned int i = 0; i < stats->nr_ops; i++) {
		const struct phyrfs_op_stats *op = &stats->ops[i];
		struct phyr_request *request = &ret->request[i];

		if (!memchr(op->name, '\0', sizeof(op->name)))
			return -EPROTO;
		memcpy(request->name, op->name, sizeof(op->name));
		request->calls = op->calls;
		request->ns = op->ns;
		memcpy(request->latency, op->latency, sizeof(op->latency));
	}
	return 0;
}

int phyr_requests(int fd, struct phyr_requests *ret_requests)
{
	struct phyr_requests requests;
	struct phyrfs_stats *stats;
	int err;

	stats = calloc(1, PHYRFS_STATS_BYTES);
	if (!stats)
		return -ENOMEM;
	err = ioctl(fd, PHYRFS_IOC_STATS, stats) < 0 ? -errno : 0;
	if (!err)
		err = stats_copy(stats, &requests);
	free(stats);
	if (!err)
		*ret_requests = requests;
	return err;
}
