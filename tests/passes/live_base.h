/* live_base.h - what live_rig.h and ferry_rig.h have in common: a live ring with records and a queue in ordinary memory, as
 * the loader would make it, and a compiled set. Which of the two is included says what the set was compiled for. */
#ifndef VYRE_TESTS_PASSES_LIVE_BASE_H
#define VYRE_TESTS_PASSES_LIVE_BASE_H
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
#include "runtime/abi/queue.h"
#include "runtime/abi/ring.h"

enum { LIVE_OBSERVABLES = 32, LIVE_OUT = 64, LIVE_MAX_BUFFERS = 12 };

struct live_rig {
	struct vyrec_module *module;
	uint32_t slots, spawned, tenants;
	uint32_t *control, *ring, *frames, *queue, *live; /* live: the block in control */
	uint64_t frames_words, queue_words;
	uint32_t debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS], launch[VYRE_LAUNCH_WORDS];
	uint32_t out[LIVE_OUT]; /* the set's buffer `out` */
	uint32_t frame_words;
	struct vyrec_interp_result result;
	struct ferry *ferry; /* ferry_rig.h: what lies behind the mailbox; NULL: there is none */
};

struct live_params {
	unsigned features;
	uint32_t slots, spawned, frames, tenants, first; /* first: where every counter starts */
};

static inline void live_fill(struct live_rig *rig, const struct live_params *p)
{
	uint32_t base = vyre_live_base(LIVE_OBSERVABLES), records = rig->slots + rig->spawned, i;
	uint32_t cells = vyre_queue_cells(records), frames = p->frames ? p->frames : records;

	rig->frames_words = vyre_frames_words(records, frames, rig->frame_words);
	rig->queue_words = vyre_queue_words(cells, rig->spawned);
	rig->control = calloc(base + VYRE_LIVE_WORDS, 4);
	rig->ring = calloc(rig->slots, VYRE_SLOT_BYTES);
	rig->frames = calloc(rig->frames_words, 4);
	rig->queue = calloc(rig->queue_words, 4);
	vyre_control_encode_live(rig->control, rig->tenants, LIVE_OBSERVABLES, rig->slots);
	rig->live = rig->control + base;
	vyre_frames_encode(rig->frames, records, frames, rig->frame_words);
	vyre_queue_encode(rig->queue, cells, rig->spawned);
	rig->live[VYRE_LIVE_TAIL] = rig->live[VYRE_LIVE_HEAD] = rig->live[VYRE_LIVE_RETIRED] = p->first;
	rig->control[VYRE_CONTROL_DONE_COUNT] = rig->control[VYRE_CONTROL_EPOCH] = p->first;
	for (i = 0; i < VYRE_QUEUE_RINGS; i++)
		rig->queue[VYRE_QUEUE_TAIL + i] = rig->queue[VYRE_QUEUE_HEAD + i] = p->first;
	for (i = 0; i < 32; i++)
		rig->live[VYRE_LIVE_TENANT_RETIRED + i] = rig->control[VYRE_CONTROL_TENANT_FAIRNESS + i] = p->first;
}

/* Compiles the set for a kind of scheduler and makes its memory. */
static inline void live_make(struct live_rig *rig, const char *text, struct live_params p,
			     const struct vyrec_pass_options *options)
{
	struct vyrec_diags diags = {0};

	memset(rig, 0, sizeof *rig);
	rig->slots = p.slots ? p.slots : 16;
	rig->spawned = p.spawned;
	rig->tenants = p.tenants ? p.tenants : 3;
	rig->module = vyrec_parse("live.vyre", text, strlen(text), &diags);
	if (!rig->module || !vyrec_verify(rig->module, &diags) ||
	    !vyrec_run_pipeline(rig->module, options, &diags, NULL)) {
		vyrec_diags_print(&diags, "live.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	rig->frame_words = rig->module->units[1].frame_words;
	live_fill(rig, &p);
}

static inline void live_free(struct live_rig *rig)
{
	vyrec_module_destroy(rig->module);
	free(rig->control);
	free(rig->ring);
	free(rig->frames);
	free(rig->queue);
}

static inline uint32_t *live_slot(struct live_rig *rig, uint32_t position)
{
	return rig->ring + (position & (rig->slots - 1)) * VYRE_SLOT_WORDS;
}

/* Publishes at TAIL: STATUS, then TAIL. */
static inline uint32_t *live_write(struct live_rig *rig, uint32_t opcode, uint32_t tenant, uint32_t a0, uint32_t a1)
{
	uint32_t *words = live_slot(rig, rig->live[VYRE_LIVE_TAIL]++);

	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	words[VYRE_SLOT_WORD_ARG0] = a0;
	words[VYRE_SLOT_WORD_ARG0 + 1] = a1;
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	return words;
}

/* What a host does that moves masks or quotas. */
static inline void live_configured(struct live_rig *rig)
{
	rig->live[VYRE_LIVE_CONFIG_EPOCH]++;
}

/* Asks for the end of the slot that the argument names. */
static inline void live_ask_cancel(struct live_rig *rig, uint32_t argument)
{
	assert_int_equal(rig->live[VYRE_LIVE_COMMAND], rig->live[VYRE_LIVE_COMMAND_DONE]);
	rig->live[VYRE_LIVE_COMMAND_ARG] = argument;
	rig->live[VYRE_LIVE_COMMAND] = ((rig->live[VYRE_LIVE_COMMAND] >> 8) + 1) << 8 | VYRE_COMMAND_CANCEL;
}

static inline void live_has_no_race(const struct live_rig *rig, uint64_t seed)
{
	if (rig->result.race_count)
		fail_msg("seed %llu: %u races, the first on element %llu of `%s`", (unsigned long long)seed,
			 rig->result.race_count, (unsigned long long)rig->result.races[0].element,
			 vyrec_name_text(rig->module, rig->module->arrays[rig->result.races[0].array].name));
}

/* The rig's: runs the kernel once, with so many workers. */
static inline void live_run(struct live_rig *rig, uint32_t workers, uint64_t seed);
/* And: where there are two rings, they agree about what has ended. */
static inline void live_rings_agree(struct live_rig *rig);

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
	live_rings_agree(rig);
}

#endif
