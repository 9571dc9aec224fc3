#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr stat counts direct bytes and refusals with their reasons, for people and for programs
# red: count a refused call as direct, or under another reason
# iommu: any
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
