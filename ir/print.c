/* print.c - a module as canonical text: lines, comments and items. Statements are in print_stmt.c, expressions in
 * print_expr.c.
 *
 * The same module always gives the same bytes, and reading them gives the same module. With VYREC_PRINT_COMMENTS the
 * source's comments, blank lines, hexadecimal and written types come back too: every comment is printed before the first
 * line whose own place in the source is behind it, at the end of the line before if it stood behind code. So none is
 * lost and none changes its order, whatever the printer did to the lines.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/lex.h"
#include "ir/print.h"

enum { MAX_GAP = 32 };

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void put_bytes(struct printer *p, const char *text, size_t bytes)
{
	if (p->bytes + bytes + 1 > p->capacity) {
		size_t now = (p->bytes + bytes + 1) * 2;
		char *grown = realloc(p->text, now);
		if (!grown) {
			vyrec_oom_hook(now);
			abort();
		}
		p->text = grown;
		p->capacity = now;
	}
	memcpy(p->text + p->bytes, text, bytes);
	p->bytes += bytes;
	p->text[p->bytes] = 0;
}

void print_text(struct printer *p, const char *text)
{
	put_bytes(p, text, strlen(text));
}

void print_format(struct printer *p, const char *format, ...)
{
	char text[256]; /* numbers and words; names and strings go through put_name and put_string */
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	print_text(p, text);
}

void print_name(struct printer *p, vyrec_name name)
{
	put_bytes(p, vyrec_name_text(p->module, name), vyrec_name_bytes(p->module, name));
}

void print_string(struct printer *p, vyrec_name name)
{
	const char *text = vyrec_name_text(p->module, name);
	size_t bytes = vyrec_name_bytes(p->module, name);
	print_text(p, "\"");
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned n = lexer_utf8_bytes((const unsigned char *)text + i, bytes - i);
		if (c == '"' || c == '\\')
			print_format(p, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			print_format(p, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else if (c < 0x20 || c == 0x7f || !n)
			print_format(p, "\\x%02x", c);
		else
			put_bytes(p, text + i, n);
		i += n ? n - 1 : 0;
	}
	print_text(p, "\"");
}

/* ---- lines and comments ------------------------------------------------------------------------------------------ */

static void put_indent(struct printer *p)
{
	for (unsigned i = 0; i < p->indent; i++)
		print_text(p, "  ");
}

static void put_blank(struct printer *p)
{
	if (p->bytes && !p->block_start)
		print_text(p, "\n");
}

/* Blanks in front of a trailing comment: two, or more where the source had it further right (comments stand in columns),
 * unless the line has become much shorter. */
static void put_comment_gap(struct printer *p, vyrec_loc loc)
{
	size_t line = p->bytes;
	while (line && p->text[line - 1] != '\n')
		line--;
	size_t column = p->bytes - line + 1, want = VYREC_LOC_COLUMN(loc);
	size_t gap = want > column + 2 && want - column <= MAX_GAP ? want - column : 2;
	while (gap--)
		print_text(p, " ");
}

/* Comments before loc. The last line's '\n' is written late, so that a trailing comment can still join it. */
static void put_comments(struct printer *p, vyrec_loc loc)
{
	const struct vyrec_module *m = p->module;
	while (p->source && p->comment < m->comment_count && m->comments[p->comment].loc < loc) {
		const struct vyrec_comment *comment = &m->comments[p->comment++];
		if (p->line_started && !comment->own_line) {
			put_comment_gap(p, comment->loc);
			print_name(p, comment->text);
			print_text(p, "\n");
			p->line_started = false;
			continue;
		}
		print_end_line(p);
		if (comment->blank_before)
			put_blank(p);
		put_indent(p);
		print_name(p, comment->text);
		print_text(p, "\n");
		p->block_start = false;
	}
}

void print_end_line(struct printer *p)
{
	if (p->line_started)
		print_text(p, "\n");
	p->line_started = false;
}

static bool had_blank(const struct vyrec_module *m, vyrec_loc loc)
{
	uint32_t low = 0, high = m->layout.blank_count, line = VYREC_LOC_LINE(loc);
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (m->layout.blanks[mid] < line)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->layout.blank_count && m->layout.blanks[low] == line;
}

void print_start_line(struct printer *p, vyrec_loc loc)
{
	if (p->flat)
		return;
	put_comments(p, loc);
	print_end_line(p);
	if (p->source && loc && had_blank(p->module, loc))
		put_blank(p);
	put_indent(p);
	p->line_started = true;
	p->block_start = false;
}

void print_open(struct printer *p)
{
	print_text(p, "{");
	p->indent++;
	p->block_start = true;
}

void print_close(struct printer *p, vyrec_loc end)
{
	put_comments(p, end);
	print_end_line(p);
	p->indent--;
	put_indent(p);
	print_text(p, "}");
	p->line_started = true;
	p->block_start = false;
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

static void put_buffer(struct printer *p, vyrec_array index)
{
#define X(name, value, text) [value] = text " ",
	static const char *const classes[] = {VYRE_BUFFER_CLASS_LIST(X)};
#undef X
	const struct vyrec_array_node *a = &p->module->arrays[index];
	print_start_line(p, a->loc);
	print_text(p, "buffer ");
	print_name(p, a->name);
	print_format(p, ": %s%s[",
		     a->class_ == VYREC_CLASS_PLAIN || a->class_ > VYREC_CLASS_LIVE ? "" : classes[a->class_],
		     vyrec_type_name(a->element));
	if (a->count)
		print_format(p, "%u", a->count);
	print_text(p, "]");
}

void print_shared(struct printer *p, vyrec_array index)
{
	print_start_line(p, p->module->arrays[index].loc);
	print_text(p, "shared ");
	print_name(p, p->module->arrays[index].name);
	print_array_type(p, index);
}

static void put_const(struct printer *p, vyrec_const index)
{
	const struct vyrec_module *m = p->module;
	const struct vyrec_const_node *c = &m->consts[index];
	bool typed = p->source && index < m->layout.typed_const_capacity && m->layout.typed_consts[index];
	typed |= c->expr ? print_needs_type(m, c->expr) : print_literal_needs_type(c->type, c->value);
	print_start_line(p, c->loc);
	print_text(p, "const ");
	print_name(p, c->name);
	if (typed)
		print_format(p, ": %s", vyrec_type_name(c->type));
	print_text(p, " = ");
	if (c->expr)
		print_expr(p, c->expr, typed ? CONTEXT_KNOWN : CONTEXT_NONE);
	else
		print_literal(p, c->type, c->value, 0);
}

static void put_params(struct printer *p, uint32_t params, uint32_t count)
{
	print_text(p, "(");
	for (uint32_t i = 0; i < count; i++) {
		const struct vyrec_local_node *local = &p->module->locals[p->module->refs[params + i]];
		print_text(p, i ? ", " : "");
		print_name(p, local->name);
		print_format(p, ": %s", vyrec_type_name(local->type));
	}
	print_text(p, ")");
}

static void put_fn(struct printer *p, vyrec_fn index)
{
	const struct vyrec_fn_node *fn = &p->module->fns[index];
	print_start_line(p, fn->loc);
	print_text(p, "fn ");
	print_name(p, fn->name);
	put_params(p, fn->params, fn->param_count);
	if (fn->result != VYREC_VOID)
		print_format(p, " -> %s", vyrec_type_name(fn->result));
	print_text(p, " ");
	print_block(p, fn->body);
}

static void put_handler(struct printer *p, vyrec_handler index)
{
	const struct vyrec_handler_node *h = &p->module->handlers[index];
	print_start_line(p, h->loc);
	print_text(p, "op ");
	print_name(p, h->name);
	print_format(p, " = 0x%x ", h->opcode);
	put_params(p, h->params, h->param_count);
	print_text(p, h->granularity == VYRE_BY_LANE ? " by lane " : " by workgroup");
	if (h->granularity != VYRE_BY_LANE && h->width)
		print_format(p, "(%u)", h->width);
	print_text(p, h->granularity == VYRE_BY_LANE ? "" : " ");
	if (!h->shared_count) {
		print_block(p, h->body);
		return;
	}
	print_open(p);
	for (uint32_t i = 0; i < h->shared_count; i++)
		print_shared(p, p->module->refs[h->shared + i]);
	print_statements(p, h->body);
	print_close(p, print_block_end(p, h->body));
}

static void put_item(struct printer *p, uint32_t item, uint32_t index, uint32_t before)
{
	bool big = item == VYREC_ITEM_FN || item == VYREC_ITEM_HANDLER;
	if (!p->source && before && (big || before != item)) {
		print_end_line(p);
		put_blank(p);
	}
	switch (item) {
	case VYREC_ITEM_BUFFER:
		put_buffer(p, index);
		break;
	case VYREC_ITEM_SHARED:
		print_shared(p, index);
		break;
	case VYREC_ITEM_CONST:
		put_const(p, index);
		break;
	case VYREC_ITEM_FN:
		put_fn(p, index);
		break;
	default:
		put_handler(p, index);
	}
}

static void put_unit(struct printer *p, vyrec_unit index)
{
#define X(name, value, text) [value] = text,
	static const char *const feeds[] = {VYRE_FEED_LIST(X)};
#undef X
	const struct vyrec_module *m = p->module;
	const struct vyrec_unit_node *unit = &m->units[index];
	uint32_t before = 0;
	if (!p->source && index > 1) {
		print_end_line(p);
		put_blank(p);
	}
	print_start_line(p, unit->loc);
	print_text(p, unit->kind == VYRE_UNIT_PROGRAM ? "program " : "set ");
	print_name(p, unit->name);
	if (unit->kind == VYRE_UNIT_PROGRAM) {
		unsigned axes = unit->workgroup[2] != 1 ? 3 : unit->workgroup[1] != 1 ? 2 : 1;
		print_text(p, " workgroup(");
		for (unsigned i = 0; i < axes; i++)
			print_format(p, "%s%u", i ? ", " : "", unit->workgroup[i]);
		print_text(p, ")");
		if (unit->feed != VYRE_FEED_NONE && unit->feed < sizeof feeds / sizeof *feeds)
			print_format(p, " feed %s", feeds[unit->feed]);
		if (unit->features || unit->frame_words)
			print_format(p, "(%#04x, %u)", unit->features, unit->frame_words);
	}
	print_text(p, " ");
	print_open(p);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		uint32_t item = m->refs[unit->items + 2 * i];
		put_item(p, item, m->refs[unit->items + 2 * i + 1], before);
		before = item;
	}
	if (unit->kind == VYRE_UNIT_PROGRAM) {
		if (!p->source && before) {
			print_end_line(p);
			put_blank(p);
		}
		print_start_line(p, print_block_start(p, unit->body));
		print_text(p, "body ");
		print_block(p, unit->body);
	}
	print_close(p, index < m->layout.unit_end_capacity ? m->layout.unit_ends[index] : 0);
}

char *vyrec_print(const struct vyrec_module *module, unsigned flags, size_t *bytes)
{
	struct printer p = {.module = module, .source = (flags & VYREC_PRINT_COMMENTS) != 0};
	print_text(&p, "");
	for (vyrec_unit unit = 1; unit < module->unit_count; unit++)
		put_unit(&p, unit);
	put_comments(&p, UINT32_MAX);
	print_end_line(&p);
	*bytes = p.bytes;
	return p.text;
}
