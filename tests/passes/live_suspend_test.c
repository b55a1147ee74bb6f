/* live_suspend_test.c - slots that suspend and spawn in the live feed. */
#include "live_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value) }\n"
    "  op turns = 0x101 (at: u32, n: u32) by lane {\n"
    "    var sum: u32 = 0\n"
    "    for i in 0 .. n { sum = sum + i; atomic_add(out[at], 1); yield }\n"
    "    result(0, sum)\n"
    "  }\n"
    "  op moves = 0x102 (at: u32) by lane {\n"
    "    atomic_add(out[at], 1)\n"
    "    requeue(0)\n"
    "    result(1, priority)\n"
    "    requeue(9)\n"
    "    result(2, priority)\n"
    "  }\n"
    "  op sleeps = 0x103 (at: u32, epoch: u32) by lane { pause(epoch); result(2, atomic_add(out[at], 1)) }\n"
    "  op family = 0x104 (at: u32, n: u32) by lane {\n"
    "    var none: u32 = 0\n"
    "    for i in 0 .. n { spawn(add, at, i + 1) else { none = none + 1 } }\n"
    "    join\n"
    "    result(0, atomic_load(out[at]))\n"
    "    result(1, none)\n"
    "  }\n"
    "  op tree = 0x105 (at: u32, depth: u32) by lane {\n"
    "    atomic_add(out[at], 1)\n"
    "    if depth != 0 {\n"
    "      spawn(tree, at, depth - 1) else { atomic_add(out[at + 1], 1) }\n"
    "      spawn(tree, at, depth - 1) else { atomic_add(out[at + 1], 1) }\n"
    "    }\n"
    "  }\n"
    "  op greedy = 0x106 (at: u32, n: u32) by lane { for i in 0 .. n { spawn(turns, at, 2) } }\n"
    "  op fails = 0x107 (at: u32, n: u32) by lane { for i in 0 .. n { spawn(add, at, 1) }; trap(n) }\n"
    "  op hoards = 0x109 (at: u32, n: u32) by lane {\n"
    "    var words: u32[9]\n"
    "    for i in 0 .. 9 { words[i] = i * n }\n"
    "    yield\n"
    "    var sum: u32 = 0\n"
    "    for i in 0 .. 9 { sum = sum + words[i] }\n"
    "    result(0, sum)\n"
    "  }\n"
    "  op wide = 0x108 (a: u64, b: f32) by lane {\n"
    "    var words: u32[5]\n"
    "    for i in 0 .. 5 { words[i] = i * i }\n"
    "    yield\n"
    "    result(0, a + u64(words[3]))\n"
    "    result(2, b * 2.0)\n"
    "  }\n"
    "}\n";

static const uint32_t firsts[] = {0, 0xFFFFFF00, 0xFFFFFFFA};

static void slots_that_yield_all_end(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct live_rig rig;
		uint32_t *slots[16];
		live_open(&rig, set_text, (struct live_params){.first = firsts[seed % 3]});
		for (unsigned i = 0; i < 16; i++)
			slots[i] = live_publish(&rig, i % 4 == 3 ? 0x100 : 0x101, i % 3, i % 8, i);
		live_drain(&rig, 1 + (uint32_t)(seed % 3), seed);
		for (unsigned i = 0; i < 16; i++) {
			assert_int_equal(slots[i][0], VYRE_SLOT_DONE);
			if (i % 4 != 3)
				assert_int_equal(slots[i][VYRE_SLOT_WORD_ARG0], i * (i - 1) / 2);
		}
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(rig.out[i], i + i + 8);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], firsts[seed % 3] + 16);
		assert_int_equal(rig.control[VYRE_CONTROL_DONE_COUNT], firsts[seed % 3] + 16);
		assert_int_equal(rig.control[VYRE_CONTROL_TENANT_FAIRNESS + 1], firsts[seed % 3] + 5);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

static void a_slot_that_requeues_has_the_new_priority(void **state)
{
	struct live_rig rig;
	(void)state;
	live_open(&rig, set_text, (struct live_params){0});
	uint32_t *slot = live_publish(&rig, 0x102, 0, 5, 0);
	live_drain(&rig, 1, 0);
	assert_int_equal(slot[0], VYRE_SLOT_DONE);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 1], VYRE_PRIORITY_CRITICAL);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 2], VYRE_PRIORITY_IDLE);
	assert_int_equal(rig.out[5], 1);
	live_is_clean(&rig);
	live_close(&rig);
}

static void values_of_every_size_are_kept(void **state)
{
	struct live_rig rig;
	float b = 1.5f, doubled;
	(void)state;
	live_open(&rig, set_text, (struct live_params){.frames = 1});
	uint32_t *slot = live_publish(&rig, 0x108, 0, 0xFFFFFFFF, 7);
	memcpy(&slot[VYRE_SLOT_WORD_ARG0 + 2], &b, 4);
	live_drain(&rig, 1, 0);
	memcpy(&doubled, &slot[VYRE_SLOT_WORD_ARG0 + 2], 4);
	assert_int_equal(slot[0], VYRE_SLOT_DONE);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], 8);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 1], 8);
	assert_true(doubled == 3.0f);
	live_is_clean(&rig);
	live_close(&rig);
}

/* The words of a slot in a ready ring are the host's to spoil; what it goes on with is not. */
static void children_end_before_their_parent(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct live_rig rig;
		uint32_t *families[3];
		live_open(&rig, set_text, (struct live_params){.spawned = 40, .first = firsts[seed % 3]});
		for (unsigned i = 0; i < 3; i++)
			families[i] = live_publish(&rig, 0x104, i, i, 10);
		live_drain(&rig, 1 + (uint32_t)(seed % 4), seed);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(families[i][0], VYRE_SLOT_DONE);
			assert_int_equal(families[i][VYRE_SLOT_WORD_ARG0], 55);
			assert_int_equal(families[i][VYRE_SLOT_WORD_ARG0 + 1], 0);
		}
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], firsts[seed % 3] + 3); /* of the ring, not spawned ones */
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* A tree whose nodes wait for no one by name: each still ends after its children. Room runs out: the spawner is told. */
static void trees_end_and_full_rooms_are_told(void **state)
{
	static const uint32_t rooms[] = {64, 9, 3, 1};
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.spawned = rooms[seed % 4], .first = firsts[seed % 3]});
		uint32_t *root = live_publish(&rig, 0x105, 1, 0, 5);
		live_drain(&rig, 1 + (uint32_t)(seed % 3), seed);
		assert_int_equal(root[0], VYRE_SLOT_DONE);
		if (rooms[seed % 4] == 64) {
			assert_int_equal(rig.out[0], 63);
			assert_int_equal(rig.out[1], 0);
		} else {
			assert_true(rig.out[0] > 1 && rig.out[0] < 63);
			assert_true(rig.out[1] > 0);
		}
		live_is_clean(&rig);
		live_close(&rig);
	}
}

static void a_fault_waits_for_the_children_too(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.spawned = 8});
		uint32_t *greedy = live_publish(&rig, 0x106, 0, 0, 9);
		uint32_t *fails = live_publish(&rig, 0x107, 0, 8, 0);
		live_drain(&rig, 1, seed); /* alone, it finds no room that others have freed meanwhile */
		assert_int_equal(greedy[0], VYRE_SLOT_FAULT);
		assert_int_equal(greedy[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_NO_SPACE);
		assert_int_equal(greedy[VYRE_SLOT_WORD_ARG0 + 1], 0x101);
		assert_int_equal(rig.out[0], 16); /* the eight that had room ran all the same */
		assert_int_equal(fails[0], VYRE_SLOT_FAULT);
		live_is_clean(&rig);
		uint32_t *again = live_publish(&rig, 0x107, 0, 8, 5);
		live_drain(&rig, 1 + (uint32_t)(seed % 3), seed);
		assert_int_equal(again[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_TRAP);
		assert_int_equal(again[VYRE_SLOT_WORD_ARG0 + 1], 5);
		assert_int_equal(rig.out[8], 5);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* No frame left: the slot faults, nothing else is harmed. */
static void frames_run_out(void **state)
{
	struct live_rig rig;
	unsigned faults = 0;
	(void)state;
	live_open(&rig, set_text, (struct live_params){.frames = 2});
	for (unsigned i = 0; i < 6; i++)
		live_publish(&rig, 0x109, 0, 0, 3);
	live_drain(&rig, 1, 0);
	for (unsigned i = 0; i < 6; i++) {
		const uint32_t *slot = live_slot(&rig, i);
		if (slot[0] == VYRE_SLOT_FAULT) {
			assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_NO_SPACE);
			faults++;
		} else {
			assert_int_equal(slot[0], VYRE_SLOT_DONE);
			assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], 108);
		}
	}
	assert_int_equal(faults, 4);
	live_is_clean(&rig);
	live_close(&rig);
}

/* Endless yielding does not keep fresh slots out, nor the other way round; low priorities get their turn. */
static void nobody_starves(void **state)
{
	struct live_rig rig;
	(void)state;
	if (!LIVE_COUNTS_ROUNDS)
		skip();
	live_open(&rig, set_text, (struct live_params){0});
	for (unsigned i = 0; i < 5; i++)
		live_publish(&rig, 0x101, 0, i, 100000)[VYRE_SLOT_WORD_PRIORITY] = i;
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 400;
	live_run(&rig, 1, 0);
	uint32_t *fresh = live_publish(&rig, 0x100, 0, 9, 1);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 3;
	live_run(&rig, 1, 0);
	assert_int_equal(fresh[0], VYRE_SLOT_DONE);
	assert_true(rig.out[0] > 5 * rig.out[4]); /* the highest first ... */
	for (unsigned i = 0; i < 5; i++)
		assert_true(rig.out[i] >= 5); /* ... but not it alone */
	live_close(&rig);
}

/* A worker does not leave while something is ready, and leaves while something only waits. */
static void it_leaves_while_slots_wait(void **state)
{
	struct live_rig rig;
	(void)state;
	live_open(&rig, set_text, (struct live_params){0});
	rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 20;
	uint32_t *slot = live_publish(&rig, 0x103, 0, 0, 1);
	live_publish(&rig, 0x101, 0, 1, 50);
	live_run(&rig, 1, 0);
	assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 1);
	assert_int_equal(slot[0], VYRE_SLOT_WAIT_IO);
	assert_int_equal(rig.live[VYRE_LIVE_WAITING], 1);
	assert_int_equal(rig.out[1], 50);
	rig.live[VYRE_LIVE_AWAY] = 0;
	live_close(&rig);
}

/* Stop 2 leaves suspended slots where they are. */
static void stop_leaves_suspended_slots(void **state)
{
	struct live_rig rig;
	(void)state;
	if (!LIVE_COUNTS_ROUNDS)
		skip();
	live_open(&rig, set_text, (struct live_params){.spawned = 8});
	uint32_t *turns = live_publish(&rig, 0x101, 0, 0, 100), *family = live_publish(&rig, 0x104, 0, 1, 3);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	live_run(&rig, 1, 0);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
	rig.live[VYRE_LIVE_STOP] = 2;
	uint32_t before = rig.out[0];
	live_run(&rig, 2, 3);
	assert_int_equal(rig.out[0], before);
	assert_int_equal(turns[0], VYRE_SLOT_CLAIMED);
	assert_int_equal(family[0], VYRE_SLOT_WAIT_IO);
	/* A place that the host has emptied is nobody's: its last child does not wake it. */
	family[0] = VYRE_SLOT_EMPTY;
	rig.live[VYRE_LIVE_STOP] = 1;
	live_run(&rig, 2, 3);
	assert_int_equal(rig.out[0], 100);
	assert_int_equal(rig.out[1], 6);
	assert_int_equal(turns[0], VYRE_SLOT_DONE);
	assert_int_equal(family[0], VYRE_SLOT_EMPTY);
	live_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_that_yield_all_end),
	    cmocka_unit_test(a_slot_that_requeues_has_the_new_priority),
	    cmocka_unit_test(values_of_every_size_are_kept),
	    cmocka_unit_test(children_end_before_their_parent),
	    cmocka_unit_test(trees_end_and_full_rooms_are_told),
	    cmocka_unit_test(a_fault_waits_for_the_children_too),
	    cmocka_unit_test(frames_run_out),
	    cmocka_unit_test(nobody_starves),
	    cmocka_unit_test(it_leaves_while_slots_wait),
	    cmocka_unit_test(stop_leaves_suspended_slots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
