#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: kernel.ftrace_enabled=0 takes the hook away neither unseen nor while it is in use
# red: leave out FTRACE_OPS_FL_PERMANENT
# iommu: any
# fs: any
# time: 90
. "$T_LIB"

knob=/proc/sys/kernel/ftrace_enabled
trap 'echo 1 >$knob; t_load' EXIT
t_data pattern "$T_DIR/f" 0 64k 1
sync

# active - what is said of the hook is true
active() {
	t_is 65536 t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
	t_is true t_stat .hooked
	phyrfs --check "$PHYR_DIR" || t_fail "--check"
}

active
# 6.12 refuses it then, later kernels do nothing.
echo 0 2>/dev/null >$knob || true
active
[ "$(cat $knob)" = 1 ] || t_fail "$knob is $(cat $knob) with the modules loaded"

t_unload
echo 0 2>/dev/null >$knob || true
if [ "$(cat $knob)" = 0 ]; then
	! state_load 2>/dev/null || t_fail "loaded, although nothing would be called"
	dmesg | grep 'is the sysctl kernel.ftrace_enabled 0?' || t_fail "no reason in the log"
	! phyrfs --check "$PHYR_DIR" || t_fail "--check"
	echo 1 >$knob
fi
t_load
active
