// SPDX-License-Identifier: GPL-2.0-or-later
/* Mappings of files, and what writes, truncation and they see of each other. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define LENGTH 40000

/* A byte of memory: its value, or EFAULT where a load would raise SIGBUS. */
static int peek(const char *at)
{
	static int pipes[2];
	unsigned char byte;

	if (!pipes[1])
		MUST(pipe2(pipes, O_CLOEXEC));
	if (write(pipes[1], at, 1) < 0)
		return -1;
	MUST(read(pipes[0], &byte, 1));
	return byte;
}

static int open_filled(void)
{
	static char pattern[LENGTH];
	int fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0644));

	t_pattern_fill(pattern, LENGTH, 0, 5);
	MUST(write(fd, pattern, LENGTH));
	return fd;
}

static void kinds(void)
{
	static const struct {
		const char *text;
		int flags;
	} opens[] = {
		{ "r", O_RDONLY },
		{ "w", O_WRONLY },
		{ "rw", O_RDWR },
		{ "append", O_RDWR | O_APPEND },
		{ "direct", O_RDWR | O_DIRECT },
	};
	static const int types[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, 0 };
	void *map;

	close(open_filled());
	for (size_t i = 0; i < t_array_size(opens); i++) {
		int fd = MUST(open("f", opens[i].flags));

		for (size_t j = 0; j < t_array_size(types); j++)
			for (int prot = 0; prot < 8; prot++) {
				posix_label("open %s, type %d, prot %d", opens[i].text,
					    types[j], prot);
				map = MMAP(mmap(NULL, LENGTH, prot, types[j], fd, 0));
				if (map == MAP_FAILED)
					continue;
				CALL(peek(map));
				CALL(mprotect(map, LENGTH, PROT_READ | PROT_WRITE));
				CALL(mprotect(map, LENGTH, PROT_READ | PROT_EXEC));
				munmap(map, LENGTH);
			}
		close(fd);
	}
}

static void shared(void)
{
	int fd = open_filled(), fd2 = MUST(open("f", O_RDWR));
	char *map, *map2, buf[8];

	map = MMAP(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	map2 = MMAP(mmap(NULL, 65536, PROT_READ, MAP_SHARED, fd2, 0));
	CALL(t_pattern_check(map, LENGTH, 0, 5) < 0);
	memcpy(map + 5000, "mapped", 6);
	CALL(!memcmp(map2 + 5000, "mapped", 6));
	CALL(pread(fd2, buf, 6, 5000));
	CALL(!memcmp(buf, "mapped", 6));
	CALL(pwrite(fd2, "written", 7, 9000));
	CALL(!memcmp(map + 9000, "written", 7));
	CALL(msync(map, 65536, MS_SYNC));
	CALL(msync(map, 4096, MS_ASYNC));
	CALL(msync(map, 4096, MS_INVALIDATE));
	CALL(msync(map + 1, 4096, MS_SYNC));
	CALL(msync(map, 4096, MS_SYNC | MS_ASYNC));
	posix_see_data("f");
	/* behind the end of the file in its last page, and behind that page */
	memcpy(map + LENGTH, "slack", 5);
	CALL(msync(map, 65536, MS_SYNC));
	posix_see("f");
	CALL(peek(map + 40959));
	CALL(peek(map + 40960));
	CALL(peek(map + 65535));
	CALL(ftruncate(fd2, 60000));
	CALL(peek(map + 59999));
	CALL(peek(map + 61439));
	CALL(peek(map + 61440));
	map[50000] = 'x';
	CALL(ftruncate(fd2, 10000));
	CALL(peek(map + 9999));
	CALL(peek(map + 10000));
	CALL(peek(map + 12288));
	CALL(ftruncate(fd2, 60000));
	CALL(peek(map + 50000));
	posix_see_data("f");
	/* a mapping outlives descriptors and name */
	close(fd);
	close(fd2);
	CALL(unlink("f"));
	map[100] = 'y';
	CALL(peek(map2 + 100));
	CALL(msync(map, 65536, MS_SYNC));
	CALL(madvise(map, 65536, MADV_DONTNEED));
	CALL(peek(map + 100));
	CALL(madvise(map, 8192, MADV_REMOVE));
	CALL(peek(map2 + 100));
	munmap(map, 65536);
	munmap(map2, 65536);
}

static void private(void)
{
	int fd = open_filled(), readonly = MUST(open("f", O_RDONLY));
	char *map;

	map = MMAP(mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE, readonly, 0));
	memcpy(map, "mine", 4);
	CALL(pwrite(fd, "file", 4, 0));
	CALL(!memcmp(map, "mine", 4));
	CALL(pwrite(fd, "file", 4, 8192));
	CALL(!memcmp(map + 8192, "file", 4));
	CALL(msync(map, LENGTH, MS_SYNC));
	posix_see_data("f");
	CALL(ftruncate(fd, 4096));
	CALL(peek(map + 8192));
	CALL(madvise(map, 4096, MADV_DONTNEED));
	CALL(!memcmp(map, "file", 4));
	munmap(map, LENGTH);
	close(readonly);
	close(fd);
}

static void places(void)
{
	int fd = open_filled(), dir = MUST(open(".", O_RDONLY | O_DIRECTORY)), path;
	char *map;

	path = MUST(open("f", O_PATH));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, -4096));
	MMAP(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dir, 0));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, path, 0));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED, -1, 0));
	MMAP(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
	map = MMAP(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 8192));
	CALL(t_pattern_check(map, 8192, 8192, 5) < 0);
	munmap(map, 8192);
	map = MMAP(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 40960));
	CALL(peek(map));
	munmap(map, 8192);
	map = MMAP(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096));
	/* from a file's mapping into the same file, and back */
	CALL(pwrite(fd, map, 4096, 100000));
	CALL(pread(fd, map, 4096, 8192));
	CALL(t_pattern_check(map, 4096, 8192, 5) < 0);
	CALL(pwrite(fd, map, 4096, 4096));
	posix_see_data_fd(fd);
	munmap(map, 4096);
	close(path);
	close(dir);
	close(fd);
}

const struct posix_script posix_map[] = {
	{ "kinds", kinds },   { "shared", shared }, { "private", private },
	{ "places", places }, { NULL, NULL },
};
