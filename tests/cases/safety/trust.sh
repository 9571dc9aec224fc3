#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: a host bridge that is named in trust_bridges is used, and bad names change nothing
# red: trust when only the vendor is the same; keep half of a bad list
# fs: any
. "$T_LIB"

param=/sys/module/phyr/parameters/trust_bridges
mnt=$PWD/mnt phyr=$PWD/phyr
t_unload
state_load
[ -z "$(cat $param)" ] || t_fail "somebody is trusted already: $(cat $param)"
root=/sys/bus/pci/devices/0000:00:00.0
bridge=$(cut -c3- $root/vendor):$(cut -c3- $root/device)
many=$(printf ",1234:%04x" {1..17})
for bad in x "$bridge," "0x$bridge" "${bridge%?}" "$bridge 1:2" 0000:0000 "${many#,}"; do
	! echo "$bad" 2>/dev/null >$param || t_fail "'$bad' is taken"
	[ -z "$(cat $param)" ] || t_fail "'$bad' changed the list to $(cat $param)"
done

mkfs."$PHYR_FS" -q "$([ "$PHYR_FS" = xfs ] && echo -f || echo -F)" "$PHYR_FAR_DISK"
mkdir "$mnt" "$phyr"
mount "$PHYR_FAR_DISK" "$mnt"
phyrfs "$mnt" "$phyr"
t_data pattern "$mnt/f" 0 1m 1
sync
# the other of vendor and device: no
echo "${bridge%:*}:${bridge%:*}" >$param
t_is_refused topology t_pread "$phyr/f" "$PHYR_BAR" 0 64k
# pairs that were looked at keep their answer
echo "1234:5678,$bridge" >$param
[ "$(cat $param)" = "1234:5678,$bridge" ] || t_fail "it says $(cat $param)"
t_is_refused topology t_pread "$phyr/f" "$PHYR_BAR" 0 64k
state_umount "$phyr"

# what a parameter at loading does
state_unload
! insmod "$PHYR_MODDIR/phyr.ko" trust_bridges=x 2>/dev/null || t_fail "x is taken"
insmod "$PHYR_MODDIR/phyr.ko" trust_bridges="$bridge"
insmod "$PHYR_MODDIR/phyr_dio.ko"
phyrfs "$mnt" "$phyr"
t_data fill "$PHYR_BAR" 0 64k 0xa5
t_is_direct 65536 t_pread "$phyr/f" "$PHYR_BAR" 0 64k
t_data is-pattern "$PHYR_BAR" 0 64k 1
state_umount "$phyr"
state_umount "$mnt"
state_unload
t_load
