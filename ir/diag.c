/* diag.c - collects what is wrong with an input and prints it sorted by place, with the line and a caret.
 *
 * Enters: messages in the order of finding. Leaves: text a person can act on. Invariant: at most VYREC_MAX_ERRORS
 * errors are kept, so a hostile input cannot make the list grow; the rest are counted. Notes belong to the message
 * before them and move with it, which is why this sorts keys and not the items by their own place.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/diag.h"

enum { MAX_SHOWN_LINE = 1000 }; /* a longer line is a generated one: its place is enough */

void vyrec_diags_finish(struct vyrec_diags *diags)
{
	for (uint32_t i = 0; i < diags->count; i++)
		free(diags->items[i].message);
	free(diags->items);
	*diags = (struct vyrec_diags){0};
}

void vyrec_diags_add(struct vyrec_diags *diags, vyrec_severity severity, const char *rule, vyrec_loc loc,
		     const char *format, ...)
{
	if (severity == VYREC_ERROR)
		diags->errors++;
	if (diags->errors > VYREC_MAX_ERRORS)
		return;
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int bytes = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *message = vyrec_alloc(bytes > 0 ? (size_t)bytes + 1 : 1);
	if (bytes > 0)
		vsnprintf(message, (size_t)bytes + 1, format, again);
	va_end(again);
	diags->items = vyrec_grow(diags->items, &diags->capacity, diags->count + 1, sizeof *diags->items);
	diags->items[diags->count++] = (struct vyrec_diag){severity, rule, loc, message};
}

/* ---- order
 * ----------------------------------------------------------------------------------------------------------- */

struct place {
	vyrec_loc loc;
	uint32_t index;
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	if (a->loc != b->loc)
		return a->loc < b->loc ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void sort_by_place(struct vyrec_diags *diags)
{
	struct place *places = vyrec_alloc(diags->count * sizeof *places);
	struct vyrec_diag *sorted = vyrec_alloc(diags->count * sizeof *sorted);
	for (uint32_t i = 0; i < diags->count; i++) {
		bool follows = i > 0 && diags->items[i].severity == VYREC_NOTE;
		places[i] = (struct place){follows ? places[i - 1].loc : diags->items[i].loc, i};
	}
	qsort(places, diags->count, sizeof *places, compare_places);
	for (uint32_t i = 0; i < diags->count; i++)
		sorted[i] = diags->items[places[i].index];
	if (diags->count)
		memcpy(diags->items, sorted, diags->count * sizeof *sorted);
	free(sorted);
	free(places);
}

/* ---- text
 * ------------------------------------------------------------------------------------------------------------ */

/* Prints the line of `loc` and a caret under its column. The pad has a tab where the line has one, and one space for
 * each character, so the caret stands right whatever the width of a tab; continuation bytes of UTF-8 take none. */
static void print_caret(vyrec_loc loc, const char *source, size_t source_bytes, FILE *out)
{
	const char *at = source, *end = source + source_bytes;
	uint32_t column = VYREC_LOC_COLUMN(loc);
	for (uint32_t line = VYREC_LOC_LINE(loc); line > 1; line--) {
		at = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!at)
			return;
		at++;
	}
	const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	size_t bytes = (size_t)((stop ? stop : end) - at);
	if (bytes && at[bytes - 1] == '\r')
		bytes--;
	if (!column || column > bytes + 1 || bytes > MAX_SHOWN_LINE)
		return;
	for (size_t i = 0; i < bytes; i++) { /* no control byte of a source reaches a terminal */
		unsigned char c = (unsigned char)at[i];
		fputc(c == '\t' || (c >= 0x20 && c != 0x7f) ? c : ' ', out);
	}
	fputc('\n', out);
	for (uint32_t i = 0; i + 1 < column; i++)
		if (((unsigned char)at[i] & 0xc0) != 0x80)
			fputc(at[i] == '\t' ? '\t' : ' ', out);
	fputs("^\n", out);
}

static const char *severity_text(vyrec_severity severity)
{
	return severity == VYREC_ERROR ? "error" : severity == VYREC_WARNING ? "warning" : "note";
}

void vyrec_diags_print(struct vyrec_diags *diags, const char *file, const char *source, size_t source_bytes, FILE *out)
{
	sort_by_place(diags);
	for (uint32_t i = 0; i < diags->count; i++) {
		const struct vyrec_diag *d = &diags->items[i];
		fputs(file, out);
		if (d->loc)
			fprintf(out, ":%u:%u", VYREC_LOC_LINE(d->loc), VYREC_LOC_COLUMN(d->loc));
		fprintf(out, ": %s: %s", severity_text(d->severity), d->message);
		if (d->rule && *d->rule)
			fprintf(out, " [%s]", d->rule);
		fputc('\n', out);
		if (d->loc && source)
			print_caret(d->loc, source, source_bytes, out);
	}
	if (diags->errors > VYREC_MAX_ERRORS)
		fprintf(out, "%s: note: %u more errors are not shown; mend these first\n", file,
			diags->errors - VYREC_MAX_ERRORS);
}
