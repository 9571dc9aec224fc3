#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr stat counts direct bytes and refusals with their reasons, for people and for programs
# red: count a refused call as direct, or under another reason; ask a daemon without a limit of time, or leave out a mount's counters (mount_print)
# iommu: any
# time: 180
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
truncate -s 2m "$T_DIR/f"
sync
t_unload
t_load
t_is_direct 1048576 t_pread "$T_MNT/f" "$PHYR_BAR" 0 1m
t_is 65536 t_call read "$T_MNT/f" 0 host:0:64k
[ "$(t_direct_bytes)" = $((1 << 20)) ] || t_fail "other than what went direct was counted"
t_is_refused not-device-memory t_call write "$T_MNT/f" 0 /dev/mem:0x1000:4096
phyr stat >text
cat text
grep -qi direct text || t_fail "no direct bytes in the text"
grep -q not-device-memory text || t_fail "no refusal in the text"
phyr stat --json | jq -e . >/dev/null || t_fail "not JSON"

# Of one mount: the same as of all mounts, for people and for programs.
[ "$(t_stat '.mounts[0] | keys')" = "$(phyr stat --json "$PHYR_MNT" | jq -r keys)" ] ||
	t_fail "$(phyr stat --json "$PHYR_MNT")"
t_is 1048576 eval "phyr stat --json '$PHYR_MNT' | jq .direct_bytes"
phyr stat "$PHYR_MNT" >text
grep -q 'read direct .* 1048576 bytes' text || t_fail "$(cat text)"
grep -q 'requests since the mount' text || t_fail "$(cat text)"

# Who may not ask the module does not learn that it is not loaded.
setpriv --reuid 1000 --regid 1000 --clear-groups phyr stat --json >json 2>/dev/null && t_fail "counters for all"
t_is "null null" jq -r '"\(.module) \(.hooked)"' json
t_like 'no permission for /dev/phyr.*' jq -r .text json

# One daemon that hangs: it is named, and the others are there.
mkdir other
phyrfs "$T_DIR" other
trap 'kill -CONT "$pid"; umount other' EXIT
pid=$(pgrep -nx phyrfs)
kill -STOP "$pid"
timeout 40 phyr stat >text || t_fail "phyr stat hangs"
kill -CONT "$pid"
grep -A 20 "^$PWD/other" text | grep -q 'does not answer' || t_fail "$(cat text)"
grep -A 20 "^$PHYR_MNT" text | grep -q 'opens passed through' || t_fail "$(cat text)"
