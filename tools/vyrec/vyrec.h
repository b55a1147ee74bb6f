/* vyrec.h - what the files of the compiler driver share.
 *   main.c     which command, which options     compile.c  source -> blob, or one of the forms before it
 *   run.c      the interpreter                   fmt.c      the formatter
 *   options.c  the option tables' reader         files.c    reading, and writing all or nothing
 */
#ifndef VYREC_DRIVER_H
#define VYREC_DRIVER_H
#include "codegen/codegen.h"

enum { EXIT_FINE = 0, EXIT_BAD_INPUT = 1, EXIT_USAGE = 2 };

/* ---- options --------------------------------------------------------------------------------------------------------- */

/* A row per option. `set` returns NULL, or what is wrong with the value. */
struct option_row {
	const char *name;     /* "--target" or "-o" */
	const char *argument; /* "LIST"; NULL: takes none. Written --name=value, --name value, -o value or -ovalue */
	const char *(*set)(void *options, const char *value);
	const char *help;
};
/* Reads argv[1..]: options anywhere, `--` ends them, everything else goes to `operand`. False after a usage error, which
 * is then on stderr. */
bool options_read(const char *command, int argc, char **argv, const struct option_row *rows, void *options,
		  const char *(*operand)(void *options, const char *value));
void options_help(const struct option_row *rows, FILE *out);
/* A whole number, decimal or 0x; false if it is none or above max. */
bool parse_number(const char *text, uint64_t max, uint64_t *value);
bool parse_policy(const char *text, vyrec_policy *policy);
#define POLICY_HELP "the bounds policy is checked, clamp, trap or unchecked"

/* ---- files ----------------------------------------------------------------------------------------------------------- */

struct source {
	const char *path;
	char *text;
	size_t bytes;
};
/* Reads a file, or standard input for "-". False after a message on stderr. */
bool source_read(const char *path, struct source *out);
void source_finish(struct source *source);
/* Writes a file by way of a temporary one and a rename, or standard output for "-". False after a message. */
bool file_write(const char *path, const void *data, size_t bytes);
/* Do both paths name one regular file? */
bool is_same_file(const char *path, const char *other);

/* Parses text or VIR0, by its first bytes, and verifies. NULL after errors, which are on stderr. Times may be NULL. */
struct module_times {
	double parse, verify;
};
struct vyrec_module *source_to_module(const struct source *source, struct module_times *times);
/* Prints diagnostics with the source's lines; true if there was no error. */
bool show_diags(struct vyrec_diags *diags, const struct source *source);
double now_ms(void);

/* ---- commands -------------------------------------------------------------------------------------------------------- */

int command_compile(int argc, char **argv);
int command_run(int argc, char **argv);
int command_fmt(int argc, char **argv);

#endif
