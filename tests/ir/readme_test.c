/* readme_test.c - ir/README.md says what the tables say, and its examples are programs.
 *
 * Tables between `<!-- name -->` and `<!-- end -->` must equal what the rows of ops.def, nodes.def and the limits give;
 * VYRE_README_UPDATE=1 writes them. Every ```vyre block must parse, verify, and print stably.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

#define README VYRE_SOURCE_DIR "/ir/README.md"

static char *read_readme(void)
{
	FILE *file = fopen(README, "rb");
	assert_non_null(file);
	char *text = calloc(1, 1 << 18);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

struct table {
	char text[1 << 16];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void add(struct table *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	t->count += (size_t)vsnprintf(t->text + t->count, sizeof t->text - t->count, format, args);
	va_end(args);
	assert_true(t->count < sizeof t->text);
}

/* Markdown takes `|` for the end of a cell. */
static void add_code(struct table *t, const char *code)
{
	add(t, "`");
	for (; *code; code++)
		add(t, "%s%c", *code == '|' ? "\\" : "", *code);
	add(t, "`");
}

static const char *rule_text(vyrec_rule rule)
{
	static const char *const names[] = {
	    [VYREC_RULE_INT] = "int",	 [VYREC_RULE_UINT] = "uint",  [VYREC_RULE_SINT] = "sint",
	    [VYREC_RULE_FLT] = "float",	 [VYREC_RULE_NUM] = "number", [VYREC_RULE_BOOL] = "bool",
	    [VYREC_RULE_SCALAR] = "any", [VYREC_RULE_SAME] = "same",  [VYREC_RULE_ARG1] = "same",
	};
	return rule > VYREC_RULE_TYPE ? vyrec_type_name((vyrec_type)(rule - VYREC_RULE_TYPE)) : names[rule];
}

static void make_ops(struct table *t)
{
	add(t, "| written | operands | result | meaning |\n|---|---|---|---|\n");
	for (unsigned op = 1; op < VYREC_OP_COUNT; op++) {
		const struct vyrec_op_info *info = vyrec_op_get_info(op);
		static const char *const operands[] = {"", "a", "a, b", "a, b, c"};
		char code[64], args[64] = "";
		if (info->kind == VYREC_INFIX)
			snprintf(code, sizeof code, "a %s b", info->text);
		else if (info->kind == VYREC_PREFIX)
			snprintf(code, sizeof code, "%sa", info->text);
		else
			snprintf(code, sizeof code, "%s(%s)", info->text, operands[info->arg_count]);
		for (unsigned i = 0; i < info->arg_count; i++) {
			strcat(args, i ? ", " : "");
			strcat(args, rule_text(info->args[i]));
		}
		add(t, "| ");
		add_code(t, code);
		add(t, " | %s | %s | %s |\n", args,
		    info->result == VYREC_RULE_ARG1   ? "as b"
		    : info->result == VYREC_RULE_SAME ? "as a"
						      : rule_text(info->result),
		    info->meaning);
	}
}

static const char *where_text(unsigned flags)
{
	return (flags & VYREC_IN_ANY) == VYREC_IN_ANY ? "op, program" : flags & VYREC_IN_HANDLER ? "op" : "program";
}

static void make_statements(struct table *t)
{
	add(t, "| statement | in | meaning |\n|---|---|---|\n");
	for (unsigned s = 1; s < VYREC_STMT_COUNT; s++) {
		const struct vyrec_node_info *info = vyrec_stmt_get_info(s);
		add(t, "| ");
		add_code(t, !info->text[0]		 ? "call(...)"
			    : !strcmp(info->text, "=")	 ? "x = v"
			    : !strcmp(info->text, "[]=") ? "a[i] = v"
							 : info->text);
		add(t, " | %s | %s%s%s%s |\n", where_text(info->flags), info->meaning,
		    info->flags & VYREC_IS_SUSPEND ? "; a suspension point" : "",
		    info->flags & VYREC_IS_END ? "; ends its block" : "",
		    info->flags & VYREC_IS_COLLECTIVE ? "; all lanes together" : "");
	}
}

static void make_builtins(struct table *t)
{
	add(t, "| name | in | uniform | value |\n|---|---|---|---|\n");
	for (unsigned b = 1; b < VYREC_BUILTIN_COUNT; b++) {
		const struct vyrec_node_info *info = vyrec_builtin_get_info(b);
		add(t, "| `%s%s` | %s | %s | %s |\n", info->text, info->flags & VYREC_HAS_AXIS ? "(axis)" : "",
		    where_text(info->flags), info->flags & VYREC_IS_UNIFORM ? "yes" : "no", info->meaning);
	}
}

static void make_collectives(struct table *t)
{
	add(t, "| call | over | operands | result | value |\n|---|---|---|---|---|\n");
	for (unsigned c = 1; c < VYREC_COLLECTIVE_COUNT; c++) {
		const struct vyrec_node_info *info = vyrec_collective_get_info(c);
		add(t, "| `%s` | %s | %s%s%s | %s | %s |\n", info->text, info->subgroup ? "subgroup" : "workgroup",
		    rule_text(info->args[0]), info->arg_count > 1 ? ", " : "",
		    info->arg_count > 1 ? rule_text(info->args[1]) : "",
		    info->type == VYREC_RULE_SAME ? "as a" : rule_text(info->type), info->meaning);
	}
}

static void make_atomics(struct table *t)
{
	add(t, "| call | elements | result | effect |\n|---|---|---|---|\n");
	for (unsigned a = 1; a < VYREC_ATOMIC_COUNT; a++) {
		const struct vyrec_node_info *info = vyrec_atomic_get_info(a);
		static const char *const values[] = {"", ", value", ", expected, new"};
		add(t, "| `%s(place%s)` | %s | %s | %s |\n", info->text, values[info->arg_count],
		    info->bits ? "u32 i32 u64 i64 f32" : "u32 i32 u64 i64",
		    info->type == VYREC_VOID ? "none" : "what was there", info->meaning);
	}
}

static void make_limits(struct table *t)
{
	add(t, "| limit | of |\n|---|---|\n");
#define X(name, value, text) add(t, "| %d | %s |\n", VYREC_MAX_##name, text);
	VYREC_LIMIT_LIST(X)
#undef X
}

static const struct {
	const char *name;
	void (*make)(struct table *);
} tables[] = {{"ops", make_ops},	   {"statements", make_statements},
	      {"builtins", make_builtins}, {"collectives", make_collectives},
	      {"atomics", make_atomics},   {"limits", make_limits}};

/* Puts the table in place of what stands between its marks. */
static char *replace_table(const char *text, const char *name, const char *table)
{
	char mark[32];
	snprintf(mark, sizeof mark, "<!-- %s -->\n", name);
	const char *from = strstr(text, mark), *to = from ? strstr(from, "<!-- end -->") : NULL;
	if (!to)
		fail_msg("README.md has no section %s", name);
	from += strlen(mark);
	char *out = calloc(1, strlen(text) + strlen(table) + 1);
	memcpy(out, text, (size_t)(from - text));
	strcat(out, table);
	strcat(out, to);
	return out;
}

static void tables_are_the_rows(void **state)
{
	(void)state;
	char *text = read_readme();
	static struct table table;
	bool update = getenv("VYRE_README_UPDATE") != NULL;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		table.count = 0;
		tables[i].make(&table);
		char *want = replace_table(text, tables[i].name, table.text);
		if (!update && strcmp(text, want) != 0) {
			size_t at = 0;
			while (text[at] == want[at])
				at++;
			while (at && want[at - 1] != '\n')
				at--;
			fail_msg("README.md, table %s; the row is\n%.*s\nset VYRE_README_UPDATE=1 to write it",
				 tables[i].name, (int)strcspn(want + at, "\n"), want + at);
		}
		free(text);
		text = want;
	}
	if (update) {
		FILE *file = fopen(README, "wb");
		assert_non_null(file);
		fputs(text, file);
		assert_int_equal(fclose(file), 0);
	}
	free(text);
}

/* ---- the examples ------------------------------------------------------------------------------------------------ */

static void examples_are_programs(void **state)
{
	(void)state;
	char *text = read_readme();
	unsigned count = 0;
	for (char *at = text; (at = strstr(at, "```vyre\n")); count++) {
		struct vyrec_diags diags = {0};
		at += strlen("```vyre\n");
		size_t bytes = (size_t)(strstr(at, "```") - at), printed, again;
		struct vyrec_module *m = vyrec_parse("README.md", at, bytes, &diags);
		bool good = m && vyrec_verify(m, &diags);
		vyrec_diags_print(&diags, "README.md", at, bytes, stderr);
		if (!good)
			fail_msg("example %u of README.md is refused:\n%.*s", count + 1, (int)bytes, at);
		char *out = vyrec_print(m, VYREC_PRINT_COMMENTS, &printed);
		struct vyrec_module *back = vyrec_parse("README.md", out, printed, &diags);
		assert_non_null(back);
		char *second = vyrec_print(back, VYREC_PRINT_COMMENTS, &again);
		assert_string_equal(out, second);
		free(out);
		free(second);
		vyrec_module_destroy(m);
		vyrec_module_destroy(back);
		vyrec_diags_finish(&diags);
		at += bytes;
	}
	assert_true(count >= 5);
	free(text);
}

/* No fn of the prelude is left out. */
static void the_prelude_is_listed(void **state)
{
	(void)state;
	static const char *const fns[] = {"reciprocal", "inverse_sqrt", "exp",	 "exp2", "log",	 "log2",
					  "log10",	"pow",		"sin",	 "cos",	 "tan",	 "asin",
					  "acos",	"atan",		"atan2", "sinh", "cosh", "tanh"};
	char *text = read_readme(), row[64];
	for (size_t i = 0; i < sizeof fns / sizeof *fns; i++) {
		snprintf(row, sizeof row, "`%s(", fns[i]);
		if (!strstr(text, row))
			fail_msg("README.md does not list %s", fns[i]);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tables_are_the_rows),
	    cmocka_unit_test(examples_are_programs),
	    cmocka_unit_test(the_prelude_is_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
