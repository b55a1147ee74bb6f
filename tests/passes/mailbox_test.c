/* mailbox_test.c - the live feed behind a mailbox: ops by lane, one lane or many, one workgroup or several. */
#include "tests/passes/mailbox_rig.h"

static const char lanes_text[] =
    "set narrow {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane {\n"
    "    result(0, value + 1)\n"
    "    atomic_add(out[at], value)\n"
    "  }\n"
    "  op slow = 20 (at: u32, n: u32) by lane {\n"
    "    for i in 0 .. n { atomic_add(out[at], i) }\n"
    "    result(0, n)\n"
    "  }\n"
    "  op fails = 0x102 (code: u32) by lane { if code != 0 { trap(code) }; result(0, 5) }\n"
    "  op says = 0x103 (a: u32) by lane { log(7, a, tenant); result(0, slot); result(1, lanes * 10 + lane); result(2, "
    "opcode) }\n"
    "}\n";

static const struct {
	uint32_t lanes, workgroups;
	bool one_lane;
} shapes[] = {{1, 1, true}, {1, 3, true}, {1, 2, false}, {4, 1, false}, {4, 3, false}, {32, 2, false}, {64, 4, false}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static const uint32_t firsts[] = {0, 0xFFFFFF00, 0xFFFFFFF5};

static void open_shape(struct box *box, size_t shape, const char *text, uint32_t slots, uint32_t first)
{
	box_open(box, text,
		 (struct box_params){
		     .slots = slots, .first = first, .lanes = shapes[shape].lanes, .one_lane = shapes[shape].one_lane});
}

/* Batches of 1 to 7, published while the kernel runs; each slot runs once. */
static uint32_t left, want[BOX_OUT];

static void publish_some(struct box *box)
{
	uint32_t n = 1 + box_random(box) % 7;
	bool any = false;
	for (; n > 0 && left > 0 && box_has_room(box) && box_is_free(box, box->tail); n--, left--) {
		uint32_t at = box_random(box) % BOX_OUT;
		if (left % 5 == 0) {
			BOX_PUT(box, 20, left % 3, at, left % 9);
			want[at] += left % 9 * (left % 9 - 1) / 2;
		} else {
			BOX_PUT(box, 0x100, left % 3, at, left);
			want[at] += left;
		}
		any = true;
	}
	if (any)
		box_show(box);
	else if (left == 0 && !box_later(box, &box->line[VYRE_LIVE_STOP]))
		box_store(box, &box->line[VYRE_LIVE_STOP], 1);
}

static void slots_run_once(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 0; seed <= 6; seed++) {
			open_shape(box, shape, lanes_text, seed % 2 ? 8 : 32, firsts[seed % 3]);
			memset(want, 0, sizeof want);
			left = 100;
			box->host_turn = publish_some;
			box->torn = seed % 4 == 3;
			box_run(box, shapes[shape].workgroups, seed);
			assert_int_equal(left, 0);
			box_is_drained(box);
			assert_memory_equal(box->out, want, sizeof want);
			assert_int_equal(box->control[VYRE_CONTROL_METRICS + 20], 20);
			box_close(box);
		}
}

/* Results, faults, log, counts. */
static void a_slot_ends_as_it_should(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 0; seed <= 3; seed++) {
			open_shape(box, shape, lanes_text, 16, 0xFFFFFFFA);
			uint32_t *add = BOX_PUT(box, 0x100, 0, 3, 41), *trap = BOX_PUT(box, 0x102, 1, 77);
			uint32_t *fine = BOX_PUT(box, 0x102, 1, 0), *says = BOX_PUT(box, 0x103, 2, 9);
			uint32_t *unknown = BOX_PUT(box, 0x999, 0, 0), *tenant = BOX_PUT(box, 0x100, 3, 0, 0);
			box_show(box);
			box_drain(box, shapes[shape].workgroups, seed);
			box_is_done(box, add, 42);
			box_is_fault(trap, VYRE_FAULT_TRAP, 77);
			box_is_done(box, fine, 5);
			box_is_done(box, says, (uint32_t)(says - box->ring) / VYRE_SLOT_WORDS);
			assert_int_equal(says[VYRE_SLOT_WORD_ARG0 + 1], 10);
			assert_int_equal(says[VYRE_SLOT_WORD_ARG0 + 2], 0x103);
			box_is_fault(unknown, VYRE_FAULT_UNKNOWN_OPCODE, 0x999);
			box_is_fault(tenant, VYRE_FAULT_TENANT, 3);
			box_is_drained(box);
			assert_int_equal(box->control[VYRE_CONTROL_FAULT_COUNT], 3);
			assert_int_equal(box->debug[0], 4);
			assert_int_equal(box->debug[1], 7);
			assert_int_equal(box->debug[2], 9);
			assert_int_equal(box->debug[3], 2);
			assert_int_equal(box->debug[4], says - box->ring);
			box_close(box);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_run_once),
	    cmocka_unit_test(a_slot_ends_as_it_should),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
