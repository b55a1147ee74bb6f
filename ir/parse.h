/* parse.h - what the files of the parser share. Private to parse*.c.
 *
 *   parse.c       a file: units, their items, the order of reading, the prelude
 *   parse_stmt.c  statements and blocks
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
	vyrec_loc switch_end;	      /* of the switch just read */
	struct vyrec_list dispatched; /* pairs (name, loc): programs to look for at the end */
	vyrec_handler *ops;	      /* of the unit, by vyrec_name */
	uint32_t op_capacity, op_count;
	vyrec_fn *prelude_fns; /* already pulled in, by vyrec_name */
	uint32_t prelude_capacity;
};

/* parse.c */
bool parser_prelude_fn(struct parser *p, vyrec_name name, vyrec_fn *fn);
void parser_eval_const(struct parser *p, vyrec_const index);
vyrec_array parser_shared(struct parser *p);					/* at `shared`; 0 after an error */
void parser_check_program(struct parser *p, vyrec_name name, vyrec_loc loc);	/* once the file is read */
vyrec_handler parser_find_op(struct parser *p, vyrec_name name, vyrec_loc loc); /* of the unit; reports */

/* Reading tokens. */
void advance(struct parser *p);
bool at(const struct parser *p, token_kind kind);
bool at_word(const struct parser *p, const char *word);
bool accept(struct parser *p, token_kind kind);
bool expect(struct parser *p, token_kind kind, const char *where); /* "after the parameters" */
bool expect_word(struct parser *p, const char *word);
vyrec_name expect_name(struct parser *p, const char *what); /* a new name: not a reserved word */
vyrec_name take_name(struct parser *p);
bool expect_int(struct parser *p, uint64_t greatest, const char *what, uint64_t *value);
vyrec_name expect_string(struct parser *p, const char *what);
vyrec_loc here(const struct parser *p); /* of the next token; 0 in the prelude */
/* Opens and closes a group in which line ends mean nothing. */
bool open_group(struct parser *p, token_kind kind, const char *where);
bool close_group(struct parser *p, token_kind kind, const char *where);
/* An error of syntax (then skips silently to the next statement) or of meaning (goes on). */
__attribute__((format(printf, 3, 4))) void syntax_error(struct parser *p, vyrec_loc loc, const char *format, ...);
__attribute__((format(printf, 3, 4))) void report(struct parser *p, vyrec_loc loc, const char *format, ...);
/* `count` has reached a limit: reports and stops. */
bool over_limit(struct parser *p, uint64_t count, uint64_t limit, const char *what);
vyrec_expr new_expr(struct parser *p, struct vyrec_expr_node node);
vyrec_stmt new_stmt(struct parser *p, struct vyrec_stmt_node node);

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
struct word find_word(const char *text, size_t bytes);
struct word token_word(const struct parser *p);		       /* of the next token, if it is a name */
struct symbol *find_symbol(struct parser *p, vyrec_name name); /* never NULL; kind NONE if not visible */
void declare(struct parser *p, vyrec_name name, symbol_kind kind, uint32_t index, vyrec_loc loc);
void close_scope(struct parser *p, uint32_t mark); /* scope.count when it was opened */
/* Reports an unknown name, with the nearest known one of the sort that fits. */
enum { NEAR_VALUE = 1, NEAR_CALL = 2, NEAR_TYPE = 4, NEAR_STMT = 8, NEAR_ARRAY = 16, NEAR_LABEL = 32 };
void unknown_name(struct parser *p, vyrec_loc loc, const char *text, const char *what, unsigned sort);
bool expect_type(struct parser *p, bool element, vyrec_type *type);

/* parse_type.c */
bool is_flex(unsigned type);
const char *type_text(unsigned type);
/* Gives the expression the type; reports where it cannot have it. `what`: "the index" */
vyrec_expr coerce(struct parser *p, vyrec_expr expr, vyrec_type type, const char *what);
/* Gives it the type that it has by itself: u32 or f32 if it is made of literals. */
vyrec_expr settle(struct parser *p, vyrec_expr expr);
/* Makes the operands one type; returns it, FLEX_* or POISON. */
unsigned unify(struct parser *p, vyrec_expr *args, unsigned count, const char *what, vyrec_loc loc);
vyrec_expr make_op(struct parser *p, const char *text, vyrec_op_kind kind, vyrec_loc loc, vyrec_expr *args,
		   unsigned count);
vyrec_expr make_cast(struct parser *p, vyrec_type type, vyrec_loc loc, vyrec_expr arg);
vyrec_expr make_int(struct parser *p, const struct token *token, bool negative);
vyrec_expr make_float(struct parser *p, const struct token *token, bool negative, bool special);
vyrec_expr poison(struct parser *p, vyrec_loc loc);

/* parse_expr.c */
vyrec_expr parse_expr(struct parser *p);
/* NAME [ policy index ] with the next token at NAME. False if it is not a place. */
struct place {
	vyrec_array array;
	vyrec_policy policy;
	vyrec_expr index;
	vyrec_loc loc;
};
bool parse_place(struct parser *p, struct place *place);
bool parse_order(struct parser *p, uint8_t *order);
bool parse_scope(struct parser *p, uint8_t *scope);

/* parse_stmt.c */
/* With its braces; opens a scope. `start`: where its statement or case begins. */
vyrec_block parse_block(struct parser *p, vyrec_loc start);
void note_place(vyrec_loc **places, uint32_t *capacity, uint32_t index, vyrec_loc loc);
/* Skips to the end of a broken statement. */
void recover(struct parser *p);
bool end_statement(struct parser *p);

#endif
