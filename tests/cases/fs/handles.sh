#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyrfs knows more files than it may have open, and each is still the right one
# red: in fd.c, return true before handles are compared (phyrfs_fd_merge), close the fd of a file without a name, or never loop in phyrfs_openat
# iommu: any
# host: yes
# time: 240
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

nr_fds() {
	# shellcheck disable=SC2012
	ls "/proc/$pid/fd" | wc -l
}

# contents DIR
contents() {
	(cd "$1" && find . -type f | sort | xargs md5sum)
}

finish() {
	cd /
	umount -l "$at"
}

at=$PWD/at
mkdir "$at"
sh -c "ulimit -n 64; exec phyrfs '$T_DIR' '$at'" 2>/dev/null
trap finish EXIT
pid=$(pgrep -nx phyrfs)
python3 - "$at" <<-'END'
	import os, sys
	for d in range(8):
	    os.mkdir(f"{sys.argv[1]}/{d}")
	    for f in range(50):
	        open(f"{sys.argv[1]}/{d}/{f}", "w").write(f"{d} {f}\n")
END
[ "$(find "$at" | wc -l)" = 409 ] || fail "not all files are there"
[ "$(nr_fds)" -lt 64 ] || fail "$(nr_fds) fds"
contents "$T_DIR" >want
contents "$at" >got
cmp want got

# Open files, with two fds each, come before what is only known.
python3 - "$at" <<-'END'
	import os, sys
	fds = [os.open(f"{sys.argv[1]}/5/{f}", os.O_RDONLY) for f in range(20)]
END

# Their numbers become other files', behind the mount, while the kernel knows the old ones.
exec 3<"$at/3"
find "$at" >/dev/null
(cd "$T_DIR/3" && rm -- * && for i in {1..50}; do ln -s "to $i" "new$i"; done)
rm -r "$T_DIR/4"
[ "$(readlink "$at/3/new40")" = "to 40" ] || fail "another file"
! cat "$at/3/49" 2>/dev/null || fail "a file that was removed"
contents "$T_DIR" >want
contents "$at" >got
cmp want got

# A file and a directory that lost their names.
exec 4<>"$at/1/1"
rm "$at/1/1"
mkdir "$at/gone"
cd "$at/gone"
rmdir "$at/gone"
ls -lR "$at" >/dev/null # not find, which keeps the working directory open
echo more >&4
[ "$(stat -L -c '%h %s' /proc/self/fd/4)" = "0 5" ] || fail "an open file without a name"
[ "$(stat -c %h .)" = 0 ] || fail "a working directory without a name"
