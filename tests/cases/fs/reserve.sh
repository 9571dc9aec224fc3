#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: the space that ext4 keeps for root stays root's, whatever users do through the mount
# red: leave out phyrfs_cred_settle(), or phyrfs_caller_again() of what takes space; leave out phyrfs_attr_changed() of what fails
# iommu: any
# host: yes
# fs: any
# time: 120
#
# Two filesystems that are the same to begin with: one is used as it is, one through
# phyrfs. A user fills what is there for users, and then tries all that takes more; root
# does the same after him.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH:/usr/sbin

[ "${PHYR_FS-ext4}" = ext4 ] || { echo "$PHYR_FS keeps no space for a user" && exit 77; }
fs_pair 1024 -N 20000
chmod 755 .
chmod 777 {want,got}/dir
fs_start got/dir mnt -o allow_other,cache=always

cat >reserve.py <<-'END'
	import ctypes, errno, mmap, os, sys
	os.chdir(sys.argv[1])
	libc = ctypes.CDLL(None, use_errno=True)
	page = mmap.mmap(-1, 1 << 20)
	page.write(bytes(range(256)) * 4096)

	def free():
	    st = os.statvfs(".")
	    return st.f_bfree * st.f_frsize, (st.f_bfree - st.f_bavail) * st.f_frsize

	# What stands in the way of the last of many calls
	def until(call, nr):
	    for i in range(nr):
	        try:
	            call(i)
	        except OSError as e:
	            return errno.errorcode[e.errno]
	    return "no end"

	def fallocate(fd, offset, length):
	    os.fstat(fd) # the kernel may keep what it is told
	    if libc.fallocate(fd, 0, ctypes.c_long(offset), ctypes.c_long(length)):
	        raise OSError(ctypes.get_errno(), "")

	def open_(name, flags=0):
	    return os.open(name, os.O_RDWR | os.O_CREAT | flags, 0o644)

	def write(name, flags=0):
	    fd = open_(name, flags)
	    return lambda i: os.pwritev(fd, [memoryview(page)[:4096]], i * 4096)

	# Each tries to take @bytes.
	def takers(who, bytes, source, hole, copy, small):
	    def copy_range(i):
	        os.fstat(copy)
	        os.copy_file_range(source, copy, 1 << 16, 0, i << 16)
	    def xattr(i):
	        open(f"{who}x{i}", "w").close()
	        os.setxattr(f"{who}x{i}", "user.x", b"x" * 900)
	    def link(i):
	        os.link(f"{who}small", f"{who}l{i}" + "x" * 200)
	    def rename(i):
	        if not i:
	            os.mkdir(f"{who}dir")
	        open(f"{who}r", "w").close()
	        os.rename(f"{who}r", f"{who}dir/{i}" + "y" * 200)
	    nr = bytes >> 10
	    yield "write", write(f"{who}plain"), nr >> 2
	    yield "write O_DIRECT", write(f"{who}direct", os.O_DIRECT), nr >> 2
	    yield "write O_SYNC", write(f"{who}sync", os.O_SYNC), nr >> 2
	    yield "fallocate", lambda i: fallocate(hole, i << 14, 1 << 14), nr >> 4
	    yield "copy", copy_range, nr >> 6
	    yield "truncate", lambda i: os.truncate(small, i * 3000), 10
	    yield "setxattr", xattr, nr
	    yield "mkdir", lambda i: os.mkdir(f"{who}d{i}"), nr
	    yield "symlink", lambda i: os.symlink("x" * 900, f"{who}s{i}"), nr
	    yield "create", lambda i: os.close(open_(f"{who}c{i}" + "x" * 200)), nr * 4
	    yield "link", link, nr
	    yield "rename", rename, nr

	def child(call, *args):
	    pid = os.fork()
	    if not pid:
	        try:
	            call(*args)
	        except BaseException as e:
	            print(type(e).__name__, e, flush=True)
	            os._exit(1)
	        os._exit(0)
	    assert not os.waitpid(pid, 0)[1]

	def become(uid, gid, groups=()):
	    os.setgroups(groups)
	    os.setresgid(gid, gid, gid)
	    os.setresuid(uid, uid, uid)

	def user(kept):
	    become(1234, 1235)
	    some = [open_(f"u{name}") for name in ("source", "hole", "copy", "small")]
	    os.write(some[0], page)
	    fd = open_("big")
	    length = 1 << 20
	    for _ in range(3): # what was set aside for delayed allocation comes back
	        offset = os.fstat(fd).st_size
	        while length >= 1024:
	            try:
	                offset += os.pwritev(fd, [memoryview(page)[:length]], offset)
	            except OSError:
	                length //= 4
	        os.fsync(fd)
	        length = 1 << 16
	    for what, call, nr in takers("u", kept + (1 << 20), *some):
	        print("user:", what, until(call, nr), flush=True)
	        os.sync()
	        left = free()[0]
	        assert left > kept - (64 << 10), f"{what} has taken {kept - left} of {kept} bytes"

	def root(kept):
	    some = [open_(f"r{name}") for name in ("source", "hole", "copy", "small")]
	    fallocate(some[0], 0, 1 << 20)
	    for what, call, nr in takers("r", 64 << 10, *some):
	        print("root:", what, until(call, nr), flush=True)

	# resuid= and resgid= are for others than root
	def trusted(uid, gid, name):
	    fd = open_(name)
	    become(uid, gid)
	    print(name, until(lambda i: fallocate(fd, i << 14, 1 << 14), 4), flush=True)

	kept = free()[1]
	if sys.argv[2] == "fill":
	    child(user, kept)
	    child(root, kept)
	else:
	    child(trusted, *map(int, sys.argv[3:]), sys.argv[2])
END

# both WORD... - reserve.py with these on both
both() {
	python3 reserve.py want/dir "$@" >>said.want || fail "$(tail -n 3 said.want)"
	python3 reserve.py mnt "$@" >>said.got || fail "$(tail -n 3 said.got)"
}

both fill
both stranger 1236 1237
grep -q '^user: mkdir ENOSPC' said.want || fail "no ENOSPC: $(cat said.want)"
grep -q '^root: mkdir no end' said.want || fail "nothing is kept: $(cat said.want)"
for at in want got; do
	mount -o remount,resuid=1236,resgid=1239 $at
done
both resuid 1236 1237
both resgid 1238 1239
both stranger 1234 1235

# A call that fails may have done a part.
diff <(cd got/dir && stat -c '%n %b %y %z' u*) <(cd mnt && stat -c '%n %b %y %z' u*) ||
	fail 'old attributes are believed'

# The kernel writes data for all users in one way, so root cannot have the rest.
not_root='^root: (write|write O_DIRECT|write O_SYNC) '
diff <(grep -Ev "$not_root" said.want) <(grep -Ev "$not_root" said.got) ||
	fail 'another answer through the mount'
