/* eval_test.c - every row of ops.def at edge values, against formulas that share nothing with eval.c.
 *
 * Integers are checked with 128-bit arithmetic and bit by bit, floats against the machine's own and against long double
 * or exact integers; half precision against a search over all 65,536 values. Each row must be met at least once.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"

typedef __int128 wide;
static bool met[VYREC_OP_COUNT];

static uint64_t eval(vyrec_op op, vyrec_type t, uint64_t a, uint64_t b, uint64_t c)
{
	met[op] = true;
	return vyrec_eval(op, t, a, b, c);
}

static uint64_t mask(unsigned w)
{
	return w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
}

static wide as_signed(unsigned w, uint64_t a)
{
	wide v = a & mask(w);
	return v >= (wide)1 << (w - 1) ? v - ((wide)1 << w) : v;
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

static const uint64_t edges[] = {0,
				 1,
				 2,
				 3,
				 5,
				 7,
				 8,
				 15,
				 31,
				 32,
				 33,
				 63,
				 64,
				 65,
				 127,
				 128,
				 255,
				 256,
				 0x7fff,
				 0x8000,
				 0xffff,
				 0x10000,
				 0x12345678,
				 0x7ffffffe,
				 0x7fffffff,
				 0x80000000,
				 0x80000001,
				 0xfffffffe,
				 0xffffffff,
				 0x100000000,
				 0x123456789abcdef0,
				 0x7fffffffffffffff,
				 0x8000000000000000,
				 0x8000000000000001,
				 0xfffffffffffffffe,
				 0xffffffffffffffff};
enum { EDGES = sizeof edges / sizeof *edges };

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

static void integers(void **state)
{
	(void)state;
	for (int i = 0; i < EDGES; i++)
		for (int k = 0; k < EDGES; k++)
			for (vyrec_type t = VYREC_U32; t <= VYREC_I64; t++) {
				uint64_t a = edges[i] & mask(vyrec_type_bits(t)),
					 b = edges[k] & mask(vyrec_type_bits(t));
				check_int(t, a, b);
				if (vyrec_type_is_uint(t))
					check_unsigned(t, a, b);
				else
					check_signed(t, a, b);
			}
}

/* All pairs of a slice around zero, of the greatest and of the least values. */
static void integers_dense(void **state)
{
	(void)state;
	static const uint64_t bases[] = {0, 0x7fffffff, 0x80000000, 0x7fffffffffffffff};
	for (vyrec_type t = VYREC_U32; t <= VYREC_I64; t++)
		for (unsigned base = 0; base < 4; base++)
			for (uint64_t i = 0; i < 48; i++)
				for (uint64_t k = 0; k < 48; k++) {
					uint64_t m = mask(vyrec_type_bits(t));
					uint64_t a = (bases[base] + i - 24) & m, b = (k - 24) & m;
					check_int(t, a, b);
					if (vyrec_type_is_uint(t))
						check_unsigned(t, a, b);
					else
						check_signed(t, a, b);
				}
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

/* ---- floats ----------------------------------------------------------------------------------------------- */

static uint64_t bits32(float x)
{
	uint32_t b;
	memcpy(&b, &x, 4);
	return b;
}

static float float32(uint64_t bits)
{
	uint32_t b = (uint32_t)bits;
	float x;
	memcpy(&x, &b, 4);
	return x;
}

static uint64_t bits64(double x)
{
	uint64_t b;
	memcpy(&b, &x, 8);
	return b;
}

static double float64(uint64_t b)
{
	double x;
	memcpy(&x, &b, 8);
	return x;
}

/* The value of a half by its definition. */
static double half_value(uint64_t bits)
{
	double sign = bits & 0x8000 ? -1 : 1;
	unsigned e = bits >> 10 & 31, m = bits & 1023;
	if (e == 31)
		return m ? NAN : sign * INFINITY;
	return sign * (e ? ldexp(1024 + m, (int)e - 25) : ldexp(m, -24));
}

/* The half nearest to x by a search over all positive ones, ties to even. */
static uint64_t half_search(long double x)
{
	uint64_t sign = signbit(x) ? 0x8000 : 0;
	long double magnitude = fabsl(x);
	if (isnan(x))
		return 0x7e00;
	if (magnitude >= 65520)
		return sign | 0x7c00;
	uint64_t low = 0, high = 0x7bff; /* the greatest half that is not above */
	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;
		if (half_value(middle) <= magnitude)
			low = middle;
		else
			high = middle - 1;
	}
	if (low == 0x7bff)
		return sign | low; /* below 65520 */
	long double below = magnitude - half_value(low), above = half_value(low + 1) - magnitude;
	return sign | (below < above || (below == above && low % 2 == 0) ? low : low + 1);
}

static bool is_nan_bits(vyrec_type t, uint64_t b)
{
	return t == VYREC_F32	? (b & 0x7fffffff) > 0x7f800000
	       : t == VYREC_F64 ? (b & INT64_MAX) > 0x7ff0000000000000
				: (b & 0x7fff) > 0x7c00;
}

static void check_float(vyrec_op op, vyrec_type t, vyrec_type result, uint64_t a, uint64_t b, uint64_t c, uint64_t want)
{
	uint64_t got = eval(op, t, a, b, c);
	bool nan = vyrec_type_is_float(result) && is_nan_bits(result, want);
	if (nan ? !is_nan_bits(result, got) : got != want)
		fail_msg("%s of %s(0x%llx, 0x%llx, 0x%llx) is 0x%llx, not 0x%llx", vyrec_op_get_info(op)->name,
			 vyrec_type_name(t), (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
			 (unsigned long long)got, (unsigned long long)want);
}

static void half_conversions(void **state)
{
	(void)state;
	for (uint64_t h = 0; h < 65536; h++) {
		double x = half_value(h);
		check_float(VYREC_OP_to_f64_f, VYREC_F16, VYREC_F64, h, 0, 0, bits64(x));
		check_float(VYREC_OP_to_f32_f, VYREC_F16, VYREC_F32, h, 0, 0, bits32((float)x));
		check_float(VYREC_OP_to_f16_f, VYREC_F16, VYREC_F16, h, 0, 0, h);
		check_float(VYREC_OP_to_f16_f, VYREC_F64, VYREC_F16, bits64(x), 0, 0, isnan(x) ? 0x7e00 : h);
		check_float(VYREC_OP_to_f16_f, VYREC_F32, VYREC_F16, bits32((float)x), 0, 0, isnan(x) ? 0x7e00 : h);
		if (isnan(x) || isinf(x))
			continue;
		/* around the middle to the next one */
		double next = half_value((h & 0x8000) | ((h & 0x7fff) + 1));
		double middle = isinf(next) ? copysign(65520, x) : (x + next) / 2;
		double near[3] = {middle, nextafter(middle, 0), nextafter(middle, 2 * middle)};
		for (int k = 0; k < 3; k++)
			check_float(VYREC_OP_to_f16_f, VYREC_F64, VYREC_F16, bits64(near[k]), 0, 0,
				    half_search(near[k]));
	}
}

static const float floats[] = {
    0.0f,	    -0.0f,	1.0f,	     -1.0f,	    0.5f,	   -0.5f,	  1.5f,		 2.5f,
    -2.5f,	    3.0f,	0.1f,	     -0.3f,	    1e10f,	   -1e10f,	  65504.0f,	 65519.9f,
    65520.0f,	    6e-8f,	2.9e-8f,     1e-45f,	    -1e-45f,	   1.17e-38f,	  3.4e38f,	 -3.4e38f,
    INFINITY,	    -INFINITY,	NAN,	     4294967040.0f, 4294967296.0f, 2147483520.0f, 2147483648.0f, -2147483648.0f,
    -2147483904.0f, 8388607.5f, 16777216.0f, 0.99999994f,   1.0000001f,	   9.2233715e18f, 9.223372e18f,	 1.8446744e19f};
enum { FLOATS = sizeof floats / sizeof *floats };

/* Toward zero, clamped, exactly: long double holds every 64-bit integer. */
static uint64_t to_int(long double x, long double low, long double high)
{
	if (isnan(x))
		return 0;
	x = truncl(x);
	x = x < low ? low : x > high ? high : x;
	return x < 0 ? 0 - (uint64_t)-x : (uint64_t)x;
}

/* The float of type t that long double value x rounds to; x must be exact or need one rounding only. */
static uint64_t pack(vyrec_type t, long double x)
{
	return t == VYREC_F32 ? bits32((float)x) : t == VYREC_F64 ? bits64((double)x) : half_search(x);
}

static double value_of(vyrec_type t, uint64_t bits)
{
	return t == VYREC_F32 ? (double)float32(bits) : t == VYREC_F64 ? float64(bits) : half_value(bits);
}

static void check_float_unary(vyrec_type t, uint64_t a)
{
	long double x = value_of(t, a);
	uint64_t sign = UINT64_C(1) << (vyrec_type_bits(t) - 1);
	check_float(VYREC_OP_neg_f, t, t, a, 0, 0, a ^ sign);
	check_float(VYREC_OP_abs_f, t, t, a, 0, 0, a & ~sign);
	check_float(VYREC_OP_sign_f, t, t, a, 0, 0, x > 0 ? pack(t, 1) : x < 0 ? pack(t, -1) : a);
	check_float(VYREC_OP_floor, t, t, a, 0, 0, pack(t, floorl(x)));
	check_float(VYREC_OP_ceil, t, t, a, 0, 0, pack(t, ceill(x)));
	check_float(VYREC_OP_trunc, t, t, a, 0, 0, pack(t, truncl(x)));
	long double even = floorl(x), rest = x - even;
	if (rest > 0.5L || (rest == 0.5L && fmodl(even, 2) != 0))
		even += 1;
	check_float(VYREC_OP_round, t, t, a, 0, 0, isinf(x) ? a : pack(t, copysignl(even, x)));
	check_float(VYREC_OP_is_nan, t, VYREC_BOOL, a, 0, 0, is_nan_bits(t, a));
	check_float(VYREC_OP_is_inf, t, VYREC_BOOL, a, 0, 0, x == INFINITY || x == -INFINITY);
	check_float(VYREC_OP_is_finite, t, VYREC_BOOL, a, 0, 0, x > -INFINITY && x < INFINITY);
	check_float(VYREC_OP_to_u32_f, t, VYREC_U32, a, 0, 0, to_int(x, 0, 0xffffffffu));
	check_float(VYREC_OP_to_i32_f, t, VYREC_I32, a, 0, 0, to_int(x, -0x1p31L, 0x1p31L - 1) & 0xffffffff);
	check_float(VYREC_OP_to_u64_f, t, VYREC_U64, a, 0, 0, to_int(x, 0, 0x1p64L - 1));
	check_float(VYREC_OP_to_i64_f, t, VYREC_I64, a, 0, 0, to_int(x, -0x1p63L, 0x1p63L - 1));
	check_float(VYREC_OP_to_f32_f, t, VYREC_F32, a, 0, 0, pack(VYREC_F32, x));
	check_float(VYREC_OP_to_f64_f, t, VYREC_F64, a, 0, 0, pack(VYREC_F64, x));
	check_float(VYREC_OP_to_f16_f, t, VYREC_F16, a, 0, 0, pack(VYREC_F16, x));
	/* the square root: the only value whose neighbours' middles enclose it; the machine's for f32 and f64 */
	uint64_t root = t == VYREC_F32	 ? bits32(sqrtf(float32(a)))
			: t == VYREC_F64 ? bits64(sqrt(float64(a)))
					 : half_search(sqrtl(x));
	check_float(VYREC_OP_sqrt, t, t, a, 0, 0, root);
}

static uint64_t machine(vyrec_type t, char op, uint64_t a, uint64_t b)
{
	if (t == VYREC_F32) {
		volatile float x = float32(a), y = float32(b);
		return bits32(op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y);
	}
	if (t == VYREC_F64) {
		volatile double x = float64(a), y = float64(b);
		return bits64(op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y);
	}
	long double x = half_value(a), y = half_value(b); /* 64 bits: sums and products of halves are exact */
	return half_search(op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y);
}

static void check_float_binary(vyrec_type t, uint64_t a, uint64_t b)
{
	double x = value_of(t, a), y = value_of(t, b);
	uint64_t sign = UINT64_C(1) << (vyrec_type_bits(t) - 1);
	bool a_less = x < y || (x == y && (a & sign) > (b & sign));
	check_float(VYREC_OP_add_f, t, t, a, b, 0, machine(t, '+', a, b));
	check_float(VYREC_OP_sub_f, t, t, a, b, 0, machine(t, '-', a, b));
	check_float(VYREC_OP_mul_f, t, t, a, b, 0, machine(t, '*', a, b));
	check_float(VYREC_OP_div_f, t, t, a, b, 0, machine(t, '/', a, b));
	check_float(VYREC_OP_eq_f, t, VYREC_BOOL, a, b, 0, x == y);
	check_float(VYREC_OP_ne_f, t, VYREC_BOOL, a, b, 0, !(x == y));
	check_float(VYREC_OP_lt_f, t, VYREC_BOOL, a, b, 0, isless(x, y));
	check_float(VYREC_OP_le_f, t, VYREC_BOOL, a, b, 0, islessequal(x, y));
	check_float(VYREC_OP_gt_f, t, VYREC_BOOL, a, b, 0, isgreater(x, y));
	check_float(VYREC_OP_ge_f, t, VYREC_BOOL, a, b, 0, isgreaterequal(x, y));
	check_float(VYREC_OP_copysign, t, t, a, b, 0, (a & ~sign) | (b & sign));
	check_float(VYREC_OP_min_f, t, t, a, b, 0, isnan(x) ? b : isnan(y) ? a : a_less ? a : b);
	check_float(VYREC_OP_max_f, t, t, a, b, 0, isnan(x) ? b : isnan(y) ? a : a_less ? b : a);
}

static void float_rows(void **state)
{
	(void)state;
	static const vyrec_type types[3] = {VYREC_F32, VYREC_F64, VYREC_F16};
	for (int n = 0; n < 3; n++)
		for (int i = 0; i < FLOATS; i++) {
			uint64_t a = pack(types[n], floats[i]);
			check_float_unary(types[n], a);
			for (int k = 0; k < FLOATS; k++)
				check_float_binary(types[n], a, pack(types[n], floats[k]));
		}
	for (uint64_t h = 0; h < 65536; h++)
		check_float_unary(VYREC_F16, h);
	static const double doubles[] = {0x1p53,
					 0x1p63,
					 0x1p64,
					 -0x1p63,
					 0x1.fffffffffffffp63,
					 0x1.fffffffffffffp62,
					 5e-324,
					 0x1.fffffep127,
					 0x1.ffffffp127,
					 0x1p-149,
					 0x1p-150,
					 0x1.8p-149,
					 4294967295.5,
					 2147483647.9,
					 -2147483648.9,
					 0x1.000001p0,
					 0x1.0000011p0,
					 0x1.002p0,
					 0x1.003p0};
	for (unsigned k = 0; k < sizeof doubles / sizeof *doubles; k++)
		check_float_unary(VYREC_F64, bits64(doubles[k]));
}

/* All halves with partners that make sums and products of every kind. */
static void half_dense(void **state)
{
	(void)state;
	static const uint16_t partners[] = {0x0001, 0x03ff, 0x0400, 0x1401, 0x3555,
					    0x3c01, 0xbc00, 0x4248, 0x6bff, 0x7bff};
	for (uint64_t h = 0; h < 65536; h += 7)
		for (unsigned k = 0; k < sizeof partners / sizeof *partners; k++)
			check_float_binary(VYREC_F16, h, partners[k]);
}

static void fused(void **state)
{
	(void)state;
	/* what two roundings get wrong */
	uint64_t a = bits32(0x1.000002p0f), b = bits32(0x1.fffffep-1f), c = bits32(-1.0f);
	check_float(VYREC_OP_fma, VYREC_F32, VYREC_F32, a, b, c, bits32(0x1.fffffcp-25f));
	assert_int_not_equal(eval(VYREC_OP_fma, VYREC_F32, a, b, c), bits32(0x1.000002p0f * 0x1.fffffep-1f - 1.0f));
	check_float(VYREC_OP_fma, VYREC_F64, VYREC_F64, bits64(0x1.0000000000001p0), bits64(0x1.ffffffffffffep-1),
		    bits64(-1), bits64(-0x1p-104));
	check_float(VYREC_OP_fma, VYREC_F32, VYREC_F32, bits32(INFINITY), bits32(0), bits32(1), 0x7fc00000);
	/* halves against long double: the sum of a product and a half needs up to 81 bits, so only where 64 hold it */
	uint64_t x = 1;
	unsigned checked = 0;
	for (unsigned n = 0; n < 200000; n++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		uint64_t p = x >> 16 & 0xffff, q = x >> 32 & 0xffff, r = x >> 48;
		long double product = (long double)half_value(p) * half_value(q), z = half_value(r), sum = product + z;
		if (!(isnan(sum) || (sum - product == z && sum - z == product)))
			continue;
		check_float(VYREC_OP_fma, VYREC_F16, VYREC_F16, p, q, r, half_search(sum));
		checked++;
	}
	assert_true(checked > 100000);
	/* a tie that something far below breaks: 1 + 2^-11 is half-way, the product adds 2^-40 */
	check_float(VYREC_OP_fma, VYREC_F16, VYREC_F16, 0x0010, 0x0010, 0x3c00, 0x3c00);
	check_float(VYREC_OP_fma, VYREC_F16, VYREC_F16, 0x3c01, 0x1000, 0x3c00, 0x3c01);
}

static void int_to_float(void **state)
{
	(void)state;
	/* the nearest of the neighbours, by exact integer arithmetic in long double (64 bits) */
	for (int i = 0; i < EDGES; i++)
		for (int d = -1; d <= 1; d++) {
			uint64_t v = edges[i] + (uint64_t)d;
			vyrec_type ints[4] = {VYREC_U32, VYREC_I32, VYREC_U64, VYREC_I64};
			for (int n = 0; n < 4; n++) {
				vyrec_type t = ints[n];
				unsigned w = vyrec_type_bits(t);
				uint64_t a = v & mask(w);
				bool s = vyrec_type_is_sint(t);
				long double x = s ? (long double)as_signed(w, a) : (long double)a;
				check_float(s ? VYREC_OP_to_f32_s : VYREC_OP_to_f32_u, t, VYREC_F32, a, 0, 0,
					    bits32((float)x));
				check_float(s ? VYREC_OP_to_f64_s : VYREC_OP_to_f64_u, t, VYREC_F64, a, 0, 0,
					    bits64((double)x));
				check_float(s ? VYREC_OP_to_f16_s : VYREC_OP_to_f16_u, t, VYREC_F16, a, 0, 0,
					    half_search(x));
			}
		}
	/* double rounding traps: half-way in f32 only after a first rounding to f64 */
	check_float(VYREC_OP_to_f32_u, VYREC_U64, VYREC_F32, 0x8000008000000001, 0, 0, bits32(0x1.000002p63f));
	check_float(VYREC_OP_to_f32_u, VYREC_U64, VYREC_F32, 0x8000008000000000, 0, 0, bits32(0x1p63f));
	check_float(VYREC_OP_to_f64_u, VYREC_U64, VYREC_F64, 0xfffffffffffffc00, 0, 0, bits64(0x1p64));
}

static void bitcasts(void **state)
{
	(void)state;
	assert_int_equal(eval(VYREC_OP_bits_u32_f, VYREC_F32, 0xbf800000, 0, 0), 0xbf800000);
	assert_int_equal(eval(VYREC_OP_bits_f32_u, VYREC_U32, 0x7f800001, 0, 0), 0x7f800001);
	assert_int_equal(eval(VYREC_OP_bits_u64_f, VYREC_F64, UINT64_MAX, 0, 0), UINT64_MAX);
	assert_int_equal(eval(VYREC_OP_bits_f64_u, VYREC_U64, UINT64_MAX, 0, 0), UINT64_MAX);
}

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
			fail_msg("no test of this file evaluates %s", vyrec_op_get_info(op)->name);
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
