/* io.h - the io queue as a host sees it: up to 64 entries of eight words.
 *
 *   the asker    EMPTY -> PUBLISHED, the other words first
 *   the server   PUBLISHED -> CLAIMED -> OK or ERROR
 *   the asker    reads the outcome, then EMPTY again
 *
 * An entry has one owner at a time, and its STATUS says who. Several host threads may claim: a claim is a
 * compare-exchange in host memory. ERROR carries errno in OFFSET_LO and the bytes done in BYTE_COUNT; TAG is the asker's.
 */
#ifndef VYRE_ABI_IO_H
#define VYRE_ABI_IO_H
#include <stdint.h>
#include "ring.h"
#include "words.h"

/* What an id of the capability table allows. */
#define VYRE_IO_RIGHT_LIST(X) X(READ, 1) X(WRITE, 2)
enum {
#define X(name, value) VYRE_IO_RIGHT_##name = value,
	VYRE_IO_RIGHT_LIST(X)
#undef X
};

#define VYRE_IO_ERROR_LIST(X) \
	X(NONE,      0, "no error") \
	X(LENGTH,    1, "the io queue is not 1 to 64 whole 32-byte entries. Fix: pass the whole queue") \
	X(INDEX,     2, "an entry lies behind the end of the queue. Fix: use entries below its length") \
	X(OCCUPIED,  3, "the entry is not EMPTY. Fix: wait until its asker has taken the outcome") \
	X(UNCLAIMED, 4, "an entry to be completed is not CLAIMED. Fix: claim it first, and complete it once") \
	X(PENDING,   5, "the entry has no outcome yet. Fix: wait until its status is OK or ERROR") \
	X(OP,        6, "the op is none of READ, WRITE and FENCE. Fix: use one of these")

enum vyre_io_error {
#define X(name, value, text) VYRE_IO_ERROR_##name = value,
	VYRE_IO_ERROR_LIST(X)
#undef X
};

static inline const char *vyre_io_error_text(enum vyre_io_error error)
{
	switch (error) {
#define X(name, value, text) \
	case VYRE_IO_ERROR_##name: return text;
		VYRE_IO_ERROR_LIST(X)
#undef X
	}
	return "unknown error";
}

struct vyre_io_request {
	uint32_t entry, op; /* VYRE_IO_OP_* */
	uint32_t src, dst;
	uint64_t offset;
	uint32_t bytes, tag;
};

struct vyre_io_completion {
	uint32_t entry;
	uint32_t error;	     /* errno; 0 = all bytes are done */
	uint32_t bytes_done; /* with an error */
};

/* ---- lengths ---------------------------------------------------------------------------------------------------------- */

static inline uint64_t vyre_io_length(uint32_t entries)
{
	return entries >= 1 && entries <= VYRE_IO_ENTRIES ? (uint64_t)entries * 4 * VYRE_IO_ENTRY_WORDS : VYRE_NO_LENGTH;
}

/* All entries EMPTY. */
static inline enum vyre_length_error vyre_io_encode(void *queue, uint64_t bytes, uint32_t entries)
{
	uint64_t length = vyre_io_length(entries);
	enum vyre_length_error error = vyre_encode_check(bytes, length, entries, VYRE_IO_ENTRIES);
	if (!error)
		memset(queue, 0, (size_t)length);
	return error;
}

static inline enum vyre_io_error vyre_io_view(uint64_t bytes, uint32_t *entries)
{
	if (bytes == 0 || bytes % (4 * VYRE_IO_ENTRY_WORDS) != 0 || bytes > 4 * VYRE_IO_WORDS)
		return VYRE_IO_ERROR_LENGTH;
	*entries = (uint32_t)(bytes / (4 * VYRE_IO_ENTRY_WORDS));
	return VYRE_IO_ERROR_NONE;
}

/* An entry that is there. */
static inline enum vyre_io_error vyre_io_index(uint64_t bytes, uint32_t entry)
{
	uint32_t entries = 0;
	enum vyre_io_error error = vyre_io_view(bytes, &entries);
	return error ? error : entry < entries ? VYRE_IO_ERROR_NONE : VYRE_IO_ERROR_INDEX;
}

static inline uint32_t *vyre_io_status(uint32_t *queue, uint32_t entry)
{
	return &queue[entry * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS];
}

/* ---- the server ------------------------------------------------------------------------------------------------------- */

static inline struct vyre_io_request vyre_io_request_at(const uint32_t *queue, uint32_t entry)
{
	const uint32_t *words = &queue[entry * VYRE_IO_ENTRY_WORDS];
	struct vyre_io_request request;
	request.entry = entry;
	request.op = words[VYRE_IO_WORD_OP];
	request.src = words[VYRE_IO_WORD_SRC_HANDLE];
	request.dst = words[VYRE_IO_WORD_DST_HANDLE];
	request.offset = words[VYRE_IO_WORD_OFFSET_LO] | (uint64_t)words[VYRE_IO_WORD_OFFSET_HI] << 32;
	request.bytes = words[VYRE_IO_WORD_BYTE_COUNT];
	request.tag = words[VYRE_IO_WORD_TAG];
	return request;
}

/* The PUBLISHED entries, unchanged. */
static inline enum vyre_io_error vyre_io_poll(uint32_t *queue, uint64_t bytes,
					      struct vyre_io_request out[VYRE_IO_ENTRIES], uint32_t *count)
{
	uint32_t entries = 0, i, n = 0;
	enum vyre_io_error error = vyre_io_view(bytes, &entries);
	if (error)
		return error;
	for (i = 0; i < entries; i++)
		if (vyre_word_acquire(vyre_io_status(queue, i)) == VYRE_SLOT_PUBLISHED)
			out[n++] = vyre_io_request_at(queue, i);
	*count = n;
	return VYRE_IO_ERROR_NONE;
}

/* The PUBLISHED entries, CLAIMED from now on: each goes to one caller. */
static inline enum vyre_io_error vyre_io_claim(uint32_t *queue, uint64_t bytes,
					       struct vyre_io_request out[VYRE_IO_ENTRIES], uint32_t *count)
{
	uint32_t entries = 0, i, n = 0;
	enum vyre_io_error error = vyre_io_view(bytes, &entries);
	if (error)
		return error;
	for (i = 0; i < entries; i++) {
		uint32_t seen = VYRE_SLOT_PUBLISHED;
		if (__atomic_compare_exchange_n(vyre_io_status(queue, i), &seen, VYRE_SLOT_CLAIMED, 0, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			out[n++] = vyre_io_request_at(queue, i);
	}
	*count = n;
	return VYRE_IO_ERROR_NONE;
}

static inline void vyre_io_store_outcome(uint32_t *queue, const struct vyre_io_completion *done)
{
	uint32_t *words = &queue[done->entry * VYRE_IO_ENTRY_WORDS];
	if (done->error) {
		words[VYRE_IO_WORD_OFFSET_LO] = done->error;
		words[VYRE_IO_WORD_BYTE_COUNT] = done->bytes_done;
	}
	vyre_word_release(&words[VYRE_IO_WORD_STATUS], done->error ? VYRE_IO_STATUS_ERROR : VYRE_IO_STATUS_OK);
}

/* All or none: each entry must be CLAIMED, and named once. Success changes STATUS alone. */
static inline enum vyre_io_error vyre_io_complete_batch(uint32_t *queue, uint64_t bytes,
							const struct vyre_io_completion *done, uint32_t count)
{
	uint64_t named = 0;
	uint32_t i;
	for (i = 0; i < count; i++) {
		uint32_t entry = done[i].entry;
		enum vyre_io_error error = vyre_io_index(bytes, entry);
		if (error)
			return error;
		if ((named >> entry & 1) != 0 || vyre_word_acquire(vyre_io_status(queue, entry)) != VYRE_SLOT_CLAIMED)
			return VYRE_IO_ERROR_UNCLAIMED;
		named |= UINT64_C(1) << entry;
	}
	for (i = 0; i < count; i++)
		vyre_io_store_outcome(queue, &done[i]);
	return VYRE_IO_ERROR_NONE;
}

static inline enum vyre_io_error vyre_io_complete(uint32_t *queue, uint64_t bytes, struct vyre_io_completion done)
{
	return vyre_io_complete_batch(queue, bytes, &done, 1);
}

/* ---- the asker -------------------------------------------------------------------------------------------------------- */

static inline enum vyre_io_error vyre_io_publish(uint32_t *queue, uint64_t bytes, const struct vyre_io_request *request)
{
	uint32_t *words;
	enum vyre_io_error error = vyre_io_index(bytes, request->entry);
	if (error)
		return error;
	if (request->op < VYRE_IO_OP_READ || request->op > VYRE_IO_OP_FENCE)
		return VYRE_IO_ERROR_OP;
	words = &queue[request->entry * VYRE_IO_ENTRY_WORDS];
	if (vyre_word_acquire(&words[VYRE_IO_WORD_STATUS]) != VYRE_SLOT_EMPTY)
		return VYRE_IO_ERROR_OCCUPIED;
	words[VYRE_IO_WORD_OP] = request->op;
	words[VYRE_IO_WORD_SRC_HANDLE] = request->src;
	words[VYRE_IO_WORD_DST_HANDLE] = request->dst;
	words[VYRE_IO_WORD_OFFSET_LO] = (uint32_t)request->offset;
	words[VYRE_IO_WORD_OFFSET_HI] = (uint32_t)(request->offset >> 32);
	words[VYRE_IO_WORD_BYTE_COUNT] = request->bytes;
	words[VYRE_IO_WORD_TAG] = request->tag;
	vyre_word_release(&words[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED);
	return VYRE_IO_ERROR_NONE;
}

enum { VYRE_IO_ERRNO_UNKNOWN = 5 }; /* EIO: a server that says ERROR and not why */

/* Takes the outcome and frees the entry; PENDING while there is none. */
static inline enum vyre_io_error vyre_io_take(uint32_t *queue, uint64_t bytes, uint32_t entry,
					      struct vyre_io_completion *done)
{
	uint32_t *words, status;
	enum vyre_io_error error = vyre_io_index(bytes, entry);
	if (error)
		return error;
	words = &queue[entry * VYRE_IO_ENTRY_WORDS];
	status = vyre_word_acquire(&words[VYRE_IO_WORD_STATUS]);
	if (status != VYRE_IO_STATUS_OK && status != VYRE_IO_STATUS_ERROR)
		return VYRE_IO_ERROR_PENDING;
	done->entry = entry;
	done->error = status == VYRE_IO_STATUS_ERROR ? words[VYRE_IO_WORD_OFFSET_LO] : 0;
	if (status == VYRE_IO_STATUS_ERROR && done->error == 0)
		done->error = VYRE_IO_ERRNO_UNKNOWN;
	done->bytes_done = words[VYRE_IO_WORD_BYTE_COUNT];
	vyre_word_release(&words[VYRE_IO_WORD_STATUS], VYRE_SLOT_EMPTY);
	return VYRE_IO_ERROR_NONE;
}

#endif
