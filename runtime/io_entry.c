/* io_entry.c - one entry of the io queue from PUBLISHED to OK or ERROR.
 *
 * In: entries 0 .. 31 of a queue whose words anybody on the device may have written. Out: bytes moved between ranges that
 * were granted, and one outcome an entry.
 *
 *   PUBLISHED -> CLAIMED (ours) -> checked -> bytes under way -> OK, or ERROR with errno and the bytes done
 *
 * Nothing is believed: every word is read once, atomically, into locals; ids are looked up, never indexed with; ranges are
 * compared without sums that could wrap. What is wrong with an entry is its own error. A request has one pread or pwrite
 * under way; up to 32 requests have theirs at the same time, and none waits for another's, except a FENCE, which
 * completes after all that were taken before it. Whoever has published a request and then a fence must not see the fence
 * taken first: when a look at the queue has found a fence, another look follows, and only then the fence counts as taken.
 *
 * The device is told once for all outcomes of a turn: STATUS (release), IO_DONE += n (seq_cst), read AWAY (seq_cst). A
 * worker that leaves adds to AWAY, then reads IO_DONE: one of the two sees the other.
 */
#include <errno.h>

#include "io_state.h"

enum {
	REAP_BATCH = 32,
	RETRY_LIMIT = 100, /* EINTR, EAGAIN in a row for one read */
};
#define FRESH	    UINT64_MAX		 /* serial of a fence that was claimed in this look */
#define READ_LIMIT  (UINT64_C(1) << 30)	 /* bytes of one read(2) */
#define FIXED_LIMIT (UINT64_C(64) << 20) /* larger buffers are not registered: all their pages would be pinned */

static uint32_t *entry_words(const struct vyre_io *io, uint32_t entry)
{
	return io->queue + entry * VYRE_IO_ENTRY_WORDS;
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void count(uint64_t *field, uint64_t n)
{
	__atomic_add_fetch(field, n, __ATOMIC_RELAXED);
}

/* ---- the end of an entry ------------------------------------------------------------------------------------------ */

static void store_outcome(struct vyre_io *io, uint32_t entry, int error, uint64_t done)
{
	uint32_t *words = entry_words(io, entry);

	if (error) {
		__atomic_store_n(&words[VYRE_IO_WORD_OFFSET_LO], (uint32_t)error, __ATOMIC_RELAXED);
		__atomic_store_n(&words[VYRE_IO_WORD_BYTE_COUNT], done > UINT32_MAX ? UINT32_MAX : (uint32_t)done,
				 __ATOMIC_RELAXED);
		count(&io->stats.errors, 1);
	}
	__atomic_store_n(&words[VYRE_IO_WORD_STATUS], error ? VYRE_IO_STATUS_ERROR : VYRE_IO_STATUS_OK,
			 __ATOMIC_RELEASE);
	io->announced++;
}

static void finish(struct vyre_io *io, struct vyre_io_job *job, int error)
{
	store_outcome(io, (uint32_t)(job - io->jobs), error, job->done);
	vyre_io_grant_leave(&io->table, job->file);
	vyre_io_grant_leave(&io->table, job->buffer);
	job->is_active = false;
	io->active--;
}

static void tell_device(struct vyre_io *io)
{
	uint32_t n = io->announced;

	io->announced = 0;
	if (n == 0 || !io->ring)
		return;
	__atomic_add_fetch(&io->ring->live[VYRE_LIVE_IO_DONE], n, __ATOMIC_SEQ_CST);
	if (vyre_live_load(io->ring, VYRE_LIVE_AWAY) != 0)
		io->ring->device->fns->ring_wake(io->ring, 1);
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

static void attach(struct vyre_io *io, struct vyre_io_job *job)
{
	struct vyre_stream_engine *engine = io->engine;
	struct vyre_io_grant *file = job->file, *buffer = job->buffer;

	if (!file->is_attached)
		file->number = engine->attach(engine, file->file.fd);
	file->is_attached = true;
	if (!buffer->is_attached && buffer->memory->bytes <= FIXED_LIMIT)
		buffer->number = engine->attach_memory(engine, buffer->memory->data, buffer->memory->bytes);
	buffer->is_attached = true;
}

static void move(struct vyre_io *io, struct vyre_io_job *job)
{
	struct vyre_stream_read *read = &job->read;
	uint64_t left = job->bytes - job->done;

	read->data = (unsigned char *)job->buffer->memory->data + job->buffer_offset + job->done;
	read->offset = job->file_offset + job->done;
	read->bytes = (uint32_t)(left < READ_LIMIT ? left : READ_LIMIT);
	read->fd = job->file->file.fd;
	read->file = job->file->number;
	read->memory = job->buffer->number;
	io->engine->submit(io->engine, &read, 1);
}

static void moved(struct vyre_io *io, struct vyre_io_job *job)
{
	int32_t result = job->read.result;

	if (result == -EINTR || result == -EAGAIN) {
		if (++job->tries <= RETRY_LIMIT)
			move(io, job);
		else
			finish(io, job, -result);
		return;
	}
	if (result <= 0) { /* nothing where there should be something: the end of the file, or a full disk */
		finish(io, job, result ? -result : job->read.is_write ? ENOSPC : ENODATA);
		return;
	}
	job->tries = 0;
	job->done += (uint32_t)result;
	count(job->read.is_write ? &io->stats.bytes_written : &io->stats.bytes_read, (uint32_t)result);
	if (job->done == job->bytes)
		finish(io, job, 0);
	else if (vyre_io_grant_is_revoked(&io->table, job->file) || vyre_io_grant_is_revoked(&io->table, job->buffer))
		finish(io, job, ECANCELED);
	else
		move(io, job);
}

static bool arrive(struct vyre_io *io)
{
	struct vyre_stream_read *reads[REAP_BATCH];
	uint32_t n = io->engine->reap(io->engine, reads, REAP_BATCH), i;

	for (i = 0; i < n; i++)
		moved(io, (struct vyre_io_job *)((char *)reads[i] - offsetof(struct vyre_io_job, read)));
	return n != 0;
}

/* ---- the start of an entry ------------------------------------------------------------------------------------------ */

/* The entry's words and its note, each read once. */
struct asked {
	uint32_t op, source, destination, bytes, tenant;
	uint64_t source_offset, destination_offset;
};

/* What stands beside the entry. It was stored before the entry was published. */
static const uint32_t *read_note(const struct vyre_io *io, uint32_t entry, uint32_t copy[VYRE_IO_NOTE_WORDS])
{
	uint64_t word = VYRE_FRAMES_IO + (uint64_t)entry * VYRE_IO_NOTE_WORDS;

	if (io->notes)
		return io->notes + entry * VYRE_IO_NOTE_WORDS;
	memset(copy, 0xff, 4 * VYRE_IO_NOTE_WORDS); /* of a lost device: nobody's tenant */
	(void)!io->device->fns->memory_read(io->frames_memory, 4 * word, copy, 4 * VYRE_IO_NOTE_WORDS);
	return copy;
}

static struct asked read_entry(const struct vyre_io *io, uint32_t entry)
{
	uint32_t copy[VYRE_IO_NOTE_WORDS];
	const uint32_t *words = entry_words(io, entry), *note = read_note(io, entry, copy);
	struct asked asked = {
	    .op = load(&words[VYRE_IO_WORD_OP]),
	    .source = load(&words[VYRE_IO_WORD_SRC_HANDLE]),
	    .destination = load(&words[VYRE_IO_WORD_DST_HANDLE]),
	    .bytes = load(&words[VYRE_IO_WORD_BYTE_COUNT]),
	    .tenant = load(&note[VYRE_IO_NOTE_TENANT]),
	    .source_offset = load(&words[VYRE_IO_WORD_OFFSET_LO]) | (uint64_t)load(&words[VYRE_IO_WORD_OFFSET_HI])
									<< 32,
	    .destination_offset =
		load(&note[VYRE_IO_NOTE_DESTINATION_LO]) | (uint64_t)load(&note[VYRE_IO_NOTE_DESTINATION_HI]) << 32,
	};

	if (asked.destination == 0) /* the same id */
		asked.destination = asked.source;
	return asked;
}

static bool is_inside(const struct vyre_io_grant *grant, uint64_t offset, uint64_t bytes)
{
	return offset <= grant->bytes && bytes <= grant->bytes - offset;
}

/* Both grants and the ranges in them; 0 or an errno. What it has found is in the job even then. */
static int check(struct vyre_io *io, struct vyre_io_job *job, const struct asked *asked)
{
	bool is_write = asked->op == VYRE_IO_OP_WRITE;
	const struct vyre_io_need source = {is_write ? VYRE_IO_BUFFER : VYRE_IO_FILE, asked->source, VYRE_IO_RIGHT_READ,
					    asked->tenant};
	const struct vyre_io_need destination = {is_write ? VYRE_IO_FILE : VYRE_IO_BUFFER, asked->destination,
						 VYRE_IO_RIGHT_WRITE, asked->tenant};
	struct vyre_io_grant *from, *to;
	int error;

	if (asked->op != VYRE_IO_OP_READ && !is_write)
		return EINVAL;
	from = vyre_io_grant_use(&io->table, &source, &error);
	*(is_write ? &job->buffer : &job->file) = from;
	if (error)
		return error;
	to = vyre_io_grant_use(&io->table, &destination, &error);
	*(is_write ? &job->file : &job->buffer) = to;
	if (error)
		return error;
	job->bytes = asked->bytes;
	if (job->bytes == 0 && asked->source_offset < from->bytes) /* all of it */
		job->bytes = from->bytes - asked->source_offset;
	if (!is_inside(from, asked->source_offset, job->bytes) || !is_inside(to, asked->destination_offset, job->bytes))
		return ERANGE;
	job->file_offset = job->file->first + (is_write ? asked->destination_offset : asked->source_offset);
	job->buffer_offset = job->buffer->first + (is_write ? asked->source_offset : asked->destination_offset);
	job->read.is_write = is_write;
	return 0;
}

static void take(struct vyre_io *io, uint32_t entry)
{
	struct vyre_io_job *job = &io->jobs[entry];
	struct asked asked = read_entry(io, entry);
	int error;

	*job = (struct vyre_io_job){
	    .is_active = true, .is_fence = asked.op == VYRE_IO_OP_FENCE, .serial = io->next_serial++};
	io->active++;
	count(&io->stats.requests, 1);
	if (io->active > io->stats.max_in_flight)
		__atomic_store_n(&io->stats.max_in_flight, io->active, __ATOMIC_RELAXED);
	if (job->is_fence) {
		job->serial = FRESH;
		return;
	}
	error = check(io, job, &asked);
	if (error || job->bytes == 0) {
		finish(io, job, error);
		return;
	}
	attach(io, job);
	move(io, job);
}

/* Makes a published entry ours. One whose last outcome nobody has taken is busy still, whatever its words say. */
static bool claim(struct vyre_io *io, uint32_t entry)
{
	uint32_t *status = &entry_words(io, entry)[VYRE_IO_WORD_STATUS], seen = VYRE_SLOT_PUBLISHED;

	return !io->jobs[entry].is_active && load(status) == VYRE_SLOT_PUBLISHED &&
	       __atomic_compare_exchange_n(status, &seen, VYRE_SLOT_CLAIMED, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool take_published(struct vyre_io *io)
{
	bool any = false, again = true;
	uint32_t i;

	while (again) { /* once for each entry at most: what is taken is active */
		again = false;
		for (i = 0; i < io->entries; i++) {
			if (!claim(io, i))
				continue;
			take(io, i);
			any = true;
			again |= io->jobs[i].is_active && io->jobs[i].is_fence;
		}
	}
	for (i = 0; i < io->entries && any; i++)
		if (io->jobs[i].is_active && io->jobs[i].serial == FRESH)
			io->jobs[i].serial = io->next_serial++;
	return any;
}

/* A fence completes when nothing that was taken before it is left. */
static void finish_fences(struct vyre_io *io)
{
	uint64_t oldest = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < io->entries; i++)
		if (io->jobs[i].is_active && !io->jobs[i].is_fence && io->jobs[i].serial < oldest)
			oldest = io->jobs[i].serial;
	for (i = 0; i < io->entries; i++)
		if (io->jobs[i].is_active && io->jobs[i].is_fence && io->jobs[i].serial < oldest)
			finish(io, &io->jobs[i], 0);
}

bool vyre_io_turn(struct vyre_io *io)
{
	bool any = io->active && arrive(io);

	any |= take_published(io);
	finish_fences(io);
	tell_device(io);
	vyre_io_table_bury(&io->table, io->engine);
	return any;
}

void vyre_io_cancel_all(struct vyre_io *io)
{
	uint32_t i;

	for (i = 0; i < io->entries; i++) {
		if (io->jobs[i].is_active)
			finish(io, &io->jobs[i], ECANCELED);
		else if (claim(io, i))
			store_outcome(io, i, ECANCELED, 0);
	}
	tell_device(io);
}
