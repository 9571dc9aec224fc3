# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the cases of the suite "install" share. They run as root in a fresh Debian, where a
# user has the source of phyrfs.
set -eu
export PATH=/usr/local/bin:$PATH
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

fail() {
	[ ! -d /run/systemd/system ] || journalctl -b -n 20 --no-pager
	echo "FAIL: $*"
	exit 1
}

# readme SECTION [N] - does what README shows there, as the user
readme() {
	su - user -c "cd phyrfs && tests/vm/readme ${*@Q} >/tmp/commands &&
		exec bash -eux -o pipefail /tmp/commands" </dev/null 2>&1
}
