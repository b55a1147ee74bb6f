/* standin_module.h - modules and functions of the stand-in. */
#ifndef VYRE_TESTS_STANDIN_MODULE_H
#define VYRE_TESTS_STANDIN_MODULE_H
#include "standin_private.h"
#include "tests/ptx/ptx.h"

enum { STANDIN_LOG_BYTES = 512 };

struct CUfunc_st {
	struct CUfunc_st *next;
	struct CUmod_st *module;
	char name[STANDIN_NAME_BYTES];
	vyre_cpu_entry entry; /* native; NULL: text */
	const struct ptx_function *text; /* else */
	uint32_t buffers, lanes; /* lanes 0: any number */
	uint32_t shared_bytes;
	int is_loaded;
};

struct CUmod_st {
	struct CUmod_st *next;
	void *library; /* native */
	struct ptx_module *text;
	struct CUfunc_st *functions;
};

/* standin_text.c: PTX. Fills functions; the log is what the driver's compiler would say. */
vyre_cu_result standin_load_text(struct CUmod_st *module, const char *text, char log[STANDIN_LOG_BYTES]);
void standin_unload_text(struct CUmod_st *module);

#endif
