#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: random system calls of several threads give what a model of the tree gives
# red: drop two references for one FORGET, put the fd of an inode after the reply, or end op_setattr before the size
# iommu: any
# host: first
# time: 240
#
# For RANDOM_SECONDS; RANDOM_SEED begins in the same way again.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

# What stat and read know of a tree, whichever way they come.
tree() {
	(cd "$1" && find . -printf '%P %y %m %U:%G %n %s %T@ %i [%l]\n' | sort &&
		find . -type f -exec md5sum {} + | sort)
}

finish() {
	umount -l m 2>/dev/null || :
}

mkdir m
trap finish EXIT
export ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1
echo leak:fuse_session_mount >leaks # libfuse's, freed where it unmounts by itself
export LSAN_OPTIONS=suppressions=$PWD/leaks
# fewer fds than there are files; the search for leaks at the end takes more system calls
(ulimit -n 256 && exec phyrfs -f "$T_DIR" m -o sandbox=off) 2>said &
daemon=$!
for ((i = 0; i < 600; i++)); do
	! mountpoint -q m || break
	sleep 0.1
done
# shellcheck disable=SC2086
t_random m "${RANDOM_SECONDS:-15}" 4 ${RANDOM_SEED-} || {
	cat said
	fail 'see above'
}
tree "$T_DIR" >want
tree m >got
diff want got || fail 'the trees differ'
umount m
wait $daemon || fail "the daemon: $(cat said)"
! grep -n 'Sanitizer\|runtime error' said || fail "$(cat said)"
