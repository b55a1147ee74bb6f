/* mega.c - megakernel assembly: a set of handlers and a feed become one program in our own IR.
 *
 * Enters: a module whose calls are inlined, accesses have policies and handlers fit the target's lanes. Leaves: every
 * set is a PROGRAM of the same name, with unit->feed and unit->features set: the feed's scheduler (a template put
 * together from *.vyre by parts.c) whose switch over opcodes holds every handler (case.c). So
 * interpreter and every backend run the same scheduler.
 *
 * The scheduler is text in our own language and not C that builds nodes: it is read far more often than it is built,
 * and parsing it costs well under a millisecond.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "passes/mega/mega.h"
#include "runtime/abi/mailbox.h"

enum {
	FERRY_LANES = 32,	     /* most: a worker is one lane of its workgroup, and the ferry carries with all */
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
	const struct vyrec_walker walker = {see_stmt, NULL, &features};
	vyrec_handler handler;
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));)
		vyrec_walk_block(g->m, g->m->handlers[handler].body, &walker);
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

/* ---- the template ---------------------------------------------------------------------------------------------------------- */

/* A let or var of a name that is asked for occurs once in the template; parameters may be called the same. */
static vyrec_local find_local(const struct vyrec_mega *g, const char *name, vyrec_local_kind kind)
{
	const struct vyrec_module *t = g->template;
	for (vyrec_local i = 1; i < t->local_count; i++)
		if (t->locals[i].kind == kind && !strcmp(vyrec_name_text(t, t->locals[i].name), name))
			return g->locals + i;
	return 0;
}

/* In the template's own numbers. */
static vyrec_fn find_fn(const struct vyrec_mega *g, const char *name)
{
	const struct vyrec_module *t = g->template;
	for (vyrec_fn i = 1; i < t->fn_count; i++)
		if (!strcmp(vyrec_name_text(t, t->fns[i].name), name))
			return i;
	return 0;
}

/* The parameter of that name; 0: there is no such fn, or it has none. Other fns have parameters of the same name. */
static vyrec_local find_param(const struct vyrec_mega *g, const char *fn, const char *name)
{
	const struct vyrec_module *t = g->template;
	const struct vyrec_fn_node *f = &t->fns[find_fn(g, fn)];
	for (uint32_t i = 0; i < f->param_count; i++)
		if (!strcmp(vyrec_name_text(t, t->locals[t->refs[f->params + i]].name), name))
			return g->locals + t->refs[f->params + i];
	return 0;
}

static vyrec_array find_array(const struct vyrec_mega *g, const char *name)
{
	const struct vyrec_module *t = g->template;
	for (vyrec_array i = 1; i < t->array_count; i++)
		if (!strcmp(vyrec_name_text(t, t->arrays[i].name), name))
			return g->arrays + i;
	return 0;
}

/* opaque "name" */
static vyrec_stmt find_marker(const struct vyrec_mega *g, const char *name)
{
	const struct vyrec_module *t = g->template;
	for (vyrec_stmt s = 1; s < t->stmt_count; s++)
		if (t->stmts[s].kind == VYREC_STMT_OPAQUE && !strcmp(vyrec_name_text(t, t->stmts[s].name), name))
			return g->stmts + s;
	return 0;
}

static void find_places(struct vyrec_mega *g)
{
	g->run = (struct vyrec_mega_site){.marker = find_marker(g, "handlers"),
					  .slot = find_param(g, "run_row", "row"),
					  .slot_index = find_local(g, "slot_place", VYREC_LOCAL_LET),
					  .opcode = find_local(g, "slot_opcode", VYREC_LOCAL_LET),
					  .tenant = find_local(g, "slot_tenant", VYREC_LOCAL_LET),
					  .priority = find_local(g, "slot_priority", VYREC_LOCAL_LET)};
	g->wide = (struct vyrec_mega_site){.marker = find_marker(g, "wide handlers"),
					   .slot = find_local(g, "wide_row", VYREC_LOCAL_LET),
					   .slot_index = find_local(g, "wide_place", VYREC_LOCAL_LET),
					   .opcode = find_local(g, "wide_opcode", VYREC_LOCAL_LET),
					   .tenant = find_local(g, "wide_tenant", VYREC_LOCAL_LET),
					   .priority = find_local(g, "wide_priority", VYREC_LOCAL_LET)};
	g->packed = (struct vyrec_mega_site){.marker = find_marker(g, "packed handlers"),
					     .slot = find_local(g, "packed_slot", VYREC_LOCAL_LET),
					     .slot_index = find_local(g, "packed_slot", VYREC_LOCAL_LET),
					     .opcode = find_local(g, "packed_opcode", VYREC_LOCAL_VAR),
					     .tenant = find_local(g, "packed_tenant", VYREC_LOCAL_LET),
					     .priority = find_local(g, "packed_priority", VYREC_LOCAL_LET)};
	if (!g->shape.mailbox || vyrec_mega_has_ferry(&g->shape)) /* a slot is called by its place */
		g->run.slot = g->run.slot_index = find_param(g, "run_claimed", "slot_index");
	g->packed_known = (struct vyrec_mega_question){find_marker(g, "packed opcodes"), g->packed.opcode,
						       find_local(g, "packed_is_known", VYREC_LOCAL_VAR)};
	g->is_wide = (struct vyrec_mega_question){find_marker(g, "wide opcodes"), find_param(g, "is_wide", "wide_code"),
						  find_local(g, "opcode_is_wide", VYREC_LOCAL_VAR)};
	g->is_short =
	    (struct vyrec_mega_question){find_marker(g, "short opcodes"), find_param(g, "is_short", "short_code"),
					 find_local(g, "opcode_is_short", VYREC_LOCAL_VAR)};
	g->workspace_bootstrap = find_marker(g, "workspace bootstrap");
	g->workspace_round = find_marker(g, "workspace round");
	g->packed_args = find_array(g, "packed_args");
#define X(name) g->name = find_local(g, #name, VYREC_LOCAL_VAR);
	VYREC_MEGA_LOCALS(X)
#undef X
#define X(name) g->name = find_fn(g, #name) ? g->fns + find_fn(g, #name) : 0;
	VYREC_MEGA_FNS(X)
#undef X
}

/* What stands in the set may not have the name of a buffer of the template. A buffer is an interface: an error. A local
 * is not: another name. The template's own locals get fresh names at the import; its local and shared arrays here. */
static bool part_names(struct vyrec_mega *g)
{
	struct vyrec_module *m = g->m, *t = g->template;
	for (vyrec_array a = 1; a < t->array_count; a++) {
		const char *name = vyrec_name_text(t, t->arrays[a].name);
		if (t->arrays[a].class_ == VYREC_CLASS_LOCAL || t->arrays[a].class_ == VYREC_CLASS_SHARED) {
			t->arrays[a].name = vyrec_intern_z(t, vyrec_name_text(m, vyrec_fresh_name(m, name)));
			continue;
		}
		for (vyrec_local i = 1; i < m->local_count; i++)
			if (!strcmp(vyrec_name_text(m, m->locals[i].name), name))
				m->locals[i].name = vyrec_fresh_name(m, name);
		for (vyrec_array i = 1; i < m->array_count; i++)
			if (m->arrays[i].class_ == VYREC_CLASS_LOCAL &&
			    !strcmp(vyrec_name_text(m, m->arrays[i].name), name))
				m->arrays[i].name = vyrec_fresh_name(m, name);
		for (uint32_t i = 0; i < m->units[g->set].item_count; i++) {
			const uint32_t *item = &m->refs[m->units[g->set].items + 2 * i];
			if (item[0] != VYREC_ITEM_BUFFER || strcmp(vyrec_name_text(m, m->arrays[item[1]].name), name))
				continue;
			vyrec_diags_add(g->diags, VYREC_ERROR, "", m->arrays[item[1]].loc,
					"buffer `%s` has the name of a buffer of the scheduler of this set; choose "
					"another one",
					name);
			return false;
		}
	}
	return true;
}

static bool import_template(struct vyrec_mega *g)
{
	struct vyrec_module *m = g->m;
	g->template = vyrec_mega_template(&g->shape, g->diags);
	if (!g->template)
		return false;
	g->exprs = m->expr_count - 1;
	g->locals = m->local_count - 1;
	g->fns = m->fn_count - 1;
	g->stmts = m->stmt_count - 1;
	g->arrays = m->array_count - 1;
	find_places(g);
	if (!part_names(g))
		return false;
	g->shell = vyrec_module_import(m, g->template);
	return true;
}

/* ---- the switch over opcodes -------------------------------------------------------------------------------------------------- */

/* The fn of a built-in op, in the template's numbers: builtin_<name in lower case>. */
static vyrec_fn builtin_fn(const struct vyrec_mega *g, const char *opcode_name)
{
	char name[64];
	int at = snprintf(name, sizeof name, "builtin_%s", opcode_name);
	for (int i = 0; i < at; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return find_fn(g, name);
}

/* May an op stand inside a packed slot? It has one byte of opcode and nobody to go on with it. */
static bool is_packable(struct vyrec_module *m, vyrec_handler handler)
{
	unsigned features = 0;
	const struct vyrec_walker walker = {see_stmt, NULL, &features};
	vyrec_walk_block(m, m->handlers[handler].body, &walker);
	return m->handlers[handler].opcode <= 255 && !features;
}

static void push_case(struct vyrec_list *pairs, uint32_t opcode, vyrec_block block)
{
	vyrec_list_push(pairs, opcode);
	vyrec_list_push(pairs, block);
}

/* Does it run from start to end without going round or waiting for anyone? */
static void see_long(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	unsigned kind = m->stmts[s].kind;
	*(bool *)user |= kind == VYREC_STMT_FOR || kind == VYREC_STMT_LOOP || kind == VYREC_STMT_BARRIER ||
			 kind == VYREC_STMT_ASYNC_LOAD || kind == VYREC_STMT_ASYNC_STORE;
}

static bool is_by_workgroup(struct vyrec_module *m, vyrec_handler handler)
{
	return m->handlers[handler].granularity == VYRE_BY_WORKGROUP;
}

static bool is_straight(struct vyrec_module *m, vyrec_handler handler)
{
	bool is_long = is_by_workgroup(m, handler);
	const struct vyrec_walker walker = {see_long, NULL, &is_long};
	vyrec_walk_block(m, m->handlers[handler].body, &walker);
	return !is_long;
}

static void set_switch(struct vyrec_mega *g, vyrec_stmt marker, vyrec_local over, struct vyrec_list *pairs,
		       vyrec_block otherwise)
{
	g->m->stmts[marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_SWITCH,
						       .expr = {vyrec_make_get(g->m, over, 0)},
						       .list = vyrec_add_refs(g->m, pairs->items, pairs->count),
						       .count = pairs->count / 2,
						       .body = {otherwise}};
	vyrec_list_free(pairs);
}

/* The table of DFA_STEP: a buffer of that name with words in it. */
static vyrec_array find_dfa_table(const struct vyrec_module *m, vyrec_unit set)
{
	vyrec_array table = vyrec_unit_buffer(m, set, "dfa_table");
	return table && m->arrays[table].element == VYREC_U32 ? table : 0;
}

static void push_builtins(struct vyrec_mega *g, const struct vyrec_mega_site *site, struct vyrec_list *pairs)
{
	static const struct {
		const char *name;
		uint32_t value;
	} opcodes[] = {
#define X(name, value) {#name, value},
	    VYRE_OPCODE_LIST(X)
#undef X
	};
	for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
		vyrec_fn fn = builtin_fn(g, opcodes[i].name);
		if (opcodes[i].value == VYRE_OPCODE_DFA_STEP && !g->dfa_table)
			continue;
		/* One that may stop has no place in a packed slot, nor has one whose opcode is no byte. */
		if (fn && (site == &g->run || (opcodes[i].value <= 255 && !g->template->fns[fn].result)))
			push_case(pairs, opcodes[i].value, vyrec_mega_builtin_case(g, site, fn));
	}
}

/* A case of a question's switch: it is true of this opcode. */
static void push_yes(struct vyrec_mega *g, const struct vyrec_mega_question *q, struct vyrec_list *pairs,
		     uint32_t opcode)
{
	vyrec_stmt yes = vyrec_make_assign(g->m, q->flag, vyrec_make_lit(g->m, VYREC_BOOL, 1, 0));
	push_case(pairs, opcode, vyrec_add_block(g->m, &yes, 1));
}

/* True for every opcode of these pairs. */
static void splice_known(struct vyrec_mega *g, const struct vyrec_list *packed)
{
	struct vyrec_list pairs = {0};
	for (uint32_t i = 0; i < packed->count; i += 2)
		push_yes(g, &g->packed_known, &pairs, packed->items[i]);
	set_switch(g, g->packed_known.marker, g->packed_known.over, &pairs, 0);
}

/* True for every opcode whose handler is one of these; where the template asks. */
static void splice_question(struct vyrec_mega *g, const struct vyrec_mega_question *q,
			    bool (*is)(struct vyrec_module *m, vyrec_handler handler))
{
	struct vyrec_list pairs = {0};
	vyrec_handler handler;
	if (!q->marker)
		return;
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));)
		if (is(g->m, handler))
			push_yes(g, q, &pairs, g->m->handlers[handler].opcode);
	set_switch(g, q->marker, q->over, &pairs, 0);
}

/* Before the handlers move: packed slots have copies. */
static void splice_packed(struct vyrec_mega *g)
{
	struct vyrec_list pairs = {0};
	vyrec_handler handler;
	push_builtins(g, &g->packed, &pairs);
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));)
		if (is_packable(g->m, handler))
			push_case(&pairs, g->m->handlers[handler].opcode, vyrec_mega_case(g, &g->packed, handler));
	splice_known(g, &pairs);
	set_switch(g, g->packed.marker, g->packed.opcode, &pairs, vyrec_mega_unknown_case(g, &g->packed));
}

/* What stands for every opcode in a fused set: its one op. */
static void splice_fused(struct vyrec_mega *g)
{
	uint32_t at = 0;
	vyrec_handler handler = vyrec_mega_next_handler(g, &at);
	vyrec_block block = vyrec_mega_case(g, &g->run, handler);
	g->m->stmts[g->run.marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {block}};
}

static void splice_handlers(struct vyrec_mega *g)
{
	struct vyrec_list pairs = {0}, wide = {0};
	vyrec_handler handler;
	if (g->shape.features & VYRE_HAS_FUSED)
		return splice_fused(g);
	splice_question(g, &g->is_wide, is_by_workgroup);
	splice_question(g, &g->is_short, is_straight);
	if (g->packed.marker)
		splice_packed(g);
	if (g->shape.features & VYRE_HAS_BUILTINS)
		push_builtins(g, &g->run, &pairs);
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));) {
		const struct vyrec_mega_site *site =
		    g->wide.marker && is_by_workgroup(g->m, handler) ? &g->wide : &g->run;
		push_case(site == &g->wide ? &wide : &pairs, g->m->handlers[handler].opcode,
			  vyrec_mega_case(g, site, handler));
	}
	set_switch(g, g->run.marker, g->run.opcode, &pairs, vyrec_mega_unknown_case(g, &g->run));
	if (g->wide.marker)
		set_switch(g, g->wide.marker, g->wide.opcode, &wide, 0);
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
		if (is_by_workgroup(g->m, handler) && g->m->handlers[handler].width)
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
		g->shape.wide |= g->shape.mailbox && is_by_workgroup(g->m, handler);
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
	if (vyrec_mega_check(&g) && import_template(&g)) {
		splice_handlers(&g);
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
