/* blob.h - the bytes of a .vyb file: what vyrec writes and the loader reads.
 *
 * Little-endian, flat, every offset from the start of the file, every section 16-byte aligned:
 *
 *   0   struct vyre_blob_header            magic, version, sizes
 *   64  struct vyre_blob_section[n]        the section table: kind, place, BLAKE2b-256 of the section's bytes
 *   ..  sections, in table order, zero padding between them
 *
 * Section kinds
 *   STRINGS     (one)  NUL-terminated UTF-8; every `name` below is a byte offset into it; offset 0 is ""
 *   UNITS       (one)  struct vyre_blob_unit[]: the sets and programs that the blob holds
 *   BUFFERS     (one)  struct vyre_blob_buffer[]: each unit owns a run of them; for a set: control, ring_buffer,
 *                      debug_log, io_queue, launch come first, then frames and queue where VYRE_HAS_* says so, then
 *                      the set's own in order of declaration
 *   OPS         (one)  struct vyre_blob_op[]: each set owns a run of them, sorted by opcode
 *   ARGS        (one)  struct vyre_blob_arg[]: each op owns a run of them
 *   SLICES      (one)  struct vyre_blob_slice[]: one per unit, target and format
 *   CODE        (many) a slice's image, named by its section index
 *   LOGS        (one)  struct vyre_blob_log[]: format strings of log(id, a, b)
 *   FAULTS      (one)  struct vyre_blob_fault_site[]: where in the source trap codes come from
 *   VIR0        (one)  the units in binary IR
 *   PROVENANCE  (one)  "key=value\n" lines: compiler, llvm, flags, source digest
 *   SIGNATURE   (at most one, last) reserved: Ed25519 over header and table
 *
 * A reader believes nothing: magic, version, sizes, then the table, then every index and string offset before use.
 */
#ifndef VYRE_ABI_BLOB_H
#define VYRE_ABI_BLOB_H
#include <stdint.h>
#include "assert.h"

#define VYRE_BLOB_MAGIC 0x30425956u /* "VYB0" */
enum {
	VYRE_BLOB_VERSION = 2,
	VYRE_BLOB_ALIGN = 16,
	VYRE_BLOB_DIGEST_BYTES = 32,
	VYRE_BLOB_MAX_SECTIONS = 4096,
	VYRE_BLOB_MAX_UNITS = 256,
	VYRE_BLOB_MAX_ROWS = 65536, /* of any table section */
	VYRE_BLOB_MAX_UNIT_BUFFERS = 256,
	VYRE_BLOB_MAX_UNIT_SLICES = 64,
	VYRE_BLOB_MAX_NAME_BYTES = 1024, /* of a unit or a buffer, without the NUL */
	VYRE_BLOB_MAX_FRAME_WORDS = 65536,
};
#define VYRE_BLOB_MAX_BYTES (UINT64_C(1) << 30)

#define VYRE_BLOB_SECTION_LIST(X) \
	X(STRINGS, 1) X(UNITS, 2) X(BUFFERS, 3) X(OPS, 4) X(ARGS, 5) X(SLICES, 6) X(CODE, 7) X(LOGS, 8) X(FAULTS, 9) \
	X(VIR0, 10) X(PROVENANCE, 11) X(SIGNATURE, 12)
#define VYRE_UNIT_KIND_LIST(X) X(SET, 1, "set") X(PROGRAM, 2, "program")
#define VYRE_FEED_LIST(X) X(NONE, 0, "none") X(SLOTS, 1, "slots") X(LIVE, 2, "live") X(PRIORITY, 3, "priority") \
	X(TASKS, 4, "tasks") X(FIXPOINT, 5, "fixpoint")
/* What a lowered set can do, and so which buffers of queue.h it has. */
#define VYRE_HAS_LIST(X) \
	X(BUILTINS, 0x01, "the built-in opcodes") \
	X(RECORDS,  0x02, "buffer `frames`: records of suspended slots, and frames") \
	X(QUEUE,    0x04, "buffer `queue`: ready queues, and room for spawned slots") \
	X(SUSPEND,  0x08, "a handler suspends") \
	X(SPAWN,    0x10, "a handler spawns") \
	X(IO,       0x20, "a handler, or LOAD_MISS, asks the host for file ranges") \
	X(SERVICE,  0x40, "serves io entries that the host publishes") \
	X(FUSED,    0x80, "the one handler runs for every slot, whatever its opcode") \
	X(CONTROL_REPORT, 0x100, "only the control buffer is read back") \
	X(ONCE,    0x200, "one round a launch, whatever the launch words say")
#define VYRE_BUFFER_CLASS_LIST(X) X(CONST, 1, "const") X(PLAIN, 2, "plain") X(STREAM, 3, "stream") X(LIVE, 4, "live")
#define VYRE_GRANULARITY_LIST(X) X(LANE, 1, "lane") X(WORKGROUP, 2, "workgroup")
/* Element and argument types: name, value, bytes as a buffer element, name in the language. */
#define VYRE_ELEMENT_LIST(X) \
	X(BOOL, 1, 4, "bool") X(U32, 2, 4, "u32") X(I32, 3, 4, "i32") X(U64, 4, 8, "u64") X(I64, 5, 8, "i64") \
	X(F32, 6, 4, "f32") X(F64, 7, 8, "f64") X(F16, 8, 2, "f16") X(U8, 9, 1, "u8") X(U16, 10, 2, "u16") \
	X(I8, 11, 1, "i8") X(I16, 12, 2, "i16")
/* Slice targets: a row per architecture that the loader can pick; values order rows of one family. An NVIDIA row's value
 * is its compute capability, major x 10 + minor. */
#define VYRE_TARGET_LIST(X) \
	X(X86_64_V2, 1, "x86-64-v2") X(X86_64_V3, 2, "x86-64-v3") X(X86_64_V4, 3, "x86-64-v4") \
	X(SM_75, 75, "sm_75") X(SM_80, 80, "sm_80") X(SM_86, 86, "sm_86") X(SM_87, 87, "sm_87") X(SM_89, 89, "sm_89") \
	X(SM_90, 90, "sm_90") X(SM_100, 100, "sm_100") X(SM_103, 103, "sm_103") X(SM_120, 120, "sm_120") \
	X(SM_121, 121, "sm_121")
/* What the bytes of a slice are, and what its `entry` means.
 *   ELF    a native image as abi/cpu.h says; entry = virtual address of the vyre_cpu_entry
 *   PTX    text, not NUL-terminated; entry = offset in STRINGS of the name of the .entry; abi/cuda.h
 *   CUBIN  the same, assembled for its target */
#define VYRE_FORMAT_LIST(X) X(ELF, 1, "elf") X(PTX, 2, "ptx") X(CUBIN, 3, "cubin")

enum {
#define X(name, value) VYRE_BLOB_##name = value,
	VYRE_BLOB_SECTION_LIST(X)
#undef X
#define X(name, value, text) VYRE_UNIT_##name = value,
	VYRE_UNIT_KIND_LIST(X)
#undef X
#define X(name, value, text) VYRE_FEED_##name = value,
	VYRE_FEED_LIST(X)
#undef X
#define X(name, value, text) VYRE_HAS_##name = value,
	VYRE_HAS_LIST(X)
#undef X
#define X(name, value, text) VYRE_CLASS_##name = value,
	VYRE_BUFFER_CLASS_LIST(X)
#undef X
#define X(name, value, text) VYRE_BY_##name = value,
	VYRE_GRANULARITY_LIST(X)
#undef X
#define X(name, value, bytes, text) VYRE_ELEMENT_##name = value,
	VYRE_ELEMENT_LIST(X)
#undef X
#define X(name, value, text) VYRE_TARGET_##name = value,
	VYRE_TARGET_LIST(X)
#undef X
#define X(name, value, text) VYRE_FORMAT_##name = value,
	VYRE_FORMAT_LIST(X)
#undef X
	VYRE_SLICE_MAILBOX = 1, /* of a live set: the buffers of abi/mailbox.h follow those of the unit */
	VYRE_FEED_COUNT = 0
#define X(name, value, text) + 1
	VYRE_FEED_LIST(X),
#undef X
	VYRE_HAS_ALL = 0
#define X(name, value, text) | value
	VYRE_HAS_LIST(X)
#undef X
};

/* Bytes of an element of a buffer; 0 = no such element. */
static inline uint32_t vyre_element_bytes(uint32_t element)
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

struct vyre_blob_header {
	uint32_t magic, version;
	uint64_t file_bytes;
	uint32_t section_count, reserved0;
	uint8_t table_digest[VYRE_BLOB_DIGEST_BYTES]; /* BLAKE2b-256 of the section table */
	uint64_t reserved1;
};
struct vyre_blob_section {
	uint32_t kind, reserved;
	uint64_t offset, bytes;
	uint8_t digest[VYRE_BLOB_DIGEST_BYTES];
	uint64_t reserved1;
};
struct vyre_blob_unit {
	uint32_t name, kind; /* VYRE_UNIT_* */
	uint32_t feed;       /* VYRE_FEED_*; NONE for a program */
	uint32_t workgroup[3];
	uint32_t first_buffer, buffer_count;
	uint32_t first_op, op_count;
	uint32_t features;    /* VYRE_HAS_* */
	uint32_t frame_words; /* words of a frame, see queue.h; 0 = no handler needs one */
};
struct vyre_blob_buffer {
	uint32_t name, binding; /* binding: position among the buffers that an entry is given (abi/cpu.h, abi/cuda.h) */
	uint32_t class_;        /* VYRE_CLASS_* */
	uint32_t element;       /* VYRE_ELEMENT_* */
	uint64_t count;         /* declared elements; 0 = known at run time; a binding must have at least this many */
	uint32_t readback_first, readback_bytes; /* bytes copied back after a dispatch; 0,0xFFFFFFFF = all */
};
struct vyre_blob_op {
	uint32_t name, opcode;
	uint32_t first_arg, arg_count;
	uint32_t granularity; /* VYRE_BY_* */
	uint32_t width;       /* lanes of `by workgroup(N)`; 0 = any */
	uint32_t result_mask; /* bit k: result(k, ...) occurs */
	uint32_t reserved;
};
struct vyre_blob_arg {
	uint32_t name;
	uint32_t element; /* 64-bit types take two words, low first; bool is nonzero */
	uint32_t word;    /* first ARG word, 0..11 */
	uint32_t reserved;
};
struct vyre_blob_slice {
	uint32_t unit, target; /* index in UNITS; VYRE_TARGET_* */
	uint32_t format;       /* VYRE_FORMAT_* */
	uint32_t section;      /* index of the CODE section in the section table; units of one target and format share it */
	uint64_t entry;        /* where the unit starts; see VYRE_FORMAT_LIST */
	uint32_t lanes[3];     /* of a workgroup as this slice was compiled; ELF: 1, 1, 1 */
	uint32_t flags;        /* VYRE_SLICE_* */
	uint32_t stack_bytes;  /* ELF: stack that one call needs, an upper bound; else local memory of a lane, 0 = not known */
	uint32_t shared_bytes; /* workgroup memory */
	uint32_t registers;    /* of a lane; 0 = not known (PTX without ptxas at hand, ELF) */
	uint32_t spill_bytes;  /* stores and loads of spilled registers, of a lane */
	uint64_t reserved;
};
struct vyre_blob_log {
	uint32_t id, format; /* string offset; each %u %d %x %f takes the next of a, b */
};
struct vyre_blob_fault_site {
	uint32_t unit, op; /* index in UNITS; opcode */
	uint32_t code;     /* the constant given to trap(code) */
	uint32_t file, line, column;
};

VYRE_STATIC_ASSERT(sizeof(struct vyre_blob_header) == 64 && sizeof(struct vyre_blob_section) == 64, "blob framing");
VYRE_STATIC_ASSERT(sizeof(struct vyre_blob_unit) == 48 && sizeof(struct vyre_blob_buffer) == 32, "blob rows");
VYRE_STATIC_ASSERT(sizeof(struct vyre_blob_op) == 32 && sizeof(struct vyre_blob_arg) == 16, "blob rows");
VYRE_STATIC_ASSERT(sizeof(struct vyre_blob_slice) == 64 && sizeof(struct vyre_blob_log) == 8, "blob rows");
VYRE_STATIC_ASSERT(sizeof(struct vyre_blob_fault_site) == 24, "blob rows");

#endif
