/* suspend.c - a handler that suspends, as code that leaves and can be entered again.
 *
 * Enters: the block of a handler (suspend.h says in which state). Leaves: the same block without suspension points, in
 * the env's terms. At point k it keeps what is live in the slot's frame, says why it stops, and breaks out. Entered with
 * resume = k it skips everything up to point k, takes back what is live, sets resume to 0 and goes on.
 *
 *	A                                   if resume == 0 { A }
 *	yield                               if resume == 0 { keep; stop = YIELD; pc = 1; break out }
 *	B                          ->       else { take back; resume = 0 }
 *	                                    B
 *	if c { yield; D }                   if resume == 1 || c { the same with 1; D }          (alone in its block)
 *	for i in a .. b { E; yield }        if resume == 0 { i = a; limit = b }
 *	                                    if resume != 0 || i < limit { loop { E'; if limit - i <= 1 { break }; i = i + 1 } }
 *
 * Invariant: where a block is entered with resume != 0, the point it names is inside the block. Points are numbered in
 * the order of the walk, so those of a statement are a range; resume names no point before the statement that is about
 * to run, and 0 is below all: `resume <= last point of the statement` says whether it is to run at all. Behind the last
 * statement of a block that has points resume is 0, so nothing there is guarded. A value that names no point is refused
 * once, in front.
 *
 * What a resumption skips cannot declare what is used behind it: a local that is used in another stretch (statements
 * between two guards) than its own is a var at the top. That the rest have one stretch each is why only those can be
 * live at a point.
 *
 * Why not a loop over a switch with a case a basic block, as coroutines are often lowered in front of a structured
 * backend: it makes every branch of the handler go through memory or a phi over all blocks, also for slots that never
 * suspend. Here they pay one comparison with resume where a stretch begins, and most are threaded away.
 *
 * Words of a frame have no fixed owner: all that is live at a point is kept there, in order from word 0, and taken back
 * at the same point. So a frame is as large as the largest point, with no interference graph.
 */
#include <stdlib.h>

#include "passes/suspend.h"
#include "runtime/abi/ring.h"

/* ---- counted loops --------------------------------------------------------------------------------------------------- */

static bool is_point(const struct vyrec_module *m, vyrec_stmt s)
{
	return (vyrec_stmt_get_info(m->stmts[s].kind)->flags & VYREC_IS_SUSPEND) != 0;
}

/* `continue` of the loop around the block becomes a break to the label, which is made when there is one. */
static void leave_turns(struct vyrec_module *m, vyrec_block block, vyrec_local *label)
{
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		if (m->stmts[s].kind == VYREC_STMT_FOR || m->stmts[s].kind == VYREC_STMT_LOOP)
			continue;
		if (m->stmts[s].kind == VYREC_STMT_CONTINUE) {
			if (!*label)
				*label = vyrec_add_local(m, vyrec_fresh_name(m, "turn"), VYREC_LOCAL_LABEL, VYREC_VOID,
							 m->stmts[s].loc);
			m->stmts[s].kind = VYREC_STMT_BREAK;
			m->stmts[s].local = *label;
		}
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			leave_turns(m, child, label);
	}
}

/* A bound that may be read again and again: it is a literal, or a local that keeps its value while the loop runs. */
static vyrec_expr read_once(struct vyrec_module *m, struct vyrec_list *out, const char *base, vyrec_expr bound)
{
	const struct vyrec_expr_node *n = &m->exprs[bound];
	if (n->kind == VYREC_EXPR_LIT || (n->kind == VYREC_EXPR_LOCAL && vyrec_local_is_fixed(m, n->sym)))
		return bound;
	return vyrec_make_get(m, vyrec_make_let(m, out, base, bound), m->exprs[bound].loc);
}

static vyrec_expr distance(struct vyrec_module *m, vyrec_expr e)
{
	vyrec_type type = m->exprs[e].type;
	vyrec_op op = type == VYREC_I32 ? VYREC_OP_to_u32_i : VYREC_OP_to_u64_s;
	return vyrec_type_is_sint(type) ? vyrec_make_op(m, op, e, 0, 0) : e;
}

/* if limit - i <= step { break }; i = i + step: no sum that could wrap, and no count of turns to keep. Inside the loop i
 * is below the limit, so the difference is right as an unsigned number for every type of counter. */
static void push_next_turn(struct vyrec_module *m, struct vyrec_list *out, vyrec_local i, vyrec_expr limit,
			   vyrec_expr step)
{
	vyrec_expr left =
	    vyrec_make_op(m, VYREC_OP_sub_i, vyrec_clone_expr(m, limit, NULL), vyrec_make_get(m, i, 0), 0);
	vyrec_expr by = distance(m, vyrec_clone_expr(m, step, NULL));
	vyrec_stmt end = vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BREAK});
	vyrec_expr last = vyrec_make_infix(m, "<=", distance(m, left), by);
	vyrec_list_push(out, vyrec_make_if(m, last, vyrec_add_block(m, &end, 1), 0));
	vyrec_list_push(out,
			vyrec_make_assign(m, i, vyrec_make_op(m, VYREC_OP_add_i, vyrec_make_get(m, i, 0), step, 0)));
}

/* A counted loop with points as a plain one, so that what it counts with are locals like any other. */
static void push_loop(struct vyrec_module *m, vyrec_stmt s, struct vyrec_list *out)
{
	const struct vyrec_stmt_node n = m->stmts[s];
	struct vyrec_list turn = {0};
	vyrec_local label = 0;
	m->locals[n.local].kind = VYREC_LOCAL_VAR;
	vyrec_list_push(
	    out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
				       .kind = VYREC_STMT_VAR, .local = n.local, .expr = {n.expr[0]}, .loc = n.loc}));
	vyrec_expr limit = read_once(m, out, "limit", n.expr[1]);
	vyrec_expr step =
	    n.expr[2] ? read_once(m, out, "stride", n.expr[2]) : vyrec_make_lit(m, m->locals[n.local].type, 1, n.loc);
	leave_turns(m, n.body[0], &label);
	uint32_t count = m->blocks[n.body[0]].count;
	bool ends = count && vyrec_is_end(m, vyrec_block_stmt(m, n.body[0], count - 1));
	if (label) {
		vyrec_stmt scope = vyrec_make_scope(m, n.body[0], n.loc);
		m->stmts[scope].local = label;
		vyrec_list_push(&turn, scope);
	} else {
		for (uint32_t i = 0; i < count; i++)
			vyrec_list_push(&turn, vyrec_block_stmt(m, n.body[0], i));
	}
	vyrec_expr runs = vyrec_make_infix(m, "<", vyrec_make_get(m, n.local, n.loc), vyrec_clone_expr(m, limit, NULL));
	if (label || !ends)
		push_next_turn(m, &turn, n.local, limit, step);
	vyrec_block body = vyrec_make_block(m, &turn);
	m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_LOOP, .body = {body}, .loc = n.loc};
	vyrec_list_push(out, vyrec_make_if(m, runs, vyrec_add_block(m, &s, 1), 0));
}

/* Returns whether the block has points. */
static bool open_loops(struct vyrec_module *m, vyrec_block block)
{
	struct vyrec_list out = {0};
	bool any = false;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		bool cuts = is_point(m, s);
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			cuts |= open_loops(m, child);
		any |= cuts;
		if (cuts && m->stmts[s].kind == VYREC_STMT_FOR)
			push_loop(m, s, &out);
		else
			vyrec_list_push(&out, s);
	}
	if (any)
		vyrec_take_list(m, block, &out);
	else
		vyrec_list_free(&out);
	return any;
}

/* ---- points ---------------------------------------------------------------------------------------------------------- */

static void number_points(struct vyrec_suspender *sp, vyrec_block block)
{
	for (uint32_t i = 0; i < sp->m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(sp->m, block, i);
		uint32_t before = sp->point_count;
		vyrec_block child;
		for (uint32_t k = 0; (child = vyrec_child_block(sp->m, s, &k));)
			number_points(sp, child);
		if (is_point(sp->m, s)) {
			sp->points =
			    vyrec_grow(sp->points, &sp->point_capacity, sp->point_count + 1, sizeof *sp->points);
			sp->point_count++;
		}
		sp->last[s] = sp->point_count > before ? sp->env->points_before + sp->point_count : 0;
	}
}

/* ---- what is kept ---------------------------------------------------------------------------------------------------- */

static void keep(struct vyrec_suspender *sp, uint32_t *number, struct vyrec_kept kept)
{
	sp->kept = vyrec_grow(sp->kept, &sp->kept_capacity, sp->kept_count + 1, sizeof *sp->kept);
	sp->kept[sp->kept_count] = kept;
	*number = ++sp->kept_count;
}

static void use_local(struct vyrec_suspender *sp, vyrec_local local)
{
	if (sp->home[local] && sp->home[local] != sp->stretch && !sp->number[local])
		keep(sp, &sp->number[local], (struct vyrec_kept){.local = local});
}

static void use_array(struct vyrec_suspender *sp, vyrec_array array)
{
	if (sp->array_home[array] && sp->array_home[array] != sp->stretch && !sp->array_number[array])
		keep(sp, &sp->array_number[array], (struct vyrec_kept){.array = array});
}

static void plan_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind == VYREC_EXPR_LOCAL)
		use_local(user, n->sym);
	else if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_LENGTH) /* a local array has no atomics */
		use_array(user, n->sym);
}

/* A statement without points, all in one stretch. Labels and counters have no home: they are used inside alone. */
static void plan_stmt(struct vyrec_suspender *sp, vyrec_stmt s)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	const struct vyrec_walker walker = {NULL, plan_expr, sp};
	vyrec_expr operand;
	vyrec_block child;
	for (uint32_t k = 0; (operand = vyrec_stmt_operand(m, s, k)); k++)
		vyrec_walk_expr(m, operand, &walker);
	if (n.kind == VYREC_STMT_VAR && n.array) {
		sp->array_home[n.array] = sp->stretch;
	} else if (n.kind == VYREC_STMT_LET || n.kind == VYREC_STMT_VAR) {
		sp->home[n.local] = sp->stretch;
	} else {
		if (n.kind == VYREC_STMT_ASSIGN)
			use_local(sp, n.local);
		use_array(sp, n.array);
		use_array(sp, n.array2);
	}
	for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
		for (uint32_t i = 0; i < m->blocks[child].count; i++)
			plan_stmt(sp, vyrec_block_stmt(m, child, i));
}

static void plan_block(struct vyrec_suspender *sp, vyrec_block block)
{
	struct vyrec_module *m = sp->m;
	const struct vyrec_walker walker = {NULL, plan_expr, sp};
	sp->stretch = 0;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_expr operand;
		vyrec_block child;
		if (!vyrec_suspend_cuts(sp, s)) {
			sp->stretch = sp->stretch ? sp->stretch : ++sp->stretch_count;
			plan_stmt(sp, s);
			continue;
		}
		sp->stretch = 0;
		for (uint32_t k = 0; (operand = vyrec_stmt_operand(m, s, k)); k++)
			vyrec_walk_expr(m, operand, &walker);
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			plan_block(sp, child);
		sp->stretch = 0;
	}
	sp->stretch = 0;
}

uint32_t vyrec_suspend_words(const struct vyrec_suspender *sp, uint32_t number)
{
	const struct vyrec_kept *k = &sp->kept[number];
	if (k->local)
		return vyrec_words_of(sp->m->locals[k->local].type);
	const struct vyrec_array_node *a = &sp->m->arrays[k->array];
	return a->count * vyrec_words_of(vyrec_type_of_element(a->element));
}

static void measure(struct vyrec_suspender *sp)
{
	for (uint32_t p = 0; p < sp->point_count; p++) {
		uint32_t words = 0;
		for (uint32_t k = 0; k < sp->kept_count; k++)
			if (sp->points[p].live[k / 64] >> k % 64 & 1)
				words += vyrec_suspend_words(sp, k);
		sp->frame_words = words > sp->frame_words ? words : sp->frame_words;
	}
}

/* ---- the handler ----------------------------------------------------------------------------------------------------- */

static void begin(struct vyrec_suspender *sp)
{
	const struct vyrec_module *m = sp->m;
	sp->local_count = m->local_count;
	sp->array_count = m->array_count;
	sp->last = vyrec_alloc(m->stmt_count * sizeof *sp->last);
	sp->home = vyrec_alloc(m->local_count * sizeof *sp->home);
	sp->number = vyrec_alloc(m->local_count * sizeof *sp->number);
	sp->array_home = vyrec_alloc(m->array_count * sizeof *sp->array_home);
	sp->array_number = vyrec_alloc(m->array_count * sizeof *sp->array_number);
}

static void finish(struct vyrec_suspender *sp)
{
	for (uint32_t p = 0; p < sp->point_count; p++)
		free(sp->points[p].live);
	free(sp->points);
	free(sp->last);
	free(sp->home);
	free(sp->number);
	free(sp->array_home);
	free(sp->array_number);
	free(sp->kept);
}

/* What is kept, as vars in front. Two of one name may have stood in two blocks: each gets a new one. */
static void push_kept(struct vyrec_suspender *sp, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	for (uint32_t k = 0; k < sp->kept_count; k++) {
		const struct vyrec_kept kept = sp->kept[k];
		char stem[VYREC_MAX_NAME_BYTES + 1]; /* interning moves the text */
		vyrec_name old = kept.local ? m->locals[kept.local].name : m->arrays[kept.array].name;
		snprintf(stem, sizeof stem, "%s", vyrec_name_text(m, old));
		vyrec_name name = vyrec_fresh_name(m, stem);
		if (kept.local) {
			m->locals[kept.local].name = name;
			m->locals[kept.local].kind = VYREC_LOCAL_VAR;
		} else {
			m->arrays[kept.array].name = name;
		}
		vyrec_list_push(out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR,
										 .local = kept.local,
										 .array = kept.array}));
	}
}

/* if resume != 0 && resume is not one of these points { trap }: what was kept there is not what is taken back here. */
static void push_check(struct vyrec_suspender *sp, struct vyrec_list *out)
{
	struct vyrec_module *m = sp->m;
	vyrec_local resume = sp->env->resume;
	vyrec_stmt trap = vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP,
								      .imm = VYRE_FAULT_OUT_OF_RANGE,
								      .expr = {vyrec_make_get(m, resume, 0)}});
	vyrec_expr place = vyrec_make_op(m, VYREC_OP_sub_i, vyrec_make_get(m, resume, 0),
					 vyrec_make_u32(m, sp->env->points_before + 1, 0), 0);
	vyrec_expr wrong = vyrec_make_op(m, VYREC_OP_ge_u, place, vyrec_make_u32(m, sp->point_count, 0), 0);
	vyrec_expr goes_on = vyrec_make_op(m, VYREC_OP_ne_i, vyrec_make_get(m, resume, 0), vyrec_make_u32(m, 0, 0), 0);
	vyrec_expr both = vyrec_add_expr(
	    m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_ANDALSO, .type = VYREC_BOOL, .arg = {goes_on, wrong}});
	vyrec_list_push(out, vyrec_make_if(m, both, vyrec_add_block(m, &trap, 1), 0));
}

void vyrec_suspend_split(struct vyrec_module *m, const struct vyrec_suspend_env *env, vyrec_block block,
			 struct vyrec_suspend_info *info)
{
	struct vyrec_suspender sp = {.m = m, .env = env};
	struct vyrec_list out = {0}, body = {0};
	*info = (struct vyrec_suspend_info){0};
	if (!open_loops(m, block))
		return;
	begin(&sp);
	number_points(&sp, block);
	plan_block(&sp, block);
	vyrec_suspend_live(&sp, block);
	measure(&sp);
	push_kept(&sp, &out);
	push_check(&sp, &out);
	sp.label = vyrec_add_local(m, vyrec_fresh_name(m, "suspended"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
	vyrec_suspend_emit(&sp, block, &body);
	vyrec_stmt scope = vyrec_make_scope(m, vyrec_make_block(m, &body), 0);
	m->stmts[scope].local = sp.label;
	vyrec_list_push(&out, scope);
	vyrec_take_list(m, block, &out);
	*info = (struct vyrec_suspend_info){.points = sp.point_count, .frame_words = sp.frame_words};
	finish(&sp);
}
