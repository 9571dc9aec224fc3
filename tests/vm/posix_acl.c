// SPDX-License-Identifier: GPL-2.0-or-later
/* POSIX ACLs, built by hand: what they allow, inherit, and do to the mode. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define ACCESS	   "system.posix_acl_access"
#define DEFAULT	   "system.posix_acl_default"
#define NO_ID	   0xffffffff
#define NR_ENTRIES 8

/* The kernel's format: include/uapi/linux/posix_acl_xattr.h, all little endian. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[NR_ENTRIES];
};

enum {
	USER_OBJ = 1,
	USER = 2,
	GROUP_OBJ = 4,
	GROUP = 8,
	MASK = 16,
	OTHER = 32
};

#define MINIMAL(u, g, o)                                                 \
	{                                                                \
		2,                                                       \
		{                                                        \
			{ USER_OBJ, u, NO_ID }, { GROUP_OBJ, g, NO_ID }, \
			{                                                \
				OTHER, o, NO_ID                          \
			}                                                \
		}                                                        \
	}

static const struct {
	const char *text;
	struct acl acl;
	int nr;
} acls[] = {
	{ "minimal", MINIMAL(6, 4, 0), 3 },
	{ "minimal 2", MINIMAL(7, 7, 7), 3 },
	{ "user",
	  { 2,
	    { { USER_OBJ, 6, NO_ID },
	      { USER, 7, 1004 },
	      { GROUP_OBJ, 4, NO_ID },
	      { MASK, 7, NO_ID },
	      { OTHER, 0, NO_ID } } },
	  5 },
	{ "user, masked",
	  { 2,
	    { { USER_OBJ, 0, NO_ID },
	      { USER, 7, 1004 },
	      { GROUP_OBJ, 7, NO_ID },
	      { MASK, 4, NO_ID },
	      { OTHER, 7, NO_ID } } },
	  5 },
	{ "group",
	  { 2,
	    { { USER_OBJ, 7, NO_ID },
	      { GROUP_OBJ, 0, NO_ID },
	      { GROUP, 6, 3003 },
	      { GROUP, 5, 3004 },
	      { MASK, 7, NO_ID },
	      { OTHER, 1, NO_ID } } },
	  6 },
	{ "denies a user",
	  { 2,
	    { { USER_OBJ, 7, NO_ID },
	      { USER, 0, 1002 },
	      { USER, 2, 1003 },
	      { GROUP_OBJ, 7, NO_ID },
	      { MASK, 7, NO_ID },
	      { OTHER, 7, NO_ID } } },
	  6 },
	{ "no mask",
	  { 2,
	    { { USER_OBJ, 7, NO_ID },
	      { USER, 7, 1004 },
	      { GROUP_OBJ, 4, NO_ID },
	      { OTHER, 0, NO_ID } } },
	  4 },
	{ "no other", { 2, { { USER_OBJ, 7, NO_ID }, { GROUP_OBJ, 4, NO_ID } } }, 2 },
	{ "bad order",
	  { 2, { { OTHER, 7, NO_ID }, { GROUP_OBJ, 4, NO_ID }, { USER_OBJ, 7, NO_ID } } },
	  3 },
	{ "bad version",
	  { 3, { { USER_OBJ, 6, NO_ID }, { GROUP_OBJ, 4, NO_ID }, { OTHER, 0, NO_ID } } },
	  3 },
	{ "bad bits", MINIMAL(15, 4, 0), 3 },
	{ "nothing", { 2 }, 0 },
};

static int acl_set(const char *path, const char *name, size_t nr)
{
	return setxattr(path, name, &acls[nr].acl, 4 + acls[nr].nr * 8, 0);
}

static void see_acl(const char *path, const char *name)
{
	struct acl acl;
	int size = getxattr(path, name, &acl, sizeof(acl));

	if (size < 0) {
		posix_say("%s of %s: %s", name, path, t_errname(errno));
		return;
	}
	posix_say("%s of %s: version %u, %d bytes", name, path, acl.version, size);
	for (int i = 0; i < (size - 4) / 8; i++)
		posix_say("tag %x perm %o id %d", acl.entries[i].tag, acl.entries[i].perm,
			  (int)acl.entries[i].id);
}

static void see_users(const char *path)
{
	for (int user = 0; user < POSIX_USERS; user++) {
		posix_become(user);
		posix_say("%s may %c%c%c", posix_users[user].name,
			  access(path, R_OK) ? '-' : 'r', access(path, W_OK) ? '-' : 'w',
			  access(path, X_OK) ? '-' : 'x');
		SHUT(open(path, O_RDONLY));
		SHUT(open(path, O_WRONLY));
		posix_become(POSIX_ROOT);
	}
}

static void access_acl(void)
{
	for (size_t i = 0; i < t_array_size(acls); i++) {
		posix_label("%s", acls[i].text);
		posix_file("f", "text", 0604);
		MUST(chown("f", POSIX_OWNER, POSIX_GROUP));
		CALL(acl_set("f", ACCESS, i));
		posix_see("f");
		see_acl("f", ACCESS);
		see_users("f");
		CALL(chmod("f", 0751));
		see_acl("f", ACCESS);
		see_users("f");
		CALL(chown("f", 1002, 3003));
		see_acl("f", ACCESS);
		CALL(removexattr("f", ACCESS));
		posix_see("f");
		CALL(acl_set("f", DEFAULT, i));
		MUST(unlink("f"));
	}
}

static void see_new(const char *path)
{
	posix_see(path);
	see_acl(path, ACCESS);
}

static void default_acl(void)
{
	int fd;

	for (size_t i = 0; i < t_array_size(acls) * 2; i++) {
		posix_label("%s%s", acls[i / 2].text, i & 1 ? ", setgid" : "");
		MUST(mkdir("d", 0777));
		MUST(chown("d", POSIX_OWNER, POSIX_GROUP));
		MUST(chmod("d", i & 1 ? 02777 : 0777));
		CALL(acl_set("d", DEFAULT, i / 2));
		see_acl("d", DEFAULT);
		see_new("d");
		posix_become(i & 1 ? POSIX_MEMBER : POSIX_OTHER);
		umask(077);
		CALL(mkdir("d/dir", 0751));
		CALL(mknod("d/fifo", S_IFIFO | 0666, 0));
		CALL(symlink("x", "d/link"));
		SHUT(open("d/file", O_CREAT | O_WRONLY, 0666));
		SHUT(open("d/program", O_CREAT | O_WRONLY, 0711));
		fd = OPEN(open("d", O_TMPFILE | O_WRONLY, 0666));
		posix_see_fd(fd);
		close(fd);
		posix_become(POSIX_ROOT);
		umask(022);
		see_new("d/dir");
		see_acl("d/dir", DEFAULT);
		see_new("d/fifo");
		see_new("d/link");
		see_new("d/file");
		see_new("d/program");
		CALL(mkdir("d/dir/dir", 0777));
		see_acl("d/dir/dir", DEFAULT);
		CALL(removexattr("d", DEFAULT));
		CALL(removexattr("d", DEFAULT));
		posix_clear(".");
	}
}

static void who_sets_file(int user, mode_t mode)
{
	posix_file("f", "text", 0644);
	MUST(chown("f", POSIX_OWNER, POSIX_GROUP));
	MUST(chmod("f", mode));
	posix_become(user);
	CALL(acl_set("f", ACCESS, 0));
	posix_see("f");
	CALL(acl_set("f", ACCESS, 2));
	posix_see("f");
	CALL(removexattr("f", ACCESS));
	posix_become(POSIX_ROOT);
	posix_see("f");
	posix_clear(".");
}

static void who_sets(void)
{
	for (int user = 0; user < POSIX_ALL_USERS; user++)
		for (mode_t mode = 02775; mode; mode = mode == 02775 ? 0750 : 0) {
			posix_label("%s, %o", posix_users[user].name, mode);
			MUST(mkdir("d", 0777));
			MUST(chown("d", POSIX_OWNER, POSIX_GROUP));
			MUST(chmod("d", mode));
			posix_become(user);
			CALL(acl_set("d", ACCESS, 2));
			CALL(acl_set("d", DEFAULT, 2));
			CALL(getxattr("d", ACCESS, NULL, 0));
			CALL(getxattr("d", DEFAULT, NULL, 0));
			CALL(listxattr("d", NULL, 0));
			CALL(removexattr("d", ACCESS));
			posix_become(POSIX_ROOT);
			posix_see("d");
			posix_clear(".");
			who_sets_file(user, mode);
		}
	posix_types();
	for (const char *const *name = posix_type_names; *name; name++) {
		posix_label("%s", *name);
		CALL(lsetxattr(*name, ACCESS, &acls[2].acl, 44, 0));
		CALL(lsetxattr(*name, DEFAULT, &acls[2].acl, 44, 0));
		CALL(lsetxattr(*name, ACCESS, &acls[2].acl, 43, 0));
		CALL(lsetxattr(*name, ACCESS, "", 0, 0));
		posix_see(*name);
	}
}

const struct posix_script posix_acl[] = {
	{ "access", access_acl },
	{ "default", default_acl },
	{ "who", who_sets },
	{ NULL, NULL },
};
