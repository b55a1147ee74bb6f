/* lift.c - takes nodes of one sort (calls, collectives) out of expressions, into statements in front.
 *
 * Enters: a block, and what to lift. Leaves: the same block where each lifted node is a statement of its own and its value
 * a local. Invariant: everything is evaluated once, in the order of the text, left to right; the right side of && and ||
 * only when it is needed.
 *
 * What is evaluated before a lifted node in the same statement, and may see its effects (it reads memory or has effects
 * itself), is bound to a `let` first. Reads of locals stay in place: neither a fn nor a collective writes the locals of
 * the body it stands in.
 */
#include "passes/lift.h"

static bool has_wanted(const struct vyrec_lifter *l, vyrec_expr e)
{
	vyrec_expr operand;
	if (l->wants(l->m, e))
		return true;
	for (uint32_t i = 0; (operand = vyrec_expr_operand(l->m, e, i)); i++)
		if (has_wanted(l, operand))
			return true;
	return false;
}

void vyrec_lift_bind(struct vyrec_lifter *l, vyrec_expr e, const char *base)
{
	vyrec_local local = vyrec_make_let(l->m, l->out, base, vyrec_move_expr(l->m, e));
	vyrec_become_get(l->m, e, local);
}

/* a && f(b)  ->  var both = a; if both { ...; both = result } */
static void lift_short_circuit(struct vyrec_lifter *l, vyrec_expr e)
{
	struct vyrec_module *m = l->m;
	struct vyrec_expr_node node = m->exprs[e];
	struct vyrec_list right = {0}, *out = l->out;
	vyrec_lift_operands(l, &node.arg[0], 1);
	vyrec_local t = vyrec_make_var(m, out, node.kind == VYREC_EXPR_ANDALSO ? "both" : "either", VYREC_BOOL,
				       node.arg[0], node.loc);
	l->out = &right;
	vyrec_lift_operands(l, &node.arg[1], 1);
	vyrec_list_push(&right, vyrec_make_assign(m, t, node.arg[1]));
	l->out = out;
	vyrec_expr condition = vyrec_make_get(m, t, node.loc);
	if (node.kind == VYREC_EXPR_ORELSE)
		condition = vyrec_make_not(m, condition);
	vyrec_list_push(out, vyrec_make_if(m, condition, vyrec_make_block(m, &right), 0));
	vyrec_become_get(m, e, t);
}

static void lift_expr(struct vyrec_lifter *l, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &l->m->exprs[e];
	if (l->stop || !has_wanted(l, e))
		return;
	if (l->wants(l->m, e)) {
		l->lower(l, e);
	} else if ((n->kind == VYREC_EXPR_ANDALSO || n->kind == VYREC_EXPR_ORELSE) && has_wanted(l, n->arg[1])) {
		lift_short_circuit(l, e);
	} else {
		struct vyrec_list operands = {0};
		vyrec_expr operand;
		for (uint32_t i = 0; (operand = vyrec_expr_operand(l->m, e, i)); i++)
			vyrec_list_push(&operands, operand);
		vyrec_lift_operands(l, operands.items, operands.count);
		vyrec_list_free(&operands);
	}
}

void vyrec_lift_operands(struct vyrec_lifter *l, const vyrec_expr *operands, uint32_t count)
{
	uint32_t end = 0; /* one past the last operand that holds one */
	for (uint32_t i = 0; i < count; i++)
		if (has_wanted(l, operands[i]))
			end = i + 1;
	for (uint32_t i = 0; i < end; i++) {
		lift_expr(l, operands[i]);
		if (i + 1 < end && !vyrec_expr_is_pure(l->m, operands[i]))
			vyrec_lift_bind(l, operands[i], "operand");
	}
}

static void lift_stmt(struct vyrec_lifter *l, vyrec_stmt s)
{
	struct vyrec_module *m = l->m;
	struct vyrec_list operands = {0};
	vyrec_expr operand;
	vyrec_block child;
	bool alone = l->drops_void && m->stmts[s].kind == VYREC_STMT_EXPR && l->wants(m, m->stmts[s].expr[0]);
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(m, s, i)); i++)
		vyrec_list_push(&operands, operand);
	vyrec_lift_operands(l, operands.items, operands.count);
	vyrec_list_free(&operands);
	for (uint32_t i = 0; (child = vyrec_child_block(m, s, &i));) {
		struct vyrec_list list = {0};
		vyrec_lift_into(l, child, &list);
		vyrec_take_list(m, child, &list);
	}
	if (!alone)
		vyrec_list_push(l->out, s);
}

void vyrec_lift_into(struct vyrec_lifter *l, vyrec_block block, struct vyrec_list *out)
{
	struct vyrec_list *outer = l->out;
	l->out = out;
	l->depth++;
	for (uint32_t i = 0; i < l->m->blocks[block].count && !l->stop; i++)
		lift_stmt(l, vyrec_block_stmt(l->m, block, i));
	l->depth--;
	l->out = outer;
}
