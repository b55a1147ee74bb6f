/* ptx_value.h - what the value column of ptx_ops.def is written in. */
#ifndef VYRE_TESTS_PTX_VALUE_H
#define VYRE_TESTS_PTX_VALUE_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LOW32(x) ((uint64_t)(uint32_t)(x))
#define S16(x) ((int64_t)(int16_t)(x))
#define S32(x) ((int64_t)(int32_t)(x))
#define S64(x) ((int64_t)(x))
/* Of two halves of 16 bits, each for itself. */
#define PAIR(of) (of(a & 0xffff, b & 0xffff) | of(a >> 16, b >> 16) << 16)
#define SUM16(x, y) (((x) + (y)) & 0xffff)
#define LESS_U16(x, y) ((x) < (y) ? (x) : (y))
#define LESS_S16(x, y) (S16(x) < S16(y) ? (x) : (y))
#define MORE_U16(x, y) ((x) > (y) ? (x) : (y))
#define MORE_S16(x, y) (S16(x) > S16(y) ? (x) : (y))
#define X32(x) ptx_float(x)
#define X64(x) ptx_double(x)
#define F32(x) ptx_bits32(x)
#define F64(x) ptx_bits64(x)
#define NAN32(x) (((x) & 0x7fffffff) > 0x7f800000)
#define NAN64(x) (((x) & INT64_MAX) > INT64_C(0x7ff0000000000000))

static inline float ptx_float(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float x;
	memcpy(&x, &low, sizeof x);
	return x;
}

static inline double ptx_double(uint64_t bits)
{
	double x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static inline uint64_t ptx_bits32(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return x != x ? 0x7fffffff : bits;
}

static inline uint64_t ptx_bits64(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

/* The number when one is NaN; -0 < +0. */
#define PTX_MIN_MAX(bits, nan) \
	static inline uint64_t ptx_min##bits(uint64_t a, uint64_t b) \
	{ \
		if (NAN##bits(a) || NAN##bits(b)) \
			return !NAN##bits(a) ? a : !NAN##bits(b) ? b : nan; \
		return X##bits(a) < X##bits(b) || (X##bits(a) == X##bits(b) && a >> (bits - 1)) ? a : b; \
	} \
	static inline uint64_t ptx_max##bits(uint64_t a, uint64_t b) \
	{ \
		if (NAN##bits(a) || NAN##bits(b)) \
			return !NAN##bits(a) ? a : !NAN##bits(b) ? b : nan; \
		return X##bits(a) > X##bits(b) || (X##bits(a) == X##bits(b) && !(a >> (bits - 1))) ? a : b; \
	}
PTX_MIN_MAX(32, 0x7fffffff)
PTX_MIN_MAX(64, UINT64_C(0x7fffffffffffffff))
#undef PTX_MIN_MAX

/* Saturating, from a value without fraction. NaN: 0 where both sides have at most 32 bits (`wide` false), else 1 << (bits - 1). */
static inline uint64_t ptx_to_u(unsigned bits, double x, bool wide)
{
	uint64_t most = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	if (x != x)
		return wide ? UINT64_C(1) << (bits - 1) : 0;
	return x <= 0 ? 0 : x >= ldexp(1, (int)bits) ? most : (uint64_t)x;
}

/* The same, sign-extended to 64 bits. */
static inline uint64_t ptx_to_s(unsigned bits, double x, bool wide)
{
	int64_t most = (int64_t)((UINT64_C(1) << (bits - 1)) - 1);
	if (x != x)
		return wide ? (uint64_t)(-most - 1) : 0;
	return (uint64_t)(x < -ldexp(1, (int)bits - 1)  ? -most - 1
			  : x >= ldexp(1, (int)bits - 1) ? most
							 : (int64_t)x);
}

static inline uint64_t ptx_bfind(uint64_t a)
{
	return a ? 63 - (uint64_t)__builtin_clzll(a) : UINT32_MAX;
}

static inline uint64_t ptx_brev(uint64_t a)
{
	uint64_t r = 0;
	for (unsigned i = 0; i < 64; i++)
		r |= (a >> i & 1) << (63 - i);
	return r;
}

/* Bits position .. position + length of a; above a's end its sign is repeated when it is signed. */
static inline uint64_t ptx_bfe(uint64_t a, uint64_t position, uint64_t length, unsigned bits, bool has_sign)
{
	uint64_t r = 0, p = position & 0xff, n = length & 0xff, sign;
	uint64_t last = p + n > bits ? bits - 1 : p + n - 1;
	sign = has_sign && n ? a >> (last < bits ? last : bits - 1) & 1 : 0;
	for (unsigned i = 0; i < bits; i++)
		r |= (i < n && p + i < bits ? a >> (p + i) & 1 : sign) << i;
	return r;
}

/* b with `length` bits of a put at `position`. */
static inline uint64_t ptx_bfi(uint64_t a, uint64_t b, uint64_t position, uint64_t length, unsigned bits)
{
	uint64_t p = position & 0xff, n = length & 0xff;
	for (unsigned i = 0; i < n && p + i < bits; i++)
		b = (b & ~(UINT64_C(1) << (p + i))) | (a >> i & 1) << (p + i);
	return b;
}

static inline uint64_t ptx_prmt(uint64_t a, uint64_t b, uint64_t selector)
{
	uint64_t bytes = b << 32 | a, r = 0;
	for (unsigned i = 0; i < 4; i++) {
		unsigned s = selector >> (4 * i) & 15;
		uint64_t byte = bytes >> (8 * (s & 7)) & 0xff;
		r |= (s & 8 ? (byte & 0x80 ? 0xff : 0) : byte) << (8 * i);
	}
	return r;
}

static inline uint64_t ptx_lop3(uint64_t a, uint64_t b, uint64_t c, uint64_t table)
{
	uint64_t r = 0;
	for (unsigned i = 0; i < 32; i++)
		r |= (table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
	return r;
}

/* ---- rows in numbers ---------------------------------------------------------------------------------------- */

#define SETP(OP, c, t, letters, test) OP(setp_##c##_##t, "setp." #c "." #t, "p" letters, test)
#define SETP_EQUAL(OP, bits, letters) \
	OP(setp_eq_##bits, "setp.eq.b" #bits " setp.eq.s" #bits " setp.eq.u" #bits, "p" letters, a == b) \
	OP(setp_ne_##bits, "setp.ne.b" #bits " setp.ne.s" #bits " setp.ne.u" #bits, "p" letters, a != b)
#define SETP_SIGNED(OP, bits, letters) \
	SETP(OP, lt, s##bits, letters, S##bits(a) < S##bits(b)) SETP(OP, le, s##bits, letters, S##bits(a) <= S##bits(b)) \
	SETP(OP, gt, s##bits, letters, S##bits(a) > S##bits(b)) SETP(OP, ge, s##bits, letters, S##bits(a) >= S##bits(b))
#define SETP_UNSIGNED(OP, bits, letters) \
	OP(setp_lt_u##bits, "setp.lt.u" #bits " setp.lo.u" #bits, "p" letters, a < b) \
	OP(setp_le_u##bits, "setp.le.u" #bits " setp.ls.u" #bits, "p" letters, a <= b) \
	OP(setp_gt_u##bits, "setp.gt.u" #bits " setp.hi.u" #bits, "p" letters, a > b) \
	OP(setp_ge_u##bits, "setp.ge.u" #bits " setp.hs.u" #bits, "p" letters, a >= b)
#define SETP_INT(OP, bits, letters) \
	SETP_EQUAL(OP, bits, letters) SETP_SIGNED(OP, bits, letters) SETP_UNSIGNED(OP, bits, letters)
#define MANY_SETP_INT(OP) SETP_INT(OP, 16, "hh") SETP_INT(OP, 32, "ww") SETP_INT(OP, 64, "dd")

/* eq .. ge are false with a NaN, equ .. geu true. */
#define SETP_ORDER(OP, bits, letters, name, operator) \
	SETP(OP, name, f##bits, letters, X##bits(a) operator X##bits(b) && !NAN##bits(a) && !NAN##bits(b)) \
	SETP(OP, name##u, f##bits, letters, X##bits(a) operator X##bits(b) || NAN##bits(a) || NAN##bits(b))
#define SETP_FLOAT(OP, bits, letters) \
	SETP_ORDER(OP, bits, letters, eq, ==) SETP_ORDER(OP, bits, letters, ne, !=) SETP_ORDER(OP, bits, letters, lt, <) \
	SETP_ORDER(OP, bits, letters, le, <=) SETP_ORDER(OP, bits, letters, gt, >) SETP_ORDER(OP, bits, letters, ge, >=) \
	SETP(OP, num, f##bits, letters, !NAN##bits(a) && !NAN##bits(b)) \
	SETP(OP, nan, f##bits, letters, NAN##bits(a) || NAN##bits(b))
#define MANY_SETP_FLOAT(OP) SETP_FLOAT(OP, 32, "ww") SETP_FLOAT(OP, 64, "dd")

#endif
