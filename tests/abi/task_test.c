/* task_test.c - continuation tasks: six moves from every state, snapshots, launch requests. */
#include "runtime/abi/task.h"
#include "tests/abi/rig.h"

enum move { PAUSE, RESUME, YIELD, REQUEUE, COMPLETE, FAULT, MOVES };

static enum vyre_task_error apply(enum move move, uint32_t *task)
{
	switch (move) {
	case PAUSE:
		return vyre_task_pause(task, 0x70, 0x80, 0xFFFFFF00);
	case RESUME:
		return vyre_task_resume(task);
	case YIELD:
		return vyre_task_yield(task, 0x70, 0x80);
	case REQUEUE:
		return vyre_task_requeue(task, 0x70, 0x80, 4);
	case COMPLETE:
		return vyre_task_complete(task);
	default:
		return vyre_task_fault(task, 0x80);
	}
}

/* What a move writes: state, and for words 3, 7 .. 9, 12 .. 15 the new value; ___ = as it was. The task before has word k
 * = 0x100 + k and flags 15. */
enum { ___ = -1 };
static const struct {
	int state, priority, pc, data, epoch, age, requeues, yields, flags;
} writes[MOVES] = {
    [PAUSE] = {4, ___, 0x70, 0x80, (int)0xFFFFFF00, ___, ___, ___, 7},
    [RESUME] = {1, ___, ___, ___, ___, ___, ___, ___, 12},
    [YIELD] = {5, ___, 0x70, 0x80, ___, ___, ___, 0x10F, 15},
    [REQUEUE] = {6, 4, 0x70, 0x80, ___, 0x10D, 0x10E, ___, 15},
    [COMPLETE] = {3, ___, ___, ___, ___, ___, ___, ___, 0},
    [FAULT] = {7, ___, ___, 0x80, ___, ___, ___, ___, 15},
};

static void set_unless_kept(uint32_t *task, unsigned word, int value)
{
	if (value != ___)
		task[word] = (uint32_t)value;
}

static void expect(uint32_t *task, enum move move)
{
	set_unless_kept(task, 0, writes[move].state);
	set_unless_kept(task, 3, writes[move].priority);
	set_unless_kept(task, 7, writes[move].pc);
	set_unless_kept(task, 8, writes[move].data);
	set_unless_kept(task, 9, writes[move].epoch);
	set_unless_kept(task, 12, writes[move].age);
	set_unless_kept(task, 13, writes[move].requeues);
	set_unless_kept(task, 14, writes[move].yields);
	set_unless_kept(task, 15, writes[move].flags);
}

static void a_task(uint32_t *task, uint32_t state)
{
	for (unsigned k = 0; k < 16; k++)
		task[k] = 0x100 + k;
	task[0] = state;
	task[15] = 15;
}

static void every_move_from_every_state(void **state)
{
	static const uint32_t states[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x80000001, 0xFFFFFFFF};
	(void)state;
	for (unsigned move = 0; move < MOVES; move++) {
		for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
			uint32_t task[16], want[16], from = states[s];
			bool legal = move == RESUME ? from == 4 : from <= 7 && from != 0 && from != 3 && from != 7;
			a_task(task, from);
			a_task(want, from);
			if (legal)
				expect(want, (enum move)move);
			assert_int_equal(apply((enum move)move, task), legal	  ? VYRE_TASK_ERROR_NONE
								       : from > 7 ? VYRE_TASK_ERROR_UNKNOWN
										  : VYRE_TASK_ERROR_STATE);
			assert_memory_equal(task, want, sizeof task);
		}
	}
}

static void flags_follow_the_moves(void **state)
{
	uint32_t task[16];
	(void)state;
	a_task(task, VYRE_TASK_RUNNING);
	task[15] = 0;
	assert_int_equal(vyre_task_yield(task, 1, 2), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 2);
	assert_int_equal(vyre_task_pause(task, 1, 2, 3), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 3);
	assert_int_equal(vyre_task_resume(task), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 8);
	assert_int_equal(vyre_task_requeue(task, 1, 2, 0), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 12);
	assert_int_equal(vyre_task_pause(task, 1, 2, 3), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 5);
	assert_int_equal(vyre_task_complete(task), VYRE_TASK_ERROR_NONE);
	assert_int_equal(task[15], 0);
}

static void counters_stop_a_move_before_it_begins(void **state)
{
	static const struct {
		enum move move;
		unsigned word;
	} rows[] = {{YIELD, 14}, {REQUEUE, 13}, {REQUEUE, 12}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint32_t task[16], want[16];
		a_task(task, VYRE_TASK_RUNNING);
		task[rows[i].word] = 0xFFFFFFFF;
		memcpy(want, task, sizeof task);
		assert_int_equal(apply(rows[i].move, task), VYRE_TASK_ERROR_COUNTER);
		assert_memory_equal(task, want, sizeof task);
		task[rows[i].word] = 0xFFFFFFFE;
		assert_int_equal(apply(rows[i].move, task), VYRE_TASK_ERROR_NONE);
		assert_int_equal(task[rows[i].word], 0xFFFFFFFF);
		assert_int_equal(vyre_task_complete(task), VYRE_TASK_ERROR_NONE); /* it can still end */
	}
	uint32_t task[16], want[16];
	a_task(task, VYRE_TASK_YIELDED);
	memcpy(want, task, sizeof task);
	assert_int_equal(vyre_task_requeue(task, 1, 2, 5), VYRE_TASK_ERROR_PRIORITY);
	assert_memory_equal(task, want, sizeof task);
}

/* Op 0x109, input 1, output 2, param 3; task 0x01020304 of tenant 6. */
static void a_work_item_becomes_a_task(void **state)
{
	static const uint8_t want[64] = {1, 0, 0, 0, 9, 1, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0,
					 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1};
	uint32_t task[16];
	(void)state;
	memset(task, 0xFF, sizeof task);
	vyre_task_from_item(&(struct vyre_work_item){0x109, 1, 2, 3}, 0x01020304, 6, VYRE_PRIORITY_NORMAL, task);
	assert_memory_equal(task, want, 64);
}

static void only_three_states_are_schedulable(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < 40; s++)
		assert_int_equal(vyre_task_is_schedulable(s), s == 1 || s == 5 || s == 6);
	assert_int_equal(vyre_task_is_schedulable(0xFFFFFFFF), 0);
}

/* Two of each state, the k-th with requeue count 0xFFFFFFFF - k and age k. */
static void a_snapshot_counts(void **state)
{
	uint32_t tasks[16 * 16] = {0};
	struct vyre_task_snapshot s, before;
	struct vyre_launch_request request = {9, 40, 100};
	(void)state;
	for (uint32_t k = 0; k < 16; k++) {
		tasks[16 * k] = k % 8;
		tasks[16 * k + 12] = k;
		tasks[16 * k + 13] = 0xFFFFFFFF - k;
	}
	tasks[16 * 8 + 12] = 50; /* an Empty slot's age counts, as in vyre 0.6 */
	assert_int_equal(vyre_task_take_snapshot(tasks, sizeof tasks, &s), VYRE_TASK_ERROR_NONE);
	assert_memory_equal(&s, ((uint32_t[]){2, 2, 2, 2, 2, 2}), 24);
	assert_true(s.requeues == UINT64_C(68719476600)); /* 16 (2^32 - 1) - 120 */
	assert_int_equal(s.max_age, 50);
	assert_int_equal(vyre_task_schedulable(&s), 6);
	assert_true(vyre_task_pressure(&s) == UINT64_C(68719476604));
	assert_int_equal(vyre_task_merge(&s, &request), VYRE_TASK_ERROR_NONE);
	assert_int_equal(request.queue_len, 6);
	assert_int_equal(request.max_priority_age, 50);
	assert_true(request.requeue_count == UINT64_C(68719476704));
	request.max_priority_age = 60;
	assert_int_equal(vyre_task_merge(&s, &request), VYRE_TASK_ERROR_NONE);
	assert_int_equal(request.max_priority_age, 60);
	memcpy(&before, &s, sizeof s);
	tasks[16 * 15] = 8;
	assert_int_equal(vyre_task_take_snapshot(tasks, sizeof tasks, &s), VYRE_TASK_ERROR_UNKNOWN);
	assert_int_equal(vyre_task_take_snapshot(tasks, sizeof tasks - 4, &s), VYRE_TASK_ERROR_LENGTH);
	assert_memory_equal(&before, &s, sizeof s);
	assert_int_equal(vyre_task_take_snapshot(tasks, 0, &s), VYRE_TASK_ERROR_NONE);
	assert_int_equal(vyre_task_schedulable(&s), 0);
}

static void a_request_does_not_overflow(void **state)
{
	struct vyre_task_snapshot s = {.yielded = 3, .requeues = UINT64_MAX - 5};
	struct vyre_launch_request request = {7, 8, 2}, same = request;
	(void)state;
	assert_int_equal(vyre_task_merge(&s, &request), VYRE_TASK_ERROR_NONE);
	assert_true(request.requeue_count == UINT64_MAX);
	request = same;
	s.yielded = 4;
	assert_int_equal(vyre_task_merge(&s, &request), VYRE_TASK_ERROR_TOTAL);
	s.yielded = 9; /* even the pressure alone */
	assert_true(vyre_task_pressure(&s) == UINT64_MAX);
	assert_int_equal(vyre_task_merge(&s, &request), VYRE_TASK_ERROR_TOTAL);
	assert_int_equal(request.queue_len, 7);
	assert_int_equal(request.max_priority_age, 8);
	for (unsigned e = VYRE_TASK_ERROR_STATE; e <= VYRE_TASK_ERROR_TOTAL; e++)
		assert_is_message(vyre_task_error_text((enum vyre_task_error)e));
}

/* Random tasks and moves against a model that is a plain struct: same words, same refusals. */
struct model {
	uint32_t state, priority, pc, data, epoch, age, requeues, yields, flags;
};

static bool model_move(struct model *t, enum move move, uint32_t a, uint32_t b, uint32_t c)
{
	static const bool open[8] = {[1] = true, [2] = true, [4] = true, [5] = true, [6] = true};
	struct model n = *t;
	if (move == RESUME ? t->state != 4 : t->state > 7 || !open[t->state])
		return false;
	if (move == PAUSE || move == YIELD || move == REQUEUE)
		n.pc = a, n.data = b;
	if (move == PAUSE)
		n.state = 4, n.epoch = c, n.flags = (n.flags | 1) & ~8u;
	if (move == RESUME)
		n.state = 1, n.flags = (n.flags | 8) & ~3u;
	if (move == YIELD)
		n.state = 5, n.flags |= 2, n.yields++;
	if (move == REQUEUE)
		n.state = 6, n.flags |= 4, n.requeues++, n.age++, n.priority = c % 6;
	if (move == COMPLETE)
		n.state = 3, n.flags = 0;
	if (move == FAULT)
		n.state = 7, n.data = a;
	if ((move == YIELD && n.yields == 0) || (move == REQUEUE && (n.requeues == 0 || n.age == 0 || n.priority == 5)))
		return false;
	*t = n;
	return true;
}

static enum vyre_task_error real_move(uint32_t *task, enum move move, uint32_t a, uint32_t b, uint32_t c)
{
	switch (move) {
	case PAUSE:
		return vyre_task_pause(task, a, b, c);
	case RESUME:
		return vyre_task_resume(task);
	case YIELD:
		return vyre_task_yield(task, a, b);
	case REQUEUE:
		return vyre_task_requeue(task, a, b, c % 6);
	case COMPLETE:
		return vyre_task_complete(task);
	default:
		return vyre_task_fault(task, a);
	}
}

static void random_moves_follow_the_model(void **state)
{
	uint64_t seed = 21;
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t task[16] = {next_random(&seed) % 9}, moves = next_random(&seed) % 12;
		task[12] = 0xFFFFFFFC + next_random(&seed) % 4;
		task[13] = 0xFFFFFFFC + next_random(&seed) % 4;
		task[14] = 0xFFFFFFFC + next_random(&seed) % 4;
		struct model t = {.state = task[0], .age = task[12], .requeues = task[13], .yields = task[14]};
		while (moves--) {
			enum move move = (enum move)(next_random(&seed) % MOVES);
			uint32_t a = next_random(&seed), b = next_random(&seed), c = next_random(&seed);
			bool moved = model_move(&t, move, a, b, c);
			assert_int_equal(real_move(task, move, a, b, c) == VYRE_TASK_ERROR_NONE, moved);
			const uint32_t want[16] = {t.state, 0,		0,	  t.priority, 0, 0,
						   0,	    t.pc,	t.data,	  t.epoch,    0, 0,
						   t.age,   t.requeues, t.yields, t.flags};
			assert_memory_equal(task, want, sizeof want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_move_from_every_state),	     cmocka_unit_test(flags_follow_the_moves),
	    cmocka_unit_test(counters_stop_a_move_before_it_begins), cmocka_unit_test(a_work_item_becomes_a_task),
	    cmocka_unit_test(only_three_states_are_schedulable),     cmocka_unit_test(a_snapshot_counts),
	    cmocka_unit_test(a_request_does_not_overflow),	     cmocka_unit_test(random_moves_follow_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
