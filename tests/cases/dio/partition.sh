#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: on a second partition, I/O stays inside that partition
# red: take the sector of the partition for that of the disk
# time: 90
. "$T_LIB"

mnt=$PWD/mnt phyr=$PWD/phyr
# The second one begins at an odd sector of a 4 KiB page.
sfdisk -q "$PHYR_DISK2" <<-END
	label: gpt
	start=2048, size=65536
	start=67592, size=1048576
END
for try in {1..50}; do
	[ -b "${PHYR_DISK2}p2" ] && break
	sleep 0.1
done
first=${PHYR_DISK2}p1 second=${PHYR_DISK2}p2
t_data pattern "$first" 0 32m 9
sync
mkfs."$PHYR_FS" -q "$([ "$PHYR_FS" = xfs ] && echo -f || echo -F)" "$second"
mkdir "$mnt" "$phyr"
mount "$second" "$mnt"
phyrfs "$mnt" "$phyr"

: >"$mnt/f"
t_is_direct 8388608 t_call -f 2 write "$phyr/f" 0 "$PHYR_BAR:0:8m"
t_is_direct 8388608 t_call -c 2 read "$phyr/f" 0 "$PHYR_BAR:16m:8m"
t_data is-pattern "$mnt/f" 0 8m 2
t_data pattern "$mnt/g" 0 8m 1
sync
t_like 'ok .*' t_io -e uringv -q 16 -d mix -n 8m -b 512:128k -m "$PHYR_BAR" -c "$mnt/g" "$phyr/g"
sync
echo 1 >/proc/sys/vm/drop_caches
t_data is-pattern "$first" 0 32m 9

state_umount "$phyr"
state_umount "$mnt"
case $PHYR_FS in
ext4) e2fsck -f -n "$second" ;;
xfs) xfs_repair -n "$second" ;;
esac >fsck 2>&1 || t_fail "the filesystem is damaged: $(tail -n 3 fsck)"
