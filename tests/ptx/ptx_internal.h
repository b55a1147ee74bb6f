/* ptx_internal.h - a decoded module and a running grid, as the files of this folder share them. */
#ifndef VYRE_TESTS_PTX_INTERNAL_H
#define VYRE_TESTS_PTX_INTERNAL_H
#include <setjmp.h>

#include "tests/ptx/ptx.h"
#include "tests/ptx/ptx_value.h"

/* ---- instructions ------------------------------------------------------------------------------------------- */

/* Those that are no row of ptx_ops.def.
 *   name     operands that are read before it runs (careful launches look at them) */
#define PTX_CONTROL_LIST(X) \
	X(guard,    "a")    /* goes on at pc + offset unless a is e */ \
	X(bra,      "")     /* to offset */ \
	X(bra_if,   "a")    /* to offset if a is e */ \
	X(brx,      "a")    /* to target number a of table e */ \
	X(call,     "")     /* site e */ \
	X(ret,      "") \
	X(exit,     "") \
	X(trap,     "") \
	X(special,  "")     /* d = special register e */ \
	X(address,  "")     /* d = address of a variable in `space`, offset */ \
	X(to_generic, "a")  /* d = generic address of a in `space` */ \
	X(from_generic, "a") \
	X(is_space, "a")    /* d = is the generic address a in `space`? */ \
	X(load,     "a")    /* d or vector e = [a + offset] */ \
	X(store,    "a")    /* [a + offset] = b or vector e */ \
	X(atom,     "ab")   /* d = [a + offset], [a + offset] = it `mode` b; d 0 for red */ \
	X(cas,      "abc") \
	X(fence,    "") \
	X(add_cc,   "ab")   /* width bits; order: 1 takes the carry in, 2 writes it out, 4 subtracts */ \
	X(mad_cc,   "abc")  /* the same, of a product; mode: 1 = its upper half */ \
	X(sleep,    "") \
	X(nothing,  "") \
	X(barrier,  "a")    /* barrier a; b lanes (0 = all); mode; predicate c into d; flag ALIGNED */ \
	X(warp,     "")     /* mode: enum ptx_warp_mode; a value, b, c, mask e, second result in offset */ \
	X(active,   "")

enum ptx_op {
#define OP(name, texts, operands, value) PTX_##name,
#include "tests/ptx/ptx_ops.def"
	PTX_VALUE_OPS,
	PTX_before_control = PTX_VALUE_OPS - 1,
#define X(name, operands) PTX_##name,
	PTX_CONTROL_LIST(X)
#undef X
	PTX_OPS
};

enum ptx_space {
	PTX_GENERIC, PTX_GLOBAL, PTX_SHARED, PTX_LOCAL, PTX_CONST,
	PTX_PARAM,	/* the entry's parameters */
	PTX_CALL_PARAM, /* a function's own: formals and those of its calls */
};
enum ptx_order { PTX_WEAK, PTX_VOLATILE, PTX_RELAXED, PTX_ACQUIRE, PTX_RELEASE, PTX_ACQ_REL, PTX_SC };
enum ptx_scope { PTX_NO_SCOPE, PTX_CTA, PTX_CLUSTER, PTX_GPU, PTX_SYS };
enum ptx_flag {
	PTX_CONSTANT = 2, /* ld.global.nc */
	PTX_ALIGNED = 4,  /* a barrier for whole warps */
	PTX_VECTOR = 8,	  /* operands in the vector e */
};
#define PTX_ATOM_LIST(X) \
	X(ADD, "add") X(AND, "and") X(OR, "or") X(XOR, "xor") X(EXCH, "exch") X(MIN, "min") X(MAX, "max") X(INC, "inc") \
	X(DEC, "dec") X(CAS, "cas")
enum ptx_atom_mode {
#define X(name, text) PTX_ATOM_##name,
	PTX_ATOM_LIST(X)
#undef X
	PTX_ATOMS,
};
enum ptx_kind { PTX_UINT, PTX_SINT, PTX_FLOAT }; /* of atom: in flags >> 4 */
enum ptx_barrier_mode { PTX_BAR_SYNC, PTX_BAR_ARRIVE, PTX_BAR_POPC, PTX_BAR_AND, PTX_BAR_OR };
#define PTX_WARP_LIST(X) \
	X(BAR, "") X(SHFL_UP, "shfl.sync.up.b32") X(SHFL_DOWN, "shfl.sync.down.b32") X(SHFL_BFLY, "shfl.sync.bfly.b32") \
	X(SHFL_IDX, "shfl.sync.idx.b32") X(VOTE_ALL, "vote.sync.all.pred") X(VOTE_ANY, "vote.sync.any.pred") \
	X(VOTE_UNI, "vote.sync.uni.pred") X(VOTE_BALLOT, "vote.sync.ballot.b32") X(MATCH_ANY32, "match.any.sync.b32") \
	X(MATCH_ANY64, "match.any.sync.b64") X(MATCH_ALL32, "match.all.sync.b32") X(MATCH_ALL64, "match.all.sync.b64") \
	X(REDUX_ADD, "redux.sync.add.u32 redux.sync.add.s32") X(REDUX_MIN_U, "redux.sync.min.u32") \
	X(REDUX_MAX_U, "redux.sync.max.u32") X(REDUX_MIN_S, "redux.sync.min.s32") X(REDUX_MAX_S, "redux.sync.max.s32") \
	X(REDUX_AND, "redux.sync.and.b32") X(REDUX_OR, "redux.sync.or.b32") X(REDUX_XOR, "redux.sync.xor.b32")
enum ptx_warp_mode {
#define X(name, texts) PTX_WARP_##name,
	PTX_WARP_LIST(X)
#undef X
	PTX_WARP_MODES,
};
#define PTX_SPECIAL_LIST(X) \
	X(TID_X, "%tid.x") X(TID_Y, "%tid.y") X(TID_Z, "%tid.z") X(NTID_X, "%ntid.x") X(NTID_Y, "%ntid.y") \
	X(NTID_Z, "%ntid.z") X(CTAID_X, "%ctaid.x") X(CTAID_Y, "%ctaid.y") X(CTAID_Z, "%ctaid.z") \
	X(NCTAID_X, "%nctaid.x") X(NCTAID_Y, "%nctaid.y") X(NCTAID_Z, "%nctaid.z") X(LANEID, "%laneid") \
	X(WARPID, "%warpid") X(NWARPID, "%nwarpid") X(SMID, "%smid") X(NSMID, "%nsmid") X(GRIDID, "%gridid") \
	X(MASK_EQ, "%lanemask_eq") X(MASK_LE, "%lanemask_le") X(MASK_LT, "%lanemask_lt") X(MASK_GE, "%lanemask_ge") \
	X(MASK_GT, "%lanemask_gt") X(CLOCK, "%clock") X(CLOCK64, "%clock64") X(TIMER, "%globaltimer") \
	X(TIMER_LO, "%globaltimer_lo") X(TIMER_HI, "%globaltimer_hi") X(DYNAMIC, "%dynamic_smem_size") \
	X(WARP_SIZE, "WARP_SZ")
enum ptx_special {
#define X(name, text) PTX_SPECIAL_##name,
	PTX_SPECIAL_LIST(X)
#undef X
	PTX_SPECIALS,
};

struct ptx_insn {
	uint16_t op;
	uint8_t width; /* bytes of an element in memory */
	uint8_t count; /* elements */
	uint8_t space, order, scope, mode;
	uint32_t d, a, b, c, e; /* slots of the frame, unless the op says otherwise */
	uint32_t line;
	uint8_t flags;
	int64_t offset;
};

/* Slots of every frame; registers and constants follow. */
enum { PTX_SINK, PTX_ZERO, PTX_TEMP, PTX_TEMP2, PTX_TEMP3, PTX_FIRST_SLOT };

struct ptx_span { /* bytes of a parameter */
	uint32_t offset, bytes;
};
struct ptx_call {
	struct ptx_function *callee;
	uint32_t from_count, to_count;
	struct ptx_span from[64], to[2]; /* in the caller's call parameters */
};
struct ptx_table {
	uint32_t *targets, count;
};

struct ptx_constant {
	uint32_t slot;
	uint64_t value;
};

struct ptx_function {
	struct ptx_module *module;
	char name[256];
	bool is_entry, has_body;
	struct ptx_span *params, *results;
	uint32_t param_count, param_bytes, result_count;
	uint32_t reqntid[3], maxntid[3];
	struct ptx_insn *insns;
	uint32_t insn_count, insn_room;
	struct ptx_constant *constants;
	uint32_t constant_count, slot_count;
	uint32_t call_bytes, local_bytes, shared_bytes;
	uint32_t *vectors, vector_count; /* slots, by insn.e */
	struct ptx_call *call_sites;
	uint32_t call_count;
	struct ptx_table *tables;
	uint32_t table_count;
};

struct ptx_variable {
	char name[256];
	enum ptx_space space;
	uint32_t align;
	uint64_t bytes, offset; /* in its space's block; global: its host address */
	bool is_dynamic;	/* .extern .shared []: behind all others */
};

struct ptx_module {
	char *text;
	struct ptx_function **functions;
	uint32_t function_count;
	struct ptx_variable *variables;
	uint32_t variable_count;
	uint8_t *constants;
	uint64_t constant_bytes, shared_bytes;
};

/* ---- running ------------------------------------------------------------------------------------------------ */

enum ptx_lane_state { PTX_LANE_READY, PTX_LANE_AT_BARRIER, PTX_LANE_AT_WARP, PTX_LANE_EXITED };

struct ptx_frame {
	struct ptx_frame *caller;
	const struct ptx_function *function;
	uint64_t *slots;
	uint8_t *defined; /* a byte a slot, in careful launches */
	uint8_t *call_params;
	uint32_t local_base, return_pc;
	const struct ptx_call *site;
};

enum { PTX_LATE_STORES = 8 };
struct ptx_late_store {
	uint8_t *at;
	uint64_t value;
	uint8_t width;
};

struct ptx_lane {
	struct ptx_frame *frame;
	uint32_t pc;
	uint8_t state, carry;
	uint32_t index, tid[3];
	uint32_t barrier;	/* it waits at */
	uint32_t ready_at;	/* its place in group->ready */
	uint32_t mask;		/* it waits with */
	uint8_t *local;
	struct ptx_frame first;
	struct ptx_late_store late[PTX_LATE_STORES]; /* oldest first */
	uint8_t late_count;
};

struct ptx_barrier {
	uint32_t arrived, expected; /* expected 0: everybody that has not exited */
	uint32_t warps[PTX_MAX_LANES / PTX_WARP]; /* lanes there, a bit each */
	uint8_t mode;
	bool in_use;
};

struct ptx_group {
	struct ptx_lane *lanes;
	uint32_t count, ctaid[3];
	uint32_t *ready, ready_count, exited;
	struct ptx_barrier barriers[16];
	uint8_t *shared;
	void *memory;
};

struct ptx_grid;
struct ptx_thread { /* a host thread's work */
	struct ptx_grid *grid;
	const struct ptx_launch *launch;
	const struct ptx_module *module;
	uint64_t random, instructions;
	uint32_t grid_size[3], block[3], shared_bytes, local_bytes, lanes;
	const struct ptx_range *range; /* the one hit last */
	struct ptx_group *group;	    /* that runs now */
	bool failed;
	char message[PTX_MESSAGE];
};

/* ptx_table.c */
const char *ptx_op_operands(enum ptx_op op); /* "www" of a row of ptx_ops.def; what is read, of others */
bool ptx_op_find(const char *text, size_t bytes, enum ptx_op *op);

/* ptx_exec.c: runs a lane until `budget` is used up or it waits, sleeps or has exited. False: thread->message. */
bool ptx_run_lane(struct ptx_thread *thread, struct ptx_lane *lane, uint32_t budget);

/* ptx_memory.c */
void *ptx_translate(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn, uint64_t address,
		    bool writes);
bool ptx_load(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn);
bool ptx_store(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn);
bool ptx_atomic(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn);
uint64_t ptx_generic_base(struct ptx_thread *thread, struct ptx_lane *lane, enum ptx_space space, uint64_t *bytes);

void ptx_store_now(void *at, unsigned width, uint64_t value);

/* ptx_late.c: all of a lane's stores arrive; one of them; those to some bytes; a new one. */
void ptx_late_all(struct ptx_lane *lane);
void ptx_late_some(struct ptx_thread *thread, struct ptx_lane *lane);
void ptx_late_at(struct ptx_lane *lane, const void *at, unsigned bytes);
void ptx_late_store(struct ptx_thread *thread, struct ptx_lane *lane, void *at, unsigned width, uint64_t value);

/* ptx_meet.c: the lane has come to a barrier or a .sync; it waits, or everybody goes on. */
bool ptx_arrive_barrier(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn);
bool ptx_arrive_warp(struct ptx_thread *thread, struct ptx_lane *lane, const struct ptx_insn *insn);
bool ptx_lane_exit(struct ptx_thread *thread, struct ptx_lane *lane);
void ptx_lane_ready(struct ptx_group *group, struct ptx_lane *lane);
void ptx_lane_unready(struct ptx_group *group, struct ptx_lane *lane, enum ptx_lane_state state);

/* ptx_launch.c */
__attribute__((format(printf, 4, 5))) bool ptx_fail_at(struct ptx_thread *thread, const struct ptx_lane *lane,
						       const struct ptx_insn *insn, const char *format, ...);
void ptx_frame_fill(struct ptx_frame *frame);
void ptx_copy_line(const struct ptx_module *module, uint32_t line, char *out, size_t room);
uint64_t ptx_random(struct ptx_thread *thread);

#endif
