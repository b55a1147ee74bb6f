/* rig.h - small programs for the tests of the executor: a body between the lines that every entry has. */
#ifndef VYRE_TESTS_PTX_RIG_H
#define VYRE_TESTS_PTX_RIG_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/ptx/ptx.h"

enum { RIG_TEXT = 8192, RIG_OUT = 1024 };

/* An entry with `out` in %out, its 64-bit word of this lane (all workgroups counted) in %mine, the lane in %t, and registers
 * %p0-9 %h0-9 %w0-19 %d0-19; `%store` needs no more than a register: see rig_text. */
static const char rig_head[] =
    ".version 8.0\n.target sm_80\n.address_size 64\n%s\n"
    ".visible .entry k(.param .u64 out_param, .param .u64 in_param)\n{\n"
    ".reg .pred %%p<10>; .reg .b16 %%h<10>; .reg .b32 %%w<20>, %%t, %%g, %%n; .reg .b64 %%d<20>, %%out, %%in, %%mine;\n"
    "ld.param.b64 %%out, [out_param]; ld.param.b64 %%in, [in_param]; mov.u32 %%t, %%tid.x; mov.u32 %%g, %%ctaid.x;\n"
    "mov.u32 %%n, %%ntid.x; mad.lo.u32 %%g, %%g, %%n, %%t; mad.wide.u32 %%mine, %%g, 8, %%out;\n"
    "%s\nret;\n}\n";

struct rig {
	struct ptx_module *module;
	struct ptx_launch launch;
	struct ptx_result result;
	uint64_t out[RIG_OUT];
	struct {
		const void *out, *in;
	} params;
	char message[PTX_MESSAGE];
};

static inline bool rig_open(struct rig *rig, const char *outside, const char *body)
{
	char text[RIG_TEXT];
	memset(rig, 0, sizeof *rig);
	int n = snprintf(text, sizeof text, rig_head, outside, body);
	assert_true(n < (int)sizeof text);
	rig->module = ptx_module_parse(text, (size_t)n, rig->message);
	rig->params.out = rig->out;
	rig->launch = (struct ptx_launch){.entry = rig->module ? ptx_entry_find(rig->module, "k") : NULL,
					  .seed = 1,
					  .params = &rig->params,
					  .param_bytes = sizeof rig->params,
					  .step_limit = 50000000,
					  .careful = true};
	return rig->module != NULL;
}

static inline void rig_close(struct rig *rig)
{
	ptx_module_destroy(rig->module);
}

/* Runs a body with that many lanes; it must end well. */
static inline void rig_run(struct rig *rig, const char *outside, const char *body, uint32_t lanes)
{
	if (!rig_open(rig, outside, body))
		fail_msg("%s: %s", body, rig->message);
	rig->launch.block[0] = lanes;
	if (!ptx_launch(&rig->launch, &rig->result))
		fail_msg("%s: %s", body, rig->result.message);
}

/* It must not: some part of what is said. */
static inline void rig_refused(const char *outside, const char *body, uint32_t lanes, const char *says)
{
	struct rig rig;
	bool ok = rig_open(&rig, outside, body);
	rig.launch.block[0] = lanes;
	ok = ok && ptx_launch(&rig.launch, &rig.result);
	const char *message = rig.module ? rig.result.message : rig.message;
	if (ok || !strstr(message, says))
		fail_msg("%s: expected '%s', got '%s'", body, says, ok ? "no error" : message);
	rig_close(&rig);
}

#endif
