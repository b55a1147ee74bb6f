/* task_spawn_test.c - tasks that spawn tasks, on the interpreter and natively: room and none, who ends before whom, and a host
 * that ends members of a family between launches. */
#include "tasks_rig.h"

/* Sums of ranges by halves: a task that waits for its two, or that ends and leaves them running. */
static const char tree_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op sum = 0x100 (first: u32, count: u32, at: u32) by lane {\n"
    "    if count <= 2 {\n"
    "      atomic_add(out[at], select(count == 2, 2 * first + 1, first))\n"
    "      return\n"
    "    }\n"
    "    let half = count / 2\n"
    "    spawn(sum, first, half, at) else { atomic_add(out[4], 1); for i in 0 .. half { atomic_add(out[at], first + i) "
    "} }\n"
    "    spawn(sum, first + half, count - half, at) else {\n"
    "      atomic_add(out[4], 1)\n"
    "      for i in half .. count { atomic_add(out[at], first + i) }\n"
    "    }\n"
    "    join\n"
    "    let so_far = atomic_load(out[at])\n"
    "    result(0, so_far)\n"
    "  }\n"
    "  op leave = 0x101 (n: u32) by lane { for i in 0 .. n { spawn(slow, i) }; result(0, 1) }\n"
    "  op slow = 0x102 (n: u32) by lane { yield; yield; atomic_add(out[1], 1) }\n"
    "  op break_off = 0x103 () by lane { spawn(slow, 1); yield; spawn(slow, 2); trap(9) }\n"
    "}\n";
/* With much room and with little: what finds none is done by the spawner. Ids are unique, parents named. */
static void tasks_spawn_tasks(void **state)
{
	static const uint32_t rooms[] = {200, 9, 1};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (size_t k = 0; k < sizeof rooms / sizeof *rooms; k++) {
			struct scan s;
			uint32_t spawned = 0;
			open_set(&s, machine, tree_text, rooms[k]);
			put(&s, 0, 0x100, 10, 64, 3)[VYRE_TASK_WORD_PRIORITY] = VYRE_PRIORITY_HIGH;
			drain(&s);
			assert_int_equal(word(&s, 0, 0), VYRE_TASK_DONE);
			assert_int_equal(out[3], 10 * 64 + 63 * 64 / 2);
			assert_int_equal(word(&s, 0, VYRE_TASK_WORD_INPUT), out[3]); /* after all of them */
			assert_true((out[4] != 0) == (s.slots != 200));
			for (uint32_t i = 1; i < s.slots; i++) {
				uint32_t *task = scan_slot(&s, i), id = task[VYRE_TASK_WORD_TASK_ID];
				if (!task[0])
					continue;
				spawned++;
				assert_int_equal(task[0], VYRE_TASK_DONE);
				assert_int_equal(id >> 31, 1);
				assert_int_equal(task[VYRE_TASK_WORD_TENANT], 0);
				assert_int_equal(task[VYRE_TASK_WORD_PRIORITY], VYRE_PRIORITY_HIGH);
				bool has_parent = false;
				for (uint32_t j = 0; j < s.slots; j++) {
					uint32_t other = word(&s, j, VYRE_TASK_WORD_TASK_ID);
					assert_true(j == i || other != id || !word(&s, j, 0));
					has_parent |= j != i && other == task[VYRE_TASK_WORD_PARENT_TASK_ID];
				}
				assert_true(has_parent);
			}
			assert_int_equal(spawned, s.slots == 200 ? 62 : s.slots - 1);
			assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 1 + spawned);
			no_record_is_left(&s);
			scan_close(&s);
		}
	}
}

/* A task is Done, or Faulted, after those that it spawned; until then it is Paused at its end. */
static void a_task_ends_after_its_children(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t ended[2] = {0}, launches = 0;
		open_set(&s, machine, tree_text, 12);
		put(&s, 3, 0x101, 4, 0, 0);
		put(&s, 7, 0x103, 0, 0, 0);
		for (; !ended[0] || !ended[1]; launches++) {
			scan_run(&s, 1, 0);
			assert_true(launches < 12);
			for (unsigned k = 0; k < 2; k++) {
				uint32_t at = word(&s, k ? 7 : 3, 0);
				ended[k] = at == VYRE_TASK_DONE || at == VYRE_TASK_FAULTED;
				assert_true(ended[k] || k || at == VYRE_TASK_PAUSED);
			}
			for (uint32_t i = 0; i < s.slots; i++)
				if (word(&s, i, VYRE_TASK_WORD_PARENT_TASK_ID) && word(&s, i, 0) != VYRE_TASK_DONE)
					assert_false(ended[word(&s, i, VYRE_TASK_WORD_PARENT_TASK_ID) == 107]);
		}
		assert_int_equal(out[1], 6);
		assert_int_equal(word(&s, 3, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 3, VYRE_TASK_WORD_INPUT), 1);
		assert_int_equal(word(&s, 7, 0), VYRE_TASK_FAULTED);
		assert_int_equal(word(&s, 7, VYRE_TASK_WORD_CONTINUATION_DATA), VYRE_FAULT_TRAP);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* A parent that waits is in flight; what it waits for needs no unit of its tenant's quota. */
static void a_child_needs_no_unit_of_the_quota(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		for (uint32_t quota = 1; quota < 3; quota++) {
			struct scan s;
			open_set(&s, machine, tree_text, 60);
			const uint32_t *retired =
			    &s.control[s.control[VYRE_CONTROL_EXT_BASE] + VYRE_LIVE_TENANT_RETIRED];
			s.control[VYRE_CONTROL_TENANT_QUOTA] = quota;
			put(&s, 0, 0x100, 10, 8, 0);
			put(&s, 3, 0x100, 20, 8, 0);
			put(&s, 6, 0x101, 3, 0, 0);
			drain(&s);
			for (uint32_t i = 0; i < 9; i += 3) /* of one tenant */
				assert_int_equal(word(&s, i, 0), VYRE_TASK_DONE);
			assert_int_equal(out[0], 10 * 8 + 20 * 8 + 2 * 28);
			assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS], 3);
			assert_int_equal(retired[0], 3);
			no_record_is_left(&s);
			scan_close(&s);
		}
	}
}

static void no_room_is_a_fault(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, tree_text, 4);
		put(&s, 0, 0x101, 9, 0, 0);
		drain(&s);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_FAULTED);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_CONTINUATION_DATA), VYRE_FAULT_NO_SPACE);
		assert_int_equal(out[1], 3);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* The host ends children, and a parent whose children run, and uses their places again. */
static void a_host_ends_tasks_of_a_family(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, tree_text, 15);
		for (uint32_t i = 0; i < 3; i++)
			put(&s, i, 0x101, 3, 0, 0);
		scan_run(&s, 1, 0);
		put(&s, 14, 0x103, 0, 0, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_PAUSED);
		for (uint32_t i = 0; i < s.slots; i++) {
			uint32_t *task = scan_slot(&s, i), parent = task[VYRE_TASK_WORD_PARENT_TASK_ID];
			if (parent == 100) /* ended, one replaced, one taken away */
				assert_int_equal(vyre_task_complete(task), VYRE_TASK_ERROR_NONE);
			if (parent == 100 && task[VYRE_TASK_WORD_INPUT] == 1)
				put(&s, i, 0x101, 0, 0, 0);
			if (parent == 100 && task[VYRE_TASK_WORD_INPUT] == 2)
				task[0] = VYRE_TASK_EMPTY;
		}
		assert_int_equal(vyre_task_fault(scan_slot(&s, 1), 5), VYRE_TASK_ERROR_NONE);
		put(&s, 1, 0x101, 0, 0, 0); /* starts when the old one's children have ended */
		/* Theirs go on. */
		assert_int_equal(vyre_task_complete(scan_slot(&s, 2)), VYRE_TASK_ERROR_NONE);
		assert_int_equal(word(&s, 14, 0), VYRE_TASK_YIELDED);
		assert_int_equal(vyre_task_complete(scan_slot(&s, 14)), VYRE_TASK_ERROR_NONE);
		drain(&s);
		drain(&s);
		for (uint32_t i = 0; i < s.slots; i++)
			if (word(&s, i, 0) != VYRE_TASK_EMPTY)
				assert_int_equal(word(&s, i, 0), VYRE_TASK_DONE);
		assert_int_equal(out[1], 7);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_INPUT), 1);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_INPUT), 1);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* An emptied place is nobody's before the record of its last task is gone. */
static void a_place_with_a_record_is_not_taken(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, tree_text, 5);
		put(&s, 0, 0x103, 0, 0, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_YIELDED);
		scan_slot(&s, 0)[0] = VYRE_TASK_EMPTY;
		uint32_t spawner = word(&s, 1, 0) == VYRE_TASK_EMPTY ? 1 : 2;
		put(&s, spawner, 0x101, 3, 0, 0);
		drain(&s);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_EMPTY);
		assert_int_equal(word(&s, spawner, 0), VYRE_TASK_FAULTED);
		assert_int_equal(word(&s, spawner, VYRE_TASK_WORD_CONTINUATION_DATA), VYRE_FAULT_NO_SPACE);
		assert_int_equal(out[1], 3);
		scan_run(&s, 1, 0);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tasks_spawn_tasks),
	    cmocka_unit_test(a_task_ends_after_its_children),
	    cmocka_unit_test(a_child_needs_no_unit_of_the_quota),
	    cmocka_unit_test(no_room_is_a_fault),
	    cmocka_unit_test(a_host_ends_tasks_of_a_family),
	    cmocka_unit_test(a_place_with_a_record_is_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
