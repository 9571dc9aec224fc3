// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of a process, of an open file, and flock(2), between two processes: rows of a
 * table, each done by this process or by a second one that waits for orders.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

enum who {
	ME,
	OTHER
};
enum what {
	OPEN_RW,
	OPEN_R,
	OPEN_W,
	CLOSE,
	SET,
	GET,
	OFD_SET,
	OFD_GET,
	FLOCK
};

static const char *const what_names[] = {
	"open rw", "open r",  "open w",	 "close", "set",
	"get",	   "ofd set", "ofd get", "flock",
};

#define R F_RDLCK
#define W F_WRLCK
#define U F_UNLCK

/* Descriptors a and b are each process's own. */
struct step {
	enum who who;
	enum what what;
	int fd;
	int type; /* of fcntl, or operation of flock */
	off_t start, length;
};

struct answer {
	int64_t ret;
	int err;
	struct flock lock;
};

static int fds[2];
static pid_t other;
static int line[2]; /* to the other process: this one's end, the other's */

static int do_lock(const struct step *step, int cmd, struct flock *lock)
{
	lock->l_type = step->type;
	lock->l_whence = SEEK_SET;
	lock->l_start = step->start;
	lock->l_len = step->length;
	return fcntl(fds[step->fd], cmd, lock);
}

static int do_open(const struct step *step, int flags)
{
	return fds[step->fd] = open("f", flags);
}

static struct answer do_step(const struct step *step)
{
	struct answer answer = { .ret = -1 };

	errno = 0;
	switch (step->what) {
	case OPEN_RW:
		answer.ret = do_open(step, O_RDWR) < 0 ? -1 : 0;
		break;
	case OPEN_R:
		answer.ret = do_open(step, O_RDONLY) < 0 ? -1 : 0;
		break;
	case OPEN_W:
		answer.ret = do_open(step, O_WRONLY) < 0 ? -1 : 0;
		break;
	case CLOSE:
		answer.ret = close(fds[step->fd]);
		break;
	case SET:
		answer.ret = do_lock(step, F_SETLK, &answer.lock);
		break;
	case GET:
		answer.ret = do_lock(step, F_GETLK, &answer.lock);
		break;
	case OFD_SET:
		answer.ret = do_lock(step, F_OFD_SETLK, &answer.lock);
		break;
	case OFD_GET:
		answer.ret = do_lock(step, F_OFD_GETLK, &answer.lock);
		break;
	case FLOCK:
		answer.ret = flock(fds[step->fd], step->type);
		break;
	}
	answer.err = errno;
	return answer;
}

static void start_other(void)
{
	struct step step;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line));
	fflush(stdout);
	other = MUST(fork());
	if (other) {
		close(line[1]);
		return;
	}
	close(line[0]);
	while (read(line[1], &step, sizeof(step)) == sizeof(step)) {
		struct answer answer = do_step(&step);

		MUST(write(line[1], &answer, sizeof(answer)));
	}
	_exit(0);
}

static void stop_other(void)
{
	close(line[0]);
	MUST(waitpid(other, NULL, 0));
}

static const char *holder(pid_t pid)
{
	if (pid == -1)
		return "an open file";
	return pid == other ? "the other" : pid == getpid() ? "me" : "nobody";
}

static void run(const struct step *step)
{
	struct answer answer;
	char result[32];

	if (step->who == ME) {
		answer = do_step(step);
	} else {
		MUST(write(line[0], step, sizeof(*step)));
		MUST(read(line[0], &answer, sizeof(answer)));
	}
	t_result(answer.ret < 0 ? -answer.err : answer.ret, result);
	posix_say("%s: %s %c %d %lld+%lld = %s", step->who == ME ? "me" : "other",
		  what_names[step->what], "ab"[step->fd], step -> type,
		  (long long)step -> start, (long long)step -> length,
		  answer.ret < 0 ? t_errname(answer.err) : result);
	if ((step->what != GET && step->what != OFD_GET) || answer.ret)
		return;
	if (answer.lock.l_type == F_UNLCK)
		posix_say("free");
	else
		posix_say("held: %d %lld+%lld by %s", answer.lock.l_type,
			  (long long)answer.lock.l_start, (long long)answer.lock.l_len,
			  holder(answer.lock.l_pid));
}

static void run_all(const struct step *steps, size_t nr)
{
	posix_file("f", "0123456789", 0666);
	start_other();
	for (size_t i = 0; i < nr; i++)
		run(&steps[i]);
	stop_other();
}

#define RUN(steps) run_all(steps, t_array_size(steps))

static void process(void)
{
	static const struct step steps[] = {
		{ ME, OPEN_RW, 0 },
		{ ME, OPEN_RW, 1 },
		{ OTHER, OPEN_RW, 0 },
		{ OTHER, OPEN_RW, 1 },
		{ ME, GET, 0, W, 0, 0 },
		{ ME, SET, 0, W, 0, 10 },
		{ ME, SET, 1, W, 5, 10 },
		{ ME, GET, 0, W, 0, 0 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ OTHER, GET, 0, R, 12, 1 },
		{ OTHER, GET, 0, R, 15, 0 },
		{ OTHER, SET, 0, R, 14, 5 },
		{ OTHER, SET, 0, R, 15, 5 },
		{ OTHER, SET, 0, W, 20, 0 },
		{ ME, GET, 0, W, 0, 0 },
		{ ME, GET, 0, R, 0, 0 },
		{ ME, SET, 0, W, 17, 1 },
		{ ME, SET, 0, R, 17, 1 },
		/* splits */
		{ ME, SET, 0, U, 4, 3 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ OTHER, GET, 0, W, 4, 0 },
		{ OTHER, SET, 0, W, 4, 3 },
		{ OTHER, SET, 0, W, 4, 4 },
		{ ME, SET, 0, R, 0, 4 },
		{ OTHER, SET, 0, R, 0, 4 },
		{ OTHER, GET, 0, W, 0, 4 },
		{ ME, SET, 0, W, 2, 1 },
		{ OTHER, SET, 0, U, 0, 0 },
		/* merges */
		{ ME, SET, 0, R, 2, 10 },
		{ ME, SET, 0, R, 12, 30 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ OTHER, GET, 0, W, 16, 0 },
		/* any close of the file ends all locks of the process */
		{ ME, CLOSE, 1 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ OTHER, SET, 0, W, 0, 0 },
		{ ME, GET, 0, R, 100, 1 },
		{ OTHER, CLOSE, 1 },
		{ ME, GET, 0, R, 100, 1 },
		/* odd ranges */
		{ ME, SET, 0, W, 10, -5 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ ME, SET, 0, W, -1, 5 },
		{ ME, SET, 0, W, 3, -5 },
		{ ME, SET, 0, 99, 0, 0 },
		{ ME, SET, 0, W, 1LL << 62, 0 },
		{ OTHER, GET, 0, W, 1LL << 62, 1 },
		{ ME, SET, 0, W, INT64_MAX, 1 },
		{ ME, SET, 0, W, INT64_MAX, 2 },
	};

	RUN(steps);
}

static void modes(void)
{
	static const struct step steps[] = {
		{ ME, OPEN_R, 0 },
		{ ME, OPEN_W, 1 },
		{ ME, SET, 0, R, 0, 1 },
		{ ME, SET, 0, W, 0, 1 },
		{ ME, SET, 1, W, 0, 1 },
		{ ME, SET, 1, R, 0, 1 },
		{ ME, GET, 0, W, 0, 1 },
		{ ME, OFD_SET, 0, W, 5, 1 },
		{ ME, OFD_SET, 1, R, 5, 1 },
		{ ME, OFD_SET, 0, R, 5, 1 },
		{ ME, FLOCK, 0, LOCK_EX | LOCK_NB },
		{ ME, FLOCK, 0, LOCK_UN },
		{ ME, FLOCK, 1, LOCK_SH | LOCK_NB },
		{ ME, FLOCK, 1, LOCK_UN },
		{ ME, FLOCK, 1, 0 },
		{ ME, FLOCK, 1, LOCK_SH | LOCK_EX },
		{ ME, CLOSE, 0 },
		{ ME, SET, 0, R, 0, 1 },
		{ ME, FLOCK, 0, LOCK_SH },
		{ ME, CLOSE, 1 },
	};

	RUN(steps);
}

/* An exit ends what a process holds. */
static void exiting(void)
{
	static const struct step before[] = {
		{ ME, OPEN_RW, 0 },
		{ OTHER, OPEN_RW, 0 },
		{ OTHER, OPEN_RW, 1 },
		{ OTHER, SET, 0, W, 0, 5 },
		{ OTHER, OFD_SET, 1, W, 5, 5 },
		{ OTHER, FLOCK, 1, LOCK_EX | LOCK_NB },
		{ ME, GET, 0, W, 0, 0 },
		{ ME, GET, 0, W, 5, 0 },
		{ ME, FLOCK, 0, LOCK_SH | LOCK_NB },
	};
	static const struct step after[] = {
		{ ME, GET, 0, W, 0, 0 },
		{ ME, OFD_GET, 0, W, 5, 0 },
		{ ME, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ ME, CLOSE, 0 },
	};

	RUN(before);
	for (size_t i = 0; i < t_array_size(after); i++)
		run(&after[i]);
}

static void open_file(void)
{
	static const struct step steps[] = {
		{ ME, OPEN_RW, 0 },
		{ ME, OPEN_RW, 1 },
		{ OTHER, OPEN_RW, 0 },
		{ ME, OFD_SET, 0, W, 0, 10 },
		{ ME, OFD_SET, 0, W, 0, 10 },
		{ ME, OFD_SET, 1, W, 0, 10 },
		{ ME, OFD_SET, 1, R, 9, 1 },
		{ ME, OFD_SET, 1, R, 10, 1 },
		{ ME, OFD_GET, 1, W, 0, 0 },
		{ ME, OFD_GET, 0, W, 0, 0 },
		{ ME, SET, 1, W, 0, 1 },
		{ ME, GET, 1, W, 0, 1 },
		{ OTHER, OFD_GET, 0, W, 0, 0 },
		{ OTHER, GET, 0, W, 0, 0 },
		{ OTHER, SET, 0, R, 20, 5 },
		{ ME, OFD_SET, 0, W, 22, 1 },
		{ ME, OFD_GET, 0, W, 22, 1 },
		{ ME, OFD_SET, 0, U, 3, 3 },
		{ OTHER, OFD_SET, 0, W, 3, 3 },
		{ OTHER, OFD_SET, 0, W, 3, 4 },
		{ ME, CLOSE, 1 },
		{ OTHER, OFD_GET, 0, W, 0, 0 },
		{ ME, CLOSE, 0 },
		{ OTHER, OFD_SET, 0, W, 0, 0 },
	};

	RUN(steps);
}

static void whole_file(void)
{
	static const struct step steps[] = {
		{ ME, OPEN_RW, 0 },
		{ ME, OPEN_R, 1 },
		{ OTHER, OPEN_R, 0 },
		{ ME, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ ME, FLOCK, 1, LOCK_SH | LOCK_NB },
		{ OTHER, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ ME, FLOCK, 0, LOCK_EX | LOCK_NB },
		{ ME, FLOCK, 1, LOCK_UN },
		{ OTHER, FLOCK, 0, LOCK_UN },
		{ ME, FLOCK, 0, LOCK_EX | LOCK_NB },
		{ OTHER, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ ME, FLOCK, 1, LOCK_EX | LOCK_NB },
		/* neither sees the other kind */
		{ OTHER, SET, 0, R, 0, 0 },
		{ ME, GET, 0, W, 0, 0 },
		{ ME, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ OTHER, FLOCK, 0, LOCK_SH | LOCK_NB },
		{ ME, CLOSE, 0 },
		{ OTHER, FLOCK, 0, LOCK_EX | LOCK_NB },
		{ ME, FLOCK, 1, LOCK_SH | LOCK_NB },
		{ ME, CLOSE, 1 },
		{ OTHER, FLOCK, 0, 77 },
		{ OTHER, CLOSE, 0 },
	};

	RUN(steps);
}

static void on_alarm(int sig)
{
}

/* Who waits for a lock can be woken by a signal; a repeated one, as it may come early. */
static void waiting(void)
{
	struct itimerval soon = { { 0, 50000 }, { 0, 50000 } }, never = { 0 };
	static const struct step hold[] = {
		{ OTHER, OPEN_RW, 0 },
		{ OTHER, SET, 0, W, 0, 5 },
		{ OTHER, FLOCK, 0, LOCK_EX },
	};
	struct flock lock = { .l_type = W, .l_whence = SEEK_SET, .l_len = 1 };
	int fd;

	posix_file("f", "", 0644);
	start_other();
	for (size_t i = 0; i < t_array_size(hold); i++)
		run(&hold[i]);
	fd = MUST(open("f", O_RDWR));
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	CALL(fcntl(fd, F_SETLKW, &lock));
	lock.l_start = 4;
	CALL(fcntl(fd, F_OFD_SETLKW, &lock));
	CALL(flock(fd, LOCK_SH));
	setitimer(ITIMER_REAL, &never, NULL);
	lock.l_start = 5;
	CALL(fcntl(fd, F_SETLKW, &lock));
	stop_other();
	CALL(flock(fd, LOCK_SH));
	close(fd);
}

/* Locks of files without a name, of directories, and of what was inherited. */
static void odd(void)
{
	struct flock lock = {
		.l_type = R, .l_whence = SEEK_END, .l_start = -3, .l_len = 1
	};
	int fd, copy, dir, dir2;

	posix_file("f", "0123456789", 0666);
	fd = MUST(open("f", O_RDWR));
	copy = MUST(dup(fd));
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_start = -11;
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_whence = 7;
	CALL(fcntl(fd, F_SETLK, &lock));
	CALL(fcntl(fd, F_SETLK, (void *)8));
	lock = (struct flock){ .l_type = W, .l_pid = 5 };
	CALL(fcntl(fd, F_OFD_SETLK, &lock));
	CALL(unlink("f"));
	lock = (struct flock){ .l_type = W, .l_start = 50, .l_len = 5 };
	CALL(fcntl(fd, F_SETLK, &lock));
	CALL(flock(fd, LOCK_EX | LOCK_NB));
	CALL(flock(copy, LOCK_EX | LOCK_NB));
	CALL(flock(copy, LOCK_UN));
	MUST(mkdir("d", 0755));
	dir = MUST(open("d", O_RDONLY));
	dir2 = MUST(open("d", O_RDONLY));
	CALL(flock(dir, LOCK_EX | LOCK_NB));
	CALL(flock(dir2, LOCK_EX | LOCK_NB));
	CALL(flock(dir2, LOCK_SH | LOCK_NB));
	lock.l_type = R;
	CALL(fcntl(dir, F_SETLK, &lock));
	lock.l_type = W;
	CALL(fcntl(dir, F_SETLK, &lock));
	close(dir);
	CALL(flock(dir2, LOCK_EX | LOCK_NB));
	close(dir2);
	close(copy);
	close(fd);
}

const struct posix_script posix_lock[] = {
	{ "process", process },	 { "modes", modes },
	{ "exit", exiting },	 { "open file", open_file },
	{ "flock", whole_file }, { "wait", waiting },
	{ "odd", odd },		 { NULL, NULL },
};
