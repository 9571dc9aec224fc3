// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One read or write with any memory and any flags. Prints the bytes moved, or the
 * name of the error and exits 1.
 *
 * A buffer is a segment of the call; what is joined by + lies at adjacent addresses
 * but in mappings of its own:
 *
 *   host:OFFSET:LENGTH	     anonymous memory, OFFSET into its page
 *   PATH:OFFSET:LENGTH      shared mapping of PATH
 *   ro=PATH:OFFSET:LENGTH   the same, read-only
 *   card=PATH:OFFSET:LENGTH a buffer of a graphics card
 *   shown=PATH:...          the same, and the card shows it
 *   vvar:OFFSET:LENGTH      the kernel's time page
 *
 * -f SEED fills the memory with the pattern of the file position, -c SEED compares it
 * after the call; what lies beyond the bytes read must then be as it was, or zero.
 * -k FILE reads from another file into the memory first: from then on phyr knows it.
 * -x COMMAND makes the call, runs the command, makes the call again and prints what both
 * gave. The memory is filled before each of them, and compared after the second.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t.h"
#include "t_drm.h"
#include "t_engine.h"

#define POISON 0xa5

static const char usage[] =
	"[-e ENGINE] [-o OPENFLAG,...] [-w RWFLAG,...] [-f SEED] [-c SEED] [-k FILE]\n"
	"       [-x COMMAND] read|write FILE OFFSET BUFFER[+BUFFER...]...";

struct flag {
	const char *name;
	int value;
};

static const struct flag open_flags[] = {
	{ "dsync", O_DSYNC }, { "sync", O_SYNC },   { "append", O_APPEND },
	{ "creat", O_CREAT }, { "trunc", O_TRUNC }, { "rdonly", 0 },
	{ "buffered", 0 },
};

static const struct flag rw_flags[] = {
	{ "nowait", RWF_NOWAIT }, { "dsync", RWF_DSYNC }, { "sync", RWF_SYNC },
	{ "append", RWF_APPEND }, { "hipri", RWF_HIPRI },
};

static int parse_flags(const char *text, const struct flag *flags, size_t nr)
{
	char *list = strdup(text), *name;
	int value = 0;
	size_t i;

	while ((name = strsep(&list, ","))) {
		for (i = 0; i < nr && strcmp(flags[i].name, name); i++)
			;
		if (i == nr)
			t_usage(usage);
		value |= flags[i].value;
	}
	return value;
}

static char *find_vvar(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]") && sscanf(line, "%lx-", &start) == 1)
			return (char *)start;
	errno = 0;
	t_die("no [vvar] mapping");
}

/* Map one part at @at, return the address of its first byte; @ret_length its length. */
static char *map_part(char *text, char *at, size_t *ret_length)
{
	int flags = MAP_SHARED | (at ? MAP_FIXED : 0), fd = -1;
	int prot = PROT_READ | PROT_WRITE;
	bool card = false, shown = false;
	uint64_t offset, skip;
	char *colon, *map;

	colon = strrchr(text, ':');
	if (!colon)
		t_usage(usage);
	*ret_length = t_number(colon + 1);
	*colon = 0;
	/* PCI addresses have colons too. */
	colon = strrchr(text, ':');
	if (!colon)
		t_usage(usage);
	offset = t_number(colon + 1);
	*colon = 0;
	skip = offset % T_PAGE;

	if (!strcmp(text, "vvar"))
		return find_vvar() + offset;
	if (!strncmp(text, "ro=", 3)) {
		prot = PROT_READ;
		text += 3;
	}
	if (!strncmp(text, "card=", 5) || !strncmp(text, "shown=", 6)) {
		card = true;
		shown = *text == 's';
		text = strchr(text, '=') + 1;
	}
	if (!strcmp(text, "host")) {
		flags = (flags & MAP_FIXED) | MAP_PRIVATE | MAP_ANONYMOUS;
		offset = skip;
	} else {
		fd = open(text, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
		if (fd < 0)
			t_die("open %s", text);
	}
	if (card)
		offset += t_drm_buffer(fd, offset + *ret_length, shown);
	map = mmap(at, skip + *ret_length, prot, flags, fd, offset - skip);
	if (map == MAP_FAILED)
		t_die("mmap %s", text);
	return map + skip;
}

static struct iovec map_buffer(char *text)
{
	struct iovec iov = { 0 };
	char *at = NULL, *part, *start;
	size_t length;

	if (strchr(text, '+')) {
		at = mmap(NULL, 1UL << 30, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			t_die("mmap");
	}
	while ((part = strsep(&text, "+"))) {
		start = map_part(part, at, &length);
		if (!iov.iov_base)
			iov.iov_base = start;
		iov.iov_len += length;
		at = start + length;
	}
	return iov;
}

static bool check(const struct t_op *op, uint32_t seed)
{
	uint64_t left = op->ret > 0 ? op->ret : 0, done = 0;
	const unsigned char *mem;
	int64_t wrong;
	size_t good;

	for (int i = 0; i < op->nr_iov; i++) {
		mem = op->iov[i].iov_base;
		good = t_min(left - t_min(done, left), op->iov[i].iov_len);
		wrong = t_pattern_check(mem, good, op->pos + done, seed);
		for (size_t at = good; wrong < 0 && at < op->iov[i].iov_len; at++)
			if (mem[at] != POISON && mem[at] != 0)
				wrong = at;
		if (wrong >= 0) {
			printf("data differs at %" PRIu64 "\n", done + wrong);
			return false;
		}
		done += op->iov[i].iov_len;
	}
	return true;
}

static void make_known(const struct t_op *op, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT);

	if (fd < 0 || preadv(fd, op->iov, op->nr_iov, 0) <= 0)
		t_die("read %s", path);
	close(fd);
}

static void prepare(const struct t_op *op, int64_t fill_seed, int64_t check_seed)
{
	uint64_t done = 0;

	for (int i = 0; i < op->nr_iov; i++) {
		const struct iovec *iov = &op->iov[i];

		if (fill_seed >= 0)
			t_pattern_fill(iov->iov_base, iov->iov_len, op->pos + done,
				       fill_seed);
		else if (check_seed >= 0)
			memset(iov->iov_base, POISON, iov->iov_len);
		done += iov->iov_len;
	}
}

static void call(struct t_engine *engine, struct t_op *op)
{
	t_engine_add(engine, op);
	t_engine_flush(engine);
	t_engine_reap(engine, true);
}

int main(int argc, char **argv)
{
	int flags = O_DIRECT, opt, with = 0;
	int64_t fill_seed = -1, check_seed = -1;
	const char *name = NULL, *known = NULL, *command = NULL;
	struct t_engine *engine;
	struct t_op op = { 0 };
	char text[32];

	while ((opt = getopt(argc, argv, "+e:o:w:f:c:k:x:")) != -1) {
		switch (opt) {
		case 'e':
			name = optarg;
			break;
		case 'o':
			with = parse_flags(optarg, open_flags, t_array_size(open_flags));
			if (strstr(optarg, "buffered"))
				flags = 0;
			break;
		case 'w':
			op.rwf = parse_flags(optarg, rw_flags, t_array_size(rw_flags));
			break;
		case 'f':
			fill_seed = t_number(optarg);
			break;
		case 'k':
			known = optarg;
			break;
		case 'x':
			command = optarg;
			break;
		case 'c':
			check_seed = t_number(optarg);
			break;
		default:
			t_usage(usage);
		}
	}
	argv += optind;
	argc -= optind;
	if (argc < 4 || argc > 3 + T_MAX_IOV)
		t_usage(usage);
	op.write = !strcmp(argv[0], "write");
	if (!op.write && strcmp(argv[0], "read"))
		t_usage(usage);
	op.pos = t_number(argv[2]);
	op.fd = open(argv[1], flags | with | (op.write ? O_RDWR : O_RDONLY), 0644);
	if (op.fd < 0)
		t_die("open %s", argv[1]);

	for (int i = 3; i < argc; i++)
		op.iov[op.nr_iov++] = map_buffer(argv[i]);
	if (known)
		make_known(&op, known);
	engine = t_engine_open(name			 ? name
			       : op.rwf || op.nr_iov > 1 ? "vec"
							 : "psync",
			       1);
	prepare(&op, fill_seed, check_seed);
	call(engine, &op);
	if (command) {
		printf("%s ", t_result(op.ret, text));
		fflush(stdout);
		if (system(command))
			t_die("%s", command);
		prepare(&op, fill_seed, check_seed);
		call(engine, &op);
	}
	if (check_seed >= 0 && op.ret >= 0 && !check(&op, check_seed))
		return 1;
	puts(t_result(op.ret, text));
	return op.ret < 0;
}
