/* task.h - continuation tasks: 16 words, a ring slot whose handler may be left and gone on with.
 *
 * The header words (state, op, tenant, priority) lie where a slot's do, and the states have the slot's numbers.
 * The six moves below are the host's, on a task that no kernel looks at; they change all of their words or, after an
 * error, none. (On the device a claim sets Running first: passes/mega/tasks.vyre.)
 */
#ifndef VYRE_ABI_TASK_H
#define VYRE_ABI_TASK_H
#include <stdint.h>
#include "assert.h"
#include "ring.h"
#include "words.h"
#include "work.h"

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

/* ---- errors ----------------------------------------------------------------------------------------------------------- */

#define VYRE_TASK_ERROR_LIST(X) \
	X(NONE,     0, "no error") \
	X(STATE,    1, "the move is not one from this state. Fix: look at the state first; Empty, Done and Faulted are ends, " \
		       "and only Paused resumes") \
	X(UNKNOWN,  2, "the state is none of the eight. Fix: look for who writes over the task's words") \
	X(COUNTER,  3, "a counter of the task is at its maximum. Fix: complete the task, and publish its rest as a new one") \
	X(PRIORITY, 4, "a priority above 4. Fix: use 0 critical, 1 high, 2 normal, 3 low or 4 idle") \
	X(LENGTH,   5, "the tasks are no whole number of 64-byte slots. Fix: pass the whole ring") \
	X(TOTAL,    6, "the requeues of all tasks and of the request do not fit 64 bits. Fix: drain the ring first")

enum vyre_task_error {
#define X(name, value, text) VYRE_TASK_ERROR_##name = value,
	VYRE_TASK_ERROR_LIST(X)
#undef X
};

static inline const char *vyre_task_error_text(enum vyre_task_error error)
{
	switch (error) {
#define X(name, value, text) \
	case VYRE_TASK_ERROR_##name: return text;
		VYRE_TASK_ERROR_LIST(X)
#undef X
	}
	return "unknown error";
}

/* ---- states ----------------------------------------------------------------------------------------------------------- */

/* Would a scheduler take it? An unknown state never runs. */
static inline int vyre_task_is_schedulable(uint32_t state)
{
	return state == VYRE_TASK_READY || state == VYRE_TASK_YIELDED || state == VYRE_TASK_REQUEUED;
}

/* Ready, Running, Paused, Yielded, Requeued: the states that every move but resume starts from. */
static inline enum vyre_task_error vyre_task_check_unended(uint32_t state)
{
	if (state > VYRE_TASK_FAULTED)
		return VYRE_TASK_ERROR_UNKNOWN;
	return state == VYRE_TASK_EMPTY || state == VYRE_TASK_DONE || state == VYRE_TASK_FAULTED ? VYRE_TASK_ERROR_STATE
												 : VYRE_TASK_ERROR_NONE;
}

static inline void vyre_task_continue_at(uint32_t *task, uint32_t pc, uint32_t data)
{
	task[VYRE_TASK_WORD_CONTINUATION_PC] = pc;
	task[VYRE_TASK_WORD_CONTINUATION_DATA] = data;
}

/* ---- the six moves ---------------------------------------------------------------------------------------------------- */

static inline enum vyre_task_error vyre_task_pause(uint32_t task[VYRE_TASK_WORDS], uint32_t pc, uint32_t data,
						   uint32_t epoch)
{
	enum vyre_task_error error = vyre_task_check_unended(task[VYRE_TASK_WORD_STATE]);
	if (error)
		return error;
	vyre_task_continue_at(task, pc, data);
	task[VYRE_TASK_WORD_RESUME_EPOCH] = epoch;
	task[VYRE_TASK_WORD_FLAGS] |= VYRE_TASK_FLAG_PAUSED;
	task[VYRE_TASK_WORD_FLAGS] &= ~(uint32_t)VYRE_TASK_FLAG_RESUME_READY;
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_PAUSED;
	return VYRE_TASK_ERROR_NONE;
}

static inline enum vyre_task_error vyre_task_resume(uint32_t task[VYRE_TASK_WORDS])
{
	if (task[VYRE_TASK_WORD_STATE] > VYRE_TASK_FAULTED)
		return VYRE_TASK_ERROR_UNKNOWN;
	if (task[VYRE_TASK_WORD_STATE] != VYRE_TASK_PAUSED)
		return VYRE_TASK_ERROR_STATE;
	task[VYRE_TASK_WORD_FLAGS] |= VYRE_TASK_FLAG_RESUME_READY;
	task[VYRE_TASK_WORD_FLAGS] &= ~(uint32_t)(VYRE_TASK_FLAG_PAUSED | VYRE_TASK_FLAG_YIELDED);
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_READY;
	return VYRE_TASK_ERROR_NONE;
}

static inline enum vyre_task_error vyre_task_yield(uint32_t task[VYRE_TASK_WORDS], uint32_t pc, uint32_t data)
{
	enum vyre_task_error error = vyre_task_check_unended(task[VYRE_TASK_WORD_STATE]);
	if (error)
		return error;
	if (task[VYRE_TASK_WORD_YIELD_COUNT] == UINT32_MAX)
		return VYRE_TASK_ERROR_COUNTER;
	vyre_task_continue_at(task, pc, data);
	task[VYRE_TASK_WORD_YIELD_COUNT]++;
	task[VYRE_TASK_WORD_FLAGS] |= VYRE_TASK_FLAG_YIELDED;
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_YIELDED;
	return VYRE_TASK_ERROR_NONE;
}

static inline enum vyre_task_error vyre_task_requeue(uint32_t task[VYRE_TASK_WORDS], uint32_t pc, uint32_t data,
						     uint32_t priority)
{
	enum vyre_task_error error = vyre_task_check_unended(task[VYRE_TASK_WORD_STATE]);
	if (error)
		return error;
	if (priority > VYRE_PRIORITY_IDLE)
		return VYRE_TASK_ERROR_PRIORITY;
	if (task[VYRE_TASK_WORD_REQUEUE_COUNT] == UINT32_MAX || task[VYRE_TASK_WORD_AGE_TICKS] == UINT32_MAX)
		return VYRE_TASK_ERROR_COUNTER;
	vyre_task_continue_at(task, pc, data);
	task[VYRE_TASK_WORD_PRIORITY] = priority;
	task[VYRE_TASK_WORD_REQUEUE_COUNT]++;
	task[VYRE_TASK_WORD_AGE_TICKS]++;
	task[VYRE_TASK_WORD_FLAGS] |= VYRE_TASK_FLAG_REQUEUE_REQUESTED;
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_REQUEUED;
	return VYRE_TASK_ERROR_NONE;
}

static inline enum vyre_task_error vyre_task_complete(uint32_t task[VYRE_TASK_WORDS])
{
	enum vyre_task_error error = vyre_task_check_unended(task[VYRE_TASK_WORD_STATE]);
	if (error)
		return error;
	task[VYRE_TASK_WORD_FLAGS] = 0;
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_DONE;
	return VYRE_TASK_ERROR_NONE;
}

/* pc and flags stay: they say where it was. */
static inline enum vyre_task_error vyre_task_fault(uint32_t task[VYRE_TASK_WORDS], uint32_t code)
{
	enum vyre_task_error error = vyre_task_check_unended(task[VYRE_TASK_WORD_STATE]);
	if (error)
		return error;
	task[VYRE_TASK_WORD_CONTINUATION_DATA] = code;
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_FAULTED;
	return VYRE_TASK_ERROR_NONE;
}

/* ---- from work items, to launches ---------------------------------------------------------------------------------------- */

/* A Ready task; words 7 .. 15 are zero but its id. The default priority is VYRE_PRIORITY_NORMAL. */
static inline void vyre_task_from_item(const struct vyre_work_item *item, uint32_t task_id, uint32_t tenant,
				       uint32_t priority, uint32_t task[VYRE_TASK_WORDS])
{
	memset(task, 0, VYRE_TASK_BYTES);
	task[VYRE_TASK_WORD_STATE] = VYRE_TASK_READY;
	task[VYRE_TASK_WORD_OP_HANDLE] = item->op_handle;
	task[VYRE_TASK_WORD_TENANT] = tenant;
	task[VYRE_TASK_WORD_PRIORITY] = priority;
	task[VYRE_TASK_WORD_INPUT] = item->input_handle;
	task[VYRE_TASK_WORD_OUTPUT] = item->output_handle;
	task[VYRE_TASK_WORD_PARAM] = item->param;
	task[VYRE_TASK_WORD_TASK_ID] = task_id;
}

/* Tasks by state, Empty and Done ones not counted; and what all of them, these too, have been through. */
struct vyre_task_snapshot {
	uint32_t ready, running, paused, yielded, requeued, faulted;
	uint64_t requeues;    /* of all tasks together */
	uint32_t max_age;     /* ticks, of the oldest */
};

static inline enum vyre_task_error vyre_task_count(struct vyre_task_snapshot *s, uint32_t state)
{
	switch (state) {
	case VYRE_TASK_EMPTY:
	case VYRE_TASK_DONE: break;
	case VYRE_TASK_READY: s->ready++; break;
	case VYRE_TASK_RUNNING: s->running++; break;
	case VYRE_TASK_PAUSED: s->paused++; break;
	case VYRE_TASK_YIELDED: s->yielded++; break;
	case VYRE_TASK_REQUEUED: s->requeued++; break;
	case VYRE_TASK_FAULTED: s->faulted++; break;
	default: return VYRE_TASK_ERROR_UNKNOWN;
	}
	return VYRE_TASK_ERROR_NONE;
}

/* *out is untouched after an error. */
static inline enum vyre_task_error vyre_task_take_snapshot(const void *tasks, uint64_t bytes,
							   struct vyre_task_snapshot *out)
{
	struct vyre_task_snapshot s;
	uint64_t i;
	memset(&s, 0, sizeof s);
	if (bytes % VYRE_TASK_BYTES != 0 || bytes / VYRE_TASK_BYTES > UINT32_MAX)
		return VYRE_TASK_ERROR_LENGTH;
	for (i = 0; i < bytes / VYRE_TASK_BYTES; i++) {
		uint64_t word = i * VYRE_TASK_WORDS;
		uint32_t state = vyre_word_get(tasks, word), age = vyre_word_get(tasks, word + VYRE_TASK_WORD_AGE_TICKS);
		enum vyre_task_error error = vyre_task_count(&s, state);
		if (error)
			return error;
		s.requeues += vyre_word_get(tasks, word + VYRE_TASK_WORD_REQUEUE_COUNT);
		s.max_age = age > s.max_age ? age : s.max_age;
	}
	*out = s;
	return VYRE_TASK_ERROR_NONE;
}

static inline uint32_t vyre_task_schedulable(const struct vyre_task_snapshot *s)
{
	return s->ready + s->yielded + s->requeued; /* a snapshot is of fewer than 2^32 tasks */
}

/* Saturates: the sum of 2^32 counters and two counts fits 64 bits, but a snapshot is a plain struct. */
static inline uint64_t vyre_task_pressure(const struct vyre_task_snapshot *s)
{
	uint64_t waiting = (uint64_t)s->yielded + s->requeued;
	return s->requeues > UINT64_MAX - waiting ? UINT64_MAX : s->requeues + waiting;
}

/* What tasks add to the request that a launch is planned from. */
struct vyre_launch_request {
	uint32_t queue_len, max_priority_age;
	uint64_t requeue_count;
};

/* The request is untouched after an error. */
static inline enum vyre_task_error vyre_task_merge(const struct vyre_task_snapshot *s,
						   struct vyre_launch_request *request)
{
	uint64_t pressure = vyre_task_pressure(s);
	if (pressure > UINT64_MAX - request->requeue_count)
		return VYRE_TASK_ERROR_TOTAL;
	request->queue_len = vyre_task_schedulable(s);
	request->requeue_count += pressure;
	if (s->max_age > request->max_priority_age)
		request->max_priority_age = s->max_age;
	return VYRE_TASK_ERROR_NONE;
}

#endif
