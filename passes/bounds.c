/* bounds.c - gives every access its policy, and takes the check from accesses that cannot miss.
 *
 * Enters: verified IR without calls. Leaves: no access with policy DEFAULT; an access whose index is certainly inside its
 * array is UNCHECKED. Invariant: an access that is not proved keeps what the program asked for. A buffer with a declared
 * length has at least that many elements (the loader refuses a smaller one), one without may have any number.
 *
 * A walk in order of the text carries the facts (range.c): lets, counters, the conditions of the blocks around. What is
 * known of lengths ends at a suspension point: in `if i < length(a) { yield; a[i] = 7 }` the slot may go on in another
 * launch, which has bound a shorter `a`, and the condition is not asked again. In a loop with a point it ends at the
 * head. What it cannot prove inside a counted loop, hoist.c may check once in front of the loop.
 */
#include "passes/hoist.h"
#include "passes/range.h"

struct prover {
	struct vyrec_module *m;
	vyrec_policy default_policy;
	struct vyrec_facts facts;
	bool has_points; /* the body */
	bool changed;
};

/* A sum that is in range did not saturate (a saturated one is 2^32 - 1, past every array), and neither did its parts. */
static void use_plain_sums(struct prover *p, vyrec_expr index)
{
	struct vyrec_expr_node *n = &p->m->exprs[index];
	if (n->kind != VYREC_EXPR_OP || (n->code != VYREC_OP_add_sat_u && n->code != VYREC_OP_mul_sat_u))
		return;
	if (n->code == VYREC_OP_add_sat_u) {
		use_plain_sums(p, n->arg[0]);
		use_plain_sums(p, n->arg[1]);
	}
	n->code = n->code == VYREC_OP_add_sat_u ? VYREC_OP_add_i : VYREC_OP_mul_i;
	p->changed = true;
}

static void settle(struct prover *p, uint8_t *policy, vyrec_expr index, vyrec_array array)
{
	uint8_t old = *policy;
	if (*policy == VYREC_POLICY_DEFAULT)
		*policy = (uint8_t)p->default_policy;
	if (index && vyrec_facts_in_range(&p->facts, index, array)) {
		*policy = VYREC_POLICY_UNCHECKED;
		use_plain_sums(p, index);
	}
	p->changed |= *policy != old;
}

static void prove_expr(struct prover *p, vyrec_expr e)
{
	struct vyrec_expr_node *n = &p->m->exprs[e];
	vyrec_expr operand;
	if (n->kind == VYREC_EXPR_ANDALSO || n->kind == VYREC_EXPR_ORELSE) {
		prove_expr(p, n->arg[0]);
		struct vyrec_mark mark = vyrec_facts_enter(&p->facts);
		vyrec_facts_assume(&p->facts, n->arg[0], n->kind == VYREC_EXPR_ANDALSO);
		prove_expr(p, n->arg[1]);
		vyrec_facts_leave(&p->facts, mark);
		return;
	}
	for (uint32_t i = 0; (operand = vyrec_expr_operand(p->m, e, i)); i++)
		prove_expr(p, operand);
	if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_ATOMIC)
		settle(p, &n->policy, n->arg[0], n->sym);
}

static void prove_block(struct prover *p, vyrec_block block);

static bool ends(const struct prover *p, vyrec_block block)
{
	uint32_t count = block ? p->m->blocks[block].count : 0;
	return count && vyrec_is_end(p->m, vyrec_block_stmt(p->m, block, count - 1));
}

static bool is_point(const struct vyrec_module *m, vyrec_stmt s)
{
	return (vyrec_stmt_get_info(m->stmts[s].kind)->flags & VYREC_IS_SUSPEND) != 0;
}

static void note_point(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	*(bool *)user |= is_point(m, s);
}

static bool suspends(struct vyrec_module *m, vyrec_block block)
{
	bool found = false;
	const struct vyrec_walker walker = {note_point, NULL, &found};
	vyrec_walk_block(m, block, &walker);
	return found;
}

/* A loop that goes on after a point, whatever was known in front of it. */
static bool turns_suspend(const struct prover *p, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &p->m->stmts[s];
	return p->has_points && (n->kind == VYREC_STMT_FOR || n->kind == VYREC_STMT_LOOP) && suspends(p->m, n->body[0]);
}

static void prove_scope(struct prover *p, vyrec_block block, vyrec_stmt loop, vyrec_expr condition, bool truth)
{
	struct vyrec_mark mark = vyrec_facts_enter(&p->facts);
	if (!block)
		return;
	if (loop && p->m->stmts[loop].kind == VYREC_STMT_FOR)
		vyrec_facts_for(&p->facts, loop);
	if (loop && turns_suspend(p, loop))
		vyrec_facts_forget_lengths(&p->facts);
	if (condition)
		vyrec_facts_assume(&p->facts, condition, truth);
	prove_block(p, block);
	vyrec_facts_leave(&p->facts, mark);
}

static void prove_children(struct prover *p, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &p->m->stmts[s];
	vyrec_block child;
	switch (n->kind) {
	case VYREC_STMT_IF:
		prove_scope(p, n->body[0], 0, n->expr[0], true);
		prove_scope(p, n->body[1], 0, n->expr[0], false);
		if (ends(p, n->body[0])) /* if i >= length(a) { return }: the rest has i < length(a) */
			vyrec_facts_assume(&p->facts, n->expr[0], false);
		else if (ends(p, n->body[1]))
			vyrec_facts_assume(&p->facts, n->expr[0], true);
		if (p->has_points &&
		    ((n->body[0] && suspends(p->m, n->body[0])) || (n->body[1] && suspends(p->m, n->body[1]))))
			vyrec_facts_forget_lengths(&p->facts); /* the condition was asked in front of the point */
		break;
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
		prove_scope(p, n->body[0], s, 0, false);
		break;
	case VYREC_STMT_REGION: /* opens no scope */
		prove_block(p, n->body[0]);
		break;
	default:
		for (uint32_t i = 0; (child = vyrec_child_block(p->m, s, &i));)
			prove_scope(p, child, 0, 0, false);
	}
}

static void prove_block(struct prover *p, vyrec_block block)
{
	for (uint32_t i = 0; i < p->m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(p->m, block, i);
		struct vyrec_stmt_node *n = &p->m->stmts[s];
		vyrec_expr operand;
		for (uint32_t k = 0; (operand = vyrec_stmt_operand(p->m, s, k)); k++)
			prove_expr(p, operand);
		if (n->kind == VYREC_STMT_STORE)
			settle(p, &n->policy, n->expr[0], n->array);
		if (n->kind == VYREC_STMT_ASYNC_LOAD || n->kind == VYREC_STMT_ASYNC_STORE)
			settle(p, &n->policy, 0, 0);
		if (n->kind == VYREC_STMT_LET)
			vyrec_facts_let(&p->facts, n->local, n->expr[0]);
		prove_children(p, s);
		if (is_point(p->m, s))
			vyrec_facts_forget_lengths(&p->facts);
	}
}

bool vyrec_pass_bounds(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	struct prover p = {.m = m, .default_policy = options->bounds ? options->bounds : VYREC_POLICY_CHECKED};
	struct vyrec_body body = {0};
	(void)diags;
	while (vyrec_next_body(m, &body)) {
		vyrec_facts_begin(&p.facts, m, &body);
		p.has_points = suspends(m, body.block);
		prove_block(&p, body.block);
		vyrec_facts_finish(&p.facts);
	}
	if (options->level)
		p.changed |= vyrec_hoist_checks(m);
	return p.changed;
}
