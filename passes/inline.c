/* inline.c - replaces every call of a fn by its body.
 *
 * Enters: verified IR; calls stand anywhere in expressions, fns do not recurse. Leaves: no CALL, and no fn among the items
 * of a unit. Invariant: everything is evaluated once, in the order of the text, left to right (lift.c).
 *
 * A body whose only `return` is its last statement is spliced in; one with early returns becomes
 * `block end { ... result = x; break end ... }`.
 *
 * Why not substitute arguments for parameters in an expression fn: fold propagates the literals, the backend the rest,
 * and trees never grow deeper than the source wrote them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "passes/lift.h"
#include "passes/mega/mega.h"

/* A body nests at most VYREC_MAX_NESTING deep in the text; some levels are left for the passes behind this one. */
enum { MAX_DEPTH = VYREC_MAX_TREE_DEPTH - VYREC_MAX_NESTING - 32 };

struct inliner {
	struct vyrec_lifter lifter; /* first: the lifter's functions get this */
	struct vyrec_diags *diags;
	bool changed;
};

static uint32_t count_returns(const struct vyrec_module *m, vyrec_block block)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		n += m->stmts[s].kind == VYREC_STMT_RETURN;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
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
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
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
	struct vyrec_module *m = in->lifter.m;
	vyrec_local *mapped = vyrec_alloc(fn->param_count * sizeof *mapped);
	for (uint32_t i = 0; i < fn->param_count; i++) {
		const struct vyrec_expr_node *arg = &m->exprs[args[i]];
		vyrec_local param = m->refs[fn->params + i];
		if (arg->kind == VYREC_EXPR_LOCAL && vyrec_local_is_fixed(m, arg->sym))
			mapped[i] = arg->sym;
		else
			mapped[i] =
			    vyrec_make_let(m, in->lifter.out, vyrec_name_text(m, m->locals[param].name), args[i]);
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
	struct vyrec_module *m = in->lifter.m;
	char text[VYREC_MAX_NAME_BYTES + 16];
	vyrec_block block = vyrec_add_block(m, body->items, body->count);
	vyrec_stmt last = body->count ? body->items[body->count - 1] : 0;
	bool ends = last && m->stmts[last].kind == VYREC_STMT_RETURN;
	if (count_returns(m, block) == (ends ? 1 : 0)) {
		for (uint32_t i = 0; i < body->count - (ends ? 1 : 0); i++)
			vyrec_list_push(in->lifter.out, body->items[i]);
		return ends ? m->stmts[last].expr[0] : 0;
	}
	vyrec_local result = 0;
	if (fn->result) {
		snprintf(text, sizeof text, "%s_result", vyrec_name_text(m, fn->name));
		result = vyrec_make_var(m, in->lifter.out, text, fn->result, 0, loc);
	}
	snprintf(text, sizeof text, "%s_end", vyrec_name_text(m, fn->name));
	vyrec_local end = vyrec_add_local(m, vyrec_fresh_name(m, text), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	replace_returns(m, block, result, end);
	vyrec_list_push(in->lifter.out,
			vyrec_add_stmt(m, &(struct vyrec_stmt_node){
					      .kind = VYREC_STMT_BLOCK, .local = end, .body = {block}, .loc = loc}));
	return result ? vyrec_make_get(m, result, loc) : 0;
}

/* Refuses what would grow past the limits of a module, with its numbers. */
static bool fits(struct inliner *in, const struct vyrec_fn_node *fn, vyrec_loc loc)
{
	const struct vyrec_module *m = in->lifter.m;
	const struct vyrec_unit_node *unit = &m->units[fn->unit];
	const char *name = vyrec_name_text(m, fn->name);
	bool full = m->expr_count + m->stmt_count > VYREC_MAX_NODES;
	if (full && unit->feed) /* a fn of the scheduler means nothing to the user */
		vyrec_diags_add(
		    in->diags, VYREC_ERROR, "", unit->loc,
		    "the scheduler around the ops of `%s` grows past %d statements and expressions; move ops "
		    "to another set, or let them suspend and spawn at fewer places",
		    vyrec_name_text(m, unit->name), VYREC_MAX_NODES);
	else if (full)
		vyrec_diags_add(
		    in->diags, VYREC_ERROR, "", loc,
		    "the module grows past %d statements and expressions when `%s` is inlined; call it less "
		    "often, or make it smaller",
		    VYREC_MAX_NODES, name);
	else if (in->lifter.depth > MAX_DEPTH)
		vyrec_diags_add(
		    in->diags, VYREC_ERROR, "", loc,
		    "the call of `%s` stands %u blocks deep when the calls around it are inlined, the limit is "
		    "%d; nest fewer calls inside loops and branches",
		    name, in->lifter.depth, MAX_DEPTH);
	else
		return true;
	return false;
}

static void lower_call(struct vyrec_lifter *lifter, vyrec_expr e)
{
	struct inliner *in = (struct inliner *)lifter;
	struct vyrec_module *m = lifter->m;
	struct vyrec_expr_node call = m->exprs[e];
	struct vyrec_fn_node fn = m->fns[call.sym];
	char name[VYREC_MAX_NAME_BYTES + 16];
	if (!fits(in, &fn, call.loc)) {
		lifter->stop = true;
		return;
	}
	struct vyrec_list args = {0}, body = {0};
	for (uint32_t i = 0; i < call.count; i++)
		vyrec_list_push(&args, m->refs[call.list + i]);
	vyrec_lift_operands(lifter, args.items, args.count);
	if (lifter->stop)
		return vyrec_list_free(&args);
	vyrec_block block = clone_body(in, &fn, args.items);
	vyrec_list_free(&args);
	vyrec_lift_into(lifter, block, &body);
	vyrec_expr value = splice_body(in, &body, &fn, call.loc);
	vyrec_list_free(&body);
	in->changed = true;
	if (!value)
		return; /* stands alone in an EXPR, which goes */
	vyrec_become(m, e, value);
	snprintf(name, sizeof name, "%s_value", vyrec_name_text(m, fn.name));
	if (m->exprs[e].kind != VYREC_EXPR_LOCAL && m->exprs[e].kind != VYREC_EXPR_LIT)
		vyrec_lift_bind(lifter, e, name);
}

static bool is_call(const struct vyrec_module *m, vyrec_expr e)
{
	return m->exprs[e].kind == VYREC_EXPR_CALL;
}

/* Takes the fns out of a unit's items, but for those of a set that the scheduler will call. */
static bool drop_fns(struct vyrec_module *m, vyrec_unit unit)
{
	uint32_t *items = &m->refs[m->units[unit].items], count = m->units[unit].item_count, kept = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (items[2 * i] == VYREC_ITEM_FN && !vyrec_is_workspace_fn(m, items[2 * i + 1]))
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
	struct inliner in = {.lifter = {.m = m, .wants = is_call, .lower = lower_call, .drops_void = true},
			     .diags = diags};
	struct vyrec_body body = {0};
	(void)options;
	while (!in.lifter.stop && vyrec_next_body(m, &body)) {
		struct vyrec_list list = {0};
		if (body.fn && !vyrec_is_workspace_fn(m, body.fn))
			continue; /* nothing calls it any more afterwards */
		vyrec_lift_into(&in.lifter, body.block, &list);
		vyrec_take_list(m, body.block, &list);
	}
	for (vyrec_unit unit = 1; unit < m->unit_count && !in.lifter.stop; unit++)
		in.changed |= drop_fns(m, unit);
	return in.changed;
}
