/* conform.c - reads the files of the corpus: source and directives.
 *
 * Enters: a path. Leaves: a verified module, the starting buffers and slots, and the expectations. Invariant: a line
 * that looks like a directive and is not understood is an error, so that no expectation is lost to a typing mistake.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/ring.h"
#include "tests/conformance/conform.h"

/* One directive being read. */
struct reader {
	struct conform_file *file;
	const char *at;
	uint32_t line;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s:%u: ", r->file->path, r->line);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	r->failed = true;
}

/* ---- words of a line -------------------------------------------------------------------------------------- */

static void skip_spaces(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static bool at_end(struct reader *r)
{
	skip_spaces(r);
	return !*r->at || *r->at == '\n';
}

/* The next word: up to a space, or one of = [ ]. */
static bool next_word(struct reader *r, char *word, size_t bytes)
{
	size_t n = 0;
	skip_spaces(r);
	while (*r->at && !strchr(" \t\n=[]", *r->at) && n + 1 < bytes)
		word[n++] = *r->at++;
	word[n] = 0;
	return n != 0;
}

static bool take(struct reader *r, char c)
{
	skip_spaces(r);
	if (*r->at != c)
		return false;
	r->at++;
	return true;
}

static uint64_t next_number(struct reader *r)
{
	char word[64], *end;
	if (!next_word(r, word, sizeof word)) {
		complain(r, "a number is missing");
		return 0;
	}
	uint64_t value = strtoull(word, &end, 0);
	if (*end)
		complain(r, "'%s' is not a number", word);
	return value;
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static uint64_t float_bits(vyrec_type type, double x)
{
	uint64_t bits;
	float narrow = (float)x;
	uint32_t narrow_bits;
	memcpy(&bits, &x, sizeof bits);
	memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
	if (type == VYREC_F32)
		return narrow_bits;
	return type == VYREC_F64 ? bits : vyrec_eval(VYREC_OP_to_f16_f, VYREC_F64, bits, 0, 0);
}

/* The bits of a literal as a value of a type. */
static uint64_t value_bits(struct reader *r, const char *word, vyrec_type type)
{
	char *end;
	if (type == VYREC_BOOL && (!strcmp(word, "true") || !strcmp(word, "false")))
		return word[0] == 't';
	if (vyrec_type_is_float(type) && !(word[0] == '0' && word[1] == 'x' && !strchr(word, 'p'))) {
		double x = strtod(word, &end);
		if (*end)
			complain(r, "'%s' is not a float", word);
		if (type == VYREC_F32 && strtof(word, NULL) != (float)x && x == x) {
			float narrow = strtof(word, NULL); /* one rounding, not two */
			uint32_t bits;
			memcpy(&bits, &narrow, sizeof bits);
			return bits;
		}
		return float_bits(type, x);
	}
	uint64_t value = word[0] == '-' ? (uint64_t)strtoll(word, &end, 0) : strtoull(word, &end, 0);
	if (*end)
		complain(r, "'%s' is not a value of %s", word, vyrec_type_name(type));
	unsigned bits = vyrec_type_bytes(type) * 8;
	return bits == 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

/* The type that a literal of a result word has by its form; takes the suffix off. */
static vyrec_type type_by_form(char *word)
{
	size_t n = strlen(word);
	bool hex = n > 1 && word[1] == 'x';
	if (n > 1 && word[n - 1] == 'l') {
		word[n - 1] = 0;
		return VYREC_U64;
	}
	if (n > 1 && word[n - 1] == 'd' && !hex) {
		word[n - 1] = 0;
		return VYREC_F64;
	}
	return strchr(word, '.') || strstr(word, "nan") || (strstr(word, "inf") && !hex) ? VYREC_F32 : VYREC_U32;
}

static bool is_nan_word(const char *word)
{
	return strstr(word, "nan") != NULL;
}

/* ---- directives ------------------------------------------------------------------------------------------- */

static vyrec_type find_type(const char *name)
{
	for (unsigned t = 1; t < VYREC_TYPE_COUNT; t++)
		if (!strcmp(vyrec_type_name(t), name))
			return t;
	return VYREC_VOID;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33 ^ *state;
}

static void fill_buffer(struct reader *r, struct vyrec_interp_buffer *buffer, vyrec_type type)
{
	unsigned bytes = vyrec_type_bytes(type);
	char word[64];
	const char *start = r->at;
	if (!next_word(r, word, sizeof word) || !strcmp(word, "zero"))
		return;
	bool iota = !strcmp(word, "iota"), seeded = !strcmp(word, "seed");
	uint64_t state = seeded ? next_number(r) : 0;
	if (!iota && !seeded)
		r->at = start;
	for (uint64_t k = 0; k < buffer->count; k++) {
		uint64_t bits;
		if (iota) {
			bits = vyrec_type_is_float(type) ? float_bits(type, (double)k) : k;
		} else if (seeded) {
			bits = vyrec_type_is_float(type) ? float_bits(type, (double)(next_random(&state) & 0xffff))
							 : next_random(&state);
		} else {
			if (!next_word(r, word, sizeof word))
				return;
			bits = value_bits(r, word, type);
		}
		vyrec_eval_store(type, (char *)buffer->data + k * bytes, bits);
	}
	if (!at_end(r))
		complain(r, "more values than the %llu elements", (unsigned long long)buffer->count);
}

static void read_buffer(struct reader *r)
{
	struct conform_run *run = &r->file->start;
	char name[64], type_name[16];
	next_word(r, name, sizeof name);
	next_word(r, type_name, sizeof type_name);
	vyrec_type type = find_type(type_name);
	uint64_t count = next_number(r);
	if (!type || !take(r, '=') || run->buffer_count == CONFORM_BUFFERS || count > 1 << 20) {
		complain(r, "write: buffer NAME TYPE COUNT = VALUES");
		return;
	}
	uint32_t at = run->buffer_count++;
	run->elements[at] = type;
	run->buffers[at] =
	    (struct vyrec_interp_buffer){strdup(name), vyrec_alloc(count * vyrec_type_bytes(type)), count};
	fill_buffer(r, &run->buffers[at], type);
}

static const struct vyrec_handler_node *find_op(const struct conform_file *file, const char *name)
{
	const struct vyrec_module *m = file->module;
	for (uint32_t k = 1; k < m->handler_count; k++)
		if (!strcmp(vyrec_name_text(m, m->handlers[k].name), name))
			return &m->handlers[k];
	return NULL;
}

static void read_slot(struct reader *r)
{
	struct conform_run *run = &r->file->start;
	char word[64];
	next_word(r, word, sizeof word);
	const struct vyrec_handler_node *op = find_op(r->file, word);
	if (!op || run->slot_count == CONFORM_SLOTS) {
		complain(r, "no op '%s', or too many slots", word);
		return;
	}
	uint32_t *w = run->slots[run->slot_count++].words, at = VYRE_SLOT_WORD_ARG0;
	w[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
	w[VYRE_SLOT_WORD_OPCODE] = op->opcode;
	w[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	for (uint32_t k = 0; !at_end(r); k++) {
		vyrec_type type = k < op->param_count
				      ? r->file->module->locals[r->file->module->refs[op->params + k]].type
				      : VYREC_U32;
		unsigned words = vyrec_type_bytes(type) == 8 ? 2 : 1;
		next_word(r, word, sizeof word);
		if (at + words > VYRE_SLOT_WORDS) {
			complain(r, "more than 12 argument words");
			return;
		}
		uint64_t bits = value_bits(r, word, type);
		w[at++] = (uint32_t)bits;
		if (words == 2)
			w[at++] = (uint32_t)(bits >> 32);
	}
}

static void read_run(struct reader *r)
{
	struct conform_run *run = &r->file->start;
	run->is_program = true;
	for (unsigned axis = 0; axis < 3; axis++)
		run->workgroups[axis] = at_end(r) ? 1 : (uint32_t)next_number(r);
}

static void read_bounds(struct reader *r)
{
	char word[32];
	next_word(r, word, sizeof word);
	for (unsigned p = 1; p < VYREC_POLICY_COUNT; p++)
		if (!strcmp(vyrec_policy_name(p), word))
			r->file->start.bounds = p;
	if (!r->file->start.bounds)
		complain(r, "no bounds policy '%s'", word);
}

static void read_spawn_limit(struct reader *r)
{
	r->file->start.spawn_limit = (uint32_t)next_number(r);
}

static void add_expect(struct reader *r, struct conform_expect expect)
{
	struct conform_file *f = r->file;
	expect.line = r->line;
	f->expects = vyrec_grow(f->expects, &f->expect_capacity, f->expect_count + 1, sizeof *f->expects);
	f->expects[f->expect_count++] = expect;
}

static void expect_words(struct reader *r, struct conform_expect expect, unsigned count)
{
	for (unsigned k = 0; k < count; k++)
		expect.words[k] = (uint32_t)next_number(r);
	add_expect(r, expect);
}

static void expect_results(struct reader *r, uint32_t slot)
{
	uint64_t at = next_number(r);
	char word[64];
	if (!take(r, '='))
		complain(r, "write: expect slot K result I = VALUES");
	while (!at_end(r) && next_word(r, word, sizeof word)) {
		vyrec_type type = type_by_form(word);
		struct conform_expect e = {.kind = CONFORM_WORD, .target = slot, .index = at, .type = type};
		e.bits = value_bits(r, word, type);
		e.any_nan = is_nan_word(word);
		at += vyrec_type_bytes(type) == 8 ? 2 : 1;
		if (at > VYRE_SLOT_ARGS)
			complain(r, "result words end at 12");
		add_expect(r, e);
	}
}

static void expect_slot(struct reader *r)
{
	char word[64];
	uint32_t slot = (uint32_t)next_number(r);
	if (slot >= r->file->start.slot_count)
		complain(r, "no slot %u above this line", slot);
	next_word(r, word, sizeof word);
	if (!strcmp(word, "result"))
		expect_results(r, slot);
	else if (!strcmp(word, "fault"))
		expect_words(r, (struct conform_expect){.kind = CONFORM_SLOT_FAULT, .target = slot}, 2);
	else if (!strcmp(word, "done"))
		add_expect(r, (struct conform_expect){.kind = CONFORM_DONE, .target = slot});
	else
		complain(r, "'%s' of a slot; write result, fault or done", word);
}

static void expect_elements(struct reader *r, const char *name)
{
	const struct conform_run *run = &r->file->start;
	uint32_t buffer = 0;
	char word[64];
	while (buffer < run->buffer_count && strcmp(run->buffers[buffer].name, name))
		buffer++;
	if (buffer == run->buffer_count) {
		complain(r, "no buffer '%s' above this line", name);
		return;
	}
	uint64_t at = next_number(r);
	if (!take(r, ']') || !take(r, '='))
		complain(r, "write: expect NAME[I] = VALUES");
	while (!at_end(r) && next_word(r, word, sizeof word)) {
		if (at >= run->buffers[buffer].count)
			complain(r, "%s has %llu elements", name, (unsigned long long)run->buffers[buffer].count);
		add_expect(r, (struct conform_expect){.kind = CONFORM_ELEMENT,
						      .target = buffer,
						      .index = at++,
						      .type = run->elements[buffer],
						      .bits = value_bits(r, word, run->elements[buffer]),
						      .any_nan = is_nan_word(word)});
	}
}

static void read_expect(struct reader *r)
{
	char word[64];
	next_word(r, word, sizeof word);
	if (take(r, '['))
		expect_elements(r, word);
	else if (!strcmp(word, "slot"))
		expect_slot(r);
	else if (!strcmp(word, "fault"))
		expect_words(r, (struct conform_expect){.kind = CONFORM_FAULT}, 2);
	else if (!strcmp(word, "log"))
		expect_words(r, (struct conform_expect){.kind = CONFORM_LOG}, 3);
	else
		complain(r, "cannot expect '%s'", word);
}

static const struct {
	const char *name;
	void (*read)(struct reader *r);
} directives[] = {
    {"buffer", read_buffer},	       {"slot", read_slot},	{"run", read_run}, {"bounds", read_bounds},
    {"spawn_limit", read_spawn_limit}, {"expect", read_expect},
};

static bool read_directives(struct conform_file *file)
{
	struct reader r = {.file = file};
	for (char *line = file->text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char word[64];
		r.line++;
		r.at = line;
		skip_spaces(&r);
		if (strncmp(r.at, "// ", 3))
			continue;
		r.at += 3;
		next_word(&r, word, sizeof word);
		for (unsigned k = 0; k < sizeof directives / sizeof *directives; k++)
			if (!strcmp(directives[k].name, word)) {
				directives[k].read(&r);
				if (!at_end(&r))
					complain(&r, "the rest of the line is not understood: '%.20s'", r.at);
			}
	}
	if (!file->expect_count)
		complain(&r, "the file expects nothing");
	if (file->start.is_program != (file->module->units[1].kind == VYRE_UNIT_PROGRAM))
		complain(&r, "a program needs a run directive, a set must not have one");
	if (!file->start.is_program && !file->start.slot_count)
		complain(&r, "the file runs no slot");
	return !r.failed;
}

/* ---- files ------------------------------------------------------------------------------------------------ */

static char *read_text(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return NULL;
	char *text = vyrec_alloc(VYREC_MAX_SOURCE_BYTES + 1);
	*bytes = fread(text, 1, VYREC_MAX_SOURCE_BYTES, f);
	fclose(f);
	text[*bytes] = 0;
	return text;
}

bool conform_open(struct conform_file *file, const char *path)
{
	size_t bytes = 0;
	struct vyrec_diags diags = {0};
	*file = (struct conform_file){.path = path, .text = read_text(path, &bytes)};
	if (!file->text) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return false;
	}
	file->module = vyrec_parse(path, file->text, bytes, &diags);
	bool ok = file->module && vyrec_verify(file->module, &diags);
	vyrec_diags_print(&diags, path, file->text, bytes, stderr);
	vyrec_diags_finish(&diags);
	if (ok) {
		file->start.module = file->module;
		file->start.unit = 1;
		file->start.unit_name = vyrec_name_text(file->module, file->module->units[1].name);
		ok = read_directives(file);
	}
	return ok;
}

void conform_close(struct conform_file *file)
{
	for (uint32_t k = 0; k < file->start.buffer_count; k++)
		free((char *)file->start.buffers[k].name);
	conform_finish(&file->start);
	vyrec_module_destroy(file->module);
	free(file->expects);
	free(file->text);
}
