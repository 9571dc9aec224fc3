#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: after the start phyrfs tells the system's log, or stderr with -f, why data goes through it, once a minute, and why it ends
# red: leave out backing_log(), phyrfs_message_due() or iscntrl(), or forbid sendto in keeper_calls
# iommu: any
# host: yes
# fs: any

# A /dev of its own, for there is no daemon that listens to /dev/log.
[ -n "${LOG_DEV-}" ] || LOG_DEV=1 exec unshare --mount --propagation private bash -eu "$0"

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/bin

finish() {
	cd /
	kill "$log" 2>/dev/null || :
	umount -l "$at" 2>/dev/null || :
}

mkdir dev at
at=$PWD/at
mount -t tmpfs tmpfs dev
for name in null zero urandom fuse phyr; do
	[ ! -e /dev/$name ] || { : >dev/$name && mount --bind /dev/$name dev/$name; }
done
mount --rbind dev /dev
python3 - >logged 2>&1 <<-'END' &
	import socket
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("/dev/log")
	while True:
	    print(s.recv(2000).decode(), flush=True)
END
log=$!
trap finish EXIT
for _ in {1..100}; do
	[ ! -S /dev/log ] || break
	sleep 0.1
done
one=$'one\n<1>' # what somebody likes to see in a log
echo one >"$T_DIR/$one"
echo two >"$T_DIR/two"

# without_memory - two files are read, while the kernel has no memory for backing files
without_memory() {
	strace -f -qq -o /dev/null -e inject=ioctl:error=ENOMEM -p "$server" &
	tracer=$!
	for _ in {1..100}; do
		! grep -qs '^TracerPid:	0' "/proc/$server/task"/*/status || { sleep 0.1 && continue; }
		break
	done
	[ "$(cat "$at/$one")" = one ] || fail 'not the data of one'
	[ "$(cat "$at/two")" = two ] || fail 'not the data of two'
	kill "$tracer"
	wait "$tracer" || :
}

# says FILE COUNT TEXT - within 10 s there are so many lines
says() {
	for _ in {1..100}; do
		[ "$(grep -c "$3" "$1")" -lt "$2" ] || break
		sleep 0.1
	done
	[ "$(grep -c "$3" "$1")" = "$2" ] || fail "$3: $(cat "$1")"
}

phyrfs "$T_DIR" "$at" 2>/dev/null
fs_find
without_memory
says logged 1 'data of .* goes through the daemon'
says logged 1 "phyrfs\[$pid\]: $at: data of /one?<1> goes through the daemon, not direct: Cannot allocate memory"
kill -KILL "$server"
says logged 1 "phyrfs\[$pid\]: $at: .*killed by signal 9"

fs_start "$T_DIR" "$at"
without_memory
says said 1 'phyrfs: data of /one?<1> goes through the daemon, not direct: Cannot allocate memory'
umount "$at"
wait "$pid"
[ "$(wc -l <logged)" = 2 ] || fail "$(cat logged)"
