/* parse_name.c - the words of the language, the names of the source, and what was probably meant.
 *
 * A name may not hide another, so each interned name has one meaning at a time: a table by name, and a list of what
 * is declared so that the end of a scope can take its names back. Looking up is one array access however many names
 * there are.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/parse.h"

/* ---- words ------------------------------------------------------------------------------------------------------- */

struct word_row {
	const char *text;
	uint8_t bytes, kind;
	uint16_t code;
};
static const struct word_row words[] = {
#define ROW(symbol, kind_, code_)			       {symbol, sizeof symbol - 1, kind_, code_},
#define STMT(name, symbol, flags, meaning)		       ROW(symbol, WORD_STMT, VYREC_STMT_##name)
#define BUILTIN(name, symbol, type, flags, meaning)	       ROW(symbol, WORD_BUILTIN, VYREC_BUILTIN_##name)
#define COLLECTIVE(name, symbol, scope, result, args, meaning) ROW(symbol, WORD_COLLECTIVE, VYREC_COLLECTIVE_##name)
#define ATOMIC(name, symbol, values, result, types, meaning)   ROW(symbol, WORD_ATOMIC, VYREC_ATOMIC_##name)
#include "ir/nodes.def"
#define X(name, value, bytes, symbol) ROW(symbol, WORD_TYPE, VYREC_##name)
    VYRE_ELEMENT_LIST(X)
#undef X
#define X(name, symbol) ROW(symbol, WORD_POLICY, VYREC_POLICY_##name)
	VYREC_POLICY_LIST(X)
#undef X
	    ROW("else", WORD_KEYWORD, 0) ROW("case", WORD_KEYWORD, 0) ROW("default", WORD_KEYWORD, 0)
		ROW("true", WORD_KEYWORD, 0) ROW("false", WORD_KEYWORD, 0) ROW("inf", WORD_KEYWORD, 0)
		    ROW("nan", WORD_KEYWORD, 0) ROW("arg", WORD_KEYWORD, 0) ROW("shared", WORD_KEYWORD, 0)
			ROW("length", WORD_CALL, 0)
#define OP(name, symbol, ...) ROW(symbol, WORD_OP, VYREC_OP_##name)
#include "ir/ops.def"
#undef ROW
};

struct word parser_find_word(const char *text, size_t bytes)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].bytes == bytes && !memcmp(words[i].text, text, bytes))
			return (struct word){words[i].kind, words[i].code};
	return (struct word){WORD_NONE, 0};
}

/* Words that no declaration may take. Those of calls are free: `length` may be a parameter, `length(x)` is the call. */
static bool is_reserved(struct word word)
{
	switch (word.kind) {
	case WORD_STMT:
	case WORD_TYPE:
	case WORD_POLICY:
	case WORD_KEYWORD:
		return true;
	case WORD_BUILTIN:
		return !(vyrec_builtin_get_info(word.code)->flags & VYREC_HAS_AXIS);
	default:
		return false;
	}
}

bool vyrec_name_is_reserved(const char *name)
{
	return is_reserved(parser_find_word(name, strlen(name)));
}

bool vyrec_fn_name_is_reserved(const char *name)
{
	struct word word = parser_find_word(name, strlen(name));
	return is_reserved(word) || word.kind != WORD_NONE;
}

struct word parser_word(const struct parser *p)
{
	if (p->token.kind != TOKEN_NAME)
		return (struct word){WORD_NONE, 0};
	return parser_find_word(p->lexer.text + p->token.start, p->token.bytes);
}

vyrec_name parser_take_name(struct parser *p)
{
	vyrec_name name = vyrec_intern(p->module, p->lexer.text + p->token.start, p->token.bytes);
	parser_advance(p);
	return name;
}

vyrec_name parser_expect_name(struct parser *p, const char *what)
{
	if (!parser_at(p, TOKEN_NAME)) {
		parser_syntax_error(p, parser_here(p), "%s where the name of %s is expected; write a name",
				    lexer_kind_text(p->token.kind), what);
		return 0;
	}
	if (is_reserved(parser_word(p)) && !p->panic)
		parser_error(p, parser_here(p),
			     "'%.*s' is a word of the language and cannot name %s; choose another name",
			     (int)p->token.bytes, p->lexer.text + p->token.start, what);
	return parser_take_name(p);
}

bool parser_expect_type(struct parser *p, bool element, vyrec_type *type)
{
	struct word word = parser_word(p);
	*type = VYREC_U32;
	if (word.kind == WORD_TYPE && (element || vyrec_type_is_value(word.code))) {
		*type = word.code;
		parser_advance(p);
		return true;
	}
	if (word.kind == WORD_TYPE) {
		parser_error(p, parser_here(p), "%s is a type of buffer elements only; a value is %s",
			     vyrec_type_name(word.code), vyrec_type_name(vyrec_type_of_element(word.code)));
		parser_advance(p);
		return true;
	}
	if (parser_at(p, TOKEN_NAME)) {
		char text[VYREC_MAX_NAME_BYTES + 1];
		memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
		text[p->token.bytes] = 0;
		vyrec_loc loc = parser_here(p);
		parser_advance(p);
		parser_unknown_name(p, loc, text, "type", NEAR_TYPE);
		*type = (vyrec_type)TYPE_POISON;
		return true;
	}
	parser_syntax_error(p, parser_here(p), "%s where a type is expected; write one, for example u32",
			    lexer_kind_text(p->token.kind));
	return false;
}

/* ---- visible names ----------------------------------------------------------------------------------------------- */

struct symbol *parser_find_symbol(struct parser *p, vyrec_name name)
{
	p->symbols = vyrec_grow(p->symbols, &p->symbol_capacity, name + 1, sizeof *p->symbols);
	return &p->symbols[name];
}

static vyrec_loc symbol_loc(const struct vyrec_module *m, struct symbol s)
{
	switch (s.kind) {
	case SYMBOL_LOCAL:
		return m->locals[s.index].loc;
	case SYMBOL_ARRAY:
		return m->arrays[s.index].loc;
	case SYMBOL_CONST:
		return m->consts[s.index].loc;
	case SYMBOL_FN:
		return m->fns[s.index].loc;
	default:
		return 0;
	}
}

void parser_declare(struct parser *p, vyrec_name name, symbol_kind kind, uint32_t index, vyrec_loc loc)
{
	if (!name)
		return;
	struct symbol *s = parser_find_symbol(p, name);
	if (s->kind) {
		vyrec_loc old = symbol_loc(p->module, *s);
		parser_error(p, loc, "'%s' is already declared at %u:%u and visible here; choose another name",
			     vyrec_name_text(p->module, name), VYREC_LOC_LINE(old), VYREC_LOC_COLUMN(old));
		return;
	}
	*s = (struct symbol){kind, index};
	vyrec_list_push(&p->scope, name);
}

void parser_close_scope(struct parser *p, uint32_t mark)
{
	while (p->scope.count > mark)
		p->symbols[p->scope.items[--p->scope.count]] = (struct symbol){SYMBOL_NONE, 0};
}

/* ---- the nearest known name ---------------------------------------------------------------------------------------- */

enum { MAX_NEAR_BYTES = 40 };

/* Edits (insert, remove, change, swap of neighbours) from a to b. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][MAX_NEAR_BYTES + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		unsigned *t = before;
		before = last;
		last = now;
		now = t;
	}
	return last[m];
}

struct nearest {
	const char *wanted, *text;
	size_t bytes;
	unsigned edits;
};

static void consider(struct nearest *near, const char *text, size_t bytes)
{
	size_t gap = bytes > near->bytes ? bytes - near->bytes : near->bytes - bytes;
	if (!bytes || bytes > MAX_NEAR_BYTES || gap >= near->edits)
		return;
	unsigned edits = distance(near->wanted, near->bytes, text, bytes);
	if (edits < near->edits) {
		near->edits = edits;
		near->text = text;
	}
}

static bool word_fits(const struct word_row *row, unsigned sort)
{
	switch (row->kind) {
	case WORD_STMT:
		return sort & NEAR_STMT;
	case WORD_TYPE:
		return (sort & NEAR_TYPE) || ((sort & NEAR_CALL) && vyrec_type_is_value(row->code));
	case WORD_BUILTIN:
		return sort & (vyrec_builtin_get_info(row->code)->flags & VYREC_HAS_AXIS ? NEAR_CALL : NEAR_VALUE);
	case WORD_COLLECTIVE:
	case WORD_ATOMIC:
	case WORD_CALL:
		return sort & NEAR_CALL;
	case WORD_OP:
		return (sort & NEAR_CALL) && vyrec_op_get_info(row->code)->kind == VYREC_CALL;
	default:
		return false;
	}
}

static bool symbol_fits(const struct parser *p, struct symbol s, unsigned sort)
{
	bool label = s.kind == SYMBOL_LOCAL && p->module->locals[s.index].kind == VYREC_LOCAL_LABEL;
	return ((sort & NEAR_VALUE) && (s.kind == SYMBOL_LOCAL || s.kind == SYMBOL_CONST) && !label) ||
	       ((sort & NEAR_ARRAY) && s.kind == SYMBOL_ARRAY) || ((sort & NEAR_CALL) && s.kind == SYMBOL_FN) ||
	       ((sort & NEAR_LABEL) && label);
}

void parser_unknown_name(struct parser *p, vyrec_loc loc, const char *text, const char *what, unsigned sort)
{
	struct nearest near = {text, NULL, strlen(text), 0};
	near.edits = near.bytes <= MAX_NEAR_BYTES ? (unsigned)near.bytes / 3 + 2 : 0;
	if (near.edits > near.bytes)
		near.edits = (unsigned)near.bytes;
	for (uint32_t i = 0; i < p->scope.count; i++)
		if (symbol_fits(p, p->symbols[p->scope.items[i]], sort))
			consider(&near, vyrec_name_text(p->module, p->scope.items[i]),
				 vyrec_name_bytes(p->module, p->scope.items[i]));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (word_fits(&words[i], sort))
			consider(&near, words[i].text, words[i].bytes);
	if (near.text)
		parser_error(p, loc, "no %s '%s' is visible here; did you mean '%s'?", what, text, near.text);
	else
		parser_error(p, loc, "no %s '%s' is visible here; declare it before its use", what, text);
}
