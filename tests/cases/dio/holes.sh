#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: holes and unwritten extents read as zeros, also in the middle of data
# red: treat IOMAP_UNWRITTEN as mapped when reading
# iommu: any
# time: 90
. "$T_LIB"

t_over_old_data
truncate -s 8m "$T_DIR/hole"
fallocate -l 8m "$T_DIR/unwritten"
for f in hole unwritten; do
	t_data fill "$PHYR_BAR" 0 8m 0xa5
	t_is 8388608 t_pread "$T_MNT/$f" "$PHYR_BAR" 0 8m
	t_data is-fill "$PHYR_BAR" 0 8m 0
	t_is 512 t_pread "$T_MNT/$f" "$PHYR_BAR" 512 512 1540
done

# data, hole, data, unwritten, data; edges inside the calls
t_data pattern "$T_DIR/mixed" 0 4m 1
fallocate -p -o 1m -l 1m "$T_DIR/mixed"
fallocate -p -o 3m -l 64k "$T_DIR/mixed"
fallocate -o 3m -l 64k "$T_DIR/mixed"
fallocate -p -o 40k -l 4k "$T_DIR/mixed"
sync
t_data fill "$PHYR_BAR" 0 5m 0xa5
t_is 4194304 t_pread "$T_MNT/mixed" "$PHYR_BAR" 0 5m
t_data is-pattern "$PHYR_BAR" 0 40k 1
t_data is-fill "$PHYR_BAR" 40k 4k 0
t_data -p 44k is-pattern "$PHYR_BAR" 44k 980k 1
t_data is-fill "$PHYR_BAR" 1m 1m 0
t_data -p 2m is-pattern "$PHYR_BAR" 2m 1m 1
t_data is-fill "$PHYR_BAR" 3m 64k 0
t_data -p $((3136 << 10)) is-pattern "$PHYR_BAR" 3136k 960k 1

before=$(t_direct_bytes)
t_is 12288 t_pread "$T_MNT/mixed" "$PHYR_BAR" 36k 12k 2052
[ $(($(t_direct_bytes) - before)) = 8192 ] || t_fail "a hole was counted as direct"
