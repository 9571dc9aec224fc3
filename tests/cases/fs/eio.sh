#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a disk that fails gives clients the errors that it gives without phyrfs, and hangs nobody
# red: let op_fsync reply 0 whatever comes
# iommu: any
# host: yes
# fs: any
# time: 240
#
# Two filesystems that are the same to begin with, on loop devices: one is used as it is,
# one through phyrfs. A device fails from where its size limit is.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH:/usr/sbin

fs_pair 4096
fs_start got/dir mnt

cat >common.py <<-'PYTHON'
	import errno, fcntl, mmap, os, struct, sys
	device, work = sys.argv[1], sys.argv[2]
	os.chdir(work)
	loop = os.open(device, os.O_RDONLY)

	def result(call, *args):
	    try:
	        got = call(*args)
	    except OSError as e:
	        return errno.errorcode[e.errno]
	    return got if isinstance(got, int) else "ok"

	# Of the device, all from byte @limit on fails; 0: nothing does.
	def fail_from(limit):
	    info = bytearray(232)
	    fcntl.ioctl(loop, 0x4C05, info) # LOOP_GET_STATUS64
	    struct.pack_into("Q", info, 32, limit) # lo_sizelimit
	    fcntl.ioctl(loop, 0x4C04, info) # LOOP_SET_STATUS64
PYTHON

cat >eio.py <<-'PYTHON'
	from common import *
	pattern = bytes(range(256)) * 4096

	# The first byte of a file on the device
	def place(name):
	    fd = os.open(name, os.O_RDONLY)
	    fiemap = bytearray(struct.pack("QQIIII", 0, 1 << 20, 1, 0, 1, 0) + bytes(56))
	    fcntl.ioctl(fd, 0xC020660B, fiemap)
	    os.close(fd)
	    return struct.unpack_from("Q", fiemap, 40)[0]

	def forget(fd):
	    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

	# Of some files the last one on the disk, with nothing behind that is not data
	for i in range(8):
	    os.mkdir(f"d{i}")
	    fd = os.open(f"d{i}/f", os.O_RDWR | os.O_CREAT)
	    os.write(fd, pattern)
	    os.fsync(fd)
	    os.close(fd)
	last = max((f"d{i}/f" for i in range(8)), key=lambda name: place(f"{sys.argv[3]}/{name}"))
	fd = os.open(last, os.O_RDWR)
	direct = os.open(last, os.O_RDWR | os.O_DIRECT)
	page = mmap.mmap(-1, 65536)
	half = place(f"{sys.argv[3]}/{last}") + (1 << 19)
	for i in range(4):
	    source = os.open(f"{sys.argv[3]}/{last}", os.O_RDONLY)
	    forget(source)
	    fail_from(half)
	    print("read", result(os.pread, fd, 4096, 1 << 19), result(lambda: len(os.pread(fd, 4096, 0))))
	    print("O_DIRECT", result(os.preadv, direct, [page], 1 << 19),
	          result(os.pwritev, direct, [page], 1 << 19), result(os.preadv, direct, [page], 0))
	    print("O_DIRECT across", result(os.preadv, direct, [page], (1 << 19) - 4096))
	    fail_from(0)
	    print("mended", result(os.pread, fd, 4096, 1 << 19),
	          result(os.preadv, direct, [page], 1 << 19),
	          os.pread(fd, 1 << 20, 0) == pattern)
	    fail_from(half)
	    print("write", result(os.pwrite, fd, pattern[:4096], 1 << 19))
	    print("fsync", result(os.fsync, fd), result(os.fsync, fd))
	    fail_from(0)
	    print("again", result(os.pwrite, fd, pattern[:4096], 1 << 19), result(os.fsync, fd))
	    forget(source)
	    print("as before", os.pread(fd, 1 << 20, 0) == pattern)
	    os.close(source)
PYTHON

cat >dead.py <<-'PYTHON'
	from common import *
	fail_from(4096)
	fd = os.open(".", os.O_RDONLY)
	for what, call, *args in (
	        ("stat", os.stat, "d1/f"), ("list", os.listdir, "d2"), ("open", os.open, "d3/f", 0),
	        ("mkdir", os.mkdir, "new"), ("create", os.open, "new", os.O_CREAT | os.O_RDWR),
	        ("unlink", os.unlink, "none"), ("rename", os.rename, "d5", "d5b"),
	        ("chmod", os.chmod, "d7", 0o700), ("fsync", os.fsync, fd),
	        ("setxattr", os.setxattr, ".", "user.x", b"y" * 2000), ("mkdir", os.mkdir, "new2"),
	        ("fsync", os.fsync, fd), ("list", os.listdir, ".")):
	    print(what, result(call, *args))
PYTHON

device() {
	findmnt -n -o SOURCE "$1"
}

# check PROGRAM - it says the same on both
check() {
	timeout 100 python3 "$1.py" "$(device want)" want/dir "$here/want/dir" >said.want ||
		fail "$1 without phyrfs: $(tail -n 3 said.want)"
	timeout 100 python3 "$1.py" "$(device got)" mnt "$here/got/dir" >said.got ||
		fail "$1: $(tail -n 3 said.got)"
	grep -q EIO said.want || fail "nothing fails: $(cat said.want)"
}

# again - everything from the start, with devices that do not fail
again() {
	umount mnt
	wait "$pid" || fail "the daemon: $(cat said)"
	umount want got
	mount -o loop want.image want
	mount -o loop got.image got
	fs_start got/dir mnt
}

# held - fds but those of inodes, which are as many as the kernel remembers
held() {
	local all

	all=$(find "/proc/$server/fd" -type l ! -lname /dev/fuse | wc -l)
	echo $((all - $(phyr stat --json mnt | jq .daemon.inodes_open)))
}

before=$(held)
check eio
diff said.want said.got || fail 'another error through the mount'
for _ in {1..50}; do
	[ "$(held)" != "$before" ] || break
	sleep 0.1
done
[ "$(held)" = "$before" ] || fail "$(held) fds, $before before"

# All of the disk, of which little is cached; what just that is differs. No call hangs.
again
check dead
grep -q 'EIO\|ENOMEM' said.got || fail "nothing fails: $(cat said.got)"
kill -0 "$pid" || fail "the daemon: $(cat said)"
again
[ "$(find mnt -name f -size 1M | wc -l)" = 8 ] || fail 'files are missing'
find mnt -name f -exec md5sum {} + | cut -d' ' -f1 | sort -u >sums
[ "$(wc -l <sums)" = 1 ] || fail 'files have changed'
echo works >mnt/new
[ "$(cat got/dir/new)" = works ] || fail 'mended, but nothing can be written'
