#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: commands are as large as the controller takes, also where the queue's limit is smaller
# red: leave out disk_learn() of phyrfs, or in cmd_limit() what the controller said (with IOMMU)
. "$T_LIB"

# QEMU's disks: MDTS 7, which is 512 KiB
largest=$((512 << 10)) size=$((8 << 20))
t_data pattern "$T_DIR/f" 0 $size 1
sync
before=$(t_stat .total.commands)
t_is_direct $size t_pread "$T_MNT/f" "$PHYR_BAR" 0 $size
t_data is-pattern "$PHYR_BAR" 0 $size 1
commands=$(($(t_stat .total.commands) - before))
# a file in two extents needs one more
[ $commands -ge $((size / largest)) ] && [ $commands -le $((size / largest + 1)) ] ||
	t_fail "$commands commands for $size bytes"
[ "$(t_stat .total.errors)" = 0 ] || t_fail "the controller refused commands"
