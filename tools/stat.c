// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyr stat: the module's counters, of all I/O and of each mount in scope.
 */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A module that is newer than libphyr may count reasons that have no name here. */
static const char *reason_key(unsigned int reason, char *buf, size_t size)
{
	const char *name = phyr_reason_name(reason);

	if (strcmp(name, "unknown"))
		return name;
	snprintf(buf, size, "reason-%u", reason);
	return buf;
}

static struct phyr_counter counters_refused(const struct phyr_counter *counts)
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
			counters_refused(reads).calls + counters_refused(writes).calls);
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

/* The counters of all I/O [0], and of each mount that is in scope. */
struct snapshot {
	struct phyr_info info;
	struct phyr_counters *counters;
	unsigned int nr;
};

/* A mount that goes away meanwhile only makes the list shorter. */
static int snapshot_take(struct phyr_dev *dev, struct snapshot *snapshot)
{
	struct phyr_counters *counters;
	int err;

	err = phyr_query(dev, &snapshot->info);
	while (!err) {
		counters = reallocarray(snapshot->counters, snapshot->nr + 1,
					sizeof(*counters));
		if (!counters)
			return -ENOMEM;
		snapshot->counters = counters;
		err = phyr_stats(dev, snapshot->nr, &counters[snapshot->nr]);
		if (!err)
			snapshot->nr++;
	}
	return err == -ENOENT && snapshot->nr ? 0 : err;
}

static int snapshot_get(struct snapshot *snapshot)
{
	struct phyr_dev *dev;
	int err;

	err = phyr_open(&dev);
	if (err)
		return err;
	err = snapshot_take(dev, snapshot);
	phyr_close(dev);
	return err;
}

/* A mount. What is not known of it is NULL, and the error says why. */
struct mount {
	const char *path;
	const struct phyr_counters *counters;
	int counters_error; /* of phyr_open() or phyr_stats(); 0: it is not in scope */
	const struct phyr_requests *requests;
	int requests_error; /* of daemon_ask() */
};

static const char *mount_counters_text(const struct mount *mount)
{
	if (mount->counters)
		return NULL;
	return mount->counters_error
		       ? phyr_open_text(mount->counters_error)
		       : "the module does not serve this mount; unmount it, "
			 "and mount it again";
}

static void mount_print(const struct mount *mount)
{
	printf("%s, policy %s, since it was mounted\n",
	       mount->path ? mount->path : "(a mount that is not visible here)",
	       mount->counters ? phyr_policy_name(mount->counters->policy) : "unknown");
	if (mount->counters)
		print_counters(mount->counters);
	else
		printf("  bytes unknown: %s\n", mount_counters_text(mount));
	if (mount->requests)
		requests_print(mount->requests);
	else if (mount->path)
		printf("  requests unknown: %s\n",
		       daemon_error_text(mount->requests_error));
}

static struct json_object *mount_json(const struct mount *mount, unsigned int nr_reasons)
{
	const struct phyr_counters *counters = mount->counters;
	struct json_object *object = json_object_new_object();

	json_add_text(object, "path", mount->path);
	json_add_text(object, "policy",
		      counters ? phyr_policy_name(counters->policy) : NULL);
	if (counters)
		counters_json(object, counters, nr_reasons);
	json_add_text(object, "module_text", mount_counters_text(mount));
	json_object_object_add(object, "daemon",
			       mount->requests ? requests_json(mount->requests) : NULL);
	json_add_text(object, "daemon_text",
		      mount->requests || !mount->path
			      ? NULL
			      : daemon_error_text(mount->requests_error));
	return object;
}

/* The mount in scope that has these counters; fills @requests if it can. */
static struct mount mount_in_scope(struct libmnt_table *mounts,
				   const struct phyr_counters *counters,
				   struct phyr_requests *requests)
{
	dev_t dev = makedev(counters->dev_major, counters->dev_minor), found;
	struct mount mount = {
		.path = mounts_path(mounts, dev),
		.counters = counters,
	};

	if (!mount.path)
		return mount;
	mount.requests_error = daemon_ask(mount.path, &found, requests);
	/* of two mounts at one place, only the upper one can be asked */
	if (!mount.requests_error && found != dev)
		mount.requests_error = -EXDEV;
	if (!mount.requests_error)
		mount.requests = requests;
	return mount;
}

static void snapshot_print(const struct snapshot *snapshot, struct libmnt_table *mounts)
{
	const struct phyr_info *info = &snapshot->info;
	struct phyr_requests requests;
	struct mount mount;

	printf("The module is loaded, its hook is %s, %u mount%s in scope.\n",
	       info->hooked ? "active"
			    : "NOT active (modprobe phyr_dio): nothing is direct",
	       snapshot->nr - 1, snapshot->nr == 2 ? "" : "s");
	puts("\nAll I/O below phyrfs mounts, since the module was loaded");
	print_counters(&snapshot->counters[0]);
	for (unsigned int i = 1; i < snapshot->nr; i++) {
		mount = mount_in_scope(mounts, &snapshot->counters[i], &requests);
		puts("");
		mount_print(&mount);
	}
}

static void snapshot_json(const struct snapshot *snapshot, struct libmnt_table *mounts)
{
	struct json_object *object = json_object_new_object();
	struct json_object *total = json_object_new_object();
	struct json_object *list = json_object_new_array();
	unsigned int nr_reasons = snapshot->info.nr_reasons;
	struct phyr_requests requests;
	struct mount mount;

	json_add_bool(object, "module", true);
	json_add_text(object, "text", phyr_open_text(0));
	json_add_bool(object, "hooked", snapshot->info.hooked);
	counters_json(total, &snapshot->counters[0], nr_reasons);
	json_object_object_add(object, "total", total);
	for (unsigned int i = 1; i < snapshot->nr; i++) {
		mount = mount_in_scope(mounts, &snapshot->counters[i], &requests);
		json_object_array_add(list, mount_json(&mount, nr_reasons));
	}
	json_object_object_add(object, "mounts", list);
	json_print(object);
}

/* For programs an absent module is an answer too, though not a good one. */
static void snapshot_none_json(int error)
{
	struct json_object *object = json_object_new_object();

	json_add_module(object, "module", error);
	json_add_text(object, "text", phyr_open_text(error));
	json_add_module(object, "hooked", error);
	json_print(object);
}

static int stat_all(bool json)
{
	struct snapshot snapshot = { 0 };
	struct libmnt_table *mounts;
	int err;

	err = snapshot_get(&snapshot);
	if (err) {
		if (json)
			snapshot_none_json(err);
		free(snapshot.counters);
		return fail("no counters: %s", phyr_open_text(err));
	}
	mounts = mounts_read();
	if (json)
		snapshot_json(&snapshot, mounts);
	else
		snapshot_print(&snapshot, mounts);
	mounts_free(mounts);
	free(snapshot.counters);
	return EXIT_DONE;
}

/* One mount; what its daemon says needs no module. */
static int stat_mount(const char *path, bool json)
{
	struct snapshot snapshot = { 0 };
	struct phyr_requests requests;
	struct mount mount = { .path = path, .requests = &requests };
	dev_t dev;
	int err;

	err = daemon_ask(path, &dev, &requests);
	if (err)
		return fail("%s: %s", path, daemon_error_text(err));
	mount.counters_error = snapshot_get(&snapshot);
	for (unsigned int i = 1; !mount.counters_error && i < snapshot.nr; i++)
		if (snapshot.counters[i].dev_major == major(dev) &&
		    snapshot.counters[i].dev_minor == minor(dev))
			mount.counters = &snapshot.counters[i];
	if (json)
		json_print(mount_json(&mount, snapshot.info.nr_reasons));
	else
		mount_print(&mount);
	free(snapshot.counters);
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
	return optind < argc ? stat_mount(argv[optind], json) : stat_all(json);
}

const struct command stat_command = {
	.name = "stat",
	.summary = "how many bytes went direct, and why others did not",
	.usage =
		"Usage: phyr stat [--json] [MOUNT]\n\n"
		"  -j, --json  one JSON object, with all reasons\n\n"
		"Counts of all I/O below phyrfs mounts since the module was loaded, and of\n"
		"each phyrfs mount that is there now since it was mounted, with the requests\n"
		"to its daemon and how long they took it. With MOUNT, only of that one; the\n"
		"requests need no module.\n",
	.run = stat_run,
};
