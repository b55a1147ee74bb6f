/* eval_test.c - every row of ops.def at edge values, against formulas that share nothing with eval.c.
 *
 * Integers are checked with 128-bit arithmetic and bit by bit; floats in eval_floats.c. Each row must be met at least once.
 */
#include "tests/ir/eval_rig.h"

static bool met[VYREC_OP_COUNT];

uint64_t eval(vyrec_op op, vyrec_type t, uint64_t a, uint64_t b, uint64_t c)
{
	met[op] = true;
	return vyrec_eval(op, t, a, b, c);
}

#define CHECK(op, t, a, b, want, w) \
	do { \
		uint64_t got_ = eval(VYREC_OP_##op, t, a, b, 0), want_ = (uint64_t)(want)&mask(w); \
		if (got_ != want_) \
			fail_msg(#op " of %s(0x%llx, 0x%llx) is 0x%llx, not 0x%llx", vyrec_type_name(t), \
				 (unsigned long long)(a), (unsigned long long)(b), (unsigned long long)got_, \
				 (unsigned long long)want_); \
	} while (0)

/* ---- integers --------------------------------------------------------------------------------------------- */

static wide clamp(wide v, wide low, wide high)
{
	return v < low ? low : v > high ? high : v;
}

static uint64_t slow_count(unsigned w, uint64_t a, int from_top)
{
	uint64_t n = 0;
	while (n < w && !(a >> (from_top ? w - 1 - n : n) & 1))
		n++;
	return n;
}

static uint64_t slow_reverse(unsigned w, uint64_t a, unsigned unit)
{
	uint64_t out = 0;
	for (unsigned k = 0; k < w; k += unit)
		out |= (a >> k & mask(unit)) << (w - unit - k);
	return out;
}

/* Rows of both signs, by the bits. */
static void check_int(vyrec_type t, uint64_t a, uint64_t b)
{
	unsigned w = vyrec_type_bits(t), n = (unsigned)(b % w);
	unsigned __int128 x = a, y = b;
	CHECK(add_i, t, a, b, x + y, w);
	CHECK(sub_i, t, a, b, x - y, w);
	CHECK(mul_i, t, a, b, x * y, w);
	CHECK(and_i, t, a, b, a & b, w);
	CHECK(or_i, t, a, b, a | b, w);
	CHECK(xor_i, t, a, b, (a | b) - (a & b), w);
	CHECK(shl, t, a, b, x << n, w);
	CHECK(eq_i, t, a, b, !(a ^ b), 1);
	CHECK(ne_i, t, a, b, !!(a ^ b), 1);
	CHECK(neg_i, t, a, b, ~a + 1, w);
	CHECK(not_i, t, a, b, mask(w) - a, w);
	uint64_t ones = 0;
	for (unsigned k = 0; k < w; k++)
		ones += a >> k & 1;
	CHECK(popcount, t, a, b, ones, w);
	CHECK(clz, t, a, b, slow_count(w, a, 1), w);
	CHECK(ctz, t, a, b, slow_count(w, a, 0), w);
	CHECK(bitreverse, t, a, b, slow_reverse(w, a, 1), w);
	CHECK(byteswap, t, a, b, slow_reverse(w, a, 8), w);
	CHECK(to_bool_i, t, a, b, a > 0, 1);
	CHECK(to_u32_i, t, a, b, a, 32);
	CHECK(to_i32_i, t, a, b, a, 32);
}

static void check_unsigned(vyrec_type t, uint64_t a, uint64_t b)
{
	unsigned w = vyrec_type_bits(t), n = (unsigned)(b % w);
	unsigned __int128 x = a, y = b, top = mask(w);
	CHECK(div_u, t, a, b, b ? x / y : top, w);
	CHECK(rem_u, t, a, b, b ? x - x / y * y : 0, w);
	CHECK(shr_u, t, a, b, x >> n, w);
	CHECK(lt_u, t, a, b, x < y, 1);
	CHECK(le_u, t, a, b, x <= y, 1);
	CHECK(gt_u, t, a, b, x > y, 1);
	CHECK(ge_u, t, a, b, x >= y, 1);
	CHECK(min_u, t, a, b, x < y ? x : y, w);
	CHECK(max_u, t, a, b, x < y ? y : x, w);
	CHECK(abs_diff_u, t, a, b, x < y ? y - x : x - y, w);
	CHECK(add_sat_u, t, a, b, x + y > top ? top : x + y, w);
	CHECK(sub_sat_u, t, a, b, x < y ? 0 : x - y, w);
	CHECK(mul_sat_u, t, a, b, x * y > top ? top : x * y, w);
	CHECK(mul_hi_u, t, a, b, x * y >> w, w);
	CHECK(rotl, t, a, b, x << n | x >> (w - n), w);
	CHECK(rotr, t, a, b, x >> n | x << (w - n), w);
	CHECK(to_u64_u, t, a, b, a, 64);
	CHECK(to_i64_u, t, a, b, a, 64);
}

static void check_signed(vyrec_type t, uint64_t a, uint64_t b)
{
	unsigned w = vyrec_type_bits(t), n = (unsigned)(b % w);
	wide x = as_signed(w, a), y = as_signed(w, b), low = -((wide)1 << (w - 1)), high = -low - 1;
	/* floor division by the power of two, without a shift of a negative number */
	wide power = (wide)1 << n, floor_quotient = (x - (((x % power) + power) % power)) / power;
	CHECK(div_s, t, a, b, y ? x / y : 0, w);
	CHECK(rem_s, t, a, b, y ? x - x / y * y : 0, w);
	CHECK(shr_s, t, a, b, floor_quotient, w);
	CHECK(lt_s, t, a, b, x < y, 1);
	CHECK(le_s, t, a, b, x <= y, 1);
	CHECK(gt_s, t, a, b, x > y, 1);
	CHECK(ge_s, t, a, b, x >= y, 1);
	CHECK(min_s, t, a, b, x < y ? x : y, w);
	CHECK(max_s, t, a, b, x < y ? y : x, w);
	CHECK(abs_s, t, a, b, x < 0 ? -x : x, w);
	CHECK(abs_diff_s, t, a, b, x < y ? y - x : x - y, w);
	CHECK(sign_s, t, a, b, clamp(x, -1, 1), w);
	CHECK(add_sat_s, t, a, b, clamp(x + y, low, high), w);
	CHECK(sub_sat_s, t, a, b, clamp(x - y, low, high), w);
	CHECK(mul_sat_s, t, a, b, clamp(x * y, low, high), w);
	CHECK(mul_hi_s, t, a, b, (x * y - (wide)(((unsigned __int128)(x * y)) & mask(w))) / ((wide)1 << (w - 1)) / 2,
	      w);
	CHECK(to_u64_s, t, a, b, x, 64);
	CHECK(to_i64_s, t, a, b, x, 64);
}

static void check_pair(vyrec_type t, uint64_t a, uint64_t b)
{
	uint64_t m = mask(vyrec_type_bits(t));
	check_int(t, a & m, b & m);
	if (vyrec_type_is_uint(t))
		check_unsigned(t, a & m, b & m);
	else
		check_signed(t, a & m, b & m);
}

static void integers(void **state)
{
	(void)state;
	for (int i = 0; i < EDGES; i++)
		for (int k = 0; k < EDGES; k++)
			for (vyrec_type t = VYREC_U32; t <= VYREC_I64; t++)
				check_pair(t, edges[i], edges[k]);
}

/* All pairs of a slice around zero, of the greatest and of the least values. */
static void integers_dense(void **state)
{
	(void)state;
	static const uint64_t bases[] = {0, 0x7fffffff, 0x80000000, 0x7fffffffffffffff};
	for (vyrec_type t = VYREC_U32; t <= VYREC_I64; t++)
		for (unsigned base = 0; base < 4; base++)
			for (uint64_t i = 0; i < 48; i++)
				for (uint64_t k = 0; k < 48; k++)
					check_pair(t, bases[base] + i - 24, k - 24);
}

static void bools(void **state)
{
	(void)state;
	vyrec_type t = VYREC_BOOL;
	for (uint64_t a = 0; a < 2; a++)
		for (uint64_t b = 0; b < 2; b++) {
			CHECK(and_b, t, a, b, a * b, 1);
			CHECK(or_b, t, a, b, a + b > 0, 1);
			CHECK(xor_b, t, a, b, a + b == 1, 1);
			CHECK(eq_b, t, a, b, a + b != 1, 1);
			CHECK(ne_b, t, a, b, a + b == 1, 1);
			CHECK(not_b, t, a, b, 1 - a, 1);
			CHECK(to_bool_b, t, a, b, a, 1);
			CHECK(to_u32_b, t, a, b, a, 32);
			CHECK(to_i32_b, t, a, b, a, 32);
			CHECK(to_u64_b, t, a, b, a, 64);
			CHECK(to_i64_b, t, a, b, a, 64);
			CHECK(to_f32_b, t, a, b, a ? 0x3f800000 : 0, 32);
			CHECK(to_f64_b, t, a, b, a ? 0x3ff0000000000000 : 0, 64);
			CHECK(to_f16_b, t, a, b, a ? 0x3c00 : 0, 16);
		}
	for (vyrec_type v = VYREC_BOOL; v <= VYREC_F16; v++) {
		uint64_t m = mask(vyrec_type_bits(v));
		assert_int_equal(eval(VYREC_OP_select, v, 1, UINT64_MAX & m, 0), m);
		assert_int_equal(eval(VYREC_OP_select, v, 0, 0, UINT64_MAX & m), m);
	}
}

static void unpacking(void **state)
{
	(void)state;
	vyrec_type t = VYREC_U32;
	uint64_t word = 0x807f01ff;
	static const uint32_t s8[4] = {0xffffffff, 1, 0x7f, 0xffffff80}, u8[4] = {0xff, 1, 0x7f, 0x80};
	static const uint32_t s4[8] = {0xffffffff, 0xffffffff, 1, 0, 0xffffffff, 7, 0, 0xfffffff8};
	static const uint32_t u4[8] = {15, 15, 1, 0, 15, 7, 0, 8};
	for (uint64_t k = 0; k < 64; k++) {
		CHECK(unpack_s8, t, word, k, s8[k % 4], 32);
		CHECK(unpack_u8, t, word, k, u8[k % 4], 32);
		CHECK(unpack_s4, t, word, k, s4[k % 8], 32);
		CHECK(unpack_u4, t, word, k, u4[k % 8], 32);
	}
}

/* ---- elements, and what has been met ------------------------------------------------------------------------- */

static void elements(void **state)
{
	(void)state;
	static const struct {
		vyrec_type element;
		uint64_t stored, loaded;
	} rows[] = {
	    {VYREC_U8, 0x1ff, 0xff},
	    {VYREC_I8, 0x180, 0xffffff80},
	    {VYREC_I8, 0x7f, 0x7f},
	    {VYREC_U16, 0x18001, 0x8001},
	    {VYREC_I16, 0x8001, 0xffff8001},
	    {VYREC_BOOL, 1, 1},
	    {VYREC_U32, 0xdeadbeef, 0xdeadbeef},
	    {VYREC_I64, UINT64_MAX, UINT64_MAX},
	    {VYREC_F16, 0x3c00, 0x3c00},
	    {VYREC_F64, 0x3ff0000000000000, 0x3ff0000000000000},
	};
	for (unsigned k = 0; k < sizeof rows / sizeof *rows; k++) {
		uint8_t memory[24];
		unsigned bytes = vyrec_type_bytes(rows[k].element);
		memset(memory, 0xa5, sizeof memory);
		vyrec_eval_store(rows[k].element, memory + 8, rows[k].stored);
		assert_int_equal(vyrec_eval_load(rows[k].element, memory + 8), rows[k].loaded);
		for (unsigned n = 0; n < sizeof memory; n++)
			if (n < 8 || n >= 8 + bytes)
				assert_int_equal(memory[n], 0xa5); /* neighbours stay */
	}
	uint32_t odd = 0x100;
	assert_int_equal(vyrec_eval_load(VYREC_BOOL, &odd), 1);
}

static void every_row_was_met(void **state)
{
	(void)state;
	for (unsigned op = 1; op < VYREC_OP_COUNT; op++)
		if (!met[op])
			fail_msg("no test of this program evaluates %s", vyrec_op_get_info(op)->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integers),
	    cmocka_unit_test(integers_dense),
	    cmocka_unit_test(bools),
	    cmocka_unit_test(unpacking),
	    cmocka_unit_test(half_conversions),
	    cmocka_unit_test(float_rows),
	    cmocka_unit_test(half_dense),
	    cmocka_unit_test(fused),
	    cmocka_unit_test(int_to_float),
	    cmocka_unit_test(bitcasts),
	    cmocka_unit_test(elements),
	    cmocka_unit_test(every_row_was_met),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
