/* mega.c - megakernel assembly: a set of handlers and a feed become one program in our own IR.
 *
 * Enters: a module whose calls are inlined, accesses have policies and handlers fit the target's lanes. Leaves: every
 * set is a PROGRAM of the same name, with unit->feed and unit->features set: the feed's scheduler (a template put
 * together from *.vyre by parts.c, brought in by import.c) whose switch over opcodes (switch.c) holds every handler. So
 * interpreter and every backend run the same scheduler.
 *
 * The scheduler is text in our own language and not C that builds nodes: it is read far more often than it is built,
 * and parsing it costs well under a millisecond.
 */
#include <stdio.h>
#include <string.h>

#include "passes/mega/mega.h"
#include "runtime/abi/mailbox.h"

enum {
	FERRY_LANES = 128,	     /* most: a worker is one lane of its workgroup, and the ferry carries with all */
	MAILBOX_ROWS = 256,	     /* most slots of a batch: 17 KiB, and more make no batch faster */
	MAILBOX_SHARED_BYTES = 2048, /* of mailbox*.vyre without what grows with the rows, and what aligns it */
};

/* ---- what a set needs --------------------------------------------------------------------------------------------------- */

static void see_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	unsigned *features = user, kind = m->stmts[s].kind;
	if (vyrec_stmt_get_info(kind)->flags & VYREC_IS_SUSPEND)
		*features |= VYRE_HAS_SUSPEND;
	if (kind == VYREC_STMT_LOAD)
		*features |= VYRE_HAS_IO;
	if (kind == VYREC_STMT_SPAWN)
		*features |= VYRE_HAS_SPAWN;
}

unsigned vyrec_mega_asks(struct vyrec_module *m, vyrec_handler handler)
{
	unsigned features = 0;
	const struct vyrec_walker walker = {see_stmt, NULL, &features};
	vyrec_walk_block(m, m->handlers[handler].body, &walker);
	return features;
}

vyrec_handler vyrec_mega_next_handler(const struct vyrec_mega *g, uint32_t *at)
{
	const struct vyrec_unit_node *set = &g->m->units[g->set];
	while (*at < set->item_count) {
		const uint32_t *item = &g->m->refs[set->items + 2 * (*at)++];
		if (item[0] == VYREC_ITEM_HANDLER)
			return item[1];
	}
	return 0;
}

/* What the options ask for, what the handlers contain, and the buffers that follow from it. */
static unsigned find_features(const struct vyrec_mega *g, unsigned asked)
{
	const unsigned suspending = VYRE_HAS_SUSPEND | VYRE_HAS_SPAWN | VYRE_HAS_IO, feed = g->shape.feed;
	unsigned features = asked;
	vyrec_handler handler;
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));)
		features |= vyrec_mega_asks(g->m, handler);
	if ((features & suspending) || feed == VYRE_FEED_PRIORITY || feed == VYRE_FEED_TASKS ||
	    (feed == VYRE_FEED_LIVE && (features & VYRE_HAS_BUILTINS)))
		features |= VYRE_HAS_RECORDS;
	if (feed == VYRE_FEED_LIVE && (features & VYRE_HAS_RECORDS))
		features |= VYRE_HAS_QUEUE;
	return features;
}

bool vyrec_set_has_queue(struct vyrec_module *m, vyrec_unit set, const struct vyrec_pass_options *options)
{
	struct vyrec_mega g = {.m = m, .set = set, .shape = {.feed = options->feed ? options->feed : VYRE_FEED_LIVE}};
	return m->units[set].kind == VYRE_UNIT_SET && (find_features(&g, options->features) & VYRE_HAS_QUEUE);
}

/* The table of DFA_STEP: a buffer of that name with words in it. */
static vyrec_array find_dfa_table(const struct vyrec_module *m, vyrec_unit set)
{
	vyrec_array table = vyrec_unit_buffer(m, set, "dfa_table");
	return table && m->arrays[table].element == VYREC_U32 ? table : 0;
}

/* An op by workgroup(N) has N lanes; two that differ are check.c's to refuse. */
static unsigned choose_lanes(const struct vyrec_mega *g, const struct vyrec_pass_options *options)
{
	unsigned lanes = options->lanes ? options->lanes : 1;
	vyrec_handler handler;
	if (options->one_lane || (g->shape.feed == VYRE_FEED_LIVE && !g->shape.mailbox))
		return 1;
	if (vyrec_mega_has_ferry(&g->shape))
		return lanes < FERRY_LANES ? lanes : FERRY_LANES;
	for (uint32_t at = 0; g->shape.mailbox && (handler = vyrec_mega_next_handler(g, &at));)
		if (vyrec_mega_is_by_workgroup(g->m, handler) && g->m->handlers[handler].width)
			lanes = g->m->handlers[handler].width;
	return lanes;
}

/* Rows of a mailbox's batch: one a lane, but never more than fit into shared memory beside the arrays of the ops. */
static void choose_rows(struct vyrec_mega *g)
{
	uint64_t used = MAILBOX_SHARED_BYTES;
	vyrec_handler handler;
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));) {
		const struct vyrec_handler_node *h = &g->m->handlers[handler];
		g->shape.wide |= g->shape.mailbox && vyrec_mega_is_by_workgroup(g->m, handler);
		for (uint32_t k = 0; k < h->shared_count; k++) {
			const struct vyrec_array_node *a = &g->m->arrays[g->m->refs[h->shared + k]];
			used += (uint64_t)a->count * vyrec_type_bytes(a->element) + sizeof(uint64_t);
		}
	}
	g->shape.rows = g->shape.lanes < MAILBOX_ROWS ? g->shape.lanes : MAILBOX_ROWS;
	while (g->shape.rows > 1 &&
	       used + (uint64_t)g->shape.rows * (VYREC_MEGA_ROW_WORDS + 1) * sizeof(uint32_t) > VYREC_MAX_SHARED_BYTES)
		g->shape.rows /= 2;
}

/* ---- set and template become one ------------------------------------------------------------------------------------------- */

/* An op's shared arrays become the program's. Ops may use the same names, so each gets its op's name in front. */
static void push_shared(struct vyrec_module *m, vyrec_handler handler, struct vyrec_list *items)
{
	const struct vyrec_handler_node h = m->handlers[handler];
	for (uint32_t k = 0; k < h.shared_count; k++) {
		char name[VYREC_MAX_NAME_BYTES - 8]; /* room for what makes it fresh */
		vyrec_array array = m->refs[h.shared + k];
		snprintf(name, sizeof name, "%s_%s", vyrec_name_text(m, h.name),
			 vyrec_name_text(m, m->arrays[array].name));
		m->arrays[array].name = vyrec_fresh_name(m, name);
		vyrec_list_push(items, VYREC_ITEM_SHARED);
		vyrec_list_push(items, array);
	}
}

/* A shape with a number of slots says how much its buffers hold at least; without one that is known at run time. */
static void declare_counts(struct vyrec_module *m, vyrec_unit unit, uint32_t slots)
{
	const struct {
		const char *name;
		uint32_t words;
	} counts[] = {{"control", VYRE_CONTROL_MIN_WORDS},
		      {"ring_buffer", slots * VYRE_SLOT_WORDS},
		      {"debug_log", VYRE_DEBUG_WORDS},
		      {"io_queue", VYRE_IO_WORDS}};
	for (size_t i = 0; slots && i < sizeof counts / sizeof *counts; i++)
		m->arrays[vyrec_unit_buffer(m, unit, counts[i].name)].count = counts[i].words;
}

void vyrec_mega_take_place(struct vyrec_module *m, vyrec_unit set, vyrec_unit shell, struct vyrec_list *items)
{
	struct vyrec_unit_node *to = &m->units[set];
	const struct vyrec_unit_node *from = &m->units[shell];
	to->kind = VYRE_UNIT_PROGRAM;
	memcpy(to->workgroup, from->workgroup, sizeof to->workgroup);
	to->body = from->body;
	to->items = vyrec_add_refs(m, items->items, items->count);
	to->item_count = items->count / 2;
	m->unit_count--;
	vyrec_list_free(items);
}

/* The buffers of a mailbox stand behind all others: they are no part of the unit's table in a blob. */
static bool is_mailbox_buffer(const struct vyrec_module *m, const uint32_t *item)
{
	static const char *const names[] = {
#define X(name, text, meaning) text,
	    VYRE_MAILBOX_BUFFER_LIST(X)
#undef X
	};
	for (size_t i = 0; item[0] == VYREC_ITEM_BUFFER && i < sizeof names / sizeof *names; i++)
		if (!strcmp(vyrec_name_text(m, m->arrays[item[1]].name), names[i]))
			return true;
	return false;
}

/* The set takes the template's place: its buffers after the feed's, its shared arrays, the template's body. */
static void merge_units(struct vyrec_mega *g)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list items = {0}, last = {0};
	const vyrec_unit from[2] = {g->shell, g->set};
	for (unsigned u = 0; u < 2; u++) {
		const struct vyrec_unit_node *unit = &m->units[from[u]];
		for (uint32_t i = 0; i < unit->item_count; i++) {
			const uint32_t *item = &m->refs[unit->items + 2 * i];
			if (is_mailbox_buffer(m, item)) {
				vyrec_list_push(&last, item[0]);
				vyrec_list_push(&last, item[1]);
				continue;
			}
			if (item[0] == VYREC_ITEM_SHARED)
				m->arrays[item[1]].name =
				    vyrec_fresh_name(m, vyrec_name_text(m, m->arrays[item[1]].name));
			if (item[0] == VYREC_ITEM_BUFFER || item[0] == VYREC_ITEM_SHARED) {
				vyrec_list_push(&items, item[0]);
				vyrec_list_push(&items, item[1]);
			} else if (item[0] == VYREC_ITEM_HANDLER) {
				push_shared(m, item[1], &items);
			}
		}
	}
	for (uint32_t i = 0; i < last.count; i++)
		vyrec_list_push(&items, last.items[i]);
	vyrec_list_free(&last);
	/* The fns stay until their calls are inlined. */
	for (uint32_t i = 0; i < m->units[g->shell].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[g->shell].items + 2 * i];
		if (item[0] != VYREC_ITEM_FN)
			continue;
		m->fns[item[1]].unit = g->set;
		vyrec_list_push(&items, VYREC_ITEM_FN);
		vyrec_list_push(&items, item[1]);
	}
	vyrec_mega_take_place(m, g->set, g->shell, &items);
	m->units[g->set].feed = (uint8_t)g->shape.feed;
	m->units[g->set].features = g->shape.features;
	m->units[g->set].frame_words = g->shape.frame_words;
	declare_counts(m, g->set, g->slots);
}

static void drop_fns(struct vyrec_module *m, vyrec_unit unit)
{
	struct vyrec_unit_node *u = &m->units[unit];
	uint32_t kept = 0;
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t *item = &m->refs[u->items + 2 * i];
		if (item[0] == VYREC_ITEM_FN)
			continue;
		m->refs[u->items + 2 * kept] = item[0];
		m->refs[u->items + 2 * kept + 1] = item[1];
		kept++;
	}
	u->item_count = kept;
}

/* FRAME_NEED in the template: what the handlers keep is known when they are split. It is the only const
 * that is left in it. */
static void settle_frame_need(struct vyrec_mega *g)
{
	if (g->shape.frame_words <= vyrec_mega_inline_words(&g->shape)) /* they lie in the record */
		g->shape.frame_words = 0;
	for (vyrec_expr e = g->exprs + 1; e < g->exprs + g->template->expr_count; e++)
		if (g->m->exprs[e].kind == VYREC_EXPR_CONST)
			g->m->exprs[e] = (struct vyrec_expr_node){
			    .kind = VYREC_EXPR_LIT, .type = VYREC_U32, .imm = g->shape.frame_words};
}

/* ---- the pass ---------------------------------------------------------------------------------------------------------------- */

static bool assemble(struct vyrec_module *m, vyrec_unit set, const struct vyrec_pass_options *options,
		     struct vyrec_diags *diags)
{
	struct vyrec_mega g = {.m = m, .diags = diags, .set = set};
	if (options->feed == VYRE_FEED_FIXPOINT)
		return vyrec_mega_fixpoint(m, set, options, diags);
	g.shape.name = vyrec_name_text(m, m->units[set].name);
	g.shape.feed = options->feed ? options->feed : VYRE_FEED_LIVE;
	g.shape.features = find_features(&g, options->features);
	g.shape.mailbox = options->mailbox && g.shape.feed == VYRE_FEED_LIVE;
	g.shape.lanes = choose_lanes(&g, options);
	choose_rows(&g);
	g.shape.points = VYREC_POINT_MISS;
	g.slots = g.shape.feed == VYRE_FEED_LIVE ? 0 : options->slots;
	g.dfa_table = find_dfa_table(m, set);
	if (vyrec_mega_check(&g) && vyrec_mega_import(&g)) {
		vyrec_mega_switch(&g);
		settle_frame_need(&g);
		vyrec_mega_workspace(&g);
		merge_units(&g);
	} else {
		g.failed = true;
	}
	if (g.template)
		vyrec_module_destroy(g.template);
	return !g.failed;
}

bool vyrec_pass_mega(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	bool changed = false;
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
		if (m->units[unit].kind != VYRE_UNIT_SET)
			continue;
		changed = true;
		if (!assemble(m, unit, options, diags))
			return true;
	}
	if (changed) {
		vyrec_pass_inline(m, options, diags);
		for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
			if (m->units[unit].feed)
				drop_fns(m, unit);
	}
	return changed;
}
