/* fall.c - catches in which lanes meet, when one lane runs all.
 *
 * Enters: `catch(code, detail) { body }` with a meeting point in its body. Leaves: the body split like any other, where a
 * lane that traps is noted in `left` under the catch's id, with code and detail in the arrays that hold the two for each
 * lane, and is skipped by all regions up to the end of the catch.
 *
 *	catch(c, d) { f(lane); barrier; g() }    ->    for k { c[k] = 0; d[k] = 0 }
 *	                                               var leader = 0; var stands = false
 *	                                               catch(c2, d2) { block caught {
 *	                                                 for k { catch(c3, d3) { if left[k] == 0 { f(k) }; stands3 = true }
 *	                                                         if !stands3 { left[k] = id; c[k] = c3; d[k] = d3 } }
 *	                                                 leader = first k that has not fallen; none: break caught
 *	                                                 for k { ... g() ... }
 *	                                                 ...
 *	                                               }; stands = true }
 *	                                               if !stands { for k that has not fallen { c[k] = c2; d[k] = d2 } }
 *	                                               for k { if left[k] == id { left[k] = 0 } }
 *
 * Invariant: between regions the values of the leader are read, which are those of all that are there: lane 0 may have
 * fallen before it could see them change. A trap between regions, of an operand that all lanes share, is one of all that
 * are there. Where nobody is left nothing between regions runs, as a loop that waits for somebody would not end.
 */
#include "passes/split.h"

enum { FALLEN = 1u << 31 }; /* bit of ids in `left`: of a catch, not of a jump */

static vyrec_expr left_of(struct vyrec_splitter *sp, vyrec_local lane)
{
	struct vyrec_module *m = sp->m;
	return vyrec_make_load(m, sp->left, vyrec_make_get(m, lane, 0), VYREC_POLICY_UNCHECKED, 0);
}

static vyrec_expr has_not_fallen(struct vyrec_splitter *sp, vyrec_local lane)
{
	return vyrec_make_op(sp->m, VYREC_OP_lt_u, left_of(sp, lane), vyrec_make_u32(sp->m, FALLEN, 0), 0);
}

static vyrec_stmt all_lanes(struct vyrec_splitter *sp, vyrec_local k, struct vyrec_list *body, vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	return vyrec_split_for(sp, k, vyrec_make_u32(m, 0, loc), vyrec_make_u32(m, sp->crew->lanes, loc), 1, body, loc);
}

static void put(struct vyrec_splitter *sp, struct vyrec_list *out, vyrec_array array, vyrec_local lane,
		vyrec_expr value)
{
	vyrec_expr place = vyrec_make_get(sp->m, lane, sp->m->exprs[value].loc);
	vyrec_list_push(out, vyrec_make_store(sp->m, array, place, value, VYREC_POLICY_UNCHECKED));
}

/* A catch in the module as it will be, and what tells behind it whether it ran to its end. */
struct guard {
	vyrec_local stands, code, detail;
};

static struct guard run_guarded(struct vyrec_splitter *sp, struct vyrec_list *body, struct vyrec_list *out,
				vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	vyrec_expr no = vyrec_make_lit(m, VYREC_BOOL, 0, loc), yes = vyrec_make_lit(m, VYREC_BOOL, 1, loc);
	struct guard g = {
	    .stands = vyrec_make_var(m, out, "stands", VYREC_BOOL, no, loc),
	    .code = vyrec_add_local(m, vyrec_fresh_name(m, "trap_code"), VYREC_LOCAL_VAR, VYREC_U32, loc),
	    .detail = vyrec_add_local(m, vyrec_fresh_name(m, "trap_detail"), VYREC_LOCAL_VAR, VYREC_U32, loc),
	};
	vyrec_list_push(body, vyrec_make_assign(m, g.stands, yes));
	vyrec_list_push(out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_CATCH,
									 .local = g.code,
									 .local2 = g.detail,
									 .body = {vyrec_make_block(m, body)},
									 .loc = loc}));
	return g;
}

static void put_trap(struct vyrec_splitter *sp, struct vyrec_list *out, const struct guard *g, vyrec_local lane)
{
	put(sp, out, sp->fall->code, lane, vyrec_make_get(sp->m, g->code, 0));
	put(sp, out, sp->fall->detail, lane, vyrec_make_get(sp->m, g->detail, 0));
}

static void if_trapped(struct vyrec_splitter *sp, struct vyrec_list *out, const struct guard *g,
		       struct vyrec_list *body)
{
	struct vyrec_module *m = sp->m;
	vyrec_expr fell = vyrec_make_not(m, vyrec_make_get(m, g->stands, 0));
	vyrec_list_push(out, vyrec_make_if(m, fell, vyrec_make_block(m, body), 0));
}

void vyrec_fall_guard(struct vyrec_splitter *sp, vyrec_loc loc)
{
	struct vyrec_list out = {0}, fallen = {0};
	struct guard g = run_guarded(sp, &sp->inside, &out, loc);
	put(sp, &fallen, sp->left, sp->lane, vyrec_make_u32(sp->m, sp->fall->id, loc));
	put_trap(sp, &fallen, &g, sp->lane);
	if_trapped(sp, &out, &g, &fallen);
	sp->inside = out;
}

void vyrec_fall_elect(struct vyrec_splitter *sp, vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	struct vyrec_list body = {0}, found = {0};
	vyrec_local k = vyrec_split_counter(sp, "lane_index", loc);
	vyrec_expr lanes = vyrec_make_u32(m, sp->crew->lanes, loc);
	vyrec_list_push(sp->out, vyrec_make_assign(m, sp->fall->leader, lanes));
	vyrec_list_push(&found, vyrec_make_assign(m, sp->fall->leader, vyrec_make_get(m, k, loc)));
	vyrec_list_push(&found, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BREAK, .loc = loc}));
	vyrec_list_push(&body, vyrec_make_if(m, has_not_fallen(sp, k), vyrec_make_block(m, &found), 0));
	vyrec_list_push(sp->out, all_lanes(sp, k, &body, loc));
	vyrec_stmt leave = vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BREAK, .local = sp->fall->label, .loc = loc});
	vyrec_expr nobody = vyrec_make_op(m, VYREC_OP_eq_i, vyrec_make_get(m, sp->fall->leader, loc),
					  vyrec_make_u32(m, sp->crew->lanes, loc), 0);
	vyrec_list_push(sp->out, vyrec_make_if(m, nobody, vyrec_add_block(m, &leave, 1), 0));
}

vyrec_expr vyrec_fall_present(struct vyrec_splitter *sp, vyrec_expr lane, vyrec_expr value, uint64_t otherwise)
{
	struct vyrec_module *m = sp->m;
	vyrec_type type = m->exprs[value].type;
	if (!sp->fall)
		return value;
	vyrec_expr left = vyrec_make_load(m, sp->left, lane, VYREC_POLICY_CHECKED, 0);
	vyrec_expr here = vyrec_make_op(m, VYREC_OP_eq_i, left, vyrec_make_u32(m, 0, 0), 0);
	return vyrec_make_op(m, VYREC_OP_select, here, value, vyrec_make_lit(m, type, otherwise, 0));
}

/* ---- the catch ------------------------------------------------------------------------------------------------------- */

/* Code and detail of every lane that comes here are 0. */
static void begin_catch(struct vyrec_splitter *sp, const struct vyrec_fall *fall, vyrec_loc loc)
{
	vyrec_open_region(sp);
	if (sp->emitting) {
		vyrec_list_push(&sp->inside, vyrec_store_lane(sp, fall->code, vyrec_make_u32(sp->m, 0, loc)));
		vyrec_list_push(&sp->inside, vyrec_store_lane(sp, fall->detail, vyrec_make_u32(sp->m, 0, loc)));
	}
	vyrec_close_region(sp, loc);
}

/* Who has not fallen when something between regions traps comes to the end by that. */
static void fall_together(struct vyrec_splitter *sp, const struct guard *g, vyrec_loc loc)
{
	struct vyrec_list here = {0}, body = {0}, all = {0};
	vyrec_local k = vyrec_split_counter(sp, "lane_index", loc);
	put_trap(sp, &here, g, k);
	vyrec_list_push(&body, vyrec_make_if(sp->m, has_not_fallen(sp, k), vyrec_make_block(sp->m, &here), 0));
	vyrec_list_push(&all, all_lanes(sp, k, &body, loc));
	if_trapped(sp, sp->out, g, &all);
}

static void emit_catch(struct vyrec_splitter *sp, vyrec_block block, struct vyrec_fall *fall, vyrec_loc loc)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_fall *outer = sp->fall;
	struct vyrec_list body = {0}, caught = {0};
	fall->leader = vyrec_make_var(m, sp->out, "leader", VYREC_U32, vyrec_split_lane(sp, loc), loc);
	fall->label = vyrec_add_local(m, vyrec_fresh_name(m, "caught"), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	sp->fall = fall;
	vyrec_split_block(sp, block, &body);
	vyrec_stmt scope = vyrec_make_scope(m, vyrec_make_block(m, &body), loc);
	m->stmts[scope].local = fall->label;
	vyrec_list_push(&caught, scope);
	struct guard g = run_guarded(sp, &caught, sp->out, loc);
	fall_together(sp, &g, loc);
	sp->fall = outer;
}

void vyrec_split_catch(struct vyrec_splitter *sp, vyrec_stmt s)
{
	const struct vyrec_stmt_node n = sp->m->stmts[s];
	struct vyrec_fall fall = {.id = FALLEN | s};
	if (sp->emitting) {
		fall.code = vyrec_spread_local(sp, n.local);
		fall.detail = vyrec_spread_local(sp, n.local2);
	}
	begin_catch(sp, &fall, n.loc);
	if (sp->emitting) {
		emit_catch(sp, n.body[0], &fall, n.loc);
		vyrec_rejoin(sp, fall.id, sp->out);
		return;
	}
	struct vyrec_list planned = {0};
	sp->is_spread[n.local] = sp->is_spread[n.local2] = true;
	vyrec_list_push(&sp->flagged, fall.id);
	vyrec_split_block(sp, n.body[0], &planned);
	vyrec_list_free(&planned);
}
