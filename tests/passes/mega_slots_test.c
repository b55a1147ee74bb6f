/* mega_slots_test.c - the slots feed: tenants, fences, fused sets, a set's own workspace; what is refused. */
#include <stdio.h>

#include "mega_rig.h"

enum { SLOTS = 48, MARK = 0x100, SLOW = 0x101, FENCE = 7 };

static const char set_text[] =
    "set demo {\n"
    "  buffer sums: u32[]\n"
    "  buffer busy: u32[]\n" /* by tenant: slots in flight now, and the most there have been */
    "  op mark = 0x100 (at: u32) by lane { atomic_add(sums[at], 1) }\n"
    "  op slow = 0x101 (n: u32) by lane {\n"
    "    let now = atomic_add(busy[tenant], 1) + 1\n"
    "    atomic_max(busy[tenant + 8], now)\n"
    "    for i in 0 .. n { yield }\n"
    "    atomic_sub(busy[tenant], 1)\n"
    "  }\n"
    "}\n";

/* ---- tenants ------------------------------------------------------------------------------------------------------------ */

static void claims_and_retirements_are_counted_by_tenant(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, mega_widths[w], SLOTS);
		const uint32_t *retired = g.control + g.control[VYRE_CONTROL_EXT_BASE] + VYRE_LIVE_TENANT_RETIRED;
		g.control[VYRE_CONTROL_TENANT_FAIRNESS] = 0xFFFFFFF0;
		for (uint32_t i = 0; i < SLOTS; i++)
			MEGA_PUT(&g, i, i % 2 ? MARK : SLOW, i % 4, i % 2 ? i % 3 : 2);
		mega_run_until(&g, SLOTS, 2, 3);
		for (uint32_t t = 0; t < 4; t++) { /* tenant 3 is one too many */
			uint32_t want = t < 3 ? SLOTS / 4 : 0;
			assert_int_equal(retired[t], want);
			assert_int_equal(g.control[VYRE_CONTROL_TENANT_FAIRNESS + t], (t ? 0 : 0xFFFFFFF0) + want);
		}
		assert_int_equal(g.control[VYRE_CONTROL_FAULT_COUNT], SLOTS / 4);
		mega_close(&g);
	}
}

/* Suspended slots are in flight: with a quota of q there are never more than q, and all end. */
static void a_quota_is_never_exceeded(void **state)
{
	static const uint32_t quotas[] = {1, 3, 7};
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++)
		for (size_t q = 0; q < sizeof quotas / sizeof *quotas; q++) {
			struct mega g;
			mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, mega_widths[w], SLOTS);
			g.races = true;
			g.control[VYRE_CONTROL_TENANT_QUOTA + 1] = quotas[q];
			for (uint32_t i = 0; i < SLOTS; i++)
				MEGA_PUT(&g, i, SLOW, i % 3, 3);
			mega_run_until(&g, SLOTS, 3, 1 + q);
			const uint32_t *busy = mega_data(&g, "busy");
			assert_true(busy[8 + 1] <= quotas[q]);
			assert_true(busy[8 + 2] > 7); /* nobody else is held back */
			mega_close(&g);
		}
}

static void a_quota_of_zero_holds_everything(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
	g.control[VYRE_CONTROL_TENANT_QUOTA + 1] = 0;
	MEGA_PUT(&g, 0, MARK, 1, 0);
	MEGA_PUT(&g, 1, MARK, 2, 1);
	mega_run(&g, 3, 2, 1);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_PUBLISHED);
	assert_int_equal(mega_slot(&g, 1)[0], VYRE_SLOT_DONE);
	assert_int_equal(g.control[VYRE_CONTROL_TENANT_FAIRNESS + 1], 0);
	/* without a live block nothing counts what retires, and nothing is held */
	g.control[VYRE_CONTROL_EXT_BASE] = 0;
	mega_run(&g, 1, 1, 0);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
	mega_close(&g);
}

/* An EXT_BASE that points nowhere is none. */
static void a_lying_live_block_is_not_touched(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 1, 8);
		uint32_t words = (uint32_t)mega_find(&g, "control")->count;
		g.control[VYRE_CONTROL_EXT_BASE] = (uint32_t[]){words - VYRE_LIVE_WORDS + 1, 32, 0xFFFFFFE0, words}[i];
		MEGA_PUT(&g, 0, MARK, 1, 0);
		mega_run(&g, 1, 1, 0);
		assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
		assert_int_equal(g.control[32 + VYRE_LIVE_TENANT_RETIRED + 1], 0);
		mega_close(&g);
	}
}

static void a_masked_tenant_is_not_resumed(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, 0, 4, 8);
	MEGA_PUT(&g, 0, SLOW, 1, 5);
	mega_run(&g, 1, 1, 0);
	g.control[VYRE_CONTROL_TENANT_MASK + 1] = 0;
	mega_run(&g, 0, 1, 1);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_YIELD);
	g.control[VYRE_CONTROL_TENANT_MASK + 1] = 1;
	mega_run(&g, 0, 1, 1);
	assert_int_equal(mega_slot(&g, 0)[0], VYRE_SLOT_DONE);
	mega_close(&g);
}

/* Nothing of a plain set waits: such a status is not the device's. */
static void a_plain_set_leaves_waiting_slots_alone(void **state)
{
	static const char text[] =
	    "set demo { buffer sums: u32[]; op mark = 0x100 (at: u32) by lane { sums[at] = 1 } }";
	struct mega g;
	(void)state;
	mega_open(&g, text, VYRE_FEED_SLOTS, 0, 1, 8);
	assert_null(g.frames);
	for (uint32_t i = 0; i < 8; i++) {
		MEGA_PUT(&g, i, 0x100, 0, i);
		mega_slot(&g, i)[0] = i;
	}
	mega_run(&g, 2, 1, 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(((const uint32_t *)mega_data(&g, "sums"))[i], i == 1 || i == 5 || i == 6);
	mega_close(&g);
}

static void shutdown_comes_before_the_next_claim(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, mega_widths[w], SLOTS);
		for (uint32_t i = 0; i < SLOTS; i++)
			MEGA_PUT(&g, i, i == 5 ? VYRE_OPCODE_SHUTDOWN : MARK, 0, 0);
		g.launch[VYRE_LAUNCH_ROUND_LIMIT] = 0;
		mega_run(&g, 1, 1, 0);
		uint32_t done = 0;
		for (uint32_t i = 0; i < SLOTS; i++)
			done += mega_slot(&g, i)[0] == VYRE_SLOT_DONE;
		if (mega_widths[w] <= 1)
			assert_int_equal(done, 6);
		assert_int_equal(g.control[VYRE_CONTROL_SHUTDOWN], 1);
		assert_int_equal(g.control[VYRE_CONTROL_DONE_COUNT], done); /* counted, although it left in a round */
		mega_run(&g, 0, 1, 0);
		assert_int_equal(g.control[VYRE_CONTROL_DONE_COUNT], done);
		mega_close(&g);
	}
}

/* ---- fences --------------------------------------------------------------------------------------------------------------- */

static void a_fence_waits_for_the_places_before_it(void **state)
{
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, mega_widths[w], 16);
		g.control[VYRE_CONTROL_EPOCH] = 0xFFFFFFFF;
		/* around the end of the ring: 14, 15, 0 before 1; and one before the fence's reach that is masked */
		g.control[VYRE_CONTROL_TENANT_MASK + 2] = 0;
		MEGA_PUT(&g, 13, MARK, 2, 0);
		MEGA_PUT(&g, 14, SLOW, 0, 4);
		MEGA_PUT(&g, 15, SLOW, 1, 9);
		MEGA_PUT(&g, 0, MARK, 0, 0);
		MEGA_PUT(&g, 1, FENCE, 0, 3, 77);
		MEGA_PUT(&g, 2, FENCE, 0, 5, 78); /* reaches it */
		mega_run(&g, 3, 1, 1);
		assert_int_equal(mega_slot(&g, 1)[0], VYRE_SLOT_PUBLISHED);
		assert_int_equal(g.control[VYRE_CONTROL_EPOCH], 0xFFFFFFFF);
		mega_run_until(&g, 4, 2, 1);
		assert_int_equal(mega_slot(&g, 1)[0], VYRE_SLOT_DONE);
		assert_int_equal(g.control[VYRE_CONTROL_EPOCH], 0);
		assert_int_equal(g.control[VYRE_CONTROL_OBSERVABLES], 77);
		assert_int_equal(mega_slot(&g, 13)[0], VYRE_SLOT_PUBLISHED);
		assert_int_equal(mega_slot(&g, 2)[0], VYRE_SLOT_PUBLISHED);
		g.control[VYRE_CONTROL_TENANT_MASK + 2] = 1;
		mega_run_until(&g, 6, 2, 1);
		assert_int_equal(g.control[VYRE_CONTROL_EPOCH], 1);
		assert_int_equal(g.control[VYRE_CONTROL_OBSERVABLES], 78);
		mega_close(&g);
	}
}

static void fences_that_cannot_be_are_faults(void **state)
{
	struct mega g;
	(void)state;
	mega_open(&g, set_text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, 1, 8);
	MEGA_PUT(&g, 0, FENCE, 0, 9, 5);
	MEGA_PUT(&g, 1, FENCE, 0, 0xFFFFFFFF, 5);
	MEGA_PUT(&g, 2, FENCE, 0, 8, 5); /* itself is not before it */
	mega_run(&g, 0, 1, 0);
	mega_assert_fault(&g, 0, VYRE_FAULT_OUT_OF_RANGE, 9);
	mega_assert_fault(&g, 1, VYRE_FAULT_OUT_OF_RANGE, 0xFFFFFFFF);
	assert_int_equal(mega_slot(&g, 2)[0], VYRE_SLOT_DONE);
	assert_int_equal(g.control[VYRE_CONTROL_EPOCH], 1);
	MEGA_PUT(&g, 3, MARK, 0, 0);
	MEGA_PUT(&g, 4, FENCE, 0, 1, 6);
	mega_run(&g, 1, 1, 0); /* once: nobody would come by again */
	mega_assert_fault(&g, 4, VYRE_FAULT_UNKNOWN_OPCODE, FENCE);
	assert_int_equal(g.control[VYRE_CONTROL_EPOCH], 1);
	mega_close(&g);
}

/* A slot that waits for the epoch goes on when the fence has moved it. */
static void a_fence_ends_a_pause(void **state)
{
	static const char text[] = "set demo {\n"
				   "  buffer order: u32[]\n"
				   "  op wait = 0x100 () by lane { pause(1); result(0, atomic_add(order[0], 1)) }\n"
				   "  op mark = 0x101 () by lane { result(0, atomic_add(order[0], 1)) }\n"
				   "}\n";
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, mega_widths[w], 8);
		MEGA_PUT(&g, 0, 0x100, 0, 0);
		MEGA_PUT(&g, 1, 0x101, 0, 0);
		MEGA_PUT(&g, 2, 0x101, 0, 0);
		MEGA_PUT(&g, 3, FENCE, 0, 2, 1);
		mega_run_until(&g, 4, 2, 5);
		assert_int_equal(mega_args(&g, 0)[0], 2); /* behind both marks */
		mega_assert_clear(&g);
		mega_close(&g);
	}
}

/* ---- other shapes ------------------------------------------------------------------------------------------------------- */

static void a_fused_op_runs_for_every_opcode(void **state)
{
	static const char text[] =
	    "set demo {\n"
	    "  buffer sums: u32[]\n"
	    "  op all = 0x40200000 (at: u32) by lane { yield; atomic_add(sums[at], 1); result(0, opcode) }\n"
	    "}\n";
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, text, VYRE_FEED_SLOTS, VYRE_HAS_FUSED, mega_widths[w], SLOTS);
		assert_true(g.module->units[1].features & VYRE_HAS_FUSED);
		for (uint32_t i = 0; i < SLOTS; i++)
			MEGA_PUT(&g, i, i * 0x05000001, i % 4, i % 8);
		mega_run(&g, 0, 1, 3);
		const uint32_t *sums = mega_data(&g, "sums");
		for (uint32_t i = 0; i < SLOTS; i++)
			if (i % 4 == 3)
				mega_assert_fault(&g, i, VYRE_FAULT_TENANT, 3);
			else
				assert_int_equal(mega_args(&g, i)[0], i * 0x05000001);
		assert_int_equal(sums[5], SLOTS / 8);
		assert_int_equal(sums[3], 0);
		for (uint32_t i = 0; i < 32; i++)
			assert_int_equal(g.control[VYRE_CONTROL_METRICS + i], 0);
		mega_close(&g);
	}
}

static void a_sets_workspace_is_called(void **state)
{
	static const char text[] = "set demo {\n"
				   "  buffer notes: u32[]\n"
				   "  const LIMIT = 3\n"
				   "  fn bump(at: u32) { atomic_add(notes[at], 1) }\n"
				   "  fn workspace_bootstrap() { bump(0) }\n"
				   "  fn workspace_guard() -> bool { bump(1); return atomic_load(notes[2]) < LIMIT }\n"
				   "  fn workspace_dispatch() { bump(2) }\n"
				   "  op note = 0x100 () by lane { bump(3); result(0, notes[0]) }\n"
				   "}\n";
	(void)state;
	for (size_t w = 0; w < MEGA_WIDTHS; w++) {
		struct mega g;
		mega_open(&g, text, VYRE_FEED_SLOTS, 0, mega_widths[w], 8);
		MEGA_PUT(&g, 0, 0x100, 0, 0);
		mega_run(&g, 9, 1, 0);
		const uint32_t *notes = mega_data(&g, "notes");
		uint32_t workers = mega_widths[w] ? mega_widths[w] : 1;
		assert_int_equal(notes[0], 1);
		assert_int_equal(notes[1], 9 * workers);
		assert_in_range(notes[2], 3, 2 + workers);
		assert_int_equal(mega_args(&g, 0)[0], 1); /* before the first round */
		mega_close(&g);
	}
}

static void a_dispatch_needs_no_guard(void **state)
{
	static const char text[] = "set demo {\n"
				   "  buffer notes: u32[]\n"
				   "  fn workspace_dispatch() { atomic_add(notes[2], 1) }\n"
				   "  op note = 0x100 () by lane { atomic_add(notes[3], 1) }\n"
				   "}\n";
	struct mega g;
	(void)state;
	mega_open(&g, text, VYRE_FEED_SLOTS, 0, 1, 8);
	mega_run(&g, 4, 2, 0);
	assert_int_equal(((const uint32_t *)mega_data(&g, "notes"))[2], 8);
	mega_close(&g);
}

/* ---- refused ------------------------------------------------------------------------------------------------------------ */

static void what_does_not_fit_is_refused_by_name(void **state)
{
#define OP(name, opcode, body) "  op " name " = " opcode " () by lane { " body " }\n"
	static const struct {
		const char *body;
		struct vyrec_pass_options options;
		unsigned line;
		const char *message;
	} rows[] = {
	    {OP("a", "8", "") OP("b", "9", ""),
	     {.feed = VYRE_FEED_SLOTS, .features = VYRE_HAS_FUSED},
	     1,
	     "exactly one op"},
	    {OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS, .features = VYRE_HAS_FUSED | VYRE_HAS_BUILTINS},
	     1,
	     "no built-in opcodes"},
	    {OP("a", "8", ""),
	     {.feed = VYRE_FEED_LIVE, .features = VYRE_HAS_FUSED},
	     1,
	     "only the feeds slots and priority"},
	    {OP("a", "8", ""), {.feed = VYRE_FEED_LIVE, .features = VYRE_HAS_SERVICE}, 1, "serves no io entries"},
	    {OP("a", "8", "") OP("b", "9", "spawn(a)"), {.feed = VYRE_FEED_SLOTS}, 3, "--feed=live"},
	    {OP("a", "8", "") OP("b", "9", "spawn(a) else { yield }"), {.feed = VYRE_FEED_PRIORITY}, 3, "--feed=live"},
	    {"  op w = 8 () by workgroup { result(0, lanes) }\n", {.feed = VYRE_FEED_SLOTS, .lanes = 2}, 2, "`w`"},
	    {"  op w = 8 () by workgroup(32) { result(0, lanes) }\n",
	     {.feed = VYRE_FEED_SLOTS, .lanes = 1},
	     2,
	     "`w`: the op is by workgroup(32), and this kernel's workgroups have one lane"},
	    {"  op w = 8 () by workgroup(2) { }\n", {.feed = VYRE_FEED_PRIORITY, .lanes = 1}, 2, "by workgroup(2)"},
	    {"  op w = 8 () by workgroup(2) { }\n", {.feed = VYRE_FEED_TASKS, .lanes = 1}, 2, "by workgroup(2)"},
	    {"  op w = 8 () by workgroup(2) { }\n", {.feed = VYRE_FEED_LIVE, .lanes = 1}, 2, "by workgroup(2)"},
	    {OP("s", "8", "shared a: u32[4]; a[0] = 1"), {.feed = VYRE_FEED_SLOTS, .lanes = 2}, 2, "local arrays"},
	    {"  fn workspace_guard(n: u32) -> bool { return true }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS},
	     2,
	     "no parameters and the result bool"},
	    {"  fn workspace_dispatch() -> u32 { return 1 }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS},
	     2,
	     "no result"},
	    {"  fn workspace_dispatch() {}\n" OP("a", "8", ""), {.feed = VYRE_FEED_LIVE}, 2, "no place for it"},
	    {"  fn workspace_dispatch() { result(0, 1) }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS},
	     2,
	     "`result`: there is no slot"},
	    {"  buffer b: u32[]\n  fn workspace_bootstrap() { b[0] = tenant }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_PRIORITY},
	     3,
	     "`tenant`: there is no slot"},
	    {"  buffer b: u32[]\n  fn at() -> u32 { return arg[1] }\n  fn workspace_bootstrap() { b[0] = at() }\n" OP(
		 "a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS},
	     4,
	     "`arg`: there is no slot"},
	    {"  fn workspace_bootstrap() { barrier }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS, .lanes = 4},
	     2,
	     "`barrier`: a worker calls"},
	    {"  buffer b: u32[]\n  fn workspace_guard() -> bool { return reduce_add(lane) == 0 }\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS, .lanes = 4},
	     3,
	     "`reduce_add`: a worker calls"},
	    {"  buffer b: u32[]\n" OP("a", "8",
				      "var t: f64[4096]; var s: f64[4096]; t[1] = f64(1); s[2] = f64(2)\n"
				      "var u: f64[4096]; var v: f64[4096]; u[b[3]] = f64(3); v[b[4]] = f64(4)\n"
				      "var w: f64[4096]; var x: f64[4096]; w[b[5]] = f64(5); x[b[6]] = f64(6)\n"
				      "var y: f64[4096]; var z: f64[4096]; y[b[7]] = f64(7); z[b[8]] = f64(8)\n"
				      "let k = b[1]; yield\n"
				      "b[k] = u32(s[k] + t[k] + u[k] + v[k] + w[k] + x[k] + y[k] + z[k])"),
	     {.feed = VYRE_FEED_SLOTS},
	     3,
	     "`a` keeps 65537 words while it is suspended; a frame has at most 65536"},
	    {"  buffer frames: u32[]\n" OP("a", "8", "yield"), {.feed = VYRE_FEED_SLOTS}, 2, "`frames`"},
	    {"  buffer io_table: u32[]\n" OP("a", "8", ""),
	     {.feed = VYRE_FEED_SLOTS, .features = VYRE_HAS_SERVICE},
	     2,
	     "`io_table`"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct vyrec_diags diags = {0};
		struct vyrec_pass_options options = rows[i].options;
		char text[1024];
		snprintf(text, sizeof text, "set s {\n%s}\n", rows[i].body);
		options.one_lane = options.lanes == 0;
		assert_null(mega_compile(text, &options, &diags));
		assert_true(diags.errors >= 1);
		assert_int_equal(VYREC_LOC_LINE(diags.items[0].loc), rows[i].line);
		if (!strstr(diags.items[0].message, rows[i].message))
			fail_msg("row %zu says: %s", i, diags.items[0].message);
		vyrec_diags_finish(&diags);
	}
}

/* One lane for an op that has no width of its own, or the width one; or a target of one lane, which makes loops of others. */
static void a_width_that_fits_is_kept(void **state)
{
	static const struct {
		const char *text;
		bool one_lane;
	} rows[] = {{"set s {\n  op w = 8 () by workgroup(1) { result(0, lanes) }\n}\n", false},
		    {"set s {\n  op w = 8 () by workgroup { result(0, lanes) }\n}\n", false},
		    {"set s {\n  op w = 8 () by workgroup(32) { result(0, lanes) }\n}\n", true}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (unsigned feed = VYRE_FEED_SLOTS; feed <= VYRE_FEED_TASKS; feed++) {
			const struct vyrec_pass_options options = {
			    .feed = feed, .lanes = 1, .one_lane = rows[i].one_lane};
			struct vyrec_diags diags = {0};
			struct vyrec_module *m = mega_compile(rows[i].text, &options, &diags);
			assert_non_null(m);
			assert_int_equal(diags.errors, 0);
			vyrec_diags_finish(&diags);
			vyrec_module_destroy(m);
		}
}

/* The limit of a module, met by what stands around each of very many points: said of the set, not of what is inside. */
static void too_many_points_are_refused_by_the_sets_name(void **state)
{
	const struct vyrec_pass_options options = {.feed = VYRE_FEED_SLOTS, .one_lane = true};
	struct vyrec_diags diags = {0};
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	(void)state;
	fprintf(f, "set heavy {\n  buffer b: u32[]\n");
	for (unsigned op = 0; op < 1000; op++) {
		fprintf(f, "  op o%u = %u (n: u64, k: u64) by lane {\n", op, 0x100 + op);
		for (unsigned point = 0; point < 6; point++)
			fprintf(f, "    yield; b[%u] = u32(n + k)\n", point);
		fprintf(f, "  }\n");
	}
	fprintf(f, "}\n");
	fclose(f);
	assert_null(mega_compile(text, &options, &diags));
	assert_int_equal(diags.errors, 1);
	assert_int_equal(VYREC_LOC_LINE(diags.items[0].loc), 1);
	assert_non_null(strstr(diags.items[0].message, "around the ops of `heavy` grows past"));
	vyrec_diags_finish(&diags);
	free(text);
}

/* The names of buffers that a set has no use for are free. */
static void names_of_other_shapes_are_free(void **state)
{
	static const char text[] = "set demo {\n"
				   "  buffer frames: u32[]\n"
				   "  buffer queue: u32[]\n"
				   "  op a = 0x100 (at: u32) by lane { atomic_add(frames[at], 1); queue[at] = 2 }\n"
				   "}\n";
	/* what the scheduler keeps for itself is no buffer */
	static const char of_a_worker[] = "set demo {\n"
					  "  buffer worker: u32[]\n"
					  "  op a = 0x100 (at: u32) by lane { yield; worker[at] = 2 }\n"
					  "}\n";
	struct mega g;
	(void)state;
	mega_open(&g, text, VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS, 1, 8);
	memset(g.frames, 0, 64);
	MEGA_PUT(&g, 0, 0x100, 0, 1);
	mega_run(&g, 1, 1, 0);
	assert_int_equal(g.frames[1], 1);
	assert_int_equal(g.queue[1], 2);
	mega_close(&g);
	mega_open(&g, of_a_worker, VYRE_FEED_LIVE, 0, 1, 8);
	MEGA_PUT(&g, 0, 0x100, 0, 1);
	g.control[g.control[VYRE_CONTROL_EXT_BASE] + VYRE_LIVE_TAIL] = 1;
	mega_run(&g, 4, 1, 0);
	assert_int_equal(((uint32_t *)mega_data(&g, "worker"))[1], 2);
	mega_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(claims_and_retirements_are_counted_by_tenant),
	    cmocka_unit_test(a_quota_is_never_exceeded),
	    cmocka_unit_test(a_quota_of_zero_holds_everything),
	    cmocka_unit_test(a_lying_live_block_is_not_touched),
	    cmocka_unit_test(a_masked_tenant_is_not_resumed),
	    cmocka_unit_test(a_plain_set_leaves_waiting_slots_alone),
	    cmocka_unit_test(shutdown_comes_before_the_next_claim),
	    cmocka_unit_test(a_fence_waits_for_the_places_before_it),
	    cmocka_unit_test(fences_that_cannot_be_are_faults),
	    cmocka_unit_test(a_fence_ends_a_pause),
	    cmocka_unit_test(a_fused_op_runs_for_every_opcode),
	    cmocka_unit_test(a_sets_workspace_is_called),
	    cmocka_unit_test(a_dispatch_needs_no_guard),
	    cmocka_unit_test(what_does_not_fit_is_refused_by_name),
	    cmocka_unit_test(a_width_that_fits_is_kept),
	    cmocka_unit_test(too_many_points_are_refused_by_the_sets_name),
	    cmocka_unit_test(names_of_other_shapes_are_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
