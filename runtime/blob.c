/* blob.c - reads a .vyb: from bytes that may be anything to tables that may be trusted (their rows: blob_rows.c).
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
#include "blob_rows.h"
#include "digest.h"
#include "kernel.h"
#include "message.h"

VYRE_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blob rows are read in place");

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
		status = vyre_blob_check_rows(blob);
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
