# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What cases expect of commands. Sourced by lib.sh.

# t_is WANT COMMAND... - the last line of output is WANT; the status does not matter
t_is() {
	local want=$1 got
	shift

	got=$("$@" 2>&1 | tail -n 1) || true
	[ "$got" = "$want" ] || t_fail "$*: $got, wanted $want"
}

# t_like REGEX COMMAND... - the last line of output matches REGEX from end to end
t_like() {
	local want=$1 got
	shift

	got=$("$@" 2>&1 | tail -n 1) || true
	[[ $got =~ ^($want)$ ]] || t_fail "$*: $got, wanted $want"
}

# t_direct_bytes - bytes that disks moved by DMA since the module was loaded
t_direct_bytes() {
	t_stat .total.direct_bytes
}

# t_refused_calls REASON - calls that were not direct for that reason
t_refused_calls() {
	t_stat "[.total.read, .total.write | .refused[\"$1\"].calls] | add"
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
