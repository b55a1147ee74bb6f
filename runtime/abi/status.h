/* status.h - the one list of ways a call can fail, shared by compiler, loader and tools.
 *
 * A status is a plain code: nothing to free, nothing leaks when it is dropped. The details (numbers, names, remedy)
 * travel beside it: compiler side to the diagnostics sink, loader side to the log callback and vyre_last_error().
 */
#ifndef VYRE_ABI_STATUS_H
#define VYRE_ABI_STATUS_H

/*  name          value  text                                                     choose it when                             */
#define VYRE_STATUS_LIST(X) \
	X(OK,           0, "ok") \
	X(INVALID,      1, "the caller broke a documented precondition") \
	X(MALFORMED,    2, "input text or bytes do not follow the format") \
	X(VERSION,      3, "a format version that this build does not speak") \
	X(UNSUPPORTED,  4, "correct, but this device or build cannot do it") \
	X(UNAVAILABLE,  5, "a driver, library or device is not present here") \
	X(NOMEM,        6, "host or device memory is exhausted") \
	X(IO,           7, "the operating system refused an I/O operation") \
	X(DEVICE_LOST,  8, "the device failed and cannot be used again") \
	X(TIMEOUT,      9, "the deadline passed before completion") \
	X(FULL,        10, "the ring or queue has no free place now") \
	X(STALE,       11, "the handle or ticket names an object that is gone") \
	X(FAULT,       12, "the slot ended in FAULT; its code and detail are in the result") \
	X(STOPPED,     13, "the ring was stopped; nothing was published") \
	X(INTERNAL,    14, "a bug in this library")

typedef enum vyre_status {
#define X(name, value, text) VYRE_##name = value,
	VYRE_STATUS_LIST(X)
#undef X
} vyre_status;

#endif
