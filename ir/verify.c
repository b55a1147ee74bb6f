/* verify.c - the order in which the rules are checked.
 *
 * Enters: a module from any source. Leaves: every violation, with its rule and place. Invariant: the shape is checked
 * first and believes nothing (verify_shape.c); everything later may follow an index without looking at it. Uniformity
 * comes last and only for a module that keeps all other rules, because its analysis runs through types, scopes and
 * calls and would report their errors again in its own words.
 */
#include <stdlib.h>

#include "ir/verify_internal.h"

const char *const verify_rule_ids[VERIFY_RULE_COUNT] = {
#define RULE(id, text) [id] = #id,
#include "ir/verify.def"
};

bool vyrec_verify(struct vyrec_module *module, struct vyrec_diags *diags)
{
	struct verifier v = {.m = module, .diags = diags};
	verify_shape(&v);
	if (!v.failed) {
		v.fn_flags = vyrec_alloc(module->fn_count);
		verify_decls(&v);
		verify_calls(&v);
		verify_bodies(&v);
		if (!v.failed)
			verify_uniform(&v);
	}
	free(v.fn_flags);
	vyrec_list_free(&v.fns);
	return !v.failed;
}
