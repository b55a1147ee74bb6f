/* io_state.h - private to io*.c: the service of device-requested i/o, its capability table, its requests.
 *
 * io.c makes it and runs its thread; io_grant.c knows who may touch what; io_entry.c takes entries of the io queue,
 * moves their bytes and completes them.
 */
#ifndef VYRE_IO_STATE_H
#define VYRE_IO_STATE_H
#include <pthread.h>

#include "abi/io.h"
#include "abi/queue.h"
#include "live.h"
#include "stream.h"

enum vyre_io_kind { VYRE_IO_FILE, VYRE_IO_BUFFER, VYRE_IO_KINDS };
enum { VYRE_IO_BUCKETS = 256 };

/* What an id allows. In the table until it is revoked; then in the list of the dead until nobody uses it. */
struct vyre_io_grant {
	struct vyre_io_grant *next;
	enum vyre_io_kind kind;
	uint32_t id, rights, tenant;
	uint64_t first, bytes; /* of the file or the buffer */
	int fd;		       /* our own, of a file */
	struct vyre_stream_file file;
	struct vyre_memory *memory; /* one reference, of a buffer */
	/* under the table's lock */
	uint32_t users;	  /* requests under way */
	uint32_t waiters; /* threads that wait for them */
	bool is_revoked;
	/* the service thread's */
	bool is_attached;
	int32_t number; /* the engine's; -1 = none */
};

struct vyre_io_table {
	pthread_mutex_t lock;
	pthread_cond_t unused; /* the last user of a revoked grant has ended */
	struct vyre_io_grant *buckets[VYRE_IO_KINDS][VYRE_IO_BUCKETS];
	struct vyre_io_grant *dead;
};

/* An entry of the queue that we have taken. */
struct vyre_io_job {
	struct vyre_stream_read read;
	bool is_active, is_fence;
	uint64_t serial; /* order of taking */
	struct vyre_io_grant *file, *buffer;
	uint64_t file_offset, buffer_offset; /* of the whole file and buffer */
	uint64_t bytes, done;
	uint32_t tries;
};

struct vyre_io {
	struct vyre_ring *ring; /* one reference; NULL = of a dispatch */
	struct vyre_device *device;
	struct vyre_memory *queue_memory, *frames_memory; /* one reference each */
	uint32_t *queue, *notes; /* notes: beside the entries; NULL: they are read from the device */
	uint32_t entries;	 /* that the device takes, at most VYRE_IO_DEVICE_ENTRIES */
	struct vyre_stream_engine *engine;
	struct vyre_io_table table;
	pthread_t thread;
	bool is_started;
	uint32_t stop; /* atomic */
	/* the service thread's */
	struct vyre_io_job jobs[VYRE_IO_DEVICE_ENTRIES];
	uint64_t next_serial;
	uint32_t active, announced; /* jobs; completions since the device was last told */
	struct vyre_io_stats stats; /* each field atomic */
};

/* ---- io_grant.c ---- */
void vyre_io_table_init(struct vyre_io_table *table);
/* Nobody uses it any more. */
void vyre_io_table_finish(struct vyre_io_table *table);
/* What a request asks for. */
struct vyre_io_need {
	enum vyre_io_kind kind;
	uint32_t id, right, tenant;
};
/* The grant, one more user; or NULL and *error, an errno: EBADF, EACCES. */
struct vyre_io_grant *vyre_io_grant_use(struct vyre_io_table *table, const struct vyre_io_need *need, int *error);
void vyre_io_grant_leave(struct vyre_io_table *table, struct vyre_io_grant *grant);
bool vyre_io_grant_is_revoked(struct vyre_io_table *table, const struct vyre_io_grant *grant);
/* The service thread: frees what was revoked and is not used; tells the engine. */
void vyre_io_table_bury(struct vyre_io_table *table, struct vyre_stream_engine *engine);

/* ---- io_entry.c: the service thread ---- */
/* Takes published entries, moves bytes, completes; true: something moved. */
bool vyre_io_turn(struct vyre_io *io);
/* The engine is gone: everything that is published or taken ends with ECANCELED. */
void vyre_io_cancel_all(struct vyre_io *io);

/* ---- io.c ---- */
/* vyre_io_create on an engine of the caller's (without a pool), which the service takes over. NULL = choose one. */
VYRE_CHECKED vyre_status vyre_io_create_on(const struct vyre_io_params *params, struct vyre_stream_engine *engine,
					   struct vyre_io **out);

#endif
