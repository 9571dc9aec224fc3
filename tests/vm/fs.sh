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
