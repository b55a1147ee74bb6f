/* generate_effects_expr.c - random expressions whose parts have effects that a later part sees.
 *
 * Enters: a type, and what the place allows. Leaves: text: atomics, calls and meetings of lanes inside operands, indices
 * and the sides of && and ||, every bounds policy. An invocation reaches its own elements alone, or none: an index that
 * may miss lies so far outside that it is nobody's.
 */
#include <inttypes.h>
#include <string.h>

#include "tests/differential/generate_effects.h"

static const vyrec_type types[] = {VYREC_U32, VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64, VYREC_BOOL};

vyrec_type effects_type(struct gen *g)
{
	return types[below(&g->t, sizeof types / sizeof *types)];
}

static void literal(struct gen *g, vyrec_type type)
{
	static const uint64_t edges[] = {
	    0, 1, 2, 3, 7, 31, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x8000000000000000, ~UINT64_C(0)};
	uint64_t bits = chance(&g->t, 70) ? below(&g->t, 12) : edges[below(&g->t, sizeof edges / sizeof *edges)];
	if (type == VYREC_BOOL)
		put(&g->t, bits & 1 ? "true" : "false");
	else if (type == VYREC_U64)
		put(&g->t, "u64(%" PRIu64 ")", bits);
	else if (type == VYREC_I64)
		bits < 9 ? put(&g->t, "i64(-%" PRIu64 ")", bits) : put(&g->t, "i64(u64(%" PRIu64 "))", bits);
	else if (type == VYREC_I32)
		bits < 9 ? put(&g->t, "i32(-%" PRIu64 ")", bits) : put(&g->t, "i32(u32(%" PRIu32 "))", (uint32_t)bits);
	else
		put(&g->t, "u32(%" PRIu32 ")", (uint32_t)bits);
}

static const char *policy(struct gen *g)
{
	static const char *const names[] = {"", "", "checked ", "clamp ", "trap "};
	return names[below(&g->t, g->may_trap ? 5 : 4)];
}

/* May an access of this policy miss? What lanes do that other lanes trap beside is not defined. */
static bool may_miss(const struct gen *g, const char *p)
{
	return !strcmp(p, "checked ") || !strcmp(p, "clamp ") || g->may_trap || (!g->width && !g->in_fn);
}

void effects_tmp_index(struct gen *g, unsigned depth, unsigned flags)
{
	const char *p = policy(g);
	put(&g->t, "tmp[%s(", p);
	effects_expr(g, VYREC_U32, depth, flags);
	/* of several lanes, whose arrays are one: the detail of a trap there is the place in that one (passes/spread.c) */
	bool tells = g->width && g->may_trap;
	put(&g->t, ") %% %u]", !tells && may_miss(g, p) && (!g->may_trap || chance(&g->t, 10)) ? 9 : 8);
}

/* An index of the invocation's own elements; rarely far outside, where no element of another can be reached. */
void effects_own_index(struct gen *g, unsigned depth)
{
	const char *p = policy(g);
	if (strcmp(p, "clamp ") && may_miss(g, p) && chance(&g->t, 4)) {
		put(&g->t, "%s0x40000000 + (", p);
		effects_expr(g, VYREC_U32, depth, 0);
		put(&g->t, ") %% 99]");
		return;
	}
	put(&g->t, "%sbase + (", chance(&g->t, 15) ? "unchecked " : p);
	effects_expr(g, VYREC_U32, depth, 0);
	put(&g->t, ") %% %u]", GENERATE_OWN);
}

void effects_atomic(struct gen *g, vyrec_type type, unsigned depth)
{
	static const char *const names[] = {"add", "sub", "and", "or", "xor", "min", "max", "exchange"};
	unsigned pick = below(&g->t, 10);
	const char *array = type == VYREC_U64 ? "wide" : "mem";
	put(&g->t, "atomic_%s(%s[", pick < 8 ? names[pick] : pick == 8 ? "load" : "compare_exchange", array);
	effects_own_index(g, depth);
	for (unsigned i = 0; i < (pick < 8 ? 1u : pick == 8 ? 0u : 2u); i++) {
		put(&g->t, ", ");
		effects_expr(g, type, depth, 0);
	}
	put(&g->t, chance(&g->t, 80) ? ")" : pick == 8 ? ", acquire, workgroup)" : ", seqcst)");
}

static bool load(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	if (flags & UNIFORM) {
		if (type != VYREC_U32)
			return false;
		put(&g->t, "in_u32[");
		effects_expr(g, VYREC_U32, depth, UNIFORM);
		put(&g->t, may_miss(g, "") && chance(&g->t, 20) ? "]" : " %% 256]");
		return true;
	}
	if (type == VYREC_U32 && g->arrays && chance(&g->t, 30)) {
		effects_tmp_index(g, depth, 0);
		return true;
	}
	const char *p = policy(g);
	if (type == VYREC_U32 && may_miss(g, p) &&
	    chance(&g->t, 40)) { /* in a loop, often one that hoist.c may version */
		put(&g->t, "in_u32[%s", p);
		if (!put_local(&g->t, VYREC_U32, false))
			literal(g, VYREC_U32);
		put(&g->t, " * %u %s ", below(&g->t, 7), chance(&g->t, 80) ? "+" : "-");
		if (!put_local(&g->t, VYREC_U32, false))
			literal(g, VYREC_U32);
		put(&g->t, "]");
		return true;
	}
	if (type != VYREC_U32 && type != VYREC_I32 && type != VYREC_U64)
		return false;
	put(&g->t, "%s[",
	    type == VYREC_U64	? "wide"
	    : type == VYREC_I32 ? "halves"
	    : chance(&g->t, 25) ? "bytes"
				: "mem");
	effects_own_index(g, depth);
	return true;
}

/* Values that lanes give each other. Only where all are here, and not under && or ||. */
static bool meeting(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	static const char *const names[] = {"reduce_add", "reduce_min", "reduce_max", "reduce_xor", "reduce_or"};
	if (!(flags & MEET))
		return false;
	if (type == VYREC_BOOL) {
		put(&g->t, chance(&g->t, 50) ? "any(" : "all(");
		effects_expr(g, VYREC_BOOL, depth, MEET);
		put(&g->t, ")");
	} else if (type == VYREC_U32 && g->meeting_fn && !(flags & UNIFORM) && chance(&g->t, 40)) {
		put(&g->t, "meet%u(base, ", below(&g->t, g->meeting_fn));
		effects_expr(g, VYREC_U32, depth, MEET);
		put(&g->t, ", ");
		effects_expr(g, VYREC_U64, depth, MEET);
		put(&g->t, ")");
	} else if (chance(&g->t, 25)) {
		put(&g->t, "broadcast(");
		effects_expr(g, type, depth, MEET);
		put(&g->t, ", ");
		effects_expr(g, VYREC_U32, depth, UNIFORM | MEET);
		put(&g->t, ")");
	} else {
		put(&g->t, "%s(", names[below(&g->t, 5)]);
		effects_expr(g, type, depth, MEET);
		put(&g->t, ")");
	}
	return true;
}

static bool call(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	if (flags & UNIFORM || type != VYREC_U32 || !g->fn)
		return false;
	put(&g->t, "fn%u(base, ", below(&g->t, g->fn));
	effects_expr(g, VYREC_U32, depth, flags);
	put(&g->t, ", ");
	effects_expr(g, VYREC_U64, depth, flags);
	put(&g->t, ")");
	return true;
}

static void operation(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	static const char *const infix[] = {"+", "-", "*", "&", "|", "^", "+", "-", "/", "%", "<<", ">>"};
	static const char *const order[] = {"==", "!=", "<", "<=", ">", ">="};
	vyrec_type operand = type;
	if (type == VYREC_BOOL) {
		unsigned pick = below(&g->t, 10);
		if (pick < 4) { /* the right side may not run: nobody meets there */
			put(&g->t, "((");
			effects_expr(g, VYREC_BOOL, depth, flags);
			put(&g->t, chance(&g->t, 50) ? ") && (" : ") || (");
			effects_expr(g, VYREC_BOOL, depth, flags & UNIFORM);
			put(&g->t, "))");
			return;
		}
		if (pick == 4) {
			put(&g->t, "!(");
			effects_expr(g, VYREC_BOOL, depth, flags);
			put(&g->t, ")");
			return;
		}
		do
			operand = effects_type(g);
		while (operand == VYREC_BOOL);
	} else if (chance(&g->t, 15)) {
		put(&g->t, "select(");
		effects_expr(g, VYREC_BOOL, depth, flags);
		put(&g->t, ", ");
		effects_expr(g, type, depth, flags);
		put(&g->t, ", ");
		effects_expr(g, type, depth, flags);
		put(&g->t, ")");
		return;
	} else if (chance(&g->t, 20)) {
		put(&g->t, "%s(", vyrec_type_name(type));
		effects_expr(g, effects_type(g), depth, flags);
		put(&g->t, ")");
		return;
	} else if (chance(&g->t, 8)) {
		put(&g->t, chance(&g->t, 50) ? "min(" : "max(");
		effects_expr(g, type, depth, flags);
		put(&g->t, ", ");
		effects_expr(g, type, depth, flags);
		put(&g->t, ")");
		return;
	}
	put(&g->t, "((");
	effects_expr(g, operand, depth, flags);
	put(&g->t, ") %s (", type == VYREC_BOOL ? order[below(&g->t, 6)] : infix[below(&g->t, 12)]);
	effects_expr(g, operand, depth, flags);
	put(&g->t, "))");
}

void effects_expr(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	unsigned pick = below(&g->t, 100);
	if (!g->together)
		flags &= ~(unsigned)MEET;
	if (depth && pick < 14 && !(flags & UNIFORM) && (type == VYREC_U32 || type == VYREC_U64)) {
		effects_atomic(g, type, depth - 1);
		return;
	}
	if (depth && pick < 24 && call(g, type, depth - 1, flags))
		return;
	if (depth && pick < 34 && meeting(g, type, depth - 1, flags))
		return;
	if (depth && pick < 48 && load(g, type, depth - 1, flags))
		return;
	if (depth && pick < 85) {
		operation(g, type, depth - 1, flags);
		return;
	}
	if (type == VYREC_U32 && g->width && chance(&g->t, 20)) {
		put(&g->t, !(flags & UNIFORM) ? "lane" : g->in_program ? "workgroup_id(0)" : "lanes");
		return;
	}
	if (chance(&g->t, 30) || !put_local(&g->t, type, flags & UNIFORM))
		literal(g, type);
}
