/* value.c - values as text, by element type.
 *
 * In: text of the command line or of JSON, bytes of a buffer; out: ARG words, text. A value that its type cannot
 * hold is refused, never cut: `-1` is no u32, 256 is no u8. One function a direction, so that arguments, JSON and
 * dumps agree.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/value.h"

bool parse_unsigned(const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return errno == 0 && *end == 0 && *out <= max;
}

static bool parse_signed(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	const char *digits = *text == '-' ? text + 1 : text;
	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 0);
	return errno == 0 && *end == 0 && *out >= min && *out <= max;
}

static bool parse_float(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end != text && *end == 0;
}

static bool parse_bool(const char *text, uint32_t *out)
{
	*out = !strcmp(text, "true") || !strcmp(text, "1");
	return *out || !strcmp(text, "false") || !strcmp(text, "0");
}

bool value_parse(const char *text, uint32_t element, uint32_t words[2], unsigned *count)
{
	uint64_t u = 0;
	int64_t i = 0;
	double d = 0;
	float f;
	_Float16 h;
	bool ok;
	*count = 1;
	words[0] = words[1] = 0;
	switch (element) {
	case VYRE_ELEMENT_BOOL:
		return parse_bool(text, &words[0]);
	case VYRE_ELEMENT_U32:
		ok = parse_unsigned(text, UINT32_MAX, &u);
		words[0] = (uint32_t)u;
		return ok;
	case VYRE_ELEMENT_I32:
		ok = parse_signed(text, INT32_MIN, INT32_MAX, &i);
		words[0] = (uint32_t)i;
		return ok;
	case VYRE_ELEMENT_F32:
		ok = parse_float(text, &d);
		f = (float)d;
		memcpy(words, &f, sizeof f);
		return ok;
	case VYRE_ELEMENT_F16:
		ok = parse_float(text, &d);
		h = (_Float16)d;
		memcpy(words, &h, sizeof h);
		return ok;
	case VYRE_ELEMENT_U64:
		ok = parse_unsigned(text, UINT64_MAX, &u);
		break;
	case VYRE_ELEMENT_I64:
		ok = parse_signed(text, INT64_MIN, INT64_MAX, &i);
		u = (uint64_t)i;
		break;
	case VYRE_ELEMENT_F64:
		ok = parse_float(text, &d);
		memcpy(&u, &d, sizeof u);
		break;
	default: /* narrow types are buffer elements alone */
		return false;
	}
	*count = 2;
	words[0] = (uint32_t)u;
	words[1] = (uint32_t)(u >> 32);
	return ok;
}

void value_print(char *text, size_t size, uint32_t element, const void *data)
{
#define CASE(name, type, format, cast) \
	case VYRE_ELEMENT_##name: { \
		type value; \
		memcpy(&value, data, sizeof value); \
		snprintf(text, size, format, (cast)value); \
		break; \
	}
	switch (element) {
		CASE(U8, uint8_t, "%u", unsigned)
		CASE(U16, uint16_t, "%u", unsigned)
		CASE(U32, uint32_t, "%u", unsigned)
		CASE(U64, uint64_t, "%" PRIu64, uint64_t)
		CASE(I8, int8_t, "%d", int)
		CASE(I16, int16_t, "%d", int)
		CASE(I32, int32_t, "%d", int)
		CASE(I64, int64_t, "%" PRId64, int64_t)
		CASE(F16, _Float16, "%.5g", double)
		CASE(F32, float, "%.9g", double)
		CASE(F64, double, "%.17g", double)
	case VYRE_ELEMENT_BOOL: {
		uint32_t value;
		memcpy(&value, data, sizeof value);
		snprintf(text, size, "%s", value ? "true" : "false");
		break;
	}
	default:
		snprintf(text, size, "?");
	}
#undef CASE
}
