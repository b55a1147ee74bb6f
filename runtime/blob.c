/* blob.c - reads a .vyb: from bytes that may be anything to tables that may be trusted.
 *
 * In: bytes. Out: a private copy, and views into it whose every index, run and string offset was checked. Invariant: a
 * blob that opened cannot make a later reader step outside it. Digests: of the table and of every section but CODE and
 * VIR0 here; of CODE when a kernel is made from it (vyre_blob_check_section), of all by vyre_blob_verify. Checks go
 * from the outside in, and each names the place and the numbers. Nothing is unpacked: rows are used where they lie,
 * because sections are aligned and every supported host is little-endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "digest.h"
#include "kernel.h"
#include "message.h"

VYRE_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blob rows are read in place");

static const char remake[] = "compile the blob again with vyrec, or copy it again";
static const uint64_t max_elements = UINT64_C(1) << 40;

#define BAD(...) vyre_fail(VYRE_MALFORMED, remake, __VA_ARGS__)
#define TRY(expression) \
	do { \
		vyre_status try_status_ = (expression); \
		if (try_status_ != VYRE_OK) \
			return try_status_; \
	} while (0)

static const char *section_name(uint32_t kind)
{
	switch (kind) {
#define X(name, value) \
	case value: \
		return #name;
		VYRE_BLOB_SECTION_LIST(X)
#undef X
	default:
		return "unknown";
	}
}

static int digest_is(const uint8_t *bytes, uint64_t size, const uint8_t expected[VYRE_BLOB_DIGEST_BYTES])
{
	uint8_t digest[VYRE_BLOB_DIGEST_BYTES];

	vyre_digest(bytes, size, digest);
	return memcmp(digest, expected, sizeof(digest)) == 0;
}

vyre_status vyre_blob_check_section(const struct vyre_blob *blob, uint32_t index)
{
	const struct vyre_blob_section *section = &blob->view.sections[index];

	if (digest_is(blob->bytes + section->offset, section->bytes, section->digest))
		return VYRE_OK;
	return BAD("section %u (%s, %llu bytes at %llu) does not have its digest", index, section_name(section->kind),
		   (unsigned long long)section->bytes, (unsigned long long)section->offset);
}

static int is_zero(const uint8_t *bytes, uint64_t size)
{
	uint64_t i;

	for (i = 0; i < size; i++)
		if (bytes[i])
			return 0;
	return 1;
}

static vyre_status check_header(const uint8_t *bytes, uint64_t size, struct vyre_blob_header *header)
{
	uint64_t table_bytes;

	if (size < sizeof(*header))
		return BAD("a blob of %llu bytes is shorter than its header of %zu", (unsigned long long)size,
			   sizeof(*header));
	memcpy(header, bytes, sizeof(*header));
	if (header->magic != VYRE_BLOB_MAGIC)
		return BAD("the file starts with 0x%08x, a blob with 0x%08x", header->magic, VYRE_BLOB_MAGIC);
	if (header->version != VYRE_BLOB_VERSION)
		return vyre_fail(VYRE_VERSION, "compile the blob with the vyrec that belongs to this loader",
				 "the blob has version %u, this loader reads version %u", header->version,
				 (unsigned)VYRE_BLOB_VERSION);
	if (header->file_bytes != size || size > VYRE_BLOB_MAX_BYTES)
		return BAD("the header says %llu bytes, there are %llu, and at most %llu are read",
			   (unsigned long long)header->file_bytes, (unsigned long long)size,
			   (unsigned long long)VYRE_BLOB_MAX_BYTES);
	if (header->section_count == 0 || header->section_count > VYRE_BLOB_MAX_SECTIONS)
		return BAD("%u sections; 1 to %u can be", header->section_count, (unsigned)VYRE_BLOB_MAX_SECTIONS);
	if (header->reserved0 || header->reserved1)
		return BAD("a reserved word of the header is not zero");
	table_bytes = (uint64_t)header->section_count * sizeof(struct vyre_blob_section);
	if (table_bytes > size - sizeof(*header))
		return BAD("a table of %u sections does not fit in %llu bytes", header->section_count,
			   (unsigned long long)size);
	if (!digest_is(bytes + sizeof(*header), table_bytes, header->table_digest))
		return BAD("the section table does not have its digest");
	return VYRE_OK;
}

static vyre_status check_sections(const struct vyre_blob *blob, uint64_t size)
{
	const struct vyre_blob_view *view = &blob->view;
	uint64_t end = sizeof(struct vyre_blob_header) + view->section_count * sizeof(struct vyre_blob_section);
	uint32_t i;

	for (i = 0; i < view->section_count; i++) {
		const struct vyre_blob_section *section = &view->sections[i];

		if (section->offset % VYRE_BLOB_ALIGN != 0 || section->offset < end || section->offset > size ||
		    section->bytes > size - section->offset)
			return BAD("section %u: %llu bytes at %llu do not lie, aligned to %u, between %llu and %llu", i,
				   (unsigned long long)section->bytes, (unsigned long long)section->offset,
				   (unsigned)VYRE_BLOB_ALIGN, (unsigned long long)end, (unsigned long long)size);
		if (section->reserved || section->reserved1)
			return BAD("section %u: a reserved word is not zero", i);
		if (!is_zero(blob->bytes + end, section->offset - end))
			return BAD("section %u: the padding before it is not zero", i);
		end = section->offset + section->bytes;
		if (section->kind != VYRE_BLOB_CODE && section->kind != VYRE_BLOB_VIR0)
			TRY(vyre_blob_check_section(blob, i));
	}
	return is_zero(blob->bytes + end, size - end) ? VYRE_OK : BAD("bytes after the last section are not zero");
}

/* The only section of a kind, as `count` rows of `row_bytes`; none counts as empty unless it is required. */
static vyre_status find_rows(const struct vyre_blob *blob, uint32_t kind, size_t row_bytes, uint64_t max_rows,
			     int required, const void **rows, uint64_t *count)
{
	const struct vyre_blob_section *found = NULL;
	uint32_t i;

	*rows = NULL;
	*count = 0;
	for (i = 0; i < blob->view.section_count; i++) {
		if (blob->view.sections[i].kind != kind)
			continue;
		if (found)
			return BAD("section %u: there are two %s sections", i, section_name(kind));
		found = &blob->view.sections[i];
	}
	if (!found)
		return required ? BAD("there is no %s section", section_name(kind)) : VYRE_OK;
	if (found->bytes % row_bytes != 0 || found->bytes / row_bytes > max_rows)
		return BAD("%s: %llu bytes are not 0 to %llu rows of %zu bytes", section_name(kind),
			   (unsigned long long)found->bytes, (unsigned long long)max_rows, row_bytes);
	*rows = blob->bytes + found->offset;
	*count = found->bytes / row_bytes;
	return VYRE_OK;
}

static vyre_status find_tables(struct vyre_blob *blob)
{
	struct vyre_blob_view *view = &blob->view;
	const void *rows;
	uint64_t count;

	TRY(find_rows(blob, VYRE_BLOB_STRINGS, 1, VYRE_BLOB_MAX_BYTES, 1, &rows, &blob->string_bytes));
	blob->strings = rows;
#define TABLE(kind, field, number, max, required) \
	do { \
		TRY(find_rows(blob, kind, sizeof(*view->field), max, required, &rows, &count)); \
		view->field = rows; \
		view->number = (uint32_t)count; \
	} while (0)
	TABLE(VYRE_BLOB_UNITS, units, unit_count, VYRE_BLOB_MAX_UNITS, 1);
	TABLE(VYRE_BLOB_BUFFERS, buffers, buffer_count, VYRE_BLOB_MAX_ROWS, 1);
	TABLE(VYRE_BLOB_OPS, ops, op_count, VYRE_BLOB_MAX_ROWS, 1);
	TABLE(VYRE_BLOB_ARGS, args, arg_count, VYRE_BLOB_MAX_ROWS, 1);
	TABLE(VYRE_BLOB_SLICES, slices, slice_count, VYRE_BLOB_MAX_ROWS, 1);
	TABLE(VYRE_BLOB_LOGS, logs, log_count, VYRE_BLOB_MAX_ROWS, 0);
	TABLE(VYRE_BLOB_FAULTS, faults, fault_count, VYRE_BLOB_MAX_ROWS, 0);
#undef TABLE
	TRY(find_rows(blob, VYRE_BLOB_PROVENANCE, 1, VYRE_BLOB_MAX_BYTES, 0, &rows, &view->provenance_bytes));
	view->provenance = rows;
	return VYRE_OK;
}

static int is_name(const struct vyre_blob *blob, uint32_t offset)
{
	return offset < blob->string_bytes;
}

/* Names of units and buffers are compared each with each: a long one would make that take hours. */
static int is_short_name(const struct vyre_blob *blob, uint32_t offset)
{
	return is_name(blob, offset) &&
	       strnlen(blob->strings + offset, VYRE_BLOB_MAX_NAME_BYTES + 1) <= VYRE_BLOB_MAX_NAME_BYTES;
}

/* Names go into messages and onto terminals: no control characters but tab and newline (of log formats). */
static vyre_status check_strings(const struct vyre_blob *blob)
{
	uint64_t i;

	if (blob->string_bytes == 0 || blob->string_bytes > UINT32_MAX || blob->strings[0] != '\0' ||
	    blob->strings[blob->string_bytes - 1] != '\0')
		return BAD("STRINGS: %llu bytes do not start and end with NUL", (unsigned long long)blob->string_bytes);
	for (i = 0; i < blob->string_bytes; i++) {
		unsigned char c = (unsigned char)blob->strings[i];

		if ((c < 0x20 && c != '\0' && c != '\t' && c != '\n') || c == 0x7F)
			return BAD("STRINGS: control character 0x%02x at %llu", c, (unsigned long long)i);
	}
	return VYRE_OK;
}

uint32_t vyre_element_bytes(uint32_t element)
{
	switch (element) {
#define X(name, value, bytes, text) \
	case value: \
		return bytes;
		VYRE_ELEMENT_LIST(X)
#undef X
	default:
		return 0;
	}
}

static vyre_status check_buffers(const struct vyre_blob *blob, uint32_t unit_index)
{
	const struct vyre_blob_unit *unit = &blob->view.units[unit_index];
	const struct vyre_blob_buffer *rows = blob->view.buffers + unit->first_buffer;
	uint8_t bound[VYRE_BLOB_MAX_UNIT_BUFFERS] = {0};
	uint32_t i, j;

	for (i = 0; i < unit->buffer_count; i++) {
		const struct vyre_blob_buffer *row = &rows[i];

		if (!is_short_name(blob, row->name) || row->class_ < VYRE_CLASS_CONST ||
		    row->class_ > VYRE_CLASS_LIVE || !vyre_element_bytes(row->element) || row->count > max_elements)
			return BAD("unit %u, buffer %u: name %u, class %u, element %u or count %llu is out of range",
				   unit_index, i, row->name, row->class_, row->element, (unsigned long long)row->count);
		if (row->binding >= unit->buffer_count || bound[row->binding]++)
			return BAD("unit %u, buffer %u: binding %u is not one of its own among %u", unit_index, i,
				   row->binding, unit->buffer_count);
		for (j = 0; j < i; j++)
			if (strcmp(blob->strings + rows[j].name, blob->strings + row->name) == 0)
				return BAD("unit %u: buffers %u and %u are both named %.64s", unit_index, j, i,
					   blob->strings + row->name);
	}
	return VYRE_OK;
}

static vyre_status check_args(const struct vyre_blob *blob, const struct vyre_blob_op *op)
{
	uint32_t used = 0, i;

	for (i = 0; i < op->arg_count; i++) {
		const struct vyre_blob_arg *arg = &blob->view.args[op->first_arg + i];
		uint32_t words = (vyre_element_bytes(arg->element) + 3) / 4, mask;

		if (!is_name(blob, arg->name) || words == 0 || arg->word >= VYRE_SLOT_ARGS ||
		    arg->word + words > VYRE_SLOT_ARGS)
			return BAD("opcode 0x%x, argument %u: name %u, element %u or word %u is out of range",
				   op->opcode, i, arg->name, arg->element, arg->word);
		mask = ((1u << words) - 1) << arg->word;
		if (used & mask)
			return BAD("opcode 0x%x, argument %u: word %u belongs to another argument too", op->opcode, i,
				   arg->word);
		used |= mask;
	}
	return VYRE_OK;
}

static vyre_status check_ops(const struct vyre_blob *blob, uint32_t unit_index)
{
	const struct vyre_blob_unit *unit = &blob->view.units[unit_index];
	uint32_t i;

	for (i = 0; i < unit->op_count; i++) {
		const struct vyre_blob_op *op = &blob->view.ops[unit->first_op + i];

		if (!is_name(blob, op->name) || op->granularity < VYRE_BY_LANE || op->granularity > VYRE_BY_WORKGROUP ||
		    op->result_mask >> VYRE_SLOT_ARGS)
			return BAD("unit %u, op %u: name %u, granularity %u or results 0x%x are out of range",
				   unit_index, i, op->name, op->granularity, op->result_mask);
		if (vyre_opcode_is_system(op->opcode))
			return BAD("unit %u, op %u: opcode 0x%x is the system's", unit_index, i, op->opcode);
		if (i > 0 && op[-1].opcode >= op->opcode)
			return BAD("unit %u, op %u: opcode 0x%x does not come after 0x%x", unit_index, i, op->opcode,
				   op[-1].opcode);
		if (op->arg_count > VYRE_SLOT_ARGS || op->first_arg > blob->view.arg_count ||
		    op->arg_count > blob->view.arg_count - op->first_arg)
			return BAD("unit %u, op %u: arguments %u..+%u are not among the %u", unit_index, i,
				   op->first_arg, op->arg_count, blob->view.arg_count);
		TRY(check_args(blob, op));
	}
	return VYRE_OK;
}

static vyre_status check_unit(const struct vyre_blob *blob, uint32_t index, uint32_t *buffers_end, uint32_t *ops_end)
{
	const struct vyre_blob_view *view = &blob->view;
	const struct vyre_blob_unit *unit = &view->units[index];
	uint32_t i;

	if (!is_short_name(blob, unit->name) || unit->kind < VYRE_UNIT_SET || unit->kind > VYRE_UNIT_PROGRAM ||
	    unit->feed >= VYRE_FEED_COUNT || (unit->kind == VYRE_UNIT_SET) != (unit->feed != VYRE_FEED_NONE))
		return BAD("unit %u: name %u, kind %u or feed %u is out of range", index, unit->name, unit->kind,
			   unit->feed);
	/* A frame hangs on a record; a program has neither. */
	if ((unit->features & ~(uint32_t)VYRE_HAS_ALL) || (unit->kind == VYRE_UNIT_PROGRAM && unit->features) ||
	    unit->frame_words > VYRE_BLOB_MAX_FRAME_WORDS ||
	    (unit->frame_words && !(unit->features & VYRE_HAS_RECORDS)))
		return BAD("unit %u: features 0x%x or frames of %u words are out of range", index, unit->features,
			   unit->frame_words);
	for (i = 0; i < 3; i++)
		if (unit->workgroup[i] == 0 || unit->workgroup[i] > 1024)
			return BAD("unit %u: a workgroup of %u lanes", index, unit->workgroup[i]);
	for (i = 0; i < index; i++)
		if (strcmp(blob->strings + view->units[i].name, blob->strings + unit->name) == 0)
			return BAD("units %u and %u are both named %.64s", i, index, blob->strings + unit->name);
	/* Runs follow each other, so that no row is checked, or owned, twice. */
	if (unit->first_buffer < *buffers_end || unit->first_buffer > view->buffer_count ||
	    unit->buffer_count > view->buffer_count - unit->first_buffer ||
	    unit->buffer_count > VYRE_BLOB_MAX_UNIT_BUFFERS)
		return BAD("unit %u: buffers %u..+%u are not a run of its own (at most %u) among the %u", index,
			   unit->first_buffer, unit->buffer_count, (unsigned)VYRE_BLOB_MAX_UNIT_BUFFERS,
			   view->buffer_count);
	if (unit->first_op < *ops_end || unit->first_op > view->op_count ||
	    unit->op_count > view->op_count - unit->first_op || (unit->kind == VYRE_UNIT_PROGRAM && unit->op_count))
		return BAD("unit %u: ops %u..+%u are not a run of its own among the %u", index, unit->first_op,
			   unit->op_count, view->op_count);
	*buffers_end = unit->first_buffer + unit->buffer_count;
	*ops_end = unit->first_op + unit->op_count;
	TRY(check_buffers(blob, index));
	return check_ops(blob, index);
}

static vyre_status check_rows(const struct vyre_blob *blob)
{
	const struct vyre_blob_view *view = &blob->view;
	uint32_t slices[VYRE_BLOB_MAX_UNITS] = {0};
	uint32_t i, lane, buffers_end = 0, ops_end = 0;

	TRY(check_strings(blob));
	if (view->unit_count == 0)
		return BAD("the blob holds no unit");
	for (i = 0; i < view->unit_count; i++)
		TRY(check_unit(blob, i, &buffers_end, &ops_end));
	for (i = 0; i < view->slice_count; i++) {
		const struct vyre_blob_slice *slice = &view->slices[i];

		if (slice->unit >= view->unit_count || slice->section >= view->section_count ||
		    view->sections[slice->section].kind != VYRE_BLOB_CODE)
			return BAD("slice %u: unit %u of %u, or section %u, is not there or is not code", i,
				   slice->unit, view->unit_count, slice->section);
		if (slice->format < VYRE_FORMAT_ELF || slice->format > VYRE_FORMAT_CUBIN ||
		    (slice->flags & ~(uint32_t)VYRE_SLICE_MAILBOX) ||
		    (slice->format != VYRE_FORMAT_ELF &&
		     (slice->entry > UINT32_MAX || !is_name(blob, (uint32_t)slice->entry))))
			return BAD("slice %u: format %u, flags 0x%x or entry 0x%llx is out of range", i, slice->format,
				   slice->flags, (unsigned long long)slice->entry);
		for (lane = 0; lane < 3; lane++)
			if (slice->lanes[lane] == 0 || slice->lanes[lane] > 1024)
				return BAD("slice %u: a workgroup of %u lanes", i, slice->lanes[lane]);
		if (++slices[slice->unit] > VYRE_BLOB_MAX_UNIT_SLICES)
			return BAD("slice %u: unit %u has more than %u slices", i, slice->unit,
				   (unsigned)VYRE_BLOB_MAX_UNIT_SLICES);
	}
	for (i = 0; i < view->log_count; i++)
		if (!is_name(blob, view->logs[i].format))
			return BAD("log %u: format %u is outside the strings", i, view->logs[i].format);
	for (i = 0; i < view->fault_count; i++)
		if (view->faults[i].unit >= view->unit_count || !is_name(blob, view->faults[i].file))
			return BAD("fault site %u: unit %u or file %u is out of range", i, view->faults[i].unit,
				   view->faults[i].file);
	return VYRE_OK;
}

/* Takes the bytes (of vyre_pages_alloc) over, also on failure. */
static vyre_status open_owned(uint8_t *bytes, uint64_t size, struct vyre_blob **out)
{
	struct vyre_blob *blob = vyre_mem_alloc(sizeof(*blob));
	struct vyre_blob_header header;
	vyre_status status;

	if (!blob) {
		vyre_pages_free(bytes, size);
		return vyre_fail_nomem("a blob record", sizeof(*blob));
	}
	blob->refs = 1;
	blob->bytes = bytes;
	blob->view.file_bytes = size;
	status = check_header(bytes, size, &header);
	if (status == VYRE_OK) {
		blob->view.sections = (const struct vyre_blob_section *)(bytes + sizeof(header));
		blob->view.section_count = header.section_count;
		status = check_sections(blob, size);
	}
	if (status == VYRE_OK)
		status = find_tables(blob);
	if (status == VYRE_OK)
		status = check_rows(blob);
	if (status != VYRE_OK) {
		vyre_blob_close(blob);
		return status;
	}
	*out = blob;
	return VYRE_OK;
}

vyre_status vyre_blob_open(const void *bytes, uint64_t size, struct vyre_blob **out)
{
	struct vyre_blob_header header;
	uint8_t *copy;

	*out = NULL;
	if (size < sizeof(header) || size > VYRE_BLOB_MAX_BYTES)
		return BAD("%llu bytes are no blob: it has %zu to %llu", (unsigned long long)size, sizeof(header),
			   (unsigned long long)VYRE_BLOB_MAX_BYTES);
	copy = vyre_pages_alloc(size);
	if (!copy)
		return vyre_fail_nomem("a copy of a blob", size);
	memcpy(copy, bytes, size);
	return open_owned(copy, size, out);
}

static vyre_status read_all(int fd, const char *path, uint8_t *bytes, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, bytes + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vyre_fail(VYRE_IO, "check the file and its disk", "reading %.256s failed with errno %d",
					 path, errno);
		if (got == 0)
			return BAD("%.256s ended at byte %llu of %llu", path, (unsigned long long)done,
				   (unsigned long long)size);
		done += (uint64_t)got;
	}
	return VYRE_OK;
}

static vyre_status open_descriptor(int fd, const char *path, struct vyre_blob **out)
{
	struct stat info;
	uint64_t size;
	uint8_t *bytes;
	vyre_status status;

	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		return vyre_fail(VYRE_IO, "name a regular file", "%.256s is not a regular file", path);
	size = (uint64_t)info.st_size;
	if (size < sizeof(struct vyre_blob_header) || size > VYRE_BLOB_MAX_BYTES)
		return BAD("%.256s has %llu bytes; a blob has %zu to %llu", path, (unsigned long long)size,
			   sizeof(struct vyre_blob_header), (unsigned long long)VYRE_BLOB_MAX_BYTES);
	bytes = vyre_pages_alloc(size);
	if (!bytes)
		return vyre_fail_nomem("a blob file", size);
	status = read_all(fd, path, bytes, size);
	if (status != VYRE_OK) {
		vyre_pages_free(bytes, size);
		return status;
	}
	return open_owned(bytes, size, out);
}

vyre_status vyre_blob_open_file(const char *path, struct vyre_blob **out)
{
	vyre_status status;
	int fd;

	*out = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe without a writer shall not hold us */
	if (fd < 0)
		return vyre_fail(VYRE_IO, "check the path and its permissions", "cannot open %.256s: errno %d", path,
				 errno);
	status = open_descriptor(fd, path, out);
	close(fd);
	return status;
}

void vyre_blob_ref(struct vyre_blob *blob)
{
	__atomic_fetch_add(&blob->refs, 1, __ATOMIC_RELAXED);
}

void vyre_blob_close(struct vyre_blob *blob)
{
	if (!blob || __atomic_sub_fetch(&blob->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	vyre_pages_free(blob->bytes, blob->view.file_bytes);
	vyre_mem_free(blob);
}

vyre_status vyre_blob_verify(const struct vyre_blob *blob)
{
	uint32_t i;

	for (i = 0; i < blob->view.section_count; i++)
		TRY(vyre_blob_check_section(blob, i));
	return VYRE_OK;
}

void vyre_blob_get_view(const struct vyre_blob *blob, struct vyre_blob_view *out)
{
	*out = blob->view;
}

const char *vyre_blob_string(const struct vyre_blob *blob, uint32_t offset)
{
	return offset < blob->string_bytes ? blob->strings + offset : "";
}

const struct vyre_blob_op *vyre_blob_find_op(const struct vyre_blob *blob, const char *unit, const char *op)
{
	const struct vyre_blob_view *view = &blob->view;
	const struct vyre_blob_unit *found = NULL;
	uint32_t i;

	for (i = 0; i < view->unit_count; i++) {
		if (view->units[i].kind != VYRE_UNIT_SET)
			continue;
		if (unit && strcmp(blob->strings + view->units[i].name, unit) != 0)
			continue;
		if (found)
			return NULL; /* not the only set */
		found = &view->units[i];
	}
	for (i = 0; found && i < found->op_count; i++)
		if (strcmp(blob->strings + view->ops[found->first_op + i].name, op) == 0)
			return &view->ops[found->first_op + i];
	return NULL;
}
