/* bench.h - what the benchmarks share: rows, clocks, pinned threads, the opened ring.
 *
 * A benchmark measures a floor (what the machine allows, or plain C) and ours, in turns in one run (floor, ours, floor,
 * ours, ...), takes the medians, and reports the ratio. Every benchmark also checks that what it timed gave the right
 * answer; a wrong answer is a failed run, a missed goal is only a line in the table.
 */
#ifndef VYRE_BENCH_H
#define VYRE_BENCH_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/vyre.h"

enum { BENCH_ROUNDS = 7, BENCH_PUBLISHER_CPU = 0, BENCH_WORKER_CPU = 1 };

/* One line of the table. ratio = ours / floor; `goal` bounds the ratio, or ours itself where there is no floor. */
struct bench_row {
	const char *name, *unit;
	double floor, ours; /* floor 0 = none */
	const char *floor_is;
	enum { BENCH_NO_GOAL, BENCH_AT_MOST, BENCH_AT_LEAST } goal_kind;
	double goal;
	bool correct;
	char note[400];
};
void bench_report(const struct bench_row *row);

/* A benchmark reports its rows; one row of the table in main.c each. */
void bench_ring(void);
void bench_publish(void);
void bench_shapes(void);
void bench_stream(void);
void bench_code(void);
void bench_compile(void);
void bench_size(void);

double bench_now(void); /* seconds */
void bench_pin(int cpu);
void bench_unpin(void); /* before a ring is made: VYRE_RING_PIN counts among the processors that this thread may use */
double bench_median(double *values, unsigned count); /* sorts them */
double bench_percentile(const double *sorted, unsigned count, double percent);
/* Ends the run with the loader's sentence unless the status is OK. */
void bench_check(vyre_status status, const char *what);
void bench_die(const char *what, const char *why);

/* The bench set (bench.vyre) on the cpu device: a stream buffer, the CRC table, a sink. */
struct bench_set {
	struct vyre_blob *blob;
	struct vyre_device *device;
	struct vyre_kernel *kernel;
	vyre_buffer text, table, sink;
	uint8_t *text_bytes;   /* mapped */
	uint32_t *sink_words;  /* mapped, BENCH_SINK_WORDS */
	uint32_t *table_words; /* mapped, 256 */
	uint32_t add3, first_word, count_byte, crc32;
};
enum { BENCH_SINK_WORDS = 1024 };
void bench_set_open(struct bench_set *set, const char *blob_path, uint64_t text_bytes);
void bench_set_close(struct bench_set *set);

/* A ring of the set with one pinned worker that never sleeps, and a publisher. */
struct bench_ring_pair {
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
};
void bench_ring_open(struct bench_ring_pair *pair, struct bench_set *set, uint32_t slots);
void bench_ring_close(struct bench_ring_pair *pair);

/* ---- floors (floor.c): the ring that one would write by hand for one handler ------------------------------------------ */

struct bench_ring_times {
	double p50, p99;       /* seconds, one slot there and back */
	double status_rate;    /* slots a second, a status word in every slot */
	double doorbell_rate;  /* slots a second, one tail and one count, batches of 64 */
	bool correct;
};
void bench_floor_ring(struct bench_ring_times *times, unsigned round_trips, unsigned slots);

#endif
