/* mailbox_held.h - what the tests of slots that may not run, and of launches that end, have in common: a set with slots
 * that take their time, the shapes it is run in, and slots looked at while it runs. */
#ifndef VYRE_TESTS_MAILBOX_HELD_H
#define VYRE_TESTS_MAILBOX_HELD_H
#include "tests/passes/mailbox_rig.h"

static const char held_text[] =
    "set held {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value); result(0, value + 1) }\n"
    "  op busy = 0x101 (n: u32) by lane {\n"
    "    let now = atomic_add(out[1], 1) + 1\n"
    "    atomic_max(out[2], now)\n"
    "    for i in 0 .. n { relax }\n"
    "    atomic_sub(out[1], 1)\n"
    "    result(0, n)\n"
    "  }\n"
    "  op hold = 0x102 (at: u32) by lane {\n"
    "    loop {\n"
    "      if atomic_load(out[at]) != 0 { break }\n"
    "      relax\n"
    "    }\n"
    "    result(0, at)\n"
    "  }\n"
    "}\n";

static const struct {
	uint32_t lanes, workgroups;
	bool one_lane;
} shapes[] = {{1, 1, true}, {1, 3, true}, {4, 1, false}, {4, 3, false}, {32, 2, false}};
#define SHAPES (sizeof shapes / sizeof *shapes)
#define EVERY_RUN(shape, seed, seeds) \
	for (size_t shape = 0; shape < SHAPES; shape++) \
		for (uint64_t seed = 0; seed < (seeds); seed++)

static inline void open_shape(struct box *box, size_t shape, uint32_t slots, uint32_t first)
{
	box_open(box, held_text,
		 (struct box_params){
		     .slots = slots, .first = first, .lanes = shapes[shape].lanes, .one_lane = shapes[shape].one_lane});
}

/* Of the host's turns. */
static uint32_t phase, count, left;
static uint32_t *slot[64];

static inline uint32_t with_status(uint32_t first, uint32_t n, uint32_t status)
{
	uint32_t seen = 0;
	for (uint32_t i = first; i < first + n; i++)
		seen += *slot[i] == status;
	return seen;
}

#endif
