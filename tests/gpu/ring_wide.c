/* ring_wide.c - handlers that a whole workgroup runs, beside those of one lane, and what handlers say. */
#include "tests/gpu/ring.h"

/* ---- wide --------------------------------------------------------------------------------------------------------------- */

static void check_wide(uint32_t first, uint32_t count, const struct vyre_result *result)
{
	EQUAL(result->words[0], first * count + (uint32_t)((uint64_t)count * (count - 1) / 2));
	EQUAL(result->words[1], 0); /* the stage was zero */
	EQUAL(result->words[2], first + count - 1);
}

/* One of three kinds by its number; a wide slot's counts vary around the lanes of a workgroup. */
static struct vyre_slot mixed_slot(uint32_t i)
{
	switch (i % 3) {
	case 0:
		return gpu_slot(OP_WIDE, 2, i, 1 + i * 7 % 700);
	case 1:
		return gpu_slot(OP_WIDE_FAILS, 2, 1 + i % 500, i % 600);
	default:
		return gpu_slot(OP_MARK, 1, i, 0);
	}
}

static void check_mixed(uint32_t i, const struct vyre_slot *slot, vyre_status status, const struct vyre_result *result)
{
	bool fails = i % 3 == 1 && slot->args[1] < slot->args[0];

	CHECK(status == (fails ? VYRE_FAULT : VYRE_OK), "slot %u: %s: %s", i, vyre_status_name(status),
	      vyre_last_error());
	if (fails) {
		EQUAL(result->fault_code, VYRE_FAULT_TRAP);
		EQUAL(result->fault_detail, 1000 + slot->args[1]);
	} else if (i % 3 == 0) {
		check_wide(slot->args[0], slot->args[1], result);
	}
}

void gpu_test_wide(const struct gpu_options *options)
{
	enum { SLOTS = 6000, BATCH = 40 };
	uint32_t total = gpu_turns(options, SLOTS / 3) * 3;
	struct gpu_rig rig;

	ring_open(&rig, options, SLOTS);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 128, .workers = 2});
	for (uint32_t first = 0, n; first < total; first += n) {
		struct vyre_slot slots[BATCH];
		vyre_ticket tickets[BATCH];

		n = first / BATCH % 4 ? BATCH : 1; /* lone ones too */
		n = total - first < n ? total - first : n;
		for (uint32_t i = 0; i < n; i++)
			slots[i] = mixed_slot(first + i);
		OK(vyre_publish(rig.publisher, slots, n, VYRE_PUBLISH_WAIT, GPU_SECONDS(60), tickets));
		for (uint32_t i = 0; i < n; i++) {
			struct vyre_result result;
			vyre_status status = vyre_wait(rig.ring, tickets[i], GPU_SECONDS(60), &result);

			check_mixed(first + i, &slots[i], status, &result);
		}
	}
	for (uint32_t i = 0; i < total; i++)
		if (i % 500 == 2)
			EQUAL(gpu_rig_word(&rig, "marks", i), i % 3 == 2);
	EQUAL(gpu_rig_word(&rig, "sums", 0), total / 3);
	gpu_rig_end(&rig);
}

/* ---- logs --------------------------------------------------------------------------------------------------------------- */

void gpu_test_logs(const struct gpu_options *options)
{
	enum { SAID = VYRE_DEBUG_RECORDS + 20 };
	struct gpu_rig rig;
	uint32_t records[VYRE_DEBUG_RECORDS][4], seen = 0;
	struct vyre_ring_stats stats;

	ring_open(&rig, options, 16);
	gpu_rig_start(&rig, (struct vyre_ring_params){.slots = 32, .workers = 2});
	for (uint32_t i = 0; i < SAID; i++) {
		vyre_ticket ticket = gpu_publish(rig.publisher, OP_SAY, 2, i, ~i);

		gpu_wait(&rig, ticket, NULL);
	}
	EQUAL(vyre_ring_read_log(rig.ring, 0, records, VYRE_DEBUG_RECORDS), VYRE_DEBUG_RECORDS);
	for (uint32_t i = 0; i < VYRE_DEBUG_RECORDS; i++) {
		EQUAL(records[i][0], 7);
		EQUAL(records[i][1], i);
		EQUAL(records[i][2], ~i);
		seen++;
	}
	vyre_ring_get_stats(rig.ring, &stats);
	EQUAL(stats.debug_records, seen);
	EQUAL(stats.debug_dropped, SAID - VYRE_DEBUG_RECORDS);
	gpu_rig_end(&rig);
}
