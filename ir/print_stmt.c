/* print_stmt.c - statements and blocks as text.
 *
 * A block is written over several lines, but for `vyrec fmt` on one where the source had its whole statement on one line
 * and it still fits: it is tried, and taken back if not. Comments make the lines (print.c), so a block that holds one is
 * never tried.
 */
#include <string.h>

#include "ir/print.h"

enum { MAX_LINE = 120 };

static void put_stmt(struct printer *p, vyrec_stmt stmt);

vyrec_loc print_block_start(const struct printer *p, vyrec_block block)
{
	return block < p->module->layout.block_start_capacity ? p->module->layout.block_starts[block] : 0;
}

vyrec_loc print_block_end(const struct printer *p, vyrec_block block)
{
	return block < p->module->layout.block_end_capacity ? p->module->layout.block_ends[block] : 0;
}

void print_statements(struct printer *p, vyrec_block block)
{
	struct vyrec_block_node node = p->module->blocks[block];
	for (uint32_t i = 0; i < node.count; i++)
		put_stmt(p, p->module->refs[node.first + i]);
}

/* `{ a; b }` */
static void put_flat_block(struct printer *p, vyrec_block block)
{
	struct vyrec_block_node node = p->module->blocks[block];
	print_text(p, "{");
	for (uint32_t i = 0; i < node.count; i++) {
		print_text(p, i ? "; " : " ");
		put_stmt(p, p->module->refs[node.first + i]);
	}
	print_text(p, node.count ? " }" : "}");
}

/* On one line if it fits and nothing in it needs lines of its own (a switch does); else undone. */
static bool put_short_block(struct printer *p, vyrec_block block)
{
	struct printer before = *p;
	p->flat = true;
	put_flat_block(p, block);
	p->flat = false;
	size_t line = before.bytes;
	while (line && p->text[line - 1] != '\n')
		line--;
	if (p->bytes - line <= MAX_LINE && !memchr(p->text + before.bytes, '\n', p->bytes - before.bytes))
		return true;
	p->bytes = before.bytes;
	p->line_started = before.line_started;
	p->block_start = before.block_start;
	return false;
}

void print_block(struct printer *p, vyrec_block block)
{
	const struct vyrec_module *m = p->module;
	vyrec_loc end = print_block_end(p, block);
	bool commented = p->source && p->comment < m->comment_count && m->comments[p->comment].loc < end;
	bool one_line = p->source && end && VYREC_LOC_LINE(print_block_start(p, block)) == VYREC_LOC_LINE(end);
	if (p->flat) { /* the outermost block on the line decides, once: trying each would take exponential time */
		put_flat_block(p, block);
		return;
	}
	if (!commented && (one_line || !m->blocks[block].count) && put_short_block(p, block))
		return;
	print_open(p);
	print_statements(p, block);
	print_close(p, end);
}

void print_array_type(struct printer *p, vyrec_array array)
{
	print_format(p, ": %s[%u]", vyrec_type_name(p->module->arrays[array].element), p->module->arrays[array].count);
}

static void put_let(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	bool typed = p->source && s->local < m->layout.typed_local_capacity && m->layout.typed_locals[s->local];
	print_text(p, "let ");
	print_name(p, m->locals[s->local].name);
	typed |= print_needs_type(m, s->expr[0]);
	if (typed)
		print_format(p, ": %s", vyrec_type_name(m->locals[s->local].type));
	print_text(p, " = ");
	print_expr(p, s->expr[0], typed ? CONTEXT_KNOWN : CONTEXT_NONE);
}

static void put_var(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	print_text(p, "var ");
	print_name(p, s->array ? m->arrays[s->array].name : m->locals[s->local].name);
	if (s->array) {
		print_array_type(p, s->array);
		return;
	}
	print_format(p, ": %s", vyrec_type_name(m->locals[s->local].type));
	if (s->expr[0]) {
		print_text(p, " = ");
		print_expr(p, s->expr[0], CONTEXT_KNOWN);
	}
}

static void put_if(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	print_text(p, "if ");
	print_expr(p, s->expr[0], CONTEXT_KNOWN);
	print_text(p, " ");
	print_block(p, s->body[0]);
	if (!s->body[1])
		return;
	const struct vyrec_block_node *other = &m->blocks[s->body[1]];
	print_text(p, " else ");
	if (other->count == 1 && m->stmts[m->refs[other->first]].kind == VYREC_STMT_IF)
		put_if(p, &m->stmts[m->refs[other->first]]);
	else
		print_block(p, s->body[1]);
}

static void put_for(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	unsigned count = s->expr[2] ? 3 : 2;
	bool known = false;
	for (unsigned i = 0; i < count; i++)
		known |= !print_is_bare(m, s->expr[i]);
	print_text(p, "for ");
	print_name(p, m->locals[s->local].name);
	print_text(p, " in ");
	print_expr(p, s->expr[0], known ? CONTEXT_KNOWN : CONTEXT_NONE);
	print_text(p, " .. ");
	print_expr(p, s->expr[1], CONTEXT_KNOWN);
	if (s->expr[2]) {
		print_text(p, " step ");
		print_expr(p, s->expr[2], CONTEXT_KNOWN);
	}
	print_text(p, " ");
	print_block(p, s->body[0]);
}

static void put_switch(struct printer *p, const struct vyrec_stmt_node *s, vyrec_loc end)
{
	const struct vyrec_module *m = p->module;
	bool sint = m->exprs[s->expr[0]].type == VYREC_I32;
	print_text(p, "switch ");
	print_expr(p, s->expr[0], CONTEXT_NONE);
	print_text(p, " ");
	print_open(p);
	for (uint32_t i = 0; i < s->count;) {
		vyrec_block body = m->refs[s->list + 2 * i + 1];
		const char *before = "case ";
		print_start_line(p, print_block_start(p, body));
		for (; i < s->count && m->refs[s->list + 2 * i + 1] == body; i++) {
			uint32_t value = m->refs[s->list + 2 * i];
			print_text(p, before);
			if (sint)
				print_format(p, "%d", (int32_t)value);
			else
				print_format(p, "%u", value);
			before = ", ";
		}
		print_text(p, " ");
		print_block(p, body);
	}
	if (s->body[0]) {
		print_start_line(p, print_block_start(p, s->body[0]));
		print_text(p, "default ");
		print_block(p, s->body[0]);
	}
	print_close(p, end);
}

static void put_copy(struct printer *p, const struct vyrec_stmt_node *s)
{
	print_format(p, "%s(", vyrec_stmt_get_info(s->kind)->text);
	print_place(p, s->array, s->policy, s->expr[0]);
	print_text(p, ", ");
	print_place(p, s->array2, VYREC_POLICY_DEFAULT, s->expr[1]);
	print_text(p, ", ");
	print_expr(p, s->expr[2], CONTEXT_KNOWN);
	print_format(p, ", %u)", (unsigned)s->imm);
}

static void put_trap(struct printer *p, const struct vyrec_stmt_node *s)
{
	print_text(p, "trap(");
	if (s->imm)
		print_format(p, "%u: ", (unsigned)s->imm);
	print_expr(p, s->expr[0], CONTEXT_KNOWN);
	if (s->expr[1]) {
		print_text(p, ", ");
		print_expr(p, s->expr[1], CONTEXT_KNOWN);
	}
	print_text(p, ")");
}

static void put_log(struct printer *p, const struct vyrec_stmt_node *s)
{
	print_format(p, "log(%u, ", (unsigned)s->imm);
	if (s->name) {
		print_string(p, s->name);
		print_text(p, ", ");
	}
	print_expr(p, s->expr[0], CONTEXT_KNOWN);
	print_text(p, ", ");
	print_expr(p, s->expr[1], CONTEXT_KNOWN);
	print_text(p, ")");
}

static void put_opaque(struct printer *p, const struct vyrec_stmt_node *s)
{
	print_text(p, "opaque ");
	print_string(p, s->name);
	print_text(p, " \"");
	for (uint32_t i = 0; i < s->count; i++)
		print_format(p, "%02x", p->module->refs[s->list + i] & 0xff);
	print_text(p, "\"");
}

/* name(expr, ...) with operands whose types the statement tells. */
static void put_operands(struct printer *p, const char *name, const vyrec_expr *exprs, unsigned count)
{
	print_format(p, "%s(", name);
	for (unsigned i = 0; i < count; i++) {
		print_text(p, i ? ", " : "");
		print_expr(p, exprs[i], CONTEXT_KNOWN);
	}
	print_text(p, ")");
}

static void put_spawn(struct printer *p, const struct vyrec_stmt_node *s)
{
	print_text(p, "spawn(");
	print_name(p, s->name);
	for (uint32_t i = 0; i < s->count; i++) {
		print_text(p, ", ");
		print_expr(p, p->module->refs[s->list + i], CONTEXT_KNOWN);
	}
	print_text(p, ")");
	if (!s->body[0])
		return;
	print_text(p, " else ");
	print_block(p, s->body[0]);
}

static void put_memory_words(struct printer *p, const struct vyrec_stmt_node *s)
{
	if (s->kind == VYREC_STMT_BARRIER && s->scope != VYREC_SCOPE_WORKGROUP)
		print_format(p, "(%s)", vyrec_scope_name(s->scope));
	if (s->kind == VYREC_STMT_FENCE)
		print_format(p, "(%s%s%s)", vyrec_order_name(s->order), s->scope == VYREC_SCOPE_DEVICE ? "" : ", ",
			     s->scope == VYREC_SCOPE_DEVICE ? "" : vyrec_scope_name(s->scope));
}

static void put_named_body(struct printer *p, const struct vyrec_stmt_node *s)
{
	const struct vyrec_module *m = p->module;
	if (s->kind == VYREC_STMT_CATCH) {
		print_text(p, "(");
		print_name(p, m->locals[s->local].name);
		print_text(p, ", ");
		print_name(p, m->locals[s->local2].name);
		print_text(p, ")");
	} else if (s->kind == VYREC_STMT_REGION) {
		print_text(p, " ");
		print_string(p, s->name);
	} else if (s->local) {
		print_text(p, " ");
		print_name(p, m->locals[s->local].name);
	}
	print_text(p, " ");
	print_block(p, s->body[0]);
}

static void put_stmt(struct printer *p, vyrec_stmt stmt)
{
	const struct vyrec_module *m = p->module;
	const struct vyrec_stmt_node *s = &m->stmts[stmt];
	const char *text = vyrec_stmt_get_info(s->kind)->text;
	print_start_line(p, s->loc);
	switch (s->kind) {
	case VYREC_STMT_LET:
		put_let(p, s);
		break;
	case VYREC_STMT_VAR:
		put_var(p, s);
		break;
	case VYREC_STMT_ASSIGN:
		print_name(p, m->locals[s->local].name);
		print_text(p, " = ");
		print_expr(p, s->expr[0], CONTEXT_KNOWN);
		break;
	case VYREC_STMT_STORE:
		print_place(p, s->array, s->policy, s->expr[0]);
		print_text(p, " = ");
		print_expr(p, s->expr[1], CONTEXT_KNOWN);
		break;
	case VYREC_STMT_EXPR:
		print_expr(p, s->expr[0], CONTEXT_NONE);
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
		print_text(p, text);
		put_named_body(p, s);
		break;
	case VYREC_STMT_BREAK:
		print_text(p, text);
		if (s->local) {
			print_text(p, " ");
			print_name(p, m->locals[s->local].name);
		}
		break;
	case VYREC_STMT_RETURN:
		print_text(p, text);
		if (s->expr[0]) {
			print_text(p, " ");
			print_expr(p, s->expr[0], CONTEXT_KNOWN);
		}
		break;
	case VYREC_STMT_BARRIER:
	case VYREC_STMT_FENCE:
		print_text(p, text);
		put_memory_words(p, s);
		break;
	case VYREC_STMT_ASYNC_LOAD:
	case VYREC_STMT_ASYNC_STORE:
		put_copy(p, s);
		break;
	case VYREC_STMT_ASYNC_WAIT:
		print_format(p, "%s(%u)", text, (unsigned)s->imm);
		break;
	case VYREC_STMT_DISPATCH:
		print_text(p, "dispatch(");
		print_name(p, s->name);
		print_text(p, ", ");
		print_place(p, s->array, s->policy, s->expr[0]);
		print_text(p, ")");
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
		print_format(p, "result(%u, ", (unsigned)s->imm);
		print_expr(p, s->expr[0], CONTEXT_NONE);
		print_text(p, ")");
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
	default: /* words alone: continue, relax, yield, join */
		print_text(p, text);
	}
}
