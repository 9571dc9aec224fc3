#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: vectors, user memory and phyr bios of the kernel API are as the header says
# red: see kshim/test/phyr_check_io.c, at each check
# fs: any
. "$T_LIB"

dd if=/dev/urandom of="$PHYR_DISK2" bs=64k count=1 oflag=direct status=none
t_check phyr_check_io near="$PHYR_DISK2" far="$PHYR_FAR_DISK"
