/* tables.c - the rows of ops.def and nodes.def as data, and what follows from them about types. */
#include <string.h>

#include "ir/module.h"

/* ---- types ---------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *name;
	unsigned bytes;
} types[VYREC_TYPE_COUNT] = {
    [VYREC_VOID] = {"void", 0},
#define X(name, value, bytes, text) [VYREC_##name] = {text, bytes},
    VYRE_ELEMENT_LIST(X)
#undef X
};
/* clang-format on */

const char *vyrec_type_name(vyrec_type type)
{
	return (unsigned)type < VYREC_TYPE_COUNT ? types[type].name : "?";
}

unsigned vyrec_type_bytes(vyrec_type type)
{
	return (unsigned)type < VYREC_TYPE_COUNT ? types[type].bytes : 0;
}

unsigned vyrec_type_bits(vyrec_type type)
{
	return type == VYREC_BOOL ? 1 : vyrec_type_bytes(type) * 8;
}

bool vyrec_type_is_uint(vyrec_type type)
{
	return type == VYREC_U32 || type == VYREC_U64;
}

bool vyrec_type_is_sint(vyrec_type type)
{
	return type == VYREC_I32 || type == VYREC_I64;
}

bool vyrec_type_is_int(vyrec_type type)
{
	return vyrec_type_is_uint(type) || vyrec_type_is_sint(type);
}

bool vyrec_type_is_float(vyrec_type type)
{
	return type == VYREC_F32 || type == VYREC_F64 || type == VYREC_F16;
}

bool vyrec_type_is_value(vyrec_type type)
{
	return type == VYREC_BOOL || vyrec_type_is_int(type) || vyrec_type_is_float(type);
}

vyrec_type vyrec_type_of_element(vyrec_type element)
{
	switch (element) {
	case VYREC_U8:
	case VYREC_U16:
		return VYREC_U32;
	case VYREC_I8:
	case VYREC_I16:
		return VYREC_I32;
	default:
		return element;
	}
}

/* ---- operations ------------------------------------------------------------------------------------------------------ */

/* The words that the rows use. Local to this file: the rows are short, the names are not for others. */
enum {
	NONE = VYREC_RULE_NONE,
	INT = VYREC_RULE_INT,
	UINT = VYREC_RULE_UINT,
	SINT = VYREC_RULE_SINT,
	FLT = VYREC_RULE_FLT,
	NUM = VYREC_RULE_NUM,
	BOOL = VYREC_RULE_BOOL,
	SCALAR = VYREC_RULE_SCALAR,
	SAME = VYREC_RULE_SAME,
	ARG1 = VYREC_RULE_ARG1,
	U32 = VYREC_RULE_TYPE + VYREC_U32,
	I32 = VYREC_RULE_TYPE + VYREC_I32,
	U64 = VYREC_RULE_TYPE + VYREC_U64,
	I64 = VYREC_RULE_TYPE + VYREC_I64,
	F32 = VYREC_RULE_TYPE + VYREC_F32,
	F64 = VYREC_RULE_TYPE + VYREC_F64,
	F16 = VYREC_RULE_TYPE + VYREC_F16,
	T_U32 = U32,
	T_U64 = U64,
	T_F32 = F32,
	T_F64 = F64,
	INFIX = VYREC_INFIX,
	PREFIX = VYREC_PREFIX,
	CALL = VYREC_CALL,
	CAST = VYREC_CAST,
	PURE = 0,
	COMM = 1,
};
/* clang-format off */
#define UNPAREN(...) __VA_ARGS__
#define COUNT(...) COUNT_(__VA_ARGS__, 3, 2, 1)
#define COUNT_(a, b, c, n, ...) n

static const struct vyrec_op_info ops[VYREC_OP_COUNT] = {
#define OP(row, symbol, form, res, rules, flags, fold, text_) \
	[VYREC_OP_##row] = {.name = #row, .text = symbol, .meaning = text_, .kind = form, .result = res, \
			    .arg_count = COUNT rules, .args = {UNPAREN rules}, .commutes = ((flags)&COMM) != 0},
#include "ir/ops.def"
};
/* clang-format on */

const struct vyrec_op_info *vyrec_op_get_info(vyrec_op op)
{
	return &ops[(unsigned)op < VYREC_OP_COUNT ? op : VYREC_OP_NONE];
}

bool vyrec_rule_admits(vyrec_rule rule, vyrec_type type)
{
	switch (rule) {
	case VYREC_RULE_INT:
		return vyrec_type_is_int(type);
	case VYREC_RULE_UINT:
		return vyrec_type_is_uint(type);
	case VYREC_RULE_SINT:
		return vyrec_type_is_sint(type);
	case VYREC_RULE_FLT:
		return vyrec_type_is_float(type);
	case VYREC_RULE_NUM:
		return vyrec_type_is_int(type) || vyrec_type_is_float(type);
	case VYREC_RULE_BOOL:
		return type == VYREC_BOOL;
	case VYREC_RULE_SCALAR:
		return vyrec_type_is_value(type);
	default:
		return rule > VYREC_RULE_TYPE && type == (vyrec_type)(rule - VYREC_RULE_TYPE);
	}
}

static bool op_admits(const struct vyrec_op_info *info, const vyrec_type *args)
{
	for (unsigned i = 0; i < info->arg_count; i++) {
		vyrec_rule rule = info->args[i];
		if (rule == VYREC_RULE_SAME   ? args[i] != args[0]
		    : rule == VYREC_RULE_ARG1 ? args[i] != args[1]
					      : !vyrec_rule_admits(rule, args[i]))
			return false;
	}
	return true;
}

vyrec_op vyrec_op_find(const char *text, vyrec_op_kind kind, const vyrec_type *args, unsigned arg_count)
{
	for (unsigned op = 1; op < VYREC_OP_COUNT; op++)
		if (ops[op].kind == kind && ops[op].arg_count == arg_count && !strcmp(ops[op].text, text) &&
		    op_admits(&ops[op], args))
			return op;
	return VYREC_OP_NONE;
}

vyrec_type vyrec_op_result(vyrec_op op, const vyrec_type *args)
{
	vyrec_rule rule = vyrec_op_get_info(op)->result;
	switch (rule) {
	case VYREC_RULE_NONE:
		return VYREC_VOID;
	case VYREC_RULE_SAME:
		return args[0];
	case VYREC_RULE_ARG1:
		return args[1];
	case VYREC_RULE_BOOL:
		return VYREC_BOOL;
	default:
		return (vyrec_type)(rule - VYREC_RULE_TYPE);
	}
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

enum {
	HANDLER = VYREC_IN_HANDLER,
	PROGRAM = VYREC_IN_PROGRAM,
	ANY = VYREC_IN_ANY,
	SUSPEND = VYREC_IS_SUSPEND,
	END = VYREC_IS_END,
	TOGETHER = VYREC_IS_COLLECTIVE,
	UNIFORM = VYREC_IS_UNIFORM,
	AXIS = VYREC_HAS_AXIS,
	WORKGROUP = 0,
	SUBGROUP = 1,
	VALUE = 1,
	VOID = VYREC_VOID,
	ANY32 = 100, /* no operand rule */
};

/* clang-format off */
static const struct vyrec_node_info stmts[VYREC_STMT_COUNT] = {
#define STMT(row, symbol, flags_, text_) \
	[VYREC_STMT_##row] = {.name = #row, .text = symbol, .meaning = text_, .flags = flags_},
#include "ir/nodes.def"
};

static const struct vyrec_node_info builtins[VYREC_BUILTIN_COUNT] = {
#define BUILTIN(row, symbol, type_, flags_, text_) \
	[VYREC_BUILTIN_##row] = {.name = #row, .text = symbol, .meaning = text_, .flags = flags_, .type = VYREC_##type_},
#include "ir/nodes.def"
};

static const struct vyrec_node_info collectives[VYREC_COLLECTIVE_COUNT] = {
#define COLLECTIVE(row, symbol, scope, res, rules, text_) \
	[VYREC_COLLECTIVE_##row] = {.name = #row, .text = symbol, .meaning = text_, .type = res, \
				    .arg_count = COUNT rules, .args = {UNPAREN rules}, .subgroup = scope},
#include "ir/nodes.def"
};

static const struct vyrec_node_info atomics[VYREC_ATOMIC_COUNT] = {
#define ATOMIC(row, symbol, values, res, types_, text_) \
	[VYREC_ATOMIC_##row] = {.name = #row, .text = symbol, .meaning = text_, .type = res, .arg_count = values, \
				.bits = (int)(types_) == (int)ANY32},
#include "ir/nodes.def"
};
/* clang-format on */

const struct vyrec_node_info *vyrec_stmt_get_info(vyrec_stmt_kind kind)
{
	return &stmts[(unsigned)kind < VYREC_STMT_COUNT ? kind : 0];
}

const struct vyrec_node_info *vyrec_builtin_get_info(vyrec_builtin builtin)
{
	return &builtins[(unsigned)builtin < VYREC_BUILTIN_COUNT ? builtin : 0];
}

const struct vyrec_node_info *vyrec_collective_get_info(vyrec_collective collective)
{
	return &collectives[(unsigned)collective < VYREC_COLLECTIVE_COUNT ? collective : 0];
}

vyrec_op vyrec_collective_op(vyrec_collective collective, vyrec_type type)
{
	static const char *const texts[VYREC_COLLECTIVE_COUNT] = {
	    [VYREC_COLLECTIVE_REDUCE_ADD] = "+",   [VYREC_COLLECTIVE_SUBGROUP_ADD] = "+",
	    [VYREC_COLLECTIVE_REDUCE_MIN] = "min", [VYREC_COLLECTIVE_SUBGROUP_MIN] = "min",
	    [VYREC_COLLECTIVE_REDUCE_MAX] = "max", [VYREC_COLLECTIVE_SUBGROUP_MAX] = "max",
	    [VYREC_COLLECTIVE_REDUCE_AND] = "&",   [VYREC_COLLECTIVE_ALL] = "&",
	    [VYREC_COLLECTIVE_REDUCE_OR] = "|",	   [VYREC_COLLECTIVE_ANY] = "|",
	    [VYREC_COLLECTIVE_REDUCE_XOR] = "^",
	};
	const vyrec_type both[2] = {type, type};
	const char *text = (unsigned)collective < VYREC_COLLECTIVE_COUNT ? texts[collective] : NULL;
	return text ? vyrec_op_find(text, text[0] == 'm' ? VYREC_CALL : VYREC_INFIX, both, 2) : VYREC_OP_NONE;
}

const struct vyrec_node_info *vyrec_atomic_get_info(vyrec_atomic atomic)
{
	return &atomics[(unsigned)atomic < VYREC_ATOMIC_COUNT ? atomic : 0];
}

/* ---- words that qualify accesses ------------------------------------------------------------------------------------- */

#define X(name, text) text,
static const char *const policies[] = {VYREC_POLICY_LIST(X)};
static const char *const orders[] = {VYREC_ORDER_LIST(X)};
static const char *const scopes[] = {VYREC_SCOPE_LIST(X)};
#undef X

const char *vyrec_policy_name(vyrec_policy policy)
{
	return (unsigned)policy < VYREC_POLICY_COUNT ? policies[policy] : "?";
}

const char *vyrec_order_name(vyrec_order order)
{
	return (unsigned)order < VYREC_ORDER_COUNT ? orders[order] : "?";
}

const char *vyrec_scope_name(vyrec_scope scope)
{
	return (unsigned)scope < VYREC_SCOPE_COUNT ? scopes[scope] : "?";
}
