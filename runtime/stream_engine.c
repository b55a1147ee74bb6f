/* stream_engine.c - which engine moves the bytes.
 *
 * In: what is allowed. Out: io_uring, or threads where that is refused or not wanted. Containers and hardened kernels
 * refuse io_uring as a rule, so its refusal is no error and says nothing.
 */
#include <errno.h>
#include <string.h>

#include "message.h"
#include "stream.h"

vyre_status vyre_stream_engine_choose(const struct vyre_stream_pool *pool, uint32_t flags,
				      struct vyre_stream_engine **out)
{
	int uring = 0, threads;
	if (!(flags & VYRE_STREAM_PREAD)) {
		uring = vyre_stream_uring_create(pool, flags, out);
		if (uring == 0)
			return VYRE_OK;
	}
	threads = vyre_stream_pread_create(pool, out);
	if (threads == 0)
		return VYRE_OK;
	return vyre_fail(threads == ENOMEM ? VYRE_NOMEM : VYRE_IO,
			 "allow one of them (sysctl kernel.io_uring_disabled, the limits on processes and memory)",
			 "nothing here can read files: io_uring: %s; threads: %s",
			 uring ? strerror(uring) : "not asked for", strerror(threads));
}
