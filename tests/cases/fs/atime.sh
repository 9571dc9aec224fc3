#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: noatime and the like say what happens to times of access in the source, also where data passes the daemon by
# red: in source_clone(), leave attr_set out
# iommu: any
# host: yes
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

finish() {
	! mountpoint -q at || umount -l at
}

# accessed OPTION WANT - which of the files in the source have another time after they were
# read, mapped, run, listed and followed through a mount with that option
accessed() {
	local got

	touch -ah -d 2001-01-01 "$T_DIR"/{read,mapped,program,dir,link}
	phyrfs "$T_DIR" at -o "$1" 2>said || fail "$(cat said)"
	cat at/read >/dev/null
	python3 -c 'import mmap
with open("at/mapped") as f:
    mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[0]'
	at/program
	ls at/dir
	readlink at/link >/dev/null
	for _ in {1..50}; do
		! umount at 2>/dev/null || break
		sleep 0.1 # who has read a file has not quite ended
	done
	got=$(cd "$T_DIR" && find read mapped program dir link -newerat 2002-01-01 | paste -sd ' ')
	[ "$got" = "$2" ] || fail "$1: '$got', wanted '$2'"
}

trap finish EXIT
mkdir at "$T_DIR/dir"
echo data | tee "$T_DIR/read" >"$T_DIR/mapped"
cp /bin/true "$T_DIR/program"
ln -s read "$T_DIR/link"
all='read mapped program dir link'
accessed relatime "$all"
accessed noatime ''
accessed strictatime "$all"
accessed nodiratime "${all/ dir/}"

# A time that was looked at before, and is newer than the last change: of no interest to
# relatime.
phyrfs "$T_DIR" at -o strictatime
before=$(stat -c %x "$T_DIR/read")
cat at/read >/dev/null
[ "$(stat -c %x "$T_DIR/read")" != "$before" ] || fail 'strictatime: not each time'
