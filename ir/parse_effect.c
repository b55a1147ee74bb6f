/* parse_effect.c - statements that are one line (but for the else of a spawn): barriers, copies, traps, records, and what only handlers do.
 *
 * Each reads what stands behind its word into the node, as the table in module.h says, and returns false after an error.
 */
#include <string.h>

#include "ir/parse.h"

bool parser_stmt_barrier(struct parser *p, struct vyrec_stmt_node *node)
{
	node->scope = VYREC_SCOPE_WORKGROUP;
	if (!parser_at(p, TOKEN_LPAREN) || p->token.newline)
		return true;
	parser_open_group(p, TOKEN_LPAREN, "");
	if (parser_scope(p, &node->scope) && node->scope == VYREC_SCOPE_SYSTEM)
		parser_error(p, p->previous.loc, "a barrier reaches workgroup or device; write one of them");
	return parser_close_group(p, TOKEN_RPAREN, "after the scope of a barrier");
}

bool parser_stmt_fence(struct parser *p, struct vyrec_stmt_node *node)
{
	node->scope = VYREC_SCOPE_DEVICE;
	if (!parser_open_group(p, TOKEN_LPAREN, "after fence") || !parser_order(p, &node->order))
		return false;
	if (parser_accept(p, TOKEN_COMMA))
		parser_scope(p, &node->scope);
	return parser_close_group(p, TOKEN_RPAREN, "after the order of a fence");
}

bool parser_stmt_async(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place to, from;
	if (!parser_open_group(p, TOKEN_LPAREN, "after the name of a copy") || !parser_place(p, &to) ||
	    !parser_expect(p, TOKEN_COMMA, "after the destination") || !parser_place(p, &from) ||
	    !parser_expect(p, TOKEN_COMMA, "after the source"))
		return false;
	if (to.policy && from.policy && to.policy != from.policy)
		parser_error(p, from.loc, "two bounds policies, %s and %s, in one copy; write one",
			     vyrec_policy_name(to.policy), vyrec_policy_name(from.policy));
	node->array = to.array;
	node->expr[0] = to.index;
	node->array2 = from.array;
	node->expr[1] = from.index;
	node->policy = (uint8_t)(to.policy ? to.policy : from.policy);
	node->expr[2] = parser_coerce(p, parser_expr(p), VYREC_U32, "the number of elements");
	if (!parser_expect(p, TOKEN_COMMA, "after the number of elements") ||
	    !parser_expect_int(p, UINT32_MAX, "the tag of a copy", &node->imm))
		return false;
	return parser_close_group(p, TOKEN_RPAREN, "after the tag") && node->array && node->array2;
}

bool parser_stmt_async_wait(struct parser *p, struct vyrec_stmt_node *node)
{
	return parser_open_group(p, TOKEN_LPAREN, "after async_wait") &&
	       parser_expect_int(p, UINT32_MAX, "the tag of a copy", &node->imm) &&
	       parser_close_group(p, TOKEN_RPAREN, "after the tag");
}

bool parser_stmt_dispatch(struct parser *p, struct vyrec_stmt_node *node)
{
	struct place place;
	if (!parser_open_group(p, TOKEN_LPAREN, "after dispatch"))
		return false;
	vyrec_loc loc = parser_here(p);
	node->name = parser_expect_name(p, "a program");
	if (p->panic || !parser_expect(p, TOKEN_COMMA, "after the program") || !parser_place(p, &place))
		return false;
	parser_check_program(p, node->name, loc);
	node->array = place.array;
	node->expr[0] = place.index;
	node->policy = (uint8_t)place.policy;
	return parser_close_group(p, TOKEN_RPAREN, "after the place of the counts") && place.array;
}

/* trap(code), trap(code, detail); a lowered one names its kind of fault first: trap(4: detail). */
bool parser_stmt_trap(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_open_group(p, TOKEN_LPAREN, "after trap"))
		return false;
	struct lexer second = p->lexer;
	second.diags = NULL;
	second.module = NULL;
	if (parser_at(p, TOKEN_INT) && lexer_next(&second).kind == TOKEN_COLON) {
		parser_expect_int(p, UINT32_MAX, "the kind of fault", &node->imm);
		parser_advance(p);
	}
	node->expr[0] = parser_coerce(p, parser_expr(p), VYREC_U32, "the code of a trap");
	if (parser_accept(p, TOKEN_COMMA))
		node->expr[1] = parser_coerce(p, parser_expr(p), VYREC_U32, "the detail of a trap");
	return parser_close_group(p, TOKEN_RPAREN, "after the code of a trap");
}

bool parser_stmt_log(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_open_group(p, TOKEN_LPAREN, "after log") ||
	    !parser_expect_int(p, UINT32_MAX, "the id of a record", &node->imm) ||
	    !parser_expect(p, TOKEN_COMMA, "after the id of a record"))
		return false;
	if (parser_at(p, TOKEN_STRING)) {
		node->name = parser_expect_string(p, "the format of a record");
		parser_expect(p, TOKEN_COMMA, "after the format of a record");
	}
	node->expr[0] = parser_coerce(p, parser_expr(p), VYREC_U32, "the first value of a record");
	if (parser_expect(p, TOKEN_COMMA, "after the first value of a record"))
		node->expr[1] = parser_coerce(p, parser_expr(p), VYREC_U32, "the second value of a record");
	return parser_close_group(p, TOKEN_RPAREN, "after the values of a record");
}

bool parser_stmt_opaque(struct parser *p, struct vyrec_stmt_node *node)
{
	struct vyrec_list bytes = {0};
	node->name = parser_expect_string(p, "the name of an extension");
	vyrec_loc loc = parser_here(p);
	vyrec_name hex = p->panic ? 0 : parser_expect_string(p, "the bytes of an extension, in hexadecimal");
	const char *text = vyrec_name_text(p->module, hex);
	unsigned half = 0, value = 0;
	for (; *text && !p->panic; text++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = *text == ' ' ? NULL : strchr(digits, *text);
		if (!digit && *text != ' ')
			parser_syntax_error(p, loc, "'%c' in the bytes of an extension; write hexadecimal digits",
					    *text);
		if (!digit)
			continue;
		value = value << 4 | (unsigned)(digit - digits) % 16;
		if (half ^= 1)
			continue;
		vyrec_list_push(&bytes, value & 0xff);
	}
	if (half && !p->panic)
		parser_error(p, loc, "an odd number of hexadecimal digits; a byte has two");
	node->count = bytes.count;
	node->list = vyrec_add_refs(p->module, bytes.items, bytes.count);
	vyrec_list_free(&bytes);
	return !p->panic;
}

bool parser_stmt_result(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_open_group(p, TOKEN_LPAREN, "after result") ||
	    !parser_expect_int(p, VYREC_MAX_PARAMS - 1, "the word of a result", &node->imm) ||
	    !parser_expect(p, TOKEN_COMMA, "after the word of a result"))
		return false;
	vyrec_loc loc = parser_here(p);
	node->expr[0] = parser_settle(p, parser_expr(p));
	if (p->module->exprs[node->expr[0]].type == VYREC_VOID)
		parser_error(p, loc, "a result of something without a value; give it a value");
	return parser_close_group(p, TOKEN_RPAREN, "after the value of a result");
}

bool parser_stmt_one_u32(struct parser *p, struct vyrec_stmt_node *node)
{
	if (!parser_open_group(p, TOKEN_LPAREN, "after the statement's name"))
		return false;
	node->expr[0] = parser_coerce(p, parser_expr(p), VYREC_U32, "the operand");
	return parser_close_group(p, TOKEN_RPAREN, "after the operand");
}

bool parser_stmt_load_statement(struct parser *p, struct vyrec_stmt_node *node)
{
	static const struct {
		vyrec_type type;
		const char *what;
	} operands[4] = {{VYREC_U32, "the resource of a load"},
			 {VYREC_U64, "the file offset of a load"},
			 {VYREC_U32, "the bytes of a load"},
			 {VYREC_U32, "the destination offset of a load"}};
	if (!parser_open_group(p, TOKEN_LPAREN, "after load"))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if (i && !parser_expect(p, TOKEN_COMMA,
					"before the next operand of load: resource, offset, bytes, destination"))
			return false;
		node->expr[i] = parser_coerce(p, parser_expr(p), operands[i].type, operands[i].what);
	}
	return parser_close_group(p, TOKEN_RPAREN, "after the operands of load");
}

bool parser_stmt_spawn(struct parser *p, struct vyrec_stmt_node *node)
{
	vyrec_expr args[VYREC_MAX_PARAMS];
	unsigned n = 0;
	if (!parser_open_group(p, TOKEN_LPAREN, "after spawn"))
		return false;
	vyrec_loc loc = parser_here(p);
	node->name = parser_expect_name(p, "an op");
	vyrec_handler op = p->panic ? 0 : parser_find_op(p, node->name, loc);
	struct vyrec_handler_node callee = p->module->handlers[op];
	while (!p->panic && parser_accept(p, TOKEN_COMMA)) {
		vyrec_expr arg = parser_expr(p);
		if (n < callee.param_count)
			args[n] = parser_coerce(p, arg, p->module->locals[p->module->refs[callee.params + n]].type,
						"an argument of spawn");
		n++;
	}
	if (op && n != callee.param_count && !p->panic)
		parser_error(p, loc, "op %s takes %u argument%s, not %u; give it as many",
			     vyrec_name_text(p->module, callee.name), callee.param_count,
			     callee.param_count == 1 ? "" : "s", n);
	node->count = n < callee.param_count ? n : callee.param_count;
	node->list = vyrec_add_refs(p->module, args, node->count);
	if (!parser_close_group(p, TOKEN_RPAREN, "after the arguments of spawn"))
		return false;
	if (parser_at_word(p, "else")) {
		vyrec_loc start = parser_here(p);
		parser_advance(p);
		node->body[0] = parser_block(p, start);
	}
	return true;
}
