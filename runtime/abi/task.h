/* task.h - continuation tasks: 16 words, a ring slot whose handler may be left and gone on with.
 *
 * The header words (state, op, tenant, priority) lie where a slot's do, and the states have the slot's numbers.
 */
#ifndef VYRE_ABI_TASK_H
#define VYRE_ABI_TASK_H
#include <stdint.h>
#include "assert.h"
#include "ring.h"

#define VYRE_TASK_FIELDS(X) \
	X(STATE,              0, "VYRE_TASK_*") \
	X(OP_HANDLE,          1, "opcode of the handler") \
	X(TENANT,             2, "who asked") \
	X(PRIORITY,           3, "VYRE_PRIORITY_*") \
	X(INPUT,              4, "first argument; first result") \
	X(OUTPUT,             5, "second argument; second result") \
	X(PARAM,              6, "third argument; third result") \
	X(CONTINUATION_PC,    7, "the suspension point to go on from; 0 = the start") \
	X(CONTINUATION_DATA,  8, "the one live word; after a fault: its code") \
	X(RESUME_EPOCH,       9, "Paused: due when (int32_t)(EPOCH - this) >= 0") \
	X(TASK_ID,           10, "the publisher's") \
	X(PARENT_TASK_ID,    11, "of the task that spawned it") \
	X(AGE_TICKS,         12, "rounds of waiting") \
	X(REQUEUE_COUNT,     13, "requeues") \
	X(YIELD_COUNT,       14, "yields") \
	X(FLAGS,             15, "VYRE_TASK_FLAG_*")

#define VYRE_TASK_STATE_LIST(X) \
	X(EMPTY, VYRE_SLOT_EMPTY) X(READY, VYRE_SLOT_PUBLISHED) X(RUNNING, VYRE_SLOT_CLAIMED) X(DONE, VYRE_SLOT_DONE) \
	X(PAUSED, VYRE_SLOT_WAIT_IO) X(YIELDED, VYRE_SLOT_YIELD) X(REQUEUED, VYRE_SLOT_REQUEUE) X(FAULTED, VYRE_SLOT_FAULT)

#define VYRE_TASK_FLAG_LIST(X) X(PAUSED, 1) X(YIELDED, 2) X(REQUEUE_REQUESTED, 4) X(RESUME_READY, 8)

enum {
#define X(name, word, text) VYRE_TASK_WORD_##name = word,
	VYRE_TASK_FIELDS(X)
#undef X
#define X(name, value) VYRE_TASK_##name = value,
	VYRE_TASK_STATE_LIST(X)
#undef X
#define X(name, value) VYRE_TASK_FLAG_##name = value,
	VYRE_TASK_FLAG_LIST(X)
#undef X
	VYRE_TASK_WORDS = VYRE_SLOT_WORDS,
	VYRE_TASK_BYTES = VYRE_SLOT_BYTES,
};

VYRE_STATIC_ASSERT(VYRE_TASK_WORD_FLAGS + 1 == VYRE_TASK_WORDS, "a task is as long as a slot");
VYRE_STATIC_ASSERT(VYRE_TASK_FAULTED == 7 && VYRE_TASK_PAUSED == 4, "states have the slot's numbers");

#endif
