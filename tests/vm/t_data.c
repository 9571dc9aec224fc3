// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes and checks known bytes, in a file (buffered) or a BAR (mapped).
 *
 *   t_data pattern   TARGET OFFSET LENGTH SEED   store the pattern of t.h
 *   t_data fill      TARGET OFFSET LENGTH BYTE   store one byte throughout
 *   t_data is-pattern, is-fill ...               the same is there, or exit 1
 *
 * The pattern in a BAR is that of the file position -p POS, by default 0, so that
 * what was read from POS can be told from what was read from elsewhere.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

#define CHUNK (1UL << 20)

struct job {
	bool check, pattern, bar;
	uint64_t offset, pos;
	uint32_t value;
	int fd;
	char *map;
};

/* Returns the offset of the first wrong byte, or -1. */
static int64_t do_memory(const struct job *job, char *mem, size_t length, uint64_t done)
{
	if (job->check && job->pattern)
		return t_pattern_check(mem, length, job->pos + done, job->value);
	if (job->check)
		return t_fill_check(mem, length, job->value);
	if (job->pattern)
		t_pattern_fill(mem, length, job->pos + done, job->value);
	else
		memset(mem, job->value, length);
	return -1;
}

static int64_t do_file(const struct job *job, size_t length, uint64_t done)
{
	static char mem[CHUNK];
	uint64_t offset = job->offset + done;
	int64_t wrong;

	if (job->check && pread(job->fd, mem, length, offset) != (ssize_t)length)
		t_die("read %zu bytes at %" PRIu64, length, offset);
	wrong = do_memory(job, mem, length, done);
	if (!job->check && pwrite(job->fd, mem, length, offset) != (ssize_t)length)
		t_die("write %zu bytes at %" PRIu64, length, offset);
	return wrong;
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	bool pos_given = false;
	uint64_t length, done;
	size_t part;
	int64_t wrong;

	if (argc > 2 && !strcmp(argv[1], "-p")) {
		job.pos = t_number(argv[2]);
		pos_given = true;
		argc -= 2;
		argv += 2;
	}
	if (argc != 6)
		t_usage("[-p POS] [is-]pattern|fill TARGET OFFSET LENGTH SEED|BYTE");
	job.check = !strncmp(argv[1], "is-", 3);
	job.pattern = !strcmp(argv[1] + 3 * job.check, "pattern");
	if (!job.pattern && strcmp(argv[1] + 3 * job.check, "fill"))
		t_usage("[-p POS] [is-]pattern|fill TARGET OFFSET LENGTH SEED|BYTE");
	job.bar = !strncmp(argv[2], "/sys/", 5);
	job.offset = t_number(argv[3]);
	length = t_number(argv[4]);
	job.value = t_number(argv[5]);
	if (!job.bar && !pos_given)
		job.pos = job.offset;

	if (job.bar) {
		job.map = t_map_bar(argv[2], job.offset, length, PROT_READ | PROT_WRITE);
	} else {
		job.fd = open(argv[2], job.check ? O_RDONLY : O_WRONLY | O_CREAT, 0644);
		if (job.fd < 0)
			t_die("open %s", argv[2]);
	}
	for (done = 0; done < length; done += part) {
		part = t_min(CHUNK, length - done);
		wrong = job.bar ? do_memory(&job, job.map + done, part, done)
				: do_file(&job, part, done);
		if (wrong >= 0) {
			printf("%s differs at %" PRIu64 "\n", argv[2],
			       job.offset + done + wrong);
			return 1;
		}
	}
	return 0;
}
