// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes: see route.h.
 */
#include "route.h"

#define VENDOR_INTEL	0x8086
#define VENDOR_GOOGLE	0x1ae0
#define ANY_DEVICE	0x10000

static const struct {
	u16 vendor;
	u32 device;
	bool same_root_only;
} forwarding[] = {
	{ VENDOR_INTEL, 0x3c00, true }, /* Xeon E5, Core i7 (Sandy Bridge) */
	{ VENDOR_INTEL, 0x3c01, true },
	{ VENDOR_INTEL, 0x2f00, true }, /* Xeon E7 v3, E5 v3, Core i7 (Haswell) */
	{ VENDOR_INTEL, 0x2f01, true },
	{ VENDOR_INTEL, 0x2030, false }, /* Skylake-E root ports */
	{ VENDOR_INTEL, 0x2031, false },
	{ VENDOR_INTEL, 0x2032, false },
	{ VENDOR_INTEL, 0x2033, false },
	{ VENDOR_INTEL, 0x2020, false },
	{ VENDOR_INTEL, 0x09a2, false }, /* Ice Lake and later */
	{ VENDOR_INTEL, 0x0b25, false }, /* accelerators first on a root bus: DSA */
	{ VENDOR_INTEL, 0x0cfe, false }, /* IAX */
	{ VENDOR_INTEL, 0x11fb, false }, /* DSA */
	{ VENDOR_INTEL, 0x1212, false },
	{ VENDOR_INTEL, 0x1216, false }, /* IAA */
	{ VENDOR_INTEL, 0x4940, false }, /* QAT */
	{ VENDOR_INTEL, 0x4942, false },
	{ VENDOR_INTEL, 0x4944, false },
	{ VENDOR_INTEL, 0x4946, false },
	{ VENDOR_INTEL, 0x4948, false },
	{ VENDOR_GOOGLE, ANY_DEVICE, false },
};

bool kshim_bridge_forwards(u16 vendor, u16 device, bool *ret_same_root_only)
{
	unsigned int i;

	for (i = 0; i < sizeof(forwarding) / sizeof(forwarding[0]); i++) {
		if (forwarding[i].vendor != vendor)
			continue;
		if (forwarding[i].device != device && forwarding[i].device != ANY_DEVICE)
			continue;
		*ret_same_root_only = forwarding[i].same_root_only;
		return true;
	}
	return false;
}

static bool bridges_forward(const struct kshim_path *a, const struct kshim_path *b)
{
	bool a_alone, b_alone;

	if (!kshim_bridge_forwards(a->bridge_vendor, a->bridge_device, &a_alone))
		return false;
	if (a->bridge == b->bridge)
		return true;
	if (!kshim_bridge_forwards(b->bridge_vendor, b->bridge_device, &b_alone))
		return false;
	return !a_alone && !b_alone;
}

enum meeting {
	MEET_HOST_BRIDGE,	/* only there */
	MEET_REDIRECTED,	/* below, but ACS sends requests up all the same */
	MEET_BELOW,
};

/*
 * The common bridge's own redirection counts too: a request that comes up to it
 * would be sent further up instead of down again.
 */
static enum meeting paths_meet(const struct kshim_path *a, const struct kshim_path *b)
{
	bool redirect_a = false, redirect_b;
	u32 i, j;

	for (i = 0; i < a->nr; i++) {
		redirect_a |= a->hop[i].acs_redirect;
		redirect_b = false;
		for (j = 0; j < b->nr; j++) {
			if (a->hop[i].id == b->hop[j].id) {
				redirect_a |= redirect_b;
				return redirect_a ? MEET_REDIRECTED : MEET_BELOW;
			}
			redirect_b |= b->hop[j].acs_redirect;
		}
	}
	return MEET_HOST_BRIDGE;
}

static bool path_valid(const struct kshim_path *path)
{
	return path->nr > 0 && path->nr <= KSHIM_PATH_MAX;
}

struct kshim_route kshim_route_find(const struct kshim_route_in *in)
{
	const struct kshim_path *provider = in->provider, *client = in->client;
	struct kshim_route route = {
		.path = PHYR_PATH_NONE,
		.reason = PHYR_TOPOLOGY,
		.form = KSHIM_ADDR_NONE,
	};

	if (!path_valid(provider) || !path_valid(client))
		return route;

	if (paths_meet(provider, client) == MEET_BELOW) {
		route.path = PHYR_PATH_SWITCH;
		if (provider->hop[0].id == client->hop[0].id)
			route.path = PHYR_PATH_SAME_DEVICE;
		if (in->translating && in->virtual) {
			route.form = KSHIM_ADDR_MAPPED;
		} else {
			route.form = KSHIM_ADDR_BUS;
			route.bus_offset = in->bus_offset;
		}
	} else if (in->bridge_forwards || bridges_forward(provider, client)) {
		route.path = PHYR_PATH_HOST_BRIDGE;
		route.form = KSHIM_ADDR_MAPPED;
	} else {
		return route;
	}
	route.reason = PHYR_DIRECT;
	return route;
}
