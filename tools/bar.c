// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Can the file of a BAR be mapped, and if not, why and what to do.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int bar_map_error(const struct phyr_bar *bar)
{
	void *addr;
	size_t len;
	int err;

	/* Mapping is not touching: the device does not notice. */
	err = phyr_bar_map(bar->path, false, 1, &addr, &len);
	if (!err)
		phyr_bar_unmap(addr, len);
	return err;
}

const char *bar_map_text(const char *path, int error)
{
	bool sysfs = !strncmp(path, "/sys/", strlen("/sys/"));

	if (error == -EACCES)
		return "permission denied; are you root?";
	if (sysfs && error == -EPERM)
		return "kernel lockdown (Secure Boot) forbids it; what the device's own "
		       "driver maps, such as VFIO, still works";
	if (sysfs && error == -EINVAL)
		return "a driver has claimed it for itself (CONFIG_IO_STRICT_DEVMEM); map "
		       "it through that driver, unbind the driver, or boot with "
		       "iomem=relaxed";
	return strerror(-error);
}

const char *bar_off_text(const struct phyr_bar *bar, char *buf, size_t size)
{
	char addr[PHYR_PCI_ADDR_LEN];

	/*
	 * Not the file "enable" of sysfs, which only counts up where it is not 0, and
	 * then leaves the command register alone.
	 */
	phyr_pci_format(&bar->addr, addr, sizeof(addr));
	snprintf(buf, size,
		 "switched off, reads as all ones; to switch it on: setpci -s %s "
		 "COMMAND=2:2",
		 addr);
	return buf;
}
