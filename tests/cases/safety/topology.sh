#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a disk that is not behind the BAR's switch is refused, and works for host memory
# red: let every route be direct
# fs: any
. "$T_LIB"

mnt=$PWD/mnt phyr=$PWD/phyr
mkfs."$PHYR_FS" -q "$([ "$PHYR_FS" = xfs ] && echo -f || echo -F)" "$PHYR_FAR_DISK"
mkdir "$mnt" "$phyr"
mount "$PHYR_FAR_DISK" "$mnt"
phyrfs "$mnt" "$phyr"
t_data pattern "$mnt/f" 0 4m 1
sync

t_data fill "$PHYR_BAR" 0 64k 0xa5
t_is_refused topology t_pread "$phyr/f" "$PHYR_BAR" 0 64k
t_is_refused topology t_call -e uring read "$phyr/f" 0 "$PHYR_BAR:0:64k"
t_data is-fill "$PHYR_BAR" 0 64k 0xa5
t_is_refused topology t_call write "$phyr/f" 0 "$PHYR_BAR:0:64k"
t_is_refused topology t_call write "$phyr/f" 4m "$PHYR_BAR:0:64k"
t_data is-pattern "$mnt/f" 0 4m 1
[ "$(stat -c %s "$mnt/f")" = $((4 << 20)) ] || t_fail "a refused write changed the size"
t_like 'ok .*' t_io -e uring -q 32 -d mix -n 4m -b 512:64k -c "$mnt/f" "$phyr/f"
state_umount "$phyr"
state_umount "$mnt"
case $PHYR_FS in
ext4) e2fsck -f -n "$PHYR_FAR_DISK" ;;
xfs) xfs_repair -n "$PHYR_FAR_DISK" ;;
esac >fsck 2>&1 || t_fail "the filesystem is damaged: $(tail -n 3 fsck)"
