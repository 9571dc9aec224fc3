#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: DKMS builds, installs and removes the modules from the source, by README's lines, and skips a kernel that they are not for
# red: dkms.conf in kshim/, or without BUILD_EXCLUSIVE_KERNEL
# root: chroot
# time: 300
# shellcheck source=tests/vm/install.sh
. "${0%/*}/../../vm/install.sh"

running=$(uname -r)
installed() {
	ls /lib/modules/"$1"/updates/dkms/phyr{,_dio}.ko* >/dev/null 2>&1
}

readme 'With DKMS' 1
installed "$running" || fail "not installed for $running: $(dkms status)"
modprobe -n -v phyr_dio | grep -q 'updates/dkms/phyr.ko' || fail "modprobe finds another"
[ "$(modinfo -F version phyr)" = "$(cat "${0%/*}/../../../VERSION")" ] || fail "another version"

# a kernel of backports, with its headers from the sysroot
newest=$(ls /run/sysroot/lib/modules | sort -V | tail -n 1)
for dir in /run/sysroot/usr/{src,lib}/linux-*"${newest%-amd64}"*; do
	mkdir "${dir#/run/sysroot}" && mount --bind "$dir" "${dir#/run/sysroot}"
done
mkdir "/lib/modules/$newest"
ln -s "/usr/src/linux-headers-$newest" "/lib/modules/$newest/build"
dkms install -k "$newest" phyr/0.1.0
installed "$newest" || fail "not installed for $newest"

# Debian 12's: apt goes on only if this is no error
old=6.1.0-50-amd64
mkdir -p /lib/modules/$old/build/include
cp "/lib/modules/$running/build/.config" /lib/modules/$old/build/
dkms autoinstall -k $old || fail "autoinstall for $old ends with $?"
! installed $old || fail "installed for $old"

readme 'With DKMS' 2
! installed "$running" && ! installed "$newest" || fail "still installed"
[ ! -e /usr/src/phyr-0.1.0 ] && [ ! -e /var/lib/dkms/phyr ] || fail "something is left"
