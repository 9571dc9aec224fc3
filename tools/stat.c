// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr stat: the module's counters, of all I/O and of each mount in scope.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A module that is newer than libphyr may count reasons that have no name here. */
static const char *reason_key(unsigned int reason, char *buf, size_t size)
{
	const char *name = phyr_reason_name(reason);

	if (strcmp(name, "unknown"))
		return name;
	snprintf(buf, size, "reason-%u", reason);
	return buf;
}

static struct phyr_counter refused(const struct phyr_counter *counts)
{
	struct phyr_counter sum = { 0 };

	for (int i = 0; i < PHYR_REASONS_MAX; i++) {
		if (i == PHYR_REASON_DIRECT)
			continue;
		sum.calls += counts[i].calls;
		sum.bytes += counts[i].bytes;
	}
	return sum;
}

/* Undoes the octal escapes of mountinfo (\040 is a blank), in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned int value;

		if (text[0] == '\\' && sscanf(text + 1, "%3o", &value) == 1) {
			*to++ = (char)value;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Where the device is mounted, to be freed; NULL when not in this mount namespace. */
static char *mount_path(unsigned int major, unsigned int minor)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *path = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	while (!path && getline(&line, &size, file) >= 0) {
		unsigned int line_major, line_minor;
		int start = 0;

		/* 36 35 98:0 /root /mount/point rw,noatime ... */
		if (sscanf(line, "%*u %*u %u:%u %*s %n", &line_major, &line_minor,
			   &start) < 2 ||
		    !start || line_major != major || line_minor != minor)
			continue;
		path = strndup(line + start, strcspn(line + start, " "));
	}
	free(line);
	fclose(file);
	if (path)
		unescape(path);
	return path;
}

static struct json_object *count_json(const struct phyr_counter *count)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "calls", count->calls);
	json_add_number(object, "bytes", count->bytes);
	return object;
}

static struct json_object *direction_json(const struct phyr_counter *counts,
					  unsigned int nr_reasons)
{
	struct json_object *object = json_object_new_object();
	struct json_object *reasons = json_object_new_object();
	char key[32];

	json_object_object_add(object, "direct", count_json(&counts[PHYR_REASON_DIRECT]));
	json_object_object_add(object, "refused", reasons);
	for (unsigned int i = PHYR_REASON_DIRECT + 1; i < nr_reasons; i++)
		json_object_object_add(reasons, reason_key(i, key, sizeof(key)),
				       count_json(&counts[i]));
	return object;
}

static void counters_json(struct json_object *object,
			  const struct phyr_counters *counters, unsigned int nr_reasons)
{
	const struct phyr_counter *reads = counters->reads, *writes = counters->writes;

	json_object_object_add(object, "read", direction_json(reads, nr_reasons));
	json_object_object_add(object, "write", direction_json(writes, nr_reasons));
	json_object_object_add(object, "zeroed", count_json(&counters->zeroed));
	json_object_object_add(object, "bounced", count_json(&counters->bounced));
	json_add_number(object, "direct_bytes", reads[0].bytes + writes[0].bytes);
	json_add_number(object, "bounced_bytes", counters->bounced.bytes);
	json_add_number(object, "refused_calls",
			refused(reads).calls + refused(writes).calls);
	json_add_number(object, "commands", counters->commands);
	json_add_number(object, "errors", counters->errors);
	json_add_number(object, "revocations", counters->revocations);
}

static void print_count(const char *what, const struct phyr_counter *count)
{
	printf("  %-26s %10" PRIu64 " calls %16" PRIu64 " bytes (%s)\n", what,
	       count->calls, count->bytes, size_text(count->bytes));
}

static void print_refused(const char *direction, const struct phyr_counter *counts)
{
	char key[32], what[64];

	for (unsigned int i = 0; i < PHYR_REASONS_MAX; i++) {
		if (i == PHYR_REASON_DIRECT || !counts[i].calls)
			continue;
		snprintf(what, sizeof(what), "%s %s", direction,
			 reason_key(i, key, sizeof(key)));
		print_count(what, &counts[i]);
		printf("      refused: %s\n", phyr_reason_text(i));
	}
}

static void print_counters(const struct phyr_counters *counters)
{
	print_count("read direct", &counters->reads[PHYR_REASON_DIRECT]);
	print_refused("read", counters->reads);
	print_count("write direct", &counters->writes[PHYR_REASON_DIRECT]);
	print_refused("write", counters->writes);
	print_count("zeroed (holes of files)", &counters->zeroed);
	print_count("bounced (copied)", &counters->bounced);
	printf("  %" PRIu64 " NVMe commands, %" PRIu64 " of them failed; %" PRIu64
	       " mappings revoked\n",
	       counters->commands, counters->errors, counters->revocations);
}

/*
 * Calls @each for the total (index 0) and then for every mount. A mount that goes
 * away meanwhile only makes the list shorter.
 */
static int for_each_counters(struct phyr_dev *dev,
			     void (*each)(void *ctx, unsigned int index,
					  const struct phyr_counters *counters),
			     void *ctx)
{
	struct phyr_counters counters;
	int err;

	for (unsigned int index = 0;; index++) {
		err = phyr_stats(dev, index, &counters);
		if (err == -ENOENT && index)
			return 0;
		if (err)
			return err;
		each(ctx, index, &counters);
	}
}

static int requests_get(const char *path, struct phyr_requests *ret_requests)
{
	int err, fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = phyr_requests(fd, ret_requests);
	close(fd);
	return err;
}

static void each_text(void *ctx, unsigned int index, const struct phyr_counters *counters)
{
	struct phyr_requests requests;
	char *path = NULL;

	if (index) {
		path = mount_path(counters->dev_major, counters->dev_minor);
		printf("\n%s, policy %s\n",
		       path ? path : "(a mount that is not visible here)",
		       phyr_policy_name(counters->policy));
	} else {
		puts("\nAll I/O since the module was loaded");
	}
	print_counters(counters);
	if (path && !requests_get(path, &requests))
		requests_print(&requests);
	free(path);
}

struct json_ctx {
	struct json_object *object, *mounts;
	unsigned int nr_reasons;
};

static void each_json(void *ctx, unsigned int index, const struct phyr_counters *counters)
{
	struct json_object *object = json_object_new_object();
	struct phyr_requests requests;
	struct json_ctx *json = ctx;
	char *path;

	if (index) {
		path = mount_path(counters->dev_major, counters->dev_minor);
		json_add_text(object, "path", path);
		json_add_text(object, "policy", phyr_policy_name(counters->policy));
		json_object_array_add(json->mounts, object);
		if (path && !requests_get(path, &requests))
			json_object_object_add(object, "daemon",
					       requests_json(&requests));
		free(path);
	} else {
		json_object_object_add(json->object, "total", object);
	}
	counters_json(object, counters, json->nr_reasons);
}

static int print_text(struct phyr_dev *dev, const struct phyr_info *info)
{
	printf("The module is loaded, its hook is %s, %u mount%s in scope.\n",
	       info->hooked ? "active"
			    : "NOT active (modprobe phyr_dio): nothing is direct",
	       info->nr_mounts, info->nr_mounts == 1 ? "" : "s");
	return for_each_counters(dev, each_text, NULL);
}

static int print_json(struct phyr_dev *dev, const struct phyr_info *info)
{
	struct json_ctx json = {
		.object = json_object_new_object(),
		.mounts = json_object_new_array(),
		.nr_reasons = info->nr_reasons,
	};
	int err;

	json_add_bool(json.object, "module", true);
	json_add_bool(json.object, "hooked", info->hooked);
	err = for_each_counters(dev, each_json, &json);
	json_object_object_add(json.object, "mounts", json.mounts);
	if (err)
		json_object_put(json.object);
	else
		json_print(json.object);
	return err;
}

/* For programs an absent module is an answer too, though not a good one. */
static void print_absent(void)
{
	struct json_object *object = json_object_new_object();

	json_add_bool(object, "module", false);
	json_add_bool(object, "hooked", false);
	json_print(object);
}

static int stat_print(bool json)
{
	struct phyr_info info;
	struct phyr_dev *dev;
	int err;

	err = phyr_open(&dev);
	if (err) {
		if (json)
			print_absent();
		return fail("no counters: %s", phyr_open_text(err));
	}
	err = phyr_query(dev, &info);
	if (!err)
		err = json ? print_json(dev, &info) : print_text(dev, &info);
	phyr_close(dev);
	if (err)
		return fail("cannot read the counters: %s", phyr_open_text(err));
	return EXIT_DONE;
}

/* One mount: what its daemon says, which needs no module. */
static int mount_print(const char *path, bool json)
{
	struct phyr_requests requests;
	int err;

	err = requests_get(path, &requests);
	if (err == -ENOTTY)
		return fail("%s is not a phyrfs mount", path);
	if (err)
		return fail("%s: %s", path, strerror(-err));
	if (json)
		json_print(requests_json(&requests));
	else
		requests_print(&requests);
	return EXIT_DONE;
}

static int stat_run(int argc, char **argv)
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
			return help(&stat_command);
		default:
			return fail_usage();
		}
	}
	if (optind + 1 < argc) {
		fail("takes one mount, but got '%s', too", argv[optind + 1]);
		return fail_usage();
	}
	return optind < argc ? mount_print(argv[optind], json) : stat_print(json);
}

const struct command stat_command = {
	.name = "stat",
	.summary = "how many bytes went direct, and why others did not",
	.usage =
		"Usage: phyr stat [--json] [MOUNT]\n\n"
		"  -j, --json  one JSON object, with all reasons\n\n"
		"Counts from the loading of the module: of all I/O in scope, and of each\n"
		"phyrfs mount that is there now, with the requests to its daemon and how\n"
		"long they took it. With MOUNT, only what its daemon counts; that needs\n"
		"no module.\n",
	.run = stat_run,
};
