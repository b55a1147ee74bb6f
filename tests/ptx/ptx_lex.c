/* ptx_lex.c - see ptx_lex.h.
 *
 * Enters: text. Leaves: an array of tokens that point into it. Numbers are read here, in the five forms of PTX; a sign in
 * front of a number belongs to it, since PTX has no expressions in the places where we read.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_lex.h"

struct lexer {
	const char *p, *end;
	uint32_t line;
	struct ptx_token *tokens;
	size_t count, room;
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
}

static struct ptx_token *push(struct lexer *lexer, enum ptx_token_kind kind, const char *start)
{
	if (lexer->count == lexer->room) {
		lexer->room = lexer->room ? 2 * lexer->room : 1024;
		lexer->tokens = realloc(lexer->tokens, lexer->room * sizeof *lexer->tokens);
		if (!lexer->tokens)
			abort();
	}
	struct ptx_token *token = &lexer->tokens[lexer->count++];
	*token =
	    (struct ptx_token){.text = start, .bytes = (uint32_t)(lexer->p - start), .line = lexer->line, .kind = kind};
	return token;
}

/* Blanks and comments. False: a comment that does not end. */
static bool skip(struct lexer *lexer)
{
	while (lexer->p < lexer->end) {
		if (*lexer->p == '\n') {
			lexer->line++;
			lexer->p++;
		} else if (isspace((unsigned char)*lexer->p)) {
			lexer->p++;
		} else if (*lexer->p == '/' && lexer->p + 1 < lexer->end && lexer->p[1] == '/') {
			while (lexer->p < lexer->end && *lexer->p != '\n')
				lexer->p++;
		} else if (*lexer->p == '/' && lexer->p + 1 < lexer->end && lexer->p[1] == '*') {
			const char *start = lexer->p;
			for (lexer->p += 2; lexer->p + 1 < lexer->end && memcmp(lexer->p, "*/", 2); lexer->p++)
				lexer->line += *lexer->p == '\n';
			if (lexer->p + 1 >= lexer->end) {
				lexer->p = start;
				return false;
			}
			lexer->p += 2;
		} else {
			break;
		}
	}
	return true;
}

/* 12, 0x1F, 017, 0b101, 0f3F800000, 0d3FF0000000000000; a U may follow integers. */
static bool read_number(struct ptx_token *token)
{
	char digits[80], *end;
	const char *p = digits;
	bool negative = *token->text == '-';
	int base = 10;
	if (token->bytes >= sizeof digits)
		return false;
	memcpy(digits, token->text, token->bytes);
	digits[token->bytes] = 0;
	p += negative;
	if (*p == '0' && p[1]) {
		char form = (char)tolower((unsigned char)p[1]);
		base = form == 'x' || form == 'f' || form == 'd' ? 16 : form == 'b' ? 2 : 8;
		p += base == 8 ? 1 : 2;
		token->is_float = form == 'f' ? 32 : form == 'd' ? 64 : 0;
		if (token->is_float && (negative || strlen(p) != token->is_float / 4))
			return false;
	}
	token->number = strtoull(p, &end, base);
	if (negative)
		token->number = 0 - token->number;
	return end != p && (!*end || ((*end == 'U' || *end == 'u') && !end[1] && !token->is_float));
}

static bool lex_one(struct lexer *lexer, char message[PTX_MESSAGE])
{
	const char *start = lexer->p;
	bool is_negative = *start == '-' && start + 1 < lexer->end && isdigit((unsigned char)start[1]);
	if (isdigit((unsigned char)*start) || is_negative) {
		for (lexer->p++; lexer->p < lexer->end && isalnum((unsigned char)*lexer->p);)
			lexer->p++;
		struct ptx_token *token = push(lexer, PTX_TOKEN_NUMBER, start);
		if (!read_number(token)) {
			snprintf(message, PTX_MESSAGE, "line %u: '%.*s' is no number", lexer->line, (int)token->bytes,
				 start);
			return false;
		}
	} else if (is_word(*start)) {
		while (lexer->p < lexer->end && is_word(*lexer->p))
			lexer->p++;
		push(lexer, PTX_TOKEN_WORD, start);
	} else if (*start == '"') {
		for (lexer->p++; lexer->p < lexer->end && *lexer->p != '"' && *lexer->p != '\n';)
			lexer->p++;
		if (lexer->p == lexer->end || *lexer->p != '"') {
			snprintf(message, PTX_MESSAGE, "line %u: a string that does not end", lexer->line);
			return false;
		}
		lexer->p++;
		push(lexer, PTX_TOKEN_STRING, start);
	} else {
		lexer->p++;
		push(lexer, PTX_TOKEN_SIGN, start);
	}
	return true;
}

struct ptx_token *ptx_lex(const char *text, size_t bytes, char message[PTX_MESSAGE])
{
	struct lexer lexer = {.p = text, .end = text + bytes, .line = 1};
	for (;;) {
		if (!skip(&lexer)) {
			snprintf(message, PTX_MESSAGE, "line %u: a comment that does not end", lexer.line);
			break;
		}
		if (lexer.p == lexer.end) {
			push(&lexer, PTX_TOKEN_END, lexer.p);
			return lexer.tokens;
		}
		if (!lex_one(&lexer, message))
			break;
	}
	free(lexer.tokens);
	return NULL;
}

bool ptx_token_is(const struct ptx_token *token, const char *text)
{
	return (token->kind == PTX_TOKEN_WORD || token->kind == PTX_TOKEN_SIGN) && token->bytes == strlen(text) &&
	       !memcmp(token->text, text, token->bytes);
}
