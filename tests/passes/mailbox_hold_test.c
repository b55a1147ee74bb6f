/* mailbox_hold_test.c - slots behind a mailbox that may not run yet or any more: masks, quotas, cancels; who takes a lone
 * slot, and what nobody takes. */
#include "tests/passes/mailbox_held.h"

static void stop(struct box *box, uint32_t how)
{
	box_store(box, &box->line[VYRE_LIVE_STOP], how);
}

/* ---- a lone slot ------------------------------------------------------------------------------------------------------- */

/* The fast way looks at CHECK and at no stamp, the slow way the other way round. So a stamp that is wrong tells them
 * apart, which no publisher stores. */
static void publish_lone(struct box *box)
{
	if (phase == 1 && (*slot[0] == VYRE_SLOT_DONE || box->turns > 3000)) {
		stop(box, 2);
		phase = 2;
	}
	if (phase == 0 && box->turns > 50) {
		slot[0] = BOX_PUT(box, 0x100, 0, 3, 5);
		box->stores[box->store_count - 1].value = count; /* its stamp */
		box_show(box);
		phase = 1;
	}
}

static void a_lone_slot_goes_the_fast_way(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 4)
	for (unsigned torn = 0; torn < 2; torn++)
		for (unsigned stale = 0; stale < 2; stale++) {
			open_shape(box, shape, 4, 0xFFFFFFFF);
			phase = 0;
			count = stale ? 0xFFFFFFFB : 0xFFFFFFFF;
			box->torn = torn;
			box->host_turn = publish_lone;
			box_run(box, shapes[shape].workgroups, seed);
			assert_int_equal(phase, 2);
			assert_int_equal(*slot[0], torn && stale ? VYRE_SLOT_PUBLISHED : VYRE_SLOT_DONE);
			assert_int_equal(box->live[VYRE_LIVE_HEAD], 0);
			assert_int_equal(box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED], 0);
			assert_int_equal(box->out[3], torn && stale ? 0 : 5);
			box_close(box);
		}
}

/* What stands at HEAD and was not published there is not run, though the host's TAIL and CHECK say so: STATUS decides. */
static void publish_nothing(struct box *box)
{
	if (phase == 0) {
		slot[0] = BOX_PUT(box, 0x100, 0, 3, 5);
		box->stores[box->store_count - 2].value = VYRE_SLOT_EMPTY;
		box->stores[box->store_count - 1].value = 77;
		box_show(box);
	}
	if (++phase == 200)
		stop(box, 2);
}

static void an_empty_place_is_passed_over(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 2)
	{
		open_shape(box, shape, 4, 5);
		phase = 0;
		box->host_turn = publish_nothing;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(box->live[VYRE_LIVE_HEAD], 6);
		assert_int_equal(box->live[VYRE_LIVE_RETIRED], 5);
		assert_int_equal(*slot[0], VYRE_SLOT_EMPTY);
		box_close(box);
	}
}

/* ---- masks and quotas -------------------------------------------------------------------------------------------------- */

static void mask_and_unmask(struct box *box)
{
	switch (phase) {
	case 0:
		box_mask(box, 1, 0);
		for (uint32_t i = 0; i < 12; i++)
			slot[i] = BOX_PUT(box, 0x100, i % 2, i % 2, 1 + i);
		box_show(box);
		phase = 1;
		break;
	case 1:
		if (box->line[VYRE_LIVE_PARKED] != 6 || box->line[VYRE_LIVE_RETIRED] - box->first != 6)
			break;
		assert_int_equal(with_status(0, 12, VYRE_SLOT_REQUEUE), 6);
		assert_int_equal(with_status(0, 12, VYRE_SLOT_DONE), 6);
		assert_int_equal(box->line[VYRE_LIVE_TENANT_RETIRED] - box->first, 6);
		count = box->turns;
		phase = 2;
		break;
	case 2: /* another tenant's mask makes them looked at, and parked again */
		if (box->turns < count + 100)
			break;
		box_mask(box, 2, 0);
		phase = 3;
		break;
	case 3:
		if (box->turns < count + 300)
			break;
		assert_int_equal(with_status(0, 12, VYRE_SLOT_REQUEUE), 6);
		box_mask(box, 1, 1);
		phase = 4;
		break;
	case 4:
		if (box->line[VYRE_LIVE_RETIRED] - box->first != 12)
			break;
		stop(box, 1);
		phase = 5;
		break;
	default:
		break;
	}
}

static void a_masked_slot_waits(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 6)
	{
		open_shape(box, shape, 16, 0xFFFFFFFA);
		phase = 0;
		box->host_turn = mask_and_unmask;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(phase, 5);
		for (uint32_t i = 0; i < 12; i++)
			box_is_done(box, slot[i], 2 + i);
		assert_int_equal(box->out[1], 2 + 4 + 6 + 8 + 10 + 12);
		box_is_drained(box);
		box_close(box);
	}
}

static uint32_t quota;

static void publish_busy(struct box *box)
{
	bool any = false;
	if (phase == 0) {
		box_quota(box, 1, quota);
		phase = 1;
	}
	for (uint32_t n = box_random(box) % 8; n > 0 && left > 0 && box_has_room(box) && box_is_free(box, box->tail);
	     n--, left--, any = true)
		BOX_PUT(box, 0x101, 1, box_random(box) % 20);
	if (any)
		box_show(box);
	else if (left == 0 && !box_later(box, &box->line[VYRE_LIVE_STOP]))
		stop(box, 1);
}

static void a_quota_is_kept(void **state)
{
	struct box *box = the_box();
	uint32_t most = 0;
	(void)state;
	EVERY_RUN(shape, seed, 6)
	{
		open_shape(box, shape, 16, 0xFFFFFFF5);
		phase = 0;
		quota = 2;
		left = 40;
		box->host_turn = publish_busy;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(left, 0);
		assert_int_equal(box->out[1], 0);
		assert_in_range(box->out[2], 1, 2);
		most = box->out[2] > most ? box->out[2] : most;
		box_is_drained(box);
		box_close(box);
	}
	assert_int_equal(most, 2);
}

/* Few slots and many interleavings: one that is put aside just when the last one that was in its way ends. */
static void a_slot_over_quota_is_not_forgotten(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		open_shape(box, seed % 2 ? 1 : 3, 8, 0);
		phase = 0;
		left = 5;
		box->step_limit = 400000;
		quota = 1;
		box->host_turn = publish_busy;
		box_run(box, 3, seed);
		assert_int_equal(box->out[2], 1);
		box_is_drained(box);
		box_close(box);
	}
}

/* Masks and quotas come and go while slots are published; in the end everyone may run. */
static void publish_and_flip(struct box *box)
{
	uint32_t what = box_random(box) % 8, tenant = box_random(box) % 3;
	bool any = false;
	if (left == 0) {
		if (phase == 0) {
			for (uint32_t i = 0; i < 3; i++) {
				box_mask(box, i, 1);
				box_quota(box, i, i == 1 ? 1 : VYRE_TENANT_QUOTA_DEFAULT);
			}
			stop(box, 1);
			phase = 1;
		}
		return;
	}
	if (what == 0)
		box_mask(box, tenant, box_random(box) % 2);
	if (what == 1)
		box_quota(box, tenant, 1 + box_random(box) % 20);
	for (uint32_t n = box_random(box) % 5; n > 0 && left > 0 && box_has_room(box) && box_is_free(box, box->tail);
	     n--, left--, any = true) {
		BOX_PUT(box, 0x100, box_random(box) % 3, 5, left);
		count += left;
	}
	if (any)
		box_show(box);
	/* Everything that is there may be masked. */
	if (!any && box_random(box) % 16 == 0)
		box_mask(box, tenant, 1);
}

static void changes_are_never_missed(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 12)
	{
		open_shape(box, shape, seed % 2 ? 8 : 16, 0xFFFFFFF5);
		phase = count = 0;
		left = 80;
		box->host_turn = publish_and_flip;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(phase, 1);
		assert_int_equal(box->out[5], count);
		box_is_drained(box);
		box_close(box);
	}
}

/* ---- cancels ----------------------------------------------------------------------------------------------------------- */

static bool is_answered(struct box *box)
{
	return box_later(box, &box->line[VYRE_LIVE_COMMAND]) == box->line[VYRE_LIVE_COMMAND_DONE];
}

/* Phase 0: one that nobody has claimed, told of with the slots themselves. 1 .. 40: parked ones, more than CANCEL holds. Then
 * those that have ended. */
static void cancel_them(struct box *box)
{
	if (!is_answered(box))
		return;
	if (phase == 0) {
		box_mask(box, 1, 0);
		box_flush(box);
		for (uint32_t i = 0; i < 44; i++)
			slot[i] = BOX_PUT(box, 0x100, i >= 4, 7, 100 + i);
		box_show(box);
		box_cancel(box, box->first + 2);
		box_flush(box);
	} else if (phase <= 38) {
		if (phase == 1 && box->line[VYRE_LIVE_PARKED] != 40)
			return;
		box_cancel(box, box->first + 3 + phase);
	} else if (phase <= 80) {
		if (phase == 39 && box->line[VYRE_LIVE_RETIRED] - box->first != 42)
			return;
		box_cancel(box, box->first + phase % 40);
	} else if (phase == 81) {
		box_mask(box, 1, 1);
		stop(box, 1);
	}
	phase++;
}

static void a_cancelled_slot_ends(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 3)
	{
		open_shape(box, shape, 64, 0xFFFFFFE0);
		phase = 0;
		/* Nothing of it is published before all of it is: the first poll finds slots and command. */
		cancel_them(box);
		box->host_turn = cancel_them;
		box_run(box, shapes[shape].workgroups, seed);
		for (uint32_t i = 0; i < 44; i++) {
			if (i == 2 || (i >= 4 && i < 42))
				box_is_fault(slot[i], VYRE_FAULT_CANCELLED, 0);
			else
				box_is_done(box, slot[i], 101 + i);
		}
		assert_int_equal(box->out[7], 100 + 101 + 103 + 142 + 143);
		assert_int_equal(box->control[VYRE_CONTROL_FAULT_COUNT], 39);
		box_is_drained(box);
		box_close(box);
	}
}

/* A request is forgotten when its slot has ended: 2^32 slots later another one has its position. */
static void cancel_one(struct box *box)
{
	if (phase == 0) {
		box_mask(box, 1, 0);
		slot[0] = BOX_PUT(box, 0x100, 1, 7, 100);
		box_show(box);
	} else if (phase == 1) {
		if (*slot[0] != VYRE_SLOT_REQUEUE)
			return;
		box_cancel(box, box->first);
	} else if (phase == 2) {
		if (*slot[0] != VYRE_SLOT_FAULT ||
		    (box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_CANCELS] && count++ < 20000))
			return;
		box_mask(box, 1, 1);
		stop(box, 1);
	}
	phase++;
}

static void a_request_is_forgotten(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 2)
	{
		open_shape(box, shape, 4, 0xFFFFFFFF);
		phase = count = 0;
		box->host_turn = cancel_one;
		box_run(box, shapes[shape].workgroups, seed);
		box_is_fault(slot[0], VYRE_FAULT_CANCELLED, 0);
		/* As 2^32 - 1 slots later. */
		box->line[VYRE_LIVE_STOP] = 0;
		box->tail = box->live[VYRE_LIVE_HEAD] = box->live[VYRE_LIVE_TAIL] = box->first;
		box->line[VYRE_LIVE_HEAD] = box->line[VYRE_LIVE_TAIL] = box->first;
		box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ENDED]--;
		slot[1] = BOX_PUT(box, 0x100, 1, 7, 100);
		box_show(box);
		box->host_turn = NULL;
		box_drain(box, shapes[shape].workgroups, seed);
		box_is_done(box, slot[1], 101);
		box_close(box);
	}
}

static bool is_long; /* 2^32 positions pass while the slots run: publishers take their stamps away */

/* Forty slots that run, and are asked to end: the 33rd request is answered when one of them has. */
static void cancel_running(struct box *box)
{
	if (phase == 0) {
		for (uint32_t i = 0; i < 40; i++)
			slot[i] = BOX_PUT(box, 0x102, 0, i < 39 ? 3 : 4);
		box_show(box);
		box_flush(box);
		phase = 1;
	} else if (phase == 1) { /* all of them are claimed, and looked at: one batch */
		if (box->line[VYRE_LIVE_HEAD] - box->first != 40 || ++count != 400)
			return;
		for (uint32_t i = 0; is_long && i < 40; i++) /* what pass_over stores */
			box_store(box, &box->stamps[(box->first + i) % 64], box->first + i + 1);
		box_flush(box);
		phase = 2;
	} else if (phase < 2 + 33) {
		if (!is_answered(box))
			return;
		box_cancel(box, box->first + phase++ - 2);
		box_flush(box);
		count = 0;
	} else if (phase == 35 && ++count == 3000) {
		assert_false(is_answered(box));
		assert_int_equal(with_status(0, 40, VYRE_SLOT_PUBLISHED), 40);
		box->out[3] = 1;
		phase = 36;
	} else if (phase == 36 && is_answered(box)) {
		box->out[4] = 1;
		stop(box, 1);
		phase = 37;
	}
}

static void a_request_without_room_waits(void **state)
{
	struct box *box = the_box();
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		box_open(box, held_text, (struct box_params){.slots = 64, .lanes = 64, .first = 0xFFFFFFE0});
		phase = count = 0;
		is_long = seed > 3;
		box->host_turn = cancel_running;
		box_run(box, 2, seed);
		assert_int_equal(phase, 37);
		for (uint32_t i = 0; i < 40; i++)
			box_is_done(box, slot[i], i < 39 ? 3 : 4);
		box_is_drained(box);
		box_close(box);
	}
}

/* ---- who polls --------------------------------------------------------------------------------------------------------- */

/* Two workgroups: one is held by a slot; the poller takes what nobody else does, and is held too; the first one goes on,
 * and must poll, else what comes then is never seen. */
static void hold_both(struct box *box)
{
	if (phase == 0) {
		slot[0] = BOX_PUT(box, 0x102, 0, 3);
		box_show(box);
		phase = 1;
	} else if (phase == 1 && box->line[VYRE_LIVE_HEAD] - box->first == 1) {
		slot[1] = BOX_PUT(box, 0x100, 0, 5, 1);
		slot[2] = BOX_PUT(box, 0x102, 0, 4);
		box_show(box);
		phase = 2;
	} else if (phase == 2 && *slot[1] == VYRE_SLOT_DONE) {
		box->out[3] = 1;
		phase = 3;
	} else if (phase == 3 && *slot[0] == VYRE_SLOT_DONE) {
		slot[3] = BOX_PUT(box, 0x100, 0, 5, 10);
		box_show(box);
		phase = 4;
	} else if (phase == 4 && *slot[3] == VYRE_SLOT_DONE) {
		assert_int_equal(*slot[2], VYRE_SLOT_PUBLISHED);
		box->out[4] = 1;
		stop(box, 1);
		phase = 5;
	}
}

static void somebody_always_polls(void **state)
{
	static const uint32_t lanes[] = {1, 4, 32};
	struct box *box = the_box();
	(void)state;
	for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
		for (uint64_t seed = 0; seed <= 4; seed++) {
			box_open(box, held_text,
				 (struct box_params){.slots = 16, .lanes = lanes[i], .one_lane = lanes[i] == 1});
			phase = 0;
			box->host_turn = hold_both;
			box_run(box, 2, seed);
			assert_int_equal(phase, 5);
			assert_int_equal(box->out[5], 11);
			box_is_drained(box);
			box_close(box);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lone_slot_goes_the_fast_way),
	    cmocka_unit_test(an_empty_place_is_passed_over),
	    cmocka_unit_test(a_masked_slot_waits),
	    cmocka_unit_test(a_quota_is_kept),
	    cmocka_unit_test(a_slot_over_quota_is_not_forgotten),
	    cmocka_unit_test(changes_are_never_missed),
	    cmocka_unit_test(a_cancelled_slot_ends),
	    cmocka_unit_test(a_request_is_forgotten),
	    cmocka_unit_test(a_request_without_room_waits),
	    cmocka_unit_test(somebody_always_polls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
