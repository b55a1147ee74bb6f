/* hostile_test.c - the scanning feeds on slots and control words of any content: nothing beside a buffer is touched (guard
 * pages and patterns, scan_rig.h), every launch ends, and slots of good content come out as if they were alone. */
#include "runtime/abi/opcode.h"
#include "runtime/abi/task.h"
#include "scan_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (a: u32, b: u32, c: u32) by lane { result(0, a + b); result(2, c + 1) }\n"
    "  op turn = 0x101 (n: u32) by lane { for i in 0 .. n { yield }; result(0, n * 2) }\n"
    "  op move = 0x102 (to: u32, keep: u32) by lane { let kept = keep * 3; requeue(to); result(1, kept) }\n"
    "  op wait = 0x103 (epoch: u32) by lane { let two = epoch + 7; pause(epoch); result(0, two) }\n"
    "  op wide = 0x104 (a: u64) by lane { let x = a * u64(3); yield; let y = x + u64(1); yield; result(0, y) }\n"
    "  op write = 0x105 (at: u32, value: u32) by lane { atomic_add(out[at], value); atomic_add(out[clamp value], 1) }\n"
    "  op lists = 0x106 (n: u32, at: u32) by lane {\n"
    "    var list: u32[5]\n"
    "    for i in 0 .. 5 { list[i] = n + i; yield }\n"
    "    result(0, list[at])\n"
    "  }\n";
static const char spawn_text[] =
    "  op many = 0x107 (n: u32) by lane { for i in 0 .. n { spawn(move, i, n) }; join; result(0, 1) }\n";
enum { SLOTS = 40, FIRST = 0x100, OPS = 9, GOOD = 8 };

struct feed {
	unsigned feed, features;
};
static const struct feed feeds[] = {{VYRE_FEED_SLOTS, 0},    {VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS},
				    {VYRE_FEED_PRIORITY, 0}, {VYRE_FEED_PRIORITY, VYRE_HAS_BUILTINS},
				    {VYRE_FEED_TASKS, 0},    {VYRE_FEED_TASKS, VYRE_HAS_BUILTINS}};

static void open_feed(struct scan *s, const struct scan_machine *machine, const struct feed *feed)
{
	char text[4096];
	snprintf(text, sizeof text, "%s%s}\n", set_text, feed->feed == VYRE_FEED_TASKS ? spawn_text : "");
	scan_open(s, machine, text, feed->feed, feed->features, SLOTS);
	scan_buffer_make(s, "out", 16);
}

/* Mostly small, now and then at the edges, now and then anything. */
static uint32_t some_word(uint64_t *seed)
{
	uint32_t r = scan_random(seed);
	return r % 8 == 0   ? scan_random(seed)
	       : r % 8 == 1 ? 0xFFFFFFF0u + scan_random(seed) % 16
			    : scan_random(seed) % 10;
}

static void spoil(uint32_t *words, uint32_t count, uint64_t *seed)
{
	for (uint32_t i = 0; i < count; i++)
		if (scan_random(seed) % 2)
			words[i] = some_word(seed);
}

static void spoil_slot(uint32_t *words, uint64_t *seed)
{
	spoil(words, VYRE_SLOT_WORDS, seed);
	words[VYRE_SLOT_WORD_OPCODE] = scan_random(seed) % 8 ? FIRST + scan_random(seed) % OPS : some_word(seed);
	if (words[VYRE_SLOT_WORD_OPCODE] == VYRE_OPCODE_SHUTDOWN) /* it would be right to end the launch */
		words[VYRE_SLOT_WORD_OPCODE] = VYRE_OPCODE_NOP;
	words[VYRE_SLOT_WORD_TENANT] = scan_random(seed) % 4 ? scan_random(seed) % 3 : some_word(seed);
}

static void put_good(uint32_t *words, uint32_t index)
{
	static const uint32_t ops[] = {0x100, 0x101, 0x102, 0x104, 0x106};
	uint32_t op = ops[index / GOOD % 5];
	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = op;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	words[VYRE_SLOT_WORD_ARG0] = op == 0x106 ? 7 : 3;
	words[VYRE_SLOT_WORD_ARG0 + 1] = 4;
	words[0] = VYRE_SLOT_PUBLISHED;
}

static void check_good(struct scan *s, uint32_t index)
{
	const uint32_t *words = scan_slot(s, index), *arg = words + VYRE_SLOT_WORD_ARG0;
	const uint32_t op = words[VYRE_SLOT_WORD_OPCODE];
	if (words[0] != VYRE_SLOT_DONE)
		fail_msg("%s: the good slot %u (op %x) has status %u", s->machine->name, index, op, words[0]);
	assert_int_equal(arg[0], op == 0x100 ? 7 : op == 0x101 ? 6 : op == 0x102 ? 3 : op == 0x104 ? 10 : 11);
	assert_int_equal(arg[1], op == 0x102 || op == 0x104 ? 12 : 4);
}

static void good_slots_among_hostile_ones(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (size_t k = 0; k < sizeof feeds / sizeof *feeds; k++) {
			uint64_t seed = 31 * k + machine->lanes;
			struct scan s;
			open_feed(&s, machine, &feeds[k]);
			for (unsigned round = 0; round < (machine->native	  ? 60
							  : machine->lanes == 256 ? 1
										  : 4);
			     round++) {
				for (uint32_t i = 0; i < SLOTS; i++)
					if (i % GOOD != 3)
						spoil_slot(scan_slot(&s, i), &seed);
					else
						put_good(scan_slot(&s, i), i);
				/* Endless ones are among them: a round ends, and so does the launch. */
				for (unsigned launch = 0; launch < 8; launch++) {
					scan_run(&s, 1, 0);
					for (uint32_t i = 0; i < SLOTS; i++)
						if (i % GOOD != 3 && scan_random(&seed) % 3 == 0)
							spoil_slot(scan_slot(&s, i), &seed);
				}
				for (uint32_t i = 3; i < SLOTS; i += GOOD)
					check_good(&s, i);
			}
			scan_close(&s);
		}
	}
}

static void control_words_of_any_content(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (size_t k = 0; k < sizeof feeds / sizeof *feeds; k++) {
			uint64_t seed = 77 * k + machine->lanes;
			struct scan s;
			open_feed(&s, machine, &feeds[k]);
			uint32_t words = (uint32_t)(scan_buffer_find(&s, "control")->bytes / 4);
			for (unsigned round = 0; round < (machine->native	  ? 200
							  : machine->lanes == 256 ? 1
										  : 6);
			     round++) {
				spoil(s.control, words, &seed);
				s.control[VYRE_CONTROL_SHUTDOWN] = scan_random(&seed) % 8 == 0;
				for (uint32_t i = 0; i < SLOTS; i++)
					spoil_slot(scan_slot(&s, i), &seed);
				spoil(s.io, VYRE_IO_WORDS, &seed);
				spoil(s.debug, VYRE_DEBUG_WORDS, &seed);
				scan_run(&s, 1 + scan_random(&seed) % 3, scan_random(&seed) % 2);
			}
			scan_close(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_slots_among_hostile_ones),
	    cmocka_unit_test(control_words_of_any_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
