# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a case may use; it sources this file as $T_LIB.

# shellcheck source=/dev/null
. /lab/tests/vm/state.sh
# shellcheck source=/dev/null
. /lab/tests/vm/expect.sh

# t_skip REASON - this case cannot run here
t_skip() {
	echo "$*"
	exit 77
}

t_fail() {
	echo "FAIL: $*"
	exit 1
}

# t_host CHECK [ARG...] - runs host_CHECK of host.sh on the host, prints its output and
# returns its status. Callers take turns: the port opens for one at a time.
t_host() {
	local port words reply

	until exec {port}<>/dev/virtio-ports/phyr.call; do
		t_pause 0.05
	done 2>/dev/null
	printf -v words '%q ' "$@"
	printf '%s\n' "$words" >&"$port"
	IFS= read -r -u "$port" reply
	exec {port}>&-
	[ -z "${reply#* }" ] || { printf '%s' "${reply#* }" | base64 -d && echo; }
	return "${reply%% *}"
}

# t_pause SECONDS - sleep without starting a program, which takes long under emulation
t_pause() {
	[ -n "${t_never-}" ] || exec {t_never}<> <(:)
	read -r -t "$1" -u "$t_never" || true
}

# t_within SECONDS COMMAND... - its status; fails the case if it has not ended by then, also
# when nothing can kill it
t_within() {
	local seconds=$1 pid
	shift

	"$@" &
	pid=$!
	timeout "$seconds" tail -s 0.1 --pid=$pid -f /dev/null ||
		t_fail "not done after $seconds s: $*"
	wait $pid
}

# t_disk_pci DISK - the PCI address of its controller
t_disk_pci() {
	local name=${1#/dev/}

	name=$(readlink -f "/sys/class/nvme/${name%n*}/device")
	echo "${name##*/}"
}

# t_pull PCI - a device below the switch is gone from one moment to the next, without a word
# to its driver: its slot is without power. t_plug - it is back, and a rescan finds it, if
# Linux has removed what it knew of it.
t_pull() {
	t_slot=$(readlink -f "/sys/bus/pci/devices/$1/..")
	setpci -s "${t_slot##*/}" CAP_EXP+18.w=400:400
}

t_plug() {
	setpci -s "${t_slot##*/}" CAP_EXP+18.w=0:400
}

# t_mute PCI, t_unmute PCI - the device's interrupts wait, all of them: nobody hears what it
# has done until then, or until the driver's time-out, when that looks by itself
t_mute() {
	setpci -s "$1" CAP_MSIX+2.w=4000:4000
}

t_unmute() {
	setpci -s "$1" CAP_MSIX+2.w=0:4000
}

# t_deafen DISK - its controller hears no command for the disk any more, and is well
# otherwise, until it is reset: its submission queues are gone without its driver's knowledge
t_deafen() {
	local name=${1#/dev/} count queue

	name=${name%n*}
	read -r count <"/sys/class/nvme/$name/queue_count"
	for ((queue = 1; queue < count; queue++)); do
		nvme admin-passthru "/dev/$name" --opcode=0 --cdw10=$queue >/dev/null 2>&1 ||
			t_fail "the disk keeps its queue $queue"
	done
}

# t_bar_again PCI - removes a device without a driver, and finds it again, as if it were new
t_bar_again() {
	echo 1 >"/sys/bus/pci/devices/$1/remove"
	t_bar_back "$1"
}

# t_bar_back PCI - finds a removed device again
t_bar_back() {
	local try

	echo 1 >/sys/bus/pci/rescan
	for try in {1..50}; do
		[ ! -e "/sys/bus/pci/devices/$1/resource2_wc" ] || break
		t_pause 0.1
	done
	echo 1 >"/sys/bus/pci/devices/$1/enable"
}

# t_bound DISK PCI - a disk's driver is given back what it was unbound from
t_bound() {
	local try

	echo "$2" >/sys/bus/pci/drivers/nvme/bind
	for try in {1..100}; do
		[ ! -b "$1" ] || return 0
		t_pause 0.1
	done
	t_fail "the disk does not come back"
}

# t_break KEY=VALUE... - a fault of kshim/test/phyr_fault.c; t_mend ends it
t_break() {
	insmod "$PHYR_MODDIR/phyr_fault.ko" "$@"
}

t_mend() {
	rmmod phyr_fault
}

# t_stat KEY - one value of phyr stat --json, by its jq path
t_stat() {
	phyr stat --json | jq -r "$1"
}

# t_unload - both modules, and before them the phyrfs mount that uses them
t_unload() {
	state_umount "$PHYR_MNT" && state_unload
}

# t_load - both modules and the phyrfs mount
t_load() {
	state_load && state_phyrfs
}

# t_check MODULE [PARAMETER...] - the checks of a module of kshim/test
t_check() {
	local module=$1 failed
	shift

	insmod "$PHYR_MODDIR/$module.ko" memory="$(basename "${PHYR_BAR%/*}")" "$@"
	failed=$(cat "/sys/module/$module/parameters/failed")
	rmmod "$module"
	[ "$failed" = 0 ] || t_fail "$(dmesg | grep "$module: " | tail -n 20)"
}

# t_remount FS - a new filesystem on the disk, phyrfs over it, T_DIR in it
t_remount() {
	export PHYR_FS=$1
	state_umount "$PHYR_MNT" "$PHYR_DIR" && state_disk && state_phyrfs && mkdir -p "$T_DIR"
}

t_faults=/sys/kernel/debug

# t_fault NAME PROBABILITY TIMES [KEY=VALUE...] - sets up a fault of the kernel's fault
# injection (a directory in debugfs); t_fault_off NAME ends it
t_fault() {
	[ -d "$t_faults/$1" ] || t_skip "this kernel cannot inject $1"
	state_set "$t_faults/$1" verbose=0 interval=1 space=0 "times=$3" "${@:4}" "probability=$2"
}

t_fault_off() {
	echo 0 >"$t_faults/$1/probability"
}
