#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a read into the BAR costs the CPU clearly less than one into host memory
# red: build each PRP list anew, or walk the page tables for each call
# icount: yes
# fs: any
# time: 30000
. "$T_LIB"

echo 4 >/proc/sys/vm/nr_hugepages
t_data pattern "$T_DIR/f" 0 2m 1
sync

# Bytes and the most that the BAR may cost in parts of host memory: what was measured when
# calls sleep, as they do on a fast machine, and 3 % more.
limits='4096 0.755
65536 0.710
1048576 0.435'

measure() {
	# shellcheck disable=SC2086
	t_cost $2 "$T_MNT/f" 32 30 4096 65536 1048576 | sed "s/^/$1 /" >>costs
}

compare() {
	awk '
	NR == FNR { limit[$1] = $2; next }
	!(($1, $2) in least) || $3 < least[$1, $2] { least[$1, $2] = $3 }
	END {
		printf "%8s %10s %10s %8s %8s\n", "bytes", "host", "BAR", "ratio", "limit"
		for (bytes in limit) {
			ratio = least["bar", bytes] / least["host", bytes]
			printf "%8d %10d %10d %8.3f %8.3f\n", bytes, least["host", bytes],
			       least["bar", bytes], ratio, limit[bytes]
			if (ratio > limit[bytes])
				bad = 1
		}
		exit bad
	}' <(echo "$limits") costs
}

for round in 1 2 3; do
	measure host ""
	measure bar "-m $PHYR_BAR"
	! compare || exit 0
done
t_fail "a read into the BAR costs too much"
