/* interp_code.h - the interpreter's own form of a program or an op: a list of instructions over numbered registers.
 *
 * Every local, temporary and literal has a number; the numbers of a fn are its own (there is no recursion, so one frame
 * a fn is enough and a call is a jump). A lane runs one instruction at a time, so any interleaving can be tried.
 */
#ifndef VYREC_INTERP_CODE_H
#define VYREC_INTERP_CODE_H
#include "ir/interp.h"

/* Instructions from LOAD on touch memory or wait: a seeded scheduler may change lanes after each of them. */
#define INTERP_CODES(X) \
	X(MOVE) \
	X(EVAL) X(JUMP) X(JUMP_IF) X(JUMP_UNLESS) X(SWITCH) X(FOR_TRIPS) X(FOR_NEXT) X(CALL) X(RETURN) X(END) \
	    X(CATCH_ENTER) X(CATCH_LEAVE) X(CATCH_LAND) X(CATCH_END) X(LENGTH) X(ARG) X(PARAM) X(BUILTIN) X(ZERO_LOCAL) \
		X(LOAD_PRIVATE) X(STORE_PRIVATE) X(RESULT) X(SPAWN_ARG) X(LOAD) X(STORE) X(ATOMIC) X(FENCE) X(ASYNC) \
		    X(ASYNC_AT) X(ASYNC_WAIT) X(DISPATCH) X(TRAP) X(LOG) X(RELAX) X(OPAQUE) X(SPAWN) X(BARRIER) \
			X(COLLECTIVE) X(SUSPEND)
enum interp_code_kind {
#define X(name) INTERP_##name,
	INTERP_CODES(X)
#undef X
};
enum {
	INTERP_CONST = 1u << 31,   /* a register number with this bit is an index of the literal pool */
	INTERP_LINK = 1u << 30,	   /* while compiling: a register that callers and a fn share */
	INTERP_SHARED = 1u << 31,  /* of a place: an index of code->shared */
	INTERP_PRIVATE = 1u << 30, /* of a place: an index of code->locals; else an array of the module */
};

struct interp_insn {
	uint8_t kind;
	uint8_t type; /* of the operands; of the element for memory */
	uint8_t policy, order, scope;
	uint8_t words; /* RESULT, PARAM, SPAWN_ARG: 1, or 2 for 64-bit values */
	uint16_t op;   /* vyrec_op, vyrec_atomic, vyrec_collective, vyrec_builtin or vyrec_stmt_kind */
	uint16_t fold; /* ATOMIC, COLLECTIVE: the vyrec_op that combines two values */
	uint32_t dst, a, b, c, d;
	uint32_t sym;	 /* place, opcode, name, first case */
	uint32_t target; /* of a jump; of a SPAWN without room, 0 = it faults; or a count */
	vyrec_loc loc;
	uint64_t imm;
};
struct interp_case {
	uint32_t value, target;
};

/* A local or shared array: where it lives in the memory of its lane or workgroup. */
struct interp_place {
	vyrec_array array;
	uint32_t count, element;
	uint64_t offset;
};

struct interp_code {
	struct interp_insn *insns;
	uint32_t insn_count, insn_capacity;
	struct interp_case *cases; /* sorted by value within a switch */
	uint32_t case_count, case_capacity;
	uint64_t *literals;
	uint32_t literal_count, literal_capacity;
	uint32_t register_count;
	struct interp_place *locals, *shared;
	uint32_t local_count, local_capacity, shared_count, shared_capacity;
	uint64_t local_bytes, shared_bytes;
	bool has_async;
};

/* The code of a handler, or of a program when handler is 0. bounds: what DEFAULT accesses do. */
struct interp_code *interp_compile(const struct vyrec_module *module, vyrec_unit unit, vyrec_handler handler,
				   vyrec_policy bounds);
void interp_code_free(struct interp_code *code);

#endif
