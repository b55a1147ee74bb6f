/* blob_rows.h - what the two halves of the blob reader share. Private to blob.c and blob_rows.c. */
#ifndef VYRE_BLOB_ROWS_H
#define VYRE_BLOB_ROWS_H
#include "kernel.h"
#include "message.h"

#define BAD(...) vyre_fail(VYRE_MALFORMED, "compile the blob again with vyrec, or copy it again", __VA_ARGS__)
#define TRY(expression) \
	do { \
		vyre_status try_status_ = (expression); \
		if (try_status_ != VYRE_OK) \
			return try_status_; \
	} while (0)

/* Of a blob whose sections lie where they say and whose tables are found: may every row be believed? */
vyre_status vyre_blob_check_rows(const struct vyre_blob *blob);

#endif
