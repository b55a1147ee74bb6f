/* fixpoint.c - the feed `fixpoint`: one op over every word of a buffer, round after round.
 *
 * Enters: a set with one op `NAME(index: u32) by lane` and the buffers `current` and `next`, whose calls are inlined and
 * accesses have policies. Leaves: a PROGRAM of the set's name around fixpoint.vyre, whose inner statement is the
 * op's body. No ring, no slots: the index comes from a loop, so what only a slot has (results, log, suspension, its
 * words) is refused here, with the place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/mega/mega.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/fixpoint.h"

extern const char vyrec_mega_fixpoint_text[], vyrec_mega_meet_cpu_text[], vyrec_mega_meet_device_text[];

static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
#define X(name, word, text) {"REPORT_" #name, word},
    VYRE_REPORT_FIELDS(X)
#undef X
#define X(name, value, text) {"REPORT_" #name, value},
	VYRE_REPORT_OUTCOME_LIST(X)
#undef X
	    {"LAUNCH_ROUND_LIMIT", VYRE_LAUNCH_ROUND_LIMIT},
    {"FAULT_OUT_OF_RANGE", VYRE_FAULT_OUT_OF_RANGE},
};

struct fixpoint {
	struct vyrec_module *m;
	struct vyrec_diags *diags;
	vyrec_unit set, shell;
	vyrec_handler handler;
	vyrec_array current, next; /* the set's */
	uint32_t arrays_before;	   /* arrays from here on are the template's */
	vyrec_local label;	   /* of the op's block, 0 until a return asks for one */
	bool failed;
};

static void refuse(struct fixpoint *g, vyrec_loc loc, const char *what)
{
	vyrec_diags_add(g->diags, VYREC_ERROR, "", loc, "set `%s`, shape fixpoint: %s",
			vyrec_name_text(g->m, g->m->units[g->set].name), what);
	g->failed = true;
}

/* ---- what the set must be ---------------------------------------------------------------------------------------------- */

static void look_at_buffer(struct fixpoint *g, vyrec_array array)
{
	static const char *const ours[] = {"changed", "report", "launch"};
	const struct vyrec_array_node *a = &g->m->arrays[array];
	const char *name = vyrec_name_text(g->m, a->name);
	if (!strcmp(name, "current"))
		g->current = array;
	if (!strcmp(name, "next"))
		g->next = array;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (!strcmp(name, ours[i]))
			refuse(g, a->loc,
			       "the buffers `changed`, `report` and `launch` are the shape's; rename this one");
}

static void check_pair(struct fixpoint *g)
{
	const struct vyrec_array_node *a = &g->m->arrays[g->current], *b = &g->m->arrays[g->next];
	if (!g->current || !g->next) {
		refuse(g, g->m->units[g->set].loc, "declare the buffers `current` and `next`");
		return;
	}
	if (a->class_ != VYREC_CLASS_PLAIN || b->class_ != VYREC_CLASS_PLAIN || a->element != b->element)
		refuse(g, b->loc, "`current` and `next` are plain buffers of one element type");
	else if (vyrec_type_is_float(vyrec_type_of_element(a->element)))
		refuse(g, a->loc,
		       "a NaN is never equal to itself, so floats need not settle; keep their bits in integers "
		       "(bitcast_u32)");
}

static void check_op(struct fixpoint *g)
{
	const struct vyrec_module *m = g->m;
	const struct vyrec_handler_node *h = &m->handlers[g->handler];
	if (h->granularity != VYRE_BY_LANE || h->param_count != 1 || m->locals[m->refs[h->params]].type != VYREC_U32 ||
	    h->shared_count)
		refuse(g, h->loc, "its op runs by lane, takes one u32, the index, and has no shared memory");
}

/* What opcodes, slots or io need is nowhere in the kernel, so the blob must not say that it is. */
static void check_features(struct fixpoint *g, unsigned features)
{
	if (features & ~(unsigned)(VYRE_HAS_CONTROL_REPORT | VYRE_HAS_ONCE))
		refuse(g, g->m->units[g->set].loc,
		       "it runs its op by index, without opcodes, slots or io; leave out --builtins, --fused and --io");
}

static void check_set(struct fixpoint *g)
{
	const struct vyrec_unit_node *unit = &g->m->units[g->set];
	unsigned ops = 0;
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &g->m->refs[unit->items + 2 * i];
		if (item[0] == VYREC_ITEM_BUFFER)
			look_at_buffer(g, item[1]);
		if (item[0] == VYREC_ITEM_FN && vyrec_is_workspace_fn(g->m, item[1]))
			refuse(g, g->m->fns[item[1]].loc,
			       "nothing calls a fn of this name here; choose a feed with a workspace, or another name");
		if (item[0] != VYREC_ITEM_HANDLER)
			continue;
		g->handler = item[1];
		ops++;
	}
	check_pair(g);
	if (ops == 1)
		check_op(g);
	else
		refuse(g, unit->loc, "one op, which is run for every index; there are none or several");
}

/* ---- the op's body ----------------------------------------------------------------------------------------------------- */

static void rewrite_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct fixpoint *g = user;
	const struct vyrec_stmt_node n = m->stmts[s];
	if (n.kind == VYREC_STMT_RETURN) {
		if (!g->label)
			g->label = vyrec_add_local(m, vyrec_fresh_name(m, "done"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
		m->stmts[s].kind = VYREC_STMT_BREAK;
		m->stmts[s].local = g->label;
	} else if (n.kind == VYREC_STMT_LOG ||
		   (vyrec_stmt_get_info(n.kind)->flags & VYREC_IN_ANY) == VYREC_IN_HANDLER) {
		refuse(g, n.loc, "there is no slot here to log for, to give a result to or to suspend; write `next`");
	}
}

static void rewrite_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct fixpoint *g = user;
	struct vyrec_expr_node *n = &m->exprs[e];
	if (vyrec_become_const_value(m, e))
		return;
	if (n->kind == VYREC_EXPR_ARG)
		refuse(g, n->loc, "there is no slot here whose words could be read");
	else if (n->kind == VYREC_EXPR_BUILTIN)
		switch (n->code) {
		case VYREC_BUILTIN_LANE: /* an op by lane is alone, whatever runs beside it */
		case VYREC_BUILTIN_SUBGROUP_LANE:
		case VYREC_BUILTIN_LANES:
		case VYREC_BUILTIN_SUBGROUP_SIZE:
			*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT,
						      .type = VYREC_U32,
						      .loc = n->loc,
						      .imm = n->code == VYREC_BUILTIN_LANES ||
							     n->code == VYREC_BUILTIN_SUBGROUP_SIZE};
			break;
		default:
			refuse(g, n->loc, "there is no slot here whose words could be read");
		}
}

/* let PARAM = index; block { body } in the place of the marker. */
static void splice_body(struct fixpoint *g, vyrec_stmt marker, vyrec_local index)
{
	struct vyrec_module *m = g->m;
	const struct vyrec_walker walker = {rewrite_stmt, rewrite_expr, g};
	vyrec_block body = m->handlers[g->handler].body;
	vyrec_local param = m->refs[m->handlers[g->handler].params];
	vyrec_walk_block(m, body, &walker);
	m->locals[param].kind = VYREC_LOCAL_LET;
	vyrec_stmt stmts[2];
	stmts[0] = vyrec_add_stmt(
	    m,
	    &(struct vyrec_stmt_node){.kind = VYREC_STMT_LET, .local = param, .expr = {vyrec_make_get(m, index, 0)}});
	stmts[1] =
	    vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .local = g->label, .body = {body}});
	vyrec_block both = vyrec_add_block(m, stmts, 2);
	m->stmts[marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {both}};
}

/* ---- the template ------------------------------------------------------------------------------------------------------ */

static struct vyrec_module *make_template(struct fixpoint *g, const struct vyrec_pass_options *options)
{
	const struct vyrec_module *m = g->m;
	const char *element = vyrec_type_name(m->arrays[g->current].element);
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		return NULL;
	fprintf(f, "program %s workgroup(%u) {\n", vyrec_name_text(m, m->units[g->set].name),
		options->one_lane || !options->lanes ? 1 : options->lanes);
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		fprintf(f, "const %s: u32 = %u\n", constants[i].name, constants[i].value);
	fprintf(f, "buffer current: %s[]\nbuffer next: %s[]\n", element, element);
	fprintf(f, "buffer changed: live u32[2]\nbuffer report: live u32[%d]\nbuffer launch: u32[%d]\n",
		VYRE_REPORT_WORDS, VYRE_LAUNCH_WORDS);
	fprintf(f, "%s\n%s\n}\n", vyrec_mega_fixpoint_text,
		options->one_lane ? vyrec_mega_meet_cpu_text : vyrec_mega_meet_device_text);
	fclose(f);
	struct vyrec_module *template = vyrec_parse("fixpoint", text, bytes, g->diags);
	free(text);
	return template;
}

/* The template's `current` and `next` are the set's. */
static vyrec_array mapped(const struct fixpoint *g, vyrec_array array)
{
	return array == g->arrays_before ? g->current : array == g->arrays_before + 1 ? g->next : array;
}

static void import_template(struct fixpoint *g, const struct vyrec_module *t)
{
	struct vyrec_module *m = g->m;
	uint32_t exprs = m->expr_count, stmts = m->stmt_count;
	g->arrays_before = m->array_count;
	g->shell = vyrec_module_import(m, t);
	for (vyrec_expr e = exprs; e < m->expr_count; e++) {
		struct vyrec_expr_node *n = &m->exprs[e];
		n->loc = 0;
		if (!vyrec_become_const_value(m, e) &&
		    (n->kind == VYREC_EXPR_LOAD || n->kind == VYREC_EXPR_LENGTH || n->kind == VYREC_EXPR_ATOMIC))
			n->sym = mapped(g, n->sym);
	}
	for (vyrec_stmt s = stmts; s < m->stmt_count; s++) {
		m->stmts[s].loc = 0;
		m->stmts[s].array = mapped(g, m->stmts[s].array);
	}
}

/* The marker, and the counter of the loop that it stands in. */
static void find_place(const struct fixpoint *g, uint32_t stmts, uint32_t locals, vyrec_stmt *marker,
		       vyrec_local *index)
{
	for (vyrec_stmt s = stmts; s < g->m->stmt_count; s++)
		if (g->m->stmts[s].kind == VYREC_STMT_OPAQUE)
			*marker = s;
	for (vyrec_local local = g->m->local_count; local-- > locals;)
		if (g->m->locals[local].kind == VYREC_LOCAL_COUNTER)
			*index = local; /* the first of the template's two: the loop that runs the op */
}

/* The set takes the template's place: its buffers after `changed`, `report` and `launch`. The fns stay until they are
 * inlined. */
static void merge_units(struct fixpoint *g, const struct vyrec_pass_options *options)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list items = {0};
	const vyrec_unit from[2] = {g->shell, g->set};
	for (unsigned u = 0; u < 2; u++) {
		const struct vyrec_unit_node *unit = &m->units[from[u]];
		for (uint32_t i = 0; i < unit->item_count; i++) {
			uint32_t kind = m->refs[unit->items + 2 * i], what = m->refs[unit->items + 2 * i + 1];
			bool ours = u == 0 && kind == VYREC_ITEM_FN;
			if (!ours && (kind != VYREC_ITEM_BUFFER || mapped(g, what) != what))
				continue;
			if (ours)
				m->fns[what].unit = g->set;
			vyrec_list_push(&items, kind);
			vyrec_list_push(&items, what);
		}
	}
	vyrec_mega_take_place(m, g->set, g->shell, &items);
	m->units[g->set].feed = VYRE_FEED_FIXPOINT;
	m->units[g->set].features = options->features;
}

bool vyrec_mega_fixpoint(struct vyrec_module *m, vyrec_unit set, const struct vyrec_pass_options *options,
			 struct vyrec_diags *diags)
{
	struct fixpoint g = {.m = m, .diags = diags, .set = set};
	check_set(&g);
	check_features(&g, options->features);
	if (g.failed)
		return false;
	struct vyrec_module *t = make_template(&g, options);
	if (!t)
		return false;
	uint32_t stmts = m->stmt_count, locals = m->local_count;
	vyrec_stmt marker = 0;
	vyrec_local index = 0;
	import_template(&g, t);
	vyrec_module_destroy(t);
	find_place(&g, stmts, locals, &marker, &index);
	splice_body(&g, marker, index);
	merge_units(&g, options);
	return !g.failed;
}
