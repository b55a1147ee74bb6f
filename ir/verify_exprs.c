/* verify_exprs.c - types and places of expressions.
 *
 * Enters: an expression of sound shape, and what is visible where it stands. Leaves: violations. Invariant: operands are
 * checked before the node that takes them, and a node is judged by the types that its operands carry, so one wrong type
 * gives one message and not one for each parent.
 */
#include "ir/verify_internal.h"

static vyrec_type type_of(const struct verify_body *b, vyrec_expr expr)
{
	return b->v->m->exprs[expr].type;
}

/* ---- arrays ---------------------------------------------------------------------------------------------------------- */

void verify_array_use(struct verify_body *b, vyrec_array array, vyrec_loc loc)
{
	if (!b->array_visible[array])
		FAIL(b->v, V050, loc, "array `%s` is not declared at this place; declare it before, in a scope around",
		     verify_name(b->v, b->v->m->arrays[array].name));
}

void verify_plain_access(struct verify_body *b, vyrec_array array, vyrec_loc loc, bool writes)
{
	const struct vyrec_array_node *a = &b->v->m->arrays[array];
	verify_array_use(b, array, loc);
	if (a->class_ == VYREC_CLASS_LIVE)
		FAIL(b->v, V061, loc, "plain %s of the live buffer `%s`; use an atomic", writes ? "store" : "load",
		     verify_name(b->v, a->name));
	if (a->class_ == VYREC_CLASS_CONST && writes)
		FAIL(b->v, V060, loc, "store to the const buffer `%s`; declare it without const",
		     verify_name(b->v, a->name));
}

static void check_index(struct verify_body *b, vyrec_expr index)
{
	if (type_of(b, index) != VYREC_U32)
		FAIL(b->v, V033, b->v->m->exprs[index].loc, "an index of type %s; convert it with u32(...)",
		     vyrec_type_name(type_of(b, index)));
}

static void check_atomic(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_node_info *info = vyrec_atomic_get_info(e->code);
	const struct vyrec_array_node *a = &b->v->m->arrays[e->sym];
	verify_array_use(b, e->sym, e->loc);
	check_index(b, e->arg[0]);
	if (a->class_ == VYREC_CLASS_CONST || a->class_ == VYREC_CLASS_LOCAL)
		FAIL(b->v, V062, e->loc,
		     "%s on the %s `%s`; an atomic needs a buffer that can be written, or a shared array", info->text,
		     a->class_ == VYREC_CLASS_CONST ? "const buffer" : "local array", verify_name(b->v, a->name));
	bool admitted = vyrec_type_is_int(a->element) || (info->bits && a->element == VYREC_F32);
	vyrec_type result = info->type == VYREC_VOID ? VYREC_VOID : a->element;
	for (unsigned i = 0; i < info->arg_count; i++)
		admitted &= type_of(b, e->arg[1 + i]) == a->element;
	if (!admitted || e->type != result)
		FAIL(b->v, V037, e->loc,
		     "%s of type %s with a value of type %s on elements %s; it takes %s, all of one type", info->text,
		     vyrec_type_name(e->type), vyrec_type_name(type_of(b, e->arg[1])), vyrec_type_name(a->element),
		     info->bits ? "u32 i32 u64 i64 f32" : "u32 i32 u64 i64");
	bool releases = e->order == VYREC_ORDER_RELEASE || e->order == VYREC_ORDER_ACQREL;
	bool acquires = e->order == VYREC_ORDER_ACQUIRE || e->order == VYREC_ORDER_ACQREL;
	if ((e->code == VYREC_ATOMIC_LOAD && releases) || (e->code == VYREC_ATOMIC_STORE && acquires))
		FAIL(b->v, V063, e->loc, "%s with order %s; use %s", info->text, vyrec_order_name(e->order),
		     releases && e->code == VYREC_ATOMIC_LOAD ? "acquire" : "release");
}

static void check_load(struct verify_body *b, const struct vyrec_expr_node *e)
{
	vyrec_type element = b->v->m->arrays[e->sym].element;
	verify_plain_access(b, e->sym, e->loc, false);
	check_index(b, e->arg[0]);
	if (e->type != vyrec_type_of_element(element))
		FAIL(b->v, V032, e->loc, "a load of type %s from elements %s gives %s; correct the type",
		     vyrec_type_name(e->type), vyrec_type_name(element),
		     vyrec_type_name(vyrec_type_of_element(element)));
}

/* ---- symbols --------------------------------------------------------------------------------------------------------- */

static void check_local(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_local_node *l = &b->v->m->locals[e->sym];
	if (!b->local_visible[e->sym] || l->kind == VYREC_LOCAL_LABEL)
		FAIL(b->v, V050, e->loc, "`%s` is not declared at this place; declare it before, in a scope around",
		     verify_name(b->v, l->name));
	else if (e->type != l->type)
		FAIL(b->v, V032, e->loc, "`%s` is %s, used as %s; convert it", verify_name(b->v, l->name),
		     vyrec_type_name(l->type), vyrec_type_name(e->type));
}

static void check_const(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_const_node *c = &b->v->m->consts[e->sym];
	if (!b->const_visible[e->sym])
		FAIL(b->v, V050, e->loc, "const `%s` is not declared in this unit; declare it",
		     verify_name(b->v, c->name));
	else if (e->type != c->type)
		FAIL(b->v, V032, e->loc, "`%s` is %s, used as %s; convert it", verify_name(b->v, c->name),
		     vyrec_type_name(c->type), vyrec_type_name(e->type));
}

static void check_builtin(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_node_info *info = vyrec_builtin_get_info(e->code);
	if ((info->flags & b->where) != b->where)
		FAIL(b->v, V065, e->loc, "`%s` is not a builtin %s", info->text, verify_where(b));
	if (e->type != info->type || e->imm > (info->flags & VYREC_HAS_AXIS ? 2 : 0))
		FAIL(b->v, V044, e->loc, "`%s` of type %s with axis %llu; it is %s, with an axis of 0 to %d",
		     info->text, vyrec_type_name(e->type), (unsigned long long)e->imm, vyrec_type_name(info->type),
		     info->flags & VYREC_HAS_AXIS ? 2 : 0);
}

static void check_call(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_module *m = b->v->m;
	const struct vyrec_fn_node *f = &m->fns[e->sym];
	if (e->count != f->param_count || e->type != f->result) {
		FAIL(b->v, V038, e->loc,
		     "`%s` takes %u arguments and gives %s, the call has %u and gives %s; correct it",
		     verify_name(b->v, f->name), f->param_count, vyrec_type_name(f->result), e->count,
		     vyrec_type_name(e->type));
		return;
	}
	for (uint32_t i = 0; i < e->count; i++) {
		vyrec_type given = type_of(b, m->refs[e->list + i]), wanted = m->locals[m->refs[f->params + i]].type;
		if (given != wanted)
			FAIL(b->v, V038, e->loc, "argument %u of `%s` is %s, it takes %s; convert it", i + 1,
			     verify_name(b->v, f->name), vyrec_type_name(given), vyrec_type_name(wanted));
	}
}

/* ---- operations ------------------------------------------------------------------------------------------------------ */

static void check_lit(struct verify_body *b, const struct vyrec_expr_node *e)
{
	unsigned width = vyrec_type_bits(e->type);
	if (!vyrec_type_is_value(e->type) || (width < 64 && e->imm >> width))
		FAIL(b->v, V031, e->loc, "a literal of type %s with the bits %#llx; it needs %u bits of a value type",
		     vyrec_type_name(e->type), (unsigned long long)e->imm, width);
}

static void check_op(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_op_info *info = vyrec_op_get_info(e->code);
	vyrec_type types[3] = {type_of(b, e->arg[0]), type_of(b, e->arg[1]), type_of(b, e->arg[2])};
	bool admitted = true;
	for (unsigned i = 0; i < info->arg_count; i++) {
		vyrec_rule rule = info->args[i];
		admitted &= rule == VYREC_RULE_SAME   ? types[i] == types[0]
			    : rule == VYREC_RULE_ARG1 ? types[i] == types[1]
						      : vyrec_rule_admits(rule, types[i]);
	}
	if (!admitted || e->type != vyrec_op_result(e->code, types))
		FAIL(b->v, V030, e->loc, "`%s` (%s) of type %s over %s %s %s; no such row, convert the operands",
		     info->text, info->name, vyrec_type_name(e->type), vyrec_type_name(types[0]),
		     info->arg_count > 1 ? vyrec_type_name(types[1]) : "",
		     info->arg_count > 2 ? vyrec_type_name(types[2]) : "");
}

static void check_collective(struct verify_body *b, const struct vyrec_expr_node *e)
{
	const struct vyrec_node_info *info = vyrec_collective_get_info(e->code);
	vyrec_type a = type_of(b, e->arg[0]), result = a;
	if (info->type == VYREC_RULE_BOOL)
		result = VYREC_BOOL;
	else if (info->type > VYREC_RULE_TYPE)
		result = (vyrec_type)(info->type - VYREC_RULE_TYPE);
	bool admitted = vyrec_rule_admits(info->args[0], a) &&
			(info->arg_count < 2 || vyrec_rule_admits(info->args[1], type_of(b, e->arg[1])));
	if (!admitted || e->type != result)
		FAIL(b->v, V039, e->loc, "`%s` of type %s over %s; the row does not have it, convert the operand",
		     info->text, vyrec_type_name(e->type), vyrec_type_name(a));
	if (verify_is_by_lane(b))
		FAIL(b->v, V067, e->loc, "`%s` in an op by lane; declare the op by workgroup", info->text);
}

static void check_andalso(struct verify_body *b, const struct vyrec_expr_node *e)
{
	if (type_of(b, e->arg[0]) != VYREC_BOOL || type_of(b, e->arg[1]) != VYREC_BOOL || e->type != VYREC_BOOL)
		FAIL(b->v, V035, e->loc, "`%s` over %s and %s; both sides are bool, write x != 0",
		     e->kind == VYREC_EXPR_ANDALSO ? "&&" : "||", vyrec_type_name(type_of(b, e->arg[0])),
		     vyrec_type_name(type_of(b, e->arg[1])));
}

static void check_arg(struct verify_body *b, const struct vyrec_expr_node *e)
{
	check_index(b, e->arg[0]);
	if (b->where != VYREC_IN_HANDLER)
		FAIL(b->v, V065, e->loc, "`arg` is not a builtin %s", verify_where(b));
	if (e->type != VYREC_U32)
		FAIL(b->v, V032, e->loc, "an argument word of type %s; it is u32, convert it",
		     vyrec_type_name(e->type));
}

void verify_expr(struct verify_body *b, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &b->v->m->exprs[expr];
	for (unsigned i = 0; i < 3; i++)
		if (e->arg[i])
			verify_expr(b, e->arg[i]);
	switch (e->kind) {
	case VYREC_EXPR_LIT:
		check_lit(b, e);
		break;
	case VYREC_EXPR_CONST:
		check_const(b, e);
		break;
	case VYREC_EXPR_LOCAL:
		check_local(b, e);
		break;
	case VYREC_EXPR_OP:
		check_op(b, e);
		break;
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		check_andalso(b, e);
		break;
	case VYREC_EXPR_LOAD:
		check_load(b, e);
		break;
	case VYREC_EXPR_LENGTH:
		verify_array_use(b, e->sym, e->loc);
		if (e->type != VYREC_U32)
			FAIL(b->v, V032, e->loc, "a length of type %s; it is u32, convert it",
			     vyrec_type_name(e->type));
		break;
	case VYREC_EXPR_ARG:
		check_arg(b, e);
		break;
	case VYREC_EXPR_BUILTIN:
		check_builtin(b, e);
		break;
	case VYREC_EXPR_COLLECTIVE:
		check_collective(b, e);
		break;
	case VYREC_EXPR_ATOMIC:
		check_atomic(b, e);
		break;
	case VYREC_EXPR_CALL:
		for (uint32_t i = 0; i < e->count; i++)
			verify_expr(b, b->v->m->refs[e->list + i]);
		check_call(b, e);
		if (verify_is_by_lane(b) && b->v->fn_flags[e->sym] & VERIFY_FN_TOGETHER)
			FAIL(b->v, V067, e->loc,
			     "`%s` reaches a barrier or collective, in an op by lane; declare the op by workgroup",
			     verify_name(b->v, b->v->m->fns[e->sym].name));
		break;
	}
}

/* ---- steps ----------------------------------------------------------------------------------------------------------- */

/* The greatest value of an expression that is positive by form, and 0 for any other: a positive literal or const, a
 * count of lanes or workgroups, a product or conversion of such, or a let of such. A product of what a pass may compute
 * fits the type, in whatever order it does; workgroups are known at run time alone, where a step that has wrapped around
 * to 0 runs no turn. */
uint64_t verify_step_bound(const struct verify_body *b, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &b->v->m->exprs[expr];
	unsigned bits = vyrec_type_bits(e->type) - vyrec_type_is_sint(e->type);
	uint64_t most = bits ? ~UINT64_C(0) >> (64 - bits) : 0, bound = 0;
	switch (e->kind) {
	case VYREC_EXPR_LIT:
		bound = e->imm;
		break;
	case VYREC_EXPR_CONST:
		bound = b->v->m->consts[e->sym].value;
		break;
	case VYREC_EXPR_LOCAL:
		bound = b->local_step[e->sym];
		break;
	case VYREC_EXPR_BUILTIN:
		bound = e->code == VYREC_BUILTIN_LANES		 ? VYREC_MAX_LANES
			: e->code == VYREC_BUILTIN_SUBGROUP_SIZE ? 64
			: e->code == VYREC_BUILTIN_WORKGROUPS	 ? 1
								 : 0;
		break;
	case VYREC_EXPR_OP:
		switch (e->code) {
		case VYREC_OP_mul_i: {
			uint64_t x = verify_step_bound(b, e->arg[0]), y = verify_step_bound(b, e->arg[1]);
			bound = x && y <= most / x ? x * y : 0;
			break;
		}
		case VYREC_OP_to_u32_i:
		case VYREC_OP_to_i32_i:
			bound = vyrec_type_bits(type_of(b, e->arg[0])) == 32 ? verify_step_bound(b, e->arg[0]) : 0;
			break;
		case VYREC_OP_to_u64_u:
		case VYREC_OP_to_u64_s:
		case VYREC_OP_to_i64_u:
		case VYREC_OP_to_i64_s:
			bound = verify_step_bound(b, e->arg[0]);
			break;
		default:
			break;
		}
		break;
	default:
		break;
	}
	return bound <= most ? bound : 0;
}
