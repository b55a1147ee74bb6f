/* fold.c - computes constants and applies algebra.
 *
 * Enters: verified IR. Leaves: the same program with fewer nodes: literals where values are known, uses of a `let` of a
 * literal or of another name replaced by it, branches and switches on literals decided, loops of no turn gone.
 * Invariant: what has an effect stays and stays in order: atomics, fences, collectives, accesses that may trap. Float
 * operations are only computed on literals (through vyrec_eval, the language's own arithmetic), never rearranged.
 *
 * One walk in order of the text does it: a declaration is seen before its uses. Algebra on one node is in algebra.c.
 */
#include <stdlib.h>

#include "passes/algebra.h"

struct folder {
	struct vyrec_module *m;
	const struct vyrec_pass_options *options;
	vyrec_expr *stands_for; /* by local: the literal or name that its value is; 0 = none */
	uint32_t *writes;	/* by local: assignments, and catches that set it */
	uint32_t local_count;
	bool changed;
};

static void count_writes(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct folder *f = user;
	const struct vyrec_stmt_node *n = &m->stmts[s];
	if (n->kind == VYREC_STMT_ASSIGN || n->kind == VYREC_STMT_CATCH) {
		f->writes[n->local]++;
		f->writes[n->local2]++;
	}
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static bool fold_leaf(struct folder *f, vyrec_expr e)
{
	struct vyrec_module *m = f->m;
	struct vyrec_expr_node *n = &m->exprs[e];
	if (vyrec_become_const_value(m, e))
		return true;
	if (n->kind == VYREC_EXPR_LOCAL && n->sym < f->local_count && f->stands_for[n->sym]) {
		vyrec_become(m, e, f->stands_for[n->sym]);
		return true;
	}
	if (n->kind == VYREC_EXPR_LENGTH && m->arrays[n->sym].class_ >= VYREC_CLASS_SHARED) {
		*n = (struct vyrec_expr_node){
		    .kind = VYREC_EXPR_LIT, .type = n->type, .imm = m->arrays[n->sym].count, .loc = n->loc};
		return true;
	}
	return false;
}

/* false && r, true && r, l && true; l && false only where l may go. The right side never runs more often than before. */
static bool fold_short_circuit(struct folder *f, vyrec_expr e)
{
	struct vyrec_module *m = f->m;
	vyrec_expr left = m->exprs[e].arg[0], right = m->exprs[e].arg[1];
	uint64_t neutral = m->exprs[e].kind == VYREC_EXPR_ANDALSO, bits;
	if (vyrec_expr_is_lit(m, left, &bits))
		vyrec_become(m, e, bits == neutral ? right : left);
	else if (vyrec_expr_is_lit(m, right, &bits) && bits == neutral)
		vyrec_become(m, e, left);
	else if (vyrec_expr_is_lit(m, right, &bits) && vyrec_expr_is_droppable(m, f->options, left))
		vyrec_become(m, e, right);
	else
		return false;
	return true;
}

static void fold_expr(struct folder *f, vyrec_expr e)
{
	vyrec_expr operand;
	bool changed = fold_leaf(f, e);
	for (uint32_t i = 0; (operand = vyrec_expr_operand(f->m, e, i)); i++)
		fold_expr(f, operand);
	/* Each step makes the tree smaller or moves it toward the one written form, so this ends. */
	while ((f->m->exprs[e].kind == VYREC_EXPR_OP && vyrec_fold_op(f->m, f->options, e)) ||
	       ((f->m->exprs[e].kind == VYREC_EXPR_ANDALSO || f->m->exprs[e].kind == VYREC_EXPR_ORELSE) &&
		fold_short_circuit(f, e)))
		changed = true;
	f->changed |= changed;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static void fold_block(struct folder *f, vyrec_block block);

/* A let of a literal or a name stands for it; a var that nothing writes is a let. */
static void learn(struct folder *f, vyrec_stmt s)
{
	struct vyrec_module *m = f->m;
	struct vyrec_stmt_node *n = &m->stmts[s];
	vyrec_local local = n->local;
	if (!local || local >= f->local_count || f->writes[local])
		return;
	if (n->kind == VYREC_STMT_VAR) {
		vyrec_expr value = n->expr[0] ? n->expr[0] : vyrec_make_lit(m, m->locals[local].type, 0, n->loc);
		n->kind = VYREC_STMT_LET;
		n->expr[0] = value;
		m->locals[local].kind = VYREC_LOCAL_LET;
		f->changed = true;
	}
	const struct vyrec_expr_node *value = &m->exprs[n->expr[0]];
	if (value->kind == VYREC_EXPR_LIT || (value->kind == VYREC_EXPR_LOCAL && vyrec_local_is_fixed(m, value->sym)))
		f->stands_for[local] = n->expr[0];
}

static bool is_empty_range(const struct folder *f, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &f->m->stmts[s];
	uint64_t from, to, step = 1;
	vyrec_type type = f->m->locals[n->local].type;
	if (!vyrec_expr_is_lit(f->m, n->expr[0], &from) || !vyrec_expr_is_lit(f->m, n->expr[1], &to) ||
	    (n->expr[2] && !vyrec_expr_is_lit(f->m, n->expr[2], &step)) || !step)
		return false;
	if (vyrec_type_is_sint(type))
		return !vyrec_eval(VYREC_OP_lt_s, type, 0, step, 0) ? false
								    : !vyrec_eval(VYREC_OP_lt_s, type, from, to, 0);
	return from >= to;
}

/* The block that runs when the condition or value is known. */
static bool find_taken(const struct folder *f, vyrec_stmt s, vyrec_block *taken)
{
	const struct vyrec_stmt_node *n = &f->m->stmts[s];
	uint64_t bits;
	*taken = 0;
	if (n->kind == VYREC_STMT_FOR)
		return is_empty_range(f, s);
	if ((n->kind != VYREC_STMT_IF && n->kind != VYREC_STMT_SWITCH) || !vyrec_expr_is_lit(f->m, n->expr[0], &bits))
		return false;
	*taken = n->body[n->kind == VYREC_STMT_IF && !bits];
	for (uint32_t i = 0; n->kind == VYREC_STMT_SWITCH && i < n->count; i++)
		if (f->m->refs[n->list + 2 * i] == (uint32_t)bits)
			*taken = f->m->refs[n->list + 2 * i + 1];
	return true;
}

static void fold_stmt(struct folder *f, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = f->m;
	vyrec_expr operand;
	vyrec_block child, taken;
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(m, s, i)); i++)
		fold_expr(f, operand);
	if (find_taken(f, s, &taken)) {
		f->changed = true;
		if (!taken)
			return;
		fold_block(f, taken);
		vyrec_list_push(out, vyrec_make_scope(m, taken, m->stmts[s].loc));
		return;
	}
	if (m->stmts[s].kind == VYREC_STMT_LET || m->stmts[s].kind == VYREC_STMT_VAR)
		learn(f, s);
	uint64_t step;
	if (m->stmts[s].kind == VYREC_STMT_FOR && vyrec_expr_is_lit(m, m->stmts[s].expr[2], &step) && step == 1) {
		m->stmts[s].expr[2] = 0; /* the step of a loop that names none */
		f->changed = true;
	}
	for (uint32_t i = 0; (child = vyrec_child_block(m, s, &i));)
		fold_block(f, child);
	vyrec_list_push(out, s);
}

static void fold_block(struct folder *f, vyrec_block block)
{
	struct vyrec_list out = {0};
	bool same = true;
	for (uint32_t i = 0; i < f->m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(f->m, block, i);
		fold_stmt(f, s, &out);
		same = same && out.count == i + 1 && out.items[i] == s;
	}
	if (same)
		vyrec_list_free(&out);
	else
		vyrec_take_list(f->m, block, &out);
}

bool vyrec_pass_fold(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	(void)diags;
	struct folder f = {.m = m, .options = options, .local_count = m->local_count};
	struct vyrec_walker counter = {.stmt = count_writes, .user = &f};
	struct vyrec_body body = {0};
	f.stands_for = vyrec_alloc(f.local_count * sizeof *f.stands_for);
	f.writes = vyrec_alloc(f.local_count * sizeof *f.writes);
	while (vyrec_next_body(m, &body))
		vyrec_walk_block(m, body.block, &counter);
	body = (struct vyrec_body){0};
	while (vyrec_next_body(m, &body))
		fold_block(&f, body.block);
	free(f.stands_for);
	free(f.writes);
	return f.changed;
}
