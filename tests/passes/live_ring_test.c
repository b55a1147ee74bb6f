/* live_ring_test.c - the rings and the room for spawned slots of mega/queue.vyre, without the scheduler around them: small
 * programs whose workers pass slots on, under many interleavings, with the race detector on.
 *
 * Who owns a slot writes to it with plain stores. So a slot that two workers own, or one whose owner has not been told what
 * the last one wrote, is a race, whatever the order in which things happened to run.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "passes/mega/mega.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/queue.h"

extern const char vyrec_mega_queue_text[], vyrec_mega_own_cpu_text[];

enum { SLOTS = 4, SPAWNED = 40, RECORDS = SLOTS + SPAWNED, CELLS = 64, WORKERS = 3, QUEUE_WORDS = 2048 };

static const char head_text[] =
    "buffer control: live u32[]\n"
    "buffer ring_buffer: live u32[]\n"
    "buffer words: u32[]\n"
    "buffer out: live u32[]\n"
    "buffer launch: u32[8]\n"
    "fn record_set(slot_index: u32, word: u32, value: u32) { atomic_store(out[4], value) }\n";

struct rig {
	struct vyrec_module *module;
	uint32_t launch[VYRE_LAUNCH_WORDS], control[64 + VYRE_LIVE_WORDS], ring[SLOTS * VYRE_SLOT_WORDS],
	    queue[QUEUE_WORDS], words[RECORDS], out[8];
	struct vyrec_interp_result result;
};

static void open_rig(struct rig *rig, const char *body, uint32_t first)
{
	struct vyrec_diags diags = {0};
	char *text;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	memset(rig, 0, sizeof *rig);
	fprintf(f, "program rings workgroup(1) {\n%s", head_text);
	vyrec_mega_print_constants(f);
	fprintf(f, "%s\n%s\nbody {\n  let fits = queue_fits(%u, 64)\n  if !fits { trap(1) }\n%s}\n}\n",
		vyrec_mega_own_cpu_text, vyrec_mega_queue_text, SLOTS, body);
	fclose(f);
	rig->module = vyrec_parse("rings.vyre", text, bytes, &diags);
	if (!rig->module || !vyrec_verify(rig->module, &diags) ||
	    !vyrec_run_pass(rig->module, VYREC_PASS_inline, &(struct vyrec_pass_options){.one_lane = true}, &diags)) {
		vyrec_diags_print(&diags, "rings.vyre", text, bytes, stderr);
		fail();
	}
	vyrec_diags_finish(&diags);
	free(text);
	assert_true(vyre_queue_words(CELLS, SPAWNED) <= QUEUE_WORDS);
	vyre_queue_encode(rig->queue, CELLS, SPAWNED);
	for (unsigned ring = 0; ring < VYRE_QUEUE_RINGS; ring++)
		rig->queue[VYRE_QUEUE_TAIL + ring] = rig->queue[VYRE_QUEUE_HEAD + ring] = first;
}

static void run(struct rig *rig, uint32_t workers, uint64_t seed)
{
	const struct vyrec_interp_buffer buffers[] = {
	    {"control", rig->control, 64 + VYRE_LIVE_WORDS},
	    {"ring_buffer", rig->ring, SLOTS * VYRE_SLOT_WORDS},
	    {"queue", rig->queue, vyre_queue_words(CELLS, SPAWNED)},
	    {"words", rig->words, RECORDS},
	    {"out", rig->out, 8},
	    {"launch", rig->launch, VYRE_LAUNCH_WORDS},
	};
	const struct vyrec_interp_options options = {.seed = seed, .step_limit = 20000000, .detect_races = true};
	const uint32_t workgroups[3] = {workers, 1, 1};
	vyrec_interp_program(rig->module, 1, workgroups, buffers, sizeof buffers / sizeof *buffers, &options,
			     &rig->result);
	if (rig->result.status != VYRE_OK)
		fail_msg("seed %llu: %s", (unsigned long long)seed, rig->result.message);
	if (rig->result.race_count)
		fail_msg("seed %llu: %u races, the first on element %llu", (unsigned long long)seed,
			 rig->result.race_count, (unsigned long long)rig->result.races[0].element);
}

static void close_rig(struct rig *rig)
{
	vyrec_module_destroy(rig->module);
}

/* Worker 0 puts every slot into ring 1. Then whoever pops a slot counts it and passes it on to ring 1 or 2, until all
 * have been counted often enough. The ring is as full as it can be: its cells are used again and again. */
static const char pass_on[] = "  if workgroup_id(0) == 0 {\n"
			      "    for i in 0 .. 44 { ring_push(1, i) }\n"
			      "  }\n"
			      "  loop {\n"
			      "    let ring = ready_choose(atomic_load(out[1]), 0)\n"
			      "    if ring < QUEUE_READY {\n"
			      "      let count = ring_pop(ring, 5)\n"
			      "      for k in 0 .. count {\n"
			      "        let slot_index = popped[k]\n"
			      "        words[slot_index] = words[slot_index] + 1\n"
			      "        if words[slot_index] == 20 { atomic_add(out[0], 1) } else { ring_push(1 + "
			      "(slot_index + words[slot_index]) % 2, slot_index) }\n"
			      "      }\n"
			      "    }\n"
			      "    if atomic_load(out[0]) == 44 { break }\n"
			      "    relax\n"
			      "  }\n";

static void every_slot_has_one_owner(void **state)
{
	static const uint32_t firsts[] = {0, 0xFFFFFF00, 0xFFFFFFF3};
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rig rig;
		open_rig(&rig, pass_on, firsts[seed % 3]);
		run(&rig, 1 + (uint32_t)(seed % WORKERS), seed);
		for (unsigned i = 0; i < RECORDS; i++)
			assert_int_equal(rig.words[i], 20);
		for (unsigned ring = 0; ring < VYRE_QUEUE_RINGS; ring++)
			assert_int_equal(rig.queue[VYRE_QUEUE_TAIL + ring], rig.queue[VYRE_QUEUE_HEAD + ring]);
		assert_int_equal(rig.queue[VYRE_QUEUE_TAIL + 1] + rig.queue[VYRE_QUEUE_TAIL + 2] - 2 * firsts[seed % 3],
				 20 * RECORDS);
		close_rig(&rig);
	}
}

/* What is pushed comes out in that order; the batch is what was asked for. */
static const char in_order[] = "  for i in 0 .. 44 { ring_push(3, 43 - i) }\n"
			       "  atomic_store(out[0], ring_count(3))\n"
			       "  atomic_store(out[1], ring_pop(3, 100))\n"
			       "  for k in 0 .. 32 { words[k] = popped[k] }\n"
			       "  atomic_store(out[2], ring_pop(3, 3))\n"
			       "  words[40] = popped[0]\n"
			       "  atomic_store(out[3], ring_pop(4, 3))\n"
			       "  atomic_store(out[4], ready_choose(0, 0))\n"
			       "  ring_push(0, 9)\n"
			       "  atomic_store(out[5], ready_choose(15, 1))\n"
			       "  atomic_store(out[6], ready_choose(16, 1))\n"
			       "  ring_pop(3, 16)\n"
			       "  ring_pop(3, 16)\n"
			       "  atomic_store(out[7], ready_choose(16, 1))\n";

static void rings_are_queues(void **state)
{
	struct rig rig;
	(void)state;
	open_rig(&rig, in_order, 0xFFFFFFFE);
	run(&rig, 1, 0);
	assert_int_equal(rig.out[0], 44);
	assert_int_equal(rig.out[1], 32);
	for (unsigned k = 0; k < 32; k++)
		assert_int_equal(rig.words[k], 43 - k);
	assert_int_equal(rig.out[2], 3);
	assert_int_equal(rig.words[40], 43 - 32);
	assert_int_equal(rig.out[3], 0);
	assert_int_equal(rig.out[4], 3);
	assert_int_equal(rig.out[5], 0);
	assert_int_equal(rig.out[6], 3); /* after sixteen the others first */
	assert_int_equal(rig.out[7], 0); /* and back, where they are empty */
	close_rig(&rig);
}

/* Everyone takes room, writes where nobody else may, and gives it back or keeps it. */
static const char take_room[] =
    "  for turn in 0 .. 60 {\n"
    "    let a = spawn_open(0, 0, 0, 0)\n"
    "    let b = spawn_open(0, 0, 0, 0)\n"
    "    if a != 0 { words[a - 1] = words[a - 1] + 1 }\n"
    "    if b != 0 {\n"
    "      words[b - 1] = words[b - 1] + 1\n"
    "      spawned_free(b - 1)\n"
    "    } else {\n"
    "      atomic_add(out[0], 1)\n"
    "    }\n"
    "    if a != 0 { if turn % 2 == 0 { spawned_free(a - 1) } else { atomic_add(out[3], 1) } }\n"
    "    if turn % 5 == 0 { room_give() }\n"
    "  }\n"
    "  room_give()\n";

static void room_is_taken_once(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rig rig;
		unsigned used = 0,
			 bits = VYRE_QUEUE_HEADER_WORDS + CELLS * 2 * VYRE_QUEUE_RINGS + SPAWNED * VYRE_SLOT_WORDS;
		uint32_t workers = 1 + (uint32_t)(seed % WORKERS);
		open_rig(&rig, take_room, 0);
		run(&rig, workers, seed);
		for (unsigned i = 0; i < SPAWNED; i++)
			used += rig.queue[bits + i / 32] >> i % 32 & 1;
		assert_int_equal(used, rig.out[3]);
		assert_int_equal(rig.queue[bits + 1] >> (SPAWNED - 32), 0);
		if (workers == 1) {
			assert_int_equal(used, 30);
			assert_int_equal(rig.out[0], 0);
		} else {
			assert_true(rig.out[0] > 0);
		}
		close_rig(&rig);
	}
}

/* A child's words and arguments lie where its handler reads them. */
static const char spawn_one[] =
    "  let taken = spawn_open(2, 0x105, 1, 7)\n"
    "  for k in 0 .. 12 { spawn_word(taken, k, 50 + k) }\n"
    "  spawn_push(taken)\n"
    "  atomic_store(out[2], worker[WORKER_CHILDREN])\n"
    "  push_pending()\n"
    "  atomic_store(out[0], ring_pop(4, 16))\n"
    "  atomic_store(out[1], popped[0])\n"
    "  for k in 0 .. 16 { words[k] = slot_word(popped[0], k) }\n"
    "  set_slot_word(3, 5, 77)\n"
    "  slot_status_set(3, SLOT_REQUEUE)\n"
    "  if slot_claim(3, SLOT_PUBLISHED) || !slot_claim(3, SLOT_REQUEUE) || !slot_claim(3, SLOT_CLAIMED) { trap(2) }\n"
    "  slot_leave(3, SLOT_WAIT_IO)\n"
    "  flush_ready()\n";

static void spawned_slots_have_words(void **state)
{
	struct rig rig;
	(void)state;
	open_rig(&rig, spawn_one, 0);
	run(&rig, 1, 0);
	assert_int_equal(rig.out[0], 1); /* a priority that there is not is the lowest */
	assert_int_equal(rig.out[1], SLOTS);
	assert_int_equal(rig.out[2], 1);
	assert_int_equal(rig.words[VYRE_SLOT_WORD_OPCODE], 0x105);
	assert_int_equal(rig.words[VYRE_SLOT_WORD_TENANT], 1);
	for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
		assert_int_equal(rig.words[VYRE_SLOT_WORD_ARG0 + k], 50 + k);
	assert_int_equal(rig.ring[3 * VYRE_SLOT_WORDS + 5], 77);
	assert_int_equal(rig.ring[3 * VYRE_SLOT_WORDS], VYRE_SLOT_WAIT_IO);
	assert_int_equal(rig.control[64 + VYRE_LIVE_READY], 1);
	close_rig(&rig);
}

/* A header that lies about its buffer is not believed. */
static void wrong_headers_are_refused(void **state)
{
	static const struct {
		unsigned word;
		uint32_t value;
	} wrong[] = {{VYRE_QUEUE_CELLS, 0},
		     {VYRE_QUEUE_CELLS, 48},
		     {VYRE_QUEUE_CELLS, 32},
		     {VYRE_QUEUE_CELLS, 0x80000000},
		     {VYRE_QUEUE_SPAWNED, SPAWNED + 30},
		     {VYRE_QUEUE_SPAWNED, 0xFFFFFFFF}};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct rig rig;
		open_rig(&rig, "", 0);
		rig.queue[wrong[i].word] = wrong[i].value;
		const struct vyrec_interp_buffer buffers[] = {{"queue", rig.queue, vyre_queue_words(CELLS, SPAWNED)}};
		vyrec_interp_program(rig.module, 1, (const uint32_t[3]){1, 1, 1}, buffers, 1,
				     &(struct vyrec_interp_options){0}, &rig.result);
		assert_int_equal(rig.result.status, VYRE_FAULT);
		close_rig(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_slot_has_one_owner),	 cmocka_unit_test(rings_are_queues),
	    cmocka_unit_test(room_is_taken_once),	 cmocka_unit_test(spawned_slots_have_words),
	    cmocka_unit_test(wrong_headers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
