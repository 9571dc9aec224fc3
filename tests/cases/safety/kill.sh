#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: SIGKILL, the OOM killer, exit and exec of a process with 64 reads in flight: no late DMA, no hang
# red: lose the wakeup of the notifier that waits for the last command in flight
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
for engine in uring libaio psync; do
	t_like 'full .*' t_revoke -e $engine -r 15 kill "$T_MNT/f" "$PHYR_BAR"
done
t_like 'full .*' t_revoke -e uring -b 256k -r 5 kill "$T_MNT/f" "$PHYR_BAR"
t_like 'full .*' t_revoke -e uring -r 4 oom "$T_MNT/f" "$PHYR_BAR"
for engine in uring libaio; do
	t_like 'full .*' t_revoke -e $engine -r 8 exit "$T_MNT/f" "$PHYR_BAR"
	t_like 'full .*' t_revoke -e $engine -r 8 exec "$T_MNT/f" "$PHYR_BAR"
done
t_host watch_start
t_host watch_check 2

# Killed while it writes: the file has old or new pieces, nothing else.
t_io -e uring -q 64 -d write -n 4m -b 4k -m "$PHYR_BAR" -t 60 "$T_MNT/f" &
sleep 2
kill -KILL $!
wait $! || true
t_data pattern "$T_DIR/f" 0 4m 1
sync
t_is 4194304 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:4m"
