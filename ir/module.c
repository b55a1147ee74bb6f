/* module.c - the tables of a module: growing, appending, interning.
 *
 * Enters: nodes by value. Leaves: indices. Invariant: entry 0 of every table is zero and means "none"; names compare as
 * integers because each string is kept once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/module.h"

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static void report_oom(size_t bytes)
{
	fprintf(stderr, "vyrec: out of memory asking for %zu bytes. Fix: give the compiler more memory.\n", bytes);
}

void (*vyrec_oom_hook)(size_t bytes) = report_oom;

void *vyrec_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);
	if (!p) {
		vyrec_oom_hook(bytes);
		abort();
	}
	return p;
}

void *vyrec_grow(void *items, uint32_t *capacity, uint32_t need, size_t item_bytes)
{
	uint32_t old = *capacity, now = old ? old : 16;
	if (need <= old)
		return items;
	while (now < need)
		now = now > UINT32_MAX / 2 ? UINT32_MAX : now * 2;
	char *p = realloc(items, (size_t)now * item_bytes);
	if (!p) {
		vyrec_oom_hook((size_t)now * item_bytes);
		abort();
	}
	memset(p + (size_t)old * item_bytes, 0, (size_t)(now - old) * item_bytes);
	*capacity = now;
	return p;
}

void vyrec_list_push(struct vyrec_list *list, uint32_t item)
{
	list->items = vyrec_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
	list->items[list->count++] = item;
}

void vyrec_list_free(struct vyrec_list *list)
{
	free(list->items);
	*list = (struct vyrec_list){0};
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

struct interned {
	uint32_t start, bytes, hash, next; /* next: chain of the hash bucket */
	uint32_t number;		   /* next n of the fresh names <this>_n; 0 = none yet */
};
struct vyrec_interner {
	struct interned *items; /* item 0 is "" */
	uint32_t count, capacity;
	char *text; /* all strings, each NUL-terminated */
	uint32_t text_count, text_capacity;
	uint32_t *buckets;
	uint32_t bucket_count; /* power of two */
};

static uint32_t hash_bytes(const char *text, size_t bytes)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < bytes; i++)
		h = (h ^ (unsigned char)text[i]) * 16777619u;
	return h;
}

static void rehash(struct vyrec_interner *in)
{
	in->bucket_count = in->bucket_count ? in->bucket_count * 2 : 64;
	free(in->buckets);
	in->buckets = vyrec_alloc(in->bucket_count * sizeof *in->buckets);
	for (uint32_t i = 1; i < in->count; i++) {
		uint32_t *head = &in->buckets[in->items[i].hash & (in->bucket_count - 1)];
		in->items[i].next = *head;
		*head = i;
	}
}

static struct vyrec_interner *interner_create(void)
{
	struct vyrec_interner *in = vyrec_alloc(sizeof *in);
	in->items = vyrec_grow(NULL, &in->capacity, 1, sizeof *in->items);
	in->text = vyrec_grow(NULL, &in->text_capacity, 1, 1);
	in->count = in->text_count = 1;
	rehash(in);
	return in;
}

static void interner_destroy(struct vyrec_interner *in)
{
	free(in->items);
	free(in->text);
	free(in->buckets);
	free(in);
}

vyrec_name vyrec_intern(struct vyrec_module *module, const char *text, size_t bytes)
{
	struct vyrec_interner *in = module->names;
	if (!bytes)
		return 0;
	uint32_t hash = hash_bytes(text, bytes);
	for (uint32_t i = in->buckets[hash & (in->bucket_count - 1)]; i; i = in->items[i].next) {
		const struct interned *it = &in->items[i];
		if (it->hash == hash && it->bytes == bytes && !memcmp(in->text + it->start, text, bytes))
			return i;
	}
	if (in->count >= in->bucket_count)
		rehash(in);
	uint32_t start = in->text_count, id = in->count;
	in->text = vyrec_grow(in->text, &in->text_capacity, start + (uint32_t)bytes + 1, 1);
	memcpy(in->text + start, text, bytes);
	in->text[start + bytes] = 0;
	in->text_count = start + (uint32_t)bytes + 1;
	in->items = vyrec_grow(in->items, &in->capacity, id + 1, sizeof *in->items);
	uint32_t *head = &in->buckets[hash & (in->bucket_count - 1)];
	in->items[id] = (struct interned){start, (uint32_t)bytes, hash, *head, 0};
	*head = id;
	in->count++;
	return id;
}

vyrec_name vyrec_intern_z(struct vyrec_module *module, const char *text)
{
	return vyrec_intern(module, text, strlen(text));
}

const char *vyrec_name_text(const struct vyrec_module *module, vyrec_name name)
{
	return name < module->names->count ? module->names->text + module->names->items[name].start : "";
}

size_t vyrec_name_bytes(const struct vyrec_module *module, vyrec_name name)
{
	return name < module->names->count ? module->names->items[name].bytes : 0;
}

static bool local_has_name(const struct vyrec_module *module, vyrec_name name)
{
	for (uint32_t i = 1; i < module->local_count; i++)
		if (module->locals[i].name == name)
			return true;
	for (uint32_t i = 1; i < module->array_count; i++)
		if (module->arrays[i].name == name)
			return true;
	for (uint32_t i = 1; i < module->const_count; i++)
		if (module->consts[i].name == name)
			return true;
	for (uint32_t i = 1; i < module->fn_count; i++)
		if (module->fns[i].name == name)
			return true;
	for (uint32_t i = 1; i < module->handler_count; i++)
		if (module->handlers[i].name == name)
			return true;
	return false;
}

/* The stem remembers its last number, and a string that was never interned names nothing: no search over all locals for
 * each of the many names that one pass may ask for. */
vyrec_name vyrec_fresh_name(struct vyrec_module *module, const char *base)
{
	char text[VYREC_MAX_NAME_BYTES + 16];
	size_t stem = strlen(base);
	uint32_t known = module->names->count;
	vyrec_name name = vyrec_intern_z(module, base);
	if (name >= known || (!module->names->items[name].number && !local_has_name(module, name)))
		return name;
	/* x_2 of x, and x_3 of x_2, not x_2_2 */
	while (stem > 1 && base[stem - 1] >= '0' && base[stem - 1] <= '9')
		stem--;
	if (stem < 2 || base[stem - 1] != '_')
		stem = strlen(base);
	else
		stem--;
	snprintf(text, sizeof text, "%.*s", (int)(stem > 240 ? 240 : stem), base);
	vyrec_name family = vyrec_intern_z(module, text);
	size_t end = strlen(text);
	for (uint32_t n = module->names->items[family].number;; n++) {
		n = n < 2 ? 2 : n;
		snprintf(text + end, sizeof text - end, "_%u", n);
		known = module->names->count;
		name = vyrec_intern_z(module, text);
		if (name >= known || !local_has_name(module, name)) {
			module->names->items[family].number = n + 1;
			return name;
		}
	}
}

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

/* One row a table: member stem, node type. */
/* clang-format off */
#define TABLES(X) \
	X(expr, struct vyrec_expr_node) X(stmt, struct vyrec_stmt_node) X(block, struct vyrec_block_node) \
	X(local, struct vyrec_local_node) X(array, struct vyrec_array_node) X(const, struct vyrec_const_node) \
	X(fn, struct vyrec_fn_node) X(handler, struct vyrec_handler_node) X(unit, struct vyrec_unit_node)
/* clang-format on */

struct vyrec_module *vyrec_module_create(const char *file)
{
	struct vyrec_module *m = vyrec_alloc(sizeof *m);
	m->names = interner_create();
#define X(stem, type) \
	m->stem##s = vyrec_grow(NULL, &m->stem##_capacity, 1, sizeof(type)); \
	m->stem##_count = 1;
	TABLES(X)
#undef X
	m->refs = vyrec_grow(NULL, &m->ref_capacity, 1, sizeof *m->refs);
	m->ref_count = 1;
	m->file = vyrec_intern_z(m, file);
	return m;
}

void vyrec_module_destroy(struct vyrec_module *m)
{
	if (!m)
		return;
#define X(stem, type) free(m->stem##s);
	TABLES(X)
#undef X
	free(m->refs);
	free(m->comments);
	free(m->layout.block_starts);
	free(m->layout.block_ends);
	free(m->layout.unit_ends);
	free(m->layout.switch_ends);
	free(m->layout.blanks);
	free(m->layout.typed_locals);
	free(m->layout.typed_consts);
	interner_destroy(m->names);
	free(m);
}

#define X(stem, type) \
	static uint32_t append_##stem(struct vyrec_module *m, const type *node) \
	{ \
		type copy = *node; /* node may point into the table that grows */ \
		m->stem##s = vyrec_grow(m->stem##s, &m->stem##_capacity, m->stem##_count + 1, sizeof(type)); \
		m->stem##s[m->stem##_count] = copy; \
		return m->stem##_count++; \
	}
TABLES(X)
#undef X

vyrec_expr vyrec_add_expr(struct vyrec_module *m, const struct vyrec_expr_node *node)
{
	return append_expr(m, node);
}

vyrec_stmt vyrec_add_stmt(struct vyrec_module *m, const struct vyrec_stmt_node *node)
{
	return append_stmt(m, node);
}

vyrec_array vyrec_add_array(struct vyrec_module *m, const struct vyrec_array_node *node)
{
	return append_array(m, node);
}

vyrec_const vyrec_add_const(struct vyrec_module *m, const struct vyrec_const_node *node)
{
	return append_const(m, node);
}

vyrec_fn vyrec_add_fn(struct vyrec_module *m, const struct vyrec_fn_node *node)
{
	return append_fn(m, node);
}

vyrec_handler vyrec_add_handler(struct vyrec_module *m, const struct vyrec_handler_node *node)
{
	return append_handler(m, node);
}

vyrec_unit vyrec_add_unit(struct vyrec_module *m, const struct vyrec_unit_node *node)
{
	return append_unit(m, node);
}

uint32_t vyrec_add_refs(struct vyrec_module *m, const uint32_t *words, uint32_t count)
{
	uint32_t first = m->ref_count;
	uintptr_t from = (uintptr_t)words - (uintptr_t)m->refs; /* words may be refs of this module */
	bool inside = words >= m->refs && words < m->refs + m->ref_count;
	m->refs = vyrec_grow(m->refs, &m->ref_capacity, first + count, sizeof *m->refs);
	if (inside)
		words = (const uint32_t *)((uintptr_t)m->refs + from);
	if (count)
		memcpy(m->refs + first, words, count * sizeof *words);
	m->ref_count += count;
	return first;
}

vyrec_block vyrec_add_block(struct vyrec_module *m, const vyrec_stmt *stmts, uint32_t count)
{
	struct vyrec_block_node node = {vyrec_add_refs(m, stmts, count), count};
	return append_block(m, &node);
}

void vyrec_set_block(struct vyrec_module *m, vyrec_block block, const vyrec_stmt *stmts, uint32_t count)
{
	uint32_t first = vyrec_add_refs(m, stmts, count);
	m->blocks[block] = (struct vyrec_block_node){first, count};
}

vyrec_local vyrec_add_local(struct vyrec_module *m, vyrec_name name, vyrec_local_kind kind, vyrec_type type,
			    vyrec_loc loc)
{
	struct vyrec_local_node node = {.name = name, .kind = (uint8_t)kind, .type = (uint8_t)type, .loc = loc};
	return append_local(m, &node);
}

void vyrec_unit_add_item(struct vyrec_module *m, vyrec_unit unit, vyrec_item item, uint32_t index)
{
	struct vyrec_unit_node *u = &m->units[unit];
	uint32_t pair[2] = {item, index}, count = u->item_count;
	if (u->items + 2 * count == m->ref_count) { /* the list is the last thing in refs: extend in place */
		vyrec_add_refs(m, pair, 2);
	} else {
		uint32_t first = vyrec_add_refs(m, m->refs + u->items, 2 * count);
		vyrec_add_refs(m, pair, 2);
		u->items = first;
	}
	u->item_count = count + 1;
}
