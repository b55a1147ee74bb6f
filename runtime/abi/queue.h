/* queue.h - what a device remembers of slots that do not run: the buffers `frames` and `queue` of a lowered set.
 *
 * `frames` (every feed, where VYRE_HAS_RECORDS)      `queue` (feed live, where VYRE_HAS_QUEUE)
 *   header       32 words                              header       12 lines of 32 words
 *   io table     32 entries x 4 words                  ready rings  5 x (2 x cells) words: {serial, slot index}
 *   records      one of 8 words a slot                 free spawned one bit each, set = in use
 *   free frames  one bit each, set = in use            spawned      16 words a slot, as in the ring
 *   frames       FRAME_WORDS words each
 *
 * Both lie in device memory. The host writes the header's words before the kernel starts and nothing afterwards; every
 * other word is the device's and starts at zero. Slot indices from RING_SLOTS on name spawned slots. A kernel checks the
 * header against the buffers' lengths once, and believes it from then on.
 */
#ifndef VYRE_ABI_QUEUE_H
#define VYRE_ABI_QUEUE_H
#include <stdint.h>
#include "assert.h"
#include "ring.h"

#define VYRE_FRAMES_FIELDS(X) \
	X(RECORDS,      0, "records: slots of the ring, and spawned ones") \
	X(FRAMES,       1, "frames; a suspended slot with more than one live word holds one") \
	X(FRAME_WORDS,  2, "words of a frame; at least the unit's frame_words")

/* Beside io entry i (of those that the device takes, 0 .. 31): what its eight words have no room for. */
#define VYRE_IO_NOTE_FIELDS(X) \
	X(TENANT,         0, "who asks") \
	X(DESTINATION_LO, 1, "byte offset in the destination") \
	X(DESTINATION_HI, 2, "its upper half") \
	X(SLOT,           3, "slot index + 1 that waits; 0 = nobody (a prefetch)")

/* A record: all zero while its slot runs for the first time, or not at all. */
#define VYRE_RECORD_FIELDS(X) \
	X(PC,       0, "the suspension point to go on from; 0 = the start") \
	X(DATA,     1, "the one live word; or index + 1 of the frame") \
	X(WAIT,     2, "VYRE_WAIT_*") \
	X(UNTIL,    3, "WAIT EPOCH: the epoch; IO: the entry + 1; FENCE: places still to look at") \
	X(ORDER,    4, "priority + 1 in the device's order; 0 = by the slot's place") \
	X(AGE,      5, "priority feed: round + 1 since which it waits at this priority") \
	X(CHILDREN, 6, "slots that it spawned and that have not retired; bit 31: it waits for them") \
	X(PARENT,   7, "slot index + 1 of the spawner; 0 = none")

#define VYRE_WAIT_LIST(X) \
	X(NOTHING, 0) X(TURN, 1) X(EPOCH, 2) X(IO, 3) X(CHILDREN, 4) X(FENCE, 5) X(END, 6) X(CANCELLED, 7)

/* A line of 32 words each, so that pushers and poppers of the five rings do not share one. */
#define VYRE_QUEUE_FIELDS(X) \
	X(CELLS,     0, "cells of each ready ring, a power of two, at least the records") \
	X(SPAWNED,   1, "room for spawned slots") \
	X(TAIL,     32, "five words, 64 apart: pushed into the ready ring of each priority") \
	X(HEAD,     64, "five words, 64 apart: popped")

enum {
#define X(name, word, text) VYRE_FRAMES_##name = word,
	VYRE_FRAMES_FIELDS(X)
#undef X
#define X(name, word, text) VYRE_IO_NOTE_##name = word,
	VYRE_IO_NOTE_FIELDS(X)
#undef X
#define X(name, word, text) VYRE_RECORD_##name = word,
	VYRE_RECORD_FIELDS(X)
#undef X
#define X(name, value) VYRE_WAIT_##name = value,
	VYRE_WAIT_LIST(X)
#undef X
#define X(name, word, text) VYRE_QUEUE_##name = word,
	VYRE_QUEUE_FIELDS(X)
#undef X
	VYRE_IO_NOTE_WORDS = 4,
	VYRE_IO_DEVICE_ENTRIES = 32, /* of VYRE_IO_ENTRIES: the device takes these, the host publishes the others */
	VYRE_RECORD_WORDS = 8,
	VYRE_FRAMES_IO = 32, /* first word of the io table */
	VYRE_FRAMES_HEADER_WORDS = 32 + VYRE_IO_DEVICE_ENTRIES * VYRE_IO_NOTE_WORDS, /* the records come next */
	VYRE_QUEUE_HEADER_WORDS = 12 * 32,
	VYRE_QUEUE_STRIDE = 64, /* from one priority's TAIL, or HEAD, to the next */
	VYRE_RECORD_WAITS = INT32_MIN, /* in CHILDREN */
};

/* Words that the buffers need; 64 bits, so that no count overflows. */
static inline uint64_t vyre_frames_words(uint32_t records, uint32_t frames, uint32_t frame_words)
{
	return VYRE_FRAMES_HEADER_WORDS + (uint64_t)records * VYRE_RECORD_WORDS + ((uint64_t)frames + 31) / 32 +
	       (uint64_t)frames * frame_words;
}
static inline uint64_t vyre_queue_words(uint32_t cells, uint32_t spawned)
{
	return VYRE_QUEUE_HEADER_WORDS + (uint64_t)cells * 2 * 5 + ((uint64_t)spawned + 31) / 32 +
	       (uint64_t)spawned * VYRE_SLOT_WORDS;
}
/* The smallest power of two that is at least the records. */
static inline uint32_t vyre_queue_cells(uint32_t records)
{
	uint32_t cells = 2;
	while (cells < records)
		cells *= 2;
	return cells;
}
/* Write the headers into zeroed buffers of at least that many words. */
static inline void vyre_frames_encode(uint32_t *words, uint32_t records, uint32_t frames, uint32_t frame_words)
{
	words[VYRE_FRAMES_RECORDS] = records;
	words[VYRE_FRAMES_FRAMES] = frames;
	words[VYRE_FRAMES_FRAME_WORDS] = frame_words;
}
static inline void vyre_queue_encode(uint32_t *words, uint32_t cells, uint32_t spawned)
{
	words[VYRE_QUEUE_CELLS] = cells;
	words[VYRE_QUEUE_SPAWNED] = spawned;
}

VYRE_STATIC_ASSERT(VYRE_QUEUE_HEAD + 4 * VYRE_QUEUE_STRIDE < VYRE_QUEUE_HEADER_WORDS, "the rings' ends fit the header");

#endif
