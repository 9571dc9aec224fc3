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

struct libmnt_table;

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

/* list.c, stat.c, verify.c, version.c */
extern const struct command list_command;
extern const struct command stat_command;
extern const struct command verify_command;
extern const struct command version_command;

/* bar.c */

/* 0 if the file of the BAR, which has one, can be mapped, else -errno. */
int bar_map_error(const struct phyr_bar *bar);

/* Why @path could not be mapped, and what to do. */
const char *bar_map_text(const char *path, int error);

/* That a BAR is switched off, and how to switch it on. */
const char *bar_off_text(const struct phyr_bar *bar, char *buf, size_t size);

/* daemon.c */

/*
 * Asks the daemon of the mount at @path, and gives up after some seconds (-ETIMEDOUT).
 * *@ret_dev is what the mount has as st_dev. Errors as of phyr_requests() and open(2).
 */
int daemon_ask(const char *path, dev_t *ret_dev, struct phyr_requests *ret_requests);

/* What an error of daemon_ask() means, and what to do. */
const char *daemon_error_text(int error);

/* mounts.c. Without a table, NULL, nothing is mounted. */
struct libmnt_table *mounts_read(void);
void mounts_free(struct libmnt_table *mounts);

/* Where the filesystem is mounted, as long as the table is there; NULL: nowhere here. */
const char *mounts_path(struct libmnt_table *mounts, dev_t dev);

/* The filesystems that are on the disk or its partitions. */
void mounts_print(struct libmnt_table *mounts, const struct phyr_disk *disk);
struct json_object *mounts_json(struct libmnt_table *mounts,
				const struct phyr_disk *disk);

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

/* What an error of phyr_open() says of the module: true, false, or null for unknown. */
void json_add_module(struct json_object *object, const char *key, int open_error);

extern const char *command_title; /* "phyr NAME" */

#endif /* PHYR_COMMAND_H */
