/* ir.h - the public face of the IR room, for passes, codegen, tools and tests. */
#ifndef VYREC_IR_H
#define VYREC_IR_H
#include "ir/builder.h"
#include "ir/diag.h"
#include "ir/eval.h"
#include "ir/interp.h"
#include "ir/module.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ir/vir0.h"
#endif
