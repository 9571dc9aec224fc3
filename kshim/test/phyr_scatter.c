// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_scatter: device memory that is as scattered as can be. /dev/phyr_scatter maps the
 * pages of a BAR so that none continues the one before it. A mapping may be longer than
 * the BAR: then it has pages more than once.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>

static char *memory = "";
module_param(memory, charp, 0444);
MODULE_PARM_DESC(memory, "PCI device, as 0000:01:00.0, whose BAR is the memory");
static int bar = 2;
module_param(bar, int, 0444);

/* Odd, and a BAR has a power of two of pages: so each of them is met before the first again. */
#define SCATTER_STEP	40503

static struct pci_dev *memory_dev;

static unsigned long scatter_pfn(unsigned long page)
{
	unsigned long nr_pages = pci_resource_len(memory_dev, bar) >> PAGE_SHIFT;

	return PHYS_PFN(pci_resource_start(memory_dev, bar)) + page * SCATTER_STEP % nr_pages;
}

static int scatter_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long uaddr, page = vma->vm_pgoff;
	vm_fault_t fault;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	if (pci_resource_flags(memory_dev, bar) & IORESOURCE_PREFETCH)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	else
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	for (uaddr = vma->vm_start; uaddr < vma->vm_end; uaddr += PAGE_SIZE, page++) {
		fault = vmf_insert_pfn(vma, uaddr, scatter_pfn(page));
		if (fault & VM_FAULT_ERROR)
			return vm_fault_to_errno(fault, 0);
		cond_resched();
	}
	return 0;
}

static const struct file_operations scatter_fops = {
	.owner = THIS_MODULE,
	.mmap = scatter_mmap,
};

static struct miscdevice scatter_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "phyr_scatter",
	.fops = &scatter_fops,
};

static int __init phyr_scatter_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, memory);
	int ret;

	if (!dev)
		return -ENODEV;
	memory_dev = to_pci_dev(dev);
	ret = -EINVAL;
	if (bar >= 0 && bar < PCI_STD_NUM_BARS && pci_resource_len(memory_dev, bar))
		ret = misc_register(&scatter_misc);
	if (ret)
		put_device(dev);
	return ret;
}

static void __exit phyr_scatter_exit(void)
{
	misc_deregister(&scatter_misc);
	put_device(&memory_dev->dev);
}

module_init(phyr_scatter_init);
module_exit(phyr_scatter_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Maps a BAR's pages in scattered order");
