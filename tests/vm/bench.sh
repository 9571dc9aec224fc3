# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The command "bench", host part: boots machines that count instructions, collects what
# measure.sh says in the guest, draws the tables and judges them by the goals.

cmd_bench() {
	local kernels=(6.12 latest) iommus=(off on) kernel iommu failed=0

	[ "$OPT_KERNEL" = all ] || kernels=("$OPT_KERNEL")
	[ "$OPT_IOMMU" = all ] || iommus=("$OPT_IOMMU")
	lab_prepare
	build_all "${kernels[@]}"
	bench_boots=()
	for kernel in "${kernels[@]}"; do
		for iommu in "${iommus[@]}"; do
			bench_one "$kernel" "$iommu" || failed=1
		done
	done
	[ -z "$OPT_JSON" ] || (
		IFS=,
		printf '{"boots":[%s]}\n' "${bench_boots[*]}" >&"$LAB_JSON"
	)
	return $failed
}

bench_one() {
	local kernel=$1 iommu=$2 facts status=0

	bench_facts=()
	vm_new "$kernel" "$iommu" yes ext4
	vm_bench=yes
	bench_boot measure "counting instructions" || status=1
	vm_new "$kernel" "$iommu" yes ext4
	vm_lines=yes
	bench_boot sharing "looking for lines of memory that CPUs share" || status=1
	facts=$(printf '%s\n' "${bench_facts[@]}")
	bench_tables "$iommu" <<<"$facts"
	[ -z "$OPT_JSON" ] || bench_boots+=("$(bench_json "$iommu" <<<"$facts")")
	return $status
}

# bench_boot JOB WHAT - in the machine that is set up; adds to bench_facts
bench_boot() {
	local status

	vm_repeat="tests/lab bench --kernel $vm_kernel --iommu $vm_iommu"
	vm_job=(bench "$1")
	vm_live=yes
	vm_on_line=bench_on_line
	step_begin "booting $vm_kernel, IOMMU $vm_iommu, $2"
	vm_run
	status=$?
	step_end
	return $status
}

# Facts are kept, notes begin the next step.
bench_on_line() {
	case $1 in
	"note "*)
		step_end
		step_begin "${1#note }"
		;;
	*) bench_facts+=("$1") ;;
	esac
}

# bench_tables IOMMU - from the facts on standard input
bench_tables() {
	awk -v iommu="$1" '
	$1 == "kernel" { kernel = $2 }
	$1 == "cost" {
		row = $2 " " $3 " " $4
		if (!(row in seen_row)) { seen_row[row] = 1; rows[++nr_rows] = row }
		if (!($6 in seen_path)) { seen_path[$6] = 1; paths[++nr_paths] = $6 }
		cost[row, $6, $5] = $7
		if ($7) spread[row, $6, $5] = 100 * ($9 - $8) / $7
	}
	$1 == "cold" { cold = $2 }
	$1 == "memory" { memory = $0; sub("memory ", "", memory) }
	$1 == "count" {
		at = $2 " " $3
		if (!(at in seen_at)) { seen_at[at] = 1; ats[++nr_ats] = at }
		if (!($4 in seen_what)) { seen_what[$4] = 1; whats[++nr_whats] = $4 }
		hits[at, $4] = $5
	}
	$1 == "mappings" {
		if (!($3 in seen_memory)) { seen_memory[$3] = 1; memories[++nr_memories] = $3 }
		if (!($2 in seen_count)) { seen_count[$2] = 1; counts[++nr_counts] = $2 }
		mapped[$3, $2] = $4
	}
	$1 == "ranges" {
		if (!($3 in seen_order)) { seen_order[$3] = 1; orders[++nr_orders] = $3 }
		if (!($2 in seen_length)) { seen_length[$2] = 1; lengths[++nr_lengths] = $2 }
		first[$3, $2] = $4; again[$3, $2] = $5
	}
	$1 == "lines" { writes[$2] = $3; shared[$2] = $4 }
	$1 == "line" { writers[++nr_writers] = sprintf("%-34s %9s %9.2f", "  " $2, $3, $4) }
	# growth TEXT FROM TO MOST - how often one is the other, and whether that is good
	function growth(text, from, to, most) {
		printf "  %-44s ", text
		if (from)
			printf "%.2f of %.2f %s\n", to / from, most, to / from <= most ? "met" : "missed"
		else
			printf "-\n"
	}
	function scale(   i, j, at) {
		printf "\n  %-34s", "4 KiB read, process with mappings"
		for (i = 1; i <= nr_counts; i++)
			printf " %9d", counts[i]
		printf "\n"
		for (j = 1; j <= nr_memories; j++) {
			printf "  %-34s", "into " (memories[j] == "host" ? "host memory" : "the " memories[j])
			for (i = 1; i <= nr_counts; i++)
				printf " %9d", mapped[memories[j], counts[i]]
			printf "\n"
		}
		printf "\n  %-34s", "read by 1 MiB, a page; ranges"
		for (i = 1; i <= nr_lengths; i++)
			printf " %9d", lengths[i]
		printf "\n"
		for (j = 1; j <= nr_orders; j++) {
			at = orders[j]
			printf "  %-34s", at ", the first time"
			for (i = 1; i <= nr_lengths; i++)
				printf " %9d", first[at, lengths[i]]
			printf "\n  %-34s", at ", again"
			for (i = 1; i <= nr_lengths; i++)
				printf " %9d", again[at, lengths[i]]
			printf "\n"
		}
	}
	function sharing(   i) {
		printf "\n  %-34s %9s %9s\n", "writes of memory, 4 KiB read", "all", "shared"
		printf "  %-34s %9.2f %9.2f\n", "locked, of the whole kernel",
		       writes["kernel-locked"], shared["kernel-locked"]
		printf "  %-34s %9.2f %9.2f\n", "locked, of the modules",
		       writes["phyr-locked"], shared["phyr-locked"]
		printf "  %-34s %9.2f %9.2f\n", "others, of the modules",
		       writes["phyr-stored"], shared["phyr-stored"]
		for (i = 1; i <= nr_writers; i++)
			printf "  %s\n", writers[i]
	}
	function ratio(row, path, to, bytes) {
		if (!cost[row, path, bytes] || !cost[row, to, bytes])
			return 0
		return cost[row, path, bytes] / cost[row, to, bytes]
	}
	function show(row, path, to,   i, r) {
		for (i = 1; i <= 3; i++) {
			r = ratio(row, path, to, size[i])
			printf r ? " %5.2f" : "     -", r
		}
	}
	function goal(name, format, v1, v2, v3, most,   value, limit, i) {
		value[1] = v1; value[2] = v2; value[3] = v3
		split(most, limit, " ")
		printf "  %-44s", name
		for (i = 1; i <= 3; i++)
			if (value[i] == 0)
				printf " %20s", "-"
			else
				printf " %20s", sprintf(format " of " format " %s", value[i],
				       limit[i], value[i] <= limit[i] ? "met   " : "missed")
		printf "\n"
	}
	END {
		split("4096 65536 1048576", size, " ")
		line = sprintf("%107s", ""); gsub(" ", "-", line)
		printf "\n  phyrfs on Linux %s, IOMMU %s: instructions of a read, medians of 9 samples, at 1 MiB 5\n\n",
		       kernel, iommu == "on" ? "on and strict" : "off"
		printf "  %-25s %-10s %8s %8s %9s  %6s  %-17s  %s\n", "", "path", "4 KiB",
		       "64 KiB", "1 MiB", "spread", "  to host-huge", nr_paths ? "  to p2pdma" : ""
		for (r = 1; r <= nr_rows; r++) {
			row = rows[r]
			split(row, part, " ")
			printf "  %s\n", line
			for (p = 1; p <= nr_paths; p++) {
				path = paths[p]
				if (!cost[row, path, 4096])
					continue
				printf "  %-25s %-10s", part[1] " " part[2] " qd " part[3], path
				most = 0
				for (i = 1; i <= 3; i++) {
					printf " %8d", cost[row, path, size[i]]
					if (spread[row, path, size[i]] > most)
						most = spread[row, path, size[i]]
				}
				printf "  %5.1f%% ", most
				show(row, path, "host-huge")
				printf " "
				show(row, path, "p2pdma")
				printf "\n"
			}
		}
		printf "  %s\n", line
		if (cold != "")
			printf "  First read into a fresh mapping, per page of it: %d more (goal 100: %s)\n",
			       cold, cold <= 100 ? "met" : "missed"
		if (memory != "")
			printf "  Kept with all of the BAR read into: %s\n", memory
		printf "\n  %-22s", "calls per read, pread"
		for (w = 1; w <= nr_whats; w++)
			printf " %13s", whats[w]
		printf "\n"
		for (a = 1; a <= nr_ats; a++) {
			split(ats[a], part, " ")
			printf "  %-12s %9d", part[1], part[2]
			for (w = 1; w <= nr_whats; w++)
				printf " %13.2f", hits[ats[a], whats[w]]
			printf "\n"
		}
		scale()
		sharing()
		printf "\n  %-44s %20s %20s %20s\n", "goals", "4 KiB", "64 KiB", "1 MiB"
		q = "ext4 psync 1"
		if (kernel ~ /^6\.12/)
			goal("pread into the BAR", "%d", cost[q, "phyr", 4096],
			     cost[q, "phyr", 65536], cost[q, "phyr", 1048576], "8300 9000 13000")
		goal("pread, ratio to host memory (ext4)", "%.2f", ratio(q, "phyr", "host-huge", 4096),
		     ratio(q, "phyr", "host-huge", 65536), ratio(q, "phyr", "host-huge", 1048576),
		     "0.70 0.70 0.55")
		goal("pread, ratio to host memory (same mount)", "%.2f",
		     ratio(q, "phyr", "host-mount", 4096), ratio(q, "phyr", "host-mount", 65536),
		     ratio(q, "phyr", "host-mount", 1048576), "0.70 0.70 0.55")
		goal("pread, ratio to P2PDMA", "%.2f", ratio(q, "phyr", "p2pdma", 4096),
		     ratio(q, "phyr", "p2pdma", 65536), ratio(q, "phyr", "p2pdma", 1048576),
		     "0.80 0.40 0.06")
		q = "ext4 uring 32"
		goal("io_uring, depth 32, ratio to host memory", "%.2f",
		     ratio(q, "phyr", "host-huge", 4096), ratio(q, "phyr", "host-huge", 65536),
		     ratio(q, "phyr", "host-huge", 1048576), "0.80 0.75 0.60")
		q = "ext4 psync-none 1"
		goal("pread, no scheduler, ratio to host memory", "%.2f",
		     ratio(q, "phyr", "host-huge", 4096), ratio(q, "phyr", "host-huge", 65536),
		     ratio(q, "phyr", "host-huge", 1048576), "0.72 0.68 0.40")
		q = "ext4 uring-none 32"
		goal("io_uring, depth 32, no scheduler, the same", "%.2f",
		     ratio(q, "phyr", "host-huge", 4096), ratio(q, "phyr", "host-huge", 65536),
		     ratio(q, "phyr", "host-huge", 1048576), "0.78 0.70 0.42")
		printf "\n"
		for (i = 1; i <= nr_memories; i++)
			growth(counts[nr_counts] " mappings to " counts[1] ", " memories[i],
			       mapped[memories[i], counts[1]],
			       mapped[memories[i], counts[nr_counts]], 1.03)
		for (i = 1; i <= nr_orders; i++)
			growth(lengths[nr_lengths] " ranges to " lengths[1] ", " orders[i],
			       first[orders[i], lengths[1]],
			       first[orders[i], lengths[nr_lengths]], 1.10)
		sum = shared["phyr-locked"] + shared["phyr-stored"]
		printf "  %-44s ", "writes of the modules to shared lines"
		if ("phyr-stored" in writes)
			printf "%.2f of 0.50 %s\n", sum, sum <= 0.5 ? "met" : "missed"
		else
			printf "-\n"
		printf "\n"
	}'
}

# bench_json IOMMU - one object from the facts on standard input
bench_json() {
	awk -v iommu="$1" '
	function add(list, item) { return list (list == "" ? "" : ",") item }
	$1 == "kernel" { kernel = $2 }
	$1 == "cost" {
		costs = add(costs, sprintf("{\"fs\":\"%s\",\"engine\":\"%s\",\"depth\":%d," \
			"\"bytes\":%d,\"path\":\"%s\",\"median\":%d,\"least\":%d,\"most\":%d}",
			$2, $3, $4, $5, $6, $7, $8, $9))
	}
	$1 == "count" {
		counts = add(counts, sprintf("{\"path\":\"%s\",\"bytes\":%d,\"what\":\"%s\"," \
			"\"per_read\":%s}", $2, $3, $4, $5))
	}
	$1 == "cold" { cold = $2 }
	$1 == "memory" { memory = $7 }
	$1 == "mappings" {
		mappings = add(mappings, sprintf("{\"count\":%d,\"memory\":\"%s\",\"median\":%d," \
			"\"least\":%d,\"most\":%d}", $2, $3, $4, $5, $6))
	}
	$1 == "ranges" {
		ranges = add(ranges, sprintf("{\"count\":%d,\"order\":\"%s\",\"first\":%d," \
			"\"again\":%d}", $2, $3, $4, $5))
	}
	$1 == "lines" {
		lines = add(lines, sprintf("{\"what\":\"%s\",\"all\":%s,\"shared\":%s}", $2, $3, $4))
	}
	END {
		printf "{\"kernel\":\"%s\",\"iommu\":\"%s\",\"costs\":[%s],\"counts\":[%s]," \
		       "\"cold_per_page\":%s,\"region_bytes\":%s,\"mappings\":[%s]," \
		       "\"ranges\":[%s],\"lines\":[%s]}", kernel, iommu, costs, counts,
		       cold == "" ? "null" : cold, memory == "" ? "null" : memory, mappings, ranges,
		       lines
	}'
}
