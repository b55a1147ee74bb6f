/* hold.c - places that may not be used again yet: those before a BATCH_FENCE in flight, and that of a cancel request.
 *
 * In: fences as they are published. Out: lap_limit, the first position that publishers may not reach. A fence at position
 * p with a0 = n waits on the device until the places of positions p - n .. p - 1 hold nothing in flight. A publisher that
 * went on would reuse the first of them at position p - n + slots: the fence would then wait for a slot of the next lap,
 * which may itself be waiting for the fence. So, while it is in flight, no position from p - n + slots on is published;
 * n = slots allows none at all. A batch with a fence lies on consecutive positions, so that "n positions before it" are
 * the n slots before it.
 *
 * No deadlock: a fence waits only for slots at positions before its own, which are published already; what they need to
 * end, a turn on a worker, no publisher holds. Of two fences the later may wait for the earlier, never the other way
 * round, so some fence can always end, and its end moves RETIRED, which is what publishers that wait for room look at.
 * (A handler that waits for a slot which its host has not published yet must count on at most a lap of room; that was so
 * before there were fences, because its own place is in the ring.)
 *
 * A cancel request (cancel.c) names a place; until the device has answered, its next lap is not published either. Workers
 * answer between batches, whatever the ring holds, so that ends too.
 *
 * A thread that dies while it publishes: holds are added before the slots are written. One whose slot was taken back is
 * seen as ended (its place has another owner, or STATUS EMPTY); one whose slot the device had claimed already stays.
 */
#include "live.h"

static int has_ended(const struct vyre_ring *ring, const struct vyre_hold *hold)
{
	uint64_t owner = __atomic_load_n(&ring->owner[hold->position & (ring->slots - 1)], __ATOMIC_ACQUIRE);

	return owner == 0 || owner >> VYRE_OWNER_SHIFT != hold->position ||
	       vyre_slot_has_ended(vyre_slot_status(ring, hold->position));
}

static void lower(struct vyre_ring *ring, uint64_t position, uint32_t covers)
{
	uint64_t limit = position + ring->slots - covers;

	if (limit < ring->lap_limit)
		ring->lap_limit = limit;
}

uint32_t vyre_ring_refresh_holds(struct vyre_ring *ring)
{
	uint32_t free = 0, i;

	ring->lap_limit = UINT64_MAX;
	for (i = 0; i < VYRE_MAX_FENCES; i++) {
		struct vyre_hold *hold = &ring->holds[i];

		if (hold->covers && has_ended(ring, hold))
			hold->covers = 0;
		if (hold->covers)
			lower(ring, hold->position, hold->covers);
		else
			free++;
	}
	if (ring->is_commanding &&
	    vyre_live_load(ring, VYRE_LIVE_COMMAND_DONE) == vyre_live_load(ring, VYRE_LIVE_COMMAND))
		ring->is_commanding = 0;
	if (ring->is_commanding)
		lower(ring, ring->command_position, 0);
	return free;
}

void vyre_ring_hold_command(struct vyre_ring *ring, uint64_t position)
{
	ring->command_position = position;
	ring->is_commanding = 1;
	lower(ring, position, 0);
}

void vyre_ring_add_hold(struct vyre_ring *ring, uint64_t position, uint32_t covers)
{
	uint32_t i = 0;

	while (ring->holds[i].covers)
		i++;
	ring->holds[i].position = position;
	ring->holds[i].covers = covers; /* last: now it is one */
	lower(ring, position, covers);
}
