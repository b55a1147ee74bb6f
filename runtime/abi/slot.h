/* slot.h - ring slots: which status may follow which, and slots written by a host.
 *
 * A publisher looks at everything before it writes anything, so that a refusal leaves the ring as it was; then every word
 * of the slot, and STATUS last, with release, so that a device that sees PUBLISHED sees the rest. A ring is 64 x slots
 * bytes, in memory aligned for words. Live rings have a publisher of their own (runtime/publish.c): there a place in the
 * ring is reserved, here the caller names it.
 */
#ifndef VYRE_ABI_SLOT_H
#define VYRE_ABI_SLOT_H
#include <stdint.h>
#include "opcode.h"
#include "packed.h"
#include "words.h"

/* ---- moves ------------------------------------------------------------------------------------------------------------ */

#define VYRE_SLOT_IS(name) (1u << VYRE_SLOT_##name)

/*  move         from                                                                                       to */
#define VYRE_SLOT_MOVE_LIST(X) \
	X(PUBLISH,     VYRE_SLOT_IS(EMPTY) | VYRE_SLOT_IS(DONE),                                                PUBLISHED) \
	X(CLAIM,       VYRE_SLOT_IS(PUBLISHED) | VYRE_SLOT_IS(YIELD) | VYRE_SLOT_IS(REQUEUE),                   CLAIMED) \
	X(DONE,        VYRE_SLOT_IS(CLAIMED),                                                                   DONE) \
	X(WAIT,        VYRE_SLOT_IS(CLAIMED),                                                                   WAIT_IO) \
	X(READY,       VYRE_SLOT_IS(WAIT_IO),                                                                   REQUEUE) \
	X(YIELD,       VYRE_SLOT_IS(CLAIMED),                                                                   YIELD) \
	X(REQUEUE,     VYRE_SLOT_IS(CLAIMED),                                                                   REQUEUE) \
	X(FAULT,       VYRE_SLOT_IS(PUBLISHED) | VYRE_SLOT_IS(CLAIMED) | VYRE_SLOT_IS(WAIT_IO) | \
		       VYRE_SLOT_IS(YIELD) | VYRE_SLOT_IS(REQUEUE),                                             FAULT) \
	X(CANCEL,      VYRE_SLOT_IS(PUBLISHED) | VYRE_SLOT_IS(WAIT_IO) | VYRE_SLOT_IS(YIELD) | \
		       VYRE_SLOT_IS(REQUEUE),                                                                   EMPTY) \
	X(ACKNOWLEDGE, VYRE_SLOT_IS(FAULT),                                                                     EMPTY)

enum vyre_slot_move {
#define X(name, from, to) VYRE_MOVE_##name,
	VYRE_SLOT_MOVE_LIST(X)
#undef X
	VYRE_MOVES,
};

/* The status after the move, or -1 where the table has no such move. */
static inline int vyre_slot_after(enum vyre_slot_move move, uint32_t status)
{
	static const struct {
		uint32_t from, to;
	} rows[] = {
#define X(name, from, to) {from, VYRE_SLOT_##to},
	    VYRE_SLOT_MOVE_LIST(X)
#undef X
	};
	if ((uint32_t)move >= VYRE_MOVES || status > VYRE_SLOT_FAULT || !(rows[move].from >> status & 1))
		return -1;
	return (int)rows[move].to;
}

/* Moves a slot that no kernel is looking at; 0 and unchanged where it may not. PUBLISH is for publishers, who look at
 * the other words first. *previous (may be NULL) is the status that was found, either way. */
static inline int vyre_slot_move(uint32_t slot[VYRE_SLOT_WORDS], enum vyre_slot_move move, uint32_t *previous)
{
	uint32_t status = vyre_word_acquire(&slot[VYRE_SLOT_WORD_STATUS]);
	int next = move == VYRE_MOVE_PUBLISH ? -1 : vyre_slot_after(move, status);
	if (previous)
		*previous = status;
	if (next < 0)
		return 0;
	vyre_word_release(&slot[VYRE_SLOT_WORD_STATUS], (uint32_t)next);
	return 1;
}

/* ---- rings ------------------------------------------------------------------------------------------------------------ */

static inline uint64_t vyre_ring_length(uint32_t slots)
{
	return vyre_words_length((uint64_t)slots * VYRE_SLOT_WORDS);
}

/* All slots EMPTY. A ring of none is encoded, and cannot be published into. */
static inline enum vyre_length_error vyre_ring_encode(void *ring, uint64_t bytes, uint32_t slots)
{
	uint64_t length = vyre_ring_length(slots);
	enum vyre_length_error error = vyre_encode_check(bytes, length, slots, VYRE_MAX_SLOTS);
	if (!error)
		memset(ring, 0, (size_t)length);
	return error;
}

/* DONE ones among the first `slots`, all of which must be there. */
static inline enum vyre_length_error vyre_ring_count_done(const void *ring, uint64_t bytes, uint32_t slots,
							  uint32_t *done)
{
	uint32_t i, n = 0;
	if (bytes % VYRE_SLOT_BYTES != 0)
		return VYRE_LENGTH_MISALIGNED;
	if (bytes / VYRE_SLOT_BYTES < slots)
		return VYRE_LENGTH_MISSING_WORD;
	for (i = 0; i < slots; i++)
		n += vyre_word_get(ring, (uint64_t)i * VYRE_SLOT_WORDS) == VYRE_SLOT_DONE;
	*done = n;
	return VYRE_LENGTH_NONE;
}

/* ---- publishing ------------------------------------------------------------------------------------------------------- */

#define VYRE_PUBLISH_ERROR_LIST(X) \
	X(NONE,     0, "no error") \
	X(LENGTH,   1, "the ring is no whole number of 64-byte slots, or empty. Fix: pass the whole ring") \
	X(INDEX,    2, "a slot lies behind the end of the ring. Fix: publish fewer slots, or make a larger ring") \
	X(FLIGHT,   3, "a slot is in flight. Fix: wait until it is DONE, or acknowledge its FAULT") \
	X(OPCODE,   4, "a reserved opcode. Fix: publish a built-in, a user opcode, or a load through its own publisher") \
	X(ARGS,     5, "more than 12 argument words. Fix: pass the rest in a buffer") \
	X(PRIORITY, 6, "a priority above 4. Fix: use 0 critical, 1 high, 2 normal, 3 low or 4 idle") \
	X(PACKED,   7, "a packed slot that no kernel would run. Fix: encode it with vyre_packed_encode") \
	X(PAYLOAD,  8, "more than 10 payload words in a window. Fix: pass the rest in a buffer")

enum vyre_publish_error {
#define X(name, value, text) VYRE_PUBLISH_##name = value,
	VYRE_PUBLISH_ERROR_LIST(X)
#undef X
};

static inline const char *vyre_publish_error_text(enum vyre_publish_error error)
{
	switch (error) {
#define X(name, value, text) \
	case VYRE_PUBLISH_##name: return text;
		VYRE_PUBLISH_ERROR_LIST(X)
#undef X
	}
	return "unknown error";
}

/* What a publisher asks for in one slot. */
struct vyre_slot_request {
	uint32_t opcode, tenant, priority; /* VYRE_PRIORITY_* */
	const uint32_t *args;
	uint32_t arg_count;
};

/* The words of a request but STATUS; arguments that it does not give are 0. */
static inline void vyre_slot_fill(uint32_t slot[VYRE_SLOT_WORDS], const struct vyre_slot_request *request)
{
	uint32_t k;
	slot[VYRE_SLOT_WORD_OPCODE] = request->opcode;
	slot[VYRE_SLOT_WORD_TENANT] = request->tenant;
	slot[VYRE_SLOT_WORD_PRIORITY] = request->priority;
	for (k = 0; k < VYRE_SLOT_ARGS; k++)
		slot[VYRE_SLOT_WORD_ARG0 + k] = k < request->arg_count ? request->args[k] : 0;
}

/* Is the request sound, wherever it goes? */
static inline enum vyre_publish_error vyre_slot_check(const struct vyre_slot_request *request)
{
	uint32_t slot[VYRE_SLOT_WORDS];
	struct vyre_packed packed;
	if (!vyre_opcode_is_publishable(request->opcode))
		return VYRE_PUBLISH_OPCODE;
	if (request->arg_count > VYRE_SLOT_ARGS)
		return VYRE_PUBLISH_ARGS;
	if (request->priority > VYRE_PRIORITY_IDLE)
		return VYRE_PUBLISH_PRIORITY;
	if (request->opcode != VYRE_OPCODE_PACKED_SLOT)
		return VYRE_PUBLISH_NONE;
	vyre_slot_fill(slot, request);
	return vyre_packed_decode(&slot[VYRE_SLOT_WORD_ARG0], NULL, &packed) ? VYRE_PUBLISH_PACKED : VYRE_PUBLISH_NONE;
}

/* Are slots first .. first + count - 1 there, and free? */
static inline enum vyre_publish_error vyre_ring_check(const uint32_t *ring, uint64_t bytes, uint64_t first,
						      uint64_t count)
{
	uint64_t slots = bytes / VYRE_SLOT_BYTES, i;
	if (bytes == 0 || bytes % VYRE_SLOT_BYTES != 0)
		return VYRE_PUBLISH_LENGTH;
	if (first > slots || count > slots - first)
		return VYRE_PUBLISH_INDEX;
	for (i = first; i < first + count; i++)
		if (vyre_slot_after(VYRE_MOVE_PUBLISH, vyre_word_acquire(&ring[i * VYRE_SLOT_WORDS])) < 0)
			return VYRE_PUBLISH_FLIGHT;
	return VYRE_PUBLISH_NONE;
}

/* Writes a request that has been checked into a slot that has been checked. */
static inline void vyre_slot_store(uint32_t *ring, uint64_t index, const struct vyre_slot_request *request)
{
	uint32_t *slot = &ring[index * VYRE_SLOT_WORDS];
	vyre_slot_fill(slot, request);
	vyre_word_release(&slot[VYRE_SLOT_WORD_STATUS], VYRE_SLOT_PUBLISHED);
}

/* Requests into slots first .. first + count - 1: all or none. */
static inline enum vyre_publish_error vyre_publish_slots(uint32_t *ring, uint64_t bytes, uint64_t first,
							 const struct vyre_slot_request *requests, uint64_t count)
{
	uint64_t i;
	enum vyre_publish_error error = vyre_ring_check(ring, bytes, first, count);
	for (i = 0; !error && i < count; i++)
		error = vyre_slot_check(&requests[i]);
	for (i = 0; !error && i < count; i++)
		vyre_slot_store(ring, first + i, &requests[i]);
	return error;
}

static inline enum vyre_publish_error vyre_publish_slot(uint32_t *ring, uint64_t bytes, uint64_t index,
							const struct vyre_slot_request *request)
{
	return vyre_publish_slots(ring, bytes, index, request, 1);
}

/* The requests, then a BATCH_FENCE over them: all or none. The fence says `tag` when they have retired. count + 1 slots
 * are taken. */
static inline enum vyre_publish_error vyre_publish_batch(uint32_t *ring, uint64_t bytes, uint64_t first,
							 uint32_t tenant, const struct vyre_slot_request *requests,
							 uint32_t count, uint32_t tag)
{
	const uint32_t args[2] = {count, tag};
	const struct vyre_slot_request fence = {VYRE_OPCODE_BATCH_FENCE, tenant, VYRE_PRIORITY_NORMAL, args, 2};
	enum vyre_publish_error error = vyre_ring_check(ring, bytes, first, (uint64_t)count + 1);
	if (!error)
		error = vyre_publish_slots(ring, bytes, first, requests, count);
	if (!error)
		vyre_slot_store(ring, first + count, &fence);
	return error;
}

#endif
