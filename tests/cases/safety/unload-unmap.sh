#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr.ko is removed while a process that has no file open unmaps device memory: it waits for its notifier
# red: do not wait in kshim_regions_exit() until all regions are freed
# fs: any
# time: 60
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 64k 1
sync
mkfifo input
t_keep "$T_MNT/f" "$PHYR_BAR" 64k <input >output &
keeper=$!
exec {input}>input
for try in {1..100}; do
	[ ! -s output ] || break
	t_pause 0.1
done
t_is 65536 cat output
state_umount "$PHYR_MNT"
rmmod phyr_dio

# The last that munmap does in phyr is to read from the device.
t_break device="$PHYR_BAR_PCI" slow_read=6000
exec {input}>&-
t_pause 0.5
rmmod phyr &
remover=$!
t_pause 4
kill -0 $keeper || t_fail "munmap was too fast"
kill -0 $remover || t_fail "the module went with a process in its notifier"
t_within 10 tail -s 0.1 --pid=$keeper --pid=$remover -f /dev/null
wait $keeper || t_fail "the process ended with status $?"
wait $remover || t_fail "the module does not go"
[ ! -e /sys/module/phyr ] || t_fail "the module is still there"
t_mend

t_load
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
