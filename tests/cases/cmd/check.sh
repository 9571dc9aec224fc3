#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyrfs --check, -o require and the start know on which disks and filesystems nothing is
#	direct, and say it in one line; a yes is kept
# red: return 0 from source_check(), reach_check() or hook_check() of fs/direct.c
# time: 600
# iommu: any
. "$T_LIB"

at=$PWD/at dir=$PWD/dir
mkdir "$at" "$dir"

finish() {
	cd /
	state_umount "$at" "$dir"
	dmsetup remove --noudevsync phyr-check 2>/dev/null || true
	mdadm -q --stop /dev/md/phyr-check 2>/dev/null || true
	t_load
	setpci -s "$PHYR_BAR_PCI" COMMAND=2:2
	setpci -s "$(basename "${PHYR_BAR2%/*}")" COMMAND=2:2
}
trap finish EXIT

# said TEXT - in one line, and not in the words of another situation
said() {
	[ "$(grep -cF -- "$1" said)" = 1 ] || t_fail "line ${BASH_LINENO[1]}: $(cat said), wanted '$1'"
}

# unfit TEXT DIR - nothing in DIR can be direct, because TEXT
unfit() {
	! phyrfs --check "$2" 2>said || t_fail "line ${BASH_LINENO[0]}: --check: $(cat said)"
	said "nothing would be direct: $1"
	! grep -q 'is not mounted\|ordinary' said || t_fail "--check: $(cat said)"
	! phyrfs -o require "$2" "$at" 2>said || t_fail "line ${BASH_LINENO[0]}: require: $(cat said)"
	said "nothing would be direct: $1"
	[ "$(tail -n 1 said)" = "phyrfs: $at is not mounted" ] || t_fail "require: $(cat said)"
	! mountpoint -q "$at" || t_fail "require: mounted"
	phyrfs "$2" "$at" 2>said || t_fail "line ${BASH_LINENO[0]}: $(cat said)"
	said "works as an ordinary passthrough filesystem: $1"
	state_umount "$at"
}

# unfit_on TEXT DEVICE [OPTION...] - the same of a new filesystem on a disk
unfit_on() {
	state_format "$PHYR_FS" "$2"
	mount "${@:3}" "$2" "$dir"
	unfit "$dir is on $1" "$dir"
	state_umount "$dir"
}

# fit DIR - and so it can be read
fit() {
	phyrfs --check "$1" 2>said || t_fail "line ${BASH_LINENO[0]}: $(cat said)"
	said "$1 is on $PHYR_FS, on ${2-$PHYR_DISK}; data passes through the kernel, and is direct with:"
	said "  $PHYR_BAR_PCI BAR 2, 256 MiB: direct: both are below one PCIe switch"
	phyrfs -o require "$1" "$at" 2>said || t_fail "line ${BASH_LINENO[0]}: require: $(cat said)"
	[ ! -s said ] || t_fail "require: $(cat said)"
	t_data pattern "$1/f" 0 64k 1
	sync
	t_is_direct 65536 t_pread "$at/f" "$PHYR_BAR" 0 64k
	state_umount "$at"
}

fit "$PHYR_DIR"
echo ',,L' | sfdisk -q "$PHYR_DISK2"
udevadm settle 2>/dev/null || t_pause 0.5
[ -b "${PHYR_DISK2}p1" ] || t_fail 'no partition'
state_format "$PHYR_FS" "${PHYR_DISK2}p1"
mount "${PHYR_DISK2}p1" "$dir"
fit "$dir" "${PHYR_DISK2}p1"
state_umount "$dir"
wipefs -q -a "$PHYR_DISK2"

# Filesystems
only='only ext4 and xfs on an NVMe disk are direct'
unfit "/dev/shm is on tmpfs, which has no disk of this machine; $only" /dev/shm
unfit "/proc is on proc, which has no disk of this machine; $only" /proc
mkdir upper work
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/upper" "$dir/work" "$dir/merged"
mount -t overlay -o "lowerdir=$T_DIR,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/merged"
unfit "$dir/merged is on overlayfs, which keeps its data in other filesystems" "$dir/merged"
state_umount "$dir/merged" "$dir"
unfit "$PHYR_MNT is on FUSE, which keeps its data in other filesystems" "$PHYR_MNT"
mkfs.btrfs -q -f "$PHYR_DISK2"
mount "$PHYR_DISK2" "$dir"
unfit "$dir is on btrfs, which phyr does not serve; only ext4 and xfs are direct" "$dir"
state_umount "$dir"
wipefs -q -a "$PHYR_DISK2"
if [ "$PHYR_FS" = ext4 ]; then
	unfit_on 'ext4 with data=journal' "$PHYR_DISK2" -o data=journal
	tune2fs -o journal_data "$PHYR_DISK2" >/dev/null
	mount "$PHYR_DISK2" "$dir"
	unfit "$dir is on ext4 with data=journal" "$dir"
	state_umount "$dir"
fi

# Disks
only='only a plain NVMe namespace or a partition of it is direct'
modprobe loop
truncate -s 512M image
loop=$(losetup --show -f image)
unfit_on "$loop (loop device), which phyr cannot read past; $only" "$loop"
losetup -d "$loop"
modprobe brd rd_nr=1 rd_size=$((320 << 10)) max_part=0
unfit_on "/dev/ram0, which is no NVMe disk; $only" /dev/ram0
rmmod brd
sectors=$(blockdev --getsz "$PHYR_DISK2")
for name in 'LVM LVM-x' 'dm-crypt CRYPT-x' 'device mapper x'; do
	# without udev, which would make the link in /dev/mapper
	dmsetup create --noudevsync phyr-check -u "${name##* }" \
		--table "0 $sectors linear $PHYR_DISK2 0"
	disk=/dev/dm-$(dmsetup info -c --noheadings -o minor phyr-check)
	unfit_on "$disk (${name% *}), which phyr cannot read past; $only" "$disk"
	dmsetup remove --noudevsync phyr-check
done
mdadm -q --build /dev/md/phyr-check --level=0 --force -n 1 "$PHYR_DISK2"
disk=$(readlink -f /dev/md/phyr-check)
unfit_on "$disk (software RAID), which phyr cannot read past; $only" "$disk"
mdadm -q --stop /dev/md/phyr-check
unfit_on "$PHYR_FS, on $PHYR_FAR_DISK, which reaches no device memory" "$PHYR_FAR_DISK"
mount "$PHYR_FAR_DISK" "$dir"
! phyrfs --check "$dir" 2>said
said "  $PHYR_BAR_PCI BAR 2: not direct (topology): "
state_umount "$dir"

# Memory that is switched off, and the module's state
setpci -s "$PHYR_BAR_PCI" COMMAND=0:2
setpci -s "$(basename "${PHYR_BAR2%/*}")" COMMAND=0:2
unfit "$PHYR_DIR is on $PHYR_FS, on $PHYR_DISK, which reaches no device memory" "$PHYR_DIR"
! phyrfs --check "$PHYR_DIR" 2>said
said "  $PHYR_BAR_PCI BAR 2: switched off"
setpci -s "$PHYR_BAR_PCI" COMMAND=2:2
state_umount "$PHYR_MNT"
rmmod phyr_dio
unfit "module phyr_dio is not loaded; load it with 'modprobe phyr_dio'" "$PHYR_DIR"
rmmod phyr
unfit 'the kernel module is not loaded' "$PHYR_DIR"
! phyrfs --check -o policy=off "$PHYR_DIR" 2>said || t_fail "policy=off: $(cat said)"
said 'with policy=off nothing is direct; leave out that or --check'
t_load
fit "$PHYR_DIR"
