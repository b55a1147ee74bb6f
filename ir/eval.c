/* eval.c - the meaning of every row of ops.def.
 *
 * Enters: an operation, the operand type and up to three operands as raw bits, zero-extended. Leaves: the result's raw
 * bits, zero-extended. Invariant: total - every operand pattern has a defined result, nothing here is undefined in C,
 * and the rounding mode is the default one (nobody in this project changes it).
 *
 * One switch made from the rows, so that constant folder and interpreter cannot disagree with the table. f16 is
 * computed in double and rounded once: 53 bits are at least 2 * 11 + 2, so + - * / sqrt round as if they were computed
 * in half, and the sum of an fma differs from double's only far away from any half-way point of half.
 */
#include <math.h>
#include <string.h>

#include "ir/eval.h"

/* ---- bits and floats ------------------------------------------------------------------------------------- */

static uint64_t low_bits(unsigned width)
{
	return width >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
}

static int64_t sign_extend(unsigned width, uint64_t a)
{
	uint64_t sign = UINT64_C(1) << (width - 1);
	return (int64_t)(((a & low_bits(width)) ^ sign) - sign);
}

static float unpack_f32(uint64_t a)
{
	uint32_t bits = (uint32_t)a;
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static uint64_t pack_f32(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static double unpack_f64(uint64_t a)
{
	double x;
	memcpy(&x, &a, sizeof x);
	return x;
}

static uint64_t pack_f64(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static double unpack_f16(uint64_t a)
{
	uint64_t sign = (a & 0x8000) << 48, exponent = a >> 10 & 31, mantissa = a & 0x3ff;
	if (exponent == 0)
		return unpack_f64(sign | pack_f64((double)mantissa * 0x1p-24));
	exponent = exponent == 31 ? 0x7ff : exponent + 1023 - 15;
	return unpack_f64(sign | exponent << 52 | mantissa << 42);
}

/* Nearest half, ties to even: shifts the mantissa to half's last place and rounds what falls off. A carry out of the
 * mantissa moves into the exponent, and out of the greatest exponent into infinity, by itself. */
static uint64_t pack_f16(double x)
{
	uint64_t bits = pack_f64(x), sign = bits >> 48 & 0x8000, mantissa = bits & low_bits(52);
	int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
	if (exponent == 1024)
		return sign | 0x7c00 | (mantissa ? 0x200 | mantissa >> 42 : 0);
	if (exponent > 15)
		return sign | 0x7c00;
	if (exponent < -25)
		return sign;
	unsigned shift = exponent >= -14 ? 42 : (unsigned)(28 - exponent);
	uint64_t base = exponent >= -14 ? (uint64_t)(exponent + 14) << 10 : 0;
	mantissa |= UINT64_C(1) << 52;
	uint64_t kept = mantissa >> shift, rest = mantissa & low_bits(shift), half = UINT64_C(1) << (shift - 1);
	return sign | (base + kept + (rest > half || (rest == half && (kept & 1))));
}

/* Any float operand as a double: exact for all three types. */
static double unpack(vyrec_type t, uint64_t a)
{
	return t == VYREC_F32 ? (double)unpack_f32(a) : t == VYREC_F64 ? unpack_f64(a) : unpack_f16(a);
}

/* ---- what the rows call ---------------------------------------------------------------------------------- */

static uint64_t ev_div_s(int64_t a, int64_t b)
{
	if (b == 0)
		return 0;
	return b == -1 ? 0 - (uint64_t)a : (uint64_t)(a / b);
}

static uint64_t ev_rem_s(int64_t a, int64_t b)
{
	return b == 0 || b == -1 ? 0 : (uint64_t)(a % b);
}

static uint64_t clamp_s(unsigned w, __int128 value)
{
	__int128 limit = (__int128)1 << (w - 1);
	return (uint64_t)(value >= limit ? limit - 1 : value < -limit ? -limit : value);
}

static uint64_t clamp_u(unsigned w, unsigned __int128 value)
{
	return value > low_bits(w) ? low_bits(w) : (uint64_t)value;
}

static uint64_t ev_add_sat_u(unsigned w, uint64_t a, uint64_t b)
{
	return clamp_u(w, (unsigned __int128)a + b);
}

static uint64_t ev_add_sat_s(unsigned w, int64_t a, int64_t b)
{
	return clamp_s(w, (__int128)a + b);
}

static uint64_t ev_sub_sat_s(unsigned w, int64_t a, int64_t b)
{
	return clamp_s(w, (__int128)a - b);
}

static uint64_t ev_mul_sat_u(unsigned w, uint64_t a, uint64_t b)
{
	return clamp_u(w, (unsigned __int128)a * b);
}

static uint64_t ev_mul_sat_s(unsigned w, int64_t a, int64_t b)
{
	return clamp_s(w, (__int128)a * b);
}

static uint64_t ev_mul_hi_u(unsigned w, uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> w);
}

static uint64_t ev_mul_hi_s(unsigned w, int64_t a, int64_t b)
{
	return (uint64_t)((__int128)a * b >> w);
}

static uint64_t ev_rotl(unsigned w, uint64_t a, uint64_t count)
{
	unsigned n = (unsigned)(count & (w - 1));
	return n ? a << n | a >> (w - n) : a;
}

static uint64_t ev_popcount(uint64_t a)
{
	return (uint64_t)__builtin_popcountll(a);
}

static uint64_t ev_clz(unsigned w, uint64_t a)
{
	return a ? (uint64_t)__builtin_clzll(a) - (64 - w) : w;
}

static uint64_t ev_ctz(unsigned w, uint64_t a)
{
	return a ? (uint64_t)__builtin_ctzll(a) : w;
}

static uint64_t ev_byteswap(unsigned w, uint64_t a)
{
	return __builtin_bswap64(a) >> (64 - w);
}

static uint64_t ev_bitreverse(unsigned w, uint64_t a)
{
	a = (a & 0x5555555555555555) << 1 | (a >> 1 & 0x5555555555555555);
	a = (a & 0x3333333333333333) << 2 | (a >> 2 & 0x3333333333333333);
	a = (a & 0x0f0f0f0f0f0f0f0f) << 4 | (a >> 4 & 0x0f0f0f0f0f0f0f0f);
	return ev_byteswap(w, a);
}

/* Field b (modulo the fields of a word) of a, sign- or zero-extended. */
static uint64_t ev_unpack(uint64_t a, uint64_t b, unsigned bits, int is_signed)
{
	uint64_t field = a >> (b & (32 / bits - 1)) * bits & low_bits(bits);
	return is_signed ? (uint64_t)sign_extend(bits, field) : field;
}

/* The bits of equal numbers are equal but for the signs of zeros: | takes -0, & takes +0. */
static uint64_t ev_min_f(vyrec_type t, uint64_t a, uint64_t b)
{
	double x = unpack(t, a), y = unpack(t, b);
	if (x != x || y != y)
		return x != x ? b : a;
	return x < y ? a : x > y ? b : (a | b);
}

static uint64_t ev_max_f(vyrec_type t, uint64_t a, uint64_t b)
{
	double x = unpack(t, a), y = unpack(t, b);
	if (x != x || y != y)
		return x != x ? b : a;
	return x > y ? a : x < y ? b : (a & b);
}

#define BY_TYPE(x, f32, f64) _Generic((x), float : f32, double : f64)
#define ev_abs(x)	     BY_TYPE(x, fabsf, fabs)(x)
#define ev_sqrt(x)	     BY_TYPE(x, sqrtf, sqrt)(x)
#define ev_floor(x)	     BY_TYPE(x, floorf, floor)(x)
#define ev_ceil(x)	     BY_TYPE(x, ceilf, ceil)(x)
#define ev_trunc(x)	     BY_TYPE(x, truncf, trunc)(x)
#define ev_round(x)	     BY_TYPE(x, rintf, rint)(x) /* default rounding mode: ties to even */
#define ev_copysign(x, y)    BY_TYPE(x, copysignf, copysign)(x, y)
#define ev_fma(x, y, z)	     BY_TYPE(x, fmaf, fma)(x, y, z)

static uint64_t ev_to_u(unsigned bits, double x)
{
	if (!(x > -1))
		return 0; /* also NaN */
	return x >= (bits == 32 ? 0x1p32 : 0x1p64) ? low_bits(bits) : (uint64_t)x;
}

static uint64_t ev_to_s(unsigned bits, double x)
{
	double limit = bits == 32 ? 0x1p31 : 0x1p63;
	if (x != x)
		return 0;
	if (x >= limit)
		return low_bits(bits - 1);
	return x <= -limit ? UINT64_C(1) << (bits - 1) : (uint64_t)(int64_t)x;
}

/* Integers that double rounds are past 2^53, infinite in half: going through double rounds once. */
static uint64_t ev_from_u(vyrec_type to, uint64_t a)
{
	return to == VYREC_F32 ? pack_f32((float)a) : to == VYREC_F64 ? pack_f64((double)a) : pack_f16((double)a);
}

static uint64_t ev_from_s(vyrec_type to, int64_t a)
{
	return to == VYREC_F32 ? pack_f32((float)a) : to == VYREC_F64 ? pack_f64((double)a) : pack_f16((double)a);
}

static uint64_t ev_from_f(vyrec_type to, vyrec_type from, uint64_t a)
{
	double x = unpack(from, a);
	return to == VYREC_F32 ? pack_f32((float)x) : to == VYREC_F64 ? pack_f64(x) : pack_f16(x);
}

/* ---- the switch ------------------------------------------------------------------------------------------ */

static const unsigned char widths[VYREC_TYPE_COUNT] = {
#define X(name, value, bytes, text) [VYREC_##name] = VYREC_##name == VYREC_BOOL ? 1 : bytes * 8,
    VYRE_ELEMENT_LIST(X)
#undef X
};

/* expr over x, y, z of the C type that computes t, packed to bits. Operands that a row does not have are zero. */
#define IN(type, load, pack, expr) \
	({ \
		type x = load(a), y = load(b), z = load(c); \
		(void)x, (void)y, (void)z; \
		(uint64_t) pack(expr); \
	})
#define FLOAT(expr) \
	(t == VYREC_F32	  ? IN(float, unpack_f32, pack_f32, expr) \
	 : t == VYREC_F64 ? IN(double, unpack_f64, pack_f64, expr) \
			  : IN(double, unpack_f16, pack_f16, expr))
#define F1(expr) FLOAT(expr)
#define F2(expr) FLOAT(expr)
#define F3(expr) FLOAT(expr)
#define FC(expr) \
	(t == VYREC_F32	  ? IN(float, unpack_f32, (uint64_t), expr) \
	 : t == VYREC_F64 ? IN(double, unpack_f64, (uint64_t), expr) \
			  : IN(double, unpack_f16, (uint64_t), expr))
#define S(x)	  sign_extend(w, x)
#define BITS_SAME w
#define BITS_ARG1 w
#define BITS_BOOL 1
#define BITS_U32  32
#define BITS_I32  32
#define BITS_F32  32
#define BITS_U64  64
#define BITS_I64  64
#define BITS_F64  64
#define BITS_F16  16

uint64_t vyrec_eval(vyrec_op op, vyrec_type t, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned w = (unsigned)t < VYREC_TYPE_COUNT && widths[t] ? widths[t] : 64;
	switch (op) {
#define OP(name, text, kind, result, args, flags, fold, meaning) \
	case VYREC_OP_##name: \
		return (uint64_t)(fold)&low_bits(BITS_##result);
#include "ir/ops.def"
	default:
		return 0;
	}
}

/* ---- elements -------------------------------------------------------------------------------------------- */

uint64_t vyrec_eval_load(vyrec_type element, const void *place)
{
	uint64_t bits = 0;
	if ((unsigned)element >= VYREC_TYPE_COUNT)
		return 0;
	memcpy(&bits, place, vyrec_type_bytes(element)); /* little-endian, as every target */
	switch (element) {
	case VYREC_BOOL:
		return bits != 0;
	case VYREC_I8:
		return (uint64_t)sign_extend(8, bits) & low_bits(32);
	case VYREC_I16:
		return (uint64_t)sign_extend(16, bits) & low_bits(32);
	default:
		return bits;
	}
}

void vyrec_eval_store(vyrec_type element, void *place, uint64_t value)
{
	if (element == VYREC_BOOL)
		value = value != 0;
	if ((unsigned)element < VYREC_TYPE_COUNT)
		memcpy(place, &value, vyrec_type_bytes(element));
}
