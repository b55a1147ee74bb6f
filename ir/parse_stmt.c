/* parse_stmt.c - statements and blocks.
 *
 * One reader a statement kind, in a table by kind. After a syntax error the reader skips to where the next statement can
 * start (recover) and goes on, so that one run reports every mistake. Depth is bounded by VYREC_MAX_NESTING.
 */
#include <string.h>

#include "ir/parse.h"

static bool parse_statement(struct parser *p, struct vyrec_list *list);

/* ---- ends and recovery ------------------------------------------------------------------------------------------- */

bool end_statement(struct parser *p)
{
	if (accept(p, TOKEN_SEMI) || p->token.newline || at(p, TOKEN_RBRACE) || at(p, TOKEN_END) || p->panic)
		return true;
	if (at(p, TOKEN_ASSIGN))
		syntax_error(p, here(p), "'=' in an expression; compare with '=='");
	else
		syntax_error(p, here(p), "%s after the end of the statement; start a new line or put ';' before it",
			     token_kind_text(p->token.kind));
	return false;
}

void recover(struct parser *p)
{
	unsigned depth = 0;
	bool first = true;
	while (!at(p, TOKEN_END)) {
		if (depth == 0 && (at(p, TOKEN_RBRACE) || (!first && p->token.newline)))
			break;
		if (depth == 0 && accept(p, TOKEN_SEMI))
			break;
		depth += at(p, TOKEN_LBRACE);
		depth -= at(p, TOKEN_RBRACE);
		first = false;
		advance(p);
	}
	p->panic = p->stop;
	p->groups = 0;
}

/* After a broken condition: its block is still worth reading. */
static void recover_to_block(struct parser *p)
{
	if (!p->panic)
		return;
	while (!at(p, TOKEN_END) && !at(p, TOKEN_LBRACE) && !at(p, TOKEN_RBRACE) && !p->token.newline)
		advance(p);
	p->groups = 0;
	if (at(p, TOKEN_LBRACE))
		p->panic = false;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Notes where something stands in the source, for the printer. */
void note_place(vyrec_loc **places, uint32_t *capacity, uint32_t index, vyrec_loc loc)
{
	*places = vyrec_grow(*places, capacity, index + 1, sizeof **places);
	(*places)[index] = loc;
}

static vyrec_block finish_block(struct parser *p, struct vyrec_list *list, vyrec_loc start, vyrec_loc end)
{
	struct vyrec_layout *layout = &p->module->layout;
	vyrec_block block = vyrec_add_block(p->module, list->items, list->count);
	vyrec_list_free(list);
	note_place(&layout->block_starts, &layout->block_start_capacity, block, start);
	note_place(&layout->block_ends, &layout->block_end_capacity, block, end);
	return block;
}

/* Statements between braces, into list; false if there is no '{'. Opens no scope. */
static bool parse_braced(struct parser *p, struct vyrec_list *list, vyrec_loc *end)
{
	if (p->nesting >= VYREC_MAX_NESTING) {
		syntax_error(p, here(p), "statements nest deeper than %d; move the inner ones to a fn",
			     VYREC_MAX_NESTING);
		return false;
	}
	if (!expect(p, TOKEN_LBRACE, "to open a block"))
		return false;
	p->nesting++;
	while (!at(p, TOKEN_RBRACE) && !at(p, TOKEN_END) && !p->stop) {
		if (accept(p, TOKEN_SEMI))
			continue;
		if (p->op_shared && at_word(p, "shared")) {
			vyrec_array array = parser_shared(p);
			if (array)
				vyrec_list_push(p->op_shared, array);
			if (p->panic)
				recover(p);
			continue;
		}
		p->op_shared = NULL;
		parse_statement(p, list);
		if (p->panic)
			recover(p);
	}
	p->nesting--;
	*end = here(p);
	return expect(p, TOKEN_RBRACE, "to close the block");
}

vyrec_block parse_block(struct parser *p, vyrec_loc start)
{
	struct vyrec_list list = {0};
	vyrec_loc end = 0;
	uint32_t mark = p->scope.count;
	parse_braced(p, &list, &end);
	close_scope(p, mark);
	return finish_block(p, &list, start, end);
}

/* ---- declarations and assignments -------------------------------------------------------------------------------- */

static vyrec_local declare_local(struct parser *p, vyrec_name name, vyrec_local_kind kind, vyrec_type type,
				 vyrec_loc loc)
{
	vyrec_local local = vyrec_add_local(p->module, name, kind, type, loc);
	declare(p, name, SYMBOL_LOCAL, local, loc);
	return local;
}

static void mark_typed(struct parser *p, vyrec_local local)
{
	struct vyrec_layout *layout = &p->module->layout;
	layout->typed_locals = vyrec_grow(layout->typed_locals, &layout->typed_local_capacity, local + 1, 1);
	layout->typed_locals[local] = 1;
}

static bool parse_let(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = here(p);
	vyrec_name name = expect_name(p, "a let");
	vyrec_type type = VYREC_VOID;
	bool typed = !p->panic && accept(p, TOKEN_COLON) && expect_type(p, false, &type);
	if (!expect(p, TOKEN_ASSIGN, "after the name of a let; a let has a value"))
		return false;
	vyrec_expr value = parse_expr(p);
	value = typed ? coerce(p, value, type, "the value") : settle(p, value);
	type = p->module->exprs[value].type;
	if (type == VYREC_VOID)
		report(p, loc, "let of something without a value; call it as a statement of its own");
	node->expr[0] = value;
	node->local = declare_local(p, name, VYREC_LOCAL_LET, type, loc);
	if (typed)
		mark_typed(p, node->local);
	return true;
}

static vyrec_array parse_array_tail(struct parser *p, vyrec_name name, vyrec_class class_, vyrec_type element,
				    vyrec_loc loc)
{
	uint64_t count = 0;
	if (!open_group(p, TOKEN_LBRACKET, "after the element type"))
		return 0;
	bool counted = expect_int(p, UINT32_MAX, "the number of elements", &count);
	if (!close_group(p, TOKEN_RBRACKET, "after the number of elements") || !counted)
		return 0;
	if (count == 0)
		report(p, loc, "array of 0 elements; give it at least one");
	if (class_ == VYREC_CLASS_LOCAL && count > VYREC_MAX_LOCAL_ELEMENTS)
		report(p, loc, "local array of %llu elements; the limit is %d", (unsigned long long)count,
		       VYREC_MAX_LOCAL_ELEMENTS);
	if (class_ == VYREC_CLASS_SHARED && count * vyrec_type_bytes(element) > VYREC_MAX_SHARED_BYTES)
		report(p, loc, "shared array of %llu bytes; the limit is %d",
		       (unsigned long long)count * vyrec_type_bytes(element), VYREC_MAX_SHARED_BYTES);
	over_limit(p, p->module->array_count, VYREC_MAX_ARRAYS, "buffers, shared and local arrays in one module");
	struct vyrec_array_node node = {
	    .name = name, .class_ = (uint8_t)class_, .element = (uint8_t)element, .count = (uint32_t)count, .loc = loc};
	vyrec_array array = vyrec_add_array(p->module, &node);
	declare(p, name, SYMBOL_ARRAY, array, loc);
	return array;
}

vyrec_array parser_shared(struct parser *p)
{
	vyrec_type element;
	advance(p);
	vyrec_loc loc = here(p);
	vyrec_name name = expect_name(p, "a shared array");
	if (p->panic || !expect(p, TOKEN_COLON, "after the name of a shared array") || !expect_type(p, true, &element))
		return 0;
	vyrec_array array = parse_array_tail(p, name, VYREC_CLASS_SHARED, element, loc);
	end_statement(p);
	return array;
}

static bool parse_var(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = here(p);
	vyrec_type type;
	vyrec_name name = expect_name(p, "a var");
	if (p->panic || !expect(p, TOKEN_COLON, "after the name of a var; a var has a type"))
		return false;
	struct word word = token_word(p);
	bool element_only = word.kind == WORD_TYPE && !vyrec_type_is_value(word.code);
	if (!expect_type(p, true, &type))
		return false;
	if (at(p, TOKEN_LBRACKET) && !p->token.newline) {
		node->array = parse_array_tail(p, name, VYREC_CLASS_LOCAL, type, loc);
		return node->array != 0;
	}
	if (element_only) {
		report(p, loc, "%s is a type of buffer elements only; a var is %s", vyrec_type_name(type),
		       vyrec_type_name(vyrec_type_of_element(type)));
		type = (vyrec_type)TYPE_POISON;
	}
	if (accept(p, TOKEN_ASSIGN))
		node->expr[0] = coerce(p, parse_expr(p), type, "the value");
	node->local = declare_local(p, name, VYREC_LOCAL_VAR, type, loc);
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
	report(p, loc, "'%s' cannot be assigned: it is %s", text, remedies[p->module->locals[local].kind]);
}

/* NAME = expr */
static bool parse_assign(struct parser *p, struct vyrec_stmt_node *node)
{
	char text[VYREC_MAX_NAME_BYTES + 1];
	vyrec_loc loc = here(p);
	memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
	text[p->token.bytes] = 0;
	struct symbol s = *find_symbol(p, take_name(p));
	node->kind = VYREC_STMT_ASSIGN;
	expect(p, TOKEN_ASSIGN, "after the variable");
	vyrec_expr value = parse_expr(p);
	if (s.kind != SYMBOL_LOCAL) {
		if (s.kind == SYMBOL_NONE)
			unknown_name(p, loc, text, "variable", NEAR_VALUE);
		else
			report(p, loc, "'%s' cannot be assigned: it is no var; declare one", text);
		return false;
	}
	node->local = s.index;
	if (p->module->locals[s.index].kind != VYREC_LOCAL_VAR) {
		refuse_assignment(p, s.index, loc, text);
		return false;
	}
	node->expr[0] = coerce(p, value, p->module->locals[s.index].type, "the value");
	return true;
}

/* place = expr */
static bool parse_store(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place place;
	if (!parse_place(p, &place))
		return false;
	if (!at(p, TOKEN_ASSIGN)) {
		syntax_error(p, here(p), "%s after an element; a statement is element = value",
			     token_kind_text(p->token.kind));
		return false;
	}
	advance(p);
	vyrec_expr value = parse_expr(p);
	if (!place.array)
		return false;
	node->kind = VYREC_STMT_STORE;
	node->array = place.array;
	node->policy = (uint8_t)place.policy;
	node->expr[0] = place.index;
	node->expr[1] = coerce(p, value, vyrec_type_of_element(p->module->arrays[place.array].element), "the value");
	return true;
}

/* A call for its effect. */
static bool parse_effect(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = here(p);
	vyrec_expr value = settle(p, parse_expr(p));
	if (p->panic)
		return false;
	unsigned kind = p->module->exprs[value].kind, type = p->module->exprs[value].type;
	if (type != TYPE_POISON && kind != VYREC_EXPR_ATOMIC && kind != VYREC_EXPR_COLLECTIVE &&
	    kind != VYREC_EXPR_CALL) {
		report(p, loc,
		       at(p, TOKEN_ASSIGN) ? "this cannot be assigned; the left of '=' is a var or an element"
					   : "the value is not used; assign it, name it with let or remove it");
		if (at(p, TOKEN_ASSIGN)) {
			advance(p);
			parse_expr(p);
		}
		return false;
	}
	node->kind = VYREC_STMT_EXPR;
	node->expr[0] = value;
	return true;
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

static vyrec_expr parse_condition(struct parser *p)
{
	vyrec_expr condition = parse_expr(p);
	if (at(p, TOKEN_ASSIGN))
		syntax_error(p, here(p), "'=' in a condition; compare with '=='");
	else
		condition = coerce(p, condition, VYREC_BOOL, "the condition");
	recover_to_block(p);
	return condition;
}

static bool parse_if(struct parser *p, struct vyrec_stmt_node *node)
{
	node->expr[0] = parse_condition(p);
	node->body[0] = parse_block(p, node->loc);
	if (p->panic || !at_word(p, "else"))
		return !p->panic;
	vyrec_loc start = here(p);
	advance(p);
	if (!at_word(p, "if")) {
		node->body[1] = parse_block(p, start);
		return true;
	}
	if (p->nesting >= VYREC_MAX_NESTING) {
		syntax_error(p, here(p), "more than %d nested statements in an else-if chain; use switch",
			     VYREC_MAX_NESTING);
		return false;
	}
	struct vyrec_list list = {0};
	struct vyrec_stmt_node inner = {.kind = VYREC_STMT_IF, .loc = here(p)};
	advance(p);
	p->nesting++;
	if (parse_if(p, &inner))
		vyrec_list_push(&list, new_stmt(p, inner));
	p->nesting--;
	vyrec_loc end =
	    inner.body[1] ? p->module->layout.block_ends[inner.body[1]] : p->module->layout.block_ends[inner.body[0]];
	node->body[1] = finish_block(p, &list, inner.loc, end);
	return true;
}

static bool parse_for(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = here(p);
	vyrec_name name = expect_name(p, "a counter");
	unsigned count = 2, type;
	if (p->panic || !expect_word(p, "in"))
		return false;
	node->expr[0] = parse_expr(p);
	if (expect(p, TOKEN_DOTDOT, "between the ends of a for"))
		node->expr[1] = parse_expr(p);
	if (!p->panic && at_word(p, "step")) {
		advance(p);
		node->expr[2] = parse_expr(p);
		count = 3;
	}
	recover_to_block(p);
	type = p->panic || !node->expr[1] ? (unsigned)TYPE_POISON : unify(p, node->expr, count, "a for", loc);
	if (type == TYPE_FLEX_FLOAT)
		type = VYREC_F32;
	if (is_flex(type)) {
		type = VYREC_U32;
		for (unsigned i = 0; i < count; i++)
			node->expr[i] = coerce(p, node->expr[i], VYREC_U32, "an end of a for");
	}
	if (type != TYPE_POISON && !vyrec_type_is_int(type)) {
		report(p, loc, "a for over %s; count in integers and convert inside", type_text(type));
		type = (vyrec_type)TYPE_POISON;
	}
	uint32_t mark = p->scope.count;
	node->local = declare_local(p, name, VYREC_LOCAL_COUNTER, type, loc);
	node->body[0] = parse_block(p, node->loc);
	close_scope(p, mark);
	return true;
}

static bool parse_loop(struct parser *p, struct vyrec_stmt_node *node)
{
	node->body[0] = parse_block(p, node->loc);
	return true;
}

static bool parse_case_value(struct parser *p, bool sint, uint32_t *value)
{
	uint64_t magnitude = 0;
	bool negative = sint && accept(p, TOKEN_MINUS);
	if (!expect_int(p,
			negative ? UINT32_C(1) << 31
			: sint	 ? INT32_MAX
				 : UINT32_MAX,
			"the value of a case", &magnitude))
		return false;
	*value = (uint32_t)(negative ? 0 - magnitude : magnitude);
	return true;
}

static bool parse_case(struct parser *p, bool sint, struct vyrec_list *pairs)
{
	uint32_t first = pairs->count, value = 0;
	vyrec_loc start = here(p);
	advance(p);
	do {
		if (!parse_case_value(p, sint, &value))
			break;
		vyrec_list_push(pairs, value);
		vyrec_list_push(pairs, 0);
		if (over_limit(p, pairs->count / 2, VYREC_MAX_CASES, "cases of one switch"))
			break;
	} while (accept(p, TOKEN_COMMA));
	recover_to_block(p);
	vyrec_block body = parse_block(p, start);
	for (uint32_t i = first; i < pairs->count; i += 2)
		pairs->items[i + 1] = body;
	return !p->panic;
}

static bool parse_switch(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list pairs = {0};
	vyrec_loc loc = here(p);
	node->expr[0] = settle(p, parse_expr(p));
	recover_to_block(p);
	unsigned type = p->module->exprs[node->expr[0]].type;
	if (type != VYREC_U32 && type != VYREC_I32 && type != TYPE_POISON)
		report(p, loc, "a switch over %s; it takes u32 or i32, convert it", type_text(type));
	if (!expect(p, TOKEN_LBRACE, "to open the cases"))
		return false;
	while (!p->stop && !p->panic && !at(p, TOKEN_RBRACE)) {
		if (at_word(p, "case")) {
			parse_case(p, type == VYREC_I32, &pairs);
		} else if (at_word(p, "default")) {
			if (node->body[0])
				report(p, here(p), "a switch has one default; remove this one");
			vyrec_loc start = here(p);
			advance(p);
			node->body[0] = parse_block(p, start);
		} else {
			syntax_error(p, here(p), "%s where a case is expected; write case or default",
				     token_kind_text(p->token.kind));
		}
	}
	if (p->panic)
		recover(p);
	node->count = pairs.count / 2;
	node->list = vyrec_add_refs(p->module, pairs.items, pairs.count);
	vyrec_list_free(&pairs);
	p->switch_end = here(p);
	return expect(p, TOKEN_RBRACE, "to close the switch");
}

static bool parse_break(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!at(p, TOKEN_NAME) || p->token.newline)
		return true;
	char text[VYREC_MAX_NAME_BYTES + 1];
	vyrec_loc loc = here(p);
	memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
	text[p->token.bytes] = 0;
	struct symbol s = *find_symbol(p, take_name(p));
	if (s.kind == SYMBOL_LOCAL && p->module->locals[s.index].kind == VYREC_LOCAL_LABEL)
		node->local = s.index;
	else
		unknown_name(p, loc, text, "label", NEAR_LABEL);
	return node->local != 0;
}

static bool parse_nothing(struct parser *p, struct vyrec_stmt_node *node)
{
	(void)p;
	(void)node;
	return true;
}

static bool parse_return(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_type result = p->fn ? p->module->fns[p->fn].result : VYREC_VOID;
	bool value = !p->token.newline && !at(p, TOKEN_RBRACE) && !at(p, TOKEN_SEMI) && !at(p, TOKEN_END);
	if (value && result == VYREC_VOID) {
		report(p, here(p),
		       p->fn ? "this fn has no result type; write '-> type' after its parameters"
			     : "only a fn returns a value; an op writes result(k, value)");
		parse_expr(p);
		return false;
	}
	if (!value && result != VYREC_VOID)
		report(p, node->loc, "return without a value in a fn of type %s; give it one", type_text(result));
	if (value)
		node->expr[0] = coerce(p, parse_expr(p), result, "the result");
	return true;
}

static bool parse_labelled(struct parser *p, struct vyrec_stmt_node *node)
{
	uint32_t mark = p->scope.count;
	if (at(p, TOKEN_NAME)) {
		vyrec_loc loc = here(p);
		node->local = declare_local(p, expect_name(p, "a block"), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	}
	node->body[0] = parse_block(p, node->loc);
	close_scope(p, mark);
	return true;
}

static bool parse_region(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list list = {0};
	vyrec_loc end = 0;
	node->name = expect_string(p, "the name of a region");
	if (p->panic)
		return false;
	parse_braced(p, &list, &end);
	node->body[0] = finish_block(p, &list, node->loc, end);
	return true;
}

static bool parse_catch(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!open_group(p, TOKEN_LPAREN, "after catch"))
		return false;
	vyrec_loc code_loc = here(p), detail_loc;
	vyrec_name code = expect_name(p, "the code of a catch"), detail;
	expect(p, TOKEN_COMMA, "after the code of a catch");
	detail_loc = here(p);
	detail = expect_name(p, "the detail of a catch");
	if (!close_group(p, TOKEN_RPAREN, "after the detail of a catch"))
		return false;
	node->body[0] = parse_block(p, node->loc);
	node->local = declare_local(p, code, VYREC_LOCAL_VAR, VYREC_U32, code_loc);
	node->local2 = declare_local(p, detail, VYREC_LOCAL_VAR, VYREC_U32, detail_loc);
	return true;
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */

static bool parse_barrier(struct parser *p, struct vyrec_stmt_node *node)
{
	node->scope = VYREC_SCOPE_WORKGROUP;
	if (!at(p, TOKEN_LPAREN) || p->token.newline)
		return true;
	open_group(p, TOKEN_LPAREN, "");
	if (parse_scope(p, &node->scope) && node->scope == VYREC_SCOPE_SYSTEM)
		report(p, p->previous.loc, "a barrier reaches workgroup or device; write one of them");
	return close_group(p, TOKEN_RPAREN, "after the scope of a barrier");
}

static bool parse_fence(struct parser *p, struct vyrec_stmt_node *node)
{
	node->scope = VYREC_SCOPE_DEVICE;
	if (!open_group(p, TOKEN_LPAREN, "after fence") || !parse_order(p, &node->order))
		return false;
	if (accept(p, TOKEN_COMMA))
		parse_scope(p, &node->scope);
	return close_group(p, TOKEN_RPAREN, "after the order of a fence");
}

static bool parse_async(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place to, from;
	if (!open_group(p, TOKEN_LPAREN, "after the name of a copy") || !parse_place(p, &to) ||
	    !expect(p, TOKEN_COMMA, "after the destination") || !parse_place(p, &from) ||
	    !expect(p, TOKEN_COMMA, "after the source"))
		return false;
	if (to.policy && from.policy && to.policy != from.policy)
		report(p, from.loc, "two bounds policies, %s and %s, in one copy; write one",
		       vyrec_policy_name(to.policy), vyrec_policy_name(from.policy));
	node->array = to.array;
	node->expr[0] = to.index;
	node->array2 = from.array;
	node->expr[1] = from.index;
	node->policy = (uint8_t)(to.policy ? to.policy : from.policy);
	node->expr[2] = coerce(p, parse_expr(p), VYREC_U32, "the number of elements");
	if (!expect(p, TOKEN_COMMA, "after the number of elements") ||
	    !expect_int(p, UINT32_MAX, "the tag of a copy", &node->imm))
		return false;
	return close_group(p, TOKEN_RPAREN, "after the tag") && node->array && node->array2;
}

static bool parse_async_wait(struct parser *p, struct vyrec_stmt_node *node)
{
	return open_group(p, TOKEN_LPAREN, "after async_wait") &&
	       expect_int(p, UINT32_MAX, "the tag of a copy", &node->imm) &&
	       close_group(p, TOKEN_RPAREN, "after the tag");
}

static bool parse_dispatch(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place place;
	if (!open_group(p, TOKEN_LPAREN, "after dispatch"))
		return false;
	vyrec_loc loc = here(p);
	node->name = expect_name(p, "a program");
	if (p->panic || !expect(p, TOKEN_COMMA, "after the program") || !parse_place(p, &place))
		return false;
	parser_check_program(p, node->name, loc);
	node->array = place.array;
	node->expr[0] = place.index;
	node->policy = (uint8_t)place.policy;
	return close_group(p, TOKEN_RPAREN, "after the place of the counts") && place.array;
}

/* trap(code), trap(code, detail); a lowered one names its kind of fault first: trap(4: detail). */
static bool parse_trap(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!open_group(p, TOKEN_LPAREN, "after trap"))
		return false;
	struct lexer second = p->lexer;
	second.diags = NULL;
	second.module = NULL;
	if (at(p, TOKEN_INT) && lexer_next(&second).kind == TOKEN_COLON) {
		expect_int(p, UINT32_MAX, "the kind of fault", &node->imm);
		advance(p);
	}
	node->expr[0] = coerce(p, parse_expr(p), VYREC_U32, "the code of a trap");
	if (accept(p, TOKEN_COMMA))
		node->expr[1] = coerce(p, parse_expr(p), VYREC_U32, "the detail of a trap");
	return close_group(p, TOKEN_RPAREN, "after the code of a trap");
}

static bool parse_log(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!open_group(p, TOKEN_LPAREN, "after log") || !expect_int(p, UINT32_MAX, "the id of a record", &node->imm) ||
	    !expect(p, TOKEN_COMMA, "after the id of a record"))
		return false;
	if (at(p, TOKEN_STRING)) {
		node->name = expect_string(p, "the format of a record");
		expect(p, TOKEN_COMMA, "after the format of a record");
	}
	node->expr[0] = coerce(p, parse_expr(p), VYREC_U32, "the first value of a record");
	if (expect(p, TOKEN_COMMA, "after the first value of a record"))
		node->expr[1] = coerce(p, parse_expr(p), VYREC_U32, "the second value of a record");
	return close_group(p, TOKEN_RPAREN, "after the values of a record");
}

static bool parse_opaque(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list bytes = {0};
	node->name = expect_string(p, "the name of an extension");
	vyrec_loc loc = here(p);
	vyrec_name hex = p->panic ? 0 : expect_string(p, "the bytes of an extension, in hexadecimal");
	const char *text = vyrec_name_text(p->module, hex);
	unsigned half = 0, value = 0;
	for (; *text && !p->panic; text++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = *text == ' ' ? NULL : strchr(digits, *text);
		if (!digit && *text != ' ')
			syntax_error(p, loc, "'%c' in the bytes of an extension; write hexadecimal digits", *text);
		if (!digit)
			continue;
		value = value << 4 | (unsigned)(digit - digits) % 16;
		if (half ^= 1)
			continue;
		vyrec_list_push(&bytes, value & 0xff);
	}
	if (half && !p->panic)
		report(p, loc, "an odd number of hexadecimal digits; a byte has two");
	node->count = bytes.count;
	node->list = vyrec_add_refs(p->module, bytes.items, bytes.count);
	vyrec_list_free(&bytes);
	return !p->panic;
}

static bool parse_result(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!open_group(p, TOKEN_LPAREN, "after result") ||
	    !expect_int(p, VYREC_MAX_PARAMS - 1, "the word of a result", &node->imm) ||
	    !expect(p, TOKEN_COMMA, "after the word of a result"))
		return false;
	vyrec_loc loc = here(p);
	node->expr[0] = settle(p, parse_expr(p));
	if (p->module->exprs[node->expr[0]].type == VYREC_VOID)
		report(p, loc, "a result of something without a value; give it a value");
	return close_group(p, TOKEN_RPAREN, "after the value of a result");
}

static bool parse_one_u32(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!open_group(p, TOKEN_LPAREN, "after the statement's name"))
		return false;
	node->expr[0] = coerce(p, parse_expr(p), VYREC_U32, "the operand");
	return close_group(p, TOKEN_RPAREN, "after the operand");
}

static bool parse_load_statement(struct parser *p, struct vyrec_stmt_node *node)
{
	static const struct {
		vyrec_type type;
		const char *what;
	} operands[4] = {{VYREC_U32, "the resource of a load"},
			 {VYREC_U64, "the file offset of a load"},
			 {VYREC_U32, "the bytes of a load"},
			 {VYREC_U32, "the destination offset of a load"}};
	if (!open_group(p, TOKEN_LPAREN, "after load"))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if (i &&
		    !expect(p, TOKEN_COMMA, "before the next operand of load: resource, offset, bytes, destination"))
			return false;
		node->expr[i] = coerce(p, parse_expr(p), operands[i].type, operands[i].what);
	}
	return close_group(p, TOKEN_RPAREN, "after the operands of load");
}

static bool parse_spawn(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_expr args[VYREC_MAX_PARAMS];
	unsigned n = 0;
	if (!open_group(p, TOKEN_LPAREN, "after spawn"))
		return false;
	vyrec_loc loc = here(p);
	node->name = expect_name(p, "an op");
	vyrec_handler op = p->panic ? 0 : parser_find_op(p, node->name, loc);
	struct vyrec_handler_node callee = p->module->handlers[op];
	while (!p->panic && accept(p, TOKEN_COMMA)) {
		vyrec_expr arg = parse_expr(p);
		if (n < callee.param_count)
			args[n] = coerce(p, arg, p->module->locals[p->module->refs[callee.params + n]].type,
					 "an argument of spawn");
		n++;
	}
	if (op && n != callee.param_count && !p->panic)
		report(p, loc, "op %s takes %u argument%s, not %u; give it as many",
		       vyrec_name_text(p->module, callee.name), callee.param_count, callee.param_count == 1 ? "" : "s",
		       n);
	node->count = n < callee.param_count ? n : callee.param_count;
	node->list = vyrec_add_refs(p->module, args, node->count);
	return close_group(p, TOKEN_RPAREN, "after the arguments of spawn");
}

/* ---- one statement ----------------------------------------------------------------------------------------------- */

static bool (*const readers[VYREC_STMT_COUNT])(struct parser *, struct vyrec_stmt_node *) = {
    [VYREC_STMT_LET] = parse_let,
    [VYREC_STMT_VAR] = parse_var,
    [VYREC_STMT_IF] = parse_if,
    [VYREC_STMT_FOR] = parse_for,
    [VYREC_STMT_LOOP] = parse_loop,
    [VYREC_STMT_SWITCH] = parse_switch,
    [VYREC_STMT_BREAK] = parse_break,
    [VYREC_STMT_CONTINUE] = parse_nothing,
    [VYREC_STMT_RETURN] = parse_return,
    [VYREC_STMT_BLOCK] = parse_labelled,
    [VYREC_STMT_REGION] = parse_region,
    [VYREC_STMT_CATCH] = parse_catch,
    [VYREC_STMT_BARRIER] = parse_barrier,
    [VYREC_STMT_FENCE] = parse_fence,
    [VYREC_STMT_ASYNC_LOAD] = parse_async,
    [VYREC_STMT_ASYNC_STORE] = parse_async,
    [VYREC_STMT_ASYNC_WAIT] = parse_async_wait,
    [VYREC_STMT_DISPATCH] = parse_dispatch,
    [VYREC_STMT_TRAP] = parse_trap,
    [VYREC_STMT_LOG] = parse_log,
    [VYREC_STMT_RELAX] = parse_nothing,
    [VYREC_STMT_OPAQUE] = parse_opaque,
    [VYREC_STMT_RESULT] = parse_result,
    [VYREC_STMT_YIELD] = parse_nothing,
    [VYREC_STMT_REQUEUE] = parse_one_u32,
    [VYREC_STMT_PAUSE] = parse_one_u32,
    [VYREC_STMT_LOAD] = parse_load_statement,
    [VYREC_STMT_SPAWN] = parse_spawn,
};

/* Words of other languages, and what to write instead. */
static bool foreign_word(struct parser *p)
{
	static const char *const rows[][2] = {
	    {"while", "use loop { if !(condition) { break } ... }"},
	    {"do", "use loop { ... }"},
	    {"goto", "use a named block and break"},
	    {"elif", "write else if"},
	    {"unless", "write if !(condition)"},
	    {"match", "use switch"},
	    {"int", "write var name: i32"},
	    {"float", "write var name: f32"},
	    {"const", "a const stands beside the ops, or use let"},
	    {"fn", "a fn stands beside the ops"},
	    {"else", "an else follows the '}' of an if"},
	    {"case", "a case stands inside a switch"},
	};
	struct lexer second = p->lexer;
	second.diags = NULL;
	second.module = NULL;
	token_kind next = lexer_next(&second).kind;
	if (next == TOKEN_ASSIGN || next == TOKEN_LBRACKET)
		return false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (at_word(p, rows[i][0])) {
			syntax_error(p, here(p), "'%s' is no statement here; %s", rows[i][0], rows[i][1]);
			return true;
		}
	return false;
}

/* A statement that starts with a name that is no word of the language. */
static bool parse_named(struct parser *p, struct vyrec_stmt_node *node)
{
	struct lexer second = p->lexer;
	second.diags = NULL;
	second.module = NULL;
	struct token next = lexer_next(&second);
	if (foreign_word(p))
		return false;
	if (next.kind == TOKEN_ASSIGN)
		return parse_assign(p, node);
	if (next.kind == TOKEN_LBRACKET)
		return parse_store(p, node);
	if (next.kind == TOKEN_NAME && !next.newline) {
		char text[VYREC_MAX_NAME_BYTES + 1];
		vyrec_loc loc = here(p);
		memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
		text[p->token.bytes] = 0;
		unknown_name(p, loc, text, "statement", NEAR_STMT);
		p->panic = true;
		return false;
	}
	return parse_effect(p, node);
}

static bool is_block_kind(unsigned kind)
{
	switch (kind) {
	case VYREC_STMT_IF:
	case VYREC_STMT_FOR:
	case VYREC_STMT_LOOP:
	case VYREC_STMT_SWITCH:
	case VYREC_STMT_BLOCK:
	case VYREC_STMT_REGION:
	case VYREC_STMT_CATCH:
		return true;
	default:
		return false;
	}
}

static bool parse_statement(struct parser *p, struct vyrec_list *list)
{
	struct vyrec_stmt_node node = {.loc = here(p)};
	struct word word = token_word(p);
	bool good;
	if (at_word(p, "shared")) {
		syntax_error(p, here(p), "shared arrays stand at the start of an op, or in a program; move it there");
		return false;
	}
	if (word.kind == WORD_STMT && readers[word.code]) {
		node.kind = (uint8_t)word.code;
		advance(p);
		good = readers[word.code](p, &node);
	} else if (at(p, TOKEN_NAME)) {
		good = parse_named(p, &node);
	} else {
		syntax_error(p, here(p),
			     "a statement cannot start with %s; an operator stands at the end of the line "
			     "before",
			     token_kind_text(p->token.kind));
		good = false;
	}
	if (good && !p->panic) {
		struct vyrec_layout *layout = &p->module->layout;
		vyrec_stmt stmt = new_stmt(p, node);
		vyrec_list_push(list, stmt);
		if (node.kind == VYREC_STMT_SWITCH)
			note_place(&layout->switch_ends, &layout->switch_end_capacity, stmt, p->switch_end);
	}
	if (!p->panic && !is_block_kind(node.kind))
		end_statement(p);
	return good;
}
