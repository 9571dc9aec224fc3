#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: all at once for a while: no byte is lost, nothing hangs, the daemon does not grow
# red: leave out close() in file_release, or one of many FORGETs
# iommu: any
# host: first
# fs: any
# time: 240
#
# For SOAK_SECONDS; half an hour: SOAK_SECONDS=1800 (and more time than the line above
# gives it). The daemon is measured after a quarter of the time, with all files removed and
# nobody at work, and in the end again.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH:/usr/sbin

finish() {
	cd /
	# shellcheck disable=SC2046
	kill -9 $(jobs -p) 2>/dev/null || :
	umount -l "$at" 2>/dev/null || :
}

# Each load runs for $1 seconds in a directory of its own, and fails if data is wrong.
load_random() {
	t_random . "$1" 3
}

load_direct() {
	verify "$1" --direct=1 --ioengine=libaio --iodepth=8
}

load_buffered() {
	verify "$1" --direct=0 --ioengine=psync --fsync=64
}

verify() {
	local seconds=$1
	shift
	while [ $SECONDS -lt "$seconds" ]; do
		fio --name=soak --directory="$PWD" --size=8M --rw=randrw --bsrange=4k-64k \
			--bs_unaligned=0 --verify=crc32c --verify_fatal=1 --do_verify=1 \
			--output=fio.out "$@" || { cat fio.out && return 1; }
		rm -f soak* ./*.state
	done
}

load_trees() {
	while [ $SECONDS -lt "$1" ]; do
		mkdir tree
		tar -C tree -xf "$here/tree.tar"
		(cd tree && md5sum --quiet -c "$here/tree.md5")
		rm -r tree
	done
}

load_clients() {
	while [ $SECONDS -lt "$1" ]; do
		t_clients . 50
	done
}

load_pressure() {
	while [ $SECONDS -lt "$1" ]; do
		sleep 1
		timeout 60 sh -c 'echo 2 >/proc/sys/vm/drop_caches' || :
		find "$at" -size +1G 2>found || :
		phyr stat --json "$at" >/dev/null
	done
}

# soak SECONDS - what hangs is not back a minute later (one call may wait for a full disk
# queue)
soak() {
	local end name pids=() i

	SECONDS=0
	for name in random direct buffered trees clients pressure; do
		mkdir "$at/$name"
		(cd "$at/$name" && "load_$name" "$1") >"said.$name" 2>&1 &
		pids+=($!)
	done
	end=$(($1 + 90))
	for i in "${!pids[@]}"; do
		while kill -0 "${pids[i]}" 2>/dev/null; do
			[ $SECONDS -lt $end ] || fail "hangs after $1 s: $(jobs -l) $(tail -n 2 said.*)"
			sleep 0.2
		done
		wait "${pids[i]}" || fail "$(tail -n 5 said.*)"
	done
	find "$at" -mindepth 1 -delete
	sleep 1
}

# nr_fds - but for those of threads, which come and go
nr_fds() {
	find "/proc/$server/fd" -type l ! -lname /dev/fuse | wc -l
}

nr_inodes() {
	phyr stat --json "$at" | jq .daemon.inodes
}

rss_kib() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"
}

here=$PWD at=$PWD/at seconds=${SOAK_SECONDS:-20}
mkdir "$at" tree
for i in {1..100}; do
	head -c $((i * 331)) /dev/urandom >"tree/$i"
done
tar -C tree -cf tree.tar .
(cd tree && md5sum -- *) >tree.md5
trap finish EXIT
fs_fds=400
fs_start "$T_DIR" "$at"
soak $((seconds / 4))
fds=$(nr_fds) rss=$(rss_kib)
soak $((seconds * 3 / 4))
# a file that had several names stays in the kernel's cache, and what is closed last is
# released when its caller is gone
for _ in {1..50}; do
	echo 2 >/proc/sys/vm/drop_caches
	inodes=$(nr_inodes) fds_now=$(nr_fds)
	[ "$inodes" != 0 ] || [ "$fds_now" -gt "$fds" ] || break
	sleep 0.2
done
echo "fds $fds, $fds_now; RSS $rss, $(rss_kib) KiB; $inodes inodes"
[ "$inodes" = 0 ] || fail "$inodes inodes are left"
[ "$fds_now" -le "$fds" ] || fail "$fds_now fds, $fds before: $(ls -l "/proc/$server/fd")"
# what malloc(3) keeps varies
[ "$(rss_kib)" -le $((rss + 4096)) ] || fail "$(rss_kib) KiB, $rss before"
[ -z "$(ls -A "$T_DIR")" ] || fail "$(ls -A "$T_DIR")"
umount "$at"
wait "$pid" || fail "the daemon: $(cat said)"
