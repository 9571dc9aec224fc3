/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libphyr: direct I/O between NVMe disks and device memory, seen from a program.
 *
 * The words used here:
 *
 *   BAR      a window through which a PCI device shows its memory. A program maps
 *            it with mmap() of a file such as /sys/bus/pci/devices/.../resource2_wc.
 *   disk     an NVMe namespace, such as /dev/nvme0n1.
 *   route    whether, and on which path, a disk can move data into a BAR and out of
 *            it without a copy through host memory.
 *   reason   why a transfer was, or a pair of devices is, not direct.
 *   mount    a phyrfs file system. Files below it are in the scope of the kernel
 *            module phyr, and only they are.
 *
 * Rules that hold for every function:
 *
 *  - The result is 0 or a negative errno; functions that cannot fail return their
 *    answer. What a function gives comes out through its last parameters, ret_*,
 *    which are left alone when it fails.
 *  - Functions are safe to call from several threads, also on one struct phyr_dev,
 *    as long as no thread closes it meanwhile.
 *  - Strings that are returned are static: never free them.
 *  - Discovery (phyr_bar_list(), phyr_disk_list()) and names need neither the kernel
 *    module nor privileges.
 */
#ifndef PHYR_H
#define PHYR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------- reasons */

/* A newer module may know more reasons than this header, up to PHYR_REASONS_MAX. */
enum phyr_reason_number {
	PHYR_REASON_DIRECT = 0, /* it is direct */
	PHYR_REASON_NOT_DEVICE_MEMORY = 1,
	PHYR_REASON_MIXED_BUFFER = 2,
	PHYR_REASON_NOT_NVME = 3,
	PHYR_REASON_DISK_FORMAT = 4,
	PHYR_REASON_TOPOLOGY = 5,
	PHYR_REASON_DMA_MAP = 6,
	PHYR_REASON_FILESYSTEM = 7,
	PHYR_REASON_ALIGNMENT = 8,
	PHYR_REASON_REVOKED = 9,
	PHYR_REASON_NO_MEMORY = 10,
	PHYR_REASON_POLICY = 11,
	PHYR_REASON_PAGE_CACHE = 12,
	PHYR_REASON_SWITCHED_OFF = 13,
	PHYR_REASON_PERMISSION = 14,
};
#define PHYR_REASONS_MAX 32

/* phyr_reason_name() - "topology"; "unknown" for a number without a name. */
const char *phyr_reason_name(unsigned int reason);

/* phyr_reason_text() - one line: what the reason means and what to do about it. */
const char *phyr_reason_text(unsigned int reason);

/* ----------------------------------------------------------------------- module */

/* An open /dev/phyr. */
struct phyr_dev;

/*
 * phyr_open() - open the kernel module's device, and check that it speaks our ABI.
 *
 * -ENOENT  the module is not loaded
 * -EACCES  no permission: the device belongs to root and the group phyr
 * -EPROTO  the module's ABI is not the one of this library
 * or another error of open(2).
 */
int phyr_open(struct phyr_dev **ret_dev);

/*
 * phyr_close() - close it; NULL is fine. Mounts that were added through @dev leave
 * the scope.
 */
void phyr_close(struct phyr_dev *dev);

/* phyr_open_text() - one line: what an error of phyr_open() means and what to do. */
const char *phyr_open_text(int error);

struct phyr_info {
	unsigned int abi_version;
	unsigned int nr_reasons; /* the module counts reasons 0 to nr_reasons - 1 */
	unsigned int nr_mounts;	 /* mounts in scope */
	bool hooked;		 /* phyr_dio is loaded and active */
};

/* phyr_query() - what the module is and does at the moment. -EPROTO as phyr_open(). */
int phyr_query(struct phyr_dev *dev, struct phyr_info *ret_info);

/* ----------------------------------------------------------------------- mounts */

enum phyr_mount_policy {
	PHYR_MOUNT_DIRECT = 0, /* direct, or the error that plain Linux gives */
	PHYR_MOUNT_OFF = 1,    /* as if phyr were not there */
};

/* phyr_policy_name() - "direct", "off"; "unknown" for a number without a name. */
const char *phyr_policy_name(unsigned int policy);

/* phyr_policy_parse() - the other way round. -EINVAL: no policy has this name. */
int phyr_policy_parse(const char *name, unsigned int *ret_policy);

/*
 * phyr_mount_add() - bring a mounted FUSE file system into scope, until phyr_close()
 * or the end of the process. @fd is any file or directory of it that the caller has
 * open. @source_fd, or else -1, is on the mount through which its daemon opens the files
 * that it passes through, and which only that uses: files of an overlayfs, say, whose
 * layers are on the file system are in scope then, too. Needs CAP_SYS_ADMIN.
 *
 * -EBADF   @fd or @source_fd is not open
 * -EINVAL  @fd is not on a FUSE mount, or the module does not know the policy
 * -EEXIST  the mount is in scope already
 * -EPERM   no CAP_SYS_ADMIN
 */
int phyr_mount_add(struct phyr_dev *dev, int fd, int source_fd, unsigned int policy);

/* --------------------------------------------------------------------- counters */

struct phyr_counter {
	uint64_t calls;
	uint64_t bytes;
};

/*
 * Counters since the module was loaded. reads[0] and writes[0] are what went direct;
 * the other places, by reason, are calls that were refused and the bytes they asked
 * for.
 */
struct phyr_counters {
	unsigned int policy;	/* of a mount */
	unsigned int dev_major; /* st_dev of the mount's files; 0:0 for the total */
	unsigned int dev_minor;
	struct phyr_counter reads[PHYR_REASONS_MAX];
	struct phyr_counter writes[PHYR_REASONS_MAX];
	struct phyr_counter zeroed;  /* holes of files, stored by the CPU */
	struct phyr_counter bounced; /* copied through host memory */
	uint64_t commands;	     /* NVMe commands sent */
	uint64_t errors;	     /* NVMe commands that failed */
	uint64_t revocations;	     /* mappings that went away while phyr knew them */
};

/*
 * phyr_stats() - counters of all I/O since the module was loaded (@index 0), or of
 * the @index-th mount that is in scope now (from 1).
 *
 * -ENOENT  there are fewer mounts
 */
int phyr_stats(struct phyr_dev *dev, unsigned int index,
	       struct phyr_counters *ret_counters);

/* --------------------------------------------------------------------- requests */

/* What the daemon of a phyrfs mount was asked for since it was mounted. */
#define PHYR_REQUESTS_MAX 40
#define PHYR_LATENCIES	  24
struct phyr_request {
	char name[16]; /* of the FUSE operation: "lookup" */
	uint64_t calls;
	uint64_t ns;			  /* that the daemon took for all of them */
	uint64_t latency[PHYR_LATENCIES]; /* calls below 1024 ns << index; last: others */
};

struct phyr_requests {
	uint64_t nr_inodes;    /* that the kernel knows now */
	uint64_t nr_fds;       /* of them, have an fd now */
	uint64_t found;	       /* lookups of inodes that were known */
	uint64_t made;	       /* and of others */
	uint64_t opens_passed; /* of files whose data the kernel reads and writes */
	uint64_t opens_daemon; /* of files whose data goes through the daemon */
	unsigned int nr;       /* of operations */
	struct phyr_request request[PHYR_REQUESTS_MAX];
};

/*
 * phyr_requests() - ask the daemon of a mount. @fd is any directory of it that the caller
 * has open. Needs no module.
 *
 * -ENOTTY  @fd is not on a phyrfs mount
 * -EPROTO  the daemon is of another version
 */
int phyr_requests(int fd, struct phyr_requests *ret_requests);

/* ----------------------------------------------------------------------- routes */

/* A PCI address as lspci -D prints it: 0000:01:02.3. */
struct phyr_pci_addr {
	uint32_t domain;
	uint8_t bus;
	uint8_t device;	  /* 0 to 31 */
	uint8_t function; /* 0 to 7 */
};

/*
 * phyr_pci_parse() - read "0000:01:02.3" or "01:02.3".
 *
 * -EINVAL  @text is anything else; so the whole of @text is the address
 */
int phyr_pci_parse(const char *text, struct phyr_pci_addr *ret_addr);

/* phyr_pci_format() - write "0000:01:02.3" with its NUL into @buf; cut to @size. */
#define PHYR_PCI_ADDR_LEN 20
void phyr_pci_format(const struct phyr_pci_addr *addr, char *buf, size_t size);

enum phyr_route_path {
	PHYR_ROUTE_NONE = 0,	    /* not allowed: see the reason */
	PHYR_ROUTE_SAME_DEVICE = 1, /* BAR and disk are one PCI device */
	PHYR_ROUTE_SWITCH = 2,	    /* below one PCIe switch */
	PHYR_ROUTE_HOST_BRIDGE = 3, /* through a host bridge known to forward */
};

/* phyr_path_name() - "switch"; phyr_path_text() - one line that explains it. */
const char *phyr_path_name(unsigned int path);
const char *phyr_path_text(unsigned int path);

struct phyr_route_info {
	unsigned int reason; /* PHYR_REASON_DIRECT when the disk may reach the BAR */
	unsigned int path;   /* enum phyr_route_path */
};

/*
 * phyr_route() - may this disk reach that BAR, and how? @disk_fd is the open block
 * device, @bar 0 to 5.
 *
 * -EBADF    @disk_fd is not open
 * -ENOTBLK  @disk_fd is no block device
 * -ENODEV   no such PCI device, or it has no such memory BAR
 */
int phyr_route(struct phyr_dev *dev, int disk_fd, const struct phyr_pci_addr *addr,
	       unsigned int bar, struct phyr_route_info *ret_route);

/*
 * phyr_disk_learn() - ask the controller of a disk how much it takes in one command,
 * and let the module use that. Without it the module goes by the limit of the queue,
 * which the kernel makes smaller with an IOMMU; only speed depends on it. @disk is the
 * device number (st_rdev) of the disk or of a partition. Needs CAP_SYS_ADMIN.
 *
 * -ENOTTY  the disk is no NVMe disk
 * -ENODEV  phyr can not use it; phyr_route() says why
 * -ENOENT  no such block device
 * -ERANGE  the controller has no limit
 */
int phyr_disk_learn(struct phyr_dev *dev, dev_t disk);

/* -------------------------------------------------------------------- discovery */

#define PHYR_BAR_ENABLED  (1u << 0) /* the device answers to memory accesses */
#define PHYR_BAR_PREFETCH (1u << 1) /* plain memory; can be mapped write-combining */
#define PHYR_BAR_P2PMEM	  (1u << 2) /* the device gives struct pages to (part of) it */

/* A memory BAR of a PCI device. */
struct phyr_bar {
	struct phyr_pci_addr addr;
	unsigned int bar; /* 0 to 5 */
	unsigned int flags;
	uint64_t size_bytes;
	uint16_t vendor_id;
	uint16_t device_id;
	uint32_t class_code; /* 24 bits: base class, subclass, interface */
	char driver[64];     /* "" without a driver */
	char path[80]; /* what to mmap: .../resource2_wc or resource2; "" if neither */
};

/*
 * phyr_bar_list() - all memory BARs of this machine, ordered by address. *@ret_bars
 * is the caller's, to be given to free(3).
 */
int phyr_bar_list(struct phyr_bar **ret_bars, size_t *ret_nr);

#define PHYR_DISK_PCIE (1u << 0) /* a plain PCIe namespace; @addr is valid */
#define PHYR_DISK_HEAD (1u << 1) /* the head of a multipath disk: never direct */

/* An NVMe namespace. */
struct phyr_disk {
	unsigned int flags;
	struct phyr_pci_addr addr; /* of its controller */
	uint64_t size_bytes;
	uint32_t block_bytes; /* logical block size */
	char name[32];	      /* "nvme0n1" */
	char path[40];	      /* "/dev/nvme0n1" */
	char model[48];
};

/* phyr_disk_list() - all NVMe disks, ordered by name. *@ret_disks: to be freed. */
int phyr_disk_list(struct phyr_disk **ret_disks, size_t *ret_nr);

/* --------------------------------------------------------------------- sources */

/* Where the files of a directory are, such as the source of a phyrfs mount. */
struct phyr_source {
	unsigned int reason; /* PHYR_REASON_DIRECT: filesystem and disk are fit */
	dev_t disk;	     /* that the filesystem is on, if any */
	char filesystem[32]; /* "ext4" */
	char disk_path[64];  /* "/dev/nvme0n1p1"; "" if no disk had to be looked at */
	char text[256];	     /* for people: "is on /dev/dm-0 (LVM), which ..." */
};

/*
 * phyr_source_find() - what stands between a directory and direct I/O, as far as its
 * filesystem and its disk tell. @fd is the directory, O_PATH will do. That holds for the
 * filesystem which the directory itself is on, and not for others that are mounted
 * below it. Needs neither module nor privileges.
 * An error is one of fstatfs(2).
 */
int phyr_source_find(int fd, struct phyr_source *ret_source);

/* Memory of a device, and whether the disk of a source reaches it. */
struct phyr_reach {
	struct phyr_bar bar;
	struct phyr_route_info route;
};

/*
 * phyr_source_reach() - the routes from the disk of @source to all BARs of 1 MiB or more.
 * *@ret_reaches is the caller's, to be given to free(3).
 * An error is one of open(2), of the disk, or of phyr_route().
 */
int phyr_source_reach(struct phyr_dev *dev, const struct phyr_source *source,
		      struct phyr_reach **ret_reaches, size_t *ret_nr);

/* ---------------------------------------------------------------------- mapping */

/*
 * phyr_bar_map() - map a BAR, or any other file that can be mapped shared, for
 * reading, and if @writable also for writing. @len 0 maps all of it.
 *
 * -ENXIO   @len is 0 and the file does not know its length (a character device)
 * -ERANGE  @len is more than the file has
 * or an error of open(2) or mmap(2).
 */
int phyr_bar_map(const char *path, bool writable, size_t len, void **ret_addr,
		 size_t *ret_len);

/* phyr_bar_unmap() - undo phyr_bar_map(); NULL is fine. */
void phyr_bar_unmap(void *addr, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* PHYR_H */
