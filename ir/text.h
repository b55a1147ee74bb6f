/* text.h - the canonical text form (.vyre): parser and printer. print(parse(print(x))) == print(x). */
#ifndef VYREC_TEXT_H
#define VYREC_TEXT_H
#include "ir/diag.h"

/* Parses a file. Reports every error it can find (it recovers at statements and declarations) and returns NULL if there
 * was any. Types are resolved: every expression of the result has its type. The result is not yet verified.
 * Calls of functions of the prelude (ir/math.vyre: sin, exp, ...) pull their definitions in as fns of unit 0. */
struct vyrec_module *vyrec_parse(const char *file, const char *text, size_t bytes, struct vyrec_diags *diags);

enum { VYREC_PRINT_COMMENTS = 1 /* give the source's comments back: `vyrec fmt` */ };
/* Prints a module; the caller frees the result (malloc). Fns of the prelude are not printed. */
char *vyrec_print(const struct vyrec_module *module, unsigned flags, size_t *bytes);

/* Words of the language that no declared name may be (of a fn: also no op, collective, atomic or builtin): the text could
 * not be read back. The verifier asks; a builder's and a pass's names must keep to it. */
bool vyrec_name_is_reserved(const char *name);
bool vyrec_fn_name_is_reserved(const char *name);

#endif
