#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a PCIe error that nobody recovers from, with 64 reads in flight: the disk's driver can leave, as with host memory
# red: let the notifier of the unbind wait for reads, which only the driver's remove ends
# boot: own
# fs: any
# iommu: any
# time: 120
. "$T_LIB"

[ -c /dev/aer_inject ] || modprobe aer_inject 2>/dev/null || t_skip "this kernel has no aer_inject"
# Found anew, QEMU's disks read their old queues before the driver resets them.
[ "$LAB_IOMMU" = off ] || t_skip "an IOMMU would report what QEMU's disks do after a rescan"
dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 64m
mount "$PHYR_DISK2" "$dir"
t_data pattern "$dir/f" 0 8m 1
umount "$dir"
# The other disk gets the same error, and nothing is to wait for that one.
state_umount "$PHYR_MNT" "$PHYR_DIR"
t_disk_pci "$PHYR_DISK" >/sys/bus/pci/drivers/nvme/unbind

# inject PCI - the port says that it got a packet that makes no sense, which is fatal
inject() {
	local bus=${1:5:2} device=${1:8:2} function=${1:11}

	# bus, device, function, then words: uncorrectable, correctable, the packet's header
	printf "\\x$bus\\x$device\\x$function\\0\\0\\0\\x4\\0%b" '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' \
		>/dev/aer_inject
}

# The recovery fails, because the BARs have no driver that takes part.
wait_failed() {
	local try

	for try in {1..100}; do
		t_pause 0.1
		[ "$(dmesg | grep -c 'recovery failed')" -le "$1" ] || return 0
	done
	t_fail "$(dmesg | tail -n 20)"
}

for memory in host "$PHYR_BAR"; do
	pci=$(t_disk_pci "$PHYR_DISK2")
	switch=$(readlink -f "/sys/bus/pci/devices/$pci/../..")
	root=${switch%/*}
	# What is to be written to a disk without an answer makes the driver wait in any case.
	mount -o ro "$PHYR_DISK2" "$dir"
	phyrfs "$dir" "$mnt"
	t_io -e uring -q 64 -b 4k:128k -n 8m -m "$memory" -x -k -t 60 "$mnt/f" >io 2>&1 &
	reader=$!
	t_pause 1
	failed=$(dmesg | grep -c 'recovery failed') || true
	inject "${root##*/}"
	wait_failed "$failed"
	t_within 5 bash -c "echo $pci >/sys/bus/pci/drivers/nvme/unbind"
	kill $reader
	t_within 5 tail -s 0.1 --pid=$reader -f /dev/null
	state_umount "$mnt" "$dir"

	# For Linux all of the switch stays in the error; what it finds anew does not.
	echo 1 >"$switch/remove"
	echo 1 >/sys/bus/pci/rescan
	PHYR_DISK='' PHYR_DISK2=''
	state_devices
	[ -b "$PHYR_DISK2" ] || t_fail "the disk does not come back"
	t_disk_pci "$PHYR_DISK" >/sys/bus/pci/drivers/nvme/unbind
done

mount "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_is_direct 65536 t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR:0:64k"
state_umount "$mnt" "$dir"
