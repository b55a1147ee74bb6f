/* vir0.c - modules as bytes, and back.
 *
 *   0   "VIR0"
 *   4   u32     version, 1
 *   8   u64     bytes of the payload: all that follow the digest
 *   16  u8[32]  BLAKE2b-256 of the payload
 *   48  payload: a sequence of numbers, each in LEB128 (7 bits a byte, low first, no longer than needed):
 *       names     count, then of each: its bytes as a number, the bytes
 *       file      name: number in the list above, from 1; 0 = none
 *       locals arrays exprs stmts blocks consts fns handlers units refs comments, of each:
 *                 count (without entry 0), then of each entry a mask, bit i of it for field i of its row below, and
 *                 the fields of the set bits in order. A field without its bit is zero; a place (loc) without its bit is
 *                 that of the entry before, with it the difference to that, zigzag: 0 -1 1 -2 2 ... as 0 1 2 3 4 ...
 *
 * All fixed numbers are little-endian. Enters to write: a verified module; it is cloned first, so that garbage
 * disappears, numbering is canonical, and equal modules give equal bytes. Enters to read: bytes that anyone may have
 * made. Leaves: tables whose every field has been read from a checked place and fits its width. Invariant: a count is
 * believed only if that many entries fit into the bytes that are left, before anything is allocated for them. What the
 * indices mean is the verifier's to check, on this module as on any other.
 *
 * Why one list of rows for both directions: a field that only one of them knows cannot exist. Why masks: most fields of
 * most nodes are zero, and a module of the largest size that text may make must fit into the largest size of VIR0.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ir/vir0.h"

enum { VERSION = 1, DIGEST_AT = 16, PAYLOAD_AT = 48, DIGEST_BYTES = 32 };

/* F(field): a number. N(field): a name. L: the place. */
#define LOCAL_ROW(F, N, L) N(name) F(kind) F(type) L(loc)
#define ARRAY_ROW(F, N, L) N(name) F(class_) F(element) F(count) L(loc)
#define EXPR_ROW(F, N, L) \
	F(kind) \
	F(type) F(policy) F(order) F(scope) F(code) L(loc) F(sym) F(arg[0]) F(arg[1]) F(arg[2]) F(list) F(count) F(imm)
/* clang-format off */
#define STMT_ROW(F, N, L) \
	F(kind) F(policy) F(order) F(scope) L(loc) F(local) F(local2) F(array) F(array2) N(name) \
	F(expr[0]) F(expr[1]) F(expr[2]) F(expr[3]) F(body[0]) F(body[1]) F(list) F(count) F(imm)
/* clang-format on */
#define BLOCK_ROW(F, N, L) F(first) F(count)
#define CONST_ROW(F, N, L) N(name) F(type) F(value) F(expr) L(loc)
#define FN_ROW(F, N, L)	   N(name) F(unit) F(result) F(params) F(param_count) F(body) L(loc)
#define HANDLER_ROW(F, N, L) \
	N(name) F(opcode) F(granularity) F(width) F(params) F(param_count) F(shared) F(shared_count) F(body) L(loc)
/* clang-format off */
#define UNIT_ROW(F, N, L) \
	N(name) F(kind) F(feed) F(workgroup[0]) F(workgroup[1]) F(workgroup[2]) F(items) F(item_count) F(body) L(loc) \
	F(features) F(frame_words)
/* clang-format on */
#define COMMENT_ROW(F, N, L) L(loc) N(text) F(own_line) F(blank_before)

/* T(table, node type, row, most entries); tables with an entry 0 that is none. */
#define TABLES(T) \
	T(local, struct vyrec_local_node, LOCAL_ROW, VYREC_MAX_NODES) \
	T(array, struct vyrec_array_node, ARRAY_ROW, VYREC_MAX_ARRAYS) \
	T(expr, struct vyrec_expr_node, EXPR_ROW, VYREC_MAX_NODES) \
	T(stmt, struct vyrec_stmt_node, STMT_ROW, VYREC_MAX_NODES) \
	T(block, struct vyrec_block_node, BLOCK_ROW, 2 * VYREC_MAX_NODES) \
	T(const, struct vyrec_const_node, CONST_ROW, VYREC_MAX_NODES) \
	T(fn, struct vyrec_fn_node, FN_ROW, VYREC_MAX_NODES) \
	T(handler, struct vyrec_handler_node, HANDLER_ROW, VYREC_MAX_UNITS *VYREC_MAX_OPS) \
	T(unit, struct vyrec_unit_node, UNIT_ROW, VYREC_MAX_UNITS)

/* ---- writing --------------------------------------------------------------------------------------------------------- */

struct writer {
	uint8_t *bytes;
	uint32_t count, capacity;
	vyrec_loc loc; /* of the entry before */
};

static void put_bytes(struct writer *w, const void *bytes, size_t count)
{
	w->bytes = vyrec_grow(w->bytes, &w->capacity, w->count + (uint32_t)count, 1);
	memcpy(w->bytes + w->count, bytes, count);
	w->count += (uint32_t)count;
}

static void put(struct writer *w, uint64_t value)
{
	uint8_t bytes[10];
	unsigned n = 0;
	for (; value > 0x7f; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	put_bytes(w, bytes, n);
}

static void put_fixed(uint8_t *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static void put_names(struct writer *w, const struct vyrec_module *m)
{
	vyrec_name count = 0;
	while (vyrec_name_bytes(m, count + 1))
		count++;
	put(w, count);
	for (vyrec_name name = 1; name <= count; name++) {
		put(w, vyrec_name_bytes(m, name));
		put_bytes(w, vyrec_name_text(m, name), vyrec_name_bytes(m, name));
	}
	put(w, m->file);
}

/* The difference of two places as a number that is small where they are near. */
static uint32_t zigzag(uint32_t from, uint32_t to)
{
	uint32_t by = to - from;
	return by << 1 ^ (by >> 31 ? UINT32_MAX : 0);
}

#define MASK(field)	mask |= (uint64_t)(node->field != 0) << bit++;
#define MASK_LOC(field) mask |= (uint64_t)(node->field != w->loc) << bit++;
#define PUT(field) \
	if (node->field) \
		put(w, node->field);
#define PUT_LOC(field) \
	if (node->field != w->loc) \
		put(w, zigzag(w->loc, node->field)); \
	w->loc = node->field;
#define T(table, type, ROW, most) \
	static void put_##table(struct writer *w, const type *node) \
	{ \
		uint64_t mask = 0; \
		unsigned bit = 0; \
		ROW(MASK, MASK, MASK_LOC) \
		put(w, mask); \
		ROW(PUT, PUT, PUT_LOC) \
	}
TABLES(T)
T(comment, struct vyrec_comment, COMMENT_ROW, 0)
#undef T

static void put_tables(struct writer *w, const struct vyrec_module *m)
{
#define T(table, type, row, most) \
	put(w, m->table##_count - 1); \
	w->loc = 0; \
	for (uint32_t i = 1; i < m->table##_count; i++) \
		put_##table(w, &m->table##s[i]);
	TABLES(T)
#undef T
	put(w, m->ref_count - 1);
	for (uint32_t i = 1; i < m->ref_count; i++)
		put(w, m->refs[i]);
	put(w, m->comment_count);
	w->loc = 0;
	for (uint32_t i = 0; i < m->comment_count; i++)
		put_comment(w, &m->comments[i]);
}

uint8_t *vyrec_vir0_write(const struct vyrec_module *module, size_t *bytes)
{
	struct vyrec_module *m = vyrec_module_clone(module);
	struct writer w = {0};
	uint8_t head[PAYLOAD_AT] = "VIR0";
	put_bytes(&w, head, sizeof head);
	put_names(&w, m);
	put_tables(&w, m);
	put_fixed(w.bytes + 4, VERSION, 4);
	put_fixed(w.bytes + 8, w.count - PAYLOAD_AT, 8);
	crypto_generichash(w.bytes + DIGEST_AT, DIGEST_BYTES, w.bytes + PAYLOAD_AT, w.count - PAYLOAD_AT, NULL, 0);
	vyrec_module_destroy(m);
	*bytes = w.count;
	return w.bytes;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *start, *at, *end;
	struct vyrec_diags *diags;
	vyrec_name *names; /* number in the file -> name in the module */
	uint32_t name_count;
	vyrec_loc loc; /* of the entry before */
	bool failed;
};

/* The first failure ends the reading: everything after it would be guessed. */
#define REFUSE(r, ...) \
	do { \
		if (!(r)->failed) \
			vyrec_diags_add((r)->diags, VYREC_ERROR, "", 0, __VA_ARGS__); \
		(r)->failed = true; \
	} while (0)

static size_t offset(const struct reader *r)
{
	return (size_t)(r->at - r->start);
}

/* A number of at most `limit`; 0 after a failure. */
static uint64_t get(struct reader *r, uint64_t limit)
{
	uint64_t value = 0;
	size_t from = offset(r);
	for (unsigned shift = 0; !r->failed; shift += 7) {
		if (r->at == r->end) {
			REFUSE(r, "the bytes end inside a number at %zu; the file is cut short", from);
			break;
		}
		uint8_t byte = *r->at++;
		if ((shift == 63 && byte > 1) || (shift && !byte)) {
			REFUSE(r, "the number at byte %zu is not in shortest form; the file is damaged", from);
			break;
		}
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (value > limit)
			REFUSE(r, "the number %llu at byte %zu is above %llu; the file is damaged",
			       (unsigned long long)value, from, (unsigned long long)limit);
		break;
	}
	return r->failed ? 0 : value;
}

/* A count of entries of at least `least` bytes each, all of which fit into what is left behind the count. */
static uint32_t get_count(struct reader *r, uint64_t limit, unsigned least)
{
	size_t from = offset(r);
	uint64_t count = get(r, limit), left = (uint64_t)(r->end - r->at) / least;
	if (count > left)
		REFUSE(r, "%llu entries at byte %zu, %llu fit into the bytes behind; the file is damaged",
		       (unsigned long long)count, from, (unsigned long long)left);
	return r->failed ? 0 : (uint32_t)count;
}

static vyrec_name get_name(struct reader *r)
{
	uint64_t number = get(r, r->name_count);
	return r->failed ? 0 : r->names[number];
}

/* A field whose bit is set: it cannot be zero, that would be a second way to write the same. */
static uint64_t get_field(struct reader *r, uint64_t limit)
{
	size_t from = offset(r);
	uint64_t value = get(r, limit);
	if (!value)
		REFUSE(r, "the field at byte %zu is zero and has a bit; the file is damaged", from);
	return value;
}

static vyrec_loc get_loc(struct reader *r)
{
	uint32_t by = (uint32_t)get_field(r, UINT32_MAX);
	return r->loc + (by >> 1 ^ (by & 1 ? UINT32_MAX : 0));
}

static void get_names(struct reader *r, struct vyrec_module *m)
{
	r->name_count = get_count(r, VYREC_MAX_SOURCE_BYTES, 2);
	r->names = vyrec_alloc(((size_t)r->name_count + 1) * sizeof *r->names);
	for (uint32_t i = 1; i <= r->name_count && !r->failed; i++) {
		uint32_t bytes = get_count(r, VYREC_MAX_SOURCE_BYTES, 1);
		if (r->failed || !bytes || memchr(r->at, 0, bytes)) {
			REFUSE(r, "name %u is empty or holds a zero byte; the file is damaged", i);
			return;
		}
		r->names[i] = vyrec_intern(m, (const char *)r->at, bytes);
		r->at += bytes;
	}
}

#define WIDTH_MAX(field) (UINT64_MAX >> (64 - 8 * sizeof(node->field)))
#define IS_BOOL(field)	 _Generic(node->field, bool : true, default : false)
#define GET(field) \
	if (mask >> bit++ & 1) \
		node->field = get_field(r, IS_BOOL(field) ? 1 : WIDTH_MAX(field));
#define GET_NAME(field) \
	if (mask >> bit++ & 1) \
		node->field = r->names[get_field(r, r->name_count)];
#define GET_LOC(field) node->field = r->loc = mask >> bit++ & 1 ? get_loc(r) : r->loc;
#define ONE(field)     +1
#define T(table, type, ROW, most) \
	static void get_##table(struct reader *r, type *node) \
	{ \
		uint64_t mask = get(r, (UINT64_C(1) << (0 ROW(ONE, ONE, ONE))) - 1); \
		unsigned bit = 0; \
		ROW(GET, GET_NAME, GET_LOC) \
	}
TABLES(T)
T(comment, struct vyrec_comment, COMMENT_ROW, 0)
#undef T

static void get_tables(struct reader *r, struct vyrec_module *m)
{
#define T(table, type, row, most) \
	{ \
		uint32_t count = get_count(r, most, 1) + 1; \
		r->loc = 0; \
		m->table##s = vyrec_grow(m->table##s, &m->table##_capacity, count, sizeof(type)); \
		m->table##_count = count; \
		for (uint32_t i = 1; i < count && !r->failed; i++) \
			get_##table(r, &m->table##s[i]); \
	}
	TABLES(T)
#undef T
	m->ref_count = get_count(r, VYREC_MAX_SOURCE_BYTES, 1) + 1;
	m->refs = vyrec_grow(m->refs, &m->ref_capacity, m->ref_count, sizeof *m->refs);
	for (uint32_t i = 1; i < m->ref_count && !r->failed; i++)
		m->refs[i] = (uint32_t)get(r, UINT32_MAX);
	r->loc = 0;
	m->comment_count = get_count(r, VYREC_MAX_NODES, 1);
	m->comments = vyrec_grow(m->comments, &m->comment_capacity, m->comment_count, sizeof *m->comments);
	for (uint32_t i = 0; i < m->comment_count && !r->failed; i++)
		get_comment(r, &m->comments[i]);
}

static uint64_t fixed(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

static bool head_is_sound(struct reader *r, size_t size)
{
	uint8_t digest[DIGEST_BYTES];
	if (size < PAYLOAD_AT || memcmp(r->start, "VIR0", 4))
		REFUSE(r, "%zu bytes that do not start with a VIR0 head of %d; give a file that vyrec wrote", size,
		       PAYLOAD_AT);
	else if (size > VYREC_MAX_SOURCE_BYTES)
		REFUSE(r, "%zu bytes, the limit is %d; split the file", size, VYREC_MAX_SOURCE_BYTES);
	else if (fixed(r->start + 4, 4) != VERSION)
		REFUSE(r, "version %u, this build reads %d; write the file with this build",
		       (unsigned)fixed(r->start + 4, 4), VERSION);
	else if (fixed(r->start + 8, 8) != size - PAYLOAD_AT)
		REFUSE(r, "%zu bytes of payload where the head says %llu; the file is cut short or damaged",
		       size - PAYLOAD_AT, (unsigned long long)fixed(r->start + 8, 8));
	if (r->failed)
		return false;
	crypto_generichash(digest, DIGEST_BYTES, r->start + PAYLOAD_AT, size - PAYLOAD_AT, NULL, 0);
	if (memcmp(digest, r->start + DIGEST_AT, DIGEST_BYTES))
		REFUSE(r, "the digest does not match the payload; the file is damaged");
	return !r->failed;
}

struct vyrec_module *vyrec_vir0_read(const char *file, const uint8_t *bytes, size_t size, struct vyrec_diags *diags)
{
	struct reader r = {.start = bytes, .at = bytes, .end = bytes + size, .diags = diags};
	if (!head_is_sound(&r, size))
		return NULL;
	r.at += PAYLOAD_AT;
	struct vyrec_module *m = vyrec_module_create("");
	get_names(&r, m);
	if (!r.failed) {
		m->file = get_name(&r);
		get_tables(&r, m);
	}
	if (r.at != r.end)
		REFUSE(&r, "%zu bytes behind the last table; the file is damaged", (size_t)(r.end - r.at));
	free(r.names);
	if (r.failed) {
		vyrec_module_destroy(m);
		return NULL;
	}
	if (!m->file)
		m->file = vyrec_intern_z(m, file);
	return m;
}
