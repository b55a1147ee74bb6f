/* copy.h - the one deep copy of a tree, inside a module or into another one; private to the room. */
#ifndef VYREC_COPY_H
#define VYREC_COPY_H
#include "ir/module.h"

/* What an index that a copied node holds refers to. */
enum vyrec_copy_table { VYREC_COPY_NAME, VYREC_COPY_LOCAL, VYREC_COPY_ARRAY, VYREC_COPY_CONST, VYREC_COPY_FN };

struct vyrec_copy {
	const struct vyrec_module *from;
	struct vyrec_module *to; /* may be `from` */
	/* The index in `to` that stands for `index` of `from`; `declares`: the node copied now declares it. Never
	 * called for index 0. */
	uint32_t (*map)(struct vyrec_copy *copy, enum vyrec_copy_table table, uint32_t index, bool declares);
	void *user;
};
vyrec_expr vyrec_copy_expr(struct vyrec_copy *copy, vyrec_expr expr);	  /* 0 of 0 */
vyrec_block vyrec_copy_block(struct vyrec_copy *copy, vyrec_block block); /* 0 of 0 */

#endif
