/* math_test.c - the prelude (ir/math.vyre) against long double: the largest error of each fn over a dense sample, in units
 * of the last place of the correctly rounded result, stays within the bound that ir/README.md states; and the values at
 * 0, -0, inf, NaN, huge and subnormal arguments are right.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

enum { MAX_POINTS = 4096 };

/* ---- running a fn on many arguments ------------------------------------------------------------------------------ */

static struct vyrec_module *make_program(const char *name, unsigned args)
{
	char text[512];
	struct vyrec_diags diags = {0};
	snprintf(text, sizeof text,
		 "program math workgroup(1) {\n  buffer x: f32[]\n  buffer y: f32[]\n  buffer out: f32[]\n  body {\n"
		 "    for i in 0 .. length(out) { out[i] = %s(x[i]%s) }\n  }\n}\n",
		 name, args == 2 ? ", y[i]" : "");
	struct vyrec_module *module = vyrec_parse("math_test", text, strlen(text), &diags);
	bool good = module && vyrec_verify(module, &diags);
	vyrec_diags_print(&diags, "math_test", text, strlen(text), stderr);
	vyrec_diags_finish(&diags);
	assert_true(good);
	return module;
}

static void run(struct vyrec_module *module, const float *x, const float *y, float *out, uint32_t count)
{
	struct vyrec_interp_buffer buffers[] = {
	    {"x", (void *)(uintptr_t)x, count}, {"y", (void *)(uintptr_t)y, count}, {"out", out, count}};
	struct vyrec_interp_options options = {.step_limit = UINT64_C(1) << 40};
	static struct vyrec_interp_result result;
	const uint32_t one[3] = {1, 1, 1};
	memset(out, 0, count * sizeof *out);
	vyrec_interp_program(module, 1, one, buffers, 3, &options, &result);
	if (result.status != VYRE_OK)
		fprintf(stderr, "interpreter: %s\n", result.message);
	assert_int_equal(result.status, VYRE_OK);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Distance of `got` from the exact value, in units of the last place of a float of that size. */
static double error_of(float got, long double exact)
{
	float rounded = (float)exact;
	if (isnan(exact))
		return isnan(got) ? 0 : INFINITY;
	if (isinf(rounded) || isinf(got)) /* the step from the greatest float to inf is one place */
		return rounded == got ? 0 : isinf(rounded) && got == copysignf(3.40282347e38f, rounded) ? 1 : INFINITY;
	int exponent;
	frexpf(rounded == 0 ? 1e-45f : rounded, &exponent);
	long double place = ldexpl(1, exponent - 24 < -149 ? -149 : exponent - 24);
	return (double)(fabsl((long double)got - exact) / place);
}

static long double exact_reciprocal(long double x)
{
	return 1 / x;
}
static long double exact_inverse_sqrt(long double x)
{
	return 1 / sqrtl(x);
}

struct row {
	const char *name;
	long double (*one)(long double);
	long double (*two)(long double, long double);
	double low, high; /* of arguments; those of two: x in [low, high], y in [low2, high2] */
	bool logarithmic; /* spread over magnitudes, of both signs if low < 0 */
	double bound;
	double low2, high2;
};
static const struct row rows[] = {
    {"reciprocal", exact_reciprocal, NULL, -1e38, 1e38, true, 0.5001, 0, 0},
    {"inverse_sqrt", exact_inverse_sqrt, NULL, 1e-38, 3e38, true, 2, 0, 0},
    {"exp", expl, NULL, -104, 89, false, 2, 0, 0},
    {"exp", expl, NULL, -1, 1, true, 2, 0, 0},
    {"exp2", exp2l, NULL, -150, 128, false, 2, 0, 0},
    {"log", logl, NULL, 1e-45, 3e38, true, 2, 0, 0},
    {"log", logl, NULL, 0.5, 2, false, 2, 0, 0},
    {"log2", log2l, NULL, 1e-45, 3e38, true, 2, 0, 0},
    {"log2", log2l, NULL, 0.5, 2, false, 2, 0, 0},
    {"log10", log10l, NULL, 1e-45, 3e38, true, 2, 0, 0},
    {"log10", log10l, NULL, 0.5, 2, false, 2, 0, 0},
    {"sin", sinl, NULL, -10, 10, false, 3, 0, 0},
    {"sin", sinl, NULL, -1048576, 1048576, false, 3, 0, 0},
    {"sin", sinl, NULL, -3e38, 3e38, true, 3, 0, 0},
    {"cos", cosl, NULL, -10, 10, false, 3, 0, 0},
    {"cos", cosl, NULL, -1048576, 1048576, false, 3, 0, 0},
    {"cos", cosl, NULL, -3e38, 3e38, true, 3, 0, 0},
    {"tan", tanl, NULL, -10, 10, false, 5, 0, 0},
    {"tan", tanl, NULL, -3e38, 3e38, true, 5, 0, 0},
    {"asin", asinl, NULL, -1, 1, false, 4, 0, 0},
    {"asin", asinl, NULL, -1, 1, true, 4, 0, 0},
    {"acos", acosl, NULL, -1, 1, false, 4, 0, 0},
    {"atan", atanl, NULL, -10, 10, false, 4, 0, 0},
    {"atan", atanl, NULL, -3e38, 3e38, true, 4, 0, 0},
    {"sinh", sinhl, NULL, -90, 90, false, 4, 0, 0},
    {"sinh", sinhl, NULL, -90, 90, true, 4, 0, 0},
    {"cosh", coshl, NULL, -90, 90, false, 4, 0, 0},
    {"tanh", tanhl, NULL, -10, 10, false, 4, 0, 0},
    {"tanh", tanhl, NULL, -10, 10, true, 4, 0, 0},
    {"atan2", NULL, atan2l, -3e38, 3e38, true, 4, -3e38, 3e38},
    {"atan2", NULL, atan2l, -2, 2, false, 4, -2, 2},
    {"pow", NULL, powl, 1e-45, 3e38, true, 5, -10, 10},
    {"pow", NULL, powl, 0.5, 2, false, 5, -150, 150},
    {"pow", NULL, powl, 0.99, 1.01, false, 5, -8000, 8000},
};

static uint64_t random_state = UINT64_C(88172645463325252);

static double random_unit(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / 9007199254740992.0;
}

static float sample(double low, double high, bool logarithmic)
{
	if (!logarithmic)
		return (float)(low + (high - low) * random_unit());
	double least = low > 0 ? log2(low) : -140, sign = low < 0 && random_unit() < 0.5 ? -1 : 1;
	return (float)(sign * exp2(least + (log2(high) - least) * random_unit()));
}

static void errors_within_bounds(void **state)
{
	(void)state;
	static float x[MAX_POINTS], y[MAX_POINTS], out[MAX_POINTS];
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		const struct row *row = &rows[r];
		struct vyrec_module *module = make_program(row->name, row->two ? 2 : 1);
		double worst = 0;
		uint32_t at = 0;
		const char *more = getenv("VYRE_MATH_ROUNDS"); /* a longer search, by hand */
		for (int round = more ? atoi(more) : 1; round > 0; round--) {
			for (uint32_t i = 0; i < MAX_POINTS; i++) {
				x[i] = sample(row->low, row->high, row->logarithmic);
				y[i] = sample(row->low2, row->high2, row->logarithmic && row->low2 < -100);
			}
			run(module, x, y, out, MAX_POINTS);
			for (uint32_t i = 0; i < MAX_POINTS; i++) {
				double error = error_of(out[i], row->one ? row->one(x[i]) : row->two(x[i], y[i]));
				if (error > worst) {
					worst = error;
					at = i;
				}
			}
			if (worst > row->bound)
				break;
		}
		vyrec_module_destroy(module);
		printf("%-12s [%g, %g] %.3f ulp\n", row->name, row->low, row->high, worst);
		if (worst > row->bound)
			fail_msg("%s(%.9g, %.9g) = %.9g is off by %.3f ulp; the bound is %.3f", row->name,
				 (double)x[at], (double)y[at], (double)out[at], worst, row->bound);
	}
}

/* ---- corners ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	float x, y, want;
} corners[] = {
    {"exp", 0, 0, 1},
    {"exp", -INFINITY, 0, 0},
    {"exp", INFINITY, 0, INFINITY},
    {"exp", NAN, 0, NAN},
    {"exp", 1e30f, 0, INFINITY},
    {"exp", -1e30f, 0, 0},
    {"exp", 1e-40f, 0, 1},
    {"exp2", 10, 0, 1024},
    {"exp2", -149, 0, 1.4e-45f},
    {"exp2", 128, 0, INFINITY},
    {"exp2", NAN, 0, NAN},
    {"exp2", -INFINITY, 0, 0},
    {"log", 1, 0, 0},
    {"log", 0, 0, -INFINITY},
    {"log", -0.0f, 0, -INFINITY},
    {"log", -1, 0, NAN},
    {"log", INFINITY, 0, INFINITY},
    {"log", NAN, 0, NAN},
    {"log2", 8, 0, 3},
    {"log2", 1.4e-45f, 0, -149},
    {"log2", 0, 0, -INFINITY},
    {"log10", 1000, 0, 3},
    {"log10", -INFINITY, 0, NAN},
    {"sin", 0, 0, 0},
    {"sin", -0.0f, 0, -0.0f},
    {"sin", INFINITY, 0, NAN},
    {"sin", NAN, 0, NAN},
    {"sin", 1e-45f, 0, 1e-45f},
    {"cos", 0, 0, 1},
    {"cos", -INFINITY, 0, NAN},
    {"cos", 1e-45f, 0, 1},
    {"tan", -0.0f, 0, -0.0f},
    {"tan", INFINITY, 0, NAN},
    {"tan", -1e-45f, 0, -1e-45f},
    {"asin", -0.0f, 0, -0.0f},
    {"asin", 2, 0, NAN},
    {"asin", -1, 0, -1.57079637f},
    {"asin", 1e-45f, 0, 1e-45f},
    {"acos", 1, 0, 0},
    {"acos", -1, 0, 3.14159274f},
    {"acos", -1.5f, 0, NAN},
    {"acos", NAN, 0, NAN},
    {"atan", -0.0f, 0, -0.0f},
    {"atan", INFINITY, 0, 1.57079637f},
    {"atan", -INFINITY, 0, -1.57079637f},
    {"atan", NAN, 0, NAN},
    {"atan2", 0, 0, 0},
    {"atan2", -0.0f, 0, -0.0f},
    {"atan2", 0, -0.0f, 3.14159274f},
    {"atan2", -0.0f, -1, -3.14159274f},
    {"atan2", 1, 0, 1.57079637f},
    {"atan2", INFINITY, INFINITY, 0.785398185f},
    {"atan2", INFINITY, -INFINITY, 2.3561945f},
    {"atan2", -1, INFINITY, -0.0f},
    {"atan2", NAN, 1, NAN},
    {"atan2", 1, NAN, NAN},
    {"sinh", -0.0f, 0, -0.0f},
    {"sinh", -INFINITY, 0, -INFINITY},
    {"sinh", NAN, 0, NAN},
    {"cosh", 0, 0, 1},
    {"cosh", -INFINITY, 0, INFINITY},
    {"cosh", NAN, 0, NAN},
    {"tanh", -0.0f, 0, -0.0f},
    {"tanh", INFINITY, 0, 1},
    {"tanh", -INFINITY, 0, -1},
    {"tanh", NAN, 0, NAN},
    {"tanh", 1e-45f, 0, 1e-45f},
    {"inverse_sqrt", 0, 0, INFINITY},
    {"inverse_sqrt", INFINITY, 0, 0},
    {"inverse_sqrt", -1, 0, NAN},
    {"reciprocal", -0.0f, 0, -INFINITY},
    {"reciprocal", -INFINITY, 0, -0.0f},
    {"pow", NAN, 0, 1},
    {"pow", 1, NAN, 1},
    {"pow", 2, NAN, NAN},
    {"pow", NAN, 2, NAN},
    {"pow", -1, INFINITY, 1},
    {"pow", -1, -INFINITY, 1},
    {"pow", 0, 3, 0},
    {"pow", -0.0f, 3, -0.0f},
    {"pow", -0.0f, 2, 0},
    {"pow", -0.0f, -3, -INFINITY},
    {"pow", 0, -2, INFINITY},
    {"pow", 0.5f, INFINITY, 0},
    {"pow", 0.5f, -INFINITY, INFINITY},
    {"pow", 2, INFINITY, INFINITY},
    {"pow", 2, -INFINITY, 0},
    {"pow", INFINITY, -1, 0},
    {"pow", INFINITY, 0.5f, INFINITY},
    {"pow", -INFINITY, 3, -INFINITY},
    {"pow", -INFINITY, 2, INFINITY},
    {"pow", -INFINITY, -3, -0.0f},
    {"pow", -INFINITY, 0.5f, INFINITY},
    {"pow", -2, 3, -8},
    {"pow", -2, 2, 4},
    {"pow", -2, 0.5f, NAN},
    {"pow", 2, 10, 1024},
    {"pow", 2, -149, 1.4e-45f},
    {"pow", 1e-45f, 1, 1e-45f},
    {"pow", 3.4e38f, 2, INFINITY},
    {"pow", -3, 16777217, -INFINITY * -1},
    {"pow", 0, -INFINITY, INFINITY},
    {"pow", 0, INFINITY, 0},
};

static void corners_are_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof corners / sizeof *corners; i++) {
		bool two = !strcmp(corners[i].name, "pow") || !strcmp(corners[i].name, "atan2");
		struct vyrec_module *module = make_program(corners[i].name, two ? 2 : 1);
		float out = 0, want = corners[i].want;
		run(module, &corners[i].x, &corners[i].y, &out, 1);
		vyrec_module_destroy(module);
		bool same = isnan(want) ? isnan(out) : out == want && !signbit(out) == !signbit(want);
		if (!same)
			fail_msg("%s(%g, %g) = %.9g, not %.9g", corners[i].name, (double)corners[i].x,
				 (double)corners[i].y, (double)out, (double)want);
	}
}

/* A module that calls one fn gets that fn and what it needs, not the whole file. */
static void only_what_is_called(void **state)
{
	(void)state;
	struct vyrec_module *module = make_program("exp", 1);
	assert_int_equal(module->fn_count - 1, 4); /* exp exp_scaled exp_series scale_by_power */
	for (vyrec_fn fn = 1; fn < module->fn_count; fn++) {
		assert_int_equal(module->fns[fn].unit, 0);
		assert_int_equal(module->fns[fn].loc, 0);
		assert_true(module->fns[fn].body != 0);
	}
	vyrec_module_destroy(module);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_within_bounds),
	    cmocka_unit_test(corners_are_right),
	    cmocka_unit_test(only_what_is_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
