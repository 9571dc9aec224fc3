# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Cases of the filesystem ("# host: yes", "first") on this machine's own kernel, if it has FUSE
# passthrough: in the sysroot, with namespaces of their own for mounts and processes, on a
# filesystem in a file. No VM; what a case leaves behind ends with its namespaces.

# Can cases run here, on each of the filesystems?
native_works() {
	local fs

	for fs in ext4 xfs; do
		sysroot_run "$BUILD" timeout -k 10 60 bash /src/tests/vm/native "$fs" \
			>/dev/null 2>&1 || return
	done
}

# native_boot FS:SUITE/CASE...
native_boot() {
	local item

	for item; do
		native_case "$item"
	done
}

native_case() {
	local item=$1 name=host/${1/://} log start=$SECONDS status reason limit

	limit=$(test_header "${item#*:}" time)
	log=$(mktemp "$test_dir/native.XXXXXX")
	sysroot_run "$BUILD" timeout -k 10 "${limit:-60}" \
		bash /src/tests/vm/native "${item%%:*}" "${item#*:}" >"$log" 2>&1
	status=$?
	reason=$(tail -n 1 "$log")
	case $status in
	0) test_result ok "$name" $((SECONDS - start)) ;;
	77) test_result skip "$name" $((SECONDS - start)) "$reason" ;;
	*)
		test_result FAIL "$name" $((SECONDS - start)) "$reason"
		printf -- '--- %s\n%s\nrepeat: tests/lab test --kernel host %s\n---\n' "$name" \
			"$(tail -n 25 "$log")" "${item#*:}"
		;;
	esac
}
