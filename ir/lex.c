/* lex.c - cuts source text into tokens, by hand.
 *
 * Enters: hostile bytes. Leaves: one token a call, with its place, and whether it is the first on its line (the parser
 * decides where a line's end is a statement's end). A first reading reports bad bytes and keeps comments and blank lines
 * in the module for `vyrec fmt`; a second one over the same bytes (bodies are read after all headers) is silent.
 * Invariant: `at` never passes `bytes`, and every call but the last consumes at least one byte, so a loop over tokens
 * ends.
 */
#include <string.h>

#include "ir/lex.h"

enum { MAX_NUMBER_BYTES = 256, MAX_LINE = (1 << 22) - 1 /* what a vyrec_loc holds */ };

static const struct {
	const char *text;
	uint8_t bytes;
} puncts[TOKEN_KIND_COUNT] = {
#define X(name, symbol) [TOKEN_##name] = {symbol, sizeof symbol - 1},
    VYREC_PUNCT_LIST(X)
#undef X
};

const char *lexer_kind_text(token_kind kind)
{
	static const char *const quoted[TOKEN_KIND_COUNT] = {[TOKEN_END] = "the end of the file",
							     [TOKEN_NAME] = "a name",
							     [TOKEN_INT] = "an integer",
							     [TOKEN_FLOAT] = "a number",
							     [TOKEN_STRING] = "a string",
							     [TOKEN_ERROR] = "an unreadable character",
#define X(name, symbol) [TOKEN_##name] = "'" symbol "'",
							     VYREC_PUNCT_LIST(X)
#undef X
	};
	return (unsigned)kind < TOKEN_KIND_COUNT ? quoted[kind] : "?";
}

bool lexer_is_infix(token_kind kind)
{
	switch (kind) {
	case TOKEN_DOTDOT:
	case TOKEN_ASSIGN:
	case TOKEN_ARROW:
	case TOKEN_COLON:
	case TOKEN_TILDE:
	case TOKEN_BANG:
		return true;
	default:
		return kind >= TOKEN_OROR && kind <= TOKEN_PERCENT;
	}
}

static vyrec_loc loc_at(const struct lexer *lx, size_t at)
{
	size_t column = at - lx->line_start + 1;
	return VYREC_LOC(lx->line < MAX_LINE ? lx->line : MAX_LINE, column > 1023 ? 1023 : column);
}

unsigned lexer_utf8_bytes(const unsigned char *p, size_t left)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	if (n < 2 || n > left)
		return n == 1 ? 1 : 0;
	uint32_t code = p[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

/* Says once what is wrong with the first bad byte of a comment or string. */
static void check_text(struct lexer *lx, size_t from, size_t to, const char *what)
{
	for (size_t i = from; i < to && lx->diags;) {
		unsigned char c = (unsigned char)lx->text[i];
		unsigned n = lexer_utf8_bytes((const unsigned char *)lx->text + i, to - i);
		if (!n || (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f) {
			vyrec_diags_add(lx->diags, VYREC_ERROR, "", loc_at(lx, i), "byte 0x%02x in a %s; %s", c, what,
					n ? "remove the control character" : "save the file as UTF-8");
			return;
		}
		i += n;
	}
}

static void keep_comment(struct lexer *lx, size_t from, size_t to, bool own_line, bool blank)
{
	struct vyrec_module *m = lx->module;
	check_text(lx, from, to, "comment");
	if (!m)
		return;
	vyrec_loc loc = loc_at(lx, from);
	while (to > from && (lx->text[to - 1] == ' ' || lx->text[to - 1] == '\t' || lx->text[to - 1] == '\r'))
		to--;
	m->comments = vyrec_grow(m->comments, &m->comment_capacity, m->comment_count + 1, sizeof *m->comments);
	m->comments[m->comment_count++] =
	    (struct vyrec_comment){loc, vyrec_intern(m, lx->text + from, to - from), own_line, blank};
}

/* Skips blanks and comments. True if a line ended on the way, or at the start of the text. */
static bool skip_blank(struct lexer *lx)
{
	bool newline = lx->at == 0;
	unsigned ends = newline ? 1 : 0; /* line ends since the last thing that is not blank */
	while (lx->at < lx->bytes) {
		char c = lx->text[lx->at];
		if (c == '\n') {
			lx->at++;
			lx->line++;
			lx->line_start = lx->at;
			newline = true;
			ends++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			lx->at++;
		} else if (c == '/' && lx->at + 1 < lx->bytes && lx->text[lx->at + 1] == '/') {
			const char *end = memchr(lx->text + lx->at, '\n', lx->bytes - lx->at);
			size_t to = end ? (size_t)(end - lx->text) : lx->bytes;
			keep_comment(lx, lx->at, to, newline, ends > 1);
			lx->at = to;
			ends = 0;
		} else {
			break;
		}
	}
	if (ends > 1 && lx->module && lx->at < lx->bytes) {
		struct vyrec_layout *layout = &lx->module->layout;
		layout->blanks = vyrec_grow(layout->blanks, &layout->blank_capacity, layout->blank_count + 1,
					    sizeof *layout->blanks);
		layout->blanks[layout->blank_count++] = VYREC_LOC_LINE(loc_at(lx, lx->at));
	}
	return newline;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static unsigned digit_value(char c)
{
	return is_digit(c)	      ? (unsigned)(c - '0')
	       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
	       : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
				      : 99;
}

static struct token fail(struct lexer *lx, struct token token, const char *message)
{
	token.kind = TOKEN_ERROR;
	if (lx->diags)
		vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc, "%s", message);
	return token;
}

static struct token finish_int(struct lexer *lx, struct token token, size_t digits)
{
	bool digit_before = false;
	for (size_t i = digits; i < lx->at; i++) {
		char c = lx->text[i];
		unsigned d = digit_value(c);
		bool last = i + 1 == lx->at;
		if (c == '_' ? !digit_before || last : d >= token.radix)
			return fail(lx, token,
				    c == '_' ? "'_' stands between two digits of a number; remove it"
					     : "a letter or digit that does not belong in this number; write decimal, "
					       "0x or 0b digits");
		digit_before = c != '_';
		if (c == '_')
			continue;
		if (token.value > (UINT64_MAX - d) / token.radix)
			return fail(lx, token,
				    "integer is larger than 18446744073709551615, the greatest u64; make it "
				    "smaller");
		token.value = token.value * token.radix + d;
	}
	if (!digit_before)
		return fail(lx, token, "digits are missing after 0x or 0b; add them");
	token.kind = TOKEN_INT;
	return token;
}

static size_t skip_digits(const struct lexer *lx, size_t i)
{
	while (i < lx->bytes && (is_digit(lx->text[i]) || lx->text[i] == '_'))
		i++;
	return i;
}

/* Where a decimal fraction and exponent that start at i end; i itself if there is neither. `0..n` has none. */
static size_t float_end(const struct lexer *lx, size_t i)
{
	if (i < lx->bytes && lx->text[i] == '.' && !(i + 1 < lx->bytes && lx->text[i + 1] == '.'))
		i = skip_digits(lx, i + 1);
	if (i < lx->bytes && (lx->text[i] == 'e' || lx->text[i] == 'E')) {
		size_t e = i + 1;
		if (e < lx->bytes && (lx->text[e] == '+' || lx->text[e] == '-'))
			e++;
		if (e < lx->bytes && is_digit(lx->text[e]))
			i = skip_digits(lx, e);
	}
	return i;
}

static struct token lex_number(struct lexer *lx, struct token token)
{
	char second = lx->at + 1 < lx->bytes ? lx->text[lx->at + 1] : 0;
	bool prefixed = lx->text[lx->at] == '0' && (second == 'x' || second == 'b');
	size_t start = lx->at, end = skip_digits(lx, start), real = prefixed ? end : float_end(lx, end);
	token.radix = prefixed ? second == 'x' ? 16 : 2 : 10;
	lx->at = real;
	while (lx->at < lx->bytes && is_word(lx->text[lx->at]))
		lx->at++;
	token.bytes = (uint32_t)(lx->at - start);
	if (token.bytes > MAX_NUMBER_BYTES)
		return fail(lx, token, "number is longer than 256 characters; shorten it");
	if (real == end)
		return finish_int(lx, token, start + (prefixed ? 2 : 0));
	if (lx->at != real)
		return fail(lx, token, "letters after a number; put an operator or a space between them");
	for (size_t i = start; i < real; i++)
		if (lx->text[i] == '_' && (!is_digit(lx->text[i - 1]) || i + 1 == real || !is_digit(lx->text[i + 1])))
			return fail(lx, token, "'_' stands between two digits of a number; remove it");
	token.kind = TOKEN_FLOAT;
	return token;
}

static struct token lex_string(struct lexer *lx, struct token token)
{
	size_t i = lx->at + 1;
	while (i < lx->bytes && lx->text[i] != '"' && lx->text[i] != '\n')
		i += lx->text[i] == '\\' && i + 1 < lx->bytes && lx->text[i + 1] != '\n' ? 2 : 1;
	bool closed = i < lx->bytes && lx->text[i] == '"';
	check_text(lx, lx->at, i, "string");
	lx->at = closed ? i + 1 : i;
	token.bytes = (uint32_t)(lx->at - token.start);
	if (!closed)
		return fail(lx, token, "string does not end on its line; close it with '\"'");
	token.kind = TOKEN_STRING;
	return token;
}

static struct token lex_bad(struct lexer *lx, struct token token)
{
	unsigned char c = (unsigned char)lx->text[lx->at];
	unsigned n = lexer_utf8_bytes((const unsigned char *)lx->text + lx->at, lx->bytes - lx->at);
	/* the whole run of such bytes is one mistake */
	while (lx->at < lx->bytes && (c >= 0x80) == ((unsigned char)lx->text[lx->at] >= 0x80) &&
	       (c >= 0x80 || (unsigned char)lx->text[lx->at] == c))
		lx->at++;
	token.bytes = (uint32_t)(lx->at - token.start);
	token.kind = TOKEN_ERROR;
	if (!lx->diags)
		return token;
	if (token.start == 0 && token.bytes >= 3 && !memcmp(lx->text, "\xef\xbb\xbf", 3))
		vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc,
				"a byte order mark; save the file as UTF-8 without it");
	else if (c >= 0x80)
		vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc,
				n ? "character outside ASCII (first byte 0x%02x); only comments and strings may hold it"
				  : "byte 0x%02x is not UTF-8; save the file as UTF-8",
				c);
	else if (c < 0x20 || c == 0x7f)
		vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc, "byte 0x%02x; remove the control character", c);
	else
		vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc, "'%c' has no meaning here; remove it", c);
	return token;
}

struct token lexer_next(struct lexer *lx)
{
	bool newline = skip_blank(lx);
	struct token token = {.newline = newline, .loc = loc_at(lx, lx->at), .start = (uint32_t)lx->at};
	if (lx->at >= lx->bytes)
		return token;
	char c = lx->text[lx->at];
	if (is_digit(c))
		return lex_number(lx, token);
	if (is_word(c)) {
		while (lx->at < lx->bytes && is_word(lx->text[lx->at]))
			lx->at++;
		token.kind = TOKEN_NAME;
		token.bytes = (uint32_t)(lx->at - token.start);
		if (token.bytes > VYREC_MAX_NAME_BYTES) {
			if (lx->diags)
				vyrec_diags_add(lx->diags, VYREC_ERROR, "", token.loc,
						"name of %u bytes; the limit is %d", token.bytes, VYREC_MAX_NAME_BYTES);
			token.kind = TOKEN_ERROR;
		}
		return token;
	}
	if (c == '"')
		return lex_string(lx, token);
	for (unsigned kind = TOKEN_ERROR + 1; kind < TOKEN_KIND_COUNT; kind++)
		if (puncts[kind].bytes > token.bytes && puncts[kind].bytes <= lx->bytes - lx->at &&
		    !memcmp(puncts[kind].text, lx->text + lx->at, puncts[kind].bytes)) {
			token.kind = (uint8_t)kind;
			token.bytes = puncts[kind].bytes;
		}
	if (!token.kind)
		return lex_bad(lx, token);
	lx->at += token.bytes;
	return token;
}

bool lexer_decode_string(const struct lexer *lx, const struct token *token, char *out, size_t *bytes, const char **why)
{
	static const char escapes[] = "n\nt\tr\r\\\\\"\"";
	const char *p = lx->text + token->start + 1, *end = lx->text + token->start + token->bytes - 1;
	size_t n = 0;
	while (p < end) {
		char c = *p++;
		if (c == '\\') {
			const char *e = escapes;
			while (*e && *e != *p)
				e += 2;
			if (*e) {
				c = e[1];
				p++;
			} else if (*p == 'x' && end - p > 2 && digit_value(p[1]) < 16 && digit_value(p[2]) < 16 &&
				   (digit_value(p[1]) | digit_value(p[2]))) {
				c = (char)(digit_value(p[1]) << 4 | digit_value(p[2]));
				p += 3;
			} else {
				*why = "unknown escape in a string; write \\n \\t \\r \\\\ \\\" or \\x01 to \\xff";
				return false;
			}
		}
		if (n == VYREC_MAX_STRING_BYTES) {
			*why = "string is longer than 4096 bytes; shorten it";
			return false;
		}
		out[n++] = c;
	}
	out[n] = 0;
	*bytes = n;
	return true;
}
