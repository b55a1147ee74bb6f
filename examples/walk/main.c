/* main.c - walk-demo: visits a random graph from one slot, with walk.vyre, and checks every node on the host.
 *
 *   walk-demo walk.vyb [--device cpu] [--nodes N] [--room N] [--seed N]
 *
 * In go a blob that vyrec compiled and the size of a graph to make up; out come the nodes that can be reached from node
 * 0, what slots it took, and the rate. One slot is published, and one is waited for: all others are the handlers' own,
 * spawned and retired without the host. --room is how many of them there may be at a time.
 *
 *   make        a graph as two arrays: where the edges of each node start, and where each edge leads
 *   open        blob, device, five buffers, the kernel with the buffers bound by name, a ring with room for `room`
 *   walk        publish, wait, read the bit of every node back
 *   verify      the same nodes again with a plain queue on the host; a difference is exit 1
 *
 * Every error ends the process here, in `check`: a product would clean up, in any order that it likes.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vyre.h"

enum { MOST_EDGES = 16 /* of a node, 8 on average */ };
#define SECOND UINT64_C(1000000000)

struct graph {
	uint32_t nodes, *first, *edges; /* the edges of node i: edges[first[i]] .. edges[first[i + 1] - 1] */
};

/* What the program says of the walk, and the host after it. */
struct reached {
	uint32_t *seen; /* one bit a node */
	uint32_t count;
	double seconds;
};

struct walk {
	const char *blob_path, *driver;
	uint64_t seed;
	uint32_t room;

	struct graph graph;
	uint32_t seen_words;
	struct reached found, host;
	uint32_t visits,
	    put_off; /* slots that visited; nodes for which there was no room at first, node 0 among them */

	struct vyre_blob *blob;
	struct vyre_device *device;
	vyre_buffer first, edges, seen, later, counts;
	struct vyre_kernel *kernel;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "walk-demo: %s: %s\n", what, why);
	exit(1);
}

static void check(vyre_status status, const char *what)
{
	if (status != VYRE_OK)
		die(what, vyre_last_error());
}

static void *zeros(uint64_t count)
{
	void *memory = calloc(count, sizeof(uint32_t));

	if (!memory)
		die("the graph", "no memory. Fix: give fewer nodes.");
	return memory;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- make ---------------------------------------------------------------------------------------------------------- */

/* splitmix64, so that a seed names one graph everywhere */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Each node has 0 to 16 edges to anywhere: about one in seventeen leads nowhere, and a few cannot be reached. */
static void make_graph(struct graph *g, uint64_t seed)
{
	g->first = zeros((uint64_t)g->nodes + 1);
	for (uint32_t i = 0; i < g->nodes; i++)
		g->first[i + 1] = g->first[i] + (uint32_t)(next_random(&seed) % (MOST_EDGES + 1));
	if (g->first[1] == 0) /* node 0 leads somewhere */
		for (uint32_t i = 1; i <= g->nodes; i++)
			g->first[i]++;
	g->edges = zeros((uint64_t)g->first[g->nodes] + 1);
	for (uint32_t e = 0; e < g->first[g->nodes]; e++)
		g->edges[e] = (uint32_t)(next_random(&seed) % g->nodes);
}

/* ---- open ---------------------------------------------------------------------------------------------------------- */

static void make_buffer(const struct walk *w, uint64_t words, const uint32_t *content, vyre_buffer *out)
{
	check(vyre_buffer_create(w->device, words * sizeof(uint32_t), out), "making a buffer");
	if (content)
		check(vyre_buffer_write(w->device, *out, 0, content, words * sizeof(uint32_t)), "writing the graph");
}

static void open_device(struct walk *w)
{
	const struct graph *g = &w->graph;

	check(vyre_blob_open_file(w->blob_path, &w->blob), "opening the blob");
	check(vyre_device_open(w->driver, &w->device), "opening the device");
	make_buffer(w, (uint64_t)g->nodes + 1, g->first, &w->first);
	make_buffer(w, (uint64_t)g->first[g->nodes] + 1, g->edges, &w->edges);
	make_buffer(w, w->seen_words, NULL, &w->seen);
	make_buffer(w, g->nodes, NULL, &w->later);
	make_buffer(w, 2, NULL, &w->counts);

	struct vyre_binding bindings[] = {
	    {"first", w->first}, {"edges", w->edges}, {"seen", w->seen}, {"later", w->later}, {"counts", w->counts}};
	struct vyre_kernel_params kernel = {.blob = w->blob, .bindings = bindings, .binding_count = 5};
	check(vyre_kernel_create(w->device, &kernel, &w->kernel), "loading the kernel");

	struct vyre_ring_params ring = {.kernel = w->kernel, .slots = 16, .spawned = w->room};
	check(vyre_ring_create(&ring, &w->ring), "starting the ring");
	check(vyre_publisher_create(w->ring, 0, &w->publisher), "making a publisher");
}

static void close_device(struct walk *w)
{
	const vyre_buffer buffers[] = {w->first, w->edges, w->seen, w->later, w->counts};

	check(vyre_ring_stop(w->ring, 1, SECOND), "stopping the ring");
	vyre_publisher_destroy(w->publisher);
	vyre_ring_destroy(w->ring);
	vyre_kernel_destroy(w->kernel);
	for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
		check(vyre_buffer_destroy(w->device, buffers[i]), "freeing a buffer");
	vyre_device_close(w->device);
	vyre_blob_close(w->blob);
}

/* ---- walk ---------------------------------------------------------------------------------------------------------- */

static uint32_t count_bits(const uint32_t *words, uint32_t count)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t word = words[i]; word; word &= word - 1)
			bits++;
	return bits;
}

static void walk_on_device(struct walk *w)
{
	const struct vyre_blob_op *op = vyre_blob_find_op(w->blob, NULL, "walk");
	struct vyre_slot slot = {.priority = VYRE_PRIORITY_NORMAL, .arg_count = 1};
	struct vyre_result result = {0};
	struct vyre_ring_stats stats;
	vyre_ticket ticket;
	double start;

	if (!op)
		die(w->blob_path, "the blob lacks the op walk. Fix: compile examples/walk/walk.vyre again.");
	slot.opcode = op->opcode;
	start = now();
	check(vyre_publish(w->publisher, &slot, 1, 0, 0, &ticket), "publishing the slot");
	check(vyre_wait(w->ring, ticket, 300 * SECOND, &result), "waiting for the slot");
	w->found.seconds = now() - start;
	w->visits = result.words[0];
	w->put_off = result.words[1];
	vyre_ring_get_stats(w->ring, &stats);
	if (stats.faults)
		die("walking", "a spawned slot faulted. Fix: report this as a bug of the compiler or the loader.");
	check(vyre_buffer_read(w->device, w->seen, 0, w->found.seen, (uint64_t)w->seen_words * sizeof(uint32_t)),
	      "reading the nodes back");
	w->found.count = count_bits(w->found.seen, w->seen_words);
}

/* ---- verify -------------------------------------------------------------------------------------------------------- */

static void walk_on_host(const struct graph *g, struct reached *host)
{
	uint32_t *queue = zeros(g->nodes), taken = 0;
	double start = now();

	queue[host->count++] = 0;
	host->seen[0] = 1;
	while (taken < host->count) {
		uint32_t node = queue[taken++];
		for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
			uint32_t next = g->edges[e], *word = &host->seen[next / 32], bit = UINT32_C(1) << next % 32;
			if (!(*word & bit))
				queue[host->count++] = next;
			*word |= bit;
		}
	}
	host->seconds = now() - start;
	free(queue);
}

/* Returns the exit status. */
static int report(const struct walk *w)
{
	struct vyre_device_info info;
	const struct graph *g = &w->graph;
	bool equal = memcmp(w->found.seen, w->host.seen, w->seen_words * sizeof(uint32_t)) == 0;

	vyre_device_get_info(w->device, &info);
	printf("a random graph on %s\n", info.name);
	printf("  nodes        %" PRIu32 ", %" PRIu32 " edges\n", g->nodes, g->first[g->nodes]);
	printf("  reached      %" PRIu32 " from node 0\n", w->found.count);
	printf("  slots        1 published, %" PRIu32 " spawned; %" PRIu32 " nodes put off for want of room\n",
	       w->visits, w->put_off - 1);
	printf("  rate         %.1f million nodes/s   %.3f s from publish to result (one host thread alone: %.3f s)\n",
	       (double)w->found.count / w->found.seconds / 1e6, w->found.seconds, w->host.seconds);
	if (equal) {
		printf("  verified     the host reaches the same nodes (plain C)\n");
		return 0;
	}
	printf("  MISMATCH     the host reaches %" PRIu32 " nodes\n", w->host.count);
	return 1;
}

/* ---- main ---------------------------------------------------------------------------------------------------------- */

static const char usage[] = "usage: walk-demo walk.vyb [--device cpu] [--nodes N] [--room N] [--seed N]\n"
			    "  --nodes N  nodes of the graph, 1 to 16777216; default 1000000\n"
			    "  --room N   spawned slots at a time, 1 to 1048576; default 4096\n";

static uint32_t parse_count(const char *text, uint32_t most)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (!*text || *end || value == 0 || value > most)
		die(text, "out of range. Fix: give a number as the usage says.");
	return (uint32_t)value;
}

static void parse_arguments(struct walk *w, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool has_value = i + 1 < argc;
		if (strcmp(argv[i], "--device") == 0 && has_value)
			w->driver = argv[++i];
		else if (strcmp(argv[i], "--nodes") == 0 && has_value)
			w->graph.nodes = parse_count(argv[++i], 1 << 24);
		else if (strcmp(argv[i], "--room") == 0 && has_value)
			w->room = parse_count(argv[++i], 1 << 20);
		else if (strcmp(argv[i], "--seed") == 0 && has_value)
			w->seed = strtoull(argv[++i], NULL, 0);
		else if (argv[i][0] == '-' || w->blob_path)
			die(argv[i], usage);
		else
			w->blob_path = argv[i];
	}
	if (!w->blob_path) {
		fputs(usage, stderr);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct walk w = {.driver = "cpu", .graph = {.nodes = 1000000}, .room = 4096, .seed = 1};
	int exit_status;

	parse_arguments(&w, argc, argv);
	make_graph(&w.graph, w.seed);
	w.seen_words = (w.graph.nodes + 31) / 32;
	w.found.seen = zeros(w.seen_words);
	w.host.seen = zeros(w.seen_words);
	open_device(&w);
	walk_on_device(&w);
	walk_on_host(&w.graph, &w.host);
	exit_status = report(&w);
	close_device(&w);
	free(w.graph.first);
	free(w.graph.edges);
	free(w.found.seen);
	free(w.host.seen);
	return exit_status;
}
