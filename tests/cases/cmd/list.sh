#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: phyr list shows BARs, disks and the route of each pair, for people and for programs
# red: print the route of another pair, or JSON with a trailing comma; advise to write 1 to "enable"; call a BAR mappable without mapping it
# time: 180
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

# A BAR that its driver has claimed; the disk's registers are one.
jq -e --arg pci "$PHYR_BAR_PCI" '.bars[] | select(.pci == $pci and .bar == 2) | .mappable' json >/dev/null ||
	t_fail "the BAR cannot be mapped: $(cat json)"
disk_pci=$(jq -r --arg path "$PHYR_DISK" '.disks[] | select(.path == $path) | .pci' json)
phyr list --all >text
grep -A 2 "^  $disk_pci BAR 0" text | grep -q 'cannot be mapped: a driver has claimed it' ||
	t_fail "$(cat text)"

# Where the disk is mounted
grep -q "^      $PHYR_DISK is mounted at $PHYR_DIR, $PHYR_FS\$" text || t_fail "$(cat text)"
t_is "$PHYR_DIR" jq -r --arg path "$PHYR_DISK" '.disks[] | select(.path == $path) | .mounts[].path' json

# A BAR that is switched off, by a device that counts as enabled: the advice helps.
off() {
	phyr list | grep -A 3 "^  $PHYR_BAR_PCI BAR 2" | grep 'switched off'
}
setpci -s "$PHYR_BAR_PCI" COMMAND=0:2
said=$(off) || t_fail "$(phyr list)"
eval "${said#*switch it on: }"
! off || t_fail "'${said#*switch it on: }' does not help"

# Who may not open a disk is told so, and so is who finds none.
setpriv --reuid 1000 --regid 1000 --clear-groups phyr list --json >json
t_is "null" jq -r .module json
t_is "null" jq -r --arg pci "$PHYR_BAR_PCI" '.bars[] | select(.pci == $pci and .bar == 2) | .mappable' json

# --json may come first; the versions are those of the modules, too.
phyr --json list | jq -e .routes >/dev/null || t_fail "phyr --json list"
phyr --version >text
version=$(sed -n 's/^phyr //p' text)
grep -q "^phyr.ko $version\$" text && grep -q "^phyr_dio.ko $version\$" text || t_fail "$(cat text)"
