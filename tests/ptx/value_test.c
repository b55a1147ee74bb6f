/* value_test.c - instructions that compute a value: one row each with operands and what must come out.
 *
 * Expected values are from the PTX manual, by hand; where C has the same operation with the same meaning they could be
 * computed, and would then repeat the executor's own expression.
 */
#include "rig.h"

struct row {
	const char *insn;     /* operands: D for the result, A B C E for the sources */
	const char *operands; /* letters as in ptx_ops.def */
	uint64_t a, b, c, e, want;
};

static const struct row rows[] = {
    {"add.s32 D, A, B", "www", 0xffffffff, 2, 0, 0, 1},
    {"add.u64 D, A, B", "ddd", UINT64_MAX, 2, 0, 0, 1},
    {"add.s16 D, A, B", "hhh", 0xffff, 2, 0, 0, 1},
    {"add.s16x2 D, A, B", "www", 0x7fffffff, 0x10001, 0, 0, 0x80000000},
    {"min.u16x2 D, A, B", "www", 0x8000ffff, 0x7fff0001, 0, 0, 0x7fff0001},
    {"min.s16x2 D, A, B", "www", 0x80000001, 0x7fffffff, 0, 0, 0x8000ffff},
    {"max.u16x2 D, A, B", "www", 0x80000001, 0x7fffffff, 0, 0, 0x8000ffff},
    {"max.s16x2 D, A, B", "www", 0x80000001, 0x7fffffff, 0, 0, 0x7fff0001},
    {"sub.s32 D, A, B", "www", 1, 2, 0, 0, 0xffffffff},
    {"sub.s64 D, A, B", "ddd", 1, 2, 0, 0, UINT64_MAX},
    {"sub.u16 D, A, B", "hhh", 1, 2, 0, 0, 0xffff},
    {"mul.lo.s32 D, A, B", "www", 0x10001, 0x10001, 0, 0, 0x20001},
    {"mul.lo.u16 D, A, B", "hhh", 0x101, 0x101, 0, 0, 0x201},
    {"mul.lo.s64 D, A, B", "ddd", 0x100000001, 0x100000001, 0, 0, 0x200000001},
    {"mul.hi.u32 D, A, B", "www", 0xffffffff, 0xffffffff, 0, 0, 0xfffffffe},
    {"mul.hi.s32 D, A, B", "www", 0xffffffff, 0xffffffff, 0, 0, 0},
    {"mul.hi.s32 D, A, B", "www", 0x80000000, 2, 0, 0, 0xffffffff},
    {"mul.hi.u16 D, A, B", "hhh", 0xffff, 0xffff, 0, 0, 0xfffe},
    {"mul.hi.s16 D, A, B", "hhh", 0x8000, 2, 0, 0, 0xffff},
    {"mul.hi.u64 D, A, B", "ddd", UINT64_MAX, UINT64_MAX, 0, 0, UINT64_MAX - 1},
    {"mul.hi.s64 D, A, B", "ddd", INT64_MIN, 2, 0, 0, UINT64_MAX},
    {"mul.wide.u32 D, A, B", "dww", 0xffffffff, 2, 0, 0, 0x1fffffffe},
    {"mul.wide.s32 D, A, B", "dww", 0xffffffff, 2, 0, 0, (uint64_t)-2},
    {"mul.wide.u16 D, A, B", "whh", 0xffff, 2, 0, 0, 0x1fffe},
    {"mul.wide.s16 D, A, B", "whh", 0xffff, 2, 0, 0, 0xfffffffe},
    {"mad.lo.s32 D, A, B, C", "wwww", 3, 0xffffffff, 1, 0, 0xfffffffe},
    {"mad.lo.s64 D, A, B, C", "dddd", 3, UINT64_MAX, 1, 0, UINT64_MAX - 1},
    {"mad.lo.u16 D, A, B, C", "hhhh", 3, 0xffff, 1, 0, 0xfffe},
    {"mad.hi.u32 D, A, B, C", "wwww", 0x80000000, 4, 5, 0, 7},
    {"mad.hi.s32 D, A, B, C", "wwww", 0x80000000, 4, 5, 0, 3},
    {"mad.hi.u64 D, A, B, C", "dddd", UINT64_C(1) << 63, 4, 5, 0, 7},
    {"mad.hi.s64 D, A, B, C", "dddd", UINT64_C(1) << 63, 4, 5, 0, 3},
    {"mad.wide.u32 D, A, B, C", "dwwd", 0xffffffff, 0xffffffff, 1, 0, 0xfffffffe00000002},
    {"mad.wide.s32 D, A, B, C", "dwwd", 0xffffffff, 3, 1, 0, (uint64_t)-2},
    {"mad.wide.u16 D, A, B, C", "whhw", 0xffff, 2, 3, 0, 0x20001},
    {"mad.wide.s16 D, A, B, C", "whhw", 0xffff, 2, 3, 0, 1},
    {"div.u32 D, A, B", "www", 0xfffffffe, 3, 0, 0, 0x55555554},
    {"div.s32 D, A, B", "www", 0xfffffff9, 2, 0, 0, 0xfffffffd},
    {"div.s32 D, A, B", "www", 0x80000000, 0xffffffff, 0, 0, 0x80000000},
    {"div.u64 D, A, B", "ddd", UINT64_MAX, 5, 0, 0, 0x3333333333333333},
    {"div.s64 D, A, B", "ddd", INT64_MIN, UINT64_MAX, 0, 0, (uint64_t)INT64_MIN},
    {"div.s16 D, A, B", "hhh", 0xfff9, 2, 0, 0, 0xfffd},
    {"div.u16 D, A, B", "hhh", 0xfff9, 2, 0, 0, 0x7ffc},
    {"rem.u32 D, A, B", "www", 17, 5, 0, 0, 2},
    {"rem.s32 D, A, B", "www", 0xffffffef, 5, 0, 0, 0xfffffffe},
    {"rem.s64 D, A, B", "ddd", (uint64_t)-17, 5, 0, 0, (uint64_t)-2},
    {"rem.s64 D, A, B", "ddd", INT64_MIN, UINT64_MAX, 0, 0, 0},
    {"rem.u64 D, A, B", "ddd", UINT64_MAX, 10, 0, 0, 5},
    {"rem.s16 D, A, B", "hhh", 0xffef, 5, 0, 0, 0xfffe},
    {"rem.u16 D, A, B", "hhh", 0xffef, 5, 0, 0, 4},
    {"neg.s32 D, A", "ww", 1, 0, 0, 0, 0xffffffff},
    {"neg.s16 D, A", "hh", 1, 0, 0, 0, 0xffff},
    {"neg.s64 D, A", "dd", 1, 0, 0, 0, UINT64_MAX},
    {"abs.s32 D, A", "ww", 0xfffffffb, 0, 0, 0, 5},
    {"abs.s64 D, A", "dd", (uint64_t)-5, 0, 0, 0, 5},
    {"abs.s16 D, A", "hh", 0xfffb, 0, 0, 0, 5},
    {"min.s32 D, A, B", "www", 0xffffffff, 1, 0, 0, 0xffffffff},
    {"min.u32 D, A, B", "www", 0xffffffff, 1, 0, 0, 1},
    {"max.s32 D, A, B", "www", 0xffffffff, 1, 0, 0, 1},
    {"max.u32 D, A, B", "www", 0xffffffff, 1, 0, 0, 0xffffffff},
    {"min.s64 D, A, B", "ddd", UINT64_MAX, 1, 0, 0, UINT64_MAX},
    {"min.u64 D, A, B", "ddd", UINT64_MAX, 1, 0, 0, 1},
    {"max.s64 D, A, B", "ddd", UINT64_MAX, 1, 0, 0, 1},
    {"max.u64 D, A, B", "ddd", UINT64_MAX, 1, 0, 0, UINT64_MAX},
    {"min.s16 D, A, B", "hhh", 0xffff, 1, 0, 0, 0xffff},
    {"max.u16 D, A, B", "hhh", 0xffff, 1, 0, 0, 0xffff},
    {"min.u16 D, A, B", "hhh", 0xffff, 1, 0, 0, 1},
    {"max.s16 D, A, B", "hhh", 0xffff, 1, 0, 0, 1},
    {"sad.s32 D, A, B, C", "wwww", 0xffffffff, 1, 10, 0, 12},
    {"sad.u32 D, A, B, C", "wwww", 0xffffffff, 1, 10, 0, 8},
    {"and.b32 D, A, B", "www", 0xff00ff00, 0x0ff00ff0, 0, 0, 0x0f000f00},
    {"or.b64 D, A, B", "ddd", 0xff00000000000000, 1, 0, 0, 0xff00000000000001},
    {"xor.b16 D, A, B", "hhh", 0xff, 0x0ff0, 0, 0, 0x0f0f},
    {"not.b16 D, A", "hh", 0xff, 0, 0, 0, 0xff00},
    {"not.b32 D, A", "ww", 0xff, 0, 0, 0, 0xffffff00},
    {"not.b64 D, A", "dd", 0xff, 0, 0, 0, 0xffffffffffffff00},
    {"cnot.b32 D, A", "ww", 0, 0, 0, 0, 1},
    {"and.pred D, A, B", "ppp", 1, 0, 0, 0, 0},
    {"or.pred D, A, B", "ppp", 1, 0, 0, 0, 1},
    {"xor.pred D, A, B", "ppp", 1, 1, 0, 0, 0},
    {"not.pred D, A", "pp", 0, 0, 0, 0, 1},
    {"shl.b32 D, A, B", "www", 0x80000001, 1, 0, 0, 2},
    {"shl.b32 D, A, B", "www", 1, 32, 0, 0, 0},
    {"shl.b64 D, A, B", "ddw", 1, 63, 0, 0, UINT64_C(1) << 63},
    {"shl.b64 D, A, B", "ddw", 1, 64, 0, 0, 0},
    {"shl.b16 D, A, B", "hhw", 1, 15, 0, 0, 0x8000},
    {"shl.b16 D, A, B", "hhw", 1, 16, 0, 0, 0},
    {"shr.u32 D, A, B", "www", 0x80000000, 31, 0, 0, 1},
    {"shr.u32 D, A, B", "www", 0x80000000, 0xffffffff, 0, 0, 0},
    {"shr.s32 D, A, B", "www", 0x80000000, 200, 0, 0, 0xffffffff},
    {"shr.s32 D, A, B", "www", 0x80000000, 4, 0, 0, 0xf8000000},
    {"shr.u64 D, A, B", "ddw", UINT64_C(1) << 63, 63, 0, 0, 1},
    {"shr.s64 D, A, B", "ddw", UINT64_C(1) << 63, 64, 0, 0, UINT64_MAX},
    {"shr.s16 D, A, B", "hhw", 0x8000, 3, 0, 0, 0xf000},
    {"shr.u16 D, A, B", "hhw", 0x8000, 3, 0, 0, 0x1000},
    {"shf.l.wrap.b32 D, A, B, C", "wwww", 0xf0000000, 0x12345678, 36, 0, 0x2345678f},
    {"shf.r.wrap.b32 D, A, B, C", "wwww", 0x12345678, 0xabcdef01, 36, 0, 0x11234567},
    {"shf.l.clamp.b32 D, A, B, C", "wwww", 0xf0000000, 0x12345678, 36, 0, 0xf0000000},
    {"shf.r.clamp.b32 D, A, B, C", "wwww", 0xf0000000, 0x12345678, 36, 0, 0x12345678},
    {"shf.r.clamp.b32 D, A, B, C", "wwww", 0x12345678, 0xabcdef01, 4, 0, 0x11234567},
    {"popc.b32 D, A", "ww", 0xf0f0f0f0, 0, 0, 0, 16},
    {"popc.b64 D, A", "wd", UINT64_MAX, 0, 0, 0, 64},
    {"clz.b32 D, A", "ww", 1, 0, 0, 0, 31},
    {"clz.b32 D, A", "ww", 0, 0, 0, 0, 32},
    {"clz.b64 D, A", "wd", 1, 0, 0, 0, 63},
    {"clz.b64 D, A", "wd", 0, 0, 0, 0, 64},
    {"bfind.u32 D, A", "ww", 0x80, 0, 0, 0, 7},
    {"bfind.u32 D, A", "ww", 0, 0, 0, 0, 0xffffffff},
    {"bfind.s32 D, A", "ww", 0xfffffff7, 0, 0, 0, 3},
    {"bfind.u64 D, A", "wd", UINT64_C(1) << 40, 0, 0, 0, 40},
    {"bfind.s64 D, A", "wd", UINT64_MAX, 0, 0, 0, 0xffffffff},
    {"bfind.shiftamt.u32 D, A", "ww", 0x80, 0, 0, 0, 24},
    {"brev.b32 D, A", "ww", 0x00000013, 0, 0, 0, 0xc8000000},
    {"brev.b64 D, A", "dd", 0x13, 0, 0, 0, 0xc800000000000000},
    {"bfe.u32 D, A, B, C", "wwww", 0x12345678, 8, 12, 0, 0x456},
    {"bfe.s32 D, A, B, C", "wwww", 0x12345678, 4, 8, 0, 0x67},
    {"bfe.s32 D, A, B, C", "wwww", 0x00000f00, 8, 4, 0, 0xffffffff},
    {"bfe.u32 D, A, B, C", "wwww", 0x12345678, 28, 12, 0, 1},
    {"bfe.s32 D, A, B, C", "wwww", 0x92345678, 28, 12, 0, 0xfffffff9},
    {"bfe.u32 D, A, B, C", "wwww", 0xffffffff, 3, 0, 0, 0},
    {"bfe.u64 D, A, B, C", "ddww", 0x123456789abcdef0, 60, 8, 0, 1},
    {"bfe.s64 D, A, B, C", "ddww", 0x823456789abcdef0, 60, 4, 0, (uint64_t)-8},
    {"bfi.b32 D, A, B, C, E", "wwwww", 0xab, 0x11111111, 8, 8, 0x1111ab11},
    {"bfi.b32 D, A, B, C, E", "wwwww", 0xff, 0, 28, 8, 0xf0000000},
    {"bfi.b64 D, A, B, C, E", "dddww", 0xab, 0, 56, 8, 0xab00000000000000},
    {"szext.wrap.u32 D, A, B", "www", 0xffff, 8, 0, 0, 0xff},
    {"szext.wrap.s32 D, A, B", "www", 0xff, 8, 0, 0, 0xffffffff},
    {"bmsk.wrap.b32 D, A, B", "www", 4, 3, 0, 0, 0x70},
    {"prmt.b32 D, A, B, C", "wwww", 0x33221100, 0x77665544, 0x7531, 0, 0x77553311},
    {"prmt.b32 D, A, B, C", "wwww", 0x000080ff, 0, 0x98a0, 0, 0xffff00ff},
    {"lop3.b32 D, A, B, C, 0x96", "wwww", 0xff00, 0xf0f0, 0xcccc, 0, 0xc33c},
    {"lop3.b32 D, A, B, C, 0xe8", "wwww", 0xff00, 0xf0f0, 0xcccc, 0, 0xfcc0},
    {"selp.b32 D, A, B, C", "wwwp", 1, 2, 1, 0, 1},
    {"selp.b64 D, A, B, C", "dddp", 1, 2, 0, 0, 2},
    {"selp.b16 D, A, B, C", "hhhp", 1, 2, 0, 0, 2},
    /* floats: 1.5 = 3fc00000, 1/3 = 3eaaaaab */
    {"add.f32 D, A, B", "www", 0x3fc00000, 0x3f800000, 0, 0, 0x40200000},
    {"add.rn.f32 D, A, B", "www", 0x4b800000, 0x3f800000, 0, 0, 0x4b800000},
    {"add.f32 D, A, B", "www", 0x00000001, 0x00000001, 0, 0, 2},
    {"add.f32 D, A, B", "www", 0x7f800000, 0xff800000, 0, 0, 0x7fffffff},
    {"sub.f32 D, A, B", "www", 0x3f800000, 0x3fc00000, 0, 0, 0xbf000000},
    {"mul.rn.f32 D, A, B", "www", 0x00000003, 0x3f000000, 0, 0, 2},
    {"mul.f32 D, A, B", "www", 0xffc12345, 0x3f800000, 0, 0, 0x7fffffff},
    {"fma.rn.f32 D, A, B, C", "wwww", 0x3f800001, 0x3f800001, 0xbf800002, 0, 0x28800000},
    {"div.rn.f32 D, A, B", "www", 0x3f800000, 0x40400000, 0, 0, 0x3eaaaaab},
    {"rcp.rn.f32 D, A", "ww", 0x40400000, 0, 0, 0, 0x3eaaaaab},
    {"sqrt.rn.f32 D, A", "ww", 0x40000000, 0, 0, 0, 0x3fb504f3},
    {"sqrt.rn.f32 D, A", "ww", 0xbf800000, 0, 0, 0, 0x7fffffff},
    {"add.f64 D, A, B", "ddd", 0x3ff0000000000000, 0x3ff8000000000000, 0, 0, 0x4004000000000000},
    {"sub.rn.f64 D, A, B", "ddd", 0x3ff0000000000000, 0x3ff8000000000000, 0, 0, 0xbfe0000000000000},
    {"mul.f64 D, A, B", "ddd", 0x3ff8000000000000, 0x3ff8000000000000, 0, 0, 0x4002000000000000},
    {"div.rn.f64 D, A, B", "ddd", 0x3ff0000000000000, 0x4008000000000000, 0, 0, 0x3fd5555555555555},
    {"rcp.rn.f64 D, A", "dd", 0x4008000000000000, 0, 0, 0, 0x3fd5555555555555},
    {"sqrt.rn.f64 D, A", "dd", 0x4000000000000000, 0, 0, 0, 0x3ff6a09e667f3bcd},
    {"fma.rn.f64 D, A, B, C", "dddd", 0x3ff0000000000001, 0x3ff0000000000001, 0xbff0000000000002, 0,
     0x3970000000000000},
    {"neg.f32 D, A", "ww", 0, 0, 0, 0, 0x80000000},
    {"neg.f64 D, A", "dd", 0, 0, 0, 0, 0x8000000000000000},
    {"abs.f32 D, A", "ww", 0xbf800000, 0, 0, 0, 0x3f800000},
    {"abs.f64 D, A", "dd", 0xbff0000000000000, 0, 0, 0, 0x3ff0000000000000},
    {"min.f32 D, A, B", "www", 0, 0x80000000, 0, 0, 0x80000000},
    {"min.f32 D, A, B", "www", 0x80000000, 0, 0, 0, 0x80000000},
    {"max.f32 D, A, B", "www", 0, 0x80000000, 0, 0, 0},
    {"max.f32 D, A, B", "www", 0x80000000, 0, 0, 0, 0},
    {"min.f32 D, A, B", "www", 0x7fc00000, 0x40000000, 0, 0, 0x40000000},
    {"max.f32 D, A, B", "www", 0x40000000, 0x7fc00000, 0, 0, 0x40000000},
    {"min.NaN.f32 D, A, B", "www", 0x7fc00000, 0x40000000, 0, 0, 0x7fffffff},
    {"max.NaN.f32 D, A, B", "www", 0x3f800000, 0x40000000, 0, 0, 0x40000000},
    {"min.f64 D, A, B", "ddd", 0, 0x8000000000000000, 0, 0, 0x8000000000000000},
    {"max.f64 D, A, B", "ddd", 0x7ff8000000000000, 0x3ff0000000000000, 0, 0, 0x3ff0000000000000},
    {"copysign.f32 D, A, B", "www", 0x80000000, 0x3f800000, 0, 0, 0xbf800000},
    {"copysign.f64 D, A, B", "ddd", 0x8000000000000000, 0x3ff0000000000000, 0, 0, 0xbff0000000000000},
    {"testp.infinite.f32 D, A", "pw", 0xff800000, 0, 0, 0, 1},
    {"testp.finite.f32 D, A", "pw", 0x7f7fffff, 0, 0, 0, 1},
    {"testp.notanumber.f32 D, A", "pw", 0x7f800001, 0, 0, 0, 1},
    {"testp.number.f32 D, A", "pw", 0x7f800001, 0, 0, 0, 0},
    {"testp.normal.f32 D, A", "pw", 0x00400000, 0, 0, 0, 0},
    {"testp.subnormal.f32 D, A", "pw", 0x00400000, 0, 0, 0, 1},
    {"testp.infinite.f64 D, A", "pd", 0xfff0000000000000, 0, 0, 0, 1},
    {"testp.finite.f64 D, A", "pd", 0xfff0000000000000, 0, 0, 0, 0},
    /* comparisons */
    {"setp.eq.b32 D, A, B", "pww", 5, 5, 0, 0, 1},
    {"setp.ne.s64 D, A, B", "pdd", 5, 6, 0, 0, 1},
    {"setp.eq.u16 D, A, B", "phh", 5, 6, 0, 0, 0},
    {"setp.lt.s32 D, A, B", "pww", 0xffffffff, 0, 0, 0, 1},
    {"setp.lt.u32 D, A, B", "pww", 0xffffffff, 0, 0, 0, 0},
    {"setp.lo.u32 D, A, B", "pww", 1, 2, 0, 0, 1},
    {"setp.ls.u32 D, A, B", "pww", 2, 2, 0, 0, 1},
    {"setp.hi.u32 D, A, B", "pww", 2, 2, 0, 0, 0},
    {"setp.hs.u64 D, A, B", "pdd", 2, 2, 0, 0, 1},
    {"setp.ge.s16 D, A, B", "phh", 0x8000, 0, 0, 0, 0},
    {"setp.gt.s64 D, A, B", "pdd", 0, INT64_MIN, 0, 0, 1},
    {"setp.le.s64 D, A, B", "pdd", 0, INT64_MIN, 0, 0, 0},
    {"setp.lt.f32 D, A, B", "pww", 0x7fc00000, 0x3f800000, 0, 0, 0},
    {"setp.ltu.f32 D, A, B", "pww", 0x7fc00000, 0x3f800000, 0, 0, 1},
    {"setp.eq.f32 D, A, B", "pww", 0, 0x80000000, 0, 0, 1},
    {"setp.ne.f32 D, A, B", "pww", 0x7fc00000, 0x3f800000, 0, 0, 0},
    {"setp.neu.f32 D, A, B", "pww", 0x7fc00000, 0x7fc00000, 0, 0, 1},
    {"setp.equ.f32 D, A, B", "pww", 0x3f800000, 0x40000000, 0, 0, 0},
    {"setp.geu.f64 D, A, B", "pdd", 0x3ff0000000000000, 0x4000000000000000, 0, 0, 0},
    {"setp.gt.f64 D, A, B", "pdd", 0x4000000000000000, 0x3ff0000000000000, 0, 0, 1},
    {"setp.num.f32 D, A, B", "pww", 0, 0x7fc00000, 0, 0, 0},
    {"setp.nan.f64 D, A, B", "pdd", 0x7ff8000000000000, 0, 0, 0, 1},
    {"setp.lt.and.s32 D, A, B, C", "pwwp", 1, 2, 0, 0, 0},
    {"setp.lt.or.s32 D, A, B, C", "pwwp", 2, 1, 1, 0, 1},
    {"setp.lt.xor.s32 D, A, B, C", "pwwp", 1, 2, 1, 0, 0},
    {"setp.lt.and.s32 D, A, B, !C", "pwwp", 1, 2, 0, 0, 1},
    /* conversions; the capital letters that cvt has for wider registers are tried in convert_test.c */
    {"cvt.u64.u32 D, A", "dw", 0xffffffff, 0, 0, 0, 0xffffffff},
    {"cvt.s64.s32 D, A", "dw", 0xffffffff, 0, 0, 0, UINT64_MAX},
    {"cvt.u32.u64 D, A", "wd", 0x1234567890abcdef, 0, 0, 0, 0x90abcdef},
    {"cvt.u16.u32 D, A", "hw", 0x12345678, 0, 0, 0, 0x5678},
    {"cvt.s32.s16 D, A", "wh", 0x8000, 0, 0, 0, 0xffff8000},
    {"cvt.u32.u16 D, A", "wh", 0x8000, 0, 0, 0, 0x8000},
    {"cvt.s32.s8 D, A", "ww", 0x1280, 0, 0, 0, 0xffffff80},
    {"cvt.u32.u8 D, A", "ww", 0x1280, 0, 0, 0, 0x80},
    {"cvt.s8.s32 D, A", "hw", 0x1280, 0, 0, 0, 0xff80},
    {"cvt.u8.u32 D, A", "hw", 0x1280, 0, 0, 0, 0x80},
    {"cvt.s64.s8 D, A", "dw", 0x80, 0, 0, 0, 0xffffffffffffff80},
    {"cvt.rn.f32.s32 D, A", "ww", 0xffffffff, 0, 0, 0, 0xbf800000},
    {"cvt.rn.f32.u32 D, A", "ww", 0xffffffff, 0, 0, 0, 0x4f800000},
    {"cvt.rn.f32.u64 D, A", "wd", 0x8000008000000001, 0, 0, 0, 0x5f000001},
    {"cvt.rn.f32.s64 D, A", "wd", UINT64_MAX, 0, 0, 0, 0xbf800000},
    {"cvt.rn.f64.u64 D, A", "dd", UINT64_MAX, 0, 0, 0, 0x43f0000000000000},
    {"cvt.rn.f64.s32 D, A", "dw", 0x80000000, 0, 0, 0, 0xc1e0000000000000},
    {"cvt.rn.f32.s8 D, A", "ww", 0xff, 0, 0, 0, 0xbf800000},
    {"cvt.rn.f32.u16 D, A", "wh", 0xffff, 0, 0, 0, 0x477fff00},
    {"cvt.rzi.s32.f32 D, A", "ww", 0xbfe00000, 0, 0, 0, 0xffffffff},
    {"cvt.rni.s32.f32 D, A", "ww", 0x40200000, 0, 0, 0, 2},
    {"cvt.rmi.s32.f32 D, A", "ww", 0xbfc00000, 0, 0, 0, 0xfffffffe},
    {"cvt.rpi.s32.f32 D, A", "ww", 0x3fa00000, 0, 0, 0, 2},
    {"cvt.rzi.s32.f32 D, A", "ww", 0x7f800000, 0, 0, 0, 0x7fffffff},
    {"cvt.rzi.s32.f32 D, A", "ww", 0xff800000, 0, 0, 0, 0x80000000},
    {"cvt.rzi.u32.f32 D, A", "ww", 0xbf800000, 0, 0, 0, 0},
    {"cvt.rzi.u32.f32 D, A", "ww", 0x4f800000, 0, 0, 0, 0xffffffff},
    {"cvt.rzi.s32.f32 D, A", "ww", 0x7fc00000, 0, 0, 0, 0},
    {"cvt.rzi.u64.f32 D, A", "dw", 0x7fc00000, 0, 0, 0, 0x8000000000000000},
    {"cvt.rzi.s32.f64 D, A", "wd", 0x7ff8000000000000, 0, 0, 0, 0x80000000},
    {"cvt.rzi.u32.f64 D, A", "wd", 0x41efffffffe00000, 0, 0, 0, 0xffffffff},
    {"cvt.rzi.s64.f64 D, A", "dd", 0xc3e0000000000000, 0, 0, 0, 0x8000000000000000},
    {"cvt.rzi.u64.f64 D, A", "dd", 0x43f0000000000000, 0, 0, 0, UINT64_MAX},
    {"cvt.rzi.s16.f32 D, A", "hw", 0x47800000, 0, 0, 0, 0x7fff},
    {"cvt.rzi.u8.f32 D, A", "hw", 0x43800000, 0, 0, 0, 0xff},
    {"cvt.f64.f32 D, A", "dw", 0x3fc00000, 0, 0, 0, 0x3ff8000000000000},
    {"cvt.rn.f32.f64 D, A", "wd", 0x3fd5555555555555, 0, 0, 0, 0x3eaaaaab},
    {"cvt.rni.f32.f32 D, A", "ww", 0x40200000, 0, 0, 0, 0x40000000},
    {"cvt.rmi.f32.f32 D, A", "ww", 0xbf000000, 0, 0, 0, 0xbf800000},
    {"cvt.rpi.f64.f64 D, A", "dd", 0xbfe0000000000000, 0, 0, 0, 0x8000000000000000},
    {"cvt.rzi.f32.f32 D, A", "ww", 0x40200000, 0, 0, 0, 0x40000000},
    {"mov.b32 D, A", "ww", 7, 0, 0, 0, 7},
    {"mov.pred D, A", "pp", 1, 0, 0, 0, 1},
    {"mov.b64 D, {A, B}", "dww", 7, 9, 0, 0, 0x900000007},
    {"mov.b32 D, {A, B}", "whh", 7, 9, 0, 0, 0x90007},
};

/* `%w1` for operand 1 of width w. The result is number 0. */
static size_t put_register(char *out, char letter, unsigned number)
{
	return (size_t)sprintf(out, "%%%c%u", letter, number);
}

/* The row's text with registers for D A B C E, when they stand alone; sources loaded from `in`, the result stored. */
static void write_body(const struct row *row, char *body)
{
	static const char names[] = "DABCE";
	char *at = body;
	const char *p = row->insn + strcspn(row->insn, " ");
	for (unsigned i = 1; row->operands[i]; i++) {
		char letter = row->operands[i];
		at += sprintf(at, "ld.global.b64 %%d1%u, [%%in+%u];\n", i, 8 * (i - 1));
		if (letter == 'p')
			at += sprintf(at, "setp.ne.u64 %%p%u, %%d1%u, 0;\n", i, i);
		else if (letter == 'd')
			at += sprintf(at, "mov.b64 %%d%u, %%d1%u;\n", i, i);
		else
			at += sprintf(at, "cvt.u%u.u64 %%%c%u, %%d1%u;\n", letter == 'h' ? 16 : 32, letter, i, i);
	}
	memcpy(at, row->insn, (size_t)(p - row->insn));
	for (at += p - row->insn; *p; p++) {
		const char *which = *p == 'x' || (p[1] != ',' && p[1] != 0 && p[1] != '}') ? NULL : strchr(names, *p);
		if (which)
			at += put_register(at, row->operands[which - names], (unsigned)(which - names));
		else
			*at++ = *p;
	}
	at += sprintf(at, ";\nmov.b64 %%d0, %s;\n", row->operands[0] == 'd' ? "%d0" : "0");
	if (row->operands[0] == 'p')
		at += sprintf(at, "selp.b64 %%d0, 1, 0, %%p0;\n");
	else if (row->operands[0] != 'd')
		at += sprintf(at, "cvt.u64.u%d %%d0, %%%c0;\n", row->operands[0] == 'h' ? 16 : 32, row->operands[0]);
	sprintf(at, "st.global.b64 [%%mine], %%d0;");
}

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		const uint64_t in[] = {row->a, row->b, row->c, row->e};
		char body[2048];
		struct rig rig;
		write_body(row, body);
		if (!rig_open(&rig, "", body))
			fail_msg("%s: %s", row->insn, rig.message);
		rig.params.in = in;
		if (!ptx_launch(&rig.launch, &rig.result))
			fail_msg("%s: %s", row->insn, rig.result.message);
		if (rig.out[0] != row->want)
			fail_msg("%s of %#llx %#llx %#llx: %#llx, expected %#llx", row->insn,
				 (unsigned long long)row->a, (unsigned long long)row->b, (unsigned long long)row->c,
				 (unsigned long long)rig.out[0], (unsigned long long)row->want);
		rig_close(&rig);
	}
}

static void immediates(void **state)
{
	struct rig rig;
	(void)state;
	rig_run(&rig, "",
		"add.s32 %w1, 017, -1; add.u32 %w1, %w1, 0x10U; add.u32 %w1, %w1, 0b11; add.f32 %w2, 0f3F800000, "
		"0fbf000000;\n"
		"mov.b64 %d1, {%w1, %w2}; st.global.b64 [%mine], %d1;",
		1);
	assert_int_equal(rig.out[0], 0x3f00000000000000 | (15 - 1 + 16 + 3));
	rig_close(&rig);
}

static void carries(void **state)
{
	struct rig rig;
	(void)state;
	rig_run(&rig, "",
		"mov.b64 %d1, -1; add.cc.s64 %d2, %d1, 1; addc.cc.s64 %d3, %d1, 0; addc.s64 %d4, 5, 6;\n"
		"sub.cc.s32 %w1, 0, 1; subc.s32 %w2, 5, 2; cvt.u64.u32 %d5, %w2;\n"
		"mad.lo.cc.u64 %d6, %d1, %d1, %d1; madc.hi.u64 %d7, %d1, %d1, 0;\n"
		"st.global.v2.b64 [%out], {%d2, %d3}; st.global.v2.b64 [%out+16], {%d4, %d5}; st.global.v2.b64 "
		"[%out+32], {%d6, %d7};",
		1);
	assert_int_equal(rig.out[0], 0);
	assert_int_equal(rig.out[1], 0);
	assert_int_equal(rig.out[2], 12);
	assert_int_equal(rig.out[3], 2);
	/* max * max + max = (2^64 - 1) * 2^64 */
	assert_int_equal(rig.out[4], 0);
	assert_true(rig.out[5] == UINT64_MAX);
	rig_close(&rig);
}

/* A register wider than the type: zeros or the sign above it, as the target type says. */
static void wider_registers(void **state)
{
	struct rig rig;
	(void)state;
	rig_run(&rig, "",
		"mov.b64 %d1, 0x1234567890abcd80; cvt.s64.s8 %d2, %d1; cvt.s16.s64 %w1, %d1; cvt.u16.u64 %w2, %d1;\n"
		"mov.b64 %d3, {%w1, %w2}; st.global.v2.b64 [%out], {%d2, %d3}; mov.b64 {%w3, %w4}, %d1;\n"
		"mov.b32 {%h1, %h2}, %w3; cvt.u64.u16 %d4, %h2; cvt.u64.u32 %d5, %w4; st.global.v2.b64 [%out+16], "
		"{%d4, %d5};",
		1);
	assert_true(rig.out[0] == 0xffffffffffffff80);
	assert_true(rig.out[1] == 0x0000cd80ffffcd80);
	assert_true(rig.out[2] == 0x90ab);
	assert_true(rig.out[3] == 0x12345678);
	rig_close(&rig);
}

static void wrong_programs(void **state)
{
	(void)state;
	rig_refused("", "frobnicate.u32 %w1, %w2;", 1, "'frobnicate.u32' is unknown");
	rig_refused("", "add.ftz.f32 %w1, 0f3F800000, 0f3F800000;", 1, "'add.ftz.f32' is unknown");
	rig_refused("", "div.approx.f32 %w1, 0f3F800000, 0f3F800000;", 1, "unknown");
	rig_refused("", "ld.global.L1::no_allocate.u32 %w1, [%out];", 1, "line");
	rig_refused("", "add.s32 %w1, %d1, 5;", 1, "%d1 has 64 bits where 32 belong");
	rig_refused("", "add.s32 %w1, 5;", 1, "','");
	rig_refused("", "add.s32 %w1, 5, 6, 7;", 1, "';'");
	rig_refused("", "add.s32 %w1, %w99, 7;", 1, "'%w99' is declared nowhere");
	rig_refused("", "bra $nowhere;", 1, "no label $nowhere");
	rig_refused("", "add.f32 %w1, 0d3FF0000000000000, 0f3F800000;", 1, "a float of 64 bits where 32 belong");
	rig_refused("", "mov.u32 %w1, %clock64;", 1, "32 bits");
	rig_refused("", "add.s32 %w1, %w2, 1; st.global.b32 [%out], %w1;", 1, "nobody has written");
	rig_refused("", "trap;", 1, "trap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_row),	       cmocka_unit_test(immediates),	 cmocka_unit_test(carries),
	    cmocka_unit_test(wider_registers), cmocka_unit_test(wrong_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
