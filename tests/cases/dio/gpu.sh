#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a file is read into what a graphics card shows: straight into its video memory; a buffer in RAM is refused, and counted
# red: give up after one fault for a page that takes two to become writable, without a reason
# boot: own
# device: bochs-display
# fs: any
# time: 60
. "$T_LIB"

[ -e /sys/module/bochs ] || modprobe bochs 2>/dev/null || t_skip "this kernel has no driver for the card"
card=/dev/dri/card0
for try in {1..100}; do
	[ ! -c $card ] || break
	t_pause 0.1
done
t_data pattern "$T_DIR/f" 0 1m 1
: >"$T_DIR/w"
sync

in_ram() {
	t_is_refused not-device-memory t_call -e "$1" read "$T_MNT/f" 0 "$2=$card:0:1m"
	t_is_refused not-device-memory t_call -e "$1" -f 2 write "$T_MNT/w" 0 "$2=$card:0:1m"
	[ ! -s "$T_DIR/w" ] || t_fail "a refused write changed the file"
}

for engine in psync uring; do
	in_ram $engine card
	# Newer drivers of this card copy from RAM what it shows.
	if [ ! -e /sys/module/drm_vram_helper ]; then
		in_ram $engine shown
		continue
	fi
	t_is_direct 1048576 t_call -e $engine -c 1 read "$T_MNT/f" 0 "shown=$card:0:1m"
	t_is_direct 65536 t_call -e $engine -c 1 read "$T_MNT/f" 64k "shown=$card:512:64k"
	t_is_direct 1048576 t_call -e $engine -f 2 write "$T_MNT/w" 0 "shown=$card:0:1m"
	t_data is-pattern "$T_DIR/w" 0 1m 2
	: >"$T_DIR/w"
done
