#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: thousands of calls give the same on a directory and on phyrfs over it
# red: return success from an operation of fs/ without its system call, e.g. fallocate; with cache=always, reply to SETATTR with what was before, or leave out phyrfs_attr_changed() in op_ioctl; do without FUSE_CAP_SETXATTR_EXT, or phyrfs_changer_enter()
# iommu: any
# host: first
# time: 600
#
# Needs only T_DIR, so it runs on any machine with FUSE, too. In an emulated guest, where
# all of it takes a quarter of an hour, it leaves out what takes most calls, unless
# POSIX_NOUNS says what to run ("" for all).

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
# the machine's own tools, even where there are simpler ones that start faster
export PATH=/usr/bin:$PATH

# Lines that may differ, by how they begin.
known=(
	# FUSE passes on no other modes of fallocate(2) than these.
	'space fallocate: (collapse|insert|unshare)'

	# The kernel opens the source file with the flags of open(2). It does not follow
	# when O_APPEND is taken off, by F_SETFL or for one write.
	'data append off: '
	'data v2: append, NOAPPEND: '

	# Data is written by the kernel for all users in one way, as by a user who is in
	# no group.
	'killpriv bits: (write|pwritev|append|splice|sendfile), [^:]*, root: '
	'killpriv bits: (write|pwritev|append|splice|sendfile), 2767, member: '

	# Of a caller's groups the daemon knows only the first.
	'killpriv bits: [^:]*, 2767, second: '
)

nouns=
[ -z "${LAB_KERNEL-}" ] || nouns='dir resolve copy lock time handle killpriv data'
nouns=${POSIX_NOUNS-$nouns}

finish() {
	! mountpoint -q m || umount -l m
}

# run DIR - what t_posix prints of a new directory below DIR
run() {
	mkdir "$1/x"
	# shellcheck disable=SC2086
	t_posix "$1/x" $nouns || fail "t_posix $1/x: exit status $?"
	rmdir "$1/x"
}

# judged FILE - the lines of FILE that may not differ
judged() {
	local IFS='|'

	grep -aEv "^(${known[*]})" "$1"
}

# compare OPTIONS - with the mount that has those options; all.want is of the source
compare() {
	local nr

	phyrfs "$T_DIR" m -o "allow_other,$1" 2>message || fail "$(cat message)"
	mount -o remount,bind,dev,suid m # which -o submounts does not have
	run m >all.got
	umount m
	judged all.want >want
	judged all.got >got
	nr=$(wc -l <want)
	[ "$nr" -ge 1500 ] || fail "only $nr lines"
	diff -a want got >differs || {
		cat differs
		fail "$1: $(grep -ac '^<' differs) of $nr lines differ"
	}
	echo "$1: $nr lines"
}

trap finish EXIT
chmod 755 .
mkdir m
run "$T_DIR" >all.want
compare cache=never
[ -z "${LAB_KERNEL-}" ] || exit 0
compare cache=never,submounts
# What is stored through mmap(2) the kernel writes back to the source without a look at
# this mount: who believes its cache sees the times after the next request.
known+=('time held: a= m. c')
compare cache=always
