/* fixpoint_test.c - state convergence: any number of lanes and workgroups, in the interpreter and on the cpu. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "passes/shape.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/fixpoint.h"
#include "runtime/abi/ring.h"
#include "tests/common/cpu_run.h"

/* The largest value reaches every word that a chain leads to: 24 rounds for 25 words, and one that changes nothing. */
static const char reach[] = "set reach {\n"
			    "  buffer current: u32[]\n"
			    "  buffer next: u32[]\n"
			    "  buffer stops: const u32[]\n"
			    "  op step = 0x100 (i: u32) by lane {\n"
			    "    next[i] = current[i]\n"
			    "    if i == 0 { return }\n"
			    "    if stops[i] == 2 { trap(77) }\n"
			    "    if stops[i] == 0 { next[i] = max(current[i], current[i - 1]) }\n"
			    "  }\n"
			    "}\n";
enum { WORDS = 25 };

struct state {
	uint32_t current[WORDS], next[WORDS], stops[WORDS];
	uint32_t changed[2], report[VYRE_REPORT_WORDS], launch[VYRE_LAUNCH_WORDS];
	struct vyrec_interp_result result;
};

static struct vyrec_module *build(const char *text, uint32_t lanes, bool one_lane, struct vyrec_diags *diags)
{
	struct vyrec_pass_options options = {.level = 1, .one_lane = one_lane};
	struct vyrec_module *set = vyrec_parse("reach.vyre", text, strlen(text), diags), *built;
	struct vyrec_shape shape;
	assert_non_null(set);
	assert_true(vyrec_shape_find("fixpoint", &shape));
	shape.lanes = lanes;
	built = vyrec_shape_build(&shape, set, &options, diags);
	vyrec_module_destroy(set);
	return built;
}

static void run(struct state *s, uint32_t lanes, bool one_lane, uint32_t workgroups, uint64_t seed)
{
	const struct vyrec_interp_buffer buffers[] = {
	    {"current", s->current, WORDS},
	    {"next", s->next, WORDS},
	    {"stops", s->stops, WORDS},
	    {"changed", s->changed, 2},
	    {"report", s->report, VYRE_REPORT_WORDS},
	    {"launch", s->launch, VYRE_LAUNCH_WORDS},
	};
	struct vyrec_interp_options options = {.seed = seed, .detect_races = true};
	struct vyrec_diags diags = {0};
	struct vyrec_module *m = build(reach, lanes, one_lane, &diags);
	if (!m) {
		vyrec_diags_print(&diags, "reach.vyre", reach, sizeof reach - 1, stderr);
		fail();
	}
	vyrec_interp_program(m, 1, (const uint32_t[3]){workgroups, 1, 1}, buffers, sizeof buffers / sizeof *buffers,
			     &options, &s->result);
	assert_int_equal(s->result.race_count, 0);
	vyrec_diags_finish(&diags);
	vyrec_module_destroy(m);
}

#define EVERY_WAY(lanes, one_lane, workgroups, seed) \
	for (uint32_t lanes = 1; lanes <= 64; lanes *= 8) \
		for (int one_lane = 0; one_lane <= (lanes == 1); one_lane++) \
			for (uint32_t workgroups = 1; workgroups <= 3; workgroups++) \
				for (uint64_t seed = 0; seed < 3; seed++)

static void it_converges(void **state)
{
	(void)state;
	EVERY_WAY(lanes, one_lane, workgroups, seed)
	{
		struct state s = {.current = {9, 1, 2}, .stops = {[10] = 1}};
		run(&s, lanes, one_lane, workgroups, seed);
		assert_int_equal(s.result.status, VYRE_OK);
		for (unsigned i = 0; i < WORDS; i++)
			assert_int_equal(s.current[i], i < 10 ? 9 : 0);
		assert_int_equal(s.report[VYRE_REPORT_OUTCOME], VYRE_REPORT_CONVERGED);
		assert_int_equal(s.report[VYRE_REPORT_ROUNDS], 10); /* nine change something, one does not */
		assert_int_equal(s.report[VYRE_REPORT_ARRIVED], 0);
	}
}

static void it_stops_at_the_cap(void **state)
{
	(void)state;
	EVERY_WAY(lanes, one_lane, workgroups, seed)
	{
		struct state s = {.current = {9}, .launch = {[VYRE_LAUNCH_ROUND_LIMIT] = 4}};
		run(&s, lanes, one_lane, workgroups, seed);
		assert_int_equal(s.result.status, VYRE_OK);
		for (unsigned i = 0; i < WORDS; i++)
			assert_int_equal(s.current[i], i <= 4 ? 9 : 0); /* the result so far is in `current` */
		assert_int_equal(s.report[VYRE_REPORT_OUTCOME], VYRE_REPORT_RUNNING);
		assert_int_equal(s.report[VYRE_REPORT_ROUNDS], 4);

		/* It goes on where it stopped. */
		s.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
		run(&s, lanes, one_lane, workgroups, seed);
		assert_int_equal(s.current[WORDS - 1], 9);
		assert_int_equal(s.report[VYRE_REPORT_ROUNDS], WORDS - 1 - 4 + 1);
	}
}

static void a_fault_ends_it_for_all(void **state)
{
	(void)state;
	EVERY_WAY(lanes, one_lane, workgroups, seed)
	{
		struct state s = {.current = {9}, .stops = {[20] = 2}};
		run(&s, lanes, one_lane, workgroups, seed);
		assert_int_equal(s.result.status, VYRE_FAULT);
		assert_int_equal(s.result.fault_detail, 77);
		assert_int_equal(s.report[VYRE_REPORT_OUTCOME], VYRE_REPORT_FAULTED);
		assert_int_equal(s.report[VYRE_REPORT_FAULT], VYRE_FAULT_TRAP);
		assert_int_equal(s.report[VYRE_REPORT_ROUNDS], 1);
	}
}

/* On the cpu a workgroup is a thread, and there are more of them here than processors. */
static void the_cpu_agrees(void **state)
{
	const struct cpu_run_options options = {.level = 2, .feed = VYRE_FEED_FIXPOINT};
	struct vyrec_diags diags = {0};
	struct vyrec_module *set = vyrec_parse("reach.vyre", reach, sizeof reach - 1, &diags);
	(void)state;
	for (uint32_t workgroups = 1; workgroups <= 5; workgroups += 2) {
		struct state s = {.current = {9, 1, 2}, .stops = {[10] = 1, [20] = workgroups == 5 ? 2 : 0}};
		const struct vyrec_interp_buffer buffers[] = {
		    {"current", s.current, WORDS},
		    {"next", s.next, WORDS},
		    {"stops", s.stops, WORDS},
		    {"changed", s.changed, 2},
		    {"report", s.report, VYRE_REPORT_WORDS},
		    {"launch", s.launch, VYRE_LAUNCH_WORDS},
		};
		struct cpu_run run;
		uint32_t fault[2];
		if (!cpu_run_open(&run, set, &options) ||
		    !cpu_run_program(&run, "reach", (const uint32_t[3]){workgroups, 1, 1}, buffers,
				     sizeof buffers / sizeof *buffers, fault))
			fail_msg("%s", run.message);
		cpu_run_close(&run);
		assert_int_equal(fault[0], workgroups == 5 ? VYRE_FAULT_TRAP : 0);
		for (unsigned i = 0; i < WORDS && !fault[0]; i++)
			assert_int_equal(s.current[i], i < 10 ? 9 : 0);
		assert_int_equal(s.report[VYRE_REPORT_ROUNDS], fault[0] ? 1 : 10);
		assert_int_equal(s.report[VYRE_REPORT_ARRIVED], 0);
	}
	vyrec_module_destroy(set);
}

static void an_op_that_is_no_transfer_is_refused(void **state)
{
#define PAIR "set s { buffer current: u32[]\n buffer next: u32[]\n"
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {PAIR "op f = 0x100 (i: u32) by lane { result(0, i) } }\n", "there is no slot here"},
	    {PAIR "op f = 0x100 (i: u32) by lane { log(1, i, i) } }\n", "there is no slot here"},
	    {PAIR "op f = 0x100 (i: u32) by lane { yield } }\n", "there is no slot here"},
	    {PAIR "op f = 0x100 (i: u32) by lane { next[i] = tenant } }\n", "there is no slot here"},
	    {PAIR "op f = 0x100 (i: u32) by lane { next[i] = arg[3] } }\n", "there is no slot here"},
	    {PAIR "op f = 0x100 (i: u32, j: u32) by lane { } }\n", "takes one u32"},
	    {PAIR "op f = 0x100 (i: u32) by workgroup { } }\n", "runs by lane"},
	    {PAIR "buffer changed: live u32[]\n op f = 0x100 (i: u32) by lane { } }\n", "`changed`"},
	    {PAIR "fn workspace_guard() -> bool { return true }\n op f = 0x100 (i: u32) by lane { } }\n",
	     "nothing calls a fn"},
	    {"set s { buffer current: f32[]\n buffer next: f32[]\n op f = 0x100 (i: u32) by lane { } }\n", "NaN"},
	    {"set s { buffer current: u32[]\n buffer next: i32[]\n op f = 0x100 (i: u32) by lane { } }\n",
	     "one element type"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct vyrec_diags diags = {0};
		struct vyrec_module *m = build(cases[i].text, 4, false, &diags);
		if (m)
			fail_msg("case %zu was built", i);
		if (!diags.count || !strstr(diags.items[0].message, cases[i].says))
			fail_msg("case %zu: \"%s\"", i, diags.count ? diags.items[0].message : "no message");
		vyrec_diags_finish(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_converges),
	    cmocka_unit_test(it_stops_at_the_cap),
	    cmocka_unit_test(a_fault_ends_it_for_all),
	    cmocka_unit_test(the_cpu_agrees),
	    cmocka_unit_test(an_op_that_is_no_transfer_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
