#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a daemon that has outlived its mount, which is still registered, does not stand for a later mount
# red: tell mounts by the address of the superblock and its device number, which come back
# fs: any
# iommu: any
# time: 120
. "$T_LIB"

mkdir mnt
late=()
trap 'kill -KILL "${late[@]}"' EXIT
for round in {1..12}; do
	phyrfs "$PHYR_DIR" mnt 2>said
	! grep "into phyr's scope" said || t_fail "round $round: $(cat said)"
	server=$(pgrep -nx phyrfs)
	keeper=$(awk '/^PPid/ { print $2 }' "/proc/$server/status")
	late+=("$keeper" "$server")
	kill -STOP "$keeper" "$server"
	umount -l mnt
done
