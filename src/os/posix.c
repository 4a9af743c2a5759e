// SPDX-License-Identifier: Apache-2.0
// The POSIX form of the world: the table, the clocks, entropy, and what errno means.
#include "os/posix.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static err code_of(int number)
{
    switch (number) {
    case ENOENT:
        return ALS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: // a limit on the file's size: room is what is missing here, too
        return ALS_STORAGE_FULL;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ALS_NO_MEMORY;
    case EWOULDBLOCK:
        return ALS_LOCKED; // only flock() is asked not to wait
    default:
        return ALS_STORAGE;
    }
}

err posix_failed(struct als_why *why, const char *call, const char *path)
{
    int number = errno;
    const char *reason = strerrordesc_np(number);
    return FAIL(why, code_of(number), "%s '%s': %s", call, path, reason ? reason : "unknown error");
}

const char *posix_name(str name, char space[static OS_NAME_MAX + 1])
{
    assert(name.len > 0 && name.len <= OS_NAME_MAX);
    assert(str_find(name, '/') == name.len && str_find(name, '\0') == name.len);
    assert(!str_equal(name, S(".")) && !str_equal(name, S("..")));
    memcpy(space, name.ptr, name.len);
    space[name.len] = '\0';
    return space;
}

static int64_t posix_now_us(struct os *os)
{
    (void)os;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

static uint64_t posix_monotonic_ns(struct os *os)
{
    (void)os;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1'000'000'000 + (uint64_t)now.tv_nsec;
}

static void posix_entropy(struct os *os, void *bytes, size_t size)
{
    (void)os;
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); // a kernel without entropy: ids and keys would be guessable
        at += got;
        size -= (size_t)got;
    }
}

static err no_dir_sync(struct os_dir *dir, struct als_why *why)
{
    (void)dir, (void)why;
    return ALS_OK;
}

static err no_file_sync(struct os_file *file, struct als_why *why)
{
    (void)file, (void)why;
    return ALS_OK;
}

#define POSIX_CALLS(sync_of_directories, sync_of_files)                                            \
    {                                                                                              \
        .dir_open = posix_dir_open, .dir_close = posix_dir_close, .dir_list = posix_dir_list,      \
        .dir_sync = (sync_of_directories), .dir_rename = posix_dir_rename,                         \
        .dir_unlink = posix_dir_unlink, .dir_link = posix_dir_link, .dir_lock = posix_dir_lock,    \
        .file_open = posix_file_open, .file_close = posix_file_close,                              \
        .file_size = posix_file_size, .file_read = posix_file_read,                                \
        .file_write = posix_file_write, .file_truncate = posix_file_truncate,                      \
        .file_allocate = posix_file_allocate, .file_sync = (sync_of_files),                        \
        .file_map = posix_file_map, .file_unmap = posix_file_unmap,                                \
        .file_forget = posix_file_forget, .file_hint = posix_file_hint, .now_us = posix_now_us,    \
        .monotonic_ns = posix_monotonic_ns, .entropy = posix_entropy,                              \
    }

struct os *os_posix(void)
{
    static struct os posix = POSIX_CALLS(posix_dir_sync, posix_file_sync);
    return &posix;
}

struct os *os_posix_unsynced(void)
{
    static struct os posix = POSIX_CALLS(no_dir_sync, no_file_sync);
    return &posix;
}
