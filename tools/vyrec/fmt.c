/* fmt.c - vyrec fmt: the canonical text of a source, with its comments.
 *
 * Enters: files. Leaves: their canonical text on standard output, or in place, or only the question whether they have
 * it. A file that does not parse is reported and left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "vyrec.h"

enum { MAX_FILES = 4096 };

struct options {
	const char *files[MAX_FILES];
	unsigned file_count;
	bool in_place, check, help;
};

#define FLAG(field) \
	static const char *set_##field(void *user, const char *value) \
	{ \
		(void)value; \
		((struct options *)user)->field = true; \
		return NULL; \
	}
FLAG(in_place)
FLAG(check)
FLAG(help)
#undef FLAG

static const struct option_row rows[] = {
    {"-i", NULL, set_in_place, "rewrite the files that need it"},
    {"--check", NULL, set_check, "name the files that need it; exit 1 if there is one"},
    {"--help", NULL, set_help, "print this and leave"},
    {0},
};

static const char *add_file(void *user, const char *value)
{
	struct options *o = user;
	if (o->file_count == MAX_FILES)
		return "too many files";
	o->files[o->file_count++] = value;
	return NULL;
}

static bool format_file(const struct options *o, const char *path)
{
	struct source source;
	struct vyrec_diags diags = {0};
	if (!source_read(path, &source))
		return false;
	struct vyrec_module *module = vyrec_parse(source.path, source.text, source.bytes, &diags);
	bool fine = show_diags(&diags, &source) && module;
	if (fine) {
		size_t bytes;
		char *text = vyrec_print(module, VYREC_PRINT_COMMENTS, &bytes);
		bool same = bytes == source.bytes && !memcmp(text, source.text, bytes);
		if (o->check) {
			if (!same)
				printf("%s\n", source.path);
			fine = same;
		} else if (!o->in_place || !strcmp(path, "-")) {
			fine = file_write("-", text, bytes);
		} else if (!same) {
			fine = file_write(path, text, bytes);
		}
		free(text);
	}
	if (module)
		vyrec_module_destroy(module);
	source_finish(&source);
	return fine;
}

int command_fmt(int argc, char **argv)
{
	struct options o = {0};
	bool fine = true;
	if (!options_read("vyrec fmt", argc, argv, rows, &o, add_file))
		return EXIT_USAGE;
	if (o.help) {
		printf("usage: vyrec fmt [options] FILE...   print the canonical text of .vyre files\n\noptions:\n");
		options_help(rows, stdout);
		return EXIT_FINE;
	}
	if (!o.file_count || (o.in_place && o.check)) {
		fprintf(stderr, "vyrec fmt: %s; see vyrec fmt --help\n",
			o.file_count ? "-i or --check, not both" : "no input");
		return EXIT_USAGE;
	}
	for (unsigned i = 0; i < o.file_count; i++)
		fine &= format_file(&o, o.files[i]);
	return fine ? EXIT_FINE : EXIT_BAD_INPUT;
}
