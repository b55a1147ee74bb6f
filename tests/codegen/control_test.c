/* control_test.c - statements, memory and atomics: compiled code against the interpreter, byte for byte.
 *
 * Each case is a program of one lane in the language itself. Its buffers get declared or 64 elements of a fixed pattern;
 * it runs once in the interpreter and, for every target of this machine at -O0 and -O2, as linked code; all buffers and
 * the trap must be the same. Bounds policies are run over all cases, whether they name them or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "image.h"
#include "runtime/abi/ring.h"

enum { ELEMENTS = 64, BUFFERS = 8, WORKGROUPS = 3 };

#define PROGRAM(body) \
	"program p workgroup(1) {\n  buffer out: u32[64]\n  buffer in: const u32[64]\n  body {\n" body "  }\n}\n"

static const struct {
	const char *name, *text;
} cases[] = {
    {"loops at the ends of u32",
     PROGRAM("var n: u32 = 0\n"
	     "for i in 0xfffffff0 .. 0xffffffff step 7 { n = n + (i & 0xff); out[n & 63] = i }\n"
	     "for i in 0xfffffffe .. 0xffffffff step 0xffffffff { n = n + 1; out[1] = i }\n"
	     "for i in 5 .. 5 { n = n + 100 }\n"
	     "for i in 7 .. 3 { n = n + 1000 }\n"
	     "out[0] = n\n")},
    {"loops at the ends of i32",
     PROGRAM("var n: u32 = 0\n"
	     "for i in i32(-2147483648) .. i32(2147483647) step 1000000000 { n = n + 1; out[n] = u32(i) }\n"
	     "for i in i32(-3) .. i32(3) { out[20 + u32(i + 3)] = u32(i) }\n"
	     "for i in i32(3) .. i32(-3) { n = n + 1000 }\n"
	     "out[0] = n\n")},
    {"loops over 64 bits",
     PROGRAM(
	 "var n: u32 = 0\n"
	 "for i in u64(0xfffffffffffffff0) .. u64(0xffffffffffffffff) step 4 { n = n + 1; out[n] = u32(i) }\n"
	 "for i in i64(-5) .. i64(9223372036854775807) step 4611686018427387904 { n = n + 1; out[n] = u32(i >> 32) }\n"
	 "out[0] = n\n")},
    {"steps known at run time", PROGRAM("for k in 1 .. 5 {\n"
					"  var n: u32 = 0\n"
					"  for i in in[k] & 7 .. 40 step workgroups(0) * 2 { n = n + i }\n"
					"  out[k] = n\n"
					"}\n")},
    {"bounds are read once", PROGRAM("var to: u32 = 10\n"
				     "var n: u32 = 0\n"
				     "for i in 0 .. to { to = 3; n = n + 1 }\n"
				     "out[0] = n\n")},
    {"break and continue", PROGRAM("var n: u32 = 0\n"
				   "for i in 0 .. 50 {\n"
				   "  if in[i] % 3 == 0 { continue }\n"
				   "  if i == 40 { break }\n"
				   "  loop { n = n + i; if (n & 1) == 0 || n > 500 { break }; n = n + 1 }\n"
				   "  out[i] = n\n"
				   "}\n"
				   "out[63] = n\n")},
    {"labelled blocks",
     PROGRAM("for i in 0 .. 20 {\n"
	     "  block outer {\n"
	     "    block inner { if i % 2 == 0 { break inner }; if i % 3 == 0 { break outer }; out[i] = 1 }\n"
	     "    out[i] = out[i] + 10\n"
	     "    for k in 0 .. 5 { if k == i { break outer } }\n"
	     "    out[i] = out[i] + 100\n"
	     "  }\n"
	     "}\n")},
    {"switch", PROGRAM("for i in 0 .. 64 {\n"
		       "  switch in[i] % 11 {\n"
		       "    case 0 { out[i] = 1 }\n"
		       "    case 1, 2, 3 { out[i] = 2; if i > 30 { continue } }\n"
		       "    case 9 { if i == 50 { break } }\n"
		       "    default { out[i] = in[i] }\n"
		       "  }\n"
		       "  out[i] = out[i] + 5\n"
		       "}\n")},
    {"short circuits", PROGRAM("for i in 0 .. 64 {\n"
			       "  var n: u32 = 0\n"
			       "  if i > 3 && atomic_add(out[60], 1) < 20 { n = n + 1 }\n"
			       "  if i < 50 || atomic_add(out[61], 1) < 5 { n = n + 2 }\n"
			       "  if i > 10 && i < 30 && (in[i] & 1) == 1 { n = n + 4 }\n"
			       "  if i < 50 { out[i] = n }\n"
			       "}\n")},
    {"return in the middle", PROGRAM("for i in 0 .. 64 { out[i] = i; if i == 17 { return } }\nout[0] = 99\n")},
    {"local arrays start at zero, each time", PROGRAM("for i in 0 .. 5 {\n"
						      "  var a: u32[100]\n"
						      "  var b: u8[7]\n"
						      "  out[i] = a[i] + a[99] + b[i]\n"
						      "  for k in 0 .. 100 { a[k] = k * i }\n"
						      "  for k in 0 .. 9 { b[k] = k + 250 }\n"
						      "  out[10 + i] = a[in[i] % 100] + b[3] + b[6]\n"
						      "}\n")},
    {"indices out of range", PROGRAM("var a: u32[5]\n"
				     "for i in 0 .. 9 { a[i] = i + 1 }\n"
				     "for i in 0 .. 9 { out[i] = a[i] }\n"
				     "out[in[1]] = 7\n"
				     "out[64] = 8\n"
				     "out[0xffffffff] = 9\n"
				     "out[20] = out[64] + in[70] + in[0xffffffff] + 1\n"
				     "out[21] = atomic_add(out[64], 3) + 1\n"
				     "out[22] = atomic_load(out[1000])\n"
				     "atomic_store(out[65], 4)\n"
				     "out[23] = atomic_compare_exchange(out[64], 0, 1) + 2\n")},
    {"named policies", PROGRAM("out[clamp 100] = 5\n"
			       "out[1] = in[clamp 0xffffffff]\n"
			       "out[checked 64] = 6\n"
			       "out[2] = in[checked 64] + 3\n"
			       "out[3] = in[unchecked 7]\n"
			       "catch (code, detail) { out[4] = in[trap 12]; out[5] = in[trap 77]; out[6] = 1 }\n"
			       "out[7] = code\n"
			       "out[8] = detail\n")},
    {"traps and catches", PROGRAM("for i in 0 .. 6 {\n"
				  "  catch (code, detail) {\n"
				  "    if i == 2 { trap(77) }\n"
				  "    if i == 3 { out[trap 100 + i] = 1 }\n"
				  "    catch (code2, detail2) { if i == 4 { trap(88) }; out[40 + i] = 1 }\n"
				  "    out[50 + i] = code2 + detail2\n"
				  "    if code2 != 0 { trap(detail2 + 1) }\n"
				  "    if i == 5 { break }\n"
				  "  }\n"
				  "  out[2 * i] = code\n"
				  "  out[2 * i + 1] = detail\n"
				  "}\n"
				  "out[63] = 1\n")},
    {"a trap outside of a catch", PROGRAM("out[0] = 1\nif in[0] != 12345 { trap(4711) }\nout[0] = 2\n")},
    {"an index that traps", PROGRAM("out[0] = 1\nout[1] = in[trap 64 + (in[3] & 7)]\nout[0] = 2\n")},
    {"atomics",
     "program p workgroup(1) {\n  buffer a: u32[64]\n  buffer b: i32[64]\n  buffer c: u64[64]\n  buffer d: f32[64]\n"
     "  buffer out: u64[64]\n  buffer e: live i64[4]\n  body {\n"
     "    for i in 0 .. 7 {\n"
     "      out[i] = u64(atomic_add(a[0], i)) + u64(atomic_sub(a[1], i, acqrel)) + u64(atomic_xor(a[2], i * 77, "
     "seqcst))\n"
     "      out[10 + i] = u64(atomic_min(a[3], i * 1000, release)) + u64(atomic_max(a[4], 0xfffffff0 + i))\n"
     "      out[20 + i] = u64(atomic_min(b[3], i32(2) - i32(i))) + u64(atomic_max(b[4], i32(i) - i32(3)))\n"
     "      out[30 + i] = atomic_and(c[i], 0xffff0000ffff) + atomic_or(c[i + 1], u64(i)) + atomic_exchange(c[9], "
     "u64(i))\n"
     "      atomic_store(d[i], f32(i) + 0.5, release)\n"
     "      out[40 + i] = u64(bitcast_u32(atomic_exchange(d[i + 1], 2.0))) + u64(bitcast_u32(atomic_load(d[i], "
     "acquire)))\n"
     "      out[50 + i] = u64(atomic_compare_exchange(a[20], i, i + 1)) + u64(atomic_add(e[1], 3) + atomic_min(e[2], "
     "i64(-4)))\n"
     "    }\n"
     "    fence(seqcst)\n    fence(acquire, workgroup)\n    relax\n  }\n}\n"},
    {"narrow elements",
     "program p workgroup(1) {\n  buffer a: u8[64]\n  buffer b: i8[64]\n  buffer c: u16[64]\n  buffer d: i16[64]\n"
     "  buffer e: bool[64]\n  buffer out: u32[64]\n  buffer f: f64[64]\n  body {\n"
     "    for i in 0 .. 64 {\n"
     "      out[i] = a[i] + u32(b[i]) + c[i] + u32(d[i]) + select(e[i], 1, 2)\n"
     "      a[i] = out[i]\n      b[i] = i32(out[i] >> 3)\n      c[i] = out[i] * 7\n      d[i] = i32(out[i]) - i32(5)\n"
     "      e[i] = (out[i] & 4) != 0\n      f[i] = f64(out[i]) / f64(3.0)\n"
     "    }\n  }\n}\n"},
    {"copies", PROGRAM("var a: u32[10]\n"
		       "async_load(a[2], in[5], 7, 1)\n"
		       "async_wait(1)\n"
		       "async_store(out[3], a[0], 10, 2)\n"
		       "async_wait(2)\n"
		       "async_load(a[8], in[60], 9, 3)\n"
		       "async_wait(3)\n"
		       "async_store(out[30], a[0], 10, 4)\n"
		       "async_wait(4)\n")},
    {"workgroups and lengths", PROGRAM("let g = workgroup_id(0)\n"
				       "out[g * 4] = g + 1\n"
				       "out[g * 4 + 1] = workgroups(0) * 100 + workgroups(1) * 10 + workgroups(2)\n"
				       "out[g * 4 + 2] = length(out) + length(in)\n"
				       "out[g * 4 + 3] = lane + lanes * 7 + global_id(0) * 100 + local_id(0)\n")},
    {"shared arrays start at zero",
     "program p workgroup(1) {\n  buffer out: u32[64]\n  shared s: u32[32]\n  body {\n"
     "    let g = workgroup_id(0)\n    var n: u32 = 0\n    for i in 0 .. 32 { n = n + s[i] }\n"
     "    for i in 0 .. 32 { s[i] = i * g + 1 }\n    barrier\n"
     "    for i in 0 .. 32 { n = n + s[i] }\n    out[g] = n + atomic_add(s[3], 5) + s[3]\n  }\n}\n"},
    {"the debug log", "program p workgroup(1) {\n  buffer out: u32[64]\n  buffer debug_log: live u32[257]\n  body {\n"
		      "    for i in 0 .. 30 { log(7, \"%u %u\", i, i * i) }\n    log(8, out[0], out[1])\n  }\n}\n"},
};

/* ---- running --------------------------------------------------------------------------------------------------------- */

struct memory {
	struct vyrec_interp_buffer rows[BUFFERS];
	size_t bytes[BUFFERS];
	uint32_t count;
};

static void make_memory(const struct vyrec_module *m, struct memory *memory)
{
	const struct vyrec_unit_node *unit = &m->units[1];
	memory->count = 0;
	for (uint32_t i = 0; i < unit->item_count; i++) {
		const struct vyrec_array_node *array = &m->arrays[m->refs[unit->items + 2 * i + 1]];
		if (m->refs[unit->items + 2 * i] != VYREC_ITEM_BUFFER)
			continue;
		uint32_t k = memory->count++, count = array->count ? array->count : ELEMENTS;
		bool is_log = !strcmp(vyrec_name_text(m, array->name), "debug_log");
		memory->rows[k].name = vyrec_name_text(m, array->name);
		memory->rows[k].count = count;
		memory->bytes[k] = count * vyrec_type_bytes(array->element);
		memory->rows[k].data = aligned_alloc(64, (memory->bytes[k] + 63) / 64 * 64);
		for (size_t at = 0; at < memory->bytes[k];
		     at++) /* small even words, so that floats are ordinary numbers */
			((uint8_t *)memory->rows[k].data)[at] =
			    is_log || at % 4 == 3 ? 0 : (uint8_t)(at * 37 + k * 11 + at / 5);
	}
}

static void free_memory(struct memory *memory)
{
	for (uint32_t i = 0; i < memory->count; i++)
		free(memory->rows[i].data);
}

static struct vyrec_module *parse(const char *name, const char *text)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = vyrec_parse(name, text, strlen(text), &diags);
	if (m)
		vyrec_verify(m, &diags);
	vyrec_diags_print(&diags, name, text, strlen(text), stderr);
	assert_int_equal(diags.errors, 0);
	vyrec_diags_finish(&diags);
	return m;
}

/* The workgroups one after the other, as the loader may run them; a trap ends the run. */
static struct vyre_cpu_launch run_compiled(const struct vyrec_slice *slice, const struct memory *memory)
{
	struct mapped image;
	struct vyre_cpu_buffer buffers[BUFFERS];
	struct vyre_cpu_launch launch = {0};
	vyre_cpu_entry entry;
	assert_true(image_map(slice, &image));
	void *address = image.base + slice->entries[0];
	memcpy(&entry, &address, sizeof entry);
	for (uint32_t i = 0; i < memory->count; i++)
		buffers[i] = (struct vyre_cpu_buffer){memory->rows[i].data, memory->rows[i].count};
	for (uint32_t g = 0; g < WORKGROUPS && !launch.trap_code; g++) {
		launch = (struct vyre_cpu_launch){.workgroup = {g, 0, 0},
						  .workgroups = {WORKGROUPS, 1, 1},
						  .buffer_count = memory->count,
						  .buffers = buffers};
		entry(&launch);
	}
	image_unmap(&image);
	return launch;
}

/* The interpreter keeps records aside; the code appends them to the buffer, as many as fit. */
static void fill_log(const struct vyrec_interp_result *result, struct memory *memory)
{
	for (uint32_t i = 0; i < memory->count; i++) {
		uint32_t *words = memory->rows[i].data;
		uint32_t records = result->log_count < VYRE_DEBUG_RECORDS ? result->log_count : VYRE_DEBUG_RECORDS;
		if (strcmp(memory->rows[i].name, "debug_log"))
			continue;
		words[0] = records * VYRE_DEBUG_RECORD_WORDS;
		for (uint32_t k = 0; k < words[0]; k++) /* the fourth word is 16 x slot: there is none */
			words[1 + k] = k % 4 == 3 ? 0 : result->logs[k / 4][k % 4];
	}
}

static void compare(const char *name, const char *target, unsigned level, const struct memory *want,
		    const struct memory *got)
{
	for (uint32_t i = 0; i < want->count; i++)
		for (size_t at = 0; at < want->bytes[i]; at++)
			if (((uint8_t *)want->rows[i].data)[at] != ((uint8_t *)got->rows[i].data)[at])
				fail_msg("%s, %s -O%u: buffer %s differs at byte %zu: interpreter %u, compiled %u",
					 name, target, level, want->rows[i].name, at,
					 ((uint8_t *)want->rows[i].data)[at], ((uint8_t *)got->rows[i].data)[at]);
}

static void check_case(const char *name, const char *text, vyrec_policy bounds)
{
	const uint32_t grid[3] = {WORKGROUPS, 1, 1};
	struct vyrec_module *source = parse(name, text);
	struct memory want;
	struct vyrec_interp_result *result = calloc(1, sizeof *result);
	struct vyrec_interp_options interp = {.bounds = bounds};
	make_memory(source, &want);
	vyrec_interp_program(source, 1, grid, want.rows, want.count, &interp, result);
	assert_true(result->status == VYRE_OK || result->status == VYRE_FAULT);
	fill_log(result, &want);
	for (unsigned t = 0; vyrec_target_at(t); t++)
		for (unsigned level = 0; level <= 2 && host_has(vyrec_target_at(t)); level += 2) {
			const struct vyrec_target *target = vyrec_target_at(t);
			struct vyrec_pass_options passes = {.bounds = bounds, .level = level, .one_lane = true};
			struct vyrec_codegen_options options = {.level = level};
			struct vyrec_module *m = vyrec_module_clone(source);
			struct vyrec_diags diags = {0};
			struct vyrec_pass_times times;
			struct vyrec_slice slice;
			struct memory got;
			assert_true(vyrec_run_pipeline(m, &passes, &diags, &times));
			if (!vyrec_codegen(m, target, &options, &slice, &diags))
				vyrec_diags_print(&diags, name, text, strlen(text), stderr);
			assert_int_equal(diags.errors, 0);
			make_memory(m, &got);
			struct vyre_cpu_launch launch = run_compiled(&slice, &got);
			assert_int_equal(launch.trap_code, result->fault_code);
			assert_int_equal(launch.trap_detail, result->fault_detail);
			compare(name, target->name, level, &want, &got);
			free_memory(&got);
			vyrec_slice_finish(&slice);
			vyrec_module_destroy(m);
			vyrec_diags_finish(&diags);
		}
	free_memory(&want);
	free(result);
	vyrec_module_destroy(source);
}

static void check_policy(vyrec_policy bounds)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_case(cases[i].name, cases[i].text, bounds);
}

static void checked(void **state)
{
	(void)state;
	check_policy(VYREC_POLICY_CHECKED);
}

static void clamped(void **state)
{
	(void)state;
	check_policy(VYREC_POLICY_CLAMP);
}

static void trapping(void **state)
{
	(void)state;
	check_policy(VYREC_POLICY_TRAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checked), cmocka_unit_test(clamped),
					   cmocka_unit_test(trapping)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
