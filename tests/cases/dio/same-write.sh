#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: direct writes of any place, length, address and segment list give what vanilla gives
# red: leave out the size update or the zeroing around a new block in phyr_dio_rw
# time: 180
. "$T_LIB"

for f in a b; do
	t_data pattern "$T_DIR/$f" 0 300100 1
done
sync
t_same write "$T_MNT/a" "$T_DIR/a" "$PHYR_BAR" "$T_DIR/b"
cmp "$T_DIR/a" "$T_DIR/b"
