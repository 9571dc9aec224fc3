// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Set-id bits and file capabilities go when the data changes, depending on who does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static char text[] = "abc";

static int do_write(int fd)
{
	return write(fd, "x", 1);
}

static int do_write_nothing(int fd)
{
	return write(fd, "x", 0);
}

static int do_pwritev(int fd)
{
	return pwritev(fd, &(struct iovec){ text, 3 }, 1, 1);
}

static int do_append(int fd)
{
	return pwritev2(fd, &(struct iovec){ text, 3 }, 1, -1, RWF_APPEND);
}

static int do_read(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static int do_shrink(int fd)
{
	return ftruncate(fd, 2);
}

static int do_same_size(int fd)
{
	return ftruncate(fd, 4);
}

static int do_grow(int fd)
{
	return ftruncate(fd, 10);
}

static int do_allocate(int fd)
{
	return fallocate(fd, 0, 0, 100);
}

static int do_allocate_keep(int fd)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100);
}

static int do_punch(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2);
}

static int do_zero(int fd)
{
	return fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 2);
}

static int do_copy(int fd)
{
	off_t from = 0, to = 2;

	return copy_file_range(fd, &from, fd, &to, 2, 0);
}

static int do_splice(int fd)
{
	int pipes[2], ret;

	MUST(pipe(pipes));
	MUST(write(pipes[1], "abc", 3));
	ret = splice(pipes[0], NULL, fd, NULL, 3, 0);
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

static int do_sendfile(int fd)
{
	off_t pos = 0;

	return sendfile(fd, fd, &pos, 2);
}

static int do_map(int fd)
{
	char *map = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -1;
	*map = 'm';
	msync(map, 4, MS_SYNC);
	return munmap(map, 4);
}

static int do_open_trunc(int fd)
{
	int again = open("f", O_WRONLY | O_TRUNC);

	return again < 0 ? again : close(again);
}

static int do_truncate(int fd)
{
	return truncate("f", 1);
}

static int do_truncate_same(int fd)
{
	return truncate("f", 4);
}

static int do_utimes(int fd)
{
	return futimens(fd, NULL);
}

static int do_link(int fd)
{
	return link("f", "d/f");
}

static const struct {
	const char *text;
	int (*call)(int fd);
} calls[] = {
	{ "write", do_write },
	{ "write nothing", do_write_nothing },
	{ "pwritev", do_pwritev },
	{ "append", do_append },
	{ "read", do_read },
	{ "shrink", do_shrink },
	{ "same size", do_same_size },
	{ "grow", do_grow },
	{ "allocate", do_allocate },
	{ "allocate, keep", do_allocate_keep },
	{ "punch", do_punch },
	{ "zero", do_zero },
	{ "copy", do_copy },
	{ "splice", do_splice },
	{ "sendfile", do_sendfile },
	{ "map", do_map },
	{ "open, truncate", do_open_trunc },
	{ "truncate", do_truncate },
	{ "truncate, same", do_truncate_same },
	{ "utimes", do_utimes },
	{ "link", do_link },
};

static int set_capability(const char *path)
{
	struct vfs_cap_data cap = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1 << CAP_NET_RAW,
	};

	return setxattr(path, "security.capability", &cap, XATTR_CAPS_SZ_2, 0);
}

static void see_capability(void)
{
	char value[64];

	CALL(getxattr("f", "security.capability", value, sizeof(value)));
}

static void try(size_t nr, mode_t mode, int user, gid_t group)
{
	int fd;

	posix_label("%s, %o, %s%s", calls[nr].text, mode, posix_users[user].name,
		    group ? "" : ", root's group");
	posix_file("f", "text", 0666);
	MUST(chown("f", POSIX_OWNER, group));
	MUST(chmod("f", mode));
	posix_become(user);
	fd = MUST(open("f", O_RDWR));
	CALL(calls[nr].call(fd));
	posix_see_fd(fd);
	close(fd);
	posix_become(POSIX_ROOT);
	posix_clear("d");
	MUST(unlink("f"));
}

static void bits(void)
{
	static const mode_t modes[] = { 06777, 04666, 02777, 02767, 01666 };
	static const int users[] = { POSIX_MAKER, POSIX_MEMBER, POSIX_OTHER };

	MUST(mkdir("d", 0777));
	MUST(chmod("d", 0777));
	for (size_t i = 0; i < t_array_size(calls); i++) {
		for (size_t j = 0; j < t_array_size(modes); j++)
			for (size_t k = 0; k < t_array_size(users); k++)
				try(i, modes[j], users[k], POSIX_GROUP);
		try(i, 06767, POSIX_ROOT, POSIX_GROUP);
		try(i, 06777, POSIX_ROOT, POSIX_GROUP);
		try(i, 02767, POSIX_SECOND, POSIX_GROUP);
		try(i, 06666, POSIX_OTHER, 0);
	}
}

/* Who owns the file, or is root, gives it away, or to himself. */
static void owner(void)
{
	static const mode_t modes[] = { 06777, 06767 };
	static const int users[] = { POSIX_ROOT, POSIX_MAKER, POSIX_MAKER_MEMBER };

	for (size_t i = 0; i < t_array_size(modes); i++)
		for (size_t j = 0; j < t_array_size(users); j++) {
			posix_label("%o, %s", modes[i], posix_users[users[j]].name);
			posix_file("f", "text", 0666);
			MUST(chown("f", POSIX_OWNER, POSIX_GROUP));
			MUST(chmod("f", modes[i]));
			posix_become(users[j]);
			CALL(chown("f", -1, -1));
			posix_see("f");
			CALL(chown("f", -1, posix_users[users[j]].gid));
			posix_see("f");
			posix_become(POSIX_ROOT);
			MUST(unlink("f"));
		}
}

/* A new file in a set-group-ID directory, whose maker wants the bit for it, too. */
static void maker(void)
{
	for (int user = 0; user < POSIX_ALL_USERS; user++) {
		posix_label("%s", posix_users[user].name);
		MUST(mkdir("d", 0777));
		MUST(chown("d", POSIX_OWNER, POSIX_GROUP));
		MUST(chmod("d", 02777));
		posix_become(user);
		SHUT(open("d/file", O_CREAT | O_WRONLY, 06775));
		SHUT(open("d/no program", O_CREAT | O_WRONLY, 06765));
		CALL(mknod("d/node", S_IFREG | 06775, 0));
		CALL(mkdir("d/dir", 02775));
		posix_become(POSIX_ROOT);
		posix_see("d/file");
		posix_see("d/no program");
		posix_see("d/node");
		posix_see("d/dir");
		posix_clear(".");
	}
}

static void capabilities(void)
{
	int fd;

	MUST(mkdir("d", 0777));
	MUST(chmod("d", 0777));
	for (size_t i = 0; i < t_array_size(calls); i++) {
		posix_label("%s", calls[i].text);
		posix_file("f", "text", 0666);
		CALL(set_capability("f"));
		posix_become(POSIX_OTHER);
		fd = MUST(open("f", O_RDWR));
		CALL(calls[i].call(fd));
		see_capability();
		close(fd);
		posix_become(POSIX_ROOT);
		posix_clear("d");
		MUST(unlink("f"));
	}
	posix_label("chown");
	posix_file("f", "text", 0755);
	CALL(set_capability("f"));
	CALL(chmod("f", 0711));
	see_capability();
	CALL(chown("f", -1, -1));
	see_capability();
	CALL(set_capability("f"));
	CALL(chown("f", 1, 1));
	see_capability();
	posix_label("set");
	posix_become(POSIX_OTHER);
	CALL(set_capability("f"));
	posix_become(POSIX_ROOT);
	CALL(set_capability("f"));
	CALL(set_capability("d"));
	CALL(setxattr("f", "security.capability", "x", 1, 0));
	CALL(removexattr("f", "security.capability"));
	see_capability();
}

const struct posix_script posix_killpriv[] = {
	{ "bits", bits },   { "owner", owner },
	{ "maker", maker }, { "capability", capabilities },
	{ NULL, NULL },
};
