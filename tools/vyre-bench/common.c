/* common.c - clocks, medians, pinned threads, failures, and the bench set opened on the cpu device. */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

double bench_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The processors that this process was given, read before anybody is pinned. */
static cpu_set_t allowed;
static pthread_once_t allowed_once = PTHREAD_ONCE_INIT;

static void read_allowed(void)
{
	if (sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) == 0)
		memset(&allowed, 0xff, sizeof allowed);
}

unsigned bench_processors(void)
{
	pthread_once(&allowed_once, read_allowed);
	return (unsigned)CPU_COUNT(&allowed);
}

void bench_pin(int cpu)
{
	unsigned left = (unsigned)cpu % bench_processors();
	cpu_set_t set;

	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed) && left-- == 0) {
			CPU_ZERO(&set);
			CPU_SET(i, &set);
			sched_setaffinity(0, sizeof set, &set);
			return;
		}
}

void bench_unpin(void)
{
	bench_processors();
	sched_setaffinity(0, sizeof allowed, &allowed);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double bench_median(double *values, unsigned count)
{
	qsort(values, count, sizeof *values, compare);
	return bench_percentile(values, count, 50);
}

double bench_percentile(const double *sorted, unsigned count, double percent)
{
	return sorted[(unsigned)((count - 1) * percent / 100)];
}

/* ---- failures ---------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t why_lock = PTHREAD_MUTEX_INITIALIZER;
static char why[400];

void bench_die(const char *what, const char *reason)
{
	char sentence[800];

	snprintf(sentence, sizeof sentence, "%s: %s", what, reason);
	fprintf(stderr, "vyre-bench: %s\n", sentence);
	(void)bench_report_end(sentence);
	fflush(stdout);
	_exit(1); /* a driver's own handlers would wait for its device */
}

bool bench_fail(const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&why_lock);
	if (!*why) {
		va_start(args, format);
		vsnprintf(why, sizeof why, format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&why_lock);
	return false;
}

bool bench_ok(vyre_status status, const char *what)
{
	return status == VYRE_OK || bench_fail("%s: %s: %s", what, vyre_status_name(status), vyre_last_error());
}

const char *bench_why(void)
{
	return *why ? why : "no reason was given";
}

void bench_forgive(void)
{
	pthread_mutex_lock(&why_lock);
	*why = 0;
	pthread_mutex_unlock(&why_lock);
}

/* ---- the bench set ----------------------------------------------------------------------------------------------------- */

void bench_check(vyre_status status, const char *what)
{
	if (status != VYRE_OK)
		bench_die(what, vyre_last_error());
}

static uint32_t find_op(const struct bench_set *set, const char *name)
{
	const struct vyre_blob_op *op = vyre_blob_find_op(set->blob, NULL, name);

	if (!op)
		bench_die(name, "the bench blob lacks this op");
	return op->opcode;
}

static vyre_buffer make_buffer(struct bench_set *set, uint64_t bytes, void *mapped)
{
	vyre_buffer buffer;

	bench_check(vyre_buffer_create(set->device, bytes, &buffer), "buffer");
	bench_check(vyre_buffer_map(set->device, buffer, mapped), "map");
	return buffer;
}

void bench_set_open(struct bench_set *set, enum bench_blob blob, uint64_t text_bytes)
{
	void *text, *table, *sink;

	set->blob = bench_blob_open(blob);
	bench_check(vyre_device_open("cpu", &set->device), "device");
	set->text = make_buffer(set, text_bytes, &text);
	set->table = make_buffer(set, 256 * sizeof(uint32_t), &table);
	set->sink = make_buffer(set, BENCH_SINK_WORDS * sizeof(uint32_t), &sink);
	set->text_bytes = text, set->table_words = table, set->sink_words = sink;

	struct vyre_binding bindings[] = {{"text", set->text}, {"table", set->table}, {"sink", set->sink}};
	struct vyre_kernel_params kernel = {.blob = set->blob, .bindings = bindings, .binding_count = 3};
	bench_check(vyre_kernel_create(set->device, &kernel, &set->kernel), "kernel");
	set->add3 = find_op(set, "add3");
	set->first_word = find_op(set, "first_word");
	set->count_byte = find_op(set, "count_byte");
	set->crc32 = find_op(set, "crc32");
}

void bench_set_close(struct bench_set *set)
{
	vyre_kernel_destroy(set->kernel);
	bench_check(vyre_buffer_destroy(set->device, set->sink), "sink");
	bench_check(vyre_buffer_destroy(set->device, set->table), "table");
	bench_check(vyre_buffer_destroy(set->device, set->text), "text");
	vyre_device_close(set->device);
	vyre_blob_close(set->blob);
}

void bench_ring_open(struct bench_ring_pair *pair, struct bench_set *set, uint32_t slots)
{
	struct vyre_ring_params params = {
	    .kernel = set->kernel,
	    .slots = slots,
	    .workers = 1,
	    .idle_ns = VYRE_FOREVER,
	    .flags = VYRE_RING_PIN,
	};
	struct vyre_slot slot = {.opcode = set->first_word, .priority = VYRE_PRIORITY_NORMAL, .arg_count = 1};
	vyre_ticket ticket;

	bench_unpin(); /* VYRE_RING_PIN counts among the processors that this thread may use: worker 0 gets processor 1 */
	bench_check(vyre_ring_create(&params, &pair->ring), "ring");
	bench_pin(BENCH_PUBLISHER_CPU);
	bench_check(vyre_publisher_create(pair->ring, 0, &pair->publisher), "publisher");
	/* One slot first: the worker's thread has started when it is done. */
	bench_check(vyre_publish(pair->publisher, &slot, 1, 0, 0, &ticket), "first slot");
	bench_check(vyre_wait(pair->ring, ticket, VYRE_FOREVER, NULL), "first slot");
}

void bench_ring_close(struct bench_ring_pair *pair)
{
	bench_check(vyre_ring_stop(pair->ring, 1, VYRE_FOREVER), "stop");
	vyre_publisher_destroy(pair->publisher);
	vyre_ring_destroy(pair->ring);
}
