// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PCI devices and their memory BARs: addresses, discovery through sysfs, mapping.
 * Whether a disk can reach a BAR is for the kernel module to say (ioctl.c).
 */
#include "lib_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCI_DEVICES "/sys/bus/pci/devices"
#define NR_BARS	    6

/* Flags in the third column of a device's "resource": linux/ioport.h. */
#define RESOURCE_MEM	  0x00000200u
#define RESOURCE_PREFETCH 0x00002000u
#define RESOURCE_DISABLED 0x10000000u
#define RESOURCE_UNSET	  0x20000000u

/* PCI Local Bus 3.0, 6.2.2: command register, and in it the enable for memory. */
#define PCI_COMMAND	   4
#define PCI_COMMAND_MEMORY 0x2

/* Reads one hexadecimal number of at most @max, which has to end in @end. */
static bool parse_part(const char **text, uint32_t max, char end, uint32_t *ret_value)
{
	size_t nr_digits = strspn(*text, "0123456789abcdefABCDEF");
	unsigned long value;

	if (!nr_digits || nr_digits > 8 || (*text)[nr_digits] != end)
		return false;
	value = strtoul(*text, NULL, 16);
	if (value > max)
		return false;
	*text += nr_digits + (end != '\0');
	*ret_value = (uint32_t)value;
	return true;
}

int phyr_pci_parse(const char *text, struct phyr_pci_addr *ret_addr)
{
	const char *first = strchr(text, ':');
	uint32_t domain = 0, bus, device, function;

	/* With only one colon the domain is left out. */
	if (first && strchr(first + 1, ':') &&
	    !parse_part(&text, UINT32_MAX, ':', &domain))
		return -EINVAL;
	if (!parse_part(&text, 0xff, ':', &bus) || !parse_part(&text, 31, '.', &device) ||
	    !parse_part(&text, 7, '\0', &function))
		return -EINVAL;
	*ret_addr = (struct phyr_pci_addr){
		.domain = domain,
		.bus = bus,
		.device = device,
		.function = function,
	};
	return 0;
}

void phyr_pci_format(const struct phyr_pci_addr *addr, char *buf, size_t size)
{
	snprintf(buf, size, "%04x:%02x:%02x.%x", addr->domain, addr->bus, addr->device,
		 addr->function);
}

static bool memory_enabled(const char *dir)
{
	uint8_t command[2];
	char path[256];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/config", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = pread(fd, command, 2, PCI_COMMAND) == 2 && command[0] & PCI_COMMAND_MEMORY;
	close(fd);
	return ok;
}

/* What all BARs of the device in @dir have in common. */
static int device_fill(const char *dir, struct phyr_bar *bar)
{
	uint64_t vendor, device, class_code;
	char path[256];
	int err;

	err = sysfs_read_u64(dir, "vendor", &vendor);
	if (!err)
		err = sysfs_read_u64(dir, "device", &device);
	if (!err)
		err = sysfs_read_u64(dir, "class", &class_code);
	if (err)
		return err;
	bar->vendor_id = vendor;
	bar->device_id = device;
	bar->class_code = class_code;
	if (sysfs_read_link(dir, "driver", bar->driver, sizeof(bar->driver)))
		bar->driver[0] = '\0';
	if (memory_enabled(dir))
		bar->flags |= PHYR_BAR_ENABLED;
	snprintf(path, sizeof(path), "%s/p2pmem", dir);
	if (!access(path, F_OK))
		bar->flags |= PHYR_BAR_P2PMEM;
	return 0;
}

/* Completes @bar from its line of "resource"; false when it is no memory BAR. */
static bool bar_fill(const char *dir, const char *line, struct phyr_bar *bar)
{
	uint64_t start, end, flags;
	bool fits;

	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3)
		return false;
	if (!(flags & RESOURCE_MEM) || flags & (RESOURCE_UNSET | RESOURCE_DISABLED) ||
	    end <= start || end - start == UINT64_MAX)
		return false;
	bar->size_bytes = end - start + 1;
	bar->flags &= ~PHYR_BAR_PREFETCH;
	if (flags & RESOURCE_PREFETCH)
		bar->flags |= PHYR_BAR_PREFETCH;
	fits = snprintf(bar->path, sizeof(bar->path), "%s/resource%u_wc", dir, bar->bar) <
	       (int)sizeof(bar->path);
	/* The kernel offers write-combining only for what is prefetchable. */
	if (fits && access(bar->path, F_OK))
		bar->path[strlen(bar->path) - strlen("_wc")] = '\0';
	/* Some kernels offer no mapping at all. */
	if (fits && access(bar->path, F_OK))
		bar->path[0] = '\0';
	return fits;
}

static int device_visit(const char *name, void *ctx)
{
	char dir[128], resources[2048], *line, *rest = resources;
	struct vec *vec = ctx;
	struct phyr_bar bar = { 0 };
	int err = 0;

	if (phyr_pci_parse(name, &bar.addr) ||
	    snprintf(dir, sizeof(dir), PCI_DEVICES "/%s", name) >= (int)sizeof(dir))
		return 0;
	/* A device may be unplugged at any time: then it simply is not listed. */
	if (device_fill(dir, &bar) ||
	    sysfs_read(dir, "resource", resources, sizeof(resources)))
		return 0;
	for (bar.bar = 0; !err && bar.bar < NR_BARS; bar.bar++) {
		line = strsep(&rest, "\n");
		if (!line)
			break;
		if (bar_fill(dir, line, &bar))
			err = vec_append(vec, &bar, sizeof(bar));
	}
	return err;
}

/* Where a BAR stands in its domain. */
static int bar_place(const struct phyr_bar *bar)
{
	const struct phyr_pci_addr *addr = &bar->addr;

	return (addr->bus << 8 | addr->device << 3 | addr->function) * NR_BARS +
	       (int)bar->bar;
}

static int bar_compare(const void *va, const void *vb)
{
	const struct phyr_bar *a = va, *b = vb;

	if (a->addr.domain != b->addr.domain)
		return a->addr.domain < b->addr.domain ? -1 : 1;
	return bar_place(a) - bar_place(b);
}

int phyr_bar_list(struct phyr_bar **ret_bars, size_t *ret_nr)
{
	struct vec vec = { 0 };
	int err;

	err = sysfs_for_each(PCI_DEVICES, device_visit, &vec);
	if (err) {
		free(vec.items);
		return err;
	}
	if (vec.nr)
		qsort(vec.items, vec.nr, sizeof(struct phyr_bar), bar_compare);
	*ret_bars = vec.items;
	*ret_nr = vec.nr;
	return 0;
}

int phyr_bar_map(const char *path, bool writable, size_t len, void **ret_addr,
		 size_t *ret_len)
{
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	struct stat st;
	void *addr;
	int fd, err = 0;

	fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		err = -errno;
		goto close_fd;
	}
	if (!len && !st.st_size) {
		err = -ENXIO;
		goto close_fd;
	}
	if (len && S_ISREG(st.st_mode) && len > (uint64_t)st.st_size) {
		err = -ERANGE;
		goto close_fd;
	}
	if (!len)
		len = st.st_size;
	addr = mmap(NULL, len, prot, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		err = -errno;
		goto close_fd;
	}
	*ret_addr = addr;
	*ret_len = len;

close_fd:
	close(fd);
	return err;
}

void phyr_bar_unmap(void *addr, size_t len)
{
	if (addr)
		munmap(addr, len);
}
