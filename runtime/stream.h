/* stream.h - private: what a stream, and the service of device-requested i/o, ask of the thing that moves file bytes.
 *
 * The pipeline (stream.c, io.c) owns read records; an engine only carries records: it is given some, and gives each back
 * exactly once with `result` set. One read of a chunk is under way at a time, so an engine made for `depth` chunks is
 * never given more than `depth` records at once and needs no back-pressure of its own. Tests put their own engine under
 * a stream to inject errors and to reorder completions.
 */
#ifndef VYRE_STREAM_PRIVATE_H
#define VYRE_STREAM_PRIVATE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vyre.h"

enum {
	VYRE_STREAM_ALIGN = 4096,	 /* of O_DIRECT offsets, lengths and memory; chunks are multiples of it */
	VYRE_STREAM_MAX_DEPTH = 1024,	 /* chunks */
	VYRE_STREAM_MAX_SLOTS = 8,	 /* of a chunk */
	VYRE_STREAM_MAX_CHUNK = 1 << 30, /* bytes; read(2) and a registered buffer both end near there */
};

/* One pread(2) or pwrite(2). The pipeline fills it and does not touch it until the engine gives it back. */
struct vyre_stream_read {
	void *data; /* inside the pool given at creation, if there is one */
	uint64_t offset;
	uint32_t bytes;
	int fd;
	int32_t file;		 /* the engine's number of fd, from attach; -1 = none */
	int32_t memory;		 /* without a pool: the engine's number of what data lies in; -1 = none */
	bool is_write;
	int32_t result;		 /* bytes moved, 0 at the end of the file, or -errno */
	_Atomic uint32_t bridge; /* for engines whose completions no sanitizer can see */
};

/* Every call but kick is made by the pumping thread. */
struct vyre_stream_engine {
	char name[32];
	/* Starts reads. Cannot fail: a read that cannot be started comes back with its errno. */
	void (*submit)(struct vyre_stream_engine *engine, struct vyre_stream_read *const *reads, uint32_t count);
	/* Takes up to `max` finished reads, in any order. Does not block. */
	uint32_t (*reap)(struct vyre_stream_engine *engine, struct vyre_stream_read **reads, uint32_t max);
	/* Sleeps until reap would find something or the time is over. May return early. */
	void (*wait)(struct vyre_stream_engine *engine, uint64_t timeout_ns);
	/* Tells of a descriptor that many reads will use. Returns a number for it or -1, which is no error. */
	int32_t (*attach)(struct vyre_stream_engine *engine, int fd);
	void (*detach)(struct vyre_stream_engine *engine, int32_t file);
	/* Ends the reads under way (nothing writes to the pool afterwards) and frees. */
	void (*destroy)(struct vyre_stream_engine *engine);
	/* Engines without a pool only. Tells of memory that many reads will go to; returns a number for it or -1. */
	int32_t (*attach_memory)(struct vyre_stream_engine *engine, void *data, uint64_t bytes);
	void (*detach_memory)(struct vyre_stream_engine *engine, int32_t memory);
	/* Any thread: the wait that is under way, or else the next one, returns early. */
	void (*kick)(struct vyre_stream_engine *engine);
};

/* The memory that reads go to: `depth` chunks of `chunk_bytes`, aligned to VYRE_STREAM_ALIGN. chunk_bytes 0 = no pool:
 * up to `depth` reads at a time, to anywhere, none of which waits for another. */
struct vyre_stream_pool {
	unsigned char *data;
	uint32_t chunk_bytes, depth;
};

/* Both return 0 or an errno. uring: VYRE_STREAM_SQPOLL in flags is a wish. choose: uring unless VYRE_STREAM_PREAD forbids
 * it, else pread; NOMEM or IO. */
int vyre_stream_uring_create(const struct vyre_stream_pool *pool, uint32_t flags, struct vyre_stream_engine **out);
int vyre_stream_pread_create(const struct vyre_stream_pool *pool, struct vyre_stream_engine **out);

VYRE_CHECKED vyre_status vyre_stream_engine_choose(const struct vyre_stream_pool *pool, uint32_t flags,
						   struct vyre_stream_engine **out);

/* A file as a stream reads it. Either descriptor may be the caller's own; the other is the stream's. */
struct vyre_stream_file {
	int fd;	    /* through the page cache */
	int direct; /* O_DIRECT; -1 = none */
	bool owns_fd, owns_direct;
	uint64_t size;
};

/* Checks that fd has ranges and is open for what `rights` (VYRE_IO_RIGHT_*) say, and opens it a second time with O_DIRECT
 * when asked to; a file system without it leaves direct at -1. Errors: INVALID, IO. */
VYRE_CHECKED vyre_status vyre_stream_file_open(int fd, uint32_t rights, bool want_direct,
					       struct vyre_stream_file *out);
void vyre_stream_file_close(struct vyre_stream_file *file);

/* What a stream holds of the ring's side while it lives. */
struct vyre_stream_port {
	struct vyre_ring *ring;
	struct vyre_publisher *publisher; /* the stream's own, of the same tenant */
	struct vyre_memory *memory;
	uint32_t ring_slots;
	unsigned char *data; /* the buffer */
	uint64_t bytes;
};
/* Errors: STALE, UNSUPPORTED, NOMEM; close takes what a failed open leaves. */
VYRE_CHECKED vyre_status vyre_stream_port_open(const struct vyre_stream_params *params, struct vyre_stream_port *out);
void vyre_stream_port_close(struct vyre_stream_port *port);

/* vyre_stream_create on an engine of the caller's, which the stream takes over when it is made. NULL = choose one. */
VYRE_CHECKED vyre_status vyre_stream_create_on(const struct vyre_stream_params *params,
					       struct vyre_stream_engine *engine, struct vyre_stream **out);

#endif
