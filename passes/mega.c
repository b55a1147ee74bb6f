/* mega.c - megakernel assembly: a set of handlers and a feed become one program in our own IR.
 *
 * Enters: a module whose calls are inlined, accesses have policies and handlers fit the target's lanes. Leaves: every
 * set is a PROGRAM of the same name, with unit->feed set: the feed's scheduler (mega_*.vyre, parsed here) whose switch
 * over opcodes holds every handler. So interpreter and every backend run the same scheduler.
 *
 * The scheduler is text in our own language and not C that builds nodes: it is read far more often than it is built,
 * and parsing it costs well under a millisecond.
 *
 * What a handler's own words become (the slot's words are read once, into lets, when its case starts):
 *   parameters, arg[k]          lets of atomic loads of the slot's ARG words; arg[e] an array of all twelve
 *   slot tenant priority opcode locals of run_claimed
 *   result(k, v)                an atomic store to the slot's ARG word
 *   log(id, a, b)               a call of append_log
 *   a const                     its value
 *   return                      break out of the case's block
 *   trap(code)                  stays: the catch around the switch takes it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/make.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/ring.h"

extern const char vyrec_mega_run_text[], vyrec_mega_live_text[], vyrec_mega_slots_text[];

static const struct feed {
	unsigned id;
	const char *text;
} feeds[] = {
    {VYRE_FEED_LIVE, vyrec_mega_live_text},
    {VYRE_FEED_SLOTS, vyrec_mega_slots_text},
};

enum { LIVE_BATCH = 32 }; /* positions that one claim takes at most */

static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
#define X(name, word, words, writer, text) {"CONTROL_" #name, VYRE_CONTROL_##name},
    VYRE_CONTROL_FIELDS(X)
#undef X
#define X(name, word, words, writer, text) {"LIVE_" #name, VYRE_LIVE_##name},
	VYRE_LIVE_FIELDS(X)
#undef X
#define X(name, word, words, writer, text) {"SLOT_WORD_" #name, VYRE_SLOT_WORD_##name},
	    VYRE_SLOT_FIELDS(X)
#undef X
#define X(name, value) {"SLOT_" #name, value},
		VYRE_SLOT_STATUS_LIST(X)
#undef X
#define X(name, value, text) {"FAULT_" #name, value},
		    VYRE_FAULT_LIST(X)
#undef X
#define X(name, word, text) {"LAUNCH_" #name, word},
			VYRE_LAUNCH_FIELDS(X)
#undef X
			    {"CONTROL_MIN_WORDS", VYRE_CONTROL_MIN_WORDS},
    {"LIVE_WORDS", VYRE_LIVE_WORDS},
    {"SLOT_WORDS", VYRE_SLOT_WORDS},
    {"TENANT_MASKS", VYRE_TENANT_MASKS},
    {"DEBUG_WORDS", VYRE_DEBUG_WORDS},
    {"DEBUG_RECORD_WORDS", VYRE_DEBUG_RECORD_WORDS},
    {"BATCH", LIVE_BATCH},
};

/* One assembly. Locals and functions of the template that handlers refer to are found by name before the import. */
struct mega {
	struct vyrec_module *m;
	struct vyrec_diags *diags;
	vyrec_unit set, shell; /* shell: the imported template, becomes the set */
	vyrec_array ring;
	vyrec_local slot_index, opcode, tenant, priority, base;
	vyrec_fn append_log;
	vyrec_stmt marker;		  /* opaque "handlers" */
	vyrec_handler handler;		  /* the one being moved */
	vyrec_local label;		  /* of its block, 0 until a return asks for one */
	vyrec_local args[VYRE_SLOT_ARGS]; /* lets of the ARG words that it uses; 0 = not yet */
	vyrec_array arg_array;		  /* for arg[e] with e not a literal; 0 = not needed */
	bool failed;
};

/* ---- small makers of nodes ---------------------------------------------------------------------------------------------- */

static vyrec_stmt let(struct vyrec_module *m, vyrec_local local, vyrec_expr value)
{
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_LET, .local = local, .expr = {value}});
}

/* The element of the ring that holds ARG word k of the slot. */
static struct vyrec_expr_node arg_place(struct mega *g, unsigned k, vyrec_atomic atomic, vyrec_type type)
{
	vyrec_expr index = vyrec_make_op(g->m, VYREC_OP_add_i, vyrec_make_get(g->m, g->base, 0),
					 vyrec_make_lit(g->m, VYREC_U32, VYRE_SLOT_WORD_ARG0 + k, 0), 0);
	return (struct vyrec_expr_node){.kind = VYREC_EXPR_ATOMIC,
					.code = atomic,
					.type = type,
					.policy = VYREC_POLICY_UNCHECKED,
					.scope = VYREC_SCOPE_DEVICE,
					.sym = g->ring,
					.arg = {index}};
}

static vyrec_expr load_arg(struct mega *g, unsigned k)
{
	struct vyrec_expr_node e = arg_place(g, k, VYREC_ATOMIC_LOAD, VYREC_U32);
	return vyrec_add_expr(g->m, &e);
}

static vyrec_stmt store_arg(struct mega *g, unsigned k, vyrec_expr value)
{
	struct vyrec_expr_node e = arg_place(g, k, VYREC_ATOMIC_STORE, VYREC_VOID);
	e.arg[1] = value;
	return vyrec_add_stmt(g->m,
			      &(struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .expr = {vyrec_add_expr(g->m, &e)}});
}

/* ---- values and slot words ---------------------------------------------------------------------------------------------- */

static vyrec_expr from_words(struct vyrec_module *m, vyrec_type type, vyrec_expr low, vyrec_expr high)
{
	switch (type) {
	case VYREC_BOOL:
		return vyrec_make_op(m, VYREC_OP_to_bool_i, low, 0, 0);
	case VYREC_I32:
		return vyrec_make_op(m, VYREC_OP_to_i32_i, low, 0, 0);
	case VYREC_F32:
		return vyrec_make_op(m, VYREC_OP_bits_f32_u, low, 0, 0);
	case VYREC_U64:
	case VYREC_I64:
	case VYREC_F64: {
		vyrec_expr upper = vyrec_make_op(m, VYREC_OP_shl, vyrec_make_op(m, VYREC_OP_to_u64_u, high, 0, 0),
						 vyrec_make_lit(m, VYREC_U64, 32, 0), 0);
		vyrec_expr bits =
		    vyrec_make_op(m, VYREC_OP_or_i, upper, vyrec_make_op(m, VYREC_OP_to_u64_u, low, 0, 0), 0);
		return type == VYREC_I64   ? vyrec_make_op(m, VYREC_OP_to_i64_u, bits, 0, 0)
		       : type == VYREC_F64 ? vyrec_make_op(m, VYREC_OP_bits_f64_u, bits, 0, 0)
					   : bits;
	}
	default:
		return low;
	}
}

static unsigned words_of(vyrec_type type)
{
	return vyrec_type_bytes(type) > 4 ? 2 : 1;
}

/* A value of up to 32 bits as a slot word. */
static vyrec_expr to_word(struct vyrec_module *m, vyrec_type type, vyrec_expr value)
{
	switch (type) {
	case VYREC_BOOL:
		return vyrec_make_op(m, VYREC_OP_to_u32_b, value, 0, 0);
	case VYREC_I32:
		return vyrec_make_op(m, VYREC_OP_to_u32_i, value, 0, 0);
	case VYREC_F32:
		return vyrec_make_op(m, VYREC_OP_bits_u32_f, value, 0, 0);
	default:
		return value;
	}
}

/* ---- rewriting a handler's body ------------------------------------------------------------------------------------------ */

/* The let that holds ARG word k; made on first use. */
static vyrec_local arg_local(struct mega *g, unsigned k)
{
	if (!g->args[k]) {
		char name[8];
		snprintf(name, sizeof name, "arg%u", k);
		g->args[k] = vyrec_add_local(g->m, vyrec_fresh_name(g->m, name), VYREC_LOCAL_LET, VYREC_U32, 0);
	}
	return g->args[k];
}

static void rewrite_expr(void *user, struct vyrec_module *m, vyrec_expr e)
{
	struct mega *g = user;
	struct vyrec_expr_node *n = &m->exprs[e];
	if (n->kind == VYREC_EXPR_CONST) { /* the program takes no consts over, and level 0 folds none */
		*n = (struct vyrec_expr_node){
		    .kind = VYREC_EXPR_LIT, .type = n->type, .loc = n->loc, .imm = m->consts[n->sym].value};
	} else if (n->kind == VYREC_EXPR_BUILTIN) {
		vyrec_local local = n->code == VYREC_BUILTIN_SLOT	? g->slot_index
				    : n->code == VYREC_BUILTIN_TENANT	? g->tenant
				    : n->code == VYREC_BUILTIN_PRIORITY ? g->priority
				    : n->code == VYREC_BUILTIN_OPCODE	? g->opcode
									: 0;
		if (local)
			*n = (struct vyrec_expr_node){
			    .kind = VYREC_EXPR_LOCAL, .type = VYREC_U32, .loc = n->loc, .sym = local};
	} else if (n->kind == VYREC_EXPR_ARG) {
		uint64_t k;
		if (!vyrec_expr_is_lit(m, n->arg[0], &k)) {
			if (!g->arg_array)
				g->arg_array =
				    vyrec_add_array(m, &(struct vyrec_array_node){.name = vyrec_fresh_name(m, "args"),
										  .class_ = VYREC_CLASS_LOCAL,
										  .element = VYREC_U32,
										  .count = VYRE_SLOT_ARGS});
			n->kind = VYREC_EXPR_LOAD; /* an index from 12 up gives 0 by the checked policy */
			n->sym = g->arg_array;
			n->policy = VYREC_POLICY_CHECKED;
		} else if (k < VYRE_SLOT_ARGS) {
			*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LOCAL,
						      .type = VYREC_U32,
						      .loc = n->loc,
						      .sym = arg_local(g, (unsigned)k)};
		} else {
			*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = VYREC_U32, .loc = n->loc};
		}
	}
}

static void refuse(struct mega *g, const struct vyrec_stmt_node *n)
{
	vyrec_diags_add(
	    g->diags, VYREC_ERROR, "", n->loc,
	    "op `%s`: `%s` cannot be compiled to a kernel by this version; run the set with `vyrec run`, or "
	    "split the op where it would suspend",
	    vyrec_name_text(g->m, g->m->handlers[g->handler].name), vyrec_stmt_get_info(n->kind)->text);
	g->failed = true;
}

static void rewrite_result(struct mega *g, vyrec_stmt s)
{
	struct vyrec_module *m = g->m;
	struct vyrec_stmt_node n = m->stmts[s];
	vyrec_type type = m->exprs[n.expr[0]].type;
	if (words_of(type) == 1) {
		vyrec_stmt stored = store_arg(g, (unsigned)n.imm, to_word(m, type, n.expr[0]));
		m->stmts[s] = m->stmts[stored];
		m->stmts[s].loc = n.loc;
		return;
	}
	vyrec_local bits = vyrec_add_local(m, vyrec_fresh_name(m, "bits"), VYREC_LOCAL_LET, VYREC_U64, 0);
	vyrec_expr value = type == VYREC_I64   ? vyrec_make_op(m, VYREC_OP_to_u64_s, n.expr[0], 0, 0)
			   : type == VYREC_F64 ? vyrec_make_op(m, VYREC_OP_bits_u64_f, n.expr[0], 0, 0)
					       : n.expr[0];
	vyrec_expr low = vyrec_make_op(m, VYREC_OP_to_u32_i, vyrec_make_get(m, bits, 0), 0, 0);
	vyrec_expr high = vyrec_make_op(
	    m, VYREC_OP_to_u32_i,
	    vyrec_make_op(m, VYREC_OP_shr_u, vyrec_make_get(m, bits, 0), vyrec_make_lit(m, VYREC_U64, 32, 0), 0), 0, 0);
	vyrec_stmt body[3] = {let(m, bits, value), store_arg(g, (unsigned)n.imm, low),
			      store_arg(g, (unsigned)n.imm + 1, high)};
	vyrec_block block = vyrec_add_block(m, body, 3);
	m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_BLOCK, .loc = n.loc, .body = {block}};
}

static void rewrite_log(struct mega *g, vyrec_stmt s)
{
	struct vyrec_module *m = g->m;
	struct vyrec_stmt_node n = m->stmts[s];
	uint32_t args[4] = {vyrec_make_lit(m, VYREC_U32, n.imm, 0), n.expr[0], n.expr[1],
			    vyrec_make_get(m, g->slot_index, 0)};
	vyrec_expr call = vyrec_add_expr(m, &(struct vyrec_expr_node){.kind = VYREC_EXPR_CALL,
								      .loc = n.loc,
								      .sym = g->append_log,
								      .list = vyrec_add_refs(m, args, 4),
								      .count = 4});
	m->stmts[s] = (struct vyrec_stmt_node){.kind = VYREC_STMT_EXPR, .loc = n.loc, .expr = {call}};
}

static void rewrite_stmt(void *user, struct vyrec_module *m, vyrec_stmt s)
{
	struct mega *g = user;
	struct vyrec_stmt_node *n = &m->stmts[s];
	switch (n->kind) {
	case VYREC_STMT_RETURN:
		if (!g->label)
			g->label = vyrec_add_local(m, vyrec_fresh_name(m, "done"), VYREC_LOCAL_LABEL, VYREC_VOID, 0);
		n->kind = VYREC_STMT_BREAK;
		n->local = g->label;
		break;
	case VYREC_STMT_RESULT:
		rewrite_result(g, s);
		break;
	case VYREC_STMT_LOG:
		rewrite_log(g, s);
		break;
	default:
		if ((vyrec_stmt_get_info(n->kind)->flags & VYREC_IS_SUSPEND) || n->kind == VYREC_STMT_SPAWN)
			refuse(g, n);
		break;
	}
}

/* ---- from handler to case -------------------------------------------------------------------------------------------------- */

/* for i in 0 .. count { array[i] = 0 }: a slot's shared memory starts at zero. */
static vyrec_stmt zero_array(struct vyrec_module *m, vyrec_array array)
{
	const struct vyrec_array_node a = m->arrays[array];
	vyrec_local i = vyrec_add_local(m, vyrec_fresh_name(m, "i"), VYREC_LOCAL_COUNTER, VYREC_U32, 0);
	vyrec_stmt store = vyrec_add_stmt(
	    m, &(struct vyrec_stmt_node){
		   .kind = VYREC_STMT_STORE,
		   .array = array,
		   .policy = VYREC_POLICY_UNCHECKED,
		   .expr = {vyrec_make_get(m, i, 0), vyrec_make_lit(m, vyrec_type_of_element(a.element), 0, 0)}});
	vyrec_block body = vyrec_add_block(m, &store, 1);
	return vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_FOR,
							   .local = i,
							   .expr = {vyrec_make_lit(m, VYREC_U32, 0, 0),
								    vyrec_make_lit(m, VYREC_U32, a.count, 0)},
							   .body = {body}});
}

/* let of each ARG word in use, then of each parameter. */
static void push_arguments(struct mega *g, struct vyrec_list *out)
{
	struct vyrec_module *m = g->m;
	const struct vyrec_handler_node h = m->handlers[g->handler];
	struct vyrec_list params = {0};
	unsigned word = 0;
	for (uint32_t i = 0; i < h.param_count; i++) {
		vyrec_local p = m->refs[h.params + i];
		vyrec_type type = m->locals[p].type;
		unsigned words = words_of(type);
		vyrec_expr low = vyrec_make_get(m, arg_local(g, word), 0);
		vyrec_expr high = words == 2 ? vyrec_make_get(m, arg_local(g, word + 1), 0) : 0;
		m->locals[p].kind = VYREC_LOCAL_LET;
		vyrec_list_push(&params, let(m, p, from_words(m, type, low, high)));
		word += words;
	}
	for (unsigned k = 0; k < VYRE_SLOT_ARGS && g->arg_array; k++)
		arg_local(g, k);
	for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
		if (g->args[k])
			vyrec_list_push(out, let(m, g->args[k], load_arg(g, k)));
	for (uint32_t i = 0; i < params.count; i++)
		vyrec_list_push(out, params.items[i]);
	vyrec_list_free(&params);
	if (!g->arg_array)
		return;
	vyrec_list_push(out,
			vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_VAR, .array = g->arg_array}));
	for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
		vyrec_list_push(
		    out, vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_STORE,
								     .array = g->arg_array,
								     .policy = VYREC_POLICY_UNCHECKED,
								     .expr = {vyrec_make_lit(m, VYREC_U32, k, 0),
									      vyrec_make_get(m, g->args[k], 0)}}));
}

static vyrec_block make_case(struct mega *g, vyrec_handler handler)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list stmts = {0};
	const struct vyrec_walker walker = {rewrite_stmt, rewrite_expr, g};
	g->handler = handler;
	g->label = 0;
	g->arg_array = 0;
	memset(g->args, 0, sizeof g->args);

	vyrec_block body = m->handlers[handler].body;
	vyrec_walk_block(m, body, &walker);
	push_arguments(g, &stmts);
	for (uint32_t i = 0; i < m->handlers[handler].shared_count; i++)
		vyrec_list_push(&stmts, zero_array(m, m->refs[m->handlers[handler].shared + i]));
	vyrec_list_push(&stmts, vyrec_add_stmt(m, &(struct vyrec_stmt_node){
						      .kind = VYREC_STMT_BLOCK, .local = g->label, .body = {body}}));
	vyrec_block block = vyrec_add_block(m, stmts.items, stmts.count);
	vyrec_list_free(&stmts);
	return block;
}

/* Puts the switch where the template says `opaque "handlers"`. */
static void splice_handlers(struct mega *g)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list pairs = {0};
	for (uint32_t i = 0; i < m->units[g->set].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[g->set].items + 2 * i];
		if (item[0] != VYREC_ITEM_HANDLER)
			continue;
		vyrec_handler handler = item[1];
		vyrec_list_push(&pairs, m->handlers[handler].opcode);
		vyrec_list_push(&pairs, make_case(g, handler));
	}
	vyrec_stmt unknown = vyrec_add_stmt(m, &(struct vyrec_stmt_node){.kind = VYREC_STMT_TRAP,
									 .imm = VYRE_FAULT_UNKNOWN_OPCODE,
									 .expr = {vyrec_make_get(m, g->opcode, 0)}});
	vyrec_block otherwise = vyrec_add_block(m, &unknown, 1);
	m->stmts[g->marker] = (struct vyrec_stmt_node){.kind = VYREC_STMT_SWITCH,
						       .expr = {vyrec_make_get(m, g->opcode, 0)},
						       .list = vyrec_add_refs(m, pairs.items, pairs.count),
						       .count = pairs.count / 2,
						       .body = {otherwise}};
	vyrec_list_free(&pairs);
}

/* ---- the template ---------------------------------------------------------------------------------------------------------- */

static struct vyrec_module *parse_template(const char *name, const struct feed *feed, struct vyrec_diags *diags)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	if (!f)
		return NULL;
	fprintf(f, "program %s workgroup(1) {\n", name);
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		fprintf(f, "const %s: u32 = %u\n", constants[i].name, constants[i].value);
	fprintf(f, "%s\n%s\n}\n", vyrec_mega_run_text, feed->text);
	fclose(f);
	struct vyrec_module *template = vyrec_parse("megakernel", text, bytes, diags);
	free(text);
	return template;
}

static vyrec_local find_local(const struct vyrec_module *m, const char *name)
{
	for (vyrec_local i = 1; i < m->local_count; i++)
		if (!strcmp(vyrec_name_text(m, m->locals[i].name), name))
			return i;
	return 0;
}

/* Parses and imports the feed; remembers what handlers refer to. Locations of the template mean nothing to the user. */
static bool import_feed(struct mega *g, const struct feed *feed)
{
	struct vyrec_module *m = g->m;
	struct vyrec_module *t = parse_template(vyrec_name_text(m, m->units[g->set].name), feed, g->diags);
	if (!t)
		return false;
	for (uint32_t i = 1; i < t->expr_count; i++) {
		struct vyrec_expr_node *e = &t->exprs[i];
		e->loc = 0;
		if (e->kind == VYREC_EXPR_CONST)
			*e = (struct vyrec_expr_node){
			    .kind = VYREC_EXPR_LIT, .type = e->type, .imm = t->consts[e->sym].value};
	}
	for (uint32_t i = 1; i < t->stmt_count; i++)
		t->stmts[i].loc = 0;
	const struct {
		vyrec_local *place;
		const char *name;
	} wanted[] = {
	    {&g->opcode, "slot_opcode"},
	    {&g->tenant, "slot_tenant"},
	    {&g->priority, "slot_priority"},
	};
	uint32_t locals = m->local_count - 1, fns = m->fn_count - 1, stmts = m->stmt_count - 1,
		 arrays = m->array_count - 1;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		*wanted[i].place = locals + find_local(t, wanted[i].name);
	for (vyrec_fn f = 1; f < t->fn_count; f++) {
		const char *name = vyrec_name_text(t, t->fns[f].name);
		if (!strcmp(name, "append_log"))
			g->append_log = fns + f;
		else if (!strcmp(name, "run_claimed"))
			g->slot_index = locals + t->refs[t->fns[f].params];
	}
	g->base = locals + find_local(t, "base");
	for (vyrec_stmt s = 1; s < t->stmt_count; s++)
		if (t->stmts[s].kind == VYREC_STMT_OPAQUE)
			g->marker = stmts + s;
	for (vyrec_array a = 1; a < t->array_count; a++)
		if (!strcmp(vyrec_name_text(t, t->arrays[a].name), "ring_buffer"))
			g->ring = arrays + a;
	g->shell = vyrec_module_import(m, t);
	vyrec_module_destroy(t);
	return true;
}

/* An op's shared arrays become the program's. Ops may use the same names, so each gets its op's name in front. */
static void push_shared(struct vyrec_module *m, vyrec_handler handler, struct vyrec_list *items)
{
	const struct vyrec_handler_node h = m->handlers[handler];
	for (uint32_t k = 0; k < h.shared_count; k++) {
		char name[VYREC_MAX_NAME_BYTES - 8]; /* room for what makes it fresh */
		vyrec_array array = m->refs[h.shared + k];
		snprintf(name, sizeof name, "%s_%s", vyrec_name_text(m, h.name),
			 vyrec_name_text(m, m->arrays[array].name));
		m->arrays[array].name = vyrec_fresh_name(m, name);
		vyrec_list_push(items, VYREC_ITEM_SHARED);
		vyrec_list_push(items, array);
	}
}

/* The set takes the template's place: its buffers after the feed's, its shared arrays, the template's body. */
static void merge_units(struct mega *g, unsigned feed)
{
	struct vyrec_module *m = g->m;
	struct vyrec_list items = {0};
	const vyrec_unit from[2] = {g->shell, g->set};
	for (unsigned u = 0; u < 2; u++) {
		const struct vyrec_unit_node *unit = &m->units[from[u]];
		for (uint32_t i = 0; i < unit->item_count; i++) {
			const uint32_t *item = &m->refs[unit->items + 2 * i];
			if (item[0] == VYREC_ITEM_BUFFER) {
				vyrec_list_push(&items, VYREC_ITEM_BUFFER);
				vyrec_list_push(&items, item[1]);
			} else if (item[0] == VYREC_ITEM_HANDLER) {
				push_shared(m, item[1], &items);
			}
		}
	}
	/* The fns stay until their calls are inlined. */
	for (uint32_t i = 0; i < m->units[g->shell].item_count; i++) {
		const uint32_t *item = &m->refs[m->units[g->shell].items + 2 * i];
		if (item[0] != VYREC_ITEM_FN)
			continue;
		m->fns[item[1]].unit = g->set;
		vyrec_list_push(&items, VYREC_ITEM_FN);
		vyrec_list_push(&items, item[1]);
	}
	struct vyrec_unit_node *set = &m->units[g->set];
	set->kind = VYRE_UNIT_PROGRAM;
	set->feed = (uint8_t)feed;
	set->workgroup[0] = set->workgroup[1] = set->workgroup[2] = 1;
	set->body = m->units[g->shell].body;
	set->items = vyrec_add_refs(m, items.items, items.count);
	set->item_count = items.count / 2;
	m->unit_count--; /* the shell was the last one */
	vyrec_list_free(&items);
}

static void drop_fns(struct vyrec_module *m, vyrec_unit unit)
{
	struct vyrec_unit_node *u = &m->units[unit];
	uint32_t kept = 0;
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t *item = &m->refs[u->items + 2 * i];
		if (item[0] == VYREC_ITEM_FN)
			continue;
		m->refs[u->items + 2 * kept] = item[0];
		m->refs[u->items + 2 * kept + 1] = item[1];
		kept++;
	}
	u->item_count = kept;
}

bool vyrec_pass_mega(struct vyrec_module *m, const struct vyrec_pass_options *options, struct vyrec_diags *diags)
{
	unsigned id = options->feed ? options->feed : VYRE_FEED_LIVE;
	const struct feed *feed = NULL;
	bool changed = false;
	for (size_t i = 0; i < sizeof feeds / sizeof *feeds; i++)
		if (feeds[i].id == id)
			feed = &feeds[i];
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++) {
		struct mega g = {.m = m, .diags = diags, .set = unit};
		if (m->units[unit].kind != VYRE_UNIT_SET)
			continue;
		if (!feed || !import_feed(&g, feed)) {
			vyrec_diags_add(diags, VYREC_ERROR, "", 0, "the feed %u cannot be assembled; this is a bug",
					id);
			return changed;
		}
		splice_handlers(&g);
		merge_units(&g, id);
		changed = true;
		if (g.failed)
			return true;
	}
	if (changed) {
		vyrec_pass_inline(m, options, diags);
		for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
			if (m->units[unit].feed)
				drop_fns(m, unit);
	}
	return changed;
}
