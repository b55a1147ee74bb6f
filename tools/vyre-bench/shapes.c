/* shapes.c - slots a second of every feed, and what suspension and spawning cost.
 *
 * Scanning feeds: a ring of RING_SLOTS published slots, one worker, until a round finds nothing; what is timed is the
 * dispatch, not the publishing. Live: one publisher and one worker, a processor each, batches of 64 that keep the ring
 * full. Floors are ours too: the issue asks for ratios between our own feeds. Every run checks the sums in `sink`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/queue.h"

enum { RING_SLOTS = 16384, LIVE_SLOTS = 1 << 20, SPRAYED = 1 << 20, BATCH = 64, MAX_BUFFERS = 16 };

/* ---- scanning feeds -------------------------------------------------------------------------------------------------- */

struct dispatched {
	struct vyre_blob *blob;
	struct vyre_device *device;
	struct vyre_kernel *kernel;
	struct vyre_binding bindings[MAX_BUFFERS];
	uint32_t *control, *ring, *launch, *frames, *sink;
	uint32_t opcode, frame_words;
};

static void bind_buffer(struct dispatched *d, uint32_t index, const char *name)
{
	const struct {
		const char *name;
		uint64_t words;
		uint32_t **map;
	} known[] = {
	    {"control", vyre_live_base(0) + VYRE_LIVE_WORDS, &d->control},
	    {"ring_buffer", (uint64_t)RING_SLOTS * VYRE_SLOT_WORDS, &d->ring},
	    {"debug_log", VYRE_DEBUG_WORDS, NULL},
	    {"io_queue", VYRE_IO_WORDS, NULL},
	    {"launch", VYRE_LAUNCH_WORDS, &d->launch},
	    {"frames", vyre_frames_words(RING_SLOTS, RING_SLOTS, d->frame_words), &d->frames},
	    {"sink", BENCH_SINK_WORDS, &d->sink},
	};
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		void *map;
		if (strcmp(known[i].name, name) != 0)
			continue;
		bench_check(vyre_buffer_create(d->device, known[i].words * 4, &d->bindings[index].buffer), name);
		bench_check(vyre_buffer_map(d->device, d->bindings[index].buffer, &map), name);
		d->bindings[index].name = name;
		if (known[i].map)
			*known[i].map = map;
		return;
	}
	bench_die(name, "the bench knows no such buffer");
}

static void open_dispatched(struct dispatched *d, enum bench_blob blob)
{
	struct vyre_blob_view view;

	memset(d, 0, sizeof *d);
	d->blob = bench_blob_open(blob);
	bench_check(vyre_device_open("cpu", &d->device), "device");
	vyre_blob_get_view(d->blob, &view);
	d->opcode = vyre_blob_find_op(d->blob, NULL, "add")->opcode;
	d->frame_words = view.units[0].frame_words;
	if (view.units[0].buffer_count > MAX_BUFFERS)
		bench_die("shapes", "more buffers than the bench expects");
	for (uint32_t i = 0; i < view.units[0].buffer_count; i++)
		bind_buffer(d, i, vyre_blob_string(d->blob, view.buffers[view.units[0].first_buffer + i].name));
	struct vyre_kernel_params params = {
	    .blob = d->blob, .bindings = d->bindings, .binding_count = view.units[0].buffer_count};
	bench_check(vyre_kernel_create(d->device, &params, &d->kernel), "kernel");
	vyre_control_encode_live(d->control, 1, 0, RING_SLOTS);
	if (d->frames)
		vyre_frames_encode(d->frames, RING_SLOTS, RING_SLOTS, d->frame_words);
	d->launch[VYRE_LAUNCH_WORKERS] = 1;
	d->launch[VYRE_LAUNCH_IDLE_LIMIT] = 1; /* the first round that finds nothing is the last */
}

static void close_dispatched(struct dispatched *d)
{
	vyre_kernel_destroy(d->kernel);
	vyre_device_close(d->device);
	vyre_blob_close(d->blob);
}

/* In the feed `tasks` the same words are a task's: state Ready, input, output. */
static void publish_all(struct dispatched *d)
{
	memset(d->sink, 0, BENCH_SINK_WORDS * 4);
	for (uint32_t i = 0; i < RING_SLOTS; i++) {
		uint32_t *slot = d->ring + i * VYRE_SLOT_WORDS;
		memset(slot, 0, VYRE_SLOT_BYTES);
		slot[VYRE_SLOT_WORD_OPCODE] = d->opcode;
		slot[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
		slot[VYRE_SLOT_WORD_ARG0] = i % BENCH_SINK_WORDS;
		slot[VYRE_SLOT_WORD_ARG0 + 1] = 1;
		slot[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	}
}

static bool all_ran(const struct dispatched *d)
{
	for (uint32_t i = 0; i < BENCH_SINK_WORDS; i++)
		if (d->sink[i] != RING_SLOTS / BENCH_SINK_WORDS)
			return false;
	return true;
}

/* Slots a second; the second of two dispatches, the first warms the caches. */
static double dispatch_rate(struct dispatched *d, bool *correct)
{
	double from = 0;

	for (int turn = 0; turn < 2; turn++) {
		publish_all(d);
		from = bench_now();
		bench_check(vyre_kernel_dispatch(d->kernel, (const uint32_t[3]){1, 1, 1}, NULL), "dispatch");
		from = bench_now() - from;
		*correct &= all_ran(d);
	}
	return RING_SLOTS / from;
}

static void bench_scanning(void)
{
	enum { SLOTS, PRIORITY, TASKS, SWITCHED, FUSED, FEEDS };
	static const enum bench_blob blobs[FEEDS] = {BENCH_BLOB_feed_slots, BENCH_BLOB_feed_priority,
						     BENCH_BLOB_feed_tasks, BENCH_BLOB_feed_builtins,
						     BENCH_BLOB_feed_fused};
	double rates[FEEDS][BENCH_ROUNDS], median[FEEDS];
	struct dispatched d[FEEDS];
	bool correct = true;

	for (int feed = 0; feed < FEEDS; feed++)
		open_dispatched(&d[feed], blobs[feed]);
	for (int round = 0; round < (int)bench_options.rounds; round++)
		for (int feed = 0; feed < FEEDS; feed++)
			rates[feed][round] = dispatch_rate(&d[feed], &correct);
	for (int feed = 0; feed < FEEDS; feed++) {
		median[feed] = bench_median(rates[feed], bench_options.rounds) / 1e6;
		close_dispatched(&d[feed]);
	}
	const struct bench_row rows[] = {
	    {"feed.slots", "M slots/s", 0, median[SLOTS], "", BENCH_NO_GOAL, 0, correct,
	     "one op, 16,384 slots a dispatch"},
	    {"feed.slots.builtins", "M slots/s", median[SLOTS], median[SWITCHED], "slots, one op", BENCH_NO_GOAL, 0,
	     correct, "one op and the built-ins"},
	    {"feed.fused", "M slots/s", median[SWITCHED], median[FUSED], "slots by switch, one op and the built-ins",
	     BENCH_AT_LEAST, 1, correct, ""},
	    {"feed.priority", "M slots/s", median[SLOTS], median[PRIORITY], "slots", BENCH_AT_LEAST, 1 / 1.5, correct,
	     ""},
	    {"feed.tasks", "M slots/s", median[SLOTS], median[TASKS], "slots", BENCH_NO_GOAL, 0, correct, ""},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		bench_report(&rows[i]);
}

/* ---- live ------------------------------------------------------------------------------------------------------------ */

struct live {
	struct vyre_blob *blob;
	struct vyre_device *device;
	struct vyre_kernel *kernel;
	vyre_buffer sink;
	uint32_t *sink_words;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
};

static uint32_t opcode_of(const struct live *live, const char *op)
{
	return vyre_blob_find_op(live->blob, NULL, op)->opcode;
}

static void open_live(struct live *live)
{
	void *map;

	memset(live, 0, sizeof *live);
	live->blob = bench_blob_open(BENCH_BLOB_shapes);
	bench_check(vyre_device_open("cpu", &live->device), "device");
	bench_check(vyre_buffer_create(live->device, BENCH_SINK_WORDS * 4, &live->sink), "sink");
	bench_check(vyre_buffer_map(live->device, live->sink, &map), "sink");
	live->sink_words = map;
	struct vyre_binding binding = {"sink", live->sink};
	struct vyre_kernel_params params = {.blob = live->blob, .bindings = &binding, .binding_count = 1};
	bench_check(vyre_kernel_create(live->device, &params, &live->kernel), "kernel");
	struct vyre_ring_params ring = {
	    .kernel = live->kernel, .slots = 4096, .workers = 1, .idle_ns = VYRE_FOREVER, .flags = VYRE_RING_PIN};
	bench_unpin();
	bench_check(vyre_ring_create(&ring, &live->ring), "ring");
	bench_check(vyre_publisher_create(live->ring, 0, &live->publisher), "publisher");
	bench_pin(BENCH_PUBLISHER_CPU);
}

static void close_live(struct live *live)
{
	vyre_publisher_destroy(live->publisher);
	vyre_ring_destroy(live->ring);
	vyre_kernel_destroy(live->kernel);
	bench_check(vyre_buffer_destroy(live->device, live->sink), "sink");
	vyre_device_close(live->device);
	vyre_blob_close(live->blob);
}

static bool sink_holds(struct live *live, uint32_t slots, bool index)
{
	bool right = true;

	for (uint32_t word = 0; word < BENCH_SINK_WORDS; word++) {
		uint32_t expected = 0;
		for (uint32_t i = word; i < slots; i += BENCH_SINK_WORDS)
			expected += index ? i : 1;
		right &= live->sink_words[word] == expected;
		live->sink_words[word] = 0;
	}
	return right;
}

/* Seconds a slot. */
static double published(struct live *live, const char *op, bool *correct)
{
	struct vyre_slot batch[BATCH];
	double from;

	for (uint32_t i = 0; i < BATCH; i++)
		batch[i] = (struct vyre_slot){opcode_of(live, op), VYRE_PRIORITY_NORMAL, 2, {i, 1}};
	from = bench_now();
	for (uint32_t at = 0; at < LIVE_SLOTS; at += BATCH) {
		for (uint32_t i = 0; i < BATCH; i++)
			batch[i].args[0] = (at + i) % BENCH_SINK_WORDS;
		bench_check(vyre_publish(live->publisher, batch, BATCH, VYRE_PUBLISH_WAIT, VYRE_FOREVER, NULL),
			    "publish");
	}
	bench_check(vyre_ring_drain(live->ring, VYRE_FOREVER), "drain");
	from = bench_now() - from;
	*correct &= sink_holds(live, LIVE_SLOTS, false);
	return from / LIVE_SLOTS;
}

/* One slot that spawns the others; its end is theirs. */
static double sprayed(struct live *live, bool *correct)
{
	struct vyre_slot slot = {opcode_of(live, "spray"), VYRE_PRIORITY_NORMAL, 1, {SPRAYED}};
	vyre_ticket ticket;
	double from = bench_now();

	bench_check(vyre_publish(live->publisher, &slot, 1, 0, 0, &ticket), "publish");
	bench_check(vyre_wait(live->ring, ticket, VYRE_FOREVER, NULL), "wait");
	from = bench_now() - from;
	*correct &= sink_holds(live, SPRAYED, true);
	return from / SPRAYED;
}

static void bench_resuming(void)
{
	double plain[BENCH_ROUNDS], later[BENCH_ROUNDS], spawned[BENCH_ROUNDS];
	struct live live;
	bool correct = true;

	for (int round = 0; round < (int)bench_options.rounds; round++) {
		open_live(&live);
		plain[round] = published(&live, "add", &correct);
		later[round] = published(&live, "add_later", &correct);
		spawned[round] = sprayed(&live, &correct);
		close_live(&live);
	}
	double floor = bench_median(plain, bench_options.rounds) * 1e9;
	const struct bench_row rows[] = {
	    {"live.plain", "ns/slot", 0, floor, "", BENCH_NO_GOAL, 0, correct, "a set that can suspend and spawn"},
	    {"live.yield", "ns/slot", floor, bench_median(later, bench_options.rounds) * 1e9, "a plain slot",
	     BENCH_AT_MOST, 2, correct, "suspended and resumed once"},
	    {"live.spawn", "ns/slot", floor, bench_median(spawned, bench_options.rounds) * 1e9, "a published slot",
	     BENCH_AT_MOST, 1.2, correct, "spawned by one slot"},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		bench_report(&rows[i]);
}

void bench_shapes(void)
{
	bench_scanning();
	bench_resuming();
}
