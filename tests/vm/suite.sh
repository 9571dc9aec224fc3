# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Runs cases in the guest, one after the other: gives each its directory and time limit,
# judges it, and restores the state that it may have left in any shape. Sourced by init.

suite_group=/sys/fs/cgroup/case

# suite_run FS:SUITE/CASE...
suite_run() {
	local item

	suite_mounts=$(suite_mount_points)
	PHYR_FS=none
	for item; do
		suite_case "$item"
	done >&"$LAB_OUT" 2>&1
	sleep $((LAB_SLOW > 1 ? 6 : 0))
	suite_leaks >&"$LAB_OUT" 2>&1
	return 0
}

suite_mount_points() {
	cut -d' ' -f2 /proc/mounts | grep -vx -e "$PHYR_DIR" -e "$PHYR_MNT"
}

# The debug kernel's search for lost memory. It believes nothing that is younger than
# five seconds, so what a case loses may show up in the next one, or here at the end.
suite_leaks() {
	local file=/sys/kernel/debug/kmemleak

	[ -e $file ] || return 0
	echo scan >$file
	cat $file
	echo clear >$file
}

# suite_tell WORD... - one line to the host
suite_tell() {
	printf '%s\n' "$(printf '%s' "$*" | tr '\n' ' ')" >&"$LAB_VERDICT"
}

# suite_header FILE KEY - the value of a "# KEY: value" line
suite_header() {
	sed -n "/^#/!q; s/^# $2: *//p" "$1" | head -n 1
}

suite_case() {
	local item=$1 fs=${1%%:*} name=${1#*:} file limit start status seconds log reason

	file=/lab/tests/cases/$name.sh
	limit=$(suite_header "$file" time)
	limit=$((${limit:-60} * LAB_SLOW))
	suite_tell begin "$item" "$limit"
	echo "=== begin $item"
	echo "lab: begin $item" >/dev/kmsg
	log=/run/case.log
	start=$EPOCHREALTIME

	if ! suite_ready "$fs" >$log 2>&1; then
		status=1
		echo "the state that cases begin in could not be reached" >>$log
	else
		suite_execute "$file" "$limit" >$log 2>&1
		status=$?
	fi
	cat $log
	reason=$(grep . $log | tail -n 1)
	seconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))
	case $status in
	0) reason= ;;
	77) ;;
	124 | 137) reason="not finished after $limit s" ;;
	*) [ -n "$reason" ] || reason="status $status" ;;
	esac
	if ! suite_clean >$log 2>&1; then
		status=1
		reason="left behind: $(tail -n 1 $log)"
	fi
	suite_leaks >>$log 2>&1
	cat $log
	if dmesg | sed -n "\|lab: begin $item\$|,\$p" | grep -E "$LAB_BAD_LOG" >$log; then
		status=1
		reason="kernel log: $(head -n 1 $log)"
		dmesg | sed -n "\|lab: begin $item\$|,\$p"
	fi
	echo "=== end $item: $status"
	suite_tell end "$item" "$status" "${seconds%?}.${seconds: -1}" "$reason"
}

# The case in a cgroup of its own, so that everything it starts can be found again
suite_execute() {
	local file=$1 limit=$2
	export T_DIR T_MNT

	T_DIR=$PHYR_DIR/$(basename "$file" .sh)
	T_MNT=$PHYR_MNT/$(basename "$file" .sh)
	rm -rf "$T_DIR" /tmp/case
	mkdir -p "$T_DIR" /tmp/case $suite_group || return
	(
		echo $BASHPID >$suite_group/cgroup.procs
		exec {LAB_OUT}>&- {LAB_ERR}>&- {LAB_VERDICT}>&-
		cd /tmp/case || exit
		exec timeout -k 5 "$limit" bash -eu "$file"
	) </dev/null
}

# Brings the guest to the state that cases begin in, doing nothing if it is in it.
suite_ready() {
	local fs=$1

	if [ "$PHYR_FS" != "$fs" ] || ! suite_state_holds; then
		PHYR_FS=none
		state_umount "$PHYR_MNT" "$PHYR_DIR" || return
		PHYR_FS=$fs
		if ! state_load || ! state_disk || ! state_phyrfs || ! suite_state_holds; then
			PHYR_FS=none
			return 1
		fi
	fi
	suite_disk_writes=$(suite_writes)
}

suite_state_holds() {
	local disk type options rest

	[ -e /sys/module/phyr_dio ] && [ -c /dev/phyr ] || return
	[ -e "$PHYR_BAR" ] && [ -e "$PHYR_BAR2" ] || return
	read -r disk _ type options rest < <(grep " $PHYR_DIR " /proc/mounts)
	[ "$disk $type ${options%%,*}" = "$PHYR_DISK $PHYR_FS rw" ] || return
	[ "$(grep -c " $PHYR_MNT fuse.phyrfs " /proc/mounts)" = 1 ] || return
	timeout 10 stat "$PHYR_MNT/." >/dev/null
}

suite_writes() {
	cut -c1-60 /sys/block/"${PHYR_DISK2##*/}"/stat /sys/block/"${PHYR_FAR_DISK##*/}"/stat
}

# Removes what the case left: faults, processes, mounts, files, contents of the blank disks.
suite_clean() {
	local try mnt disk file

	for file in /sys/kernel/debug/{fail*,*/fault_inject}/probability; do
		[ ! -e "$file" ] || echo 0 >"$file"
	done
	echo 1 >$suite_group/cgroup.kill
	for try in {1..150}; do
		grep -q 'populated 0' $suite_group/cgroup.events && break
		sleep 0.1
	done
	grep -q 'populated 0' $suite_group/cgroup.events || {
		echo "processes that cannot be killed"
		return 1
	}
	suite_mount_points | grep -vxF "$suite_mounts" | tac | while read -r mnt; do
		umount "$mnt" || umount -l "$mnt"
	done
	rm -rf "$T_DIR" /tmp/case
	[ "$suite_disk_writes" = "$(suite_writes)" ] && return
	for disk in "$PHYR_DISK2" "$PHYR_FAR_DISK"; do
		[ -b "$disk" ] || continue
		wipefs -q -a -f "$disk"*
		blkdiscard -f "$disk"
		blockdev --rereadpt "$disk"
	done
	return 0
}
