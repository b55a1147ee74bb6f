/* live_tenant_test.c - masks and quotas in the live feed, in plain sets and in sets with a queue. */
#include "live_rig.h"

#define OPS \
	"  buffer out: live u32[]\n" \
	"  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value) }\n" /* how many run at once: at, and the most at + 1 */ \
	"  op crowd = 0x101 (at: u32) by lane {\n" \
	"    atomic_max(out[at + 1], atomic_add(out[at], 1) + 1)\n" \
	"    for i in 0 .. 5 { relax }\n" \
	"    atomic_sub(out[at], 1)\n" \
	"  }\n"

static const char plain_text[] = "set plain {\n" OPS "}\n";
static const char queue_text[] =
    "set queued {\n" OPS
    "  op turns = 0x102 (at: u32, n: u32) by lane { for i in 0 .. n { atomic_add(out[at], 1); yield } }\n"
    "  op crowd_of_turns = 0x103 (at: u32) by lane {\n"
    "    atomic_max(out[at + 1], atomic_add(out[at], 1) + 1)\n"
    "    yield\n"
    "    yield\n"
    "    atomic_sub(out[at], 1)\n"
    "  }\n"
    "  op family = 0x104 (at: u32) by lane { spawn(add, at, 1); spawn(add, at, 1); join; result(0, "
    "atomic_load(out[at])) }\n"
    "}\n";
static const char *const texts[] = {plain_text, queue_text};

static void a_masked_tenant_delays_none_of_28_others(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct live_rig rig;
		unsigned masked = 5;
		live_open(&rig, texts[seed % 2],
			  (struct live_params){.tenants = 29, .slots = 128, .first = 0xFFFFFFF0});
		rig.control[VYRE_CONTROL_TENANT_MASK + masked] = 0;
		for (unsigned i = 0; i < 116; i++)
			live_publish(&rig, 0x100, i % 29, i % 29, 1);
		live_drain(&rig, 1 + (uint32_t)(seed % 3), seed);
		for (unsigned i = 0; i < 116; i++)
			assert_int_equal(live_slot(&rig, 0xFFFFFFF0 + i)[0],
					 i % 29 == masked ? VYRE_SLOT_REQUEUE : VYRE_SLOT_DONE);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], 4);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED_QUOTA], 0);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], 0xFFFFFFF0 + 112);
		live_drain(&rig, 2, seed); /* nothing has changed: nothing happens */
		assert_int_equal(rig.out[masked], 0);
		rig.control[VYRE_CONTROL_TENANT_MASK + masked] = 1;
		live_configured(&rig);
		live_drain(&rig, 2, seed);
		for (unsigned i = 0; i < 29; i++)
			assert_int_equal(rig.out[i], 4);
		assert_int_equal(rig.control[VYRE_CONTROL_TENANT_FAIRNESS + masked], 0xFFFFFFF0 + 4);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* Every slot runs, and never more of the tenant at once than its quota. */
static void quotas_hold(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		uint32_t opcode = seed % 4 < 2 ? 0x101 : 0x103, quota = 1 + (uint32_t)(seed % 3);
		struct live_rig rig;
		live_open(&rig, opcode == 0x101 ? texts[seed % 2] : queue_text,
			  (struct live_params){.slots = 32, .first = 0xFFFFFFFA});
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = quota;
		for (unsigned i = 0; i < 32; i++)
			live_publish(&rig, opcode, i % 4 == 0 ? 2 : 1, i % 4 == 0 ? 4 : 0, 0);
		live_drain(&rig, 1 + (uint32_t)(seed % 4), seed);
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(live_slot(&rig, i)[0], VYRE_SLOT_DONE);
		assert_in_range(rig.out[1], 1, quota);
		assert_int_equal(rig.out[0], 0);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

static void a_quota_below_what_is_in_flight(void **state)
{
	struct live_rig rig;
	(void)state;
	live_open(&rig, queue_text, (struct live_params){0});
	for (unsigned i = 0; i < 4; i++)
		live_publish(&rig, 0x102, 1, 0, 2);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	live_run(&rig, 1, 0); /* four of its slots are in flight */
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
	rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 2;
	live_configured(&rig);
	for (unsigned i = 0; i < 4; i++)
		live_publish(&rig, 0x103, 1, 4, 0);
	live_drain(&rig, 2, 3);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(live_slot(&rig, i)[0], VYRE_SLOT_DONE);
	assert_int_equal(rig.out[0], 8);
	assert_in_range(rig.out[5], 1, 2);
	live_is_clean(&rig);
	live_close(&rig);
}

/* Quota 0 is a mask with another name. */
static void quota_zero_waits_for_a_change(void **state)
{
	(void)state;
	for (unsigned t = 0; t < 2; t++) {
		struct live_rig rig;
		live_open(&rig, texts[t], (struct live_params){0});
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 0;
		for (unsigned i = 0; i < 8; i++)
			live_publish(&rig, 0x100, i % 2, i % 2, 1);
		live_drain(&rig, 2, 7);
		assert_int_equal(rig.out[0], 4);
		assert_int_equal(rig.out[1], 0);
		assert_int_equal(live_slot(&rig, 1)[0], VYRE_SLOT_REQUEUE);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], 4);
		/* without a queue two who look at the same time may both count one, until the next look */
		assert_in_range(rig.live[VYRE_LIVE_PARKED_QUOTA], 4, t == 0 ? 8 : 4);
		rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 20; /* what is held back keeps no worker */
		live_run(&rig, 1, 0);
		assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 1);
		rig.live[VYRE_LIVE_AWAY] = 0;
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 1;
		live_configured(&rig);
		live_drain(&rig, 2, 9);
		assert_int_equal(rig.out[1], 4);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* A suspended slot of a masked tenant is held back too, and a parent's children need no unit of its quota. */
static void suspended_and_spawned_slots(void **state)
{
	struct live_rig rig;
	(void)state;
	if (!LIVE_COUNTS_ROUNDS)
		skip();
	live_open(&rig, queue_text, (struct live_params){.spawned = 4});
	uint32_t *turns = live_publish(&rig, 0x102, 1, 0, 3);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	live_run(&rig, 1, 0);
	rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
	assert_int_equal(turns[0], VYRE_SLOT_CLAIMED);
	rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
	live_configured(&rig);
	live_drain(&rig, 2, 3);
	assert_int_equal(turns[0], VYRE_SLOT_REQUEUE);
	assert_int_equal(rig.out[0], 1);
	rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
	rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 1;
	live_configured(&rig);
	uint32_t *family = live_publish(&rig, 0x104, 1, 8, 0);
	live_drain(&rig, 2, 3);
	assert_int_equal(turns[0], VYRE_SLOT_DONE);
	assert_int_equal(rig.out[0], 3);
	assert_int_equal(family[0], VYRE_SLOT_DONE);
	assert_int_equal(family[VYRE_SLOT_WORD_ARG0], 2);
	live_is_clean(&rig);
	live_close(&rig);
}

/* A host thread sleeps, so a worker returns after every batch: what it has not yet looked at, the next launch does. */
static void a_return_forgets_nobody(void **state)
{
	(void)state;
	for (unsigned t = 0; t < 2; t++) {
		struct live_rig rig;
		live_open(&rig, texts[t], (struct live_params){.slots = 64});
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 2] = 0;
		for (unsigned i = 0; i < 60; i++)
			live_publish(&rig, 0x100, 1 + i % 2, i % 2, 1);
		live_drain(&rig, 1, 0);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], 60);
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 2] = 3;
		live_configured(&rig);
		rig.live[VYRE_LIVE_NOTIFY] = 1;
		rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 20;
		for (unsigned i = 0; i < 100 && !rig.launch[VYRE_LAUNCH_LEFT]; i++)
			live_run(&rig, 1, 0);
		assert_int_equal(rig.out[0], 30);
		assert_int_equal(rig.out[1], 30);
		rig.live[VYRE_LIVE_AWAY] = 0;
		live_is_clean(&rig);
		live_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_masked_tenant_delays_none_of_28_others),
	    cmocka_unit_test(quotas_hold),
	    cmocka_unit_test(a_quota_below_what_is_in_flight),
	    cmocka_unit_test(quota_zero_waits_for_a_change),
	    cmocka_unit_test(suspended_and_spawned_slots),
	    cmocka_unit_test(a_return_forgets_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
