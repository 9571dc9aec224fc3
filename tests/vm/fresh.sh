# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A fresh Debian 13 for the cases of the suite "install": nothing in it but what the installer
# leaves and what README's lines with apt ask for. README's other commands run in it, too,
# as a user who may use sudo: those that build and install here, in a chroot over the tree,
# and then a guest whose root it is, with its own systemd and kernel, does the rest.

# Of its user, who has the source of phyrfs.
FRESH_HOME=/home/user
FRESH_PACKAGES=(systemd-sysv udev dbus kmod sudo e2fsprogs linux-image-amd64)
# Raise when fresh_build() changes in a way that old trees lack.
FRESH_FORMAT=1

fresh_readme() {
	README=$LAB_TREE/README.md "$LAB_TESTS/vm/readme" "$@" || die "README has no commands: $*"
}

# README's lines with apt, with what follows a backslash
fresh_apt() {
	{
		fresh_readme Install && fresh_readme 'With DKMS' 1
	} | awk '/^sudo apt / { more = 1 } more { print; more = /\\$/ }'
}

# Sets FRESH to the tree, after making it if needed. User space has to be built.
fresh_make() {
	local lock

	FRESH=$LAB_CACHE/fresh-$({
		printf '%s\n' "$FRESH_FORMAT" "$SYSROOT_SUITE" "${FRESH_PACKAGES[@]}"
		fresh_apt
	} | sha256sum | cut -c1-12)
	exec {lock}>"$FRESH.lock"
	flock -n "$lock" || say "waiting for another lab to finish the fresh Debian"
	flock "$lock"
	if ! sysroot_complete "$FRESH"; then
		rm -rf --one-file-system -- "$FRESH" "$FRESH".new.*
		fresh_build "$FRESH.new.$$"
		mv -T "$FRESH.new.$$" "$FRESH" || die "cannot rename the fresh Debian"
	fi
	exec {lock}>&-
	FRESH_VERSION=$(ls "$FRESH/lib/modules" | sort -V | tail -n 1)
}

# fresh_build DIR - about a minute, and 1.3 GB
fresh_build() {
	local dir=$1 work option options=() log FRESH=$1 FRESH_VERSION

	work=$(mktemp -d "${TMPDIR:-/tmp}/phyrfs-apt.XXXXXX") || die "cannot make a directory"
	lab_litter+=("$work" "$dir")
	log=$(sysroot_log fresh) || exit
	sysroot_apt_setup "$work" "$log" || die "no package lists, is the network there?"
	while read -r option; do
		options+=("--aptopt=$option")
	done <"$work/apt.conf"
	for option in doc locale info; do
		options+=("--dpkgopt=path-exclude=/usr/share/$option/*")
	done
	grep -v backports "$work/sources.list" >"$work/fresh.list"
	TMPDIR=$work step_run "$log" "making a fresh Debian 13 (about 30 s)" \
		lab_private mmdebstrap --mode=root --variant=minbase --skip=check/qemu --format=directory \
		--aptopt='APT::Get::Assume-Yes "true"' "${options[@]}" \
		--dpkgopt='path-exclude=/etc/kernel/postinst.d/initramfs-tools' \
		--include="$(IFS=, && echo "${FRESH_PACKAGES[*]}")" \
		"$SYSROOT_SUITE" "$dir" "$work/fresh.list" || die "mmdebstrap failed"
	fresh_furnish "$dir"
	FRESH_VERSION=$(ls "$dir/lib/modules")
	fresh_apt >"$dir$FRESH_HOME/apt"
	step_run "$log" "installing what README says with apt (about 30 s, 1.1 GB)" \
		fresh_run '' sh -c 'apt-get -q update && su - user -c "sh -eux apt" && rm ~user/apt' ||
		die "README's lines with apt fail"
	rm -rf "$dir"/var/lib/apt/lists/* "$dir"/var/cache/apt/*.bin "$dir"/var/cache/apt/archives/*.deb
	# As on a machine that has booted before: else the first boot would run ldconfig.
	touch "$dir"/{etc,var}/.updated
	sysroot_fingerprint "$dir" >"$work/complete"
	mv "$work/complete" "$dir/.complete"
	rm -rf -- "$work"
}

# fresh_furnish DIR - what the installer asks for: a name, a user, and where the disk goes
fresh_furnish() {
	echo debian >"$1/etc/hostname"
	printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >"$1/etc/hosts"
	tr -d - </proc/sys/kernel/random/uuid >"$1/etc/machine-id"
	chroot "$1" useradd -m -s /bin/bash user
	echo 'user ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/user"
	echo '/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_phyr-disk /data ext4 x-systemd.makefs 0 0' \
		>"$1/etc/fstab"
	# The guest's job is a service of it.
	cat >"$1/etc/systemd/system/lab.service" <<'END'
[Service]
ExecStart=/bin/bash /lab/tests/vm/init
[Install]
WantedBy=multi-user.target
END
	ln -s ../lab.service "$1/etc/systemd/system/multi-user.target.wants/"
}

# fresh_run UPPER COMMAND... - in the fresh tree, as if its kernel were running. What changes
# goes into the directory UPPER, or into the tree itself.
fresh_run() {
	local upper=$1
	shift
	# shellcheck disable=SC2016
	lab_private unshare --uts bash -c '
		set -e
		root=$1 upper=$2 release=$3 uname=$4 sysroot=$5
		shift 5
		cat "$root/etc/hostname" >/proc/sys/kernel/hostname
		if [ -n "$upper" ]; then
			mount -t overlay -o "lowerdir=$root,upperdir=$upper/root,workdir=$upper/work" \
				overlay "$root"
		else
			mount --bind "$root" "$root"
		fi
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/run"
		mount -t tmpfs tmpfs "$root/tmp"
		mkdir "$root/run/sysroot"
		mount --bind "$sysroot" "$root/run/sysroot"
		mount -o remount,bind,ro "$root/run/sysroot"
		cp "$uname" "$root/run/uname.so"
		ln -s "$release" "$root/run/release"
		echo /run/uname.so >"$root/etc/ld.so.preload"
		status=0
		chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" || status=$?
		rm "$root/etc/ld.so.preload"
		exit $status' \
		sh "$FRESH" "$upper" "$FRESH_VERSION" "$BUILD/user/tests/vm/libt_uname.so" "$SYSROOT" "$@"
}

# fresh_new - sets fresh_upper to a new machine, with nothing but the source of phyrfs more
fresh_new() {
	local home

	fresh_upper=$(vm_run_dir) || exit
	lab_litter+=("$fresh_upper")
	home=$fresh_upper/root$FRESH_HOME
	mkdir -p "$fresh_upper/work" "$home/phyrfs"
	(cd "$LAB_TREE" && tar -c --exclude=./.git .) | tar -x -C "$home/phyrfs" &&
		chown -R --reference="$FRESH$FRESH_HOME" "$home"
}

# fresh_prepare BOOT... - what the boots among them need that have such a root
fresh_prepare() {
	local boot

	for boot; do
		[[ $boot == *" fresh "* || $boot == *" chroot "* ]] || continue
		fresh_make
		SYSROOT_OVER=$FRESH build_initramfs "$FRESH_VERSION" || die "cannot build the initramfs"
		return
	done
}

# fresh_try FS:SUITE/CASE LIMIT COMMAND... - in a new machine; says what came of it
fresh_try() {
	local name=6.12/chroot/${1#*:} limit=$2 log start=$SECONDS status
	shift 2

	log=$(mktemp "$test_dir/fresh.XXXXXX")
	fresh_new && fresh_run "$fresh_upper" timeout -k 10 "$limit" "$@" >"$log" 2>&1
	status=$?
	if [ $status = 0 ]; then
		test_result ok "$name" $((SECONDS - start))
	else
		test_result FAIL "$name" $((SECONDS - start)) "$(tail -n 1 "$log")"
		printf -- '--- %s\n%s\nrepeat: tests/lab test --kernel 6.12 %s\n---\n' "$name" \
			"$(tail -n 25 "$log")" "${name#*/chroot/}"
	fi
	return $status
}

# fresh_chroot FS:SUITE/CASE... - cases that need no guest
fresh_chroot() {
	local item limit

	for item; do
		limit=$(test_header "${item#*:}" time)
		fresh_try "$item" "${limit:-60}" bash -eu "$FRESH_HOME/phyrfs/tests/cases/${item#*:}.sh"
	done
}

# What README has done before the machine boots; then fresh_boot, which makes that the guest
fresh_install() {
	fresh_try install/install 300 "$FRESH_HOME/phyrfs/tests/vm/install"
}

fresh_boot() {
	vm_root=$FRESH vm_machine=$fresh_upper/root vm_version=$FRESH_VERSION
	vm_image=$FRESH/boot/vmlinuz-$FRESH_VERSION
}
