// SPDX-License-Identifier: GPL-2.0-or-later
/* See t_engine.h. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "t.h"
#include "t_engine.h"

enum kind {
	PSYNC,
	VEC,
	LIBAIO,
	AIOV,
	URING,
	URINGD,
	URINGV,
	NR_KINDS
};

static const char *const kind_names[NR_KINDS] = {
	"psync", "vec", "libaio", "aiov", "uring", "uringd", "uringv",
};

struct t_engine {
	enum kind kind;
	unsigned int in_flight;
	struct t_op *added; /* newest first */
	struct t_op *done;
	io_context_t aio;
	struct io_uring ring;
};

static bool is_aio(const struct t_engine *engine)
{
	return engine->kind == LIBAIO || engine->kind == AIOV;
}

static bool is_uring(const struct t_engine *engine)
{
	return engine->kind == URING || engine->kind == URINGD || engine->kind == URINGV;
}

struct t_engine *t_engine_open(const char *name, unsigned int depth)
{
	struct t_engine *engine = calloc(1, sizeof(*engine));
	unsigned int flags = 0;
	int ret = 0;

	if (!engine)
		t_die("memory");
	while (strcmp(kind_names[engine->kind], name))
		if (++engine->kind == NR_KINDS) {
			errno = 0;
			t_die("no engine '%s'", name);
		}
	switch (engine->kind) {
	case LIBAIO:
	case AIOV:
		ret = io_setup(depth, &engine->aio);
		break;
	case URINGD:
		flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
		/* fallthrough */
	case URING:
	case URINGV:
		ret = io_uring_queue_init(depth, &engine->ring, flags);
		break;
	default:
		break;
	}
	errno = -ret;
	if (ret)
		t_die("set up %s", name);
	return engine;
}

void t_engine_close(struct t_engine *engine)
{
	if (is_aio(engine))
		io_destroy(engine->aio);
	if (is_uring(engine))
		io_uring_queue_exit(&engine->ring);
	free(engine);
}

bool t_engine_vectored(const struct t_engine *engine)
{
	return engine->kind == VEC || engine->kind == AIOV || engine->kind == URINGV;
}

void t_engine_add(struct t_engine *engine, struct t_op *op)
{
	op->next = engine->added;
	engine->added = op;
	engine->in_flight++;
}

static void do_sync(struct t_engine *engine, struct t_op *op)
{
	ssize_t ret;

	if (engine->kind == VEC)
		ret = (op->write ? pwritev2 : preadv2)(op->fd, op->iov, op->nr_iov,
						       op->pos, op->rwf);
	else if (op->write)
		ret = pwrite(op->fd, op->iov->iov_base, op->iov->iov_len, op->pos);
	else
		ret = pread(op->fd, op->iov->iov_base, op->iov->iov_len, op->pos);
	op->ret = ret < 0 ? -errno : ret;
	op->next = engine->done;
	engine->done = op;
}

static void do_aio(struct t_engine *engine, struct t_op *op)
{
	struct iocb *iocb = &op->iocb;
	int ret;

	if (engine->kind == LIBAIO)
		(op->write ? io_prep_pwrite : io_prep_pread)(
			iocb, op->fd, op->iov->iov_base, op->iov->iov_len, op->pos);
	else
		(op->write ? io_prep_pwritev : io_prep_preadv)(iocb, op->fd, op->iov,
							       op->nr_iov, op->pos);
	iocb->aio_rw_flags = op->rwf;
	iocb->data = op;
	ret = io_submit(engine->aio, 1, &iocb);
	if (ret == 1)
		return;
	/* An early error comes from the system call, not as an event. */
	op->ret = ret;
	op->next = engine->done;
	engine->done = op;
}

static void prep_uring(struct t_engine *engine, struct t_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&engine->ring);

	if (!sqe) {
		io_uring_submit(&engine->ring);
		sqe = io_uring_get_sqe(&engine->ring);
	}
	if (engine->kind == URINGV)
		(op->write ? io_uring_prep_writev : io_uring_prep_readv)(
			sqe, op->fd, op->iov, op->nr_iov, op->pos);
	else if (op->write)
		io_uring_prep_write(sqe, op->fd, op->iov->iov_base, op->iov->iov_len,
				    op->pos);
	else
		io_uring_prep_read(sqe, op->fd, op->iov->iov_base, op->iov->iov_len,
				   op->pos);
	sqe->rw_flags = op->rwf;
	io_uring_sqe_set_data(sqe, op);
}

void t_engine_flush(struct t_engine *engine)
{
	struct t_op *oldest_first = NULL, *op;
	int ret;

	while ((op = engine->added)) {
		engine->added = op->next;
		op->next = oldest_first;
		oldest_first = op;
	}
	while ((op = oldest_first)) {
		oldest_first = op->next;
		switch (engine->kind) {
		case PSYNC:
		case VEC:
			do_sync(engine, op);
			break;
		case LIBAIO:
		case AIOV:
			do_aio(engine, op);
			break;
		default:
			prep_uring(engine, op);
		}
	}
	if (is_uring(engine)) {
		ret = io_uring_submit(&engine->ring);
		errno = -ret;
		if (ret < 0)
			t_die("io_uring_submit");
	}
}

/* Moves what has finished to the done ones, after waiting for @least of them. */
static void reap_aio(struct t_engine *engine, unsigned int least)
{
	struct io_event events[64];
	struct timespec now = { 0 };
	int ret;

	do {
		ret = io_getevents(engine->aio, least, 64, events, least ? NULL : &now);
	} while (ret == -EINTR);
	errno = -ret;
	if (ret < 0)
		t_die("io_getevents");
	while (ret--) {
		struct t_op *op = events[ret].data;

		op->ret = (int64_t)events[ret].res;
		op->next = engine->done;
		engine->done = op;
	}
}

static void reap_uring(struct t_engine *engine, unsigned int least)
{
	struct io_uring_cqe *cqe;
	int ret;

	do {
		ret = least ? io_uring_wait_cqe_nr(&engine->ring, &cqe, least)
			    : io_uring_peek_cqe(&engine->ring, &cqe);
	} while (ret == -EINTR);
	errno = -ret;
	if (ret < 0 && ret != -EAGAIN)
		t_die("io_uring_wait_cqe");
	while (!ret) {
		struct t_op *op = io_uring_cqe_get_data(cqe);

		op->ret = cqe->res;
		op->next = engine->done;
		engine->done = op;
		io_uring_cqe_seen(&engine->ring, cqe);
		ret = io_uring_peek_cqe(&engine->ring, &cqe);
	}
}

static void reap(struct t_engine *engine, unsigned int least)
{
	if (is_aio(engine))
		reap_aio(engine, least);
	else if (is_uring(engine))
		reap_uring(engine, least);
}

void t_engine_wait(struct t_engine *engine)
{
	unsigned int done = 0;

	for (const struct t_op *op = engine->done; op; op = op->next)
		done++;
	if (done < engine->in_flight)
		reap(engine, engine->in_flight - done);
}

struct t_op *t_engine_reap(struct t_engine *engine, bool wait)
{
	struct t_op *op;

	if (!engine->in_flight)
		return NULL;
	if (!engine->done)
		reap(engine, wait);
	op = engine->done;
	if (op) {
		engine->done = op->next;
		engine->in_flight--;
	}
	return op;
}
