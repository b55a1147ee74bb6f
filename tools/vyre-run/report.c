/* report.c - what vyre-run prints: a line a slot, log lines, dumps; text, or JSON lines with --json.
 *
 * In: results, debug records, buffers; out: stdout. Results come in the order in which slots were given. A fault also
 * goes to s->failed, which is the exit status.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "tools/common/names.h"

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(object);
}

const char *op_name(const struct context *s, const struct request *r)
{
	static char number[16];
	if (r->op)
		return vyre_blob_string(s->blob, r->op->name);
	snprintf(number, sizeof number, "0x%x", r->slot.opcode);
	return number;
}

/* Where trap(detail) of this op stands in the source; NULL = not known. */
static const struct vyre_blob_fault_site *find_site(const struct context *s, const struct request *r, uint32_t code,
						    uint32_t detail)
{
	for (uint32_t i = 0; code == VYRE_FAULT_TRAP && i < s->view.fault_count; i++) {
		const struct vyre_blob_fault_site *site = &s->view.faults[i];
		if (site->unit == s->unit_index && site->code == detail && (!r || site->op == r->slot.opcode))
			return site;
	}
	return NULL;
}

static void text_fault(const struct context *s, const struct request *r, uint32_t code, uint32_t detail)
{
	const struct vyre_blob_fault_site *site = find_site(s, r, code, detail);
	printf("fault %u: %s: %u", code, fault_meaning(code), detail);
	if (site)
		printf(" at %s:%u:%u", vyre_blob_string(s->blob, site->file), site->line, site->column);
	putchar('\n');
}

static void json_fault(const struct context *s, json_t *line, const struct request *r, uint32_t code, uint32_t detail)
{
	const struct vyre_blob_fault_site *site = find_site(s, r, code, detail);
	json_object_set_new(line, "code", json_integer(code));
	json_object_set_new(line, "detail", json_integer(detail));
	json_object_set_new(line, "meaning", json_string(fault_meaning(code)));
	if (site)
		json_object_set_new(
		    line, "at",
		    json_sprintf("%s:%u:%u", vyre_blob_string(s->blob, site->file), site->line, site->column));
}

/* The words that result(k, ...) may have written; of an op that is not in the table none is known. */
static uint32_t result_mask(const struct request *r)
{
	return r->op ? r->op->result_mask & ((1u << VYRE_SLOT_ARGS) - 1) : 0;
}

static void text_result(const struct context *s, const struct request *r, vyre_status status,
			const struct vyre_result *result)
{
	printf("#%" PRIu64 " %s: ", r->number, op_name(s, r));
	if (status == VYRE_FAULT) {
		text_fault(s, r, result->fault_code, result->fault_detail);
	} else if (status == VYRE_OK && result->status == VYRE_SLOT_DONE) {
		printf("done");
		for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++) {
			if (result_mask(r) >> k & 1)
				printf(" %u=0x%x", k, result->words[k]);
		}
		putchar('\n');
	} else {
		printf("%s\n", status == VYRE_TIMEOUT ? "timeout" : "cancelled");
	}
}

static void json_result(const struct context *s, const struct request *r, vyre_status status,
			const struct vyre_result *result)
{
	json_t *line = json_object();
	json_object_set_new(line, "slot", json_integer((json_int_t)r->number));
	json_object_set_new(line, "op", json_string(op_name(s, r)));
	if (status == VYRE_FAULT) {
		json_object_set_new(line, "status", json_string("fault"));
		json_fault(s, line, r, result->fault_code, result->fault_detail);
	} else if (status == VYRE_OK && result->status == VYRE_SLOT_DONE) {
		json_t *words = json_object();
		char key[4];
		for (uint32_t k = 0; k < VYRE_SLOT_ARGS; k++) {
			snprintf(key, sizeof key, "%u", k);
			if (result_mask(r) >> k & 1)
				json_object_set_new(words, key, json_integer(result->words[k]));
		}
		json_object_set_new(line, "status", json_string("done"));
		json_object_set_new(line, "results", words);
	} else {
		json_object_set_new(line, "status", json_string(status == VYRE_TIMEOUT ? "timeout" : "cancelled"));
	}
	print_json(line);
}

void report_result(struct context *s, const struct request *r, vyre_status status, const struct vyre_result *result)
{
	s->failed |= status != VYRE_OK || result->status != VYRE_SLOT_DONE;
	(s->options->json ? json_result : text_result)(s, r, status, result);
}

void report_program(struct context *s, vyre_status status, const uint32_t fault[2])
{
	const char *name = vyre_blob_string(s->blob, s->unit->name);
	s->failed |= status != VYRE_OK;
	if (s->options->json) {
		json_t *line = json_object();
		json_object_set_new(line, "program", json_string(name));
		json_object_set_new(line, "status", json_string(status == VYRE_OK ? "done" : "fault"));
		if (status == VYRE_FAULT)
			json_fault(s, line, NULL, fault[0], fault[1]);
		print_json(line);
		return;
	}
	printf("%s: ", name);
	if (status == VYRE_FAULT)
		text_fault(s, NULL, fault[0], fault[1]);
	else
		puts("done");
}

/* ---- log(id, a, b) ---- */

/* The format's %u %d %x %f, each taking the next of the two words. */
static void format_log(char *out, size_t size, const char *format, const uint32_t words[2])
{
	size_t used = 0;
	unsigned next = 0;
	while (*format && used + 1 < size) {
		const char *kind = format[0] == '%' && format[1] ? strchr("udxf", format[1]) : NULL;
		float f;
		if (!kind || next == 2) {
			out[used++] = *format++;
			continue;
		}
		memcpy(&f, &words[next], sizeof f);
		int n = *kind == 'f'   ? snprintf(out + used, size - used, "%g", (double)f)
			: *kind == 'd' ? snprintf(out + used, size - used, "%d", (int)words[next])
			: *kind == 'x' ? snprintf(out + used, size - used, "%x", words[next])
				       : snprintf(out + used, size - used, "%u", words[next]);
		used = used + (size_t)n < size ? used + (size_t)n : size - 1;
		next++;
		format += 2;
	}
	out[used] = 0;
}

static const char *find_format(const struct context *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->view.log_count; i++) {
		if (s->view.logs[i].id == id)
			return vyre_blob_string(s->blob, s->view.logs[i].format);
	}
	return "%u %u";
}

void report_logs(struct context *s, struct vyre_ring *ring)
{
	uint32_t records[VYRE_DEBUG_RECORDS][4];
	uint32_t count = vyre_ring_read_log(ring, 0, records, VYRE_DEBUG_RECORDS);
	struct vyre_ring_stats stats;
	for (uint32_t i = 0; i < count; i++) {
		char text[512];
		format_log(text, sizeof text, find_format(s, records[i][0]), &records[i][1]);
		if (s->options->json) {
			json_t *line = json_pack("{s:I}", "log", (json_int_t)records[i][0]);
			json_t *string = json_string(text); /* NULL: no UTF-8, which JSON cannot hold */
			json_object_set_new(line, "text", string ? string : json_null());
			print_json(line);
		} else {
			printf("log %u: %s\n", records[i][0], text);
		}
	}
	vyre_ring_get_stats(ring, &stats);
	if (stats.debug_dropped)
		fprintf(stderr, "vyre-run: the log was full, %u records are lost\n", stats.debug_dropped);
}

/* ---- dumps ---- */

static bool read_range(struct context *s, const struct dump_option *dump, uint32_t row, vyre_buffer buffer,
		       unsigned char **data, uint64_t *count)
{
	uint32_t bytes = vyre_element_bytes(s->view.buffers[row].element);
	uint64_t size;
	if (vyre_buffer_size(s->device, buffer, &size) != VYRE_OK || bytes == 0)
		return false;
	uint64_t elements = size / bytes, first = dump->first < elements ? dump->first : elements;
	*count = dump->count < elements - first ? dump->count : elements - first;
	*data = malloc(*count * bytes + 1);
	return *data && vyre_buffer_read(s->device, buffer, first * bytes, *data, *count * bytes) == VYRE_OK;
}

bool report_dump(struct context *s, const struct dump_option *dump, uint32_t row, vyre_buffer buffer)
{
	uint32_t element = s->view.buffers[row].element, bytes = vyre_element_bytes(element);
	unsigned char *data = NULL;
	uint64_t count = 0;
	bool ok = read_range(s, dump, row, buffer, &data, &count);
	json_t *values = s->options->json ? json_array() : NULL;
	for (uint64_t i = 0; i < count && ok; i++) {
		char text[40];
		value_print(text, sizeof text, element, data + i * bytes);
		if (values) {
			json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
			json_array_append_new(values, value ? value : json_string(text)); /* inf, 2^63 and above */
		} else if (i % 8 == 0) {
			printf("%s%s[%" PRIu64 "]: %s", i ? "\n" : "", dump->name, dump->first + i, text);
		} else {
			printf(" %s", text);
		}
	}
	if (values)
		print_json(json_pack("{s:s,s:I,s:o}", "buffer", dump->name, "first", (json_int_t)dump->first, "values",
				     values));
	else if (count)
		putchar('\n');
	free(data);
	return ok;
}
