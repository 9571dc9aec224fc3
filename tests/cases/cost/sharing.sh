#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: in a warm read the modules write no line of memory that other CPUs write, too
# red: count the commands of a region in one atomic variable
# lines: yes
# fs: any
. "$T_LIB"
. /lab/tests/vm/measure.sh

# What is written once a tick is not in each read.
bench_lines "$T_DIR" "$T_MNT" | tee lines
awk '$1 == "lines" && $2 ~ /^phyr-/ { seen = 1; sum += $4 } END { exit !seen || sum > 0.5 }' lines ||
	t_fail "a read writes lines of memory that CPUs share"
