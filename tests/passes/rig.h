/* rig.h - what the tests of single passes share: text in, text out; and the interpreter before and after.
 *
 * `same` runs every op of a set on the interpreter as written, at several widths where the width is free, and again
 * after passes, on the same slots and buffers, and compares every result word and every byte of every buffer.
 */
#ifndef VYRE_TESTS_PASSES_RIG_H
#define VYRE_TESTS_PASSES_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "runtime/abi/ring.h"

enum { RIG_SLOTS = 6, RIG_BUFFERS = 20 };

static uint32_t rig_elements = 100; /* of a buffer that declares no length */

static inline struct vyrec_pass_options rig_options(void)
{
	return (struct vyrec_pass_options){.level = 2, .keep_sets = true, .one_lane = true, .audit = true};
}

static inline struct vyrec_module *rig_parse(const char *text)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("test.vyre", text, strlen(text), &diags);
	if (!m || !vyrec_verify(m, &diags)) {
		vyrec_diags_print(&diags, "test.vyre", text, strlen(text), stderr);
		fail_msg("the test's own text is wrong");
	}
	vyrec_diags_finish(&diags);
	return m;
}

/* Runs one pass, or the pipeline for VYREC_PASS_COUNT. */
static inline void rig_run(struct vyrec_module *m, vyrec_pass pass, const struct vyrec_pass_options *options)
{
	struct vyrec_diags diags = {0};
	bool ok = pass == VYREC_PASS_COUNT ? vyrec_run_pipeline(m, options, &diags, NULL)
					   : vyrec_run_pass(m, pass, options, &diags);
	if (!ok) {
		size_t bytes;
		char *text = vyrec_print(m, 0, &bytes);
		fputs(text, stderr);
		vyrec_diags_print(&diags, "test.vyre", NULL, 0, stderr);
		free(text);
		fail_msg("pass %s failed", pass == VYREC_PASS_COUNT ? "pipeline" : vyrec_pass_name(pass));
	}
	vyrec_diags_finish(&diags);
}

/* The text after passes, a list that ends with -1; free it. It must parse and print to itself. */
static inline char *rig_after(const char *text, const struct vyrec_pass_options *options, const int *passes)
{
	struct vyrec_module *m = rig_parse(text);
	size_t bytes, again;
	for (; *passes >= 0; passes++)
		rig_run(m, *passes, options);
	char *after = vyrec_print(m, 0, &bytes);
	vyrec_module_destroy(m);
	m = rig_parse(after);
	char *second = vyrec_print(m, 0, &again);
	assert_string_equal(second, after);
	free(second);
	vyrec_module_destroy(m);
	return after;
}
#define RIG_PASSES(...) ((const int[]){__VA_ARGS__, -1})

/* Every line of `want` stands in the text in this order, without its indentation; "!" in front: the text that follows
 * stands nowhere in it. */
static inline void rig_expect(char *text, const char *const *want)
{
	const char *at = text;
	for (; *want; want++) {
		if (**want == '!') {
			if (strstr(text, *want + 1))
				fail_msg("did not expect `%s` in\n%s", *want + 1, text);
			continue;
		}
		const char *found = strstr(at, *want);
		if (!found)
			fail_msg("expected `%s` in\n%s", *want, at);
		at = found + strlen(*want);
	}
	free(text);
}
#define RIG_EXPECT(text, ...) rig_expect(text, (const char *const[]){__VA_ARGS__, NULL})

/* ---- on the interpreter ------------------------------------------------------------------------------------------------ */

struct rig_state {
	struct vyrec_interp_slot slots[256 * RIG_SLOTS];
	struct vyrec_interp_buffer buffers[RIG_BUFFERS];
	size_t bytes[RIG_BUFFERS];
	uint32_t slot_count, buffer_count;
};

static inline uint32_t rig_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)(z >> 32);
}

/* Arguments are mostly small, now and then at the edges of u32. */
static inline uint32_t rig_argument(uint64_t *state)
{
	uint32_t r = rig_random(state);
	return r % 8 == 0 ? 0xfffffff0u + rig_random(state) % 16 : r % 8 == 1 ? r : rig_random(state) % 40;
}

static inline void rig_fill(struct rig_state *st, const struct vyrec_module *m, vyrec_unit unit, uint64_t seed)
{
	const struct vyrec_unit_node *u = &m->units[unit];
	memset(st, 0, sizeof *st);
	for (uint32_t i = 0; i < u->item_count; i++) {
		const uint32_t *item = &m->refs[u->items + 2 * i];
		if (item[0] == VYREC_ITEM_BUFFER) {
			const struct vyrec_array_node *a = &m->arrays[item[1]];
			uint32_t count = a->count ? a->count : rig_elements, b = st->buffer_count++;
			st->bytes[b] = (size_t)count * vyrec_type_bytes(a->element);
			uint8_t *data = malloc(st->bytes[b] + 4);
			for (size_t k = 0; k < st->bytes[b]; k++)
				data[k] = (uint8_t)(rig_random(&seed) % (a->element == VYREC_U8 ? 8 : 256));
			st->buffers[b] = (struct vyrec_interp_buffer){vyrec_name_text(m, a->name), data, count};
		} else if (item[0] == VYREC_ITEM_HANDLER) {
			for (unsigned k = 0; k < RIG_SLOTS; k++) {
				uint32_t *words = st->slots[st->slot_count++].words;
				words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
				words[VYRE_SLOT_WORD_OPCODE] = m->handlers[item[1]].opcode;
				words[VYRE_SLOT_WORD_TENANT] = k;
				words[VYRE_SLOT_WORD_PRIORITY] = k % 5;
				for (unsigned w = 0; w < VYRE_SLOT_ARGS; w++)
					words[VYRE_SLOT_WORD_ARG0 + w] = rig_argument(&seed);
			}
		}
	}
}

static inline void rig_free(struct rig_state *st)
{
	for (uint32_t i = 0; i < st->buffer_count; i++)
		free(st->buffers[i].data);
}

static inline void rig_interpret(struct vyrec_module *m, vyrec_unit unit, struct rig_state *st, uint32_t lanes,
				 uint64_t seed, vyrec_policy bounds)
{
	static const uint32_t workgroups[3] = {3, 2, 1};
	struct vyrec_interp_options options = {.lanes = lanes, .seed = seed, .bounds = bounds};
	static struct vyrec_interp_result result;
	if (m->units[unit].kind == VYRE_UNIT_SET)
		vyrec_interp_slots(m, unit, st->slots, st->slot_count, st->buffers, st->buffer_count, &options,
				   &result);
	else
		vyrec_interp_program(m, unit, workgroups, st->buffers, st->buffer_count, &options, &result);
	if (result.status != VYRE_OK && result.status != VYRE_FAULT) {
		size_t bytes;
		char *text = vyrec_print(m, 0, &bytes);
		fail_msg("the interpreter gave up: %s\n%s", result.message, text);
	}
}

static inline void rig_compare(const struct vyrec_module *m, const struct rig_state *a, const struct rig_state *b)
{
	size_t bytes, at = 0;
	uint32_t buffer = 0, slot = 0;
	while (slot < a->slot_count && !memcmp(&a->slots[slot], &b->slots[slot], sizeof a->slots[slot]))
		slot++;
	while (buffer < a->buffer_count && !memcmp(a->buffers[buffer].data, b->buffers[buffer].data, a->bytes[buffer]))
		buffer++;
	if (slot == a->slot_count && buffer == a->buffer_count)
		return;
	char *text = vyrec_print(m, 0, &bytes);
	fputs(text, stderr);
	if (slot < a->slot_count) {
		for (unsigned w = 0; w < VYRE_SLOT_WORDS; w++)
			fprintf(stderr, "word %2u: %08x %08x\n", w, a->slots[slot].words[w], b->slots[slot].words[w]);
		fail_msg("slot %u differs after the passes", slot);
	}
	while (((uint8_t *)a->buffers[buffer].data)[at] == ((uint8_t *)b->buffers[buffer].data)[at])
		at++;
	fail_msg("buffer %s differs at byte %zu", a->buffers[buffer].name, at);
}

/* The text means the same after the passes (a list that ends with -1). `lanes`: of ops by workgroup of any width. */
static inline void rig_same(const char *text, const struct vyrec_pass_options *options, const int *passes,
			    uint32_t lanes, uint32_t rounds)
{
	struct vyrec_module *before = rig_parse(text), *after = rig_parse(text);
	static struct rig_state a, b;
	for (; *passes >= 0; passes++)
		rig_run(after, *passes, options);
	for (vyrec_unit unit = 1; unit < before->unit_count; unit++)
		for (uint32_t round = 0; round < rounds; round++) {
			rig_fill(&a, before, unit, 7 * round + unit);
			rig_fill(&b, before, unit, 7 * round + unit);
			rig_interpret(before, unit, &a, lanes, round, options->bounds);
			rig_interpret(after, unit, &b, 1, round, options->bounds);
			rig_compare(after, &a, &b);
			rig_free(&a);
			rig_free(&b);
		}
	vyrec_module_destroy(before);
	vyrec_module_destroy(after);
}

#endif
