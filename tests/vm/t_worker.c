// SPDX-License-Identifier: GPL-2.0-or-later
/* See t_worker.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "t_worker.h"

/* The first failure is told, and no other. */
static pthread_mutex_t fail_lock = PTHREAD_MUTEX_INITIALIZER;

int64_t t_sys(int64_t ret)
{
	return ret < 0 ? -errno : ret;
}

void t_say(struct t_worker *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->what, sizeof(w->what), format, args);
	va_end(args);
}

void t_fail(struct t_worker *w, const char *what, int64_t want, int64_t got)
{
	char want_text[32], got_text[32];

	pthread_mutex_lock(&fail_lock);
	printf("thread %u, seed %" PRIu64 ", call %" PRIu64
	       ": %s: %s: expected %s, got %s\n",
	       w->nr, w->seed, w->nr_calls, w->what, what, t_result(want, want_text),
	       t_result(got, got_text));
	exit(1);
}

void t_expect(struct t_worker *w, const char *what, int64_t want, int64_t got)
{
	if (want != got)
		t_fail(w, what, want, got);
}

void t_expect_bytes(struct t_worker *w, const void *want, const void *got, size_t length)
{
	const unsigned char *a = want, *b = got;
	char what[32];

	for (size_t i = 0; i < length; i++) {
		if (a[i] == b[i])
			continue;
		snprintf(what, sizeof(what), "byte %zu", i);
		t_fail(w, what, a[i], b[i]);
	}
}

struct t_place t_any_place(struct t_worker *w)
{
	unsigned int i = t_below(w, w->model.nr_nodes);

	while (!S_ISDIR(w->model.nodes[i]->mode))
		i = (i + 1) % w->model.nr_nodes;
	return (struct t_place){ w->model.nodes[i], t_below(w, T_NR_NAMES) };
}

static void path_set(struct t_worker *w, const char *below_root, char path[T_PATH_MAX])
{
	if (snprintf(path, T_PATH_MAX, "%s%s", w->root, below_root) >= T_PATH_MAX)
		t_die("a path that is too long");
}

struct t_place t_any_path(struct t_worker *w, char path[T_PATH_MAX])
{
	struct t_place at = t_any_place(w);
	char below_root[T_PATH_MAX];

	t_model_path(at, below_root);
	path_set(w, below_root, path);
	return at;
}

void t_dir_path(struct t_worker *w, struct t_place at, char path[T_PATH_MAX])
{
	char below_root[T_PATH_MAX];

	t_model_dir_path(at.dir, below_root);
	path_set(w, below_root, path);
}
