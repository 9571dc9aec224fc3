#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: callers whose requests are stuck in the source do not keep others from theirs
# red: leave out let_out() of the watcher (pool.c)
# iommu: any
# host: yes
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

finish() {
	kill -CONT "$inner"
	wait
	umount -l at "$T_DIR/stuck" inner
}

mkdir at inner
mkdir "$T_DIR"/{a,stuck}
echo data >"$T_DIR/a/f"
phyrfs "$T_DIR/a" inner 2>/dev/null
inner=$(pgrep -nx phyrfs)
mount --bind inner "$T_DIR/stuck"
phyrfs "$T_DIR" at 2>/dev/null
trap finish EXIT
kill -STOP "$inner"
python3 - <<-'END' || fail "nobody answers"
	import os, signal
	signal.alarm(30)
	for nr in range(6):
	    # one caller, and so one thread that waits for requests: it gets stuck
	    for i in range(200):
	        os.stat("at/a/f")
	    if os.fork() == 0:
	        signal.alarm(0)
	        os.stat("at/stuck/f")
	        os._exit(0)
	    signal.sigtimedwait([], 0.1)
	    os.stat("at/a/f")
END
kill -CONT "$inner"
[ "$(cat at/stuck/f)" = data ] || fail 'stuck for good'
