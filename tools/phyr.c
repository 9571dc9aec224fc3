// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr: what can be direct, what was, and whether the right bytes arrived. This file
 * is the table of subcommands; each has a file of its own.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
	&list_command,
	&stat_command,
	&verify_command,
	&version_command,
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	return fail("there is no command '%s'; 'phyr --help' lists them", name);
}

static int help_all(FILE *out)
{
	fputs("Direct I/O between NVMe disks and device memory.\n\n"
	      "Usage: phyr COMMAND [OPTIONS]\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "  phyr help COMMAND   more about a command\n\n"
	      "The exit status is 0 when done, 1 when a check said no, 2 on an error.\n"
	      "See also phyr(1) and phyrfs(8).\n",
	      out);
	return EXIT_DONE;
}

static int help_one(int argc, char **argv)
{
	const struct command *command;

	if (argc == 2)
		return help_all(stdout);
	command = find_command(argv[2]);
	return command ? help(command) : unknown_command(argv[2]);
}

/* --json may stand before the command, too: then the two change places. */
static void arguments_order(int argc, char **argv)
{
	char *first = argv[1];

	if (argc > 2 && (!strcmp(first, "--json") || !strcmp(first, "-j"))) {
		argv[1] = argv[2];
		argv[2] = first;
	}
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;
	static char title[64];
	const char *name;

	if (argc < 2) {
		help_all(stderr);
		return EXIT_ERROR;
	}
	arguments_order(argc, argv);
	name = argv[1];
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help_one(argc, argv);
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = version_command.name;
	command = find_command(name);
	if (!command)
		return unknown_command(name);
	snprintf(title, sizeof(title), "phyr %s", command->name);
	command_title = argv[1] = title;
	return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	/* An answer that nobody got, because of a full disk, is an error. */
	if (fflush(stdout) || ferror(stdout))
		return fail("cannot write the output: %s", strerror(errno));
	return status;
}
