// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random FUSE requests for the operations of phyrfs, without a kernel between.
 *
 *   t_fuzz DIR COUNT [SEED]
 *
 * Anything in a request may be wrong: names, sizes, flags, offsets, stray bytes. But
 * the kernel vouches for node ids and file handles, which the daemon takes for its
 * inodes and fds: only those that replies have given are used, and not beyond FORGET and
 * RELEASE.
 *
 * Every request has to get its one reply, no longer than asked for. What memory errors
 * there are, the sanitizers tell; the seed and the number of the request repeat it.
 * DIR is emptied now and then. Nothing outside it may change: the case looks after that.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/fuse.h>

#include "../../fs/phyrfs.h"
#include "t_fuzz.h"

#define FILE_BYTES_MAX (256 << 10)
#define NR_FDS_MAX     128  /* few, so that inodes lose theirs */
#define EMPTY_EVERY    8192 /* requests */
#define HANG_S	       120  /* for so many requests, even in a slow guest */

static struct {
	uint64_t seed;
	uint64_t nr_requests, nr_ok;
	struct phyrfs fs;

	/* The reply to the request at hand. */
	unsigned int nr_replies;
	bool refuse; /* the kernel does not want it any more */
	int error;
} t;

static char reply[T_REQUEST_MAX + 4096];

/* ---------------------------------------------------------------------- failure */

/* May be called from anywhere. */
static void where(void)
{
	dprintf(STDERR_FILENO,
		"t_fuzz: seed %" PRIu64 ", request %" PRIu64 ", opcode %u\n", t.seed,
		t.nr_requests, t_request.head.opcode);
}

static _Noreturn void fail(const char *what, uint64_t number)
{
	where();
	printf("request %" PRIu64 ": %s %" PRIu64 "\n", t.nr_requests, what, number);
	exit(1);
}

static void on_signal(int nr)
{
	where();
	signal(nr, SIG_DFL);
	raise(nr);
}

/* A sanitizer has handlers of its own, and ends with SIGABRT if told so. */
static void failure_init(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM };
	struct sigaction old;

	for (size_t i = 0; i < t_array_size(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_DFL)
			signal(signals[i], on_signal);
}

/* ---------------------------------------------------------------------- replies */

/* The most that the kernel takes as the answer; more is a failure of the daemon's. */
static size_t reply_limit(void)
{
	size_t size;

	const void *arg = t_request_arg();

	switch (t_request.head.opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		return ((const struct fuse_read_in *)arg)->size;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		size = ((const struct fuse_getxattr_in *)arg)->size;
		return size ? size : sizeof(struct fuse_getxattr_out);
	case FUSE_READLINK:
		return PATH_MAX - 1;
	default:
		return 256;
	}
}

static void learn_entries(size_t size)
{
	const char *pos = reply + sizeof(struct fuse_out_header), *end = pos + size;

	while (pos < end) {
		const struct fuse_direntplus *entry = (const void *)pos;

		if (end - pos < (ptrdiff_t)FUSE_NAME_OFFSET_DIRENTPLUS ||
		    end - pos < (ptrdiff_t)FUSE_DIRENTPLUS_SIZE(entry))
			fail("an entry is cut at", pos - reply);
		t_known_learn(&entry->entry_out);
		pos += FUSE_DIRENTPLUS_SIZE(entry);
	}
}

static void learn(void)
{
	const struct fuse_out_header *head = (const void *)reply;
	const void *arg = head + 1;
	const struct fuse_entry_out *entry = arg;
	const struct fuse_open_out *open = arg;

	switch (t_request.head.opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		t_known_learn(entry);
		break;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		open = (const void *)(entry + 1);
		t_known_learn(entry);
		t_known_open(entry->nodeid, open->fh, false);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		t_known_open(t_request.head.nodeid, open->fh,
			     t_request.head.opcode == FUSE_OPENDIR);
		break;
	case FUSE_READDIRPLUS:
		learn_entries(head->len - sizeof(*head));
		break;
	case FUSE_INIT:
		t_request_setxattr_ext = ((const struct fuse_init_out *)arg)->flags &
					 FUSE_SETXATTR_EXT;
	}
}

static ssize_t reply_write(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fuse_out_header *head = iov[0].iov_base;
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	if (head->unique != t_request.head.unique)
		return size; /* that something was not there to be interrupted */
	t.nr_replies++;
	t.error = head->error;
	if (head->error > 0 || head->error <= -512)
		fail("an error of", -(int64_t)head->error);
	if (head->len != size || (head->error && size != sizeof(*head)))
		fail("a reply with a length of", head->len);
	if (head->error)
		return size;
	if (size > sizeof(*head) + reply_limit())
		fail("a reply that is too long:", size);
	if (t.refuse) {
		errno = ENOENT;
		return -1;
	}
	/* Contents are nobody's business here. */
	for (size_t i = 0, at = 0; i < (size_t)count && at < sizeof(reply); i++) {
		memcpy(reply + at, iov[i].iov_base,
		       t_min(iov[i].iov_len, sizeof(reply) - at));
		at += iov[i].iov_len;
		if (t_request.head.opcode == FUSE_READ)
			break;
	}
	learn();
	return size;
}

static ssize_t never_read(int fd, void *buf, size_t length, void *userdata)
{
	errno = ENOTCONN;
	return -1;
}

/* ------------------------------------------------------------------------ session */

static void session_open(void)
{
	static const struct fuse_custom_io io = {
		.writev = reply_write,
		.read = never_read,
	};
	char *argv[] = { (char *)"t_fuzz", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_lowlevel_ops fs_ops;

	if (phyrfs_cred_init() || phyrfs_source_open(&t.fs) || phyrfs_table_init(&t.fs) ||
	    phyrfs_fds_init(&t.fs))
		t_die("%s", t.fs.opts.source);
	phyrfs_ops(&fs_ops);
	t.fs.se = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), &t.fs);
	if (!t.fs.se || fuse_session_custom_io(t.fs.se, &io, sizeof(io),
					       open("/dev/null", O_RDWR | O_CLOEXEC)))
		t_die("session");
	fuse_opt_free_args(&args);
}

static void send_request(void)
{
	struct fuse_buf buf = { .size = t_request_size, .mem = &t_request };

	t.nr_replies = 0;
	t.error = 0;
	phyrfs_loop_process(t.fs.se, &buf);
}

/* As Linux 6.18 introduces itself, but for passthrough. */
static void send_init(void)
{
	struct fuse_init_in *arg;

	t_request_begin(FUSE_INIT, 0);
	arg = t_request_add(sizeof(*arg));
	arg->major = 7;
	arg->minor = 45;
	arg->max_readahead = 128 << 10;
	arg->flags = 0x7fffffff & ~(FUSE_FILE_OPS | FUSE_MAP_ALIGNMENT | FUSE_SUBMOUNTS);
	arg->flags2 =
		(FUSE_SECURITY_CTX | FUSE_CREATE_SUPP_GROUP | FUSE_HAS_EXPIRE_ONLY |
		 FUSE_DIRECT_IO_ALLOW_MMAP | FUSE_NO_EXPORT_SUPPORT | FUSE_HAS_RESEND) >>
		32;
	t_request_end();
	send_request();
	if (t.nr_replies != 1 || t.error)
		fail("INIT:", -t.error);
}

/* The handles that are always there: other requests may then have one in any case. */
static void open_first(void)
{
	struct fuse_create_in *create;

	t_request_begin(FUSE_CREATE, FUSE_ROOT_ID);
	create = t_request_add(sizeof(*create));
	create->flags = O_RDWR;
	create->mode = S_IFREG | 0600;
	t_request_add_text("base");
	t_request_end();
	send_request();
	t_request_begin(FUSE_OPENDIR, FUSE_ROOT_ID);
	t_request_add(sizeof(struct fuse_open_in));
	t_request_end();
	send_request();
	if (t_known.nr_handles != T_KNOWN_OPEN)
		fail("no handles to begin with:", t_known.nr_handles);
}

/* What the kernel has given back with a request, as the daemon read it. */
static void give_back(void)
{
	const void *arg = t_request_arg();
	const struct fuse_batch_forget_in *batch = arg;
	const struct fuse_forget_one *one = (const void *)(batch + 1);

	switch (t_request.head.opcode) {
	case FUSE_FORGET:
		t_known_forget(t_request.head.nodeid,
			       ((const struct fuse_forget_in *)arg)->nlookup);
		break;
	case FUSE_BATCH_FORGET:
		for (uint32_t i = 0; i < batch->count; i++)
			t_known_forget(one[i].nodeid, one[i].nlookup);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		t_known_release(((const struct fuse_release_in *)arg)->fh,
				t_request.head.opcode == FUSE_RELEASEDIR);
	}
}

static unsigned int replies_due(void)
{
	switch (t_request.head.opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return 0;
	default:
		return 1;
	}
}

static void one_request(void)
{
	t_request_make();
	switch (t_request.head.opcode) {
	case FUSE_OPEN:
	case FUSE_OPENDIR:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		t.refuse = t_fuzz_one_in(32);
		break;
	default:
		t.refuse = false;
	}
	send_request();
	if (t.nr_replies != replies_due())
		fail("replies:", t.nr_replies);
	t.nr_ok += !t.error;
	give_back();
}

/* --------------------------------------------------------------------------- main */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (ftw->level && remove(path))
		t_die("remove %s", path);
	return 0;
}

/* Behind the daemon's back. */
static void empty(void)
{
	nftw(t.fs.opts.source, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void limits_set(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct rlimit file = { FILE_BYTES_MAX, FILE_BYTES_MAX };
	struct rlimit fds = { NR_FDS_MAX, NR_FDS_MAX };

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &file) || setrlimit(RLIMIT_NOFILE, &fds))
		t_die("limits");
	/* What is no device cannot be opened as one, even by mistake. */
	if (syscall(SYS_capget, &head, caps))
		t_die("capabilities");
	caps[CAP_TO_INDEX(CAP_MKNOD)].permitted &= ~CAP_TO_MASK(CAP_MKNOD);
	caps[CAP_TO_INDEX(CAP_MKNOD)].effective &= ~CAP_TO_MASK(CAP_MKNOD);
	if (syscall(SYS_capset, &head, caps))
		t_die("capabilities");
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void progress(uint64_t count)
{
	static double last;

	if (t.nr_requests % 1024 || now_s() < last + 1)
		return;
	last = now_s();
	fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " ", t.nr_requests, count);
}

int main(int argc, char **argv)
{
	bool tty = isatty(STDERR_FILENO);
	uint64_t count;
	double start;

	if (argc < 3 || argc > 4)
		t_usage("DIR COUNT [SEED]");
	count = t_number(argv[2]);
	t.seed = argc > 3 ? t_number(argv[3]) : (uint64_t)time(NULL);
	t_fuzz_state = t.seed;
	t.fs.opts.source = realpath(argv[1], NULL); /* the working directory changes */
	t.fs.source_fd = -1;
	t.fs.opts.timeout_s = t.seed % 2;
	printf("seed %" PRIu64 "\n", t.seed);
	fflush(stdout);

	failure_init();
	limits_set();
	empty();
	session_open();
	send_init();
	t_known_init();
	open_first();
	start = now_s();
	for (; t.nr_requests < count; t.nr_requests++) {
		if (t.nr_requests % EMPTY_EVERY == 0) {
			empty();
			alarm(HANG_S);
		}
		one_request();
		if (tty)
			progress(count);
	}
	printf("%" PRIu64 " requests, %" PRIu64 " did something, %.0f/s\n", count,
	       t.nr_ok, count / (now_s() - start));
	fuse_session_destroy(t.fs.se);
	phyrfs_table_free(&t.fs);
	phyrfs_source_close(&t.fs);
	empty();
	return 0;
}
