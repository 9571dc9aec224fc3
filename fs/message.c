// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the daemon says to people: to those who start it, and to the system's log after
 * that, if they do not wait (keeper.c).
 */
#include "phyrfs.h"

#include <ctype.h>
#include <fuse_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define RARELY_S 60

static atomic_int message_fd = STDERR_FILENO;
static bool message_syslog;

static void message_write(const char *line)
{
	if (message_syslog)
		syslog(LOG_WARNING, "%s", line);
	else if (message_fd == STDERR_FILENO)
		fprintf(stderr, "phyrfs: %s\n", line);
	else if (write(message_fd, line, strlen(line)) < 0)
		return; /* nobody has read for long, or ever will */
}

void phyrfs_message(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Names of files may hold what would look like another line. */
	for (char *c = line; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	message_write(line);
}

void phyrfs_message_to_fd(int fd)
{
	message_fd = fd;
}

void phyrfs_message_to_syslog(void)
{
	openlog("phyrfs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	message_syslog = true;
}

void phyrfs_message_leave_std(int null_fd)
{
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	dup2(null_fd, STDERR_FILENO);
}

bool phyrfs_message_due(atomic_llong *next_s)
{
	struct timespec now;
	long long next = *next_s;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= next &&
	       atomic_compare_exchange_strong(next_s, &next, now.tv_sec + RARELY_S);
}

/* What libfuse has to say goes to stderr as it comes, and rarely to the log. */
static void message_fuse(enum fuse_log_level level, const char *format, va_list args)
{
	static atomic_llong next_s;
	char line[1024];

	if (!message_syslog && message_fd == STDERR_FILENO) {
		vfprintf(stderr, format, args);
	} else if (phyrfs_message_due(&next_s)) {
		vsnprintf(line, sizeof(line), format, args);
		line[strcspn(line, "\n")] = '\0';
		message_write(line);
	}
}

void phyrfs_message_init(void)
{
	fuse_set_log_func(message_fuse);
}
