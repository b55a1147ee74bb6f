/* cancel_test.c - slots that are taken back one by one, and rings that a slot or a stop ends with work in them. */
#include <pthread.h>
#include <unistd.h>

#include "bench_rig.h"
#include "live.h"

/* A kernel with a queue answers requests itself; for one without, the loader does. */
static const uint32_t kinds[] = {VYRE_HAS_BUILTINS | VYRE_HAS_RECORDS | VYRE_HAS_QUEUE, VYRE_HAS_BUILTINS};

static void open_bench(struct bench *b, uint32_t features, uint32_t slots, uint32_t workers)
{
	bench_open_features(b, features);
	bench_open_ring(b, (struct vyre_ring_params){.slots = slots,
						     .workers = workers,
						     .tenants = 2,
						     .observables = 2,
						     .idle_ns = 100000,
						     .first_position = 0xFFFFFF00u});
}

static void wait_for_status(struct bench *b, vyre_ticket ticket, uint32_t status)
{
	int i;

	/* Seen once is enough: a worker that looks at a slot claims it for a moment. */
	for (i = 0; vyre_slot_status(b->ring, ticket >> VYRE_OWNER_SHIFT) != status; i++) {
		assert_true(i < 20000);
		usleep(1000);
	}
}

static void is_cancelled(struct bench *b, vyre_ticket ticket)
{
	struct vyre_result result;

	assert_int_equal(vyre_wait(b->ring, ticket, SECONDS(20), &result), VYRE_FAULT);
	assert_int_equal(result.fault_code, VYRE_FAULT_CANCELLED);
	assert_int_equal(result.fault_detail, 0);
}

static void slots_of_every_kind(void **state)
{
	uint32_t kind;

	(void)state;
	for (kind = 0; kind < 2; kind++) {
		vyre_ticket running, parked, ended;
		struct vyre_publisher *other;
		struct vyre_slot mark = bench_slot(REFERENCE_OP_MARK, 1, 1, 0);
		struct bench b;
		uint32_t i;

		open_bench(&b, kinds[kind], 8, 2);
		assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
		for (i = 0; i < 40; i++) { /* places are used again and again; the counters wrap */
			b.gate_words[0] = 0;
			running = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
			wait_for_status(&b, running, VYRE_SLOT_CLAIMED);
			assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
			assert_int_equal(vyre_publish(other, &mark, 1, 0, 0, &parked), VYRE_OK);
			wait_for_status(&b, parked, VYRE_SLOT_REQUEUE);
			assert_int_equal(bench_stats(&b).parked, 1);
			assert_int_equal(vyre_cancel(b.ring, parked, SECONDS(20)), VYRE_OK);
			is_cancelled(&b, parked);
			assert_int_equal(bench_stats(&b).parked, 0);
			assert_int_equal(vyre_cancel(b.ring, parked, SECONDS(20)), VYRE_STALE);
			/* What runs, runs to its end. */
			assert_int_equal(vyre_cancel(b.ring, running, kind ? 100000 : SECONDS(20)),
					 kind ? VYRE_TIMEOUT : VYRE_OK);
			assert_int_equal(vyre_poll(b.ring, running, NULL), VYRE_TIMEOUT);
			bench_open_gate(&b, 0);
			assert_int_equal(vyre_wait(b.ring, running, SECONDS(20), NULL), VYRE_OK);
			assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 1), VYRE_OK);
			ended = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
			wait_for_status(&b, ended, VYRE_SLOT_DONE);
			assert_int_equal(vyre_cancel(b.ring, ended, 0), VYRE_OK);
			assert_int_equal(vyre_wait(b.ring, ended, 0, NULL), VYRE_OK);
		}
		assert_int_equal(b.mark_words[1], 0);
		assert_int_equal(bench_stats(&b).published, 120);
		assert_int_equal(bench_stats(&b).retired, 120);
		assert_int_equal(bench_stats(&b).faults, 40);
		vyre_publisher_destroy(other);
		bench_close(&b);
	}
}

/* Also when everybody sleeps. */
static void a_fence_that_waits(void **state)
{
	vyre_ticket tickets[2];
	struct vyre_slot slots[2];
	struct bench b;

	(void)state;
	open_bench(&b, kinds[0], 8, 2);
	slots[0] = bench_slot(REFERENCE_OP_BLOCK, 1, 0, 0);
	slots[1] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, 1, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 2, 0, 0, tickets), VYRE_OK);
	wait_for_status(&b, tickets[1], VYRE_SLOT_WAIT_IO);
	assert_int_equal(vyre_cancel(b.ring, tickets[1], SECONDS(20)), VYRE_OK);
	is_cancelled(&b, tickets[1]);
	assert_int_equal(b.ring->control[VYRE_CONTROL_EPOCH], 0);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, tickets[0], SECONDS(20), NULL), VYRE_OK);
	bench_close(&b);
}

/* The only worker is busy: the request stays in force, the next one waits, and the place is not used again meanwhile. */
static void requests_that_nobody_answers(void **state)
{
	struct vyre_slot nothing = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	vyre_ticket running, waiting, later;
	struct bench b;
	uint32_t i;

	(void)state;
	bench_open_features(&b, kinds[0]);
	b.kernel->entry = reference_entry; /* it knows no commands, so this test says when one is answered */
	bench_open_ring(&b, (struct vyre_ring_params){.slots = 4, .workers = 1, .first_position = 0xFFFFFF00u});
	running = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	waiting = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(vyre_cancel(b.ring, running, 1000000), VYRE_TIMEOUT);
	assert_int_equal(vyre_cancel(b.ring, waiting, 1000000), VYRE_TIMEOUT);
	assert_int_equal(b.ring->live[VYRE_LIVE_COMMAND_ARG], 0); /* still the first one's */
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, running, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_wait(b.ring, waiting, SECONDS(20), NULL), VYRE_OK);
	for (i = 0; i < 2; i++)
		assert_int_equal(vyre_publish(b.publisher, &nothing, 1, 0, 0, NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_publish(b.publisher, &nothing, 1, 0, 0, NULL), VYRE_FULL);
	__atomic_store_n(&b.ring->live[VYRE_LIVE_COMMAND_DONE], b.ring->live[VYRE_LIVE_COMMAND], __ATOMIC_SEQ_CST);
	later = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
	assert_int_equal(later >> VYRE_OWNER_SHIFT, (running >> VYRE_OWNER_SHIFT) + 4);
	assert_int_equal(vyre_wait(b.ring, later, SECONDS(20), NULL), VYRE_OK);
	bench_close(&b);
}

struct canceller {
	struct bench *bench;
	uint32_t mark, cancelled, failed;
};

static void *publish_and_cancel(void *argument)
{
	struct canceller *c = argument;
	struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, c->mark, 0);
	uint32_t i;

	for (i = 0; i < 500; i++) {
		struct vyre_result result;
		vyre_ticket ticket;
		vyre_status status;

		c->failed +=
		    vyre_publish(c->bench->publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(60), &ticket) != VYRE_OK;
		c->failed += vyre_cancel(c->bench->ring, ticket, SECONDS(60)) != VYRE_OK;
		status = vyre_wait(c->bench->ring, ticket, SECONDS(60), &result);
		c->cancelled += status == VYRE_FAULT && result.fault_code == VYRE_FAULT_CANCELLED;
		c->failed += status != VYRE_OK && result.fault_code != VYRE_FAULT_CANCELLED;
	}
	return NULL;
}

/* Cancelled or run, never both, never neither; nobody else's slot. */
static void many_cancel_at_once(void **state)
{
	uint32_t kind, i;

	(void)state;
	for (kind = 0; kind < 2; kind++) {
		struct bench b;
		struct canceller cancellers[3] = {{&b, 1, 0, 0}, {&b, 2, 0, 0}, {&b, 3, 0, 0}};
		struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, 9, 0);
		pthread_t threads[3];

		open_bench(&b, kinds[kind], 4, 2);
		for (i = 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, publish_and_cancel, &cancellers[i]), 0);
		for (i = 0; i < 500; i++)
			assert_int_equal(vyre_publish(b.publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(60), NULL),
					 VYRE_OK);
		for (i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
		for (i = 0; i < 3; i++) {
			assert_int_equal(cancellers[i].failed, 0);
			assert_int_equal(b.mark_words[1 + i] + cancellers[i].cancelled, 500);
		}
		assert_int_equal(b.mark_words[9], 500);
		assert_int_equal(bench_stats(&b).retired, 2000);
		bench_close(&b);
	}
}

/* ---- rings that end ------------------------------------------------------------------------------------------------- */

static void *wait_for_ticket(void *argument)
{
	void **pair = argument;
	struct vyre_result result;

	assert_int_equal(vyre_wait(pair[0], *(vyre_ticket *)pair[1], VYRE_FOREVER, &result), VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_EMPTY);
	return NULL;
}

static void a_shutdown_slot_ends_the_ring(void **state)
{
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	struct vyre_publisher *other;
	vyre_ticket masked, shutdown;
	pthread_t thread;
	struct bench b;
	void *pair[2];
	int i;

	(void)state;
	open_bench(&b, kinds[0], 8, 2);
	assert_int_equal(vyre_publisher_create(b.ring, 1, &other), VYRE_OK);
	assert_int_equal(vyre_ring_set_tenant(b.ring, 1, 0), VYRE_OK);
	assert_int_equal(vyre_publish(other, &slot, 1, 0, 0, &masked), VYRE_OK);
	pair[0] = b.ring;
	pair[1] = &masked;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ticket, pair), 0);
	for (i = 0; i < 20000 && (bench_stats(&b).parked != 1 || bench_stats(&b).sleeping != 2); i++)
		usleep(1000);
	assert_int_not_equal(i, 20000);
	shutdown = bench_publish(&b, VYRE_OPCODE_SHUTDOWN, 0, 0, 0);
	assert_int_equal(vyre_wait(b.ring, shutdown, SECONDS(20), NULL), VYRE_OK);
	pthread_join(thread, NULL); /* cancelled, and told */
	for (i = 0; i < 20000 && !__atomic_load_n(&b.ring->left, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(&b.ring->left, __ATOMIC_SEQ_CST), 1); /* the sleeper too */
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, NULL), VYRE_STOPPED);
	assert_non_null(strstr(vyre_last_error(), "SHUTDOWN"));
	assert_int_equal(bench_stats(&b).shut_down, 1);
	assert_int_equal(bench_stats(&b).parked, 0);
	assert_int_equal(bench_stats(&b).retired, 2);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(20)), VYRE_OK);
	vyre_publisher_destroy(other);
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

/* Publishers are told at once, though one handler does not return; its slot ends when it does. */
static void a_shutdown_beside_a_busy_worker(void **state)
{
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	vyre_ticket running, shutdown;
	struct bench b;
	vyre_status status;
	int i;

	(void)state;
	open_bench(&b, kinds[0], 8, 2);
	running = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	wait_for_status(&b, running, VYRE_SLOT_CLAIMED);
	shutdown = bench_publish(&b, VYRE_OPCODE_SHUTDOWN, 0, 0, 0);
	assert_int_equal(vyre_wait(b.ring, shutdown, SECONDS(20), NULL), VYRE_OK);
	for (i = 0, status = VYRE_OK; i < 20000 && status != VYRE_STOPPED; i++) {
		status = vyre_publish(b.publisher, &slot, 1, 0, 0, NULL);
		usleep(1000);
	}
	assert_int_equal(status, VYRE_STOPPED);
	assert_int_equal(vyre_poll(b.ring, running, NULL), VYRE_TIMEOUT);
	bench_open_gate(&b, 0);
	assert_int_equal(vyre_wait(b.ring, running, SECONDS(20), NULL), VYRE_OK);
	bench_close(&b);
	assert_int_equal(vyre_mem_live(), 0);
}

/* A slot that waits for i/o that nobody serves, and a fence behind it: drain does not pass them, stop cancels them. */
static void stop_cancels_suspended_slots(void **state)
{
	struct vyre_result result;
	struct vyre_slot slots[2];
	vyre_ticket tickets[2];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, kinds[0] | VYRE_HAS_IO, 8, 1);
	slots[0] = (struct vyre_slot){.opcode = REFERENCE_OP_LOAD, .arg_count = 5, .args = {1, 0, 1, 1, 0}};
	slots[1] = bench_slot(VYRE_OPCODE_BATCH_FENCE, 1, 1, 0);
	assert_int_equal(vyre_publish(b.publisher, slots, 2, 0, 0, tickets), VYRE_OK);
	wait_for_status(&b, tickets[0], VYRE_SLOT_WAIT_IO);
	wait_for_status(&b, tickets[1], VYRE_SLOT_WAIT_IO);
	assert_int_equal(vyre_ring_drain(b.ring, 2000000), VYRE_TIMEOUT);
	bench_stop_in_vain(&b, 2000000);
	for (i = 0; i < 2; i++) {
		assert_int_equal(vyre_wait(b.ring, tickets[i], 0, &result), VYRE_OK);
		/* The fence may see that what it waited for is gone, before it is. */
		assert_true(result.status == VYRE_SLOT_EMPTY || (i == 1 && result.status == VYRE_SLOT_DONE));
	}
	assert_int_equal(bench_stats(&b).retired, 2);
	assert_int_equal(vyre_cancel(b.ring, tickets[0], 0), VYRE_STALE);
	bench_close(&b);
}

static void control_words(void **state)
{
	uint32_t words[4];
	struct bench b;

	(void)state;
	open_bench(&b, kinds[0], 8, 1);
	assert_int_equal(vyre_wait(b.ring, bench_publish(&b, VYRE_OPCODE_STORE_U32, 2, 77, 161), SECONDS(20), NULL),
			 VYRE_OK);
	assert_int_equal(vyre_ring_read_control(b.ring, VYRE_CONTROL_OBSERVABLES, words, 2), VYRE_OK);
	assert_int_equal(words[0], 0);
	assert_int_equal(words[1], 77);
	assert_int_equal(vyre_ring_read_control(b.ring, VYRE_CONTROL_METRICS + VYRE_OPCODE_STORE_U32, words, 1),
			 VYRE_OK);
	assert_int_equal(words[0], 1);
	assert_int_equal(vyre_ring_read_control(b.ring, VYRE_CONTROL_OBSERVABLES + 1, words, 2), VYRE_INVALID);
	assert_int_equal(vyre_ring_read_control(b.ring, UINT32_MAX, words, 1), VYRE_INVALID);
	assert_int_equal(vyre_ring_read_control(b.ring, 1, words, UINT32_MAX), VYRE_INVALID);
	assert_int_equal(vyre_ring_read_control(b.ring, 162, words, 0), VYRE_OK);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_of_every_kind),	     cmocka_unit_test(a_fence_that_waits),
	    cmocka_unit_test(requests_that_nobody_answers),  cmocka_unit_test(many_cancel_at_once),
	    cmocka_unit_test(a_shutdown_slot_ends_the_ring), cmocka_unit_test(a_shutdown_beside_a_busy_worker),
	    cmocka_unit_test(stop_cancels_suspended_slots),  cmocka_unit_test(control_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
