/* fma_test.c - fma on x86-64-v2, which has no such instruction, where rounding is hardest: c that cancels the product or
 * nearly, results at the border of the subnormals and of infinity, halves, any bits at all. Against vyrec_eval. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "image.h"

enum { COUNT = 4096, ROUNDS = 40 };

static const char text[] =
    "program wide workgroup(1) {\n"
    "  buffer a: const f64[]\n  buffer b: const f64[]\n  buffer c: const f64[]\n  buffer out: f64[]\n"
    "  body { for i in 0 .. length(out) { out[i] = fma(a[i], b[i], c[i]) } }\n"
    "}\n"
    "program narrow workgroup(1) {\n"
    "  buffer a: const f32[]\n  buffer b: const f32[]\n  buffer c: const f32[]\n  buffer out: f32[]\n"
    "  body { for i in 0 .. length(out) { out[i] = fma(a[i], b[i], c[i]) } }\n"
    "}\n";

static struct vyrec_slice slice;
static struct mapped image;
static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static int compile(void **state)
{
	struct vyrec_pass_options passes = {.bounds = VYREC_POLICY_CHECKED, .level = 2, .one_lane = true};
	struct vyrec_codegen_options options = {.level = 2};
	struct vyrec_diags diags = {0};
	struct vyrec_pass_times times;
	struct vyrec_module *m = vyrec_parse("fma", text, sizeof text - 1, &diags);
	(void)state;
	if (!m || !vyrec_verify(m, &diags) || !vyrec_run_pipeline(m, &passes, &diags, &times) ||
	    !vyrec_codegen(m, vyrec_target_find("x86-64-v2"), &options, &slice, &diags))
		return -1;
	vyrec_module_destroy(m);
	return image_map(&slice, &image) ? 0 : -1;
}

static int drop(void **state)
{
	(void)state;
	image_unmap(&image);
	vyrec_slice_finish(&slice);
	return 0;
}

/* Bits of a float with `fraction` bits of fraction and `width` bits in all, of one of several families. */
static uint64_t pick(unsigned fraction, unsigned width)
{
	uint64_t bits = next_random() & (width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1);
	uint64_t field = ((UINT64_C(1) << (width - 1 - fraction)) - 1) << fraction, bias = field >> (fraction + 1);
	switch (next_random() % 6) {
	case 0: /* near 1 */
		return (bits & ~field) | (bias - 30 + next_random() % 60) << fraction;
	case 1: /* few bits */
		return bits & ~((UINT64_C(1) << next_random() % fraction) - 1);
	case 2: /* subnormal, or nearly */
		return (bits & ~field) | (next_random() % 3) << fraction;
	case 3: /* products about the smallest normal */
		return (bits & ~field) | (bias / 2 + next_random() % 60) << fraction;
	default:
		return bits;
	}
}

static void check(vyrec_type type, uint32_t unit, unsigned fraction, unsigned width)
{
	unsigned bytes = width / 8;
	struct vyre_cpu_buffer buffers[4];
	static uint64_t in[3][COUNT];
	for (unsigned k = 0; k < 4; k++)
		buffers[k] = (struct vyre_cpu_buffer){aligned_alloc(64, COUNT * sizeof(uint64_t)), COUNT};
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			for (unsigned k = 0; k < 3; k++)
				in[k][i] = pick(fraction, width);
			if (next_random() % 3 == 0) /* c = -(a * b), give or take */
				in[2][i] = vyrec_eval(VYREC_OP_mul_f, type, in[0][i], in[1][i], 0) ^
					   UINT64_C(1) << (width - 1) ^ (next_random() & 7);
			for (unsigned k = 0; k < 3; k++)
				vyrec_eval_store(type, (char *)buffers[k].data + i * bytes, in[k][i]);
		}
		image_run(&image, &slice, unit, buffers, 4);
		for (unsigned i = 0; i < COUNT; i++) {
			uint64_t want = vyrec_eval(VYREC_OP_fma, type, in[0][i], in[1][i], in[2][i]);
			uint64_t got = vyrec_eval_load(type, (char *)buffers[3].data + i * bytes);
			if (got != want && !(vyrec_eval(VYREC_OP_is_nan, type, got, 0, 0) &&
					     vyrec_eval(VYREC_OP_is_nan, type, want, 0, 0)))
				fail_msg("fma(%llx, %llx, %llx) = %llx, expected %llx", (unsigned long long)in[0][i],
					 (unsigned long long)in[1][i], (unsigned long long)in[2][i],
					 (unsigned long long)got, (unsigned long long)want);
		}
	}
	for (unsigned k = 0; k < 4; k++)
		free(buffers[k].data);
}

static void of_f64(void **state)
{
	(void)state;
	check(VYREC_F64, 0, 52, 64);
}

static void of_f32(void **state)
{
	(void)state;
	check(VYREC_F32, 1, 23, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_f64), cmocka_unit_test(of_f32)};
	return cmocka_run_group_tests(tests, compile, drop);
}
