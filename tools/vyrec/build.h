/* build.h - what compile.c asks for and build.c does. */
#ifndef VYREC_BUILD_H
#define VYREC_BUILD_H
#include "passes/shape.h"
#include "vyrec.h"

enum { MAX_TARGETS = 32 };

enum emit { EMIT_BLOB, EMIT_IR, EMIT_KERNEL, EMIT_VIR0, EMIT_LLVM, EMIT_ASM, EMIT_OBJ, EMIT_COUNT };
extern const char *const emit_names[EMIT_COUNT];
extern const char *const feed_names[];

struct options {
	const char *input, *output;
	const struct vyrec_target *targets[MAX_TARGETS];
	unsigned target_count;
	unsigned level;
	uint32_t lanes; /* of a set's workgroup; 0 = not said */
	enum emit emit;
	enum vyrec_cubin cubin;
	struct vyrec_pass_options passes;
	struct vyrec_shape shape;
	bool shaped; /* a shape was named; it says feed and features */
	bool verbose, help, version, print_targets;
};

void show_time(const struct options *o, const char *stage, const char *target, double milliseconds);
/* A verified module to what --emit asks for, in a file. False after messages. */
bool build_module(const struct options *o, struct vyrec_module *module, const struct source *source, const char *path);

#endif
