/* generate.c - random handlers with one right answer.
 *
 * Enters: a seed. Leaves: text. Expressions are grown from the rows of ops.def, so a new row is tested on the day it
 * appears. What keeps the answer single:
 *   - an op writes only its own region of `out`; `sums` is only added to, and nobody reads it;
 *   - which NaN an operation gives is not defined, so a float passes clean() before its bits can be seen;
 *   - an op `by workgroup` of any width lets its lanes meet only in reductions that are exact in any order.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "tests/differential/generate.h"

enum shape { BY_LANE, BY_ANY_WIDTH, BY_FIXED_WIDTH };

struct local {
	char name[12];
	vyrec_type type;
	bool assignable;
};

struct gen {
	FILE *out;
	uint64_t rng;
	struct local locals[64]; /* visible now */
	unsigned local_count, names;
	unsigned op, indent;
	enum shape shape;
	unsigned width;	    /* of BY_FIXED_WIDTH */
	unsigned one_width; /* of all of them; 0 = each its own */
	bool lane_values;   /* may an expression depend on the lane here? */
	bool suspends;	    /* sprinkle suspension points */
};

static const vyrec_type value_types[] = {VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64, VYREC_F32, VYREC_F64, VYREC_BOOL};
enum { VALUE_TYPES = sizeof value_types / sizeof *value_types };

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)(generate_next(&g->rng) % n);
}

static bool chance(struct gen *g, unsigned percent)
{
	return below(g, 100) < percent;
}

static vyrec_type any_type(struct gen *g)
{
	return value_types[below(g, VALUE_TYPES)];
}

__attribute__((format(printf, 2, 3))) static void put(struct gen *g, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(g->out, format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void line(struct gen *g, const char *format, ...)
{
	va_list args;
	fprintf(g->out, "%*s", (int)(2 * g->indent), "");
	va_start(args, format);
	vfprintf(g->out, format, args);
	va_end(args);
}

/* ---- expressions --------------------------------------------------------------------------------------------------------- */

static uint64_t interesting_bits(struct gen *g)
{
	static const uint64_t edges[] = {0,
					 1,
					 2,
					 3,
					 31,
					 32,
					 33,
					 63,
					 64,
					 0x7F,
					 0x80,
					 0xFF,
					 0x7FFF,
					 0x8000,
					 0xFFFF,
					 0x7FFFFFFF,
					 0x80000000,
					 0xFFFFFFFF,
					 0x100000000,
					 0x7FFFFFFFFFFFFFFF,
					 0x8000000000000000,
					 0xFFFFFFFFFFFFFFFF};
	return chance(g, 60) ? edges[below(g, sizeof edges / sizeof *edges)] : generate_next(&g->rng);
}

static void literal(struct gen *g, vyrec_type type)
{
	static const uint32_t floats[] = {0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x3F000000, 0x40490FDB,
					  0x7F800000, 0xFF800000, 0x7FC00000, 0x00000001, 0x807FFFFF, 0x00800000,
					  0x7F7FFFFF, 0x4F000000, 0x4F800000, 0xCF000000, 0x5F000000, 0x4B7FFFFF};
	uint64_t bits = interesting_bits(g);
	switch (type) {
	case VYREC_BOOL:
		put(g, bits & 1 ? "true" : "false");
		break;
	case VYREC_I32: /* through the bits: the least value has no literal of its own */
		put(g, "i32(%" PRIu32 ")", (uint32_t)bits & 0x7FFFFFFF);
		if (bits & 0x80000000)
			put(g, " ^ i32(u32(0x80000000))");
		break;
	case VYREC_U64:
		put(g, "u64(%" PRIu64 ")", bits);
		break;
	case VYREC_I64:
		put(g, "i64(u64(%" PRIu64 "))", bits);
		break;
	case VYREC_F32:
		put(g, "bitcast_f32(%" PRIu32 ")",
		    chance(g, 60) ? floats[below(g, sizeof floats / sizeof *floats)] : (uint32_t)bits);
		break;
	case VYREC_F64:
		put(g, "f64(bitcast_f32(%" PRIu32 "))", floats[below(g, sizeof floats / sizeof *floats)]);
		break;
	default:
		put(g, "u32(%" PRIu32 ")", (uint32_t)bits);
		break;
	}
}

static void expr(struct gen *g, vyrec_type type, unsigned depth);

/* An index that is usually, not always, inside. */
static void load(struct gen *g, vyrec_type type, unsigned depth)
{
	static const char *const u32s[] = {"in_u32", "in_u8", "in_u16"}, *const i32s[] = {"in_i32", "in_i8", "in_i16"};
	const char *name = type == VYREC_U32   ? u32s[below(g, 3)]
			   : type == VYREC_I32 ? i32s[below(g, 3)]
			   : type == VYREC_U64 ? "in_u64"
			   : type == VYREC_I64 ? "in_i64"
			   : type == VYREC_F32 ? "in_f32"
			   : type == VYREC_F64 ? "in_f64"
					       : "in_bool";
	put(g, "%s[%s", name, chance(g, 15) ? "clamp " : "");
	if (chance(g, 80)) {
		expr(g, VYREC_U32, depth);
		put(g, " %% %u", GENERATE_INPUT + (chance(g, 10) ? 3 : 0));
	} else {
		expr(g, VYREC_U32, depth);
	}
	put(g, "]");
}

static vyrec_type operand_type(struct gen *g, vyrec_rule rule, vyrec_type result, vyrec_rule result_rule)
{
	if (rule > VYREC_RULE_TYPE)
		return (vyrec_type)(rule - VYREC_RULE_TYPE);
	if (result_rule == VYREC_RULE_SAME)
		return vyrec_rule_admits(rule, result) ? result : VYREC_VOID;
	for (unsigned tries = 0; tries < 16; tries++) {
		vyrec_type type = any_type(g);
		if (vyrec_rule_admits(rule, type))
			return type;
	}
	return VYREC_VOID;
}

/* Bits of a float become visible here: no NaN may pass. */
static bool needs_clean(vyrec_op op, unsigned operand)
{
	return op == VYREC_OP_bits_u32_f || op == VYREC_OP_bits_u64_f || (op == VYREC_OP_copysign && operand == 1);
}

static bool table_op(struct gen *g, vyrec_type type, unsigned depth)
{
	vyrec_op op = 1 + below(g, VYREC_OP_COUNT - 1);
	const struct vyrec_op_info *info = vyrec_op_get_info(op);
	vyrec_type args[3] = {VYREC_VOID};
	if (op == VYREC_OP_select) {
		args[0] = VYREC_BOOL;
		args[1] = args[2] = type;
	} else {
		args[0] = operand_type(g, info->args[0], type, info->result);
		for (unsigned i = 1; i < info->arg_count; i++)
			args[i] = info->args[i] == VYREC_RULE_SAME ? args[0] : operand_type(g, info->args[i], type, 0);
	}
	for (unsigned i = 0; i < info->arg_count; i++)
		if (args[i] == VYREC_VOID || args[i] == VYREC_F16)
			return false;
	if (vyrec_op_result(op, args) != type)
		return false;
	put(g, info->kind == VYREC_INFIX ? "(" : info->kind == VYREC_PREFIX ? "%s(" : "%s(", info->text);
	for (unsigned i = 0; i < info->arg_count; i++) {
		if (i)
			put(g, info->kind == VYREC_INFIX ? " %s " : ", ", info->text);
		if (needs_clean(op, i))
			put(g, args[i] == VYREC_F64 ? "clean64(" : "clean32(");
		put(g, "(");
		expr(g, args[i], depth);
		put(g, needs_clean(op, i) ? "))" : ")");
	}
	put(g, ")");
	return true;
}

static bool local_of(struct gen *g, vyrec_type type)
{
	unsigned start = g->local_count ? below(g, g->local_count) : 0;
	for (unsigned i = 0; i < g->local_count; i++) {
		const struct local *l = &g->locals[(start + i) % g->local_count];
		if (l->type == type) {
			put(g, "%s", l->name);
			return true;
		}
	}
	return false;
}

static void expr(struct gen *g, vyrec_type type, unsigned depth)
{
	if (depth && chance(g, 75)) {
		if (type == VYREC_BOOL && chance(g, 20)) {
			put(g, "((");
			expr(g, VYREC_BOOL, depth - 1);
			put(g, chance(g, 50) ? ") && (" : ") || (");
			expr(g, VYREC_BOOL, depth - 1);
			put(g, "))");
			return;
		}
		if (type == VYREC_F32 && chance(g, 8)) {
			static const char *const prelude[] = {"sin",  "cos",  "exp",  "log",
							      "atan", "tanh", "exp2", "log2"};
			put(g, "%s(", prelude[below(g, sizeof prelude / sizeof *prelude)]);
			expr(g, VYREC_F32, depth - 1);
			put(g, ")");
			return;
		}
		for (unsigned tries = 0; tries < 40; tries++)
			if (table_op(g, type, depth - 1))
				return;
	}
	if (depth && chance(g, 30)) {
		load(g, type, depth - 1);
		return;
	}
	if (type == VYREC_U32 && g->lane_values && chance(g, 15)) {
		put(g, "lane");
		return;
	}
	if (type == VYREC_U32 && chance(g, 6)) {
		put(g, "arg[");
		chance(g, 70) ? put(g, "%u", below(g, 14)) : expr(g, VYREC_U32, 0);
		put(g, "]");
		return;
	}
	if (!chance(g, 75) || !local_of(g, type))
		literal(g, type);
}

/* ---- statements ---------------------------------------------------------------------------------------------------------- */

static const struct local *declare(struct gen *g, vyrec_type type, bool assignable)
{
	struct local *l = &g->locals[g->local_count < 63 ? g->local_count++ : 63];
	snprintf(l->name, sizeof l->name, "v%u", g->names++);
	l->type = type;
	l->assignable = assignable;
	return l;
}

static void let_or_var(struct gen *g)
{
	vyrec_type type = any_type(g);
	bool var = chance(g, 60);
	char name[12];
	snprintf(name, sizeof name, "v%u", g->names);
	line(g, var ? "var %s: %s = " : "let %s: %s = ", name, vyrec_type_name(type));
	expr(g, type, 3);
	put(g, "\n");
	declare(g, type, var);
}

static void assign(struct gen *g)
{
	for (unsigned tries = 0; tries < 8 && g->local_count; tries++) {
		const struct local *l = &g->locals[below(g, g->local_count)];
		if (!l->assignable)
			continue;
		line(g, "%s = ", l->name);
		expr(g, l->type, 3);
		put(g, "\n");
		return;
	}
	let_or_var(g);
}

/* Stores only where one lane at most does it: see callers. */
static void store(struct gen *g)
{
	switch (below(g, 4)) {
	case 0:
		line(g, "out[%u + (", g->op * GENERATE_REGION);
		expr(g, VYREC_U32, 2);
		put(g, ") %% %u] = ", GENERATE_REGION / 2);
		expr(g, VYREC_U32, 3);
		break;
	case 1:
		line(g, "out_f32[%u] = clean32(", g->op);
		expr(g, VYREC_F32, 4);
		put(g, ")");
		break;
	case 2:
		line(g, "out_u8[%u + (", g->op * GENERATE_REGION);
		expr(g, VYREC_U32, 1);
		put(g, ") %% %u] = ", GENERATE_REGION);
		expr(g, VYREC_U32, 2);
		break;
	default:
		line(g, "atomic_add(sums[(");
		expr(g, VYREC_U32, 1);
		put(g, ") %% %u], ", GENERATE_SUMS + 1); /* one of nine is out of bounds: no effect */
		expr(g, VYREC_U32, 2);
		put(g, ")");
		break;
	}
	put(g, "\n");
}

static void block(struct gen *g, unsigned depth, bool in_loop);

static void open_block(struct gen *g, unsigned depth, bool in_loop)
{
	unsigned locals = g->local_count;
	put(g, " {\n");
	g->indent++;
	block(g, depth, in_loop);
	g->indent--;
	g->local_count = locals;
	line(g, "}");
}

static void loop(struct gen *g, unsigned depth)
{
	static const char *const bounds[][3] = {
	    {"0", "7", "1"},
	    {"3", "20", "4"},
	    {"5", "5", "1"},
	    {"9", "2", "1"},
	    {"0xfffffff0", "0xffffffff", "3"},
	    {"0xfffffff8", "0xffffffff", "16"},
	};
	const char *const *b = bounds[below(g, sizeof bounds / sizeof *bounds)];
	unsigned locals = g->local_count;
	const struct local *i = declare(g, VYREC_U32, false);
	line(g, "for %s in %s .. %s step %s", i->name, b[0], b[1], b[2]);
	open_block(g, depth, true);
	put(g, "\n");
	g->local_count = locals;
}

static void branch(struct gen *g, unsigned depth, bool in_loop)
{
	if (chance(g, 25)) {
		line(g, "switch ");
		expr(g, VYREC_U32, 1);
		put(g, " %% 4 {\n");
		for (unsigned c = 0; c < 3; c++) {
			line(g, "case %u", c);
			open_block(g, depth, in_loop);
			put(g, "\n");
		}
		line(g, "}\n");
		return;
	}
	line(g, "if ");
	expr(g, VYREC_BOOL, 3);
	open_block(g, depth, in_loop);
	if (chance(g, 50)) {
		put(g, " else");
		open_block(g, depth, in_loop);
	}
	put(g, "\n");
	if (in_loop && chance(g, 20)) {
		line(g, "if ");
		expr(g, VYREC_BOOL, 1);
		put(g, " { %s }\n", chance(g, 50) ? "break" : "continue");
	}
}

/* All lanes are here together. */
static void suspend(struct gen *g)
{
	if (!g->suspends || !chance(g, 30))
		return;
	if (chance(g, 70)) {
		line(g, "yield\n");
		return;
	}
	line(g, chance(g, 50) ? "requeue(" : "pause(0 & ");
	expr(g, VYREC_U32, 1);
	put(g, ")\n");
}

static void block(struct gen *g, unsigned depth, bool in_loop)
{
	for (unsigned n = 1 + below(g, 4); n; n--) {
		unsigned pick = below(g, 100);
		if (!g->lane_values)
			suspend(g);
		if (pick < 30)
			let_or_var(g);
		else if (pick < 50)
			assign(g);
		else if (pick < 65 && g->shape == BY_LANE)
			store(g);
		else if (pick < 80 && depth)
			branch(g, depth - 1, in_loop);
		else if (pick < 90 && depth)
			loop(g, depth - 1);
		else
			assign(g);
	}
}

/* ---- ops ----------------------------------------------------------------------------------------------------------------- */

static void lane_body(struct gen *g)
{
	unsigned locals = g->local_count;
	line(g, "var tmp: u32[8]\n");
	for (unsigned i = 0; i < 3; i++)
		let_or_var(g);
	block(g, 3, false);
	line(g, "for k in 0 .. 8 { tmp[k] = k * ");
	expr(g, VYREC_U32, 2);
	put(g, " }\n");
	suspend(g);
	if (chance(g, 8)) {
		line(g, "if ");
		expr(g, VYREC_BOOL, 2);
		put(g, " { trap(%u) }\n", 1 + below(g, 50));
	}
	if (chance(g, 10)) {
		line(g, "if ");
		expr(g, VYREC_BOOL, 2);
		put(g, " { return }\n");
	}
	line(g, "result(0, ");
	expr(g, VYREC_U32, 4);
	put(g, ")\n");
	line(g, "result(1, tmp[");
	expr(g, VYREC_U32, 1);
	put(g, " %% 9])\n");
	line(g, "result(2, ");
	expr(g, VYREC_I64, 4);
	put(g, ")\n");
	line(g, "result(4, clean32(");
	expr(g, VYREC_F32, 4);
	put(g, "))\n");
	line(g, "result(5, ");
	expr(g, VYREC_BOOL, 4);
	put(g, ")\n");
	g->local_count = locals;
}

/* Lanes share out a range; what they meet in is exact in any order. */
static void any_width_body(struct gen *g)
{
	static const char *const reductions[] = {"add", "min", "max", "and", "or", "xor"};
	static const char *const starts[] = {"0", "0xffffffff", "0", "0xffffffff", "0", "0"};
	static const char *const steps[] = {"acc + x", "min(acc, x)", "max(acc, x)", "acc & x", "acc | x", "acc ^ x"};
	unsigned k = below(g, 6), locals = g->local_count;
	for (unsigned i = 0; i < 2; i++)
		let_or_var(g);
	block(g, 1, false);
	line(g, "var acc: u32 = %s\n", starts[k]);
	line(g, "for i in lane .. %u step lanes {\n", 1 + below(g, GENERATE_REGION));
	g->indent++;
	struct local *i = &g->locals[g->local_count++];
	*i = (struct local){"i", VYREC_U32, false};
	line(g, "let x: u32 = ");
	expr(g, VYREC_U32, 4);
	put(g, "\n");
	line(g, "acc = %s\n", steps[k]);
	line(g, "out[%u + i] = x\n", g->op * GENERATE_REGION);
	g->local_count--;
	g->indent--;
	line(g, "}\n");
	suspend(g);
	line(g, "let total = reduce_%s(acc)\n", reductions[k]);
	suspend(g);
	line(g, "result(0, total)\n");
	line(g, "result(1, broadcast(");
	expr(g, VYREC_U32, 3);
	put(g, ", 0))\n");
	g->local_count = locals;
}

/* Where shared memory is written before it is read again, and any local may differ from lane to lane. */
static void yield_together(struct gen *g)
{
	if (g->suspends && chance(g, 30))
		line(g, "yield\n");
}

static void fixed_width_body(struct gen *g)
{
	unsigned locals = g->local_count;
	line(g, "shared s: u32[%u]\n", g->width);
	g->lane_values = true;
	let_or_var(g);
	block(g, 1, false);
	line(g, "s[lane] = ");
	expr(g, VYREC_U32, 3);
	put(g, "\n");
	line(g, "barrier\n");
	line(g, "var y: u32 = s[(lane + %u) %% lanes]\n", below(g, 300));
	yield_together(g);
	g->locals[g->local_count++] = (struct local){"y", VYREC_U32, true};
	if (chance(g, 60)) {
		line(g, "for turn in 0 .. %u {\n", 1 + below(g, 3));
		g->indent++;
		line(g, "barrier\n");
		yield_together(g);
		line(g, "s[lane] = y ^ (");
		expr(g, VYREC_U32, 2);
		put(g, ")\n");
		line(g, "barrier\n");
		line(g, "y = y + s[(lane * 7 + turn) %% lanes]\n");
		if (chance(g, 50))
			line(g, "y = y ^ shuffle(y, (subgroup_lane + %u) %% subgroup_size)\n", below(g, 40));
		g->indent--;
		line(g, "}\n");
	}
	if (chance(g, 40))
		line(g, "let votes = ballot((y & 1) == 1)\n");
	else
		line(g, "let votes = u64(subgroup_add(y)) + u64(subgroup_max(y))\n");
	yield_together(g);
	line(g, "out[%u + lane] = y\n", g->op * GENERATE_REGION);
	line(g, "result(0, reduce_add(y))\n");
	line(g, "result(1, reduce_xor(u32(votes)))\n");
	line(g, "result(2, broadcast(");
	expr(g, VYREC_U32, 3);
	put(g, ", %u))\n", below(g, 300));
	line(g, "result(3, any((");
	expr(g, VYREC_BOOL, 2);
	put(g, ")))\n");
	g->lane_values = false;
	g->local_count = locals;
}

static void op(struct gen *g)
{
	static const unsigned widths[] = {1, 2, 4, 7, 32, 48, 64} /* at most GENERATE_REGION */;
	unsigned pick = below(g, 100);
	g->shape = pick < 60 ? BY_LANE : pick < 80 ? BY_ANY_WIDTH : BY_FIXED_WIDTH;
	g->width = widths[below(g, sizeof widths / sizeof *widths)];
	g->width = g->one_width ? g->one_width : g->width;
	g->local_count = g->names = 0;
	line(g, "op op%u = %u (a: u32, b: i32, c: u64, d: f32, e: bool, f: f64, h: i64) by ", g->op,
	     GENERATE_OPCODE + g->op);
	static const struct local params[] = {
	    {"a", VYREC_U32, false},  {"b", VYREC_I32, false}, {"c", VYREC_U64, false}, {"d", VYREC_F32, false},
	    {"e", VYREC_BOOL, false}, {"f", VYREC_F64, false}, {"h", VYREC_I64, false}};
	memcpy(g->locals, params, sizeof params);
	g->local_count = sizeof params / sizeof *params;
	if (g->shape == BY_LANE)
		put(g, "lane {\n");
	else if (g->shape == BY_ANY_WIDTH)
		put(g, "workgroup {\n");
	else
		put(g, "workgroup(%u) {\n", g->width);
	g->indent++;
	if (g->shape == BY_LANE)
		lane_body(g);
	else if (g->shape == BY_ANY_WIDTH)
		any_width_body(g);
	else
		fixed_width_body(g);
	g->indent--;
	line(g, "}\n");
}

static char *generate(uint64_t seed, unsigned ops, bool suspends, unsigned one_width)
{
	char *text = NULL;
	size_t bytes;
	struct gen g = {
	    .rng = seed, .suspends = suspends, .one_width = one_width, .out = open_memstream(&text, &bytes)};
	put(&g, "set random {\n");
	g.indent = 1;
	static const char *const inputs[] = {"u32",  "i32", "u64", "i64", "f32", "f64",
					     "bool", "u8",  "u16", "i8",  "i16"};
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		line(&g, "buffer in_%s: const %s[%s]\n", inputs[i], inputs[i], i & 1 ? "256" : "");
	line(&g, "buffer out: u32[]\n  buffer out_f32: f32[]\n  buffer out_u8: u8[]\n  buffer sums: u32[]\n");
	line(&g, "fn clean32(x: f32) -> f32 { return select(is_nan(x), 0.0, x) }\n");
	line(&g, "fn clean64(x: f64) -> f64 { return select(is_nan(x), f64(0.0), x) }\n");
	for (g.op = 0; g.op < ops; g.op++)
		op(&g);
	put(&g, "}\n");
	fclose(g.out);
	return text;
}

char *generate_set(uint64_t seed, unsigned ops)
{
	return generate(seed, ops, false, 0);
}

char *generate_set_of_width(uint64_t seed, unsigned ops, unsigned width)
{
	return generate(seed, ops, false, width);
}

char *generate_suspending_set(uint64_t seed, unsigned ops)
{
	return generate(seed, ops, true, 0);
}
