/* main.c - scan-demo: streams a file through the handlers of scan.vyre and checks every number on the host.
 *
 *   scan-demo scan.vyb FILE [--device cpu] [--needle BYTE]
 *
 * In go a blob that vyrec compiled and a file of any size; out come the file's CRC-32, its lines, how often one byte
 * occurs, the rate, and the time of one slot there and back. It is also the shortest whole program against vyre.h:
 *
 *   open        blob, device, two buffers, the kernel with the buffers bound by name, a ring, a publisher
 *   measure     one slot at a time: publish, wait, publish, wait ...
 *   stream      the file in chunks; `fill` turns a chunk into three slots, `done` collects their results
 *   verify      the same three numbers again with zlib and plain C; a difference is exit 1
 *
 * What holds: a chunk of the stream buffer belongs to the loader until `fill` is called and again after `done`, so the
 * handlers never see half a chunk. Chunks end in any order; only the CRC cares, so `done` keeps one CRC a chunk and
 * crc32_combine joins them in file order at the end. Reading the file into memory first would be simpler, but then
 * nothing would run while the disk works, and the file would have to fit.
 *
 * Every error ends the process here, in `check`: a product would clean up, in any order that it likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "vyre.h"

enum {
	CHUNK_BYTES = 64 << 10,
	DEPTH = 32,	     /* chunks in flight */
	SLOTS_PER_CHUNK = 3, /* count lines, count needles, crc32 */
	ROUND_TRIPS = 20000,
	CRC_POLYNOMIAL = 0xedb88320,
	SECOND = 1000000000,
};

/* What is wanted of a file, computed twice: by the handlers and by the host. */
struct numbers {
	uint64_t lines, needles;
	uint32_t crc;
};

struct scan {
	const char *blob_path, *path, *driver;
	uint8_t needle;

	int fd;
	uint64_t bytes, chunk_count;

	struct vyre_blob *blob;
	struct vyre_device *device;
	vyre_buffer text, table;
	struct vyre_kernel *kernel;
	struct vyre_ring *ring;
	struct vyre_publisher *publisher;
	uint32_t count_byte, crc32; /* opcodes */

	struct numbers found;
	uint32_t *chunk_crcs; /* one a chunk, in file order */
	uint64_t bytes_done;
	double seconds;
	char engine[32]; /* what moved the bytes */
	double round_trip_p50, round_trip_p99;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "scan-demo: %s: %s\n", what, why);
	exit(1);
}

static void check(vyre_status status, const char *what)
{
	if (status != VYRE_OK)
		die(what, vyre_last_error());
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- open ---------------------------------------------------------------------------------------------------------- */

static void open_file(struct scan *s)
{
	struct stat st;
	off_t end;

	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hold us up */
	if (s->fd < 0) {
		fprintf(stderr, "scan-demo: cannot open %s: %s. Fix: name a file that you may read.\n", s->path,
			strerror(errno));
		exit(1);
	}
	if (fstat(s->fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		die(s->path, "not a regular file or a disk. Fix: save what it holds to a file and scan that.");
	end = lseek(s->fd, 0, SEEK_END); /* st_size of a disk is 0 */
	if (end < 0)
		die(s->path, strerror(errno));
	s->bytes = (uint64_t)end;
	s->chunk_count = (s->bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
	s->chunk_crcs = calloc(s->chunk_count + 1, sizeof *s->chunk_crcs);
	if (!s->chunk_crcs)
		die(s->path, "no memory for one CRC a chunk. Fix: scan a smaller file.");
}

/* The byte-wise table of the reflected CRC-32: entry i is the CRC of the byte i. */
static void write_crc_table(struct scan *s)
{
	uint32_t table[256];

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ CRC_POLYNOMIAL : table[i] >> 1;
	}
	check(vyre_buffer_write(s->device, s->table, 0, table, sizeof table), "writing the CRC table");
}

static uint32_t find_op(const struct scan *s, const char *name)
{
	const struct vyre_blob_op *op = vyre_blob_find_op(s->blob, NULL, name);

	if (!op)
		die(s->blob_path, "the blob lacks an op of scan.vyre. Fix: compile examples/scan/scan.vyre again.");
	return op->opcode;
}

static void open_device(struct scan *s)
{
	check(vyre_blob_open_file(s->blob_path, &s->blob), "opening the blob");
	check(vyre_device_open(s->driver, &s->device), "opening the device");
	check(vyre_buffer_create(s->device, (uint64_t)CHUNK_BYTES * DEPTH, &s->text), "making the stream buffer");
	check(vyre_buffer_create(s->device, 256 * sizeof(uint32_t), &s->table), "making the CRC table");
	write_crc_table(s);

	struct vyre_binding bindings[] = {{"text", s->text}, {"table", s->table}};
	struct vyre_kernel_params kernel = {.blob = s->blob, .bindings = bindings, .binding_count = 2};
	check(vyre_kernel_create(s->device, &kernel, &s->kernel), "loading the kernel");

	struct vyre_ring_params ring = {.kernel = s->kernel};
	check(vyre_ring_create(&ring, &s->ring), "starting the ring");
	check(vyre_publisher_create(s->ring, 0, &s->publisher), "making a publisher");
	s->count_byte = find_op(s, "count_byte");
	s->crc32 = find_op(s, "crc32");
}

/* ---- one slot, there and back -------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The least that a slot can do: count in no bytes at all. */
static void measure_round_trip(struct scan *s)
{
	struct vyre_slot slot = {.opcode = s->count_byte, .priority = VYRE_PRIORITY_NORMAL, .arg_count = 3};
	double *times = calloc(ROUND_TRIPS, sizeof *times);

	if (!times)
		die("measuring", "no memory");
	for (int i = 0; i < ROUND_TRIPS; i++) {
		double start = now();
		vyre_ticket ticket;
		check(vyre_publish(s->publisher, &slot, 1, 0, 0, &ticket), "publishing a slot");
		check(vyre_wait(s->ring, ticket, 5ull * SECOND, NULL), "waiting for a slot");
		times[i] = now() - start;
	}
	qsort(times, ROUND_TRIPS, sizeof *times, compare_doubles);
	s->round_trip_p50 = times[ROUND_TRIPS / 2];
	s->round_trip_p99 = times[ROUND_TRIPS / 100 * 99];
	free(times);
}

/* ---- stream -------------------------------------------------------------------------------------------------------- */

/* A chunk has arrived: three slots for it. The arguments are those of the ops in scan.vyre. */
static uint32_t fill(void *user, const struct vyre_chunk *chunk, struct vyre_slot *slots, uint32_t max_slots)
{
	const struct scan *s = user;
	uint32_t offset = (uint32_t)chunk->buffer_offset, length = chunk->bytes;

	(void)max_slots; /* the stream was made with SLOTS_PER_CHUNK */
	slots[0] = (struct vyre_slot){s->count_byte, VYRE_PRIORITY_NORMAL, 3, {offset, length, '\n'}};
	slots[1] = (struct vyre_slot){s->count_byte, VYRE_PRIORITY_NORMAL, 3, {offset, length, s->needle}};
	slots[2] = (struct vyre_slot){s->crc32, VYRE_PRIORITY_NORMAL, 2, {offset, length}};
	return SLOTS_PER_CHUNK;
}

/* The three slots of a chunk have ended. */
static void done(void *user, const struct vyre_chunk *chunk, vyre_status status, int error_number,
		 const struct vyre_result *results, uint32_t result_count)
{
	struct scan *s = user;

	if (status == VYRE_IO)
		die(s->path, error_number ? strerror(error_number) : "the file became shorter while it was read");
	if (status != VYRE_OK || result_count != SLOTS_PER_CHUNK)
		die(s->path, "a handler faulted on a chunk");
	s->found.lines += results[0].words[0];
	s->found.needles += results[1].words[0];
	s->chunk_crcs[chunk->index] = results[2].words[0];
	s->bytes_done += chunk->bytes;
}

static void show_progress(const struct scan *s)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%3.0f %% of %.1f MB", 100.0 * (double)s->bytes_done / (double)s->bytes,
			(double)s->bytes / 1e6);
}

static void stream_file(struct scan *s)
{
	struct vyre_stream_params params = {
	    .publisher = s->publisher,
	    .buffer = s->text,
	    .chunk_bytes = CHUNK_BYTES,
	    .depth = DEPTH,
	    .slots_per_chunk = SLOTS_PER_CHUNK,
	    .fill = fill,
	    .done = done,
	    .user = s,
	};
	struct vyre_stream *stream;
	vyre_status status;
	double start;

	check(vyre_stream_create(&params, &stream), "starting the stream");
	snprintf(s->engine, sizeof s->engine, "%s", vyre_stream_engine(stream));
	start = now();
	if (s->bytes)
		check(vyre_stream_add(stream, s->fd, 0, s->bytes, 0), s->path);
	while ((status = vyre_stream_pump(stream, SECOND / 10)) == VYRE_TIMEOUT)
		show_progress(s);
	check(status, "streaming the file");
	s->seconds = now() - start;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	vyre_stream_destroy(stream);

	for (uint64_t i = 0; i < s->chunk_count; i++) {
		uint64_t left = s->bytes - i * CHUNK_BYTES;
		s->found.crc = (uint32_t)crc32_combine(s->found.crc, s->chunk_crcs[i],
						       (z_off_t)(left < CHUNK_BYTES ? left : CHUNK_BYTES));
	}
}

/* ---- verify -------------------------------------------------------------------------------------------------------- */

/* The same numbers with nothing of vyre in between. */
static struct numbers count_on_host(const struct scan *s)
{
	static unsigned char block[1 << 20];
	struct numbers n = {.crc = (uint32_t)crc32(0, NULL, 0)};
	ssize_t got;

	for (uint64_t at = 0; at < s->bytes; at += (uint64_t)got) {
		got = pread(s->fd, block, sizeof block, (off_t)at);
		if (got <= 0)
			die(s->path, got ? strerror(errno) : "the file became shorter while it was read");
		n.crc = (uint32_t)crc32(n.crc, block, (uInt)got);
		for (ssize_t i = 0; i < got; i++) {
			n.lines += block[i] == '\n';
			n.needles += block[i] == s->needle;
		}
	}
	return n;
}

/* Returns the exit status. */
static int report(const struct scan *s)
{
	struct vyre_device_info info;
	struct numbers host = count_on_host(s);
	const char *name = strrchr(s->path, '/');
	bool equal = host.crc == s->found.crc && host.lines == s->found.lines && host.needles == s->found.needles;

	vyre_device_get_info(s->device, &info);
	printf("%s on %s\n", name ? name + 1 : s->path, info.name);
	printf("  bytes        %" PRIu64 "\n", s->bytes);
	printf("  chunks       %" PRIu64 " of %d KiB, %d slots each\n", s->chunk_count, CHUNK_BYTES >> 10,
	       SLOTS_PER_CHUNK);
	printf("  CRC-32       %08" PRIx32 "\n", s->found.crc);
	printf("  lines        %" PRIu64 "\n", s->found.lines);
	printf("  byte 0x%02x    %" PRIu64 "\n", s->needle, s->found.needles);
	printf("  rate         %.2f GB/s   %.2f s from the first read (%s) to the last result: two counts and a CRC\n",
	       s->seconds > 0 ? (double)s->bytes / s->seconds / 1e9 : 0.0, s->seconds, s->engine);
	printf("  round trip   p50 %.2f us, p99 %.2f us   publish to result, %d empty slots, one at a time\n",
	       s->round_trip_p50 * 1e6, s->round_trip_p99 * 1e6, ROUND_TRIPS);
	if (equal) {
		printf("  verified     the host finds the same CRC-32 (zlib), lines and bytes (plain C)\n");
		return 0;
	}
	printf("  MISMATCH     the host finds CRC-32 %08" PRIx32 ", %" PRIu64 " lines, %" PRIu64 " bytes 0x%02x\n",
	       host.crc, host.lines, host.needles, s->needle);
	return 1;
}

/* ---- main ---------------------------------------------------------------------------------------------------------- */

static const char usage[] = "usage: scan-demo scan.vyb FILE [--device cpu] [--needle BYTE]\n"
			    "  BYTE  one character, or a number from 0 to 255 such as 10 or 0x0a\n";

static uint8_t parse_byte(const char *text)
{
	char *end;
	unsigned long value;

	if (text[0] && !text[1])
		return (uint8_t)text[0];
	value = strtoul(text, &end, 0);
	if (!*text || *end || value > 255)
		die(text, "not a byte. Fix: give one character, or a number from 0 to 255 such as 10 or 0x0a.");
	return (uint8_t)value;
}

static void parse_arguments(struct scan *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool has_value = i + 1 < argc;
		if (strcmp(argv[i], "--device") == 0 && has_value)
			s->driver = argv[++i];
		else if (strcmp(argv[i], "--needle") == 0 && has_value)
			s->needle = parse_byte(argv[++i]);
		else if (argv[i][0] == '-' || s->path)
			die(argv[i], usage);
		else if (s->blob_path)
			s->path = argv[i];
		else
			s->blob_path = argv[i];
	}
	if (!s->path) {
		fputs(usage, stderr);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct scan s = {.driver = "cpu", .needle = 0};
	int exit_status;

	parse_arguments(&s, argc, argv);
	open_file(&s);
	open_device(&s);
	measure_round_trip(&s);
	stream_file(&s);
	exit_status = report(&s);

	check(vyre_ring_stop(s.ring, 1, SECOND), "stopping the ring");
	vyre_publisher_destroy(s.publisher);
	vyre_ring_destroy(s.ring);
	vyre_kernel_destroy(s.kernel);
	check(vyre_buffer_destroy(s.device, s.table), "freeing the CRC table");
	check(vyre_buffer_destroy(s.device, s.text), "freeing the stream buffer");
	vyre_device_close(s.device);
	vyre_blob_close(s.blob);
	free(s.chunk_crcs);
	close(s.fd);
	return exit_status;
}
