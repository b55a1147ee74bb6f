/* tasks_rig.h - what the tests of the tasks feed share: tasks put into a ring, and looked at word by word. */
#ifndef VYRE_TESTS_TASKS_RIG_H
#define VYRE_TESTS_TASKS_RIG_H
#include "runtime/abi/task.h"
#include "scan_rig.h"

static uint32_t *out; /* the set's buffer */

static inline void open_set(struct scan *s, const struct scan_machine *machine, const char *text, uint32_t slots)
{
	scan_open(s, machine, text, VYRE_FEED_TASKS, 0, slots);
	out = scan_buffer_make(s, "out", 64);
}

static inline uint32_t *put(struct scan *s, uint32_t index, uint32_t op, uint32_t input, uint32_t output, uint32_t param)
{
	uint32_t *task = scan_slot(s, index);
	const struct vyre_work_item item = {op, input, output, param};
	vyre_task_from_item(&item, 100 + index, index % 3, VYRE_PRIORITY_NORMAL, task);
	return task;
}

static inline uint32_t word(struct scan *s, uint32_t index, unsigned at)
{
	return scan_slot(s, index)[at];
}

/* Every word of the task; results and the mirrored words as given. */
static inline void assert_task(struct scan *s, uint32_t index, const uint32_t *want)
{
	for (unsigned k = 0; k < VYRE_TASK_WORDS; k++)
		if (word(s, index, k) != want[k])
			fail_msg("%s: word %u of task %u is %u, not %u", s->machine->name, k, index, word(s, index, k),
				 want[k]);
}

static inline void no_record_is_left(struct scan *s)
{
	for (uint32_t i = 0; i < s->slots; i++)
		for (unsigned k = 0; k < VYRE_RECORD_WORDS; k++)
			if (scan_record(s, i, k))
				fail_msg("%s: word %u of record %u is %u", s->machine->name, k, i,
					 scan_record(s, i, k));
}

/* Until every worker has looked at every task in vain. */
static inline void drain(struct scan *s)
{
	scan_run(s, 0, s->workers + 2);
}

#endif
