/* debug.h - the debug log read back: a cursor in words, then records of four.
 *
 * Our kernels stop the cursor at the end of the log; vyre 0.6's let it run on, and one record too many then made its own
 * decoder refuse the whole log. So there are two readers: a strict one, and one that takes what is there and says how
 * many records found no room.
 */
#ifndef VYRE_ABI_DEBUG_H
#define VYRE_ABI_DEBUG_H
#include <stdint.h>
#include "ring.h"
#include "words.h"

struct vyre_debug_record {
	uint32_t format, a, b, slot; /* slot: an index */
};

static inline uint64_t vyre_debug_length(uint32_t records)
{
	return vyre_words_length(1 + (uint64_t)VYRE_DEBUG_RECORD_WORDS * records);
}

/* An empty log: kernels want one of VYRE_DEBUG_RECORDS. */
static inline enum vyre_length_error vyre_debug_encode(void *log, uint64_t bytes, uint32_t records)
{
	uint64_t length = vyre_debug_length(records);
	enum vyre_length_error error = vyre_encode_check(bytes, length, records, VYRE_MAX_SLOTS);
	if (!error)
		memset(log, 0, (size_t)length);
	return error;
}

/* Records that lie in the log, and how many found no room. */
static inline enum vyre_length_error vyre_debug_clamp(const void *log, uint64_t bytes, uint32_t *records,
						      uint32_t *dropped)
{
	uint64_t room;
	uint32_t said;
	enum vyre_length_error error = vyre_words_check(bytes, 0, 1);
	if (error)
		return error;
	room = (bytes / 4 - 1) / VYRE_DEBUG_RECORD_WORDS;
	said = vyre_word_get(log, 0) / VYRE_DEBUG_RECORD_WORDS;
	*records = said < room ? said : (uint32_t)room;
	*dropped = said - *records;
	return VYRE_LENGTH_NONE;
}

/* Refuses a cursor that stands in a record, or behind the log. */
static inline enum vyre_length_error vyre_debug_strict(const void *log, uint64_t bytes, uint32_t *records)
{
	uint32_t n, dropped;
	enum vyre_length_error error = vyre_debug_clamp(log, bytes, &n, &dropped);
	if (error)
		return error;
	if (vyre_word_get(log, 0) % VYRE_DEBUG_RECORD_WORDS != 0)
		return VYRE_LENGTH_MISALIGNED;
	if (dropped != 0)
		return VYRE_LENGTH_MISSING_WORD;
	*records = n;
	return VYRE_LENGTH_NONE;
}

/* One of the records that a reader has counted. */
static inline struct vyre_debug_record vyre_debug_get(const void *log, uint32_t index)
{
	uint64_t at = 1 + (uint64_t)VYRE_DEBUG_RECORD_WORDS * index;
	struct vyre_debug_record record;
	record.format = vyre_word_get(log, at);
	record.a = vyre_word_get(log, at + 1);
	record.b = vyre_word_get(log, at + 2);
	record.slot = vyre_word_get(log, at + 3) / VYRE_SLOT_WORDS;
	return record;
}

#endif
