#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: page-less memory that is no PCI BAR is refused, in both directions
# red: take any PFN of a VM_PFNMAP mapping for device memory
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 64k 1
sync

# The kernel's own page, which has a struct page in newer kernels, and in 7.3 is pinned
: >"$T_DIR/vvar"
want=$(t_call write "$T_DIR/vvar" 0 vvar:0:4096 || true)
t_is "$want" t_call write "$T_MNT/vvar" 0 vvar:0:4096

# RAM, ROM and a device that is not PCI
nr=0
for memory in /dev/mem:0x1000 ro=/dev/mem:0xf0000 ro=/dev/hpet:0; do
	# What vanilla cannot map is not there to be refused.
	[ "$(t_call write "$T_DIR/f" 0 "$memory:4096" 2>&1)" = EFAULT ] || continue
	nr=$((nr + 1))
	t_is_refused not-device-memory t_call write "$T_MNT/f" 0 "$memory:4096"
done
[ $nr -gt 0 ] || t_fail "only $nr kinds of such memory here"

# Reading into it must not even begin.
t_is_refused not-device-memory t_call read "$T_MNT/f" 0 /dev/mem:0x1000:4096
t_is EFAULT t_call read "$T_MNT/f" 0 ro=/dev/mem:0xf0000:4096
t_data is-pattern "$T_DIR/f" 0 64k 1
