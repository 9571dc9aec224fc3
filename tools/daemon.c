// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asking the daemon of a mount, which may hang. A call that waits for a daemon can not
 * always be ended, not even by SIGKILL; so another process makes it.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Far more than a daemon takes that is not stuck. */
#define ANSWER_SECONDS 5

/* What the process that asks tells the one that waits. */
struct answer {
	int error;
	dev_t dev;
	struct phyr_requests requests;
};

static void answer_get(const char *path, struct answer *answer)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		answer->error = -errno;
		return;
	}
	answer->dev = st.st_dev;
	answer->error = phyr_requests(fd, &answer->requests);
}

/* The process that asks holds nothing that anybody would wait for if it got stuck. */
static pid_t answer_fork(const char *path, int out)
{
	struct answer answer = { 0 };
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	if (dup2(out, STDIN_FILENO) < 0 || close_range(STDIN_FILENO + 1, ~0U, 0))
		_exit(EXIT_ERROR);
	answer_get(path, &answer);
	if (write(STDIN_FILENO, &answer, sizeof(answer)) < 0)
		_exit(EXIT_ERROR);
	_exit(EXIT_DONE);
}

static int64_t answer_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int answer_wait(int in, struct answer *answer)
{
	int64_t end = answer_now_ms() + ANSWER_SECONDS * 1000, left;
	struct pollfd fd = { .fd = in, .events = POLLIN };
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(*answer)) {
		left = end - answer_now_ms();
		n = poll(&fd, 1, left > 0 ? (int)left : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ETIMEDOUT;
		n = read(in, (char *)answer + got, sizeof(*answer) - got);
		if (n <= 0)
			return n ? -errno : -EIO;
		got += (size_t)n;
	}
	return answer->error;
}

int daemon_ask(const char *path, dev_t *ret_dev, struct phyr_requests *ret_requests)
{
	struct answer answer;
	int err, fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = answer_fork(path, fds[1]);
	close(fds[1]);
	err = pid < 0 ? pid : answer_wait(fds[0], &answer);
	close(fds[0]);
	if (pid > 0)
		kill(pid, SIGKILL); /* and not waited for: it may be stuck */
	if (err)
		return err;
	*ret_dev = answer.dev;
	*ret_requests = answer.requests;
	return 0;
}

const char *daemon_error_text(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return "its daemon does not answer: it hangs, is stopped, or waits for the "
		       "source";
	case -ENOTCONN:
		return "its daemon has ended; unmount it, and mount it again";
	case -EPROTO:
		return "its daemon and phyr are of different versions; unmount it, and mount "
		       "it again with the phyrfs that is installed now";
	case -ENOTTY:
		return "not a phyrfs mount";
	case -EXDEV:
		return "another filesystem is mounted over it";
	default:
		return strerror(-error);
	}
}
