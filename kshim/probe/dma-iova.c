// SPDX-License-Identifier: GPL-2.0-only
/* 6.16: address space of an IOMMU is had first and filled after. */
#include <linux/dma-mapping.h>

int probe(struct device *dev, struct dma_iova_state *state, phys_addr_t phys);
int probe(struct device *dev, struct dma_iova_state *state, phys_addr_t phys)
{
	if (!dma_iova_try_alloc(dev, state, phys, PAGE_SIZE) || !dma_use_iova(state))
		return 0;
	return dma_iova_link(dev, state, phys, 0, PAGE_SIZE, DMA_FROM_DEVICE, 0);
}
