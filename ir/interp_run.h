/* interp_run.h - a run: workgroups, lanes, memory, and who may go on.
 *
 * A group is one workgroup of a program or one slot of a set. interp_step.c runs a lane until it must wait or another
 * one may go on, interp_meet.c lets waiting lanes go on together, interp.c picks the next lane, interp_slots.c makes
 * groups of slots.
 */
#ifndef VYREC_INTERP_RUN_H
#define VYREC_INTERP_RUN_H
#include "ir/interp_code.h"
#include "ir/interp_race.h"
#include "runtime/abi/ring.h"

enum lane_state { LANE_READY, LANE_WAITS, LANE_ENDED };
enum group_state { GROUP_NEW, GROUP_RUNS, GROUP_SUSPENDED, GROUP_ENDED, GROUP_FAULTED };

/* An array while it runs. */
struct interp_memory {
	uint8_t *data;
	uint64_t count;
	uint8_t element, bytes; /* type and size of an element */
	bool shared_by_lanes;	/* may race */
	vyrec_array array;
	struct interp_shadow shadow;
};

/* A copy that async_load or async_store started. */
struct interp_copy {
	struct interp_memory *to, *from;
	uint32_t to_index, from_index, count;
	vyrec_policy policy;
	uint64_t tag;
	uint64_t *payload; /* NULL until captured */
	bool applied;
	uint32_t clock; /* of the lane's second thread, for the wait */
	vyrec_loc loc;
};

struct interp_lane {
	struct interp_group *group;
	uint64_t *registers;
	struct interp_memory *locals;
	uint32_t index; /* in the workgroup */
	uint32_t pc;
	uint32_t ready_at; /* place in run->ready */
	uint8_t state;
	uint32_t catch_pc;    /* where a trap lands, 0 = outside all catches */
	uint32_t catch_depth; /* catches around */
	bool fallen;	      /* a trap has ended a catch for it; it waits at the end of that one */
	uint32_t trap_code, trap_detail;
	uint32_t spawn_args[16];
	struct interp_copy *copies;
	uint32_t copy_count, copy_capacity;
	struct interp_clock clock;
};

struct interp_group {
	const struct interp_code *code;
	struct interp_lane *lanes;
	uint64_t *registers;
	uint8_t *bytes; /* shared arrays, then the local ones of each lane */
	struct interp_memory *shared;
	uint32_t serial; /* names its threads */
	uint32_t id[3];	 /* of a workgroup */
	uint32_t lane_count, alive, waiting;
	uint8_t state;
	bool at_device_barrier;
	/* of a slot */
	uint32_t slot; /* index in the array; spawned ones follow */
	uint32_t words[16], results[16];
	uint32_t result_mask;
	uint32_t suspended_by, until; /* vyrec_stmt_kind; the epoch of PAUSE */
	uint32_t fault_code, fault_detail;
	struct interp_vector *spawner; /* of a spawned slot: what it knows from its start, or NULL */
	struct interp_vector *past;    /* of a spawned slot that has ended: what its lanes did */
};

struct interp_dispatch {
	vyrec_unit unit;
	vyrec_loc loc;
	uint32_t counts[3];
};

struct interp_run {
	const struct vyrec_module *module;
	struct vyrec_interp_options options;
	struct vyrec_interp_result *result;
	struct interp_memory *buffers; /* by vyrec_array */
	vyrec_unit unit;
	uint32_t workgroups[3], workgroup[3]; /* of a program */
	struct interp_group **groups;	      /* present, in order of their serials */
	uint32_t group_count, group_capacity;
	struct interp_lane **ready; /* seed != 0: those that may go on */
	uint32_t ready_count, ready_capacity;
	uint64_t host_at; /* steps from which on the host may have its turn */
	uint64_t random;
	unsigned burst; /* seed != 0: stay with a lane with odds of burst to 1 */
	uint32_t serial;
	bool stop; /* the run is over: fault, limit or error */
	struct interp_race_log races;
	struct interp_dispatch *dispatches;
	uint32_t dispatch_count, dispatch_capacity;
	struct interp_slots *slots; /* of a set: interp_slots.h; NULL for a program */
};

enum lane_stop { STOP_TURN, STOP_WAITS, STOP_ENDED, STOP_GROUP };

/* interp_step.c */
enum lane_stop interp_step_lane(struct interp_run *run, struct interp_lane *lane, uint64_t turn);

/* interp_memory.c */
struct interp_memory *interp_memory_at(struct interp_run *run, struct interp_lane *lane, uint32_t place);
bool interp_load(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i, uint64_t *out);
bool interp_store(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i, uint32_t index,
		  uint64_t value);
bool interp_load_at(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i, uint32_t index,
		    uint64_t *out);
bool interp_atomic(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i,
		   const uint64_t *values, uint64_t *out);
bool interp_copy_start(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i,
		       const struct interp_insn *source, const uint32_t *operands);
void interp_copy_wait(struct interp_run *run, struct interp_lane *lane, uint64_t tag);
void interp_copy_drift(struct interp_run *run, struct interp_lane *lane);
void interp_copies_free(struct interp_lane *lane);

/* interp_meet.c: a lane began to wait or ended; lets lanes go on whose meeting is complete. */
void interp_meet(struct interp_run *run, struct interp_lane *lane);
void interp_meet_device(struct interp_run *run);
void interp_release(struct interp_run *run, struct interp_group *group); /* all that wait and have not fallen go on */

/* interp.c */
void interp_fail(struct interp_run *run, vyre_status status, vyrec_loc loc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint64_t interp_random(struct interp_run *run);
void interp_make_ready(struct interp_run *run, struct interp_lane *lane);
struct interp_group *interp_group_add(struct interp_run *run, const struct interp_code *code, uint32_t lanes);
void interp_group_start(struct interp_run *run, struct interp_group *group);
void interp_group_free(struct interp_group *group);
void interp_bind(struct interp_run *run, struct vyrec_module *module, vyrec_unit unit,
		 const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
		 const struct vyrec_interp_options *options, struct vyrec_interp_result *result);
void interp_unbind(struct interp_run *run);
/* Runs groups until all ended or the run stops. Takes new ones from `refill`, shows those that are over to `leave`. */
void interp_schedule(struct interp_run *run, bool (*refill)(struct interp_run *run),
		     void (*leave)(struct interp_run *run, struct interp_group *group));
/* interp_family.c */
bool interp_spawn(struct interp_run *run, struct interp_lane *lane, uint32_t opcode); /* false: no room */
bool interp_join(struct interp_run *run, struct interp_group *group); /* true: there is nothing to wait for */

#endif
