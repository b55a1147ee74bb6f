/* interp_rig.h - what the tests of the interpreter share: source text in, a result out. */
#ifndef VYRE_TESTS_INTERP_RIG_H
#define VYRE_TESTS_INTERP_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "runtime/abi/ring.h"

/* A set with one buffer. */
#define SET(ops) "set s {\n buffer out : u32[]\n" ops "\n}\n"

struct rig {
	struct vyrec_module *module;
	struct vyrec_interp_buffer buffers[8];
	uint32_t buffer_count;
	struct vyrec_interp_options options;
	struct vyrec_interp_result result;
	struct vyrec_interp_slot slots[64];
	uint32_t slot_count;
};

static inline struct rig rig_parse(const char *text)
{
	struct vyrec_diags diags = {0};
	struct rig rig = {.module = vyrec_parse("test.vyre", text, strlen(text), &diags)};
	if (!rig.module || !vyrec_verify(rig.module, &diags)) {
		vyrec_diags_print(&diags, "test.vyre", text, strlen(text), stderr);
		fail_msg("the test's own text is refused");
	}
	vyrec_diags_finish(&diags);
	rig.options.detect_races = true;
	return rig;
}

/* For programs that the verifier refuses, to see what the interpreter itself says. */
static inline struct rig rig_parse_unverified(const char *text)
{
	struct vyrec_diags diags = {0};
	struct rig rig = {.module = vyrec_parse("test.vyre", text, strlen(text), &diags)};
	if (!rig.module)
		vyrec_diags_print(&diags, "test.vyre", text, strlen(text), stderr);
	assert_non_null(rig.module);
	vyrec_diags_finish(&diags);
	rig.options.detect_races = true;
	return rig;
}

static inline void rig_close(struct rig *rig)
{
	vyrec_module_destroy(rig->module);
}

static inline void rig_buffer(struct rig *rig, const char *name, void *data, uint64_t count)
{
	rig->buffers[rig->buffer_count++] = (struct vyrec_interp_buffer){name, data, count};
}

static inline void rig_program(struct rig *rig, uint32_t workgroups)
{
	const uint32_t counts[3] = {workgroups, 1, 1};
	vyrec_interp_program(rig->module, 1, counts, rig->buffers, rig->buffer_count, &rig->options, &rig->result);
}

static inline uint32_t *rig_slot(struct rig *rig, uint32_t opcode, uint32_t a0, uint32_t a1, uint32_t a2)
{
	uint32_t *w = rig->slots[rig->slot_count++].words;
	memset(w, 0, VYRE_SLOT_BYTES);
	w[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	w[VYRE_SLOT_WORD_OPCODE] = opcode;
	w[VYRE_SLOT_WORD_TENANT] = 3;
	w[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	w[VYRE_SLOT_WORD_ARG0] = a0;
	w[VYRE_SLOT_WORD_ARG0 + 1] = a1;
	w[VYRE_SLOT_WORD_ARG0 + 2] = a2;
	return w;
}

static inline void rig_slots(struct rig *rig)
{
	vyrec_interp_slots(rig->module, 1, rig->slots, rig->slot_count, rig->buffers, rig->buffer_count, &rig->options,
			   &rig->result);
}

#define ASSERT_OK(rig) \
	do { \
		if ((rig).result.status != VYRE_OK) \
			fail_msg("status %d: %s", (int)(rig).result.status, (rig).result.message); \
	} while (0)
#define ASSERT_MESSAGE(rig, code, part) \
	do { \
		assert_int_equal((rig).result.status, code); \
		if (!strstr((rig).result.message, part)) \
			fail_msg("'%s' is not in '%s'", part, (rig).result.message); \
	} while (0)

#endif
