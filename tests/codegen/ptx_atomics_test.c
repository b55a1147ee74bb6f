/* ptx_atomics_test.c - every atomic, order and scope on every type, in buffers and in shared memory: its PTX, instruction
 * by instruction.
 *
 * A program a type, memory and atomic uses it with each order and scope that the language allows, one after the other; the
 * ordered instructions of its PTX must be the expected ones, in that order, and no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ptx.h"

enum { TEXT = 16384 };

static const char *const orders[] = {"relaxed", "acquire", "release", "acqrel", "seqcst"};
static const char *const scopes[] = {"workgroup", "device", "system"}, *const short_scopes[] = {"cta", "gpu", "sys"};
enum { RELAXED, ACQUIRE, RELEASE, ACQREL, SEQCST, ORDERS, SCOPES = 3, DEVICE = 1 };

static const struct {
	const char *name;
	char sign;
	unsigned bits;
} types[] = {{"u32", 'u', 32}, {"i32", 's', 32}, {"u64", 'u', 64}, {"i64", 's', 64}, {"f32", 'f', 32}};

/* kind: what the instruction takes of the type: b = bits, u = unsigned, t = as it is */
static const struct {
	const char *name, *ptx, *values;
	char kind;
	unsigned orders; /* a bit each */
	bool floats;
} atomics[] = {
    {"load", "ld", "", 'b', 1u << RELAXED | 1u << ACQUIRE | 1u << SEQCST, true},
    {"store", "st", ", V", 'b', 1u << RELAXED | 1u << RELEASE | 1u << SEQCST, true},
    {"add", "add", ", V", 'u', 31, false},
    {"sub", "add", ", V", 'u', 31, false},
    {"and", "and", ", V", 'b', 31, false},
    {"or", "or", ", V", 'b', 31, false},
    {"xor", "xor", ", V", 'b', 31, false},
    {"min", "min", ", V", 't', 31, false},
    {"max", "max", ", V", 't', 31, false},
    {"exchange", "exch", ", V", 'b', 31, true},
    {"compare_exchange", "cas", ", V, V", 'b', 31, false},
};
enum { LOAD, STORE, TYPES = sizeof types / sizeof *types, ATOMICS = sizeof atomics / sizeof *atomics };

struct text {
	char bytes[TEXT];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *to, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	to->count += (size_t)vsnprintf(to->bytes + to->count, TEXT - to->count, format, args);
	va_end(args);
	assert_true(to->count < TEXT);
}

static void write_program(struct text *to, unsigned type, unsigned atomic, bool shared)
{
	add(to, "program p workgroup(32) {\n  %s a: %s%s[32]\n  buffer in: %s[]\n  buffer out: %s[]\n  body {\n",
	    shared ? "shared" : "buffer", shared ? "" : "live ", types[type].name, types[type].name, types[type].name);
	for (unsigned order = 0, n = 0; order < ORDERS; order++)
		for (unsigned scope = 0; scope < SCOPES; scope++, n++) {
			if (!(atomics[atomic].orders & 1u << order))
				continue;
			add(to, atomic == STORE ? "    " : "    out[%u] = ", n);
			add(to, "atomic_%s(a[%u]", atomics[atomic].name, n);
			for (const char *c = atomics[atomic].values; *c; c++)
				if (*c == 'V')
					add(to, ", in[%u]", n);
			add(to, ", %s, %s)\n", orders[order], scopes[scope]);
		}
	add(to, shared ? "    out[31] = a[u32(in[31])]\n  }\n}\n" : "  }\n}\n"); /* LLVM drops what nobody can read */
}

static const char *in_ptx(unsigned order)
{
	static const char *const names[ORDERS] = {"relaxed", "acquire", "release", "acq_rel", "acquire"};
	return names[order];
}

static void expect_one(struct text *to, unsigned type, unsigned atomic, bool shared, unsigned order, unsigned scope)
{
	const char *space = shared ? "shared" : "global", *at = short_scopes[scope];
	char kind = atomics[atomic].kind == 't' ? types[type].sign : atomics[atomic].kind;
	if (order == SEQCST)
		add(to, "fence.sc.%s\n", at);
	if (atomic == LOAD)
		add(to, "ld.%s.%s.%s.b%u\n", in_ptx(order), at, space, types[type].bits);
	else if (atomic == STORE)
		add(to, "st.%s.%s.%s.b%u\n", order == SEQCST ? "release" : in_ptx(order), at, space, types[type].bits);
	else if (order == RELAXED && (shared || scope == DEVICE) && strcmp(atomics[atomic].ptx, "cas") != 0)
		add(to, "atom.%s.%s.%c%u\n", space, atomics[atomic].ptx, kind, types[type].bits);
	else
		add(to, "atom.%s.%s.%s.%s.%c%u\n", in_ptx(order), at, space, atomics[atomic].ptx, kind,
		    types[type].bits);
}

static void expect(struct text *to, unsigned type, unsigned atomic, bool shared)
{
	for (unsigned order = 0; order < ORDERS; order++)
		for (unsigned scope = 0; scope < SCOPES; scope++)
			if (atomics[atomic].orders & 1u << order)
				expect_one(to, type, atomic, shared, order, scope);
}

/* The instructions that order or are atomic, without their operands. */
static void pick(struct text *to, const char *ptx)
{
	static const char *const starts[] = {"atom.",	     "red.",	     "fence.",	    "membar.",
					     "ld.relaxed.",  "ld.acquire.",  "st.relaxed.", "st.release.",
					     "ld.volatile.", "st.volatile.", "ld.mmio",	    "ld.weak"};
	for (const char *line = ptx; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = line + strspn(line, "\t ");
		for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
			if (!strncmp(at, starts[i], strlen(starts[i])))
				add(to, "%.*s\n", (int)strcspn(at, " \t;"), at);
	}
}

static void check(unsigned type, unsigned atomic, bool shared, const char *target)
{
	struct text source = {.count = 0}, want = {.count = 0}, have = {.count = 0};
	struct ptx p;
	write_program(&source, type, atomic, shared);
	if (!ptx_make(source.bytes, target, 2, VYREC_POLICY_UNCHECKED, &p))
		fail_msg("%s\n%s", source.bytes, p.diags.count ? p.diags.items[0].message : "?");
	expect(&want, type, atomic, shared);
	pick(&have, ptx_text(&p));
	assert_string_equal(have.bytes, want.bytes);
	ptx_finish(&p);
}

static void every_atomic_is_what_it_says(void **state)
{
	(void)state;
	for (unsigned type = 0; type < TYPES; type++)
		for (unsigned atomic = 0; atomic < ATOMICS; atomic++)
			for (unsigned shared = 0; shared < 2; shared++)
				if (types[type].sign != 'f' || atomics[atomic].floats)
					check(type, atomic, shared, type % 2 ? "sm_75" : "sm_90");
}

/* From sm_90 and PTX 8.6 there are fences of one half, which may stand for theirs. */
static void every_fence_is_what_it_says(void **state)
{
	static const char source[] =
	    "program p workgroup(32) {\n  body {\n"
	    "    fence(acquire, workgroup)\n    fence(acquire, device)\n    fence(acquire, system)\n"
	    "    fence(release, workgroup)\n    fence(release, device)\n    fence(release, system)\n"
	    "    fence(acqrel, workgroup)\n    fence(acqrel, device)\n    fence(acqrel, system)\n"
	    "    fence(seqcst, workgroup)\n    fence(seqcst, device)\n    fence(seqcst, system)\n"
	    "  }\n}\n";
	static const struct {
		const char *target, *acquire, *release;
	} rows[] = {{"sm_75", "acq_rel", "acq_rel"},
		    {"sm_89", "acq_rel", "acq_rel"},
		    {"sm_90", "acquire", "release"},
		    {"sm_100", "acquire", "release"}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *const names[] = {rows[i].acquire, rows[i].release, "acq_rel", "sc"};
		struct text want = {.count = 0}, have = {.count = 0};
		struct ptx p;
		if (!ptx_make(source, rows[i].target, 2, VYREC_POLICY_CHECKED, &p))
			fail_msg("%s", p.diags.count ? p.diags.items[0].message : "?");
		for (unsigned n = 0; n < 4; n++)
			for (unsigned scope = 0; scope < SCOPES; scope++)
				add(&want, "fence.%s.%s\n", names[n], short_scopes[scope]);
		pick(&have, ptx_text(&p));
		assert_string_equal(have.bytes, want.bytes);
		ptx_finish(&p);
	}
}

/* A value that nobody reads, and one that is read twice: neither drops nor doubles the operation. */
static void polled_words_are_read_each_time(void **state)
{
	static const char source[] =
	    "program p workgroup(32) {\n  buffer a: live u32[4]\n  buffer out: u32[]\n  body {\n"
	    "    atomic_load(a[0], acquire, system)\n"
	    "    let x = atomic_load(a[1]) + atomic_load(a[1])\n"
	    "    atomic_or(a[2], 0)\n"
	    "    out[0] = x + x\n"
	    "  }\n}\n";
	struct text have = {.count = 0};
	struct ptx p;
	(void)state;
	assert_true(ptx_make(source, "sm_90", 2, VYREC_POLICY_CHECKED, &p));
	pick(&have, ptx_text(&p));
	assert_string_equal(have.bytes, "ld.acquire.sys.global.b32\nld.relaxed.gpu.global.b32\n"
					"ld.relaxed.gpu.global.b32\natom.global.or.b32\n");
	ptx_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_atomic_is_what_it_says),
	    cmocka_unit_test(every_fence_is_what_it_says),
	    cmocka_unit_test(polled_words_are_read_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
