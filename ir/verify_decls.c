/* verify_decls.c - the declarations of units: names, arrays, ops, consts, sizes.
 *
 * Enters: a module of sound shape. Leaves: V01x and V02x. Invariant: names are compared by index and remembered in one
 * array with the unit that took them, so that the check is linear in the number of items.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/verify_internal.h"
#include "runtime/abi/ring.h"

struct decls {
	struct verifier *v;
	uint32_t *taken; /* by name: the unit whose item has it */
	uint32_t capacity;
	uint32_t *opcodes; /* of the unit */
	uint32_t opcode_count, opcode_capacity;
};

/* What the scheduler binds in front of a set's own buffers. */
static const char *const reserved[] = {"control", "ring_buffer", "debug_log", "io_queue", "launch"};

static void take_name(struct decls *d, vyrec_unit unit, vyrec_name name, bool fn, vyrec_loc loc)
{
	if (!name) {
		FAIL(d->v, V010, loc, "an item of `%s` has no name; give it one",
		     verify_name(d->v, d->v->m->units[unit].name));
		return;
	}
	verify_spelling(d->v, name, fn, loc);
	d->taken = vyrec_grow(d->taken, &d->capacity, name + 1, sizeof *d->taken);
	if (d->taken[name] == unit)
		FAIL(d->v, V010, loc, "`%s` is declared twice in `%s`; rename one", verify_name(d->v, name),
		     verify_name(d->v, d->v->m->units[unit].name));
	d->taken[name] = unit;
}

static bool is_buffer_class(unsigned class_)
{
	return class_ >= VYREC_CLASS_CONST && class_ <= VYREC_CLASS_LIVE;
}

static void check_buffer(struct decls *d, vyrec_unit unit, vyrec_array array)
{
	const struct vyrec_array_node *a = &d->v->m->arrays[array];
	take_name(d, unit, a->name, false, a->loc);
	if (!is_buffer_class(a->class_))
		FAIL(d->v, V012, a->loc, "buffer `%s` has class %u; a buffer is const, plain, stream or live",
		     verify_name(d->v, a->name), a->class_);
	if (d->v->m->units[unit].kind != VYRE_UNIT_SET)
		return;
	for (unsigned i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (!strcmp(verify_name(d->v, a->name), reserved[i]))
			FAIL(d->v, V011, a->loc, "`%s` is a buffer of the scheduler; choose another name", reserved[i]);
}

static uint64_t check_shared(struct decls *d, vyrec_array array)
{
	const struct vyrec_array_node *a = &d->v->m->arrays[array];
	if (a->class_ != VYREC_CLASS_SHARED || !a->count)
		FAIL(d->v, V012, a->loc,
		     "shared array `%s` has class %u and %u elements; it needs a constant count above 0",
		     verify_name(d->v, a->name), a->class_, a->count);
	return (uint64_t)a->count * vyrec_type_bytes(a->element);
}

static void check_shared_bytes(struct decls *d, uint64_t bytes, vyrec_loc loc)
{
	if (bytes > VYREC_MAX_SHARED_BYTES)
		FAIL(d->v, V016, loc, "%llu bytes of shared arrays, a workgroup has %d; make them smaller",
		     (unsigned long long)bytes, VYREC_MAX_SHARED_BYTES);
}

/* ---- consts ---------------------------------------------------------------------------------------------------------- */

static bool fits(unsigned type, uint64_t bits)
{
	unsigned width = vyrec_type_bits(type);
	return width >= 64 || !(bits >> width);
}

static bool is_constant(const struct vyrec_module *m, vyrec_expr expr)
{
	const struct vyrec_expr_node *e = &m->exprs[expr];
	switch (e->kind) {
	case VYREC_EXPR_LIT:
	case VYREC_EXPR_CONST:
		return true;
	case VYREC_EXPR_OP:
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		for (unsigned i = 0; i < 3; i++)
			if (e->arg[i] && !is_constant(m, e->arg[i]))
				return false;
		return true;
	default:
		return false;
	}
}

static void check_const(struct decls *d, vyrec_unit unit, vyrec_const constant)
{
	const struct vyrec_const_node *c = &d->v->m->consts[constant];
	take_name(d, unit, c->name, false, c->loc);
	if (!vyrec_type_is_value(c->type) || !fits(c->type, c->value))
		FAIL(d->v, V020, c->loc, "const `%s` has value %#llx, which is none of type %s; correct one of them",
		     verify_name(d->v, c->name), (unsigned long long)c->value, vyrec_type_name(c->type));
	else if (c->expr && d->v->m->exprs[c->expr].type != c->type)
		FAIL(d->v, V020, c->loc, "const `%s` is %s, its expression %s; convert one of them",
		     verify_name(d->v, c->name), vyrec_type_name(c->type),
		     vyrec_type_name(d->v->m->exprs[c->expr].type));
	else if (c->expr && !is_constant(d->v->m, c->expr))
		FAIL(d->v, V020, c->loc,
		     "const `%s` is not made of literals, consts and operations alone; make it a let",
		     verify_name(d->v, c->name));
}

/* ---- ops ------------------------------------------------------------------------------------------------------------- */

static void check_arg_words(struct decls *d, const struct vyrec_handler_node *h)
{
	unsigned words = 0;
	for (uint32_t i = 0; i < h->param_count; i++) {
		const struct vyrec_local_node *l = &d->v->m->locals[d->v->m->refs[h->params + i]];
		words += vyrec_type_bytes(l->type) > 4 ? 2 : 1;
	}
	if (words > VYRE_SLOT_ARGS)
		FAIL(d->v, V019, h->loc,
		     "the arguments of `%s` take %u words, a slot has %d; pass the rest in a buffer",
		     verify_name(d->v, h->name), words, VYRE_SLOT_ARGS);
}

static void check_handler(struct decls *d, vyrec_unit unit, vyrec_handler handler)
{
	const struct vyrec_handler_node *h = &d->v->m->handlers[handler];
	take_name(d, unit, h->name, false, h->loc);
	if (vyre_opcode_is_system(h->opcode))
		FAIL(d->v, V018, h->loc,
		     "opcode %#x of `%s` is one of the system's; take one of 0x8 to 0x7fffffff but 0xfff0 "
		     "to 0xffff",
		     h->opcode, verify_name(d->v, h->name));
	d->opcodes = vyrec_grow(d->opcodes, &d->opcode_capacity, d->opcode_count + 1, sizeof *d->opcodes);
	d->opcodes[d->opcode_count++] = h->opcode;
	bool lane = h->granularity == VYRE_BY_LANE && !h->width;
	if (!lane && (h->granularity != VYRE_BY_WORKGROUP || h->width > VYREC_MAX_LANES))
		FAIL(d->v, V015, h->loc,
		     "`%s` has granularity %u and width %u; write by lane, or by workgroup of 1 to %d",
		     verify_name(d->v, h->name), h->granularity, h->width, VYREC_MAX_LANES);
	check_arg_words(d, h);
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < h->shared_count && !verify_is_lowered(&d->v->m->units[unit]); i++)
		bytes += check_shared(d, d->v->m->refs[h->shared + i]);
	check_shared_bytes(d, bytes, h->loc);
}

static int compare_words(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static void check_opcodes(struct decls *d, const struct vyrec_unit_node *u)
{
	if (d->opcode_count > VYREC_MAX_OPS)
		FAIL(d->v, V004, u->loc, "%u ops in `%s`, the limit is %d; split the set", d->opcode_count,
		     verify_name(d->v, u->name), VYREC_MAX_OPS);
	if (d->opcode_count)
		qsort(d->opcodes, d->opcode_count, sizeof *d->opcodes, compare_words);
	for (uint32_t i = 1; i < d->opcode_count; i++)
		if (d->opcodes[i] == d->opcodes[i - 1])
			FAIL(d->v, V017, u->loc, "two ops of `%s` have opcode %#x; change one",
			     verify_name(d->v, u->name), d->opcodes[i]);
}

/* ---- units ----------------------------------------------------------------------------------------------------------- */

static void check_unit_kind(struct decls *d, vyrec_unit unit, const uint32_t *items)
{
	const struct vyrec_unit_node *u = &d->v->m->units[unit];
	bool set = u->kind == VYRE_UNIT_SET;
	if (set ? u->body || u->feed != VYRE_FEED_NONE : !u->body)
		FAIL(d->v, V013, u->loc, "%s `%s` %s; %s", set ? "set" : "program", verify_name(d->v, u->name),
		     set ? "has a body or a feed" : "has no body", set ? "move it into a program" : "write one");
	if (set ? items[VYREC_ITEM_SHARED] : items[VYREC_ITEM_HANDLER] && !verify_is_lowered(u))
		FAIL(d->v, V013, u->loc, "%s; move it",
		     set ? "a set has shared arrays outside its ops" : "a program has ops");
	if (u->feed == VYRE_FEED_NONE
		? u->features || u->frame_words
		: (u->features & ~(uint32_t)VYRE_HAS_ALL) || u->frame_words > VYRE_BLOB_MAX_FRAME_WORDS ||
		      (u->frame_words && !(u->features & VYRE_HAS_RECORDS)))
		FAIL(d->v, V023, u->loc,
		     "features %#x, frames of %u words in `%s`; none without a feed, else those of %#x, at most %d "
		     "words, and only with records (%#x)",
		     u->features, u->frame_words, verify_name(d->v, u->name), (unsigned)VYRE_HAS_ALL,
		     VYRE_BLOB_MAX_FRAME_WORDS, (unsigned)VYRE_HAS_RECORDS);
	uint64_t lanes = 1;
	for (unsigned i = 0; i < 3; i++)
		lanes = lanes > VYREC_MAX_LANES ? lanes : lanes * u->workgroup[i];
	if (!lanes || lanes > VYREC_MAX_LANES || (set && lanes != 1))
		FAIL(d->v, V014, u->loc, "workgroup(%u, %u, %u) of `%s`; it needs 1 to %d lanes in all (1 for a set)",
		     u->workgroup[0], u->workgroup[1], u->workgroup[2], verify_name(d->v, u->name), VYREC_MAX_LANES);
}

static void check_unit(struct decls *d, vyrec_unit unit)
{
	const struct vyrec_module *m = d->v->m;
	const struct vyrec_unit_node *u = &m->units[unit];
	uint32_t items[VYREC_ITEM_HANDLER + 1] = {0};
	uint64_t shared = 0;
	d->opcode_count = 0;
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t item = m->refs[u->items + 2 * i], index = m->refs[u->items + 2 * i + 1];
		items[item]++;
		if (item == VYREC_ITEM_BUFFER) {
			check_buffer(d, unit, index);
		} else if (item == VYREC_ITEM_SHARED) {
			take_name(d, unit, m->arrays[index].name, false, m->arrays[index].loc);
			shared += check_shared(d, index);
		} else if (item == VYREC_ITEM_CONST) {
			check_const(d, unit, index);
		} else if (item == VYREC_ITEM_FN) {
			take_name(d, unit, m->fns[index].name, true, m->fns[index].loc);
		} else {
			check_handler(d, unit, index);
		}
	}
	check_shared_bytes(d, shared, u->loc);
	check_opcodes(d, u);
	check_unit_kind(d, unit, items);
}

static void check_unit_names(struct decls *d)
{
	for (vyrec_unit unit = 1; unit < d->v->m->unit_count; unit++) {
		const struct vyrec_unit_node *u = &d->v->m->units[unit];
		bool twice = !u->name;
		for (vyrec_unit other = 1; other < unit; other++)
			twice |= d->v->m->units[other].name == u->name;
		if (u->name)
			verify_spelling(d->v, u->name, false, u->loc);
		if (twice)
			FAIL(d->v, V021, u->loc, "unit %u has the name `%s`; give it one that no other unit has", unit,
			     verify_name(d->v, u->name));
	}
}

void verify_decls(struct verifier *v)
{
	struct decls d = {.v = v};
	check_unit_names(&d);
	for (vyrec_unit unit = 1; unit < v->m->unit_count; unit++)
		check_unit(&d, unit);
	free(d.taken);
	free(d.opcodes);
}
