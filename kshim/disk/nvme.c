// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe controllers and disks: which block devices are plain namespaces of a PCIe
 * controller, and who may use them until when. The commands are cmd.c's.
 */
#include <linux/blk-integrity.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/nvme_ioctl.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "disk/disk.h"

static LIST_HEAD(nvmes);		/* under kshim_devices */
static DEFINE_MUTEX(nvmes_end);		/* one comes to its end at a time */
static DEFINE_HASHTABLE(disks, 5);	/* by gendisk; changed under kshim_devices */

/* ------------------------------------------------------------ controllers */

static void nvme_free(struct kshim_nvme *nvme)
{
	struct kshim_disk *disk, *next;

	list_for_each_entry_safe(disk, next, &nvme->disks, list) {
		put_device(disk_to_dev(disk->gendisk));
		kfree(disk);
	}
	pci_dev_put(nvme->pdev);
	free_percpu(nvme->cpu);
	kfree(nvme);
}

/*
 * An io that knows a dead controller may be held up by whatever holds up a process: a page
 * fault, a lock. None comes anew, so there is no hurry, and nothing that wakes us.
 */
static void nvme_free_work(struct work_struct *work)
{
	struct kshim_nvme *nvme = container_of(work, struct kshim_nvme, free);

	while (!kshim_visits_over(&nvme->cpu->ios))
		schedule_timeout_idle(HZ / 10);
	/* whoever has left may be in the middle of kshim_disk_exit() */
	synchronize_rcu();
	nvme_free(nvme);
}

static struct kshim_nvme *nvme_new(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme = kzalloc(sizeof(*nvme), GFP_KERNEL);

	lockdep_assert_held(&kshim_devices);
	if (!nvme)
		return NULL;
	INIT_LIST_HEAD(&nvme->disks);
	INIT_LIST_HEAD(&nvme->pairs);
	INIT_WORK(&nvme->free, nvme_free_work);
	kshim_cmds_begin(nvme);
	nvme->pdev = pci_dev_get(pdev);
	nvme->prp_pool = dma_pool_create("phyr_prp", &pdev->dev, KSHIM_PRP_BYTES,
					 KSHIM_PRP_BYTES, 0);
	nvme->cpu = alloc_percpu(struct kshim_nvme_cpu);
	if (!nvme->prp_pool || !nvme->cpu) {
		dma_pool_destroy(nvme->prp_pool);
		nvme_free(nvme);
		return NULL;
	}
	list_add(&nvme->list, &nvmes);
	return nvme;
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

/* Nobody finds it, or a disk of it, any more; and nobody is let in. */
static struct kshim_nvme *nvme_kill(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme;
	struct kshim_disk *disk;

	mutex_lock(&kshim_devices);
	if (pdev)
		nvme = nvme_find(pdev);
	else
		nvme = list_first_entry_or_null(&nvmes, struct kshim_nvme, list);
	if (nvme) {
		WRITE_ONCE(nvme->dead, true);
		list_del(&nvme->list);
		list_for_each_entry(disk, &nvme->disks, list)
			hash_del_rcu(&disk->node);
	}
	mutex_unlock(&kshim_devices);
	return nvme;
}

/*
 * It was killed, and its driver has removed the disks: all their requests have ended, and
 * their queues give no new ones. Whoever is on the way to a request therefore comes back
 * with an error. What is left after that is the memory.
 */
static void nvme_end(struct kshim_nvme *nvme)
{
	/* pairs with kshim_nvme_enter() and kshim_disk_enter() */
	synchronize_rcu();
	while (!kshim_visits_over(&nvme->cpu->senders))
		msleep(1);

	kshim_cmds_end(nvme);

	mutex_lock(&kshim_devices);
	kshim_pairs_drop_nvme(nvme);
	mutex_unlock(&kshim_devices);
	kshim_cmds_free(nvme);
	dma_pool_destroy(nvme->prp_pool);
	queue_work(kshim_wq, &nvme->free);
}

void kshim_nvmes_unbound(struct pci_dev *pdev)
{
	struct kshim_nvme *nvme;

	/* whoever finds nothing to do has to wait for who is at it */
	mutex_lock(&nvmes_end);
	while ((nvme = nvme_kill(pdev)))
		nvme_end(nvme);
	mutex_unlock(&nvmes_end);
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
	const struct device_driver *driver;

	if (!queue_is_mq(gendisk->queue) || !dev || !dev_is_pci(dev) ||
	    strncmp(gendisk->disk_name, "nvme", 4))
		return NULL;
	/* which the open disk keeps in memory */
	driver = READ_ONCE(dev->driver);
	return driver && !strcmp(driver->name, "nvme") ? to_pci_dev(dev) : NULL;
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

/* What may sleep for as long as the controller is being reset. */
static enum phyr_reason disk_check_driver(struct gendisk *gendisk)
{
	/* of an earlier driver of the same controller */
	if (!disk_live(gendisk))
		return PHYR_REVOKED;
	if (!disk_pdev(gendisk) || !gendisk->fops->ioctl)
		return PHYR_NOT_NVME;
	return kshim_cmds_check(gendisk->queue);
}

static enum phyr_reason disk_check(struct block_device *bdev, struct kshim_disk *disk)
{
	struct gendisk *gendisk = bdev->bd_disk;
	struct pci_dev *pdev = disk_pdev(gendisk);
	int nsid;

	lockdep_assert_held(&kshim_devices);
	/* its driver may have gone meanwhile */
	if (!pdev)
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
	return disk->nvme ? PHYR_DIRECT : PHYR_NO_MEMORY;
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

/* Not inline: kshim_disk_enter() would save registers for it each time. */
static noinline enum phyr_reason disk_new(struct block_device *bdev)
{
	enum phyr_reason reason = disk_check_driver(bdev->bd_disk);
	struct kshim_disk *disk;

	if (reason != PHYR_DIRECT)
		return reason;
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
	list_add(&disk->list, &disk->nvme->disks);
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
	/* pairs with nvme_end(): what is found is counted before anybody looks */
	this_cpu_inc(disk->nvme->cpu->ios.came);
	rcu_read_unlock_sched();
	return disk;
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

static void nvmes_hurry(void)
{
	struct kshim_disk *disk;
	int bucket;

	mutex_lock(&kshim_devices);
	hash_for_each(disks, bucket, disk, node)
		kshim_cmds_hurry(disk);
	mutex_unlock(&kshim_devices);
}

void kshim_nvmes_init(void)
{
	hash_init(disks);
	kshim_gates_hurry = nvmes_hurry;
}

void kshim_nvmes_exit(void)
{
	kshim_nvmes_unbound(NULL);
}
