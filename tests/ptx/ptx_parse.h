/* ptx_parse.h - what ptx_parse.c, which reads declarations, and ptx_decode.c, which reads instructions, share. */
#ifndef VYRE_TESTS_PTX_PARSE_H
#define VYRE_TESTS_PTX_PARSE_H
#include "tests/ptx/ptx_internal.h"
#include "tests/ptx/ptx_lex.h"

enum ptx_symbol_kind { PTX_SYMBOL_REGISTER, PTX_SYMBOL_VARIABLE, PTX_SYMBOL_LABEL, PTX_SYMBOL_TABLE };
struct ptx_symbol {
	const char *text;
	uint32_t bytes;
	enum ptx_symbol_kind kind;
	char letter;	/* REGISTER: p h w d */
	uint32_t count; /* REGISTER: 0 = this name; else name0 .. name(count - 1) */
	uint32_t value; /* slot, pc, table */
	enum ptx_space space;
	bool is_dynamic;
	uint64_t offset, size;
};

struct ptx_fixup { /* a branch, or an entry of a table, to a label not yet seen */
	const struct ptx_token *label;
	uint32_t depth, insn, table, entry;
};

struct ptx_parser {
	const struct ptx_token *at;
	struct ptx_module *module;
	struct ptx_function *function;
	struct ptx_symbol *symbols;
	uint32_t symbol_count, symbol_room, depth, scopes[64]; /* first symbol of each open scope */
	struct ptx_fixup *fixups;
	uint32_t fixup_count, fixup_room;
	char *message;
	jmp_buf escape;
};

/* Grows *items, of `size` bytes each, to hold one more than count. */
void ptx_grow(void *items, uint32_t count, uint32_t *room, size_t size);
__attribute__((noreturn, format(printf, 3, 4))) void ptx_refuse(struct ptx_parser *p, const struct ptx_token *at,
								const char *format, ...);
const struct ptx_token *ptx_next(struct ptx_parser *p);
bool ptx_accept(struct ptx_parser *p, const char *text);
void ptx_expect(struct ptx_parser *p, const char *text);
/* The innermost symbol of that name; a register of a range has its slot in *slot. NULL: none. */
const struct ptx_symbol *ptx_symbol_find(struct ptx_parser *p, const struct ptx_token *name, uint32_t *slot);
struct ptx_function *ptx_function_find(struct ptx_parser *p, const struct ptx_token *name);
void ptx_fixup_add(struct ptx_parser *p, const struct ptx_token *label, uint32_t insn, uint32_t table, uint32_t entry);

const struct ptx_token *ptx_expect_kind(struct ptx_parser *p, enum ptx_token_kind kind);
/* A new symbol of the innermost scope. */
struct ptx_symbol *ptx_declare(struct ptx_parser *p, const struct ptx_token *name, enum ptx_symbol_kind kind);

/* ptx_declare.c */
struct ptx_declaration {
	const struct ptx_token *name;
	uint32_t align, element;
	uint64_t bytes;
	bool open_ended; /* name[] */
};
/* `.align 8 .b8 name[16]`, `.u64 .ptr .global .align 1 name` */
struct ptx_declaration ptx_read_declaration(struct ptx_parser *p);
uint64_t ptx_place32(uint32_t *end, const struct ptx_declaration *d); /* its offset; *end moves behind it */
bool ptx_accept_space(struct ptx_parser *p, enum ptx_space *space);
/* What follows `.reg`, or the name of a space. */
void ptx_read_registers(struct ptx_parser *p);
void ptx_read_variable(struct ptx_parser *p, enum ptx_space space);

/* ptx_decode.c: one instruction with its operands, up to and with the semicolon. */
void ptx_decode(struct ptx_parser *p);

#endif
