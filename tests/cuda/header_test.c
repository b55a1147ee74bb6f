/* header_test.c - the loader's own table of the driver's symbols beside the toolkit's header, where one is installed: the
 * same names, the same versions of them, the same types, the same constants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#if __has_include(<cuda.h>)
#include <cuda.h>
#define HAS_HEADER 1
#endif

#include "device/cuda_driver.h"

#ifdef HAS_HEADER
/* Types: these lines are the test. An enum is the same type as its base, unsigned, to the compiler as well. */
#define X(name, suffix, first, parameters) \
	_Static_assert( \
	    __builtin_types_compatible_p(__typeof__(&name), __typeof__(((struct vyre_cuda_driver *)0)->name##suffix)), \
	    #name " has other parameters in the toolkit's header");
VYRE_CUDA_SYMBOL_LIST(X)
#undef X
#define X(name, value) _Static_assert(name == value, #name " has another value in the toolkit's header");
VYRE_CUDA_CONSTANT_LIST(X)
#undef X
#define X(name, number, status, state, fix) \
	_Static_assert(CUDA_ERROR_##name == number, "CUDA_ERROR_" #name " has another number in the toolkit's " \
						    "header");
VYRE_CUDA_RESULT_LIST(X)
#undef X
_Static_assert(CUDA_ERROR_NOT_READY == (int)VYRE_CU_NOT_READY, "CUDA_ERROR_NOT_READY");
_Static_assert(CUDA_VERSION >= VYRE_CUDA_OLDEST, "a toolkit older than the oldest driver");
#endif

/* The version that the header maps a plain name to is the one that the loader asks for. */
static void versions(void **state)
{
	(void)state;
#ifdef HAS_HEADER
#define TEXT(name)			   #name
#define EXPANDED(name)			   TEXT(name)
#define X(name, suffix, first, parameters) assert_string_equal(EXPANDED(name), #name #suffix);
	VYRE_CUDA_SYMBOL_LIST(X)
#undef X
#else
	print_message("skipped: no cuda.h in the compiler's path or /usr/local/cuda/include\n");
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(versions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
