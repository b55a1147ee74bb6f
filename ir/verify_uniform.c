/* verify_uniform.c - what must be the same in every lane is.
 *
 * Enters: a module that keeps all other rules. Leaves: V08x. In an op by workgroup, and in a program of more than one
 * lane, all lanes must reach a barrier, collective, suspension or result together. So the walk asks at each place: do
 * all lanes come here (control), and which locals have the same value in all of them (values)?
 *
 * Values: a bit a local, changed in order of execution. Every change goes on a trail; a branch is walked, its changes are
 * taken off the trail and remembered, and the join of all branches that go on is applied: divergent if any made it so.
 * Control: diverges under a divergent condition, and from a break, continue or return that only some lanes take until
 * the end of what they leave (its target), where the lanes meet again.
 * Loops: what is divergent at the end of a turn is divergent at the start of the next; the body is walked again until
 * nothing new is found. A loop keeps what it found, so that a loop around it does not start it from nothing: each turn
 * of the search adds a bit, and nested loops cost the sum and not the product. After MAX_TURNS the loop's control is
 * taken as divergent, which ends the search for any input.
 * Catches: a trap may take some lanes to the end of a catch, anywhere in it. What is assigned inside is divergent behind
 * it, and a jump that leaves it takes lanes apart. Where lanes meet inside, those that have fallen wait at its end, so
 * nobody may jump past that.
 * Calls: a fn is walked for each mask of divergent arguments that it is called with, up to MAX_MASKS, then as if all were.
 *
 * Why not one bit a local for the whole body: `x = atomic_add(..)` in one lane, then `x = broadcast(x, 0)`, is how lanes
 * agree, and the second assignment must count. Behind what a break, continue or trap may leave, a local that was divergent
 * at any time inside is divergent: `ever` keeps those, also of branches that the trail has taken back.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"

enum { MAX_TURNS = 16, MAX_MASKS = 8, MAX_DEPTH = 16 * VYREC_MAX_TREE_DEPTH };

struct change {
	vyrec_local local;
	bool was;
};

/* What a loop has found so far. */
struct loop_facts {
	vyrec_stmt stmt;
	struct vyrec_list divergent; /* locals, at the start of a turn */
	bool left;		     /* some lanes may have left it in an earlier turn */
	unsigned turns;
};

/* Where lanes that went different ways meet again. */
struct target {
	vyrec_local label;	/* of a block, or 0 */
	bool loop, body;	/* a loop; the whole body of an op, program or fn */
	bool left, skipped;	/* some lanes broke out; some lanes continued */
	bool breaks, continues; /* any break or continue goes to it at all */
};

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
	bool op;	    /* the body belongs to an op: it may not be left by some lanes alone */
	unsigned depth;	    /* open blocks, expressions and calls */
	unsigned divergent; /* conditions around, and targets that some lanes have gone to */
	uint8_t *locals;    /* divergent */
	struct change *trail;
	uint32_t trail_count, trail_capacity;
	struct vyrec_list ever; /* locals, each time that one became divergent */
	struct target *targets;
	uint32_t target_count, target_capacity;
	uint32_t *loop_index; /* by stmt: place in `loops` + 1 */
	struct loop_facts *loops;
	uint32_t loop_count, loop_capacity;
	struct summaries *summaries; /* by fn */
	uint8_t *fn_meets;	     /* of vyrec_block_meets */
	struct around around;
	bool result;   /* the fn that is walked may give different values */
	uint8_t *told; /* by stmt: reported */
	uint8_t *told_expr;
	uint32_t *seen; /* by local: join that has taken it */
	uint32_t joins;
};

static bool value_of(struct uniform *u, vyrec_expr expr);
static bool walk_block(struct uniform *u, vyrec_block block);

static bool is_divergent(const struct uniform *u)
{
	return u->divergent != 0;
}

static void set_local(struct uniform *u, vyrec_local local, bool divergent)
{
	if (u->locals[local] == divergent)
		return;
	u->trail = vyrec_grow(u->trail, &u->trail_capacity, u->trail_count + 1, sizeof *u->trail);
	u->trail[u->trail_count++] = (struct change){local, u->locals[local]};
	u->locals[local] = divergent;
	if (divergent)
		vyrec_list_push(&u->ever, local);
}

/* A moment of the walk. */
struct mark {
	uint32_t trail, ever;
};

static struct mark now(const struct uniform *u)
{
	return (struct mark){u->trail_count, u->ever.count};
}

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
	if (is_divergent(u))
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
	u->divergent += first;
	bool second = value_of(u, e->arg[1]);
	u->divergent -= first;
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
		return u->locals[e->sym];
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

/* ---- targets --------------------------------------------------------------------------------------------------------- */

static uint32_t open_target(struct uniform *u, struct target target)
{
	u->targets = vyrec_grow(u->targets, &u->target_capacity, u->target_count + 1, sizeof *u->targets);
	u->targets[u->target_count] = target;
	return u->target_count++;
}

static void meet(struct uniform *u, bool *gone)
{
	u->divergent -= *gone;
	*gone = false;
}

static void go(struct uniform *u, bool *gone)
{
	u->divergent += !*gone;
	*gone = true;
}

static void close_target(struct uniform *u)
{
	struct target *t = &u->targets[--u->target_count];
	meet(u, &t->left);
	meet(u, &t->skipped);
}

/* Of a break with this label, or of the innermost loop. */
static struct target *find_target(struct uniform *u, vyrec_local label)
{
	uint32_t i = u->target_count - 1;
	while (label ? u->targets[i].label != label : !u->targets[i].loop)
		i--; /* the other rules hold: it is there */
	return &u->targets[i];
}

static struct target *find_body(struct uniform *u)
{
	uint32_t i = u->target_count - 1;
	while (!u->targets[i].body)
		i--;
	return &u->targets[i];
}

/* ---- joins ----------------------------------------------------------------------------------------------------------- */

/* What was divergent at any time since the mark is divergent now: control may have left at any place. */
static void join_any_time(struct uniform *u, struct mark mark)
{
	for (uint32_t i = mark.ever, end = u->ever.count; i < end; i++)
		set_local(u, u->ever.items[i], true);
	for (uint32_t i = mark.trail, end = u->trail_count; i < end; i++)
		if (u->trail[i].was)
			set_local(u, u->trail[i].local, true);
}

/* Takes the changes since the mark back; where `after` is not NULL, pairs (local, value) go there. */
static void rewind_to(struct uniform *u, struct mark mark, struct vyrec_list *after)
{
	uint32_t join = ++u->joins;
	while (u->trail_count > mark.trail) {
		struct change c = u->trail[--u->trail_count];
		if (after && u->seen[c.local] != join) {
			vyrec_list_push(after, c.local);
			vyrec_list_push(after, u->locals[c.local]);
		}
		u->seen[c.local] = join;
		u->locals[c.local] = c.was;
	}
}

struct branches {
	struct mark mark;
	unsigned falling; /* branches that go on behind the join */
	struct vyrec_list after;
};

static void end_branch(struct uniform *u, struct branches *b, bool falls)
{
	b->falling += falls;
	rewind_to(u, b->mark, falls ? &b->after : NULL);
}

/* One branch that goes on: its values. More: a local that any made divergent, and none back to the same. */
static bool join(struct uniform *u, struct branches *b)
{
	for (uint32_t i = 0; i < b->after.count; i += 2)
		if (b->falling == 1 || b->after.items[i + 1])
			set_local(u, b->after.items[i], b->after.items[i + 1]);
	vyrec_list_free(&b->after);
	return b->falling > 0;
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

static bool walk_if(struct uniform *u, const struct vyrec_stmt_node *t)
{
	bool condition = value_of(u, t->expr[0]);
	struct branches b = {.mark = now(u)};
	u->divergent += condition;
	end_branch(u, &b, walk_block(u, t->body[0]));
	end_branch(u, &b, walk_block(u, t->body[1])); /* no else: the empty block 0 */
	u->divergent -= condition;
	return join(u, &b);
}

static bool walk_switch(struct uniform *u, const struct vyrec_stmt_node *t)
{
	bool condition = value_of(u, t->expr[0]);
	struct branches b = {.mark = now(u)};
	u->divergent += condition;
	for (uint32_t i = 0; i < t->count; i++)
		if (vyrec_case_block(u->m, t, i))
			end_branch(u, &b, walk_block(u, vyrec_case_block(u->m, t, i)));
	end_branch(u, &b, walk_block(u, t->body[0]));
	u->divergent -= condition;
	return join(u, &b);
}

/* Some lanes find room, others do not. */
static bool walk_spawn(struct uniform *u, const struct vyrec_stmt_node *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		value_of(u, u->m->refs[t->list + i]);
	struct branches b = {.mark = now(u)};
	u->divergent++;
	end_branch(u, &b, true);
	end_branch(u, &b, walk_block(u, t->body[0])); /* no else: the empty block 0 */
	u->divergent--;
	return join(u, &b);
}

static struct loop_facts *facts_of(struct uniform *u, vyrec_stmt stmt)
{
	if (!u->loop_index[stmt]) {
		u->loops = vyrec_grow(u->loops, &u->loop_capacity, u->loop_count + 1, sizeof *u->loops);
		u->loops[u->loop_count] = (struct loop_facts){.stmt = stmt};
		u->loop_index[stmt] = ++u->loop_count;
	}
	return &u->loops[u->loop_index[stmt] - 1];
}

/* Forgets the loops found since there were `count`. */
static void forget_loops(struct uniform *u, uint32_t count)
{
	while (u->loop_count > count) {
		struct loop_facts *facts = &u->loops[--u->loop_count];
		u->loop_index[facts->stmt] = 0;
		vyrec_list_free(&facts->divergent);
	}
}

/* Starts a turn: what the facts say holds. */
static void assume(struct uniform *u, vyrec_stmt stmt)
{
	struct loop_facts *facts = facts_of(u, stmt);
	for (uint32_t i = 0; i < facts->divergent.count; i++)
		set_local(u, facts->divergent.items[i], true);
	if (facts->left)
		go(u, &u->targets[u->target_count - 1].left);
}

/* Adds to the facts each local that was the same in all lanes at the mark, the start of the turn, and is not now. True
 * if there was one. */
static bool learn(struct uniform *u, vyrec_stmt stmt, struct mark mark)
{
	struct loop_facts *facts = facts_of(u, stmt);
	uint32_t before = facts->divergent.count, join = ++u->joins;
	for (uint32_t i = mark.trail; i < u->trail_count; i++) {
		const struct change *c = &u->trail[i]; /* the first of a local tells what it was at the mark */
		if (u->seen[c->local] != join && !c->was && u->locals[c->local])
			vyrec_list_push(&facts->divergent, c->local);
		u->seen[c->local] = join;
	}
	return facts->divergent.count != before;
}

/* One turn from the mark on. True if it found something that the next turn must start with. */
static bool walk_turn(struct uniform *u, vyrec_stmt stmt, struct mark mark, bool counter)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	uint32_t target = u->target_count - 1;
	bool apart = is_divergent(u), found = false;
	if (t->local)
		set_local(u, t->local, counter || apart);
	bool falls = walk_block(u, t->body[0]);
	meet(u, &u->targets[target].skipped);
	if (u->targets[target].continues)
		join_any_time(u, mark);
	if (falls || u->targets[target].continues)
		found = learn(u, stmt, mark);
	struct loop_facts *facts = facts_of(u, stmt);
	if (!apart && is_divergent(u)) /* some lanes left, for behind the loop or for further out */
		facts->left = found = true;
	if (found && ++facts->turns > MAX_TURNS)
		facts->left = true;
	return found;
}

static bool walk_loop(struct uniform *u, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	bool counter = false;
	for (unsigned i = 0; i < 3; i++)
		counter |= t->expr[i] && value_of(u, t->expr[i]);
	u->divergent += counter; /* lanes make different numbers of turns */
	uint32_t target = open_target(u, (struct target){.loop = true});
	struct mark mark;
	for (;;) {
		assume(u, stmt);
		mark = now(u);
		if (!walk_turn(u, stmt, mark, counter))
			break;
		rewind_to(u, mark, NULL);
	}
	bool broken = u->targets[target].breaks;
	if (broken)
		join_any_time(u, mark);
	else
		rewind_to(u, mark, NULL); /* a for ends at the start of a turn */
	close_target(u);
	u->divergent -= counter;
	return t->kind == VYREC_STMT_FOR || broken;
}

static bool walk_labelled(struct uniform *u, const struct vyrec_stmt_node *t)
{
	struct mark mark = now(u);
	uint32_t target = open_target(u, (struct target){.label = t->local});
	bool falls = walk_block(u, t->body[0]), broken = u->targets[target].breaks;
	if (broken)
		join_any_time(u, mark);
	close_target(u);
	return falls || broken;
}

static void set_assigned(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	const struct vyrec_stmt_node *t = &m->stmts[stmt];
	if (t->kind == VYREC_STMT_ASSIGN)
		set_local(user, t->local, true);
}

static bool walk_catch(struct uniform *u, const struct vyrec_stmt_node *t)
{
	struct mark mark = now(u);
	struct around outer = u->around;
	u->around.any = u->target_count;
	if (vyrec_block_meets(u->m, t->body[0], u->fn_meets))
		u->around.meeting = u->target_count;
	walk_block(u, t->body[0]);
	u->around = outer;
	join_any_time(u, mark);
	vyrec_walk_block(u->m, t->body[0], &(struct vyrec_walker){.stmt = set_assigned, .user = u});
	set_local(u, t->local, true);
	set_local(u, t->local2, true);
	return true;
}

/* A jump to the target; some lanes may have fallen to the end of a catch that it leaves, and stay behind. */
static bool leaves_catch(struct uniform *u, vyrec_stmt stmt, const struct target *target)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	uint32_t index = (uint32_t)(target - u->targets);
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
		bool apart = leaves_catch(u, stmt, find_body(u)) || is_divergent(u);
		u->result |= value || apart;
		if (is_divergent(u) && u->op)
			TELL(u, u->told, stmt, V083, t->loc,
			     "not every lane returns here; an op ends for all its lanes at once, put the rest into an "
			     "if");
		if (apart)
			go(u, &find_body(u)->left);
		return;
	}
	struct target *target = find_target(u, t->kind == VYREC_STMT_BREAK ? t->local : 0);
	bool *gone = t->kind == VYREC_STMT_BREAK ? &target->left : &target->skipped;
	*(t->kind == VYREC_STMT_BREAK ? &target->breaks : &target->continues) = true;
	if (leaves_catch(u, stmt, target) || is_divergent(u))
		go(u, gone);
}

/* Statements that all lanes must reach, and whose operands must agree where they have any. */
static void walk_together(struct uniform *u, vyrec_stmt stmt, enum verify_rule rule)
{
	const struct vyrec_stmt_node *t = &u->m->stmts[stmt];
	const char *text = vyrec_stmt_get_info(t->kind)->text;
	bool operands = false;
	for (unsigned i = 0; i < 4; i++)
		operands |= t->expr[i] && value_of(u, t->expr[i]);
	if (is_divergent(u))
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
			set_local(u, t->local, value || is_divergent(u));
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
	struct mark mark = now(u);
	uint32_t loops = u->loop_count;
	unsigned divergent = u->divergent;
	bool op = u->op, outer = u->result;
	struct around around = u->around;
	u->divergent = 0;
	u->op = u->result = false;
	u->around = (struct around){0};
	open_target(u, (struct target){.body = true});
	for (uint32_t i = 0; i < f->param_count; i++)
		set_local(u, u->m->refs[f->params + i], mask >> i & 1);
	walk_block(u, f->body);
	bool result = u->result;
	close_target(u);
	rewind_to(u, mark, NULL);
	u->ever.count = mark.ever;
	forget_loops(u, loops);
	u->divergent = divergent;
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
	if (is_divergent(u) && flags)
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
	u->op = op;
	u->divergent = 0;
	open_target(u, (struct target){.body = true});
	walk_block(u, body);
	close_target(u);
	rewind_to(u, (struct mark){0, 0}, NULL);
	u->ever.count = 0;
	forget_loops(u, 0);
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
			    .locals = vyrec_alloc(m->local_count),
			    .seen = vyrec_alloc(m->local_count * sizeof(uint32_t)),
			    .loop_index = vyrec_alloc(m->stmt_count * sizeof(uint32_t)),
			    .summaries = vyrec_alloc(m->fn_count * sizeof(struct summaries)),
			    .fn_meets = vyrec_alloc(m->fn_count),
			    .told = vyrec_alloc(m->stmt_count),
			    .told_expr = vyrec_alloc(m->expr_count)};
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		walk_unit(&u, &m->units[unit]);
	free(u.locals);
	free(u.seen);
	free(u.loop_index);
	free(u.summaries);
	free(u.fn_meets);
	free(u.told);
	free(u.told_expr);
	free(u.trail);
	vyrec_list_free(&u.ever);
	free(u.targets);
	free(u.loops);
}
