/* parse_token.c - reading tokens, reporting errors, keeping limits, making nodes.
 *
 * An error of syntax silences the parser (panic) until the next statement; an error of meaning does not. Passing a limit,
 * or VYREC_MAX_ERRORS, stops it: from then on every token is the end of the file, so that all readers unwind by themselves.
 */
#include <stdarg.h>
#include <string.h>

#include "ir/parse.h"

/* ---- errors and limits ------------------------------------------------------------------------------------------- */

static void vreport(struct parser *p, vyrec_loc loc, const char *format, va_list args)
{
	char message[1024];
	vsnprintf(message, sizeof message, format, args);
	vyrec_diags_add(p->diags, VYREC_ERROR, "", loc, "%s%s", p->prelude ? "in the prelude: " : "", message);
	if (p->diags->errors >= VYREC_MAX_ERRORS)
		p->stop = p->panic = true;
}

void parser_error(struct parser *p, vyrec_loc loc, const char *format, ...)
{
	va_list args;
	if (p->panic)
		return;
	va_start(args, format);
	vreport(p, loc, format, args);
	va_end(args);
}

void parser_syntax_error(struct parser *p, vyrec_loc loc, const char *format, ...)
{
	va_list args;
	if (p->panic)
		return;
	va_start(args, format);
	if (p->token.kind != TOKEN_ERROR) /* the lexer has spoken */
		vreport(p, loc, format, args);
	va_end(args);
	p->panic = true;
}

bool parser_over_limit(struct parser *p, uint64_t count, uint64_t limit, const char *what)
{
	if (count <= limit || p->stop)
		return p->stop;
	p->panic = false;
	parser_error(p, parser_here(p), "more than %llu %s; split the file or make it smaller",
		     (unsigned long long)limit, what);
	p->stop = p->panic = true;
	return true;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static unsigned depth_under(const struct parser *p, const struct vyrec_expr_node *node)
{
	unsigned depth = 0;
	for (unsigned i = 0; i < 3; i++)
		if (p->notes[node->arg[i]].depth > depth)
			depth = p->notes[node->arg[i]].depth;
	for (unsigned i = 0; node->kind == VYREC_EXPR_CALL && i < node->count; i++)
		if (p->notes[p->module->refs[node->list + i]].depth > depth)
			depth = p->notes[p->module->refs[node->list + i]].depth;
	return depth + 1;
}

vyrec_expr parser_new_expr(struct parser *p, struct vyrec_expr_node node)
{
	unsigned depth = depth_under(p, &node);
	if (depth > VYREC_MAX_EXPR_DEPTH) {
		parser_syntax_error(p, node.loc, "expressions nest deeper than %d; name a part of it with let",
				    VYREC_MAX_EXPR_DEPTH);
		node = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = TYPE_POISON, .loc = node.loc};
		depth = 1;
	}
	parser_over_limit(p, p->module->expr_count + p->module->stmt_count, VYREC_MAX_NODES,
			  "statements and expressions in one module");
	vyrec_expr expr = vyrec_add_expr(p->module, &node);
	p->notes = vyrec_grow(p->notes, &p->note_capacity, expr + 1, sizeof *p->notes);
	p->notes[expr].depth = (uint8_t)depth;
	return expr;
}

vyrec_stmt parser_new_stmt(struct parser *p, struct vyrec_stmt_node node)
{
	parser_over_limit(p, p->module->expr_count + p->module->stmt_count, VYREC_MAX_NODES,
			  "statements and expressions in one module");
	return vyrec_add_stmt(p->module, &node);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

void parser_advance(struct parser *p)
{
	p->previous = p->token;
	if (p->stop) {
		p->token = (struct token){.kind = TOKEN_END, .newline = true, .loc = p->token.loc};
		return;
	}
	p->token = lexer_next(&p->lexer);
	if (p->token.kind == TOKEN_ERROR)
		p->panic = true;
}

vyrec_loc parser_here(const struct parser *p)
{
	return p->prelude ? 0 : p->token.loc;
}

bool parser_at(const struct parser *p, token_kind kind)
{
	return p->token.kind == kind;
}

bool parser_at_word(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_NAME && strlen(word) == p->token.bytes &&
	       !memcmp(word, p->lexer.text + p->token.start, p->token.bytes);
}

bool parser_accept(struct parser *p, token_kind kind)
{
	if (!parser_at(p, kind))
		return false;
	parser_advance(p);
	return true;
}

bool parser_expect(struct parser *p, token_kind kind, const char *where)
{
	if (parser_accept(p, kind))
		return true;
	parser_syntax_error(p, parser_here(p), "%s where %s is expected %s; write it", lexer_kind_text(p->token.kind),
			    lexer_kind_text(kind), where);
	return false;
}

bool parser_expect_word(struct parser *p, const char *word)
{
	if (parser_at_word(p, word)) {
		parser_advance(p);
		return true;
	}
	parser_syntax_error(p, parser_here(p), "%s where '%s' is expected; write it", lexer_kind_text(p->token.kind),
			    word);
	return false;
}

bool parser_expect_int(struct parser *p, uint64_t greatest, const char *what, uint64_t *value)
{
	if (!parser_at(p, TOKEN_INT)) {
		parser_syntax_error(p, parser_here(p), "%s where %s is expected; write an integer",
				    lexer_kind_text(p->token.kind), what);
		return false;
	}
	*value = p->token.value;
	if (*value > greatest) {
		parser_error(p, parser_here(p), "%s is %llu; the greatest is %llu", what, (unsigned long long)*value,
			     (unsigned long long)greatest);
		*value = greatest;
	}
	parser_advance(p);
	return true;
}

vyrec_name parser_expect_string(struct parser *p, const char *what)
{
	char text[VYREC_MAX_STRING_BYTES + 1];
	const char *why = NULL;
	size_t bytes = 0;
	if (!parser_at(p, TOKEN_STRING)) {
		parser_syntax_error(p, parser_here(p), "%s where %s is expected; write a string",
				    lexer_kind_text(p->token.kind), what);
		return 0;
	}
	if (!lexer_decode_string(&p->lexer, &p->token, text, &bytes, &why)) {
		parser_error(p, parser_here(p), "%s", why);
		bytes = 0;
	}
	parser_advance(p);
	return vyrec_intern(p->module, text, bytes);
}

bool parser_open_group(struct parser *p, token_kind kind, const char *where)
{
	if (!parser_at(p, kind))
		return parser_expect(p, kind, where);
	p->groups++;
	parser_advance(p);
	return true;
}

bool parser_close_group(struct parser *p, token_kind kind, const char *where)
{
	if (p->panic)
		return false;
	if (p->groups)
		p->groups--;
	return parser_expect(p, kind, where);
}
