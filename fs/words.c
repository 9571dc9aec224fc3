// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The options of mount(8), fstab(5) and libfuse that are not phyrfs's own. Each has one
 * of four fates: it is a flag of the mount, it says nothing to a filesystem and is left
 * out, it goes on to libfuse, or it is refused, because it could not do what it says.
 */
#include "phyrfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define ATTRS_ATIME (MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME)

/*
 * What later ones say counts. Without "no" they only take an earlier option back, except
 * for times of access, where they also change what the source has.
 */
static const struct {
	const char *word;
	uint64_t set, clear;
} flags[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, MOUNT_ATTR_RDONLY },
	{ "nosuid", MOUNT_ATTR_NOSUID, 0 },
	{ "suid", 0, MOUNT_ATTR_NOSUID },
	{ "nodev", MOUNT_ATTR_NODEV, 0 },
	{ "dev", 0, MOUNT_ATTR_NODEV },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "exec", 0, MOUNT_ATTR_NOEXEC },
	{ "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0 },
	{ "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW },
	{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
	{ "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
	{ "relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME },
	{ "nodiratime", MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	{ "diratime", 0, MOUNT_ATTR_NODIRATIME },
};

/* A word that ends in a sign may go on. */
static bool word_is(const char *word, const char *pattern)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '=' || pattern[len - 1] == '-')
		return !strncmp(word, pattern, len);
	return !strcmp(word, pattern);
}

/*
 * For mount(8), systemd and people, the state that there is without, or what is so here
 * anyway. Times are the source's, so "lazytime" is, too.
 */
static const char *const ignored[] = {
	"defaults",
	"auto",
	"noauto",
	"nofail",
	"_netdev",
	"user",
	"user=",
	"nouser",
	"users",
	"nousers",
	"owner",
	"noowner",
	"group",
	"nogroup",
	"comment=",
	"x-",
	"X-",
	"helper=",
	"uhelper=",
	"silent",
	"loud",
	"nonempty",
	"norelatime",
	"nostrictatime",
	"lazytime",
	"nolazytime",
	"noiversion",
	"nomand",
	"seclabel",
	"default_permissions",
	"subtype=phyrfs",
};

/* The kernel's, of security modules. */
static const char *const passed_on[] = {
	"context=",
	"fscontext=",
	"defcontext=",
	"rootcontext=",
};

#define BY_SIZE	  "the kernel passes data through in sizes of its own"
#define BY_CACHE  "see cache=never and cache=always"
#define BY_THREAD "phyrfs has as many threads as it needs, and its own way to the kernel"
#define BY_SOURCE "owners and modes are those of the source"
#define BY_MOUNT  "mount the source with it"
#define BY_TYPE	  "the type is always fuse.phyrfs"

static const struct {
	const char *word;
	const char *why;
} refused[] = {
	{ "max_read=", BY_SIZE },
	{ "max_write=", BY_SIZE },
	{ "max_readahead=", BY_SIZE },
	{ "blksize=", BY_SIZE },
	{ "direct_io", BY_SIZE },
	{ "kernel_cache", BY_CACHE },
	{ "auto_cache", BY_CACHE },
	{ "writeback_cache", BY_CACHE },
	{ "entry_timeout=", BY_CACHE },
	{ "attr_timeout=", BY_CACHE },
	{ "ac_attr_timeout=", BY_CACHE },
	{ "negative_timeout=", BY_CACHE },
	{ "noforget", BY_CACHE },
	{ "remember=", BY_CACHE },
	{ "clone_fd", BY_THREAD },
	{ "max_threads=", BY_THREAD },
	{ "max_idle_threads=", BY_THREAD },
	{ "max_background=", BY_THREAD },
	{ "congestion_threshold=", BY_THREAD },
	{ "io_uring", BY_THREAD },
	{ "io_uring_q_depth=", BY_THREAD },
	{ "uid=", BY_SOURCE },
	{ "gid=", BY_SOURCE },
	{ "umask=", BY_SOURCE },
	{ "fmask=", BY_SOURCE },
	{ "dmask=", BY_SOURCE },
	{ "dirsync", BY_MOUNT },
	{ "discard", BY_MOUNT },
	{ "acl", BY_MOUNT },
	{ "user_xattr", BY_MOUNT },
	{ "subtype=", BY_TYPE },
	{ "blkdev", BY_TYPE },
};

static bool word_in(const char *word, const char *const *list, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (word_is(word, list[i]))
			return true;
	return false;
}

static bool word_is_flag(struct phyrfs_options *opts, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint64_t set = flags[i].set, clear = flags[i].clear;

		if (strcmp(word, flags[i].word))
			continue;
		opts->flags &= ~(clear & ~ATTRS_ATIME);
		opts->flags |= set & ~ATTRS_ATIME;
		opts->mount_attrs &= ~(clear & ATTRS_ATIME);
		opts->mount_attrs |= set & ATTRS_ATIME;
		opts->mount_attrs_clear |= clear & ATTRS_ATIME;
		return true;
	}
	return false;
}

/* /proc/mounts says who has mounted; only that can be given back. */
static bool word_is_own_id(const char *word)
{
	char *end = NULL;

	if (word_is(word, "user_id="))
		return strtoul(strchr(word, '=') + 1, &end, 10) == getuid() && !*end;
	if (word_is(word, "group_id="))
		return strtoul(strchr(word, '=') + 1, &end, 10) == getgid() && !*end;
	return false;
}

static void word_refuse(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (!word_is(word, refused[i].word))
			continue;
		phyrfs_message("option '%s' means nothing here: %s", word,
			       refused[i].why);
		return;
	}
	phyrfs_message("unknown option '%s'; see phyrfs --help, and give options of the "
		       "source's filesystem where that is mounted",
		       word);
}

int phyrfs_words_add(struct phyrfs_options *opts, const char *word)
{
	if (word_is_flag(opts, word) || word_in(word, ignored, ARRAY_SIZE(ignored)) ||
	    word_is_own_id(word))
		return 0;
	if (word_in(word, passed_on, ARRAY_SIZE(passed_on))) {
		opts->by_libfuse = true;
		return 1;
	}
	word_refuse(word);
	return -1;
}
