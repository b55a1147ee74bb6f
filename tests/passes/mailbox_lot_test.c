/* mailbox_lot_test.c - the parking lot behind a mailbox when it is full: every place of the ring holds a slot that may not
 * run, and pass after pass hands the entries out and takes them back. A workgroup that has been handed an entry may be slow
 * to read it, while others put theirs aside again, lap after lap. */
#include "tests/passes/mailbox_rig.h"

static const char text[] =
    "set lot {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value); result(0, value + 1) }\n"
    "}\n";

static const struct {
	uint32_t slots, lanes, workgroups;
	bool one_lane;
	uint32_t seeds; /* somebody slow enough is rare */
} shapes[] = {
    {2, 1, 2, true, 60}, {2, 1, 3, true, 600}, {4, 1, 3, true, 100}, {8, 2, 3, false, 24}, {16, 4, 3, false, 24}};
#define SHAPES (sizeof shapes / sizeof *shapes)

enum { MOST = 16, FLIPS = 24 };

static uint32_t phase, flips, is_by_quota;
static uint32_t *slot[MOST];

static uint32_t with_status(const struct box *box, uint32_t status)
{
	uint32_t seen = 0;
	for (uint32_t i = 0; i < box->slots; i++)
		seen += *slot[i] == status;
	return seen;
}

static void hold(struct box *box, bool held)
{
	if (is_by_quota)
		box_quota(box, 1, held ? 0 : VYRE_TENANT_QUOTA_DEFAULT);
	else
		box_mask(box, 1, held ? 0 : UINT32_MAX);
}

/* All are put aside; changes that concern nobody make passes; then all may run. */
static void turn_the_lot(struct box *box)
{
	switch (phase) {
	case 0:
		hold(box, true);
		for (uint32_t i = 0; i < box->slots; i++)
			slot[i] = BOX_PUT(box, 0x100, 1, i, 1 + i);
		box_show(box);
		phase++;
		break;
	case 1:
		phase += with_status(box, VYRE_SLOT_REQUEUE) == box->slots;
		break;
	case 2:
		if (flips++ < FLIPS)
			box_mask(box, 2, flips % 2 ? 0 : UINT32_MAX);
		else
			phase++;
		break;
	case 3:
		hold(box, false);
		phase++;
		break;
	case 4:
		if (with_status(box, VYRE_SLOT_DONE) != box->slots)
			break;
		box_store(box, &box->line[VYRE_LIVE_STOP], 1);
		phase++;
		break;
	default:
		break;
	}
}

static void a_full_lot_loses_nothing(void **state)
{
	static struct box box;
	(void)state;
	for (size_t s = 0; s < SHAPES; s++)
		for (uint64_t seed = 0; seed < shapes[s].seeds; seed++) {
			box_open(&box, text,
				 (struct box_params){.slots = shapes[s].slots,
						     .first = 0xFFFFFFFE,
						     .lanes = shapes[s].lanes,
						     .one_lane = shapes[s].one_lane});
			phase = flips = 0;
			is_by_quota = seed % 2;
			box.host_turn = turn_the_lot;
			box.step_limit = 4000000;
			box_run(&box, shapes[s].workgroups, seed);
			assert_int_equal(phase, 5);
			for (uint32_t i = 0; i < box.slots; i++) {
				box_is_done(&box, slot[i], 2 + i);
				assert_int_equal(box.out[i], 1 + i);
			}
			box_is_drained(&box);
			box_close(&box);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_lot_loses_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
