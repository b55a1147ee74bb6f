/* parse.h - what the files of the parser share. Private to parse*.c.
 *
 *   parse.c       a file: units, bodies, the order of reading, the prelude
 *   parse_item.c  declarations: the first reading of a unit
 *   parse_token.c tokens, errors, limits
 *   parse_stmt.c  statements, blocks, control
 *   parse_var.c   declarations, assignments, calls for their effect
 *   parse_effect.c  barriers, copies, traps, records, what only handlers do
 *   parse_expr.c  expressions: precedence, calls, places
 *   parse_type.c  types of expressions: literals take theirs from what they meet
 *   parse_name.c  words, visible names, the nearest known name
 */
#ifndef VYREC_PARSE_H
#define VYREC_PARSE_H
#include "ir/lex.h"
#include "ir/text.h"

/* Types that an expression has only while it is parsed. FLEX_*: made of literals alone, takes a type from its context.
 * POISON: wrong, already reported; anything made of it is silently POISON too. */
enum { TYPE_FLEX_INT = 0x80, TYPE_FLEX_FLOAT = 0x81, TYPE_POISON = 0x82 };

/* What is known of an expression beside its node; by vyrec_expr. */
struct expr_note {
	uint8_t depth;	       /* of the tree under it, 1 for a leaf */
	bool negative;	       /* LIT: a '-' belongs to it */
	bool special;	       /* LIT: inf or nan, not digits */
	uint32_t start, bytes; /* LIT: digits in the text */
};

typedef enum symbol_kind { SYMBOL_NONE = 0, SYMBOL_LOCAL, SYMBOL_ARRAY, SYMBOL_CONST, SYMBOL_FN } symbol_kind;
struct symbol {
	uint32_t kind, index;
};

/* A const whose expression is read when it is first needed. */
struct pending_const {
	struct lexer lexer;
	struct token token;
	uint8_t type;  /* declared, or VOID */
	uint8_t state; /* 0 not read, 1 being read, 2 done */
};

/* A body that is read after all headers. */
struct pending_body {
	struct lexer lexer;
	struct token token;
	vyrec_unit unit;
	vyrec_fn fn;	       /* or */
	vyrec_handler handler; /* or neither: the body of the program */
	vyrec_loc start;
};

struct parser {
	struct vyrec_module *module;
	struct vyrec_diags *diags;
	struct lexer lexer;
	struct token token, previous;
	bool panic;	 /* a syntax error is being skipped: say nothing until the next statement */
	bool stop;	 /* a limit was passed or too many errors: unwind */
	bool prelude;	 /* reading math.vyre: nodes get no place */
	unsigned groups; /* open ( and [: line ends mean nothing */
	unsigned expr_depth, nesting, const_depth;
	vyrec_unit unit;
	vyrec_fn fn;
	vyrec_handler handler;
	struct vyrec_list *op_shared; /* where the shared arrays of the op go, while they may come */
	/* names that are visible: by vyrec_name; `scope` lists them in order of declaration */
	struct symbol *symbols;
	uint32_t symbol_capacity;
	struct vyrec_list scope;
	struct expr_note *notes;
	uint32_t note_capacity;
	struct pending_const *consts; /* by vyrec_const */
	uint32_t const_capacity;
	struct pending_body *bodies;
	uint32_t body_count, body_capacity;
	struct vyrec_list items;      /* of the unit: pairs (vyrec_item, index) */
	vyrec_loc switch_end;	      /* of the switch just read */
	struct vyrec_list dispatched; /* pairs (name, loc): programs to look for at the end */
	vyrec_handler *ops;	      /* of the unit, by vyrec_name */
	uint32_t op_capacity, op_count;
	vyrec_fn *prelude_fns; /* already pulled in, by vyrec_name */
	uint32_t prelude_capacity;
};

/* parse_item.c */
void parser_item(struct parser *p);
vyrec_fn parser_fn(struct parser *p); /* a header; the body is kept for later; 0 after an error */

/* parse.c */
bool parser_prelude_fn(struct parser *p, vyrec_name name, vyrec_fn *fn);
void parser_eval_const(struct parser *p, vyrec_const index);
vyrec_array parser_shared(struct parser *p);					/* at `shared`; 0 after an error */
void parser_check_program(struct parser *p, vyrec_name name, vyrec_loc loc);	/* once the file is read */
vyrec_handler parser_find_op(struct parser *p, vyrec_name name, vyrec_loc loc); /* of the unit; reports */

/* parse_token.c */
void parser_advance(struct parser *p);
bool parser_at(const struct parser *p, token_kind kind);
bool parser_at_word(const struct parser *p, const char *word);
bool parser_accept(struct parser *p, token_kind kind);
bool parser_expect(struct parser *p, token_kind kind, const char *where); /* "after the parameters" */
bool parser_expect_word(struct parser *p, const char *word);
vyrec_name parser_expect_name(struct parser *p, const char *what); /* a new name: not a reserved word */
vyrec_name parser_take_name(struct parser *p);
bool parser_expect_int(struct parser *p, uint64_t greatest, const char *what, uint64_t *value);
vyrec_name parser_expect_string(struct parser *p, const char *what);
vyrec_loc parser_here(const struct parser *p); /* of the next token; 0 in the prelude */
/* Opens and closes a group in which line ends mean nothing. */
bool parser_open_group(struct parser *p, token_kind kind, const char *where);
bool parser_close_group(struct parser *p, token_kind kind, const char *where);
/* An error of syntax (then skips silently to the next statement) or of meaning (goes on). */
__attribute__((format(printf, 3, 4))) void parser_syntax_error(struct parser *p, vyrec_loc loc, const char *format,
							       ...);
__attribute__((format(printf, 3, 4))) void parser_error(struct parser *p, vyrec_loc loc, const char *format, ...);
/* `count` has reached a limit: reports and stops. */
bool parser_over_limit(struct parser *p, uint64_t count, uint64_t limit, const char *what);
vyrec_expr parser_new_expr(struct parser *p, struct vyrec_expr_node node);
vyrec_stmt parser_new_stmt(struct parser *p, struct vyrec_stmt_node node);

/* parse_name.c */
typedef enum word_kind {
	WORD_NONE = 0,
	WORD_STMT,	 /* code: vyrec_stmt_kind */
	WORD_TYPE,	 /* code: vyrec_type */
	WORD_BUILTIN,	 /* code: vyrec_builtin */
	WORD_COLLECTIVE, /* code */
	WORD_ATOMIC,	 /* code */
	WORD_OP,	 /* code: the first row with this text */
	WORD_POLICY,	 /* code */
	WORD_KEYWORD,
	WORD_CALL /* length */
} word_kind;
struct word {
	word_kind kind;
	uint16_t code;
};
struct word parser_find_word(const char *text, size_t bytes);
struct word parser_word(const struct parser *p);		      /* of the next token, if it is a name */
struct symbol *parser_find_symbol(struct parser *p, vyrec_name name); /* never NULL; kind NONE if not visible */
void parser_declare(struct parser *p, vyrec_name name, symbol_kind kind, uint32_t index, vyrec_loc loc);
void parser_close_scope(struct parser *p, uint32_t mark); /* scope.count when it was opened */
/* Reports an unknown name, with the nearest known one of the sort that fits. */
enum { NEAR_VALUE = 1, NEAR_CALL = 2, NEAR_TYPE = 4, NEAR_STMT = 8, NEAR_ARRAY = 16, NEAR_LABEL = 32 };
void parser_unknown_name(struct parser *p, vyrec_loc loc, const char *text, const char *what, unsigned sort);
bool parser_expect_type(struct parser *p, bool element, vyrec_type *type);

/* parse_type.c */
bool parser_is_flex(unsigned type);
const char *parser_type_text(unsigned type);
/* Gives the expression the type; reports where it cannot have it. `what`: "the index" */
vyrec_expr parser_coerce(struct parser *p, vyrec_expr expr, vyrec_type type, const char *what);
/* Gives it the type that it has by itself: u32 or f32 if it is made of literals. */
vyrec_expr parser_settle(struct parser *p, vyrec_expr expr);
/* Makes the operands one type; returns it, FLEX_* or POISON. */
unsigned parser_unify(struct parser *p, vyrec_expr *args, unsigned count, const char *what, vyrec_loc loc);
vyrec_expr parser_make_op(struct parser *p, const char *text, vyrec_op_kind kind, vyrec_loc loc, vyrec_expr *args,
			  unsigned count);
vyrec_expr parser_make_cast(struct parser *p, vyrec_type type, vyrec_loc loc, vyrec_expr arg);
vyrec_expr parser_make_int(struct parser *p, const struct token *token, bool negative);
vyrec_expr parser_make_float(struct parser *p, const struct token *token, bool negative, bool special);
vyrec_expr parser_poison(struct parser *p, vyrec_loc loc);

/* parse_expr.c */
vyrec_expr parser_expr(struct parser *p);
/* NAME [ policy index ] with the next token at NAME. False if it is not a place. */
struct place {
	vyrec_array array;
	vyrec_policy policy;
	vyrec_expr index;
	vyrec_loc loc;
};
bool parser_place(struct parser *p, struct place *place);
bool parser_order(struct parser *p, uint8_t *order);
bool parser_scope(struct parser *p, uint8_t *scope);

/* parse_stmt.c */
/* With its braces; opens a scope. `start`: where its statement or case begins. */
vyrec_block parser_block(struct parser *p, vyrec_loc start);
void parser_note_place(vyrec_loc **places, uint32_t *capacity, uint32_t index, vyrec_loc loc);
/* Skips to the end of a broken statement. */
void parser_recover(struct parser *p);
bool parser_end_statement(struct parser *p);

/* parse_var.c */
vyrec_local parser_declare_local(struct parser *p, vyrec_name name, vyrec_local_kind kind, vyrec_type type,
				 vyrec_loc loc);
vyrec_array parser_shared(struct parser *p); /* at `shared`; 0 after an error */
bool parser_stmt_let(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_var(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_assign(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_store(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_call(struct parser *p, struct vyrec_stmt_node *node);

/* parse_effect.c: one reader a kind of statement, behind its word */
bool parser_stmt_barrier(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_fence(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_async(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_async_wait(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_dispatch(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_trap(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_log(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_opaque(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_result(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_one_u32(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_load_statement(struct parser *p, struct vyrec_stmt_node *node);
bool parser_stmt_spawn(struct parser *p, struct vyrec_stmt_node *node);

#endif
