#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: PCI remove of the BAR's device with 64 reads in flight: no late DMA, then EFAULT, and back after a rescan
# red: do not revoke the provider's regions when its device goes
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
bar_dir=/sys/bus/pci/devices/$PHYR_BAR_PCI
for round in 1 2 3; do
	pids=()
	for engine in uring libaio psync; do
		t_io -e $engine -q 64 -b 4k:128k -n 16m -m "$PHYR_BAR" -x -k -t 60 "$T_MNT/f" \
			>io.$engine 2>&1 &
		pids+=($!)
	done
	sleep 2
	echo 1 >"$bar_dir/remove"
	# Everything that any program can do is over now; the host keeps the bytes.
	t_host fill 0x5a 0 64m
	t_host watch_start
	t_host watch_check 3
	for pid in "${pids[@]}"; do
		kill -0 "$pid" 2>/dev/null || {
			wait "$pid" && status=0 || status=$?
			t_fail "round $round: a reader ended with status $status: $(tail -n 3 io.*)"
		}
		kill "$pid"
		timeout 20 tail --pid="$pid" -f /dev/null || t_fail "a reader hangs"
	done
	wait || true
	t_host watch_check 1

	# The link to the disk is as it was.
	t_is 65536 t_call -c 1 read "$T_MNT/f" 0 host:0:64k
	t_is 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
	echo 1 >/sys/bus/pci/rescan
	for try in {1..50}; do
		[ -e "$PHYR_BAR" ] && break
		sleep 0.1
	done
	echo 1 >"$bar_dir/enable"
	t_is_direct 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
done
