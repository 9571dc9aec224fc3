#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: threads read while their memory is unmapped and replaced: what is mapped next gets the data
# red: use a cached translation without looking whether its region is dead
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 4m 1
sync
t_like 'full .*' t_revoke -q 64 -b 4k -r 30 race "$T_MNT/f" "$PHYR_BAR" "$PHYR_BAR2"
t_like 'full .*' t_revoke -q 64 -b 64k -r 20 race "$T_MNT/f" "$PHYR_BAR" "$PHYR_BAR2"
