#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a full disk, and a limit of a file's size, are to clients what they are without phyrfs
# red: leave out phyrfs_inode_unlinked(), RLIMIT_FSIZE or SIGXFSZ (main.c), or op_fallocate's errno
# iommu: any
# host: first
# fs: any
# time: 240
#
# Two filesystems that are the same to begin with: one is used as it is, one through
# phyrfs. What calls return has to be the same.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH:/usr/sbin

fs_pair 1024 -m 0 # what is kept for root is fs/reserve's matter
fs_start got/dir mnt

cat >full.py <<-'END'
	import ctypes, errno, mmap, os, resource, signal, sys, time
	os.chdir(sys.argv[1])
	libc = ctypes.CDLL(None, use_errno=True)
	KEEP, PUNCH, ZERO = 1, 3, 16
	page = mmap.mmap(-1, 1 << 20)
	page.write(bytes(range(256)) * 4096)
	pattern = page[:]

	def result(call, *args, **named):
	    try:
	        got = call(*args, **named)
	    except OSError as e:
	        return errno.errorcode[e.errno]
	    return got if isinstance(got, int) else "ok"

	def say(what, *results):
	    print(what, *results, flush=True)

	def open_(name, flags=0):
	    return os.open(name, os.O_RDWR | os.O_CREAT | flags, 0o644)

	def fallocate(fd, mode, offset, length):
	    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)):
	        raise OSError(ctypes.get_errno(), "")

	# Write until no block fits any more
	def fill(fd, length=1 << 20):
	    while length >= 4096:
	        got = result(os.writev, fd, [memoryview(page)[:length]])
	        if not isinstance(got, int):
	            assert got == "ENOSPC", got
	            length //= 16

	# What becomes of a child process
	def child(call, *args):
	    pid = os.fork()
	    if not pid:
	        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
	        try:
	            call(*args)
	        finally:
	            os._exit(0)
	    status = os.waitpid(pid, 0)[1]
	    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "ok"

	def intact():
	    for name, length in ("keep", 3 << 20), ("direct", 1 << 20):
	        data = open(name, "rb").read()
	        want = pattern * (length >> 20)
	        assert data == want, f"{name}: {len(data)} bytes, or others"

	def store(fd, offset):
	    length = 1 << 16
	    os.ftruncate(fd, length)
	    mmap.mmap(fd, length)[offset] = 1

	keep = open_("keep")
	os.write(keep, pattern * 3)
	os.fsync(keep)
	direct = open_("direct", os.O_DIRECT)
	os.write(direct, page)
	for name in "victim", "other":
	    fd = open_(name)
	    os.write(fd, pattern)
	    os.fsync(fd)
	    os.close(fd)
	hole = open_("hole")
	os.mkdir("d")
	some = [open_(name, flag) for name, flag in (("plain", 0), ("odirect", os.O_DIRECT),
	        ("osync", os.O_SYNC), ("oappend", os.O_APPEND), ("odsync", os.O_DSYNC))]
	os.sync()

	big = open_("big")
	fill(big)
	say("fsync", result(os.fsync, big))
	fill(big, 4096)
	os.sync()
	full = os.fstat(big).st_size
	assert full > 30 << 20, full
	assert os.statvfs(".").f_bavail < 64, "not full"
	# the last blocks, by what is not rounded up to many of them
	try:
	    for i in range(100):
	        os.setxattr("keep", f"user.{i}", b"x" * 3000)
	except OSError as e:
	    say("setxattr", errno.errorcode[e.errno])
	fill(big, 4096)

	for fd, name in zip(some, ("plain", "O_DIRECT", "O_SYNC", "O_APPEND", "O_DSYNC")):
	    for length in 1 << 20, 4096:
	        say(name, length, result(os.writev, fd, [memoryview(page)[:length]]))
	    say(name, "size", os.fstat(fd).st_size)
	say("in place", result(os.pwrite, keep, pattern, 1 << 20))
	say("in place, O_DIRECT", result(os.pwrite, direct, page, 0))
	say("across the end", result(os.pwrite, direct, page, 1 << 19), os.fstat(direct).st_size)
	say("back", result(os.ftruncate, direct, 1 << 20), result(os.pwrite, direct, page, 0))
	for mode in 0, KEEP, ZERO:
	    say("fallocate", mode, result(fallocate, hole, mode, 0, 8 << 20))
	say("sparse", result(os.ftruncate, hole, 1 << 30))
	say("copy", result(os.copy_file_range, keep, hole, 1 << 20, 0, 0))
	say("mmap", child(store, hole, 5000))
	say("fsync", *(result(os.fsync, fd) for fd in some + [hole, keep]))

	def until_full(call):
	    for i in range(1000):
	        if result(call, i) == "ENOSPC":
	            return "ENOSPC"
	say("mkdir", until_full(lambda i: os.mkdir(f"d{i}")))
	say("symlink", until_full(lambda i: os.symlink("x" * 1000, f"l{i}")))
	say("create", until_full(lambda i: os.close(open_(f"c{i}" + "x" * 200))))
	say("tmpfile", result(lambda: os.close(os.open(".", os.O_TMPFILE | os.O_RDWR))))
	say("rename", result(os.rename, "plain", "renamed"))
	say("link", result(os.link, "renamed", "d/hard"))
	say("chmod", result(os.chmod, "renamed", 0o600))
	intact()

	# What is freed can be used again by the next call.
	def again(what):
	    fd = open_("plain")
	    got = result(os.pwrite, fd, pattern[: 1 << 19], 0), result(os.fsync, fd)
	    os.close(fd)
	    os.truncate("plain", 0)
	    os.sync()
	    fill(big, 4096) # full once more
	    say(what, *got)
	for name in os.listdir("."):
	    if name[0] == "c":
	        os.unlink(name)
	os.rename("renamed", "other")
	again("after rename")
	say("punch", result(fallocate, big, PUNCH, 0, 1 << 20))
	again("after punch")
	os.ftruncate(big, os.fstat(big).st_size - (2 << 20))
	again("after truncate")
	os.unlink("big")
	assert os.fstat(big).st_nlink == 0 and os.pread(big, 256, 4 << 20) == pattern[:256]
	os.close(big)
	intact()
	# Large files take longest to remove. The next write does not wait for that.
	def settle():
	    for _ in range(100):
	        st = os.statvfs(".")
	        if st.f_bavail * st.f_bsize > 20 << 20:
	            return
	        time.sleep(0.1)
	    sys.exit("no space after 10 s")
	settle()
	os.close(open_("small"))
	for i in range(8):
	    fd = open_("large")
	    fill(fd)
	    os.close(fd)
	    os.sync()
	    if i % 2:
	        os.unlink("large")
	    else:
	        os.rename("small", "large")
	    fd = open_("small")
	    say("at once", result(os.pwrite, fd, pattern, 0))
	    os.close(fd)
	    settle()
	intact()

	# A limit of the process, which the file itself does not have
	def limited(call, *args):
	    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
	    call(*args)
	def ignored(call, *args):
	    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
	    limited(lambda: say(" ignored:", result(call, *args)))
	fd, odirect = open_("limit"), open_("limit", os.O_DIRECT)
	for what, call, *args in (
	        ("pwrite", os.pwrite, fd, b"x", 1 << 20),
	        ("pwrite O_DIRECT", os.pwrite, odirect, page, 1 << 20),
	        ("across", os.pwrite, fd, pattern, 4096),
	        ("across O_DIRECT", os.pwrite, odirect, page, 4096),
	        ("truncate", os.truncate, "limit", 2 << 20),
	        ("ftruncate", os.ftruncate, fd, 2 << 20),
	        ("fallocate", fallocate, fd, 0, 0, 2 << 20),
	        ("copy", os.copy_file_range, keep, fd, 1 << 19, 0, 1 << 20)):
	    signal.signal(signal.SIGXFSZ, signal.SIG_DFL) # Python ignores it
	    say("limit:", what, child(limited, call, *args), child(ignored, call, *args),
	        os.fstat(fd).st_size)
	    os.ftruncate(fd, 0)
END
python3 full.py want/dir >said.want || fail "$(tail -n 3 said.want)"
python3 full.py mnt >said.got || fail "$(tail -n 3 said.got)"
for word in ENOSPC SIGBUS SIGXFSZ EFBIG; do
	grep -q $word said.want || fail "no $word: $(cat said.want)"
done
diff said.want said.got || fail 'another answer through the mount'

# Nothing of what was removed holds its space: a file that was open without a name is
# closed a moment after its last user did.
free_kib() {
	sync -f "$1"
	stat -f -c '%f*%S/1024' "$1"
}
lost=1000
for ((i = 0; i < 50 && lost > 500; i++)); do
	lost=$(($(free_kib want) - ($(free_kib got))))
	sleep 0.1
done
[ $lost -le 500 ] || fail "$lost KiB are not free again"
held=$(find "/proc/$server/fd" -lname '* (deleted)')
[ -z "$held" ] || fail "files without a name are open: $held"

# A limit of whoever starts the daemon is not the clients'.
umount mnt
(ulimit -S -f 1000 && exec phyrfs got/dir mnt) 2>/dev/null
truncate -s 2M mnt/large || fail 'the daemon has a limit of its own'
umount mnt
(ulimit -f 1000 && exec phyrfs got/dir mnt) 2>/dev/null
! truncate -s 3M mnt/large 2>message || fail 'the daemon had no limit'
grep -q 'File too large' message || fail "$(cat message)"
[ "$(stat -c %s mnt/large)" = $((2 << 20)) ] || fail 'the daemon has ended'
