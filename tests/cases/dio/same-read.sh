#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: direct reads of any place, length, address and segment list give what vanilla gives
# red: round lengths to the block before checking them, or skip the alignment check in phyr_dio_rw
# time: 120
. "$T_LIB"

# Ends inside a sector, so that the end is tried from both sides.
t_data pattern "$T_DIR/f" 0 300100 1
sync
t_same read "$T_MNT/f" "$T_DIR/f" "$PHYR_BAR"
