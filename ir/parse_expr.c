/* parse_expr.c - expressions, by precedence climbing.
 *
 * Every function returns an expression, a POISON one after an error, so callers need no checks. Depth is counted twice:
 * open calls of this reader (expr_depth), which keeps the stack small, and the height of the tree (new_expr), which
 * keeps every later walk small: a sum of a million terms is a tree a million high.
 */
#include <string.h>

#include "ir/parse.h"

static vyrec_expr parse_binary(struct parser *p, unsigned least);

/* How tightly an infix operator binds; 0 = none. Comparisons are level 3 and do not chain. */
static unsigned precedence(token_kind kind)
{
	static const uint8_t levels[TOKEN_KIND_COUNT] = {
	    [TOKEN_OROR] = 1, [TOKEN_ANDAND] = 2, [TOKEN_EQ] = 3,      [TOKEN_NE] = 3,	 [TOKEN_LT] = 3,
	    [TOKEN_LE] = 3,   [TOKEN_GT] = 3,	  [TOKEN_GE] = 3,      [TOKEN_OR] = 4,	 [TOKEN_XOR] = 5,
	    [TOKEN_AND] = 6,  [TOKEN_SHL] = 7,	  [TOKEN_SHR] = 7,     [TOKEN_PLUS] = 8, [TOKEN_MINUS] = 8,
	    [TOKEN_STAR] = 9, [TOKEN_SLASH] = 9,  [TOKEN_PERCENT] = 9,
	};
	return levels[kind];
}
enum { COMPARISON = 3 };

static void token_copy(const struct parser *p, const struct token *token, char *out)
{
	size_t n = token->bytes < VYREC_MAX_NAME_BYTES ? token->bytes : VYREC_MAX_NAME_BYTES;
	memcpy(out, p->lexer.text + token->start, n);
	out[n] = 0;
}

static vyrec_type type_of(const struct parser *p, vyrec_expr expr)
{
	return p->module->exprs[expr].type;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static struct token peek(const struct parser *p)
{
	struct lexer copy = p->lexer;
	copy.diags = NULL;
	copy.module = NULL;
	return lexer_next(&copy);
}

static vyrec_policy parse_policy(struct parser *p)
{
	for (unsigned i = 1; i < VYREC_POLICY_COUNT; i++)
		if (parser_at_word(p, vyrec_policy_name(i))) { /* by text: trap is a statement too */
			parser_advance(p);
			return i;
		}
	if (parser_at(p, TOKEN_NAME)) {
		struct token next = peek(p);
		if (next.kind == TOKEN_NAME || next.kind == TOKEN_INT) {
			parser_error(p, parser_here(p),
				     "'%.*s' is no bounds policy; write checked, clamp, trap or unchecked",
				     (int)p->token.bytes, p->lexer.text + p->token.start);
			parser_advance(p);
		}
	}
	return VYREC_POLICY_DEFAULT;
}

/* The array that the next name means; 0 after an error. */
static vyrec_array parse_array_name(struct parser *p)
{
	char text[VYREC_MAX_NAME_BYTES + 1];
	vyrec_loc loc = parser_here(p);
	if (!parser_at(p, TOKEN_NAME)) {
		parser_syntax_error(p, loc, "%s where an array is expected; name a buffer, a shared or a local array",
				    lexer_kind_text(p->token.kind));
		return 0;
	}
	token_copy(p, &p->token, text);
	struct symbol s = *parser_find_symbol(p, parser_take_name(p));
	if (s.kind == SYMBOL_ARRAY)
		return s.index;
	if (s.kind != SYMBOL_NONE)
		parser_error(p, loc, "'%s' is not an array; name a buffer, a shared or a local array", text);
	else
		parser_unknown_name(p, loc, text, "array", NEAR_ARRAY);
	return 0;
}

bool parser_place(struct parser *p, struct place *place)
{
	*place = (struct place){.loc = parser_here(p)};
	place->array = parse_array_name(p);
	if (p->panic || !parser_open_group(p, TOKEN_LBRACKET, "after the array of a place"))
		return false;
	place->policy = parse_policy(p);
	place->index = parser_coerce(p, parser_expr(p), VYREC_U32, "the index");
	return parser_close_group(p, TOKEN_RBRACKET, "after the index");
}

static vyrec_type element_value(const struct parser *p, vyrec_array array)
{
	return array ? vyrec_type_of_element(p->module->arrays[array].element) : (vyrec_type)TYPE_POISON;
}

static vyrec_expr parse_load(struct parser *p)
{
	struct place place;
	if (!parser_place(p, &place) || !place.array)
		return parser_poison(p, place.loc);
	return parser_new_expr(p, (struct vyrec_expr_node){.kind = VYREC_EXPR_LOAD,
							   .type = (uint8_t)element_value(p, place.array),
							   .policy = (uint8_t)place.policy,
							   .loc = place.loc,
							   .sym = place.array,
							   .arg = {place.index}});
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

bool parser_order(struct parser *p, uint8_t *order)
{
	for (unsigned i = 0; i < VYREC_ORDER_COUNT; i++)
		if (parser_at_word(p, vyrec_order_name(i))) {
			*order = (uint8_t)i;
			parser_advance(p);
			return true;
		}
	parser_syntax_error(p, parser_here(p),
			    "no memory order here; write relaxed, acquire, release, acqrel or seqcst");
	return false;
}

bool parser_scope(struct parser *p, uint8_t *scope)
{
	for (unsigned i = 0; i < VYREC_SCOPE_COUNT; i++)
		if (parser_at_word(p, vyrec_scope_name(i))) {
			*scope = (uint8_t)i;
			parser_advance(p);
			return true;
		}
	parser_syntax_error(p, parser_here(p), "no memory scope here; write workgroup, device or system");
	return false;
}

/* Operands of a call up to ')'; those past `most` are read and dropped. Returns how many there were. */
static unsigned parse_operands(struct parser *p, vyrec_expr *args, unsigned most)
{
	unsigned n = 0;
	if (!parser_at(p, TOKEN_RPAREN))
		do {
			vyrec_expr arg = parser_expr(p);
			if (n < most)
				args[n] = arg;
			n++;
		} while (!p->panic && parser_accept(p, TOKEN_COMMA));
	parser_close_group(p, TOKEN_RPAREN, "after the operands");
	return n;
}

static vyrec_expr call_op(struct parser *p, vyrec_op op, vyrec_loc loc)
{
	vyrec_expr args[3] = {0};
	unsigned n = parse_operands(p, args, 3);
	if (p->panic)
		return parser_poison(p, loc);
	const struct vyrec_expr_node *arg = &p->module->exprs[args[0]];
	/* bitcast_f32(0x7fc00001) is how a NaN with a payload is written: a literal */
	if (op == VYREC_OP_bits_f32_u && n == 1 && arg->kind == VYREC_EXPR_LIT && arg->type == TYPE_FLEX_INT &&
	    (arg->imm & 0x7f800000) == 0x7f800000 && (arg->imm & 0x7fffff) && !(arg->imm >> 32) &&
	    arg->imm != 0x7fc00000) {
		p->module->exprs[args[0]].type = VYREC_F32;
		return args[0];
	}
	if (op == VYREC_OP_bits_f64_u && n == 1 && arg->kind == VYREC_EXPR_LIT && arg->type == TYPE_FLEX_INT &&
	    (arg->imm >> 52 & 0x7ff) == 0x7ff && arg->imm << 12 && arg->imm != UINT64_C(0x7ff8) << 48) {
		p->module->exprs[args[0]].type = VYREC_F64;
		return args[0];
	}
	return parser_make_op(p, vyrec_op_get_info(op)->text, VYREC_CALL, loc, args, n);
}

static vyrec_expr call_collective(struct parser *p, vyrec_collective collective, vyrec_loc loc)
{
	const struct vyrec_node_info *info = vyrec_collective_get_info(collective);
	vyrec_expr args[3] = {0};
	unsigned n = parse_operands(p, args, 2);
	if (p->panic)
		return parser_poison(p, loc);
	if (n != info->arg_count) {
		parser_error(p, loc, "%s takes %u operand%s, not %u; give it as many", info->text, info->arg_count,
			     info->arg_count == 1 ? "" : "s", n);
		return parser_poison(p, loc);
	}
	args[0] = parser_settle(p, args[0]);
	vyrec_type type = type_of(p, args[0]);
	if ((unsigned)type == TYPE_POISON)
		return parser_poison(p, loc);
	if (!vyrec_rule_admits(info->args[0], type)) {
		parser_error(p, loc, "%s does not take %s; convert the operand", info->text, parser_type_text(type));
		return parser_poison(p, loc);
	}
	if (n == 2)
		args[1] = parser_coerce(p, args[1], VYREC_U32, "the lane");
	vyrec_type result = info->type == VYREC_RULE_SAME   ? type
			    : info->type == VYREC_RULE_BOOL ? VYREC_BOOL
							    : (vyrec_type)(info->type - VYREC_RULE_TYPE);
	return parser_new_expr(p, (struct vyrec_expr_node){.kind = VYREC_EXPR_COLLECTIVE,
							   .type = (uint8_t)result,
							   .code = collective,
							   .loc = loc,
							   .arg = {args[0], args[1]}});
}

static vyrec_expr call_atomic(struct parser *p, vyrec_atomic atomic, vyrec_loc loc)
{
	const struct vyrec_node_info *info = vyrec_atomic_get_info(atomic);
	struct vyrec_expr_node node = {.kind = VYREC_EXPR_ATOMIC,
				       .code = atomic,
				       .loc = loc,
				       .order = VYREC_ORDER_RELAXED,
				       .scope = VYREC_SCOPE_DEVICE};
	struct place place;
	if (!parser_place(p, &place))
		return parser_poison(p, loc);
	vyrec_type type = element_value(p, place.array);
	node.sym = place.array;
	node.arg[0] = place.index;
	node.policy = (uint8_t)place.policy;
	for (unsigned i = 0; i < info->arg_count; i++) {
		if (!parser_expect(p, TOKEN_COMMA, "before a value of the atomic"))
			return parser_poison(p, loc);
		node.arg[i + 1] = parser_coerce(p, parser_expr(p), type, "the value of the atomic");
	}
	if (parser_accept(p, TOKEN_COMMA) && parser_order(p, &node.order) && parser_accept(p, TOKEN_COMMA))
		parser_scope(p, &node.scope);
	if (!parser_close_group(p, TOKEN_RPAREN, "after the operands of the atomic") || !place.array)
		return parser_poison(p, loc);
	node.type = (uint8_t)(info->type == VYREC_VOID ? VYREC_VOID : type);
	return parser_new_expr(p, node);
}

static vyrec_expr call_builtin(struct parser *p, vyrec_builtin builtin, vyrec_loc loc)
{
	const struct vyrec_node_info *info = vyrec_builtin_get_info(builtin);
	uint64_t axis = 0;
	parser_expect_int(p, 2, "the axis", &axis);
	parser_close_group(p, TOKEN_RPAREN, "after the axis");
	return parser_new_expr(
	    p, (struct vyrec_expr_node){
		   .kind = VYREC_EXPR_BUILTIN, .type = info->type, .code = builtin, .loc = loc, .imm = axis});
}

static vyrec_expr call_length(struct parser *p, vyrec_loc loc)
{
	vyrec_array array = parse_array_name(p);
	parser_close_group(p, TOKEN_RPAREN, "after the array");
	if (!array)
		return parser_poison(p, loc);
	return parser_new_expr(
	    p, (struct vyrec_expr_node){.kind = VYREC_EXPR_LENGTH, .type = VYREC_U32, .loc = loc, .sym = array});
}

static vyrec_expr call_fn(struct parser *p, vyrec_fn fn, vyrec_loc loc)
{
	vyrec_expr args[VYREC_MAX_PARAMS] = {0};
	unsigned n = parse_operands(p, args, VYREC_MAX_PARAMS);
	struct vyrec_fn_node callee = p->module->fns[fn];
	if (p->panic)
		return parser_poison(p, loc);
	if (n != callee.param_count) {
		parser_error(p, loc, "%s takes %u argument%s, not %u; give it as many",
			     vyrec_name_text(p->module, callee.name), callee.param_count,
			     callee.param_count == 1 ? "" : "s", n);
		return parser_poison(p, loc);
	}
	for (unsigned i = 0; i < n; i++) {
		char what[VYREC_MAX_NAME_BYTES + 16];
		struct vyrec_local_node param = p->module->locals[p->module->refs[callee.params + i]];
		snprintf(what, sizeof what, "argument '%s'", vyrec_name_text(p->module, param.name));
		args[i] = parser_coerce(p, args[i], param.type, what);
	}
	return parser_new_expr(p, (struct vyrec_expr_node){.kind = VYREC_EXPR_CALL,
							   .type = callee.result,
							   .loc = loc,
							   .sym = fn,
							   .list = vyrec_add_refs(p->module, args, n),
							   .count = n});
}

/* NAME ( ... with the next token after the '('. */
static vyrec_expr parse_call(struct parser *p, const struct token *callee, vyrec_loc loc)
{
	char text[VYREC_MAX_NAME_BYTES + 1];
	token_copy(p, callee, text);
	vyrec_name name = vyrec_intern(p->module, text, callee->bytes);
	struct word word = parser_find_word(text, callee->bytes);
	switch (word.kind) {
	case WORD_OP:
		return call_op(p, word.code, loc);
	case WORD_COLLECTIVE:
		return call_collective(p, word.code, loc);
	case WORD_ATOMIC:
		return call_atomic(p, word.code, loc);
	case WORD_CALL:
		return call_length(p, loc);
	case WORD_BUILTIN:
		if (vyrec_builtin_get_info(word.code)->flags & VYREC_HAS_AXIS)
			return call_builtin(p, word.code, loc);
		break;
	default:
		break;
	}
	struct symbol s = p->prelude ? (struct symbol){0} : *parser_find_symbol(p, name);
	vyrec_fn fn = s.kind == SYMBOL_FN ? s.index : 0;
	if (fn || parser_prelude_fn(p, name, &fn))
		return call_fn(p, fn, loc);
	if (s.kind != SYMBOL_NONE || word.kind == WORD_BUILTIN)
		parser_error(p, loc, "'%s' cannot be called; only fns, operations and collectives are called", text);
	else if (word.kind == WORD_STMT)
		parser_error(p, loc, "'%s' is a statement and gives no value; put it on a line of its own", text);
	else
		parser_unknown_name(p, loc, text, "fn or operation", NEAR_CALL);
	vyrec_expr unused[1];
	parse_operands(p, unused, 0);
	return parser_poison(p, loc);
}

/* ---- primaries --------------------------------------------------------------------------------------------------- */

static vyrec_expr parse_cast(struct parser *p, vyrec_type type, vyrec_loc loc)
{
	parser_advance(p);
	if (!parser_open_group(p, TOKEN_LPAREN, "after a type in an expression"))
		return parser_poison(p, loc);
	vyrec_expr arg = parser_expr(p);
	if (!parser_close_group(p, TOKEN_RPAREN, "after the operand of the conversion"))
		return parser_poison(p, loc);
	if (vyrec_type_is_value(type))
		return parser_make_cast(p, type, loc, arg);
	parser_error(p, loc, "%s is a type of buffer elements only; convert to %s and mask or store it",
		     vyrec_type_name(type), vyrec_type_name(vyrec_type_of_element(type)));
	return parser_poison(p, loc);
}

static vyrec_expr parse_arg(struct parser *p, vyrec_loc loc)
{
	parser_advance(p);
	if (!parser_open_group(p, TOKEN_LBRACKET, "after arg"))
		return parser_poison(p, loc);
	vyrec_expr index = parser_coerce(p, parser_expr(p), VYREC_U32, "the index");
	parser_close_group(p, TOKEN_RBRACKET, "after the index");
	return parser_new_expr(
	    p, (struct vyrec_expr_node){.kind = VYREC_EXPR_ARG, .type = VYREC_U32, .loc = loc, .arg = {index}});
}

static vyrec_expr parse_variable(struct parser *p, vyrec_loc loc)
{
	char text[VYREC_MAX_NAME_BYTES + 1];
	token_copy(p, &p->token, text);
	struct symbol s = *parser_find_symbol(p, parser_take_name(p));
	struct vyrec_module *m = p->module;
	if (s.kind == SYMBOL_LOCAL && m->locals[s.index].kind != VYREC_LOCAL_LABEL)
		return parser_new_expr(
		    p, (struct vyrec_expr_node){
			   .kind = VYREC_EXPR_LOCAL, .type = m->locals[s.index].type, .loc = loc, .sym = s.index});
	if (s.kind == SYMBOL_CONST) {
		parser_eval_const(p, s.index);
		return parser_new_expr(
		    p, (struct vyrec_expr_node){
			   .kind = VYREC_EXPR_CONST, .type = m->consts[s.index].type, .loc = loc, .sym = s.index});
	}
	if (s.kind == SYMBOL_ARRAY)
		parser_error(p, loc, "'%s' is an array; take one element: %s[...]", text, text);
	else if (s.kind == SYMBOL_FN)
		parser_error(p, loc, "'%s' is a fn; call it: %s(...)", text, text);
	else if (s.kind == SYMBOL_LOCAL)
		parser_error(p, loc, "'%s' is a label; only break names it", text);
	else
		parser_unknown_name(p, loc, text, "value", NEAR_VALUE);
	return parser_poison(p, loc);
}

static vyrec_expr parse_keyword(struct parser *p, vyrec_loc loc)
{
	struct token token = p->token;
	if (parser_at_word(p, "arg"))
		return parse_arg(p, loc);
	if (parser_at_word(p, "true") || parser_at_word(p, "false")) {
		bool value = parser_at_word(p, "true");
		parser_advance(p);
		return parser_new_expr(
		    p, (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = VYREC_BOOL, .loc = loc, .imm = value});
	}
	if (parser_at_word(p, "inf") || parser_at_word(p, "nan")) {
		parser_advance(p);
		return parser_make_float(p, &token, false, true);
	}
	parser_syntax_error(p, loc, "'%.*s' where a value is expected; write an expression", (int)token.bytes,
			    p->lexer.text + token.start);
	return parser_poison(p, loc);
}

/* Is the token `kind`, and on the same line (or in a group, where lines do not count)? */
static bool follows(const struct parser *p, token_kind kind)
{
	return parser_at(p, kind) && (p->groups || !p->token.newline);
}

static vyrec_expr parse_name(struct parser *p, vyrec_loc loc)
{
	struct word word = parser_word(p);
	struct token next = peek(p), name = p->token;
	bool joined = p->groups || !next.newline;
	if (word.kind == WORD_TYPE)
		return parse_cast(p, word.code, loc);
	if (word.kind == WORD_KEYWORD)
		return parse_keyword(p, loc);
	if (next.kind == TOKEN_LPAREN && joined && word.kind != WORD_POLICY) {
		parser_advance(p);
		parser_open_group(p, TOKEN_LPAREN, "of a call");
		return parse_call(p, &name, loc);
	}
	if (word.kind == WORD_BUILTIN) {
		const struct vyrec_node_info *info = vyrec_builtin_get_info(word.code);
		if (!(info->flags & VYREC_HAS_AXIS)) {
			parser_advance(p);
			return parser_new_expr(
			    p, (struct vyrec_expr_node){
				   .kind = VYREC_EXPR_BUILTIN, .type = info->type, .code = word.code, .loc = loc});
		}
		if (parser_find_symbol(p, vyrec_intern(p->module, p->lexer.text + name.start, name.bytes))->kind ==
		    SYMBOL_NONE) {
			parser_error(p, loc, "%s needs an axis; write %s(0), (1) or (2)", info->text, info->text);
			parser_advance(p);
			return parser_poison(p, loc);
		}
	}
	if (word.kind == WORD_STMT || word.kind == WORD_POLICY) {
		parser_syntax_error(p, loc, "'%.*s' where a value is expected; it is a word of the language",
				    (int)name.bytes, p->lexer.text + name.start);
		return parser_poison(p, loc);
	}
	if (next.kind == TOKEN_LBRACKET && joined)
		return parse_load(p);
	return parse_variable(p, loc);
}

static vyrec_expr parse_primary(struct parser *p)
{
	vyrec_loc loc = parser_here(p);
	struct token token = p->token;
	switch (token.kind) {
	case TOKEN_INT:
		parser_advance(p);
		return parser_make_int(p, &token, false);
	case TOKEN_FLOAT:
		parser_advance(p);
		return parser_make_float(p, &token, false, false);
	case TOKEN_NAME:
		return parse_name(p, loc);
	case TOKEN_LPAREN: {
		parser_open_group(p, TOKEN_LPAREN, "");
		vyrec_expr expr = parser_expr(p);
		parser_close_group(p, TOKEN_RPAREN, "after the expression");
		if (p->module->exprs[expr].kind != VYREC_EXPR_LIT)
			p->module->exprs[expr].pad = 1; /* `vyrec fmt` keeps what the writer found clearer */
		return expr;
	}
	default:
		parser_syntax_error(p, loc, "%s where a value is expected; write an expression",
				    lexer_kind_text(token.kind));
		return parser_poison(p, loc);
	}
}

/* '-' and the number or inf after it are one literal: only so can -2147483648 be written. */
static bool parse_negative(struct parser *p, vyrec_expr *expr)
{
	struct token token = peek(p);
	bool special = token.kind == TOKEN_NAME && token.bytes == 3 && !memcmp(p->lexer.text + token.start, "inf", 3);
	if (token.kind != TOKEN_INT && token.kind != TOKEN_FLOAT && !special)
		return false;
	vyrec_loc loc = parser_here(p);
	parser_advance(p);
	parser_advance(p);
	*expr =
	    token.kind == TOKEN_INT ? parser_make_int(p, &token, true) : parser_make_float(p, &token, true, special);
	p->module->exprs[*expr].loc = loc;
	return true;
}

static vyrec_expr parse_prefix(struct parser *p)
{
	if (!parser_at(p, TOKEN_MINUS) && !parser_at(p, TOKEN_TILDE) && !parser_at(p, TOKEN_BANG))
		return parse_primary(p);
	vyrec_loc loc = parser_here(p);
	char text[2] = {p->lexer.text[p->token.start], 0};
	vyrec_expr arg;
	if (parser_at(p, TOKEN_MINUS) && parse_negative(p, &arg))
		return arg;
	if (p->expr_depth >= VYREC_MAX_EXPR_DEPTH) {
		parser_syntax_error(p, loc, "expressions nest deeper than %d; name a part of it with let",
				    VYREC_MAX_EXPR_DEPTH);
		return parser_poison(p, loc);
	}
	parser_advance(p);
	p->expr_depth++;
	arg = parse_prefix(p);
	p->expr_depth--;
	return parser_make_op(p, text, VYREC_PREFIX, loc, &arg, 1);
}

/* ---- infix ------------------------------------------------------------------------------------------------------- */

static vyrec_expr make_logical(struct parser *p, token_kind kind, vyrec_loc loc, vyrec_expr left, vyrec_expr right)
{
	const char *what = kind == TOKEN_ANDAND ? "an operand of '&&'" : "an operand of '||'";
	left = parser_coerce(p, left, VYREC_BOOL, what);
	right = parser_coerce(p, right, VYREC_BOOL, what);
	if (type_of(p, left) != VYREC_BOOL || type_of(p, right) != VYREC_BOOL)
		return parser_poison(p, loc);
	return parser_new_expr(p, (struct vyrec_expr_node){
				      .kind = kind == TOKEN_ANDAND ? VYREC_EXPR_ANDALSO : VYREC_EXPR_ORELSE,
				      .type = VYREC_BOOL,
				      .loc = loc,
				      .arg = {left, right},
				  });
}

static vyrec_expr parse_binary(struct parser *p, unsigned least)
{
	vyrec_expr left = parse_prefix(p);
	unsigned level;
	bool compared = false;
	while (!p->panic && (level = precedence(p->token.kind)) >= least && level && follows(p, p->token.kind)) {
		struct token op = p->token;
		char text[VYREC_MAX_NAME_BYTES + 1];
		vyrec_loc loc = parser_here(p);
		token_copy(p, &op, text);
		if (level == COMPARISON && compared) {
			parser_syntax_error(p, loc, "comparisons do not chain; write a < b && b < c");
			return parser_poison(p, loc);
		}
		compared = level == COMPARISON;
		parser_advance(p);
		vyrec_expr args[2] = {left, parse_binary(p, level + 1)};
		left = level <= 2 ? make_logical(p, op.kind, loc, args[0], args[1])
				  : parser_make_op(p, text, VYREC_INFIX, loc, args, 2);
	}
	return left;
}

vyrec_expr parser_expr(struct parser *p)
{
	vyrec_loc loc = parser_here(p);
	if (p->panic || p->stop)
		return parser_poison(p, loc);
	if (p->expr_depth >= VYREC_MAX_EXPR_DEPTH) {
		parser_syntax_error(p, loc, "expressions nest deeper than %d; name a part of it with let",
				    VYREC_MAX_EXPR_DEPTH);
		return parser_poison(p, loc);
	}
	p->expr_depth++;
	vyrec_expr expr = parse_binary(p, 1);
	p->expr_depth--;
	return expr;
}
