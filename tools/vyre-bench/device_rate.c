/* device_rate.c - slots a second: what a ring keeps up with, by handler and by number of publishing threads.
 *
 * One ring of 65,536 slots and one kernel for all of it. Publishers, a processor each, publish batches that they keep and
 * change only where the slots differ, for a fixed time; the clock stops when the ring has drained. What must come out is
 * computed from what each of them published: every word of `sums`, the slots that ended, no fault.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "device_rows.h"

enum { RING_SLOTS = 65536, BATCH = 256, QUICK_BATCH = 16, PUBLISHERS = 8 };

/* What a batch is made of: its slots in turn. */
#define KIND_LIST(X) \
	X(nop, "n", "a handler without effect", 300e6) \
	X(add, "a", "atomic_add into one of 256 words", 250e6) \
	X(checksum, "c", "4 KiB by workgroup, read in place", 0) \
	X(mixed, "aanaanaanaanaanc", "10 atomic_add, 5 nop, 1 checksum of 4 KiB in 16", 0)
static const struct kind {
	const char *name, *pattern, *note;
	double goal; /* slots a second from one publisher on a GPU; 0 = none */
} kinds[] = {
#define X(name, pattern, note, goal) {#name, pattern, note, goal},
    KIND_LIST(X)
#undef X
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct run {
	struct bench_device *d;
	const struct kind *kind;
	unsigned batch, threads;
	double seconds; /* to publish for */
	pthread_barrier_t start;
	struct publisher {
		struct run *run;
		unsigned index;
		uint64_t published;
		double from;		   /* its first publish */
		uint32_t sums[BENCH_SUMS]; /* what its slots must add */
		bool good;
	} publishers[PUBLISHERS];
};

/* Publishers begin at different chunks and go through all of them. */
static uint32_t chunk_of(const struct publisher *p, uint64_t batches, uint32_t i)
{
	return (uint32_t)((p->index * 7919 + batches * p->run->batch + i) % p->run->d->session.chunks);
}

static struct vyre_slot slot_of(const struct publisher *p, uint32_t i)
{
	const struct bench_session *s = &p->run->d->session;
	const char *pattern = p->run->kind->pattern;

	switch (pattern[i % strlen(pattern)]) {
	case 'a':
		return (struct vyre_slot){s->add, VYRE_PRIORITY_NORMAL, 2, {i % BENCH_SUMS, p->index + 1}};
	case 'c':
		return (struct vyre_slot){s->checksum, VYRE_PRIORITY_NORMAL, 3, {0, BENCH_CHUNK_WORDS, i % BENCH_SUMS}};
	default:
		return (struct vyre_slot){s->nop, VYRE_PRIORITY_NORMAL, 0, {0}};
	}
}

/* Sets what differs from batch to batch; counts what it will add. */
static void next_batch(struct publisher *p, struct vyre_slot *slots, uint64_t batches)
{
	const struct bench_session *s = &p->run->d->session;

	if (!strchr(p->run->kind->pattern, 'c'))
		return;
	for (uint32_t i = 0; i < p->run->batch; i++)
		if (slots[i].opcode == s->checksum) {
			uint32_t chunk = chunk_of(p, batches, i);
			slots[i].args[0] = chunk * BENCH_CHUNK_WORDS;
			p->sums[slots[i].args[2]] += s->chunk_sums[chunk];
		}
}

static bool publish_batches(struct publisher *p, struct vyre_publisher *publisher)
{
	struct vyre_slot slots[BATCH];
	const struct bench_session *s = &p->run->d->session;
	unsigned batch = p->run->batch;
	uint64_t batches = 0;
	double end;

	for (uint32_t i = 0; i < batch; i++)
		slots[i] = slot_of(p, i);
	pthread_barrier_wait(&p->run->start);
	p->from = bench_now();
	end = p->from + p->run->seconds;
	do {
		next_batch(p, slots, batches);
		if (!bench_ok(vyre_publish(publisher, slots, batch, VYRE_PUBLISH_WAIT, BENCH_LIMIT_NS, NULL),
			      "publish"))
			return false;
		batches++;
	} while (bench_now() < end);
	p->published = batches * batch;
	for (uint32_t i = 0; i < batch; i++)
		if (slots[i].opcode == s->add)
			p->sums[slots[i].args[0]] += slots[i].args[1] * (uint32_t)batches;
	return true;
}

static void *publish(void *argument)
{
	struct publisher *p = argument;
	struct vyre_publisher *publisher;

	bench_pin(BENCH_PUBLISHER_CPU + (int)(p->index ? p->index + !bench_is_gpu() : 0));
	p->good = bench_ok(vyre_publisher_create(p->run->d->session.ring, 0, &publisher), "publisher");
	if (!p->good) {
		pthread_barrier_wait(&p->run->start);
		return NULL;
	}
	p->good = publish_batches(p, publisher);
	vyre_publisher_destroy(publisher);
	return NULL;
}

static bool sums_are_right(struct run *run)
{
	uint32_t sums[BENCH_SUMS];

	if (!bench_session_sums(&run->d->session, sums))
		return false;
	for (uint32_t place = 0; place < BENCH_SUMS; place++) {
		uint32_t expected = 0;
		for (unsigned i = 0; i < run->threads; i++)
			expected += run->publishers[i].sums[place];
		if (sums[place] != expected)
			return bench_fail("sum %u is %u, not %u", place, sums[place], expected);
	}
	return true;
}

/* Slots a second. */
static bool measure(struct run *run, double *rate)
{
	struct bench_session *s = &run->d->session;
	pthread_t threads[PUBLISHERS];
	uint64_t published = 0;
	bool good = true;
	double from = INFINITY;

	if (!bench_session_zero(s))
		return false;
	pthread_barrier_init(&run->start, NULL, run->threads);
	for (unsigned i = 0; i < run->threads; i++)
		run->publishers[i] = (struct publisher){.run = run, .index = i};
	bench_unpin(); /* threads start where their maker may run */
	for (unsigned i = 0; i < run->threads; i++)
		if (pthread_create(&threads[i], NULL, publish, &run->publishers[i]))
			bench_die("rates", "cannot start a thread");
	for (unsigned i = 0; i < run->threads; i++) {
		pthread_join(threads[i], NULL);
		good &= run->publishers[i].good;
		from = run->publishers[i].from < from ? run->publishers[i].from : from;
		published += run->publishers[i].published;
	}
	good = good && bench_ok(vyre_ring_drain(s->ring, BENCH_LIMIT_NS), "drain");
	*rate = (double)published / (bench_now() - from);
	pthread_barrier_destroy(&run->start);
	return good && bench_session_counted(s, published) && sums_are_right(run);
}

static void report(struct run *run, const char *name, double *rates)
{
	struct bench_row row = {.name = name, .unit = "M slots/s", .floor_is = "", .correct = true};
	double rate = bench_median(rates, bench_options.rounds);
	bool reads = strcmp(run->kind->pattern, "c") == 0 && bench_found()->read_rate > 0;
	char against[48];

	snprintf(row.note, sizeof row.note, "%s", run->kind->note);
	row.ours = rate / 1e6;
	if (reads) { /* against what the device reads in place without us */
		row.unit = "GB/s";
		row.ours = rate * BENCH_CHUNK_BYTES / 1e9;
		row.floor = bench_found()->read_rate / 1e9;
		row.floor_is = "memory of the host read by the device alone";
	}
	if (bench_is_gpu() && run->threads == 1 && (run->kind->goal > 0 || reads)) {
		row.goal_kind = BENCH_AT_LEAST;
		row.goal = reads ? 0.9 : run->kind->goal / 1e6;
	}
	bench_report(&row);
	if (run->threads != 1 || reads)
		return;
	snprintf(against, sizeof against, "rate.%s.vs_queued", run->kind->name);
	bench_against(against, "M items/s", 1e-6, BENCH_LAUNCH_QUEUED, 1 / rate, BENCH_AT_LEAST);
	snprintf(against, sizeof against, "rate.%s.vs_graph", run->kind->name);
	bench_against(against, "M items/s", 1e-6, BENCH_LAUNCH_GRAPH_MANY, 1 / rate, BENCH_AT_LEAST);
}

/* A ring for every round and number of publishers: on the cpu device it has as many workers as there are publishers. */
static bool measure_kinds(struct run *run, unsigned round, double rates[KINDS][BENCH_ROUNDS])
{
	bool good = bench_session_ring(&run->d->session, RING_SLOTS, bench_ring_workers(run->threads));

	for (unsigned kind = 0; kind < KINDS && good; kind++) {
		run->kind = &kinds[kind];
		good = measure(run, &rates[kind][round]);
	}
	return run->d->session.ring ? bench_session_ring_close(&run->d->session) && good : good;
}

static void measure_publishers(struct bench_device *d, unsigned threads)
{
	struct run run = {.d = d,
			  .threads = threads,
			  .batch = bench_count(BATCH, QUICK_BATCH),
			  .seconds = bench_options.quick ? 0 : 0.1};
	double rates[KINDS][BENCH_ROUNDS];
	unsigned needed = threads * (bench_is_gpu() || bench_options.quick ? 1 : 2);
	char name[48], why[100];
	bool good = true;

	snprintf(name, sizeof name, "rate.%u_publishers", threads);
	if (bench_processors() < needed) {
		snprintf(why, sizeof why, "needs %u processors, there are %u", needed, bench_processors());
		bench_report_left_out(name, why);
		return;
	}
	bench_guard("slots a second");
	for (unsigned round = 0; round < bench_options.rounds && good; round++)
		good = measure_kinds(&run, round, rates);
	if (!good) {
		bench_report_failed(name, bench_why());
		bench_forgive();
		return;
	}
	for (unsigned kind = 0; kind < KINDS; kind++) {
		run.kind = &kinds[kind];
		snprintf(name, sizeof name, "rate.%s.%u", run.kind->name, threads);
		report(&run, name, rates[kind]);
	}
}

void bench_rates(struct bench_device *d)
{
	static const unsigned publishers[] = {1, 2, 4, PUBLISHERS};

	for (unsigned i = 0; i < sizeof publishers / sizeof *publishers; i++)
		measure_publishers(d, publishers[i]);
}
