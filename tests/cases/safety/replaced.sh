#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: host memory that took the place of a BAR's mapping under a first read into that is good for the reads after it
# red: keep a region open whose VMA was another one when its notifier was inserted
# fs: any
# time: 60
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 64k 1
sync
t_is ok t_replace "$T_MNT/f" "$PHYR_BAR" 500
