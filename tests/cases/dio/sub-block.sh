#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: sectors written into new blocks leave zeros, never old disk contents, beside them
# red: leave out the zeroing of the rest of a new or unwritten block
# iommu: any
# time: 120
. "$T_LIB"

t_over_old_data

# Memory that phyr sees for the first time takes another way than memory that it knows.
t_data pattern "$T_DIR/g" 0 64k 1
known=
sector() {
	# shellcheck disable=SC2086
	t_is 512 t_call $known -f 2 write "$T_MNT/f" "$1" "$PHYR_BAR:$2:512"
}
check() {
	sync
	echo 1 >/proc/sys/vm/drop_caches
	t_data "is-$1" "$T_DIR/f" "$2" "$3" "$4"
}

for known in '' "-k $T_MNT/g"; do
	# kind of block: unwritten, hole, after the end
	for kind in unwritten hole end; do
		rm -f "$T_DIR/f"
		case $kind in
		unwritten) fallocate -l 64k "$T_DIR/f" ;;
		hole) truncate -s 64k "$T_DIR/f" ;;
		end) : >"$T_DIR/f" ;;
		esac
		sector 8704 0
		sector 20480 4
		sector 32256 512
		check fill 0 8704 0
		check pattern 8704 512 2
		check fill 9216 $((20480 - 9216)) 0
		check pattern 20480 512 2
		check fill 20992 $((32256 - 20992)) 0
		check pattern 32256 512 2
		[ $kind = end ] || check fill 32768 32768 0
	done

	# Over a block edge: the end of one new block and the begin of the next
	rm "$T_DIR/f"
	fallocate -l 64k "$T_DIR/f"
	# shellcheck disable=SC2086
	t_is 5120 t_call $known -f 2 write "$T_MNT/f" 11776 "$PHYR_BAR:0:5120"
	check fill 0 11776 0
	check pattern 11776 5120 2
	check fill 16896 $((65536 - 16896)) 0
done
