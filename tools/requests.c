// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the daemon of a mount was asked for, for phyr stat.
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>

/* The least bound below which @percent of the calls took, in ns; 0: above all bounds. */
static uint64_t request_percentile(const struct phyr_request *request,
				   unsigned int percent)
{
	uint64_t want = (request->calls * percent + 99) / 100, sum = 0;

	for (unsigned int i = 0; i < PHYR_LATENCIES - 1; i++) {
		sum += request->latency[i];
		if (sum >= want)
			return UINT64_C(1024) << i;
	}
	return 0;
}

/* "< 2.05 us": bounds are powers of two, of 1024 ns. */
static const char *request_bound_text(uint64_t ns, char *buf, size_t size)
{
	static const char *const units[] = { "us", "ms", "s" };
	double time = (double)ns / 1000;
	unsigned int unit = 0;

	if (!ns)
		return "long";
	for (; time >= 1000 && unit < 2; unit++)
		time /= 1000;
	snprintf(buf, size, "< %.3g %s", time, units[unit]);
	return buf;
}

void requests_print(const struct phyr_requests *requests)
{
	uint64_t lookups = requests->found + requests->made;
	char median[32], most[32];

	printf("  %" PRIu64 " opens passed through, %" PRIu64 " through the daemon\n",
	       requests->opens_passed, requests->opens_daemon);
	printf("  %" PRIu64 " inodes known, %" PRIu64 " of them open; %" PRIu64
	       " of %" PRIu64 " lookups found a known one\n",
	       requests->nr_inodes, requests->nr_fds, requests->found, lookups);
	printf("  %-26s %10s calls %9s %9s %9s\n", "requests since the mount", "", "mean",
	       "50 %", "99 %");
	for (unsigned int i = 0; i < requests->nr; i++) {
		const struct phyr_request *request = &requests->request[i];

		if (!request->calls)
			continue;
		printf("    %-24s %10" PRIu64 " calls %6.1f us %9s %9s\n", request->name,
		       request->calls, (double)request->ns / request->calls / 1000,
		       request_bound_text(request_percentile(request, 50), median,
					  sizeof(median)),
		       request_bound_text(request_percentile(request, 99), most,
					  sizeof(most)));
	}
}

struct json_object *requests_json(const struct phyr_requests *requests)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_object();

	json_add_number(object, "opens_passed", requests->opens_passed);
	json_add_number(object, "opens_daemon", requests->opens_daemon);
	json_add_number(object, "inodes", requests->nr_inodes);
	json_add_number(object, "inodes_open", requests->nr_fds);
	json_add_number(object, "inodes_found", requests->found);
	json_add_number(object, "inodes_made", requests->made);
	json_object_object_add(object, "requests", list);
	for (unsigned int i = 0; i < requests->nr; i++) {
		const struct phyr_request *request = &requests->request[i];
		struct json_object *one = json_object_new_object();
		struct json_object *latency = json_object_new_array();

		json_add_number(one, "calls", request->calls);
		json_add_number(one, "ns", request->ns);
		for (unsigned int j = 0; j < PHYR_LATENCIES; j++)
			json_object_array_add(
				latency, json_object_new_uint64(request->latency[j]));
		json_object_object_add(one, "latency", latency);
		json_object_object_add(list, request->name, one);
	}
	return object;
}
