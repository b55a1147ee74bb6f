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
	uint64_t param_bytes;
};

/* Room on the multiprocessors, for workgroups: all of it, or one place and what else is free of `wanted`. */
void standin_take_room(uint32_t places);
uint32_t standin_take_some(uint32_t wanted);
void standin_give_room(uint32_t places);

/* standin_text.c */
void standin_take_text_params(struct standin_kernel *kernel, void **params);
/* Runs it; a mistake of the text's breaks the context. */
void standin_run_text(struct standin_kernel *kernel);

#endif
