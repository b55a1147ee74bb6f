/* standin_text.c - PTX in the stand-in: refused, as by a driver whose compiler finds its first line wrong. */
#include <stdio.h>

#include "standin_launch.h"

vyre_cu_result standin_load_text(struct CUmod_st *module, const char *text, char log[STANDIN_LOG_BYTES])
{
	(void)module;
	snprintf(log, STANDIN_LOG_BYTES, "line 1; fatal: %.40s is nothing that this driver compiles", text);
	return VYRE_CU_INVALID_PTX;
}

void standin_unload_text(struct CUmod_st *module)
{
	(void)module;
}

void standin_take_text_params(struct standin_kernel *kernel, void **params)
{
	(void)params;
	kernel->fate = VYRE_CU_LAUNCH_FAILED;
}

void standin_run_text(struct standin_kernel *kernel)
{
	(void)kernel;
}
