/* split.c - runs the lanes of a workgroup one after the other, between the points where they meet.
 *
 * Enters: the body of an op by workgroup(N), or of a program, without calls and asynchronous copies; the verifier has
 * shown that whatever decides around a meeting point (barrier, collective, suspension, result) is uniform. Leaves: the
 * same control flow around the meeting points, run once, with conditions read as lane 0 reads them; and between them
 * regions: `for k in 0 .. N { statements }`.
 *
 *	var x: u32 = f(lane)                   for k in 0 .. N { x[k] = f(k) }
 *	if n > 3 { barrier; g(x) }      ->     if n > 3 { for k in 0 .. N { g(x[k]) } }
 *
 * Invariant: every statement stands in exactly one region or in none; a local that is used in another region than its own
 * is an array of N (spread.c). A `let` that is pure and the same for every lane stays a scalar in front of its region.
 *
 * Jumps. A jump out of a region leaves together with all lanes if lanes may meet again before the place it goes to: then
 * it is control flow around regions, run once. Otherwise lanes leave one by one: the jump ends the turn of its lane, and
 * where more regions stand before the place it goes to, those skip the lanes noted in `left`.
 *
 * Two walks by one function: the first counts regions and notes uses, the second writes. Why not build a control-flow
 * graph as loop-forming compilers for CPUs do: the tree is structured, meeting points stand under uniform control only,
 * so regions are runs of statements.
 */
#include <stdlib.h>

#include "passes/lift.h"
#include "passes/split.h"

/* ---- regions --------------------------------------------------------------------------------------------------------- */

static vyrec_stmt make_skip(struct vyrec_splitter *sp, vyrec_loc loc)
{
	if (!sp->skip)
		sp->skip =
		    vyrec_add_local(sp->m, vyrec_fresh_name(sp->m, "lane_end"), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	return vyrec_add_stmt(sp->m,
			      &(struct vyrec_stmt_node){.kind = VYREC_STMT_BREAK, .local = sp->skip, .loc = loc});
}

static vyrec_expr left_of(struct vyrec_splitter *sp, vyrec_expr lane)
{
	return vyrec_make_load(sp->m, sp->left, lane, VYREC_POLICY_UNCHECKED, 0);
}

void vyrec_open_region(struct vyrec_splitter *sp)
{
	if (sp->region)
		return;
	sp->region = ++sp->region_count;
	if (!sp->emitting)
		return;
	sp->lane = vyrec_split_counter(sp, "lane_index", 0);
	sp->skip = 0;
	if (sp->left) {
		vyrec_stmt skip = make_skip(sp, 0);
		vyrec_expr gone = vyrec_make_op(sp->m, VYREC_OP_ne_i, left_of(sp, vyrec_split_lane(sp, 0)),
						vyrec_make_u32(sp->m, 0, 0), 0);
		vyrec_list_push(&sp->inside, vyrec_make_if(sp->m, gone, vyrec_add_block(sp->m, &skip, 1), 0));
	}
}

void vyrec_close_region(struct vyrec_splitter *sp, vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	if (!sp->region)
		return;
	sp->region = 0;
	if (!sp->emitting) {
		vyrec_list_free(&sp->inside);
		return;
	}
	if (sp->skip) {
		vyrec_stmt scope = vyrec_make_scope(m, vyrec_make_block(m, &sp->inside), loc);
		m->stmts[scope].local = sp->skip;
		vyrec_list_push(&sp->inside, scope);
	}
	bool falls = sp->fall && sp->inside.count;
	if (falls)
		vyrec_fall_guard(sp, loc);
	if (sp->inside.count)
		vyrec_list_push(sp->out, vyrec_split_for(sp, sp->lane, vyrec_make_u32(m, 0, loc),
							 vyrec_make_u32(m, sp->crew->lanes, loc), 1, &sp->inside, loc));
	vyrec_list_free(&sp->inside);
	if (falls)
		vyrec_fall_elect(sp, loc);
}

/* ---- where lanes meet ------------------------------------------------------------------------------------------------- */

static bool is_meeting(const struct vyrec_module *m, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &m->stmts[s];
	unsigned flags = vyrec_stmt_get_info(n->kind)->flags;
	return (flags & (VYREC_IS_COLLECTIVE | VYREC_IS_SUSPEND)) || n->kind == VYREC_STMT_RESULT ||
	       (n->kind == VYREC_STMT_LET && m->exprs[n->expr[0]].kind == VYREC_EXPR_COLLECTIVE);
}

static bool block_meets(const struct vyrec_module *m, vyrec_block block);

static bool stmt_meets(const struct vyrec_module *m, vyrec_stmt s)
{
	vyrec_block child;
	if (is_meeting(m, s))
		return true;
	for (uint32_t i = 0; (child = vyrec_child_block(m, s, &i));)
		if (block_meets(m, child))
			return true;
	return false;
}

static bool block_meets(const struct vyrec_module *m, vyrec_block block)
{
	for (uint32_t i = 0; i < m->blocks[block].count; i++)
		if (stmt_meets(m, vyrec_block_stmt(m, block, i)))
			return true;
	return false;
}

/* ---- jumps ----------------------------------------------------------------------------------------------------------- */

static bool is_inner_label(const struct vyrec_splitter *sp, vyrec_local label)
{
	for (uint32_t i = 0; i < sp->inner.count; i++)
		if (sp->inner.items[i] == label)
			return true;
	return false;
}

/* The target outside the region that a statement jumps to; NULL: it does not jump, or stays inside. `loops`: around it. */
static struct vyrec_target *find_target(struct vyrec_splitter *sp, vyrec_stmt s, uint32_t loops)
{
	const struct vyrec_stmt_node *n = &sp->m->stmts[s];
	bool to_loop = n->kind == VYREC_STMT_CONTINUE || (n->kind == VYREC_STMT_BREAK && !n->local);
	if ((n->kind != VYREC_STMT_RETURN && n->kind != VYREC_STMT_BREAK && n->kind != VYREC_STMT_CONTINUE) ||
	    (to_loop && loops) || (n->local && is_inner_label(sp, n->local)))
		return NULL;
	for (uint32_t i = sp->target_count; i-- > 0;)
		if (sp->targets[i].jump == n->kind && sp->targets[i].label == n->local)
			return &sp->targets[i];
	return NULL;
}

static bool jumps_together(struct vyrec_splitter *sp, vyrec_stmt s, uint32_t loops)
{
	const struct vyrec_target *target = find_target(sp, s, loops);
	vyrec_block child;
	bool label = sp->m->stmts[s].kind == VYREC_STMT_BLOCK && sp->m->stmts[s].local, together = false;
	if (target)
		return target->meets;
	loops += sp->m->stmts[s].kind == VYREC_STMT_FOR || sp->m->stmts[s].kind == VYREC_STMT_LOOP;
	if (label)
		vyrec_list_push(&sp->inner, sp->m->stmts[s].local);
	for (uint32_t i = 0; !together && (child = vyrec_child_block(sp->m, s, &i));)
		for (uint32_t k = 0; !together && k < sp->m->blocks[child].count; k++)
			together = jumps_together(sp, vyrec_block_stmt(sp->m, child, k), loops);
	sp->inner.count -= label;
	return together;
}

static void push_target(struct vyrec_splitter *sp, vyrec_stmt_kind jump, vyrec_stmt owner, vyrec_block body, bool meets)
{
	if (sp->target_count == VYREC_MAX_TARGETS)
		abort(); /* the verifier has bounded the depth */
	sp->targets[sp->target_count++] =
	    (struct vyrec_target){.jump = jump,
				  .label = sp->m->stmts[owner].kind == VYREC_STMT_BLOCK ? sp->m->stmts[owner].local : 0,
				  .body = body,
				  .id = 3 * owner + (jump == VYREC_STMT_CONTINUE) + 1,
				  .meets = meets};
}

static bool is_flagged(const struct vyrec_splitter *sp, uint32_t id)
{
	for (uint32_t i = 0; i < sp->flagged.count; i++)
		if (sp->flagged.items[i] == id)
			return true;
	return false;
}

/* A jump of one lane out of its region: it ends its turn, and is noted if more regions stand before the target. */
static void leave_alone(struct vyrec_splitter *sp, const struct vyrec_target *target, vyrec_block block, vyrec_loc loc,
			struct vyrec_list *out)
{
	bool direct = target->body == block;
	if (!sp->emitting) {
		if (!direct && !is_flagged(sp, target->id))
			vyrec_list_push(&sp->flagged, target->id);
		return;
	}
	if (!direct)
		vyrec_list_push(out, vyrec_store_lane(sp, sp->left, vyrec_make_u32(sp->m, target->id, loc)));
	vyrec_list_push(out, make_skip(sp, loc));
}

void vyrec_rejoin(struct vyrec_splitter *sp, uint32_t id, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_list body = {0};
	if (!sp->emitting || !is_flagged(sp, id))
		return;
	vyrec_local k = vyrec_split_counter(sp, "lane_index", 0);
	vyrec_expr here =
	    vyrec_make_op(m, VYREC_OP_eq_i, left_of(sp, vyrec_make_get(m, k, 0)), vyrec_make_u32(m, id, 0), 0);
	vyrec_expr zero = vyrec_make_u32(m, 0, 0);
	vyrec_stmt clear = vyrec_make_store(m, sp->left, vyrec_make_get(m, k, 0), zero, VYREC_POLICY_UNCHECKED);
	vyrec_list_push(&body, vyrec_make_if(m, here, vyrec_add_block(m, &clear, 1), 0));
	vyrec_list_push(
	    out, vyrec_split_for(sp, k, vyrec_make_u32(m, 0, 0), vyrec_make_u32(m, sp->crew->lanes, 0), 1, &body, 0));
}

/* ---- statements of one region ------------------------------------------------------------------------------------------ */

static void region_stmt(struct vyrec_splitter *sp, vyrec_stmt s, vyrec_block block, uint32_t loops,
			struct vyrec_list *out);

static void region_children(struct vyrec_splitter *sp, vyrec_stmt s, vyrec_block block, uint32_t loops)
{
	vyrec_block child;
	for (uint32_t i = 0; (child = vyrec_child_block(sp->m, s, &i));) {
		struct vyrec_list list = {0};
		for (uint32_t k = 0; k < sp->m->blocks[child].count; k++)
			region_stmt(sp, vyrec_block_stmt(sp->m, child, k), block, loops, &list);
		if (sp->emitting)
			vyrec_take_list(sp->m, child, &list);
		else
			vyrec_list_free(&list);
	}
}

/* A local array that is spread is zeroed for its lane where it was declared. */
static void zero_lane(struct vyrec_splitter *sp, vyrec_array array, vyrec_loc loc, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	uint32_t count = m->arrays[array].count;
	struct vyrec_list body = {0};
	uint8_t policy = VYREC_POLICY_UNCHECKED;
	vyrec_local i = vyrec_split_counter(sp, "element", loc);
	vyrec_expr place = vyrec_spread_index(sp, array, vyrec_make_get(m, i, loc), &policy);
	vyrec_expr zero = vyrec_make_lit(m, vyrec_type_of_element(m->arrays[array].element), 0, loc);
	vyrec_list_push(&body, vyrec_make_store(m, vyrec_spread_array(sp, array), place, zero, policy));
	vyrec_list_push(
	    out, vyrec_split_for(sp, i, vyrec_make_u32(m, 0, loc), vyrec_make_u32(m, count, loc), 1, &body, loc));
}

/* let, var, assign, store: to an element of the lane's where the target is spread. */
static void region_write(struct vyrec_splitter *sp, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_stmt_node n = m->stmts[s];
	bool declares = n.kind == VYREC_STMT_LET || n.kind == VYREC_STMT_VAR;
	if (!sp->emitting) {
		if (declares && n.array)
			sp->array_home[n.array] = sp->region;
		else if (declares)
			sp->home[n.local] = sp->region;
		else if (n.array)
			vyrec_note_array(sp, n.array);
		else
			vyrec_note_local(sp, n.local);
	} else if (n.kind == VYREC_STMT_STORE && vyrec_array_is_spread(sp, n.array)) {
		vyrec_expr place = vyrec_spread_index(sp, n.array, n.expr[0], &n.policy);
		vyrec_list_push(out, vyrec_make_store(m, vyrec_spread_array(sp, n.array), place, n.expr[1], n.policy));
	} else if (declares && n.array && vyrec_array_is_spread(sp, n.array)) {
		zero_lane(sp, n.array, n.loc, out);
	} else if (!n.array && vyrec_local_is_spread(sp, n.local)) {
		vyrec_expr value = n.expr[0] ? n.expr[0] : vyrec_make_lit(m, m->locals[n.local].type, 0, n.loc);
		vyrec_list_push(out, vyrec_store_lane(sp, vyrec_spread_local(sp, n.local), value));
	} else {
		vyrec_list_push(out, s);
	}
}

/* Behind a catch: what it left, for lanes that read it in another region. */
static void keep_trap(struct vyrec_splitter *sp, const struct vyrec_stmt_node *n, struct vyrec_list *out)
{
	const vyrec_local vars[2] = {n->local, n->local2};
	for (unsigned i = 0; i < 2; i++) {
		if (!sp->emitting)
			sp->home[vars[i]] = sp->region;
		else if (vyrec_local_is_spread(sp, vars[i]))
			vyrec_list_push(out, vyrec_store_lane(sp, vyrec_spread_local(sp, vars[i]),
							      vyrec_make_get(sp->m, vars[i], n->loc)));
	}
}

static void region_stmt(struct vyrec_splitter *sp, vyrec_stmt s, vyrec_block block, uint32_t loops,
			struct vyrec_list *out)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	const struct vyrec_target *target = find_target(sp, s, loops);
	vyrec_expr operand;
	if (target) {
		leave_alone(sp, target, block, n.loc, out);
		return;
	}
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(sp->m, s, i)); i++)
		vyrec_split_expr(sp, operand);
	switch (n.kind) {
	case VYREC_STMT_LET:
	case VYREC_STMT_VAR:
	case VYREC_STMT_ASSIGN:
	case VYREC_STMT_STORE:
		region_write(sp, s, out);
		return;
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
		loops++;
		break;
	case VYREC_STMT_BLOCK:
		vyrec_list_push(&sp->inner, n.local);
		break;
	default:
		vyrec_note_array(sp, n.array < sp->array_count ? n.array : 0);
		break;
	}
	if (!sp->emitting && n.kind == VYREC_STMT_FOR)
		sp->home[n.local] = sp->region;
	region_children(sp, s, block, loops);
	sp->inner.count -= n.kind == VYREC_STMT_BLOCK;
	vyrec_list_push(out, s);
	if (n.kind == VYREC_STMT_CATCH)
		keep_trap(sp, &n, out);
}

/* ---- statements around regions ------------------------------------------------------------------------------------------ */

static void split_children(struct vyrec_splitter *sp, vyrec_stmt s, const struct vyrec_target *next_turn)
{
	vyrec_block child;
	for (uint32_t i = 0; (child = vyrec_child_block(sp->m, s, &i));) {
		struct vyrec_list list = {0};
		vyrec_split_block(sp, child, &list);
		if (next_turn)
			vyrec_rejoin(sp, next_turn->id, &list);
		if (sp->emitting)
			vyrec_take_list(sp->m, child, &list);
		else
			vyrec_list_free(&list);
	}
}

static void split_loop(struct vyrec_splitter *sp, vyrec_stmt s)
{
	vyrec_block body = sp->m->stmts[s].body[0];
	for (uint32_t i = 0; i < sp->target_count; i++)
		sp->targets[i].meets = true; /* the others may take another turn, and meet in it */
	push_target(sp, VYREC_STMT_BREAK, s, body, true);
	push_target(sp, VYREC_STMT_CONTINUE, s, body, false);
	const struct vyrec_target next_turn = sp->targets[sp->target_count - 1];
	split_children(sp, s, &next_turn);
	sp->target_count -= 2;
	vyrec_list_push(sp->out, s);
}

static void split_scope(struct vyrec_splitter *sp, vyrec_stmt s)
{
	bool label = sp->m->stmts[s].local != 0;
	if (label)
		push_target(sp, VYREC_STMT_BREAK, s, sp->m->stmts[s].body[0], false);
	split_children(sp, s, NULL);
	vyrec_list_push(sp->out, s);
	sp->target_count -= label;
	if (label)
		vyrec_rejoin(sp, sp->targets[sp->target_count].id, sp->out);
}

/* Lanes reach it together: its operands are those of lane 0. */
static void split_stmt(struct vyrec_splitter *sp, vyrec_stmt s)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	vyrec_expr operand;
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(sp->m, s, i)); i++)
		vyrec_split_expr(sp, operand);
	switch (n.kind) {
	case VYREC_STMT_BARRIER:
		if (n.scope != VYREC_SCOPE_WORKGROUP)
			vyrec_list_push(sp->out, s);
		break;
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
		split_loop(sp, s);
		break;
	case VYREC_STMT_BLOCK:
		split_scope(sp, s);
		break;
	case VYREC_STMT_CATCH:
		vyrec_split_catch(sp, s);
		break;
	default:
		split_children(sp, s, NULL);
		vyrec_list_push(sp->out, s);
	}
}

/* Has an expression one value for all lanes, whenever it is asked before the region that it stands in? */
static bool is_uniform(const struct vyrec_splitter *sp, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &sp->m->exprs[e];
	vyrec_expr operand;
	for (uint32_t i = 0; (operand = vyrec_expr_operand(sp->m, e, i)); i++)
		if (!is_uniform(sp, operand))
			return false;
	if (n->kind == VYREC_EXPR_LOCAL)
		return vyrec_local_is_fixed(sp->m, n->sym) && n->sym < sp->local_count && !sp->home[n->sym] &&
		       !sp->is_spread[n->sym];
	return n->kind != VYREC_EXPR_BUILTIN || (vyrec_builtin_get_info(n->code)->flags & VYREC_IS_UNIFORM);
}

static void split_one(struct vyrec_splitter *sp, vyrec_stmt s, vyrec_block block)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	if (n.kind == VYREC_STMT_LET && sp->m->exprs[n.expr[0]].kind == VYREC_EXPR_COLLECTIVE) {
		vyrec_split_collective(sp, s);
	} else if (stmt_meets(sp->m, s) || jumps_together(sp, s, 0)) {
		vyrec_close_region(sp, n.loc);
		split_stmt(sp, s);
	} else if (n.kind == VYREC_STMT_LET && vyrec_expr_is_pure(sp->m, n.expr[0]) && is_uniform(sp, n.expr[0])) {
		uint32_t region = sp->region;
		sp->region = 0;
		vyrec_split_expr(sp, n.expr[0]);
		sp->region = region;
		vyrec_list_push(sp->out, s);
	} else {
		vyrec_open_region(sp);
		region_stmt(sp, s, block, 0, &sp->inside);
	}
}

/* meets[i]: lanes meet in statement i of the block or behind it, or leave together, which comes to the same: who went
 * ahead must not be taken along. Read from the end, because what a jump is depends on what stands behind it. */
static void find_meetings(struct vyrec_splitter *sp, vyrec_block block, const bool *outside, bool *meets)
{
	for (uint32_t i = sp->m->blocks[block].count; i-- > 0;) {
		vyrec_stmt s = vyrec_block_stmt(sp->m, block, i);
		for (uint32_t t = 0; t < sp->target_count; t++)
			sp->targets[t].meets = outside[t] || meets[i + 1];
		meets[i] = meets[i + 1] || stmt_meets(sp->m, s) || jumps_together(sp, s, 0);
	}
}

void vyrec_split_block(struct vyrec_splitter *sp, vyrec_block block, struct vyrec_list *out)
{
	struct vyrec_list *outer = sp->out;
	uint32_t count = sp->m->blocks[block].count;
	bool *meets = vyrec_alloc((count + 1) * sizeof *meets), outside[VYREC_MAX_TARGETS];
	for (uint32_t t = 0; t < sp->target_count; t++)
		outside[t] = sp->targets[t].meets;
	find_meetings(sp, block, outside, meets);
	sp->out = out;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t t = 0; t < sp->target_count; t++)
			sp->targets[t].meets = outside[t] || meets[i + 1];
		split_one(sp, vyrec_block_stmt(sp->m, block, i), block);
	}
	for (uint32_t t = 0; t < sp->target_count; t++)
		sp->targets[t].meets = outside[t];
	vyrec_close_region(sp, 0);
	sp->out = outer;
	free(meets);
}

/* ---- the body -------------------------------------------------------------------------------------------------------- */

static bool is_collective(const struct vyrec_module *m, vyrec_expr e)
{
	return m->exprs[e].kind == VYREC_EXPR_COLLECTIVE;
}

/* Every collective becomes a let of its own. */
static void name_collective(struct vyrec_lifter *lifter, vyrec_expr e)
{
	vyrec_expr operands[2] = {lifter->m->exprs[e].arg[0], lifter->m->exprs[e].arg[1]};
	vyrec_lift_operands(lifter, operands, operands[1] ? 2 : 1);
	vyrec_lift_bind(lifter, e, "together");
}

static void begin(struct vyrec_splitter *sp)
{
	sp->local_count = sp->m->local_count;
	sp->array_count = sp->m->array_count;
	sp->home = vyrec_alloc(sp->local_count * sizeof *sp->home);
	sp->is_spread = vyrec_alloc(sp->local_count * sizeof *sp->is_spread);
	sp->spread = vyrec_alloc(sp->local_count * sizeof *sp->spread);
	sp->array_home = vyrec_alloc(sp->array_count * sizeof *sp->array_home);
	sp->array_is_spread = vyrec_alloc(sp->array_count * sizeof *sp->array_is_spread);
	sp->array_spread = vyrec_alloc(sp->array_count * sizeof *sp->array_spread);
}

static void finish(struct vyrec_splitter *sp)
{
	free(sp->home);
	free(sp->is_spread);
	free(sp->spread);
	free(sp->array_home);
	free(sp->array_is_spread);
	free(sp->array_spread);
	vyrec_list_free(&sp->inner);
	vyrec_list_free(&sp->flagged);
	vyrec_list_free(&sp->decls);
	vyrec_list_free(&sp->inside);
}

bool vyrec_split_lanes(struct vyrec_module *m, const struct vyrec_crew *crew, const struct vyrec_pass_options *options,
		       struct vyrec_diags *diags)
{
	struct vyrec_splitter sp = {.m = m, .crew = crew, .options = options, .diags = diags};
	struct vyrec_lifter lifter = {.m = m, .wants = is_collective, .lower = name_collective, .drops_void = true};
	vyrec_block body = crew->body.block;
	struct vyrec_list list = {0}, planned = {0};
	vyrec_lift_into(&lifter, body, &list);
	vyrec_take_list(m, body, &list);
	begin(&sp);
	push_target(&sp, VYREC_STMT_RETURN, 0, body, false);
	vyrec_split_block(&sp, body, &planned);
	vyrec_list_free(&planned);
	sp.emitting = true;
	sp.region_count = 0;
	if (sp.flagged.count)
		sp.left = vyrec_split_array(&sp, "left", VYREC_U32, 1, 0);
	vyrec_split_block(&sp, body, &list);
	for (uint32_t i = 0; i < list.count; i++)
		vyrec_list_push(&sp.decls, list.items[i]);
	vyrec_list_free(&list);
	vyrec_take_list(m, body, &sp.decls);
	finish(&sp);
	return !sp.failed;
}
