/* hoist.h - private to passes/: one bounds check in front of a loop. */
#ifndef VYREC_PASSES_HOIST_H
#define VYREC_PASSES_HOIST_H
#include "passes/make.h"

/* Versions the innermost counted loops whose checked accesses move evenly; part of the pass `bounds`. */
bool vyrec_hoist_checks(struct vyrec_module *m);

#endif
