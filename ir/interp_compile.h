/* interp_compile.h - what the two halves of the interpreter's compiler share: interp_values.c makes the code of
 * expressions, interp_compile.c that of statements and units. */
#ifndef VYREC_INTERP_COMPILE_H
#define VYREC_INTERP_COMPILE_H
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
	uint8_t *fn_meets; /* of vyrec_block_meets */
	struct vyrec_list called; /* fns in the order of their first call */
	struct scope *scopes;
	uint32_t scope_count, scope_capacity;
	vyrec_fn fn; /* being compiled, or 0 */
};

/* Registers, literals, instructions. An instruction's address is good until the next one is emitted. */
uint32_t interp_new_register(struct compiler *c);
uint32_t interp_literal(struct compiler *c, uint64_t bits);
struct interp_insn *interp_emit(struct compiler *c, enum interp_code_kind kind, vyrec_loc loc);
void interp_emit_move(struct compiler *c, uint32_t dst, uint32_t from, vyrec_loc loc);
/* Emits a jump and adds it to a chain; binds a chain to the next instruction. */
void interp_emit_jump(struct compiler *c, enum interp_code_kind kind, uint32_t condition, uint32_t *chain,
		      vyrec_loc loc);
void interp_bind_jumps(struct compiler *c, uint32_t chain);

vyrec_policy interp_policy_of(const struct compiler *c, unsigned policy); /* never DEFAULT */
unsigned interp_words_of(vyrec_type type);				  /* slot words of a value */
/* Local and shared arrays: gives one its bytes; what instructions call it; does only its lane see it? */
uint32_t interp_add_place(struct compiler *c, vyrec_array array);
uint32_t interp_place_of(const struct compiler *c, vyrec_array array);
bool interp_is_private(const struct compiler *c, vyrec_array array);

/* The value of an expression in a register of its own choice, good until the statement ends; in dst; 0 for none. */
uint32_t interp_value(struct compiler *c, vyrec_expr e);
void interp_value_into(struct compiler *c, vyrec_expr e, uint32_t dst);
uint32_t interp_optional_value(struct compiler *c, vyrec_expr e);
/* The registers that callers share with a fn: return address, result, parameters. */
uint32_t interp_fn_link(struct compiler *c, vyrec_fn fn);

#endif
