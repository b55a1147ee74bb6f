/* verify.c - the order in which the rules are checked.
 *
 * Enters: a module from any source. Leaves: every violation, with its rule and place. Invariant: the shape is checked
 * first and believes nothing (verify_shape.c); everything later may follow an index without looking at it. Uniformity
 * comes last and only for a module that keeps all other rules, because its analysis runs through types, scopes and
 * calls and would report their errors again in its own words.
 */
#include <stdlib.h>

#include "ir/text.h"
#include "ir/verify_internal.h"

const char *const verify_rule_ids[VERIFY_RULE_COUNT] = {
#define RULE(id, text) [id] = #id,
#include "ir/verify.def"
};

static bool is_word(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = text[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return bytes != 0;
}

void verify_spelling(struct verifier *v, vyrec_name name, bool fn, vyrec_loc loc)
{
	const char *text = verify_name(v, name);
	if (!is_word(text, vyrec_name_bytes(v->m, name)))
		FAIL(v, V022, loc, "`%s` is not a name; use letters, digits and _, and no digit first", text);
	else if (fn ? vyrec_fn_name_is_reserved(text) : vyrec_name_is_reserved(text))
		FAIL(v, V022, loc, "`%s` is a word of the language; choose another name", text);
}

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
