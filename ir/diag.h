/* diag.h - what is wrong with an input, and where. Every reader and the verifier report here; nothing prints. */
#ifndef VYREC_DIAG_H
#define VYREC_DIAG_H
#include <stdio.h>

#include "ir/module.h"

typedef enum vyrec_severity { VYREC_ERROR = 1, VYREC_WARNING, VYREC_NOTE } vyrec_severity;

struct vyrec_diag {
	vyrec_severity severity;
	const char *rule; /* "V012" for a verifier rule, "" else; a string constant */
	vyrec_loc loc;    /* 0 = the whole input */
	char *message;    /* "<what, with the numbers>; <how to mend it>", lower case, no full stop */
};

/* Start from {0}; finish when done. After VYREC_MAX_ERRORS errors the rest are only counted. */
struct vyrec_diags {
	struct vyrec_diag *items;
	uint32_t count, capacity;
	uint32_t errors; /* all errors, also those past the limit */
};
void vyrec_diags_finish(struct vyrec_diags *diags);
__attribute__((format(printf, 5, 6))) void vyrec_diags_add(struct vyrec_diags *diags, vyrec_severity severity,
							   const char *rule, vyrec_loc loc, const char *format, ...);
/* Sorts by place and prints `file:line:column: error: message [V012]`, and where `source` is not NULL the line and a
 * caret under it. Tabs and multi-byte characters keep the caret in place. */
void vyrec_diags_print(struct vyrec_diags *diags, const char *file, const char *source, size_t source_bytes,
		       FILE *out);

#endif
