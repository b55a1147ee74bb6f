/* run.c - vyrec run: a set or program in the reference interpreter.
 *
 * Enters: a source, slots or a grid, buffers. Leaves: what each slot came to, what the buffers hold, the log, and the
 * races that were seen, on standard output. The same seed gives the same output.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/ring.h"
#include "tools/common/value.h"
#include "vyrec.h"

enum { MAX_SLOTS = 1024, MAX_BUFFERS = 64, SHOWN = 8 };

struct options {
	const char *input, *program, *set;
	const char *slots[MAX_SLOTS];
	const char *buffers[MAX_BUFFERS];
	unsigned slot_count, buffer_count;
	uint32_t workgroups[3];
	struct vyrec_interp_options interp;
	bool help;
};

/* ---- options --------------------------------------------------------------------------------------------------------- */

static const char *set_slot(void *user, const char *value)
{
	struct options *o = user;
	if (o->slot_count == MAX_SLOTS)
		return "too many slots";
	o->slots[o->slot_count++] = value;
	return NULL;
}

static const char *set_buffer(void *user, const char *value)
{
	struct options *o = user;
	if (!strchr(value, '='))
		return "write name=path or name=zero:COUNT";
	if (o->buffer_count == MAX_BUFFERS)
		return "too many buffers";
	o->buffers[o->buffer_count++] = value;
	return NULL;
}

static const char *set_lanes(void *user, const char *value)
{
	uint64_t lanes;
	if (!parse_number(value, VYREC_MAX_LANES, &lanes) || !lanes)
		return "lanes are 1 to 1024";
	((struct options *)user)->interp.lanes = (uint32_t)lanes;
	return NULL;
}

static const char *set_seed(void *user, const char *value)
{
	return parse_number(value, UINT64_MAX, &((struct options *)user)->interp.seed) ? NULL : "a seed is a number";
}

static const char *set_workers(void *user, const char *value)
{
	uint64_t workers;
	if (!parse_number(value, MAX_SLOTS, &workers) || !workers)
		return "workers are 1 to 1024";
	((struct options *)user)->interp.workers = (uint32_t)workers;
	return NULL;
}

static const char *set_spawn_limit(void *user, const char *value)
{
	uint64_t limit;
	if (!parse_number(value, VYRE_MAX_SLOTS, &limit) || !limit)
		return "a spawn limit is 1 to 1048576";
	((struct options *)user)->interp.spawn_limit = (uint32_t)limit;
	return NULL;
}

static const char *set_bounds(void *user, const char *value)
{
	return parse_policy(value, &((struct options *)user)->interp.bounds) ? NULL : POLICY_HELP;
}

static const char *set_program(void *user, const char *value)
{
	((struct options *)user)->program = value;
	return NULL;
}

static const char *set_set(void *user, const char *value)
{
	((struct options *)user)->set = value;
	return NULL;
}

static const char *set_workgroups(void *user, const char *value)
{
	struct options *o = user;
	char text[64], *part, *rest = text;
	unsigned axis = 0;
	snprintf(text, sizeof text, "%s", value);
	while ((part = strsep(&rest, ","))) {
		uint64_t count;
		if (axis == 3 || !parse_number(part, 65535, &count) || !count)
			return "write X, X,Y or X,Y,Z, each 1 to 65535";
		o->workgroups[axis++] = (uint32_t)count;
	}
	return NULL;
}

static const char *set_help(void *user, const char *value)
{
	(void)value;
	((struct options *)user)->help = true;
	return NULL;
}

static const struct option_row rows[] = {
    {"--slot", "OP(ARGS)", set_slot, "publish a slot, as in 'crc32(0, 16)'; may be given again"},
    {"--set", "NAME", set_set, "the set that the slots are for; default: the first"},
    {"--program", "NAME", set_program, "run a program; default: the first, where no slot is given"},
    {"--workgroups", "X[,Y[,Z]]", set_workgroups, "how many workgroups of the program; default 1"},
    {"--buffer", "NAME=WHAT", set_buffer, "a file's bytes, or zero:COUNT elements; default: the declared count"},
    {"--lanes", "N", set_lanes, "lanes of a handler by workgroup of any width; default 1"},
    {"--workers", "N", set_workers, "slots in flight at once; default 1"},
    {"--spawn-limit", "N", set_spawn_limit, "slots spawned and not retired at once; default 65536"},
    {"--seed", "N", set_seed, "of the scheduler that interleaves lanes; default 0, round robin"},
    {"--bounds", "POLICY", set_bounds, "where the source names none; default checked"},
    {"--help", NULL, set_help, "print this and leave"},
    {0},
};

static const char *set_input(void *user, const char *value)
{
	struct options *o = user;
	if (o->input)
		return "one input at a time";
	o->input = value;
	return NULL;
}

/* ---- buffers --------------------------------------------------------------------------------------------------------- */

struct bound {
	struct vyrec_interp_buffer *rows;
	vyrec_array *arrays;
	uint32_t count;
};

static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "vyrec run: %s: %s\n", what, why);
	return false;
}

static const char *given_for(const struct options *o, const char *name)
{
	size_t bytes = strlen(name);
	for (unsigned i = 0; i < o->buffer_count; i++)
		if (!strncmp(o->buffers[i], name, bytes) && o->buffers[i][bytes] == '=')
			return o->buffers[i] + bytes + 1;
	return NULL;
}

static bool fill_buffer(const struct options *o, const struct vyrec_array_node *array, struct vyrec_interp_buffer *row)
{
	const char *given = given_for(o, row->name);
	unsigned element = vyrec_type_bytes(array->element);
	uint64_t count = array->count;
	if (given && !strncmp(given, "zero:", 5)) {
		if (!parse_number(given + 5, UINT64_C(1) << 30, &count))
			return complain(given, "a count is a number up to 2^30");
	} else if (given) {
		struct source file;
		if (!source_read(given, &file))
			return false;
		count = (file.bytes + element - 1) / element;
		row->data = vyrec_alloc(count * element);
		if (file.bytes)
			memcpy(row->data, file.text, file.bytes);
		source_finish(&file);
	}
	if (count < array->count) {
		fprintf(stderr, "vyrec run: buffer %s has %llu elements, its declaration asks for %u\n", row->name,
			(unsigned long long)count, array->count);
		return false;
	}
	if (!row->data)
		row->data = vyrec_alloc(count * element);
	row->count = count;
	return true;
}

static bool bind_buffers(const struct options *o, const struct vyrec_module *m, vyrec_unit unit, struct bound *bound)
{
	const struct vyrec_unit_node *u = &m->units[unit];
	bound->rows = vyrec_alloc((u->item_count + 1) * sizeof *bound->rows);
	bound->arrays = vyrec_alloc((u->item_count + 1) * sizeof *bound->arrays);
	for (uint32_t i = 0; i < u->item_count; i++) {
		vyrec_array index = m->refs[u->items + 2 * i + 1];
		if (m->refs[u->items + 2 * i] != VYREC_ITEM_BUFFER)
			continue;
		bound->arrays[bound->count] = index;
		bound->rows[bound->count].name = vyrec_name_text(m, m->arrays[index].name);
		if (!fill_buffer(o, &m->arrays[index], &bound->rows[bound->count++]))
			return false;
	}
	for (unsigned i = 0; i < o->buffer_count; i++) {
		uint32_t k = 0;
		while (k < bound->count && given_for(o, bound->rows[k].name) != strchr(o->buffers[i], '=') + 1)
			k++;
		if (k == bound->count)
			return complain(o->buffers[i], "no such buffer, or it is given twice");
	}
	return true;
}

static void print_element(vyrec_type type, const void *place)
{
	uint64_t bits = vyrec_eval_load(type, place);
	vyrec_type value = vyrec_type_of_element(type);
	if (value == VYREC_F32) {
		float f;
		memcpy(&f, &bits, sizeof f);
		printf(" %g", (double)f);
	} else if (value == VYREC_F64) {
		double f;
		memcpy(&f, &bits, sizeof f);
		printf(" %g", f);
	} else if (value == VYREC_I32) {
		printf(" %d", (int32_t)bits);
	} else if (value == VYREC_I64) {
		printf(" %lld", (long long)bits);
	} else {
		printf(" %llu", (unsigned long long)bits);
	}
}

static void print_buffers(const struct vyrec_module *m, const struct bound *bound)
{
	for (uint32_t i = 0; i < bound->count; i++) {
		const struct vyrec_interp_buffer *row = &bound->rows[i];
		vyrec_type type = m->arrays[bound->arrays[i]].element;
		unsigned bytes = vyrec_type_bytes(type);
		uint64_t nonzero = 0;
		for (uint64_t k = 0; k < row->count; k++)
			nonzero += vyrec_eval_load(type, (const char *)row->data + k * bytes) != 0;
		printf("buffer %s: %llu x %s, %llu nonzero:", row->name, (unsigned long long)row->count,
		       vyrec_type_name(type), (unsigned long long)nonzero);
		for (uint64_t k = 0; k < row->count && k < SHOWN; k++)
			print_element(type, (const char *)row->data + k * bytes);
		printf("%s\n", row->count > SHOWN ? " ..." : "");
	}
}

static void finish_buffers(struct bound *bound)
{
	for (uint32_t i = 0; i < bound->count; i++)
		free(bound->rows[i].data);
	free(bound->rows);
	free(bound->arrays);
}

/* ---- slots ----------------------------------------------------------------------------------------------------------- */

static vyrec_handler find_op(const struct vyrec_module *m, vyrec_unit set, const char *name)
{
	const struct vyrec_unit_node *u = &m->units[set];
	for (uint32_t i = 0; i < u->item_count; i++) {
		uint32_t index = m->refs[u->items + 2 * i + 1];
		if (m->refs[u->items + 2 * i] == VYREC_ITEM_HANDLER &&
		    !strcmp(vyrec_name_text(m, m->handlers[index].name), name))
			return index;
	}
	return 0;
}

static bool parse_slot(const struct vyrec_module *m, vyrec_unit set, const char *given, struct vyrec_interp_slot *slot)
{
	char text[512], *rest = text, *argument;
	uint32_t word = VYRE_SLOT_WORD_ARG0, count = 0;
	size_t bytes = strlen(given);
	if (bytes >= sizeof text || !strchr(given, '(') || given[bytes - 1] != ')')
		return complain(given, "write op(arg, arg, ...)");
	for (const char *p = given; *p; p++) /* spaces mean nothing */
		if (*p != ' ')
			*rest++ = *p;
	rest[-1] = 0;
	rest = text;
	const char *name = strsep(&rest, "(");
	vyrec_handler op = find_op(m, set, name);
	if (!op)
		return complain(given, "the set has no such op");
	const struct vyrec_handler_node *h = &m->handlers[op];
	while (*rest && (argument = strsep(&rest, ",")) && count < h->param_count) {
		vyrec_type type = m->locals[m->refs[h->params + count++]].type;
		uint32_t words[2];
		unsigned word_count;
		if (!value_parse(argument, type, words, &word_count))
			return complain(argument, "not a value of the parameter's type");
		memcpy(&slot->words[word], words, word_count * sizeof *words);
		word += word_count;
		if (!rest)
			break;
	}
	if (count != h->param_count || (rest && *rest))
		return complain(given, "the op has another number of parameters");
	slot->words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	slot->words[VYRE_SLOT_WORD_OPCODE] = h->opcode;
	slot->words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	return true;
}

/* ---- results --------------------------------------------------------------------------------------------------------- */

static void print_result(const struct vyrec_module *m, const struct vyrec_interp_result *r)
{
	for (uint32_t i = 0; i < r->log_count && i < sizeof r->logs / sizeof *r->logs; i++)
		printf("log %u: %u %u\n", r->logs[i][0], r->logs[i][1], r->logs[i][2]);
	for (uint32_t i = 0; i < r->race_count && i < sizeof r->races / sizeof *r->races; i++) {
		const struct vyrec_race *race = &r->races[i];
		printf("race on %s[%llu]: %s, lines %u and %u\n", vyrec_name_text(m, m->arrays[race->array].name),
		       (unsigned long long)race->element, race->write_write ? "two writes" : "a read and a write",
		       VYREC_LOC_LINE(race->first), VYREC_LOC_LINE(race->second));
	}
	if (r->message[0])
		printf("%s\n", r->message);
	if (r->status == VYRE_FAULT && r->fault_code)
		printf("fault %u, detail %u\n", r->fault_code, r->fault_detail);
}

/* Four words, and what else is not 0. */
static void print_words(const char *slot, const char *status, const uint32_t *args)
{
	unsigned count = VYRE_SLOT_ARGS;
	while (count > 4 && !args[count - 1])
		count--;
	printf("%s: %s %u (0x%x)", slot, status, args[0], args[0]);
	for (unsigned i = 1; i < count; i++)
		printf(" %u", args[i]);
	printf("\n");
}

/* What became of slots that no option names; `own`: those that were published and faulted. */
static void print_spawned(const struct vyrec_interp_result *r, uint32_t own)
{
	if (r->spawned)
		printf("spawned: %u slots, %u of them FAULT\n", r->spawned, r->faults - own);
}

static bool run_slots(const struct options *o, struct vyrec_module *m, vyrec_unit set)
{
	struct bound bound = {0};
	struct vyrec_interp_slot *slots = vyrec_alloc(o->slot_count * sizeof *slots);
	struct vyrec_interp_result *result = vyrec_alloc(sizeof *result);
	uint32_t faults = 0;
	bool fine = bind_buffers(o, m, set, &bound);
	for (unsigned i = 0; fine && i < o->slot_count; i++)
		fine = parse_slot(m, set, o->slots[i], &slots[i]);
	if (fine) {
		vyrec_interp_slots(m, set, slots, o->slot_count, bound.rows, bound.count, &o->interp, result);
		for (unsigned i = 0; i < o->slot_count; i++) {
			const uint32_t *args = slots[i].words + VYRE_SLOT_WORD_ARG0;
			if (slots[i].words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_FAULT)
				printf("%s: FAULT code %u detail %u\n", o->slots[i], args[0], args[1]);
			else
				print_words(
				    o->slots[i],
				    slots[i].words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_DONE ? "DONE" : "not run", args);
			fine &= slots[i].words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_DONE;
			faults += slots[i].words[VYRE_SLOT_WORD_STATUS] == VYRE_SLOT_FAULT;
		}
		print_spawned(result, faults);
		print_buffers(m, &bound);
		print_result(m, result);
		fine &= result->status == VYRE_OK && !result->race_count;
	}
	finish_buffers(&bound);
	free(slots);
	free(result);
	return fine;
}

static bool run_program(const struct options *o, struct vyrec_module *m, vyrec_unit program)
{
	struct bound bound = {0};
	struct vyrec_interp_result *result = vyrec_alloc(sizeof *result);
	bool fine = bind_buffers(o, m, program, &bound);
	if (fine) {
		vyrec_interp_program(m, program, o->workgroups, bound.rows, bound.count, &o->interp, result);
		print_buffers(m, &bound);
		print_result(m, result);
		fine = result->status == VYRE_OK && !result->race_count;
	}
	finish_buffers(&bound);
	free(result);
	return fine;
}

static vyrec_unit find_unit(const struct vyrec_module *m, unsigned kind, const char *name)
{
	for (vyrec_unit unit = 1; unit < m->unit_count; unit++)
		if (m->units[unit].kind == kind && (!name || !strcmp(name, vyrec_name_text(m, m->units[unit].name))))
			return unit;
	return 0;
}

int command_run(int argc, char **argv)
{
	struct options o = {.workgroups = {1, 1, 1}, .interp = {.detect_races = true}};
	struct source source;
	if (!options_read("vyrec run", argc, argv, rows, &o, set_input))
		return EXIT_USAGE;
	if (o.help) {
		printf("usage: vyrec run [options] FILE   run slots or a program in the interpreter\n\noptions:\n");
		options_help(rows, stdout);
		return EXIT_FINE;
	}
	if (!o.input || (o.program && o.slot_count)) {
		fprintf(stderr, "vyrec run: %s; see vyrec run --help\n",
			o.input ? "--slot or --program, not both" : "no input");
		return EXIT_USAGE;
	}
	if (!source_read(o.input, &source))
		return EXIT_BAD_INPUT;
	struct vyrec_module *module = source_to_module(&source, NULL);
	bool fine = false;
	if (module) {
		unsigned kind = o.slot_count ? VYRE_UNIT_SET : VYRE_UNIT_PROGRAM;
		vyrec_unit unit = find_unit(module, kind, o.slot_count ? o.set : o.program);
		if (!unit)
			complain(o.input,
				 o.slot_count ? "no such set" : "no such program; --slot runs the op of a set");
		else
			fine = o.slot_count ? run_slots(&o, module, unit) : run_program(&o, module, unit);
		vyrec_module_destroy(module);
	}
	source_finish(&source);
	return fine ? EXIT_FINE : EXIT_BAD_INPUT;
}
