// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many reads and writes at once, verified.
 *
 * The first -n bytes of FILE are cut into pieces of random sizes, which are read or
 * written once each, in random order, from or to random places of the memory. What is
 * read has to be the pattern of seed 1 of its place in the file; what is written is the
 * pattern of seed 2. Bytes of the memory next to a piece must keep their value. At the
 * end the pieces are compared again through CHECK, a buffered way to the same file.
 *
 * With -t the pieces are repeated for so many seconds. With -k an error is counted and
 * the work goes on. With -x the memory is never touched by the CPU, nor anything
 * verified: for memory that may vanish.
 *
 * The last line of output has the counts: "ok 120 bytes 491520 EFAULT 3".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "t.h"
#include "t_engine.h"

#define POISON	     0xa5
#define MARGIN	     64UL
#define SEED_READ    1
#define SEED_WRITTEN 2
#define SECTOR	     512UL
#define NR_ERRNOS    140

static const char usage[] =
	"[-e ENGINE] [-q DEPTH] [-d read|write|mix] [-n BYTES] [-b MIN:MAX]\n"
	"       [-m MEMORY] [-o MEMORY_OFFSET] [-a MEMORY_ALIGN] [-s SEED] [-t SECONDS]\n"
	"       [-c CHECK] [-k] [-x] FILE";

struct piece {
	uint64_t pos;
	size_t length;
	bool write;
};

struct slot {
	struct t_op op;
	char *area; /* of area_bytes, this slot's own */
	const struct piece *piece;
};

static struct {
	const char *engine, *memory, *check;
	char direction;
	unsigned int depth;
	uint64_t bytes, min, max, memory_offset, align, state;
	unsigned int seconds;
	bool keep_going, hands_off;
} opt = {
	.engine = "psync",
	.memory = "host",
	.direction = 'r',
	.depth = 1,
	.bytes = 8 << 20,
	.min = 4096,
	.max = 4096,
	.align = 4,
	.state = 1,
};

static uint64_t nr_ok, nr_bytes, nr_errors[NR_ERRNOS];
static size_t area_bytes;

static void print_counts(void)
{
	printf("ok %" PRIu64 " bytes %" PRIu64, nr_ok, nr_bytes);
	for (int i = 0; i < NR_ERRNOS; i++)
		if (nr_errors[i])
			printf(" %s %" PRIu64, t_errname(i), nr_errors[i]);
	putchar('\n');
	fflush(stdout);
}

static _Noreturn void fail(const struct piece *piece, const char *what, int64_t where)
{
	printf("%s of %zu at %" PRIu64 ": %s %" PRId64 "\n",
	       piece->write ? "write" : "read", piece->length, piece->pos, what, where);
	exit(1);
}

static struct piece *cut(size_t *ret_nr)
{
	struct piece *pieces = calloc(opt.bytes / opt.min + 1, sizeof(*pieces));
	uint64_t pos = 0, spread = (opt.max - opt.min) / SECTOR + 1;
	size_t nr = 0, other;

	if (!pieces)
		t_die("memory");
	for (; pos < opt.bytes; pos += pieces[nr++].length) {
		uint64_t length = opt.min + t_random(&opt.state) % spread * SECTOR;

		pieces[nr].pos = pos;
		pieces[nr].length = t_min(length, opt.bytes - pos);
		pieces[nr].write = opt.direction == 'w' ||
				   (opt.direction == 'm' && t_random(&opt.state) & 1);
	}
	for (size_t i = nr; i > 1; i--) {
		struct piece swap = pieces[i - 1];

		other = t_random(&opt.state) % i;
		pieces[i - 1] = pieces[other];
		pieces[other] = swap;
	}
	*ret_nr = nr;
	return pieces;
}

/* Segments of a vectored call lie apart, so each begins anew in the memory. */
static void place(struct slot *slot, bool vectored)
{
	size_t left = slot->piece->length, length, gap;
	struct t_op *op = &slot->op;
	char *at = slot->area + MARGIN;

	at += t_random(&opt.state) % (T_PAGE / opt.align) * opt.align;
	op->nr_iov = 0;
	while (left) {
		length = left;
		if (vectored && op->nr_iov < T_MAX_IOV - 1)
			length = (t_random(&opt.state) % (left / SECTOR) + 1) * SECTOR;
		op->iov[op->nr_iov++] = (struct iovec){ at, length };
		gap = MARGIN + t_random(&opt.state) % (T_PAGE / opt.align) * opt.align;
		at += length + gap;
		left -= length;
	}
}

static void fill_margins(const struct slot *slot)
{
	for (int i = 0; i < slot->op.nr_iov; i++) {
		char *base = slot->op.iov[i].iov_base;

		memset(base - MARGIN, POISON, MARGIN);
		memset(base + slot->op.iov[i].iov_len, POISON, MARGIN);
	}
}

static void prepare(struct slot *slot)
{
	uint64_t pos = slot->piece->pos;

	if (opt.hands_off)
		return;
	for (int i = 0; i < slot->op.nr_iov; i++) {
		struct iovec *iov = &slot->op.iov[i];

		if (slot->piece->write)
			t_pattern_fill(iov->iov_base, iov->iov_len, pos, SEED_WRITTEN);
		else
			memset(iov->iov_base, POISON, iov->iov_len);
		pos += iov->iov_len;
	}
	fill_margins(slot);
}

static void verify(const struct slot *slot)
{
	const struct piece *piece = slot->piece;
	uint64_t pos = piece->pos;
	int64_t wrong;

	for (int i = 0; i < slot->op.nr_iov; i++) {
		const struct iovec *iov = &slot->op.iov[i];
		char *end = (char *)iov->iov_base + iov->iov_len;

		wrong = t_pattern_check(iov->iov_base, iov->iov_len, pos,
					piece->write ? SEED_WRITTEN : SEED_READ);
		if (wrong >= 0)
			fail(piece, "memory differs at", wrong + pos - piece->pos);
		if (t_fill_check((char *)iov->iov_base - MARGIN, MARGIN, POISON) >= 0)
			fail(piece, "bytes before the segment changed", i);
		if (t_fill_check(end, MARGIN, POISON) >= 0)
			fail(piece, "bytes after the segment changed", i);
		pos += iov->iov_len;
	}
}

static void finish(struct slot *slot)
{
	int64_t ret = slot->op.ret;

	if (ret == (int64_t)slot->piece->length) {
		nr_ok++;
		nr_bytes += ret;
		if (!opt.hands_off)
			verify(slot);
	} else if (ret >= 0) {
		fail(slot->piece, "short:", ret);
	} else {
		nr_errors[t_min(-ret, NR_ERRNOS - 1)]++;
		if (!opt.keep_going)
			fail(slot->piece, t_errname(-ret), ret);
	}
}

static void check_file(const struct piece *pieces, size_t nr)
{
	char *mem = t_map_host(opt.max, 0);
	int fd = open(opt.check, O_RDONLY);
	int64_t wrong;

	if (fd < 0)
		t_die("open %s", opt.check);
	for (size_t i = 0; i < nr; i++) {
		const struct piece *piece = &pieces[i];

		if (pread(fd, mem, piece->length, piece->pos) != (ssize_t)piece->length)
			t_die("read %s", opt.check);
		wrong = t_pattern_check(mem, piece->length, piece->pos,
					piece->write ? SEED_WRITTEN : SEED_READ);
		if (wrong >= 0)
			fail(piece, "file differs at", wrong);
	}
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void run(struct t_engine *engine, int fd, char *memory, const struct piece *pieces,
		size_t nr)
{
	struct slot *slots = calloc(opt.depth, sizeof(*slots)), *slot;
	struct t_op *op, *free_ops = NULL;
	time_t end = now() + opt.seconds;
	bool again = false;
	size_t next = 0;

	if (!slots)
		t_die("memory");
	for (unsigned int i = 0; i < opt.depth; i++) {
		slots[i].area = memory + i * area_bytes;
		slots[i].op.next = free_ops;
		free_ops = &slots[i].op;
	}
	for (;;) {
		if (next == nr && now() < end) {
			next = 0;
			again = true;
		}
		/* what is to be compared with CHECK has to be done once */
		if (opt.seconds && now() >= end && (again || !opt.check))
			nr = next;
		while (free_ops && next < nr) {
			slot = (struct slot *)free_ops;
			free_ops = free_ops->next;
			slot->piece = &pieces[next++];
			place(slot, t_engine_vectored(engine));
			prepare(slot);
			slot->op.fd = fd;
			slot->op.pos = slot->piece->pos;
			slot->op.write = slot->piece->write;
			t_engine_add(engine, &slot->op);
		}
		t_engine_flush(engine);
		op = t_engine_reap(engine, true);
		if (!op)
			break;
		finish((struct slot *)op);
		op->next = free_ops;
		free_ops = op;
	}
	free(slots);
}

static void parse(int argc, char **argv)
{
	char *colon;
	int c;

	while ((c = getopt(argc, argv, "e:q:d:n:b:m:o:a:s:t:c:kx")) != -1) {
		switch (c) {
		case 'e':
			opt.engine = optarg;
			break;
		case 'q':
			opt.depth = t_number(optarg);
			break;
		case 'd':
			opt.direction = *optarg;
			break;
		case 'n':
			opt.bytes = t_number(optarg);
			break;
		case 'm':
			opt.memory = optarg;
			break;
		case 'o':
			opt.memory_offset = t_number(optarg);
			break;
		case 'a':
			opt.align = t_number(optarg);
			break;
		case 's':
			opt.state = t_number(optarg);
			break;
		case 't':
			opt.seconds = t_number(optarg);
			break;
		case 'c':
			opt.check = optarg;
			break;
		case 'k':
			opt.keep_going = true;
			break;
		case 'x':
			opt.hands_off = true;
			break;
		case 'b':
			colon = strchr(optarg, ':');
			if (colon)
				*colon = 0;
			opt.min = t_number(optarg);
			opt.max = colon ? t_number(colon + 1) : opt.min;
			break;
		default:
			t_usage(usage);
		}
	}
	if (argc != optind + 1 || !opt.depth || opt.min < SECTOR || opt.max < opt.min)
		t_usage(usage);
}

int main(int argc, char **argv)
{
	struct t_engine *engine;
	struct piece *pieces;
	char *memory;
	size_t nr;
	int fd;

	parse(argc, argv);
	area_bytes = opt.max + (T_MAX_IOV + 1) * (T_PAGE + MARGIN);
	area_bytes += -area_bytes % T_PAGE;
	pieces = cut(&nr);
	fd = open(argv[optind], O_DIRECT | (opt.direction == 'r' ? O_RDONLY : O_RDWR));
	if (fd < 0)
		t_die("open %s", argv[optind]);
	if (!strcmp(opt.memory, "host"))
		memory = t_map_host(area_bytes * opt.depth, POISON);
	else
		memory = t_map_bar(opt.memory, opt.memory_offset, area_bytes * opt.depth,
				   PROT_READ | PROT_WRITE);
	engine = t_engine_open(opt.engine, opt.depth);

	run(engine, fd, memory, pieces, nr);
	t_engine_close(engine);
	close(fd);
	print_counts();
	if (opt.check && !opt.hands_off)
		check_file(pieces, nr);
	return 0;
}
