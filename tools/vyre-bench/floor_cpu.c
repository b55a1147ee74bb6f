/* floor_cpu.c - what two threads give without us: a word there and back, work handed to a thread that sleeps, memory read.
 *
 * A launch is what a program with a thread pool does: an item into a queue under a mutex, a signal, and a condition
 * variable to wait for the end. A graph is a list of items that goes into the queue as one, or as one for each thread. One
 * thread works, or all, a processor each beside that of the caller.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

struct line { /* a word with no neighbours, not even the prefetcher's */
	_Alignas(128) _Atomic uint32_t word;
};
enum { QUEUE = 4096, THREADS = 64 };
#define END_OF_GAME UINT32_MAX

struct bench_floor {
	struct line ping, pong;
	pthread_mutex_t lock;
	pthread_cond_t work, parked, idle; /* parked: threads that are not active */
	struct order {
		uint32_t turns, items;
	} queue[QUEUE];
	unsigned first, last;  /* of the queue */
	uint64_t given, ended; /* items */
	uint64_t sum;	       /* of what the items made */
	bool leave;
	unsigned threads, active; /* those that exist; the first of them work */
	struct worker {
		struct bench_floor *floor;
		unsigned index;
		pthread_t thread;
	} workers[THREADS];
};

static uint32_t run_item(uint32_t turns)
{
	uint32_t x = 1;

	for (uint32_t i = 0; i < turns; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	return x;
}

uint32_t bench_item_value(uint32_t turns)
{
	return run_item(turns);
}

/* ---- the pool ---------------------------------------------------------------------------------------------------------- */

static void *work(void *argument)
{
	const struct worker *worker = argument;
	struct bench_floor *floor = worker->floor;

	bench_pin(BENCH_WORKER_CPU + (int)worker->index);
	pthread_mutex_lock(&floor->lock);
	for (;;) {
		while (!floor->leave && (worker->index >= floor->active || floor->first == floor->last))
			pthread_cond_wait(worker->index >= floor->active ? &floor->parked : &floor->work, &floor->lock);
		if (floor->leave)
			break;
		struct order order = floor->queue[floor->first++ % QUEUE];
		uint64_t sum = 0;
		pthread_mutex_unlock(&floor->lock);
		for (uint32_t i = 0; i < order.items; i++)
			sum += run_item(order.turns);
		pthread_mutex_lock(&floor->lock);
		floor->sum += sum;
		floor->ended += order.items;
		if (floor->ended == floor->given)
			pthread_cond_signal(&floor->idle);
	}
	pthread_mutex_unlock(&floor->lock);
	return NULL;
}

static void give(struct bench_floor *floor, struct order order)
{
	pthread_mutex_lock(&floor->lock);
	floor->queue[floor->last++ % QUEUE] = order;
	floor->given += order.items;
	pthread_cond_signal(&floor->work);
	pthread_mutex_unlock(&floor->lock);
}

static void wait_idle(struct bench_floor *floor)
{
	pthread_mutex_lock(&floor->lock);
	while (floor->ended != floor->given)
		pthread_cond_wait(&floor->idle, &floor->lock);
	pthread_mutex_unlock(&floor->lock);
}

static void set_active(struct bench_floor *floor, unsigned active)
{
	pthread_mutex_lock(&floor->lock);
	floor->active = active;
	pthread_cond_broadcast(&floor->parked);
	pthread_cond_broadcast(&floor->work);
	pthread_mutex_unlock(&floor->lock);
}

static bool launch(struct bench_floor *floor, enum bench_launch how, bool wide, uint32_t turns, unsigned count,
		   double *seconds)
{
	uint64_t before = floor->sum;
	double from;

	bench_pin(BENCH_PUBLISHER_CPU);
	set_active(floor, wide ? floor->threads : 1);
	from = bench_now();
	switch (how) {
	case BENCH_LAUNCH_SYNC:
	case BENCH_LAUNCH_GRAPH_SYNC:
		for (unsigned i = 0; i < count; i++) {
			from = bench_now();
			give(floor, (struct order){turns, 1});
			wait_idle(floor);
			seconds[i] = bench_now() - from;
		}
		break;
	case BENCH_LAUNCH_QUEUED:
		if (count > QUEUE)
			return bench_fail("%u launches in a queue of %u", count, QUEUE);
		for (unsigned i = 0; i < count; i++)
			give(floor, (struct order){turns, 1});
		wait_idle(floor);
		*seconds = bench_now() - from;
		break;
	case BENCH_LAUNCH_GRAPH_MANY:
		for (unsigned i = 0; i < floor->active; i++)
			give(floor, (struct order){turns, count * (i + 1) / floor->active - count * i / floor->active});
		wait_idle(floor);
		*seconds = bench_now() - from;
		break;
	}
	if (floor->sum - before != (uint64_t)bench_item_value(turns) * count)
		return bench_fail("the pool's items add up to another number");
	return true;
}

/* ---- one word there and back ------------------------------------------------------------------------------------------- */

static void *answer(void *argument)
{
	struct bench_floor *floor = argument;
	uint32_t seen = 0;

	bench_pin(BENCH_WORKER_CPU);
	for (;;) {
		uint32_t value = atomic_load_explicit(&floor->ping.word, memory_order_acquire);
		if (value == END_OF_GAME)
			return NULL;
		if (value != seen) {
			seen = value;
			atomic_store_explicit(&floor->pong.word, value, memory_order_release);
		}
	}
}

static bool ping_pong(struct bench_floor *floor, unsigned count, double *seconds)
{
	pthread_t thread;

	atomic_store(&floor->ping.word, 0);
	atomic_store(&floor->pong.word, 0);
	bench_unpin(); /* a thread starts where its maker may run */
	if (pthread_create(&thread, NULL, answer, floor))
		return bench_fail("ping-pong: cannot start a thread");
	bench_pin(BENCH_PUBLISHER_CPU);
	for (uint32_t i = 0; i < count; i++) {
		double from = bench_now();
		atomic_store_explicit(&floor->ping.word, i + 1, memory_order_release);
		while (atomic_load_explicit(&floor->pong.word, memory_order_acquire) != i + 1)
			bench_relax();
		seconds[i] = bench_now() - from;
	}
	atomic_store(&floor->ping.word, END_OF_GAME);
	pthread_join(thread, NULL);
	return true;
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

typedef uint64_t wide __attribute__((vector_size(32)));

/* One core, four chains of 32 bytes. */
static bool read_in_place(struct bench_floor *floor, uint64_t bytes, double *rate)
{
	uint64_t *text = aligned_alloc(4096, bytes), sum = 0, expected = 0;
	wide chain[4] = {{0}};
	double from;

	(void)floor;
	if (!text)
		return bench_fail("no memory for %llu bytes", (unsigned long long)bytes);
	for (uint64_t i = 0; i < bytes / 8; i++)
		expected += text[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	bench_pin(BENCH_WORKER_CPU);
	from = bench_now();
	for (uint64_t i = 0; i < bytes / sizeof(wide); i += 4)
		for (unsigned k = 0; k < 4; k++)
			chain[k] += ((const wide *)(const void *)text)[i + k];
	for (unsigned k = 0; k < 16; k++)
		sum += chain[k / 4][k % 4];
	*rate = (double)bytes / (bench_now() - from);
	free(text);
	return sum == expected || bench_fail("the words read add up to another number");
}

static bool copy_in(struct bench_floor *floor, uint64_t bytes, double *rate)
{
	uint8_t *from = malloc(bytes), *to = malloc(bytes);
	double start;
	bool same = false;

	(void)floor;
	if (from && to) {
		memset(from, 0x5a, bytes);
		memset(to, 0xa5, bytes); /* the pages are there */
		start = bench_now();
		memcpy(to, from, bytes);
		*rate = (double)bytes / (bench_now() - start);
		same = memcmp(from, to, bytes) == 0 || bench_fail("the copy differs");
	} else {
		bench_fail("no memory for two times %llu bytes", (unsigned long long)bytes);
	}
	free(from);
	free(to);
	return same;
}

/* ---- open, close ------------------------------------------------------------------------------------------------------- */

static void close_floor(struct bench_floor *floor)
{
	pthread_mutex_lock(&floor->lock);
	floor->leave = true;
	pthread_cond_broadcast(&floor->parked);
	pthread_cond_broadcast(&floor->work);
	pthread_mutex_unlock(&floor->lock);
	for (unsigned i = 0; i < floor->threads; i++)
		pthread_join(floor->workers[i].thread, NULL);
	pthread_cond_destroy(&floor->idle);
	pthread_cond_destroy(&floor->parked);
	pthread_cond_destroy(&floor->work);
	pthread_mutex_destroy(&floor->lock);
	free(floor);
}

static bool open_floor(struct bench_floor **out, const char *device)
{
	struct bench_floor *floor = aligned_alloc(_Alignof(struct bench_floor), sizeof *floor);
	unsigned wanted = bench_processors() > 2 ? bench_processors() - 1 : 1;

	(void)device;
	if (!floor)
		return bench_fail("no memory");
	memset(floor, 0, sizeof *floor);
	pthread_mutex_init(&floor->lock, NULL);
	pthread_cond_init(&floor->work, NULL);
	pthread_cond_init(&floor->parked, NULL);
	pthread_cond_init(&floor->idle, NULL);
	for (; floor->threads < wanted && floor->threads < THREADS; floor->threads++) {
		struct worker *worker = &floor->workers[floor->threads];
		*worker = (struct worker){.floor = floor, .index = floor->threads};
		if (pthread_create(&worker->thread, NULL, work, worker)) {
			close_floor(floor);
			return bench_fail("cannot start a thread");
		}
	}
	*out = floor;
	return true;
}

static void describe(struct bench_floor *floor, char *text, size_t size)
{
	(void)floor;
	snprintf(text, size, "no driver");
}

const struct bench_floor_fns bench_floor_cpu = {
    .driver = "cpu",
    .open = open_floor,
    .close = close_floor,
    .describe = describe,
    .ping_pong = ping_pong,
    .launch = launch,
    .read_in_place = read_in_place,
    .copy_in = copy_in,
};
