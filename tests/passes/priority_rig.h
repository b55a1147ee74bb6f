/* priority_rig.h - what the tests of the priority feed share: slots that take a ticket each, in the order in which they run. */
#ifndef VYRE_TESTS_PRIORITY_RIG_H
#define VYRE_TESTS_PRIORITY_RIG_H
#include "scan_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer order: live u32[]\n"
    "  op mark = 0x100 () by lane { let ticket = atomic_add(order[0], 1); result(0, ticket) }\n"
    "  op hold = 0x101 () by lane {\n"
    "    atomic_store(order[1], 1)\n"
    "    loop { if atomic_load(order[2]) != 0 { break }; relax }\n"
    "  }\n"
    "}\n";
enum { MARK = 0x100, HOLD, MOVE, WAIT, TURNS, HIDE };

static uint32_t *order; /* the set's buffer */

static inline void open_set(struct scan *s, const struct scan_machine *machine, const char *text, uint32_t slots)
{
	scan_open(s, machine, text, VYRE_FEED_PRIORITY, 0, slots);
	order = scan_buffer_make(s, "order", 16);
}

/* The first slot of a default partition; of 5: the ring's end. */
static inline uint32_t partition(const struct scan *s, unsigned priority)
{
	return s->slots / 5 * priority + (priority > VYRE_PRIORITY_NORMAL ? s->slots % 5 : 0);
}

static inline uint32_t *publish(struct scan *s, uint32_t index, uint32_t opcode, uint32_t arg)
{
	uint32_t *words = scan_slot(s, index);
	memset(words + 1, 0, VYRE_SLOT_BYTES - 4);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_ARG0] = arg;
	__atomic_store_n(words, VYRE_SLOT_PUBLISHED, __ATOMIC_RELEASE);
	return words;
}

static inline uint32_t ticket(struct scan *s, uint32_t index)
{
	const uint32_t *words = scan_slot(s, index);
	if (words[VYRE_SLOT_WORD_STATUS] != VYRE_SLOT_DONE)
		fail_msg("%s: slot %u of %u has status %u", s->machine->name, index, s->slots, words[0]);
	return words[VYRE_SLOT_WORD_ARG0];
}

static inline uint32_t claims_at(struct scan *s, unsigned priority)
{
	return s->control[VYRE_CONTROL_PRIORITY_FAIRNESS + priority];
}

#endif
