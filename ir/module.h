/* module.h - the data of the IR: a tree of statements over expressions, in flat arrays.
 *
 * A module is one source file: units (sets of ops, programs), and the tables that they share. Nodes refer to each other
 * by 32-bit index, index 0 is "none" in every table, names are interned: copying a module is copying arrays, printing
 * it is stable, and nothing dangles when an array grows. Nodes that no unit reaches any more are garbage that
 * vyrec_module_clone leaves behind.
 *
 * Who writes: the parser, the VIR0 reader and the builder (builder.h) make modules; passes rewrite them in place, by
 * changing nodes or by giving a block a new statement list. An expression node has exactly one parent, a block exactly
 * one owner: to use a tree twice, clone it.
 *
 * Memory: a module owns everything in it. When memory runs out the process ends with a message (vyrec_oom_hook below):
 * this is the compiler; the loader never does that.
 */
#ifndef VYREC_MODULE_H
#define VYREC_MODULE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/abi/blob.h"
#include "runtime/abi/status.h"

/* ---- types ---------------------------------------------------------------------------------------------------------- */

/* Values and buffer elements; the numbers are those of the blob. u8 u16 i8 i16 are elements only. */
typedef enum vyrec_type {
	VYREC_VOID = 0,
#define X(name, value, bytes, text) VYREC_##name = value,
	VYRE_ELEMENT_LIST(X)
#undef X
	VYREC_TYPE_COUNT
} vyrec_type;

const char *vyrec_type_name(vyrec_type type);  /* "u32"; "void" */
unsigned vyrec_type_bytes(vyrec_type type);    /* as a buffer element */
unsigned vyrec_type_bits(vyrec_type type);     /* of a value: bool 1 */
bool vyrec_type_is_uint(vyrec_type type);      /* u32 u64 */
bool vyrec_type_is_sint(vyrec_type type);      /* i32 i64 */
bool vyrec_type_is_int(vyrec_type type);
bool vyrec_type_is_float(vyrec_type type);
bool vyrec_type_is_value(vyrec_type type);     /* not void and not element-only */
vyrec_type vyrec_type_of_element(vyrec_type element); /* what a load gives: u8 -> u32, i8 -> i32, else itself */

/* ---- operations ------------------------------------------------------------------------------------------------------ */

typedef enum vyrec_op {
	VYREC_OP_NONE = 0,
#define OP(name, ...) VYREC_OP_##name,
#include "ir/ops.def"
	VYREC_OP_COUNT
} vyrec_op;

typedef enum vyrec_op_kind { VYREC_INFIX = 1, VYREC_PREFIX, VYREC_CALL, VYREC_CAST } vyrec_op_kind;

/* Operand classes and result rules, as in ops.def. T_ rules and results are VYREC_RULE_TYPE + type. */
typedef enum vyrec_rule {
	VYREC_RULE_NONE = 0,
	VYREC_RULE_INT,
	VYREC_RULE_UINT,
	VYREC_RULE_SINT,
	VYREC_RULE_FLT,
	VYREC_RULE_NUM,
	VYREC_RULE_BOOL,
	VYREC_RULE_SCALAR,
	VYREC_RULE_SAME, /* as operand 0 */
	VYREC_RULE_ARG1, /* as operand 1 */
	VYREC_RULE_TYPE  /* + vyrec_type */
} vyrec_rule;

struct vyrec_op_info {
	const char *name, *text, *meaning;
	uint8_t kind; /* vyrec_op_kind */
	uint8_t result;
	uint8_t arg_count;
	uint8_t args[3];
	bool commutes;
};
const struct vyrec_op_info *vyrec_op_get_info(vyrec_op op);
/* Does a type belong to a class? SAME and ARG1 are not classes. */
bool vyrec_rule_admits(vyrec_rule rule, vyrec_type type);
/* The row with this text and kind whose operand rules admit these types; NONE if there is none. */
vyrec_op vyrec_op_find(const char *text, vyrec_op_kind kind, const vyrec_type *args, unsigned arg_count);
/* The result type of an op for operands that it admits. */
vyrec_type vyrec_op_result(vyrec_op op, const vyrec_type *args);

typedef enum vyrec_stmt_kind {
	VYREC_STMT_NONE = 0,
#define STMT(name, text, flags, meaning) VYREC_STMT_##name,
#include "ir/nodes.def"
	VYREC_STMT_COUNT
} vyrec_stmt_kind;

typedef enum vyrec_builtin {
	VYREC_BUILTIN_NONE = 0,
#define BUILTIN(name, text, type, flags, meaning) VYREC_BUILTIN_##name,
#include "ir/nodes.def"
	VYREC_BUILTIN_COUNT
} vyrec_builtin;

typedef enum vyrec_collective {
	VYREC_COLLECTIVE_NONE = 0,
#define COLLECTIVE(name, text, scope, result, args, meaning) VYREC_COLLECTIVE_##name,
#include "ir/nodes.def"
	VYREC_COLLECTIVE_COUNT
} vyrec_collective;

typedef enum vyrec_atomic {
	VYREC_ATOMIC_NONE = 0,
#define ATOMIC(name, text, values, result, types, meaning) VYREC_ATOMIC_##name,
#include "ir/nodes.def"
	VYREC_ATOMIC_COUNT
} vyrec_atomic;

/* Flags of the STMT and BUILTIN rows. */
enum {
	VYREC_IN_HANDLER = 1,
	VYREC_IN_PROGRAM = 2,
	VYREC_IN_ANY = 3,
	VYREC_IS_SUSPEND = 4,
	VYREC_IS_END = 8,
	VYREC_IS_COLLECTIVE = 16,
	VYREC_IS_UNIFORM = 32,
	VYREC_HAS_AXIS = 64
};
struct vyrec_node_info { /* of a statement kind, builtin, collective or atomic */
	const char *name, *text, *meaning;
	uint8_t flags;
	uint8_t type;               /* builtin: its type; collective: result rule; atomic: VOID or not */
	uint8_t arg_count, args[2]; /* collective: operand rules; atomic: arg_count = values */
	bool subgroup;              /* collective */
	bool bits;                  /* atomic: also f32 */
};
const struct vyrec_node_info *vyrec_stmt_get_info(vyrec_stmt_kind kind);
const struct vyrec_node_info *vyrec_builtin_get_info(vyrec_builtin builtin);
const struct vyrec_node_info *vyrec_collective_get_info(vyrec_collective collective);
const struct vyrec_node_info *vyrec_atomic_get_info(vyrec_atomic atomic);
/* What a collective over lanes adds one more lane's value with; NONE for those that pick or gather. */
vyrec_op vyrec_collective_op(vyrec_collective collective, vyrec_type type);

#define VYREC_POLICY_LIST(X) X(DEFAULT, "") X(CHECKED, "checked") X(CLAMP, "clamp") X(TRAP, "trap") \
	X(UNCHECKED, "unchecked")
#define VYREC_ORDER_LIST(X) X(RELAXED, "relaxed") X(ACQUIRE, "acquire") X(RELEASE, "release") X(ACQREL, "acqrel") \
	X(SEQCST, "seqcst")
#define VYREC_SCOPE_LIST(X) X(WORKGROUP, "workgroup") X(DEVICE, "device") X(SYSTEM, "system")
#define X(name, text) VYREC_POLICY_##name,
typedef enum vyrec_policy { VYREC_POLICY_LIST(X) VYREC_POLICY_COUNT } vyrec_policy;
#undef X
#define X(name, text) VYREC_ORDER_##name,
typedef enum vyrec_order { VYREC_ORDER_LIST(X) VYREC_ORDER_COUNT } vyrec_order;
#undef X
#define X(name, text) VYREC_SCOPE_##name,
typedef enum vyrec_scope { VYREC_SCOPE_LIST(X) VYREC_SCOPE_COUNT } vyrec_scope;
#undef X
const char *vyrec_policy_name(vyrec_policy policy); /* "" for DEFAULT */
const char *vyrec_order_name(vyrec_order order);
const char *vyrec_scope_name(vyrec_scope scope);

/* ---- limits: the one place; each is refused with its number ----------------------------------------------------------- */

#define VYREC_LIMIT_LIST(X) \
	X(SOURCE_BYTES,   16 << 20, "bytes of source text or VIR0") \
	X(NESTING,        64,       "nested statements in text") \
	X(EXPR_DEPTH,     128,      "nested expressions in text") \
	X(TREE_DEPTH,     256,      "nested statements or expressions after passes") \
	X(NODES,          1 << 20,  "statements and expressions in one module") \
	X(UNITS,          256,      "sets and programs in one module") \
	X(ARRAYS,         1024,     "buffers, shared and local arrays in one module") \
	X(OPS,            1024,     "ops in one set") \
	X(PARAMS,         12,       "parameters of an op (and argument words), or of a fn") \
	X(CASES,          4096,     "cases of one switch") \
	X(NAME_BYTES,     255,      "bytes of a name") \
	X(STRING_BYTES,   4096,     "bytes of a string") \
	X(LANES,          1024,     "lanes of a workgroup") \
	X(SHARED_BYTES,   48 << 10, "bytes of shared arrays in one op or program") \
	X(LOCAL_ELEMENTS, 4096,     "elements of a local array") \
	X(CALL_DEPTH,     32,       "nested calls of fns") \
	X(ERRORS,         100,      "errors reported in one run")
enum {
#define X(name, value, text) VYREC_MAX_##name = value,
	VYREC_LIMIT_LIST(X)
#undef X
};

/* ---- nodes ------------------------------------------------------------------------------------------------------------ */

/* Where in the source: line and column from 1, packed; 0 = made by the compiler. Columns count bytes. */
typedef uint32_t vyrec_loc;
#define VYREC_LOC(line, column) ((vyrec_loc)((uint32_t)(line) << 10 | ((column) > 1023 ? 1023u : (uint32_t)(column))))
#define VYREC_LOC_LINE(loc) ((loc) >> 10)
#define VYREC_LOC_COLUMN(loc) ((loc)&1023u)

/* Indices, one typedef a table so that signatures say what they mean; 0 = none. */
typedef uint32_t vyrec_name;   /* interned string */
typedef uint32_t vyrec_expr;
typedef uint32_t vyrec_stmt;
typedef uint32_t vyrec_block;
typedef uint32_t vyrec_local;
typedef uint32_t vyrec_array;
typedef uint32_t vyrec_const;
typedef uint32_t vyrec_fn;
typedef uint32_t vyrec_handler;
typedef uint32_t vyrec_unit;

typedef enum vyrec_expr_kind {
	VYREC_EXPR_NONE = 0,
	VYREC_EXPR_LIT,        /* imm: raw bits, zero-extended */
	VYREC_EXPR_CONST,      /* sym: vyrec_const */
	VYREC_EXPR_LOCAL,      /* sym: vyrec_local (a let, a var, a loop counter, a parameter, a catch variable) */
	VYREC_EXPR_OP,         /* code: vyrec_op; arg[]; policy: UNCHECKED on add_i: proved not to wrap (bounds) */
	VYREC_EXPR_ANDALSO,    /* arg[0] && arg[1]: arg[1] is evaluated only if arg[0] is true */
	VYREC_EXPR_ORELSE,     /* arg[0] || arg[1] */
	VYREC_EXPR_LOAD,       /* sym: vyrec_array; arg[0]: index u32; policy */
	VYREC_EXPR_LENGTH,     /* sym: vyrec_array; length(b), u32: elements, at most 0xFFFFFFFF */
	VYREC_EXPR_ARG,        /* arg[0]: index u32; the slot's ARG word as u32; 0 from 12 up */
	VYREC_EXPR_BUILTIN,    /* code: vyrec_builtin; imm: axis */
	VYREC_EXPR_COLLECTIVE, /* code: vyrec_collective; arg[] */
	VYREC_EXPR_ATOMIC,     /* code: vyrec_atomic; sym: vyrec_array; arg[0]: index; arg[1..2]: values; order scope policy */
	VYREC_EXPR_CALL,       /* sym: vyrec_fn; list, count: arguments (vyrec_expr in refs) */
	VYREC_EXPR_COUNT
} vyrec_expr_kind;

struct vyrec_expr_node {
	uint8_t kind;
	uint8_t type; /* vyrec_type of the value; VOID for an atomic store, or a call of a fn without result */
	uint8_t policy, order, scope;
	uint8_t pad; /* how the source wrote it, for PRINT_COMMENTS alone. LIT: 16 or 2, its radix; operators: 1, in ( ) */
	uint16_t code;
	vyrec_loc loc;
	uint32_t sym;
	vyrec_expr arg[3];
	uint32_t list, count;
	uint64_t imm;
};

/* Statements. Which fields a kind uses:
 *   LET         local, expr[0]
 *   VAR         local, expr[0] (0 = zero);  or array (a local array; zeroed where declared)
 *   ASSIGN      local, expr[0]
 *   STORE       array, expr[0] index, expr[1] value, policy      (an element narrower than the value is truncated)
 *   EXPR        expr[0]
 *   IF          expr[0] bool, body[0], body[1] (0 = no else; a block that holds only an IF prints as else if)
 *   FOR         local (the counter, u32 or i32 u64 i64), expr[0..2] from, to, step (0 = 1), body[0]
 *   LOOP        body[0]
 *   SWITCH      expr[0] u32 or i32, list: `count` pairs (value, vyrec_block) in refs, body[0] default (0 = nothing);
 *               pairs that stand together may share their block: `case 1, 2 { }`; vyrec_case_block walks them
 *   BREAK       local: label of a BLOCK, or 0 the innermost FOR or LOOP
 *   CONTINUE
 *   RETURN      expr[0] (fn) or 0
 *   BLOCK       local: label or 0, body[0]
 *   REGION      name, body[0]
 *   CATCH       local: code var u32, local2: detail var u32 (declared here, both 0, visible after it), body[0]
 *   BARRIER     scope: WORKGROUP or DEVICE
 *   FENCE       order, scope
 *   ASYNC_*     array, expr[0] index: destination; array2, expr[1] index: source; expr[2] elements u32; imm tag; policy
 *   ASYNC_WAIT  imm tag
 *   DISPATCH    name: a program of the module; array, expr[0] index: three u32 workgroup counts
 *   TRAP        expr[0] code u32; expr[1] detail u32 or 0.  imm: fault kind; 0 or VYRE_FAULT_TRAP for trap(code) as
 *               written (code is the detail of the FAULT), else the VYRE_FAULT_* that it raises with detail expr[0]
 *   LOG         imm id, expr[0], expr[1] u32; name: the format string
 *   RELAX
 *   OPAQUE      name; list/count: bytes, one a ref
 *   RESULT      imm k 0..11, expr[0] u32 i32 f32 bool (64-bit values take k and k + 1)
 *   YIELD
 *   REQUEUE     expr[0] priority u32
 *   PAUSE       expr[0] epoch u32
 *   LOAD        expr[0] resource u32, expr[1] offset u64, expr[2] bytes u32, expr[3] destination offset u32
 *   SPAWN       name: an op of the set; list/count: arguments; body[0] where there is no room (0 = FAULT 10)
 *   JOIN
 */
struct vyrec_stmt_node {
	uint8_t kind;
	uint8_t policy, order, scope;
	vyrec_loc loc;
	vyrec_local local, local2;
	vyrec_array array, array2;
	vyrec_name name;
	vyrec_expr expr[4];
	vyrec_block body[2];
	uint32_t list, count;
	uint64_t imm;
};

/* `count` statements from refs[first]. */
struct vyrec_block_node {
	uint32_t first, count;
};

typedef enum vyrec_local_kind {
	VYREC_LOCAL_LET = 1,
	VYREC_LOCAL_VAR,
	VYREC_LOCAL_COUNTER, /* of a FOR; not assignable */
	VYREC_LOCAL_PARAM,   /* of an op or fn; not assignable */
	VYREC_LOCAL_LABEL    /* of a BLOCK; no type */
} vyrec_local_kind;
struct vyrec_local_node {
	vyrec_name name;
	uint8_t kind, type;
	vyrec_loc loc;
};

typedef enum vyrec_class { /* CONST..LIVE are the blob's */
	VYREC_CLASS_CONST = VYRE_CLASS_CONST,
	VYREC_CLASS_PLAIN = VYRE_CLASS_PLAIN,
	VYREC_CLASS_STREAM = VYRE_CLASS_STREAM,
	VYREC_CLASS_LIVE = VYRE_CLASS_LIVE,
	VYREC_CLASS_SHARED = 16, /* workgroup memory of an op or program, zero at the start of each slot or workgroup */
	VYREC_CLASS_LOCAL = 17   /* a lane's own array */
} vyrec_class;
struct vyrec_array_node {
	vyrec_name name;
	uint8_t class_, element;
	uint32_t count; /* 0 = known at run time (buffers only) */
	vyrec_loc loc;
};

struct vyrec_const_node {
	vyrec_name name;
	uint8_t type;
	uint64_t value; /* raw bits */
	vyrec_expr expr; /* as written, for the printer; 0 = print the value */
	vyrec_loc loc;
};

struct vyrec_fn_node {
	vyrec_name name;
	vyrec_unit unit; /* whose buffers it may touch; 0 = the prelude (ir/math.vyre), touches none */
	uint8_t result;  /* vyrec_type */
	uint32_t params, param_count; /* vyrec_local in refs */
	vyrec_block body;
	vyrec_loc loc;
};

struct vyrec_handler_node { /* an `op` */
	vyrec_name name;
	uint32_t opcode;
	uint8_t granularity; /* VYRE_BY_LANE, VYRE_BY_WORKGROUP */
	uint32_t width;      /* by workgroup(N); 0 = any */
	uint32_t params, param_count; /* vyrec_local in refs; words in order from ARG0 */
	uint32_t shared, shared_count; /* vyrec_array in refs */
	vyrec_block body;
	vyrec_loc loc;
};

struct vyrec_unit_node {
	vyrec_name name;
	uint8_t kind; /* VYRE_UNIT_SET, VYRE_UNIT_PROGRAM */
	uint8_t feed; /* VYRE_FEED_*: NONE, or what megakernel assembly made of a set */
	uint32_t workgroup[3]; /* of a program; 1 1 1 for a set */
	uint32_t features, frame_words; /* as in struct vyre_blob_unit; 0 without a feed */
	uint32_t items, item_count; /* declarations in order of the text: pairs (vyrec_item, index) in refs */
	vyrec_block body; /* of a program */
	vyrec_loc loc;
};
typedef enum vyrec_item {
	VYREC_ITEM_BUFFER = 1, /* vyrec_array */
	VYREC_ITEM_SHARED,     /* vyrec_array; program only */
	VYREC_ITEM_CONST,      /* vyrec_const */
	VYREC_ITEM_FN,         /* vyrec_fn */
	VYREC_ITEM_HANDLER     /* vyrec_handler; set only */
} vyrec_item;

/* A comment of the source, kept so that the printer can give it back. */
struct vyrec_comment {
	vyrec_loc loc;
	vyrec_name text;  /* with its // */
	bool own_line;    /* nothing but the comment on its line */
	bool blank_before;
};

/* How the source was laid out, for `vyrec fmt`; all zero in a module that was not parsed. Only parser and printer touch
 * it; a clone has none. */
struct vyrec_layout {
	vyrec_loc *block_starts, *block_ends; /* by vyrec_block: the word that opens it (case, else, if), its last brace */
	uint32_t block_start_capacity, block_end_capacity;
	vyrec_loc *unit_ends; /* by vyrec_unit: its last brace */
	uint32_t unit_end_capacity;
	vyrec_loc *switch_ends; /* by vyrec_stmt */
	uint32_t switch_end_capacity;
	uint32_t *blanks; /* lines with a blank line before them, rising */
	uint32_t blank_count, blank_capacity;
	uint8_t *typed_locals, *typed_consts; /* by vyrec_local, vyrec_const: 1 = the source wrote its type */
	uint32_t typed_local_capacity, typed_const_capacity;
};

/* Growable arrays: node 0 of each is a zeroed dummy. Read them freely; append through the functions below. */
struct vyrec_module {
	vyrec_name file; /* name of the source, for messages */
	struct vyrec_expr_node *exprs;
	uint32_t expr_count, expr_capacity;
	struct vyrec_stmt_node *stmts;
	uint32_t stmt_count, stmt_capacity;
	struct vyrec_block_node *blocks;
	uint32_t block_count, block_capacity;
	struct vyrec_local_node *locals;
	uint32_t local_count, local_capacity;
	struct vyrec_array_node *arrays;
	uint32_t array_count, array_capacity;
	struct vyrec_const_node *consts;
	uint32_t const_count, const_capacity;
	struct vyrec_fn_node *fns;
	uint32_t fn_count, fn_capacity;
	struct vyrec_handler_node *handlers;
	uint32_t handler_count, handler_capacity;
	struct vyrec_unit_node *units;
	uint32_t unit_count, unit_capacity;
	uint32_t *refs; /* side array for lists */
	uint32_t ref_count, ref_capacity;
	struct vyrec_comment *comments;
	uint32_t comment_count, comment_capacity;
	struct vyrec_layout layout;
	struct vyrec_interner *names;
};

/* ---- module ------------------------------------------------------------------------------------------------------------ */

struct vyrec_module *vyrec_module_create(const char *file);
void vyrec_module_destroy(struct vyrec_module *module);
/* A copy that holds only what its units reach. */
struct vyrec_module *vyrec_module_clone(const struct vyrec_module *module);

/* Appends everything in `source`, with its locals and arrays under fresh names; returns its first unit's new index
 * (import.c). */
vyrec_unit vyrec_module_import(struct vyrec_module *module, const struct vyrec_module *source);

vyrec_name vyrec_intern(struct vyrec_module *module, const char *text, size_t bytes);
vyrec_name vyrec_intern_z(struct vyrec_module *module, const char *text);
const char *vyrec_name_text(const struct vyrec_module *module, vyrec_name name); /* "" for 0 */
size_t vyrec_name_bytes(const struct vyrec_module *module, vyrec_name name);
/* A name that no declaration inside a unit of the module has yet: base, base_2, base_3, ... */
vyrec_name vyrec_fresh_name(struct vyrec_module *module, const char *base);

/* Append a node (copied) and return its index. A pointer into a table is void after any append to that table. */
vyrec_expr vyrec_add_expr(struct vyrec_module *module, const struct vyrec_expr_node *node);
vyrec_stmt vyrec_add_stmt(struct vyrec_module *module, const struct vyrec_stmt_node *node);
vyrec_block vyrec_add_block(struct vyrec_module *module, const vyrec_stmt *stmts, uint32_t count);
/* Gives an existing block a new statement list. */
void vyrec_set_block(struct vyrec_module *module, vyrec_block block, const vyrec_stmt *stmts, uint32_t count);
vyrec_local vyrec_add_local(struct vyrec_module *module, vyrec_name name, vyrec_local_kind kind, vyrec_type type,
			    vyrec_loc loc);
vyrec_array vyrec_add_array(struct vyrec_module *module, const struct vyrec_array_node *node);
vyrec_const vyrec_add_const(struct vyrec_module *module, const struct vyrec_const_node *node);
vyrec_fn vyrec_add_fn(struct vyrec_module *module, const struct vyrec_fn_node *node);
vyrec_handler vyrec_add_handler(struct vyrec_module *module, const struct vyrec_handler_node *node);
vyrec_unit vyrec_add_unit(struct vyrec_module *module, const struct vyrec_unit_node *node);
/* Appends `count` words to refs and returns the index of the first. */
uint32_t vyrec_add_refs(struct vyrec_module *module, const uint32_t *words, uint32_t count);
/* Appends an item to a unit's list. */
void vyrec_unit_add_item(struct vyrec_module *module, vyrec_unit unit, vyrec_item item, uint32_t index);

/* The block of pair i of a SWITCH; 0 if it is that of the pair before. */
vyrec_block vyrec_case_block(const struct vyrec_module *module, const struct vyrec_stmt_node *node, uint32_t i);

/* A growing list of u32 for building blocks and lists; start from {0}. */
struct vyrec_list {
	uint32_t *items;
	uint32_t count, capacity;
};
void vyrec_list_push(struct vyrec_list *list, uint32_t item);
void vyrec_list_free(struct vyrec_list *list);

/* ---- clone of trees (clone.c) ------------------------------------------------------------------------------------------ */

/* What a clone puts in place of locals and arrays: locals[old] = new (0 = keep), likewise arrays. Start from {0}; set
 * entries through the functions; the clones add what they declare; finish when done. */
struct vyrec_subst {
	vyrec_local *locals;
	uint32_t local_count; /* entries that there are */
	vyrec_array *arrays;
	uint32_t array_count;
};
void vyrec_subst_local(struct vyrec_subst *subst, vyrec_local from, vyrec_local to);
void vyrec_subst_array(struct vyrec_subst *subst, vyrec_array from, vyrec_array to);
void vyrec_subst_finish(struct vyrec_subst *subst);
/* Deep copies. Locals declared inside a cloned block, and its local arrays, become new ones with fresh names.
 * subst may be NULL. */
vyrec_expr vyrec_clone_expr(struct vyrec_module *module, vyrec_expr expr, struct vyrec_subst *subst);
vyrec_block vyrec_clone_block(struct vyrec_module *module, vyrec_block block, struct vyrec_subst *subst);

/* ---- walk (walk.c) ------------------------------------------------------------------------------------------------------ */

/* Calls the functions (either may be NULL) on every node under a block: statements before their parts, expressions
 * after their operands, in order of evaluation. */
struct vyrec_walker {
	void (*stmt)(void *user, struct vyrec_module *module, vyrec_stmt stmt);
	void (*expr)(void *user, struct vyrec_module *module, vyrec_expr expr);
	void *user;
};
void vyrec_walk_block(struct vyrec_module *module, vyrec_block block, const struct vyrec_walker *walker);
void vyrec_walk_expr(struct vyrec_module *module, vyrec_expr expr, const struct vyrec_walker *walker);
/* Do lanes meet in it: at a barrier, a collective, a suspension, or in a fn that it calls? `fns` remembers by vyrec_fn
 * what was found, 0 = nothing yet; NULL where no calls are left. */
bool vyrec_block_meets(const struct vyrec_module *module, vyrec_block block, uint8_t *fns);

/* Called when memory runs out, before abort(); replaceable. */
extern void (*vyrec_oom_hook)(size_t bytes);
void *vyrec_alloc(size_t bytes); /* zeroed; never NULL */
void *vyrec_grow(void *items, uint32_t *capacity, uint32_t need, size_t item_bytes); /* new items zeroed */

#endif
