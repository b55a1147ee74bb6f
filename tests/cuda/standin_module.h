/* standin_module.h - modules and functions of the stand-in. */
#ifndef VYRE_TESTS_STANDIN_MODULE_H
#define VYRE_TESTS_STANDIN_MODULE_H
#include "standin_private.h"

enum { STANDIN_LOG_BYTES = 512 };

struct CUfunc_st {
	struct CUfunc_st *next;
	struct CUmod_st *module;
	char name[STANDIN_NAME_BYTES];
	vyre_cpu_entry entry; /* native; NULL: text */
	const void *text_entry;
	uint32_t buffers, lanes; /* lanes 0: any number */
	uint32_t shared_bytes;
	int is_loaded;
};

struct CUmod_st {
	void *library; /* native */
	void *text;
	struct CUfunc_st *functions;
};

/* standin_text.c: PTX. load fills functions; its log is the driver's compiler's. run: one workgroup after the other, or side by
 * side; what the kernel ended with. */
vyre_cu_result standin_load_text(struct CUmod_st *module, const char *text, char log[STANDIN_LOG_BYTES]);
void standin_unload_text(struct CUmod_st *module);

#endif
