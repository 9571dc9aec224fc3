#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: direct writes into holes of a file without extents, which ext4 does by the page cache, do what they do on the source
# red: take every write of which iomap did nothing for one whose memory was refused
# fs: any
# time: 90
. "$T_LIB"

dir=$PWD/dir mnt=$PWD/mnt
mkdir "$dir" "$mnt"
mkfs.ext4 -q -F -O ^extent,^64bit "$PHYR_DISK2" 64m
mount "$PHYR_DISK2" "$dir"
phyrfs "$dir" "$mnt"

# writes DIR ENGINE BUFFER - into a hole, and over the end of the data before it
writes() {
	rm -f "$dir/f"
	t_data fill "$dir/f" 0 128k 0x11
	truncate -s 1m "$dir/f"
	sync "$dir/f"
	t_is 65536 t_call -e "$2" -f 3 write "$1/f" 512k "$3"
	t_is 65536 t_call -e "$2" -f 3 write "$1/f" 96k "$3"
	t_data is-fill "$dir/f" 0 96k 0x11
	t_data is-pattern "$dir/f" 96k 64k 3
	t_data is-fill "$dir/f" 160k 352k 0
	t_data is-pattern "$dir/f" 512k 64k 3
	t_data is-fill "$dir/f" 576k 448k 0
}

writes "$dir" psync host:0:64k
for engine in psync uring; do
	writes "$mnt" $engine host:0:64k
	writes "$mnt" $engine "$PHYR_BAR:0:64k"
done
state_umount "$mnt" "$dir"
e2fsck -f -n "$PHYR_DISK2" >fsck 2>&1 || t_fail "$(tail -n 3 fsck)"
