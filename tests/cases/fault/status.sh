#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: commands that the disk ends with an error: its errno, counted, and the others' data is right
# red: look at nothing but the status argument of cmd_end(), which is 0 in a batch
# kernel: debug
# fs: any
# time: 60
. "$T_LIB"

# Without a journal and other writes in the background, which are not to be hit
dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0 "$PHYR_DISK2" 64m
mount -o noatime,lazytime "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"

# Unrecovered Read Error and Write Fault: what a worn disk says, and nobody repeats
fault=${PHYR_DISK2##*/}/fault_inject
for engine in psync libaio uring; do
	t_data pattern "$dir/f" 0 8m 1
	sync
	before=$(t_stat .total.errors)
	t_fault "$fault" 100 20 interval=4 status=0x281 dont_retry=Y
	t_like 'ok .* ENODATA [0-9]+' \
		t_io -e $engine -q 32 -b 4k:64k -n 8m -m "$PHYR_BAR" -k "$mnt/f"
	t_fault "$fault" 100 20 interval=4 status=0x280 dont_retry=Y
	t_like 'ok .* ENODATA [0-9]+' \
		t_io -e $engine -q 32 -b 4k:64k -d write -n 8m -m "$PHYR_BAR" -k "$mnt/f"
	t_fault_off "$fault"
	[ $(($(t_stat .total.errors) - before)) = 40 ] ||
		t_fail "$engine: $(($(t_stat .total.errors) - before)) errors counted, wanted 40"
	t_data pattern "$dir/f" 0 1m 1
	sync
	t_is_direct 1048576 t_call -c 1 read "$mnt/f" 0 "$PHYR_BAR:0:1m"
done

# Of a call with many commands one failed: no byte count, an error.
t_fault "$fault" 100 1 status=0x281 dont_retry=Y
t_is ENODATA t_pread "$mnt/f" "$PHYR_BAR" 0 8m
t_fault_off "$fault"

# What the driver is to repeat, it does, and nobody hears of it.
t_data pattern "$dir/f" 0 8m 1
sync
t_fault "$fault" 5 -1 status=0x06 dont_retry=N
t_like 'ok [0-9]+ bytes [0-9]+' \
	t_io -e uring -q 32 -b 4k:64k -n 8m -m "$PHYR_BAR" "$mnt/f"
t_fault_off "$fault"
state_umount "$mnt" "$dir"
