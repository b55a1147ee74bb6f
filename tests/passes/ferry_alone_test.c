/* ferry_alone_test.c - behind a mailbox with one workgroup alone, which carries and works in turns, a few rounds each. */
#include "ferry_rig.h"

static const char set_text[] = "set demo {\n"
			       "  buffer out: live u32[]\n"
			       "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value) }\n"
			       "  op waits = 0x101 (at: u32) by lane {\n"
			       "    loop {\n"
			       "      yield\n"
			       "      atomic_add(out[at + 1], 1)\n"
			       "      if atomic_load(out[at]) != 0 { break }\n"
			       "    }\n"
			       "  }\n"
			       "  op frees = 0x102 (at: u32) by lane { yield; atomic_store(out[at], 1) }\n"
			       "}\n";

enum { HELD = 200, SLOTS = 256, FIRST = 17, IDLE = 6 };

/* Until it leaves for idleness. */
static void run_alone(struct live_rig *rig, uint64_t seed)
{
	rig->launch[VYRE_LAUNCH_IDLE_LIMIT] = IDLE;
	rig->ferry->singles = 0;
	live_run(rig, 1, seed);
	assert_int_equal(rig->live[VYRE_LIVE_AWAY], 0); /* nobody counts twice */
	assert_int_equal(rig->launch[VYRE_LAUNCH_LEFT], 1);
}

static void publish_held(struct live_rig *rig)
{
	for (uint32_t i = 0; i < HELD; i++)
		live_publish(rig, 0x100, 1, 0, 1);
	for (uint32_t i = 0; i < 5; i++)
		live_publish(rig, 0x100, 2, 1, 1);
}

static void all_have_run(struct live_rig *rig)
{
	assert_int_equal(rig->out[0], HELD);
	assert_int_equal(rig->out[1], 5);
	assert_int_equal(rig->live[VYRE_LIVE_RETIRED], FIRST + HELD + 5);
	for (uint32_t i = 0; i < HELD + 5; i++)
		assert_int_equal(live_slot(rig, FIRST + i)[0], VYRE_SLOT_DONE);
	live_is_clean(rig);
}

/* More are held back than it goes through at a time: it leaves all the same, as the kernel at whose slots nobody looks
 * any more; and comes back to them. */
static void it_leaves_while_many_are_masked(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.slots = SLOTS, .first = FIRST});
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		publish_held(&rig);
		run_alone(&rig, seed);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], HELD);
		assert_int_equal(rig.out[0], 0);
		live_configured(&rig); /* another tenant's: they are looked at once more, and it leaves again */
		run_alone(&rig, seed);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], HELD);
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		live_configured(&rig);
		run_alone(&rig, seed);
		all_have_run(&rig);
		live_close(&rig);
	}
}

static void it_leaves_while_many_are_over_quota(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.slots = SLOTS, .first = FIRST});
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 0;
		publish_held(&rig);
		run_alone(&rig, seed);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED_QUOTA], HELD);
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = (uint32_t)seed * 16;
		live_configured(&rig);
		run_alone(&rig, seed);
		all_have_run(&rig);
		live_close(&rig);
	}
}

/* Of five priorities that all have endless work, the last one has its turns. */
static void every_priority_has_its_turn(void **state)
{
	(void)state;
	for (uint32_t last = 0; last <= VYRE_PRIORITY_IDLE; last++) {
		struct live_rig rig;
		live_open(&rig, set_text, (struct live_params){.slots = 32});
		for (uint32_t priority = 0; priority <= VYRE_PRIORITY_IDLE; priority++)
			for (uint32_t i = 0; i < 2; i++)
				live_publish(&rig, 0x101, 0, 0, 0)[VYRE_SLOT_WORD_PRIORITY] = priority;
		live_publish(&rig, 0x102, 0, 0, 0)[VYRE_SLOT_WORD_PRIORITY] = last;
		run_alone(&rig, 1 + last);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], 11);
		assert_in_range(rig.out[1], 10,
				600); /* turns of the ten: 17 claims at most between two other priorities */
		live_is_clean(&rig);
		live_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_leaves_while_many_are_masked),
	    cmocka_unit_test(it_leaves_while_many_are_over_quota),
	    cmocka_unit_test(every_priority_has_its_turn),
	};
	return cmocka_run_group_tests_name("ferry_alone", tests, NULL, NULL);
}
