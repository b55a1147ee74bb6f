/* builtins_test.c - the built-in ops, each at its limits, on the interpreter and on the cpu device. */
#include "tests/passes/builtins_rig.h"

static const char set_text[] = "set demo {\n"
			       "  buffer sums: u32[]\n"
			       "  buffer dfa_table: const u32[]\n"
			       "  op add = 0x100 (value: u32, at: u32) by lane { atomic_add(sums[at], value) }\n"
			       "  op theirs = 0x40100005 (value: u32) by lane { atomic_add(sums[0], value) }\n"
			       "}\n";

enum { FIRST = VYRE_CONTROL_OBSERVABLES };

static struct rig demo;

/* ---- what they do ------------------------------------------------------------------------------------------------------- */

static void words_are_stored_added_and_loaded(void **state)
{
	struct image *m = image_new();
	(void)state;
	m->control[FIRST + 1] = 0xFFFFFFFF;
	const uint32_t *slots[] = {
	    put(m, VYRE_OPCODE_NOP, 0, 1, 2, 3),
	    put(m, VYRE_OPCODE_STORE_U32, 1, 0xDEADBEEF, FIRST, 0),
	    put(m, VYRE_OPCODE_STORE_U32, 1, 7, WORDS - 1, 0),
	    put(m, VYRE_OPCODE_ATOMIC_ADD, 2, 3, FIRST + 1, 0), /* wraps */
	    put(m, VYRE_OPCODE_LOAD_U32, 0, FIRST, 10, 0),
	    put(m, VYRE_OPCODE_LOAD_U32, 0, VYRE_CONTROL_CONTROL_WORDS, 11, 0), /* protected words are readable */
	    put(m, VYRE_OPCODE_LOAD_U32, 0, WORDS - 1, OBSERVABLES - 2, 0),
	};
	rig_run(&demo, m);
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
		assert_done(slots[i]);
	assert_int_equal(m->control[FIRST], 0xDEADBEEF);
	assert_int_equal(m->control[FIRST + 1], 2);
	assert_int_equal(m->control[FIRST + 10], 0xDEADBEEF);
	assert_int_equal(m->control[FIRST + 11], WORDS);
	assert_int_equal(m->control[WORDS - 1], 7);
	assert_int_equal(m->control[WORDS - 2], 7);
	assert_int_equal(slots[0][4], 1); /* arguments stay */
	static const uint32_t metrics[8] = {1, 2, 1, 3};
	assert_memory_equal(&m->control[VYRE_CONTROL_METRICS], metrics, sizeof metrics);
	assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 7);
	free(m);
}

static void compare_swap_says_what_was_there(void **state)
{
	struct image *m = image_new();
	(void)state;
	m->control[FIRST + 5] = 50;
	m->control[FIRST + 239] = 60;
	m->control[FIRST + 240] = 70;
	const uint32_t *hit = put(m, VYRE_OPCODE_COMPARE_SWAP, 0, FIRST + 5, 50, 51);
	const uint32_t *miss = put(m, VYRE_OPCODE_COMPARE_SWAP, 0, FIRST + 5, 50, 52);
	const uint32_t *last = put(m, VYRE_OPCODE_COMPARE_SWAP, 0, FIRST + 239, 60, 61);
	const uint32_t *none = put(m, VYRE_OPCODE_COMPARE_SWAP, 0, FIRST + 240, 70, 71);
	rig_run(&demo, m);
	assert_done(hit);
	assert_done(miss);
	assert_int_equal(hit[7], 50);
	assert_int_equal(miss[7], 51);
	assert_int_equal(m->control[FIRST + 5], 51);
	assert_int_equal(m->control[FIRST + FIRST + 5], 51); /* observable a0: the last previous value */
	assert_int_equal(last[7], 60);
	assert_int_equal(m->control[WORDS - 1], 60); /* observable 399 is the last one */
	assert_done(none);
	assert_int_equal(none[7], 70);
	assert_int_equal(m->control[FIRST + 240], 71);
	free(m);
}

static void memcpy_goes_upwards(void **state)
{
	struct image *m = image_new();
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		m->control[FIRST + i] = m->control[FIRST + 100 + i] = 10 + i;
	put(m, VYRE_OPCODE_MEMCPY, 0, FIRST, FIRST + 1, 7);	    /* the first word fills the range */
	put(m, VYRE_OPCODE_MEMCPY, 0, FIRST + 101, FIRST + 100, 7); /* a shift down keeps all */
	put(m, VYRE_OPCODE_MEMCPY, 0, 143, FIRST + 200, 2);	    /* from protected words */
	put(m, VYRE_OPCODE_MEMCPY, 0, WORDS - 4, WORDS - 8, 4);
	put(m, VYRE_OPCODE_MEMCPY, 0, 0, FIRST, 0);
	put(m, VYRE_OPCODE_MEMCPY, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0); /* nothing is touched */
	rig_run(&demo, m);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(m->control[FIRST + i], 10);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(m->control[FIRST + 100 + i], 11 + i);
	assert_int_equal(m->control[FIRST + 107], 17);
	assert_int_equal(m->control[FIRST + 200], WORDS);
	assert_int_equal(m->control[FIRST + 201], SLOTS);
	assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 6);
	assert_int_equal(m->control[VYRE_CONTROL_FAULT_COUNT], 0);
	free(m);
}

static void dfa_step_is_a_look_into_the_table(void **state)
{
	struct image *m = image_new();
	(void)state;
	const uint32_t *step = put(m, VYRE_OPCODE_DFA_STEP, 0, 1, 65, 0xFFFF);
	const uint32_t *last = put(m, VYRE_OPCODE_DFA_STEP, 0, 2, 255, 0);
	const uint32_t *wide = put(m, VYRE_OPCODE_DFA_STEP, 0, 0, 700, 0); /* the sum is what counts */
	const uint32_t *beyond = put(m, VYRE_OPCODE_DFA_STEP, 0, 3, 0, 0);
	const uint32_t *wraps = put(m, VYRE_OPCODE_DFA_STEP, 0, 0x01000000, 5, 0); /* 2^32 + 5 */
	const uint32_t *wraps_too = put(m, VYRE_OPCODE_DFA_STEP, 0, 1, 0xFFFFFF00, 0);
	rig_run(&demo, m);
	assert_done(step);
	assert_int_equal(step[6], (256 + 65) * 7 + 1);
	assert_int_equal(step[4], 1);
	assert_int_equal(step[5], 65);
	assert_int_equal(last[6], (TABLE - 1) * 7 + 1);
	assert_int_equal(wide[6], 700 * 7 + 1);
	assert_fault(beyond, VYRE_FAULT_OUT_OF_RANGE, TABLE);
	assert_fault(wraps, VYRE_FAULT_OUT_OF_RANGE, 5);
	assert_fault(wraps_too, VYRE_FAULT_OUT_OF_RANGE, 0);
	assert_int_equal(m->control[VYRE_CONTROL_METRICS + 6], 6);
	free(m);
}

static void no_table_no_dfa_step(void **state)
{
	static const char *const texts[] = {
	    "set demo { op nop = 8 () by lane { } }",
	    "set demo { buffer dfa_table: u8[]\n op see = 8 () by lane { result(0, length(dfa_table)) } }",
	};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		struct image *m = image_new();
		const uint32_t *step = put(m, VYRE_OPCODE_DFA_STEP, 0, 0, 0, 0);
		rig_open(&rig, texts[i]);
		rig_run(&rig, m);
		assert_fault(step, VYRE_FAULT_UNKNOWN_OPCODE, VYRE_OPCODE_DFA_STEP);
		rig_close(&rig);
		free(m);
	}
}

static void printf_appends_and_counts_what_finds_no_room(void **state)
{
	struct image *m = image_new();
	(void)state;
	for (unsigned i = 0; i < VYRE_DEBUG_RECORDS + 3; i++)
		put(m, VYRE_OPCODE_PRINTF, 0, 0x40000000 + i, i, ~i);
	rig_run(&demo, m);
	assert_int_equal(m->debug[0], 256);
	assert_memory_equal(m->debug + 1, ((uint32_t[]){0x40000000, 0, 0xFFFFFFFF, 0}), 16);
	assert_memory_equal(m->debug + 253, ((uint32_t[]){0x4000003F, 63, ~63u, 16 * 63}), 16);
	assert_int_equal(m->control[VYRE_CONTROL_DEBUG_DROPPED], 3);
	assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], VYRE_DEBUG_RECORDS + 3);
	free(m);
}

/* A cursor that vyre 0.6 or an enemy left behind: near 2^32 no sum may bring it back into the log. */
static void a_wild_cursor_is_a_full_log(void **state)
{
	static const uint32_t cursors[] = {253, 256, 257, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFD, 0xFFFFFFFF};
	(void)state;
	for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
		struct image *m = image_new();
		m->debug[0] = cursors[i];
		const uint32_t *slot = put(m, VYRE_OPCODE_PRINTF, 0, 1, 2, 3);
		rig_run(&demo, m);
		assert_done(slot);
		assert_int_equal(m->debug[0], cursors[i]);
		for (unsigned w = 1; w < VYRE_DEBUG_WORDS; w++)
			assert_int_equal(m->debug[w], 0);
		assert_int_equal(m->control[VYRE_CONTROL_DEBUG_DROPPED], 1);
		free(m);
	}
}

static void only_tenant_0_shuts_down(void **state)
{
	struct image *m = image_new();
	(void)state;
	const uint32_t *refused = put(m, VYRE_OPCODE_SHUTDOWN, 1, 0, 0, 0);
	const uint32_t *before = put(m, 0x100, 1, 5, 0, 0);
	const uint32_t *told = put(m, VYRE_OPCODE_SHUTDOWN, 0, 0, 0, 0);
	const uint32_t *after = put(m, 0x100, 1, 5, 0, 0);
	rig_run(&demo, m);
	assert_fault(refused, VYRE_FAULT_TENANT, 1);
	assert_done(before);
	assert_done(told);
	assert_int_equal(after[0], VYRE_SLOT_PUBLISHED);
	assert_int_equal(m->control[VYRE_CONTROL_SHUTDOWN], 1);
	assert_int_equal(m->sums[0], 5);
	free(m);
}

/* ---- what they refuse --------------------------------------------------------------------------------------------------- */

/* Runs the slot alone: it faults, and no word of control moves but those that count. */
static void assert_refused(uint32_t opcode, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t code, uint32_t detail)
{
	struct image *m = image_new(), *before = image_new();
	for (unsigned w = FIRST; w < WORDS; w++)
		m->control[w] = before->control[w] = w * 0x01010101;
	const uint32_t *slot = put(m, opcode, 1, a0, a1, a2);
	rig_run(&demo, m);
	assert_fault(slot, code, detail);
	before->control[VYRE_CONTROL_DONE_COUNT] = before->control[VYRE_CONTROL_FAULT_COUNT] = 1;
	before->control[VYRE_CONTROL_LAST_FAULT_CODE] = code;
	before->control[VYRE_CONTROL_METRICS + opcode] = 1;
	/* the slots feed counts claims by tenant, or does not yet: either is its own affair */
	before->control[VYRE_CONTROL_TENANT_FAIRNESS + 1] = m->control[VYRE_CONTROL_TENANT_FAIRNESS + 1];
	assert_memory_equal(m->control, before->control, sizeof m->control);
	free(m);
	free(before);
}

static const uint32_t outside[] = {WORDS, WORDS + 1, WORDS + FENCED, 0x7FFFFFFF, 0xFFFFFF60, 0xFFFFFFFF};

static void no_protected_word_is_written(void **state)
{
	static const uint32_t opcodes[] = {VYRE_OPCODE_STORE_U32, VYRE_OPCODE_ATOMIC_ADD, VYRE_OPCODE_COMPARE_SWAP};
	struct image *m = image_new(), *before = image_new();
	(void)state;
	for (uint32_t w = 0; w < FIRST; w++)
		for (unsigned k = 0; k < 3; k++)
			put(m, opcodes[k], 1, k == 2 ? w : 1, k == 2 ? before->control[w] : w, ~before->control[w]);
	rig_run(&demo, m);
	for (unsigned i = 0; i < 3 * FIRST; i++)
		assert_fault(&m->ring[16 * i], VYRE_FAULT_PROTECTED_WORD, i / 3);
	before->control[VYRE_CONTROL_DONE_COUNT] = before->control[VYRE_CONTROL_FAULT_COUNT] = 3 * FIRST;
	before->control[VYRE_CONTROL_LAST_FAULT_CODE] = VYRE_FAULT_PROTECTED_WORD;
	before->control[VYRE_CONTROL_LAST_FAULT_SLOT] = 3 * FIRST - 1;
	for (unsigned k = 0; k < 3; k++)
		before->control[VYRE_CONTROL_METRICS + opcodes[k]] = FIRST;
	before->control[VYRE_CONTROL_TENANT_FAIRNESS + 1] = m->control[VYRE_CONTROL_TENANT_FAIRNESS + 1];
	assert_memory_equal(m->control, before->control, sizeof m->control);
	free(m);
	free(before);
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
		assert_refused(VYRE_OPCODE_STORE_U32, 1, outside[i], 0, VYRE_FAULT_PROTECTED_WORD, outside[i]);
		assert_refused(VYRE_OPCODE_ATOMIC_ADD, 1, outside[i], 0, VYRE_FAULT_PROTECTED_WORD, outside[i]);
		assert_refused(VYRE_OPCODE_COMPARE_SWAP, outside[i], 0, 1, VYRE_FAULT_PROTECTED_WORD, outside[i]);
		assert_refused(VYRE_OPCODE_LOAD_U32, outside[i], 0, 0, VYRE_FAULT_PROTECTED_WORD, outside[i]);
	}
}

static void no_observable_beyond_the_end(void **state)
{
	(void)state;
	assert_refused(VYRE_OPCODE_LOAD_U32, 0, OBSERVABLES, 0, VYRE_FAULT_PROTECTED_WORD, WORDS);
	assert_refused(VYRE_OPCODE_LOAD_U32, 0, 0xFFFFFF5F, 0, VYRE_FAULT_PROTECTED_WORD, 0xFFFFFFFF);
	assert_refused(VYRE_OPCODE_LOAD_U32, 0, 0xFFFFFF60, 0, VYRE_FAULT_PROTECTED_WORD,
		       0xFFFFFFFF); /* 160 + a1 = 0 */
	assert_refused(VYRE_OPCODE_LOAD_U32, 0, 0xFFFFFFFF, 0, VYRE_FAULT_PROTECTED_WORD, 0xFFFFFFFF);
}

static void memcpy_stays_inside(void **state)
{
	static const struct {
		uint32_t from, to, count, code, detail;
	} rows[] = {
	    {0, FIRST, 65537, VYRE_FAULT_OUT_OF_RANGE, 65537},
	    {0, FIRST, 0xFFFFFFFF, VYRE_FAULT_OUT_OF_RANGE, 0xFFFFFFFF},
	    {0, FIRST, 65536, VYRE_FAULT_PROTECTED_WORD, WORDS},
	    {WORDS - 1, FIRST, 2, VYRE_FAULT_PROTECTED_WORD, WORDS},
	    {WORDS, FIRST, 1, VYRE_FAULT_PROTECTED_WORD, WORDS},
	    {WORDS + 9, FIRST, 1, VYRE_FAULT_PROTECTED_WORD, WORDS + 9},
	    {0xFFFFFFFF, FIRST, 2, VYRE_FAULT_PROTECTED_WORD, 0xFFFFFFFF}, /* the end wraps to 1 */
	    {0, FIRST - 1, 1, VYRE_FAULT_PROTECTED_WORD, FIRST - 1},
	    {FIRST, 0, 400, VYRE_FAULT_PROTECTED_WORD, 0},
	    {0, WORDS - 1, 2, VYRE_FAULT_PROTECTED_WORD, WORDS},
	    {0, WORDS, 1, VYRE_FAULT_PROTECTED_WORD, WORDS},
	    {0, 0xFFFFFFFF, 2, VYRE_FAULT_PROTECTED_WORD, 0xFFFFFFFF},
	    {0, 0xFFFFFF00, 256, VYRE_FAULT_PROTECTED_WORD, 0xFFFFFF00},
	    {0, FIRST, WORDS + 1, VYRE_FAULT_PROTECTED_WORD, WORDS},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_refused(VYRE_OPCODE_MEMCPY, rows[i].from, rows[i].to, rows[i].count, rows[i].code,
			       rows[i].detail);
}

/* Whatever CONTROL_WORDS says, the buffer's end comes first; and below 160 nothing can be written. */
static void the_end_is_the_nearer_one(void **state)
{
	static const struct {
		uint32_t said, length, last;
	} rows[] = {{0xFFFFFFFF, WORDS, WORDS - 1},
		    {200, WORDS, 199},
		    {160, WORDS, 0},
		    {100, WORDS, 0},
		    {0, WORDS, 0},
		    {WORDS, 160, 0}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct image *m = image_new();
		m->control[VYRE_CONTROL_CONTROL_WORDS] = rows[i].said;
		const uint32_t *good = put(m, VYRE_OPCODE_STORE_U32, 0, 9, rows[i].last ? rows[i].last : FIRST, 0);
		const uint32_t *bad =
		    put(m, VYRE_OPCODE_STORE_U32, 0, 9, rows[i].last + 1 > FIRST ? rows[i].last + 1 : FIRST, 0);
		const uint32_t *load = put(m, VYRE_OPCODE_LOAD_U32, 0, 2, rows[i].last ? rows[i].last - FIRST : 0, 0);
		const uint32_t *over =
		    put(m, VYRE_OPCODE_LOAD_U32, 0, 2, rows[i].last ? rows[i].last - FIRST + 1 : 1, 0);
		rig_once(&demo, m, rows[i].length);
		assert_int_equal(good[0], rows[i].last ? VYRE_SLOT_DONE : VYRE_SLOT_FAULT);
		assert_int_equal(bad[0], VYRE_SLOT_FAULT);
		assert_int_equal(load[0], rows[i].last ? VYRE_SLOT_DONE : VYRE_SLOT_FAULT);
		assert_int_equal(over[0], VYRE_SLOT_FAULT);
		if (rows[i].last)
			assert_int_equal(m->control[rows[i].last], 3);
		free(m);
	}
}

static void unknown_opcodes_and_windows(void **state)
{
	struct image *m = image_new();
	(void)state;
	static const uint32_t unknown[] = {8, 31, 0xFFEF, 0xFFF0, 0xFFFF, 0x80000000, 0xFFFFFFFE, 0x3FFFFFFF};
	const uint32_t *slots[8];
	for (unsigned i = 0; i < 8; i++)
		slots[i] = put(m, unknown[i], 1, 7, 7, 7);
	const uint32_t *mine = put(m, 0x40100005, 1, 3, 0, 0);
	const uint32_t *theirs = put(m, 0x40100005, 2, 3, 0, 0);
	const uint32_t *systems = put(m, 0x40100005, 0, 3, 0, 0);
	const uint32_t *not_there = put(m, 0x40100006, 1, 3, 0, 0);
	const uint32_t *not_mine = put(m, 0x40200000, 1, 3, 0, 0);
	rig_run(&demo, m);
	for (unsigned i = 0; i < 8; i++)
		assert_fault(slots[i], VYRE_FAULT_UNKNOWN_OPCODE, unknown[i]);
	assert_done(mine);
	assert_fault(theirs, VYRE_FAULT_TENANT, 2);
	assert_fault(systems, VYRE_FAULT_TENANT, 0);
	assert_fault(not_there, VYRE_FAULT_UNKNOWN_OPCODE, 0x40100006);
	assert_fault(not_mine, VYRE_FAULT_TENANT, 1);
	assert_int_equal(m->sums[0], 3);
	free(m);
}

/* ---- buffers of vyre 0.6 ------------------------------------------------------------------------------------------------ */

/* ABI_VERSION 0: the buffer's own length is the limit. */
static void an_ancestors_buffer_runs(void **state)
{
	struct image *m = image_new();
	(void)state;
	memset(m->control, 0, 4 * WORDS);
	assert_int_equal(vyre_control_encode_ancestor(m->control, 4 * WORDS, 0, 2, OBSERVABLES), VYRE_LENGTH_NONE);
	const uint32_t *good[] = {
	    put(m, VYRE_OPCODE_STORE_U32, 0, 9, WORDS - 1, 0),
	    put(m, VYRE_OPCODE_ATOMIC_ADD, 1, 2, FIRST, 0),
	    put(m, VYRE_OPCODE_LOAD_U32, 0, 2, 1, 0),
	    put(m, VYRE_OPCODE_MEMCPY, 0, FIRST, FIRST + 2, 2),
	    put(m, VYRE_OPCODE_PRINTF, 1, 5, 6, 7),
	};
	const uint32_t *over = put(m, VYRE_OPCODE_STORE_U32, 0, 9, WORDS, 0);
	const uint32_t *mask = put(m, VYRE_OPCODE_STORE_U32, 0, 9, 5, 0);
	const uint32_t *masked = put(m, VYRE_OPCODE_STORE_U32, 2, 9, FIRST + 9, 0);
	rig_once(&demo, m, WORDS);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_done(good[i]);
	assert_fault(over, VYRE_FAULT_PROTECTED_WORD, WORDS);
	assert_fault(mask, VYRE_FAULT_PROTECTED_WORD, 5);
	assert_int_equal(masked[0], VYRE_SLOT_PUBLISHED);
	assert_int_equal(m->control[WORDS - 1], 9);
	static const uint32_t observables[4] = {2, 3, 2, 3};
	assert_memory_equal(&m->control[FIRST], observables, 16);
	assert_int_equal(m->debug[0], 4);
	assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 7);
	free(m);
	m = image_new(); /* 640 bytes, as its programs declare: no observables at all */
	memset(m->control, 0, 4 * WORDS);
	assert_int_equal(vyre_control_encode_ancestor(m->control, 640, 0, 2, 0), VYRE_LENGTH_NONE);
	over = put(m, VYRE_OPCODE_LOAD_U32, 0, 2, 0, 0);
	mask = put(m, VYRE_OPCODE_STORE_U32, 0, 9, FIRST, 0);
	rig_once(&demo, m, FIRST);
	assert_fault(over, VYRE_FAULT_PROTECTED_WORD, FIRST);
	assert_fault(mask, VYRE_FAULT_PROTECTED_WORD, FIRST);
	for (unsigned w = FIRST; w < WORDS; w++)
		assert_int_equal(m->control[w], 0);
	free(m);
}

/* The most that one MEMCPY moves. */
static void sixty_four_kilowords_at_once(void **state)
{
	enum { LONG = VYRE_CONTROL_OBSERVABLES + 2 * VYRE_MEMCPY_WORDS };
	struct image *m = image_new();
	uint32_t *words = calloc(LONG, 4), fault[2];
	struct vyrec_interp_buffer buffers[7];
	(void)state;
	assert_non_null(words);
	vyre_control_encode_ancestor(words, 4 * LONG, 0, 1, LONG - FIRST);
	for (unsigned i = 0; i < VYRE_MEMCPY_WORDS; i++)
		words[FIRST + i] = i * 3 + 1;
	const uint32_t *slot = put(m, VYRE_OPCODE_MEMCPY, 0, FIRST, LONG - VYRE_MEMCPY_WORDS, VYRE_MEMCPY_WORDS);
	const uint32_t *more = put(m, VYRE_OPCODE_MEMCPY, 0, FIRST, LONG - VYRE_MEMCPY_WORDS, VYRE_MEMCPY_WORDS + 1);
	image_buffers(m, LONG, buffers);
	buffers[0].data = words;
	if (!cpu_run_program(&demo.cpu, "demo", (uint32_t[]){1, 1, 1}, buffers, 7, fault))
		fail_msg("%s", demo.cpu.message);
	assert_done(slot);
	assert_fault(more, VYRE_FAULT_OUT_OF_RANGE, VYRE_MEMCPY_WORDS + 1);
	assert_int_equal(words[LONG - 1], (VYRE_MEMCPY_WORDS - 1) * 3 + 1);
	assert_int_equal(words[LONG - VYRE_MEMCPY_WORDS], 1);
	free(words);
	free(m);
}

/* Every sum arrives, and of a hundred swaps of one word from 0 one has found it. */
static void many_workers_at_once(void **state)
{
	const struct vyrec_interp_options options = {.seed = 9, .step_limit = 20000000};
	const uint32_t three[3] = {3, 1, 1};
	(void)state;
	for (int native = 0; native < 2; native++) {
		struct image *m = image_new();
		struct vyrec_interp_buffer buffers[7];
		struct vyrec_interp_result result;
		uint32_t fault[2], found = 0, winner = 0;
		for (unsigned i = 0; i < 200; i++)
			put(m, VYRE_OPCODE_ATOMIC_ADD, i % 3, i, FIRST, 0);
		for (unsigned i = 0; i < 100; i++)
			put(m, VYRE_OPCODE_COMPARE_SWAP, i % 3, FIRST + 1, 0, i + 1);
		m->launch[VYRE_LAUNCH_WORKERS] = 3;
		image_buffers(m, WORDS, buffers);
		if (native)
			assert_true(cpu_run_program(&demo.cpu, "demo", three, buffers, 7, fault));
		else
			vyrec_interp_program(demo.module, 1, three, buffers, 7, &options, &result);
		for (unsigned i = 200; i < 300; i++)
			if (m->ring[16 * i + 7] == 0) {
				found++;
				winner = m->ring[16 * i + 6];
			}
		assert_int_equal(m->control[FIRST], 199 * 200 / 2);
		assert_int_equal(m->control[VYRE_CONTROL_DONE_COUNT], 300);
		assert_int_equal(m->control[VYRE_CONTROL_METRICS + VYRE_OPCODE_ATOMIC_ADD], 200);
		assert_int_equal(found, 1);
		assert_int_equal(m->control[FIRST + 1], winner);
		free(m);
	}
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
	    cmocka_unit_test(words_are_stored_added_and_loaded),
	    cmocka_unit_test(compare_swap_says_what_was_there),
	    cmocka_unit_test(memcpy_goes_upwards),
	    cmocka_unit_test(dfa_step_is_a_look_into_the_table),
	    cmocka_unit_test(no_table_no_dfa_step),
	    cmocka_unit_test(printf_appends_and_counts_what_finds_no_room),
	    cmocka_unit_test(a_wild_cursor_is_a_full_log),
	    cmocka_unit_test(only_tenant_0_shuts_down),
	    cmocka_unit_test(no_protected_word_is_written),
	    cmocka_unit_test(no_observable_beyond_the_end),
	    cmocka_unit_test(memcpy_stays_inside),
	    cmocka_unit_test(the_end_is_the_nearer_one),
	    cmocka_unit_test(unknown_opcodes_and_windows),
	    cmocka_unit_test(an_ancestors_buffer_runs),
	    cmocka_unit_test(sixty_four_kilowords_at_once),
	    cmocka_unit_test(many_workers_at_once),
	};
	return cmocka_run_group_tests(tests, open_demo, close_demo);
}
