/* main.c - vyrec: which command. Enters: the command line. Leaves: 0, 1 bad input, 2 bad usage. */
#include <errno.h>
#include <string.h>

#include "vyrec.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {{"run", command_run}, {"fmt", command_fmt}};

static int run_command(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return command_compile(argc, argv);
}

/* What was printed has arrived, or the command has failed. */
int main(int argc, char **argv)
{
	int code = run_command(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "vyrec: cannot write standard output: %s\n", strerror(errno));
		code = code == EXIT_FINE ? EXIT_BAD_INPUT : code;
	}
	return code;
}
