/* parse_stmt.c - statements and blocks.
 *
 * One reader a statement kind, in a table by kind. After a syntax error the reader skips to where the next statement can
 * start (recover) and goes on, so that one run reports every mistake. Depth is bounded by VYREC_MAX_NESTING.
 */
#include <string.h>

#include "ir/parse.h"

static bool parse_statement(struct parser *p, struct vyrec_list *list);

/* ---- ends and recovery ------------------------------------------------------------------------------------------- */

bool parser_end_statement(struct parser *p)
{
	if (parser_accept(p, TOKEN_SEMI) || p->token.newline || parser_at(p, TOKEN_RBRACE) || parser_at(p, TOKEN_END) ||
	    p->panic)
		return true;
	if (parser_at(p, TOKEN_ASSIGN))
		parser_syntax_error(p, parser_here(p), "'=' in an expression; compare with '=='");
	else
		parser_syntax_error(p, parser_here(p),
				    "%s after the end of the statement; start a new line or put ';' before it",
				    lexer_kind_text(p->token.kind));
	return false;
}

void parser_recover(struct parser *p)
{
	unsigned depth = 0;
	bool first = true;
	while (!parser_at(p, TOKEN_END)) {
		if (depth == 0 && (parser_at(p, TOKEN_RBRACE) || (!first && p->token.newline)))
			break;
		if (depth == 0 && parser_accept(p, TOKEN_SEMI))
			break;
		depth += parser_at(p, TOKEN_LBRACE);
		depth -= parser_at(p, TOKEN_RBRACE);
		first = false;
		parser_advance(p);
	}
	p->panic = p->stop;
	p->groups = 0;
}

/* After a broken condition: its block is still worth reading. */
static void recover_to_block(struct parser *p)
{
	if (!p->panic)
		return;
	while (!parser_at(p, TOKEN_END) && !parser_at(p, TOKEN_LBRACE) && !parser_at(p, TOKEN_RBRACE) &&
	       !p->token.newline)
		parser_advance(p);
	p->groups = 0;
	if (parser_at(p, TOKEN_LBRACE))
		p->panic = false;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Notes where something stands in the source, for the printer. */
void parser_note_place(vyrec_loc **places, uint32_t *capacity, uint32_t index, vyrec_loc loc)
{
	*places = vyrec_grow(*places, capacity, index + 1, sizeof **places);
	(*places)[index] = loc;
}

static vyrec_block finish_block(struct parser *p, struct vyrec_list *list, vyrec_loc start, vyrec_loc end)
{
	struct vyrec_layout *layout = &p->module->layout;
	vyrec_block block = vyrec_add_block(p->module, list->items, list->count);
	vyrec_list_free(list);
	parser_note_place(&layout->block_starts, &layout->block_start_capacity, block, start);
	parser_note_place(&layout->block_ends, &layout->block_end_capacity, block, end);
	return block;
}

/* Statements between braces, into list; false if there is no '{'. Opens no scope. */
static bool parse_braced(struct parser *p, struct vyrec_list *list, vyrec_loc *end)
{
	if (p->nesting >= VYREC_MAX_NESTING) {
		parser_syntax_error(p, parser_here(p), "statements nest deeper than %d; move the inner ones to a fn",
				    VYREC_MAX_NESTING);
		return false;
	}
	if (!parser_expect(p, TOKEN_LBRACE, "to open a block"))
		return false;
	p->nesting++;
	while (!parser_at(p, TOKEN_RBRACE) && !parser_at(p, TOKEN_END) && !p->stop) {
		if (parser_accept(p, TOKEN_SEMI))
			continue;
		if (p->op_shared && parser_at_word(p, "shared")) {
			vyrec_array array = parser_shared(p);
			if (array)
				vyrec_list_push(p->op_shared, array);
			if (p->panic)
				parser_recover(p);
			continue;
		}
		p->op_shared = NULL;
		parse_statement(p, list);
		if (p->panic)
			parser_recover(p);
	}
	p->nesting--;
	*end = parser_here(p);
	return parser_expect(p, TOKEN_RBRACE, "to close the block");
}

vyrec_block parser_block(struct parser *p, vyrec_loc start)
{
	struct vyrec_list list = {0};
	vyrec_loc end = 0;
	uint32_t mark = p->scope.count;
	parse_braced(p, &list, &end);
	parser_close_scope(p, mark);
	return finish_block(p, &list, start, end);
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

static vyrec_expr parse_condition(struct parser *p)
{
	vyrec_expr condition = parser_expr(p);
	if (parser_at(p, TOKEN_ASSIGN))
		parser_syntax_error(p, parser_here(p), "'=' in a condition; compare with '=='");
	else
		condition = parser_coerce(p, condition, VYREC_BOOL, "the condition");
	recover_to_block(p);
	return condition;
}

static bool parse_if(struct parser *p, struct vyrec_stmt_node *node)
{
	node->expr[0] = parse_condition(p);
	node->body[0] = parser_block(p, node->loc);
	if (p->panic || !parser_at_word(p, "else"))
		return !p->panic;
	vyrec_loc start = parser_here(p);
	parser_advance(p);
	if (!parser_at_word(p, "if")) {
		node->body[1] = parser_block(p, start);
		return true;
	}
	if (p->nesting >= VYREC_MAX_NESTING) {
		parser_syntax_error(p, parser_here(p), "more than %d nested statements in an else-if chain; use switch",
				    VYREC_MAX_NESTING);
		return false;
	}
	struct vyrec_list list = {0};
	struct vyrec_stmt_node inner = {.kind = VYREC_STMT_IF, .loc = parser_here(p)};
	parser_advance(p);
	p->nesting++;
	if (parse_if(p, &inner))
		vyrec_list_push(&list, parser_new_stmt(p, inner));
	p->nesting--;
	vyrec_loc end =
	    inner.body[1] ? p->module->layout.block_ends[inner.body[1]] : p->module->layout.block_ends[inner.body[0]];
	node->body[1] = finish_block(p, &list, inner.loc, end);
	return true;
}

static bool parse_for(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_loc loc = parser_here(p);
	vyrec_name name = parser_expect_name(p, "a counter");
	unsigned count = 2, type;
	if (p->panic || !parser_expect_word(p, "in"))
		return false;
	node->expr[0] = parser_expr(p);
	if (parser_expect(p, TOKEN_DOTDOT, "between the ends of a for"))
		node->expr[1] = parser_expr(p);
	if (!p->panic && parser_at_word(p, "step")) {
		parser_advance(p);
		node->expr[2] = parser_expr(p);
		count = 3;
	}
	recover_to_block(p);
	type = p->panic || !node->expr[1] ? (unsigned)TYPE_POISON : parser_unify(p, node->expr, count, "a for", loc);
	if (type == TYPE_FLEX_FLOAT)
		type = VYREC_F32;
	if (parser_is_flex(type)) {
		type = VYREC_U32;
		for (unsigned i = 0; i < count; i++)
			node->expr[i] = parser_coerce(p, node->expr[i], VYREC_U32, "an end of a for");
	}
	if (type != TYPE_POISON && !vyrec_type_is_int(type)) {
		parser_error(p, loc, "a for over %s; count in integers and convert inside", parser_type_text(type));
		type = (vyrec_type)TYPE_POISON;
	}
	uint32_t mark = p->scope.count;
	node->local = parser_declare_local(p, name, VYREC_LOCAL_COUNTER, type, loc);
	node->body[0] = parser_block(p, node->loc);
	parser_close_scope(p, mark);
	return true;
}

static bool parse_loop(struct parser *p, struct vyrec_stmt_node *node)
{
	node->body[0] = parser_block(p, node->loc);
	return true;
}

static bool parse_case_value(struct parser *p, bool sint, uint32_t *value)
{
	uint64_t magnitude = 0;
	bool negative = sint && parser_accept(p, TOKEN_MINUS);
	if (!parser_expect_int(p,
			       negative ? UINT32_C(1) << 31
			       : sint	? INT32_MAX
					: UINT32_MAX,
			       "the value of a case", &magnitude))
		return false;
	*value = (uint32_t)(negative ? 0 - magnitude : magnitude);
	return true;
}

static bool parse_case(struct parser *p, bool sint, struct vyrec_list *pairs)
{
	uint32_t first = pairs->count, value = 0;
	vyrec_loc start = parser_here(p);
	parser_advance(p);
	do {
		if (!parse_case_value(p, sint, &value))
			break;
		vyrec_list_push(pairs, value);
		vyrec_list_push(pairs, 0);
		if (parser_over_limit(p, pairs->count / 2, VYREC_MAX_CASES, "cases of one switch"))
			break;
	} while (parser_accept(p, TOKEN_COMMA));
	recover_to_block(p);
	vyrec_block body = parser_block(p, start);
	for (uint32_t i = first; i < pairs->count; i += 2)
		pairs->items[i + 1] = body;
	return !p->panic;
}

static bool parse_switch(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list pairs = {0};
	vyrec_loc loc = parser_here(p);
	node->expr[0] = parser_settle(p, parser_expr(p));
	recover_to_block(p);
	unsigned type = p->module->exprs[node->expr[0]].type;
	if (type != VYREC_U32 && type != VYREC_I32 && type != TYPE_POISON)
		parser_error(p, loc, "a switch over %s; it takes u32 or i32, convert it", parser_type_text(type));
	if (!parser_expect(p, TOKEN_LBRACE, "to open the cases"))
		return false;
	while (!p->stop && !p->panic && !parser_at(p, TOKEN_RBRACE)) {
		if (parser_at_word(p, "case")) {
			parse_case(p, type == VYREC_I32, &pairs);
		} else if (parser_at_word(p, "default")) {
			if (node->body[0])
				parser_error(p, parser_here(p), "a switch has one default; remove this one");
			vyrec_loc start = parser_here(p);
			parser_advance(p);
			node->body[0] = parser_block(p, start);
		} else {
			parser_syntax_error(p, parser_here(p), "%s where a case is expected; write case or default",
					    lexer_kind_text(p->token.kind));
		}
	}
	if (p->panic)
		parser_recover(p);
	node->count = pairs.count / 2;
	node->list = vyrec_add_refs(p->module, pairs.items, pairs.count);
	vyrec_list_free(&pairs);
	p->switch_end = parser_here(p);
	return parser_expect(p, TOKEN_RBRACE, "to close the switch");
}

static bool parse_break(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_at(p, TOKEN_NAME) || p->token.newline)
		return true;
	char text[VYREC_MAX_NAME_BYTES + 1];
	vyrec_loc loc = parser_here(p);
	memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
	text[p->token.bytes] = 0;
	struct symbol s = *parser_find_symbol(p, parser_take_name(p));
	if (s.kind == SYMBOL_LOCAL && p->module->locals[s.index].kind == VYREC_LOCAL_LABEL)
		node->local = s.index;
	else
		parser_unknown_name(p, loc, text, "label", NEAR_LABEL);
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
	bool value =
	    !p->token.newline && !parser_at(p, TOKEN_RBRACE) && !parser_at(p, TOKEN_SEMI) && !parser_at(p, TOKEN_END);
	if (value && result == VYREC_VOID) {
		parser_error(p, parser_here(p),
			     p->fn ? "this fn has no result type; write '-> type' after its parameters"
				   : "only a fn returns a value; an op writes result(k, value)");
		parser_expr(p);
		return false;
	}
	if (!value && result != VYREC_VOID)
		parser_error(p, node->loc, "return without a value in a fn of type %s; give it one",
			     parser_type_text(result));
	if (value)
		node->expr[0] = parser_coerce(p, parser_expr(p), result, "the result");
	return true;
}

static bool parse_labelled(struct parser *p, struct vyrec_stmt_node *node)
{
	uint32_t mark = p->scope.count;
	if (parser_at(p, TOKEN_NAME)) {
		vyrec_loc loc = parser_here(p);
		node->local =
		    parser_declare_local(p, parser_expect_name(p, "a block"), VYREC_LOCAL_LABEL, VYREC_VOID, loc);
	}
	node->body[0] = parser_block(p, node->loc);
	parser_close_scope(p, mark);
	return true;
}

static bool parse_region(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list list = {0};
	vyrec_loc end = 0;
	node->name = parser_expect_string(p, "the name of a region");
	if (p->panic)
		return false;
	parse_braced(p, &list, &end);
	node->body[0] = finish_block(p, &list, node->loc, end);
	return true;
}

static bool parse_catch(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_open_group(p, TOKEN_LPAREN, "after catch"))
		return false;
	vyrec_loc code_loc = parser_here(p), detail_loc;
	vyrec_name code = parser_expect_name(p, "the code of a catch"), detail;
	parser_expect(p, TOKEN_COMMA, "after the code of a catch");
	detail_loc = parser_here(p);
	detail = parser_expect_name(p, "the detail of a catch");
	if (!parser_close_group(p, TOKEN_RPAREN, "after the detail of a catch"))
		return false;
	node->body[0] = parser_block(p, node->loc);
	node->local = parser_declare_local(p, code, VYREC_LOCAL_VAR, VYREC_U32, code_loc);
	node->local2 = parser_declare_local(p, detail, VYREC_LOCAL_VAR, VYREC_U32, detail_loc);
	return true;
}

/* ---- one statement ----------------------------------------------------------------------------------------------- */

static bool (*const readers[VYREC_STMT_COUNT])(struct parser *, struct vyrec_stmt_node *) = {
    [VYREC_STMT_LET] = parser_stmt_let,
    [VYREC_STMT_VAR] = parser_stmt_var,
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
    [VYREC_STMT_BARRIER] = parser_stmt_barrier,
    [VYREC_STMT_FENCE] = parser_stmt_fence,
    [VYREC_STMT_ASYNC_LOAD] = parser_stmt_async,
    [VYREC_STMT_ASYNC_STORE] = parser_stmt_async,
    [VYREC_STMT_ASYNC_WAIT] = parser_stmt_async_wait,
    [VYREC_STMT_DISPATCH] = parser_stmt_dispatch,
    [VYREC_STMT_TRAP] = parser_stmt_trap,
    [VYREC_STMT_LOG] = parser_stmt_log,
    [VYREC_STMT_RELAX] = parse_nothing,
    [VYREC_STMT_OPAQUE] = parser_stmt_opaque,
    [VYREC_STMT_RESULT] = parser_stmt_result,
    [VYREC_STMT_YIELD] = parse_nothing,
    [VYREC_STMT_REQUEUE] = parser_stmt_one_u32,
    [VYREC_STMT_PAUSE] = parser_stmt_one_u32,
    [VYREC_STMT_LOAD] = parser_stmt_load_statement,
    [VYREC_STMT_SPAWN] = parser_stmt_spawn,
    [VYREC_STMT_JOIN] = parse_nothing,
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
	    {"else", "an else follows the '}' of an if, or a spawn"},
	    {"case", "a case stands inside a switch"},
	};
	struct lexer second = p->lexer;
	second.diags = NULL;
	second.module = NULL;
	token_kind next = lexer_next(&second).kind;
	if (next == TOKEN_ASSIGN || next == TOKEN_LBRACKET)
		return false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (parser_at_word(p, rows[i][0])) {
			parser_syntax_error(p, parser_here(p), "'%s' is no statement here; %s", rows[i][0], rows[i][1]);
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
		return parser_stmt_assign(p, node);
	if (next.kind == TOKEN_LBRACKET)
		return parser_stmt_store(p, node);
	if (next.kind == TOKEN_NAME && !next.newline) {
		char text[VYREC_MAX_NAME_BYTES + 1];
		vyrec_loc loc = parser_here(p);
		memcpy(text, p->lexer.text + p->token.start, p->token.bytes);
		text[p->token.bytes] = 0;
		parser_unknown_name(p, loc, text, "statement", NEAR_STMT);
		p->panic = true;
		return false;
	}
	return parser_stmt_call(p, node);
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
	struct vyrec_stmt_node node = {.loc = parser_here(p)};
	struct word word = parser_word(p);
	bool good;
	if (parser_at_word(p, "shared")) {
		parser_syntax_error(p, parser_here(p),
				    "shared arrays stand at the start of an op, or in a program; move it there");
		return false;
	}
	if (word.kind == WORD_STMT && readers[word.code]) {
		node.kind = (uint8_t)word.code;
		parser_advance(p);
		good = readers[word.code](p, &node);
	} else if (parser_at(p, TOKEN_NAME)) {
		good = parse_named(p, &node);
	} else {
		parser_syntax_error(p, parser_here(p),
				    "a statement cannot start with %s; an operator stands at the end of the line "
				    "before",
				    lexer_kind_text(p->token.kind));
		good = false;
	}
	if (good && !p->panic) {
		struct vyrec_layout *layout = &p->module->layout;
		vyrec_stmt stmt = parser_new_stmt(p, node);
		vyrec_list_push(list, stmt);
		if (node.kind == VYREC_STMT_SWITCH)
			parser_note_place(&layout->switch_ends, &layout->switch_end_capacity, stmt, p->switch_end);
	}
	if (!p->panic && !is_block_kind(node.kind) && !node.body[0])
		parser_end_statement(p);
	return good;
}
