// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes, allocated space and holes: truncate, fallocate, SEEK_DATA and SEEK_HOLE. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define K 1024LL
#define M (1024 * K)
#define G (1024 * M)

static char pattern[256 * K];

static int open_filled(const char *path, size_t length)
{
	int fd = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));

	t_pattern_fill(pattern, length, 0, 3);
	MUST(pwrite(fd, pattern, length, 0));
	return fd;
}

static const off_t sizes[] = {
	0,	   1,	  511,	     512,	4095,	   4096,
	4097,	   65536, 100001,    1 * M + 1, 2 * G - 1, 2 * G,
	4 * G - 1, 4 * G, 4 * G + 5, 1024 * G,	-1,	   LLONG_MIN,
};

static void truncating(void)
{
	int fd = open_filled("f", 70000);

	for (size_t i = 0; i < t_array_size(sizes); i++) {
		off_t size = sizes[i];

		posix_label("%lld", (long long)size);
		CALL(ftruncate(fd, size));
		posix_see_fd(fd);
		CALL(lseek(fd, 0, SEEK_END));
		CALL(truncate("f", size));
		CALL(ftruncate(fd, 5000));
		CALL(pwrite(fd, pattern, 3000, 4000));
		CALL(truncate("f", size));
		posix_see("f");
		if (size <= 2 * M)
			posix_see_data_fd(fd);
		CALL(ftruncate(fd, 0));
	}
	close(fd);
}

/* Past what any filesystem can do; where below that the end is, phyrfs cannot know. */
static void far(void)
{
	int fd = open_filled("f", 100);

	CALL(ftruncate(fd, LLONG_MAX));
	posix_see_fd(fd);
	CALL(truncate("f", LLONG_MAX));
	CALL(ftruncate(fd, 0));
	CALL(pwrite(fd, pattern, 10, LLONG_MAX));
	CALL(pwrite(fd, pattern, 10, LLONG_MAX - 5));
	CALL(pwrite(fd, pattern, 10, LLONG_MAX - 10));
	posix_see_fd(fd);
	CALL(ftruncate(fd, 0));
	CALL(fallocate(fd, 0, LLONG_MAX - 10, 100));
	CALL(fallocate(fd, 0, LLONG_MAX, 1));
	CALL(fallocate(fd, 0, 1, LLONG_MAX));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, LLONG_MAX));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, LLONG_MAX - 1));
	posix_see_fd(fd);
	CALL(ftruncate(fd, 1));
	CALL(lseek(fd, LLONG_MIN, SEEK_SET));
	CALL(lseek(fd, LLONG_MAX, SEEK_END));
	close(fd);
}

/* In 4 KiB pieces, d: data, h: hole. */
static void see_map(int fd, int nr)
{
	char text[65] = "";

	for (int i = 0; i < nr && i < 64; i++) {
		off_t pos = i * 4096LL, data = lseek(fd, pos, SEEK_DATA);

		if (data < 0)
			text[i] = errno == ENXIO ? '-' : '?';
		else
			text[i] = data == pos ? 'd' : 'h';
	}
	posix_say("map %s", text);
}

static const struct {
	const char *text;
	int mode;
} modes[] = {
	{ "allocate", 0 },
	{ "keep size", FALLOC_FL_KEEP_SIZE },
	{ "punch", FALLOC_FL_PUNCH_HOLE },
	{ "punch, keep", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
	{ "zero", FALLOC_FL_ZERO_RANGE },
	{ "zero, keep", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "collapse", FALLOC_FL_COLLAPSE_RANGE },
	{ "collapse, keep", FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "insert", FALLOC_FL_INSERT_RANGE },
	{ "insert, keep", FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "unshare", FALLOC_FL_UNSHARE_RANGE },
	{ "unshare, keep", FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "punch, zero, keep",
	  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE },
	{ "collapse, insert", FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE },
	{ "unknown", 1 << 20 },
};

static const struct {
	off_t pos, length;
} ranges[] = {
	{ 0, 4096 },	  { 8192, 8192 },  { 100, 200 },     { 4000, 200 },
	{ 60000, 10000 }, { 65536, 4096 }, { 65536, 65536 }, { 100000, 100 },
	{ 0, 65536 },	  { 0, 1 * M },	   { 0, 0 },	     { -1, 4096 },
	{ 4096, -4096 },  { 61440, 4096 }, { 5 * G, 4096 },
};

static void falloc(void)
{
	for (size_t i = 0; i < t_array_size(modes); i++)
		for (size_t j = 0; j < t_array_size(ranges); j++) {
			off_t pos = ranges[j].pos, length = ranges[j].length;
			int fd = open_filled("f", 65536);

			posix_label("%s %lld at %lld", modes[i].text, (long long)length,
				    (long long)pos);
			if (CALL(fallocate(fd, modes[i].mode, pos, length)) >= 0) {
				posix_see_fd(fd);
				MUST(ftruncate(fd, t_min(lseek(fd, 0, SEEK_END), 2 * M)));
				posix_see_data_fd(fd);
				CALL(pwrite(fd, "after", 5, 8190));
				posix_see_data_fd(fd);
			}
			close(fd);
		}
}

static void falloc_others(void)
{
	int fd;

	posix_types();
	fd = MUST(open("file", O_WRONLY | O_APPEND));
	CALL(fallocate(fd, 0, 0, 8192));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	CALL(write(fd, "end", 3));
	posix_see_data("file");
	close(fd);
	fd = MUST(open("dir", O_RDONLY));
	CALL(fallocate(fd, 0, 0, 8192));
	CALL(posix_fallocate(fd, 0, 8192));
	close(fd);
	fd = MUST(open("fifo", O_RDWR));
	CALL(fallocate(fd, 0, 0, 8192));
	CALL(ftruncate(fd, 0));
	CALL(truncate("fifo", 0));
	close(fd);
	fd = MUST(open("file", O_RDONLY));
	CALL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	CALL(posix_fallocate(fd, 0, 8192));
	close(fd);
	CALL(truncate("dir", 0));
	CALL(truncate("socket", 0));
	CALL(truncate("chr", 0));
	CALL(truncate("link", 1));
	posix_see("file");
}

static const off_t seeks[] = {
	0,     1,      4095,   4096,   8192,   32767, 32768, 65535,	65536,	   65537,
	99999, 131072, 131080, 131081, 200000, -1,    5 * G, LLONG_MAX, LLONG_MIN,
};

static void seek(const char *text, int fd)
{
	for (size_t i = 0; i < t_array_size(seeks); i++) {
		posix_label("%s, %lld", text, (long long)seeks[i]);
		CALL(lseek(fd, seeks[i], SEEK_DATA));
		CALL(lseek(fd, seeks[i], SEEK_HOLE));
	}
	posix_label("%s", text);
	see_map(fd, 40);
}

static void holes(void)
{
	int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));

	seek("empty", fd);
	MUST(ftruncate(fd, 131081));
	seek("hole", fd);
	MUST(pwrite(fd, "x", 1, 40000));
	MUST(fsync(fd));
	seek("sparse", fd);
	MUST(pwrite(fd, "x", 1, 131080));
	MUST(fsync(fd));
	seek("with an end", fd);
	t_pattern_fill(pattern, 131072, 0, 3);
	MUST(pwrite(fd, pattern, 131072, 0));
	MUST(fsync(fd));
	seek("full", fd);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 32768, 32768));
	MUST(fsync(fd));
	seek("punched", fd);
	MUST(ftruncate(fd, 50000));
	seek("cut", fd);
	posix_see_data_fd(fd);
	close(fd);
	posix_label("%s", "");
	MUST(mkdir("dir", 0755));
	fd = MUST(open("dir", O_RDONLY));
	CALL(lseek(fd, LLONG_MIN, SEEK_SET));
	close(fd);
}

const struct posix_script posix_space[] = {
	{ "truncate", truncating },  { "far", far },	 { "fallocate", falloc },
	{ "others", falloc_others }, { "holes", holes }, { NULL, NULL },
};
