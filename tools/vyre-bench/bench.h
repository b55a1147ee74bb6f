/* bench.h - what the benchmarks share: options, rows, clocks, pinned threads, the guard, blobs, the opened ring.
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

/* What the command line says. */
struct bench_options {
	bool quick;                /* tiny counts and one round: a test of the program, no measurement */
	unsigned rounds;           /* at most BENCH_ROUNDS */
	double limit;              /* seconds that a row, or a few rows of a kind, may take */
	unsigned workers;          /* of rings on a GPU; 0 = as many as the loader takes */
	const char *only;          /* groups of rows whose name holds this text */
	const char *device;        /* "cpu", "cuda", "cuda:1" */
	const char *date, *commit; /* as the caller gives them, for the JSON; NULL = not given */
};
extern struct bench_options bench_options;

/* ---- rows (report.c) --------------------------------------------------------------------------------------------------- */

/* One line of the table. ratio = ours / floor; `goal` bounds the ratio, or ours itself where there is no floor. */
struct bench_row {
	const char *name, *unit;
	double floor, ours; /* floor 0 = none; ours NAN = none: a floor by itself */
	const char *floor_is;
	enum { BENCH_NO_GOAL, BENCH_AT_MOST, BENCH_AT_LEAST } goal_kind;
	double goal;
	bool correct;
	char note[400];
};
/* A row that is the median of bench_options.rounds, and one that is made of `samples`. */
void bench_report(const struct bench_row *row);
void bench_report_samples(const struct bench_row *row, unsigned samples);
/* A row that is not measured here, and one whose measurement failed: why, in the words of bench_fail. */
void bench_report_left_out(const char *name, const char *why);
void bench_report_failed(const char *name, const char *why);
void bench_report_begin(bool table, const char *json_path); /* "-" = standard output, NULL = none */
/* What the rows from here on are of; before the first of them. */
void bench_report_device(const char *name, const char *driver);
/* Writes the JSON as it is now; `error`, if not NULL, is why the run ended early. False if it could not be written. */
bool bench_report_save(const char *error);
/* For the last time. False if it could not be written, or a row was wrong. */
bool bench_report_end(const char *error);
/* From here on rows go through a pipe, as those of a group. The other end's: one more of them, false = there are no more. */
void bench_report_to(const char *group, int pipe);
void bench_report_said_all(void);
bool bench_report_take(int pipe, bool *said_all);

/* ---- clocks, processors, failures (common.c) --------------------------------------------------------------------------- */

double bench_now(void); /* seconds */
unsigned bench_processors(void); /* that this process may use */
void bench_pin(int cpu); /* to the cpu-th of those, modulo their number */
void bench_unpin(void); /* before a ring is made: VYRE_RING_PIN counts among the processors that this thread may use */
double bench_median(double *values, unsigned count); /* sorts them */
double bench_percentile(const double *sorted, unsigned count, double percent);
static inline unsigned bench_count(unsigned full, unsigned quick) { return bench_options.quick ? quick : full; }
/* Between looks at a word that another processor writes: without it the looks keep the line from its writer. */
static inline void bench_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
/* Ends the process with the loader's sentence unless the status is OK; with a row where it is a group's. */
void bench_check(vyre_status status, const char *what);
_Noreturn void bench_die(const char *what, const char *why);
/* The sentence that goes with a false answer; one for all threads, the first after bench_forgive() stays. */
__attribute__((format(printf, 1, 2))) bool bench_fail(const char *format, ...);
bool bench_ok(vyre_status status, const char *what); /* false and the loader's sentence unless OK */
const char *bench_why(void);
void bench_forgive(void);

/* ---- guard (guard.c): what takes longer ends the process, with a row that says so and where its threads stand ------------ */

/* Until the next call, `what` has bench_options.limit seconds; NULL = as long as it takes. Drivers have calls that no timeout
 * reaches. */
void bench_guard(const char *what);
/* Is enough of them left to begin something as long as what there was? */
bool bench_has_time(void);

/* ---- blobs (blobs.c): in the program itself, so that it can be copied alone --------------------------------------------- */

#define BENCH_BLOB_LIST(X) \
	X(bench) X(bench_unchecked) X(shapes) X(feed_slots) X(feed_builtins) X(feed_fused) X(feed_priority) X(feed_tasks) \
	X(device) X(floor)
enum bench_blob {
#define X(name) BENCH_BLOB_##name,
	BENCH_BLOB_LIST(X)
#undef X
};
const uint8_t *bench_blob_bytes(enum bench_blob blob, uint64_t *bytes);
struct vyre_blob *bench_blob_open(enum bench_blob blob); /* dies where it does not open */

/* ---- the benchmarks: one row of the table in main.c each ----------------------------------------------------------------- */

void bench_device(void);
void bench_crossover(void);
void bench_ring(void);
void bench_publish(void);
void bench_shapes(void);
void bench_stream(void);
void bench_code(void);
void bench_compile(void);
void bench_size(void);

/* ---- the bench set (bench.vyre) on the cpu device: a stream buffer, the CRC table, a sink --------------------------------- */

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
void bench_set_open(struct bench_set *set, enum bench_blob blob, uint64_t text_bytes);
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
