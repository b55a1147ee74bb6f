/* ptxas.c - PTX to a cubin, by NVIDIA's assembler as a child process, and what it tells of each entry.
 *
 * Enters: PTX text. Leaves: the cubin, registers, shared bytes, stack and spills of each entry, or ptxas's own words.
 * Invariant: nothing is left behind: input, output and words of the child are anonymous memory files that it reaches by
 * /proc/self/fd. The same text gives the same bytes: ptxas writes neither names nor times of its files into a cubin.
 *
 * Where it is looked for: $VYRE_PTXAS alone, when that is set (a path, or nothing: there is none); else PATH, then
 * $CUDA_HOME/bin, then /usr/local/cuda/bin. Its version is asked once a process.
 */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/llvm.h"

extern char **environ;

/* ---- where it is ------------------------------------------------------------------------------------------------------- */

enum { PATH_BYTES = 1024 };

static bool is_program(const char *path)
{
	struct stat info;
	return !stat(path, &info) && S_ISREG(info.st_mode) && !access(path, X_OK);
}

static bool in_folder(const char *folder, size_t bytes, const char *below, char *path)
{
	int length = snprintf(path, PATH_BYTES, "%.*s%s/ptxas", (int)bytes, folder, below);
	return bytes && length < PATH_BYTES && is_program(path);
}

static bool find(char *path)
{
	const char *given = getenv("VYRE_PTXAS"), *folders = getenv("PATH"), *home = getenv("CUDA_HOME");
	if (given)
		return snprintf(path, PATH_BYTES, "%s", given) < PATH_BYTES && is_program(path);
	for (; folders && *folders; folders += *folders == ':') {
		size_t bytes = strcspn(folders, ":");
		if (in_folder(folders, bytes, "", path))
			return true;
		folders += bytes;
	}
	if (home && in_folder(home, strlen(home), "/bin", path))
		return true;
	return in_folder("/usr/local/cuda", strlen("/usr/local/cuda"), "/bin", path);
}

/* ---- a child ----------------------------------------------------------------------------------------------------------- */

/* An anonymous file, and what has been written to it. */
static int make_file(const char *name, const void *data, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	for (const char *p = data; fd >= 0 && bytes;) {
		ssize_t n = write(fd, p, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		p += n;
		bytes -= (size_t)n;
	}
	return fd;
}

/* With a NUL behind. */
static uint8_t *read_file(int fd, size_t *bytes)
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

enum { CHILD_IN = 3, CHILD_OUT = 4, SIGNALLED = 1000 };

/* Runs it with `in` and `out` as its files 3 and 4 (or neither: -1) and its words in `words`. The exit code, SIGNALLED + signal,
 * or -1 and errno. */
static int run(const char *path, const char *const *args, int in, int out, int words)
{
	posix_spawn_file_actions_t files;
	pid_t child;
	int status = 0, error;
	if (posix_spawn_file_actions_init(&files)) {
		errno = ENOMEM;
		return -1;
	}
	error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
	error = error ? error : posix_spawn_file_actions_adddup2(&files, words, 1);
	error = error ? error : posix_spawn_file_actions_adddup2(&files, words, 2);
	if (in >= 0) {
		error = error ? error : posix_spawn_file_actions_adddup2(&files, in, CHILD_IN);
		error = error ? error : posix_spawn_file_actions_adddup2(&files, out, CHILD_OUT);
	}
	error = error ? error : posix_spawn(&child, path, &files, NULL, (char *const *)(uintptr_t)args, environ);
	posix_spawn_file_actions_destroy(&files);
	if (error) {
		errno = error;
		return -1;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
}

/* Above the numbers that the child's files get, so that no dup2 there runs over one of these. */
static int out_of_the_way(int fd)
{
	enum { FIRST = 16 };
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
	if (fd >= 0)
		close(fd);
	return moved;
}

/* ---- its version ------------------------------------------------------------------------------------------------------- */

/* "Cuda compilation tools, release 13.0, V13.0.88" */
static void read_version(const char *path, char *version, size_t bytes)
{
	const char *args[] = {path, "--version", NULL};
	int words = out_of_the_way(make_file("ptxas-words", NULL, 0));
	size_t length = 0;
	uint8_t *text = NULL;
	snprintf(version, bytes, "unknown");
	if (words >= 0 && !run(path, args, -1, -1, words))
		text = read_file(words, &length);
	const char *mark = text ? strstr((const char *)text, ", V") : NULL;
	if (mark)
		snprintf(version, bytes, "%.*s", (int)strspn(mark + 3, "0123456789."), mark + 3);
	if (words >= 0)
		close(words);
	free(text);
}

const char *vyrec_ptxas_version(void)
{
	static char known[PATH_BYTES], version[32];
	char path[PATH_BYTES];
	if (!find(path))
		return NULL;
	if (strcmp(path, known)) {
		read_version(path, version, sizeof version);
		snprintf(known, sizeof known, "%s", path);
	}
	return version;
}

/* ---- its words --------------------------------------------------------------------------------------------------------- */

static struct vyrec_resources *find_entry(const struct vyrec_slice *slice, const char *name)
{
	size_t bytes = strcspn(name, "'");
	for (uint32_t i = 0; i < slice->unit_count; i++)
		if (strlen(slice->symbols[i]) == bytes && !memcmp(slice->symbols[i], name, bytes))
			return &slice->resources[i];
	return NULL;
}

/* The number in front of a word: "Used 32 registers". */
static uint32_t number_before(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	while (at && at > line && isspace((unsigned char)at[-1]))
		at--;
	while (at && at > line && isdigit((unsigned char)at[-1]))
		at--;
	return at ? (uint32_t)strtoul(at, NULL, 10) : 0;
}

/* Lines of -v: the entry whose turn it is, the function whose frame is told, frame and spills, registers and shared
 * memory. Functions that are no entries have lines too. */
static void read_resources(struct vyrec_slice *slice, char *words)
{
	static const char compiling[] = "Compiling entry function '", properties[] = "Function properties for ";
	struct vyrec_resources *entry = NULL, *function = NULL;
	char *rest = words, *line;
	while ((line = strsep(&rest, "\n"))) {
		char *at;
		if ((at = strstr(line, compiling))) {
			entry = find_entry(slice, at + strlen(compiling));
		} else if ((at = strstr(line, properties))) {
			function = find_entry(slice, at + strlen(properties));
		} else if (function && strstr(line, "bytes stack frame")) {
			function->stack_bytes = number_before(line, "bytes stack frame");
			function->spill_bytes =
			    number_before(line, "bytes spill stores") + number_before(line, "bytes spill loads");
		} else if (entry && strstr(line, ": Used ")) {
			entry->registers = number_before(line, "registers");
			entry->shared_bytes = number_before(line, "bytes smem");
		}
	}
}

/* An assembler that is older than the target or the text: no fault of the text. */
static bool is_too_old(const char *words)
{
	return strstr(words, "is not defined for option 'gpu-name'") || strstr(words, "Unsupported .version");
}

/* The first line that tells of an error, without the name of the file. */
static void first_error(const char *words, char *message, size_t bytes)
{
	static const char *const marks[] = {"error   : ", "fatal   : "};
	const char *at = NULL;
	for (size_t i = 0; !at && i < sizeof marks / sizeof *marks; i++)
		if ((at = strstr(words, marks[i])))
			at += strlen(marks[i]);
	at = at ? at : words;
	snprintf(message, bytes, "ptxas: %.*s", (int)strcspn(at, "\n"), at);
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

struct assembly {
	int in, out, words;
};

static bool open_files(struct assembly *a, const struct vyrec_slice *ptx)
{
	a->in = out_of_the_way(make_file("ptx", ptx->image, ptx->image_bytes));
	a->out = out_of_the_way(make_file("cubin", NULL, 0));
	a->words = out_of_the_way(make_file("ptxas-words", NULL, 0));
	return a->in >= 0 && a->out >= 0 && a->words >= 0;
}

static void close_files(const struct assembly *a)
{
	const int files[] = {a->in, a->out, a->words};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i] >= 0)
			close(files[i]);
}

static enum vyrec_ptxas_result judge(int code, const char *words, char *message, size_t message_bytes)
{
	if (!code)
		return VYREC_PTXAS_DONE;
	first_error(words, message, message_bytes);
	if (code >= SIGNALLED)
		snprintf(message, message_bytes, "ptxas ended by signal %d", code - SIGNALLED);
	else if (!*words)
		snprintf(message, message_bytes, "ptxas ended with %d and said nothing", code);
	return is_too_old(words) ? VYREC_PTXAS_TOO_OLD : VYREC_PTXAS_REFUSED;
}

/* What goes into a blob is a cubin, whatever ended as if it had made one. */
static enum vyrec_ptxas_result take_output(int fd, uint8_t **cubin, size_t *bytes, char *message, size_t message_bytes)
{
	*bytes = 0;
	*cubin = read_file(fd, bytes);
	if (*bytes >= SELFMAG && !memcmp(*cubin, ELFMAG, SELFMAG))
		return VYREC_PTXAS_DONE;
	snprintf(message, message_bytes, "ptxas ended well, but the %zu bytes that it left are no cubin", *bytes);
	free(*cubin);
	*cubin = NULL;
	return VYREC_PTXAS_REFUSED;
}

enum vyrec_ptxas_result vyrec_ptxas(struct vyrec_slice *ptx, uint8_t **cubin, size_t *cubin_bytes, char *message,
				    size_t message_bytes)
{
	char path[PATH_BYTES], arch[32], in[32], out[32];
	const char *args[] = {path, arch, "-v", in, "-o", out, NULL};
	struct assembly files;
	size_t bytes = 0;
	*cubin = NULL;
	if (!find(path))
		return VYREC_PTXAS_ABSENT;
	snprintf(arch, sizeof arch, "-arch=%s", ptx->target->cpu);
	snprintf(in, sizeof in, "/proc/self/fd/%d", CHILD_IN);
	snprintf(out, sizeof out, "/proc/self/fd/%d", CHILD_OUT);
	int code = open_files(&files, ptx) ? run(path, args, files.in, files.out, files.words) : -1;
	if (code < 0)
		snprintf(message, message_bytes, "cannot run %s: %s", path, strerror(errno));
	char *words = code < 0 ? NULL : (char *)read_file(files.words, &bytes);
	enum vyrec_ptxas_result result = words ? judge(code, words, message, message_bytes) : VYREC_PTXAS_REFUSED;
	if (result == VYREC_PTXAS_DONE)
		result = take_output(files.out, cubin, cubin_bytes, message, message_bytes);
	if (result == VYREC_PTXAS_DONE)
		read_resources(ptx, words);
	free(words);
	close_files(&files);
	return result;
}
