# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The witness outside the guest: functions that cases call with t_host NAME ARG... They
# see the files behind the BARs, which no bug in the guest can make look right.
#
# BAR_FILE, BAR2_FILE: the shared files of the two BARs. HOST_DIR: scratch of this VM.
# SOURCE_FILE: the file that the demo reads.

# part FILE OFFSET LENGTH - bytes of a file
part() {
	dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
}

hash_of() {
	xxhsum -H2 - | cut -d' ' -f1
}

# host_hash OFFSET LENGTH - XXH3-128 of a part of the BAR
host_hash() {
	part "$BAR_FILE" "$1" "$2" | hash_of
}

# host_fill BYTE OFFSET LENGTH - writes one byte value over a part of the BAR
host_fill() {
	head -c "$3" /dev/zero | tr '\0' "\\$(printf %03o "$1")" |
		dd of="$BAR_FILE" bs=1M oflag=seek_bytes seek="$2" conv=notrunc iflag=fullblock status=none
}

# host_watch_start - remembers what the BAR holds now
host_watch_start() {
	hash_of <"$BAR_FILE" >"$HOST_DIR/watch"
}

# host_watch_check [SECONDS] - fails if the BAR is not, or within SECONDS does not
# stay, as it was at host_watch_start
host_watch_check() {
	sleep "${1:-0}"
	[ "$(hash_of <"$BAR_FILE")" = "$(cat "$HOST_DIR/watch")" ] && return
	echo "the BAR changed after host_watch_start"
	return 1
}

# host_same_as_source LENGTH - hashes of the BAR's first bytes and of the demo's file
host_same_as_source() {
	echo "$(host_hash 0 "$1") $(hash_of <"$SOURCE_FILE")"
}

# host_lines - what lines_plugin has written
host_lines() {
	[ ! -e "$HOST_DIR/lines" ] || cat "$HOST_DIR/lines"
}

[ "$(type -t "host_$1")" = function ] || {
	echo "host.sh has no check '$1'"
	exit 2
}
check=host_$1
shift
"$check" "$@"
