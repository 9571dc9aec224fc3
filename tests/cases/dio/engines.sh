#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: every engine at depth 64, sizes 512 B to 8 MiB, dword addresses, random, verified; a second file stays as it is
# red: reuse a PRP list before its command is complete, or drop the last piece of a split call
# time: 180
. "$T_LIB"

t_data pattern "$T_DIR/before" 0 4m 7
t_data pattern "$T_DIR/f" 0 16m 1
t_data pattern "$T_DIR/after" 0 4m 7
sync

seed=0
io() {
	local before want
	seed=$((seed + 1))
	before=$(t_direct_bytes)
	t_like 'ok .*' t_io -s $seed -m "$PHYR_BAR" -n 16m "$@" "$T_MNT/f"
	want=$((16 << 20))
	[ $(($(t_direct_bytes) - before)) = $want ] || t_fail "t_io $*: not all bytes direct"
}

for engine in psync vec; do
	io -e $engine -b 512:1m
done
for engine in libaio aiov uring uringv; do
	io -e $engine -b 512:64k -q 64
done
io -e uring -b 512:8m -q 8
io -e aiov -b 512:8m -q 8

# Each piece is read with the first pattern or written with the second, then all of the
# file is compared and made anew.
for engine in psync vec libaio aiov uring uringv; do
	io -e $engine -d mix -b 512:256k -q 64 -c "$T_DIR/f"
	t_data pattern "$T_DIR/f" 0 16m 1
	sync
done
io -e uringv -d write -b 512:8m -q 8 -c "$T_DIR/f"
t_data is-pattern "$T_DIR/f" 0 16m 2

echo 1 >/proc/sys/vm/drop_caches
t_data is-pattern "$T_DIR/before" 0 4m 7
t_data is-pattern "$T_DIR/after" 0 4m 7
