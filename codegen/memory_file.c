/* memory_file.c - what a linker or an assembler reads and writes as files, without names in a folder.
 *
 * Enters: bytes. Leaves: a descriptor of an anonymous file with them, which others reach by /proc/self/fd; and what a file
 * holds in the end. Nothing is left behind whatever becomes of the process.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codegen/llvm.h"

int vyrec_memory_file(const char *name, const void *data, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	for (const char *p = data; fd >= 0 && bytes;) {
		ssize_t n = write(fd, p, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int why = errno;
			close(fd);
			errno = why;
			return -1;
		}
		p += n;
		bytes -= (size_t)n;
	}
	return fd;
}

uint8_t *vyrec_file_bytes(int fd, size_t *bytes)
{
	struct stat info;
	size_t done = 0;
	if (fstat(fd, &info))
		return NULL;
	uint8_t *data = vyrec_alloc((size_t)info.st_size + 1);
	while (done < (size_t)info.st_size) {
		ssize_t n = pread(fd, data + done, (size_t)info.st_size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	*bytes = done;
	return data;
}
