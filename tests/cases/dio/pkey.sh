#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a protection key that denies access to a mapping denies it to the disk, as with host memory
# red: ask only the VMA and the page tables what a thread may do
# fs: any
. "$T_LIB"

grep -qw ospke /proc/cpuinfo || t_skip "no protection keys here"
t_data pattern "$T_DIR/f" 0 64k 1
sync
truncate -s 64k host
want='EFAULT 65536 EFAULT 65536 EFAULT EFAULT 65536 65536'
t_is "$want" t_pkey "$T_DIR/f" host 64k
t_is "$want" t_pkey "$T_MNT/f" host 64k
before=$(t_refused_calls permission)
t_is "$want" t_pkey "$T_MNT/f" "$PHYR_BAR" 64k
[ $(($(t_refused_calls permission) - before)) -ge 4 ] || t_fail 'not counted'
