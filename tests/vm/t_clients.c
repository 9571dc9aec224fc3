// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes that use a filesystem and are killed in the middle of it.
 *
 *   t_clients DIR KILLS [SEED]
 *
 * Each of them opens, writes, maps, renames, removes, lists and locks the same few files
 * until SIGKILL comes. In the end all of them have ended, and no lock is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

#define NR_CLIENTS  8
#define NR_NAMES    8
#define NR_LOCKS    3
#define NR_OPEN	    6
#define MAX_BYTES   65536
#define MAX_LIFE_NS 8000000
#define END_S	    30 /* more than anything here takes */

static uint64_t state;
static void *buf;

static unsigned int below(unsigned int n)
{
	return t_random(&state) % n;
}

static const char *name(void)
{
	static char names[4][8];
	char *text = names[below(4)];

	snprintf(text, sizeof(names[0]), "f%u", below(NR_NAMES));
	return text;
}

static int file_open(void)
{
	static const int flags[] = {
		O_CREAT, O_CREAT, O_CREAT | O_DIRECT, O_CREAT | O_APPEND, O_TRUNC, O_SYNC,
	};

	if (!below(6))
		return open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return open(name(), flags[below(t_array_size(flags))] | O_RDWR | O_CLOEXEC, 0600);
}

/* A store beyond the end of the file kills as well as a signal from outside. */
static void file_map(int fd)
{
	char *map = mmap(NULL, MAX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return;
	map[below(MAX_BYTES)] = 'm';
	if (below(2))
		munmap(map, MAX_BYTES);
}

static void list(void)
{
	DIR *stream = opendir(".");

	while (stream && readdir(stream))
		;
	if (stream && below(4))
		closedir(stream);
}

/* Most will wait here. */
static void lock(void)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = below(4), .l_len = 2 };
	char text[8];
	int fd;

	snprintf(text, sizeof(text), "lock%u", below(NR_LOCKS));
	fd = open(text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (below(2))
		flock(fd, LOCK_EX);
	else
		fcntl(fd, F_SETLKW, &range);
	if (below(2))
		close(fd);
}

static void operate(int *fd)
{
	size_t length = 4096 * (1 + below(MAX_BYTES / 4096));
	off_t pos = 4096 * below(64);

	switch (below(15)) {
	case 0:
	case 1:
	case 2:
		close(*fd);
		*fd = file_open();
		break;
	case 3:
	case 4:
	case 5:
		if (pwrite(*fd, buf, length, pos) > 0 && !below(8))
			fdatasync(*fd);
		break;
	case 6:
		if (pread(*fd, buf, length, pos) < 0)
			close(*fd);
		break;
	case 7:
		file_map(*fd);
		break;
	case 8:
		if (ftruncate(*fd, length))
			fallocate(*fd, 0, pos, length);
		break;
	case 9:
		unlink(name());
		break;
	case 10:
		renameat2(AT_FDCWD, name(), AT_FDCWD, name(), below(3));
		break;
	case 11:
		if (link(name(), name()))
			mkdir(name(), 0700);
		break;
	case 12:
		rmdir(name());
		break;
	case 13:
		list();
		break;
	default:
		if (!below(4))
			lock();
		break;
	}
}

static pid_t client_start(void)
{
	int fds[NR_OPEN];
	pid_t pid;

	t_random(&state);
	pid = fork();
	if (pid < 0)
		t_die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < NR_OPEN; i++)
		fds[i] = -1;
	for (;;)
		operate(&fds[below(NR_OPEN)]);
}

static void client_end(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	time_t end = time(NULL) + END_S;

	kill(pid, SIGKILL);
	while (!waitpid(pid, NULL, WNOHANG)) {
		if (time(NULL) > end) {
			printf("process %d does not end\n", pid);
			exit(1);
		}
		nanosleep(&pause, NULL);
	}
}

static void locks_check(void)
{
	struct flock all = { .l_type = F_WRLCK };
	char text[8];

	for (int i = 0; i < NR_LOCKS; i++) {
		int fd;

		snprintf(text, sizeof(text), "lock%d", i);
		fd = open(text, O_RDWR | O_CREAT, 0600);
		if (fd < 0)
			t_die("%s", text);
		if (flock(fd, LOCK_EX | LOCK_NB) || fcntl(fd, F_SETLK, &all)) {
			printf("%s is still locked\n", text);
			exit(1);
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	pid_t clients[NR_CLIENTS];
	uint64_t nr_kills;

	if (argc < 3 || argc > 4)
		t_usage("DIR KILLS [SEED]");
	nr_kills = t_number(argv[2]);
	state = argc > 3 ? t_number(argv[3]) : (uint64_t)time(NULL);
	printf("seed %" PRIu64 "\n", state);
	fflush(stdout);
	if (chdir(argv[1]))
		t_die("%s", argv[1]);
	buf = t_map_host(MAX_BYTES, 'c');
	for (int i = 0; i < NR_CLIENTS; i++)
		clients[i] = client_start();
	while (nr_kills--) {
		pid_t *client = &clients[below(NR_CLIENTS)];
		struct timespec life = { .tv_nsec = below(MAX_LIFE_NS) };

		nanosleep(&life, NULL);
		client_end(*client);
		*client = client_start();
	}
	for (int i = 0; i < NR_CLIENTS; i++)
		client_end(clients[i]);
	locks_check();
	return 0;
}
