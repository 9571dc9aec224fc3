// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes, over the topologies that machines and the lab have:
 *
 *	host bridge H1 --+-- root port R -- upstream U --+-- port D1 -- A, A.1
 *	                 |                               '-- port D2 -- B
 *	                 +-- root port S -- C
 *	                 '-- E
 *	host bridge H2 ----- root port T -- F
 */
#include "unit.h"
#include "route.h"

#define INTEL	0x8086
#define GOOGLE	0x1ae0

enum node { A = 1, A1, B, C, E, F, R, S, T, U, D1, D2, H1, H2, T_NODES };

static const enum node up[T_NODES] = {
	[A] = D1, [A1] = D1, [B] = D2, [D1] = U, [D2] = U, [U] = R, [R] = H1,
	[C] = S, [S] = H1, [E] = H1, [F] = T, [T] = H2,
};
static const enum node devices[] = { A, A1, B, C, E, F };

/* What a test says about the machine, beside its shape. */
static bool acs[T_NODES];
static u16 vendor[T_NODES], device[T_NODES]; /* of host bridges */

static struct kshim_path path_of(enum node node)
{
	struct kshim_path path = { 0 };

	for (; node != H1 && node != H2; node = up[node])
		if (kshim_path_add(&path, 0x1000 + node, acs[node]))
			ck_abort_msg("a path longer than %d", KSHIM_PATH_MAX);
	path.bridge = node;
	path.bridge_vendor = vendor[node];
	path.bridge_device = device[node];
	return path;
}

/* Flags of the question. */
enum { FORWARDS = 1, TRANSLATING = 2, VIRTUAL = 4 };

static struct kshim_route find(enum node provider, enum node client, unsigned int flags,
			       u64 bus_offset)
{
	struct kshim_path from = path_of(provider), to = path_of(client);
	struct kshim_route_in in = {
		.provider = &from,
		.client = &to,
		.bridge_forwards = flags & FORWARDS,
		.translating = flags & TRANSLATING,
		.virtual = flags & VIRTUAL,
		.bus_offset = bus_offset,
	};

	return kshim_route_find(&in);
}

static void check(struct kshim_route route, enum phyr_path path, enum kshim_addr form,
		  u64 bus_offset)
{
	enum phyr_reason reason = path == PHYR_PATH_NONE ? PHYR_TOPOLOGY : PHYR_DIRECT;

	ck_assert_int_eq(route.path, path);
	ck_assert_int_eq(route.form, form);
	ck_assert_uint_eq(route.bus_offset, bus_offset);
	ck_assert_int_eq(route.reason, reason);
}

/* red: answer MAPPED behind a switch; lose the offset or its sign */
START_TEST(test_switch)
{
	static const u64 offset[] = { 0, 0x80000000, -0x80000000ull, 1ull << 63 };
	size_t i;

	for (i = 0; i < T_LEN(offset); i++) {
		check(find(A, B, 0, offset[i]), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS,
		      offset[i]);
		check(find(B, A, FORWARDS, offset[i]), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS,
		      offset[i]);
		check(find(A, A1, 0, offset[i]), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS,
		      offset[i]);
		check(find(A, A, 0, offset[i]), PHYR_PATH_SAME_DEVICE, KSHIM_ADDR_BUS,
		      offset[i]);
		/* a BAR of the bridge above, as switches with a DMA engine have */
		check(find(U, B, 0, offset[i]), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS,
		      offset[i]);
	}
}
END_TEST

/* red: use the bus address under an emulated IOMMU, or the IOMMU under a real switch */
START_TEST(test_switch_and_iommu)
{
	check(find(A, B, TRANSLATING, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS, 64);
	check(find(A, B, VIRTUAL, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS, 64);
	check(find(A, B, TRANSLATING | VIRTUAL, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_MAPPED,
	      0);
	check(find(A, A, TRANSLATING | VIRTUAL, 64), PHYR_PATH_SAME_DEVICE,
	      KSHIM_ADDR_MAPPED, 0);
	check(find(A, C, TRANSLATING | VIRTUAL, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
}
END_TEST

/* red: skip one hop of either path, or count one above the bridge they share */
START_TEST(test_acs)
{
	static const enum node on_the_way[] = { A, D1, U, D2, B };
	static const enum node beside[] = { R, S, A1, C };
	size_t i;

	for (i = 0; i < T_LEN(on_the_way); i++) {
		acs[on_the_way[i]] = true;
		check(find(A, B, 0, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
		check(find(B, A, 0, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
		check(find(A, B, FORWARDS, 64), PHYR_PATH_HOST_BRIDGE, KSHIM_ADDR_MAPPED,
		      0);
		acs[on_the_way[i]] = false;
	}
	for (i = 0; i < T_LEN(beside); i++) {
		acs[beside[i]] = true;
		check(find(A, B, 0, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS, 64);
		check(find(B, A, 0, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS, 64);
		acs[beside[i]] = false;
	}
}
END_TEST

/* red: take two devices of one root bus for neighbours */
START_TEST(test_host_bridge)
{
	check(find(A, C, 0, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
	check(find(A, E, 0, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
	check(find(A, F, 0, 64), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
	check(find(A, C, FORWARDS, 64), PHYR_PATH_HOST_BRIDGE, KSHIM_ADDR_MAPPED, 0);
	check(find(E, A, FORWARDS, 64), PHYR_PATH_HOST_BRIDGE, KSHIM_ADDR_MAPPED, 0);
	check(find(A, F, FORWARDS, 64), PHYR_PATH_HOST_BRIDGE, KSHIM_ADDR_MAPPED, 0);
}
END_TEST

static void bridge_is(enum node node, u16 vend, u16 dev)
{
	vendor[node] = vend;
	device[node] = dev;
}

static void check_through(enum node provider, enum node client, bool allowed)
{
	check(find(provider, client, 0, 64),
	      allowed ? PHYR_PATH_HOST_BRIDGE : PHYR_PATH_NONE,
	      allowed ? KSHIM_ADDR_MAPPED : KSHIM_ADDR_NONE, 0);
}

/* red: look at one bridge only; let a bridge that serves itself serve another */
START_TEST(test_host_bridge_table)
{
	enum { ALONE = 0x2f00, ANY = 0x2030, UNKNOWN = 0x29c0 };
	static const struct {
		u16 first, second;
		bool one_bridge, two_bridges;
	} pair[] = {
		{ UNKNOWN, ANY, false, false }, { ANY, UNKNOWN, true, false },
		{ ANY, ANY, true, true },	{ ALONE, ANY, true, false },
		{ ANY, ALONE, true, false },	{ ALONE, ALONE, true, false },
	};
	size_t i;

	for (i = 0; i < T_LEN(pair); i++) {
		bridge_is(H1, INTEL, pair[i].first);
		bridge_is(H2, INTEL, pair[i].second);
		check_through(A, C, pair[i].one_bridge);
		check_through(E, C, pair[i].one_bridge);
		check_through(A, F, pair[i].two_bridges);
		check_through(F, A, pair[i].two_bridges);
		/* below the bridge nobody asks it */
		check(find(A, B, 0, 64), PHYR_PATH_SWITCH, KSHIM_ADDR_BUS, 64);
	}
}
END_TEST

/* red: compare only the vendor, only the device, or not the first or last line */
START_TEST(test_bridge_forwards)
{
	static const struct {
		u16 vendor, device;
		bool forwards, same_root_only;
	} bridge[] = {
		{ INTEL, 0x3c00, true, true },	{ INTEL, 0x2f01, true, true },
		{ INTEL, 0x2020, true, false }, { INTEL, 0x09a2, true, false },
		{ INTEL, 0x4948, true, false }, { INTEL, 0x29c0, false, false },
		{ GOOGLE, 0x0001, true, false }, { GOOGLE, 0xffff, true, false },
		{ 0x1022, 0x2030, false, false }, { 0, 0, false, false },
		{ 0xffff, 0xffff, false, false }, { INTEL, 0, false, false },
	};
	bool same, got;
	size_t i;

	for (i = 0; i < T_LEN(bridge); i++) {
		same = !bridge[i].same_root_only;
		got = kshim_bridge_forwards(bridge[i].vendor, bridge[i].device, &same);
		ck_assert_int_eq(got, bridge[i].forwards);
		if (got)
			ck_assert_int_eq(same, bridge[i].same_root_only);
	}
}
END_TEST

/* red: trust the number of hops */
START_TEST(test_path_limits)
{
	struct kshim_path none = { 0 }, deep = { 0 };
	struct kshim_route_in in = { .provider = &deep, .client = &deep };
	unsigned int i;

	for (i = 0; i < KSHIM_PATH_MAX; i++)
		ck_assert_int_eq(kshim_path_add(&deep, i, false), 0);
	ck_assert_int_eq(kshim_path_add(&deep, i, false), -ENOSPC);
	ck_assert_uint_eq(deep.nr, KSHIM_PATH_MAX);
	check(kshim_route_find(&in), PHYR_PATH_SAME_DEVICE, KSHIM_ADDR_BUS, 0);

	in.bridge_forwards = true;
	in.client = &none;
	check(kshim_route_find(&in), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
	in.client = &deep;
	in.provider = &none;
	check(kshim_route_find(&in), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
	in.provider = &deep;
	deep.nr = KSHIM_PATH_MAX + 1;
	check(kshim_route_find(&in), PHYR_PATH_NONE, KSHIM_ADDR_NONE, 0);
}
END_TEST

static bool above(enum node node, enum node bridge)
{
	while (node && node != bridge)
		node = up[node];
	return node;
}

static enum node lowest_common(enum node a, enum node b)
{
	while (a && !above(b, a))
		a = up[a];
	return a;
}

/*
 * All pairs of devices, with every set of redirecting ports, against the definition:
 * requests turn round at the lowest common bridge unless a port on the way redirects.
 * red: any of the above
 */
START_TEST(test_every_acs)
{
	static const enum node port[] = { A, A1, B, C, E, F, R, S, T, U, D1, D2 };
	unsigned int set, i, j, k;

	for (set = 0; set < 1u << T_LEN(port); set++) {
		for (i = 0; i < T_LEN(port); i++)
			acs[port[i]] = set & 1u << i;
		for (i = 0; i < T_LEN(devices); i++)
		for (j = 0; j < T_LEN(devices); j++) {
			enum node a = devices[i], b = devices[j];
			enum node common = lowest_common(a, b);
			bool below = common && common != H1 && common != H2;
			struct kshim_route route;

			for (k = 0; k < T_LEN(port); k++)
				if (acs[port[k]] && above(port[k], common) &&
				    (above(a, port[k]) || above(b, port[k])))
					below = false;
			route = find(a, b, 0, 64);
			if ((route.form == KSHIM_ADDR_BUS) != below ||
			    (route.reason == PHYR_DIRECT) != below)
				ck_abort_msg("ports %x, from %d to %d", set, a, b);
		}
	}
}
END_TEST

/* red: swap the two sides of the difference */
START_TEST(test_bus_addr)
{
	ck_assert_uint_eq(kshim_bus_addr(0x1000, 0x1000, 0x1000), 0x1000);
	ck_assert_uint_eq(kshim_bus_addr(0x4000001234, 0x4000000000, 0x80000000),
			  0x80001234);
	ck_assert_uint_eq(kshim_bus_addr(0x80001234, 0x80000000, 0x4000000000),
			  0x4000001234);
	ck_assert_uint_eq(kshim_bus_addr(-1ull, -0x1000ull, 0), 0xfff);
	ck_assert_uint_eq(kshim_bus_addr(0xfff, 0, -0x1000ull), -1ull);
	/* the offset of the route gives the same address */
	ck_assert_uint_eq(0x4000001234 + kshim_bus_addr(0, 0x4000000000, 0x80000000),
			  0x80001234);
}
END_TEST

Suite *t_suite(void)
{
	Suite *suite = suite_create("route");
	TCase *tc = tcase_create("route");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_switch);
	tcase_add_test(tc, test_switch_and_iommu);
	tcase_add_test(tc, test_acs);
	tcase_add_test(tc, test_host_bridge);
	tcase_add_test(tc, test_host_bridge_table);
	tcase_add_test(tc, test_bridge_forwards);
	tcase_add_test(tc, test_path_limits);
	tcase_add_test(tc, test_every_acs);
	tcase_add_test(tc, test_bus_addr);
	suite_add_tcase(suite, tc);
	return suite;
}
