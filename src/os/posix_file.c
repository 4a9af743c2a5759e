// SPDX-License-Identifier: Apache-2.0
// Files. A call that the system does by halves (a signal, a short write) is carried on here until
// it is done or fails; so above this file a write has happened whole or has failed.
#include "os/posix.h"

#include "base/mutant.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SLICES_A_CALL = 1024 }; // IOV_MAX of Linux

err posix_file_new(int fd, struct os_dir *dir, str name, struct os_file **ret_file,
                   struct als_why *why)
{
    size_t above = strlen(dir->path);
    struct os_file *file = malloc(sizeof *file + above + 1 + name.len + 1);
    if (!file) {
        close(fd);
        return FAIL(why, ALS_NO_MEMORY, "open '%.*s': no memory", STR(name));
    }
    file->fd = fd;
    memcpy(file->path, dir->path, above);
    file->path[above] = '/';
    memcpy(file->path + above + 1, name.ptr, name.len);
    file->path[above + 1 + name.len] = '\0';
    *ret_file = file;
    return ALS_OK;
}

err posix_file_open(struct os_dir *dir, str name, enum os_open how, struct os_file **ret_file,
                    struct als_why *why)
{
    static const int flags[] = {
        [OS_READ] = O_RDONLY,
        [OS_READ_WRITE] = O_RDWR,
        [OS_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [OS_CREATE_OPEN] = O_RDWR | O_CREAT,
    };
    char text[OS_NAME_MAX + 1];
    int fd;
    do
        fd = openat(dir->fd, posix_name(name, text), flags[how] | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return posix_failed(why, "open", text);
    return posix_file_new(fd, dir, name, ret_file, why);
}

void posix_file_close(struct os_file *file)
{
    if (!file)
        return;
    close(file->fd); // what had to be durable was synced; an error here says nothing about it
    free(file);
}

err posix_file_size(struct os_file *file, uint64_t *ret_size, struct als_why *why)
{
    struct stat info;
    if (fstat(file->fd, &info) < 0)
        return posix_failed(why, "stat", file->path);
    *ret_size = (uint64_t)info.st_size;
    return ALS_OK;
}

err posix_file_read(struct os_file *file, uint64_t offset, void *bytes, size_t size,
                    size_t *ret_read, struct als_why *why)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file->fd, (char *)bytes + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return posix_failed(why, "read", file->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_read = done;
    return ALS_OK;
}

// What is left of the slices after `done` bytes of them have been written.
static int remaining_slices(const str *slices, size_t count, size_t done,
                            struct iovec rest[static SLICES_A_CALL])
{
    int used = 0;
    for (size_t i = 0; i < count && used < SLICES_A_CALL; i++) {
        str left = str_from(slices[i], done);
        done -= slices[i].len - left.len;
        if (left.len > 0)
            rest[used++] = (struct iovec){(void *)(uintptr_t)left.ptr, left.len};
    }
    return used;
}

err posix_file_write(struct os_file *file, uint64_t offset, const str *slices, size_t count,
                     struct als_why *why)
{
    struct iovec rest[SLICES_A_CALL];
    size_t done = 0;
    for (int used; (used = remaining_slices(slices, count, done, rest)) > 0;) {
        ssize_t written = pwritev(file->fd, rest, used, (off_t)(offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC; // no progress and no reason: as good as full
        if (written <= 0)
            return posix_failed(why, "write", file->path);
        done += (size_t)written;
        if (MUTANT(SHORT_WRITE_ACCEPTED))
            break;
    }
    return ALS_OK;
}

err posix_file_truncate(struct os_file *file, uint64_t size, struct als_why *why)
{
    int result;
    do
        result = ftruncate(file->fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result == 0 ? ALS_OK : posix_failed(why, "truncate", file->path);
}

err posix_file_allocate(struct os_file *file, uint64_t size, struct als_why *why)
{
    assert(size > 0);
    int result;
    do
        result = fallocate(file->fd, 0, 0, (off_t)size);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return ALS_OK;
    if (errno != EOPNOTSUPP)
        return posix_failed(why, "allocate", file->path);

    // A file system that cannot reserve: the length is what we can give.
    uint64_t size_now = 0;
    TRY(posix_file_size(file, &size_now, why));
    return size_now >= size ? ALS_OK : posix_file_truncate(file, size, why);
}

err posix_file_sync(struct os_file *file, struct als_why *why)
{
    int result;
    do
        result = fdatasync(file->fd); // the size is data enough for it
    while (result < 0 && errno == EINTR);
    return result == 0 ? ALS_OK : posix_failed(why, "sync", file->path);
}

err posix_file_map(struct os_file *file, uint64_t size, const uint8_t **ret_bytes,
                   struct als_why *why)
{
    assert(size > 0);
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (bytes == MAP_FAILED)
        return posix_failed(why, "map", file->path);
    *ret_bytes = bytes;
    return ALS_OK;
}

void posix_file_unmap(struct os *os, const uint8_t *bytes, uint64_t size)
{
    (void)os;
    if (!bytes)
        return;
    int result = munmap((void *)(uintptr_t)bytes, size);
    assert(result == 0); // else the range was never mapped: our bug
}

// Pages of a shared mapping of a file are the system's; what is dropped is that this process sees
// them.
void posix_file_forget(struct os *os, const uint8_t *bytes, uint64_t size)
{
    (void)os;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)bytes;
    uintptr_t first = (start + page - 1) / page * page, end = (start + size) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED); // a hint: what stays, stays
}

void posix_file_hint(struct os *os, const uint8_t *bytes, uint64_t size, enum os_hint hint)
{
    (void)os;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)bytes;
    uintptr_t first = start / page * page;
    (void)madvise((void *)first, start + size - first,
                  hint == OS_HINT_SOON ? MADV_WILLNEED : MADV_RANDOM);
}
