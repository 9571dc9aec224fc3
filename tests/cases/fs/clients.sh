#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: processes that are killed in the middle of anything leave nothing behind in the daemon
# red: leave out close() in file_release, phyrfs_backing_close(), or one of many FORGETs
# iommu: any
# host: yes
# fs: any
# time: 240
#
# CLIENTS_KILLS of them (300); CLIENTS_SEED begins in the same way again.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/bin

finish() {
	cd /
	umount -l "$at" 2>/dev/null || :
}

# held - what the daemon and the kernel hold; each of the daemon's threads has /dev/fuse
held() {
	sync -f "$at"
	echo "$(find "/proc/$server/fd" -type l ! -lname /dev/fuse | wc -l) fds," \
		"$(phyr stat --json "$at" | jq .daemon.inodes) inodes," \
		"free: $(stat -f -c '%f blocks, %d files' "$T_DIR")"
}

at=$PWD/at
mkdir "$at"
trap finish EXIT
fs_start "$T_DIR" "$at"
mkdir "$at/dir"
before=$(held)
# shellcheck disable=SC2086
timeout 200 t_clients "$at/dir" "${CLIENTS_KILLS:-300}" ${CLIENTS_SEED-} >got || fail "$(cat got)"
ls -lR "$at" >listed
[ "$(wc -l <listed)" -gt 5 ] || fail "they did nothing: $(cat listed)"
find "$at/dir" -mindepth 1 -delete
# closed files reach the daemon a moment after their last user has gone
for _ in {1..20}; do
	after=$(held)
	[ "$after" != "$before" ] || break
	sleep 0.1
done
[ "$after" = "$before" ] || fail "before: $before; after: $after"
kill -0 "$pid" || fail "the daemon: $(cat said)"
