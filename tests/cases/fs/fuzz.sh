#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: no request that the kernel might send makes the daemon crash, hang or leave its directory
# red: drop two references for one FORGET, or follow symbolic links in phyrfs_inode_lookup
# iommu: any
# host: yes
# time: 240
# fs: any
#
# FUZZ_COUNT requests, FUZZ_SEED to repeat them. Worth the more with sanitizers:
# see CONTRIBUTING.md.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=/usr/bin:$PATH

# what is around the directory that requests may change
around() {
	(cd area && find . -path ./dir/\* -prune -o ! -path ./dir -printf '%p %M %n %U %s %T@ %l\n' |
		sort && find canary* -type f -exec cat {} +)
}

finish() {
	umount -l area
}

mkdir area
mount -t tmpfs -o nodev,size=64m tmpfs area # no file is looked at twice: speed is all
trap finish EXIT
mkdir area/dir area/canary.d
echo alive >area/canary
echo alive >area/canary.d/a
touch -d 2020-01-01 area area/canary* area/canary.d/a
around >want
export ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1
# shellcheck disable=SC2086
t_fuzz area/dir "${FUZZ_COUNT:-50000}" ${FUZZ_SEED-}
around >got
diff want got || fail 'something changed outside the directory'
