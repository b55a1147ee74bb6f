/* meet.c - collectives when one lane runs all.
 *
 * Enters: `let t = collective(x[, i])` at a point where all lanes meet. Leaves: the operands are evaluated for every lane
 * at the end of the region that is open; a workgroup's result is one value, a subgroup's one for each lane. Invariant:
 * lanes are asked in order, subgroups are runs of consecutive lanes, a lane that is not there gives 0, to a reduction the
 * identity.
 */
#include "passes/split.h"

static vyrec_expr get(struct vyrec_splitter *sp, vyrec_local local, vyrec_loc loc)
{
	return vyrec_make_get(sp->m, local, loc);
}

static vyrec_expr number(struct vyrec_splitter *sp, uint32_t value, vyrec_loc loc)
{
	return vyrec_make_u32(sp->m, value, loc);
}

static vyrec_expr op2(struct vyrec_splitter *sp, vyrec_op op, vyrec_expr a, vyrec_expr b)
{
	return vyrec_make_op(sp->m, op, a, b, 0);
}

static vyrec_expr element(struct vyrec_splitter *sp, vyrec_array array, vyrec_expr index, vyrec_policy policy)
{
	return vyrec_make_load(sp->m, array, index, policy, sp->m->exprs[index].loc);
}

/* ---- one value for the workgroup --------------------------------------------------------------------------------------- */

/* acc = op(acc, x) for every lane; broadcast: if lane == i % lanes { acc = x } */
static void gather_workgroup(struct vyrec_splitter *sp, vyrec_stmt s, const struct vyrec_expr_node *n)
{
	struct vyrec_module *m = sp->m;
	uint64_t identity;
	vyrec_op op = vyrec_reduction(n->code, n->type, &identity);
	vyrec_expr start = vyrec_make_lit(m, n->type, identity, n->loc);
	vyrec_local sum = vyrec_make_var(m, sp->out, "gathered", n->type, start, n->loc);
	if (op) {
		vyrec_expr next = op2(sp, op, get(sp, sum, n->loc), n->arg[0]);
		vyrec_list_push(&sp->inside, vyrec_make_assign(m, sum, next));
	} else {
		vyrec_local value = vyrec_make_let(m, &sp->inside, "value", n->arg[0]);
		vyrec_expr from = op2(sp, VYREC_OP_rem_u, n->arg[1], number(sp, sp->crew->lanes, n->loc));
		vyrec_stmt take = vyrec_make_assign(m, sum, get(sp, value, n->loc));
		vyrec_expr mine = op2(sp, VYREC_OP_eq_i, vyrec_split_lane(sp, n->loc), from);
		vyrec_list_push(&sp->inside, vyrec_make_if(m, mine, vyrec_add_block(m, &take, 1), 0));
	}
	vyrec_close_region(sp, n->loc);
	m->stmts[s].expr[0] = get(sp, sum, n->loc);
	vyrec_list_push(sp->out, s);
}

/* ---- one value for each lane ------------------------------------------------------------------------------------------- */

/* for first in 0 .. lanes step subgroup {
 *	var acc = identity
 *	for k in first .. min(first + subgroup, lanes) { acc = op(acc, x[k]) }      ballot: acc | u64(x[k]) << k - first
 *	for k in ...                                  { t[k] = acc }
 * } */
static void reduce_subgroups(struct vyrec_splitter *sp, const struct vyrec_expr_node *n, vyrec_array values,
			     vyrec_array results)
{
	struct vyrec_module *m = sp->m;
	uint32_t lanes = sp->crew->lanes, width = sp->crew->subgroup;
	uint64_t identity;
	vyrec_op op = vyrec_reduction(n->code, n->type, &identity);
	struct vyrec_list outer = {0}, body = {0};
	vyrec_local first = vyrec_split_counter(sp, "first_lane", n->loc);
	vyrec_expr end =
	    op2(sp, VYREC_OP_min_u, op2(sp, VYREC_OP_add_i, get(sp, first, n->loc), number(sp, width, n->loc)),
		number(sp, lanes, n->loc));
	vyrec_local past = vyrec_make_let(m, &outer, "past_lane", end);
	vyrec_expr start = vyrec_make_lit(m, n->type, identity, n->loc);
	vyrec_local sum = vyrec_make_var(m, &outer, "gathered", n->type, start, n->loc);
	vyrec_local k = vyrec_split_counter(sp, "lane_index", n->loc);
	vyrec_expr value = element(sp, values, get(sp, k, n->loc), VYREC_POLICY_UNCHECKED);
	value = vyrec_fall_present(sp, get(sp, k, n->loc), value, identity);
	if (!op) {
		vyrec_expr bit = op2(sp, VYREC_OP_sub_i, get(sp, k, n->loc), get(sp, first, n->loc));
		value = op2(sp, VYREC_OP_shl, vyrec_make_op(m, VYREC_OP_to_u64_b, value, 0, 0),
			    vyrec_make_op(m, VYREC_OP_to_u64_u, bit, 0, 0));
		op = VYREC_OP_or_i;
	}
	vyrec_list_push(&body, vyrec_make_assign(m, sum, op2(sp, op, get(sp, sum, n->loc), value)));
	vyrec_list_push(&outer,
			vyrec_split_for(sp, k, get(sp, first, n->loc), get(sp, past, n->loc), 1, &body, n->loc));
	k = vyrec_split_counter(sp, "lane_index", n->loc);
	vyrec_list_push(&body,
			vyrec_make_store(m, results, get(sp, k, n->loc), get(sp, sum, n->loc), VYREC_POLICY_UNCHECKED));
	vyrec_list_push(&outer,
			vyrec_split_for(sp, k, get(sp, first, n->loc), get(sp, past, n->loc), 1, &body, n->loc));
	vyrec_list_push(sp->out, vyrec_split_for(sp, first, number(sp, 0, n->loc), number(sp, lanes, n->loc), width,
						 &outer, n->loc));
}

/* for k in 0 .. lanes {
 *	let first = k - k % subgroup
 *	t[k] = select(i[k] < min(lanes - first, subgroup), x[checked first + i[k]], 0)
 * } */
static void choose_lanes(struct vyrec_splitter *sp, const struct vyrec_expr_node *n, vyrec_array values,
			 vyrec_array indices, vyrec_array results)
{
	struct vyrec_module *m = sp->m;
	uint32_t lanes = sp->crew->lanes, width = sp->crew->subgroup;
	struct vyrec_list body = {0};
	vyrec_local k = vyrec_split_counter(sp, "lane_index", n->loc);
	vyrec_expr within = op2(sp, VYREC_OP_rem_u, get(sp, k, n->loc), number(sp, width, n->loc));
	vyrec_local first = vyrec_make_let(m, &body, "first_lane", op2(sp, VYREC_OP_sub_i, get(sp, k, n->loc), within));
	vyrec_local from =
	    vyrec_make_let(m, &body, "from_lane", element(sp, indices, get(sp, k, n->loc), VYREC_POLICY_UNCHECKED));
	vyrec_expr there =
	    op2(sp, VYREC_OP_min_u, op2(sp, VYREC_OP_sub_i, number(sp, lanes, n->loc), get(sp, first, n->loc)),
		number(sp, width, n->loc));
	vyrec_expr sum = op2(sp, VYREC_OP_add_i, get(sp, first, n->loc), get(sp, from, n->loc));
	vyrec_local place = vyrec_make_let(m, &body, "place", sum);
	vyrec_expr value = element(sp, values, get(sp, place, n->loc), VYREC_POLICY_CHECKED);
	value = vyrec_fall_present(sp, get(sp, place, n->loc), value, 0);
	vyrec_expr chosen = vyrec_make_op(m, VYREC_OP_select, op2(sp, VYREC_OP_lt_u, get(sp, from, n->loc), there),
					  value, vyrec_make_lit(m, n->type, 0, n->loc));
	vyrec_list_push(&body, vyrec_make_store(m, results, get(sp, k, n->loc), chosen, VYREC_POLICY_UNCHECKED));
	vyrec_list_push(sp->out,
			vyrec_split_for(sp, k, number(sp, 0, n->loc), number(sp, lanes, n->loc), 1, &body, n->loc));
}

static void gather_subgroups(struct vyrec_splitter *sp, vyrec_stmt s, const struct vyrec_expr_node *n)
{
	struct vyrec_module *m = sp->m;
	vyrec_array values = vyrec_split_array(sp, "lane_values", m->exprs[n->arg[0]].type, 1, n->loc), indices = 0;
	vyrec_array results = vyrec_spread_local(sp, m->stmts[s].local);
	vyrec_list_push(&sp->inside, vyrec_store_lane(sp, values, n->arg[0]));
	if (n->arg[1]) {
		indices = vyrec_split_array(sp, "lane_indices", VYREC_U32, 1, n->loc);
		vyrec_list_push(&sp->inside, vyrec_store_lane(sp, indices, n->arg[1]));
	}
	vyrec_close_region(sp, n->loc);
	if (indices)
		choose_lanes(sp, n, values, indices, results);
	else
		reduce_subgroups(sp, n, values, results);
}

void vyrec_split_collective(struct vyrec_splitter *sp, vyrec_stmt s)
{
	struct vyrec_expr_node n = sp->m->exprs[sp->m->stmts[s].expr[0]];
	vyrec_open_region(sp);
	for (unsigned i = 0; i < 2; i++)
		if (n.arg[i])
			vyrec_split_expr(sp, n.arg[i]);
	bool subgroup = vyrec_collective_get_info(n.code)->subgroup;
	if (!sp->emitting) {
		vyrec_close_region(sp, n.loc);
		sp->home[sp->m->stmts[s].local] = 0;
		sp->is_spread[sp->m->stmts[s].local] = subgroup;
	} else if (subgroup) {
		gather_subgroups(sp, s, &n);
	} else {
		gather_workgroup(sp, s, &n);
	}
}
