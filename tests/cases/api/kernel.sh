#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: providers and DMA mappings of the kernel API are as the header says
# red: see kshim/test/phyr_check.c, at each check
# fs: any
. "$T_LIB"

pci_name() {
	basename "$(readlink -f "/sys/block/${1##*/}/device/device")"
}

t_check phyr_check near="$(pci_name "$PHYR_DISK")" far="$(pci_name "$PHYR_FAR_DISK")"
