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

# fs_start SOURCE MOUNTPOINT [OPTION...] - phyrfs with at most $fs_fds fds, in the
# background; its process is $pid, and what it says goes into the file "said"
fs_start() {
	(ulimit -n "${fs_fds:-$(ulimit -n)}" && exec phyrfs -f "$@") 2>said &
	# shellcheck disable=SC2034 # for the case
	pid=$!
	for _ in {1..600}; do
		! mountpoint -q "$2" || return 0
		sleep 0.1
	done
	fail "$(cat said)"
}

# fs_pair BLOCK - want and got, each a new filesystem of 64 MiB, which ext4 has in blocks
# of BLOCK bytes, with a directory dir; and mnt, for phyrfs. They go when the case ends.
fs_pair() {
	local name

	here=$PWD
	trap 'cd /; umount -l "$here/mnt" "$here"/{want,got} 2>/dev/null || :' EXIT
	[ -e /dev/loop-control ] || modprobe loop 2>/dev/null || { echo 'no loop devices' && exit 77; }
	for name in want got; do
		truncate -s 64M $name.image
		case ${PHYR_FS-ext4} in
		ext4) mkfs.ext4 -q -F -b "$1" -N 256 $name.image ;;
		xfs) mkfs.xfs -q -f --unsupported $name.image 2>/dev/null ;;
		esac
		mkdir $name
		mount -o loop $name.image $name
		mkdir $name/dir
	done
	mkdir mnt
}
