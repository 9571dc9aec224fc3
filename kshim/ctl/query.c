// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/phyr tells: counters, and how a disk reaches a BAR.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "ctl/ctl.h"

static void query_export(const struct kshim_counters *sum, struct phyr_stats *stats)
{
	unsigned int i;

	BUILD_BUG_ON(PHYR_NR_REASONS > PHYR_STATS_REASONS);
	for (i = 0; i < PHYR_NR_REASONS; i++) {
		stats->reads[i].calls = sum->calls[READ][i];
		stats->reads[i].bytes = sum->bytes[READ][i];
		stats->writes[i].calls = sum->calls[WRITE][i];
		stats->writes[i].bytes = sum->bytes[WRITE][i];
	}
	stats->zeroed.calls = sum->zeroed_calls;
	stats->zeroed.bytes = sum->zeroed_bytes;
	stats->commands = sum->commands;
	stats->errors = sum->errors;
}

int kshim_query_stats(struct phyr_stats *stats)
{
	struct kshim_counters *sum __free(kfree) = kzalloc(sizeof(*sum), GFP_KERNEL);
	u32 index = stats->index, policy = 0;
	dev_t dev = 0;
	int ret;

	if (!sum)
		return -ENOMEM;
	ret = kshim_mount_sum(index, sum, &policy, &dev);
	if (ret)
		return ret;
	memset(stats, 0, sizeof(*stats));
	stats->index = index;
	stats->policy = policy;
	stats->dev_major = MAJOR(dev);
	stats->dev_minor = MINOR(dev);
	if (index == 0) {
		kshim_stats_sum(&kshim_stats_rest, sum);
		stats->revocations = kshim_regions_revoked();
	}
	query_export(sum, stats);
	return 0;
}

static int query_pair(struct phyr_provider *provider, struct block_device *bdev,
		       struct phyr_route *arg)
{
	enum phyr_reason reason;
	struct kshim_disk *disk;
	struct kshim_route route;
	u64 dma;

	disk = kshim_disk_enter(bdev, &reason);
	if (disk) {
		route = kshim_provider_route(provider, disk->nvme->pdev);
		arg->path = route.path;
		reason = kshim_pair_get(provider, disk->nvme, &dma);
		kshim_disk_exit(disk);
	}
	arg->reason = reason;
	if (reason != PHYR_DIRECT)
		arg->path = PHYR_PATH_NONE;
	return 0;
}

int kshim_query_route(struct phyr_route *arg)
{
	struct file *file __free(fput) = fget(arg->disk_fd);
	struct block_device *bdev = kshim_file_bdev(file);
	struct phyr_provider *provider;
	struct pci_dev *pdev;
	int ret;

	if (arg->reserved)
		return -EINVAL;
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	pdev = pci_get_domain_bus_and_slot(arg->pci_domain, arg->pci_bus, arg->pci_devfn);
	if (!pdev)
		return -ENODEV;
	provider = kshim_provider_get_bar(pdev, arg->bar);
	ret = PTR_ERR_OR_ZERO(provider);
	if (!ret) {
		arg->path = PHYR_PATH_NONE;
		ret = query_pair(provider, bdev, arg);
		kshim_provider_put(provider);
	} else if (ret == -EIO) {
		arg->path = PHYR_PATH_NONE;
		arg->reason = PHYR_SWITCHED_OFF;
		ret = 0;
	}
	pci_dev_put(pdev);
	return ret;
}
