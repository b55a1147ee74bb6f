/* differential_test.c - random handlers on the cpu device against the interpreter, bit for bit.
 *
 *   differential_test [handlers [seed [target [device]]]]     default 1,000 handlers, seed from VYRE_SEED or 1; both are printed
 *
 * Many handlers share a module, so that one compilation tests many. In one module of eight the
 * handlers suspend; there an op has one slot, because two at a time would write to one place in turns, and there are
 * fewer, because LLVM takes ten times as long for them. A difference prints the module's seed and the op;
 * `differential_test 1 SEED` prints that module's text.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/ring.h"
#include "tests/common/cpu_run.h"
#include "tests/differential/generate.h"

enum { OPS = 50, SUSPENDING_OPS = 16, RUNS = 2, SLOTS = OPS * RUNS, BUFFERS = 15 };

/* The buffers of one run; inputs first. */
struct memory {
	struct vyrec_interp_buffer buffers[BUFFERS];
	uint64_t storage[11 * GENERATE_INPUT + OPS * GENERATE_REGION * 2];
};

static void fill(struct memory *memory, uint64_t seed)
{
	static const struct {
		const char *name;
		unsigned bytes, count;
		bool input;
	} rows[BUFFERS] = {
	    {"in_u32", 4, GENERATE_INPUT, true},  {"in_i32", 4, GENERATE_INPUT, true},
	    {"in_u64", 8, GENERATE_INPUT, true},  {"in_i64", 8, GENERATE_INPUT, true},
	    {"in_f32", 4, GENERATE_INPUT, true},  {"in_f64", 8, GENERATE_INPUT, true},
	    {"in_bool", 4, GENERATE_INPUT, true}, {"in_u8", 1, GENERATE_INPUT, true},
	    {"in_u16", 2, GENERATE_INPUT, true},  {"in_i8", 1, GENERATE_INPUT, true},
	    {"in_i16", 2, GENERATE_INPUT, true},  {"out", 4, OPS * GENERATE_REGION, false},
	    {"out_f32", 4, OPS, false},		  {"out_u8", 1, OPS * GENERATE_REGION, false},
	    {"sums", 4, GENERATE_SUMS, false},
	};
	uint64_t *at = memory->storage;
	memset(memory->storage, 0, sizeof memory->storage);
	for (unsigned i = 0; i < BUFFERS; i++) {
		unsigned words = (rows[i].bytes * rows[i].count + 7) / 8;
		for (unsigned k = 0; rows[i].input && k < words; k++)
			at[k] = generate_next(&seed);
		if (!strcmp(rows[i].name, "in_bool"))
			for (unsigned k = 0; k < words; k++)
				at[k] &= 0x0000000100000001;
		memory->buffers[i] = (struct vyrec_interp_buffer){rows[i].name, at, rows[i].count};
		at += words;
	}
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
	}
}

/* Words of a slot that count: after a FAULT only the code and detail. */
static unsigned compare_slots(uint64_t seed, unsigned count, const struct vyrec_interp_slot *want,
			      const struct vyrec_interp_slot *have)
{
	unsigned differences = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned words = want[i].words[0] == VYRE_SLOT_FAULT ? VYRE_SLOT_WORD_ARG0 + 2 : VYRE_SLOT_WORDS;
		if (!memcmp(want[i].words, have[i].words, words * sizeof(uint32_t)))
			continue;
		for (unsigned k = 0; k < words; k++)
			if (want[i].words[k] != have[i].words[k])
				printf("seed %" PRIu64 " op%u run %u word %u: interpreter 0x%08x, cpu 0x%08x\n", seed,
				       i % OPS, i / OPS, k, want[i].words[k], have[i].words[k]);
		differences++;
	}
	return differences;
}

static unsigned compare_memory(uint64_t seed, const struct memory *want, const struct memory *have)
{
	unsigned differences = 0;
	for (unsigned i = 0; i < BUFFERS; i++) {
		const struct vyrec_interp_buffer *a = &want->buffers[i], *b = &have->buffers[i];
		unsigned bytes = !strcmp(a->name, "out_u8") ? 1 : 4;
		for (uint64_t k = 0; k < a->count && i >= 11; k++)
			if (memcmp((char *)a->data + k * bytes, (char *)b->data + k * bytes, bytes)) {
				printf("seed %" PRIu64 ": %s[%" PRIu64 "] differs\n", seed, a->name, k);
				differences++;
				break;
			}
	}
	return differences;
}

/* One module: returns the number of differences. */
static unsigned run_module(uint64_t seed, const char *target, const char *device, bool print)
{
	static struct memory want_memory, have_memory;
	static const unsigned lanes[] = {1, 4, 32, 3}, widths[] = {32, 64, 32, 48};
	struct vyrec_interp_slot want[SLOTS], have[SLOTS];
	struct vyrec_interp_result result;
	struct cpu_run run = {0};
	bool suspends = !device && seed / 3 % 8 == 0; /* three in a row, so that they meet every level and width */
	unsigned slots = suspends ? SUSPENDING_OPS : device ? OPS : SLOTS; /* lanes run slots in any order */
	unsigned width =
	    widths[seed % 4]; /* of what a device with lanes runs; below a subgroup its size would differ */
	char *text = suspends ? generate_suspending_set(seed, SUSPENDING_OPS)
		     : device ? generate_set_of_width(seed, OPS, width)
			      : generate_set(seed, OPS);
	if (print)
		fputs(text, stdout);
	struct vyrec_module *module = cpu_run_read(text, seed);
	free(text);
	if (!module)
		return 1;
	fill(&want_memory, seed);
	fill(&have_memory, seed);
	fill_slots(want, seed ^ 0x5151);
	memcpy(have, want, sizeof want);

	unsigned differences = 0;
	struct vyrec_interp_options interp = {.seed = seed % 3 ? seed : 0, .lanes = lanes[seed % 4]};
	struct cpu_run_options cpu = {.level = (unsigned)(seed % 4 ? 2 : seed / 4 % 4),
				      .workers = suspends ? 3 : 1, /* what waits may go on at another one */
				      .target = target,
				      .device = device,
				      .lanes = device ? width : 0};
	vyrec_interp_slots(module, 1, want, slots, want_memory.buffers, BUFFERS, &interp, &result);
	if (result.status != VYRE_OK) {
		printf("seed %" PRIu64 ": interpreter: %s\n", seed, result.message);
		differences++;
	} else if (!cpu_run_open(&run, module, &cpu) ||
		   !cpu_run_slots(&run, "random", have, slots, have_memory.buffers, BUFFERS)) {
		printf("seed %" PRIu64 ": cpu: %s\n", seed, run.message);
		differences++;
	} else {
		differences +=
		    compare_slots(seed, slots, want, have) + compare_memory(seed, &want_memory, &have_memory);
	}
	cpu_run_close(&run);
	vyrec_module_destroy(module);
	return differences;
}

int main(int argc, char **argv)
{
	const char *env = getenv("VYRE_SEED");
	unsigned handlers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1000, failed = 0, modules = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : env ? strtoull(env, NULL, 0) : 1;
	const char *target = argc > 3 ? argv[3] : NULL, *device = argc > 4 ? argv[4] : NULL;
	printf("%u random handlers from seed %" PRIu64 "%s%s\n", handlers, seed, target ? " for " : "",
	       target ? target : "");
	for (; modules * OPS < handlers; modules++)
		failed += run_module(seed + modules, target, device, handlers == 1) != 0;
	printf("%u passed, %u failed\n", modules - failed, failed);
	return failed != 0;
}
