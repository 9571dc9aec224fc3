#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: vanilla O_DIRECT reads into host memory cost at most 0.5 % more with the modules loaded
# red: take a lock or walk a list in the hook before asking whether it is ours
# icount: yes
# fs: any
# time: 300
. "$T_LIB"

sizes='4096 65536 1048576'
t_data pattern "$T_DIR/f" 0 2m 1
sync

measure() {
	local dir

	for dir in "$T_DIR" "$T_MNT"; do
		# shellcheck disable=SC2086
		t_cost "$dir/f" 200 8 $sizes | sed "s|^|$([ "$dir" = "$T_DIR" ] && echo out || echo in) |"
	done >"$1"
}

unload() {
	t_unload
	phyrfs "$PHYR_DIR" "$PHYR_MNT" 2>/dev/null
}

measure loaded
unload
measure unloaded
umount "$PHYR_MNT"
t_load
measure again
unload
measure unloaded2

# Loading twice tells what is noise: the least of each counts.
paste -d' ' unloaded unloaded2 loaded again | awk '
	function min(a, b) { return a < b ? a : b }
	BEGIN { printf "%-6s %8s %12s %12s %8s\n", "scope", "bytes", "without", "with", "more" }
	{
		without = min($3, $6); with = min($9, $12)
		more = 100 * (with - without) / without
		printf "%-6s %8d %12.1f %12.1f %7.2f%%\n", $1, $2, without, with, more
		if (more > 0.5) bad = 1
	}
	END { exit bad }' || t_fail "more than 0.5 % more instructions"
