/* standin_blob.h - blobs whose machine code for a GPU is native code that the stand-in runs. */
#ifndef VYRE_TESTS_STANDIN_BLOB_H
#define VYRE_TESTS_STANDIN_BLOB_H
#include <stdint.h>

/* The blob with every slice of its first native target turned into a CUBIN slice for `target` (VYRE_TARGET_SM_*). Its native
 * slices are gone unless `keep`; PTX and cubins stay. malloc'ed. */
uint8_t *standin_blob(const uint8_t *bytes, uint64_t size, uint32_t target, int keep, uint64_t *out_size);

#endif
