/* parse_type.c - types of expressions, found while they are read.
 *
 * A literal has no type of its own: a tree made of literals alone stays FLEX until it meets a type (the other operand, a
 * declaration, a parameter), and parser_coerce() then walks down and makes it so; parser_settle() gives u32 or f32 where nothing does.
 * So one reading suffices and no unification variables are needed. Invariant: after coerce or settle no node of the tree
 * is FLEX; coerce recurses no deeper than the tree, which new_expr keeps within VYREC_MAX_EXPR_DEPTH.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/parse.h"

bool parser_is_flex(unsigned type)
{
	return type == TYPE_FLEX_INT || type == TYPE_FLEX_FLOAT;
}

const char *parser_type_text(unsigned type)
{
	switch (type) {
	case TYPE_FLEX_INT:
		return "an integer literal";
	case TYPE_FLEX_FLOAT:
		return "a float literal";
	case VYREC_VOID:
		return "no value";
	default:
		return vyrec_type_name(type);
	}
}

static struct vyrec_expr_node *node_of(struct parser *p, vyrec_expr expr)
{
	return &p->module->exprs[expr];
}

vyrec_expr parser_poison(struct parser *p, vyrec_loc loc)
{
	return parser_new_expr(p, (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = TYPE_POISON, .loc = loc});
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */

vyrec_expr parser_make_int(struct parser *p, const struct token *token, bool negative)
{
	struct vyrec_expr_node node = {.kind = VYREC_EXPR_LIT,
				       .type = TYPE_FLEX_INT,
				       .loc = p->prelude ? 0 : token->loc,
				       .pad = token->radix == 10 ? 0 : token->radix,
				       .imm = token->value};
	vyrec_expr expr = parser_new_expr(p, node);
	p->notes[expr].negative = negative;
	return expr;
}

vyrec_expr parser_make_float(struct parser *p, const struct token *token, bool negative, bool special)
{
	struct vyrec_expr_node node = {
	    .kind = VYREC_EXPR_LIT, .type = TYPE_FLEX_FLOAT, .loc = p->prelude ? 0 : token->loc};
	vyrec_expr expr = parser_new_expr(p, node);
	p->notes[expr].negative = negative;
	p->notes[expr].special = special;
	p->notes[expr].start = token->start;
	p->notes[expr].bytes = token->bytes;
	return expr;
}

static uint64_t bits_of_double(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static uint64_t bits_of_float(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

/* Bits of +inf or the quiet NaN. */
static uint64_t special_bits(vyrec_type type, bool nan)
{
	switch (type) {
	case VYREC_F32:
		return nan ? 0x7fc00000 : 0x7f800000;
	case VYREC_F64:
		return nan ? UINT64_C(0x7ff8000000000000) : UINT64_C(0x7ff0000000000000);
	default:
		return nan ? 0x7e00 : 0x7c00;
	}
}

/* Bits of the decimal digits: each type is read from the text, so that nothing is rounded twice. */
static uint64_t digit_bits(vyrec_type type, const char *text, uint32_t bytes)
{
	char digits[260];
	uint32_t n = 0;
	for (uint32_t i = 0; i < bytes && n + 1 < sizeof digits; i++)
		if (text[i] != '_')
			digits[n++] = text[i];
	digits[n] = 0;
	if (type == VYREC_F32)
		return bits_of_float(strtof(digits, NULL));
	uint64_t bits = bits_of_double(strtod(digits, NULL));
	return type == VYREC_F64 ? bits : vyrec_eval(VYREC_OP_to_f16_f, VYREC_F64, bits, 0, 0);
}

static bool set_float_literal(struct parser *p, vyrec_expr expr, vyrec_type type)
{
	struct vyrec_expr_node *node = node_of(p, expr);
	const struct expr_note *note = &p->notes[expr];
	uint64_t infinity = special_bits(type, false), sign = UINT64_C(1) << (vyrec_type_bits(type) - 1), bits;
	const char *text = p->lexer.text + note->start;
	if (node->type == TYPE_FLEX_FLOAT && note->special) {
		bits = special_bits(type, text[0] == 'n');
	} else {
		bits = node->type == TYPE_FLEX_FLOAT ? digit_bits(type, text, note->bytes)
		       : type == VYREC_F32	     ? bits_of_float((float)node->imm)
		       : type == VYREC_F64	     ? bits_of_double((double)node->imm)
						     : vyrec_eval(VYREC_OP_to_f16_u, VYREC_U64, node->imm, 0, 0);
		if (bits == infinity) {
			parser_error(p, node->loc, "literal is too large for %s; write inf, or a wider type",
				     vyrec_type_name(type));
			return false;
		}
	}
	node->imm = note->negative ? bits | sign : bits;
	node->pad = 0;
	return true;
}

static bool set_int_literal(struct parser *p, vyrec_expr expr, vyrec_type type)
{
	struct vyrec_expr_node *node = node_of(p, expr);
	bool negative = p->notes[expr].negative, sint = vyrec_type_is_sint(type);
	unsigned bits = vyrec_type_bits(type);
	uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	uint64_t greatest = sint ? negative ? (mask >> 1) + 1 : mask >> 1 : mask;
	if (negative && !sint && node->imm) {
		parser_error(p, node->loc,
			     "-%llu needs a signed or float type, and here it is %s; write %s(-%llu)) for its bits",
			     (unsigned long long)node->imm, vyrec_type_name(type), bits == 64 ? "u64(i64" : "u32(i32",
			     (unsigned long long)node->imm);
		return false;
	}
	if (node->imm > greatest) {
		parser_error(p, node->loc,
			     "%s%llu does not fit %s, which ends at %s%llu; make it smaller or take a wider type",
			     negative ? "-" : "", (unsigned long long)node->imm, vyrec_type_name(type),
			     negative ? "-" : "", (unsigned long long)greatest);
		return false;
	}
	node->imm = (negative ? 0 - node->imm : node->imm) & mask;
	return true;
}

/* ---- coercion ---------------------------------------------------------------------------------------------------- */

static vyrec_expr mismatch(struct parser *p, vyrec_expr expr, vyrec_type type, const char *what)
{
	unsigned has = node_of(p, expr)->type;
	vyrec_loc loc = node_of(p, expr)->loc;
	if (has == VYREC_VOID)
		parser_error(p, loc, "%s has no value and %s is needed; call it as a statement of its own", what,
			     vyrec_type_name(type));
	else if (type == VYREC_BOOL)
		parser_error(p, loc, "%s is %s, not bool; compare it, for example with != 0", what,
			     parser_type_text(has));
	else if (parser_is_flex(has))
		parser_error(p, loc, "%s is %s, not %s; write %s(...) of it", what, parser_type_text(has),
			     vyrec_type_name(type), vyrec_type_name(type));
	else
		parser_error(p, loc, "%s is %s, not %s; convert it: %s(...)", what, parser_type_text(has),
			     vyrec_type_name(type), vyrec_type_name(type));
	return parser_poison(p, loc);
}

/* Is operand i one of those that share the type of the result? */
static bool shares_result(const struct vyrec_op_info *info, unsigned i)
{
	unsigned leader = info->result == VYREC_RULE_ARG1 ? 1 : 0;
	return i == leader || info->args[i] == (leader ? VYREC_RULE_ARG1 : VYREC_RULE_SAME);
}

static vyrec_expr no_row(struct parser *p, const char *text, vyrec_loc loc, vyrec_type type)
{
	parser_error(p, loc, "'%s' has no form for %s; convert the operands to a type that it takes", text,
		     parser_type_text(type));
	return parser_poison(p, loc);
}

static vyrec_expr coerce_op(struct parser *p, vyrec_expr expr, vyrec_type type, const char *what)
{
	struct vyrec_expr_node node = *node_of(p, expr);
	const struct vyrec_op_info *info = vyrec_op_get_info(node.code);
	vyrec_type types[3] = {0};
	for (unsigned i = 0; i < info->arg_count; i++) {
		if (shares_result(info, i))
			node.arg[i] = parser_coerce(p, node.arg[i], type, what);
		types[i] = node_of(p, node.arg[i])->type;
		if ((unsigned)types[i] == TYPE_POISON)
			return parser_poison(p, node.loc);
	}
	vyrec_op op = vyrec_op_find(info->text, info->kind, types, info->arg_count);
	if (!op)
		return no_row(p, info->text, node.loc, type);
	node.code = op;
	node.type = type;
	*node_of(p, expr) = node;
	return expr;
}

vyrec_expr parser_coerce(struct parser *p, vyrec_expr expr, vyrec_type type, const char *what)
{
	unsigned has = node_of(p, expr)->type;
	if (has == type || has == TYPE_POISON)
		return expr;
	if ((unsigned)type == TYPE_POISON)
		return parser_poison(p, node_of(p, expr)->loc);
	if (!parser_is_flex(has) ||
	    (has == TYPE_FLEX_FLOAT ? !vyrec_type_is_float(type) : !vyrec_rule_admits(VYREC_RULE_NUM, type)))
		return mismatch(p, expr, type, what);
	if (node_of(p, expr)->kind == VYREC_EXPR_OP)
		return coerce_op(p, expr, type, what);
	if (vyrec_type_is_float(type) ? !set_float_literal(p, expr, type) : !set_int_literal(p, expr, type))
		return parser_poison(p, node_of(p, expr)->loc);
	node_of(p, expr)->type = (uint8_t)type;
	return expr;
}

vyrec_expr parser_settle(struct parser *p, vyrec_expr expr)
{
	unsigned has = node_of(p, expr)->type;
	return parser_is_flex(has) ? parser_coerce(p, expr, has == TYPE_FLEX_INT ? VYREC_U32 : VYREC_F32, "the value")
				   : expr;
}

unsigned parser_unify(struct parser *p, vyrec_expr *args, unsigned count, const char *what, vyrec_loc loc)
{
	unsigned type = TYPE_FLEX_INT;
	for (unsigned i = 0; i < count; i++) {
		unsigned has = node_of(p, args[i])->type;
		if (has == TYPE_POISON)
			return TYPE_POISON;
		if (parser_is_flex(type) && (has != TYPE_FLEX_INT))
			type = has == TYPE_FLEX_FLOAT ? (unsigned)TYPE_FLEX_FLOAT : has;
	}
	if (parser_is_flex(type))
		return type;
	for (unsigned i = 0; i < count; i++) {
		unsigned has = node_of(p, args[i])->type;
		if (!parser_is_flex(has) && has != type) {
			if (has == VYREC_VOID || type == VYREC_VOID)
				parser_error(p, loc, "%s takes a value, and one operand has none; give each a value",
					     what);
			else if (type == VYREC_BOOL || has == VYREC_BOOL)
				parser_error(p, loc, "%s of %s and %s; compare the number or convert the bool: %s(...)",
					     what, parser_type_text(type), parser_type_text(has),
					     parser_type_text(type == VYREC_BOOL ? has : type));
			else
				parser_error(p, loc, "%s of %s and %s; convert one: %s(...)", what,
					     parser_type_text(type), parser_type_text(has), parser_type_text(type));
			return TYPE_POISON;
		}
		args[i] = parser_coerce(p, args[i], type, what);
		if (node_of(p, args[i])->type == TYPE_POISON)
			return TYPE_POISON;
	}
	return type;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static vyrec_op first_row(const char *text, vyrec_op_kind kind, unsigned count, unsigned *has_count)
{
	for (unsigned op = 1; op < VYREC_OP_COUNT; op++) {
		const struct vyrec_op_info *info = vyrec_op_get_info(op);
		if (info->kind != kind || strcmp(info->text, text) != 0)
			continue;
		*has_count = info->arg_count;
		if (info->arg_count == count)
			return op;
	}
	return VYREC_OP_NONE;
}

/* Does some row with this text take integers as operand `leader`? */
static bool takes_ints(const struct vyrec_op_info *first, unsigned leader)
{
	for (unsigned op = 1; op < VYREC_OP_COUNT; op++) {
		const struct vyrec_op_info *info = vyrec_op_get_info(op);
		if (info->kind == first->kind && !strcmp(info->text, first->text) &&
		    (vyrec_rule_admits(info->args[leader], VYREC_U32) ||
		     vyrec_rule_admits(info->args[leader], VYREC_I32)))
			return true;
	}
	return false;
}

/* Makes the operands that share the type of operand `leader` one type, and returns it. */
static unsigned unify_group(struct parser *p, const struct vyrec_op_info *info, unsigned leader, vyrec_expr *args,
			    vyrec_loc loc, bool is_result)
{
	vyrec_expr group[3];
	unsigned at_arg[3], n = 0;
	char what[64];
	snprintf(what, sizeof what, "'%s'", info->text);
	for (unsigned i = 0; i < info->arg_count; i++)
		if (i == leader || info->args[i] == (leader ? VYREC_RULE_ARG1 : VYREC_RULE_SAME)) {
			at_arg[n] = i;
			group[n++] = args[i];
		}
	unsigned type = parser_unify(p, group, n, what, loc);
	if (type == TYPE_FLEX_INT && !takes_ints(info, leader))
		type = TYPE_FLEX_FLOAT;
	if (parser_is_flex(type) && !is_result) {
		type = type == TYPE_FLEX_INT ? VYREC_U32 : VYREC_F32;
		for (unsigned i = 0; i < n; i++) {
			group[i] = parser_coerce(p, group[i], type, what);
			if (node_of(p, group[i])->type == TYPE_POISON)
				type = TYPE_POISON;
		}
	}
	for (unsigned i = 0; i < n; i++)
		args[at_arg[i]] = group[i];
	return type;
}

vyrec_expr parser_make_op(struct parser *p, const char *text, vyrec_op_kind kind, vyrec_loc loc, vyrec_expr *args,
			  unsigned count)
{
	unsigned wants = 0;
	vyrec_op first = first_row(text, kind, count, &wants), op = first;
	if (!first) {
		parser_error(p, loc, "%s takes %u operand%s, not %u; give it as many", text, wants,
			     wants == 1 ? "" : "s", count);
		return parser_poison(p, loc);
	}
	const struct vyrec_op_info *info = vyrec_op_get_info(first);
	vyrec_type types[3] = {0};
	unsigned result = TYPE_POISON;
	for (unsigned i = 0; i < count; i++) {
		vyrec_rule rule = info->args[i];
		bool leads = rule != VYREC_RULE_SAME && rule != VYREC_RULE_ARG1;
		unsigned type = types[i];
		if (rule > VYREC_RULE_TYPE) {
			args[i] = parser_coerce(p, args[i], rule - VYREC_RULE_TYPE, text);
			type = node_of(p, args[i])->type;
		} else if (leads) {
			bool is_result =
			    (info->result == VYREC_RULE_SAME && i == 0) || (info->result == VYREC_RULE_ARG1 && i == 1);
			type = unify_group(p, info, i, args, loc, is_result);
			if (is_result)
				result = type;
		} else {
			type = types[rule == VYREC_RULE_SAME ? 0 : 1];
		}
		if (type == TYPE_POISON)
			return parser_poison(p, loc);
		types[i] = type;
	}
	struct vyrec_expr_node node = {.kind = VYREC_EXPR_OP, .loc = loc};
	if (!parser_is_flex(result)) {
		op = vyrec_op_find(text, kind, types, count);
		for (unsigned i = 0; !op && i < count; i++)
			if (i + 1 == count || vyrec_rule_admits(info->args[i], types[i]) == 0)
				return no_row(p, text, loc, types[i]);
		result = vyrec_op_result(op, types);
	}
	node.code = op;
	node.type = (uint8_t)result;
	memcpy(node.arg, args, count * sizeof *args);
	return parser_new_expr(p, node);
}

vyrec_expr parser_make_cast(struct parser *p, vyrec_type type, vyrec_loc loc, vyrec_expr arg)
{
	unsigned has = node_of(p, arg)->type;
	if (parser_is_flex(has) && type != VYREC_BOOL && (has == TYPE_FLEX_INT || vyrec_type_is_float(type)))
		return parser_coerce(p, arg, type, "the literal");
	arg = parser_settle(p, arg);
	vyrec_type from = node_of(p, arg)->type;
	if ((unsigned)from == TYPE_POISON)
		return parser_poison(p, loc);
	vyrec_op op = from == VYREC_VOID ? VYREC_OP_NONE : vyrec_op_find(vyrec_type_name(type), VYREC_CAST, &from, 1);
	if (!op) {
		parser_error(p, loc, "%s(...) of %s; %s", vyrec_type_name(type), parser_type_text(from),
			     type == VYREC_BOOL ? "compare it, for example with != 0.0"
						: "there is no such conversion");
		return parser_poison(p, loc);
	}
	return parser_new_expr(p,
			       (struct vyrec_expr_node){
				   .kind = VYREC_EXPR_OP, .type = (uint8_t)type, .code = op, .loc = loc, .arg = {arg}});
}
