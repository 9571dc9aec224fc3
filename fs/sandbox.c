// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After the start the daemon may do what the operations do, and nothing else: no
 * programs, no network, no other processes. What is not here fails with ENOSYS, as with a
 * kernel that is too old for it.
 */
#include "phyrfs.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>

static const char *const calls[] = {
	/* files, for the operations */
	"openat", "openat2", "open_by_handle_at", "name_to_handle_at", "close", "dup",
	"dup2", "dup3", "fcntl", "read", "readv", "pread64", "preadv", "write", "writev",
	"pwrite64", "pwritev", "pwritev2", "lseek", "splice", "pipe2", "copy_file_range",
	"truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "flock", "getdents64",
	"fstat", "newfstatat", "statx", "statfs", "fstatfs", "readlinkat", "mkdirat",
	"mknodat", "symlinkat", "linkat", "unlinkat", "renameat", "renameat2", "chmod",
	"fchmod", "fchmodat", "fchownat", "utimensat", "getxattr", "listxattr",
	"setxattr", "removexattr",
	/* as whom */
	"setfsuid", "setfsgid", "capset", "umask",
	/* libfuse and the C library: threads, memory, time, the end */
	"clone", "clone3", "futex", "set_robust_list", "rseq", "sched_yield",
	"sched_getaffinity", "gettid", "getpid", "getuid", "geteuid", "prctl", "exit",
	"exit_group", "brk", "mmap", "munmap", "mprotect", "mremap", "madvise",
	"getrandom", "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday",
	"poll", "ppoll", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"restart_syscall", "tgkill", "sigaltstack", "umount2"
};

static const unsigned int ioctls[] = {
	FUSE_DEV_IOC_BACKING_OPEN, FUSE_DEV_IOC_BACKING_CLOSE,
	FUSE_DEV_IOC_CLONE,	   FS_IOC_GETFLAGS,
	FS_IOC_SETFLAGS,	   FS_IOC_FSGETXATTR,
	FS_IOC_FSSETXATTR,	   FS_IOC_GETVERSION
};

static int filter_fill(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(calls); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				       seccomp_syscall_resolve_name(calls[i]), 0);
	for (size_t i = 0; !err && i < ARRAY_SIZE(ioctls); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1_32(SCMP_CMP_EQ, ioctls[i]));
	if (!err) /* a umask of its own for each thread */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unshare), 1,
				       SCMP_A0_32(SCMP_CMP_EQ, CLONE_FS));
	return err;
}

int phyrfs_sandbox_enter(void)
{
	scmp_filter_ctx filter;
	int err;

	filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!filter)
		return -ENOMEM;
	/* all threads: they exist by now */
	err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err) /* a tree of comparisons, not a list */
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = filter_fill(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
