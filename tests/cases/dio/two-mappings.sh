#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: one buffer over two mappings: parts of a BAR, two BARs, host and device memory
# red: translate a whole segment by the mapping of its first byte; leave out dio_rest()
# fs: any
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 1m 1
sync
bar=$PHYR_BAR bar2=$PHYR_BAR2

# Either all of it in the right places, or EFAULT and nothing from device memory: a host
# part in front may have been written, as vanilla does it.
both() {
	t_like '65536|EFAULT' t_call -c 1 read "$T_MNT/f" 64k "$@"
	t_data fill "$T_DIR/w" 0 64k 0x11
	case $(t_call -f 2 write "$T_MNT/w" 0 "$@") in
	65536) t_data is-pattern "$T_DIR/w" 0 64k 2 ;;
	EFAULT) t_data is-fill "$T_DIR/w" 60k 4k 0x11 ;;
	*) t_fail "write from $*" ;;
	esac
}

both "$bar:0:32k+$bar:128k:32k"
both "$bar:128k:32k+$bar:0:32k"
both "$bar:32260:508+$bar:64k:65028"
both "$bar:0:4k+$bar:128k:4k+$bar:8k:56k"
both "$bar:0:32k+$bar2:0:32k"
both "$bar2:8k:60k+$bar:0:4k"
both "$bar:0:32k" "$bar2:0:32k"

# One mapping after another in the page tables, and in the BAR, is one run.
t_is_direct 65536 t_call -c 1 read "$T_MNT/f" 0 "$bar:0:32k+$bar:32k:32k"

# Host and device memory in one call: the disk moves both.
for buffer in "$bar:0:32k+host:0:32k" "host:0:32k+$bar:0:32k" \
	"host:512:7680+$bar:0:57856" "$bar:4k:4k+host:0:56k+$bar2:0:4k"; do
	t_is 65536 t_call -c 1 read "$T_MNT/f" 64k "$buffer"
	t_data fill "$T_DIR/w" 0 64k 0x11
	t_is 65536 t_call -f 2 write "$T_MNT/w" 0 "$buffer"
	t_data is-pattern "$T_DIR/w" 0 64k 2
done
for engine in vec aiov uringv; do
	t_is 65536 t_call -e $engine -k "$T_MNT/f" -c 1 read "$T_MNT/f" 0 host:0:32k "$bar:0:32k"
	t_is 65536 t_call -e $engine -c 1 read "$T_MNT/f" 64k "$bar:0:512" host:0:512 "$bar:8k:64512"
	t_data fill "$T_DIR/w" 0 64k 0x11
	t_is 65536 t_call -e $engine -k "$T_MNT/f" -f 2 write "$T_MNT/w" 0 host:0:4k "$bar:0:60k"
	t_data is-pattern "$T_DIR/w" 0 64k 2
done

# What has begun as host memory cannot be taken back, but is counted; a vector is known then.
# Where the disk was quick there is nothing to take back.
begun() {
	local before got

	before=$(t_refused_calls mixed-buffer)
	got=$(t_call -e "$@") || true
	case $got in
	65536 | '65536 65536') ;;
	EFAULT | 'EFAULT 65536')
		[ "$(t_refused_calls mixed-buffer)" = $((before + 1)) ] || t_fail "$*: not counted once"
		;;
	*) t_fail "$*: $got" ;;
	esac
}
for engine in libaio uring; do
	begun $engine read "$T_MNT/f" 0 "host:0:32k+$bar:0:32k"
	begun $engine write "$T_MNT/w" 0 "host:0:32k+$bar:0:32k"
done
for engine in aiov uringv; do
	begun $engine -x true -c 1 read "$T_MNT/f" 0 host:0:32k "$bar:0:32k"
done
before=$(t_refused_calls mixed-buffer)
for engine in aiov uringv; do
	t_is 32768 t_call -e $engine read "$T_MNT/f" $(((1 << 20) - 32768)) host:0:32k "$bar:0:32k"
done
[ "$(t_refused_calls mixed-buffer)" = "$before" ] || t_fail "the end of a file is counted"

# Device memory, then nothing.
t_is EFAULT t_call read "$T_MNT/f" 0 "$bar:0:32k+vvar:0:4k"
