/* ptxas_test.c - the assembler as a child process: found or not, what it says, what becomes of it.
 *
 * Most cases run against a shell script in ptxas's place, so that they need no CUDA toolkit and see every kind of end: a
 * success with numbers, an error, an assembler that is too old, one that is broken or hangs, a signal, a version that
 * cannot be read. The last ones use the real one where it is.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ptx.h"

static const char source[] =
    "program first workgroup(64) {\n  buffer a: u32[]\n  shared s: u32[64]\n"
    "  body { s[lane] = a[lane]\n    barrier\n    a[lane] = s[63 - lane] }\n}\n"
    "program second workgroup(32) {\n  buffer a: u32[]\n  body { a[lane] = reduce_add(lane) }\n}\n";

static char script[64], note[64]; /* a file that scripts write */

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

static void never_is_never(void **state)
{
	struct vyrec_slice cubin;
	struct ptx p;
	char text[256];
	(void)state;
	snprintf(text, sizeof text, "touch %s\nexit 3\n", note);
	pretend(text);
	assert_true(assemble(VYREC_CUBIN_NEVER, &p, &cubin));
	assert_null(cubin.image);
	assert_int_equal(p.slice.resources[1].registers, 0);
	assert_int_equal(access(note, F_OK), -1);
	ptx_finish(&p);
	expect_error(VYREC_CUBIN_AUTO, "ptxas"); /* the script does leave a note */
	assert_int_equal(unlink(note), 0);
}

/* What works for an empty kernel, and so is right about others. */
#define IF_EMPTY "grep -q vyre_empty \"$3\" && { printf '\\177ELF cubin' > \"$5\"; exit 0; }\n"

static void its_words_are_the_error(void **state)
{
	(void)state;
	pretend(IF_EMPTY "echo \"ptxas $3, line 7; error   : Not a name of any known instruction: 'bad'\" >&2\n"
			 "echo 'ptxas fatal   : Ptx assembly aborted due to errors' >&2\nexit 255\n");
	expect_error(VYREC_CUBIN_AUTO, "sm_90 cannot compile first: ptxas: Not a name of any known instruction: 'bad'");
}

/* The one that fails is named: the script refuses what has the second program's reduction in it. */
static void the_unit_at_fault_is_named(void **state)
{
	static const struct {
		const char *end, *words;
	} rows[] = {
	    {"echo 'ptxas x, line 1; error   : no reductions today' >&2; exit 1", "no reductions today"},
	    {"kill -9 $$", "ended by signal 9"},
	    {"exit 0", "ended with status 0, but the 0 bytes that it left are no cubin"},
	    {"echo '// garbage' > \"$5\"; exit 0", "ended with status 0, but the 11 bytes that it left are no cubin"},
	    {"exit 7", "ended with status 7"}};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[256], words[128];
		snprintf(text, sizeof text, "grep -q redux.sync \"$3\" && { %s; }\nprintf '\\177ELF cubin' > \"$5\"\n",
			 rows[i].end);
		snprintf(words, sizeof words, "sm_90 cannot compile second: ptxas%s %s", i ? "" : ":", rows[i].words);
		pretend(text);
		expect_error(i % 2 ? VYREC_CUBIN_AUTO : VYREC_CUBIN_REQUIRE, words);
	}
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

/* ---- what is no fault of the text -------------------------------------------------------------------------------------- */

static void a_broken_one_is_blamed_itself(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
	    {"kill -9 $$\n", "ended by signal 9 and said nothing"},
	    {"exit 127\n", "ended with status 127 and said nothing"},
	    {"exit 0\n", "ended with status 0, but the 0 bytes that it left are no cubin and said nothing"},
	    {"echo '// garbage' > \"$5\"\n", "but the 11 bytes that it left are no cubin"},
	    {"for i in 1 2 3 4 5; do echo \"line $i\"; done\nexit 1\n",
	     "ended with status 1 and said \"line 3 | line 4 | line 5\""},
	    {"printf 'a\\033b\\377c\\n' >&2\nexit 1\n", "said \"a?b?c\""},
	    {"head -c 100000 /dev/zero | tr '\\0' x\nexit 1\n", "said \"xxxxxxxx"},
	    {"echo \"ptxas $3, line 1; error   : everything\" >&2\nexit 255\n", "line 1; error   : everything\""},
	};
	char start[256];
	(void)state;
	snprintf(start, sizeof start, "no cubin for sm_90: ptxas itself fails: %s, given an empty kernel, ", script);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		pretend(rows[i].text);
		expect_error(VYREC_CUBIN_AUTO, start);
		expect_error(VYREC_CUBIN_REQUIRE, rows[i].words);
		expect_error(VYREC_CUBIN_AUTO,
			     "; mend it, name another one in VYRE_PTXAS, or compile with --cubin=never");
	}
}

/* Whoever names one means it. */
static void what_cannot_run_is_an_error(void **state)
{
	static const struct {
		const char *text, *words;
		mode_t mode;
	} rows[] = {{"#!/no/such/interpreter\n", "No such file or directory", 0700},
		    {"#!/bin/sh\nexit 0\n", "Permission denied", 0600},
		    {"neither a script nor a program", "Exec format error", 0700}};
	char words[256];
	(void)state;
	setenv("VYRE_PTXAS", script, 1);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		FILE *file = fopen(script, "w");
		assert_non_null(file);
		fprintf(file, "%s", rows[i].text);
		fclose(file);
		chmod(script, rows[i].mode);
		snprintf(words, sizeof words, "no cubin for sm_90: cannot run %s: %s; name another ptxas in VYRE_PTXAS",
			 script, rows[i].words);
		expect_error(VYREC_CUBIN_AUTO, words);
	}
	unlink(script);
	expect_error(VYREC_CUBIN_AUTO, "No such file or directory");
}

/* It has a child of its own, as a script around the real one would. */
static void pretend_to_hang(void)
{
	char text[512];
	snprintf(text, sizeof text, "sleep 1000 &\necho $! > %s.part\nmv %s.part %s\nwait\n", note, note, note);
	unlink(note);
	pretend(text);
}

/* The process whose number is in the note; waits for the note. */
static pid_t hanging(void)
{
	FILE *file;
	int pid = 0;
	while (!(file = fopen(note, "r")))
		usleep(1000);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	unlink(note);
	assert_true(pid > 1);
	return pid;
}

/* Killed, whether or not its new parent has noticed. */
static bool is_gone(pid_t pid)
{
	char path[64], state = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return true;
	bool is_read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
	fclose(file);
	return is_read ? state == 'Z' || state == 'X' : true;
}

static void wait_until_gone(pid_t pid)
{
	while (!is_gone(pid)) /* a test that hangs here has failed */
		usleep(1000);
}

/* A busy machine may not get it as far as that in a second. */
static void one_that_hangs_is_ended(void **state)
{
	char words[256], limit[16];
	(void)state;
	pretend_to_hang();
	for (unsigned seconds = 1; access(note, F_OK); seconds *= 4) {
		snprintf(limit, sizeof limit, "%u", seconds);
		setenv("VYRE_PTXAS_SECONDS", limit, 1);
		snprintf(words, sizeof words,
			 "no cubin for sm_90: %s was not done after %u s, and was ended; give it more time with "
			 "VYRE_PTXAS_SECONDS, or leave the assembling to the driver with --cubin=never",
			 script, seconds);
		expect_error(VYREC_CUBIN_AUTO, words);
	}
	unsetenv("VYRE_PTXAS_SECONDS");
	wait_until_gone(hanging());
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void a_limit_that_is_none_is_an_error(void **state)
{
	static const char *const values[] = {"", "0", "-1", "1s", "soon", "1000001", "99999999999999999999"};
	(void)state;
	pretend(numbers);
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
		char words[128];
		setenv("VYRE_PTXAS_SECONDS", values[i], 1);
		snprintf(words, sizeof words, "VYRE_PTXAS_SECONDS is \"%s\"; make it whole seconds", values[i]);
		expect_error(VYREC_CUBIN_AUTO, words);
	}
	unsetenv("VYRE_PTXAS_SECONDS");
}

/* The process that assembles ends by the signal, as it would without a child, and the child with it. */
static void a_signal_ends_both(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct ptx p;
	(void)state;
	assert_true(ptx_make(source, "sm_90", 2, VYREC_POLICY_CHECKED, &p));
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
		int status;
		pretend_to_hang();
		pid_t child = fork();
		assert_true(child >= 0);
		if (!child) {
			struct vyrec_codegen_options options = {.level = 2, .cubin = VYREC_CUBIN_REQUIRE};
			struct vyrec_slice cubin;
			signal(signals[i], SIG_DFL);
			vyrec_assemble(p.module, &options, &p.slice, &cubin, &p.diags);
			_exit(0);
		}
		pid_t grandchild = hanging();
		assert_int_equal(kill(child, signals[i]), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		wait_until_gone(grandchild);
	}
	ptx_finish(&p);
}

/* nohup is not undone, and whoever ignores children still learns how this one ended. */
static void ignored_signals_stay_ignored(void **state)
{
	char text[1024];
	(void)state;
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	snprintf(text, sizeof text, "kill -HUP %d\n%s", (int)getpid(), numbers);
	pretend(text);
	struct vyrec_slice cubin;
	struct ptx p;
	assert_true(assemble(VYREC_CUBIN_REQUIRE, &p, &cubin));
	vyrec_slice_finish(&cubin);
	ptx_finish(&p);
	assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
	assert_true(signal(SIGHUP, SIG_DFL) == SIG_IGN);
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
	one_that_hangs_is_ended(state); /* it takes its second once */
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
	    cmocka_unit_test(never_is_never),
	    cmocka_unit_test(its_words_are_the_error),
	    cmocka_unit_test(the_unit_at_fault_is_named),
	    cmocka_unit_test(an_old_one_is_like_none),
	    cmocka_unit_test(a_broken_one_is_blamed_itself),
	    cmocka_unit_test(what_cannot_run_is_an_error),
	    cmocka_unit_test(a_limit_that_is_none_is_an_error),
	    cmocka_unit_test(a_signal_ends_both),
	    cmocka_unit_test(ignored_signals_stay_ignored),
	    cmocka_unit_test(no_file_stays_open),
	    cmocka_unit_test(same_text_same_cubin),
	    cmocka_unit_test(entries_and_parameters_have_names_of_their_own),
	};
	snprintf(script, sizeof script, "/tmp/vyre-ptxas-%d", (int)getpid());
	snprintf(note, sizeof note, "/tmp/vyre-ptxas-%d.note", (int)getpid());
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(script);
	return failed;
}
