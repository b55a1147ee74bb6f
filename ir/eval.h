/* eval.h - the meaning of every row of ops.def, on raw bits. Constant folder and interpreter call this one function. */
#ifndef VYREC_EVAL_H
#define VYREC_EVAL_H
#include "ir/module.h"

/* The value of op for operands of type t (the type of the first operand; for select, of the second): raw bits,
 * zero-extended from their width. The result is zero-extended from the result's width. */
uint64_t vyrec_eval(vyrec_op op, vyrec_type t, uint64_t a, uint64_t b, uint64_t c);
/* The value that a load of an element gives, and the bits that a store of a value leaves: u8 u16 zero-extend, i8 i16
 * sign-extend to 32 bits; stores truncate; bool is nonzero / 0 or 1. */
uint64_t vyrec_eval_load(vyrec_type element, const void *place);
void vyrec_eval_store(vyrec_type element, void *place, uint64_t value);

#endif
