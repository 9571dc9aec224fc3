// SPDX-License-Identifier: GPL-2.0-or-later
/* Data from file to file without a buffer: copy_file_range, sendfile, splice. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define LENGTH 100000

static char pattern[LENGTH];

static int from, to;

static void open_both(void)
{
	t_pattern_fill(pattern, LENGTH, 0, 4);
	from = MUST(open("from", O_RDWR | O_CREAT | O_TRUNC, 0644));
	to = MUST(open("to", O_RDWR | O_CREAT | O_TRUNC, 0644));
	MUST(write(from, pattern, LENGTH));
	MUST(lseek(from, 0, SEEK_SET));
}

static void close_both(void)
{
	close(from);
	close(to);
}

static const struct {
	off_t from, to;
	size_t length;
} ranges[] = {
	{ 0, 0, LENGTH },     { 0, 0, 1000000 }, { 1, 2, 50000 },   { 4096, 8192, 4096 },
	{ 99999, 0, 10 },     { LENGTH, 0, 10 }, { 200000, 0, 10 }, { 0, 300000, 5 },
	{ 0, 0, 0 },	      { -1, 0, 10 },	 { 0, -1, 10 },	    { 0, LLONG_MAX, 10 },
	{ LLONG_MAX, 0, 10 }, { 50, 50, 1 },
};

static void range(void)
{
	for (size_t i = 0; i < t_array_size(ranges); i++) {
		off_t in = ranges[i].from, out = ranges[i].to;
		size_t length = ranges[i].length;

		posix_label("%zu from %lld to %lld", length, (long long)in,
			    (long long)out);
		open_both();
		CALL(copy_file_range(from, &in, to, &out, length, 0));
		posix_say("moved by %lld, %lld", (long long)(in - ranges[i].from),
			  (long long)(out - ranges[i].to));
		posix_see_data_fd(to);
		CALL(lseek(from, 0, SEEK_CUR));
		in = ranges[i].from, out = ranges[i].to;
		CALL(copy_file_range(from, &in, from, &out, length, 0));
		posix_see_data_fd(from);
		close_both();
	}
}

static void range_more(void)
{
	int append, readonly, writeonly, dir, pipes[2];
	off_t in = 0, out = 100;

	open_both();
	MUST(pipe(pipes));
	readonly = MUST(open("to", O_RDONLY));
	writeonly = MUST(open("from", O_WRONLY));
	append = MUST(open("to", O_WRONLY | O_APPEND));
	dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
	CALL(copy_file_range(from, NULL, to, NULL, 1000, 0));
	CALL(lseek(from, 0, SEEK_CUR));
	CALL(lseek(to, 0, SEEK_CUR));
	CALL(copy_file_range(from, NULL, to, NULL, 1000000, 0));
	CALL(copy_file_range(from, NULL, to, NULL, 10, 0));
	CALL(copy_file_range(from, &in, to, &out, 10, 1));
	CALL(copy_file_range(from, &in, readonly, &out, 10, 0));
	CALL(copy_file_range(writeonly, &in, to, &out, 10, 0));
	CALL(copy_file_range(from, &in, append, &out, 10, 0));
	CALL(copy_file_range(dir, &in, to, &out, 10, 0));
	CALL(copy_file_range(from, &in, dir, &out, 10, 0));
	CALL(copy_file_range(pipes[0], NULL, to, NULL, 10, 0));
	CALL(copy_file_range(from, &in, pipes[1], NULL, 10, 0));
	CALL(copy_file_range(from, &in, -1, NULL, 10, 0));
	posix_label("same file");
	in = 0, out = LENGTH;
	CALL(copy_file_range(from, &in, from, &out, LENGTH, 0));
	in = 0, out = LENGTH - 1;
	CALL(copy_file_range(from, &in, from, &out, LENGTH, 0));
	in = 10, out = 0;
	CALL(copy_file_range(from, &in, from, &out, 11, 0));
	in = 10, out = 0;
	CALL(copy_file_range(from, &in, from, &out, 10, 0));
	in = 0, out = 0;
	CALL(copy_file_range(from, &in, from, &out, 10, 0));
	posix_see_data_fd(from);
	posix_see_data_fd(to);
	posix_label("sparse");
	MUST(ftruncate(from, 0));
	MUST(ftruncate(from, 1 << 20));
	MUST(ftruncate(to, 0));
	in = out = 0;
	CALL(copy_file_range(from, &in, to, &out, 1 << 20, 0));
	posix_see_fd(to);
	close(dir);
	close(append);
	close(writeonly);
	close(readonly);
	close(pipes[0]);
	close(pipes[1]);
	close_both();
}

static void sending(void)
{
	int append, pipes[2];
	off_t pos = 10;

	open_both();
	MUST(pipe(pipes));
	append = MUST(open("to", O_WRONLY | O_APPEND));
	CALL(sendfile(to, from, &pos, 5000));
	CALL(pos);
	CALL(lseek(from, 0, SEEK_CUR));
	CALL(sendfile(to, from, NULL, 1000000));
	CALL(lseek(from, 0, SEEK_CUR));
	posix_see_data_fd(to);
	CALL(sendfile(to, from, NULL, 10));
	CALL(sendfile(append, from, &pos, 10));
	CALL(sendfile(pipes[1], from, &pos, 3000));
	CALL(read(pipes[0], pattern, sizeof(pattern)));
	CALL(t_pattern_check(pattern + 2, 2000, 5012, 4) < 0);
	pos = -1;
	CALL(sendfile(to, from, &pos, 10));
	pos = LENGTH + 5;
	CALL(sendfile(to, from, &pos, 10));
	close(append);
	close(pipes[0]);
	close(pipes[1]);
	close_both();
}

static void splicing(void)
{
	int append, dir, pipes[2];
	loff_t pos = 4000;

	open_both();
	MUST(pipe(pipes));
	append = MUST(open("to", O_WRONLY | O_APPEND));
	dir = MUST(open(".", O_RDONLY | O_DIRECTORY));
	CALL(splice(from, &pos, pipes[1], NULL, 10000, 0));
	CALL(pos);
	pos = 100;
	CALL(splice(pipes[0], NULL, to, &pos, 10000, 0));
	CALL(pos);
	posix_see_data_fd(to);
	CALL(splice(from, NULL, pipes[1], NULL, 500, SPLICE_F_MOVE));
	CALL(splice(pipes[0], NULL, to, NULL, 200, SPLICE_F_MORE));
	CALL(splice(pipes[0], NULL, append, NULL, 300, 0));
	CALL(splice(pipes[0], NULL, to, NULL, 200, SPLICE_F_NONBLOCK));
	CALL(lseek(from, 0, SEEK_CUR));
	CALL(lseek(to, 0, SEEK_CUR));
	pos = LENGTH;
	CALL(splice(from, &pos, pipes[1], NULL, 10, 0));
	pos = -1;
	CALL(splice(from, &pos, pipes[1], NULL, 10, 0));
	CALL(splice(from, NULL, to, NULL, 10, 0));
	CALL(splice(from, NULL, pipes[1], &pos, 10, 0));
	CALL(splice(dir, NULL, pipes[1], NULL, 10, 0));
	CALL(splice(from, NULL, pipes[1], NULL, 0, 0));
	CALL(splice(from, NULL, pipes[1], NULL, 10, 1 << 20));
	posix_see_data_fd(to);
	close(dir);
	close(append);
	close(pipes[0]);
	close(pipes[1]);
	close_both();
}

const struct posix_script posix_copy[] = {
	{ "range", range },	{ "more", range_more }, { "sendfile", sending },
	{ "splice", splicing }, { NULL, NULL },
};
