/* workspace.c - a set's own work beside its slots: fns of fixed names, called where a feed has a place for them.
 *
 *   workspace_bootstrap()     once a launch, by the first worker, before its first round
 *   workspace_guard() -> bool each round, by each worker; false: no dispatch in this round
 *   workspace_dispatch()      each round, by each worker
 *
 * Enters: the imported template with its two markers. Leaves: calls in their place, or nothing. `inline` keeps these fns
 * of a set, so that the passes in front of this one have seen their bodies.
 */
#include <string.h>

#include "passes/mega/mega.h"

enum { BOOTSTRAP, GUARD, DISPATCH, FNS };
static const struct {
	const char *name;
	vyrec_type result;
} rows[FNS] = {
    {"workspace_bootstrap", VYREC_VOID}, {"workspace_guard", VYREC_BOOL}, {"workspace_dispatch", VYREC_VOID}};

bool vyrec_is_workspace_fn(const struct vyrec_module *m, vyrec_fn fn)
{
	for (unsigned i = 0; i < FNS; i++)
		if (m->units[m->fns[fn].unit].kind == VYRE_UNIT_SET &&
		    !strcmp(vyrec_name_text(m, m->fns[fn].name), rows[i].name))
			return true;
	return false;
}

/* A worker calls them by itself, between slots: there is no slot, and nobody to meet. */
static void refuse_unless(struct vyrec_mega *g, unsigned flags, vyrec_loc loc, const char *text)
{
	const char *why = NULL;
	if (!(flags & VYREC_IN_PROGRAM))
		why = "there is no slot in a fn that the scheduler calls; move it into an op";
	else if (flags & VYREC_IS_COLLECTIVE)
		why = "a worker calls this fn by itself, others do not meet it there; leave it out";
	if (!why)
		return;
	vyrec_diags_add(g->diags, VYREC_ERROR, "", loc, "`%s`: %s", text, why);
	g->failed = true;
}

static void check_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	const struct vyrec_node_info *info = vyrec_stmt_get_info(m->stmts[s].kind);
	refuse_unless(user, info->flags, m->stmts[s].loc, info->text);
}

/* The program takes no consts over. */
static void take_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	if (vyrec_become_const_value(m, e))
		return;
	if (n->kind == VYREC_EXPR_BUILTIN)
		refuse_unless(user, vyrec_builtin_get_info(n->code)->flags, n->loc,
			      vyrec_builtin_get_info(n->code)->text);
	else if (n->kind == VYREC_EXPR_COLLECTIVE)
		refuse_unless(user, VYREC_IN_ANY | VYREC_IS_COLLECTIVE, n->loc,
			      vyrec_collective_get_info(n->code)->text);
	else if (n->kind == VYREC_EXPR_ARG)
		refuse_unless(user, VYREC_IN_HANDLER, n->loc, "arg");
}

static vyrec_fn find_fn(struct vyrec_mega *g, unsigned row)
{
	struct vyrec_module *m = g->m;
	const struct vyrec_walker walker = {check_stmt, take_expr, g};
	for (uint32_t i = 0; i < m->units[g->set].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[g->set].items + 2 * i];
		if (item[0] != VYREC_ITEM_FN || strcmp(vyrec_name_text(m, m->fns[item[1]].name), rows[row].name) != 0)
			continue;
		const struct vyrec_fn_node fn = m->fns[item[1]];
		if (fn.param_count || fn.result != rows[row].result) {
			vyrec_diags_add(g->diags, VYREC_ERROR, "", fn.loc, "`%s` has no parameters and %s",
					rows[row].name, rows[row].result ? "the result bool" : "no result");
			g->failed = true;
		}
		vyrec_walk_block(m, fn.body, &walker);
		return item[1];
	}
	return 0;
}

static vyrec_expr call(struct vyrec_module *m, vyrec_fn fn)
{
	return vyrec_add_expr(m,
			      &(struct vyrec_expr_node){.kind = VYREC_EXPR_CALL, .type = m->fns[fn].result, .sym = fn});
}

static vyrec_block call_alone(struct vyrec_module *m, vyrec_fn fn)
{
	vyrec_stmt stmt = 0;
	if (fn)
		stmt = vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {call(m, fn)}});
	return vyrec_add_block(m, &stmt, stmt != 0);
}

void vyrec_mega_workspace(struct vyrec_mega *g)
{
	struct vyrec_module *m = g->m;
	vyrec_fn fns[FNS];
	for (unsigned i = 0; i < FNS; i++)
		fns[i] = find_fn(g, i);
	if (!g->workspace_round) {
		for (unsigned i = 0; i < FNS; i++)
			if (fns[i])
				vyrec_diags_add(
				    g->diags, VYREC_ERROR, "", m->fns[fns[i]].loc,
				    "`%s`: this feed has no place for it; choose another one with --feed, or "
				    "another name",
				    rows[i].name);
		g->failed |= fns[BOOTSTRAP] || fns[GUARD] || fns[DISPATCH];
		return;
	}
	vyrec_block bootstrap = call_alone(m, fns[BOOTSTRAP]), dispatch = call_alone(m, fns[DISPATCH]);
	m->stmts[g->workspace_bootstrap] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {bootstrap}};
	if (fns[GUARD])
		m->stmts[g->workspace_round] =
		    (struct vyrec_stmt_node){.kind = VYREC_STMT_IF, .expr = {call(m, fns[GUARD])}, .body = {dispatch}};
	else
		m->stmts[g->workspace_round] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {dispatch}};
}
