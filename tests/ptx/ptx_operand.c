/* ptx_operand.c - operands as slots, and mnemonics in parts.
 *
 * Enters: tokens. Leaves: slots of the frame, with the instructions that it takes to fill them. Registers must have the width of
 * the type, except where PTX allows wider ones (ld, st, cvt). Immediates become constants in the frame, so that reading an
 * operand is one load whatever it is.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_decode.h"

/* ---- emitting ----------------------------------------------------------------------------------------------- */

struct ptx_insn *ptx_emit(struct ptx_parser *p, enum ptx_op op)
{
	struct ptx_function *f = p->function;
	ptx_grow(&f->insns, f->insn_count, &f->insn_room, sizeof *f->insns);
	struct ptx_insn *insn = &f->insns[f->insn_count++];
	*insn = (struct ptx_insn){.op = (uint16_t)op, .line = p->at->line};
	return insn;
}

struct ptx_insn *ptx_emit_value(struct ptx_parser *p, enum ptx_op op, uint32_t d, uint32_t a, uint32_t b, uint32_t c)
{
	struct ptx_insn *insn = ptx_emit(p, op);
	insn->d = d;
	insn->a = a;
	insn->b = b;
	insn->c = c;
	return insn;
}

uint32_t ptx_constant(struct ptx_parser *p, uint64_t value)
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

unsigned ptx_letter_bits(char letter)
{
	return letter == 'p' ? 1 : letter == 'h' ? 16 : letter == 'w' ? 32 : 64;
}

static uint64_t truncated(uint64_t value, char letter)
{
	return letter == 'd' ? value : value & ((UINT64_C(1) << ptx_letter_bits(letter)) - 1);
}

const struct ptx_symbol *ptx_named(struct ptx_parser *p, const struct ptx_token *name, uint32_t *slot)
{
	const struct ptx_symbol *s = name->kind == PTX_TOKEN_WORD ? ptx_symbol_find(p, name, slot) : NULL;
	if (!s)
		ptx_refuse(p, name, "'%.*s' is declared nowhere", (int)name->bytes, name->text);
	return s;
}

/* The slot of a register of that width; an upper-case letter also takes wider ones. *width: the letter it has. */
uint32_t ptx_read_register(struct ptx_parser *p, char letter, char *width)
{
	const struct ptx_token *name = ptx_next(p);
	uint32_t slot;
	bool wider = letter == 'H' || letter == 'W' || letter == 'D' || letter == 'B';
	unsigned bits = letter == 'B' ? 8 : ptx_letter_bits((char)(letter | 0x20));
	const struct ptx_symbol *s = ptx_named(p, name, &slot);
	if (s->kind != PTX_SYMBOL_REGISTER)
		ptx_refuse(p, name, "%.*s is no register", (int)name->bytes, name->text);
	if ((letter == 'p') != (s->letter == 'p') ||
	    (wider ? ptx_letter_bits(s->letter) < bits : ptx_letter_bits(s->letter) != bits))
		ptx_refuse(p, name, "%.*s has %u bits where %u belong", (int)name->bytes, name->text,
			   ptx_letter_bits(s->letter), bits);
	*width = s->letter;
	return slot;
}

uint32_t ptx_read_dest(struct ptx_parser *p, char letter)
{
	char width;
	return ptx_accept(p, "_") ? PTX_SINK : ptx_read_register(p, letter, &width);
}

bool ptx_find_special(const struct ptx_token *token, uint32_t *index)
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
		return ptx_constant(p, s->offset + more);
	struct ptx_insn *insn = ptx_emit(p, PTX_address);
	insn->d = temp;
	insn->space = s->space;
	insn->offset = (int64_t)(s->offset + more);
	insn->mode = s->is_dynamic;
	return temp;
}

/* A register, an immediate, `!predicate`, or where `w` or `d` belongs a variable's address. */
uint32_t ptx_read_source_width(struct ptx_parser *p, char letter, uint32_t temp, char *width)
{
	uint32_t slot;
	char exact = (char)(letter == 'B' ? 'h' : letter | 0x20);
	*width = exact;
	if (letter == 'p' && ptx_accept(p, "!")) {
		ptx_emit_value(p, PTX_not_p, temp, ptx_read_register(p, 'p', width), 0, 0);
		return temp;
	}
	if (p->at->kind == PTX_TOKEN_NUMBER) {
		const struct ptx_token *number = ptx_next(p);
		if (number->is_float && number->is_float != ptx_letter_bits(exact))
			ptx_refuse(p, number, "a float of %u bits where %u belong", number->is_float,
				   ptx_letter_bits(exact));
		return ptx_constant(p, truncated(number->number, exact));
	}
	if (p->at->kind == PTX_TOKEN_WORD && ptx_symbol_find(p, p->at, &slot) &&
	    ptx_symbol_find(p, p->at, &slot)->kind == PTX_SYMBOL_VARIABLE) {
		const struct ptx_symbol *s = ptx_symbol_find(p, ptx_next(p), &slot);
		uint64_t more = ptx_accept(p, "+") ? ptx_next(p)->number : 0;
		if (exact != 'd' && (exact != 'w' || s->space == PTX_GLOBAL))
			ptx_refuse(p, p->at, "an address in %u bits", ptx_letter_bits(exact));
		return emit_address(p, s, more, temp);
	}
	return ptx_read_register(p, letter, width);
}

uint32_t ptx_read_source(struct ptx_parser *p, char letter, uint32_t temp)
{
	char width;
	return ptx_read_source_width(p, letter, temp, &width);
}

/* `[register + 8]`, `[variable + 8]`, `[number]` */
void ptx_read_address(struct ptx_parser *p, enum ptx_space *space, uint32_t *slot, int64_t *offset)
{
	char width;
	const struct ptx_symbol *s = NULL;
	uint32_t unused;
	*offset = 0;
	*slot = PTX_ZERO;
	ptx_expect(p, "[");
	if (p->at->kind == PTX_TOKEN_NUMBER) {
		*offset = (int64_t)ptx_next(p)->number;
	} else if (ptx_named(p, p->at, &unused)->kind == PTX_SYMBOL_REGISTER) {
		*slot = ptx_read_register(
		    p, *space == PTX_SHARED || *space == PTX_LOCAL || *space == PTX_CONST ? 'W' : 'd', &width);
	} else {
		s = ptx_named(p, p->at, &unused);
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

struct ptx_parts ptx_split(struct ptx_parser *p, const struct ptx_token *token)
{
	struct ptx_parts parts = {.token = token};
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

bool ptx_take(struct ptx_parts *parts, const char *text)
{
	bool is = parts->next < parts->count && parts->bytes[parts->next] == strlen(text) &&
		  !memcmp(parts->at[parts->next], text, strlen(text));
	parts->next += is;
	return is;
}

void ptx_refuse_parts(struct ptx_parser *p, const struct ptx_parts *parts)
{
	ptx_refuse(p, parts->token, "'%.*s' is unknown to this executor", (int)parts->token->bytes, parts->token->text);
}

void ptx_end_parts(struct ptx_parser *p, const struct ptx_parts *parts)
{
	if (parts->next != parts->count)
		ptx_refuse_parts(p, parts);
}

struct ptx_type ptx_take_type(struct ptx_parts *parts)
{
	static const struct {
		const char *text;
		struct ptx_type type;
	} types[] = {{"b8", {8, PTX_UINT, true}},     {"u8", {8, PTX_UINT, false}},   {"s8", {8, PTX_SINT, false}},
		     {"b16", {16, PTX_UINT, true}},   {"u16", {16, PTX_UINT, false}}, {"s16", {16, PTX_SINT, false}},
		     {"b32", {32, PTX_UINT, true}},   {"u32", {32, PTX_UINT, false}}, {"s32", {32, PTX_SINT, false}},
		     {"b64", {64, PTX_UINT, true}},   {"u64", {64, PTX_UINT, false}}, {"s64", {64, PTX_SINT, false}},
		     {"f32", {32, PTX_FLOAT, false}}, {"f64", {64, PTX_FLOAT, false}}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (ptx_take(parts, types[i].text))
			return types[i].type;
	return (struct ptx_type){0};
}

char ptx_letter_of(unsigned bits)
{
	return bits == 16 ? 'h' : bits == 32 ? 'w' : 'd';
}

/* 'B' 'H' 'W' 'D': at least that many bits. */
char ptx_at_least(unsigned bits)
{
	return bits == 8 ? 'B' : (char)(ptx_letter_of(bits) & ~0x20);
}

uint8_t ptx_take_scope(struct ptx_parts *parts)
{
	return ptx_take(parts, "sys")	    ? PTX_SYS
	       : ptx_take(parts, "gpu")	    ? PTX_GPU
	       : ptx_take(parts, "cluster") ? PTX_CLUSTER
	       : ptx_take(parts, "cta")	    ? PTX_CTA
					    : PTX_NO_SCOPE;
}

enum ptx_space ptx_take_space(struct ptx_parts *parts)
{
	return ptx_take(parts, "global")   ? PTX_GLOBAL
	       : ptx_take(parts, "shared") ? PTX_SHARED
	       : ptx_take(parts, "local")  ? PTX_LOCAL
	       : ptx_take(parts, "const")  ? PTX_CONST
	       : ptx_take(parts, "param")  ? PTX_PARAM
					   : PTX_GENERIC;
}

uint32_t ptx_new_vector(struct ptx_parser *p, const uint32_t *slots, unsigned count)
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
void ptx_read_vector(struct ptx_parser *p, char letter, unsigned count, bool is_dest, uint32_t *slots, char *width)
{
	ptx_expect(p, "{");
	for (unsigned i = 0; i < count; i++) {
		if (i)
			ptx_expect(p, ",");
		*width = letter;
		slots[i] = !is_dest		? ptx_read_source_width(p, letter, PTX_TEMP2, width)
			   : ptx_accept(p, "_") ? PTX_SINK
						: ptx_read_register(p, letter, width);
	}
	ptx_expect(p, "}");
}

/* The bits of a signed value that was loaded into a wider register. */
void ptx_extend(struct ptx_parser *p, uint32_t slot, unsigned from, unsigned to)
{
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	unsigned f = from == 8 ? 0 : from == 16 ? 1 : from == 32 ? 2 : 3, t = to == 16 ? 1 : to == 32 ? 2 : 3;
	ptx_emit_value(p, sign[f], slot, slot, 0, 0);
	ptx_emit_value(p, low[t], slot, slot, 0, 0);
}
