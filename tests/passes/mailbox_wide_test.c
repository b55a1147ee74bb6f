/* mailbox_wide_test.c - ops by workgroup behind a mailbox: all lanes run them, one slot after the other, beside ops by
 * lane. What a slot has left in shared arrays would show in the next one's sum. */
#include "tests/passes/mailbox_rig.h"

static const char mixed_text[] =
    "set mixed {\n"
    "  buffer out: live u32[]\n"
    "  buffer held: u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value); result(0, value + 1) }\n"
    "  op sum = 0x101 (n: u32, factor: u32) by workgroup {\n"
    "    shared part: u32[40]\n"
    "    for i in lane .. n step lanes { atomic_add(part[i % 40], i * factor, relaxed, workgroup) }\n"
    "    barrier\n"
    "    var mine: u32 = 0\n"
    "    for i in lane .. 40 step lanes { mine = mine + part[i] }\n"
    "    let total = reduce_add(mine)\n"
    "    result(0, total)\n"
    "    result(1, lanes)\n"
    "  }\n"
    "  op wide64 = 0x102 (a: u64, b: u32) by workgroup {\n"
    "    shared first: u64[2]\n"
    "    if lane == lanes - 1 { first[0] = a + u64(b) }\n"
    "    barrier\n"
    "    if b == 7 { return }\n"
    "    result(2, broadcast(first[0] + first[1], 0))\n"
    "  }\n"
    "  op fails = 0x103 (code: u32, after: u32) by workgroup {\n"
    "    shared seen: u32[1]\n"
    "    if after == 0 { trap(code) }\n"
    "    atomic_add(seen[0], 1, relaxed, workgroup)\n"
    "    barrier\n"
    "    if after == 1 { trap(seen[0] * 100 / lanes + code) }\n"
    "    result(0, broadcast(seen[0], 0) / lanes)\n"
    "  }\n"
    "  op some = 0x104 (code: u32, at: u32) by workgroup {\n"
    "    if lane % 3 == 1 { trap(code + lane) }\n"
    "    barrier\n"
    "    let left = reduce_add(u32(1))\n"
    "    if lane == 0 { atomic_add(out[at], left) }\n"
    "    result(0, left)\n"
    "  }\n"
    "  op who = 21 (at: u32) by workgroup {\n"
    "    if lane == 0 { log(3, at, tenant) }\n"
    "    result(0, slot)\n"
    "    result(1, opcode * 1000 + tenant * 10 + priority)\n"
    "    result(2, arg[0] + arg[at])\n"
    "  }\n"
    "}\n";

static const struct {
	uint32_t lanes, workgroups;
	bool one_lane;
} shapes[] = {{1, 2, true}, {1, 2, false}, {4, 1, false}, {4, 3, false}, {32, 2, false}, {64, 4, false}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void open_shape(struct box *box, size_t shape, const char *text, uint32_t slots, uint32_t first)
{
	box_open(box, text,
		 (struct box_params){
		     .slots = slots, .first = first, .lanes = shapes[shape].lanes, .one_lane = shapes[shape].one_lane});
}

static uint32_t left, adds, sums;

static void publish_mixed(struct box *box)
{
	uint32_t n = 1 + box_random(box) % 6;
	bool any = false;
	for (; n > 0 && left > 0 && box_has_room(box) && box_is_free(box, box->tail); n--, left--, any = true) {
		if (left % 3 == 0) {
			BOX_PUT(box, 0x101, left % 3, left, 3);
			sums++;
		} else {
			BOX_PUT(box, 0x100, left % 3, 0, left);
			adds += left;
		}
	}
	if (any)
		box_show(box);
	else if (left == 0 && !box_later(box, &box->line[VYRE_LIVE_STOP]))
		box_store(box, &box->line[VYRE_LIVE_STOP], 1);
}

static void mixed_slots_run_once(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 0; seed <= 4; seed++) {
			open_shape(box, shape, mixed_text, 8, 0xFFFFFFF0);
			left = 60;
			adds = sums = 0;
			box->host_turn = publish_mixed;
			box_run(box, shapes[shape].workgroups, seed);
			box_is_drained(box);
			assert_int_equal(box->out[0], adds);
			assert_int_equal(sums, 20);
			for (uint32_t i = 0; i < box->slots; i++) {
				const uint32_t *words = box->ring + i * VYRE_SLOT_WORDS;
				uint32_t value = words[VYRE_SLOT_WORD_ARG0];
				assert_int_equal(words[0], VYRE_SLOT_DONE);
				if (words[VYRE_SLOT_WORD_OPCODE] == 0x101) {
					assert_int_equal(words[VYRE_SLOT_WORD_ARG0 + 1], shapes[shape].lanes);
					assert_int_equal(value % 3, 0);
				}
			}
			box_close(box);
		}
}

/* All of them in one batch where there are lanes enough, so one after the other in one workgroup. */
static void wide_slots_end_as_they_should(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (size_t shape = 0; shape < SHAPES; shape++)
		for (uint64_t seed = 0; seed <= 4; seed++) {
			open_shape(box, shape, mixed_text, 16, 0xFFFFFFFC);
			uint32_t *sum[3];
			for (uint32_t i = 0; i < 3; i++)
				sum[i] = BOX_PUT(box, 0x101, 0, 100 + i, 1 + i);
			uint32_t *large = BOX_PUT(box, 0x102, 1, 0xFFFFFFFF, 1, 2);
			uint32_t *early = BOX_PUT(box, 0x102, 1, 5, 6, 7);
			uint32_t *traps = BOX_PUT(box, 0x103, 2, 44, 0), *later = BOX_PUT(box, 0x103, 2, 45, 1);
			uint32_t *fine = BOX_PUT(box, 0x103, 2, 45, 2);
			uint32_t *some = BOX_PUT(box, 0x104, 1, 300, 7), lanes = shapes[shape].lanes;
			uint32_t *who = BOX_PUT(box, 21, 2, 3, 0, 0, 500);
			uint32_t *add = BOX_PUT(box, 0x100, 0, 9, 8);
			box_show(box);
			box_drain(box, shapes[shape].workgroups, seed);
			for (uint32_t i = 0; i < 3; i++)
				box_is_done(box, sum[i], (100 + i) * (99 + i) / 2 * (1 + i));
			assert_int_equal(large[0], VYRE_SLOT_DONE);
			assert_int_equal(large[VYRE_SLOT_WORD_ARG0 + 2], 1); /* 0x1ffffffff + 2 */
			assert_int_equal(large[VYRE_SLOT_WORD_ARG0 + 3], 2);
			assert_int_equal(early[0], VYRE_SLOT_DONE);
			assert_int_equal(early[VYRE_SLOT_WORD_ARG0 + 2], 7);
			box_is_fault(traps, VYRE_FAULT_TRAP, 44);
			box_is_fault(later, VYRE_FAULT_TRAP, 145);
			box_is_done(box, fine, 1);
			if (lanes > 1) /* the lowest of those that trapped; the others went on */
				box_is_fault(some, VYRE_FAULT_TRAP, 301);
			else
				box_is_done(box, some, 1);
			assert_int_equal(box->out[7], lanes - (lanes + 1) / 3);
			box_is_done(box, who, (uint32_t)(who - box->ring) / VYRE_SLOT_WORDS);
			assert_int_equal(who[VYRE_SLOT_WORD_ARG0 + 1], 21000 + 20 + VYRE_PRIORITY_NORMAL);
			assert_int_equal(who[VYRE_SLOT_WORD_ARG0 + 2], 503);
			box_is_done(box, add, 9);
			assert_int_equal(box->debug[0], 4);
			assert_int_equal(box->control[VYRE_CONTROL_METRICS + 21], 1);
			assert_int_equal(box->control[VYRE_CONTROL_FAULT_COUNT], lanes > 1 ? 3 : 2);
			box_is_drained(box);
			box_close(box);
		}
}

/* A set that has ops by workgroup alone, and by workgroup(N), which says how many lanes there are. */
static const char fixed_text[] = "set fixed {\n"
				 "  op turn = 0x100 (k: u32) by workgroup(8) {\n"
				 "    shared row: u32[8]\n"
				 "    row[lane] = lane * k\n"
				 "    barrier\n"
				 "    let x = row[7 - lane]\n"
				 "    result(0, reduce_max(select(lane == 2, x, 0)))\n"
				 "    result(1, lanes)\n"
				 "  }\n"
				 "}\n";

static void a_fixed_width_is_kept(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (unsigned one_lane = 0; one_lane < 2; one_lane++)
		for (uint64_t seed = 0; seed <= 4; seed++) {
			uint32_t *slot[9];
			box_open(box, fixed_text, (struct box_params){.lanes = 64, .one_lane = one_lane});
			assert_int_equal(box->module->units[1].workgroup[0], one_lane ? 1 : 8);
			for (uint32_t i = 0; i < 9; i++)
				slot[i] = BOX_PUT(box, 0x100, 0, i);
			box_show(box);
			box_drain(box, 1 + seed % 2, seed);
			for (uint32_t i = 0; i < 9; i++) {
				box_is_done(box, slot[i], 5 * i);
				assert_int_equal(slot[i][VYRE_SLOT_WORD_ARG0 + 1], 8);
			}
			box_is_drained(box);
			box_close(box);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mixed_slots_run_once),
	    cmocka_unit_test(wide_slots_end_as_they_should),
	    cmocka_unit_test(a_fixed_width_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
