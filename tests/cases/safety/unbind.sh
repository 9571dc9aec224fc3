#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: the NVMe driver lets go of a disk with I/O in flight: errors, no hang, no warning
# red: keep pairs, mappings or pools of the controller after the driver has left it
# fs: any
# time: 120
. "$T_LIB"

mnt=$PWD/mnt phyr=$PWD/phyr
name=${PHYR_DISK2#/dev/}
pci=$(basename "$(readlink -f "/sys/class/nvme/${name%n1}/device")")
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 256m
mkdir "$mnt" "$phyr"
for round in 1 2; do
	mount -o errors=continue "$PHYR_DISK2" "$mnt"
	phyrfs "$mnt" "$phyr"
	t_data pattern "$mnt/f" 0 16m 1
	sync
	pids=()
	for engine in uring libaio psync; do
		t_io -e $engine -q 64 -b 4k:128k -n 16m -m "$PHYR_BAR" -x -k -t 60 "$phyr/f" \
			>io.$engine 2>&1 &
		pids+=($!)
	done
	sleep 2
	timeout 60 bash -c "echo $pci >/sys/bus/pci/drivers/nvme/unbind" || t_fail "unbind hangs"
	t_host watch_start
	t_host watch_check 2
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		timeout 20 tail --pid="$pid" -f /dev/null || t_fail "a reader hangs"
	done
	wait || true
	state_umount "$phyr"
	state_umount "$mnt" || umount -l "$mnt"

	# The other disk does not care, and this one comes back.
	t_data pattern "$T_DIR/f" 0 1m 1
	sync
	t_is_direct 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
	t_bound "$PHYR_DISK2" "$pci"
	mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 256m
	mount "$PHYR_DISK2" "$mnt"
	phyrfs "$mnt" "$phyr"
	t_data pattern "$mnt/f" 0 1m 1
	sync
	t_is_direct 1048576 t_call -c 1 read "$phyr/f" 0 "$PHYR_BAR:0:1m"
	state_umount "$phyr"
	state_umount "$mnt"
done
