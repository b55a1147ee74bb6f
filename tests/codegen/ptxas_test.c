/* ptxas_test.c - the assembler as a child process: found or not, what it says, what becomes of it.
 *
 * Most cases run against a shell script in ptxas's place, so that they need no CUDA toolkit and see every kind of end: a
 * success with numbers, an error, an assembler that is too old, a signal, a version that cannot be read. The last ones use
 * the real one where it is.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ptx.h"

static const char source[] =
    "program first workgroup(64) {\n  buffer a: u32[]\n  shared s: u32[64]\n"
    "  body { s[lane] = a[lane]\n    barrier\n    a[lane] = s[63 - lane] }\n}\n"
    "program second workgroup(32) {\n  buffer a: u32[]\n  body { a[lane] = reduce_add(lane) }\n}\n";

static char script[64];

/* Puts a script in ptxas's place; NULL: nothing is there. */
static void pretend(const char *text)
{
	setenv("VYRE_PTXAS", text ? script : "", 1);
	if (!text)
		return;
	FILE *file = fopen(script, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'release 9.9, V9.9.77'; exit 0; }\n%s\n", text);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(script, 0700), 0);
}

static bool assemble(enum vyrec_cubin when, struct ptx *p, struct vyrec_slice *cubin)
{
	struct vyrec_codegen_options options = {.level = 2, .cubin = when};
	if (!ptx_make(source, "sm_90", 2, VYREC_POLICY_CHECKED, p))
		fail_msg("%s", p->diags.count ? p->diags.items[0].message : "?");
	return vyrec_assemble(p->module, &options, &p->slice, cubin, &p->diags);
}

static void expect_error(enum vyrec_cubin when, const char *words)
{
	struct vyrec_slice cubin;
	struct ptx p;
	assert_false(assemble(when, &p, &cubin));
	assert_null(cubin.image);
	assert_int_equal(p.diags.errors, 1);
	if (!strstr(p.diags.items[0].message, words))
		fail_msg("\"%s\" does not say \"%s\"", p.diags.items[0].message, words);
	ptx_finish(&p);
}

static void expect_none(enum vyrec_cubin when)
{
	struct vyrec_slice cubin;
	struct ptx p;
	assert_true(assemble(when, &p, &cubin));
	assert_null(cubin.image);
	assert_int_equal(p.slice.resources[0].registers, 0);
	ptx_finish(&p);
}

/* ---- a script in its place --------------------------------------------------------------------------------------------- */

static void absent_is_an_error_only_where_required(void **state)
{
	(void)state;
	pretend(NULL);
	assert_null(vyrec_ptxas_version());
	expect_none(VYREC_CUBIN_AUTO);
	expect_none(VYREC_CUBIN_NEVER);
	expect_error(VYREC_CUBIN_REQUIRE, "no cubin for sm_90: ptxas is not found");
}

static const char numbers[] = "[ \"$1 $2\" = '-arch=sm_90 -v' ] || exit 3\ngrep -q '^.target sm_90' \"$3\" || exit 4\n"
			      "cat >&2 <<'END'\n"
			      "ptxas info    : 0 bytes gmem\n"
			      "ptxas info    : Compiling entry function 'vyre_second' for 'sm_90'\n"
			      "ptxas info    : Function properties for vyre_second\n"
			      "    48 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads\n"
			      "ptxas info    : Used 40 registers, used 1 barriers, 48 bytes stack, 640 bytes smem\n"
			      "ptxas info    : Function properties for vyre_$_log\n"
			      "    8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads\n"
			      "ptxas info    : Compiling entry function 'vyre_first' for 'sm_90'\n"
			      "ptxas info    : Function properties for vyre_first\n"
			      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
			      "ptxas info    : Used 16 registers, used 1 barriers, 256 bytes smem\n"
			      "END\nprintf '\\177ELF cubin' > \"$5\"\n";

static void numbers_of_each_entry_are_kept(void **state)
{
	struct vyrec_slice cubin;
	struct ptx p;
	(void)state;
	pretend(numbers);
	assert_string_equal(vyrec_ptxas_version(), "9.9.77");
	assert_true(assemble(VYREC_CUBIN_REQUIRE, &p, &cubin));
	assert_int_equal(cubin.image_bytes, 10);
	assert_memory_equal(cubin.image, "\177ELF cubin", 10);
	assert_int_equal(cubin.format, VYRE_FORMAT_CUBIN);
	assert_int_equal(cubin.unit_count, 2);
	assert_string_equal(cubin.symbols[1], "vyre_second");
	const struct vyrec_slice *both[] = {&p.slice, &cubin};
	for (unsigned i = 0; i < 2; i++) {
		const struct vyrec_resources *first = &both[i]->resources[0], *second = &both[i]->resources[1];
		assert_int_equal(first->registers, 16);
		assert_int_equal(first->shared_bytes, 256);
		assert_int_equal(first->spill_bytes, 0);
		assert_int_equal(first->lanes[0], 64);
		assert_int_equal(second->registers, 40);
		assert_int_equal(second->stack_bytes, 48);
		assert_int_equal(second->spill_bytes, 32);
		assert_int_equal(second->shared_bytes, 640);
		assert_int_equal(second->lanes[0], 32);
	}
	vyrec_slice_finish(&cubin);
	ptx_finish(&p);
}

static void numbers_come_without_a_cubin_too(void **state)
{
	struct vyrec_slice cubin;
	struct ptx p;
	(void)state;
	pretend(numbers);
	assert_true(assemble(VYREC_CUBIN_NEVER, &p, &cubin));
	assert_null(cubin.image);
	assert_int_equal(p.slice.resources[1].registers, 40);
	ptx_finish(&p);
}

static void its_words_are_the_error(void **state)
{
	(void)state;
	pretend("echo \"ptxas $3, line 7; error   : Not a name of any known instruction: 'bad'\" >&2\n"
		"echo 'ptxas fatal   : Ptx assembly aborted due to errors' >&2\nexit 255\n");
	expect_error(VYREC_CUBIN_AUTO, "sm_90 cannot compile first: ptxas: Not a name of any known instruction: 'bad'");
}

/* The one that fails is named: the script refuses what has the second program's reduction in it. */
static void the_unit_at_fault_is_named(void **state)
{
	(void)state;
	pretend("grep -q redux.sync \"$3\" && { echo 'ptxas x, line 1; error   : no reductions today' >&2; exit 1; }\n"
		"printf '\\177ELF cubin' > \"$5\"\n");
	expect_error(VYREC_CUBIN_AUTO, "sm_90 cannot compile second: ptxas: no reductions today");
}

static void an_old_one_is_like_none(void **state)
{
	static const char *const words[] = {
	    "ptxas fatal   : Value 'sm_90' is not defined for option 'gpu-name'",
	    "ptxas x, line 5; fatal   : Unsupported .version 7.8; current version is '6.0'"};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char text[256];
		snprintf(text, sizeof text, "echo \"%s\" >&2\nexit 255\n", words[i]);
		pretend(text);
		expect_none(VYREC_CUBIN_AUTO);
		expect_error(VYREC_CUBIN_REQUIRE, "no cubin for sm_90: ptxas: ");
	}
}

static void a_crash_is_an_error(void **state)
{
	(void)state;
	pretend("kill -9 $$\n");
	expect_error(VYREC_CUBIN_AUTO, "ptxas ended by signal 9");
}

static void what_cannot_run_is_an_error(void **state)
{
	(void)state;
	FILE *file = fopen(script, "w");
	assert_non_null(file);
	fprintf(file, "#!/no/such/interpreter\n");
	fclose(file);
	chmod(script, 0700);
	setenv("VYRE_PTXAS", script, 1);
	expect_error(VYREC_CUBIN_AUTO, "cannot run ");
}

static void success_without_a_cubin_is_an_error(void **state)
{
	(void)state;
	pretend("exit 0\n");
	expect_error(VYREC_CUBIN_AUTO, "ptxas ended well, but the 0 bytes that it left are no cubin");
	expect_error(VYREC_CUBIN_REQUIRE, "ptxas ended well, but the 0 bytes that it left are no cubin");
	pretend("echo '// garbage' > \"$5\"\n");
	expect_error(VYREC_CUBIN_REQUIRE, "the 11 bytes that it left are no cubin");
	pretend("exit 7\n");
	expect_error(VYREC_CUBIN_AUTO, "ptxas ended with 7 and said nothing");
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void no_file_stays_open(void **state)
{
	unsigned before = open_files();
	numbers_of_each_entry_are_kept(state);
	its_words_are_the_error(state);
	assert_int_equal(open_files(), before);
}

/* ---- the real one ------------------------------------------------------------------------------------------------------- */

static void same_text_same_cubin(void **state)
{
	struct vyrec_slice cubin[2];
	struct ptx p[2];
	(void)state;
	unsetenv("VYRE_PTXAS");
	if (!ptx_assembler()) {
		print_message("skipped: ptxas is not here\n");
		skip();
	}
	for (unsigned i = 0; i < 2; i++)
		assert_true(assemble(VYREC_CUBIN_REQUIRE, &p[i], &cubin[i]));
	assert_int_equal(cubin[0].image_bytes, cubin[1].image_bytes);
	assert_memory_equal(cubin[0].image, cubin[1].image, cubin[0].image_bytes);
	assert_memory_equal(cubin[0].image, "\177ELF", 4);
	assert_true(p[0].slice.resources[0].registers >= 8);
	assert_int_equal(p[0].slice.resources[0].shared_bytes, 256);
	for (unsigned i = 0; i < 2; i++) {
		vyrec_slice_finish(&cubin[i]);
		ptx_finish(&p[i]);
	}
}

/* An entry with the name that LLVM gives to a parameter of another one: ptxas 13.0 crashes on those. */
static void entries_and_parameters_have_names_of_their_own(void **state)
{
	static const char text[] = "program p workgroup(32) {\n  buffer a: u32[]\n  body { a[lane] = lane }\n}\n"
				   "program p_param_0 workgroup(32) {\n  buffer a: u32[]\n  body { a[lane] = 1 }\n}\n"
				   "program p_param_ workgroup(32) {\n  body { }\n}\n";
	struct vyrec_codegen_options options = {.level = 2, .cubin = VYREC_CUBIN_REQUIRE};
	struct vyrec_slice cubin;
	struct ptx p;
	(void)state;
	assert_true(ptx_make(text, "sm_90", 2, VYREC_POLICY_CHECKED, &p));
	assert_string_equal(p.slice.symbols[0], "vyre_p");
	assert_string_equal(p.slice.symbols[1], "vyre_p_param_0$");
	assert_string_equal(p.slice.symbols[2], "vyre_p_param_");
	assert_non_null(strstr(ptx_text(&p), ".entry vyre_p_param_0$("));
	assert_non_null(strstr(ptx_text(&p), "vyre_p_param_0$_param_0"));
	unsetenv("VYRE_PTXAS");
	if (ptx_assembler()) {
		assert_true(vyrec_assemble(p.module, &options, &p.slice, &cubin, &p.diags));
		assert_true(p.slice.resources[1].registers != 0);
		vyrec_slice_finish(&cubin);
	}
	ptx_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(absent_is_an_error_only_where_required),
	    cmocka_unit_test(numbers_of_each_entry_are_kept),
	    cmocka_unit_test(numbers_come_without_a_cubin_too),
	    cmocka_unit_test(its_words_are_the_error),
	    cmocka_unit_test(the_unit_at_fault_is_named),
	    cmocka_unit_test(an_old_one_is_like_none),
	    cmocka_unit_test(a_crash_is_an_error),
	    cmocka_unit_test(what_cannot_run_is_an_error),
	    cmocka_unit_test(success_without_a_cubin_is_an_error),
	    cmocka_unit_test(no_file_stays_open),
	    cmocka_unit_test(same_text_same_cubin),
	    cmocka_unit_test(entries_and_parameters_have_names_of_their_own),
	};
	snprintf(script, sizeof script, "/tmp/vyre-ptxas-%d", (int)getpid());
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(script);
	return failed;
}
