#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: while a BAR that goes away waits for a disk that does not answer, nobody waits but who needs one of the two
# red: hold a lock of all devices (kshim_devices) until the reads in flight have ended
# fs: any
# time: 60
. "$T_LIB"

dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 64m
mount -o noatime "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
for file in "$dir/f" "$T_DIR/f"; do
	t_data pattern "$file" 0 1m 1
done
sync
t_is_direct 65536 t_pread "$mnt/f" "$PHYR_BAR" 0 64k
pci=$(t_disk_pci "$PHYR_DISK2")
far=$(t_disk_pci "$PHYR_FAR_DISK")

trap 't_unmute "$pci"' EXIT
t_mute "$pci"
t_pread "$mnt/f" "$PHYR_BAR" 0 64k &
reader=$!
t_pause 0.5
echo 1 >"/sys/bus/pci/devices/$PHYR_BAR_PCI/remove" &
remover=$!
t_pause 0.5
for pid in $reader $remover; do
	kill -0 $pid || t_fail "a read into a BAR that goes away does not hold it"
done

# First use of the other two, and another driver that leaves
t_within 5 t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
t_within 5 bash -c "echo $far >/sys/bus/pci/drivers/nvme/unbind"
t_within 5 phyr list >list
kill -0 $remover || t_fail "the BAR went away with a read in flight"

t_unmute "$pci"
t_within 5 tail -s 0.1 --pid=$reader --pid=$remover -f /dev/null
t_bar_back "$PHYR_BAR_PCI"
t_bound "$PHYR_FAR_DISK" "$far"
t_is_direct 65536 t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR:0:64k"
state_umount "$mnt" "$dir"
