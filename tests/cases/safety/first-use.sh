#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a controller whose driver is about to leave is used for the first time: nothing of that stays behind
# red: let go of controllers when their driver is told to leave (BUS_NOTIFY_UNBIND_DRIVER), not when it has left
# fs: any
# time: 60
. "$T_LIB"

pci=$(t_disk_pci "$PHYR_DISK2")
pools=/sys/bus/pci/devices/$pci/pools
echo "$pci" >/sys/bus/pci/drivers/nvme/unbind
t_bound "$PHYR_DISK2" "$pci"
! grep -q phyr "$pools" || t_fail "the disk is in use already"
t_break device="$pci" slow_unbind=4000
echo "$pci" >/sys/bus/pci/drivers/nvme/unbind &
unbinder=$!
t_pause 1
phyr list >list
grep -q phyr "$pools" || t_fail "that was no use of the disk: $(cat list)"
kill -0 $unbinder || t_fail "the driver has left before"
t_within 10 tail -s 0.1 --pid=$unbinder -f /dev/null
! grep -qs phyr "$pools" || t_fail "a pool of a disk without driver: $(cat "$pools")"
t_mend

t_bound "$PHYR_DISK2" "$pci"
dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 64m
mount "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_data pattern "$dir/f" 0 1m 1
sync
t_is_direct 65536 t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR:0:64k"
state_umount "$mnt" "$dir"
