#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: the sample filesystem reads into the BAR, host memory and both, with phyr bios alone
# red: translate all of a phyr bio by its first range, or lose the last part of a split one
# fs: any
# time: 150
. "$T_LIB"

insmod "$PHYR_MODDIR/phyr_flat.ko"
cleanup() {
	umount mnt 2>/dev/null || true
	rmmod phyr_flat 2>/dev/null || true
}
trap cleanup EXIT
mkdir mnt
t_data pattern f 0 8m 1
t_data pattern g 0 10000 1
: >empty
t_flat "$PHYR_DISK2" f g empty
mount -t phyr_flat "$PHYR_DISK2" mnt
[ "$(cd mnt && echo *)" = "empty f g" ] || t_fail "wrong names: $(ls mnt)"
[ "$(stat -c %s mnt/g)" = 10000 ] || t_fail "wrong size"
! cat mnt/f >/dev/null 2>&1 || t_fail "a buffered open worked"
! rmmod phyr_flat 2>/dev/null || t_fail "the module went while it was mounted"
bar=$PHYR_BAR bar2=$PHYR_BAR2

t_is 8388608 t_call -c 1 read mnt/f 0 "$bar:0:8m"
t_is 8388608 t_call -c 1 read mnt/f 0 host:0:8m
t_is 4096 t_call -c 1 read mnt/f 4k "$bar:4:4k"
t_is 65536 t_call -c 1 read mnt/f 1m "$bar:32k:32k+host:0:32k"
t_is 65536 t_call -c 1 read mnt/f 1m "host:512:7680+$bar:0:57856"
for engine in vec aiov uringv; do
	t_is 131072 t_call -e $engine -c 1 read mnt/f 64k "$bar:0:60k" host:0:4k "$bar2:8k:64k"
done
# ends inside of a block, and after the end
t_is 1808 t_call -c 1 read mnt/g 8k "$bar:0:4k"
t_is 0 t_call -c 1 read mnt/g 12k "$bar:0:4k"
t_is 0 t_call -c 1 read mnt/empty 0 "$bar:0:4k"
# what a disk cannot do, and what nobody may
t_is EINVAL t_call read mnt/f 100 "$bar:0:4k"
t_is EINVAL t_call read mnt/f 0 "$bar:0:100"
t_is EINVAL t_call read mnt/f 0 "$bar:2:4k"
t_is EFAULT t_call read mnt/f 0 "ro=$bar:0:4k"
t_is EFAULT t_call read mnt/f 0 vvar:0:4k

for engine in psync uring libaio; do
	t_like 'ok .*' t_io -s 3 -e $engine -q 32 -b 512:256k -n 8m -m "$bar" mnt/f
	t_like 'full .*' t_revoke -e $engine -q 16 -b 64k -r 6 munmap mnt/f "$bar"
done
t_like 'full .*' t_revoke -q 2 -b 4m -r 20 -e psync part mnt/f "$bar"
t_host watch_start
t_host watch_check 1
umount mnt

# refuse BYTES AT - a superblock with those bytes there does not mount
refuse() {
	t_flat "$PHYR_DISK2" f g
	printf "$1" | dd of="$PHYR_DISK2" bs=1 seek="$2" conv=notrunc,fsync status=none
	! mount -t phyr_flat "$PHYR_DISK2" mnt 2>/dev/null || t_fail "mounted with $1 at $2"
}
refuse X 0
refuse '\x40' 8
refuse '/' 64
refuse '\x00' 64
refuse '\xff\xff\xff\xff\xff\xff\xff\x7f' 104
refuse '\x00' 104
refuse '\xff\xff\xff\xff\xff\xff\xff\xff' 112
