// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading and writing, in all the calls that do it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define LENGTH 300000

static char pattern[LENGTH], got[LENGTH + 4096];

static int open_new(const char *path, int flags)
{
	t_pattern_fill(pattern, LENGTH, 0, 1);
	return MUST(open(path, flags | O_CREAT | O_TRUNC, 0644));
}

static const off_t places[] = { 0, 1, 511, 512, 4095, 4096, 4097, 65535, 65536, 200000 };
static const size_t lengths[] = { 0, 1, 511, 512, 4096, 4097, 65536, 70001 };

static void grid(void)
{
	int fd = open_new("f", O_RDWR);

	for (size_t i = 0; i < t_array_size(places); i++)
		for (size_t j = 0; j < t_array_size(lengths); j++) {
			posix_label("%zu at %lld", lengths[j], (long long)places[i]);
			CALL(pwrite(fd, pattern, lengths[j], places[i]));
			CALL(pread(fd, got, lengths[j] + 100, places[i] - !!places[i]));
			CALL(!memcmp(got + !!places[i], pattern, lengths[j]));
			posix_see_data_fd(fd);
			if (j % 3 == 2)
				CALL(ftruncate(fd, places[i] / 2));
		}
	close(fd);
}

static void position(void)
{
	int fd = open_new("f", O_RDWR), dup_fd;

	CALL(write(fd, "0123456789", 10));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(lseek(fd, -3, SEEK_END));
	CALL(read(fd, got, 10));
	CALL(read(fd, got, 10));
	CALL(lseek(fd, 5, SEEK_END));
	CALL(read(fd, got, 10));
	CALL(write(fd, "x", 1));
	posix_see_data_fd(fd);
	CALL(lseek(fd, -1, SEEK_SET));
	CALL(lseek(fd, -100, SEEK_CUR));
	CALL(lseek(fd, 0, 99));
	CALL(lseek(fd, LLONG_MAX, SEEK_CUR));
	dup_fd = MUST(dup(fd));
	CALL(lseek(dup_fd, 2, SEEK_SET));
	CALL(read(fd, got, 2));
	CALL(!memcmp(got, "23", 2));
	CALL(pread(fd, got, 2, 7));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(pwrite(fd, "AB", 2, 0));
	CALL(lseek(dup_fd, 0, SEEK_CUR));
	CALL(pread(fd, got, 4, -1));
	CALL(pwrite(fd, got, 4, -1));
	CALL(pread(fd, got, 4, LLONG_MAX));
	CALL(pread(fd, got, 4, LLONG_MAX - 2));
	CALL(lseek(fd, 5LL << 30, SEEK_SET));
	CALL(write(fd, "far", 3));
	CALL(lseek(fd, 0, SEEK_END));
	CALL(pread(fd, got, 10, (5LL << 30) - 2));
	CALL(t_fill_check(got, 2, 0) < 0);
	CALL(!memcmp(got + 2, "far", 3));
	CALL(ftruncate(fd, 4LL << 30));
	CALL(lseek(fd, 0, SEEK_END));
	close(dup_fd);
	close(fd);
}

static void appending(void)
{
	int fd = open_new("f", O_RDWR | O_APPEND), fd2;

	CALL(write(fd, "one", 3));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(write(fd, "two", 3));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(pwrite(fd, "three", 5, 0));
	CALL(lseek(fd, 0, SEEK_CUR));
	fd2 = MUST(open("f", O_RDWR));
	CALL(pwrite(fd2, "far", 3, 100));
	CALL(write(fd, "four", 4));
	CALL(ftruncate(fd2, 2));
	CALL(write(fd, "five", 4));
	posix_see_data_fd(fd2);
	CALL(fcntl(fd2, F_SETFL, O_APPEND));
	CALL(fcntl(fd2, F_GETFL) & O_APPEND);
	CALL(write(fd2, "six", 3));
	CALL(lseek(fd2, 0, SEEK_CUR));
	posix_see_data_fd(fd2);
	close(fd2);
	close(fd);
}

/* O_APPEND taken off a file that was opened with it. */
static void append_off(void)
{
	int fd = open_new("f", O_RDWR | O_APPEND);

	CALL(write(fd, "0123456789", 10));
	CALL(fcntl(fd, F_SETFL, 0));
	CALL(fcntl(fd, F_GETFL) & O_APPEND);
	CALL(pwrite(fd, "xy", 2, 0));
	posix_see_data_fd(fd);
	close(fd);
}

static void vectors(void)
{
	static struct iovec many[IOV_MAX + 1];
	struct iovec iov[] = {
		{ pattern, 3 },	    { pattern + 100, 0 },      { pattern + 200, 5000 },
		{ pattern + 3, 1 }, { pattern + 9000, 60000 },
	};
	int fd = open_new("f", O_RDWR);

	for (int i = 0; i <= IOV_MAX; i++)
		many[i] = (struct iovec){ pattern + i * 7, i % 5 };
	CALL(writev(fd, iov, 5));
	CALL(writev(fd, iov, 0));
	CALL(writev(fd, iov, -1));
	CALL(writev(fd, many, IOV_MAX));
	CALL(writev(fd, many, IOV_MAX + 1));
	CALL(pwritev(fd, iov, 3, 1000));
	CALL(pwritev(fd, iov, 3, -5));
	posix_see_data_fd(fd);
	for (int i = 0; i < 5; i++)
		iov[i].iov_base = got + i * 60000;
	memset(got, 0, sizeof(got));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(readv(fd, iov, 5));
	CALL(t_fill_check(got + 120000, 5000, 0) < 0);
	CALL(!memcmp(got, pattern, 3));
	CALL(preadv(fd, iov, 5, 60000));
	CALL(preadv(fd, iov, 5, 1 << 20));
	CALL(preadv(fd, iov, 1025, 0));
	iov[0].iov_len = -1;
	CALL(readv(fd, iov, 2));
	close(fd);
}

static void version_2(void)
{
	static const struct {
		const char *text;
		int flags;
	} sets[] = {
		{ "none", 0 },
		{ "DSYNC", RWF_DSYNC },
		{ "SYNC", RWF_SYNC },
		{ "HIPRI", RWF_HIPRI },
		{ "APPEND", RWF_APPEND },
		{ "unknown", 1 << 30 },
		{ "NOAPPEND", 0x20 },
		{ "APPEND NOAPPEND", RWF_APPEND | 0x20 },
	};
	struct iovec iov = { (char[]){ "abcdef" }, 6 }, in = { got, 100 };

	for (size_t i = 0; i < t_array_size(sets) * 2; i++) {
		int append = i % 2 ? O_APPEND : 0, flags = sets[i / 2].flags;
		int fd = open_new("f", O_RDWR | append);

		posix_label("%s%s", append ? "append, " : "", sets[i / 2].text);
		MUST(write(fd, "0123456789", 10));
		CALL(pwritev2(fd, &iov, 1, 2, flags));
		posix_see_data_fd(fd);
		CALL(lseek(fd, 4, SEEK_SET));
		CALL(pwritev2(fd, &iov, 1, -1, flags));
		CALL(lseek(fd, 0, SEEK_CUR));
		posix_see_data_fd(fd);
		CALL(preadv2(fd, &in, 1, 1, flags));
		CALL(preadv2(fd, &in, 1, -1, flags));
		close(fd);
	}
}

static void bad_memory(void)
{
	int fd = open_new("f", O_RDWR), dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
	char *pages = t_map_host(3 * T_PAGE, 'x');
	int readonly, writeonly;

	MUST(munmap(pages + T_PAGE, 2 * T_PAGE));
	readonly = MUST(open("f", O_RDONLY));
	writeonly = MUST(open("f", O_WRONLY));
	CALL(write(fd, (void *)8, 10));
	CALL(write(fd, pattern, 10000));
	CALL(pread(fd, (void *)8, 10, 0));
	CALL(pread(fd, (void *)8, 10, 20000));
	CALL(pread(fd, (void *)8, 0, 0));
	CALL(pwrite(fd, pages + T_PAGE - 100, 100, 10000));
	CALL(pwrite(fd, pages + T_PAGE, 100, 20000));
	posix_see_data_fd(fd);
	CALL(read(writeonly, got, 1));
	CALL(write(readonly, got, 1));
	CALL(read(writeonly, got, 0));
	CALL(write(readonly, got, 0));
	CALL(ftruncate(readonly, 0));
	CALL(fallocate(readonly, 0, 0, 1));
	CALL(read(dir, got, 1));
	CALL(pread(dir, got, 1, 0));
	CALL(write(dir, got, 1));
	CALL(ftruncate(dir, 0));
	CALL(fallocate(dir, 0, 0, 1));
	CALL(write(-1, got, 1));
	CALL(write(fd, got, (size_t)-1));
	close(fd);
	CALL(write(fd, got, 1));
	CALL(fsync(fd));
	close(readonly);
	close(writeonly);
	close(dir);
	munmap(pages, T_PAGE);
}

static void direct(void)
{
	int fd = open_new("f", O_RDWR | O_DIRECT), buffered;
	char *memory = t_map_host(1 << 18, 0);
	static const struct {
		size_t shift, length;
		off_t pos;
	} tries[] = {
		{ 0, 4096, 0 },	    { 0, 65536, 4096 }, { 0, 512, 512 },
		{ 512, 512, 0 },    { 0, 512, 4096 },	{ 4, 512, 0 },
		{ 1, 512, 0 },	    { 0, 511, 0 },	{ 0, 512, 100 },
		{ 0, 0, 0 },	    { 0, 0, 1 },	{ 0, 8192, 1 << 20 },
		{ 512, 131072, 0 }, { 0, 4096, 69632 }, { 0, 512, 69120 },
	};

	for (size_t i = 0; i < t_array_size(tries); i++) {
		char *buf = memory + tries[i].shift;
		size_t length = tries[i].length;
		off_t pos = tries[i].pos;

		posix_label("%zu+%zu at %lld", tries[i].shift, length, (long long)pos);
		t_pattern_fill(buf, length, pos, i + 2);
		CALL(pwrite(fd, buf, length, pos));
		memset(buf, 0, length);
		CALL(pread(fd, buf, length, pos));
		CALL(t_pattern_check(buf, length, pos, i + 2) < 0);
		CALL(pread(fd, buf, length, 2 << 20));
	}
	posix_label("%s", "");
	posix_see("f");
	buffered = MUST(open("f", O_RDWR));
	posix_see_data_fd(buffered);
	CALL(pwrite(buffered, "buffered", 8, 4100));
	CALL(pread(fd, memory, 4096, 4096));
	CALL(!memcmp(memory + 4, "buffered", 8));
	memset(memory, 'd', 4096);
	CALL(pwrite(fd, memory, 4096, 4096));
	CALL(pread(buffered, got, 8, 4100));
	CALL(!memcmp(got, "dddddddd", 8));
	CALL(ftruncate(fd, 1000));
	CALL(pread(fd, memory, 4096, 0));
	CALL(fcntl(fd, F_SETFL, 0));
	CALL(fcntl(fd, F_GETFL) & O_DIRECT);
	CALL(fcntl(buffered, F_SETFL, O_DIRECT));
	CALL((fcntl(buffered, F_GETFL) & O_DIRECT) != 0);
	CALL(pread(buffered, memory, 4096, 0));
	munmap(memory, 1 << 18);
	close(buffered);
	close(fd);
}

/* A file may not grow past the limit of the process, and a write that does is cut. */
static void size_limit(void)
{
	struct rlimit unlimited, limit;
	int fd = open_new("f", O_RDWR), append;

	append = MUST(open("f", O_WRONLY | O_APPEND));
	MUST(getrlimit(RLIMIT_FSIZE, &unlimited));
	limit = unlimited;
	limit.rlim_cur = 10000;
	MUST(fflush(stdout));
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
	int64_t results[] = {
		pwrite(fd, pattern, 9000, 0),
		pwrite(fd, pattern, 9000, 5000),
		pwrite(fd, pattern, 1, 10000),
		pwrite(fd, pattern, 1, 9999),
		write(append, pattern, 1),
		ftruncate(fd, 10000),
		ftruncate(fd, 10001),
		errno,
		truncate("f", 10001),
		errno,
		ftruncate(fd, 5000),
		fallocate(fd, 0, 0, 10000),
		fallocate(fd, 0, 5000, 5001),
		errno,
		fallocate(fd, FALLOC_FL_KEEP_SIZE, 5000, 50000),
		errno,
		lseek(fd, 20000, SEEK_SET),
		write(fd, pattern, 1),
		errno,
		write(append, pattern, 1),
		errno,
	};
	MUST(setrlimit(RLIMIT_FSIZE, &unlimited));
	for (size_t i = 0; i < t_array_size(results); i++)
		posix_say("step %zu = %lld", i, (long long)results[i]);
	posix_see("f");
	posix_see_data_fd(fd);
	close(append);
	close(fd);
}

static void syncing(void)
{
	int fd = open_new("f", O_RDWR), dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
	int pipes[2];

	MUST(pipe(pipes));
	CALL(write(fd, pattern, 100000));
	CALL(fsync(fd));
	CALL(fdatasync(fd));
	CALL(fsync(dir));
	CALL(fdatasync(dir));
	CALL(syncfs(fd));
	CALL(syncfs(dir));
	CALL(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	CALL(sync_file_range(fd, 0, 4096,
			     SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	CALL(sync_file_range(fd, -1, 4096, SYNC_FILE_RANGE_WRITE));
	CALL(sync_file_range(fd, 0, 4096, 1 << 10));
	CALL(sync_file_range(pipes[0], 0, 4096, SYNC_FILE_RANGE_WRITE));
	CALL(fsync(pipes[0]));
	CALL(lseek(pipes[0], 0, SEEK_CUR));
	CALL(pread(pipes[0], got, 1, 0));
	for (int advice = 0; advice < 8; advice++) {
		posix_label("advice %d", advice);
		CALL(posix_fadvise(fd, 0, 0, advice));
		CALL(posix_fadvise(fd, 4096, -1, advice));
		CALL(posix_fadvise(pipes[0], 0, 0, advice));
		CALL(posix_fadvise(dir, 0, 0, advice));
	}
	posix_label("%s", "");
	CALL(readahead(fd, 0, 65536));
	CALL(readahead(dir, 0, 65536));
	posix_see_data_fd(fd);
	close(pipes[0]);
	close(pipes[1]);
	close(dir);
	close(fd);
}

const struct posix_script posix_data[] = {
	{ "grid", grid },	  { "position", position },
	{ "append", appending },  { "append off", append_off },
	{ "vector", vectors },	  { "v2", version_2 },
	{ "memory", bad_memory }, { "direct", direct },
	{ "limit", size_limit },  { "sync", syncing },
	{ NULL, NULL },
};
