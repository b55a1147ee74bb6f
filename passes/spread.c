/* spread.c - values of N lanes in arrays of N elements.
 *
 * Enters: expressions inside a loop over the lanes, or between such loops. Leaves: the same expressions, where a local
 * that lives across a split is an element of its array (that of lane 0 between loops, where every lane has the same
 * value), and what names a lane is computed from the counter. Invariant: while planning nothing changes, only uses are
 * noted; a local is spread when a use stands in another region than its declaration.
 *
 * Element i of lane k of a local array stands at i * lanes + k: an index that is out of range stays out of range (with
 * saturating arithmetic), and neighbours in a loop over lanes are neighbours in memory. So the detail of a trap at such an
 * index is not the index but i * lanes + k; the code is right.
 */
#include "passes/split.h"

/* ---- arrays ---------------------------------------------------------------------------------------------------------- */

vyrec_array vyrec_split_array(struct vyrec_splitter *sp, const char *base, vyrec_type element, uint32_t count,
			      vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	uint64_t total = (uint64_t)count * sp->crew->lanes;
	if (total > VYREC_MAX_LOCAL_ELEMENTS) {
		vyrec_diags_add(
		    sp->diags, VYREC_ERROR, "", loc,
		    "%s `%s`: `%s` lives across a barrier or collective, so one lane that runs all %u needs "
		    "%u * %u = %llu elements, the limit is %d; make it smaller, or use fewer lanes",
		    sp->crew->what, vyrec_name_text(m, sp->crew->name), base, sp->crew->lanes, count, sp->crew->lanes,
		    (unsigned long long)total, VYREC_MAX_LOCAL_ELEMENTS);
		sp->failed = true;
		total = 1;
	}
	char stem[VYREC_MAX_NAME_BYTES + 1];
	snprintf(stem, sizeof stem, "%s", base);
	vyrec_array array = vyrec_add_array(m, &(struct vyrec_array_node){.name = vyrec_fresh_name(m, stem),
									  .class_ = VYREC_CLASS_LOCAL,
									  .element = (uint8_t)element,
									  .count = (uint32_t)total,
									  .loc = loc});
	vyrec_list_push(&sp->decls, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
							  .kind = VYREC_STMT_VAR, .array = array, .loc = loc}));
	return array;
}

bool vyrec_local_is_spread(const struct vyrec_splitter *sp, vyrec_local local)
{
	return local < sp->local_count && sp->is_spread[local];
}

bool vyrec_array_is_spread(const struct vyrec_splitter *sp, vyrec_array array)
{
	return array < sp->array_count && sp->array_is_spread[array];
}

vyrec_array vyrec_spread_local(struct vyrec_splitter *sp, vyrec_local local)
{
	const struct vyrec_local_node n = sp->m->locals[local];
	if (!sp->spread[local])
		sp->spread[local] = vyrec_split_array(sp, vyrec_name_text(sp->m, n.name), n.type, 1, n.loc);
	return sp->spread[local];
}

vyrec_array vyrec_spread_array(struct vyrec_splitter *sp, vyrec_array array)
{
	const struct vyrec_array_node n = sp->m->arrays[array];
	if (!sp->array_spread[array])
		sp->array_spread[array] =
		    vyrec_split_array(sp, vyrec_name_text(sp->m, n.name), n.element, n.count, n.loc);
	return sp->array_spread[array];
}

void vyrec_note_local(struct vyrec_splitter *sp, vyrec_local local)
{
	if (!sp->emitting && sp->home[local] && sp->home[local] != sp->region)
		sp->is_spread[local] = true;
}

void vyrec_note_array(struct vyrec_splitter *sp, vyrec_array array)
{
	if (!sp->emitting && sp->array_home[array] && sp->array_home[array] != sp->region)
		sp->array_is_spread[array] = true;
}

/* ---- lanes ----------------------------------------------------------------------------------------------------------- */

vyrec_expr vyrec_split_lane(struct vyrec_splitter *sp, vyrec_loc loc)
{
	if (sp->region)
		return vyrec_make_get(sp->m, sp->lane, loc);
	return sp->fall ? vyrec_make_get(sp->m, sp->fall->leader, loc) : vyrec_make_u32(sp->m, 0, loc);
}

static vyrec_expr op_u32(struct vyrec_module *m, vyrec_op op, vyrec_expr a, uint32_t b)
{
	return vyrec_make_op(m, op, a, vyrec_make_u32(m, b, m->exprs[a].loc), 0);
}

static vyrec_expr local_id(struct vyrec_splitter *sp, unsigned axis, vyrec_loc loc)
{
	const uint32_t *size = sp->crew->size;
	vyrec_expr id = vyrec_split_lane(sp, loc);
	uint32_t stride = axis == 0 ? 1 : axis == 1 ? size[0] : size[0] * size[1];
	if (stride > 1)
		id = op_u32(sp->m, VYREC_OP_div_u, id, stride);
	return stride * size[axis] < sp->crew->lanes ? op_u32(sp->m, VYREC_OP_rem_u, id, size[axis]) : id;
}

static vyrec_expr builtin_value(struct vyrec_splitter *sp, struct vyrec_expr_node n)
{
	struct vyrec_module *m = sp->m;
	unsigned axis = (unsigned)n.imm;
	switch (n.code) {
	case VYREC_BUILTIN_LANE:
		return vyrec_split_lane(sp, n.loc);
	case VYREC_BUILTIN_LANES:
		return vyrec_make_u32(m, sp->crew->lanes, n.loc);
	case VYREC_BUILTIN_SUBGROUP_LANE:
		return op_u32(m, VYREC_OP_rem_u, vyrec_split_lane(sp, n.loc), sp->crew->subgroup);
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		return vyrec_make_u32(m, sp->crew->subgroup, n.loc);
	case VYREC_BUILTIN_LOCAL_ID:
		return local_id(sp, axis, n.loc);
	case VYREC_BUILTIN_GLOBAL_ID: {
		n.code = VYREC_BUILTIN_WORKGROUP_ID;
		vyrec_expr base = op_u32(m, VYREC_OP_mul_i, vyrec_add_expr(m, &n), sp->crew->size[axis]);
		return vyrec_make_op(m, VYREC_OP_add_i, base, local_id(sp, axis, n.loc), 0);
	}
	default:
		return 0;
	}
}

/* ---- places ---------------------------------------------------------------------------------------------------------- */

vyrec_expr vyrec_spread_index(struct vyrec_splitter *sp, vyrec_array array, vyrec_expr index, uint8_t *policy)
{
	struct vyrec_module *m = sp->m;
	uint32_t count = m->arrays[array].count, lanes = sp->crew->lanes;
	vyrec_policy rule = *policy ? *policy : sp->options->bounds ? sp->options->bounds : VYREC_POLICY_CHECKED;
	vyrec_expr lane = vyrec_split_lane(sp, m->exprs[index].loc);
	uint64_t bits;
	if (rule == VYREC_POLICY_CLAMP)
		index = op_u32(m, VYREC_OP_min_u, index, count - 1);
	if (rule == VYREC_POLICY_CLAMP || (vyrec_expr_is_lit(m, index, &bits) && bits < count))
		rule = *policy = VYREC_POLICY_UNCHECKED;
	if (rule == VYREC_POLICY_UNCHECKED)
		return vyrec_make_op(m, VYREC_OP_add_i, op_u32(m, VYREC_OP_mul_i, index, lanes), lane, 0);
	return vyrec_make_op(m, VYREC_OP_add_sat_u, op_u32(m, VYREC_OP_mul_sat_u, index, lanes), lane, 0);
}

vyrec_stmt vyrec_store_lane(struct vyrec_splitter *sp, vyrec_array array, vyrec_expr value)
{
	vyrec_expr lane = vyrec_split_lane(sp, sp->m->exprs[value].loc);
	return vyrec_make_store(sp->m, array, lane, value, VYREC_POLICY_UNCHECKED);
}

vyrec_local vyrec_split_counter(struct vyrec_splitter *sp, const char *base, vyrec_loc loc)
{
	return vyrec_add_local(sp->m, vyrec_fresh_name(sp->m, base), VYREC_LOCAL_COUNTER, VYREC_U32, loc);
}

vyrec_stmt vyrec_split_for(struct vyrec_splitter *sp, vyrec_local i, vyrec_expr from, vyrec_expr to, uint32_t step,
			   struct vyrec_list *body, vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	vyrec_expr by = step == 1 ? 0 : vyrec_make_u32(m, step, loc);
	vyrec_block block = vyrec_make_block(m, body);
	return vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){
		   .kind = VYREC_STMT_FOR, .local = i, .expr = {from, to, by}, .body = {block}, .loc = loc});
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static void rewrite(struct vyrec_splitter *sp, vyrec_expr e)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_expr_node n = m->exprs[e];
	if (n.kind == VYREC_EXPR_BUILTIN) {
		vyrec_expr value = builtin_value(sp, n);
		if (value)
			vyrec_become(m, e, value);
	} else if (n.kind == VYREC_EXPR_LOCAL && vyrec_local_is_spread(sp, n.sym)) {
		vyrec_array array = vyrec_spread_local(sp, n.sym);
		vyrec_expr load = vyrec_make_load(m, array, vyrec_split_lane(sp, n.loc), VYREC_POLICY_UNCHECKED, n.loc);
		vyrec_become(m, e, load);
	} else if (n.kind == VYREC_EXPR_LOAD && vyrec_array_is_spread(sp, n.sym)) {
		vyrec_array array = vyrec_spread_array(sp, n.sym);
		vyrec_expr index = vyrec_spread_index(sp, n.sym, n.arg[0], &n.policy);
		m->exprs[e].policy = n.policy;
		m->exprs[e].arg[0] = index;
		m->exprs[e].sym = array;
	} else if (n.kind == VYREC_EXPR_LENGTH && vyrec_array_is_spread(sp, n.sym)) {
		vyrec_become(m, e, vyrec_make_u32(m, m->arrays[n.sym].count, n.loc));
	}
}

void vyrec_split_expr(struct vyrec_splitter *sp, vyrec_expr e)
{
	vyrec_expr operand;
	for (uint32_t i = 0; (operand = vyrec_expr_operand(sp->m, e, i)); i++)
		vyrec_split_expr(sp, operand);
	const struct vyrec_expr_node *n = &sp->m->exprs[e];
	if (sp->emitting)
		rewrite(sp, e);
	else if (n->kind == VYREC_EXPR_LOCAL)
		vyrec_note_local(sp, n->sym);
	else if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_LENGTH || n->kind == VYREC_EXPR_ATOMIC)
		vyrec_note_array(sp, n->sym);
}
