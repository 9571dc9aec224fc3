// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * NVMe disks, through sysfs. Three kinds of entry in /sys/block begin with "nvme":
 *
 *   nvme0n1     "device" is the controller nvme0: a plain namespace
 *   nvme0n1     "device" is the subsystem nvme-subsys0: the head of a multipath disk
 *   nvme0c1n1   one path of such a disk; hidden, has no node in /dev
 */
#include "lib_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* /sys/block/.../size counts these, whatever the disk's own blocks are. */
#define SECTOR_BYTES 512

static int disk_visit(const char *name, void *ctx)
{
	struct phyr_disk disk = { 0 };
	uint64_t value, hidden = 0;
	char dir[64], text[256];
	unsigned int ctrl, ns;
	int end = 0;

	if (sscanf(name, "nvme%un%u%n", &ctrl, &ns, &end) != 2 || name[end] ||
	    strlen(name) >= sizeof(disk.name))
		return 0;
	snprintf(dir, sizeof(dir), "/sys/block/%s", name);
	/* A disk may be unplugged at any time: then it simply is not listed. */
	if (sysfs_read_u64(dir, "size", &value) ||
	    __builtin_mul_overflow(value, SECTOR_BYTES, &disk.size_bytes))
		return 0;
	if (!sysfs_read_u64(dir, "hidden", &hidden) && hidden)
		return 0;
	if (!sysfs_read_u64(dir, "queue/logical_block_size", &value))
		disk.block_bytes = value;
	strcpy(disk.name, name);
	snprintf(disk.path, sizeof(disk.path), "/dev/%s", disk.name);
	if (!sysfs_read(dir, "device/model", text, sizeof(text)))
		snprintf(disk.model, sizeof(disk.model), "%.47s", text);

	if (!sysfs_read_link(dir, "device", text, sizeof(text)) &&
	    !strncmp(text, "nvme-subsys", strlen("nvme-subsys")))
		disk.flags |= PHYR_DISK_HEAD;
	else if (!sysfs_read(dir, "device/transport", text, sizeof(text)) &&
		 !strcmp(text, "pcie") &&
		 !sysfs_read(dir, "device/address", text, sizeof(text)) &&
		 !phyr_pci_parse(text, &disk.addr))
		disk.flags |= PHYR_DISK_PCIE;
	return vec_append(ctx, &disk, sizeof(disk));
}

static int disk_compare(const void *va, const void *vb)
{
	const struct phyr_disk *a = va, *b = vb;

	/* By number: nvme2n1 before nvme10n1. */
	return strverscmp(a->name, b->name);
}

int phyr_disk_list(struct phyr_disk **ret_disks, size_t *ret_nr)
{
	struct vec vec = { 0 };
	int err;

	err = sysfs_for_each("/sys/block", disk_visit, &vec);
	if (err) {
		free(vec.items);
		return err;
	}
	if (vec.nr)
		qsort(vec.items, vec.nr, sizeof(struct phyr_disk), disk_compare);
	*ret_disks = vec.items;
	*ret_nr = vec.nr;
	return 0;
}
