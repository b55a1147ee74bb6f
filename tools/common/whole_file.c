/* whole_file.c - writes files all or nothing.
 *
 * Invariant: a reader of the path sees the old file or the whole new one, never a part: the bytes go to a temporary file in
 * the same folder, which is renamed over the path when all are written, or removed. A link stays a link: the file that it
 * names is the one that is replaced. A device or pipe is written as it is: renamed over, it would be gone for everybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/whole_file.h"

bool whole_file_write_to(int fd, const void *data, size_t bytes)
{
	const char *p = data;
	while (bytes) {
		ssize_t n = write(fd, p, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

/* Of a file that was written, or not; the first errno stays. */
static bool end_file(int fd, bool fine)
{
	int why = errno;
	if (close(fd) && fine)
		return false;
	errno = why;
	return fine;
}

/* The mode that the file has, or that a new file would get. */
static mode_t mode_of(const char *path)
{
	struct stat info;
	mode_t mask = umask(0);
	umask(mask);
	return !stat(path, &info) ? info.st_mode & 07777 : 0666 & ~mask;
}

bool whole_file_is_stream(const char *path)
{
	struct stat info;
	return !stat(path, &info) && !S_ISREG(info.st_mode);
}

static bool write_stream(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && end_file(fd, whole_file_write_to(fd, data, bytes));
}

static bool replace(const char *path, char *temporary, const void *data, size_t bytes)
{
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return false;
	bool fine = end_file(fd, !fchmod(fd, mode_of(path)) && whole_file_write_to(fd, data, bytes));
	if (fine && !rename(temporary, path))
		return true;
	int why = errno;
	unlink(temporary);
	errno = why;
	return false;
}

bool whole_file_write(const char *path, const void *data, size_t bytes)
{
	if (whole_file_is_stream(path))
		return write_stream(path, data, bytes);
	char *named = realpath(path, NULL); /* NULL: a new file */
	const char *target = named ? named : path;
	size_t room = strlen(target) + sizeof ".XXXXXX";
	char *temporary = malloc(room);
	bool fine = false;
	if (temporary) {
		snprintf(temporary, room, "%s.XXXXXX", target);
		fine = replace(target, temporary, data, bytes);
	}
	int why = errno;
	free(temporary);
	free(named);
	errno = why;
	return fine;
}
