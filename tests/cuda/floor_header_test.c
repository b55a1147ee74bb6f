/* floor_header_test.c - vyre-bench's table of the driver's symbols beside the toolkit's header, where one is installed: the
 * same names, versions, types, constants and layout. */
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

#include "tools/vyre-bench/floor_cuda.h"

#ifdef HAS_HEADER
/* The header's own struct of a graph's node, and ours, are two types to the compiler: field by field. */
#define FIELD_LIST(X) \
	X(func, function) \
	X(gridDimX, grid[0]) \
	X(gridDimZ, grid[2]) \
	X(blockDimX, block[0]) \
	X(blockDimZ, block[2]) \
	X(sharedMemBytes, shared_bytes) \
	X(kernelParams, params) \
	X(extra, extra) \
	X(kern, kernel) \
	X(ctx, context)
#define X(theirs, ours) \
	_Static_assert(offsetof(CUDA_KERNEL_NODE_PARAMS, theirs) == offsetof(struct cu_node_params, ours), #theirs);
FIELD_LIST(X)
#undef X
_Static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS) == sizeof(struct cu_node_params), "a kernel node's parameters");
#define cu_node_params CUDA_KERNEL_NODE_PARAMS_v2_st /* the rest of that function's parameters, in the table */
#define X(name, suffix, parameters) \
	_Static_assert(__builtin_types_compatible_p(__typeof__(name), cu_result parameters), \
		       #name " has other parameters in the toolkit's header");
CU_LIST(X)
#undef X
#undef cu_node_params
#define X(name, value) _Static_assert(name == value, #name " has another value in the toolkit's header");
CU_CONSTANT_LIST(X)
#undef X
#endif

/* The version that the header maps a plain name to is the one that is asked for. */
static void versions(void **state)
{
	(void)state;
#ifdef HAS_HEADER
#define TEXT(name)		    #name
#define EXPANDED(name)		    TEXT(name)
#define X(name, suffix, parameters) assert_string_equal(EXPANDED(name), #name #suffix);
	CU_LIST(X)
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
