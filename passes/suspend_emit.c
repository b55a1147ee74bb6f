/* suspend_emit.c - the guards around what a resumption skips, and each point's leaving and coming back.
 *
 * Enters: a planned handler with live bits at its points (suspend.c). Leaves: statements without points. Invariant, for
 * every list that is written: it is entered with resume = 0 or a point inside what it was written from; it is left by its
 * end with resume = 0.
 *
 * A condition, selector or operand is evaluated when resume is 0 and at no other time: it may have an effect, and what it
 * reads may have changed since.
 */
#include <stdlib.h>
#include <string.h>

#include "passes/suspend.h"
#include "runtime/abi/ring.h"

/* ---- resume ---------------------------------------------------------------------------------------------------------- */

static vyrec_expr resume_op(struct vyrec_suspender *sp, vyrec_op op, uint32_t value)
{
	vyrec_expr resume = vyrec_make_get(sp->m, sp->env->resume, 0);
	return vyrec_make_op(sp->m, op, resume, vyrec_make_u32(sp->m, value, 0), 0);
}

static vyrec_expr not_resuming(struct vyrec_suspender *sp)
{
	return resume_op(sp, VYREC_OP_eq_i, 0);
}

static vyrec_expr resuming(struct vyrec_suspender *sp)
{
	return resume_op(sp, VYREC_OP_ne_i, 0);
}

static vyrec_expr either(struct vyrec_suspender *sp, vyrec_expr_kind kind, vyrec_expr a, vyrec_expr b)
{
	return vyrec_add_expr(
	    sp->m, &(struct vyrec_expr_node){
		       .kind = (uint8_t)kind, .type = VYREC_BOOL, .arg = {a, b}, .loc = sp->m->exprs[b].loc});
}

/* The last point in a block; 0 = it has none. */
static uint32_t last_point(const struct vyrec_suspender *sp, vyrec_block block)
{
	uint32_t last = 0;
	for (uint32_t i = 0; block && i < sp->m->blocks[block].count; i++) {
		uint32_t of = sp->last[vyrec_block_stmt(sp->m, block, i)];
		last = of ? of : last;
	}
	return last;
}

/* ---- frames ---------------------------------------------------------------------------------------------------------- */

static vyrec_expr call(struct vyrec_suspender *sp, vyrec_fn fn, vyrec_expr a, vyrec_expr b)
{
	struct vyrec_module *m = sp->m;
	const uint32_t args[2] = {a, b};
	uint32_t count = b ? 2 : 1;
	return vyrec_add_expr(m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_CALL,
							   .type = m->fns[fn].result,
							   .sym = fn,
							   .list = vyrec_add_refs(m, args, count),
							   .count = count});
}

/* frame_open or frame_place of the slot. */
static vyrec_expr call_on_slot(struct vyrec_suspender *sp, vyrec_fn fn)
{
	return call(sp, fn, vyrec_make_get(sp->m, sp->env->slot, 0), vyrec_make_u32(sp->m, sp->frame_words, 0));
}

/* Words of a frame: from place + first, or where `turn` counts elements, from place + first + turn * words. */
struct part {
	vyrec_local place, turn;
	uint32_t first;
};

static vyrec_expr part_word(struct vyrec_suspender *sp, const struct part *part, uint32_t words, uint32_t k)
{
	struct vyrec_module *m = sp->m;
	vyrec_expr index = vyrec_make_op(m, VYREC_OP_add_i, vyrec_make_get(m, part->place, 0),
					 vyrec_make_u32(m, part->first + k, 0), 0);
	if (!part->turn)
		return index;
	vyrec_expr turn = vyrec_make_get(m, part->turn, 0);
	if (words > 1)
		turn = vyrec_make_op(m, VYREC_OP_mul_i, turn, vyrec_make_u32(m, words, 0), 0);
	return vyrec_make_op(m, VYREC_OP_add_i, index, turn, 0);
}

static void put_words(struct vyrec_suspender *sp, struct vyrec_list *out, vyrec_expr value, const struct part *part)
{
	vyrec_expr words[2];
	uint32_t count = vyrec_to_words(sp->m, out, value, words);
	for (uint32_t k = 0; k < count; k++) {
		vyrec_expr set = call(sp, sp->env->frame_set, part_word(sp, part, count, k), words[k]);
		vyrec_list_push(
		    out, vyrec_add_stmt(sp->m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {set}}));
	}
}

static vyrec_expr take_words(struct vyrec_suspender *sp, struct vyrec_list *out, vyrec_type type,
			     const struct part *part)
{
	uint32_t count = vyrec_words_of(type);
	vyrec_expr words[2] = {0};
	for (uint32_t k = 0; k < count; k++) {
		vyrec_expr get = call(sp, sp->env->frame_get, part_word(sp, part, count, k), 0);
		words[k] = vyrec_make_get(sp->m, vyrec_make_let(sp->m, out, "word", get), 0);
	}
	return vyrec_from_words(sp->m, type, words[0], words[1]);
}

/* for turn in 0 .. the array's count { body } */
static vyrec_stmt for_each(struct vyrec_suspender *sp, vyrec_local turn, vyrec_array array, struct vyrec_list *body)
{
	vyrec_block block = vyrec_make_block(sp->m, body);
	vyrec_expr from = vyrec_make_u32(sp->m, 0, 0), to = vyrec_make_u32(sp->m, sp->m->arrays[array].count, 0);
	return vyrec_add_stmt(sp->m, &(struct vyrec_stmt_node){
					 .kind = VYREC_STMT_FOR, .local = turn, .expr = {from, to}, .body = {block}});
}

static vyrec_local counter(struct vyrec_suspender *sp)
{
	return vyrec_add_local(sp->m, vyrec_fresh_name(sp->m, "element"), VYREC_LOCAL_COUNTER, VYREC_U32, 0);
}

static void save_array(struct vyrec_suspender *sp, struct vyrec_list *out, vyrec_array array, struct part part)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_list body = {0};
	part.turn = counter(sp);
	vyrec_expr value = vyrec_make_load(m, array, vyrec_make_get(m, part.turn, 0), VYREC_POLICY_UNCHECKED, 0);
	put_words(sp, &body, value, &part);
	vyrec_list_push(out, for_each(sp, part.turn, array, &body));
}

static void restore_array(struct vyrec_suspender *sp, struct vyrec_list *out, vyrec_array array, struct part part)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_list body = {0};
	part.turn = counter(sp);
	vyrec_expr value = take_words(sp, &body, vyrec_type_of_element(m->arrays[array].element), &part);
	vyrec_list_push(&body,
			vyrec_make_store(m, array, vyrec_make_get(m, part.turn, 0), value, VYREC_POLICY_UNCHECKED));
	vyrec_list_push(out, for_each(sp, part.turn, array, &body));
}

/* if !frame_open { trap }, where the point keeps anything. */
static void push_room(struct vyrec_suspender *sp, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	vyrec_local room = vyrec_make_let(m, out, "room", call_on_slot(sp, sp->env->frame_open));
	vyrec_stmt trap = vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP,
								      .imm = VYRE_FAULT_NO_SPACE,
								      .expr = {vyrec_make_u32(m, sp->frame_words, 0)}});
	vyrec_list_push(
	    out, vyrec_make_if(m, vyrec_make_not(m, vyrec_make_get(m, room, 0)), vyrec_add_block(m, &trap, 1), 0));
}

/* Both directions of a point, all that is live in order of its number. */
static void push_frame(struct vyrec_suspender *sp, uint32_t point, struct vyrec_list *save, struct vyrec_list *restore)
{
	struct vyrec_module *m = sp->m;
	struct part out = {0}, back = {0};
	for (uint32_t k = 0; k < sp->kept_count; k++) {
		const struct vyrec_kept kept = sp->kept[k];
		if (!(vyrec_suspend_point(sp, point)->live[k / 64] >> k % 64 & 1))
			continue;
		if (!out.place) {
			push_room(sp, save);
			out.place = vyrec_make_let(m, save, "place", call_on_slot(sp, sp->env->frame_place));
			back.place = vyrec_make_let(m, restore, "place", call_on_slot(sp, sp->env->frame_place));
		}
		if (kept.local) {
			put_words(sp, save, vyrec_make_get(m, kept.local, 0), &out);
			vyrec_expr value = take_words(sp, restore, m->locals[kept.local].type, &back);
			vyrec_list_push(restore, vyrec_make_assign(m, kept.local, value));
		} else {
			save_array(sp, save, kept.array, out);
			restore_array(sp, restore, kept.array, back);
		}
		out.first = back.first += vyrec_suspend_words(sp, k);
	}
}

/* ---- points ---------------------------------------------------------------------------------------------------------- */

static uint32_t stop_of(vyrec_stmt_kind kind)
{
	static const struct {
		const char *name;
		uint32_t stop;
	} rows[] = {
#define X(name, value, operands) {#name, value},
	    VYREC_STOP_LIST(X)
#undef X
	};
	for (size_t i = 1; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].name, vyrec_stmt_get_info(kind)->name))
			return rows[i].stop;
	abort(); /* a point of the language without a row */
}

/* if resume == 0 { operands; save; stop = ...; pc = point; break out } else { restore; resume = 0 } */
static void emit_point(struct vyrec_suspender *sp, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_suspend_env *env = sp->env;
	struct vyrec_list save = {0}, restore = {0};
	uint32_t point = sp->last[s], stop = stop_of(m->stmts[s].kind), at = 0;
	vyrec_loc loc = m->stmts[s].loc;
	vyrec_expr operand, words[2];
	for (uint32_t k = 0; (operand = vyrec_stmt_operand(m, s, k)); k++) {
		uint32_t count = vyrec_to_words(m, &save, operand, words);
		for (uint32_t w = 0; w < count; w++)
			vyrec_list_push(&save, vyrec_make_assign(m, env->operand[at++], words[w]));
	}
	push_frame(sp, point, &save, &restore);
	vyrec_list_push(&save, vyrec_make_assign(m, env->stop, vyrec_make_u32(m, stop, loc)));
	vyrec_list_push(&save, vyrec_make_assign(m, env->pc, vyrec_make_u32(m, point, loc)));
	vyrec_list_push(&save, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
						     .kind = VYREC_STMT_BREAK, .local = sp->label, .loc = loc}));
	vyrec_list_push(&restore, vyrec_make_assign(m, env->resume, vyrec_make_u32(m, 0, loc)));
	vyrec_block leave = vyrec_make_block(m, &save), back = vyrec_make_block(m, &restore);
	vyrec_list_push(out, vyrec_make_if(m, not_resuming(sp), leave, back));
}

/* ---- statements with points ------------------------------------------------------------------------------------------ */

static void emit_into(struct vyrec_suspender *sp, vyrec_block block)
{
	struct vyrec_list out = {0};
	vyrec_suspend_emit(sp, block, &out);
	vyrec_take_list(sp->m, block, &out);
}

/* Here resume is 0 or a point of one of the branches; those of the first come before those of the second. */
static void emit_if(struct vyrec_suspender *sp, vyrec_stmt s)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	uint32_t then = last_point(sp, n.body[0]), otherwise = last_point(sp, n.body[1]);
	vyrec_expr condition = then ? either(sp, VYREC_EXPR_ORELSE, resuming(sp), n.expr[0])
				    : either(sp, VYREC_EXPR_ANDALSO, not_resuming(sp), n.expr[0]);
	if (then && otherwise)
		condition = either(sp, VYREC_EXPR_ANDALSO, resume_op(sp, VYREC_OP_le_u, then), condition);
	sp->m->stmts[s].expr[0] = condition;
	if (then)
		emit_into(sp, n.body[0]);
	if (otherwise)
		emit_into(sp, n.body[1]);
}

/* A value that selects the block: that of its case, or for the default one that no case has. */
static uint32_t value_for(const struct vyrec_module *m, const struct vyrec_stmt_node *n, vyrec_block block)
{
	uint32_t value = 0;
	for (uint32_t i = 0; i < n->count; i++)
		if (m->refs[n->list + 2 * i + 1] == block)
			return m->refs[n->list + 2 * i];
	for (bool taken = true; taken; value += taken) {
		taken = false;
		for (uint32_t i = 0; i < n->count; i++)
			taken |= m->refs[n->list + 2 * i] == value;
	}
	return value;
}

/* The selector, or on the way to a point a value that leads there: from the last block with points down to the first,
 * because resume is at most the last point of the block that holds it. */
static void emit_switch(struct vyrec_suspender *sp, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	struct vyrec_list blocks = {0}, ways = {0};
	vyrec_type type = m->exprs[n.expr[0]].type;
	vyrec_block child;
	for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
		if (last_point(sp, child))
			vyrec_list_push(&blocks, child);
	vyrec_local selector = vyrec_make_var(m, out, "selector", type, 0, n.loc);
	for (uint32_t i = blocks.count; i-- > 0;) {
		vyrec_expr value = vyrec_make_lit(m, type, value_for(m, &n, blocks.items[i]), 0);
		vyrec_stmt way = vyrec_make_assign(m, selector, value);
		if (i + 1 < blocks.count)
			way = vyrec_make_if(m, resume_op(sp, VYREC_OP_le_u, last_point(sp, blocks.items[i])),
					    vyrec_add_block(m, &way, 1), 0);
		vyrec_list_push(&ways, way);
	}
	vyrec_stmt chosen = vyrec_make_assign(m, selector, n.expr[0]);
	vyrec_block choose = vyrec_add_block(m, &chosen, 1), lead = vyrec_make_block(m, &ways);
	vyrec_list_push(out, vyrec_make_if(m, not_resuming(sp), choose, lead));
	vyrec_expr selected = vyrec_make_get(m, selector, n.loc);
	m->stmts[s].expr[0] = selected;
	for (uint32_t i = 0; i < blocks.count; i++)
		emit_into(sp, blocks.items[i]);
	vyrec_list_free(&blocks);
	vyrec_list_push(out, s);
}

/* Entered with resume = 0 or a point of the statement. */
static void emit_cut(struct vyrec_suspender *sp, vyrec_stmt s, struct vyrec_list *out)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	switch (n.kind) {
	case VYREC_STMT_IF:
		emit_if(sp, s);
		vyrec_list_push(out, s);
		return;
	case VYREC_STMT_SWITCH:
		emit_switch(sp, s, out);
		return;
	case VYREC_STMT_LOOP:
		sp->loops++;
		emit_into(sp, n.body[0]);
		sp->loops--;
		vyrec_list_push(out, s);
		return;
	case VYREC_STMT_BLOCK:
	case VYREC_STMT_REGION:
		emit_into(sp, n.body[0]);
		vyrec_list_push(out, s);
		return;
	default:
		if (!(vyrec_stmt_get_info(n.kind)->flags & VYREC_IS_SUSPEND))
			abort(); /* nothing else has blocks by now */
		emit_point(sp, s, out);
	}
}

/* ---- statements without points --------------------------------------------------------------------------------------- */

/* The var at the top is zero when the handler is entered. That is enough where the declaration is reached once at most;
 * in a loop it zeroes again. */
static void push_zeroes(struct vyrec_suspender *sp, vyrec_array array, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_list body = {0};
	if (!sp->loops)
		return;
	vyrec_local turn = counter(sp);
	vyrec_expr zero = vyrec_make_lit(m, vyrec_type_of_element(m->arrays[array].element), 0, 0);
	vyrec_list_push(&body, vyrec_make_store(m, array, vyrec_make_get(m, turn, 0), zero, VYREC_POLICY_UNCHECKED));
	vyrec_list_push(out, for_each(sp, turn, array, &body));
}

/* A declaration of what is kept becomes an assignment. */
static void emit_plain(struct vyrec_suspender *sp, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	bool declares = n.kind == VYREC_STMT_LET || n.kind == VYREC_STMT_VAR;
	if (n.kind == VYREC_STMT_REGION) {
		struct vyrec_list inside = {0};
		for (uint32_t i = 0; i < m->blocks[n.body[0]].count; i++)
			emit_plain(sp, vyrec_block_stmt(m, n.body[0], i), &inside);
		vyrec_take_list(m, n.body[0], &inside);
		vyrec_list_push(out, s);
	} else if (declares && n.array && sp->array_number[n.array]) {
		push_zeroes(sp, n.array, out);
	} else if (declares && n.local && sp->number[n.local]) {
		vyrec_expr value = n.expr[0] ? n.expr[0] : vyrec_make_lit(m, m->locals[n.local].type, 0, n.loc);
		vyrec_list_push(out, vyrec_make_assign(m, n.local, value));
	} else {
		vyrec_list_push(out, s);
	}
}

void vyrec_suspend_emit(struct vyrec_suspender *sp, vyrec_block block, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	uint32_t last = last_point(sp, block);
	struct vyrec_list stretch = {0};
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		if (!vyrec_suspend_cuts(sp, s)) {
			emit_plain(sp, s, last ? &stretch : out);
			continue;
		}
		if (stretch.count)
			vyrec_list_push(out, vyrec_make_if(m, not_resuming(sp), vyrec_make_block(m, &stretch), 0));
		if (sp->last[s] == last) { /* what follows is not skipped by anybody */
			emit_cut(sp, s, out);
			last = 0;
			continue;
		}
		emit_cut(sp, s, &stretch);
		vyrec_expr here = resume_op(sp, VYREC_OP_le_u, sp->last[s]);
		vyrec_list_push(out, vyrec_make_if(m, here, vyrec_make_block(m, &stretch), 0));
	}
}
