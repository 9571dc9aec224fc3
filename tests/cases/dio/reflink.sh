#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a write from the BAR into a reflinked file leaves the other file as it is
# red: write in place where the mapping says shared
# iommu: any
. "$T_LIB"

[ "$PHYR_FS" = xfs ] || t_skip "only xfs has reflinks here"
t_data pattern "$T_DIR/a" 0 4m 1
cp --reflink=always "$T_DIR/a" "$T_DIR/b"
sync
t_is_direct 1048576 t_call -f 2 write "$T_MNT/b" 1m "$PHYR_BAR:0:1m"
t_is 512 t_call -f 2 write "$T_MNT/b" 512 "$PHYR_BAR:0:512"
t_like 'ok .*' t_io -e uring -q 32 -d write -n 1m -b 512:64k -m "$PHYR_BAR" "$T_MNT/b"
sync
echo 1 >/proc/sys/vm/drop_caches
t_data is-pattern "$T_DIR/a" 0 4m 1
t_data is-pattern "$T_DIR/b" 0 2m 2
t_data is-pattern "$T_DIR/b" 2m 2m 1
