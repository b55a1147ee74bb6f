/* generate_expr.c - random expressions of every operation.
 *
 * Enters: a type, and the locals that are visible. Leaves: text. Expressions are grown from the rows of ops.def, so a new
 * row is tested on the day it appears. A float passes clean32() or clean64() before its bits can be seen: which NaN an
 * operation gives is not defined. Literals and loads are mostly near the ends of their types and buffers.
 */
#include <inttypes.h>

#include "tests/differential/generate_expr.h"

static const vyrec_type value_types[] = {VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64, VYREC_F32, VYREC_F64, VYREC_BOOL};
enum { VALUE_TYPES = sizeof value_types / sizeof *value_types };

vyrec_type generate_type(struct gen *g)
{
	return value_types[below(&g->t, VALUE_TYPES)];
}

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
	return chance(&g->t, 60) ? edges[below(&g->t, sizeof edges / sizeof *edges)] : generate_next(&g->t.rng);
}

static void literal(struct gen *g, vyrec_type type)
{
	static const uint32_t floats[] = {0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x3F000000, 0x40490FDB,
					  0x7F800000, 0xFF800000, 0x7FC00000, 0x00000001, 0x807FFFFF, 0x00800000,
					  0x7F7FFFFF, 0x4F000000, 0x4F800000, 0xCF000000, 0x5F000000, 0x4B7FFFFF};
	uint64_t bits = interesting_bits(g);
	switch (type) {
	case VYREC_BOOL:
		put(&g->t, bits & 1 ? "true" : "false");
		break;
	case VYREC_I32: /* through the bits: the least value has no literal of its own */
		put(&g->t, "i32(%" PRIu32 ")", (uint32_t)bits & 0x7FFFFFFF);
		if (bits & 0x80000000)
			put(&g->t, " ^ i32(u32(0x80000000))");
		break;
	case VYREC_U64:
		put(&g->t, "u64(%" PRIu64 ")", bits);
		break;
	case VYREC_I64:
		put(&g->t, "i64(u64(%" PRIu64 "))", bits);
		break;
	case VYREC_F32:
		put(&g->t, "bitcast_f32(%" PRIu32 ")",
		    chance(&g->t, 60) ? floats[below(&g->t, sizeof floats / sizeof *floats)] : (uint32_t)bits);
		break;
	case VYREC_F64:
		put(&g->t, "f64(bitcast_f32(%" PRIu32 "))", floats[below(&g->t, sizeof floats / sizeof *floats)]);
		break;
	default:
		put(&g->t, "u32(%" PRIu32 ")", (uint32_t)bits);
		break;
	}
}

/* An index that is usually, not always, inside. */
static void load(struct gen *g, vyrec_type type, unsigned depth)
{
	static const char *const u32s[] = {"in_u32", "in_u8", "in_u16"}, *const i32s[] = {"in_i32", "in_i8", "in_i16"};
	const char *name = type == VYREC_U32   ? u32s[below(&g->t, 3)]
			   : type == VYREC_I32 ? i32s[below(&g->t, 3)]
			   : type == VYREC_U64 ? "in_u64"
			   : type == VYREC_I64 ? "in_i64"
			   : type == VYREC_F32 ? "in_f32"
			   : type == VYREC_F64 ? "in_f64"
					       : "in_bool";
	put(&g->t, "%s[%s", name, chance(&g->t, 15) ? "clamp " : "");
	if (chance(&g->t, 80)) {
		generate_expr(g, VYREC_U32, depth);
		put(&g->t, " %% %u", GENERATE_INPUT + (chance(&g->t, 10) ? 3 : 0));
	} else {
		generate_expr(g, VYREC_U32, depth);
	}
	put(&g->t, "]");
}

static vyrec_type operand_type(struct gen *g, vyrec_rule rule, vyrec_type result, vyrec_rule result_rule)
{
	if (rule > VYREC_RULE_TYPE)
		return (vyrec_type)(rule - VYREC_RULE_TYPE);
	if (result_rule == VYREC_RULE_SAME)
		return vyrec_rule_admits(rule, result) ? result : VYREC_VOID;
	for (unsigned tries = 0; tries < 16; tries++) {
		vyrec_type type = generate_type(g);
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
	vyrec_op op = 1 + below(&g->t, VYREC_OP_COUNT - 1);
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
	put(&g->t, info->kind == VYREC_INFIX ? "(" : info->kind == VYREC_PREFIX ? "%s(" : "%s(", info->text);
	for (unsigned i = 0; i < info->arg_count; i++) {
		if (i)
			put(&g->t, info->kind == VYREC_INFIX ? " %s " : ", ", info->text);
		if (needs_clean(op, i))
			put(&g->t, args[i] == VYREC_F64 ? "clean64(" : "clean32(");
		put(&g->t, "(");
		generate_expr(g, args[i], depth);
		put(&g->t, needs_clean(op, i) ? "))" : ")");
	}
	put(&g->t, ")");
	return true;
}

void generate_expr(struct gen *g, vyrec_type type, unsigned depth)
{
	if (depth && chance(&g->t, 75)) {
		if (type == VYREC_BOOL && chance(&g->t, 20)) {
			put(&g->t, "((");
			generate_expr(g, VYREC_BOOL, depth - 1);
			put(&g->t, chance(&g->t, 50) ? ") && (" : ") || (");
			generate_expr(g, VYREC_BOOL, depth - 1);
			put(&g->t, "))");
			return;
		}
		if (type == VYREC_F32 && chance(&g->t, 8)) {
			static const char *const prelude[] = {"sin",  "cos",  "exp",  "log",
							      "atan", "tanh", "exp2", "log2"};
			put(&g->t, "%s(", prelude[below(&g->t, sizeof prelude / sizeof *prelude)]);
			generate_expr(g, VYREC_F32, depth - 1);
			put(&g->t, ")");
			return;
		}
		for (unsigned tries = 0; tries < 40; tries++)
			if (table_op(g, type, depth - 1))
				return;
	}
	if (depth && chance(&g->t, 30)) {
		load(g, type, depth - 1);
		return;
	}
	if (type == VYREC_U32 && g->lane_values && chance(&g->t, 15)) {
		put(&g->t, "lane");
		return;
	}
	if (type == VYREC_U32 && chance(&g->t, 6)) {
		put(&g->t, "arg[");
		chance(&g->t, 70) ? put(&g->t, "%u", below(&g->t, 14)) : generate_expr(g, VYREC_U32, 0);
		put(&g->t, "]");
		return;
	}
	if (!chance(&g->t, 75) || !put_local(&g->t, type, false))
		literal(g, type);
}
