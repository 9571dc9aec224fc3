// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr version: of this program, and of the modules that are loaded.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const modules[] = { "phyr", "phyr_dio" };

/* "0.1.0"; "" for a module that is loaded and does not tell; NULL for one that is not. */
static const char *version_of(const char *module, char *buf, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	if (access(path, F_OK))
		return NULL;
	strncat(path, "/version", sizeof(path) - strlen(path) - 1);
	file = fopen(path, "re");
	if (!file || !fgets(buf, (int)size, file))
		buf[0] = '\0';
	if (file)
		fclose(file);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static void version_print(void)
{
	char buf[64];

	printf("phyr %s\n", PHYR_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		const char *version = version_of(modules[i], buf, sizeof(buf));

		printf("%s.ko %s\n", modules[i],
		       !version	  ? "is not loaded"
		       : *version ? version
				  : "is loaded, and does not tell its version");
	}
}

static void version_json(void)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_object();
	char buf[64];

	json_add_text(object, "version", PHYR_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		json_add_text(list, modules[i], version_of(modules[i], buf, sizeof(buf)));
	json_object_object_add(object, "modules", list);
	json_print(object);
}

static int version_run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'h':
			return help(&version_command);
		default:
			return fail_usage();
		}
	}
	if (optind < argc) {
		fail("takes no argument, but got '%s'", argv[optind]);
		return fail_usage();
	}
	if (json)
		version_json();
	else
		version_print();
	return EXIT_DONE;
}

const struct command version_command = {
	.name = "version",
	.summary = "the versions of this program and of the loaded modules",
	.usage = "Usage: phyr version [--json]\n\n"
		 "  -j, --json  one JSON object\n",
	.run = version_run,
};
