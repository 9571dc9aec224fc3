#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: files that ext4 keeps in their inode
# red: treat IOMAP_INLINE as mapped
# iommu: any
# fs: any
. "$T_LIB"

mnt=$PWD/mnt phyr=$PWD/phyr
mkfs.ext4 -q -F -O inline_data "$PHYR_DISK2" 256m
mkdir "$mnt" "$phyr"
mount "$PHYR_DISK2" "$mnt"
phyrfs "$mnt" "$phyr"

t_data pattern "$mnt/small" 0 60 1
t_data pattern "$mnt/grow" 0 60 1
sync
t_data fill "$PHYR_BAR" 0 4096 0xa5
want=$(t_call read "$mnt/small" 0 host:0:4096)
t_like "$want|EFAULT" t_pread "$phyr/small" "$PHYR_BAR" 0 4096
[ "$want" != 60 ] || [ "$(t_pread "$phyr/small" "$PHYR_BAR" 0 4096)" != 60 ] ||
	t_data is-pattern "$PHYR_BAR" 0 60 1

# Out of the inode and into blocks.
t_is 8192 t_call -f 2 write "$phyr/grow" 4096 "$PHYR_BAR:0:8192"
t_data is-pattern "$mnt/grow" 0 60 1
t_data is-fill "$mnt/grow" 60 4036 0
t_data is-pattern "$mnt/grow" 4096 8192 2
state_umount "$phyr"
state_umount "$mnt"
e2fsck -f -n "$PHYR_DISK2" >fsck 2>&1 || t_fail "the filesystem is damaged: $(tail -n 3 fsck)"
