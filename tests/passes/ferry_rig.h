/* ferry_rig.h - live_rig.h behind a mailbox: the same calls and the same words for a test to look at, and in between the
 * ferry, its workers and two rings (passes/mega/mailbox_ferry.vyre). A test file is included behind this one.
 *
 * `control`, `live` and `ring` are the host's. Behind a run the rig checks what the ferry has told the host against the
 * device's words, and copies the others over, as a test looks at them; the STATUS of a slot that has not ended too.
 */
#ifndef VYRE_TESTS_PASSES_LIVE_RIG_H
#define VYRE_TESTS_PASSES_LIVE_RIG_H
#include "runtime/abi/mailbox.h"
#include "tests/passes/live_base.h"

enum {
	LIVE_COUNTS_ROUNDS = 0, /* a limit of rounds is the ferry's, whose polls are not a worker's rounds */
	FERRY_LANES = 4,
	FERRY_RECORDS = 8,
	FERRY_POLLS = 600, /* of the ferry, for a few rounds that a test asks for */
};

struct ferry {
	uint32_t words; /* of control */
	uint32_t runs, singles;
	uint32_t *device, *ring; /* control and ring of the device */
	uint32_t *stamps;
	uint32_t records[FERRY_RECORDS * VYRE_LIVE_LINE_WORDS];
	void (*host)(struct live_rig *rig); /* beside a run, at any time; NULL: nobody */
};

static inline void live_open(struct live_rig *rig, const char *text, struct live_params p)
{
	const struct vyrec_pass_options options = {
	    .feed = VYRE_FEED_LIVE, .features = p.features, .mailbox = true, .lanes = FERRY_LANES, .level = 1};
	struct ferry *ferry = calloc(1, sizeof *ferry);

	live_make(rig, text, p, &options);
	rig->ferry = ferry;
	rig->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED] = p.first;
	ferry->words = (uint32_t)(rig->live - rig->control) + VYRE_LIVE_WORDS;
	ferry->device = calloc(ferry->words, 4);
	ferry->ring = calloc(rig->slots, VYRE_SLOT_BYTES);
	ferry->stamps = calloc(rig->slots, 4);
	for (uint32_t i = 0; i < rig->slots; i++)
		ferry->stamps[i] = i + 1; /* another place's position */
	memcpy(ferry->device, rig->control, ferry->words * 4);
}

static inline void live_close(struct live_rig *rig)
{
	free(rig->ferry->device);
	free(rig->ferry->ring);
	free(rig->ferry->stamps);
	free(rig->ferry);
	live_free(rig);
}

/* The stamp with the slot, both before TAIL. */
static inline uint32_t *live_publish(struct live_rig *rig, uint32_t opcode, uint32_t tenant, uint32_t a0, uint32_t a1)
{
	uint32_t position = rig->live[VYRE_LIVE_TAIL];

	rig->ferry->stamps[position & (rig->slots - 1)] = position;
	return live_write(rig, opcode, tenant, a0, a1);
}

static inline void live_cancel(struct live_rig *rig, const uint32_t *slot)
{
	live_ask_cancel(rig, rig->ferry->stamps[(slot - rig->ring) / VYRE_SLOT_WORDS]);
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
	uint32_t *live = rig->ferry->device + (rig->live - rig->control);

	ferry_copy_all(rig, rig->ferry->device, rig->control);
	if (rig->ferry->runs++ == 0) /* masks and quotas from before the first launch need no CONFIG_EPOCH */
		memcpy(rig->ferry->device, rig->control, 4 * VYRE_CONTROL_OBSERVABLES);
	live[VYRE_LIVE_AWAY] = rig->live[VYRE_LIVE_AWAY] = 0;
	live[VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT] = live[VYRE_LIVE_ENGINE + VYRE_ENGINE_POLLER] = 0;
	for (uint32_t i = 0; i < workgroups; i++) {
		uint32_t *record = rig->ferry->records + i * VYRE_LIVE_LINE_WORDS;
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
	const uint32_t *live = rig->ferry->device + (rig->live - rig->control);

	assert_int_equal(rig->live[VYRE_LIVE_STATE], 4);
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		for (uint32_t k = told[i].word; k < told[i].word + told[i].words; k++)
			if (k != VYRE_LIVE_AWAY && k != VYRE_LIVE_STATE && k != VYRE_LIVE_HEARTBEAT)
				assert_int_equal(rig->live[k], live[k]);
	rig->launch[VYRE_LAUNCH_LEFT] = rig->live[VYRE_LIVE_AWAY];
	ferry_copy_all(rig, rig->control, rig->ferry->device);
	for (uint32_t i = 0; i < rig->slots; i++) {
		uint32_t *status = &rig->ring[i * VYRE_SLOT_WORDS];
		if (*status != VYRE_SLOT_DONE && *status != VYRE_SLOT_FAULT && *status != VYRE_SLOT_EMPTY &&
		    ferry_has_queue(rig) && (int32_t)(rig->ferry->stamps[i] - live[VYRE_LIVE_TAIL]) < 0)
			*status = rig->ferry->ring[i * VYRE_SLOT_WORDS];
	}
}

static inline void ferry_fail(struct live_rig *rig, uint32_t workgroups, uint64_t seed)
{
	const uint32_t *host = rig->live, *live = rig->ferry->device + (rig->live - rig->control);

	fail_msg("seed %llu, %u workgroups: %s; TAIL %x %x HEAD %x RETIRED %x %x STOP %u %u AWAY %u NEWS %x SEEN %x %x "
		 "PARKED %u READY %x WAITING %x",
		 (unsigned long long)seed, workgroups, rig->result.message, host[VYRE_LIVE_TAIL], live[VYRE_LIVE_TAIL],
		 live[VYRE_LIVE_HEAD], host[VYRE_LIVE_RETIRED], live[VYRE_LIVE_RETIRED], host[VYRE_LIVE_STOP],
		 live[VYRE_LIVE_STOP], live[VYRE_LIVE_AWAY], live[VYRE_LIVE_ENGINE + VYRE_ENGINE_NEWS], rig->ferry->records[8],
		 rig->ferry->records[VYRE_LIVE_LINE_WORDS + 8], live[VYRE_LIVE_PARKED], live[VYRE_LIVE_READY],
		 live[VYRE_LIVE_WAITING]);
}

/* ---- runs -------------------------------------------------------------------------------------------------------------- */

static inline void ferry_host(void *user)
{
	struct live_rig *rig = user;
	rig->ferry->host(rig);
}

/* As many workers as asked for, and the ferry; one worker alone every other time. */
static inline void live_run(struct live_rig *rig, uint32_t workers, uint64_t seed)
{
	struct vyrec_interp_buffer buffers[] = {
	    {"control", rig->ferry->device, rig->ferry->words},
	    {"ring_buffer", rig->ferry->ring, (uint64_t)rig->slots * VYRE_SLOT_WORDS},
	    {"debug_log", rig->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", rig->io, VYRE_IO_WORDS},
	    {"launch", rig->ferry->records, FERRY_RECORDS * VYRE_LIVE_LINE_WORDS},
	    {"frames", rig->frames, rig->frames_words},
	    {"queue", rig->queue, rig->queue_words},
	    {"host_control", rig->control, rig->ferry->words},
	    {"host_ring", rig->ring, (uint64_t)rig->slots * VYRE_SLOT_WORDS},
	    {"host_stamps", rig->ferry->stamps, rig->slots},
	    {"out", rig->out, LIVE_OUT},
	};
	/* seed 0 stays with a workgroup whose lanes keep meeting, and the ferry's do */
	struct vyrec_interp_options options = {.seed = seed + 1, .step_limit = 100000000, .detect_races = true};
	if (rig->ferry->host) {
		options.host = ferry_host;
		options.host_steps = 1;
		options.user = rig;
	}
	uint32_t workgroups[3] = {workers == 1 && rig->ferry->singles++ % 2 == 0 ? 1 : workers + 1, 1, 1};

	assert_true(workgroups[0] <= FERRY_RECORDS);
	ferry_begin(rig, workgroups[0]);
	vyrec_interp_program(rig->module, 1, workgroups, buffers, sizeof buffers / sizeof *buffers, &options,
			     &rig->result);
	if (rig->result.status != VYRE_OK)
		ferry_fail(rig, workgroups[0], seed);
	live_has_no_race(rig, seed);
	ferry_end(rig);
}

static inline void live_rings_agree(struct live_rig *rig)
{
	for (uint32_t i = 0; ferry_has_queue(rig) && i < rig->slots; i++)
		assert_int_equal(rig->ring[i * VYRE_SLOT_WORDS], rig->ferry->ring[i * VYRE_SLOT_WORDS]);
}

#endif
