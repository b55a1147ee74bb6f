/* algebra.c - the identities of single operations.
 *
 * Enters: an OP node whose operands are folded. Leaves: the same node, smaller, or false. Invariant: the value is the
 * same for every value of the operands, and an operand that vanishes had no effect (vyrec_expr_is_droppable).
 *
 * Identities with a literal are rows of one table. A literal stands on the right of a commutative integer operation:
 * that is the form that the rows, and the analyses after this, look for. Floats take no identity at all: x + 0.0 is not x
 * for -0.0, x * 1.0 not for a signalling NaN, x == x is false for NaN.
 */
#include "passes/algebra.h"

static uint64_t ones(vyrec_type type)
{
	return ~UINT64_C(0) >> (64 - vyrec_type_bits(type));
}

static bool become_lit(struct vyrec_module *m, vyrec_expr e, uint64_t bits)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	*n = (struct vyrec_expr_node){.kind = VYREC_EXPR_LIT, .type = n->type, .imm = bits, .loc = n->loc};
	return true;
}

static bool become(struct vyrec_module *m, vyrec_expr e, vyrec_expr other)
{
	vyrec_become(m, e, other);
	return true;
}

/* All operands literal: the row's own meaning. */
static bool fold_literals(struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	uint64_t bits[3] = {0};
	vyrec_op op = n->code;
	for (unsigned i = 0; i < vyrec_op_get_info(op)->arg_count; i++)
		if (!vyrec_expr_is_lit(m, n->arg[i], &bits[i]))
			return false;
	vyrec_type type = m->exprs[n->arg[op == VYREC_OP_select]].type;
	return become_lit(m, e, vyrec_eval(op, type, bits[0], bits[1], bits[2]));
}

/* ---- a literal on the right ------------------------------------------------------------------------------------------ */

enum literal { ZERO, ONE, ONES };
enum outcome { OPERAND, LIT_ZERO, LIT_ONE, LIT_ONES, INVERSE };
/* op(x, literal) = outcome; with LIT_ outcomes x must be droppable. */
static const struct {
	vyrec_op op;
	enum literal literal;
	enum outcome outcome;
} identities[] = {
    {VYREC_OP_add_i, ZERO, OPERAND},	 {VYREC_OP_sub_i, ZERO, OPERAND},     {VYREC_OP_mul_i, ZERO, LIT_ZERO},
    {VYREC_OP_mul_i, ONE, OPERAND},	 {VYREC_OP_div_u, ONE, OPERAND},      {VYREC_OP_div_s, ONE, OPERAND},
    {VYREC_OP_rem_u, ONE, LIT_ZERO},	 {VYREC_OP_rem_s, ONE, LIT_ZERO},     {VYREC_OP_and_i, ZERO, LIT_ZERO},
    {VYREC_OP_and_i, ONES, OPERAND},	 {VYREC_OP_or_i, ZERO, OPERAND},      {VYREC_OP_or_i, ONES, LIT_ONES},
    {VYREC_OP_xor_i, ZERO, OPERAND},	 {VYREC_OP_shl, ZERO, OPERAND},	      {VYREC_OP_shr_u, ZERO, OPERAND},
    {VYREC_OP_shr_s, ZERO, OPERAND},	 {VYREC_OP_rotl, ZERO, OPERAND},      {VYREC_OP_rotr, ZERO, OPERAND},
    {VYREC_OP_and_b, ZERO, LIT_ZERO},	 {VYREC_OP_and_b, ONE, OPERAND},      {VYREC_OP_or_b, ZERO, OPERAND},
    {VYREC_OP_or_b, ONE, LIT_ONE},	 {VYREC_OP_xor_b, ZERO, OPERAND},     {VYREC_OP_xor_b, ONE, INVERSE},
    {VYREC_OP_eq_b, ONE, OPERAND},	 {VYREC_OP_eq_b, ZERO, INVERSE},      {VYREC_OP_ne_b, ZERO, OPERAND},
    {VYREC_OP_ne_b, ONE, INVERSE},	 {VYREC_OP_lt_u, ZERO, LIT_ZERO},     {VYREC_OP_ge_u, ZERO, LIT_ONE},
    {VYREC_OP_gt_u, ONES, LIT_ZERO},	 {VYREC_OP_le_u, ONES, LIT_ONE},      {VYREC_OP_min_u, ZERO, LIT_ZERO},
    {VYREC_OP_max_u, ZERO, OPERAND},	 {VYREC_OP_min_u, ONES, OPERAND},     {VYREC_OP_max_u, ONES, LIT_ONES},
    {VYREC_OP_add_sat_u, ZERO, OPERAND}, {VYREC_OP_sub_sat_u, ZERO, OPERAND},
};

static bool fold_identity(struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	vyrec_type type = m->exprs[n->arg[0]].type;
	uint64_t bits;
	if (!n->arg[1] || !vyrec_expr_is_lit(m, n->arg[1], &bits))
		return false;
	for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
		uint64_t literal = identities[i].literal == ONES ? ones(type) : (uint64_t)identities[i].literal;
		if (identities[i].op != n->code || bits != literal)
			continue;
		if (identities[i].outcome == OPERAND)
			return become(m, e, n->arg[0]);
		if (identities[i].outcome == INVERSE) {
			vyrec_expr inverse = vyrec_make_not(m, n->arg[0]);
			return become(m, e, inverse);
		}
		if (!vyrec_expr_is_droppable(m, options, n->arg[0]))
			continue;
		return become_lit(m, e,
				  identities[i].outcome == LIT_ONES ? ones(type) : identities[i].outcome == LIT_ONE);
	}
	return false;
}

/* lit op x -> x op lit, and (x op lit) op lit -> x op lit for the associative ones. */
static bool fold_order(struct vyrec_module *m, vyrec_expr e)
{
	struct vyrec_expr_node *n = &m->exprs[e];
	vyrec_op op = n->code;
	uint64_t left, right, inner;
	if (!vyrec_op_get_info(op)->commutes || vyrec_type_is_float(m->exprs[n->arg[0]].type))
		return false;
	bool right_is_lit = vyrec_expr_is_lit(m, n->arg[1], &right);
	if (vyrec_expr_is_lit(m, n->arg[0], &left) && !right_is_lit) {
		vyrec_expr x = n->arg[0];
		n->arg[0] = n->arg[1];
		n->arg[1] = x;
		return true;
	}
	bool associates = op == VYREC_OP_add_i || op == VYREC_OP_mul_i || op == VYREC_OP_and_i || op == VYREC_OP_or_i ||
			  op == VYREC_OP_xor_i;
	const struct vyrec_expr_node *x = &m->exprs[n->arg[0]];
	if (!associates || !right_is_lit || x->kind != VYREC_EXPR_OP || x->code != op ||
	    !vyrec_expr_is_lit(m, x->arg[1], &inner))
		return false;
	m->exprs[n->arg[1]].imm = vyrec_eval(op, n->type, inner, right, 0);
	n->arg[0] = x->arg[0];
	n->policy = VYREC_POLICY_DEFAULT; /* it was another sum that did not wrap */
	return true;
}

/* ---- equal operands -------------------------------------------------------------------------------------------------- */

static const struct {
	vyrec_op op;
	enum outcome outcome;
} equals[] = {
    {VYREC_OP_sub_i, LIT_ZERO}, {VYREC_OP_xor_i, LIT_ZERO}, {VYREC_OP_xor_b, LIT_ZERO}, {VYREC_OP_and_i, OPERAND},
    {VYREC_OP_and_b, OPERAND},	{VYREC_OP_or_i, OPERAND},   {VYREC_OP_or_b, OPERAND},	{VYREC_OP_eq_i, LIT_ONE},
    {VYREC_OP_eq_b, LIT_ONE},	{VYREC_OP_ne_i, LIT_ZERO},  {VYREC_OP_ne_b, LIT_ZERO},	{VYREC_OP_lt_u, LIT_ZERO},
    {VYREC_OP_lt_s, LIT_ZERO},	{VYREC_OP_gt_u, LIT_ZERO},  {VYREC_OP_gt_s, LIT_ZERO},	{VYREC_OP_le_u, LIT_ONE},
    {VYREC_OP_le_s, LIT_ONE},	{VYREC_OP_ge_u, LIT_ONE},   {VYREC_OP_ge_s, LIT_ONE},	{VYREC_OP_min_u, OPERAND},
    {VYREC_OP_min_s, OPERAND},	{VYREC_OP_max_u, OPERAND},  {VYREC_OP_max_s, OPERAND},	{VYREC_OP_abs_diff_u, LIT_ZERO},
};

static bool fold_equal(struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	for (size_t i = 0; i < sizeof equals / sizeof *equals; i++) {
		if (equals[i].op != n->code)
			continue;
		if (!vyrec_expr_is_pure(m, n->arg[0]) || !vyrec_expr_equal(m, n->arg[0], n->arg[1]))
			return false;
		return equals[i].outcome == OPERAND ? become(m, e, n->arg[0])
						    : become_lit(m, e, equals[i].outcome == LIT_ONE);
	}
	return false;
}

/* ---- not, casts, select ---------------------------------------------------------------------------------------------- */

/* The row that is true exactly when this one is false. Order of floats has none: NaN makes both false. */
static const vyrec_op opposites[VYREC_OP_COUNT] = {
    [VYREC_OP_eq_i] = VYREC_OP_ne_i, [VYREC_OP_ne_i] = VYREC_OP_eq_i, [VYREC_OP_eq_b] = VYREC_OP_ne_b,
    [VYREC_OP_ne_b] = VYREC_OP_eq_b, [VYREC_OP_eq_f] = VYREC_OP_ne_f, [VYREC_OP_ne_f] = VYREC_OP_eq_f,
    [VYREC_OP_lt_u] = VYREC_OP_ge_u, [VYREC_OP_ge_u] = VYREC_OP_lt_u, [VYREC_OP_gt_u] = VYREC_OP_le_u,
    [VYREC_OP_le_u] = VYREC_OP_gt_u, [VYREC_OP_lt_s] = VYREC_OP_ge_s, [VYREC_OP_ge_s] = VYREC_OP_lt_s,
    [VYREC_OP_gt_s] = VYREC_OP_le_s, [VYREC_OP_le_s] = VYREC_OP_gt_s,
};

static bool fold_unary(struct vyrec_module *m, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e], *x = &m->exprs[n->arg[0]];
	switch (n->code) {
	case VYREC_OP_not_b:
		if (x->kind == VYREC_EXPR_OP && opposites[x->code]) {
			vyrec_op opposite = opposites[x->code];
			become(m, e, n->arg[0]);
			m->exprs[e].code = (uint16_t)opposite;
			return true;
		}
		/* fall through */
	case VYREC_OP_not_i:
	case VYREC_OP_neg_i:
	case VYREC_OP_bitreverse:
	case VYREC_OP_byteswap:
		return x->kind == VYREC_EXPR_OP && x->code == n->code && become(m, e, x->arg[0]);
	case VYREC_OP_to_bool_b:
	case VYREC_OP_to_u32_i:
	case VYREC_OP_to_i32_i:
	case VYREC_OP_to_u64_u:
	case VYREC_OP_to_i64_s:
		return n->type == x->type && become(m, e, n->arg[0]);
	default:
		return false;
	}
}

static bool fold_select(struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e)
{
	const struct vyrec_expr_node *n = &m->exprs[e];
	uint64_t condition;
	if (n->code != VYREC_OP_select)
		return false;
	if (vyrec_expr_is_lit(m, n->arg[0], &condition)) {
		vyrec_expr taken = n->arg[condition ? 1 : 2], other = n->arg[condition ? 2 : 1];
		return vyrec_expr_is_droppable(m, options, other) && become(m, e, taken);
	}
	return vyrec_expr_is_droppable(m, options, n->arg[0]) && vyrec_expr_is_pure(m, n->arg[1]) &&
	       vyrec_expr_equal(m, n->arg[1], n->arg[2]) && become(m, e, n->arg[1]);
}

bool vyrec_fold_op(struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e)
{
	return fold_literals(m, e) || fold_order(m, e) || fold_identity(m, options, e) || fold_equal(m, e) ||
	       fold_unary(m, e) || fold_select(m, options, e);
}
