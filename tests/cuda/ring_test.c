/* ring_test.c - live rings on the cuda device, on the stand-in: where things lie, what calls the driver is asked while slots
 * flow, and what goes wrong: launches, memory, a device that dies, a handler that does not return.
 */
#include <pthread.h>

#include "live.h"
#include "mailbox_kernel.h"
/* after bench_rig.h: both say how long a second is */
#undef SECONDS
#include "cuda_rig.h"

static const struct vyre_ring_params small = {.slots = 64, .workers = 2, .tenants = 2, .first_position = 0xFFFFFFE0u};
static const struct vyre_ring_params sleepless = {.slots = 64, .workers = 2, .idle_ns = VYRE_FOREVER};

#define UNTIL(condition) \
	while (!(condition)) \
	usleep(100)

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* Like mailbox_open, with a plan. */
static void open_bench(struct bench *b, const char *plan)
{
	mailbox_open_kernel(b, BENCH_MARKS);
	standin.standin_plan(plan);
}

static void run_one(struct bench *b, uint32_t a)
{
	struct vyre_result result;

	assert_int_equal(vyre_wait(b->ring, bench_publish(b, REFERENCE_OP_ADD, 2, a, 5), SECONDS(20), &result),
			 VYRE_OK);
	assert_int_equal(result.words[0], a + 5);
}

/* And a context that died lives again. */
static void close_all(struct bench *b)
{
	bench_close(b);
	UNTIL(standin.standin_running() == 0);
	standin.standin_break(0);
	assert_nothing_is_left();
}

/* ---- what it is made of -------------------------------------------------------------------------------------------- */

static void places(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, "");
	bench_open_ring(&b, small);
	for (i = 0; i < VYRE_RING_BUFFERS; i++)
		if (b.ring->memories[i]) {
			assert_int_equal(b.ring->memories[i]->place,
					 i == VYRE_RING_BUFFER_IO ? VYRE_PLACE_HOST : VYRE_PLACE_DEVICE);
			assert_true((b.ring->memories[i]->data == NULL) == (i != VYRE_RING_BUFFER_IO));
		}
	for (i = 0; i < VYRE_MAILBOX_BUFFERS; i++) {
		assert_int_equal(b.ring->mailbox[i]->place, VYRE_PLACE_HOST);
		assert_non_null(b.ring->mailbox[i]->data);
	}
	for (i = 0; i < 200; i++)
		run_one(&b, i);
	close_all(&b);
}

/* Slots flow without the driver: nothing is allocated, copied or synchronized for them. */
static void no_driver_calls(void **state)
{
	static const char *const symbols[] = {"cuMemAlloc",	     "cuMemHostAlloc",	  "cuMemFree",
					      "cuMemFreeHost",	     "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync",
					      "cuStreamSynchronize", "cuStreamCreate",	  "cuLaunchKernel"};
	uint64_t before[sizeof(symbols) / sizeof(symbols[0])];
	struct vyre_slot slots[32];
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, "");
	bench_open_ring(&b, sleepless);
	run_one(&b, 1);
	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		before[i] = standin.standin_calls(symbols[i]);
	for (i = 0; i < 32; i++)
		slots[i] = bench_slot(REFERENCE_OP_MARK, 1, 3, 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(vyre_publish(b.publisher, slots, 32, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(20)), VYRE_OK);
	assert_int_equal(load(&b.mark_words[3]), 3200);
	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (standin.standin_calls(symbols[i]) != before[i])
			fail_msg("%s was called", symbols[i]);
	close_all(&b);
}

/* Four multiprocessors with room for two workgroups each. */
static void workers_and_share(void **state)
{
	static const struct {
		uint32_t workers, share, expected;
	} rows[] = {{0, 0, 4}, {0, 500, 2}, {0, 100, 1}, {0, 2000, 4}, {8, 0, 8}, {9, 0, 0}};
	struct bench b;
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vyre_ring_params params = small;

		params.workers = rows[i].workers;
		params.share = rows[i].share;
		open_bench(&b, "");
		params.kernel = b.kernel;
		if (rows[i].expected) {
			bench_open_ring(&b, params);
			assert_int_equal(b.ring->workers, rows[i].expected);
			run_one(&b, i);
		} else {
			assert_int_equal(vyre_ring_create(&params, &b.ring), VYRE_INVALID);
			assert_says("9 workers (at most 8)");
		}
		close_all(&b);
	}
}

/* A GPU with a watchdog: the kernel returns by itself and is launched again. */
static void bursts(void **state)
{
	struct bench b;
	uint32_t i;

	(void)state;
	mailbox_open_kernel(&b, BENCH_MARKS);
	assert_int_equal(b.device->burst_polls, 0);
	bench_close(&b);
	standin.standin_plan("watchdog=1");
	assert_int_equal(vyre_device_open("cuda", &b.device), VYRE_OK);
	assert_true(b.device->burst_polls > 0);
	vyre_device_close(b.device);
	open_bench(&b, "");
	b.device->burst_polls = 20; /* as if so many took a tenth of a second */
	bench_open_ring(&b, sleepless);
	UNTIL(standin.standin_calls("cuLaunchKernel") > 3);
	for (i = 0; i < 300; i++)
		run_one(&b, i);
	close_all(&b);
}

/* Two rings on one device hold its multiprocessors side by side. */
static void two_rings(void **state)
{
	struct vyre_ring_params params = sleepless;
	struct vyre_publisher *publisher;
	struct vyre_ring *other;
	struct bench b;
	uint32_t i;

	(void)state;
	open_bench(&b, "");
	bench_open_ring(&b, sleepless);
	params.kernel = b.kernel;
	assert_int_equal(vyre_ring_create(&params, &other), VYRE_OK);
	assert_int_equal(vyre_publisher_create(other, 0, &publisher), VYRE_OK);
	for (i = 0; i < 200; i++) {
		struct vyre_slot slot = bench_slot(REFERENCE_OP_MARK, 1, 4, 0);

		assert_int_equal(vyre_publish(publisher, &slot, 1, VYRE_PUBLISH_WAIT, SECONDS(20), NULL), VYRE_OK);
		run_one(&b, i);
	}
	assert_int_equal(vyre_ring_stop(other, 1, SECONDS(20)), VYRE_OK);
	assert_int_equal(load(&b.mark_words[4]), 200);
	run_one(&b, 3);
	vyre_publisher_destroy(publisher);
	vyre_ring_destroy(other);
	run_one(&b, 4);
	close_all(&b);
}

/* ---- what goes wrong ----------------------------------------------------------------------------------------------- */

/* The n-th call of a function that making a ring needs; each refusal is told, and nothing of the ring is left. */
static void refused_calls(void **state)
{
	static const struct {
		const char *symbol;
		uint32_t result;
		vyre_status status;
	} rows[] = {{"cuMemAlloc", 2, VYRE_NOMEM},
		    {"cuMemHostAlloc", 2, VYRE_NOMEM},
		    {"cuStreamCreate", 2, VYRE_NOMEM},
		    {"cuLaunchKernel", 701, VYRE_UNSUPPORTED}, /* out of resources */
		    {"cuLaunchKernel", 719, VYRE_DEVICE_LOST}};
	uint32_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		vyre_status status = rows[i].status;

		for (n = 1; status != VYRE_OK; n++) {
			struct vyre_ring_params params = small;
			struct bench b;
			char plan[64];

			mailbox_open_kernel(&b, BENCH_MARKS);
			snprintf(plan, sizeof(plan), "%s:%u=%u", rows[i].symbol, n, rows[i].result);
			standin.standin_plan(plan);
			params.kernel = b.kernel;
			status = vyre_ring_create(&params, &b.ring);
			if (status != VYRE_OK) {
				assert_int_equal(status, rows[i].status);
				assert_says("CUDA_ERROR");
			}
			standin.standin_plan("");
			close_all(&b);
		}
		assert_true(n > 2);
	}
}

/* The kernel dies when it is launched again. */
static void a_relaunch_that_dies(void **state)
{
	struct vyre_ring_params params = small;
	struct bench b;

	(void)state;
	params.idle_ns = 1;
	open_bench(&b, "kernel:2=700");
	bench_open_ring(&b, params);
	UNTIL(b.device->fns->ring_sleeping(b.ring) != 0);
	assert_int_equal(vyre_wait(b.ring, bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0), SECONDS(20), NULL),
			 VYRE_DEVICE_LOST);
	assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_DEVICE_LOST);
	close_all(&b);
}

static uint32_t refusals;

static void count_refusals(void *user, enum vyre_log_level level, const char *text)
{
	(void)user;
	if (level == VYRE_LOG_WARNING && strstr(text, "its launch is tried again") && strstr(text, "CUDA_ERROR"))
		__atomic_add_fetch(&refusals, 1, __ATOMIC_SEQ_CST);
}

/* Refused, but the device lives: the slot that called for the kernel waits, and is served when it is there again. */
static void a_relaunch_that_is_refused(void **state)
{
	static const struct {
		const char *plan;
		uint32_t launches;
	} rows[] = {
	    {"cuLaunchKernel:1=701", 2},					/* out of resources */
	    {"cuLaunchKernel:1=701,cuLaunchKernel:2=2,cuLaunchKernel:3=46", 4}, /* ... of memory, the device is taken */
	    {"cuMemcpyHtoDAsync:1=2,cuLaunchKernel:1=701", 2},			/* and what goes before the launch */
	};
	struct vyre_ring_params params = small;
	uint32_t i;

	(void)state;
	params.idle_ns = 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;

		open_bench(&b, "");
		bench_open_ring(&b, params);
		UNTIL(b.device->fns->ring_sleeping(b.ring) != 0);
		standin.standin_plan(rows[i].plan);
		__atomic_store_n(&refusals, 0, __ATOMIC_SEQ_CST);
		vyre_log_set(count_refusals, NULL, VYRE_LOG_WARNING);
		run_one(&b, 1);
		assert_int_equal(load(&refusals), 1); /* however often it was tried */
		run_one(&b, 2);
		vyre_log_set(NULL, NULL, VYRE_LOG_ERROR);
		assert_true(standin.standin_calls("cuLaunchKernel") >= rows[i].launches);
		assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(20)), VYRE_OK);
		close_all(&b);
	}
}

/* Refused for good: a stop is not kept waiting; else the ring is lost in the end, and the device is not. */
static void a_relaunch_that_stays_refused(void **state)
{
	struct vyre_ring_params params = small;
	uint32_t is_stopped;

	(void)state;
	params.idle_ns = 1;
	for (is_stopped = 0; is_stopped < 2; is_stopped++) {
		struct vyre_result result;
		vyre_ticket ticket;
		struct bench b;
		uint32_t word = 0;

		open_bench(&b, "");
		bench_open_ring(&b, params);
		UNTIL(b.device->fns->ring_sleeping(b.ring) != 0);
		standin.standin_plan("cuLaunchKernel:*=701");
		ticket = bench_publish(&b, REFERENCE_OP_NOTHING, 0, 0, 0);
		if (is_stopped) {
			UNTIL(standin.standin_calls("cuLaunchKernel") >= 3);
			assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_OK);
			assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(20), &result), VYRE_OK);
			assert_int_equal(result.status, VYRE_SLOT_EMPTY); /* cancelled */
			assert_true(standin.standin_calls("cuLaunchKernel") < 13);
		} else {
			assert_int_equal(vyre_wait(b.ring, ticket, SECONDS(60), &result), VYRE_DEVICE_LOST);
			assert_non_null(strstr(vyre_last_error(), "the device lives"));
			assert_int_equal(standin.standin_calls("cuLaunchKernel"),
					 13); /* and it is not tried for ever */
			assert_int_equal(vyre_ring_stop(b.ring, 0, SECONDS(20)), VYRE_DEVICE_LOST);
			assert_int_equal(vyre_buffer_read(b.device, b.marks, 0, &word, 4), VYRE_OK);
		}
		standin.standin_plan("");
		close_all(&b);
	}
}

struct waiter {
	struct bench *bench;
	vyre_ticket ticket;
	vyre_status waited, drained;
};

static void *wait_for_ever(void *argument)
{
	struct waiter *waiter = argument;

	waiter->waited = vyre_wait(waiter->bench->ring, waiter->ticket, VYRE_FOREVER, NULL);
	waiter->drained = vyre_ring_drain(waiter->bench->ring, VYRE_FOREVER);
	return NULL;
}

static void a_device_that_dies(void **state)
{
	struct vyre_slot slot = bench_slot(REFERENCE_OP_NOTHING, 0, 0, 0);
	struct waiter waiter;
	pthread_t thread;
	vyre_buffer buffer;
	struct bench b;
	uint32_t word;

	(void)state;
	open_bench(&b, "");
	bench_open_ring(&b, sleepless);
	run_one(&b, 1);
	waiter = (struct waiter){.bench = &b, .ticket = bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0)};
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ever, &waiter), 0);
	usleep(20000);
	standin.standin_break(719);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.waited, VYRE_DEVICE_LOST);
	assert_int_equal(waiter.drained, VYRE_DEVICE_LOST);
	assert_int_equal(vyre_publish(b.publisher, &slot, 1, 0, 0, NULL), VYRE_DEVICE_LOST);
	assert_int_equal(vyre_ring_read_control(b.ring, VYRE_CONTROL_METRICS, &word, 1), VYRE_DEVICE_LOST);
	assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(20)), VYRE_DEVICE_LOST);
	bench_open_gate(&b, 0); /* the stand-in's thread ends after all */
	assert_int_equal(vyre_buffer_create(b.device, 64, &buffer), VYRE_DEVICE_LOST);
	close_all(&b);
}

static void a_handler_that_does_not_return(void **state)
{
	struct bench b;
	uint32_t *gate;

	(void)state;
	open_bench(&b, "");
	bench_open_ring(&b, sleepless);
	bench_publish(&b, REFERENCE_OP_BLOCK, 1, 0, 0);
	UNTIL(load(&b.ring->live[VYRE_LIVE_HEAD]) == load(&b.ring->live[VYRE_LIVE_TAIL]));
	assert_int_equal(vyre_ring_stop(b.ring, 0, 1000000), VYRE_TIMEOUT);
	gate = b.gate_words;
	vyre_publisher_destroy(b.publisher);
	vyre_ring_destroy(b.ring);
	b.ring = NULL;
	b.publisher = NULL;
	assert_int_equal(standin.standin_running(), 1);
	__atomic_store_n(gate, 1, __ATOMIC_RELEASE); /* the buffer is the kernel's, which the ring keeps */
	bench_close(&b);
	UNTIL(vyre_mem_live() == 0);
	assert_nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places),
	    cmocka_unit_test(no_driver_calls),
	    cmocka_unit_test(workers_and_share),
	    cmocka_unit_test(bursts),
	    cmocka_unit_test(two_rings),
	    cmocka_unit_test(refused_calls),
	    cmocka_unit_test(a_relaunch_that_dies),
	    cmocka_unit_test(a_relaunch_that_is_refused),
	    cmocka_unit_test(a_relaunch_that_stays_refused),
	    cmocka_unit_test(a_device_that_dies),
	    cmocka_unit_test(a_handler_that_does_not_return),
	};

	return cmocka_run_group_tests(tests, find_standin, NULL);
}
