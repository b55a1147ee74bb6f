/* options.c - reads a command line by a table of rows.
 *
 * Why not getopt_long: its table says neither what an option means nor what is done with it, so that help, parsing and
 * setting would be three lists.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vyrec.h"

static const struct option_row *find_row(const struct option_row *rows, const char *word, const char **value)
{
	bool is_long = word[1] == '-';
	for (const struct option_row *row = rows; row->name; row++) {
		size_t bytes = strlen(row->name);
		if (strncmp(word, row->name, bytes))
			continue;
		*value = word[bytes] ? word + bytes + is_long : NULL;
		if (!word[bytes] || (row->argument && (!is_long || word[bytes] == '=')))
			return row;
	}
	return NULL;
}

static bool usage(const char *command, const char *word, const char *why)
{
	fprintf(stderr, "%s: %s: %s; see %s --help\n", command, word, why, command);
	return false;
}

bool options_read(const char *command, int argc, char **argv, const struct option_row *rows, void *options,
		  const char *(*operand)(void *options, const char *value))
{
	bool only_operands = false;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *value = NULL, *wrong;
		if (!only_operands && !strcmp(word, "--")) {
			only_operands = true;
			continue;
		}
		if (only_operands || word[0] != '-' || !word[1]) {
			wrong = operand(options, word);
		} else {
			const struct option_row *row = find_row(rows, word, &value);
			if (!row)
				return usage(command, word, "no such option");
			if (row->argument && !value) {
				if (i + 1 == argc)
					return usage(command, word, "the value is missing");
				value = argv[++i];
			}
			wrong = row->set(options, value);
		}
		if (wrong)
			return usage(command, word, wrong);
	}
	return true;
}

void options_help(const struct option_row *rows, FILE *out)
{
	for (const struct option_row *row = rows; row->name; row++) {
		char left[64];
		const char *join = !row->argument ? "" : row->name[1] == '-' ? "=" : strlen(row->name) > 2 ? "" : " ";
		snprintf(left, sizeof left, "%s%s%s", row->name, join, row->argument ? row->argument : "");
		fprintf(out, "  %-28s %s\n", left, row->help);
	}
}

bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return end != text && !*end && !errno && *text != '-' && *value <= max;
}

bool parse_policy(const char *text, vyrec_policy *policy)
{
	for (*policy = VYREC_POLICY_CHECKED; *policy < VYREC_POLICY_COUNT; ++*policy)
		if (!strcmp(text, vyrec_policy_name(*policy)))
			return true;
	return false;
}
