#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# After an installation into this system, not into a package: makes the group phyr, and lets
# udev and systemd see what is new. Either may be missing or, in a chroot, not running.

[ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ] || exit 0
systemd-sysusers "$MESON_INSTALL_PREFIX/lib/sysusers.d/phyr.conf"
udevadm control --reload 2>/dev/null
systemctl daemon-reload 2>/dev/null
exit 0
