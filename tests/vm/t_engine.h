/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to say "read or write this" for every interface a program may use.
 *
 *   psync   pread, pwrite            vec     preadv2, pwritev2
 *   libaio  io_submit, scalar        aiov    io_submit, vectors
 *   uring   IORING_OP_READ/WRITE     uringv  IORING_OP_READV/WRITEV
 *   uringd  uring that completes only when waited for
 *
 * The caller owns an operation and its memory from add until wait gives it back. The
 * synchronous engines do the call in flush.
 */
#ifndef T_ENGINE_H
#define T_ENGINE_H

#include <libaio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define T_MAX_IOV 8

struct t_op {
	int fd;
	bool write;
	int rwf; /* RWF_* flags, not for psync */
	uint64_t pos;
	struct iovec iov[T_MAX_IOV];
	int nr_iov;  /* 1 for the scalar engines */
	int64_t ret; /* bytes or -errno, once waited for */
	struct iocb iocb;
	struct t_op *next;
};

struct t_engine;

/* Dies on an unknown name; @depth is the most operations in flight. */
struct t_engine *t_engine_open(const char *name, unsigned int depth);
void t_engine_close(struct t_engine *engine);

/* Scalar engines take operations of one segment only. */
bool t_engine_vectored(const struct t_engine *engine);

void t_engine_add(struct t_engine *engine, struct t_op *op);
void t_engine_flush(struct t_engine *engine);

/* Waits until all in flight have finished, at most 64; reaping gives them back. */
void t_engine_wait(struct t_engine *engine);

/* A finished operation; NULL when there is none, or after @wait none in flight. */
struct t_op *t_engine_reap(struct t_engine *engine, bool wait);

#endif /* T_ENGINE_H */
