/* vyre.h - the loader: runs blobs that vyrec compiled. The only public header of libvyre-loader.
 *
 * A product uses it like this (examples/scan/main.c is the whole of it):
 *
 *   vyre_blob_open_file -> vyre_device_open -> vyre_buffer_create ... -> vyre_kernel_create (buffers bound by name)
 *   -> vyre_ring_create -> vyre_publisher_create -> vyre_publish / vyre_wait ... -> vyre_ring_stop -> destroy
 *
 * Rules that hold for every function
 *   errors      Every call that can fail returns a vyre_status. The sentence that goes with it,
 *               "<what, with the numbers>. Fix: <what to do>.", goes to the log callback and to vyre_last_error() of
 *               the calling thread. FULL, TIMEOUT, STOPPED, STALE and FAULT of the ring's calls are answers, not errors:
 *               they set vyre_last_error() and are not logged. Nothing in the library exits, aborts or writes to
 *               stdout or stderr.
 *   ownership   create / open give an object to the caller; destroy / close take it back, accept NULL, and never fail.
 *               An object keeps what it was made from alive (a kernel its blob and device, a ring its kernel), so the
 *               order of destruction is free. Descriptors and strings given to a call need only live until it returns.
 *               On failure *out is NULL (or 0 for a handle).
 *   threads     Objects may be used from any thread; each function says "any thread" (safe at the same time as every
 *               other call on the object) or "one at a time" (the caller serialises calls on this object).
 *               Destroying an object while another thread is inside a call on it is a caller's error.
 *   blocking    Calls do not block unless they say so. Times are nanoseconds on CLOCK_MONOTONIC; a timeout of 0 polls,
 *               VYRE_FOREVER never ends.
 *   sizes       Bytes are uint64_t; element counts are elements.
 */
#ifndef VYRE_H
#define VYRE_H
#include <stddef.h>
#include <stdint.h>

#include "abi/blob.h"
#include "abi/io.h"
#include "abi/queue.h"
#include "abi/ring.h"
#include "abi/status.h"
#include "abi/work.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VYRE_API __attribute__((visibility("default")))
#define VYRE_CHECKED __attribute__((warn_unused_result))
#else
#define VYRE_API
#define VYRE_CHECKED
#endif

#define VYRE_FOREVER UINT64_MAX

/* ---- status and log ------------------------------------------------------------------------------------------------ */

enum vyre_log_level { VYRE_LOG_ERROR = 1, VYRE_LOG_WARNING, VYRE_LOG_INFO, VYRE_LOG_DEBUG };
typedef void (*vyre_log_fn)(void *user, enum vyre_log_level level, const char *message);

/* The name of a status, "VYRE_FULL"; "VYRE_?" for a value that is none. Any thread. */
VYRE_API const char *vyre_status_name(vyre_status status);

/* The last error sentence of the calling thread; "" if there was none. Valid until the thread's next failing call. */
VYRE_API const char *vyre_last_error(void);

/* Where messages up to `level` go; NULL = nowhere (the start state). The callback may be called from any thread, also
 * from the library's own, and must not call the library. Process-wide; any thread. */
VYRE_API void vyre_log_set(vyre_log_fn fn, void *user, enum vyre_log_level level);

/* The library's version, "0.1.0". */
VYRE_API const char *vyre_version(void);

/* ---- blob ---------------------------------------------------------------------------------------------------------- */

struct vyre_blob; /* a checked .vyb; immutable; any thread */

/* Checks header, section table and every row of the ABI tables of `bytes` and keeps a copy. Code sections are checked
 * against their digest when a kernel is made from them; vyre_blob_verify checks all now.
 * Errors: MALFORMED (place and numbers in the message), VERSION, NOMEM. */
VYRE_CHECKED VYRE_API vyre_status vyre_blob_open(const void *bytes, uint64_t size, struct vyre_blob **out);
/* The same from a file. Adds IO. May block on the disk. */
VYRE_CHECKED VYRE_API vyre_status vyre_blob_open_file(const char *path, struct vyre_blob **out);
VYRE_API void vyre_blob_close(struct vyre_blob *blob);
/* Checks the digest of every section. Errors: MALFORMED. */
VYRE_CHECKED VYRE_API vyre_status vyre_blob_verify(const struct vyre_blob *blob);

/* What the blob holds. Pointers stay valid until the blob is closed; every string offset in them was checked. */
struct vyre_blob_view {
	const struct vyre_blob_unit *units;
	uint32_t unit_count;
	const struct vyre_blob_buffer *buffers;
	uint32_t buffer_count;
	const struct vyre_blob_op *ops;
	uint32_t op_count;
	const struct vyre_blob_arg *args;
	uint32_t arg_count;
	const struct vyre_blob_slice *slices;
	uint32_t slice_count;
	const struct vyre_blob_log *logs;
	uint32_t log_count;
	const struct vyre_blob_fault_site *faults;
	uint32_t fault_count;
	const struct vyre_blob_section *sections;
	uint32_t section_count;
	const char *provenance; /* not NUL-terminated */
	uint64_t provenance_bytes;
	uint64_t file_bytes;
};
VYRE_API void vyre_blob_get_view(const struct vyre_blob *blob, struct vyre_blob_view *out);
/* The string at an offset of the view's rows. */
VYRE_API const char *vyre_blob_string(const struct vyre_blob *blob, uint32_t offset);
/* The opcode of an op by name in a unit (unit NULL = the only set); NULL if there is none. */
VYRE_API const struct vyre_blob_op *vyre_blob_find_op(const struct vyre_blob *blob, const char *unit, const char *op);

/* ---- device -------------------------------------------------------------------------------------------------------- */

struct vyre_device;

struct vyre_device_info {
	char name[96];   /* "cpu (x86-64-v4, 2 threads)", "cuda (NVIDIA H200, sm_90, 132 multiprocessors)" */
	char driver[16]; /* "cpu" */
	uint32_t target; /* the best VYRE_TARGET_* that the device runs */
	uint32_t max_workers;
};

/* Opens a device: "cpu" (always there), or "cuda" (the first NVIDIA GPU that its driver shows; "cuda:1" the second).
 * Errors: UNAVAILABLE (no such driver or GPU here; the message says what to install), UNSUPPORTED (a GPU before compute
 * capability 7.5), NOMEM. */
VYRE_CHECKED VYRE_API vyre_status vyre_device_open(const char *driver, struct vyre_device **out);
VYRE_API void vyre_device_close(struct vyre_device *device);
VYRE_API void vyre_device_get_info(const struct vyre_device *device, struct vyre_device_info *out);
/* Why each slice of the blob is or is not picked on this device: one line a slice into `text`, always terminated.
 * Returns the length that the whole text needs, without the NUL. */
VYRE_API size_t vyre_device_explain(const struct vyre_device *device, const struct vyre_blob *blob, char *text,
				    size_t size);

/* ---- buffers ------------------------------------------------------------------------------------------------------- */

/* A buffer is named by a 64-bit handle: index and generation. A handle of a destroyed buffer is an error (STALE),
 * never a crash. 0 is no buffer. */
typedef uint64_t vyre_buffer;

/* A buffer of `bytes` bytes, zeroed, aligned to 4096. Errors: INVALID (0 bytes, or above 2^40), NOMEM. Any thread.
 *
 * Where it lies follows from its first use, and that use may fail for want of memory. cuda: a buffer that is mapped, or
 * bound to a `stream` or `live` name, lies in pinned host memory, which handlers read in place; any other in the device's.
 * One that was only read or written before moves when it is mapped or bound so, contents and handle kept; once a kernel has
 * it, it stays. */
VYRE_CHECKED VYRE_API vyre_status vyre_buffer_create(struct vyre_device *device, uint64_t bytes, vyre_buffer *out);
/* Gives the buffer back. Memory that a kernel has bound stays until that kernel is gone; the handle is stale at once.
 * Errors: STALE. Any thread. */
VYRE_API vyre_status vyre_buffer_destroy(struct vyre_device *device, vyre_buffer buffer);
VYRE_CHECKED VYRE_API vyre_status vyre_buffer_size(struct vyre_device *device, vyre_buffer buffer, uint64_t *bytes);
/* Copies between host memory and the buffer. Racing with a running handler gives arbitrary bytes, never a crash.
 * Errors: STALE, INVALID (range outside the buffer). Any thread. May block for the length of the copy. */
VYRE_CHECKED VYRE_API vyre_status vyre_buffer_write(struct vyre_device *device, vyre_buffer buffer, uint64_t offset,
						    const void *data, uint64_t bytes);
VYRE_CHECKED VYRE_API vyre_status vyre_buffer_read(struct vyre_device *device, vyre_buffer buffer, uint64_t offset,
						   void *data, uint64_t bytes);
/* The buffer's memory as the host sees it (cpu: always; cuda: see vyre_buffer_create); valid until the buffer is
 * destroyed. Errors: STALE, UNSUPPORTED (it lies in the device's memory, and a kernel has it), NOMEM. */
VYRE_CHECKED VYRE_API vyre_status vyre_buffer_map(struct vyre_device *device, vyre_buffer buffer, void **out);

/* ---- kernel: one unit of a blob on a device, with its buffers ------------------------------------------------------- */

struct vyre_kernel;

struct vyre_binding {
	const char *name;
	vyre_buffer buffer;
};

struct vyre_kernel_params {
	struct vyre_blob *blob;
	const char *unit; /* NULL = the only unit */
	const struct vyre_binding *bindings; /* a set: its own buffers; control, ring and logs belong to the ring */
	uint32_t binding_count;
};

/* Picks a slice, checks its digest, loads it, and binds every buffer that the unit declares. One buffer may not be
 * bound to two names. Errors: INVALID (a name missing, unknown, bound twice or too small), STALE, UNSUPPORTED (no slice
 * for this device; the message explains each), MALFORMED, NOMEM. Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_kernel_create(struct vyre_device *device,
						     const struct vyre_kernel_params *params,
						     struct vyre_kernel **out);
VYRE_API void vyre_kernel_destroy(struct vyre_kernel *kernel);

/* Runs a `program` unit, or a set with feed `slots` (control, ring_buffer, debug_log, io_queue and launch are then
 * bound by the caller like its own buffers), once on workgroups[3] workgroups and returns when it has ended.
 * Errors: INVALID (the unit is a set with feed `live`, or a count is 0), FAULT (the program trapped: *fault, if not
 * NULL, is {code, detail}). Blocks. One at a time. */
VYRE_CHECKED VYRE_API vyre_status vyre_kernel_dispatch(struct vyre_kernel *kernel, const uint32_t workgroups[3],
						       uint32_t fault[2]);

/* ---- ring: a resident kernel of a set, and the slots it drains ------------------------------------------------------ */

struct vyre_ring;

struct vyre_ring_params {
	struct vyre_kernel *kernel; /* of a set with feed `live` */
	uint32_t slots;             /* power of two, 2 .. 2^20; 0 = 4096 */
	uint32_t workers;           /* workgroups. cpu: threads; 0 = one less than the processors, at least 1. cuda: 0 =
				     * one a multiprocessor, as far as `share` goes; more than are resident at the same
				     * time are refused */
	uint32_t share;             /* cuda, with workers = 0: thousandths of the device that the kernel may hold; 0 = all.
				     * What else runs there meanwhile runs in the rest */
	uint32_t tenants;           /* ids 0 .. tenants-1 may run, at most 29; 0 = 1 */
	uint32_t observables;       /* result words of built-in ops */
	uint64_t idle_ns;           /* leave (and sleep) after so long without work; 0 = 2 ms; VYRE_FOREVER = never */
	uint32_t first_position;    /* where the 32-bit position counters start; tests use 0xFFFFFF00 */
	uint32_t flags;             /* VYRE_RING_* */
	/* Sets whose handlers suspend or spawn; no use to others, who ignore them. At most 2^21 and 2^20. */
	uint32_t frames;            /* suspended slots at a time with more live words than a record holds (7; 1 in sets
				     * that ask for bytes); 0 = all of them. When none is left, the slot that needs one
				     * ends as FAULT 10 */
	uint32_t spawned;           /* spawned slots at a time; 0 = as many as slots. With room for 256 a worker or
				     * more, each may hold that of 31 until its batch has ended */
};
enum {
	VYRE_RING_PIN = 1, /* cpu: pin worker i to processor i + 1 (mod the processors) */
};

/* Makes control, ring and logs, and frames and queue where the set needs them, starts the workers. Errors: INVALID, NOMEM,
 * UNSUPPORTED (no such ring on this device), DEVICE_LOST.
 * cuda: a kernel that has left comes back with the next publish. While the driver refuses that, the loader asks again, for
 * about four seconds in all, and slots stay published; then the ring is lost (DEVICE_LOST), though the device lives. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_create(const struct vyre_ring_params *params, struct vyre_ring **out);
/* Stops now if it still runs (slots not yet claimed are cancelled), frees. May block until running handlers end; after
 * a vyre_ring_stop that has timed out it does not: the memory is then freed by the last worker, when its handler
 * returns. */
VYRE_API void vyre_ring_destroy(struct vyre_ring *ring);

/* A publisher stamps its tenant on every slot it publishes. */
struct vyre_publisher;
/* Errors: INVALID (tenant >= the ring's tenants), NOMEM. */
VYRE_CHECKED VYRE_API vyre_status vyre_publisher_create(struct vyre_ring *ring, uint32_t tenant,
							struct vyre_publisher **out);
VYRE_API void vyre_publisher_destroy(struct vyre_publisher *publisher);

/* What to run. args beyond arg_count are 0. */
struct vyre_slot {
	uint32_t opcode;
	uint32_t priority; /* VYRE_PRIORITY_*; 0 is critical, use VYRE_PRIORITY_NORMAL */
	uint32_t arg_count;
	uint32_t args[VYRE_SLOT_ARGS];
};

/* Names one published slot until it is released. 0 is no ticket. */
typedef uint64_t vyre_ticket;

enum {
	VYRE_PUBLISH_WAIT = 1,     /* a full ring: wait for room up to timeout_ns, instead of VYRE_FULL */
	VYRE_PUBLISH_UNCHECKED = 2 /* skip the check that the set has this opcode (tests: the device must FAULT it) */
};

/* Publishes `count` slots, all or none. tickets: NULL = detached (the place is reused as soon as the slot is DONE; a
 * FAULT is counted, see vyre_ring_get_stats), else `count` tickets, each to be released.
 * Built-in opcodes may be published where the set was compiled with them: SHUTDOWN by tenant 0 only, LOAD_MISS through
 * its own publisher. A batch with a BATCH_FENCE lies on consecutive positions, so that the `a0` slots before the fence are
 * those of the batch; until it has ended, no place of theirs is used again: publishers find the ring full earlier. Who
 * finds the fence DONE finds those slots ended. What they wait for must not need more room than that. At most 64 fences
 * are in flight.
 * Errors: INVALID (count 0 or above the ring's slots, an opcode that is not the set's or lies in another tenant's window,
 * a fence of more slots than the ring has, or one with slots behind it in the batch that would need the places that it
 * covers, a packed slot that no device would run, more than 12 args, no such priority or flag), FULL (without WAIT: no
 * free places, too many fences, or over the tenant's quota; the message says which),
 * TIMEOUT (with WAIT), STOPPED, DEVICE_LOST. Any thread, any number at once. Allocates nothing;
 * makes no driver call unless the device sleeps. Blocks only with WAIT, else at most for other publishers' copying. */
VYRE_CHECKED VYRE_API vyre_status vyre_publish(struct vyre_publisher *publisher, const struct vyre_slot *slots,
					       uint32_t count, uint32_t flags, uint64_t timeout_ns,
					       vyre_ticket *tickets);

/* The same for slots that are made from smaller things. A set must have been compiled with built-in opcodes for the
 * first two, else INVALID; flags, timeout, tickets, errors and threads are vyre_publish's.
 *
 * packed: up to 23 ops with opcodes up to 255 in one slot, run one after the other; their results go nowhere. INVALID too
 * when they need more than 12 words, or one of them may not be packed (BATCH_FENCE, one that the set has not). */
VYRE_CHECKED VYRE_API vyre_status vyre_publisher_packed(struct vyre_publisher *publisher,
							const struct vyre_packed_op *ops, uint32_t count,
							uint32_t priority, uint32_t flags, uint64_t timeout_ns,
							vyre_ticket *ticket);
/* load_miss: asks the host's vyre_io for a file range, at critical priority; the slot ends when the bytes are there, a
 * prefetch at once. */
VYRE_CHECKED VYRE_API vyre_status vyre_publisher_load_miss(struct vyre_publisher *publisher,
							   const struct vyre_load_miss *miss, uint32_t flags,
							   uint64_t timeout_ns, vyre_ticket *ticket);
/* work items: a slot each, {opcode, ARG0, ARG1, ARG2}. */
VYRE_CHECKED VYRE_API vyre_status vyre_publisher_work_items(struct vyre_publisher *publisher,
							    const struct vyre_work_item *items, uint32_t count,
							    uint32_t flags, uint64_t timeout_ns, vyre_ticket *tickets);
/* window: the required slots, then those that look ahead; ARG0 of each is `id`, ARG1 VYRE_WINDOW_REQUIRED or
 * VYRE_WINDOW_LOOKAHEAD, then its payload of at most 10 words. tickets: as many as both counts. */
VYRE_CHECKED VYRE_API vyre_status vyre_publisher_window(struct vyre_publisher *publisher, uint32_t id,
							const struct vyre_window_slot *required, uint32_t required_count,
							const struct vyre_window_slot *lookahead,
							uint32_t lookahead_count, uint32_t flags, uint64_t timeout_ns,
							vyre_ticket *tickets);

/* What became of a slot. */
struct vyre_result {
	uint32_t status; /* VYRE_SLOT_*: DONE, FAULT; EMPTY = cancelled by a stop */
	uint32_t fault_code, fault_detail;
	uint32_t words[VYRE_SLOT_ARGS]; /* the slot's ARG words: what result(k, v) wrote, else the argument */
};

/* Has the slot ended? OK = ended, result filled (if not NULL), the ticket stays held. TIMEOUT = not yet.
 * STALE = the ticket was released. DEVICE_LOST = it had not, and will not. Any thread. Does not block. */
VYRE_CHECKED VYRE_API vyre_status vyre_poll(struct vyre_ring *ring, vyre_ticket ticket, struct vyre_result *result);
/* Polls many: sets ended[i] to 1 for those that have ended, are stale or were lost, else 0; returns how many ended. Any thread. */
VYRE_API uint32_t vyre_poll_many(struct vyre_ring *ring, const vyre_ticket *tickets, uint32_t count, uint8_t *ended);
/* Waits until the slot has ended, then releases the ticket. Spins, then sleeps.
 * Errors: TIMEOUT (the ticket is still held), STALE, FAULT (result filled, ticket released), DEVICE_LOST (still held). Any
 * thread. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_wait(struct vyre_ring *ring, vyre_ticket ticket, uint64_t timeout_ns,
					    struct vyre_result *result);
/* Gives the ticket up; a slot still in flight becomes detached. Any thread. */
VYRE_API vyre_status vyre_release(struct vyre_ring *ring, vyre_ticket ticket);

/* Takes a slot back: it ends as FAULT code 9 (VYRE_FAULT_CANCELLED) unless it has ended or runs to its end first; one
 * that is suspended ends when it would have gone on. OK = the request was answered; wait for the ticket, which stays held,
 * to learn what became of it. Spins, then sleeps, until a worker answers.
 * Errors: STALE, TIMEOUT (no worker has answered yet; the request stays in force, and the place is not used again before
 * it is answered. On the cpu, of a set in which nothing suspends: the slot runs, and goes on running), DEVICE_LOST. Any
 * thread, one request at a time on its way. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_cancel(struct vyre_ring *ring, vyre_ticket ticket, uint64_t timeout_ns);

/* Lets a tenant run or masks it: a masked tenant's slots wait, parked, and delay nobody. In force before any slot
 * published afterwards. Errors: INVALID (tenant >= the ring's tenants). Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_set_tenant(struct vyre_ring *ring, uint32_t tenant, int may_run);

/* How many slots a tenant may have in flight; 1,000,000 at first. Publishers refuse what would be over it (VYRE_FULL, or
 * they wait); what is over it already, when it is lowered, waits parked. In force before any slot published afterwards.
 * What workers have in their hands when it is lowered, a batch each, runs all the same: for that long the tenant may have
 * more in flight. A slot counts until its end is counted, some microseconds after a wait for it has returned.
 * Errors: INVALID (tenant >= the ring's tenants). Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_set_quota(struct vyre_ring *ring, uint32_t tenant, uint32_t slots);

/* Waits until every slot published so far by anyone has ended. Parked slots of masked tenants count as not ended.
 * Errors: TIMEOUT, STOPPED, DEVICE_LOST. Any thread. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_drain(struct vyre_ring *ring, uint64_t timeout_ns);
/* Refuses new slots, lets running handlers end, and stops the workers. drain nonzero: first waits for every published
 * slot, up to timeout_ns; slots that did not run end as EMPTY (cancelled). Idempotent; another thread's stop, or its
 * drain, is not waited for. A slot that suspends is published until it has ended: drained, or cancelled with the rest.
 * cuda: slots are cancelled when the kernel has ended, so while a handler does not return they stay as they are.
 * Errors: TIMEOUT (drain did not finish, the ring is stopped all the same; or a handler has not returned timeout_ns and
 * 100 ms after the call, and goes on running), DEVICE_LOST (the ring is stopped). Any thread. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_stop(struct vyre_ring *ring, int drain, uint64_t timeout_ns);

struct vyre_ring_stats {
	uint64_t published, retired; /* slots since creation; cancelled ones have retired */
	uint32_t faults;             /* slots that ended in FAULT */
	uint32_t last_fault_slot, last_fault_code, last_fault_detail; /* of the last detached fault */
	uint64_t detached_faults;
	uint64_t wakes;    /* times a publisher woke a sleeping worker */
	uint32_t parked;   /* slots of masked tenants, over their tenant's quota, or without a free io entry, now waiting */
	uint32_t ready;    /* suspended slots that may go on, and spawned ones; by the kernel's count */
	uint32_t waiting;  /* suspended slots that wait for an epoch, for i/o, or for what they have spawned */
	uint32_t shut_down; /* 1 = a SHUTDOWN slot has stopped the ring */
	uint32_t sleeping; /* workers asleep now */
	uint32_t metrics[32]; /* slots run, by opcode below 32; cuda: a batch is counted when the whole of it has run */
	uint32_t debug_records, debug_dropped;
};
VYRE_API void vyre_ring_get_stats(struct vyre_ring *ring, struct vyre_ring_stats *out);
/* Copies words of the control buffer (VYRE_CONTROL_*: EPOCH, METRICS, ...; observable i is word
 * VYRE_CONTROL_OBSERVABLES + i), each as it is at that moment. cuda: copied from the device, which takes some 10 us.
 * Errors: INVALID (beyond the observables), DEVICE_LOST. Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_ring_read_control(struct vyre_ring *ring, uint32_t first, uint32_t *words,
							 uint32_t count);
/* Copies up to `max` debug records (format id, a, b, 16 x slot) from record `first`; returns how many. Any thread. */
VYRE_API uint32_t vyre_ring_read_log(struct vyre_ring *ring, uint32_t first, uint32_t (*records)[4], uint32_t max);

/* ---- stream: file ranges through the ring --------------------------------------------------------------------------- */

/* file range -> chunk of a stream buffer, filled by io_uring or pread threads -> slots published when the bytes are
 * there -> the chunk is filled again when its slots have ended. */
struct vyre_stream;

/* A chunk of file bytes that has arrived. */
struct vyre_chunk {
	uint64_t range;         /* the value given to vyre_stream_add */
	uint64_t index;         /* 0, 1, ... within the range */
	uint64_t file_offset;   /* of the first byte */
	uint64_t buffer_offset; /* of the first byte, in the stream buffer */
	uint32_t bytes;         /* as many as arrived; the last chunk of a range may be short, and with O_DIRECT the
				 * first one of a range that does not start at a multiple of 4096 */
};

/* Turns a chunk into slots: fills at most max_slots of `slots` and returns how many (0 = the chunk is done already).
 * Called on the pumping thread. */
typedef uint32_t (*vyre_stream_fill_fn)(void *user, const struct vyre_chunk *chunk, struct vyre_slot *slots,
					uint32_t max_slots);
/* A chunk's slots have all ended, or its range failed there. status: OK; FAULT (a slot faulted, see results);
 * IO (error_number is an errno; chunk->bytes is what had arrived); STOPPED; INVALID (fill made slots that the ring
 * refuses, or too many). Called on the pumping thread, in order of completion, exactly once a chunk, also for chunks that
 * were never read. It may call vyre_stream_add. */
typedef void (*vyre_stream_done_fn)(void *user, const struct vyre_chunk *chunk, vyre_status status, int error_number,
				    const struct vyre_result *results, uint32_t result_count);

struct vyre_stream_params {
	struct vyre_publisher *publisher;
	vyre_buffer buffer;      /* its first chunk_bytes x depth bytes are the stream's */
	uint32_t chunk_bytes;    /* multiple of 4096; 0 = 64 KiB */
	uint32_t depth;          /* chunks in flight, 1 .. 1024; 0 = 32 */
	uint32_t slots_per_chunk; /* 1 .. 8; 0 = 1 */
	uint32_t flags;          /* VYRE_STREAM_* */
	vyre_stream_fill_fn fill;
	vyre_stream_done_fn done; /* may be NULL */
	void *user;
};
enum {
	VYRE_STREAM_DIRECT = 1, /* O_DIRECT, past the page cache; unaligned ends are read through it */
	VYRE_STREAM_SQPOLL = 2, /* a kernel thread submits */
	VYRE_STREAM_PREAD = 4,  /* pread threads, as where io_uring is refused */
};

/* Errors: INVALID, STALE, NOMEM, IO (no engine could be set up). */
VYRE_CHECKED VYRE_API vyre_status vyre_stream_create(const struct vyre_stream_params *params,
						     struct vyre_stream **out);
/* Ends reads in flight, waits for slots in flight, frees. done is not called any more. May block: a masked tenant's slots
 * end when the tenant may run again, or when the ring is stopped. */
VYRE_API void vyre_stream_destroy(struct vyre_stream *stream);
/* "io_uring", "io_uring+fixed", ... or "pread": what moves the bytes, for reports. */
VYRE_API const char *vyre_stream_engine(const struct vyre_stream *stream);
/* Queues a range of an open file; bytes UINT64_MAX = to the end of the file as it is now. The descriptor stays the
 * caller's and must stay open until every chunk of the range is done. A file that ends early gives IO with
 * error_number 0 on the chunk where it ended and on those after it; the other ranges go on.
 * Errors: INVALID (not a regular file or block device: directory, pipe, socket; the message says which), IO, NOMEM.
 * One at a time. */
VYRE_CHECKED VYRE_API vyre_status vyre_stream_add(struct vyre_stream *stream, int fd, uint64_t offset, uint64_t bytes,
						  uint64_t range);
/* Moves everything that can move: completions, slots, new reads, done calls. Returns OK when nothing is left to do,
 * TIMEOUT when timeout_ns passed first, STOPPED when the ring was stopped. One at a time. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_stream_pump(struct vyre_stream *stream, uint64_t timeout_ns);

struct vyre_stream_stats {
	uint64_t bytes, chunks; /* arrived */
	uint64_t reads;         /* read requests, short reads' continuations included */
	uint64_t short_reads, retries, errors;
	uint64_t max_in_flight; /* chunks */
};
VYRE_API void vyre_stream_get_stats(const struct vyre_stream *stream, struct vyre_stream_stats *out);

/* ---- i/o that the device asks for ----------------------------------------------------------------------------------- */

/* Handlers load(resource, range), or LOAD_MISS slots ask: bytes of a file into a buffer (or back, for kernels that write
 * io entries themselves). A thread of the loader's serves them, up to 32 at a time, none waiting for another's disk. The
 * device names files and buffers by ids that the host has granted, for a range, for one tenant or all; never by a
 * descriptor. What a request names and may not touch is that request's error and nothing else's:
 *     EBADF     no such id (or revoked before the request was taken)
 *     EACCES    not with these rights, or not for this tenant
 *     ERANGE    outside the granted ranges
 *     EINVAL    no such operation
 *     ENODATA   the file ends before the range does
 *     ECANCELED revoked, or the service was destroyed, while bytes were under way
 *     others    the operating system's
 * The slot that waits ends as FAULT code 6 with the errno as its detail; the bytes that were moved before stay moved. */
struct vyre_io;

struct vyre_io_params {
	struct vyre_ring *ring; /* of a set that asks (VYRE_HAS_IO); NULL: of a dispatch, see below */
	/* For vyre_kernel_dispatch: what its kernel has bound as `io_queue` and `frames`. The service polls then. */
	struct vyre_device *device;
	vyre_buffer io_queue, frames;
	uint32_t flags; /* VYRE_IO_* */
};
enum { VYRE_IO_PREAD = 1 }; /* pread and pwrite in threads, as where io_uring is refused */

/* Serves from here on: what has been asked for before the first grant ends with EBADF, so grant before you publish what
 * asks. Errors: INVALID (the set asks for nothing, the ring has a service already, buffers too small), STALE, UNSUPPORTED
 * (memory that the host cannot address), NOMEM, IO (no engine could be set up). */
VYRE_CHECKED VYRE_API vyre_status vyre_io_create(const struct vyre_io_params *params, struct vyre_io **out);
/* Ends: what is asked for and has not completed gets ECANCELED, what is asked for later waits. May block for a read that
 * is under way, with threads until the disk answers. Nobody else may be inside a call on it. */
VYRE_API void vyre_io_destroy(struct vyre_io *io);
/* "io_uring+fixed+files", "pread", ...: what moves the bytes, for reports. */
VYRE_API const char *vyre_io_engine(const struct vyre_io *io);

#define VYRE_IO_ANY_TENANT UINT32_MAX

/* Grants `bytes` bytes of an open file from `first` on under an id; offsets of requests count from there. UINT64_MAX = to
 * the end of the file as it is now. rights: VYRE_IO_RIGHT_READ, VYRE_IO_RIGHT_WRITE or both; writers may be granted a
 * range beyond the file's end. The descriptor is duplicated: the caller may close his at once; he must not truncate what
 * he wants read. Files and buffers have ids of their own, from 1 on, so that one id may name a file and the buffer that
 * it is loaded to.
 * Errors: INVALID (the id is granted already, not a regular file or block device, opened for something else, O_APPEND or
 * O_DIRECT for writing, a range outside), IO, NOMEM. Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_io_grant_file(struct vyre_io *io, uint32_t id, int fd, uint64_t first,
						     uint64_t bytes, uint32_t rights, uint32_t tenant);
/* The same for a buffer of the device: VYRE_IO_RIGHT_WRITE to be loaded to. The buffer's memory stays until the grant is
 * revoked and unused, also when its handle is destroyed. Errors: INVALID, STALE, UNSUPPORTED, NOMEM. Any thread. */
VYRE_CHECKED VYRE_API vyre_status vyre_io_grant_buffer(struct vyre_io *io, uint32_t id, vyre_buffer buffer,
						       uint64_t first, uint64_t bytes, uint32_t rights,
						       uint32_t tenant);
/* Takes back what an id names, file, buffer or both: requests taken from now on get EBADF, those under way end after the
 * read that is on its way. Waits up to timeout_ns for those; after OK nothing touches the file or the buffer for this
 * grant any more.
 * Errors: INVALID (no such id), TIMEOUT (it is revoked, but a read is still on its way). Any thread. Blocks. */
VYRE_CHECKED VYRE_API vyre_status vyre_io_revoke(struct vyre_io *io, uint32_t id, uint64_t timeout_ns);

struct vyre_io_stats {
	uint64_t requests, errors; /* taken; completed with ERROR */
	uint64_t bytes_read, bytes_written;
	uint64_t max_in_flight; /* requests */
};
VYRE_API void vyre_io_get_stats(const struct vyre_io *io, struct vyre_io_stats *out);

#ifdef __cplusplus
}
#endif
#endif
