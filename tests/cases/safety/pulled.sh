#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a disk is pulled out with 64 reads in flight: its driver leaves at once, as it does with host memory
# red: let the notifier of the unbind wait for reads, which only the driver's remove ends
# fs: any
# time: 90
. "$T_LIB"

dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 64m
mount "$PHYR_DISK2" "$dir"
t_data pattern "$dir/f" 0 8m 1
umount "$dir"
for memory in host "$PHYR_BAR"; do
	pci=$(t_disk_pci "$PHYR_DISK2")
	# What is to be written to a disk without an answer makes the driver wait in any case.
	mount -o ro "$PHYR_DISK2" "$dir"
	phyrfs "$dir" "$mnt"
	t_io -e uring -q 64 -b 4k:128k -n 8m -m "$memory" -x -k -t 60 "$mnt/f" >io 2>&1 &
	reader=$!
	t_pause 1
	t_pull "$pci"
	t_pause 0.2
	t_within 5 bash -c "echo $pci >/sys/bus/pci/drivers/nvme/unbind"
	kill $reader
	t_within 5 tail -s 0.1 --pid=$reader -f /dev/null
	state_umount "$mnt" "$dir"

	echo 1 >"/sys/bus/pci/devices/$pci/remove"
	t_plug
	echo 1 >/sys/bus/pci/rescan
	PHYR_DISK2=''
	state_devices
	[ -b "$PHYR_DISK2" ] || t_fail "the disk does not come back"
done

mount "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_is_direct 65536 t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR:0:64k"
state_umount "$mnt" "$dir"
