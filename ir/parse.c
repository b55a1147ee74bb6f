/* parse.c - reads a file: units, their items, the fns of the prelude.
 *
 * Names of a unit may be used before they are declared, so a unit is read twice: first the headers of its items, skipping
 * bodies and const expressions by counting braces; then those, with the lexer put back to where each began. Comments are
 * kept on the first reading alone. Fns of the prelude are read like bodies, when a call asks for them.
 * Invariant: whatever the input, every loop consumes a token or ends, recursion is bounded by the limits of module.h, and
 * after `stop` nothing more is read.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/parse.h"

extern const char vyrec_math_text[];
extern const size_t vyrec_math_text_bytes;

/* ---- errors and limits ------------------------------------------------------------------------------------------- */

static void vreport(struct parser *p, vyrec_loc loc, const char *format, va_list args)
{
	char message[1024];
	vsnprintf(message, sizeof message, format, args);
	vyrec_diags_add(p->diags, VYREC_ERROR, "", loc, "%s%s", p->prelude ? "in the prelude: " : "", message);
	if (p->diags->errors >= VYREC_MAX_ERRORS)
		p->stop = p->panic = true;
}

void report(struct parser *p, vyrec_loc loc, const char *format, ...)
{
	va_list args;
	if (p->panic)
		return;
	va_start(args, format);
	vreport(p, loc, format, args);
	va_end(args);
}

void syntax_error(struct parser *p, vyrec_loc loc, const char *format, ...)
{
	va_list args;
	if (p->panic)
		return;
	va_start(args, format);
	if (p->token.kind != TOKEN_ERROR) /* the lexer has spoken */
		vreport(p, loc, format, args);
	va_end(args);
	p->panic = true;
}

bool over_limit(struct parser *p, uint64_t count, uint64_t limit, const char *what)
{
	if (count <= limit || p->stop)
		return p->stop;
	p->panic = false;
	report(p, here(p), "more than %llu %s; split the file or make it smaller", (unsigned long long)limit, what);
	p->stop = p->panic = true;
	return true;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static unsigned depth_under(const struct parser *p, const struct vyrec_expr_node *node)
{
	unsigned depth = 0;
	for (unsigned i = 0; i < 3; i++)
		if (p->notes[node->arg[i]].depth > depth)
			depth = p->notes[node->arg[i]].depth;
	for (unsigned i = 0; node->kind == VYREC_EXPR_CALL && i < node->count; i++)
		if (p->notes[p->module->refs[node->list + i]].depth > depth)
			depth = p->notes[p->module->refs[node->list + i]].depth;
	return depth + 1;
}

vyrec_expr new_expr(struct parser *p, struct vyrec_expr_node node)
{
	unsigned depth = depth_under(p, &node);
	if (depth > VYREC_MAX_EXPR_DEPTH) {
		syntax_error(p, node.loc, "expressions nest deeper than %d; name a part of it with let",
			     VYREC_MAX_EXPR_DEPTH);
		node = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = TYPE_POISON, .loc = node.loc};
		depth = 1;
	}
	over_limit(p, p->module->expr_count + p->module->stmt_count, VYREC_MAX_NODES,
		   "statements and expressions in one module");
	vyrec_expr expr = vyrec_add_expr(p->module, &node);
	p->notes = vyrec_grow(p->notes, &p->note_capacity, expr + 1, sizeof *p->notes);
	p->notes[expr].depth = (uint8_t)depth;
	return expr;
}

vyrec_stmt new_stmt(struct parser *p, struct vyrec_stmt_node node)
{
	over_limit(p, p->module->expr_count + p->module->stmt_count, VYREC_MAX_NODES,
		   "statements and expressions in one module");
	return vyrec_add_stmt(p->module, &node);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

void advance(struct parser *p)
{
	p->previous = p->token;
	if (p->stop) {
		p->token = (struct token){.kind = TOKEN_END, .newline = true, .loc = p->token.loc};
		return;
	}
	p->token = lexer_next(&p->lexer);
	if (p->token.kind == TOKEN_ERROR)
		p->panic = true;
}

vyrec_loc here(const struct parser *p)
{
	return p->prelude ? 0 : p->token.loc;
}

bool at(const struct parser *p, token_kind kind)
{
	return p->token.kind == kind;
}

bool at_word(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_NAME && strlen(word) == p->token.bytes &&
	       !memcmp(word, p->lexer.text + p->token.start, p->token.bytes);
}

bool accept(struct parser *p, token_kind kind)
{
	if (!at(p, kind))
		return false;
	advance(p);
	return true;
}

bool expect(struct parser *p, token_kind kind, const char *where)
{
	if (accept(p, kind))
		return true;
	syntax_error(p, here(p), "%s where %s is expected %s; write it", token_kind_text(p->token.kind),
		     token_kind_text(kind), where);
	return false;
}

bool expect_word(struct parser *p, const char *word)
{
	if (at_word(p, word)) {
		advance(p);
		return true;
	}
	syntax_error(p, here(p), "%s where '%s' is expected; write it", token_kind_text(p->token.kind), word);
	return false;
}

bool expect_int(struct parser *p, uint64_t greatest, const char *what, uint64_t *value)
{
	if (!at(p, TOKEN_INT)) {
		syntax_error(p, here(p), "%s where %s is expected; write an integer", token_kind_text(p->token.kind),
			     what);
		return false;
	}
	*value = p->token.value;
	if (*value > greatest) {
		report(p, here(p), "%s is %llu; the greatest is %llu", what, (unsigned long long)*value,
		       (unsigned long long)greatest);
		*value = greatest;
	}
	advance(p);
	return true;
}

vyrec_name expect_string(struct parser *p, const char *what)
{
	char text[VYREC_MAX_STRING_BYTES + 1];
	const char *why = NULL;
	size_t bytes = 0;
	if (!at(p, TOKEN_STRING)) {
		syntax_error(p, here(p), "%s where %s is expected; write a string", token_kind_text(p->token.kind),
			     what);
		return 0;
	}
	if (!token_decode_string(&p->lexer, &p->token, text, &bytes, &why)) {
		report(p, here(p), "%s", why);
		bytes = 0;
	}
	advance(p);
	return vyrec_intern(p->module, text, bytes);
}

bool open_group(struct parser *p, token_kind kind, const char *where)
{
	if (!at(p, kind))
		return expect(p, kind, where);
	p->groups++;
	advance(p);
	return true;
}

bool close_group(struct parser *p, token_kind kind, const char *where)
{
	if (p->panic)
		return false;
	if (p->groups)
		p->groups--;
	return expect(p, kind, where);
}

/* ---- the first reading: headers ---------------------------------------------------------------------------------- */

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
	if (!at(p, TOKEN_LBRACE))
		return expect(p, TOKEN_LBRACE, "to open a body");
	vyrec_loc open = here(p);
	do {
		if (at(p, TOKEN_END)) {
			p->panic = false;
			syntax_error(p, open, "this '{' is never closed; add '}'");
			return false;
		}
		depth += at(p, TOKEN_LBRACE);
		depth -= at(p, TOKEN_RBRACE);
		advance(p);
	} while (depth);
	p->panic = p->stop; /* bad bytes inside are reported; what they break is seen on the second reading */
	return true;
}

/* Skips an expression to the end of its statement. */
static void skip_expression(struct parser *p)
{
	unsigned depth = 0;
	bool goes_on = true;
	while (!at(p, TOKEN_END) && !at(p, TOKEN_RBRACE) && !at(p, TOKEN_SEMI)) {
		if (p->token.newline && !depth && !goes_on)
			break;
		goes_on = token_is_infix(p->token.kind) || at(p, TOKEN_COMMA);
		depth += at(p, TOKEN_LPAREN) || at(p, TOKEN_LBRACKET);
		depth -= depth && (at(p, TOKEN_RPAREN) || at(p, TOKEN_RBRACKET));
		advance(p);
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
	if (!open_group(p, TOKEN_LPAREN, "before the parameters"))
		return 0;
	while (at(p, TOKEN_NAME)) {
		vyrec_loc loc = here(p);
		vyrec_type type;
		vyrec_name name = expect_name(p, "a parameter");
		if (!expect(p, TOKEN_COLON, "after the name of a parameter") || !expect_type(p, false, &type))
			return 0;
		if (n == VYREC_MAX_PARAMS) {
			syntax_error(p, loc, "more than %d parameters; pass the others in a buffer", VYREC_MAX_PARAMS);
			return 0;
		}
		params[n++] = vyrec_add_local(p->module, name, VYREC_LOCAL_PARAM, type, loc);
		if (!accept(p, TOKEN_COMMA))
			break;
	}
	if (!close_group(p, TOKEN_RPAREN, "after the parameters"))
		return 0;
	*count = n;
	return vyrec_add_refs(p->module, params, n);
}

static void parse_buffer(struct parser *p)
{
#define X(name, value, text) text,
	static const char *const classes[] = {"", VYRE_BUFFER_CLASS_LIST(X)};
#undef X
	struct vyrec_array_node node = {.class_ = VYREC_CLASS_PLAIN};
	vyrec_type element;
	uint64_t count = 0;
	advance(p);
	node.loc = here(p);
	node.name = expect_name(p, "a buffer");
	if (p->panic || !expect(p, TOKEN_COLON, "after the name of a buffer"))
		return;
	for (unsigned i = VYREC_CLASS_CONST; i <= VYREC_CLASS_LIVE; i++)
		if (i != VYREC_CLASS_PLAIN && at_word(p, classes[i])) {
			node.class_ = (uint8_t)i;
			advance(p);
			break;
		}
	if (!expect_type(p, true, &element) || !open_group(p, TOKEN_LBRACKET, "after the element type of a buffer"))
		return;
	if (at(p, TOKEN_INT) && expect_int(p, UINT32_MAX, "the number of elements", &count) && !count)
		report(p, p->previous.loc, "buffer of 0 elements; write [] for a length known at run time");
	if (!close_group(p, TOKEN_RBRACKET, "after the number of elements"))
		return;
	node.element = (uint8_t)element;
	node.count = (uint32_t)count;
	if (over_limit(p, p->module->array_count, VYREC_MAX_ARRAYS, "buffers, shared and local arrays in one module"))
		return;
	vyrec_array array = vyrec_add_array(p->module, &node);
	declare(p, node.name, SYMBOL_ARRAY, array, node.loc);
	vyrec_unit_add_item(p->module, p->unit, VYREC_ITEM_BUFFER, array);
}

static void parse_const(struct parser *p)
{
	struct vyrec_const_node node = {.loc = 0};
	vyrec_type type = VYREC_VOID;
	advance(p);
	node.loc = here(p);
	node.name = expect_name(p, "a const");
	bool typed = !p->panic && accept(p, TOKEN_COLON) && expect_type(p, false, &type);
	if (!expect(p, TOKEN_ASSIGN, "after the name of a const; a const has a value"))
		return;
	vyrec_const index = vyrec_add_const(p->module, &node);
	p->consts = vyrec_grow(p->consts, &p->const_capacity, index + 1, sizeof *p->consts);
	p->consts[index] = (struct pending_const){silent(p->lexer), p->token, (uint8_t)type, 0};
	if (typed) {
		struct vyrec_layout *layout = &p->module->layout;
		layout->typed_consts = vyrec_grow(layout->typed_consts, &layout->typed_const_capacity, index + 1, 1);
		layout->typed_consts[index] = 1;
	}
	declare(p, node.name, SYMBOL_CONST, index, node.loc);
	vyrec_unit_add_item(p->module, p->unit, VYREC_ITEM_CONST, index);
	skip_expression(p);
}

static vyrec_fn parse_fn(struct parser *p)
{
	struct vyrec_fn_node node = {.unit = p->unit};
	vyrec_type result = VYREC_VOID;
	advance(p);
	node.loc = here(p);
	struct word word = token_word(p);
	if (!p->prelude && word.kind != WORD_NONE && word.kind != WORD_POLICY && word.kind != WORD_KEYWORD &&
	    word.kind != WORD_STMT && word.kind != WORD_TYPE) {
		report(p, node.loc, "'%.*s' is an operation of the language and cannot name a fn; choose another name",
		       (int)p->token.bytes, p->lexer.text + p->token.start);
		node.name = take_name(p);
	} else {
		node.name = p->prelude && at(p, TOKEN_NAME) ? take_name(p) : expect_name(p, "a fn");
	}
	if (p->panic)
		return 0;
	node.params = parse_params(p, &node.param_count);
	if (!p->panic && accept(p, TOKEN_ARROW))
		expect_type(p, false, &result);
	node.result = (uint8_t)result;
	if (p->panic)
		return 0;
	vyrec_fn fn = vyrec_add_fn(p->module, &node);
	keep_body(p, fn, 0, node.loc);
	return fn;
}

static void parse_fn_item(struct parser *p)
{
	vyrec_fn fn = parse_fn(p);
	if (!fn)
		return;
	declare(p, p->module->fns[fn].name, SYMBOL_FN, fn, p->module->fns[fn].loc);
	vyrec_unit_add_item(p->module, p->unit, VYREC_ITEM_FN, fn);
	skip_braces(p);
}

static void parse_op(struct parser *p)
{
	struct vyrec_handler_node node = {.granularity = VYRE_BY_LANE};
	uint64_t opcode = 0, width = 0;
	advance(p);
	node.loc = here(p);
	node.name = expect_name(p, "an op");
	if (p->panic || !expect(p, TOKEN_ASSIGN, "after the name of an op") ||
	    !expect_int(p, UINT32_MAX, "the opcode", &opcode))
		return;
	node.opcode = (uint32_t)opcode;
	node.params = parse_params(p, &node.param_count);
	if (p->panic || !expect_word(p, "by"))
		return;
	if (at_word(p, "workgroup")) {
		node.granularity = VYRE_BY_WORKGROUP;
		advance(p);
		if (at(p, TOKEN_LPAREN) && open_group(p, TOKEN_LPAREN, "")) {
			if (expect_int(p, VYREC_MAX_LANES, "the width of a workgroup", &width) && !width)
				report(p, p->previous.loc, "workgroup of 0 lanes; write 'by workgroup' for any width");
			close_group(p, TOKEN_RPAREN, "after the width of a workgroup");
		}
	} else if (!expect_word(p, "lane")) {
		return;
	}
	node.width = (uint32_t)width;
	vyrec_handler handler = vyrec_add_handler(p->module, &node);
	over_limit(p, ++p->op_count, VYREC_MAX_OPS, "ops in one set");
	p->ops = vyrec_grow(p->ops, &p->op_capacity, node.name + 1, sizeof *p->ops);
	if (p->ops[node.name])
		report(p, node.loc, "op '%s' is already declared in this set; choose another name",
		       vyrec_name_text(p->module, node.name));
	p->ops[node.name] = handler;
	vyrec_unit_add_item(p->module, p->unit, VYREC_ITEM_HANDLER, handler);
	keep_body(p, 0, handler, node.loc);
	skip_braces(p);
}

static void parse_program_body(struct parser *p)
{
	vyrec_loc loc = here(p);
	advance(p);
	if (p->module->units[p->unit].kind != VYRE_UNIT_PROGRAM)
		report(p, loc, "a set has no body; write ops, or make it a program");
	for (uint32_t i = 0; i < p->body_count; i++)
		if (!p->bodies[i].fn && !p->bodies[i].handler && p->bodies[i].unit == p->unit)
			report(p, loc, "a program has one body; remove this one");
	keep_body(p, 0, 0, loc);
	skip_braces(p);
}

static void parse_shared_item(struct parser *p)
{
	if (p->module->units[p->unit].kind == VYRE_UNIT_SET)
		report(p, here(p), "a shared array of a set; declare it at the start of the op that uses it");
	vyrec_array array = parser_shared(p);
	if (array)
		vyrec_unit_add_item(p->module, p->unit, VYREC_ITEM_SHARED, array);
}

static void parse_item(struct parser *p)
{
	static const struct {
		const char *word;
		void (*read)(struct parser *);
	} items[] = {{"buffer", parse_buffer}, {"const", parse_const},	     {"fn", parse_fn_item},
		     {"op", parse_op},	       {"body", parse_program_body}, {"shared", parse_shared_item}};
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		if (at_word(p, items[i].word)) {
			items[i].read(p);
			if (p->panic)
				recover(p);
			else if (p->previous.kind != TOKEN_RBRACE)
				end_statement(p);
			return;
		}
	syntax_error(p, here(p), "%s where a declaration is expected; write buffer, const, fn%s",
		     token_kind_text(p->token.kind),
		     p->module->units[p->unit].kind == VYRE_UNIT_SET ? " or op" : ", shared or body");
	recover(p);
}

/* ---- the second reading: bodies ---------------------------------------------------------------------------------- */

struct reading { /* where the first reading stands */
	struct lexer lexer;
	struct token token, previous;
	bool panic, prelude;
	unsigned groups, expr_depth, nesting;
};

static struct reading go_to(struct parser *p, struct lexer lexer, struct token token)
{
	struct reading saved = {p->lexer,   p->token,  p->previous,   p->panic,
				p->prelude, p->groups, p->expr_depth, p->nesting};
	p->lexer = lexer;
	p->token = token;
	p->panic = p->stop;
	p->groups = p->expr_depth = p->nesting = 0;
	return saved;
}

static void come_back(struct parser *p, const struct reading *saved)
{
	p->lexer = saved->lexer;
	p->token = saved->token;
	p->previous = saved->previous;
	p->panic = saved->panic || p->stop;
	p->prelude = saved->prelude;
	p->groups = saved->groups;
	p->expr_depth = saved->expr_depth;
	p->nesting = saved->nesting;
}

static bool eval_expr(struct parser *p, vyrec_expr expr, uint64_t *value)
{
	struct vyrec_expr_node node = p->module->exprs[expr];
	uint64_t v[3] = {0};
	*value = 0;
	if (node.type == TYPE_POISON)
		return false;
	switch (node.kind) {
	case VYREC_EXPR_LIT:
		*value = node.imm;
		return true;
	case VYREC_EXPR_CONST:
		*value = p->module->consts[node.sym].value;
		return true;
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		if (!eval_expr(p, node.arg[0], &v[0]) || !eval_expr(p, node.arg[1], &v[1]))
			return false;
		*value = node.kind == VYREC_EXPR_ANDALSO ? v[0] & v[1] : v[0] | v[1];
		return true;
	case VYREC_EXPR_OP:
		for (unsigned i = 0; i < vyrec_op_get_info(node.code)->arg_count; i++)
			if (!eval_expr(p, node.arg[i], &v[i]))
				return false;
		*value = vyrec_eval(node.code, p->module->exprs[node.arg[node.code == VYREC_OP_select ? 1 : 0]].type,
				    v[0], v[1], v[2]);
		return true;
	default:
		report(p, node.loc,
		       "this is not known when compiling; a const is made of literals, consts and operations");
		return false;
	}
}

void parser_eval_const(struct parser *p, vyrec_const index)
{
	struct pending_const pending = p->consts[index];
	if (pending.state == 2)
		return;
	struct vyrec_const_node *node = &p->module->consts[index];
	if (pending.state == 1 || p->const_depth >= VYREC_MAX_EXPR_DEPTH) {
		if (pending.state == 1)
			report(p, node->loc, "const '%s' needs itself; break the circle",
			       vyrec_name_text(p->module, node->name));
		else
			report(p, node->loc, "consts that need later consts nest deeper than %d; declare them in order",
			       VYREC_MAX_EXPR_DEPTH);
		node->type = TYPE_POISON;
		return;
	}
	p->consts[index].state = 1;
	p->const_depth++;
	struct reading saved = go_to(p, pending.lexer, pending.token);
	vyrec_expr expr = parse_expr(p);
	expr = pending.type ? coerce(p, expr, pending.type, "the value") : settle(p, expr);
	uint64_t value = 0;
	bool good = eval_expr(p, expr, &value);
	if (!p->panic)
		end_statement(p);
	come_back(p, &saved);
	p->const_depth--;
	node = &p->module->consts[index];
	node->type = good ? p->module->exprs[expr].type : TYPE_POISON;
	node->value = value;
	node->expr = expr;
	p->consts[index].state = 2;
}

static void declare_params(struct parser *p, uint32_t params, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		vyrec_local local = p->module->refs[params + i];
		struct vyrec_local_node node = p->module->locals[local];
		declare(p, node.name, SYMBOL_LOCAL, local, node.loc);
	}
}

/* `shared` statements at the start of an op's body stand inside its braces: read them, and go on behind. */
static void parse_op_shared(struct parser *p, vyrec_handler handler)
{
	struct vyrec_list shared = {0};
	p->handler = handler;
	p->op_shared = &shared;
	vyrec_block body = parse_block(p, p->module->handlers[handler].loc);
	struct vyrec_handler_node *node = &p->module->handlers[handler];
	node->body = body;
	node->shared_count = shared.count;
	node->shared = vyrec_add_refs(p->module, shared.items, shared.count);
	vyrec_list_free(&shared);
	p->op_shared = NULL;
	p->handler = 0;
}

static void parse_body(struct parser *p, uint32_t index)
{
	struct pending_body pending = p->bodies[index];
	struct reading saved = go_to(p, pending.lexer, pending.token);
	uint32_t mark = p->scope.count;
	p->prelude = pending.unit == 0;
	if (pending.fn) {
		struct vyrec_fn_node fn = p->module->fns[pending.fn];
		declare_params(p, fn.params, fn.param_count);
		p->fn = pending.fn;
		vyrec_block body = parse_block(p, pending.start);
		p->module->fns[pending.fn].body = body;
		p->fn = 0;
	} else if (pending.handler) {
		struct vyrec_handler_node handler = p->module->handlers[pending.handler];
		declare_params(p, handler.params, handler.param_count);
		parse_op_shared(p, pending.handler);
	} else {
		vyrec_block body = parse_block(p, pending.start);
		p->module->units[pending.unit].body = body;
	}
	close_scope(p, mark);
	come_back(p, &saved);
}

static void read_unit_bodies(struct parser *p)
{
	struct vyrec_unit_node unit = p->module->units[p->unit];
	for (uint32_t i = 0; i < unit.item_count && !p->stop; i++)
		if (p->module->refs[unit.items + 2 * i] == VYREC_ITEM_CONST)
			parser_eval_const(p, p->module->refs[unit.items + 2 * i + 1]);
	for (uint32_t i = 0; i < p->body_count && !p->stop; i++)
		if (p->bodies[i].unit == p->unit)
			parse_body(p, i);
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

static void parse_workgroup(struct parser *p, uint32_t size[3])
{
	uint64_t lanes = 1;
	if (!expect_word(p, "workgroup") || !open_group(p, TOKEN_LPAREN, "after workgroup"))
		return;
	vyrec_loc loc = here(p);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t value = 1;
		if (i && !accept(p, TOKEN_COMMA))
			break;
		if (!expect_int(p, VYREC_MAX_LANES, "the size of a workgroup", &value))
			return;
		if (!value)
			report(p, p->previous.loc, "workgroup of 0 lanes; write at least 1");
		size[i] = (uint32_t)value;
		lanes *= value;
	}
	if (lanes > VYREC_MAX_LANES)
		report(p, loc, "workgroup of %llu lanes; the limit is %d", (unsigned long long)lanes, VYREC_MAX_LANES);
	close_group(p, TOKEN_RPAREN, "after the size of the workgroup");
}

static void parse_feed(struct parser *p, uint8_t *feed)
{
#define X(name, value, text) text,
	static const char *const feeds[] = {VYRE_FEED_LIST(X)};
#undef X
	if (!at_word(p, "feed"))
		return;
	advance(p);
	for (unsigned i = 0; i < sizeof feeds / sizeof *feeds; i++)
		if (at_word(p, feeds[i])) {
			*feed = (uint8_t)i;
			advance(p);
			return;
		}
	syntax_error(p, here(p), "no feed here; write slots or live");
}

static void parse_unit(struct parser *p, bool program)
{
	struct vyrec_unit_node node = {.kind = program ? VYRE_UNIT_PROGRAM : VYRE_UNIT_SET, .workgroup = {1, 1, 1}};
	advance(p);
	node.loc = here(p);
	node.name = expect_name(p, program ? "a program" : "a set");
	for (vyrec_unit i = 1; i < p->module->unit_count; i++)
		if (node.name && p->module->units[i].name == node.name)
			report(p, node.loc, "'%s' is already a set or program of this file; choose another name",
			       vyrec_name_text(p->module, node.name));
	if (program && !p->panic)
		parse_workgroup(p, node.workgroup);
	if (program && !p->panic)
		parse_feed(p, &node.feed);
	over_limit(p, p->module->unit_count, VYREC_MAX_UNITS, "sets and programs in one module");
	p->unit = vyrec_add_unit(p->module, &node);
	if (!expect(p, TOKEN_LBRACE, "to open the unit")) {
		recover(p);
		return;
	}
	while (!at(p, TOKEN_RBRACE) && !at(p, TOKEN_END) && !p->stop)
		if (!accept(p, TOKEN_SEMI))
			parse_item(p);
	struct vyrec_layout *layout = &p->module->layout;
	note_place(&layout->unit_ends, &layout->unit_end_capacity, p->unit, here(p));
	if (at(p, TOKEN_END) && !p->stop)
		report(p, node.loc, "the '{' of this %s is never closed; add '}'", program ? "program" : "set");
	else
		accept(p, TOKEN_RBRACE);
	read_unit_bodies(p);
	for (uint32_t i = 0; i < p->op_capacity; i++)
		p->ops[i] = 0;
	p->op_count = 0;
	close_scope(p, 0);
	p->unit = 0;
}

vyrec_handler parser_find_op(struct parser *p, vyrec_name name, vyrec_loc loc)
{
	vyrec_handler op = name < p->op_capacity ? p->ops[name] : 0;
	if (!op)
		report(p, loc, "no op '%s' in this set; spawn names an op of the same set",
		       vyrec_name_text(p->module, name));
	return op;
}

void parser_check_program(struct parser *p, vyrec_name name, vyrec_loc loc)
{
	vyrec_list_push(&p->dispatched, name);
	vyrec_list_push(&p->dispatched, loc);
}

static void check_dispatched(struct parser *p)
{
	for (uint32_t i = 0; i < p->dispatched.count; i += 2) {
		bool found = false;
		for (vyrec_unit u = 1; u < p->module->unit_count && !found; u++)
			found = p->module->units[u].name == p->dispatched.items[i] &&
				p->module->units[u].kind == VYRE_UNIT_PROGRAM;
		if (!found)
			report(p, p->dispatched.items[i + 1], "no program '%s' in this file; dispatch names one",
			       vyrec_name_text(p->module, p->dispatched.items[i]));
	}
}

static void parse_file(struct parser *p)
{
	while (!at(p, TOKEN_END) && !p->stop) {
		if (accept(p, TOKEN_SEMI))
			continue;
		if (at_word(p, "set") || at_word(p, "program")) {
			parse_unit(p, at_word(p, "program"));
		} else {
			syntax_error(p, here(p),
				     "%s where a unit is expected; write set NAME { ... } or program NAME "
				     "workgroup(N) { ... }",
				     token_kind_text(p->token.kind));
			recover(p);
			accept(p, TOKEN_RBRACE);
		}
	}
}

/* ---- the prelude ------------------------------------------------------------------------------------------------- */

/* Where `fn name(` starts a line of the prelude; its bytes if nowhere. Found by text: the file is short and trusted. */
static size_t find_prelude(const char *name, size_t bytes)
{
	const char *text = vyrec_math_text, *end = text + vyrec_math_text_bytes;
	for (const char *line = text; line && line < end;) {
		if ((size_t)(end - line) > bytes + 4 && !memcmp(line, "fn ", 3) && !memcmp(line + 3, name, bytes) &&
		    line[3 + bytes] == '(')
			return (size_t)(line - text);
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	return vyrec_math_text_bytes;
}

bool parser_prelude_fn(struct parser *p, vyrec_name name, vyrec_fn *fn)
{
	p->prelude_fns = vyrec_grow(p->prelude_fns, &p->prelude_capacity, name + 1, sizeof *p->prelude_fns);
	if ((*fn = p->prelude_fns[name]))
		return true;
	size_t start = find_prelude(vyrec_name_text(p->module, name), vyrec_name_bytes(p->module, name));
	if (start == vyrec_math_text_bytes)
		return false;
	struct lexer lexer = {
	    .text = vyrec_math_text, .bytes = vyrec_math_text_bytes, .at = start, .line_start = start, .line = 1};
	vyrec_unit unit = p->unit;
	struct reading saved = go_to(p, lexer, (struct token){.kind = TOKEN_NAME});
	p->token = lexer_next(&p->lexer);
	p->prelude = true;
	p->unit = 0;
	*fn = parse_fn(p);
	p->unit = unit;
	come_back(p, &saved);
	p->prelude_fns[name] = *fn;
	return *fn != 0;
}

/* Bodies of the fns that were pulled in; they may pull in more. */
static void read_prelude_bodies(struct parser *p)
{
	for (uint32_t i = 0; i < p->body_count && !p->stop; i++)
		if (p->bodies[i].unit == 0)
			parse_body(p, i);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void parser_finish(struct parser *p)
{
	free(p->symbols);
	vyrec_list_free(&p->scope);
	vyrec_list_free(&p->dispatched);
	free(p->notes);
	free(p->consts);
	free(p->bodies);
	free(p->ops);
	free(p->prelude_fns);
}

struct vyrec_module *vyrec_parse(const char *file, const char *text, size_t bytes, struct vyrec_diags *diags)
{
	uint32_t before = diags->errors;
	if (bytes > VYREC_MAX_SOURCE_BYTES) {
		vyrec_diags_add(diags, VYREC_ERROR, "", 0, "source of %zu bytes; the limit is %d", bytes,
				VYREC_MAX_SOURCE_BYTES);
		return NULL;
	}
	struct vyrec_module *module = vyrec_module_create(file);
	struct parser p = {.module = module,
			   .diags = diags,
			   .lexer = {.text = text, .bytes = bytes, .line = 1, .diags = diags, .module = module}};
	p.notes = vyrec_grow(NULL, &p.note_capacity, 1, sizeof *p.notes);
	advance(&p);
	parse_file(&p);
	check_dispatched(&p);
	read_prelude_bodies(&p);
	parser_finish(&p);
	if (diags->errors == before)
		return module;
	vyrec_module_destroy(module);
	return NULL;
}
