// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each ioctl of /dev/phyr with bad input: the errors that uapi/linux/phyr.h names, and
 * no change of the counters or the number of mounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/phyr.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "t.h"

static int phyr, nr_wrong;

static void expect(int want, const char *what, unsigned long request, void *arg)
{
	int got = ioctl(phyr, request, arg) < 0 ? errno : 0;

	if (got == want)
		return;
	nr_wrong++;
	printf("%s: %s, wanted %s\n", what, t_errname(got), t_errname(want));
}

static void check_mount(int dir, int mnt)
{
	struct phyr_mount good = { .fd = mnt }, bad;

#define BAD(want, field, value)           \
	(bad = good, bad.field = (value), \
	 expect(want, "mount: " #field " = " #value, PHYR_IOC_MOUNT_ADD, &bad))
	BAD(EBADF, fd, -1);
	BAD(EINVAL, fd, dir);
	BAD(EINVAL, policy, 2);
	BAD(EINVAL, flags, 2);
	BAD(EINVAL, source_fd, mnt);
	BAD(EINVAL, reserved[0], 1);
	BAD(EINVAL, reserved[2], UINT32_MAX);
	good.flags = PHYR_MOUNT_SOURCE;
	BAD(EBADF, source_fd, -1);
	good.flags = 0;
#undef BAD
	expect(EEXIST, "mount: the same", PHYR_IOC_MOUNT_ADD, &good);
}

static void check_stats(void)
{
	struct phyr_stats bad = { .index = 1000 };

	expect(ENOENT, "stats: index = 1000", PHYR_IOC_STATS, &bad);
	bad = (struct phyr_stats){ .reserved[4] = 1 };
	expect(EINVAL, "stats: reserved[4] = 1", PHYR_IOC_STATS, &bad);
}

static void check_route(int dir, int disk)
{
	struct phyr_route good = { .disk_fd = disk, .bar = 2 }, bad;

#define BAD(want, field, value)           \
	(bad = good, bad.field = (value), \
	 expect(want, "route: " #field " = " #value, PHYR_IOC_ROUTE, &bad))
	BAD(EBADF, disk_fd, -1);
	BAD(ENOTBLK, disk_fd, dir);
	BAD(ENODEV, pci_domain, UINT32_MAX);
	BAD(ENODEV, pci_bus, 0xff);
	BAD(ENODEV, bar, 6);
	BAD(ENODEV, bar, UINT16_MAX);
	BAD(EINVAL, reserved, 1);
#undef BAD
}

static void check_disk_limit(int dir, int disk)
{
	struct phyr_disk_limit good = { .disk_fd = disk, .bytes = 4096 }, bad;

#define BAD(want, field, value)           \
	(bad = good, bad.field = (value), \
	 expect(want, "disk limit: " #field " = " #value, PHYR_IOC_DISK_LIMIT, &bad))
	BAD(EBADF, disk_fd, -1);
	BAD(ENOTBLK, disk_fd, dir);
	BAD(EINVAL, bytes, 0);
	BAD(EINVAL, bytes, 4095);
	BAD(EINVAL, bytes, UINT32_MAX);
	BAD(EINVAL, reserved, 1);
#undef BAD
}

/* What any caller may not do, or may not reach. */
static void check_caller(void)
{
	struct phyr_disk_limit limit = { .disk_fd = -1, .bytes = 4096 };
	struct phyr_mount mount = { .fd = -1 };
	unsigned long requests[] = { PHYR_IOC_QUERY, PHYR_IOC_MOUNT_ADD, PHYR_IOC_STATS,
				     PHYR_IOC_ROUTE, PHYR_IOC_DISK_LIMIT };

	for (size_t i = 0; i < t_array_size(requests); i++)
		expect(EFAULT, "argument at NULL", requests[i], NULL);
	expect(ENOTTY, "an unknown number", _IO(PHYR_IOC_MAGIC, 99), NULL);
	if (setuid(65534))
		t_die("setuid");
	expect(EPERM, "mount by nobody", PHYR_IOC_MOUNT_ADD, &mount);
	expect(EPERM, "disk limit by nobody", PHYR_IOC_DISK_LIMIT, &limit);
}

static void state_get(struct phyr_query *query, struct phyr_stats *stats)
{
	*stats = (struct phyr_stats){ 0 };
	if (ioctl(phyr, PHYR_IOC_QUERY, query) || ioctl(phyr, PHYR_IOC_STATS, stats))
		t_die("/dev/phyr");
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		t_die("open %s", path);
	return fd;
}

int main(int argc, char **argv)
{
	struct phyr_query query, query_after;
	struct phyr_stats stats, stats_after;
	int dir, disk, mnt;

	if (argc != 4)
		t_usage("DIR PHYRFS-MOUNT DISK");
	phyr = open_or_die("/dev/phyr", O_RDWR);
	dir = open_or_die(argv[1], O_RDONLY);
	mnt = open_or_die(argv[2], O_RDONLY);
	disk = open_or_die(argv[3], O_RDONLY);

	state_get(&query, &stats);
	check_mount(dir, mnt);
	check_stats();
	check_route(dir, disk);
	check_disk_limit(dir, disk);
	check_caller();
	state_get(&query_after, &stats_after);
	if (memcmp(&query, &query_after, sizeof(query)) ||
	    memcmp(&stats, &stats_after, sizeof(stats))) {
		nr_wrong++;
		puts("bad input changed the counters or the mounts");
	}
	if (!nr_wrong)
		puts("ok");
	return nr_wrong ? 1 : 0;
}
