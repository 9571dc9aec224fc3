// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Can anything be direct on this mount? That takes passthrough of FUSE, a source on a
 * filesystem and a disk that phyr serves, the modules in a state to serve them, and
 * device memory that the disk reaches. Each thing that is missing is said once, in one
 * line; the mount then works without, unless "-o require" or --check asks for everything.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What follows from something that is missing, in the words of this start. */
static const char *direct_outcome(const struct phyrfs *fs)
{
	return fs->opts.require ? "nothing would be direct"
				: "works as an ordinary passthrough filesystem";
}

/*
 * A regular file to try passthrough with. An unnamed file in the source is best, since
 * the answer depends on its filesystem; memory tells at least about privileges.
 */
static int probe_file(struct phyrfs *fs)
{
	int fd;

	fd = openat(fs->root.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? memfd_create("phyrfs-probe", MFD_CLOEXEC) : fd;
}

static int passthrough_probe(struct phyrfs *fs)
{
	int err, fd, id;

	if (!fs->passthrough)
		return -ENOTTY;
	fd = probe_file(fs);
	if (fd < 0)
		return -errno;
	err = phyrfs_backing_open(fs, fd, &id);
	if (!err)
		phyrfs_backing_close(fs, id);
	close(fd);
	return err;
}

static int passthrough_check(struct phyrfs *fs)
{
	int err;

	err = passthrough_probe(fs);
	if (!err)
		return 0;
	fs->passthrough = false;
	phyrfs_message("data goes through the daemon, never direct: %s",
		       phyrfs_backing_text(err));
	return err;
}

static int source_check(struct phyrfs *fs, struct phyr_source *source)
{
	int err;

	err = phyr_source_find(fs->root.fd, source);
	if (err) {
		phyrfs_message("%s: %s", fs->opts.source, strerror(-err));
		return err;
	}
	if (source->reason == PHYR_REASON_DIRECT)
		return 0;
	phyrfs_message("%s: %s %s", direct_outcome(fs), fs->opts.source, source->text);
	return -EOPNOTSUPP;
}

static int hook_check(struct phyrfs *fs)
{
	struct phyr_info info;
	int err;

	err = phyr_query(fs->dev, &info);
	if (err) {
		phyrfs_message("%s: /dev/phyr: %s", direct_outcome(fs), strerror(-err));
		return err;
	}
	if (!info.hooked) {
		phyrfs_message("%s: module phyr_dio is not loaded; load it with "
			       "'modprobe phyr_dio'",
			       direct_outcome(fs));
		return -ENOPKG;
	}
	return 0;
}

static int module_check(struct phyrfs *fs)
{
	int err;

	err = phyr_open(&fs->dev);
	if (err) {
		phyrfs_message("%s: %s", direct_outcome(fs), phyr_open_text(err));
		return err;
	}
	err = phyr_mount_add(fs->dev, fs->mount_fd, fs->root.fd, fs->opts.policy);
	if (err) {
		phyrfs_message("%s: cannot bring %s into phyr's scope: %s",
			       direct_outcome(fs), fs->opts.mountpoint, strerror(-err));
		return err;
	}
	return hook_check(fs);
}

/* Memory that is switched off takes no data, whatever the route. */
static bool reach_is_direct(const struct phyr_reach *reach)
{
	return reach->route.reason == PHYR_REASON_DIRECT &&
	       reach->bar.flags & PHYR_BAR_ENABLED;
}

static void reach_say(const struct phyr_reach *reach)
{
	const struct phyr_bar *bar = &reach->bar;
	char addr[PHYR_PCI_ADDR_LEN];

	phyr_pci_format(&bar->addr, addr, sizeof(addr));
	if (!(bar->flags & PHYR_BAR_ENABLED))
		phyrfs_message("  %s BAR %u: switched off, until its driver runs, or: "
			       "setpci -s %s COMMAND=2:2",
			       addr, bar->bar, addr);
	else if (reach->route.reason != PHYR_REASON_DIRECT)
		phyrfs_message("  %s BAR %u: not direct (%s): %s", addr, bar->bar,
			       phyr_reason_name(reach->route.reason),
			       phyr_reason_text(reach->route.reason));
	else
		phyrfs_message("  %s BAR %u, %" PRIu64 " MiB: direct: %s", addr, bar->bar,
			       bar->size_bytes >> 20, phyr_path_text(reach->route.path));
}

/* Says all routes to --check, and else only that there are none. */
static int reach_check(struct phyrfs *fs, const struct phyr_source *source)
{
	struct phyr_reach *reaches;
	size_t nr, nr_direct = 0;
	int err;

	err = phyr_source_reach(fs->dev, source, &reaches, &nr);
	if (err) {
		phyrfs_message("cannot tell which device memory %s reaches: %s",
			       source->disk_path, strerror(-err));
		return err;
	}
	for (size_t i = 0; i < nr; i++)
		nr_direct += reach_is_direct(&reaches[i]);
	if (!nr)
		phyrfs_message("%s: no device of this machine shows memory of 1 MiB or "
			       "more in a PCI BAR",
			       direct_outcome(fs));
	else if (!nr_direct)
		phyrfs_message("%s: %s %s, which reaches no device memory that is "
			       "switched on; 'phyr list' tells why",
			       direct_outcome(fs), fs->opts.source, source->text);
	else if (fs->opts.check)
		phyrfs_message(
			"%s %s; data passes through the kernel, and is direct with:",
			fs->opts.source, source->text);
	for (size_t i = 0; fs->opts.check && i < nr; i++)
		reach_say(&reaches[i]);
	free(reaches);
	return nr_direct ? 0 : -EHOSTUNREACH;
}

/* As was asked for: known to the module, and never direct. */
static int off_check(struct phyrfs *fs)
{
	if (!phyr_open(&fs->dev) &&
	    phyr_mount_add(fs->dev, fs->mount_fd, fs->root.fd, fs->opts.policy))
		phyrfs_message("phyr does not count what %s does", fs->opts.mountpoint);
	return 0;
}

int phyrfs_direct_check(struct phyrfs *fs)
{
	struct phyr_source source;
	int err, source_err, module_err;

	err = passthrough_check(fs);
	if (fs->opts.policy == PHYR_MOUNT_OFF)
		return off_check(fs);
	source_err = source_check(fs, &source);
	module_err = module_check(fs);
	if (!err && !source_err && !module_err) {
		/* Only speed depends on it, and only with an IOMMU. */
		phyr_disk_learn(fs->dev, source.disk);
		source_err = reach_check(fs, &source);
	}
	if (!fs->opts.require)
		return 0;
	return err ? err : source_err ? source_err : module_err;
}
