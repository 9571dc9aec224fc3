// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names for programs and one-line explanations for people, of everything that the
 * module answers with a number.
 */
#include "lib_private.h"

#include <errno.h>
#include <string.h>

static const char *const reason_names[] = {
	[PHYR_REASON_DIRECT] = "direct",
	[PHYR_REASON_NOT_DEVICE_MEMORY] = "not-device-memory",
	[PHYR_REASON_MIXED_BUFFER] = "mixed-buffer",
	[PHYR_REASON_NOT_NVME] = "not-nvme",
	[PHYR_REASON_DISK_FORMAT] = "disk-format",
	[PHYR_REASON_TOPOLOGY] = "topology",
	[PHYR_REASON_DMA_MAP] = "dma-map",
	[PHYR_REASON_FILESYSTEM] = "filesystem",
	[PHYR_REASON_ALIGNMENT] = "alignment",
	[PHYR_REASON_REVOKED] = "revoked",
	[PHYR_REASON_NO_MEMORY] = "no-memory",
	[PHYR_REASON_POLICY] = "policy",
	[PHYR_REASON_PAGE_CACHE] = "page-cache",
	[PHYR_REASON_SWITCHED_OFF] = "switched-off",
	[PHYR_REASON_PERMISSION] = "permission",
};

static const char *const reason_texts[] = {
	[PHYR_REASON_DIRECT] = "the disk moves the data itself; nothing to do",
	[PHYR_REASON_NOT_DEVICE_MEMORY] =
		"the buffer has no struct pages but lies in no memory BAR of a present "
		"PCI device; map a BAR, and with MAP_SHARED",
	[PHYR_REASON_MIXED_BUFFER] =
		"an asynchronous call began in host memory and went on in device memory "
		"that was not known yet; repeat it, or name the two as two ranges",
	[PHYR_REASON_NOT_NVME] =
		"the disk is no plain PCIe NVMe namespace (but dm, md, loop, multipath,"
		" fabrics, SATA ...); use one that is, for multipath boot with "
		"nvme_core.multipath=N",
	[PHYR_REASON_DISK_FORMAT] =
		"the namespace has metadata, integrity or zones; format it without, see"
		" nvme-format(1)",
	[PHYR_REASON_TOPOLOGY] =
		"no allowed peer-to-peer path between disk and device; put both below "
		"one PCIe switch, with ACS redirection off",
	[PHYR_REASON_DMA_MAP] =
		"the IOMMU or the disk's DMA mask refused the device's memory; see the "
		"kernel log",
	[PHYR_REASON_FILESYSTEM] =
		"the filesystem handles this file's data itself (encryption, verity, "
		"atomic writes ...); use a plain file on ext4 or xfs",
	[PHYR_REASON_ALIGNMENT] =
		"a piece of the buffer ends inside a disk block; align offset, length "
		"and address to the disk's logical blocks",
	[PHYR_REASON_REVOKED] =
		"mapping, device or disk went away during the call; map the device "
		"again and repeat",
	[PHYR_REASON_NO_MEMORY] = "the kernel ran out of memory; free some and repeat",
	[PHYR_REASON_POLICY] =
		"the policy of the mount forbids it; mount with policy=direct",
	[PHYR_REASON_PAGE_CACHE] =
		"pages of the file in host memory could not be dropped, so the write "
		"went through them; do not map or buffer the file meanwhile",
	[PHYR_REASON_SWITCHED_OFF] =
		"the device, or a bridge on the way to it, is switched off or sleeps; "
		"'phyr list' says how to switch it on",
	[PHYR_REASON_PERMISSION] =
		"the memory is mapped without the permission that the call needs (a read "
		"stores to it), or a protection key forbids it; map it with PROT_WRITE",
};

static const char *const path_names[] = {
	[PHYR_ROUTE_NONE] = "none",
	[PHYR_ROUTE_SAME_DEVICE] = "same-device",
	[PHYR_ROUTE_SWITCH] = "switch",
	[PHYR_ROUTE_HOST_BRIDGE] = "host-bridge",
};

static const char *const path_texts[] = {
	[PHYR_ROUTE_NONE] = "there is no allowed path",
	[PHYR_ROUTE_SAME_DEVICE] = "disk and memory are one PCI device",
	[PHYR_ROUTE_SWITCH] =
		"both are below one PCIe switch, which the data never leaves",
	[PHYR_ROUTE_HOST_BRIDGE] =
		"through the processor's host bridge, which is known to forward",
};

static const char *const policy_names[] = {
	[PHYR_MOUNT_DIRECT] = "direct",
	[PHYR_MOUNT_OFF] = "off",
};

/* Numbers of a module that is newer than this library have no name here. */
#define LOOKUP(names, i, fallback) ((i) < ARRAY_SIZE(names) ? (names)[i] : (fallback))

const char *phyr_reason_name(unsigned int reason)
{
	return LOOKUP(reason_names, reason, "unknown");
}

const char *phyr_reason_text(unsigned int reason)
{
	return LOOKUP(
		reason_texts, reason,
		"libphyr is older than the module and has no words for it; update it");
}

const char *phyr_path_name(unsigned int path)
{
	return LOOKUP(path_names, path, "unknown");
}

const char *phyr_path_text(unsigned int path)
{
	return LOOKUP(path_texts, path, "libphyr is older than the module; update it");
}

const char *phyr_policy_name(unsigned int policy)
{
	return LOOKUP(policy_names, policy, "unknown");
}

int phyr_policy_parse(const char *name, unsigned int *ret_policy)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(policy_names); i++) {
		if (!strcmp(name, policy_names[i])) {
			*ret_policy = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *phyr_open_text(int error)
{
	const char *text;

	switch (error) {
	case 0:
		return "the module is loaded";
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return "the kernel module is not loaded (there is no /dev/phyr); run "
		       "'modprobe phyr_dio' as root";
	case -EACCES:
	case -EPERM:
		return "no permission for /dev/phyr; run as root or as a member of the "
		       "group phyr";
	case -EPROTO:
		return "the loaded kernel module and libphyr are of different versions; "
		       "install both from one release and load the module again";
	default:
		text = strerrordesc_np(-error);
		return text ? text : "unknown error";
	}
}
