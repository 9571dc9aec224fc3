#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: O_DSYNC, O_SYNC, O_APPEND and their RWF_ forms, RWF_NOWAIT, RWF_HIPRI
# red: return -EIOCBQUEUED or block in phyr_dio_rw under IOCB_NOWAIT
# iommu: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
sync
bar=$PHYR_BAR

for flag in dsync sync; do
	t_is_direct 65536 t_call -o $flag -f 2 write "$T_MNT/f" 0 "$bar:0:64k"
	t_is_direct 65536 t_call -w $flag -f 2 write "$T_MNT/f" 64k "$bar:0:64k"
	t_is_direct 65536 t_call -e uring -w $flag -f 2 write "$T_MNT/f" 128k "$bar:0:64k"
	t_is_direct 65536 t_call -e libaio -o $flag -f 2 write "$T_MNT/f" 192k "$bar:0:64k"
	t_data is-pattern "$T_DIR/f" 0 256k 2
	t_data pattern "$T_DIR/f" 0 1m 1
	sync
	# Extending, for which the inode has to be written, too.
	t_is_direct 65536 t_call -o $flag -f 2 write "$T_MNT/f" 1m "$bar:0:64k"
	truncate -s 1m "$T_DIR/f"
done

# At the end, whatever the offset says.
t_is_direct 4096 t_call -o append -f 2 write "$T_MNT/f" 0 "$bar:0:4096"
t_is_direct 4096 t_call -w append -f 2 write "$T_MNT/f" 0 "$bar:0:4096"
[ "$(stat -c %s "$T_DIR/f")" = $(((1 << 20) + 8192)) ] || t_fail "append has the wrong size"
t_data is-pattern "$T_DIR/f" 0 1m 1
t_data -p 0 is-pattern "$T_DIR/f" 1m 4096 2
t_data -p 0 is-pattern "$T_DIR/f" $(((1 << 20) + 4096)) 4096 2

# All, or EAGAIN, or FUSE does not let it through; extending never waits either.
t_like '65536|EAGAIN|EOPNOTSUPP' t_call -w nowait -c 1 read "$T_MNT/f" 0 "$bar:0:64k"
t_like '65536|EAGAIN|EOPNOTSUPP' t_call -w nowait -f 2 write "$T_MNT/f" 0 "$bar:0:64k"
t_like '65536|EAGAIN|EOPNOTSUPP' t_call -w nowait -f 2 write "$T_MNT/f" 8m "$bar:0:64k"
t_like '65536|EAGAIN|EOPNOTSUPP' t_call -e uring -w nowait -f 2 write "$T_MNT/f" 16m "$bar:0:64k"
t_like '65536|EOPNOTSUPP' t_call -w hipri -c 1 read "$T_MNT/f" 64k "$bar:0:64k"
