/* llvm_meet_falls.c - which catches lanes can fall out of while others meet inside, on an NVIDIA device.
 *
 * Enters: the body of a unit, or a block of it. Leaves: whether a trap and a meeting stand in it together; of a whole unit
 * how deep catches with both stand in each other, and whether a trap stands outside of all catches beside a meeting.
 * Builds no instruction. llvm_meet.c makes barriers and collectives dearer by what this says, so a catch without a
 * meeting, and a lane that is alone, count for nothing.
 */
#include <stdlib.h>

#include "codegen/llvm.h"

/* A walk that counts: traps under a block, and by statement and expression, how many catches that lanes can fall out of
 * stand around it. */
struct survey {
	struct lower *l;
	uint8_t *stmts, *exprs; /* catches around, any that has been walked */
	uint32_t traps, loose_traps;
	uint8_t mark; /* added to whatever stands under the block */
};

static void see_stmt(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct survey *s = user;
	bool traps = m->stmts[stmt].kind == VYREC_STMT_TRAP || m->stmts[stmt].policy == VYREC_POLICY_TRAP;
	s->traps += traps;
	s->loose_traps += traps && !s->stmts[stmt];
	s->stmts[stmt] = (uint8_t)(s->stmts[stmt] + s->mark);
}

static void see_expr(void *user, struct vyrec_module *m, vyrec_expr expr)
{
	struct survey *s = user;
	bool traps = m->exprs[expr].policy == VYREC_POLICY_TRAP;
	s->traps += traps;
	s->loose_traps += traps && !s->exprs[expr];
	s->exprs[expr] = (uint8_t)(s->exprs[expr] + s->mark);
}

static void survey_block(struct survey *s, vyrec_block block, uint8_t mark)
{
	struct vyrec_walker walker = {see_stmt, see_expr, s};
	s->traps = s->loose_traps = 0;
	s->mark = mark;
	vyrec_walk_block(s->l->m, block, &walker);
}

static struct survey survey_begin(struct lower *l)
{
	return (struct survey){.l = l, .stmts = vyrec_alloc(l->m->stmt_count), .exprs = vyrec_alloc(l->m->expr_count)};
}

static void survey_end(struct survey *s)
{
	free(s->stmts);
	free(s->exprs);
}

bool meet_falls(struct lower *l, vyrec_block block)
{
	struct survey s = survey_begin(l);
	survey_block(&s, block, 0);
	survey_end(&s);
	return lower_lanes(l) > 1 && s.traps && vyrec_block_meets(l->m, block, NULL);
}

/* Walked from the outside to the inside. */
static void see_catch(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	struct survey *s = user;
	const struct vyrec_stmt_node *n = &m->stmts[stmt];
	if (n->kind != VYREC_STMT_CATCH)
		return;
	bool falls = meet_falls(s->l, n->body[0]);
	if (falls && s->l->meet.depth <= s->stmts[stmt])
		s->l->meet.depth = s->stmts[stmt] + 1u;
	survey_block(s, n->body[0], falls);
}

/* Marks what is in any catch. */
static void see_caught(void *user, struct vyrec_module *m, vyrec_stmt stmt)
{
	if (m->stmts[stmt].kind == VYREC_STMT_CATCH)
		survey_block(user, m->stmts[stmt].body[0], 1);
}

static bool traps_outside(struct lower *l, vyrec_block body)
{
	struct survey s = survey_begin(l);
	struct vyrec_walker walker = {.stmt = see_caught, .user = &s};
	vyrec_walk_block(l->m, body, &walker);
	survey_block(&s, body, 0);
	survey_end(&s);
	return s.loose_traps != 0;
}

void meet_survey(struct lower *l)
{
	vyrec_block body = l->m->units[l->unit].body;
	if (lower_lanes(l) == 1 || !vyrec_block_meets(l->m, body, NULL))
		return;
	struct survey s = survey_begin(l);
	struct vyrec_walker walker = {.stmt = see_catch, .user = &s};
	vyrec_walk_block(l->m, body, &walker);
	survey_end(&s);
	l->meet.whole = traps_outside(l, body);
}
