/* interp_compile.c - lowers a program or an op to the interpreter's instructions.
 *
 * Enters: a verified unit. Leaves: code that interp_step.c runs. Invariant: every jump is bound when its scope ends;
 * leaving a catch by whatever way gives the outer trap handler back.
 *
 * Not a walk of the tree at run time: a lane must be able to stop in the middle of an expression, at any access, and
 * let another one go on.
 */
#include <stdlib.h>

#include "ir/interp_compile.h"

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
			interp_emit(c, INTERP_CATCH_LEAVE, loc)->a = c->scopes[k].saved;
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
	interp_emit_jump(c, INTERP_JUMP, 0, s->kind == VYREC_STMT_BREAK ? &scope->breaks : &scope->continues, s->loc);
}

static void compile_return(struct compiler *c, vyrec_expr result, vyrec_loc loc)
{
	uint32_t link = c->fn ? interp_fn_link(c, c->fn) : 0;
	if (result)
		interp_value_into(c, result, link + 1);
	leave_catches(c, 0, loc);
	interp_emit(c, c->fn ? INTERP_RETURN : INTERP_END, loc)->a = link;
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
	interp_emit_jump(c, INTERP_JUMP_UNLESS, interp_value(c, s->expr[0]), &no, s->loc);
	compile_block(c, s->body[0]);
	if (s->body[1]) {
		interp_emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
		interp_bind_jumps(c, no);
		compile_block(c, s->body[1]);
		interp_bind_jumps(c, end);
	} else {
		interp_bind_jumps(c, no);
	}
}

/* The trips are counted up front, so that no wrap of the counter can start the loop again. */
static void compile_for(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t counter = interp_new_register(c), limit = interp_new_register(c), step = interp_new_register(c),
		 trips = interp_new_register(c);
	c->local_registers[s->local] = counter;
	interp_value_into(c, s->expr[0], counter);
	interp_value_into(c, s->expr[1], limit);
	if (s->expr[2])
		interp_value_into(c, s->expr[2], step);
	else
		interp_emit_move(c, step, interp_literal(c, 1), s->loc);
	struct interp_insn *i = interp_emit(c, INTERP_FOR_TRIPS, s->loc);
	i->type = c->m->locals[s->local].type;
	i->dst = trips;
	i->a = counter;
	i->b = limit;
	i->c = step;
	uint32_t head = c->code->insn_count, end = 0;
	interp_emit_jump(c, INTERP_JUMP_UNLESS, trips, &end, s->loc);
	push_scope(c, SCOPE_LOOP, 0);
	compile_block(c, s->body[0]);
	struct scope scope = c->scopes[--c->scope_count];
	interp_bind_jumps(c, scope.continues);
	i = interp_emit(c, INTERP_FOR_NEXT, s->loc);
	i->type = c->m->locals[s->local].type;
	i->dst = counter;
	i->a = step;
	i->b = trips;
	i->target = head;
	interp_bind_jumps(c, end);
	interp_bind_jumps(c, scope.breaks);
}

static void compile_loop(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t head = c->code->insn_count;
	push_scope(c, SCOPE_LOOP, 0);
	compile_block(c, s->body[0]);
	struct scope scope = c->scopes[--c->scope_count];
	interp_bind_jumps(c, scope.continues);
	interp_emit(c, INTERP_JUMP, s->loc)->target = head;
	interp_bind_jumps(c, scope.breaks);
}

static int compare_cases(const void *a, const void *b)
{
	uint32_t x = ((const struct interp_case *)a)->value, y = ((const struct interp_case *)b)->value;
	return x < y ? -1 : x > y;
}

static void compile_switch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	struct interp_code *code = c->code;
	uint32_t subject = interp_value(c, s->expr[0]), at = code->insn_count, first = code->case_count, end = 0;
	struct interp_insn *i = interp_emit(c, INTERP_SWITCH, s->loc);
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
			interp_emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
		} else {
			code->cases[first + k] = (struct interp_case){pair[0], code->cases[first + k - 1].target};
		}
		previous = pair[1];
	}
	code->insns[at].target = code->insn_count;
	if (s->body[0])
		compile_block(c, s->body[0]);
	interp_bind_jumps(c, end);
	if (s->count)
		qsort(code->cases + first, s->count, sizeof *code->cases, compare_cases);
}

/* Where lanes meet in a catch, they meet at its end too: those that a trap has taken there wait for the others. */
static void compile_catch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	bool meets = vyrec_block_meets(c->m, s->body[0], c->fn_meets);
	uint32_t code_var = interp_new_register(c), detail_var = interp_new_register(c), saved = interp_new_register(c),
		 end = 0, land = 0;
	c->local_registers[s->local] = code_var;
	c->local_registers[s->local2] = detail_var;
	interp_emit_move(c, code_var, interp_literal(c, 0), s->loc);
	interp_emit_move(c, detail_var, interp_literal(c, 0), s->loc);
	interp_emit_jump(c, INTERP_CATCH_ENTER, 0, &land, s->loc);
	c->code->insns[c->code->insn_count - 1].dst = saved;
	push_scope(c, SCOPE_CATCH, 0)->saved = saved;
	compile_block(c, s->body[0]);
	c->scope_count--;
	interp_emit(c, INTERP_CATCH_LEAVE, s->loc)->a = saved;
	interp_emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
	interp_bind_jumps(c, land);
	struct interp_insn *i = interp_emit(c, INTERP_CATCH_LAND, s->loc);
	i->a = saved;
	i->b = code_var;
	i->c = detail_var;
	i->words = meets;
	interp_bind_jumps(c, end);
	if (meets)
		interp_emit(c, INTERP_CATCH_END, s->loc);
}

static void compile_labelled(struct compiler *c, const struct vyrec_stmt_node *s)
{
	push_scope(c, SCOPE_BLOCK, s->local);
	compile_block(c, s->body[0]);
	interp_bind_jumps(c, c->scopes[--c->scope_count].breaks);
}

static void compile_var(struct compiler *c, const struct vyrec_stmt_node *s)
{
	if (s->array) {
		uint32_t place = interp_add_place(c, s->array);
		interp_emit(c, INTERP_ZERO_LOCAL, s->loc)->sym = place;
		return;
	}
	uint32_t r = interp_new_register(c);
	c->local_registers[s->local] = r;
	if (s->expr[0])
		interp_value_into(c, s->expr[0], r);
	else
		interp_emit_move(c, r, interp_literal(c, 0), s->loc);
}

static void compile_store(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t index = interp_value(c, s->expr[0]), stored = interp_value(c, s->expr[1]);
	struct interp_insn *i =
	    interp_emit(c, interp_is_private(c, s->array) ? INTERP_STORE_PRIVATE : INTERP_STORE, s->loc);
	i->type = c->m->arrays[s->array].element;
	i->policy = (uint8_t)interp_policy_of(c, s->policy);
	i->sym = interp_place_of(c, s->array);
	i->a = index;
	i->b = stored;
}

/* Two instructions: the destination, then the source, which never runs by itself. */
static void compile_async(struct compiler *c, const struct vyrec_stmt_node *s)
{
	uint32_t to = interp_value(c, s->expr[0]), from = interp_value(c, s->expr[1]),
		 count = interp_value(c, s->expr[2]);
	struct interp_insn *i = interp_emit(c, INTERP_ASYNC, s->loc);
	i->type = c->m->arrays[s->array].element;
	i->policy = (uint8_t)interp_policy_of(c, s->policy);
	i->sym = interp_place_of(c, s->array);
	i->a = to;
	i->b = count;
	i->imm = s->imm;
	i = interp_emit(c, INTERP_ASYNC_AT, s->loc);
	i->type = c->m->arrays[s->array2].element;
	i->sym = interp_place_of(c, s->array2);
	i->a = from;
	c->code->has_async = true;
}

static void compile_spawn(struct compiler *c, const struct vyrec_stmt_node *s)
{
	const struct vyrec_unit_node *unit = &c->m->units[c->unit];
	uint32_t first = c->top, word = 0;
	for (uint32_t k = 0; k < s->count; k++) {
		uint32_t r = interp_new_register(c), saved = c->top;
		interp_value_into(c, c->m->refs[s->list + k], r);
		c->top = saved;
	}
	for (uint32_t k = 0; k < s->count; k++) {
		struct interp_insn *i = interp_emit(c, INTERP_SPAWN_ARG, s->loc);
		i->a = first + k;
		i->imm = word;
		i->words = (uint8_t)interp_words_of(c->m->exprs[c->m->refs[s->list + k]].type);
		word += i->words;
	}
	struct interp_insn *i = interp_emit(c, INTERP_SPAWN, s->loc);
	for (uint32_t k = 0; k < unit->item_count; k++) {
		const uint32_t *pair = &c->m->refs[unit->items + 2 * k];
		if (pair[0] == VYREC_ITEM_HANDLER && c->m->handlers[pair[1]].name == s->name)
			i->sym = c->m->handlers[pair[1]].opcode;
	}
	if (s->body[0]) {
		uint32_t end = 0, spawn = c->code->insn_count - 1;
		interp_emit_jump(c, INTERP_JUMP, 0, &end, s->loc);
		c->code->insns[spawn].target = c->code->insn_count;
		compile_block(c, s->body[0]);
		interp_bind_jumps(c, end);
	}
}

/* Statements whose operands are plain registers: a..d are the expressions in order. */
static struct interp_insn *compile_simple(struct compiler *c, const struct vyrec_stmt_node *s,
					  enum interp_code_kind kind)
{
	uint32_t r[4];
	for (unsigned k = 0; k < 4; k++)
		r[k] = interp_optional_value(c, s->expr[k]);
	struct interp_insn *i = interp_emit(c, kind, s->loc);
	i->op = s->kind;
	i->a = r[0];
	i->b = r[1];
	i->c = r[2];
	i->d = r[3];
	i->imm = s->imm;
	i->order = s->order;
	i->scope = s->scope;
	i->policy = (uint8_t)interp_policy_of(c, s->policy);
	i->sym = s->name;
	return i;
}

static void compile_dispatch(struct compiler *c, const struct vyrec_stmt_node *s)
{
	struct interp_insn *i = compile_simple(c, s, INTERP_DISPATCH);
	i->sym = interp_place_of(c, s->array);
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
	    [VYREC_STMT_JOIN] = INTERP_SUSPEND,
	};
	struct interp_insn *i = compile_simple(c, s, kinds[s->kind]);
	if (s->kind == VYREC_STMT_RESULT)
		i->words = (uint8_t)interp_words_of(c->m->exprs[s->expr[0]].type);
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
		interp_value_into(c, s->expr[0], c->local_registers[s->local]);
		break;
	case VYREC_STMT_STORE:
		compile_store(c, s);
		break;
	case VYREC_STMT_EXPR:
		r = interp_new_register(c);
		interp_value_into(c, s->expr[0], r);
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
		uint32_t r = interp_new_register(c);
		c->local_registers[local] = r;
		struct interp_insn *i = interp_emit(c, INTERP_PARAM, h->loc);
		i->type = c->m->locals[local].type;
		i->words = (uint8_t)interp_words_of(i->type);
		i->dst = r;
		i->imm = word;
		word += i->words;
	}
}

static void compile_fn(struct compiler *c, vyrec_fn fn)
{
	const struct vyrec_fn_node *f = &c->m->fns[fn];
	uint32_t link = interp_fn_link(c, fn);
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
		interp_add_place(c, c->m->refs[h->shared + k]);
	for (uint32_t k = 0; !handler && k < u->item_count; k++)
		if (c->m->refs[u->items + 2 * k] == VYREC_ITEM_SHARED)
			interp_add_place(c, c->m->refs[u->items + 2 * k + 1]);
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
	c.fn_meets = vyrec_alloc(module->fn_count);
	place_shared(&c, unit, handler);
	if (handler)
		compile_params(&c, &module->handlers[handler]);
	compile_list(&c, handler ? module->handlers[handler].body : module->units[unit].body);
	interp_emit(&c, INTERP_END, 0);
	for (uint32_t k = 0; k < c.called.count; k++) /* grows while it runs */
		compile_fn(&c, c.called.items[k]);
	relocate(&c);
	free(c.local_registers);
	free(c.places);
	free(c.fns);
	free(c.fn_meets);
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
