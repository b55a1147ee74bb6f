/* interp.c - the scheduler, and programs.
 *
 * Enters: a program with its workgroups (or slots, from interp_slots.c). Leaves: the buffers as the run left them, and
 * what went wrong. Invariant: the order of everything follows from the seed alone. Seed 0 runs a workgroup's lanes one
 * after the other, each until it must wait, and starts a workgroup when those before it are over or wait; any other
 * seed has all workgroups present and may change lanes at each access.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/interp_run.h"

enum {
	TURN = 16384,		     /* seed 0: instructions before the next lane, so that polling loops end */
	MAX_LANES_PRESENT = 1 << 20, /* of a program */
};

/* ---- the run ---------------------------------------------------------------------------------------------- */

void interp_fail(struct interp_run *run, vyre_status status, vyrec_loc loc, const char *format, ...)
{
	struct vyrec_interp_result *r = run->result;
	if (run->stop)
		return;
	va_list list;
	va_start(list, format);
	int n = snprintf(r->message, sizeof r->message, "%s:%u:%u: ", vyrec_name_text(run->module, run->module->file),
			 VYREC_LOC_LINE(loc), VYREC_LOC_COLUMN(loc));
	if (n >= 0 && (size_t)n < sizeof r->message)
		vsnprintf(r->message + n, sizeof r->message - (size_t)n, format, list);
	va_end(list);
	r->status = status;
	run->stop = true;
}

/* splitmix64 */
uint64_t interp_random(struct interp_run *run)
{
	uint64_t x = run->random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void interp_make_ready(struct interp_run *run, struct interp_lane *lane)
{
	if (!run->options.seed)
		return;
	run->ready = vyrec_grow(run->ready, &run->ready_capacity, run->ready_count + 1, sizeof(struct interp_lane *));
	lane->ready_at = run->ready_count;
	run->ready[run->ready_count++] = lane;
}

static void not_ready(struct interp_run *run, struct interp_lane *lane)
{
	struct interp_lane *last = run->ready[--run->ready_count];
	run->ready[lane->ready_at] = last;
	last->ready_at = lane->ready_at;
}

static void bind_buffer(struct interp_run *run, vyrec_array array, const struct vyrec_interp_buffer *buffers,
			uint32_t buffer_count)
{
	const struct vyrec_array_node *node = &run->module->arrays[array];
	struct interp_memory *memory = &run->buffers[array];
	*memory = (struct interp_memory){.element = node->element,
					 .bytes = (uint8_t)vyrec_type_bytes(node->element),
					 .shared_by_lanes = node->class_ != VYREC_CLASS_CONST,
					 .array = array};
	const char *name = vyrec_name_text(run->module, node->name);
	for (uint32_t k = 0; k < buffer_count; k++) {
		if (strcmp(buffers[k].name, name))
			continue;
		memory->data = buffers[k].data;
		memory->count = buffers[k].count;
		if (memory->count < node->count)
			interp_fail(run, VYRE_INVALID, node->loc,
				    "buffer '%s' has %llu elements, its declaration says %u; bind a buffer that is "
				    "large enough",
				    name, (unsigned long long)memory->count, node->count);
	}
}

void interp_bind(struct interp_run *run, struct vyrec_module *module, vyrec_unit unit,
		 const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
		 const struct vyrec_interp_options *options, struct vyrec_interp_result *result)
{
	static const struct vyrec_interp_options defaults;
	const struct vyrec_unit_node *u = &module->units[unit];
	*result = (struct vyrec_interp_result){.status = VYRE_OK};
	*run = (struct interp_run){.module = module, .unit = unit, .result = result};
	run->options = options ? *options : defaults;
	run->options.step_limit = run->options.step_limit ? run->options.step_limit : 100000000;
	run->options.lanes = run->options.lanes ? run->options.lanes : 1;
	run->options.workers = run->options.workers ? run->options.workers : 1;
	run->options.spawn_limit = run->options.spawn_limit ? run->options.spawn_limit : 65536;
	run->options.subgroup = run->options.subgroup ? run->options.subgroup : 32;
	run->options.subgroup = run->options.subgroup < 64 ? run->options.subgroup : 64;
	run->random = run->options.seed;
	run->burst = run->options.seed ? 1u << 2 * (interp_random(run) % 4) : 0;
	run->races.result = result;
	run->buffers = vyrec_alloc(module->array_count * sizeof *run->buffers);
	for (uint32_t k = 0; k < u->item_count; k++)
		if (module->refs[u->items + 2 * k] == VYREC_ITEM_BUFFER)
			bind_buffer(run, module->refs[u->items + 2 * k + 1], buffers, buffer_count);
}

static void free_shadows(struct interp_run *run)
{
	for (uint32_t k = 0; k < run->module->array_count; k++)
		interp_shadow_free(&run->buffers[k].shadow);
}

void interp_unbind(struct interp_run *run)
{
	for (uint32_t g = 0; g < run->group_count; g++)
		interp_group_free(run->groups[g]);
	free_shadows(run);
	free(run->groups);
	free(run->ready);
	free(run->buffers);
	free(run->races.seen);
	free(run->dispatches);
}

/* ---- groups ----------------------------------------------------------------------------------------------- */

struct interp_group *interp_group_add(struct interp_run *run, const struct interp_code *code, uint32_t lanes)
{
	struct interp_group *group = vyrec_alloc(sizeof *group);
	group->code = code;
	group->lane_count = group->alive = lanes;
	group->serial = run->serial++;
	run->groups =
	    vyrec_grow(run->groups, &run->group_capacity, run->group_count + 1, sizeof(struct interp_group *));
	run->groups[run->group_count++] = group;
	return group;
}

static void place_arrays(struct interp_memory *memories, const struct interp_place *places, uint32_t count,
			 uint8_t *base, bool shared)
{
	for (uint32_t k = 0; k < count; k++)
		memories[k] = (struct interp_memory){.data = base + places[k].offset,
						     .count = places[k].count,
						     .element = (uint8_t)places[k].element,
						     .bytes = (uint8_t)vyrec_type_bytes(places[k].element),
						     .shared_by_lanes = shared,
						     .array = places[k].array};
}

void interp_group_start(struct interp_run *run, struct interp_group *group)
{
	const struct interp_code *code = group->code;
	uint32_t lanes = group->lane_count, arrays = code->shared_count + code->local_count * lanes;
	group->state = GROUP_RUNS;
	group->lanes = vyrec_alloc(lanes * sizeof *group->lanes);
	group->registers = vyrec_alloc((size_t)lanes * code->register_count * sizeof *group->registers);
	group->bytes = vyrec_alloc(code->shared_bytes + lanes * code->local_bytes);
	group->shared = vyrec_alloc(arrays * sizeof *group->shared);
	place_arrays(group->shared, code->shared, code->shared_count, group->bytes, true);
	for (uint32_t k = 0; k < lanes; k++) {
		struct interp_lane *lane = &group->lanes[k];
		lane->group = group;
		lane->index = k;
		lane->registers = group->registers + (size_t)k * code->register_count;
		lane->locals = group->shared + code->shared_count + (size_t)k * code->local_count;
		place_arrays(lane->locals, code->locals, code->local_count,
			     group->bytes + code->shared_bytes + k * code->local_bytes, false);
		if (run->options.detect_races)
			interp_clock_start(&lane->clock, group->serial << run->races.shift | k, group->spawner);
		interp_make_ready(run, lane);
	}
}

/* What the lanes of a spawned slot did, for those that its retirement comes before. */
static void remember(struct interp_run *run, struct interp_group *group)
{
	struct interp_clock **clocks = vyrec_alloc(group->lane_count * sizeof *clocks);
	for (uint32_t k = 0; k < group->lane_count; k++)
		clocks[k] = &group->lanes[k].clock;
	interp_clock_meet(clocks, group->lane_count, &run->races);
	interp_vector_add(&group->past, clocks[0]->known, &run->races);
	free(clocks);
}

/* Gives a group's lanes and arrays back. */
static void end_group(struct interp_run *run, struct interp_group *group)
{
	if (run && group->spawner && group->lanes)
		remember(run, group);
	for (uint32_t k = 0; group->lanes && k < group->lane_count; k++) {
		struct interp_lane *lane = &group->lanes[k];
		if (run && run->options.seed && lane->state == LANE_READY)
			not_ready(run, lane);
		interp_copies_free(lane);
		interp_clock_finish(&lane->clock);
	}
	for (uint32_t k = 0; group->shared && k < group->code->shared_count; k++)
		interp_shadow_free(&group->shared[k].shadow);
	free(group->lanes);
	free(group->registers);
	free(group->bytes);
	free(group->shared);
	group->lanes = NULL;
	group->registers = NULL;
	group->bytes = NULL;
	group->shared = NULL;
}

void interp_group_free(struct interp_group *group)
{
	end_group(NULL, group);
	interp_vector_drop(group->spawner);
	interp_vector_drop(group->past);
	free(group);
}

/* ---- turns ------------------------------------------------------------------------------------------------ */

static void let_host_run(struct interp_run *run)
{
	if (!run->options.host || run->result->steps < run->host_at)
		return;
	run->host_at = run->result->steps + run->options.host_steps;
	run->options.host(run->options.user);
}

static enum lane_stop take_turn(struct interp_run *run, struct interp_lane *lane)
{
	let_host_run(run);
	uint64_t left = run->options.step_limit - run->result->steps;
	uint64_t turn = run->options.host && run->options.host_steps < TURN ? run->options.host_steps : TURN;
	enum lane_stop stop = interp_step_lane(run, lane, left < turn ? left : turn);
	if (run->result->steps >= run->options.step_limit && stop == STOP_TURN)
		interp_fail(run, VYRE_TIMEOUT, lane->group->code->insns[lane->pc].loc,
			    "the step limit of %llu is spent; raise step_limit, or end the loop here",
			    (unsigned long long)run->options.step_limit);
	if (stop == STOP_WAITS || stop == STOP_ENDED) {
		if (run->options.seed)
			not_ready(run, lane);
		interp_meet(run, lane);
		if (lane->group->state == GROUP_RUNS && !lane->group->alive)
			lane->group->state = GROUP_ENDED;
	}
	return stop;
}

static bool is_over(const struct interp_group *group)
{
	return group->state >= GROUP_SUSPENDED;
}

/* Seed 0: the lanes of a group in order, again while some lane ended or came to a meeting: the group gets as far as it
 * can without the others. False if no lane was ready. */
static bool run_group(struct interp_run *run, struct interp_group *group)
{
	bool any = false, again = true;
	if (group->state == GROUP_NEW)
		interp_group_start(run, group);
	while (again) {
		again = false;
		for (uint32_t k = 0; k < group->lane_count && !run->stop && group->state == GROUP_RUNS; k++) {
			if (group->lanes[k].state != LANE_READY)
				continue;
			again |= take_turn(run, &group->lanes[k]) != STOP_TURN;
			any = true;
		}
	}
	if (group->state == GROUP_ENDED)
		end_group(run, group);
	return any;
}

/* Shows groups that are over to `leave` and forgets those that ended; the others keep their order. */
static void sweep(struct interp_run *run, void (*leave)(struct interp_run *run, struct interp_group *group))
{
	uint32_t kept = 0;
	for (uint32_t g = 0; g < run->group_count; g++) {
		struct interp_group *group = run->groups[g];
		if (!is_over(group)) {
			run->groups[kept++] = group;
		} else if (group->state == GROUP_SUSPENDED) {
			leave(run, group); /* it is the owner's now */
		} else {
			end_group(run, group);
			leave(run, group);
			interp_group_free(group);
		}
	}
	run->group_count = kept;
}

/* One pass over all groups. */
static bool pass_in_order(struct interp_run *run, void (*leave)(struct interp_run *run, struct interp_group *group))
{
	bool any = false;
	for (uint32_t g = 0; g < run->group_count && !run->stop; g++)
		any |= run_group(run, run->groups[g]);
	sweep(run, leave);
	return any;
}

/* With a seed: some lane, and often the same one again. */
static bool pass_at_random(struct interp_run *run, void (*leave)(struct interp_run *run, struct interp_group *group))
{
	for (uint32_t g = 0; g < run->group_count; g++)
		if (run->groups[g]->state == GROUP_NEW)
			interp_group_start(run, run->groups[g]);
	if (!run->ready_count)
		return false;
	while (!run->stop && run->ready_count) {
		struct interp_lane *lane = run->ready[interp_random(run) % run->ready_count];
		struct interp_group *group = lane->group;
		do
			take_turn(run, lane);
		while (!run->stop && !is_over(group) && lane->state == LANE_READY && interp_random(run) % run->burst);
		if (is_over(group) && run->slots)
			break; /* its worker takes another slot */
		if (is_over(group))
			end_group(run, group);
	}
	sweep(run, leave);
	return true;
}

void interp_schedule(struct interp_run *run, bool (*refill)(struct interp_run *run),
		     void (*leave)(struct interp_run *run, struct interp_group *group))
{
	while (!run->stop && refill(run)) {
		bool any = run->options.seed ? pass_at_random(run, leave) : pass_in_order(run, leave);
		if (!any && !run->stop && run->group_count)
			interp_meet_device(run);
	}
}

/* ---- programs --------------------------------------------------------------------------------------------- */

static bool refill_nothing(struct interp_run *run)
{
	return run->group_count != 0;
}

static void leave_nothing(struct interp_run *run, struct interp_group *group)
{
	(void)run;
	(void)group;
}

static void run_program(struct interp_run *run, vyrec_unit program, const uint32_t workgroups[3])
{
	const struct vyrec_unit_node *u = &run->module->units[program];
	uint64_t lanes = (uint64_t)u->workgroup[0] * u->workgroup[1] * u->workgroup[2];
	uint64_t count = (uint64_t)workgroups[0] * workgroups[1];
	count = count > MAX_LANES_PRESENT ? count : count * workgroups[2];
	if (!lanes || lanes > VYREC_MAX_LANES || count * lanes > MAX_LANES_PRESENT) {
		interp_fail(run, VYRE_UNSUPPORTED, u->loc,
			    "%u x %u x %u workgroups of %llu lanes are too many to interpret; at most %d lanes in all",
			    workgroups[0], workgroups[1], workgroups[2], (unsigned long long)lanes, MAX_LANES_PRESENT);
		return;
	}
	struct interp_code *code = interp_compile(run->module, program, 0, run->options.bounds);
	run->unit = program;
	run->serial = 0;
	for (run->races.shift = code->has_async; 1u << (run->races.shift - code->has_async) < lanes;)
		run->races.shift++;
	for (unsigned axis = 0; axis < 3; axis++)
		run->workgroups[axis] = workgroups[axis];
	for (uint64_t k = 0; k < count; k++) {
		struct interp_group *group = interp_group_add(run, code, (uint32_t)lanes);
		group->id[0] = (uint32_t)(k % workgroups[0]);
		group->id[1] = (uint32_t)(k / workgroups[0] % workgroups[1]);
		group->id[2] = (uint32_t)(k / workgroups[0] / workgroups[1]);
	}
	interp_schedule(run, refill_nothing, leave_nothing);
	for (uint32_t g = 0; g < run->group_count; g++)
		interp_group_free(run->groups[g]);
	run->group_count = run->ready_count = 0;
	interp_code_free(code);
}

void vyrec_interp_program(struct vyrec_module *module, vyrec_unit program, const uint32_t workgroups[3],
			  const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
			  const struct vyrec_interp_options *options, struct vyrec_interp_result *result)
{
	struct interp_run run;
	interp_bind(&run, module, program, buffers, buffer_count, options, result);
	if (!run.stop)
		run_program(&run, program, workgroups);
	/* Dispatches run in the order in which they were asked for, each after all that came before it. */
	for (uint32_t k = 0; k < run.dispatch_count && !run.stop; k++) {
		struct interp_dispatch d = run.dispatches[k];
		free_shadows(&run);
		const struct vyrec_unit_node *u = &module->units[d.unit];
		for (uint32_t n = 0; n < u->item_count; n++)
			if (module->refs[u->items + 2 * n] == VYREC_ITEM_BUFFER)
				bind_buffer(&run, module->refs[u->items + 2 * n + 1], buffers, buffer_count);
		if (!run.stop && d.unit)
			run_program(&run, d.unit, d.counts);
	}
	interp_unbind(&run);
}
