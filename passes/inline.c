/* inline.c - replaces every call of a fn by its body.
 *
 * Enters: verified IR; calls stand anywhere in expressions, fns do not recurse. Leaves: no CALL, and no fn among the items
 * of a unit. Invariant: everything is evaluated once, in the order of the text, left to right; the right side of && and
 * || only when it is needed.
 *
 * A call becomes statements in front of the statement that holds it. What is evaluated before the call in the same
 * statement and may see the call's effects (it reads memory or has effects itself) is bound to a `let` first. A fn
 * cannot touch the caller's locals, so reads of those stay in place. A body whose only `return` is its last statement is
 * spliced in; one with early returns becomes `block end { ... result = x; break end ... }`.
 *
 * Why not substitute arguments for parameters in an expression fn: fold propagates the literals, the backend the rest,
 * and trees never grow deeper than the source wrote them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "passes/make.h"

struct inliner {
	struct vyrec_module *m;
	struct vyrec_diags *diags;
	struct vyrec_list *out; /* statements in front of the one being looked at */
	bool changed, too_big;
};

static void inline_into(struct inliner *in, vyrec_block block, struct vyrec_list *out);
static void lower(struct inliner *in, vyrec_expr e);

/* Would it give the same value after a call that stands behind it? */
static bool is_stable(const struct inliner *in, vyrec_expr e)
{
	return vyrec_expr_is_pure(in->m, e);
}

static void bind(struct inliner *in, vyrec_expr e, const char *base)
{
	vyrec_local local = vyrec_make_let(in->m, in->out, base, vyrec_move_expr(in->m, e));
	vyrec_become_get(in->m, e, local);
}

/* Operands in order of evaluation: after this none holds a call, and what is left of each may be evaluated in place. */
static void lower_operands(struct inliner *in, const vyrec_expr *operands, uint32_t count)
{
	uint32_t end = 0; /* one past the last operand with a call */
	for (uint32_t i = 0; i < count; i++)
		if (vyrec_expr_has(in->m, operands[i], VYREC_EXPR_CALL))
			end = i + 1;
	for (uint32_t i = 0; i < end; i++) {
		lower(in, operands[i]);
		if (i + 1 < end && !is_stable(in, operands[i]))
			bind(in, operands[i], "operand");
	}
}

/* a && f(b)  ->  var t = a; if t { ...; t = result } */
static void lower_short_circuit(struct inliner *in, vyrec_expr e)
{
	struct vyrec_module *m = in->m;
	struct vyrec_expr_node node = m->exprs[e];
	lower(in, node.arg[0]);
	vyrec_local t = vyrec_make_var(m, in->out, "both", VYREC_BOOL, node.arg[0], node.loc);
	struct vyrec_list right = {0}, *out = in->out;
	in->out = &right;
	lower(in, node.arg[1]);
	vyrec_list_push(&right, vyrec_make_assign(m, t, node.arg[1]));
	in->out = out;
	vyrec_expr condition = vyrec_make_get(m, t, node.loc);
	if (node.kind == VYREC_EXPR_ORELSE)
		condition = vyrec_make_not(m, condition);
	vyrec_list_push(out, vyrec_make_if(m, condition, vyrec_make_block(m, &right), 0));
	vyrec_become_get(m, e, t);
}

static uint32_t count_returns(const struct vyrec_module *m, vyrec_block block)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		n += m->stmts[s].kind == VYREC_STMT_RETURN;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, k)); k++)
			n += count_returns(m, child);
	}
	return n;
}

/* return x  ->  result = x; break end */
static void replace_returns(struct vyrec_module *m, vyrec_block block, vyrec_local result, vyrec_local end)
{
	struct vyrec_list list = {0};
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, k)); k++)
			replace_returns(m, child, result, end);
		if (m->stmts[s].kind == VYREC_STMT_RETURN) {
			if (result)
				vyrec_list_push(&list, vyrec_make_assign(m, result, m->stmts[s].expr[0]));
			m->stmts[s].kind = VYREC_STMT_BREAK;
			m->stmts[s].local = end;
			m->stmts[s].expr[0] = 0;
		}
		vyrec_list_push(&list, s);
	}
	vyrec_take_list(m, block, &list);
}

/* The callee's body with the arguments in place of its parameters. */
static vyrec_block clone_body(struct inliner *in, const struct vyrec_fn_node *fn, const vyrec_expr *args)
{
	struct vyrec_module *m = in->m;
	vyrec_local *mapped = vyrec_alloc(fn->param_count * sizeof *mapped);
	for (uint32_t i = 0; i < fn->param_count; i++) {
		const struct vyrec_expr_node *arg = &m->exprs[args[i]];
		vyrec_local param = m->refs[fn->params + i];
		if (arg->kind == VYREC_EXPR_LOCAL && vyrec_local_is_fixed(m, arg->sym))
			mapped[i] = arg->sym;
		else
			mapped[i] = vyrec_make_let(m, in->out, vyrec_name_text(m, m->locals[param].name), args[i]);
	}
	struct vyrec_subst subst = {0};
	for (uint32_t i = 0; i < fn->param_count; i++)
		vyrec_subst_local(&subst, m->refs[fn->params + i], mapped[i]);
	vyrec_block body = vyrec_clone_block(m, fn->body, &subst);
	vyrec_subst_finish(&subst);
	free(mapped);
	return body;
}

/* Puts the statements of an inlined body into the list. Returns the value, 0 for none. */
static vyrec_expr splice_body(struct inliner *in, struct vyrec_list *body, const struct vyrec_fn_node *fn,
			      vyrec_loc loc)
{
	struct vyrec_module *m = in->m;
	char text[VYREC_MAX_NAME_BYTES + 16];
	vyrec_block block = vyrec_add_block(m, body->items, body->count);
	vyrec_stmt last = body->count ? body->items[body->count - 1] : 0;
	bool ends = last && m->stmts[last].kind == VYREC_STMT_RETURN;
	if (count_returns(m, block) == (ends ? 1 : 0)) {
		for (uint32_t i = 0; i < body->count - (ends ? 1 : 0); i++)
			vyrec_list_push(in->out, body->items[i]);
		return ends ? m->stmts[last].expr[0] : 0;
	}
	vyrec_local result = 0;
	if (fn->result) {
		snprintf(text, sizeof text, "%s_result", vyrec_name_text(m, fn->name));
		result = vyrec_make_var(m, in->out, text, fn->result, 0, loc);
	}
	snprintf(text, sizeof text, "%s_end", vyrec_name_text(m, fn->name));
	vyrec_local end = vyrec_add_local(m, vyrec_fresh_name(m, text), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	replace_returns(m, block, result, end);
	vyrec_list_push(in->out,
			vyrec_add_stmt(m, &(struct vyrec_stmt_node){
					      .kind = VYREC_STMT_BLOCK, .local = end, .body = {block}, .loc = loc}));
	return result ? vyrec_make_get(m, result, loc) : 0;
}

static void lower_call(struct inliner *in, vyrec_expr e)
{
	struct vyrec_module *m = in->m;
	struct vyrec_expr_node call = m->exprs[e];
	struct vyrec_fn_node fn = m->fns[call.sym];
	if (m->expr_count + m->stmt_count > VYREC_MAX_NODES) {
		if (!in->too_big)
			vyrec_diags_add(in->diags, VYREC_ERROR, "", call.loc,
					"the module grows past %u statements and expressions when `%s` is inlined; "
					"call it less often, or make it smaller",
					(unsigned)VYREC_MAX_NODES, vyrec_name_text(m, fn.name));
		in->too_big = true;
		return;
	}
	struct vyrec_list args = {0}, body = {0};
	for (uint32_t i = 0; i < call.count; i++)
		vyrec_list_push(&args, m->refs[call.list + i]);
	lower_operands(in, args.items, args.count);
	vyrec_block block = clone_body(in, &fn, args.items);
	vyrec_list_free(&args);
	inline_into(in, block, &body);
	vyrec_expr value = splice_body(in, &body, &fn, call.loc);
	vyrec_list_free(&body);
	in->changed = true;
	if (!value)
		return; /* of type VOID: stands alone in an EXPR, which goes */
	vyrec_become(m, e, value);
	if (m->exprs[e].kind != VYREC_EXPR_LOCAL && m->exprs[e].kind != VYREC_EXPR_LIT)
		bind(in, e, vyrec_name_text(m, fn.name));
}

static void lower(struct inliner *in, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &in->m->exprs[e];
	if (in->too_big || !vyrec_expr_has(in->m, e, VYREC_EXPR_CALL))
		return;
	if (n->kind == VYREC_EXPR_CALL) {
		lower_call(in, e);
	} else if ((n->kind == VYREC_EXPR_ANDALSO || n->kind == VYREC_EXPR_ORELSE) &&
		   vyrec_expr_has(in->m, n->arg[1], VYREC_EXPR_CALL)) {
		lower_short_circuit(in, e);
	} else {
		vyrec_expr operands[3];
		uint32_t count = 0;
		while ((operands[count] = vyrec_expr_operand(in->m, e, count)) && ++count < 3)
			;
		lower_operands(in, operands, count);
	}
}

static void inline_stmt(struct inliner *in, vyrec_stmt s)
{
	struct vyrec_module *m = in->m;
	struct vyrec_list operands = {0};
	vyrec_expr operand;
	bool was_call = m->stmts[s].kind == VYREC_STMT_EXPR && m->exprs[m->stmts[s].expr[0]].kind == VYREC_EXPR_CALL;
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(m, s, i)); i++)
		vyrec_list_push(&operands, operand);
	lower_operands(in, operands.items, operands.count);
	vyrec_list_free(&operands);
	vyrec_block child;
	for (uint32_t i = 0; (child = vyrec_child_block(m, s, i)); i++) {
		struct vyrec_list list = {0};
		inline_into(in, child, &list);
		vyrec_take_list(m, child, &list);
	}
	if (!was_call)
		vyrec_list_push(in->out, s);
}

static void inline_into(struct inliner *in, vyrec_block block, struct vyrec_list *out)
{
	struct vyrec_list *outer = in->out;
	in->out = out;
	for (uint32_t i = 0; i < in->m->blocks[block].count && !in->too_big; i++)
		inline_stmt(in, vyrec_block_stmt(in->m, block, i));
	in->out = outer;
}

/* Takes the fns out of a unit's items. */
static bool drop_fns(struct vyrec_module *m, vyrec_unit unit)
{
	uint32_t *items = &m->refs[m->units[unit].items], count = m->units[unit].item_count, kept = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (items[2 * i] == VYREC_ITEM_FN)
			continue;
		items[2 * kept] = items[2 * i];
		items[2 * kept + 1] = items[2 * i + 1];
		kept++;
	}
	m->units[unit].item_count = kept;
	return kept != count;
}

bool vyrec_pass_inline(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	(void)options;
	struct inliner in = {.m = m, .diags = diags};
	struct vyrec_body body = {0};
	while (vyrec_next_body(m, &body) && !in.too_big) {
		struct vyrec_list list = {0};
		if (body.fn)
			continue; /* nothing calls it any more afterwards */
		inline_into(&in, body.block, &list);
		vyrec_take_list(m, body.block, &list);
	}
	for (vyrec_unit unit = 1; unit < m->unit_count && !in.too_big; unit++)
		in.changed |= drop_fns(m, unit);
	return in.changed;
}
