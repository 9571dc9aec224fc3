#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a BAR that is switched off, before or after phyr knows it, is refused; no data is lost, and none made up
# red: look at PCI_COMMAND_MEMORY only when the BAR's provider is made
# fs: any
# time: 90
. "$T_LIB"

off="setpci -s $PHYR_BAR_PCI COMMAND=0:2" on="setpci -s $PHYR_BAR_PCI COMMAND=2:2"
trap '$on' EXIT
t_data pattern "$T_DIR/f" 0 1m 1
t_data pattern "$T_DIR/w" 0 1m 5
sync

# refused COMMAND... - nothing of it was direct
refused() {
	local before

	before=$(t_direct_bytes)
	t_is_refused switched-off "$@"
	[ "$(t_direct_bytes)" = "$before" ] || t_fail "$*: counted as direct"
}

# by_turns WANT COMMAND... - the call is made twice; what was refused is counted
by_turns() {
	local before

	before=$(t_refused_calls switched-off)
	t_is "$@"
	[ "$(t_refused_calls switched-off)" -gt "$before" ] || t_fail "$*: not counted"
}

for engine in psync libaio uring; do
	$off
	refused t_call -e $engine read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
	refused t_call -e $engine write "$T_MNT/w" 0 "$PHYR_BAR:0:64k"
	refused t_call -e $engine write "$T_MNT/w" 1m "$PHYR_BAR:0:64k"
	t_is 65536 t_call -e $engine -c 1 read "$T_MNT/f" 0 "$PHYR_BAR2:0:64k"
	by_turns 'EFAULT 65536' t_call -e $engine -x "$on" -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
	$off
	by_turns 'EFAULT 65536' t_call -e $engine -x "$on" -f 5 write "$T_MNT/w" 0 "$PHYR_BAR:0:64k"

	by_turns '65536 EFAULT' t_call -e $engine -x "$off" read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
	$on
	by_turns '65536 EFAULT' t_call -e $engine -x "$off" -f 5 write "$T_MNT/w" 0 "$PHYR_BAR:0:64k"
	$on
	t_data is-pattern "$T_DIR/w" 0 1m 5
	[ "$(stat -c %s "$T_DIR/w")" = $((1 << 20)) ] || t_fail "a refused write changed the size"
	t_is_direct 1048576 t_call -e $engine -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:1m"
done
