/* torn.c - lone slots under publishers that rewrite their places as fast as they can.
 *
 * A mailbox kernel reads a lone slot and the line that announces it in one go, and trusts a sum over both (abi/mailbox.h).
 * Every word of these slots, the opcode, tenant and priority too, follows from the slot's number, so a handler sees at
 * once when it was given words of two slots. Counts and sums on the device then say that each number ran once. Rings are
 * as small as they can be: a place is written again a few hundred nanoseconds after it was read.
 */
#include <pthread.h>
#include <stdlib.h>

#include "tests/gpu/gpu.h"

enum { OP_EVEN = 0x100, OP_ODD = 0x111, TENANTS = 3, MOST_PUBLISHERS = 3 };

static uint32_t word(uint32_t n, uint32_t k)
{
	uint32_t x = n * 0x9e3779b1u;

	return (x << k | x >> (32 - k)) ^ k * 0x85ebca6bu; /* k is 1 .. 11 */
}

static struct vyre_slot numbered_slot(uint32_t n)
{
	struct vyre_slot slot = {.opcode = n & 1 ? OP_ODD : OP_EVEN, .priority = n % 5, .arg_count = VYRE_SLOT_ARGS};

	slot.args[0] = n;
	for (uint32_t k = 1; k < VYRE_SLOT_ARGS; k++)
		slot.args[k] = word(n, k);
	return slot;
}

struct torn {
	struct gpu_rig rig;
	uint32_t total;
	bool waits; /* for each slot, before the next */
	struct vyre_publisher *by_tenant[2];
	uint32_t stop; /* atomic */
};

/* Numbers first, first + step, ... up to the total. */
struct torn_share {
	struct torn *torn;
	uint32_t first, step;
};

static void *publish_lone(void *argument)
{
	struct torn_share *share = argument;
	struct torn *t = share->torn;

	for (uint32_t n = share->first; n < t->total; n += share->step) {
		struct vyre_slot slot = numbered_slot(n);
		struct vyre_result result;
		vyre_ticket ticket;

		OK(vyre_publish(t->by_tenant[n >> 1 & 1], &slot, 1, VYRE_PUBLISH_WAIT, GPU_SECONDS(60),
				t->waits ? &ticket : NULL));
		if (!t->waits)
			continue;
		gpu_wait(&t->rig, ticket, &result);
		EQUAL(result.words[0], ~n);
		EQUAL(result.words[11], slot.args[11]);
	}
	return NULL;
}

/* Changes of configuration that change nothing for these slots: tenant 2 publishes none. */
static void *reconfigure(void *argument)
{
	struct torn *t = argument;

	for (int may_run = 0; !__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE); may_run = !may_run) {
		OK(vyre_ring_set_tenant(t->rig.ring, 2, may_run));
		gpu_sleep(20000);
	}
	return NULL;
}

static void check_torn(struct torn *t)
{
	uint32_t *once, sum = 0;

	if (gpu_rig_word(&t->rig, "counts", 2))
		gpu_fail(__FILE__, __LINE__, "%u slots ran with words of another one; number %u differed by 0x%x",
			 gpu_rig_word(&t->rig, "counts", 2), gpu_rig_word(&t->rig, "counts", 3),
			 gpu_rig_word(&t->rig, "counts", 4));
	once = gpu_rig_read(&t->rig, "once", NULL);
	for (uint32_t n = 0; n < t->total; n++) {
		CHECK(once[n] == 1, "number %u ran %u times", n, once[n]);
		sum += n;
	}
	free(once);
	EQUAL(gpu_rig_word(&t->rig, "counts", 0), t->total);
	EQUAL(gpu_rig_word(&t->rig, "counts", 1), sum);
}

static void run_torn(const struct gpu_options *options, uint32_t slots, uint32_t workers, uint32_t publishers,
		     bool waits, uint32_t total)
{
	const struct gpu_buffer buffers[] = {
	    {.name = "counts", .words = 8}, {.name = "once", .words = total}, {.name = NULL}};
	struct torn torn = {.total = total, .waits = waits};
	struct torn_share shares[MOST_PUBLISHERS];
	pthread_t threads[MOST_PUBLISHERS], configurer;

	gpu_rig_open(&torn.rig, options, NULL, "sets/torn.vyb", NULL, buffers);
	gpu_rig_start(&torn.rig, (struct vyre_ring_params){.slots = slots, .workers = workers, .tenants = TENANTS});
	for (uint32_t k = 0; k < 2; k++)
		OK(vyre_publisher_create(torn.rig.ring, k, &torn.by_tenant[k]));
	for (uint32_t k = 0; k < publishers; k++) {
		shares[k] = (struct torn_share){&torn, k, publishers};
		EQUAL(pthread_create(&threads[k], NULL, publish_lone, &shares[k]), 0);
	}
	if (publishers > 1)
		EQUAL(pthread_create(&configurer, NULL, reconfigure, &torn), 0);
	for (uint32_t k = 0; k < publishers; k++)
		pthread_join(threads[k], NULL);
	__atomic_store_n(&torn.stop, 1, __ATOMIC_RELEASE);
	if (publishers > 1)
		pthread_join(configurer, NULL);
	OK(vyre_ring_drain(torn.rig.ring, GPU_SECONDS(60)));
	check_torn(&torn);
	for (uint32_t k = 0; k < 2; k++)
		vyre_publisher_destroy(torn.by_tenant[k]);
	gpu_rig_end(&torn.rig);
}

void gpu_test_torn_waits(const struct gpu_options *options)
{
	for (uint32_t workers = 1; workers <= 2; workers++)
		run_torn(options, 2, workers, 1, true, (uint32_t)(options->slots / 10));
}

void gpu_test_torn_races(const struct gpu_options *options)
{
	static const uint32_t sizes[] = {2, 4, 64, 4096};

	for (uint32_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
		run_torn(options, sizes[k], 1 + k % 2, 1, false, (uint32_t)(options->slots / 4));
}

void gpu_test_torn_many(const struct gpu_options *options)
{
	run_torn(options, 4, 2, 2, true, (uint32_t)(options->slots / 20));
	run_torn(options, 8, 2, MOST_PUBLISHERS, false, (uint32_t)(options->slots / 4));
}
