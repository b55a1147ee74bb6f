/* ring.c - benchmarks of the ring: one slot there and back, many slots one way, and what a publish costs its caller.
 *
 * Ring, publisher and worker are made anew for every round, so that a floor's spinning worker and ours never share a
 * processor. The worker never sleeps here (idle_ns = forever): what is timed is the hand-over, not the scheduler.
 */
#include <stdlib.h>

#include "bench.h"

enum { BATCH = 64, BURST_SLOTS = 65536 };
#define ROUND_TRIPS bench_count(50000, 50)
#define RATE_SLOTS  bench_count(2 << 20, 1 << 14)

static struct vyre_slot add3(const struct bench_set *set, uint32_t i)
{
	return (struct vyre_slot){set->add3, VYRE_PRIORITY_NORMAL, 3, {i % BENCH_SINK_WORDS, i, 1}};
}

static void clear_sink(struct bench_set *set)
{
	for (unsigned i = 0; i < BENCH_SINK_WORDS; i++)
		set->sink_words[i] = 0;
}

/* Slots i = 0 .. n-1 added i and 1 to word i mod BENCH_SINK_WORDS. */
static bool sink_is_right(const struct bench_set *set, uint32_t n)
{
	for (uint32_t word = 0; word < BENCH_SINK_WORDS; word++) {
		uint32_t expected = 0;
		for (uint32_t i = word; i < n; i += BENCH_SINK_WORDS)
			expected += i + 1;
		if (set->sink_words[word] != expected)
			return false;
	}
	return true;
}

static bool round_trips(struct bench_set *set, double *p50, double *p99)
{
	double *t = calloc(ROUND_TRIPS, sizeof *t);
	struct bench_ring_pair pair;

	if (!t)
		bench_die("ring", "no memory");
	clear_sink(set);
	bench_ring_open(&pair, set, 4096);
	for (uint32_t i = 0; i < ROUND_TRIPS; i++) {
		struct vyre_slot slot = add3(set, i);
		vyre_ticket ticket;
		double from = bench_now();
		bench_check(vyre_publish(pair.publisher, &slot, 1, 0, 0, &ticket), "publish");
		bench_check(vyre_wait(pair.ring, ticket, VYRE_FOREVER, NULL), "wait");
		t[i] = bench_now() - from;
	}
	bench_ring_close(&pair);
	*p50 = bench_median(t, ROUND_TRIPS);
	*p99 = bench_percentile(t, ROUND_TRIPS, 99);
	free(t);
	return sink_is_right(set, ROUND_TRIPS);
}

/* A caller keeps its batch and changes what changes: building each slot anew and copying it took longer than publishing
 * it (23 against 10 ns), which is the caller's affair. */
static bool slot_rate(struct bench_set *set, double *rate)
{
	struct vyre_slot batch[BATCH];
	struct bench_ring_pair pair;
	double from;

	clear_sink(set);
	bench_ring_open(&pair, set, 4096);
	for (uint32_t i = 0; i < BATCH; i++)
		batch[i] = add3(set, i);
	from = bench_now();
	for (uint32_t at = 0; at < RATE_SLOTS; at += BATCH) {
		for (uint32_t i = 0; i < BATCH; i++) {
			batch[i].args[0] = (at + i) % BENCH_SINK_WORDS;
			batch[i].args[1] = at + i;
		}
		bench_check(vyre_publish(pair.publisher, batch, BATCH, VYRE_PUBLISH_WAIT, VYRE_FOREVER, NULL),
			    "publish");
	}
	bench_check(vyre_ring_drain(pair.ring, VYRE_FOREVER), "drain");
	*rate = RATE_SLOTS / (bench_now() - from);
	bench_ring_close(&pair);
	return sink_is_right(set, RATE_SLOTS);
}

void bench_ring(void)
{
	double f50[BENCH_ROUNDS], f99[BENCH_ROUNDS], fstatus[BENCH_ROUNDS], fbell[BENCH_ROUNDS];
	double o50[BENCH_ROUNDS], o99[BENCH_ROUNDS], orate[BENCH_ROUNDS];
	struct bench_set set;
	bool correct = true;

	bench_set_open(&set, BENCH_BLOB_bench, 4096);
	for (unsigned i = 0; i < bench_options.rounds; i++) {
		struct bench_ring_times times;
		bench_floor_ring(&times, ROUND_TRIPS, RATE_SLOTS);
		f50[i] = times.p50, f99[i] = times.p99, fstatus[i] = times.status_rate, fbell[i] = times.doorbell_rate;
		correct &= times.correct;
		correct &= round_trips(&set, &o50[i], &o99[i]);
		correct &= slot_rate(&set, &orate[i]);
	}
	bench_set_close(&set);

	double rate = bench_median(orate, bench_options.rounds) / 1e6;
	const struct bench_row rows[] = {
	    {"ring.round_trip.p50", "ns", bench_median(f50, bench_options.rounds) * 1e9,
	     bench_median(o50, bench_options.rounds) * 1e9, "hand-written ring, status per slot", BENCH_AT_MOST, 1.5,
	     correct, ""},
	    {"ring.round_trip.p99", "ns", bench_median(f99, bench_options.rounds) * 1e9,
	     bench_median(o99, bench_options.rounds) * 1e9, "hand-written ring, status per slot", BENCH_AT_MOST, 1.5,
	     correct, ""},
	    {"ring.sustained", "M slots/s", bench_median(fstatus, bench_options.rounds) / 1e6, rate,
	     "hand-written ring, status per slot", BENCH_AT_LEAST, 0.3, correct, ""},
	    {"ring.sustained.doorbell", "M slots/s", bench_median(fbell, bench_options.rounds) / 1e6, rate,
	     "hand-written ring, no status per slot, batches of 64", BENCH_NO_GOAL, 0, correct, ""},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		bench_report(&rows[i]);
}

/* ---- what vyre_publish costs its caller ------------------------------------------------------------------------------ */

/* Seconds inside the calls that succeeded, a slot. A call that finds the ring full is repeated and not counted. */
static double publish_slots(struct bench_set *set, struct bench_ring_pair *pair, uint32_t total)
{
	struct vyre_slot batch[BATCH];
	double spent = 0;

	for (uint32_t at = 0; at < total;) {
		for (uint32_t i = 0; i < BATCH; i++)
			batch[i] = add3(set, at + i);
		double from = bench_now();
		vyre_status status = vyre_publish(pair->publisher, batch, BATCH, 0, 0, NULL);
		double to = bench_now();
		if (status == VYRE_FULL)
			continue;
		bench_check(status, "publish");
		spent += to - from;
		at += BATCH;
	}
	bench_check(vyre_ring_drain(pair->ring, VYRE_FOREVER), "drain");
	return spent / total;
}

/* The second time round: the first touches the pages. */
static double publish_cost(struct bench_set *set, uint32_t ring_slots, uint32_t total, bool *correct)
{
	struct bench_ring_pair pair;
	double cost;

	bench_ring_open(&pair, set, ring_slots);
	publish_slots(set, &pair, ring_slots);
	clear_sink(set);
	cost = publish_slots(set, &pair, total);
	*correct &= sink_is_right(set, total);
	bench_ring_close(&pair);
	return cost;
}

/* The same 64 bytes a slot written to memory of the same size, by nobody read. */
static double store_cost(uint32_t total)
{
	static uint32_t lines[4096][16] __attribute__((aligned(64)));
	double spent = 0;

	for (uint32_t at = 0; at < total; at += BATCH) {
		double from = bench_now();
		for (uint32_t i = at; i < at + BATCH; i++)
			for (unsigned word = 0; word < 16; word++)
				lines[i % 4096][word] = i;
		__asm__ volatile("" : : "r"(lines) : "memory"); /* the stores really happen */
		spent += bench_now() - from;
	}
	return spent / total;
}

void bench_publish(void)
{
	double floor[BENCH_ROUNDS], draining[BENCH_ROUNDS], burst[BENCH_ROUNDS];
	struct bench_set set;
	bool correct = true;

	bench_set_open(&set, BENCH_BLOB_bench, 4096);
	for (unsigned i = 0; i < bench_options.rounds; i++) {
		floor[i] = store_cost(BURST_SLOTS * 8);
		draining[i] = publish_cost(&set, 4096, BURST_SLOTS * 8, &correct);
		burst[i] = publish_cost(&set, BURST_SLOTS, BURST_SLOTS, &correct);
	}
	bench_set_close(&set);

	double stores = bench_median(floor, bench_options.rounds) * 1e9;
	const struct bench_row rows[] = {
	    {"publish.draining", "ns/slot", 0, bench_median(draining, bench_options.rounds) * 1e9, "", BENCH_AT_MOST,
	     20, correct, "batches of 64, ring of 4096, the worker draining"},
	    {"publish.burst", "ns/slot", 0, bench_median(burst, bench_options.rounds) * 1e9, "", BENCH_AT_MOST, 20,
	     correct, "batches of 64 into an empty ring of 65536, without waiting"},
	    {"publish.stores", "ns/slot", 0, stores, "", BENCH_NO_GOAL, 0, true,
	     "for comparison: 64 bytes stored, unread"},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		bench_report(&rows[i]);
}
