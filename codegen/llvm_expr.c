/* llvm_expr.c - expressions to SSA values: everything but the rows of ops.def and memory.
 *
 * Enters: an expression of a verified module after the pipeline. Leaves: its value; the builder may have moved to
 * another block. Invariant: operands are evaluated left to right, once.
 */
#include <string.h>

#include "codegen/llvm.h"

/* Is it so small and harmless that evaluating it for nothing beats a branch? */
static bool is_cheap(const struct vyrec_module *m, vyrec_expr expr, int *budget)
{
	const struct vyrec_expr_node *e = &m->exprs[expr];
	if (--*budget < 0)
		return false;
	switch (e->kind) {
	case VYREC_EXPR_LIT:
	case VYREC_EXPR_CONST:
	case VYREC_EXPR_LOCAL:
	case VYREC_EXPR_LENGTH:
		return true;
	case VYREC_EXPR_OP:
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		for (unsigned i = 0; i < 3; i++)
			if (e->arg[i] && !is_cheap(m, e->arg[i], budget))
				return false;
		return true;
	default:
		return false;
	}
}

static LLVMValueRef lower_short_circuit(struct lower *l, const struct vyrec_expr_node *e)
{
	bool is_and = e->kind == VYREC_EXPR_ANDALSO;
	LLVMValueRef known = LLVMConstInt(l->i1, !is_and, false), left = lower_expr(l, e->arg[0]), right;
	int budget = 6;
	if (is_cheap(l->m, e->arg[1], &budget)) {
		right = lower_expr(l, e->arg[1]);
		return is_and ? LLVMBuildAnd(l->b, left, right, "") : LLVMBuildOr(l->b, left, right, "");
	}
	LLVMBasicBlockRef from = LLVMGetInsertBlock(l->b), more = lower_new_block(l, is_and ? "and" : "or");
	LLVMBasicBlockRef join = lower_new_block(l, "joined");
	LLVMBuildCondBr(l->b, left, is_and ? more : join, is_and ? join : more);
	lower_at(l, more);
	right = lower_expr(l, e->arg[1]);
	more = LLVMGetInsertBlock(l->b);
	LLVMBuildBr(l->b, join);
	lower_at(l, join);
	LLVMValueRef phi = LLVMBuildPhi(l->b, l->i1, "");
	LLVMAddIncoming(phi, &known, &from, 1);
	LLVMAddIncoming(phi, &right, &more, 1);
	return phi;
}

static LLVMValueRef literal(struct lower *l, vyrec_type type, uint64_t bits, vyrec_loc loc)
{
	LLVMTypeRef want = lower_type(l, type, loc);
	if (!vyrec_type_is_float(type))
		return LLVMConstInt(want, bits, false);
	return LLVMConstBitCast(LLVMConstInt(type == VYREC_F64 ? l->i64 : l->i32, bits, false), want);
}

static LLVMValueRef local_value(struct lower *l, const struct vyrec_expr_node *e)
{
	const struct vyrec_local_node *local = &l->m->locals[e->sym];
	LLVMValueRef value = l->locals[e->sym].value;
	if (!value) {
		lower_refuse(l, e->loc, "the parameter or undeclared local %s", vyrec_name_text(l->m, local->name));
		return lower_zero(l, e->type);
	}
	if (local->kind == VYREC_LOCAL_VAR)
		return LLVMBuildLoad2(l->b, LLVMGetAllocatedType(value), value, vyrec_name_text(l->m, local->name));
	return value;
}

/* ---- what the families do their own way ------------------------------------------------------------------------------- */

static LLVMValueRef refuse_expr(struct lower *l, const struct vyrec_expr_node *e, const char *what)
{
	lower_refuse(l, e->loc, "%s at this place", what);
	return lower_zero(l, e->type);
}

static LLVMValueRef lower_builtin(struct lower *l, const struct vyrec_expr_node *e)
{
	LLVMValueRef value = l->form->builtin(l, e);
	if (value)
		return value;
	lower_refuse(l, e->loc, "the builtin %s at this place", vyrec_builtin_get_info(e->code)->text);
	return lower_u32(l, 0);
}

static LLVMValueRef lower_collective(struct lower *l, const struct vyrec_expr_node *e)
{
	LLVMValueRef value = NULL, index = NULL;
	if (l->form->collective) {
		value = lower_expr(l, e->arg[0]);
		index = e->arg[1] ? lower_expr(l, e->arg[1]) : NULL;
		value = l->form->collective(l, e, value, index);
	}
	return value ? value : refuse_expr(l, e, vyrec_collective_get_info(e->code)->text);
}

/* ---- dispatch -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef lower_operation(struct lower *l, const struct vyrec_expr_node *e)
{
	LLVMValueRef args[3] = {0};
	for (unsigned i = 0; i < 3; i++)
		if (e->arg[i])
			args[i] = lower_expr(l, e->arg[i]);
	return lower_op(l, e, l->m->exprs[e->arg[e->code == VYREC_OP_select]].type, args);
}

LLVMValueRef lower_expr(struct lower *l, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &l->m->exprs[expr];
	switch ((vyrec_expr_kind)e->kind) {
	case VYREC_EXPR_LIT:
		return literal(l, e->type, e->imm, e->loc);
	case VYREC_EXPR_CONST:
		return literal(l, e->type, l->m->consts[e->sym].value, e->loc);
	case VYREC_EXPR_LOCAL:
		return local_value(l, e);
	case VYREC_EXPR_OP:
		return lower_operation(l, e);
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		return lower_short_circuit(l, e);
	case VYREC_EXPR_LOAD:
		return lower_load(l, e->sym, lower_expr(l, e->arg[0]), e->policy, e->loc);
	case VYREC_EXPR_LENGTH:
		return lower_length(l, e->sym);
	case VYREC_EXPR_BUILTIN:
		return lower_builtin(l, e);
	case VYREC_EXPR_ATOMIC:
		return lower_atomic(l, e);
	case VYREC_EXPR_ARG:
		return refuse_expr(l, e, "arg[]");
	case VYREC_EXPR_COLLECTIVE:
		return lower_collective(l, e);
	case VYREC_EXPR_CALL:
		return refuse_expr(l, e, "a call");
	case VYREC_EXPR_NONE:
	case VYREC_EXPR_COUNT:
		break;
	}
	return refuse_expr(l, e, "an expression of unknown kind");
}
