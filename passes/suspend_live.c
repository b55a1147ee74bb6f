/* suspend_live.c - what is live at each suspension point.
 *
 * Enters: a planned handler (suspend.c), its counted loops with points already plain ones. Leaves: at every point the
 * bits of the kept locals and local arrays that may be read after it before they are written. Invariant: bits only
 * grow, from none, until a walk over the whole handler changes nothing.
 *
 * Backward over the tree: a jump takes the set of its target, a loop starts from what was live at its head in the walk
 * before. Walks, not a fixed point for each loop: loops in loops would take 2^depth walks of the innermost, and the depth
 * is the user's; this way it is about one walk for each level.
 *
 * A store to an element does not end an array's life, for the others may be read; its declaration does, for it zeroes.
 */
#include <stdlib.h>
#include <string.h>

#include "passes/suspend.h"

/* What a jump finds at its target. */
struct target {
	vyrec_local label;	 /* of a block; 0 = a loop */
	uint64_t *leave, *again; /* behind it; at the head of a loop */
	struct target *outer;
};

struct live {
	struct vyrec_suspender *sp;
	uint32_t words;		 /* of a set */
	uint64_t **heads;	 /* by statement: live at the head of a loop */
	struct vyrec_list loops; /* the statements that have one */
	struct target *targets;
	bool changed;
};

/* ---- sets ------------------------------------------------------------------------------------------------------------ */

static uint64_t *copy_set(const struct live *lv, const uint64_t *set)
{
	uint64_t *copy = vyrec_alloc(lv->words * sizeof *copy);
	if (set)
		memcpy(copy, set, lv->words * sizeof *copy);
	return copy;
}

static void assign_set(const struct live *lv, uint64_t *set, const uint64_t *from)
{
	if (from)
		memcpy(set, from, lv->words * sizeof *set);
	else
		memset(set, 0, lv->words * sizeof *set);
}

/* Returns whether the set grew. */
static bool join_set(const struct live *lv, uint64_t *set, const uint64_t *more)
{
	uint64_t grown = 0;
	for (uint32_t i = 0; i < lv->words; i++) {
		grown |= more[i] & ~set[i];
		set[i] |= more[i];
	}
	return grown != 0;
}

static void put(uint64_t *set, uint32_t number, bool live)
{
	uint64_t bit = UINT64_C(1) << (number - 1) % 64;
	if (number && live)
		set[(number - 1) / 64] |= bit;
	else if (number)
		set[(number - 1) / 64] &= ~bit;
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static void read_expr(struct live *lv, vyrec_expr e, uint64_t *set)
{
	const struct vyrec_expr_node *n = &lv->sp->m->exprs[e];
	vyrec_expr operand;
	if (n->kind == VYREC_EXPR_LOCAL)
		put(set, lv->sp->number[n->sym], true);
	else if (n->kind == VYREC_EXPR_LOAD)
		put(set, lv->sp->array_number[n->sym], true);
	for (uint32_t i = 0; (operand = vyrec_expr_operand(lv->sp->m, e, i)); i++)
		read_expr(lv, operand, set);
}

static void read_operands(struct live *lv, vyrec_stmt s, uint64_t *set)
{
	vyrec_expr operand;
	for (uint32_t i = 0; (operand = vyrec_stmt_operand(lv->sp->m, s, i)); i++)
		read_expr(lv, operand, set);
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

/* `set`: live behind it; leaves what is live in front. */
static void live_stmt(struct live *lv, vyrec_stmt s, uint64_t *set);

static void live_block(struct live *lv, vyrec_block block, uint64_t *set)
{
	for (uint32_t i = lv->sp->m->blocks[block].count; i-- > 0;)
		live_stmt(lv, vyrec_block_stmt(lv->sp->m, block, i), set);
}

static void live_inside(struct live *lv, vyrec_block block, struct target target, uint64_t *set)
{
	target.outer = lv->targets;
	lv->targets = &target;
	live_block(lv, block, set);
	lv->targets = target.outer;
}

/* if, switch, and whatever else runs one of its blocks; or none, where `may_skip`. */
static void live_branches(struct live *lv, vyrec_stmt s, bool may_skip, uint64_t *set)
{
	uint64_t *behind = copy_set(lv, set), *branch = copy_set(lv, NULL);
	vyrec_block child;
	if (!may_skip)
		assign_set(lv, set, NULL);
	for (uint32_t k = 0; (child = vyrec_child_block(lv->sp->m, s, &k));) {
		assign_set(lv, branch, behind);
		live_block(lv, child, branch);
		join_set(lv, set, branch);
	}
	free(behind);
	free(branch);
}

static void live_loop(struct live *lv, vyrec_stmt s, uint64_t *set)
{
	const struct vyrec_stmt_node n = lv->sp->m->stmts[s];
	uint64_t *behind = copy_set(lv, set), *head = lv->heads[s];
	if (!head) {
		head = lv->heads[s] = copy_set(lv, NULL);
		vyrec_list_push(&lv->loops, s);
	}
	if (n.kind == VYREC_STMT_FOR) /* it may end at its head; a plain loop does not */
		lv->changed |= join_set(lv, head, behind);
	assign_set(lv, set, head);
	live_inside(lv, n.body[0], (struct target){.leave = behind, .again = head}, set);
	lv->changed |= join_set(lv, head, set);
	assign_set(lv, set, head);
	free(behind);
}

static void live_jump(struct live *lv, const struct vyrec_stmt_node *n, uint64_t *set)
{
	const struct target *t = lv->targets;
	while (t && (n->local ? t->label != n->local : t->label != 0))
		t = t->outer;
	assign_set(lv, set, !t ? NULL : n->kind == VYREC_STMT_CONTINUE ? t->again : t->leave);
}

static void live_point(struct live *lv, vyrec_stmt s, const uint64_t *set)
{
	struct vyrec_suspend_point *point = vyrec_suspend_point(lv->sp, lv->sp->last[s]);
	if (!point->live)
		point->live = copy_set(lv, NULL);
	assign_set(lv, point->live, set);
}

static void live_stmt(struct live *lv, vyrec_stmt s, uint64_t *set)
{
	const struct vyrec_stmt_node n = lv->sp->m->stmts[s];
	uint64_t *behind;
	switch (n.kind) {
	case VYREC_STMT_LET:
	case VYREC_STMT_VAR:
	case VYREC_STMT_ASSIGN:
		put(set, lv->sp->number[n.local], false);
		put(set, lv->sp->array_number[n.array], false);
		break;
	case VYREC_STMT_IF:
		live_branches(lv, s, !n.body[1], set);
		break;
	case VYREC_STMT_SWITCH:
		live_branches(lv, s, !n.body[0], set);
		break;
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
		live_loop(lv, s, set);
		break;
	case VYREC_STMT_BLOCK:
		behind = copy_set(lv, set);
		live_inside(lv, n.body[0], (struct target){.label = n.local ? n.local : UINT32_MAX, .leave = behind},
			    set);
		free(behind);
		break;
	case VYREC_STMT_BREAK:
	case VYREC_STMT_CONTINUE:
		live_jump(lv, &n, set);
		break;
	case VYREC_STMT_RETURN:
	case VYREC_STMT_TRAP: /* ends the handler: none of its locals is seen behind it */
		assign_set(lv, set, NULL);
		break;
	case VYREC_STMT_REGION:
		live_block(lv, n.body[0], set);
		break;
	default:
		if (vyrec_suspend_cuts(lv->sp, s))
			live_point(lv, s, set);
		put(set, lv->sp->array_number[n.array2], true); /* the source of a copy */
		break;
	}
	read_operands(lv, s, set);
}

void vyrec_suspend_live(struct vyrec_suspender *sp, vyrec_block block)
{
	struct live lv = {.sp = sp, .words = sp->kept_count / 64 + 1};
	lv.heads = vyrec_alloc(sp->m->stmt_count * sizeof *lv.heads);
	do {
		uint64_t *set = copy_set(&lv, NULL);
		lv.changed = false;
		live_block(&lv, block, set);
		free(set);
	} while (lv.changed);
	for (uint32_t i = 0; i < lv.loops.count; i++)
		free(lv.heads[lv.loops.items[i]]);
	vyrec_list_free(&lv.loops);
	free(lv.heads);
}
