/* crossover.c - how long an item must take before a launch for each, or a graph of many, is as good as our ring.
 *
 * The same work three ways: launches queued, one graph of as many nodes, and a ring that is fed in batches. Once with one
 * item after the other (one stream, a chain of nodes, one worker), and once side by side (streams in turn, nodes without
 * edges, all workers). A row an item time and peer: microseconds an item. Then, for each peer, the shortest item time from
 * which on it stays within 5 % of ours: from there on a ring buys nothing.
 *
 * A time is made of turns of op item's loop; how long one takes is measured first, on the device itself.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_rows.h"

enum { RING_SLOTS = 4096, BATCH = 64, MOST_ITEMS = 1000, FEWEST_ITEMS = 100, ROUNDS = 3 };
#define SECONDS_A_ROW 0.1 /* about, for one way and round */
#define NO_WORSE      1.05

static const double item_us[] = {0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
static const double quick_us[] = {0.5, 10};
static const struct peer {
	enum bench_launch how;
	const char *name, *floor_is;
} peers[] = {{BENCH_LAUNCH_QUEUED, "launch", "a launch an item, queued"},
	     {BENCH_LAUNCH_GRAPH_MANY, "graph", "a graph of all items"}};
static const struct way {
	bool wide;
	const char *name, *note;
} ways[] = {{false, "cross", "one after the other"}, {true, "cross.wide", "side by side"}};
enum { TIMES = sizeof item_us / sizeof *item_us, PEERS = sizeof peers / sizeof *peers };

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The shortest of a few launches of one item. */
static bool shortest(struct bench_device *d, uint32_t turns, double *seconds)
{
	double times[5];

	if (!d->fns->launch(d->floor, BENCH_LAUNCH_SYNC, false, turns, 5, times))
		return false;
	qsort(times, 5, sizeof *times, compare);
	*seconds = times[0];
	return true;
}

/* Twice as long an item takes as much longer as its turns do: what a launch costs is in both. */
static bool calibrate(struct bench_device *d, double *turn_seconds)
{
	double once = 0, twice = 0;
	uint32_t turns = 1024;

	for (;; turns *= 2) {
		if (!shortest(d, turns, &once) || !shortest(d, 2 * turns, &twice))
			return false;
		if (twice - once > (bench_options.quick ? 1e-4 : 1e-3))
			break;
		if (turns >= 1u << 28)
			return bench_fail("%u turns of the item's loop take no time", turns);
	}
	*turn_seconds = (twice - once) / turns;
	return true;
}

/* Until every one has ended, without a word to the device: a sleeping waiter is woken for each batch that ends, which costs
 * a worker of the cpu device more than a short item does. */
static bool poll_all(struct bench_session *s, const vyre_ticket *tickets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!bench_session_poll(s, tickets[i]))
			return false;
	return true;
}

static bool publish_items(struct bench_session *s, uint32_t turns, unsigned count, vyre_ticket *tickets)
{
	struct vyre_slot batch[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		batch[i] = (struct vyre_slot){s->item, VYRE_PRIORITY_NORMAL, 2, {turns, 0}};
	for (unsigned at = 0; at < count; at += BATCH)
		if (!bench_ok(vyre_publish(s->publisher, batch, count - at < BATCH ? count - at : BATCH,
					   VYRE_PUBLISH_WAIT, BENCH_LIMIT_NS, tickets + at),
			      "publish"))
			return false;
	return true;
}

/* Seconds for all. */
static bool run_on_ring(struct bench_device *d, uint32_t turns, unsigned count, double *seconds)
{
	struct bench_session *s = &d->session;
	uint32_t sums[BENCH_SUMS], expected = bench_item_value(turns) * count;
	vyre_ticket tickets[MOST_ITEMS];
	double from;

	if (!bench_session_zero(s))
		return false;
	from = bench_now();
	if (!publish_items(s, turns, count, tickets) || !poll_all(s, tickets, count))
		return false;
	*seconds = bench_now() - from;
	if (!bench_session_counted(s, count) || !bench_session_sums(s, sums))
		return false;
	return sums[0] == expected || bench_fail("the items add up to %u, not %u", sums[0], expected);
}

static unsigned rounds(void)
{
	return bench_options.rounds < ROUNDS ? bench_options.rounds : ROUNDS;
}

static unsigned workers(bool wide)
{
	return !wide ? 1 : bench_ring_workers(bench_processors() - 1);
}

/* Medians of seconds an item. */
static bool measure(struct bench_device *d, bool wide, double us, double turn_seconds, double *ours, double *theirs,
		    unsigned *count)
{
	double ring[ROUNDS], peer[PEERS][ROUNDS], most = SECONDS_A_ROW / (us * 1e-6);
	uint32_t turns = (uint32_t)(us * 1e-6 / turn_seconds);

	*count = bench_options.quick ? 20 : most > MOST_ITEMS ? MOST_ITEMS : most < FEWEST_ITEMS ? FEWEST_ITEMS : most;
	turns = turns ? turns : 1; /* 0 is the empty launch */
	for (unsigned round = 0; round < rounds(); round++) {
		for (unsigned i = 0; i < PEERS; i++)
			if (!d->fns->launch(d->floor, peers[i].how, wide, turns, *count, &peer[i][round]))
				return false;
		if (!bench_session_ring(&d->session, RING_SLOTS, workers(wide)))
			return false;
		bool good = (bench_options.quick || bench_session_lap(&d->session, RING_SLOTS)) &&
			    run_on_ring(d, turns, *count, &ring[round]);
		if (!bench_session_ring_close(&d->session) || !good)
			return false;
	}
	*ours = bench_median(ring, rounds()) / *count;
	for (unsigned i = 0; i < PEERS; i++)
		theirs[i] = bench_median(peer[i], rounds()) / *count;
	return true;
}

static void report(const struct way *way, const struct peer *peer, double us, double floor, double ours, unsigned count)
{
	char name[48];
	struct bench_row row = {.name = name,
				.unit = "us/item",
				.floor = floor * 1e6,
				.ours = ours * 1e6,
				.floor_is = peer->floor_is,
				.correct = true};

	snprintf(name, sizeof name, "%s.%s.%gus", way->name, peer->name, us);
	snprintf(row.note, sizeof row.note, "%u items of %g us, %s", count, us, way->note);
	bench_report_samples(&row, rounds());
}

/* The shortest time from which on the peer is no worse; none: it is worse at the longest too. */
static void report_cross(const struct way *way, const struct peer *peer, const double *times, unsigned count,
			 const double *ratio)
{
	char name[48];
	struct bench_row row = {.name = name, .unit = "us", .ours = NAN, .floor_is = "", .correct = true};
	unsigned first = count;

	while (first > 0 && ratio[first - 1] <= NO_WORSE)
		first--;
	snprintf(name, sizeof name, "%s.%s", way->name, peer->name);
	if (first == count) {
		snprintf(row.note, sizeof row.note, "%s, %s, costs over 5 %% more than our ring at items of %g us too",
			 peer->floor_is, way->note, times[count - 1]);
	} else {
		row.ours = times[first];
		snprintf(row.note, sizeof row.note, "%s, %s, is within 5 %% of our ring from items of %g us on",
			 peer->floor_is, way->note, times[first]);
	}
	bench_report_samples(&row, rounds());
}

static bool measure_way(struct bench_device *d, const struct way *way, double turn_seconds)
{
	const double *times = bench_options.quick ? quick_us : item_us;
	unsigned count = bench_options.quick ? sizeof quick_us / sizeof *quick_us : TIMES, items;
	double ours, theirs[PEERS], ratio[PEERS][TIMES];

	for (unsigned i = 0; i < count; i++) {
		bench_guard(way->name);
		if (!measure(d, way->wide, times[i], turn_seconds, &ours, theirs, &items))
			return false;
		for (unsigned peer = 0; peer < PEERS; peer++) {
			report(way, &peers[peer], times[i], theirs[peer], ours, items);
			ratio[peer][i] = theirs[peer] / ours;
		}
	}
	for (unsigned peer = 0; peer < PEERS; peer++)
		report_cross(way, &peers[peer], times, count, ratio[peer]);
	return true;
}

static void cross(struct bench_device *d, const struct way *way)
{
	double turn_seconds = 0;

	bench_guard("the time of an item");
	if (!calibrate(d, &turn_seconds) || !measure_way(d, way, turn_seconds))
		bench_report_failed(way->name, bench_why());
}

static void cross_in_turn(struct bench_device *d)
{
	cross(d, &ways[0]);
}

static void cross_wide(struct bench_device *d)
{
	char why[100];

	if (bench_is_gpu() || bench_processors() >= 3) {
		cross(d, &ways[1]);
		return;
	}
	snprintf(why, sizeof why, "needs 3 processors, there are %u", bench_processors());
	bench_report_left_out(ways[1].name, why);
}

void bench_crossover(void)
{
	static const struct bench_group groups[] = {{"cross", cross_in_turn}, {"cross.wide", cross_wide}};

	bench_run_groups(groups, sizeof groups / sizeof *groups);
}
