// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes: each name on each type of file, sizes, flags and lists. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static char name_255[256] = "user.", name_256[257] = "user.",
	    long_trusted[256] = "trusted.";
static char value[70000], got[70000];

static const struct {
	const char *text, *name;
} names[] = {
	{ "user.a", "user.a" },
	{ "user.", "user." },
	{ "user", "user" },
	{ "empty", "" },
	{ "trusted.a", "trusted.a" },
	{ "trusted.", "trusted." },
	{ "security.a", "security.a" },
	{ "system.a", "system.a" },
	{ "system.posix_acl_access", "system.posix_acl_access" },
	{ "os2.a", "os2.a" },
	{ "a", "a" },
	{ ".", "." },
	{ "odd", "user.\xff\n\x01" },
	{ "with a dot", "user.a.b/c" },
	{ "255", name_255 },
	{ "256", name_256 },
	{ "trusted, 255", long_trusted },
};

static void make_names(void)
{
	memset(name_255 + 5, 'n', 250);
	memset(name_256 + 5, 'n', 251);
	memset(long_trusted + 8, 'n', 247);
	t_pattern_fill(value, sizeof(value), 0, 6);
}

/* Names of the list, sorted by where they stand first in the table above. */
static void see_list(const char *path)
{
	ssize_t length = llistxattr(path, got, sizeof(got));
	unsigned int hash = 0, nr = 0;

	if (length < 0) {
		posix_say("list: %s", t_errname(errno));
		return;
	}
	for (char *name = got; name < got + length; name += strlen(name) + 1) {
		unsigned int sum = 5381;

		for (char *c = name; *c; c++)
			sum = sum * 33 + (unsigned char)*c;
		hash += sum;
		nr++;
	}
	posix_say("list: %u names, %zd bytes, hash %08x", nr, length, hash);
}

static void each_name(void)
{
	make_names();
	posix_types();
	for (int user = 0; user < 2; user++)
		for (const char *const *file = posix_type_names; *file; file++) {
			MUST(lchown(*file, POSIX_OWNER, POSIX_GROUP));
			for (size_t i = 0; i < t_array_size(names); i++) {
				const char *name = names[i].name;

				posix_label("%s, %s, %s", posix_users[user].name, *file,
					    names[i].text);
				posix_become(user);
				CALL(lgetxattr(*file, name, got, sizeof(got)));
				CALL(lsetxattr(*file, name, "value", 5, XATTR_REPLACE));
				CALL(lsetxattr(*file, name, "value", 5, XATTR_CREATE));
				CALL(lsetxattr(*file, name, "VALUE", 5, XATTR_CREATE));
				CALL(lsetxattr(*file, name, "VALUE2", 6, XATTR_REPLACE));
				CALL(lgetxattr(*file, name, got, sizeof(got)));
				CALL(lgetxattr(*file, name, got, 3));
				CALL(lgetxattr(*file, name, NULL, 0));
				see_list(*file);
				CALL(lremovexattr(*file, name));
				CALL(lremovexattr(*file, name));
				posix_become(POSIX_ROOT);
			}
		}
}

static const size_t lengths[] = {
	0,    1,    2,	  100,	255,   256,   1000,  2000,
	3000, 4000, 4096, 5000, 32768, 65535, 65536, 65537,
};

static void sizes(void)
{
	make_names();
	for (size_t i = 0; i < t_array_size(lengths); i++) {
		posix_label("%zu", lengths[i]);
		posix_file("f", "", 0644);
		CALL(setxattr("f", "user.v", value, lengths[i], 0));
		memset(got, 0, sizeof(got));
		CALL(getxattr("f", "user.v", got, 65536));
		CALL(!memcmp(got, value, lengths[i]));
		CALL(getxattr("f", "user.v", got, sizeof(got)));
		CALL(getxattr("f", "user.v", got, lengths[i]));
		CALL(getxattr("f", "user.v", got, lengths[i] - 1));
		CALL(getxattr("f", "user.v", NULL, 0));
		CALL(setxattr("f", "user.v", value + 4, lengths[i] / 2, 0));
		CALL(getxattr("f", "user.v", got, sizeof(got)));
		CALL(setxattr("f", "user.w", value, 20, 0));
		see_list("f");
		CALL(listxattr("f", got, 3));
		CALL(listxattr("f", NULL, 0));
		CALL(unlink("f"));
	}
}

static void flags(void)
{
	int fd, path, readonly;

	posix_file("f", "", 0644);
	CALL(setxattr("f", "user.a", "1", 1, XATTR_CREATE | XATTR_REPLACE));
	CALL(setxattr("f", "user.a", "1", 1, 4));
	CALL(setxattr("f", "user.a", NULL, 0, 0));
	CALL(setxattr("f", "user.a", (void *)8, 10, 0));
	CALL(getxattr("f", "user.a", got, 10));
	CALL(setxattr("f", "user.a", "12", 2, 0));
	CALL(getxattr("f", "user.a", (void *)8, 10));
	CALL(setxattr("none", "user.a", "1", 1, 0));
	CALL(getxattr("none", "user.a", got, 1));
	CALL(listxattr("none", got, 1));
	CALL(removexattr("none", "user.a"));
	CALL(setxattr("f/x", "user.a", "1", 1, 0));
	fd = MUST(open("f", O_RDWR));
	path = MUST(open("f", O_PATH));
	readonly = MUST(open("f", O_RDONLY));
	CALL(fsetxattr(fd, "user.b", "fd", 2, 0));
	CALL(fsetxattr(readonly, "user.c", "fd", 2, 0));
	CALL(fsetxattr(path, "user.d", "fd", 2, 0));
	CALL(fgetxattr(readonly, "user.b", got, 10));
	CALL(fgetxattr(path, "user.b", got, 10));
	CALL(flistxattr(fd, got, 100));
	CALL(flistxattr(path, got, 100));
	CALL(fremovexattr(fd, "user.b"));
	CALL(fremovexattr(path, "user.b"));
	see_list("f");
	CALL(link("f", "g"));
	CALL(rename("f", "h"));
	see_list("h");
	CALL(symlink("h", "link"));
	CALL(setxattr("link", "user.by-link", "1", 1, 0));
	CALL(getxattr("link", "user.by-link", got, 10));
	CALL(lgetxattr("link", "user.by-link", got, 10));
	CALL(lsetxattr("link", "trusted.own", "1", 1, 0));
	see_list("link");
	see_list("g");
	close(fd);
	close(path);
	close(readonly);
}

static void many(void)
{
	char name[32];

	posix_file("f", "", 0644);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "%s.n%d",
			 i % 3	 ? "user"
			 : i % 2 ? "trusted"
				 : "security",
			 i);
		posix_call("set", setxattr("f", name, name, i, 0));
	}
	see_list("f");
	posix_become(POSIX_OTHER);
	see_list("f");
	posix_become(POSIX_ROOT);
	for (int i = 0; i < 60; i += 2) {
		snprintf(name, sizeof(name), "%s.n%d",
			 i % 3	 ? "user"
			 : i % 2 ? "trusted"
				 : "security",
			 i);
		posix_call("remove", removexattr("f", name));
	}
	see_list("f");
}

const struct posix_script posix_xattr[] = {
	{ "name", each_name }, { "size", sizes }, { "flags", flags },
	{ "many", many },      { NULL, NULL },
};
