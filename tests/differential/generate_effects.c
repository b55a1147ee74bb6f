/* generate_effects.c - random bodies whose parts have effects that a later part sees.
 *
 * Enters: a seed. Leaves: text. Where generate.c grows values, this grows order: atomics and calls inside expressions,
 * bounds, indices, conditions and switch subjects; fns that return early out of loops and call each other; labelled
 * blocks left from inside loops; counters of every integer type up to the ends of their types; every bounds policy;
 * barriers and collectives under uniform control; programs on several workgroups, with catch and trap.
 *
 * What keeps the answer single: an invocation touches only its own GENERATE_OWN elements of `mem`, `wide`, `bytes` and
 * `halves`, and lanes meet in shared memory between barriers alone. What keeps the verifier content: `together` says that
 * all lanes are here; a uniform variable is assigned uniform values there only, and nothing that the lanes do not decide
 * alike leaves a loop or block that they entered together. Lanes of one workgroup trap inside catches alone, where the
 * others meet without them; no jump leaves such a catch, and no uniform variable of outside is assigned there.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "tests/differential/generate.h"

enum { FNS = 3, MEETING_FNS = 2, MAX_LOCALS = 48, MAX_TARGETS = 12, LOOP_DEPTH = 3 };

enum { UNIFORM = 1, MEET = 2 }; /* what an expression must be; what it may hold */

struct local {
	char name[12];
	vyrec_type type;
	bool assignable, uniform;
};

struct target {
	char name[12]; /* of a block; empty: a loop */
	bool together;
};

struct gen {
	FILE *out;
	uint64_t rng;
	struct local locals[MAX_LOCALS];
	struct target targets[MAX_TARGETS];
	unsigned local_count, target_count, names, indent, loops;
	unsigned fn;				/* fns that may be called: those before this one */
	unsigned meeting_fn;			/* the same, of those whose lanes meet */
	unsigned width;				/* 0: one lane */
	unsigned caught_targets, caught_locals; /* those outside the catch around, of several lanes */
	bool in_fn, in_program, may_trap, together, arrays;
};

static const vyrec_type types[] = {VYREC_U32, VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64, VYREC_BOOL};

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
	return types[below(g, sizeof types / sizeof *types)];
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

static void expr(struct gen *g, vyrec_type type, unsigned depth, unsigned flags);

static void literal(struct gen *g, vyrec_type type)
{
	static const uint64_t edges[] = {
	    0, 1, 2, 3, 7, 31, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x8000000000000000, ~UINT64_C(0)};
	uint64_t bits = chance(g, 70) ? below(g, 12) : edges[below(g, sizeof edges / sizeof *edges)];
	if (type == VYREC_BOOL)
		put(g, bits & 1 ? "true" : "false");
	else if (type == VYREC_U64)
		put(g, "u64(%" PRIu64 ")", bits);
	else if (type == VYREC_I64)
		bits < 9 ? put(g, "i64(-%" PRIu64 ")", bits) : put(g, "i64(u64(%" PRIu64 "))", bits);
	else if (type == VYREC_I32)
		bits < 9 ? put(g, "i32(-%" PRIu64 ")", bits) : put(g, "i32(u32(%" PRIu32 "))", (uint32_t)bits);
	else
		put(g, "u32(%" PRIu32 ")", (uint32_t)bits);
}

static bool name_local(struct gen *g, vyrec_type type, unsigned flags)
{
	unsigned start = g->local_count ? below(g, g->local_count) : 0;
	for (unsigned i = 0; i < g->local_count; i++) {
		const struct local *l = &g->locals[(start + i) % g->local_count];
		if (l->type == type && (l->uniform || !(flags & UNIFORM))) {
			put(g, "%s", l->name);
			return true;
		}
	}
	return false;
}

static const char *policy(struct gen *g)
{
	static const char *const names[] = {"", "", "checked ", "clamp ", "trap "};
	return names[below(g, g->may_trap ? 5 : 4)];
}

/* May an access of this policy miss? What lanes do that other lanes trap beside is not defined. */
static bool may_miss(const struct gen *g, const char *p)
{
	return !strcmp(p, "checked ") || !strcmp(p, "clamp ") || g->may_trap || (!g->width && !g->in_fn);
}

static void tmp_index(struct gen *g, unsigned depth, unsigned flags)
{
	const char *p = policy(g);
	put(g, "tmp[%s(", p);
	expr(g, VYREC_U32, depth, flags);
	/* of several lanes, whose arrays are one: the detail of a trap there is the place in that one (passes/spread.c) */
	bool tells = g->width && g->may_trap;
	put(g, ") %% %u]", !tells && may_miss(g, p) && (!g->may_trap || chance(g, 10)) ? 9 : 8);
}

/* An index of the invocation's own elements; rarely far outside, where no element of another can be reached. */
static void own_index(struct gen *g, unsigned depth)
{
	const char *p = policy(g);
	if (strcmp(p, "clamp ") && may_miss(g, p) && chance(g, 4)) {
		put(g, "%s0x40000000 + (", p);
		expr(g, VYREC_U32, depth, 0);
		put(g, ") %% 99]");
		return;
	}
	put(g, "%sbase + (", chance(g, 15) ? "unchecked " : p);
	expr(g, VYREC_U32, depth, 0);
	put(g, ") %% %u]", GENERATE_OWN);
}

static void atomic(struct gen *g, vyrec_type type, unsigned depth)
{
	static const char *const names[] = {"add", "sub", "and", "or", "xor", "min", "max", "exchange"};
	unsigned pick = below(g, 10);
	const char *array = type == VYREC_U64 ? "wide" : "mem";
	put(g, "atomic_%s(%s[", pick < 8 ? names[pick] : pick == 8 ? "load" : "compare_exchange", array);
	own_index(g, depth);
	for (unsigned i = 0; i < (pick < 8 ? 1u : pick == 8 ? 0u : 2u); i++) {
		put(g, ", ");
		expr(g, type, depth, 0);
	}
	put(g, chance(g, 80) ? ")" : pick == 8 ? ", acquire, workgroup)" : ", seqcst)");
}

static bool load(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	if (flags & UNIFORM) {
		if (type != VYREC_U32)
			return false;
		put(g, "in_u32[");
		expr(g, VYREC_U32, depth, UNIFORM);
		put(g, may_miss(g, "") && chance(g, 20) ? "]" : " %% 256]");
		return true;
	}
	if (type == VYREC_U32 && g->arrays && chance(g, 30)) {
		tmp_index(g, depth, 0);
		return true;
	}
	const char *p = policy(g);
	if (type == VYREC_U32 && may_miss(g, p) && chance(g, 40)) { /* in a loop, often one that hoist.c may version */
		put(g, "in_u32[%s", p);
		if (!name_local(g, VYREC_U32, 0))
			literal(g, VYREC_U32);
		put(g, " * %u %s ", below(g, 7), chance(g, 80) ? "+" : "-");
		if (!name_local(g, VYREC_U32, 0))
			literal(g, VYREC_U32);
		put(g, "]");
		return true;
	}
	if (type != VYREC_U32 && type != VYREC_I32 && type != VYREC_U64)
		return false;
	put(g, "%s[", type == VYREC_U64 ? "wide" : type == VYREC_I32 ? "halves" : chance(g, 25) ? "bytes" : "mem");
	own_index(g, depth);
	return true;
}

/* Values that lanes give each other. Only where all are here, and not under && or ||. */
static bool meeting(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	static const char *const names[] = {"reduce_add", "reduce_min", "reduce_max", "reduce_xor", "reduce_or"};
	if (!(flags & MEET))
		return false;
	if (type == VYREC_BOOL) {
		put(g, chance(g, 50) ? "any(" : "all(");
		expr(g, VYREC_BOOL, depth, MEET);
		put(g, ")");
	} else if (type == VYREC_U32 && g->meeting_fn && !(flags & UNIFORM) && chance(g, 40)) {
		put(g, "meet%u(base, ", below(g, g->meeting_fn));
		expr(g, VYREC_U32, depth, MEET);
		put(g, ", ");
		expr(g, VYREC_U64, depth, MEET);
		put(g, ")");
	} else if (chance(g, 25)) {
		put(g, "broadcast(");
		expr(g, type, depth, MEET);
		put(g, ", ");
		expr(g, VYREC_U32, depth, UNIFORM | MEET);
		put(g, ")");
	} else {
		put(g, "%s(", names[below(g, 5)]);
		expr(g, type, depth, MEET);
		put(g, ")");
	}
	return true;
}

static bool call(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	if (flags & UNIFORM || type != VYREC_U32 || !g->fn)
		return false;
	put(g, "fn%u(base, ", below(g, g->fn));
	expr(g, VYREC_U32, depth, flags);
	put(g, ", ");
	expr(g, VYREC_U64, depth, flags);
	put(g, ")");
	return true;
}

static void operation(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	static const char *const infix[] = {"+", "-", "*", "&", "|", "^", "+", "-", "/", "%", "<<", ">>"};
	static const char *const order[] = {"==", "!=", "<", "<=", ">", ">="};
	vyrec_type operand = type;
	if (type == VYREC_BOOL) {
		unsigned pick = below(g, 10);
		if (pick < 4) { /* the right side may not run: nobody meets there */
			put(g, "((");
			expr(g, VYREC_BOOL, depth, flags);
			put(g, chance(g, 50) ? ") && (" : ") || (");
			expr(g, VYREC_BOOL, depth, flags & UNIFORM);
			put(g, "))");
			return;
		}
		if (pick == 4) {
			put(g, "!(");
			expr(g, VYREC_BOOL, depth, flags);
			put(g, ")");
			return;
		}
		do
			operand = any_type(g);
		while (operand == VYREC_BOOL);
	} else if (chance(g, 15)) {
		put(g, "select(");
		expr(g, VYREC_BOOL, depth, flags);
		put(g, ", ");
		expr(g, type, depth, flags);
		put(g, ", ");
		expr(g, type, depth, flags);
		put(g, ")");
		return;
	} else if (chance(g, 20)) {
		put(g, "%s(", vyrec_type_name(type));
		expr(g, any_type(g), depth, flags);
		put(g, ")");
		return;
	} else if (chance(g, 8)) {
		put(g, chance(g, 50) ? "min(" : "max(");
		expr(g, type, depth, flags);
		put(g, ", ");
		expr(g, type, depth, flags);
		put(g, ")");
		return;
	}
	put(g, "((");
	expr(g, operand, depth, flags);
	put(g, ") %s (", type == VYREC_BOOL ? order[below(g, 6)] : infix[below(g, 12)]);
	expr(g, operand, depth, flags);
	put(g, "))");
}

static void expr(struct gen *g, vyrec_type type, unsigned depth, unsigned flags)
{
	unsigned pick = below(g, 100);
	if (!g->together)
		flags &= ~(unsigned)MEET;
	if (depth && pick < 14 && !(flags & UNIFORM) && (type == VYREC_U32 || type == VYREC_U64)) {
		atomic(g, type, depth - 1);
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
	if (type == VYREC_U32 && g->width && chance(g, 20)) {
		put(g, !(flags & UNIFORM) ? "lane" : g->in_program ? "workgroup_id(0)" : "lanes");
		return;
	}
	if (chance(g, 30) || !name_local(g, type, flags))
		literal(g, type);
}

/* ---- statements ---------------------------------------------------------------------------------------------------------- */

static struct local *declare(struct gen *g, vyrec_type type, bool assignable, bool uniform)
{
	struct local *l = &g->locals[g->local_count < MAX_LOCALS - 1 ? g->local_count++ : MAX_LOCALS - 1];
	*l = (struct local){.type = type, .assignable = assignable, .uniform = uniform};
	snprintf(l->name, sizeof l->name, "v%u", g->names++);
	return l;
}

static unsigned value_flags(const struct gen *g, bool uniform)
{
	return (uniform ? UNIFORM : 0) | (g->together ? MEET : 0);
}

static void let_or_var(struct gen *g)
{
	vyrec_type type = any_type(g);
	bool var = chance(g, 60), uniform = g->together && chance(g, 50);
	unsigned name = g->names;
	line(g, "%s v%u: %s = ", var ? "var" : "let", name, vyrec_type_name(type));
	expr(g, type, 3, value_flags(g, uniform));
	put(g, "\n");
	declare(g, type, var, uniform);
}

static void assign(struct gen *g)
{
	for (unsigned tries = 0; tries < 8 && g->local_count; tries++) {
		unsigned at = below(g, g->local_count);
		struct local l = g->locals[at];
		if (!l.assignable || (l.uniform && !g->together))
			continue;
		if (l.uniform && at < g->caught_locals)
			continue;
		line(g, "%s = ", l.name);
		expr(g, l.type, 3, value_flags(g, l.uniform));
		put(g, "\n");
		return;
	}
	let_or_var(g);
}

static void store(struct gen *g)
{
	static const struct {
		const char *name;
		vyrec_type type;
	} arrays[] = {{"mem", VYREC_U32}, {"wide", VYREC_U64}, {"bytes", VYREC_U32}, {"halves", VYREC_I32}};
	unsigned pick = below(g, 6), meet = g->together ? MEET : 0;
	if (pick == 4 && g->arrays) {
		line(g, "%s", "");
		tmp_index(g, 2, meet);
		put(g, " = ");
		expr(g, VYREC_U32, 2, meet);
	} else if (pick >= 4) {
		line(g, "%s", "");
		atomic(g, pick == 4 ? VYREC_U32 : VYREC_U64, 2);
	} else {
		line(g, "%s[", arrays[pick].name);
		own_index(g, 2);
		put(g, " = ");
		expr(g, arrays[pick].type, 2, meet);
	}
	put(g, "\n");
}

static void statements(struct gen *g, unsigned depth);

/* A block whose lanes are together if they were and what led here is the same for all. */
static void open_block(struct gen *g, unsigned depth, bool uniform)
{
	unsigned locals = g->local_count;
	bool together = g->together;
	g->together &= uniform;
	put(g, " {\n");
	g->indent++;
	statements(g, depth);
	g->indent--;
	line(g, "}");
	g->together = together;
	g->local_count = locals;
}

static void branch(struct gen *g, unsigned depth)
{
	bool uniform = g->together && chance(g, 60);
	if (chance(g, 30)) {
		bool sign = chance(g, 40);
		line(g, "switch ");
		expr(g, sign ? VYREC_I32 : VYREC_U32, 2, value_flags(g, uniform));
		put(g, " %% 5 {\n");
		line(g, sign ? "case -1, 1" : "case 0, 4");
		open_block(g, depth, uniform);
		put(g, "\n");
		line(g, "case 2");
		if (chance(g, 30))
			put(g, " {}");
		else
			open_block(g, depth, uniform);
		put(g, "\n");
		if (chance(g, 60)) {
			line(g, "default");
			open_block(g, depth, uniform);
			put(g, "\n");
		}
		line(g, "}\n");
		return;
	}
	line(g, "if ");
	expr(g, VYREC_BOOL, 3, value_flags(g, uniform));
	open_block(g, depth, uniform);
	if (chance(g, 40)) {
		put(g, " else");
		open_block(g, depth, uniform);
	}
	put(g, "\n");
}

static void push_target(struct gen *g, const char *name, bool together)
{
	struct target *t = &g->targets[g->target_count++];
	*t = (struct target){.together = together};
	snprintf(t->name, sizeof t->name, "%s", name);
}

/* Where a counter of any type starts and ends: at most nine turns. */
static void bounds(struct gen *g, vyrec_type type, bool uniform)
{
	static const char *const ends[][3] = {
	    {"0xfffffff0", "0xfffffffe", "0xffffffff"},
	    {"i32(-2147483647)", "i32(2147483640)", "i32(2147483647)"},
	    {"u64(0xfffffffffffffff0)", "u64(0xfffffffffffffffe)", "u64(0xffffffffffffffff)"},
	    {"i64(-9223372036854775807)", "i64(9223372036854775800)", "i64(9223372036854775807)"},
	};
	const char *const *row = ends[type == VYREC_U32 ? 0 : type == VYREC_I32 ? 1 : type == VYREC_U64 ? 2 : 3];
	if (chance(g, 25)) {
		bool high = type == VYREC_I32 || type == VYREC_I64;
		put(g, "%s .. %s step %s", row[high ? 1 : below(g, 2)], row[2], chance(g, 50) ? "2" : "12345");
		return;
	}
	if (chance(g, 15) && (type == VYREC_I32 || type == VYREC_I64)) { /* all of the type, in five long steps */
		put(g, "%s .. %s step %s", row[0], row[2], type == VYREC_I32 ? "1000000007" : "4000000000000000037");
		return;
	}
	unsigned flags = value_flags(g, uniform);
	put(g, "(");
	expr(g, type, 2, flags);
	put(g, ") %% 5 .. (");
	expr(g, type, 2, flags);
	put(g, ") %% 9");
	if (chance(g, 30))
		put(g, " step %u", 1 + below(g, 4));
}

static void fuelled_loop(struct gen *g, unsigned depth)
{
	unsigned fuel = g->names++;
	line(g, "var fuel%u: u32 = 0\n", fuel);
	line(g, "loop {\n");
	g->indent++;
	line(g, "fuel%u = fuel%u + 1\n", fuel, fuel);
	line(g, "if fuel%u > %u { break }\n", fuel, 1 + below(g, 5));
	statements(g, depth);
	g->indent--;
	line(g, "}");
}

static void loop(struct gen *g, unsigned depth)
{
	unsigned locals = g->local_count;
	bool uniform = g->together && chance(g, 60), counted = chance(g, 70);
	static const vyrec_type counters[] = {VYREC_U32, VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64};
	if (g->loops == LOOP_DEPTH || g->target_count == MAX_TARGETS)
		return assign(g);
	g->loops++;
	if (counted) {
		vyrec_type type = counters[below(g, 5)];
		unsigned name = g->names++;
		line(g, "for v%u in ", name);
		bounds(g, type, uniform);
		struct local *i = declare(g, type, false, uniform);
		snprintf(i->name, sizeof i->name, "v%u", name);
	}
	bool together = g->together;
	g->together &= uniform || !counted; /* all lanes have the same fuel */
	push_target(g, "", g->together);
	if (counted)
		open_block(g, depth, true);
	else
		fuelled_loop(g, depth);
	put(g, "\n");
	g->target_count--;
	g->together = together;
	g->loops--;
	g->local_count = locals;
}

static void labelled(struct gen *g, unsigned depth)
{
	char name[12];
	if (g->target_count == MAX_TARGETS)
		return assign(g);
	snprintf(name, sizeof name, "out%u", g->names++);
	push_target(g, name, g->together);
	line(g, "block %s", name);
	open_block(g, depth, true);
	put(g, "\n");
	g->target_count--;
}

static void escape(struct gen *g)
{
	unsigned at = g->target_count ? below(g, g->target_count) : 0;
	const struct target *t = &g->targets[at];
	bool innermost = true;
	for (unsigned i = at + 1; i < g->target_count; i++)
		innermost &= t->name[0] || g->targets[i].name[0];
	if (!g->target_count || !innermost || (t->together && !g->together) || at < g->caught_targets)
		return assign(g);
	line(g, "if ");
	expr(g, VYREC_BOOL, 2, value_flags(g, t->together));
	if (t->name[0])
		put(g, " { break %s }\n", t->name);
	else
		put(g, " { %s }\n", chance(g, 50) ? "break" : "continue");
}

/* The lanes hand each other values in shared memory. */
static void exchange(struct gen *g)
{
	unsigned name = g->names;
	line(g, "barrier\n");
	if (g->in_fn) /* sees no shared array of an op */
		return;
	line(g, "s[lane] = ");
	expr(g, VYREC_U32, 2, MEET);
	put(g, "\n");
	line(g, "barrier\n");
	line(g, "var v%u: u32 = s[(lane + %u) %% lanes]\n", name, below(g, 70));
	declare(g, VYREC_U32, true, false);
}

static void leave(struct gen *g)
{
	if (g->width && (!g->together || g->caught_locals))
		return assign(g);
	line(g, "if ");
	expr(g, VYREC_BOOL, 3, value_flags(g, g->width != 0));
	put(g, " { return");
	if (g->in_fn) {
		put(g, " ");
		expr(g, VYREC_U32, 2, 0);
	}
	put(g, " }\n");
}

static void trap(struct gen *g)
{
	line(g, "if ");
	expr(g, VYREC_BOOL, 2, 0);
	put(g, " { trap(");
	expr(g, VYREC_U32, 1, 0);
	put(g, ") }\n");
}

static void catch (struct gen *g, unsigned depth)
{
	unsigned code = g->names++, detail = g->names++;
	const struct gen outer = *g;
	line(g, "catch(v%u, v%u)", code, detail);
	if (g->width) {
		g->caught_targets = g->target_count;
		g->caught_locals = g->local_count;
		g->may_trap = true;
	}
	open_block(g, depth, true);
	g->caught_targets = outer.caught_targets;
	g->caught_locals = outer.caught_locals;
	g->may_trap = outer.may_trap;
	put(g, "\n");
	for (unsigned i = 0; i < 2; i++)
		snprintf(declare(g, VYREC_U32, false, false)->name, sizeof g->locals->name, "v%u", i ? detail : code);
}

static void statements(struct gen *g, unsigned depth)
{
	for (unsigned n = 1 + below(g, 4); n; n--) {
		unsigned pick = below(g, 100);
		if (g->in_program && g->width && !g->in_fn && depth && chance(g, 10))
			catch (g, depth - 1);
		else if (pick < 18)
			let_or_var(g);
		else if (pick < 32)
			assign(g);
		else if (pick < 46)
			store(g);
		else if (pick < 60 && depth)
			branch(g, depth - 1);
		else if (pick < 72 && depth)
			loop(g, depth - 1);
		else if (pick < 78 && depth)
			labelled(g, depth - 1);
		else if (pick < 86)
			escape(g);
		else if (pick < 88 && (g->in_fn || chance(g, 30)))
			leave(g);
		else if (pick < 90 && g->may_trap && (g->in_program || chance(g, 30)))
			trap(g);
		else if (pick < 94 && depth && g->may_trap && g->in_program)
			catch (g, depth - 1);
		else if (g->together)
			exchange(g);
		else
			assign(g);
	}
}

/* ---- units --------------------------------------------------------------------------------------------------------------- */

/* What is left in the locals is seen in the invocation's own elements. */
static void show_locals(struct gen *g)
{
	for (unsigned i = 0; i < g->local_count; i++)
		line(g, "mem[base + %u] = mem[base + %u] ^ u32(%s)\n", i % GENERATE_OWN, i % GENERATE_OWN,
		     g->locals[i].name);
}

static void body(struct gen *g, unsigned depth)
{
	g->arrays = true;
	line(g, "var tmp: u32[8]\n");
	for (unsigned i = 0; i < 3; i++)
		let_or_var(g);
	statements(g, depth);
	statements(g, depth);
	show_locals(g);
	g->arrays = false;
}

static void fn(struct gen *g, const char *name, unsigned number, bool meets)
{
	line(g, "fn %s%u(base: u32, x: u32, y: u64) -> u32 {\n", name, number);
	g->indent++;
	g->in_fn = true;
	g->together = meets;
	g->width = meets; /* of any */
	g->local_count = g->names = 0;
	declare(g, VYREC_U32, false, false);
	declare(g, VYREC_U64, false, false);
	strcpy(g->locals[0].name, "x");
	strcpy(g->locals[1].name, "y");
	statements(g, 2);
	line(g, "return ");
	expr(g, VYREC_U32, 2, meets ? MEET : 0);
	put(g, "\n");
	g->indent--;
	line(g, "}\n");
	g->in_fn = false;
}

static void fns(struct gen *g, bool may_trap, bool meet)
{
	g->may_trap = may_trap;
	g->meeting_fn = 0;
	for (g->fn = 0; g->fn < FNS; g->fn++)
		fn(g, "fn", g->fn, false);
	g->may_trap = false;
	for (; meet && g->meeting_fn < MEETING_FNS; g->meeting_fn++)
		fn(g, "meet", g->meeting_fn, true);
	g->may_trap = may_trap;
}

static void begin_body(struct gen *g, unsigned width)
{
	g->width = width;
	g->together = width != 0;
	g->local_count = 0;
	g->names = 0;
	g->indent++;
}

static void op(struct gen *g, unsigned index, unsigned one_width)
{
	static const unsigned widths[] = {0, 0, 0, 1, 2, 5, 8, 33};
	static const struct local params[] = {{"a", VYREC_U32, false, true},
					      {"b", VYREC_I32, false, true},
					      {"c", VYREC_U64, false, true},
					      {"e", VYREC_BOOL, false, true}};
	unsigned width = widths[below(g, sizeof widths / sizeof *widths)];
	width = width && one_width ? one_width : width;
	line(g, "op op%u = %u (a: u32, b: i32, c: u64, e: bool) by ", index, GENERATE_OPCODE + index);
	width ? put(g, "workgroup(%u) {\n", width) : put(g, "lane {\n");
	begin_body(g, width);
	g->may_trap = !width && chance(g, 50);
	memcpy(g->locals, params, sizeof params);
	g->local_count = sizeof params / sizeof *params;
	if (width)
		line(g, "shared s: u32[%u]\n", width);
	line(g, "let base: u32 = (arg[11] * %u + lane) * %u\n", GENERATE_LANES, GENERATE_OWN);
	body(g, 3);
	if (!width || chance(g, 80)) {
		line(g, "result(0, ");
		expr(g, VYREC_U32, 3, value_flags(g, width != 0));
		put(g, ")\n");
	}
	line(g, "result(2, ");
	expr(g, VYREC_U64, 3, value_flags(g, width != 0));
	put(g, ")\n");
	g->indent--;
	line(g, "}\n");
}

static void buffers(struct gen *g)
{
	line(g, "buffer in_u32: const u32[256]\n");
	line(g, "buffer mem: u32[]\n");
	line(g, "buffer wide: u64[]\n");
	line(g, "buffer bytes: u8[]\n");
	line(g, "buffer halves: i16[]\n");
}

char *generate_effects_of_width(uint64_t seed, unsigned ops, unsigned one_width)
{
	static const unsigned widths[] = {1, 1, 2, 6, 16};
	char *text = NULL;
	size_t bytes;
	struct gen g = {.rng = seed, .out = open_memstream(&text, &bytes), .indent = 1};
	put(&g, "set random {\n");
	buffers(&g);
	fns(&g, false, true);
	for (unsigned i = 0; i < ops; i++)
		op(&g, i, one_width);
	put(&g, "}\n");
	unsigned width = widths[below(&g, 5)];
	put(&g, "program grid workgroup(%u) {\n", width);
	buffers(&g);
	line(&g, "shared s: u32[%u]\n", width);
	g.in_program = true;
	fns(&g, width == 1, width > 1);
	line(&g, "body {\n");
	begin_body(&g, width == 1 ? 0 : width);
	line(&g, "let base: u32 = ((workgroup_id(0) + workgroup_id(1) * workgroups(0)) * lanes + lane) * %u\n",
	     GENERATE_OWN);
	body(&g, 4);
	g.indent--;
	line(&g, "}\n}\n");
	fclose(g.out);
	return text;
}

char *generate_effects(uint64_t seed, unsigned ops)
{
	return generate_effects_of_width(seed, ops, 0);
}
