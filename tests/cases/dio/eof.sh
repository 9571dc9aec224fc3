#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: reads at, across and past the end: byte count, data, and nothing foreign behind it
# red: do not clamp the length to i_size, or map more of the buffer than is asked for
# iommu: any
. "$T_LIB"

t_over_old_data
t_data pattern "$T_DIR/f" 0 10000 1
sync

t_is 1808 t_call -c 1 read "$T_MNT/f" 8192 "$PHYR_BAR:0:4096"
t_is 1808 t_call -c 1 read "$T_MNT/f" 8192 "$PHYR_BAR:0:65536"
t_is 10000 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
t_is 272 t_call -c 1 read "$T_MNT/f" 9728 "$PHYR_BAR:512:512"
t_is 0 t_call -c 1 read "$T_MNT/f" 10240 "$PHYR_BAR:0:4096"
t_is 0 t_call -c 1 read "$T_MNT/f" 1g "$PHYR_BAR:0:4096"
t_is 10000 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:4:4096" "$PHYR_BAR:16k:64k"

# Seen from the host: what lies beyond the buffer is as it was.
t_data fill "$PHYR_BAR" 0 1m 0xa5
sum=$(t_host hash 65536 983040)
t_is 10000 t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
[ "$sum" = "$(t_host hash 65536 983040)" ] || t_fail "a read changed memory beyond its buffer"

# An empty file, and one that only has a size.
: >"$T_DIR/empty"
truncate -s 100000 "$T_DIR/sparse"
t_is 0 t_pread "$T_MNT/empty" "$PHYR_BAR" 0 4096
t_is 100000 t_pread "$T_MNT/sparse" "$PHYR_BAR" 0 1m
t_data is-fill "$PHYR_BAR" 0 100000 0
