/* live_wait_test.c - slots that wait in the live feed: for an epoch and the fences that move it, for the host's bytes; and
 * those that are cancelled, in every state. */
#include "live_rig.h"

static const char set_text[] =
    "set demo {\n"
    "  buffer out: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(out[at], value) }\n"
    "  op turns = 0x101 (at: u32, n: u32) by lane { for i in 0 .. n { yield }; atomic_add(out[at], 1) }\n"
    "  op sleeps = 0x102 (at: u32, until: u32) by lane {\n"
    "    pause(until)\n"
    "    result(0, atomic_load(out[at]))\n"
    "  }\n"
    "  op twice = 0x103 (at: u32, until: u32) by lane {\n"
    "    pause(until)\n"
    "    pause(until + 1)\n"
    "    result(0, atomic_load(out[at]))\n"
    "  }\n"
    "  op reads = 0x104 (source: u32, at: u32) by lane {\n"
    "    load(source, u64(at) + u64(0x100000000), 77, 5)\n"
    "    result(1, 1)\n"
    "  }\n"
    "  op parent = 0x105 (at: u32, until: u32) by lane { spawn(sleeps, at, until); join; result(0, 1) }\n"
    "  op last = 0x106 (at: u32, until: u32) by lane { spawn(sleeps, at, until); result(0, 1) }\n"
    "}\n";

enum { FENCE = 7, MISS = 0xFFFD, NOTHING = 0 };

static struct live_params with_builtins(uint32_t first)
{
	return (struct live_params){.features = VYRE_HAS_BUILTINS, .spawned = 4, .slots = 32, .first = first};
}

/* ---- fences and epochs ---------------------------------------------------------------------------------------------- */

/* What stands before a fence has ended when EPOCH moves, whoever ran it, and however often it yielded. */
static void a_fence_comes_after_what_stands_before(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		const uint32_t first = seed % 2 ? 0xFFFFFFF5 : 0;
		struct live_rig rig;
		live_open(&rig, set_text, with_builtins(first));
		uint32_t *early = live_publish(&rig, 0x102, 0, 1, first + 1),
			 *twice = live_publish(&rig, 0x103, 1, 1, first + 1);
		for (unsigned i = 0; i < 9; i++)
			live_publish(&rig, 0x101, i % 3, 1, i % 4);
		live_publish(&rig, FENCE, 1, 9, 70);
		for (unsigned i = 0; i < 9; i++)
			live_publish(&rig, 0x101, i % 3, 1, i % 4);
		live_publish(&rig, FENCE, 2, 9, 80);
		live_drain(&rig, 1 + (uint32_t)(seed % 4), seed);
		assert_int_equal(rig.control[VYRE_CONTROL_EPOCH], first + 2);
		assert_in_range(early[VYRE_SLOT_WORD_ARG0], 9, 18);
		assert_int_equal(twice[VYRE_SLOT_WORD_ARG0], 18);
		assert_true(rig.control[VYRE_CONTROL_OBSERVABLES] == 70 || rig.control[VYRE_CONTROL_OBSERVABLES] == 80);
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], first + 22);
		assert_int_equal(rig.control[VYRE_CONTROL_FAULT_COUNT], 0);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

static void fences_at_their_limits(void **state)
{
	struct live_rig rig;
	(void)state;
	live_open(&rig, set_text, with_builtins(0xFFFFFFFE));
	uint32_t *none = live_publish(&rig, FENCE, 0, 0, 1), *lap = live_publish(&rig, FENCE, 0, 32, 2);
	uint32_t *far = live_publish(&rig, FENCE, 0, 33, 3), *huge = live_publish(&rig, FENCE, 0, 0xFFFFFFFF, 3);
	live_drain(&rig, 1, 0);
	assert_int_equal(none[0], VYRE_SLOT_DONE);
	assert_int_equal(lap[0], VYRE_SLOT_DONE);
	assert_int_equal(far[0], VYRE_SLOT_FAULT);
	assert_int_equal(far[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_OUT_OF_RANGE);
	assert_int_equal(huge[VYRE_SLOT_WORD_ARG0 + 1], 0xFFFFFFFF);
	assert_int_equal(rig.control[VYRE_CONTROL_EPOCH], 0); /* from 0xFFFFFFFE: two fences */
	assert_int_equal(rig.control[VYRE_CONTROL_OBSERVABLES], 2);
	live_is_clean(&rig);
	live_close(&rig);
}

/* A fence behind a masked slot waits with it, keeps no worker, and delays nobody. */
static void a_fence_behind_a_masked_slot(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, with_builtins(0));
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
		uint32_t *masked = live_publish(&rig, 0x100, 1, 0, 1), *fence = live_publish(&rig, FENCE, 0, 1, 0);
		for (unsigned i = 0; i < 20; i++)
			live_publish(&rig, 0x101, 2, 1, i % 3);
		rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 50;
		live_run(&rig, 1 + (uint32_t)(seed % 3), seed);
		rig.live[VYRE_LIVE_AWAY] = 0;
		assert_int_equal(rig.out[1], 20);
		assert_int_equal(masked[0], VYRE_SLOT_REQUEUE);
		assert_int_equal(fence[0], VYRE_SLOT_REQUEUE);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED], 2);
		assert_int_equal(rig.live[VYRE_LIVE_PARKED_QUOTA], 1);
		assert_int_equal(rig.control[VYRE_CONTROL_EPOCH], 0);
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		live_configured(&rig);
		live_run(&rig, 1 + (uint32_t)(seed % 3), seed);
		rig.live[VYRE_LIVE_AWAY] = 0;
		assert_int_equal(fence[0], VYRE_SLOT_DONE);
		assert_int_equal(rig.control[VYRE_CONTROL_EPOCH], 1);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* One unit of quota: the slot before the fence takes it, the fence takes none. */
static void a_fence_and_its_tenants_quota(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct live_rig rig;
		live_open(&rig, set_text, with_builtins(0));
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 1;
		for (unsigned i = 0; i < 5; i++) {
			for (unsigned k = 0; k < 3; k++)
				live_publish(&rig, 0x101, 1, 0, k);
			live_publish(&rig, FENCE, 1, 3, 0);
		}
		live_drain(&rig, 1 + (uint32_t)(seed % 4), seed);
		assert_int_equal(rig.out[0], 15);
		assert_int_equal(rig.control[VYRE_CONTROL_EPOCH], 5);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

static void shutdown_is_the_systems(void **state)
{
	struct live_rig rig;
	(void)state;
	live_open(&rig, set_text, with_builtins(0));
	uint32_t *wrong = live_publish(&rig, 0xFFFFFFFF, 1, 0, 0);
	live_drain(&rig, 2, 3);
	assert_int_equal(wrong[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_TENANT);
	assert_int_equal(rig.live[VYRE_LIVE_LEAVE], 0);
	uint32_t *right = live_publish(&rig, 0xFFFFFFFF, 0, 0, 0);
	live_publish(&rig, 0x101, 0, 0, 100);
	live_run(&rig, 2, 3); /* without a stop */
	assert_int_equal(right[0], VYRE_SLOT_DONE);
	assert_int_equal(rig.live[VYRE_LIVE_LEAVE], 1);
	assert_int_equal(rig.out[0], 0);
	live_close(&rig);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

static uint32_t *entry_of(struct live_rig *rig, unsigned entry)
{
	return rig->io + entry * VYRE_IO_ENTRY_WORDS;
}

static uint32_t entries_in(const struct live_rig *rig, uint32_t status)
{
	uint32_t count = 0;
	for (unsigned i = 0; i < VYRE_IO_ENTRIES; i++)
		count += rig->io[i * VYRE_IO_ENTRY_WORDS + VYRE_IO_WORD_STATUS] == status;
	return count;
}

/* As the service does: the status, then IO_DONE. */
static void complete(struct live_rig *rig, unsigned entry, uint32_t error)
{
	uint32_t *words = entry_of(rig, entry);
	assert_int_equal(words[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED);
	if (error)
		words[VYRE_IO_WORD_OFFSET_LO] = error;
	words[VYRE_IO_WORD_STATUS] = error ? VYRE_IO_STATUS_ERROR : VYRE_IO_STATUS_OK;
	rig->live[VYRE_LIVE_IO_DONE]++;
}

static void a_load_waits_for_its_bytes(void **state)
{
	struct live_rig rig;
	(void)state;
	if (!LIVE_COUNTS_ROUNDS)
		skip();
	live_open(&rig, set_text, with_builtins(0));
	rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 30;
	uint32_t *first = live_publish(&rig, 0x104, 2, 9, 3), *second = live_publish(&rig, 0x104, 1, 8, 4);
	live_run(&rig, 1, 0);
	assert_int_equal(rig.launch[VYRE_LAUNCH_IO_ASKED], 1); /* it came back to say so */
	assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 0);
	assert_int_equal(first[0], VYRE_SLOT_WAIT_IO);
	const uint32_t want[] = {VYRE_IO_OP_READ, 9, 9, 3, 1, 77, VYRE_SLOT_PUBLISHED};
	assert_memory_equal(entry_of(&rig, 0), want, sizeof want);
	const uint32_t note[] = {2, 5, 0, 1};
	assert_memory_equal(rig.frames + VYRE_FRAMES_IO, note, sizeof note);
	live_run(&rig, 1, 0);
	assert_int_equal(rig.launch[VYRE_LAUNCH_IO_ASKED], 0);
	assert_int_equal(rig.launch[VYRE_LAUNCH_LEFT], 1); /* nothing to do until the host has done something */
	complete(&rig, 1, 5);
	live_run(&rig, 2, 3);
	assert_int_equal(second[0], VYRE_SLOT_FAULT);
	assert_int_equal(second[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_IO);
	assert_int_equal(second[VYRE_SLOT_WORD_ARG0 + 1], 5);
	assert_int_equal(first[0], VYRE_SLOT_WAIT_IO);
	complete(&rig, 0, 0);
	live_drain(&rig, 2, 3);
	assert_int_equal(first[0], VYRE_SLOT_DONE);
	assert_int_equal(first[VYRE_SLOT_WORD_ARG0 + 1], 1);
	assert_int_equal(entries_in(&rig, VYRE_SLOT_EMPTY), VYRE_IO_ENTRIES);
	rig.live[VYRE_LIVE_AWAY] = 0;
	live_is_clean(&rig);
	live_close(&rig);
}

/* More loads than entries: the rest ask again. Nobody runs twice, nobody is forgotten. */
static void more_loads_than_entries(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct live_rig rig;
		struct live_params params = with_builtins(0xFFFFFFF0);
		params.slots = 64;
		live_open(&rig, set_text, params);
		for (unsigned i = 0; i < 60; i++)
			live_publish(&rig, 0x104, i % 3, i, i);
		for (unsigned turn = 0; rig.live[VYRE_LIVE_RETIRED] != 0xFFFFFFF0 + 60 && turn < 2000; turn++) {
			rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 40;
			live_run(&rig, 1 + (uint32_t)(seed % 3), seed + turn);
			assert_int_equal(entries_in(&rig, VYRE_SLOT_CLAIMED), 0);
			for (unsigned i = 0; i < VYRE_IO_DEVICE_ENTRIES; i++)
				if (entry_of(&rig, i)[VYRE_IO_WORD_STATUS] == VYRE_SLOT_PUBLISHED &&
				    (turn + i + seed) % 3 == 0)
					complete(&rig, i,
						 entry_of(&rig, i)[VYRE_IO_WORD_SRC_HANDLE] % 10 == 7 ? 22 : 0);
		}
		for (unsigned i = 0; i < 60; i++)
			assert_int_equal(live_slot(&rig, 0xFFFFFFF0 + i)[0],
					 i % 10 == 7 ? VYRE_SLOT_FAULT : VYRE_SLOT_DONE);
		assert_int_equal(entries_in(&rig, VYRE_SLOT_EMPTY), VYRE_IO_ENTRIES);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* ---- cancel --------------------------------------------------------------------------------------------------------- */

static void is_cancelled(const uint32_t *slot)
{
	assert_int_equal(slot[0], VYRE_SLOT_FAULT);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0], VYRE_FAULT_CANCELLED);
	assert_int_equal(slot[VYRE_SLOT_WORD_ARG0 + 1], 0);
}

static void a_round(struct live_rig *rig)
{
	rig->launch[VYRE_LAUNCH_ROUND_LIMIT] = 1;
	live_run(rig, 1, 0);
	rig->launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
}

static void cancelled_in_every_state(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct live_rig rig;
		uint32_t workers = 1 + (uint32_t)(seed % 3), *slot, *other;
		live_open(&rig, set_text, with_builtins(0));
		rig.launch[VYRE_LAUNCH_IDLE_LIMIT] = 100;
#define RUN (live_run(&rig, workers, seed), rig.live[VYRE_LIVE_AWAY] = 0)
		slot = live_publish(&rig, 0x100, 1, 0, 1); /* published */
		live_cancel(&rig, slot);
		a_round(&rig); /* alone, it asks before it claims */
		if (LIVE_COUNTS_ROUNDS) {
			is_cancelled(slot);
			assert_int_equal(rig.out[0], 0);
		}

		slot = live_publish(&rig, 0x101, 1, 0, 1000000); /* in a ready ring */
		a_round(&rig);
		assert_int_equal(slot[0], VYRE_SLOT_CLAIMED);
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);

		slot = live_publish(&rig, 0x102, 1, 0, 1000000); /* waits for an epoch */
		a_round(&rig);
		assert_int_equal(slot[0], VYRE_SLOT_WAIT_IO);
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);

		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 0; /* masked */
		live_configured(&rig);
		slot = live_publish(&rig, 0x100, 1, 0, 1);
		other = live_publish(&rig, 0x100, 1, 3, 1);
		RUN;
		assert_int_equal(slot[0], VYRE_SLOT_REQUEUE);
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);
		assert_int_equal(other[0], VYRE_SLOT_REQUEUE);
		slot = live_publish(&rig, FENCE, 2, 1, 0); /* a fence that waits */
		RUN;
		other = live_slot(&rig, rig.live[VYRE_LIVE_TAIL] - 2);
		slot = live_publish(&rig, FENCE, 2, 2, 0);
		RUN;
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);
		rig.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
		live_configured(&rig);
		RUN;
		assert_int_equal(rig.out[3], 1);

		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 0; /* over its quota */
		live_configured(&rig);
		slot = live_publish(&rig, 0x100, 1, 0, 1);
		RUN;
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);
		rig.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 1000000;
		live_configured(&rig);

		slot = live_publish(&rig, 0x104, 1, 9, 9); /* waits for bytes, which come all the same */
		RUN;
		assert_int_equal(entry_of(&rig, 0)[VYRE_IO_WORD_STATUS], VYRE_SLOT_PUBLISHED);
		live_cancel(&rig, slot);
		RUN;
		is_cancelled(slot);
		complete(&rig, 0, 0);
		RUN;
		assert_int_equal(entries_in(&rig, VYRE_SLOT_EMPTY), VYRE_IO_ENTRIES);

		slot = live_publish(&rig, 0x105, 1, 0, rig.control[VYRE_CONTROL_EPOCH] + 1);  /* waits for a child */
		other = live_publish(&rig, 0x106, 1, 0, rig.control[VYRE_CONTROL_EPOCH] + 1); /* has ended but for it */
		RUN;
		live_cancel(&rig, slot);
		RUN;
		live_cancel(&rig, other);
		RUN;
		assert_int_equal(slot[0], VYRE_SLOT_CANCELLING);
		live_publish(&rig, FENCE, 0, 0, 0);
		RUN;
		is_cancelled(slot);
		assert_int_equal(other[0], VYRE_SLOT_DONE);

		slot = live_publish(&rig, 0x100, 1, 5, 1); /* it had ended before */
		RUN;
		live_cancel(&rig, slot);
		RUN;
		assert_int_equal(slot[0], VYRE_SLOT_DONE);
		assert_in_range(rig.out[0], 0, !LIVE_COUNTS_ROUNDS);
		live_is_clean(&rig);
		live_close(&rig);
	}
}

/* A worker that runs the slot, and one that serves the command, in any order: it ends by itself or is cancelled, and is
 * counted once; the next slot at its place is not touched. */
static void a_cancel_meets_the_slot_anywhere(void **state)
{
	unsigned cancelled = 0, ended = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		static const uint32_t opcodes[] = {0x100, 0x101, 0x102};
		struct live_rig rig;
		live_open(&rig, set_text, with_builtins(0xFFFFFFFF));
		uint32_t *slot = live_publish(&rig, opcodes[seed % 3], 1, 0, seed % 3 == 2 ? 0 : 2);
		live_publish(&rig, FENCE, 0, 0, 0);
		rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = seed % 5;
		if (seed % 5)
			live_run(&rig, 2, seed);
		rig.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
		live_cancel(&rig, slot);
		live_drain(&rig, 3, seed);
		assert_int_equal(rig.live[VYRE_LIVE_COMMAND_DONE], rig.live[VYRE_LIVE_COMMAND]);
		if (slot[0] == VYRE_SLOT_FAULT) {
			is_cancelled(slot);
			cancelled++;
		} else {
			assert_int_equal(slot[0], VYRE_SLOT_DONE);
			ended++;
		}
		assert_int_equal(rig.live[VYRE_LIVE_RETIRED], 1);
		rig.live[VYRE_LIVE_TAIL] = rig.live[VYRE_LIVE_HEAD] = 31;
		uint32_t *next = live_publish(&rig, 0x101, 1, 5, 3);
		live_drain(&rig, 2, seed);
		assert_ptr_equal(next, slot);
		assert_int_equal(next[0], VYRE_SLOT_DONE);
		live_is_clean(&rig);
		live_close(&rig);
	}
	if (cancelled < 10 || ended < 10)
		fail_msg("the seeds show too little: %u cancelled, %u not", cancelled, ended);
}

/* What is no command, and places that there are not. */
static void odd_commands_are_answered(void **state)
{
	static const uint32_t odd[][2] = {{0x100, 0}, {0x2FF, 1}, {0x301, 32}, {0x401, 0xFFFFFFFF}};
	struct live_rig rig;
	(void)state;
	live_open(&rig, set_text, with_builtins(0));
	for (unsigned i = 0; i < 4; i++) {
		uint32_t *slot = live_publish(&rig, 0x101, 1, i, 3);
		rig.live[VYRE_LIVE_COMMAND] = odd[i][0];
		rig.live[VYRE_LIVE_COMMAND_ARG] = odd[i][1];
		live_drain(&rig, 2, i + 1);
		assert_int_equal(rig.live[VYRE_LIVE_COMMAND_DONE], odd[i][0]);
		assert_int_equal(slot[0], VYRE_SLOT_DONE);
	}
	live_is_clean(&rig);
	live_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fence_comes_after_what_stands_before),
	    cmocka_unit_test(fences_at_their_limits),
	    cmocka_unit_test(a_fence_behind_a_masked_slot),
	    cmocka_unit_test(a_fence_and_its_tenants_quota),
	    cmocka_unit_test(shutdown_is_the_systems),
	    cmocka_unit_test(a_load_waits_for_its_bytes),
	    cmocka_unit_test(more_loads_than_entries),
	    cmocka_unit_test(cancelled_in_every_state),
	    cmocka_unit_test(a_cancel_meets_the_slot_anywhere),
	    cmocka_unit_test(odd_commands_are_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
