/* expr.c - questions about expressions that several passes ask.
 *
 * Enters: an expression of a verified module. Leaves: a fact. Invariant: a kind that is not listed here has effects, so
 * that a new kind is treated with care until someone looks at it.
 */
#include "passes/make.h"

bool vyrec_expr_is_lit(const struct vyrec_module *m, vyrec_expr e, uint64_t *bits)
{
	if (!e || m->exprs[e].kind != VYREC_EXPR_LIT)
		return false;
	*bits = m->exprs[e].imm;
	return true;
}

static bool operands_are(const struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e,
			 bool (*is)(const struct vyrec_module *, const struct vyrec_pass_options *, vyrec_expr))
{
	vyrec_expr operand;
	for (uint32_t i = 0; (operand = vyrec_expr_operand(m, e, i)); i++)
		if (!is(m, options, operand))
			return false;
	return true;
}

/* ARG is a read of memory: `result` changes it. */
static bool is_pure(const struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e)
{
	switch (m->exprs[e].kind) {
	case VYREC_EXPR_LIT:
	case VYREC_EXPR_CONST:
	case VYREC_EXPR_LOCAL:
	case VYREC_EXPR_OP:
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
	case VYREC_EXPR_LENGTH:
	case VYREC_EXPR_BUILTIN:
		return operands_are(m, options, e, is_pure);
	default:
		return false;
	}
}

bool vyrec_expr_is_pure(const struct vyrec_module *m, vyrec_expr e)
{
	return is_pure(m, NULL, e);
}

bool vyrec_expr_is_droppable(const struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e)
{
	vyrec_policy policy = m->exprs[e].policy;
	switch (m->exprs[e].kind) {
	case VYREC_EXPR_LOAD:
		if (policy == VYREC_POLICY_TRAP ||
		    (policy == VYREC_POLICY_DEFAULT && options->bounds == VYREC_POLICY_TRAP))
			return false;
		return operands_are(m, options, e, vyrec_expr_is_droppable);
	case VYREC_EXPR_LIT:
	case VYREC_EXPR_CONST:
	case VYREC_EXPR_LOCAL:
	case VYREC_EXPR_OP:
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
	case VYREC_EXPR_LENGTH:
	case VYREC_EXPR_BUILTIN:
	case VYREC_EXPR_ARG:
		return operands_are(m, options, e, vyrec_expr_is_droppable);
	default:
		return false;
	}
}

bool vyrec_expr_equal(const struct vyrec_module *m, vyrec_expr a, vyrec_expr b)
{
	const struct vyrec_expr_node *x = &m->exprs[a], *y = &m->exprs[b];
	if (a == b)
		return true;
	if (x->kind != y->kind || x->type != y->type || x->code != y->code || x->sym != y->sym || x->imm != y->imm ||
	    x->policy != y->policy || x->order != y->order || x->scope != y->scope || x->count != y->count)
		return false;
	for (uint32_t i = 0;; i++) {
		vyrec_expr p = vyrec_expr_operand(m, a, i), q = vyrec_expr_operand(m, b, i);
		if (!p || !q)
			return p == q;
		if (!vyrec_expr_equal(m, p, q))
			return false;
	}
}
