/* verify_uniform.c - what must be the same in every lane is.
 *
 * Enters: a module that keeps all other rules. Leaves: V08x. In an op by workgroup, and in a program of more than one
 * lane, all lanes must reach a barrier, collective, suspension or result together. So the walk asks at each place: do
 * all lanes come here, and which locals have the same value in all of them? verify_lanes.c keeps both.
 *
 * Catches: a trap may take some lanes to the end of a catch, anywhere in it. What is assigned inside is divergent behind
 * it, and a jump that leaves it takes lanes apart. Where lanes meet inside, those that have fallen wait at its end, so
 * nobody may jump past that.
 * Calls: a fn is walked for each mask of divergent arguments that it is called with, up to MAX_MASKS, then as if all were.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"
#include "ir/verify_lanes.h"

enum { MAX_MASKS = 8, MAX_DEPTH = 16 * VYREC_MAX_TREE_DEPTH };

/* Targets that were open when the catch around began, in the fn or body that is walked: a jump to one of these leaves it.
 * 0 = no catch is around. */
struct around {
	uint32_t any, meeting; /* of the innermost catch; of the innermost one in which lanes meet */
};

struct summary {
	uint32_t mask;
	bool result; /* divergent */
};

struct summaries {
	struct summary items[MAX_MASKS + 1];
	unsigned count;
};

struct uniform {
	struct verifier *v;
	struct vyrec_module *m;
	struct lanes lanes;
	bool op;		     /* the body belongs to an op: it may not be left by some lanes alone */
	unsigned depth;		     /* open blocks, expressions and calls */
	struct summaries *summaries; /* by fn */
	uint8_t *fn_meets;	     /* of vyrec_block_meets */
	struct around around;
	bool result;   /* the fn that is walked may give different values */
	uint8_t *told; /* by stmt: reported */
	uint8_t *told_expr;
};

static bool value_of(struct uniform *u, vyrec_expr expr);
static bool walk_block(struct uniform *u, vyrec_block block);

/* ---- reports --------------------------------------------------------------------------------------------------------- */

#define TELL(u, told, index, rule, loc, ...) \
	do { \
		if (!(told)[index]) \
			FAIL((u)->v, rule, loc, __VA_ARGS__); \
		(told)[index] = 1; \
	} while (0)

/* ---- values: true = divergent ---------------------------------------------------------------------------------------- */

static void need_together(struct uniform *u, vyrec_expr expr, const char *text)
{
	if (u->lanes.apart)
		TELL(u, u->told_expr, expr, V080, u->m->exprs[expr].loc,
		     "not every lane reaches `%s` together; move it out of what lanes decide for themselves", text);
}

static bool value_of_collective(struct uniform *u, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &u->m->exprs[expr];
	const struct vyrec_node_info *info = vyrec_collective_get_info(e->code);
	value_of(u, e->arg[0]);
	bool index = e->arg[1] && value_of(u, e->arg[1]);
	need_together(u, expr, info->text);
	if (e->code == VYREC_COLLECTIVE_BROADCAST && index)
		TELL(u, u->told_expr, expr, V084, e->loc,
		     "the lane that `%s` takes differs from lane to lane; take one that all agree on", info->text);
	return info->subgroup;
}

static bool value_of_andalso(struct uniform *u, const struct vyrec_expr_node *e)
{
	bool first = value_of(u, e->arg[0]);
	u->lanes.apart += first;
	bool second = value_of(u, e->arg[1]);
	u->lanes.apart -= first;
	return first || second;
}

static bool call(struct uniform *u, vyrec_expr expr);

static bool value_of_operands(struct uniform *u, const struct vyrec_expr_node *e)
{
	bool divergent = false;
	for (unsigned i = 0; i < 3; i++)
		divergent |= e->arg[i] && value_of(u, e->arg[i]);
	return divergent;
}

static bool value_of_node(struct uniform *u, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &u->m->exprs[expr];
	switch (e->kind) {
	case VYREC_EXPR_LOCAL:
		return u->lanes.locals[e->sym];
	case VYREC_EXPR_BUILTIN:
		return !(vyrec_builtin_get_info(e->code)->flags & VYREC_IS_UNIFORM);
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		return value_of_andalso(u, e);
	case VYREC_EXPR_LOAD:
		return value_of_operands(u, e) || u->m->arrays[e->sym].class_ != VYREC_CLASS_CONST;
	case VYREC_EXPR_ATOMIC:
		value_of_operands(u, e);
		return true;
	case VYREC_EXPR_COLLECTIVE:
		return value_of_collective(u, expr);
	case VYREC_EXPR_CALL:
		return call(u, expr);
	default: /* literals, consts, lengths: no operands; operations, argument words: as their operands */
		return value_of_operands(u, e);
	}
}

static bool value_of(struct uniform *u, vyrec_expr expr)
{
	u->depth++;
	bool divergent = value_of_node(u, expr);
	u->depth--;
	return divergent;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static bool walk_if(struct uniform *u, const struct vyrec_stmt_node *t)
{
	bool condition = value_of(u, t->expr[0]);
	struct lanes_branches b = {.mark = lanes_now(&u->lanes)};
	u->lanes.apart += condition;
	lanes_end_branch(&u->lanes, &b, walk_block(u, t->body[0]));
	lanes_end_branch(&u->lanes, &b, walk_block(u, t->body[1])); /* no else: the empty block 0 */
	u->lanes.apart -= condition;
	return lanes_join(&u->lanes, &b);
}

static bool walk_switch(struct uniform *u, const struct vyrec_stmt_node *t)
{
	bool condition = value_of(u, t->expr[0]);
	struct lanes_branches b = {.mark = lanes_now(&u->lanes)};
	u->lanes.apart += condition;
	for (uint32_t i = 0; i < t->count; i++)
		if (vyrec_case_block(u->m, t, i))
			lanes_end_branch(&u->lanes, &b, walk_block(u, vyrec_case_block(u->m, t, i)));
	lanes_end_branch(&u->lanes, &b, walk_block(u, t->body[0]));
	u->lanes.apart -= condition;
	return lanes_join(&u->lanes, &b);
}

/* Some lanes find room, others do not. */
static bool walk_spawn(struct uniform *u, const struct vyrec_stmt_node *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		value_of(u, u->m->refs[t->list + i]);
	struct lanes_branches b = {.mark = lanes_now(&u->lanes)};
	u->lanes.apart++;
	lanes_end_branch(&u->lanes, &b, true);
	lanes_end_branch(&u->lanes, &b, walk_block(u, t->body[0])); /* no else: the empty block 0 */
	u->lanes.apart--;
	return lanes_join(&u->lanes, &b);
}

/* One turn from the mark on. True if it found something that the next turn must start with. */
static bool walk_turn(struct uniform *u, vyrec_stmt stmt, struct lanes_mark mark, bool counter)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	uint32_t target = u->lanes.target_count - 1;
	bool apart = u->lanes.apart;
	if (t->local)
		lanes_set(&u->lanes, t->local, counter || apart);
	bool falls = walk_block(u, t->body[0]), continues = u->lanes.targets[target].continues;
	lanes_meet(&u->lanes, &u->lanes.targets[target].skipped);
	if (continues)
		lanes_join_any_time(&u->lanes, mark);
	/* some lanes may have left, for behind the loop or for further out */
	return lanes_end_turn(&u->lanes, stmt, mark, falls || continues, !apart && u->lanes.apart);
}

static bool walk_loop(struct uniform *u, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	bool counter = false;
	for (unsigned i = 0; i < 3; i++)
		counter |= t->expr[i] && value_of(u, t->expr[i]);
	u->lanes.apart += counter; /* lanes make different numbers of turns */
	uint32_t target = lanes_open_target(&u->lanes, (struct lanes_target){.loop = true});
	struct lanes_mark mark;
	for (;;) {
		lanes_begin_turn(&u->lanes, stmt);
		mark = lanes_now(&u->lanes);
		if (!walk_turn(u, stmt, mark, counter))
			break;
		lanes_rewind(&u->lanes, mark);
	}
	bool broken = u->lanes.targets[target].breaks;
	if (broken)
		lanes_join_any_time(&u->lanes, mark);
	else
		lanes_rewind(&u->lanes, mark); /* a for ends at the start of a turn */
	lanes_close_target(&u->lanes);
	u->lanes.apart -= counter;
	return t->kind == VYREC_STMT_FOR || broken;
}

static bool walk_labelled(struct uniform *u, const struct vyrec_stmt_node *t)
{
	struct lanes_mark mark = lanes_now(&u->lanes);
	uint32_t target = lanes_open_target(&u->lanes, (struct lanes_target){.label = t->local});
	bool falls = walk_block(u, t->body[0]), broken = u->lanes.targets[target].breaks;
	if (broken)
		lanes_join_any_time(&u->lanes, mark);
	lanes_close_target(&u->lanes);
	return falls || broken;
}

static void set_assigned(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &m->stmts[stmt];
	if (t->kind == VYREC_STMT_ASSIGN)
		lanes_set(user, t->local, true);
}

static bool walk_catch(struct uniform *u, const struct vyrec_stmt_node *t)
{
	struct lanes_mark mark = lanes_now(&u->lanes);
	struct around outer = u->around;
	u->around.any = u->lanes.target_count;
	if (vyrec_block_meets(u->m, t->body[0], u->fn_meets))
		u->around.meeting = u->lanes.target_count;
	walk_block(u, t->body[0]);
	u->around = outer;
	lanes_join_any_time(&u->lanes, mark);
	vyrec_walk_block(u->m, t->body[0], &(struct vyrec_walker){.stmt = set_assigned, .user = &u->lanes});
	lanes_set(&u->lanes, t->local, true);
	lanes_set(&u->lanes, t->local2, true);
	return true;
}

/* A jump to the target; some lanes may have fallen to the end of a catch that it leaves, and stay behind. */
static bool leaves_catch(struct uniform *u, vyrec_stmt stmt, const struct lanes_target *target)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	uint32_t index = (uint32_t)(target - u->lanes.targets);
	if (index < u->around.meeting)
		TELL(u, u->told, stmt, V085, t->loc,
		     "`%s` leaves a catch in which lanes meet, and those that a trap has taken to its end wait there "
		     "for the others; let the catch end first, and jump behind it",
		     vyrec_stmt_get_info(t->kind)->text);
	return index < u->around.any && index >= u->around.meeting; /* what has been said is not said again */
}

static void walk_jump(struct uniform *u, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	bool value = t->expr[0] && value_of(u, t->expr[0]);
	if (t->kind == VYREC_STMT_RETURN) {
		bool apart = leaves_catch(u, stmt, lanes_find_body(&u->lanes)) || u->lanes.apart;
		u->result |= value || apart;
		if (u->lanes.apart && u->op)
			TELL(u, u->told, stmt, V083, t->loc,
			     "not every lane returns here; an op ends for all its lanes at once, put the rest into an "
			     "if");
		if (apart)
			lanes_go(&u->lanes, &lanes_find_body(&u->lanes)->left);
		return;
	}
	struct lanes_target *target = lanes_find_target(&u->lanes, t->kind == VYREC_STMT_BREAK ? t->local : 0);
	bool *gone = t->kind == VYREC_STMT_BREAK ? &target->left : &target->skipped;
	*(t->kind == VYREC_STMT_BREAK ? &target->breaks : &target->continues) = true;
	if (leaves_catch(u, stmt, target) || u->lanes.apart)
		lanes_go(&u->lanes, gone);
}

/* Statements that all lanes must reach, and whose operands must agree where they have any. */
static void walk_together(struct uniform *u, vyrec_stmt stmt, enum verify_rule rule)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	const char *text = vyrec_stmt_get_info(t->kind)->text;
	bool operands = false;
	for (unsigned i = 0; i < 4; i++)
		operands |= t->expr[i] && value_of(u, t->expr[i]);
	if (u->lanes.apart)
		TELL(u, u->told, stmt, rule, t->loc,
		     "not every lane reaches `%s` together; move it out of what lanes decide for themselves", text);
	else if (operands)
		TELL(u, u->told, stmt, rule, t->loc,
		     "an operand of `%s` differs from lane to lane; reduce or broadcast it first", text);
}

static bool walk_stmt(struct uniform *u, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	switch (t->kind) {
	case VYREC_STMT_LET:
	case VYREC_STMT_VAR:
	case VYREC_STMT_ASSIGN: {
		bool value = t->expr[0] && value_of(u, t->expr[0]);
		if (t->local)
			lanes_set(&u->lanes, t->local, value || u->lanes.apart);
		return true;
	}
	case VYREC_STMT_IF:
		return walk_if(u, t);
	case VYREC_STMT_SWITCH:
		return walk_switch(u, t);
	case VYREC_STMT_SPAWN:
		return walk_spawn(u, t);
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
		return walk_loop(u, stmt);
	case VYREC_STMT_BLOCK:
		return walk_labelled(u, t);
	case VYREC_STMT_REGION:
		return walk_block(u, t->body[0]);
	case VYREC_STMT_CATCH:
		return walk_catch(u, t);
	case VYREC_STMT_BREAK:
	case VYREC_STMT_CONTINUE:
	case VYREC_STMT_RETURN:
		walk_jump(u, stmt);
		return false;
	case VYREC_STMT_BARRIER:
		walk_together(u, stmt, V080);
		return true;
	case VYREC_STMT_RESULT:
		walk_together(u, stmt, V082);
		return true;
	default:
		if (vyrec_stmt_get_info(t->kind)->flags & VYREC_IS_SUSPEND) {
			walk_together(u, stmt, V081);
			return true;
		}
		for (unsigned i = 0; i < 4; i++)
			if (t->expr[i])
				value_of(u, t->expr[i]);
		return t->kind != VYREC_STMT_TRAP; /* a trap ends the slot for all its lanes: it takes none apart */
	}
}

/* True where control can reach its end. */
static bool walk_block(struct uniform *u, vyrec_block block)
{
	const struct vyrec_block_node *node = &u->m->blocks[block];
	bool falls = true;
	u->depth++;
	for (uint32_t i = 0; falls && i < node->count; i++)
		falls = walk_stmt(u, u->m->refs[node->first + i]);
	u->depth--;
	return falls;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */

/* Walks a fn whose arguments in `mask` are divergent, reached by all lanes. True if its value is. */
static bool walk_fn(struct uniform *u, vyrec_fn fn, uint32_t mask)
{
	const struct vyrec_fn_node *f = &u->m->fns[fn];
	struct lanes_mark mark = lanes_now(&u->lanes);
	unsigned apart = u->lanes.apart;
	bool op = u->op, outer = u->result;
	struct around around = u->around;
	u->lanes.apart = 0;
	u->op = u->result = false;
	u->around = (struct around){0};
	lanes_open_target(&u->lanes, (struct lanes_target){.body = true});
	for (uint32_t i = 0; i < f->param_count; i++)
		lanes_set(&u->lanes, u->m->refs[f->params + i], mask >> i & 1);
	walk_block(u, f->body);
	bool result = u->result;
	lanes_close_target(&u->lanes);
	lanes_forget(&u->lanes, mark);
	u->lanes.apart = apart;
	u->around = around;
	u->op = op;
	u->result = outer;
	return result;
}

static bool summary_of(struct uniform *u, vyrec_fn fn, uint32_t mask)
{
	struct summaries *s = &u->summaries[fn];
	for (unsigned tries = 0; tries < 2; tries++) {
		for (unsigned i = 0; i < s->count; i++)
			if (s->items[i].mask == mask)
				return s->items[i].result;
		if (s->count < MAX_MASKS)
			break;
		mask = UINT32_MAX; /* too many differ: as if all did, which is true of every mask */
	}
	bool result = walk_fn(u, fn, mask);
	s->items[s->count++] = (struct summary){mask, result};
	return result;
}

static bool call(struct uniform *u, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &u->m->exprs[expr];
	const char *name = verify_name(u->v, u->m->fns[e->sym].name);
	uint8_t flags = u->v->fn_flags[e->sym];
	uint32_t mask = 0;
	for (uint32_t i = 0; i < e->count; i++)
		mask |= (uint32_t)value_of(u, u->m->refs[e->list + i]) << i;
	if (u->lanes.apart && flags)
		TELL(
		    u, u->told_expr, expr, flags & VERIFY_FN_TOGETHER ? V080 : V082, e->loc,
		    "not every lane calls `%s` together, and it has a barrier, a collective or a result; move the call",
		    name);
	if (u->depth > MAX_DEPTH) {
		TELL(u, u->told_expr, expr, V058, e->loc,
		     "the call of `%s` stands %u blocks, expressions and calls deep; flatten them", name, u->depth);
		return true;
	}
	return (flags || e->type != VYREC_VOID) && summary_of(u, e->sym, mask);
}

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

static void walk_body(struct uniform *u, vyrec_block body, bool op)
{
	struct lanes_mark start = lanes_now(&u->lanes);
	u->op = op;
	u->lanes.apart = 0;
	lanes_open_target(&u->lanes, (struct lanes_target){.body = true});
	walk_block(u, body);
	lanes_close_target(&u->lanes);
	lanes_forget(&u->lanes, start);
}

static void walk_unit(struct uniform *u, const struct vyrec_unit_node *unit)
{
	if (unit->workgroup[0] * unit->workgroup[1] * unit->workgroup[2] > 1)
		walk_body(u, unit->body, false);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const struct vyrec_handler_node *h = &u->m->handlers[u->m->refs[unit->items + 2 * i + 1]];
		if (u->m->refs[unit->items + 2 * i] == VYREC_ITEM_HANDLER && h->granularity == VYRE_BY_WORKGROUP &&
		    h->width != 1)
			walk_body(u, h->body, true);
	}
}

void verify_uniform(struct verifier *v)
{
	struct vyrec_module *m = v->m;
	struct uniform u = {.v = v,
			    .m = m,
			    .summaries = vyrec_alloc(m->fn_count * sizeof(struct summaries)),
			    .fn_meets = vyrec_alloc(m->fn_count),
			    .told = vyrec_alloc(m->stmt_count),
			    .told_expr = vyrec_alloc(m->expr_count)};
	lanes_open(&u.lanes, m);
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		walk_unit(&u, &m->units[unit]);
	lanes_close(&u.lanes);
	free(u.summaries);
	free(u.fn_meets);
	free(u.told);
	free(u.told_expr);
}
