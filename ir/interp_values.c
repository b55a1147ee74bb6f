/* interp_values.c - the interpreter's code for expressions, and the instructions that it is made of.
 *
 * Enters: an expression of a verified module. Leaves: instructions, and the register that holds the value. Invariant:
 * operands are evaluated left to right, each once; the register of a local is written by its own statements only, so an
 * operand may name it without a copy.
 */
#include "ir/interp_compile.h"

/* ---- instructions ----------------------------------------------------------------------------------------- */

uint32_t interp_new_register(struct compiler *c)
{
	uint32_t r = c->top++;
	if (c->top > c->high)
		c->high = c->top;
	return r;
}

uint32_t interp_literal(struct compiler *c, uint64_t bits)
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

struct interp_insn *interp_emit(struct compiler *c, enum interp_code_kind kind, vyrec_loc loc)
{
	struct interp_code *code = c->code;
	uint32_t n = code->insn_count++;
	code->insns = vyrec_grow(code->insns, &code->insn_capacity, n + 1, sizeof *code->insns);
	code->insns[n] = (struct interp_insn){.kind = (uint8_t)kind, .loc = loc};
	return &code->insns[n];
}

void interp_emit_move(struct compiler *c, uint32_t dst, uint32_t from, vyrec_loc loc)
{
	struct interp_insn *i = interp_emit(c, INTERP_MOVE, loc);
	i->dst = dst;
	i->a = from;
}

/* Emits a jump and adds it to a chain. */
void interp_emit_jump(struct compiler *c, enum interp_code_kind kind, uint32_t condition, uint32_t *chain,
		      vyrec_loc loc)
{
	struct interp_insn *i = interp_emit(c, kind, loc);
	i->a = condition;
	i->target = *chain;
	*chain = c->code->insn_count;
}

void interp_bind_jumps(struct compiler *c, uint32_t chain)
{
	while (chain) {
		struct interp_insn *i = &c->code->insns[chain - 1];
		chain = i->target;
		i->target = c->code->insn_count;
	}
}

vyrec_policy interp_policy_of(const struct compiler *c, unsigned policy)
{
	return policy == VYREC_POLICY_DEFAULT ? c->bounds : (vyrec_policy)policy;
}

unsigned interp_words_of(vyrec_type type)
{
	return vyrec_type_bytes(type) == 8 ? 2 : 1;
}

/* ---- arrays ----------------------------------------------------------------------------------------------- */

uint32_t interp_place_of(const struct compiler *c, vyrec_array array)
{
	return c->places[array] ? c->places[array] : array;
}

/* Gives a local or shared array its bytes. */
uint32_t interp_add_place(struct compiler *c, vyrec_array array)
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

bool interp_is_private(const struct compiler *c, vyrec_array array)
{
	return c->m->arrays[array].class_ == VYREC_CLASS_LOCAL;
}

/* ---- expressions ------------------------------------------------------------------------------------------ */

uint32_t interp_optional_value(struct compiler *c, vyrec_expr e)
{
	return e ? interp_value(c, e) : 0;
}

/* a && b, a || b. Not straight into a local: b may still read it. */
static void compile_short_circuit(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t chain = 0, r = interp_new_register(c);
	interp_value_into(c, x->arg[0], r);
	interp_emit_jump(c, x->kind == VYREC_EXPR_ANDALSO ? INTERP_JUMP_UNLESS : INTERP_JUMP_IF, r, &chain, x->loc);
	interp_value_into(c, x->arg[1], r);
	interp_bind_jumps(c, chain);
	interp_emit_move(c, dst, r, x->loc);
}

/* The registers that callers share with a fn: return address, result, parameters. */
uint32_t interp_fn_link(struct compiler *c, vyrec_fn fn)
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
	uint32_t link = interp_fn_link(c, x->sym), first = c->top;
	for (uint32_t i = 0; i < x->count; i++) {
		uint32_t r = interp_new_register(c), saved = c->top;
		interp_value_into(c, c->m->refs[x->list + i], r);
		c->top = saved;
	}
	for (uint32_t i = 0; i < x->count; i++)
		interp_emit_move(c, link + 2 + i, first + i, x->loc);
	struct interp_insn *call = interp_emit(c, INTERP_CALL, x->loc);
	call->dst = link;
	call->sym = x->sym;
	if (x->type != VYREC_VOID)
		interp_emit_move(c, dst, link + 1, x->loc);
}

static void compile_op(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	unsigned args = vyrec_op_get_info(x->code)->arg_count;
	uint32_t r[3] = {0, 0, 0};
	for (unsigned k = 0; k < args; k++)
		r[k] = interp_value(c, x->arg[k]);
	struct interp_insn *i = interp_emit(c, INTERP_EVAL, x->loc);
	i->op = x->code;
	i->type = c->m->exprs[x->arg[x->code == VYREC_OP_select ? 1 : 0]].type;
	i->dst = dst;
	i->a = r[0];
	i->b = args > 1 ? r[1] : interp_literal(c, 0);
	i->c = args > 2 ? r[2] : i->b;
}

static void compile_load(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t index = interp_value(c, x->arg[0]);
	struct interp_insn *i =
	    interp_emit(c, interp_is_private(c, x->sym) ? INTERP_LOAD_PRIVATE : INTERP_LOAD, x->loc);
	i->type = c->m->arrays[x->sym].element;
	i->policy = (uint8_t)interp_policy_of(c, x->policy);
	i->sym = interp_place_of(c, x->sym);
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

static void compile_atomic(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t index = interp_value(c, x->arg[0]), first = interp_optional_value(c, x->arg[1]),
		 second = interp_optional_value(c, x->arg[2]);
	struct interp_insn *i = interp_emit(c, INTERP_ATOMIC, x->loc);
	i->op = x->code;
	i->type = c->m->arrays[x->sym].element;
	i->fold = (uint16_t)atomic_fold(x->code, i->type);
	i->policy = (uint8_t)interp_policy_of(c, x->policy);
	i->order = x->order;
	i->scope = x->scope;
	i->sym = interp_place_of(c, x->sym);
	i->dst = dst;
	i->a = index;
	i->b = first;
	i->c = second;
}

static void compile_collective(struct compiler *c, const struct vyrec_expr_node *x, uint32_t dst)
{
	uint32_t a = interp_value(c, x->arg[0]), b = interp_optional_value(c, x->arg[1]);
	struct interp_insn *i = interp_emit(c, INTERP_COLLECTIVE, x->loc);
	i->op = x->code;
	i->type = c->m->exprs[x->arg[0]].type;
	i->fold = (uint16_t)vyrec_collective_op(x->code, i->type);
	i->dst = dst;
	i->a = a;
	i->b = b;
}

/* The value of an expression, in dst. */
void interp_value_into(struct compiler *c, vyrec_expr e, uint32_t dst)
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
		i = interp_emit(c, INTERP_LENGTH, x->loc);
		i->sym = interp_place_of(c, x->sym);
		i->dst = dst;
		break;
	case VYREC_EXPR_ARG:
		operand = interp_value(c, x->arg[0]);
		i = interp_emit(c, INTERP_ARG, x->loc);
		i->a = operand;
		i->dst = dst;
		break;
	case VYREC_EXPR_BUILTIN:
		i = interp_emit(c, INTERP_BUILTIN, x->loc);
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
		interp_emit_move(c, dst, interp_value(c, e), x->loc);
	}
	c->top = saved;
}

/* A register that holds the value until the statement ends. */
uint32_t interp_value(struct compiler *c, vyrec_expr e)
{
	const struct vyrec_expr_node *x = &c->m->exprs[e];
	switch (x->kind) {
	case VYREC_EXPR_NONE:
		return interp_literal(c, 0);
	case VYREC_EXPR_LIT:
		return interp_literal(c, x->imm);
	case VYREC_EXPR_CONST:
		return interp_literal(c, c->m->consts[x->sym].value);
	case VYREC_EXPR_LOCAL:
		return c->local_registers[x->sym];
	default: {
		uint32_t r = interp_new_register(c);
		interp_value_into(c, e, r);
		return r;
	}
	}
}
