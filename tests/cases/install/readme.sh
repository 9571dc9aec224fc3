#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: README's lines work one after the other on a fresh Debian, and end with the file in the device
# red: leave out mkdir in README, install_dir of the udev rule, or link phyr with the shared libphyr
# root: fresh
# time: 240
. /home/user/phyrfs/tests/vm/install.sh

# The machine has booted with what README says about that.
systemctl stop mnt-phyr.automount phyrfs@srv-phyr
modprobe -r phyr_dio

[ "$(cd /lib/modules/*/updates && echo *)" = 'phyr.ko.xz phyr_dio.ko.xz' ] ||
	fail "other modules are installed: $(ls /lib/modules/*/updates)"
[ "$(modinfo -F version phyr)" = "$(cat /home/user/phyrfs/VERSION)" ] || fail "another version"

readme Use >said || fail "$(cat said)"
cat said
grep -q same said || fail "the file is not in the device"
[ "$(phyr stat --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"]["read"]["direct_bytes"])')" = $((16 << 20)) ] ||
	fail "it was not direct"

# a member of the group phyr
look() {
	setpriv --reuid user --regid "$1" --clear-groups phyr stat
}
[ "$(stat -c '%A %G' /dev/phyr)" = 'crw-r----- phyr' ] || fail "$(ls -l /dev/phyr)"
look phyr >/dev/null || fail "a member of the group phyr sees no counters"
! look user >/dev/null 2>&1 || fail "who is no member sees them"
umount /mnt/phyr
