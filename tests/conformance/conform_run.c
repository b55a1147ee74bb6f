/* conform_run.c - runs the files of the corpus and judges what came out.
 *
 * Enters: an open file and a backend, or the interpreter at several widths. Leaves: the number of failures, each
 * printed with file and line. Invariant: every run starts from the same state, and no run sees another one's buffers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/ring.h"
#include "tests/conformance/conform.h"

/* ---- state ------------------------------------------------------------------------------------------------ */

void conform_start(const struct conform_file *file, struct conform_run *run)
{
	*run = file->start;
	for (uint32_t k = 0; k < run->buffer_count; k++) {
		size_t bytes = run->buffers[k].count * vyrec_type_bytes(run->elements[k]);
		void *copy = vyrec_alloc(bytes);
		memcpy(copy, run->buffers[k].data, bytes);
		run->buffers[k].data = copy;
	}
}

void conform_finish(struct conform_run *run)
{
	for (uint32_t k = 0; k < run->buffer_count; k++)
		free(run->buffers[k].data);
	run->buffer_count = 0;
}

/* ---- checks ----------------------------------------------------------------------------------------------- */

static bool is_nan(vyrec_type type, uint64_t bits)
{
	return vyrec_type_is_float(type) && vyrec_eval(VYREC_OP_is_nan, type, bits, 0, 0);
}

static uint64_t element(const struct conform_run *run, uint32_t buffer, uint64_t index)
{
	vyrec_type type = run->elements[buffer];
	return vyrec_eval_load(type, (const char *)run->buffers[buffer].data + index * vyrec_type_bytes(type));
}

/* Whole elements as they were written: a load widens those that are narrower than their type. */
static uint64_t as_element(vyrec_type type, uint64_t bits)
{
	uint64_t place = 0;
	vyrec_eval_store(type, &place, bits);
	return vyrec_eval_load(type, &place);
}

static unsigned check_value(const struct conform_file *file, const struct conform_expect *e, uint64_t want,
			    uint64_t have, const char *what, const char *who)
{
	if (e->any_nan ? is_nan(e->type, have) : want == have)
		return 0;
	fprintf(stderr, "%s:%u: %s: %s %u [%llu] is 0x%llx, not 0x%llx\n", file->path, e->line, who, what, e->target,
		(unsigned long long)e->index, (unsigned long long)have, (unsigned long long)want);
	return 1;
}

static unsigned check_word(const struct conform_file *file, const struct conform_run *run,
			   const struct conform_expect *e, const char *who)
{
	const uint32_t *words = run->slots[e->target].words;
	uint64_t have = words[VYRE_SLOT_WORD_ARG0 + e->index];
	if (vyrec_type_bytes(e->type) == 8)
		have |= (uint64_t)words[VYRE_SLOT_WORD_ARG0 + e->index + 1] << 32;
	unsigned failures = check_value(file, e, e->bits, have, "result of slot", who);
	if (words[VYRE_SLOT_WORD_STATUS] != VYRE_SLOT_DONE) {
		fprintf(stderr, "%s:%u: %s: slot %u has status %u, not DONE\n", file->path, e->line, who, e->target,
			words[VYRE_SLOT_WORD_STATUS]);
		failures++;
	}
	return failures;
}

static unsigned check_pair(const struct conform_file *file, const struct conform_expect *e, const uint32_t have[2],
			   const char *who)
{
	if (have[0] == e->words[0] && have[1] == e->words[1])
		return 0;
	fprintf(stderr, "%s:%u: %s: fault %u %u, not %u %u\n", file->path, e->line, who, have[0], have[1], e->words[0],
		e->words[1]);
	return 1;
}

static unsigned check_log(const struct conform_file *file, const struct conform_run *run,
			  const struct conform_expect *e, const char *who)
{
	if (!run->has_logs)
		return 0;
	for (uint32_t k = 0; k < run->log_count && k < 64; k++)
		if (!memcmp(run->logs[k], e->words, sizeof e->words))
			return 0;
	fprintf(stderr, "%s:%u: %s: no log record %u %u %u\n", file->path, e->line, who, e->words[0], e->words[1],
		e->words[2]);
	return 1;
}

static unsigned check_one(const struct conform_file *file, const struct conform_run *run,
			  const struct conform_expect *e, const char *who)
{
	const uint32_t *words = run->slots[e->kind == CONFORM_ELEMENT ? 0 : e->target].words;
	switch (e->kind) {
	case CONFORM_ELEMENT:
		return check_value(file, e, as_element(e->type, e->bits), element(run, e->target, e->index), "buffer",
				   who);
	case CONFORM_WORD:
		return check_word(file, run, e, who);
	case CONFORM_DONE:
		if (words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_DONE)
			return 0;
		fprintf(stderr, "%s:%u: %s: slot %u is not DONE\n", file->path, e->line, who, e->target);
		return 1;
	case CONFORM_SLOT_FAULT: {
		static const uint32_t none[2];
		return check_pair(
		    file, e, words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_FAULT ? words + VYRE_SLOT_WORD_ARG0 : none, who);
	}
	case CONFORM_FAULT:
		return check_pair(file, e, run->fault, who);
	case CONFORM_LOG:
		return check_log(file, run, e, who);
	}
	return 1;
}

/* A fault that nobody expects. */
static unsigned check_unexpected(const struct conform_file *file, const struct conform_run *run, const char *who)
{
	unsigned failures = 0;
	bool program = false, slots[CONFORM_SLOTS] = {false};
	for (uint32_t k = 0; k < file->expect_count; k++) {
		program |= file->expects[k].kind == CONFORM_FAULT;
		if (file->expects[k].kind == CONFORM_SLOT_FAULT)
			slots[file->expects[k].target] = true;
	}
	if (run->fault[0] && !program) {
		fprintf(stderr, "%s: %s: the program faulted: %u %u\n", file->path, who, run->fault[0], run->fault[1]);
		failures++;
	}
	for (uint32_t k = 0; k < run->slot_count; k++)
		if (run->slots[k].words[VYRE_SLOT_WORD_STATUS] != VYRE_SLOT_DONE && !slots[k]) {
			const uint32_t *w = run->slots[k].words;
			fprintf(stderr, "%s: %s: slot %u ended with status %u, code %u, detail %u\n", file->path, who,
				k, w[VYRE_SLOT_WORD_STATUS], w[VYRE_SLOT_WORD_ARG0], w[VYRE_SLOT_WORD_ARG0 + 1]);
			failures++;
		}
	return failures;
}

unsigned conform_check(const struct conform_file *file, const struct conform_run *run, const char *who)
{
	unsigned failures = check_unexpected(file, run, who);
	for (uint32_t k = 0; k < file->expect_count; k++)
		failures += check_one(file, run, &file->expects[k], who);
	return failures;
}

unsigned conform_compare(const struct conform_file *file, const struct conform_run *want,
			 const struct conform_run *have, const char *who)
{
	unsigned failures = 0;
	for (uint32_t b = 0; b < want->buffer_count; b++)
		for (uint64_t k = 0; k < want->buffers[b].count; k++) {
			uint64_t x = element(want, b, k), y = element(have, b, k);
			if (x == y || (is_nan(want->elements[b], x) && is_nan(want->elements[b], y)))
				continue;
			fprintf(stderr, "%s: %s: %s[%llu] is 0x%llx, at another width 0x%llx\n", file->path, who,
				want->buffers[b].name, (unsigned long long)k, (unsigned long long)y,
				(unsigned long long)x);
			failures++;
			break;
		}
	for (uint32_t s = 0; s < want->slot_count; s++) {
		const uint32_t *x = want->slots[s].words, *y = have->slots[s].words;
		size_t words = x[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_FAULT ? VYRE_SLOT_WORD_ARG0 + 2 : VYRE_SLOT_WORDS;
		if (!memcmp(x, y, words * sizeof *x))
			continue;
		fprintf(stderr, "%s: %s: slot %u differs from another width\n", file->path, who, s);
		failures++;
	}
	return failures + (want->fault[0] != have->fault[0]) + (want->fault[1] != have->fault[1]);
}

/* ---- running ---------------------------------------------------------------------------------------------- */

unsigned conform_run_backend(const struct conform_file *file, const struct conform_backend *backend)
{
	struct conform_run run;
	char message[CONFORM_MESSAGE] = "";
	conform_start(file, &run);
	unsigned failures = 1;
	if (backend->run(backend->user, &run, message))
		failures = conform_check(file, &run, backend->name);
	else
		fprintf(stderr, "%s: %s: %s\n", file->path, backend->name, message);
	conform_finish(&run);
	return failures;
}

/* One run on the interpreter; false with a message when it did not end well. */
static bool interp_run(struct conform_run *run, const struct vyrec_interp_options *options, const char *path,
		       const char *who)
{
	struct vyrec_interp_result result;
	if (run->is_program)
		vyrec_interp_program(run->module, run->unit, run->workgroups, run->buffers, run->buffer_count, options,
				     &result);
	else
		vyrec_interp_slots(run->module, run->unit, run->slots, run->slot_count, run->buffers, run->buffer_count,
				   options, &result);
	run->fault[0] = result.fault_code;
	run->fault[1] = result.fault_detail;
	run->has_logs = true;
	run->log_count = result.log_count;
	memcpy(run->logs, result.logs, sizeof run->logs);
	for (uint32_t k = 0; k < result.race_count && k < 16; k++) {
		const struct vyrec_race *race = &result.races[k];
		fprintf(stderr, "%s:%u: %s: races with line %u on %s[%llu]\n", path, VYREC_LOC_LINE(race->second), who,
			VYREC_LOC_LINE(race->first),
			vyrec_name_text(run->module, run->module->arrays[race->array].name),
			(unsigned long long)race->element);
	}
	bool ended = result.status == VYRE_OK || (result.status == VYRE_FAULT && run->is_program);
	if (!ended)
		fprintf(stderr, "%s: %s: status %d: %s\n", path, who, (int)result.status, result.message);
	return ended && !result.race_count;
}

unsigned conform_run_interp(const struct conform_file *file)
{
	static const uint32_t widths[] = {1, 4, 32, 256};
	struct conform_run first, run;
	unsigned failures = 0;
	for (unsigned n = 0; n < 8; n++) {
		struct vyrec_interp_options options = {.lanes = widths[n / 2],
						       .seed = n % 2 * (n + 5),
						       .bounds = file->start.bounds,
						       .detect_races = true,
						       .spawn_limit = file->start.spawn_limit,
						       .workers = 1 + n % 2 * 2};
		char who[64];
		snprintf(who, sizeof who, "interpreter, %u lanes, seed %u", options.lanes, (unsigned)options.seed);
		conform_start(file, n ? &run : &first);
		struct conform_run *now = n ? &run : &first;
		failures += !interp_run(now, &options, file->path, who);
		failures += conform_check(file, now, who);
		if (n) {
			failures += conform_compare(file, &first, now, who);
			conform_finish(now);
		}
	}
	conform_finish(&first);
	return failures;
}

/* ---- coverage --------------------------------------------------------------------------------------------- */

static void cover_stmt(void *user, struct vyrec_module *module, vyrec_stmt stmt)
{
	((struct conform_coverage *)user)->stmts[module->stmts[stmt].kind] = true;
}

static void cover_expr(void *user, struct vyrec_module *module, vyrec_expr expr)
{
	struct conform_coverage *c = user;
	const struct vyrec_expr_node *x = &module->exprs[expr];
	switch (x->kind) {
	case VYREC_EXPR_OP:
		c->ops[x->code] = true;
		break;
	case VYREC_EXPR_BUILTIN:
		c->builtins[x->code] = true;
		break;
	case VYREC_EXPR_COLLECTIVE:
		c->collectives[x->code] = true;
		break;
	case VYREC_EXPR_ATOMIC:
		c->atomics[x->code] = true;
		break;
	default:
		break;
	}
}

void conform_cover(struct conform_coverage *coverage, const struct conform_file *file)
{
	struct vyrec_module *m = file->module;
	const struct vyrec_walker walker = {cover_stmt, cover_expr, coverage};
	for (uint32_t u = 1; u < m->unit_count; u++)
		vyrec_walk_block(m, m->units[u].body, &walker);
	for (uint32_t h = 1; h < m->handler_count; h++)
		vyrec_walk_block(m, m->handlers[h].body, &walker);
	for (uint32_t f = 1; f < m->fn_count; f++)
		if (m->fns[f].unit) /* what the prelude uses is not tested by calling it */
			vyrec_walk_block(m, m->fns[f].body, &walker);
}

/* What a native slice does not run: half precision, and what needs a host in between. */
static bool is_native_op(vyrec_op op)
{
	return vyrec_op_get_info(op)->result != VYREC_RULE_TYPE + VYREC_F16;
}

static bool is_native_stmt(vyrec_stmt_kind kind)
{
	return kind != VYREC_STMT_DISPATCH && kind != VYREC_STMT_LOAD;
}

static unsigned missing(bool used, const char *what, const char *name)
{
	if (!used)
		fprintf(stderr, "no file of the corpus uses the %s %s\n", what, name);
	return !used;
}

unsigned conform_report_missing(const struct conform_coverage *c, bool native)
{
	unsigned n = 0;
	for (unsigned k = 1; k < VYREC_OP_COUNT; k++)
		n += missing(c->ops[k] || (native && !is_native_op(k)), "operation", vyrec_op_get_info(k)->name);
	for (unsigned k = 1; k < VYREC_STMT_COUNT; k++) /* an extension has no meaning that could be tested */
		n += missing(c->stmts[k] || k == VYREC_STMT_OPAQUE || (native && !is_native_stmt(k)), "statement",
			     vyrec_stmt_get_info(k)->name);
	for (unsigned k = 1; k < VYREC_BUILTIN_COUNT; k++)
		n += missing(c->builtins[k], "builtin", vyrec_builtin_get_info(k)->text);
	for (unsigned k = 1; k < VYREC_COLLECTIVE_COUNT; k++)
		n += missing(c->collectives[k], "collective", vyrec_collective_get_info(k)->text);
	for (unsigned k = 1; k < VYREC_ATOMIC_COUNT; k++)
		n += missing(c->atomics[k], "atomic", vyrec_atomic_get_info(k)->text);
	return n;
}
