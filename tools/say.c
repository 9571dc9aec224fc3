// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How phyr talks: errors, help and sizes for people, JSON for programs.
 */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *command_title = "phyr";

int fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", command_title);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_ERROR;
}

int fail_usage(void)
{
	fprintf(stderr, "Try '%s --help'.\n", command_title);
	return EXIT_ERROR;
}

int help(const struct command *command)
{
	printf("phyr %s: %s\n\n%s", command->name, command->summary, command->usage);
	return EXIT_DONE;
}

const char *size_text(uint64_t bytes)
{
	static const char *const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	static char texts[2][24];
	static unsigned int turn;
	char *text = texts[turn++ % 2];
	uint64_t tenths;
	size_t unit = 0;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * (unit + 1)))
		unit++;
	tenths = (bytes >> (10 * unit)) * 10;
	if (unit)
		tenths += ((bytes >> (10 * (unit - 1))) & 1023) * 10 / 1024;
	if (tenths % 10 && tenths < 1000)
		snprintf(text, sizeof(texts[0]), "%" PRIu64 ".%" PRIu64 " %s",
			 tenths / 10, tenths % 10, units[unit]);
	else
		snprintf(text, sizeof(texts[0]), "%" PRIu64 " %s", tenths / 10,
			 units[unit]);
	return text;
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void json_add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_module(struct json_object *object, const char *key, int open_error)
{
	switch (open_error) {
	case 0:
		json_add_bool(object, key, true);
		break;
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		json_add_bool(object, key, false);
		break;
	default:
		json_add_text(object, key, NULL);
	}
}
