/* litmus_place.c - is the order that an operation has in its program the one in the text that it stands for?
 *
 * In: file, function and the beginning of a call up to its last arguments. The function's text is taken with every run
 * of white space as one space; the call must stand in it behind the one before (so the order of operations is held too),
 * and the order is read from what follows: __ATOMIC_*, the first one in C; the last argument in our own language, where
 * none means relaxed. A call of a wrapper has the order that stands in the wrapper.
 */
#include "litmus.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1 << 17 };

static const struct wrapper {
	const char *call, *file, *function, *text;
} wrappers[] = {
#define X(call, file, function, text) {call, file, function, text},
#include "litmus_wrappers.def"
#undef X
};

static char *read_text(const char *root, const char *name)
{
	char path[1024], *text = malloc(TEXT_BYTES);
	size_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	file = fopen(path, "r");
	if (file && text)
		bytes = fread(text, 1, TEXT_BYTES - 1, file);
	if (file)
		fclose(file);
	if (bytes == 0 || bytes == TEXT_BYTES - 1) {
		free(text);
		return NULL;
	}
	text[bytes] = 0;
	return text;
}

static int indent_of(const char *line)
{
	return (int)strspn(line, " \t");
}

/* Does a function start here: `name(` in C, at the start of a line that is no statement; `fn name(`, or `name {`? */
static int starts_function(const char *line, const char *name, int is_c)
{
	char head[256], first[256];
	const char *at, *end = line + strcspn(line, "\n");

	snprintf(head, sizeof(head), "%.*s", (int)(end - line), line);
	if (is_c) {
		snprintf(first, sizeof(first), "%.200s(", name);
		at = strstr(head, first);
		while (at && at > head && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
			at = strstr(at + 1, first);
		return at && indent_of(line) == 0 && end > line && end[-1] != ';' && line[0] != '*' && line[0] != '/';
	}
	snprintf(first, sizeof(first), "fn %.200s(", name);
	if (strncmp(head + indent_of(head), first, strlen(first)) == 0)
		return 1;
	snprintf(first, sizeof(first), "%.200s {", name);
	return strcmp(head + indent_of(head), first) == 0;
}

/* Cuts out a function, comments dropped and white space made one space, in place. NULL: there is none. */
static char *cut_function(char *text, const char *name, int is_c)
{
	char *line, *from = NULL, *to = NULL, *in, *out;
	int indent = 0, space = 1;

	for (line = text; line && *line && !to; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!from && starts_function(line, name, is_c)) {
			from = line;
			indent = is_c ? 0 : indent_of(line);
		} else if (from && line[indent] == '}' && indent_of(line) == indent) {
			to = line;
		}
	}
	if (!to)
		return NULL;
	for (in = out = from; in < to; in++) {
		if (in[0] == '/' && in[1] == '/') {
			in += strcspn(in, "\n");
		} else if (in[0] == '/' && in[1] == '*') {
			in = strstr(in, "*/") + 1;
			continue;
		}
		if (*in != ' ' && *in != '\t' && *in != '\n')
			*out++ = *in, space = 0;
		else if (!space)
			*out++ = ' ', space = 1;
	}
	*out = 0;
	return from;
}

/* The end of the call that starts at `call`: behind its closing parenthesis. */
static const char *end_of_call(const char *call)
{
	int depth = 0;

	for (; *call; call++) {
		depth += *call == '(';
		if (*call == ')' && --depth == 0)
			return call + 1;
	}
	return NULL;
}

static int order_of_c(const char *call, const char *end)
{
	static const char *const names[LITMUS_ORDERS] = {"RELAXED", "ACQUIRE", "RELEASE", "ACQ_REL", "SEQ_CST"};
	const char *order = strstr(call, "__ATOMIC_");
	int i;

	for (i = 0; order && order < end && i < LITMUS_ORDERS; i++)
		if (strncmp(order + 9, names[i], strlen(names[i])) == 0)
			return i;
	return -1;
}

/* Behind the order may stand a scope. */
static int order_of_ours(const char *call, const char *end)
{
	static const char *const scopes[] = {", workgroup)", ", device)", ", system)"};
	size_t length;
	int i;

	for (i = 0; i < (int)(sizeof(scopes) / sizeof(scopes[0])); i++) {
		length = strlen(scopes[i]);
		if ((size_t)(end - call) > length && strncmp(end - length, scopes[i], length) == 0) {
			end -= length - 1;
			break;
		}
	}
	for (i = 0; i < LITMUS_ORDERS; i++) {
		length = strlen(litmus_order_names[i]);
		if ((size_t)(end - call) > length + 1 &&
		    strncmp(end - 1 - length, litmus_order_names[i], length) == 0 &&
		    strchr(" (", end[-2 - (long)length]))
			return i;
	}
	return LITMUS_RELAXED;
}

/* The order of the first call that starts with `needle` behind *after; -1 and a message if there is none. */
static int find_order(const char *root, const char *name, const char *function, const char *needle, long *after,
		      char *message, size_t bytes)
{
	int is_c = strstr(name, ".vyre") == NULL, order = -1;
	char *text = read_text(root, name), *body = text ? cut_function(text, function, is_c) : NULL;
	const char *call = NULL, *end = NULL;

	if (!body) {
		snprintf(message, bytes, "%s has no function %s", name, function);
	} else if (*after >= (long)strlen(body) || (call = strstr(body + *after + 1, needle)) == NULL) {
		snprintf(message, bytes, "%s %s: no '%s'%s", name, function, needle,
			 strstr(body, needle) ? " behind the operation before it" : "");
	} else if ((end = end_of_call(call)) == NULL) {
		snprintf(message, bytes, "%s %s: '%s' is no call", name, function, needle);
	} else {
		*after = (long)(call - body);
		order = is_c ? order_of_c(call, end) : order_of_ours(call, end);
		if (order < 0)
			snprintf(message, bytes, "%s %s: '%s' names no order", name, function, needle);
	}
	free(text);
	return order;
}

int litmus_check_place(const char *root, const struct litmus_op *op, long *after, char *message, size_t bytes)
{
	int order = -1;
	size_t i;

	for (i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
		const struct wrapper *w = &wrappers[i];
		long start = -1;

		if (strncmp(op->text, w->call, strlen(w->call)) != 0)
			continue;
		/* The call must be there too; it names no order of its own. */
		order = find_order(root, op->file, op->function, op->text, after, message, bytes);
		if (*after < 0)
			return 0;
		order = find_order(root, w->file, w->function, w->text, &start, message, bytes);
		break;
	}
	if (i == sizeof(wrappers) / sizeof(wrappers[0]))
		order = find_order(root, op->file, op->function, op->text, after, message, bytes);
	if (order < 0)
		return 0;
	if (order == (int)op->order)
		return 1;
	snprintf(message, bytes, "%s %s: '%s' is %s, and the program says %s", op->file, op->function, op->text,
		 litmus_order_names[order], litmus_order_names[op->order]);
	return 0;
}
