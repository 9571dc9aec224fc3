# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The command "test": unit tests in the sysroot, then the cases of tests/cases in VMs.
#
# A boot is one VM and its cases; most cases of a filesystem share one, those that say
# "# boot: own" get their own. Boots run two at a time, each in a shell of its own that
# writes results to a file; the command line that repeats a case is printed with each
# failure.
#
# Kernel, IOMMU and filesystem are covered in pairs: each case runs on each of them, but not
# on each combination, which --full does.

# A boot takes some twenty seconds; a long list that is left alone at the end takes minutes.
TEST_BOOT_CASES=20

cmd_test() {
	local units='' wanted=(6.12 latest host) kernels=() iommus=(off on) kernel
	local native_first=''

	[ "$OPT_KERNEL" = all ] || wanted=("$OPT_KERNEL")
	[ "$OPT_IOMMU" = all ] || iommus=("$OPT_IOMMU")
	test_select
	lab_prepare
	test_dir=$(mktemp -d "${TMPDIR:-/tmp}/phyrfs-test.XXXXXX") || die "cannot make a directory"
	lab_litter+=("$test_dir")
	: >"$test_dir/results"

	[ -z "$units" ] || test_unit
	if [ ${#test_cases[@]} -gt 0 ]; then
		build_user || test_result FAIL build/user 0 "does not build"
		for kernel in "${wanted[@]}"; do
			[ "$kernel" != debug ] || debug_make
			if [ "$kernel" = host ] || build_modules "$kernel"; then
				kernels+=("$kernel")
			else
				test_result FAIL "build/modules-$kernel" 0 "does not build"
			fi
		done
		if [ -z "$OPT_FULL" ] && [[ " ${kernels[*]} " == *" host "* ]] &&
			(cd "$LAB_TESTS/cases" && grep -q '^# host: first' "${test_cases[@]/%/.sh}") &&
			native_works; then
			native_first=yes
		fi
		test_plan
		grep -q '^FAIL build/user' "$test_dir/results" || {
			fresh_prepare "${test_boots[@]}"
			build_unlock
			test_run_boots
		}
	fi
	test_summary
}

# Sets units and test_cases (SUITE/CASE...) from the words of the command line.
test_select() {
	local word file found

	test_cases=()
	[ ${#OPT_WORDS[@]} -gt 0 ] || OPT_WORDS=(unit '*')
	for word in "${OPT_WORDS[@]}"; do
		if [ "$word" = unit ]; then
			units=yes
			continue
		fi
		found=
		case $word in
		*/*) word=${word%.sh} ;;
		*) word+=/* ;;
		esac
		for file in "$LAB_TESTS"/cases/$word.sh; do
			[ -f "$file" ] || continue
			found=${file#"$LAB_TESTS/cases/"}
			test_cases+=("${found%.sh}")
		done
		[ -n "$found" ] || [ "$word" = '*/*' ] || bad_usage "there is no suite or case '${word%/\*}'"
	done
}

test_header() {
	sed -n "/^#/!q; s/^# $2: *//p" "$LAB_TESTS/cases/$1.sh" | head -n 1
}

# Sets test_boots, from kernels, iommus and test_cases: KERNEL IOMMU KIND FS:SUITE/CASE...
test_plan() {
	local name kernel iommu fs kind key items i nr
	local -A boots=()

	test_boots=()
	for name in "${test_cases[@]}"; do
		while read -r kernel iommu fs kind; do
			if [[ $kind =~ ^(shared|native|fresh)$ ]]; then
				boots["$kernel $iommu $kind $fs"]+=" $fs:$name"
			else
				test_boots+=("$kernel $iommu $kind $fs:$name")
			fi
		done < <(test_places "$name")
	done
	for key in "${!boots[@]}"; do
		read -r -a items <<<"${boots[$key]}"
		nr=$(((${#items[@]} + TEST_BOOT_CASES - 1) / TEST_BOOT_CASES))
		nr=$(((${#items[@]} + nr - 1) / nr))
		for ((i = 0; i < ${#items[@]}; i += nr)); do
			test_boots+=("${key% *} ${items[*]:i:nr}")
		done
	done
}

# test_places NAME - where a case runs, a line KERNEL IOMMU FS KIND each
test_places() {
	local name=$1 on=() at=("${iommus[@]}") fs=(ext4 xfs) kind=shared native='' only any kernel
	local host

	# a tree of its own: once
	if [ -n "$(test_header "$name" root)" ]; then
		[[ " ${kernels[*]} " != *" 6.12 "* ]] ||
			echo "6.12 ${iommus[0]} none $(test_header "$name" root)"
		return
	fi
	only=$(test_header "$name" kernel) any=$(test_header "$name" fs)
	[ "$(test_header "$name" boot)" != own ] || kind=own
	[ "$(test_header "$name" iommu)" != any ] || at=("${iommus[0]}")
	if [ "$(test_header "$name" icount)" = yes ]; then
		# Counting instructions is about phyr's path, which no IOMMU changes.
		kind=icount any=any at=("${iommus[0]}")
	elif [ "$(test_header "$name" lines)" = yes ]; then
		kind=lines any=any at=("${iommus[0]}")
	fi
	[ "$any" != any ] || fs=(ext4)
	for kernel in "${kernels[@]}"; do
		[ "$kernel" != host ] || continue
		[ -z "$only" ] || [ "$kernel" = "$only" ] || continue
		# Nobody counts instructions of the debug kernel.
		[ "$kernel" = debug ] && [[ $kind =~ ^(icount|lines)$ ]] && continue
		on+=("$kernel")
	done
	host=$(test_header "$name" host)
	[ -z "$host" ] || [[ " ${kernels[*]} " != *" host "* ]] || native=yes
	[ "$host" != first ] || [ -z "$native_first" ] || on=()
	[ ${#on[@]} = 0 ] || test_combine
	[ -n "$native" ] || return 0
	on=(host) at=(-) fs=(ext4 xfs) kind=native
	test_combine
}

# All combinations of on, at and fs, with --full; otherwise as many as it takes for each of
# them to occur, and by the name of the case which with which: over all cases each pair of a
# kernel, an IOMMU and a filesystem occurs. Where one filesystem tells it all, but both are
# at hand, it is one of them; and what runs on this machine's own kernel, too, on both
# filesystems, runs on one of the others and one of these.
test_combine() {
	local kernel iommu type nr=${#on[@]} i hash

	if [ -n "$OPT_FULL" ]; then
		for kernel in "${on[@]}"; do
			for iommu in "${at[@]}"; do
				for type in "${fs[@]}"; do
					echo "$kernel $iommu $type $kind"
				done
			done
		done
		return
	fi
	hash=$(cksum <<<"$name")
	hash=${hash%% *}
	[ -z "$native" ] || nr=1
	[ $nr -ge ${#at[@]} ] || nr=${#at[@]}
	[ "$any" = any ] || [ "$native $kind" = "yes shared" ] || [ $nr -ge ${#fs[@]} ] ||
		nr=${#fs[@]}
	for ((i = 0; i < nr; i++)); do
		echo "${on[(i + hash / 4) % ${#on[@]}]} ${at[(i + hash) % ${#at[@]}]}" \
			"${fs[(i + hash / 2) % ${#fs[@]}]} $kind"
	done
}

# test_result ok|FAIL|skip NAME SECONDS [REASON]
test_result() {
	printf '%s %s\n' "$1" "$2" >>"$test_dir/results"
	printf '%-4s  %-52s %6s  %s\n' "$1" "$2" "$3" "${4-}"
}

test_unit() {
	local result name seconds

	build_dir
	if ! build_meson unit --buildtype=debugoptimized -Db_sanitize=address,undefined \
		-Db_lundef=false; then
		test_result FAIL unit/build 0 "does not build"
		return
	fi
	rm -f "$BUILD/unit.results"
	# shellcheck disable=SC2016
	build_step unit-tests sh -c '
		meson test -C /build/unit --no-rebuild --suite unit --print-errorlogs
		status=$?
		jq -r "[.result, .name, (.duration * 10 | round / 10)] | @tsv" \
			/build/unit/meson-logs/testlog.json >/build/unit.results
		exit $status
	'
	[ -s "$BUILD/unit.results" ] || test_result FAIL unit/run 0 "there are no unit tests"
	while read -r result name seconds; do
		name=unit/${name##* }
		case $result in
		OK) test_result ok "$name" "$seconds" ;;
		SKIP) test_result skip "$name" "$seconds" ;;
		*) test_result FAIL "$name" "$seconds" "$result, see $BUILD/unit-tests.log" ;;
		esac
	done < <(cat "$BUILD/unit.results" 2>/dev/null)
}

# Starts with the boots of most cases, so that none of them is left alone at the end.
test_run_boots() {
	local boot width

	mapfile -t test_boots < <(printf '%s\n' "${test_boots[@]}" |
		awk 'NF { print NF, $0 }' | sort -s -k 1,1nr | cut -d ' ' -f 2-)
	width=$(nproc)
	[ "$width" -le 2 ] || width=2
	say "${#test_boots[@]} boots, $width at a time"
	for boot in "${test_boots[@]}"; do
		while [ "$(jobs -pr | wc -l)" -ge "$width" ]; do
			wait -n
		done
		(
			trap lab_cleanup EXIT
			trap 'exit 143' TERM
			lab_litter=()
			# shellcheck disable=SC2086
			test_boot $boot
		) &
	done
	wait
}

# test_boot KERNEL IOMMU KIND FS:SUITE/CASE... - all its cases, with another VM for what
# is left when one takes the guest down
test_boot() {
	local kernel=$1 iommu=$2 kind=$3 icount='' status before
	shift 3

	case $kind in
	native)
		native_boot "$@"
		return
		;;
	chroot)
		fresh_chroot "$@"
		return
		;;
	fresh) fresh_install || return ;;
	esac
	[[ ! $kind =~ ^(icount|lines)$ ]] || icount=yes
	test_left=("$@") test_again=
	while [ ${#test_left[@]} -gt 0 ]; do
		vm_new "$kernel" "$iommu" "$icount" ext4
		[ "$kind" != fresh ] || fresh_boot
		[ "$kind" != own ] || vm_device=$(test_header "${1#*:}" device)
		[ "$kind" != lines ] || vm_lines=yes
		vm_job=(suite "${test_left[@]}")
		vm_on_line=test_on_line
		vm_timeout=0
		vm_quiet=yes
		test_now='' test_failed=() test_spoilt=
		before=${#test_left[@]}
		vm_run
		status=$?
		if [[ $vm_result == *"Oops: int3"* ]] && [ -z "$test_again" ]; then
			# QEMU before 8.1 may run code that another CPU is just changing
			# (ftrace, static keys) in a mixture of old and new. Once is chance.
			test_again=yes
			before=$((before + 1))
			printf 'again %s: %s at %s, a fault of old QEMUs\n' \
				"$kernel/$iommu/${test_left[0]-}" "$vm_result" \
				"$(grep -aoE -m 1 'RIP: 0010:[^ ]+' "$vm_log/console")"
		elif [ "$status" != 0 ] || [ -n "$vm_result" ]; then
			test_again=
			if [ ${#test_left[@]} -gt 0 ]; then
				# The case that ran, or the first when the boot failed
				test_end "${test_left[0]}" 1 0 "${vm_result:-the guest gave up}"
			elif [ ${#test_failed[@]} = 0 ]; then
				test_end "all:$kind/kernel-log" 1 0 "${vm_result:-the guest gave up}"
			fi
		elif [ ${#test_left[@]} -gt 0 ] && [ -z "$test_spoilt" ]; then
			test_end "${test_left[0]}" 1 0 "the guest ended without a word about it"
		fi
		if [ ${#test_failed[@]} -gt 0 ]; then
			test_explain
		else
			rm -rf -- "$vm_log"
		fi
		[ ${#test_left[@]} -lt "$before" ] || break
	done
}

test_on_line() {
	local verb item number seconds reason

	read -r verb item number seconds reason <<<"$1"
	case $verb in
	begin)
		test_now=$item
		# The guest enforces the limit; this is for a guest that cannot any more.
		vm_deadline=$((SECONDS + number * (${#vm_icount} + 1) + 90))
		;;
	spoilt) test_spoilt=yes ;;
	end)
		vm_deadline=0
		test_end "$item" "$number" "$seconds" "$reason"
		;;
	esac
}

# test_end FS:SUITE/CASE STATUS SECONDS REASON
test_end() {
	local item=$1 name word=FAIL rest

	name=$vm_kernel/$vm_iommu/${item%%:*}/${item#*:}
	case $2 in
	0) word=ok ;;
	77) word=skip ;;
	*) test_failed+=("$item") ;;
	esac
	test_result "$word" "$name" "$3" "$4"
	test_now=
	rest=("${test_left[@]:1}")
	[ "${test_left[0]-}" != "$item" ] || test_left=("${rest[@]}")
}

# After a boot with failures: what the failed cases said, and how to get there again
test_explain() {
	local item

	for item in "${test_failed[@]}"; do
		{
			printf -- '--- %s\n' "$vm_kernel/$vm_iommu/${item%%:*}/${item#*:}"
			sed -n "\|^=== begin $item\$|,\|^=== end $item:|p" "$vm_log/out" | tail -n 25
			printf 'logs: %s\n' "$vm_log"
			printf 'repeat: tests/lab test --kernel %s --iommu %s %s\n---\n' \
				"$vm_kernel" "$vm_iommu" "${item#*:}"
		} >"$test_dir/explain.$BASHPID"
		cat "$test_dir/explain.$BASHPID"
	done
}

test_summary() {
	local passed failed skipped

	passed=$(grep -c '^ok ' "$test_dir/results")
	failed=$(grep -c '^FAIL ' "$test_dir/results")
	skipped=$(grep -c '^skip ' "$test_dir/results")
	if [ "$failed" != 0 ]; then
		printf '\nfailed:\n'
		sed -n 's/^FAIL /  /p' "$test_dir/results"
		printf '\n'
	fi
	if [ $((passed + failed + skipped)) = 0 ]; then
		say "nothing was run"
		failed=1
	fi
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ]
}
