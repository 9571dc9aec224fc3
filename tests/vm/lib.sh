# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a case may use; it sources this file as $T_LIB.

# shellcheck source=/dev/null
. /lab/tests/vm/state.sh
# shellcheck source=/dev/null
. /lab/tests/vm/expect.sh

# t_skip REASON - this case cannot run here
t_skip() {
	echo "$*"
	exit 77
}

t_fail() {
	echo "FAIL: $*"
	exit 1
}

# t_host CHECK [ARG...] - runs host_CHECK of host.sh on the host, prints its output and
# returns its status. Callers take turns: the port opens for one at a time.
t_host() {
	local port words reply

	until exec {port}<>/dev/virtio-ports/phyr.call; do
		t_pause 0.05
	done 2>/dev/null
	printf -v words '%q ' "$@"
	printf '%s\n' "$words" >&"$port"
	IFS= read -r -u "$port" reply
	exec {port}>&-
	[ -z "${reply#* }" ] || { printf '%s' "${reply#* }" | base64 -d && echo; }
	return "${reply%% *}"
}

# t_pause SECONDS - sleep without starting a program, which takes long under emulation
t_pause() {
	[ -n "${t_never-}" ] || exec {t_never}<> <(:)
	read -r -t "$1" -u "$t_never" || true
}

# t_stat KEY - one value of phyr stat --json, by its jq path
t_stat() {
	phyr stat --json | jq -r "$1"
}

# t_unload - both modules, and before them the phyrfs mount that uses them
t_unload() {
	state_umount "$PHYR_MNT" && state_unload
}

# t_load - both modules and the phyrfs mount
t_load() {
	state_load && state_phyrfs
}

# t_check MODULE [PARAMETER...] - the checks of a module of kshim/test
t_check() {
	local module=$1 failed
	shift

	insmod "$PHYR_MODDIR/$module.ko" memory="$(basename "${PHYR_BAR%/*}")" "$@"
	failed=$(cat "/sys/module/$module/parameters/failed")
	rmmod "$module"
	[ "$failed" = 0 ] || t_fail "$(dmesg | grep "$module: " | tail -n 20)"
}

# t_remount FS - a new filesystem on the disk, phyrfs over it, T_DIR in it
t_remount() {
	export PHYR_FS=$1
	state_umount "$PHYR_MNT" "$PHYR_DIR" && state_disk && state_phyrfs && mkdir -p "$T_DIR"
}

t_faults=/sys/kernel/debug

# t_fault NAME PROBABILITY TIMES [KEY=VALUE...] - sets up a fault of the kernel's fault
# injection (a directory in debugfs); t_fault_off NAME ends it
t_fault() {
	[ -d "$t_faults/$1" ] || t_skip "this kernel cannot inject $1"
	state_set "$t_faults/$1" verbose=0 interval=1 space=0 "times=$3" "${@:4}" "probability=$2"
}

t_fault_off() {
	echo 0 >"$t_faults/$1/probability"
}
