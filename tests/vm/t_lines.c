// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warm direct reads of 4 KiB by two threads, each on a CPU of its own, with a file of its
 * own and a buffer of its own in one mapping of DEVICE: READS of each, while lines_plugin
 * records who writes which lines of memory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "t_lines.h"

#define NR_READERS   2
#define READER_BYTES (1UL << 20)

static char **paths;
static uint64_t reads;
static char *memory;
static pthread_barrier_t barrier;

static void reader_read(int fd, char *buffer)
{
	ssize_t ret = pread(fd, buffer, T_PAGE, 0);

	if (ret != (ssize_t)T_PAGE)
		t_die("pread gave %zd", ret);
}

static void *reader_run(void *arg)
{
	uintptr_t cpu = (uintptr_t)arg;
	char *buffer = memory + cpu * READER_BYTES;
	cpu_set_t set;
	int fd;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		t_die("CPU %d", (int)cpu);
	fd = open(paths[cpu], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", paths[cpu]);
	for (uint64_t i = 0; i < reads; i++)
		reader_read(fd, buffer);
	pthread_barrier_wait(&barrier);
	/* here recording begins */
	pthread_barrier_wait(&barrier);
	for (uint64_t i = 0; i < reads; i++)
		reader_read(fd, buffer);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void tell(unsigned long address)
{
	__asm__ volatile("lock; orl $0, %0" : "+m"(*(volatile int *)address));
}

int main(int argc, char **argv)
{
	pthread_t thread[NR_READERS];

	if (argc != 3 + NR_READERS)
		t_usage("DEVICE READS FILE FILE");
	reads = t_number(argv[2]);
	paths = argv + 3;
	memory = t_map_bar(argv[1], 0, NR_READERS * READER_BYTES, PROT_READ | PROT_WRITE);
	if (mmap((void *)T_LINES_PAGE, T_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		t_die("mmap at %lx", T_LINES_PAGE);
	pthread_barrier_init(&barrier, NULL, NR_READERS + 1);
	for (uintptr_t cpu = 0; cpu < NR_READERS; cpu++)
		if (pthread_create(&thread[cpu], NULL, reader_run, (void *)cpu))
			t_die("pthread_create");
	pthread_barrier_wait(&barrier);
	tell(T_LINES_BEGIN);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	tell(T_LINES_END);
	return 0;
}
