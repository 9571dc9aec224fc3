// SPDX-License-Identifier: GPL-2.0-only
/*
 * From user addresses to physical ones: the walk of the page tables, and the drivers
 * that spare it. For how long the answer is good is for region.c.
 */
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/pkeys.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mem/mem.h"
#include "mem/walk.h"

/* A driver that answers for its mappings itself. */
struct walk_driver {
	struct list_head list;
	const struct vm_operations_struct *vm_ops;
	const struct phyr_vma_ops *ops;
};

static DECLARE_RWSEM(drivers_lock);
static LIST_HEAD(drivers);		/* under drivers_lock */

static struct walk_driver *walk_find_driver(const struct vm_operations_struct *vm_ops)
{
	struct walk_driver *driver;

	lockdep_assert_held(&drivers_lock);
	list_for_each_entry(driver, &drivers, list)
		if (driver->vm_ops == vm_ops)
			return driver;
	return NULL;
}

int phyr_vma_register(const struct vm_operations_struct *vm_ops,
		      const struct phyr_vma_ops *ops)
{
	struct walk_driver *driver;
	int ret = -EEXIST;

	if (!vm_ops || !ops || !ops->phyr)
		return -EINVAL;
	driver = kmalloc(sizeof(*driver), GFP_KERNEL);
	if (!driver)
		return -ENOMEM;
	driver->vm_ops = vm_ops;
	driver->ops = ops;
	down_write(&drivers_lock);
	if (!walk_find_driver(vm_ops)) {
		list_add(&driver->list, &drivers);
		ret = 0;
	}
	up_write(&drivers_lock);
	if (ret)
		kfree(driver);
	return ret;
}
EXPORT_SYMBOL_GPL(phyr_vma_register);

void phyr_vma_unregister(const struct vm_operations_struct *vm_ops)
{
	struct walk_driver *driver;

	down_write(&drivers_lock);
	driver = walk_find_driver(vm_ops);
	if (driver)
		list_del(&driver->list);
	up_write(&drivers_lock);
	kfree(driver);
}
EXPORT_SYMBOL_GPL(phyr_vma_unregister);

struct vm_area_struct *kshim_walk_vma(struct mm_struct *mm, unsigned long uaddr)
{
	struct vm_area_struct *vma = vma_lookup(mm, uaddr);
	bool answered;

	if (!vma)
		return ERR_PTR(-EFAULT);
	if (vma->vm_flags & VM_PFNMAP)
		return vma;
	if (!vma->vm_ops || list_empty(&drivers))
		return ERR_PTR(-ENXIO);
	down_read(&drivers_lock);
	answered = walk_find_driver(vma->vm_ops);
	up_read(&drivers_lock);
	return answered ? vma : ERR_PTR(-ENXIO);
}

bool kshim_walk_is_special(unsigned long uaddr)
{
	struct mm_struct *mm = current->mm;
	bool special;

	if (!mmap_read_trylock(mm))
		return false;
	special = !IS_ERR(kshim_walk_vma(mm, uaddr));
	mmap_read_unlock(mm);
	return special;
}

static int walk_add_run(struct kshim_runs *runs, const struct kshim_run *run)
{
	struct kshim_run *last = runs->nr ? &runs->run[runs->nr - 1] : NULL;

	if (last && last->uaddr + last->len == run->uaddr &&
	    last->phys + last->len == run->phys && last->readable == run->readable &&
	    last->writable == run->writable && last->keyed == run->keyed) {
		last->len += run->len;
		return 0;
	}
	if (runs->nr == runs->max)
		return -ENOSPC;
	runs->run[runs->nr++] = *run;
	return 0;
}

/* 0: answered; -ENOENT: nobody answers for this VMA. */
static int walk_driver(struct vm_area_struct *vma, unsigned long uaddr, unsigned long end,
		       bool write, struct kshim_runs *runs)
{
	struct walk_driver *driver = NULL;
	struct kshim_run run;
	struct phyr phyr;
	int ret = -ENOENT;

	if (list_empty(&drivers))
		return -ENOENT;
	down_read(&drivers_lock);
	if (vma->vm_ops)
		driver = walk_find_driver(vma->vm_ops);
	if (driver)
		ret = driver->ops->phyr(vma, uaddr, end - uaddr, write, &phyr);
	up_read(&drivers_lock);
	if (!driver)
		return -ENOENT;
	/* what a private mapping is written to is its own */
	if (ret || (write && !(vma->vm_flags & VM_SHARED)))
		return -ENODEV;
	if (!phyr.len || phyr.len > end - uaddr || !PAGE_ALIGNED(phyr.addr | phyr.len) ||
	    phyr.addr + (phyr.len - 1) < phyr.addr)
		return -ENODEV;
	run = (struct kshim_run){
		.uaddr = uaddr, .len = phyr.len, .phys = phyr.addr,
		.readable = vma->vm_flags & VM_READ,
		.writable = write,
		.keyed = vma_pkey(vma),
	};
	return walk_add_run(runs, &run);
}

/*
 * The entries of one page table, whose lock is held, from the one at run->uaddr on. The
 * first that is not mapped ends it, or not with the access wanted.
 */
static int walk_table(pte_t *ptep, struct kshim_run run, unsigned long end, bool may_write,
		      bool write, struct kshim_runs *runs)
{
	unsigned long uaddr = run.uaddr + PAGE_SIZE, next = PHYS_PFN(run.phys) + 1;
	bool writable, was_writable = run.writable;
	pte_t pte;
	int ret;

	for (; uaddr != end; uaddr += PAGE_SIZE, next++) {
		pte = ptep_get(++ptep);
		if (!pte_present(pte) || !pte_special(pte))
			break;
		writable = may_write && pte_write(pte);
		if (write && !writable)
			break;
		if (likely(pte_pfn(pte) == next && writable == was_writable))
			continue;
		run.len = uaddr - run.uaddr;
		ret = walk_add_run(runs, &run);
		if (ret)
			return ret;
		next = pte_pfn(pte);
		was_writable = writable;
		run.uaddr = uaddr;
		run.phys = PFN_PHYS(next);
		run.writable = writable;
	}
	run.len = uaddr - run.uaddr;
	return walk_add_run(runs, &run);
}

int kshim_walk_runs(struct vm_area_struct *vma, unsigned long uaddr, unsigned long end,
		    bool write, struct kshim_runs *runs)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = uaddr };
	bool may_write = vma->vm_flags & VM_WRITE;
	struct kshim_run run = { .uaddr = uaddr };
	unsigned long bytes;
	int ret;

	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ)) ||
	    !arch_vma_access_permitted(vma, write, false, false))
		return -EACCES;
	ret = walk_driver(vma, uaddr, end, write, runs);
	if (ret != -ENOENT)
		return ret;
	if (follow_pfnmap_start(&args))
		return -EAGAIN;
	/* args.pfn is that of the 4 KiB page at uaddr, whatever the leaf's size */
	run.phys = PFN_PHYS(args.pfn);
	run.readable = vma->vm_flags & VM_READ;
	run.writable = may_write && args.writable;
	run.keyed = vma_pkey(vma);
	if (!args.special) {
		/* a private mapping that was written to: a page of the process's own */
		ret = -ENODEV;
	} else if (write && !run.writable) {
		ret = -EAGAIN;
	} else if (args.ptep) {
		end = min3(end, vma->vm_end, (uaddr & PMD_MASK) + PMD_SIZE);
		ret = walk_table(args.ptep, run, end, may_write, write, runs);
	} else {
		bytes = kshim_pfnmap_bytes(&args);
		run.len = min(bytes - (uaddr & (bytes - 1)), vma->vm_end - uaddr);
		ret = walk_add_run(runs, &run);
	}
	follow_pfnmap_end(&args);
	return ret;
}

bool kshim_walk_permits(struct mm_struct *mm, unsigned long uaddr, size_t len, bool write)
{
	VMA_ITERATOR(vmi, mm, uaddr);
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	for_each_vma_range(vmi, vma, uaddr + len)
		if (!arch_vma_access_permitted(vma, write, false, false))
			return false;
	return true;
}

/* fixup_user_fault() may drop and retake mmap_lock, so the caller looks everything up
 * again. */
int kshim_walk_fault(struct mm_struct *mm, unsigned long uaddr, bool write)
{
	bool unlocked = false;

	if (fatal_signal_pending(current))
		return -EINTR;
	return fixup_user_fault(mm, uaddr, write ? FAULT_FLAG_WRITE : 0, &unlocked);
}
