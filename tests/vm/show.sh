# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The demo, guest part: takes the steps and prints facts, one "KEY VALUE..." line each, for
# demo.sh to put in a table. Sourced by init.

# demo_show FILE_BYTES
demo_show() {
	local bytes=$1 file=demo.bin engine mode

	echo "kernel $(uname -r)"
	state_disk || return
	demo_note "copying the file to $PHYR_FS on $PHYR_DISK"
	cp --sparse=never /lab/job/source "$PHYR_DIR/$file" && sync || return

	demo_note "reading it into the BAR, with nothing of phyrfs loaded"
	demo_pread vanilla "$PHYR_DIR/$file" "$bytes"

	demo_note "loading phyr.ko and phyr_dio.ko, mounting phyrfs"
	state_load && state_phyrfs || return
	echo "disk $PHYR_DISK"
	echo "bar $PHYR_BAR_PCI"
	echo "route $(phyr list --json | jq -r ".routes[] |
		select(.disk == \"$PHYR_DISK\" and .pci == \"$PHYR_BAR_PCI\") | .text")"

	demo_note "the same program again, on phyrfs"
	demo_pread phyrfs "$PHYR_MNT/$file" "$bytes"
	demo_note "asking the host what the BAR holds"
	echo "host $(t_host same_as_source "$bytes")"

	for engine in psync libaio io_uring; do
		for mode in write read; do
			demo_note "fio $engine $mode"
			demo_fio $engine $mode
		done
	done
	echo "reasons $(t_stat '[.total.read, .total.write | .refused | to_entries[] |
		select(.value.calls > 0) | .key] | unique | join(" ")')"
}

demo_note() {
	echo "note $*"
}

demo_counters() {
	if [ -c /dev/phyr ]; then
		t_stat '[.total.direct_bytes, .total.bounced_bytes] | @tsv'
	else
		echo "0 0"
	fi
}

# demo_line NAME RESULT BYTES_PER_SECOND DIRECT BOUNCED - with the two counters as they
# were before the step
demo_line() {
	local direct bounced

	read -r direct bounced < <(demo_counters)
	echo "step $1 $2 $3 $((direct - $4)) $((bounced - $5))"
}

# demo_pread NAME PATH BYTES - the small program t_pread, which knows nothing of phyr. It
# asks for whole blocks, as direct I/O wants it, and is told where the file ends.
demo_pread() {
	local name=$1 path=$2 bytes=$3 start end out speed=0 direct bounced

	read -r direct bounced < <(demo_counters)
	start=${EPOCHREALTIME/./}
	out=$(t_pread "$path" "$PHYR_BAR" 0 $((bytes + 4095 & ~4095)) 2>&1)
	end=${EPOCHREALTIME/./}
	[ "$out" != "$bytes" ] || speed=$((bytes * 1000000 / (end - start)))
	if [[ ! $out =~ ^([0-9]+|E[A-Z0-9]+)$ ]]; then
		demo_note "${out:-t_pread said nothing}"
		out=failed
	fi
	demo_line "pread/$name" "$out" $speed "$direct" "$bounced"
}

# demo_fio ENGINE read|write - write first: read verifies what it left
demo_fio() {
	local engine=$1 mode=$2 direct bounced result=ok speed
	local arguments=(--name=demo --filename="$PHYR_MNT/fio" --size=64m "--rw=$mode" --bs=256k
		--direct=1 "--ioengine=$engine" --iodepth=16 "--iomem=mmapshared:$PHYR_BAR"
		--verify=crc32c --verify_fatal=1)

	[ "$mode" = read ] || arguments+=(--do_verify=0)
	read -r direct bounced < <(demo_counters)
	fio "${arguments[@]}" --output-format=json --output=/tmp/fio.json >/tmp/fio.log 2>&1 ||
		result=failed
	speed=$(sed -n '/^{/,$p' /tmp/fio.json | jq "
		.jobs[0] | if .error == 0 then .$mode.bw_bytes else error(\"fio\") end") ||
		result=failed
	if [ $result = failed ]; then
		demo_note "fio: $(grep -hm 1 -E 'error|verify|fio:' /tmp/fio.log /tmp/fio.json)"
	fi
	demo_line "fio/$engine/$mode" $result "${speed:-0}" "$direct" "$bounced"
}
