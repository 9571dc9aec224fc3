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
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* /sys/block/.../size counts these, whatever the disk's own blocks are. */
#define SECTOR_BYTES 512

/* What "device" of a multipath disk is, with a number. */
#define NVME_SUBSYSTEM "nvme-subsys"

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
	    !strncmp(text, NVME_SUBSYSTEM, strlen(NVME_SUBSYSTEM)))
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

/* What is no NVMe disk, in words; NULL if there are none but that. */
static const char *disk_other_kind(const char *dir)
{
	static const struct {
		const char *prefix; /* of dm/uuid */
		const char *kind;
	} mappers[] = {
		{ "LVM-", "LVM" },
		{ "CRYPT-", "dm-crypt" },
		{ "mpath-", "multipath" },
		{ "", "device mapper" },
	};
	char text[256];

	if (!sysfs_read(dir, "dm/uuid", text, sizeof(text)))
		for (size_t i = 0; i < ARRAY_SIZE(mappers); i++)
			if (!strncmp(text, mappers[i].prefix, strlen(mappers[i].prefix)))
				return mappers[i].kind;
	if (!sysfs_read(dir, "md/level", text, sizeof(text)))
		return "software RAID";
	if (!sysfs_read(dir, "loop/backing_file", text, sizeof(text)))
		return "loop device";
	return NULL;
}

/* Is the namespace in @dir one that the module would take? */
static unsigned int disk_explain_nvme(const char *dir, char *text)
{
	char value[64];
	uint64_t bytes;

	if (!sysfs_read_link(dir, "device", value, sizeof(value)) &&
	    !strncmp(value, NVME_SUBSYSTEM, strlen(NVME_SUBSYSTEM))) {
		snprintf(text, DISK_TEXT_LEN,
			 " (NVMe multipath), which phyr cannot read past; boot with "
			 "nvme_core.multipath=N");
		return PHYR_REASON_NOT_NVME;
	}
	if (!sysfs_read(dir, "device/transport", value, sizeof(value)) &&
	    strcmp(value, "pcie")) {
		snprintf(text, DISK_TEXT_LEN,
			 " (NVMe over %.16s); only an NVMe disk on PCIe is direct",
			 value);
		return PHYR_REASON_NOT_NVME;
	}
	if (!sysfs_read_u64(dir, "metadata_bytes", &bytes) && bytes) {
		snprintf(text, DISK_TEXT_LEN,
			 ", whose blocks have metadata; format it without, see "
			 "nvme-format(1)");
		return PHYR_REASON_DISK_FORMAT;
	}
	if (!sysfs_read(dir, "queue/zoned", value, sizeof(value)) &&
	    strcmp(value, "none")) {
		snprintf(text, DISK_TEXT_LEN,
			 ", which has zones; only a namespace without is direct");
		return PHYR_REASON_DISK_FORMAT;
	}
	text[0] = '\0';
	return PHYR_REASON_DIRECT;
}

unsigned int disk_explain(dev_t disk, char path[DISK_PATH_LEN], char text[DISK_TEXT_LEN])
{
	char number[32], name[DISK_PATH_LEN - sizeof("/dev/")], dir[64];
	const char *kind;

	snprintf(number, sizeof(number), "%u:%u", major(disk), minor(disk));
	if (sysfs_read_link("/sys/dev/block", number, name, sizeof(name))) {
		snprintf(path, DISK_PATH_LEN, "device %s", number);
		snprintf(text, DISK_TEXT_LEN,
			 ", which is no disk that /sys knows; is /sys mounted?");
		return PHYR_REASON_NOT_NVME;
	}
	snprintf(path, DISK_PATH_LEN, "/dev/%s", name);
	snprintf(dir, sizeof(dir), "/sys/dev/block/%s", number);
	/* A partition is a directory in that of its disk. */
	if (!sysfs_read(dir, "partition", name, sizeof(name)))
		strcat(dir, "/..");
	kind = disk_other_kind(dir);
	if (!kind && !sysfs_read(dir, "nsid", name, sizeof(name)))
		return disk_explain_nvme(dir, text);
	if (kind)
		snprintf(text, DISK_TEXT_LEN, " (%s), which phyr cannot read past", kind);
	else
		snprintf(text, DISK_TEXT_LEN, ", which is no NVMe disk");
	strcat(text, "; only a plain NVMe namespace or a partition of it is direct");
	return PHYR_REASON_NOT_NVME;
}

int disk_open(dev_t disk)
{
	char number[32], name[64], path[sizeof("/dev/") + sizeof(name)];
	struct stat st;
	int err, fd;

	snprintf(number, sizeof(number), "%u:%u", major(disk), minor(disk));
	err = sysfs_read_link("/sys/dev/block", number, name, sizeof(name));
	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Between the two, the name may have become another disk's. */
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != disk) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/*
 * NVM Express Base Specification 2.0: the Identify command (5.17) and the field MDTS of
 * its data structure for the controller: a power of two, in units of the controller's
 * smallest page. That is 4 KiB or more (CAP.MPSMIN), so 4 KiB is safe.
 */
#define IDENTIFY_OPCODE	    0x06
#define IDENTIFY_BYTES	    4096
#define IDENTIFY_CONTROLLER 1
#define IDENTIFY_MDTS	    77 /* offset */
#define MDTS_UNIT_SHIFT	    12
#define MDTS_MAX	    (31 - MDTS_UNIT_SHIFT)

int disk_max_transfer(int fd, uint32_t *ret_bytes)
{
	uint8_t data[IDENTIFY_BYTES] = { 0 };
	struct nvme_admin_cmd cmd = {
		.opcode = IDENTIFY_OPCODE,
		.addr = (uintptr_t)data,
		.data_len = sizeof(data),
		.cdw10 = IDENTIFY_CONTROLLER,
	};
	int status;

	status = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &cmd);
	if (status < 0)
		return -errno;
	/* what the controller said, by NVMe's numbers */
	if (status > 0)
		return -EIO;
	if (!data[IDENTIFY_MDTS] || data[IDENTIFY_MDTS] > MDTS_MAX)
		return -ERANGE;
	*ret_bytes = UINT32_C(1) << (data[IDENTIFY_MDTS] + MDTS_UNIT_SHIFT);
	return 0;
}
