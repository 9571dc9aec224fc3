// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server beside its keeper, which is told here when the mount is ready, what goes
 * wrong from then on, and that the server ends because it was asked to. keeper.c tells
 * what becomes of that. Without a keeper (--check) nothing is told.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct {
	int keeper_fd;
	int null_fd;
} server = { -1, -1 };

static void server_say(char what)
{
	if (server.keeper_fd >= 0 && write(server.keeper_fd, &what, 1) != 1)
		phyrfs_message("the process that waits for this one: %s",
			       strerror(errno));
}

/*
 * End with the keeper, which has the only other end of this pipe. Not by
 * PR_SET_PDEATHSIG, which a thread loses when it takes on other ids.
 */
static int server_bind(int fd)
{
	char byte;

	if (fcntl(fd, F_SETOWN, getpid()) || fcntl(fd, F_SETSIG, SIGKILL) ||
	    fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK))
		return -errno;
	/* It may have ended before. */
	return read(fd, &byte, 1) ? 0 : -EPIPE;
}

int phyrfs_server_init(int keeper_fd, int life_fd)
{
	server.keeper_fd = keeper_fd;
	server.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return server.null_fd < 0 ? -errno : server_bind(life_fd);
}

void phyrfs_server_ready(struct phyrfs *fs)
{
	if (!fs->opts.foreground) {
		setsid();
		phyrfs_message_to_fd(server.keeper_fd);
		phyrfs_message_leave_std(server.null_fd);
	}
	server_say(PHYRFS_SAYS_READY);
}

void phyrfs_server_ends(void)
{
	server_say(PHYRFS_SAYS_ENDS);
}
