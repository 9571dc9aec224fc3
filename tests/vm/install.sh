# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the cases of the suite "install" share. They run as root in a fresh Debian, where a
# user has the source of phyrfs.
set -eu
export PATH=/usr/local/bin:$PATH
# what systemd has to say about a failure
[ ! -d /run/systemd/system ] || trap '[ $? = 0 ] || journalctl -b -n 40 --no-pager' EXIT

fail() {
	echo "FAIL: $*"
	exit 1
}

# readme SECTION [N] - does what README shows there, as the user
readme() {
	su - user -c "cd phyrfs && tests/vm/readme ${*@Q} >/tmp/commands &&
		exec bash -eux -o pipefail /tmp/commands" </dev/null 2>&1
}
