// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe controllers and disks: which block devices are plain namespaces of a PCIe
 * controller, and who may use them until when. The commands are cmd.c's.
 */
#include <linux/blk-integrity.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/nvme_ioctl.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/wait_bit.h>

#include "disk/disk.h"

static LIST_HEAD(nvmes);		/* under kshim_devices */
static DEFINE_HASHTABLE(disks, 5);	/* by gendisk; changed under kshim_devices */

/* ------------------------------------------------------------ controllers */

static struct kshim_nvme *nvme_new(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme = kzalloc(sizeof(*nvme), GFP_KERNEL);

	lockdep_assert_held(&kshim_devices);
	if (!nvme)
		return NULL;
	nvme->prp_pool = dma_pool_create("phyr_prp", &pdev->dev, KSHIM_PRP_BYTES,
					 KSHIM_PRP_BYTES, 0);
	nvme->idle = alloc_percpu(struct kshim_cmd_stack);
	if (!nvme->prp_pool || !nvme->idle) {
		dma_pool_destroy(nvme->prp_pool);
		free_percpu(nvme->idle);
		kfree(nvme);
		return NULL;
	}
	refcount_set(&nvme->refs, 1);
	nvme->pdev = pci_dev_get(pdev);
	INIT_LIST_HEAD(&nvme->pairs);
	list_add(&nvme->list, &nvmes);
	return nvme;
}

static void nvme_put(struct kshim_nvme *nvme)
{
	if (!refcount_dec_and_test(&nvme->refs))
		return;
	pci_dev_put(nvme->pdev);
	free_percpu(nvme->idle);
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
	kshim_pairs_drop_nvme(nvme);
	hash_for_each_safe(disks, bucket, next, disk, node) {
		if (disk->nvme != nvme)
			continue;
		hash_del_rcu(&disk->node);
		put_device(disk_to_dev(disk->gendisk));
		nvme_put(nvme);
		call_rcu(&disk->rcu, disk_free);
	}
	kshim_cmds_free(nvme);
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
		rcu_read_lock_sched();
		disk = disk_find(bdev->bd_disk);
		if (disk)
			break;
		rcu_read_unlock_sched();
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
	rcu_read_unlock_sched();
	return disk;
}

void kshim_disk_exit(struct kshim_disk *disk)
{
	struct kshim_nvme *nvme;

	if (!disk)
		return;
	nvme = disk->nvme;
	/* after the count is down only RCU keeps it */
	rcu_read_lock_sched();
	if (atomic_dec_and_test(&nvme->users) && READ_ONCE(nvme->dead))
		wake_up_var(&nvme->users);
	rcu_read_unlock_sched();
}

struct block_device *kshim_file_bdev(const struct file *file)
{
	struct inode *inode;

	if (!file)
		return ERR_PTR(-EBADF);
	inode = file->f_mapping->host;
	return S_ISBLK(inode->i_mode) ? I_BDEV(inode) : ERR_PTR(-ENOTBLK);
}

int kshim_disk_limit(const struct phyr_disk_limit *arg)
{
	struct file *file __free(fput) = fget(arg->disk_fd);
	struct block_device *bdev = kshim_file_bdev(file);
	struct kshim_disk *disk;
	enum phyr_reason reason;

	if (arg->reserved || !arg->bytes || arg->bytes % KSHIM_PRP_BYTES)
		return -EINVAL;
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	disk = kshim_disk_enter(bdev, &reason);
	if (!disk)
		return -ENODEV;
	WRITE_ONCE(disk->nvme->max_bytes, arg->bytes);
	kshim_disk_exit(disk);
	return 0;
}

void kshim_nvmes_init(void)
{
	hash_init(disks);
}

void kshim_nvmes_exit(void)
{
	kshim_nvmes_remove(NULL);
	kshim_nvmes_unbound(NULL);
	rcu_barrier();
}
