/* verify_calls.c - the graph of calls: no recursion, bounded depth, own unit; and what each fn does through its callees.
 *
 * Enters: a module of sound shape. Leaves: V057 to V059, and a byte of flags for each fn. Invariant: a fn is finished
 * after everything that it calls, so every later analysis may go from callers to callees without a guard. Calls are
 * collected body by body before the search: a search inside the walk would stack whole bodies on each other.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"

enum { UNSEEN, OPEN, FINISHED };

struct calls {
	struct verifier *v;
	uint8_t *state;	 /* by fn */
	uint8_t *height; /* by fn: longest chain of calls below it, at most one above the limit */
	struct vyrec_list
	    *callees;	 /* by fn: the calls in its body (expressions); [0] takes those of ops and programs */
	vyrec_fn fn;	 /* whose body is walked; 0 = an op or program */
	vyrec_unit unit; /* of that body */
};

/* ---- collecting ------------------------------------------------------------------------------------------------------ */

static void collect_expr(void *user, struct vyrec_module *m, vyrec_expr expr)
{
	struct calls *c = user;
	const struct vyrec_expr_node *e = &m->exprs[expr];
	if (e->kind == VYREC_EXPR_COLLECTIVE)
		c->v->fn_flags[c->fn] |= VERIFY_FN_TOGETHER;
	if (e->kind != VYREC_EXPR_CALL)
		return;
	vyrec_unit of = m->fns[e->sym].unit;
	if (of && of != c->unit)
		FAIL(c->v, V059, e->loc, "`%s` belongs to another unit; declare it in this one",
		     verify_name(c->v, m->fns[e->sym].name));
	vyrec_list_push(&c->callees[c->fn], expr);
}

static void collect_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct calls *c = user;
	if (m->stmts[stmt].kind == VYREC_STMT_BARRIER)
		c->v->fn_flags[c->fn] |= VERIFY_FN_TOGETHER;
	if (m->stmts[stmt].kind == VYREC_STMT_RESULT)
		c->v->fn_flags[c->fn] |= VERIFY_FN_RESULT;
}

static void collect(struct calls *c, vyrec_unit unit, vyrec_fn fn, vyrec_block body)
{
	c->unit = unit;
	c->fn = fn;
	vyrec_walk_block(c->v->m, body, &(struct vyrec_walker){collect_stmt, collect_expr, c});
}

static void collect_unit(struct calls *c, vyrec_unit unit)
{
	const struct vyrec_module *m = c->v->m;
	const struct vyrec_unit_node *u = &m->units[unit];
	collect(c, unit, 0, u->body);
	for (uint32_t i = 0; i < u->item_count; i++)
		if (m->refs[u->items + 2 * i] == VYREC_ITEM_HANDLER)
			collect(c, unit, 0, m->handlers[m->refs[u->items + 2 * i + 1]].body);
}

/* ---- searching ------------------------------------------------------------------------------------------------------- */

/* Finishes everything below a fn. `depth` calls are open above it. */
static void search(struct calls *c, vyrec_fn fn, unsigned depth)
{
	const struct vyrec_module *m = c->v->m;
	c->state[fn] = OPEN;
	for (uint32_t i = 0; i < c->callees[fn].count; i++) {
		const struct vyrec_expr_node *e = &m->exprs[c->callees[fn].items[i]];
		if (c->state[e->sym] == OPEN) {
			FAIL(c->v, V057, e->loc, "`%s` calls itself; write a loop",
			     verify_name(c->v, m->fns[e->sym].name));
			continue;
		}
		if (c->state[e->sym] == UNSEEN && depth < VYREC_MAX_CALL_DEPTH)
			search(c, e->sym, depth + 1);
		bool deep = c->state[e->sym] == UNSEEN || c->height[e->sym] >= VYREC_MAX_CALL_DEPTH;
		if (deep)
			FAIL(c->v, V058, e->loc, "calls nest deeper than %d at `%s`; flatten them",
			     VYREC_MAX_CALL_DEPTH, verify_name(c->v, m->fns[e->sym].name));
		uint8_t height = deep ? VYREC_MAX_CALL_DEPTH : (uint8_t)(c->height[e->sym] + 1);
		if (c->height[fn] < height)
			c->height[fn] = height;
		c->v->fn_flags[fn] |= c->v->fn_flags[e->sym];
	}
	c->state[fn] = FINISHED;
}

void verify_calls(struct verifier *v)
{
	struct vyrec_module *m = v->m;
	struct calls c = {.v = v,
			  .state = vyrec_alloc(m->fn_count),
			  .height = vyrec_alloc(m->fn_count),
			  .callees = vyrec_alloc(m->fn_count * sizeof(struct vyrec_list))};
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		collect_unit(&c, unit);
	for (uint32_t i = 0; i < v->fns.count; i++)
		collect(&c, m->fns[v->fns.items[i]].unit, v->fns.items[i], m->fns[v->fns.items[i]].body);
	for (uint32_t i = 0; i < v->fns.count; i++)
		if (c.state[v->fns.items[i]] == UNSEEN)
			search(&c, v->fns.items[i], 0);
	for (vyrec_fn fn = 0; fn < m->fn_count; fn++)
		vyrec_list_free(&c.callees[fn]);
	free(c.callees);
	free(c.state);
	free(c.height);
}
