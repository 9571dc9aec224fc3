// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As whom a thread acts: ids and umask of the caller while something is created, and
 * the capability that decides whether set-id bits survive.
 *
 * Permissions are not checked here: the kernel has done that before it sends a
 * request (default_permissions), with all groups of the caller. So a thread that
 * creates for somebody keeps its capabilities and takes over only the ids that the
 * new file shall have.
 *
 * The kernel registers a backing file with the credentials of the thread that asks,
 * and writes through it with those: without CAP_FSETID, the source filesystem clears
 * set-id bits and file capabilities on write by itself.
 */
#include "phyrfs.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_CAP_WORDS _LINUX_CAPABILITY_U32S_3

static struct __user_cap_data_struct start_caps[NR_CAP_WORDS];
static uid_t start_uid;
static gid_t start_gid;

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

int phyrfs_cred_init(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	start_uid = geteuid();
	start_gid = getegid();
	umask(0);
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

/* setfsuid(2) tells of a failure only when it is asked a second time. */
static int fsids_set(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	if ((uid_t)setfsuid(-1) != uid || (gid_t)setfsgid(-1) != gid)
		return -EPERM;
	/* A change from or to user 0 has changed the capabilities too. */
	return caps_set(false);
}

static _Thread_local bool as_caller;

int phyrfs_caller_enter(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int err;

	err = thread_umask(ctx->umask);
	if (err)
		return err;
	/* Without privileges there is only one caller: who started the daemon. */
	if (start_uid || (ctx->uid == start_uid && ctx->gid == start_gid))
		return 0;
	err = fsids_set(ctx->uid, ctx->gid);
	if (err)
		fsids_set(start_uid, start_gid);
	else
		as_caller = true;
	return err;
}

void phyrfs_caller_leave(void)
{
	if (as_caller)
		fsids_set(start_uid, start_gid);
	as_caller = false;
}
