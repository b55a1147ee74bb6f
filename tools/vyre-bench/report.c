/* report.c - rows as a table, while they come, and as JSON, whole after every group of them.
 *
 * Both may be wanted of one run: the table for who waits, the JSON for the record. So rows are kept. The guard may write
 * them while another thread adds one: a lock, taken for a row at a time. A group that has a process of its own (apart.c)
 * keeps none: it sends them to the process that does.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "tools/common/whole_file.h"

struct kept {
	struct bench_row row;
	char name[48], why[400]; /* why: left out, or failed */
	unsigned device, samples;
	bool left_out, failed;
};
struct device {
	char name[80], driver[160];
};
/* Through a pipe; less than what is written in one piece. */
struct message {
	enum { ROW, DEVICE, SAID_ALL } what;
	struct kept row;
	struct device device;
};
_Static_assert(sizeof(struct message) <= 4096, "PIPE_BUF");

static struct {
	pthread_mutex_t lock;
	struct kept *rows;
	unsigned count, devices;
	struct device device[4];
	bool table, wrong;
	const char *json_path; /* "-" = standard output */
	const char *group;     /* whose rows go to `pipe`; NULL = they are kept */
	int pipe;
} report = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void get_cpu_model(char *model, size_t bytes)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(model, bytes, "unknown processor");
	while (file && fgets(line, sizeof line, file)) {
		char *value = strchr(line, ':');
		if (value && strncmp(line, "model name", 10) == 0) {
			value[strcspn(value, "\n")] = 0;
			snprintf(model, bytes, "%s", value + 2);
			break;
		}
	}
	if (file)
		fclose(file);
}

/* ---- table ------------------------------------------------------------------------------------------------------------- */

void bench_report_begin(bool table, const char *json_path)
{
	char model[128];
	struct utsname kernel;

	report.table = table, report.json_path = json_path;
	if (!table)
		return;
	get_cpu_model(model, sizeof model);
	uname(&kernel);
	printf("%s, %u processors, %s %s; medians of %u rounds, floor and ours in turns\n", model, bench_processors(),
	       kernel.sysname, kernel.release, bench_options.rounds);
	printf("%-28s %9s %9s %-10s %7s  %-8s\n", "", "floor", "ours", "", "ratio", "goal");
}

static bool has_ratio(const struct bench_row *row)
{
	return row->floor > 0 && !isnan(row->ours);
}

static bool goal_met(const struct bench_row *row)
{
	double value = row->floor > 0 ? row->ours / row->floor : row->ours;
	return row->goal_kind == BENCH_AT_MOST ? value <= row->goal : value >= row->goal;
}

static void print_line(const char *name, const struct bench_row *row)
{
	char floor[32] = "", ours[32] = "", shown[32] = "", goal[32] = "";
	const char *verdict = "";

	if (row->floor > 0)
		snprintf(floor, sizeof floor, "%.2f", row->floor);
	if (!isnan(row->ours))
		snprintf(ours, sizeof ours, "%.2f", row->ours);
	if (has_ratio(row)) {
		snprintf(shown, sizeof shown, "%.2fx", row->ours / row->floor);
	}
	if (row->goal_kind) {
		snprintf(goal, sizeof goal, "%s %g%s", row->goal_kind == BENCH_AT_MOST ? "<=" : ">=", row->goal,
			 row->floor > 0 ? "x" : "");
		verdict = goal_met(row) ? "met" : "missed";
	}
	if (!row->correct)
		verdict = "WRONG RESULT";
	printf("%-28s %9s %9s %-10s %7s  %-8s %-7s %s%s%s\n", name, floor, ours, row->unit, shown, goal, verdict,
	       row->floor_is, *row->floor_is && *row->note ? "; " : "", row->note);
}

static void print_kept(const struct kept *kept)
{
	if (kept->left_out)
		printf("%-28s left out: %s\n", kept->name, kept->why);
	else if (kept->failed)
		printf("%-28s FAILED: %s\n", kept->name, kept->why);
	else
		print_line(kept->name, &kept->row);
	fflush(stdout);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

static void send(const struct message *message)
{
	if (write(report.pipe, message, sizeof *message) != (ssize_t)sizeof *message)
		_exit(1); /* nobody takes rows any more */
}

static void keep(const struct kept *kept)
{
	struct kept *rows;

	if (report.group) {
		struct message message = {.what = ROW, .row = *kept};

		message.row.row.name = NULL; /* kept->name is the copy */
		send(&message);
		return;
	}
	pthread_mutex_lock(&report.lock);
	rows = realloc(report.rows, (report.count + 1) * sizeof *rows);
	if (rows) {
		report.rows = rows;
		rows[report.count] = *kept;
		rows[report.count].device = report.devices ? report.devices - 1 : 0; /* none: it did not open */
		rows[report.count].row.name = NULL;				     /* kept->name is the copy */
		report.count++;
	}
	report.wrong |= !rows || kept->failed || (!kept->left_out && !kept->row.correct);
	if (report.table)
		print_kept(kept);
	pthread_mutex_unlock(&report.lock);
}

void bench_report_samples(const struct bench_row *row, unsigned samples)
{
	struct kept kept = {.row = *row, .samples = samples};

	snprintf(kept.name, sizeof kept.name, "%s", row->name);
	keep(&kept);
}

void bench_report(const struct bench_row *row)
{
	bench_report_samples(row, bench_options.rounds);
}

void bench_report_left_out(const char *name, const char *why)
{
	struct kept kept = {.left_out = true};

	snprintf(kept.name, sizeof kept.name, "%s", name);
	snprintf(kept.why, sizeof kept.why, "%s", why);
	keep(&kept);
}

void bench_report_failed(const char *name, const char *why)
{
	struct kept kept = {.failed = true};

	snprintf(kept.name, sizeof kept.name, "%s", name);
	snprintf(kept.why, sizeof kept.why, "%s", why);
	keep(&kept);
}

void bench_report_device(const char *name, const char *driver)
{
	struct device *next;

	if (report.group) {
		struct message message = {.what = DEVICE};

		snprintf(message.device.name, sizeof message.device.name, "%s", name);
		snprintf(message.device.driver, sizeof message.device.driver, "%s", driver);
		send(&message);
		return;
	}
	pthread_mutex_lock(&report.lock);
	if (report.devices == 0 || strcmp(report.device[report.devices - 1].name, name) != 0) {
		if (report.devices == sizeof report.device / sizeof *report.device)
			report.devices--;
		next = &report.device[report.devices++];
		snprintf(next->name, sizeof next->name, "%s", name);
		snprintf(next->driver, sizeof next->driver, "%s", driver);
		if (report.table)
			printf("%s%s%s\n", name, *driver ? ", " : "", driver);
		fflush(stdout);
	}
	pthread_mutex_unlock(&report.lock);
}

void bench_report_to(const char *group, int pipe)
{
	report.group = group;
	report.pipe = pipe;
}

void bench_report_said_all(void)
{
	const struct message message = {.what = SAID_ALL};

	if (report.group)
		send(&message);
}

bool bench_report_take(int pipe, bool *said_all)
{
	struct message message;
	ssize_t n;

	do
		n = read(pipe, &message, sizeof message);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof message)
		return false;
	switch (message.what) {
	case ROW:
		keep(&message.row);
		return true;
	case DEVICE:
		bench_report_device(message.device.name, message.device.driver);
		return true;
	default:
		*said_all = true;
		return false;
	}
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

static void write_string(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\": \"", key);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(out, "\\u%04x", *text);
		else
			fputc(*text, out);
	fputc('"', out);
}

static void write_measured(FILE *out, const struct kept *kept)
{
	const struct bench_row *row = &kept->row;

	fprintf(out, ", ");
	write_string(out, "unit", row->unit);
	if (row->floor > 0) {
		fprintf(out, ", \"floor\": %.6g, ", row->floor);
		write_string(out, "floor_is", row->floor_is);
	}
	if (!isnan(row->ours))
		fprintf(out, ", \"ours\": %.6g", row->ours);
	if (has_ratio(row))
		fprintf(out, ", \"ratio\": %.4g", row->ours / row->floor);
	if (row->goal_kind)
		fprintf(out, ", \"goal\": \"%s %g\", \"met\": %s",
			row->goal_kind == BENCH_AT_MOST ? "<=" : ">=", row->goal, goal_met(row) ? "true" : "false");
	fprintf(out, ", \"correct\": %s, \"samples\": %u, ", row->correct ? "true" : "false", kept->samples);
	write_string(out, "note", row->note);
}

static void write_row(FILE *out, const struct kept *kept)
{
	fprintf(out, "    {");
	write_string(out, "name", kept->name);
	fprintf(out, ", ");
	write_string(out, "device", report.device[kept->device].name);
	if (kept->left_out || kept->failed) {
		fprintf(out, ", ");
		write_string(out, kept->left_out ? "left_out" : "error", kept->why);
		fprintf(out, kept->failed ? ", \"correct\": false" : "");
	} else {
		write_measured(out, kept);
	}
	fprintf(out, "}");
}

static void write_json(FILE *out, const char *error)
{
	char model[128];
	struct utsname kernel;

	get_cpu_model(model, sizeof model);
	uname(&kernel);
	fprintf(out, "{\n  \"machine\": {");
	write_string(out, "cpu", model);
	fprintf(out, ", \"processors\": %u, ", bench_processors());
	write_string(out, "system", kernel.sysname);
	fprintf(out, ", ");
	write_string(out, "release", kernel.release);
	fprintf(out, "},\n  ");
	write_string(out, "vyre", vyre_version());
	fprintf(out, ",\n  ");
	write_string(out, "date", bench_options.date ? bench_options.date : "");
	fprintf(out, ",\n  ");
	write_string(out, "commit", bench_options.commit ? bench_options.commit : "");
	fprintf(out, ",\n  \"quick\": %s, \"rounds\": %u,\n  \"devices\": [", bench_options.quick ? "true" : "false",
		bench_options.rounds);
	for (unsigned i = 0; i < report.devices; i++) {
		fprintf(out, "%s\n    {", i ? "," : "");
		write_string(out, "name", report.device[i].name);
		fprintf(out, ", ");
		write_string(out, "driver", report.device[i].driver);
		fprintf(out, "}");
	}
	fprintf(out, "\n  ],\n  \"rows\": [\n");
	for (unsigned i = 0; i < report.count; i++) {
		write_row(out, &report.rows[i]);
		fprintf(out, i + 1 < report.count ? ",\n" : "\n");
	}
	fprintf(out, "  ]");
	if (error) {
		fprintf(out, ",\n  ");
		write_string(out, "error", error);
	}
	fprintf(out, "\n}\n");
}

static bool write_report(const char *error)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out;
	bool good;

	if (strcmp(report.json_path, "-") == 0) {
		write_json(stdout, error);
		return !fflush(stdout) && !ferror(stdout);
	}
	out = open_memstream(&text, &bytes);
	if (!out)
		return false;
	write_json(out, error);
	good = !fclose(out) && whole_file_write(report.json_path, text, bytes);
	free(text);
	return good;
}

bool bench_report_save(const char *error)
{
	bool good = true;

	pthread_mutex_lock(&report.lock);
	if (report.json_path && strcmp(report.json_path, "-") != 0 && !whole_file_is_stream(report.json_path))
		good = write_report(error);
	pthread_mutex_unlock(&report.lock);
	return good;
}

bool bench_report_end(const char *error)
{
	bool good;

	if (report.group) {
		bench_report_failed(report.group, error);
		bench_report_said_all();
		return false;
	}
	pthread_mutex_lock(&report.lock);
	good = !report.wrong && !error;
	if (report.json_path && !write_report(error)) {
		fprintf(stderr, "vyre-bench: %s: cannot be written: %s\n", report.json_path, strerror(errno));
		good = false;
	}
	report.json_path = NULL; /* once */
	pthread_mutex_unlock(&report.lock);
	return good;
}
