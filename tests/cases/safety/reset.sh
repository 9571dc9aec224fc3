#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: NVMe controller resets during I/O: right data or an error, no hang
# red: take a command that a reset has cancelled for a complete one, in cmd_end()
# time: 150
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 8m 1
sync
name=${PHYR_DISK#/dev/}
reset=/sys/class/nvme/${name%n1}/reset_controller
for engine in uring libaio psync; do
	t_io -e $engine -q 32 -b 4k:64k -n 8m -m "$PHYR_BAR" -o $((64 << 20)) -k -t 5 "$T_MNT/f" >io &
	pid=$!
	for try in 1 2 3 4; do
		sleep 0.7
		# QEMU's disk is too fast for a reset to find commands that it could cancel
		t_deafen "$PHYR_DISK"
		t_pause 0.2
		echo 1 >"$reset"
	done
	timeout 30 tail --pid=$pid -f /dev/null || t_fail "the reader hangs"
	wait $pid || t_fail "$engine: $(cat io)"
	cat io
done

# Writes are in the file or failed.
t_io -e uring -q 32 -d write -b 4k -n 8m -m "$PHYR_BAR" -k -t 4 -c "$T_DIR/f" "$T_MNT/f" >io &
pid=$!
for try in 1 2 3; do
	sleep 0.8
	echo 1 >"$reset"
done
wait $pid || grep -q E io || t_fail "$(cat io)"
t_is_direct 1048576 t_call -f 2 write "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
t_is_direct 1048576 t_call -c 2 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
