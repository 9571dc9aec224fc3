// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one direct read costs the thread that asks for it, by way and in turns: each
 * repeat takes a sample of CALLS reads of every path, so that slow drift hits all alike.
 * In a machine that counts instructions, nanoseconds of the thread are instructions; the
 * thread submits and reaps, so both count. Prints "PATH MEDIAN LEAST MOST" lines, per read.
 * The reads of a queue leave one length free between them, or with -a follow each other,
 * and then the block layer merges those that have bios.
 *
 * With -e: writes 1 to the file SWITCH before the first sample, 0 after the last.
 *
 * With -c: what the first read into a fresh mapping costs more than the second, per page,
 * and what phyr keeps when all of DEVICE is mapped and read into.
 *
 * MEMORY: 4k, thp, huge (host memory in such pages), copy:DEVICE (huge pages, and then
 * memcpy to the device), or a file to map.
 */
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

#define HUGE_BYTES (2UL << 20)
#define MAX_DEPTH  64
#define MAX_PATHS  16

static const char usage[] =
	"[-a] [-e SWITCH] [-n CALLS] [-r REPEATS] ENGINE DEPTH LENGTH PATH=MEMORY=FILE...\n"
	"       t_bench -c [-r REPEATS] LENGTH DEVICE FILE";

struct path {
	const char *name;
	char *memory, *device;
	struct t_engine *engine; /* NULL: pread() */
	struct t_op ops[MAX_DEPTH];
	uint64_t *samples;
};

static struct path paths[MAX_PATHS];
static unsigned int nr_paths, depth;
static const char *switch_path;
static uint64_t length, calls = 32, repeats = 9, stride = 2;

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT);

	if (fd < 0)
		t_die("open %s", path);
	return fd;
}

static char *map_device(const char *path, size_t bytes)
{
	int fd = open(path, O_RDWR);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		t_die("mmap of %s", path);
	close(fd);
	return memory;
}

static char *map_host(const char *kind, size_t bytes)
{
	bool huge = !strcmp(kind, "huge");
	char *memory = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0), -1, 0);

	if (memory == MAP_FAILED)
		t_die("mmap of %s", kind);
	memory += -(uintptr_t)memory % HUGE_BYTES;
	if (!huge && madvise(memory, bytes, strcmp(kind, "thp") ? MADV_NOHUGEPAGE
								: MADV_HUGEPAGE))
		t_die("madvise");
	memset(memory, 1, bytes);
	return memory;
}

static void path_open(struct path *path, char *text, const char *engine)
{
	size_t bytes = (depth * length + HUGE_BYTES - 1) & -HUGE_BYTES;
	const char *memory, *file;
	int fd;

	path->name = strsep(&text, "=");
	memory = strsep(&text, "=");
	file = text;
	if (!file)
		t_usage(usage);
	fd = open_file(file);
	if (!strncmp(memory, "copy:", 5)) {
		path->device = map_device(memory + 5, bytes);
		memory = "huge";
	}
	path->memory = memory[0] == '/' ? map_device(memory, bytes)
					: map_host(memory, bytes);
	if (strcmp(engine, "psync"))
		path->engine = t_engine_open(engine, depth);
	path->samples = calloc(repeats, sizeof(*path->samples));
	if (!path->samples)
		t_die("memory");
	for (unsigned int i = 0; i < depth; i++) {
		struct t_op *op = &path->ops[i];

		op->fd = fd;
		op->pos = i * stride * length;
		op->iov[0].iov_base = path->memory + i * length;
		op->iov[0].iov_len = length;
		op->nr_iov = 1;
	}
}

static void finish(const struct path *path, const struct t_op *op, int64_t ret)
{
	if (ret != (int64_t)length) {
		char text[32];

		fprintf(stderr, "t_bench: %s: read gave %s\n", path->name,
			t_result(ret, text));
		exit(1);
	}
	if (path->device)
		memcpy(path->device + ((char *)op->iov[0].iov_base - path->memory),
		       op->iov[0].iov_base, length);
}

static uint64_t sample(struct path *path)
{
	uint64_t begin = t_thread_ns(), count = 0;
	struct t_op *op = path->ops;

	for (; !path->engine && count < calls; count++)
		finish(path, op, pread(op->fd, path->memory, length, 0));
	while (count < calls) {
		for (unsigned int i = 0; i < depth; i++)
			t_engine_add(path->engine, &path->ops[i]);
		t_engine_flush(path->engine);
		t_engine_wait(path->engine);
		while ((op = t_engine_reap(path->engine, false))) {
			finish(path, op, op->ret);
			count++;
		}
	}
	return (t_thread_ns() - begin) / count;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *name, uint64_t *samples)
{
	qsort(samples, repeats, sizeof(*samples), by_value);
	printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name, samples[repeats / 2],
	       samples[0], samples[repeats - 1]);
}

/* The first sample of each path only warms caches up. */
static void in_turns(void)
{
	for (unsigned int i = 0; i < nr_paths; i++)
		sample(&paths[i]);
	if (switch_path)
		t_write(switch_path, "1");
	for (uint64_t repeat = 0; repeat < repeats; repeat++)
		for (unsigned int i = 0; i < nr_paths; i++)
			paths[i].samples[repeat] = sample(&paths[i]);
	if (switch_path)
		t_write(switch_path, "0");
	for (unsigned int i = 0; i < nr_paths; i++)
		print(paths[i].name, paths[i].samples);
}

static uint64_t pread_cost(int fd, char *memory)
{
	uint64_t begin = t_thread_ns();
	ssize_t ret = pread(fd, memory, length, 0);

	if (ret != (ssize_t)length)
		t_die("pread of %" PRIu64 " bytes gave %zd", length, ret);
	return t_thread_ns() - begin;
}

static void cold(const char *device, const char *file)
{
	uint64_t samples[repeats];
	int fd = open_file(file);

	for (uint64_t repeat = 0; repeat <= repeats; repeat++) {
		char *memory = map_device(device, length);
		uint64_t first = pread_cost(fd, memory), again = pread_cost(fd, memory);

		if (repeat)
			samples[repeat - 1] = first < again ? 0
							    : (first - again) * T_PAGE / length;
		munmap(memory, length);
	}
	print("cold", samples);
}

static void fill(const char *device, const char *file)
{
	FILE *regions = fopen("/sys/kernel/debug/phyr/regions", "r");
	int fd = open_file(file);
	struct stat st;
	char word[32];
	char *memory;

	if (!regions)
		return;
	if (stat(device, &st))
		t_die("stat %s", device);
	memory = map_device(device, st.st_size);
	for (off_t at = 0; at < st.st_size; at += length)
		pread_cost(fd, memory + at);
	printf("memory");
	while (fscanf(regions, "%31s", word) == 1)
		printf(" %s", word);
	printf("\n");
}

int main(int argc, char **argv)
{
	bool is_cold = false;
	int opt;

	while ((opt = getopt(argc, argv, "ace:n:r:")) != -1) {
		if (opt == 'a')
			stride = 1;
		else if (opt == 'c')
			is_cold = true;
		else if (opt == 'e')
			switch_path = optarg;
		else if (opt == 'n')
			calls = t_number(optarg);
		else if (opt == 'r')
			repeats = t_number(optarg);
		else
			t_usage(usage);
	}
	argc -= optind;
	argv += optind;
	if (!repeats || argc < 3 + !is_cold || argc > 3 + MAX_PATHS)
		t_usage(usage);
	if (is_cold) {
		length = t_number(argv[0]);
		cold(argv[1], argv[2]);
		fill(argv[1], argv[2]);
		return 0;
	}
	depth = t_number(argv[1]);
	length = t_number(argv[2]);
	if (!depth || depth > MAX_DEPTH || !length)
		t_usage(usage);
	for (; nr_paths < (unsigned int)argc - 3; nr_paths++)
		path_open(&paths[nr_paths], argv[3 + nr_paths], argv[0]);
	in_turns();
	return 0;
}
