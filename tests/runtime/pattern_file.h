/* pattern_file.h - files whose bytes tell where in the file they belong. Include after cmocka. */
#ifndef PATTERN_FILE_H
#define PATTERN_FILE_H
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static inline unsigned char pattern(uint64_t offset)
{
	return (unsigned char)((offset * 0x9E3779B97F4A7C15u) >> 56 ^ offset);
}

/* A file that is gone when its descriptor is closed. */
static inline int make_file(uint64_t bytes)
{
	char path[] = "vyre_test_XXXXXX", block[4096];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	for (uint64_t at = 0; at < bytes; at += sizeof block) {
		size_t n = bytes - at < sizeof block ? (size_t)(bytes - at) : sizeof block;
		for (size_t i = 0; i < n; i++)
			block[i] = (char)pattern(at + i);
		assert_int_equal(pwrite(fd, block, n, (off_t)at), n);
	}
	return fd;
}

#endif
