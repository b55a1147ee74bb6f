/* inspect.h - private to vyre-inspect: one blob, two ways to print it. */
#ifndef VYRE_INSPECT_H
#define VYRE_INSPECT_H
#include "vyre.h"

struct inspected {
	const char *path;
	struct vyre_blob *blob;
	struct vyre_blob_view view;
	const char *device; /* its name and what it says of each slice; NULL = not asked */
	char *explanation;
};

enum { DIGEST_TEXT = 2 * VYRE_BLOB_DIGEST_BYTES + 1 };
void digest_text(const uint8_t digest[VYRE_BLOB_DIGEST_BYTES], char text[DIGEST_TEXT]);

void print_text(const struct inspected *in);
void print_json(const struct inspected *in);

#endif
