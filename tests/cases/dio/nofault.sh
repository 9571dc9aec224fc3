#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: where the filesystem forbids page faults, as btrfs does, nothing is learned: it copies, and that is counted
# red: learn about the buffer although iov_iter.nofault is set
# fs: any
. "$T_LIB"

dir=$PWD/dir mnt=$PWD/mnt regions=/sys/kernel/debug/phyr/regions
mkdir "$dir" "$mnt"
mkfs.btrfs -q -f "$PHYR_DISK2"
mount "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_data pattern "$dir/f" 0 1m 1
sync

read -r _ before <$regions
for engine in psync libaio uring; do
	refused=$(t_refused_calls filesystem)
	t_is '65536 65536' t_call -e $engine -x "cat $regions >regions" -c 1 \
		read "$mnt/f" 0 "$PHYR_BAR:0:64k"
	read -r _ during <regions
	[ "$during" = "$before" ] || t_fail "$engine: regions: $before, then $during"
	[ "$(t_refused_calls filesystem)" -gt "$refused" ] || t_fail "$engine: not counted"

	t_is 65536 t_call -e $engine -c 1 read "$mnt/f" 0 host:0:64k
	t_is 65536 t_call -e $engine -f 2 write "$mnt/f" 0 "$PHYR_BAR:0:64k"
	t_data is-pattern "$dir/f" 0 64k 2
	t_data is-pattern "$dir/f" 64k 64k 1
	t_data pattern "$dir/f" 0 64k 1
	sync
done
state_umount "$mnt" "$dir"
