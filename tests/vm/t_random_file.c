// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations of t_random on open files. Some lose their name meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_worker.h"

#define DIRECT_BYTES 4096UL

static struct t_open_file *any_file(struct t_worker *w)
{
	return w->nr_files ? &w->files[t_below(w, w->nr_files)] : NULL;
}

static bool readable(const struct t_open_file *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY;
}

static bool writable(const struct t_open_file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY;
}

struct range {
	size_t pos, length;
};

static struct range any_range(struct t_worker *w, int flags)
{
	struct range range;

	range.pos = t_below(w, T_FILE_MAX);
	range.length = 1 + t_below(w, t_one_in(w, 4) ? T_FILE_MAX : 5000);
	if (flags & O_DIRECT) {
		range.pos -= range.pos % DIRECT_BYTES;
		range.length += DIRECT_BYTES - range.length % DIRECT_BYTES;
	}
	range.length = t_min(range.length, T_FILE_MAX - range.pos);
	return range;
}

static void file_add(struct t_worker *w, int fd, int flags, struct t_node *node)
{
	if (w->nr_files == T_NR_FDS) {
		close(fd);
		t_model_put(&w->model, node);
		return;
	}
	node->nr_opens++;
	w->files[w->nr_files++] = (struct t_open_file){ fd, flags, node };
}

static int any_flags(struct t_worker *w)
{
	static const int access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };
	int flags = access[t_below(w, t_array_size(access))];

	if (t_one_in(w, 2))
		flags |= O_CREAT;
	if (flags & O_CREAT && t_one_in(w, 6))
		flags |= O_EXCL;
	if (flags & O_ACCMODE && t_one_in(w, 6))
		flags |= O_TRUNC;
	if (t_one_in(w, 4))
		flags |= t_one_in(w, 2) ? O_DIRECT : O_APPEND;
	return flags;
}

static void op_open(struct t_worker *w)
{
	int fd, flags = any_flags(w);
	mode_t mode = t_below(w, 01000);
	struct t_node *node = NULL;
	char path[T_PATH_MAX];
	struct t_place at = t_any_path(w, path);

	if (t_worker_full(w))
		flags &= ~(O_CREAT | O_EXCL);
	/* A directory can be opened like this, but is of no use then. */
	if (t_model_at(at) && S_ISDIR(t_model_at(at)->mode))
		flags |= O_RDWR;
	t_say(w, "open(%s, %#o, %#o)", path, flags, mode);
	fd = t_sys(open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode));
	t_expect(w, "result", t_model_open(&w->model, at, flags, mode, &node),
		 t_min(fd, 0));
	if (fd >= 0)
		file_add(w, fd, flags, node);
}

static void op_tmpfile(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_place at = t_any_place(w);
	mode_t mode = t_below(w, 01000);
	int fd;

	if (t_worker_full(w))
		return;
	t_dir_path(w, at, path);
	t_say(w, "open(%s, O_TMPFILE)", path);
	fd = t_sys(open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
	t_expect(w, "result", 0, t_min(fd, 0));
	file_add(w, fd, O_RDWR, t_model_tmpfile(&w->model, mode));
}

static void op_close(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	struct t_node *node;

	if (!file)
		return;
	t_say(w, "close");
	t_expect(w, "result", 0, t_sys(close(file->fd)));
	node = file->node;
	*file = w->files[--w->nr_files];
	node->nr_opens--;
	t_model_put(&w->model, node);
}

static void op_write(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	struct range range;
	int64_t want;

	if (!file)
		return;
	range = any_range(w, file->flags);
	if (file->flags & O_APPEND)
		range.pos = file->node->size;
	if (range.pos + range.length > T_FILE_MAX)
		return;
	t_pattern_fill(w->buf, range.length, T_WORD * t_below(w, 1 << 20), 1);
	t_say(w, "pwrite(%#o, %zu, %zu)", file->flags, range.length, range.pos);
	want = writable(file) ? (int64_t)range.length : -EBADF;
	t_expect(w, "result", want,
		 t_sys(pwrite(file->fd, w->buf, range.length, range.pos)));
	if (want >= 0)
		t_node_write(file->node, range.pos, w->buf, range.length);
}

static size_t bytes_at(const struct t_node *node, struct range range)
{
	if (range.pos >= node->size)
		return 0;
	return t_min(range.length, node->size - range.pos);
}

static void op_read(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	struct range range;
	int64_t want;

	if (!file)
		return;
	range = any_range(w, file->flags);
	t_say(w, "pread(%#o, %zu, %zu)", file->flags, range.length, range.pos);
	want = readable(file) ? (int64_t)bytes_at(file->node, range) : -EBADF;
	t_expect(w, "result", want,
		 t_sys(pread(file->fd, w->buf, range.length, range.pos)));
	if (want > 0)
		t_expect_bytes(w, file->node->data + range.pos, w->buf, want);
}

static void op_ftruncate(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	size_t size = t_below(w, T_FILE_MAX);
	int want;

	if (!file)
		return;
	t_say(w, "ftruncate(%zu)", size);
	want = writable(file) ? 0 : -EINVAL;
	t_expect(w, "result", want, t_sys(ftruncate(file->fd, size)));
	if (!want)
		t_node_resize(file->node, size);
}

static void op_fallocate(struct t_worker *w)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	int want, mode = modes[t_below(w, t_array_size(modes))];
	struct t_open_file *file = any_file(w);
	struct range range = any_range(w, 0);

	if (!file)
		return;
	t_say(w, "fallocate(%#x, %zu, %zu)", mode, range.pos, range.length);
	want = writable(file) ? 0 : -EBADF;
	t_expect(w, "result", want,
		 t_sys(fallocate(file->fd, mode, range.pos, range.length)));
	if (!want)
		t_node_fallocate(file->node, mode, range.pos, range.length);
}

/* May do less than asked for, as the call always may, but not nothing. */
static void op_copy(struct t_worker *w)
{
	struct t_open_file *from = any_file(w), *to = any_file(w);
	struct range range = any_range(w, 0);
	off_t from_pos = range.pos, to_pos = t_below(w, T_FILE_MAX - range.length + 1);
	int64_t want, got;

	if (!from || from->node == to->node || !readable(from) || !writable(to) ||
	    to->flags & O_APPEND || (from->flags | to->flags) & O_DIRECT)
		return;
	t_say(w, "copy_file_range(%zu, %jd, %zu)", range.pos, (intmax_t)to_pos,
	      range.length);
	want = bytes_at(from->node, range);
	got = t_sys(
		copy_file_range(from->fd, &from_pos, to->fd, &to_pos, range.length, 0));
	if (got < 0 || got > want || (!got && want))
		t_fail(w, "result", want, got);
	t_node_write(to->node, to_pos - got, from->node->data + range.pos, got);
}

static void op_fsync(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);

	if (!file || !t_one_in(w, 8))
		return;
	t_say(w, "fsync");
	t_expect(w, "result", 0,
		 t_sys(t_one_in(w, 2) ? fsync(file->fd) : fdatasync(file->fd)));
}

static void op_fstat(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	struct stat st;

	if (!file)
		return;
	t_say(w, "fstat");
	t_expect(w, "result", 0, t_sys(fstat(file->fd, &st)));
	t_stat_check(w, file->node, &st);
}

/* An open file, which may have lost its name, or never had one. */
static void op_link_fd(struct t_worker *w)
{
	struct t_open_file *file = any_file(w);
	char from_path[64], path[T_PATH_MAX];
	struct t_place to = t_any_path(w, path);
	int got;

	if (!file)
		return;
	snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d", file->fd);
	t_say(w, "linkat(fd, %s), links %u", path, file->node->nr_links);
	got = t_sys(linkat(AT_FDCWD, from_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	t_expect(w, "result", t_model_link(file->node, to), got);
}

const struct t_op t_file_ops[] = {
	{ op_open, 12 }, { op_tmpfile, 1 }, { op_close, 4 },	 { op_write, 10 },
	{ op_read, 10 }, { op_copy, 3 },    { op_ftruncate, 2 }, { op_fallocate, 4 },
	{ op_fsync, 1 }, { op_fstat, 3 },   { op_link_fd, 2 },	 { NULL, 0 },
};

void t_files_close(struct t_worker *w)
{
	while (w->nr_files)
		op_close(w);
}
