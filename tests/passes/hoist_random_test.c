/* hoist_random_test.c - random loops over random indices: with the check in front, or at each access, the same.
 *
 * Bounds of loops and parts of indices are small numbers, numbers just below 2^32 and parameters of both sorts, so that
 * sums wrap, loops have no turn, and accesses run over both ends of their arrays. An unchecked access that misses stops
 * the interpreter, so a wrong proof is found even where it would do no harm.
 */
#include <stdio.h>

#include "tests/passes/rig.h"

enum { TEXTS = 200, ROUNDS = 8 };

struct gen {
	FILE *out;
	uint64_t rng;
	unsigned counters; /* i0 .. are visible */
	unsigned names;
};

static unsigned below(struct gen *g, unsigned n)
{
	return rig_random(&g->rng) % n;
}

static void index_of(struct gen *g, unsigned depth)
{
	static const char *const leaves[] = {"p", "q",	"v",	     "w",	   "0",		"1",
					     "3", "49", "length(b)", "0xfffffffe", "0xfffffff0"};
	static const char *const ops[] = {"+", "+", "+", "-", "*", "<<", "&", ">>", "%"};
	if (!depth || below(g, 4) == 0) {
		if (g->counters && below(g, 2))
			fprintf(g->out, "i%u", below(g, g->counters));
		else
			fputs(leaves[below(g, sizeof leaves / sizeof *leaves)], g->out);
		return;
	}
	fputs("(", g->out);
	index_of(g, depth - 1);
	fprintf(g->out, " %s ", ops[below(g, sizeof ops / sizeof *ops)]);
	index_of(g, depth - 1);
	fputs(")", g->out);
}

static void access(struct gen *g)
{
	static const char *const arrays[] = {"b", "b", "few", "bytes", "own"};
	const char *array = arrays[below(g, 5)];
	switch (below(g, 5)) {
	case 0:
		fprintf(g->out, "%s[", array);
		index_of(g, 2);
		fputs("] = s\n", g->out);
		break;
	case 1:
		fputs("atomic_add(b[", g->out);
		index_of(g, 2);
		fputs("], 1)\n", g->out);
		break;
	case 2:
		fprintf(g->out, "let k%u = ", g->names);
		index_of(g, 2);
		fprintf(g->out, "\ns = s * 31 + %s[k%u]\n", array, g->names++);
		break;
	case 3:
		fprintf(g->out, "if s %% 3 == 1 { w = w + 1; %s }\n",
			below(g, 2) && g->counters ? "continue" : "s = s + 1");
		break;
	default:
		fprintf(g->out, "s = s * 31 + %s[", array);
		index_of(g, 2);
		fputs("]\n", g->out);
	}
}

static void loop(struct gen *g, unsigned depth)
{
	static const char *const ranges[] = {"0 .. n",
					     "p .. p + n",
					     "p .. q",
					     "n .. 0xffffffff - p",
					     "0xfffffff8 .. 0xffffffff",
					     "0 .. length(few)",
					     "2 .. 30 step 7",
					     "p .. p + n step 3",
					     "0 .. min(length(b), 40)"};
	const char *range = ranges[below(g, sizeof ranges / sizeof *ranges)];
	unsigned i = g->counters++, turns = g->names++;
	fprintf(g->out, "var turns%u: u32 = 0\nfor i%u in %s {\n", turns, i, range);
	fprintf(g->out, "turns%u = turns%u + 1\nif turns%u > 12 { break }\n", turns, turns, turns);
	for (unsigned n = 1 + below(g, 3); n; n--)
		access(g);
	if (depth && below(g, 2))
		loop(g, depth - 1);
	fputs("}\n", g->out);
	g->counters--;
}

static char *generate(uint64_t seed)
{
	struct gen g = {.rng = seed};
	char *text;
	size_t bytes;
	g.out = open_memstream(&text, &bytes);
	fputs("set random {\nbuffer b: u32[]\nbuffer few: u32[50]\nbuffer bytes: u8[]\n"
	      "op o = 0x100 (p: u32, q: u32, c: u32) by lane {\n"
	      "let n = c & 31\nlet v = p + q\nvar w: u32 = q\nvar s: u32 = c\nvar own: u32[20]\n",
	      g.out);
	loop(&g, 2);
	loop(&g, 1);
	fputs("result(0, s)\nresult(1, w)\n}\n}\n", g.out);
	fclose(g.out);
	return text;
}

static void test_random(void **state)
{
	static const vyrec_policy policies[] = {VYREC_POLICY_CHECKED, VYREC_POLICY_CLAMP, VYREC_POLICY_TRAP};
	struct vyrec_pass_options options = rig_options();
	unsigned versions = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= TEXTS; seed++) {
		char *text = generate(seed * 131);
		options.bounds = policies[seed % 3];
		rig_same(text, &options, RIG_PASSES(VYREC_PASS_bounds), 1, ROUNDS);
		rig_same(text, &options, RIG_PASSES(VYREC_PASS_COUNT), 1, ROUNDS);
		char *after = rig_after(text, &options, RIG_PASSES(VYREC_PASS_COUNT));
		versions += strstr(after, "region \"checked\"") != NULL;
		free(after);
		free(text);
	}
	assert_true(versions > TEXTS / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
