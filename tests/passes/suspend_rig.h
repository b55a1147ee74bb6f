/* suspend_rig.h - an op under a driver: split at its suspension points and entered again until it has ended, beside the
 * interpreter on the op as written.
 *
 * The driver is text of our own: it calls the body with the words of one slot and a frame, and notes why it stopped. Its
 * vars begin anew each time, so a value that comes back can only have come through the frame.
 */
#ifndef VYRE_TESTS_PASSES_SUSPEND_RIG_H
#define VYRE_TESTS_PASSES_SUSPEND_RIG_H
#include "passes/suspend.h"
#include "tests/common/cpu_run.h"
#include "tests/passes/rig.h"

enum { SUSPEND_BEFORE = 20, FRAME_WORDS = 65536, NOTES = 64, NOTE_WORDS = 6, MAX_TURNS = 100000 };

/* words: the slot. frame: [0] = words that were asked for, then the words. notes: [0] stops, [1] the point to start
 * from, [2] fault, [3] detail, [4] room in the frame, then NOTE_WORDS each: stop and operands. */
static const char suspend_driver[] =
    "program driver workgroup(1) {\n"
    "  buffer words: u32[16]\n"
    "  buffer frame: u32[]\n"
    "  buffer notes: u32[]\n"
    "  fn frame_open(slot_index: u32, words_wanted: u32) -> bool {\n"
    "    frame[0] = words_wanted\n"
    "    return words_wanted <= notes[4]\n"
    "  }\n"
    "  fn frame_place(slot_index: u32, words_wanted: u32) -> u32 {\n"
    "    if words_wanted != frame[0] { trap(1000 + words_wanted) }\n"
    "    return 1\n"
    "  }\n"
    "  fn frame_get(place: u32) -> u32 {\n"
    "    if place - 1 >= frame[0] { trap(2000 + place) }\n"
    "    return frame[place]\n"
    "  }\n"
    "  fn frame_set(place: u32, value: u32) {\n"
    "    if place - 1 >= frame[0] { trap(3000 + place) }\n"
    "    frame[place] = value\n"
    "  }\n"
    "  body {\n"
    "    let slot_index: u32 = 0\n"
    "    var pc: u32 = notes[1]\n"
    "    for entry in 0 .. 100000 {\n"
    "      var resume: u32 = pc\n"
    "      var stop: u32 = 0\n"
    "      var stop_a: u32 = 0\n"
    "      var stop_b: u32 = 0\n"
    "      var stop_c: u32 = 0\n"
    "      var stop_d: u32 = 0\n"
    "      var stop_e: u32 = 0\n"
    "      catch (fault, what) {\n"
    "        opaque \"handler\" \"\"\n"
    "      }\n"
    "      notes[2] = fault\n"
    "      notes[3] = what\n"
    "      if fault != 0 || stop == 0 { break }\n"
    "      let at = 5 + notes[0] * 6\n"
    "      notes[at] = stop\n"
    "      notes[at + 1] = stop_a\n"
    "      notes[at + 2] = stop_b\n"
    "      notes[at + 3] = stop_c\n"
    "      notes[at + 4] = stop_d\n"
    "      notes[at + 5] = stop_e\n"
    "      notes[0] = notes[0] + 1\n"
    "    }\n"
    "  }\n"
    "}\n";

/* ---- a handler's own words, as megakernel assembly rewrites them ------------------------------------------------------- */

struct suspend_splice {
	struct vyrec_module *m;
	vyrec_array words, args;
	vyrec_local label;
};

static inline vyrec_expr suspend_word(struct suspend_splice *sp, uint32_t k)
{
	return vyrec_make_load(sp->m, sp->words, vyrec_make_u32(sp->m, VYRE_SLOT_WORD_ARG0 + k, 0),
			       VYREC_POLICY_CHECKED, 0);
}

static inline void suspend_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct suspend_splice *sp = user;
	const struct vyrec_expr_node n = m->exprs[e];
	static const uint32_t builtins[VYREC_BUILTIN_COUNT] = {
	    [VYREC_BUILTIN_PRIORITY] = VYRE_SLOT_WORD_PRIORITY,
	    [VYREC_BUILTIN_TENANT] = VYRE_SLOT_WORD_TENANT,
	    [VYREC_BUILTIN_OPCODE] = VYRE_SLOT_WORD_OPCODE,
	};
	if (n.kind == VYREC_EXPR_CONST)
		vyrec_become(m, e, vyrec_make_lit(m, n.type, m->consts[n.sym].value, 0));
	else if (n.kind == VYREC_EXPR_ARG)
		vyrec_become(m, e, vyrec_make_load(m, sp->args, n.arg[0], VYREC_POLICY_CHECKED, 0));
	else if (n.kind == VYREC_EXPR_BUILTIN && builtins[n.code])
		vyrec_become(m, e, vyrec_make_load(m, sp->words, vyrec_make_u32(m, builtins[n.code], 0),
						   VYREC_POLICY_CHECKED, 0));
}

static inline void suspend_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct suspend_splice *sp = user;
	const struct vyrec_stmt_node n = m->stmts[s];
	if (n.kind == VYREC_STMT_RETURN) {
		m->stmts[s].kind = VYREC_STMT_BREAK;
		m->stmts[s].local = sp->label;
	} else if (n.kind == VYREC_STMT_RESULT) {
		struct vyrec_list out = {0};
		vyrec_expr words[2];
		uint32_t count = vyrec_to_words(m, &out, n.expr[0], words);
		for (uint32_t k = 0; k < count; k++) {
			vyrec_expr at = vyrec_make_u32(m, VYRE_SLOT_WORD_ARG0 + (uint32_t)n.imm + k, 0);
			vyrec_list_push(&out, vyrec_make_store(m, sp->words, at, words[k], VYREC_POLICY_CHECKED));
		}
		vyrec_block block = vyrec_make_block(m, &out);
		m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {block}, .loc = n.loc};
	}
}

/* The block of the handler: a copy of the argument words, the parameters, the body under its label. */
static inline vyrec_block suspend_case(struct suspend_splice *sp, vyrec_handler handler)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_handler_node h = m->handlers[handler];
	const struct vyrec_walker walker = {suspend_stmt, suspend_expr, sp};
	struct vyrec_list out = {0};
	uint32_t word = 0;
	sp->args = vyrec_add_array(m, &(struct vyrec_array_node){.name = vyrec_fresh_name(m, "args"),
								 .class_ = VYREC_CLASS_LOCAL,
								 .element = VYREC_U32,
								 .count = VYRE_SLOT_ARGS});
	sp->label = vyrec_add_local(m, vyrec_fresh_name(m, "done"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
	vyrec_list_push(&out,
			vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR, .array = sp->args}));
	for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++)
		vyrec_list_push(&out, vyrec_make_store(m, sp->args, vyrec_make_u32(m, k, 0), suspend_word(sp, k),
						       VYREC_POLICY_CHECKED));
	for (uint32_t i = 0; i < h.param_count; i++) {
		vyrec_local p = m->refs[h.params + i];
		uint32_t count = vyrec_words_of(m->locals[p].type);
		vyrec_expr low = suspend_word(sp, word), high = count == 2 ? suspend_word(sp, word + 1) : 0;
		vyrec_expr value = vyrec_from_words(m, m->locals[p].type, low, high);
		m->locals[p].kind = VYREC_LOCAL_LET;
		vyrec_list_push(&out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
							    .kind = VYREC_STMT_LET, .local = p, .expr = {value}}));
		word += count;
	}
	vyrec_walk_block(m, h.body, &walker);
	vyrec_stmt scope = vyrec_make_scope(m, h.body, 0);
	m->stmts[scope].local = sp->label;
	vyrec_list_push(&out, scope);
	return vyrec_make_block(m, &out);
}

/* ---- the program ------------------------------------------------------------------------------------------------------- */

static inline vyrec_local suspend_local(const struct vyrec_module *t, const char *name)
{
	for (vyrec_local i = 1; i < t->local_count; i++)
		if (!strcmp(vyrec_name_text(t, t->locals[i].name), name))
			return i;
	return 0;
}

static inline vyrec_fn suspend_fn(const struct vyrec_module *t, const char *name)
{
	for (vyrec_fn i = 1; i < t->fn_count; i++)
		if (!strcmp(vyrec_name_text(t, t->fns[i].name), name))
			return i;
	return 0;
}

/* The handler's shared arrays are zeroed each time it is entered, in front of its block. */
static inline void suspend_zero(struct vyrec_module *m, vyrec_array array, struct vyrec_list *out)
{
	vyrec_local i = vyrec_add_local(m, vyrec_fresh_name(m, "i"), VYREC_LOCAL_COUNTER, VYREC_U32, 0);
	vyrec_expr zero = vyrec_make_lit(m, vyrec_type_of_element(m->arrays[array].element), 0, 0);
	vyrec_stmt store = vyrec_make_store(m, array, vyrec_make_get(m, i, 0), zero, VYREC_POLICY_UNCHECKED);
	vyrec_expr from = vyrec_make_u32(m, 0, 0), to = vyrec_make_u32(m, m->arrays[array].count, 0);
	vyrec_block body = vyrec_add_block(m, &store, 1);
	vyrec_list_push(out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_FOR,
									 .local = i,
									 .expr = {from, to},
									 .body = {body}}));
}

/* Op number `index` of the one set of a text, after the passes that run before assembly, as the program `driver`. */
static inline struct vyrec_module *suspend_program(const char *text, uint32_t index,
						   const struct vyrec_pass_options *options,
						   struct vyrec_suspend_info *info)
{
	struct vyrec_module *m = rig_parse(text), *t = NULL;
	struct vyrec_diags diags = {0};
	struct vyrec_list items = {0}, body = {0};
	struct vyrec_pass_options early = *options;
	vyrec_handler handler = 0;
	early.keep_sets = true;
	rig_run(m, VYREC_PASS_COUNT, &early);
	t = vyrec_parse("driver.vyre", suspend_driver, sizeof suspend_driver - 1, &diags);
	assert_non_null(t);
	uint32_t locals = m->local_count - 1, fns = m->fn_count - 1, stmts = m->stmt_count - 1,
		 arrays = m->array_count - 1;
	struct vyrec_suspend_env env = {
	    .slot = locals + suspend_local(t, "slot_index"),
	    .points_before = SUSPEND_BEFORE,
	    .resume = locals + suspend_local(t, "resume"),
	    .stop = locals + suspend_local(t, "stop"),
	    .pc = locals + suspend_local(t, "pc"),
	    .frame_open = fns + suspend_fn(t, "frame_open"),
	    .frame_place = fns + suspend_fn(t, "frame_place"),
	    .frame_get = fns + suspend_fn(t, "frame_get"),
	    .frame_set = fns + suspend_fn(t, "frame_set"),
	};
	for (unsigned k = 0; k < VYREC_STOP_OPERANDS; k++)
		env.operand[k] = locals + suspend_local(t, (char[]){'s', 't', 'o', 'p', '_', (char)('a' + k), 0});
	/* "slot_index" is also a parameter of the fns: the body's own is the last of that name */
	for (vyrec_local i = 1; i < t->local_count; i++)
		if (t->locals[i].kind == VYREC_LOCAL_LET &&
		    !strcmp(vyrec_name_text(t, t->locals[i].name), "slot_index"))
			env.slot = locals + i;
	vyrec_stmt marker = 0;
	for (vyrec_stmt s = 1; s < t->stmt_count; s++)
		if (t->stmts[s].kind == VYREC_STMT_OPAQUE)
			marker = stmts + s;
	vyrec_unit shell = vyrec_module_import(m, t);
	struct suspend_splice sp = {.m = m, .words = arrays + 1};
	vyrec_module_destroy(t);

	const vyrec_unit from[2] = {shell, 1};
	for (unsigned u = 0; u < 2; u++)
		for (uint32_t i = 0, at = 0; i < m->units[from[u]].item_count; i++) {
			const uint32_t item[2] = {m->refs[m->units[from[u]].items + 2 * i],
						  m->refs[m->units[from[u]].items + 2 * i + 1]};
			if (item[0] == VYREC_ITEM_HANDLER && at++ == index)
				handler = item[1];
			if (item[0] == VYREC_ITEM_BUFFER || (item[0] == VYREC_ITEM_FN && !u)) {
				vyrec_list_push(&items, item[0]);
				vyrec_list_push(&items, item[1]);
			}
		}
	const struct vyrec_handler_node h = m->handlers[handler];
	for (uint32_t i = 0; i < h.shared_count; i++) {
		vyrec_list_push(&items, VYREC_ITEM_SHARED);
		vyrec_list_push(&items, m->refs[h.shared + i]);
		suspend_zero(m, m->refs[h.shared + i], &body);
	}
	vyrec_block block = suspend_case(&sp, handler);
	vyrec_suspend_split(m, &env, block, info);
	vyrec_list_push(&body, vyrec_make_scope(m, block, 0));
	block = vyrec_make_block(m, &body);
	m->stmts[marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {block}};
	for (vyrec_fn f = fns + 1; f < m->fn_count; f++)
		m->fns[f].unit = 1;
	m->units[1] = m->units[shell];
	m->units[1].items = vyrec_add_refs(m, items.items, items.count);
	m->units[1].item_count = items.count / 2;
	m->unit_count = 2;
	vyrec_list_free(&items);
	rig_run(m, VYREC_PASS_inline, options);
	vyrec_diags_finish(&diags);
	return m;
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

struct suspend_state {
	uint32_t words[VYRE_SLOT_WORDS], notes[5 + NOTE_WORDS * MAX_TURNS], frame[1 + FRAME_WORDS];
	struct vyrec_interp_buffer buffers[RIG_BUFFERS];
	uint32_t buffer_count;
};

/* The driver's own buffers in front of the set's. */
static inline void suspend_open(struct suspend_state *st, const struct vyrec_interp_slot *slot,
				const struct rig_state *set)
{
	memset(st, 0, sizeof *st);
	memcpy(st->words, slot->words, sizeof st->words);
	st->notes[4] = FRAME_WORDS;
	st->buffers[st->buffer_count++] = (struct vyrec_interp_buffer){"words", st->words, VYRE_SLOT_WORDS};
	st->buffers[st->buffer_count++] = (struct vyrec_interp_buffer){"frame", st->frame, 1 + FRAME_WORDS};
	st->buffers[st->buffer_count++] =
	    (struct vyrec_interp_buffer){"notes", st->notes, sizeof st->notes / sizeof *st->notes};
	for (uint32_t i = 0; i < set->buffer_count; i++)
		st->buffers[st->buffer_count++] = set->buffers[i];
}

/* The slot's words after its end, as a scheduler leaves them. */
static inline void suspend_close(struct suspend_state *st, struct vyrec_interp_slot *slot)
{
	memcpy(slot->words, st->words, sizeof st->words);
	slot->words[VYRE_SLOT_WORD_STATUS] = st->notes[2] ? VYRE_SLOT_FAULT : VYRE_SLOT_DONE;
	if (st->notes[2]) {
		slot->words[VYRE_SLOT_WORD_ARG0] = st->notes[2];
		slot->words[VYRE_SLOT_WORD_ARG0 + 1] = st->notes[3];
	}
}

static inline void suspend_interpret(struct vyrec_module *m, struct suspend_state *st)
{
	static struct vyrec_interp_result result;
	struct vyrec_interp_options options = {.step_limit = 20000000};
	vyrec_interp_program(m, 1, (uint32_t[]){1, 1, 1}, st->buffers, st->buffer_count, &options, &result);
	if (result.status != VYRE_OK) {
		size_t bytes;
		char *text = vyrec_print(m, 0, &bytes);
		fail_msg("the interpreter gave up: %s\n%s", result.message, text);
	}
}

/* One slot of both: after a FAULT only its code and detail count. */
static inline void suspend_compare_slots(const struct vyrec_module *m, const struct vyrec_interp_slot *want,
					 const struct vyrec_interp_slot *have)
{
	uint32_t words = want->words[0] == VYRE_SLOT_FAULT ? VYRE_SLOT_WORD_ARG0 + 2 : VYRE_SLOT_WORDS;
	if (!memcmp(want->words, have->words, words * sizeof *want->words))
		return;
	size_t bytes;
	char *text = vyrec_print(m, 0, &bytes);
	fputs(text, stderr);
	for (unsigned w = 0; w < words; w++)
		fprintf(stderr, "word %2u: %08x %08x\n", w, want->words[w], have->words[w]);
	fail_msg("the slot differs");
}

#endif
