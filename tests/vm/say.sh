# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Messages, child processes and cleaning up: what every part of the lab uses.

# Directories to remove when this shell ends; each shell of the lab has its own list.
lab_litter=()

# Where people read, also while the output of a command goes into a file
exec {lab_stderr}>&2

say() {
	printf 'lab: %s\n' "$*" >&"$lab_stderr"
}

die() {
	say "$*"
	exit 1
}

# A command in the background that is waited for: a signal then reaches the lab's
# trap at once and not only after the command.
lab_wait() {
	lab_start TERM "$@"
}

# A command in mount and PID namespaces of its own: nothing it mounts is seen outside,
# and everything it starts dies with it. It is process 1 of its namespace, and tells through
# a pipe which one it is outside.
lab_private() {
	local status

	exec {lab_init}<> <(:)
	# shellcheck disable=SC2016
	lab_start KILL setpriv --pdeathsig KILL -- unshare --mount --pid --fork --kill-child \
		--propagation private -- bash -c '
			read -r pid rest </proc/self/stat
			echo "$pid" >&"$0"
			exec "$@"' "$lab_init" "$@" </dev/null
	status=$?
	exec {lab_init}>&-
	return $status
}

# The command that is waited for, and the signal that ends it
lab_child='' lab_child_signal=''

lab_start() {
	local status

	lab_child_signal=$1
	shift
	# Without this a background command reads nothing.
	"$@" <&0 &
	lab_child=$!
	wait "$lab_child"
	status=$?
	lab_child=
	return $status
}

# With process 1 of a namespace dies all that is in there, and unshare, which ignores other
# signals, ends after that.
lab_child_end() {
	local init

	if [ "$lab_child_signal" = KILL ] && read -r -t 0.1 -u "$lab_init" init; then
		kill -KILL "$init"
	else
		kill "-$lab_child_signal" "$lab_child"
	fi
}

lab_cleanup() {
	local status=$? pid

	trap '' HUP INT TERM
	trap - EXIT
	# Bash would tell of each process that it was killed.
	exec 2>/dev/null
	# QEMU may not end by itself when what serves its disks has ended.
	[ -z "${vm_pid-}" ] || kill -KILL "$vm_pid" "${vm_children[@]}"
	for pid in $(jobs -p); do
		if [ "$pid" = "$lab_child" ]; then
			lab_child_end
		else
			kill "$pid"
		fi
	done
	wait
	[ -z "${vm_stty-}" ] || stty "$vm_stty"
	[ ${#lab_litter[@]} -eq 0 ] ||
		rm -rf --one-file-system -- "${lab_litter[@]}" 2>&"$lab_stderr"
	exit "$status"
}

# lab_interrupt STATUS - what the traps of the first shell do
lab_interrupt() {
	say "interrupted"
	exit "$1"
}
