/* print.c - a module as canonical text: items and statements. Expressions are in print_expr.c.
 *
 * The same module always gives the same bytes, and reading them gives the same module. With VYREC_PRINT_COMMENTS the
 * source's comments, blank lines, hexadecimal and written types come back too: every comment is printed before the first
 * line whose own place in the source is behind it, at the end of the line before if it stood behind code. So none is
 * lost and none changes its order, whatever the printer did to the lines.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/print.h"

enum { MAX_LINE = 120 };

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

void put(struct printer *p, const char *text)
{
	put_bytes(p, text, strlen(text));
}

void putf(struct printer *p, const char *format, ...)
{
	char text[256]; /* numbers and words; names and strings go through put_name and put_string */
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put(p, text);
}

void put_name(struct printer *p, vyrec_name name)
{
	put_bytes(p, vyrec_name_text(p->module, name), vyrec_name_bytes(p->module, name));
}

void put_string(struct printer *p, vyrec_name name)
{
	const char *text = vyrec_name_text(p->module, name);
	size_t bytes = vyrec_name_bytes(p->module, name);
	put(p, "\"");
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\')
			putf(p, "\\%c", c);
		else if (c == '\n' || c == '\t' || c == '\r')
			putf(p, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else if (c < 0x20 || c >= 0x7f)
			putf(p, "\\x%02x", c);
		else
			put_bytes(p, text + i, 1);
	}
	put(p, "\"");
}

/* ---- lines and comments ------------------------------------------------------------------------------------------ */

static void put_indent(struct printer *p)
{
	for (unsigned i = 0; i < p->indent; i++)
		put(p, "  ");
}

static void put_blank(struct printer *p)
{
	if (p->bytes && !p->block_start)
		put(p, "\n");
}

/* Comments before loc. The last line's '\n' is written late, so that a trailing comment can still join it. */
static void put_comments(struct printer *p, vyrec_loc loc)
{
	const struct vyrec_module *m = p->module;
	while (p->source && p->comment < m->comment_count && m->comments[p->comment].loc < loc) {
		const struct vyrec_comment *comment = &m->comments[p->comment++];
		if (p->line_started && !comment->own_line) {
			put(p, "  ");
			put_name(p, comment->text);
			put(p, "\n");
			p->line_started = false;
			continue;
		}
		end_line(p);
		if (comment->blank_before)
			put_blank(p);
		put_indent(p);
		put_name(p, comment->text);
		put(p, "\n");
		p->block_start = false;
	}
}

void end_line(struct printer *p)
{
	if (p->line_started)
		put(p, "\n");
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

void start_line(struct printer *p, vyrec_loc loc)
{
	if (p->flat)
		return;
	put_comments(p, loc);
	end_line(p);
	if (p->source && loc && had_blank(p->module, loc))
		put_blank(p);
	put_indent(p);
	p->line_started = true;
	p->block_start = false;
}

static void open_brace(struct printer *p)
{
	put(p, "{");
	p->indent++;
	p->block_start = true;
}

void put_close(struct printer *p, vyrec_loc end)
{
	put_comments(p, end);
	end_line(p);
	p->indent--;
	put_indent(p);
	put(p, "}");
	p->line_started = true;
	p->block_start = false;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static void put_stmt(struct printer *p, vyrec_stmt stmt);

static vyrec_loc block_start(const struct printer *p, vyrec_block block)
{
	return block < p->module->layout.block_start_capacity ? p->module->layout.block_starts[block] : 0;
}

static vyrec_loc block_end(const struct printer *p, vyrec_block block)
{
	return block < p->module->layout.block_end_capacity ? p->module->layout.block_ends[block] : 0;
}

static void put_statements(struct printer *p, vyrec_block block)
{
	struct vyrec_block_node node = p->module->blocks[block];
	for (uint32_t i = 0; i < node.count; i++)
		put_stmt(p, p->module->refs[node.first + i]);
}

/* `{ a; b }` where the source had the whole statement on one line and it fits; else undone. */
static bool put_short_block(struct printer *p, vyrec_block block)
{
	struct printer before = *p;
	struct vyrec_block_node node = p->module->blocks[block];
	put(p, "{");
	p->flat = true;
	for (uint32_t i = 0; i < node.count; i++) {
		put(p, i ? "; " : " ");
		put_stmt(p, p->module->refs[node.first + i]);
	}
	p->flat = before.flat;
	put(p, node.count ? " }" : "}");
	size_t line = p->bytes;
	while (line && p->text[line - 1] != '\n')
		line--;
	if (p->bytes - line <= MAX_LINE && !memchr(p->text + before.bytes, '\n', p->bytes - before.bytes))
		return true;
	p->bytes = before.bytes;
	p->line_started = before.line_started;
	p->block_start = before.block_start;
	return false;
}

void put_block(struct printer *p, vyrec_block block)
{
	const struct vyrec_module *m = p->module;
	vyrec_loc end = block_end(p, block);
	bool commented = p->source && p->comment < m->comment_count && m->comments[p->comment].loc < end;
	bool one_line = p->source && end && VYREC_LOC_LINE(block_start(p, block)) == VYREC_LOC_LINE(end);
	if (!commented && (one_line || p->flat || !m->blocks[block].count) && put_short_block(p, block))
		return;
	open_brace(p);
	put_statements(p, block);
	put_close(p, end);
}

static void put_array_type(struct printer *p, vyrec_array array)
{
	putf(p, ": %s[%u]", vyrec_type_name(p->module->arrays[array].element), p->module->arrays[array].count);
}

static void put_let(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	bool typed = p->source && s->local < m->layout.typed_local_capacity && m->layout.typed_locals[s->local];
	put(p, "let ");
	put_name(p, m->locals[s->local].name);
	typed |= needs_type(m, s->expr[0]);
	if (typed)
		putf(p, ": %s", vyrec_type_name(m->locals[s->local].type));
	put(p, " = ");
	put_expr(p, s->expr[0], typed ? CONTEXT_KNOWN : CONTEXT_NONE);
}

static void put_var(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	put(p, "var ");
	put_name(p, s->array ? m->arrays[s->array].name : m->locals[s->local].name);
	if (s->array) {
		put_array_type(p, s->array);
		return;
	}
	putf(p, ": %s", vyrec_type_name(m->locals[s->local].type));
	if (s->expr[0]) {
		put(p, " = ");
		put_expr(p, s->expr[0], CONTEXT_KNOWN);
	}
}

static void put_if(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	put(p, "if ");
	put_expr(p, s->expr[0], CONTEXT_KNOWN);
	put(p, " ");
	put_block(p, s->body[0]);
	if (!s->body[1])
		return;
	const struct vyrec_block_node *other = &m->blocks[s->body[1]];
	put(p, " else ");
	if (other->count == 1 && m->stmts[m->refs[other->first]].kind == VYREC_STMT_IF)
		put_if(p, &m->stmts[m->refs[other->first]]);
	else
		put_block(p, s->body[1]);
}

static void put_for(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	unsigned count = s->expr[2] ? 3 : 2;
	bool known = false;
	for (unsigned i = 0; i < count; i++)
		known |= !is_bare(m, s->expr[i]);
	put(p, "for ");
	put_name(p, m->locals[s->local].name);
	put(p, " in ");
	put_expr(p, s->expr[0], known ? CONTEXT_KNOWN : CONTEXT_NONE);
	put(p, " .. ");
	put_expr(p, s->expr[1], CONTEXT_KNOWN);
	if (s->expr[2]) {
		put(p, " step ");
		put_expr(p, s->expr[2], CONTEXT_KNOWN);
	}
	put(p, " ");
	put_block(p, s->body[0]);
}

static void put_switch(struct printer *p, const struct vyrec_stmt_node *s, vyrec_loc end)
{
	const struct vyrec_module *m = p->module;
	bool sint = m->exprs[s->expr[0]].type == VYREC_I32;
	put(p, "switch ");
	put_expr(p, s->expr[0], CONTEXT_NONE);
	put(p, " ");
	open_brace(p);
	for (uint32_t i = 0; i < s->count;) {
		vyrec_block body = m->refs[s->list + 2 * i + 1];
		const char *before = "case ";
		start_line(p, block_start(p, body));
		for (; i < s->count && m->refs[s->list + 2 * i + 1] == body; i++) {
			uint32_t value = m->refs[s->list + 2 * i];
			put(p, before);
			if (sint)
				putf(p, "%d", (int32_t)value);
			else
				putf(p, "%u", value);
			before = ", ";
		}
		put(p, " ");
		put_block(p, body);
	}
	if (s->body[0]) {
		start_line(p, block_start(p, s->body[0]));
		put(p, "default ");
		put_block(p, s->body[0]);
	}
	put_close(p, end);
}

static void put_copy(struct printer *p, const struct vyrec_stmt_node *s)
{
	putf(p, "%s(", vyrec_stmt_get_info(s->kind)->text);
	put_place(p, s->array, s->policy, s->expr[0]);
	put(p, ", ");
	put_place(p, s->array2, VYREC_POLICY_DEFAULT, s->expr[1]);
	put(p, ", ");
	put_expr(p, s->expr[2], CONTEXT_KNOWN);
	putf(p, ", %u)", (unsigned)s->imm);
}

static void put_trap(struct printer *p, const struct vyrec_stmt_node *s)
{
	put(p, "trap(");
	if (s->imm)
		putf(p, "%u: ", (unsigned)s->imm);
	put_expr(p, s->expr[0], CONTEXT_KNOWN);
	if (s->expr[1]) {
		put(p, ", ");
		put_expr(p, s->expr[1], CONTEXT_KNOWN);
	}
	put(p, ")");
}

static void put_log(struct printer *p, const struct vyrec_stmt_node *s)
{
	putf(p, "log(%u, ", (unsigned)s->imm);
	if (s->name) {
		put_string(p, s->name);
		put(p, ", ");
	}
	put_expr(p, s->expr[0], CONTEXT_KNOWN);
	put(p, ", ");
	put_expr(p, s->expr[1], CONTEXT_KNOWN);
	put(p, ")");
}

static void put_opaque(struct printer *p, const struct vyrec_stmt_node *s)
{
	put(p, "opaque ");
	put_string(p, s->name);
	put(p, " \"");
	for (uint32_t i = 0; i < s->count; i++)
		putf(p, "%02x", p->module->refs[s->list + i] & 0xff);
	put(p, "\"");
}

/* name(expr, ...) with operands whose types the statement tells. */
static void put_operands(struct printer *p, const char *name, const vyrec_expr *exprs, unsigned count)
{
	putf(p, "%s(", name);
	for (unsigned i = 0; i < count; i++) {
		put(p, i ? ", " : "");
		put_expr(p, exprs[i], CONTEXT_KNOWN);
	}
	put(p, ")");
}

static void put_spawn(struct printer *p, const struct vyrec_stmt_node *s)
{
	put(p, "spawn(");
	put_name(p, s->name);
	for (uint32_t i = 0; i < s->count; i++) {
		put(p, ", ");
		put_expr(p, p->module->refs[s->list + i], CONTEXT_KNOWN);
	}
	put(p, ")");
}

static void put_memory_words(struct printer *p, const struct vyrec_stmt_node *s)
{
	if (s->kind == VYREC_STMT_BARRIER && s->scope != VYREC_SCOPE_WORKGROUP)
		putf(p, "(%s)", vyrec_scope_name(s->scope));
	if (s->kind == VYREC_STMT_FENCE)
		putf(p, "(%s%s%s)", vyrec_order_name(s->order), s->scope == VYREC_SCOPE_DEVICE ? "" : ", ",
		     s->scope == VYREC_SCOPE_DEVICE ? "" : vyrec_scope_name(s->scope));
}

static void put_named_body(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	if (s->kind == VYREC_STMT_CATCH) {
		put(p, "(");
		put_name(p, m->locals[s->local].name);
		put(p, ", ");
		put_name(p, m->locals[s->local2].name);
		put(p, ")");
	} else if (s->kind == VYREC_STMT_REGION) {
		put(p, " ");
		put_string(p, s->name);
	} else if (s->local) {
		put(p, " ");
		put_name(p, m->locals[s->local].name);
	}
	put(p, " ");
	put_block(p, s->body[0]);
}

static void put_stmt(struct printer *p, vyrec_stmt stmt)
{
	const struct vyrec_module *m = p->module;
	const struct vyrec_stmt_node *s = &m->stmts[stmt];
	const char *text = vyrec_stmt_get_info(s->kind)->text;
	start_line(p, s->loc);
	switch (s->kind) {
	case VYREC_STMT_LET:
		put_let(p, s);
		break;
	case VYREC_STMT_VAR:
		put_var(p, s);
		break;
	case VYREC_STMT_ASSIGN:
		put_name(p, m->locals[s->local].name);
		put(p, " = ");
		put_expr(p, s->expr[0], CONTEXT_KNOWN);
		break;
	case VYREC_STMT_STORE:
		put_place(p, s->array, s->policy, s->expr[0]);
		put(p, " = ");
		put_expr(p, s->expr[1], CONTEXT_KNOWN);
		break;
	case VYREC_STMT_EXPR:
		put_expr(p, s->expr[0], CONTEXT_NONE);
		break;
	case VYREC_STMT_IF:
		put_if(p, s);
		break;
	case VYREC_STMT_FOR:
		put_for(p, s);
		break;
	case VYREC_STMT_SWITCH:
		put_switch(p, s, stmt < m->layout.switch_end_capacity ? m->layout.switch_ends[stmt] : 0);
		break;
	case VYREC_STMT_LOOP:
	case VYREC_STMT_BLOCK:
	case VYREC_STMT_REGION:
	case VYREC_STMT_CATCH:
		put(p, text);
		put_named_body(p, s);
		break;
	case VYREC_STMT_BREAK:
		put(p, text);
		if (s->local) {
			put(p, " ");
			put_name(p, m->locals[s->local].name);
		}
		break;
	case VYREC_STMT_RETURN:
		put(p, text);
		if (s->expr[0]) {
			put(p, " ");
			put_expr(p, s->expr[0], CONTEXT_KNOWN);
		}
		break;
	case VYREC_STMT_BARRIER:
	case VYREC_STMT_FENCE:
		put(p, text);
		put_memory_words(p, s);
		break;
	case VYREC_STMT_ASYNC_LOAD:
	case VYREC_STMT_ASYNC_STORE:
		put_copy(p, s);
		break;
	case VYREC_STMT_ASYNC_WAIT:
		putf(p, "%s(%u)", text, (unsigned)s->imm);
		break;
	case VYREC_STMT_DISPATCH:
		put(p, "dispatch(");
		put_name(p, s->name);
		put(p, ", ");
		put_place(p, s->array, s->policy, s->expr[0]);
		put(p, ")");
		break;
	case VYREC_STMT_TRAP:
		put_trap(p, s);
		break;
	case VYREC_STMT_LOG:
		put_log(p, s);
		break;
	case VYREC_STMT_OPAQUE:
		put_opaque(p, s);
		break;
	case VYREC_STMT_RESULT:
		putf(p, "result(%u, ", (unsigned)s->imm);
		put_expr(p, s->expr[0], CONTEXT_NONE);
		put(p, ")");
		break;
	case VYREC_STMT_REQUEUE:
	case VYREC_STMT_PAUSE:
		put_operands(p, text, s->expr, 1);
		break;
	case VYREC_STMT_LOAD:
		put_operands(p, text, s->expr, 4);
		break;
	case VYREC_STMT_SPAWN:
		put_spawn(p, s);
		break;
	default: /* words alone: continue, relax, yield */
		put(p, text);
	}
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

static void put_buffer(struct printer *p, vyrec_array index)
{
#define X(name, value, text) [value] = text " ",
	static const char *const classes[] = {VYRE_BUFFER_CLASS_LIST(X)};
#undef X
	const struct vyrec_array_node *a = &p->module->arrays[index];
	start_line(p, a->loc);
	put(p, "buffer ");
	put_name(p, a->name);
	putf(p, ": %s%s[", a->class_ == VYREC_CLASS_PLAIN || a->class_ > VYREC_CLASS_LIVE ? "" : classes[a->class_],
	     vyrec_type_name(a->element));
	if (a->count)
		putf(p, "%u", a->count);
	put(p, "]");
}

void put_shared(struct printer *p, vyrec_array index)
{
	start_line(p, p->module->arrays[index].loc);
	put(p, "shared ");
	put_name(p, p->module->arrays[index].name);
	put_array_type(p, index);
}

static void put_const(struct printer *p, vyrec_const index)
{
	const struct vyrec_module *m = p->module;
	const struct vyrec_const_node *c = &m->consts[index];
	bool typed = p->source && index < m->layout.typed_const_capacity && m->layout.typed_consts[index];
	typed |= c->expr ? needs_type(m, c->expr) : literal_needs_type(c->type, c->value);
	start_line(p, c->loc);
	put(p, "const ");
	put_name(p, c->name);
	if (typed)
		putf(p, ": %s", vyrec_type_name(c->type));
	put(p, " = ");
	if (c->expr)
		put_expr(p, c->expr, typed ? CONTEXT_KNOWN : CONTEXT_NONE);
	else
		put_literal(p, c->type, c->value, 0);
}

static void put_params(struct printer *p, uint32_t params, uint32_t count)
{
	put(p, "(");
	for (uint32_t i = 0; i < count; i++) {
		const struct vyrec_local_node *local = &p->module->locals[p->module->refs[params + i]];
		put(p, i ? ", " : "");
		put_name(p, local->name);
		putf(p, ": %s", vyrec_type_name(local->type));
	}
	put(p, ")");
}

static void put_fn(struct printer *p, vyrec_fn index)
{
	const struct vyrec_fn_node *fn = &p->module->fns[index];
	start_line(p, fn->loc);
	put(p, "fn ");
	put_name(p, fn->name);
	put_params(p, fn->params, fn->param_count);
	if (fn->result != VYREC_VOID)
		putf(p, " -> %s", vyrec_type_name(fn->result));
	put(p, " ");
	put_block(p, fn->body);
}

static void put_handler(struct printer *p, vyrec_handler index)
{
	const struct vyrec_handler_node *h = &p->module->handlers[index];
	start_line(p, h->loc);
	put(p, "op ");
	put_name(p, h->name);
	putf(p, " = 0x%x ", h->opcode);
	put_params(p, h->params, h->param_count);
	put(p, h->granularity == VYRE_BY_LANE ? " by lane " : " by workgroup");
	if (h->granularity != VYRE_BY_LANE && h->width)
		putf(p, "(%u)", h->width);
	put(p, h->granularity == VYRE_BY_LANE ? "" : " ");
	if (!h->shared_count) {
		put_block(p, h->body);
		return;
	}
	open_brace(p);
	for (uint32_t i = 0; i < h->shared_count; i++)
		put_shared(p, p->module->refs[h->shared + i]);
	put_statements(p, h->body);
	put_close(p, block_end(p, h->body));
}

static void put_item(struct printer *p, uint32_t item, uint32_t index, uint32_t before)
{
	bool big = item == VYREC_ITEM_FN || item == VYREC_ITEM_HANDLER;
	if (!p->source && before && (big || before != item)) {
		end_line(p);
		put_blank(p);
	}
	switch (item) {
	case VYREC_ITEM_BUFFER:
		put_buffer(p, index);
		break;
	case VYREC_ITEM_SHARED:
		put_shared(p, index);
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
		end_line(p);
		put_blank(p);
	}
	start_line(p, unit->loc);
	put(p, unit->kind == VYRE_UNIT_PROGRAM ? "program " : "set ");
	put_name(p, unit->name);
	if (unit->kind == VYRE_UNIT_PROGRAM) {
		unsigned axes = unit->workgroup[2] != 1 ? 3 : unit->workgroup[1] != 1 ? 2 : 1;
		put(p, " workgroup(");
		for (unsigned i = 0; i < axes; i++)
			putf(p, "%s%u", i ? ", " : "", unit->workgroup[i]);
		put(p, ")");
		if (unit->feed != VYRE_FEED_NONE && unit->feed < sizeof feeds / sizeof *feeds)
			putf(p, " feed %s", feeds[unit->feed]);
	}
	put(p, " ");
	open_brace(p);
	for (uint32_t i = 0; i < unit->item_count; i++) {
		uint32_t item = m->refs[unit->items + 2 * i];
		put_item(p, item, m->refs[unit->items + 2 * i + 1], before);
		before = item;
	}
	if (unit->kind == VYRE_UNIT_PROGRAM) {
		if (!p->source && before) {
			end_line(p);
			put_blank(p);
		}
		start_line(p, block_start(p, unit->body));
		put(p, "body ");
		put_block(p, unit->body);
	}
	put_close(p, index < m->layout.unit_end_capacity ? m->layout.unit_ends[index] : 0);
}

char *vyrec_print(const struct vyrec_module *module, unsigned flags, size_t *bytes)
{
	struct printer p = {.module = module, .source = (flags & VYREC_PRINT_COMMENTS) != 0};
	put(&p, "");
	for (vyrec_unit unit = 1; unit < module->unit_count; unit++)
		put_unit(&p, unit);
	put_comments(&p, UINT32_MAX);
	end_line(&p);
	*bytes = p.bytes;
	return p.text;
}
