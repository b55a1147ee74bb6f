/* interp_family.c - spawn, join, and when a slot retires.
 *
 * Enters: what slots spawn, and slots that have ended. Leaves: each retired, DONE or FAULT, after every slot that it
 * spawned, whether it joined them or not and however they ended. Invariant: `children` counts the slots that a slot has
 * spawned and that have not retired; a place is used again only after its slot has retired, so `parent` never names
 * another slot than the one that spawned.
 *
 * What orders memory: a spawned slot comes after what its spawner did before the spawn; what it did comes before its
 * retirement, and so before whatever its spawner does behind a join, and before its spawner's own retirement.
 *
 * Why no deadlock can arise: a slot waits (at a join, or to retire) only for slots that it spawned itself, so who waits
 * for whom is a forest, from parents to children, and its leaves wait for nobody: they run, are queued, or are suspended
 * by something that comes by itself (a turn, an epoch, a load). Nothing that waits holds what another one needs: a
 * suspended slot has given its worker back, and a spawn that finds no room takes its else block or faults; it does not
 * wait. (If it did: with room for one, a slot whose child spawns would wait for its child, and the child for the room
 * that it takes itself.)
 */
#include <string.h>

#include "ir/interp_slots.h"

static uint32_t take_place(struct interp_slots *s)
{
	if (s->free.count)
		return s->free.items[--s->free.count];
	s->slots = vyrec_grow(s->slots, &s->capacity, s->count + 1, sizeof *s->slots);
	return s->count++;
}

bool interp_spawn(struct interp_run *run, struct interp_lane *lane, uint32_t opcode)
{
	struct interp_slots *s = run->slots;
	bool room = s->alive < run->options.spawn_limit;
	if (room) {
		uint32_t place = take_place(s), spawner = lane->group->slot;
		struct interp_slot *slot = &s->slots[place];
		const uint32_t *words = s->slots[spawner].words;
		*slot = (struct interp_slot){.words = {[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED,
						       [VYRE_SLOT_WORD_OPCODE] = opcode,
						       [VYRE_SLOT_WORD_TENANT] = words[VYRE_SLOT_WORD_TENANT],
						       [VYRE_SLOT_WORD_PRIORITY] = words[VYRE_SLOT_WORD_PRIORITY]},
					     .parent = spawner + 1};
		memcpy(slot->words + VYRE_SLOT_WORD_ARG0, lane->spawn_args, VYRE_SLOT_ARGS * sizeof *slot->words);
		if (run->options.detect_races)
			slot->before = interp_clock_publish(&lane->clock, &run->races);
		s->slots[spawner].children++;
		s->alive++;
		vyrec_list_push(&s->queue, place);
	}
	memset(lane->spawn_args, 0, sizeof lane->spawn_args);
	return room;
}

/* The parent learns what its child and the child's own children did. */
static void retire(struct interp_run *run, uint32_t index)
{
	struct interp_slots *s = run->slots;
	struct interp_slot *slot = &s->slots[index];
	run->result->faults += slot->words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_FAULT;
	if (slot->parent)
		interp_vector_add(&s->slots[slot->parent - 1].after, slot->after, &run->races);
	interp_vector_drop(slot->after);
	slot->after = NULL;
	slot->over = false;
	if (index < s->ring_count) {
		memcpy(s->ring[index].words, slot->words, sizeof slot->words);
	} else {
		vyrec_list_push(&s->free, index);
		s->alive--;
	}
}

void interp_slot_over(struct interp_run *run, uint32_t slot, struct interp_vector *past)
{
	struct interp_slots *s = run->slots;
	interp_vector_add(&s->slots[slot].after, past, &run->races);
	interp_vector_drop(past);
	s->slots[slot].over = true;
	while (s->slots[slot].over && !s->slots[slot].children) {
		uint32_t parent = s->slots[slot].parent;
		retire(run, slot);
		if (!parent)
			return;
		slot = parent - 1;
		struct interp_slot *p = &s->slots[slot];
		if (--p->children || !p->joining)
			continue;
		interp_park(s, p->joining);
		p->joining = NULL;
	}
}

void interp_joined(struct interp_run *run, struct interp_group *group)
{
	struct interp_slot *slot = &run->slots->slots[group->slot];
	for (uint32_t k = 0; slot->after && k < group->lane_count; k++)
		if (group->lanes[k].state != LANE_ENDED)
			interp_clock_learn(&group->lanes[k].clock, slot->after, &run->races);
	interp_vector_drop(slot->after);
	slot->after = NULL;
}

bool interp_join(struct interp_run *run, struct interp_group *group)
{
	struct interp_slot *slot = &run->slots->slots[group->slot];
	if (slot->children) {
		slot->joining = group;
		return false;
	}
	interp_joined(run, group);
	return true;
}
