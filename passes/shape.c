/* shape.c - the table of shapes, and what a set must be to have one.
 *
 * Enters: a shape with its numbers, a set or none. Leaves: options for the pipeline, or errors that name what is missing.
 * Everything that makes shapes differ is in the rows of shape.h; what the parts of a kernel do with it is in mega/
 */
#include <string.h>

#include "passes/shape.h"
#include "runtime/abi/ring.h"

#define HAS(name)   VYRE_HAS_##name
#define NEEDS(name) VYREC_SHAPE_##name
static const struct row {
	const char *name, *meaning;
	unsigned feed, features, needs;
} rows[VYREC_SHAPE_COUNT] = {
#define X(id, name, feed, features, needs, meaning) \
	[VYREC_SHAPE_##id] = {name, meaning, VYRE_FEED_##feed, features, needs},
    VYREC_SHAPE_LIST(X)
#undef X
};

const char *vyrec_shape_name(enum vyrec_shape_id id)
{
	return (unsigned)id < VYREC_SHAPE_COUNT ? rows[id].name : "?";
}

const char *vyrec_shape_meaning(enum vyrec_shape_id id)
{
	return (unsigned)id < VYREC_SHAPE_COUNT ? rows[id].meaning : "?";
}

bool vyrec_shape_find(const char *name, struct vyrec_shape *shape)
{
	for (unsigned id = 0; id < VYREC_SHAPE_COUNT; id++)
		if (!strcmp(rows[id].name, name)) {
			*shape = (struct vyrec_shape){(enum vyrec_shape_id)id, VYREC_SHAPE_LANES, 0};
			return true;
		}
	return false;
}

bool vyrec_shape_options(const struct vyrec_shape *shape, struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	const struct row *row = &rows[shape->id];
	uint32_t slots = shape->slots ? shape->slots : row->needs & NEEDS(AS_LANES) ? shape->lanes : VYREC_SHAPE_SLOTS;
	if (shape->lanes == 0 || shape->lanes > VYREC_MAX_LANES) {
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "shape %s: %u lanes; a workgroup has 1 to %d", row->name,
				shape->lanes, VYREC_MAX_LANES);
		return false;
	}
	if (slots > VYRE_MAX_SLOTS) {
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "shape %s: %u slots; a ring has 1 to %d", row->name, slots,
				VYRE_MAX_SLOTS);
		return false;
	}
	if (row->needs & NEEDS(AS_LANES) && slots != shape->lanes) {
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", 0,
		    "shape %s has a slot for every lane, not %u slots for %u lanes; leave the slots out, or "
		    "take a shape with any number of slots",
		    row->name, slots, shape->lanes);
		return false;
	}
	options->feed = row->feed;
	options->features = row->features | (options->features & HAS(ONCE));
	options->lanes = row->needs & NEEDS(ONE_LANE) ? 1 : shape->lanes;
	options->slots = slots;
	return true;
}

/* ---- what a set must be ---------------------------------------------------------------------------------------------- */

static unsigned count_ops(const struct vyrec_module *m, const struct vyrec_unit_node *unit)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < unit->item_count; i++)
		count += m->refs[unit->items + 2 * i] == VYREC_ITEM_HANDLER;
	return count;
}

static bool has_fn(const struct vyrec_module *m, const struct vyrec_unit_node *unit, const char *name)
{
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const uint32_t *item = &m->refs[unit->items + 2 * i];
		if (item[0] == VYREC_ITEM_FN && !strcmp(vyrec_name_text(m, m->fns[item[1]].name), name))
			return true;
	}
	return false;
}

static bool check_set(const struct row *row, const struct vyrec_module *m, const struct vyrec_unit_node *unit,
		      struct vyrec_diags *diags)
{
	const char *set = vyrec_name_text(m, unit->name);
	unsigned ops = count_ops(m, unit);
	if (row->needs & NEEDS(NO_OPS) && ops) {
		vyrec_diags_add(diags, VYREC_ERROR, "", unit->loc,
				"set `%s` has %u ops; shape %s runs the built-in opcodes alone; take sharded or "
				"sharded-slots",
				set, ops, row->name);
		return false;
	}
	if (row->needs & NEEDS(ONE_OP) && ops != 1) {
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", unit->loc,
		    "set `%s` has %u ops; shape %s runs exactly one; put the others into a set of their own", set, ops,
		    row->name);
		return false;
	}
	if (row->needs & NEEDS(HOOKS) && !has_fn(m, unit, "workspace_bootstrap")) {
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", unit->loc,
		    "set `%s` has no fn workspace_bootstrap(); shape %s calls it once a launch; declare it, and "
		    "workspace_guard() -> bool and workspace_dispatch() if each round needs them",
		    set, row->name);
		return false;
	}
	return true;
}

bool vyrec_shape_check(const struct vyrec_shape *shape, const struct vyrec_module *module, struct vyrec_diags *diags)
{
	unsigned sets = 0;
	bool fine = true;
	for (vyrec_unit unit = 1; unit < module->unit_count; unit++) {
		if (module->units[unit].kind != VYRE_UNIT_SET)
			continue;
		fine &= check_set(&rows[shape->id], module, &module->units[unit], diags);
		sets++;
	}
	if (!sets)
		vyrec_diags_add(diags, VYREC_ERROR, "", 0,
				"no set here to give the shape %s to; a program is a kernel by itself",
				rows[shape->id].name);
	return fine && sets;
}

/* ---- building --------------------------------------------------------------------------------------------------------- */

struct vyrec_module *vyrec_shape_empty_set(void)
{
	static const char text[] = VYREC_SHAPE_EMPTY_SET;
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = vyrec_parse("vyre", text, sizeof text - 1, &diags);
	vyrec_diags_finish(&diags);
	return module;
}

struct vyrec_module *vyrec_shape_build(const struct vyrec_shape *shape, const struct vyrec_module *set,
				       const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	struct vyrec_pass_options passes = *options;
	struct vyrec_module *module = set ? vyrec_module_clone(set) : vyrec_shape_empty_set();
	if (module && vyrec_shape_options(shape, &passes, diags) && vyrec_shape_check(shape, module, diags) &&
	    vyrec_verify(module, diags) && vyrec_run_pipeline(module, &passes, diags, NULL))
		return module;
	if (module)
		vyrec_module_destroy(module);
	return NULL;
}
