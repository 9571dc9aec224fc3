// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CPU cost of one direct read: nanoseconds of the thread per call, which are
 * instructions in a machine that counts them. Reads into a huge page, whose physical
 * layout is the same each time (nr_hugepages has to allow for one), or into MEMORY, a
 * file to map. Prints "LENGTH COST" lines; the cost is the median of the repeats.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"

#define HUGE_BYTES (2UL << 20)

static const char usage[] = "[-m MEMORY] FILE CALLS REPEATS LENGTH...";

static char *map(const char *path)
{
	int flags = path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	int fd = path ? open(path, O_RDWR) : -1;
	char *memory = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		t_die("mmap of %s", path ? path : "a huge page");
	return memory;
}

static uint64_t cost(int fd, char *memory, uint64_t length, uint64_t calls)
{
	uint64_t begin = t_thread_ns();

	for (uint64_t call = 0; call < calls; call++)
		if (pread(fd, memory, length, 0) != (ssize_t)length)
			t_die("pread of %" PRIu64 " bytes", length);
	return t_thread_ns() - begin;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	uint64_t calls, repeats, length, *spent;
	const char *path = NULL;
	char *memory;
	int fd, opt;

	while ((opt = getopt(argc, argv, "m:")) != -1) {
		if (opt != 'm')
			t_usage(usage);
		path = optarg;
	}
	if (argc - optind < 4)
		t_usage(usage);
	calls = t_number(argv[optind + 1]);
	repeats = t_number(argv[optind + 2]);
	fd = open(argv[optind], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[optind]);
	memory = map(path);
	spent = calloc(repeats, sizeof(*spent));
	if (!spent || !calls || !repeats)
		t_usage(usage);

	for (int i = optind + 3; i < argc; i++) {
		length = t_number(argv[i]);
		if (length > HUGE_BYTES)
			t_usage(usage);
		/* the first time only warms caches up */
		cost(fd, memory, length, calls);
		for (uint64_t repeat = 0; repeat < repeats; repeat++)
			spent[repeat] = cost(fd, memory, length, calls);
		qsort(spent, repeats, sizeof(*spent), by_value);
		printf("%" PRIu64 " %" PRIu64 "\n", length, spent[repeats / 2] / calls);
	}
	return 0;
}
