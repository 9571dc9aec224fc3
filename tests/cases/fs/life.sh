#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyrfs starts, says what is wrong, restricts itself, and ends, however it is ended
# red: leave out umount2 of the sandbox, sd_notify(), the answer to a bad option, or std_fds_open()
# iommu: any
# host: yes
# time: 240
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/sbin:/sbin

# refuses TEXT ARG... - phyrfs fails, says TEXT in one line, and mounts nothing
refuses() {
	local want=$1 got
	shift

	! got=$(phyrfs "$@" 2>&1) || fail "phyrfs $*: no failure"
	[[ $got == *"$want"* && $got != *$'\n'* ]] || fail "phyrfs $*: '$got', wanted '$want'"
	! mounted || fail "phyrfs $*: has mounted"
}

mounted() {
	grep -q " $at fuse" /proc/mounts # mountpoint(1) does not see one without daemon
}

# gone - within 10 s there is neither mount nor process
gone() {
	for _ in {1..100}; do
		mounted || [ -e "/proc/$pid/exe" ] || [ -e "/proc/$server/exe" ] || return 0
		sleep 0.1
	done
	fail "still there: $1"
}

start() {
	phyrfs "$T_DIR" "$at" "$@" 2>/dev/null
	fs_find
	[ "$(cat "$at/f")" = data ] || fail "not mounted"
}

finish() {
	cd /
	umount -l "$at" 2>/dev/null || true
}

at=$PWD/at
mkdir "$at"
echo data >"$T_DIR/f"
trap finish EXIT

refuses 'expected SOURCE and MOUNTPOINT' "$T_DIR"
refuses "unexpected 'x'" "$T_DIR" "$at" x
refuses 'No such file' "$T_DIR/none" "$at"
refuses 'Not a directory' "$T_DIR" "$T_DIR/f"
refuses 'policy=x: expected direct or off' "$T_DIR" "$at" -o policy=x
refuses 'cache=x: expected never or always' "$T_DIR" "$at" -o cache=x
refuses 'sandbox=x: expected on or off' "$T_DIR" "$at" -o sandbox=x
refuses 'expected --check SOURCE' --check "$T_DIR" "$at"
[ "$(phyrfs --help | grep -c -- -o)" -gt 8 ] || fail 'no options in --help'

# --check mounts nothing that others see, and knows whether the module is there.
if [ -c /dev/phyr ]; then
	phyrfs --check "$T_DIR" 2>said || fail "--check: $(cat said)"
	grep -q 'passes through the kernel' said || fail "--check: $(cat said)"
else
	! phyrfs --check "$T_DIR" 2>said || fail '--check without the module'
	grep -q 'module is not loaded' said || fail "--check: $(cat said)"
fi
! mounted || fail '--check has mounted'

# fstab; mount.fuse3 has a PATH of its own, so this is the form that names the program
echo "$(command -v phyrfs)#$T_DIR $at fuse rw,noatime 0 0" >fstab
mount -a -T "$PWD/fstab" 2>/dev/null
fs_find
[ "$(cat "$at/f")" = data ] || fail 'mount -a'
grep -q " $at fuse.phyrfs .*noatime" /proc/mounts || fail "$(grep "$at" /proc/mounts)"
umount "$at"
gone umount

# none PID NUMBER... - no task of that process has one of these capabilities
none() {
	local task caps number

	for task in "/proc/$1/task"/*/status; do
		caps=0x$(sed -n 's/^CapEff:	//p' "$task")
		for number in "${@:2}"; do
			[ $((caps & 1 << number)) = 0 ] || fail "$task: capabilities $caps"
		done
	done
}

# Both processes can do little, and still end by themselves.
start
for task in "/proc/$pid" "/proc/$server" "/proc/$server/task"/*; do
	grep -q '^Seccomp:	2' "$task/status" || fail 'no system calls are refused'
done
# CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_NET_ADMIN, CAP_SYS_RESOURCE
none "$server" 16 17 12 24
# and CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETUID, CAP_MKNOD
none "$pid" 16 17 12 24 0 1 3 7 27
kill -TERM "$pid"
gone SIGTERM

start -o sandbox=off
for task in "/proc/$pid" "/proc/$server"; do
	grep -q '^Seccomp:	0' "$task/status" || fail 'sandbox=off'
done
umount "$at"
gone umount

# Whatever is opened while a standard fd is closed gets its number.
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
	(eval "exec $closed" && phyrfs "$T_DIR" "$at") 2>/dev/null || fail "$closed: $?"
	fs_find
	[ "$(cat "$at/f")" = data ] || fail "$closed: nothing is there"
	umount "$at"
	gone "$closed"
done

# Read only, and the words for systemd
cat >notify.py <<-'END'
	import os, socket, subprocess, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("notify")
	s.settimeout(60)
	env = dict(os.environ, NOTIFY_SOCKET=os.path.abspath("notify"))
	daemon = subprocess.Popen(["phyrfs", "-f", "-o", "ro"] + sys.argv[1:], env=env,
	                          stderr=subprocess.DEVNULL)
	assert s.recv(100) == b"READY=1"
	try:
	    open(sys.argv[2] + "/f", "w")
	except OSError as e:
	    assert e.strerror == "Read-only file system", e
	daemon.terminate()
	assert daemon.wait(60) == 0
END
python3 notify.py "$T_DIR" "$at" || fail 'ro, READY=1'
! mounted || fail 'SIGTERM left the mount'

# More open files than the daemon may have: an error, and then it goes on.
sh -c "ulimit -n 64; exec phyrfs '$T_DIR' '$at'" 2>/dev/null
python3 - "$at/f" <<-'END'
	import errno, sys
	files = []
	try:
	    while len(files) < 100:
	        files.append(open(sys.argv[1]))
	    sys.exit("no error")
	except OSError as e:
	    assert e.errno in (errno.EMFILE, errno.ENFILE), e
	assert files[-1].read() == "data\n"
END
[ "$(cat "$at/f")" = data ] || fail 'no files any more'
umount "$at"
