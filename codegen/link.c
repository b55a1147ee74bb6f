/* link.c - one object to one image, with lld in this process.
 *
 * Enters: an object in memory. Leaves: the linked image in memory, checked. Invariant: no file is left behind, whatever
 * fails: the object is an anonymous memory file; lld writes its output by a temporary file beside it and a rename, which
 * needs a real folder, so it gets a private one that is removed before this returns.
 *
 * The command line makes what runtime/abi/cpu.h promises: nothing imported, nothing writable (-z rodynamic, or else
 * the dynamic table itself would be), nothing that depends on the day or the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen/llvm.h"

static uint8_t *read_image(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data = fd < 0 ? NULL : vyrec_file_bytes(fd, bytes);
	if (fd >= 0)
		close(fd);
	return data;
}

static int run_lld(const char *object, const char *image, char *message, size_t message_bytes)
{
	/* clang-format off */
	const char *args[] = {
	    "ld.lld", "-shared", "-m", "elf_x86_64", "-z", "defs", "-z", "text", "-z", "norelro", "-z", "rodynamic",
	    "-z", "noseparate-code", "-z", "max-page-size=4096", "-z", "nognustack", "-Bsymbolic", "--hash-style=sysv",
	    "--build-id=none", "--gc-sections", "--strip-all", "--threads=1", "--no-mmap-output-file",
	    "-o", image, object,
	};
	/* clang-format on */
	return vyrec_lld(args, sizeof args / sizeof *args, message, message_bytes);
}

uint8_t *vyrec_link(const void *object, size_t object_bytes, size_t *image_bytes, char *message, size_t message_bytes)
{
	const char *tmp = getenv("TMPDIR");
	char folder[256], in[64], out[300];
	uint8_t *image = NULL;
	*image_bytes = 0;
	if (snprintf(folder, sizeof folder, "%s/vyrec-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof folder)
		snprintf(folder, sizeof folder, "/tmp/vyrec-XXXXXX");
	int fd = vyrec_memory_file("vyrec-object", object, object_bytes);
	if (fd < 0 || !mkdtemp(folder)) {
		snprintf(message, message_bytes,
			 "cannot make the folder %s, or a file: %s; set TMPDIR to one that can be written", folder,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	snprintf(in, sizeof in, "/proc/self/fd/%d", fd);
	snprintf(out, sizeof out, "%s/image", folder);
	if (!run_lld(in, out, message, message_bytes)) {
		image = read_image(out, image_bytes);
		if (!image)
			snprintf(message, message_bytes, "cannot read the linked image: %s", strerror(errno));
		else if (!vyrec_elf_check(image, *image_bytes, message, message_bytes)) {
			free(image);
			image = NULL;
		}
	}
	unlink(out);
	rmdir(folder);
	close(fd);
	return image;
}
