#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: under kernel lockdown phyr says that sysfs cannot be mapped, and mounts go on
# red: take every error of mmap for the same (bar_map_text)
# boot: own
# iommu: any
# fs: any
. "$T_LIB"

lockdown=/sys/kernel/security/lockdown
[ -e $lockdown ] || mount -t securityfs securityfs "${lockdown%/*}"
[ -e $lockdown ] || t_skip "this kernel has no lockdown"
t_data pattern "$T_DIR/f" 0 1m 1
echo integrity >$lockdown

phyr list >text
grep -A 2 "^  $PHYR_BAR_PCI BAR 2" text |
	grep -q 'cannot be mapped: kernel lockdown (Secure Boot) forbids it' || t_fail "$(cat text)"
t_is false eval "phyr list --json | jq '[.bars[].mappable] | any'"
t_like '.*cannot map it: kernel lockdown.*' phyr verify "$T_DIR/f" "$PHYR_BAR"
[ "$(stat -c %s "$T_MNT/f")" = 1048576 ] || t_fail "the mount"
