#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: each option of mount(8) and fstab does what it says or is refused; the mount has its
#	source's flags, can be remounted, and is not taken for its source
# red: leave out attrs of fsmount(), an option of words.c, or phyrfs_remount()
# iommu: any
# host: yes
# time: 240
# fs: any

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"
export PATH=$PATH:/usr/sbin:/sbin

# option TEXT - how the mount at $at is shown: TYPE SOURCE FLAGS, without what is always there
shown() {
	findmnt -r -n -o FSTYPE,SOURCE,OPTIONS -M "$at" | tail -n 1 | sed 's/user_id=0,group_id=0,//'
}

# is WANT COMMAND... - the command prints WANT
is() {
	local want=$1 got
	shift

	got=$("$@" 2>&1) || true
	[ "$got" = "$want" ] || fail "line ${BASH_LINENO[0]}: $*: '$got', wanted '$want'"
}

# fails_with TEXT COMMAND... - the command fails, and says TEXT in one line
fails_with() {
	local want=$1 got
	shift

	! got=$("$@" 2>&1) || fail "line ${BASH_LINENO[0]}: $*: no failure"
	[[ $got == *"$want"* && $got != *$'\n'* ]] ||
		fail "line ${BASH_LINENO[0]}: $*: '$got', wanted '$want'"
}

# with OPTIONS WANT - mounted with the options, the mount has these flags
with() {
	phyrfs "$source" "$at" ${1:+-o "$1"} 2>said || fail "$1: $(cat said)"
	is "fuse.phyrfs $source $2,default_permissions${3-}" shown
	umount "$at"
}

finish() {
	cd /
	umount -l "$at" 2>/dev/null || true
	umount -l "$here/source" 2>/dev/null || true
	! mountpoint -q /dev/fuse || umount -l /dev/fuse
	umount /usr/local/sbin 2>/dev/null || true
}

here=$PWD at=$PWD/at
mkdir "$at" source
trap finish EXIT

# mount.fuse3 looks for the program in a PATH of its own.
mount -t tmpfs tmpfs /usr/local/sbin
ln -s "$(command -v phyrfs)" /usr/local/sbin/phyrfs

# The source's flags and, where the options say something, theirs; by each way of mounting
mount --bind "$T_DIR" source
source=$here/source
cp /usr/bin/true "$source/true"
with '' rw,relatime
with ro ro,relatime
with ro,rw rw,relatime
with noatime rw,noatime
with noatime,relatime rw,relatime
with noatime,atime rw,relatime
with strictatime rw
with nodiratime,norelatime,nostrictatime rw,nodiratime,relatime
with nodiratime,diratime,lazytime,nolazytime rw,relatime
with nosuid,nodev,noexec,nosymfollow rw,nosuid,nodev,noexec,relatime,nosymfollow
with nosuid,nodev,noexec,suid,dev,exec rw,relatime
with defaults,nofail,_netdev,noauto,user,x-a=b,X-c,comment=d,users,nouser,group rw,relatime
with allow_other rw,relatime ,allow_other
with sync rw,relatime,sync
with sync,async rw,relatime
with auto_unmount,noexec rw,noexec,relatime
with rw,relatime,user_id=0,group_id=0,default_permissions,subtype=phyrfs rw,relatime
mount -o remount,bind,ro,nosuid,nodev,noexec,noatime source
with '' ro,nosuid,nodev,noexec,noatime
with rw,suid,dev,exec,relatime ro,nosuid,nodev,noexec,relatime
mount -o remount,bind,rw,suid,nodev,noexec,noatime source
with '' rw,nodev,noexec,noatime
mount -t fuse.phyrfs "$source" "$at" 2>/dev/null
is "fuse.phyrfs $source rw,nodev,noexec,noatime,default_permissions" shown
! "$at/true" 2>/dev/null || fail 'noexec, and a program runs'
# What /proc/mounts shows can be given back.
options=$(findmnt -n -o OPTIONS -M "$at")
umount "$at"
with "$options" rw,nodev,noexec,noatime
mount -o remount,bind,rw,dev,exec,relatime source

# Access times are the source's.
# accessed OPTIONS - does a read through the mount change the time in the source?
accessed() {
	local before

	touch -a -d 2001-01-01 "$source/true" # before its change, so relatime has to
	phyrfs "$source" "$at" -o "$1" 2>/dev/null
	before=$(stat -c %x "$source/true")
	cat "$at/true" >/dev/null
	umount "$at"
	[ "$(stat -c %x "$source/true")" != "$before" ]
}
accessed relatime || fail 'relatime: a read is not seen'
accessed strictatime || fail 'strictatime: a read is not seen'
! accessed noatime || fail 'noatime: a read changes the time'
! accessed ro,noatime || fail 'ro,noatime: a read changes the time'

# An ordinary user's mount has nosuid and nodev, too; /dev/fuse is for all where udev runs.
# as_user COMMAND... - as one
as_user() {
	setpriv --reuid nobody --regid nogroup --clear-groups "$@"
}
mkdir -m 755 "$here/own"
chown nobody "$here/own"
chmod 755 "$here" "$source"
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
if as_user test -r "$source/true"; then
	at=$here/own
	as_user "$(command -v phyrfs)" "$source" "$at" -o noexec,rw,suid,dev 2>said || fail "$(cat said)"
	[[ $(shown) == "fuse.phyrfs $source rw,nosuid,nodev,noexec,relatime,user_id=65534"* ]] ||
		fail "$(shown)"
	as_user umount "$at" 2>/dev/null || as_user fusermount3 -u "$at"
	fails_with 'only root can change when times of access' \
		as_user "$(command -v phyrfs)" "$source" "$at" -o noatime
	at=$here/at
fi
umount -l /dev/fuse # the daemon may still end

# What would be no more than words is refused, by its name.
for option in max_read=65536 clone_fd max_threads=4 io_uring kernel_cache attr_timeout=1 \
	direct_io uid=1 umask=022 discard dirsync subtype=x; do
	fails_with "option '$option' means nothing here" phyrfs "$source" "$at" -o "$option"
done
for option in errors=remount-ro data=ordered nonsense user_id=1; do
	fails_with "unknown option '$option'" phyrfs "$source" "$at" -o "rw,$option"
done
fails_with 'with policy=off nothing is direct' phyrfs "$source" "$at" -o policy=off,require
fails_with 'with policy=off nothing is direct' phyrfs --check "$source" -o policy=off

# fstab: mounted once, however often mount -a is called; remounted by its line or without
echo "$source $at fuse.phyrfs defaults,allow_other,noatime,nofail,x-systemd.automount 0 0" >fstab
for _ in 1 2; do
	mount -a -T "$here/fstab" 2>said || fail "$(cat said)"
done
is "fuse.phyrfs $source rw,noatime,default_permissions,allow_other" shown
mount -T "$here/fstab" -o remount,ro "$at"
is "fuse.phyrfs $source ro,noatime,default_permissions,allow_other" shown
fails_with 'Read-only file system' touch "$at/f"
mount -o remount,rw "$at"
touch "$at/f"
mount -o remount,nosuid,nodev,noexec,nosymfollow "$at"
is "fuse.phyrfs $source rw,nosuid,nodev,noexec,noatime,nosymfollow,default_permissions,allow_other" shown
mount -o remount,suid,dev,exec,symfollow "$at" 2>said
grep -q 'nosuid and nodev stay' said || fail "$(cat said)"
is "fuse.phyrfs $source rw,nosuid,nodev,noatime,default_permissions,allow_other" shown
mount -i -o remount,bind,suid,dev "$at"
is "fuse.phyrfs $source rw,noatime,default_permissions,allow_other" shown
exec 3>"$at/f"
fails_with 'files are open for writing' mount -o remount,ro "$at"
exec 3>&-
fails_with 'cannot change atime' mount -o remount,relatime "$at"
fails_with 'cannot change nodiratime' mount -o remount,nodiratime "$at"
fails_with 'cannot change policy' mount -o remount,policy=off "$at"
fails_with 'cannot change cache' mount -o remount,cache=always "$at"
fails_with 'cannot change sync' mount -o remount,sync "$at"
fails_with 'no phyrfs is mounted there' phyrfs "$source" "$source" -o remount,ro
is "fuse.phyrfs $source rw,noatime,default_permissions,allow_other" shown
[ "$(cat "$at/f" | wc -c)" = 0 ] || fail 'after all that'

# The mount is not taken for its source, nor the source for it.
is "$(findmnt -n -o SOURCE -T "$T_DIR")" sh -c "findmnt -n -o SOURCE -M $source | sed 's/\[.*//'"
if umount "$source" 2>said; then
	mountpoint -q "$at" || fail 'unmounting the source has unmounted phyrfs'
	mount --bind "$T_DIR" source
fi
umount "$at"
mountpoint -q "$source" || fail 'unmounting phyrfs has unmounted the source'
# Without the superblock's ro, which libfuse sets, a remount can take ro away.
phyrfs "$source" "$at" -o ro,fsname=name 2>/dev/null
is 'fuse.phyrfs name ro,relatime,default_permissions' shown
mount -o remount,rw "$at"
is 'fuse.phyrfs name rw,relatime,default_permissions' shown
umount name
! mountpoint -q "$at" || fail 'umount by the name that it shows'
# over its own source
at=$source
phyrfs "$source" "$source" -o noexec 2>/dev/null
is "fuse.phyrfs $source rw,noexec,relatime,default_permissions" shown
! "$source/true" 2>/dev/null || fail 'over its source: noexec, and a program runs'
umount "$source"
"$source/true" || fail 'umount has taken the source'
