#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a read into the BAR costs the CPU no more, against one into host memory, than the baseline says
# red: build each PRP list anew; walk the page tables for each call
# icount: yes
# fs: any
# time: 30000
. "$T_LIB"

echo 64 >/proc/sys/vm/nr_hugepages
dd if=/dev/zero of="$T_DIR/f" bs=1M count=64 oflag=direct status=none
sync

# Prints ENGINE DEPTH BYTES RATIO of the running kernel; fails if it has no baseline.
baseline() {
	awk -v "kernel=$(uname -r | cut -d. -f1,2)" '
		$1 == "kernel" { for (i = 4; i <= NF; i++) if ($i == kernel) column = i }
		!/^#/ && $1 != "kernel" && column { print $1, $2, $3, $column }
		END { exit !column }' "${0%.sh}.baseline"
}

baseline >limits || t_skip "no baseline for kernel $(uname -r) yet"

# The same in one boot, by turns; the better of all rounds, since what disturbs adds.
measure() {
	local engine depth bytes limit

	while read -r engine depth bytes limit; do
		t_bench -n 32 -r 5 "$engine" "$depth" "$bytes" \
			"host=huge=$T_MNT/f" "bar=$PHYR_BAR=$T_MNT/f" |
			sed "s/^/$engine $depth $bytes $limit /"
	done <limits >>costs
}

compare() {
	awk '
	{ row = $1 " " $2 " " $3; limit[row] = $4 }
	!((row, $5) in least) || $7 < least[row, $5] { least[row, $5] = $7 }
	END {
		printf "%-20s %10s %10s %8s %10s\n", "", "host", "BAR", "ratio", "baseline"
		for (row in limit) {
			ratio = least[row, "bar"] / least[row, "host"]
			printf "%-20s %10d %10d %8.3f %10.3f\n", row, least[row, "host"],
			       least[row, "bar"], ratio, limit[row]
			if (ratio > limit[row] * 1.03)
				bad = 1
		}
		exit bad
	}' costs
}

for round in 1 2 3; do
	measure
	! compare || exit 0
done
t_fail "a read into the BAR costs more than 3 % above the baseline"
