/* verify_lanes.c - what differs from lane to lane at a place of the walk of verify_uniform.c.
 *
 * Enters: what the walk comes across, in order of execution: assignments, branches, targets of jumps, turns of loops.
 * Leaves: which locals are divergent here, and whether all lanes are (`apart`).
 *
 * Values: a bit a local, changed in order of execution. Every change goes on a trail; a branch is walked, its changes are
 * taken off the trail and remembered, and the join of all branches that go on is applied: divergent if any made it so.
 * Control: `apart` counts the divergent conditions around, and the ways out that only some lanes have taken. Such a break,
 * continue or return counts until the end of what it leaves (its target), where the lanes meet again.
 * Loops: what is divergent at the end of a turn is divergent at the start of the next; the body is walked again until
 * nothing new is found. A loop keeps what it found, so that a loop around it does not start it from nothing: each turn
 * of the search adds a bit, and nested loops cost the sum and not the product. After MAX_TURNS the loop's control is
 * taken as divergent, which ends the search for any input.
 *
 * Why not one bit a local for the whole body: `x = atomic_add(..)` in one lane, then `x = broadcast(x, 0)`, is how lanes
 * agree, and the second assignment must count. Behind what a break, continue or trap may leave, a local that was divergent
 * at any time inside is divergent: `ever` keeps those, also of branches that the trail has taken back.
 */
#include <stdlib.h>

#include "ir/verify_lanes.h"

enum { MAX_TURNS = 16 };

struct lanes_change {
	vyrec_local local;
	bool was;
};

/* What a loop has found so far. */
struct lanes_loop {
	vyrec_stmt stmt;
	struct vyrec_list divergent; /* locals, at the start of a turn */
	bool left;		     /* some lanes may have left it in an earlier turn */
	unsigned turns;
};

void lanes_open(struct lanes *l, const struct vyrec_module *m)
{
	*l = (struct lanes){.locals = vyrec_alloc(m->local_count),
			    .seen = vyrec_alloc(m->local_count * sizeof(uint32_t)),
			    .loop_index = vyrec_alloc(m->stmt_count * sizeof(uint32_t))};
}

void lanes_close(struct lanes *l)
{
	lanes_forget(l, (struct lanes_mark){0});
	free(l->locals);
	free(l->seen);
	free(l->loop_index);
	free(l->trail);
	vyrec_list_free(&l->ever);
	free(l->targets);
	free(l->loops);
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

void lanes_set(struct lanes *l, vyrec_local local, bool divergent)
{
	if (l->locals[local] == divergent)
		return;
	l->trail = vyrec_grow(l->trail, &l->trail_capacity, l->trail_count + 1, sizeof *l->trail);
	l->trail[l->trail_count++] = (struct lanes_change){local, l->locals[local]};
	l->locals[local] = divergent;
	if (divergent)
		vyrec_list_push(&l->ever, local);
}

struct lanes_mark lanes_now(const struct lanes *l)
{
	return (struct lanes_mark){l->trail_count, l->ever.count, l->loop_count};
}

void lanes_join_any_time(struct lanes *l, struct lanes_mark mark)
{
	for (uint32_t i = mark.ever, end = l->ever.count; i < end; i++)
		lanes_set(l, l->ever.items[i], true);
	for (uint32_t i = mark.trail, end = l->trail_count; i < end; i++)
		if (l->trail[i].was)
			lanes_set(l, l->trail[i].local, true);
}

/* Where `after` is not NULL, pairs (local, value) go there. */
static void rewind_to(struct lanes *l, struct lanes_mark mark, struct vyrec_list *after)
{
	uint32_t join = ++l->joins;
	while (l->trail_count > mark.trail) {
		struct lanes_change c = l->trail[--l->trail_count];
		if (after && l->seen[c.local] != join) {
			vyrec_list_push(after, c.local);
			vyrec_list_push(after, l->locals[c.local]);
		}
		l->seen[c.local] = join;
		l->locals[c.local] = c.was;
	}
}

void lanes_rewind(struct lanes *l, struct lanes_mark mark)
{
	rewind_to(l, mark, NULL);
}

void lanes_forget(struct lanes *l, struct lanes_mark mark)
{
	rewind_to(l, mark, NULL);
	l->ever.count = mark.ever;
	while (l->loop_count > mark.loops) {
		struct lanes_loop *loop = &l->loops[--l->loop_count];
		l->loop_index[loop->stmt] = 0;
		vyrec_list_free(&loop->divergent);
	}
}

void lanes_end_branch(struct lanes *l, struct lanes_branches *b, bool falls)
{
	b->falling += falls;
	rewind_to(l, b->mark, falls ? &b->after : NULL);
}

/* One branch that goes on: its values. More: a local that any made divergent, and none back to the same. */
bool lanes_join(struct lanes *l, struct lanes_branches *b)
{
	for (uint32_t i = 0; i < b->after.count; i += 2)
		if (b->falling == 1 || b->after.items[i + 1])
			lanes_set(l, b->after.items[i], b->after.items[i + 1]);
	vyrec_list_free(&b->after);
	return b->falling > 0;
}

/* ---- control --------------------------------------------------------------------------------------------------------- */

uint32_t lanes_open_target(struct lanes *l, struct lanes_target target)
{
	l->targets = vyrec_grow(l->targets, &l->target_capacity, l->target_count + 1, sizeof *l->targets);
	l->targets[l->target_count] = target;
	return l->target_count++;
}

void lanes_meet(struct lanes *l, bool *gone)
{
	l->apart -= *gone;
	*gone = false;
}

void lanes_go(struct lanes *l, bool *gone)
{
	l->apart += !*gone;
	*gone = true;
}

void lanes_close_target(struct lanes *l)
{
	struct lanes_target *t = &l->targets[--l->target_count];
	lanes_meet(l, &t->left);
	lanes_meet(l, &t->skipped);
}

struct lanes_target *lanes_find_target(struct lanes *l, vyrec_local label)
{
	uint32_t i = l->target_count - 1;
	while (label ? l->targets[i].label != label : !l->targets[i].loop)
		i--; /* the other rules hold: it is there */
	return &l->targets[i];
}

struct lanes_target *lanes_find_body(struct lanes *l)
{
	uint32_t i = l->target_count - 1;
	while (!l->targets[i].body)
		i--;
	return &l->targets[i];
}

/* ---- turns of a loop --------------------------------------------------------------------------------------------------- */

static struct lanes_loop *loop_of(struct lanes *l, vyrec_stmt stmt)
{
	if (!l->loop_index[stmt]) {
		l->loops = vyrec_grow(l->loops, &l->loop_capacity, l->loop_count + 1, sizeof *l->loops);
		l->loops[l->loop_count] = (struct lanes_loop){.stmt = stmt};
		l->loop_index[stmt] = ++l->loop_count;
	}
	return &l->loops[l->loop_index[stmt] - 1];
}

void lanes_begin_turn(struct lanes *l, vyrec_stmt stmt)
{
	struct lanes_loop *loop = loop_of(l, stmt);
	for (uint32_t i = 0; i < loop->divergent.count; i++)
		lanes_set(l, loop->divergent.items[i], true);
	if (loop->left)
		lanes_go(l, &l->targets[l->target_count - 1].left);
}

/* Adds each local that was the same in all lanes at the mark, the start of the turn, and is not now. */
static bool learn(struct lanes *l, struct lanes_loop *loop, struct lanes_mark mark)
{
	uint32_t before = loop->divergent.count, join = ++l->joins;
	for (uint32_t i = mark.trail; i < l->trail_count; i++) {
		const struct lanes_change *c = &l->trail[i]; /* the first of a local tells what it was at the mark */
		if (l->seen[c->local] != join && !c->was && l->locals[c->local])
			vyrec_list_push(&loop->divergent, c->local);
		l->seen[c->local] = join;
	}
	return loop->divergent.count != before;
}

bool lanes_end_turn(struct lanes *l, vyrec_stmt stmt, struct lanes_mark mark, bool end, bool left)
{
	struct lanes_loop *loop = loop_of(l, stmt);
	bool found = end && learn(l, loop, mark);
	if (left)
		loop->left = found = true;
	if (found && ++loop->turns > MAX_TURNS)
		loop->left = true;
	return found;
}
