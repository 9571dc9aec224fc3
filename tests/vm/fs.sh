# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the cases of the filesystem share, in a guest and on a host.
set -eu
export LC_ALL=C

fail() {
	echo "FAIL: $*"
	exit 1
}

# fs_find - the processes of the phyrfs that was started last: $server answers requests, and
# its parent $pid has mounted and will unmount
fs_find() {
	# shellcheck disable=SC2034 # for the case
	server=$(pgrep -nx phyrfs)
	pid=$(awk '/^PPid:/ { print $2 }' "/proc/$server/status")
}

# fs_start SOURCE MOUNTPOINT [OPTION...] - phyrfs with at most $fs_fds fds, a child $pid of
# the case, whose child is $server; what they say goes into the file "said"
fs_start() {
	(ulimit -n "${fs_fds:-$(ulimit -n)}" && exec phyrfs -f "$@") 2>said &
	pid=$!
	for _ in {1..600}; do
		# the filter of system calls is the last before it is ready
		! grep -qs '^Seccomp:	2' "/proc/$pid/status" || break
		[ -d "/proc/$pid" ] || fail "$(cat said)"
		sleep 0.1
	done
	mountpoint -q "$2" || fail "$(cat said)"
	# shellcheck disable=SC2034 # for the case
	server=$(pgrep -P "$pid")
}

# fs_pair BLOCK [OPTION...] - want and got, each a new filesystem of 64 MiB, which ext4 has
# in blocks of BLOCK bytes and with more options of mkfs.ext4, with a directory dir; and mnt, for phyrfs. They go when the case ends.
fs_pair() {
	local name

	here=$PWD
	trap 'cd /; umount -l "$here/mnt" "$here"/{want,got} 2>/dev/null || :' EXIT
	[ -e /dev/loop-control ] || modprobe loop 2>/dev/null || { echo 'no loop devices' && exit 77; }
	for name in want got; do
		truncate -s 64M $name.image
		case ${PHYR_FS-ext4} in
		ext4) mkfs.ext4 -q -F -b "$1" -N 256 "${@:2}" $name.image ;;
		xfs) mkfs.xfs -q -f --unsupported $name.image 2>/dev/null ;;
		esac
		mkdir $name
		mount -o loop $name.image $name
		mkdir $name/dir
	done
	mkdir mnt
}
