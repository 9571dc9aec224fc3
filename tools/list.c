// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr list: the device memory and the NVMe disks of this machine, and for each pair
 * whether the disk reaches the memory. Works without the kernel module, which only
 * the routes need.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smaller BARs are registers, as a rule, and nothing to put data in. */
#define SHOWN_BYTES (1024 * 1024)

struct machine {
	struct phyr_bar *bars;
	struct phyr_disk *disks;
	size_t nr_bars, nr_disks;
	size_t nr_hidden_bars;
	struct phyr_dev *dev; /* NULL without the module */
	int dev_error;
	struct pci_access *pci; /* NULL without a BAR to name */
	struct libmnt_table *mounts;
};

static int machine_find(struct machine *machine, bool all)
{
	size_t nr_shown = 0;
	int err;

	err = phyr_bar_list(&machine->bars, &machine->nr_bars);
	if (err)
		return fail("cannot list PCI devices: %s", strerror(-err));
	err = phyr_disk_list(&machine->disks, &machine->nr_disks);
	if (err)
		return fail("cannot list NVMe disks: %s", strerror(-err));
	for (size_t i = 0; i < machine->nr_bars; i++)
		if (all || machine->bars[i].size_bytes >= SHOWN_BYTES)
			machine->bars[nr_shown++] = machine->bars[i];
	machine->nr_hidden_bars = machine->nr_bars - nr_shown;
	machine->nr_bars = nr_shown;
	machine->dev_error = phyr_open(&machine->dev);
	machine->mounts = mounts_read();
	/* libpci exits when it finds no PCI, so it is asked only when there is some. */
	if (nr_shown) {
		machine->pci = pci_alloc();
		pci_init(machine->pci);
	}
	return EXIT_DONE;
}

static void machine_release(struct machine *machine)
{
	if (machine->pci)
		pci_cleanup(machine->pci);
	mounts_free(machine->mounts);
	phyr_close(machine->dev);
	free(machine->disks);
	free(machine->bars);
}

/* Vendor and device in words; their numbers when pci.ids does not know them. */
static const char *bar_name(struct machine *machine, const struct phyr_bar *bar,
			    char *buf, int size)
{
	return pci_lookup_name(machine->pci, buf, size,
			       PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, bar->vendor_id,
			       bar->device_id);
}

struct route {
	const struct phyr_disk *disk;
	const struct phyr_bar *bar;
	struct phyr_route_info info;
	int error; /* of the question: then @info says nothing */
	char text[256];
};

/* Asks the module; returns the words for its answer, or for why there is none. */
static const char *route_ask(struct machine *machine, struct route *route)
{
	int fd;

	route->error = machine->dev_error;
	if (route->error)
		return phyr_open_text(route->error);
	fd = open(route->disk->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		route->error = -errno;
		return NULL;
	}
	route->error = phyr_route(machine->dev, fd, &route->bar->addr, route->bar->bar,
				  &route->info);
	close(fd);
	if (route->error)
		return strerror(-route->error);
	if (route->info.reason == PHYR_REASON_DIRECT)
		return phyr_path_text(route->info.path);
	return phyr_reason_text(route->info.reason);
}

static struct route route_find(struct machine *machine, const struct phyr_disk *disk,
			       const struct phyr_bar *bar)
{
	struct route route = { .disk = disk, .bar = bar };
	const char *text = route_ask(machine, &route);
	bool denied = route.error == -EACCES || route.error == -EPERM;

	if (text)
		snprintf(route.text, sizeof(route.text), "%s", text);
	else
		snprintf(route.text, sizeof(route.text), "cannot open the disk: %s%s",
			 strerror(-route.error), denied ? "; are you root?" : "");
	return route;
}

static void print_bar(struct machine *machine, const struct phyr_bar *bar)
{
	char addr[PHYR_PCI_ADDR_LEN], text[256];
	int err;

	phyr_pci_format(&bar->addr, addr, sizeof(addr));
	printf("  %s BAR %u  %8s  %s\n", addr, bar->bar, size_text(bar->size_bytes),
	       bar_name(machine, bar, text, sizeof(text)));
	printf("      %s%s%s%s\n", bar->path[0] ? "map " : "no file to map", bar->path,
	       bar->driver[0] ? ", driver " : "", bar->driver);
	err = bar->path[0] ? bar_map_error(bar) : 0;
	/* Who may not open it at all learns that soon enough. */
	if (err && err != -EACCES)
		printf("      cannot be mapped: %s\n", bar_map_text(bar->path, err));
	if (!(bar->flags & PHYR_BAR_ENABLED))
		printf("      %s\n", bar_off_text(bar, text, sizeof(text)));
	if (bar->flags & PHYR_BAR_P2PMEM)
		puts("      the device has struct pages (p2pmem) for memory of its own");
}

static void print_bars(struct machine *machine)
{
	puts("BARs of PCI devices that programs can map. Only the device's maker says which\n"
	     "are memory: what is written into registers can do anything to the device.");
	if (!machine->nr_bars)
		puts("  none: no PCI device shows memory of 1 MiB or more");
	for (size_t i = 0; i < machine->nr_bars; i++)
		print_bar(machine, &machine->bars[i]);
	if (machine->nr_hidden_bars)
		printf("  (%zu smaller BARs, mostly registers, are not shown: phyr list "
		       "--all)\n",
		       machine->nr_hidden_bars);
}

static void print_disks(const struct machine *machine)
{
	char addr[PHYR_PCI_ADDR_LEN];

	puts("\nNVMe disks:");
	if (!machine->nr_disks)
		puts("  none");
	for (size_t i = 0; i < machine->nr_disks; i++) {
		const struct phyr_disk *disk = &machine->disks[i];

		phyr_pci_format(&disk->addr, addr, sizeof(addr));
		printf("  %-14s %9s  %s  %s\n", disk->path, size_text(disk->size_bytes),
		       disk->flags & PHYR_DISK_PCIE   ? addr
		       : disk->flags & PHYR_DISK_HEAD ? "multipath   "
						      : "not PCIe    ",
		       disk->model);
		mounts_print(machine->mounts, disk);
	}
}

static void print_routes(struct machine *machine)
{
	char addr[PHYR_PCI_ADDR_LEN];

	if (!machine->nr_bars || !machine->nr_disks) {
		puts("\nRoutes: none; they take a disk and device memory.");
		return;
	}
	if (machine->dev_error) {
		printf("\nRoutes: unknown: %s\n", phyr_open_text(machine->dev_error));
		return;
	}
	puts("\nRoutes:");
	for (size_t i = 0; i < machine->nr_disks * machine->nr_bars; i++) {
		struct route route = route_find(machine,
						&machine->disks[i / machine->nr_bars],
						&machine->bars[i % machine->nr_bars]);

		phyr_pci_format(&route.bar->addr, addr, sizeof(addr));
		printf("  %-14s %s BAR %u  ", route.disk->path, addr, route.bar->bar);
		if (route.error)
			printf("unknown: %s\n", route.text);
		else if (route.info.reason == PHYR_REASON_DIRECT)
			printf("direct: %s\n", route.text);
		else
			printf("not direct (%s): %s\n",
			       phyr_reason_name(route.info.reason), route.text);
	}
}

static void print_text(struct machine *machine)
{
	print_bars(machine);
	print_disks(machine);
	print_routes(machine);
}

static struct json_object *bar_json(struct machine *machine, const struct phyr_bar *bar)
{
	struct json_object *object = json_object_new_object();
	char addr[PHYR_PCI_ADDR_LEN], name[256];
	int err = bar->path[0] ? bar_map_error(bar) : -ENOENT;

	phyr_pci_format(&bar->addr, addr, sizeof(addr));
	json_add_text(object, "pci", addr);
	json_add_number(object, "bar", bar->bar);
	json_add_number(object, "size_bytes", bar->size_bytes);
	json_add_text(object, "path", bar->path[0] ? bar->path : NULL);
	if (err == -EACCES)
		json_add_text(object, "mappable", NULL);
	else
		json_add_bool(object, "mappable", !err);
	json_add_text(object, "text", err ? bar_map_text(bar->path, err) : NULL);
	json_add_bool(object, "enabled", bar->flags & PHYR_BAR_ENABLED);
	json_add_bool(object, "prefetchable", bar->flags & PHYR_BAR_PREFETCH);
	json_add_bool(object, "p2pmem", bar->flags & PHYR_BAR_P2PMEM);
	json_add_number(object, "vendor_id", bar->vendor_id);
	json_add_number(object, "device_id", bar->device_id);
	json_add_number(object, "class", bar->class_code);
	json_add_text(object, "name", bar_name(machine, bar, name, sizeof(name)));
	json_add_text(object, "driver", bar->driver[0] ? bar->driver : NULL);
	return object;
}

static struct json_object *disk_json(struct machine *machine,
				     const struct phyr_disk *disk)
{
	struct json_object *object = json_object_new_object();
	char addr[PHYR_PCI_ADDR_LEN];

	phyr_pci_format(&disk->addr, addr, sizeof(addr));
	json_add_text(object, "path", disk->path);
	json_add_text(object, "pci", disk->flags & PHYR_DISK_PCIE ? addr : NULL);
	json_add_number(object, "size_bytes", disk->size_bytes);
	json_add_number(object, "block_bytes", disk->block_bytes);
	json_add_text(object, "model", disk->model);
	json_add_bool(object, "multipath_head", disk->flags & PHYR_DISK_HEAD);
	json_object_object_add(object, "mounts", mounts_json(machine->mounts, disk));
	return object;
}

static struct json_object *route_json(const struct route *route)
{
	struct json_object *object = json_object_new_object();
	bool known = !route->error;
	char addr[PHYR_PCI_ADDR_LEN];

	phyr_pci_format(&route->bar->addr, addr, sizeof(addr));
	json_add_text(object, "disk", route->disk->path);
	json_add_text(object, "pci", addr);
	json_add_number(object, "bar", route->bar->bar);
	if (known)
		json_add_bool(object, "direct", route->info.reason == PHYR_REASON_DIRECT);
	else
		json_add_text(object, "direct", NULL);
	json_add_text(object, "reason",
		      known ? phyr_reason_name(route->info.reason) : NULL);
	json_add_text(object, "path", known ? phyr_path_name(route->info.path) : NULL);
	json_add_text(object, "text", route->text);
	return object;
}

static void print_json(struct machine *machine)
{
	struct json_object *object = json_object_new_object();
	struct json_object *bars = json_object_new_array();
	struct json_object *disks = json_object_new_array();
	struct json_object *routes = json_object_new_array();

	json_add_module(object, "module", machine->dev_error);
	json_add_text(object, "text", phyr_open_text(machine->dev_error));
	json_object_object_add(object, "bars", bars);
	json_object_object_add(object, "disks", disks);
	json_object_object_add(object, "routes", routes);
	for (size_t i = 0; i < machine->nr_bars; i++)
		json_object_array_add(bars, bar_json(machine, &machine->bars[i]));
	for (size_t i = 0; i < machine->nr_disks; i++)
		json_object_array_add(disks, disk_json(machine, &machine->disks[i]));
	for (size_t i = 0; i < machine->nr_disks * machine->nr_bars; i++) {
		struct route route = route_find(machine,
						&machine->disks[i / machine->nr_bars],
						&machine->bars[i % machine->nr_bars]);

		json_object_array_add(routes, route_json(&route));
	}
	json_print(object);
}

static int list_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct machine machine = { 0 };
	bool all = false, json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "ajh", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return help(&list_command);
		default:
			return fail_usage();
		}
	}
	if (optind < argc) {
		fail("takes no argument, but got '%s'", argv[optind]);
		return fail_usage();
	}
	status = machine_find(&machine, all);
	if (status == EXIT_DONE) {
		if (json)
			print_json(&machine);
		else
			print_text(&machine);
	}
	machine_release(&machine);
	return status;
}

const struct command list_command = {
	.name = "list",
	.summary = "device memory, NVMe disks, and which disk reaches which memory",
	.usage = "Usage: phyr list [--all] [--json]\n\n"
		 "  -a, --all   also BARs smaller than 1 MiB, mostly registers\n"
		 "  -j, --json  one JSON object\n\n"
		 "Routes take the kernel module and the permission to open the disks.\n",
	.run = list_run,
};
