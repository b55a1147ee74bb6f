/* dce.c - removes values and statements that nobody needs.
 *
 * Enters: verified IR. Leaves: no unread let, var or local array (where what computes it has no effect), nothing after a
 * statement that ends its block, no empty if, switch, block or counted loop, and no plain block whose names would not
 * collide outside it. Invariant: effects stay, in order: atomics, fences, collectives, stores to memory that others see,
 * and accesses that may trap.
 *
 * Each round counts the uses of every local, local array and label, then rewrites all bodies; what a round removes may
 * free more for the next. Why counts and not marking from effects: a round is two plain walks, and chains of dead values
 * are short after fold.
 */
#include <stdlib.h>

#include "passes/make.h"

enum { MAX_ROUNDS = 8 };

struct sweeper {
	struct vyrec_module *m;
	const struct vyrec_pass_options *options;
	uint32_t *reads;      /* by local: reads, and breaks to a label */
	bool *kept;	      /* by local: a var that is written by something with an effect */
	uint32_t *array_uses; /* by array: all but plain stores and the declaration */
	bool *array_kept;     /* by array: stored to by something with an effect */
	uint32_t *names;      /* by name: locals and arrays that have it */
	uint32_t name_count;
	bool changed;
};

/* ---- counting -------------------------------------------------------------------------------------------------------- */

static void count_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct sweeper *sw = user;
	const struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind == VYREC_EXPR_LOCAL)
		sw->reads[n->sym]++;
	if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_LENGTH || n->kind == VYREC_EXPR_ATOMIC)
		sw->array_uses[n->sym]++;
}

static bool may_trap(const struct sweeper *sw, vyrec_policy policy)
{
	return policy == VYREC_POLICY_TRAP ||
	       (policy == VYREC_POLICY_DEFAULT && sw->options->bounds == VYREC_POLICY_TRAP);
}

/* Can `local = value` become `value` alone, or nothing? */
static bool is_dead_value(const struct sweeper *sw, vyrec_expr value)
{
	return !value || sw->m->exprs[value].kind == VYREC_EXPR_ATOMIC ||
	       vyrec_expr_is_droppable(sw->m, sw->options, value);
}

static void count_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct sweeper *sw = user;
	const struct vyrec_stmt_node *n = &m->stmts[s];
	switch (n->kind) {
	case VYREC_STMT_BREAK:
		sw->reads[n->local]++;
		break;
	case VYREC_STMT_LET:
	case VYREC_STMT_ASSIGN:
		sw->kept[n->local] |= !is_dead_value(sw, n->expr[0]);
		break;
	case VYREC_STMT_VAR:
		sw->kept[n->local] |= !n->array && !is_dead_value(sw, n->expr[0]);
		break;
	case VYREC_STMT_STORE:
		sw->array_kept[n->array] |= may_trap(sw, n->policy) ||
					    !vyrec_expr_is_droppable(m, sw->options, n->expr[0]) ||
					    !vyrec_expr_is_droppable(m, sw->options, n->expr[1]);
		break;
	case VYREC_STMT_CATCH:
		sw->kept[n->local] = sw->kept[n->local2] = true;
		break;
	default:
		sw->array_uses[n->array]++;
		sw->array_uses[n->array2]++;
	}
}

/* ---- sweeping -------------------------------------------------------------------------------------------------------- */

static void sweep_block(struct sweeper *sw, vyrec_block block);

static bool is_droppable(const struct sweeper *sw, vyrec_expr e)
{
	return !e || vyrec_expr_is_droppable(sw->m, sw->options, e);
}

/* let, var, assign to a local that nobody reads: gone, or only its atomic. */
static bool sweep_value(struct sweeper *sw, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_stmt_node *n = &sw->m->stmts[s];
	if (sw->reads[n->local] || sw->kept[n->local])
		return false;
	if (n->expr[0] && sw->m->exprs[n->expr[0]].kind == VYREC_EXPR_ATOMIC) {
		*n = (struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {n->expr[0]}, .loc = n->loc};
		vyrec_list_push(out, s);
	}
	return true;
}

static bool is_dead_array(const struct sweeper *sw, vyrec_array array)
{
	return array && sw->m->arrays[array].class_ == VYREC_CLASS_LOCAL && !sw->array_uses[array] &&
	       !sw->array_kept[array];
}

static bool is_empty(const struct sweeper *sw, vyrec_block block)
{
	return !block || !sw->m->blocks[block].count;
}

/* if with one side empty, or both. Returns true when the statement goes. */
static bool sweep_if(struct sweeper *sw, vyrec_stmt s)
{
	struct vyrec_module *m = sw->m;
	vyrec_block then = m->stmts[s].body[0], otherwise = m->stmts[s].body[1];
	if (otherwise && is_empty(sw, otherwise)) {
		m->stmts[s].body[1] = otherwise = 0;
		sw->changed = true;
	}
	if (!is_empty(sw, then))
		return false;
	if (!otherwise)
		return is_droppable(sw, m->stmts[s].expr[0]);
	vyrec_expr inverse = vyrec_make_not(m, m->stmts[s].expr[0]);
	m->stmts[s].expr[0] = inverse;
	m->stmts[s].body[0] = otherwise;
	m->stmts[s].body[1] = 0;
	sw->changed = true;
	return false;
}

static bool is_empty_switch(const struct sweeper *sw, vyrec_stmt s)
{
	vyrec_block child;
	for (uint32_t i = 0; (child = vyrec_child_block(sw->m, s, &i));)
		if (!is_empty(sw, child))
			return false;
	return is_droppable(sw, sw->m->stmts[s].expr[0]);
}

/* Nobody else uses the names that the block declares, so they may be declared outside it. */
static bool may_flatten(const struct sweeper *sw, vyrec_block block)
{
	const struct vyrec_module *m = sw->m;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		const struct vyrec_stmt_node *n = &m->stmts[vyrec_block_stmt(m, block, i)];
		vyrec_name names[3] = {m->locals[n->local].name, m->locals[n->local2].name, m->arrays[n->array].name};
		bool declares =
		    n->kind == VYREC_STMT_LET || n->kind == VYREC_STMT_VAR || n->kind == VYREC_STMT_CATCH ||
		    n->kind == VYREC_STMT_REGION; /* a region opens no scope: what it declares is not seen here */
		for (unsigned k = 0; declares && k < 3; k++)
			if (names[k] >= sw->name_count || sw->names[names[k]] > 1 || n->kind == VYREC_STMT_REGION)
				return false;
	}
	return true;
}

/* A block: its label goes when no break is left, then its braces. Returns true when the statement goes. */
static bool sweep_scope(struct sweeper *sw, vyrec_stmt s, struct vyrec_list *out)
{
	struct vyrec_module *m = sw->m;
	vyrec_block body = m->stmts[s].body[0];
	uint32_t count = m->blocks[body].count;
	vyrec_local label = m->stmts[s].local;
	const struct vyrec_stmt_node *last = &m->stmts[count ? vyrec_block_stmt(m, body, count - 1) : 0];
	if (label && last->kind == VYREC_STMT_BREAK && last->local == label) {
		m->blocks[body].count = --count; /* it would leave the block anyway */
		sw->reads[label]--;
		sw->changed = true;
	}
	if (label && !sw->reads[label]) {
		m->stmts[s].local = label = 0;
		sw->changed = true;
	}
	if (label || !may_flatten(sw, body))
		return !count;
	for (uint32_t i = 0; i < count; i++)
		vyrec_list_push(out, vyrec_block_stmt(m, body, i));
	return true;
}

/* A step of 0 or less is a fault at run time; only a literal is known to be none. */
static bool has_good_step(const struct sweeper *sw, vyrec_stmt s)
{
	vyrec_expr step = sw->m->stmts[s].expr[2];
	uint64_t bits;
	return !step || (vyrec_expr_is_lit(sw->m, step, &bits) && bits && bits <= INT32_MAX);
}

/* Returns true when the statement goes; what is left of it is pushed here. */
static bool sweep_stmt(struct sweeper *sw, vyrec_stmt s, struct vyrec_list *out)
{
	const struct vyrec_stmt_node *n = &sw->m->stmts[s];
	switch (n->kind) {
	case VYREC_STMT_LET:
	case VYREC_STMT_ASSIGN:
		return sweep_value(sw, s, out);
	case VYREC_STMT_VAR:
		return n->array ? is_dead_array(sw, n->array) : sweep_value(sw, s, out);
	case VYREC_STMT_STORE:
		return is_dead_array(sw, n->array);
	case VYREC_STMT_EXPR:
		return is_droppable(sw, n->expr[0]);
	case VYREC_STMT_IF:
		return sweep_if(sw, s);
	case VYREC_STMT_SWITCH:
		return is_empty_switch(sw, s);
	case VYREC_STMT_FOR:
		return is_empty(sw, n->body[0]) && is_droppable(sw, n->expr[0]) && is_droppable(sw, n->expr[1]) &&
		       has_good_step(sw, s);
	case VYREC_STMT_REGION:
		return is_empty(sw, n->body[0]);
	case VYREC_STMT_BLOCK:
		return sweep_scope(sw, s, out);
	default:
		return false;
	}
}

/* A region shows what it declares: where its end is not reached, what follows it may name what is gone by now. */
static bool ends_block(const struct vyrec_module *m, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &m->stmts[s];
	if (n->kind != VYREC_STMT_REGION)
		return vyrec_is_end(m, s);
	uint32_t count = m->blocks[n->body[0]].count;
	return count && ends_block(m, vyrec_block_stmt(m, n->body[0], count - 1));
}

static void sweep_block(struct sweeper *sw, vyrec_block block)
{
	struct vyrec_module *m = sw->m;
	struct vyrec_list out = {0};
	bool changed = false;
	uint32_t count = m->blocks[block].count;
	for (uint32_t i = 0; i < count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		for (uint32_t k = 0; (child = vyrec_child_block(m, s, &k));)
			sweep_block(sw, child);
		if (sweep_stmt(sw, s, &out))
			changed = true;
		else
			vyrec_list_push(&out, s);
		if (out.count && ends_block(m, out.items[out.count - 1])) {
			changed |= i + 1 < count;
			break;
		}
	}
	sw->changed |= changed;
	if (changed)
		vyrec_take_list(m, block, &out);
	else
		vyrec_list_free(&out);
}

/* ---- rounds ---------------------------------------------------------------------------------------------------------- */

static void count_names(struct sweeper *sw)
{
	const struct vyrec_module *m = sw->m;
	for (uint32_t i = 1; i < m->local_count; i++)
		sw->name_count = m->locals[i].name >= sw->name_count ? m->locals[i].name + 1 : sw->name_count;
	for (uint32_t i = 1; i < m->array_count; i++)
		sw->name_count = m->arrays[i].name >= sw->name_count ? m->arrays[i].name + 1 : sw->name_count;
	sw->names = vyrec_alloc((sw->name_count + 1) * sizeof *sw->names);
	for (uint32_t i = 1; i < m->local_count; i++)
		sw->names[m->locals[i].name]++;
	for (uint32_t i = 1; i < m->array_count; i++)
		sw->names[m->arrays[i].name]++;
	sw->names[0] = 0; /* no name: what does not declare */
}

static bool sweep_once(struct vyrec_module *m, const struct vyrec_pass_options *options)
{
	struct sweeper sw = {.m = m, .options = options};
	struct vyrec_walker counter = {.stmt = count_stmt, .expr = count_expr, .user = &sw};
	struct vyrec_body body = {0};
	sw.reads = vyrec_alloc(m->local_count * sizeof *sw.reads);
	sw.kept = vyrec_alloc(m->local_count * sizeof *sw.kept);
	sw.array_uses = vyrec_alloc(m->array_count * sizeof *sw.array_uses);
	sw.array_kept = vyrec_alloc(m->array_count * sizeof *sw.array_kept);
	count_names(&sw);
	while (vyrec_next_body(m, &body))
		vyrec_walk_block(m, body.block, &counter);
	body = (struct vyrec_body){0};
	while (vyrec_next_body(m, &body))
		sweep_block(&sw, body.block);
	free(sw.reads);
	free(sw.kept);
	free(sw.array_uses);
	free(sw.array_kept);
	free(sw.names);
	return sw.changed;
}

bool vyrec_pass_dce(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	bool changed = false;
	(void)diags;
	for (unsigned round = 0; round < MAX_ROUNDS && sweep_once(m, options); round++)
		changed = true;
	return changed;
}
