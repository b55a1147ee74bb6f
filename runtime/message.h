/* message.h - how the loader says why a call failed. */
#ifndef VYRE_MESSAGE_H
#define VYRE_MESSAGE_H
#include "vyre.h"

/* Makes "<what>. Fix: <fix>." the thread's last error, logs it, returns `status`. `what` is a printf format without the
 * full stop; `fix` is plain text without it. */
vyre_status vyre_fail(vyre_status status, const char *fix, const char *what, ...)
    __attribute__((cold, format(printf, 3, 4)));

/* For answers that are no errors on a hot path (FULL, TIMEOUT, a STALE poll): `sentence` is a constant that becomes the
 * last error as it is; nothing is formatted or logged. */
vyre_status vyre_answer(vyre_status status, const char *sentence);

/* The same with numbers in it. */
vyre_status vyre_answer_with(vyre_status status, const char *sentence, ...) __attribute__((format(printf, 2, 3)));

/* A message that belongs to no failing call. */
void vyre_log(enum vyre_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

vyre_status vyre_fail_nomem(const char *what, uint64_t bytes);

#endif
