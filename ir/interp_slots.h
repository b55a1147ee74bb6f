/* interp_slots.h - what the slots of a set need and programs do not. interp_slots.c says which slot a worker takes next,
 * interp_family.c what spawned slots and their spawners owe each other. */
#ifndef VYREC_INTERP_SLOTS_H
#define VYREC_INTERP_SLOTS_H
#include "ir/interp_run.h"

struct interp_slot {
	uint32_t words[VYRE_SLOT_WORDS]; /* as in the ring */
	uint32_t parent;		 /* slot + 1 that spawned it; 0 = none */
	uint32_t children;		 /* slots that it spawned and that have not retired */
	bool over;			 /* it has ended, and waits for its children */
	struct interp_group *joining;	 /* its group, while a join waits for its children */
	struct interp_vector *before;	 /* what happened before its spawn, until its group has it */
	struct interp_vector *after;	 /* what its children did before they retired; once over, itself too */
};
struct interp_slots {
	struct vyrec_interp_slot *ring;
	uint32_t ring_count, next;
	struct interp_slot *slots; /* those of the ring, then places for spawned ones */
	uint32_t count, capacity;
	struct vyrec_list free;	 /* places of spawned slots that have retired */
	struct vyrec_list queue; /* spawned slots; those from `taken` on wait for a worker */
	uint32_t taken;
	uint32_t alive;		     /* spawned and not retired */
	struct interp_group **parked; /* suspended, oldest first */
	uint32_t parked_count, parked_capacity;
	uint32_t epoch;
	struct interp_code **codes; /* by vyrec_handler */
};

/* interp_slots.c: a suspended group goes on when its turn comes. */
void interp_park(struct interp_slots *s, struct interp_group *group);
/* interp_family.c: a slot has ended, its words say how. `past`: what it did, or NULL; taken. */
void interp_slot_over(struct interp_run *run, uint32_t slot, struct interp_vector *past);
/* Its group goes on behind a join. */
void interp_joined(struct interp_run *run, struct interp_group *group);

#endif
