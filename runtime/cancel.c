/* cancel.c - one slot is taken back while the kernel is resident.
 *
 * In: a ticket. Out: the slot ends as FAULT code 9, unless it has ended or runs to its end first. The device owns a slot
 * in flight, so the host asks: COMMAND_ARG, then COMMAND = serial << 8 | CANCEL; one worker takes it, answers with
 * COMMAND_DONE. One request at a time: the next COMMAND_ARG is stored when the last COMMAND has been answered.
 *
 * The place may not be used again between request and answer, or the request would hit the next slot there, even when
 * the slot ends and its ticket is released meanwhile: that is a hold (hold.c), set in the same critical section in which
 * COMMAND is stored and the ticket was seen to be held.
 *
 * A kernel without a queue knows no commands: nothing suspends there, and who does not run is PUBLISHED or parked. On the
 * cpu the loader plays the device's part, as in ring.c: it claims the slot by compare-exchange, like a worker, and counts
 * it as one.
 *
 * Behind PCIe (abi/mailbox.h) every kernel knows the command, because no compare-exchange reaches it; the request names
 * the slot's position, and is answered as soon as the poller has noted it.
 */
#include <errno.h>

#include "live.h"
#include "message.h"

/* Nobody is told of an answer. */
static const uint64_t answer_slice_ns = 100000;

static int is_answered(struct vyre_ring *ring, void *context)
{
	(void)context;
	return vyre_live_load(ring, VYRE_LIVE_COMMAND_DONE) == vyre_live_load(ring, VYRE_LIVE_COMMAND) ||
	       __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_STOPPED || vyre_ring_is_lost(ring);
}

static int wait_for_answer(struct vyre_ring *ring, uint64_t deadline_ns)
{
	return is_answered(ring, NULL) || vyre_ring_wait_until(ring, is_answered, NULL, deadline_ns, answer_slice_ns);
}

/* publish_lock is held. */
static int is_held(struct vyre_ring *ring, vyre_ticket ticket)
{
	uint64_t *owner = &ring->owner[(ticket >> VYRE_OWNER_SHIFT) & (ring->slots - 1)];

	return __atomic_load_n(owner, __ATOMIC_ACQUIRE) == ticket;
}

static int ask(struct vyre_ring *ring, vyre_ticket ticket)
{
	uint32_t *live = ring->live;
	uint32_t serial = (live[VYRE_LIVE_COMMAND] >> 8) + 1, position = (uint32_t)(ticket >> VYRE_OWNER_SHIFT);
	int held;

	vyre_ring_lock(ring);
	held = is_held(ring, ticket);
	if (held) {
		vyre_ring_hold_command(ring, ticket >> VYRE_OWNER_SHIFT);
		__atomic_store_n(&live[VYRE_LIVE_COMMAND_ARG],
				 ring->is_mailbox ? position : position & (ring->slots - 1), __ATOMIC_RELAXED);
		__atomic_store_n(&live[VYRE_LIVE_COMMAND], serial << 8 | VYRE_COMMAND_CANCEL, __ATOMIC_SEQ_CST);
	}
	vyre_ring_unlock(ring);
	if (held && vyre_live_load(ring, VYRE_LIVE_AWAY) != 0)
		ring->device->fns->ring_wake(ring, 1);
	return held;
}

static int claims(uint32_t *words, uint32_t from)
{
	return __atomic_compare_exchange_n(&words[VYRE_SLOT_WORD_STATUS], &from, VYRE_SLOT_CLAIMED, 0, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* As a worker retires a slot. */
static void retire_cancelled(struct vyre_ring *ring, uint32_t *words)
{
	uint32_t tenant = __atomic_load_n(&words[VYRE_SLOT_WORD_TENANT], __ATOMIC_RELAXED) % 32;

	__atomic_store_n(&words[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_CANCELLED, __ATOMIC_RELAXED);
	__atomic_store_n(&words[VYRE_SLOT_WORD_ARG0 + 1], 0, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ring->control[VYRE_CONTROL_FAULT_COUNT], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&words[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_FAULT, __ATOMIC_RELEASE);
	__atomic_add_fetch(&ring->control[VYRE_CONTROL_DONE_COUNT], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ring->control[VYRE_CONTROL_TENANT_FAIRNESS + tenant], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&ring->live[VYRE_LIVE_TENANT_RETIRED + tenant], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&ring->live[VYRE_LIVE_RETIRED], 1, __ATOMIC_SEQ_CST);
}

struct take_back {
	vyre_ticket ticket;
	int held;
};

/* One look: 1 = nothing is left to do. CLAIMED may be a handler, or a worker about to park the slot again: look again. */
static int is_taken_back(struct vyre_ring *ring, void *context)
{
	struct take_back *take = context;
	uint32_t *words = vyre_slot_words(ring, take->ticket >> VYRE_OWNER_SHIFT);
	int parked, done;

	vyre_ring_lock(ring);
	take->held = is_held(ring, take->ticket);
	parked = take->held && claims(words, VYRE_SLOT_REQUEUE);
	if (parked)
		__atomic_sub_fetch(&ring->live[VYRE_LIVE_PARKED], 1, __ATOMIC_SEQ_CST);
	if (parked || (take->held && claims(words, VYRE_SLOT_PUBLISHED)))
		retire_cancelled(ring, words);
	done = !take->held || vyre_slot_has_ended(__atomic_load_n(words, __ATOMIC_ACQUIRE));
	vyre_ring_unlock(ring);
	return done;
}

static vyre_status take_back(struct vyre_ring *ring, vyre_ticket ticket, uint64_t deadline_ns)
{
	struct take_back take = {ticket, 1};
	int done = is_taken_back(ring, &take) ||
		   vyre_ring_wait_until(ring, is_taken_back, &take, deadline_ns, answer_slice_ns);

	vyre_ring_notify(ring);
	if (!take.held)
		return vyre_answer(VYRE_STALE, "the ticket was released meanwhile. Fix: cancel before releasing.");
	return done ? VYRE_OK : vyre_answer(VYRE_TIMEOUT, "the slot runs, and has not ended yet. Fix: wait for it.");
}

/* command_lock is held. */
static vyre_status request(struct vyre_ring *ring, vyre_ticket ticket, uint64_t deadline_ns)
{
	if (!wait_for_answer(ring, deadline_ns))
		return vyre_answer(VYRE_TIMEOUT, "an earlier request has not been answered. Fix: wait longer, or look "
						 "for a handler that does not return.");
	if (vyre_ring_is_lost(ring))
		return vyre_ring_answer_lost(ring);
	if (__atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_STOPPED)
		return VYRE_OK; /* and so it has ended, if it could */
	if (!ask(ring, ticket))
		return vyre_answer(VYRE_STALE, "the ticket was released meanwhile. Fix: cancel before releasing.");
	if (!wait_for_answer(ring, deadline_ns))
		return vyre_answer(VYRE_TIMEOUT,
				   "no worker has answered yet; the request stays in force. Fix: wait for "
				   "the slot, or look for a handler that does not return.");
	vyre_ring_tell_room_waiters(ring); /* the place is no longer held */
	return vyre_ring_is_lost(ring) ? vyre_ring_answer_lost(ring) : VYRE_OK;
}

static int takes_lock(struct vyre_ring *ring, void *context)
{
	int error = pthread_mutex_trylock(&ring->command_lock);

	(void)context;
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(&ring->command_lock);
	return error == 0;
}

static int lock_commands(struct vyre_ring *ring, uint64_t deadline_ns)
{
	return takes_lock(ring, NULL) || vyre_ring_wait_until(ring, takes_lock, NULL, deadline_ns, answer_slice_ns);
}

vyre_status vyre_cancel(struct vyre_ring *ring, vyre_ticket ticket, uint64_t timeout_ns)
{
	uint64_t deadline_ns = vyre_deadline(timeout_ns);
	vyre_status status = vyre_poll(ring, ticket, NULL);

	if (status != VYRE_TIMEOUT)
		return status; /* ended, or released */
	if (!ring->is_mailbox && !(ring->kernel->unit->features & VYRE_HAS_QUEUE))
		return take_back(ring, ticket, deadline_ns);
	if (!lock_commands(ring, deadline_ns))
		return vyre_answer(VYRE_TIMEOUT,
				   "another thread's request is not answered yet. Fix: wait longer, or look "
				   "for a handler that does not return.");
	status = request(ring, ticket, deadline_ns);
	pthread_mutex_unlock(&ring->command_lock);
	return status;
}
