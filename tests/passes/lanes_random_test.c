/* lanes_random_test.c - random control flow around meeting points, N lanes against one lane that runs them all.
 *
 * The generator of the differential test grows expressions; this one grows what the pass `lanes` splits: barriers and
 * collectives under uniform ifs, loops, switches and labelled blocks, with divergent breaks, continues and returns
 * between them. What the verifier refuses (a jump that would leave lanes apart at a meeting point) is thrown away, so the
 * texts that are run are those where the pass must get it right. Lanes write elements of their own, and read those of
 * others only between two barriers.
 */
#include <stdio.h>

#include "tests/passes/rig.h"

enum { TEXTS = 1500, LEAST_RUN = 300, MAX_DEPTH = 4 };

struct gen {
	FILE *out;
	uint64_t rng;
	unsigned lanes, names, labels, open_labels[8], open_count, loops, budget;
	bool program;
};

static unsigned below(struct gen *g, unsigned n)
{
	return rig_random(&g->rng) % n;
}

/* A value of this lane. */
static void value(struct gen *g, unsigned depth)
{
	static const char *const leaves[] = {"lane",	       "x", "y", "z", "kept", "subgroup_lane",
					     "part[lane & 3]", "n", "3", "17"};
	static const char *const ops[] = {"+", "-", "*", "^", "&", "|"};
	if (!depth || below(g, 3) == 0) {
		fputs(leaves[below(g, sizeof leaves / sizeof *leaves)], g->out);
		return;
	}
	fputs("(", g->out);
	value(g, depth - 1);
	fprintf(g->out, " %s ", ops[below(g, 6)]);
	value(g, depth - 1);
	fputs(")", g->out);
}

/* The same for every lane. */
static void uniform(struct gen *g)
{
	static const char *const conditions[] = {
	    "(n & 1) == 0", "n > m", "m == 3", "same > 40", "(same & 1) == 1", "all(x < 50)", "any(z == 3) && n > 2"};
	fputs(conditions[below(g, sizeof conditions / sizeof *conditions)], g->out);
}

static void divergent(struct gen *g)
{
	value(g, 2);
	fprintf(g->out, " %% %u == %u", 2 + below(g, 4), below(g, 3));
}

static void block(struct gen *g, unsigned depth, bool apart);

/* A jump, `apart` or together. */
static void jump(struct gen *g)
{
	unsigned pick = below(g, 4);
	if (pick == 0 && g->open_count)
		fprintf(g->out, "break l%u\n", g->open_labels[below(g, g->open_count)]);
	else if (pick == 1 && g->loops)
		fputs("continue\n", g->out);
	else if (pick == 2 && g->loops)
		fputs("break\n", g->out);
	else
		fputs("return\n", g->out);
}

static const char *const vars[] = {"x", "y", "z"};

/* Statements that a lane runs by itself. */
static void alone(struct gen *g)
{
	switch (below(g, 5)) {
	case 0:
		fprintf(g->out, "out[base + lane + %u] = ", 64 * below(g, 7));
		break;
	case 1:
		fputs("part[lane & 3] = ", g->out);
		break;
	case 2:
		fprintf(g->out, "let v%u = ", g->names++);
		break;
	default:
		fprintf(g->out, "%s = ", vars[below(g, 3)]);
	}
	value(g, 3);
	fputs("\n", g->out);
}

/* Statements that all lanes run together. */
static void together(struct gen *g)
{
	static const char *const forms[] = {"reduce_add(%s)",		"reduce_max(%s)",   "shuffle(%s, lane ^ 1)",
					    "subgroup_add(%s)",		"broadcast(%s, m)", "u32(ballot(%s > 9))",
					    "subgroup_min(%s)",		"reduce_xor(%s)",   "shuffle(%s, z)",
					    "subgroup_broadcast(%s, 2)"};
	switch (below(g, 4)) {
	case 0:
		fputs("barrier\n", g->out);
		break;
	case 1:
		fputs("barrier; s[lane] = ", g->out);
		value(g, 2);
		fprintf(g->out, "; barrier; %s = s[(lane + %u) %% lanes]; barrier\n", vars[below(g, 3)],
			1 + below(g, 5));
		break;
	case 2:
		fputs("same = reduce_or(", g->out);
		value(g, 2);
		fputs(")\n", g->out);
		break;
	default:
		fprintf(g->out, "%s = ", vars[below(g, 3)]);
		fprintf(g->out, forms[below(g, sizeof forms / sizeof *forms)], vars[below(g, 3)]);
		fputs("\n", g->out);
	}
}

static void nest(struct gen *g, unsigned depth, bool apart)
{
	unsigned kind = below(g, 5), name = g->names++;
	switch (kind) {
	case 0:
		fputs("if ", g->out);
		apart ? divergent(g) : uniform(g);
		fputs(" {\n", g->out);
		block(g, depth - 1, apart);
		fputs("} else {\n", g->out);
		block(g, depth - 1, apart);
		fputs("}\n", g->out);
		return;
	case 1:
		fprintf(g->out, "for i%u in 0 .. %s {\n", name, apart ? "lane & 3" : "n & 3");
		g->loops++;
		block(g, depth - 1, apart);
		g->loops--;
		break;
	case 2:
		fprintf(g->out, "block l%u {\n", name);
		g->open_labels[g->open_count++] = name;
		block(g, depth - 1, apart);
		g->open_count--;
		break;
	case 3:
		fprintf(g->out, "switch %s & 3 {\ncase 0 {\n", apart ? "x" : "n");
		block(g, depth - 1, apart);
		fputs("}\ncase 1, 2 {\n", g->out);
		block(g, depth - 1, apart);
		fputs("}\n", g->out);
		break;
	default:
		fprintf(g->out, "var turns%u: u32 = 0\nloop {\nturns%u = turns%u + 1\nif turns%u > %s { break }\n",
			name, name, name, name, apart ? "(lane & 3)" : "2");
		g->loops++;
		block(g, depth - 1, apart);
		g->loops--;
	}
	fputs("}\n", g->out);
}

static void block(struct gen *g, unsigned depth, bool apart)
{
	for (unsigned i = 1 + below(g, 4); i && g->budget; i--, g->budget--) {
		unsigned pick = below(g, 10);
		if (pick < 3 && depth) {
			nest(g, depth, apart || below(g, 2));
		} else if (pick == 3) {
			fputs("if ", g->out);
			apart || below(g, 3) ? divergent(g) : uniform(g);
			fputs(" {\n", g->out);
			if (below(g, 2))
				alone(g);
			jump(g);
			fputs("}\n", g->out);
		} else if (pick < 7 || apart) {
			alone(g);
		} else {
			together(g);
		}
	}
}

static char *generate(uint64_t seed)
{
	static const unsigned widths[] = {2, 5, 8, 32, 40};
	struct gen g = {.rng = seed, .budget = 30};
	char *text;
	size_t bytes;
	g.out = open_memstream(&text, &bytes);
	g.lanes = widths[below(&g, 5)];
	g.program = below(&g, 3) == 0;
	if (g.program)
		fprintf(g.out,
			"program random workgroup(%u) {\nbuffer out: u32[3072]\nshared s: u32[%u]\nbody {\n"
			"let n = workgroup_id(0)\nlet m = workgroup_id(1) * 3\nlet base = (n + m) * 512\n",
			g.lanes, g.lanes);
	else
		fprintf(g.out,
			"set random {\nbuffer out: u32[512]\nop o = 0x100 (n: u32, m: u32) by workgroup(%u) {\n"
			"shared s: u32[%u]\nlet base = 0\n",
			g.lanes, g.lanes);
	fputs("var x: u32 = lane * 3\nvar y: u32 = n\nvar z: u32 = lane ^ m\nlet kept = lane + 7\nvar part: u32[4]\n"
	      "var same: u32 = n + m\n",
	      g.out);
	block(&g, MAX_DEPTH, false);
	block(&g, MAX_DEPTH, false);
	fputs("out[base + lane] = x ^ y + z + same\nout[base + lane + 64] = part[0] + part[1] * 3 + part[2] + "
	      "part[3]\n}\n}\n",
	      g.out);
	fclose(g.out);
	return text;
}

static bool is_legal(const char *text)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse("random.vyre", text, strlen(text), &diags);
	bool legal = m && vyrec_verify(m, &diags);
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
	return legal;
}

static void test_random(void **state)
{
	struct vyrec_pass_options options = rig_options();
	unsigned run = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= TEXTS; seed++) {
		char *text = generate(seed * 977);
		if (is_legal(text)) {
			run++;
			options.level = seed & 1 ? 2 : 0;
			rig_same(text, &options, RIG_PASSES(VYREC_PASS_lanes), 0, 1);
			rig_same(text, &options, RIG_PASSES(VYREC_PASS_COUNT), 0, 1);
		}
		free(text);
	}
	print_message("%u of %u texts are legal\n", run, TEXTS);
	assert_true(run >= LEAST_RUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
