/* parse_var.c - declarations of locals and arrays, assignments, and calls for their effect.
 *
 * Each reader gives back false after an error that leaves no statement; the name is declared all the same where it can be,
 * so that its uses are not errors too.
 */
#include <string.h>

#include "ir/parse.h"

vyrec_local parser_declare_local(struct parser *p, vyrec_name name, vyrec_local_kind kind, vyrec_type type,
				 vyrec_loc loc)
{
	vyrec_local local = vyrec_add_local(p->module, name, kind, type, loc);
	parser_declare(p, name, SYMBOL_LOCAL, local, loc);
	return local;
}

static void mark_typed(struct parser *p, vyrec_local local)
{
	struct vyrec_layout *layout = &p->module->layout;
	layout->typed_locals = vyrec_grow(layout->typed_locals, &layout->typed_local_capacity, local + 1, 1);
	layout->typed_locals[local] = 1;
}

bool parser_stmt_let(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = parser_here(p);
	vyrec_name name = parser_expect_name(p, "a let");
	vyrec_type type = VYREC_VOID;
	bool typed = !p->panic && parser_accept(p, TOKEN_COLON) && parser_expect_type(p, false, &type);
	if (!parser_expect(p, TOKEN_ASSIGN, "after the name of a let; a let has a value"))
		return false;
	vyrec_expr value = parser_expr(p);
	value = typed ? parser_coerce(p, value, type, "the value") : parser_settle(p, value);
	type = p->module->exprs[value].type;
	if (type == VYREC_VOID)
		parser_error(p, loc, "let of something without a value; call it as a statement of its own");
	node->expr[0] = value;
	node->local = parser_declare_local(p, name, VYREC_LOCAL_LET, type, loc);
	if (typed)
		mark_typed(p, node->local);
	return true;
}

static vyrec_array parse_array_tail(struct parser *p, vyrec_name name, vyrec_class class_, vyrec_type element,
				    vyrec_loc loc)
{
	uint64_t count = 0;
	if (!parser_open_group(p, TOKEN_LBRACKET, "after the element type"))
		return 0;
	bool counted = parser_expect_int(p, UINT32_MAX, "the number of elements", &count);
	if (!parser_close_group(p, TOKEN_RBRACKET, "after the number of elements") || !counted)
		return 0;
	if (count == 0)
		parser_error(p, loc, "array of 0 elements; give it at least one");
	if (class_ == VYREC_CLASS_LOCAL && count > VYREC_MAX_LOCAL_ELEMENTS)
		parser_error(p, loc, "local array of %llu elements; the limit is %d", (unsigned long long)count,
			     VYREC_MAX_LOCAL_ELEMENTS);
	if (class_ == VYREC_CLASS_SHARED && count * vyrec_type_bytes(element) > VYREC_MAX_SHARED_BYTES)
		parser_error(p, loc, "shared array of %llu bytes; the limit is %d",
			     (unsigned long long)count * vyrec_type_bytes(element), VYREC_MAX_SHARED_BYTES);
	parser_over_limit(p, p->module->array_count, VYREC_MAX_ARRAYS,
			  "buffers, shared and local arrays in one module");
	struct vyrec_array_node node = {
	    .name = name, .class_ = (uint8_t)class_, .element = (uint8_t)element, .count = (uint32_t)count, .loc = loc};
	vyrec_array array = vyrec_add_array(p->module, &node);
	parser_declare(p, name, SYMBOL_ARRAY, array, loc);
	return array;
}

vyrec_array parser_shared(struct parser *p)
{
	vyrec_type element;
	parser_advance(p);
	vyrec_loc loc = parser_here(p);
	vyrec_name name = parser_expect_name(p, "a shared array");
	if (p->panic || !parser_expect(p, TOKEN_COLON, "after the name of a shared array") ||
	    !parser_expect_type(p, true, &element))
		return 0;
	vyrec_array array = parse_array_tail(p, name, VYREC_CLASS_SHARED, element, loc);
	parser_end_statement(p);
	return array;
}

bool parser_stmt_var(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = parser_here(p);
	vyrec_type type;
	vyrec_name name = parser_expect_name(p, "a var");
	if (p->panic || !parser_expect(p, TOKEN_COLON, "after the name of a var; a var has a type"))
		return false;
	struct word word = parser_word(p);
	bool element_only = word.kind == WORD_TYPE && !vyrec_type_is_value(word.code);
	if (!parser_expect_type(p, true, &type))
		return false;
	if (parser_at(p, TOKEN_LBRACKET) && !p->token.newline) {
		node->array = parse_array_tail(p, name, VYREC_CLASS_LOCAL, type, loc);
		return node->array != 0;
	}
	if (element_only) {
		parser_error(p, loc, "%s is a type of buffer elements only; a var is %s", vyrec_type_name(type),
			     vyrec_type_name(vyrec_type_of_element(type)));
		type = (vyrec_type)TYPE_POISON;
	}
	if (parser_accept(p, TOKEN_ASSIGN))
		node->expr[0] = parser_coerce(p, parser_expr(p), type, "the value");
	node->local = parser_declare_local(p, name, VYREC_LOCAL_VAR, type, loc);
	return true;
}

static void refuse_assignment(struct parser *p, vyrec_local local, vyrec_loc loc, const char *text)
{
	static const char *const remedies[] = {
	    [VYREC_LOCAL_LET] = "a let; declare it with var",
	    [VYREC_LOCAL_COUNTER] = "the counter of a for; use a loop with a var of its own",
	    [VYREC_LOCAL_PARAM] = "a parameter; copy it to a var",
	    [VYREC_LOCAL_LABEL] = "a label; only break names it",
	};
	parser_error(p, loc, "'%s' cannot be assigned: it is %s", text, remedies[p->module->locals[local].kind]);
}

/* NAME = expr */
bool parser_stmt_assign(struct parser *p, struct vyrec_stmt_node *node)
{
	char text[VYREC_MAX_NAME_BYTES + 1];
	vyrec_loc loc = parser_here(p);
	memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
	text[p->token.bytes] = 0;
	struct symbol s = *parser_find_symbol(p, parser_take_name(p));
	node->kind = VYREC_STMT_ASSIGN;
	parser_expect(p, TOKEN_ASSIGN, "after the variable");
	vyrec_expr value = parser_expr(p);
	if (s.kind != SYMBOL_LOCAL) {
		if (s.kind == SYMBOL_NONE)
			parser_unknown_name(p, loc, text, "variable", NEAR_VALUE);
		else
			parser_error(p, loc, "'%s' cannot be assigned: it is no var; declare one", text);
		return false;
	}
	node->local = s.index;
	if (p->module->locals[s.index].kind != VYREC_LOCAL_VAR) {
		refuse_assignment(p, s.index, loc, text);
		return false;
	}
	node->expr[0] = parser_coerce(p, value, p->module->locals[s.index].type, "the value");
	return true;
}

/* place = expr */
bool parser_stmt_store(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place place;
	if (!parser_place(p, &place))
		return false;
	if (!parser_at(p, TOKEN_ASSIGN)) {
		parser_syntax_error(p, parser_here(p), "%s after an element; a statement is element = value",
				    lexer_kind_text(p->token.kind));
		return false;
	}
	parser_advance(p);
	vyrec_expr value = parser_expr(p);
	if (!place.array)
		return false;
	node->kind = VYREC_STMT_STORE;
	node->array = place.array;
	node->policy = (uint8_t)place.policy;
	node->expr[0] = place.index;
	node->expr[1] =
	    parser_coerce(p, value, vyrec_type_of_element(p->module->arrays[place.array].element), "the value");
	return true;
}

/* A call for its effect. */
bool parser_stmt_call(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = parser_here(p);
	vyrec_expr value = parser_settle(p, parser_expr(p));
	if (p->panic)
		return false;
	unsigned kind = p->module->exprs[value].kind, type = p->module->exprs[value].type;
	if (type != TYPE_POISON && kind != VYREC_EXPR_ATOMIC && kind != VYREC_EXPR_COLLECTIVE &&
	    kind != VYREC_EXPR_CALL) {
		parser_error(p, loc,
			     parser_at(p, TOKEN_ASSIGN)
				 ? "this cannot be assigned; the left of '=' is a var or an element"
				 : "the value is not used; assign it, name it with let or remove it");
		if (parser_at(p, TOKEN_ASSIGN)) {
			parser_advance(p);
			parser_expr(p);
		}
		return false;
	}
	node->kind = VYREC_STMT_EXPR;
	node->expr[0] = value;
	return true;
}
