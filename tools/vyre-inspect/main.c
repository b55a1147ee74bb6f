/* main.c - vyre-inspect: what a blob holds, after checking all of it.
 *
 * In: a .vyb file; out: text, or one JSON object with --json. Exit status: 0, 1 a blob that does not follow the format
 * or whose digests do not match (the reader's message says where), 2 a wrong command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

static const char usage_text[] = "usage: vyre-inspect BLOB [--json] [--device NAME]\n"
				 "  --json         one JSON object\n"
				 "  --device NAME  also why each slice is or is not picked on this device\n"
				 "exit status: 0, 1 a malformed blob, 2 a wrong command line\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "vyre-inspect: %s: %s\n", what, why);
	return 1;
}

static int explain(struct inspected *in, const char *driver)
{
	static struct vyre_device_info info;
	struct vyre_device *device;
	if (vyre_device_open(driver, &device) != VYRE_OK)
		return fail(driver, vyre_last_error());
	size_t size = vyre_device_explain(device, in->blob, NULL, 0) + 1;
	in->explanation = malloc(size);
	if (in->explanation)
		vyre_device_explain(device, in->blob, in->explanation, size);
	vyre_device_get_info(device, &info);
	in->device = info.name;
	vyre_device_close(device);
	return in->explanation ? 0 : fail(driver, strerror(ENOMEM));
}

static int inspect(const char *path, const char *driver, void (*print)(const struct inspected *))
{
	struct inspected in = {.path = path};
	int status = 0;
	if (vyre_blob_open_file(path, &in.blob) != VYRE_OK)
		return fail(path, vyre_last_error());
	vyre_blob_get_view(in.blob, &in.view);
	if (vyre_blob_verify(in.blob) != VYRE_OK)
		status = fail(path, vyre_last_error());
	if (status == 0 && driver)
		status = explain(&in, driver);
	if (status == 0)
		print(&in);
	free(in.explanation);
	vyre_blob_close(in.blob);
	if (fflush(stdout) || ferror(stdout))
		status = fail("standard output", strerror(errno));
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"device", required_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	void (*print)(const struct inspected *) = print_text;
	const char *driver = NULL;
	int kind;
	while ((kind = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (kind == 'j')
			print = print_json;
		else if (kind == 'd')
			driver = optarg;
		else {
			fputs(usage_text, kind == 'h' ? stdout : stderr);
			return kind == 'h' ? 0 : 2;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage_text, stderr);
		return 2;
	}
	return inspect(argv[optind], driver, print);
}
