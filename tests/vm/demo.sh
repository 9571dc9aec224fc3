# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The command "demo", host part: boots, collects what show.sh says in the guest, compares
# from outside, and draws the table.

DEMO_BAR_BYTES=$((256 << 20))

cmd_demo() {
	local kernels=(6.12 latest) iommus=(off on) kernel iommu failed=0

	[ "$OPT_KERNEL" = all ] || kernels=("$OPT_KERNEL")
	[ "$OPT_IOMMU" = all ] || iommus=("$OPT_IOMMU")
	demo_source
	lab_prepare
	build_all "${kernels[@]}"
	for kernel in "${kernels[@]}"; do
		for iommu in "${iommus[@]}"; do
			demo_one "$kernel" "$iommu" || failed=1
		done
	done
	return $failed
}

# The file to read: the user's own or random bytes; no more than the BAR holds. It is looked
# at and copied before anything else, so that a wrong one costs no time.
demo_source() {
	local dir from=${OPT_FILE:-/dev/urandom} most=$DEMO_BAR_BYTES

	dir=$(mktemp -d "${TMPDIR:-/tmp}/phyrfs-demo.XXXXXX") || die "cannot make a directory"
	lab_litter+=("$dir")
	demo_file=$dir/source
	[ -n "$OPT_FILE" ] || most=$((64 << 20))
	lab_wait head -c "$((most + 1))" <"$from" >"$demo_file" ||
		die "cannot copy $from to ${dir%/*}"
	demo_bytes=$(stat -c %s "$demo_file")
	[ "$demo_bytes" -gt 0 ] || bad_usage "$OPT_FILE is empty"
	[ "$demo_bytes" -gt "$most" ] || return 0
	[ -z "$OPT_FILE" ] || say "$OPT_FILE is larger than the BAR, taking its first 256 MiB"
	truncate -s "$most" "$demo_file"
	demo_bytes=$most
}

demo_one() {
	local kernel=$1 iommu=$2 facts status

	vm_new "$kernel" "$iommu" '' "$PHYR_LAB_FS"
	vm_repeat="tests/lab demo --kernel $kernel --iommu $iommu${OPT_FILE:+ --file ${OPT_FILE@Q}}"
	vm_job=(demo "$demo_bytes")
	vm_source=$demo_file
	vm_on_line=demo_on_line
	demo_facts=()
	step_begin "booting $kernel, IOMMU $iommu"
	vm_run
	status=$?
	step_end
	facts=$(printf '%s\n' "${demo_facts[@]}")
	# A machine that did not get that far has said why.
	[ -z "$(demo_fact "$facts" 'step pread/vanilla')" ] || demo_table "$facts" "$iommu"
	if [ -n "$OPT_JSON" ]; then
		demo_json "$facts" "$iommu" >&"$LAB_JSON" || return
	fi
	[ "$status" = 0 ] && demo_good "$facts"
}

# Facts are kept, notes begin the next step.
demo_on_line() {
	case $1 in
	"note "*)
		step_end
		step_begin "${1#note }"
		;;
	*) demo_facts+=("$1") ;;
	esac
}

# demo_fact FACTS KEY - the rest of the line that begins with KEY
demo_fact() {
	sed -n "s|^$2 ||p" <<<"$1" | head -n 1
}

demo_engines=(psync libaio io_uring)

# The step of FACTS named NAME, as demo_result, demo_speed, demo_direct and demo_bounced
demo_step() {
	read -r demo_result demo_speed demo_direct demo_bounced <<<"$(demo_fact "$1" "step $2")"
	: "${demo_result:=missing}" "${demo_speed:=0}" "${demo_direct:=0}" "${demo_bounced:=0}"
}

# demo_size BYTES - 513 B, 64 MiB, 37.0 MiB: with a decimal unless that is all of it
demo_size() {
	local unit=1 units=(B KiB MiB GiB) n=0

	while [ "$1" -ge $((unit << 10)) ] && [ $n -lt 3 ]; do
		unit=$((unit << 10)) n=$((n + 1))
	done
	if [ $(($1 % unit)) = 0 ]; then
		echo "$(($1 / unit)) ${units[n]}"
	else
		echo "$(($1 / unit)).$(($1 % unit * 10 / unit)) ${units[n]}"
	fi
}

# demo_count BYTES - 38801633 as 38,801,633 bytes
demo_count() {
	local unit=bytes

	[ "$1" != 1 ] || unit=byte
	echo "$(sed -E ':a; s/([0-9])([0-9]{3})($|,)/\1,\2\3/; ta' <<<"$1") $unit"
}

demo_row() {
	local facts=$1 step=$2 name=$3 result=${4-} speed=-

	demo_step "$facts" "$step"
	# The time of a short read is that of starting the program.
	[ "$demo_speed" = 0 ] || [ "$demo_direct" -lt $((1 << 20)) ] ||
		speed=$(demo_size "$demo_speed")/s
	printf '  %-42s %-20s %10s %12s\n' "$name" "${result:-$demo_result}" \
		"$(demo_size "$demo_direct")" "$speed"
}

# demo_words RESULT - a result of pread for people
demo_words() {
	case $1 in
	EFAULT) echo 'EFAULT, bad address' ;;
	"$demo_bytes") echo ok ;;
	*[!0-9]*) echo "$1" ;;
	*) echo "only $1 bytes" ;;
	esac
}

demo_table() {
	local facts=$1 iommu=$2 engine rule size

	rule=$(printf '%87s' '' | tr ' ' -)
	size=$(demo_count "$demo_bytes")
	[ "$demo_bytes" -lt 1024 ] || size="$(demo_size "$demo_bytes") ($size)"
	printf '\n  %s: %s on %s on %s\n' "$(demo_name)" "$size" "$PHYR_LAB_FS" \
		"$(demo_fact "$facts" disk)"
	printf '  to BAR 2 of PCI device %s, memory without struct pages\n' \
		"$(demo_fact "$facts" bar)"
	printf '  on Linux %s, IOMMU %s\n' "$(demo_fact "$facts" kernel)" "$iommu"
	printf '  Route: %s\n\n' "$(demo_fact "$facts" route)"
	printf '  %-42s %-20s %10s %12s\n  %s\n' '' result direct throughput "$rule"
	demo_step "$facts" pread/vanilla
	demo_row "$facts" pread/vanilla 'the file, pread, without phyrfs' \
		"$(demo_words "$demo_result")"
	demo_step "$facts" pread/phyrfs
	demo_row "$facts" pread/phyrfs 'the file, the same program, on phyrfs' \
		"$(demo_words "$demo_result")"
	for engine in "${demo_engines[@]}"; do
		demo_row "$facts" "fio/$engine/write" "fio's data, $engine, write from the BAR"
		demo_row "$facts" "fio/$engine/read" "fio's data, $engine, read and verify"
	done
	printf '  %s\n' "$rule"
	demo_conclude "$facts"
}

# The user's file as it was named; a name cannot write to the terminal.
demo_name() {
	case $OPT_FILE in
	'') echo 'Random bytes' ;;
	*[[:cntrl:]]*) echo "${OPT_FILE@Q}" ;;
	*) echo "$OPT_FILE" ;;
	esac
}

# What the table shows, in sentences that are true of this run
demo_conclude() {
	local facts=$1 file bar reasons vanilla

	demo_judge "$facts"
	demo_step "$facts" pread/vanilla
	vanilla=$demo_result
	demo_step "$facts" pread/phyrfs
	if [ "$vanilla" != EFAULT ]; then
		echo "  Without phyrfs EFAULT was expected, and not $vanilla."
	elif [ "$demo_result" = "$demo_bytes" ] && [ "$demo_direct" -ge "$demo_bytes" ]; then
		echo '  What failed with EFAULT is direct now: the disk wrote the file into the device.'
	else
		echo '  The file was NOT read directly.'
	fi
	if [ "$demo_direct" -gt "$demo_bytes" ]; then
		printf '  A disk gives whole blocks: %s behind the end of the file came along.\n' \
			"$(demo_count $((demo_direct - demo_bytes)))"
	fi
	[ "$demo_bounced_sum" = 0 ] ||
		printf '  Copied through host memory: %s.\n' "$(demo_count "$demo_bounced_sum")"
	reasons=$(demo_fact "$facts" reasons)
	[ -z "$reasons" ] || printf '  Refused for: %s\n' "$reasons"

	read -r bar file <<<"$(demo_fact "$facts" host)"
	printf '\n  This machine, outside of the guest, %s the file in the memory of the device:\n' \
		"$([ $demo_match = true ] && echo sees || echo 'does NOT see')"
	printf '      XXH3-128 of the file    %s\n' "${file:-unknown}"
	printf '      XXH3-128 of the memory  %s\n' "${bar:-unknown}"

	printf '\n  Throughput is that of an emulated machine; fio also computes checksums.\n'
	printf '  What now: tests/lab demo --file PATH takes your own file, tests/lab shell lets you\n'
	printf '  look around in the guest, and README.md tells how to do this on real hardware.\n\n'
}

# All that has to be true: sets the demo_ok_* that the JSON says
demo_judge() {
	local facts=$1 step

	demo_hash='' demo_match=false demo_direct_sum=0 demo_bounced_sum=0
	read -r demo_hash step <<<"$(demo_fact "$facts" host)"
	[ -n "$demo_hash" ] && [ "$demo_hash" = "$step" ] && demo_match=true
	for step in pread/phyrfs fio/{psync,libaio,io_uring}/{write,read}; do
		demo_step "$facts" "$step"
		demo_direct_sum=$((demo_direct_sum + demo_direct))
		demo_bounced_sum=$((demo_bounced_sum + demo_bounced))
	done
}

# demo_engine FACTS ENGINE - ok if both its lines are
demo_engine() {
	local mode

	for mode in write read; do
		demo_step "$1" "fio/$2/$mode"
		[ "$demo_result" = ok ] || {
			echo failed
			return
		}
	done
	echo ok
}

demo_good() {
	local facts=$1 engine

	demo_judge "$facts"
	demo_step "$facts" pread/vanilla
	[ "$demo_result" = EFAULT ] || return
	demo_step "$facts" pread/phyrfs
	[ "$demo_result" = "$demo_bytes" ] && [ "$demo_direct" -ge "$demo_bytes" ] || return
	[ $demo_match = true ] && [ $demo_bounced_sum = 0 ] || return
	for engine in "${demo_engines[@]}"; do
		[ "$(demo_engine "$facts" "$engine")" = ok ] || return
		demo_step "$facts" "fio/$engine/read"
		[ "$demo_direct" -gt 0 ] || return
	done
}

demo_json() {
	local facts=$1 iommu=$2 engine engines='' speeds='' step name vanilla

	demo_judge "$facts"
	for engine in "${demo_engines[@]}"; do
		engines+="${engines:+,}\"$engine\":\"$(demo_engine "$facts" "$engine")\""
	done
	for step in pread/phyrfs fio/{psync,libaio,io_uring}/{write,read}; do
		demo_step "$facts" "$step"
		name=${step#fio/}
		speeds+="${speeds:+,}\"${name//\//_}\":$demo_speed"
	done
	demo_step "$facts" pread/vanilla
	vanilla=$demo_result
	printf '{"kernel":"%s","iommu":"%s","filesystem":"%s","vanilla":"%s","hash_match":%s' \
		"$(demo_fact "$facts" kernel)" "$iommu" "$PHYR_LAB_FS" "$vanilla" $demo_match
	printf ',"file_bytes":%d,"xxh3_128":"%s","direct_bytes":%d,"bounced_bytes":%d' \
		"$demo_bytes" "$demo_hash" "$demo_direct_sum" "$demo_bounced_sum"
	printf ',"engines":{%s},"bytes_per_second":{%s}}\n' "$engines" "$speeds"
}
