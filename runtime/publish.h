/* publish.h - a batch on its way into the ring: publish_check.c looks at it, publish.c writes it, publish_forms.c makes
 * batches of other things than slots. Private.
 */
#ifndef VYRE_PUBLISH_H
#define VYRE_PUBLISH_H
#include "live.h"

/* What there is too little of. */
enum vyre_lack { VYRE_LACK_PLACES, VYRE_LACK_QUOTA, VYRE_LACK_FENCES };

struct vyre_batch {
	const struct vyre_publisher *publisher;
	uint32_t count;
	const struct vyre_slot *slots;
	/* NULL, or makes slot i of `source` in *scratch: nothing is allocated for batches that are no slots yet. */
	const struct vyre_slot *(*get)(const struct vyre_batch *batch, uint32_t i, struct vyre_slot *scratch);
	const void *source;
	int load_miss; /* LOAD_MISS may be in it */
	vyre_ticket *tickets;
	vyre_status status;
	/* found by the check */
	uint32_t fences; /* that cover a place */
	int is_run;	 /* consecutive positions */
	/* found with the places */
	int is_clean; /* consecutive ones, none of which has a fault to record */
	/* why it was refused */
	enum vyre_lack lack;
	uint32_t quota, in_flight;
};

static inline const struct vyre_slot *vyre_batch_slot(const struct vyre_batch *batch, uint32_t i,
						      struct vyre_slot *scratch)
{
	return batch->get ? batch->get(batch, i, scratch) : &batch->slots[i];
}

/* Does this slot keep places from being used again, and how many? */
static inline uint32_t vyre_slot_fences(const struct vyre_ring *ring, const struct vyre_slot *slot)
{
	if (slot->opcode != VYRE_OPCODE_BATCH_FENCE || !(ring->kernel->unit->features & VYRE_HAS_BUILTINS) ||
	    slot->arg_count == 0 || slot->args[0] > ring->slots)
		return 0;
	return slot->args[0];
}

/* publish_place.c; publish_lock is held. find: are there places for the batch from the cursor on? Then *first is where to
 * start. write: the slots into them; returns the position behind. take_back: what was written at the cursor or behind it
 * belongs to nobody; returns how many of it the device has claimed. */
int vyre_places_find(struct vyre_batch *batch, uint64_t cursor, uint64_t *first);
uint64_t vyre_places_write(const struct vyre_batch *batch, uint64_t position);
uint32_t vyre_places_take_back(struct vyre_ring *ring, uint64_t cursor);
/* publish_check.c: OK, or INVALID and why; sets what it finds. */
vyre_status vyre_batch_check(struct vyre_batch *batch, uint32_t flags);
/* publish.c: check and publish. */
vyre_status vyre_batch_publish(struct vyre_batch *batch, uint32_t flags, uint64_t timeout_ns);

#endif
