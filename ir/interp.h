/* interp.h - the reference interpreter: the oracle for every backend.
 *
 * Runs programs and handlers as written, any number of lanes and workgroups, with real barriers, collectives and
 * atomics. A seeded scheduler picks which invocation takes the next step, so that one program can be run under many
 * interleavings; a vector-clock detector reports accesses to one element that nothing orders.
 */
#ifndef VYREC_INTERP_H
#define VYREC_INTERP_H
#include "ir/module.h"

struct vyrec_interp_buffer {
	const char *name;
	void *data;       /* elements as in a real buffer; the caller's */
	uint64_t count;   /* elements */
};

/* What the interpreter saw two unordered accesses do to one element. */
struct vyrec_race {
	vyrec_array array;
	uint64_t element;
	vyrec_loc first, second;
	bool write_write;
};

struct vyrec_interp_options {
	uint64_t seed;         /* of the scheduler; 0 = round robin without interleaving inside a segment */
	uint64_t step_limit;   /* steps in all before giving up with TIMEOUT; 0 = 100 million */
	uint32_t lanes;        /* of a handler `by workgroup` of any width; 0 = 1 */
	uint32_t subgroup;     /* lanes of a subgroup, at most 64 and at most lanes; 0 = min(32, lanes) */
	vyrec_policy bounds;   /* what DEFAULT accesses do; DEFAULT = CHECKED */
	bool detect_races;
	uint32_t workers;      /* slots in flight at once when running many; 0 = 1 */
	uint32_t spawn_limit;  /* slots spawned and not yet retired at once; 0 = 65536 */
	/* `load(...)`: fills the destination; returns 0 or an errno. NULL: every load fails with ENOSYS. */
	int (*load)(void *user, uint32_t resource, uint64_t offset, uint32_t bytes, uint32_t destination);
	/* A host beside the run: called between two turns of lanes, at most once in so many steps. It may write to buffers of
	 * class live, as a host may at any time; how much it does in one call is how much of it seems to happen at once. */
	void (*host)(void *user);
	uint64_t host_steps;
	void *user;
};

struct vyrec_interp_slot { /* in: opcode, tenant, priority, args; out: status, args (results, or code and detail) */
	uint32_t words[16]; /* as in the ring */
};

struct vyrec_interp_result {
	vyre_status status;    /* OK; FAULT (program trapped); TIMEOUT (step limit); INVALID; UNSUPPORTED (message) */
	uint32_t fault_code, fault_detail; /* VYRE_FAULT_*: TRAP and trap(c)'s c; OUT_OF_RANGE and the index */
	uint64_t steps;
	uint32_t race_count;   /* distinct pairs found; the first 16 are kept */
	struct vyrec_race races[16];
	uint32_t spawned;      /* slots that handlers spawned and that ran */
	uint32_t faults;       /* slots that ended in FAULT, spawned ones among them */
	uint32_t log_count;    /* records of log(), the first 64 kept */
	uint32_t logs[64][4];
	char message[256];
};

/* Runs a program on workgroups[3] workgroups. Buffers are bound by name; a declared buffer that is not given has
 * length 0. Shared memory starts zeroed. The module must be verified. */
void vyrec_interp_program(struct vyrec_module *module, vyrec_unit program, const uint32_t workgroups[3],
			  const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
			  const struct vyrec_interp_options *options, struct vyrec_interp_result *result);

/* Runs slots of a set: each PUBLISHED slot once, `workers` at a time, in ring order otherwise; DONE or FAULT and result
 * words are written back to `slots`. Suspended slots go on later; spawned slots run too, after what their spawner did
 * before the spawn, and before what it does behind a join and its end (interp_family.c); nothing else orders two slots.
 * `slot` of a spawned one is below count + spawn_limit. EPOCH, for pause, starts at 0 and moves when no slot can run. */
void vyrec_interp_slots(struct vyrec_module *module, vyrec_unit set, struct vyrec_interp_slot *slots, uint32_t count,
			const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
			const struct vyrec_interp_options *options, struct vyrec_interp_result *result);

#endif
