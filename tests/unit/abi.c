// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ABI of /dev/phyr, as compiled: sizes, offsets, numbers. Programs that were
 * built yesterday hold these; a line here changes only together with
 * PHYR_ABI_VERSION. Of what the daemon answers only the number of the call and the place
 * of the version never change: by these, two versions find out that they differ.
 */
#include <assert.h>
#include <stddef.h>

#include <linux/phyr.h>
#include <phyrfs_abi.h>

#define SIZE(type, bytes) static_assert(sizeof(struct type) == (bytes), #type)
#define AT(type, field, bytes) \
	static_assert(offsetof(struct type, field) == (bytes), #type "." #field)
#define NUMBER(name, value) static_assert((name) == (value), #name)

SIZE(phyr_count, 16);
AT(phyr_count, calls, 0);
AT(phyr_count, bytes, 8);

SIZE(phyr_query, 64);
AT(phyr_query, abi_version, 0);
AT(phyr_query, nr_reasons, 4);
AT(phyr_query, hooked, 8);
AT(phyr_query, nr_mounts, 12);
AT(phyr_query, reserved, 16);

SIZE(phyr_mount, 32);
AT(phyr_mount, fd, 0);
AT(phyr_mount, policy, 4);
AT(phyr_mount, flags, 8);
AT(phyr_mount, source_fd, 16);
AT(phyr_mount, reserved, 20);

SIZE(phyr_stats, 1136);
AT(phyr_stats, index, 0);
AT(phyr_stats, policy, 4);
AT(phyr_stats, dev_major, 8);
AT(phyr_stats, dev_minor, 12);
AT(phyr_stats, reads, 16);
AT(phyr_stats, writes, 528);
AT(phyr_stats, zeroed, 1040);
AT(phyr_stats, bounced, 1056);
AT(phyr_stats, commands, 1072);
AT(phyr_stats, errors, 1080);
AT(phyr_stats, revocations, 1088);
AT(phyr_stats, reserved, 1096);

SIZE(phyr_route, 24);
AT(phyr_route, disk_fd, 0);
AT(phyr_route, pci_domain, 4);
AT(phyr_route, pci_bus, 8);
AT(phyr_route, pci_devfn, 9);
AT(phyr_route, bar, 10);
AT(phyr_route, reason, 12);
AT(phyr_route, path, 16);
AT(phyr_route, reserved, 20);

SIZE(phyr_disk_limit, 16);
AT(phyr_disk_limit, disk_fd, 0);
AT(phyr_disk_limit, bytes, 4);
AT(phyr_disk_limit, reserved, 8);

NUMBER(PHYR_IOC_QUERY, 0x8040b700);
NUMBER(PHYR_IOC_MOUNT_ADD, 0x4020b701);
NUMBER(PHYR_IOC_STATS, 0xc470b702);
NUMBER(PHYR_IOC_ROUTE, 0xc018b703);
NUMBER(PHYR_IOC_DISK_LIMIT, 0x4010b704);

NUMBER(PHYR_DIRECT, 0);
NUMBER(PHYR_NOT_DEVICE_MEMORY, 1);
NUMBER(PHYR_MIXED_BUFFER, 2);
NUMBER(PHYR_NOT_NVME, 3);
NUMBER(PHYR_DISK_FORMAT, 4);
NUMBER(PHYR_TOPOLOGY, 5);
NUMBER(PHYR_DMA_MAP, 6);
NUMBER(PHYR_FILESYSTEM, 7);
NUMBER(PHYR_ALIGNMENT, 8);
NUMBER(PHYR_REVOKED, 9);
NUMBER(PHYR_NO_MEMORY, 10);
NUMBER(PHYR_POLICY, 11);
NUMBER(PHYR_PAGE_CACHE, 12);
NUMBER(PHYR_SWITCHED_OFF, 13);
NUMBER(PHYR_PERMISSION, 14);
static_assert(PHYR_NR_REASONS <= PHYR_STATS_REASONS, "phyr_stats has no room");

NUMBER(PHYR_PATH_NONE, 0);
NUMBER(PHYR_PATH_SAME_DEVICE, 1);
NUMBER(PHYR_PATH_SWITCH, 2);
NUMBER(PHYR_PATH_HOST_BRIDGE, 3);

NUMBER(PHYR_POLICY_DIRECT, 0);
NUMBER(PHYR_POLICY_OFF, 1);

AT(phyrfs_stats, version, 0);
NUMBER(PHYRFS_IOC_STATS, 0xbe80b740);
