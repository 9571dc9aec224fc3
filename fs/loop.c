// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads that serve a session. One caller, who waits for each answer, is served best
 * by one thread: it takes the next request without having slept, while of several each
 * request wakes another one. So a thread that has answered reads the next request only
 * while fewer others read than there were callers lately. Otherwise it parks, and ends if
 * nobody needs it for PARKED_S.
 *
 * While those that are not parked work, nobody reads. This is short, or else they are
 * stuck in the source; then the main thread, which looks each millisecond as long as
 * nobody reads, lets parked threads out or starts new ones: more each time, until one of
 * them finds nothing to do. So any number of stuck requests leaves one for the next.
 *
 * Who wakes whom, all under the lock:
 * - The main thread sleeps in ppoll(2), for ever if somebody reads and for a tick if not.
 *   It is woken by WAKE, which is blocked outside of ppoll(2) and so cannot come too
 *   early: by the thread that takes a request and leaves no reader, wants a thread to be
 *   started, or has found the end of the session.
 * - Only the main thread starts threads, since they inherit its credentials and umask.
 * - A parked thread waits for its own semaphore, and the last to park is the first to be
 *   let out, so that those nobody needs can end. Who takes it from the list counts it as
 *   a reader; if its time is up in that moment, it reads all the same.
 * - A thread that the source held up longer than a tick is not counted as one that works,
 *   so that others take its place.
 * - At the end, the main thread wakes the parked, and readers by WAKE. One that is about
 *   to call read(2) misses it: so it comes again each millisecond, until all are gone.
 *   It is never sent to one that works, whose system calls it would interrupt.
 * - Who is stuck in the source then does not come. After END_MS the process ends without.
 * - A thread that ends joins the one before, and the main thread the last.
 */
#include "phyrfs.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WAKE SIGUSR1 /* does nothing but interrupt */

#define TICK_NS	   1000000
#define IDLE_TICKS 16 /* and then the main thread sleeps */
#define END_MS	   1000
#define PARKED_S   10

#define NR_SLOTS   16 /* callers, by their thread ids */
#define RECENT	   64 /* requests */
#define NR_OUT_MAX 16 /* threads that a tick lets out */

/*
 * Each costs some 13 KiB while it is stuck, and with it the data of a write. systemd
 * allows a service 4915 where pids have 15 bits.
 */
#define NR_THREADS_MAX 4096

/* The largest users are XATTR_LIST_MAX (64 KiB) and PATH_MAX. */
#define STACK_BYTES (256 << 10)

/* A request, from where its data begins at a page; and what a kernel may yet add. */
#define MAX_WRITE    (1 << 20)
#define WRITE_OFFSET (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))
#define PAGE_BYTES   4096
#define MEMORY_BYTES (PAGE_BYTES + MAX_WRITE + PAGE_BYTES)

enum loop_state {
	READING,
	WORKING,
	STUCK,
	PARKED
};

struct loop_thread {
	struct loop *loop;
	pthread_t id;
	char *memory;	       /* MEMORY_BYTES */
	enum loop_state state; /* loop->lock */
	sem_t let_out;
	LIST_ENTRY(loop_thread) all, parked; /* loop->lock */
};

struct loop {
	struct fuse_session *se;
	pthread_t main;
	pthread_attr_t attr; /* of its threads */
	sigset_t open_mask;  /* of the main thread while it sleeps */

	pthread_mutex_t lock; /* all below */
	LIST_HEAD(, loop_thread) all, parked;
	struct loop_thread *last_ended; /* still to be joined */
	int err;
	bool end;
	bool watching; /* the main thread ticks */
	unsigned int nr_threads;
	unsigned int nr_to_start; /* in nr[READING] already */
	unsigned int nr[PARKED + 1];
	unsigned int nr_wanted; /* callers lately */
	unsigned int nr_out;	/* threads for the next tick to let out */
	uint64_t nr_taken, nr_done;
	uint64_t last[NR_SLOTS]; /* request of such a caller */
};

static void loop_kick(struct loop *loop)
{
	pthread_kill(loop->main, WAKE);
}

/* What the kernel does by itself has the id 0. */
static void loop_note_caller(struct loop *loop, uint32_t id)
{
	unsigned int nr = 0;

	loop->nr_taken++;
	if (id)
		loop->last[id % NR_SLOTS] = loop->nr_taken;
	if (loop->nr_taken % NR_SLOTS)
		return;
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		nr += loop->last[i] && loop->last[i] + RECENT > loop->nr_taken;
	loop->nr_wanted = nr ? nr : 1;
}

/* One reader more. */
static void loop_let_out(struct loop *loop)
{
	struct loop_thread *thread = LIST_FIRST(&loop->parked);

	if (thread) {
		LIST_REMOVE(thread, parked);
		loop->nr[PARKED]--;
		thread->state = READING;
		sem_post(&thread->let_out);
	} else if (loop->nr_threads + loop->nr_to_start < NR_THREADS_MAX) {
		loop->nr_to_start++;
		loop_kick(loop);
	} else {
		return;
	}
	loop->nr[READING]++;
}

static void loop_fail(struct loop *loop, int err)
{
	/* Unmounted, or aborted: the keeper knows. */
	if (err != -ENODEV && err != -ECONNABORTED) {
		pthread_mutex_lock(&loop->lock);
		loop->err = err;
		pthread_mutex_unlock(&loop->lock);
	}
	fuse_session_exit(loop->se);
}

/* --------------------------------------------------------------------- a thread */

static struct loop_thread *thread_new(struct loop *loop)
{
	struct loop_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (thread->memory == MAP_FAILED) {
		free(thread);
		return NULL;
	}
	thread->loop = loop;
	thread->state = READING;
	sem_init(&thread->let_out, 0, 0);
	return thread;
}

static void thread_free(struct loop_thread *thread)
{
	sem_destroy(&thread->let_out);
	munmap(thread->memory, MEMORY_BYTES);
	free(thread);
}

static void thread_set(struct loop_thread *thread, enum loop_state state)
{
	thread->loop->nr[thread->state]--;
	thread->state = state;
	thread->loop->nr[state]++;
}

static void thread_taken(struct loop_thread *thread, uint32_t id)
{
	struct loop *loop = thread->loop;
	unsigned int *nr = loop->nr;

	pthread_mutex_lock(&loop->lock);
	thread_set(thread, WORKING);
	loop_note_caller(loop, id);
	/* no caller is to wait for what nobody waits for, RELEASE and FORGET */
	if (nr[READING] + nr[WORKING] < loop->nr_wanted || (!id && !nr[READING]))
		loop_let_out(loop);
	if (!nr[READING] && !loop->watching) {
		loop->watching = true;
		loop_kick(loop);
	}
	pthread_mutex_unlock(&loop->lock);
}

static void thread_park(struct loop_thread *thread)
{
	thread_set(thread, PARKED);
	LIST_INSERT_HEAD(&thread->loop->parked, thread, parked);
}

/* Its time is up, if it has not been let out in the meantime. */
static bool thread_unpark(struct loop_thread *thread)
{
	bool unneeded;

	pthread_mutex_lock(&thread->loop->lock);
	unneeded = thread->state == PARKED;
	if (unneeded)
		LIST_REMOVE(thread, parked);
	pthread_mutex_unlock(&thread->loop->lock);
	return unneeded;
}

/* False if nobody has let it out for so long. */
static bool thread_wait(struct loop_thread *thread)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PARKED_S;
	while (sem_clockwait(&thread->let_out, CLOCK_MONOTONIC, &until))
		if (errno == ETIMEDOUT && thread_unpark(thread))
			return false;
	return true;
}

/* Is it to read again? */
static bool thread_done(struct loop_thread *thread)
{
	struct loop *loop = thread->loop;
	bool parks, end;

	pthread_mutex_lock(&loop->lock);
	loop->nr_done++;
	end = loop->end;
	parks = !end && loop->nr[READING] >= loop->nr_wanted;
	if (parks)
		thread_park(thread);
	else
		thread_set(thread, READING);
	pthread_mutex_unlock(&loop->lock);
	return !end && (!parks || thread_wait(thread));
}

/*
 * As fuse_session_receive_buf(), but into memory of our own, where the data of a write
 * begins at a page: opened through another mount, the source may want that, too. False
 * at the end of the session.
 */
static bool thread_receive(struct loop_thread *thread, struct fuse_buf *request)
{
	struct loop *loop = thread->loop;
	ssize_t nr_bytes = -1;

	while (!fuse_session_exited(loop->se)) {
		nr_bytes = read(fuse_session_fd(loop->se), request->mem,
				WRITE_OFFSET + MAX_WRITE + PAGE_BYTES);
		/* ENOENT: the caller has given up */
		if (nr_bytes >= 0 ||
		    (errno != EINTR && errno != EAGAIN && errno != ENOENT))
			break;
	}
	if (nr_bytes >= (ssize_t)sizeof(struct fuse_in_header)) {
		request->size = nr_bytes;
		return true;
	}
	if (!fuse_session_exited(loop->se))
		loop_fail(loop, nr_bytes < 0 ? -errno : -EIO);
	return false;
}

static void thread_join(struct loop_thread *thread)
{
	if (!thread)
		return;
	pthread_join(thread->id, NULL);
	thread_free(thread);
}

static void thread_end(struct loop_thread *thread)
{
	struct loop *loop = thread->loop;
	struct loop_thread *before;

	pthread_mutex_lock(&loop->lock);
	loop->nr[thread->state]--;
	loop->nr_threads--;
	LIST_REMOVE(thread, all);
	before = loop->last_ended;
	loop->last_ended = thread;
	loop->watching |= !loop->nr[READING];
	loop_kick(loop);
	pthread_mutex_unlock(&loop->lock);
	thread_join(before);
}

static void *thread_run(void *arg)
{
	struct loop_thread *thread = arg;
	struct fuse_buf request = { .mem = thread->memory + PAGE_BYTES - WRITE_OFFSET };
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	while (thread_receive(thread, &request)) {
		thread_taken(thread, ((struct fuse_in_header *)request.mem)->pid);
		phyrfs_loop_process(thread->loop->se, &request);
		if (!thread_done(thread))
			break;
	}
	thread_end(thread);
	return NULL;
}

/* -------------------------------------------------------------- what it handles */

static _Thread_local const struct fuse_buf *current;

const void *phyrfs_loop_request(size_t *ret_bytes)
{
	if (!current)
		return NULL;
	*ret_bytes = current->size;
	return current->mem;
}

void phyrfs_loop_process(struct fuse_session *se, const struct fuse_buf *buf)
{
	current = buf;
	fuse_session_process_buf(se, buf);
	current = NULL;
}

/* -------------------------------------------------------------- the main thread */

static int loop_start_thread(struct loop *loop)
{
	struct loop_thread *thread = thread_new(loop);
	int err;

	if (!thread)
		return -ENOMEM;
	err = pthread_create(&thread->id, &loop->attr, thread_run, thread);
	if (err) {
		thread_free(thread);
		return -err;
	}
	LIST_INSERT_HEAD(&loop->all, thread, all);
	loop->nr_threads++;
	return 0;
}

/* What cannot be started now the next tick may. */
static int loop_start_threads(struct loop *loop)
{
	int err = 0;

	while (loop->nr_to_start && !err) {
		err = loop_start_thread(loop);
		if (!err)
			loop->nr_to_start--;
	}
	loop->nr[READING] -= loop->nr_to_start;
	loop->nr_to_start = 0;
	loop->watching |= !loop->nr[READING];
	return err;
}

static void loop_note_stuck(struct loop *loop)
{
	struct loop_thread *thread;

	LIST_FOREACH (thread, &loop->all, all)
		if (thread->state == WORKING)
			thread_set(thread, STUCK);
}

static void loop_tick(struct loop *loop, uint64_t done)
{
	if (loop->nr[READING]) {
		loop->nr_out = 1;
		return;
	}
	if (loop->nr_done != done)
		return;
	loop_note_stuck(loop);
	for (unsigned int i = 0; i < loop->nr_out; i++)
		loop_let_out(loop);
	if (loop->nr_out < NR_OUT_MAX)
		loop->nr_out *= 2;
}

static void loop_sleep(struct loop *loop, bool tick)
{
	static const struct timespec ns = { .tv_nsec = TICK_NS };

	pthread_mutex_unlock(&loop->lock);
	ppoll(NULL, 0, tick ? &ns : NULL, &loop->open_mask);
	pthread_mutex_lock(&loop->lock);
}

static void loop_watch(struct loop *loop)
{
	unsigned int nr_idle = 0;
	uint64_t taken, done;

	while (!fuse_session_exited(loop->se)) {
		taken = loop->nr_taken;
		done = loop->nr_done;
		loop_sleep(loop, loop->watching);
		if (loop->watching)
			loop_tick(loop, done);
		loop_start_threads(loop);
		nr_idle = loop->nr[READING] && taken == loop->nr_taken ? nr_idle + 1 : 0;
		if (nr_idle >= IDLE_TICKS)
			loop->watching = false;
	}
}

/* All its threads gone? */
static bool loop_end(struct loop *loop)
{
	struct loop_thread *thread;

	loop->end = true;
	while (!LIST_EMPTY(&loop->parked))
		loop_let_out(loop);
	for (unsigned int ms = 0; ms < END_MS && loop->nr_threads; ms++) {
		LIST_FOREACH (thread, &loop->all, all)
			if (thread->state == READING)
				pthread_kill(thread->id, WAKE);
		loop_sleep(loop, true);
	}
	return !loop->nr_threads;
}

static void wake_handler(int signal)
{
	(void)signal;
}

/* Under the lock, with all signals blocked. */
static int loop_run(struct loop *loop, struct phyrfs *fs)
{
	int err;

	loop_let_out(loop);
	err = loop_start_threads(loop);
	if (err)
		return err;
	loop_watch(loop);
	fs->stuck = !loop_end(loop);
	if (!fs->stuck)
		thread_join(loop->last_ended);
	return loop->err;
}

static struct loop *loop_new(struct fuse_session *se)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->se = se;
	loop->main = pthread_self();
	loop->nr_wanted = 1;
	loop->nr_out = 1;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_attr_init(&loop->attr);
	pthread_attr_setstacksize(&loop->attr, STACK_BYTES);
	return loop;
}

static void loop_free(struct loop *loop)
{
	pthread_attr_destroy(&loop->attr);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

int phyrfs_loop(struct phyrfs *fs)
{
	struct sigaction wake = { .sa_handler = wake_handler }, old_wake;
	struct loop *loop = loop_new(fs->se);
	sigset_t all, old;
	int err;

	if (!loop)
		return -ENOMEM;
	sigaction(WAKE, &wake, &old_wake);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	loop->open_mask = old;
	sigdelset(&loop->open_mask, WAKE);

	pthread_mutex_lock(&loop->lock);
	err = loop_run(loop, fs);
	pthread_mutex_unlock(&loop->lock);
	if (fs->stuck)
		return err;

	loop_free(loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	sigaction(WAKE, &old_wake, NULL);
	fuse_session_reset(fs->se);
	return err;
}

void phyrfs_loop_init(struct fuse_conn_info *conn)
{
	if (conn->max_write > MAX_WRITE)
		conn->max_write = MAX_WRITE;
#ifdef FUSE_CAP_OVER_IO_URING
	fuse_unset_feature_flag(conn, FUSE_CAP_OVER_IO_URING);
#endif
}
