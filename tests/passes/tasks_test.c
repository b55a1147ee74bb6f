/* tasks_test.c - the tasks feed, on the interpreter and natively: every move of the device with its words, the host's moves
 * between launches, spawned tasks, and hostile words. */
#include "runtime/abi/task.h"
#include "scan_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (a: u32, b: u32, c: u32) by lane { atomic_add(out[0], 1); result(0, a + b); result(2, c + 1) }\n"
    "  op turn = 0x101 (n: u32) by lane { for i in 0 .. n { yield }; result(0, n * 2) }\n"
    "  op move = 0x102 (to: u32, keep: u32) by lane { let kept = keep * 3; requeue(to); result(1, kept) }\n"
    "  op wait = 0x103 (epoch: u32) by lane { let two = epoch + 7; pause(epoch); result(0, two) }\n"
    "  op fail = 0x104 (code: u32) by lane { result(0, 5); trap(code) }\n"
    "  op wide = 0x105 (a: u64) by lane { let x = a * u64(3); yield; let y = x + u64(1); yield; result(0, y) }\n"
    "}\n";
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
    "    spawn(sum, first, half, at) else { atomic_add(out[4], 1); for i in 0 .. half { atomic_add(out[at], first + i) } }\n"
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
enum { ADD = 0x100, TURN, MOVE, WAIT, FAIL, WIDE };

static uint32_t *out;

static void open_set(struct scan *s, const struct scan_machine *machine, const char *text, uint32_t slots)
{
	scan_open(s, machine, text, VYRE_FEED_TASKS, 0, slots);
	out = scan_buffer_make(s, "out", 64);
}

static uint32_t *put(struct scan *s, uint32_t index, uint32_t op, uint32_t input, uint32_t output, uint32_t param)
{
	uint32_t *task = scan_slot(s, index);
	const struct vyre_work_item item = {op, input, output, param};
	vyre_task_from_item(&item, 100 + index, index % 3, VYRE_PRIORITY_NORMAL, task);
	return task;
}

static uint32_t word(struct scan *s, uint32_t index, unsigned at)
{
	return scan_slot(s, index)[at];
}

/* Every word of the task; results and the mirrored words as given. */
static void assert_task(struct scan *s, uint32_t index, const uint32_t *want)
{
	for (unsigned k = 0; k < VYRE_TASK_WORDS; k++)
		if (word(s, index, k) != want[k])
			fail_msg("%s: word %u of task %u is %u, not %u", s->machine->name, k, index, word(s, index, k),
				 want[k]);
}

static void no_record_is_left(struct scan *s)
{
	for (uint32_t i = 0; i < s->slots; i++)
		for (unsigned k = 0; k < VYRE_RECORD_WORDS; k++)
			if (scan_record(s, i, k))
				fail_msg("%s: word %u of record %u is %u", s->machine->name, k, i,
					 scan_record(s, i, k));
}

/* Until every worker has looked at every task in vain. */
static void drain(struct scan *s)
{
	scan_run(s, 0, s->workers + 2);
}

/* ---- moves ---------------------------------------------------------------------------------------------------------------- */

static void tasks_run_to_their_end(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 37);
		for (uint32_t i = 0; i < s.slots; i++)
			if (i != 9)
				put(&s, i, ADD, i, 2, 3)[VYRE_TASK_WORD_FLAGS] = VYRE_TASK_FLAG_RESUME_READY;
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < s.slots; i++) {
			const uint32_t done[VYRE_TASK_WORDS] = {VYRE_TASK_DONE, ADD, i % 3, 2, i + 2, 2, 4, 0, 0, 0,
								100 + i};
			const uint32_t none[VYRE_TASK_WORDS] = {0};
			assert_task(&s, i, i == 9 ? none : done);
		}
		assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 36);
		assert_int_equal(out[0], 36);
		for (unsigned t = 0; t < 3; t++)
			assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS + t], 13 - (t > 0) - (t == 0));
		scan_close(&s);
	}
}

/* One launch of one round a move: each writes what the table says and nothing else. */
static void every_move_writes_its_words(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		enum { YIELD_PC = VYRE_TASK_WORD_CONTINUATION_PC };
		open_set(&s, machine, set_text, 8);
		put(&s, 0, TURN, 2, 0, 0);
		put(&s, 1, MOVE, VYRE_PRIORITY_IDLE, 5, 0);
		put(&s, 2, WAIT, 3, 0, 0);
		put(&s, 3, FAIL, 77, 1, 2)[VYRE_TASK_WORD_FLAGS] = VYRE_TASK_FLAG_RESUME_READY;
		put(&s, 4, MOVE, 99, 5, 0);
		s.control[VYRE_CONTROL_EPOCH] = 0xFFFFFFFF;

		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_YIELDED);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_YIELD_COUNT), 1);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_FLAGS), VYRE_TASK_FLAG_YIELDED);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_REQUEUED);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_PRIORITY), VYRE_PRIORITY_IDLE);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_REQUEUE_COUNT), 1);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_AGE_TICKS), 1);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_CONTINUATION_DATA), 15); /* the one live word */
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS), VYRE_TASK_FLAG_REQUEUE_REQUESTED);
		assert_int_equal(word(&s, 2, 0), VYRE_TASK_PAUSED);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_RESUME_EPOCH), 3);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_CONTINUATION_DATA), 10);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_FLAGS), VYRE_TASK_FLAG_PAUSED);
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_not_equal(word(&s, i, VYRE_TASK_WORD_CONTINUATION_PC), 0);
			assert_int_equal(word(&s, i, VYRE_TASK_WORD_CONTINUATION_PC),
					 scan_record(&s, i, VYRE_RECORD_PC));
		}
		/* The code, and nothing else: pc and flags stay. */
		assert_task(&s, 3,
			    (const uint32_t[VYRE_TASK_WORDS]){VYRE_TASK_FAULTED, FAIL, 0, 2, 5, 1, 2, 0,
							      VYRE_FAULT_TRAP, 0, 103, 0, 0, 0, 0,
							      VYRE_TASK_FLAG_RESUME_READY});
		assert_int_equal(word(&s, 4, VYRE_TASK_WORD_PRIORITY), VYRE_PRIORITY_IDLE);

		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_YIELD_COUNT), 2);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 1, 5), 15);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS), 0);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_REQUEUE_COUNT), 1);
		assert_int_equal(word(&s, 2, 0), VYRE_TASK_PAUSED); /* 0xFFFFFFFF is before 3 */
		s.control[VYRE_CONTROL_EPOCH] = 3;
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_INPUT), 4);
		assert_int_equal(word(&s, 2, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_INPUT), 10);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_RESUME_EPOCH), 3);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* A task that wakes has the flags of a resume when it stops again. */
static void waking_is_a_resume(void **state)
{
	static const char text[] = "set demo { buffer out: live u32[]\n"
				   "op two = 0x100 () by lane { pause(1); yield; pause(2) } }";
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, text, 3);
		put(&s, 1, 0x100, 0, 0, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS), VYRE_TASK_FLAG_PAUSED);
		s.control[VYRE_CONTROL_EPOCH] = 1;
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_YIELDED);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS),
				 VYRE_TASK_FLAG_YIELDED | VYRE_TASK_FLAG_RESUME_READY);
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_PAUSED);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS), VYRE_TASK_FLAG_YIELDED | VYRE_TASK_FLAG_PAUSED);
		s.control[VYRE_CONTROL_EPOCH] = 0x80000001; /* 2 is ahead again */
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_DONE);
		scan_close(&s);
	}
}

/* More than one live word: continuation_data is the frame's index. */
static void a_wide_task_has_a_frame(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 5);
		for (uint32_t i = 0; i < s.slots; i++)
			put(&s, i, WIDE, 0x80000000u + i, i, 0);
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < s.slots; i++) {
			assert_int_equal(word(&s, i, 0), VYRE_TASK_YIELDED);
			assert_int_equal(word(&s, i, VYRE_TASK_WORD_CONTINUATION_DATA) + 1,
					 scan_record(&s, i, VYRE_RECORD_FRAME));
		}
		drain(&s);
		for (uint32_t i = 0; i < s.slots; i++) {
			uint64_t want = (0x80000000u + i + ((uint64_t)i << 32)) * 3 + 1;
			assert_int_equal(word(&s, i, 0), VYRE_TASK_DONE);
			assert_int_equal(word(&s, i, VYRE_TASK_WORD_INPUT), (uint32_t)want);
			assert_int_equal(word(&s, i, VYRE_TASK_WORD_OUTPUT), (uint32_t)(want >> 32));
		}
		no_record_is_left(&s);
		scan_close(&s);
	}
}

static void a_counter_at_its_end_is_a_fault(void **state)
{
	static const struct {
		unsigned op, word;
	} cases[] = {
	    {TURN, VYRE_TASK_WORD_YIELD_COUNT}, {MOVE, VYRE_TASK_WORD_REQUEUE_COUNT}, {MOVE, VYRE_TASK_WORD_AGE_TICKS}};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 7);
		for (uint32_t i = 0; i < 3; i++) {
			put(&s, i, cases[i].op, 1, 9, 0)[cases[i].word] = 0xFFFFFFFF;
			put(&s, i + 3, cases[i].op, 1, 9, 0)[cases[i].word] = 0xFFFFFFFE;
		}
		drain(&s);
		for (uint32_t i = 0; i < 3; i++) {
			uint32_t want[VYRE_TASK_WORDS] = {VYRE_TASK_FAULTED,	   cases[i].op, i % 3,	2, 1, 9, 0, 0,
							  VYRE_FAULT_OUT_OF_RANGE, 0,		100 + i};
			want[cases[i].word] = 0xFFFFFFFF;
			assert_task(&s, i, want);
			assert_int_equal(word(&s, i + 3, 0), VYRE_TASK_DONE);
			assert_int_equal(word(&s, i + 3, cases[i].word), 0xFFFFFFFF);
		}
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* ---- spawned tasks ---------------------------------------------------------------------------------------------------------- */

/* With much room and with little: what finds none is done by the spawner. Ids are unique, parents named. */
static void tasks_spawn_tasks(void **state)
{
	static const uint32_t rooms[] = {200, 9, 1};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine) {
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
	SCAN_ON_EVERY_MACHINE(machine) {
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

static void no_room_is_a_fault(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine) {
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
	SCAN_ON_EVERY_MACHINE(machine) {
		struct scan s;
		open_set(&s, machine, tree_text, 9);
		put(&s, 0, 0x101, 3, 0, 0);
		put(&s, 1, 0x101, 3, 0, 0);
		scan_run(&s, 2, 0);
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
		drain(&s);
		drain(&s);
		for (uint32_t i = 0; i < s.slots; i++)
			if (word(&s, i, 0) != VYRE_TASK_EMPTY)
				assert_int_equal(word(&s, i, 0), VYRE_TASK_DONE);
		assert_int_equal(out[1], 3);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_INPUT), 1);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_INPUT), 1);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* ---- the host between launches ------------------------------------------------------------------------------------------------ */

/* A start is a start, whatever the record says; a point, and its data, must be the record's. */
static void words_that_differ_from_the_record_are_a_fault(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, set_text, 8);
		for (uint32_t i = 0; i < 6; i++)
			put(&s, i, MOVE, 1, 5 + i, 0);
		scan_run(&s, 1, 0);
		scan_slot(&s, 0)[VYRE_TASK_WORD_CONTINUATION_PC]++;
		scan_slot(&s, 1)[VYRE_TASK_WORD_CONTINUATION_DATA]++;
		scan_slot(&s, 2)[VYRE_TASK_WORD_CONTINUATION_PC] = 0;
		scan_slot(&s, 3)[VYRE_TASK_WORD_OP_HANDLE] = TURN;
		put(&s, 6, ADD, 0, 0, 0)[VYRE_TASK_WORD_CONTINUATION_PC] = 1;
		put(&s, 7, ADD, 0, 0, 0)[VYRE_TASK_WORD_CONTINUATION_DATA] = 1; /* nobody reads it */
		scan_run(&s, 1, 0);
		for (uint32_t i = 0; i < 8; i++) {
			bool faults = i < 2 || i == 3 || i == 6;
			assert_int_equal(word(&s, i, 0), faults	  ? VYRE_TASK_FAULTED
							 : i == 2 ? VYRE_TASK_REQUEUED
								  : VYRE_TASK_DONE);
			if (faults && i != 3)
				assert_int_equal(word(&s, i, VYRE_TASK_WORD_CONTINUATION_DATA),
						 VYRE_FAULT_OUT_OF_RANGE);
			if (faults)
				assert_int_equal(word(&s, i, VYRE_TASK_WORD_FLAGS),
						 i == 6 ? 0 : VYRE_TASK_FLAG_REQUEUE_REQUESTED);
		}
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_REQUEUE_COUNT), 2); /* it started again */
		drain(&s);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_OUTPUT), 21);
		no_record_is_left(&s);
		for (unsigned t = 0; t < 3; t++) /* each that started has ended */
			assert_int_equal(s.control[VYRE_CONTROL_TENANT_FAIRNESS + t],
					 s.control[vyre_live_base(SCAN_OBSERVABLES) + VYRE_LIVE_TENANT_RETIRED + t]);
		scan_close(&s);
	}
}

/* What a random host does to tasks between launches of one round, beside a model of what must come of it. */
static void hosts_moves_and_the_devices_agree(void **state)
{
	enum { TASKS = 12, LAUNCHES = 60 };
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint64_t seed = machine->seed + machine->lanes;
		uint32_t model[TASKS][VYRE_TASK_WORDS], turns[TASKS];
		open_set(&s, machine, set_text, TASKS);
		for (unsigned i = 0; i < TASKS; i++) {
			put(&s, i, TURN, turns[i] = 3 + i % 5, 0, 0);
			memcpy(model[i], scan_slot(&s, i), VYRE_TASK_BYTES);
		}
		for (unsigned launch = 0; launch < LAUNCHES; launch++) {
			uint32_t epoch = s.control[VYRE_CONTROL_EPOCH] = launch / 3;
			for (unsigned i = 0; i < TASKS; i++) {
				uint32_t *task = model[i], pc = task[VYRE_TASK_WORD_CONTINUATION_PC],
					 data = task[VYRE_TASK_WORD_CONTINUATION_DATA];
				enum vyre_task_error error = VYRE_TASK_ERROR_NONE;
				switch (scan_random(&seed) % 24) {
				case 0:
					error = vyre_task_pause(task, pc, data, epoch + scan_random(&seed) % 4);
					break;
				case 1:
					error = vyre_task_resume(task);
					break;
				case 2:
					error = vyre_task_yield(task, pc, data);
					break;
				case 3:
					error = vyre_task_requeue(task, pc, data, scan_random(&seed) % 5);
					break;
				case 4:
					error = vyre_task_complete(task);
					break;
				case 5:
					error = vyre_task_fault(task, 123);
					break;
				default:
					break;
				}
				(void)error; /* an illegal move changes nothing */
				if (!vyre_task_is_schedulable(task[0]) && task[0] != VYRE_TASK_PAUSED &&
				    scan_random(&seed) % 4 == 0) {
					const struct vyre_work_item item = {TURN, turns[i] = scan_random(&seed) % 4, 0,
									    0};
					vyre_task_from_item(&item, 1000 * launch + i, i % 3, 2, task);
				}
				memcpy(scan_slot(&s, i), task, VYRE_TASK_BYTES);
			}
			scan_run(&s, 1, 0);
			for (unsigned i = 0; i < TASKS; i++) {
				uint32_t *task = model[i];
				const uint32_t *seen = scan_slot(&s, i);
				if (task[0] == VYRE_TASK_PAUSED &&
				    (int32_t)(epoch - task[VYRE_TASK_WORD_RESUME_EPOCH]) >= 0)
					assert_int_equal(vyre_task_resume(task), VYRE_TASK_ERROR_NONE);
				if (vyre_task_is_schedulable(task[0])) {
					task[0] = VYRE_TASK_RUNNING;
					/* The device alone knows its points and its live words. */
					if (turns[i]-- != 0)
						assert_int_equal(
						    vyre_task_yield(task, seen[VYRE_TASK_WORD_CONTINUATION_PC],
								    seen[VYRE_TASK_WORD_CONTINUATION_DATA]),
						    VYRE_TASK_ERROR_NONE);
					else
						assert_int_equal(vyre_task_complete(task), VYRE_TASK_ERROR_NONE);
					if (task[0] == VYRE_TASK_YIELDED)
						assert_int_not_equal(seen[VYRE_TASK_WORD_CONTINUATION_PC], 0);
					else
						task[VYRE_TASK_WORD_INPUT] *= 2;
				}
				assert_task(&s, i, task);
			}
		}
		scan_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tasks_run_to_their_end),
	    cmocka_unit_test(every_move_writes_its_words),
	    cmocka_unit_test(waking_is_a_resume),
	    cmocka_unit_test(a_wide_task_has_a_frame),
	    cmocka_unit_test(a_counter_at_its_end_is_a_fault),
	    cmocka_unit_test(tasks_spawn_tasks),
	    cmocka_unit_test(a_task_ends_after_its_children),
	    cmocka_unit_test(no_room_is_a_fault),
	    cmocka_unit_test(a_host_ends_tasks_of_a_family),
	    cmocka_unit_test(words_that_differ_from_the_record_are_a_fault),
	    cmocka_unit_test(hosts_moves_and_the_devices_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
