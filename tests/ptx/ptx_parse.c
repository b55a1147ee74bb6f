/* ptx_parse.c - modules, functions, scopes and labels of PTX text.
 *
 * Enters: text. Leaves: a module whose functions hold decoded instructions. Invariant: everything that was allocated hangs on
 * the module or the parser at any time, so that an error may leave by longjmp from wherever it is found.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_parse.h"

void ptx_grow(void *items, uint32_t count, uint32_t *room, size_t size)
{
	void **array = items;
	if (count < *room)
		return;
	*room = *room ? 2 * *room : 64;
	*array = realloc(*array, *room * size);
	if (!*array)
		abort();
}

void ptx_refuse(struct ptx_parser *p, const struct ptx_token *at, const char *format, ...)
{
	va_list args;
	int n = snprintf(p->message, PTX_MESSAGE, "line %u: ", at->line);
	va_start(args, format);
	vsnprintf(p->message + n, PTX_MESSAGE - (size_t)n, format, args);
	va_end(args);
	longjmp(p->escape, 1);
}

/* ---- tokens and symbols ------------------------------------------------------------------------------------- */

const struct ptx_token *ptx_next(struct ptx_parser *p)
{
	if (p->at->kind == PTX_TOKEN_END)
		ptx_refuse(p, p->at, "the text ends here");
	return p->at++;
}

bool ptx_accept(struct ptx_parser *p, const char *text)
{
	bool is = ptx_token_is(p->at, text);
	p->at += is;
	return is;
}

void ptx_expect(struct ptx_parser *p, const char *text)
{
	if (!ptx_accept(p, text))
		ptx_refuse(p, p->at, "'%.*s' where '%s' belongs", (int)p->at->bytes, p->at->text, text);
}

const struct ptx_token *ptx_expect_kind(struct ptx_parser *p, enum ptx_token_kind kind)
{
	if (p->at->kind != kind)
		ptx_refuse(p, p->at, "'%.*s' where a %s belongs", (int)p->at->bytes, p->at->text,
			   kind == PTX_TOKEN_WORD ? "name" : "number");
	return p->at++;
}

static bool same(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	return a_bytes == b_bytes && !memcmp(a, b, a_bytes);
}

/* Is the name one of the range's: its letters, then a decimal number below its count? */
static bool in_range(const struct ptx_symbol *range, const struct ptx_token *name, uint32_t *number)
{
	uint32_t n = 0;
	if (name->bytes <= range->bytes || name->bytes > range->bytes + 9 ||
	    memcmp(name->text, range->text, range->bytes))
		return false;
	for (uint32_t i = range->bytes; i < name->bytes; i++) {
		if (name->text[i] < '0' || name->text[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(name->text[i] - '0');
	}
	*number = n;
	return n < range->count;
}

const struct ptx_symbol *ptx_symbol_find(struct ptx_parser *p, const struct ptx_token *name, uint32_t *slot)
{
	for (uint32_t i = p->symbol_count; i-- > 0;) {
		const struct ptx_symbol *s = &p->symbols[i];
		uint32_t number = 0;
		if (s->count ? in_range(s, name, &number) : same(s->text, s->bytes, name->text, name->bytes)) {
			*slot = s->value + number;
			return s;
		}
	}
	return NULL;
}

struct ptx_symbol *ptx_declare(struct ptx_parser *p, const struct ptx_token *name, enum ptx_symbol_kind kind)
{
	for (uint32_t i = p->scopes[p->depth]; i < p->symbol_count; i++)
		if (same(p->symbols[i].text, p->symbols[i].bytes, name->text, name->bytes))
			ptx_refuse(p, name, "%.*s is declared twice", (int)name->bytes, name->text);
	ptx_grow(&p->symbols, p->symbol_count, &p->symbol_room, sizeof *p->symbols);
	struct ptx_symbol *symbol = &p->symbols[p->symbol_count++];
	*symbol = (struct ptx_symbol){.text = name->text, .bytes = name->bytes, .kind = kind};
	return symbol;
}

static void open_scope(struct ptx_parser *p)
{
	if (p->depth + 1 == sizeof p->scopes / sizeof *p->scopes)
		ptx_refuse(p, p->at, "blocks nested too deep");
	p->scopes[++p->depth] = p->symbol_count;
}

void ptx_fixup_add(struct ptx_parser *p, const struct ptx_token *label, uint32_t insn, uint32_t table, uint32_t entry)
{
	ptx_grow(&p->fixups, p->fixup_count, &p->fixup_room, sizeof *p->fixups);
	p->fixups[p->fixup_count++] = (struct ptx_fixup){label, p->depth, insn, table, entry};
}

/* Branches that were waiting for a label of this scope get it; the others wait for the scope around it. */
static void close_scope(struct ptx_parser *p)
{
	uint32_t left = 0;
	for (uint32_t i = 0; i < p->fixup_count; i++) {
		struct ptx_fixup fixup = p->fixups[i];
		const struct ptx_symbol *found = NULL;
		for (uint32_t k = p->scopes[p->depth]; k < p->symbol_count && fixup.depth == p->depth; k++)
			if (p->symbols[k].kind == PTX_SYMBOL_LABEL &&
			    same(p->symbols[k].text, p->symbols[k].bytes, fixup.label->text, fixup.label->bytes))
				found = &p->symbols[k];
		if (found && fixup.entry != UINT32_MAX)
			p->function->tables[fixup.table].targets[fixup.entry] = found->value;
		else if (found)
			p->function->insns[fixup.insn].offset = found->value;
		else {
			if (fixup.depth == p->depth)
				fixup.depth--;
			p->fixups[left++] = fixup;
		}
	}
	p->fixup_count = left;
	if (p->depth == 1 && left)
		ptx_refuse(p, p->fixups[0].label, "no label %.*s", (int)p->fixups[0].label->bytes,
			   p->fixups[0].label->text);
	p->symbol_count = p->scopes[p->depth--];
}

/* ---- bodies ------------------------------------------------------------------------------------------------- */

static void read_table(struct ptx_parser *p, const struct ptx_token *name)
{
	struct ptx_function *f = p->function;
	uint32_t room = f->table_count;
	ptx_declare(p, name, PTX_SYMBOL_TABLE)->value = f->table_count;
	ptx_grow(&f->tables, f->table_count, &room, sizeof *f->tables);
	struct ptx_table *table = &f->tables[f->table_count++];
	*table = (struct ptx_table){0};
	room = 0;
	do {
		ptx_grow(&table->targets, table->count, &room, sizeof *table->targets);
		ptx_fixup_add(p, ptx_expect_kind(p, PTX_TOKEN_WORD), 0, f->table_count - 1, table->count++);
	} while (ptx_accept(p, ","));
	ptx_expect(p, ";");
}

static void skip_line(struct ptx_parser *p)
{
	for (uint32_t line = p->at->line; p->at->kind != PTX_TOKEN_END && p->at->line == line;)
		p->at++;
}

static void read_statement(struct ptx_parser *p)
{
	enum ptx_space space;
	if (ptx_accept(p, "{")) {
		open_scope(p);
	} else if (ptx_accept(p, "}")) {
		close_scope(p);
	} else if (ptx_accept(p, ".reg")) {
		ptx_read_registers(p);
	} else if (ptx_accept_space(p, &space)) {
		ptx_read_variable(p, space);
	} else if (ptx_accept(p, ".pragma")) {
		ptx_next(p);
		ptx_expect(p, ";");
	} else if (ptx_token_is(p->at, ".loc")) {
		skip_line(p);
	} else if (p->at->kind == PTX_TOKEN_WORD && ptx_token_is(p->at + 1, ":")) {
		const struct ptx_token *name = ptx_next(p);
		ptx_next(p);
		if (ptx_accept(p, ".branchtargets"))
			read_table(p, name);
		else
			ptx_declare(p, name, PTX_SYMBOL_LABEL)->value = p->function->insn_count;
	} else if (!ptx_accept(p, ";")) {
		ptx_decode(p);
	}
}

static void end_of_body(struct ptx_function *f)
{
	ptx_grow(&f->insns, f->insn_count, &f->insn_room, sizeof *f->insns);
	f->insns[f->insn_count] =
	    (struct ptx_insn){.op = PTX_ret, .line = f->insn_count ? f->insns[f->insn_count - 1].line : 0};
	f->insn_count++;
}

/* ---- functions ---------------------------------------------------------------------------------------------- */

struct ptx_function *ptx_function_find(struct ptx_parser *p, const struct ptx_token *name)
{
	for (uint32_t i = 0; i < p->module->function_count; i++) {
		const char *have = p->module->functions[i]->name;
		if (same(have, strlen(have), name->text, name->bytes))
			return p->module->functions[i];
	}
	return NULL;
}

static struct ptx_function *new_function(struct ptx_parser *p, const struct ptx_token *name, bool is_entry)
{
	struct ptx_module *m = p->module;
	struct ptx_function *f = ptx_function_find(p, name);
	if (f && (f->has_body || f->is_entry != is_entry))
		ptx_refuse(p, name, "%.*s is defined twice", (int)name->bytes, name->text);
	if (f)
		return f;
	m->functions = realloc(m->functions, (m->function_count + 1) * sizeof(struct ptx_function *));
	f = calloc(1, sizeof *f);
	if (!m->functions || !f)
		abort();
	m->functions[m->function_count++] = f;
	f->module = m;
	f->is_entry = is_entry;
	if (name->bytes >= sizeof f->name)
		ptx_refuse(p, name, "a name of %u characters", name->bytes);
	memcpy(f->name, name->text, name->bytes);
	f->slot_count = PTX_FIRST_SLOT;
	return f;
}

/* `(.param .b32 a, .param .b64 b)`: spans, and symbols in the scope that is open. */
static uint32_t read_params(struct ptx_parser *p, struct ptx_function *f, struct ptx_span **spans, uint32_t *end)
{
	uint32_t count = 0, room = 0;
	while (!ptx_accept(p, ")")) {
		if (count)
			ptx_expect(p, ",");
		ptx_expect(p, ".param");
		struct ptx_declaration d = ptx_read_declaration(p);
		uint64_t offset = ptx_place32(end, &d);
		struct ptx_symbol *s = ptx_declare(p, d.name, PTX_SYMBOL_VARIABLE);
		s->space = f->is_entry ? PTX_PARAM : PTX_CALL_PARAM;
		s->offset = offset;
		s->size = d.bytes;
		ptx_grow(spans, count, &room, sizeof **spans);
		(*spans)[count++] = (struct ptx_span){(uint32_t)offset, (uint32_t)d.bytes};
	}
	return count;
}

static void read_bounds(struct ptx_parser *p, struct ptx_function *f)
{
	for (;;) {
		uint32_t ignored[3], *at = ptx_accept(p, ".reqntid")					 ? f->reqntid
					   : ptx_accept(p, ".maxntid")					 ? f->maxntid
					   : ptx_accept(p, ".minnctapersm") || ptx_accept(p, ".maxnreg") ? ignored
													 : NULL;
		if (!at && !ptx_accept(p, ".noreturn"))
			return;
		if (!at)
			continue;
		at[0] = at[1] = at[2] = 1;
		for (unsigned i = 0; i < 3; i++) {
			at[i] = (uint32_t)ptx_expect_kind(p, PTX_TOKEN_NUMBER)->number;
			if (!ptx_accept(p, ","))
				break;
		}
	}
}

/* Formals and results lie at the start of the function's call parameters. */
static void read_function(struct ptx_parser *p, bool is_entry)
{
	const struct ptx_token *result_list = NULL;
	if (ptx_accept(p, "(")) { /* read again once the function has a name */
		result_list = p->at;
		while (!ptx_accept(p, ")"))
			ptx_next(p);
	}
	const struct ptx_token *name = ptx_expect_kind(p, PTX_TOKEN_WORD), *after;
	struct ptx_function *f = new_function(p, name, is_entry);
	f->param_bytes = f->call_bytes = 0;
	open_scope(p);
	free(f->results);
	free(f->params);
	f->results = f->params = NULL;
	f->param_count = f->result_count = 0;
	if (result_list) {
		after = p->at;
		p->at = result_list;
		f->result_count = read_params(p, f, &f->results, &f->call_bytes);
		p->at = after;
	}
	if (ptx_accept(p, "("))
		f->param_count = read_params(p, f, &f->params, is_entry ? &f->param_bytes : &f->call_bytes);
	read_bounds(p, f);
	if (ptx_accept(p, ";")) {
		p->symbol_count = p->scopes[p->depth--];
		return;
	}
	ptx_expect(p, "{");
	p->function = f;
	f->shared_bytes = (uint32_t)p->module->shared_bytes;
	for (uint32_t depth = p->depth; p->depth >= depth;)
		read_statement(p);
	end_of_body(f);
	f->has_body = true;
	p->function = NULL;
}

/* ---- modules ------------------------------------------------------------------------------------------------ */

static void read_top(struct ptx_parser *p)
{
	enum ptx_space space;
	if (ptx_accept(p, ".version") || ptx_accept(p, ".address_size") || ptx_accept(p, ".target")) {
		skip_line(p);
		return;
	}
	if (ptx_accept(p, ".file")) {
		skip_line(p);
		return;
	}
	while (ptx_accept(p, ".visible") || ptx_accept(p, ".weak") || ptx_accept(p, ".extern") ||
	       ptx_accept(p, ".common"))
		;
	if (ptx_accept(p, ".entry"))
		read_function(p, true);
	else if (ptx_accept(p, ".func"))
		read_function(p, false);
	else if (ptx_accept_space(p, &space) && space != PTX_CALL_PARAM && space != PTX_LOCAL)
		ptx_read_variable(p, space);
	else
		ptx_refuse(p, p->at, "'%.*s' at module level", (int)p->at->bytes, p->at->text);
}

/* Every call meets a body with the parameters that it passes. */
static void check_calls(struct ptx_parser *p)
{
	for (uint32_t i = 0; i < p->module->function_count; i++) {
		const struct ptx_function *f = p->module->functions[i];
		for (uint32_t k = 0; k < f->call_count; k++) {
			const struct ptx_call *call = &f->call_sites[k];
			const struct ptx_function *to = call->callee;
			bool fits =
			    to->has_body && call->from_count == to->param_count && call->to_count == to->result_count;
			for (uint32_t n = 0; n < call->from_count && fits; n++)
				fits = call->from[n].bytes == to->params[n].bytes;
			for (uint32_t n = 0; n < call->to_count && fits; n++)
				fits = call->to[n].bytes == to->results[n].bytes;
			if (!fits)
				ptx_refuse(p, p->at, "%s calls %s, which %s", f->name, to->name,
					   to->has_body ? "has other parameters" : "has no body");
		}
	}
}

static bool read_module(struct ptx_parser *p)
{
	if (setjmp(p->escape))
		return false;
	while (p->at->kind != PTX_TOKEN_END)
		read_top(p);
	check_calls(p);
	return true;
}

struct ptx_module *ptx_module_parse(const char *text, size_t bytes, char message[PTX_MESSAGE])
{
	struct ptx_module *module = calloc(1, sizeof *module);
	struct ptx_parser *p = calloc(1, sizeof *p);
	if (!module || !p)
		abort();
	*message = 0;
	while (bytes && !text[bytes - 1])
		bytes--; /* images of modules end in a NUL */
	module->text = malloc(bytes + 1);
	if (!module->text)
		abort();
	memcpy(module->text, text, bytes);
	module->text[bytes] = 0;
	struct ptx_token *tokens = ptx_lex(module->text, bytes, message);
	p->module = module;
	p->at = tokens;
	p->message = message;
	if (!tokens || !read_module(p)) {
		ptx_module_destroy(module);
		module = NULL;
	}
	free(p->symbols);
	free(p->fixups);
	free(p);
	free(tokens);
	return module;
}
