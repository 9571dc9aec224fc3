# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# One virtual machine: its devices, its ports, and the watch over it until it gives a
# verdict or fails to.
#
# Ports (virtio-serial): phyr.out and phyr.err carry the guest's output, phyr.verdict its
# progress and its last word, phyr.call asks the host to run a function of host.sh.
# The serial console is the kernel log.
#
# PCI: everything that phyr may join lies behind one switch; the far disk does not.
#
#	pcie.0 -- rp0 -- switch -- d0: disk   d1: disk 2   d2: BAR   d3: BAR 2
#	       '- far disk                                        d4: what a case asks for;
#	                                                              bench: disk with memory

# Words of a kernel log that fail whatever ran. They are looked for in the guest after
# each case and by the host at the end, panics included.
VM_BAD_LOG='WARNING: |BUG: |Oops|general protection fault|KASAN: |UBSAN: |INFO: task .* blocked'
VM_BAD_LOG+='|possible recursive locking|possible circular locking|suspicious RCU usage'
# The debug kernel's. After a lack of memory of its own a checker checks nothing more.
VM_BAD_LOG+='|INFO: possible|INFO: trying to register|DMA-API: .*(device driver|out of memory)'
VM_BAD_LOG+='|kmemleak: .*(new suspected|exhausted|disabled)|ODEBUG: '
VM_BAD_LOG+='|Kernel panic|DMAR: .*[Ff]ault|rcu: INFO: .* stall|refcount_t: |list_(add|del) corruption'

vm_new() {
	vm_version=$(sysroot_kernel "$1")
	[ -n "$vm_version" ] || die "the sysroot has no kernel $1"
	vm_kernel=$1 vm_iommu=$2 vm_icount=$3 vm_fs=$4
	vm_name=$1-iommu-$2${3:+-icount}
	vm_root=$SYSROOT vm_image=$(sysroot_kernel_image "$vm_version") vm_machine=''
	vm_share='' vm_tty='' vm_bench='' vm_lines='' vm_live='' vm_quiet='' vm_timeout=$PHYR_LAB_TIMEOUT
	# Its checks make it three to six times slower, and the limits so much wider.
	vm_slow=1
	[ "$1" != debug ] || vm_slow=5
	vm_repeat='' vm_source='' vm_on_line=true vm_job=() vm_result='' vm_device=''
}

# vm_run_dir - prints a new directory. Large files that the guest writes at memory speed
# belong in memory, if there is room.
vm_run_dir() {
	local base=${TMPDIR:-/tmp} free

	free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
	[ "${free:-0}" -gt 3000000 ] && base=/dev/shm
	mktemp -d "$base/phyrfs-lab.XXXXXX" || die "cannot make a directory in $base"
}

# A new directory for the logs of one VM
vm_log_dir() {
	local name

	name=$(lab_log_name "$vm_name") || die "cannot write in $LAB_CACHE/logs"
	vm_log=$(mktemp -d "$name") || die "cannot write in $LAB_CACHE/logs"
}

vm_prepare() {
	local port

	vm_dir=$(vm_run_dir) || exit
	lab_litter+=("$vm_dir")
	vm_log_dir
	truncate -s 256M "$vm_dir/bar"
	truncate -s 64M "$vm_dir/bar2"
	truncate -s 1536M "$vm_dir/disk"
	truncate -s 1G "$vm_dir/disk2"
	truncate -s 512M "$vm_dir/far"
	[ -z "$vm_bench" ] || truncate -s 64M "$vm_dir/cmb"
	mkdir "$vm_dir/job" "$vm_dir/host"
	for port in out err verdict call.in call.out; do
		mkfifo "$vm_dir/$port"
	done
	build_snapshot "$vm_version" "$vm_dir"
	# A machine of its own has what it installed.
	[ -z "$vm_machine" ] || rm -rf "$vm_dir"/build/*
	printf '%q ' "${vm_job[@]}" >"$vm_dir/job/job"
	if [ -n "$vm_source" ]; then
		cp "$vm_source" "$vm_dir/job/source" || die "no room for a copy of the file"
	fi
	{
		printf '%s=%q\n' PHYR_FS "$vm_fs" LAB_KERNEL "$vm_kernel" LAB_IOMMU "$vm_iommu" \
			LAB_ICOUNT "$vm_icount" LAB_SETUP "$PHYR_LAB_SETUP" LAB_BAD_LOG "$VM_BAD_LOG" \
			LAB_MODULES /lab/build/modules LAB_SHARE "$vm_share" LAB_MACHINE "$vm_machine" \
			LAB_SLOW "$vm_slow" PHYR_ROUNDS "$PHYR_LAB_ROUNDS" \
			LAB_FAILSLAB "$PHYR_LAB_FAILSLAB"
		if [ -n "$vm_tty" ]; then
			printf '%s=%q\n' LAB_SIZE "$(stty size)" LAB_TERM "${TERM:-linux}"
		fi
	} >"$vm_dir/job/env"
}

vm_arguments() {
	local cmdline port n cpus=1

	vm_delayed=()
	vm_args=(qemu-system-x86_64 -nodefaults -no-user-config -display none -vga none -nic none
		-monitor none -no-reboot -m 2G -name "phyrfs-$vm_name")

	if [ -n "$vm_lines" ]; then
		cpus=2
		vm_args+=(-plugin "$vm_dir/build/user/tests/vm/lines_plugin.so,to=$vm_dir/host/lines")
	fi
	if [ -n "$vm_icount" ]; then
		vm_args+=(-accel tcg,thread=single -icount shift=0,sleep=on -smp $cpus -cpu max)
	elif [ "$PHYR_LAB_ACCEL" = kvm ]; then
		vm_args+=(-accel kvm -smp 2 -cpu host)
	else
		# Not thread=single: it leaves out the guest's memory barriers, and then the
		# emulated NVMe loses doorbells to it now and then.
		vm_args+=(-accel tcg,thread=multi -smp 2 -cpu max)
	fi
	cmdline="console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off audit=0 apparmor=0"
	# QEMU before 8 translates a program anew each time that it starts at other addresses,
	# and that is what most of its start costs.
	cmdline+=" tsc=reliable random.trust_cpu=on norandmaps"
	# To stop the tick while idle and to start it again costs by how long that was, which
	# with a real disk is too short for it.
	[ -z "$vm_icount" ] || cmdline+=" nohz=off"
	if [ "$vm_iommu" = on ]; then
		vm_args+=(-machine q35,kernel-irqchip=off -device intel-iommu,intremap=off)
		cmdline+=" intel_iommu=on${vm_bench:+ iommu.strict=1}"
	else
		vm_args+=(-machine q35)
	fi
	vm_args+=(-kernel "$vm_image" -initrd "$BUILD/initramfs-$vm_version"
		-append "$cmdline" -chardev "file,id=console,path=$vm_log/console"
		-serial chardev:console)

	n=0
	for port in out err verdict; do
		vm_args+=(-chardev "file,id=$port,path=$vm_dir/$port,append=on")
	done
	vm_args+=(-chardev "pipe,id=call,path=$vm_dir/call" -device virtio-serial-pci)
	for port in out err verdict call; do
		n=$((n + 1))
		vm_args+=(-device "virtserialport,nr=$n,chardev=$port,name=phyr.$port")
	done
	if [ -n "$vm_tty" ]; then
		vm_args+=(-chardev stdio,id=tty,signal=off -device virtconsole,chardev=tty)
	fi

	vm_add_share root "$vm_root" on
	[ -z "$vm_machine" ] || vm_add_share machine "$vm_machine" on
	vm_add_share tests "$vm_dir/tests" on
	vm_add_share build "$vm_dir/build" on
	vm_add_share job "$vm_dir/job" on
	[ -z "$vm_share" ] || vm_add_share share "$vm_share" off

	vm_args+=(
		-device pcie-root-port,id=rp0,bus=pcie.0,chassis=1
		-device x3130-upstream,id=up,bus=rp0
	)
	for n in 0 1 2 3 ${vm_bench:+4} ${vm_device:+4}; do
		vm_args+=(-device "xio3130-downstream,id=d$n,bus=up,chassis=1$n,port=$n")
	done
	vm_add_nvme disk d0
	vm_add_nvme disk2 d1
	vm_add_nvme far pcie.0
	vm_add_bar bar d2 256M
	vm_add_bar bar2 d3 64M
	[ -z "$vm_bench" ] || vm_add_cmb d4
	[ -z "$vm_device" ] || vm_args+=(-device "$vm_device,bus=d4")
}

# vm_add_share TAG DIR READONLY
vm_add_share() {
	vm_args+=(-fsdev "local,id=$1,path=${2//,/,,},security_model=none,readonly=$3,multidevs=remap"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

# vm_add_nvme NAME BUS
#
# Where instructions are counted reads take some real time, so that the reader always
# sleeps before its data is there, as with a real disk, and the count does not depend on
# which of QEMU's threads is faster.
vm_add_nvme() {
	local file=$vm_dir/$1

	if [ -n "$vm_icount" ]; then
		vm_delayed+=("$1")
		file=nbd+unix:///?socket=$vm_dir/$1.nbd
	fi
	vm_args+=(-drive "file=$file,format=raw,if=none,id=$1,cache=unsafe,discard=unmap"
		-device "nvme,serial=phyr-$1,drive=$1,bus=$2")
}

# Serves the files of the disks that are to be slow.
vm_serve_disks() {
	local name try

	for name in "${vm_delayed[@]}"; do
		setpriv --pdeathsig KILL -- nbdkit -f -U "$vm_dir/$name.nbd" --filter=delay \
			file "$vm_dir/$name" rdelay=1ms </dev/null >>"$vm_log/nbdkit" 2>&1 &
		vm_children+=($!)
		for try in {1..100}; do
			[ ! -S "$vm_dir/$name.nbd" ] || break
			sleep 0.05
		done
	done
}

# vm_add_cmb BUS - a disk whose controller has memory, for the kernel's own P2PDMA
vm_add_cmb() {
	vm_args+=(-drive "file=$vm_dir/cmb,format=raw,if=none,id=cmb,cache=unsafe"
		-device "nvme,serial=phyr-cmb,drive=cmb,bus=$1,cmb_size_mb=64")
}

# vm_add_bar NAME BUS SIZE
vm_add_bar() {
	vm_args+=(-object "memory-backend-file,id=$1,share=on,mem-path=$vm_dir/$1,size=$3"
		-device "ivshmem-plain,memdev=$1,bus=$2")
}

# Boots and watches. The status is the guest's verdict, or 125 when it gave none; then
# vm_result says what happened instead.
vm_run() {
	local status

	vm_result=
	vm_prepare
	vm_arguments
	build_unlock
	vm_start
	vm_watch
	status=$?
	vm_stop
	if [ -z "$vm_result" ] && [ "$status" != 125 ] &&
		grep -qE "$VM_BAD_LOG" "$vm_log/console"; then
		vm_result="the kernel log has: $(grep -aoE -m 1 "($VM_BAD_LOG).*" "$vm_log/console")"
		status=125
	fi
	if [ -n "$vm_quiet" ]; then
		:
	elif [ -n "$vm_result" ]; then
		say "$vm_name: $vm_result"
		say "logs: $vm_log"
		[ -z "$vm_repeat" ] || say "to repeat: $vm_repeat"
	elif [ -n "$vm_live" ]; then
		rm -rf -- "$vm_log"
	fi
	return "$status"
}

vm_start() {
	local quoted

	printf -v quoted '%q ' "${vm_args[@]}"
	printf '%s\n' "$quoted" >"$vm_log/qemu"
	: >"$vm_log/console"
	vm_children=()
	vm_owner=$BASHPID

	# Opened for both directions so that neither end waits for the other to appear.
	exec {vm_verdict}<>"$vm_dir/verdict"
	if [ -n "$vm_live" ]; then
		cat "$vm_dir/out" &
		vm_children+=($!)
		cat "$vm_dir/err" >&2 &
		vm_children+=($!)
	else
		cat "$vm_dir/out" >"$vm_log/out" &
		vm_children+=($!)
		cat "$vm_dir/err" >"$vm_log/err" &
		vm_children+=($!)
	fi
	vm_clock &
	vm_children+=($!)
	vm_serve &
	vm_children+=($!)

	vm_serve_disks
	[ -z "$vm_tty" ] || vm_stty=$(stty -g)
	if [ -n "$vm_tty" ]; then
		stty raw -echo
		setpriv --pdeathsig KILL -- "${vm_args[@]}" <&0 2>"$vm_log/qemu.err" &
	else
		# A session of its own, so that Ctrl-C is the lab's to handle and not QEMU's.
		setsid setpriv --pdeathsig KILL -- "${vm_args[@]}" </dev/null \
			>"$vm_log/qemu.err" 2>&1 &
	fi
	vm_pid=$!
}

# Says "tick" each second to those who read the ports. They cannot use "read -t": when the time
# is over just as a line ends, bash forgets that it did, and makes one line of it and the next.
vm_clock() {
	local verdict call

	exec {verdict}<>"$vm_dir/verdict" {call}<>"$vm_dir/call.out"
	while sleep 1 && kill -0 "$vm_owner" 2>/dev/null; do
		echo tick >&"$verdict"
		echo tick >&"$call"
	done
}

# Answers phyr.call: one line in (quoted words), one line out (status, base64 output).
vm_serve() {
	local in out line reply status

	exec {in}<>"$vm_dir/call.out" {out}<>"$vm_dir/call.in"
	while IFS= read -r -u "$in" line; do
		# the clock, which wakes it up to see whether the lab is still there
		if [ "$line" = tick ]; then
			kill -0 "$vm_owner" 2>/dev/null || return
			continue
		fi
		reply=$(
			export BAR_FILE=$vm_dir/bar BAR2_FILE=$vm_dir/bar2
			export HOST_DIR=$vm_dir/host SOURCE_FILE=$vm_dir/job/source
			eval "exec bash -u -o pipefail $vm_dir/tests/vm/host.sh $line" 2>&1 {in}<&- {out}>&-
		)
		status=$?
		printf '%d %s\n' "$status" "$(printf '%s' "$reply" | base64 -w 0)" >&"$out"
	done
}

vm_watch() {
	local start=$SECONDS heard=$SECONDS limit line
	local silence=$((150 * vm_slow))

	[ -z "$vm_icount" ] || silence=300
	vm_deadline=0
	while IFS= read -r -u "$vm_verdict" line; do
		if [ "$line" != tick ]; then
			heard=$SECONDS
			case $line in
			"exit "*) return "${line#exit }" ;;
			alive) ;;
			*) "$vm_on_line" "$line" ;;
			esac
			continue
		fi
		step_tick
		limit=$vm_timeout
		if ! kill -0 "$vm_pid" 2>/dev/null; then
			if grep -q 'Kernel panic' "$vm_log/console"; then
				vm_result="the kernel panicked: $(grep -aoE -m 1 "($VM_BAD_LOG).*" "$vm_log/console")"
			else
				vm_result="QEMU ended without a verdict: $(tail -n 1 "$vm_log/qemu.err")"
			fi
			return 125
		elif [ $((SECONDS - heard)) -gt $silence ]; then
			vm_result="nothing heard for $silence s, the guest hangs"
			return 125
		elif [ "$limit" -gt 0 ] && [ $((SECONDS - start)) -gt "$limit" ]; then
			vm_result="not finished after $limit s"
			return 125
		elif [ "$vm_deadline" -gt 0 ] && [ $SECONDS -gt "$vm_deadline" ]; then
			vm_result="the case did not end"
			return 125
		fi
	done
}

vm_stop() {
	kill -KILL "$vm_pid" 2>/dev/null
	wait "$vm_pid" 2>/dev/null
	vm_pid=
	# Readers end when QEMU's end of the FIFOs is closed; servers have to be told.
	kill "${vm_children[@]:2}" 2>/dev/null
	wait "${vm_children[@]}" 2>/dev/null
	exec {vm_verdict}>&-
	if [ -n "$vm_tty" ]; then
		stty "$vm_stty"
		vm_stty=
	fi
	rm -rf --one-file-system -- "$vm_dir"
}
