/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the command phyr share. Exit statuses of all subcommands: 0 done,
 * 1 a check said no, 2 an error. Prototypes are grouped by the file that defines them.
 */
#ifndef PHYR_COMMAND_H
#define PHYR_COMMAND_H

#include <getopt.h>
#include <json-c/json.h>
#include <phyr.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,
	EXIT_ERROR = 2,
};

/* A subcommand; run() gets argv with "phyr NAME" in argv[0]. */
struct command {
	const char *name;
	const char *summary;
	const char *usage; /* the whole of "phyr help NAME" below its first line */
	int (*run)(int argc, char **argv);
};

/* list.c, stat.c, verify.c */
extern const struct command list_command;
extern const struct command stat_command;
extern const struct command verify_command;

/* requests.c */
void requests_print(const struct phyr_requests *requests);
struct json_object *requests_json(const struct phyr_requests *requests);

/* say.c: messages for people, JSON for programs. */

/* Writes "phyr NAME: message" to stderr, and returns EXIT_ERROR. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* After getopt_long() has complained: points to the help, and returns EXIT_ERROR. */
int fail_usage(void);

/* The command's help on stdout; returns EXIT_DONE. */
int help(const struct command *command);

/* "256 MiB": at most three digits and one decimal, in static buffers of two turns. */
const char *size_text(uint64_t bytes);

/* Puts the object on stdout, one line, and releases it. */
void json_print(struct json_object *object);

void json_add_text(struct json_object *object, const char *key, const char *text);
void json_add_number(struct json_object *object, const char *key, uint64_t number);
void json_add_bool(struct json_object *object, const char *key, bool value);

extern const char *command_title; /* "phyr NAME" */

#endif /* PHYR_COMMAND_H */
