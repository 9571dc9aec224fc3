#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: when one part of a mapping changes, I/O to the rest of it goes on
# red: do not look the buffer up again when a command finds its region closed
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 64m 1
sync
for engine in psync uring libaio; do
	t_like 'full .*' t_revoke -e $engine -q 2 -b 8m -r 40 part "$T_MNT/f" "$PHYR_BAR"
done
