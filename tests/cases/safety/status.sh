#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a command's NVMe status: the errno that a bio would have, as many repetitions as the driver's and no sooner than the disk wants, none for memory that is gone
# red: repeat at once what the disk wants later (cmd_repeat_delay()); name an error of the disk, to users of phyr bios, as memory out of reach (bio_done())
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
sync
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"

# with_status STATUS TIMES COMMAND... - sets ms to how long it took
with_status() {
	local start

	t_break status="$1" times="$2"
	start=$EPOCHREALTIME
	"${@:3}"
	ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	t_mend
}

# 0x4000: do not repeat
for try in 0x4281:ENODATA 0x4080:EREMOTEIO 0x4081:ENOSPC 0x4083:EBADE 0x4282:EILSEQ \
	0x4002:EOPNOTSUPP 0x4006:EIO; do
	with_status ${try%:*} 1 t_is ${try#*:} t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
done
# five repetitions, at once
with_status 6 5 t_is 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
[ $ms -lt 2500 ] || t_fail "five repetitions took $ms ms"
# What is repeated is what was sent before, whatever the command was used for until then.
with_status 6 1 t_is 1048576 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
with_status 6 1 t_is 65536 t_call -o dsync -f 2 write "$T_MNT/f" 65536 "$PHYR_BAR:1m:64k"
with_status 6 1 t_is 65536 t_call -c 2 read "$T_MNT/f" 65536 "$PHYR_BAR:0:64k"
t_data is-pattern "$T_DIR/f" 65536 64k 2
t_data is-pattern "$T_DIR/f" 0 64k 1
with_status 6 6 t_is EIO t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
# 0x800: later, and after that twice as much later
with_status 0x806 2 t_is 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
[ $ms -ge 3000 ] || t_fail "two repetitions took $ms ms"

# Who unmaps does not wait for later; all repetitions take half a minute.
with_status 0x806 1000 t_within 10 t_like 'full 0 gone 4 .*' \
	t_revoke -e uring -q 4 -r 1 munmap "$T_MNT/f" "$PHYR_BAR"

# What users of phyr bios see of a disk is not what they see of memory out of its reach.
insmod "$PHYR_MODDIR/phyr_flat.ko"
trap 'umount mnt 2>/dev/null; rmmod phyr_flat' EXIT
mkdir mnt
t_data pattern f 0 64k 1
t_flat "$PHYR_DISK2" f
mount -t phyr_flat "$PHYR_DISK2" mnt
with_status 0x4080 1 t_is 65536 t_call -c 1 read mnt/f 0 "$PHYR_BAR:0:64k"
with_status 0x4002 1 t_is EFAULT t_pread mnt/f "$PHYR_BAR" 0 64k
