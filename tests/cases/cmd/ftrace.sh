#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: with kernel.ftrace_enabled=0, before or after phyr_dio is loaded, what is said of the hook is true
# red: say that the hook is active because the module is loaded
# iommu: any
# fs: any
# time: 90
. "$T_LIB"

knob=/proc/sys/kernel/ftrace_enabled
trap 'echo 1 >$knob; t_load' EXIT
t_data pattern "$T_DIR/f" 0 64k 1
sync

# agree - what a read does, sets direct to that, and what is said of it
agree() {
	local text

	direct=true
	[ "$(t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k)" = 65536 ] || direct=false
	t_is $direct t_stat .hooked
	text=$(phyr stat)
	if $direct; then
		[[ $text = *"its hook is active"* ]] || t_fail "$text"
		phyrfs --check "$PHYR_DIR" || t_fail "--check"
	else
		[[ $text != *"its hook is active"* ]] || t_fail "$text"
		! phyrfs --check "$PHYR_DIR" || t_fail "--check"
	fi
}

agree
$direct || t_fail "nothing is direct from the start"
# A kernel may refuse it, or not care.
echo 0 2>/dev/null >$knob || true
agree
echo 1 >$knob
agree
$direct || t_fail "nothing is direct any more"

t_unload
echo 0 2>/dev/null >$knob || true
# The module may refuse, too.
t_load || state_phyrfs
agree
echo 1 >$knob
state_umount "$PHYR_MNT"
t_load
agree
$direct || t_fail "nothing is direct after phyr_dio was loaded"
