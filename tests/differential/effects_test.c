/* effects_test.c - bodies whose effects have one order, on the cpu device against the interpreter, bit for bit.
 *
 *   effects_test [handlers [seed [target [device]]]]     default 500 handlers, seed from VYRE_SEED or 1; both are printed
 *
 * On a device with lanes all ops by workgroup(N) of a module have one width. Each module runs with a level, a policy for accesses that name none, and a target of its own. A difference prints the
 * seed; `effects_test 1 SEED` prints that module's text.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/ring.h"
#include "tests/common/cpu_run.h"
#include "tests/differential/generate.h"

enum { OPS = 20, RUNS = 2, SLOTS = OPS * RUNS, BUFFERS = 5, OWN = SLOTS * GENERATE_LANES * GENERATE_OWN };

struct memory {
	uint32_t in[256], mem[OWN];
	uint64_t wide[OWN];
	uint8_t bytes[OWN];
	int16_t halves[OWN];
};

struct setting {
	unsigned level;
	vyrec_policy bounds;
	const char *target;
};

static struct setting setting_of(uint64_t seed)
{
	static const char *const targets[] = {"x86-64-v3", "x86-64-v2", "x86-64-v3"};
	static const vyrec_policy policies[] = {VYREC_POLICY_CHECKED, VYREC_POLICY_CHECKED, VYREC_POLICY_TRAP};
	return (struct setting){(unsigned)(seed % 4), policies[seed / 4 % 3], targets[seed / 12 % 3]};
}

static void fill(struct memory *memory, uint64_t seed)
{
	memset(memory, 0, sizeof *memory);
	for (unsigned i = 0; i < 256; i++)
		memory->in[i] = (uint32_t)generate_next(&seed) >> (generate_next(&seed) % 32);
	for (unsigned i = 0; i < OWN; i++)
		memory->mem[i] = (uint32_t)generate_next(&seed) >> (generate_next(&seed) % 32);
}

static void bind(struct vyrec_interp_buffer *buffers, struct memory *memory)
{
	buffers[0] = (struct vyrec_interp_buffer){"in_u32", memory->in, 256};
	buffers[1] = (struct vyrec_interp_buffer){"mem", memory->mem, OWN};
	buffers[2] = (struct vyrec_interp_buffer){"wide", memory->wide, OWN};
	buffers[3] = (struct vyrec_interp_buffer){"bytes", memory->bytes, OWN};
	buffers[4] = (struct vyrec_interp_buffer){"halves", memory->halves, OWN};
}

static void fill_slots(struct vyrec_interp_slot *slots, uint64_t seed)
{
	memset(slots, 0, SLOTS * sizeof *slots);
	for (unsigned i = 0; i < SLOTS; i++) {
		uint32_t *w = slots[i].words;
		w[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
		w[VYRE_SLOT_WORD_OPCODE] = GENERATE_OPCODE + i % OPS;
		w[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
		for (unsigned k = 0; k < VYRE_SLOT_ARGS; k++)
			w[VYRE_SLOT_WORD_ARG0 + k] = (uint32_t)generate_next(&seed) >> (generate_next(&seed) % 32);
		w[VYRE_SLOT_WORD_ARG0 + 11] = i;
	}
}

static unsigned compare_slots(uint64_t seed, const struct vyrec_interp_slot *want, const struct vyrec_interp_slot *have)
{
	unsigned differences = 0;
	for (unsigned i = 0; i < SLOTS; i++) {
		bool fault = want[i].words[0] == VYRE_SLOT_FAULT;
		for (unsigned k = 0; k < (fault ? VYRE_SLOT_WORD_ARG0 + 2u : VYRE_SLOT_WORDS); k++)
			if (want[i].words[k] != have[i].words[k] && ++differences)
				printf("seed %" PRIu64 " op%u slot %u word %u: interpreter 0x%08x, cpu 0x%08x\n", seed,
				       i % OPS, i, k, want[i].words[k], have[i].words[k]);
	}
	return differences;
}

static unsigned compare_array(uint64_t seed, const char *what, const void *want, const void *have, size_t bytes)
{
	for (size_t i = 0; i < OWN; i++)
		if (memcmp((const char *)want + i * bytes, (const char *)have + i * bytes, bytes)) {
			size_t slot = i / (GENERATE_LANES * GENERATE_OWN);
			printf("seed %" PRIu64 ": %s[%zu] differs (op%zu, slot %zu, if of a slot)\n", seed, what, i,
			       slot % OPS, slot);
			return 1;
		}
	return 0;
}

static unsigned compare(uint64_t seed, const struct memory *want, const struct memory *have)
{
	return compare_array(seed, "mem", want->mem, have->mem, 4) +
	       compare_array(seed, "wide", want->wide, have->wide, 8) +
	       compare_array(seed, "bytes", want->bytes, have->bytes, 1) +
	       compare_array(seed, "halves", want->halves, have->halves, 2);
}

static bool is_sound(uint64_t seed, const char *unit, const struct vyrec_interp_result *result)
{
	if (result->race_count)
		printf("seed %" PRIu64 ": %s: %u races in the generated text, the first in lines %u and %u\n", seed,
		       unit, result->race_count, VYREC_LOC_LINE(result->races[0].first),
		       VYREC_LOC_LINE(result->races[0].second));
	if (result->status != VYRE_OK && result->status != VYRE_FAULT)
		printf("seed %" PRIu64 ": %s: interpreter: %s\n", seed, unit, result->message);
	return !result->race_count && (result->status == VYRE_OK || result->status == VYRE_FAULT);
}

static struct vyrec_interp_options interp_options(uint64_t seed)
{
	return (struct vyrec_interp_options){
	    .seed = seed % 3 ? seed : 0, .bounds = setting_of(seed).bounds, .detect_races = seed % 2};
}

static unsigned run_set(uint64_t seed, struct vyrec_module *module, struct cpu_run *run)
{
	static struct memory want_memory, have_memory;
	struct vyrec_interp_slot want[SLOTS], have[SLOTS];
	struct vyrec_interp_buffer want_buffers[BUFFERS], have_buffers[BUFFERS];
	struct vyrec_interp_options options = interp_options(seed);
	struct vyrec_interp_result result;
	bind(want_buffers, &want_memory);
	bind(have_buffers, &have_memory);
	fill(&want_memory, seed);
	fill(&have_memory, seed);
	fill_slots(want, seed ^ 0x5151);
	memcpy(have, want, sizeof want);
	vyrec_interp_slots(module, 1, want, SLOTS, want_buffers, BUFFERS, &options, &result);
	if (!is_sound(seed, "random", &result))
		return 1;
	if (!cpu_run_slots(run, "random", have, SLOTS, have_buffers, BUFFERS)) {
		printf("seed %" PRIu64 ": cpu: %s\n", seed, run->message);
		return 1;
	}
	return compare_slots(seed, want, have) + compare(seed, &want_memory, &have_memory);
}

static unsigned run_program(uint64_t seed, struct vyrec_module *module, struct cpu_run *run)
{
	static struct memory want_memory, have_memory;
	static const uint32_t workgroups[] = {3, 2, 1};
	struct vyrec_interp_buffer want_buffers[BUFFERS], have_buffers[BUFFERS];
	struct vyrec_interp_options options = interp_options(seed);
	struct vyrec_interp_result result;
	uint32_t fault[2] = {0};
	bind(want_buffers, &want_memory);
	bind(have_buffers, &have_memory);
	fill(&want_memory, seed);
	fill(&have_memory, seed);
	vyrec_interp_program(module, 2, workgroups, want_buffers, BUFFERS, &options, &result);
	if (!is_sound(seed, "grid", &result))
		return 1;
	if (!cpu_run_program(run, "grid", workgroups, have_buffers, BUFFERS, fault)) {
		printf("seed %" PRIu64 ": cpu: %s\n", seed, run->message);
		return 1;
	}
	if (result.status == VYRE_FAULT) /* which workgroups still run after a fault is not defined */
		return fault[0] == 0;
	if (fault[0])
		printf("seed %" PRIu64 ": grid: a fault %u on the cpu, none in the interpreter\n", seed, fault[0]);
	return (fault[0] != 0) + compare(seed, &want_memory, &have_memory);
}

static unsigned run_module(uint64_t seed, const char *target, const char *device, bool print)
{
	static const unsigned widths[] = {32, 64, 32, 33};
	struct setting setting = setting_of(seed);
	unsigned width = widths[seed % 4]; /* of what a device with lanes runs */
	struct cpu_run_options cpu = {.level = setting.level,
				      .bounds = setting.bounds,
				      .target = target ? target : setting.target,
				      .device = device,
				      .lanes = device ? width : 0,
				      .workers = 1 + seed % 3};
	struct cpu_run run = {0};
	unsigned differences;
	char *text = device ? generate_effects_of_width(seed, OPS, width) : generate_effects(seed, OPS);
	if (print)
		fputs(text, stdout);
	struct vyrec_module *module = cpu_run_read(text, seed);
	free(text);
	if (!module)
		return 1;
	if (cpu_run_open(&run, module, &cpu)) {
		differences = run_set(seed, module, &run) + run_program(seed, module, &run);
	} else {
		printf("seed %" PRIu64 ": cpu: %s\n", seed, run.message);
		differences = 1;
	}
	cpu_run_close(&run);
	vyrec_module_destroy(module);
	return differences;
}

int main(int argc, char **argv)
{
	const char *env = getenv("VYRE_SEED");
	unsigned handlers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 500, failed = 0, modules = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : env ? strtoull(env, NULL, 0) : 1;
	const char *target = argc > 3 ? argv[3] : NULL, *device = argc > 4 ? argv[4] : NULL;
	printf("%u random handlers from seed %" PRIu64 "%s%s\n", handlers, seed, target ? " for " : "",
	       target ? target : "");
	for (; modules * OPS < handlers; modules++)
		failed += run_module(seed + modules, target, device, handlers == 1) != 0, fflush(stdout);
	printf("%u passed, %u failed\n", modules - failed, failed);
	return failed != 0;
}
