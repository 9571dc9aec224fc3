// SPDX-License-Identifier: GPL-2.0-or-later
/* See t.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

void t_die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (err)
		fprintf(stderr, ": %s", strerror(err));
	fputc('\n', stderr);
	exit(2);
}

void t_usage(const char *text)
{
	fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, text);
	exit(2);
}

uint64_t t_number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	switch (*end) {
	case 'g':
	case 'G':
		n <<= 10; /* fallthrough */
	case 'm':
	case 'M':
		n <<= 10; /* fallthrough */
	case 'k':
	case 'K':
		n <<= 10;
		end++;
	}
	if (errno || end == text || *end)
		t_die("no number: '%s'", text);
	return n;
}

const char *t_errname(int err)
{
	const char *name = strerrorname_np(abs(err));

	return name ? name : "E?";
}

const char *t_result(int64_t ret, char text[32])
{
	if (ret < 0)
		return t_errname(-ret);
	snprintf(text, 32, "%lld", (long long)ret);
	return text;
}

void t_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		t_die("write %s", path);
	close(fd);
}

void *t_map_bar(const char *path, uint64_t offset, size_t length, int prot)
{
	uint64_t skip = offset % T_PAGE;
	char *map;
	int fd;

	fd = open(path, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
	if (fd < 0)
		t_die("open %s", path);
	map = mmap(NULL, skip + length, prot, MAP_SHARED, fd, offset - skip);
	if (map == MAP_FAILED)
		t_die("mmap %s", path);
	close(fd);
	return map + skip;
}

void *t_map_host(size_t length, int fill)
{
	void *map = mmap(NULL, length, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		t_die("mmap of %zu bytes", length);
	memset(map, fill, length);
	return map;
}

uint64_t t_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t t_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

uint32_t t_pattern_word(uint64_t pos, uint32_t seed)
{
	uint64_t z = (pos / T_WORD + 1) * 0x9e3779b97f4a7c15;

	return (z >> 32 ^ z) + seed * 0x85ebca6b;
}

void t_pattern_fill(void *buf, size_t length, uint64_t pos, uint32_t seed)
{
	volatile uint32_t *word = buf;
	size_t nr = length / T_WORD;
	uint32_t last;

	for (size_t i = 0; i < nr; i++)
		word[i] = t_pattern_word(pos + i * T_WORD, seed);
	last = t_pattern_word(pos + nr * T_WORD, seed);
	memcpy((char *)buf + nr * T_WORD, &last, length % T_WORD);
}

int64_t t_pattern_check(const void *buf, size_t length, uint64_t pos, uint32_t seed)
{
	const volatile uint32_t *word = buf;
	size_t nr = length / T_WORD;
	uint32_t last;

	for (size_t i = 0; i < nr; i++)
		if (word[i] != t_pattern_word(pos + i * T_WORD, seed))
			return i * T_WORD;
	last = t_pattern_word(pos + nr * T_WORD, seed);
	if (memcmp((const char *)buf + nr * T_WORD, &last, length % T_WORD))
		return nr * T_WORD;
	return -1;
}

int64_t t_fill_check(const void *buf, size_t length, int fill)
{
	const volatile unsigned char *byte = buf;

	for (size_t i = 0; i < length; i++)
		if (byte[i] != (unsigned char)fill)
			return i;
	return -1;
}
