#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: mappings go, move, change and come back under 64 reads, PHYR_LAB_ROUNDS times each
# red: as safety/take-away, kill, race, fork and part
# kernel: debug
# enomem: expected
# boot: own
# fs: any
# time: 4000
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
for mode in munmap move kill fork over none readonly exit exec race part; do
	case $((${#mode} % 3)) in
	0) set -- -e uring -b 4k ;;
	1) set -- -e libaio -b 16k ;;
	2) set -- -e uring -b 64k ;;
	esac
	[ "$LAB_FAILSLAB" = 0 ] || set -- -m "$@"
	echo "$mode"
	t_like 'full .*' t_revoke "$@" -q 64 -r "$PHYR_ROUNDS" $mode "$T_MNT/f" "$PHYR_BAR" "$PHYR_BAR2"
	echo "lab: $mode done" >/dev/kmsg
done
t_host watch_start
t_host watch_check 2
