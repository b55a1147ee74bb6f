/* ptx_decode.c - one PTX instruction to one or a few of ours.
 *
 * Enters: the tokens of an instruction. Leaves: instructions with slots for operands. A mnemonic is either a row of
 * ptx_ops.def, word for word, or of one of the families, which take it apart at its dots and refuse every part that they do not
 * know: nothing is ever passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_decode.h"

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
	ptx_read_vector(p, ptx_letter_of(part), count, is_dest, slots, &width);
	if (is_dest) {
		ptx_expect(p, ",");
		whole = ptx_read_source(p, ptx_letter_of(bits), PTX_TEMP);
		ptx_emit_value(p, PTX_mov, PTX_TEMP3, whole, 0, 0);
		for (unsigned i = 0; i < count; i++) {
			ptx_emit_value(p, PTX_shr_u64, PTX_TEMP2, PTX_TEMP3, ptx_constant(p, i * part), 0);
			ptx_emit_value(p, part == 16 ? PTX_low_16 : PTX_low_32, slots[i], PTX_TEMP2, 0, 0);
		}
		return;
	}
	ptx_emit_value(p, PTX_mov, PTX_TEMP3, PTX_ZERO, 0, 0);
	for (unsigned i = 0; i < count; i++) {
		ptx_emit_value(p, PTX_shl_64, PTX_TEMP2, slots[i], ptx_constant(p, i * part), 0);
		ptx_emit_value(p, PTX_or_64, PTX_TEMP3, PTX_TEMP3, PTX_TEMP2, 0);
	}
}

static void decode_mov(struct ptx_parser *p, struct ptx_parts *parts)
{
	struct ptx_type type = {0};
	char letter = 'p';
	if (!ptx_take(parts, "pred")) {
		type = ptx_take_type(parts);
		letter = ptx_letter_of(type.bits);
		if (type.bits < 16)
			ptx_refuse_parts(p, parts);
	}
	ptx_end_parts(p, parts);
	if (ptx_token_is(p->at, "{")) {
		decode_pack(p, type.bits, true);
		return;
	}
	uint32_t d = ptx_read_dest(p, letter), a, index;
	ptx_expect(p, ",");
	if (ptx_find_special(p->at, &index)) {
		bool is_wide = index == PTX_SPECIAL_CLOCK64 || index == PTX_SPECIAL_TIMER;
		if (letter != (is_wide ? 'd' : 'w'))
			ptx_refuse(p, p->at, "%.*s does not have %u bits", (int)p->at->bytes, p->at->text, type.bits);
		ptx_next(p);
		struct ptx_insn *special = ptx_emit(p, PTX_special);
		special->d = d;
		special->e = index;
		return;
	}
	if (ptx_token_is(p->at, "{")) {
		decode_pack(p, type.bits, false);
		a = PTX_TEMP3;
	} else {
		a = ptx_read_source(p, letter, PTX_TEMP);
	}
	ptx_emit_value(p, PTX_mov, d, a, 0, 0);
}

/* Between integers: extended as the source says, cut to the target, extended to the register as the target says. */
static void convert_ints(struct ptx_parser *p, struct ptx_type to, struct ptx_type from)
{
	char width, unused;
	uint32_t d = ptx_read_register(p, ptx_at_least(to.bits), &width);
	ptx_expect(p, ",");
	uint32_t a = ptx_read_source_width(p, ptx_at_least(from.bits), PTX_TEMP, &unused);
	unsigned f = from.bits == 8 ? 0 : from.bits == 16 ? 1 : from.bits == 32 ? 2 : 3;
	unsigned t = to.bits == 8 ? 0 : to.bits == 16 ? 1 : to.bits == 32 ? 2 : 3;
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	ptx_emit_value(p, (from.kind == PTX_SINT ? sign : low)[f], d, a, 0, 0);
	if (t < 3)
		ptx_emit_value(p, low[t], d, d, 0, 0);
	if (to.kind == PTX_SINT && to.bits < ptx_letter_bits(width))
		ptx_extend(p, d, to.bits, ptx_letter_bits(width));
}

static void convert_to_float(struct ptx_parser *p, struct ptx_type to, struct ptx_type from)
{
	static const enum ptx_op sign[] = {PTX_sign_8, PTX_sign_16, PTX_sign_32, PTX_mov};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	static const enum ptx_op make[2][2] = {{PTX_f32_u64, PTX_f32_s64}, {PTX_f64_u64, PTX_f64_s64}};
	char unused;
	uint32_t d = ptx_read_dest(p, ptx_letter_of(to.bits));
	ptx_expect(p, ",");
	uint32_t a = ptx_read_source_width(p, ptx_at_least(from.bits), PTX_TEMP, &unused);
	unsigned f = from.bits == 8 ? 0 : from.bits == 16 ? 1 : from.bits == 32 ? 2 : 3;
	ptx_emit_value(p, (from.kind == PTX_SINT ? sign : low)[f], PTX_TEMP, a, 0, 0);
	ptx_emit_value(p, make[to.bits == 64][from.kind == PTX_SINT], d, PTX_TEMP, 0, 0);
}

static void convert_to_int(struct ptx_parser *p, struct ptx_type to, struct ptx_type from, unsigned rounding)
{
	static const enum ptx_op round[2][4] = {{PTX_rni_f32, PTX_rzi_f32, PTX_rmi_f32, PTX_rpi_f32},
						{PTX_rni_f64, PTX_rzi_f64, PTX_rmi_f64, PTX_rpi_f64}};
	static const enum ptx_op make[2][2][4] = {
	    {{PTX_u8_f32, PTX_u16_f32, PTX_u32_f32, PTX_u64_f32}, {PTX_s8_f32, PTX_s16_f32, PTX_s32_f32, PTX_s64_f32}},
	    {{PTX_u8_f64, PTX_u16_f64, PTX_u32_f64, PTX_u64_f64}, {PTX_s8_f64, PTX_s16_f64, PTX_s32_f64, PTX_s64_f64}}};
	static const enum ptx_op low[] = {PTX_low_8, PTX_low_16, PTX_low_32, PTX_mov};
	char width;
	uint32_t d = ptx_read_register(p, ptx_at_least(to.bits), &width);
	ptx_expect(p, ",");
	uint32_t a = ptx_read_source(p, ptx_letter_of(from.bits), PTX_TEMP);
	unsigned t = to.bits == 8 ? 0 : to.bits == 16 ? 1 : to.bits == 32 ? 2 : 3;
	unsigned r = ptx_letter_bits(width) == 16 ? 1 : ptx_letter_bits(width) == 32 ? 2 : 3;
	ptx_emit_value(p, round[from.bits == 64][rounding], PTX_TEMP, a, 0, 0);
	ptx_emit_value(p, make[from.bits == 64][to.kind == PTX_SINT][t], d, PTX_TEMP, 0, 0);
	ptx_emit_value(p, low[r], d, d, 0, 0);
}

/* Those between floats are rows; these are the others. */
static void decode_cvt(struct ptx_parser *p, struct ptx_parts *parts)
{
	static const char *const roundings[] = {"rni", "rzi", "rmi", "rpi"};
	unsigned rounding = 0;
	while (rounding < 4 && !ptx_take(parts, roundings[rounding]))
		rounding++;
	bool nearest = rounding == 4 && ptx_take(parts, "rn");
	struct ptx_type to = ptx_take_type(parts), from = ptx_take_type(parts);
	ptx_end_parts(p, parts);
	bool to_float = to.kind == PTX_FLOAT, from_float = from.kind == PTX_FLOAT;
	if (!to.bits || !from.bits || to.untyped || from.untyped || (to_float && from_float) || nearest != to_float ||
	    (rounding < 4) != from_float)
		ptx_refuse_parts(p, parts);
	if (to_float)
		convert_to_float(p, to, from);
	else if (from_float)
		convert_to_int(p, to, from, rounding);
	else
		convert_ints(p, to, from);
}

/* ---- predicates with a second test, carries ----------------------------------------------------------------- */

/* setp.CMP.BOOL.TYPE p|q, a, b, c is setp.CMP.TYPE and a logical instruction or two. */
static void decode_setp(struct ptx_parser *p, struct ptx_parts *parts)
{
	char text[64] = "setp.";
	size_t n = 5;
	enum ptx_op combine = PTX_mov, test;
	uint32_t d, q = PTX_SINK, c = PTX_ZERO;
	for (; parts->next < parts->count; parts->next++) {
		if (ptx_take(parts, "and") || ptx_take(parts, "or") || ptx_take(parts, "xor")) {
			char first = parts->at[--parts->next][0];
			combine = first == 'a' ? PTX_and_p : first == 'o' ? PTX_or_p : PTX_xor_p;
			continue;
		}
		if (n + parts->bytes[parts->next] + 2 > sizeof text)
			ptx_refuse_parts(p, parts);
		memcpy(text + n, parts->at[parts->next], parts->bytes[parts->next]);
		n += parts->bytes[parts->next];
		text[n++] = '.';
	}
	if (!ptx_op_find(text, n - 1, &test))
		ptx_refuse_parts(p, parts);
	d = ptx_read_dest(p, 'p');
	if (ptx_accept(p, "|"))
		q = ptx_read_dest(p, 'p');
	ptx_expect(p, ",");
	uint32_t a = ptx_read_source(p, ptx_op_operands(test)[1], PTX_TEMP);
	ptx_expect(p, ",");
	uint32_t b = ptx_read_source(p, ptx_op_operands(test)[2], PTX_TEMP2);
	if (combine != PTX_mov) {
		ptx_expect(p, ",");
		c = ptx_read_source(p, 'p', PTX_TEMP3);
		ptx_emit_value(p, PTX_mov, PTX_TEMP3, c, 0, 0);
	}
	ptx_emit_value(p, test, PTX_TEMP, a, b, 0);
	ptx_emit_value(p, combine, d, PTX_TEMP, PTX_TEMP3, 0);
	if (q != PTX_SINK) {
		ptx_emit_value(p, PTX_not_p, PTX_TEMP, PTX_TEMP, 0, 0);
		ptx_emit_value(p, combine, q, PTX_TEMP, PTX_TEMP3, 0);
	}
}

/* add{c}, sub{c}, mad{c} with .cc: mode 1 = upper half of the product; order: see PTX_CONTROL_LIST. */
static void decode_carry(struct ptx_parser *p, struct ptx_parts *parts)
{
	const char *name = parts->at[0];
	bool is_mad = name[0] == 'm', has_in = name[parts->bytes[0] - 1] == 'c';
	uint8_t mode = 0;
	if (is_mad && !ptx_take(parts, "lo") && ptx_take(parts, "hi"))
		mode = 1;
	bool has_out = ptx_take(parts, "cc");
	struct ptx_type type = ptx_take_type(parts);
	ptx_end_parts(p, parts);
	if (type.bits < 32 || type.kind == PTX_FLOAT || type.untyped || (!has_in && !has_out) ||
	    (mode && type.kind == PTX_SINT))
		ptx_refuse_parts(p, parts);
	char letter = ptx_letter_of(type.bits);
	uint32_t slots[4] = {ptx_read_dest(p, letter)};
	for (unsigned i = 1; i < 3u + is_mad; i++) {
		ptx_expect(p, ",");
		slots[i] = ptx_read_source(p, letter, PTX_TEMP + i - 1);
	}
	struct ptx_insn *insn =
	    ptx_emit_value(p, is_mad ? PTX_mad_cc : PTX_add_cc, slots[0], slots[1], slots[2], slots[3]);
	insn->width = (uint8_t)(type.bits / 8);
	insn->order = (uint8_t)(has_in | has_out << 1 | (name[0] == 's') << 2);
	insn->mode = mode;
}

/* ---- one instruction ---------------------------------------------------------------------------------------- */

static void decode_row(struct ptx_parser *p, enum ptx_op op)
{
	const char *operands = ptx_op_operands(op);
	uint32_t slots[5] = {ptx_read_dest(p, operands[0])};
	for (unsigned i = 1; operands[i]; i++) {
		ptx_expect(p, ",");
		slots[i] = ptx_read_source(p, operands[i], PTX_TEMP + (i - 1) % 3);
	}
	ptx_emit_value(p, op, slots[0], slots[1], slots[2], slots[3])->e = slots[4];
}

static bool decode_family(struct ptx_parser *p, struct ptx_parts *parts)
{
	static const struct {
		const char *name;
		void (*decode)(struct ptx_parser *p, struct ptx_parts *parts);
	} families[] = {{"ld", ptx_decode_load},
			{"ldu", ptx_decode_load},
			{"st", ptx_decode_store},
			{"atom", ptx_decode_atom_result},
			{"red", ptx_decode_red},
			{"fence", ptx_decode_fence},
			{"membar", ptx_decode_membar},
			{"cvta", ptx_decode_cvta},
			{"isspacep", ptx_decode_isspacep},
			{"mov", decode_mov},
			{"cvt", decode_cvt},
			{"setp", decode_setp},
			{"add", decode_carry},
			{"addc", decode_carry},
			{"sub", decode_carry},
			{"subc", decode_carry},
			{"mad", decode_carry},
			{"madc", decode_carry},
			{"brx", ptx_decode_brx},
			{"call", ptx_decode_call},
			{"bar", ptx_decode_barrier},
			{"barrier", ptx_decode_barrier},
			{"shfl", ptx_decode_warp},
			{"vote", ptx_decode_warp},
			{"match", ptx_decode_warp},
			{"redux", ptx_decode_warp},
			{"nanosleep", ptx_decode_sleep},
			{"activemask", ptx_decode_active},
			{"prefetch", ptx_decode_prefetch},
			{"ret", ptx_decode_simple},
			{"exit", ptx_decode_simple},
			{"trap", ptx_decode_simple}};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (ptx_take(parts, families[i].name)) {
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
	return ptx_read_register(p, 'p', &width);
}

void ptx_decode(struct ptx_parser *p)
{
	uint32_t wanted = 1, guard = read_guard(p, &wanted), first = p->function->insn_count;
	const struct ptx_token *name = ptx_next(p);
	enum ptx_op op;
	if (ptx_token_is(name, "bra") || ptx_token_is(name, "bra.uni")) {
		struct ptx_insn *bra = ptx_emit(p, guard == PTX_SINK ? PTX_bra : PTX_bra_if);
		bra->a = guard;
		bra->e = wanted;
		ptx_fixup_add(p, ptx_next(p), first, 0, UINT32_MAX);
		ptx_expect(p, ";");
		return;
	}
	if (guard != PTX_SINK) {
		struct ptx_insn *skip = ptx_emit(p, PTX_guard);
		skip->a = guard;
		skip->e = wanted;
	}
	if (name->kind != PTX_TOKEN_WORD)
		ptx_refuse(p, name, "'%.*s' where an instruction belongs", (int)name->bytes, name->text);
	if (ptx_op_find(name->text, name->bytes, &op)) {
		decode_row(p, op);
	} else {
		struct ptx_parts parts = ptx_split(p, name);
		if (!decode_family(p, &parts))
			ptx_refuse_parts(p, &parts);
	}
	ptx_expect(p, ";");
	if (guard != PTX_SINK)
		p->function->insns[first].offset = p->function->insn_count;
	for (uint32_t i = first; i < p->function->insn_count; i++)
		p->function->insns[i].line = name->line;
}
