/* serve.c - runs slots through a ring: first those of --slot, then the lines of --json.
 *
 * In: requests; out: one report each, in the order in which they were given. Up to WINDOW slots are in flight, so that
 * a long input keeps every worker busy without being held in memory. A line that is no slot is reported with its number
 * and the rest goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

enum { WINDOW = 256 };

struct flight {
	struct request request;
	vyre_ticket ticket;
};

struct server {
	struct context *run;
	struct vyre_ring *ring;
	struct vyre_publisher *publishers[VYRE_TENANT_MASKS];
	struct flight flights[WINDOW]; /* a queue */
	uint32_t head, count;
	uint64_t number;
	bool late; /* a slot did not end in time: nothing is waited for any more */
};

static bool say(struct server *server, const char *where, const char *message)
{
	fprintf(stderr, "vyre-run: %s: %s\n", where, message);
	server->run->failed = true;
	return false;
}

/* Waits for the oldest slot and reports it. */
static void land(struct server *server)
{
	struct flight *flight = &server->flights[server->head];
	struct vyre_result result = {0};
	uint64_t timeout_ns = server->late ? 0 : server->run->options->timeout_ns;
	vyre_status status = vyre_wait(server->ring, flight->ticket, timeout_ns, &result);
	server->late |= status == VYRE_TIMEOUT;
	report_result(server->run, &flight->request, status, &result);
	server->head = (server->head + 1) % WINDOW;
	server->count--;
}

static bool launch(struct server *server, const struct request *request, const char *where)
{
	struct vyre_publisher **publisher = &server->publishers[request->tenant];
	if (server->count == WINDOW)
		land(server);
	struct flight *flight = &server->flights[(server->head + server->count) % WINDOW];
	flight->request = *request;
	flight->request.number = server->number;
	if (!*publisher && vyre_publisher_create(server->ring, request->tenant, publisher) != VYRE_OK)
		return say(server, where, vyre_last_error());
	if (vyre_publish(*publisher, &flight->request.slot, 1, VYRE_PUBLISH_WAIT, server->run->options->timeout_ns,
			 &flight->ticket) != VYRE_OK)
		return say(server, where, vyre_last_error());
	server->count++;
	server->number++;
	return true;
}

static void serve_lines(struct server *server, FILE *in, const char *name)
{
	char *line = NULL, where[128], message[MESSAGE_BYTES];
	size_t size = 0;
	ssize_t n;
	for (unsigned long long i = 1; (n = getline(&line, &size, in)) >= 0; i++) {
		struct request request;
		snprintf(where, sizeof where, "%.80s:%llu", name, i);
		if (strspn(line, " \t\r\n") == (size_t)n) /* an empty line */
			continue;
		if (slot_parse_json(server->run, line, (size_t)n, &request, message))
			launch(server, &request, where);
		else
			say(server, where, message);
	}
	if (ferror(in))
		say(server, name, strerror(errno));
	free(line);
}

static void serve_json(struct server *server, const char *path)
{
	if (!strcmp(path, "-")) {
		serve_lines(server, stdin, "standard input");
		return;
	}
	FILE *in = fopen(path, "r");
	if (!in) {
		say(server, path, strerror(errno));
		return;
	}
	serve_lines(server, in, path);
	fclose(in);
}

bool serve(struct context *s)
{
	const struct options *o = s->options;
	struct vyre_ring_params params = {.kernel = s->kernel, .workers = o->workers, .tenants = VYRE_TENANT_MASKS};
	struct server *server = calloc(1, sizeof *server);
	char message[MESSAGE_BYTES];
	if (!server)
		return false;
	server->run = s;
	if (vyre_ring_create(&params, &server->ring) != VYRE_OK) {
		say(server, o->blob, vyre_last_error());
		free(server);
		return false;
	}
	for (uint32_t i = 0; i < o->slot_count; i++) {
		struct request request;
		if (slot_parse(s, o->slots[i], &request, message))
			launch(server, &request, o->slots[i]);
		else
			say(server, o->slots[i], message);
	}
	if (o->json)
		serve_json(server, o->json);
	while (server->count)
		land(server);
	report_logs(s, server->ring);
	for (uint32_t i = 0; i < VYRE_TENANT_MASKS; i++)
		vyre_publisher_destroy(server->publishers[i]);
	if (!server->late) /* a handler that does not return would keep us here: the end of the process ends it */
		vyre_ring_destroy(server->ring);
	free(server);
	return true;
}
