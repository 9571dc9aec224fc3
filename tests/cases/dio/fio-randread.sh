#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: fio reads at random through io_uring into the BAR: all bytes direct, EFAULT without the module
# red: count a bounced or refused call as direct, or leave the hook in place after unloading
# time: 90
. "$T_LIB"

run() {
	fio --name=x --filename="$T_MNT/f" --size=32m --rw=randread --bs=4k --direct=1 \
		--ioengine=io_uring --iodepth=32 --iomem=mmapshared:"$PHYR_BAR" >fio.out 2>&1
}

before=$(t_direct_bytes)
run || t_fail "fio: $(grep -m 1 -E 'error|fio:' fio.out)"
[ $(($(t_direct_bytes) - before)) = $((32 << 20)) ] || t_fail "not all bytes direct"

t_unload
phyrfs "$PHYR_DIR" "$PHYR_MNT" 2>/dev/null
! run || t_fail "fio works without the module"
grep -q 'Bad address' fio.out || t_fail "not EFAULT: $(tail -n 3 fio.out)"
