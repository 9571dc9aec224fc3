#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: load, unload, load: EFAULT between, nothing left behind
# red: leave a kobject, a cache or a notifier registered at exit
# fs: any
# time: 90
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
sync
for round in 1 2 3; do
	t_is_direct 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
	umount "$PHYR_MNT"
	t_unload
	[ ! -e /dev/phyr ] || t_fail "/dev/phyr is still there"
	! grep -q '^phyr' /proc/modules || t_fail "a module is still loaded"
	phyrfs "$PHYR_DIR" "$PHYR_MNT" 2>message || t_fail "phyrfs does not work without the module"
	[ -s message ] || t_fail "phyrfs does not say that the module is missing"
	t_is EFAULT t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
	t_is 65536 t_call -c 1 read "$T_MNT/f" 0 host:0:64k
	umount "$PHYR_MNT"
	t_load
	phyrfs "$PHYR_DIR" "$PHYR_MNT"
done
