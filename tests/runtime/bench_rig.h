/* bench_rig.h - one device, one kernel of the reference set, one ring, for the ring tests. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc.h"
#include "kernel.h"
#include "reference_kernel.h"
#include "test_blob.h"
#include "vyre.h"

enum { BENCH_MARKS = 1 << 16, BENCH_GATES = 16 };
#ifndef BENCH_DEVICE
#define BENCH_DEVICE "cpu"
#endif

struct bench {
	struct vyre_device *device;
	struct vyre_blob *blob;
	vyre_buffer marks, gate;
	uint32_t *mark_words, *gate_words;
	struct vyre_kernel *kernel;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
};

/* The kernel of a blob in malloc'ed memory; linked: a function of this process instead of the blob's code. */
static inline void bench_open_blob(struct bench *b, uint8_t *bytes, uint64_t size, vyre_cpu_entry linked,
				   uint64_t marks)
{
	struct vyre_binding bindings[] = {{"marks", 0}, {"gate", 0}};
	struct vyre_kernel_params params = {.unit = "reference", .bindings = bindings, .binding_count = 2};
	void *map;

	memset(b, 0, sizeof(*b));
	assert_int_equal(vyre_blob_open(bytes, size, &b->blob), VYRE_OK);
	free(bytes);
	assert_int_equal(vyre_device_open(BENCH_DEVICE, &b->device), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, 4 * marks, &b->marks), VYRE_OK);
	assert_int_equal(vyre_buffer_create(b->device, 4 * BENCH_GATES, &b->gate), VYRE_OK);
	assert_int_equal(vyre_buffer_map(b->device, b->marks, &map), VYRE_OK);
	b->mark_words = map;
	assert_int_equal(vyre_buffer_map(b->device, b->gate, &map), VYRE_OK);
	b->gate_words = map;
	bindings[0].buffer = b->marks;
	bindings[1].buffer = b->gate;
	params.blob = b->blob;
	if (linked)
		assert_int_equal(vyre_kernel_create_from_entry(b->device, &params, linked, &b->kernel), VYRE_OK);
	else
		assert_int_equal(vyre_kernel_create(b->device, &params, &b->kernel), VYRE_OK);
}

/* entry: symbol of the ELF image (NULL = reference_entry). */
static inline void bench_open_kernel(struct bench *b, const char *entry, vyre_cpu_entry linked, uint64_t marks)
{
	uint64_t size;
	uint8_t *bytes = test_blob_reference(entry, &size);

	bench_open_blob(b, bytes, size, linked, marks);
}

/* feature_kernel.c under a set with these features. */
static inline void bench_open_features(struct bench *b, uint32_t features)
{
	uint64_t size;
	uint8_t *bytes = test_blob_features(NULL, features, 0, &size);

	bench_open_blob(b, bytes, size, feature_entry, BENCH_MARKS);
}

static inline void bench_open_ring(struct bench *b, struct vyre_ring_params params)
{
	params.kernel = b->kernel;
	assert_int_equal(vyre_ring_create(&params, &b->ring), VYRE_OK);
	assert_int_equal(vyre_publisher_create(b->ring, 0, &b->publisher), VYRE_OK);
}

/* A thread sanitizer cannot see into the ELF image: under one, the same kernels linked into the test are used. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BENCH_LINKED 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BENCH_LINKED 1
#endif

static inline vyre_cpu_entry bench_linked(const char *entry)
{
#ifdef BENCH_LINKED
	static const struct {
		const char *name;
		vyre_cpu_entry entry;
	} entries[] = {
	    {"never_claims_entry", never_claims_entry},
	    {"leaves_at_once_entry", leaves_at_once_entry},
	    {"nonsense_entry", nonsense_entry},
	};
	size_t i;

	for (i = 0; entry && i < sizeof(entries) / sizeof(entries[0]); i++)
		if (strcmp(entries[i].name, entry) == 0)
			return entries[i].entry;
	return reference_entry;
#else
	(void)entry;
	return NULL;
#endif
}

static inline void bench_open(struct bench *b, const char *entry, struct vyre_ring_params params)
{
	bench_open_kernel(b, entry, bench_linked(entry), BENCH_MARKS);
	bench_open_ring(b, params);
}

static inline void bench_close(struct bench *b)
{
	vyre_publisher_destroy(b->publisher);
	vyre_ring_destroy(b->ring);
	vyre_kernel_destroy(b->kernel);
	if (b->marks)
		assert_int_equal(vyre_buffer_destroy(b->device, b->marks), VYRE_OK);
	if (b->gate)
		assert_int_equal(vyre_buffer_destroy(b->device, b->gate), VYRE_OK);
	vyre_device_close(b->device);
	vyre_blob_close(b->blob);
}

static inline struct vyre_slot bench_slot(uint32_t opcode, uint32_t count, uint32_t a, uint32_t b)
{
	return (struct vyre_slot){
	    .opcode = opcode, .priority = VYRE_PRIORITY_NORMAL, .arg_count = count, .args = {a, b}};
}

static inline vyre_ticket bench_publish(struct bench *b, uint32_t opcode, uint32_t count, uint32_t a, uint32_t c)
{
	struct vyre_slot slot = bench_slot(opcode, count, a, c);
	vyre_ticket ticket = 0;

	assert_int_equal(vyre_publish(b->publisher, &slot, 1, 0, 0, &ticket), VYRE_OK);
	assert_true(ticket != 0);
	return ticket;
}

static inline void bench_open_gate(struct bench *b, uint32_t gate)
{
	__atomic_store_n(&b->gate_words[gate], 1, __ATOMIC_RELEASE);
}

/* The body of a thread that lets whoever waits at gate 0 wait for a while. */
static inline void *bench_open_gate_later(void *bench)
{
	usleep(20000);
	bench_open_gate(bench, 0);
	return NULL;
}

/* In `before_commit` of a ring: the thread that publishes ends there. */
static inline void bench_die(void *user)
{
	(void)user;
	pthread_exit(NULL);
}

#define SECONDS(n) ((uint64_t)(n)*1000000000u)

/* A drain that cannot end, a stop all the same. The first call gives workers 100 ms to leave, which a busy machine may not give
 * them; the second one has time. */
static inline void bench_stop_in_vain(struct bench *b, uint64_t timeout_ns)
{
	assert_int_equal(vyre_ring_stop(b->ring, 1, timeout_ns), VYRE_TIMEOUT);
	assert_int_equal(vyre_ring_stop(b->ring, 0, SECONDS(20)), VYRE_OK);
}

static inline struct vyre_ring_stats bench_stats(struct bench *b)
{
	struct vyre_ring_stats now;

	vyre_ring_get_stats(b->ring, &now);
	return now;
}

#endif
