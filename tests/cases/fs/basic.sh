#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: each operation through phyrfs does to the source what it does without phyrfs
# red: return success from an operation of fs/ without its system call, e.g. fallocate
# iommu: any
# host: first
# time: 240
# fs: any
#
# Needs only T_DIR and T_MNT, the same directory without and with phyrfs; so it runs on
# any machine with FUSE, too.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
# the machine's own tools, even where there are simpler ones that start faster
export PATH=/usr/bin:$PATH

# is WANT COMMAND... - the command prints WANT
is() {
	local want=$1 got
	shift

	got=$("$@" 2>&1) || true
	[ "$got" = "$want" ] || fail "$*: '$got', wanted '$want'"
}

# fails_with TEXT COMMAND... - the command fails and says TEXT
fails_with() {
	local want=$1 got
	shift

	if got=$("$@" 2>&1); then
		fail "$*: succeeded, wanted: $want"
	fi
	[[ $got == *"$want"* ]] || fail "$*: '$got', wanted '$want'"
}

# tree DIR - what stat and read know about what is in DIR, but for blocks, which change
# on their own
tree() {
	(cd "$1" && find . -printf '%P %y %m %U:%G %n %s %T@ %i [%l]\n' | sort &&
		find . -type f -exec md5sum {} + | sort)
}

# same - both ways see the same tree, data and attributes
same() {
	tree "$dir" >want
	tree "$mnt" >got
	diff want got || fail "line ${BASH_LINENO[0]}: the trees differ"
}

# both COMMAND... - in the source and through the mount, it prints the same
both() {
	is "$(cd "$dir" && "$@" 2>&1)" env --chdir="$mnt" "$@"
}

names() {
	mkdir "$mnt/d" "$mnt/d/e"
	echo one >"$mnt/f"
	echo two >"$dir/behind"
	ln "$mnt/f" "$mnt/d/hard"
	ln -s ../f "$mnt/d/soft"
	ln "$mnt/d/soft" "$mnt/soft2" # a link to the symbolic link itself
	mkfifo -m 640 "$mnt/fifo"
	: >"$mnt/empty"
	same
	is one cat "$mnt/d/soft"
	is 2 stat -c %h "$mnt/f"

	fails_with 'File exists' mkdir "$mnt/d"
	fails_with 'not empty' rmdir "$mnt/d"
	fails_with 'No such file' cat "$mnt/none"
	fails_with 'too long' mkdir "$mnt/$(printf 'x%.0s' {1..256})"
	mkdir "$mnt/$(printf 'x%.0s' {1..255})" "$mnt/"$'not\xff\nutf8'
	same

	mv "$mnt/f" "$mnt/g"
	mv "$mnt/g" "$mnt/empty" # replaces
	mv "$mnt/d/e" "$mnt/e2"
	mv "$mnt/d" "$mnt/e2/"
	mv -n "$mnt/empty" "$mnt/behind" 2>/dev/null || true
	is one cat "$mnt/empty"
	mv --exchange "$mnt/empty" "$mnt/behind"
	is two cat "$mnt/empty"
	same
	rm -r "$mnt/e2" "$mnt/fifo" "$mnt/soft2"
	same
}

attributes() {
	echo data >"$mnt/a"
	chmod 4751 "$mnt/a"
	is 4751 stat -c %a "$mnt/a"
	chown 1000:1001 "$mnt/a"
	is 751 stat -c %a "$dir/a"
	chmod 2770 "$mnt/a"
	same
	echo more >>"$mnt/a" # a write clears set-id bits, whoever writes
	is 770 stat -c %a "$dir/a"
	touch -d '2001-02-03 04:05:06.789012345' "$mnt/a"
	touch -h -d 2010-11-12 "$mnt/l" 2>/dev/null || ln -s a "$mnt/l"
	touch -h -d 2010-11-12 "$mnt/l"
	touch -a "$mnt/a"
	is "$(stat -c '%x %y' "$dir/a")" stat -c '%x %y' "$mnt/a"
	chmod 1777 "$mnt"
	is 1777 stat -c %a "$dir"
	chmod 755 "$dir"
	is 755 stat -c %a "$mnt"
	(umask 027 && mkdir "$mnt/m" && : >"$mnt/m/n")
	is 750 stat -c %a "$dir/m"
	is 640 stat -c %a "$dir/m/n"
	same
	chattr +A "$mnt/a" "$mnt/m"
	is "$(cd "$dir" && lsattr -d a m)" env --chdir="$mnt" lsattr -d a m
	[[ $(lsattr -d "$dir/a") == *A*\ * && $(lsattr -d "$dir/m") == *A*\ * ]] || fail 'chattr +A'
	is "$(stat -f -c '%b %S %c %l' "$dir")" stat -f -c '%b %S %c %l' "$mnt"
}

data() {
	dd if=/dev/urandom of="$mnt/r" bs=64k count=20 status=none
	same
	dd if="$dir/r" of="$mnt/w" bs=4k oflag=direct status=none
	cmp "$dir/w" "$mnt/r" || fail 'written O_DIRECT'
	dd if="$mnt/w" of=copy bs=64k iflag=direct status=none
	cmp copy "$dir/r" || fail 'read O_DIRECT'
	printf middle | dd of="$mnt/w" bs=1 seek=70000 conv=notrunc,fsync status=none
	same
	printf tail >>"$mnt/w"
	is $((20 * 65536 + 4)) stat -c %s "$mnt/w"
	printf behind >>"$dir/w" # seen at once
	is $((20 * 65536 + 10)) stat -c %s "$mnt/w"
	is tailbehind tail -c 10 "$mnt/w"
	truncate -s 1000 "$mnt/w"
	truncate -s 200000 "$mnt/w"
	same
	: >"$mnt/w"
	is 0 stat -c %s "$dir/w"

	fallocate -l 1m "$mnt/h"
	fallocate -p -o 128k -l 256k "$mnt/h"
	fallocate -n -o 1m -l 64k "$mnt/h"
	sync "$dir/h"
	both stat -c '%s %b' h
	same
	truncate -s 8m "$mnt/s"
	printf x | dd of="$mnt/s" bs=1 seek=5M conv=notrunc status=none
	sync "$mnt/s" "$mnt"
	cp --sparse=always "$mnt/s" "$mnt/s2" # SEEK_DATA, SEEK_HOLE
	[ "$(stat -c %b "$dir/s2")" -lt 200 ] || fail 'the copy is not sparse'
	cp --reflink=auto --sparse=never "$mnt/r" "$mnt/r2" # copy_file_range
	same
}

# One file open in all ways at once, while its size and name change.
handles() {
	# shellcheck disable=SC2094
	exec 3<>"$mnt/o" 4<"$mnt/o" 5>>"$mnt/o"
	printf abc >&3
	printf def >&5
	is abcdef head -c 6 <&4
	mv "$mnt/o" "$mnt/o2"
	rm "$mnt/o2"
	printf ghi >&5
	is abcdefghi cat "/proc/self/fd/4"
	[ ! -e "$dir/o2" ] || fail 'removed, but still there'
	exec 3>&- 4<&- 5>&-
	(set -C && : >"$mnt/excl")
	fails_with 'cannot overwrite' bash -Cc ": >'$mnt/excl'"
	mkfifo "$dir/pipe" # made behind the mount; must not block the daemon
	timeout 20 dd if=/dev/zero of="$mnt/pipe" oflag=nonblock count=1 2>/dev/null &&
		fail 'opened a FIFO without a reader'
	same
}

many() {
	local i

	mkdir "$mnt/many"
	for i in {1..400}; do
		: >"$dir/many/$i"
	done
	is 400 bash -c "ls -f '$mnt/many' | grep -c ^[1-9]"
	is 400 bash -c "find '$mnt/many' -type f -size 0 | wc -l"
	is '' find "$mnt/many" -name '1*' -delete
	both ls -U many
	rm -r "$mnt/many"
	same
}

# What no command of coreutils does: extended attributes, files without a name.
calls() {
	python3 - "$dir" "$mnt" <<-'END' || fail "line ${BASH_LINENO[0]}: see above"
	import errno, os, sys
	src, mnt = (d + "/x" for d in sys.argv[1:])

	def error(call, *args):
	    try:
	        call(*args)
	    except OSError as e:
	        return errno.errorcode[e.errno]

	open(mnt, "w").close()
	os.setxattr(mnt, "user.a", b"value")
	os.setxattr(mnt, "user.b", b"\0" * 1000)
	assert os.getxattr(src, "user.a") == b"value"
	assert os.getxattr(mnt, "user.b") == b"\0" * 1000
	assert os.listxattr(src) == os.listxattr(mnt), os.listxattr(mnt)
	assert error(os.setxattr, mnt, "user.a", b"", os.XATTR_CREATE) == "EEXIST"
	os.removexattr(mnt, "user.a")
	assert error(os.getxattr, mnt, "user.a") == "ENODATA"
	assert os.listxattr(src) == os.listxattr(mnt)

	fd = os.open(sys.argv[2], os.O_TMPFILE | os.O_RDWR, 0o640)
	os.write(fd, b"nameless")
	assert os.listdir(sys.argv[1]) == ["x"]
	os.link(str(fd), mnt + "2", src_dir_fd=os.open("/proc/self/fd", os.O_RDONLY))
	assert open(src + "2").read() == "nameless"
	assert os.stat(src + "2").st_mode == 0o100640

	dirfd = os.open(sys.argv[2], os.O_RDONLY)
	os.fsync(dirfd)
	assert os.lseek(fd, 3, os.SEEK_DATA) == 3 and os.lseek(fd, 3, os.SEEK_HOLE) == 8
	assert error(os.lseek, fd, 8, os.SEEK_DATA) == "ENXIO"
	END
}

# run DIR MNT PART... - parts of the above, each leaving an empty directory
run() {
	local part

	dir=$1 mnt=$2
	shift 2
	for part in "$@"; do
		"$part"
		find "$mnt" -mindepth 1 -delete
		is '' ls -A "$dir"
	done
}

# A mount that others may use: what they make is theirs, and modes bind them.
others() {
	local as_user=(setpriv --reuid 1234 --regid 1235 --clear-groups)

	mkdir -m 777 "$T_DIR/open"
	mkdir -m 700 "$T_DIR/closed"
	mkdir -m 2777 "$T_DIR/setgid"
	chgrp 77 "$T_DIR/setgid"
	phyrfs "$T_DIR" others -o allow_other 2>/dev/null
	"${as_user[@]}" bash -c 'umask 077; cd others; : >open/f; mkdir open/d setgid/d
		ln -s x open/l; : >setgid/f; echo >>open/f'
	is 1234:1235:600 stat -c %u:%g:%a "$T_DIR/open/f"
	is 1234:1235:700 stat -c %u:%g:%a "$T_DIR/open/d"
	is 1234:1235 stat -c %u:%g "$T_DIR/open/l"
	is 1234:77:2700 stat -c %u:%g:%a "$T_DIR/setgid/d"
	is 1234:77:600 stat -c %u:%g:%a "$T_DIR/setgid/f"
	fails_with 'Permission denied' "${as_user[@]}" ls others/closed
	fails_with 'Permission denied' "${as_user[@]}" bash -c ': >others/f'
	fails_with 'not permitted' "${as_user[@]}" chown 0 others/open/f
	echo root >others/open/g
	is 0:0:644 stat -c %u:%g:%a "$T_DIR/open/g"
	umount others
	rm -r "$T_DIR"/{open,closed,setgid}
}

finish() {
	local at

	for at in others depth3 depth2; do
		mountpoint -q $at && umount -l $at
	done
	:
}

trap finish EXIT
umask 022
mkdir others depth2 depth3
chmod 755 .
run "$T_DIR" "$T_MNT" names attributes data handles many calls
others

# The kernel's lock checker takes the two write counts of two stacked FUSE mounts for one.
[ "${LAB_KERNEL-}" != debug ] || exit 0

# The kernel passes data through two stacked mounts, not three: here the daemon reads
# and writes it.
phyrfs "$T_MNT" depth2 2>/dev/null
phyrfs depth2 depth3 2>message
grep -q 'through the daemon' message || fail "no word about passthrough: $(cat message)"
run "$T_DIR" "$PWD/depth3" data handles
