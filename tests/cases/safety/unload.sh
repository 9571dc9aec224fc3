#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: unloading with I/O in flight waits or refuses, and never breaks; then EFAULT; then works again
# red: let a module go while a call is still in its code
# fs: any
# time: 150
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
for round in 1 2; do
	pids=()
	for engine in uring libaio psync; do
		t_io -e $engine -q 64 -b 4k:256k -n 16m -m "$PHYR_BAR" -x -k -t 60 "$T_MNT/f" \
			>io.$engine 2>&1 &
		pids+=($!)
	done
	sleep 1
	! rmmod phyr 2>/dev/null || t_fail "phyr went while phyr_dio needs it"

	rmmod phyr_dio
	t_is EFAULT t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
	t_host watch_start
	t_host watch_check 1
	! rmmod phyr 2>/dev/null || t_fail "phyr went while phyrfs has /dev/phyr open"

	# Back again, under the same readers.
	insmod "$PHYR_MODDIR/phyr_dio.ko"
	t_is 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:128m:1m"
	for pid in "${pids[@]}"; do
		kill -0 "$pid" 2>/dev/null || t_fail "a reader ended: $(cat io.*)"
		kill "$pid"
		timeout 20 tail --pid="$pid" -f /dev/null || t_fail "a reader hangs"
	done
	wait || true
	t_unload
	[ ! -e /dev/phyr ] || t_fail "/dev/phyr is still there"
	t_load
	t_is_direct 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
done
