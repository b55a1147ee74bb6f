/* ring_stress.c - millions of slots, everything toggled: each runs exactly once, and every counter is exact. */
#include <pthread.h>
#include <sched.h>

#include "tests/gpu/ring.h"

enum { PUBLISHERS = 4, MAX_BATCH = 64, DETACHED_BATCH = 512, DETACHED_RING = 65536 };

struct publisher {
	struct gpu_rig *rig;
	struct vyre_publisher *publishers[2]; /* tenant 0, tenant 1 */
	uint32_t first, count;
	uint64_t waited, released, detached;
	uint64_t random;
};

/* Ends every ticket of a batch in one of three ways. */
static void finish_tickets(struct publisher *p, const vyre_ticket *tickets, uint32_t count, uint32_t how)
{
	uint8_t ended[MAX_BATCH];

	if (how == 0)
		while (vyre_poll_many(p->rig->ring, tickets, count, ended) != count)
			sched_yield();
	for (uint32_t i = 0; i < count; i++) {
		struct vyre_result result;

		if (how == 1) {
			OK(vyre_release(p->rig->ring, tickets[i]));
			p->released++;
			continue;
		}
		gpu_wait(p->rig, tickets[i], &result);
		EQUAL(result.status, VYRE_SLOT_DONE);
		p->waited++;
	}
}

static void *publish_all(void *argument)
{
	struct publisher *p = argument;
	struct vyre_slot slots[MAX_BATCH];
	vyre_ticket tickets[MAX_BATCH];

	for (uint32_t next = 0; next < p->count;) {
		uint32_t shape = gpu_random(&p->random), how = gpu_random(&p->random) % 4;
		uint32_t batch = shape % 3 == 0 ? 1 : 1 + gpu_random(&p->random) % MAX_BATCH;

		if (batch > p->count - next)
			batch = p->count - next;
		for (uint32_t i = 0; i < batch; i++)
			slots[i] = gpu_slot(OP_MARK, 1, p->first + next + i, 0);
		OK(vyre_publish(p->publishers[shape / 3 % 8 == 0], slots, batch, VYRE_PUBLISH_WAIT, GPU_SECONDS(120),
				how == 3 ? NULL : tickets));
		next += batch;
		if (how == 3)
			p->detached += batch;
		else
			finish_tickets(p, tickets, batch, how);
	}
	return NULL;
}

struct toggler {
	struct vyre_ring *ring;
	uint32_t stop; /* atomic */
	uint64_t toggles;
};

static void *toggle(void *argument)
{
	struct toggler *t = argument;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		OK(vyre_ring_set_tenant(t->ring, 1, 0));
		sched_yield();
		OK(vyre_ring_set_tenant(t->ring, 1, 1));
		t->toggles++;
		gpu_sleep(200000);
	}
	return NULL;
}

void gpu_test_stress(const struct gpu_options *options)
{
	struct gpu_rig rig;
	struct publisher publishers[PUBLISHERS];
	pthread_t threads[PUBLISHERS], toggle_thread;
	uint32_t share = (uint32_t)(options->slots / PUBLISHERS);
	uint64_t ended = 0;
	struct vyre_ring_stats stats;

	CHECK(share, "%llu slots are fewer than the publishers", (unsigned long long)options->slots);
	ring_open(&rig, options, (uint64_t)share * PUBLISHERS);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 1024, .workers = 2, .tenants = 2, .idle_ns = 20000});
	struct toggler toggler = {.ring = rig.ring};
	for (uint32_t i = 0; i < PUBLISHERS; i++) {
		publishers[i] = (struct publisher){.rig = &rig, .first = i * share, .count = share, .random = i};
		OK(vyre_publisher_create(rig.ring, 0, &publishers[i].publishers[0]));
		OK(vyre_publisher_create(rig.ring, 1, &publishers[i].publishers[1]));
		EQUAL(pthread_create(&threads[i], NULL, publish_all, &publishers[i]), 0);
	}
	EQUAL(pthread_create(&toggle_thread, NULL, toggle, &toggler), 0);
	for (uint32_t i = 0; i < PUBLISHERS; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&toggler.stop, 1, __ATOMIC_RELEASE);
	pthread_join(toggle_thread, NULL);
	OK(vyre_ring_drain(rig.ring, GPU_SECONDS(120)));
	ring_check_marks(&rig, (uint64_t)share * PUBLISHERS, 1);
	gpu_rig_stats(&rig, &stats);
	EQUAL(stats.published, (uint64_t)share * PUBLISHERS);
	EQUAL(stats.retired, (uint64_t)share * PUBLISHERS);
	EQUAL(stats.faults, 0);
	EQUAL(stats.parked, 0);
	for (uint32_t i = 0; i < PUBLISHERS; i++) {
		ended += publishers[i].waited + publishers[i].released + publishers[i].detached;
		vyre_publisher_destroy(publishers[i].publishers[0]);
		vyre_publisher_destroy(publishers[i].publishers[1]);
	}
	EQUAL(ended, (uint64_t)share * PUBLISHERS);
	gpu_note("%llu slots, %llu toggles of a mask, %llu wakes", (unsigned long long)stats.published,
		 (unsigned long long)toggler.toggles, (unsigned long long)stats.wakes);
	gpu_rig_end(&rig);
}

void gpu_test_detached(const struct gpu_options *options)
{
	uint64_t total = options->slots * 2 / DETACHED_BATCH * DETACHED_BATCH;
	struct vyre_slot slots[DETACHED_BATCH];
	struct vyre_ring_stats stats;
	struct gpu_rig rig;
	uint32_t sums[8] = {0}, counts[8] = {0}, before, done;

	ring_open(&rig, options, 16);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = DETACHED_RING, .workers = 0});
	OK(vyre_ring_read_control(rig.ring, VYRE_CONTROL_DONE_COUNT, &before, 1));
	for (uint64_t next = 0; next < total; next += DETACHED_BATCH) {
		for (uint32_t i = 0; i < DETACHED_BATCH; i++) {
			uint32_t n = (uint32_t)next + i, value = n * 2654435761u;

			slots[i] = gpu_slot(OP_ADD, 2, n, value);
			sums[n & 7] += value;
			counts[n & 7]++;
		}
		OK(vyre_publish(rig.publisher, slots, DETACHED_BATCH, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), NULL));
	}
	OK(vyre_ring_drain(rig.ring, GPU_SECONDS(60)));
	for (uint32_t i = 0; i < 8; i++) {
		EQUAL(gpu_rig_word(&rig, "sums", i), sums[i]);
		EQUAL(gpu_rig_word(&rig, "sums", 8 + i), counts[i]);
	}
	gpu_rig_stats(&rig, &stats);
	EQUAL(stats.published, total);
	EQUAL(stats.retired, total);
	EQUAL(stats.faults, 0);
	OK(vyre_ring_stop(rig.ring, 1, GPU_SECONDS(60)));
	OK(vyre_ring_read_control(rig.ring, VYRE_CONTROL_DONE_COUNT, &done, 1)); /* counted behind the slots' own end */
	EQUAL(done - before, (uint32_t)total);
	gpu_note("%llu slots", (unsigned long long)total);
	gpu_rig_close(&rig);
}
