// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lets each allocation of a read or write fail, one after the other.
 *
 *   t_nth [-w] [-b BYTES] [-h BYTES] FILE BAR
 *
 * Call N is a read of FILE into a new mapping of BAR (or with -w a write from it) whose
 * Nth chance to fail is taken, by the kernel's fail-nth. It either gives all its bytes or
 * an error that is meant for it, and the same call again, with nothing failing, works and
 * has the right data. It ends with the first N that a call has not so many chances for.
 * With -h the call has a second segment of so many bytes of host memory.
 *
 * FILE has the pattern of seed 1, and still does after writes. The last line is "ok
 * calls 23 failed 20".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t.h"

#define POISON	  0xa5
#define SEED	  1
#define NTH_LIMIT 1000

static const char usage[] = "[-w] [-b BYTES] [-h BYTES] FILE BAR";

static struct {
	bool write;
	size_t bar_bytes, host_bytes;
	int file, nth;
	struct iovec iov[2];
} t = { .bar_bytes = 65536 };

static void set_nth(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(t.nth, text, len, 0) != len)
		t_die("set fail-nth");
}

/* What is left of it: 0 once the fault was injected */
static unsigned int get_nth(void)
{
	char text[16] = "";

	if (pread(t.nth, text, sizeof(text) - 1, 0) <= 0)
		t_die("read fail-nth");
	return strtoul(text, NULL, 10);
}

static int64_t call(void)
{
	int nr = t.host_bytes ? 2 : 1;
	ssize_t ret;

	ret = t.write ? pwritev(t.file, t.iov, nr, 0) : preadv(t.file, t.iov, nr, 0);
	return ret < 0 ? -errno : ret;
}

static void fill(void)
{
	uint64_t pos = 0;

	for (int i = 0; i < 2; pos += t.iov[i++].iov_len) {
		if (t.write)
			t_pattern_fill(t.iov[i].iov_base, t.iov[i].iov_len, pos, SEED);
		else
			memset(t.iov[i].iov_base, POISON, t.iov[i].iov_len);
	}
}

static void check(unsigned int n, const char *which, int64_t ret)
{
	uint64_t pos = 0;

	if (ret != (int64_t)(t.bar_bytes + t.host_bytes)) {
		printf("%s call %u: %s\n", which, n, t_errname(ret < 0 ? ret : EIO));
		exit(1);
	}
	for (int i = 0; i < 2; pos += t.iov[i++].iov_len) {
		if (t_pattern_check(t.iov[i].iov_base, t.iov[i].iov_len, pos, SEED) < 0)
			continue;
		printf("%s call %u: segment %d differs\n", which, n, i);
		exit(1);
	}
}

static bool may_fail_with(int64_t ret)
{
	return ret == -ENOMEM || ret == -EAGAIN || ret == -EIO;
}

/* Whether the call got as far as its Nth chance */
static bool try_nth(const char *bar, unsigned int n, unsigned int *nr_failed)
{
	unsigned int left;
	int64_t ret;

	t.iov[0].iov_len = t.bar_bytes;
	t.iov[0].iov_base = t_map_bar(bar, 0, t.bar_bytes, PROT_READ | PROT_WRITE);
	t.iov[1].iov_len = t.host_bytes;
	if (t.host_bytes)
		t.iov[1].iov_base = t_map_host(t.host_bytes, POISON);
	fill();
	set_nth(n);
	ret = call();
	left = get_nth();
	set_nth(0);
	if (!may_fail_with(ret))
		check(n, "failing", ret);
	else
		++*nr_failed;

	fill();
	check(n, "next", call());
	munmap(t.iov[0].iov_base, t.bar_bytes);
	if (t.host_bytes)
		munmap(t.iov[1].iov_base, t.host_bytes);
	return !left;
}

int main(int argc, char **argv)
{
	unsigned int n = 1, nr_failed = 0;
	int c;

	while ((c = getopt(argc, argv, "wb:h:")) != -1) {
		if (c == 'w')
			t.write = true;
		else if (c == 'b')
			t.bar_bytes = t_number(optarg);
		else if (c == 'h')
			t.host_bytes = t_number(optarg);
		else
			t_usage(usage);
	}
	if (argc - optind != 2)
		t_usage(usage);
	t.file = open(argv[optind], O_RDWR | O_DIRECT);
	if (t.file < 0)
		t_die("open %s", argv[optind]);
	t.nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (t.nth < 0)
		t_die("open fail-nth");
	/* the program's own pages are not to be what fails */
	if (mlockall(MCL_CURRENT))
		t_die("mlockall");

	while (try_nth(argv[optind + 1], n, &nr_failed))
		if (++n == NTH_LIMIT)
			t_die("the calls have no end of chances to fail");
	printf("ok calls %u failed %u\n", n, nr_failed);
	/* Without any error nothing was tried. */
	return nr_failed ? 0 : 1;
}
