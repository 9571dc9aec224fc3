// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe: which block devices are plain namespaces of a PCIe controller, and commands
 * to them whose buffer is device memory. A command is a request without a bio on the
 * namespace's own queue; the stock driver sends the PRPs that it finds in it.
 *
 * The block layer checks bios and not such requests, so what it would have refused
 * is refused here: see xfer_check().
 */
#include <linux/blk-integrity.h>
#include <linux/hashtable.h>
#include <linux/nvme.h>
#include <linux/nvme_ioctl.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/wait_bit.h>

#include "kshim.h"
#include "nvme_private.h"

#define CMD_SEGS		16	/* DMA ranges of one command */
#define CMD_LIST_PAGES		5	/* 5 * 511 entries: above 8 MiB */
#define CMD_BYTES_MAX		(8UL << 20)

static LIST_HEAD(nvmes);		/* under kshim_devices */
static DEFINE_HASHTABLE(disks, 5);	/* by gendisk; changed under kshim_devices */
static struct kmem_cache *cmd_cache;

/* ------------------------------------------------------------ controllers */

static struct kshim_nvme *nvme_new(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme = kzalloc(sizeof(*nvme), GFP_KERNEL);

	lockdep_assert_held(&kshim_devices);
	if (!nvme)
		return NULL;
	nvme->prp_pool = dma_pool_create("phyr_prp", &pdev->dev, KSHIM_PRP_BYTES,
					 KSHIM_PRP_BYTES, 0);
	if (!nvme->prp_pool) {
		kfree(nvme);
		return NULL;
	}
	refcount_set(&nvme->refs, 1);
	nvme->pdev = pci_dev_get(pdev);
	list_add(&nvme->list, &nvmes);
	return nvme;
}

static void nvme_put(struct kshim_nvme *nvme)
{
	if (!refcount_dec_and_test(&nvme->refs))
		return;
	pci_dev_put(nvme->pdev);
	kfree(nvme);
}

static struct kshim_nvme *nvme_find(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry(nvme, &nvmes, list)
		if (nvme->pdev == pdev)
			return nvme;
	return NULL;
}

static void disk_free(struct rcu_head *rcu)
{
	struct kshim_disk *disk = container_of(rcu, struct kshim_disk, rcu);

	kfree(disk);
}

/*
 * Before the driver lets go of a controller: no new dio, and none under way. Not
 * under kshim_devices while waiting, since a dio that has entered may want it. The
 * dead entry stays to be found, so that no second one is made.
 */
static void nvme_kill(struct kshim_nvme *nvme)
{
	struct kshim_disk *disk;
	struct hlist_node *next;
	int bucket;

	mutex_lock(&kshim_devices);
	WRITE_ONCE(nvme->dead, true);
	mutex_unlock(&kshim_devices);
	/* pairs with kshim_disk_enter() */
	smp_mb();
	wait_var_event(&nvme->users, !atomic_read(&nvme->users));

	mutex_lock(&kshim_devices);
	kshim_pairs_drop(nvme);
	hash_for_each_safe(disks, bucket, next, disk, node) {
		if (disk->nvme != nvme)
			continue;
		hash_del_rcu(&disk->node);
		put_device(disk_to_dev(disk->gendisk));
		nvme_put(nvme);
		call_rcu(&disk->rcu, disk_free);
	}
	dma_pool_destroy(nvme->prp_pool);
	nvme->prp_pool = NULL;
	mutex_unlock(&kshim_devices);
	/* readers of the hash have seen the last of it */
	synchronize_rcu();
}

static struct kshim_nvme *nvme_next_alive(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme, *found = NULL;

	mutex_lock(&kshim_devices);
	list_for_each_entry(nvme, &nvmes, list)
		if (!nvme->dead && (!pdev || nvme->pdev == pdev)) {
			refcount_inc(&nvme->refs);
			found = nvme;
			break;
		}
	mutex_unlock(&kshim_devices);
	return found;
}

void kshim_nvmes_remove(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme;

	while ((nvme = nvme_next_alive(pdev))) {
		nvme_kill(nvme);
		nvme_put(nvme);
	}
}

/* The driver is gone from the device: a later one may start anew. */
void kshim_nvmes_unbound(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme, *next;

	mutex_lock(&kshim_devices);
	list_for_each_entry_safe(nvme, next, &nvmes, list) {
		if (!nvme->dead || (pdev && nvme->pdev != pdev))
			continue;
		list_del(&nvme->list);
		nvme_put(nvme);
	}
	mutex_unlock(&kshim_devices);
}

/* ------------------------------------------------------------------ disks */

/*
 * The PCI device of a plain namespace's controller, or NULL. A multipath head has no
 * queue of its own, and a fabrics controller no PCI device.
 */
static struct pci_dev *disk_pdev(struct gendisk *gendisk)
{
	struct device *ctrl = disk_to_dev(gendisk)->parent;
	struct device *dev = ctrl ? ctrl->parent : NULL;

	if (!queue_is_mq(gendisk->queue) || !dev || !dev_is_pci(dev) || !dev->driver ||
	    strcmp(dev->driver->name, "nvme") ||
	    strncmp(gendisk->disk_name, "nvme", 4))
		return NULL;
	return to_pci_dev(dev);
}

/*
 * Bytes of metadata of each block, from the driver's attribute of that name: a block
 * with metadata behind its data would be written past the end of the buffer, and no
 * other public interface tells (an extended format may have no integrity profile).
 */
static int disk_metadata_bytes(struct gendisk *gendisk)
{
	struct device *dev = disk_to_dev(gendisk);
	const struct attribute_group **group;
	struct device_attribute *attr;
	struct attribute **a;
	char *buf __free(kfree) = kzalloc(PAGE_SIZE, GFP_KERNEL);
	int bytes;

	if (!buf)
		return -ENOMEM;
	for (group = dev->groups; group && *group; group++) {
		for (a = (*group)->attrs; a && *a; a++) {
			if (strcmp((*a)->name, "metadata_bytes"))
				continue;
			attr = container_of(*a, struct device_attribute, attr);
			if (attr->show(dev, attr, buf) < 0 ||
			    kstrtoint(strim(buf), 0, &bytes))
				return -EIO;
			return bytes;
		}
	}
	return -ENOENT;
}

static enum phyr_reason disk_check(struct block_device *bdev, struct kshim_disk *disk)
{
	struct gendisk *gendisk = bdev->bd_disk;
	struct pci_dev *pdev = disk_pdev(gendisk);
	int nsid;

	if (!pdev || !gendisk->fops->ioctl)
		return PHYR_NOT_NVME;
	if (blk_get_integrity(gendisk) || bdev_is_zoned(bdev) ||
	    disk_metadata_bytes(gendisk) != 0)
		return PHYR_DISK_FORMAT;
	/* takes no argument, and answers with the namespace's number */
	nsid = gendisk->fops->ioctl(bdev, 0, NVME_IOCTL_ID, 0);
	if (nsid <= 0)
		return PHYR_NOT_NVME;
	disk->gendisk = gendisk;
	disk->nsid = nsid;
	disk->nvme = nvme_find(pdev) ?: nvme_new(pdev);
	if (!disk->nvme)
		return PHYR_NO_MEMORY;
	return disk->nvme->dead ? PHYR_REVOKED : PHYR_DIRECT;
}

static struct kshim_disk *disk_find(const struct gendisk *gendisk)
{
	struct kshim_disk *disk;

	hash_for_each_possible_rcu(disks, disk, node, (unsigned long)gendisk,
				   lockdep_is_held(&kshim_devices))
		if (disk->gendisk == gendisk)
			return disk;
	return NULL;
}

static enum phyr_reason disk_new(struct block_device *bdev)
{
	enum phyr_reason reason = PHYR_DIRECT;
	struct kshim_disk *disk;

	mutex_lock(&kshim_devices);
	if (disk_find(bdev->bd_disk))
		goto out;
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	reason = disk ? disk_check(bdev, disk) : PHYR_NO_MEMORY;
	if (reason != PHYR_DIRECT) {
		kfree(disk);
		goto out;
	}
	get_device(disk_to_dev(disk->gendisk));
	refcount_inc(&disk->nvme->refs);
	hash_add_rcu(disks, &disk->node, (unsigned long)disk->gendisk);
out:
	mutex_unlock(&kshim_devices);
	return reason;
}

struct kshim_disk *kshim_disk_enter(struct block_device *bdev,
				    enum phyr_reason *ret_reason)
{
	struct kshim_disk *disk;

	for (;;) {
		rcu_read_lock();
		disk = disk_find(bdev->bd_disk);
		if (disk)
			break;
		rcu_read_unlock();
		*ret_reason = disk_new(bdev);
		if (*ret_reason != PHYR_DIRECT)
			return NULL;
	}
	/* RCU keeps the disk, and a user that nvme_kill() has seen keeps it on */
	atomic_inc(&disk->nvme->users);
	smp_mb__after_atomic();
	if (READ_ONCE(disk->nvme->dead)) {
		if (atomic_dec_and_test(&disk->nvme->users))
			wake_up_var(&disk->nvme->users);
		disk = NULL;
		*ret_reason = PHYR_REVOKED;
	}
	rcu_read_unlock();
	return disk;
}

void kshim_disk_exit(struct kshim_disk *disk)
{
	struct kshim_nvme *nvme = disk->nvme;

	/* after the count is down only RCU keeps it */
	rcu_read_lock();
	if (atomic_dec_and_test(&nvme->users) && READ_ONCE(nvme->dead))
		wake_up_var(&nvme->users);
	rcu_read_unlock();
}

/* --------------------------------------------------------------- commands */

/*
 * One NVMe command. Belongs to the request from the moment that it is queued;
 * cmd_end() frees it.
 */
struct kshim_cmd {
	struct kshim_io *io;
	struct kshim_region *region;	/* kept by the dio */
	struct dma_pool *pool;
	u32 bytes;
	u8 write;
	u8 nr_pages;
	struct kshim_prp_page page[CMD_LIST_PAGES];
};

static void cmd_free(struct kshim_cmd *cmd)
{
	while (cmd->nr_pages) {
		cmd->nr_pages--;
		dma_pool_free(cmd->pool, cmd->page[cmd->nr_pages].entries,
			      cmd->page[cmd->nr_pages].dma);
	}
	kmem_cache_free(cmd_cache, cmd);
}

/*
 * Interrupt context. The status argument alone does not do: completion in a batch
 * passes 0 for a command that failed. The driver's flag for cancelled commands is no
 * help, it stays on one that a reset cancelled and the retry finished.
 */
static enum rq_end_io_ret cmd_end(KSHIM_END_IO_ARGS)
{
	const struct nvme_request_head *nr = blk_mq_rq_to_pdu(rq);
	struct kshim_cmd *cmd = rq->end_io_data;
	struct kshim_io *io = cmd->io;

	kshim_region_exit(cmd->region);
	if (likely(!status && !nr->status)) {
		this_cpu_add(io->stats->cpu->bytes[cmd->write][PHYR_DIRECT], cmd->bytes);
	} else {
		this_cpu_inc(io->stats->cpu->errors);
		kshim_io_fail(io, status ? blk_status_to_errno(status) : -EIO);
	}
	cmd_free(cmd);
	kshim_io_put(io);
	return RQ_END_IO_FREE;
}

static struct kshim_cmd *cmd_new(struct kshim_io *io, const struct kshim_xfer *xfer,
				 unsigned int nr_pages)
{
	struct kshim_cmd *cmd = kmem_cache_alloc(cmd_cache, GFP_KERNEL);
	struct kshim_prp_page *page;

	if (!cmd)
		return NULL;
	cmd->io = io;
	cmd->region = xfer->region;
	cmd->pool = xfer->disk->nvme->prp_pool;
	cmd->write = xfer->write;
	for (cmd->nr_pages = 0; cmd->nr_pages < nr_pages; cmd->nr_pages++) {
		page = &cmd->page[cmd->nr_pages];
		page->entries = dma_pool_alloc(cmd->pool, GFP_KERNEL, &page->dma);
		if (!page->entries) {
			cmd_free(cmd);
			return NULL;
		}
	}
	return cmd;
}

/* How much of the stretch the next command carries, for as far as it is one range of
 * DMA addresses or a few. */
static int cmd_fit(const struct kshim_xfer *xfer, size_t max, struct kshim_segs *segs,
		   size_t *ret_bytes)
{
	struct kshim_seg_iter it;
	size_t len;
	int ret;

	ret = kshim_region_segs(xfer->region, xfer->uaddr, max, !xfer->write,
				xfer->disk->nvme, segs, &len);
	if (ret)
		return ret;
	kshim_seg_iter_init(&it, segs);
	*ret_bytes = kshim_prp_fit(&it, len, bdev_logical_block_size(xfer->bdev));
	return *ret_bytes ? 0 : -EINVAL;
}

static void cmd_fill(struct nvme_command *nc, struct kshim_cmd *cmd,
		     const struct kshim_xfer *xfer, const struct kshim_segs *segs,
		     u64 slba, u32 nlb)
{
	struct kshim_seg_iter it;
	u64 prp1, prp2;

	kshim_seg_iter_init(&it, segs);
	kshim_prp_build(&it, cmd->bytes, cmd->page, &prp1, &prp2);
	*nc = (struct nvme_command){
		.rw.opcode = xfer->write ? nvme_cmd_write : nvme_cmd_read,
		.rw.nsid = cpu_to_le32(xfer->disk->nsid),
		.rw.slba = cpu_to_le64(slba),
		.rw.length = cpu_to_le16(nlb - 1),
		.rw.control = cpu_to_le16(xfer->fua ? NVME_RW_FUA : 0),
		.rw.dptr.prp1 = cpu_to_le64(prp1),
		.rw.dptr.prp2 = cpu_to_le64(prp2),
	};
}

/*
 * Queue one command for the front of @xfer, at most @max bytes. The memory for it
 * comes first, then the region is entered, and from there nothing sleeps until the
 * request is queued or in the plug, which is flushed before this task sleeps.
 */
static int cmd_queue(struct kshim_io *io, const struct kshim_xfer *xfer, u64 sector,
		     size_t max, size_t *ret_bytes)
{
	struct request_queue *q = bdev_get_queue(xfer->bdev);
	struct kshim_seg seg[CMD_SEGS];
	struct kshim_segs segs = { .seg = seg, .max = CMD_SEGS };
	struct nvme_command nc;
	struct kshim_cmd *cmd;
	struct request *rq;
	size_t bytes;
	u64 slba;
	u32 nlb;
	int ret;

	/* whatever the address turns out to be, it has the buffer's place in a page */
	cmd = cmd_new(io, xfer, kshim_prp_list_pages(offset_in_page(xfer->uaddr), max));
	if (!cmd)
		return -ENOMEM;
	rq = blk_mq_alloc_request(q, xfer->write ? REQ_OP_DRV_OUT : REQ_OP_DRV_IN, 0);
	if (IS_ERR(rq)) {
		ret = PTR_ERR(rq);
		goto free_cmd;
	}
	ret = -EFAULT;
	if (!kshim_region_enter(xfer->region))
		goto free_rq;

	rcu_read_lock();
	ret = cmd_fit(xfer, max, &segs, &bytes);
	rcu_read_unlock();
	if (!ret)
		ret = kshim_sector_to_lba(sector, bytes,
					  ilog2(bdev_logical_block_size(xfer->bdev)),
					  &slba, &nlb);
	if (ret)
		goto exit_region;

	cmd->bytes = bytes;
	cmd_fill(&nc, cmd, xfer, &segs, slba, nlb);
	nvme_init_request(rq, &nc);
	/* like a filesystem's own I/O, wait for and retry across a controller reset */
	rq->cmd_flags &= ~REQ_FAILFAST_DRIVER;
	rq->end_io = cmd_end;
	rq->end_io_data = cmd;
	atomic_inc(&io->refs);
	this_cpu_inc(io->stats->cpu->commands);
	blk_execute_rq_nowait(rq, false);
	*ret_bytes = bytes;
	return 0;

exit_region:
	kshim_region_exit(xfer->region);
free_rq:
	blk_mq_free_request(rq);
free_cmd:
	cmd_free(cmd);
	return ret;
}

/* What the block layer checks in submit_bio(): the partition and its permission. */
static int xfer_check(const struct kshim_xfer *xfer, u64 *ret_sector)
{
	struct block_device *bdev = xfer->bdev;

	if (bdev->bd_disk != xfer->disk->gendisk)
		return -EIO;
	if (xfer->write && bdev_read_only(bdev))
		return -EPERM;
	return kshim_sector_range(bdev->bd_start_sect, bdev_nr_sectors(bdev),
				  xfer->sector, xfer->len, ret_sector);
}

int kshim_nvme_queue(struct kshim_io *io, const struct kshim_xfer *xfer)
{
	struct request_queue *q = bdev_get_queue(xfer->bdev);
	size_t limit = min((size_t)queue_max_hw_sectors(q) << SECTOR_SHIFT, CMD_BYTES_MAX);
	struct kshim_xfer left = *xfer;
	size_t bytes;
	u64 sector;
	int ret;

	ret = xfer_check(xfer, &sector);
	while (!ret && left.len) {
		bytes = kshim_split_bytes(sector, left.len, limit, q->limits.chunk_sectors);
		ret = cmd_queue(io, &left, sector, bytes, &bytes);
		if (ret)
			break;
		sector += bytes >> SECTOR_SHIFT;
		left.uaddr += bytes;
		left.len -= bytes;
	}
	return ret;
}

int kshim_nvmes_init(void)
{
	hash_init(disks);
	cmd_cache = KMEM_CACHE(kshim_cmd, 0);
	return cmd_cache ? 0 : -ENOMEM;
}

void kshim_nvmes_exit(void)
{
	kshim_nvmes_remove(NULL);
	kshim_nvmes_unbound(NULL);
	rcu_barrier();
	kmem_cache_destroy(cmd_cache);
}
