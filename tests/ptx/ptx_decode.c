/* ptx_decode.c - one PTX instruction to one or a few of ours.
 *
 * Enters: the tokens of an instruction. Leaves: instructions with slots for operands. A mnemonic is either a row of
 * ptx_ops.def, word for word, or of one of the families here, which take a mnemonic apart at its dots and refuse every part that
 * they do not know: nothing is ever passed over. Registers must have the width of the type, except where PTX allows wider ones
 * (ld, st, cvt). Immediates become constants in the frame, so that executing an operand is one load.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_parse.h"

/* ---- emitting ----------------------------------------------------------------------------------------------- */

static struct ptx_insn *emit(struct ptx_parser *p, enum ptx_op op)
{
	struct ptx_function *f = p->function;
	ptx_grow(&f->insns, f->insn_count, &f->insn_room, sizeof *f->insns);
	struct ptx_insn *insn = &f->insns[f->insn_count++];
	*insn = (struct ptx_insn){.op = (uint16_t)op, .line = p->at->line};
	return insn;
}

static struct ptx_insn *emit_value(struct ptx_parser *p, enum ptx_op op, uint32_t d, uint32_t a, uint32_t b, uint32_t c)
{
	struct ptx_insn *insn = emit(p, op);
	insn->d = d;
	insn->a = a;
	insn->b = b;
	insn->c = c;
	return insn;
}

static uint32_t constant(struct ptx_parser *p, uint64_t value)
{
	struct ptx_function *f = p->function;
	if (!value)
		return PTX_ZERO;
	for (uint32_t i = 0; i < f->constant_count; i++)
		if (f->constants[i].value == value)
			return f->constants[i].slot;
	uint32_t room = f->constant_count & (f->constant_count - 1) ? UINT32_MAX : f->constant_count;
	ptx_grow(&f->constants, f->constant_count, &room, sizeof *f->constants);
	f->constants[f->constant_count++] = (struct ptx_constant){f->slot_count, value};
	return f->slot_count++;
}

/* ---- operands ----------------------------------------------------------------------------------------------- */

static unsigned letter_bits(char letter)
{
	return letter == 'p' ? 1 : letter == 'h' ? 16 : letter == 'w' ? 32 : 64;
}

static uint64_t truncated(uint64_t value, char letter)
{
	return letter == 'd' ? value : value & ((UINT64_C(1) << letter_bits(letter)) - 1);
}

static const struct ptx_symbol *named(struct ptx_parser *p, const struct ptx_token *name, uint32_t *slot)
{
	const struct ptx_symbol *s = name->kind == PTX_TOKEN_WORD ? ptx_symbol_find(p, name, slot) : NULL;
	if (!s)
		ptx_refuse(p, name, "'%.*s' is declared nowhere", (int)name->bytes, name->text);
	return s;
}

/* The slot of a register of that width; an upper-case letter also takes wider ones. *width: the letter it has. */
static uint32_t read_register(struct ptx_parser *p, char letter, char *width)
{
	const struct ptx_token *name = ptx_next(p);
	uint32_t slot;
	bool wider = letter == 'H' || letter == 'W' || letter == 'D' || letter == 'B';
	unsigned bits = letter == 'B' ? 8 : letter_bits((char)(letter | 0x20));
	const struct ptx_symbol *s = named(p, name, &slot);
	if (s->kind != PTX_SYMBOL_REGISTER)
		ptx_refuse(p, name, "%.*s is no register", (int)name->bytes, name->text);
	if ((letter == 'p') != (s->letter == 'p') ||
	    (wider ? letter_bits(s->letter) < bits : letter_bits(s->letter) != bits))
		ptx_refuse(p, name, "%.*s has %u bits where %u belong", (int)name->bytes, name->text,
			   letter_bits(s->letter), bits);
	*width = s->letter;
	return slot;
}

static uint32_t read_dest(struct ptx_parser *p, char letter)
{
	char width;
	return ptx_accept(p, "_") ? PTX_SINK : read_register(p, letter, &width);
}

static bool find_special(const struct ptx_token *token, uint32_t *index)
{
	static const char *const names[] = {
#define X(name, text) text,
	    PTX_SPECIAL_LIST(X)
#undef X
	};
	for (*index = 0; *index < PTX_SPECIALS; ++*index)
		if (ptx_token_is(token, names[*index]))
			return true;
	return false;
}

/* An address as a value: the variable's, in its own space. */
static uint32_t emit_address(struct ptx_parser *p, const struct ptx_symbol *s, uint64_t more, uint32_t temp)
{
	if (s->space == PTX_CALL_PARAM)
		ptx_refuse(p, p->at, "the address of a parameter of a call");
	if (s->space != PTX_LOCAL && !s->is_dynamic)
		return constant(p, s->offset + more);
	struct ptx_insn *insn = emit(p, PTX_address);
	insn->d = temp;
	insn->space = s->space;
	insn->offset = (int64_t)(s->offset + more);
	insn->mode = s->is_dynamic;
	return temp;
}

/* A register, an immediate, `!predicate`, or where `w` or `d` belongs a variable's address. */
static uint32_t read_source_width(struct ptx_parser *p, char letter, uint32_t temp, char *width)
{
	uint32_t slot;
	char exact = (char)(letter == 'B' ? 'h' : letter | 0x20);
	*width = exact;
	if (letter == 'p' && ptx_accept(p, "!")) {
		emit_value(p, PTX_not_p, temp, read_register(p, 'p', width), 0, 0);
		return temp;
	}
	if (p->at->kind == PTX_TOKEN_NUMBER) {
		const struct ptx_token *number = ptx_next(p);
		if (number->is_float && number->is_float != letter_bits(exact))
			ptx_refuse(p, number, "a float of %u bits where %u belong", number->is_float,
				   letter_bits(exact));
		return constant(p, truncated(number->number, exact));
	}
	if (p->at->kind == PTX_TOKEN_WORD && ptx_symbol_find(p, p->at, &slot) &&
	    ptx_symbol_find(p, p->at, &slot)->kind == PTX_SYMBOL_VARIABLE) {
		const struct ptx_symbol *s = ptx_symbol_find(p, ptx_next(p), &slot);
		uint64_t more = ptx_accept(p, "+") ? ptx_next(p)->number : 0;
		if (exact != 'd' && (exact != 'w' || s->space == PTX_GLOBAL))
			ptx_refuse(p, p->at, "an address in %u bits", letter_bits(exact));
		return emit_address(p, s, more, temp);
	}
	return read_register(p, letter, width);
}

static uint32_t read_source(struct ptx_parser *p, char letter, uint32_t temp)
{
	char width;
	return read_source_width(p, letter, temp, &width);
}

/* `[register + 8]`, `[variable + 8]`, `[number]` */
static void read_address(struct ptx_parser *p, enum ptx_space *space, uint32_t *slot, int64_t *offset)
{
	char width;
	const struct ptx_symbol *s = NULL;
	uint32_t unused;
	*offset = 0;
	*slot = PTX_ZERO;
	ptx_expect(p, "[");
	if (p->at->kind == PTX_TOKEN_NUMBER) {
		*offset = (int64_t)ptx_next(p)->number;
	} else if (named(p, p->at, &unused)->kind == PTX_SYMBOL_REGISTER) {
		*slot = read_register(p, *space == PTX_SHARED || *space == PTX_LOCAL || *space == PTX_CONST ? 'W' : 'd',
				      &width);
	} else {
		s = named(p, p->at, &unused);
		if (s->kind != PTX_SYMBOL_VARIABLE)
			ptx_refuse(p, p->at, "%.*s is no variable", (int)p->at->bytes, p->at->text);
		ptx_next(p);
	}
	if (ptx_accept(p, "+"))
		*offset += (int64_t)ptx_next(p)->number;
	ptx_expect(p, "]");
	if (!s)
		return;
	bool is_param = s->space == PTX_PARAM || s->space == PTX_CALL_PARAM;
	if (*space == PTX_PARAM ? !is_param : *space != s->space && (*space != PTX_GENERIC || s->space != PTX_GLOBAL))
		ptx_refuse(p, p->at, "a variable of another space than the instruction's");
	*space = s->space;
	if (s->space == PTX_LOCAL || s->is_dynamic)
		*slot = emit_address(p, s, 0, PTX_TEMP);
	else
		*offset += (int64_t)s->offset;
}

/* ---- mnemonics in parts ------------------------------------------------------------------------------------- */

struct parts {
	const struct ptx_token *token;
	const char *at[16];
	size_t bytes[16];
	unsigned count, next;
};

static struct parts split(struct ptx_parser *p, const struct ptx_token *token)
{
	struct parts parts = {.token = token};
	for (uint32_t i = 0; i < token->bytes; i++) {
		if (parts.count == 16)
			ptx_refuse(p, token, "'%.*s' is unknown", (int)token->bytes, token->text);
		const char *dot = memchr(token->text + i, '.', token->bytes - i);
		uint32_t end = dot ? (uint32_t)(dot - token->text) : token->bytes;
		parts.at[parts.count] = token->text + i;
		parts.bytes[parts.count++] = end - i;
		i = end;
	}
	return parts;
}

static bool take(struct parts *parts, const char *text)
{
	bool is = parts->next < parts->count && parts->bytes[parts->next] == strlen(text) &&
		  !memcmp(parts->at[parts->next], text, strlen(text));
	parts->next += is;
	return is;
}

__attribute__((noreturn)) static void refuse_parts(struct ptx_parser *p, const struct parts *parts)
{
	ptx_refuse(p, parts->token, "'%.*s' is unknown to this executor", (int)parts->token->bytes, parts->token->text);
}

static void end_parts(struct ptx_parser *p, const struct parts *parts)
{
	if (parts->next != parts->count)
		refuse_parts(p, parts);
}

struct type {
	unsigned bits; /* 0 = none */
	enum ptx_kind kind;
	bool untyped; /* b32 */
};

static struct type take_type(struct parts *parts)
{
	static const struct {
		const char *text;
		struct type type;
	} types[] = {{"b8", {8, PTX_UINT, true}},     {"u8", {8, PTX_UINT, false}},   {"s8", {8, PTX_SINT, false}},
		     {"b16", {16, PTX_UINT, true}},   {"u16", {16, PTX_UINT, false}}, {"s16", {16, PTX_SINT, false}},
		     {"b32", {32, PTX_UINT, true}},   {"u32", {32, PTX_UINT, false}}, {"s32", {32, PTX_SINT, false}},
		     {"b64", {64, PTX_UINT, true}},   {"u64", {64, PTX_UINT, false}}, {"s64", {64, PTX_SINT, false}},
		     {"f32", {32, PTX_FLOAT, false}}, {"f64", {64, PTX_FLOAT, false}}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (take(parts, types[i].text))
			return types[i].type;
	return (struct type){0};
}

static char letter_of(unsigned bits)
{
	return bits == 16 ? 'h' : bits == 32 ? 'w' : 'd';
}

/* 'B' 'H' 'W' 'D': at least that many bits. */
static char at_least(unsigned bits)
{
	return bits == 8 ? 'B' : (char)(letter_of(bits) & ~0x20);
}

static uint8_t take_scope(struct parts *parts)
{
	return take(parts, "sys")	? PTX_SYS
	       : take(parts, "gpu")	? PTX_GPU
	       : take(parts, "cluster") ? PTX_CLUSTER
	       : take(parts, "cta")	? PTX_CTA
					: PTX_NO_SCOPE;
}

static enum ptx_space take_space(struct parts *parts)
{
	return take(parts, "global")   ? PTX_GLOBAL
	       : take(parts, "shared") ? PTX_SHARED
	       : take(parts, "local")  ? PTX_LOCAL
	       : take(parts, "const")  ? PTX_CONST
	       : take(parts, "param")  ? PTX_PARAM
				       : PTX_GENERIC;
}

/* ---- memory ------------------------------------------------------------------------------------------------- */

static uint8_t take_order(struct parts *parts, bool is_load)
{
	return take(parts, "weak")		    ? PTX_WEAK
	       : take(parts, "volatile")	    ? PTX_VOLATILE
	       : take(parts, "relaxed")		    ? PTX_RELAXED
	       : is_load && take(parts, "acquire")  ? PTX_ACQUIRE
	       : !is_load && take(parts, "release") ? PTX_RELEASE
						    : PTX_WEAK;
}

static uint32_t new_vector(struct ptx_parser *p, const uint32_t *slots, unsigned count)
{
	struct ptx_function *f = p->function;
	f->vectors = realloc(f->vectors, (f->vector_count + count) * sizeof *f->vectors);
	if (!f->vectors)
		abort();
	memcpy(f->vectors + f->vector_count, slots, count * sizeof *slots);
	f->vector_count += count;
	return f->vector_count - count;
}

/* `{a, b}`; the letter as in read_register. */
static void read_vector(struct ptx_parser *p, char letter, unsigned count, bool is_dest, uint32_t *slots, char *width)
{
	ptx_expect(p, "{");
	for (unsigned i = 0; i < count; i++) {
		if (i)
			ptx_expect(p, ",");
		*width = letter;
		slots[i] = !is_dest		? read_source_width(p, letter, PTX_TEMP2, width)
			   : ptx_accept(p, "_") ? PTX_SINK
						: read_register(p, letter, width);
	}
	ptx_expect(p, "}");
}

/* The bits of a signed value that was loaded into a wider register. */
static void extend(struct ptx_parser *p, uint32_t slot, unsigned from, unsigned to)
{
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	unsigned f = from == 8 ? 0 : from == 16 ? 1 : from == 32 ? 2 : 3, t = to == 16 ? 1 : to == 32 ? 2 : 3;
	emit_value(p, sign[f], slot, slot, 0, 0);
	emit_value(p, low[t], slot, slot, 0, 0);
}

static void decode_access(struct ptx_parser *p, struct parts *parts, bool is_load)
{
	struct ptx_insn access = {.op = is_load ? PTX_load : PTX_store, .line = parts->token->line};
	uint32_t slots[4] = {PTX_SINK};
	char width = 0;
	access.order = take_order(parts, is_load);
	access.scope = take_scope(parts);
	if ((access.order >= PTX_RELAXED) != (access.scope != PTX_NO_SCOPE))
		refuse_parts(p, parts);
	enum ptx_space space = take_space(parts);
	if (is_load && space == PTX_GLOBAL && take(parts, "nc"))
		access.flags |= PTX_CONSTANT;
	access.count = take(parts, "v2") ? 2 : take(parts, "v4") ? 4 : 1;
	struct type type = take_type(parts);
	end_parts(p, parts);
	if (!type.bits || access.count * type.bits > 128 || (access.count > 1 && access.order > PTX_VOLATILE))
		refuse_parts(p, parts);
	access.width = (uint8_t)(type.bits / 8);
	if (is_load && access.count == 1)
		slots[0] = ptx_accept(p, "_") ? PTX_SINK : read_register(p, at_least(type.bits), &width);
	else if (is_load)
		read_vector(p, at_least(type.bits), access.count, true, slots, &width);
	if (is_load)
		ptx_expect(p, ",");
	read_address(p, &space, &access.a, &access.offset);
	access.space = (uint8_t)space;
	if (!is_load) {
		ptx_expect(p, ",");
		if (access.count == 1)
			slots[0] = read_source(p, at_least(type.bits), PTX_TEMP2);
		else
			read_vector(p, at_least(type.bits), access.count, false, slots, &width);
	}
	access.d = access.b = slots[0];
	if (access.count > 1) {
		access.flags |= PTX_VECTOR;
		access.e = new_vector(p, slots, access.count);
	}
	*emit(p, access.op) = access;
	for (unsigned i = 0; is_load && i < access.count && type.kind == PTX_SINT; i++)
		if (slots[i] != PTX_SINK && type.bits < letter_bits(width))
			extend(p, slots[i], type.bits, letter_bits(width));
}

/* What atom and red do on which type: f32, f64, u and s, or bits. */
static bool atom_type_fits(enum ptx_atom_mode mode, struct type t)
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

static void decode_atom(struct ptx_parser *p, struct parts *parts, bool has_result)
{
	static const char *const names[] = {
#define X(name, text) text,
	    PTX_ATOM_LIST(X)
#undef X
	};
	struct ptx_insn atom = {.op = PTX_atom, .line = parts->token->line, .count = 1};
	atom.order = take(parts, "relaxed")   ? PTX_RELAXED
		     : take(parts, "acquire") ? PTX_ACQUIRE
		     : take(parts, "release") ? PTX_RELEASE
		     : take(parts, "acq_rel") ? PTX_ACQ_REL
					      : PTX_RELAXED;
	if (!has_result && (atom.order == PTX_ACQUIRE || atom.order == PTX_ACQ_REL))
		refuse_parts(p, parts);
	atom.scope = take_scope(parts);
	if (atom.scope == PTX_NO_SCOPE)
		atom.scope = PTX_GPU;
	enum ptx_space space = take_space(parts);
	for (atom.mode = 0; atom.mode < PTX_ATOMS && !take(parts, names[atom.mode]);)
		atom.mode++;
	struct type type = take_type(parts);
	end_parts(p, parts);
	if (atom.mode == PTX_ATOMS || !type.bits || !atom_type_fits(atom.mode, type) || space >= PTX_LOCAL ||
	    (!has_result && (atom.mode == PTX_ATOM_CAS || atom.mode == PTX_ATOM_EXCH)))
		refuse_parts(p, parts);
	char letter = letter_of(type.bits);
	atom.width = (uint8_t)(type.bits / 8);
	atom.flags = (uint8_t)(type.kind << 4);
	atom.d = PTX_SINK;
	if (has_result) {
		atom.d = read_dest(p, letter);
		ptx_expect(p, ",");
	}
	read_address(p, &space, &atom.a, &atom.offset);
	atom.space = (uint8_t)space;
	ptx_expect(p, ",");
	atom.b = read_source(p, letter, PTX_TEMP2);
	if (atom.mode == PTX_ATOM_CAS) {
		ptx_expect(p, ",");
		atom.c = read_source(p, letter, PTX_TEMP3);
		atom.op = PTX_cas;
	}
	*emit(p, atom.op) = atom;
}

static void decode_atom_result(struct ptx_parser *p, struct parts *parts)
{
	decode_atom(p, parts, true);
}

static void decode_red(struct ptx_parser *p, struct parts *parts)
{
	decode_atom(p, parts, false);
}

static void decode_load(struct ptx_parser *p, struct parts *parts)
{
	decode_access(p, parts, true);
}

static void decode_store(struct ptx_parser *p, struct parts *parts)
{
	decode_access(p, parts, false);
}

static void decode_fence(struct ptx_parser *p, struct parts *parts)
{
	struct ptx_insn *fence;
	uint8_t order = PTX_SC, scope;
	if (!take(parts, "sc") && take(parts, "acq_rel"))
		order = PTX_ACQ_REL;
	scope = take_scope(parts);
	end_parts(p, parts);
	if (parts->count != 3 || scope == PTX_NO_SCOPE)
		refuse_parts(p, parts);
	fence = emit(p, PTX_fence);
	fence->order = order;
	fence->scope = scope;
}

/* membar.cta, .gl, .sys are fence.sc of cta, gpu, sys. */
static void decode_membar(struct ptx_parser *p, struct parts *parts)
{
	uint8_t scope = take(parts, "gl") ? PTX_GPU : take_scope(parts);
	end_parts(p, parts);
	if (scope == PTX_NO_SCOPE)
		refuse_parts(p, parts);
	struct ptx_insn *fence = emit(p, PTX_fence);
	fence->order = PTX_SC;
	fence->scope = scope;
}

/* cvta.SPACE.u64 to a generic address; cvta.to.SPACE.u64 from one. */
static void decode_cvta(struct ptx_parser *p, struct parts *parts)
{
	bool to = take(parts, "to");
	enum ptx_space space = take_space(parts);
	if (space == PTX_GENERIC || !take(parts, "u64"))
		refuse_parts(p, parts);
	end_parts(p, parts);
	uint32_t d = read_dest(p, 'd');
	ptx_expect(p, ",");
	uint32_t a = read_source(p, 'd', PTX_TEMP);
	emit_value(p, to ? PTX_from_generic : PTX_to_generic, d, a, 0, 0)->space = (uint8_t)space;
}

static void decode_isspacep(struct ptx_parser *p, struct parts *parts)
{
	enum ptx_space space = take_space(parts);
	end_parts(p, parts);
	if (space == PTX_GENERIC)
		refuse_parts(p, parts);
	uint32_t d = read_dest(p, 'p');
	ptx_expect(p, ",");
	emit_value(p, PTX_is_space, d, read_source(p, 'd', PTX_TEMP), 0, 0)->space = (uint8_t)space;
}

/* ---- moves and conversions ---------------------------------------------------------------------------------- */

/* mov.b64 {lo, hi}, x and back: halves (or quarters) of a register. */
static void decode_pack(struct ptx_parser *p, unsigned bits, bool is_dest)
{
	uint32_t slots[4], whole;
	char width;
	unsigned count = 1;
	for (const struct ptx_token *t = p->at; !ptx_token_is(t, "}") && !ptx_token_is(t, ";"); t++)
		count += ptx_token_is(t, ",");
	if (!is_dest)
		whole = PTX_TEMP3;
	if (count > 4 || bits / count < 16)
		ptx_refuse(p, p->at, "a vector of %u parts in %u bits", count, bits);
	unsigned part = bits / count;
	read_vector(p, letter_of(part), count, is_dest, slots, &width);
	if (is_dest) {
		ptx_expect(p, ",");
		whole = read_source(p, letter_of(bits), PTX_TEMP);
		emit_value(p, PTX_mov, PTX_TEMP3, whole, 0, 0);
		for (unsigned i = 0; i < count; i++) {
			emit_value(p, PTX_shr_u64, PTX_TEMP2, PTX_TEMP3, constant(p, i * part), 0);
			emit_value(p, part == 16 ? PTX_low_16 : PTX_low_32, slots[i], PTX_TEMP2, 0, 0);
		}
		return;
	}
	emit_value(p, PTX_mov, PTX_TEMP3, PTX_ZERO, 0, 0);
	for (unsigned i = 0; i < count; i++) {
		emit_value(p, PTX_shl_64, PTX_TEMP2, slots[i], constant(p, i * part), 0);
		emit_value(p, PTX_or_64, PTX_TEMP3, PTX_TEMP3, PTX_TEMP2, 0);
	}
}

static void decode_mov(struct ptx_parser *p, struct parts *parts)
{
	struct type type = {0};
	char letter = 'p';
	if (!take(parts, "pred")) {
		type = take_type(parts);
		letter = letter_of(type.bits);
		if (type.bits < 16)
			refuse_parts(p, parts);
	}
	end_parts(p, parts);
	if (ptx_token_is(p->at, "{")) {
		decode_pack(p, type.bits, true);
		return;
	}
	uint32_t d = read_dest(p, letter), a, index;
	ptx_expect(p, ",");
	if (find_special(p->at, &index)) {
		bool is_wide = index == PTX_SPECIAL_CLOCK64 || index == PTX_SPECIAL_TIMER;
		if (letter != (is_wide ? 'd' : 'w'))
			ptx_refuse(p, p->at, "%.*s does not have %u bits", (int)p->at->bytes, p->at->text, type.bits);
		ptx_next(p);
		struct ptx_insn *special = emit(p, PTX_special);
		special->d = d;
		special->e = index;
		return;
	}
	if (ptx_token_is(p->at, "{")) {
		decode_pack(p, type.bits, false);
		a = PTX_TEMP3;
	} else {
		a = read_source(p, letter, PTX_TEMP);
	}
	emit_value(p, PTX_mov, d, a, 0, 0);
}

/* Between integers: extended as the source says, cut to the target, extended to the register as the target says. */
static void convert_ints(struct ptx_parser *p, struct type to, struct type from)
{
	char width, unused;
	uint32_t d = read_register(p, at_least(to.bits), &width);
	ptx_expect(p, ",");
	uint32_t a = read_source_width(p, at_least(from.bits), PTX_TEMP, &unused);
	unsigned f = from.bits == 8 ? 0 : from.bits == 16 ? 1 : from.bits == 32 ? 2 : 3;
	unsigned t = to.bits == 8 ? 0 : to.bits == 16 ? 1 : to.bits == 32 ? 2 : 3;
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	emit_value(p, (from.kind == PTX_SINT ? sign : low)[f], d, a, 0, 0);
	if (t < 3)
		emit_value(p, low[t], d, d, 0, 0);
	if (to.kind == PTX_SINT && to.bits < letter_bits(width))
		extend(p, d, to.bits, letter_bits(width));
}

static void convert_to_float(struct ptx_parser *p, struct type to, struct type from)
{
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	static const enum ptx_op make[2][2] = {{PTX_f32_u64, PTX_f32_s64}, {PTX_f64_u64, PTX_f64_s64}};
	char unused;
	uint32_t d = read_dest(p, letter_of(to.bits));
	ptx_expect(p, ",");
	uint32_t a = read_source_width(p, at_least(from.bits), PTX_TEMP, &unused);
	unsigned f = from.bits == 8 ? 0 : from.bits == 16 ? 1 : from.bits == 32 ? 2 : 3;
	emit_value(p, (from.kind == PTX_SINT ? sign : low)[f], PTX_TEMP, a, 0, 0);
	emit_value(p, make[to.bits == 64][from.kind == PTX_SINT], d, PTX_TEMP, 0, 0);
}

static void convert_to_int(struct ptx_parser *p, struct type to, struct type from, unsigned rounding)
{
	static const enum ptx_op round[2][4] = {{PTX_rni_f32, PTX_rzi_f32, PTX_rmi_f32, PTX_rpi_f32},
						{PTX_rni_f64, PTX_rzi_f64, PTX_rmi_f64, PTX_rpi_f64}};
	static const enum ptx_op make[2][2][4] = {
	    {{PTX_u8_f32, PTX_u16_f32, PTX_u32_f32, PTX_u64_f32}, {PTX_s8_f32, PTX_s16_f32, PTX_s32_f32, PTX_s64_f32}},
	    {{PTX_u8_f64, PTX_u16_f64, PTX_u32_f64, PTX_u64_f64}, {PTX_s8_f64, PTX_s16_f64, PTX_s32_f64, PTX_s64_f64}}};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	char width;
	uint32_t d = read_register(p, at_least(to.bits), &width);
	ptx_expect(p, ",");
	uint32_t a = read_source(p, letter_of(from.bits), PTX_TEMP);
	unsigned t = to.bits == 8 ? 0 : to.bits == 16 ? 1 : to.bits == 32 ? 2 : 3;
	unsigned r = letter_bits(width) == 16 ? 1 : letter_bits(width) == 32 ? 2 : 3;
	emit_value(p, round[from.bits == 64][rounding], PTX_TEMP, a, 0, 0);
	emit_value(p, make[from.bits == 64][to.kind == PTX_SINT][t], d, PTX_TEMP, 0, 0);
	emit_value(p, low[r], d, d, 0, 0);
}

/* Those between floats are rows; these are the others. */
static void decode_cvt(struct ptx_parser *p, struct parts *parts)
{
	static const char *const roundings[] = {"rni", "rzi", "rmi", "rpi"};
	unsigned rounding = 0;
	while (rounding < 4 && !take(parts, roundings[rounding]))
		rounding++;
	bool nearest = rounding == 4 && take(parts, "rn");
	struct type to = take_type(parts), from = take_type(parts);
	end_parts(p, parts);
	bool to_float = to.kind == PTX_FLOAT, from_float = from.kind == PTX_FLOAT;
	if (!to.bits || !from.bits || to.untyped || from.untyped || (to_float && from_float) || nearest != to_float ||
	    (rounding < 4) != from_float)
		refuse_parts(p, parts);
	if (to_float)
		convert_to_float(p, to, from);
	else if (from_float)
		convert_to_int(p, to, from, rounding);
	else
		convert_ints(p, to, from);
}

/* ---- predicates with a second test, carries ----------------------------------------------------------------- */

/* setp.CMP.BOOL.TYPE p|q, a, b, c is setp.CMP.TYPE and a logical instruction or two. */
static void decode_setp(struct ptx_parser *p, struct parts *parts)
{
	char text[64] = "setp.";
	size_t n = 5;
	enum ptx_op combine = PTX_mov, test;
	uint32_t d, q = PTX_SINK, c = PTX_ZERO;
	for (; parts->next < parts->count; parts->next++) {
		if (take(parts, "and") || take(parts, "or") || take(parts, "xor")) {
			char first = parts->at[--parts->next][0];
			combine = first == 'a' ? PTX_and_p : first == 'o' ? PTX_or_p : PTX_xor_p;
			continue;
		}
		if (n + parts->bytes[parts->next] + 2 > sizeof text)
			refuse_parts(p, parts);
		memcpy(text + n, parts->at[parts->next], parts->bytes[parts->next]);
		n += parts->bytes[parts->next];
		text[n++] = '.';
	}
	if (!ptx_op_find(text, n - 1, &test))
		refuse_parts(p, parts);
	d = read_dest(p, 'p');
	if (ptx_accept(p, "|"))
		q = read_dest(p, 'p');
	ptx_expect(p, ",");
	uint32_t a = read_source(p, ptx_op_operands(test)[1], PTX_TEMP);
	ptx_expect(p, ",");
	uint32_t b = read_source(p, ptx_op_operands(test)[2], PTX_TEMP2);
	if (combine != PTX_mov) {
		ptx_expect(p, ",");
		c = read_source(p, 'p', PTX_TEMP3);
		emit_value(p, PTX_mov, PTX_TEMP3, c, 0, 0);
	}
	emit_value(p, test, PTX_TEMP, a, b, 0);
	emit_value(p, combine, d, PTX_TEMP, PTX_TEMP3, 0);
	if (q != PTX_SINK) {
		emit_value(p, PTX_not_p, PTX_TEMP, PTX_TEMP, 0, 0);
		emit_value(p, combine, q, PTX_TEMP, PTX_TEMP3, 0);
	}
}

/* add{c}, sub{c}, mad{c} with .cc: mode 1 = upper half of the product; order: see PTX_CONTROL_LIST. */
static void decode_carry(struct ptx_parser *p, struct parts *parts)
{
	const char *name = parts->at[0];
	bool is_mad = name[0] == 'm', has_in = name[parts->bytes[0] - 1] == 'c';
	uint8_t mode = 0;
	if (is_mad && !take(parts, "lo") && take(parts, "hi"))
		mode = 1;
	bool has_out = take(parts, "cc");
	struct type type = take_type(parts);
	end_parts(p, parts);
	if (type.bits < 32 || type.kind == PTX_FLOAT || type.untyped || (!has_in && !has_out) ||
	    (mode && type.kind == PTX_SINT))
		refuse_parts(p, parts);
	char letter = letter_of(type.bits);
	uint32_t slots[4] = {read_dest(p, letter)};
	for (unsigned i = 1; i < 3u + is_mad; i++) {
		ptx_expect(p, ",");
		slots[i] = read_source(p, letter, PTX_TEMP + i - 1);
	}
	struct ptx_insn *insn = emit_value(p, is_mad ? PTX_mad_cc : PTX_add_cc, slots[0], slots[1], slots[2], slots[3]);
	insn->width = (uint8_t)(type.bits / 8);
	insn->order = (uint8_t)(has_in | has_out << 1 | (name[0] == 's') << 2);
	insn->mode = mode;
}

/* ---- control ------------------------------------------------------------------------------------------------ */

static void decode_brx(struct ptx_parser *p, struct parts *parts)
{
	uint32_t table;
	bool is_idx = take(parts, "idx");
	(void)take(parts, "uni");
	end_parts(p, parts);
	if (!is_idx)
		refuse_parts(p, parts);
	uint32_t a = read_source(p, 'w', PTX_TEMP);
	ptx_expect(p, ",");
	const struct ptx_token *name = ptx_next(p);
	if (named(p, name, &table)->kind != PTX_SYMBOL_TABLE)
		ptx_refuse(p, name, "%.*s is no list of .branchtargets", (int)name->bytes, name->text);
	emit_value(p, PTX_brx, 0, a, 0, 0)->e = table;
}

static uint32_t read_spans(struct ptx_parser *p, struct ptx_span *spans, uint32_t most)
{
	uint32_t count = 0, unused;
	while (!ptx_accept(p, ")")) {
		if (count)
			ptx_expect(p, ",");
		const struct ptx_token *name = ptx_next(p);
		const struct ptx_symbol *s = named(p, name, &unused);
		if (s->kind != PTX_SYMBOL_VARIABLE || s->space != PTX_CALL_PARAM || count == most)
			ptx_refuse(p, name, "%.*s is no parameter of a call", (int)name->bytes, name->text);
		spans[count++] = (struct ptx_span){(uint32_t)s->offset, (uint32_t)s->size};
	}
	return count;
}

/* call{.uni} (result), name, (a, b); */
static void decode_call(struct ptx_parser *p, struct parts *parts)
{
	struct ptx_function *f = p->function;
	struct ptx_call call = {0};
	(void)take(parts, "uni");
	end_parts(p, parts);
	if (ptx_accept(p, "(")) {
		call.to_count = read_spans(p, call.to, sizeof call.to / sizeof *call.to);
		ptx_expect(p, ",");
	}
	const struct ptx_token *name = ptx_next(p);
	call.callee = ptx_function_find(p, name);
	if (!call.callee || call.callee->is_entry)
		ptx_refuse(p, name, "no .func %.*s is declared before this call", (int)name->bytes, name->text);
	if (ptx_accept(p, ",")) {
		ptx_expect(p, "(");
		call.from_count = read_spans(p, call.from, sizeof call.from / sizeof *call.from);
	}
	f->call_sites = realloc(f->call_sites, (f->call_count + 1) * sizeof *f->call_sites);
	if (!f->call_sites)
		abort();
	f->call_sites[f->call_count] = call;
	emit(p, PTX_call)->e = f->call_count++;
}

/* bar / barrier{.cta}.{sync|arrive|red.OP}{.aligned}{.pred|.u32}; bar.warp.sync. `bar` is aligned by itself. */
static void decode_barrier(struct ptx_parser *p, struct parts *parts)
{
	struct ptx_insn barrier = {.op = PTX_barrier, .line = parts->token->line};
	bool is_bar = parts->bytes[0] == 3;
	if (is_bar && take(parts, "warp")) {
		if (!take(parts, "sync") || parts->next != parts->count)
			refuse_parts(p, parts);
		uint32_t mask = read_source(p, 'w', PTX_TEMP);
		struct ptx_insn *insn = emit(p, PTX_warp);
		insn->mode = PTX_WARP_BAR;
		insn->e = mask;
		return;
	}
	(void)take(parts, "cta");
	bool is_red = take(parts, "red");
	barrier.mode = is_red		       ? (take(parts, "popc")  ? PTX_BAR_POPC
						  : take(parts, "and") ? PTX_BAR_AND
						  : take(parts, "or")  ? PTX_BAR_OR
								       : 255)
		       : take(parts, "sync")   ? PTX_BAR_SYNC
		       : take(parts, "arrive") ? PTX_BAR_ARRIVE
					       : 255;
	barrier.flags = take(parts, "aligned") || is_bar ? PTX_ALIGNED : 0;
	if (barrier.mode == 255 || (is_red && !take(parts, barrier.mode == PTX_BAR_POPC ? "u32" : "pred")))
		refuse_parts(p, parts);
	end_parts(p, parts);
	if (is_red) {
		barrier.d = read_dest(p, barrier.mode == PTX_BAR_POPC ? 'w' : 'p');
		ptx_expect(p, ",");
	}
	barrier.a = read_source(p, 'w', PTX_TEMP);
	barrier.b = PTX_ZERO;
	/* the last operand of red is the predicate; a count may stand before it */
	if (!is_red ? ptx_accept(p, ",") : ptx_token_is(p->at + 2, ",")) {
		if (is_red)
			ptx_expect(p, ",");
		barrier.b = read_source(p, 'w', PTX_TEMP2);
	}
	if (is_red) {
		ptx_expect(p, ",");
		barrier.c = read_source(p, 'p', PTX_TEMP3);
	}
	if (barrier.mode == PTX_BAR_ARRIVE && barrier.b == PTX_ZERO)
		refuse_parts(p, parts);
	*emit(p, barrier.op) = barrier;
}

/* shfl, vote, match and redux .sync: value operands, then the mask. */
static void decode_warp(struct ptx_parser *p, struct parts *parts)
{
	static const char *const texts[] = {
#define X(name, text) text,
	    PTX_WARP_LIST(X)
#undef X
	};
	struct ptx_insn warp = {.op = PTX_warp, .line = parts->token->line, .offset = PTX_SINK};
	const struct ptx_token *t = parts->token;
	for (warp.mode = PTX_WARP_SHFL_UP; warp.mode < PTX_WARP_MODES; warp.mode++) {
		const char *at = strstr(texts[warp.mode], " ");
		size_t n = at ? (size_t)(at - texts[warp.mode]) : strlen(texts[warp.mode]);
		if ((t->bytes == n && !memcmp(texts[warp.mode], t->text, n)) ||
		    (at && t->bytes == strlen(at + 1) && !memcmp(at + 1, t->text, t->bytes)))
			break;
	}
	if (warp.mode == PTX_WARP_MODES)
		refuse_parts(p, parts);
	bool is_shfl = warp.mode <= PTX_WARP_SHFL_IDX, is_vote = !is_shfl && warp.mode <= PTX_WARP_VOTE_BALLOT;
	bool is_match_all = warp.mode == PTX_WARP_MATCH_ALL32 || warp.mode == PTX_WARP_MATCH_ALL64;
	bool is_wide = warp.mode == PTX_WARP_MATCH_ANY64 || warp.mode == PTX_WARP_MATCH_ALL64;
	warp.d = read_dest(p, is_vote && warp.mode != PTX_WARP_VOTE_BALLOT ? 'p' : 'w');
	if ((is_shfl || is_match_all) && ptx_accept(p, "|"))
		warp.offset = read_dest(p, 'p');
	ptx_expect(p, ",");
	warp.a = read_source(p, is_vote ? 'p' : is_wide ? 'd' : 'w', PTX_TEMP);
	ptx_expect(p, ",");
	if (is_shfl) {
		warp.b = read_source(p, 'w', PTX_TEMP2);
		ptx_expect(p, ",");
		warp.c = read_source(p, 'w', PTX_TEMP3);
		ptx_expect(p, ",");
	}
	warp.e = read_source(p, 'w', PTX_TEMP3);
	*emit(p, warp.op) = warp;
}

static void decode_sleep(struct ptx_parser *p, struct parts *parts)
{
	if (!take(parts, "u32"))
		refuse_parts(p, parts);
	end_parts(p, parts);
	emit(p, PTX_sleep)->a = read_source(p, 'w', PTX_TEMP);
}

static void decode_active(struct ptx_parser *p, struct parts *parts)
{
	if (!take(parts, "b32"))
		refuse_parts(p, parts);
	end_parts(p, parts);
	uint32_t d = read_dest(p, 'w');
	emit(p, PTX_active)->d = d;
}

/* Hints to a cache, with an address that is not looked at. */
static void decode_prefetch(struct ptx_parser *p, struct parts *parts)
{
	enum ptx_space space = take_space(parts);
	uint32_t slot;
	int64_t offset;
	if (!take(parts, "L1") && !take(parts, "L2"))
		refuse_parts(p, parts);
	end_parts(p, parts);
	read_address(p, &space, &slot, &offset);
	emit(p, PTX_nothing);
}

static void decode_simple(struct ptx_parser *p, struct parts *parts)
{
	if (take(parts, "uni") && parts->bytes[0] != 3)
		refuse_parts(p, parts);
	end_parts(p, parts);
	emit(p, parts->at[0][0] == 'e' ? PTX_exit : parts->at[0][0] == 'r' ? PTX_ret : PTX_trap);
}

/* ---- one instruction ---------------------------------------------------------------------------------------- */

static void decode_row(struct ptx_parser *p, enum ptx_op op)
{
	const char *operands = ptx_op_operands(op);
	uint32_t slots[5] = {read_dest(p, operands[0])};
	for (unsigned i = 1; operands[i]; i++) {
		ptx_expect(p, ",");
		slots[i] = read_source(p, operands[i], PTX_TEMP + (i - 1) % 3);
	}
	emit_value(p, op, slots[0], slots[1], slots[2], slots[3])->e = slots[4];
}

static bool decode_family(struct ptx_parser *p, struct parts *parts)
{
	static const struct {
		const char *name;
		void (*decode)(struct ptx_parser *p, struct parts *parts);
	} families[] = {{"ld", decode_load},	       {"ldu", decode_load},	      {"st", decode_store},
			{"atom", decode_atom_result},  {"red", decode_red},	      {"fence", decode_fence},
			{"membar", decode_membar},     {"cvta", decode_cvta},	      {"isspacep", decode_isspacep},
			{"mov", decode_mov},	       {"cvt", decode_cvt},	      {"setp", decode_setp},
			{"add", decode_carry},	       {"addc", decode_carry},	      {"sub", decode_carry},
			{"subc", decode_carry},	       {"mad", decode_carry},	      {"madc", decode_carry},
			{"brx", decode_brx},	       {"call", decode_call},	      {"bar", decode_barrier},
			{"barrier", decode_barrier},   {"shfl", decode_warp},	      {"vote", decode_warp},
			{"match", decode_warp},	       {"redux", decode_warp},	      {"nanosleep", decode_sleep},
			{"activemask", decode_active}, {"prefetch", decode_prefetch}, {"ret", decode_simple},
			{"exit", decode_simple},       {"trap", decode_simple}};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (take(parts, families[i].name)) {
			families[i].decode(p, parts);
			return true;
		}
	return false;
}

/* `@!%p1` in front: its slot, and the value with which the instruction runs. */
static uint32_t read_guard(struct ptx_parser *p, uint32_t *wanted)
{
	char width;
	if (!ptx_accept(p, "@"))
		return PTX_SINK;
	*wanted = !ptx_accept(p, "!");
	return read_register(p, 'p', &width);
}

void ptx_decode(struct ptx_parser *p)
{
	uint32_t wanted = 1, guard = read_guard(p, &wanted), first = p->function->insn_count;
	const struct ptx_token *name = ptx_next(p);
	enum ptx_op op;
	if (ptx_token_is(name, "bra") || ptx_token_is(name, "bra.uni")) {
		struct ptx_insn *bra = emit(p, guard == PTX_SINK ? PTX_bra : PTX_bra_if);
		bra->a = guard;
		bra->e = wanted;
		ptx_fixup_add(p, ptx_next(p), first, 0, UINT32_MAX);
		ptx_expect(p, ";");
		return;
	}
	if (guard != PTX_SINK) {
		struct ptx_insn *skip = emit(p, PTX_guard);
		skip->a = guard;
		skip->e = wanted;
	}
	if (name->kind != PTX_TOKEN_WORD)
		ptx_refuse(p, name, "'%.*s' where an instruction belongs", (int)name->bytes, name->text);
	if (ptx_op_find(name->text, name->bytes, &op)) {
		decode_row(p, op);
	} else {
		struct parts parts = split(p, name);
		if (!decode_family(p, &parts))
			refuse_parts(p, &parts);
	}
	ptx_expect(p, ";");
	if (guard != PTX_SINK)
		p->function->insns[first].offset = p->function->insn_count;
	for (uint32_t i = first; i < p->function->insn_count; i++)
		p->function->insns[i].line = name->line;
}
