/* standin_launch.h - a kernel of the stand-in between its launch and its end. */
#ifndef VYRE_TESTS_STANDIN_LAUNCH_H
#define VYRE_TESTS_STANDIN_LAUNCH_H
#include "standin_module.h"

struct standin_kernel {
	struct standin_work work;
	struct CUfunc_st function; /* a copy: its module may be gone, of a context that died */
	uint32_t grid[3], lanes[3];
	uint64_t total, next; /* workgroups; next: atomic */
	int together;
	vyre_cu_result fate; /* what it ends with instead of running */
	/* native */
	struct vyre_cpu_buffer *buffers;
	struct vyre_cuda_trap *trap;
	/* text */
	void *params;
};

/* standin_text.c */
void standin_take_text_params(struct standin_kernel *kernel, void **params);
/* Runs it; a mistake of the text's breaks the context. */
void standin_run_text(struct standin_kernel *kernel);

#endif
