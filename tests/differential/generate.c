/* generate.c - random handlers with one right answer.
 *
 * Enters: a seed. Leaves: text. Statements and handlers around the expressions of generate_expr.c. What keeps the answer
 * single:
 *   - an op writes only its own region of `out`; `sums` is only added to, and nobody reads it;
 *   - which NaN an operation gives is not defined, so a float passes clean32() before its bits can be seen;
 *   - an op `by workgroup` of any width lets its lanes meet only in reductions that are exact in any order.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/generate_expr.h"

/* ---- statements ---------------------------------------------------------------------------------------------------------- */

/* A line: text, an expression, text. */
static void line_of(struct gen *g, const char *before, vyrec_type type, unsigned depth, const char *after)
{
	line(&g->t, "%s", before);
	generate_expr(g, type, depth);
	put(&g->t, "%s", after);
}

static void let_or_var(struct gen *g)
{
	vyrec_type type = generate_type(g);
	bool var = chance(&g->t, 60);
	char name[12];
	snprintf(name, sizeof name, "v%u", g->t.names);
	line(&g->t, var ? "var %s: %s = " : "let %s: %s = ", name, vyrec_type_name(type));
	generate_expr(g, type, 3);
	put(&g->t, "\n");
	declare(&g->t, type, var, false);
}

static void assign(struct gen *g)
{
	for (unsigned tries = 0; tries < 8 && g->t.local_count; tries++) {
		const struct grow_local *l = &g->t.locals[below(&g->t, g->t.local_count)];
		if (!l->assignable)
			continue;
		line(&g->t, "%s = ", l->name);
		generate_expr(g, l->type, 3);
		put(&g->t, "\n");
		return;
	}
	let_or_var(g);
}

/* Stores only where one lane at most does it: see callers. */
static void store(struct gen *g)
{
	switch (below(&g->t, 4)) {
	case 0:
		line(&g->t, "out[%u + (", g->op * GENERATE_REGION);
		generate_expr(g, VYREC_U32, 2);
		put(&g->t, ") %% %u] = ", GENERATE_REGION / 2);
		generate_expr(g, VYREC_U32, 3);
		break;
	case 1:
		line(&g->t, "out_f32[%u] = clean32(", g->op);
		generate_expr(g, VYREC_F32, 4);
		put(&g->t, ")");
		break;
	case 2:
		line(&g->t, "out_u8[%u + (", g->op * GENERATE_REGION);
		generate_expr(g, VYREC_U32, 1);
		put(&g->t, ") %% %u] = ", GENERATE_REGION);
		generate_expr(g, VYREC_U32, 2);
		break;
	default:
		line(&g->t, "atomic_add(sums[(");
		generate_expr(g, VYREC_U32, 1);
		put(&g->t, ") %% %u], ", GENERATE_SUMS + 1); /* one of nine is out of bounds: no effect */
		generate_expr(g, VYREC_U32, 2);
		put(&g->t, ")");
		break;
	}
	put(&g->t, "\n");
}

static void block(struct gen *g, unsigned depth, bool in_loop);

static void open_block(struct gen *g, unsigned depth, bool in_loop)
{
	unsigned locals = g->t.local_count;
	put(&g->t, " {\n");
	g->t.indent++;
	block(g, depth, in_loop);
	g->t.indent--;
	g->t.local_count = locals;
	line(&g->t, "}");
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
	const char *const *b = bounds[below(&g->t, sizeof bounds / sizeof *bounds)];
	unsigned locals = g->t.local_count;
	const struct grow_local *i = declare(&g->t, VYREC_U32, false, false);
	line(&g->t, "for %s in %s .. %s step %s", i->name, b[0], b[1], b[2]);
	open_block(g, depth, true);
	put(&g->t, "\n");
	g->t.local_count = locals;
}

static void branch(struct gen *g, unsigned depth, bool in_loop)
{
	if (chance(&g->t, 25)) {
		line_of(g, "switch ", VYREC_U32, 1, " % 4 {\n");
		for (unsigned c = 0; c < 3; c++) {
			line(&g->t, "case %u", c);
			open_block(g, depth, in_loop);
			put(&g->t, "\n");
		}
		line(&g->t, "}\n");
		return;
	}
	line(&g->t, "if ");
	generate_expr(g, VYREC_BOOL, 3);
	open_block(g, depth, in_loop);
	if (chance(&g->t, 50)) {
		put(&g->t, " else");
		open_block(g, depth, in_loop);
	}
	put(&g->t, "\n");
	if (in_loop && chance(&g->t, 20)) {
		line(&g->t, "if ");
		generate_expr(g, VYREC_BOOL, 1);
		put(&g->t, " { %s }\n", chance(&g->t, 50) ? "break" : "continue");
	}
}

/* All lanes are here together. */
static void suspend(struct gen *g)
{
	if (!g->suspends || !chance(&g->t, 30))
		return;
	if (chance(&g->t, 70)) {
		line(&g->t, "yield\n");
		return;
	}
	line(&g->t, chance(&g->t, 50) ? "requeue(" : "pause(0 & ");
	generate_expr(g, VYREC_U32, 1);
	put(&g->t, ")\n");
}

static void block(struct gen *g, unsigned depth, bool in_loop)
{
	for (unsigned n = 1 + below(&g->t, 4); n; n--) {
		unsigned pick = below(&g->t, 100);
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
	unsigned locals = g->t.local_count;
	line(&g->t, "var tmp: u32[8]\n");
	for (unsigned i = 0; i < 3; i++)
		let_or_var(g);
	block(g, 3, false);
	line_of(g, "for k in 0 .. 8 { tmp[k] = k * ", VYREC_U32, 2, " }\n");
	suspend(g);
	if (chance(&g->t, 8)) {
		line(&g->t, "if ");
		generate_expr(g, VYREC_BOOL, 2);
		put(&g->t, " { trap(%u) }\n", 1 + below(&g->t, 50));
	}
	if (chance(&g->t, 10)) {
		line_of(g, "if ", VYREC_BOOL, 2, " { return }\n");
	}
	line_of(g, "result(0, ", VYREC_U32, 4, ")\n");
	line_of(g, "result(1, tmp[", VYREC_U32, 1, " % 9])\n");
	line_of(g, "result(2, ", VYREC_I64, 4, ")\n");
	line_of(g, "result(4, clean32(", VYREC_F32, 4, "))\n");
	line_of(g, "result(5, ", VYREC_BOOL, 4, ")\n");
	g->t.local_count = locals;
}

/* Lanes share out a range; what they meet in is exact in any order. */
static void any_width_body(struct gen *g)
{
	static const char *const reductions[] = {"add", "min", "max", "and", "or", "xor"};
	static const char *const starts[] = {"0", "0xffffffff", "0", "0xffffffff", "0", "0"};
	static const char *const steps[] = {"acc + x", "min(acc, x)", "max(acc, x)", "acc & x", "acc | x", "acc ^ x"};
	unsigned k = below(&g->t, 6), locals = g->t.local_count;
	for (unsigned i = 0; i < 2; i++)
		let_or_var(g);
	block(g, 1, false);
	line(&g->t, "var acc: u32 = %s\n", starts[k]);
	line(&g->t, "for i in lane .. %u step lanes {\n", 1 + below(&g->t, GENERATE_REGION));
	g->t.indent++;
	struct grow_local *i = &g->t.locals[g->t.local_count++];
	*i = (struct grow_local){.name = "i", .type = VYREC_U32};
	line_of(g, "let x: u32 = ", VYREC_U32, 4, "\n");
	line(&g->t, "acc = %s\n", steps[k]);
	line(&g->t, "out[%u + i] = x\n", g->op * GENERATE_REGION);
	g->t.local_count--;
	g->t.indent--;
	line(&g->t, "}\n");
	suspend(g);
	line(&g->t, "let total = reduce_%s(acc)\n", reductions[k]);
	suspend(g);
	line(&g->t, "result(0, total)\n");
	line_of(g, "result(1, broadcast(", VYREC_U32, 3, ", 0))\n");
	g->t.local_count = locals;
}

/* Where shared memory is written before it is read again, and any local may differ from lane to lane. */
static void yield_together(struct gen *g)
{
	if (g->suspends && chance(&g->t, 30))
		line(&g->t, "yield\n");
}

static void fixed_width_body(struct gen *g)
{
	unsigned locals = g->t.local_count;
	line(&g->t, "shared s: u32[%u]\n", g->width);
	g->lane_values = true;
	let_or_var(g);
	block(g, 1, false);
	line_of(g, "s[lane] = ", VYREC_U32, 3, "\n");
	line(&g->t, "barrier\n");
	line(&g->t, "var y: u32 = s[(lane + %u) %% lanes]\n", below(&g->t, 300));
	yield_together(g);
	g->t.locals[g->t.local_count++] = (struct grow_local){.name = "y", .type = VYREC_U32, .assignable = true};
	if (chance(&g->t, 60)) {
		line(&g->t, "for turn in 0 .. %u {\n", 1 + below(&g->t, 3));
		g->t.indent++;
		line(&g->t, "barrier\n");
		yield_together(g);
		line_of(g, "s[lane] = y ^ (", VYREC_U32, 2, ")\n");
		line(&g->t, "barrier\n");
		line(&g->t, "y = y + s[(lane * 7 + turn) %% lanes]\n");
		if (chance(&g->t, 50))
			line(&g->t, "y = y ^ shuffle(y, (subgroup_lane + %u) %% subgroup_size)\n", below(&g->t, 40));
		g->t.indent--;
		line(&g->t, "}\n");
	}
	if (chance(&g->t, 40))
		line(&g->t, "let votes = ballot((y & 1) == 1)\n");
	else
		line(&g->t, "let votes = u64(subgroup_add(y)) + u64(subgroup_max(y))\n");
	yield_together(g);
	line(&g->t, "out[%u + lane] = y\n", g->op * GENERATE_REGION);
	line(&g->t, "result(0, reduce_add(y))\n");
	line(&g->t, "result(1, reduce_xor(u32(votes)))\n");
	line(&g->t, "result(2, broadcast(");
	generate_expr(g, VYREC_U32, 3);
	put(&g->t, ", %u))\n", below(&g->t, 300));
	line_of(g, "result(3, any((", VYREC_BOOL, 2, ")))\n");
	g->lane_values = false;
	g->t.local_count = locals;
}

static void op(struct gen *g)
{
	static const unsigned widths[] = {1, 2, 4, 7, 32, 48, 64} /* at most GENERATE_REGION */;
	unsigned pick = below(&g->t, 100);
	g->shape = pick < 60 ? BY_LANE : pick < 80 ? BY_ANY_WIDTH : BY_FIXED_WIDTH;
	g->width = widths[below(&g->t, sizeof widths / sizeof *widths)];
	g->width = g->one_width ? g->one_width : g->width;
	g->t.local_count = g->t.names = 0;
	line(&g->t, "op op%u = %u (a: u32, b: i32, c: u64, d: f32, e: bool, f: f64, h: i64) by ", g->op,
	     GENERATE_OPCODE + g->op);
	static const struct grow_local params[] = {{.name = "a", .type = VYREC_U32},  {.name = "b", .type = VYREC_I32},
						   {.name = "c", .type = VYREC_U64},  {.name = "d", .type = VYREC_F32},
						   {.name = "e", .type = VYREC_BOOL}, {.name = "f", .type = VYREC_F64},
						   {.name = "h", .type = VYREC_I64}};
	memcpy(g->t.locals, params, sizeof params);
	g->t.local_count = sizeof params / sizeof *params;
	if (g->shape == BY_LANE)
		put(&g->t, "lane {\n");
	else if (g->shape == BY_ANY_WIDTH)
		put(&g->t, "workgroup {\n");
	else
		put(&g->t, "workgroup(%u) {\n", g->width);
	g->t.indent++;
	if (g->shape == BY_LANE)
		lane_body(g);
	else if (g->shape == BY_ANY_WIDTH)
		any_width_body(g);
	else
		fixed_width_body(g);
	g->t.indent--;
	line(&g->t, "}\n");
}

static char *generate(uint64_t seed, unsigned ops, bool suspends, unsigned one_width)
{
	char *text = NULL;
	size_t bytes;
	struct gen g = {.t = {.rng = seed, .out = open_memstream(&text, &bytes), .most_locals = GROW_LOCALS - 1},
			.suspends = suspends,
			.one_width = one_width};
	put(&g.t, "set random {\n");
	g.t.indent = 1;
	static const char *const inputs[] = {"u32",  "i32", "u64", "i64", "f32", "f64",
					     "bool", "u8",  "u16", "i8",  "i16"};
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
		line(&g.t, "buffer in_%s: const %s[%s]\n", inputs[i], inputs[i], i & 1 ? "256" : "");
	line(&g.t, "buffer out: u32[]\n  buffer out_f32: f32[]\n  buffer out_u8: u8[]\n  buffer sums: u32[]\n");
	line(&g.t, "fn clean32(x: f32) -> f32 { return select(is_nan(x), 0.0, x) }\n");
	line(&g.t, "fn clean64(x: f64) -> f64 { return select(is_nan(x), f64(0.0), x) }\n");
	for (g.op = 0; g.op < ops; g.op++)
		op(&g);
	put(&g.t, "}\n");
	fclose(g.t.out);
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
