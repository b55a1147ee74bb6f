/* status.c - status names, the last error of a thread, the log callback, and the one formatter of messages.
 *
 * In: a status, what happened, how to fix it. Out: one sentence, "<what, with the numbers>. Fix: <what to do>.", to the
 * log callback and to vyre_last_error() of the calling thread. Invariant: the text of a thread is replaced only by that
 * thread's next failing call. The callback is the library's only process-wide state; it runs outside the lock, so it
 * may take as long as it likes.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "message.h"

enum { TEXT_BYTES = 1024 };

static _Thread_local char text[TEXT_BYTES];
static _Thread_local const char *last_error = "";

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_sink {
	vyre_log_fn fn;
	void *user;
	enum vyre_log_level level;
} sink;

const char *vyre_status_name(vyre_status status)
{
	switch (status) {
#define X(name, value, meaning) \
	case VYRE_##name: \
		return "VYRE_" #name;
		VYRE_STATUS_LIST(X)
#undef X
	}
	return "VYRE_?";
}

const char *vyre_last_error(void)
{
	return last_error;
}

const char *vyre_version(void)
{
	return VYRE_RELEASE;
}

void vyre_log_set(vyre_log_fn fn, void *user, enum vyre_log_level level)
{
	pthread_mutex_lock(&log_lock);
	sink = (struct log_sink){fn, user, level};
	pthread_mutex_unlock(&log_lock);
}

static void send(enum vyre_log_level level, const char *message)
{
	struct log_sink now;

	pthread_mutex_lock(&log_lock);
	now = sink;
	pthread_mutex_unlock(&log_lock);
	if (now.fn && level <= now.level)
		now.fn(now.user, level, message);
}

vyre_status vyre_fail(vyre_status status, const char *fix, const char *what, ...)
{
	va_list args;
	int used;

	va_start(args, what);
	used = vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (used < 0)
		used = 0;
	if (used < TEXT_BYTES)
		snprintf(text + used, (size_t)(TEXT_BYTES - used), ". Fix: %s.", fix);
	last_error = text;
	send(VYRE_LOG_ERROR, text);
	return status;
}

vyre_status vyre_fail_nomem(const char *what, uint64_t bytes)
{
	return vyre_fail(VYRE_NOMEM, "free memory or ask for less", "no memory for %s of %llu bytes", what,
			 (unsigned long long)bytes);
}

vyre_status vyre_answer(vyre_status status, const char *sentence)
{
	last_error = sentence;
	return status;
}

vyre_status vyre_answer_with(vyre_status status, const char *sentence, ...)
{
	va_list args;

	va_start(args, sentence);
	vsnprintf(text, sizeof(text), sentence, args);
	va_end(args);
	last_error = text;
	return status;
}

void vyre_log(enum vyre_log_level level, const char *format, ...)
{
	char message[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	send(level, message);
}
