/* mailbox_end_test.c - every way in which a launch of the feed behind a mailbox ends, how the next one goes on, and what a
 * hostile host can make of it. */
#include "tests/passes/mailbox_held.h"

/* ---- ends of a launch -------------------------------------------------------------------------------------------------- */

/* Leaves at once, whatever is published; the next launch goes on. */
static void publish_then_end(struct box *box)
{
	if (phase == 0) {
		for (uint32_t i = 0; i < 64; i++)
			slot[i] = BOX_PUT(box, 0x101, 0, 30);
		box_show(box);
		box_flush(box);
		phase = 1;
	} else if (phase == 1 && *slot[0] == VYRE_SLOT_DONE) {
		*(left ? &box->line[VYRE_LIVE_STOP] : &box->host[VYRE_CONTROL_SHUTDOWN]) = 2;
		phase = 2;
	}
}

static void it_ends_at_once(void **state)
{
	struct box *box = the_box();
	uint32_t unclaimed = 0;
	(void)state;
	EVERY_RUN(shape, seed, 4)
	{
		open_shape(box, shape, 64, 0xFFFFFFE0);
		phase = 0;
		left = seed % 2;
		box->host_turn = publish_then_end;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(phase, 2);
		/* What has been claimed has ended, and nothing else; the host knows. */
		uint32_t done = with_status(0, 64, VYRE_SLOT_DONE);
		unclaimed += 64 - done;
		assert_int_equal(with_status(0, 64, VYRE_SLOT_PUBLISHED), 64 - done);
		assert_int_equal(box->line[VYRE_LIVE_HEAD] - box->first, done);
		assert_int_equal(box->line[VYRE_LIVE_RETIRED] - box->first, done);
		assert_int_equal(box->line[VYRE_LIVE_STATE], 4);
		assert_int_equal(box->line[VYRE_LIVE_AWAY], 0);
		box->line[VYRE_LIVE_STOP] = box->host[VYRE_CONTROL_SHUTDOWN] = 0;
		box->host_turn = NULL;
		box_drain(box, shapes[shape].workgroups, seed);
		box_is_drained(box);
		box_close(box);
	}
	assert_true(unclaimed > 0);
}

/* A slot now and then, and now and then a mask; the kernel leaves whenever it has been idle for a while. */
static void publish_rarely(struct box *box)
{
	if (box_random(box) % 600 != 0)
		return;
	if (left == 0 || !box_has_room(box) || !box_is_free(box, box->tail)) {
		box_mask(box, 1, 1); /* the place of one that is held back */
		return;
	}
	if (left % 4 == 0)
		box_mask(box, 1, left % 8 == 0);
	BOX_PUT(box, 0x100, left % 2, 5, left);
	count += left;
	left--;
	box_show(box);
}

static void nothing_is_lost_between_launches(void **state)
{
	struct box *box = the_box();
	uint32_t idle_ends = 0;
	(void)state;
	EVERY_RUN(shape, seed, 8)
	{
		uint32_t launches = 0;
		open_shape(box, shape, 8, 0xFFFFFFFB);
		count = 0;
		left = 24;
		box->host_turn = publish_rarely;
		box->launch[VYRE_LAUNCH_IDLE_LIMIT] = 5;
		for (; left > 0 || box->stored < box->store_count || box->line[VYRE_LIVE_RETIRED] != box->tail;
		     launches++) {
			assert_true(launches < 400);
			box_run(box, shapes[shape].workgroups, seed + launches);
			assert_int_equal(box->line[VYRE_LIVE_STATE], 4);
			assert_int_equal(box->line[VYRE_LIVE_AWAY], 1);
			/* Who published or configured behind its back has been told to wake it. */
			if (box->live[VYRE_LIVE_HEAD] != box->line[VYRE_LIVE_TAIL] ||
			    box->live[VYRE_LIVE_CONFIG_EPOCH] != box->line[VYRE_LIVE_CONFIG_EPOCH])
				assert_true(box->saw_away);
			for (uint32_t n = box_random(box) % 8; n > 0; n--)
				box_host(box);
		}
		idle_ends += launches;
		box_is_drained(box);
		assert_int_equal(box->out[5], count);
		box_close(box);
	}
	assert_true(idle_ends > SHAPES * 8);
}

/* One launch of a few rounds, and what must stand as it did before. */
static void burst(struct box *box, size_t shape, uint64_t seed)
{
	box_run(box, shapes[shape].workgroups, seed);
	assert_int_equal(box->line[VYRE_LIVE_AWAY], 0);
	assert_int_equal(box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_ROUNDS], 0);
	assert_int_equal(box->live[VYRE_LIVE_ENGINE + VYRE_ENGINE_GONE], 0);
}

/* Slots that the poller does not run itself are among them: another workgroup goes on counting. */
static void a_burst_has_so_many_rounds(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 4)
	{
		uint32_t launches = 0;
		open_shape(box, shape, 16, 0xFFFFFFF8);
		box->launch[VYRE_LAUNCH_ROUND_LIMIT] = 6;
		for (uint32_t i = 0; i < 40; i++) {
			assert_true(box_has_room(box) && box_is_free(box, box->tail));
			slot[i] = BOX_PUT(box, 0x100 + i % 2, i % 3, 6, i);
			box_show(box);
			box_flush(box);
			while (i % 4 == 3 && box->line[VYRE_LIVE_RETIRED] != box->tail) {
				assert_true(launches++ < 200);
				burst(box, shape, seed + launches);
			}
		}
		assert_in_range(launches, 10, 100);
		assert_int_equal(box->out[6], 20 * 19);
		box_is_drained(box);
		box_close(box);
	}
}

/* Polls take what is new in two steps, and a configuration in three; a limit that is lower must not keep all launches from it. */
static void the_shortest_burst_does_something(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 6)
	{
		uint32_t launches = 0;
		open_shape(box, shape, 16, 0xFFFFFFFC);
		box->launch[VYRE_LAUNCH_ROUND_LIMIT] = 1 + seed % 3;
		for (uint32_t i = 0; i < 12; i++)
			slot[i] = BOX_PUT(box, 0x100, i % 2, 6, i);
		if (seed < 3)
			box_mask(box, 2, 0);
		box_show(box);
		box_flush(box);
		while (box->line[VYRE_LIVE_RETIRED] != box->tail) {
			assert_true(launches++ < 100);
			burst(box, shape, seed + launches);
		}
		box_is_drained(box);
		box_close(box);
	}
}

/* ---- hostile words ----------------------------------------------------------------------------------------------------- */

static void lengths_are_believed_from_nobody(void **state)
{
	static const struct {
		uint32_t word, value;
	} lies[] = {
	    {VYRE_CONTROL_RING_SLOTS, 0},	   {VYRE_CONTROL_RING_SLOTS, 12},	{VYRE_CONTROL_RING_SLOTS, 32},
	    {VYRE_CONTROL_RING_SLOTS, 0x80000000}, {VYRE_CONTROL_EXT_BASE, 0},		{VYRE_CONTROL_EXT_BASE, 224},
	    {VYRE_CONTROL_EXT_BASE, 0xFFFFFFFF},   {VYRE_CONTROL_EXT_BASE, 0xFFFFFF00},
	};
	struct box *box = the_box();
	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
		for (size_t shape = 0; shape < SHAPES; shape++) {
			open_shape(box, shape, 16, 0);
			slot[0] = BOX_PUT(box, 0x100, 0, 3, 5);
			box_show(box);
			box_flush(box);
			box->control[lies[i].word] = lies[i].value;
			box_run(box, shapes[shape].workgroups, 1);
			assert_int_equal(*slot[0], VYRE_SLOT_PUBLISHED);
			box_close(box);
		}
}

/* Any word of host memory at any time; then it is told to end. What accesses are unchecked the interpreter checks. */
static void store_anything(struct box *box)
{
	uint32_t value = box_random(box) % 4 ? box_random(box) % 9 : box_random(box) << 1;
	if (box->turns > 400) {
		box->line[VYRE_LIVE_STOP] = 2;
		return;
	}
	switch (box_random(box) % 4) {
	case 0:
		box->ring[box_random(box) % (box->slots * VYRE_SLOT_WORDS)] = value;
		break;
	case 1:
		box->stamps[box_random(box) % box->slots] = box->live[VYRE_LIVE_HEAD] + value;
		break;
	case 2:
		box->line[VYRE_LIVE_TAIL] = box->live[VYRE_LIVE_HEAD] + value % 0x7f;
		break;
	default:
		value = box_random(box) % 6;
		box->line[value] = value == VYRE_LIVE_STOP ? 0 : box_random(box) % 300;
	}
	box->host[VYRE_CONTROL_TENANT_MASK + box_random(box) % 61] = box_random(box) % 3;
}

static void a_hostile_host_harms_nobody(void **state)
{
	struct box *box = the_box();
	(void)state;
	EVERY_RUN(shape, seed, 12)
	{
		open_shape(box, shape, 8, 0);
		box->host_turn = store_anything;
		box_run(box, shapes[shape].workgroups, seed);
		assert_int_equal(box->line[VYRE_LIVE_STATE], 4);
		box_close(box);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_ends_at_once),
	    cmocka_unit_test(nothing_is_lost_between_launches),
	    cmocka_unit_test(a_burst_has_so_many_rounds),
	    cmocka_unit_test(the_shortest_burst_does_something),
	    cmocka_unit_test(lengths_are_believed_from_nobody),
	    cmocka_unit_test(a_hostile_host_harms_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
