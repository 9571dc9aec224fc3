#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: munmap, mmap over, mprotect and mremap with 64 reads in flight: no late DMA
# red: let the notifier return before in_flight is zero
# fs: any
# time: 180
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
for mode in munmap over none readonly move; do
	for engine in uring libaio; do
		t_like 'full .*' t_revoke -e $engine -b 64k -r 8 $mode "$T_MNT/f" "$PHYR_BAR"
	done
	t_like 'full .*' t_revoke -e uring -b 256k -r 4 $mode "$T_MNT/f" "$PHYR_BAR"
	t_like 'full .*' t_revoke -e libaio -b 4k -r 10 $mode "$T_MNT/f" "$PHYR_BAR"
done

# And seen from the host, for longer.
t_host watch_start
t_host watch_check 2
