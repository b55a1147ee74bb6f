/* mailbox_rig.h - a live ring with a mailbox in ordinary memory, and a host that publishes into it while the assembled
 * megakernel runs on the interpreter: lanes, workgroups, many interleavings, the race detector on.
 *
 * The host is a list of steps, one store each, so that a kernel may see any prefix of a publish. It keeps to the loader's
 * rules: a slot and its stamp, CHECK, TAIL, then AWAY; a place is free when its slot has ended, and a publisher passes over
 * one that is not. */
#ifndef VYRE_TESTS_PASSES_MAILBOX_RIG_H
#define VYRE_TESTS_PASSES_MAILBOX_RIG_H
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
#include "runtime/abi/ring.h"

enum { BOX_OBSERVABLES = 4, BOX_OUT = 128, BOX_HELD = 64, BOX_STORES = 1 << 16 };

struct box {
	struct vyrec_module *module;
	uint32_t slots, tenants, words; /* words: of either control */
	uint32_t *control, *live, *lot;	/* the device's */
	uint32_t *host, *line, *ring, *stamps; /* the host's; line: its live block */
	uint32_t debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS], launch[VYRE_LAUNCH_WORDS];
	uint32_t out[BOX_OUT], held[BOX_HELD]; /* the set's buffers */
	uint32_t tail;			       /* the host's cursor */
	uint32_t published;
	/* What the host still has to do. */
	struct {
		uint32_t *word, value;
	} stores[BOX_STORES];
	uint32_t store_count, stored;
	uint32_t first;	    /* where the counters started */
	bool torn;	    /* CHECK is stored wrong */
	bool saw_away;	    /* AWAY, looked at after the last store of what a kernel that leaves looks at again */
	void (*host_turn)(struct box *box); /* what more the host does when it has nothing to store; or NULL */
	uint32_t turns;
	uint64_t random;
	uint64_t step_limit;
	struct vyrec_interp_result result;
};

struct box_params {
	uint32_t slots, tenants, first, lanes;
	bool one_lane;
};

static inline uint32_t box_random(struct box *box)
{
	box->random = box->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(box->random >> 33);
}

static inline struct vyrec_module *box_compile(const char *text, const struct box_params *p)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_options options = {
	    .feed = VYRE_FEED_LIVE, .mailbox = true, .one_lane = p->one_lane, .lanes = p->lanes, .level = 1};
	struct vyrec_module *m = vyrec_parse("box.vyre", text, strlen(text), &diags);

	if (!m || !vyrec_verify(m, &diags) || !vyrec_run_pipeline(m, &options, &diags, NULL)) {
		vyrec_diags_print(&diags, "box.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	return m;
}

static inline void box_fill(struct box *box, uint32_t first)
{
	uint32_t base = vyre_live_base(BOX_OBSERVABLES), i;

	box->words = base + VYRE_LIVE_WORDS;
	box->control = calloc(box->words, 4);
	box->host = calloc(box->words, 4);
	box->ring = calloc(box->slots, VYRE_SLOT_BYTES);
	box->lot = calloc(box->slots, VYRE_SLOT_BYTES);
	box->stamps = calloc(box->slots, 4);
	vyre_control_encode_live(box->control, box->tenants, BOX_OBSERVABLES, box->slots);
	box->live = box->control + base;
	box->live[VYRE_LIVE_TAIL] = box->live[VYRE_LIVE_HEAD] = box->live[VYRE_LIVE_RETIRED] = first;
	box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED] = first;
	box->control[VYRE_CONTROL_DONE_COUNT] = first;
	for (i = 0; i < 32; i++)
		box->live[VYRE_LIVE_TENANT_RETIRED + i] = box->control[VYRE_CONTROL_TENANT_FAIRNESS + i] = first;
	for (i = 0; i < box->slots; i++)
		box->stamps[i] = first + i - box->slots * 2; /* no position that is handed out */
	memcpy(box->host, box->control, box->words * 4);
	box->line = box->host + base;
	box->tail = box->first = first;
}

static inline void box_open(struct box *box, const char *text, struct box_params p)
{
	memset(box, 0, sizeof *box);
	box->slots = p.slots ? p.slots : 16;
	box->tenants = p.tenants ? p.tenants : 3;
	box->random = 1;
	box->module = box_compile(text, &p);
	box_fill(box, p.first);
}

static inline void box_close(struct box *box)
{
	vyrec_module_destroy(box->module);
	free(box->control);
	free(box->host);
	free(box->ring);
	free(box->lot);
	free(box->stamps);
}

static inline uint32_t *box_slot(struct box *box, uint32_t position)
{
	return box->ring + (position & (box->slots - 1)) * VYRE_SLOT_WORDS;
}

/* ---- the host's stores ------------------------------------------------------------------------------------------------- */

static inline void box_store(struct box *box, uint32_t *word, uint32_t value)
{
	if (box->stored == box->store_count)
		box->stored = box->store_count = 0;
	assert_true(box->store_count < BOX_STORES);
	box->stores[box->store_count].word = word;
	box->stores[box->store_count++].value = value;
}

static inline void box_store_next(struct box *box)
{
	uint32_t *word = box->stores[box->stored].word;
	*word = box->stores[box->stored++].value;
	if (word == &box->line[VYRE_LIVE_TAIL] || word == &box->line[VYRE_LIVE_CONFIG_EPOCH])
		box->saw_away = box->line[VYRE_LIVE_AWAY] != 0;
}

static inline void box_flush(struct box *box)
{
	while (box->stored < box->store_count)
		box_store_next(box);
}

/* May the next position's place be written? What the host has not stored yet counts as stored. */
static inline bool box_has_room(const struct box *box)
{
	return box->tail - box->line[VYRE_LIVE_HEAD] < box->slots;
}

static inline bool box_is_free(struct box *box, uint32_t position)
{
	uint32_t status = *box_slot(box, position);
	for (uint32_t i = box->stored; i < box->store_count; i++)
		if (box->stores[i].word == box_slot(box, position))
			status = box->stores[i].value;
	return status == VYRE_SLOT_EMPTY || status == VYRE_SLOT_DONE || status == VYRE_SLOT_FAULT;
}

/* Puts a slot's stores into the host's list: its words, then STATUS, then the stamp. TAIL is shown by box_show. */
static inline uint32_t *box_put(struct box *box, uint32_t opcode, uint32_t tenant, const uint32_t *args, unsigned count)
{
	uint32_t *words;
	while (!box_is_free(box, box->tail)) {
		box->tail++;
		assert_true(box_has_room(box));
	}
	assert_true(box_has_room(box));
	words = box_slot(box, box->tail);
	box_store(box, &words[VYRE_SLOT_WORD_OPCODE], opcode);
	box_store(box, &words[VYRE_SLOT_WORD_TENANT], tenant);
	box_store(box, &words[VYRE_SLOT_WORD_PRIORITY], VYRE_PRIORITY_NORMAL);
	for (unsigned i = 0; i < VYRE_SLOT_ARGS; i++)
		box_store(box, &words[VYRE_SLOT_WORD_ARG0 + i], i < count ? args[i] : 0);
	box_store(box, words, VYRE_SLOT_PUBLISHED);
	box_store(box, &box->stamps[box->tail & (box->slots - 1)], box->tail);
	box->tail++;
	box->published++;
	return words;
}
#define BOX_PUT(box, opcode, tenant, ...) \
	box_put(box, opcode, tenant, (const uint32_t[]){__VA_ARGS__}, \
		sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* What a word will be when everything is stored. */
static inline uint32_t box_later(const struct box *box, const uint32_t *word)
{
	uint32_t value = *word;
	for (uint32_t i = box->stored; i < box->store_count; i++)
		if (box->stores[i].word == word)
			value = box->stores[i].value;
	return value;
}

/* CHECK of the last slot, then TAIL. */
static inline void box_show(struct box *box)
{
	uint32_t words[VYRE_SLOT_WORDS], epoch = box_later(box, &box->line[VYRE_LIVE_CONFIG_EPOCH]);
	for (unsigned k = 0; k < VYRE_SLOT_WORDS; k++)
		words[k] = box_later(box, box_slot(box, box->tail - 1) + k);
	box_store(box, &box->line[VYRE_LIVE_CHECK], vyre_mailbox_check(box->tail - 1, epoch, words) + box->torn);
	box_store(box, &box->line[VYRE_LIVE_TAIL], box->tail);
}

static inline void box_configure(struct box *box, uint32_t *word, uint32_t value)
{
	box_store(box, word, value);
	box_store(box, &box->line[VYRE_LIVE_CONFIG_EPOCH], box_later(box, &box->line[VYRE_LIVE_CONFIG_EPOCH]) + 1);
}

static inline void box_mask(struct box *box, uint32_t tenant, uint32_t mask)
{
	box_configure(box, &box->host[VYRE_CONTROL_TENANT_MASK + tenant], mask);
}

static inline void box_quota(struct box *box, uint32_t tenant, uint32_t quota)
{
	box_configure(box, &box->host[VYRE_CONTROL_TENANT_QUOTA + tenant], quota);
}

static inline void box_cancel(struct box *box, uint32_t position)
{
	uint32_t *command = &box->line[VYRE_LIVE_COMMAND];
	box_store(box, &box->line[VYRE_LIVE_COMMAND_ARG], position);
	box_store(box, command, ((box_later(box, command) >> 8) + 1) << 8 | VYRE_COMMAND_CANCEL);
}

/* ---- runs -------------------------------------------------------------------------------------------------------------- */

/* A few stores; now and then none. */
static inline void box_host(void *user)
{
	struct box *box = user;
	box->turns++;
	if (box->stored == box->store_count && box->host_turn)
		box->host_turn(box);
	for (uint32_t n = box_random(box) % 4; n > 0 && box->stored < box->store_count; n--)
		box_store_next(box);
}

static inline void box_fail_if(struct box *box, uint64_t seed)
{
	if (box->result.status != VYRE_OK)
		fail_msg("seed %llu: %s; host TAIL %x, HEAD %x RETIRED %x ENDED %x PARK %x %x %x STOP %u",
			 (unsigned long long)seed, box->result.message, box->line[VYRE_LIVE_TAIL],
			 box->live[VYRE_LIVE_HEAD], box->live[VYRE_LIVE_RETIRED],
			 box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED],
			 box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_PARK_HEAD],
			 box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_PASS_END],
			 box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_PARK_TAIL], box->line[VYRE_LIVE_STOP]);
	if (box->result.race_count)
		fail_msg("seed %llu: %u races, the first on element %llu of `%s`", (unsigned long long)seed,
			 box->result.race_count, (unsigned long long)box->result.races[0].element,
			 vyrec_name_text(box->module, box->module->arrays[box->result.races[0].array].name));
}

/* Every buffer that a set of these tests may have, by name. */
enum { BOX_BUFFERS = 10 };
static inline void box_buffers(struct box *box, struct vyrec_interp_buffer out[BOX_BUFFERS])
{
	const struct vyrec_interp_buffer rows[BOX_BUFFERS] = {
	    {"control", box->control, box->words},
	    {"ring_buffer", box->lot, (uint64_t)box->slots * VYRE_SLOT_WORDS},
	    {"debug_log", box->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", box->io, VYRE_IO_WORDS},
	    {"launch", box->launch, VYRE_LAUNCH_WORDS},
	    {"host_control", box->host, box->words},
	    {"host_ring", box->ring, (uint64_t)box->slots * VYRE_SLOT_WORDS},
	    {"host_stamps", box->stamps, box->slots},
	    {"out", box->out, BOX_OUT},
	    {"held", box->held, BOX_HELD},
	};
	memcpy(out, rows, sizeof rows);
}

/* One launch, the host beside it. */
static inline void box_run(struct box *box, uint32_t workgroups, uint64_t seed)
{
	struct vyrec_interp_buffer buffers[BOX_BUFFERS];
	struct vyrec_interp_options options = {.seed = seed,
					       .step_limit = box->step_limit ? box->step_limit : 20000000,
					       .detect_races = true,
					       .host = box_host,
					       .host_steps = 40,
					       .user = box};
	const uint32_t grid[3] = {workgroups, 1, 1};

	box_buffers(box, buffers);
	box->random = seed;
	box->launch[VYRE_LAUNCH_WORKERS] = workgroups;
	box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_EXIT] = box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_POLLER] = 0;
	vyrec_interp_program(box->module, 1, grid, buffers, sizeof buffers / sizeof *buffers, &options, &box->result);
	box_fail_if(box, seed);
}

/* Everything that the host has to do, then STOP 1; until the kernel has left. */
static inline void box_drain(struct box *box, uint32_t workgroups, uint64_t seed)
{
	uint32_t *stop = &box->line[VYRE_LIVE_STOP];
	box_store(box, stop, 1);
	box_run(box, workgroups, seed);
	assert_int_equal(box->stored, box->store_count);
	*stop = 0;
}

/* All that was published has retired, and the host has been told. */
static inline void box_is_drained(struct box *box)
{
	uint32_t ended = box->first + box->published;
	assert_int_equal(box->live[VYRE_LIVE_RETIRED], ended);
	assert_int_equal(box->line[VYRE_LIVE_RETIRED], ended);
	assert_int_equal(box->control[VYRE_CONTROL_DONE_COUNT], ended);
	assert_int_equal(box->line[VYRE_LIVE_HEAD], box->tail);
	assert_int_equal(box->line[VYRE_LIVE_STATE], 4);
	assert_int_equal(box->line[VYRE_LIVE_PARKED], 0);
	assert_int_equal(box->live[VYRE_LIVE_PARKED], 0);
	assert_int_equal(box->live[VYRE_LIVE_PARKED_QUOTA], 0);
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(box->live[VYRE_LIVE_TENANT_RETIRED + i], box->line[VYRE_LIVE_TENANT_RETIRED + i]);
		assert_int_equal(box->live[VYRE_LIVE_TENANT_RETIRED + i],
				 box->control[VYRE_CONTROL_TENANT_FAIRNESS + i]);
	}
}

static inline void box_is_done(struct box *box, const uint32_t *slot, uint32_t result)
{
	(void)box;
	assert_int_equal(slot[0], VYRE_SLOT_DONE);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], result);
}

static inline void box_is_fault(const uint32_t *slot, uint32_t code, uint32_t detail)
{
	assert_int_equal(slot[0], VYRE_SLOT_FAULT);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], code);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 1], detail);
}

/* One a program: it is large. */
static inline struct box *the_box(void)
{
	static struct box box;
	return &box;
}

#endif
