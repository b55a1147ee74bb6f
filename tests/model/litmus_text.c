/* litmus_text.c - reads litmus programs.
 *
 *     litmus NAME what it is about
 *     thread [FILE FUNCTION]                  FILE and FUNCTION: where the operations below stand; `at` changes them
 *       load  LOCATION ORDER [-> REGISTER]    | TEXT
 *       store LOCATION VALUE ORDER            | TEXT
 *       add   LOCATION VALUE ORDER [-> REGISTER] | TEXT      swap likewise; the register gets the value before
 *       cas   LOCATION EXPECTED VALUE ORDER [-> REGISTER] | TEXT
 *       fence ORDER                           | TEXT
 *       at    FILE FUNCTION
 *     forbidden NAME=VALUE ...                or `allowed`; NAME: a register, or a location's last value
 *
 * ORDER is relaxed, acquire, release, acqrel or seqcst; ORDER>WEAKER adds a twin program in which this one operation has
 * the weaker order (none: is not there), and which must allow what the program forbids. ORDER>>WEAKER: one twin for all
 * of these together, where either of two ways suffices. TEXT is what the operation stands for, up to its last
 * arguments. '#' starts a comment.
 */
#include "litmus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const litmus_order_names[LITMUS_ORDERS] = {"relaxed", "acquire", "release", "acqrel", "seqcst"};
static const char *const kind_names[LITMUS_KINDS] = {"load", "store", "add", "swap", "cas", "fence"};

struct reader {
	struct litmus *at; /* NULL: none begun */
	char file[LITMUS_TEXT], function[LITMUS_TEXT];
	int line;
	const char *error;
};

static int find_name(const char *const *names, int count, const char *name)
{
	int i;

	for (i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/* The index of a name, which is added when it is new and there is room; -1 if not. */
static int intern(char (*names)[32], int *count, int max, const char *name, int may_add)
{
	int i;

	for (i = 0; i < *count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	if (!may_add || *count == max || strlen(name) >= 32)
		return -1;
	strcpy(names[(*count)++], name);
	return i;
}

static char *word(struct reader *reader)
{
	char *next = strtok(NULL, " \t");

	if (!next && !reader->error)
		reader->error = "the line is too short";
	return next ? next : (char *)"";
}

static int32_t number(struct reader *reader)
{
	char *end, *text = word(reader);
	long value = strtol(text, &end, 10);

	if ((end == text || *end) && !reader->error)
		reader->error = "not a number";
	return (int32_t)value;
}

static void read_order(struct reader *reader, struct litmus_op *op)
{
	char *text = word(reader), *weak = strchr(text, '>');
	int order, weaker;

	if (weak) {
		*weak++ = 0;
		op->is_joint = *weak == '>';
		weak += op->is_joint;
	}
	order = find_name(litmus_order_names, LITMUS_ORDERS, text);
	weaker = !weak			     ? order
		 : strcmp(weak, "none") == 0 ? LITMUS_ORDERS
					     : find_name(litmus_order_names, LITMUS_ORDERS, weak);
	if ((order < 0 || weaker < 0) && !reader->error)
		reader->error = "no such order";
	op->order = (enum litmus_order)(order < 0 ? 0 : order);
	op->weak = (enum litmus_order)(weaker < 0 ? 0 : weaker);
}

static void read_op(struct reader *reader, int kind, const char *text)
{
	struct litmus *at = reader->at;
	struct litmus_op *op = &at->ops[at->op_count];
	char *arrow;

	if (at->op_count == LITMUS_OPS || at->thread_count == 0) {
		reader->error = "no thread yet, or too many operations";
		return;
	}
	*op = (struct litmus_op){.kind = (enum litmus_kind)kind, .thread = at->thread_count - 1, .out = -1};
	op->line = reader->line;
	if (kind != LITMUS_FENCE)
		op->location = intern(at->locations, &at->location_count, LITMUS_LOCATIONS, word(reader), 1);
	if (kind == LITMUS_CAS)
		op->expected = number(reader);
	if (kind != LITMUS_FENCE && kind != LITMUS_LOAD)
		op->value = number(reader);
	read_order(reader, op);
	arrow = strtok(NULL, " \t");
	if (arrow && strcmp(arrow, "->") == 0)
		op->out = intern(at->registers, &at->register_count, LITMUS_REGISTERS, word(reader), 1);
	else if (arrow)
		reader->error = "what follows the order is not '-> REGISTER'";
	if (op->location < 0 || (arrow && op->out < 0))
		reader->error = "too many names";
	if (text) {
		snprintf(op->text, sizeof(op->text), "%s", text);
		memcpy(op->file, reader->file, sizeof(op->file));
		memcpy(op->function, reader->function, sizeof(op->function));
		if (!op->file[0] || strlen(text) >= sizeof(op->text))
			reader->error = "a place without a file, or too long";
	}
	at->op_count++;
}

static void read_outcome(struct reader *reader)
{
	struct litmus *at = reader->at;
	char *name;

	while ((name = strtok(NULL, " \t")) != NULL) {
		struct litmus_condition *c = &at->conditions[at->condition_count];
		char *value = strchr(name, '=');

		if (!value || at->condition_count == LITMUS_CONDITIONS) {
			reader->error = "an outcome is NAME=VALUE ...";
			return;
		}
		*value++ = 0;
		c->value = (int32_t)strtol(value, NULL, 10);
		c->index = intern(at->registers, &at->register_count, LITMUS_REGISTERS, name, 0);
		if (c->index < 0) {
			c->is_location = 1;
			c->index = intern(at->locations, &at->location_count, LITMUS_LOCATIONS, name, 0);
		}
		if (c->index < 0)
			reader->error = "an outcome names no register or location of the program";
		at->condition_count++;
	}
	if (at->condition_count == 0)
		reader->error = "an outcome is NAME=VALUE ...";
}

static void read_place(struct reader *reader, int may_be_missing)
{
	char *file = strtok(NULL, " \t"), *function = strtok(NULL, " \t");

	reader->file[0] = reader->function[0] = 0;
	if (!file && may_be_missing)
		return;
	if (!file || !function) {
		reader->error = "a place is FILE FUNCTION";
		return;
	}
	snprintf(reader->file, sizeof(reader->file), "%s", file);
	snprintf(reader->function, sizeof(reader->function), "%s", function);
}

static void read_line(struct reader *reader, char *line, struct litmus *out, int *count, int max)
{
	char *text = strstr(line, " | "), *first;
	int kind;

	if (text) {
		*text = 0;
		text += 3 + strspn(text + 3, " \t");
	}
	first = strtok(line, " \t");
	if (!first)
		return;
	if (strcmp(first, "litmus") == 0) {
		char *rest;

		if (*count == max) {
			reader->error = "too many programs";
			return;
		}
		reader->at = &out[(*count)++];
		memset(reader->at, 0, sizeof(*reader->at));
		snprintf(reader->at->name, sizeof(reader->at->name), "%s", word(reader));
		rest = strtok(NULL, "");
		snprintf(reader->at->says, sizeof(reader->at->says), "%s", rest ? rest : "");
		return;
	}
	if (!reader->at || reader->at->condition_count) {
		reader->error = "a program starts with 'litmus NAME'";
		return;
	}
	kind = find_name(kind_names, LITMUS_KINDS, first);
	if (kind >= 0) {
		read_op(reader, kind, text);
	} else if (strcmp(first, "thread") == 0) {
		reader->at->thread_count++;
		read_place(reader, 1);
	} else if (strcmp(first, "at") == 0) {
		read_place(reader, 0);
	} else if (strcmp(first, "forbidden") == 0 || strcmp(first, "allowed") == 0) {
		reader->at->is_allowed = first[0] == 'a';
		read_outcome(reader);
	} else {
		reader->error = "no such line";
	}
}

int litmus_read(const char *path, struct litmus *out, int max)
{
	struct reader reader = {0};
	char line[512];
	FILE *file = fopen(path, "r");
	int count = 0;

	if (!file) {
		fprintf(stderr, "cannot open %s\n", path);
		return -1;
	}
	while (!reader.error && fgets(line, sizeof(line), file)) {
		reader.line++;
		line[strcspn(line, "#\n")] = 0;
		read_line(&reader, line, out, &count, max);
	}
	fclose(file);
	if (!reader.error && count > 0 && out[count - 1].condition_count == 0)
		reader.error = "the last program has no outcome";
	if (!reader.error)
		return count;
	fprintf(stderr, "%s:%d: %s\n", path, reader.line, reader.error);
	return -1;
}
