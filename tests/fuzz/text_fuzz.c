/* text_fuzz.c - libFuzzer on the text reader.
 *
 * Any bytes go into the parser. What it accepts goes to the verifier, and what both accept is printed, parsed again and
 * printed again: the two prints must be equal, because text is canonical (print(parse(print(x))) == print(x)). What is
 * refused must be refused with at least one error. Everything else (bad reads, leaks, overflow) is the sanitizers' work.
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

/* Parses text that the printer made, and prints it again. */
static char *print_again(const char *text, size_t bytes, size_t *again_bytes)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = vyrec_parse("printed.vyre", text, bytes, &diags);
	char *again;

	require(module && diags.errors == 0);
	require(vyrec_verify(module, &diags));
	again = vyrec_print(module, 0, again_bytes);
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
	return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module = vyrec_parse("input.vyre", (const char *)data, size, &diags);

	require(module ? diags.errors == 0 : diags.errors > 0);
	if (module && vyrec_verify(module, &diags)) {
		size_t first_bytes, second_bytes;
		char *first = vyrec_print(module, 0, &first_bytes);
		char *second = print_again(first, first_bytes, &second_bytes);

		require(first_bytes == second_bytes && memcmp(first, second, first_bytes) == 0);
		free(second);
		free(first);
	}
	vyrec_module_destroy(module);
	vyrec_diags_finish(&diags);
	return 0;
}
