/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Routes: may a PCI device (the client, a disk) reach the memory of another (the
 * provider), and by which address? A pure function over a topology that the caller
 * describes; it answers as the kernel's own peer-to-peer code does, so that kernels
 * built without it get the same answer.
 *
 *	host bridge --+-- root port -- upstream port --+-- port -- provider
 *	              |                                '-- port -- client
 *	              '-- root port -- another client
 */
#ifndef _KSHIM_CORE_ROUTE_H
#define _KSHIM_CORE_ROUTE_H

#include <uapi/linux/phyr.h>

#include "port.h"

#define KSHIM_PATH_MAX	24

/* The way up from a device. */
struct kshim_path {
	u32 nr;			/* hops used, at least 1 */
	struct {
		u64 id;		/* the same on both paths exactly for the same device */
		bool acs_redirect; /* by request, completion or egress control */
	} hop[KSHIM_PATH_MAX];	/* the device, each bridge above it, the root port */
	u64 bridge;		/* id of the host bridge */
	u16 bridge_vendor;	/* first device of the root bus, when it is 00.0 or a */
	u16 bridge_device;	/* root port; otherwise 0 */
};

/* Add the next hop upwards. -ENOSPC when the tree is deeper than is believable. */
static inline int kshim_path_add(struct kshim_path *path, u64 id, bool acs_redirect)
{
	if (path->nr >= KSHIM_PATH_MAX)
		return -ENOSPC;
	path->hop[path->nr].id = id;
	path->hop[path->nr].acs_redirect = acs_redirect;
	path->nr++;
	return 0;
}

enum kshim_addr {
	KSHIM_ADDR_NONE = 0,	/* not allowed */
	KSHIM_ADDR_BUS,		/* CPU physical address + bus_offset; not the DMA API */
	KSHIM_ADDR_MAPPED,	/* dma_map_resource() of the CPU physical address */
};

struct kshim_route_in {
	const struct kshim_path *provider;
	const struct kshim_path *client;
	bool bridge_forwards;	/* whatever the table says: by CPU, or a parameter's word
				 * for the host bridges of both */
	bool translating;	/* the client's DMA passes a translating IOMMU */
	bool virtual;		/* in a virtual machine, whose emulated switches hand all
				 * DMA to the emulated IOMMU */
	u64 bus_offset;		/* bus address - CPU physical address of the memory */
};

struct kshim_route {
	enum phyr_path path;
	enum phyr_reason reason;	/* PHYR_DIRECT or PHYR_TOPOLOGY */
	enum kshim_addr form;
	u64 bus_offset;			/* 0 unless @form is KSHIM_ADDR_BUS */
};

struct kshim_route kshim_route_find(const struct kshim_route_in *in);

/*
 * Is this host bridge known to forward between its ports? *ret_same_root_only: but
 * not to another host bridge. CPUs that all forward, whatever their bridges are
 * called (AMD since Zen), are for the caller to know.
 */
bool kshim_bridge_forwards(u16 vendor, u16 device, bool *ret_same_root_only);

/* From a CPU physical to a bus address, which may be the lower or the higher one. */
static inline u64 kshim_bus_addr(u64 phys, u64 bar_phys, u64 bar_bus)
{
	return bar_bus + (phys - bar_phys);
}

#endif /* _KSHIM_CORE_ROUTE_H */
