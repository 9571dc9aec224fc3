#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: files of an overlayfs whose layers are on the mount are direct, whichever layer they are in
# red: ask only through which mount the user has opened the file
# iommu: any
. "$T_LIB"

overlay() {
	mount -t overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" overlay merged
}

mkdir -p merged upper work lower "$T_DIR/lower" "$T_DIR/upper" "$T_DIR/work"
t_data pattern "$T_DIR/lower/f" 0 1m 1
sync
overlay "$T_MNT/lower" "$PWD/upper" "$PWD/work"
for engine in psync libaio uring; do
	t_is_direct 1048576 t_call -e $engine -c 1 read merged/f 0 "$PHYR_BAR:0:1m"
	t_is 65536 t_call -e $engine -c 1 read merged/f 0 host:0:64k
done
umount merged

overlay "$PWD/lower" "$T_MNT/upper" "$T_MNT/work"
t_data pattern merged/g 0 1m 1
sync
for engine in psync libaio uring; do
	t_is_direct 1048576 t_call -e $engine -c 1 read merged/g 0 "$PHYR_BAR:0:1m"
	t_is_direct 1048576 t_call -e $engine -f 2 write merged/g 0 "$PHYR_BAR:0:1m"
	t_data is-pattern merged/g 0 1m 2
	t_data pattern merged/g 0 1m 1
	sync
done
umount merged

# What is in no registered mount stays out of scope.
overlay "$T_DIR/lower" "$PWD/upper" "$PWD/work"
t_is EFAULT t_call read merged/f 0 "$PHYR_BAR:0:64k"
umount merged
