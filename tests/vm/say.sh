# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Messages, steps, child processes and cleaning up: what every part of the lab uses.

# Directories to remove when this shell ends; each shell of the lab has its own list.
lab_litter=()

# Where people read, also while the output of a step goes into a file
exec {lab_stderr}>&2
lab_terminal=
[ ! -t 2 ] || lab_terminal=yes

say() {
	step_break
	printf 'lab: %s\n' "$*" >&"$lab_stderr"
}

die() {
	say "$*"
	exit 1
}

# A step is one line: "lab: TEXT ... 54 s". On a terminal the seconds are shown as they go by.
step_text=

step_begin() {
	step_break
	step_text=$* step_start=$SECONDS step_shown=0
	printf 'lab: %s ... ' "$step_text" >&"$lab_stderr"
}

# step_tick - for loops that wait
step_tick() {
	local seconds=$((SECONDS - step_start)) text

	[ -n "$step_text" ] && [ -n "$lab_terminal" ] && [ "$seconds" != "$step_shown" ] || return 0
	step_shown=$seconds
	text="$seconds s"
	printf '%s%s' "$text" "${text//?/$'\b'}" >&"$lab_stderr"
}

# step_end [RESULT] - ends the line with the result and the seconds; without a step it does
# nothing
step_end() {
	[ -n "$step_text" ] || return 0
	printf '%s%d s\n' "${1:+$1, }" $((SECONDS - step_start)) >&"$lab_stderr"
	step_text=
}

# Something else is to be said before the step has come to its end.
step_break() {
	[ -z "$step_text" ] || printf '\n' >&"$lab_stderr"
	step_text=
}

# step_run LOG TEXT COMMAND... - a command as a step, with its output at the end of LOG
step_run() {
	local log=$1

	step_begin "$2"
	shift 2
	if "$@" </dev/null >>"$log" 2>&1; then
		step_end
		return
	fi
	step_end failed
	{
		grep -aE -m 5 -B 1 -A 2 '(error:|ERROR|FAILED|undefined|^E: )' "$log" ||
			tail -n 15 "$log"
	} | sed 's/^/     | /' >&"$lab_stderr"
	say "the whole log is $log"
	return 1
}

# lab_log_name NAME - where the log NAME of this run goes; what is older than a week is removed
lab_log_name() {
	local logs=$LAB_CACHE/logs

	mkdir -p "$logs" || return
	find "$logs" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
	echo "$logs/$(date +%m%d-%H%M%S)-$1.XXX"
}

# A command in the background that is waited for: a signal then reaches the lab's
# trap at once and not only after the command.
lab_wait() {
	lab_start TERM "$@"
}

# The same for a command that must come to its end, such as dpkg: lab_cleanup waits for it.
# Its own session keeps Ctrl-C away from it.
lab_finish() {
	lab_start 0 setsid -- "$@"
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
	local status never

	lab_child_signal=$1
	shift
	# Without this a background command reads nothing.
	"$@" <&0 &
	lab_child=$!
	if [ -n "$step_text" ] && [ -n "$lab_terminal" ]; then
		exec {never}<> <(:)
		while kill -0 "$lab_child" 2>/dev/null; do
			read -r -t 0.2 -u "$never"
			step_tick
		done
		exec {never}>&-
	fi
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
	step_break
	if [ -n "$lab_child" ] && [ "$lab_child_signal" = 0 ]; then
		say "waiting for the installation of packages to end"
	fi
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
