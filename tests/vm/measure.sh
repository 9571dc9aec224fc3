# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The bench, guest part: measures every path that this kernel has and prints facts, one line
# each, for bench.sh to put in a table. Sourced by init.

# bench_measure - KEY VALUE... lines:
#	cost FS ENGINE DEPTH BYTES PATH MEDIAN LEAST MOST	instructions per read
#	cold MEDIAN LEAST MOST		more for a first read, per page
#	memory regions N ranges N bytes N	with all of the BAR read into
#	count PATH BYTES WHAT PER_READ	calls of the kernel's functions
#	mappings COUNT MEMORY MEDIAN LEAST MOST	4 KiB read by a process that has read into COUNT
#	ranges COUNT ORDER FIRST AGAIN	per page of a mapping of so many physical ranges
#	lines WHAT ALL SHARED	writes of memory per read, and of these to lines that CPUs share
#	line FUNCTION KIND SHARED	whose they are: locked, called (locked there), stored
bench_measure() {
	echo "kernel $(uname -r)"
	echo 96 >/proc/sys/vm/nr_hugepages
	echo 0 >/proc/sys/kernel/hung_task_timeout_secs
	state_load || return
	for PHYR_FS in ext4 xfs; do
		bench_note "$PHYR_FS"
		state_umount "$PHYR_MNT" "$PHYR_DIR" && state_disk && state_phyrfs || return
		dd if=/dev/zero of="$PHYR_DIR/f" bs=1M count=64 oflag=direct status=none || return
		sync
		[ $PHYR_FS = xfs ] || bench_sample || return
		bench_paths
		bench_engines || return
		[ $PHYR_FS = xfs ] || bench_once || return
	done
}

bench_note() {
	echo "note $*"
}

# What cannot be counted twice in one boot, or need not
bench_once() {
	local cost

	bench_note "first touch"
	cost=$(t_bench -c 16m "$PHYR_BAR" "$PHYR_MNT/f") || return
	echo "$cost"
	bench_events || return
	bench_note "what grows with mappings and ranges"
	bench_scale
}

bench_scale() {
	t_scale mappings 4k "$PHYR_BAR" "$PHYR_MNT/f" 1 100 1000 10000 >/run/bench || return
	sed 's/^/mappings /' /run/bench
	insmod "$PHYR_MODDIR/phyr_scatter.ko" memory="$PHYR_BAR_PCI" || return
	t_scale ranges 1m /dev/phyr_scatter "$PHYR_MNT/f" 10000 100000 >/run/bench || return
	sed 's/^/ranges /' /run/bench
	rmmod phyr_scatter
}

# bench_sharing - the same for lines of memory, in a machine with lines_plugin
bench_sharing() {
	state_reach all || return
	bench_lines "$PHYR_DIR" "$PHYR_MNT"
}

# bench_lines DIR MNT - who writes lines that CPUs share in warm reads of files of both
bench_lines() {
	local reads=1000 name

	for name in 0 1; do
		dd if=/dev/zero of="$1/$name" bs=4k count=1 oflag=direct status=none || return
	done
	t_lines "$PHYR_BAR" $reads "$2/0" "$2/1" && t_host lines >/run/lines || return
	{
		awk 'NF == 4 && $2 ~ /[tT]/ { print $1, 0, $3, $4 }' /proc/kallsyms
		awk '{ print $1, 1, $2, $3, $4 }' /run/lines
	} | sort | awk -v reads=$((2 * reads)) '
	$1 ~ /^0+$/ { printf "lines kernel-locked %.2f %.2f\n", $4 / reads, $5 / reads; next }
	$2 == 0 { name = $3; phyr = $4 ~ /^\[phyr/; next }
	phyr {
		what = $3 == "stored" ? $3 : "locked"
		all[what] += $4; shared[what] += $5
		by[name " " $3] += $5
	}
	END {
		for (what in all)
			printf "lines phyr-%s %.2f %.2f\n", what, all[what] / reads, shared[what] / reads
		for (who in by)
			if (by[who] >= reads / 100)
				printf "line %s %.2f\n", who, by[who] / reads
	}'
}

# The sample filesystem on the second disk, for its own path; missing modules are no error
bench_sample() {
	[ -e "$PHYR_MODDIR/phyr_flat.ko" ] || return 0
	insmod "$PHYR_MODDIR/phyr_flat.ko" && mkdir -p /run/flat || return
	(cd "$PHYR_DIR" && t_flat "$PHYR_DISK2" f) || return
	mount -t phyr_flat "$PHYR_DISK2" /run/flat
}

# Sets bench_all to the PATH=MEMORY=FILE words of t_bench.
bench_paths() {
	local p2p

	bench_all=("host-4k=4k=$PHYR_DIR/f" "host-thp=thp=$PHYR_DIR/f" "host-huge=huge=$PHYR_DIR/f"
		"host-mount=huge=$PHYR_MNT/f" "copy=copy:$PHYR_BAR=$PHYR_DIR/f")
	# The kernel takes the switch for one that forwards by bus address. QEMU's does not:
	# there all goes through the IOMMU, which knows nothing of it.
	for p2p in /sys/bus/pci/devices/*/p2pmem/allocate; do
		[ ! -e "$p2p" ] || [ "$LAB_IOMMU" = on ] || bench_all+=("p2pdma=$p2p=$PHYR_DIR/f")
	done
	bench_all+=("phyr=$PHYR_BAR=$PHYR_MNT/f")
	[ "$PHYR_FS" = xfs ] || [ ! -e /run/flat/f ] || bench_all+=("sample=$PHYR_BAR=/run/flat/f")
}

# The rows of the table: in "adjacent" the reads of a queue follow each other in the file,
# and those with bios are merged; "none" has no I/O scheduler, as disks with a queue for
# each CPU have it.
bench_rows='
ext4 psync 1
ext4 uring 1
ext4 uring 32
ext4 uring-adjacent 32
ext4 libaio 1
ext4 libaio 32
ext4 psync-none 1
ext4 uring-none 32
xfs psync 1
xfs uring 1
xfs psync-none 1
xfs uring-none 32
'

bench_engines() {
	local fs engine name depth bytes calls paths usual
	local scheduler=/sys/block/${PHYR_DISK##*/}/queue/scheduler

	usual=$(sed 's/.*\[\(.*\)\].*/\1/' "$scheduler")
	while read -r fs engine depth; do
		[ "$fs" = "$PHYR_FS" ] || continue
		case $engine in
		*-none) echo none ;;
		*) echo "$usual" ;;
		esac >"$scheduler"
		bench_note "$fs, $engine, queue depth $depth"
		# completions are counted with the wait for all of them, and do not interrupt it
		name=${engine%-*}
		[ "$name" != uring ] || name=uringd
		set -- "$name" "$depth"
		[[ $engine != *-adjacent ]] || set -- -a "$@"
		paths=("${bench_all[@]}")
		# it only waits for its reads, so io_uring leaves them to threads of its own
		[[ $name != uringd || ${paths[-1]} != sample=* ]] || unset 'paths[-1]'
		for bytes in 4096 65536 1048576; do
			# P2PDMA goes through QEMU page by page
			calls=$((bytes > 65536 ? depth == 1 ? 8 : 32 : depth == 1 ? 32 : 64))
			t_bench -n $calls -r $((bytes > 65536 ? 5 : 9)) "$@" $bytes "${paths[@]}" \
				>/run/bench || return
			sed "s/^/cost $fs $engine $depth $bytes /" /run/bench
		done
	done <<<"$bench_rows"
	echo "$usual" >"$scheduler"
}

# Functions by what they do; those that this kernel lacks, or has inline, are left out.
bench_functions='
allocations	kmem_cache_alloc_noprof kmem_cache_alloc_lru_noprof kmem_cache_alloc_node_noprof
allocations	__kmalloc_noprof __kmalloc_node_noprof __kmalloc_cache_noprof dma_pool_alloc
dma-maps	dma_map_page_attrs dma_map_sg_attrs dma_map_sgtable dma_map_resource dma_map_phys
dma-maps	iommu_map iommu_map_sg iommu_map_nosync dma_iova_link dma_iova_try_alloc
dma-unmaps	dma_unmap_page_attrs dma_unmap_sg_attrs dma_unmap_resource dma_unmap_phys
dma-unmaps	iommu_unmap iommu_unmap_fast dma_iova_unlink dma_iova_destroy
iotlb-flushes	qi_submit_sync
walks	pin_user_pages_fast iov_iter_extract_pages follow_pfnmap_start walk_page_range
walks	kshim_walk_runs fixup_user_fault
'

# Counts, after the timed part, hits of kprobes while N more reads of each path run.
bench_events() {
	local trace=/sys/kernel/tracing what names name path word bytes

	bench_note "counting what each read calls"
	while read -r what names; do
		for name in $names; do
			echo "p:bench/${what//-/_}__$name $name" >>$trace/kprobe_events 2>/dev/null || true
		done
	done <<<"$bench_functions"
	[ -d $trace/events/bench ] || return 0
	for word in "${bench_all[@]}"; do
		path=${word%%=*}
		[ "$path" != host-thp ] && [ "$path" != copy ] || continue
		for bytes in 4096 65536; do
			bench_hits "$path" "$bytes" "$word" || return
		done
	done
	echo >$trace/kprobe_events
}

# bench_hits PATH BYTES WORD - by the difference of two runs, so that switching the
# kprobes on and off does not count
bench_hits() {
	local path=$1 bytes=$2 word=$3 trace=/sys/kernel/tracing reads

	for reads in 100 1100; do
		awk '{ print $1, $2 }' $trace/kprobe_profile >/run/before
		t_bench -e $trace/events/bench/enable -r 1 -n $reads psync 1 "$bytes" "$word" \
			>/run/bench || return
		awk 'NR == FNR { was[$1] = $2; next }
		{ split($1, part, "__"); hits[part[1]] += $2 - was[$1] }
		END { for (what in hits) print what, hits[what] }' \
			/run/before $trace/kprobe_profile >/run/hits.$reads
	done
	awk -v path="$path" -v bytes="$bytes" 'NR == FNR { was[$1] = $2; next }
	{ printf "count %s %s %s %.2f\n", path, bytes, $1, ($2 - was[$1]) / 1000 }' \
		/run/hits.100 /run/hits.1100
}
