#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: children that come and go during I/O disturb nothing
# red: kill the region of the parent with that of the child, and fail the reads in flight
# fs: any
# time: 90
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 16m 1
sync
for engine in uring libaio; do
	t_like 'full .*' t_revoke -e $engine -b 64k -r 6 fork "$T_MNT/f" "$PHYR_BAR"
done
