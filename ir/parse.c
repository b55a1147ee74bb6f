/* parse.c - reads a file: units, their items, the fns of the prelude.
 *
 * Names of a unit may be used before they are declared, so a unit is read twice: first the headers of its items, skipping
 * bodies and const expressions by counting braces; then those, with the lexer put back to where each began. Comments are
 * kept on the first reading alone. Fns of the prelude are read like bodies, when a call asks for them.
 * Invariant: whatever the input, every loop consumes a token or ends, recursion is bounded by the limits of module.h, and
 * after `stop` nothing more is read.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/parse.h"

extern const char vyrec_math_text[];
extern const size_t vyrec_math_text_bytes;

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
		parser_error(p, node.loc,
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
			parser_error(p, node->loc, "const '%s' needs itself; break the circle",
				     vyrec_name_text(p->module, node->name));
		else
			parser_error(p, node->loc,
				     "consts that need later consts nest deeper than %d; declare them in order",
				     VYREC_MAX_EXPR_DEPTH);
		node->type = TYPE_POISON;
		return;
	}
	p->consts[index].state = 1;
	p->const_depth++;
	struct reading saved = go_to(p, pending.lexer, pending.token);
	vyrec_expr expr = parser_expr(p);
	expr = pending.type ? parser_coerce(p, expr, pending.type, "the value") : parser_settle(p, expr);
	uint64_t value = 0;
	bool good = eval_expr(p, expr, &value);
	if (!p->panic)
		parser_end_statement(p);
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
		parser_declare(p, node.name, SYMBOL_LOCAL, local, node.loc);
	}
}

/* `shared` statements at the start of an op's body stand inside its braces: read them, and go on behind. */
static void parse_op_shared(struct parser *p, vyrec_handler handler)
{
	struct vyrec_list shared = {0};
	p->handler = handler;
	p->op_shared = &shared;
	vyrec_block body = parser_block(p, p->module->handlers[handler].loc);
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
		vyrec_block body = parser_block(p, pending.start);
		p->module->fns[pending.fn].body = body;
		p->fn = 0;
	} else if (pending.handler) {
		struct vyrec_handler_node handler = p->module->handlers[pending.handler];
		declare_params(p, handler.params, handler.param_count);
		parse_op_shared(p, pending.handler);
	} else {
		vyrec_block body = parser_block(p, pending.start);
		p->module->units[pending.unit].body = body;
	}
	parser_close_scope(p, mark);
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
	if (!parser_expect_word(p, "workgroup") || !parser_open_group(p, TOKEN_LPAREN, "after workgroup"))
		return;
	vyrec_loc loc = parser_here(p);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t value = 1;
		if (i && !parser_accept(p, TOKEN_COMMA))
			break;
		if (!parser_expect_int(p, VYREC_MAX_LANES, "the size of a workgroup", &value))
			return;
		if (!value)
			parser_error(p, p->previous.loc, "workgroup of 0 lanes; write at least 1");
		size[i] = (uint32_t)value;
		lanes *= value;
	}
	if (lanes > VYREC_MAX_LANES)
		parser_error(p, loc, "workgroup of %llu lanes; the limit is %d", (unsigned long long)lanes,
			     VYREC_MAX_LANES);
	parser_close_group(p, TOKEN_RPAREN, "after the size of the workgroup");
}

/* What is behind the feed: "(" features "," words of a frame ")". */
static void parse_features(struct parser *p, struct vyrec_unit_node *unit)
{
	uint64_t features = 0, frame_words = 0;
	if (!parser_at(p, TOKEN_LPAREN))
		return;
	if (!parser_open_group(p, TOKEN_LPAREN, "before the features") ||
	    !parser_expect_int(p, UINT32_MAX, "the features of a lowered set", &features) ||
	    !parser_expect(p, TOKEN_COMMA, "between the features and the words of a frame") ||
	    !parser_expect_int(p, VYRE_BLOB_MAX_FRAME_WORDS, "the words of a frame", &frame_words))
		return;
	parser_close_group(p, TOKEN_RPAREN, "after the words of a frame");
	unit->features = (uint32_t)features;
	unit->frame_words = (uint32_t)frame_words;
}

static void parse_feed(struct parser *p, struct vyrec_unit_node *unit)
{
#define X(name, value, text) [value] = text,
	static const char *const feeds[] = {VYRE_FEED_LIST(X)};
#undef X
#define X(name, value, text) ", " text
	static const char list[] = VYRE_FEED_LIST(X);
#undef X
	if (!parser_at_word(p, "feed"))
		return;
	parser_advance(p);
	for (unsigned i = 0; i < sizeof feeds / sizeof *feeds; i++)
		if (parser_at_word(p, feeds[i])) {
			unit->feed = (uint8_t)i;
			parser_advance(p);
			parse_features(p, unit);
			return;
		}
	parser_syntax_error(p, parser_here(p), "no feed here; write one of: %s", list + 2);
}

static void parse_unit(struct parser *p, bool program)
{
	struct vyrec_unit_node node = {.kind = program ? VYRE_UNIT_PROGRAM : VYRE_UNIT_SET, .workgroup = {1, 1, 1}};
	parser_advance(p);
	node.loc = parser_here(p);
	node.name = parser_expect_name(p, program ? "a program" : "a set");
	for (vyrec_unit i = 1; i < p->module->unit_count; i++)
		if (node.name && p->module->units[i].name == node.name)
			parser_error(p, node.loc, "'%s' is already a set or program of this file; choose another name",
				     vyrec_name_text(p->module, node.name));
	if (program && !p->panic)
		parse_workgroup(p, node.workgroup);
	if (program && !p->panic)
		parse_feed(p, &node);
	parser_over_limit(p, p->module->unit_count, VYREC_MAX_UNITS, "sets and programs in one module");
	p->unit = vyrec_add_unit(p->module, &node);
	if (!parser_expect(p, TOKEN_LBRACE, "to open the unit")) {
		parser_recover(p);
		return;
	}
	while (!parser_at(p, TOKEN_RBRACE) && !parser_at(p, TOKEN_END) && !p->stop)
		if (!parser_accept(p, TOKEN_SEMI))
			parser_item(p);
	struct vyrec_layout *layout = &p->module->layout;
	parser_note_place(&layout->unit_ends, &layout->unit_end_capacity, p->unit, parser_here(p));
	if (parser_at(p, TOKEN_END) && !p->stop)
		parser_error(p, node.loc, "the '{' of this %s is never closed; add '}'", program ? "program" : "set");
	else
		parser_accept(p, TOKEN_RBRACE);
	p->module->units[p->unit].items = vyrec_add_refs(p->module, p->items.items, p->items.count);
	p->module->units[p->unit].item_count = p->items.count / 2;
	p->items.count = 0;
	read_unit_bodies(p);
	for (uint32_t i = 0; i < p->op_capacity; i++)
		p->ops[i] = 0;
	p->op_count = 0;
	parser_close_scope(p, 0);
	p->unit = 0;
}

vyrec_handler parser_find_op(struct parser *p, vyrec_name name, vyrec_loc loc)
{
	vyrec_handler op = name < p->op_capacity ? p->ops[name] : 0;
	if (!op)
		parser_error(p, loc, "no op '%s' in this set; spawn names an op of the same set",
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
			parser_error(p, p->dispatched.items[i + 1], "no program '%s' in this file; dispatch names one",
				     vyrec_name_text(p->module, p->dispatched.items[i]));
	}
}

static void parse_file(struct parser *p)
{
	while (!parser_at(p, TOKEN_END) && !p->stop) {
		if (parser_accept(p, TOKEN_SEMI))
			continue;
		if (parser_at_word(p, "set") || parser_at_word(p, "program")) {
			parse_unit(p, parser_at_word(p, "program"));
		} else {
			parser_syntax_error(p, parser_here(p),
					    "%s where a unit is expected; write set NAME { ... } or program NAME "
					    "workgroup(N) { ... }",
					    lexer_kind_text(p->token.kind));
			parser_recover(p);
			parser_accept(p, TOKEN_RBRACE);
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
	*fn = parser_fn(p);
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
	vyrec_list_free(&p->items);
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
	parser_advance(&p);
	parse_file(&p);
	check_dispatched(&p);
	read_prelude_bodies(&p);
	parser_finish(&p);
	if (diags->errors == before)
		return module;
	vyrec_module_destroy(module);
	return NULL;
}
