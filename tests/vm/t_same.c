// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same call twice, in one way with host memory through an ordinary path, in the
 * other with device memory through phyrfs: result, data and file must be the same.
 *
 *   t_same read  FILE_MNT FILE_DIR BAR
 *   t_same write FILE_MNT FILE_DIR BAR OTHER
 *
 * FILE_MNT and FILE_DIR are one file; OTHER is a second one in the ordinary directory,
 * of the same content, that gets the vanilla writes. Every combination of the places,
 * lengths and misalignments below is tried, then lists of odd segments.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"
#include "t_engine.h"

#define POISON 0xa5
#define MEMORY (2UL << 20)
#define AROUND 8192UL

/* One that is negative counts from the end of the file at the start. */
static const int64_t places[] = {
	0,	     4,	     7,	    100,   512,	  1024, 3584, 4096, 4608,      8191,
	65536 - 512, -65536, -4608, -4096, -1024, -512, -511, -1,   INT64_MIN,
};
static const size_t lengths[] = {
	0, 1, 4, 100, 511, 512, 513, 1024, 4092, 4096, 4100, 4608, 8192, 12800, 65536,
};
static const size_t long_lengths[] = { 1 << 20, (1 << 20) + 512, 3 << 18 };
static const size_t shifts[] = { 0, 1, 2, 4, 8, 64, 508, 512, 2044, 4092 };

/* Segments: distance from the end of the one before, length; 0, 0 ends the list. */
static const struct {
	size_t gap, length;
} lists[][T_MAX_IOV + 1] = {
	{ { 0, 4096 }, { 0, 4096 } },
	{ { 0, 512 }, { 3584, 512 }, { 3584, 3072 } },
	{ { 512, 512 }, { 0, 512 }, { 64, 7168 } },
	{ { 4, 1024 }, { 4, 4096 }, { 4, 3072 } },
	{ { 2048, 2048 }, { 0, 4096 }, { 0, 2048 } },
	{ { 0, 0x10000 }, { 4096, 512 }, { 8, 0x10000 } },
	{ { 0, 100 }, { 0, 412 } },
	{ { 0, 100 }, { 4096, 412 } },
	{ { 0, 508 }, { 0, 4 } },
	{ { 0, 4092 }, { 4, 4 } },
	{ { 0, 1 }, { 0, 511 } },
	{ { 3, 512 }, { 0, 512 } },
	{ { 0, 512 }, { 2, 512 } },
	{ { 0, 512 }, { 0, 513 } },
	{ { 0, 4096 }, { 4096, 100 } },
};

static struct {
	bool write;
	int mnt, other;		  /* opened for direct I/O */
	int mnt_look, other_look; /* buffered, both by the ordinary path */
	char *bar, *host;
	unsigned long nr, nr_ok, nr_refused;
	uint32_t seed;
} t;

struct call {
	struct iovec iov[T_MAX_IOV]; /* iov_base is an offset of the memory */
	int nr_iov;
	int64_t pos;
	size_t length;
};

static _Noreturn void fail(const struct call *call, const char *what, int64_t phyr,
			   int64_t vanilla)
{
	char text[2][32];

	printf("%s of %zu at %" PRId64 " in", t.write ? "write" : "read", call->length,
	       call->pos);
	for (int i = 0; i < call->nr_iov; i++)
		printf(" %zu+%zu", (size_t)call->iov[i].iov_base, call->iov[i].iov_len);
	printf(": %s: phyrfs %s, vanilla %s\n", what, t_result(phyr, text[0]),
	       t_result(vanilla, text[1]));
	exit(1);
}

static int64_t submit(int fd, const struct call *call, char *memory)
{
	struct iovec iov[T_MAX_IOV];
	ssize_t ret;

	for (int i = 0; i < call->nr_iov; i++) {
		iov[i].iov_base = memory + (size_t)call->iov[i].iov_base;
		iov[i].iov_len = call->iov[i].iov_len;
	}
	ret = t.write ? pwritev(fd, iov, call->nr_iov, call->pos)
		      : preadv(fd, iov, call->nr_iov, call->pos);
	return ret < 0 ? -errno : ret;
}

/* Pieces of a disk block in different places: no PRP list can say that. */
static bool may_refuse(const struct call *call)
{
	for (int i = 0; i < call->nr_iov - 1; i++)
		if (call->iov[i].iov_len % 512)
			return true;
	return false;
}

static void compare_read(const struct call *call, int64_t ret)
{
	size_t left = ret > 0 ? ret : 0, good;

	for (int i = 0; i < call->nr_iov; i++) {
		size_t at = (size_t)call->iov[i].iov_base;
		size_t length = call->iov[i].iov_len;

		good = t_min(left, length);
		if (memcmp(t.bar + at, t.host + at, good))
			fail(call, "data", i, 0);
		for (; good < length; good++)
			if (t.bar[at + good] != (char)POISON && t.bar[at + good])
				fail(call, "foreign bytes after the end", good, 0);
		left -= t_min(left, length);
	}
}

static void compare_file(const struct call *call)
{
	static char text[2][MEMORY + 2 * AROUND];
	int64_t from = call->pos > (int64_t)AROUND ? call->pos - AROUND : 0;
	size_t length = call->length + 2 * AROUND;
	ssize_t got[2];

	got[0] = pread(t.mnt_look, text[0], length, from);
	got[1] = pread(t.other_look, text[1], length, from);
	if (got[0] != got[1])
		fail(call, "size of the file", got[0], got[1]);
	for (ssize_t i = 0; i < got[0]; i++)
		if (text[0][i] != text[1][i])
			fail(call, "file differs at", from + i, 0);
}

static void try(const struct call *call)
{
	size_t begin = (size_t)call->iov[0].iov_base, end = begin;
	unsigned long refused = t.nr_refused;
	const size_t margin = 64;
	int64_t phyr, vanilla;

	for (int i = 0; i < call->nr_iov; i++)
		end = (size_t)call->iov[i].iov_base + call->iov[i].iov_len;
	begin -= t_min(begin, margin);
	end += margin;
	if (t.write) {
		t.seed++;
		t_pattern_fill(t.bar + begin, end - begin, 0, t.seed);
		t_pattern_fill(t.host + begin, end - begin, 0, t.seed);
	} else {
		memset(t.bar + begin, POISON, end - begin);
		memset(t.host + begin, POISON, end - begin);
	}
	vanilla = submit(t.other, call, t.host);
	phyr = submit(t.mnt, call, t.bar);
	t.nr++;
	if (phyr != vanilla && (phyr == -EFAULT || phyr == -EINVAL) && may_refuse(call)) {
		t.nr_refused++;
		/* The files have to stay alike; this is in scope, too. */
		phyr = submit(t.mnt, call, t.host);
	}
	if (phyr != vanilla)
		fail(call, "result", phyr, vanilla);
	t.nr_ok += phyr > 0;
	if (t.write) {
		compare_file(call);
		return;
	}
	if (t.nr_refused != refused)
		return;
	compare_read(call, phyr);
	if (memcmp(t.bar + end - margin, t.host + end - margin, margin))
		fail(call, "memory after the buffer", 0, 0);
	if (begin && memcmp(t.bar + begin, t.host + begin, margin))
		fail(call, "memory before the buffer", 0, 0);
}

static void try_plain(int64_t pos, size_t length, size_t shift)
{
	struct call call = {
		.iov = { { (void *)(T_PAGE + shift), length } },
		.nr_iov = 1,
		.pos = pos,
		.length = length,
	};

	try(&call);
}

static void try_list(int64_t pos, size_t nr)
{
	struct call call = { .pos = pos };
	size_t at = T_PAGE;

	for (int i = 0; lists[nr][i].length; i++) {
		at += lists[nr][i].gap;
		call.iov[i] = (struct iovec){ (void *)at, lists[nr][i].length };
		call.length += lists[nr][i].length;
		at += lists[nr][i].length;
		call.nr_iov++;
	}
	try(&call);
}

static int xopen(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		t_die("open %s", path);
	return fd;
}

int main(int argc, char **argv)
{
	int flags = O_DIRECT;
	struct stat st;
	int64_t pos;

	if (argc < 2)
		t_usage("read|write FILE_MNT FILE_DIR BAR [OTHER]");
	t.write = !strcmp(argv[1], "write");
	if (argc != 5 + t.write)
		t_usage("read|write FILE_MNT FILE_DIR BAR [OTHER]");
	flags |= t.write ? O_RDWR : O_RDONLY;
	t.mnt = xopen(argv[2], flags);
	t.mnt_look = xopen(argv[3], O_RDONLY);
	t.other = xopen(argv[t.write ? 5 : 3], flags);
	t.other_look = xopen(argv[t.write ? 5 : 3], O_RDONLY);
	t.bar = t_map_bar(argv[4], 0, MEMORY, PROT_READ | PROT_WRITE);
	t.host = t_map_host(MEMORY, 0);
	if (fstat(t.mnt_look, &st))
		t_die("stat");

	for (size_t p = 0; p < t_array_size(places); p++) {
		/* The last place is the end itself, and lies past it after a write. */
		pos = places[p] == INT64_MIN ? st.st_size
		      : places[p] < 0	     ? st.st_size + places[p]
					     : places[p];
		for (size_t l = 0; l < t_array_size(lengths); l++)
			for (size_t s = 0; s < t_array_size(shifts); s++)
				try_plain(pos, lengths[l], shifts[s]);
		for (size_t l = 0; l < t_array_size(long_lengths); l++) {
			try_plain(pos, long_lengths[l], 0);
			try_plain(pos, long_lengths[l], 2052);
		}
		for (size_t l = 0; l < t_array_size(lists); l++)
			try_list(pos, l);
	}
	try_plain(st.st_size + (1 << 20), 4096, 0);
	try_plain(-4096, 4096, 0);
	printf("%lu calls, %lu moved data, %lu refused\n", t.nr, t.nr_ok, t.nr_refused);
	return t.nr_ok ? 0 : 1;
}
