/* hoist.c - one check in front of a counted loop instead of one at each access in it.
 *
 * Enters: IR whose accesses have their policies. Leaves: for a loop with accesses at indices that move evenly with the
 * counter
 *
 *	let first = offset + from                                   the index in the first turn
 *	if u64(first) + u64(to - 1 - from) < u64(length(text)) {    the index in the last turn, in 64 bits: no wrap
 *		for i in from .. to { ... text[unchecked offset + i] ... }
 *	} else {
 *		region "checked" { for i in from .. to { ... text[offset + i] ... } }
 *	}
 *
 * Invariant: index arithmetic is u32 and wraps; index(i) = first + scale * (i - from) modulo 2^32 when the index is of
 * first degree in the counter. If first + scale * (to - 1 - from), computed without wrap, is below the length, then every
 * index is, and none wraps. A step is positive by its form (the verifier's rule), so the counter stays from `from` up to
 * `to - 1` whatever it is. If there is no turn (from >= to) either version does nothing. What the check reads does not
 * change in the loop, and has no effect. A length does not change while a program runs.
 *
 * Where the index is a sum of something that stands still and something that rises, both parts enter the check by
 * themselves: then the sum does not wrap either, and the unchecked version says so (policy UNCHECKED on the addition). A
 * backend can count the index in a wide register; the vector loop of a byte count is 67 instead of 71 bytes by it.
 *
 * The region's name keeps a loop from being versioned again when the pass runs twice. Loops that hold barriers,
 * collectives or suspension points are left alone: the check may differ from lane to lane.
 */
#include <stdlib.h>

#include "passes/hoist.h"

enum {
	MAX_CHECKS = 8,				/* in front of one loop */
	MAX_LOOP_NODES = 400,			/* of a loop that is written twice */
	MAX_INDEX_NODES = 48,			/* of an index, lets followed */
	MAX_MODULE_NODES = VYREC_MAX_NODES / 2, /* past it loops stay as they are: a version must not break the limit */
};
static const char MARK[] = "checked";

/* How an index moves with the counter. */
struct motion {
	bool even;  /* of degree at most 1 */
	bool moves; /* of degree 1 */
	bool known; /* scale is a number */
	uint32_t scale;
};

struct check {
	vyrec_array array;
	vyrec_expr index; /* as in the loop */
	struct motion motion;
};

struct hoister {
	struct vyrec_module *m;
	vyrec_name mark;
	vyrec_expr *value_of; /* by local: value of its let, whole module */
	uint32_t local_count; /* of value_of, inside, written: locals when the pass began */
	bool one_lane;	      /* op by lane: nothing needs to be uniform */
	bool changed;
	/* of the loop at hand */
	vyrec_local counter;
	bool *inside, *written; /* by local: declared, assigned in the loop */
	uint32_t nodes, budget;
	bool refused;
	struct check checks[MAX_CHECKS];
	uint32_t check_count;
	struct vyrec_list exprs, stmts; /* accesses that a check covers */
};

/* ---- what is in the loop --------------------------------------------------------------------------------------------- */

static void note_let(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct hoister *h = user;
	if (m->stmts[s].kind == VYREC_STMT_LET)
		h->value_of[m->stmts[s].local] = m->stmts[s].expr[0];
}

static void scan_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct hoister *h = user;
	const struct vyrec_stmt_node *n = &m->stmts[s];
	unsigned flags = vyrec_stmt_get_info(n->kind)->flags;
	h->nodes++;
	if (n->kind == VYREC_STMT_ASSIGN)
		h->written[n->local] = true;
	else if (n->kind != VYREC_STMT_BREAK)
		h->inside[n->local] = h->inside[n->local2] = true;
	if ((flags & (VYREC_IS_COLLECTIVE | VYREC_IS_SUSPEND)) || n->kind == VYREC_STMT_OPAQUE ||
	    (!h->one_lane && (n->kind == VYREC_STMT_RESULT || n->kind == VYREC_STMT_RETURN)) ||
	    (n->kind == VYREC_STMT_REGION && n->name == h->mark))
		h->refused = true;
}

static void scan_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct hoister *h = user;
	h->nodes++;
	h->refused |= m->exprs[e].kind == VYREC_EXPR_COLLECTIVE;
}

/* ---- how an index moves ---------------------------------------------------------------------------------------------- */

static struct motion motion_of(struct hoister *h, vyrec_expr e);

static struct motion motion_of_local(struct hoister *h, vyrec_local local)
{
	if (local == h->counter)
		return (struct motion){.even = true, .moves = true, .known = true, .scale = 1};
	if (local >= h->local_count)
		return (struct motion){0};
	if (h->inside[local])
		return h->value_of[local] ? motion_of(h, h->value_of[local]) : (struct motion){0};
	return (struct motion){.even = !h->written[local], .known = true};
}

/* Sum, difference, product and truncation are exact modulo 2^32; everything else must stand still. */
static struct motion motion_of_op(struct hoister *h, const struct vyrec_expr_node *n)
{
	struct motion a = n->arg[0] ? motion_of(h, n->arg[0]) : (struct motion){.even = true, .known = true};
	struct motion b = n->arg[1] ? motion_of(h, n->arg[1]) : (struct motion){.even = true, .known = true};
	struct motion c = n->arg[2] ? motion_of(h, n->arg[2]) : (struct motion){.even = true, .known = true};
	bool narrow = n->type == VYREC_U32 || n->type == VYREC_I32;
	uint64_t factor = 0;
	if (!a.even || !b.even || !c.even)
		return (struct motion){0};
	if (!a.moves && !b.moves && !c.moves)
		return (struct motion){.even = true, .known = true};
	switch (narrow ? n->code : VYREC_OP_NONE) {
	case VYREC_OP_add_i:
		return (struct motion){true, true, a.known && b.known, a.scale + b.scale};
	case VYREC_OP_sub_i:
		return (struct motion){true, true, a.known && b.known, a.scale - b.scale};
	case VYREC_OP_mul_i:
		if (a.moves && b.moves)
			return (struct motion){0};
		bool known = vyrec_expr_is_lit(h->m, n->arg[a.moves ? 1 : 0], &factor);
		return (struct motion){true, true, known && a.known && b.known, (a.scale + b.scale) * (uint32_t)factor};
	case VYREC_OP_shl:
		if (b.moves)
			return (struct motion){0};
		known = vyrec_expr_is_lit(h->m, n->arg[1], &factor);
		return (struct motion){true, true, known && a.known, a.scale << (factor & 31)};
	case VYREC_OP_to_u32_i:
	case VYREC_OP_to_i32_i:
		return a;
	default:
		return (struct motion){0};
	}
}

static struct motion motion_of(struct hoister *h, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &h->m->exprs[e];
	if (!h->budget)
		return (struct motion){0};
	h->budget--;
	switch (n->kind) {
	case VYREC_EXPR_LIT:
	case VYREC_EXPR_CONST:
	case VYREC_EXPR_BUILTIN:
		return (struct motion){.even = true, .known = true};
	case VYREC_EXPR_LENGTH: /* of an array declared in the loop: not visible in front of it */
		return (struct motion){.even = h->m->arrays[n->sym].class_ != VYREC_CLASS_LOCAL, .known = true};
	case VYREC_EXPR_LOCAL:
		return motion_of_local(h, n->sym);
	case VYREC_EXPR_OP:
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		return motion_of_op(h, n);
	default:
		return (struct motion){0};
	}
}

/* Is the index a sum that only rises, from parts that the check can look at one by one? */
static bool is_rising_sum(struct hoister *h, vyrec_expr index)
{
	const struct vyrec_expr_node *n = &h->m->exprs[index];
	if (n->kind != VYREC_EXPR_OP || n->code != VYREC_OP_add_i || n->type != VYREC_U32)
		return false;
	h->budget = MAX_INDEX_NODES;
	struct motion a = motion_of(h, n->arg[0]), b = motion_of(h, n->arg[1]);
	const struct motion *rising = a.moves ? &a : &b;
	return a.even && b.even && a.moves != b.moves && rising->known && rising->scale <= INT32_MAX;
}

/* ---- which accesses a check covers ----------------------------------------------------------------------------------- */

static bool is_checked(vyrec_policy policy)
{
	return policy == VYREC_POLICY_CHECKED || policy == VYREC_POLICY_CLAMP || policy == VYREC_POLICY_TRAP;
}

static bool add_check(struct hoister *h, vyrec_array array, vyrec_expr index)
{
	h->budget = MAX_INDEX_NODES;
	struct motion motion = motion_of(h, index);
	if (!motion.even)
		return false;
	for (uint32_t i = 0; i < h->check_count; i++)
		if (h->checks[i].array == array && vyrec_expr_equal(h->m, h->checks[i].index, index))
			return true;
	if (h->check_count == MAX_CHECKS)
		return false;
	h->checks[h->check_count++] = (struct check){array, index, motion};
	return true;
}

static void cover_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct hoister *h = user;
	const struct vyrec_expr_node *n = &m->exprs[e];
	if ((n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_ATOMIC) && is_checked(n->policy) &&
	    add_check(h, n->sym, n->arg[0]))
		vyrec_list_push(&h->exprs, e);
}

static void cover_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct hoister *h = user;
	const struct vyrec_stmt_node *n = &m->stmts[s];
	if (n->kind == VYREC_STMT_STORE && is_checked(n->policy) && add_check(h, n->array, n->expr[0]))
		vyrec_list_push(&h->stmts, s);
}

/* ---- writing the check ----------------------------------------------------------------------------------------------- */

/* The index with another local in place of the counter, and the lets of the loop written out. */
static vyrec_expr index_at(struct hoister *h, vyrec_expr e, vyrec_local place)
{
	struct vyrec_expr_node n = h->m->exprs[e];
	if (n.kind == VYREC_EXPR_LOCAL && n.sym == h->counter)
		return vyrec_make_get(h->m, place, n.loc);
	if (n.kind == VYREC_EXPR_LOCAL && n.sym < h->local_count && h->inside[n.sym])
		return index_at(h, h->value_of[n.sym], place);
	for (unsigned i = 0; i < 3; i++)
		if (n.arg[i])
			n.arg[i] = index_at(h, n.arg[i], place);
	return vyrec_add_expr(h->m, &n);
}

static vyrec_expr make_add(struct vyrec_module *m, vyrec_expr a, vyrec_expr b)
{
	return vyrec_make_op(m, VYREC_OP_add_i, a, b, 0);
}

static vyrec_expr make_sub(struct vyrec_module *m, vyrec_expr a, vyrec_expr b)
{
	return vyrec_make_op(m, VYREC_OP_sub_i, a, b, 0);
}

static vyrec_expr widen(struct vyrec_module *m, vyrec_expr a)
{
	return vyrec_make_op(m, VYREC_OP_to_u64_u, a, 0, 0);
}

/* Where the loop begins and ends, as lets in front of it. */
struct edges {
	vyrec_local from, next, last, span; /* from, from + 1, to - 1, to - 1 - from */
};

static vyrec_expr make_check(struct hoister *h, const struct check *check, const struct edges *edges)
{
	struct vyrec_module *m = h->m;
	vyrec_loc loc = m->exprs[check->index].loc;
	bool falls = check->motion.known && check->motion.scale > INT32_MAX; /* greatest in the last turn */
	vyrec_expr low = index_at(h, check->index, falls ? edges->last : edges->from);
	vyrec_expr length = m->arrays[check->array].class_ < VYREC_CLASS_SHARED
				? vyrec_make_length(m, check->array, loc)
				: vyrec_make_u32(m, m->arrays[check->array].count, loc);
	if (!check->motion.moves)
		return vyrec_make_op(m, VYREC_OP_lt_u, low, length, 0);
	vyrec_expr way = widen(m, vyrec_make_get(m, edges->span, loc)), scale;
	if (check->motion.known) {
		scale = vyrec_make_lit(m, VYREC_U64, falls ? 0 - check->motion.scale : check->motion.scale, loc);
	} else { /* the step of the index is the same everywhere: that from one turn to the next */
		vyrec_expr next = index_at(h, check->index, edges->next);
		scale = widen(m, make_sub(m, next, index_at(h, check->index, edges->from)));
	}
	if (!check->motion.known || check->motion.scale != 1)
		way = vyrec_make_op(m, VYREC_OP_mul_i, way, scale, 0);
	vyrec_expr start = widen(m, low);
	if (is_rising_sum(h, check->index)) {
		vyrec_expr left = widen(m, index_at(h, m->exprs[check->index].arg[0], edges->from));
		start = make_add(m, left, widen(m, index_at(h, m->exprs[check->index].arg[1], edges->from)));
	}
	return vyrec_make_op(m, VYREC_OP_lt_u, make_add(m, start, way), widen(m, length), 0);
}

/* The bounds of the loop become lets; the loop reads those. */
static struct edges bind_edges(struct hoister *h, vyrec_stmt loop, struct vyrec_list *out)
{
	struct vyrec_module *m = h->m;
	vyrec_loc loc = m->stmts[loop].loc;
	struct edges edges;
	edges.from = vyrec_make_let(m, out, "from", m->stmts[loop].expr[0]);
	vyrec_local to = vyrec_make_let(m, out, "to", m->stmts[loop].expr[1]);
	m->stmts[loop].expr[0] = vyrec_make_get(m, edges.from, loc);
	m->stmts[loop].expr[1] = vyrec_make_get(m, to, loc);
	vyrec_expr one = vyrec_make_u32(m, 1, loc);
	edges.next = vyrec_make_let(m, out, "next", make_add(m, vyrec_make_get(m, edges.from, loc), one));
	one = vyrec_make_u32(m, 1, loc);
	edges.last = vyrec_make_let(m, out, "last", make_sub(m, vyrec_make_get(m, to, loc), one));
	vyrec_expr last = vyrec_make_get(m, edges.last, loc);
	edges.span = vyrec_make_let(m, out, "span", make_sub(m, last, vyrec_make_get(m, edges.from, loc)));
	return edges;
}

/* Puts UNCHECKED where `policy` points, and remembers what was there. */
static void uncheck(uint8_t *policy, struct vyrec_list *before)
{
	vyrec_list_push(before, *policy);
	*policy = VYREC_POLICY_UNCHECKED;
}

/* Covered accesses, and their indices that do not wrap, with the policies that `before` holds, or UNCHECKED. */
static void set_policies(struct hoister *h, struct vyrec_list *before, bool restore)
{
	struct vyrec_module *m = h->m;
	uint32_t at = 0;
	for (uint32_t i = 0; i < h->exprs.count + h->stmts.count; i++) {
		bool is_expr = i < h->exprs.count;
		uint32_t node = is_expr ? h->exprs.items[i] : h->stmts.items[i - h->exprs.count];
		vyrec_expr index = is_expr ? m->exprs[node].arg[0] : m->stmts[node].expr[0];
		uint8_t *places[2] = {is_expr ? &m->exprs[node].policy : &m->stmts[node].policy,
				      is_rising_sum(h, index) ? &m->exprs[index].policy : NULL};
		for (unsigned k = 0; k < 2; k++) {
			if (places[k] && restore)
				*places[k] = (uint8_t)before->items[at++];
			else if (places[k])
				uncheck(places[k], before);
		}
	}
}

/* A copy of the loop whose covered accesses are unchecked. */
static vyrec_block clone_unchecked(struct hoister *h, vyrec_stmt loop)
{
	struct vyrec_list before = {0};
	set_policies(h, &before, false);
	vyrec_block fast = vyrec_clone_block(h->m, vyrec_add_block(h->m, &loop, 1), NULL);
	set_policies(h, &before, true);
	vyrec_list_free(&before);
	return fast;
}

static void write_versions(struct hoister *h, vyrec_stmt loop, struct vyrec_list *out)
{
	struct vyrec_module *m = h->m;
	vyrec_loc loc = m->stmts[loop].loc;
	vyrec_block fast = 0;
	struct edges edges = bind_edges(h, loop, out);
	vyrec_expr all = 0;
	for (uint32_t i = 0; i < h->check_count; i++) {
		vyrec_expr check = make_check(h, &h->checks[i], &edges);
		all = all ? vyrec_make_op(m, VYREC_OP_and_b, all, check, 0) : check;
	}
	fast = clone_unchecked(h, loop);
	vyrec_stmt region = vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){
		   .kind = VYREC_STMT_REGION, .name = h->mark, .body = {vyrec_add_block(m, &loop, 1)}, .loc = loc});
	vyrec_list_push(out, vyrec_make_if(m, all, fast, vyrec_add_block(m, &region, 1)));
	h->changed = true;
}

/* Pushes the loop in two versions if that helps; false: nothing was pushed. */
static bool version_loop(struct hoister *h, vyrec_stmt loop, struct vyrec_list *out)
{
	struct vyrec_module *m = h->m;
	const struct vyrec_stmt_node *n = &m->stmts[loop];
	struct vyrec_walker scan = {.stmt = scan_stmt, .expr = scan_expr, .user = h};
	struct vyrec_walker cover = {.stmt = cover_stmt, .expr = cover_expr, .user = h};
	bool done = false;
	if (n->local >= h->local_count || m->locals[n->local].type != VYREC_U32)
		return false;
	h->counter = n->local;
	h->inside = vyrec_alloc(m->local_count * sizeof *h->inside);
	h->written = vyrec_alloc(m->local_count * sizeof *h->written);
	h->nodes = h->check_count = 0;
	h->refused = false;
	vyrec_walk_block(m, n->body[0], &scan);
	if (!h->refused && h->nodes <= MAX_LOOP_NODES && m->expr_count + m->stmt_count < MAX_MODULE_NODES) {
		vyrec_walk_block(m, n->body[0], &cover);
		done = h->check_count;
		if (done)
			write_versions(h, loop, out);
	}
	free(h->inside);
	free(h->written);
	vyrec_list_free(&h->exprs);
	vyrec_list_free(&h->stmts);
	return done;
}

/* Returns true if a loop under the block has two versions: the loops around it then have one. */
static bool hoist_block(struct hoister *h, vyrec_block block)
{
	struct vyrec_module *m = h->m;
	struct vyrec_list out = {0};
	bool any = false, here = false;
	for (uint32_t i = 0; i < m->blocks[block].count; i++) {
		vyrec_stmt s = vyrec_block_stmt(m, block, i);
		vyrec_block child;
		bool below = m->stmts[s].kind == VYREC_STMT_REGION && m->stmts[s].name == h->mark;
		for (uint32_t k = 0; !below && (child = vyrec_child_block(m, s, &k));)
			below |= hoist_block(h, child);
		if (!below && m->stmts[s].kind == VYREC_STMT_FOR && version_loop(h, s, &out))
			below = here = true;
		else
			vyrec_list_push(&out, s);
		any |= below;
	}
	if (here)
		vyrec_take_list(m, block, &out);
	else
		vyrec_list_free(&out);
	return any;
}

bool vyrec_hoist_checks(struct vyrec_module *m)
{
	struct hoister h = {.m = m, .mark = vyrec_intern_z(m, MARK), .local_count = m->local_count};
	struct vyrec_walker lets = {.stmt = note_let, .user = &h};
	struct vyrec_body body = {0};
	h.value_of = vyrec_alloc(h.local_count * sizeof *h.value_of);
	while (vyrec_next_body(m, &body))
		vyrec_walk_block(m, body.block, &lets);
	body = (struct vyrec_body){0};
	while (vyrec_next_body(m, &body)) {
		h.one_lane = body.handler && m->handlers[body.handler].granularity == VYRE_BY_LANE;
		hoist_block(&h, body.block);
	}
	free(h.value_of);
	return h.changed;
}
