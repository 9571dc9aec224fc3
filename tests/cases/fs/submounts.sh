#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: filesystems below the source are not shown, or shown such that no two files are taken for one
# red: in phyrfs_number, return ino for any device; leave the mount's id out of inode_key; clone the source recursively without -o submounts; never put a mount; have a mount namespace in any case (jail.c); ask with AT_STATX_SYNC_AS_STAT in fd.c; or leave out what attach.c does for -o submounts
# iommu: any
# host: yes
# time: 240
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

finish() {
	cd /
	umount -l "$here/at" /dev/fuse 2>/dev/null || :
	umount -l "$here/src" # and what is below
}

# mounted SOURCE MOUNTPOINT [OPTION...] - phyrfs, which says nothing but of the module
mounted() {
	phyrfs "$@" 2>said || fail "$(cat said)"
}

# idle - the kernel forgets what nobody uses, and the daemon hears of it
idle() {
	echo 2 >/proc/sys/vm/drop_caches
	sleep 0.5
}

# unmount DIR - what nobody uses any more, soon
unmount() {
	for _ in {1..50}; do
		! umount "$1" 2>/dev/null || return 0
		idle
	done
	fail "$1 is busy"
}

# numbers DIR - names that have one number have one file, and readdir says what stat does
numbers() {
	python3 - "$1" <<-'END'
		import os, stat, sys
		files = {}
		for root, dirs, names in os.walk(sys.argv[1]):
		    with os.scandir(root) as entries:
		        for e in entries:
		            st = e.stat(follow_symlinks=False)
		            assert e.inode() == st.st_ino or e.name in ("s", "ro"), e.path
		            files.setdefault((st.st_dev, st.st_ino), []).append(e.path)
		for paths in files.values():
		    kinds = {os.path.isdir(p) or open(p).read() for p in paths}
		    assert len(kinds) == 1 and len(paths) <= 2, paths
	END
}

# copies FROM WANT - archives of FROM hold what WANT does
copies() {
	local tool

	for tool in tar cp rsync; do
		rm -rf copy
		mkdir copy
		case $tool in
		tar) tar -C "$1" -cf - . | tar -C copy -xf - ;;
		cp) cp -a "$1/." copy ;;
		rsync) rsync -aHAX "$1/" copy ;;
		esac
		diff -r "$2" copy || fail "$tool: not the same"
	done
	numbers "$1"
}

[ -e /dev/loop-control ] || modprobe loop 2>/dev/null || { echo 'no loop devices' && exit 77; }
here=$PWD
trap finish EXIT
mkdir src at
mount -t tmpfs tmpfs src
mount --make-shared src
# Two filesystems, each with the same numbers, and two names for each file.
for name in a b; do
	truncate -s 32M src/$name.image
	mkfs.ext4 -q -F src/$name.image
done
mkdir src/d
mount -o loop src/a.image src/d
rmdir src/d/lost+found
mkdir src/d/s src/d/x src/d/ro
mount -o loop src/b.image src/d/s
rmdir src/d/s/lost+found
for i in {1..40}; do
	echo "main $i" >"src/d/m$i"
	ln "src/d/m$i" "src/d/n$i"
	echo "other $i" >"src/d/s/o$i"
	ln "src/d/s/o$i" "src/d/s/p$i"
done
echo x >src/d/x/f
mount --bind src/d/x src/d/ro
mount -o remount,bind,ro src/d/ro

# By default: the source's own mount, and nothing that is below.
mounted src/d at
grep -q "not shown: 2 filesystems mounted below $here/src/d, such as $here/src/d/" said ||
	fail "no word about what is not shown: $(cat said)"
[ -z "$(ls at/s at/ro | grep -v :)" ] || fail 'a filesystem below is shown'
mkdir plain
mount --bind src/d plain
copies at plain
umount plain
[ "$(stat -c %i at/m1)" = "$(stat -c %i src/d/m1)" ] || fail 'another number'
umount src/d/s # nobody keeps it busy
for _ in {1..50}; do
	[ -n "$(losetup -j src/b.image)" ] || break
	sleep 0.1
done
[ -z "$(losetup -j src/b.image)" ] || fail 'unmounted, and still in use'
mount -o loop src/b.image src/d/s
fs_find
python3 - "$server" <<-'END' || fail 'the server can reach what it does not show'
	import os, sys
	proc = "/proc/" + sys.argv[1]
	paths = [proc + "/root"] + [f"{proc}/fd/{fd}" for fd in os.listdir(proc + "/fd")]
	fds = [os.open(path, os.O_PATH) for path in paths if os.path.isdir(path)]
	os.chroot(proc + "/root")
	for fd in fds:
	    for name in "s/o1", "../s/o1":
	        assert not os.access(name, os.F_OK, dir_fd=fd), name
	    assert os.access("../m1", os.F_OK, dir_fd=fd)
END
# What is a mountpoint there cannot go here: that would unmount what is on it.
for how in 'rmdir at/s' 'mv at/s at/s2' 'mv -T at/x at/s'; do
	! $how 2>error || fail "$how: done"
	grep -q 'Device or resource busy' error || fail "$how: $(cat error)"
done
[ -e src/d/s/o1 ] || fail 'a filesystem was unmounted'
unmount at

# Without privileges names on other mounts are refused, or taken for what they are.
mkdir user
chmod 755 . src
chown daemon user
mknod -m 666 src/fuse c 10 229
mount --bind src/fuse /dev/fuse
as_user=(setpriv --reuid daemon --regid daemon --clear-groups)
"${as_user[@]}" phyrfs src/d user 2>said || fail "$(cat said)"
! "${as_user[@]}" ls user/s/o1 2>error || fail 'a filesystem below, without numbers of its own'
grep -q 'cross-device' error || fail "$(cat error)"
[ "$("${as_user[@]}" cat user/x/f)" = x ] || fail 'the source'
unmount user
"${as_user[@]}" phyrfs src/d user -o submounts 2>said || fail "$(cat said)"
"${as_user[@]}" python3 -c 'import os
assert os.stat("user/s/o1").st_ino != os.stat("user/m1").st_ino
assert open("user/s/o1").read() == "other 1\n"' || fail 'another file'
unmount user
umount -l /dev/fuse # the daemon may not have ended yet

# With all: what is below is there, each file is itself, each mount what it was.
mounted src/d at -o submounts
! grep 'not shown' said || fail 'it is shown'
copies at src/d
[ "$(stat -c %i at/m1)" = "$(stat -c %i src/d/m1)" ] || fail 'another number'
for first in at/x/f at/ro/f; do
	idle
	cat "$first" >/dev/null
	! bash -c 'echo evil >at/ro/f' 2>/dev/null || fail 'wrote to a read-only mount'
	echo "after $first" >at/x/f || fail 'cannot write, since another mount is read-only'
	[ "$(cat at/ro/f)" = "after $first" ] || fail 'not the same file'
done
[ "$(cd at/x && ls ../ro && pwd -P)" = "f
$here/at/x" ] || fail 'one directory is taken for the other'
! mv at/m1 at/s/m1x --no-copy 2>/dev/null || fail 'a name went from one filesystem to the other'
! ln at/m1 at/s/m1x 2>/dev/null || fail 'a link from one filesystem to the other'
[ ! -e src/d/s/m1x ] && [ -e src/d/m1 ] || fail 'and it is somewhere'
# Whoever may mount a disk with nosuid and nodev gets no more by it here.
as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
mkdir src/d/usb
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs src/d/usb
cp /usr/bin/id src/d/usb
chmod 4755 src/d/usb/id
mknod -m 666 src/d/usb/null c 1 3
unmount at
mounted src/d at -o submounts,allow_other
[ "$("${as_nobody[@]}" at/usb/id -u)" = "$(id -u nobody)" ] || fail 'a set-user-ID program counts'
! "${as_nobody[@]}" cat at/usb/null 2>/dev/null || fail 'a device can be opened'
unmount src/d/usb
rmdir src/d/usb
unmount at
# Where no mount arrives later, none can be removed, either.
mount --make-private src
mounted src/d at -o submounts
mkdir src/d/later
mount -t tmpfs tmpfs src/d/later
! rmdir at/later 2>error || fail 'rmdir at/later: done'
grep -q 'Device or resource busy' error || fail "$(cat error)"
mountpoint -q src/d/later || fail 'a filesystem was unmounted'
unmount at
unmount src/d/later
rmdir src/d/later
mount --make-shared src
mounted src/d at -o submounts
unmount src/d/s
[ ! -e at/s/o1 ] || fail 'it is gone, and shown'
unmount at

# A mountpoint below the source.
mkdir src/d/m
! phyrfs src/d src/d/m -o submounts 2>said || fail 'it shows itself'
grep -q "$here/src/d/m is below $here/src/d" said || fail "another reason: $(cat said)"
mounted src/d src/d/m
[ -z "$(ls src/d/m/m)" ] || fail 'it shows itself'
[ "$(cat src/d/m/x/f)" = "after at/ro/f" ] || fail 'the mount below its source'
unmount src/d/m
# and on it
mounted src/d src/d -o submounts
[ "$(cat src/d/ro/f)" = "after at/ro/f" ] || fail 'the mount on its source'
unmount src/d

# One that does not answer any more keeps nobody waiting who only needs an fd.
mkdir inner src/d/stuck many
seq 100 | (cd many && xargs touch)
bindfs many inner
bindfs=$(pgrep -nx bindfs)
mount --bind inner src/d/stuck
fs_fds=80 fs_start src/d at -o submounts
ls -l at/stuck >/dev/null
kill -STOP "$bindfs"
sleep 1.5 # its attributes are not believed any more
timeout 30 bash -c 'for i in 1 2 3; do ls -lR at/x at/s at/m* at/n*; done' >/dev/null || fail 'stuck with it'
kill -CONT "$bindfs"
[ "$(ls at/stuck | wc -l)" = 100 ] || fail 'stuck for good'
unmount at
unmount src/d/stuck # once the daemon has ended
unmount inner
