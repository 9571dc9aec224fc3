# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Runs cases in the guest, one after the other: gives each its directory and time limit,
# judges it, and restores the state that it may have left in any shape. Sourced by init.

suite_group=/sys/fs/cgroup/case

# suite_run FS:SUITE/CASE...
suite_run() {
	local item

	suite_mount_points
	suite_mounts=" $found"
	PHYR_FS=none
	for item; do
		suite_case "$item" || {
			suite_tell spoilt
			break
		}
	done >&"$LAB_OUT" 2>&1
	sleep $((LAB_SLOW > 1 ? 6 : 0))
	suite_leaks >&"$LAB_OUT" 2>&1
	return 0
}

# Sets found to the mount points but for the disk's and phyrfs's, the newest first.
suite_mount_points() {
	local mnt rest

	found=
	while read -r _ mnt rest; do
		[ "$mnt" = "$PHYR_DIR" ] || [ "$mnt" = "$PHYR_MNT" ] || found="$mnt $found"
	done </proc/mounts
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
	local line=$*

	printf '%s\n' "${line//$'\n'/ }" >&"$LAB_VERDICT"
}

# suite_header FILE KEY - sets found to the value of a "# KEY: value" line
suite_header() {
	local line

	found=
	while IFS= read -r line && [[ $line = '#'* ]]; do
		[[ $line != "# $2: "* ]] || found=${line#"# $2: "}
	done <"$1"
}

# suite_last FILE - sets found to the last line that is not empty
suite_last() {
	local line

	found=
	while IFS= read -r line; do
		[ -z "$line" ] || found=$line
	done <"$1"
}

# suite_bad_log ITEM - fails if the kernel has reported anything since ITEM began; sets
# found to the first such line
suite_bad_log() {
	local line

	found=
	dmesg >/run/dmesg
	while IFS= read -r line; do
		case $line in
		*"lab: begin $1") found= ;;
		*) [[ -n $found || ! $line =~ $LAB_BAD_LOG ]] || found=$line ;;
		esac
	done </run/dmesg
	[ -z "$found" ]
}

# False if what it left cannot be removed, so that others would fail, too.
suite_case() {
	local item=$1 fs=${1%%:*} name=${1#*:} file limit start status seconds log reason
	local spoilt=''

	file=/lab/tests/cases/$name.sh
	suite_header "$file" time
	limit=$((${found:-60} * LAB_SLOW))
	suite_tell begin "$item" "$limit"
	echo "=== begin $item"
	echo "lab: begin $item" >/dev/kmsg
	log=/run/case.log
	start=$EPOCHREALTIME

	if ! suite_ready "$fs" >$log 2>&1; then
		status=1
		echo "the state that cases begin in could not be reached" >>$log
	else
		suite_fail_slab
		suite_execute "$file" "$limit" >$log 2>&1
		status=$?
		# what lacks memory may say so, but for who expects it
		suite_header "$file" enomem
		[ "$LAB_FAILSLAB" = 0 ] || [ "$found" = expected ] ||
			[[ $status =~ ^(77|124|137)$ ]] || status=0
	fi
	cat $log
	suite_last $log
	reason=$found
	seconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))
	case $status in
	0) reason= ;;
	77) ;;
	124 | 137) reason="not finished after $limit s" ;;
	*) [ -n "$reason" ] || reason="status $status" ;;
	esac
	if ! suite_clean >$log 2>&1; then
		spoilt=yes
		suite_last $log
		[[ ! $status =~ ^(0|77)$ ]] || reason="left behind: $found"
		status=1
	fi
	suite_leaks >>$log 2>&1
	[ ! -s $log ] || cat $log
	if ! suite_bad_log "$item"; then
		status=1
		reason="kernel log: $found"
		sed -n "\|lab: begin $item\$|,\$p" /run/dmesg
	fi
	echo "=== end $item: $status"
	suite_tell end "$item" "$status" "${seconds%?}.${seconds: -1}" "$reason"
	[ -z "$spoilt" ]
}

# From now on allocations fail below the code of modules, which are phyr's alone: the
# debug kernel has everything else built in.
suite_fail_slab() {
	local fault

	[ "$LAB_FAILSLAB" != 0 ] || return 0
	for fault in failslab fail_page_alloc; do
		state_set /sys/kernel/debug/$fault verbose=0 interval=1 space=0 times=-1 \
			ignore-gfp-wait=N stacktrace-depth=32 require-start=0xffffffffa0000000 \
			require-end=0xffffffffff000000 probability="$LAB_FAILSLAB"
	done
}

# The case in a cgroup of its own, so that everything it starts can be found again
suite_execute() {
	local file=$1 limit=$2
	export T_DIR T_MNT

	T_DIR=${file##*/}
	T_MNT=$PHYR_MNT/${T_DIR%.sh}
	T_DIR=$PHYR_DIR/${T_DIR%.sh}
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

	if [ "$fs" = none ]; then
		:
	elif [ "$PHYR_FS" != "$fs" ] || ! suite_state_holds; then
		PHYR_FS=none
		state_umount "$PHYR_MNT" "$PHYR_DIR" || return
		PHYR_FS=$fs
		if ! state_load || ! state_disk || ! state_phyrfs || ! suite_state_holds; then
			PHYR_FS=none
			return 1
		fi
	fi
	suite_writes
	suite_disk_writes=$found
}

suite_state_holds() {
	local disk mnt type options rest mounts=''

	[ -e /sys/module/phyr_dio ] && [ -c /dev/phyr ] || return
	[ -e "$PHYR_BAR" ] && [ -e "$PHYR_BAR2" ] || return
	while read -r disk mnt type options rest; do
		case $mnt in
		"$PHYR_DIR") mounts+="$disk $type ${options%%,*}," ;;
		"$PHYR_MNT") mounts+="$type," ;;
		esac
	done </proc/mounts
	[ "$mounts" = "$PHYR_DISK $PHYR_FS rw,fuse.phyrfs," ] || return
	timeout 10 stat "$PHYR_MNT/." >/dev/null
}

# Sets found to what has been written to the blank disks.
suite_writes() {
	local disk writes

	found=
	for disk in "$PHYR_DISK2" "$PHYR_FAR_DISK"; do
		[ ! -b "$disk" ] || read -r _ _ _ _ _ _ writes _ <"/sys/block/${disk##*/}/stat"
		found+=" ${writes-gone}"
	done
}

# Removes what the case left: faults, processes, mounts, files, contents of the blank disks.
suite_clean() {
	local try mnt disk file events

	for file in /sys/kernel/debug/{fail*,*/fault_inject}/probability; do
		[ ! -e "$file" ] || echo 0 >"$file"
	done
	echo 1 >$suite_group/cgroup.kill
	for try in {1..150}; do
		events=$(<$suite_group/cgroup.events)
		[[ $events != *'populated 0'* ]] || break
		sleep 0.1
	done
	[[ $events = *'populated 0'* ]] || {
		echo "processes that cannot be killed"
		return 1
	}
	[ ! -e /sys/module/phyr_fault ] || rmmod phyr_fault
	suite_mount_points
	for mnt in $found; do
		[[ $suite_mounts = *" $mnt "* || $mnt = /run/credentials/* ]] || umount "$mnt" || umount -l "$mnt"
	done
	rm -rf "$T_DIR" /tmp/case
	for disk in "$PHYR_DISK2" "$PHYR_FAR_DISK"; do
		[ -b "$disk" ] || {
			echo "no $disk any more"
			return 1
		}
	done
	suite_writes
	[ "$suite_disk_writes" != "$found" ] || return 0
	for disk in "$PHYR_DISK2" "$PHYR_FAR_DISK"; do
		wipefs -q -a -f "$disk"*
		blkdiscard -f "$disk"
		blockdev --rereadpt "$disk"
	done
	return 0
}
