/* packed_test.c - packed slots on the device against the host's decoder. */
#include "tests/passes/builtins_rig.h"

/* mark and deep write what they were given behind one another: sums[0] counts the words. */
static const char set_text[] = "set demo {\n"
			       "  buffer sums: u32[]\n"
			       "  buffer dfa_table: const u32[]\n"
			       "  op mark = 8 (a: u32, b: u32, c: u32) by lane {\n"
			       "    let at = atomic_add(sums[0], 4)\n"
			       "    sums[at + 1] = 8\n"
			       "    sums[at + 2] = a\n"
			       "    sums[at + 3] = b\n"
			       "    sums[at + 4] = c\n"
			       "    result(0, 0xBAD)\n"
			       "    if a == 77 { return }\n"
			       "    result(3, 0xBAD)\n"
			       "  }\n"
			       "  op deep = 255 (k: u32) by lane {\n"
			       "    let at = atomic_add(sums[0], 4)\n"
			       "    sums[at + 1] = opcode\n"
			       "    sums[at + 2] = arg[k]\n"
			       "    sums[at + 3] = arg[11] + tenant * 256 + priority\n"
			       "    sums[at + 4] = slot\n"
			       "  }\n"
			       "  op fail = 9 (code: u32) by lane { trap(code) }\n"
			       "  op note = 11 (a: u32) by lane { log(3, a, slot) }\n"
			       "  op scratch = 12 (x: u32) by lane {\n"
			       "    shared s: u32[4]\n"
			       "    let at = atomic_add(sums[0], 4)\n"
			       "    sums[at + 1] = 12\n"
			       "    sums[at + 2] = s[1]\n"
			       "    s[1] = x\n"
			       "  }\n"
			       "  op wide = 31 (a: u64, b: bool) by lane {\n"
			       "    let at = atomic_add(sums[0], 4)\n"
			       "    sums[at + 1] = u32(a >> u64(32))\n"
			       "    sums[at + 2] = u32(b)\n"
			       "    result(4, a)\n"
			       "  }\n"
			       "  op far = 256 () by lane { result(0, 1) }\n"
			       "}\n";

static const uint32_t set_opcodes[] = {0, 1, 2, 3, 4, 5, 6, 8, 255, 9, 11, 12, 31};

static struct rig demo;

static uint32_t *put_packed(struct image *m, uint32_t tenant, const struct vyre_packed_op *ops, uint32_t count)
{
	uint32_t words[12];
	assert_int_equal(vyre_packed_encode(ops, count, NULL, words), VYRE_PACKED_NONE);
	return put_words(m, VYRE_OPCODE_PACKED_SLOT, tenant, words);
}

/* ---- what runs ---------------------------------------------------------------------------------------------------------- */

static void all_of_its_ops_run_in_order(void **state)
{
	static const uint32_t counts[] = {0, 1, 4, 6, 23}, args[12] = {5, 6, 7, 8, 9, 10};
	(void)state;
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		struct image *m = image_new();
		struct vyre_packed_op ops[23];
		uint32_t n = counts[c], before[12];
		for (uint32_t i = 0; i < n; i++)
			ops[i] = (struct vyre_packed_op){8, args + i % 6, n <= 6 ? 1 : 0};
		uint32_t *slot = put_packed(m, 1, ops, n);
		memcpy(before, slot + 4, sizeof before);
		rig_run(&demo, m);
		assert_done(slot);
		assert_memory_equal(slot + 4, before, sizeof before); /* results go nowhere */
		assert_int_equal(m->sums[0], 4 * n);
		for (uint32_t i = 0; i < n; i++) {
			/* behind its own one, an op sees its neighbour's arguments, and 0 behind the last */
			uint32_t want[4] = {8};
			for (uint32_t k = 0; k < 3 && n <= 6; k++)
				want[1 + k] = i + k < n ? args[i + k] : 0;
			assert_memory_equal(&m->sums[4 * i + 1], want, 16);
		}
		assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 1);
		assert_int_equal(m->control[VYRE_CONTROL_METRICS + 8], n);
		free(m);
	}
}

static void the_slots_words_are_there(void **state)
{
	static const uint32_t args[3] = {1, 0x55, 0xABCD};
	const struct vyre_packed_op ops[] = {{255, args, 3}, {31, args + 1, 2}};
	struct image *m = image_new();
	(void)state;
	put(m, 0, 0, 0, 0, 0);
	uint32_t *slot = put_packed(m, 2, ops, 2);
	slot[3] = VYRE_PRIORITY_IDLE;
	rig_run(&demo, m);
	assert_done(slot);
	/* arg[11] is 0: there are five argument words */
	assert_memory_equal(m->sums, ((uint32_t[]){8, 255, 0x55, 2 * 256 + 4, 1, 0xABCD, 0}), 28);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 31], 1);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 0], 1);
	free(m);
}

static void built_in_ops_inside(void **state)
{
	static const uint32_t store[2] = {77, 160}, add[2] = {3, 160}, load[2] = {160, 5}, swap[3] = {160, 80, 81};
	static const uint32_t copy[3] = {160, 170, 1}, step[2] = {1, 65};
	const struct vyre_packed_op first[] = {{1, store, 2}, {2, add, 2}, {3, load, 2}},
				    second[] = {{8, step, 1}, {4, swap, 3}, {5, copy, 3}},
				    third[] = {{6, step, 2}, {0, NULL, 0}, {11, add, 1}};
	struct image *m = image_new();
	(void)state;
	put_packed(m, 1, first, 3);
	uint32_t *swapped = put_packed(m, 1, second, 3), *stepped = put_packed(m, 1, third, 3), before[2][12];
	memcpy(before[0], swapped + 4, 48);
	memcpy(before[1], stepped + 4, 48);
	rig_run(&demo, m);
	assert_int_equal(m->control[VYRE_CONTROL_FAULT_COUNT], 0);
	assert_int_equal(m->control[165], 80);
	assert_int_equal(m->control[160], 81);
	assert_int_equal(m->control[320], 80); /* observable 160: an effect, and no result */
	assert_int_equal(m->control[170], 81);
	assert_memory_equal(swapped + 4, before[0], 48);
	assert_memory_equal(stepped + 4, before[1], 48);
	assert_memory_equal(m->debug, ((uint32_t[]){4, 3, 3, 2, 32}), 20);
	for (unsigned op = 0; op < 7; op++)
		assert_int_equal(m->control[VYRE_CONTROL_METRICS + op], 1);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 11], 1);
	assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 3);
	free(m);
}

static void every_op_starts_with_zeroes(void **state)
{
	static const uint32_t args[2] = {0x1234, 0x5678};
	const struct vyre_packed_op ops[] = {{12, args, 1}, {12, args + 1, 1}, {8, NULL, 0}};
	struct image *m = image_new();
	(void)state;
	put_packed(m, 1, ops, 3);
	rig_run(&demo, m);
	assert_int_equal(m->sums[2], 0);
	assert_int_equal(m->sums[6], 0); /* shared memory of the second run, too */
	assert_memory_equal(&m->sums[9], ((uint32_t[]){8, 0, 0, 0}), 16);
	free(m);
}

static void a_fault_inside_ends_the_slot(void **state)
{
	static const uint32_t code[1] = {42}, store[2] = {9, 5};
	const struct vyre_packed_op traps[] = {{8, NULL, 0}, {9, code, 1}, {8, NULL, 0}},
				    writes[] = {{8, NULL, 0}, {1, store, 2}};
	struct image *m = image_new();
	(void)state;
	const uint32_t *trapped = put_packed(m, 1, traps, 3), *written = put_packed(m, 1, writes, 2);
	rig_run(&demo, m);
	assert_fault(trapped, VYRE_FAULT_TRAP, 42);
	assert_fault(written, VYRE_FAULT_PROTECTED_WORD, 5);
	assert_int_equal(m->sums[0], 8);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 8], 2);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 9], 1);
	assert_int_equal(m->control[5], 0xFFFFFFFF);
	free(m);
}

/* ---- what does not run --------------------------------------------------------------------------------------------------- */

static void malformed_ones_run_nothing(void **state)
{
	static const struct {
		uint32_t first, second, detail;
	} rows[] = {
	    {0x00080018, 0x00080008, 24},				/* 24 ops */
	    {0x000800FF, 0x00080008, 255}, {0x00080C01, 0, 12},		/* 1 metadata word and 12 */
	    {0x0008FF01, 0, 255},	   {0x00080117, 0x00080008, 1}, /* 12 metadata words and 1 */
	    {0x00080002, 0x00000007, 7},				/* mark, then BATCH_FENCE */
	    {0x00080002, 0x0000000A, 10},				/* mark, then nobody's */
	    {0x00080002, 0x000000FE, 254}, {0x00FE0001, 0, 254},
	};
	struct image *m = image_new();
	const uint32_t *slots[sizeof rows / sizeof *rows];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		slots[i] = put(m, VYRE_OPCODE_PACKED_SLOT, 1, rows[i].first, rows[i].second, 0x00080008);
	rig_run(&demo, m);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_fault(slots[i], VYRE_FAULT_PACKED, rows[i].detail);
	assert_int_equal(m->sums[0], 0);
	for (unsigned op = 0; op < 32; op++)
		assert_int_equal(m->control[VYRE_CONTROL_METRICS + op], 0);
	free(m);
}

/* ---- host and device decode the same --------------------------------------------------------------------------------------- */

static void known_opcodes(uint32_t known[8])
{
	memset(known, 0, 32);
	for (size_t i = 0; i < sizeof set_opcodes / sizeof *set_opcodes; i++)
		known[set_opcodes[i] / 32] |= 1u << set_opcodes[i] % 32;
}

/* What mark and deep write for a slot whose words the host decodes; the other ops do not occur. */
static void expect_packed(const uint32_t *words, const uint32_t *known, uint32_t slot_index, uint32_t *sums,
			  unsigned *sound)
{
	struct vyre_packed packed;
	if (vyre_packed_decode(words, known, &packed))
		return;
	++*sound;
	for (uint32_t i = 0; i < packed.ops; i++) {
		uint32_t opcode = vyre_packed_opcode(words, i), k = vyre_packed_arg(words, &packed, i, 0), at = sums[0];
		const uint32_t mark[4] = {8, k, vyre_packed_arg(words, &packed, i, 1),
					  vyre_packed_arg(words, &packed, i, 2)};
		const uint32_t deep[4] = {255, k < 12 ? vyre_packed_arg(words, &packed, i, k) : 0,
					  vyre_packed_arg(words, &packed, i, 11) + 256 + 2, slot_index};
		if (opcode == 0)
			continue;
		memcpy(&sums[at + 1], opcode == 8 ? mark : deep, 16);
		sums[0] += 4;
	}
}

/* Twelve words of which a third are sound: counts near their limits, opcodes 0, 8, 255 and now and then another. */
static void random_words(uint64_t *seed, uint32_t words[12])
{
	static const uint8_t opcodes[16] = {8, 8, 8, 255, 255, 0, 8, 255, 8, 8, 255, 0, 8, 255, 8, 7};
	uint8_t bytes[48];
	for (unsigned i = 0; i < 48; i++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint8_t r = (uint8_t)(*seed >> 40);
		bytes[i] = i == 0	? r % 26
			   : i == 1	? r % 9
			   : i % 2 == 0 ? opcodes[r % 64 < 48 ? r % 15 : r % 16]
					: r % 14;
	}
	memcpy(words, bytes, 48);
}

static void host_and_device_decode_the_same(void **state)
{
	uint64_t seed = 17;
	unsigned sound = 0, refused = 0;
	uint32_t known[8];
	(void)state;
	known_opcodes(known);
	for (unsigned round = 0; round < 20; round++) {
		struct image *m = image_new();
		uint32_t *sums = calloc(SUMS, 4);
		assert_non_null(sums);
		for (unsigned i = 0; i < 80; i++) {
			uint32_t words[12];
			random_words(&seed, words);
			put_words(m, VYRE_OPCODE_PACKED_SLOT, 1, words);
			expect_packed(words, known, i, sums, &sound);
		}
		assert_true(sums[0] < SUMS - 4);
		uint32_t *before = malloc(sizeof m->ring);
		assert_non_null(before);
		memcpy(before, m->ring, sizeof m->ring);
		rig_run(&demo, m);
		assert_memory_equal(m->sums, sums, 4 * SUMS);
		for (unsigned i = 0; i < 80; i++) {
			struct vyre_packed packed;
			bool good = !vyre_packed_decode(&before[16 * i + 4], known, &packed);
			assert_int_equal(m->ring[16 * i], good ? VYRE_SLOT_DONE : VYRE_SLOT_FAULT);
			if (!good)
				assert_int_equal(m->ring[16 * i + 4], VYRE_FAULT_PACKED);
			refused += !good;
		}
		free(before);
		free(sums);
		free(m);
	}
	assert_true(sound > 200 && refused > 200);
}

static int open_demo(void **state)
{
	(void)state;
	rig_open(&demo, set_text);
	return 0;
}

static int close_demo(void **state)
{
	(void)state;
	rig_close(&demo);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_of_its_ops_run_in_order),
	    cmocka_unit_test(the_slots_words_are_there),
	    cmocka_unit_test(built_in_ops_inside),
	    cmocka_unit_test(every_op_starts_with_zeroes),
	    cmocka_unit_test(a_fault_inside_ends_the_slot),
	    cmocka_unit_test(malformed_ones_run_nothing),
	    cmocka_unit_test(host_and_device_decode_the_same),
	};
	return cmocka_run_group_tests(tests, open_demo, close_demo);
}
