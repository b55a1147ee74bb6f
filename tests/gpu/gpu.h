/* gpu.h - what the programs of tests/gpu share: a row a test, a process a test, and a ring with its buffers.
 *
 * A test is a function that returns when it has passed. It ends otherwise through CHECK or gpu_skip, and its process with
 * it: whatever it left running on the device ends with the process, so no test needs a way to clean up after a failure.
 */
#ifndef VYRE_TESTS_GPU_H
#define VYRE_TESTS_GPU_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/vyre.h"

struct gpu_options {
	const char *device; /* as vyre_device_open takes it */
	const char *folder; /* blobs and sources */
	uint64_t slots;	    /* how many a long test publishes */
};

/*   name           seconds  what */
#define GPU_TESTS(X) \
	X(device,        30, "the device opens, and has a slice of every blob") \
	X(buffers,       30, "bytes come back as they were written; mapped, bound and moved ones too") \
	X(results,       60, "every result word of every slot, from several threads") \
	X(sizes,         60, "rings of 2 to 65,536 slots, around the end of the position counter") \
	X(stress,       300, "publishers, tickets, batches, tenants masked all the while: each slot runs once") \
	X(detached,     120, "one publisher, batches, no tickets: sums and counters are exact") \
	X(faults,        60, "traps, bounds, unknown opcodes, each with its code and detail") \
	X(masks,        120, "a mask is in force before what is published after it, and delays nobody else") \
	X(quotas,        60, "no more slots of a tenant at once than its quota") \
	X(cancel,        60, "parked slots end as cancelled; running and ended ones do not") \
	X(idle,          60, "the kernel leaves, and comes back for the next slot") \
	X(drain,         60, "a stop that drains: everything published has run") \
	X(stop,          60, "a stop at once: each slot has run or is cancelled, none half") \
	X(rings,        120, "several rings of one device at the same time") \
	X(wide,          60, "handlers by workgroup: shared arrays, barriers, reductions, traps; mixed with others") \
	X(logs,          30, "debug records, dropped ones counted") \
	X(beside,        60, "dispatches and copies while a ring's kernel is resident") \
	X(beside_memory, 60, "... and buffers made and given back") \
	X(beside_load,   60, "... and kernels loaded and given back") \
	X(stream,       120, "a file through the ring, every byte seen by a handler") \
	X(torn_waits,   120, "lone slots, one after the other: no slot runs with another one's words") \
	X(torn_races,   180, "lone slots as fast as a publisher can, small rings") \
	X(torn_many,    180, "the same from several publishers, under changes of configuration")
#define X(name, seconds, text) void gpu_test_##name(const struct gpu_options *options);
GPU_TESTS(X)
#undef X

/* conformance.c: a file of the corpus; `path` without its ending names source and blob. */
void gpu_test_conformance(const struct gpu_options *options, const char *path);

/* ---- how a test ends --------------------------------------------------------------------------------------------------- */

_Noreturn __attribute__((format(printf, 3, 4))) void gpu_fail(const char *file, int line, const char *format, ...);
_Noreturn __attribute__((format(printf, 1, 2))) void gpu_skip(const char *format, ...);
/* What stands behind the test's name when it has passed. */
__attribute__((format(printf, 1, 2))) void gpu_note(const char *format, ...);
/* What the test is about to do: said of one that did not come to its end. */
__attribute__((format(printf, 1, 2))) void gpu_step(const char *format, ...);
/* last_words.c: a process that is told to end says first what hangs. Rings that are made from here on are among it. */
void gpu_keep_last_words(void);
void gpu_ring_opened(struct vyre_ring *ring);
void gpu_ring_closes(struct vyre_ring *ring);
/* The device's name, for the report. */
void gpu_tell_device(const struct vyre_device_info *info);

#define CHECK(condition, ...) ((condition) ? (void)0 : gpu_fail(__FILE__, __LINE__, __VA_ARGS__))
/* A status that must be this one. */
#define STATUS(call, want) gpu_expect_status(__FILE__, __LINE__, #call, call, want)
#define OK(call) STATUS(call, VYRE_OK)
void gpu_expect_status(const char *file, int line, const char *call, vyre_status have, vyre_status want);
#define EQUAL(have, want) gpu_expect_equal(__FILE__, __LINE__, #have, have, want)
void gpu_expect_equal(const char *file, int line, const char *what, uint64_t have, uint64_t want);

/* ---- a blob's set on the device ---------------------------------------------------------------------------------------- */

enum { GPU_USUAL_SLOTS = 2000000, GPU_BUFFERS = 8, GPU_SECOND = 1000000000 };
#define GPU_SECONDS(n) ((uint64_t)(n)*GPU_SECOND)

struct gpu_rig {
	struct vyre_device *device;
	bool shares_device; /* it is another rig's */
	struct vyre_blob *blob;
	struct vyre_kernel *kernel;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher; /* tenant 0's */
	struct gpu_buffer {
		const char *name; /* NULL ends the list */
		uint64_t words;
		uint32_t *map; /* in: not NULL = map it; out: its words, where it is mapped */
		vyre_buffer buffer;
	} buffers[GPU_BUFFERS];
};

struct vyre_device *gpu_open_device(const struct gpu_options *options);
struct vyre_blob *gpu_open_blob(const struct gpu_options *options, const char *name);
/* Device (NULL = one of its own), blob, the listed buffers, kernel of a unit (NULL = the only one). */
void gpu_rig_open(struct gpu_rig *rig, const struct gpu_options *options, struct vyre_device *device, const char *blob,
		  const char *unit, const struct gpu_buffer *buffers);
/* A test's own number of turns, where --slots asks for fewer than usual: a tenth of it at least. */
uint32_t gpu_turns(const struct gpu_options *options, uint32_t usual);
/* params.kernel is the rig's; first_position 0 becomes one just below the counters' end. */
void gpu_rig_start(struct gpu_rig *rig, struct vyre_ring_params params);
/* Stops with everything done, and closes. */
void gpu_rig_end(struct gpu_rig *rig);
/* Counts when every published slot has been counted as retired: a batch is counted after its slots have ended, and a drain
 * waits for those. */
void gpu_rig_stats(struct gpu_rig *rig, struct vyre_ring_stats *stats);
void gpu_rig_close(struct gpu_rig *rig);
/* The words of a buffer as they are now. */
uint32_t *gpu_rig_read(struct gpu_rig *rig, const char *name, uint64_t *words);
uint32_t gpu_rig_word(struct gpu_rig *rig, const char *name, uint64_t word);
#define GPU_MAPPED ((uint32_t *)1)

struct vyre_slot gpu_slot(uint32_t opcode, uint32_t count, uint32_t a, uint32_t b);
vyre_ticket gpu_publish(struct vyre_publisher *publisher, uint32_t opcode, uint32_t count, uint32_t a, uint32_t b);
void gpu_wait(struct gpu_rig *rig, vyre_ticket ticket, struct vyre_result *result);
uint32_t gpu_random(uint64_t *state);
void gpu_sleep(uint64_t ns);
/* Until *word, written by the device, is at least `value`; the watchdog ends it otherwise. */
void gpu_wait_word(const uint32_t *word, uint32_t value);
void gpu_set_word(uint32_t *word, uint32_t value);

#endif
