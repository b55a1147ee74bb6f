/* device.h - measuring one device: what it gives without us, and our ring on it. The device's name is an option.
 *
 *   floor_cpu.c floor_cuda.c   struct bench_floor_fns: launches, graphs, ping-pong, copies, reads, by hand
 *   session.c                  device.vyre on the device through vyre.h
 *   device.c device_rate.c crossover.c      rows made of both
 *
 * Functions that can fail answer false and leave the reason with bench_fail; then a row says so and the next one is tried.
 */
#ifndef VYRE_BENCH_DEVICE_H
#define VYRE_BENCH_DEVICE_H
#include "bench.h"

/* How work reaches a device without a ring. On the cpu a launch is handing an item to a thread that sleeps on a condition
 * variable, and a graph a list of items handed over at once. */
#define BENCH_LAUNCH_LIST(X) \
	X(SYNC,       "launch.sync",   "launch + sync") \
	X(QUEUED,     "launch.queued", "launches queued, one sync for 1,000") \
	X(GRAPH_SYNC, "graph.one",     "graph of one, launch + sync") \
	X(GRAPH_MANY, "graph.many",    "one graph of 1,000")
enum bench_launch {
#define X(name, row, text) BENCH_LAUNCH_##name,
	BENCH_LAUNCH_LIST(X)
#undef X
};

/* A row of functions a driver. */
struct bench_floor;
struct bench_floor_fns {
	const char *driver;
	bool (*open)(struct bench_floor **out, const char *device);
	void (*close)(struct bench_floor *floor);
	void (*describe)(struct bench_floor *floor, char *text, size_t size); /* versions of drivers */
	/* seconds[count]: one word there and back. */
	bool (*ping_pong)(struct bench_floor *floor, unsigned count, double *seconds);
	/* Items of so many turns (op item; 0 = nothing but being counted), one after the other, or with `wide` (QUEUED and
	 * GRAPH_MANY) side by side where the device can. SYNC, GRAPH_SYNC: seconds[count], one each; else *seconds, all
	 * of them. */
	bool (*launch)(struct bench_floor *floor, enum bench_launch how, bool wide, uint32_t turns, unsigned count,
		       double *seconds);
	/* Bytes a second; NULL: the device has no such thing. */
	bool (*read_in_place)(struct bench_floor *floor, uint64_t bytes, double *rate);
	bool (*read_device)(struct bench_floor *floor, uint64_t bytes, double *rate);
	bool (*copy_in)(struct bench_floor *floor, uint64_t bytes, double *rate);
	/* Seconds from the image of a blob's only unit to a function that can be launched. */
	bool (*load_module)(struct bench_floor *floor, enum bench_blob blob, double *seconds);
};
extern const struct bench_floor_fns bench_floor_cpu, bench_floor_cuda;
const struct bench_floor_fns *bench_floor_of(const char *device);
bool bench_is_gpu(void); /* of bench_options.device */

/* What op item and program item make of lane 0. */
uint32_t bench_item_value(uint32_t turns);

/* ---- device.vyre on the device --------------------------------------------------------------------------------------- */

enum { BENCH_SUMS = 1024, BENCH_CHUNK_BYTES = 4096, BENCH_CHUNK_WORDS = BENCH_CHUNK_BYTES / 8 };
#define BENCH_LIMIT_NS UINT64_C(10000000000) /* that any wait may take */

struct bench_session {
	struct vyre_blob *blob;
	struct vyre_device *device;
	vyre_buffer text, sums;
	struct vyre_kernel *kernel;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher; /* of the thread that opened the ring */
	uint32_t nop, add, checksum, item;
	uint64_t text_bytes;
	uint32_t chunks, *chunk_sums; /* what op checksum makes of each */
	struct vyre_ring_stats before; /* at the last bench_session_zero */
};
/* Device, blob, buffers filled with known bytes. */
bool bench_session_open(struct bench_session *session, uint64_t text_bytes);
/* The kernel and its ring, one slot through it. workers as in vyre_ring_params. */
bool bench_session_ring(struct bench_session *session, uint32_t slots, uint32_t workers);
/* False, or the end of the program where a kernel that does not stop would spoil every later row. */
bool bench_session_ring_close(struct bench_session *session);
void bench_session_close(struct bench_session *session);
/* Until a slot has ended, its ticket given back; one slot there and back; once round the ring. */
bool bench_session_poll(struct bench_session *session, vyre_ticket ticket);
bool bench_session_trip(struct bench_session *session, const struct vyre_slot *slot);
bool bench_session_lap(struct bench_session *session, uint32_t slots);
/* Before slots are counted: sums to 0. After: did `published` slots end, none in a fault? */
bool bench_session_zero(struct bench_session *session);
bool bench_session_counted(struct bench_session *session, uint64_t published);
bool bench_session_sums(struct bench_session *session, uint32_t *sums);
/* Slices that the device picks from, one line each, for notes. */
const char *bench_session_picked(const struct bench_session *session);

#endif
