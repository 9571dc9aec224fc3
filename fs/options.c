// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line. One table holds what phyrfs understands and what --help says of it.
 */
#include "phyrfs.h"

#include <phyr.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct phyrfs_options, member)

static const struct option {
	const char *match; /* as of fuse_opt.h; NULL: libfuse's, or the line above's */
	unsigned long offset;
	int value;
	const char *usage; /* NULL: another name of an option that is shown */
	const char *help;
} options[] = {
	{ "policy=%s", AT(policy_name), 0, "-o policy=direct",
	  "device memory: direct, or the error of plain Linux (default)" },
	{ NULL, 0, 0, "-o policy=off", "as if phyr were not there" },
	{ "cache=%s", AT(cache_name), 0, "-o cache=never",
	  "ask for names and attributes each time (default)" },
	{ NULL, 0, 0, "-o cache=always",
	  "faster, but the source must only change through the mount" },
	{ "sandbox=%s", AT(sandbox_name), 0, "-o sandbox=on",
	  "as root: no system calls but those that are needed (default)" },
	{ NULL, 0, 0, "-o sandbox=off", "any, as debuggers and sanitizers want it" },
	{ "submounts", AT(submounts), 1, "-o submounts",
	  "show filesystems that are mounted below SOURCE, too" },
	{ "require", AT(require), 1, "-o require",
	  "fail instead of mounting what cannot be direct" },
	{ "allow_other", AT(allow_other), 1, "-o allow_other",
	  "let other users than the one who mounts use the mount" },
	{ "allow_root", AT(allow_root), 1, "-o allow_root", "let root use it, too" },
	{ "auto_unmount", AT(auto_unmount), 1, "-o auto_unmount",
	  "let fusermount3 unmount it when the daemon dies" },
	{ "fsname=%s", AT(fsname), 0, "-o fsname=NAME",
	  "show NAME as its source, and not SOURCE" },
	{ "sync", AT(sync), 1, NULL, NULL },
	{ "async", AT(sync), 0, NULL, NULL },
	{ "remount", AT(remount), 1, "-o remount,...",
	  "change the flags of a phyrfs mount that is there" },
	{ NULL, 0, 0, "-o OPTION", "flags of mount(8), such as ro, noexec or noatime" },
	{ "--check", AT(check), 1, "--check SOURCE",
	  "say whether data of SOURCE would be direct, or why not" },
	{ "-f", AT(foreground), 1, "-f", "stay in the foreground" },
	{ "-d", AT(debug), 1, "-d", "log each request; implies -f" },
	{ "debug", AT(debug), 1, NULL, NULL },
	{ "-h", AT(show_help), 1, "-h, --help", "show this" },
	{ "--help", AT(show_help), 1, NULL, NULL },
	{ "-V", AT(show_version), 1, "-V, --version", "show the version" },
	{ "--version", AT(show_version), 1, NULL, NULL },
};

void phyrfs_options_help(FILE *out)
{
	fputs("usage: phyrfs SOURCE MOUNTPOINT [-o OPTION,...]\n"
	      "\n"
	      "Mounts the directory SOURCE a second time, at MOUNTPOINT, so that direct I/O\n"
	      "below it may use device memory (needs the kernel module phyr).\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].usage)
			fprintf(out, "  %-18s %s\n", options[i].usage, options[i].help);
}

static int option_other(void *data, const char *arg, int key, struct fuse_args *args)
{
	struct phyrfs_options *opts = data;
	char **path = opts->source ? &opts->mountpoint : &opts->source;

	if (key != FUSE_OPT_KEY_NONOPT)
		return phyrfs_words_add(opts, arg);
	if (*path) {
		phyrfs_message("unexpected '%s'; see phyrfs --help", arg);
		return -1;
	}
	*path = strdup(arg);
	return *path ? 0 : -1;
}

/* The daemon leaves its working directory. */
static int path_resolve(char **path)
{
	char *real = realpath(*path, NULL);
	int err = -errno;

	if (!real) {
		phyrfs_message("%s: %s", *path, strerror(-err));
		return err;
	}
	free(*path);
	*path = real;
	return 0;
}

/*
 * What the mount shows as its source is by default SOURCE, as in fstab: by that "mount
 * -a" knows what is mounted already.
 */
static int paths_resolve(struct phyrfs_options *opts)
{
	int err = 0;

	/* A remount gets what the mount shows, and may do without the directory. */
	if (!opts->remount)
		err = path_resolve(&opts->source);
	if (!err && opts->mountpoint)
		err = path_resolve(&opts->mountpoint);
	if (opts->check && !(opts->mountpoint = strdup("the mount of --check")))
		err = -ENOMEM;
	if (!err && !opts->fsname && !(opts->fsname = strdup(opts->source)))
		err = -ENOMEM;
	return err;
}

static int paths_check(const struct phyrfs_options *opts)
{
	struct stat st;

	if (opts->check) {
		if (opts->source && !opts->mountpoint)
			return 0;
		phyrfs_message("expected --check SOURCE; see phyrfs --help");
		return -EINVAL;
	}
	if (!opts->mountpoint) {
		phyrfs_message("expected SOURCE and MOUNTPOINT; see phyrfs --help");
		return -EINVAL;
	}
	if (!opts->remount && !stat(opts->mountpoint, &st) && !S_ISDIR(st.st_mode)) {
		phyrfs_message("%s: %s", opts->mountpoint, strerror(ENOTDIR));
		return -ENOTDIR;
	}
	return 0;
}

/*
 * How long the kernel may believe names and attributes, in seconds. With 0 it asks each
 * time, because the source may be changed behind the mount, and a write that the kernel
 * passed through is not seen by the daemon.
 */
#define CACHE_NEVER_S  0.0
#define CACHE_ALWAYS_S 86400.0

static int values_check(struct phyrfs_options *opts)
{
	const char *cache = opts->cache_name ? opts->cache_name : "never";
	const char *sandbox = opts->sandbox_name ? opts->sandbox_name : "on";

	if (opts->policy_name && phyr_policy_parse(opts->policy_name, &opts->policy)) {
		phyrfs_message("policy=%s: expected direct or off", opts->policy_name);
		return -EINVAL;
	}
	if (opts->policy == PHYR_MOUNT_OFF && (opts->require || opts->check)) {
		phyrfs_message("with policy=off nothing is direct; leave out that or %s",
			       opts->check ? "--check" : "require");
		return -EINVAL;
	}
	if (strcmp(cache, "never") && strcmp(cache, "always")) {
		phyrfs_message("cache=%s: expected never or always", cache);
		return -EINVAL;
	}
	if (strcmp(sandbox, "on") && strcmp(sandbox, "off")) {
		phyrfs_message("sandbox=%s: expected on or off", sandbox);
		return -EINVAL;
	}
	/* Without privileges, unmounting takes a program that has them (fusermount3). */
	opts->sandbox = !strcmp(sandbox, "on") && !geteuid();
	opts->timeout_s = strcmp(cache, "always") ? CACHE_NEVER_S : CACHE_ALWAYS_S;
	opts->foreground |= opts->debug | opts->check;
	opts->require |= opts->check;
	opts->by_libfuse |= opts->auto_unmount;
	return 0;
}

int phyrfs_options_parse(struct phyrfs_options *opts, struct fuse_args *args)
{
	struct fuse_opt table[ARRAY_SIZE(options) + 1] = { 0 };
	struct fuse_opt *opt = table;
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].match)
			*opt++ = (struct fuse_opt){ options[i].match, options[i].offset,
						    options[i].value };
	if (fuse_opt_parse(args, opts, table, option_other))
		return -EINVAL;
	if (opts->show_help || opts->show_version)
		return 0;
	err = paths_check(opts);
	if (!err)
		err = paths_resolve(opts);
	return err ? err : values_check(opts);
}

void phyrfs_options_free(struct phyrfs_options *opts)
{
	free(opts->source);
	free(opts->mountpoint);
	free(opts->fsname);
	free(opts->policy_name);
	free(opts->cache_name);
	free(opts->sandbox_name);
}
