#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a phyr bio with REQ_POLLED on a disk with poll queues completes without interrupts
# red: drop REQ_POLLED in cmd_queue(), or poll no queue in bio_look()
# boot: own
# fs: any
# iommu: any
. "$T_LIB"

grep -q '^nvme ' /proc/modules || t_skip "the nvme driver is built in"
t_unload
state_umount "$PHYR_DIR"
rmmod nvme
modprobe nvme poll_queues=1
state_devices
state_load

interrupts() {
	awk -v name="$1q" 'index($NF, name) == 1 { for (i = 2; i <= 3; i++) sum += $i }
		END { print sum + 0 }' /proc/interrupts
}

name=${PHYR_DISK2##*/}
before=$(interrupts "${name%n1}")
t_check phyr_check_io near="$PHYR_DISK2" far="$PHYR_FAR_DISK" polls=200
seen=$(($(interrupts "${name%n1}") - before))
[ $seen -lt 50 ] || t_fail "200 polled reads came with $seen interrupts"
[ "$before" -gt 0 ] || t_fail "/proc/interrupts does not name $name"
