#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: memory is unmapped, or its process killed, under reads that the disk never answers: one io_timeout is enough, and whoever else reads gets his data
# red: do not hurry commands at whose gate somebody waits (cmd_hurry())
# fs: any
# time: 120
. "$T_LIB"

[ "$LAB_KERNEL" != debug ] || t_skip "lockdep objects to how nvme itself resets after a time-out"
# The driver alone tells the disk to abort a command when its time is over, which has no
# effect, and resets the disk when it is over again. With somebody waiting both are at half.
timeout=8
limit=$((timeout + 2))

dir=$PWD/dir mnt=$PWD/mnt disk=/sys/block/${PHYR_DISK2#/dev/}
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0 "$PHYR_DISK2" 64m
mount -o noatime,lazytime "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_data pattern "$dir/f" 0 4m 1
sync
# io_timeout SECONDS
io_timeout() {
	echo "$1" >/sys/module/nvme_core/parameters/io_timeout
	echo $(($1 * 1000)) >"$disk/queue/io_timeout"
}

read -r before </sys/module/nvme_core/parameters/io_timeout
trap 'io_timeout "$before"' EXIT
io_timeout $timeout

for mode in munmap kill; do
	t_is_direct 65536 t_pread "$mnt/f" "$PHYR_BAR" 0 64k
	t_deafen "$PHYR_DISK2"
	t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR2:0:64k" >other &
	other=$!
	start=$EPOCHREALTIME
	# of kill the reads are not counted
	t_within $limit t_like 'full (0 gone 16|1 gone 0) .*' \
		t_revoke -e uring -q 16 -r 1 $mode "$mnt/f" "$PHYR_BAR"
	echo "$mode: $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
	# The reset has cancelled the other one, too; it is repeated.
	t_within 5 tail -s 0.1 --pid=$other -f /dev/null
	wait $other || t_fail "the other read: $(cat other)"
	t_is 65536 cat other
done
state_umount "$mnt" "$dir"
