/* algebra.h - private to passes/: what one operation on known or equal operands becomes. */
#ifndef VYREC_PASSES_ALGEBRA_H
#define VYREC_PASSES_ALGEBRA_H
#include "passes/make.h"

/* Rewrites the OP node e in place if a rule applies; its operands are folded already. */
bool vyrec_fold_op(struct vyrec_module *m, const struct vyrec_pass_options *options, vyrec_expr e);

#endif
