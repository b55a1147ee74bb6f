/* interp_compile.c - lowers a program or an op to the interpreter's instructions.
 *
 * Enters: a verified unit. Leaves: code that interp_step.c runs. Invariant: operands are evaluated left to right, each
 * once; the register of a local is written by its own statements only, so an operand may name it without a copy.
 *
 * Not a walk of the tree at run time: a lane must be able to stop in the middle of an expression, at any access, and
 * let another one go on.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/interp_code.h"

enum scope_kind { SCOPE_LOOP, SCOPE_BLOCK, SCOPE_CATCH };
/* What break, continue and return may leave. Jumps out are chained through `target`, insn number + 1, until bound. */
struct scope {
	enum scope_kind kind;
	vyrec_local label;
	uint32_t breaks, continues;
	uint32_t saved; /* CATCH: register that holds the enclosing handler */
};
struct fn_state {
	uint32_t link; /* its registers: return address, result, parameters; 0 = not called yet */
	uint32_t entry;
};
struct compiler {
	const struct vyrec_module *m;
	struct interp_code *code;
	vyrec_unit unit;
	vyrec_policy bounds;
	uint32_t top, high; /* next free register; most ever used */
	uint32_t link_top;
	uint32_t *local_registers, *places; /* by vyrec_local; by vyrec_array */
	struct fn_state *fns;
	struct vyrec_list called; /* fns in the order of their first call */
	struct scope *scopes;
	uint32_t scope_count, scope_capacity;
	vyrec_fn fn; /* being compiled, or 0 */
};

static uint32_t new_register(struct compiler *c)
{
	uint32_t r = c->top++;
	if (c->top > c->high)
		c->high = c->top;
	return r;
}

static uint32_t literal(struct compiler *c, uint64_t bits)
{
	struct interp_code *code = c->code;
	uint32_t n = code->literal_count;
	if (n && code->literals[n - 1] == bits)
		return INTERP_CONST | (n - 1);
	code->literals = vyrec_grow(code->literals, &code->literal_capacity, n + 1, sizeof *code->literals);
	code->literals[n] = bits;
	code->literal_count++;
	return INTERP_CONST | n;
}

static struct interp_insn *emit(struct compiler *c, enum interp_code_kind kind, vyrec_loc loc)
{
	struct interp_code *code = c->code;
	uint32_t n = code->insn_count++;
	code->insns = vyrec_grow(code->insns, &code->insn_capacity, n + 1, sizeof *code->insns);
	code->insns[n] = (struct interp_insn){.kind = (uint8_t)kind, .loc = loc};
	return &code->insns[n];
}

static void emit_move(struct compiler *c, uint32_t dst, uint32_t from, vyrec_loc loc)
{
	struct interp_insn *i = emit(c, INTERP_MOVE, loc);
	i->dst = dst;
	i->a = from;
}

/* Emits a jump and adds it to a chain. */
static void emit_jump(struct compiler *c, enum interp_code_kind kind, uint32_t condition, uint32_t *chain,
		      vyrec_loc loc)
{
	struct interp_insn *i = emit(c, kind, loc);
	i->a = condition;
	i->target = *chain;
	*chain = c->code->insn_count;
}

static void bind(struct compiler *c, uint32_t chain)
{
	while (chain) {
		struct interp_insn *i = &c->code->insns[chain - 1];
		chain = i->target;
		i->target = c->code->insn_count;
	}
}

static vyrec_policy policy_of(const struct compiler *c, unsigned policy)
{
	return policy == VYREC_POLICY_DEFAULT ? c->bounds : (vyrec_policy)policy;
}

static unsigned words_of(vyrec_type type)
{
	return vyrec_type_bytes(type) == 8 ? 2 : 1;
}

/* ---- arrays ----------------------------------------------------------------------------------------------- */

static uint32_t place_of(const struct compiler *c, vyrec_array array)
{
	return c->places[array] ? c->places[array] : array;
}

/* Gives a local or shared array its bytes. */
static uint32_t add_place(struct compiler *c, vyrec_array array)
{
	const struct vyrec_array_node *node = &c->m->arrays[array];
	struct interp_code *code = c->code;
	bool shared = node->class_ == VYREC_CLASS_SHARED;
	struct interp_place **items = shared ? &code->shared : &code->locals;
	uint32_t *count = shared ? &code->shared_count : &code->local_count;
	uint64_t *bytes = shared ? &code->shared_bytes : &code->local_bytes;
	*items =
	    vyrec_grow(*items, shared ? &code->shared_capacity : &code->local_capacity, *count + 1, sizeof **items);
	(*items)[*count] = (struct interp_place){array, node->count, node->element, *bytes};
	*bytes += ((uint64_t)node->count * vyrec_type_bytes(node->element) + 7) & ~UINT64_C(7);
	c->places[array] = (shared ? INTERP_SHARED : INTERP_PRIVATE) | *count;
	return (*count)++;
}

static bool is_private(const struct compiler *c, vyrec_array array)
{
	return c->m->arrays[array].class_ == VYREC_CLASS_LOCAL;
}

/* ---- expressions ------------------------------------------------------------------------------------------ */

static uint32_t value(struct compiler *c, vyrec_expr e);
static void value_into(struct compiler *c, vyrec_expr e, uint32_t dst);

static uint32_t optional(struct compiler *c, vyrec_expr e)
{
	return e ? value(c, e) : 0;
}

/* a && b, a || b. Not straight into a local: b may still read it. */
static void compile_short_circuit(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t chain = 0, r = new_register(c);
	value_into(c, x->arg[0], r);
	emit_jump(c, x->kind == VYREC_EXPR_ANDALSO ? INTERP_JUMP_UNLESS : INTERP_JUMP_IF, r, &chain, x->loc);
	value_into(c, x->arg[1], r);
	bind(c, chain);
	emit_move(c, dst, r, x->loc);
}

/* The registers that callers share with a fn: return address, result, parameters. */
static uint32_t fn_link(struct compiler *c, vyrec_fn fn)
{
	if (!c->fns[fn].link) {
		c->fns[fn].link = c->link_top;
		c->link_top += 2 + c->m->fns[fn].param_count;
		vyrec_list_push(&c->called, fn);
	}
	return INTERP_LINK | c->fns[fn].link;
}

static void compile_call(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t link = fn_link(c, x->sym), first = c->top;
	for (uint32_t i = 0; i < x->count; i++) {
		uint32_t r = new_register(c), saved = c->top;
		value_into(c, c->m->refs[x->list + i], r);
		c->top = saved;
	}
	for (uint32_t i = 0; i < x->count; i++)
		emit_move(c, link + 2 + i, first + i, x->loc);
	struct interp_insn *call = emit(c, INTERP_CALL, x->loc);
	call->dst = link;
	call->sym = x->sym;
	if (x->type != VYREC_VOID)
		emit_move(c, dst, link + 1, x->loc);
}

static void compile_op(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	unsigned args = vyrec_op_get_info(x->code)->arg_count;
	uint32_t r[3] = {0, 0, 0};
	for (unsigned k = 0; k < args; k++)
		r[k] = value(c, x->arg[k]);
	struct interp_insn *i = emit(c, INTERP_EVAL, x->loc);
	i->op = x->code;
	i->type = c->m->exprs[x->arg[x->code == VYREC_OP_select ? 1 : 0]].type;
	i->dst = dst;
	i->a = r[0];
	i->b = args > 1 ? r[1] : literal(c, 0);
	i->c = args > 2 ? r[2] : i->b;
}

static void compile_load(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t index = value(c, x->arg[0]);
	struct interp_insn *i = emit(c, is_private(c, x->sym) ? INTERP_LOAD_PRIVATE : INTERP_LOAD, x->loc);
	i->type = c->m->arrays[x->sym].element;
	i->policy = (uint8_t)policy_of(c, x->policy);
	i->sym = place_of(c, x->sym);
	i->dst = dst;
	i->a = index;
}

static vyrec_op op_by_type(vyrec_type type, vyrec_op u, vyrec_op s, vyrec_op f)
{
	return vyrec_type_is_float(type) ? f : vyrec_type_is_sint(type) ? s : u;
}

static vyrec_op atomic_fold(vyrec_atomic atomic, vyrec_type type)
{
	switch (atomic) {
	case VYREC_ATOMIC_ADD:
		return VYREC_OP_add_i;
	case VYREC_ATOMIC_SUB:
		return VYREC_OP_sub_i;
	case VYREC_ATOMIC_AND:
		return VYREC_OP_and_i;
	case VYREC_ATOMIC_OR:
		return VYREC_OP_or_i;
	case VYREC_ATOMIC_XOR:
		return VYREC_OP_xor_i;
	case VYREC_ATOMIC_MIN:
		return op_by_type(type, VYREC_OP_min_u, VYREC_OP_min_s, VYREC_OP_min_f);
	case VYREC_ATOMIC_MAX:
		return op_by_type(type, VYREC_OP_max_u, VYREC_OP_max_s, VYREC_OP_max_f);
	default:
		return VYREC_OP_NONE;
	}
}

static vyrec_op collective_fold(vyrec_collective collective, vyrec_type type)
{
	switch (collective) {
	case VYREC_COLLECTIVE_REDUCE_ADD:
	case VYREC_COLLECTIVE_SUBGROUP_ADD:
		return op_by_type(type, VYREC_OP_add_i, VYREC_OP_add_i, VYREC_OP_add_f);
	case VYREC_COLLECTIVE_REDUCE_MIN:
	case VYREC_COLLECTIVE_SUBGROUP_MIN:
		return op_by_type(type, VYREC_OP_min_u, VYREC_OP_min_s, VYREC_OP_min_f);
	case VYREC_COLLECTIVE_REDUCE_MAX:
	case VYREC_COLLECTIVE_SUBGROUP_MAX:
		return op_by_type(type, VYREC_OP_max_u, VYREC_OP_max_s, VYREC_OP_max_f);
	case VYREC_COLLECTIVE_REDUCE_AND:
		return VYREC_OP_and_i;
	case VYREC_COLLECTIVE_REDUCE_OR:
		return VYREC_OP_or_i;
	case VYREC_COLLECTIVE_REDUCE_XOR:
		return VYREC_OP_xor_i;
	case VYREC_COLLECTIVE_ANY:
		return VYREC_OP_or_b;
	case VYREC_COLLECTIVE_ALL:
		return VYREC_OP_and_b;
	default:
		return VYREC_OP_NONE;
	}
}

static void compile_atomic(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t index = value(c, x->arg[0]), first = optional(c, x->arg[1]), second = optional(c, x->arg[2]);
	struct interp_insn *i = emit(c, INTERP_ATOMIC, x->loc);
	i->op = x->code;
	i->type = c->m->arrays[x->sym].element;
	i->fold = (uint16_t)atomic_fold(x->code, i->type);
	i->policy = (uint8_t)policy_of(c, x->policy);
	i->order = x->order;
	i->scope = x->scope;
	i->sym = place_of(c, x->sym);
	i->dst = dst;
	i->a = index;
	i->b = first;
	i->c = second;
}

static void compile_collective(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t a = value(c, x->arg[0]), b = optional(c, x->arg[1]);
	struct interp_insn *i = emit(c, INTERP_COLLECTIVE, x->loc);
	i->op = x->code;
	i->type = c->m->exprs[x->arg[0]].type;
	i->fold = (uint16_t)collective_fold(x->code, i->type);
	i->dst = dst;
	i->a = a;
	i->b = b;
}

/* The value of an expression, in dst. */
static void value_into(struct compiler *c, vyrec_expr e, uint32_t dst)
{
	const struct vyrec_expr_node *x = &c->m->exprs[e];
	uint32_t saved = c->top, operand;
	struct interp_insn *i;
	switch (x->kind) {
	case VYREC_EXPR_OP:
		compile_op(c, x, dst);
		break;
	case VYREC_EXPR_ANDALSO:
	case VYREC_EXPR_ORELSE:
		compile_short_circuit(c, x, dst);
		break;
	case VYREC_EXPR_LOAD:
		compile_load(c, x, dst);
		break;
	case VYREC_EXPR_LENGTH:
		i = emit(c, INTERP_LENGTH, x->loc);
		i->sym = place_of(c, x->sym);
		i->dst = dst;
		break;
	case VYREC_EXPR_ARG:
		operand = value(c, x->arg[0]);
		i = emit(c, INTERP_ARG, x->loc);
		i->a = operand;
		i->dst = dst;
		break;
	case VYREC_EXPR_BUILTIN:
		i = emit(c, INTERP_BUILTIN, x->loc);
		i->op = x->code;
		i->imm = x->imm;
		i->dst = dst;
		break;
	case VYREC_EXPR_COLLECTIVE:
		compile_collective(c, x, dst);
		break;
	case VYREC_EXPR_ATOMIC:
		compile_atomic(c, x, dst);
		break;
	case VYREC_EXPR_CALL:
		compile_call(c, x, dst);
		break;
	default:
		emit_move(c, dst, value(c, e), x->loc);
	}
	c->top = saved;
}

/* A register that holds the value until the statement ends. */
static uint32_t value(struct compiler *c, vyrec_expr e)
{
	const struct vyrec_expr_node *x = &c->m->exprs[e];
	switch (x->kind) {
	case VYREC_EXPR_NONE:
		return literal(c, 0);
	case VYREC_EXPR_LIT:
		return literal(c, x->imm);
	case VYREC_EXPR_CONST:
		return literal(c, c->m->consts[x->sym].value);
	case VYREC_EXPR_LOCAL:
		return c->local_registers[x->sym];
	default: {
		uint32_t r = new_register(c);
		value_into(c, e, r);
		return r;
	}
	}
}

/* ---- leaving scopes --------------------------------------------------------------------------------------- */

static struct scope *push_scope(struct compiler *c, enum scope_kind kind, vyrec_local label)
{
	c->scopes = vyrec_grow(c->scopes, &c->scope_capacity, c->scope_count + 1, sizeof *c->scopes);
	c->scopes[c->scope_count] = (struct scope){.kind = kind, .label = label};
	return &c->scopes[c->scope_count++];
}

/* Gives the trap handler back that was in force outside the scopes from `depth` up. */
static void leave_catches(struct compiler *c, uint32_t depth, vyrec_loc loc)
{
	for (uint32_t k = depth; k < c->scope_count; k++)
		if (c->scopes[k].kind == SCOPE_CATCH) {
			emit(c, INTERP_CATCH_LEAVE, loc)->a = c->scopes[k].saved;
			return;
		}
}

/* The scope that a break or continue means; verified code always has one. */
static struct scope *find_scope(struct compiler *c, vyrec_local label)
{
	for (uint32_t k = c->scope_count; k-- > 0;)
		if (label ? c->scopes[k].kind == SCOPE_BLOCK && c->scopes[k].label == label
			  : c->scopes[k].kind == SCOPE_LOOP)
			return &c->scopes[k];
	return NULL;
}

static void compile_leave(struct compiler *c, const struct vyrec_stmt_node *s)
{
	struct scope *scope = find_scope(c, s->kind == VYREC_STMT_BREAK ? s->local : 0);
	if (!scope)
		return;
	leave_catches(c, (uint32_t)(scope - c->scopes), s->loc);
	emit_jump(c, INTERP_JUMP, 0, s->kind == VYREC_STMT_BREAK ? &scope->breaks : &scope->continues, s->loc);
}

static void compile_return(struct compiler *c, vyrec_expr result, vyrec_loc loc)
{
	uint32_t link = c->fn ? fn_link(c, c->fn) : 0;
	if (result)
		value_into(c, result, link + 1);
	leave_catches(c, 0, loc);
	emit(c, c->fn ? INTERP_RETURN : INTERP_END, loc)->a = link;
}

/* ---- statements ------------------------------------------------------------------------------------------- */

static void compile_list(struct compiler *c, vyrec_block block);

static void compile_block(struct compiler *c, vyrec_block block)
{
	uint32_t saved = c->top;
	compile_list(c, block);
	c->top = saved;
}

static void compile_if(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t no = 0, end = 0;
	emit_jump(c, INTERP_JUMP_UNLESS, value(c, s->expr[0]), &no, s->loc);
	compile_block(c, s->body[0]);
	if (s->body[1]) {
		emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
		bind(c, no);
		compile_block(c, s->body[1]);
		bind(c, end);
	} else {
		bind(c, no);
	}
}

/* The trips are counted up front, so that no wrap of the counter can start the loop again. */
static void compile_for(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t counter = new_register(c), limit = new_register(c), step = new_register(c), trips = new_register(c);
	c->local_registers[s->local] = counter;
	value_into(c, s->expr[0], counter);
	value_into(c, s->expr[1], limit);
	if (s->expr[2])
		value_into(c, s->expr[2], step);
	else
		emit_move(c, step, literal(c, 1), s->loc);
	struct interp_insn *i = emit(c, INTERP_FOR_TRIPS, s->loc);
	i->type = c->m->locals[s->local].type;
	i->dst = trips;
	i->a = counter;
	i->b = limit;
	i->c = step;
	uint32_t head = c->code->insn_count, end = 0;
	emit_jump(c, INTERP_JUMP_UNLESS, trips, &end, s->loc);
	push_scope(c, SCOPE_LOOP, 0);
	compile_block(c, s->body[0]);
	struct scope scope = c->scopes[--c->scope_count];
	bind(c, scope.continues);
	i = emit(c, INTERP_FOR_NEXT, s->loc);
	i->type = c->m->locals[s->local].type;
	i->dst = counter;
	i->a = step;
	i->b = trips;
	i->target = head;
	bind(c, end);
	bind(c, scope.breaks);
}

static void compile_loop(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t head = c->code->insn_count;
	push_scope(c, SCOPE_LOOP, 0);
	compile_block(c, s->body[0]);
	struct scope scope = c->scopes[--c->scope_count];
	bind(c, scope.continues);
	emit(c, INTERP_JUMP, s->loc)->target = head;
	bind(c, scope.breaks);
}

static int compare_cases(const void *a, const void *b)
{
	uint32_t x = ((const struct interp_case *)a)->value, y = ((const struct interp_case *)b)->value;
	return x < y ? -1 : x > y;
}

static void compile_switch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	struct interp_code *code = c->code;
	uint32_t subject = value(c, s->expr[0]), at = code->insn_count, first = code->case_count, end = 0;
	struct interp_insn *i = emit(c, INTERP_SWITCH, s->loc);
	i->a = subject;
	i->sym = first;
	i->imm = s->count;
	code->cases = vyrec_grow(code->cases, &code->case_capacity, first + s->count, sizeof *code->cases);
	code->case_count += s->count;
	vyrec_block previous = 0;
	for (uint32_t k = 0; k < s->count; k++) {
		const uint32_t *pair = &c->m->refs[s->list + 2 * k];
		/* `case 1, 2 { }` is two pairs with one block */
		if (k == 0 || pair[1] != previous) {
			code->cases[first + k] = (struct interp_case){pair[0], code->insn_count};
			compile_block(c, pair[1]);
			emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
		} else {
			code->cases[first + k] = (struct interp_case){pair[0], code->cases[first + k - 1].target};
		}
		previous = pair[1];
	}
	code->insns[at].target = code->insn_count;
	if (s->body[0])
		compile_block(c, s->body[0]);
	bind(c, end);
	if (s->count)
		qsort(code->cases + first, s->count, sizeof *code->cases, compare_cases);
}

static void compile_catch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t code_var = new_register(c), detail_var = new_register(c), saved = new_register(c), end = 0, land = 0;
	c->local_registers[s->local] = code_var;
	c->local_registers[s->local2] = detail_var;
	emit_move(c, code_var, literal(c, 0), s->loc);
	emit_move(c, detail_var, literal(c, 0), s->loc);
	emit_jump(c, INTERP_CATCH_ENTER, 0, &land, s->loc);
	c->code->insns[c->code->insn_count - 1].dst = saved;
	push_scope(c, SCOPE_CATCH, 0)->saved = saved;
	compile_block(c, s->body[0]);
	c->scope_count--;
	emit(c, INTERP_CATCH_LEAVE, s->loc)->a = saved;
	emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
	bind(c, land);
	struct interp_insn *i = emit(c, INTERP_CATCH_LAND, s->loc);
	i->a = saved;
	i->b = code_var;
	i->c = detail_var;
	bind(c, end);
}

static void compile_labelled(struct compiler *c, const struct vyrec_stmt_node *s)
{
	push_scope(c, SCOPE_BLOCK, s->local);
	compile_block(c, s->body[0]);
	bind(c, c->scopes[--c->scope_count].breaks);
}

static void compile_var(struct compiler *c, const struct vyrec_stmt_node *s)
{
	if (s->array) {
		uint32_t place = add_place(c, s->array);
		emit(c, INTERP_ZERO_LOCAL, s->loc)->sym = place;
		return;
	}
	uint32_t r = new_register(c);
	c->local_registers[s->local] = r;
	if (s->expr[0])
		value_into(c, s->expr[0], r);
	else
		emit_move(c, r, literal(c, 0), s->loc);
}

static void compile_store(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t index = value(c, s->expr[0]), stored = value(c, s->expr[1]);
	struct interp_insn *i = emit(c, is_private(c, s->array) ? INTERP_STORE_PRIVATE : INTERP_STORE, s->loc);
	i->type = c->m->arrays[s->array].element;
	i->policy = (uint8_t)policy_of(c, s->policy);
	i->sym = place_of(c, s->array);
	i->a = index;
	i->b = stored;
}

/* Two instructions: the destination, then the source, which never runs by itself. */
static void compile_async(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t to = value(c, s->expr[0]), from = value(c, s->expr[1]), count = value(c, s->expr[2]);
	struct interp_insn *i = emit(c, INTERP_ASYNC, s->loc);
	i->type = c->m->arrays[s->array].element;
	i->policy = (uint8_t)policy_of(c, s->policy);
	i->sym = place_of(c, s->array);
	i->a = to;
	i->b = count;
	i->imm = s->imm;
	i = emit(c, INTERP_ASYNC_AT, s->loc);
	i->type = c->m->arrays[s->array2].element;
	i->sym = place_of(c, s->array2);
	i->a = from;
	c->code->has_async = true;
}

static void compile_spawn(struct compiler *c, const struct vyrec_stmt_node *s)
{
	const struct vyrec_unit_node *unit = &c->m->units[c->unit];
	uint32_t first = c->top, word = 0;
	for (uint32_t k = 0; k < s->count; k++) {
		uint32_t r = new_register(c), saved = c->top;
		value_into(c, c->m->refs[s->list + k], r);
		c->top = saved;
	}
	for (uint32_t k = 0; k < s->count; k++) {
		struct interp_insn *i = emit(c, INTERP_SPAWN_ARG, s->loc);
		i->a = first + k;
		i->imm = word;
		i->words = (uint8_t)words_of(c->m->exprs[c->m->refs[s->list + k]].type);
		word += i->words;
	}
	struct interp_insn *i = emit(c, INTERP_SPAWN, s->loc);
	for (uint32_t k = 0; k < unit->item_count; k++) {
		const uint32_t *pair = &c->m->refs[unit->items + 2 * k];
		if (pair[0] == VYREC_ITEM_HANDLER && c->m->handlers[pair[1]].name == s->name)
			i->sym = c->m->handlers[pair[1]].opcode;
	}
}

/* Statements whose operands are plain registers: a..d are the expressions in order. */
static struct interp_insn *compile_simple(struct compiler *c, const struct vyrec_stmt_node *s,
					  enum interp_code_kind kind)
{
	uint32_t r[4];
	for (unsigned k = 0; k < 4; k++)
		r[k] = optional(c, s->expr[k]);
	struct interp_insn *i = emit(c, kind, s->loc);
	i->op = s->kind;
	i->a = r[0];
	i->b = r[1];
	i->c = r[2];
	i->d = r[3];
	i->imm = s->imm;
	i->order = s->order;
	i->scope = s->scope;
	i->policy = (uint8_t)policy_of(c, s->policy);
	i->sym = s->name;
	return i;
}

static void compile_dispatch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	struct interp_insn *i = compile_simple(c, s, INTERP_DISPATCH);
	i->sym = place_of(c, s->array);
	i->type = c->m->arrays[s->array].element;
	for (vyrec_unit u = 1; u < c->m->unit_count; u++)
		if (c->m->units[u].kind == VYRE_UNIT_PROGRAM && c->m->units[u].name == s->name)
			i->target = u;
}

static void compile_leaf(struct compiler *c, const struct vyrec_stmt_node *s)
{
	static const uint8_t kinds[VYREC_STMT_COUNT] = {
	    [VYREC_STMT_BARRIER] = INTERP_BARRIER,
	    [VYREC_STMT_FENCE] = INTERP_FENCE,
	    [VYREC_STMT_ASYNC_WAIT] = INTERP_ASYNC_WAIT,
	    [VYREC_STMT_TRAP] = INTERP_TRAP,
	    [VYREC_STMT_LOG] = INTERP_LOG,
	    [VYREC_STMT_RELAX] = INTERP_RELAX,
	    [VYREC_STMT_OPAQUE] = INTERP_OPAQUE,
	    [VYREC_STMT_RESULT] = INTERP_RESULT,
	    [VYREC_STMT_YIELD] = INTERP_SUSPEND,
	    [VYREC_STMT_REQUEUE] = INTERP_SUSPEND,
	    [VYREC_STMT_PAUSE] = INTERP_SUSPEND,
	    [VYREC_STMT_LOAD] = INTERP_SUSPEND,
	};
	struct interp_insn *i = compile_simple(c, s, kinds[s->kind]);
	if (s->kind == VYREC_STMT_RESULT)
		i->words = (uint8_t)words_of(c->m->exprs[s->expr[0]].type);
	if (s->kind == VYREC_STMT_TRAP)
		i->words = s->expr[1] != 0; /* both code and detail are given */
}

static void compile_stmt(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t r;
	switch (s->kind) {
	case VYREC_STMT_LET:
	case VYREC_STMT_VAR:
		compile_var(c, s);
		return; /* its register stays */
	case VYREC_STMT_CATCH:
		compile_catch(c, s);
		return; /* its two variables stay */
	case VYREC_STMT_REGION:
		compile_list(c, s->body[0]);
		return;
	default:
		break;
	}
	uint32_t saved = c->top;
	switch (s->kind) {
	case VYREC_STMT_ASSIGN:
		value_into(c, s->expr[0], c->local_registers[s->local]);
		break;
	case VYREC_STMT_STORE:
		compile_store(c, s);
		break;
	case VYREC_STMT_EXPR:
		r = new_register(c);
		value_into(c, s->expr[0], r);
		break;
	case VYREC_STMT_IF:
		compile_if(c, s);
		break;
	case VYREC_STMT_FOR:
		compile_for(c, s);
		break;
	case VYREC_STMT_LOOP:
		compile_loop(c, s);
		break;
	case VYREC_STMT_SWITCH:
		compile_switch(c, s);
		break;
	case VYREC_STMT_BREAK:
	case VYREC_STMT_CONTINUE:
		compile_leave(c, s);
		break;
	case VYREC_STMT_RETURN:
		compile_return(c, s->expr[0], s->loc);
		break;
	case VYREC_STMT_BLOCK:
		compile_labelled(c, s);
		break;
	case VYREC_STMT_ASYNC_LOAD:
	case VYREC_STMT_ASYNC_STORE:
		compile_async(c, s);
		break;
	case VYREC_STMT_DISPATCH:
		compile_dispatch(c, s);
		break;
	case VYREC_STMT_SPAWN:
		compile_spawn(c, s);
		break;
	default:
		compile_leaf(c, s);
	}
	c->top = saved;
}

static void compile_list(struct compiler *c, vyrec_block block)
{
	const struct vyrec_block_node *b = &c->m->blocks[block];
	for (uint32_t k = 0; k < b->count; k++)
		compile_stmt(c, &c->m->stmts[c->m->refs[b->first + k]]);
}

/* ---- units ------------------------------------------------------------------------------------------------ */

static void compile_params(struct compiler *c, const struct vyrec_handler_node *h)
{
	uint32_t word = 0;
	for (uint32_t k = 0; k < h->param_count; k++) {
		vyrec_local local = c->m->refs[h->params + k];
		uint32_t r = new_register(c);
		c->local_registers[local] = r;
		struct interp_insn *i = emit(c, INTERP_PARAM, h->loc);
		i->type = c->m->locals[local].type;
		i->words = (uint8_t)words_of(i->type);
		i->dst = r;
		i->imm = word;
		word += i->words;
	}
}

static void compile_fn(struct compiler *c, vyrec_fn fn)
{
	const struct vyrec_fn_node *f = &c->m->fns[fn];
	uint32_t link = fn_link(c, fn);
	c->fn = fn;
	c->fns[fn].entry = c->code->insn_count;
	for (uint32_t k = 0; k < f->param_count; k++)
		c->local_registers[c->m->refs[f->params + k]] = link + 2 + k;
	c->top = c->high; /* a frame of its own */
	compile_list(c, f->body);
	compile_return(c, 0, f->loc);
}

/* Link registers follow all frames. */
static void relocate(struct compiler *c)
{
	for (uint32_t k = 0; k < c->code->insn_count; k++) {
		struct interp_insn *i = &c->code->insns[k];
		uint32_t *operands[5] = {&i->dst, &i->a, &i->b, &i->c, &i->d};
		for (unsigned n = 0; n < 5; n++)
			if (!(*operands[n] & INTERP_CONST) && *operands[n] & INTERP_LINK)
				*operands[n] = c->high + (*operands[n] & ~INTERP_LINK);
		if (i->kind == INTERP_CALL)
			i->target = c->fns[i->sym].entry;
	}
	c->code->register_count = c->high + c->link_top;
}

static void place_shared(struct compiler *c, vyrec_unit unit, vyrec_handler handler)
{
	const struct vyrec_unit_node *u = &c->m->units[unit];
	const struct vyrec_handler_node *h = &c->m->handlers[handler];
	for (uint32_t k = 0; handler && k < h->shared_count; k++)
		add_place(c, c->m->refs[h->shared + k]);
	for (uint32_t k = 0; !handler && k < u->item_count; k++)
		if (c->m->refs[u->items + 2 * k] == VYREC_ITEM_SHARED)
			add_place(c, c->m->refs[u->items + 2 * k + 1]);
}

struct interp_code *interp_compile(const struct vyrec_module *module, vyrec_unit unit, vyrec_handler handler,
				   vyrec_policy bounds)
{
	struct compiler c = {.m = module, .unit = unit, .bounds = bounds ? bounds : VYREC_POLICY_CHECKED};
	c.code = vyrec_alloc(sizeof *c.code);
	c.top = c.high = 1; /* register 0 takes what nobody reads */
	c.link_top = 1;
	c.local_registers = vyrec_alloc(module->local_count * sizeof *c.local_registers);
	c.places = vyrec_alloc(module->array_count * sizeof *c.places);
	c.fns = vyrec_alloc(module->fn_count * sizeof *c.fns);
	place_shared(&c, unit, handler);
	if (handler)
		compile_params(&c, &module->handlers[handler]);
	compile_list(&c, handler ? module->handlers[handler].body : module->units[unit].body);
	emit(&c, INTERP_END, 0);
	for (uint32_t k = 0; k < c.called.count; k++) /* grows while it runs */
		compile_fn(&c, c.called.items[k]);
	relocate(&c);
	free(c.local_registers);
	free(c.places);
	free(c.fns);
	free(c.scopes);
	vyrec_list_free(&c.called);
	return c.code;
}

void interp_code_free(struct interp_code *code)
{
	if (!code)
		return;
	free(code->insns);
	free(code->cases);
	free(code->literals);
	free(code->locals);
	free(code->shared);
	free(code);
}
