#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: data takes no request to the daemon, and phyr stat tells what did
# red: reply without a backing id (file_set_backing), count an operation as another one (count.c), let cache=always have no timeout, look up known entries (dir.c), make no room (fds_make_room), or ask without a process of its own (daemon.c)
# iommu: any
# host: yes
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/bin

at=$PWD/at
mkdir "$at"
phyrfs "$T_DIR" "$at" 2>/dev/null
trap 'umount -l "$at"' EXIT

# calls NAME - requests of that kind so far. A request is counted after its reply.
calls() {
	sleep .1
	phyr stat --json "$at" | jq ".daemon.requests.$1.calls"
}

dd if=/dev/zero of="$at/f" bs=1M count=4 status=none

python3 - "$at" <<-'END'
	import json, mmap, os, subprocess, sys, time
	def calls():
	    time.sleep(.1)
	    out = subprocess.check_output(["phyr", "stat", "--json", sys.argv[1]])
	    return {k: v["calls"] for k, v in json.loads(out)["daemon"]["requests"].items()}
	fd = os.open(sys.argv[1] + "/f", os.O_RDWR | os.O_DIRECT)
	plain = os.open(sys.argv[1] + "/f", os.O_RDWR)
	buf = mmap.mmap(-1, 4096)
	def data(i):
	    os.preadv(fd, [buf], i * 4096)
	    os.pwritev(fd, [buf], i * 4096)
	    os.pread(plain, 100, i * 5000)
	    os.pwrite(plain, b"x", i * 5000)
	data(0) # the first write looks for file capabilities
	before, none = calls(), calls()
	for i in range(500):
	    data(i)
	after = calls()
	# Asking costs requests, too: as many as between the first two times, but the last may
	# not be counted yet.
	for name in after:
	    extra = after[name] - none[name] - (none[name] - before[name])
	    assert extra <= 10, f"{extra} {name} for 2000 reads and writes"
END

before=$(calls mkdir)
mkdir "$at"/{a,b,c}
[ $(($(calls mkdir) - before)) = 3 ] || fail 'mkdir is not counted'
before=$(calls lookup)
stat "$at/none" 2>/dev/null && fail 'none is there'
[ "$(calls lookup)" -gt "$before" ] || fail 'lookup is not counted'
[ "$(phyr stat --json "$at" | jq '[.daemon.requests[] | .calls == ([.latency[]] | add)] | all')" = true ] ||
	fail 'the latencies are not those of all calls'
[ "$(phyr stat --json "$at" | jq .daemon.opens_daemon)" = 0 ] || fail 'opens without passthrough'
phyr stat "$at" | grep -q '^    mkdir  *3 calls' || fail "$(phyr stat "$at")"
[ "$(calls flush)" -le 1 ] || fail 'closing a file is asked for again and again'
ls "$at" >/dev/null
[ "$(calls readdirplus)" = 0 ] || fail 'attributes are asked for that are not believed'

# What was asked for once is believed with cache=always.
umount "$at"
phyrfs "$T_DIR" "$at" -o cache=always 2>/dev/null
# believed - nothing is looked up that was just looked up
believed() {
	local before

	stat "$at/f" "$at/a" >/dev/null
	stat "$at/none" 2>/dev/null && fail 'none is there'
	before=$(calls lookup)
	stat "$at/f" "$at/a" >/dev/null
	stat "$at/none" 2>/dev/null && fail 'none is there'
	# the last one before may have been counted late
	[ "$(calls lookup)" -le $((before + 1)) ]
}
# other cases drop all caches of this machine now and then
believed || believed || believed || fail 'cache=always asks again'
ls "$at" >/dev/null
[ "$(calls readdirplus)" -gt 0 ] || fail 'cache=always does not ask for attributes'
[ "$(phyr stat --json "$at" | jq .daemon.inodes_found)" = 0 ] || fail 'a known entry is looked up'

# There is room for all fds before there are threads.
nr=$(awk '/^FDSize/ { print $2 }' "/proc/$(pgrep -nx phyrfs)/status")
[ "$nr" -ge "$(($(ulimit -n) < 65536 ? $(ulimit -n) : 65536))" ] || fail "room for $nr fds"

phyr stat / 2>err && fail '/ is no phyrfs mount'
grep -q 'not a phyrfs mount' err || fail "$(cat err)"

# A daemon of another version is told from something else that is mounted.
strace -qq -f -o trace -e trace=ioctl -e inject=ioctl:poke_exit=@arg3=02000000 \
	phyr stat "$at" 2>err && fail 'version 2 is understood'
grep -q 'different versions' err || fail "$(cat err)"

# One that does not answer holds nobody up for long, nor does the one that asks it.
pid=$(pgrep -nx phyrfs)
kill -STOP "$pid"
said=$(timeout 20 phyr stat "$at" 2>&1) && fail 'a daemon that is stopped has answered'
kill -CONT "$pid"
[[ $said = *'does not answer'* ]] || fail "$said"
