/* pipeline.c - the order of the passes, and the runner around each.
 *
 * Enters: a verified module. Leaves: what passes.h promises a backend at vyrec_run_pipeline, or errors. Invariant: after
 * every pass the module verifies; a pass that breaks it is named. With `audit`, a pass that says "no change" is held to
 * it by comparing the printed module before and after.
 *
 * The order is one table, read from top to bottom. `lanes` stands before `bounds` where there is one lane: a loop over
 * `lane .. n step lanes` is then a plain counted loop, whose checks move in front of it. Inline, lanes and bounds run
 * again behind `mega`, for the scheduler that it wrote; on what was done before they find nothing to do. The scheduler's
 * own accesses are checked whatever the options say (a host may hand it nonsense), and its loops stay as written.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "passes/make.h"

#define X(name, meaning) [VYREC_PASS_##name] = {#name, meaning, vyrec_pass_##name},
static const struct {
	const char *name, *meaning;
	bool (*run)(struct vyrec_module *module, const struct vyrec_pass_options *options, struct vyrec_diags *diags);
} passes[VYREC_PASS_COUNT] = {VYREC_PASS_LIST(X)};
#undef X

enum when { ALWAYS = 0, OPTIMISE = 1, ONE_LANE = 2, NO_SETS = 4, NARROW = 8 };
static const struct {
	vyrec_pass pass;
	enum when when; /* all of these must hold */
} order[] = {
    {VYREC_PASS_inline, ALWAYS},  {VYREC_PASS_lanes, NARROW},
    {VYREC_PASS_fold, OPTIMISE},  {VYREC_PASS_bounds, ALWAYS},
    {VYREC_PASS_mega, NO_SETS}, /* this and the rows like it: for the scheduler */
    {VYREC_PASS_inline, NO_SETS}, {VYREC_PASS_lanes, NO_SETS | ONE_LANE},
    {VYREC_PASS_bounds, NO_SETS}, {VYREC_PASS_fold, OPTIMISE},
    {VYREC_PASS_dce, OPTIMISE},
};

const char *vyrec_pass_name(vyrec_pass pass)
{
	return (unsigned)pass < VYREC_PASS_COUNT ? passes[pass].name : "?";
}

const char *vyrec_pass_meaning(vyrec_pass pass)
{
	return (unsigned)pass < VYREC_PASS_COUNT ? passes[pass].meaning : "?";
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static bool wants_print(const struct vyrec_pass_options *options, vyrec_pass pass)
{
	const char *name = options->print_after;
	return name && (!strcmp(name, "all") || !strcmp(name, passes[pass].name));
}

static void print_after(const struct vyrec_module *module, const struct vyrec_pass_options *options, vyrec_pass pass)
{
	FILE *log = options->log ? options->log : stderr;
	size_t bytes;
	char *text = vyrec_print(module, 0, &bytes);
	fprintf(log, "// after %s\n", passes[pass].name);
	fwrite(text, 1, bytes, log);
	free(text);
}

/* "No change" must print the same. */
static void audit(const struct vyrec_module *module, vyrec_pass pass, const char *before, struct vyrec_diags *diags)
{
	size_t bytes;
	char *after = vyrec_print(module, 0, &bytes);
	if (strcmp(before, after))
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", 0,
		    "pass `%s` changed the module and said that it did not; report this as a bug of the compiler",
		    passes[pass].name);
	free(after);
}

/* What is left in use of nodes and local arrays: passes leave some behind. */
struct size {
	uint32_t nodes, arrays;
};

static void count_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	(void)m;
	(void)e;
	((struct size *)user)->nodes++;
}

static void count_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct size *size = user;
	size->nodes++;
	size->arrays += m->stmts[s].kind == VYREC_STMT_VAR && m->stmts[s].array;
}

/* What a module may hold is a limit of the language, not a fault of the pass that met it. */
static bool fits(struct vyrec_module *module, vyrec_pass pass, struct vyrec_diags *diags)
{
	static const char format[] = "the module grows past %d %s in pass `%s`; split the file or make it smaller";
	struct size size = {0};
	struct vyrec_walker walker = {.stmt = count_stmt, .expr = count_expr, .user = &size};
	struct vyrec_body body = {0};
	if (module->expr_count + module->stmt_count <= VYREC_MAX_NODES && module->array_count <= VYREC_MAX_ARRAYS)
		return true;
	while (vyrec_next_body(module, &body))
		vyrec_walk_block(module, body.block, &walker);
	for (vyrec_array a = 1; a < module->array_count; a++)
		size.arrays += module->arrays[a].class_ != VYREC_CLASS_LOCAL;
	if (size.nodes > VYREC_MAX_NODES)
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, format, VYREC_MAX_NODES, "statements and expressions",
				passes[pass].name);
	else if (size.arrays > VYREC_MAX_ARRAYS)
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, format, VYREC_MAX_ARRAYS, "arrays", passes[pass].name);
	else
		return true;
	return false;
}

static bool run_one(struct vyrec_module *module, vyrec_pass pass, const struct vyrec_pass_options *options,
		    struct vyrec_diags *diags, struct vyrec_pass_times *times)
{
	uint32_t errors = diags->errors;
	size_t bytes;
	char *before = options->audit ? vyrec_print(module, 0, &bytes) : NULL;
	double start = now_ms();
	bool changed = passes[pass].run(module, options, diags);
	double end = now_ms();
	times->milliseconds[pass] += end - start;
	if (before && !changed && diags->errors == errors)
		audit(module, pass, before, diags);
	free(before);
	if (diags->errors != errors || !fits(module, pass, diags))
		return false;
	if (wants_print(options, pass))
		print_after(module, options, pass);
	uint32_t count = diags->count;
	if (changed && !vyrec_verify(module, diags)) {
		bool deep = diags->count > count && !strcmp(diags->items[count].rule, "V003");
		vyrec_diags_add(
		    diags, VYREC_ERROR, "", 0,
		    deep ? "pass `%s` nested statements past the limit; nest fewer calls, && and || in each other"
			 : "pass `%s` left a module that breaks the rules above; report this as a bug of the compiler",
		    passes[pass].name);
		return false;
	}
	times->verify += now_ms() - end;
	return true;
}

static void print_times(const struct vyrec_pass_options *options, const struct vyrec_pass_times *times)
{
	FILE *log = options->log ? options->log : stderr;
	for (unsigned pass = 0; pass < VYREC_PASS_COUNT; pass++)
		fprintf(log, "%8.3f ms  %s\n", times->milliseconds[pass], passes[pass].name);
	fprintf(log, "%8.3f ms  verify\n", times->verify);
}

/* Whether an addition wraps is what `bounds` has proved in this run, not what an input says. */
static void forget_proofs(struct vyrec_module *module)
{
	for (vyrec_expr e = 1; e < module->expr_count; e++)
		if (module->exprs[e].kind == VYREC_EXPR_OP)
			module->exprs[e].policy = VYREC_POLICY_DEFAULT;
}

bool vyrec_run_pipeline(struct vyrec_module *module, const struct vyrec_pass_options *options,
			struct vyrec_diags *diags, struct vyrec_pass_times *times)
{
	struct vyrec_pass_times own;
	unsigned holds = (options->level ? OPTIMISE : 0) | (options->one_lane ? ONE_LANE : 0) |
			 (options->keep_sets ? 0 : NO_SETS) | (options->one_lane || options->mailbox ? NARROW : 0);
	struct vyrec_pass_options scheduler = *options;
	scheduler.bounds = VYREC_POLICY_CHECKED;
	scheduler.level = 0;
	bool ok = true;
	times = times ? times : &own;
	*times = (struct vyrec_pass_times){0};
	forget_proofs(module);
	for (size_t i = 0; ok && i < sizeof order / sizeof *order; i++)
		if ((order[i].when & ~holds) == 0)
			ok = run_one(module, order[i].pass, order[i].when & NO_SETS ? &scheduler : options, diags,
				     times);
	if (options->time)
		print_times(options, times);
	return ok;
}

bool vyrec_run_pass(struct vyrec_module *module, vyrec_pass pass, const struct vyrec_pass_options *options,
		    struct vyrec_diags *diags)
{
	struct vyrec_pass_times times = {0};
	return run_one(module, pass, options, diags, &times);
}
