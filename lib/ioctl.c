// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The border to the kernel: the only file that opens /dev/phyr and issues ioctls.
 * Kernel structures become those of phyr.h here, and each reply is checked before
 * anything is made of it.
 */
#include "lib_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <uapi/linux/phyr.h>

struct phyr_dev {
	int fd;
};

#define SAME(ours, abi) \
	_Static_assert((int)(ours) == (int)(abi), #ours " differs from the ABI")
SAME(PHYR_REASON_DIRECT, PHYR_DIRECT);
SAME(PHYR_REASON_NOT_DEVICE_MEMORY, PHYR_NOT_DEVICE_MEMORY);
SAME(PHYR_REASON_MIXED_BUFFER, PHYR_MIXED_BUFFER);
SAME(PHYR_REASON_NOT_NVME, PHYR_NOT_NVME);
SAME(PHYR_REASON_DISK_FORMAT, PHYR_DISK_FORMAT);
SAME(PHYR_REASON_TOPOLOGY, PHYR_TOPOLOGY);
SAME(PHYR_REASON_DMA_MAP, PHYR_DMA_MAP);
SAME(PHYR_REASON_FILESYSTEM, PHYR_FILESYSTEM);
SAME(PHYR_REASON_ALIGNMENT, PHYR_ALIGNMENT);
SAME(PHYR_REASON_REVOKED, PHYR_REVOKED);
SAME(PHYR_REASON_NO_MEMORY, PHYR_NO_MEMORY);
SAME(PHYR_REASON_POLICY, PHYR_POLICY);
SAME(PHYR_REASON_PERMISSION + 1, PHYR_NR_REASONS);
SAME(PHYR_REASONS_MAX, PHYR_STATS_REASONS);
SAME(PHYR_MOUNT_DIRECT, PHYR_POLICY_DIRECT);
SAME(PHYR_MOUNT_OFF, PHYR_POLICY_OFF);
SAME(PHYR_ROUTE_NONE, PHYR_PATH_NONE);
SAME(PHYR_ROUTE_SAME_DEVICE, PHYR_PATH_SAME_DEVICE);
SAME(PHYR_ROUTE_SWITCH, PHYR_PATH_SWITCH);
SAME(PHYR_ROUTE_HOST_BRIDGE, PHYR_PATH_HOST_BRIDGE);

static int call(struct phyr_dev *dev, unsigned long request, void *arg)
{
	return ioctl(dev->fd, request, arg) < 0 ? -errno : 0;
}

int phyr_open(struct phyr_dev **ret_dev)
{
	struct phyr_info info;
	struct phyr_dev *dev;
	int err;

	dev = malloc(sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->fd = open("/dev/phyr", O_RDONLY | O_CLOEXEC);
	if (dev->fd < 0) {
		err = -errno;
		goto free_dev;
	}
	err = phyr_query(dev, &info);
	if (err)
		goto close_fd;
	*ret_dev = dev;
	return 0;

close_fd:
	close(dev->fd);
free_dev:
	free(dev);
	return err;
}

void phyr_close(struct phyr_dev *dev)
{
	if (!dev)
		return;
	close(dev->fd);
	free(dev);
}

int phyr_query(struct phyr_dev *dev, struct phyr_info *ret_info)
{
	struct phyr_query query = { 0 };
	int err;

	err = call(dev, PHYR_IOC_QUERY, &query);
	/* A module with another idea of the call, or something else named /dev/phyr. */
	if (err == -ENOTTY)
		return -EPROTO;
	if (err)
		return err;
	if (query.abi_version != PHYR_ABI_VERSION || query.nr_reasons < 1 ||
	    query.nr_reasons > PHYR_STATS_REASONS || query.hooked > 1)
		return -EPROTO;
	*ret_info = (struct phyr_info){
		.abi_version = query.abi_version,
		.nr_reasons = query.nr_reasons,
		.nr_mounts = query.nr_mounts,
		.hooked = query.hooked,
	};
	return 0;
}

int phyr_mount_add(struct phyr_dev *dev, int fd, int source_fd, unsigned int policy)
{
	struct phyr_mount mount = { .fd = fd, .policy = policy };

	if (source_fd >= 0) {
		mount.flags = PHYR_MOUNT_SOURCE;
		mount.source_fd = source_fd;
	}
	return call(dev, PHYR_IOC_MOUNT_ADD, &mount);
}

int phyr_disk_learn(struct phyr_dev *dev, dev_t disk)
{
	struct phyr_disk_limit limit = { 0 };
	int err;

	limit.disk_fd = disk_open(disk);
	if (limit.disk_fd < 0)
		return limit.disk_fd;
	err = disk_max_transfer(limit.disk_fd, &limit.bytes);
	if (!err)
		err = call(dev, PHYR_IOC_DISK_LIMIT, &limit);
	close(limit.disk_fd);
	return err;
}

static void copy_counts(struct phyr_counter *to, const struct phyr_count *from)
{
	for (int i = 0; i < PHYR_REASONS_MAX; i++)
		to[i] = (struct phyr_counter){ from[i].calls, from[i].bytes };
}

int phyr_stats(struct phyr_dev *dev, unsigned int index,
	       struct phyr_counters *ret_counters)
{
	struct phyr_stats stats = { .index = index };
	int err;

	err = call(dev, PHYR_IOC_STATS, &stats);
	if (err)
		return err;
	if (stats.index != index)
		return -EPROTO;
	*ret_counters = (struct phyr_counters){
		.policy = stats.policy,
		.dev_major = stats.dev_major,
		.dev_minor = stats.dev_minor,
		.zeroed = { stats.zeroed.calls, stats.zeroed.bytes },
		.bounced = { stats.bounced.calls, stats.bounced.bytes },
		.commands = stats.commands,
		.errors = stats.errors,
		.revocations = stats.revocations,
	};
	copy_counts(ret_counters->reads, stats.reads);
	copy_counts(ret_counters->writes, stats.writes);
	return 0;
}

int phyr_route(struct phyr_dev *dev, int disk_fd, const struct phyr_pci_addr *addr,
	       unsigned int bar, struct phyr_route_info *ret_route)
{
	struct phyr_route route = {
		.disk_fd = disk_fd,
		.pci_domain = addr->domain,
		.pci_bus = addr->bus,
		.pci_devfn = addr->device << 3 | addr->function,
		.bar = bar,
	};
	int err;

	if (bar > 5 || addr->device > 31 || addr->function > 7)
		return -ENODEV;
	err = call(dev, PHYR_IOC_ROUTE, &route);
	if (err)
		return err;
	if (route.reason >= PHYR_STATS_REASONS || route.path > PHYR_PATH_HOST_BRIDGE ||
	    (route.reason == PHYR_DIRECT) != (route.path != PHYR_PATH_NONE))
		return -EPROTO;
	*ret_route = (struct phyr_route_info){
		.reason = route.reason,
		.path = route.path,
	};
	return 0;
}
