/* ring_rules.c - faults, masks, quotas and cancelling: what the device must refuse, hold back or end. */
#include <stdlib.h>

#include "tests/gpu/ring.h"

enum { NO_SUCH_OP = 0x7777 };

/* ---- faults ------------------------------------------------------------------------------------------------------------- */

/* What slot i of a round of kinds is, and how it must end. */
enum { FAULT_KINDS = 5 };
static struct vyre_slot fault_slot(uint32_t i, uint32_t marks)
{
	switch (i % FAULT_KINDS) {
	case 0:
		return gpu_slot(OP_MARK, 1, i, 0);
	case 1:
		return gpu_slot(OP_FAILS, 2, i, i + 1);
	case 2:
		return gpu_slot(OP_REACH, 1, marks + i, 0);
	case 3:
		return gpu_slot(NO_SUCH_OP + i, 0, 0, 0);
	default:
		return gpu_slot(OP_REACH, 1, i, 0);
	}
}

static void check_fault(uint32_t i, uint32_t marks, vyre_status status, const struct vyre_result *result)
{
	static const uint32_t codes[FAULT_KINDS] = {0, VYRE_FAULT_TRAP, VYRE_FAULT_OUT_OF_RANGE,
						    VYRE_FAULT_UNKNOWN_OPCODE, 0};
	const uint32_t details[FAULT_KINDS] = {0, i + 1, marks + i, NO_SUCH_OP + i, 0};
	uint32_t code = codes[i % FAULT_KINDS];

	CHECK(status == (code ? VYRE_FAULT : VYRE_OK), "slot %u: %s", i, vyre_status_name(status));
	if (!code)
		return;
	CHECK(result->fault_code == code && result->fault_detail == details[i % FAULT_KINDS],
	      "slot %u: fault %u %u, not %u %u", i, result->fault_code, result->fault_detail, code,
	      details[i % FAULT_KINDS]);
}

void gpu_test_faults(const struct gpu_options *options)
{
	enum { SLOTS = 2000, BATCH = 50 };
	struct gpu_rig rig;
	struct vyre_ring_stats stats;
	uint32_t *marks, failed = 0;

	ring_open(&rig, options, SLOTS);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 128, .workers = 2});
	for (uint32_t first = 0; first < SLOTS; first += BATCH) {
		struct vyre_slot slots[BATCH];
		vyre_ticket tickets[BATCH];

		for (uint32_t i = 0; i < BATCH; i++)
			slots[i] = fault_slot(first + i, SLOTS);
		OK(vyre_publish(rig.publisher, slots, BATCH, VYRE_PUBLISH_WAIT | VYRE_PUBLISH_UNCHECKED,
				GPU_SECONDS(60), tickets));
		for (uint32_t i = 0; i < BATCH; i++) {
			struct vyre_result result;
			vyre_status status = vyre_wait(rig.ring, tickets[i], GPU_SECONDS(60), &result);

			check_fault(first + i, SLOTS, status, &result);
			failed += status == VYRE_FAULT;
		}
	}
	marks = gpu_rig_read(&rig, "marks", NULL);
	for (uint32_t i = 0; i < SLOTS; i++)
		EQUAL(marks[i], i % FAULT_KINDS != 2 && i % FAULT_KINDS != 3);
	free(marks);
	gpu_rig_stats(&rig, &stats);
	EQUAL(stats.faults, failed);
	EQUAL(failed, SLOTS / FAULT_KINDS * 3);
	EQUAL(stats.retired, SLOTS);
	gpu_rig_end(&rig);
}

/* ---- masks -------------------------------------------------------------------------------------------------------------- */

/* A slot published after the mask must not run, although lone slots take the shortest way; the other tenant's must. */
void gpu_test_masks(const struct gpu_options *options)
{
	enum { ROUNDS = 3000, BURST_EVERY = 16, BURST = 20 };
	struct gpu_rig rig;
	struct vyre_publisher *masked;

	ring_open(&rig, options, 2 * ROUNDS + ROUNDS / BURST_EVERY * BURST + BURST);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 256, .workers = 2, .tenants = 2});
	OK(vyre_publisher_create(rig.ring, 1, &masked));
	uint32_t rounds = gpu_turns(options, ROUNDS), next = 2 * rounds;
	for (uint32_t i = 0; i < rounds; i++) {
		struct vyre_slot burst[BURST];
		vyre_ticket held, free_one;
		uint32_t n = i % BURST_EVERY ? 0 : BURST;

		OK(vyre_ring_set_tenant(rig.ring, 1, 0));
		held = gpu_publish(masked, OP_MARK, 1, 2 * i, 0);
		for (uint32_t k = 0; k < n; k++)
			burst[k] = gpu_slot(OP_MARK, 1, next++, 0);
		if (n)
			OK(vyre_publish(masked, burst, n, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), NULL));
		free_one = gpu_publish(rig.publisher, OP_MARK, 1, 2 * i + 1, 0);
		gpu_wait(&rig, free_one, NULL);
		STATUS(vyre_poll(rig.ring, held, NULL), VYRE_TIMEOUT);
		if (i % 64 == 0)
			EQUAL(gpu_rig_word(&rig, "marks", 2 * i), 0);
		OK(vyre_ring_set_tenant(rig.ring, 1, 1));
		gpu_wait(&rig, held, NULL);
	}
	OK(vyre_ring_drain(rig.ring, GPU_SECONDS(60)));
	ring_check_marks(&rig, next, 1);
	vyre_publisher_destroy(masked);
	gpu_rig_end(&rig);
}

/* ---- quotas ------------------------------------------------------------------------------------------------------------- */

void gpu_test_quotas(const struct gpu_options *options)
{
	enum { SLOTS = 120, TURNS = 200 };
	static const uint32_t quotas[] = {1, 2, 7};
	struct gpu_rig rig;
	struct vyre_publisher *limited;

	ring_open(&rig, options, SLOTS * 3);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 256, .workers = 2, .tenants = 2});
	OK(vyre_publisher_create(rig.ring, 1, &limited));
	for (uint32_t k = 0; k < 3; k++) {
		struct vyre_slot slots[SLOTS];
		vyre_ticket one;

		for (uint32_t i = 0; i < SLOTS; i++)
			slots[i] = gpu_slot(OP_CROWD, 2, k * SLOTS + i, TURNS);
		OK(vyre_buffer_write(rig.device, rig.buffers[RING_SUMS].buffer, 4, &(uint32_t){0}, 4));
		OK(vyre_ring_set_tenant(rig.ring, 1, 0));
		OK(vyre_publish(limited, slots, SLOTS, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), NULL));
		OK(vyre_ring_set_quota(rig.ring, 1, quotas[k]));
		OK(vyre_ring_set_tenant(rig.ring, 1, 1));
		STATUS(vyre_publish(limited, slots, 64, 0, 0, NULL), VYRE_FULL);
		one = gpu_publish(rig.publisher, OP_ADD, 2, 2, 0); /* nobody else waits for them */
		gpu_wait(&rig, one, NULL);
		OK(vyre_ring_drain(rig.ring, GPU_SECONDS(60)));
		EQUAL(gpu_rig_word(&rig, "sums", 0), 0);
		CHECK(gpu_rig_word(&rig, "sums", 1) >= 1 && gpu_rig_word(&rig, "sums", 1) <= quotas[k],
		      "%u slots at once with a quota of %u", gpu_rig_word(&rig, "sums", 1), quotas[k]);
		OK(vyre_ring_set_quota(rig.ring, 1, VYRE_TENANT_QUOTA_DEFAULT));
	}
	ring_check_marks(&rig, SLOTS * 3, 1);
	vyre_publisher_destroy(limited);
	gpu_rig_end(&rig);
}

/* ---- cancel ------------------------------------------------------------------------------------------------------------- */

void gpu_test_cancel(const struct gpu_options *options)
{
	enum { PARKED = 40 };
	struct gpu_rig rig;
	struct vyre_publisher *masked;
	vyre_ticket parked[PARKED], running, ended;
	struct vyre_result result;

	ring_open(&rig, options, 64);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 128, .workers = 2, .tenants = 2});
	OK(vyre_publisher_create(rig.ring, 1, &masked));
	OK(vyre_ring_set_tenant(rig.ring, 1, 0));
	for (uint32_t i = 0; i < PARKED; i++)
		parked[i] = gpu_publish(masked, OP_MARK, 1, i, 0);
	for (uint32_t i = 0; i < PARKED; i += 2)
		OK(vyre_cancel(rig.ring, parked[i], GPU_SECONDS(60)));
	for (uint32_t i = 0; i < PARKED; i += 2) {
		STATUS(vyre_wait(rig.ring, parked[i], GPU_SECONDS(60), &result), VYRE_FAULT);
		EQUAL(result.fault_code, VYRE_FAULT_CANCELLED);
		STATUS(vyre_poll(rig.ring, parked[i + 1], NULL), VYRE_TIMEOUT);
	}
	running = gpu_publish(rig.publisher, OP_HOLD, 1, 0, 0);
	ring_wait_here(&rig, 0);
	vyre_status answer =
	    vyre_cancel(rig.ring, running, GPU_SECOND / 10); /* the one that holds may be who answers */
	CHECK(answer == VYRE_OK || answer == VYRE_TIMEOUT, "cancelling what runs: %s", vyre_status_name(answer));
	ring_open_gate(&rig, 0);
	gpu_wait(&rig, running, &result);
	EQUAL(result.words[0], 7);
	ended = gpu_publish(rig.publisher, OP_FAILS, 2, PARKED, 0);
	while (vyre_poll(rig.ring, ended, NULL) == VYRE_TIMEOUT)
		gpu_sleep(100000);
	OK(vyre_cancel(rig.ring, ended, GPU_SECONDS(60)));
	gpu_wait(&rig, ended, NULL);
	STATUS(vyre_cancel(rig.ring, ended, GPU_SECONDS(60)), VYRE_STALE);
	OK(vyre_ring_set_tenant(rig.ring, 1, 1));
	for (uint32_t i = 1; i < PARKED; i += 2)
		gpu_wait(&rig, parked[i], NULL);
	for (uint32_t i = 1; i < PARKED; i++)
		EQUAL(gpu_rig_word(&rig, "marks", i), i & 1);
	EQUAL(gpu_rig_word(&rig, "marks", 0), 1); /* the one that held */
	EQUAL(gpu_rig_word(&rig, "marks", PARKED), 1);
	vyre_publisher_destroy(masked);
	gpu_rig_end(&rig);
}
