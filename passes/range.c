/* range.c - intervals of unsigned values, and "below the length of an array".
 *
 * Enters: the facts that a walk in order of the text has gathered (lets, loop counters, conditions of the blocks it is
 * in). Leaves: an interval that holds the value in every run, or the proof that an index is inside an array. Invariant: a
 * fact is only kept about locals that never change (let, parameter, counter), so it holds to the end of their scope, or
 * to a suspension point if it is about a length; where an operation may wrap, nothing is known.
 *
 * Why intervals without relations between locals: with check hoisting behind it this proves what examples need, and
 * every rule can be read alone.
 */
#include <stdlib.h>

#include "passes/range.h"

static uint64_t type_max(vyrec_type type)
{
	unsigned bits = vyrec_type_bits(type);
	return bits ? ~UINT64_C(0) >> (64 - bits) : 0;
}

static struct vyrec_range full(vyrec_type type)
{
	return (struct vyrec_range){0, type_max(type)};
}

/* ---- facts ----------------------------------------------------------------------------------------------------------- */

void vyrec_facts_begin(struct vyrec_facts *facts, const struct vyrec_module *m, const struct vyrec_body *body)
{
	*facts = (struct vyrec_facts){.m = m, .lanes = VYREC_MAX_LANES};
	if (body->handler && m->handlers[body->handler].granularity == VYRE_BY_LANE)
		facts->lanes = 1;
	else if (body->handler && m->handlers[body->handler].width)
		facts->lanes = m->handlers[body->handler].width;
	if (!body->handler && !body->fn) {
		facts->workgroup = m->units[body->unit].workgroup;
		facts->lanes = facts->workgroup[0] * facts->workgroup[1] * facts->workgroup[2];
	}
	facts->ranges = vyrec_alloc(m->local_count * sizeof *facts->ranges);
	facts->length_of = vyrec_alloc(m->local_count * sizeof *facts->length_of);
	for (uint32_t i = 1; i < m->local_count; i++)
		facts->ranges[i] = full(m->locals[i].type);
}

void vyrec_facts_finish(struct vyrec_facts *facts)
{
	free(facts->ranges);
	free(facts->length_of);
	free(facts->below);
	free(facts->undo);
	vyrec_list_free(&facts->lengths);
	*facts = (struct vyrec_facts){0};
}

struct vyrec_mark vyrec_facts_enter(const struct vyrec_facts *facts)
{
	return (struct vyrec_mark){facts->below_count, facts->undo_count};
}

void vyrec_facts_leave(struct vyrec_facts *facts, struct vyrec_mark mark)
{
	while (facts->undo_count > mark.undo) {
		const struct vyrec_undo *undo = &facts->undo[--facts->undo_count];
		facts->ranges[undo->local] = undo->range;
	}
	facts->below_count = mark.below;
}

static void narrow(struct vyrec_facts *facts, vyrec_local local, uint64_t low, uint64_t high)
{
	struct vyrec_range *range = &facts->ranges[local];
	if (low <= range->low && high >= range->high)
		return;
	facts->undo = vyrec_grow(facts->undo, &facts->undo_capacity, facts->undo_count + 1, sizeof *facts->undo);
	facts->undo[facts->undo_count++] = (struct vyrec_undo){local, *range};
	if (low > range->low)
		range->low = low;
	if (high < range->high)
		range->high = high;
	if (range->low > range->high)
		range->low = range->high; /* cannot happen at run time: any interval is right */
}

static void add_below(struct vyrec_facts *facts, vyrec_local local, vyrec_array array)
{
	facts->below = vyrec_grow(facts->below, &facts->below_capacity, facts->below_count + 1, sizeof *facts->below);
	facts->below[facts->below_count++] = (struct vyrec_below){local, array};
}

/* The array whose length an expression is, or 0. */
static vyrec_array length_array(const struct vyrec_facts *facts, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &facts->m->exprs[e];
	return n->kind == VYREC_EXPR_LENGTH ? n->sym : n->kind == VYREC_EXPR_LOCAL ? facts->length_of[n->sym] : 0;
}

static vyrec_local fixed_local(const struct vyrec_facts *facts, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &facts->m->exprs[e];
	return n->kind == VYREC_EXPR_LOCAL && vyrec_local_is_fixed(facts->m, n->sym) ? n->sym : 0;
}

void vyrec_facts_let(struct vyrec_facts *facts, vyrec_local local, vyrec_expr value)
{
	struct vyrec_range range = vyrec_facts_range(facts, value);
	if (!vyrec_type_is_uint(facts->m->locals[local].type))
		return;
	facts->length_of[local] = length_array(facts, value);
	if (facts->length_of[local])
		vyrec_list_push(&facts->lengths, local);
	narrow(facts, local, range.low, range.high);
}

void vyrec_facts_forget_lengths(struct vyrec_facts *facts)
{
	for (uint32_t i = 0; i < facts->below_count; i++)
		facts->below[i].array = 0;
	for (uint32_t i = 0; i < facts->lengths.count; i++)
		facts->length_of[facts->lengths.items[i]] = 0;
	facts->lengths.count = 0;
}

void vyrec_facts_for(struct vyrec_facts *facts, vyrec_stmt loop)
{
	const struct vyrec_stmt_node *n = &facts->m->stmts[loop];
	struct vyrec_range from = vyrec_facts_range(facts, n->expr[0]), to = vyrec_facts_range(facts, n->expr[1]);
	vyrec_array array = length_array(facts, n->expr[1]);
	if (!vyrec_type_is_uint(facts->m->locals[n->local].type))
		return;
	narrow(facts, n->local, from.low, to.high ? to.high - 1 : 0);
	if (array)
		add_below(facts, n->local, array);
}

/* a < b, or with `or_equal` a <= b. */
static void assume_less(struct vyrec_facts *facts, vyrec_expr a, vyrec_expr b, bool or_equal)
{
	struct vyrec_range x = vyrec_facts_range(facts, a), y = vyrec_facts_range(facts, b);
	vyrec_local left = fixed_local(facts, a), right = fixed_local(facts, b);
	uint64_t gap = or_equal ? 0 : 1;
	if (left)
		narrow(facts, left, 0, y.high < gap ? 0 : y.high - gap);
	if (right)
		narrow(facts, right, x.low + gap < x.low ? x.low : x.low + gap, UINT64_MAX);
	if (left && !or_equal && length_array(facts, b))
		add_below(facts, left, length_array(facts, b));
}

static void assume_equal(struct vyrec_facts *facts, vyrec_expr a, vyrec_expr b)
{
	struct vyrec_range x = vyrec_facts_range(facts, a), y = vyrec_facts_range(facts, b);
	if (!vyrec_type_is_uint(facts->m->exprs[a].type))
		return;
	if (fixed_local(facts, a))
		narrow(facts, fixed_local(facts, a), y.low, y.high);
	if (fixed_local(facts, b))
		narrow(facts, fixed_local(facts, b), x.low, x.high);
}

void vyrec_facts_assume(struct vyrec_facts *facts, vyrec_expr condition, bool truth)
{
	const struct vyrec_expr_node *n = &facts->m->exprs[condition];
	bool both = n->kind == VYREC_EXPR_ANDALSO || (n->kind == VYREC_EXPR_OP && n->code == VYREC_OP_and_b);
	bool either = n->kind == VYREC_EXPR_ORELSE || (n->kind == VYREC_EXPR_OP && n->code == VYREC_OP_or_b);
	if ((both && truth) || (either && !truth)) {
		vyrec_facts_assume(facts, n->arg[0], truth);
		vyrec_facts_assume(facts, n->arg[1], truth);
		return;
	}
	if (n->kind != VYREC_EXPR_OP)
		return;
	vyrec_expr a = n->arg[0], b = n->arg[1];
	switch (n->code) {
	case VYREC_OP_not_b:
		vyrec_facts_assume(facts, a, !truth);
		break;
	case VYREC_OP_lt_u: /* !(a < b) is b <= a */
		truth ? assume_less(facts, a, b, false) : assume_less(facts, b, a, true);
		break;
	case VYREC_OP_le_u:
		truth ? assume_less(facts, a, b, true) : assume_less(facts, b, a, false);
		break;
	case VYREC_OP_gt_u:
		truth ? assume_less(facts, b, a, false) : assume_less(facts, a, b, true);
		break;
	case VYREC_OP_ge_u:
		truth ? assume_less(facts, b, a, true) : assume_less(facts, a, b, false);
		break;
	case VYREC_OP_eq_i:
	case VYREC_OP_ne_i:
		if (truth == (n->code == VYREC_OP_eq_i))
			assume_equal(facts, a, b);
		break;
	default:
		break;
	}
}

/* ---- intervals ------------------------------------------------------------------------------------------------------- */

/* The least 2^k - 1 that is not below x. */
static uint64_t mask_of(uint64_t x)
{
	return x ? ~UINT64_C(0) >> __builtin_clzll(x) : 0;
}

static struct vyrec_range infix_range(const struct vyrec_expr_node *n, struct vyrec_range a, struct vyrec_range b)
{
	struct vyrec_range r = full(n->type);
	uint64_t max = r.high, width = vyrec_type_bits(n->type);
	switch (n->code) {
	case VYREC_OP_add_i:
		return a.high <= max - b.high ? (struct vyrec_range){a.low + b.low, a.high + b.high} : r;
	case VYREC_OP_sub_i:
		return a.low >= b.high ? (struct vyrec_range){a.low - b.high, a.high - b.low} : r;
	case VYREC_OP_mul_i:
		return !b.high || a.high <= max / b.high ? (struct vyrec_range){a.low * b.low, a.high * b.high} : r;
	case VYREC_OP_add_sat_u:
		return (struct vyrec_range){a.low <= max - b.low ? a.low + b.low : max,
					    a.high <= max - b.high ? a.high + b.high : max};
	case VYREC_OP_sub_sat_u:
		return (struct vyrec_range){a.low > b.high ? a.low - b.high : 0, a.high > b.low ? a.high - b.low : 0};
	case VYREC_OP_mul_sat_u:
		return (struct vyrec_range){!b.low || a.low <= max / b.low ? a.low * b.low : max,
					    !b.high || a.high <= max / b.high ? a.high * b.high : max};
	case VYREC_OP_and_i:
		return (struct vyrec_range){0, a.high < b.high ? a.high : b.high};
	case VYREC_OP_or_i:
		return (struct vyrec_range){a.low > b.low ? a.low : b.low, mask_of(a.high | b.high)};
	case VYREC_OP_xor_i:
		return (struct vyrec_range){0, mask_of(a.high | b.high)};
	case VYREC_OP_div_u:
		return b.low ? (struct vyrec_range){a.low / b.high, a.high / b.low} : r;
	case VYREC_OP_rem_u:
		return (struct vyrec_range){0, b.high && b.high - 1 < a.high ? b.high - 1 : b.high ? a.high : 0};
	case VYREC_OP_shr_u: /* the count is masked: only a count below the width is what it says */
		return b.high < width ? (struct vyrec_range){a.low >> b.high, a.high >> b.low}
				      : (struct vyrec_range){0, a.high};
	case VYREC_OP_shl:
		return b.high < width && a.high <= max >> b.high
			   ? (struct vyrec_range){a.low << b.low, a.high << b.high}
			   : r;
	case VYREC_OP_min_u:
		return (struct vyrec_range){a.low < b.low ? a.low : b.low, a.high < b.high ? a.high : b.high};
	case VYREC_OP_max_u:
		return (struct vyrec_range){a.low > b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
	default:
		return r;
	}
}

static struct vyrec_range op_range(const struct vyrec_facts *facts, const struct vyrec_expr_node *n)
{
	struct vyrec_range none = full(n->type), a, b;
	vyrec_type operand = facts->m->exprs[n->arg[0]].type;
	switch (n->code) {
	case VYREC_OP_select:
		a = vyrec_facts_range(facts, n->arg[1]);
		b = vyrec_facts_range(facts, n->arg[2]);
		return (struct vyrec_range){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
	case VYREC_OP_to_u32_b:
	case VYREC_OP_to_u64_b:
		return (struct vyrec_range){0, 1};
	case VYREC_OP_to_u32_i:
	case VYREC_OP_to_u64_u:
		a = vyrec_facts_range(facts, n->arg[0]);
		return vyrec_type_is_uint(operand) && a.high <= none.high ? a : none;
	case VYREC_OP_popcount:
	case VYREC_OP_clz:
	case VYREC_OP_ctz:
		return (struct vyrec_range){0, vyrec_type_bits(operand)};
	case VYREC_OP_unpack_u8:
		return (struct vyrec_range){0, 255};
	case VYREC_OP_unpack_u4:
		return (struct vyrec_range){0, 15};
	default:
		if (!n->arg[1] || !vyrec_type_is_uint(operand))
			return none;
		return infix_range(n, vyrec_facts_range(facts, n->arg[0]), vyrec_facts_range(facts, n->arg[1]));
	}
}

static struct vyrec_range builtin_range(const struct vyrec_facts *facts, const struct vyrec_expr_node *n)
{
	switch (n->code) {
	case VYREC_BUILTIN_LANE:
		return (struct vyrec_range){0, facts->lanes - 1};
	case VYREC_BUILTIN_LANES:
		return (struct vyrec_range){1, facts->lanes};
	case VYREC_BUILTIN_SUBGROUP_LANE:
		return (struct vyrec_range){0, 63};
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		return (struct vyrec_range){1, 64};
	case VYREC_BUILTIN_LOCAL_ID:
		if (facts->workgroup)
			return (struct vyrec_range){0, facts->workgroup[n->imm] - 1};
		/* fall through */
	default:
		return full(n->type);
	}
}

struct vyrec_range vyrec_facts_range(const struct vyrec_facts *facts, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &facts->m->exprs[e];
	struct vyrec_range none = full(n->type);
	if (!vyrec_type_is_uint(n->type))
		return none;
	switch (n->kind) {
	case VYREC_EXPR_LIT:
		return (struct vyrec_range){n->imm, n->imm};
	case VYREC_EXPR_LOCAL:
		return vyrec_local_is_fixed(facts->m, n->sym) ? facts->ranges[n->sym] : none;
	case VYREC_EXPR_OP:
		return op_range(facts, n);
	case VYREC_EXPR_BUILTIN:
		return builtin_range(facts, n);
	case VYREC_EXPR_LENGTH:
		return (struct vyrec_range){facts->m->arrays[n->sym].count, none.high};
	case VYREC_EXPR_LOAD: /* narrow elements widen with zeros */
		return (struct vyrec_range){0, facts->m->arrays[n->sym].element == VYREC_U8    ? 0xff
					       : facts->m->arrays[n->sym].element == VYREC_U16 ? 0xffff
											       : none.high};
	default:
		return none;
	}
}

bool vyrec_facts_in_range(const struct vyrec_facts *facts, vyrec_expr index, vyrec_array array)
{
	vyrec_local local = fixed_local(facts, index);
	if (vyrec_facts_range(facts, index).high < facts->m->arrays[array].count)
		return true;
	for (uint32_t i = 0; local && i < facts->below_count; i++)
		if (facts->below[i].local == local && facts->below[i].array == array)
			return true;
	return false;
}
