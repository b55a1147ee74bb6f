/* walk.c - the one traversal of a tree of statements and expressions.
 *
 * Enters: a block or expression of a verified module. Leaves: calls, statements before their parts, expressions after
 * their operands, all in order of evaluation. Invariant: no pointer into a table lives across a call, so a function may
 * append nodes and rewrite the node that it is given; the parts that are then walked are those that it left. A block's
 * list is the one that stood there when the walk came to it: lists in refs are never overwritten, only replaced.
 */
#include "ir/module.h"

vyrec_block vyrec_case_block(const struct vyrec_module *m, const struct vyrec_stmt_node *node, uint32_t i)
{
	const uint32_t *pair = &m->refs[node->list + 2 * i];
	return i && pair[1] == pair[-1] ? 0 : pair[1];
}

void vyrec_walk_expr(struct vyrec_module *m, vyrec_expr expr, const struct vyrec_walker *walker)
{
	if (!expr)
		return;
	struct vyrec_expr_node node = m->exprs[expr];
	for (unsigned i = 0; i < 3; i++)
		vyrec_walk_expr(m, node.arg[i], walker);
	if (node.kind == VYREC_EXPR_CALL)
		for (uint32_t i = 0; i < node.count; i++)
			vyrec_walk_expr(m, m->refs[node.list + i], walker);
	if (walker->expr)
		walker->expr(walker->user, m, expr);
}

static void walk_stmt(struct vyrec_module *m, vyrec_stmt stmt, const struct vyrec_walker *walker)
{
	if (walker->stmt)
		walker->stmt(walker->user, m, stmt);
	struct vyrec_stmt_node node = m->stmts[stmt];
	for (unsigned i = 0; i < 4; i++)
		vyrec_walk_expr(m, node.expr[i], walker);
	if (node.kind == VYREC_STMT_SPAWN)
		for (uint32_t i = 0; i < node.count; i++)
			vyrec_walk_expr(m, m->refs[node.list + i], walker);
	if (node.kind == VYREC_STMT_SWITCH)
		for (uint32_t i = 0; i < node.count; i++)
			vyrec_walk_block(m, vyrec_case_block(m, &node, i), walker);
	for (unsigned i = 0; i < 2; i++)
		vyrec_walk_block(m, node.body[i], walker);
}

void vyrec_walk_block(struct vyrec_module *m, vyrec_block block, const struct vyrec_walker *walker)
{
	struct vyrec_block_node node = m->blocks[block];
	for (uint32_t i = 0; i < node.count; i++)
		walk_stmt(m, m->refs[node.first + i], walker);
}

/* ---- where lanes meet ------------------------------------------------------------------------------------------------ */

enum { MEETS_NOT = 1, MEETS = 2 }; /* of a fn */

struct meetings {
	uint8_t *fns;
	bool found;
};

static void meet_expr(void *user, struct vyrec_module *m, vyrec_expr expr)
{
	struct meetings *f = user;
	const struct vyrec_expr_node *e = &m->exprs[expr];
	f->found |= e->kind == VYREC_EXPR_COLLECTIVE;
	if (e->kind != VYREC_EXPR_CALL || !f->fns || f->found)
		return;
	uint32_t fn = e->sym;
	if (!f->fns[fn])
		f->fns[fn] = vyrec_block_meets(m, m->fns[fn].body, f->fns) ? MEETS : MEETS_NOT;
	f->found = f->fns[fn] == MEETS;
}

static void meet_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct meetings *f = user;
	f->found |= (vyrec_stmt_get_info(m->stmts[stmt].kind)->flags & (VYREC_IS_COLLECTIVE | VYREC_IS_SUSPEND)) != 0;
}

bool vyrec_block_meets(const struct vyrec_module *m, vyrec_block block, uint8_t *fns)
{
	struct meetings f = {.fns = fns};
	const struct vyrec_walker looks = {meet_stmt, meet_expr, &f};
	vyrec_walk_block((struct vyrec_module *)m, block, &looks); /* these change nothing */
	return f.found;
}
