/* ring.h - the words that host and device agree on: control buffer, ring slots, live block, debug log, io queue.
 *
 * Every buffer is an array of little-endian 32-bit words. Tables first, then the names made from them. A row is
 *   X(NAME, first word, words, writer, "meaning, unit")
 * and generated code, loader, tests and printers all take their offsets from these rows, so they cannot drift apart.
 * "frozen" rows are vyre 0.6's and never move; "ours" are words that 0.6 always leaves zero.
 */
#ifndef VYRE_ABI_RING_H
#define VYRE_ABI_RING_H
#include <stddef.h>
#include <stdint.h>
#include "assert.h"

/* Who stores to a word while a kernel is resident. One writer at a time: host atomics and device atomics on the
 * same word are not atomic against each other across PCIe. */
enum vyre_writer { VYRE_WRITER_HOST = 1, VYRE_WRITER_DEVICE = 2, VYRE_WRITER_TURNS = 3 };

/* ---- control buffer (binding 0): 160 words, then observables, then the live block --------------------------------- */
#define VYRE_CONTROL_FIELDS(X) \
	/* frozen */ \
	X(SHUTDOWN,             0,  1, HOST,   "nonzero: leave before the next claim") \
	X(DONE_COUNT,           1,  1, DEVICE, "slots DONE or FAULT, mod 2^32") \
	X(TENANT_BASE,          2,  1, HOST,   "word index of the tenant mask table; always 3") \
	X(TENANT_MASK,          3, 29, HOST,   "nonzero: tenant may run") \
	X(TENANT_QUOTA,        32, 32, HOST,   "slots a tenant may have in flight") \
	X(TENANT_FAIRNESS,     64, 32, DEVICE, "claims by tenant id mod 32") \
	X(METRICS,             96, 32, DEVICE, "slots run by opcode, opcodes below 32") \
	X(EPOCH,              128,  1, DEVICE, "completed batch fences") \
	X(PARTITIONS,         129,  6, HOST,   "priority partition starts and the end, slots") \
	X(STARVATION,         135,  1, DEVICE, "consecutive claims at critical or high") \
	X(PRIORITY_FAIRNESS,  136,  5, DEVICE, "claims by priority") \
	/* ours */ \
	X(EXT_BASE,           141,  1, HOST,   "word index of the live block, multiple of 32; 0 = none") \
	X(ABI_VERSION,        142,  1, HOST,   "1; 0 = a buffer that vyre 0.6 encoded") \
	X(CONTROL_WORDS,      143,  1, HOST,   "160 + observables, without the live block") \
	X(RING_SLOTS,         144,  1, HOST,   "slots in the ring, a power of two for a live ring") \
	X(TENANT_LIMIT,       145,  1, HOST,   "tenant ids at or above this fault; at most 29") \
	X(FAULT_COUNT,        146,  1, DEVICE, "slots that ended in FAULT") \
	X(LAST_FAULT_SLOT,    147,  1, DEVICE, "slot index") \
	X(LAST_FAULT_CODE,    148,  1, DEVICE, "VYRE_FAULT_*") \
	X(DEBUG_DROPPED,      149,  1, DEVICE, "debug records that found the log full") \
	X(FEATURES,           150,  1, HOST,   "reserved for feature bits, 0") \
	X(AGE_LIMIT,          151,  1, HOST,   "priority feed: rounds a slot waits before it moves up a priority; 0 = never") \
	X(RESERVED,           152,  8, HOST,   "zero") \
	X(OBSERVABLES,        160,  0, DEVICE, "results of built-in opcodes, as many as the host asked for")

/* Live block, at control[EXT_BASE]; a line is 32 words (128 bytes), one writer each.
 *
 * Rules of the live feed that no single word shows
 *   claim    The compare-exchange STATUS: PUBLISHED -> CLAIMED alone decides who runs a slot. HEAD only hands out
 *            positions to look at, and never passes TAIL: a worker that finds the slot at HEAD PUBLISHED before TAIL
 *            covers it may claim it by its STATUS, but leaves HEAD where it is. (If it moved HEAD, a slow worker's old
 *            slot, still PUBLISHED one lap later, could push HEAD past a position that is published only afterwards,
 *            and nobody would ever look there.)
 *   parked   A worker remembers, from launch to launch, the CONFIG_EPOCH that it last acted on; when that has moved and
 *            PARKED is nonzero, it scans the ring once. (It may have parked a slot under an old mask, returned for
 *            NOTIFY, and missed the change.)
 *   sleep    After RETIRED moves (seq_cst) a worker reads NOTIFY (seq_cst) and returns if it is nonzero; a waiter adds
 *            to NOTIFY (seq_cst), then reads RETIRED (seq_cst) and STATUS: one of the two sees the other.
 *   leave    A worker adds to AWAY (seq_cst), then reads TAIL, HEAD, STOP and CONFIG_EPOCH again (seq_cst); a publisher
 *            stores TAIL (seq_cst), then reads AWAY (seq_cst): the same argument. */
#define VYRE_LIVE_FIELDS(X) \
	/* line 0 */ \
	X(TAIL,                 0,  1, HOST,   "positions whose slot bytes are complete") \
	X(STOP,                 1,  1, HOST,   "0 run, 1 drain and leave, 2 leave now") \
	X(CONFIG_EPOCH,         2,  1, HOST,   "bumped after masks, quotas or partitions change") \
	X(COMMAND,              3,  1, HOST,   "request to the device: serial << 8 | VYRE_COMMAND_*; 0 = none yet") \
	X(COMMAND_ARG,          4,  1, HOST,   "argument of COMMAND, stored before it") \
	X(CHECK,                5,  1, HOST,   "mailbox rings: vyre_mailbox_check of the slot at TAIL - 1, stored before TAIL") \
	/* line 1 */ \
	X(HEAD,                32,  1, DEVICE, "claim cursor, positions") \
	X(LEAVE,               33,  1, DEVICE, "nonzero: SHUTDOWN has run; every worker leaves") \
	/* line 2 */ \
	X(RETIRED,             64,  1, DEVICE, "slots DONE, FAULT or cancelled; moves after their effects are visible") \
	X(STATE,               65,  1, DEVICE, "0 not started, 1 running, 2 idle, 3 leaving, 4 left") \
	X(HEARTBEAT,           66,  1, DEVICE, "for a watchdog; 0 on the cpu device, whose threads the loader sees") \
	X(COMMAND_DONE,        67,  1, DEVICE, "last COMMAND served") \
	X(COMMAND_TAKEN,       68,  1, DEVICE, "last COMMAND that a worker took; by compare-exchange, so one serves it") \
	/* line 3 */ \
	X(AWAY,                96,  1, DEVICE, "workgroups that left for idleness; nonzero: a publisher must wake the device") \
	X(PARKED,              97,  1, DEVICE, "slots held back (STATUS REQUEUE): masked, over quota, fences and loads that wait") \
	X(PARKED_QUOTA,        98,  1, DEVICE, "those of PARKED that may go on when something has retired") \
	/* line 4: apart from TAIL, which every publish writes */ \
	X(NOTIFY,             128,  1, HOST,   "host threads asleep until something retires; a cpu kernel returns to wake them") \
	X(IO_DONE,            129,  1, HOST,   "io entries that the host has completed, mod 2^32; moves after their STATUS") \
	/* line 5 */ \
	X(TENANT_RETIRED,     160, 32, DEVICE, "slots retired by tenant id, mod 2^32; TENANT_FAIRNESS counts those claimed") \
	/* line 6: only kernels with a queue write it */ \
	X(READY,              192,  1, DEVICE, "slots in the ready rings, spawned ones among them; moves once a batch") \
	X(WAITING,            193,  1, DEVICE, "suspended slots that wait for an epoch, an io entry or their children") \
	/* lines 7 and 8: mailbox kernels' own (abi/mailbox.h), in device memory; nobody else reads them */ \
	X(ENGINE,             224, 64, DEVICE, "VYRE_ENGINE_*")

enum {
#define X(name, word, words, writer, text) VYRE_CONTROL_##name = word,
	VYRE_CONTROL_FIELDS(X)
#undef X
#define X(name, word, words, writer, text) VYRE_LIVE_##name = word,
	VYRE_LIVE_FIELDS(X)
#undef X
	VYRE_CONTROL_MIN_WORDS = VYRE_CONTROL_OBSERVABLES,
	VYRE_LIVE_LINE_WORDS = 32,
	VYRE_LIVE_WORDS = 9 * VYRE_LIVE_LINE_WORDS,
	VYRE_TENANT_MASKS = 29,
	VYRE_TENANT_QUOTA_DEFAULT = 1000000,
	VYRE_ABI_VERSION_NOW = 1,
	VYRE_MEMCPY_WORDS = 65536, /* that one MEMCPY moves at most, so that no slot holds a worker for long */
	VYRE_MAX_SLOTS = 1 << 20, /* also the most observables and debug records that an encoder allocates */
};

/* ---- ring slot (binding 1): 16 words, 64 bytes -------------------------------------------------------------------- */
#define VYRE_SLOT_FIELDS(X) \
	X(STATUS,   0,  1, TURNS, "VYRE_SLOT_*: the host stores in EMPTY, DONE, FAULT; the device in the others") \
	X(OPCODE,   1,  1, HOST,  "what to run") \
	X(TENANT,   2,  1, HOST,  "who asked; stamped by the loader from the publisher handle") \
	X(PRIORITY, 3,  1, HOST,  "0 critical 1 high 2 normal 3 low 4 idle") \
	X(ARG0,     4, 12, TURNS, "arguments; result words after DONE; code and detail after FAULT")

enum {
#define X(name, word, words, writer, text) VYRE_SLOT_WORD_##name = word,
	VYRE_SLOT_FIELDS(X)
#undef X
	VYRE_SLOT_WORDS = 16,
	VYRE_SLOT_BYTES = 64,
	VYRE_SLOT_ARGS = 12,
};

#define VYRE_SLOT_STATUS_LIST(X) \
	X(EMPTY, 0) X(PUBLISHED, 1) X(CLAIMED, 2) X(DONE, 3) X(WAIT_IO, 4) X(YIELD, 5) X(REQUEUE, 6) X(FAULT, 7)
/* Ours, the device's alone: CLAIMED, WAIT_IO or REQUEUE, and asked to end (COMMAND CANCEL). A mark beside STATUS
 * could outlive the slot that it was meant for. */
enum { VYRE_SLOT_CANCELLING = 8 };

#define VYRE_PRIORITY_LIST(X) X(CRITICAL, 0) X(HIGH, 1) X(NORMAL, 2) X(LOW, 3) X(IDLE, 4)

/* Requests of the host in LIVE COMMAND. */
#define VYRE_COMMAND_LIST(X) \
	X(CANCEL, 1, "COMMAND_ARG = a slot index: ends as FAULT code 9 unless it has ended or runs to its end first")

/* Why a slot ended in FAULT (its ARG0); ARG1 is the detail named here. */
#define VYRE_FAULT_LIST(X) \
	X(NONE,            0, "no fault") \
	X(UNKNOWN_OPCODE,  1, "no handler for this opcode (detail: the opcode)") \
	X(TENANT,          2, "tenant id out of range (detail: the id)") \
	X(PROTECTED_WORD,  3, "a built-in op touched a word it may not (detail: the word)") \
	X(OUT_OF_RANGE,    4, "index out of range under bounds policy trap (detail: the index, low 32 bits)") \
	X(TRAP,            5, "the handler trapped (detail: its code)") \
	X(IO,              6, "an I/O request failed (detail: errno)") \
	X(LOOP_BUDGET,     7, "loop budget spent") \
	X(PACKED,          8, "malformed packed slot") \
	X(CANCELLED,       9, "cancelled") \
	X(NO_SPACE,       10, "frame or queue space exhausted") \
	X(DEADLINE,       11, "deadline passed")

enum {
#define X(name, value) VYRE_SLOT_##name = value,
	VYRE_SLOT_STATUS_LIST(X)
#undef X
#define X(name, value) VYRE_PRIORITY_##name = value,
	VYRE_PRIORITY_LIST(X)
#undef X
#define X(name, value, text) VYRE_FAULT_##name = value,
	VYRE_FAULT_LIST(X)
#undef X
#define X(name, value, text) VYRE_COMMAND_##name = value,
	VYRE_COMMAND_LIST(X)
#undef X
};

/* ---- opcodes ------------------------------------------------------------------------------------------------------- */
#define VYRE_OPCODE_LIST(X) \
	X(NOP, 0u) X(STORE_U32, 1u) X(ATOMIC_ADD, 2u) X(LOAD_U32, 3u) X(COMPARE_SWAP, 4u) X(MEMCPY, 5u) \
	X(DFA_STEP, 6u) X(BATCH_FENCE, 7u) X(LOAD_MISS, 0xFFFDu) X(PRINTF, 0xFFFEu) \
	X(PACKED_SLOT, 0x80000001u) X(SHUTDOWN, 0xFFFFFFFFu)
#define X(name, value) static const uint32_t VYRE_OPCODE_##name = value;
VYRE_OPCODE_LIST(X)
#undef X

/* System opcodes are vyre's; a handler may use every other value. */
static inline int vyre_opcode_is_system(uint32_t opcode)
{
	return (opcode >> 31) != 0 || (opcode >= 0xFFF0u && opcode <= 0xFFFFu) || opcode <= 7u;
}

/* ---- io queue (binding 3): 64 entries of 8 words ------------------------------------------------------------------- */
#define VYRE_IO_ENTRY_FIELDS(X) \
	X(OP,         0, "VYRE_IO_OP_*") \
	X(SRC_HANDLE, 1, "id in the capability table") \
	X(DST_HANDLE, 2, "id in the capability table") \
	X(OFFSET_LO,  3, "byte offset in the source; after ERROR: errno") \
	X(OFFSET_HI,  4, "its upper half") \
	X(BYTE_COUNT, 5, "bytes asked for; after ERROR: bytes done") \
	X(STATUS,     6, "VYRE_SLOT_* or VYRE_IO_STATUS_*") \
	X(TAG,        7, "the asker's, never changed")

#define VYRE_IO_OP_LIST(X) X(READ, 1) X(WRITE, 2) X(FENCE, 3)

/* Beside the states of a slot. */
#define VYRE_IO_STATUS_LIST(X) X(OK, 0x10) X(ERROR, 0x11)

enum {
#define X(name, word, text) VYRE_IO_WORD_##name = word,
	VYRE_IO_ENTRY_FIELDS(X)
#undef X
#define X(name, value) VYRE_IO_OP_##name = value,
	VYRE_IO_OP_LIST(X)
#undef X
#define X(name, value) VYRE_IO_STATUS_##name = value,
	VYRE_IO_STATUS_LIST(X)
#undef X
};

/* ---- lengths of debug log (binding 2) and io queue ----------------------------------------------------------------- */
enum {
	VYRE_DEBUG_RECORD_WORDS = 4, /* format id, a, b, 16 x slot index */
	VYRE_DEBUG_RECORDS = 64,
	VYRE_DEBUG_WORDS = 1 + VYRE_DEBUG_RECORD_WORDS * VYRE_DEBUG_RECORDS, /* word 0: cursor, in words from word 1 */
	VYRE_IO_ENTRY_WORDS = 8,
	VYRE_IO_ENTRIES = 64,
	VYRE_IO_WORDS = VYRE_IO_ENTRY_WORDS * VYRE_IO_ENTRIES,
};

VYRE_STATIC_ASSERT(VYRE_CONTROL_OBSERVABLES == 160 && VYRE_CONTROL_EXT_BASE == 141, "frozen control words");
VYRE_STATIC_ASSERT(VYRE_SLOT_WORD_ARG0 + VYRE_SLOT_ARGS == VYRE_SLOT_WORDS, "a slot is 16 words");
VYRE_STATIC_ASSERT(VYRE_DEBUG_WORDS == 257 && VYRE_IO_WORDS == 512, "frozen lengths");

/* EXT_BASE for a control buffer with this many observables: the first multiple of 32 above them. */
static inline uint32_t vyre_live_base(uint32_t observables)
{
	return (VYRE_CONTROL_MIN_WORDS + observables + VYRE_LIVE_LINE_WORDS - 1) / VYRE_LIVE_LINE_WORDS *
	       VYRE_LIVE_LINE_WORDS;
}

#endif
