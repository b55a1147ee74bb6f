/* ptx_lex.h - PTX text as tokens. */
#ifndef VYRE_TESTS_PTX_LEX_H
#define VYRE_TESTS_PTX_LEX_H
#include "tests/ptx/ptx.h"

enum ptx_token_kind { PTX_TOKEN_END, PTX_TOKEN_WORD, PTX_TOKEN_NUMBER, PTX_TOKEN_STRING, PTX_TOKEN_SIGN };

/* Words hold letters, digits, _ $ % and dots: `ld.global.u32`, `%tid.x`, `.reg` and `$L__BB0_1` are one word each. */
struct ptx_token {
	const char *text;
	uint32_t bytes, line;
	enum ptx_token_kind kind;
	uint64_t number;	 /* of a NUMBER, negative ones in two's complement */
	uint8_t is_float;	 /* 32 or 64: written as 0f... or 0d... */
};

/* The tokens of a text, END last; malloc. NULL with the reason. */
struct ptx_token *ptx_lex(const char *text, size_t bytes, char message[PTX_MESSAGE]);
bool ptx_token_is(const struct ptx_token *token, const char *text);

#endif
