/* ferry_rig.h - live_rig.h behind a mailbox: the same calls and the same words for a test to look at, and in between the
 * ferry, its workers and two rings (passes/mega/mailbox_ferry.vyre). A test file is included behind this one.
 *
 * `control`, `live` and `ring` are the host's. Behind a run the rig checks what the ferry has told the host against the
 * device's words, and copies the others over, as a test looks at them; the STATUS of a slot that has not ended too.
 */
#ifndef VYRE_TESTS_PASSES_LIVE_RIG_H
#define VYRE_TESTS_PASSES_LIVE_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/mailbox.h"
#include "runtime/abi/queue.h"
#include "runtime/abi/ring.h"

enum {
	LIVE_COUNTS_ROUNDS = 0, /* a limit of rounds is the ferry's, whose polls are not a worker's rounds */
	LIVE_OBSERVABLES = 32,
	LIVE_OUT = 64,
	LIVE_MAX_BUFFERS = 12,
	FERRY_LANES = 4,
	FERRY_RECORDS = 8,
	FERRY_POLLS = 600, /* of the ferry, for a few rounds that a test asks for */
};

struct live_rig {
	struct vyrec_module *module;
	uint32_t slots, spawned, tenants;
	uint32_t *control, *ring, *frames, *queue, *live; /* live: the block in control */
	uint64_t frames_words, queue_words;
	uint32_t debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS], launch[VYRE_LAUNCH_WORDS];
	uint32_t out[LIVE_OUT]; /* the set's buffer `out` */
	uint32_t frame_words;
	struct vyrec_interp_result result;
	/* the device's */
	uint32_t words, runs, singles;
	uint32_t *device, *device_ring, *stamps;
	uint32_t records[FERRY_RECORDS * VYRE_LIVE_LINE_WORDS];
};

struct live_params {
	unsigned features;
	uint32_t slots, spawned, frames, tenants, first; /* first: where every counter starts */
};

static inline void live_fill(struct live_rig *rig, const struct live_params *p)
{
	uint32_t base = vyre_live_base(LIVE_OBSERVABLES), records = rig->slots + rig->spawned, i;
	uint32_t cells = vyre_queue_cells(records), frames = p->frames ? p->frames : records;

	rig->words = base + VYRE_LIVE_WORDS;
	rig->frames_words = vyre_frames_words(records, frames, rig->frame_words);
	rig->queue_words = vyre_queue_words(cells, rig->spawned);
	rig->control = calloc(rig->words, 4);
	rig->device = calloc(rig->words, 4);
	rig->ring = calloc(rig->slots, VYRE_SLOT_BYTES);
	rig->device_ring = calloc(rig->slots, VYRE_SLOT_BYTES);
	rig->stamps = calloc(rig->slots, 4);
	rig->frames = calloc(rig->frames_words, 4);
	rig->queue = calloc(rig->queue_words, 4);
	vyre_control_encode_live(rig->control, rig->tenants, LIVE_OBSERVABLES, rig->slots);
	rig->live = rig->control + base;
	vyre_frames_encode(rig->frames, records, frames, rig->frame_words);
	vyre_queue_encode(rig->queue, cells, rig->spawned);
	rig->live[VYRE_LIVE_TAIL] = rig->live[VYRE_LIVE_HEAD] = rig->live[VYRE_LIVE_RETIRED] = p->first;
	rig->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED] = p->first;
	rig->control[VYRE_CONTROL_DONE_COUNT] = rig->control[VYRE_CONTROL_EPOCH] = p->first;
	for (i = 0; i < VYRE_QUEUE_RINGS; i++)
		rig->queue[VYRE_QUEUE_TAIL + i] = rig->queue[VYRE_QUEUE_HEAD + i] = p->first;
	for (i = 0; i < 32; i++)
		rig->live[VYRE_LIVE_TENANT_RETIRED + i] = rig->control[VYRE_CONTROL_TENANT_FAIRNESS + i] = p->first;
	for (i = 0; i < rig->slots; i++)
		rig->stamps[i] = i + 1; /* another place's position */
	memcpy(rig->device, rig->control, rig->words * 4);
}

static inline void live_open(struct live_rig *rig, const char *text, struct live_params p)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_options options = {
	    .feed = VYRE_FEED_LIVE, .features = p.features, .mailbox = true, .lanes = FERRY_LANES, .level = 1};

	memset(rig, 0, sizeof *rig);
	rig->slots = p.slots ? p.slots : 16;
	rig->spawned = p.spawned;
	rig->tenants = p.tenants ? p.tenants : 3;
	rig->module = vyrec_parse("live.vyre", text, strlen(text), &diags);
	if (!rig->module || !vyrec_verify(rig->module, &diags) ||
	    !vyrec_run_pipeline(rig->module, &options, &diags, NULL)) {
		vyrec_diags_print(&diags, "live.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	rig->frame_words = rig->module->units[1].frame_words;
	live_fill(rig, &p);
}

static inline void live_close(struct live_rig *rig)
{
	vyrec_module_destroy(rig->module);
	free(rig->control);
	free(rig->device);
	free(rig->ring);
	free(rig->device_ring);
	free(rig->stamps);
	free(rig->frames);
	free(rig->queue);
}

static inline uint32_t *live_slot(struct live_rig *rig, uint32_t position)
{
	return rig->ring + (position & (rig->slots - 1)) * VYRE_SLOT_WORDS;
}

/* Publishes at TAIL, as the loader does: STATUS, stamp, then TAIL. */
static inline uint32_t *live_publish(struct live_rig *rig, uint32_t opcode, uint32_t tenant, uint32_t a0, uint32_t a1)
{
	uint32_t position = rig->live[VYRE_LIVE_TAIL]++, *words = live_slot(rig, position);

	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	words[VYRE_SLOT_WORD_ARG0] = a0;
	words[VYRE_SLOT_WORD_ARG0 + 1] = a1;
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	rig->stamps[position & (rig->slots - 1)] = position;
	return words;
}

/* What a host does that moves masks or quotas. */
static inline void live_configured(struct live_rig *rig)
{
	rig->live[VYRE_LIVE_CONFIG_EPOCH]++;
}

static inline void live_cancel(struct live_rig *rig, const uint32_t *slot)
{
	assert_int_equal(rig->live[VYRE_LIVE_COMMAND], rig->live[VYRE_LIVE_COMMAND_DONE]);
	rig->live[VYRE_LIVE_COMMAND_ARG] = rig->stamps[(slot - rig->ring) / VYRE_SLOT_WORDS];
	rig->live[VYRE_LIVE_COMMAND] = ((rig->live[VYRE_LIVE_COMMAND] >> 8) + 1) << 8 | VYRE_COMMAND_CANCEL;
}

/* Or is it the feed of slots that run from start to end (mailbox.vyre)? */
static inline bool ferry_has_queue(const struct live_rig *rig)
{
	return rig->module->units[1].features & VYRE_HAS_QUEUE;
}

/* ---- before and behind a run ------------------------------------------------------------------------------------------- */

struct ferry_row {
	uint32_t word, words, writer;
};
#define FERRY_CONTROL_ROW(name, word, words, writer, text) {word, words, VYRE_WRITER_##writer},
static const struct ferry_row ferry_control[] = {VYRE_CONTROL_FIELDS(FERRY_CONTROL_ROW)};
static const struct ferry_row ferry_live[] = {VYRE_LIVE_FIELDS(FERRY_CONTROL_ROW)};

/* What the device writes. A test may have set some of it. */
static inline void ferry_copy(const struct ferry_row *rows, size_t count, uint32_t *to, const uint32_t *from)
{
	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; rows[i].writer == VYRE_WRITER_DEVICE && k < rows[i].words; k++)
			if (rows[i].word != VYRE_LIVE_ENGINE || rows != ferry_live)
				to[rows[i].word + k] = from[rows[i].word + k];
}

static inline void ferry_copy_all(struct live_rig *rig, uint32_t *to, const uint32_t *from)
{
	ptrdiff_t base = rig->live - rig->control;
	ferry_copy(ferry_control, sizeof ferry_control / sizeof *ferry_control, to, from);
	ferry_copy(ferry_live, sizeof ferry_live / sizeof *ferry_live, to + base, from + base);
	memcpy(to + VYRE_CONTROL_OBSERVABLES, from + VYRE_CONTROL_OBSERVABLES, 4 * LIVE_OBSERVABLES);
}

static inline void ferry_begin(struct live_rig *rig, uint32_t workgroups)
{
	uint32_t *live = rig->device + (rig->live - rig->control);

	ferry_copy_all(rig, rig->device, rig->control);
	if (rig->runs++ == 0) /* masks and quotas from before the first launch need no CONFIG_EPOCH */
		memcpy(rig->device, rig->control, 4 * VYRE_CONTROL_OBSERVABLES);
	live[VYRE_LIVE_AWAY] = rig->live[VYRE_LIVE_AWAY] = 0;
	live[VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT] = live[VYRE_LIVE_ENGINE + VYRE_ENGINE_POLLER] = 0;
	for (uint32_t i = 0; i < workgroups; i++) {
		uint32_t *record = rig->records + i * VYRE_LIVE_LINE_WORDS;
		record[VYRE_LAUNCH_ROUND_LIMIT] = rig->launch[VYRE_LAUNCH_ROUND_LIMIT] ? FERRY_POLLS : 0;
		record[VYRE_LAUNCH_IDLE_LIMIT] = rig->launch[VYRE_LAUNCH_IDLE_LIMIT];
		record[VYRE_LAUNCH_WORKERS] = workgroups;
	}
}

static inline void ferry_end(struct live_rig *rig)
{
	static const struct ferry_row told[] = {
#define X(name, words) {VYRE_LIVE_##name, words, 0},
	    VYRE_MAILBOX_OUT_LIST(X)
#undef X
	};
	const uint32_t *live = rig->device + (rig->live - rig->control);

	assert_int_equal(rig->live[VYRE_LIVE_STATE], 4);
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		for (uint32_t k = told[i].word; k < told[i].word + told[i].words; k++)
			if (k != VYRE_LIVE_AWAY && k != VYRE_LIVE_STATE && k != VYRE_LIVE_HEARTBEAT)
				assert_int_equal(rig->live[k], live[k]);
	rig->launch[VYRE_LAUNCH_LEFT] = rig->live[VYRE_LIVE_AWAY];
	ferry_copy_all(rig, rig->control, rig->device);
	for (uint32_t i = 0; i < rig->slots; i++) {
		uint32_t *status = &rig->ring[i * VYRE_SLOT_WORDS];
		if (*status != VYRE_SLOT_DONE && *status != VYRE_SLOT_FAULT && *status != VYRE_SLOT_EMPTY &&
		    ferry_has_queue(rig) && (int32_t)(rig->stamps[i] - live[VYRE_LIVE_TAIL]) < 0)
			*status = rig->device_ring[i * VYRE_SLOT_WORDS];
	}
}

static inline void ferry_fail(struct live_rig *rig, uint32_t workgroups, uint64_t seed)
{
	const uint32_t *host = rig->live, *live = rig->device + (rig->live - rig->control);

	fail_msg("seed %llu, %u workgroups: %s; TAIL %x %x HEAD %x RETIRED %x %x STOP %u %u AWAY %u NEWS %x SEEN %x %x "
		 "PARKED %u READY %x WAITING %x",
		 (unsigned long long)seed, workgroups, rig->result.message, host[VYRE_LIVE_TAIL], live[VYRE_LIVE_TAIL],
		 live[VYRE_LIVE_HEAD], host[VYRE_LIVE_RETIRED], live[VYRE_LIVE_RETIRED], host[VYRE_LIVE_STOP],
		 live[VYRE_LIVE_STOP], live[VYRE_LIVE_AWAY], live[VYRE_LIVE_ENGINE + VYRE_ENGINE_NEWS], rig->records[8],
		 rig->records[VYRE_LIVE_LINE_WORDS + 8], live[VYRE_LIVE_PARKED], live[VYRE_LIVE_READY],
		 live[VYRE_LIVE_WAITING]);
}

/* ---- runs -------------------------------------------------------------------------------------------------------------- */

/* As many workers as asked for, and the ferry; one worker alone every other time. */
static inline void live_run(struct live_rig *rig, uint32_t workers, uint64_t seed)
{
	struct vyrec_interp_buffer buffers[] = {
	    {"control", rig->device, rig->words},
	    {"ring_buffer", rig->device_ring, (uint64_t)rig->slots * VYRE_SLOT_WORDS},
	    {"debug_log", rig->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", rig->io, VYRE_IO_WORDS},
	    {"launch", rig->records, FERRY_RECORDS * VYRE_LIVE_LINE_WORDS},
	    {"frames", rig->frames, rig->frames_words},
	    {"queue", rig->queue, rig->queue_words},
	    {"host_control", rig->control, rig->words},
	    {"host_ring", rig->ring, (uint64_t)rig->slots * VYRE_SLOT_WORDS},
	    {"host_stamps", rig->stamps, rig->slots},
	    {"out", rig->out, LIVE_OUT},
	};
	/* seed 0 stays with a workgroup whose lanes keep meeting, and the ferry's do */
	struct vyrec_interp_options options = {.seed = seed + 1, .step_limit = 100000000, .detect_races = true};
	uint32_t workgroups[3] = {workers == 1 && rig->singles++ % 2 == 0 ? 1 : workers + 1, 1, 1};

	assert_true(workgroups[0] <= FERRY_RECORDS);
	ferry_begin(rig, workgroups[0]);
	vyrec_interp_program(rig->module, 1, workgroups, buffers, sizeof buffers / sizeof *buffers, &options,
			     &rig->result);
	if (rig->result.status != VYRE_OK)
		ferry_fail(rig, workgroups[0], seed);
	if (rig->result.race_count)
		fail_msg("seed %llu: %u races, the first on element %llu of `%s`", (unsigned long long)seed,
			 rig->result.race_count, (unsigned long long)rig->result.races[0].element,
			 vyrec_name_text(rig->module, rig->module->arrays[rig->result.races[0].array].name));
	ferry_end(rig);
}

/* Until nothing is left that could go on. */
static inline void live_drain(struct live_rig *rig, uint32_t workers, uint64_t seed)
{
	rig->live[VYRE_LIVE_STOP] = 1;
	live_run(rig, workers, seed);
	rig->live[VYRE_LIVE_STOP] = 0;
}

/* Nothing is left over: rings empty, no waiters, all room and all frames free, every record zero. */
static inline void live_is_clean(struct live_rig *rig)
{
	uint32_t records = rig->slots + rig->spawned, i, cells = rig->queue[VYRE_QUEUE_CELLS];

	for (i = 0; i < VYRE_QUEUE_RINGS; i++)
		assert_int_equal(rig->queue[VYRE_QUEUE_TAIL + i], rig->queue[VYRE_QUEUE_HEAD + i]);
	assert_int_equal(rig->queue[VYRE_QUEUE_PAUSED], 0);
	assert_int_equal(rig->live[VYRE_LIVE_WAITING], 0);
	assert_int_equal(rig->live[VYRE_LIVE_READY], 0);
	assert_int_equal(rig->live[VYRE_LIVE_PARKED], 0);
	assert_int_equal(rig->live[VYRE_LIVE_PARKED_QUOTA], 0);
	assert_int_equal(rig->live[VYRE_LIVE_AWAY], 0);
	for (i = 0; i < (rig->spawned + 31) / 32; i++)
		assert_int_equal(rig->queue[VYRE_QUEUE_HEADER_WORDS + cells * 2 * VYRE_QUEUE_RINGS +
					    rig->spawned * VYRE_SLOT_WORDS + i],
				 0);
	for (i = 0; i < records * VYRE_RECORD_WORDS; i++)
		assert_int_equal(rig->frames[VYRE_FRAMES_HEADER_WORDS + i], 0);
	for (i = 0; i < (rig->frames[VYRE_FRAMES_FRAMES] + 31) / 32; i++)
		assert_int_equal(rig->frames[VYRE_FRAMES_HEADER_WORDS + records * VYRE_RECORD_WORDS + i], 0);
	for (i = 0; i < 32; i++)
		assert_int_equal(rig->live[VYRE_LIVE_TENANT_RETIRED + i],
				 rig->control[VYRE_CONTROL_TENANT_FAIRNESS + i]);
	for (i = 0; ferry_has_queue(rig) && i < rig->slots; i++) /* both rings agree about what has ended */
		assert_int_equal(rig->ring[i * VYRE_SLOT_WORDS], rig->device_ring[i * VYRE_SLOT_WORDS]);
}

#endif
