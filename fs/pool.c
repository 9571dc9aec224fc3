// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many of libfuse's threads wait for requests. One caller, who waits for each answer,
 * is served best by one thread: it takes the next request without having slept, while of
 * several each request wakes another one. So a thread that has answered is parked when
 * enough others wait for requests: as many as there were callers lately.
 *
 * While all that are not parked work, nobody takes requests. This is short, or else the
 * watcher, a thread that looks every millisecond as long as there is work, lets another
 * one out.
 */
#include "phyrfs.h"

#include <signal.h>
#include <time.h>

#define NR_SLOTS   16 /* callers, by their thread ids */
#define RECENT	   64 /* requests */
#define TICK_NS	   1000000
#define IDLE_TICKS 16 /* and then the watcher sleeps, too */

static struct {
	pthread_mutex_t lock; /* all below */
	pthread_cond_t parked, work;
	pthread_t watcher;
	bool on, end;
	bool watching;	      /* the watcher does not sleep */
	unsigned int nr_free; /* threads that wait for requests, or soon will */
	unsigned int nr_working;
	unsigned int nr_parked, nr_let_out;
	unsigned int nr_wanted; /* callers lately */
	uint64_t nr_requests;
	uint64_t last[NR_SLOTS]; /* request of such a caller */
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.parked = PTHREAD_COND_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.nr_wanted = 1,
};

/* What the kernel does by itself has the id 0. */
static void caller_note(pid_t id)
{
	unsigned int nr = 0;

	pool.nr_requests++;
	if (id)
		pool.last[id % NR_SLOTS] = pool.nr_requests;
	if (pool.nr_requests % NR_SLOTS)
		return;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		nr += pool.last[i] && pool.last[i] + RECENT > pool.nr_requests;
	pool.nr_wanted = nr ? nr : 1;
}

static void let_out(void)
{
	if (pool.nr_let_out == pool.nr_parked)
		return;
	pool.nr_let_out++;
	pool.nr_free++;
	pthread_cond_signal(&pool.parked);
}

static _Thread_local bool counted; /* in nr_free, when it does not work */

void phyrfs_pool_enter(fuse_req_t req)
{
	pid_t id = fuse_req_ctx(req)->pid;

	pthread_mutex_lock(&pool.lock);
	if (pool.on) {
		caller_note(id);
		pool.nr_free -= counted;
		pool.nr_working++;
		/* no caller is to wait for what nobody waits for, RELEASE and FORGET */
		if (pool.nr_free + pool.nr_working < pool.nr_wanted ||
		    (!id && !pool.nr_free))
			let_out();
		if (!pool.nr_free && !pool.watching) {
			pool.watching = true;
			pthread_cond_signal(&pool.work);
		}
	}
	pthread_mutex_unlock(&pool.lock);
}

static void unlock(void *lock)
{
	pthread_mutex_unlock(lock);
}

/* At the end of the session libfuse cancels its threads. */
static void park(void)
{
	int old;

	pthread_cleanup_push(unlock, &pool.lock);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	pool.nr_parked++;
	while (!pool.nr_let_out)
		pthread_cond_wait(&pool.parked, &pool.lock);
	pool.nr_let_out--;
	pool.nr_parked--;
	pthread_setcancelstate(old, NULL);
	pthread_cleanup_pop(0);
}

void phyrfs_pool_leave(void)
{
	pthread_mutex_lock(&pool.lock);
	if (pool.on) {
		counted = true;
		pool.nr_working--;
		if (pool.nr_free < pool.nr_wanted)
			pool.nr_free++;
		else
			park();
	}
	pthread_mutex_unlock(&pool.lock);
}

static void tick(void)
{
	static const struct timespec ns = { .tv_nsec = TICK_NS };

	pthread_mutex_unlock(&pool.lock);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &ns, NULL);
	pthread_mutex_lock(&pool.lock);
}

static void *watch(void *arg)
{
	unsigned int nr_idle = 0;
	uint64_t seen = 0;

	pthread_mutex_lock(&pool.lock);
	while (!pool.end) {
		if (nr_idle == IDLE_TICKS)
			pool.watching = false;
		while (!pool.watching && !pool.end)
			pthread_cond_wait(&pool.work, &pool.lock);
		tick();
		nr_idle = seen == pool.nr_requests ? nr_idle + 1 : 0;
		if (nr_idle && !pool.nr_free) {
			let_out();
			nr_idle = 0;
		}
		seen = pool.nr_requests;
	}
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

int phyrfs_pool_start(void)
{
	sigset_t all, old;
	int err;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&pool.watcher, NULL, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_mutex_lock(&pool.lock);
	pool.on = !err;
	pthread_mutex_unlock(&pool.lock);
	return -err;
}

void phyrfs_pool_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.on = false;
	pool.end = true;
	pthread_cond_signal(&pool.work);
	pthread_mutex_unlock(&pool.lock);
	pthread_join(pool.watcher, NULL);
}
