#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyrfs knows more files than it may have open, and each is still the right one
# red: in fd.c, return true before handles are compared (phyrfs_fd_merge), close the fd of a file without a name, never loop in phyrfs_openat, or return 0 from phyrfs_fd_pin at once; let the addresses of inodes be their node ids
# iommu: any
# host: first
# time: 480
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

nr_fds() {
	# shellcheck disable=SC2012
	ls "/proc/$server/fd" | wc -l
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
fs_find
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

# Nobody gets a handle that is good for nothing later, or an address of the daemon's.
python3 - "$at/5/5" <<-'END'
	import ctypes, errno, os, struct, sys
	libc = ctypes.CDLL(None, use_errno=True)
	AT_HANDLE_FID = 0x200

	def handle(flags):
	    buf = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
	    mount = ctypes.c_int()
	    if libc.name_to_handle_at(-100, sys.argv[1].encode(), buf, ctypes.byref(mount), flags):
	        return ctypes.get_errno()
	    return [w for (w,) in struct.iter_unpack("I", buf.raw[8:8 + struct.unpack_from("I", buf)[0]])]
	assert handle(0) == errno.EOPNOTSUPP, handle(0)
	fid = handle(AT_HANDLE_FID)
	assert fid == errno.EINVAL or fid[0] == 0 and fid[1] < 10000, fid
END

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
exec 3>&- 4>&-
cd /

# One user takes all fds that he can get. Names still find some, and root can open files;
# and what fails has not been done.
umount "$at"
rm -rf "${T_DIR:?}"/*
chmod 755 "$T_DIR"
mkdir -m 777 "$T_DIR/open"
sh -c "ulimit -n 256; exec phyrfs '$T_DIR' '$at' -o allow_other" 2>/dev/null
pid=$(pgrep -nx phyrfs)
ulimit -n "$(ulimit -H -n)"
for how in one nameless many; do
	python3 - "$at" "$how" <<-'END'
		import errno, os, stat, sys
		at, how = sys.argv[1:]

		def fill(ready, end):
		    os.setgid(1234)
		    os.setuid(1234)
		    os.chdir(at + "/open")
		    fds, error = [], None
		    for i in range(2000):
		        name = "f" if how == "one" else f"f{i}"
		        try:
		            fds.append(os.open(name, os.O_RDWR | os.O_CREAT))
		            if how == "nameless":
		                os.unlink(name)
		        except OSError as e:
		            error = e.errno
		            break
		    # by O_PATH, without an open
		    if how == "nameless":
		        for i in range(300):
		            os.mknod(f"g{i}")
		            fds.append(os.open(f"g{i}", os.O_PATH))
		            os.unlink(f"g{i}")
		    for fd in fds[:100]:
		        os.fstat(fd)
		    os.write(ready, b"x" if error == errno.ENFILE and len(fds) > 100 else b"-")
		    os.read(end, 1)
		    os._exit(0)

		ready, end = os.pipe(), os.pipe()
		if os.fork() == 0:
		    os.close(end[1])
		    fill(ready[1], end[0])
		os.close(ready[1])
		assert os.read(ready[0], 1) == b"x", "the user gets as many as he likes, or too few"

		os.makedirs(at + "/new")
		os.chdir(at + "/new")
		for i in range(60):
		    os.mkdir(f"d{i}")
		    os.symlink("x", f"s{i}")
		    os.mknod(f"n{i}", stat.S_IFREG | 0o600)
		    os.link(f"n{i}", f"l{i}")
		    os.rename(f"n{i}", f"m{i}")
		assert len(os.listdir(".")) == 240
		for root, dirs, files in os.walk(at):
		    for name in dirs + files:
		        os.lstat(os.path.join(root, name))
		open("new", "w").write("root's")
		assert open("new").read() == "root's"

		# root, too: then nothing is there of what failed
		fds = []
		made = failed = 0
		while failed < 20:
		    try:
		        fds.append(os.open(f"c{made}", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
		        made += 1
		    except OSError as e:
		        assert e.errno == errno.ENFILE, e
		        failed += 1
		        assert not os.path.exists(f"c{made}"), "failed, and was done"
		assert made > 5, made
		os.mkdir("last")
		os.stat("last")
	END
	rm -r "$T_DIR/new"
	rm -rf "$T_DIR"/open/*
done
[ "$(nr_fds)" -lt 256 ] || fail "$(nr_fds) fds"
