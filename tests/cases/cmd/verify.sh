#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr verify tells a BAR that has the file's bytes from one that has not
# red: compare only the beginning, or give status 0 for a difference; read 010 as octal
# iommu: any
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 3000001 1
sync
t_is 3000001 t_pread "$T_MNT/f" "$PHYR_BAR" 0 4m
phyr verify "$T_DIR/f" "$PHYR_BAR" || t_fail "same bytes, but not for phyr verify"
t_data fill "$PHYR_BAR" 2999999 1 0x77
! phyr verify "$T_DIR/f" "$PHYR_BAR" >out 2>&1 || t_fail "a difference went unseen"
[ -s out ] || t_fail "a difference is not reported"
! phyr verify "$T_DIR/none" "$PHYR_BAR" 2>/dev/null || t_fail "a missing file is no error"

# Numbers are decimal, or hexadecimal with 0x.
t_data fill "$T_DIR/g" 0 16 1
t_data fill "$T_DIR/g" 10 2 2
t_data fill "$PHYR_BAR" 0 2 2
phyr verify "$T_DIR/g" "$PHYR_BAR" --offset 010 --length 02 || t_fail "010 is not ten"
phyr verify "$T_DIR/g" "$PHYR_BAR" --offset 0xa --length 0x2 || t_fail "0xa is not ten"
phyr verify "$T_DIR/g" "$T_DIR/g" --offset 08 --bar-offset 8 || t_fail "08 is no number"
t_like '.*is no number.*' phyr verify "$T_DIR/g" "$T_DIR/g" --length 0x

# What cannot be mapped is explained.
disk_pci=$(phyr list --json | jq -r --arg path "$PHYR_DISK" '.disks[] | select(.path == $path) | .pci')
t_like '.*a driver has claimed it.*iomem=relaxed' \
	phyr verify "$T_DIR/g" "/sys/bus/pci/devices/$disk_pci/resource0"
