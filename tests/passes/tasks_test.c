/* tasks_test.c - the tasks feed, on the interpreter and natively: every move of the device with its words, the host's moves
 * between launches, and what built-in ops, tenants and io do to tasks. */
#include "runtime/abi/opcode.h"
#include "tasks_rig.h"

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
enum { ADD = 0x100, TURN, MOVE, WAIT, FAIL, WIDE };

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
				   "op two = 0x100 () by lane { pause(1); yield; pause(2); requeue(1) } }";
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
		s.control[VYRE_CONTROL_EPOCH] = 0x80000002; /* 2 is ahead again */
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_PAUSED);
		s.control[VYRE_CONTROL_EPOCH] = 2;
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 1, 0), VYRE_TASK_REQUEUED);
		assert_int_equal(word(&s, 1, VYRE_TASK_WORD_FLAGS),
				 VYRE_TASK_FLAG_RESUME_READY | VYRE_TASK_FLAG_REQUEUE_REQUESTED);
		drain(&s);
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

/* ---- beside the moves ------------------------------------------------------------------------------------------------------------ */

/* The host answers io entries between launches. A host that resumes a task early does not hurry it. */
static void a_load_waits_for_the_host(void **state)
{
	static const char text[] =
	    "set demo { buffer out: live u32[]\n"
	    "op read = 0x100 (id: u32, at: u32) by lane { load(id, u64(at), 64, 0); result(0, at + 1) } }";
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		open_set(&s, machine, text, 3);
		s.control[VYRE_CONTROL_EPOCH] = 50;
		put(&s, 0, 0x100, 8, 4096, 0);
		put(&s, 2, 0x100, 9, 128, 0);
		scan_run(&s, 1, 0);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_PAUSED);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_RESUME_EPOCH), 50);
		assert_int_equal(vyre_task_resume(scan_slot(&s, 0)), VYRE_TASK_ERROR_NONE);
		drain(&s);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_READY);
		assert_int_equal(word(&s, 2, 0), VYRE_TASK_PAUSED);
		for (unsigned i = 0; i < VYRE_IO_DEVICE_ENTRIES; i++) {
			uint32_t *entry = s.io + (size_t)i * VYRE_IO_ENTRY_WORDS;
			if (entry[VYRE_IO_WORD_STATUS] != VYRE_SLOT_PUBLISHED)
				continue;
			assert_int_equal(entry[VYRE_IO_WORD_BYTE_COUNT], 64);
			assert_int_equal(entry[VYRE_IO_WORD_OFFSET_LO],
					 entry[VYRE_IO_WORD_SRC_HANDLE] == 8 ? 4096 : 128);
			entry[VYRE_IO_WORD_STATUS] =
			    entry[VYRE_IO_WORD_SRC_HANDLE] == 8 ? VYRE_IO_STATUS_OK : VYRE_IO_STATUS_ERROR;
			entry[VYRE_IO_WORD_OFFSET_LO] = 5;
		}
		drain(&s);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_INPUT), 4097);
		assert_int_equal(word(&s, 2, 0), VYRE_TASK_FAULTED);
		assert_int_equal(word(&s, 2, VYRE_TASK_WORD_CONTINUATION_DATA), VYRE_FAULT_IO);
		for (unsigned i = 0; i < VYRE_IO_DEVICE_ENTRIES; i++)
			assert_int_equal(s.io[i * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS], VYRE_SLOT_EMPTY);
		no_record_is_left(&s);
		scan_close(&s);
	}
}

/* A task has three arguments and three results: what a built-in op reads or writes behind them is not there. */
static void built_in_ops_leave_the_continuation_alone(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		scan_open(&s, machine, set_text, VYRE_FEED_TASKS, VYRE_HAS_BUILTINS, 5);
		out = scan_buffer_make(&s, "out", 64);
		s.control[VYRE_CONTROL_OBSERVABLES] = 5;
		put(&s, 0, VYRE_OPCODE_COMPARE_SWAP, VYRE_CONTROL_OBSERVABLES, 5, 8);
		put(&s, 1, VYRE_OPCODE_BATCH_FENCE, 0, 0, 0);
		put(&s, 2, VYRE_OPCODE_PACKED_SLOT, 0x00000001, 0, 0);
		put(&s, 3, VYRE_OPCODE_ATOMIC_ADD, 3, VYRE_CONTROL_OBSERVABLES + 1, 0);
		drain(&s);
		assert_int_equal(s.control[VYRE_CONTROL_OBSERVABLES], 8);
		assert_int_equal(s.control[VYRE_CONTROL_OBSERVABLES + 1], 3);
		assert_int_equal(word(&s, 0, 0), VYRE_TASK_DONE);
		assert_int_equal(word(&s, 0, VYRE_TASK_WORD_CONTINUATION_PC), 0);
		for (uint32_t i = 1; i < 3; i++) {
			assert_int_equal(word(&s, i, 0), VYRE_TASK_FAULTED);
			assert_int_equal(word(&s, i, VYRE_TASK_WORD_CONTINUATION_DATA), VYRE_FAULT_UNKNOWN_OPCODE);
		}
		assert_int_equal(word(&s, 3, 0), VYRE_TASK_DONE);
		scan_close(&s);
	}
}

/* A mask and a quota hold tasks back as they are; suspended ones are in flight. */
static void tenants_are_held_back(void **state)
{
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t before[VYRE_TASK_WORDS], waiting = 0;
		open_set(&s, machine, set_text, 24);
		for (uint32_t i = 0; i < s.slots; i++)
			put(&s, i, WAIT, 1, 0, 0);
		memcpy(before, scan_slot(&s, 1), sizeof before);
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		s.control[VYRE_CONTROL_TENANT_QUOTA + 2] = 3;
		drain(&s);
		assert_task(&s, 1, before);
		for (uint32_t i = 0; i < s.slots; i++) {
			waiting += i % 3 == 2 && word(&s, i, 0) == VYRE_TASK_PAUSED;
			assert_true(i % 3 != 0 || word(&s, i, 0) == VYRE_TASK_PAUSED);
		}
		assert_int_equal(waiting, 3);
		s.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		s.control[VYRE_CONTROL_EPOCH] = 1;
		drain(&s);
		for (uint32_t i = 0; i < s.slots; i++)
			assert_int_equal(word(&s, i, 0), VYRE_TASK_DONE);
		scan_close(&s);
	}
}

/* What is no state, and what is Running, is somebody else's. */
static void other_states_are_let_alone(void **state)
{
	static const uint32_t states[] = {VYRE_TASK_RUNNING, 8, 9, 0x101, 0xFFFFFFFF, 32 + VYRE_TASK_READY};
	(void)state;
	SCAN_ON_EVERY_MACHINE(machine)
	{
		struct scan s;
		uint32_t before[6][VYRE_TASK_WORDS];
		open_set(&s, machine, set_text, 6);
		for (uint32_t i = 0; i < s.slots; i++) {
			put(&s, i, ADD, 1, 2, 3)[0] = states[i];
			memcpy(before[i], scan_slot(&s, i), VYRE_TASK_BYTES);
		}
		drain(&s);
		for (uint32_t i = 0; i < s.slots; i++)
			assert_task(&s, i, before[i]);
		assert_int_equal(s.control[VYRE_CONTROL_DONE_COUNT], 0);
		scan_close(&s);
	}
}

static void an_op_of_more_words_is_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"set s { op big = 9 (a: u32, b: u64, c: u32) by lane { } }", "`big`: a task has three argument words"},
	    {"set s { op far = 9 (a: u32) by lane { result(3, a) } }", "`result`: a task has result words 0 to 2"},
	    {"set s { op far = 9 (a: u64) by lane { result(2, a) } }", "`result`: a task has result words 0 to 2"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct vyrec_diags diags = {0};
		struct vyrec_pass_options options = {.feed = VYRE_FEED_TASKS, .one_lane = true};
		struct vyrec_module *m = vyrec_parse("s.vyre", cases[i].text, strlen(cases[i].text), &diags);
		assert_non_null(m);
		assert_true(vyrec_verify(m, &diags));
		assert_false(vyrec_run_pipeline(m, &options, &diags, NULL));
		assert_int_equal(diags.errors, 1);
		assert_non_null(strstr(diags.items[0].message, cases[i].message));
		vyrec_diags_finish(&diags);
		vyrec_module_destroy(m);
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
	    cmocka_unit_test(words_that_differ_from_the_record_are_a_fault),
	    cmocka_unit_test(hosts_moves_and_the_devices_agree),
	    cmocka_unit_test(a_load_waits_for_the_host),
	    cmocka_unit_test(built_in_ops_leave_the_continuation_alone),
	    cmocka_unit_test(tenants_are_held_back),
	    cmocka_unit_test(other_states_are_let_alone),
	    cmocka_unit_test(an_op_of_more_words_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
