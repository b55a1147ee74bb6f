/* interp_memory.c - what a lane does to arrays: loads, stores, atomics, pending copies.
 *
 * Enters: an access with its index and bounds policy. Leaves: the element's value, or a trap, or the end of the run
 * when an unchecked access is out of bounds. Invariant: no index reaches memory unchecked, whatever the policy; every
 * access to memory that lanes share is shown to the race detector.
 */
#include <stdlib.h>

#include "ir/eval.h"
#include "ir/interp_run.h"

struct interp_memory *interp_memory_at(struct interp_run *run, struct interp_lane *lane, uint32_t place)
{
	if (place & INTERP_SHARED)
		return &lane->group->shared[place & ~INTERP_SHARED];
	return place & INTERP_PRIVATE ? &lane->locals[place & ~INTERP_PRIVATE] : &run->buffers[place];
}

enum bounds { IN_BOUNDS, NO_ACCESS, TRAPPED };

/* Applies the policy to an index; TRAPPED also when the run failed. */
static enum bounds check_bounds(struct interp_run *run, struct interp_lane *lane, const struct interp_memory *memory,
				vyrec_policy policy, vyrec_loc loc, uint64_t *index)
{
	if (*index < memory->count)
		return IN_BOUNDS;
	switch (policy) {
	case VYREC_POLICY_CLAMP:
		if (!memory->count)
			return NO_ACCESS;
		*index = memory->count - 1;
		return IN_BOUNDS;
	case VYREC_POLICY_TRAP:
		lane->trap_code = VYRE_FAULT_OUT_OF_RANGE;
		lane->trap_detail = (uint32_t)*index;
		return TRAPPED;
	case VYREC_POLICY_UNCHECKED:
		interp_fail(
		    run, VYRE_INVALID, loc,
		    "undefined access: unchecked index %llu of '%s', which has %llu elements; check the index or "
		    "use policy checked",
		    (unsigned long long)*index, vyrec_name_text(run->module, run->module->arrays[memory->array].name),
		    (unsigned long long)memory->count);
		return TRAPPED;
	default:
		return NO_ACCESS;
	}
}

static void note(struct interp_run *run, struct interp_memory *memory, const struct interp_clock *clock, uint64_t index,
		 unsigned access, vyrec_loc loc)
{
	if (run->options.detect_races && memory->shared_by_lanes)
		interp_race_access(&run->races, &memory->shadow, memory->count, memory->array, index, clock, access,
				   loc);
}

bool interp_load_at(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i, uint32_t index,
		    uint64_t *out)
{
	struct interp_memory *memory = interp_memory_at(run, lane, i->sym);
	uint64_t at = index;
	enum bounds bounds = check_bounds(run, lane, memory, i->policy, i->loc, &at);
	if (bounds == TRAPPED)
		return false; /* what the value was meant for keeps the one that it has */
	*out = 0;
	if (bounds == NO_ACCESS)
		return true;
	note(run, memory, &lane->clock, at, INTERP_READ, i->loc);
	*out = vyrec_eval_load(memory->element, memory->data + at * memory->bytes);
	return true;
}

bool interp_store(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i, uint32_t index,
		  uint64_t value)
{
	struct interp_memory *memory = interp_memory_at(run, lane, i->sym);
	uint64_t at = index;
	enum bounds bounds = check_bounds(run, lane, memory, i->policy, i->loc, &at);
	if (bounds != IN_BOUNDS)
		return bounds == NO_ACCESS;
	note(run, memory, &lane->clock, at, INTERP_WRITE, i->loc);
	vyrec_eval_store(memory->element, memory->data + at * memory->bytes, value);
	return true;
}

/* values: index, first, second operand. */
bool interp_atomic(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i,
		   const uint64_t *values, uint64_t *out)
{
	struct interp_memory *memory = interp_memory_at(run, lane, i->sym);
	uint64_t at = (uint32_t)values[0];
	enum bounds bounds = check_bounds(run, lane, memory, i->policy, i->loc, &at);
	if (bounds == TRAPPED)
		return false; /* what the value was meant for keeps the one that it has */
	*out = 0;
	if (bounds == NO_ACCESS)
		return true;
	uint8_t *place = memory->data + at * memory->bytes;
	uint64_t old = vyrec_eval_load(memory->element, place), new = values[1];
	bool reads = i->op != VYREC_ATOMIC_STORE, writes = i->op != VYREC_ATOMIC_LOAD;
	if (i->op == VYREC_ATOMIC_COMPARE_EXCHANGE) {
		writes = old == values[1];
		new = values[2];
	} else if (i->fold) {
		new = vyrec_eval(i->fold, memory->element, old, values[1], 0);
	}
	if (run->options.detect_races && memory->shared_by_lanes) {
		unsigned access = (writes ? INTERP_WRITE : INTERP_READ) | INTERP_ATOMIC_ACCESS;
		note(run, memory, &lane->clock, at, access, i->loc);
		interp_race_synchronize(&run->races, &memory->shadow, memory->count, at, &lane->clock, reads, writes,
					i->order, i->scope);
	}
	if (writes)
		vyrec_eval_store(memory->element, place, new);
	*out = reads ? old : 0;
	return true;
}

/* ---- pending copies --------------------------------------------------------------------------------------- */

/* The lane's second thread: lanes use the lower half of a group's numbers, their copies the upper one. */
static uint32_t copy_thread(const struct interp_run *run, const struct interp_lane *lane)
{
	return lane->clock.thread + (1u << (run->races.shift - 1));
}

/* Shows every element of a copy to the race detector, as accesses between start and wait, and finds traps early. */
static bool copy_check(struct interp_run *run, struct interp_lane *lane, const struct interp_copy *copy,
		       const struct interp_clock *clock)
{
	for (uint32_t k = 0; k < copy->count; k++) {
		uint64_t from = (uint64_t)copy->from_index + k, to = (uint64_t)copy->to_index + k;
		enum bounds read = check_bounds(run, lane, copy->from, copy->policy, copy->loc, &from);
		enum bounds write = check_bounds(run, lane, copy->to, copy->policy, copy->loc, &to);
		if (read == TRAPPED || write == TRAPPED)
			return false;
		if (read == IN_BOUNDS)
			note(run, copy->from, clock, from, INTERP_READ, copy->loc);
		if (write == IN_BOUNDS)
			note(run, copy->to, clock, to, INTERP_WRITE, copy->loc);
	}
	return true;
}

bool interp_copy_start(struct interp_run *run, struct interp_lane *lane, const struct interp_insn *i,
		       const struct interp_insn *source, const uint32_t *operands)
{
	struct interp_copy copy = {.to = interp_memory_at(run, lane, i->sym),
				   .from = interp_memory_at(run, lane, source->sym),
				   .to_index = operands[0],
				   .from_index = operands[1],
				   .count = operands[2],
				   .policy = i->policy,
				   .tag = i->imm,
				   .loc = i->loc};
	uint64_t room = copy.to->count > copy.to_index ? copy.to->count - copy.to_index : 0;
	struct interp_clock clock = lane->clock;
	if (run->options.detect_races)
		clock = interp_clock_fork(&lane->clock, copy_thread(run, lane), &run->races);
	copy.clock = clock.clock;
	if (copy.policy == VYREC_POLICY_CHECKED && copy.count > room)
		copy.count = (uint32_t)room; /* the rest has no effect */
	if (copy.count > run->options.step_limit - run->result->steps)
		interp_fail(run, VYRE_TIMEOUT, i->loc, "a copy of %u elements is past the step limit; raise step_limit",
			    copy.count);
	else
		run->result->steps += copy.count;
	bool ok = !run->stop && copy_check(run, lane, &copy, &clock);
	if (run->options.detect_races)
		interp_clock_finish(&clock);
	if (!ok)
		return false;
	lane->copies = vyrec_grow(lane->copies, &lane->copy_capacity, lane->copy_count + 1, sizeof *lane->copies);
	lane->copies[lane->copy_count++] = copy;
	return true;
}

static void copy_capture(struct interp_run *run, struct interp_lane *lane, struct interp_copy *copy)
{
	if (copy->payload)
		return;
	copy->payload = vyrec_alloc(copy->count * sizeof *copy->payload);
	for (uint32_t k = 0; k < copy->count; k++) {
		uint64_t from = (uint64_t)copy->from_index + k;
		if (check_bounds(run, lane, copy->from, copy->policy, copy->loc, &from) == IN_BOUNDS)
			copy->payload[k] =
			    vyrec_eval_load(copy->from->element, copy->from->data + from * copy->from->bytes);
	}
}

static void copy_apply(struct interp_run *run, struct interp_lane *lane, struct interp_copy *copy)
{
	copy_capture(run, lane, copy);
	for (uint32_t k = 0; k < copy->count && !copy->applied; k++) {
		uint64_t to = (uint64_t)copy->to_index + k;
		if (check_bounds(run, lane, copy->to, copy->policy, copy->loc, &to) == IN_BOUNDS)
			vyrec_eval_store(copy->to->element, copy->to->data + to * copy->to->bytes, copy->payload[k]);
	}
	copy->applied = true;
}

void interp_copy_wait(struct interp_run *run, struct interp_lane *lane, uint64_t tag)
{
	uint32_t kept = 0;
	for (uint32_t k = 0; k < lane->copy_count; k++) {
		struct interp_copy *copy = &lane->copies[k];
		if (copy->tag != tag) {
			lane->copies[kept++] = *copy;
			continue;
		}
		copy_apply(run, lane, copy);
		free(copy->payload);
		if (run->options.detect_races)
			interp_clock_join(&lane->clock, copy_thread(run, lane), copy->clock, &run->races);
	}
	lane->copy_count = kept;
}

/* With a seed, copies move at any time between start and wait. */
void interp_copy_drift(struct interp_run *run, struct interp_lane *lane)
{
	struct interp_copy *copy = &lane->copies[interp_random(run) % lane->copy_count];
	uint64_t dice = interp_random(run) % 32;
	if (dice == 0)
		copy_apply(run, lane, copy);
	else if (dice < 3)
		copy_capture(run, lane, copy);
}

void interp_copies_free(struct interp_lane *lane)
{
	for (uint32_t k = 0; k < lane->copy_count; k++)
		free(lane->copies[k].payload);
	free(lane->copies);
	lane->copies = NULL;
	lane->copy_count = lane->copy_capacity = 0;
}
