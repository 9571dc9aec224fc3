#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: bad input to each ioctl of /dev/phyr gives the error that the header names, and changes nothing
# red: leave out any check of an argument in kshim, or the CAP_SYS_ADMIN of dev_disk_limit()
# iommu: any
# fs: any
. "$T_LIB"

chmod 666 /dev/phyr
t_is ok t_ioctl "$PHYR_DIR" "$PHYR_MNT" "$PHYR_DISK"
chmod 640 /dev/phyr
