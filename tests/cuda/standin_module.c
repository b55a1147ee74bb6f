/* standin_module.c - the stand-in's images: native code behind a struct standin_image.
 *
 * An ELF file alone is machine code for a GPU, which nothing here runs: NO_BINARY_FOR_GPU, as the driver says of code for
 * another one. What is neither is refused as the driver's compiler refuses text, with a line in its error log.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "standin_module.h"

enum { MAX_ENTRIES = 256, MAX_ELF_BYTES = 64 << 20 };

static struct {
	pthread_mutex_t lock;
	struct CUmod_st *first;
} modules = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- native code ---- */

/* The image's length is the ELF file's own: section headers come last in what our linkers write. */
static size_t elf_bytes(const uint8_t *elf)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)elf;
	const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(elf + header->e_phoff);
	size_t end = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	uint32_t i;

	for (i = 0; i < header->e_phnum; i++)
		if (segments[i].p_offset + segments[i].p_filesz > end)
			end = segments[i].p_offset + segments[i].p_filesz;
	return end;
}

static void *open_elf(const uint8_t *elf)
{
	size_t bytes = elf_bytes(elf);
	int fd = memfd_create("standin", MFD_CLOEXEC);
	char path[64];
	void *library;

	if (fd < 0 || bytes > MAX_ELF_BYTES || write(fd, elf, bytes) != (ssize_t)bytes)
		standin_mistake("native code of %zu bytes cannot be written to memory", bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		standin_mistake("native code cannot be loaded: %s", dlerror());
	close(fd);
	return library;
}

static vyre_cu_result load_native(struct CUmod_st *module, const struct standin_image *image)
{
	uint32_t major = image->capability / 10, minor = image->capability % 10, i;
	uint32_t sm = (uint32_t)standin_property(PROPERTY_sm);
	uint8_t *base;

	if (major != sm / 10 || minor > sm % 10)
		return VYRE_CU_NO_BINARY_FOR_GPU;
	module->library = open_elf((const uint8_t *)&image->rows[image->entries]);
	base = (uint8_t *)((struct link_map *)module->library)->l_addr;
	for (i = 0; i < image->entries; i++) {
		struct CUfunc_st *function = calloc(1, sizeof(*function));
		uint8_t *code = base + image->rows[i].address;

		if (!function)
			standin_mistake("no memory");
		function->next = module->functions;
		module->functions = function;
		function->module = module;
		memcpy(function->name, image->rows[i].name, STANDIN_NAME_BYTES);
		memcpy(&function->entry, &code, sizeof(code));
		function->buffers = image->rows[i].buffers;
		function->lanes = image->rows[i].lanes;
	}
	return CU_OK;
}

/* ---- the driver's calls ---- */

static void write_log(unsigned count, const unsigned *options, void **values, const char *text)
{
	char *log = NULL;
	size_t size = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		if (options[i] == VYRE_CU_JIT_ERROR_LOG_BUFFER)
			log = values[i];
		if (options[i] == VYRE_CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
			size = (uintptr_t)values[i];
	}
	if (log && size)
		snprintf(log, size, "%s", text);
}

static vyre_cu_result load(struct CUmod_st *module, const void *image, char log[STANDIN_LOG_BYTES])
{
	if (strncmp(image, STANDIN_IMAGE_MAGIC, STANDIN_MAGIC_BYTES) == 0)
		return load_native(module, image);
	if (strncmp(image, "\177ELF", 4) == 0)
		return VYRE_CU_NO_BINARY_FOR_GPU;
	return standin_load_text(module, image, log);
}

vyre_cu_result cuModuleLoadDataEx(vyre_cu_module *out, const void *image, unsigned count, unsigned *options,
				  void **values)
{
	char log[STANDIN_LOG_BYTES] = "";
	struct CUmod_st *module;
	vyre_cu_result result;

	CALL(cuModuleLoadDataEx);
	module = calloc(1, sizeof(*module));
	if (!module)
		standin_mistake("no memory");
	result = load(module, image, log);
	write_log(count, options, values, log);
	if (result != CU_OK) {
		free(module);
		return result;
	}
	standin_add_live(1);
	pthread_mutex_lock(&modules.lock);
	module->next = modules.first;
	modules.first = module;
	pthread_mutex_unlock(&modules.lock);
	*out = module;
	return CU_OK;
}

static void unload(struct CUmod_st *module)
{
	struct CUmod_st **link = &modules.first;

	pthread_mutex_lock(&modules.lock);
	while (*link != module)
		link = &(*link)->next;
	*link = module->next;
	pthread_mutex_unlock(&modules.lock);
	while (module->functions) {
		struct CUfunc_st *function = module->functions;

		module->functions = function->next;
		free(function);
	}
	/* Of a dead context a kernel may still run here, as it would not on a GPU. */
	if (module->library && !standin_running_kernels())
		dlclose(module->library);
	standin_unload_text(module);
	free(module);
	standin_add_live(-1);
}

void standin_forget_modules(void)
{
	while (modules.first)
		unload(modules.first);
}

vyre_cu_result cuModuleUnload(vyre_cu_module module)
{
	vyre_cu_result result = standin_call(SYMBOL_cuModuleUnload);

	if (standin_running_kernels() && !standin_lost())
		standin_mistake("a module is unloaded while a kernel runs: the driver would wait for it");
	unload(module);
	return result;
}

vyre_cu_result cuModuleGetFunction(vyre_cu_function *out, vyre_cu_module module, const char *name)
{
	struct CUfunc_st *function;

	CALL(cuModuleGetFunction);
	for (function = module->functions; function; function = function->next)
		if (strncmp(function->name, name, STANDIN_NAME_BYTES) == 0) {
			*out = function;
			return CU_OK;
		}
	return VYRE_CU_NOT_FOUND;
}

vyre_cu_result cuFuncLoad(vyre_cu_function function)
{
	CALL(cuFuncLoad);
	function->is_loaded = 1;
	return CU_OK;
}

/* ---- local memory ---- */

enum { FIRST_STACK_BYTES = 1024 };
static uint64_t stack_bytes = FIRST_STACK_BYTES; /* atomic */

void standin_forget_limits(void)
{
	__atomic_store_n(&stack_bytes, FIRST_STACK_BYTES, __ATOMIC_SEQ_CST);
}

static void grow(uint64_t bytes)
{
	if (standin_running_kernels() != 0)
		standin_mistake(
		    "local memory grows from %llu to %llu bytes a lane, which waits for the kernels that run",
		    (unsigned long long)stack_bytes, (unsigned long long)bytes);
	__atomic_store_n(&stack_bytes, bytes, __ATOMIC_SEQ_CST);
}

void standin_need_local(void)
{
	uint64_t bytes = (uint64_t)standin_property(PROPERTY_local);

	if (bytes > __atomic_load_n(&stack_bytes, __ATOMIC_SEQ_CST))
		grow(bytes);
}

vyre_cu_result cuCtxGetLimit(size_t *value, unsigned limit)
{
	CALL(cuCtxGetLimit);
	if (limit != VYRE_CU_LIMIT_STACK_SIZE)
		return CU_INVALID_VALUE;
	*value = __atomic_load_n(&stack_bytes, __ATOMIC_SEQ_CST);
	return CU_OK;
}

vyre_cu_result cuCtxSetLimit(unsigned limit, size_t value)
{
	CALL(cuCtxSetLimit);
	if (limit != VYRE_CU_LIMIT_STACK_SIZE)
		return CU_INVALID_VALUE;
	grow(value);
	return CU_OK;
}

vyre_cu_result cuFuncGetAttribute(int *value, unsigned attribute, vyre_cu_function function)
{
	CALL(cuFuncGetAttribute);
	*value = attribute == VYRE_CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? (int)standin_property(PROPERTY_max_lanes)
		 : attribute == VYRE_CU_FUNC_ATTRIBUTE_NUM_REGS		   ? 32
		 : attribute == VYRE_CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES   ? (int)function->shared_bytes
		 : attribute == VYRE_CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES	   ? (int)standin_property(PROPERTY_local)
									   : 0;
	return CU_OK;
}

vyre_cu_result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, vyre_cu_function function, int lanes,
							   size_t shared_bytes)
{
	CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor);
	if (!function || lanes <= 0 || shared_bytes != 0)
		return CU_INVALID_VALUE;
	*blocks = (int)standin_property(PROPERTY_resident);
	return CU_OK;
}
