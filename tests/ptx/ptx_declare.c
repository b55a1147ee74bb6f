/* ptx_declare.c - registers and variables: names, places in their space, first values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/ptx_parse.h"

/* clang-format off */
#define TYPE_LIST(X) \
	X(".pred", 1, 'p') X(".b8", 1, 0) X(".u8", 1, 0) X(".s8", 1, 0) X(".b16", 2, 'h') X(".u16", 2, 'h') X(".s16", 2, 'h') \
	X(".f16", 2, 'h') X(".b32", 4, 'w') X(".u32", 4, 'w') X(".s32", 4, 'w') X(".f32", 4, 'w') X(".b64", 8, 'd') \
	X(".u64", 8, 'd') X(".s64", 8, 'd') X(".f64", 8, 'd')
/* clang-format on */

static uint32_t read_type(struct ptx_parser *p, char *letter)
{
	static const struct {
		const char *text;
		uint32_t bytes;
		char letter;
	} types[] = {
#define X(text, bytes, letter) {text, bytes, letter},
	    TYPE_LIST(X)
#undef X
	};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (ptx_accept(p, types[i].text)) {
			*letter = types[i].letter;
			return types[i].bytes;
		}
	ptx_refuse(p, p->at, "'%.*s' is no type", (int)p->at->bytes, p->at->text);
}

void ptx_read_registers(struct ptx_parser *p)
{
	char letter;
	read_type(p, &letter);
	do {
		struct ptx_symbol *symbol = ptx_declare(p, ptx_expect_kind(p, PTX_TOKEN_WORD), PTX_SYMBOL_REGISTER);
		if (!letter)
			ptx_refuse(p, p->at, "registers of 8 bits");
		symbol->letter = letter;
		symbol->value = p->function->slot_count;
		if (ptx_accept(p, "<")) {
			symbol->count = (uint32_t)ptx_expect_kind(p, PTX_TOKEN_NUMBER)->number;
			ptx_expect(p, ">");
		}
		p->function->slot_count += symbol->count ? symbol->count : 1;
	} while (ptx_accept(p, ","));
	ptx_expect(p, ";");
}

/* `.align 8 .b8 name[16]`, `.u64 .ptr .global .align 1 name` */
struct ptx_declaration ptx_read_declaration(struct ptx_parser *p)
{
	struct ptx_declaration d = {.align = 0};
	char letter;
	if (ptx_accept(p, ".align"))
		d.align = (uint32_t)ptx_expect_kind(p, PTX_TOKEN_NUMBER)->number;
	uint64_t vector = ptx_accept(p, ".v2") ? 2 : ptx_accept(p, ".v4") ? 4 : 1;
	d.element = read_type(p, &letter);
	if (ptx_accept(p, ".ptr")) { /* facts about what it points to */
		if (!ptx_accept(p, ".global") && !ptx_accept(p, ".shared") && !ptx_accept(p, ".const"))
			ptx_accept(p, ".local");
		if (ptx_accept(p, ".align"))
			ptx_expect_kind(p, PTX_TOKEN_NUMBER);
	}
	d.name = ptx_expect_kind(p, PTX_TOKEN_WORD);
	d.bytes = d.element * vector;
	while (ptx_accept(p, "[")) {
		if (ptx_accept(p, "]")) {
			d.open_ended = true;
			continue;
		}
		d.bytes *= ptx_expect_kind(p, PTX_TOKEN_NUMBER)->number;
		ptx_expect(p, "]");
	}
	if (!d.align)
		d.align = d.element * (uint32_t)vector;
	if (d.align & (d.align - 1) || d.bytes > UINT32_MAX)
		ptx_refuse(p, d.name, "%.*s has align %u and %llu bytes", (int)d.name->bytes, d.name->text, d.align,
			   (unsigned long long)d.bytes);
	return d;
}

static uint64_t place(uint64_t *end, const struct ptx_declaration *d)
{
	uint64_t offset = (*end + d->align - 1) / d->align * d->align;
	*end = offset + d->bytes;
	return offset;
}

uint64_t ptx_place32(uint32_t *end, const struct ptx_declaration *d)
{
	uint64_t wide = *end, offset = place(&wide, d);
	*end = (uint32_t)wide;
	return offset;
}

/* One value of an initializer: a number, or the address of a variable that was declared before. */
static uint64_t read_initial(struct ptx_parser *p)
{
	uint32_t slot;
	bool generic = ptx_accept(p, "generic");
	if (generic)
		ptx_expect(p, "(");
	const struct ptx_token *token = ptx_next(p);
	uint64_t value = token->number;
	if (token->kind == PTX_TOKEN_WORD) {
		const struct ptx_symbol *s = ptx_symbol_find(p, token, &slot);
		if (!s || s->kind != PTX_SYMBOL_VARIABLE || s->is_dynamic || (generic && s->space != PTX_GLOBAL))
			ptx_refuse(p, token, "%.*s is no address for an initializer", (int)token->bytes, token->text);
		value = s->offset;
	} else if (token->kind != PTX_TOKEN_NUMBER) {
		ptx_refuse(p, token, "'%.*s' in an initializer", (int)token->bytes, token->text);
	}
	if (generic)
		ptx_expect(p, ")");
	if (ptx_accept(p, "+"))
		value += ptx_expect_kind(p, PTX_TOKEN_NUMBER)->number;
	return value;
}

static void read_initials(struct ptx_parser *p, const struct ptx_declaration *d, uint8_t *data)
{
	bool list = ptx_accept(p, "{");
	uint64_t at = 0;
	do {
		uint64_t value = read_initial(p);
		if (at + d->element > d->bytes)
			ptx_refuse(p, p->at, "more values than %.*s holds", (int)d->name->bytes, d->name->text);
		memcpy(data + at, &value, d->element);
		at += d->element;
	} while (list && ptx_accept(p, ","));
	if (list)
		ptx_expect(p, "}");
}

static struct ptx_variable *keep_variable(struct ptx_parser *p, const struct ptx_declaration *d, enum ptx_space space)
{
	struct ptx_module *m = p->module;
	m->variables = realloc(m->variables, (m->variable_count + 1) * sizeof *m->variables);
	if (!m->variables)
		abort();
	struct ptx_variable *v = &m->variables[m->variable_count++];
	*v = (struct ptx_variable){.space = space, .align = d->align, .bytes = d->bytes};
	snprintf(v->name, sizeof v->name, "%.*s", (int)d->name->bytes, d->name->text);
	return v;
}

static uint64_t new_global(struct ptx_parser *p, const struct ptx_declaration *d)
{
	uint32_t align = d->align < 16 ? 16 : d->align;
	struct ptx_variable *v = keep_variable(p, d, PTX_GLOBAL);
	void *data = aligned_alloc(align, (d->bytes + align) / align * align);
	if (!data)
		abort();
	memset(data, 0, d->bytes);
	v->offset = (uint64_t)(uintptr_t)data;
	if (ptx_accept(p, "="))
		read_initials(p, d, data);
	return v->offset;
}

static uint64_t new_constant(struct ptx_parser *p, const struct ptx_declaration *d)
{
	struct ptx_module *m = p->module;
	uint64_t old = m->constant_bytes, offset = place(&m->constant_bytes, d);
	keep_variable(p, d, PTX_CONST)->offset = offset;
	m->constants = realloc(m->constants, m->constant_bytes + 1);
	if (!m->constants)
		abort();
	memset(m->constants + old, 0, m->constant_bytes - old);
	if (ptx_accept(p, "="))
		read_initials(p, d, m->constants + offset);
	return offset;
}

/* A variable in a space, at module level or in a body. */
void ptx_read_variable(struct ptx_parser *p, enum ptx_space space)
{
	struct ptx_declaration d = ptx_read_declaration(p);
	uint64_t offset = 0;
	switch (space) {
	case PTX_GLOBAL:
		offset = new_global(p, &d);
		break;
	case PTX_CONST:
		offset = new_constant(p, &d);
		break;
	case PTX_SHARED:
		if (p->function && !p->function->is_entry)
			ptx_refuse(p, d.name, "shared variables of a .func");
		offset = d.open_ended  ? 0
			 : p->function ? ptx_place32(&p->function->shared_bytes, &d)
				       : place(&p->module->shared_bytes, &d);
		break;
	case PTX_LOCAL:
		offset = ptx_place32(&p->function->local_bytes, &d);
		break;
	default:
		offset = ptx_place32(&p->function->call_bytes, &d);
		break;
	}
	struct ptx_symbol *s = ptx_declare(p, d.name, PTX_SYMBOL_VARIABLE);
	s->space = space;
	s->offset = offset;
	s->size = d.bytes;
	s->is_dynamic = d.open_ended;
	ptx_expect(p, ";");
}

bool ptx_accept_space(struct ptx_parser *p, enum ptx_space *space)
{
	static const struct {
		const char *text;
		enum ptx_space space;
	} spaces[] = {{".global", PTX_GLOBAL},
		      {".shared", PTX_SHARED},
		      {".local", PTX_LOCAL},
		      {".const", PTX_CONST},
		      {".param", PTX_CALL_PARAM}};
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
		if (ptx_accept(p, spaces[i].text)) {
			*space = spaces[i].space;
			return true;
		}
	return false;
}
