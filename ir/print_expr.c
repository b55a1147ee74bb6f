/* print_expr.c - expressions as text that reads back as the same tree.
 *
 * Parentheses only where precedence asks for them; literals bare wherever the reader finds their type without being
 * told. The reader's rule (parse_type.c): a tree of literals alone takes its type from what it meets; so this file asks of
 * every operand whether it is such a tree (is_bare) and whether its place tells the type (context).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/print.h"

enum { MAX_PLAIN_EXPONENT = 7 }; /* 1500.0 and 1.5e9 */

static const struct vyrec_expr_node *node_of(const struct vyrec_module *m, vyrec_expr expr)
{
	return &m->exprs[expr < m->expr_count ? expr : 0];
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */

static double float_value(vyrec_type type, uint64_t bits)
{
	double value;
	uint64_t wide = type == VYREC_F64 ? bits : vyrec_eval(VYREC_OP_to_f64_f, type, bits, 0, 0);
	memcpy(&value, &wide, sizeof value);
	return value;
}

/* Bits of the text as the reader takes them. */
static uint64_t read_back(vyrec_type type, const char *text)
{
	if (type == VYREC_F32) {
		float value = strtof(text, NULL);
		uint32_t bits;
		memcpy(&bits, &value, sizeof bits);
		return bits;
	}
	double value = strtod(text, NULL);
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return type == VYREC_F64 ? bits : vyrec_eval(VYREC_OP_to_f16_f, VYREC_F64, bits, 0, 0);
}

static bool is_nan_bits(vyrec_type type, uint64_t bits)
{
	return isnan(float_value(type, bits));
}

/* A NaN that the word nan does not mean; only f32 and f64 have a bitcast to write it with. */
static bool is_odd_nan(vyrec_type type, uint64_t bits)
{
	return (type == VYREC_F32 && is_nan_bits(type, bits) && bits != 0x7fc00000) ||
	       (type == VYREC_F64 && is_nan_bits(type, bits) && bits != UINT64_C(0x7ff8) << 48);
}

static void put_float(struct printer *p, vyrec_type type, uint64_t bits)
{
	char text[40];
	double value = float_value(type, bits);
	if (is_odd_nan(type, bits)) {
		print_format(p, "bitcast_%s(0x%llx)", vyrec_type_name(type), (unsigned long long)bits);
		return;
	}
	if (isnan(value) || isinf(value)) {
		print_text(p, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (read_back(type, text) == bits)
			break;
	}
	char *e = strchr(text, 'e');
	if (e && e[1] == '+' && atoi(e + 2) < MAX_PLAIN_EXPONENT) {
		snprintf(text, sizeof text, "%.0f", value);
	} else if (e) { /* 1e+05 is 1e5 */
		char *digits = e + 2 + strspn(e + 2, "0");
		memmove(e + 1 + (e[1] == '-'), digits, strlen(digits) + 1);
	}
	print_text(p, text);
	if (!strpbrk(text, ".e"))
		print_text(p, ".0");
}

static void put_integer(struct printer *p, uint64_t value, unsigned radix)
{
	unsigned bit = 63;
	if (radix != 2) {
		print_format(p, radix == 16 ? "0x%llx" : "%llu", (unsigned long long)value);
		return;
	}
	while (bit && !(value >> bit))
		bit--;
	print_text(p, "0b");
	for (bit++; bit--;)
		print_text(p, value >> bit & 1 ? "1" : "0");
}

void print_literal(struct printer *p, vyrec_type type, uint64_t bits, unsigned radix)
{
	if (type == VYREC_BOOL) {
		print_text(p, bits ? "true" : "false");
	} else if (vyrec_type_is_float(type)) {
		put_float(p, type, bits);
	} else if (vyrec_type_is_sint(type)) {
		int64_t value = type == VYREC_I32 ? (int32_t)bits : (int64_t)bits;
		print_text(p, value < 0 ? "-" : "");
		put_integer(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, radix);
	} else {
		put_integer(p, bits, radix);
	}
}

static bool is_bare_literal(const struct vyrec_expr_node *node)
{
	return node->kind == VYREC_EXPR_LIT && node->type != VYREC_BOOL && !is_odd_nan(node->type, node->imm);
}

/* Operands whose type is the result's. */
static bool shares_result(const struct vyrec_op_info *info, unsigned i)
{
	unsigned leader = info->result == VYREC_RULE_ARG1 ? 1 : 0;
	return i == leader || info->args[i] == (leader ? VYREC_RULE_ARG1 : VYREC_RULE_SAME);
}

bool print_is_bare(const struct vyrec_module *m, vyrec_expr expr)
{
	const struct vyrec_expr_node *node = node_of(m, expr);
	if (is_bare_literal(node))
		return true;
	if (node->kind != VYREC_EXPR_OP)
		return false;
	const struct vyrec_op_info *info = vyrec_op_get_info(node->code);
	if (info->result != VYREC_RULE_SAME && info->result != VYREC_RULE_ARG1)
		return false;
	if (info->args[0] > VYREC_RULE_TYPE || info->args[0] == VYREC_RULE_BOOL) {
		if (info->result == VYREC_RULE_SAME)
			return false;
	}
	for (unsigned i = 0; i < info->arg_count; i++)
		if (shares_result(info, i) && !print_is_bare(m, node->arg[i]))
			return false;
	return true;
}

bool print_literal_needs_type(vyrec_type type, uint64_t bits)
{
	return type != VYREC_BOOL && type != VYREC_U32 && type != VYREC_F32 && !is_odd_nan(type, bits);
}

bool print_needs_type(const struct vyrec_module *m, vyrec_expr expr)
{
	unsigned type = node_of(m, expr)->type;
	return print_is_bare(m, expr) && type != VYREC_U32 && type != VYREC_F32;
}

static void put_bare_literal(struct printer *p, const struct vyrec_expr_node *node, print_context context)
{
	bool typed =
	    context == CONTEXT_CAST || (context == CONTEXT_NONE && node->type != VYREC_U32 && node->type != VYREC_F32);
	if (typed)
		print_format(p, "%s(", vyrec_type_name(node->type));
	print_literal(p, node->type, node->imm, p->source ? node->pad : 0);
	if (typed)
		print_text(p, ")");
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

enum { LEVEL_OR = 1, LEVEL_AND, LEVEL_COMPARE, LEVEL_PREFIX = 10, LEVEL_PRIMARY = 11 };

static unsigned infix_level(const char *text)
{
	static const struct {
		const char *text;
		unsigned level;
	} rows[] = {{"==", 3}, {"!=", 3}, {"<", 3},  {"<=", 3}, {">", 3}, {">=", 3}, {"|", 4}, {"^", 5},
		    {"&", 6},  {"<<", 7}, {">>", 7}, {"+", 8},	{"-", 8}, {"*", 9},  {"/", 9}, {"%", 9}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].text, text))
			return rows[i].level;
	return LEVEL_PRIMARY;
}

/* How tightly the text of an expression holds together. A negative literal starts with '-', a prefix. */
static unsigned level_of(const struct vyrec_module *m, vyrec_expr expr)
{
	const struct vyrec_expr_node *node = node_of(m, expr);
	switch (node->kind) {
	case VYREC_EXPR_ANDALSO:
		return LEVEL_AND;
	case VYREC_EXPR_ORELSE:
		return LEVEL_OR;
	case VYREC_EXPR_OP:
		switch (vyrec_op_get_info(node->code)->kind) {
		case VYREC_INFIX:
			return infix_level(vyrec_op_get_info(node->code)->text);
		case VYREC_PREFIX:
			return LEVEL_PREFIX;
		default:
			return LEVEL_PRIMARY;
		}
	default:
		return LEVEL_PRIMARY;
	}
}

static void put_operand(struct printer *p, vyrec_expr expr, print_context context, unsigned least)
{
	unsigned level = level_of(p->module, expr);
	bool kept = p->source && level < LEVEL_PREFIX && node_of(p->module, expr)->pad == 1;
	bool parens = level < least || kept;
	if (parens)
		print_text(p, "(");
	print_expr(p, expr, context);
	if (parens)
		print_text(p, ")");
}

/* What operand i of an operation finds around it: the type of the result or of a row, or that of an operand beside it. */
static print_context operand_context(const struct vyrec_module *m, const struct vyrec_expr_node *node,
				     const struct vyrec_op_info *info, unsigned i, print_context outer)
{
	if (info->args[i] > VYREC_RULE_TYPE || info->args[i] == VYREC_RULE_BOOL)
		return CONTEXT_KNOWN;
	unsigned leader = info->args[i] == VYREC_RULE_ARG1 ? 1 : info->args[i] == VYREC_RULE_SAME ? 0 : i;
	vyrec_rule joins = leader ? VYREC_RULE_ARG1 : VYREC_RULE_SAME;
	bool of_result =
	    (info->result == VYREC_RULE_SAME && leader == 0) || (info->result == VYREC_RULE_ARG1 && leader == 1);
	for (unsigned k = 0; k < info->arg_count; k++)
		if ((k == leader || info->args[k] == joins) && !print_is_bare(m, node->arg[k]))
			return CONTEXT_KNOWN;
	if (i != leader)
		return CONTEXT_KNOWN; /* the leader says it */
	return of_result ? outer : CONTEXT_NONE;
}

/* -5 is a literal; the negation of the literal 5 is -(5). */
static bool hides_sign(const struct printer *p, const struct vyrec_expr_node *node, print_context inner)
{
	const struct vyrec_expr_node *arg = node_of(p->module, node->arg[0]);
	if (strcmp(vyrec_op_get_info(node->code)->text, "-") != 0 || arg->kind != VYREC_EXPR_LIT)
		return false;
	bool typed =
	    inner == CONTEXT_CAST || (inner == CONTEXT_NONE && arg->type != VYREC_U32 && arg->type != VYREC_F32);
	return is_bare_literal(arg) && !typed;
}

static void put_op(struct printer *p, const struct vyrec_expr_node *node, print_context outer)
{
	const struct vyrec_op_info *info = vyrec_op_get_info(node->code);
	print_context inner[3] = {CONTEXT_NONE};
	for (unsigned i = 0; i < info->arg_count; i++)
		inner[i] = operand_context(p->module, node, info, i, outer);
	switch (info->kind) {
	case VYREC_INFIX: {
		unsigned level = infix_level(info->text);
		put_operand(p, node->arg[0], inner[0], level == LEVEL_COMPARE ? level + 1 : level);
		print_format(p, " %s ", info->text);
		put_operand(p, node->arg[1], inner[1], level + 1);
		break;
	}
	case VYREC_PREFIX:
		print_text(p, info->text);
		put_operand(p, node->arg[0], inner[0],
			    hides_sign(p, node, inner[0]) ? LEVEL_PRIMARY + 1 : LEVEL_PREFIX);
		break;
	case VYREC_CAST:
		print_format(p, "%s(", info->text);
		print_expr(p, node->arg[0], CONTEXT_CAST);
		print_text(p, ")");
		break;
	default:
		print_format(p, "%s(", info->text);
		for (unsigned i = 0; i < info->arg_count; i++) {
			bool odd = (node->code == VYREC_OP_bits_f32_u || node->code == VYREC_OP_bits_f64_u) &&
				   is_odd_nan(node->type, node_of(p->module, node->arg[i])->imm);
			print_text(p, i ? ", " : "");
			print_expr(p, node->arg[i], odd ? CONTEXT_CAST : inner[i]);
		}
		print_text(p, ")");
	}
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

void print_place(struct printer *p, vyrec_array array, vyrec_policy policy, vyrec_expr index)
{
	print_name(p, p->module->arrays[array].name);
	print_format(p, "[%s%s", vyrec_policy_name(policy), policy ? " " : "");
	print_expr(p, index, CONTEXT_KNOWN);
	print_text(p, "]");
}

static void put_atomic(struct printer *p, const struct vyrec_expr_node *node)
{
	const struct vyrec_node_info *info = vyrec_atomic_get_info(node->code);
	print_format(p, "%s(", info->text);
	print_place(p, node->sym, node->policy, node->arg[0]);
	for (unsigned i = 0; i < info->arg_count; i++) {
		print_text(p, ", ");
		print_expr(p, node->arg[i + 1], CONTEXT_KNOWN);
	}
	if (node->order != VYREC_ORDER_RELAXED || node->scope != VYREC_SCOPE_DEVICE)
		print_format(p, ", %s", vyrec_order_name(node->order));
	if (node->scope != VYREC_SCOPE_DEVICE)
		print_format(p, ", %s", vyrec_scope_name(node->scope));
	print_text(p, ")");
}

static void put_collective(struct printer *p, const struct vyrec_expr_node *node)
{
	const struct vyrec_node_info *info = vyrec_collective_get_info(node->code);
	print_format(p, "%s(", info->text);
	print_expr(p, node->arg[0], info->args[0] == VYREC_RULE_BOOL ? CONTEXT_KNOWN : CONTEXT_NONE);
	if (info->arg_count > 1) {
		print_text(p, ", ");
		print_expr(p, node->arg[1], CONTEXT_KNOWN);
	}
	print_text(p, ")");
}

static void put_call(struct printer *p, const struct vyrec_expr_node *node)
{
	print_name(p, p->module->fns[node->sym].name);
	print_text(p, "(");
	for (uint32_t i = 0; i < node->count; i++) {
		print_text(p, i ? ", " : "");
		print_expr(p, p->module->refs[node->list + i], CONTEXT_KNOWN);
	}
	print_text(p, ")");
}

static void put_logical(struct printer *p, const struct vyrec_expr_node *node)
{
	bool both = node->kind == VYREC_EXPR_ANDALSO;
	put_operand(p, node->arg[0], CONTEXT_KNOWN, both ? LEVEL_AND : LEVEL_OR);
	print_text(p, both ? " && " : " || ");
	put_operand(p, node->arg[1], CONTEXT_KNOWN, both ? LEVEL_AND + 1 : LEVEL_OR + 1);
}

void print_expr(struct printer *p, vyrec_expr expr, print_context context)
{
	const struct vyrec_module *m = p->module;
	const struct vyrec_expr_node *node = node_of(m, expr);
	switch (node->kind) {
	case VYREC_EXPR_LIT:
		if (is_bare_literal(node))
			put_bare_literal(p, node, context);
		else
			print_literal(p, node->type, node->imm, 0);
		break;
	case VYREC_EXPR_CONST:
		print_name(p, m->consts[node->sym].name);
		break;
	case VYREC_EXPR_LOCAL:
		print_name(p, m->locals[node->sym].name);
		break;
	case VYREC_EXPR_OP:
		put_op(p, node, context);
		break;
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		put_logical(p, node);
		break;
	case VYREC_EXPR_LOAD:
		print_place(p, node->sym, node->policy, node->arg[0]);
		break;
	case VYREC_EXPR_LENGTH:
		print_text(p, "length(");
		print_name(p, m->arrays[node->sym].name);
		print_text(p, ")");
		break;
	case VYREC_EXPR_ARG:
		print_text(p, "arg[");
		print_expr(p, node->arg[0], CONTEXT_KNOWN);
		print_text(p, "]");
		break;
	case VYREC_EXPR_BUILTIN:
		print_text(p, vyrec_builtin_get_info(node->code)->text);
		if (vyrec_builtin_get_info(node->code)->flags & VYREC_HAS_AXIS)
			print_format(p, "(%u)", (unsigned)node->imm);
		break;
	case VYREC_EXPR_COLLECTIVE:
		put_collective(p, node);
		break;
	case VYREC_EXPR_ATOMIC:
		put_atomic(p, node);
		break;
	case VYREC_EXPR_CALL:
		put_call(p, node);
		break;
	default:
		print_text(p, "?");
	}
}
