/* queue.h - what a device remembers of slots that do not run: the buffers `frames` and `queue` of a lowered set.
 *
 * `frames` (every feed, where VYRE_HAS_RECORDS)      `queue` (feed live, where VYRE_HAS_QUEUE)
 *   header       32 words                              header       4 lines of 32 words
 *   io table     32 entries x 4 words                  rings        7 x (2 x cells) words: {serial, slot index}
 *   records      one of 16 words a slot                spawned      16 words a slot, as in the ring
 *   free frames  one bit each, set = in use            free spawned one bit each, set = in use
 *   frames       FRAME_WORDS words each
 *
 * Both lie in device memory. The host writes the first words of the header before the kernel starts and nothing
 * afterwards; every other word is the device's and starts at zero. Slot indices from RING_SLOTS on name spawned slots.
 * A kernel checks the header against the buffers' lengths once, and believes it from then on.
 */
#ifndef VYRE_ABI_QUEUE_H
#define VYRE_ABI_QUEUE_H
#include <stdint.h>
#include "assert.h"
#include "ring.h"

#define VYRE_FRAMES_FIELDS(X) \
	X(RECORDS,      0, "records: slots of the ring, and spawned ones") \
	X(FRAMES,       1, "frames; a suspended slot with more live words than its record has room for holds one") \
	X(FRAME_WORDS,  2, "words of a frame; at least the unit's frame_words") \
	/* the device's */ \
	X(ROUND,       16, "priority feed: rounds of its fastest worker, the clock of AGE") \
	X(MOVED_ALL,   17, "priority feed: slots that wait and whose ORDER is set") \
	X(MOVED,       18, "priority feed: five words, those of MOVED_ALL by their ORDER") \
	X(TASK_SERIAL, 23, "tasks feed: tasks that handlers have spawned, for their ids") \
	X(IO_BUSY,     24, "mailbox kernels: a bit an io entry that a worker has in hands")

/* Beside io entry i (of those that the device takes, 0 .. 31): what its eight words have no room for. */
#define VYRE_IO_NOTE_FIELDS(X) \
	X(TENANT,         0, "who asks") \
	X(DESTINATION_LO, 1, "byte offset in the destination") \
	X(DESTINATION_HI, 2, "its upper half") \
	X(SLOT,           3, "slot index + 1 that waits; 0 = nobody (a prefetch)")

/* A record: all zero while its slot runs for the first time, or not at all. A line each: neighbours run elsewhere. */
#define VYRE_RECORD_FIELDS(X) \
	X(PC,       0, "the suspension point to go on from; 0 = the start") \
	X(CANCEL,   1, "nonzero: ends as FAULT 9 when it is run next") \
	X(WAIT,     2, "VYRE_WAIT_*; IO: and the entry + 1, times 256") \
	X(UNTIL,    3, "WAIT EPOCH: the epoch; FENCE: places still to look at; END: the fault's detail") \
	X(ORDER,    4, "priority + 1 in the device's order; 0 = by the slot's place") \
	X(AGE,      5, "priority feed: round + 1 since which it waits at this priority") \
	X(CHILDREN, 6, "slots that it spawned and that have not retired; bit 31: it waits for them") \
	X(PARENT,   7, "slot index + 1 of the spawner; 0 = none") \
	X(FRAME,    8, "index + 1 of its frame; 0 = none") \
	X(DATA,     9, "the first live words: one, or up to seven with the request's; WAIT END: the fault code") \
	X(REQUEST, 10, "six words, VYRE_REQUEST_*: what to ask the host for when an io entry is free")

#define VYRE_REQUEST_FIELDS(X) \
	X(SOURCE,      0, "id in the capability table; 0 = nothing to ask for") \
	X(DESTINATION, 1, "id in the capability table") \
	X(OFFSET_LO,   2, "in the source") \
	X(OFFSET_HI,   3, "its upper half") \
	X(BYTES,       4, "0 = all of it") \
	X(INTO,        5, "byte offset in the destination")

#define VYRE_WAIT_LIST(X) \
	X(NOTHING, 0) X(TURN, 1) X(EPOCH, 2) X(IO, 3) X(CHILDREN, 4) X(FENCE, 5) X(END, 6) X(ENTRY, 7)

/* A row of io_table, a buffer of kernels that serve io (VYRE_HAS_SERVICE): what a handle of a host's entry allows. SRC
 * names a range of the buffer io_source, DST one of io_destination. The host writes it before the kernel starts. */
#define VYRE_IO_TABLE_FIELDS(X) \
	X(BASE_LO, 0, "where the range begins in its buffer, bytes") \
	X(BASE_HI, 1, "its upper half") \
	X(BYTES,   2, "its length") \
	X(RIGHTS,  3, "VYRE_IO_RIGHT_*: READ as a source, WRITE as a destination")

/* Rings 0 .. 4 hold what may go on, by priority; the others what is held back: MASKED slots of masked tenants, LIMITED
 * slots over their tenant's quota and fences that wait. The seven words of a row lie in one line. */
#define VYRE_QUEUE_FIELDS(X) \
	X(CELLS,     0, "cells of each ring, a power of two, at least the records") \
	X(SPAWNED,   1, "room for spawned slots") \
	X(TAIL,     32, "seven words, one a ring: pushed") \
	X(HEAD,     64, "seven words, one a ring: popped") \
	X(PAUSED,   96, "slots that wait for an epoch")

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
#define X(name, word, text) VYRE_REQUEST_##name = word,
	VYRE_REQUEST_FIELDS(X)
#undef X
#define X(name, word, text) VYRE_IO_TABLE_##name = word,
	VYRE_IO_TABLE_FIELDS(X)
#undef X
	VYRE_IO_TABLE_WORDS = 4,
#define X(name, value) VYRE_WAIT_##name = value,
	VYRE_WAIT_LIST(X)
#undef X
#define X(name, word, text) VYRE_QUEUE_##name = word,
	VYRE_QUEUE_FIELDS(X)
#undef X
	VYRE_IO_NOTE_WORDS = 4,
	VYRE_IO_DEVICE_ENTRIES = 32, /* of VYRE_IO_ENTRIES: the device takes these, the host publishes the others */
	VYRE_RECORD_WORDS = 16,
	VYRE_FRAMES_IO = 32, /* first word of the io table */
	VYRE_FRAMES_HEADER_WORDS = 32 + VYRE_IO_DEVICE_ENTRIES * VYRE_IO_NOTE_WORDS, /* the records come next */
	VYRE_QUEUE_HEADER_WORDS = 4 * 32,
	VYRE_QUEUE_READY = 5, /* rings of what may go on */
	VYRE_QUEUE_MASKED = 5,
	VYRE_QUEUE_LIMITED = 6,
	VYRE_QUEUE_RINGS = 7,
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
	return VYRE_QUEUE_HEADER_WORDS + (uint64_t)cells * 2 * VYRE_QUEUE_RINGS + ((uint64_t)spawned + 31) / 32 +
	       (uint64_t)spawned * VYRE_SLOT_WORDS;
}
/* The smallest power of two that is at least the records; from 8 on the spawned slots begin with a line. */
static inline uint32_t vyre_queue_cells(uint32_t records)
{
	uint32_t cells = 8;
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

VYRE_STATIC_ASSERT((int)VYRE_RECORD_REQUEST + VYRE_REQUEST_INTO < VYRE_RECORD_WORDS, "a request fits its record");

#endif
