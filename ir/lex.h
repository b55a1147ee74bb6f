/* lex.h - tokens of the text form. Private to the parser. */
#ifndef VYREC_LEX_H
#define VYREC_LEX_H
#include "ir/diag.h"

/* Punctuation: name and text. The order tells nothing; the lexer takes the longest that fits. */
#define VYREC_PUNCT_LIST(X) \
	X(LBRACE, "{") X(RBRACE, "}") X(LPAREN, "(") X(RPAREN, ")") X(LBRACKET, "[") X(RBRACKET, "]") X(COMMA, ",") \
	X(COLON, ":") X(SEMI, ";") X(ASSIGN, "=") X(ARROW, "->") X(DOTDOT, "..") X(OROR, "||") X(ANDAND, "&&") \
	X(EQ, "==") X(NE, "!=") X(LT, "<") X(LE, "<=") X(GT, ">") X(GE, ">=") X(OR, "|") X(XOR, "^") X(AND, "&") \
	X(SHL, "<<") X(SHR, ">>") X(PLUS, "+") X(MINUS, "-") X(STAR, "*") X(SLASH, "/") X(PERCENT, "%") X(TILDE, "~") \
	X(BANG, "!")

typedef enum token_kind {
	TOKEN_END = 0,
	TOKEN_NAME,
	TOKEN_INT,   /* value, radix */
	TOKEN_FLOAT, /* start, bytes: the digits */
	TOKEN_STRING, /* start, bytes: with quotes and escapes */
	TOKEN_ERROR, /* already reported */
#define X(name, text) TOKEN_##name,
	VYREC_PUNCT_LIST(X)
#undef X
	TOKEN_KIND_COUNT
} token_kind;

struct token {
	uint8_t kind;
	uint8_t radix; /* of an INT: 10, 16, 2 */
	bool newline;  /* first on its line */
	vyrec_loc loc;
	uint32_t start, bytes; /* in the text */
	uint64_t value;
};

struct lexer {
	const char *text;
	size_t bytes;
	size_t at;
	size_t line_start;
	uint32_t line;
	struct vyrec_diags *diags;   /* NULL: a second reading; say nothing, record nothing */
	struct vyrec_module *module; /* gets comments and blank lines when not NULL */
};

struct token lexer_next(struct lexer *lexer);
/* Bytes of the UTF-8 character at p, or 0 if it is malformed, overlong, a surrogate or past U+10FFFF. */
unsigned lexer_utf8_bytes(const unsigned char *p, size_t left);
const char *lexer_kind_text(token_kind kind); /* "'{'", "a name" */
bool lexer_is_infix(token_kind kind);         /* after it, the line goes on */
/* Decodes a STRING token into out (VYREC_MAX_STRING_BYTES + 1 bytes); false: malformed or too long, with the reason. */
bool lexer_decode_string(const struct lexer *lexer, const struct token *token, char *out, size_t *bytes,
			 const char **why);

#endif
