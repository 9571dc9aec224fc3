// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_check: what of the kernel API no program can reach. Everything is done while the
 * module is loaded, which fails when something is not as the header says, and the
 * log tells what. It never starts a DMA: addresses are looked up, not used.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/phyr.h>

#include "check.h"

static char *near = "";
module_param(near, charp, 0444);
MODULE_PARM_DESC(near, "PCI device that reaches it");
static char *far = "";
module_param(far, charp, 0444);
MODULE_PARM_DESC(far, "PCI device that does not");

static struct pci_dev *memory_dev, *near_dev, *far_dev;
static phys_addr_t start;
static u64 len;

static struct pci_dev *find_dev(const char *name)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, name);

	return dev ? to_pci_dev(dev) : NULL;
}

/* Is [addr, addr + n) of the device the memory at @phys? */
static bool dma_is(struct device *dev, dma_addr_t addr, phys_addr_t phys, size_t n)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	size_t off;

	if (!domain || domain->type == IOMMU_DOMAIN_IDENTITY)
		return addr == phys;
	for (off = 0; off < n; off += 512)
		if (iommu_iova_to_phys(domain, addr + off) != phys + off)
			return false;
	return true;
}

/* Do the addresses of the mapping say the same memory as the vector? */
static bool dma_is_vec(const struct phyr_dma *dma, const struct phyr_vec *vec)
{
	struct phyr_iter it;
	unsigned int i = 0;
	size_t off = 0, n;

	phyr_iter_init(&it, vec);
	while (it.left) {
		if (i == dma->nr)
			return false;
		n = min(phyr_iter_contig(&it), dma->seg[i].len - off);
		if (!dma_is(dma->dev, dma->seg[i].addr + off, phyr_iter_addr(&it), n))
			return false;
		phyr_iter_advance(&it, n);
		off += n;
		if (off == dma->seg[i].len) {
			off = 0;
			i++;
		}
	}
	return i == dma->nr;
}

/* -------------------------------------------------------------- providers */

static int try_register(phys_addr_t at, u64 bytes, struct pci_dev *pdev, u64 bus_offset)
{
	struct phyr_provider_desc desc = {
		.start = at, .len = bytes, .pdev = pdev, .bus_offset = bus_offset,
	};
	struct phyr_provider *provider = phyr_provider_register(&desc);

	if (IS_ERR(provider))
		return PTR_ERR(provider);
	phyr_provider_unregister(provider);
	return 0;
}

/* red: drop any of the conditions in phyr_provider_register() */
static void check_register(struct page *page)
{
	struct phyr_provider_desc desc = { .start = start, .len = len / 2 };
	struct phyr_provider *provider;

	CHECK(try_register(start, 0, memory_dev, 0) == -EINVAL);
	CHECK(try_register(start + 512, PAGE_SIZE, memory_dev, 0) == -EINVAL);
	CHECK(try_register(start, PAGE_SIZE + 512, memory_dev, 0) == -EINVAL);
	CHECK(try_register(-PAGE_SIZE, 2 * PAGE_SIZE, NULL, 0) == -EINVAL);
	CHECK(try_register(start, -(u64)PAGE_SIZE, NULL, 0) == -EINVAL);
	CHECK(try_register(start, PAGE_SIZE, NULL, PAGE_SIZE) == -EINVAL);
	CHECK(try_register(start, 2 * PAGE_SIZE, memory_dev, -start - PAGE_SIZE) == -EINVAL);
	CHECK(try_register(page_to_phys(page), PAGE_SIZE, NULL, 0) == -EINVAL);
	CHECK(try_register(0, start + len, NULL, 0) == -EINVAL);
	CHECK(try_register(start, len, memory_dev, 0) == 0);

	provider = phyr_provider_register(&desc);
	CHECK(!IS_ERR(provider));
	if (IS_ERR(provider))
		return;
	CHECK(try_register(start, len, NULL, 0) == -EEXIST);
	CHECK(try_register(start, len / 2, memory_dev, 0) == -EEXIST);
	CHECK(try_register(start + len / 2 - PAGE_SIZE, PAGE_SIZE, NULL, 0) == -EEXIST);
	CHECK(try_register(start + len / 2, PAGE_SIZE, NULL, 0) == 0);
	phyr_provider_unregister(provider);
	phyr_provider_unregister(NULL);
}

/* red: compare offset + len with the length */
static void check_append(struct phyr_provider *provider)
{
	struct phyr_vec vec;

	phyr_vec_init(&vec);
	CHECK(phyr_vec_append_provider(&vec, provider, 0, 0) == -EINVAL);
	CHECK(phyr_vec_append_provider(&vec, provider, len, 1) == -EINVAL);
	CHECK(phyr_vec_append_provider(&vec, provider, len - 1, 2) == -EINVAL);
	CHECK(phyr_vec_append_provider(&vec, provider, 1, len) == -EINVAL);
	CHECK(phyr_vec_append_provider(&vec, provider, 1, SIZE_MAX) == -EINVAL);
	CHECK(phyr_vec_append_provider(&vec, provider, U64_MAX, 1) == -EINVAL);
	CHECK(vec.nr == 0 && vec.bytes == 0);
	CHECK(phyr_vec_append_provider(&vec, provider, len - 1, 1) == 0);
	CHECK(vec.nr == 1 && vec.bytes == 1 && vec.phyr[0].addr == start + len - 1);
	put_user_phyrs(&vec, false);
}

static int hold_gate(void *arg)
{
	struct phyr_vec *vec = arg;

	msleep(300);
	phyr_vec_exit(vec);
	return 0;
}

/* red: do not wait for the provider's gate */
static void check_unregister(void)
{
	struct phyr_provider_desc desc = { .start = start, .len = len };
	struct phyr_provider *provider = phyr_provider_register(&desc);
	unsigned long begin = jiffies;
	struct task_struct *task;
	struct phyr_vec vec;

	CHECK(!IS_ERR(provider));
	if (IS_ERR(provider))
		return;
	phyr_vec_init(&vec);
	CHECK(!phyr_vec_append_provider(&vec, provider, 0, PAGE_SIZE));
	CHECK(phyr_vec_enter(&vec));
	task = kthread_run(hold_gate, &vec, "phyr_check");
	if (IS_ERR(task)) {
		phyr_vec_exit(&vec);
		failed++;
	}
	phyr_provider_unregister(provider);
	CHECK(time_after_eq(jiffies, begin + msecs_to_jiffies(250)));
	put_user_phyrs(&vec, false);
}

/* -------------------------------------------------------------------- DMA */

#define PAGES	9

/* Every other page of a block, so that none continues the one before; ragged ends. */
static int pages_append(struct phyr_vec *vec, struct page *block)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < PAGES && !ret; i++)
		ret = phyr_vec_append(vec, page_to_phys(block + 2 * i) + (i ? 0 : 512),
				      i && i < PAGES - 1 ? PAGE_SIZE : PAGE_SIZE - 512);
	return ret;
}

/* red: let what does not continue the address space be linked to it */
static void check_pages(struct device *dev, struct page *block)
{
	static const size_t part[] = { SIZE_MAX, PAGE_SIZE, 3 * PAGE_SIZE - 512, 512, 1536 };
	struct phyr_iter it;
	struct phyr_dma dma;
	struct phyr_vec vec;
	unsigned int i, round;

	phyr_vec_init(&vec);
	CHECK(!pages_append(&vec, block));
	CHECK(vec.nr == PAGES && vec.nr_holds == 1);

	CHECK(phyr_dma_map(&dma, dev, &vec, DMA_NONE) == -EINVAL);
	phyr_dma_unmap(&dma);
	CHECK(phyr_dma_map(&dma, dev, &vec, DMA_FROM_DEVICE) == 0);
	CHECK(dma_is_vec(&dma, &vec));
	pr_info("phyr_check: %u pages are %u ranges\n", vec.nr, dma.nr);
	phyr_dma_unmap(&dma);
	phyr_dma_unmap(&dma);

	phyr_iter_init(&it, &vec);
	phyr_iter_advance(&it, vec.bytes);
	CHECK(phyr_dma_alloc(&dma, dev, &it, DMA_TO_DEVICE) == -EINVAL);
	phyr_dma_free(&dma);
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		phyr_iter_init(&it, &vec);
		CHECK(phyr_dma_alloc(&dma, dev, &it, DMA_BIDIRECTIONAL) == 0);
		CHECK(phyr_dma_link(&dma, &it, 0) == -EINVAL);
		CHECK(phyr_dma_link(&dma, &it, vec.bytes + 1) == -EINVAL);
		CHECK(dma.nr == 0 && it.left == vec.bytes);
		for (round = 0; round < 2; round++) {
			phyr_iter_init(&it, &vec);
			while (it.left)
				if (phyr_dma_link(&dma, &it, min(part[i], it.left))) {
					CHECK(!"link");
					break;
				}
			CHECK(phyr_dma_sync(&dma) == 0);
			CHECK(dma_is_vec(&dma, &vec));
			phyr_dma_unlink(&dma);
			CHECK(dma.nr == 0);
		}
		phyr_dma_free(&dma);
	}
	put_user_phyrs(&vec, false);
}

/* red: answer a route that the topology forbids; leave half of a failed link */
static void check_device(struct phyr_provider *provider, struct page *block, bool bus)
{
	u64 offset = PAGE_SIZE + 512;
	struct phyr_iter it, before;
	struct phyr_dma dma;
	struct phyr_vec vec;

	phyr_vec_init(&vec);
	CHECK(!pages_append(&vec, block));
	CHECK(!phyr_vec_append_provider(&vec, provider, offset, 3 * PAGE_SIZE));
	CHECK(!pages_append(&vec, block + 2 * PAGES));
	CHECK(vec.nr_holds == 3);
	CHECK(phyr_dma_map(&dma, &near_dev->dev, &vec, DMA_FROM_DEVICE) == 0);
	CHECK(bus || dma_is_vec(&dma, &vec));
	CHECK(phyr_vec_enter(&vec));
	phyr_vec_exit(&vec);
	phyr_dma_unmap(&dma);

	phyr_iter_init(&it, &vec);
	CHECK(phyr_dma_alloc(&dma, &far_dev->dev, &it, DMA_FROM_DEVICE) == 0);
	CHECK(phyr_dma_link(&dma, &it, 1024) == 0);
	before = it;
	CHECK(phyr_dma_link(&dma, &it, it.left) == -EREMOTEIO);
	CHECK(!memcmp(&it, &before, sizeof(it)));
	CHECK(dma.nr == 1 && dma.seg[0].len == 1024);
	phyr_dma_unmap(&dma);
	put_user_phyrs(&vec, false);
}

/*
 * Where the kernel has a judge of its own, both say the same.
 * red: trust every host bridge in route.c
 */
static void check_route(struct phyr_provider *provider, struct pci_dev *client)
{
	struct device *dev = &client->dev;
	struct phyr_dma dma;
	struct phyr_vec vec;
	bool reaches;

	if (!IS_ENABLED(CONFIG_PCI_P2PDMA))
		return;
	phyr_vec_init(&vec);
	CHECK(!phyr_vec_append_provider(&vec, provider, 0, PAGE_SIZE));
	reaches = !phyr_dma_map(&dma, dev, &vec, DMA_FROM_DEVICE);
	CHECK(reaches == (pci_p2pdma_distance_many(memory_dev, &dev, 1, false) >= 0));
	if (reaches)
		phyr_dma_unmap(&dma);
	put_user_phyrs(&vec, false);
}

/* The near device's addresses are @offset above the CPU's.
 * red: forget the provider's offset */
static void check_offset(u64 offset)
{
	struct phyr_provider_desc desc = {
		.start = start, .len = len, .pdev = memory_dev, .bus_offset = offset,
	};
	struct phyr_provider *provider = phyr_provider_register(&desc);
	struct phyr_dma dma;
	struct phyr_vec vec;

	CHECK(!IS_ERR(provider));
	if (IS_ERR(provider))
		return;
	phyr_vec_init(&vec);
	CHECK(!phyr_vec_append_provider(&vec, provider, PAGE_SIZE, 512));
	CHECK(!phyr_vec_append_provider(&vec, provider, 8 * PAGE_SIZE, PAGE_SIZE));
	CHECK(phyr_dma_map(&dma, &near_dev->dev, &vec, DMA_TO_DEVICE) == 0);
	CHECK(dma.nr == 2);
	CHECK(dma.nr && (dma.seg[0].addr == start + offset + PAGE_SIZE ||
			 dma_is_vec(&dma, &vec)));
	phyr_dma_unmap(&dma);
	put_user_phyrs(&vec, false);
	phyr_provider_unregister(provider);
}

static void count_flush(void *data)
{
	atomic_inc(data);
}

static unsigned long map_bar(void)
{
	unsigned long uaddr;
	struct file *file;
	char path[80];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d",
		 pci_name(memory_dev), bar);
	file = filp_open(path, O_RDWR, 0);
	CHECK(!IS_ERR(file));
	if (IS_ERR(file))
		return -EBADF;
	uaddr = vm_mmap(file, 0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	fput(file);
	CHECK(!IS_ERR_VALUE(uaddr));
	return uaddr;
}

/* red: flush by the read only, or let it be called for a mapping that outlives it */
static void check_flush(void)
{
	atomic_t flushes = ATOMIC_INIT(0);
	struct phyr_provider_desc desc = {
		.start = start, .len = len, .pdev = memory_dev,
		.bus_offset = pci_bus_address(memory_dev, bar) - start,
		.flush = count_flush, .data = &flushes,
	};
	struct phyr_provider *provider = phyr_provider_register(&desc);
	struct phyr_vec vec;
	unsigned long uaddr;
	int before;

	CHECK(!IS_ERR(provider));
	if (IS_ERR(provider))
		return;
	uaddr = map_bar();
	phyr_vec_init(&vec);
	CHECK(get_user_phyrs(uaddr, 4096, PHYR_WRITE, &vec) == 0);
	put_user_phyrs(&vec, false);
	CHECK(atomic_read(&flushes) == 0);
	vm_munmap(uaddr, 1 << 20);
	CHECK(atomic_read(&flushes) > 0);

	uaddr = map_bar();
	CHECK(get_user_phyrs(uaddr, 4096, PHYR_WRITE, &vec) == 0);
	before = atomic_read(&flushes);
	phyr_provider_unregister(provider);
	CHECK(atomic_read(&flushes) > before);
	before = atomic_read(&flushes);
	put_user_phyrs(&vec, false);
	vm_munmap(uaddr, 1 << 20);
	msleep(100);
	CHECK(atomic_read(&flushes) == before);
}

static void check_dma(struct page *block)
{
	struct phyr_provider_desc desc = {
		.start = start, .len = len, .pdev = memory_dev,
		.bus_offset = pci_bus_address(memory_dev, bar) - start,
	};
	struct phyr_provider *provider = phyr_provider_register(&desc);

	CHECK(!IS_ERR(provider));
	if (IS_ERR(provider))
		return;
	check_append(provider);
	check_device(provider, block, false);
	check_route(provider, near_dev);
	check_route(provider, far_dev);
	phyr_provider_unregister(provider);
	check_offset(0x1000000000);
	check_offset(-start);
	check_offset(-start - len);
}

/* ------------------------------------------------------------- user memory */

/* red: link or enter without a look at the gate */
static void check_stale(void)
{
	struct phyr_iter it;
	struct phyr_dma dma;
	struct phyr_vec vec;
	unsigned long uaddr = map_bar();

	if (IS_ERR_VALUE(uaddr))
		return;
	phyr_vec_init(&vec);
	CHECK(get_user_phyrs(uaddr + 512, 64 << 10, PHYR_WRITE, &vec) == 0);
	CHECK(vec.nr == 1 && vec.phyr[0].addr == start + 512);
	CHECK(phyr_dma_map(&dma, &near_dev->dev, &vec, DMA_FROM_DEVICE) == 0);
	CHECK(phyr_vec_enter(&vec));
	phyr_vec_exit(&vec);
	vm_munmap(uaddr, 1 << 20);
	CHECK(!phyr_vec_enter(&vec));
	phyr_dma_unlink(&dma);
	phyr_iter_init(&it, &vec);
	CHECK(phyr_dma_link(&dma, &it, 512) == -ESTALE);
	phyr_dma_free(&dma);
	put_user_phyrs(&vec, false);
}

static int __init phyr_check_init(void)
{
	struct page *block = alloc_pages(GFP_KERNEL, 6);

	memory_dev = find_dev(memory);
	near_dev = find_dev(near);
	far_dev = find_dev(far);
	if (block && memory_dev && near_dev && far_dev) {
		start = pci_resource_start(memory_dev, bar);
		len = pci_resource_len(memory_dev, bar);
		check_stale();
		check_register(block);
		check_unregister();
		check_pages(&near_dev->dev, block);
		check_dma(block);
		check_flush();
		check_stale();
	} else {
		failed++;
	}
	pci_dev_put(memory_dev);
	pci_dev_put(near_dev);
	pci_dev_put(far_dev);
	if (block)
		__free_pages(block, 6);
	return 0;
}

static void __exit phyr_check_exit(void)
{
}

module_init(phyr_check_init);
module_exit(phyr_check_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Checks of phyr.ko's kernel API");
