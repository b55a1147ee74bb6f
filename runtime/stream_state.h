/* stream_state.h - private to stream*.c: the stream itself, and how its two halves meet.
 *
 * stream.c moves chunks from free to whole (files); stream_slots.c from whole to free (the ring).
 */
#ifndef VYRE_STREAM_STATE_H
#define VYRE_STREAM_STATE_H
#include "stream.h"

struct vyre_stream_range {
	struct vyre_stream_range *next;
	struct vyre_stream_file file;
	int32_t number; /* the engine's, of the descriptor that most reads use; -1 = none */
	uint64_t id, next_index;
	uint64_t position, end; /* what has no chunk yet */
	uint64_t eof;		/* a read found the file's end here */
	uint32_t live;		/* chunks not done */
	bool queued;		/* still in the stream's list */
	bool direct;		/* reads past the page cache where alignment allows */
};

struct vyre_stream_chunk {
	struct vyre_stream_read read;
	struct vyre_stream_range *range; /* NULL = free */
	struct vyre_chunk view;
	uint32_t want; /* bytes when it is whole; view.bytes have arrived */
	uint32_t tries;
	uint32_t slots, ended;
};

struct vyre_stream {
	struct vyre_stream_params params;
	struct vyre_stream_engine *engine;
	struct vyre_stream_pool pool;
	struct vyre_stream_port port; /* ring and memory, held */
	char name[64];
	bool pumping, stopped;
	uint32_t direct_refused;
	struct vyre_stream_range *ranges, **ranges_end; /* those with bytes that have no chunk yet */

	struct vyre_stream_chunk *chunks;
	struct vyre_result *results; /* slots_per_chunk a chunk */
	uint32_t *free, free_count;  /* a stack: the chunk used last is still in the cache */
	struct vyre_stream_read **batch;
	uint32_t reading;

	uint32_t *ready, ready_head, ready_count; /* a ring of `depth` chunk numbers */
	struct vyre_slot *slots;		  /* of ready chunks, in that order: [slot_head, slot_tail) */
	uint32_t slot_head, slot_tail, fifo_size;
	uint32_t publish_chunks; /* how many to try at once; falls to 1 when the ring is full */

	vyre_ticket *tickets; /* [ticket_head, ticket_tail), in order of publication; 0 = ended */
	uint32_t *owners;     /* chunk x slots_per_chunk + slot */
	uint32_t ticket_head, ticket_tail, running, turns;

	struct vyre_stream_stats stats;
};

static inline uint64_t vyre_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint32_t vyre_min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* stream.c: the chunk's one done call; it is free afterwards. `results` as many as have ended. */
void vyre_stream_finish(struct vyre_stream *s, struct vyre_stream_chunk *c, vyre_status status, int error);

/* stream_slots.c */
bool vyre_stream_slots_alloc(struct vyre_stream *s);
void vyre_stream_slots_free(struct vyre_stream *s);
/* All bytes of the chunk are there: asks for its slots and queues them. */
void vyre_stream_slots_add(struct vyre_stream *s, struct vyre_stream_chunk *c);
/* Publishes what the ring takes; waits up to timeout_ns for the first room. True: something moved. */
bool vyre_stream_slots_publish(struct vyre_stream *s, uint64_t timeout_ns);
/* Finishes chunks whose slots have ended. all: looks at every ticket, not only the oldest. */
bool vyre_stream_slots_collect(struct vyre_stream *s, bool all);
/* Waits up to timeout_ns for the oldest slot. */
void vyre_stream_slots_wait(struct vyre_stream *s, uint64_t timeout_ns);
/* Waits until no slot is in flight; no done calls. */
void vyre_stream_slots_drain(struct vyre_stream *s);

#endif
