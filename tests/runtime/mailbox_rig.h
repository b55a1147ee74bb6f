/* mailbox_rig.h - what the tests of mailbox rings share. */
#ifndef MAILBOX_RIG_H
#define MAILBOX_RIG_H
#include <unistd.h>

#include "live.h"
#include "mailbox_kernel.h"

static const struct vyre_ring_params small = {
    .slots = 64, .workers = 2, .tenants = 3, .observables = 4, .first_position = 0xFFFFFFE0u};
static const struct vyre_ring_params sleepless = {
    .slots = 64, .workers = 2, .tenants = 3, .idle_ns = VYRE_FOREVER, .first_position = 0xFFFFFFE0u};

static inline uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* Until a condition holds; a test that waits for ever is ended by ctest. */
#define UNTIL(condition) \
	while (!(condition)) \
	usleep(100)

static inline void run_one(struct bench *b, uint32_t a, uint32_t c)
{
	struct vyre_result result;

	assert_int_equal(vyre_wait(b->ring, bench_publish(b, REFERENCE_OP_ADD, 2, a, c), SECONDS(20), &result),
			 VYRE_OK);
	assert_int_equal(result.status, VYRE_SLOT_DONE);
	assert_int_equal(result.words[0], a + c);
	assert_int_equal(result.words[1], c);
	assert_int_equal(result.words[2], 0);
}

#endif
