#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab.sh TESTS - checks of tests/lab that need no machine: what it refuses, how it ends, and
# what the demo makes of what a guest says. TESTS is the directory tests of the tree.
#
# red: end what runs in lab_private with SIGTERM, ask for the bytes of a file and not for whole
# blocks, look at root after the cache, or call a run good in which something was bounced

set -u -o pipefail
tests=$1
failed=0
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
cd "$work" || exit

fail() {
	printf 'FAIL: %s\n' "$*"
	failed=1
}

# Nothing can be made in there, so that what is not refused goes no further.
export XDG_CACHE_HOME=/dev/null/none

# refused STATUS TEXT ARGUMENT... - with one line that has TEXT, and nothing on standard output
refused() {
	local want=$1 text=$2 status
	shift 2

	"${as[@]}" "$tests/lab" "$@" </dev/null >out 2>err
	status=$?
	if [ $status != "$want" ] || [ -s out ] || [ "$(wc -l <err)" != 1 ] ||
		! grep -qF -- "$text" err; then
		fail "${as[*]} lab $*: status $status, wanted $want and '$text'; said: $(cat out err)"
	fi
}

check_usage() {
	as=()
	refused 2 'no command given'
	refused 2 "unknown command 'frob'" frob
	refused 2 "no option '--frob'" demo --frob
	refused 2 "no option '--icount'" demo --icount
	refused 2 "unexpected word 'x'" demo x
	refused 2 'needs a value' demo --file
	refused 2 'needs a value' demo --file=
	refused 2 'needs a value' demo --kernel ''
	refused 2 "not '6.13'" demo --kernel 6.13
	refused 2 'needs a command' run
	refused 2 'needs a terminal' shell
}

# Before anything else that needs it, also where there is no home
check_root() {
	chmod 755 .
	as=(env -u XDG_CACHE_HOME HOME=/nonexistent
		setpriv --reuid 65534 --regid 65534 --clear-groups --)
	refused 1 'needs root' demo
	refused 1 'needs root' demo --file /none
	refused 1 'needs root' test
	refused 1 'needs root' bench
	refused 1 'needs root' run -- true
}

check_files() {
	local size

	as=()
	: >empty
	mkfifo fifo
	refused 2 'no such file: none' demo --file none
	refused 2 '. is a directory' demo --file .
	refused 2 'empty is empty' demo --file empty
	refused 2 'fifo is a device, pipe or socket' demo --file fifo
	refused 2 '/dev/zero is a device' demo --file=/dev/zero
	refused 2 'no such directory: none' run --share none -- true
	refused 2 'empty is no directory' run --share empty -- true
	# others' rights are no obstacle to root but without its capabilities
	(umask 777 && echo x >secret)
	chown 65534 secret
	as=(setpriv --inh-caps=-all --bounding-set=-all --)
	refused 2 'secret cannot be read' demo --file secret
	as=()
	for size in 1 511 512 513 4096 100001; do
		head -c $size /dev/zero >"-$size bytes"
		refused 1 'cannot make the cache directory' demo --file "-$size bytes"
	done
}

# run_part COMMAND... - as the lab does it; the status of what ended it goes to the file status
run_part() {
	(
		. "$tests/vm/say.sh"
		trap lab_cleanup EXIT
		trap 'lab_interrupt 143' TERM
		# shellcheck disable=SC2034 # for lab_cleanup
		lab_litter=("$work/litter")
		mkdir litter
		"$@"
	) >out 2>err &
	pid=$!
	for _ in {1..100}; do
		[ ! -e litter/ready ] || break
		sleep 0.1
	done
}

# interrupted - by SIGTERM, within seconds, with one line, and nothing is left
interrupted() {
	local status

	kill "$pid"
	for _ in {1..100}; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null && fail "$1 did not end"
	wait "$pid"
	status=$?
	[ $status = 143 ] || fail "$1 ended with $status"
	[ "$(sed '/^lab: being stubborn \.\.\. $/d' out err)" = 'lab: interrupted' ] || fail "$1 said: $(cat out err)"
	[ ! -e litter ] || fail "$1 left its directory"
	! pgrep -f "$work/litter" >/dev/null || fail "$1 left a process"
}

# A machine that is watched. Everything here is for lab_cleanup.
# shellcheck disable=SC2034,SC2317
machine() {
	sleep 1000 &
	vm_pid=$!
	sleep 1000 &
	vm_children=($!)
	: >litter/ready
	lab_wait sleep 1000
}

check_interrupt() {
	# shellcheck disable=SC2016
	local stubborn='trap "" TERM INT; : >$1/ready; while :; do sleep 1; : >$1/more; done'

	run_part step_run log 'being stubborn' lab_private sh -c "$stubborn" sh "$work/litter"
	interrupted 'what has its own namespaces'

	run_part machine
	interrupted 'a machine'
}

check_steps() (
	exec 2>err
	. "$tests/vm/say.sh"
	step_run log 'doing well' echo fine || fail 'a step failed'
	[ "$(cat log)" = fine ] || fail "its log: $(cat log)"
	grep -q '^lab: doing well \.\.\. [0-9] s$' err || fail "a step said: $(cat err)"
	! step_run log 'going wrong' sh -c 'echo E: no room; exit 1' || fail 'it did not fail'
	grep -q '| E: no room' err || fail "a step that failed said: $(cat err)"
	grep -q 'log is log' err || fail "a step that failed said: $(cat err)"
	exit $failed
)

# What the guest's part asks for, with what the machine would have answered
# shellcheck disable=SC2317,SC2034 # for show.sh
check_show() (
	. "$tests/vm/show.sh"
	demo_counters() { echo '0 0'; }
	t_pread() { echo "$*" >asked && echo 513; }
	PHYR_BAR=bar
	[[ $(demo_pread x file 513) = 'step pread/x 513 '* ]] || fail 'a read of 513 bytes'
	[ "$(cat asked)" = 'file bar 0 4096' ] || fail "513 bytes were asked for as $(cat asked)"
	demo_pread x file 4096 >/dev/null
	[ "$(cat asked)" = 'file bar 0 4096' ] || fail "4096 bytes were asked for as $(cat asked)"
	exit $failed
)

# facts - of a run that went well
facts() {
	cat <<-END
		kernel 6.12
		disk /dev/nvme0n1
		bar 0000:05:00.0
		route through one switch
		step pread/vanilla EFAULT 0 0 0
		step pread/phyrfs 513 1000 4096 0
		host aa aa
		$(printf 'step fio/%s ok 100 64 0\n' {psync,libaio,io_uring}/{write,read})
		reasons
	END
}

check_demo() (
	# shellcheck disable=SC2034 # for demo.sh
	PHYR_LAB_FS=ext4 OPT_FILE='my "file"' demo_bytes=513
	. "$tests/vm/demo.sh"
	good=$(facts)
	demo_good "$good" || fail 'a good run is not taken for one'
	demo_table "$good" off >out
	grep -qF 'my "file": 513 bytes on ext4' out || fail "the table: $(cat out)"
	grep -q 'EFAULT, bad address' out || fail 'the table does not say what EFAULT is'
	grep -q '3,583 bytes behind the end' out || fail 'the table is silent on the last block'
	demo_json "$good" off | jq -e '.file_bytes == 513 and .vanilla == "EFAULT" and .hash_match
		and .direct_bytes == 4480 and (.engines | length) == 3' >/dev/null ||
		fail "the JSON: $(demo_json "$good" off)"

	while IFS='|' read -r from to; do
		bad=${good/$from/$to}
		[ "$bad" != "$good" ] || fail "no '$from' in the facts"
		! demo_good "$bad" || fail "'$to' is taken for a good run"
		demo_json "$bad" off | jq -e . >/dev/null || fail "no JSON of '$to'"
	done <<-END
		vanilla EFAULT|vanilla EINVAL
		phyrfs 513|phyrfs 512
		1000 4096 0|1000 4096 512
		1000 4096 0|1000 512 0
		host aa aa|host aa bb
		libaio/read ok|libaio/read failed
		io_uring/read ok 100 64|io_uring/read ok 100 0
	END
	demo_table "${good/host aa aa/host aa bb}" off >out
	grep -q 'does NOT see' out || fail 'a difference is not in the table'

	[ "$(demo_size 1023) $(demo_size $((64 << 20))) $(demo_size 38801633)" = \
		'1023 B 64 MiB 37.0 MiB' ] || fail 'sizes'
	[ "$(demo_count 1) $(demo_count 38801633)" = '1 byte 38,801,633 bytes' ] || fail 'counts'
	exit $failed
)

check_usage
check_steps || failed=1
check_show || failed=1
check_demo || failed=1
if [ "$(id -u)" = 0 ]; then
	check_root
	check_files
	check_interrupt
else
	echo 'the rest of this needs root'
fi
exit $failed
