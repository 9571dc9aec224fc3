#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a read costs no more with 10,000 mappings than with one, and learning a mapping is linear in its ranges
# red: look for the region in a list of all that the process has; give CHUNK_EXTENTS_MAX no bound
# icount: yes
# fs: any
# time: 900
. "$T_LIB"

dd if=/dev/zero of="$T_DIR/f" bs=1M count=4 oflag=direct status=none
sync

# Lines WHAT FEW MANY MOST: the cost with few, with many, and how much more that may be
measure() {
	t_scale mappings -n 16 -r 5 4k "$PHYR_BAR" "$T_MNT/f" 1 10000 |
		awk '$1 == 1 { few[$2] = $3 }
		$1 == 10000 { print "mappings," $2, few[$2], $3, 1.03 }'
	t_scale ranges 1m /dev/phyr_scatter "$T_MNT/f" 10000 100000 |
		awk '$1 == 10000 { few[$2] = $3 }
		$1 == 100000 { print "ranges," $2, few[$2], $3, 1.10 }'
}

compare() {
	awk '{
		printf "%-20s %8d %8d %8.2f of %.2f\n", $1, $2, $3, $3 / $2, $4
		if ($3 > $2 * $4)
			bad = 1
	}
	END { exit bad || NR != 5 }' costs
}

insmod "$PHYR_MODDIR/phyr_scatter.ko" memory="$PHYR_BAR_PCI"
for round in 1 2 3; do
	measure >costs
	! compare || break
	[ $round != 3 ] || failed=yes
done
rmmod phyr_scatter
[ -z "${failed-}" ] || t_fail "the cost of a read grows with mappings or ranges"
