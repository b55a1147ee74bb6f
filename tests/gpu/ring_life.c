/* ring_life.c - when a kernel is on the device: leaving for idleness and coming back, stops, several rings, other work. */
#include <pthread.h>
#include <stdlib.h>

#include "tests/gpu/ring.h"

/* ---- idle --------------------------------------------------------------------------------------------------------------- */

/* Round by round the whole kernel leaves, then a slot, or a batch, brings it back. */
void gpu_test_idle(const struct gpu_options *options)
{
	enum { ROUNDS = 40, BATCH = 10, WORKERS = 2 };
	struct gpu_rig rig;
	struct vyre_ring_stats stats;
	uint32_t next = 0;

	ring_open(&rig, options, ROUNDS * BATCH);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 64, .workers = WORKERS, .idle_ns = 300000});
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct vyre_slot slots[BATCH];
		vyre_ticket tickets[BATCH];
		uint32_t n = i % 2 ? BATCH : 1;

		do {
			gpu_sleep(500000);
			vyre_ring_get_stats(rig.ring, &stats);
		} while (stats.sleeping < WORKERS); /* the watchdog counts */
		for (uint32_t k = 0; k < n; k++)
			slots[k] = gpu_slot(OP_MARK, 1, next++, 0);
		OK(vyre_publish(rig.publisher, slots, n, 0, 0, tickets));
		for (uint32_t k = 0; k < n; k++)
			gpu_wait(&rig, tickets[k], NULL);
	}
	ring_check_marks(&rig, next, 1);
	vyre_ring_get_stats(rig.ring, &stats);
	CHECK(stats.wakes >= ROUNDS, "%llu wakes in %d rounds", (unsigned long long)stats.wakes, ROUNDS);
	gpu_note("%llu wakes", (unsigned long long)stats.wakes);
	gpu_rig_end(&rig);
}

/* ---- stops -------------------------------------------------------------------------------------------------------------- */

void gpu_test_drain(const struct gpu_options *options)
{
	enum { SLOTS = 500, ROUNDS = 8 };

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct gpu_rig rig;
		struct vyre_slot slots[SLOTS];
		vyre_ticket ticket;

		ring_open(&rig, options, SLOTS);
		gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 512, .workers = 1 + round % 3});
		for (uint32_t i = 0; i < SLOTS; i++)
			slots[i] = gpu_slot(OP_MARK, 1, i, 0);
		OK(vyre_publish(rig.publisher, slots, SLOTS, 0, 0, NULL));
		OK(vyre_ring_stop(rig.ring, 1, GPU_SECONDS(60)));
		ring_check_marks(&rig, SLOTS, 1);
		STATUS(vyre_publish(rig.publisher, slots, 1, 0, 0, &ticket), VYRE_STOPPED);
		OK(vyre_ring_stop(rig.ring, 0, 0));
		gpu_rig_close(&rig);
	}
}

/* Held handlers, and more behind them than any batch takes: what has not begun when the stop comes is cancelled. */
static void stop_while_held(const struct gpu_options *options, uint32_t workers)
{
	enum { HELD = 3, SLOTS = 4000 };
	struct gpu_rig rig;
	vyre_ticket tickets[SLOTS];
	struct vyre_slot slots[SLOTS];
	struct vyre_result result;
	uint32_t *marks, done = 0, cancelled = 0;

	ring_open(&rig, options, SLOTS);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 4096, .workers = workers});
	for (uint32_t i = 0; i < SLOTS; i++)
		slots[i] = i < HELD ? gpu_slot(OP_HOLD, 1, i, 0) : gpu_slot(OP_MARK, 1, i, 0);
	OK(vyre_publish(rig.publisher, slots, SLOTS, 0, 0, tickets));
	ring_wait_here(&rig, 0);
	STATUS(vyre_ring_stop(rig.ring, 0, 0), VYRE_TIMEOUT);
	for (uint32_t i = 0; i < HELD; i++)
		ring_open_gate(&rig, i);
	OK(vyre_ring_stop(rig.ring, 0, GPU_SECONDS(60)));
	marks = gpu_rig_read(&rig, "marks", NULL);
	for (uint32_t i = 0; i < SLOTS; i++) {
		OK(vyre_poll(rig.ring, tickets[i], &result));
		CHECK(result.status == VYRE_SLOT_DONE || result.status == VYRE_SLOT_EMPTY, "slot %u has status %u", i,
		      result.status);
		done += result.status == VYRE_SLOT_DONE;
		cancelled += result.status == VYRE_SLOT_EMPTY;
		EQUAL(marks[i], result.status == VYRE_SLOT_DONE);
	}
	free(marks);
	EQUAL(done + cancelled, SLOTS);
	CHECK(done >= 1, "the handler that held has not ended");
	gpu_note("%u of %u slots had begun", done, SLOTS);
	gpu_rig_close(&rig);
}

void gpu_test_stop(const struct gpu_options *options)
{
	for (uint32_t workers = 1; workers <= 4; workers++)
		stop_while_held(options, workers);
}

/* ---- several rings ------------------------------------------------------------------------------------------------------ */

enum { RINGS = 3, RING_BATCH = 25, RING_BATCHES = 1200, RING_SLOTS = RING_BATCH * RING_BATCHES };

struct ring_user {
	struct gpu_rig *rig;
	uint32_t slots;
};

static void *use_ring(void *argument)
{
	const struct ring_user *user = argument;
	struct gpu_rig *rig = user->rig;

	for (uint32_t next = 0; next < user->slots; next += RING_BATCH) {
		struct vyre_slot slots[RING_BATCH];
		vyre_ticket tickets[RING_BATCH];

		for (uint32_t i = 0; i < RING_BATCH; i++)
			slots[i] = gpu_slot(OP_MARK, 1, next + i, 0);
		OK(vyre_publish(rig->publisher, slots, RING_BATCH, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), tickets));
		for (uint32_t i = 0; i < RING_BATCH; i++)
			gpu_wait(rig, tickets[i], NULL);
	}
	return NULL;
}

void gpu_test_rings(const struct gpu_options *options)
{
	struct vyre_device *device = gpu_open_device(options);
	struct gpu_rig rigs[RINGS];
	struct ring_user users[RINGS];
	pthread_t threads[RINGS];
	uint32_t slots = gpu_turns(options, RING_BATCHES) * RING_BATCH;

	for (uint32_t i = 0; i < RINGS; i++) {
		ring_open_on(&rigs[i], options, device, RING_SLOTS);
		gpu_rig_start(&rigs[i], (struct vyre_ring_params){.slots = 64u << i, .workers = 1 + i % 2});
	}
	for (uint32_t i = 0; i < RINGS; i++) {
		users[i] = (struct ring_user){&rigs[i], slots};
		EQUAL(pthread_create(&threads[i], NULL, use_ring, &users[i]), 0);
	}
	for (uint32_t i = 0; i < RINGS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < RINGS; i++)
		ring_check_marks(&rigs[i], slots, 1);
	for (uint32_t i = 0; i < RINGS; i++)
		gpu_rig_end(&rigs[i]);
	vyre_device_close(device);
}

/* ---- beside ------------------------------------------------------------------------------------------------------------- */

enum { SQUARES = 4096, SQUARE_LANES = 64, BESIDE_ROUNDS = 60 };

/* What a program may do on the device while a kernel stays there, in parts: drivers wait for everything that runs in more
 * calls than they say, and which of them it was is what one wants to know. Results, not times. */
struct square {
	struct vyre_device *device;
	struct vyre_blob *blob;
	vyre_buffer buffer;
	struct vyre_kernel *kernel;
};

static void make_buffer(struct square *square)
{
	OK(vyre_buffer_create(square->device, 4 * SQUARES, &square->buffer));
}

static void load_square(struct square *square)
{
	OK(vyre_kernel_create(
	    square->device,
	    &(struct vyre_kernel_params){.blob = square->blob,
					 .unit = "square",
					 .bindings = (struct vyre_binding[]){{"values", square->buffer}},
					 .binding_count = 1},
	    &square->kernel));
}

static void write_values(struct square *square, uint32_t first)
{
	uint32_t values[SQUARES];

	for (uint32_t i = 0; i < SQUARES; i++)
		values[i] = i + first;
	OK(vyre_buffer_write(square->device, square->buffer, 0, values, sizeof values));
}

static void check_values(struct square *square, uint32_t first, bool is_squared)
{
	uint32_t values[SQUARES];

	OK(vyre_buffer_read(square->device, square->buffer, 0, values, sizeof values));
	for (uint32_t i = 0; i < SQUARES; i++)
		EQUAL(values[i], is_squared ? (i + first) * (i + first) : i + first);
}

static void dispatch_beside(struct square *square, uint32_t round)
{
	gpu_step("round %u: copying in", round);
	write_values(square, round);
	gpu_step("round %u: dispatching", round);
	OK(vyre_kernel_dispatch(square->kernel, (const uint32_t[3]){SQUARES / SQUARE_LANES, 1, 1}, NULL));
	gpu_step("round %u: copying out", round);
	check_values(square, round, true);
}

static void make_beside(struct square *square, uint32_t round)
{
	struct square other = *square;

	gpu_step("round %u: making a buffer", round);
	make_buffer(&other);
	gpu_step("round %u: copying in and out", round);
	write_values(&other, round);
	check_values(&other, round, false);
	gpu_step("round %u: mapping it", round);
	OK(vyre_buffer_map(other.device, other.buffer, &(void *){NULL}));
	check_values(&other, round, false);
	gpu_step("round %u: giving it back", round);
	OK(vyre_buffer_destroy(other.device, other.buffer));
}

static void load_beside(struct square *square, uint32_t round)
{
	struct square other = *square;

	gpu_step("round %u: loading a kernel", round);
	load_square(&other);
	dispatch_beside(&other, round);
	gpu_step("round %u: giving it back", round);
	vyre_kernel_destroy(other.kernel);
}

static void run_beside(const struct gpu_options *options, void (*work)(struct square *square, uint32_t round))
{
	struct vyre_device *device = gpu_open_device(options);
	struct gpu_rig rig;
	struct ring_user user = {&rig, gpu_turns(options, RING_BATCHES) * RING_BATCH};
	struct square square = {.device = device};
	pthread_t thread;

	ring_open_on(&rig, options, device, RING_SLOTS);
	square.blob = rig.blob;
	make_buffer(&square);
	load_square(&square);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 256, .workers = 1, .idle_ns = VYRE_FOREVER});
	EQUAL(pthread_create(&thread, NULL, use_ring, &user), 0);
	for (uint32_t round = 0; round < BESIDE_ROUNDS; round++)
		work(&square, round);
	pthread_join(thread, NULL);
	ring_check_marks(&rig, user.slots, 1);
	vyre_kernel_destroy(square.kernel);
	gpu_rig_end(&rig);
	OK(vyre_buffer_destroy(device, square.buffer));
	vyre_device_close(device);
}

void gpu_test_beside(const struct gpu_options *options)
{
	run_beside(options, dispatch_beside);
}

void gpu_test_beside_memory(const struct gpu_options *options)
{
	run_beside(options, make_beside);
}

void gpu_test_beside_load(const struct gpu_options *options)
{
	run_beside(options, load_beside);
}
