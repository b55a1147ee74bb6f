/* ptxas.c - PTX to a cubin, by NVIDIA's assembler as a child process, and what it tells of each entry.
 *
 * Enters: PTX text. Leaves: the cubin, registers, shared bytes, stack and spills of each entry, or ptxas's own words; or
 * that ptxas itself is at fault, which is asked with an empty kernel once it has refused something.
 * Invariant: nothing is left behind: input, output and words of the child are anonymous memory files that it reaches by
 * /proc/self/fd. The same text gives the same bytes: ptxas writes neither names nor times of its files into a cubin.
 *
 * Where it is looked for: $VYRE_PTXAS alone, when that is set (a path, or nothing: there is none); else PATH, then
 * $CUDA_HOME/bin, then /usr/local/cuda/bin. Its version is asked once a process. It is given USUAL_SECONDS, or
 * $VYRE_PTXAS_SECONDS.
 */
#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codegen/llvm.h"

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

/* One that was named is taken at the word, program or not. */
static bool find(char *path)
{
	const char *given = getenv("VYRE_PTXAS"), *folders = getenv("PATH"), *home = getenv("CUDA_HOME");
	if (given)
		return *given && snprintf(path, PATH_BYTES, "%s", given) < PATH_BYTES;
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

/* ---- its files --------------------------------------------------------------------------------------------------------- */

/* Above the numbers that the child's files get, so that no dup2 there runs over one of these. */
static int out_of_the_way(int fd)
{
	enum { FIRST = 16 };
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
	if (fd >= 0)
		close(fd);
	return moved;
}

/* ---- its time ---------------------------------------------------------------------------------------------------------- */

/* Minutes are normal for kernels of many thousand lines. */
enum { USUAL_SECONDS = 600, MOST_SECONDS = 1000000 };

/* 0 = it says something else. */
static unsigned given_seconds(const char *given)
{
	char *end = NULL;
	unsigned long seconds = isdigit((unsigned char)*given) ? strtoul(given, &end, 10) : 0;
	return end && !*end && seconds <= MOST_SECONDS ? (unsigned)seconds : 0;
}

static unsigned limit_seconds(void)
{
	const char *given = getenv("VYRE_PTXAS_SECONDS");
	unsigned seconds = given ? given_seconds(given) : 0;
	return seconds ? seconds : USUAL_SECONDS;
}

static bool is_no_limit(char *message, size_t bytes)
{
	const char *given = getenv("VYRE_PTXAS_SECONDS");
	if (!given || given_seconds(given))
		return false;
	snprintf(message, bytes, "VYRE_PTXAS_SECONDS is \"%.64s\"; make it whole seconds from 1 to %d, or unset it",
		 given, MOST_SECONDS);
	return true;
}

/* ---- its version ------------------------------------------------------------------------------------------------------- */

/* "Cuda compilation tools, release 13.0, V13.0.88" */
static void read_version(const char *path, char *version, size_t bytes)
{
	const char *args[] = {path, "--version", NULL};
	int words = out_of_the_way(vyrec_memory_file("ptxas-words", NULL, 0));
	const struct vyrec_child child = {path, args, -1, -1, words, 1000 * limit_seconds()};
	size_t length = 0;
	uint8_t *text = NULL;
	snprintf(version, bytes, "unknown");
	if (words >= 0 && !vyrec_child_run(&child))
		text = vyrec_file_bytes(words, &length);
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

/* Its last lines, on one, without what would disturb a terminal. */
static void last_words(const char *words, char *text, size_t bytes)
{
	enum { LINES = 3, MOST_BYTES = 300 };
	size_t end = strlen(words), start, at = 0;
	unsigned lines = 0;
	while (end && isspace((unsigned char)words[end - 1]))
		end--;
	for (start = end; start && end - start < MOST_BYTES; start--)
		if (words[start - 1] == '\n' && ++lines == LINES)
			break;
	while (start < end && at + 3 < bytes) {
		unsigned char c = (unsigned char)words[start++];
		if (c == '\n') {
			text[at++] = ' ';
			text[at++] = '|';
			c = ' ';
		}
		text[at++] = (char)(c < ' ' || c > '~' ? '?' : c);
	}
	text[at] = '\0';
}

/* ---- a run of it ------------------------------------------------------------------------------------------------------- */

struct assembly {
	char path[PATH_BYTES];
	const struct vyrec_target *target;
	const void *text;
	size_t text_bytes;
	/* what became of it */
	int code; /* as vyrec_child_run's; -1: errno */
	char *words;
	uint8_t *cubin; /* what was left where a cubin should be */
	size_t cubin_bytes;
};

static void run(struct assembly *a)
{
	char arch[32], from[32], to[32];
	const char *args[] = {a->path, arch, "-v", from, "-o", to, NULL};
	struct vyrec_child child = {.path = a->path, .args = args, .milliseconds = 1000 * limit_seconds()};
	size_t bytes = 0;
	int error;
	snprintf(arch, sizeof arch, "-arch=%s", a->target->cpu);
	snprintf(from, sizeof from, "/proc/self/fd/%d", VYREC_CHILD_IN);
	snprintf(to, sizeof to, "/proc/self/fd/%d", VYREC_CHILD_OUT);
	child.in = out_of_the_way(vyrec_memory_file("ptx", a->text, a->text_bytes));
	child.out = out_of_the_way(vyrec_memory_file("cubin", NULL, 0));
	child.words = out_of_the_way(vyrec_memory_file("ptxas-words", NULL, 0));
	a->code = child.in >= 0 && child.out >= 0 && child.words >= 0 ? vyrec_child_run(&child) : -1;
	error = errno;
	if (a->code >= 0) {
		a->words = (char *)vyrec_file_bytes(child.words, &bytes);
		a->cubin = vyrec_file_bytes(child.out, &a->cubin_bytes);
	}
	const int files[] = {child.in, child.out, child.words};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i] >= 0)
			close(files[i]);
	errno = error;
}

static void finish(struct assembly *a)
{
	free(a->words);
	free(a->cubin);
}

/* What goes into a blob is a cubin, whatever ended as if it had made one. */
static bool is_cubin(const struct assembly *a)
{
	return a->cubin && a->cubin_bytes >= SELFMAG && !memcmp(a->cubin, ELFMAG, SELFMAG);
}

/* "ended with status 3" */
static void tell_end(const struct assembly *a, char *text, size_t bytes)
{
	if (a->code >= VYREC_CHILD_SIGNALLED)
		snprintf(text, bytes, "ended by signal %d", a->code - VYREC_CHILD_SIGNALLED);
	else if (a->code)
		snprintf(text, bytes, "ended with status %d", a->code);
	else
		snprintf(text, bytes, "ended with status 0, but the %zu bytes that it left are no cubin",
			 a->cubin_bytes);
}

/* For a reader who has the text in mind: the first complaint about it, else how it ended. */
static void tell_refusal(const struct assembly *a, char *message, size_t bytes)
{
	if (a->code && a->code < VYREC_CHILD_SIGNALLED && a->words && *a->words) {
		first_error(a->words, message, bytes);
		return;
	}
	int at = snprintf(message, bytes, "ptxas ");
	tell_end(a, message + at, bytes - (size_t)at);
}

static bool is_broken(const struct assembly *a, char *message, size_t bytes)
{
	if (a->code == VYREC_CHILD_LATE)
		snprintf(
		    message, bytes,
		    "%s was not done after %u s, and was ended; give it more time with VYRE_PTXAS_SECONDS, or leave "
		    "the assembling to the driver with --cubin=never",
		    a->path, limit_seconds());
	else if (a->code < 0)
		snprintf(message, bytes,
			 "cannot run %s: %s; name another ptxas in VYRE_PTXAS, or compile with --cubin=never", a->path,
			 strerror(errno));
	return a->code < 0 || a->code == VYREC_CHILD_LATE;
}

static enum vyrec_ptxas_result judge(const struct assembly *a, char *message, size_t bytes)
{
	if (is_broken(a, message, bytes))
		return VYREC_PTXAS_BROKEN;
	if (!a->code && is_cubin(a))
		return VYREC_PTXAS_DONE;
	tell_refusal(a, message, bytes);
	return a->code && is_too_old(a->words) ? VYREC_PTXAS_TOO_OLD : VYREC_PTXAS_REFUSED;
}

enum vyrec_ptxas_result vyrec_ptxas(struct vyrec_slice *ptx, uint8_t **cubin, size_t *cubin_bytes, char *message,
				    size_t message_bytes)
{
	struct assembly a = {.target = ptx->target, .text = ptx->image, .text_bytes = ptx->image_bytes};
	*cubin = NULL;
	if (!find(a.path))
		return VYREC_PTXAS_ABSENT;
	if (is_no_limit(message, message_bytes))
		return VYREC_PTXAS_BROKEN;
	run(&a);
	enum vyrec_ptxas_result result = judge(&a, message, message_bytes);
	if (result == VYREC_PTXAS_DONE) {
		read_resources(ptx, a.words);
		*cubin = a.cubin;
		*cubin_bytes = a.cubin_bytes;
		a.cubin = NULL;
	}
	finish(&a);
	return result;
}

/* ---- does it work at all? ---------------------------------------------------------------------------------------------- */

/* An empty kernel, with the directives that start another text. */
static char *make_empty(const struct vyrec_slice *ptx, size_t *bytes)
{
	static const char last[] = ".address_size 64\n", kernel[] = ".visible .entry vyre_empty()\n{\n\tret;\n}\n";
	const char *text = (const char *)ptx->image, *at = memmem(text, ptx->image_bytes, last, sizeof last - 1);
	size_t head = at ? (size_t)(at - text) + sizeof last - 1 : 0;
	char *made = vyrec_alloc(head + sizeof kernel);
	memcpy(made, text, head);
	memcpy(made + head, kernel, sizeof kernel);
	*bytes = head + sizeof kernel - 1;
	return made;
}

bool vyrec_ptxas_works(const struct vyrec_slice *ptx, char *message, size_t message_bytes)
{
	char end[128], words[512];
	struct assembly a = {.target = ptx->target};
	if (!find(a.path))
		return true; /* it has gone since */
	char *text = make_empty(ptx, &a.text_bytes);
	a.text = text;
	run(&a);
	bool works = !a.code && is_cubin(&a);
	if (!works && !is_broken(&a, message, message_bytes)) {
		tell_end(&a, end, sizeof end);
		last_words(a.words, words, sizeof words);
		snprintf(message, message_bytes,
			 "ptxas itself fails: %s, given an empty kernel, %s%s%s%s; mend it, name another one in "
			 "VYRE_PTXAS, or "
			 "compile with --cubin=never",
			 a.path, end, *words ? " and said \"" : " and said nothing", words, *words ? "\"" : "");
	}
	finish(&a);
	free(text);
	return works;
}
