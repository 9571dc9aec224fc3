#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# about: nothing that is renamed and linked below the daemon leads it out of the source, where no path does
# red: open names without O_NOFOLLOW (phyrfs_inode_lookup), leave out chroot() of jail.c or open_tree() of proc_enter(), or keep fs->source_fd in the server
# iommu: any
# host: yes
# time: 240
# fs: any
#
# ESCAPE_COUNT: attempts; 1,000,000 take some minutes on a host.

# shellcheck source=tests/vm/fs.sh
. "${0%/*}/../../vm/fs.sh"

# A server that does what an attacker wants begins with this: its root directory, its working
# directory, and what it has open.
mkdir own
fs_start "$T_DIR" own
[ -z "$(cat "/proc/$server/mountinfo")" ] || fail "mounts in reach: $(cat "/proc/$server/mountinfo")"
python3 - "$server" "$T_DIR" <<-'END' || fail 'see above'
	import os, stat, sys
	proc, source = "/proc/" + sys.argv[1], os.stat(sys.argv[2])
	tasks = [f"{proc}/task/{tid}" for tid in os.listdir(proc + "/task")]
	dirs = [task + "/cwd" for task in tasks] + [f"{proc}/fd/{fd}" for fd in os.listdir(proc + "/fd")]
	dirs = {os.open(dir, os.O_PATH): dir for dir in dirs if os.path.isdir(dir)}
	cwd = os.stat(proc + "/cwd")
	for task in tasks:
	    assert os.path.samestat(os.stat(task + "/root"), source), task
	os.chroot(proc + "/root")
	for fd, dir in dirs.items():
	    top = os.stat("../" * 64, dir_fd=fd)
	    assert os.path.samestat(top, source) or os.path.samestat(top, cwd), f"{dir} leads out"
	assert len(dirs) > 2
END
umount own
wait "$pid" || fail "$(cat said)"

outside=$PWD/outside
mkdir "$outside"
t_escape "$T_DIR" "$T_MNT" "$outside" "${ESCAPE_COUNT:-5000}" >got || fail "$(cat got)"
cat got
[ "$(ls -A "$outside")" = canary ] || fail "made there: $(ls -A "$outside")"
[ "$(cat "$outside/canary") $(stat -c %a "$outside/canary")" = 'OUTSIDE 600' ] || fail "changed there"
# both happened, or nothing was tried
read -r inside _ _ _ nowhere _ <got
[ "$inside" -gt 100 ] && [ "$nowhere" -gt 100 ] || fail 'there was no race'
