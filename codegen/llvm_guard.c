/* llvm_guard.c - keeps a fatal error of LLVM inside one call. The only longjmp of the compiler.
 *
 * LLVM answers some requests ("Cannot select: ...") by calling its fatal-error handler and, when that returns, abort().
 * The handler here does not return: it jumps back to the guard. The C++ frames between are skipped without running their
 * destructors, so what they held leaks, and the LLVM context that was in use must not be touched again but by its owner,
 * who leaks it. Later compilations, in new contexts, are not disturbed (measured on LLVM 19 and 22).
 *
 * Why not a child process: a fork costs more than a small compilation, and a library must not fork. Crashes (signals)
 * are not caught: they are bugs of LLVM, where going on would be worse than ending.
 *
 * The handler is a property of the process: one guard at a time, and the static state below is the price.
 */
#include <llvm-c/ErrorHandling.h>
#include <setjmp.h>
#include <stdio.h>

#include "codegen/llvm.h"

static jmp_buf back;
static char *words;
static size_t words_bytes;

static void on_fatal_error(const char *reason)
{
	snprintf(words, words_bytes, "%s", reason);
	longjmp(back, 1);
}

bool vyrec_llvm_guard(void (*body)(void *user), void *user, char *message, size_t message_bytes)
{
	volatile bool fine = false;
	words = message;
	words_bytes = message_bytes;
	LLVMInstallFatalErrorHandler(on_fatal_error);
	if (!setjmp(back)) {
		body(user);
		fine = true;
	}
	LLVMResetFatalErrorHandler();
	return fine;
}
