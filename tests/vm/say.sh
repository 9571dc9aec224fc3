# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Messages, child processes and cleaning up: what every part of the lab uses.

# Directories to remove when this shell ends; each shell of the lab has its own list.
lab_litter=()

say() {
	printf 'lab: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# A command in the background that is waited for: a signal then reaches the lab's
# trap at once and not only after the command.
lab_wait() {
	"$@" &
	wait $!
}

# A command in mount and PID namespaces of its own: nothing it mounts is seen outside,
# and everything it starts dies with it.
lab_private() {
	lab_wait setpriv --pdeathsig TERM -- unshare --mount --pid --fork --kill-child \
		--propagation private -- "$@" </dev/null
}

lab_cleanup() {
	local status=$? pid

	trap '' HUP INT TERM
	trap - EXIT
	# QEMU may not end by itself when what serves its disks has ended.
	[ -z "${vm_pid-}" ] || kill -KILL "$vm_pid" "${vm_children[@]}" 2>/dev/null
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null
	done
	wait
	[ ${#lab_litter[@]} -eq 0 ] || rm -rf --one-file-system -- "${lab_litter[@]}"
	exit "$status"
}
