/* files.c - reads sources; writes files all or nothing.
 *
 * Invariant: a reader of the output path sees the old file or the whole new one, never a part: the bytes go to a
 * temporary file in the same folder, which is renamed over the path when all are written, or removed. A link stays a
 * link: the file that it names is the one that is replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vyrec.h"

double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool complain(const char *what, const char *path)
{
	fprintf(stderr, "vyrec: cannot %s %s: %s\n", what, path, strerror(errno));
	return false;
}

bool source_read(const char *path, struct source *out)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	uint32_t capacity = 0;
	bool fine = fd >= 0;
	*out = (struct source){.path = is_stdin ? "<stdin>" : path};
	while (fine) {
		out->text = vyrec_grow(out->text, &capacity, (uint32_t)out->bytes + 65536, 1);
		ssize_t n = read(fd, out->text + out->bytes, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fine = n == 0;
			break;
		}
		out->bytes += (size_t)n;
		if (out->bytes > VYREC_MAX_SOURCE_BYTES) { /* the reader of the language says it with the numbers */
			out->bytes = VYREC_MAX_SOURCE_BYTES + 1;
			break;
		}
	}
	if (!fine)
		complain("read", out->path);
	if (fd > STDIN_FILENO)
		close(fd);
	if (!fine)
		source_finish(out);
	return fine;
}

void source_finish(struct source *source)
{
	free(source->text);
	source->text = NULL;
}

static bool write_all(int fd, const void *data, size_t bytes)
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

/* The mode that the file has, or that a new file would get. */
static mode_t mode_of(const char *path)
{
	struct stat info;
	mode_t mask = umask(0);
	umask(mask);
	return !stat(path, &info) ? info.st_mode & 07777 : 0666 & ~mask;
}

/* A device or pipe is written as it is: there is nothing to rename it from. */
static bool is_special(const char *path)
{
	struct stat info;
	return !stat(path, &info) && !S_ISREG(info.st_mode);
}

static bool write_special(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return complain("open", path);
	bool fine = write_all(fd, data, bytes);
	if (!fine)
		complain("write", path);
	return close(fd) == 0 && fine;
}

bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;
	return !stat(path, &a) && !stat(other, &b) && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static bool replace_file(const char *path, const void *data, size_t bytes)
{
	size_t room = strlen(path) + 16;
	char *temporary = vyrec_alloc(room);
	snprintf(temporary, room, "%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	bool fine = fd >= 0 && !fchmod(fd, mode_of(path)) && write_all(fd, data, bytes);
	int why = errno;
	if (fd >= 0 && close(fd) && fine) {
		why = errno;
		fine = false;
	}
	if (fine && rename(temporary, path)) {
		why = errno;
		fine = false;
	}
	if (!fine && fd >= 0)
		unlink(temporary);
	free(temporary);
	errno = why;
	return fine;
}

bool file_write(const char *path, const void *data, size_t bytes)
{
	if (!strcmp(path, "-"))
		return write_all(STDOUT_FILENO, data, bytes) || complain("write", "standard output");
	if (is_special(path))
		return write_special(path, data, bytes);
	char *target = realpath(path, NULL); /* NULL: a new file */
	bool fine = replace_file(target ? target : path, data, bytes) || complain("write", path);
	free(target);
	return fine;
}

/* ---- source to module ------------------------------------------------------------------------------------------------ */

bool show_diags(struct vyrec_diags *diags, const struct source *source)
{
	bool fine = diags->errors == 0, is_text = source->bytes < 4 || memcmp(source->text, "VIR0", 4);
	vyrec_diags_print(diags, source->path, is_text ? source->text : NULL, is_text ? source->bytes : 0, stderr);
	vyrec_diags_finish(diags);
	return fine;
}

/* A module, and so a blob, knows its source by its bare name: the same file in another folder makes the same bytes. */
static const char *bare_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

struct vyrec_module *source_to_module(const struct source *source, struct module_times *times)
{
	struct vyrec_diags diags = {0};
	struct vyrec_module *module;
	double start = now_ms(), parsed;
	if (source->bytes >= 4 && !memcmp(source->text, "VIR0", 4))
		module = vyrec_vir0_read(bare_name(source->path), (const uint8_t *)source->text, source->bytes, &diags);
	else
		module = vyrec_parse(bare_name(source->path), source->text, source->bytes, &diags);
	parsed = now_ms();
	if (module)
		vyrec_verify(module, &diags);
	if (times)
		*times = (struct module_times){parsed - start, now_ms() - parsed};
	if (!show_diags(&diags, source) && module) {
		vyrec_module_destroy(module);
		module = NULL;
	}
	return module;
}
