/* switch.c - the switch over opcodes: a case for every handler and built-in op, in place of the template's markers.
 *
 * Enters: the template as import.c has found it, and the set. Leaves: the handlers in their cases (case.c), wherever the
 * template runs ops; where it asks something of an opcode (may it stand in a packed slot, does it run on all lanes, is it
 * short), a switch that says so.
 */
#include <ctype.h>
#include <stdio.h>

#include "passes/mega/mega.h"

/* The fn of a built-in op, in the template's numbers: builtin_<name in lower case>. */
static vyrec_fn builtin_fn(const struct vyrec_mega *g, const char *opcode_name)
{
	char name[64];
	int at = snprintf(name, sizeof name, "builtin_%s", opcode_name);
	for (int i = 0; i < at; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	return vyrec_mega_find_fn(g, name);
}

/* May an op stand inside a packed slot? It has one byte of opcode and nobody to go on with it. */
static bool is_packable(struct vyrec_module *m, vyrec_handler handler)
{
	return m->handlers[handler].opcode <= 255 && !vyrec_mega_asks(m, handler);
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

static bool is_straight(struct vyrec_module *m, vyrec_handler handler)
{
	bool is_long = vyrec_mega_is_by_workgroup(m, handler);
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

void vyrec_mega_switch(struct vyrec_mega *g)
{
	struct vyrec_list pairs = {0}, wide = {0};
	vyrec_handler handler;
	if (g->shape.features & VYRE_HAS_FUSED)
		return splice_fused(g);
	splice_question(g, &g->is_wide, vyrec_mega_is_by_workgroup);
	splice_question(g, &g->is_short, is_straight);
	if (g->packed.marker)
		splice_packed(g);
	if (g->shape.features & VYRE_HAS_BUILTINS)
		push_builtins(g, &g->run, &pairs);
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(g, &at));) {
		const struct vyrec_mega_site *site =
		    g->wide.marker && vyrec_mega_is_by_workgroup(g->m, handler) ? &g->wide : &g->run;
		push_case(site == &g->wide ? &wide : &pairs, g->m->handlers[handler].opcode,
			  vyrec_mega_case(g, site, handler));
	}
	set_switch(g, g->run.marker, g->run.opcode, &pairs, vyrec_mega_unknown_case(g, &g->run));
	if (g->wide.marker)
		set_switch(g, g->wide.marker, g->wide.opcode, &wide, 0);
}
