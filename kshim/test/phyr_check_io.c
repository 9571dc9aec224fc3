// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_check_io: vectors, cursors, user memory and phyr bios with input that is at the
 * end of its type or wrong. As phyr_check, everything is done while it is loaded, in the
 * address space of whoever loads it. It reads from the disks and never writes to them.
 */
#include <linux/anon_inodes.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/pci.h>
#include <linux/phyr.h>

#include "check.h"

static char *near = "";
module_param(near, charp, 0444);
MODULE_PARM_DESC(near, "disk that reaches it, with data that is not all alike");
static char *far = "";
module_param(far, charp, 0444);
MODULE_PARM_DESC(far, "disk that does not");

static unsigned int polls;
module_param(polls, uint, 0444);
MODULE_PARM_DESC(polls, "only read so often, from a disk with poll queues");

#define MAP_BYTES	(64 << 10)

static struct block_device *near_bdev, *far_bdev;
static struct file *bar_file;
static phys_addr_t start;

static unsigned long map(struct file *file, unsigned long at, unsigned long bytes,
			 int prot)
{
	unsigned long flags = (file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS) |
			      (at ? MAP_FIXED : 0);
	unsigned long uaddr = vm_mmap(file, at, bytes, prot, flags, 0);

	CHECK(!IS_ERR_VALUE(uaddr));
	return IS_ERR_VALUE(uaddr) ? 0 : uaddr;
}

/* ------------------------------------------------------- vectors and cursors */

/* Every other page of the block; half pages in twos, which are to become one. */
static int odd_append(struct phyr_vec *vec, struct page *block, unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		ret = phyr_vec_append(vec, page_to_phys(block + 2 * i), 1024);
		if (!ret)
			ret = phyr_vec_append(vec, page_to_phys(block + 2 * i) + 1024, 3072);
	}
	return ret;
}

/* red: do not coalesce, forget to copy the list when it grows, skip a check */
static void check_vec(struct page *block)
{
	struct phyr_vec vec;
	unsigned int i;

	phyr_vec_init(&vec);
	CHECK(phyr_vec_append(&vec, page_to_phys(block), 0) == -EINVAL);
	CHECK(phyr_vec_append(&vec, -(phys_addr_t)PAGE_SIZE, 2 * PAGE_SIZE) == -EINVAL);
	CHECK(phyr_vec_append(&vec, page_to_phys(block), SIZE_MAX) == -EINVAL);
	CHECK(phyr_vec_append(&vec, 1, SIZE_MAX) == -EINVAL);
	CHECK(phyr_vec_append(&vec, ~(phys_addr_t)0, 1) == -EINVAL);
	CHECK(phyr_vec_append(&vec, start, PAGE_SIZE) == -EINVAL);
	CHECK(!vec.nr && !vec.nr_holds && !vec.bytes);
	put_user_phyrs(&vec, true);

	CHECK(!odd_append(&vec, block, 31));
	CHECK(vec.nr == 31 && vec.nr_holds == 1 && vec.bytes == 31 * PAGE_SIZE);
	for (i = 0; i < vec.nr; i++)
		CHECK(vec.phyr[i].addr == page_to_phys(block + 2 * i) &&
		      vec.phyr[i].len == PAGE_SIZE);
	CHECK(phyr_vec_append(&vec, start, PAGE_SIZE) == -EINVAL);
	CHECK(vec.nr == 31 && vec.hold[0].nr == 31 && vec.bytes == 31 * PAGE_SIZE);
	put_user_phyrs(&vec, false);
	CHECK(!vec.nr && !vec.bytes && vec.phyr == vec.first);
	put_user_phyrs(&vec, false);
}

/* However a vector is cut, the parts are what a walk of single steps sees.
 * red: do not move to the next hold in phyr_iter_advance() */
static void check_iter(struct page *block, unsigned long uaddr)
{
	struct phyr_iter it, part, other;
	struct phyr_vec vec;
	size_t cut;

	phyr_vec_init(&vec);
	CHECK(!odd_append(&vec, block, 3));
	CHECK(!get_user_phyrs(uaddr, 512, PHYR_WRITE, &vec));
	CHECK(!odd_append(&vec, block + 8, 2));
	CHECK(vec.nr_holds == 3);
	for (cut = 0; cut <= vec.bytes; cut += 256) {
		phyr_iter_init(&it, &vec);
		part = phyr_iter_split(&it, cut);
		CHECK(part.left == cut && it.left == vec.bytes - cut);
		other = part;
		while (other.left)
			phyr_iter_advance(&other, min_t(size_t, other.left, 256));
		CHECK(other.phyr == it.phyr && other.off == it.off);
		CHECK(!it.left || phyr_iter_hold(&it) == phyr_iter_hold(&other));
	}
	CHECK(!it.left && !phyr_iter_contig(&it));
	put_user_phyrs(&vec, false);
}

/* ---------------------------------------------------------------- user memory */

static bool pinned(phys_addr_t addr)
{
	return folio_maybe_dma_pinned(page_folio(pfn_to_page(PHYS_PFN(addr))));
}

/* Refused with @want, and a vector that has something keeps just that. */
static bool refused(unsigned long uaddr, size_t bytes, unsigned int flags, int want,
		    struct page *block)
{
	struct phyr_vec vec;
	bool ok;
	int ret;

	phyr_vec_init(&vec);
	CHECK(!odd_append(&vec, block, 5));
	ret = get_user_phyrs(uaddr, bytes, flags, &vec);
	ok = ret == want && vec.nr == 5 && vec.nr_holds == 1 && vec.hold[0].nr == 5 &&
	     vec.bytes == 5 * PAGE_SIZE;
	if (!ok)
		pr_err("phyr_check_io: %#lx+%#zx: %d, %u phyrs\n", uaddr, bytes, ret, vec.nr);
	put_user_phyrs(&vec, false);
	return ok;
}

/* red: keep the pins of a call that failed later; take access for granted */
static void check_user(struct page *block)
{
	unsigned long uaddr = map(NULL, 0, 4 * MAP_BYTES, PROT_READ | PROT_WRITE);
	unsigned long at = uaddr + MAP_BYTES;
	struct phyr_vec vec;
	phys_addr_t first;
	unsigned int i;

	/* host memory, the BAR, host memory, nothing */
	if (!uaddr || !map(bar_file, at, MAP_BYTES, PROT_READ | PROT_WRITE))
		return;
	vm_munmap(uaddr + 3 * MAP_BYTES, MAP_BYTES);
	phyr_vec_init(&vec);
	CHECK(!get_user_phyrs(uaddr + 1, 3 * MAP_BYTES - 2, PHYR_WRITE, &vec));
	CHECK(vec.nr_holds == 3 && vec.bytes == 3 * MAP_BYTES - 2);
	CHECK(vec.hold[0].kind == PHYR_HOLD_PINNED && vec.hold[2].kind == PHYR_HOLD_PINNED);
	CHECK(vec.hold[1].kind == PHYR_HOLD_REGION && vec.hold[1].nr == 1);
	CHECK(vec.phyr[vec.hold[0].nr].addr == start);
	for (i = 1; i < vec.nr; i++)
		CHECK(vec.phyr[i - 1].addr + vec.phyr[i - 1].len != vec.phyr[i].addr);
	first = vec.phyr[0].addr;
	CHECK(offset_in_page(first) == 1 && pinned(first));
	put_user_phyrs(&vec, true);
	CHECK(!pinned(first));

	CHECK(refused(uaddr, 0, 0, -EINVAL, block));
	CHECK(refused(uaddr, 512, 2, -EINVAL, block));
	CHECK(refused(uaddr, 512, ~0U, -EINVAL, block));
	CHECK(refused(uaddr, SIZE_MAX, 0, -EINVAL, block));
	CHECK(refused(-PAGE_SIZE, 2 * PAGE_SIZE, 0, -EINVAL, block));
	CHECK(refused(0, SIZE_MAX, 0, -EFAULT, block));
	CHECK(refused((unsigned long)page_address(block), 512, 0, -EFAULT, block));
	CHECK(refused(TASK_SIZE - 1, 2, 0, -EFAULT, block));
	CHECK(refused(uaddr + 3 * MAP_BYTES, 512, 0, -EFAULT, block));
	CHECK(refused(uaddr, 3 * MAP_BYTES + 1, PHYR_WRITE, -EFAULT, block));
	CHECK(!pinned(first));

	CHECK(map(bar_file, at, MAP_BYTES, PROT_READ));
	CHECK(refused(uaddr, 2 * MAP_BYTES, PHYR_WRITE, -EFAULT, block));
	CHECK(map(bar_file, at, MAP_BYTES, PROT_NONE));
	CHECK(refused(at, 512, 0, -EFAULT, block));
	CHECK(map(NULL, at, MAP_BYTES, PROT_READ));
	CHECK(refused(uaddr, 2 * MAP_BYTES, PHYR_WRITE, -EFAULT, block));
	CHECK(!get_user_phyrs(at, 512, 0, &vec));
	put_user_phyrs(&vec, false);
	CHECK(map(NULL, at, MAP_BYTES, PROT_NONE));
	CHECK(refused(uaddr, 2 * MAP_BYTES, 0, -EFAULT, block));
	CHECK(!pinned(first));
	vm_munmap(uaddr, 3 * MAP_BYTES);
}

/* -------------------------------------------------- drivers' own mappings */

static struct phyr answer;
static int answer_ret;

static int vma_phyr(struct vm_area_struct *vma, unsigned long uaddr, size_t bytes,
		    bool write, struct phyr *ret_phyr)
{
	*ret_phyr = answer;
	if (!answer.addr) {
		/* a page at a time */
		ret_phyr->addr = start + (uaddr - vma->vm_start);
		ret_phyr->len = min_t(size_t, bytes, PAGE_SIZE);
	}
	return answer_ret;
}

static vm_fault_t vma_fault(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf->vma, vmf->address, PHYS_PFN(start) + vmf->pgoff);
}

static const struct phyr_vma_ops answer_ops = { .phyr = vma_phyr };
static const struct vm_operations_struct test_vm_ops = { .fault = vma_fault };

static int test_mmap(struct file *file, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND);
	vma->vm_ops = &test_vm_ops;
	return 0;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.mmap = test_mmap,
};

/* red: believe an answer that is empty or longer than what was asked for */
static void check_answers(unsigned long uaddr, struct page *block)
{
	static const struct phyr_vma_ops none;
	struct phyr_vec vec;

	CHECK(phyr_vma_register(NULL, &answer_ops) == -EINVAL);
	CHECK(phyr_vma_register(&test_vm_ops, NULL) == -EINVAL);
	CHECK(phyr_vma_register(&test_vm_ops, &none) == -EINVAL);
	CHECK(phyr_vma_register(&test_vm_ops, &answer_ops) == 0);
	CHECK(phyr_vma_register(&test_vm_ops, &answer_ops) == -EEXIST);

	answer = (struct phyr){ start, 0 };
	CHECK(refused(uaddr, PAGE_SIZE, 0, -EFAULT, block));
	answer = (struct phyr){ start + 1, PAGE_SIZE };
	CHECK(refused(uaddr, PAGE_SIZE, 0, -EFAULT, block));
	answer = (struct phyr){ start, 1ULL << 40 };
	CHECK(refused(uaddr, PAGE_SIZE, 0, -EFAULT, block));
	answer = (struct phyr){ page_to_phys(block), PAGE_SIZE };
	CHECK(refused(uaddr, PAGE_SIZE, 0, -EFAULT, block));
	answer = (struct phyr){ };
	answer_ret = -EFAULT;
	CHECK(refused(uaddr, PAGE_SIZE, 0, -EFAULT, block));
	answer_ret = 0;
	phyr_vec_init(&vec);
	CHECK(!get_user_phyrs(uaddr + 512, MAP_BYTES - 512, PHYR_WRITE, &vec));
	CHECK(vec.nr == 1 && vec.phyr[0].addr == start + 512);
	put_user_phyrs(&vec, false);
	phyr_vma_unregister(&test_vm_ops);
	phyr_vma_unregister(&test_vm_ops);
	phyr_vma_unregister(NULL);
}

/* red: do not fault in what is not mapped */
static void check_driver(struct page *block)
{
	struct file *file = anon_inode_getfile("phyr_check", &test_fops, NULL, O_RDWR);
	unsigned long uaddr;
	struct phyr_vec vec;

	CHECK(!IS_ERR(file));
	if (IS_ERR(file))
		return;
	uaddr = map(file, 0, MAP_BYTES, PROT_READ | PROT_WRITE);
	if (uaddr)
		check_answers(uaddr, block);
	vm_munmap(uaddr, MAP_BYTES);
	uaddr = map(file, 0, MAP_BYTES, PROT_READ | PROT_WRITE);
	phyr_vec_init(&vec);
	CHECK(!get_user_phyrs(uaddr + 512, MAP_BYTES - 512, PHYR_WRITE, &vec));
	CHECK(vec.nr == 1 && vec.phyr[0].addr == start + 512);
	put_user_phyrs(&vec, false);
	vm_munmap(uaddr, MAP_BYTES);
	fput(file);
}

/* ------------------------------------------------------------------------ bios */

static blk_status_t try_bio(struct block_device *bdev, blk_opf_t opf, sector_t sector,
			    const struct phyr_vec *vec, size_t skip, size_t bytes)
{
	struct phyr_iter it;
	struct phyr_bio bio;
	int ret;

	phyr_iter_init(&it, vec);
	phyr_iter_advance(&it, skip);
	phyr_bio_init(&bio, bdev, opf, sector);
	CHECK(!phyr_bio_add(&bio, &it, bytes));
	ret = phyr_bio_submit_wait(&bio);
	CHECK(ret == blk_status_to_errno(bio.status));
	return bio.status;
}

/* red: drop any of the conditions in bio_check() */
static void check_bio_bad(struct phyr_vec *vec)
{
	sector_t end = bdev_nr_sectors(near_bdev);
	struct phyr_iter it, before;
	struct phyr_bio bio;

	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, vec, 0, 0) == BLK_STS_INVAL);
	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, vec, 0, 100) == BLK_STS_INVAL);
	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, vec, 1, 512) == BLK_STS_INVAL);
	CHECK(try_bio(near_bdev, REQ_OP_DISCARD, 0, vec, 0, 512) == BLK_STS_INVAL);
	CHECK(try_bio(near_bdev, REQ_OP_READ, end, vec, 0, 512) == BLK_STS_IOERR);
	CHECK(try_bio(near_bdev, REQ_OP_READ, end - 1, vec, 0, 1024) == BLK_STS_IOERR);
	CHECK(try_bio(near_bdev, REQ_OP_READ, -1, vec, 0, 512) == BLK_STS_IOERR);
	CHECK(try_bio(near_bdev, REQ_OP_READ, -1, vec, 0, 1024) == BLK_STS_IOERR);
	CHECK(try_bio(near_bdev, REQ_OP_READ, 1ULL << 55, vec, 0, 512) == BLK_STS_IOERR);
	CHECK(try_bio(near_bdev, REQ_OP_READ, end - 1, vec, 0, 512) == BLK_STS_OK);

	phyr_iter_init(&it, vec);
	phyr_bio_init(&bio, near_bdev, REQ_OP_READ, 0);
	CHECK(phyr_bio_add(&bio, &it, it.left + 1) == -EINVAL);
	CHECK(phyr_bio_add(&bio, &it, SIZE_MAX) == -EINVAL);
	CHECK(it.left == vec->bytes && !bio.iter.left);
	CHECK(!phyr_bio_add(&bio, &it, 1024));
	before = it;
	phyr_iter_advance(&it, 512);
	CHECK(phyr_bio_add(&bio, &it, 512) == -EINVAL);
	CHECK(bio.iter.left == 1024);
	CHECK(!phyr_bio_add(&bio, &before, 512));
	CHECK(bio.iter.left == 1536);
	CHECK(!phyr_bio_split(&bio, 0, GFP_KERNEL));
	CHECK(!phyr_bio_split(&bio, 100, GFP_KERNEL));
	CHECK(!phyr_bio_split(&bio, 1536, GFP_KERNEL));
	CHECK(!phyr_bio_split(&bio, -(size_t)512, GFP_KERNEL));
	CHECK(bio.iter.left == 1536 && bio.sector == 0);
	phyr_bio_free(NULL);
}

static void all_done(struct phyr_bio *bio)
{
	complete(bio->private);
}

/* Read @vec in parts of @step; the part at sector @bad is sent past the end.
 * red: do not take a reference of the parent in phyr_bio_chain() */
static blk_status_t read_split(const struct phyr_vec *vec, size_t step, sector_t bad)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct phyr_iter it;
	struct phyr_bio *bio = phyr_bio_alloc(near_bdev, REQ_OP_READ, 0, GFP_KERNEL);
	struct phyr_bio *front;
	blk_status_t status;
	struct blk_plug plug;

	if (!bio)
		return BLK_STS_RESOURCE;
	phyr_iter_init(&it, vec);
	CHECK(!phyr_bio_add(bio, &it, it.left));
	bio->private = &done;
	bio->end_io = all_done;
	blk_start_plug(&plug);
	while (bio->iter.left > step) {
		front = phyr_bio_split(bio, step, GFP_KERNEL);
		CHECK(front);
		if (!front)
			break;
		if (front->sector == bad)
			front->sector = bdev_nr_sectors(near_bdev);
		phyr_bio_submit(front);
	}
	phyr_bio_submit(bio);
	blk_finish_plug(&plug);
	wait_for_completion(&done);
	status = bio->status;
	phyr_bio_free(bio);
	return status;
}

/* In one piece and in many is the same; an error of one part is told at the end. */
static void check_bio_split(struct page *block)
{
	static const size_t step[] = { 512, 3584, PAGE_SIZE, 5 * PAGE_SIZE };
	struct page *other = block + 32;
	struct phyr_vec one, many;
	unsigned int i;

	phyr_vec_init(&one);
	phyr_vec_init(&many);
	CHECK(!phyr_vec_append(&one, page_to_phys(block), MAP_BYTES));
	CHECK(!phyr_vec_append(&many, page_to_phys(other), MAP_BYTES));
	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, &one, 0, MAP_BYTES) == BLK_STS_OK);
	CHECK(memchr_inv(page_address(block), *(u8 *)page_address(block), MAP_BYTES));
	for (i = 0; i < ARRAY_SIZE(step); i++) {
		memset(page_address(other), 0, MAP_BYTES);
		CHECK(read_split(&many, step[i], -1) == BLK_STS_OK);
		CHECK(!memcmp(page_address(block), page_address(other), MAP_BYTES));
		CHECK(read_split(&many, step[i], step[i] >> SECTOR_SHIFT) == BLK_STS_IOERR);
	}
	put_user_phyrs(&one, false);
	put_user_phyrs(&many, false);
}

/* red: start a command without a look at the gate */
static void check_bio_device(void)
{
	unsigned long uaddr = map(bar_file, 0, MAP_BYTES, PROT_READ | PROT_WRITE);
	struct phyr_vec vec;

	phyr_vec_init(&vec);
	CHECK(!get_user_phyrs(uaddr, MAP_BYTES, PHYR_WRITE, &vec));
	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, &vec, 0, MAP_BYTES) == BLK_STS_OK);
	CHECK(try_bio(far_bdev, REQ_OP_READ, 0, &vec, 0, 512) == BLK_STS_NOTSUPP);
	check_bio_bad(&vec);
	CHECK(read_split(&vec, 1536, -1) == BLK_STS_OK);
	vm_munmap(uaddr, MAP_BYTES);
	CHECK(try_bio(near_bdev, REQ_OP_READ, 0, &vec, 0, 512) == BLK_STS_TARGET);
	CHECK(read_split(&vec, 1536, -1) == BLK_STS_TARGET);
	put_user_phyrs(&vec, true);
}

/*
 * Reads by polling, in pieces that take one command and several.
 * red: drop REQ_POLLED in cmd_queue(), which the case sees by the interrupts
 */
static void check_polled(void)
{
	unsigned long uaddr = map(bar_file, 0, MAP_BYTES, PROT_READ | PROT_WRITE);
	size_t bytes = MAP_BYTES;
	struct phyr_vec vec;
	unsigned int i;

	phyr_vec_init(&vec);
	CHECK(!get_user_phyrs(uaddr, MAP_BYTES, PHYR_WRITE, &vec));
	for (i = 0; i < polls; i++, bytes ^= MAP_BYTES ^ 512)
		CHECK(try_bio(near_bdev, REQ_OP_READ | REQ_POLLED, 0, &vec, 0, bytes) ==
		      BLK_STS_OK);
	CHECK(try_bio(far_bdev, REQ_OP_READ | REQ_POLLED, 0, &vec, 0, 512) ==
	      BLK_STS_NOTSUPP);
	put_user_phyrs(&vec, true);
	vm_munmap(uaddr, MAP_BYTES);
}

/* --------------------------------------------------------------------- module */

static void check_all(struct page *block)
{
	unsigned long uaddr = map(bar_file, 0, MAP_BYTES, PROT_READ | PROT_WRITE);
	struct phyr_vec vec;

	check_vec(block);
	check_iter(block, uaddr);
	vm_munmap(uaddr, MAP_BYTES);
	check_user(block);
	check_driver(block);
	phyr_vec_init(&vec);
	CHECK(!phyr_vec_append(&vec, page_to_phys(block), MAP_BYTES));
	check_bio_bad(&vec);
	put_user_phyrs(&vec, false);
	check_bio_split(block);
	check_bio_device();
}

static int __init phyr_check_io_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, memory);
	struct file *near_file = bdev_file_open_by_path(near, BLK_OPEN_READ, NULL, NULL);
	struct file *far_file = bdev_file_open_by_path(far, BLK_OPEN_READ, NULL, NULL);
	struct page *block = alloc_pages(GFP_KERNEL | __GFP_ZERO, 6);
	char path[80];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d", memory, bar);
	bar_file = filp_open(path, O_RDWR, 0);
	if (dev && block && !IS_ERR(near_file) && !IS_ERR(far_file) && !IS_ERR(bar_file)) {
		start = pci_resource_start(to_pci_dev(dev), bar);
		near_bdev = file_bdev(near_file);
		far_bdev = file_bdev(far_file);
		if (polls)
			check_polled();
		else
			check_all(block);
	} else {
		failed++;
	}
	if (!IS_ERR(bar_file))
		fput(bar_file);
	if (!IS_ERR(far_file))
		bdev_fput(far_file);
	if (!IS_ERR(near_file))
		bdev_fput(near_file);
	if (block)
		__free_pages(block, 6);
	put_device(dev);
	return 0;
}

static void __exit phyr_check_io_exit(void)
{
}

module_init(phyr_check_io_init);
module_exit(phyr_check_io_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Checks of phyr.ko's vectors, user memory and bios");
