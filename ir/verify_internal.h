/* verify_internal.h - what the files of the verifier share; private to the room. */
#ifndef VYREC_VERIFY_INTERNAL_H
#define VYREC_VERIFY_INTERNAL_H
#include "ir/verify.h"

enum verify_rule {
#define RULE(id, text) id,
#include "ir/verify.def"
	VERIFY_RULE_COUNT
};
extern const char *const verify_rule_ids[VERIFY_RULE_COUNT];

/* What a fn does, itself or through the fns that it calls. */
enum {
	VERIFY_FN_TOGETHER = 1, /* reaches a barrier or collective */
	VERIFY_FN_RESULT = 2,	/* writes a result word */
};

struct verifier {
	struct vyrec_module *m;
	struct vyrec_diags *diags;
	bool failed;
	/* made by verify_shape: fns that are reached, items of units first */
	struct vyrec_list fns;
	/* made by verify_calls, by vyrec_fn */
	uint8_t *fn_flags;
};

/* Reports a violation; the rule must be a row of verify.def. */
#define FAIL(v, rule, loc, ...) \
	((v)->failed = true, vyrec_diags_add((v)->diags, VYREC_ERROR, verify_rule_ids[rule], loc, __VA_ARGS__))

static inline const char *verify_name(const struct verifier *v, vyrec_name name)
{
	return vyrec_name_text(v->m, name);
}

/* A unit that a pass made from a set: its ops are rows for the loader's tables, their bodies are gone. */
static inline bool verify_is_lowered(const struct vyrec_unit_node *unit)
{
	return unit->kind == VYRE_UNIT_PROGRAM && unit->feed != VYRE_FEED_NONE;
}

/* Would the text form read this name back? Reports V022. `fn`: the name of a fn, which calls are told apart by. */
void verify_spelling(struct verifier *v, vyrec_name name, bool fn, vyrec_loc loc);

void verify_shape(struct verifier *v);	 /* V00x; believes nothing */
void verify_decls(struct verifier *v);	 /* V01x V02x */
void verify_calls(struct verifier *v);	 /* V057..V059; fills fn_flags */
void verify_bodies(struct verifier *v);	 /* V03x .. V07x */
void verify_uniform(struct verifier *v); /* V08x; needs a module without other violations */

/* ---- bodies (verify_bodies.c), statements (verify_stmts.c), expressions (verify_exprs.c) -------------------------------------------- */

/* The body that is walked, and what is visible at the place that the walk has reached. */
struct verify_body {
	struct verifier *v;
	vyrec_unit unit;       /* 0 = the prelude */
	vyrec_handler handler; /* or 0 */
	vyrec_fn fn;	       /* or 0 */
	unsigned where;	       /* VYREC_IN_HANDLER, VYREC_IN_PROGRAM; VYREC_IN_ANY = must be right in both */
	/* by index */
	uint8_t *local_visible, *array_visible, *const_visible;
	uint64_t *local_step; /* of a let whose value is positive by its form: the greatest it may be; else 0 */
	/* by name */
	uint32_t *name_uses; /* declarations that are visible */
	uint32_t name_capacity;
	uint32_t *op_by_name; /* ops of the unit */
	uint32_t op_capacity;
	uint32_t *unit_by_name; /* programs */
	uint32_t unit_capacity;
	struct vyrec_list scope; /* what open scopes declared: pairs (table, index) */
	unsigned loops;		 /* open loops */
	bool broken;		 /* a break leaves the innermost loop */
	uint64_t tags;		 /* copies started */
	struct vyrec_list waits; /* statements that wait for one */
};
void verify_expr(struct verify_body *b, vyrec_expr expr);
uint64_t verify_step_bound(const struct verify_body *b, vyrec_expr expr);
/* May the array be read or written plainly here? */
void verify_plain_access(struct verify_body *b, vyrec_array array, vyrec_loc loc, bool writes);
void verify_array_use(struct verify_body *b, vyrec_array array, vyrec_loc loc);

/* A block; true where control can reach its end. `scoped`: what it declares ends with it. */
bool verify_block(struct verify_body *b, vyrec_block block, bool scoped);
void verify_declare_local(struct verify_body *b, vyrec_local local, unsigned kind, vyrec_loc loc);
void verify_declare_array(struct verify_body *b, vyrec_array array);
/* Takes away what was declared since `scope` had `mark` entries. */
void verify_leave_scope(struct verify_body *b, uint32_t mark);

/* For messages: where the body stands. */
static inline const char *verify_where(const struct verify_body *b)
{
	return b->where == VYREC_IN_HANDLER   ? "in an op; pass it as an argument"
	       : b->where == VYREC_IN_PROGRAM ? "in a program; read it from a buffer"
					      : "in the prelude; pass it as an argument";
}

static inline bool verify_is_by_lane(const struct verify_body *b)
{
	return b->handler && b->v->m->handlers[b->handler].granularity == VYRE_BY_LANE;
}

#endif
