/* shape_round.c - one round of a shape, spliced into a larger program.
 *
 * Enters: a program with `opaque "vyre.round" ""` in it, a shape, a set. Leaves: the program with a block there that
 * does one round: look at the slots, run what was published, count. The round is the body of the shape built for one
 * round a launch, so what is spliced is what runs; only `return` changes its meaning, from leaving the kernel to leaving
 * the block. Buffers of one name are one buffer.
 */
#include <stdlib.h>
#include <string.h>

#include "passes/make.h"
#include "passes/shape.h"

static const char marker_name[] = "vyre.round";

struct splice {
	struct vyrec_module *m;
	vyrec_unit program;
	struct vyrec_diags *diags;
	vyrec_stmt marker;
	vyrec_local label;
	uint32_t arrays_before; /* arrays from here on came with the round */
	vyrec_array *becomes;	/* by array - arrays_before: what it is in the program */
	bool failed;
};

/* ---- the marker -------------------------------------------------------------------------------------------------------- */

struct search {
	vyrec_stmt found;
	unsigned count;
};

static void look_for_marker(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct search *search = user;
	if (m->stmts[s].kind != VYREC_STMT_OPAQUE || strcmp(vyrec_name_text(m, m->stmts[s].name), marker_name))
		return;
	search->found = s;
	search->count++;
}

static bool find_marker(struct splice *g)
{
	struct search search = {0};
	const struct vyrec_walker walker = {look_for_marker, NULL, &search};
	vyrec_walk_block(g->m, g->m->units[g->program].body, &walker);
	g->marker = search.found;
	if (search.count == 1)
		return true;
	vyrec_diags_add(g->diags, VYREC_ERROR, "", g->m->units[g->program].loc,
			"program `%s` says `opaque \"%s\" \"\"` %u times; say it once, where the round is to be",
			vyrec_name_text(g->m, g->m->units[g->program].name), marker_name, search.count);
	return false;
}

/* ---- buffers ----------------------------------------------------------------------------------------------------------- */

/* The round's buffer meets one of the program's; the program's declaration stays, and must promise as much. */
static void share_buffer(struct splice *g, vyrec_array ours, vyrec_array theirs)
{
	struct vyrec_module *m = g->m;
	const struct vyrec_array_node *a = &m->arrays[ours];
	struct vyrec_array_node *b = &m->arrays[theirs];
	g->becomes[ours - g->arrays_before] = theirs;
	if (a->class_ == b->class_ && a->element == b->element) {
		b->count = a->count > b->count ? a->count : b->count;
		return;
	}
	vyrec_diags_add(
	    g->diags, VYREC_ERROR, "", b->loc,
	    "buffer `%s` is another kind of buffer in the round; declare it as the round does, or rename it",
	    vyrec_name_text(m, b->name));
	g->failed = true;
}

static void take_items(struct splice *g, vyrec_unit round)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list items = {0};
	for (uint32_t i = 0; i < 2 * m->units[g->program].item_count; i++)
		vyrec_list_push(&items, m->refs[m->units[g->program].items + i]);
	for (uint32_t i = 0; i < m->units[round].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[round].items + 2 * i];
		vyrec_array array = item[1], same = 0;
		if (item[0] == VYREC_ITEM_BUFFER)
			same = vyrec_unit_buffer(m, g->program, vyrec_name_text(m, m->arrays[array].name));
		else if (item[0] != VYREC_ITEM_SHARED)
			continue;
		if (same) {
			share_buffer(g, array, same);
			continue;
		}
		if (item[0] == VYREC_ITEM_SHARED)
			m->arrays[array].name = vyrec_fresh_name(m, vyrec_name_text(m, m->arrays[array].name));
		vyrec_list_push(&items, m->refs[m->units[round].items + 2 * i]);
		vyrec_list_push(&items, array);
	}
	m->units[g->program].items = vyrec_add_refs(m, items.items, items.count);
	m->units[g->program].item_count = items.count / 2;
	vyrec_list_free(&items);
}

/* ---- the body ---------------------------------------------------------------------------------------------------------- */

static vyrec_array mapped(const struct splice *g, vyrec_array array)
{
	return array >= g->arrays_before && g->becomes[array - g->arrays_before] ? g->becomes[array - g->arrays_before]
										 : array;
}

static void rewrite_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct splice *g = user;
	struct vyrec_stmt_node *n = &m->stmts[s];
	n->array = mapped(g, n->array);
	n->array2 = mapped(g, n->array2);
	if (n->kind != VYREC_STMT_RETURN)
		return;
	if (!g->label)
		g->label = vyrec_add_local(m, vyrec_fresh_name(m, "round"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
	m->stmts[s].kind = VYREC_STMT_BREAK; /* the table may have moved */
	m->stmts[s].local = g->label;
}

static void rewrite_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_LENGTH || n->kind == VYREC_EXPR_ATOMIC)
		n->sym = mapped(user, n->sym);
}

bool vyrec_splice_round(struct vyrec_module *module, vyrec_unit program, const struct vyrec_shape *shape,
			const struct vyrec_module *set, const struct vyrec_pass_options *options,
			struct vyrec_diags *diags)
{
	struct splice g = {.m = module, .program = program, .diags = diags};
	const struct vyrec_walker walker = {rewrite_stmt, rewrite_expr, &g};
	struct vyrec_pass_options once = *options;
	once.features |= VYRE_HAS_ONCE;
	if (!find_marker(&g))
		return false;
	struct vyrec_module *round = vyrec_shape_build(shape, set, &once, diags);
	if (!round)
		return false;
	if (round->unit_count != 2) {
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "%u units in the set's module; a round is made of one set",
				round->unit_count - 1);
		vyrec_module_destroy(round);
		return false;
	}
	g.arrays_before = module->array_count;
	vyrec_unit shell = vyrec_module_import(module, round);
	g.becomes = vyrec_alloc((module->array_count - g.arrays_before + 1) * sizeof *g.becomes);
	vyrec_module_destroy(round);
	take_items(&g, shell);
	vyrec_block body = module->units[shell].body;
	vyrec_walk_block(module, body, &walker);
	module->stmts[g.marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .local = g.label, .body = {body}};
	module->unit_count--; /* the shell */
	free(g.becomes);
	return !g.failed;
}
