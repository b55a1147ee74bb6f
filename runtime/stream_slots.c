/* stream_slots.c - the stream's half that faces the ring: whole chunks -> slots -> ended slots -> free chunks.
 *
 * In: chunks whose bytes are all there; out: done calls. One publish carries up to PUBLISH_SLOTS slots, one poll
 * looks at POLL_WINDOW tickets: per chunk that leaves a copy of its slots and one look at its result.
 * Invariants: slots lie in `slots` in the order of `ready`, so a batch is one run of memory; tickets lie in order of
 * publication, and an ended one leaves a gap (0) that goes when the list is moved together.
 * Why not one publish a chunk: publishing and waking cost the same for one slot and for many.
 */
#include <string.h>

#include "alloc.h"
#include "message.h"
#include "stream_state.h"

enum {
	PUBLISH_SLOTS = 64, /* in one vyre_publish */
	POLL_WINDOW = 64,   /* tickets in one vyre_poll_many, the oldest first */
};

/* ---- running -> free ---- */

static void finish_slots(struct vyre_stream *s, struct vyre_stream_chunk *c)
{
	const struct vyre_result *results = s->results + (size_t)(c - s->chunks) * s->params.slots_per_chunk;
	vyre_status status = VYRE_OK;
	for (uint32_t i = 0; i < c->slots && status != VYRE_STOPPED; i++) {
		if (results[i].status == VYRE_SLOT_FAULT)
			status = VYRE_FAULT;
		else if (results[i].status != VYRE_SLOT_DONE)
			status = VYRE_STOPPED;
	}
	s->stopped |= status == VYRE_STOPPED;
	vyre_stream_finish(s, c, status, 0);
}

/* Takes the result of the ticket at `at` if it has ended within timeout_ns. */
static bool take_ticket(struct vyre_stream *s, uint32_t at, uint64_t timeout_ns)
{
	struct vyre_result *result = &s->results[s->owners[at]];
	struct vyre_stream_chunk *c = &s->chunks[s->owners[at] / s->params.slots_per_chunk];
	*result = (struct vyre_result){.status = VYRE_SLOT_EMPTY};
	if (vyre_wait(s->port.ring, s->tickets[at], timeout_ns, result) == VYRE_TIMEOUT)
		return false;
	s->tickets[at] = 0;
	s->running--;
	if (++c->ended == c->slots)
		finish_slots(s, c);
	return true;
}

static void skip_ended(struct vyre_stream *s)
{
	while (s->ticket_head < s->ticket_tail && s->tickets[s->ticket_head] == 0)
		s->ticket_head++;
	if (s->ticket_head == s->ticket_tail)
		s->ticket_head = s->ticket_tail = 0;
}

bool vyre_stream_slots_collect(struct vyre_stream *s, bool all)
{
	uint8_t ended[POLL_WINDOW];
	uint32_t at = s->ticket_head, found = POLL_WINDOW;
	bool moved = false;
	while (at < s->ticket_tail && (all || found == POLL_WINDOW)) {
		uint32_t n = vyre_min32(s->ticket_tail - at, POLL_WINDOW);
		found = vyre_poll_many(s->port.ring, s->tickets + at, n, ended);
		for (uint32_t i = 0; i < n && found; i++) {
			if (ended[i] && s->tickets[at + i])
				moved |= take_ticket(s, at + i, 0);
		}
		at += n;
	}
	skip_ended(s);
	return moved;
}

/* ---- ready -> running ---- */

static void drop_slots(struct vyre_stream *s, uint32_t slots)
{
	s->slot_head += slots;
	if (s->slot_head == s->slot_tail)
		s->slot_head = s->slot_tail = 0;
}

static struct vyre_stream_chunk *pop_ready(struct vyre_stream *s)
{
	struct vyre_stream_chunk *c = &s->chunks[s->ready[s->ready_head]];
	s->ready_head = s->ready_head + 1 == s->params.depth ? 0 : s->ready_head + 1;
	s->ready_count--;
	return c;
}

/* Ends the oldest ready chunk without publishing it. */
static void refuse_ready(struct vyre_stream *s, vyre_status status)
{
	struct vyre_stream_chunk *c = pop_ready(s);
	drop_slots(s, c->slots);
	vyre_stream_finish(s, c, status, 0);
}

/* Makes room for `count` tickets behind the tail: closes the gaps that ended ones left. */
static void reserve_tickets(struct vyre_stream *s, uint32_t count)
{
	uint32_t to = 0;
	if (s->ticket_tail + count <= s->fifo_size)
		return;
	for (uint32_t i = s->ticket_head; i < s->ticket_tail; i++) {
		if (s->tickets[i] == 0)
			continue;
		s->tickets[to] = s->tickets[i];
		s->owners[to++] = s->owners[i];
	}
	s->ticket_head = 0;
	s->ticket_tail = to;
}

/* The oldest ready chunks that one publish takes: their number, and their slots in *slots. */
static uint32_t next_batch(const struct vyre_stream *s, uint32_t *slots)
{
	uint32_t chunks = 0, at = s->ready_head;
	*slots = 0;
	while (chunks < s->ready_count && chunks < s->publish_chunks) {
		uint32_t more = s->chunks[s->ready[at]].slots;
		if (chunks && *slots + more > vyre_min32(PUBLISH_SLOTS, s->port.ring_slots))
			break;
		*slots += more;
		chunks++;
		at = at + 1 == s->params.depth ? 0 : at + 1;
	}
	return chunks;
}

static void run_batch(struct vyre_stream *s, uint32_t chunks, uint32_t slots)
{
	drop_slots(s, slots);
	s->running += slots;
	while (chunks--) {
		struct vyre_stream_chunk *c = pop_ready(s);
		uint32_t first = (uint32_t)(c - s->chunks) * s->params.slots_per_chunk;
		for (uint32_t i = 0; i < c->slots; i++)
			s->owners[s->ticket_tail++] = first + i;
	}
}

bool vyre_stream_slots_publish(struct vyre_stream *s, uint64_t timeout_ns)
{
	bool moved = false;
	while (s->ready_count && !s->stopped) {
		uint32_t slots, chunks = next_batch(s, &slots);
		reserve_tickets(s, slots);
		vyre_status status =
		    vyre_publish(s->port.publisher, s->slots + s->slot_head, slots, timeout_ns ? VYRE_PUBLISH_WAIT : 0,
				 timeout_ns, s->tickets + s->ticket_tail);
		if (status == VYRE_OK) {
			run_batch(s, chunks, slots);
			s->publish_chunks = vyre_min32(2 * s->publish_chunks, PUBLISH_SLOTS);
		} else if (status == VYRE_STOPPED) {
			s->stopped = true;
		} else if (chunks > 1) { /* no room for all, or one of them is refused: one by one */
			s->publish_chunks = 1;
			continue;
		} else if (status == VYRE_FULL || status == VYRE_TIMEOUT) {
			break;
		} else {
			refuse_ready(s, status);
		}
		moved = true;
	}
	while (s->stopped && s->ready_count)
		refuse_ready(s, VYRE_STOPPED);
	return moved;
}

/* ---- whole -> ready ---- */

void vyre_stream_slots_add(struct vyre_stream *s, struct vyre_stream_chunk *c)
{
	uint32_t max = s->params.slots_per_chunk;
	if (s->slot_tail + max > s->fifo_size) {
		s->slot_tail -= s->slot_head;
		memmove(s->slots, s->slots + s->slot_head, s->slot_tail * sizeof *s->slots);
		s->slot_head = 0;
	}
	s->stats.bytes += c->want;
	s->stats.chunks++;
	uint32_t count = s->params.fill(s->params.user, &c->view, s->slots + s->slot_tail, max);
	if (count == 0 || count > max) {
		vyre_status status = VYRE_OK;
		if (count)
			status = vyre_fail(VYRE_INVALID, "raise slots_per_chunk",
					   "fill made %u slots of a chunk, %u are allowed", count, max);
		vyre_stream_finish(s, c, status, 0);
		return;
	}
	c->slots = count;
	s->slot_tail += count;
	uint32_t at = s->ready_head + s->ready_count;
	s->ready[at >= s->params.depth ? at - s->params.depth : at] = (uint32_t)(c - s->chunks);
	s->ready_count++;
}

void vyre_stream_slots_wait(struct vyre_stream *s, uint64_t timeout_ns)
{
	(void)take_ticket(s, s->ticket_head, timeout_ns);
	skip_ended(s);
}

void vyre_stream_slots_drain(struct vyre_stream *s)
{
	for (uint32_t i = s->ticket_head; i < s->ticket_tail; i++) {
		if (s->tickets[i] && vyre_wait(s->port.ring, s->tickets[i], VYRE_FOREVER, NULL) != VYRE_OK)
			continue; /* a fault or a stop is an end as well */
	}
}

bool vyre_stream_slots_alloc(struct vyre_stream *s)
{
	uint32_t depth = s->params.depth, slots = depth * s->params.slots_per_chunk;
	s->fifo_size = 2 * slots; /* twice, so that moving the live half to the front is rare */
	s->publish_chunks = PUBLISH_SLOTS;
	s->results = vyre_mem_alloc(slots * sizeof *s->results);
	s->ready = vyre_mem_alloc(depth * sizeof *s->ready);
	s->slots = vyre_mem_alloc(s->fifo_size * sizeof *s->slots);
	s->tickets = vyre_mem_alloc(s->fifo_size * sizeof *s->tickets);
	s->owners = vyre_mem_alloc(s->fifo_size * sizeof *s->owners);
	return s->results && s->ready && s->slots && s->tickets && s->owners;
}

void vyre_stream_slots_free(struct vyre_stream *s)
{
	vyre_mem_free(s->results);
	vyre_mem_free(s->ready);
	vyre_mem_free(s->slots);
	vyre_mem_free(s->tickets);
	vyre_mem_free(s->owners);
}
