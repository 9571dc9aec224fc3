#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: PHYR_LAB_ROUNDS times the BAR's device, the disk's driver or the controller goes and comes back under 64 reads
# red: as safety/remove, unbind and reset
# kernel: debug
# boot: own
# fs: any
# time: 4000
. "$T_LIB"

name=${PHYR_DISK2#/dev/}
disk=$(basename "$(readlink -f "/sys/class/nvme/${name%n1}/device")")
engines=(uring libaio)
mnt=$PWD/mnt phyr=$PWD/phyr
mkdir "$mnt" "$phyr"
mkfs.ext4 -q -F -O ^has_journal "$PHYR_DISK2" 256m

wait_for() {
	local try

	for try in {1..200}; do
		[ ! -e "$1" ] || return 0
		t_pause 0.05
	done
	t_fail "round $round: $1 does not come back"
}

come_up() {
	mount -o errors=continue "$PHYR_DISK2" "$mnt"
	phyrfs "$mnt" "$phyr"
}

come_down() {
	state_umount "$phyr"
	state_umount "$mnt" || umount -l "$mnt"
}

read_on() {
	t_io -e "${engines[round % 2]}" -q 64 -b 4k:64k -n 4m -m "$PHYR_BAR" -x -k -t 600 "$phyr/f" \
		>io 2>&1 &
	pid=$!
	t_pause 0.2
}

stop_reading() {
	kill $pid 2>/dev/null || true
	wait $pid || true
}

come_up
t_data pattern "$mnt/f" 0 4m 1
sync
for ((round = 0; round < PHYR_ROUNDS; round++)); do
	read_on
	case $((round % 3)) in
	0)
		echo 1 >"/sys/bus/pci/devices/$PHYR_BAR_PCI/remove"
		t_host fill 0x5a 0 4m
		t_host watch_start
		t_host watch_check 0.2
		stop_reading
		echo 1 >/sys/bus/pci/rescan
		wait_for "$PHYR_BAR"
		echo 1 >"/sys/bus/pci/devices/$PHYR_BAR_PCI/enable"
		;;
	1)
		echo "$disk" >/sys/bus/pci/drivers/nvme/unbind
		t_host fill 0x5a 0 4m
		t_host watch_start
		t_host watch_check 0.2
		stop_reading
		come_down
		echo "$disk" >/sys/bus/pci/drivers/nvme/bind
		wait_for "$PHYR_DISK2"
		come_up
		;;
	2)
		echo 1 >"/sys/class/nvme/${name%n1}/reset_controller"
		stop_reading
		;;
	esac
	t_is_direct 65536 t_call -c 1 read "$phyr/f" 0 "$PHYR_BAR:0:64k"
	[ $((round % 50)) != 49 ] || echo "$((round + 1)) rounds"
done
come_down
