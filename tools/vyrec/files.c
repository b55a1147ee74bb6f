/* files.c - reads sources, and writes what becomes of them: whole, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/whole_file.h"
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

bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;
	return !stat(path, &a) && !stat(other, &b) && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

bool file_write(const char *path, const void *data, size_t bytes)
{
	if (!strcmp(path, "-"))
		return whole_file_write_to(STDOUT_FILENO, data, bytes) || complain("write", "standard output");
	return whole_file_write(path, data, bytes) || complain("write", path);
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
