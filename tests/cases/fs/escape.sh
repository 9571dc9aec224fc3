#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: nothing that is renamed and linked below the daemon leads it out of the source
# red: open names without O_NOFOLLOW (phyrfs_inode_lookup)
# iommu: any
# host: yes
# time: 240
# fs: any
#
# ESCAPE_COUNT: attempts; 1,000,000 take some minutes on a host.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"

outside=$PWD/outside
mkdir "$outside"
t_escape "$T_DIR" "$T_MNT" "$outside" "${ESCAPE_COUNT:-5000}" >got || fail "$(cat got)"
cat got
[ "$(ls -A "$outside")" = canary ] || fail "made there: $(ls -A "$outside")"
[ "$(cat "$outside/canary") $(stat -c %a "$outside/canary")" = 'OUTSIDE 600' ] || fail "changed there"
# both happened, or nothing was tried
read -r inside _ _ _ nowhere _ <got
[ "$inside" -gt 100 ] && [ "$nowhere" -gt 100 ] || fail 'there was no race'
