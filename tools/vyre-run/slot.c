/* slot.c - from text to a slot: `op(1, 2, 0x3)` of the command line, {"op":"name","args":[1,2],"tenant":0} of JSON.
 *
 * In: text and the blob's op table; out: a request. Every argument is checked against the type that the blob declares
 * for it; both forms meet in add_arg, so they accept the same values. An op may be named by its opcode, also one that
 * is not in the table (a built-in): then its arguments are u32 words.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "tools/common/names.h"

static const char *const priorities[] = {"critical", "high", "normal", "low", "idle"};
enum { PRIORITIES = sizeof priorities / sizeof *priorities };

static bool fail(char message[MESSAGE_BYTES], const char *format, const char *a, const char *b)
{
	snprintf(message, MESSAGE_BYTES, format, a, b);
	return false;
}

static bool find_op(const struct context *s, const char *name, struct request *r, char message[MESSAGE_BYTES])
{
	uint64_t opcode;
	memset(r, 0, sizeof *r);
	r->slot.priority = VYRE_PRIORITY_NORMAL;
	r->op = vyre_blob_find_op(s->blob, vyre_blob_string(s->blob, s->unit->name), name);
	if (!r->op && !parse_unsigned(name, UINT32_MAX, &opcode))
		return fail(message, "set %s has no op %s", vyre_blob_string(s->blob, s->unit->name), name);
	for (uint32_t i = 0; !r->op && i < s->unit->op_count; i++) {
		const struct vyre_blob_op *op = &s->view.ops[s->unit->first_op + i];
		if (op->opcode == opcode)
			r->op = op;
	}
	r->slot.opcode = r->op ? r->op->opcode : (uint32_t)opcode;
	return true;
}

/* Appends argument `index`. */
static bool add_arg(const struct context *s, struct request *r, unsigned index, const char *text,
		    char message[MESSAGE_BYTES])
{
	const struct vyre_blob_arg *arg = NULL;
	uint32_t words[2], word = index, element = VYRE_ELEMENT_U32;
	unsigned count;
	if (r->op) {
		if (index >= r->op->arg_count)
			return fail(message, "too many arguments: %s is one more than op %s takes", text,
				    op_name(s, r));
		arg = &s->view.args[r->op->first_arg + index];
		word = arg->word;
		element = arg->element;
	}
	if (word >= VYRE_SLOT_ARGS)
		return fail(message, "too many arguments: a slot has 12 words, %s%s is beyond them", text, "");
	if (!value_parse(text, element, words, &count))
		return fail(message, "argument '%s' is no %s", text, element_name(element));
	for (unsigned i = 0; i < count && word + i < VYRE_SLOT_ARGS; i++)
		r->slot.args[word + i] = words[i];
	if (r->slot.arg_count < word + count)
		r->slot.arg_count = word + count;
	return true;
}

static bool check_count(const struct context *s, const struct request *r, unsigned given, char message[MESSAGE_BYTES])
{
	char counts[32];
	if (!r->op || given == r->op->arg_count)
		return true;
	snprintf(counts, sizeof counts, "%u arguments, %u given", r->op->arg_count, given);
	return fail(message, "op %s takes %s", op_name(s, r), counts);
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = 0;
	return text;
}

static bool parse_call(const struct context *s, char *call, struct request *r, char message[MESSAGE_BYTES])
{
	char *open = strchr(call, '('), *close = strrchr(call, ')'), *arg, *rest;
	unsigned given = 0;
	if (!open || !close || close < open || *trim(close + 1))
		return fail(message, "'%s' is not of the form %s", call, "op(1, 2, 0x3)");
	*open = *close = 0;
	if (!find_op(s, trim(call), r, message))
		return false;
	rest = *trim(open + 1) ? open + 1 : NULL;
	while ((arg = strsep(&rest, ",")) != NULL) {
		if (!add_arg(s, r, given++, trim(arg), message))
			return false;
	}
	return check_count(s, r, given, message);
}

bool slot_parse(const struct context *s, const char *text, struct request *out, char message[MESSAGE_BYTES])
{
	char *copy = strdup(text);
	if (!copy)
		return fail(message, "no memory for %s%s", text, "");
	bool ok = parse_call(s, copy, out, message);
	free(copy);
	return ok;
}

/* A JSON value as the text that the command line would have. */
static bool json_text(const json_t *value, char *text, size_t size)
{
	switch (json_typeof(value)) {
	case JSON_INTEGER:
		snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	case JSON_REAL:
		snprintf(text, size, "%.17g", json_real_value(value));
		return true;
	case JSON_STRING: /* for what JSON numbers cannot hold: "0xffffffffffffffff", "inf" */
		return (size_t)snprintf(text, size, "%s", json_string_value(value)) < size;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(text, size, "%s", json_is_true(value) ? "true" : "false");
		return true;
	default:
		return false;
	}
}

static bool json_priority(const json_t *value, uint32_t *out)
{
	for (uint32_t i = 0; i < PRIORITIES; i++) {
		if ((json_is_string(value) && !strcmp(json_string_value(value), priorities[i])) ||
		    (json_is_integer(value) && json_integer_value(value) == (json_int_t)i)) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool json_args(const struct context *s, const json_t *args, struct request *r, char message[MESSAGE_BYTES])
{
	const json_t *value;
	size_t i;
	if (args && !json_is_array(args))
		return fail(message, "\"args\" is not an array%s%s", "", "");
	json_array_foreach(args, i, value)
	{
		char text[64];
		if (!json_text(value, text, sizeof text))
			return fail(message, "an argument is neither a number, a bool nor a short string%s%s", "", "");
		if (!add_arg(s, r, (unsigned)i, text, message))
			return false;
	}
	return check_count(s, r, (unsigned)json_array_size(args), message);
}

static bool json_request(const struct context *s, json_t *line, struct request *r, char message[MESSAGE_BYTES])
{
	static const char *const known[] = {"op", "args", "tenant", "priority"};
	const json_t *op = json_object_get(line, "op"), *tenant = json_object_get(line, "tenant");
	const json_t *priority = json_object_get(line, "priority");
	const char *key;
	json_t *value;
	char name[64];
	json_object_foreach(line, key, value)
	{
		bool found = false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			found |= !strcmp(key, known[i]);
		if (!found)
			return fail(message, "unknown key \"%s\"; known are op, args, tenant, priority%s", key, "");
	}
	if (!json_is_object(line) || (!json_is_string(op) && !json_is_integer(op)) || !json_text(op, name, sizeof name))
		return fail(message, "not an object with an \"op\" (a name or a number)%s%s", "", "");
	if (!find_op(s, name, r, message))
		return false;
	if (tenant) {
		json_int_t id = json_is_integer(tenant) ? json_integer_value(tenant) : -1;
		if (id < 0 || id >= VYRE_TENANT_MASKS)
			return fail(message, "\"tenant\" is not 0 .. 28%s%s", "", "");
		r->tenant = (uint32_t)id;
	}
	if (priority && !json_priority(priority, &r->slot.priority))
		return fail(message, "\"priority\" is not critical, high, normal, low, idle or 0 .. 4%s%s", "", "");
	return json_args(s, json_object_get(line, "args"), r, message);
}

bool slot_parse_json(const struct context *s, const char *line, size_t bytes, struct request *out,
		     char message[MESSAGE_BYTES])
{
	json_error_t error;
	json_t *root = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return fail(message, "%s%s", error.text, "");
	bool ok = json_request(s, root, out, message);
	json_decref(root);
	return ok;
}
