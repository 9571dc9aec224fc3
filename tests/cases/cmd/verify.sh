#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr verify tells a BAR that has the file's bytes from one that has not
# red: compare only the beginning, or give status 0 for a difference
# iommu: any
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 3000001 1
sync
t_is 3000001 t_pread "$T_MNT/f" "$PHYR_BAR" 0 4m
phyr verify "$T_DIR/f" "$PHYR_BAR" || t_fail "same bytes, but not for phyr verify"
t_data fill "$PHYR_BAR" 2999999 1 0x77
! phyr verify "$T_DIR/f" "$PHYR_BAR" >out 2>&1 || t_fail "a difference went unseen"
[ -s out ] || t_fail "a difference is not reported"
! phyr verify "$T_DIR/none" "$PHYR_BAR" 2>/dev/null || t_fail "a missing file is no error"
