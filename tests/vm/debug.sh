# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The debug kernel: Debian's source of 6.12 with debug.config. Built once for each
# version of the source and of the config, and kept in the cache.
#
#	debug-VERSION-HASH/source	the source
#	debug-VERSION-HASH/build	what was built, for modules to build against
#	debug-VERSION-HASH/complete	only in one that is whole
#
# While something runs in the sysroot it is at /mnt.

DEBUG_SOURCE=linux-source-6.12
DEBUG_TOOLS=(bc bison flex libelf-dev)

debug_hash() {
	sha256sum <"$LAB_TESTS/vm/debug.config" | cut -c1-12
}

# Prints the directory of the newest that is complete; fails if there is none.
debug_cached() {
	local dir

	dir=$(ls -d "$LAB_CACHE"/debug-*-"$(debug_hash)"/complete 2>/dev/null |
		sort -V | tail -n 1)
	[ -n "$dir" ] && echo "${dir%/complete}"
}

# Sets DEBUG_DIR, after making it if needed. Without a cached one it needs the network.
debug_make() {
	local lock work

	exec {lock}>"$LAB_CACHE/debug.lock"
	flock -n "$lock" || say "waiting for another lab to finish the debug kernel"
	lab_wait flock "$lock"
	if ! DEBUG_DIR=$(debug_cached); then
		work=$(mktemp -d "$LAB_CACHE/debug.new.XXXXXX") || die "cannot make a directory"
		lab_litter+=("$work")
		debug_build "$work"
	fi
	exec {lock}>&-
}

# debug_build DIR - each step with its seconds, in one log
debug_build() {
	local work=$1 tools=$1/tools log version deb

	mkdir "$tools" "$work/source"
	log=$(sysroot_log debug) || exit
	sysroot_apt_setup "$work" "$log" || die "no package lists, is the network there?"
	# What the sysroot lacks to build a kernel lies over it for this one build.
	step_run "$log" "downloading ${DEBUG_TOOLS[*]}" lab_wait apt-get "${apt[@]}" \
		-o "Dir::State::status=$SYSROOT/var/lib/dpkg/status" \
		-y --download-only --no-install-recommends -t "$SYSROOT_SUITE" \
		install "${DEBUG_TOOLS[@]}" || die "cannot fetch the tools"
	for deb in "$work"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$tools" || die "cannot unpack $deb"
	done
	step_run "$log" "downloading $DEBUG_SOURCE" lab_wait env -C "$work" apt-get "${apt[@]}" \
		-t "$SYSROOT_SUITE" download "$DEBUG_SOURCE" || die "cannot fetch $DEBUG_SOURCE"
	deb=$(ls "$work/${DEBUG_SOURCE}"_*.deb)
	version=$(dpkg-deb -f "$deb" Version) || die "cannot read $deb"
	DEBUG_DIR=$LAB_CACHE/debug-${version//[!0-9A-Za-z.+-]/_}-$(debug_hash)

	say "unpacking $DEBUG_SOURCE $version"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/$DEBUG_SOURCE.tar.xz" |
		tar -xJ --strip-components=1 -C "$work/source" || die "cannot unpack $deb"
	debug_compile "$work" "$log"
	rm -rf -- "${DEBUG_DIR:?}" "$tools" "$deb" "$work"/{cache,state}
	mv -T "$work" "$DEBUG_DIR" || die "cannot rename the new debug kernel"
	say "the debug kernel is $DEBUG_DIR"
}

# The kernel has no modules, but their target writes the symbols that ours are built against.
debug_compile() {
	local DEBUG_DIR=$1 SYSROOT_OVER=$1/tools
	local log=$2

	mkdir "$1/build"
	cp "$LAB_TESTS/vm/debug.config" "$1/config"
	debug_configure "$1" || die "the debug kernel's config failed, see $1"
	# shellcheck disable=SC2016
	step_run "$log" "making the debug kernel (a quarter of an hour or more, 5 GB)" \
		sysroot_run "$1" sh -c '
			make -C /mnt/build "-j$(nproc)" bzImage modules modules_prepare &&
				[ -s /mnt/build/Module.symvers ] &&
				: >/mnt/complete' || die "the debug kernel does not build"
	# The rest of it is of no use any more.
	find "$1/build" \( -name '*.o' -o -name '*.a' -o -name '.tmp_vmlinux*' \) \
		! -path '*/scripts/*' ! -path '*/tools/*' -delete
}

# Every line of the config has to be in effect: what kconfig drops, it drops silently.
debug_configure() {
	# shellcheck disable=SC2016
	sysroot_run "$1" sh -c '
		make -s -C /mnt/source O=/mnt/build KCONFIG_ALLCONFIG=/mnt/config allnoconfig &&
			! grep CONFIG_ /mnt/config | grep -vxFf /mnt/build/.config' >&2
}
