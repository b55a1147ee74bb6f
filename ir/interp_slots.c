/* interp_slots.c - the slots of a set: which one a worker takes next, and suspension.
 *
 * Enters: slots as in the ring. Leaves: DONE with results, or FAULT with code and detail, in each that was PUBLISHED.
 * Invariant: a slot is one group; nothing orders two slots but the atomics that they use, and what interp_family.c says
 * of a slot and those that it spawned.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/interp_slots.h"

static vyrec_handler find_handler(const struct interp_run *run, uint32_t opcode)
{
	const struct vyrec_unit_node *u = &run->module->units[run->unit];
	for (uint32_t k = 0; k < u->item_count; k++) {
		const uint32_t *pair = &run->module->refs[u->items + 2 * k];
		if (pair[0] == VYREC_ITEM_HANDLER && run->module->handlers[pair[1]].opcode == opcode)
			return pair[1];
	}
	return 0;
}

static uint32_t lanes_of(const struct interp_run *run, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &run->module->handlers[handler];
	if (h->granularity != VYRE_BY_WORKGROUP)
		return 1;
	return h->width ? h->width : run->options.lanes;
}

static void write_fault(uint32_t *words, uint32_t code, uint32_t detail)
{
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_FAULT;
	words[VYRE_SLOT_WORD_ARG0] = code;
	words[VYRE_SLOT_WORD_ARG0 + 1] = detail;
}

/* Makes a group of a slot; a slot that no handler takes faults at once. */
static bool start_slot(struct interp_run *run, uint32_t index)
{
	struct interp_slots *s = run->slots;
	struct interp_slot *slot = &s->slots[index];
	vyrec_handler handler = find_handler(run, slot->words[VYRE_SLOT_WORD_OPCODE]);
	if (!handler) {
		write_fault(slot->words, VYRE_FAULT_UNKNOWN_OPCODE, slot->words[VYRE_SLOT_WORD_OPCODE]);
		interp_slot_over(run, index, NULL);
		return false;
	}
	if (!s->codes[handler])
		s->codes[handler] = interp_compile(run->module, run->unit, handler, run->options.bounds);
	struct interp_group *group = interp_group_add(run, s->codes[handler], lanes_of(run, handler));
	memcpy(group->words, slot->words, sizeof group->words);
	group->slot = index;
	group->spawner = slot->before;
	slot->before = NULL;
	return true;
}

static bool take_slot(struct interp_run *run)
{
	struct interp_slots *s = run->slots;
	while (s->next < s->ring_count) {
		uint32_t k = s->next++;
		if (s->ring[k].words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_PUBLISHED && start_slot(run, k))
			return true;
	}
	return false;
}

static bool take_spawned(struct interp_run *run)
{
	struct interp_slots *s = run->slots;
	if (s->taken == s->queue.count)
		return false;
	uint32_t slot = s->queue.items[s->taken++];
	if (2 * s->taken > s->queue.count) { /* half of the list is past: the rest moves to its start */
		s->queue.count -= s->taken;
		memmove(s->queue.items, s->queue.items + s->taken, s->queue.count * sizeof *s->queue.items);
		s->taken = 0;
	}
	run->result->spawned++;
	start_slot(run, slot);
	return true;
}

static bool is_due(const struct interp_run *run, const struct interp_group *group)
{
	return group->suspended_by != VYREC_STMT_PAUSE || (int32_t)(run->slots->epoch - group->until) >= 0;
}

/* A group keeps its serial, so the list of those present stays sorted. */
static void insert_group(struct interp_run *run, struct interp_group *group)
{
	run->groups =
	    vyrec_grow(run->groups, &run->group_capacity, run->group_count + 1, sizeof(struct interp_group *));
	uint32_t at = run->group_count++;
	for (; at && run->groups[at - 1]->serial > group->serial; at--)
		run->groups[at] = run->groups[at - 1];
	run->groups[at] = group;
}

static bool resume_one(struct interp_run *run)
{
	struct interp_slots *s = run->slots;
	uint32_t due = 0, pick = 0;
	for (uint32_t k = 0; k < s->parked_count; k++)
		due += is_due(run, s->parked[k]);
	if (!due)
		return false;
	due = run->options.seed ? (uint32_t)(interp_random(run) % due) : 0;
	for (; !is_due(run, s->parked[pick]) || due--; pick++)
		;
	struct interp_group *group = s->parked[pick];
	memmove(s->parked + pick, s->parked + pick + 1, (--s->parked_count - pick) * sizeof(struct interp_group *));
	group->state = GROUP_RUNS;
	insert_group(run, group);
	if (group->suspended_by == VYREC_STMT_JOIN)
		interp_joined(run, group);
	interp_release(run, group);
	return true;
}

/* Nothing else can run: time passes until the first pause is over. */
static void advance_epoch(struct interp_slots *s)
{
	uint32_t nearest = s->parked[0]->until - s->epoch;
	for (uint32_t k = 1; k < s->parked_count; k++)
		if (s->parked[k]->until - s->epoch < nearest)
			nearest = s->parked[k]->until - s->epoch;
	s->epoch += nearest;
}

/* Keeps the workers busy: fresh slots in order, then what waits; a seed mixes them. */
static bool refill_slots(struct interp_run *run)
{
	struct interp_slots *s = run->slots;
	while (run->group_count < run->options.workers) {
		bool late_first = run->options.seed && interp_random(run) % 2;
		if (late_first && (resume_one(run) || take_spawned(run)))
			continue;
		if (take_slot(run) || take_spawned(run) || resume_one(run))
			continue;
		if (run->group_count || !s->parked_count)
			break;
		advance_epoch(s);
	}
	return run->group_count != 0;
}

void interp_park(struct interp_slots *s, struct interp_group *group)
{
	s->parked = vyrec_grow(s->parked, &s->parked_capacity, s->parked_count + 1, sizeof(struct interp_group *));
	s->parked[s->parked_count++] = group;
}

static void leave_slot(struct interp_run *run, struct interp_group *group)
{
	struct interp_slots *s = run->slots;
	uint32_t *words = s->slots[group->slot].words;
	if (group->state == GROUP_SUSPENDED) {
		if (group->suspended_by != VYREC_STMT_JOIN) /* else its last child parks it */
			interp_park(s, group);
		return;
	}
	if (group->state == GROUP_FAULTED) {
		write_fault(words, group->fault_code, group->fault_detail);
	} else {
		for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
			if (group->result_mask >> k & 1)
				words[VYRE_SLOT_WORD_ARG0 + k] = group->results[k];
		words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_DONE;
	}
	interp_slot_over(run, group->slot, group->past);
	group->past = NULL;
}

static bool lanes_are_valid(struct interp_run *run)
{
	const struct vyrec_unit_node *u = &run->module->units[run->unit];
	uint32_t widest = 1;
	for (uint32_t k = 0; k < u->item_count; k++)
		if (run->module->refs[u->items + 2 * k] == VYREC_ITEM_HANDLER) {
			uint32_t lanes = lanes_of(run, run->module->refs[u->items + 2 * k + 1]);
			widest = lanes > widest ? lanes : widest;
		}
	if (widest > VYREC_MAX_LANES)
		interp_fail(run, VYRE_INVALID, u->loc, "%u lanes are too many; use at most %d", widest,
			    VYREC_MAX_LANES);
	/* a bit more than the lanes need: their pending copies are threads too */
	for (run->races.shift = 1; 1u << (run->races.shift - 1) < widest;)
		run->races.shift++;
	return !run->stop;
}

void vyrec_interp_slots(struct vyrec_module *module, vyrec_unit set, struct vyrec_interp_slot *slots, uint32_t count,
			const struct vyrec_interp_buffer *buffers, uint32_t buffer_count,
			const struct vyrec_interp_options *options, struct vyrec_interp_result *result)
{
	struct interp_run run;
	struct interp_slots s = {.ring = slots, .ring_count = count, .count = count};
	interp_bind(&run, module, set, buffers, buffer_count, options, result);
	s.codes = vyrec_alloc(module->handler_count * sizeof *s.codes);
	s.slots = vyrec_grow(NULL, &s.capacity, count + 1, sizeof *s.slots);
	for (uint32_t k = 0; k < count; k++)
		memcpy(s.slots[k].words, slots[k].words, sizeof slots[k].words);
	run.slots = &s;
	if (!run.stop && lanes_are_valid(&run))
		interp_schedule(&run, refill_slots, leave_slot);
	for (uint32_t k = 0; k < s.parked_count; k++)
		interp_group_free(s.parked[k]);
	for (uint32_t k = 0; k < s.count; k++) {
		if (s.slots[k].joining)
			interp_group_free(s.slots[k].joining);
		interp_vector_drop(s.slots[k].before);
		interp_vector_drop(s.slots[k].after);
	}
	interp_unbind(&run);
	for (uint32_t k = 1; k < module->handler_count; k++)
		interp_code_free(s.codes[k]);
	vyrec_list_free(&s.free);
	vyrec_list_free(&s.queue);
	free(s.slots);
	free(s.parked);
	free(s.codes);
}
