// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * While the first read into a mapping of BAR begins, another thread puts host memory in
 * its place. What that read gives does not matter; those after it have to work. Each
 * round is a new process, whose address space phyr has never seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

#define LENGTH 65536UL

static const char *bar;
static char *memory;
static int fd;
static unsigned int pause_ns;
static _Atomic bool go;

static void *replacer(void *arg)
{
	struct timespec now, start;

	while (!go)
		;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000LL + now.tv_nsec - start.tv_nsec <
	       pause_ns);
	if (mmap(memory, LENGTH, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != memory)
		t_die("mmap");
	return arg;
}

/* 0, or the error of a read into good memory */
static int try_once(void)
{
	pthread_t thread;

	memory = t_map_bar(bar, 0, LENGTH, PROT_READ | PROT_WRITE);
	if (pthread_create(&thread, NULL, replacer, NULL))
		t_die("thread");
	go = true;
	pread(fd, memory, LENGTH, 0);
	pthread_join(thread, NULL);
	return pread(fd, memory, LENGTH, 0) == (ssize_t)LENGTH ? 0 : errno;
}

int main(int argc, char **argv)
{
	unsigned int round, rounds;
	uint64_t state = 1;
	int status;
	pid_t pid;

	if (argc != 4)
		t_usage("FILE BAR ROUNDS");
	fd = open(argv[1], O_RDONLY | O_DIRECT);
	if (fd < 0)
		t_die("open %s", argv[1]);
	bar = argv[2];
	rounds = t_number(argv[3]);

	for (round = 0; round < rounds; round++) {
		pause_ns = t_random(&state) % 400000;
		pid = fork();
		if (pid < 0)
			t_die("fork");
		if (!pid)
			_exit(try_once());
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
			t_die("the child");
		if (WEXITSTATUS(status)) {
			printf("%s in round %u, %u ns\n", t_errname(WEXITSTATUS(status)),
			       round, pause_ns);
			return 1;
		}
	}
	puts("ok");
	return 0;
}
