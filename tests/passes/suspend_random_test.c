/* suspend_random_test.c - random control flow around random suspension points, split, against the op as written.
 *
 * The texts nest loops of every kind of counter, labelled blocks, regions, switches and branches whose conditions have
 * effects, with break, continue and return between them, and sprinkle points over all of it. Every point counts itself,
 * every write is mixed into what is compared, and every turn of a loop is bounded.
 */
#include "tests/differential/generate.h"
#include "tests/passes/suspend_rig.h"

enum { TEXTS = 600, NATIVE_TEXTS = 25, ROUNDS = 3, MAX_DEPTH = 5, LEAST_SUSPENDED = 2000 };

struct gen {
	FILE *out;
	uint64_t rng;
	unsigned names, depth, loops, budget;
	unsigned labels[8], label_count;
	unsigned vars[32], var_count;	  /* u32 vars that are visible */
	unsigned lets[32], let_count;	  /* u64 lets */
	unsigned arrays[16], array_count; /* of 6 elements, u32 or u8 */
};

static unsigned below(struct gen *g, unsigned n)
{
	return rig_random(&g->rng) % n;
}

static void value(struct gen *g, unsigned depth)
{
	static const char *const ops[] = {"+", "-", "*", "^", "&", "|"};
	if (depth && below(g, 3)) {
		fputs("(", g->out);
		value(g, depth - 1);
		fprintf(g->out, " %s ", ops[below(g, 6)]);
		value(g, depth - 1);
		fputs(")", g->out);
		return;
	}
	unsigned pick = below(g, 12);
	if (pick < 5 && g->var_count)
		fprintf(g->out, "v%u", g->vars[below(g, g->var_count)]);
	else if (pick == 5 && g->let_count)
		fprintf(g->out, "u32(w%u >> %u)", g->lets[below(g, g->let_count)], below(g, 40));
	else if (pick == 6 && g->array_count)
		fprintf(g->out, "t%u[v0 %% 7]", g->arrays[below(g, g->array_count)]);
	else if (pick == 7)
		fprintf(g->out, "arg[%u]", below(g, 13));
	else if (pick == 8)
		fputs("u32(b)", g->out);
	else if (pick == 9)
		fputs("u32(c >> 16)", g->out);
	else if (pick == 10)
		fputs("a", g->out);
	else
		fprintf(g->out, "%u", below(g, 30));
}

static void condition(struct gen *g)
{
	if (below(g, 4) == 0) {
		fprintf(g->out, "atomic_add(out[%u], ", below(g, 20));
		value(g, 1);
		fprintf(g->out, ") %% 2 == %u", below(g, 2));
		return;
	}
	value(g, 2);
	fprintf(g->out, " %% %u == %u", 2 + below(g, 3), below(g, 2));
}

static void block(struct gen *g);

static void braces(struct gen *g)
{
	const struct gen saved = *g;
	fputs(" {\n", g->out);
	g->depth++;
	block(g);
	g->depth = saved.depth;
	g->label_count = saved.label_count;
	g->var_count = saved.var_count;
	g->let_count = saved.let_count;
	g->array_count = saved.array_count;
	g->loops = saved.loops;
	fputs("}\n", g->out);
}

static void declare(struct gen *g)
{
	unsigned name = ++g->names;
	switch (below(g, 4)) {
	case 0:
		fprintf(g->out, "let w%u = u64(", name);
		value(g, 2);
		fputs(") * u64(0x123456789)\n", g->out);
		if (g->let_count < 32)
			g->lets[g->let_count++] = name;
		break;
	case 1:
		fprintf(g->out, "var t%u: %s[6]\n", name, below(g, 2) ? "u32" : "u8");
		if (g->array_count < 16)
			g->arrays[g->array_count++] = name;
		break;
	default:
		fprintf(g->out, "var v%u: u32", name);
		if (below(g, 4)) {
			fputs(" = ", g->out);
			value(g, 2);
		}
		fputs("\n", g->out);
		if (g->var_count < 32)
			g->vars[g->var_count++] = name;
	}
}

static void assign(struct gen *g)
{
	if (g->array_count && below(g, 3) == 0) {
		fprintf(g->out, "t%u[", g->arrays[below(g, g->array_count)]);
		value(g, 1);
		fputs(" % 7] = ", g->out);
	} else if (g->var_count && below(g, 4)) {
		fprintf(g->out, "v%u = ", g->vars[below(g, g->var_count)]);
	} else {
		fprintf(g->out, "out[%u] = ", below(g, 40));
	}
	value(g, 2);
	fputs("\n", g->out);
}

static void counted(struct gen *g)
{
	static const char *const ranges[] = {
	    "0 .. 3",
	    "a % 3 .. 5 step 2",
	    "v0 % 4 .. v0 % 4 + 2",
	    "0xfffffff0 .. 0xffffffff step 7",
	    "b % 3 - 2 .. 2",
	    "i32(u32(0x80000000)) .. 0x7fffffff step 0x60000000",
	    "c | u64(0xfffffffffffffff0) .. u64(0xffffffffffffffff) step 9",
	    "i64(c % u64(3)) - i64(2) .. i64(2)",
	    "5 .. 3",
	    "atomic_add(out[3], 1) % 2 .. atomic_add(out[4], 3) % 4",
	};
	unsigned k = below(g, sizeof ranges / sizeof *ranges), name = ++g->names;
	const struct gen saved = *g;
	fprintf(g->out, "for k%u in %s {\nvar v%u: u32 = u32(k%u)\n", name, ranges[k], name, name);
	g->vars[g->var_count < 32 ? g->var_count++ : 31] = name;
	g->depth++;
	g->loops++;
	block(g);
	fputs("}\n", g->out);
	g->depth = saved.depth;
	g->loops = saved.loops;
	g->label_count = saved.label_count;
	g->var_count = saved.var_count;
	g->let_count = saved.let_count;
	g->array_count = saved.array_count;
}

static void plain_loop(struct gen *g)
{
	unsigned name = ++g->names;
	fprintf(g->out, "var n%u: u32\nloop {\nn%u = n%u + 1\nif n%u > %u { break }\nblock", name, name, name, name,
		1 + below(g, 3));
	g->loops++;
	braces(g);
	g->loops--;
	fputs("}\n", g->out);
}

static void select_block(struct gen *g)
{
	bool sign = below(g, 2);
	fputs("switch ", g->out);
	if (sign)
		fputs("i32((", g->out);
	value(g, 2);
	fputs(sign ? ") % 5) - 2 {\n" : " % 5 {\n", g->out);
	for (int c = 0; c < 4; c++) {
		if (below(g, 3) == 0)
			continue;
		fprintf(g->out, "case %d", sign ? c - 2 : c);
		if (c < 3 && below(g, 3) == 0)
			fprintf(g->out, ", %d", sign ? ++c - 2 : ++c);
		braces(g);
	}
	if (below(g, 3)) {
		fputs("default", g->out);
		braces(g);
	}
	fputs("}\n", g->out);
}

static void jump(struct gen *g)
{
	unsigned pick = below(g, 8);
	fputs("if ", g->out);
	condition(g);
	if (pick < 3 && g->label_count)
		fprintf(g->out, " { break l%u }\n", g->labels[below(g, g->label_count)]);
	else if (pick < 5 && g->loops)
		fputs(" { break }\n", g->out);
	else if (pick < 7 && g->loops)
		fputs(" { continue }\n", g->out);
	else
		fputs(below(g, 3) ? " { return }\n" : " { trap(v0) }\n", g->out);
}

static void statement(struct gen *g)
{
	unsigned pick = below(g, 100);
	bool deep = g->depth >= MAX_DEPTH || !g->budget;
	if (pick < 20)
		declare(g);
	else if (pick < 40 || (deep && pick >= 58))
		assign(g);
	else if (pick < 54)
		fputs("atomic_add(turns[0], 1)\nyield\n", g->out);
	else if (pick < 58)
		jump(g);
	else if (pick < 70) {
		fputs("if ", g->out);
		condition(g);
		braces(g);
		if (below(g, 2)) {
			fputs("else", g->out);
			braces(g);
		}
	} else if (pick < 82)
		counted(g);
	else if (pick < 86)
		plain_loop(g);
	else if (pick < 91)
		select_block(g);
	else if (pick < 96) {
		unsigned name = ++g->names;
		fprintf(g->out, "block l%u", name);
		if (g->label_count < 8)
			g->labels[g->label_count++] = name;
		braces(g);
	} else {
		fputs("region \"some\" {\n", g->out); /* what it declares stays visible */
		g->depth++;
		block(g);
		g->depth--;
		fputs("}\n", g->out);
	}
}

static void block(struct gen *g)
{
	unsigned labels = g->label_count;
	for (unsigned n = 1 + below(g, 5); n; n--) {
		g->budget -= g->budget > 0;
		statement(g);
		g->label_count = labels;
	}
}

static char *generate(uint64_t seed)
{
	char *text = NULL;
	size_t bytes;
	struct gen g = {.rng = seed, .budget = 60, .out = open_memstream(&text, &bytes)};
	fputs("set s {\nbuffer turns: u32[1]\nbuffer out: u32[40]\n"
	      "op it = 0x100 (a: u32, b: i32, c: u64) by lane {\nvar v0: u32 = a % 11\n",
	      g.out);
	g.vars[g.var_count++] = 0;
	for (unsigned n = 0; n < 3; n++)
		block(&g);
	fputs("result(0, ", g.out);
	value(&g, 3);
	fputs(")\nout[39] = v0\n}\n}\n", g.out);
	fclose(g.out);
	return text;
}

static void run_native(struct vyrec_module *m, struct suspend_state *st)
{
	struct cpu_run cpu;
	uint32_t fault[2];
	if (!cpu_run_open(&cpu, m, &(struct cpu_run_options){.level = 2}) ||
	    !cpu_run_program(&cpu, "driver", (uint32_t[]){1, 1, 1}, st->buffers, st->buffer_count, fault))
		fail_msg("%s", cpu.message);
	cpu_run_close(&cpu);
}

/* Returns how often it was suspended. */
static uint32_t compare(const char *text, uint32_t op, uint64_t seed, unsigned level, uint32_t rounds,
			void (*run)(struct vyrec_module *, struct suspend_state *))
{
	static struct rig_state want, set;
	static struct suspend_state have;
	struct vyrec_pass_options options = {.level = level, .one_lane = true, .audit = true};
	struct vyrec_suspend_info info;
	struct vyrec_module *before = rig_parse(text), *after = suspend_program(text, op, &options, &info);
	uint32_t suspended = 0;
	for (uint32_t round = 0; round < rounds; round++) {
		rig_fill(&want, before, 1, seed * 31 + round);
		rig_fill(&set, before, 1, seed * 31 + round);
		want.slot_count = 1;
		struct vyrec_interp_slot slot = want.slots[0] = want.slots[RIG_SLOTS * op];
		bool counts = !strcmp(want.buffers[0].name, "turns");
		if (counts)
			*(uint32_t *)want.buffers[0].data = *(uint32_t *)set.buffers[0].data = 0;
		rig_interpret(before, 1, &want, 1, 0, 0);
		suspend_open(&have, &slot, &set);
		run(after, &have);
		suspend_close(&have, &slot);
		suspend_compare_slots(after, &want.slots[0], &slot);
		want.slot_count = 0;
		rig_compare(after, &want, &set);
		if (counts)
			assert_int_equal(have.notes[0], *(uint32_t *)set.buffers[0].data);
		suspended += have.notes[0];
		rig_free(&want);
		rig_free(&set);
	}
	vyrec_module_destroy(before);
	vyrec_module_destroy(after);
	return suspended;
}

static void points_anywhere_change_nothing(void **state)
{
	uint32_t suspended = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= TEXTS; seed++) {
		char *text = generate(seed);
		if (getenv("VYRE_PRINT"))
			fprintf(stderr, "seed %u\n%s", (unsigned)seed, text);
		suspended += compare(text, 0, seed, seed % 3 ? 2 : 0, ROUNDS, suspend_interpret);
		free(text);
	}
	assert_true(suspended >= LEAST_SUSPENDED);
}

static void nor_in_native_code(void **state)
{
	(void)state;
	for (uint64_t seed = TEXTS + 1; seed <= TEXTS + NATIVE_TEXTS; seed++) {
		char *text = generate(seed);
		compare(text, 0, seed, 2, 1, run_native);
		free(text);
	}
}

/* Values of every type and every operation, in ops by lane and by workgroup. */
static void nor_do_those_between_values_of_every_type(void **state)
{
	enum { MODULES = 12, OPS = 6 };
	uint32_t suspended = 0;
	(void)state;
	rig_elements = 4000;
	for (uint64_t seed = 1; seed <= MODULES; seed++) {
		char *text = generate_suspending_set(seed, OPS);
		for (uint32_t op = 0; op < OPS; op++)
			suspended += compare(text, op, seed, seed % 2 ? 2 : 0, ROUNDS, suspend_interpret);
		free(text);
	}
	assert_true(suspended >= MODULES * OPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(points_anywhere_change_nothing),
	    cmocka_unit_test(nor_in_native_code),
	    cmocka_unit_test(nor_do_those_between_values_of_every_type),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
