/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/phyr.
 *
 * Rules that hold for every call:
 *
 *  - Files, mounts and disks are named by file descriptors of the caller, whose
 *    permissions decide; PCI devices by the address that lspci prints. No logical
 *    block, physical or bus address crosses this border in either direction.
 *  - Structures are fixed-width and naturally aligned, the same for 32- and 64-bit
 *    callers. Reserved fields and unknown flags have to be zero, else EINVAL.
 *  - An unknown ioctl number is ENOTTY.
 *  - A call that fails has changed nothing.
 */
#ifndef _UAPI_LINUX_PHYR_H
#define _UAPI_LINUX_PHYR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PHYR_ABI_VERSION	1

/*
 * Why a transfer was, or a pair of devices is, not direct. Numbers are never
 * reused; new ones go before PHYR_NR_REASONS, which is not part of the ABI's
 * promise: a caller asks PHYR_IOC_QUERY how many the kernel knows.
 */
enum phyr_reason {
	PHYR_DIRECT = 0,		/* it is direct */
	PHYR_NOT_DEVICE_MEMORY = 1,	/* page-less memory outside every PCI memory BAR */
	PHYR_MIXED_BUFFER = 2,		/* asynchronous, and only a part was host memory */
	PHYR_NOT_NVME = 3,		/* disk is no plain PCIe NVMe namespace */
	PHYR_DISK_FORMAT = 4,		/* metadata, integrity or zoned format */
	PHYR_TOPOLOGY = 5,		/* no allowed peer-to-peer path between the two */
	PHYR_DMA_MAP = 6,		/* the IOMMU or the DMA mask refused the mapping */
	PHYR_FILESYSTEM = 7,		/* filesystem's own I/O hooks, encryption, atomic write */
	PHYR_ALIGNMENT = 8,		/* pieces of the buffer end inside a disk block */
	PHYR_REVOKED = 9,		/* mapping, device or disk went away */
	PHYR_NO_MEMORY = 10,		/* kernel memory ran out */
	PHYR_POLICY = 11,		/* the mount's policy says no */
	PHYR_PAGE_CACHE = 12,		/* pages of the file in host memory are in use */
	PHYR_SWITCHED_OFF = 13,		/* device or a bridge to it decodes no memory */
	PHYR_PERMISSION = 14,		/* the mapping or a protection key forbids it */
	PHYR_NR_REASONS
};

/* One line of counters: calls and bytes. */
struct phyr_count {
	__u64 calls;
	__u64 bytes;
};

/*
 * PHYR_IOC_QUERY: what this kernel module is. Out only.
 */
struct phyr_query {
	__u32 abi_version;		/* PHYR_ABI_VERSION of the module */
	__u32 nr_reasons;		/* PHYR_NR_REASONS of the module */
	__u32 hooked;			/* 1: phyr_dio is loaded and leads I/O here */
	__u32 nr_mounts;		/* registered mounts */
	__u64 reserved[6];
};

/*
 * PHYR_IOC_MOUNT_ADD: bring a mounted FUSE filesystem into scope, until this open
 * file of /dev/phyr is closed. Needs CAP_SYS_ADMIN.
 *
 * With PHYR_MOUNT_SOURCE files are in scope, too, that a filesystem stacked on that mount,
 * such as overlayfs, opens there: @source_fd is on the mount of the backing filesystem
 * through which the FUSE daemon opens the backing files, and which nobody else uses. It
 * is kept until then.
 *
 * EBADF   @fd or @source_fd is not open
 * EINVAL  @fd is not on a FUSE mount, or a flag, policy or reserved field is unknown
 * EEXIST  the mount is registered already
 */
struct phyr_mount {
	__s32 fd;			/* in: any open file or directory of the mount */
	__u32 policy;			/* in: enum phyr_policy */
	__u64 flags;			/* in: PHYR_MOUNT_SOURCE or 0 */
	__s32 source_fd;		/* in: with PHYR_MOUNT_SOURCE, else 0 */
	__u32 reserved[3];		/* in: 0 */
};

#define PHYR_MOUNT_SOURCE	1

enum phyr_policy {
	PHYR_POLICY_DIRECT = 0,		/* direct, or the error that vanilla gives */
	PHYR_POLICY_OFF = 1,		/* as without phyr */
};

/*
 * PHYR_IOC_STATS: counters since the module was loaded, of one registered mount
 * or, with @index 0, of all I/O including that of mounts that are gone.
 *
 * @reads/@writes [PHYR_DIRECT] counts bytes that the disk moved by DMA; the other
 * places count calls, and the bytes they asked for, that were refused for that
 * reason. @zeroed counts bytes of holes and unwritten extents, which no disk holds,
 * that phyr stored by CPU. What the kernel does without phyr's help, like I/O to host
 * memory, is not counted.
 *
 * ENOENT  @index is past the last mount
 * EINVAL  a reserved field is not zero
 */
#define PHYR_STATS_REASONS	32
struct phyr_stats {
	__u32 index;			/* in: 0 total, n: n-th registered mount */
	__u32 policy;			/* out: enum phyr_policy, of a mount */
	__u32 dev_major;		/* out: st_dev of the mount's files, 0:0 for the total */
	__u32 dev_minor;
	struct phyr_count reads[PHYR_STATS_REASONS];	/* out: by enum phyr_reason */
	struct phyr_count writes[PHYR_STATS_REASONS];	/* out */
	struct phyr_count zeroed;			/* out */
	struct phyr_count bounced;			/* out: copied through host memory */
	__u64 commands;			/* out: NVMe commands sent */
	__u64 errors;			/* out: NVMe commands that failed */
	__u64 revocations;		/* out: mappings taken away from under phyr */
	__u64 reserved[5];
};

/*
 * PHYR_IOC_ROUTE: may this disk reach that BAR, and how?
 *
 * EBADF   @disk_fd is not open
 * ENOTBLK @disk_fd is no block device
 * ENODEV  no such PCI device, or it has no such memory BAR
 * EINVAL  a reserved field is not zero
 */
struct phyr_route {
	__s32 disk_fd;			/* in: an open block device */
	__u32 pci_domain;		/* in: 0000 in 0000:01:02.3 */
	__u8 pci_bus;			/* in: 01 */
	__u8 pci_devfn;			/* in: 02 << 3 | 3 */
	__u16 bar;			/* in: 0 to 5 */
	__u32 reason;			/* out: enum phyr_reason, PHYR_DIRECT when it may */
	__u32 path;			/* out: enum phyr_path */
	__u32 reserved;			/* in: 0 */
};

enum phyr_path {
	PHYR_PATH_NONE = 0,		/* not allowed */
	PHYR_PATH_SAME_DEVICE = 1,	/* BAR and disk are one PCI device */
	PHYR_PATH_SWITCH = 2,		/* below one PCIe switch, by PCI bus address */
	PHYR_PATH_HOST_BRIDGE = 3,	/* through a host bridge that forwards */
};

/*
 * PHYR_IOC_DISK_LIMIT: the most bytes that the controller of a disk takes in one
 * command (NVM Express Base Specification 2.0, Identify Controller, MDTS). The kernel
 * tells modules only the limit of the queue, which with an IOMMU is smaller. Holds for
 * all disks of the controller until its driver lets go of it. A value that is too
 * large makes the controller refuse commands. Needs CAP_SYS_ADMIN.
 *
 * EBADF   @disk_fd is not open
 * ENOTBLK @disk_fd is no block device
 * ENODEV  the disk is none that phyr can use; PHYR_IOC_ROUTE says why
 * EINVAL  @bytes is no multiple of 4096, or 0, or a reserved field is not zero
 */
struct phyr_disk_limit {
	__s32 disk_fd;			/* in: an open block device */
	__u32 bytes;			/* in */
	__u64 reserved;			/* in: 0 */
};

#define PHYR_IOC_MAGIC		0xB7
#define PHYR_IOC_QUERY		_IOR(PHYR_IOC_MAGIC, 0, struct phyr_query)
#define PHYR_IOC_MOUNT_ADD	_IOW(PHYR_IOC_MAGIC, 1, struct phyr_mount)
#define PHYR_IOC_STATS		_IOWR(PHYR_IOC_MAGIC, 2, struct phyr_stats)
#define PHYR_IOC_ROUTE		_IOWR(PHYR_IOC_MAGIC, 3, struct phyr_route)
#define PHYR_IOC_DISK_LIMIT	_IOW(PHYR_IOC_MAGIC, 4, struct phyr_disk_limit)

#endif /* _UAPI_LINUX_PHYR_H */
