#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: each allocation of a call fails once: ENOMEM or the right data, and the next call works
# red: take a command without memory for one that was sent
# kernel: debug
# fs: any
# time: 120
. "$T_LIB"

t_data pattern "$T_DIR/f" 0 4m 1
sync
# They may wait, and are to fail all the same.
for fault in failslab fail_page_alloc; do
	t_fault $fault 0 0 ignore-gfp-wait=N
done
echo N >$t_faults/fail_page_alloc/ignore-gfp-highmem
echo 0 >$t_faults/fail_page_alloc/min-order

for how in "-b 4k" "-b 64k" "-b 1m" "-b 64k -h 64k"; do
	# shellcheck disable=SC2086
	t_like 'ok .*' t_nth $how "$T_MNT/f" "$PHYR_BAR"
	# shellcheck disable=SC2086
	t_like 'ok .*' t_nth -w $how "$T_MNT/f" "$PHYR_BAR"
done
t_data is-pattern "$T_DIR/f" 0 4m 1
