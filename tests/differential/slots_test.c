/* slots_test.c - random slot streams through assembled megakernels: the cpu device, and PTX with a
 * warp a workgroup, against the interpreter.
 *
 *   slots_test [streams [seed]]     default 60 streams, seed from VYRE_SEED or 1; both are printed
 *
 * A confluent stream holds built-in ops, ops of a set, packed slots, faults, tenants that may and may not run, and slots
 * that suspend; what each does is independent of their order (sums, words of their own, sources that nobody writes), so
 * every schedule must leave the same control, ring and observable words. What order decides is left out of the
 * comparison, and nothing else: LAST_FAULT_*, STARVATION, and the order of the debug log's records.
 *
 * A racing stream holds four built-in ops on the same two words. Each is one atomic step for the others, so the allowed
 * outcomes are those of the 24 orders, run one after the other; every schedule must leave one of these.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/passes.h"
#include "runtime/abi/control.h"
#include "runtime/abi/cpu.h"
#include "runtime/abi/packed.h"
#include "runtime/abi/queue.h"
#include "tests/common/cpu_run.h"
#include "tests/differential/generate.h"

static const char set_text[] =
    "set streams {\n"
    "  buffer sums: live u32[]\n"
    "  op add = 0x100 (at: u32, value: u32) by lane { atomic_add(sums[at & 63], value) }\n"
    "  op small_add = 9 (at: u32, value: u32) by lane { atomic_add(sums[at & 63], value) }\n"
    "  op double = 10 (a: u32) by lane { result(0, a * 2); result(1, a + 1) }\n"
    "  op fails = 0x101 (code: u32) by lane { result(3, code); trap(code) }\n"
    "  op windowed = 0x40100005 () by lane { result(0, tenant + 7) }\n"
    "  op later = 0x102 (at: u32, turns: u32, value: u32) by lane {\n"
    "    var sum: u32 = 0\n"
    "    for i in 0 .. turns & 3 { sum = sum + value; yield; atomic_add(sums[at & 63], i) }\n"
    "    result(0, sum)\n"
    "    if turns == 3 { yield; trap(sum) }\n"
    "  }\n"
    "}\n";
enum {
	SET_ADD = 0x100,
	SET_SMALL_ADD = 9,
	SET_DOUBLE = 10,
	SET_FAILS = 0x101,
	SET_WINDOWED = 0x40100005,
	SET_LATER = 0x102
};

enum {
	SLOTS = 64,
	TENANTS = 4, /* of which 3 is masked */
	OBSERVABLES = 512,
	CONTROL_WORDS = VYRE_CONTROL_MIN_WORDS + OBSERVABLES,
	SUMS = 64,
	FRAMES_WORDS = 8192,
	RACERS = 4,
	ORDERS = 24,
	/* observables: what is added to, words of one slot each, sources, results of loads, of copies */
	ADDED = 0,
	OWN = 32,
	SOURCES = 96,
	LOADED = 128,
	/* 192 + i: what COMPARE_SWAP leaves for the word 160 + OWN + i */
	COPIED = 320 /* 2 a slot */
};

/* Everything that a launch touches. */
struct image {
	uint32_t control[CONTROL_WORDS], ring[SLOTS * VYRE_SLOT_WORDS], debug[VYRE_DEBUG_WORDS], io[VYRE_IO_WORDS];
	uint32_t launch[VYRE_LAUNCH_WORDS], frames[FRAMES_WORDS], sums[SUMS];
};

enum { BUFFERS = 7 };
static void bind(struct vyrec_interp_buffer *buffers, struct image *image)
{
	const struct vyrec_interp_buffer all[BUFFERS] = {
	    {"control", image->control, CONTROL_WORDS},
	    {"ring_buffer", image->ring, SLOTS * VYRE_SLOT_WORDS},
	    {"debug_log", image->debug, VYRE_DEBUG_WORDS},
	    {"io_queue", image->io, VYRE_IO_WORDS},
	    {"launch", image->launch, VYRE_LAUNCH_WORDS},
	    {"frames", image->frames, FRAMES_WORDS},
	    {"sums", image->sums, SUMS},
	};
	memcpy(buffers, all, sizeof all);
}

/* ---- streams --------------------------------------------------------------------------------------------------------- */

static uint32_t pick(uint64_t *seed, uint32_t below)
{
	return (uint32_t)(generate_next(seed) % below);
}

static void put(struct image *image, uint32_t slot, uint32_t opcode, uint32_t tenant, const uint32_t *args,
		uint32_t count)
{
	uint32_t *words = image->ring + slot * VYRE_SLOT_WORDS;
	memset(words, 0, VYRE_SLOT_BYTES);
	words[VYRE_SLOT_WORD_OPCODE] = opcode;
	words[VYRE_SLOT_WORD_TENANT] = tenant;
	words[VYRE_SLOT_WORD_PRIORITY] = VYRE_PRIORITY_NORMAL;
	memcpy(words + VYRE_SLOT_WORD_ARG0, args, count * sizeof *args);
	words[VYRE_SLOT_WORD_STATUS] = VYRE_SLOT_PUBLISHED;
}

static uint32_t observable(uint32_t index)
{
	return VYRE_CONTROL_OBSERVABLES + index;
}

static void put_packed(struct image *image, uint32_t slot, uint32_t tenant, uint64_t *seed)
{
	uint32_t args[4][2], words[VYRE_SLOT_ARGS] = {0}, count = pick(seed, 5);
	struct vyre_packed_op ops[4];
	static const uint32_t inner[] = {VYRE_OPCODE_NOP, VYRE_OPCODE_ATOMIC_ADD, SET_SMALL_ADD, SET_DOUBLE};
	for (uint32_t i = 0; i < count; i++) {
		uint32_t opcode = inner[pick(seed, 4)];
		args[i][0] = pick(seed, 100);
		args[i][1] = observable(ADDED + pick(seed, 32));
		ops[i] = (struct vyre_packed_op){opcode, args[i], 2};
	}
	vyre_packed_encode(ops, count, NULL, words);
	if (pick(seed, 6) == 0)
		words[pick(seed, 2)] ^= 1u << pick(seed, 32); /* perhaps malformed; every device must say so alike */
	put(image, slot, VYRE_OPCODE_PACKED_SLOT, tenant, words, VYRE_SLOT_ARGS);
}

/* A word that a built-in op may not write, or that is not there. */
static uint32_t forbidden(uint64_t *seed)
{
	static const uint32_t words[] = {0, 3, 96, 128, 159, CONTROL_WORDS, CONTROL_WORDS + 1, 0xFFFFFFFF, 0x80000000};
	return words[pick(seed, sizeof words / sizeof *words)];
}

static void put_random(struct image *image, uint32_t i, uint64_t *seed)
{
	const uint32_t tenant = pick(seed, 12) == 0 ? 40 : pick(seed, TENANTS), value = pick(seed, 1000) + 1;
	const uint32_t own = observable(OWN + i), bad = forbidden(seed);
	const struct {
		uint32_t opcode, args[3];
	} rows[] = {
	    {VYRE_OPCODE_NOP, {0}},
	    {VYRE_OPCODE_STORE_U32, {value, own}},
	    {VYRE_OPCODE_STORE_U32, {value, bad}},
	    {VYRE_OPCODE_ATOMIC_ADD, {value, observable(ADDED + pick(seed, 32))}},
	    {VYRE_OPCODE_ATOMIC_ADD, {value, bad}},
	    {VYRE_OPCODE_LOAD_U32, {observable(SOURCES + pick(seed, 32)), LOADED + i}},
	    {VYRE_OPCODE_LOAD_U32, {CONTROL_WORDS, LOADED + i}},
	    {VYRE_OPCODE_LOAD_U32, {observable(SOURCES), OBSERVABLES + pick(seed, 2) * 0x7FFFFFFF}},
	    {VYRE_OPCODE_COMPARE_SWAP, {own, pick(seed, 2), value}},
	    {VYRE_OPCODE_COMPARE_SWAP, {bad, 0, value}},
	    {VYRE_OPCODE_MEMCPY, {observable(SOURCES + pick(seed, 16)), observable(COPIED + 2 * i), pick(seed, 3)}},
	    {VYRE_OPCODE_MEMCPY, {observable(SOURCES), bad, 2}},
	    {VYRE_OPCODE_MEMCPY, {observable(SOURCES), observable(COPIED), 0xFFFFFFF0 + pick(seed, 16)}},
	    {VYRE_OPCODE_PRINTF, {i, value, tenant}},
	    {VYRE_OPCODE_SHUTDOWN, {0}},
	    {SET_ADD, {pick(seed, SUMS), value}},
	    {SET_SMALL_ADD, {pick(seed, SUMS), value}},
	    {SET_DOUBLE, {value}},
	    {SET_FAILS, {value}},
	    {SET_WINDOWED, {0}},
	    {SET_LATER, {pick(seed, SUMS), pick(seed, 4), value}},
	    {0x40200001, {0}},
	    {value + 0x1000, {0}},
	    {0x80000002, {0}},
	};
	uint32_t row = pick(seed, sizeof rows / sizeof *rows + 3);
	if (row >= sizeof rows / sizeof *rows) {
		put_packed(image, i, tenant, seed);
		return;
	}
	/* by a tenant that may not: the stream would end here otherwise */
	put(image, i, rows[row].opcode, rows[row].opcode == VYRE_OPCODE_SHUTDOWN && tenant == 0 ? 1 : tenant,
	    rows[row].args, 3);
}

static void make_empty(struct image *image)
{
	memset(image, 0, sizeof *image);
	const struct vyre_control_params params = {.tenants = TENANTS, .observables = OBSERVABLES, .slots = SLOTS};
	if (vyre_control_encode(image->control, sizeof image->control, &params))
		abort();
	image->control[VYRE_CONTROL_TENANT_MASK + TENANTS - 1] = 0;
	vyre_frames_encode(image->frames, SLOTS, SLOTS, 16);
	image->launch[VYRE_LAUNCH_IDLE_LIMIT] = 64; /* empty rounds: another worker may be about to suspend */
}

static void make_confluent(struct image *image, uint64_t seed)
{
	make_empty(image);
	for (uint32_t i = 0; i < 32; i++)
		image->control[observable(SOURCES + i)] = (uint32_t)generate_next(&seed);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (pick(&seed, 10))
			put_random(image, i, &seed);
}

/* The racers' slots are in places of their own; order[k] says who stands k-th. */
static void make_racing(struct image *image, uint64_t seed, const uint8_t order[RACERS])
{
	make_empty(image);
	for (uint32_t i = 0; i < RACERS; i++) {
		const uint32_t word = observable(ADDED + pick(&seed, 2)), value = pick(&seed, 3);
		const struct {
			uint32_t opcode, args[3];
		} rows[] = {
		    {VYRE_OPCODE_STORE_U32, {value + 1, word}},
		    {VYRE_OPCODE_ATOMIC_ADD, {value + 1, word}},
		    {VYRE_OPCODE_LOAD_U32, {word, LOADED + i}},
		    {VYRE_OPCODE_COMPARE_SWAP, {word, value, value + 1}},
		};
		uint32_t row = pick(&seed, 4), place = 0;
		while (order[place] != i)
			place++;
		put(image, place, rows[row].opcode, 0, rows[row].args, 3);
	}
}

/* ---- comparing ------------------------------------------------------------------------------------------------------- */

static int compare_records(const void *a, const void *b)
{
	return memcmp(a, b, VYRE_DEBUG_RECORD_WORDS * sizeof(uint32_t));
}

/* Only what no order decides stays. */
static void settle(struct image *image)
{
	image->control[VYRE_CONTROL_LAST_FAULT_SLOT] = image->control[VYRE_CONTROL_LAST_FAULT_CODE] = 0;
	image->control[VYRE_CONTROL_STARVATION] = 0;
	qsort(image->debug + 1, VYRE_DEBUG_RECORDS, VYRE_DEBUG_RECORD_WORDS * sizeof(uint32_t), compare_records);
	memset(image->launch, 0, sizeof image->launch);
	memset(image->frames, 0, sizeof image->frames);
}

static bool same(const char *what, const uint32_t *a, const uint32_t *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (a[i] != b[i]) {
			printf("  %s[%u]: 0x%x, and 0x%x in the interpreter's first run\n", what, i, a[i], b[i]);
			return false;
		}
	return true;
}

static bool images_agree(struct image *image, const struct image *reference)
{
	settle(image);
	return same("control", image->control, reference->control, CONTROL_WORDS) &
	       same("ring", image->ring, reference->ring, SLOTS * VYRE_SLOT_WORDS) &
	       same("debug", image->debug, reference->debug, VYRE_DEBUG_WORDS) &
	       same("sums", image->sums, reference->sums, SUMS);
}

/* What a race may leave behind: the two words, and what each racer saw. Not the observable of a COMPARE_SWAP: two of them
 * on one word store their previous values there in any order. */
struct outcome {
	uint32_t words[2], saw[RACERS];
};

static struct outcome outcome_of(const struct image *image, const uint8_t order[RACERS])
{
	struct outcome o;
	memcpy(o.words, image->control + observable(ADDED), sizeof o.words);
	for (unsigned place = 0; place < RACERS; place++) {
		const uint32_t *slot = image->ring + place * VYRE_SLOT_WORDS;
		o.saw[order[place]] = slot[VYRE_SLOT_WORD_OPCODE] == VYRE_OPCODE_COMPARE_SWAP
					  ? slot[VYRE_SLOT_WORD_ARG0 + 3]
					  : image->control[observable(LOADED) + order[place]];
	}
	return o;
}

/* ---- running --------------------------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	unsigned feed, features;
} kinds[] = {
    {"slots", VYRE_FEED_SLOTS, VYRE_HAS_BUILTINS},
    {"priority", VYRE_FEED_PRIORITY, VYRE_HAS_BUILTINS},
};
enum { KINDS = sizeof kinds / sizeof *kinds, WIDTHS = 3, DEVICES = 2 };
static const char *const targets[DEVICES] = {"x86-64-v3", "sm_80"};
static const uint32_t widths[WIDTHS] = {1, 4, 64}; /* lanes of a workgroup */

struct compiled {
	struct vyrec_module *lowered[WIDTHS];
	struct cpu_run devices[DEVICES];
};

static bool compile(struct compiled *c, const struct vyrec_module *set, const struct kind *kind)
{
	for (unsigned w = 0; w < WIDTHS; w++) {
		struct vyrec_pass_options passes = {
		    .level = w % 2, .feed = kind->feed, .features = kind->features, .lanes = widths[w]};
		struct vyrec_diags diags = {0};
		c->lowered[w] = vyrec_module_clone(set);
		bool ok = vyrec_run_pipeline(c->lowered[w], &passes, &diags, NULL);
		vyrec_diags_print(&diags, kind->name, NULL, 0, stdout);
		vyrec_diags_finish(&diags);
		if (!ok)
			return false;
	}
	for (unsigned d = 0; d < DEVICES; d++) {
		const struct cpu_run_options options = {.level = 2,
							.workers = 2,
							.feed = kind->feed,
							.features = kind->features,
							.target = targets[d],
							.lanes = 32};
		if (!cpu_run_open(&c->devices[d], set, &options)) {
			printf("%s: %s\n", kind->name, c->devices[d].message);
			return false;
		}
	}
	return true;
}

static bool interpret(struct vyrec_module *m, struct image *image, uint32_t workgroups, uint64_t seed)
{
	struct vyrec_interp_buffer buffers[BUFFERS];
	const struct vyrec_interp_options options = {.seed = seed};
	struct vyrec_interp_result result;
	bind(buffers, image);
	image->launch[VYRE_LAUNCH_WORKERS] = workgroups;
	vyrec_interp_program(m, 1, (const uint32_t[3]){workgroups, 1, 1}, buffers, BUFFERS, &options, &result);
	if (result.status != VYRE_OK)
		printf("  interpreter: status %d, fault %u %u %s\n", result.status, result.fault_code,
		       result.fault_detail, result.message);
	return result.status == VYRE_OK;
}

static bool dispatch(struct compiled *c, unsigned device, struct image *image, uint32_t workgroups)
{
	struct vyrec_interp_buffer buffers[BUFFERS];
	uint32_t fault[2];
	bind(buffers, image);
	image->launch[VYRE_LAUNCH_WORKERS] = workgroups;
	if (cpu_run_program(&c->devices[device], "streams", (const uint32_t[3]){workgroups, 1, 1}, buffers, BUFFERS,
			    fault) &&
	    !fault[0])
		return true;
	printf("  %s: fault %u %u %s\n", targets[device], fault[0], fault[1], c->devices[device].message);
	return false;
}

static bool check_confluent(struct compiled *c, uint64_t seed)
{
	static struct image first, image;
	bool ok = true;
	make_confluent(&first, seed);
	ok &= interpret(c->lowered[0], &first, 1, 0);
	settle(&first);
	for (unsigned w = 0; w < WIDTHS; w++) {
		make_confluent(&image, seed);
		ok &= interpret(c->lowered[w], &image, 1 + (uint32_t)((seed + w) % 3), seed + w + 1) &&
		      images_agree(&image, &first);
	}
	for (uint32_t turn = 0; turn < 2 * DEVICES; turn++) {
		make_confluent(&image, seed);
		ok &= dispatch(c, turn % DEVICES, &image, 1 + turn / DEVICES) && images_agree(&image, &first);
	}
	return ok;
}

/* The k-th of the 24 orders. */
static void order_of(unsigned k, uint8_t order[RACERS])
{
	uint8_t rest[RACERS] = {0, 1, 2, 3};
	for (unsigned i = 0; i < RACERS; i++) {
		unsigned pick_at = k % (RACERS - i);
		k /= RACERS - i;
		order[i] = rest[pick_at];
		memmove(rest + pick_at, rest + pick_at + 1, RACERS - 1 - pick_at);
	}
}

static bool is_allowed(const struct outcome *allowed, struct outcome seen)
{
	for (unsigned k = 0; k < ORDERS; k++)
		if (!memcmp(&allowed[k], &seen, sizeof seen))
			return true;
	printf("  words %u %u, the four saw %u %u %u %u: no order leaves that\n", seen.words[0], seen.words[1],
	       seen.saw[0], seen.saw[1], seen.saw[2], seen.saw[3]);
	return false;
}

static bool check_racing(struct compiled *c, uint64_t seed)
{
	static struct image image;
	struct outcome allowed[ORDERS];
	uint8_t order[RACERS];
	bool ok = true;
	for (unsigned k = 0; k < ORDERS; k++) {
		order_of(k, order);
		make_racing(&image, seed, order);
		ok &= interpret(c->lowered[0], &image, 1, 0);
		allowed[k] = outcome_of(&image, order);
	}
	for (unsigned turn = 0; turn < 8; turn++) {
		order_of((unsigned)(seed + turn) % ORDERS, order);
		make_racing(&image, seed, order);
		ok &= (turn < 4 ? interpret(c->lowered[turn % WIDTHS], &image, 2, seed + turn + 1)
				: dispatch(c, turn % DEVICES, &image, 2)) &&
		      is_allowed(allowed, outcome_of(&image, order));
	}
	return ok;
}

int main(int argc, char **argv)
{
	const char *given = getenv("VYRE_SEED");
	unsigned streams = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 60, wrong = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : given ? strtoull(given, NULL, 0) : 1;
	struct vyrec_module *set = cpu_run_read(set_text, 0);
	printf("%u streams from seed %" PRIu64 "\n", streams, seed);
	for (unsigned k = 0; set && k < KINDS; k++) {
		struct compiled c = {0};
		if (!compile(&c, set, &kinds[k]))
			return 1;
		for (unsigned i = 0; i < streams; i++) {
			uint64_t own = seed + i;
			bool ok = i % 4 == 3 ? check_racing(&c, own) : check_confluent(&c, own);
			if (!ok)
				printf("%s, seed %" PRIu64 ": %s\n", kinds[k].name, own,
				       i % 4 == 3 ? "an outcome that no order gives" : "they differ");
			wrong += !ok;
		}
		for (unsigned w = 0; w < WIDTHS; w++)
			vyrec_module_destroy(c.lowered[w]);
		for (unsigned d = 0; d < DEVICES; d++)
			cpu_run_close(&c.devices[d]);
	}
	vyrec_module_destroy(set);
	printf("%u of %u streams differ\n", wrong, KINDS * streams);
	return wrong != 0;
}
