# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What cases expect of commands. Sourced by lib.sh. Builtins where they do: see state.sh.

# t_is WANT COMMAND... - the last line of output is WANT; the status does not matter
t_is() {
	local want=$1 got
	shift

	got=$("$@" 2>&1) || true
	got=${got##*$'\n'}
	[ "$got" = "$want" ] || t_fail "$*: $got, wanted $want"
}

# t_like REGEX COMMAND... - the last line of output matches REGEX from end to end
t_like() {
	local want=$1 got
	shift

	got=$("$@" 2>&1) || true
	got=${got##*$'\n'}
	[[ $got =~ ^($want)$ ]] || t_fail "$*: $got, wanted $want"
}

# t_direct_bytes - bytes that disks moved by DMA since the module was loaded
t_direct_bytes() {
	t_count direct
}

# t_refused_calls REASON - calls that were not direct for that reason
t_refused_calls() {
	t_count refused "$1"
}

# t_is_direct BYTES COMMAND... - prints BYTES, and all of them moved by DMA
t_is_direct() {
	local want=$1 before moved

	before=$(t_direct_bytes)
	t_is "$@"
	moved=$(($(t_direct_bytes) - before))
	shift
	[ "$moved" = "$want" ] || t_fail "$*: $moved bytes direct, wanted $want"
}

# t_is_refused REASON COMMAND... - prints EFAULT, and it is counted with REASON
t_is_refused() {
	local reason=$1 before
	shift

	before=$(t_refused_calls "$reason")
	t_is EFAULT "$@"
	[ "$(t_refused_calls "$reason")" -gt "$before" ] ||
		t_fail "$*: not counted as refused for $reason"
}

# t_over_old_data - moves T_DIR and T_MNT to a new filesystem on PHYR_DISK2, every block
# of which still holds the bytes 0xee: data of old files that must not show up again
t_over_old_data() {
	local size=$((320 << 20))

	T_DIR=$PWD/mnt T_MNT=$PWD/phyr
	mkdir "$T_DIR" "$T_MNT"
	t_data fill "$PHYR_DISK2" 0 $size 0xee
	case $PHYR_FS in
	ext4) mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1 "$PHYR_DISK2" $((size >> 10))k ;;
	xfs) mkfs.xfs -q -f -K -d size=$size "$PHYR_DISK2" ;;
	esac
	mount "$PHYR_DISK2" "$T_DIR"
	phyrfs "$T_DIR" "$T_MNT"
}
