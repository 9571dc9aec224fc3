#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: the daemon fails when the kernel gives up the connection, and not when it unmounts
# red: let loop_aborted() return false
# iommu: any
# host: yes

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"

mkdir at
touch "$T_DIR/f"
fs_start "$T_DIR" at
umount at
wait "$pid" || fail 'umount is a proper end'

fs_start "$T_DIR" at
exec 3<at/f
! umount -f at 2>/dev/null || fail 'the mount is not busy'
! wait "$pid" || fail 'the daemon says that all is well'
exec 3<&-
grep -q 'connection was aborted' said || fail "$(cat said)"
umount -l at 2>/dev/null || :
