/* vir0.h - the binary form: versioned, digest checked, equal to the text. The bytes are drawn at the top of vir0.c. */
#ifndef VYREC_VIR0_H
#define VYREC_VIR0_H
#include "ir/diag.h"

/* Writes a module; the caller frees the result (malloc). Same module, same bytes. */
uint8_t *vyrec_vir0_write(const struct vyrec_module *module, size_t *bytes);
/* Reads hostile bytes: every count is checked against what is left before anything is allocated for it. NULL on error.
 * The result still needs vyrec_verify. */
struct vyrec_module *vyrec_vir0_read(const char *file, const uint8_t *bytes, size_t size, struct vyrec_diags *diags);

#endif
