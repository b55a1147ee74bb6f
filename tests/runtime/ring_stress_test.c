/* ring_stress_test.c - many publishers, several workers, everything toggled: each slot runs exactly once.
 *
 * Four publishers push numbered slots, alone or in batches, with tickets or detached, for two tenants, one of which is
 * masked and unmasked all the while; tickets are waited for, polled in bulk, or released in flight. Every number has a
 * mark that its handler adds one to; afterwards each mark is 1. Counters start just below 2^32.
 *
 *   ring_stress_test [slots, in total: 2,000,000] [workers: 2]
 *
 * Twice: with the reference kernel on the cpu, and with the mailbox's on a device that is kept apart. Both are linked into
 * this program, so that a thread sanitizer sees both sides.
 */
#include <pthread.h>
#include <sched.h>

#include "mailbox_kernel.h"

enum { PUBLISHERS = 4, MAX_BATCH = 64 };

static uint64_t total_slots = 2000000;
static uint32_t workers = 2;

struct publisher {
	struct bench *bench;
	struct vyre_publisher *publishers[2]; /* tenant 0, tenant 1 */
	uint32_t first, count;
	uint64_t waited, released, detached;
	uint32_t random;
};

static uint32_t next_random(struct publisher *p)
{
	p->random = p->random * 1664525u + 1013904223u;
	return p->random >> 8;
}

/* Ends every ticket of a batch, in one of three ways. */
static void finish_tickets(struct publisher *p, const vyre_ticket *tickets, uint32_t count, uint32_t how)
{
	uint8_t ended[MAX_BATCH];
	uint32_t i;

	if (how == 0)
		while (vyre_poll_many(p->bench->ring, tickets, count, ended) != count)
			sched_yield();
	for (i = 0; i < count; i++) {
		struct vyre_result result;

		if (how == 1) {
			assert_int_equal(vyre_release(p->bench->ring, tickets[i]), VYRE_OK);
			p->released++;
			continue;
		}
		assert_int_equal(vyre_wait(p->bench->ring, tickets[i], SECONDS(120), &result), VYRE_OK);
		assert_int_equal(result.status, VYRE_SLOT_DONE);
		p->waited++;
	}
}

static void *publish_all(void *argument)
{
	struct publisher *p = argument;
	struct vyre_slot slots[MAX_BATCH];
	vyre_ticket tickets[MAX_BATCH];
	uint32_t next = 0, i;

	while (next < p->count) {
		uint32_t shape = next_random(p), batch = shape % 3 == 0 ? 1 : 1 + next_random(p) % MAX_BATCH;
		uint32_t how = next_random(p) % 4;

		if (batch > p->count - next)
			batch = p->count - next;
		for (i = 0; i < batch; i++)
			slots[i] = bench_slot(REFERENCE_OP_MARK, 1, p->first + next + i, 0);
		assert_int_equal(vyre_publish(p->publishers[shape / 3 % 8 == 0], slots, batch, VYRE_PUBLISH_WAIT,
					      SECONDS(120), how == 3 ? NULL : tickets),
				 VYRE_OK);
		next += batch;
		if (how == 3)
			p->detached += batch;
		else
			finish_tickets(p, tickets, batch, how);
	}
	return NULL;
}

struct toggler {
	struct bench *bench;
	uint32_t stop;
	uint64_t toggles;
};

static void *toggle(void *argument)
{
	struct toggler *t = argument;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		struct timespec nap = {0, 200000};

		assert_int_equal(vyre_ring_set_tenant(t->bench->ring, 1, 0), VYRE_OK);
		sched_yield();
		assert_int_equal(vyre_ring_set_tenant(t->bench->ring, 1, 1), VYRE_OK);
		t->toggles++;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static void run_all(int is_mailbox)
{
	const struct vyre_ring_params params = {
	    .slots = 1024,
	    .workers = workers,
	    .tenants = 2,
	    .idle_ns = 20000,
	    .first_position = 0xFFFFFF00u,
	};
	struct bench b;
	struct publisher publishers[PUBLISHERS];
	struct toggler toggler = {&b, 0, 0};
	struct vyre_ring_stats stats;
	pthread_t threads[PUBLISHERS], toggle_thread;
	uint32_t i, share = (uint32_t)(total_slots / PUBLISHERS);
	uint64_t ended = 0;

	if (is_mailbox) {
		mailbox_open(&b, params, total_slots);
	} else {
		bench_open_kernel(&b, NULL, reference_entry, total_slots);
		bench_open_ring(&b, params);
	}
	for (i = 0; i < PUBLISHERS; i++) {
		publishers[i] = (struct publisher){.bench = &b, .first = i * share, .count = share, .random = i};
		assert_int_equal(vyre_publisher_create(b.ring, 0, &publishers[i].publishers[0]), VYRE_OK);
		assert_int_equal(vyre_publisher_create(b.ring, 1, &publishers[i].publishers[1]), VYRE_OK);
		assert_int_equal(pthread_create(&threads[i], NULL, publish_all, &publishers[i]), 0);
	}
	assert_int_equal(pthread_create(&toggle_thread, NULL, toggle, &toggler), 0);
	for (i = 0; i < PUBLISHERS; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&toggler.stop, 1, __ATOMIC_RELEASE);
	pthread_join(toggle_thread, NULL);
	assert_int_equal(vyre_ring_drain(b.ring, SECONDS(120)), VYRE_OK);
	for (i = 0; i < share * PUBLISHERS; i++)
		if (b.mark_words[i] != 1)
			fail_msg("slot %u ran %u times", i, b.mark_words[i]);
	if (!is_mailbox) /* a worker counts a batch when the whole of it has run */
		assert_int_equal(vyre_ring_stop(b.ring, 1, SECONDS(120)), VYRE_OK);
	vyre_ring_get_stats(b.ring, &stats);
	assert_int_equal(stats.published, share * PUBLISHERS);
	assert_int_equal(stats.retired, share * PUBLISHERS);
	assert_int_equal(stats.faults, 0);
	assert_int_equal(stats.parked, 0);
	for (i = 0; i < PUBLISHERS; i++) {
		ended += publishers[i].waited + publishers[i].released + publishers[i].detached;
		vyre_publisher_destroy(publishers[i].publishers[0]);
		vyre_publisher_destroy(publishers[i].publishers[1]);
	}
	assert_int_equal(ended, share * PUBLISHERS);
	print_message("%llu slots, %llu toggles of a mask, %llu wakes, %u launches, %u lone slots, %u batches\n",
		      (unsigned long long)stats.published, (unsigned long long)toggler.toggles,
		      (unsigned long long)stats.wakes, mailbox_launches(), mailbox_plan.lone, mailbox_plan.batches);
	bench_close(&b);
}

#ifndef VYRE_MAILBOX_BLOB
static void every_slot_runs_once(void **state)
{
	(void)state;
	run_all(0);
}
#endif

static void every_slot_runs_once_behind_a_mailbox(void **state)
{
	(void)state;
	run_all(1);
#ifndef VYRE_MAILBOX_BLOB
	assert_true(mailbox_plan.batches > 0);
#endif
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#ifndef VYRE_MAILBOX_BLOB
	    cmocka_unit_test(every_slot_runs_once),
#endif
	    cmocka_unit_test(every_slot_runs_once_behind_a_mailbox),
	};

	if (argc > 1)
		total_slots = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		workers = (uint32_t)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
