/* parse_item.c - the first reading of a unit: its declarations, with bodies and const expressions skipped.
 *
 * Bodies are skipped by counting braces, and expressions to the end of their statement; where each begins is kept, for the
 * second reading (parse.c), when all names of the unit are known.
 */
#include "ir/parse.h"

/* A parser state to come back to: the second reading says nothing about bytes and keeps no comments. */
static struct lexer silent(struct lexer lexer)
{
	lexer.diags = NULL;
	lexer.module = NULL;
	return lexer;
}

/* Skips `{ ... }`. */
static bool skip_braces(struct parser *p)
{
	unsigned depth = 0;
	if (!parser_at(p, TOKEN_LBRACE))
		return parser_expect(p, TOKEN_LBRACE, "to open a body");
	vyrec_loc open = parser_here(p);
	do {
		if (parser_at(p, TOKEN_END)) {
			p->panic = false;
			parser_syntax_error(p, open, "this '{' is never closed; add '}'");
			return false;
		}
		depth += parser_at(p, TOKEN_LBRACE);
		depth -= parser_at(p, TOKEN_RBRACE);
		parser_advance(p);
	} while (depth);
	p->panic = p->stop; /* bad bytes inside are reported; what they break is seen on the second reading */
	return true;
}

/* Skips an expression to the end of its statement. */
static void skip_expression(struct parser *p)
{
	unsigned depth = 0;
	bool goes_on = true;
	while (!parser_at(p, TOKEN_END) && !parser_at(p, TOKEN_RBRACE) && !parser_at(p, TOKEN_SEMI)) {
		if (p->token.newline && !depth && !goes_on)
			break;
		goes_on = lexer_is_infix(p->token.kind) || parser_at(p, TOKEN_COMMA);
		depth += parser_at(p, TOKEN_LPAREN) || parser_at(p, TOKEN_LBRACKET);
		depth -= depth && (parser_at(p, TOKEN_RPAREN) || parser_at(p, TOKEN_RBRACKET));
		parser_advance(p);
	}
	p->panic = p->stop;
}

static void keep_body(struct parser *p, vyrec_fn fn, vyrec_handler handler, vyrec_loc start)
{
	p->bodies = vyrec_grow(p->bodies, &p->body_capacity, p->body_count + 1, sizeof *p->bodies);
	p->bodies[p->body_count++] = (struct pending_body){silent(p->lexer), p->token, p->unit, fn, handler, start};
}

/* ( NAME : type, ... ) */
static uint32_t parse_params(struct parser *p, uint32_t *count)
{
	vyrec_local params[VYREC_MAX_PARAMS];
	unsigned n = 0;
	*count = 0;
	if (!parser_open_group(p, TOKEN_LPAREN, "before the parameters"))
		return 0;
	while (parser_at(p, TOKEN_NAME)) {
		vyrec_loc loc = parser_here(p);
		vyrec_type type;
		vyrec_name name = parser_expect_name(p, "a parameter");
		if (!parser_expect(p, TOKEN_COLON, "after the name of a parameter") ||
		    !parser_expect_type(p, false, &type))
			return 0;
		if (n == VYREC_MAX_PARAMS) {
			parser_syntax_error(p, loc, "more than %d parameters; pass the others in a buffer",
					    VYREC_MAX_PARAMS);
			return 0;
		}
		params[n++] = vyrec_add_local(p->module, name, VYREC_LOCAL_PARAM, type, loc);
		if (!parser_accept(p, TOKEN_COMMA))
			break;
	}
	if (!parser_close_group(p, TOKEN_RPAREN, "after the parameters"))
		return 0;
	*count = n;
	return vyrec_add_refs(p->module, params, n);
}

/* Items are gathered apart: the unit's list is to be one run, and parameters go to the same table. */
static void add_item(struct parser *p, vyrec_item item, uint32_t index)
{
	vyrec_list_push(&p->items, item);
	vyrec_list_push(&p->items, index);
}

static void parse_buffer(struct parser *p)
{
#define X(name, value, text) text,
	static const char *const classes[] = {"", VYRE_BUFFER_CLASS_LIST(X)};
#undef X
	struct vyrec_array_node node = {.class_ = VYREC_CLASS_PLAIN};
	vyrec_type element;
	uint64_t count = 0;
	parser_advance(p);
	node.loc = parser_here(p);
	node.name = parser_expect_name(p, "a buffer");
	if (p->panic || !parser_expect(p, TOKEN_COLON, "after the name of a buffer"))
		return;
	for (unsigned i = VYREC_CLASS_CONST; i <= VYREC_CLASS_LIVE; i++)
		if (i != VYREC_CLASS_PLAIN && parser_at_word(p, classes[i])) {
			node.class_ = (uint8_t)i;
			parser_advance(p);
			break;
		}
	if (!parser_expect_type(p, true, &element) ||
	    !parser_open_group(p, TOKEN_LBRACKET, "after the element type of a buffer"))
		return;
	if (parser_at(p, TOKEN_INT) && parser_expect_int(p, UINT32_MAX, "the number of elements", &count) && !count)
		parser_error(p, p->previous.loc, "buffer of 0 elements; write [] for a length known at run time");
	if (!parser_close_group(p, TOKEN_RBRACKET, "after the number of elements"))
		return;
	node.element = (uint8_t)element;
	node.count = (uint32_t)count;
	if (parser_over_limit(p, p->module->array_count, VYREC_MAX_ARRAYS,
			      "buffers, shared and local arrays in one module"))
		return;
	vyrec_array array = vyrec_add_array(p->module, &node);
	parser_declare(p, node.name, SYMBOL_ARRAY, array, node.loc);
	add_item(p, VYREC_ITEM_BUFFER, array);
}

static void parse_const(struct parser *p)
{
	struct vyrec_const_node node = {.loc = 0};
	vyrec_type type = VYREC_VOID;
	parser_advance(p);
	node.loc = parser_here(p);
	node.name = parser_expect_name(p, "a const");
	bool typed = !p->panic && parser_accept(p, TOKEN_COLON) && parser_expect_type(p, false, &type);
	if (!parser_expect(p, TOKEN_ASSIGN, "after the name of a const; a const has a value"))
		return;
	vyrec_const index = vyrec_add_const(p->module, &node);
	p->consts = vyrec_grow(p->consts, &p->const_capacity, index + 1, sizeof *p->consts);
	p->consts[index] = (struct pending_const){silent(p->lexer), p->token, (uint8_t)type, 0};
	if (typed) {
		struct vyrec_layout *layout = &p->module->layout;
		layout->typed_consts = vyrec_grow(layout->typed_consts, &layout->typed_const_capacity, index + 1, 1);
		layout->typed_consts[index] = 1;
	}
	parser_declare(p, node.name, SYMBOL_CONST, index, node.loc);
	add_item(p, VYREC_ITEM_CONST, index);
	skip_expression(p);
}

vyrec_fn parser_fn(struct parser *p)
{
	struct vyrec_fn_node node = {.unit = p->unit};
	vyrec_type result = VYREC_VOID;
	parser_advance(p);
	node.loc = parser_here(p);
	struct word word = parser_word(p);
	if (!p->prelude && word.kind != WORD_NONE && word.kind != WORD_POLICY && word.kind != WORD_KEYWORD &&
	    word.kind != WORD_STMT && word.kind != WORD_TYPE) {
		parser_error(p, node.loc,
			     "'%.*s' is an operation of the language and cannot name a fn; choose another name",
			     (int)p->token.bytes, p->lexer.text + p->token.start);
		node.name = parser_take_name(p);
	} else {
		node.name =
		    p->prelude && parser_at(p, TOKEN_NAME) ? parser_take_name(p) : parser_expect_name(p, "a fn");
	}
	if (p->panic)
		return 0;
	node.params = parse_params(p, &node.param_count);
	if (!p->panic && parser_accept(p, TOKEN_ARROW))
		parser_expect_type(p, false, &result);
	node.result = (uint8_t)result;
	if (p->panic)
		return 0;
	vyrec_fn fn = vyrec_add_fn(p->module, &node);
	keep_body(p, fn, 0, node.loc);
	return fn;
}

static void parse_fn_item(struct parser *p)
{
	vyrec_fn fn = parser_fn(p);
	if (!fn)
		return;
	parser_declare(p, p->module->fns[fn].name, SYMBOL_FN, fn, p->module->fns[fn].loc);
	add_item(p, VYREC_ITEM_FN, fn);
	skip_braces(p);
}

static void parse_op(struct parser *p)
{
	struct vyrec_handler_node node = {.granularity = VYRE_BY_LANE};
	uint64_t opcode = 0, width = 0;
	parser_advance(p);
	node.loc = parser_here(p);
	node.name = parser_expect_name(p, "an op");
	if (p->panic || !parser_expect(p, TOKEN_ASSIGN, "after the name of an op") ||
	    !parser_expect_int(p, UINT32_MAX, "the opcode", &opcode))
		return;
	node.opcode = (uint32_t)opcode;
	node.params = parse_params(p, &node.param_count);
	if (p->panic || !parser_expect_word(p, "by"))
		return;
	if (parser_at_word(p, "workgroup")) {
		node.granularity = VYRE_BY_WORKGROUP;
		parser_advance(p);
		if (parser_at(p, TOKEN_LPAREN) && parser_open_group(p, TOKEN_LPAREN, "")) {
			if (parser_expect_int(p, VYREC_MAX_LANES, "the width of a workgroup", &width) && !width)
				parser_error(p, p->previous.loc,
					     "workgroup of 0 lanes; write 'by workgroup' for any width");
			parser_close_group(p, TOKEN_RPAREN, "after the width of a workgroup");
		}
	} else if (!parser_expect_word(p, "lane")) {
		return;
	}
	node.width = (uint32_t)width;
	vyrec_handler handler = vyrec_add_handler(p->module, &node);
	parser_over_limit(p, ++p->op_count, VYREC_MAX_OPS, "ops in one set");
	p->ops = vyrec_grow(p->ops, &p->op_capacity, node.name + 1, sizeof *p->ops);
	if (p->ops[node.name])
		parser_error(p, node.loc, "op '%s' is already declared in this set; choose another name",
			     vyrec_name_text(p->module, node.name));
	p->ops[node.name] = handler;
	add_item(p, VYREC_ITEM_HANDLER, handler);
	keep_body(p, 0, handler, node.loc);
	skip_braces(p);
}

static void parse_program_body(struct parser *p)
{
	vyrec_loc loc = parser_here(p);
	parser_advance(p);
	if (p->module->units[p->unit].kind != VYRE_UNIT_PROGRAM)
		parser_error(p, loc, "a set has no body; write ops, or make it a program");
	for (uint32_t i = 0; i < p->body_count; i++)
		if (!p->bodies[i].fn && !p->bodies[i].handler && p->bodies[i].unit == p->unit)
			parser_error(p, loc, "a program has one body; remove this one");
	keep_body(p, 0, 0, loc);
	skip_braces(p);
}

static void parse_shared_item(struct parser *p)
{
	if (p->module->units[p->unit].kind == VYRE_UNIT_SET)
		parser_error(p, parser_here(p),
			     "a shared array of a set; declare it at the start of the op that uses it");
	vyrec_array array = parser_shared(p);
	if (array)
		add_item(p, VYREC_ITEM_SHARED, array);
}

void parser_item(struct parser *p)
{
	static const struct {
		const char *word;
		void (*read)(struct parser *);
	} items[] = {{"buffer", parse_buffer}, {"const", parse_const},	     {"fn", parse_fn_item},
		     {"op", parse_op},	       {"body", parse_program_body}, {"shared", parse_shared_item}};
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		if (parser_at_word(p, items[i].word)) {
			items[i].read(p);
			if (p->panic)
				parser_recover(p);
			else if (p->previous.kind != TOKEN_RBRACE)
				parser_end_statement(p);
			return;
		}
	parser_syntax_error(p, parser_here(p), "%s where a declaration is expected; write buffer, const, fn%s",
			    lexer_kind_text(p->token.kind),
			    p->module->units[p->unit].kind == VYRE_UNIT_SET ? " or op" : ", shared or body");
	parser_recover(p);
}
