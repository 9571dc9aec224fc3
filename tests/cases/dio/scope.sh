#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: only files reached through phyrfs are in scope; host memory and buffered I/O work everywhere
# red: ask for the filesystem instead of the mount, or let kshim_mount_find() find everything;
#      leave out dio_write_back()
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 4m 1
sync
t_is EFAULT t_pread "$T_DIR/f" "$PHYR_BAR" 0 64k
t_is EFAULT t_call -f 2 write "$T_DIR/f" 0 "$PHYR_BAR:0:64k"
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"

# Host memory is none of phyr's business.
before=$(t_direct_bytes)
for dir in "$T_DIR" "$T_MNT"; do
	t_like 'ok .*' t_io -e uring -q 32 -d mix -n 4m -b 512:256k -c "$T_DIR/f" "$dir/f"
	t_data pattern "$T_DIR/f" 0 4m 1
	sync
	t_is 65536 t_call -e vec -c 1 read "$dir/f" 0 host:0:32k host:512:32k
done
[ "$(t_direct_bytes)" = "$before" ] || t_fail "host memory was counted"

# Buffered: the kernel copies, from and to device memory as well.
for dir in "$T_DIR" "$T_MNT"; do
	t_is 100000 t_call -o buffered -c 1 read "$dir/f" 4 "$PHYR_BAR:4:100000"
	t_is 4099 t_call -o buffered -f 2 write "$dir/f" 100 "$PHYR_BAR:8:4099"
	t_data is-pattern "$T_DIR/f" 0 100 1
	t_data is-pattern "$T_DIR/f" 100 4096 2
	t_data pattern "$T_DIR/f" 0 4m 1
done

# What is dirty in the page cache is read, also into memory that is known, where the
# kernel's own direct I/O has not been first; what is written is not hidden by it.
t_data pattern "$T_DIR/other" 0 1m 5
t_data pattern "$T_DIR/f" 0 1m 6
t_is 1048576 t_call -k "$T_MNT/other" -c 6 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
t_is 65536 t_call -f 2 write "$T_MNT/f" 64k "$PHYR_BAR:0:64k"
t_data is-pattern "$T_DIR/f" 0 64k 6
t_data is-pattern "$T_DIR/f" 64k 64k 2
t_data is-pattern "$T_MNT/f" 64k 64k 2

# No longer in scope when the daemon is gone.
umount "$PHYR_MNT"
t_is EFAULT t_pread "$T_DIR/f" "$PHYR_BAR" 0 64k
