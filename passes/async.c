/* async.c - asynchronous copies, done where they start.
 *
 * Enters: ASYNC_LOAD, ASYNC_STORE and ASYNC_WAIT. Leaves: loops that copy element by element, and no waits. Invariant: a
 * copy may happen at any time between start and wait, so happening at the start is one of its meanings. Each element keeps
 * the policy of the copy; an index past 2^32 - 1 is out of bounds, hence the saturating sums; the part of a checked copy
 * that has no effect takes no time either.
 */
#include "passes/lanes.h"

static vyrec_expr get(struct vyrec_module *m, vyrec_local local, vyrec_loc loc)
{
	return vyrec_make_get(m, local, loc);
}

static vyrec_expr length_of(struct vyrec_module *m, vyrec_array array, vyrec_loc loc)
{
	return m->arrays[array].class_ < VYREC_CLASS_SHARED ? vyrec_make_length(m, array, loc)
							    : vyrec_make_u32(m, m->arrays[array].count, loc);
}

static void write_copy(struct vyrec_module *m, vyrec_stmt s, vyrec_policy policy, struct vyrec_list *out)
{
	struct vyrec_stmt_node n = m->stmts[s];
	vyrec_local to = vyrec_make_let(m, out, "to", n.expr[0]);
	vyrec_local from = vyrec_make_let(m, out, "from", n.expr[1]);
	vyrec_expr count = n.expr[2];
	if (policy == VYREC_POLICY_CHECKED) {
		vyrec_expr room =
		    vyrec_make_op(m, VYREC_OP_sub_sat_u, length_of(m, n.array, n.loc), get(m, to, n.loc), 0);
		count = vyrec_make_op(m, VYREC_OP_min_u, count, room, 0);
	}
	vyrec_local i = vyrec_add_local(m, vyrec_fresh_name(m, "element"), VYREC_LOCAL_COUNTER, VYREC_U32, n.loc);
	vyrec_expr source = vyrec_make_op(m, VYREC_OP_add_sat_u, get(m, from, n.loc), get(m, i, n.loc), 0);
	vyrec_expr place = vyrec_make_op(m, VYREC_OP_add_sat_u, get(m, to, n.loc), get(m, i, n.loc), 0);
	vyrec_expr value = vyrec_make_load(m, n.array2, source, policy, n.loc);
	vyrec_stmt store = vyrec_make_store(m, n.array, place, value, policy);
	vyrec_expr zero = vyrec_make_u32(m, 0, n.loc);
	vyrec_list_push(out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_FOR,
									 .local = i,
									 .expr = {zero, count},
									 .body = {vyrec_add_block(m, &store, 1)},
									 .loc = n.loc}));
}

bool vyrec_lower_async(struct vyrec_module *m, vyrec_block block, const struct vyrec_pass_options *options)
{
	struct vyrec_list out = {0};
	bool changed = false, here = false;
	vyrec_policy standard = options->bounds ? options->bounds : VYREC_POLICY_CHECKED;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		unsigned kind = m->stmts[s].kind, policy = m->stmts[s].policy;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			changed |= vyrec_lower_async(m, child, options);
		if (kind == VYREC_STMT_ASYNC_LOAD || kind == VYREC_STMT_ASYNC_STORE)
			write_copy(m, s, policy ? policy : standard, &out);
		else if (kind != VYREC_STMT_ASYNC_WAIT)
			vyrec_list_push(&out, s);
		here |=
		    kind == VYREC_STMT_ASYNC_LOAD || kind == VYREC_STMT_ASYNC_STORE || kind == VYREC_STMT_ASYNC_WAIT;
	}
	if (here)
		vyrec_take_list(m, block, &out);
	else
		vyrec_list_free(&out);
	return changed | here;
}
