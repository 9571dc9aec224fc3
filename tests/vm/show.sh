# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The demo, guest part. Sourced by init.

demo_show() {
	return 1
}
