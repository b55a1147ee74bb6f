/* cuda_blob.h - the blob of native_kernel.c. */
#ifndef VYRE_TESTS_CUDA_BLOB_H
#define VYRE_TESTS_CUDA_BLOB_H
#include <stdint.h>

/* Units "work" and "together", native; malloc'ed. `ptx`, if not NULL: a PTX slice of "work" for sm_75 with this text and the entry
 * "vyre_work". data_class: of the buffer `data` of "work". */
uint8_t *cuda_blob_native(uint32_t data_class, const char *ptx, uint64_t *size);
/* The same with its native code as the stand-in's cubin for a target. */
uint8_t *cuda_blob(uint32_t target, uint32_t data_class, const char *ptx, int keep, uint64_t *size);

#endif
