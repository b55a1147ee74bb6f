/* vir0_fuzz.c - libFuzzer on the reader of the binary form.
 *
 * A random byte string never gets past the digest, so an input is one of two things, told apart by its first byte:
 *   even  the rest is VIR0 as it stands; nearly always refused, and must be refused cleanly
 *   odd   the rest is text; what the parser and the verifier accept is written as VIR0, read back, verified and printed,
 *         and must print as before; then one byte of the image, chosen by the input, is changed: the reader must refuse
 *         that, because the digest no longer fits
 * The reader behind the digest meets hostile counts in ir's own tests, which repair the digest after each change.
 */
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void read_bytes(const uint8_t *bytes, size_t size)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = vyrec_vir0_read("input.vir0", bytes, size, &diags);

	require(module ? diags.errors == 0 : diags.errors > 0);
	if (module && vyrec_verify(module, &diags)) {
		size_t text_bytes;
		free(vyrec_print(module, 0, &text_bytes));
	}
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
}

static void round_trip(struct vyrec_module *module, size_t where)
{
	struct vyrec_diags diags = {0};
	size_t image_bytes, before_bytes, after_bytes;
	uint8_t *image = vyrec_vir0_write(module, &image_bytes);
	char *before = vyrec_print(module, 0, &before_bytes), *after;
	struct vyrec_module *copy = vyrec_vir0_read("image.vir0", image, image_bytes, &diags);

	require(copy && vyrec_verify(copy, &diags) && diags.errors == 0);
	after = vyrec_print(copy, 0, &after_bytes);
	require(before_bytes == after_bytes && memcmp(before, after, before_bytes) == 0);
	vyrec_module_destroy(copy);

	image[where % image_bytes] ^= 0x10;
	copy = vyrec_vir0_read("changed.vir0", image, image_bytes, &diags);
	require(!copy && diags.errors > 0);
	vyrec_diags_finish(&diags);
	free(after);
	free(before);
	free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module;

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		read_bytes(data + 1, size - 1);
		return 0;
	}
	module = vyrec_parse("input.vyre", (const char *)data + 1, size - 1, &diags);
	if (module && vyrec_verify(module, &diags))
		round_trip(module, size * 2654435761u);
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
	return 0;
}
