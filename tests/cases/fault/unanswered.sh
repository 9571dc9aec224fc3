#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: memory is unmapped, or its process killed, under reads that the disk does not answer: one try of the driver is waited for, no more
# red: let the driver, or cmd_retry(), repeat a command whose gate is closed
# kernel: debug
# boot: own
# fs: any
# time: 60
. "$T_LIB"

# A try is over when the driver has told the disk to abort the command, which has no effect,
# and has then reset it; both after its limit of time. The rest is what that takes.
timeout=2
limit=$((2 * timeout + 6))

dir=$PWD/dir mnt=$PWD/mnt disk=/sys/block/${PHYR_DISK2#/dev/}
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0 "$PHYR_DISK2" 64m
mount -o noatime,lazytime "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"
t_data pattern "$dir/f" 0 4m 1
sync
echo $timeout >/sys/module/nvme_core/parameters/io_timeout
echo $((timeout * 1000)) >"$disk/queue/io_timeout"
echo 1 >"$disk/io-timeout-fail"

trap 't_fault_off fail_io_timeout' EXIT
for mode in munmap kill; do
	t_is_direct 65536 t_pread "$mnt/f" "$PHYR_BAR" 0 64k
	t_fault fail_io_timeout 100 -1
	t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR2:0:64k" >other &
	other=$!
	# of kill the reads are not counted
	t_within $limit t_like 'full (0 gone 16|1 gone 0) .*' \
		t_revoke -e uring -q 16 -r 1 $mode "$mnt/f" "$PHYR_BAR"
	t_fault_off fail_io_timeout
	# What is still wanted was repeated, and works when the disk answers again.
	wait $other || t_fail "the other read: $(cat other)"
	t_is 65536 cat other
done
state_umount "$mnt" "$dir"
