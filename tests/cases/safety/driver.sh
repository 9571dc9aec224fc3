#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: an nvme driver whose requests are not what phyr knows: no disk is direct, the log says why, host memory works
# red: have cmd_driver_is_known() say yes
# fs: any
# time: 60
. "$T_LIB"

# told TIMES - how often the kernel log says it
told() {
	[ "$(dmesg | grep -c 'driver is not one that phyr knows')" = "$1" ]
}

t_data pattern "$T_DIR/f" 0 64k 1
sync
t_unload
told 0 || t_fail "the log says so of this kernel's own driver"
t_break other_driver=1
t_load
for try in 1 2; do
	t_is_refused not-nvme t_pread "$T_MNT/f" "$PHYR_BAR" 0 64k
done
told 1 || t_fail "the log does not say it, or says it again: $(dmesg | tail -n 20)"
t_is 65536 t_call -c 1 read "$T_MNT/f" 0 host:0:64k
t_mend
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$PHYR_BAR:0:64k"
