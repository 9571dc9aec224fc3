#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a file that the kernel knows takes the daemon at most 200 bytes and its handle
# red: give struct phyrfs_inode 100 bytes more, or let fd_close (fd.c) never close
# iommu: any
# host: yes
# kernel: host
# time: 480
# fs: any
#
# With MEMORY_FILES files (20,000) and 1024 fds. The kernel cannot forget them while
# somebody has them open, by O_PATH, which is no request. The second half counts, after
# threads and their heaps are there, without huge pages (PR_SET_THP_DISABLE).

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/bin

finish() {
	umount -l "$at"
	rm -r "$T_DIR/many"
}

at=$PWD/at
files=${MEMORY_FILES:-20000}
mkdir "$at" "$T_DIR/many"
(cd "$T_DIR/many" && seq "$files" | xargs touch)
(
	ulimit -n 1024
	exec python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
os.execvp("phyrfs", ["phyrfs"] + sys.argv[1:])' "$T_DIR" "$at"
) 2>/dev/null
trap finish EXIT
ulimit -n "$(ulimit -H -n)"

python3 - "$at" "$files" "$(pgrep -nx phyrfs)" <<-'END'
	import json, os, resource, subprocess, sys
	at, files, pid = sys.argv[1], int(sys.argv[2]), sys.argv[3]
	# in ext4 and xfs: a head of 8 bytes and up to 20 more, in an allocation of its own
	HANDLE = 48
	share = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100

	def known():
	    out = subprocess.check_output(["phyr", "stat", "--json", at])
	    return json.loads(out)["daemon"]["inodes"]
	def rss():
	    for line in open(f"/proc/{pid}/status"):
	        if line.startswith("VmRSS:"):
	            return int(line.split()[1]) * 1024
	def hold(first, last):
	    dir = os.open(at + "/many", os.O_PATH)
	    for i in range(first, last):
	        os.open(str(i), os.O_PATH, dir_fd=dir)
	    os.write(ready[1], b"x")
	    os.read(end[0], 1)
	    os._exit(0)

	end = os.pipe()
	half, whole = files // 2, files // 2 * 2
	for first in [*range(0, half, share), *range(half, whole, share)]:
	    if first == half:
	        before = known(), rss()
	    last = min(first + share, half if first < half else whole)
	    ready = os.pipe()
	    if os.fork() == 0:
	        os.close(end[1])
	        hold(first + 1, last + 1)
	    os.close(ready[1])
	    assert os.read(ready[0], 1) == b"x", "a process could not open its files"
	    os.close(ready[0])
	nr, nr_bytes = known() - before[0], rss() - before[1]
	print(f"{nr} files, {nr_bytes / nr:.0f} bytes each")
	assert nr == half, f"the kernel knows {nr} of {half} files"
	assert len(os.listdir(f"/proc/{pid}/fd")) <= 1024
	assert nr_bytes <= nr * (200 + HANDLE), "too many bytes"
END
