#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: memory whose pages are scattered over a BAR has the right data, learned in any order
# red: let kshim_map_free() free all chunks, also those that the other map has
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 32m 1
sync
insmod "$PHYR_MODDIR/phyr_scatter.ko" memory="$PHYR_BAR_PCI"
before=$(t_direct_bytes)
for seed in 1 2; do
	# 64 areas of a MiB, of which some are used and learned before others
	t_like 'ok [0-9]+ bytes 33554432' t_io -e uring -q 64 -s $seed -n 32m -b 4k:1m -a 4096 \
		-m /dev/phyr_scatter "$T_MNT/f"
done
t_like 'ok [0-9]+ bytes 33554432' t_io -e uring -q 32 -d write -n 32m -b 4k:1m -a 4096 \
	-m /dev/phyr_scatter -c "$T_DIR/f" "$T_MNT/f"
[ $(($(t_direct_bytes) - before)) = $((3 * 33554432)) ] || t_fail 'not all was direct'
rmmod phyr_scatter
