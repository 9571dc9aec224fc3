// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPU cost of one direct read into host memory: nanoseconds of the thread per call,
 * which are instructions in a machine that counts them. Prints "LENGTH COST" lines; the
 * cost is the least of the repeats.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "t.h"

int main(int argc, char **argv)
{
	uint64_t calls, repeats, length, best, begin, spent;
	char *memory;
	int fd;

	if (argc < 5)
		t_usage("FILE CALLS REPEATS LENGTH...");
	calls = t_number(argv[2]);
	repeats = t_number(argv[3]);
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[1]);

	for (int i = 4; i < argc; i++) {
		length = t_number(argv[i]);
		memory = t_map_host(length, 0);
		best = UINT64_MAX;
		/* The first repeat only warms caches up. */
		for (uint64_t repeat = 0; repeat <= repeats; repeat++) {
			begin = t_thread_ns();
			for (uint64_t call = 0; call < calls; call++)
				if (pread(fd, memory, length, 0) != (ssize_t)length)
					t_die("pread %s", argv[1]);
			spent = t_thread_ns() - begin;
			if (repeat && spent < best)
				best = spent;
		}
		printf("%" PRIu64 " %" PRIu64 ".%" PRIu64 "\n", length, best / calls,
		       best * 10 / calls % 10);
	}
	return 0;
}
