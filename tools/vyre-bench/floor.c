/* floor.c - the ring that one would write by hand for one known handler, as the floor for ours.
 *
 * One publisher thread and one worker thread, each on its own processor, hand each other 64-byte slots:
 *   status    the slot's first word says whose turn it is: the publisher sets FULL, the worker sets EMPTY
 *   doorbell  the publisher moves one tail word over a batch of 64 slots, the worker moves one count word behind it
 * The worker adds two argument words to the word of a table that a third names, as bench.vyre's add3 does. There are no
 * opcodes, tenants, results, tickets, faults or sleep here: what those cost is the ratio.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { SLOTS = 4096, EMPTY = 0, FULL = 1, BATCH = 64 };

struct slot {
	_Alignas(64) _Atomic uint32_t status;
	uint32_t args[15];
};
struct line { /* a word with no neighbours, not even the prefetcher's */
	_Alignas(128) _Atomic uint32_t word;
};

static struct slot slots[SLOTS];
static struct line tail, count, stop;
static uint32_t table[BENCH_SINK_WORDS];

static void run_slot(const struct slot *slot)
{
	uint32_t *word = &table[slot->args[0] % BENCH_SINK_WORDS];
	*word = *word + slot->args[1] + slot->args[2];
}

static void *serve_status(void *unused)
{
	(void)unused;
	bench_pin(BENCH_WORKER_CPU);
	for (uint32_t at = 0;; at++) {
		struct slot *slot = &slots[at % SLOTS];
		while (atomic_load_explicit(&slot->status, memory_order_acquire) != FULL)
			if (atomic_load_explicit(&stop.word, memory_order_relaxed))
				return NULL;
		run_slot(slot);
		atomic_store_explicit(&slot->status, EMPTY, memory_order_release);
	}
}

static void *serve_doorbell(void *unused)
{
	uint32_t at = 0;

	(void)unused;
	bench_pin(BENCH_WORKER_CPU);
	for (;;) {
		uint32_t end = atomic_load_explicit(&tail.word, memory_order_acquire);
		if (end == at) {
			if (atomic_load_explicit(&stop.word, memory_order_relaxed))
				return NULL;
			continue;
		}
		for (; at != end; at++)
			run_slot(&slots[at % SLOTS]);
		atomic_store_explicit(&count.word, at, memory_order_release);
	}
}

static void start(pthread_t *thread, void *(*serve)(void *))
{
	memset(slots, 0, sizeof slots);
	memset(table, 0, sizeof table);
	atomic_store(&tail.word, 0);
	atomic_store(&count.word, 0);
	atomic_store(&stop.word, 0);
	bench_unpin(); /* a thread starts where its maker may run */
	if (pthread_create(thread, NULL, serve, NULL))
		bench_die("floor", "cannot start a thread");
	bench_pin(BENCH_PUBLISHER_CPU);
}

/* Every slot added i and 1, i = 0 .. n-1; did all arrive, once each? */
static bool end(pthread_t thread, uint32_t n)
{
	uint32_t sum = 0, expected = 0;

	atomic_store(&stop.word, 1);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < BENCH_SINK_WORDS; i++)
		sum += table[i];
	for (uint32_t i = 0; i < n; i++)
		expected += i + 1;
	return sum == expected;
}

static void wait_empty(struct slot *slot)
{
	while (atomic_load_explicit(&slot->status, memory_order_acquire) != EMPTY)
		;
}

static void fill(struct slot *slot, uint32_t i)
{
	slot->args[0] = i % BENCH_SINK_WORDS;
	slot->args[1] = i;
	slot->args[2] = 1;
}

static void publish(struct slot *slot, uint32_t i)
{
	fill(slot, i);
	atomic_store_explicit(&slot->status, FULL, memory_order_release);
}

static bool status_round_trips(struct bench_ring_times *times, unsigned n)
{
	double *t = calloc(n, sizeof *t);
	pthread_t thread;

	if (!t)
		bench_die("floor", "no memory");
	start(&thread, serve_status);
	for (uint32_t i = 0; i < n; i++) {
		double from = bench_now();
		publish(&slots[i % SLOTS], i);
		wait_empty(&slots[i % SLOTS]);
		t[i] = bench_now() - from;
	}
	times->p50 = bench_median(t, n);
	times->p99 = bench_percentile(t, n, 99);
	free(t);
	return end(thread, n);
}

static bool status_rate(struct bench_ring_times *times, unsigned n)
{
	pthread_t thread;
	double from;

	start(&thread, serve_status);
	from = bench_now();
	for (uint32_t i = 0; i < n; i++) {
		wait_empty(&slots[i % SLOTS]);
		publish(&slots[i % SLOTS], i);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		wait_empty(&slots[i]);
	times->status_rate = n / (bench_now() - from);
	return end(thread, n);
}

static bool doorbell_rate(struct bench_ring_times *times, unsigned n)
{
	uint32_t at = 0;
	pthread_t thread;
	double from;

	start(&thread, serve_doorbell);
	from = bench_now();
	while (at < n) {
		while (at + BATCH - atomic_load_explicit(&count.word, memory_order_acquire) > SLOTS)
			;
		for (unsigned i = 0; i < BATCH; i++, at++)
			fill(&slots[at % SLOTS], at);
		atomic_store_explicit(&tail.word, at, memory_order_release);
	}
	while (atomic_load_explicit(&count.word, memory_order_acquire) != at)
		;
	times->doorbell_rate = at / (bench_now() - from);
	return end(thread, at);
}

void bench_floor_ring(struct bench_ring_times *times, unsigned round_trips, unsigned slot_count)
{
	times->correct = status_round_trips(times, round_trips);
	times->correct &= status_rate(times, slot_count);
	times->correct &= doorbell_rate(times, slot_count / BATCH * BATCH);
}
