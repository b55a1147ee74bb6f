/* mailbox_blob.c - a set as native code with a mailbox, which vyrec itself makes for no native target: the scheduler of GPUs,
 * with one lane a workgroup, at full speed on threads.
 *
 *   mailbox_blob set.vyre out.vyb [builtins|miss]     built-in ops; and those that ask the host for bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text;
	long bytes;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
		return NULL;
	text = malloc((size_t)bytes + 1);
	if (text && fread(text, 1, (size_t)bytes, file) == (size_t)bytes)
		text[bytes] = '\0';
	fclose(file);
	return text;
}

static int write_all(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
		return 1;
	return 0;
}

static int compile(const char *path, const char *text, const char *out, unsigned features, struct vyrec_diags *diags)
{
	const struct vyrec_target *target = vyrec_target_find("x86-64-v2");
	const struct vyrec_pass_options passes = {.level = 2, .mailbox = true, .one_lane = true, .features = features};
	const struct vyrec_codegen_options codegen = {.level = 2};
	struct vyrec_module *source = vyrec_parse(path, text, strlen(text), diags), *lowered = NULL;
	struct vyrec_slice slice = {0};
	int failed = 1;

	if (source && vyrec_verify(source, diags) && (lowered = vyrec_module_clone(source)) &&
	    vyrec_run_pipeline(lowered, &passes, diags, NULL) &&
	    vyrec_codegen(lowered, target, &codegen, &slice, diags)) {
		struct vyrec_blob_input input = {source, lowered, &slice, 1, "tests", NULL};
		size_t bytes;
		uint8_t *blob = vyrec_blob_write(&input, &bytes);

		failed = write_all(out, blob, bytes);
		free(blob);
	}
	vyrec_slice_finish(&slice);
	if (lowered)
		vyrec_module_destroy(lowered);
	if (source)
		vyrec_module_destroy(source);
	return failed;
}

int main(int argc, char **argv)
{
	struct vyrec_diags diags = {0};
	char *text = argc >= 3 ? read_all(argv[1]) : NULL;
	bool miss = argc == 4 && !strcmp(argv[3], "miss"),
	     builtins = miss || (argc == 4 && !strcmp(argv[3], "builtins"));
	unsigned features = (builtins ? VYRE_HAS_BUILTINS : 0) | (miss ? VYRE_HAS_IO : 0);
	int failed;

	if (!text) {
		fprintf(stderr, "mailbox_blob: no set to read. Fix: mailbox_blob set.vyre out.vyb\n");
		return 2;
	}
	failed = compile(argv[1], text, argv[2], features, &diags);
	vyrec_diags_print(&diags, argv[1], text, strlen(text), stderr);
	vyrec_diags_finish(&diags);
	free(text);
	return failed;
}
