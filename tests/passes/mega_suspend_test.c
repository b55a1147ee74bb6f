/* mega_suspend_test.c - slots that stop and go on, in the slots feed: records, frames, waiting. */
#include "mega_rig.h"

enum { SLOTS = 40 };

static const char set_text[] =
    "set demo {\n"
    "  buffer sums: u32[]\n"
    /* a: one live word; b: several, of every width; c: an array */
    "  op one = 0x100 (a: u32) by lane { yield; result(0, a + 1); requeue(4); result(1, a) }\n"
    "  op many = 0x101 (a: u64, b: f32, c: bool, n: u32) by lane {\n"
    "    var sum: u64 = a\n"
    "    for i in 0 .. n {\n"
    "      if c { yield } else { requeue(i) }\n"
    "      sum = sum + u64(i) * a\n"
    "    }\n"
    "    result(0, sum)\n"
    "    result(2, b * f32(n))\n"
    "  }\n"
    "  op table = 0x102 (n: u32) by lane {\n"
    "    var t: u32[9]\n"
    "    for i in 0 .. 9 { t[i] = i * n; if i == 4 { yield } }\n"
    "    var sum: u32 = 0\n"
    "    for i in 0 .. 9 { sum = sum + t[i] }\n"
    "    result(0, sum)\n"
    "  }\n"
    "  op wait = 0x103 (epoch: u32, at: u32) by lane { pause(epoch); atomic_add(sums[at], 1) }\n"
    "  op fall = 0x104 (a: u32, b: u32) by lane { yield; trap(a + b) }\n"
    "  op quick = 0x105 (at: u32) by lane { atomic_add(sums[at], 1) }\n"
    "  op alone = 0x106 () by lane { join; result(0, 5) }\n"
    "}\n";

static void publish_all(struct mega *g)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		switch (i % 5) {
		case 0:
			MEGA_PUT(g, i, 0x100, 0, i);
			break;
		case 1:
			MEGA_PUT(g, i, 0x101, 1, i, 1, 0x3fc00000, i & 2, 3);
			break;
		case 2:
			MEGA_PUT(g, i, 0x102, 2, i);
			break;
		case 3:
			MEGA_PUT(g, i, 0x104, 1, i, 7);
			break;
		default:
			MEGA_PUT(g, i, 0x106, 1, 0);
			break;
		}
}

static void check_all(struct mega *g)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const uint32_t *args = mega_args(g, i);
		uint64_t a = i | UINT64_C(1) << 32, sum = args[0] | (uint64_t)args[1] << 32;
		float product;
		if (i % 5 == 3) {
			mega_assert_fault(g, i, VYRE_FAULT_TRAP, i + 7);
			continue;
		}
		assert_int_equal(mega_slot(g, i)[0], VYRE_SLOT_DONE);
		memcpy(&product, &args[2], sizeof product);
		if (i % 5 == 0)
			assert_true(args[0] == i + 1 && args[1] == i);
		else if (i % 5 == 1)
			assert_true(sum == a + a * 3 && product == 4.5f);
		else
			assert_int_equal(args[0], i % 5 == 2 ? i * 36 : 5);
	}
	assert_int_equal(g->control[VYRE_CONTROL_FAULT_COUNT], SLOTS / 5);
	mega_assert_clear(g);
}

static void every_slot_ends_at_every_width(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct mega g;
			mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, mega_widths[w], SLOTS);
			g.races = seed != 0;
			publish_all(&g);
			mega_run_until(&g, SLOTS, seed ? 2 : 1, seed);
			check_all(&g);
			mega_close(&g);
		}
}

/* A launch of one round leaves what stops in the ring; the next one on the same frames goes on. */
static void a_slot_goes_on_in_the_next_launch(void **state)
{
	struct mega g;
	uint32_t launches = 0, left;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, SLOTS);
	publish_all(&g);
	do {
		mega_run(&g, 1, 3, launches);
		launches++;
		left = 0;
		for (uint32_t i = 0; i < SLOTS; i++) {
			uint32_t status = mega_slot(&g, i)[0];
			left += status != VYRE_SLOT_DONE && status != VYRE_SLOT_FAULT;
			if (launches == 1 && i % 5 == 0)
				assert_int_equal(status, VYRE_SLOT_YIELD);
			if (launches == 2 && i % 5 == 0) {
				assert_int_equal(status, VYRE_SLOT_REQUEUE);
				assert_int_equal(mega_slot(&g, i)[VYRE_SLOT_WORD_PRIORITY], 4);
			}
			if (launches == 1 && i % 5 == 4)
				assert_int_equal(status, VYRE_SLOT_REQUEUE); /* it has no children */
		}
	} while (left);
	assert_int_equal(launches, 4);
	check_all(&g);
	mega_close(&g);
}

static void a_pause_ends_with_its_epoch(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 4, 8);
	g.control[VYRE_CONTROL_EPOCH] = 0xFFFFFFFE;
	MEGA_PUT(&g, 0, 0x103, 0, 1, 0);	  /* three from now, around the end of the numbers */
	MEGA_PUT(&g, 1, 0x103, 0, 0xFFFFFFFE, 1); /* now */
	MEGA_PUT(&g, 2, 0x103, 0, 0xFFFFFF00, 2); /* long past */
	MEGA_PUT(&g, 3, 0x105, 0, 3);
	const uint32_t *sums = mega_data(&g, "sums");
	mega_run(&g, 0, 1, 1);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_WAIT_IO);
	assert_memory_equal(sums, ((uint32_t[]){0, 1, 1, 1}), 16);
	g.control[VYRE_CONTROL_EPOCH] = 0;
	mega_run(&g, 0, 1, 2);
	assert_int_equal(sums[0], 0);
	g.control[VYRE_CONTROL_EPOCH] = 1;
	mega_run(&g, 0, 1, 3);
	assert_int_equal(sums[0], 1);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
	mega_assert_clear(&g);
	mega_close(&g);
}

/* Frames for some: the others fault, and nothing else happens to anybody. */
static void no_frame_is_a_fault_of_one_slot(void **state)
{
	struct mega g;
	uint32_t faults = 0;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, SLOTS);
	g.frames[VYRE_FRAMES_FRAMES] = 5;
	publish_all(&g);
	mega_run(&g, 0, 1, 0);
	for (uint32_t i = 0; i < SLOTS; i++) {
		const uint32_t *args = mega_args(&g, i);
		if (mega_slot(&g, i)[0] == VYRE_SLOT_FAULT && args[0] == VYRE_FAULT_NO_SPACE)
			faults++;
		else if (i % 5 == 2)
			assert_int_equal(args[0], i * 36);
		else if (i % 5 == 3)
			mega_assert_fault(&g, i, VYRE_FAULT_TRAP, i + 7);
	}
	/* Three in five keep more than a word; a round is over before the second turn of any. */
	assert_int_equal(faults, SLOTS / 5 * 3 - 5);
	for (uint32_t i = 0; i < SLOTS; i += 5)
		assert_int_equal(mega_args(&g, i)[0], i + 1); /* one word needs no frame */
	mega_close(&g);
}

/* Threads take and give back frames of one set of words: nobody's array has another's elements. */
static void a_frame_is_one_slots_alone(void **state)
{
	struct mega g;
	uint32_t done = 0;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, NATIVE, SLOTS);
	g.frames[VYRE_FRAMES_FRAMES] = 35; /* a last group of three */
	for (uint32_t turn = 0; turn < 200; turn++) {
		for (uint32_t i = 0; i < SLOTS; i++)
			MEGA_PUT(&g, i, 0x102, 0, i + turn);
		mega_run_until(&g, (turn + 1) * SLOTS, 4, 0);
		for (uint32_t i = 0; i < SLOTS; i++) {
			if (mega_slot(&g, i)[0] == VYRE_SLOT_FAULT) {
				assert_int_equal(mega_args(&g, i)[0], VYRE_FAULT_NO_SPACE);
				continue;
			}
			assert_int_equal(mega_args(&g, i)[0], (i + turn) * 36);
			done++;
		}
	}
	assert_true(done >= 200 * 35);
	mega_assert_clear(&g);
	mega_close(&g);
}

/* The same with lanes that interleave, and hardly a frame: one at a time, whoever is quick. */
static void lanes_meet_at_the_frames(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 30; seed++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 8, 16);
		g.races = true;
		g.frames[VYRE_FRAMES_FRAMES] = 3;
		for (uint32_t i = 0; i < 16; i++)
			MEGA_PUT(&g, i, 0x102, 0, i + 1);
		mega_run_until(&g, 16, 2, seed);
		for (uint32_t i = 0; i < 16; i++)
			if (mega_slot(&g, i)[0] != VYRE_SLOT_FAULT)
				assert_int_equal(mega_args(&g, i)[0], (i + 1) * 36);
		assert_in_range(g.control[VYRE_CONTROL_FAULT_COUNT], 0, 13);
		mega_assert_clear(&g);
		mega_close(&g);
	}
}

/* As many frames as the quota lets in: whoever comes next finds that of one who has ended. */
static void a_frame_is_free_before_its_slot_has_retired(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 12; seed++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, seed ? 8 : NATIVE, 16);
		g.races = true;
		g.frames[VYRE_FRAMES_FRAMES] = 3;
		g.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 3;
		for (uint32_t i = 0; i < 16; i++)
			MEGA_PUT(&g, i, 0x102, 1, i + 1);
		mega_run_until(&g, 16, 2, seed);
		for (uint32_t i = 0; i < 16; i++)
			assert_int_equal(mega_args(&g, i)[0], (i + 1) * 36);
		assert_int_equal(g.control[VYRE_CONTROL_FAULT_COUNT], 0);
		mega_assert_clear(&g);
		mega_close(&g);
	}
}

/* What stands in a slot's words is the host's: its point is not, and fits its own handler alone. */
static void another_opcode_does_not_go_on_there(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	MEGA_PUT(&g, 0, 0x100, 0, 3);
	MEGA_PUT(&g, 1, 0x102, 0, 3);
	mega_run(&g, 1, 1, 0);
	mega_slot(&g, 0)[VYRE_SLOT_WORD_OPCODE] = 0x102;
	mega_slot(&g, 1)[VYRE_SLOT_WORD_OPCODE] = 0x100;
	mega_run(&g, 0, 1, 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(mega_slot(&g, i)[0], VYRE_SLOT_FAULT);
		assert_int_equal(mega_args(&g, i)[0], VYRE_FAULT_OUT_OF_RANGE);
	}
	mega_assert_clear(&g);
	mega_close(&g);
}

/* A host that knows that no kernel runs takes a suspended slot away: what is published there next starts anew. */
static void a_new_slot_in_an_old_ones_place_starts_anew(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	MEGA_PUT(&g, 0, 0x102, 0, 3);
	mega_run(&g, 1, 1, 0);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_YIELD);
	assert_int_equal(mega_record(&g, 0, VYRE_RECORD_FRAME), 1);
	MEGA_PUT(&g, 0, 0x102, 0, 5);
	mega_run(&g, 0, 1, 0);
	assert_int_equal(mega_args(&g, 0)[0], 5 * 36);
	mega_assert_clear(&g);
	mega_close(&g);
}

static void a_lying_header_stops_the_kernel(void **state)
{
	static const struct {
		unsigned word;
		uint32_t value;
		bool huge; /* beside frames whose words come to 2^64 with the records of 0x1f800000 slots */
	} lies[] = {{VYRE_FRAMES_RECORDS, 7, false},
		    {VYRE_FRAMES_RECORDS, 0xFFFFFFFF, false},
		    {VYRE_FRAMES_RECORDS, 0x1F800000, true},
		    {VYRE_FRAMES_FRAMES, 0xFFFFFFFF, false},
		    {VYRE_FRAMES_FRAMES, 9, false},
		    {VYRE_FRAMES_FRAME_WORDS, 3, false},
		    {VYRE_FRAMES_FRAME_WORDS, 0, false},
		    {VYRE_FRAMES_FRAME_WORDS, 0x80000000, false},
		    {VYRE_FRAMES_FRAME_WORDS, 0xFFFFFFFF, false}};
	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
		if (lies[i].huge)
			g.frames[VYRE_FRAMES_FRAMES] = g.frames[VYRE_FRAMES_FRAME_WORDS] = 0xFFFFFFFF;
		g.frames[lies[i].word] = lies[i].value;
		MEGA_PUT(&g, 0, 0x105, 0, 0);
		mega_run(&g, 3, 1, 0);
		assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_PUBLISHED);
		mega_close(&g);
	}
}

/* Statuses that no device has written: nothing waits there, so such a slot starts. */
static void a_status_without_a_record_starts_a_slot(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	for (uint32_t i = 0; i < 8; i++) {
		MEGA_PUT(&g, i, 0x105, 0, i);
		mega_slot(&g, i)[0] = i;
	}
	mega_run(&g, 2, 1, 0);
	const uint32_t *sums = mega_data(&g, "sums");
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(sums[i], i == VYRE_SLOT_PUBLISHED || i == VYRE_SLOT_YIELD || i == VYRE_SLOT_REQUEUE ||
					      i == VYRE_SLOT_WAIT_IO);
	mega_close(&g);
}

/* Between two launches a buffer has become shorter: what a handler asked before its point is not true any more. */
static void a_buffer_may_be_shorter_in_the_next_launch(void **state)
{
	static const char text[] = "set demo {\n"
				   "  buffer own: u32[]\n"
				   "  op put = 0x100 (at: u32) by lane { if at < length(own) { yield; own[at] = 7 } }\n"
				   "  op fill = 0x101 () by lane {\n"
				   "    for i in 0 .. length(own) { if i % 4 == 0 { yield } own[i] = 7 }\n"
				   "  }\n"
				   "}\n";
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, text, VYRE_FEED_SLOTS, 0, mega_widths[w], 8);
		MEGA_PUT(&g, 0, 0x100, 0, 5);
		MEGA_PUT(&g, 1, 0x100, 0, 1);
		MEGA_PUT(&g, 2, 0x101, 0, 0);
		mega_run(&g, 1, 1, 1);
		mega_find(&g, "own")->count = 3;
		mega_run(&g, 0, 1, 2);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(mega_slot(&g, i)[0], VYRE_SLOT_DONE);
		for (uint32_t i = 0; i < MEGA_OWN; i++)
			assert_int_equal(((uint32_t *)mega_data(&g, "own"))[i], i < 3 ? 7 : 0);
		mega_close(&g);
	}
}

/* What a host has taken away is in flight no more: not for a tenant at its quota either. */
static void a_slot_that_was_taken_away_is_not_in_flight(void **state)
{
	static const unsigned feeds[] = {VYRE_FEED_SLOTS, VYRE_FEED_PRIORITY, VYRE_FEED_TASKS};
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (size_t f = 0; f < 3; f++) {
			struct mega g;
			mega_open(&g,
				  "set demo {\n  op slow = 0x100 (n: u32) by lane { for i in 0 .. n { yield }; "
				  "result(0, n + 1) }\n}\n",
				  feeds[f], 0, mega_widths[w], 8);
			const uint32_t *retired =
			    &g.control[g.control[VYRE_CONTROL_EXT_BASE] + VYRE_LIVE_TENANT_RETIRED];
			g.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 1;
			for (uint32_t turn = 0; turn < 4; turn++) {
				MEGA_PUT(&g, 3, 0x100, 1, 1000000);
				mega_run(&g, 20, 2, turn);
				assert_int_equal(mega_slot(&g, 3)[0], VYRE_SLOT_YIELD);
				assert_int_equal(g.control[VYRE_CONTROL_TENANT_FAIRNESS + 1] - retired[1], 1);
			}
			MEGA_PUT(&g, 3, 0x100, 1, 5);
			MEGA_PUT(&g, 6, 0x100, 1, 6);
			mega_run_until(&g, 2, 2, 9);
			assert_int_equal(mega_args(&g, 3)[0], 6);
			assert_int_equal(mega_args(&g, 6)[0], 7);
			assert_int_equal(g.control[VYRE_CONTROL_TENANT_FAIRNESS + 1], retired[1]);
			mega_assert_clear(&g);
			mega_close(&g);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_slot_ends_at_every_width),
	    cmocka_unit_test(a_slot_goes_on_in_the_next_launch),
	    cmocka_unit_test(a_pause_ends_with_its_epoch),
	    cmocka_unit_test(no_frame_is_a_fault_of_one_slot),
	    cmocka_unit_test(a_frame_is_one_slots_alone),
	    cmocka_unit_test(lanes_meet_at_the_frames),
	    cmocka_unit_test(a_frame_is_free_before_its_slot_has_retired),
	    cmocka_unit_test(another_opcode_does_not_go_on_there),
	    cmocka_unit_test(a_new_slot_in_an_old_ones_place_starts_anew),
	    cmocka_unit_test(a_lying_header_stops_the_kernel),
	    cmocka_unit_test(a_status_without_a_record_starts_a_slot),
	    cmocka_unit_test(a_buffer_may_be_shorter_in_the_next_launch),
	    cmocka_unit_test(a_slot_that_was_taken_away_is_not_in_flight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
