/* case.c - a handler of the set, or a built-in op of the template, becomes a case of the switch over opcodes.
 *
 * Enters: a handler of a set, the imported template. Leaves: the block of its case. The slot's words are read once, into
 * lets, when the case starts. What a handler's own words become:
 *   parameters, arg[k]          lets of the slot's ARG words; arg[e] an array of all twelve
 *   slot tenant priority opcode locals of run_claimed
 *   lane, lanes                 0 and 1 in an op by lane: one lane runs the slot, whatever its workgroup has
 *   result(k, v)                set_slot_word on the slot's ARG word; by lane 0 where all lanes run the slot
 *   log(id, a, b)               a call of append_log
 *   a const                     its value
 *   return                      break out of the case's block
 *   trap(code)                  stays: the catch around the switch takes it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/suspend.h"
#include "runtime/abi/blob.h"
#include "runtime/abi/opcode.h"

/* One case. */
struct maker {
	struct vyrec_mega *g;
	vyrec_handler handler;
	const struct vyrec_mega_site *site;
	bool inner;			  /* inside a packed slot */
	vyrec_local label;		  /* of its block, 0 until a return asks for one */
	vyrec_local args[VYRE_SLOT_ARGS]; /* lets of the ARG words that it uses; 0 = not yet */
	vyrec_array arg_array;		  /* for arg[e] with e not a literal; 0 = not needed */
};

/* ---- small makers of nodes ---------------------------------------------------------------------------------------------- */

static vyrec_stmt let(struct vyrec_module *m, vyrec_local local, vyrec_expr value)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_LET, .local = local, .expr = {value}});
}

static vyrec_expr call(struct vyrec_module *m, vyrec_fn fn, const vyrec_expr *args, uint32_t count)
{
	return vyrec_add_expr(m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_CALL,
							   .type = m->fns[fn].result,
							   .sym = fn,
							   .list = vyrec_add_refs(m, args, count),
							   .count = count});
}

static vyrec_stmt effect(struct vyrec_module *m, vyrec_expr e)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {e}});
}

/* trap(kind: detail) */
static vyrec_stmt trap_of_kind(struct vyrec_module *m, unsigned kind, vyrec_expr detail)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP, .imm = kind, .expr = {detail}});
}

/* A fn of the template on a word of the slot. */
static vyrec_expr call_on_slot(struct maker *mk, vyrec_fn fn, unsigned word, vyrec_expr value)
{
	struct vyrec_module *m = mk->g->m;
	const vyrec_expr args[3] = {vyrec_make_get(m, mk->site->slot, 0), vyrec_make_u32(m, word, 0), value};
	return call(m, fn, args, value ? 3 : 2);
}

/* Do all lanes run it together? */
static bool is_wide(const struct maker *mk)
{
	return mk->site == &mk->g->wide;
}

/* broadcast(value, 0): the same in all lanes, and known to be. */
static vyrec_expr from_first_lane(struct vyrec_module *m, vyrec_expr value)
{
	return vyrec_add_expr(m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_COLLECTIVE,
							   .type = m->exprs[value].type,
							   .code = VYREC_COLLECTIVE_BROADCAST,
							   .arg = {value, vyrec_make_u32(m, 0, 0)}});
}

static vyrec_expr lane_builtin(struct vyrec_module *m, vyrec_builtin builtin)
{
	return vyrec_add_expr(
	    m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_BUILTIN, .type = VYREC_U32, .code = builtin});
}

/* if lane == 0 { stmt } */
static vyrec_stmt by_first_lane(struct vyrec_module *m, vyrec_stmt stmt)
{
	vyrec_expr is_first =
	    vyrec_make_op(m, VYREC_OP_eq_i, lane_builtin(m, VYREC_BUILTIN_LANE), vyrec_make_u32(m, 0, 0), 0);
	return vyrec_make_if(m, is_first, vyrec_add_block(m, &stmt, 1), 0);
}

/* Argument and result words of the feed: a task has continuation words behind the first three. */
static unsigned arg_words(const struct maker *mk)
{
	return mk->inner || mk->g->shape.feed != VYRE_FEED_TASKS ? VYRE_SLOT_ARGS : VYREC_TASK_ARGS;
}

static vyrec_expr load_arg(struct maker *mk, unsigned k)
{
	if (k >= arg_words(mk))
		return vyrec_make_u32(mk->g->m, 0, 0);
	if (mk->inner)
		return vyrec_make_load(mk->g->m, mk->g->packed_args, vyrec_make_u32(mk->g->m, k, 0),
				       VYREC_POLICY_UNCHECKED, 0);
	vyrec_expr word = call_on_slot(mk, mk->g->slot_word, VYRE_SLOT_WORD_ARG0 + k, 0);
	return is_wide(mk) ? from_first_lane(mk->g->m, word) : word;
}

/* The statement that stores a result word; the results of an op inside a packed slot go nowhere. */
static vyrec_stmt store_arg(struct maker *mk, unsigned k, vyrec_expr value)
{
	struct vyrec_module *m = mk->g->m;
	if (mk->inner || k >= arg_words(mk))
		return let(m, vyrec_add_local(m, vyrec_fresh_name(m, "dropped"), VYREC_LOCAL_LET, VYREC_U32, 0), value);
	vyrec_stmt store = effect(m, call_on_slot(mk, mk->g->set_slot_word, VYRE_SLOT_WORD_ARG0 + k, value));
	return is_wide(mk) ? by_first_lane(m, store) : store;
}

/* ---- rewriting a handler's body ------------------------------------------------------------------------------------------ */

/* The let that holds ARG word k; made on first use. */
static vyrec_local arg_local(struct maker *mk, unsigned k)
{
	if (!mk->args[k]) {
		char name[8];
		snprintf(name, sizeof name, "arg%u", k);
		mk->args[k] =
		    vyrec_add_local(mk->g->m, vyrec_fresh_name(mk->g->m, name), VYREC_LOCAL_LET, VYREC_U32, 0);
	}
	return mk->args[k];
}

/* The value of a builtin in this case; false: it stays one. */
static bool rewrite_builtin(const struct maker *mk, struct vyrec_expr_node *n)
{
	bool by_lane = mk->g->m->handlers[mk->handler].granularity == VYRE_BY_LANE;
	vyrec_local local = 0;
	switch (n->code) {
	case VYREC_BUILTIN_SLOT:
		local = mk->site->slot_index;
		break;
	case VYREC_BUILTIN_TENANT:
		local = mk->site->tenant;
		break;
	case VYREC_BUILTIN_PRIORITY:
		local = mk->site->priority;
		break;
	case VYREC_BUILTIN_OPCODE:
		local = mk->site->opcode;
		break;
	case VYREC_BUILTIN_LANE:
	case VYREC_BUILTIN_LANES:
		if (!by_lane)
			return false;
		*n = (struct vyrec_expr_node){
		    .kind = VYREC_EXPR_LIT, .type = VYREC_U32, .loc = n->loc, .imm = n->code == VYREC_BUILTIN_LANES};
		return true;
	default:
		return false;
	}
	*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LOCAL, .type = VYREC_U32, .loc = n->loc, .sym = local};
	return true;
}

static void rewrite_arg(struct maker *mk, vyrec_expr e)
{
	struct vyrec_module *m = mk->g->m;
	struct vyrec_expr_node *n = &m->exprs[e];
	uint64_t k;
	if (!vyrec_expr_is_lit(m, n->arg[0], &k)) {
		if (!mk->arg_array)
			mk->arg_array =
			    vyrec_add_array(m, &(struct vyrec_array_node){.name = vyrec_fresh_name(m, "args"),
									  .class_ = VYREC_CLASS_LOCAL,
									  .element = VYREC_U32,
									  .count = VYRE_SLOT_ARGS});
		n->kind = VYREC_EXPR_LOAD; /* an index from 12 up gives 0 by the checked policy */
		n->sym = mk->arg_array;
		n->policy = VYREC_POLICY_CHECKED;
	} else if (k < VYRE_SLOT_ARGS) {
		vyrec_become_get(m, e, arg_local(mk, (unsigned)k));
	} else {
		*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = VYREC_U32, .loc = n->loc};
	}
}

static void rewrite_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	if (vyrec_become_const_value(m, e)) /* the program takes no consts over, and level 0 folds none */
		return;
	if (n->kind == VYREC_EXPR_BUILTIN)
		rewrite_builtin(user, n);
	else if (n->kind == VYREC_EXPR_ARG)
		rewrite_arg(user, e);
}

static void rewrite_result(struct maker *mk, vyrec_stmt s)
{
	struct vyrec_module *m = mk->g->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	struct vyrec_list out = {0};
	vyrec_expr words[2];
	uint32_t count = vyrec_to_words(m, &out, n.expr[0], words);
	for (uint32_t k = 0; k < count; k++) {
		if (is_wide(mk)) /* all lanes have a part in it, and one stores it */
			words[k] = vyrec_make_get(m, vyrec_make_let(m, &out, "word", words[k]), 0);
		vyrec_list_push(&out, store_arg(mk, (unsigned)n.imm + k, words[k]));
	}
	vyrec_block block = vyrec_make_block(m, &out);
	if (m->blocks[block].count == 1)
		m->stmts[s] = m->stmts[vyrec_block_stmt(m, block, 0)];
	else
		m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .body = {block}};
	m->stmts[s].loc = n.loc;
}

static void rewrite_log(struct maker *mk, vyrec_stmt s)
{
	struct vyrec_module *m = mk->g->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	const vyrec_expr args[4] = {vyrec_make_u32(m, (uint32_t)n.imm, 0), n.expr[0], n.expr[1],
				    vyrec_make_get(m, mk->site->slot_index, 0)};
	vyrec_expr logged = call(m, mk->g->append_log, args, 4);
	m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .loc = n.loc, .expr = {logged}};
}

/* spawn(op, args) else { E }, after the argument words w in lets:
 *	let taken = spawn_open(slot, opcode, tenant, priority)
 *	if taken != 0 { spawn_word(taken, k, w) for each of the twelve; spawn_push(taken) } else { E }
 * Without an else block the slot faults. */
static void rewrite_spawn(struct maker *mk, vyrec_stmt s)
{
	struct vyrec_module *m = mk->g->m;
	const struct vyrec_stmt_node n = m->stmts[s];
	struct vyrec_list out = {0}, fill = {0};
	vyrec_expr values[VYRE_SLOT_ARGS] = {0}, words[2];
	uint32_t opcode = 0, used = 0;
	vyrec_handler handler;
	for (uint32_t at = 0; (handler = vyrec_mega_next_handler(mk->g, &at));)
		if (m->handlers[handler].name == n.name)
			opcode = m->handlers[handler].opcode;
	for (uint32_t i = 0; i < n.count; i++) {
		uint32_t count = vyrec_to_words(m, &out, m->refs[n.list + i], words);
		for (uint32_t k = 0; k < count; k++) /* each evaluated in its turn */
			values[used++] = vyrec_make_get(m, vyrec_make_let(m, &out, "word", words[k]), 0);
	}
	const uint32_t whose[4] = {vyrec_make_get(m, mk->site->slot_index, 0), vyrec_make_u32(m, opcode, 0),
				   vyrec_make_get(m, mk->site->tenant, 0), vyrec_make_get(m, mk->site->priority, 0)};
	vyrec_local taken = vyrec_make_let(m, &out, "taken", call(m, mk->g->spawn_open, whose, 4));
	for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++) {
		const uint32_t word[3] = {vyrec_make_get(m, taken, 0), vyrec_make_u32(m, k, 0),
					  values[k] ? values[k] : vyrec_make_u32(m, 0, 0)};
		vyrec_list_push(&fill, effect(m, call(m, mk->g->spawn_word, word, 3)));
	}
	vyrec_list_push(&fill,
			effect(m, call(m, mk->g->spawn_push, (const uint32_t[]){vyrec_make_get(m, taken, 0)}, 1)));
	vyrec_block otherwise = n.body[0];
	if (!otherwise) {
		vyrec_stmt trap = trap_of_kind(m, VYRE_FAULT_NO_SPACE, vyrec_make_u32(m, opcode, 0));
		otherwise = vyrec_add_block(m, &trap, 1);
	}
	vyrec_expr room = vyrec_make_op(m, VYREC_OP_ne_i, vyrec_make_get(m, taken, 0), vyrec_make_u32(m, 0, 0), 0);
	vyrec_list_push(&out, vyrec_make_if(m, room, vyrec_make_block(m, &fill), otherwise));
	vyrec_block block = vyrec_make_block(m, &out);
	m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .loc = n.loc, .body = {block}};
}

static void rewrite_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct maker *mk = user;
	struct vyrec_stmt_node *n = &m->stmts[s];
	switch (n->kind) {
	case VYREC_STMT_RETURN:
		if (!mk->label)
			mk->label = vyrec_add_local(m, vyrec_fresh_name(m, "done"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
		n->kind = VYREC_STMT_BREAK;
		n->local = mk->label;
		break;
	case VYREC_STMT_RESULT:
		rewrite_result(mk, s);
		break;
	case VYREC_STMT_LOG:
		rewrite_log(mk, s);
		break;
	case VYREC_STMT_SPAWN:
		rewrite_spawn(mk, s);
		break;
	default:
		break;
	}
}

/* ---- from handler to case -------------------------------------------------------------------------------------------------- */

/* for i in 0 .. count { array[i] = 0 }: a slot's shared memory starts at zero. All lanes of a wide op:
 * for i in lane .. count step lanes. */
static vyrec_stmt zero_array(struct maker *mk, vyrec_array array)
{
	struct vyrec_module *m = mk->g->m;
	const struct vyrec_array_node a = m->arrays[array];
	vyrec_local i = vyrec_add_local(m, vyrec_fresh_name(m, "i"), VYREC_LOCAL_COUNTER, VYREC_U32, 0);
	vyrec_stmt store = vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){
		   .kind = VYREC_STMT_STORE,
		   .array = array,
		   .policy = VYREC_POLICY_UNCHECKED,
		   .expr = {vyrec_make_get(m, i, 0), vyrec_make_lit(m, vyrec_type_of_element(a.element), 0, 0)}});
	vyrec_block body = vyrec_add_block(m, &store, 1);
	vyrec_expr first = is_wide(mk) ? lane_builtin(m, VYREC_BUILTIN_LANE) : vyrec_make_u32(m, 0, 0);
	vyrec_expr step = is_wide(mk) ? lane_builtin(m, VYREC_BUILTIN_LANES) : 0;
	return vyrec_add_stmt(m,
			      &(struct vyrec_stmt_node){.kind = VYREC_STMT_FOR,
							.local = i,
							.expr = {first, vyrec_make_lit(m, VYREC_U32, a.count, 0), step},
							.body = {body}});
}

/* And behind them a barrier, so that every lane finds all of it. */
static void push_zeroed(struct maker *mk, const struct vyrec_handler_node *h, struct vyrec_list *out)
{
	struct vyrec_module *m = mk->g->m;
	for (uint32_t i = 0; i < h->shared_count; i++)
		vyrec_list_push(out, zero_array(mk, m->refs[h->shared + i]));
	if (h->shared_count && is_wide(mk))
		vyrec_list_push(out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_BARRIER,
										 .scope = VYREC_SCOPE_WORKGROUP}));
}

/* let of each ARG word in use. */
static void push_arg_words(struct maker *mk, struct vyrec_list *out)
{
	for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
		if (mk->args[k])
			vyrec_list_push(out, let(mk->g->m, mk->args[k], load_arg(mk, k)));
}

/* These, then let of each parameter. */
static void push_arguments(struct maker *mk, const struct vyrec_list *locals, struct vyrec_list *out)
{
	struct vyrec_module *m = mk->g->m;
	struct vyrec_list params = {0};
	unsigned word = 0;
	for (uint32_t i = 0; i < locals->count; i++) {
		vyrec_local p = locals->items[i];
		vyrec_type type = m->locals[p].type;
		unsigned words = vyrec_words_of(type);
		vyrec_expr low = vyrec_make_get(m, arg_local(mk, word), 0);
		vyrec_expr high = words == 2 ? vyrec_make_get(m, arg_local(mk, word + 1), 0) : 0;
		m->locals[p].kind = VYREC_LOCAL_LET;
		vyrec_list_push(&params, let(m, p, vyrec_from_words(m, type, low, high)));
		word += words;
	}
	for (unsigned k = 0; k < VYRE_SLOT_ARGS && mk->arg_array; k++)
		arg_local(mk, k);
	push_arg_words(mk, out);
	for (uint32_t i = 0; i < params.count; i++)
		vyrec_list_push(out, params.items[i]);
	vyrec_list_free(&params);
	if (!mk->arg_array)
		return;
	vyrec_list_push(out,
			vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR, .array = mk->arg_array}));
	for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
		vyrec_list_push(
		    out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_STORE,
								     .array = mk->arg_array,
								     .policy = VYREC_POLICY_UNCHECKED,
								     .expr = {vyrec_make_lit(m, VYREC_U32, k, 0),
									      vyrec_make_get(m, mk->args[k], 0)}}));
}

/* An opcode in a tenant's window is that tenant's alone. */
static void push_window_check(struct maker *mk, uint32_t opcode, struct vyrec_list *out)
{
	struct vyrec_module *m = mk->g->m;
	if (!vyre_opcode_has_window(opcode))
		return;
	vyrec_stmt trap = trap_of_kind(m, VYRE_FAULT_TENANT, vyrec_make_get(m, mk->site->tenant, 0));
	vyrec_expr is_other = vyrec_make_op(m, VYREC_OP_ne_i, vyrec_make_get(m, mk->site->tenant, 0),
					    vyrec_make_u32(m, vyre_opcode_window(opcode), 0), 0);
	vyrec_list_push(out, vyrec_make_if(m, is_other, vyrec_add_block(m, &trap, 1), 0));
}

/* The body to be rewritten: the handler's own, or for a packed slot a copy of it with parameters of its own. */
static vyrec_block take_body(struct maker *mk, struct vyrec_list *params)
{
	struct vyrec_module *m = mk->g->m;
	const struct vyrec_handler_node h = m->handlers[mk->handler];
	struct vyrec_subst subst = {0};
	for (uint32_t i = 0; i < h.param_count; i++) {
		vyrec_local from = m->refs[h.params + i], to = from;
		if (mk->inner) {
			to = vyrec_add_local(m, vyrec_fresh_name(m, vyrec_name_text(m, m->locals[from].name)),
					     VYREC_LOCAL_LET, m->locals[from].type, m->locals[from].loc);
			vyrec_subst_local(&subst, from, to);
		}
		vyrec_list_push(params, to);
	}
	vyrec_block body = mk->inner ? vyrec_clone_block(m, h.body, &subst) : h.body;
	vyrec_subst_finish(&subst);
	return body;
}

/* Arguments and body, entered again where it has left. The set's frames are as large as the largest. Points have numbers
 * of their own in the whole set: a host may write another opcode into a slot that waits, and what one handler has kept is
 * not what another one may take back. */
static void split(struct vyrec_mega *g, const struct vyrec_handler_node *h, vyrec_block block)
{
	const struct vyrec_suspend_env env = {
	    .points_before = g->shape.points,
	    .slot = g->run.slot_index,
	    .resume = g->resume,
	    .stop = g->stop,
	    .pc = g->stop_pc,
	    .operand = {g->stop_a, g->stop_b, g->stop_c, g->stop_d, g->stop_e},
	    .frame_open = g->frame_open,
	    .frame_place = g->frame_place,
	    .frame_get = g->frame_get,
	    .frame_set = g->frame_set,
	};
	struct vyrec_suspend_info info;
	vyrec_suspend_split(g->m, &env, block, &info);
	g->shape.points += info.points;
	if (info.frame_words > g->shape.frame_words)
		g->shape.frame_words = info.frame_words;
	if (info.frame_words <= VYRE_BLOB_MAX_FRAME_WORDS)
		return;
	vyrec_diags_add(
	    g->diags, VYREC_ERROR, "", h->loc,
	    "`%s` keeps %u words while it is suspended; a frame has at most %d, keep large arrays in a buffer",
	    vyrec_name_text(g->m, h->name), info.frame_words, VYRE_BLOB_MAX_FRAME_WORDS);
	g->failed = true;
}

vyrec_block vyrec_mega_case(struct vyrec_mega *g, const struct vyrec_mega_site *site, vyrec_handler handler)
{
	struct vyrec_module *m = g->m;
	struct maker mk = {.g = g, .handler = handler, .site = site, .inner = site == &g->packed};
	struct vyrec_list stmts = {0}, once = {0}, params = {0};
	const struct vyrec_walker walker = {rewrite_stmt, rewrite_expr, &mk};
	const struct vyrec_handler_node h = m->handlers[handler];
	vyrec_block body = take_body(&mk, &params);
	vyrec_walk_block(m, body, &walker);
	if (!(g->shape.features & VYRE_HAS_FUSED))
		push_window_check(&mk, h.opcode, &stmts);
	push_zeroed(&mk, &h, &stmts); /* also when it goes on: what stands there is another slot's */
	push_arguments(&mk, &params, &once);
	vyrec_list_push(&once, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
						     .kind = VYREC_STMT_BLOCK, .local = mk.label, .body = {body}}));
	vyrec_list_free(&params);
	vyrec_block block = vyrec_make_block(m, &once);
	if (!mk.inner && g->frame_open)
		split(g, &h, block);
	for (uint32_t i = 0; i < m->blocks[block].count; i++)
		vyrec_list_push(&stmts, vyrec_block_stmt(m, block, i));
	return vyrec_make_block(m, &stmts);
}

/* ---- other cases ---------------------------------------------------------------------------------------------------------- */

vyrec_block vyrec_mega_unknown_case(struct vyrec_mega *g, const struct vyrec_mega_site *site)
{
	const vyrec_expr args[2] = {vyrec_make_get(g->m, site->opcode, 0), vyrec_make_get(g->m, site->tenant, 0)};
	vyrec_stmt stmt = effect(g->m, call(g->m, g->unknown_opcode, args, 2));
	return vyrec_add_block(g->m, &stmt, 1);
}

/* dfa_table[a0 * 256 + a1], 0 beyond its end: the op looks at its length. */
static vyrec_expr dfa_entry(struct maker *mk)
{
	struct vyrec_module *m = mk->g->m;
	vyrec_expr row =
	    vyrec_make_op(m, VYREC_OP_mul_i, vyrec_make_get(m, arg_local(mk, 0), 0), vyrec_make_u32(m, 256, 0), 0);
	vyrec_expr index = vyrec_make_op(m, VYREC_OP_add_i, row, vyrec_make_get(m, arg_local(mk, 1), 0), 0);
	return vyrec_make_load(m, mk->g->dfa_table, index, VYREC_POLICY_CHECKED, 0);
}

/* What a parameter of a built-in op's fn is given, by its name: slot_index, tenant_id, inner (true in a packed slot),
 * dfa_entry and dfa_length of the set's table, or aK, the argument word K. */
static vyrec_expr builtin_argument(struct maker *mk, const char *name)
{
	struct vyrec_module *m = mk->g->m;
	if (!strcmp(name, "slot_index"))
		return vyrec_make_get(m, mk->site->slot_index, 0);
	if (!strcmp(name, "tenant_id"))
		return vyrec_make_get(m, mk->site->tenant, 0);
	if (!strcmp(name, "inner"))
		return vyrec_make_lit(m, VYREC_BOOL, mk->inner, 0);
	if (!strcmp(name, "dfa_entry"))
		return dfa_entry(mk);
	if (!strcmp(name, "dfa_length"))
		return vyrec_add_expr(m, &(struct vyrec_expr_node){
					     .kind = VYREC_EXPR_LENGTH, .type = VYREC_U32, .sym = mk->g->dfa_table});
	return vyrec_make_get(m, arg_local(mk, (unsigned)strtoul(name + 1, NULL, 10)), 0);
}

/* The value of a fn that has one is why the op stops before its end (STOP_*). */
vyrec_block vyrec_mega_builtin_case(struct vyrec_mega *g, const struct vyrec_mega_site *site, vyrec_fn template_fn)
{
	struct vyrec_module *m = g->m;
	const struct vyrec_module *t = g->template;
	struct maker mk = {.g = g, .site = site, .inner = site == &g->packed};
	struct vyrec_list args = {0}, stmts = {0};
	for (uint32_t i = 0; i < t->fns[template_fn].param_count; i++) {
		vyrec_local param = t->refs[t->fns[template_fn].params + i];
		vyrec_list_push(&args, builtin_argument(&mk, vyrec_name_text(t, t->locals[param].name)));
	}
	push_arg_words(&mk, &stmts);
	vyrec_expr called = call(m, g->fns + template_fn, args.items, args.count);
	vyrec_list_push(&stmts, m->exprs[called].type ? vyrec_make_assign(m, g->stop, called) : effect(m, called));
	vyrec_list_free(&args);
	return vyrec_make_block(m, &stmts);
}
