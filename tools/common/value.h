/* value.h - values of slots and buffers as text, for every tool that reads or prints them. */
#ifndef VYRE_TOOLS_VALUE_H
#define VYRE_TOOLS_VALUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/abi/blob.h"

/* One value of an element type (VYRE_ELEMENT_*) from text, into its ARG words, low first; *count of them. False when the
 * type cannot hold it. */
bool value_parse(const char *text, uint32_t element, uint32_t words[2], unsigned *count);
/* The element at `data`. */
void value_print(char *text, size_t size, uint32_t element, const void *data);
/* A whole number, decimal or 0x, at most max. */
bool parse_unsigned(const char *text, uint64_t max, uint64_t *out);

#endif
