#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr list shows BARs, disks and the route of each pair, for people and for programs
# red: print the route of another pair, or JSON with a trailing comma
# fs: any
. "$T_LIB"

disk=${PHYR_DISK#/dev/} far=${PHYR_FAR_DISK#/dev/}
phyr list >text
cat text
grep -q "$disk" text || t_fail "the disk is missing"
grep -q "$PHYR_BAR_PCI" text || t_fail "the BAR is missing"
grep -qi switch text || t_fail "the route by the switch is missing"
grep "$far" text >far || t_fail "the far disk is missing"

phyr list --json >json
jq -e . json >/dev/null || t_fail "not JSON"
# route DISK - of the disk and the BAR: direct, reason, path
route() {
	jq -r --arg disk "$1" --arg bar "$PHYR_BAR_PCI" \
		'.routes[] | select(.disk == $disk and .pci == $bar and .bar == 2) |
		"\(.direct) \(.reason) \(.path)"' json
}
t_is "true direct switch" route "$PHYR_DISK"
t_is "false topology none" route "$PHYR_FAR_DISK"
