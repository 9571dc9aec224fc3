// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the cost of direct reads grows with what a process has mapped, in nanoseconds of
 * the thread, which are instructions in a machine that counts them.
 *
 * mappings: a read of LENGTH bytes by a process that has read into COUNT mappings of
 * DEVICE, each of one page, for each COUNT. Prints "COUNT MEMORY MEDIAN LEAST MOST"
 * lines, per read: into the oldest of the mappings, into the newest, and into host
 * memory.
 *
 * ranges: reads of LENGTH bytes into all of a mapping of COUNT pages of DEVICE, for each
 * COUNT. Prints "COUNT ORDER FIRST AGAIN" lines, per page of the mapping: in order and in
 * random order, while phyr does not know the mapping yet and when it does.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t.h"

#define ALIGN	    (2UL << 20)
#define MAX_COUNT   (1UL << 20)
/* how many mappings one call reads into */
#define BATCH	    1024
#define MAX_REPEATS 64

static const char usage[] =
	"mappings [-n CALLS] [-r REPEATS] LENGTH DEVICE FILE COUNT...\n"
	"       t_scale ranges LENGTH DEVICE FILE COUNT...";

static uint64_t length, calls = 32, repeats = 9;
static int device, file;

/* Addresses, aligned as page tables are, where nothing is mapped. */
static char *reserve(size_t bytes)
{
	char *area = mmap(NULL, bytes + ALIGN, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		t_die("mmap of %zu bytes", bytes);
	return area + -(uintptr_t)area % ALIGN;
}

static void map(char *at, size_t bytes, off_t offset)
{
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, device,
		 offset) == MAP_FAILED)
		t_die("mmap of the device");
}

static uint64_t read_cost(char *memory, size_t bytes)
{
	uint64_t begin = t_thread_ns();
	ssize_t ret = pread(file, memory, bytes, 0);

	if (ret != (ssize_t)bytes)
		t_die("pread of %zu bytes gave %zd", bytes, ret);
	return t_thread_ns() - begin;
}

/* ---------------------------------------------------------------- mappings */

/* Every other page of the area, so that each mapping stays one of its own. */
static char *mapping(char *area, uint64_t index)
{
	return area + 2 * index * T_PAGE;
}

/* Map the device's pages [from, to), each for itself, and read into all. */
static void mappings_add(char *area, uint64_t from, uint64_t to)
{
	struct iovec iov[BATCH];
	ssize_t ret;
	int nr;

	while (from < to) {
		for (nr = 0; nr < BATCH && from < to; nr++, from++) {
			iov[nr].iov_base = mapping(area, from);
			iov[nr].iov_len = T_PAGE;
			map(mapping(area, from), T_PAGE, from * T_PAGE);
		}
		ret = preadv(file, iov, nr, 0);
		if (ret != (ssize_t)(nr * T_PAGE))
			t_die("preadv into %d mappings gave %zd", nr, ret);
	}
}

static uint64_t sample(char *memory)
{
	uint64_t sum = 0;

	for (uint64_t call = 0; call < calls; call++)
		sum += read_cost(memory, length);
	return sum / calls;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The first sample of each only warms caches up. */
static void mappings_measure(char *area, uint64_t count)
{
	static const char *const names[] = { "oldest", "newest", "host" };
	char *memory[] = { mapping(area, 0), mapping(area, count - 1),
			   t_map_host(T_PAGE, 1) };
	uint64_t samples[t_array_size(names)][MAX_REPEATS];

	for (unsigned int i = 0; i < t_array_size(names); i++)
		sample(memory[i]);
	for (uint64_t repeat = 0; repeat < repeats; repeat++)
		for (unsigned int i = 0; i < t_array_size(names); i++)
			samples[i][repeat] = sample(memory[i]);
	for (unsigned int i = 0; i < t_array_size(names); i++) {
		qsort(samples[i], repeats, sizeof(samples[i][0]), by_value);
		printf("%" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count,
		       names[i], samples[i][repeats / 2], samples[i][0],
		       samples[i][repeats - 1]);
	}
	munmap(memory[2], T_PAGE);
}

/* ------------------------------------------------------------------ ranges */

/* The offsets of all parts of the mapping, in order or shuffled. */
static uint64_t *parts_new(uint64_t nr, bool shuffle)
{
	uint64_t *part = calloc(nr, sizeof(*part)), state = nr, swap, other;

	if (!part)
		t_die("memory");
	for (uint64_t i = 0; i < nr; i++)
		part[i] = i * length;
	for (uint64_t i = nr; shuffle && i > 1; i--) {
		other = t_random(&state) % i;
		swap = part[i - 1];
		part[i - 1] = part[other];
		part[other] = swap;
	}
	return part;
}

static void ranges_measure(uint64_t count, bool shuffle)
{
	size_t bytes = count * T_PAGE;
	uint64_t nr = (bytes + length - 1) / length, cost[2] = { 0, 0 };
	uint64_t *part = parts_new(nr, shuffle);
	char *area = reserve(bytes);

	map(area, bytes, 0);
	for (int again = 0; again < 2; again++)
		for (uint64_t i = 0; i < nr; i++)
			cost[again] +=
				read_cost(area + part[i], t_min(length, bytes - part[i]));
	printf("%" PRIu64 " %s %" PRIu64 " %" PRIu64 "\n", count,
	       shuffle ? "random" : "in-order", cost[0] / count, cost[1] / count);
	munmap(area, bytes);
	free(part);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool mappings = !strcmp(what, "mappings");
	uint64_t count, known = 0;
	char *area = NULL;
	int opt;

	if (!mappings && strcmp(what, "ranges"))
		t_usage(usage);
	for (optind = 2; (opt = getopt(argc, argv, "n:r:")) != -1;) {
		if (opt == 'n' && mappings)
			calls = t_number(optarg);
		else if (opt == 'r' && mappings)
			repeats = t_number(optarg);
		else
			t_usage(usage);
	}
	argv += optind;
	argc -= optind;
	if (argc < 4 || !calls || !repeats || repeats > MAX_REPEATS)
		t_usage(usage);
	length = t_number(argv[0]);
	device = open(argv[1], O_RDWR);
	file = open(argv[2], O_RDONLY | O_DIRECT);
	if (!length || (mappings && length > T_PAGE))
		t_usage(usage);
	if (device < 0 || file < 0)
		t_die("open %s", argv[device < 0 ? 1 : 2]);
	if (mappings)
		area = reserve(2 * MAX_COUNT * T_PAGE);
	for (int i = 3; i < argc; i++) {
		count = t_number(argv[i]);
		if (count <= known || count > MAX_COUNT)
			t_usage("COUNT is larger than the one before it");
		if (mappings) {
			mappings_add(area, known, count);
			mappings_measure(area, count);
			known = count;
		} else {
			ranges_measure(count, false);
			ranges_measure(count, true);
		}
	}
	return 0;
}
