/* device.c - one device in numbers: what it gives by itself, then our ring on it.
 *
 * Every group of rows measures its floor and ours in turns, so that a machine that slows down slows both. A group that
 * fails (a wrong number, a wait that did not end, a driver that refuses) is a row that says why, and the next one starts.
 * Goals are those for a GPU; on the cpu device the same rows stand without.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_rows.h"

enum { TRIPS = 20000, LAUNCHES = 3000, MANY = 1000 };

const struct bench_floor_fns *bench_floor_of(const char *device)
{
	static const struct bench_floor_fns *const floors[] = {&bench_floor_cpu, &bench_floor_cuda};

	for (unsigned i = 0; i < sizeof floors / sizeof *floors; i++)
		if (strncmp(device, floors[i]->driver, strlen(floors[i]->driver)) == 0)
			return floors[i];
	return NULL;
}

bool bench_is_gpu(void)
{
	return bench_floor_of(bench_options.device) != &bench_floor_cpu;
}

unsigned bench_ring_workers(unsigned on_cpu)
{
	return bench_is_gpu() ? bench_options.workers : on_cpu;
}

double *bench_seconds(unsigned count)
{
	double *seconds = calloc(count, sizeof *seconds);

	if (!seconds)
		bench_die("memory", "none for the times");
	return seconds;
}

/* ---- launches ---------------------------------------------------------------------------------------------------------- */

struct latency {
	double p50[BENCH_ROUNDS], p99[BENCH_ROUNDS]; /* of each round */
	unsigned samples;			     /* of all */
};

static void take(struct latency *latency, unsigned round, double *seconds, unsigned count)
{
	latency->p50[round] = bench_median(seconds, count);
	latency->p99[round] = bench_percentile(seconds, count, 99);
	latency->samples += count;
}

/* A row without ours. samples: of one round. */
static void report_floor(const char *name, const char *unit, double *values, double scale, const char *what,
			 unsigned samples)
{
	struct bench_row row = {.name = name,
				.unit = unit,
				.floor = bench_median(values, bench_options.rounds) * scale,
				.ours = NAN,
				.floor_is = what,
				.correct = true};

	bench_report_samples(&row, samples * bench_options.rounds);
}

static bool is_latency(enum bench_launch how)
{
	return how == BENCH_LAUNCH_SYNC || how == BENCH_LAUNCH_GRAPH_SYNC;
}

static unsigned launch_count(enum bench_launch how)
{
	return is_latency(how) ? bench_count(LAUNCHES, 20) : bench_count(MANY, 20);
}

/* One round: an item each, or all divided by their number. */
static bool launch_once(struct bench_device *d, enum bench_launch how, struct latency *latency, unsigned round)
{
	unsigned count = launch_count(how);
	double *seconds = bench_seconds(count);
	bool good = d->fns->launch(d->floor, how, false, 0, count, seconds);

	if (good && is_latency(how))
		take(latency, round, seconds, count);
	else
		latency->p50[round] = *seconds / count;
	free(seconds);
	return good;
}

static void measure_launch(struct bench_device *d, enum bench_launch how, const char *name, const char *what)
{
	unsigned count = launch_count(how);
	struct latency latency = {.samples = 0};
	char row[48];
	bool good = true;

	bench_guard(what);
	for (unsigned round = 0; round < bench_options.rounds && good; round++)
		good = launch_once(d, how, &latency, round);
	if (!good) {
		bench_report_failed(name, bench_why());
		bench_forgive();
		return;
	}
	bench_found()->launch_seconds[how] = bench_median(latency.p50, bench_options.rounds);
	if (!is_latency(how)) {
		report_floor(name, "us/item", latency.p50, 1e6, what, count);
		return;
	}
	snprintf(row, sizeof row, "%s.p50", name);
	report_floor(row, "us", latency.p50, 1e6, what, count);
	snprintf(row, sizeof row, "%s.p99", name);
	report_floor(row, "us", latency.p99, 1e6, what, count);
}

/* ---- one slot there and back ------------------------------------------------------------------------------------------- */

static bool trips_are_right(struct bench_device *d, unsigned count)
{
	uint32_t sums[BENCH_SUMS];

	if (!bench_session_counted(&d->session, count) || !bench_session_sums(&d->session, sums))
		return false;
	for (uint32_t place = 0; place < BENCH_SUMS; place++) {
		uint32_t expected = 0;
		for (uint32_t i = place; i < count; i += BENCH_SUMS)
			expected += i + 1;
		if (sums[place] != expected)
			return bench_fail("sum %u is %u after the round trips, not %u", place, sums[place], expected);
	}
	return true;
}

static bool trip_round(struct bench_device *d, uint32_t slots, unsigned round, struct latency *floor,
		       struct latency *ours)
{
	unsigned count = bench_count(TRIPS, 20);
	double *seconds = bench_seconds(count);
	bool good = d->fns->ping_pong(d->floor, count, seconds);

	if (good)
		take(floor, round, seconds, count);
	if (good && (good = bench_session_ring(&d->session, slots, bench_ring_workers(1)))) {
		good =
		    (bench_options.quick || bench_session_lap(&d->session, slots)) && bench_session_zero(&d->session);
		for (uint32_t i = 0; i < count && good; i++) {
			if (i % 64 == 63 && !bench_has_time()) /* of a slow ring fewer */
				count = i + 1;
			struct vyre_slot slot = {d->session.add, VYRE_PRIORITY_NORMAL, 2, {i % BENCH_SUMS, i + 1}};
			double from = bench_now();
			good = bench_session_trip(&d->session, &slot);
			seconds[i] = bench_now() - from;
		}
		good = good && trips_are_right(d, count);
		good &= bench_session_ring_close(&d->session);
		if (good)
			take(ours, round, seconds, count);
	}
	free(seconds);
	return good;
}

static void report_trip(const char *part, uint32_t slots, double *floor, double *ours, unsigned rounds,
			unsigned samples, double goal)
{
	char name[48];
	struct bench_row row = {.name = name,
				.unit = "us",
				.floor = bench_median(floor, rounds) * 1e6,
				.ours = bench_median(ours, rounds) * 1e6,
				.floor_is = "ping-pong through one word",
				.goal_kind = bench_is_gpu() ? BENCH_AT_MOST : BENCH_NO_GOAL,
				.goal = goal,
				.correct = true};

	snprintf(name, sizeof name, "trip.%u.%s", slots, part);
	bench_report_samples(&row, samples);
}

static void measure_trips(struct bench_device *d)
{
	static const uint32_t sizes[] = {256, 4096, 65536};

	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct latency floor = {.samples = 0}, ours = {.samples = 0};
		unsigned rounds = 0;
		bool good = true;
		char name[48];

		snprintf(name, sizeof name, "trip.%u", sizes[i]);
		bench_guard("a slot there and back");
		while (rounds < bench_options.rounds && good && (rounds == 0 || bench_has_time()))
			good = trip_round(d, sizes[i], rounds++, &floor, &ours);
		if (!good) {
			bench_report_failed(name, bench_why());
			bench_forgive();
			continue;
		}
		report_trip("p50", sizes[i], floor.p50, ours.p50, rounds, ours.samples, 1.3);
		report_trip("p99", sizes[i], floor.p99, ours.p99, rounds, ours.samples, 2);
		bench_found()->trip_seconds = bench_median(ours.p50, rounds);
	}
	bench_against("trip.vs_launch", "us", 1e6, BENCH_LAUNCH_SYNC, bench_found()->trip_seconds, BENCH_AT_MOST);
	bench_against("trip.vs_graph", "us", 1e6, BENCH_LAUNCH_GRAPH_SYNC, bench_found()->trip_seconds, BENCH_AT_MOST);
}

void bench_against(const char *name, const char *unit, double scale, enum bench_launch how, double seconds, int goal)
{
	static const char *const texts[] = {
#define X(name, row, text) [BENCH_LAUNCH_##name] = text,
	    BENCH_LAUNCH_LIST(X)
#undef X
	};
	double floor = bench_found()->launch_seconds[how], ours = seconds;
	struct bench_row row = {.name = name, .unit = unit, .floor_is = texts[how], .correct = true};

	if (floor == 0 || ours == 0)
		return;
	row.floor = goal == BENCH_AT_LEAST ? 1 / floor * scale : floor * scale;
	row.ours = goal == BENCH_AT_LEAST ? 1 / ours * scale : ours * scale;
	bench_report(&row);
}

/* ---- memory, loading --------------------------------------------------------------------------------------------------- */

static uint64_t memory_bytes(void)
{
	return bench_options.quick ? 256 << 10 : bench_is_gpu() ? 256 << 20 : 64 << 20;
}

static void measure_rate(struct bench_device *d, const char *name, const char *what,
			 bool (*rate)(struct bench_floor *, uint64_t, double *), double *kept)
{
	double rates[BENCH_ROUNDS];
	bool good = true;

	if (!rate) {
		bench_report_left_out(name, "this device's memory is the host's");
		return;
	}
	bench_guard(name);
	for (unsigned round = 0; round < bench_options.rounds && good; round++)
		good = rate(d->floor, memory_bytes(), &rates[round]);
	if (!good) {
		bench_report_failed(name, bench_why());
		bench_forgive();
		return;
	}
	report_floor(name, "GB/s", rates, 1e-9, what, 1);
	if (kept)
		*kept = bench_median(rates, bench_options.rounds);
}

static bool write_buffer(struct bench_device *d, vyre_buffer buffer, const uint8_t *bytes, uint8_t *back, double *rate)
{
	double from = bench_now();

	if (!bench_ok(vyre_buffer_write(d->session.device, buffer, 0, bytes, memory_bytes()), "write"))
		return false;
	*rate = (double)memory_bytes() / (bench_now() - from);
	if (!bench_ok(vyre_buffer_read(d->session.device, buffer, 0, back, memory_bytes()), "read"))
		return false;
	return memcmp(bytes, back, memory_bytes()) == 0 || bench_fail("what was written reads back differently");
}

static void measure_copies(struct bench_device *d)
{
	struct bench_row row = {.name = "copy.to_device",
				.unit = "GB/s",
				.floor_is = bench_is_gpu() ? "the driver's copy from pinned memory" : "memcpy",
				.correct = true,
				.note = "vyre_buffer_write of memory that is not pinned"};
	double floor[BENCH_ROUNDS], ours[BENCH_ROUNDS];
	uint8_t *bytes = malloc(memory_bytes()), *back = malloc(memory_bytes());
	vyre_buffer buffer = 0;
	bool good = bytes && back;

	bench_guard(row.name);
	for (uint64_t i = 0; good && i < memory_bytes(); i++)
		bytes[i] = (uint8_t)(i * 131 >> 3);
	good = good &&
	       bench_ok(vyre_buffer_create(d->session.device, memory_bytes(), &buffer), "a buffer to copy to") &&
	       write_buffer(d, buffer, bytes, back, ours); /* the pages are there */
	for (unsigned round = 0; round < bench_options.rounds && good; round++)
		good = d->fns->copy_in(d->floor, memory_bytes(), &floor[round]) &&
		       write_buffer(d, buffer, bytes, back, &ours[round]);
	if (buffer)
		(void)vyre_buffer_destroy(d->session.device, buffer);
	free(bytes);
	free(back);
	if (!good) {
		bench_report_failed(row.name, bench_why());
		bench_forgive();
		return;
	}
	row.floor = bench_median(floor, bench_options.rounds) * 1e-9;
	row.ours = bench_median(ours, bench_options.rounds) * 1e-9;
	bench_report(&row);
}

/* From the blob's bytes to a ring that has run a slot; device and buffers are there. */
static bool load_ring(struct bench_device *d, double *seconds)
{
	double from;

	vyre_blob_close(d->session.blob);
	from = bench_now();
	d->session.blob = bench_blob_open(BENCH_BLOB_device);
	if (!bench_session_ring(&d->session, 4096, bench_ring_workers(1)))
		return false;
	*seconds = bench_now() - from;
	return bench_session_ring_close(&d->session);
}

static void measure_loading(struct bench_device *d)
{
	struct bench_row row = {.name = "load.ready_ring",
				.unit = "ms",
				.floor_is = "",
				.goal_kind = bench_is_gpu() ? BENCH_AT_MOST : BENCH_NO_GOAL,
				.goal = 2,
				.correct = true};
	double module[BENCH_ROUNDS], ring[BENCH_ROUNDS];
	bool good = true;

	bench_guard("loading");
	for (unsigned round = 0; round < bench_options.rounds && good; round++)
		good = (!d->fns->load_module || d->fns->load_module(d->floor, BENCH_BLOB_device, &module[round])) &&
		       load_ring(d, &ring[round]);
	if (!good) {
		bench_report_failed(row.name, bench_why());
		bench_forgive();
		return;
	}
	if (d->fns->load_module)
		report_floor("load.module", "ms", module, 1e3, "the driver alone, the same image", 1);
	else
		bench_report_left_out("load.module", "this device has no driver that loads modules");
	row.ours = bench_median(ring, bench_options.rounds) * 1e3;
	snprintf(row.note, sizeof row.note, "from the blob to the first slot's end; %s",
		 bench_session_picked(&d->session));
	bench_report(&row);
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

/* A GPU that has had nothing to do runs at a fraction of its clock. */
static bool warm_up(struct bench_device *d)
{
	double end = bench_now() + 0.3, seconds;
	bool good = true;

	while (good && bench_is_gpu() && !bench_options.quick && bench_now() < end)
		good = d->fns->launch(d->floor, BENCH_LAUNCH_QUEUED, false, 0, MANY, &seconds);
	return good;
}

bool bench_device_open(struct bench_device *d)
{
	struct vyre_device_info info;
	char driver[160];

	memset(d, 0, sizeof *d);
	d->fns = bench_floor_of(bench_options.device);
	bench_guard("opening the device");
	bench_found()->has_no_device = true; /* as long as it hangs, too */
	if (!bench_session_open(&d->session, memory_bytes()) || !d->fns->open(&d->floor, bench_options.device)) {
		bench_report_device(bench_options.device, "not opened");
		bench_report_failed("device", bench_why());
		bench_forgive();
		bench_session_close(&d->session);
		return false;
	}
	bench_found()->has_no_device = false;
	vyre_device_get_info(d->session.device, &info);
	d->fns->describe(d->floor, driver, sizeof driver);
	bench_report_device(info.name, driver);
	if (!warm_up(d)) {
		bench_report_failed("device.warm_up", bench_why());
		bench_forgive();
	}
	return true;
}

void bench_device_close(struct bench_device *d)
{
	bench_guard("closing the device");
	d->fns->close(d->floor);
	bench_session_close(&d->session);
	bench_guard(NULL);
}

static void measure_launches(struct bench_device *d)
{
#define X(name, row, text) measure_launch(d, BENCH_LAUNCH_##name, row, text);
	BENCH_LAUNCH_LIST(X)
#undef X
}

static void measure_reads(struct bench_device *d)
{
	measure_rate(d, "read.in_place", "memory of the host, read by the device", d->fns->read_in_place,
		     &bench_found()->read_rate);
	measure_rate(d, "read.device", "memory of the device", d->fns->read_device, NULL);
}

static unsigned groups_ran;

void bench_run_groups(const struct bench_group *groups, unsigned count)
{
	for (unsigned i = 0; i < count && !bench_found()->has_no_device; i++) {
		if (bench_options.only && !strstr(groups[i].name, bench_options.only))
			continue;
		bench_run_apart(&groups[i]);
		groups_ran++;
	}
}

unsigned bench_groups_ran(void)
{
	return groups_ran;
}

void bench_device(void)
{
	static const struct bench_group groups[] = {{"launch", measure_launches}, {"trip", measure_trips},
						    {"read", measure_reads},	  {"rate", bench_rates},
						    {"copy", measure_copies},	  {"load", measure_loading}};

	bench_run_groups(groups, sizeof groups / sizeof *groups);
}
