#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: whoever of phyrfs's processes ends, and whenever, it takes its own mount with it, and no other
# red: leave out F_SETSIG in server.c, or in keeper.c mount_remove() of keeper_finish(), the comparison in mount_on_top(), the poll of starter_fd, or call setsid() in phyrfs_background()
# iommu: any
# host: yes
# time: 120
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/bin:/usr/sbin:/sbin

mounted() {
	grep -q " $at fuse" /proc/mounts # mountpoint(1) does not see one without daemon
}

# ended PID... - within 10 s there are no such processes
ended() {
	local one

	for one; do
		for _ in {1..100}; do
			[ -e "/proc/$one/exe" ] || continue 2
			sleep 0.1
		done
		fail "line ${BASH_LINENO[0]}: process $one is still there"
	done
}

# no_mount - and no process
no_mount() {
	ended "$pid" "$server"
	! mounted || fail "line ${BASH_LINENO[0]}: still mounted"
}

# status WANT - of the daemon, which has ended
status() {
	local got=0

	wait "$pid" || got=$?
	[ "$got" = "$1" ] || fail "line ${BASH_LINENO[0]}: status $got, not $1: $(cat said)"
}

# in the background, as most are
start() {
	phyrfs "$T_DIR" "$at" 2>/dev/null
	fs_find
}

# dead - calls fail, until somebody unmounts
dead() {
	! ls "$at" 2>err || fail "line ${BASH_LINENO[0]}: a mount without daemon"
	grep -Eq 'not connected|connection abort' err || fail "line ${BASH_LINENO[0]}: $(cat err)"
	umount "$at"
}

# held HOW ARG... - phyrfs is started, as $starter, and goes no further than where $server
# tries passthrough: HOW, in the words of strace(1)
held() {
	strace -f -qq -o /dev/null -e "inject=ioctl:$1:when=1" phyrfs "${@:2}" 2>said &
	tracer=$!
	for _ in {1..100}; do
		! mounted || ! starter=$(pgrep -P $tracer) || ! pid=$(pgrep -xP "$starter" phyrfs) || break
		sleep 0.1
	done
	sleep 0.5
	server=$(pgrep -xP "$pid" phyrfs) || server=$pid pid=$starter
}

finish() {
	cd /
	umount "$at/over" "$at" 2>/dev/null || umount -l "$at" 2>/dev/null || :
}

at=$PWD/at
mkdir "$at" "$T_DIR/over"
echo data >"$T_DIR/f"
trap finish EXIT

# One is asked to end, or both are.
for who in pid server 'pid server'; do
	fs_start "$T_DIR" "$at"
	[ "$(cat "$at/f")" = data ] || fail 'not mounted'
	for one in $who; do
		kill -TERM "${!one}" 2>/dev/null || :
	done
	status 0
	no_mount
done

# The server is killed, with a file open and a call under way: an error, and no hang.
fs_start "$T_DIR" "$at"
exec 3<"$at/f"
(cd "$at" && exec timeout 60 sh -c 'while cat f; do :; done') >/dev/null 2>&1 &
caller=$!
kill -KILL "$server"
wait $caller || [ $? != 124 ] || fail 'a call hangs'
status 1
no_mount
grep -q 'killed by signal 9' said || fail "$(cat said)"
exec 3<&-
start
kill -KILL "$server"
no_mount

# The keeper is, or both are: then nobody can unmount.
start
kill -KILL "$pid"
ended "$pid" "$server"
dead
start
kill -KILL "$pid" "$server"
ended "$pid" "$server"
dead

# What is mounted at the same place later is somebody else's.
fs_start "$T_DIR" "$at"
lower=$pid
mount -t tmpfs tmpfs "$at"
kill -TERM "$pid"
status 1
grep -q 'is below another one' said || fail "$(cat said)"
[ "$(stat -f -c %T "$at")" = tmpfs ] || fail 'unmounted what is not its own'
umount "$at"
dead
fs_start "$T_DIR" "$at"
lower=$pid
mkdir "$T_DIR/second"
echo second >"$T_DIR/second/f"
phyrfs "$T_DIR/second" "$at" 2>/dev/null
fs_find
[ "$(cat "$at/f")" = second ] || fail 'the second mount'
kill -TERM "$pid"
ended "$pid" "$server"
[ "$(cat "$at/f")" = data ] || fail 'the second took the first with it'
umount "$at"
pid=$lower
status 0

# Over its own source: it comes back.
phyrfs "$T_DIR/second" "$T_DIR/second" 2>/dev/null
fs_find
kill -TERM "$pid"
ended "$pid" "$server"
[ "$(cat "$T_DIR/second/f")" = second ] || fail 'the source is gone'

# Asked to end, killed, or unmounted before it is ready; and nobody waits any more
for signal in TERM INT HUP; do
	held delay_enter=2000000 -f "$T_DIR" "$at"
	kill -"$signal" "$pid"
	! wait $tracer || fail "SIG$signal: no failure"
	no_mount
	[ "$(grep -c 'before it was ready' said)" = 1 ] || fail "SIG$signal: $(cat said)"
done
held signal=STOP "$T_DIR" "$at"
kill -KILL "$starter"
wait $tracer || :
no_mount
held signal=STOP "$T_DIR" "$at"
kill -KILL "$server"
! wait $tracer || fail 'no failure without a server'
no_mount
grep -q 'killed by signal 9' said || fail "$(cat said)"
held signal=STOP "$T_DIR" "$at"
kill -KILL "$pid"
! wait $tracer || fail 'no failure without a keeper'
ended "$pid" "$server"
grep -q 'killed by signal 9' said || fail "$(cat said)"
dead
held delay_enter=2000000 -f "$T_DIR" "$at"
umount "$at"
wait $tracer || fail "unmounted during the start: $? $(cat said)"
no_mount

# systemd's autofs lets only the process group of mount(8) through.
strace -f -qq -o trace -e trace=mount,move_mount,setsid phyrfs "$T_DIR" "$at" 2>/dev/null &
for _ in {1..100}; do
	[ "$(grep -c setsid trace)" != 2 ] || break
	sleep 0.1
done
umount "$at"
wait $!
[ "$(grep -c 'setsid()' trace)" = 2 ] || fail "$(cat trace)"
! sed '1,/setsid()/d' trace | grep "mount(.*\"$at\"" || fail "$(cat trace)"
grep -q "mount(.*\"$at\"" trace || fail "$(cat trace)"
