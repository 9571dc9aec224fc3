// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Takes device memory away from reads in flight, and watches it.
 *
 *   t_revoke [-e ENGINE] [-q DEPTH] [-b BYTES] [-r ROUNDS] MODE FILE BAR [BAR2]
 *
 * Each round puts DEPTH reads of BYTES in flight into a mapping of BAR, takes the memory
 * away in the way MODE says, and at once poisons the same bytes of the BAR through a
 * second mapping, the witness, in which no read is. From then on no byte of it may
 * change: every DMA has to be over when the call that took the memory has returned. The
 * reads give all their bytes, or an error that says the memory is gone.
 *
 *   munmap      over        unmapped; or an anonymous mapping put over it
 *   none        readonly    mprotect
 *   move                    mremap: reads into the new place have to work
 *   kill        oom         SIGKILL to a process that has the reads in flight, from
 *                           another process or for want of memory
 *   exit        exec        it ends, or becomes another program
 *   race                    many threads read while the mapping comes and goes; what
 *                           is mapped next is the same place of BAR2
 *   fork                    children come and go; every read has to give its bytes
 *   part                    another part of the mapping changes; every read has to
 *                           give its bytes
 *
 * With -m, for a kernel whose allocations are made to fail, ENOMEM is an answer too.
 * FILE has at least DEPTH * BYTES of the pattern of seed 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "t_engine.h"

#define POISON	   0xa5
#define SEED	   1
#define NR_THREADS 8

static const char usage[] =
	"[-m] [-e ENGINE] [-q DEPTH] [-b BYTES] [-r ROUNDS]\n"
	"       munmap|over|none|readonly|move|kill|oom|exit|exec|race|fork|part FILE BAR [BAR2]";

static struct {
	const char *engine, *mode, *file, *bar, *bar2;
	unsigned int depth, rounds;
	size_t bytes, total;
	uint64_t state;
	char *witness; /* the BAR, through a mapping without I/O */
	bool may_lack; /* memory, for the reads */
	int fd;
} t = { .engine = "uring", .depth = 64, .bytes = 65536, .rounds = 20, .state = 1 };

static uint64_t nr_full, nr_fault, nr_late;

static _Noreturn void fail(unsigned int round, const char *what, int64_t where)
{
	printf("%s, round %u: %s %" PRId64 "\n", t.mode, round, what, where);
	exit(1);
}

static char *map_bar(void)
{
	return t_map_bar(t.bar, 0, t.total, PROT_READ | PROT_WRITE);
}

static void sleep_us(unsigned int us)
{
	if (us)
		usleep(us);
}

static struct t_op *submit_all(struct t_engine *engine, char *memory)
{
	struct t_op *ops = calloc(t.depth, sizeof(*ops));

	if (!ops)
		t_die("memory");
	for (unsigned int i = 0; i < t.depth; i++) {
		ops[i].fd = t.fd;
		ops[i].pos = i * t.bytes;
		ops[i].iov[0] = (struct iovec){ memory + i * t.bytes, t.bytes };
		ops[i].nr_iov = 1;
		t_engine_add(engine, &ops[i]);
	}
	t_engine_flush(engine);
	return ops;
}

static bool lacks_memory(int64_t ret)
{
	return t.may_lack && ret == -ENOMEM;
}

static bool says_gone(int64_t ret)
{
	return ret == -EFAULT || ret == -EIO || ret == -ENXIO || ret == -ENODEV ||
	       lacks_memory(ret);
}

static void reap_all(struct t_engine *engine, unsigned int round)
{
	struct t_op *op;

	while ((op = t_engine_reap(engine, true))) {
		if (op->ret == (int64_t)t.bytes)
			nr_full++;
		else if (says_gone(op->ret))
			nr_fault++;
		else
			fail(round, "a read gave", op->ret);
	}
}

/* What was poisoned has to stay so, while late DMA would still be on its way. */
static void watch_poison(unsigned int round)
{
	int64_t wrong;

	for (int i = 0; i < 3; i++) {
		wrong = t_fill_check(t.witness, t.total, POISON);
		if (wrong >= 0)
			fail(round, "byte changed after the memory was gone:", wrong);
		sleep_us(i * 5000);
	}
}

/* All bytes of a round whose reads nothing takes memory from, if none has failed. */
static void check_undisturbed(unsigned int round, uint64_t faults_before)
{
	int64_t wrong;

	if (nr_fault != faults_before) {
		if (!t.may_lack)
			fail(round, "a read failed", 0);
		return;
	}
	wrong = t_pattern_check(t.witness, t.total, 0, SEED);
	if (wrong >= 0)
		fail(round, "memory differs at", wrong);
}

static void check_moved(struct t_engine *engine, char *memory, unsigned int round)
{
	uint64_t before = nr_fault;
	struct t_op *ops = submit_all(engine, memory);

	reap_all(engine, round);
	free(ops);
	check_undisturbed(round, before);
}

static void take_away(unsigned int round)
{
	struct t_engine *engine = t_engine_open(t.engine, t.depth);
	char *memory = map_bar(), *moved = NULL;
	unsigned int before = 0;
	struct t_op *ops, *op;
	int ret = 0;

	ops = submit_all(engine, memory);
	/* Mostly at once: the disk is fast. */
	sleep_us(t_random(&t.state) % 4 ? 0 : t_random(&t.state) % 500);
	while ((op = t_engine_reap(engine, false))) {
		before++;
		if (op->ret != (int64_t)t.bytes && !lacks_memory(op->ret))
			fail(round, "an undisturbed read gave", op->ret);
	}

	if (!strcmp(t.mode, "munmap")) {
		ret = munmap(memory, t.total);
	} else if (!strcmp(t.mode, "over")) {
		if (mmap(memory, t.total, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != memory)
			ret = -1;
	} else if (!strcmp(t.mode, "none")) {
		ret = mprotect(memory, t.total, PROT_NONE);
	} else if (!strcmp(t.mode, "readonly")) {
		ret = mprotect(memory, t.total, PROT_READ);
	} else if (!strcmp(t.mode, "move")) {
		moved = mmap(NULL, t.total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		moved = mremap(memory, t.total, t.total, MREMAP_MAYMOVE | MREMAP_FIXED,
			       moved);
		if (moved == MAP_FAILED)
			ret = -1;
	} else {
		t_usage(usage);
	}
	if (ret)
		t_die("%s", t.mode);

	memset(t.witness, POISON, t.total);
	reap_all(engine, round);
	nr_full += before;
	nr_late += t.depth - before;
	watch_poison(round);
	if (moved)
		check_moved(engine, moved, round);
	t_engine_close(engine);
	free(ops);
	if (strcmp(t.mode, "munmap"))
		munmap(moved ? moved : memory, t.total);
}

static _Noreturn void victim(int ready)
{
	struct t_engine *engine = t_engine_open(t.engine, t.depth);
	char *memory = map_bar();
	struct t_op *op;

	if (!strcmp(t.mode, "oom"))
		t_write("/proc/self/oom_score_adj", "1000");
	submit_all(engine, memory);
	write(ready, "", 1);
	sleep_us(t_random(&t.state) % 4 ? 0 : t_random(&t.state) % 500);
	if (!strcmp(t.mode, "exit"))
		_exit(0);
	if (!strcmp(t.mode, "exec")) {
		execl("/bin/true", "true", NULL);
		t_die("exec");
	}
	while ((op = t_engine_reap(engine, true))) {
		t_engine_add(engine, op);
		t_engine_flush(engine);
	}
	exit(0);
}

static void kill_one(unsigned int round)
{
	bool oom = !strcmp(t.mode, "oom"), killed = oom || !strcmp(t.mode, "kill");
	int pipe_fds[2], status;
	char byte;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		t_die("pipe");
	t_random(&t.state);
	pid = fork();
	if (pid < 0)
		t_die("fork");
	if (!pid)
		victim(pipe_fds[1]);
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &byte, 1) != 1)
		fail(round, "the victim ended by itself", 0);
	if (killed) {
		sleep_us(t_random(&t.state) % 20 * 500);
		if (oom)
			t_write("/proc/sysrq-trigger", "f");
		else
			kill(pid, SIGKILL);
	}
	/* its end of the pipe closes after its memory is gone */
	if (read(pipe_fds[0], &byte, 1))
		fail(round, "the victim goes on", 0);
	close(pipe_fds[0]);

	memset(t.witness, POISON, t.total);
	nr_late += t.depth;
	nr_full++;
	watch_poison(round);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) == killed)
		fail(round, "the victim ended with status", status);
}

static _Atomic bool race_stop;
static _Atomic uint64_t race_full, race_fault;
static char *race_memory;

static void *racer(void *arg)
{
	uint64_t state = (uintptr_t)arg, slot;
	ssize_t ret;

	while (!race_stop) {
		slot = t_random(&state) % t.depth;
		ret = pread(t.fd, race_memory + slot * t.bytes, t.bytes, slot * t.bytes);
		if (ret == (ssize_t)t.bytes)
			race_full++;
		else if (ret < 0 && says_gone(-errno))
			race_fault++;
		else
			fail(0, "a read gave", ret < 0 ? -errno : ret);
	}
	return NULL;
}

static void race_map(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0 || mmap(race_memory, t.total, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, fd, 0) != race_memory)
		t_die("mmap %s", path);
	close(fd);
}

static void race_one(unsigned int round, char *witness2)
{
	uint64_t before = race_full;
	int64_t wrong;

	/* Into the BAR; then nothing is there; then the other BAR is. */
	race_map(t.bar);
	for (int i = 0; i < 100 && race_full == before; i++)
		sleep_us(1000);
	sleep_us(t_random(&t.state) % 20 * 250);
	if (munmap(race_memory, t.total))
		t_die("munmap");
	memset(t.witness, POISON, t.total);
	memset(witness2, POISON, t.total);
	watch_poison(round);
	race_map(t.bar2);
	before = race_full;
	for (int i = 0; i < 1000 && race_full < before + 2 * t.depth; i++)
		sleep_us(1000);
	watch_poison(round);
	mmap(race_memory, t.total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
	for (unsigned int i = 0; i < t.depth; i++) {
		char *mem = witness2 + i * t.bytes;

		if (t_fill_check(mem, t.bytes, POISON) < 0)
			continue;
		wrong = t_pattern_check(mem, t.bytes, i * t.bytes, SEED);
		if (wrong >= 0)
			fail(round, "second BAR differs at", i * t.bytes + wrong);
		nr_late++;
	}
}

static void race(void)
{
	char *witness2 = t_map_bar(t.bar2, 0, t.total, PROT_READ | PROT_WRITE);
	pthread_t threads[NR_THREADS];

	race_memory = mmap(NULL, t.total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		if (pthread_create(&threads[i], NULL, racer, (void *)(i + 1)))
			t_die("thread");
	for (unsigned int round = 0; round < t.rounds; round++)
		race_one(round, witness2);
	race_stop = true;
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	nr_full = race_full;
	nr_fault = race_fault;
}

static void fork_one(unsigned int round)
{
	struct t_engine *engine = t_engine_open(t.engine, t.depth);
	char *memory = map_bar();
	uint64_t before = nr_fault;
	struct t_op *ops;
	pid_t pid;

	memset(memory, POISON, t.total);
	ops = submit_all(engine, memory);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid < 0)
			t_die("fork");
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	reap_all(engine, round);
	check_undisturbed(round, before);
	nr_late += t.depth;
	t_engine_close(engine);
	free(ops);
	munmap(memory, t.total);
}

/* Once: from then on the two parts are mappings of their own. */
static void *part_changer(void *memory)
{
	sleep_us(t_random(&t.state) % 20 * 100);
	if (mprotect(memory, 4096, PROT_READ))
		t_die("mprotect");
	return NULL;
}

static void part_one(unsigned int round)
{
	struct t_engine *engine = t_engine_open(t.engine, t.depth);
	char *memory = t_map_bar(t.bar, 0, t.total + 4096, PROT_READ | PROT_WRITE);
	uint64_t before = nr_fault;
	pthread_t thread;
	struct t_op *ops;

	memset(t.witness, POISON, t.total);
	if (pthread_create(&thread, NULL, part_changer, memory + t.total))
		t_die("thread");
	ops = submit_all(engine, memory);
	reap_all(engine, round);
	pthread_join(thread, NULL);
	check_undisturbed(round, before);
	nr_late++;
	t_engine_close(engine);
	free(ops);
	munmap(memory, t.total + 4096);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "me:q:b:r:")) != -1) {
		switch (c) {
		case 'm':
			t.may_lack = true;
			break;
		case 'e':
			t.engine = optarg;
			break;
		case 'q':
			t.depth = t_number(optarg);
			break;
		case 'b':
			t.bytes = t_number(optarg);
			break;
		case 'r':
			t.rounds = t_number(optarg);
			break;
		default:
			t_usage(usage);
		}
	}
	if (argc - optind < 3 || argc - optind > 4)
		t_usage(usage);
	t.mode = argv[optind];
	t.file = argv[optind + 1];
	t.bar = argv[optind + 2];
	t.bar2 = argv[optind + 3];
	t.total = t.depth * t.bytes;
	t.witness = map_bar();
	t.fd = open(t.file, O_RDONLY | O_DIRECT);
	if (t.fd < 0)
		t_die("open %s", t.file);

	if (!strcmp(t.mode, "race")) {
		if (!t.bar2)
			t_usage(usage);
		race();
	}
	for (unsigned int round = 0; strcmp(t.mode, "race") && round < t.rounds;
	     round++) {
		if (!strcmp(t.mode, "kill") || !strcmp(t.mode, "oom") ||
		    !strncmp(t.mode, "ex", 2))
			kill_one(round);
		else if (!strcmp(t.mode, "fork"))
			fork_one(round);
		else if (!strcmp(t.mode, "part"))
			part_one(round);
		else
			take_away(round);
	}
	printf("full %" PRIu64 " gone %" PRIu64 " in flight %" PRIu64 "\n", nr_full,
	       nr_fault, nr_late);
	/* Without reads that work and reads in flight nothing was tried. */
	return nr_full && nr_late ? 0 : 1;
}
