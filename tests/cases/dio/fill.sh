#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: writes that extend, fill holes, convert unwritten extents and overwrite
# red: skip dops->end_io, so that extents stay unwritten and sizes stay old
# iommu: any
# time: 90
. "$T_LIB"

check() {
	# Through the page cache, and again from the disk.
	t_data "is-$1" "$T_DIR/f" "$2" "$3" "$4"
	sync
	echo 1 >/proc/sys/vm/drop_caches
	t_data "is-$1" "$T_DIR/f" "$2" "$3" "$4"
}

t_over_old_data

# Extend from nothing, at the end, and beyond the end.
: >"$T_DIR/f"
t_is_direct 1048576 t_call -f 2 write "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
t_is_direct 69632 t_call -f 2 write "$T_MNT/f" 1m "$PHYR_BAR:4:69632"
[ "$(stat -c %s "$T_DIR/f" "$T_MNT/f")" = $'1118208\n1118208' ] || t_fail "size is wrong"
check pattern 0 1118208 2
t_is_direct 4096 t_call -f 2 write "$T_MNT/f" 2m "$PHYR_BAR:0:4096"
check fill 1118208 $(((2 << 20) - 1118208)) 0
check pattern 2m 4096 2

# Into the hole, to its first and last block, and across its end.
t_is_direct 4096 t_call -f 2 write "$T_MNT/f" 1118208 "$PHYR_BAR:0:4096"
t_is_direct 8192 t_call -f 2 write "$T_MNT/f" 2093056 "$PHYR_BAR:8k:8k"
check pattern 1118208 4096 2
check fill 1122304 $((2093056 - 1122304)) 0
check pattern 2093056 8192 2

# Unwritten extents: one block in the middle, then the rest around it.
rm "$T_DIR/f"
fallocate -l 4m "$T_DIR/f"
t_is_direct 4096 t_call -f 2 write "$T_MNT/f" 2m "$PHYR_BAR:0:4096"
check fill 0 2m 0
check pattern 2m 4096 2
check fill $(((2 << 20) + 4096)) $(((2 << 20) - 4096)) 0
t_is_direct 4194304 t_call -f 3 write "$T_MNT/f" 0 "$PHYR_BAR:0:4m"
check pattern 0 4m 3

# Overwrite: more than one extent, odd edges.
t_is_direct 1536 t_call -f 4 write "$T_MNT/f" 3584 "$PHYR_BAR:100:1536"
check pattern 0 3584 3
check pattern 3584 1536 4
check pattern 5120 $(((4 << 20) - 5120)) 3
