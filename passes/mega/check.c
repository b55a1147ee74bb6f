/* check.c - what a feed or an option asks of a set, said in the user's terms before anything is assembled.
 *
 * Enters: a set and its shape. Leaves: the same, or errors. A row is a rule: when it is asked, and what it looks at.
 */
#include "passes/mega/mega.h"

static bool is_scanning(const struct vyrec_mega *g)
{
	return g->shape.feed != VYRE_FEED_LIVE;
}

static void error(struct vyrec_mega *g, vyrec_loc loc, const char *name, const char *what)
{
	vyrec_diags_add(g->diags, VYREC_ERROR, "", loc, "`%s`: %s", name, what);
	g->failed = true;
}

static void error_set(struct vyrec_mega *g, const char *what)
{
	error(g, g->m->units[g->set].loc, g->shape.name, what);
}

/* ---- of a set ----------------------------------------------------------------------------------------------------------- */

static void check_fused(struct vyrec_mega *g)
{
	uint32_t count = 0;
	if (!(g->shape.features & VYRE_HAS_FUSED))
		return;
	for (uint32_t at = 0; vyrec_mega_next_handler(g, &at);)
		count++;
	if (count != 1)
		error_set(g, "a fused set has exactly one op; leave out --fused, or move the other ops to another set");
	if (g->shape.features & VYRE_HAS_BUILTINS)
		error_set(g, "a fused set has no built-in opcodes; leave out --fused or --builtins");
	if (g->shape.feed != VYRE_FEED_SLOTS && g->shape.feed != VYRE_FEED_PRIORITY)
		error_set(g, "only the feeds slots and priority can be fused; choose one with --feed");
}

static void check_service(struct vyrec_mega *g)
{
	if ((g->shape.features & VYRE_HAS_SERVICE) && !is_scanning(g))
		error_set(g, "the feed live serves no io entries of the host; choose another one with --feed");
}

/* ---- of an op ----------------------------------------------------------------------------------------------------------- */

/* An op whose lanes the pass `lanes` has made loops has no width any more. */
static void check_width(struct vyrec_mega *g, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &g->m->handlers[handler];
	if (!g->shape.mailbox && g->shape.lanes == 1 && h->granularity == VYRE_BY_WORKGROUP && h->width > 1) {
		vyrec_diags_add(
		    g->diags, VYREC_ERROR, "", h->loc,
		    "`%s`: the op is by workgroup(%u), and this kernel's workgroups have one lane; write it by "
		    "workgroup of any width, or compile it for one lane, which keeps the width by loops",
		    vyrec_name_text(g->m, h->name), h->width);
		g->failed = true;
	}
	if (is_scanning(g) && g->shape.lanes > 1 && h->granularity == VYRE_BY_WORKGROUP)
		error(
		    g, h->loc, vyrec_name_text(g->m, h->name),
		    "a lane runs a slot in this feed, and the op is by workgroup; use --lanes=1, or write it by lane");
	if (is_scanning(g) && g->shape.lanes > 1 && h->shared_count)
		error(g, h->loc, vyrec_name_text(g->m, h->name),
		      "a lane runs a slot in this feed, and the op has shared arrays; use --lanes=1, or local arrays");
}

static void see_spawn(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	if (m->stmts[s].kind == VYREC_STMT_SPAWN)
		error(user, m->stmts[s].loc, "spawn",
		      "this feed has no room for spawned slots; choose --feed=live or --feed=tasks");
}

static void check_spawn(struct vyrec_mega *g, vyrec_handler handler)
{
	const struct vyrec_walker walker = {see_spawn, NULL, g};
	if (g->shape.feed == VYRE_FEED_SLOTS || g->shape.feed == VYRE_FEED_PRIORITY)
		vyrec_walk_block(g->m, g->m->handlers[handler].body, &walker);
}

/* Of ops that have a fixed width one says how wide workgroups are. */
static void check_mailbox_op(struct vyrec_mega *g, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &g->m->handlers[handler];
	if (!g->shape.mailbox || vyrec_mega_has_ferry(&g->shape)) /* a ferry's workers are one lane each */
		return;
	if (h->granularity != VYRE_BY_WORKGROUP || !h->width || h->width == g->shape.lanes)
		return;
	vyrec_diags_add(g->diags, VYREC_ERROR, "", h->loc,
			"`%s` is by workgroup(%u), another op of the set by workgroup(%u); give both one width, or "
			"leave it out",
			vyrec_name_text(g->m, h->name), h->width, g->shape.lanes);
	g->failed = true;
}

static void see_result(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	const struct vyrec_stmt_node *n = &m->stmts[s];
	if (n->kind == VYREC_STMT_RESULT && n->imm + vyrec_words_of(m->exprs[n->expr[0]].type) > VYREC_TASK_ARGS)
		error(user, n->loc, "result", "a task has result words 0 to 2; write more to a buffer");
}

static void check_task(struct vyrec_mega *g, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &g->m->handlers[handler];
	const struct vyrec_walker walker = {see_result, NULL, g};
	uint32_t words = 0;
	if (g->shape.feed != VYRE_FEED_TASKS)
		return;
	for (uint32_t i = 0; i < h->param_count; i++)
		words += vyrec_words_of(g->m->locals[g->m->refs[h->params + i]].type);
	if (words > VYREC_TASK_ARGS)
		error(g, h->loc, vyrec_name_text(g->m, h->name),
		      "a task has three argument words (input, output, param), and the op takes more; put them into a "
		      "buffer, or choose another --feed");
	vyrec_walk_block(g->m, h->body, &walker);
}

bool vyrec_mega_check(struct vyrec_mega *g)
{
	vyrec_handler handler;
	check_fused(g);
	check_service(g);
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));) {
		check_width(g, handler);
		check_spawn(g, handler);
		check_task(g, handler);
		check_mailbox_op(g, handler);
	}
	return !g->failed;
}
