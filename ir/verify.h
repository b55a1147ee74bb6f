/* verify.h - the rules that every module keeps; a numbered list in verify.def, one test each. */
#ifndef VYREC_VERIFY_H
#define VYREC_VERIFY_H
#include "ir/diag.h"

/* Checks every rule, on a module from any source (the parser, VIR0, the builder, a pass): indices in range, trees really
 * trees, types as the rows say, scopes, uniformity, limits. Never trusts a field before it is checked. Reports all
 * violations; returns true if there was none. */
bool vyrec_verify(struct vyrec_module *module, struct vyrec_diags *diags);

#endif
