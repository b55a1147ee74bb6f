/* ptx_decode_memory.c - loads, stores, atomics, fences and addresses. */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_decode.h"

static uint8_t take_order(struct ptx_parts *parts, bool is_load)
{
	return ptx_take(parts, "weak")			? PTX_WEAK
	       : ptx_take(parts, "volatile")		? PTX_VOLATILE
	       : ptx_take(parts, "relaxed")		? PTX_RELAXED
	       : is_load && ptx_take(parts, "acquire")	? PTX_ACQUIRE
	       : !is_load && ptx_take(parts, "release") ? PTX_RELEASE
							: PTX_WEAK;
}

static void decode_access(struct ptx_parser *p, struct ptx_parts *parts, bool is_load)
{
	struct ptx_insn access = {.op = is_load ? PTX_load : PTX_store, .line = parts->token->line};
	uint32_t slots[4] = {PTX_SINK};
	char width = 0;
	access.order = take_order(parts, is_load);
	access.scope = ptx_take_scope(parts);
	if ((access.order >= PTX_RELAXED) != (access.scope != PTX_NO_SCOPE))
		ptx_refuse_parts(p, parts);
	enum ptx_space space = ptx_take_space(parts);
	if (is_load && space == PTX_GLOBAL && ptx_take(parts, "nc"))
		access.flags |= PTX_CONSTANT;
	access.count = ptx_take(parts, "v2") ? 2 : ptx_take(parts, "v4") ? 4 : 1;
	struct ptx_type type = ptx_take_type(parts);
	ptx_end_parts(p, parts);
	if (!type.bits || access.count * type.bits > 128 || (access.count > 1 && access.order > PTX_VOLATILE))
		ptx_refuse_parts(p, parts);
	access.width = (uint8_t)(type.bits / 8);
	if (is_load && access.count == 1)
		slots[0] = ptx_accept(p, "_") ? PTX_SINK : ptx_read_register(p, ptx_at_least(type.bits), &width);
	else if (is_load)
		ptx_read_vector(p, ptx_at_least(type.bits), access.count, true, slots, &width);
	if (is_load)
		ptx_expect(p, ",");
	ptx_read_address(p, &space, &access.a, &access.offset);
	access.space = (uint8_t)space;
	if (!is_load) {
		ptx_expect(p, ",");
		if (access.count == 1)
			slots[0] = ptx_read_source(p, ptx_at_least(type.bits), PTX_TEMP2);
		else
			ptx_read_vector(p, ptx_at_least(type.bits), access.count, false, slots, &width);
	}
	access.d = access.b = slots[0];
	if (access.count > 1) {
		access.flags |= PTX_VECTOR;
		access.e = ptx_new_vector(p, slots, access.count);
	}
	*ptx_emit(p, access.op) = access;
	for (unsigned i = 0; is_load && i < access.count && type.kind == PTX_SINT; i++)
		if (slots[i] != PTX_SINK && type.bits < ptx_letter_bits(width))
			ptx_extend(p, slots[i], type.bits, ptx_letter_bits(width));
}

/* What atom and red do on which type: f32, f64, u and s, or bits. */
static bool atom_type_fits(enum ptx_atom_mode mode, struct ptx_type t)
{
	if (t.bits < 32)
		return mode == PTX_ATOM_CAS && t.bits == 16 && t.untyped;
	switch (mode) {
	case PTX_ATOM_ADD:
		return !t.untyped && (t.kind != PTX_SINT || t.bits == 32);
	case PTX_ATOM_MIN:
	case PTX_ATOM_MAX:
		return !t.untyped && t.kind != PTX_FLOAT;
	case PTX_ATOM_INC:
	case PTX_ATOM_DEC:
		return !t.untyped && t.kind == PTX_UINT && t.bits == 32;
	default:
		return t.untyped;
	}
}

static void decode_atom(struct ptx_parser *p, struct ptx_parts *parts, bool has_result)
{
	static const char *const names[] = {
#define X(name, text) text,
	    PTX_ATOM_LIST(X)
#undef X
	};
	struct ptx_insn atom = {.op = PTX_atom, .line = parts->token->line, .count = 1};
	atom.order = ptx_take(parts, "relaxed")	  ? PTX_RELAXED
		     : ptx_take(parts, "acquire") ? PTX_ACQUIRE
		     : ptx_take(parts, "release") ? PTX_RELEASE
		     : ptx_take(parts, "acq_rel") ? PTX_ACQ_REL
						  : PTX_RELAXED;
	if (!has_result && (atom.order == PTX_ACQUIRE || atom.order == PTX_ACQ_REL))
		ptx_refuse_parts(p, parts);
	atom.scope = ptx_take_scope(parts);
	if (atom.scope == PTX_NO_SCOPE)
		atom.scope = PTX_GPU;
	enum ptx_space space = ptx_take_space(parts);
	for (atom.mode = 0; atom.mode < PTX_ATOMS && !ptx_take(parts, names[atom.mode]);)
		atom.mode++;
	struct ptx_type type = ptx_take_type(parts);
	ptx_end_parts(p, parts);
	if (atom.mode == PTX_ATOMS || !type.bits || !atom_type_fits(atom.mode, type) || space >= PTX_LOCAL ||
	    (!has_result && (atom.mode == PTX_ATOM_CAS || atom.mode == PTX_ATOM_EXCH)))
		ptx_refuse_parts(p, parts);
	char letter = ptx_letter_of(type.bits);
	atom.width = (uint8_t)(type.bits / 8);
	atom.flags = (uint8_t)(type.kind << 4);
	atom.d = PTX_SINK;
	if (has_result) {
		atom.d = ptx_read_dest(p, letter);
		ptx_expect(p, ",");
	}
	ptx_read_address(p, &space, &atom.a, &atom.offset);
	atom.space = (uint8_t)space;
	ptx_expect(p, ",");
	atom.b = ptx_read_source(p, letter, PTX_TEMP2);
	if (atom.mode == PTX_ATOM_CAS) {
		ptx_expect(p, ",");
		atom.c = ptx_read_source(p, letter, PTX_TEMP3);
		atom.op = PTX_cas;
	}
	*ptx_emit(p, atom.op) = atom;
}

void ptx_decode_atom_result(struct ptx_parser *p, struct ptx_parts *parts)
{
	decode_atom(p, parts, true);
}

void ptx_decode_red(struct ptx_parser *p, struct ptx_parts *parts)
{
	decode_atom(p, parts, false);
}

void ptx_decode_load(struct ptx_parser *p, struct ptx_parts *parts)
{
	decode_access(p, parts, true);
}

void ptx_decode_store(struct ptx_parser *p, struct ptx_parts *parts)
{
	decode_access(p, parts, false);
}

void ptx_decode_fence(struct ptx_parser *p, struct ptx_parts *parts)
{
	struct ptx_insn *fence;
	uint8_t order = PTX_SC, scope;
	if (ptx_take(parts, "acq_rel"))
		order = PTX_ACQ_REL;
	else if (ptx_take(parts, "acquire"))
		order = PTX_ACQUIRE;
	else if (ptx_take(parts, "release"))
		order = PTX_RELEASE;
	else
		ptx_take(parts, "sc");
	scope = ptx_take_scope(parts);
	ptx_end_parts(p, parts);
	if (parts->count != 3 || scope == PTX_NO_SCOPE)
		ptx_refuse_parts(p, parts);
	fence = ptx_emit(p, PTX_fence);
	fence->order = order;
	fence->scope = scope;
}

/* membar.cta, .gl, .sys are fence.sc of cta, gpu, sys. */
void ptx_decode_membar(struct ptx_parser *p, struct ptx_parts *parts)
{
	uint8_t scope = ptx_take(parts, "gl") ? PTX_GPU : ptx_take_scope(parts);
	ptx_end_parts(p, parts);
	if (scope == PTX_NO_SCOPE)
		ptx_refuse_parts(p, parts);
	struct ptx_insn *fence = ptx_emit(p, PTX_fence);
	fence->order = PTX_SC;
	fence->scope = scope;
}

/* cvta.SPACE.u64 to a generic address; cvta.to.SPACE.u64 from one. */
void ptx_decode_cvta(struct ptx_parser *p, struct ptx_parts *parts)
{
	bool to = ptx_take(parts, "to");
	enum ptx_space space = ptx_take_space(parts);
	if (space == PTX_GENERIC || !ptx_take(parts, "u64"))
		ptx_refuse_parts(p, parts);
	ptx_end_parts(p, parts);
	uint32_t d = ptx_read_dest(p, 'd');
	ptx_expect(p, ",");
	uint32_t a = ptx_read_source(p, 'd', PTX_TEMP);
	ptx_emit_value(p, to ? PTX_from_generic : PTX_to_generic, d, a, 0, 0)->space = (uint8_t)space;
}

void ptx_decode_isspacep(struct ptx_parser *p, struct ptx_parts *parts)
{
	enum ptx_space space = ptx_take_space(parts);
	ptx_end_parts(p, parts);
	if (space == PTX_GENERIC)
		ptx_refuse_parts(p, parts);
	uint32_t d = ptx_read_dest(p, 'p');
	ptx_expect(p, ",");
	ptx_emit_value(p, PTX_is_space, d, ptx_read_source(p, 'd', PTX_TEMP), 0, 0)->space = (uint8_t)space;
}
