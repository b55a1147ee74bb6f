/* live_rig.h - the assembled megakernel of a live set on the interpreter: several workers, many interleavings, the race
 * detector on. */
#ifndef VYRE_TESTS_PASSES_LIVE_RIG_H
#define VYRE_TESTS_PASSES_LIVE_RIG_H
#include "live_base.h"

enum { LIVE_COUNTS_ROUNDS = 1 };

static inline void live_open(struct live_rig *rig, const char *text, struct live_params p)
{
	const struct vyrec_pass_options options = {
	    .feed = VYRE_FEED_LIVE, .features = p.features, .one_lane = true, .level = 1};

	live_make(rig, text, p, &options);
}

static inline void live_close(struct live_rig *rig)
{
	live_free(rig);
}

static inline uint32_t *live_publish(struct live_rig *rig, uint32_t opcode, uint32_t tenant, uint32_t a0, uint32_t a1)
{
	return live_write(rig, opcode, tenant, a0, a1);
}

static inline void live_cancel(struct live_rig *rig, const uint32_t *slot)
{
	live_ask_cancel(rig, (uint32_t)((slot - rig->ring) / VYRE_SLOT_WORDS));
}

static inline void live_run(struct live_rig *rig, uint32_t workers, uint64_t seed)
{
	struct vyrec_interp_buffer buffers[] = {
	    {"control", rig->control, (uint64_t)(rig->live - rig->control) + VYRE_LIVE_WORDS},
	    {"ring_buffer", rig->ring, (uint64_t)rig->slots * VYRE_SLOT_WORDS},
	    {"debug_log", rig->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", rig->io, VYRE_IO_WORDS},
	    {"launch", rig->launch, VYRE_LAUNCH_WORDS},
	    {"frames", rig->frames, rig->frames_words},
	    {"queue", rig->queue, rig->queue_words},
	    {"out", rig->out, LIVE_OUT},
	};
	struct vyrec_interp_options options = {.seed = seed, .step_limit = 20000000, .detect_races = true};
	const uint32_t workgroups[3] = {workers, 1, 1};

	rig->launch[VYRE_LAUNCH_WORKERS] = workers;
	vyrec_interp_program(rig->module, 1, workgroups, buffers, sizeof buffers / sizeof *buffers, &options,
			     &rig->result);
	if (rig->result.status != VYRE_OK)
		fail_msg("seed %llu: %s", (unsigned long long)seed, rig->result.message);
	live_has_no_race(rig, seed);
}

static inline void live_rings_agree(struct live_rig *rig)
{
	(void)rig; /* there is one */
}

#endif
