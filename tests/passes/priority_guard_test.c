/* priority_guard_test.c - both halves of the guard of the priority feed, and that nobody waits for one worker: interpreted,
 * and natively with a host that publishes while the kernel runs. */
#include "priority_rig.h"

static void high_work_alone_drains(void **state)
{
	static const uint32_t bounds[6] = {0, 500, 1000, 1006, 1011, 1016};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 1016);
		memcpy(s.control + VYRE_CONTROL_PARTITIONS, bounds, sizeof bounds);
		for (uint32_t i = 0; i < 1000; i++)
			publish(&s, i, MARK, 0);
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < 1000; i++)
			ticket(&s, i);
		assert_int_equal(claims_at(&s, 0) + claims_at(&s, 1), 1000);
		assert_int_equal(s.control[VYRE_CONTROL_STARVATION], 1000);
		scan_close(&s);
	}
}

/* Wherever it lies in the lower partitions, and whoever looks first. */
static void a_low_slot_is_served_within_16_and_the_workers(void **state)
{
	static const uint32_t bounds[6] = {0, 150, 300, 310, 320, 330}, places[] = {300, 309, 317, 329};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
			struct scan s;
			if (machine->native && machine->workgroups > 1)
				continue; /* the system may stop a thread between its claim and its ticket */
			open_set(&s, machine, set_text, 330);
			memcpy(s.control + VYRE_CONTROL_PARTITIONS, bounds, sizeof bounds);
			for (uint32_t i = 0; i < 300; i++)
				publish(&s, i, MARK, 0);
			publish(&s, places[k], MARK, 0);
			scan_run(&s, 1, 0);
			if (ticket(&s, places[k]) > 16 + s.workers)
				fail_msg("%s: the slot at %u came after %u others", machine->name, places[k],
					 ticket(&s, places[k]));
			scan_close(&s);
		}
	}
}

/* Launches of one round, each with less high work than makes the guard look: it counts from launch to launch. */
static void the_guard_counts_over_launches(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		if (machine->lanes * machine->workgroups != 1)
			continue;
		open_set(&s, machine, set_text, 50);
		for (uint32_t launch = 0; launch < 2; launch++) {
			for (uint32_t i = 0; i < 10; i++)
				publish(&s, i, MARK, 0);
			if (launch)
				publish(&s, 44, MARK, 0);
			scan_run(&s, 1, 0);
			assert_int_equal(s.control[VYRE_CONTROL_STARVATION], launch ? 4 : 10);
		}
		assert_int_equal(ticket(&s, 44), 16);
		scan_close(&s);
	}
}

struct host {
	struct scan *s;
	uint32_t stop; /* atomic */
};

/* High work without end: what has retired is published again. */
static void *republish(void *argument)
{
	struct host *host = argument;
	while (!__atomic_load_n(&host->stop, __ATOMIC_ACQUIRE))
		for (uint32_t i = 0; i < 40; i++)
			if (__atomic_load_n(scan_slot(host->s, i), __ATOMIC_ACQUIRE) == VYRE_SLOT_DONE)
				publish(host->s, i, MARK, 0);
	return NULL;
}

static void a_low_slot_is_served_among_endless_high_ones(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		struct scan_native native;
		struct host host = {.s = &s};
		pthread_t thread;
		if (!machine->native)
			continue;
		open_set(&s, machine, set_text, 100);
		for (uint32_t i = 0; i < 40; i++)
			publish(&s, i, MARK, 0);
		scan_start(&s, &native);
		assert_int_equal(pthread_create(&thread, NULL, republish, &host), 0);
		for (uint32_t i = 0; i < 20; i++) {
			uint32_t place = 40 + (i * 37) % 60;
			const uint32_t *low = publish(&s, place, MARK, 0);
			uint32_t since = __atomic_load_n(&order[0], __ATOMIC_ACQUIRE);
			assert_true(scan_comes(low, VYRE_SLOT_DONE));
			/* One worker claims and takes its ticket before it claims again. */
			if (s.workers == 1 && (int32_t)(ticket(&s, place) - since) > 17)
				fail_msg("the slot at %u came after %u others", place, ticket(&s, place) - since);
		}
		__atomic_store_n(&host.stop, 1, __ATOMIC_RELEASE);
		pthread_join(thread, NULL);
		__atomic_store_n(&s.control[VYRE_CONTROL_SHUTDOWN], 1, __ATOMIC_RELEASE);
		scan_join(&s, &native);
		scan_close(&s);
	}
}

/* One worker stays in a handler; the other ones serve every slot, those too that were to be its own. */
static void no_slot_waits_for_one_worker(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		struct scan_native native;
		if (!machine->native || machine->workgroups == 1)
			continue;
		open_set(&s, machine, set_text, 60);
		publish(&s, 0, HOLD, 0);
		scan_start(&s, &native);
		assert_true(scan_comes(&order[1], 1));
		for (uint32_t i = 1; i < s.slots; i++)
			publish(&s, i, MARK, 0);
		for (uint32_t i = 1; i < s.slots; i++)
			assert_true(scan_comes(scan_slot(&s, i), VYRE_SLOT_DONE));
		__atomic_store_n(&order[2], 1, __ATOMIC_RELEASE);
		assert_true(scan_comes(scan_slot(&s, 0), VYRE_SLOT_DONE));
		__atomic_store_n(&s.control[VYRE_CONTROL_SHUTDOWN], 1, __ATOMIC_RELEASE);
		scan_join(&s, &native);
		scan_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(high_work_alone_drains),
	    cmocka_unit_test(a_low_slot_is_served_within_16_and_the_workers),
	    cmocka_unit_test(the_guard_counts_over_launches),
	    cmocka_unit_test(a_low_slot_is_served_among_endless_high_ones),
	    cmocka_unit_test(no_slot_waits_for_one_worker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
