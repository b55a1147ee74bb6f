/* import.c - the template comes into the module of the set, and the places in it that handlers need are found.
 *
 * Enters: a shape that check.c has let through. Leaves: the template as the last unit, under names that nothing in the set
 * has, and in struct vyrec_mega the markers, locals and fns that cases stand at, read and call.
 * Parts are found by name alone: a template that lacks one (a feed without packed slots, say) has 0 there.
 */
#include <string.h>

#include "passes/mega/mega.h"

/* A let or var of a name that is asked for occurs once in the template; parameters may be called the same. */
static vyrec_local find_local(const struct vyrec_mega *g, const char *name, vyrec_local_kind kind)
{
	const struct vyrec_module *t = g->template;
	for (vyrec_local i = 1; i < t->local_count; i++)
		if (t->locals[i].kind == kind && !strcmp(vyrec_name_text(t, t->locals[i].name), name))
			return g->locals + i;
	return 0;
}

vyrec_fn vyrec_mega_find_fn(const struct vyrec_mega *g, const char *name)
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
	const struct vyrec_fn_node *f = &t->fns[vyrec_mega_find_fn(g, fn)];
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
#define X(name) g->name = vyrec_mega_find_fn(g, #name) ? g->fns + vyrec_mega_find_fn(g, #name) : 0;
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

bool vyrec_mega_import(struct vyrec_mega *g)
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
