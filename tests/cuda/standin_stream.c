/* standin_stream.c - the stand-in's streams: a thread and a queue each. */
#include <stdlib.h>
#include <time.h>

#include "standin_private.h"

struct CUstream_st {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct standin_work *first, **last;
	uint64_t pending;
	int is_closed; /* its thread frees it when nothing is left */
};

static void *serve(void *argument)
{
	struct CUstream_st *stream = argument;

	pthread_mutex_lock(&stream->lock);
	for (;;) {
		struct standin_work *work = stream->first;

		if (!work && stream->is_closed)
			break;
		if (!work) {
			pthread_cond_wait(&stream->moved, &stream->lock);
			continue;
		}
		stream->first = work->next;
		if (!stream->first)
			stream->last = &stream->first;
		pthread_mutex_unlock(&stream->lock);
		work->run(work);
		pthread_mutex_lock(&stream->lock);
		stream->pending--;
		pthread_cond_broadcast(&stream->moved);
	}
	pthread_mutex_unlock(&stream->lock);
	pthread_mutex_destroy(&stream->lock);
	pthread_cond_destroy(&stream->moved);
	free(stream);
	standin_add_live(-1);
	return NULL;
}

vyre_cu_result standin_enqueue(vyre_cu_stream stream, struct standin_work *work)
{
	if (!stream)
		standin_mistake("work is put on the legacy stream, which waits for every other");
	pthread_mutex_lock(&stream->lock);
	work->next = NULL;
	*stream->last = work;
	stream->last = &work->next;
	stream->pending++;
	pthread_cond_broadcast(&stream->moved);
	pthread_mutex_unlock(&stream->lock);
	return CU_OK;
}

vyre_cu_result cuStreamCreate(vyre_cu_stream *out, unsigned flags)
{
	struct CUstream_st *stream;
	pthread_t thread;

	CALL(cuStreamCreate);
	if (flags != VYRE_CU_STREAM_NON_BLOCKING)
		standin_mistake("a stream is made that waits for the legacy stream");
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		standin_mistake("no memory");
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->moved, NULL);
	stream->last = &stream->first;
	if (pthread_create(&thread, NULL, serve, stream) != 0)
		standin_mistake("no thread for a stream");
	pthread_detach(thread);
	standin_add_live(1);
	*out = stream;
	return CU_OK;
}

vyre_cu_result cuStreamDestroy_v2(vyre_cu_stream stream)
{
	vyre_cu_result result = standin_call(SYMBOL_cuStreamDestroy);

	pthread_mutex_lock(&stream->lock);
	stream->is_closed = 1;
	pthread_cond_broadcast(&stream->moved);
	pthread_mutex_unlock(&stream->lock);
	return result;
}

vyre_cu_result cuStreamQuery(vyre_cu_stream stream)
{
	uint64_t pending;

	CALL(cuStreamQuery);
	pthread_mutex_lock(&stream->lock);
	pending = stream->pending;
	pthread_mutex_unlock(&stream->lock);
	if (pending)
		return VYRE_CU_NOT_READY;
	return standin_lost();
}

/* Woken by the stream's work; looks at the context now and then, which may die meanwhile. */
vyre_cu_result cuStreamSynchronize(vyre_cu_stream stream)
{
	CALL(cuStreamSynchronize);
	pthread_mutex_lock(&stream->lock);
	while (stream->pending && !standin_lost()) {
		struct timespec soon;

		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 5000000;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_nsec -= 1000000000;
			soon.tv_sec++;
		}
		pthread_cond_timedwait(&stream->moved, &stream->lock, &soon);
	}
	pthread_mutex_unlock(&stream->lock);
	return standin_lost();
}
