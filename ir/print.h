/* print.h - what the files of the printer share. Private to print*.c. */
#ifndef VYREC_PRINT_H
#define VYREC_PRINT_H
#include "ir/text.h"

struct printer {
	const struct vyrec_module *module;
	char *text;
	size_t bytes, capacity;
	unsigned indent;
	bool source;	   /* the source's comments, blank lines, radixes and declared types */
	bool flat;	   /* in a block on one line */
	bool line_started; /* something stands on the current line */
	bool block_start;  /* nothing stands yet in the current block */
	uint32_t comment;  /* next to print */
};

/* What a literal finds around it: decides whether it must say its type. */
typedef enum print_context {
	CONTEXT_NONE,  /* nothing: bare means u32 or f32 */
	CONTEXT_KNOWN, /* the reader will know the type */
	CONTEXT_CAST,  /* in a conversion, where a bare literal would become the result itself */
} print_context;

void print_text(struct printer *p, const char *text);
__attribute__((format(printf, 2, 3))) void print_format(struct printer *p, const char *format, ...);
void print_name(struct printer *p, vyrec_name name);
void print_string(struct printer *p, vyrec_name text);
void print_expr(struct printer *p, vyrec_expr expr, print_context context);
/* array[policy index] */
void print_place(struct printer *p, vyrec_array array, vyrec_policy policy, vyrec_expr index);
/* Is it made of literals alone, so that its text has no type of its own? */
bool print_is_bare(const struct vyrec_module *module, vyrec_expr expr);
/* Would its text alone be read back with another type? */
bool print_needs_type(const struct vyrec_module *module, vyrec_expr expr);
bool print_literal_needs_type(vyrec_type type, uint64_t bits);
void print_literal(struct printer *p, vyrec_type type, uint64_t bits, unsigned radix);
void print_block(struct printer *p, vyrec_block block);
void print_shared(struct printer *p, vyrec_array array);
/* Starts a line for something that the source had at loc: first the comments before it. */
void print_start_line(struct printer *p, vyrec_loc loc);
void print_end_line(struct printer *p);
void print_close(struct printer *p, vyrec_loc end); /* '}' on its own line, after the comments before it */

/* `{`, and what follows is further in. */
void print_open(struct printer *p);
void print_statements(struct printer *p, vyrec_block block);
void print_array_type(struct printer *p, vyrec_array array); /* `: u32[8]` */
/* Where the source had the block's first word and last brace; 0 = not from a source. */
vyrec_loc print_block_start(const struct printer *p, vyrec_block block);
vyrec_loc print_block_end(const struct printer *p, vyrec_block block);

#endif
