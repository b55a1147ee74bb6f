/* ptx.h - from source text to PTX, for the tests of this room. */
#ifndef VYRE_TESTS_PTX_H
#define VYRE_TESTS_PTX_H
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"

struct ptx {
	struct vyrec_module *module; /* after the pipeline */
	struct vyrec_slice slice;    /* its image is the text, with a NUL behind */
	struct vyrec_diags diags;
};

static inline const char *ptx_text(const struct ptx *p)
{
	return (const char *)p->slice.image;
}

/* Parses, verifies and runs the passes for a target; false with diags after an error. */
static inline bool ptx_lower(const char *file, const char *text, size_t bytes, const struct vyrec_target *target,
			     const struct vyrec_pass_options *given, struct ptx *p)
{
	struct vyrec_pass_options options = *given;
	options.lanes = options.lanes ? options.lanes : target->lanes;
	options.one_lane = target->one_lane;
	options.mailbox = target->has_mailbox && options.feed == VYRE_FEED_LIVE;
	p->module = vyrec_parse(file, text, bytes, &p->diags);
	return p->module && vyrec_verify(p->module, &p->diags) &&
	       vyrec_run_pipeline(p->module, &options, &p->diags, NULL);
}

static inline bool ptx_make(const char *text, const char *target, unsigned level, vyrec_policy bounds, struct ptx *p)
{
	const struct vyrec_target *row = vyrec_target_find(target);
	struct vyrec_codegen_options options = {.level = level};
	struct vyrec_pass_options passes = {.bounds = bounds, .level = level, .feed = VYRE_FEED_SLOTS, .lanes = 1};
	*p = (struct ptx){0};
	return ptx_lower("test", text, strlen(text), row, &passes, p) &&
	       vyrec_codegen(p->module, row, &options, &p->slice, &p->diags);
}

static inline void ptx_finish(struct ptx *p)
{
	vyrec_slice_finish(&p->slice);
	if (p->module)
		vyrec_module_destroy(p->module);
	vyrec_diags_finish(&p->diags);
}

/* Is there an assembler? */
static inline bool ptx_assembler(void)
{
	return vyrec_ptxas_version() != NULL;
}

#endif
