/* stream.c - the chunk pipeline: file ranges -> chunks of a buffer -> slots of a ring -> the chunk again.
 *
 * In: ranges (vyre_stream_add) and a buffer; out: fill and done calls, slots in the ring. A chunk's way:
 *
 *   free -> reading -> (all bytes there: fill) -> ready -> (published) -> running -> (all tickets ended: done) -> free
 *
 * A turn of the pump moves every chunk that can move, in batches: one engine submit, one reap, one publish for up to
 * PUBLISH_SLOTS slots, one poll for up to POLL_WINDOW tickets. A full ring keeps chunks ready and stops nothing else.
 * Invariants: a chunk is in exactly one state, and leaves it on the pumping thread only; every chunk of a range gets
 * exactly one done call, also those that are never read (the range ended early, the ring was stopped); a range and its
 * descriptors live until the last of its chunks is done.
 * Why not a thread of our own: the caller decides which thread pays, and callbacks need no locks.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "abi/io.h"
#include "alloc.h"
#include "message.h"
#include "relax.h"
#include "stream_state.h"

enum {
	DEFAULT_CHUNK = 64 << 10,
	DEFAULT_DEPTH = 32,
	REAP_BATCH = 64,
	POLL_ALL_TURNS = 16, /* every so many turns all tickets are looked at, not only the window */
	ATTACH_CHUNKS = 8,   /* a range of fewer chunks is not worth the two calls that registering its file costs */
	UNREAD_BATCH = 256,  /* done calls for chunks that are never read, in one turn */
	RETRY_LIMIT = 100,   /* EINTR, EAGAIN, ECANCELED in a row for one read */
	SPIN_TURNS = 20,     /* turns without progress until the pump lets others run first, a few us */
	YIELD_TURNS = 200,   /* turns without progress until it sleeps */
};
#define REST_MIXED_NS  UINT64_C(200000)	   /* sleep on one of two things that may come */
#define REST_SINGLE_NS UINT64_C(100000000) /* sleep on the one thing that may come */

/* ---- ends ---- */

static void put_range(struct vyre_stream *s, struct vyre_stream_range *range)
{
	if (range->live || range->queued)
		return;
	if (s->engine)
		s->engine->detach(s->engine, range->number);
	vyre_stream_file_close(&range->file);
	vyre_mem_free(range);
}

void vyre_stream_finish(struct vyre_stream *s, struct vyre_stream_chunk *c, vyre_status status, int error)
{
	uint32_t number = (uint32_t)(c - s->chunks);
	struct vyre_stream_range *range = c->range;
	s->stats.errors += status == VYRE_IO;
	if (s->params.done)
		s->params.done(s->params.user, &c->view, status, error,
			       s->results + (size_t)number * s->params.slots_per_chunk, c->ended);
	c->range = NULL;
	s->free[s->free_count++] = number;
	range->live--;
	put_range(s, range);
}

/* ---- reading -> ready ---- */

/* The next read of what the chunk still lacks. With O_DIRECT the aligned middle goes past the page cache, and the ends
 * through it. */
static void prepare_read(struct vyre_stream *s, struct vyre_stream_chunk *c)
{
	const struct vyre_stream_file *file = &c->range->file;
	struct vyre_stream_read *read = &c->read;
	read->fd = file->fd;
	read->offset = c->view.file_offset + c->view.bytes;
	read->bytes = c->want - c->view.bytes;
	read->data = s->pool.data + c->view.buffer_offset + c->view.bytes;
	if (c->range->direct) {
		uint32_t skew = (uint32_t)(read->offset % VYRE_STREAM_ALIGN);
		if (skew) {
			read->bytes = vyre_min32(read->bytes, VYRE_STREAM_ALIGN - skew);
		} else if (read->bytes >= VYRE_STREAM_ALIGN) {
			read->bytes -= read->bytes % VYRE_STREAM_ALIGN;
			read->fd = file->direct;
		}
	}
	read->file = read->fd == (file->direct >= 0 ? file->direct : file->fd) ? c->range->number : -1;
	s->stats.reads++;
}

static void name_stream(struct vyre_stream *s)
{
	const char *direct = !(s->params.flags & VYRE_STREAM_DIRECT) ? ""
			     : s->direct_refused		     ? "+direct-refused"
								     : "+direct";
	snprintf(s->name, sizeof s->name, "%s%s", s->engine->name, direct);
}

static void read_again(struct vyre_stream *s, struct vyre_stream_chunk *c)
{
	struct vyre_stream_read *read = &c->read;
	prepare_read(s, c);
	s->reading++;
	s->engine->submit(s->engine, &read, 1);
}

static void read_failed(struct vyre_stream *s, struct vyre_stream_chunk *c, int error)
{
	/* ECANCELED: a thread that pumped has ended, and the kernel ended what it had submitted. */
	bool again = (error == EINTR || error == EAGAIN || error == ECANCELED) && c->tries++ < RETRY_LIMIT;
	if (error == EINVAL && c->read.fd != c->range->file.fd) {
		/* Some file systems open with O_DIRECT and refuse the reads: the page cache reads the rest. The
		 * descriptor stays open, other reads are still on their way to it. */
		s->direct_refused += c->range->direct;
		c->range->direct = false;
		name_stream(s);
		again = true;
	}
	if (again && !s->stopped) {
		s->stats.retries++;
		read_again(s, c);
	} else {
		vyre_stream_finish(s, c, again ? VYRE_STOPPED : VYRE_IO, again ? 0 : error);
	}
}

static void read_ended(struct vyre_stream *s, struct vyre_stream_chunk *c)
{
	int32_t got = c->read.result;
	s->reading--;
	if (got < 0) {
		read_failed(s, c, -got);
		return;
	}
	if (got == 0) {
		c->range->eof = vyre_min64(c->range->eof, c->read.offset);
		vyre_stream_finish(s, c, VYRE_IO, 0);
		return;
	}
	c->tries = 0;
	c->view.bytes += (uint32_t)got;
	s->stats.short_reads += (uint32_t)got < c->read.bytes;
	if (s->stopped)
		vyre_stream_finish(s, c, VYRE_STOPPED, 0);
	else if (c->view.bytes < c->want)
		read_again(s, c);
	else
		vyre_stream_slots_add(s, c);
}

static bool arrive(struct vyre_stream *s)
{
	struct vyre_stream_read *reads[REAP_BATCH];
	bool moved = false;
	uint32_t n = REAP_BATCH;
	while (n == REAP_BATCH && s->reading) {
		n = s->engine->reap(s->engine, reads, REAP_BATCH);
		for (uint32_t i = 0; i < n; i++)
			read_ended(s, (struct vyre_stream_chunk *)((char *)reads[i] -
								   offsetof(struct vyre_stream_chunk, read)));
		moved |= n != 0;
	}
	return moved;
}

/* ---- free -> reading ---- */

/* Takes the next chunk off the front range: its place in the file and its length. */
static struct vyre_chunk next_chunk(struct vyre_stream *s, struct vyre_stream_range *range, uint32_t *want)
{
	uint32_t skew = range->direct ? (uint32_t)(range->position % VYRE_STREAM_ALIGN) : 0;
	struct vyre_chunk view = {.range = range->id, .index = range->next_index++, .file_offset = range->position};
	view.buffer_offset = skew;
	*want = (uint32_t)vyre_min64(s->pool.chunk_bytes - skew, range->end - range->position);
	range->position += *want;
	range->live++;
	if (range->position == range->end) {
		s->ranges = range->next;
		if (!s->ranges)
			s->ranges_end = &s->ranges;
		range->queued = false;
	}
	return view;
}

/* A done call for a chunk that is never read: its range has ended before it, or the ring is stopped. */
static void skip_chunk(struct vyre_stream *s, struct vyre_stream_range *range)
{
	uint32_t want;
	struct vyre_chunk view = next_chunk(s, range, &want);
	vyre_status status = s->stopped ? VYRE_STOPPED : VYRE_IO;
	view.buffer_offset = 0;
	s->stats.errors += status == VYRE_IO;
	if (s->params.done)
		s->params.done(s->params.user, &view, status, 0, NULL, 0);
	range->live--;
	put_range(s, range);
}

static void begin_chunk(struct vyre_stream *s, struct vyre_stream_range *range)
{
	uint32_t number = s->free[--s->free_count];
	struct vyre_stream_chunk *c = &s->chunks[number];
	c->range = range;
	c->view = next_chunk(s, range, &c->want);
	c->view.buffer_offset += (uint64_t)number * s->pool.chunk_bytes;
	c->tries = c->slots = c->ended = 0;
	prepare_read(s, c);
}

static bool issue(struct vyre_stream *s)
{
	/* Not all at once: the first chunks shall be on their way to the ring while the next are read. */
	uint32_t max = vyre_min32(s->free_count, s->params.depth < 8 ? s->params.depth : s->params.depth / 4);
	uint32_t count = 0, skipped = 0;
	while (s->ranges && skipped < UNREAD_BATCH) {
		struct vyre_stream_range *range = s->ranges;
		if (s->stopped || range->position >= range->eof) {
			skip_chunk(s, range);
			skipped++;
			continue;
		}
		if (count == max)
			break;
		s->batch[count++] = &s->chunks[s->free[s->free_count - 1]].read;
		begin_chunk(s, range);
	}
	if (count) {
		s->reading += count;
		s->stats.max_in_flight = s->stats.max_in_flight > s->params.depth - s->free_count
					     ? s->stats.max_in_flight
					     : s->params.depth - s->free_count;
		s->engine->submit(s->engine, s->batch, count);
	}
	return count || skipped;
}

/* ---- the pump ---- */

static bool turn(struct vyre_stream *s, bool quiet)
{
	bool moved = issue(s);
	moved |= arrive(s);
	moved |= vyre_stream_slots_publish(s, 0);
	moved |= vyre_stream_slots_collect(s, quiet || s->turns++ % POLL_ALL_TURNS == 0);
	return moved;
}

/* Sleeps on what may come: a read, a slot, room in the ring; briefly when it may be one of two. */
static void rest(struct vyre_stream *s, uint64_t left_ns)
{
	bool mixed = (s->reading && (s->running || s->ready_count)) || s->running > 1;
	uint64_t time = vyre_min64(left_ns, mixed ? REST_MIXED_NS : REST_SINGLE_NS);
	if (s->reading) {
		s->engine->wait(s->engine, time);
	} else if (s->running) {
		vyre_stream_slots_wait(s, time);
	} else if (s->ready_count) {
		(void)vyre_stream_slots_publish(s, time);
	}
}

static vyre_status pump(struct vyre_stream *s, uint64_t timeout_ns)
{
	uint64_t end = vyre_deadline(timeout_ns);
	for (uint32_t quiet = 0;;) {
		quiet = turn(s, quiet != 0) ? 0 : quiet + 1;
		if (!s->ranges && s->free_count == s->params.depth)
			return s->stopped ? vyre_answer(VYRE_STOPPED, "the ring was stopped. Fix: make a new one.")
					  : VYRE_OK;
		uint64_t now = vyre_now();
		if (now >= end)
			return vyre_answer(VYRE_TIMEOUT, "the stream has more to move. Fix: pump again.");
		if (quiet >= YIELD_TURNS)
			rest(s, end - now);
		else if (quiet >= SPIN_TURNS) /* the worker that we wait for may stand behind us on this processor */
			sched_yield();
		else if (quiet)
			vyre_relax();
	}
}

vyre_status vyre_stream_pump(struct vyre_stream *s, uint64_t timeout_ns)
{
	if (!s || s->pumping)
		return vyre_fail(VYRE_INVALID, "pump from outside the callbacks", "%s",
				 s ? "the stream is being pumped" : "the stream is NULL");
	s->pumping = true;
	vyre_status status = pump(s, timeout_ns);
	s->pumping = false;
	return status;
}

vyre_status vyre_stream_add(struct vyre_stream *s, int fd, uint64_t offset, uint64_t bytes, uint64_t id)
{
	struct vyre_stream_file file;
	if (!s)
		return vyre_fail(VYRE_INVALID, "give one that vyre_stream_create made", "the stream is NULL");
	vyre_status status = vyre_stream_file_open(fd, VYRE_IO_RIGHT_READ, s->params.flags & VYRE_STREAM_DIRECT, &file);
	if (status)
		return status;
	if (bytes == UINT64_MAX)
		bytes = file.size > offset ? file.size - offset : 0;
	struct vyre_stream_range *range = NULL;
	if (offset > INT64_MAX || bytes > INT64_MAX - offset)
		status = vyre_fail(VYRE_INVALID, "give one that a file can have",
				   "a range of %llu bytes at %llu ends past 2^63", (unsigned long long)bytes,
				   (unsigned long long)offset);
	else if (bytes && !(range = vyre_mem_alloc(sizeof *range)))
		status = vyre_fail_nomem("a range", sizeof *range);
	if (!range) { /* an error, or nothing to do */
		vyre_stream_file_close(&file);
		return status;
	}
	if ((s->params.flags & VYRE_STREAM_DIRECT) && file.direct < 0) {
		s->direct_refused++;
		name_stream(s);
	}
	*range =
	    (struct vyre_stream_range){.file = file, .number = -1, .id = id, .position = offset, .end = offset + bytes};
	range->eof = UINT64_MAX;
	range->queued = true;
	range->direct = file.direct >= 0;
	if (bytes / s->pool.chunk_bytes >= ATTACH_CHUNKS)
		range->number = s->engine->attach(s->engine, file.direct >= 0 ? file.direct : file.fd);
	*s->ranges_end = range;
	s->ranges_end = &range->next;
	return VYRE_OK;
}

const char *vyre_stream_engine(const struct vyre_stream *s)
{
	return s ? s->name : "";
}

void vyre_stream_get_stats(const struct vyre_stream *s, struct vyre_stream_stats *out)
{
	*out = s->stats;
}

/* ---- create and destroy ---- */

static vyre_status check_params(const struct vyre_stream_params *p)
{
	const uint32_t known = VYRE_STREAM_DIRECT | VYRE_STREAM_SQPOLL | VYRE_STREAM_PREAD;
	if (!p->publisher || !p->fill)
		return vyre_fail(VYRE_INVALID, "give both", "publisher and fill: one of them is NULL");
	if (p->chunk_bytes % VYRE_STREAM_ALIGN || p->chunk_bytes > VYRE_STREAM_MAX_CHUNK)
		return vyre_fail(VYRE_INVALID, "0 takes 64 KiB", "chunk_bytes is %u, not a multiple of %d up to 2^30",
				 p->chunk_bytes, VYRE_STREAM_ALIGN);
	if (p->depth > VYRE_STREAM_MAX_DEPTH)
		return vyre_fail(VYRE_INVALID, "0 takes 32", "depth is %u, above %d", p->depth, VYRE_STREAM_MAX_DEPTH);
	if (p->slots_per_chunk > VYRE_STREAM_MAX_SLOTS)
		return vyre_fail(VYRE_INVALID, "take smaller chunks", "slots_per_chunk is %u, above %d",
				 p->slots_per_chunk, VYRE_STREAM_MAX_SLOTS);
	if (p->flags & ~known)
		return vyre_fail(VYRE_INVALID, "use VYRE_STREAM_* alone", "flags 0x%x has bits that mean nothing",
				 p->flags);
	return VYRE_OK;
}

static vyre_status check_port(const struct vyre_stream *s)
{
	uint64_t need = (uint64_t)s->params.chunk_bytes * s->params.depth;
	if (s->port.bytes < need)
		return vyre_fail(VYRE_INVALID, "make it larger, or lower depth",
				 "the buffer has %llu bytes, %u chunks of %u bytes need %llu",
				 (unsigned long long)s->port.bytes, s->params.depth, s->params.chunk_bytes,
				 (unsigned long long)need);
	if (s->params.slots_per_chunk > s->port.ring_slots)
		return vyre_fail(VYRE_INVALID, "make the ring larger", "%u slots a chunk never fit into a ring of %u",
				 s->params.slots_per_chunk, s->port.ring_slots);
	return VYRE_OK;
}

static bool allocate(struct vyre_stream *s)
{
	uint32_t depth = s->params.depth;
	s->chunks = vyre_mem_alloc(depth * sizeof *s->chunks);
	s->free = vyre_mem_alloc(depth * sizeof *s->free);
	s->batch = vyre_mem_alloc(depth * sizeof *s->batch);
	if (!vyre_stream_slots_alloc(s) || !s->chunks || !s->free || !s->batch)
		return false;
	while (s->free_count < depth) {
		s->free[s->free_count] = depth - 1 - s->free_count;
		s->free_count++;
	}
	return true;
}

static void release(struct vyre_stream *s)
{
	vyre_stream_port_close(&s->port);
	vyre_stream_slots_free(s);
	vyre_mem_free(s->chunks);
	vyre_mem_free(s->free);
	vyre_mem_free(s->batch);
	vyre_mem_free(s);
}

static vyre_status set_up(struct vyre_stream *s, struct vyre_stream_engine *engine)
{
	struct vyre_stream_params *p = &s->params;
	p->chunk_bytes = p->chunk_bytes ? p->chunk_bytes : DEFAULT_CHUNK;
	p->depth = p->depth ? p->depth : DEFAULT_DEPTH;
	p->slots_per_chunk = p->slots_per_chunk ? p->slots_per_chunk : 1;
	s->ranges_end = &s->ranges;
	vyre_status status = vyre_stream_port_open(p, &s->port);
	if (status == VYRE_OK)
		status = check_port(s);
	if (status)
		return status;
	if (!allocate(s))
		return vyre_fail(VYRE_NOMEM, "lower depth or slots_per_chunk", "no memory for %u chunks", p->depth);
	s->pool = (struct vyre_stream_pool){s->port.data, p->chunk_bytes, p->depth};
	s->engine = engine;
	return engine ? VYRE_OK : vyre_stream_engine_choose(&s->pool, p->flags, &s->engine);
}

vyre_status vyre_stream_create_on(const struct vyre_stream_params *params, struct vyre_stream_engine *engine,
				  struct vyre_stream **out)
{
	*out = NULL;
	vyre_status status = check_params(params);
	if (status)
		return status;
	struct vyre_stream *s = vyre_mem_alloc(sizeof *s);
	if (!s)
		return vyre_fail_nomem("a stream", sizeof *s);
	s->params = *params;
	status = set_up(s, engine);
	if (status) {
		release(s);
		return status;
	}
	name_stream(s);
	*out = s;
	return VYRE_OK;
}

vyre_status vyre_stream_create(const struct vyre_stream_params *params, struct vyre_stream **out)
{
	if (out)
		*out = NULL;
	if (!params || !out)
		return vyre_fail(VYRE_INVALID, "give it", "%s is NULL", params ? "out" : "params");
	return vyre_stream_create_on(params, NULL, out);
}

void vyre_stream_destroy(struct vyre_stream *s)
{
	if (!s)
		return;
	s->engine->destroy(s->engine); /* ends reads, so that descriptors and the pool can go */
	s->engine = NULL;
	vyre_stream_slots_drain(s);
	for (uint32_t i = 0; i < s->params.depth; i++) {
		struct vyre_stream_range *range = s->chunks[i].range;
		if (range) {
			range->live--;
			put_range(s, range);
		}
	}
	while (s->ranges) {
		struct vyre_stream_range *range = s->ranges;
		s->ranges = range->next;
		range->queued = false;
		put_range(s, range);
	}
	release(s);
}
