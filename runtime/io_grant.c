/* io_grant.c - the capability table: which ids name which ranges of which files and buffers, for whom.
 *
 * In: grants and revocations from any thread; needs of requests from the service thread. Out: a grant in use, or an
 * errno. Invariant: a grant lives while it is in the table, used by a request, or waited for; its descriptor and its
 * memory live as long, whatever the caller closes or destroys meanwhile. Only the service thread frees a grant, because
 * the engine may know its file or memory by number, and engines have one caller.
 *
 * Files and buffers have ids of their own: a resource is loaded "to the same id", which then names both.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "alloc.h"
#include "io_state.h"
#include "message.h"

static struct vyre_io_grant **bucket_of(struct vyre_io_table *table, enum vyre_io_kind kind, uint32_t id)
{
	return &table->buckets[kind][id * 0x9E3779B1u >> 24];
}

void vyre_io_table_init(struct vyre_io_table *table)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&table->lock, NULL);
	pthread_cond_init(&table->unused, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void free_grant(struct vyre_io_grant *grant)
{
	vyre_stream_file_close(&grant->file);
	if (grant->fd >= 0)
		close(grant->fd);
	vyre_memory_unref(grant->memory);
	vyre_mem_free(grant);
}

static void free_list(struct vyre_io_grant *grant)
{
	while (grant) {
		struct vyre_io_grant *next = grant->next;

		free_grant(grant);
		grant = next;
	}
}

void vyre_io_table_finish(struct vyre_io_table *table)
{
	uint32_t kind, i;

	for (kind = 0; kind < VYRE_IO_KINDS; kind++)
		for (i = 0; i < VYRE_IO_BUCKETS; i++)
			free_list(table->buckets[kind][i]);
	free_list(table->dead);
	pthread_cond_destroy(&table->unused);
	pthread_mutex_destroy(&table->lock);
}

/* Where the pointer to it is; the table is locked. */
static struct vyre_io_grant **find(struct vyre_io_table *table, enum vyre_io_kind kind, uint32_t id)
{
	struct vyre_io_grant **at = bucket_of(table, kind, id);

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

struct vyre_io_grant *vyre_io_grant_use(struct vyre_io_table *table, const struct vyre_io_need *need, int *error)
{
	struct vyre_io_grant *grant;

	pthread_mutex_lock(&table->lock);
	grant = *find(table, need->kind, need->id);
	if (!grant)
		*error = EBADF;
	else if ((grant->rights & need->right) != need->right ||
		 (grant->tenant != VYRE_IO_ANY_TENANT && grant->tenant != need->tenant))
		*error = EACCES;
	else
		*error = 0;
	if (*error)
		grant = NULL;
	else
		grant->users++;
	pthread_mutex_unlock(&table->lock);
	return grant;
}

void vyre_io_grant_leave(struct vyre_io_table *table, struct vyre_io_grant *grant)
{
	if (!grant)
		return;
	pthread_mutex_lock(&table->lock);
	if (--grant->users == 0 && grant->is_revoked)
		pthread_cond_broadcast(&table->unused);
	pthread_mutex_unlock(&table->lock);
}

bool vyre_io_grant_is_revoked(struct vyre_io_table *table, const struct vyre_io_grant *grant)
{
	bool is_revoked;

	pthread_mutex_lock(&table->lock);
	is_revoked = grant->is_revoked;
	pthread_mutex_unlock(&table->lock);
	return is_revoked;
}

void vyre_io_table_bury(struct vyre_io_table *table, struct vyre_stream_engine *engine)
{
	struct vyre_io_grant **at, *unused = NULL, *grant;

	pthread_mutex_lock(&table->lock);
	for (at = &table->dead; (grant = *at) != NULL;) {
		if (grant->users || grant->waiters) {
			at = &grant->next;
			continue;
		}
		*at = grant->next;
		grant->next = unused;
		unused = grant;
	}
	pthread_mutex_unlock(&table->lock);
	for (grant = unused; grant; grant = grant->next) {
		if (grant->is_attached && grant->kind == VYRE_IO_FILE)
			engine->detach(engine, grant->number);
		else if (grant->is_attached)
			engine->detach_memory(engine, grant->number);
	}
	free_list(unused);
}

/* ---- the callers' side ---------------------------------------------------------------------------------------------- */

/* What is said of a grant, file or buffer: `size` is what there is of it. */
static vyre_status check_range(struct vyre_io_grant *grant, uint64_t size, bool may_grow)
{
	if (grant->first > size && !may_grow)
		return vyre_fail(VYRE_INVALID, "grant a range inside it", "capability %u starts at byte %llu of %llu",
				 grant->id, (unsigned long long)grant->first, (unsigned long long)size);
	if (grant->bytes == UINT64_MAX)
		grant->bytes = size > grant->first ? size - grant->first : 0;
	else if (may_grow ? grant->bytes > (uint64_t)INT64_MAX || grant->first > (uint64_t)INT64_MAX - grant->bytes
			  : grant->bytes > size - grant->first)
		return vyre_fail(VYRE_INVALID, "grant a range inside it, or UINT64_MAX for all that is there",
				 "capability %u is bytes %llu..+%llu of %llu", grant->id,
				 (unsigned long long)grant->first, (unsigned long long)grant->bytes,
				 (unsigned long long)size);
	return VYRE_OK;
}

static vyre_status open_file(struct vyre_io_grant *grant, int fd)
{
	vyre_status status;

	grant->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (grant->fd < 0)
		return vyre_fail(errno == EBADF ? VYRE_INVALID : VYRE_IO, "give an open descriptor, and close others",
				 "descriptor %d cannot be duplicated: errno %d", fd, errno);
	status = vyre_stream_file_open(grant->fd, grant->rights, false, &grant->file);
	/* A file may be granted beyond its end: to writers, who make it longer. */
	return status == VYRE_OK ? check_range(grant, grant->file.size, (grant->rights & VYRE_IO_RIGHT_WRITE) != 0)
				 : status;
}

static vyre_status open_buffer(struct vyre_io *io, struct vyre_io_grant *grant, vyre_buffer buffer)
{
	vyre_status status;

	grant->memory = vyre_buffer_get(io->device, buffer);
	if (!grant->memory)
		return VYRE_STALE;
	status = vyre_memory_map(grant->memory);
	return status == VYRE_OK ? check_range(grant, grant->memory->bytes, false) : status;
}

static vyre_status add(struct vyre_io_table *table, struct vyre_io_grant *grant)
{
	struct vyre_io_grant **at;
	bool is_free;

	pthread_mutex_lock(&table->lock);
	at = find(table, grant->kind, grant->id);
	is_free = !*at;
	if (is_free)
		*at = grant;
	pthread_mutex_unlock(&table->lock);
	if (is_free)
		return VYRE_OK;
	return vyre_fail(VYRE_INVALID, "revoke it first, or use another id", "capability %u is granted already",
			 grant->id);
}

static vyre_status make(const struct vyre_io_grant *wanted, struct vyre_io_grant **out)
{
	const uint32_t all = VYRE_IO_RIGHT_READ | VYRE_IO_RIGHT_WRITE;

	*out = NULL;
	if (wanted->id == 0 || !(wanted->rights & all) || (wanted->rights & ~all))
		return vyre_fail(VYRE_INVALID, "use ids from 1 on, and VYRE_IO_RIGHT_READ, VYRE_IO_RIGHT_WRITE or both",
				 "capability %u with rights 0x%x", wanted->id, wanted->rights);
	*out = vyre_mem_alloc(sizeof(**out));
	if (!*out)
		return vyre_fail_nomem("a capability", sizeof(**out));
	**out = *wanted;
	(*out)->fd = -1;
	(*out)->file = (struct vyre_stream_file){.fd = -1, .direct = -1};
	(*out)->number = -1;
	return VYRE_OK;
}

vyre_status vyre_io_grant_file(struct vyre_io *io, uint32_t id, int fd, uint64_t first, uint64_t bytes, uint32_t rights,
			       uint32_t tenant)
{
	const struct vyre_io_grant wanted = {
	    .kind = VYRE_IO_FILE, .id = id, .rights = rights, .tenant = tenant, .first = first, .bytes = bytes};
	struct vyre_io_grant *grant;
	vyre_status status = make(&wanted, &grant);

	if (status == VYRE_OK)
		status = open_file(grant, fd);
	if (status == VYRE_OK)
		status = add(&io->table, grant);
	if (status != VYRE_OK && grant)
		free_grant(grant);
	return status;
}

vyre_status vyre_io_grant_buffer(struct vyre_io *io, uint32_t id, vyre_buffer buffer, uint64_t first, uint64_t bytes,
				 uint32_t rights, uint32_t tenant)
{
	const struct vyre_io_grant wanted = {
	    .kind = VYRE_IO_BUFFER, .id = id, .rights = rights, .tenant = tenant, .first = first, .bytes = bytes};
	struct vyre_io_grant *grant;
	vyre_status status = make(&wanted, &grant);

	if (status == VYRE_OK)
		status = open_buffer(io, grant, buffer);
	if (status == VYRE_OK)
		status = add(&io->table, grant);
	if (status != VYRE_OK && grant)
		free_grant(grant);
	return status;
}

/* Takes the grant of one kind out of the table, if there is one; the table is locked. */
static struct vyre_io_grant *take_out(struct vyre_io_table *table, enum vyre_io_kind kind, uint32_t id)
{
	struct vyre_io_grant **at = find(table, kind, id), *grant = *at;

	if (!grant)
		return NULL;
	*at = grant->next;
	grant->next = table->dead;
	table->dead = grant;
	grant->is_revoked = true;
	grant->waiters++;
	return grant;
}

/* Until no request uses it, or the deadline; the table is locked. */
static bool wait_until_unused(struct vyre_io_table *table, struct vyre_io_grant *grant, uint64_t deadline_ns)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
				 .tv_nsec = (long)(deadline_ns % 1000000000u)};
	bool is_unused;

	if (!grant)
		return true;
	while (grant->users && vyre_now() < deadline_ns) {
		if (deadline_ns == UINT64_MAX)
			pthread_cond_wait(&table->unused, &table->lock);
		else
			pthread_cond_timedwait(&table->unused, &table->lock, &until);
	}
	is_unused = grant->users == 0;
	grant->waiters--;
	return is_unused;
}

vyre_status vyre_io_revoke(struct vyre_io *io, uint32_t id, uint64_t timeout_ns)
{
	uint64_t deadline_ns = vyre_deadline(timeout_ns);
	struct vyre_io_grant *file, *buffer;
	bool file_unused, buffer_unused;

	pthread_mutex_lock(&io->table.lock);
	file = take_out(&io->table, VYRE_IO_FILE, id);
	buffer = take_out(&io->table, VYRE_IO_BUFFER, id);
	file_unused = wait_until_unused(&io->table, file, deadline_ns);
	buffer_unused = wait_until_unused(&io->table, buffer, deadline_ns);
	pthread_mutex_unlock(&io->table.lock);
	io->engine->kick(io->engine); /* to bury them */
	if (!file && !buffer)
		return vyre_fail(VYRE_INVALID, "revoke what was granted, once", "there is no capability %u", id);
	if (file_unused && buffer_unused)
		return VYRE_OK;
	return vyre_answer(VYRE_TIMEOUT,
			   "a request still uses what was revoked. Fix: wait for it, or destroy the service.");
}
