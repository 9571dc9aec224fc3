#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: README's lines that uninstall leave nothing behind
# red: leave out 'rm' in README, or let installed.sh make files
# root: fresh
# time: 120
. /home/user/phyrfs/tests/vm/install.sh

systemctl stop mnt-phyr.automount phyrfs@srv-phyr
modprobe phyr_dio
phyrfs /data /mnt/phyr
readme Uninstall
[ ! -e /sys/module/phyr ] || fail "phyr is loaded"
left=$(find /usr/local /lib/modules -name '*phyr*')
[ -z "$left" ] || fail "left behind: $left"
