# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Builds in the sysroot: user space, kernel modules and the initramfs of the guests.
# Output lives in the cache, one directory for each checkout; logs lie beside it.

build_dir() {
	local key

	key=$(printf '%s\n' "$LAB_TREE" "$SYSROOT" | sha256sum | cut -c1-12)
	BUILD=$LAB_CACHE/build-$key
	mkdir -p "$BUILD" || die "cannot make $BUILD"
	printf '%s\n' "$LAB_TREE" >"$BUILD/tree"
	[ -n "${build_lock-}" ] && return
	# Two labs in one checkout take turns to build; running is not covered.
	exec {build_lock}>"$BUILD/lock"
	flock -n "$build_lock" || say "waiting for another lab to finish building"
	lab_wait flock "$build_lock"
}

build_unlock() {
	[ -n "${build_lock-}" ] && exec {build_lock}>&-
	build_lock=
}

# build_step NAME COMMAND... - runs in the sysroot, keeps the output in a log
build_step() {
	local name=$1 log=$BUILD/$1.log
	shift
	rm -f "$log"
	step_run "$log" "building $name" sysroot_run "$BUILD" "$@"
}

# build_meson NAME [OPTION...] - configures once, then builds what changed
build_meson() {
	local name=$1
	shift
	[ -f "$LAB_TREE/meson.build" ] || {
		say "this tree has no meson.build"
		return 1
	}
	# shellcheck disable=SC2016
	build_step "$name" sh -c '
		dir=/build/$1
		shift
		if [ "$(cat $dir.options 2>/dev/null)" != "$*" ]; then
			rm -rf $dir
		fi
		[ -f $dir/build.ninja ] || rm -rf $dir
		[ -d $dir ] || meson setup $dir /src "$@"
		echo "$*" >$dir.options
		meson compile -C $dir
	' sh "$name" "$@"
}

build_user() {
	build_dir
	build_meson user --buildtype=debugoptimized
}

# Modules of a kernel. Kbuild writes beside its sources, so it gets a copy of them;
# cp -u keeps the build incremental.
build_modules() {
	local version dir status

	version=$(sysroot_kernel "$1")
	[ -n "$version" ] || die "the sysroot has no kernel $1"
	build_dir
	dir=$BUILD/modules-$version
	build_initramfs "$version" || die "cannot build the initramfs"
	[ -e "$LAB_TREE/kshim/Kbuild" ] || [ -e "$LAB_TREE/kshim/Makefile" ] || {
		say "this tree has no kshim/Kbuild"
		return 1
	}
	mkdir -p "$dir"
	build_sources >"$dir/sources.new"
	if ! cmp -s "$dir/sources" "$dir/sources.new"; then
		rm -rf "${dir:?}/src"
		mv "$dir/sources.new" "$dir/sources"
	fi
	mkdir -p "$dir/src"
	cp -a -u "$LAB_TREE"/{VERSION,include,kshim} "$dir/src/"
	build_step "modules-$version" make -C "/build/modules-$version/src/kshim" \
		"KDIR=$(sysroot_kernel_tree "$version")" "-j$(nproc)" checks
	status=$?
	[ $status = 0 ] || rm -f "$dir"/src/kshim/{,sample/,test/}*.ko
	return $status
}

# build_snapshot VERSION DIR - copies what a guest runs, so that the next build and the
# editor do not pull it from under a running guest
build_snapshot() {
	local modules=$BUILD/modules-$1/src/kshim dir name

	mkdir -p "$2/tests" "$2/build/user" "$2/build/modules" "$2/build/bin"
	for name in basename cat cmp cut dirname head ls mkdir readlink rm rmdir \
		sleep stat sync wc; do
		ln -s /usr/bin/busybox "$2/build/bin/$name"
	done
	cp -a "$LAB_TESTS/vm" "$LAB_TESTS/cases" "$2/tests/"
	cp -a "$modules"/{,sample/,test/}*.ko "$2/build/modules/" 2>/dev/null
	for dir in lib fs tools tests/vm; do
		[ -d "$BUILD/user/$dir" ] || continue
		mkdir -p "$2/build/user/$dir"
		find "$BUILD/user/$dir" -maxdepth 1 ! -type d ! -name '*.a' \
			-exec cp -a -t "$2/build/user/$dir" {} +
	done
}

build_sources() {
	(cd "$LAB_TREE" && find kshim include -type f | LC_ALL=C sort)
}

# The initramfs only finds the real root: busybox and the modules that 9p and overlay
# need, if the kernel has modules at all. Its /init is vm/initramfs.
build_initramfs() {
	local version=$1 image=$BUILD/initramfs-$1

	[ "$image" -nt "$LAB_TESTS/vm/initramfs" ] && return
	# shellcheck disable=SC2016
	build_step "initramfs-$version" bash -eu -o pipefail -c '
		version=$1
		cd /tmp
		mkdir -p bin modules proc sys dev lower machine rw new
		cp /bin/busybox bin/
		cp /src/tests/vm/initramfs init
		chmod +x init
		n=10
		[ ! -d "/lib/modules/$version" ] || for module in 9pnet_virtio 9p overlay; do
			modprobe -S "$version" --show-depends "$module"
		done | while read -r verb path rest; do
			[ "$verb" = insmod ] || continue
			name=${path##*/}
			name=${name%%.ko*}
			[ ! -e modules/*-"$name".ko ] || continue
			case $path in
			*.xz) xz -dc "$path" ;;
			*.zst) zstd -dc "$path" ;;
			*) cat "$path" ;;
			esac >"modules/$n-$name.ko"
			n=$((n + 1))
		done
		find . | cpio --quiet -o -H newc >/build/initramfs.new
		mv /build/initramfs.new "/build/initramfs-$version"
	' sh "$version"
}

# build_all KERNEL... - user space and modules; ends the lab if one does not build
build_all() {
	local kernel

	build_user || die "user space does not build"
	for kernel; do
		build_modules "$kernel" || die "the modules do not build for $kernel"
	done
	build_unlock
}
