// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As whom a thread acts: by itself as a user who has no rights but those of its
 * capabilities. The caller's ids it takes while it creates something, and where the
 * source's answer depends on them: for what becomes of set-id bits, and for space that
 * only some user or group may use.
 *
 * Permissions are not checked here: the kernel has done that before it sends a
 * request (default_permissions), with all groups of the caller. So a thread that
 * acts for somebody keeps its capabilities and takes over only the ids.
 *
 * The kernel registers a backing file with the credentials of the thread that asks,
 * and writes through it with those, whoever the writer is. So no user gets what is
 * reserved for root, and without CAP_FSETID the source filesystem clears set-id bits and
 * file capabilities on write by itself, whatever the kernel believes of the mode.
 */
#include "phyrfs.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_CAP_WORDS _LINUX_CAPABILITY_U32S_3

static struct __user_cap_data_struct start_caps[NR_CAP_WORDS];
static bool privileged;	 /* may take any ids */
static bool caps_follow; /* a change from or to fsuid 0 changes the capabilities */

/* The kernel's overflowuid: no file of the source should be its. */
#define NO_ONE 65534

struct cred {
	uid_t uid;
	gid_t gid;
	bool fsetid;
};

static struct cred self; /* of all threads, while they act for no caller */

/*
 * What the operations need: to act for any caller, to make what the caller could make,
 * passthrough and trusted attributes (SYS_ADMIN), file handles (DAC_READ_SEARCH). Not
 * SYS_RESOURCE: quotas are to hold for data that is written with these.
 */
static const unsigned int needed[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
	CAP_FSETID,  CAP_SETUID,       CAP_SETGID,	    CAP_MKNOD,
	CAP_SETFCAP, CAP_SYS_ADMIN,    CAP_LINUX_IMMUTABLE, CAP_SYS_CHROOT,
};

/* This thread may still change the root directory (jail.c). */
static _Thread_local bool starting;

/* To unmount, by a path that only root can follow. */
static const unsigned int needed_by_keeper[] = { CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH };

static void caps_reduce(const unsigned int *caps, size_t nr_caps)
{
	struct __user_cap_data_struct keep[NR_CAP_WORDS] = { 0 };

	for (size_t i = 0; i < nr_caps; i++)
		keep[CAP_TO_INDEX(caps[i])].permitted |= CAP_TO_MASK(caps[i]);
	for (size_t i = 0; i < NR_CAP_WORDS; i++) {
		start_caps[i].permitted &= keep[i].permitted;
		start_caps[i].effective &= keep[i].permitted;
		start_caps[i].inheritable = 0;
	}
}

static int caps_set(bool fsetid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[NR_CAP_WORDS];

	memcpy(caps, start_caps, sizeof(caps));
	if (!fsetid)
		caps[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
	if (!starting) {
		caps[CAP_TO_INDEX(CAP_SYS_CHROOT)].effective &=
			~CAP_TO_MASK(CAP_SYS_CHROOT);
		caps[CAP_TO_INDEX(CAP_SYS_CHROOT)].permitted &=
			~CAP_TO_MASK(CAP_SYS_CHROOT);
	}
	return syscall(SYS_capset, &head, caps) ? -errno : 0;
}

static int cred_change(const struct cred *from, const struct cred *to)
{
	bool followed = caps_follow && (from->uid == 0) != (to->uid == 0);

	if (from->gid != to->gid)
		setfsgid(to->gid);
	if (from->uid != to->uid)
		setfsuid(to->uid);
	return followed || from->fsetid != to->fsetid ? caps_set(to->fsetid) : 0;
}

/* setfsuid(2) tells of a failure only when it is asked a second time. */
static int cred_take(const struct cred *new)
{
	int err;

	err = cred_change(&self, new);
	if (!err && ((uid_t)setfsuid(-1) != new->uid || (gid_t)setfsgid(-1) != new->gid))
		err = -EPERM;
	if (err)
		cred_change(new, &self);
	return err;
}

int phyrfs_cred_init(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	self = (struct cred){ .uid = geteuid(), .gid = getegid() };
	privileged = self.uid == 0;
	umask(0);
	/* The groups of who has started it have no say in what others do. */
	if (privileged)
		setgroups(0, NULL);
	caps_follow = prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
	if (syscall(SYS_capget, &head, start_caps))
		return -errno;
	caps_reduce(needed, ARRAY_SIZE(needed));
	return phyrfs_cred_start(true);
}

int phyrfs_cred_start(bool on)
{
	starting = on;
	return caps_set(false);
}

int phyrfs_cred_keeper(void)
{
	caps_reduce(needed_by_keeper, ARRAY_SIZE(needed_by_keeper));
	return caps_set(false);
}

/* Does the filesystem keep blocks for a user, who is root unless it is told otherwise? */
static bool source_has_reserve(int fd)
{
	struct statfs st;

	return !fstatfs(fd, &st) &&
	       (st.f_type == EXT4_SUPER_MAGIC || st.f_type == F2FS_SUPER_MAGIC);
}

void phyrfs_cred_settle(int source_fd)
{
	/* A reserve for group 0 is none. */
	struct cred new = { .uid = NO_ONE, .gid = 0 };

	/* A user namespace may be without such an id. */
	if (privileged && source_has_reserve(source_fd) && !cred_take(&new))
		self = new;
}

void phyrfs_fsetid_raise(void)
{
	caps_set(true);
}

void phyrfs_fsetid_drop(void)
{
	caps_set(false);
}

/* The umask belongs to a set that threads share until one of them leaves it. */
static int thread_umask(mode_t mask)
{
	static _Thread_local bool own;
	static _Thread_local mode_t set;

	if (own && mask == set)
		return 0;
	if (!own) {
		int err = phyrfs_jail_unshare_fs();

		if (err)
			return err;
	}
	own = true;
	umask(mask);
	set = mask;
	return 0;
}

static _Thread_local bool as_caller;
static _Thread_local struct cred caller;

static int caller_enter(fuse_req_t req, bool fsetid)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int err;

	/* Without privileges there is only one caller: who started the daemon. */
	if (!privileged)
		return 0;
	caller = (struct cred){ .uid = ctx->uid, .gid = ctx->gid, .fsetid = fsetid };
	err = cred_take(&caller);
	as_caller = !err;
	return err;
}

void phyrfs_caller_leave(void)
{
	if (as_caller)
		cred_change(&caller, &self);
	as_caller = false;
}

bool phyrfs_caller_again(fuse_req_t req, ssize_t result)
{
	bool again = result == -ENOSPC && privileged && !as_caller;

	phyrfs_caller_leave();
	return again && !caller_enter(req, false);
}

/* The flags that follow the header of a request in memory. */
#define IN_FLAGS(type, member) \
	(sizeof(struct fuse_in_header) + offsetof(struct type, member))

bool phyrfs_caller_fsetid(fuse_req_t req)
{
	const struct fuse_in_header *in;
	uint32_t flags, kill;
	size_t bytes, at;

	in = phyrfs_loop_request(&bytes);
	if (in->opcode == FUSE_WRITE) {
		at = IN_FLAGS(fuse_write_in, write_flags);
		kill = FUSE_WRITE_KILL_SUIDGID;
	} else {
		at = IN_FLAGS(fuse_setxattr_in, setxattr_flags);
		kill = FUSE_SETXATTR_ACL_KILL_SGID;
		if (!phyrfs_of(req)->sgid_checked)
			return false;
	}
	if (bytes < at + sizeof(flags))
		return false;
	memcpy(&flags, (const char *)in + at, sizeof(flags));
	return !(flags & kill);
}

/* The group of a directory may be one that the caller is in, but not with his fsgid. */
int phyrfs_maker_enter(fuse_req_t req, mode_t mode)
{
	bool fsetid = mode & S_ISGID && phyrfs_of(req)->sgid_checked;
	int err;

	err = thread_umask(fuse_req_ctx(req)->umask);
	return err ? err : caller_enter(req, fsetid);
}

int phyrfs_changer_enter(fuse_req_t req, int fd, bool fsetid)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_mode & (S_ISUID | S_ISGID) ? caller_enter(req, fsetid) : 0;
}
