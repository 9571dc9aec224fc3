// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random system calls on a filesystem, each compared with a model (t_model.h).
 *
 *   t_random DIR SECONDS THREADS [SEED]
 *
 * Each thread has a directory in DIR for itself, knows what is in it, and in the end
 * reads all of it. Now and then all of them meet in one more directory, where nobody
 * knows what comes out; but only an error that the call can have. Caches are dropped
 * meanwhile if that is allowed: an inode that was forgotten has to be found again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "t_worker.h"

#define NR_THREADS_MAX 64
#define DROP_EVERY     4000 /* calls */

static struct {
	const char *dir;
	char shared[T_PATH_MAX];
	uint64_t seed;
	unsigned int total_weight;
	time_t end;
} t;

static const struct t_op *const all_ops[] = {
	t_file_ops, t_name_ops, t_attr_ops, t_tree_ops, t_shared_ops,
};

/* One after the other over all tables, until the weights are used up. */
static void op_any(struct t_worker *w)
{
	uint64_t at = t_below(w, t.total_weight);

	for (size_t i = 0;; i++)
		for (const struct t_op *op = all_ops[i]; op->call; op++) {
			if (at < op->weight) {
				op->call(w);
				return;
			}
			at -= op->weight;
		}
}

static unsigned int weights_sum(void)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < t_array_size(all_ops); i++)
		for (const struct t_op *op = all_ops[i]; op->call; op++)
			sum += op->weight;
	return sum;
}

/* Makes the kernel forget inodes. Not everybody may. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "2", 1) < 0)
		errno = 0;
	close(fd);
}

static void *work(void *arg)
{
	struct t_worker *w = arg;

	for (; time(NULL) < t.end; w->nr_calls++) {
		op_any(w);
		if (t_one_in(w, DROP_EVERY))
			drop_caches();
	}
	t_files_close(w);
	drop_caches();
	t_tree_check(w);
	return NULL;
}

static void worker_start(struct t_worker *w, unsigned int nr)
{
	w->nr = nr;
	w->seed = t.seed;
	w->shared = t.shared;
	w->state = t.seed * NR_THREADS_MAX + nr;
	w->buf = t_map_host(T_FILE_MAX, 0);
	t_model_init(&w->model);
	snprintf(w->root, sizeof(w->root), "%.900s/%u", t.dir, nr);
	if (mkdir(w->root, 0755))
		t_die("mkdir %s", w->root);
	errno = pthread_create(&w->thread, NULL, work, w);
	if (errno)
		t_die("thread");
}

int main(int argc, char **argv)
{
	static struct t_worker workers[NR_THREADS_MAX];
	unsigned int nr_threads;
	uint64_t nr_calls = 0;

	if (argc < 4 || argc > 5)
		t_usage("DIR SECONDS THREADS [SEED]");
	t.dir = argv[1];
	t.end = time(NULL) + t_number(argv[2]);
	nr_threads = t_min(t_number(argv[3]), (uint64_t)NR_THREADS_MAX);
	t.seed = argc > 4 ? t_number(argv[4]) : (uint64_t)time(NULL);
	printf("seed %" PRIu64 "\n", t.seed);
	fflush(stdout);

	t.total_weight = weights_sum();
	umask(T_UMASK);
	snprintf(t.shared, sizeof(t.shared), "%.900s/shared", t.dir);
	if (mkdir(t.shared, 0755))
		t_die("mkdir %s", t.shared);
	for (unsigned int i = 0; i < nr_threads; i++)
		worker_start(&workers[i], i);
	for (unsigned int i = 0; i < nr_threads; i++) {
		pthread_join(workers[i].thread, NULL);
		nr_calls += workers[i].nr_calls;
		t_model_free(&workers[i].model);
	}
	printf("%" PRIu64 " calls\n", nr_calls);
	return 0;
}
