/* whole_file.h - a file that others see as it was or whole, never a part of it. */
#ifndef VYRE_WHOLE_FILE_H
#define VYRE_WHOLE_FILE_H
#include <stdbool.h>
#include <stddef.h>

/* A device or a pipe: nothing can be put in its place, and what is written twice is there twice. */
bool whole_file_is_stream(const char *path);
/* False: errno. All of it onto a descriptor: standard output is one that nothing is put in the place of either. */
bool whole_file_write_to(int fd, const void *data, size_t bytes);
bool whole_file_write(const char *path, const void *data, size_t bytes);

#endif
