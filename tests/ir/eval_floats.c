/* eval_floats.c - rows of ops.def that take or give floats, at edge values. Part of ir_eval_test.
 *
 * Single and double precision are checked against the machine's own, and against long double or exact integers where one
 * rounding leads there; half precision against its definition and a search over all of its 65,536 values. Any NaN is as good
 * as another.
 */
#include <math.h>

#include "tests/ir/eval_rig.h"

/* ---- values -------------------------------------------------------------------------------------------------- */

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

void half_conversions(void **state)
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

void float_rows(void **state)
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
void half_dense(void **state)
{
	(void)state;
	static const uint16_t partners[] = {0x0001, 0x03ff, 0x0400, 0x1401, 0x3555,
					    0x3c01, 0xbc00, 0x4248, 0x6bff, 0x7bff};
	for (uint64_t h = 0; h < 65536; h += 7)
		for (unsigned k = 0; k < sizeof partners / sizeof *partners; k++)
			check_float_binary(VYREC_F16, h, partners[k]);
}

void fused(void **state)
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

void int_to_float(void **state)
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

void bitcasts(void **state)
{
	(void)state;
	assert_int_equal(eval(VYREC_OP_bits_u32_f, VYREC_F32, 0xbf800000, 0, 0), 0xbf800000);
	assert_int_equal(eval(VYREC_OP_bits_f32_u, VYREC_U32, 0x7f800001, 0, 0), 0x7f800001);
	assert_int_equal(eval(VYREC_OP_bits_u64_f, VYREC_F64, UINT64_MAX, 0, 0), UINT64_MAX);
	assert_int_equal(eval(VYREC_OP_bits_f64_u, VYREC_U64, UINT64_MAX, 0, 0), UINT64_MAX);
}
