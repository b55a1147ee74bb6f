/* stream_file.c - what a stream may read from, and how it is opened.
 *
 * In: the caller's descriptor; out: a descriptor through the page cache, one past it if asked for, and the size.
 * Invariant: the caller's descriptor is never closed and its flags and position never changed, so the second descriptor
 * is a new open of the same file (through /proc/self/fd), not a dup, which would share both.
 * Why not fcntl(F_SETFL, O_DIRECT): that changes the caller's open file under its other users.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/io.h"
#include "message.h"
#include "stream.h"

static const struct {
	mode_t type;
	const char *is, *fix;
} refused[] = {
    {S_IFDIR, "a directory", "open the files in it and add each"},
    {S_IFIFO, "a pipe", "read it into a file or a buffer first: a pipe has no ranges"},
    {S_IFSOCK, "a socket", "read it into a file or a buffer first: a socket has no ranges"},
    {S_IFCHR, "a character device", "read it into a file or a buffer first: it has no ranges"},
    {S_IFLNK, "a symbolic link", "open it without O_PATH and O_NOFOLLOW"},
};

static vyre_status check_type(int fd, const struct stat *st)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		if ((st->st_mode & S_IFMT) == refused[i].type)
			return vyre_fail(VYRE_INVALID, refused[i].fix,
					 "descriptor %d is %s, not a regular file or block device", fd, refused[i].is);
	}
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return VYRE_OK;
	return vyre_fail(VYRE_INVALID, "read it into a file or a buffer first",
			 "descriptor %d has file mode 0%o, not a regular file's or block device's", fd,
			 (unsigned)st->st_mode);
}

static int reopen(int fd, int flags)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC | flags);
}

static vyre_status check_access(int fd, int flags, uint32_t rights)
{
	if (flags < 0)
		return vyre_fail(VYRE_INVALID, "keep it open until its range is done", "descriptor %d is not open", fd);
	if (flags & O_PATH)
		return vyre_fail(VYRE_INVALID, "open it with O_RDONLY", "descriptor %d was opened with O_PATH", fd);
	if ((rights & VYRE_IO_RIGHT_READ) && (flags & O_ACCMODE) == O_WRONLY)
		return vyre_fail(VYRE_INVALID, "open it with O_RDONLY", "descriptor %d is open for writing alone", fd);
	if ((rights & VYRE_IO_RIGHT_WRITE) && (flags & O_ACCMODE) == O_RDONLY)
		return vyre_fail(VYRE_INVALID, "open it with O_RDWR", "descriptor %d is open for reading alone", fd);
	/* Appended bytes do not lie where they were sent; unaligned ones are refused. */
	if ((rights & VYRE_IO_RIGHT_WRITE) && (flags & (O_APPEND | O_DIRECT)))
		return vyre_fail(VYRE_INVALID, "open it without O_APPEND and O_DIRECT",
				 "descriptor %d cannot be written at any place: flags 0%o", fd, (unsigned)flags);
	return VYRE_OK;
}

vyre_status vyre_stream_file_open(int fd, uint32_t rights, bool want_direct, struct vyre_stream_file *out)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	*out = (struct vyre_stream_file){.fd = fd, .direct = -1};
	vyre_status status = check_access(fd, flags, rights);
	if (status)
		return status;
	if (fstat(fd, &st))
		return vyre_fail(VYRE_IO, "check the file system it is on", "fstat of descriptor %d: %s", fd,
				 strerror(errno));
	if ((status = check_type(fd, &st)) != VYRE_OK)
		return status;
	out->size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &out->size))
		return vyre_fail(VYRE_IO, "check the device", "size of the block device at descriptor %d: %s", fd,
				 strerror(errno));
	if (flags & O_DIRECT) { /* then it is the page cache that needs a descriptor of its own, for unaligned ends */
		out->direct = fd;
		out->fd = reopen(fd, 0);
		out->owns_fd = out->fd >= 0;
		if (out->fd < 0)
			return vyre_fail(VYRE_IO, "open it without O_DIRECT and use VYRE_STREAM_DIRECT",
					 "descriptor %d is O_DIRECT and cannot be opened again without it: %s", fd,
					 strerror(errno));
	} else if (want_direct) {
		out->direct = reopen(fd, O_DIRECT);
		out->owns_direct = out->direct >= 0;
	}
	return VYRE_OK;
}

void vyre_stream_file_close(struct vyre_stream_file *file)
{
	if (file->owns_fd)
		close(file->fd);
	if (file->owns_direct)
		close(file->direct);
}
