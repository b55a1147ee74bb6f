/* stream_uring.c - the engine on io_uring.
 *
 * In: read records; out: the same records with `result` set. The pool is registered so that the kernel pins it once,
 * and files that many reads use are registered too, and, without a pool, memory that many reads go to; all are speed
 * only, and each is left out where it is refused (the memlock limit, an old kernel). submit makes one system call for all
 * its reads, reap none. Without a pool, wait also looks at a descriptor by which kick ends it.
 * Invariant: a record is in exactly one of: `queued` (an entry of the submission ring that the kernel has not
 * taken), the kernel (`under_way` counts them), `failed` (the kernel takes no more, see `broken`), the pipeline. The
 * submission ring has at least `depth` entries, and no more than `depth` records exist: an entry is always there.
 * Why not IORING_SETUP_SINGLE_ISSUER | DEFER_TASKRUN: they tie the ring to one thread for life; a stream may be
 * pumped by one thread now and another later.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alloc.h"
#include "stream.h"

enum {
	FILES = 64,    /* registered at once; a range beyond them is read by its descriptor */
	MEMORIES = 64, /* likewise */
	REAP_BATCH = 64,
	NEEDED = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE,
};

struct uring_engine {
	struct vyre_stream_engine base;
	struct io_uring ring;
	struct vyre_stream_pool pool;
	uint32_t chunks_per_buffer; /* of the pool, per registered buffer; 0 = not registered */
	uint64_t free_files;	    /* bit k: file number k is free */
	uint64_t free_memories;	    /* bit k: memory number k is free */
	bool has_memories;
	int kicked; /* an eventfd; -1 = none, with a pool */
	int broken; /* an errno: io_uring_enter is refused for good */
	uint32_t under_way;
	uint32_t queued_count, failed_count;
	struct vyre_stream_read **queued, **failed;
};

/* Hands queued entries to the kernel. What it will not take now stays for the next call. */
static void flush(struct uring_engine *e)
{
	if (e->queued_count == 0)
		return;
	int taken = io_uring_submit(&e->ring);
	if (taken >= 0) {
		uint32_t n = (uint32_t)taken < e->queued_count ? (uint32_t)taken : e->queued_count;
		e->queued_count -= n;
		e->under_way += n;
		memmove(e->queued, e->queued + n, e->queued_count * sizeof *e->queued);
	} else if (taken != -EINTR && taken != -EAGAIN && taken != -EBUSY) {
		e->broken = -taken;
		for (uint32_t i = 0; i < e->queued_count; i++) {
			e->queued[i]->result = taken;
			e->failed[e->failed_count++] = e->queued[i];
		}
		e->queued_count = 0;
	}
}

static int pool_memory(const struct uring_engine *e, const struct vyre_stream_read *read)
{
	uint64_t chunk = (uint64_t)((unsigned char *)read->data - e->pool.data) / e->pool.chunk_bytes;
	return e->chunks_per_buffer ? (int)(chunk / e->chunks_per_buffer) : -1;
}

static void prepare(struct uring_engine *e, struct vyre_stream_read *read)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&e->ring);
	int memory = e->pool.chunk_bytes ? pool_memory(e, read) : read->memory;
	if (memory >= 0 && read->is_write)
		io_uring_prep_write_fixed(sqe, read->fd, read->data, read->bytes, read->offset, memory);
	else if (memory >= 0)
		io_uring_prep_read_fixed(sqe, read->fd, read->data, read->bytes, read->offset, memory);
	else if (read->is_write)
		io_uring_prep_write(sqe, read->fd, read->data, read->bytes, read->offset);
	else
		io_uring_prep_read(sqe, read->fd, read->data, read->bytes, read->offset);
	if (read->file >= 0) {
		sqe->fd = read->file;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	io_uring_sqe_set_data(sqe, read);
	/* No sanitizer sees the kernel hand a record from submission to completion: this pair tells it. */
	atomic_store_explicit(&read->bridge, 1, memory_order_release);
}

static void uring_submit(struct vyre_stream_engine *base, struct vyre_stream_read *const *reads, uint32_t count)
{
	struct uring_engine *e = (struct uring_engine *)base;
	for (uint32_t i = 0; i < count; i++) {
		if (e->broken) {
			reads[i]->result = -e->broken;
			e->failed[e->failed_count++] = reads[i];
		} else {
			prepare(e, reads[i]);
			e->queued[e->queued_count++] = reads[i];
		}
	}
	flush(e);
}

static uint32_t uring_reap(struct vyre_stream_engine *base, struct vyre_stream_read **reads, uint32_t max)
{
	struct uring_engine *e = (struct uring_engine *)base;
	struct io_uring_cqe *cqe;
	unsigned head;
	uint32_t n = 0;
	flush(e);
	while (n < max && e->failed_count)
		reads[n++] = e->failed[--e->failed_count];
	uint32_t seen = 0;
	io_uring_for_each_cqe(&e->ring, head, cqe)
	{
		if (n == max)
			break;
		struct vyre_stream_read *read = io_uring_cqe_get_data(cqe);
		seen++;
		if (!read) /* the answer to the cancel request of destroy */
			continue;
		(void)atomic_load_explicit(&read->bridge, memory_order_acquire);
		read->result = cqe->res;
		reads[n++] = read;
		e->under_way--;
	}
	if (seen)
		io_uring_cq_advance(&e->ring, seen);
	return n;
}

static void uring_wait(struct vyre_stream_engine *base, uint64_t timeout_ns)
{
	struct uring_engine *e = (struct uring_engine *)base;
	struct __kernel_timespec time = {.tv_sec = (long long)(timeout_ns / 1000000000u),
					 .tv_nsec = (long long)(timeout_ns % 1000000000u)};
	struct io_uring_cqe *cqe;
	flush(e);
	if (e->failed_count || io_uring_cq_ready(&e->ring))
		return;
	if (e->kicked >= 0) {
		struct pollfd fds[2] = {{e->ring.ring_fd, POLLIN, 0}, {e->kicked, POLLIN, 0}};
		struct timespec until = {.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
		uint64_t kicks;
		if (ppoll(fds, 2, &until, NULL) > 0 && fds[1].revents)
			(void)!read(e->kicked, &kicks, sizeof kicks);
		return;
	}
	int error = io_uring_wait_cqe_timeout(&e->ring, &cqe, &time);
	if (error && error != -ETIME && error != -EINTR &&
	    error != -EAGAIN) /* refused: completions come all the same */
		usleep(100);
}

static int32_t uring_attach(struct vyre_stream_engine *base, int fd)
{
	struct uring_engine *e = (struct uring_engine *)base;
	if (e->free_files == 0)
		return -1;
	int file = __builtin_ctzll(e->free_files);
	if (io_uring_register_files_update(&e->ring, (unsigned)file, &fd, 1) != 1)
		return -1;
	e->free_files &= ~(UINT64_C(1) << file);
	return file;
}

static void uring_detach(struct vyre_stream_engine *base, int32_t file)
{
	struct uring_engine *e = (struct uring_engine *)base;
	int none = -1;
	if (file < 0)
		return;
	/* A place whose file could not be taken out is not used again: the next file might not get in either. */
	if (io_uring_register_files_update(&e->ring, (unsigned)file, &none, 1) == 1)
		e->free_files |= UINT64_C(1) << file;
}

static int32_t uring_attach_memory(struct vyre_stream_engine *base, void *data, uint64_t bytes)
{
	struct uring_engine *e = (struct uring_engine *)base;
	struct iovec part = {data, (size_t)bytes};
	__u64 tag = 0;
	if (e->free_memories == 0)
		return -1;
	int memory = __builtin_ctzll(e->free_memories);
	if (io_uring_register_buffers_update_tag(&e->ring, (unsigned)memory, &part, &tag, 1) != 1)
		return -1;
	e->free_memories &= ~(UINT64_C(1) << memory);
	return memory;
}

static void uring_detach_memory(struct vyre_stream_engine *base, int32_t memory)
{
	struct uring_engine *e = (struct uring_engine *)base;
	struct iovec none = {NULL, 0};
	__u64 tag = 0;
	if (memory < 0)
		return;
	if (io_uring_register_buffers_update_tag(&e->ring, (unsigned)memory, &none, &tag, 1) == 1)
		e->free_memories |= UINT64_C(1) << memory;
}

static void uring_kick(struct vyre_stream_engine *base)
{
	struct uring_engine *e = (struct uring_engine *)base;
	uint64_t one = 1;
	(void)!write(e->kicked, &one, sizeof one);
}

static void uring_destroy(struct vyre_stream_engine *base)
{
	struct uring_engine *e = (struct uring_engine *)base;
	struct vyre_stream_read *reads[REAP_BATCH];
	struct io_uring_sqe *sqe;
	flush(e);
	if (e->under_way && !e->broken && (sqe = io_uring_get_sqe(&e->ring)) != NULL) {
		io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY);
		io_uring_sqe_set_data(sqe, NULL);
		(void)io_uring_submit(&e->ring);
	}
	while (e->under_way) {
		if (uring_reap(base, reads, REAP_BATCH) == 0)
			uring_wait(base, 100000000u);
	}
	if (e->chunks_per_buffer ||
	    e->has_memories) /* now: the kernel would do it some time after the ring is closed */
		(void)io_uring_unregister_buffers(&e->ring);
	io_uring_queue_exit(&e->ring);
	if (e->kicked >= 0)
		close(e->kicked);
	vyre_mem_free(e->queued);
	vyre_mem_free(e->failed);
	vyre_mem_free(e);
}

static int setup_ring(struct uring_engine *e, uint32_t depth, uint32_t flags, bool *sqpoll)
{
	struct io_uring_params params = {0};
	int error = -EINVAL;
	*sqpoll = false;
	if (flags & VYRE_STREAM_SQPOLL) {
		params.flags = IORING_SETUP_SQPOLL;
		params.sq_thread_idle = 50; /* ms until the kernel's thread sleeps */
		error = io_uring_queue_init_params(depth + 1, &e->ring, &params);
		*sqpoll = error == 0;
	}
	if (error) {
		params = (struct io_uring_params){0};
		error = io_uring_queue_init_params(depth + 1, &e->ring, &params);
	}
	if (error)
		return -error;
	if ((params.features & NEEDED) != NEEDED) { /* before Linux 5.11 */
		io_uring_queue_exit(&e->ring);
		return ENOSYS;
	}
	return 0;
}

/* One registered buffer takes at most 1 GiB: as many whole chunks as fit, again and again. */
static void register_pool(struct uring_engine *e)
{
	uint32_t per = (UINT32_C(1) << 30) / e->pool.chunk_bytes;
	uint32_t count = (e->pool.depth + per - 1) / per;
	struct iovec *parts = vyre_mem_alloc(count * sizeof *parts);
	if (!parts)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t chunks = i + 1 < count ? per : e->pool.depth - i * per;
		parts[i].iov_base = e->pool.data + (uint64_t)i * per * e->pool.chunk_bytes;
		parts[i].iov_len = (size_t)chunks * e->pool.chunk_bytes;
	}
	if (io_uring_register_buffers(&e->ring, parts, count) == 0)
		e->chunks_per_buffer = per;
	vyre_mem_free(parts);
}

/* Without a pool: memory is registered piece by piece, and wait can be ended. */
static int set_up_service(struct uring_engine *e)
{
	e->kicked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->kicked < 0)
		return errno;
	e->has_memories = io_uring_register_buffers_sparse(&e->ring, MEMORIES) == 0;
	e->free_memories = e->has_memories ? ~UINT64_C(0) : 0;
	return 0;
}

int vyre_stream_uring_create(const struct vyre_stream_pool *pool, uint32_t flags, struct vyre_stream_engine **out)
{
	struct uring_engine *e = vyre_mem_alloc(sizeof *e);
	bool sqpoll;
	*out = NULL;
	if (!e)
		return ENOMEM;
	e->base = (struct vyre_stream_engine){
	    "",		  uring_submit,	 uring_reap,	      uring_wait,	   uring_attach,
	    uring_detach, uring_destroy, uring_attach_memory, uring_detach_memory, uring_kick};
	e->pool = *pool;
	e->kicked = -1;
	e->queued = vyre_mem_alloc(pool->depth * sizeof *e->queued);
	e->failed = vyre_mem_alloc(pool->depth * sizeof *e->failed);
	int error = e->queued && e->failed ? setup_ring(e, pool->depth, flags, &sqpoll) : ENOMEM;
	if (error) {
		vyre_mem_free(e->queued);
		vyre_mem_free(e->failed);
		vyre_mem_free(e);
		return error;
	}
	if (pool->chunk_bytes) {
		register_pool(e);
	} else if ((error = set_up_service(e)) != 0) {
		uring_destroy(&e->base);
		return error;
	}
	if (io_uring_register_files_sparse(&e->ring, FILES) == 0)
		e->free_files = ~UINT64_C(0);
	snprintf(e->base.name, sizeof e->base.name, "io_uring%s%s%s",
		 e->chunks_per_buffer || e->has_memories ? "+fixed" : "", e->free_files ? "+files" : "",
		 sqpoll ? "+sqpoll" : "");
	*out = &e->base;
	return 0;
}
