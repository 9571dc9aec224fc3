#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: what phyrfs(8) says under LIMITS is so: a kernel or libfuse that can more wants another page
# red: reply without a backing id (file_set_backing): data ends with the daemon; or a kernel whose FUSE files take RWF_NOWAIT
# iommu: any
# host: yes
# time: 180

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

mkdir at
cat >limits.py <<-'END'
	import ctypes, errno, mmap, os, select, struct, sys, time
	libc = ctypes.CDLL(None, use_errno=True)
	source, mount = sys.argv[1:]
	RWF_DONTCACHE, SYS_cachestat = 0x80, 451
	STATX_BTIME, STATX_DIOALIGN = 0x800, 0x2000

	def call(f, *args):
	    try:
	        return f(*args)
	    except OSError as e:
	        return errno.errorcode[e.errno]

	def is_(got, want, what):
	    assert got == want, f"{what}: {got}, wanted {want}"

	def statx_mask(path, mask):
	    buf = ctypes.create_string_buffer(256)
	    assert libc.statx(-100, path.encode(), 0, mask, buf) == 0
	    return struct.unpack_from("I", buf)[0] & mask

	def nr_dirty(fd):
	    span, stat = ctypes.create_string_buffer(16), ctypes.create_string_buffer(40)
	    assert libc.syscall(SYS_cachestat, fd, span, stat, 0) == 0
	    return struct.unpack_from("Q", stat, 8)[0]

	fd = os.open(mount + "/f", os.O_RDWR | os.O_CREAT)
	below = os.open(source + "/f", os.O_RDWR)
	buf = mmap.mmap(-1, 1 << 20)

	# syncfs() does nothing, and succeeds.
	for _ in range(5): # the kernel may write it, too, just then
	    os.pwritev(fd, [buf], 0)
	    is_(libc.syncfs(fd), 0, "syncfs of the mount")
	    if nr_dirty(below) > 0:
	        break
	else:
	    sys.exit("syncfs of the mount wrote data")
	os.fsync(fd)
	is_(nr_dirty(below), 0, "dirty pages after fsync")

	# Flags that a file has to be made for
	is_(call(os.preadv, below, [buf], 0, os.RWF_NOWAIT), 1 << 20, "RWF_NOWAIT at the source")
	is_(call(os.preadv, fd, [buf], 0, os.RWF_NOWAIT), "ENOTSUP", "RWF_NOWAIT")
	is_(call(os.pwritev, fd, [buf], 0, os.RWF_NOWAIT), "ENOTSUP", "RWF_NOWAIT")
	is_(call(os.preadv, fd, [buf], 0, RWF_DONTCACHE), "ENOTSUP", "RWF_DONTCACHE")

	# What only statx() tells
	is_(statx_mask(source + "/f", STATX_BTIME), STATX_BTIME, "btime of the source")
	is_(statx_mask(mount + "/f", STATX_BTIME | STATX_DIOALIGN), 0, "btime, DIOALIGN")

	# O_DIRECT wants whole blocks, as on the source.
	for at in source, mount:
	    direct = os.open(at + "/f", os.O_RDONLY | os.O_DIRECT)
	    is_(call(os.preadv, direct, [memoryview(buf)[:1000]], 0), "EINVAL", "1000 bytes")
	    is_(call(os.preadv, direct, [memoryview(buf)[:4096]], 0), 4096, "a block")

	# A watch on the mount sees what is done through the mount only.
	watch = libc.inotify_init1(os.O_NONBLOCK)
	assert libc.inotify_add_watch(watch, mount.encode(), 0x100) > 0 # IN_CREATE
	open(source + "/new", "w").close()
	assert os.path.exists(mount + "/new")
	is_(select.select([watch], [], [], .5)[0], [], "events of the source")
	open(mount + "/newer", "w").close()
	is_(select.select([watch], [], [], .5)[0], [watch], "events of the mount")

	# Without its daemon, data goes on.
	os.close(watch)
	os.kill(int(open("pid").read()), 9)
	while call(os.stat, mount) != "ENOTCONN":
	    time.sleep(.1)
	is_(call(os.pwrite, fd, b"late", 0), 4, "a write without daemon")
	is_(call(os.pread, fd, 4, 0), b"late", "a read without daemon")
	is_(os.pread(below, 4, 0), b"late", "that write, at the source")
	is_(call(os.fstat, fd), "ENOTCONN", "fstat without daemon")
	is_(call(os.fsync, fd), "ENOTCONN", "fsync without daemon")
	is_(call(os.open, mount + "/f", os.O_RDONLY), "ENOTCONN", "open without daemon")
END
trap 'umount -l at' EXIT
fs_start "$T_DIR" at
echo "$pid" >pid
python3 limits.py "$T_DIR" "$PWD/at"
