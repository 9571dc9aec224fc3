#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: the daemon fails and unmounts when the kernel gives up the connection, and does not fail when it is unmounted
# red: leave out the check of the mount in keeper_judge()
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
! grep -q " $PWD/at fuse" /proc/mounts || fail 'a dead mount is left'

# The same from /sys/fs/fuse/connections
fs_start "$T_DIR" at
mkdir ctl
mount -t fusectl fusectl ctl
echo 1 >"ctl/$(mountpoint -d at | sed 's/.*://')/abort"
umount ctl
! wait "$pid" || fail 'the daemon says that all is well'
grep -q 'connection was aborted' said || fail "$(cat said)"
! grep -q " $PWD/at fuse" /proc/mounts || fail 'a dead mount is left'
