/* stream_pread.c - the engine for where io_uring is refused: threads that call pread and pwrite.
 *
 * In: read records; out: the same records with `result` set. Two bounded queues under one mutex: what waits for a
 * thread, and what is finished. Each holds at most `depth` records because no more exist, so neither can overflow.
 * Invariant: a record is in exactly one of: the waiting queue, a thread's hands, the finished queue, the pipeline.
 * A pool is one file's business as a rule, and a few threads keep its disk busy. Without a pool every record may be
 * another disk's, and one that hangs must not hold up the next: then there are as many threads as records under way,
 * started when they are needed.
 * Why not pread on the pumping thread: a cold file would leave the ring empty while the disk works, and one read at a
 * time is a fraction of what a disk can do.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "stream.h"

enum { POOL_THREADS = 4 };

struct queue {
	struct vyre_stream_read **items;
	uint32_t head, count;
};

struct pread_engine {
	struct vyre_stream_engine base;
	uint32_t depth, thread_count, max_threads, starting, idle; /* starting: not in serve yet */
	bool stop, kicked;
	pthread_mutex_t lock;
	pthread_cond_t work, finished_some;
	struct queue waiting, finished;
	_Atomic uint32_t finished_hint; /* finished.count, to look without the lock */
	pthread_t *threads;
};

static void push(struct pread_engine *e, struct queue *q, struct vyre_stream_read *read)
{
	q->items[(q->head + q->count) % e->depth] = read;
	q->count++;
}

static struct vyre_stream_read *pop(struct pread_engine *e, struct queue *q)
{
	struct vyre_stream_read *read = q->items[q->head];
	q->head = (q->head + 1) % e->depth;
	q->count--;
	return read;
}

static void *serve(void *arg)
{
	struct pread_engine *e = arg;
	pthread_mutex_lock(&e->lock);
	e->starting--;
	for (;;) {
		e->idle++;
		while (e->waiting.count == 0 && !e->stop)
			pthread_cond_wait(&e->work, &e->lock);
		e->idle--;
		if (e->stop)
			break;
		struct vyre_stream_read *read = pop(e, &e->waiting);
		pthread_mutex_unlock(&e->lock);
		ssize_t got = read->is_write ? pwrite(read->fd, read->data, read->bytes, (off_t)read->offset)
					     : pread(read->fd, read->data, read->bytes, (off_t)read->offset);
		read->result = got < 0 ? -errno : (int32_t)got;
		pthread_mutex_lock(&e->lock);
		push(e, &e->finished, read);
		atomic_store_explicit(&e->finished_hint, e->finished.count, memory_order_relaxed);
		if (e->finished.count == 1)
			pthread_cond_signal(&e->finished_some);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Our threads block every signal, as the cpu device's do: they are the product's business. */
static int start_thread(struct pread_engine *e)
{
	sigset_t all, before;
	int error;
	if (vyre_mem_refused())
		return EAGAIN;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&e->threads[e->thread_count], NULL, serve, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	e->thread_count += error == 0;
	e->starting += error == 0;
	return error;
}

static void pread_submit(struct vyre_stream_engine *base, struct vyre_stream_read *const *reads, uint32_t count)
{
	struct pread_engine *e = (struct pread_engine *)base;
	pthread_mutex_lock(&e->lock);
	for (uint32_t i = 0; i < count; i++)
		push(e, &e->waiting, reads[i]);
	/* One that cannot be started is done without: there is one at least. */
	while (e->waiting.count > e->idle + e->starting && e->thread_count < e->max_threads && start_thread(e) == 0)
		;
	if (count == 1)
		pthread_cond_signal(&e->work);
	else
		pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
}

static uint32_t pread_reap(struct vyre_stream_engine *base, struct vyre_stream_read **reads, uint32_t max)
{
	struct pread_engine *e = (struct pread_engine *)base;
	uint32_t n = 0;
	if (atomic_load_explicit(&e->finished_hint, memory_order_relaxed) == 0)
		return 0;
	pthread_mutex_lock(&e->lock);
	while (n < max && e->finished.count != 0)
		reads[n++] = pop(e, &e->finished);
	atomic_store_explicit(&e->finished_hint, e->finished.count, memory_order_relaxed);
	pthread_mutex_unlock(&e->lock);
	return n;
}

static void pread_wait(struct vyre_stream_engine *base, uint64_t timeout_ns)
{
	struct pread_engine *e = (struct pread_engine *)base;
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(timeout_ns / 1000000000u);
	end.tv_nsec += (long)(timeout_ns % 1000000000u);
	if (end.tv_nsec >= 1000000000L) {
		end.tv_nsec -= 1000000000L;
		end.tv_sec++;
	}
	pthread_mutex_lock(&e->lock);
	if (e->finished.count == 0 && !e->kicked) /* a spurious wake-up is an early return, which wait allows */
		pthread_cond_timedwait(&e->finished_some, &e->lock, &end);
	e->kicked = false;
	pthread_mutex_unlock(&e->lock);
}

static int32_t pread_attach(struct vyre_stream_engine *base, int fd)
{
	(void)base, (void)fd;
	return -1;
}

static void pread_detach(struct vyre_stream_engine *base, int32_t file)
{
	(void)base, (void)file;
}

static int32_t pread_attach_memory(struct vyre_stream_engine *base, void *data, uint64_t bytes)
{
	(void)base, (void)data, (void)bytes;
	return -1;
}

static void pread_kick(struct vyre_stream_engine *base)
{
	struct pread_engine *e = (struct pread_engine *)base;
	pthread_mutex_lock(&e->lock);
	e->kicked = true;
	pthread_cond_signal(&e->finished_some);
	pthread_mutex_unlock(&e->lock);
}

static void pread_destroy(struct vyre_stream_engine *base)
{
	struct pread_engine *e = (struct pread_engine *)base;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
	for (uint32_t i = 0; i < e->thread_count; i++)
		pthread_join(e->threads[i], NULL);
	pthread_cond_destroy(&e->finished_some);
	pthread_cond_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	vyre_mem_free(e->threads);
	vyre_mem_free(e->waiting.items);
	vyre_mem_free(e->finished.items);
	vyre_mem_free(e);
}

static void init_locks(struct pread_engine *e)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	pthread_cond_init(&e->finished_some, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int vyre_stream_pread_create(const struct vyre_stream_pool *pool, struct vyre_stream_engine **out)
{
	struct pread_engine *e = vyre_mem_alloc(sizeof *e);
	int error = ENOMEM;
	*out = NULL;
	if (!e)
		return ENOMEM;
	e->base =
	    (struct vyre_stream_engine){"pread",      pread_submit,  pread_reap,	  pread_wait,	pread_attach,
					pread_detach, pread_destroy, pread_attach_memory, pread_detach, pread_kick};
	e->depth = pool->depth;
	e->max_threads = pool->chunk_bytes ? POOL_THREADS : pool->depth;
	e->threads = vyre_mem_alloc(e->max_threads * sizeof *e->threads);
	init_locks(e);
	e->waiting.items = vyre_mem_alloc(e->depth * sizeof *e->waiting.items);
	e->finished.items = vyre_mem_alloc(e->depth * sizeof *e->finished.items);
	if (e->waiting.items && e->finished.items && e->threads) {
		pthread_mutex_lock(&e->lock);
		error = start_thread(e); /* one at least; the others when there is work for them */
		pthread_mutex_unlock(&e->lock);
	}
	if (error) {
		pread_destroy(&e->base);
		return error;
	}
	*out = &e->base;
	return 0;
}
