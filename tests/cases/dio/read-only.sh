#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: on a read-only mount writes fail as in vanilla, reads are direct
# red: open the backing file for writing whatever the caller asked for
# iommu: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
sync
# phyrfs still knows files that were removed behind its back, and holds them.
umount "$PHYR_MNT"
mount -o remount,ro "$PHYR_DIR"
trap 'mount -o remount,rw "$PHYR_DIR"' EXIT
phyrfs "$PHYR_DIR" "$PHYR_MNT"

t_is_direct 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
t_like '.*: Read-only file system' t_call -f 2 write "$T_DIR/f" 0 "$PHYR_BAR:0:4096"
t_like '.*: Read-only file system' t_call -f 2 write "$T_MNT/f" 0 "$PHYR_BAR:0:4096"
echo 1 >/proc/sys/vm/drop_caches
t_data is-pattern "$T_DIR/f" 0 1m 1
