/* generate_effects.c - random bodies whose parts have effects that a later part sees.
 *
 * Enters: a seed. Leaves: text. Where generate.c grows values, this grows order: atomics and calls inside expressions,
 * bounds, indices, conditions and switch subjects (generate_effects_expr.c); fns that return early out of loops and call
 * each other; labelled blocks left from inside loops; counters of every integer type up to the ends of their types; every
 * bounds policy; barriers and collectives under uniform control; programs on several workgroups, with catch and trap.
 *
 * What keeps the answer single: an invocation touches only its own GENERATE_OWN elements of `mem`, `wide`, `bytes` and
 * `halves`, and lanes meet in shared memory between barriers alone. What keeps the verifier content: `together` says that
 * all lanes are here; a uniform variable is assigned uniform values there only, and nothing that the lanes do not decide
 * alike leaves a loop or block that they entered together. Lanes of one workgroup trap inside catches alone, where the
 * others meet without them; no jump leaves such a catch, and no uniform variable of outside is assigned there.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/generate_effects.h"

enum { FNS = 3, MEETING_FNS = 2, LOOP_DEPTH = 3 };

/* ---- statements ---------------------------------------------------------------------------------------------------------- */

static unsigned value_flags(const struct gen *g, bool uniform)
{
	return (uniform ? UNIFORM : 0) | (g->together ? MEET : 0);
}

/* A line: text, an expression, text. */
static void line_of(struct gen *g, const char *before, vyrec_type type, unsigned depth, unsigned flags,
		    const char *after)
{
	line(&g->t, "%s", before);
	effects_expr(g, type, depth, flags);
	put(&g->t, "%s", after);
}

static void let_or_var(struct gen *g)
{
	vyrec_type type = effects_type(g);
	bool var = chance(&g->t, 60), uniform = g->together && chance(&g->t, 50);
	unsigned name = g->t.names;
	line(&g->t, "%s v%u: %s = ", var ? "var" : "let", name, vyrec_type_name(type));
	effects_expr(g, type, 3, value_flags(g, uniform));
	put(&g->t, "\n");
	declare(&g->t, type, var, uniform);
}

static void assign(struct gen *g)
{
	for (unsigned tries = 0; tries < 8 && g->t.local_count; tries++) {
		unsigned at = below(&g->t, g->t.local_count);
		struct grow_local l = g->t.locals[at];
		if (!l.assignable || (l.uniform && !g->together))
			continue;
		if (l.uniform && at < g->caught_locals)
			continue;
		line(&g->t, "%s = ", l.name);
		effects_expr(g, l.type, 3, value_flags(g, l.uniform));
		put(&g->t, "\n");
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
	unsigned pick = below(&g->t, 6), meet = g->together ? MEET : 0;
	if (pick == 4 && g->arrays) {
		line(&g->t, "%s", "");
		effects_tmp_index(g, 2, meet);
		put(&g->t, " = ");
		effects_expr(g, VYREC_U32, 2, meet);
	} else if (pick >= 4) {
		line(&g->t, "%s", "");
		effects_atomic(g, pick == 4 ? VYREC_U32 : VYREC_U64, 2);
	} else {
		line(&g->t, "%s[", arrays[pick].name);
		effects_own_index(g, 2);
		put(&g->t, " = ");
		effects_expr(g, arrays[pick].type, 2, meet);
	}
	put(&g->t, "\n");
}

static void statements(struct gen *g, unsigned depth);

/* A block whose lanes are together if they were and what led here is the same for all. */
static void open_block(struct gen *g, unsigned depth, bool uniform)
{
	unsigned locals = g->t.local_count;
	bool together = g->together;
	g->together &= uniform;
	put(&g->t, " {\n");
	g->t.indent++;
	statements(g, depth);
	g->t.indent--;
	line(&g->t, "}");
	g->together = together;
	g->t.local_count = locals;
}

static void branch(struct gen *g, unsigned depth)
{
	bool uniform = g->together && chance(&g->t, 60);
	if (chance(&g->t, 30)) {
		bool sign = chance(&g->t, 40);
		line(&g->t, "switch ");
		effects_expr(g, sign ? VYREC_I32 : VYREC_U32, 2, value_flags(g, uniform));
		put(&g->t, " %% 5 {\n");
		line(&g->t, sign ? "case -1, 1" : "case 0, 4");
		open_block(g, depth, uniform);
		put(&g->t, "\n");
		line(&g->t, "case 2");
		if (chance(&g->t, 30))
			put(&g->t, " {}");
		else
			open_block(g, depth, uniform);
		put(&g->t, "\n");
		if (chance(&g->t, 60)) {
			line(&g->t, "default");
			open_block(g, depth, uniform);
			put(&g->t, "\n");
		}
		line(&g->t, "}\n");
		return;
	}
	line(&g->t, "if ");
	effects_expr(g, VYREC_BOOL, 3, value_flags(g, uniform));
	open_block(g, depth, uniform);
	if (chance(&g->t, 40)) {
		put(&g->t, " else");
		open_block(g, depth, uniform);
	}
	put(&g->t, "\n");
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
	if (chance(&g->t, 25)) {
		bool high = type == VYREC_I32 || type == VYREC_I64;
		put(&g->t, "%s .. %s step %s", row[high ? 1 : below(&g->t, 2)], row[2],
		    chance(&g->t, 50) ? "2" : "12345");
		return;
	}
	if (chance(&g->t, 15) && (type == VYREC_I32 || type == VYREC_I64)) { /* all of the type, in five long steps */
		put(&g->t, "%s .. %s step %s", row[0], row[2],
		    type == VYREC_I32 ? "1000000007" : "4000000000000000037");
		return;
	}
	unsigned flags = value_flags(g, uniform);
	put(&g->t, "(");
	effects_expr(g, type, 2, flags);
	put(&g->t, ") %% 5 .. (");
	effects_expr(g, type, 2, flags);
	put(&g->t, ") %% 9");
	if (chance(&g->t, 30))
		put(&g->t, " step %u", 1 + below(&g->t, 4));
}

static void fuelled_loop(struct gen *g, unsigned depth)
{
	unsigned fuel = g->t.names++;
	line(&g->t, "var fuel%u: u32 = 0\n", fuel);
	line(&g->t, "loop {\n");
	g->t.indent++;
	line(&g->t, "fuel%u = fuel%u + 1\n", fuel, fuel);
	line(&g->t, "if fuel%u > %u { break }\n", fuel, 1 + below(&g->t, 5));
	statements(g, depth);
	g->t.indent--;
	line(&g->t, "}");
}

static void loop(struct gen *g, unsigned depth)
{
	unsigned locals = g->t.local_count;
	bool uniform = g->together && chance(&g->t, 60), counted = chance(&g->t, 70);
	static const vyrec_type counters[] = {VYREC_U32, VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64};
	if (g->loops == LOOP_DEPTH || g->target_count == EFFECTS_TARGETS)
		return assign(g);
	g->loops++;
	if (counted) {
		vyrec_type type = counters[below(&g->t, 5)];
		unsigned name = g->t.names++;
		line(&g->t, "for v%u in ", name);
		bounds(g, type, uniform);
		struct grow_local *i = declare(&g->t, type, false, uniform);
		snprintf(i->name, sizeof i->name, "v%u", name);
	}
	bool together = g->together;
	g->together &= uniform || !counted; /* all lanes have the same fuel */
	push_target(g, "", g->together);
	if (counted)
		open_block(g, depth, true);
	else
		fuelled_loop(g, depth);
	put(&g->t, "\n");
	g->target_count--;
	g->together = together;
	g->loops--;
	g->t.local_count = locals;
}

static void labelled(struct gen *g, unsigned depth)
{
	char name[12];
	if (g->target_count == EFFECTS_TARGETS)
		return assign(g);
	snprintf(name, sizeof name, "out%u", g->t.names++);
	push_target(g, name, g->together);
	line(&g->t, "block %s", name);
	open_block(g, depth, true);
	put(&g->t, "\n");
	g->target_count--;
}

static void escape(struct gen *g)
{
	unsigned at = g->target_count ? below(&g->t, g->target_count) : 0;
	const struct target *t = &g->targets[at];
	bool innermost = true;
	for (unsigned i = at + 1; i < g->target_count; i++)
		innermost &= t->name[0] || g->targets[i].name[0];
	if (!g->target_count || !innermost || (t->together && !g->together) || at < g->caught_targets)
		return assign(g);
	line(&g->t, "if ");
	effects_expr(g, VYREC_BOOL, 2, value_flags(g, t->together));
	if (t->name[0])
		put(&g->t, " { break %s }\n", t->name);
	else
		put(&g->t, " { %s }\n", chance(&g->t, 50) ? "break" : "continue");
}

/* The lanes hand each other values in shared memory. */
static void exchange(struct gen *g)
{
	unsigned name = g->t.names;
	line(&g->t, "barrier\n");
	if (g->in_fn) /* sees no shared array of an op */
		return;
	line_of(g, "s[lane] = ", VYREC_U32, 2, MEET, "\n");
	line(&g->t, "barrier\n");
	line(&g->t, "var v%u: u32 = s[(lane + %u) %% lanes]\n", name, below(&g->t, 70));
	declare(&g->t, VYREC_U32, true, false);
}

static void leave(struct gen *g)
{
	if (g->width && (!g->together || g->caught_locals))
		return assign(g);
	line_of(g, "if ", VYREC_BOOL, 3, value_flags(g, g->width != 0), " { return");
	if (g->in_fn) {
		put(&g->t, " ");
		effects_expr(g, VYREC_U32, 2, 0);
	}
	put(&g->t, " }\n");
}

static void trap(struct gen *g)
{
	line_of(g, "if ", VYREC_BOOL, 2, 0, " { trap(");
	effects_expr(g, VYREC_U32, 1, 0);
	put(&g->t, ") }\n");
}

static void catch (struct gen *g, unsigned depth)
{
	unsigned code = g->t.names++, detail = g->t.names++;
	const struct gen outer = *g;
	line(&g->t, "catch(v%u, v%u)", code, detail);
	if (g->width) {
		g->caught_targets = g->target_count;
		g->caught_locals = g->t.local_count;
		g->may_trap = true;
	}
	open_block(g, depth, true);
	g->caught_targets = outer.caught_targets;
	g->caught_locals = outer.caught_locals;
	g->may_trap = outer.may_trap;
	put(&g->t, "\n");
	for (unsigned i = 0; i < 2; i++)
		snprintf(declare(&g->t, VYREC_U32, false, false)->name, sizeof g->t.locals->name, "v%u",
			 i ? detail : code);
}

static void statements(struct gen *g, unsigned depth)
{
	for (unsigned n = 1 + below(&g->t, 4); n; n--) {
		unsigned pick = below(&g->t, 100);
		if (g->in_program && g->width && !g->in_fn && depth && chance(&g->t, 10))
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
		else if (pick < 88 && (g->in_fn || chance(&g->t, 30)))
			leave(g);
		else if (pick < 90 && g->may_trap && (g->in_program || chance(&g->t, 30)))
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
	for (unsigned i = 0; i < g->t.local_count; i++)
		line(&g->t, "mem[base + %u] = mem[base + %u] ^ u32(%s)\n", i % GENERATE_OWN, i % GENERATE_OWN,
		     g->t.locals[i].name);
}

static void body(struct gen *g, unsigned depth)
{
	g->arrays = true;
	line(&g->t, "var tmp: u32[8]\n");
	for (unsigned i = 0; i < 3; i++)
		let_or_var(g);
	statements(g, depth);
	statements(g, depth);
	show_locals(g);
	g->arrays = false;
}

static void fn(struct gen *g, const char *name, unsigned number, bool meets)
{
	line(&g->t, "fn %s%u(base: u32, x: u32, y: u64) -> u32 {\n", name, number);
	g->t.indent++;
	g->in_fn = true;
	g->together = meets;
	g->width = meets; /* of any */
	g->t.local_count = g->t.names = 0;
	declare(&g->t, VYREC_U32, false, false);
	declare(&g->t, VYREC_U64, false, false);
	strcpy(g->t.locals[0].name, "x");
	strcpy(g->t.locals[1].name, "y");
	statements(g, 2);
	line_of(g, "return ", VYREC_U32, 2, meets ? MEET : 0, "\n");
	g->t.indent--;
	line(&g->t, "}\n");
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
	g->t.local_count = 0;
	g->t.names = 0;
	g->t.indent++;
}

static void op(struct gen *g, unsigned index, unsigned one_width)
{
	static const unsigned widths[] = {0, 0, 0, 1, 2, 5, 8, 33};
	static const struct grow_local params[] = {{"a", VYREC_U32, false, true},
						   {"b", VYREC_I32, false, true},
						   {"c", VYREC_U64, false, true},
						   {"e", VYREC_BOOL, false, true}};
	unsigned width = widths[below(&g->t, sizeof widths / sizeof *widths)];
	width = width && one_width ? one_width : width;
	line(&g->t, "op op%u = %u (a: u32, b: i32, c: u64, e: bool) by ", index, GENERATE_OPCODE + index);
	width ? put(&g->t, "workgroup(%u) {\n", width) : put(&g->t, "lane {\n");
	begin_body(g, width);
	g->may_trap = !width && chance(&g->t, 50);
	memcpy(g->t.locals, params, sizeof params);
	g->t.local_count = sizeof params / sizeof *params;
	if (width)
		line(&g->t, "shared s: u32[%u]\n", width);
	line(&g->t, "let base: u32 = (arg[11] * %u + lane) * %u\n", GENERATE_LANES, GENERATE_OWN);
	body(g, 3);
	if (!width || chance(&g->t, 80))
		line_of(g, "result(0, ", VYREC_U32, 3, value_flags(g, width != 0), ")\n");
	line_of(g, "result(2, ", VYREC_U64, 3, value_flags(g, width != 0), ")\n");
	g->t.indent--;
	line(&g->t, "}\n");
}

static void buffers(struct gen *g)
{
	line(&g->t, "buffer in_u32: const u32[256]\n");
	line(&g->t, "buffer mem: u32[]\n");
	line(&g->t, "buffer wide: u64[]\n");
	line(&g->t, "buffer bytes: u8[]\n");
	line(&g->t, "buffer halves: i16[]\n");
}

char *generate_effects_of_width(uint64_t seed, unsigned ops, unsigned one_width)
{
	static const unsigned widths[] = {1, 1, 2, 6, 16};
	char *text = NULL;
	size_t bytes;
	struct gen g = {
	    .t = {.rng = seed, .out = open_memstream(&text, &bytes), .indent = 1, .most_locals = EFFECTS_LOCALS - 1}};
	put(&g.t, "set random {\n");
	buffers(&g);
	fns(&g, false, true);
	for (unsigned i = 0; i < ops; i++)
		op(&g, i, one_width);
	put(&g.t, "}\n");
	unsigned width = widths[below(&g.t, 5)];
	put(&g.t, "program grid workgroup(%u) {\n", width);
	buffers(&g);
	line(&g.t, "shared s: u32[%u]\n", width);
	g.in_program = true;
	fns(&g, width == 1, width > 1);
	line(&g.t, "body {\n");
	begin_body(&g, width == 1 ? 0 : width);
	line(&g.t, "let base: u32 = ((workgroup_id(0) + workgroup_id(1) * workgroups(0)) * lanes + lane) * %u\n",
	     GENERATE_OWN);
	body(&g, 4);
	g.t.indent--;
	line(&g.t, "}\n}\n");
	fclose(g.t.out);
	return text;
}

char *generate_effects(uint64_t seed, unsigned ops)
{
	return generate_effects_of_width(seed, ops, 0);
}
