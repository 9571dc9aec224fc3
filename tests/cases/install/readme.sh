#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: README's lines work one after the other on a fresh Debian, and end with the file in the device
# red: leave out mkdir in README, or the udev rule; fio in place of its python
# root: fresh
# time: 240
# shellcheck source=tests/vm/install.sh
. "${0%/*}/../../vm/install.sh"

# The machine has booted with what README says about that.
systemctl stop mnt-phyr.automount phyrfs@srv-phyr
modprobe -r phyr_dio

readme Use >said || fail "$(cat said)"
cat said
grep -q same said || fail "the file is not in the device"
grep -q 'read direct .* 16777216 bytes' said || fail "it was not direct"

# a member of the group phyr
look() {
	setpriv --reuid user --regid "$1" --clear-groups phyr stat
}
[ "$(stat -c '%A %G' /dev/phyr)" = 'crw-r----- phyr' ] || fail "$(ls -l /dev/phyr)"
look phyr >/dev/null || fail "a member of the group phyr sees no counters"
! look user >/dev/null 2>&1 || fail "who is no member sees them"

readme Uninstall 1
[ ! -e /sys/module/phyr ] || fail "phyr is loaded"
