# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The sysroot: a Debian 13 tree with toolchain, tools and kernels in which everything
# is built and which the guests use as their root. Kept in the cache, read-only.

SYSROOT_SUITE=trixie
SYSROOT_PACKAGES=(
	# to build
	build-essential meson ninja-build pkgconf scdoc
	libfuse3-dev liburing-dev libaio-dev libxxhash-dev libjson-c-dev libpci-dev check
	libsystemd-dev libseccomp-dev libmount-dev
	# to run and to look
	fuse3 bindfs fio kmod pciutils xfsprogs e2fsprogs fdisk nvme-cli util-linux procps
	git jq strace xxhash busybox-static rsync dmsetup mdadm btrfs-progs
	linux-image-amd64/$SYSROOT_SUITE linux-headers-amd64/$SYSROOT_SUITE
)
# Raise when sysroot_make() changes in a way that old sysroots lack.
SYSROOT_FORMAT=1

sysroot_host_packages() {
	local missing=() log
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y install
		--no-install-recommends)

	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
	command -v nbdkit >/dev/null || missing+=(nbdkit)
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	command -v xxhsum >/dev/null || missing+=(xxhash)
	[ -n "$(sysroot_keyring)" ] || missing+=(debian-archive-keyring)
	[ ${#missing[@]} -eq 0 ] && return

	command -v apt-get >/dev/null || die "please install: ${missing[*]}"
	log=$(sysroot_log packages) || exit
	sysroot_apt_update "$log"
	if ! step_run "$log" "downloading ${missing[*]}" \
		lab_wait "${install[@]}" --download-only "${missing[@]}" ||
		! step_run "$log" "installing them" lab_finish "${install[@]}" "${missing[@]}"; then
		die "apt-get failed; please install: ${missing[*]}"
	fi
}

sysroot_log() {
	local name

	name=$(lab_log_name "$1") || die "cannot write in $LAB_CACHE/logs"
	mktemp "$name" || die "cannot write in $LAB_CACHE/logs"
}

# sysroot_apt_update LOG
sysroot_apt_update() {
	step_run "$1" "updating apt's package lists" lab_wait apt-get -q update ||
		die "apt-get update failed; is apt set up?"
}

sysroot_keyring() {
	local keyring

	for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ -e "$keyring" ] && echo "$keyring" && break
	done
}

# The mirror this machine uses for Debian itself
sysroot_mirror() {
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian|Debian|//p' | head -n 1
}

# Settings of the machine's apt that decide how to reach a mirror, as apt options
sysroot_apt_options() {
	apt-config dump | grep -iE '^Acquire::(http|https)::(.*::)?(Proxy|Proxy-Auto-Detect|Ca[A-Z]*|Verify[-A-Z]*) ' |
		grep -v ' "";$'
}

sysroot_key() {
	printf '%s\n' "$SYSROOT_FORMAT" "$SYSROOT_SUITE" "${SYSROOT_PACKAGES[@]}" |
		sha256sum | cut -c1-12
}

# Names and sizes of all files: a tree that lost something does not match
sysroot_fingerprint() {
	(cd "$1" && find . -xdev -type f ! -path ./.complete -printf '%p %s\n' |
		LC_ALL=C sort | sha256sum | cut -d' ' -f1)
}

sysroot_complete() {
	[ -s "$1/.complete" ] && [ "$(sysroot_fingerprint "$1")" = "$(cat "$1/.complete")" ]
}

sysroot_make() {
	SYSROOT=$LAB_CACHE/sysroot-$(sysroot_key)
	local lock

	exec {lock}>"$SYSROOT.lock"
	flock -n "$lock" || say "waiting for another lab to finish the sysroot"
	lab_wait flock "$lock"
	if ! sysroot_complete "$SYSROOT"; then
		[ -e "$SYSROOT" ] && say "the sysroot in the cache is damaged, making it again"
		rm -rf --one-file-system -- "$SYSROOT" "$SYSROOT".new.*
		sysroot_build "$SYSROOT.new.$$"
		mv -T "$SYSROOT.new.$$" "$SYSROOT" || die "cannot rename the new sysroot"
	fi
	exec {lock}>&-
}

# sysroot_build DIR - about two minutes, most of it downloading and unpacking
sysroot_build() {
	local dir=$1 work log kernel option options=() packages apt

	work=$(mktemp -d "${TMPDIR:-/tmp}/phyrfs-apt.XXXXXX") || die "cannot make a directory"
	lab_litter+=("$work" "$dir")

	log=$(sysroot_log sysroot) || exit
	sysroot_apt_setup "$work" "$log" || die "no package lists, is the network there?"
	step_begin "looking for the newest kernel in $SYSROOT_SUITE-backports"
	kernel=$(sysroot_newest_kernel) || die "no kernel found, is the network there?"
	step_end "$kernel"

	while read -r option; do
		options+=("--aptopt=$option")
	done <"$work/apt.conf"
	for option in doc man locale info; do
		options+=("--dpkgopt=path-exclude=/usr/share/$option/*")
	done
	# passthrough_ll, which the bench compares with
	options+=('--dpkgopt=path-include=/usr/share/doc/libfuse3-dev*')
	# The suite is named because headers may need more from backports than themselves.
	packages=("${SYSROOT_PACKAGES[@]}" "linux-image-$kernel/$SYSROOT_SUITE-backports"
		"linux-headers-$kernel/$SYSROOT_SUITE-backports")
	# The guests have an initramfs of the lab's own.
	TMPDIR=$work step_run "$log" "making a Debian 13 sysroot (about 2 minutes, 1.3 GB)" \
		lab_private mmdebstrap --mode=root --variant=minbase --skip=check/qemu --format=directory \
		--aptopt='APT::Install-Recommends "false"' "${options[@]}" \
		--dpkgopt='path-exclude=/etc/kernel/postinst.d/initramfs-tools' \
		--include="$(IFS=, && echo "${packages[*]}")" \
		--customize-hook='mkdir "$1/src" "$1/build"' \
		"$SYSROOT_SUITE" "$dir" "$work/sources.list" || die "mmdebstrap failed"
	sysroot_fingerprint "$dir" >"$work/complete"
	mv "$work/complete" "$dir/.complete"
	rm -rf -- "$work"
}

# sysroot_apt_setup DIR LOG - an apt of its own in DIR, for the suite and not for this machine,
# with current lists. Sets apt, the options for apt-get and apt-cache.
sysroot_apt_setup() {
	local work=$1 log=$2 mirror keyring

	mirror=$(sysroot_mirror)
	if [ -z "$mirror" ]; then
		sysroot_apt_update "$log"
		mirror=$(sysroot_mirror)
	fi
	[ -n "$mirror" ] || die "apt is not set up with a Debian mirror"
	keyring=$(sysroot_keyring)
	printf "deb [signed-by=$keyring] $mirror %s main\n" \
		$SYSROOT_SUITE $SYSROOT_SUITE-updates $SYSROOT_SUITE-backports >"$work/sources.list"
	sysroot_apt_options >"$work/apt.conf"
	mkdir -p "$work"/{state/lists/partial,cache/archives/partial}
	: >"$work/status"
	apt=(-q -q -c "$work/apt.conf" -o "Dir::State=$work/state" -o "Dir::State::status=$work/status"
		-o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/sources.list"
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root)
	step_run "$log" "reading Debian $SYSROOT_SUITE's package lists" \
		lab_wait apt-get "${apt[@]}" update
}

# The newest backported kernel whose image and headers can both be installed. There
# are kernels on their way in that lack one of the two.
sysroot_newest_kernel() {
	local kernel

	for kernel in $(apt-cache "${apt[@]}" pkgnames linux-image- |
		sed -nE 's/^linux-image-([0-9.]+\+deb[0-9]+-amd64)$/\1/p' | sort -Vr); do
		apt-get "${apt[@]}" -s install --no-install-recommends "${SYSROOT_PACKAGES[@]}" \
			"linux-image-$kernel/$SYSROOT_SUITE-backports" \
			"linux-headers-$kernel/$SYSROOT_SUITE-backports" >/dev/null 2>&1 || continue
		echo "$kernel"
		return
	done
	return 1
}

# Runs COMMAND in the sysroot: the tree at /src and the sysroot itself read-only, DIR
# (build output) at /build, the debug kernel at /mnt if DEBUG_DIR is set. The tree
# SYSROOT_OVER, if set, adds to the sysroot.
sysroot_run() {
	local build=$1
	shift
	# shellcheck disable=SC2016
	lab_private bash -c '
		set -e
		root=$1 tree=$2 build=$3 kernel=$4 over=$5
		shift 5
		if [ -n "$over" ]; then
			mount -t overlay -o "ro,lowerdir=$over:$root" overlay "$root"
		else
			mount --bind "$root" "$root"
			mount -o remount,bind,ro "$root"
		fi
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/tmp"
		mount --bind "$tree" "$root/src"
		mount -o remount,bind,ro "$root/src"
		mount --bind "$build" "$root/build"
		[ -z "$kernel" ] || mount --bind "$kernel" "$root/mnt"
		exec chroot "$root" /usr/bin/env -i HOME=/tmp LC_ALL=C.UTF-8 \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
		sh "$SYSROOT" "$LAB_TREE" "$build" "${DEBUG_DIR-}" "${SYSROOT_OVER-}" "$@"
}

# The full version of a kernel: 6.12, latest or debug
sysroot_kernel() {
	case $1 in
	debug) echo "${DEBUG_DIR##*/}" ;;
	latest) ls "$SYSROOT/lib/modules" | sort -V | tail -n 1 ;;
	*) ls "$SYSROOT/lib/modules" | grep "^${1//./\\.}\." | sort -V | tail -n 1 ;;
	esac
}

# sysroot_kernel_image VERSION, sysroot_kernel_tree VERSION - the kernel, as the host sees
# it, and the directory to build modules with, as what runs in the sysroot sees it
sysroot_kernel_image() {
	case $1 in
	debug-*) echo "$DEBUG_DIR/build/arch/x86/boot/bzImage" ;;
	*) echo "$SYSROOT/boot/vmlinuz-$1" ;;
	esac
}

sysroot_kernel_tree() {
	case $1 in
	debug-*) echo /mnt/build ;;
	*) echo "/lib/modules/$1/build" ;;
	esac
}
