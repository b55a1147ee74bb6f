/* digest.h - BLAKE2b-256, the digest of a blob's table and sections. */
#ifndef VYRE_DIGEST_H
#define VYRE_DIGEST_H
#include <stdint.h>

#include "abi/blob.h"

void vyre_digest(const uint8_t *bytes, uint64_t size, uint8_t digest[VYRE_BLOB_DIGEST_BYTES]);

#endif
