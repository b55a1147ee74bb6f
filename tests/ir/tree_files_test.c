/* tree_files_test.c - every .vyre file of the tree through every form: text, VIR0, clone, fmt.
 *
 * Files that mean to be refused (lit tests of diagnostics) and fragments (the prelude, the scheduler's pieces) do not
 * parse; they are counted, and a file outside those places that does not parse is a failure.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

static unsigned files, refused, failures;

static char *read_file(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*bytes = (size_t)ftell(f);
	rewind(f);
	char *text = malloc(*bytes + 1);
	*bytes = fread(text, 1, *bytes, f);
	text[*bytes] = 0;
	fclose(f);
	return text;
}

/* Not whole files, or files that are wrong on purpose. */
static bool may_be_refused(const char *path)
{
	static const char *const places[] = {"/passes/mega/", "/ir/math.vyre", "/tests/text/", "/tests/tools/"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strstr(path, places[i]))
			return true;
	return false;
}

static void same(const char *path, const char *what, const char *want, size_t want_bytes, const char *have,
		 size_t have_bytes)
{
	if (have && want_bytes == have_bytes && !memcmp(want, have, want_bytes))
		return;
	print_error("%s: %s differs\n", path, what);
	failures++;
}

/* Prints a module that should print as `want`, and destroys it. */
static void prints_as(const char *path, const char *what, struct vyrec_module *module, unsigned flags, const char *want,
		      size_t want_bytes)
{
	size_t bytes = 0;
	char *text = module ? vyrec_print(module, flags, &bytes) : NULL;
	same(path, what, want, want_bytes, text, bytes);
	free(text);
	vyrec_module_destroy(module);
}

static void check_forms(const char *path, const struct vyrec_module *module)
{
	struct vyrec_diags diags = {0};
	size_t bytes, fmt_bytes, vir0_bytes;
	char *text = vyrec_print(module, 0, &bytes), *fmt = vyrec_print(module, VYREC_PRINT_COMMENTS, &fmt_bytes);
	uint8_t *vir0 = vyrec_vir0_write(module, &vir0_bytes);
	prints_as(path, "print(parse(print))", vyrec_parse(path, text, bytes, &diags), 0, text, bytes);
	prints_as(path, "print(parse(fmt))", vyrec_parse(path, fmt, fmt_bytes, &diags), 0, text, bytes);
	prints_as(path, "fmt(parse(fmt))", vyrec_parse(path, fmt, fmt_bytes, &diags), VYREC_PRINT_COMMENTS, fmt,
		  fmt_bytes);
	prints_as(path, "print(vir0)", vyrec_vir0_read(path, vir0, vir0_bytes, &diags), 0, text, bytes);
	prints_as(path, "print(clone)", vyrec_module_clone(module), 0, text, bytes);
	free(text);
	free(fmt);
	free(vir0);
	vyrec_diags_finish(&diags);
}

static int visit(const char *path, const struct stat *info, int type, struct FTW *place)
{
	size_t length = strlen(path), bytes = 0;
	(void)info;
	if (type == FTW_D && (!strncmp(path + place->base, "build", 5) || path[place->base] == '.') && place->level)
		return FTW_SKIP_SUBTREE;
	if (type != FTW_F || length < 5 || strcmp(path + length - 5, ".vyre"))
		return FTW_CONTINUE;
	struct vyrec_diags diags = {0};
	char *text = read_file(path, &bytes);
	struct vyrec_module *module = text ? vyrec_parse(path, text, bytes, &diags) : NULL;
	if (module && vyrec_verify(module, &diags)) {
		files++;
		check_forms(path, module);
	} else if (may_be_refused(path)) {
		refused++;
	} else {
		vyrec_diags_print(&diags, path, text, bytes, stderr);
		failures++;
	}
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
	free(text);
	return FTW_CONTINUE;
}

static void every_file_round_trips(void **state)
{
	(void)state;
	assert_int_equal(nftw(VYRE_SOURCE_DIR, visit, 16, FTW_ACTIONRETVAL | FTW_PHYS), 0);
	print_message("%u files in every form, %u that are to be refused\n", files, refused);
	assert_true(files >= 100);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_round_trips)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
