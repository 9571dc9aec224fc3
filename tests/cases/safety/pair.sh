#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: want of memory or addresses when disk and BAR first meet is not remembered; a BAR beyond the disk's DMA mask is refused
# red: remember what route or mapping fails with for want of memory or addresses (pair_new()); without IOMMU: do not look at the DMA mask
# fs: any
# time: 60
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 64k 1
sync
bar2=$(basename "${PHYR_BAR2%/*}")
t_bar_again "$bar2"
t_break no_memory=1
t_is_refused no-memory t_pread "$T_MNT/f" "$PHYR_BAR2" 0 64k
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
t_mend

t_bar_again "$bar2"
if [ "$LAB_IOMMU" = on ]; then
	t_break no_iova=1
	t_is_refused dma-map t_pread "$T_MNT/f" "$PHYR_BAR2" 0 64k
	t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
	t_mend
else
	# up to here the guest has memory, and only from here on BARs
	t_break device="$(t_disk_pci "$PHYR_DISK")" mask=31
	for try in 1 2; do
		t_is_refused dma-map t_pread "$T_MNT/f" "$PHYR_BAR2" 0 64k
	done
	t_is 65536 t_call -c 1 read "$T_MNT/f" 0 host:0:64k
	t_mend
	t_bar_again "$bar2"
	t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
fi
