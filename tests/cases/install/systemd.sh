#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: after a boot with README's fstab line and unit both mount; the unit restarts, stops and takes away no other mount
# red: ExecStopPost=umount -l %f, ConditionPathIsDirectory, ProtectSystem=yes, setsid() before the mount, no x-systemd.requires
# root: fresh
# time: 240
# shellcheck source=tests/vm/install.sh
. "${0%/*}/../../vm/install.sh"

unit=phyrfs@srv-phyr
mounted() {
	[ "$(findmnt -n -o FSTYPE "$1" | tail -n 1)" = "$2" ]
}
answers() {
	for _ in {1..100}; do
		! timeout 5 stat "$1/file" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	systemctl status "$unit"
	fail "$1 does not answer"
}

echo data >/data/file
systemctl start $unit
mounted /srv/phyr fuse.phyrfs || fail "the boot has not mounted /srv/phyr: $(systemctl status $unit)"
[ -e /sys/module/phyr_dio ] || fail "the unit has not loaded the modules"
cmp /data/file /srv/phyr/file
! journalctl -q -b -u $unit | grep -i -E 'unset|unknown|invalid' || fail "systemd complains"

# the unit leaves the process that serves all capabilities that it keeps by itself
caps() {
	local children

	read -r children _ <"/proc/$1/task/$1/children"
	sed -n 's/^CapPrm:\t//p' "/proc/$children/status"
}
under=$(caps "$(systemctl show -P MainPID $unit)")
mkdir /media/hand
phyrfs -f /data /media/hand &
answers /media/hand
alone=$(caps $!)
umount /media/hand
[ "$under" = "$alone" ] || fail "capabilities $under under systemd, else $alone"

# killed: the main process, and all
for who in main all; do
	systemctl kill -s KILL --kill-whom=$who $unit
	sleep 0.3
	answers /srv/phyr
done
systemctl stop $unit
! mounted /srv/phyr fuse.phyrfs || fail "stopped, and still mounted"

# a mount over its own source, which is another filesystem: before, after, and after a failure
mkdir /media/own && mount -t tmpfs own /media/own && echo own >/media/own/file
echo SOURCE=/media/own >/etc/phyrfs/media-own.conf
systemctl start phyrfs@media-own
mounted /media/own fuse.phyrfs && answers /media/own
systemctl stop phyrfs@media-own
mounted /media/own tmpfs || fail "the stop has taken the filesystem of the source away"
echo SOURCE=/nowhere >/etc/phyrfs/media-own.conf
! systemctl start phyrfs@media-own 2>/dev/null || fail "started without a source"
systemctl stop phyrfs@media-own
mounted /media/own tmpfs || fail "a start that failed has taken the filesystem away"
umount /media/own

# no mount point
echo SOURCE=/data >/etc/phyrfs/media-none.conf
! systemctl start phyrfs@media-none 2>/dev/null || fail "started without a mount point"

# fstab, with nothing loaded; on a busy machine not each try is in time
for try in 1 2 3; do
	systemctl stop mnt-phyr.automount
	! mounted /mnt/phyr fuse.phyrfs || umount /mnt/phyr
	modprobe -r phyr_dio
	systemctl start mnt-phyr.automount
	start=$EPOCHREALTIME
	timeout 60 cat /mnt/phyr/file || fail "the automount does not answer: $(systemctl status mnt-phyr.mount)"
	ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	echo "the automount has answered after $ms ms"
	[ $ms -gt 5000 ] || break
done
[ $ms -le 5000 ] || fail "the automount answers late"
mounted /mnt/phyr fuse.phyrfs || fail "not mounted by fstab"
[ -e /sys/module/phyr_dio ] || fail "the line of fstab has not loaded the modules"
umount /mnt/phyr
systemctl stop mnt-phyr.automount
