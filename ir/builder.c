/* builder.c - makes modules from C.
 *
 * Enters: calls in the order of the program. Leaves: nodes with resolved types, appended to the block that is open.
 * Invariant: `depth` blocks are open; open[depth - 1] takes the next statement, owner[depth - 1] is the statement whose
 * body it becomes, 0 for the body of an op, fn or program. Statement lists stay outside the module until they close,
 * because a list in refs cannot grow once another stands behind it.
 */
#include <assert.h>
#include <string.h>

#include "ir/builder.h"

enum { OPEN_MAX = VYREC_MAX_NESTING + 2 };

struct vyrec_builder vyrec_builder_begin(struct vyrec_module *module)
{
	return (struct vyrec_builder){.module = module};
}

/* ---- open blocks ----------------------------------------------------------------------------------------------------- */

static void open_block(struct vyrec_builder *b, vyrec_stmt owner)
{
	assert(b->depth < OPEN_MAX);
	if (b->depth < OPEN_MAX) {
		b->open[b->depth] = (struct vyrec_list){0};
		b->owner[b->depth] = owner;
		b->values[b->depth] = 0;
	}
	b->depth++; /* past the limit the blocks are only counted: their owners keep no body, which the verifier refuses */
}

static vyrec_block close_block(struct vyrec_builder *b)
{
	assert(b->depth > 0);
	if (!b->depth || b->depth-- > OPEN_MAX)
		return 0;
	struct vyrec_list *list = &b->open[b->depth];
	vyrec_block block = vyrec_add_block(b->module, list->items, list->count);
	vyrec_list_free(list);
	return block;
}

static vyrec_stmt append(struct vyrec_builder *b, const struct vyrec_stmt_node *node)
{
	struct vyrec_stmt_node copy = *node;
	if (!copy.loc)
		copy.loc = b->loc;
	vyrec_stmt stmt = vyrec_add_stmt(b->module, &copy);
	assert(b->depth > 0);
	if (b->depth && b->depth <= OPEN_MAX)
		vyrec_list_push(&b->open[b->depth - 1], stmt);
	return stmt;
}

void vyrec_build_stmt(struct vyrec_builder *b, const struct vyrec_stmt_node *node)
{
	append(b, node);
}

/* ---- declarations ---------------------------------------------------------------------------------------------------- */

static vyrec_unit add_unit(struct vyrec_builder *b, const char *name, unsigned kind, uint32_t x, uint32_t y, uint32_t z)
{
	struct vyrec_unit_node node = {.name = vyrec_intern_z(b->module, name),
				       .kind = (uint8_t)kind,
				       .feed = VYRE_FEED_NONE,
				       .workgroup = {x, y, z},
				       .loc = b->loc};
	b->unit = vyrec_add_unit(b->module, &node);
	return b->unit;
}

vyrec_unit vyrec_build_set(struct vyrec_builder *b, const char *name)
{
	return add_unit(b, name, VYRE_UNIT_SET, 1, 1, 1);
}

vyrec_unit vyrec_build_program_begin(struct vyrec_builder *b, const char *name, uint32_t x, uint32_t y, uint32_t z)
{
	add_unit(b, name, VYRE_UNIT_PROGRAM, x, y, z);
	open_block(b, 0);
	return b->unit;
}

void vyrec_build_program_end(struct vyrec_builder *b)
{
	b->module->units[b->unit].body = close_block(b);
}

static vyrec_array add_array(struct vyrec_builder *b, const char *name, vyrec_class class_, vyrec_type element,
			     uint32_t count)
{
	struct vyrec_array_node node = {.name = vyrec_intern_z(b->module, name),
					.class_ = (uint8_t)class_,
					.element = (uint8_t)element,
					.count = count,
					.loc = b->loc};
	return vyrec_add_array(b->module, &node);
}

vyrec_array vyrec_build_buffer(struct vyrec_builder *b, const char *name, vyrec_class class_, vyrec_type element,
			       uint32_t count)
{
	vyrec_array array = add_array(b, name, class_, element, count);
	vyrec_unit_add_item(b->module, b->unit, VYREC_ITEM_BUFFER, array);
	return array;
}

vyrec_array vyrec_build_shared(struct vyrec_builder *b, const char *name, vyrec_type element, uint32_t count)
{
	vyrec_array array = add_array(b, name, VYREC_CLASS_SHARED, element, count);
	if (b->handler)
		vyrec_list_push(&b->shared, array);
	else
		vyrec_unit_add_item(b->module, b->unit, VYREC_ITEM_SHARED, array);
	return array;
}

vyrec_const vyrec_build_const(struct vyrec_builder *b, const char *name, vyrec_type type, uint64_t bits)
{
	struct vyrec_const_node node = {
	    .name = vyrec_intern_z(b->module, name), .type = (uint8_t)type, .value = bits, .loc = b->loc};
	vyrec_const constant = vyrec_add_const(b->module, &node);
	vyrec_unit_add_item(b->module, b->unit, VYREC_ITEM_CONST, constant);
	return constant;
}

vyrec_handler vyrec_build_op_begin(struct vyrec_builder *b, const char *name, uint32_t opcode, unsigned granularity,
				   uint32_t width)
{
	struct vyrec_handler_node node = {.name = vyrec_intern_z(b->module, name),
					  .opcode = opcode,
					  .granularity = (uint8_t)granularity,
					  .width = width,
					  .loc = b->loc};
	assert(!b->handler && !b->fn);
	b->handler = vyrec_add_handler(b->module, &node);
	vyrec_unit_add_item(b->module, b->unit, VYREC_ITEM_HANDLER, b->handler);
	open_block(b, 0);
	return b->handler;
}

static uint32_t close_list(struct vyrec_builder *b, struct vyrec_list *list, uint32_t *count)
{
	uint32_t first = list->count ? vyrec_add_refs(b->module, list->items, list->count) : 0;
	*count = list->count;
	vyrec_list_free(list);
	return first;
}

void vyrec_build_op_end(struct vyrec_builder *b)
{
	vyrec_block body = close_block(b);
	struct vyrec_handler_node *h = &b->module->handlers[b->handler];
	h->params = close_list(b, &b->params, &h->param_count);
	h->shared = close_list(b, &b->shared, &h->shared_count);
	h->body = body;
	b->handler = 0;
}

vyrec_fn vyrec_build_fn_begin(struct vyrec_builder *b, const char *name, vyrec_type result)
{
	struct vyrec_fn_node node = {
	    .name = vyrec_intern_z(b->module, name), .unit = b->unit, .result = (uint8_t)result, .loc = b->loc};
	assert(!b->handler && !b->fn);
	b->fn = vyrec_add_fn(b->module, &node);
	vyrec_unit_add_item(b->module, b->unit, VYREC_ITEM_FN, b->fn);
	open_block(b, 0);
	return b->fn;
}

void vyrec_build_fn_end(struct vyrec_builder *b)
{
	vyrec_block body = close_block(b);
	struct vyrec_fn_node *f = &b->module->fns[b->fn];
	f->params = close_list(b, &b->params, &f->param_count);
	f->body = body;
	b->fn = 0;
}

static vyrec_local add_local(struct vyrec_builder *b, const char *name, vyrec_local_kind kind, vyrec_type type)
{
	return vyrec_add_local(b->module, vyrec_intern_z(b->module, name), kind, type, b->loc);
}

vyrec_local vyrec_build_param(struct vyrec_builder *b, const char *name, vyrec_type type)
{
	vyrec_local local = add_local(b, name, VYREC_LOCAL_PARAM, type);
	assert(b->handler || b->fn);
	vyrec_list_push(&b->params, local);
	return local;
}

/* ---- expressions ----------------------------------------------------------------------------------------------------- */

static vyrec_expr add(struct vyrec_builder *b, struct vyrec_expr_node node)
{
	node.loc = b->loc;
	return vyrec_add_expr(b->module, &node);
}

static vyrec_type type_of(const struct vyrec_builder *b, vyrec_expr expr)
{
	return b->module->exprs[expr].type;
}

static vyrec_type element_of(const struct vyrec_builder *b, vyrec_array array)
{
	return vyrec_type_of_element(b->module->arrays[array].element);
}

vyrec_expr vyrec_build_lit(struct vyrec_builder *b, vyrec_type type, uint64_t bits)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = (uint8_t)type, .imm = bits});
}

vyrec_expr vyrec_build_u32(struct vyrec_builder *b, uint32_t value)
{
	return vyrec_build_lit(b, VYREC_U32, value);
}

vyrec_expr vyrec_build_i32(struct vyrec_builder *b, int32_t value)
{
	return vyrec_build_lit(b, VYREC_I32, (uint32_t)value);
}

vyrec_expr vyrec_build_f32(struct vyrec_builder *b, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return vyrec_build_lit(b, VYREC_F32, bits);
}

vyrec_expr vyrec_build_bool(struct vyrec_builder *b, bool value)
{
	return vyrec_build_lit(b, VYREC_BOOL, value);
}

vyrec_expr vyrec_build_get(struct vyrec_builder *b, vyrec_local local)
{
	return add(
	    b, (struct vyrec_expr_node){.kind = VYREC_EXPR_LOCAL, .type = b->module->locals[local].type, .sym = local});
}

vyrec_expr vyrec_build_get_const(struct vyrec_builder *b, vyrec_const constant)
{
	return add(b, (struct vyrec_expr_node){
			  .kind = VYREC_EXPR_CONST, .type = b->module->consts[constant].type, .sym = constant});
}

/* A node of an op row; of type VOID where the row does not admit the operands. */
static vyrec_expr add_op(struct vyrec_builder *b, vyrec_op op, unsigned count, vyrec_expr x, vyrec_expr y, vyrec_expr z)
{
	const struct vyrec_op_info *info = vyrec_op_get_info(op);
	vyrec_type types[3] = {type_of(b, x), type_of(b, y), type_of(b, z)};
	bool admitted = info->arg_count == count && vyrec_op_find(info->text, info->kind, types, count) == op;
	assert(admitted);
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_OP,
					       .type = (uint8_t)(admitted ? vyrec_op_result(op, types) : VYREC_VOID),
					       .code = (uint16_t)op,
					       .arg = {x, y, z}});
}

vyrec_expr vyrec_build_op1(struct vyrec_builder *b, vyrec_op op, vyrec_expr a)
{
	return add_op(b, op, 1, a, 0, 0);
}

vyrec_expr vyrec_build_op2(struct vyrec_builder *b, vyrec_op op, vyrec_expr a, vyrec_expr c)
{
	return add_op(b, op, 2, a, c, 0);
}

vyrec_expr vyrec_build_op3(struct vyrec_builder *b, vyrec_op op, vyrec_expr a, vyrec_expr c, vyrec_expr d)
{
	return add_op(b, op, 3, a, c, d);
}

vyrec_expr vyrec_build_andalso(struct vyrec_builder *b, vyrec_expr a, vyrec_expr c)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_ANDALSO, .type = VYREC_BOOL, .arg = {a, c}});
}

vyrec_expr vyrec_build_orelse(struct vyrec_builder *b, vyrec_expr a, vyrec_expr c)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_ORELSE, .type = VYREC_BOOL, .arg = {a, c}});
}

vyrec_expr vyrec_build_load(struct vyrec_builder *b, vyrec_array array, vyrec_expr index)
{
	return add(b,
		   (struct vyrec_expr_node){
		       .kind = VYREC_EXPR_LOAD, .type = (uint8_t)element_of(b, array), .sym = array, .arg = {index}});
}

vyrec_expr vyrec_build_length(struct vyrec_builder *b, vyrec_array array)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_LENGTH, .type = VYREC_U32, .sym = array});
}

vyrec_expr vyrec_build_arg(struct vyrec_builder *b, vyrec_expr index)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_ARG, .type = VYREC_U32, .arg = {index}});
}

vyrec_expr vyrec_build_builtin(struct vyrec_builder *b, vyrec_builtin builtin, unsigned axis)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_BUILTIN,
					       .type = vyrec_builtin_get_info(builtin)->type,
					       .code = (uint16_t)builtin,
					       .imm = axis});
}

vyrec_expr vyrec_build_collective(struct vyrec_builder *b, vyrec_collective collective, vyrec_expr a, vyrec_expr c)
{
	const struct vyrec_node_info *info = vyrec_collective_get_info(collective);
	vyrec_type type = type_of(b, a);
	bool admitted = vyrec_rule_admits(info->args[0], type) &&
			(info->arg_count == 2 ? vyrec_rule_admits(info->args[1], type_of(b, c)) : !c);
	assert(admitted);
	if (info->type == VYREC_RULE_BOOL)
		type = VYREC_BOOL;
	else if (info->type > VYREC_RULE_TYPE)
		type = (vyrec_type)(info->type - VYREC_RULE_TYPE);
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_COLLECTIVE,
					       .type = (uint8_t)(admitted ? type : VYREC_VOID),
					       .code = (uint16_t)collective,
					       .arg = {a, c}});
}

vyrec_expr vyrec_build_atomic(struct vyrec_builder *b, vyrec_atomic atomic, vyrec_array array, vyrec_expr index,
			      vyrec_expr value, vyrec_expr second)
{
	bool gives = vyrec_atomic_get_info(atomic)->type != VYREC_VOID;
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_ATOMIC,
					       .type = (uint8_t)(gives ? element_of(b, array) : VYREC_VOID),
					       .order = VYREC_ORDER_RELAXED,
					       .scope = VYREC_SCOPE_DEVICE,
					       .code = (uint16_t)atomic,
					       .sym = array,
					       .arg = {index, value, second}});
}

vyrec_expr vyrec_build_order(struct vyrec_builder *b, vyrec_expr atomic, vyrec_order order, vyrec_scope scope)
{
	b->module->exprs[atomic].order = (uint8_t)order;
	b->module->exprs[atomic].scope = (uint8_t)scope;
	return atomic;
}

vyrec_expr vyrec_build_call(struct vyrec_builder *b, vyrec_fn fn, const vyrec_expr *args, uint32_t count)
{
	return add(b, (struct vyrec_expr_node){.kind = VYREC_EXPR_CALL,
					       .type = b->module->fns[fn].result,
					       .sym = fn,
					       .list = count ? vyrec_add_refs(b->module, args, count) : 0,
					       .count = count});
}

/* ---- statements ------------------------------------------------------------------------------------------------------ */

vyrec_local vyrec_build_let(struct vyrec_builder *b, const char *name, vyrec_expr value)
{
	vyrec_local local = add_local(b, name, VYREC_LOCAL_LET, type_of(b, value));
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_LET, .local = local, .expr = {value}});
	return local;
}

vyrec_local vyrec_build_var(struct vyrec_builder *b, const char *name, vyrec_type type, vyrec_expr value)
{
	vyrec_local local = add_local(b, name, VYREC_LOCAL_VAR, type);
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR, .local = local, .expr = {value}});
	return local;
}

vyrec_array vyrec_build_local_array(struct vyrec_builder *b, const char *name, vyrec_type element, uint32_t count)
{
	vyrec_array array = add_array(b, name, VYREC_CLASS_LOCAL, element, count);
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR, .array = array});
	return array;
}

void vyrec_build_assign(struct vyrec_builder *b, vyrec_local local, vyrec_expr value)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_ASSIGN, .local = local, .expr = {value}});
}

void vyrec_build_store(struct vyrec_builder *b, vyrec_array array, vyrec_expr index, vyrec_expr value)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_STORE, .array = array, .expr = {index, value}});
}

void vyrec_build_expr(struct vyrec_builder *b, vyrec_expr value)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {value}});
}

static void append_open(struct vyrec_builder *b, const struct vyrec_stmt_node *node)
{
	open_block(b, append(b, node));
}

void vyrec_build_if(struct vyrec_builder *b, vyrec_expr condition)
{
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_IF, .expr = {condition}});
}

void vyrec_build_else(struct vyrec_builder *b)
{
	vyrec_stmt owner = b->depth && b->depth <= OPEN_MAX ? b->owner[b->depth - 1] : 0;
	vyrec_build_end(b);
	open_block(b, owner);
}

vyrec_local vyrec_build_for(struct vyrec_builder *b, const char *name, vyrec_expr from, vyrec_expr to, vyrec_expr step)
{
	vyrec_local local = add_local(b, name, VYREC_LOCAL_COUNTER, type_of(b, from));
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_FOR, .local = local, .expr = {from, to, step}});
	return local;
}

void vyrec_build_loop(struct vyrec_builder *b)
{
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_LOOP});
}

vyrec_local vyrec_build_block(struct vyrec_builder *b, const char *label)
{
	vyrec_local local = label ? add_local(b, label, VYREC_LOCAL_LABEL, VYREC_VOID) : 0;
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .local = local});
	return local;
}

void vyrec_build_region(struct vyrec_builder *b, const char *name)
{
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_REGION, .name = vyrec_intern_z(b->module, name)});
}

void vyrec_build_switch(struct vyrec_builder *b, vyrec_expr value)
{
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_SWITCH, .expr = {value}});
}

/* The block becomes the first body that its owner lacks (an if has its first one when its else is open), or that of the
 * pairs that wait for it. */
static void give_block(struct vyrec_builder *b, vyrec_stmt owner, uint32_t values, vyrec_block block)
{
	struct vyrec_stmt_node *node = &b->module->stmts[owner];
	if (node->kind != VYREC_STMT_SWITCH) {
		node->body[node->body[0] != 0] = block;
		return;
	}
	if (!values) /* between switch and its first case nothing stands, and default has no values */
		node->body[0] = b->module->blocks[block].count || node->body[0] ? block : 0;
	for (uint32_t i = node->count - values; i < node->count; i++)
		b->module->refs[node->list + 2 * i + 1] = block;
}

void vyrec_build_end(struct vyrec_builder *b)
{
	bool kept = b->depth && b->depth <= OPEN_MAX;
	vyrec_stmt owner = kept ? b->owner[b->depth - 1] : 0;
	uint32_t values = kept ? b->values[b->depth - 1] : 0;
	vyrec_block block = close_block(b);
	assert(owner);
	if (owner && block)
		give_block(b, owner, values, block);
}

void vyrec_build_case(struct vyrec_builder *b, const uint32_t *values, uint32_t count)
{
	vyrec_stmt owner = b->depth && b->depth <= OPEN_MAX ? b->owner[b->depth - 1] : 0;
	struct vyrec_list pairs = {0};
	vyrec_build_end(b);
	const struct vyrec_stmt_node *node = &b->module->stmts[owner];
	for (uint32_t i = 0; i < 2 * node->count; i++)
		vyrec_list_push(&pairs, b->module->refs[node->list + i]);
	for (uint32_t i = 0; i < count; i++) {
		vyrec_list_push(&pairs, values[i]);
		vyrec_list_push(&pairs, 0);
	}
	uint32_t list = pairs.count ? vyrec_add_refs(b->module, pairs.items, pairs.count) : 0;
	b->module->stmts[owner].list = list;
	b->module->stmts[owner].count = pairs.count / 2;
	vyrec_list_free(&pairs);
	open_block(b, owner);
	if (b->depth <= OPEN_MAX)
		b->values[b->depth - 1] = count;
}

void vyrec_build_catch(struct vyrec_builder *b, const char *code, const char *detail, vyrec_local vars[2])
{
	vars[0] = add_local(b, code, VYREC_LOCAL_VAR, VYREC_U32);
	vars[1] = add_local(b, detail, VYREC_LOCAL_VAR, VYREC_U32);
	append_open(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_CATCH, .local = vars[0], .local2 = vars[1]});
}

void vyrec_build_spawn(struct vyrec_builder *b, const char *op, const vyrec_expr *args, uint32_t count)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_SPAWN,
					    .name = vyrec_intern_z(b->module, op),
					    .list = count ? vyrec_add_refs(b->module, args, count) : 0,
					    .count = count});
}

void vyrec_build_spawn_else(struct vyrec_builder *b)
{
	const struct vyrec_list *open = b->depth && b->depth <= OPEN_MAX ? &b->open[b->depth - 1] : NULL;
	vyrec_stmt owner = open && open->count ? open->items[open->count - 1] : 0;
	assert(b->module->stmts[owner].kind == VYREC_STMT_SPAWN);
	open_block(b, owner);
}

void vyrec_build_break(struct vyrec_builder *b, vyrec_local label)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BREAK, .local = label});
}

void vyrec_build_continue(struct vyrec_builder *b)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_CONTINUE});
}

void vyrec_build_return(struct vyrec_builder *b, vyrec_expr value)
{
	append(b, &(struct vyrec_stmt_node){.kind = VYREC_STMT_RETURN, .expr = {value}});
}
