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
#include <sys/syscall.h>

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
	"restart_syscall", "tgkill", "sigaltstack", "setsid"
};

static const unsigned int ioctls[] = {
	FUSE_DEV_IOC_BACKING_OPEN, FUSE_DEV_IOC_BACKING_CLOSE,
	FUSE_DEV_IOC_CLONE,	   FS_IOC_GETFLAGS,
	FS_IOC_SETFLAGS,	   FS_IOC_FSGETXATTR,
	FS_IOC_FSSETXATTR,	   FS_IOC_GETVERSION
};

/* The keeper waits, unmounts and writes to the system's log. */
static const char *const keeper_calls[] = {
	"poll", "ppoll", "read", "write", "wait4", "statx", "umount2",
	/* its way into the background */
	"openat", "dup2", "close",
	/* syslog(3) */
	"socket", "connect", "sendto", "getpid", "fstat", "newfstatat", "lseek",
	/* the C library: memory, time, the end */
	"brk", "mmap", "munmap", "mprotect", "madvise", "futex", "getrandom",
	"clock_gettime", "gettimeofday", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"restart_syscall", "exit", "exit_group"
};

static int filter_allow(scmp_filter_ctx filter, const char *const *names, size_t nr)
{
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				       seccomp_syscall_resolve_name(names[i]), 0);
	return err;
}

static int filter_fill(scmp_filter_ctx filter)
{
	int err;

	err = filter_allow(filter, calls, ARRAY_SIZE(calls));
	for (size_t i = 0; !err && i < ARRAY_SIZE(ioctls); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1_32(SCMP_CMP_EQ, ioctls[i]));
	if (!err) /* a umask of its own for each thread */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unshare), 1,
				       SCMP_A0_32(SCMP_CMP_EQ, CLONE_FS));
	return err;
}

static int filter_fill_keeper(scmp_filter_ctx filter, pid_t server)
{
	int err;

	err = filter_allow(filter, keeper_calls, ARRAY_SIZE(keeper_calls));
	if (!err) /* libseccomp may not know its name */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SYS_statmount, 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
				       SCMP_A0_32(SCMP_CMP_EQ, server));
	return err;
}

static int filter_new(scmp_filter_ctx *ret_filter)
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
	if (err)
		seccomp_release(filter);
	else
		*ret_filter = filter;
	return err;
}

/* @server: 0 for the server itself. */
static int sandbox_enter(pid_t server)
{
	scmp_filter_ctx filter;
	int err;

	err = filter_new(&filter);
	if (err)
		return err;
	err = server ? filter_fill_keeper(filter, server) : filter_fill(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int phyrfs_sandbox_enter(void)
{
	return sandbox_enter(0);
}

int phyrfs_sandbox_keeper(pid_t server)
{
	return sandbox_enter(server);
}
