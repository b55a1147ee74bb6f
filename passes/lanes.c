/* lanes.c - runs a workgroup on a target that has one lane.
 *
 * Enters: verified IR without calls. Leaves: ops by lane, and programs of one invocation, that do the work of all lanes of
 * a workgroup; no LANE, LANES, LOCAL_ID, GLOBAL_ID or SUBGROUP_* builtin, no collective, no workgroup barrier, no
 * asynchronous copy. Invariant: one of the orders that the lanes could have run in. A lane that spins until another one
 * of its workgroup has done something never ends, as it may not on hardware that runs lanes in step.
 *
 * Where workgroups have more lanes it does so for sets with a queue alone, whose slots one lane runs behind a mailbox too.
 *
 * An op by workgroup of any width has one lane here: collectives are their operand, barriers vanish, and a loop over
 * `lane .. n step lanes` is a plain loop that the backend vectorises. A fixed width is kept by loops over the lanes
 * (split.c).
 */
#include <stdlib.h>

#include "passes/lanes.h"
#include "passes/lift.h"

enum { SUBGROUP = 32 };

/* ---- one lane -------------------------------------------------------------------------------------------------------- */

static void become_u32(struct vyrec_expr_node *n, uint32_t value)
{
	*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = VYREC_U32, .imm = value, .loc = n->loc};
}

static void narrow_builtin(struct vyrec_expr_node *n)
{
	switch (n->code) {
	case VYREC_BUILTIN_LANE:
	case VYREC_BUILTIN_SUBGROUP_LANE:
	case VYREC_BUILTIN_LOCAL_ID:
		become_u32(n, 0);
		break;
	case VYREC_BUILTIN_LANES:
	case VYREC_BUILTIN_SUBGROUP_SIZE:
		become_u32(n, 1);
		break;
	case VYREC_BUILTIN_GLOBAL_ID: /* workgroup_id * 1 + 0 */
		n->code = VYREC_BUILTIN_WORKGROUP_ID;
		break;
	default:
		break;
	}
}

/* A collective over one lane; its operands are evaluated in any order. */
static void narrow_collective(struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node n = m->exprs[e];
	vyrec_expr other;
	switch (n.code) {
	case VYREC_COLLECTIVE_SHUFFLE:
	case VYREC_COLLECTIVE_SUBGROUP_BROADCAST: {
		vyrec_expr first = vyrec_make_infix(m, "==", n.arg[1], vyrec_make_u32(m, 0, n.loc));
		other = vyrec_make_op(m, VYREC_OP_select, first, n.arg[0], vyrec_make_lit(m, n.type, 0, n.loc));
		break;
	}
	case VYREC_COLLECTIVE_BALLOT: {
		vyrec_expr one = vyrec_make_lit(m, VYREC_U64, 1, n.loc), zero = vyrec_make_lit(m, VYREC_U64, 0, n.loc);
		other = vyrec_make_op(m, VYREC_OP_select, n.arg[0], one, zero);
		break;
	}
	default:
		other = n.arg[0];
	}
	vyrec_become(m, e, other);
}

static void narrow_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	bool *changed = user;
	struct vyrec_expr_node before = m->exprs[e];
	if (before.kind == VYREC_EXPR_BUILTIN)
		narrow_builtin(&m->exprs[e]);
	else if (before.kind == VYREC_EXPR_COLLECTIVE)
		narrow_collective(m, e);
	*changed |= before.kind != m->exprs[e].kind || before.code != m->exprs[e].code;
}

/* A lane index that cannot simply be dropped or moved in front of the value. */
static bool is_entangled(const struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	return n->kind == VYREC_EXPR_COLLECTIVE && n->arg[1] &&
	       !(vyrec_expr_is_pure(m, n->arg[0]) && vyrec_expr_is_pure(m, n->arg[1]));
}

static void disentangle(struct vyrec_lifter *lifter, vyrec_expr e)
{
	vyrec_expr operands[2] = {lifter->m->exprs[e].arg[0], lifter->m->exprs[e].arg[1]};
	vyrec_lift_operands(lifter, operands, 2);
	vyrec_lift_bind(lifter, operands[0], "value");
	vyrec_lift_bind(lifter, operands[1], "index");
	narrow_collective(lifter->m, e);
}

/* Barriers go; a statement that was only a collective goes, or keeps its operand. */
static bool narrow_block(struct vyrec_module *m, vyrec_block block)
{
	struct vyrec_list out = {0};
	bool changed = false;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			changed |= narrow_block(m, child);
		const struct vyrec_stmt_node *n = &m->stmts[s];
		bool gone = n->kind == VYREC_STMT_BARRIER && n->scope == VYREC_SCOPE_WORKGROUP;
		if (n->kind == VYREC_STMT_EXPR && m->exprs[n->expr[0]].kind != VYREC_EXPR_ATOMIC) {
			gone = true;
			if (!vyrec_expr_is_pure(m, n->expr[0]))
				vyrec_make_let(m, &out, "unused", n->expr[0]);
		}
		if (!gone)
			vyrec_list_push(&out, s);
		changed |= gone;
	}
	vyrec_take_list(m, block, &out);
	return changed;
}

static bool narrow_body(struct vyrec_module *m, vyrec_block block)
{
	struct vyrec_lifter lifter = {.m = m, .wants = is_entangled, .lower = disentangle};
	bool changed = false;
	struct vyrec_walker walker = {.expr = narrow_expr, .user = &changed};
	struct vyrec_list list = {0};
	uint32_t before = m->expr_count;
	vyrec_lift_into(&lifter, block, &list);
	vyrec_take_list(m, block, &list);
	changed = m->expr_count != before;
	vyrec_walk_block(m, block, &walker);
	changed |= narrow_block(m, block);
	return changed;
}

/* ---- which bodies have how many lanes ---------------------------------------------------------------------------------- */

static struct vyrec_crew crew_of(const struct vyrec_module *m, const struct vyrec_body *body)
{
	struct vyrec_crew crew = {.body = *body, .lanes = 1, .size = {1, 1, 1}};
	if (body->handler) {
		const struct vyrec_handler_node *h = &m->handlers[body->handler];
		crew.what = "op";
		crew.name = h->name;
		if (h->granularity == VYRE_BY_WORKGROUP && h->width)
			crew.size[0] = crew.lanes = h->width;
	} else {
		const struct vyrec_unit_node *u = &m->units[body->unit];
		crew.what = "program";
		crew.name = u->name;
		for (unsigned axis = 0; axis < 3; axis++) {
			crew.size[axis] = u->workgroup[axis];
			crew.lanes *= u->workgroup[axis];
		}
	}
	crew.subgroup = crew.lanes < SUBGROUP ? crew.lanes : SUBGROUP;
	return crew;
}

/* From now on the body is what one lane does. */
static bool declare_one_lane(struct vyrec_module *m, const struct vyrec_body *body)
{
	if (body->handler) {
		struct vyrec_handler_node *h = &m->handlers[body->handler];
		bool changed = h->granularity != VYRE_BY_LANE;
		h->granularity = VYRE_BY_LANE;
		h->width = 0;
		return changed;
	}
	struct vyrec_unit_node *u = &m->units[body->unit];
	bool changed = u->workgroup[0] * u->workgroup[1] * u->workgroup[2] != 1;
	u->workgroup[0] = u->workgroup[1] = u->workgroup[2] = 1;
	return changed;
}

static bool runs_on_one_lane(struct vyrec_module *m, vyrec_unit unit, const struct vyrec_pass_options *options)
{
	return options->one_lane || (options->mailbox && vyrec_set_has_queue(m, unit, options));
}

bool vyrec_pass_lanes(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	struct vyrec_body body = {0};
	bool changed = false;
	while (vyrec_next_body(m, &body)) {
		if (body.fn || !runs_on_one_lane(m, body.unit, options))
			continue;
		struct vyrec_crew crew = crew_of(m, &body);
		changed |= vyrec_lower_async(m, body.block, options);
		if (crew.lanes == 1)
			changed |= narrow_body(m, body.block);
		else if (!vyrec_split_lanes(m, &crew, options, diags))
			return true;
		changed |= declare_one_lane(m, &body);
	}
	return changed;
}
