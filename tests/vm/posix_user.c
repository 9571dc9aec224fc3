// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As whom the calls are made. The saved user id stays root's, so that one process can
 * be each of them in turn: no permission depends on it.
 */
#include <grp.h>
#include <unistd.h>

#include "posix.h"

const struct posix_user posix_users[POSIX_ALL_USERS] = {
	[POSIX_ROOT] = { "root", 0, 0, 0, 6 },
	[POSIX_MAKER] = { "owner", POSIX_OWNER, 3001, 0, 6 },
	[POSIX_MEMBER] = { "member", 1002, POSIX_GROUP, 0, 3 },
	[POSIX_SECOND] = { "second", 1003, 3003, POSIX_GROUP, 3 },
	[POSIX_OTHER] = { "other", 1004, 3004, 0, 0 },
	[POSIX_MAKER_MEMBER] = { "owner, member", POSIX_OWNER, POSIX_GROUP, 0, 6 },
	[POSIX_MAKER_SECOND] = { "owner, second", POSIX_OWNER, 3001, POSIX_GROUP, 6 },
};

void posix_become(int user)
{
	const struct posix_user *to = &posix_users[user];

	MUST(setresuid(0, 0, 0));
	MUST(setgroups(to->group ? 1 : 0, &to->group));
	MUST(setresgid(to->gid, to->gid, to->gid));
	MUST(setresuid(to->uid, to->uid, 0));
}
