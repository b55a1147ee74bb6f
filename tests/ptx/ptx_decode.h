/* ptx_decode.h - what the decoders of instructions share: operands, mnemonics in parts, and one another. */
#ifndef VYRE_TESTS_PTX_DECODE_H
#define VYRE_TESTS_PTX_DECODE_H
#include "tests/ptx/ptx_parse.h"

/* A mnemonic taken apart at its dots. */
struct ptx_parts {
	const struct ptx_token *token;
	const char *at[16];
	size_t bytes[16];
	unsigned count, next;
};

struct ptx_type {
	unsigned bits; /* 0 = none */
	enum ptx_kind kind;
	bool untyped; /* b32 */
};

/* ptx_operand.c */
struct ptx_insn *ptx_emit(struct ptx_parser *p, enum ptx_op op);
struct ptx_insn *ptx_emit_value(struct ptx_parser *p, enum ptx_op op, uint32_t d, uint32_t a, uint32_t b, uint32_t c);
uint32_t ptx_constant(struct ptx_parser *p, uint64_t value);
unsigned ptx_letter_bits(char letter);
const struct ptx_symbol *ptx_named(struct ptx_parser *p, const struct ptx_token *name, uint32_t *slot);
uint32_t ptx_read_register(struct ptx_parser *p, char letter, char *width);
uint32_t ptx_read_dest(struct ptx_parser *p, char letter);
bool ptx_find_special(const struct ptx_token *token, uint32_t *index);
uint32_t ptx_read_source_width(struct ptx_parser *p, char letter, uint32_t temp, char *width);
uint32_t ptx_read_source(struct ptx_parser *p, char letter, uint32_t temp);
void ptx_read_address(struct ptx_parser *p, enum ptx_space *space, uint32_t *slot, int64_t *offset);
struct ptx_parts ptx_split(struct ptx_parser *p, const struct ptx_token *token);
bool ptx_take(struct ptx_parts *parts, const char *text);
__attribute__((noreturn)) void ptx_refuse_parts(struct ptx_parser *p, const struct ptx_parts *parts);
void ptx_end_parts(struct ptx_parser *p, const struct ptx_parts *parts);
struct ptx_type ptx_take_type(struct ptx_parts *parts);
char ptx_letter_of(unsigned bits);
char ptx_at_least(unsigned bits);
uint8_t ptx_take_scope(struct ptx_parts *parts);
enum ptx_space ptx_take_space(struct ptx_parts *parts);
uint32_t ptx_new_vector(struct ptx_parser *p, const uint32_t *slots, unsigned count);
void ptx_read_vector(struct ptx_parser *p, char letter, unsigned count, bool is_dest, uint32_t *slots, char *width);
void ptx_extend(struct ptx_parser *p, uint32_t slot, unsigned from, unsigned to);

/* A decoder a family: the parts behind the name are still to be taken. ptx_decode_memory.c, ptx_decode_control.c */
void ptx_decode_atom_result(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_red(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_load(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_store(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_fence(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_membar(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_cvta(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_isspacep(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_brx(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_call(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_barrier(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_warp(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_sleep(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_active(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_prefetch(struct ptx_parser *p, struct ptx_parts *parts);
void ptx_decode_simple(struct ptx_parser *p, struct ptx_parts *parts);

#endif
