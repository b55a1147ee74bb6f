/* ops_test.c - every row of ops.def, for every operand type, against its fold expression.
 *
 * One program per row and type: out[i] = op(a[i], b[i], c[i]) over a grid of the values where operations differ (0, 1,
 * limits, powers of two, NaN, infinities, subnormals, halves) and random ones, compiled at -O0 (what the lowering says)
 * and -O2 (what vectorisation makes of it), for every target that this machine has, and as PTX on tests/ptx. Expected values
 * come from vyrec_eval. NaNs compare equal whatever their bits: which NaN is not defined.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "image.h"
#include "runtime/abi/cuda.h"
#include "tests/ptx/ptx.h"

enum { VALUES = 40, TRIPLES = VALUES * VALUES, PROGRAMS = 512 };

struct row {
	vyrec_op op;
	vyrec_type operand, args[3], result;
	unsigned arg_count;
};

static struct row rows[PROGRAMS];
static unsigned row_count;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t bits_of(vyrec_type type, double value)
{
	float f = (float)value;
	uint32_t low;
	uint64_t bits;
	memcpy(&low, &f, sizeof low);
	memcpy(&bits, &value, sizeof bits);
	return type == VYREC_F32 ? low : bits;
}

/* The values of a type that matter, then random ones. */
static uint64_t value_of(vyrec_type type, unsigned index)
{
	static const uint64_t ints[] = {0,
					1,
					2,
					3,
					5,
					7,
					8,
					31,
					32,
					33,
					63,
					64,
					255,
					256,
					0x7fffffff,
					0x80000000,
					0x80000001,
					0xffffffff,
					0xfffffffe,
					0x7fffffffffffffff,
					0x8000000000000000,
					0x8000000000000001,
					0xffffffffffffffff,
					0xfffffffffffffffe,
					0x100000000,
					0x12345678,
					0xdeadbeefcafef00d};
	static const double floats[] = {
	    0.0,       -0.0,	1,     -1,	   0.5,		 -0.5,		1.5,	      2.5,	    -2.5,
	    3.0000001, 1e10,	-1e10, 2147483647, 2147483648.0, -2147483648.0, 4294967295.0, 4294967296.0, 9.3e18,
	    1.9e19,    -9.3e18, 1e-40, 1e-310,	   3e38,	 1e300,		16777217,     0.1};
	unsigned bits = vyrec_type_bits(type);
	uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	if (!vyrec_type_is_float(type))
		return (index < sizeof ints / sizeof *ints ? ints[index] : next_random()) & mask;
	if (index < sizeof floats / sizeof *floats)
		return bits_of(type, floats[index]);
	switch (index - sizeof floats / sizeof *floats) {
	case 0:
		return bits_of(type, INFINITY);
	case 1:
		return bits_of(type, -INFINITY);
	case 2:
		return bits_of(type, NAN);
	case 3:
		return type == VYREC_F32 ? 0x00800000 : 0x0010000000000000; /* smallest normal */
	case 4:
		return type == VYREC_F32 ? 0x807fffff : 0x800fffffffffffff; /* greatest negative subnormal */
	default:
		return next_random() & mask;
	}
}

static bool is_nan_bits(vyrec_type type, uint64_t bits)
{
	return type == VYREC_F32   ? (bits & 0x7fffffff) > 0x7f800000
	       : type == VYREC_F64 ? (bits & INT64_MAX) > 0x7ff0000000000000
				   : false;
}

/* ---- the programs ---------------------------------------------------------------------------------------------------- */

static void add_rows_of(vyrec_op op)
{
	const struct vyrec_op_info *info = vyrec_op_get_info(op);
	unsigned lead = op == VYREC_OP_select; /* the operand whose type varies */
	for (vyrec_type type = VYREC_BOOL; type < VYREC_TYPE_COUNT; type++) {
		struct row row = {.op = op, .operand = type, .arg_count = info->arg_count};
		bool fits = vyrec_type_is_value(type) && type != VYREC_F16;
		for (unsigned i = 0; i < info->arg_count && fits; i++) {
			unsigned rule = info->args[i];
			row.args[i] = rule == VYREC_RULE_SAME || rule == VYREC_RULE_ARG1 || i == lead ? type
				      : rule == VYREC_RULE_BOOL					      ? VYREC_BOOL
								: rule - VYREC_RULE_TYPE;
			if (rule >= VYREC_RULE_TYPE)
				fits = i != lead || rule - VYREC_RULE_TYPE == (unsigned)type;
			else if (i == lead)
				fits = vyrec_rule_admits(rule, type);
		}
		if (!fits)
			continue;
		row.result = vyrec_op_result(op, row.args);
		if (row.result == VYREC_F16)
			continue;
		assert_true(row_count < PROGRAMS);
		rows[row_count++] = row;
	}
}

static void build_program(struct vyrec_builder *b, const struct row *row, unsigned index)
{
	char name[64];
	vyrec_array in[3], out;
	vyrec_expr args[3] = {0}, value;
	snprintf(name, sizeof name, "p%u_%s", index, vyrec_op_get_info(row->op)->name);
	vyrec_build_program_begin(b, name, 1, 1, 1);
	for (unsigned i = 0; i < 3; i++) {
		char buffer[] = {(char)('a' + i), 0};
		in[i] = vyrec_build_buffer(b, buffer, VYREC_CLASS_CONST, row->args[i] ? row->args[i] : VYREC_U32, 0);
	}
	out = vyrec_build_buffer(b, "out", VYREC_CLASS_PLAIN, row->result, 0);
	vyrec_local i = vyrec_build_for(b, "i", vyrec_build_u32(b, 0), vyrec_build_length(b, out), 0);
	for (unsigned k = 0; k < row->arg_count; k++)
		args[k] = vyrec_build_load(b, in[k], vyrec_build_get(b, i));
	value = row->arg_count == 1   ? vyrec_build_op1(b, row->op, args[0])
		: row->arg_count == 2 ? vyrec_build_op2(b, row->op, args[0], args[1])
				      : vyrec_build_op3(b, row->op, args[0], args[1], args[2]);
	vyrec_build_store(b, out, vyrec_build_get(b, i), value);
	vyrec_build_end(b);
	vyrec_build_program_end(b);
}

static struct vyrec_module *build_module(void)
{
	struct vyrec_module *m = vyrec_module_create("ops");
	struct vyrec_builder b = vyrec_builder_begin(m);
	row_count = 0;
	for (vyrec_op op = VYREC_OP_NONE + 1; op < VYREC_OP_COUNT; op++)
		add_rows_of(op);
	for (unsigned i = 0; i < row_count; i++)
		build_program(&b, &rows[i], i);
	for (vyrec_expr e = 1; e < m->expr_count; e++)
		m->exprs[e].policy = m->exprs[e].kind == VYREC_EXPR_LOAD ? VYREC_POLICY_CHECKED : 0;
	for (vyrec_stmt s = 1; s < m->stmt_count; s++)
		m->stmts[s].policy = m->stmts[s].kind == VYREC_STMT_STORE ? VYREC_POLICY_CHECKED : 0;
	return m;
}

/* ---- running --------------------------------------------------------------------------------------------------------- */

/* What the programs are: an image in memory, or text. */
struct code {
	struct vyrec_slice slice;
	struct mapped image;
	struct ptx_module *ptx;
};

static void run_native(const struct code *code, unsigned index, const struct vyre_cpu_buffer buffers[4])
{
	struct vyre_cpu_launch launch = image_run(&code->image, &code->slice, index, buffers, 4);
	assert_int_equal(launch.trap_code, 0);
}

static void run_ptx(const struct code *code, unsigned index, const struct vyre_cpu_buffer buffers[4])
{
	struct vyre_cuda_trap trap = {VYRE_CUDA_NO_TRAP, VYRE_CUDA_NO_TRAP};
	struct {
		struct {
			void *data;
			uint64_t count;
		} buffers[4];
		void *trap;
	} params = {.trap = &trap};
	struct ptx_result result;
	for (unsigned k = 0; k < 4; k++) {
		params.buffers[k].data = buffers[k].data;
		params.buffers[k].count = buffers[k].count;
	}
	const struct ptx_launch launch = {.entry = ptx_entry_find(code->ptx, code->slice.symbols[index]),
					  .params = &params,
					  .param_bytes = sizeof params,
					  .seed = index,
					  .careful = true};
	assert_non_null(launch.entry);
	if (!ptx_launch(&launch, &result))
		fail_msg("%s", result.message);
	assert_true(trap.code == VYRE_CUDA_NO_TRAP);
}

static void run_row(const struct code *code, unsigned index)
{
	const struct row *row = &rows[index];
	static uint64_t values[3][TRIPLES];
	struct vyre_cpu_buffer buffers[4] = {0};
	for (unsigned k = 0; k < 4; k++) {
		vyrec_type type = k == 3 ? row->result : row->args[k] ? row->args[k] : VYREC_U32;
		unsigned bytes = vyrec_type_bytes(type);
		buffers[k].count = TRIPLES;
		buffers[k].data = aligned_alloc(64, (TRIPLES * bytes + 63) / 64 * 64);
		for (unsigned i = 0; k < 3 && i < TRIPLES; i++) {
			unsigned which = k == 0 ? i % VALUES : k == 1 ? i / VALUES : (i * 7 + i / VALUES) % VALUES;
			values[k][i] = value_of(type, which);
			vyrec_eval_store(type, (char *)buffers[k].data + i * bytes, values[k][i]);
		}
	}
	(code->ptx ? run_ptx : run_native)(code, index, buffers);
	for (unsigned i = 0; i < TRIPLES; i++) {
		uint64_t want = vyrec_eval(row->op, row->operand, values[0][i], values[1][i], values[2][i]);
		uint64_t got =
		    vyrec_eval_load(row->result, (char *)buffers[3].data + i * vyrec_type_bytes(row->result));
		if (got == want || (is_nan_bits(row->result, got) && is_nan_bits(row->result, want)))
			continue;
		bool from_nan = is_nan_bits(row->args[0], values[0][i]);
		if (from_nan && (row->op == VYREC_OP_bits_u32_f || row->op == VYREC_OP_bits_u64_f))
			continue;
		fail_msg("%s on %s: %llx %llx %llx -> %llx, expected %llx", vyrec_op_get_info(row->op)->name,
			 vyrec_type_name(row->operand), (unsigned long long)values[0][i],
			 (unsigned long long)values[1][i], (unsigned long long)values[2][i], (unsigned long long)got,
			 (unsigned long long)want);
	}
	for (unsigned k = 0; k < 4; k++)
		free(buffers[k].data);
}

static void open_code(struct code *code)
{
	char message[PTX_MESSAGE];
	if (code->slice.target->family == VYREC_FAMILY_NATIVE) {
		assert_true(image_map(&code->slice, &code->image));
		return;
	}
	code->ptx = ptx_module_parse((const char *)code->slice.image, code->slice.image_bytes, message);
	if (!code->ptx)
		fail_msg("%s", message);
}

static void close_code(struct code *code)
{
	if (!code->ptx)
		image_unmap(&code->image);
	ptx_module_destroy(code->ptx);
	vyrec_slice_finish(&code->slice);
}

static void check_all(const char *target_name, unsigned level)
{
	const struct vyrec_target *target = vyrec_target_find(target_name);
	struct vyrec_codegen_options options = {.level = level, .cubin = VYREC_CUBIN_NEVER};
	struct vyrec_diags diags = {0};
	struct code code = {.ptx = NULL};
	if (target->family == VYREC_FAMILY_NATIVE && !host_has(target))
		skip();
	struct vyrec_module *m = build_module();
	if (!vyrec_codegen(m, target, &options, &code.slice, &diags))
		vyrec_diags_print(&diags, "ops", NULL, 0, stderr);
	assert_int_equal(diags.errors, 0);
	open_code(&code);
	for (unsigned i = 0; i < row_count; i++)
		run_row(&code, i);
	close_code(&code);
	vyrec_module_destroy(m);
	vyrec_diags_finish(&diags);
}

static void v2_as_lowered(void **state)
{
	(void)state;
	check_all("x86-64-v2", 0);
}

static void v2_optimised(void **state)
{
	(void)state;
	check_all("x86-64-v2", 2);
}

static void v3_as_lowered(void **state)
{
	(void)state;
	check_all("x86-64-v3", 0);
}

static void v3_optimised(void **state)
{
	(void)state;
	check_all("x86-64-v3", 2);
}

static void v4_optimised(void **state)
{
	(void)state;
	check_all("x86-64-v4", 2);
}

static void ptx_as_lowered(void **state)
{
	(void)state;
	check_all("sm_75", 0);
}

static void ptx_optimised(void **state)
{
	(void)state;
	check_all("sm_90", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(v2_as_lowered), cmocka_unit_test(v2_optimised), cmocka_unit_test(v3_as_lowered),
	    cmocka_unit_test(v3_optimised),  cmocka_unit_test(v4_optimised), cmocka_unit_test(ptx_as_lowered),
	    cmocka_unit_test(ptx_optimised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
