# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The state of the guest that jobs begin in: devices found, disk formatted and mounted,
# modules loaded, phyrfs mounted. Sourced by init and, through lib.sh, by cases.

export PHYR_DIR=/mnt/disk PHYR_MNT=/mnt/phyr PHYR_MODDIR=$LAB_MODULES PHYR_FS
export T_LIB=/lab/tests/vm/lib.sh LAB_BAD_LOG LAB_MODULES LAB_KERNEL LAB_IOMMU LAB_ICOUNT
export LAB_FAILSLAB PHYR_ROUNDS
export PATH=/run/bin:/lab/build/user/fs:/lab/build/user/tools:/lab/build/user/tests/vm:$PATH

# state_set DIR KEY=VALUE... - writes files of sysfs or debugfs
state_set() {
	local setting

	for setting in "${@:2}"; do
		echo "${setting#*=}" >"$1/${setting%%=*}"
	done
}

# Only builtins here: under emulation a program costs as much as fifty file reads.

# nvme_named NAME - sets found to the block device of the disk with serial phyr-NAME
nvme_named() {
	local device serial

	found=
	for device in /sys/class/nvme/*; do
		read -r serial <"$device/serial" && [ "$serial" = "phyr-$1" ] || continue
		[ ! -b "/dev/${device##*/}n1" ] || found=/dev/${device##*/}n1
	done
	return 0
}

# bar_of_size BYTES - sets found to the PCI address of the ivshmem device with such a BAR
bar_of_size() {
	local device id start end

	found=
	for device in /sys/bus/pci/devices/*; do
		read -r id <"$device/modalias" && [[ $id = pci:v00001AF4d00001110* ]] || continue
		{
			read -r _ && read -r _ && read -r start end _
		} <"$device/resource"
		[ $((end - start + 1)) != "$1" ] || found=${device##*/}
	done
}

state_devices() {
	local try found

	[ -e /sys/module/nvme ] || modprobe nvme
	for try in {1..100}; do
		nvme_named disk && PHYR_DISK=$found
		nvme_named disk2 && PHYR_DISK2=$found
		nvme_named far && PHYR_FAR_DISK=$found
		[ -z "$PHYR_DISK" ] || [ -z "$PHYR_DISK2" ] || [ -z "$PHYR_FAR_DISK" ] || break
		sleep 0.1
	done
	PHYR_BAR_SIZE=$((256 << 20))
	bar_of_size $PHYR_BAR_SIZE
	PHYR_BAR_PCI=$found
	PHYR_BAR=/sys/bus/pci/devices/$found/resource2_wc
	bar_of_size $((64 << 20))
	PHYR_BAR2=/sys/bus/pci/devices/$found/resource2_wc
	export PHYR_DISK PHYR_DISK2 PHYR_FAR_DISK PHYR_BAR PHYR_BAR_SIZE PHYR_BAR_PCI PHYR_BAR2

	# No driver is bound to the BARs, so nothing else switches their decoding on.
	echo 1 >"${PHYR_BAR%/*}/enable"
	echo 1 >"${PHYR_BAR2%/*}/enable"
}

# state_format FS DEVICE
state_format() {
	case $1 in
	ext4) mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$2" ;;
	xfs) mkfs.xfs -q -f -K "$2" ;;
	*) echo "unknown filesystem $1" >&2 && return 1 ;;
	esac
}

state_disk() {
	state_format "$PHYR_FS" "$PHYR_DISK" && mount "$PHYR_DISK" $PHYR_DIR
}

state_load() {
	if [ ! -e /sys/module/phyr ]; then
		insmod "$PHYR_MODDIR/phyr.ko" || return
	fi
	if [ ! -e /sys/module/phyr_dio ]; then
		insmod "$PHYR_MODDIR/phyr_dio.ko" || return
	fi
}

state_unload() {
	[ ! -e /sys/module/phyr_dio ] || rmmod phyr_dio || return
	[ ! -e /sys/module/phyr ] || rmmod phyr
}

state_phyrfs() {
	phyrfs $PHYR_DIR $PHYR_MNT </dev/null
}

# state_umount DIR... - whatever is mounted there, as often as it is. After phyrfs has been
# unmounted its daemon takes a moment to let go of the source.
state_umount() {
	local mnt try

	for mnt; do
		try=0
		while [[ $(</proc/mounts) = *" $mnt "* ]]; do
			umount "$mnt" 2>/dev/null && continue
			try=$((try + 1))
			[ $try -gt 50 ] || { sleep 0.1 && continue; }
			umount -l "$mnt" || return
		done
	done
}

# state_reach devices|disk|modules|all - each level includes those before it
state_reach() {
	[ "$1" = devices ] && return
	state_disk || return
	[ "$1" = disk ] && return
	if [ ! -e "$PHYR_MODDIR/phyr.ko" ]; then
		echo "lab: no modules for this kernel, going on without" >&2
		return 0
	fi
	state_load || return
	[ "$1" = modules ] && return
	if ! command -v phyrfs >/dev/null; then
		echo "lab: no phyrfs, going on without" >&2
		return 0
	fi
	state_phyrfs
}

# state_banner - what people find in the shell
state_banner() {
	local dir what

	echo "Linux $(uname -r), IOMMU $LAB_IOMMU. Ctrl-D ends the machine."
	for dir in PHYR_DIR PHYR_MNT; do
		what=$(findmnt -n -o FSTYPE,SOURCE -M "${!dir}") || what='nothing mounted'
		echo "\$$dir = ${!dir}: $what"
	done
	echo "\$PHYR_BAR = $PHYR_BAR: $((PHYR_BAR_SIZE >> 20)) MiB of device memory, to mmap"
	echo "phyr list tells which disk reaches it, phyr stat what was direct, env the other PHYR_*."
}
