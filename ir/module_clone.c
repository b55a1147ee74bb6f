/* module_clone.c - a module with only what its units reach, in canonical numbering.
 *
 * Enters: a verified module, garbage and all. Leaves: a new one. Invariant: an index is given when the walk over units,
 * items and bodies first comes to the thing, so clones of equal modules are equal tables, and a clone of a clone changes
 * nothing; VIR0 relies on it. Bodies of fns and expressions of consts wait in queues until the unit's own bodies are
 * copied: copying them where they are named would nest the copy as deep as the names.
 */
#include <stdlib.h>

#include "ir/copy.h"

struct maps {
	uint32_t *names, *locals, *arrays, *consts, *fns; /* old index -> new, 0 = not reached yet */
	uint32_t name_capacity;
	struct vyrec_list queue; /* fns (old index) whose bodies are to be copied */
	uint32_t queue_done;
	struct vyrec_list const_queue; /* consts (old index) whose expressions are to be copied */
	uint32_t const_queue_done;
};

static vyrec_name map_name(struct vyrec_copy *copy, vyrec_name name)
{
	struct maps *maps = copy->user;
	if (!name)
		return 0;
	maps->names = vyrec_grow(maps->names, &maps->name_capacity, name + 1, sizeof *maps->names);
	if (!maps->names[name])
		maps->names[name] =
		    vyrec_intern(copy->to, vyrec_name_text(copy->from, name), vyrec_name_bytes(copy->from, name));
	return maps->names[name];
}

static vyrec_local map_local(struct vyrec_copy *copy, vyrec_local local)
{
	uint32_t *mapped = &((struct maps *)copy->user)->locals[local];
	struct vyrec_local_node node = copy->from->locals[local];
	if (!*mapped)
		*mapped = vyrec_add_local(copy->to, map_name(copy, node.name), node.kind, node.type, node.loc);
	return *mapped;
}

static vyrec_array map_array(struct vyrec_copy *copy, vyrec_array array)
{
	uint32_t *mapped = &((struct maps *)copy->user)->arrays[array];
	struct vyrec_array_node node = copy->from->arrays[array];
	if (!*mapped) {
		node.name = map_name(copy, node.name);
		*mapped = vyrec_add_array(copy->to, &node);
	}
	return *mapped;
}

static vyrec_const map_const(struct vyrec_copy *copy, vyrec_const constant)
{
	struct maps *maps = copy->user;
	struct vyrec_const_node node = copy->from->consts[constant];
	if (!maps->consts[constant]) {
		node.name = map_name(copy, node.name);
		maps->consts[constant] = vyrec_add_const(copy->to, &node);
		vyrec_list_push(&maps->const_queue, constant);
	}
	return maps->consts[constant];
}

static vyrec_fn map_fn(struct vyrec_copy *copy, vyrec_fn fn)
{
	struct maps *maps = copy->user;
	struct vyrec_fn_node node = copy->from->fns[fn];
	if (!maps->fns[fn]) {
		node.name = map_name(copy, node.name);
		maps->fns[fn] = vyrec_add_fn(copy->to, &node);
		vyrec_list_push(&maps->queue, fn);
	}
	return maps->fns[fn];
}

static uint32_t map_symbol(struct vyrec_copy *copy, enum vyrec_copy_table table, uint32_t index, bool declares)
{
	(void)declares; /* every index is mapped once, wherever it is met first */
	switch (table) {
	case VYREC_COPY_NAME:
		return map_name(copy, index);
	case VYREC_COPY_LOCAL:
		return map_local(copy, index);
	case VYREC_COPY_ARRAY:
		return map_array(copy, index);
	case VYREC_COPY_CONST:
		return map_const(copy, index);
	default:
		return map_fn(copy, index);
	}
}

/* A list of locals or arrays in refs of `from`, mapped, in refs of `to`. */
static uint32_t copy_symbols(struct vyrec_copy *copy, enum vyrec_copy_table table, uint32_t first, uint32_t count)
{
	struct vyrec_list list = {0};
	for (uint32_t i = 0; i < count; i++)
		vyrec_list_push(&list, map_symbol(copy, table, copy->from->refs[first + i], true));
	uint32_t made = count ? vyrec_add_refs(copy->to, list.items, count) : 0;
	vyrec_list_free(&list);
	return made;
}

static void copy_queued_fns(struct vyrec_copy *copy)
{
	struct maps *maps = copy->user;
	while (maps->queue_done < maps->queue.count) {
		vyrec_fn old = maps->queue.items[maps->queue_done++];
		struct vyrec_fn_node node = copy->from->fns[old];
		uint32_t params = copy_symbols(copy, VYREC_COPY_LOCAL, node.params, node.param_count);
		vyrec_block body = vyrec_copy_block(copy, node.body);
		copy->to->fns[maps->fns[old]].params = params;
		copy->to->fns[maps->fns[old]].body = body;
	}
}

static void copy_queued_consts(struct vyrec_copy *copy)
{
	struct maps *maps = copy->user;
	while (maps->const_queue_done < maps->const_queue.count) {
		vyrec_const old = maps->const_queue.items[maps->const_queue_done++];
		vyrec_expr expr = vyrec_copy_expr(copy, copy->from->consts[old].expr);
		copy->to->consts[maps->consts[old]].expr = expr;
	}
}

static vyrec_handler copy_handler(struct vyrec_copy *copy, vyrec_handler handler)
{
	struct vyrec_handler_node node = copy->from->handlers[handler];
	node.name = map_name(copy, node.name);
	node.params = copy_symbols(copy, VYREC_COPY_LOCAL, node.params, node.param_count);
	node.shared = copy_symbols(copy, VYREC_COPY_ARRAY, node.shared, node.shared_count);
	node.body = vyrec_copy_block(copy, node.body);
	return vyrec_add_handler(copy->to, &node);
}

static uint32_t copy_item(struct vyrec_copy *copy, vyrec_item item, uint32_t index)
{
	switch (item) {
	case VYREC_ITEM_BUFFER:
	case VYREC_ITEM_SHARED:
		return map_array(copy, index);
	case VYREC_ITEM_CONST:
		return map_const(copy, index);
	case VYREC_ITEM_FN:
		return map_fn(copy, index);
	case VYREC_ITEM_HANDLER:
		return copy_handler(copy, index);
	}
	return 0;
}

static void copy_unit(struct vyrec_copy *copy, vyrec_unit unit)
{
	struct vyrec_unit_node node = copy->from->units[unit], made = node;
	struct vyrec_list items = {0};
	made.name = map_name(copy, node.name);
	for (uint32_t i = 0; i < node.item_count; i++) {
		const uint32_t *pair = &copy->from->refs[node.items + 2 * i];
		vyrec_list_push(&items, pair[0]);
		vyrec_list_push(&items, copy_item(copy, pair[0], pair[1]));
	}
	made.body = vyrec_copy_block(copy, node.body);
	copy_queued_fns(copy);
	copy_queued_consts(copy);
	made.items = items.count ? vyrec_add_refs(copy->to, items.items, items.count) : 0;
	vyrec_list_free(&items);
	vyrec_add_unit(copy->to, &made);
}

static void copy_comments(struct vyrec_copy *copy)
{
	struct vyrec_module *to = copy->to;
	uint32_t count = copy->from->comment_count;
	to->comments = vyrec_grow(to->comments, &to->comment_capacity, count, sizeof *to->comments);
	to->comment_count = count;
	for (uint32_t i = 0; i < count; i++) {
		to->comments[i] = copy->from->comments[i];
		to->comments[i].text = map_name(copy, to->comments[i].text);
	}
}

struct vyrec_module *vyrec_module_clone(const struct vyrec_module *module)
{
	struct maps maps = {.locals = vyrec_alloc(module->local_count * sizeof(uint32_t)),
			    .arrays = vyrec_alloc(module->array_count * sizeof(uint32_t)),
			    .consts = vyrec_alloc(module->const_count * sizeof(uint32_t)),
			    .fns = vyrec_alloc(module->fn_count * sizeof(uint32_t))};
	struct vyrec_module *to = vyrec_module_create(vyrec_name_text(module, module->file));
	struct vyrec_copy copy = {module, to, map_symbol, &maps};
	for (vyrec_unit unit = 1; unit < module->unit_count; unit++)
		copy_unit(&copy, unit);
	copy_comments(&copy);
	free(maps.names);
	free(maps.locals);
	free(maps.arrays);
	free(maps.consts);
	free(maps.fns);
	vyrec_list_free(&maps.queue);
	vyrec_list_free(&maps.const_queue);
	return to;
}
