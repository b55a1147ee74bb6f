/* names.h - what the numbers of a blob and of a result are called, from the tables of runtime/abi. For the tools. */
#ifndef VYRE_TOOLS_NAMES_H
#define VYRE_TOOLS_NAMES_H
#include <stdint.h>
#include <stdio.h>

#include "vyre.h"

struct name {
	uint32_t value;
	const char *text;
};

#define NAMES_TABLE(function, ...) \
	static inline const char *function(uint32_t value) \
	{ \
		static const struct name rows[] = {__VA_ARGS__}; \
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) { \
			if (rows[i].value == value) \
				return rows[i].text; \
		} \
		return "?"; \
	}
#define X(name, value) {value, #name},
NAMES_TABLE(section_name, VYRE_BLOB_SECTION_LIST(X))
#undef X
#define X(name, value, text) {value, #name},
NAMES_TABLE(feature_name, VYRE_HAS_LIST(X))
#undef X
#define X(name, value, text) {value, text},
NAMES_TABLE(unit_kind_name, VYRE_UNIT_KIND_LIST(X))
NAMES_TABLE(feed_name, VYRE_FEED_LIST(X))
NAMES_TABLE(class_name, VYRE_BUFFER_CLASS_LIST(X))
NAMES_TABLE(granularity_name, VYRE_GRANULARITY_LIST(X))
NAMES_TABLE(target_name, VYRE_TARGET_LIST(X))
NAMES_TABLE(format_name, VYRE_FORMAT_LIST(X))
NAMES_TABLE(fault_meaning, VYRE_FAULT_LIST(X))
#undef X
#define X(name, value, bytes, text) {value, text},
NAMES_TABLE(element_name, VYRE_ELEMENT_LIST(X))
#undef X
#undef NAMES_TABLE

#endif
