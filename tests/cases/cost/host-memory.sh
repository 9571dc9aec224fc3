#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: vanilla O_DIRECT reads into host memory cost at most 0.5 % more with the modules loaded
# red: take a lock or walk a list in the hook before asking whether it is ours
# icount: yes
# fs: any
# time: 30000
. "$T_LIB"

sizes='4096 65536 1048576'
echo 4 >/proc/sys/vm/nr_hugepages
t_data pattern "$T_DIR/f" 0 2m 1
sync

# measure with|without - out of scope and in scope, one call at a time: many meet no timer
measure() {
	local scope dir

	for scope in out in; do
		[ $scope = out ] && dir=$T_DIR || dir=$T_MNT
		# shellcheck disable=SC2086
		t_cost "$dir/f" 1 1000 $sizes | sed "s|^|$1 $scope |"
	done >>costs
}

# Of all rounds the least counts: what is more for a reason is more in each.
compare() {
	awk '
	{ key = $2 " " $3; if (!((key, $1) in least) || $4 < least[key, $1]) least[key, $1] = $4 }
	{ keys[key] = 1 }
	END {
		printf "%-6s %8s %10s %10s %8s\n", "scope", "bytes", "without", "with", "more"
		for (key in keys) {
			split(key, part, " ")
			more = 100 * (least[key, "with"] / least[key, "without"] - 1)
			printf "%-6s %8d %10d %10d %7.2f%%\n", part[1], part[2],
			       least[key, "without"], least[key, "with"], more
			if (more > 0.5)
				bad = 1
		}
		exit bad
	}' costs
}

for round in 1 2 3 4; do
	measure with
	t_unload
	phyrfs "$PHYR_DIR" "$PHYR_MNT" 2>/dev/null
	measure without
	umount "$PHYR_MNT"
	t_load
	[ $round = 1 ] || ! compare || exit 0
done
t_fail "more than 0.5 % more instructions"
