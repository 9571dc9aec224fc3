#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: fio, unmodified, verifies what it wrote from a BAR and read back into it
# red: swap two PRPs of a list
# time: 120
. "$T_LIB"

for engine in psync libaio io_uring; do
	before=$(t_direct_bytes)
	fio --name=v --filename="$T_MNT/f" --size=4m --rw=randwrite --bs=16k --direct=1 \
		--ioengine=$engine --iodepth=16 --iomem=mmapshared:"$PHYR_BAR" \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=1 \
		>fio.out 2>&1 || t_fail "fio with $engine: $(grep -m 1 -E 'error|verify' fio.out)"
	moved=$(($(t_direct_bytes) - before))
	[ $moved = $((8 << 20)) ] || t_fail "fio with $engine: $moved bytes direct"
done
