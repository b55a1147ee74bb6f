/* wait.c - how host threads learn that slots have ended: poll, wait, release, drain.
 *
 * In: tickets. Out: results. A waiter spins on the slot's own STATUS first, then sleeps on ring->event.
 *
 * No wake-up is lost. Three parties, all on seq_cst operations:
 *     device worker    STATUS = DONE (release); RETIRED += k; read NOTIFY; nonzero: return to the worker's thread
 *     worker's thread  if armed was 1 (exchange with 0): event += 1; wake all sleepers   (vyre_ring_notify)
 *     waiter           NOTIFY += 1; e = event; armed = 1; read RETIRED; read STATUS; not ended: sleep while event == e
 * The worker's pair (write RETIRED, read NOTIFY) and the waiter's (write NOTIFY, read RETIRED) have one total order, so
 * either the waiter reads the worker's RETIRED, or the worker reads the waiter's NOTIFY. In the first case the waiter
 * synchronises with that addition (or a later one, which continues it) and its next read of STATUS shows the slot
 * ended. In the second the worker's thread comes to the exchange, after the slot has ended.
 *     It reads 0, and the waiter armed later: arming is an exchange too, reads from this one or a later one, and so the
 *     waiter's read of STATUS shows the slot ended.
 *     It reads 0, and the waiter armed before: another notifier cleared the flag after the waiter armed, hence after
 *     the waiter read e; that one moves event, and the futex refuses to sleep or wakes.
 *     It reads 1: it moves event itself. If that is before the waiter read e, the slot had ended before, and the waiter
 *     sees it; else the futex refuses to sleep or wakes.
 * The flag spares a busy ring the system call for every batch that ends while a sleeper is on its way up.
 * A worker counts a batch in RETIRED when the whole of it has run, so a slot may end long before anybody is told. A
 * sleeper therefore looks again by itself, every ended_slice_ns at the latest.
 * Behind PCIe the worker's pair becomes the poller's: STATUS and RETIRED are stored to the host's memory in this order, and
 * nobody there reads NOTIFY. The ring's service thread, which does, reads RETIRED in its stead and calls vyre_ring_notify
 * whenever it has moved: that it has seen NOTIFY in time is argued in device/resident.c.
 * Not a condition variable per slot, nor an eventfd: the device would have to know about them.
 */
#include <string.h>

#include "live.h"
#include "message.h"

static const uint64_t ended_slice_ns = 1000000;

static const char not_yet[] = "the slot has not ended yet. Fix: wait longer, or look for a masked tenant or a handler "
			      "that does not return.";
static const char stale[] = "the ticket names no slot that is held. Fix: use a ticket once, before it is released.";

void vyre_ring_notify(struct vyre_ring *ring)
{
	if (__atomic_exchange_n(&ring->armed, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	__atomic_add_fetch(&ring->event, 1, __ATOMIC_SEQ_CST);
	vyre_futex_wake(&ring->event, UINT32_MAX);
}

int vyre_ring_wait_until(struct vyre_ring *ring, int (*ended)(struct vyre_ring *ring, void *context), void *context,
			 uint64_t deadline_ns, uint64_t slice_ns)
{
	uint32_t i;
	int done;

	for (i = 0; i < ring->spins; i++) {
		if (ended(ring, context))
			return 1;
		vyre_relax();
	}
	__atomic_add_fetch(&ring->live[VYRE_LIVE_NOTIFY], 1, __ATOMIC_SEQ_CST);
	if (ring->is_mailbox)
		ring->device->fns->ring_wake(ring, 0); /* device/resident.c: it looks at RETIRED for us */
	for (;;) {
		uint32_t seen = __atomic_load_n(&ring->event, __ATOMIC_SEQ_CST);
		uint64_t now, until = deadline_ns;

		(void)__atomic_exchange_n(&ring->armed, 1, __ATOMIC_SEQ_CST);
		(void)vyre_live_load(ring, VYRE_LIVE_RETIRED); /* see the top of this file */
		done = ended(ring, context);
		if (done)
			break;
		now = vyre_now();
		if (now >= deadline_ns)
			break;
		if (slice_ns && slice_ns < deadline_ns - now)
			until = now + slice_ns;
		vyre_futex_wait(&ring->event, seen, until);
	}
	__atomic_sub_fetch(&ring->live[VYRE_LIVE_NOTIFY], 1, __ATOMIC_SEQ_CST);
	return done;
}

/* The place's owner word, if the ticket is one of this ring's places. */
static uint64_t *owner_of(struct vyre_ring *ring, vyre_ticket ticket)
{
	if ((ticket & VYRE_OWNER_MASK) != VYRE_OWNER_TICKETED)
		return NULL;
	return &ring->owner[(ticket >> VYRE_OWNER_SHIFT) & (ring->slots - 1)];
}

static void read_result(struct vyre_ring *ring, vyre_ticket ticket, uint32_t status, struct vyre_result *result)
{
	const uint32_t *words = vyre_slot_words(ring, ticket >> VYRE_OWNER_SHIFT);
	uint32_t i;

	memset(result, 0, sizeof(*result));
	result->status = status;
	for (i = 0; i < VYRE_SLOT_ARGS; i++)
		result->words[i] = __atomic_load_n(&words[VYRE_SLOT_WORD_ARG0 + i], __ATOMIC_ACQUIRE);
	if (status == VYRE_SLOT_FAULT) {
		result->fault_code = result->words[0];
		result->fault_detail = result->words[1];
	}
}

enum outcome { PENDING, ENDED, GONE, LOST };

/* Looks at a ticket. The owner is read again after the result, so that a release by another thread in between cannot
 * hand out another slot's words. */
static enum outcome look(struct vyre_ring *ring, vyre_ticket ticket, struct vyre_result *result)
{
	uint64_t *owner = owner_of(ring, ticket);
	uint32_t status;

	if (!owner || __atomic_load_n(owner, __ATOMIC_ACQUIRE) != ticket)
		return GONE;
	status = vyre_slot_status(ring, ticket >> VYRE_OWNER_SHIFT);
	if (!vyre_slot_has_ended(status))
		return vyre_ring_is_lost(ring) ? LOST : PENDING;
	if (result) {
		read_result(ring, ticket, status, result);
		if (__atomic_load_n(owner, __ATOMIC_ACQUIRE) != ticket)
			return GONE;
	}
	return ENDED;
}

vyre_status vyre_poll(struct vyre_ring *ring, vyre_ticket ticket, struct vyre_result *result)
{
	switch (look(ring, ticket, result)) {
	case ENDED:
		return VYRE_OK;
	case PENDING:
		return vyre_answer(VYRE_TIMEOUT, not_yet);
	case LOST:
		return vyre_ring_answer_lost(ring);
	default:
		return vyre_answer(VYRE_STALE, stale);
	}
}

uint32_t vyre_poll_many(struct vyre_ring *ring, const vyre_ticket *tickets, uint32_t count, uint8_t *ended)
{
	uint32_t i, sum = 0;

	for (i = 0; i < count; i++) {
		ended[i] = look(ring, tickets[i], NULL) != PENDING;
		sum += ended[i];
	}
	return sum;
}

void vyre_ring_tell_room_waiters(struct vyre_ring *ring)
{
	if (__atomic_load_n(&ring->room_waiters, __ATOMIC_SEQ_CST) == 0)
		return;
	__atomic_add_fetch(&ring->releases, 1, __ATOMIC_SEQ_CST);
	vyre_ring_notify(ring);
}

vyre_status vyre_release(struct vyre_ring *ring, vyre_ticket ticket)
{
	uint64_t *owner = owner_of(ring, ticket), seen = ticket, next;

	if (!owner)
		return vyre_answer(VYRE_STALE, stale);
	/* A slot that ends just now becomes detached, which frees it as well. */
	next = vyre_slot_has_ended(vyre_slot_status(ring, ticket >> VYRE_OWNER_SHIFT))
		   ? 0
		   : (ticket & ~(uint64_t)VYRE_OWNER_MASK) | VYRE_OWNER_DETACHED;
	if (!__atomic_compare_exchange_n(owner, &seen, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return vyre_answer(VYRE_STALE, stale);
	vyre_ring_tell_room_waiters(ring); /* somebody may wait for the place that this has freed */
	return VYRE_OK;
}

struct ticket_wait {
	vyre_ticket ticket;
	struct vyre_result *result;
	enum outcome outcome;
};

static int ticket_has_ended(struct vyre_ring *ring, void *context)
{
	struct ticket_wait *wait = context;

	wait->outcome = look(ring, wait->ticket, wait->result);
	return wait->outcome != PENDING;
}

vyre_status vyre_wait(struct vyre_ring *ring, vyre_ticket ticket, uint64_t timeout_ns, struct vyre_result *result)
{
	struct vyre_result own;
	struct ticket_wait wait = {ticket, result ? result : &own, PENDING};

	if (!ticket_has_ended(ring, &wait) && timeout_ns != 0)
		vyre_ring_wait_until(ring, ticket_has_ended, &wait, vyre_deadline(timeout_ns), ended_slice_ns);
	if (wait.outcome == PENDING)
		return vyre_answer(VYRE_TIMEOUT, not_yet);
	if (wait.outcome == LOST)
		return vyre_ring_answer_lost(ring);
	if (wait.outcome == GONE || vyre_release(ring, ticket) != VYRE_OK)
		return vyre_answer(VYRE_STALE, stale);
	if (wait.result->status == VYRE_SLOT_FAULT)
		return vyre_answer(VYRE_FAULT,
				   "the slot ended in FAULT. Fix: see fault_code and fault_detail of its result.");
	return VYRE_OK;
}

struct drain {
	uint64_t cursor; /* slots at positions before this one must end */
	uint32_t place;	 /* places below this one have none left: a later slot there is not ours to wait for */
	int stopped;
};

static int has_drained(struct vyre_ring *ring, void *context)
{
	struct drain *drain = context;

	for (; drain->place < ring->slots; drain->place++) {
		uint64_t owner = __atomic_load_n(&ring->owner[drain->place], __ATOMIC_ACQUIRE);

		if (owner == 0 || owner >> VYRE_OWNER_SHIFT >= drain->cursor)
			continue;
		if (!vyre_slot_has_ended(vyre_slot_status(ring, drain->place)))
			break;
	}
	if (drain->place == ring->slots)
		return 1;
	drain->stopped = __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST) == VYRE_RING_STOPPED;
	return drain->stopped || vyre_ring_is_lost(ring);
}

vyre_status vyre_ring_drain(struct vyre_ring *ring, uint64_t timeout_ns)
{
	struct drain drain = {vyre_ring_commit(ring).cursor, 0, 0};

	if (!has_drained(ring, &drain) && timeout_ns != 0)
		vyre_ring_wait_until(ring, has_drained, &drain, vyre_deadline(timeout_ns), ended_slice_ns);
	if (drain.place == ring->slots)
		return VYRE_OK;
	if (vyre_ring_is_lost(ring))
		return vyre_ring_answer_lost(ring);
	if (drain.stopped)
		return vyre_answer(VYRE_STOPPED,
				   "the ring was stopped before every slot had ended. Fix: drain before stopping.");
	return vyre_answer(VYRE_TIMEOUT,
			   "slots are still in flight. Fix: wait longer, or look for a masked tenant or a "
			   "handler that does not return.");
}
