/* scan_rig.h - a scanning feed under test: a set compiled once, its buffers between guard pages, run on the interpreter
 * at any number of lanes or natively with a thread a worker.
 *
 * A buffer ends less than 64 bytes before a page that cannot be touched; what is left in front and behind holds a pattern
 * that scan_close checks.
 */
#ifndef VYRE_TESTS_SCAN_RIG_H
#define VYRE_TESTS_SCAN_RIG_H
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/queue.h"
#include "runtime/abi/ring.h"
#include "tests/codegen/image.h"

enum { SCAN_PAGE = 4096, SCAN_BUFFERS = 12, SCAN_OBSERVABLES = 32, SCAN_WORKERS = 8, SCAN_PATTERN = 0x5A };

/* Where a program runs. */
struct scan_machine {
	const char *name;
	uint32_t lanes, workgroups;
	uint64_t seed;
	bool native;
};
#define SCAN_MACHINES \
	{"interpreter, 1 worker", 1, 1, 0, false}, {"interpreter, 2 workers", 1, 2, 3, false}, \
	    {"interpreter, 3 workers", 1, 3, 7, false}, {"interpreter, 4 lanes", 4, 1, 11, false}, \
	    {"interpreter, 4 lanes, 3 workgroups", 4, 3, 13, false}, \
	    {"interpreter, 256 lanes", 256, 1, 17, false}, {"cpu, 1 worker", 1, 1, 0, true}, \
	    {"cpu, 2 workers", 1, 2, 0, true}, {"cpu, 3 workers", 1, 3, 0, true}

struct scan_buffer {
	char name[32];
	char *map;
	size_t map_bytes, bytes, at;
	uint32_t *words;
};

struct scan {
	const struct scan_machine *machine;
	struct vyrec_module *module;
	struct vyrec_slice slice;
	struct mapped image;
	struct scan_buffer buffers[SCAN_BUFFERS];
	uint32_t buffer_count, slots, workers;
	uint32_t *control, *ring, *debug, *io, *launch, *frames;
	struct vyrec_interp_result result;
	uint64_t runs;
};

static inline uint32_t *scan_buffer_make(struct scan *s, const char *name, size_t words)
{
	struct scan_buffer *b = &s->buffers[s->buffer_count++];
	assert_true(s->buffer_count <= SCAN_BUFFERS);
	snprintf(b->name, sizeof b->name, "%s", name);
	b->bytes = words * 4;
	b->map_bytes = (b->bytes + 63 + SCAN_PAGE - 1) / SCAN_PAGE * SCAN_PAGE;
	b->map = mmap(NULL, b->map_bytes + 2 * SCAN_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(b->map != MAP_FAILED);
	assert_int_equal(mprotect(b->map + SCAN_PAGE, b->map_bytes, PROT_READ | PROT_WRITE), 0);
	memset(b->map + SCAN_PAGE, SCAN_PATTERN, b->map_bytes);
	b->at = SCAN_PAGE + b->map_bytes - (b->bytes + 63) / 64 * 64;
	b->words = (uint32_t *)(void *)(b->map + b->at);
	memset(b->words, 0, b->bytes);
	return b->words;
}

static inline struct scan_buffer *scan_buffer_find(struct scan *s, const char *name)
{
	for (uint32_t i = 0; i < s->buffer_count; i++)
		if (!strcmp(s->buffers[i].name, name))
			return &s->buffers[i];
	fail_msg("no buffer %s", name);
	return NULL;
}

static inline void scan_compile(struct scan *s, const char *text, unsigned feed, unsigned features)
{
	struct vyrec_diags diags = {0};
	struct vyrec_pass_options options = {.feed = feed,
					     .features = features,
					     .lanes = s->machine->lanes,
					     .one_lane = s->machine->lanes == 1,
					     .level = s->machine->native ? 2 : 1};
	s->module = vyrec_parse("scan.vyre", text, strlen(text), &diags);
	bool ok = s->module && vyrec_verify(s->module, &diags) &&
		  vyrec_run_pipeline(s->module, &options, &diags, NULL);
	if (ok && s->machine->native) {
		const struct vyrec_target *target = vyrec_target_find("x86-64-v2");
		ok = vyrec_codegen(s->module, target, &(struct vyrec_codegen_options){.level = 2}, &s->slice, &diags) &&
		     image_map(&s->slice, &s->image);
	}
	if (!ok) {
		vyrec_diags_print(&diags, "scan.vyre", text, strlen(text), stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
}

/* Compiles the set and makes the feed's buffers. The set's own are made with scan_buffer_make. */
static inline void scan_open(struct scan *s, const struct scan_machine *machine, const char *text, unsigned feed,
			     unsigned features, uint32_t slots)
{
	memset(s, 0, sizeof *s);
	s->machine = machine;
	s->slots = slots;
	s->workers = machine->lanes * machine->workgroups;
	scan_compile(s, text, feed, features);
	s->control = scan_buffer_make(s, "control", vyre_live_base(SCAN_OBSERVABLES) + VYRE_LIVE_WORDS);
	s->ring = scan_buffer_make(s, "ring_buffer", (size_t)slots * VYRE_SLOT_WORDS);
	s->debug = scan_buffer_make(s, "debug_log", VYRE_DEBUG_WORDS);
	s->io = scan_buffer_make(s, "io_queue", VYRE_IO_WORDS);
	s->launch = scan_buffer_make(s, "launch", VYRE_LAUNCH_WORDS);
	if (s->module->units[1].features & VYRE_HAS_RECORDS) {
		uint32_t words = s->module->units[1].frame_words;
		s->frames = scan_buffer_make(s, "frames", vyre_frames_words(slots, slots, words));
		vyre_frames_encode(s->frames, slots, slots, words);
	}
	vyre_control_encode_live(s->control, 3, SCAN_OBSERVABLES, slots);
}

static inline void scan_close(struct scan *s)
{
	for (uint32_t i = 0; i < s->buffer_count; i++) {
		struct scan_buffer *b = &s->buffers[i];
		for (size_t k = SCAN_PAGE; k < SCAN_PAGE + b->map_bytes; k++)
			if ((k < b->at || k >= b->at + b->bytes) && b->map[k] != SCAN_PATTERN)
				fail_msg("%s: byte %td beside buffer %s was written", s->machine->name,
					 (ptrdiff_t)k - (ptrdiff_t)b->at, b->name);
		munmap(b->map, b->map_bytes + 2 * SCAN_PAGE);
	}
	if (s->machine->native) {
		image_unmap(&s->image);
		vyrec_slice_finish(&s->slice);
	}
	vyrec_module_destroy(s->module);
}

static inline uint32_t *scan_slot(struct scan *s, uint32_t index)
{
	return s->ring + (size_t)index * VYRE_SLOT_WORDS;
}

static inline uint32_t scan_record(struct scan *s, uint32_t index, unsigned word)
{
	return s->frames[VYRE_FRAMES_HEADER_WORDS + index * VYRE_RECORD_WORDS + word];
}

static inline uint32_t scan_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)(z >> 32);
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static inline void scan_interpret(struct scan *s)
{
	struct vyrec_interp_buffer buffers[SCAN_BUFFERS];
	struct vyrec_interp_options options = {
	    .seed = s->machine->seed + s->runs, .step_limit = 40000000, .detect_races = true};
	const uint32_t workgroups[3] = {s->machine->workgroups, 1, 1};
	for (uint32_t i = 0; i < s->buffer_count; i++)
		buffers[i] = (struct vyrec_interp_buffer){s->buffers[i].name, s->buffers[i].words,
							  s->buffers[i].bytes / 4};
	vyrec_interp_program(s->module, 1, workgroups, buffers, s->buffer_count, &options, &s->result);
	if (s->result.status != VYRE_OK)
		fail_msg("%s: %s", s->machine->name, s->result.message);
	if (s->result.race_count)
		fail_msg("%s: %u races, the first between lines %u and %u", s->machine->name, s->result.race_count,
			 VYREC_LOC_LINE(s->result.races[0].first), VYREC_LOC_LINE(s->result.races[0].second));
}

struct scan_thread {
	pthread_t thread;
	vyre_cpu_entry entry;
	struct vyre_cpu_launch launch;
};

static inline void *scan_thread_run(void *argument)
{
	struct scan_thread *t = argument;
	t->entry(&t->launch);
	return NULL;
}

struct scan_native {
	struct vyre_cpu_buffer buffers[SCAN_BUFFERS];
	struct scan_thread threads[SCAN_WORKERS];
};

/* Starts a thread a worker; `join` ends them. In between the test may be the host. */
static inline void scan_start(struct scan *s, struct scan_native *n)
{
	const struct vyrec_unit_node *unit = &s->module->units[1];
	uint32_t count = 0;
	vyre_cpu_entry entry;
	void *address = s->image.base + s->slice.entries[0];
	memcpy(&entry, &address, sizeof entry);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &s->module->refs[unit->items + 2 * i];
		if (item[0] != VYREC_ITEM_BUFFER)
			continue;
		struct scan_buffer *b =
		    scan_buffer_find(s, vyrec_name_text(s->module, s->module->arrays[item[1]].name));
		n->buffers[count++] = (struct vyre_cpu_buffer){b->words, b->bytes / 4};
	}
	for (uint32_t i = 0; i < s->workers; i++) {
		struct scan_thread *t = &n->threads[i];
		*t = (struct scan_thread){.entry = entry,
					  .launch = {.workgroup = {i, 0, 0},
						     .workgroups = {s->workers, 1, 1},
						     .buffer_count = count,
						     .buffers = n->buffers}};
		assert_int_equal(pthread_create(&t->thread, NULL, scan_thread_run, t), 0);
	}
}

static inline void scan_join(struct scan *s, struct scan_native *n)
{
	for (uint32_t i = 0; i < s->workers; i++) {
		pthread_join(n->threads[i].thread, NULL);
		assert_int_equal(n->threads[i].launch.trap_code, 0);
	}
}

/* Does the word take the value while the kernel runs? */
static inline bool scan_comes(const uint32_t *word, uint32_t value)
{
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 20);
	return false;
}

/* One launch, to its end. */
static inline void scan_run(struct scan *s, uint32_t round_limit, uint32_t idle_limit)
{
	s->launch[VYRE_LAUNCH_ROUND_LIMIT] = round_limit;
	s->launch[VYRE_LAUNCH_IDLE_LIMIT] = idle_limit;
	s->launch[VYRE_LAUNCH_WORKERS] = s->workers;
	if (s->machine->native) {
		struct scan_native native;
		scan_start(s, &native);
		scan_join(s, &native);
	} else {
		scan_interpret(s);
	}
	s->runs++;
}

/* Runs the test's body on every machine. */
#define SCAN_ON_EVERY_MACHINE(machine) \
	static const struct scan_machine scan_machines_[] = {SCAN_MACHINES}; \
	for (const struct scan_machine *machine = scan_machines_; \
	     machine < scan_machines_ + sizeof scan_machines_ / sizeof *scan_machines_; machine++)

#endif
