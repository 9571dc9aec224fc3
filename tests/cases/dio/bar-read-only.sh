#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a BAR mapped read-only is EFAULT for a read into it, which is counted, and a source for writes
# red: ignore the permissions of the mapping for a read; give no reason for -EACCES, or give it before the end of the file
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
: >"$T_DIR/w"
sync
t_data pattern "$PHYR_BAR" 0 1m 5

t_is_refused permission t_call read "$T_MNT/f" 0 "ro=$PHYR_BAR:0:64k"
t_is_refused permission t_call -e libaio read "$T_MNT/f" 0 "ro=$PHYR_BAR:0:64k"
t_is_refused permission t_call -e uring read "$T_MNT/f" 0 "ro=$PHYR_BAR:0:64k"
t_like 'EFAULT|32768' t_call read "$T_MNT/f" 0 "$PHYR_BAR:2m:32k+ro=$PHYR_BAR:0:32k"
t_data is-pattern "$PHYR_BAR" 0 1m 5

t_is_direct 1048576 t_call write "$T_MNT/w" 0 "ro=$PHYR_BAR:0:1m"
t_data is-pattern "$T_DIR/w" 0 1m 5

# Holes are zeros that the CPU stores; they need the permission, too.
truncate -s 1m "$T_DIR/hole"
t_is_refused permission t_call read "$T_MNT/hole" 0 "ro=$PHYR_BAR:0:64k"
t_data is-pattern "$PHYR_BAR" 0 1m 5

# Where the file ends, nothing is to be stored, also when phyr knows the memory.
t_is 'EFAULT 0' t_call -x "truncate -s 0 '$T_DIR/hole'" read "$T_MNT/hole" 0 "ro=$PHYR_BAR:0:64k"
